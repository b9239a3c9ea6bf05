"""Which images are copies of which: by bytes, by pixels, or to the eye."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from PIL import Image

from .reasons import Reason

#: Two unrelated pictures differ in about 32 of the 64 bits of their perceptual hashes.
#: Beyond 10, pictures that merely look alike are found, and finding them is slow.
MAX_DISTANCE = 10

_BANDS = 4
_BAND_BITS = 16
_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Looks:
    """What is compared of an image."""

    image_id: str
    pixels: str
    #: Perceptual hash of 64 bits, where near-duplicates are looked for.
    eye: int = 0


def pixel_hash(image: Image.Image) -> str:
    """Hash of size and pixels, 20 hexadecimal digits: the same in whatever format stored."""
    digest = hashlib.sha256(f"{image.width} {image.height} {image.mode}".encode())
    for top in range(0, image.height, _ROWS_AT_ONCE):  # small copies stay in the cache
        bottom = min(top + _ROWS_AT_ONCE, image.height)
        digest.update(image.crop((0, top, image.width, bottom)).tobytes())
    return digest.hexdigest()[:20]


def eye_hash(image: Image.Image) -> int:
    """ImageHash's ``phash``: signs of the 64 lowest frequencies of the grey picture."""
    import imagehash

    bits = imagehash.phash(image).hash.ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def find_duplicates(
    looks: Iterable[Looks], max_distance: int | None = None
) -> list[tuple[Reason, int] | None]:
    """For each image, why and of which earlier one it is a duplicate; None if it is kept.

    Parameters
    ----------
    looks : iterable of Looks
        The images in order; the first of its kind is kept.
    max_distance : int, optional
        Largest number of differing bits of the perceptual hashes of near-duplicates.

    Returns
    -------
    list of (Reason, int) or None
        The position is always that of a kept image. An image is a near-duplicate of the
        *first* kept image within the distance (the leader rule), so that a chain of
        images, each like the one before, does not run together.
    """
    by_bytes: dict[str, int] = {}
    by_pixels: dict[str, int] = {}
    by_eye = None if max_distance is None else _NearIndex(max_distance)
    found: list[tuple[Reason, int] | None] = []
    for position, look in enumerate(looks):
        if look.image_id in by_bytes:
            found.append((Reason.SAME_BYTES, by_bytes[look.image_id]))
        elif look.pixels in by_pixels:
            found.append((Reason.SAME_PIXELS, by_pixels[look.pixels]))
        elif by_eye is not None and (near := by_eye.first_near(look.eye)) is not None:
            found.append((Reason.NEAR_DUPLICATE, near))
        else:
            found.append(None)
            by_bytes[look.image_id] = position
            by_pixels[look.pixels] = position
            if by_eye is not None:
                by_eye.add(look.eye, position)
    return found


class _NearIndex:
    """Finds hashes that differ in few bits without comparing with all of them.

    A hash is cut into four bands of 16 bits. If two hashes differ in at most d bits,
    then in some band they differ in at most d // 4: looking up the few values that are
    so close to each band finds every candidate.
    """

    def __init__(self, max_distance: int) -> None:
        self._distance = max_distance
        self._flips = _flips(max_distance // _BANDS)
        self._bands: list[dict[int, list[tuple[int, int]]]] = [
            defaultdict(list) for _ in range(_BANDS)
        ]

    def add(self, value: int, position: int) -> None:
        for band, part in zip(self._bands, _parts(value), strict=True):
            band[part].append((position, value))

    def first_near(self, value: int) -> int | None:
        """The least position added whose hash is within the distance."""
        near = []
        for band, part in zip(self._bands, _parts(value), strict=True):
            for flip in self._flips:
                for position, other in band.get(part ^ flip, ()):
                    if (value ^ other).bit_count() <= self._distance:
                        near.append(position)
        return min(near, default=None)


def _parts(value: int) -> Iterator[int]:
    return (value >> (_BAND_BITS * band) & (1 << _BAND_BITS) - 1 for band in range(_BANDS))


@cache
def _flips(radius: int) -> tuple[int, ...]:
    """All 16-bit patterns with at most ``radius`` bits set."""
    return tuple(
        sum(1 << bit for bit in bits)
        for count in range(radius + 1)
        for bits in combinations(range(_BAND_BITS), count)
    )
