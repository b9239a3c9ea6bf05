"""Which images are copies of which: by bytes, by pixels, or to the eye."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from .decode import rgba
from .near import find_leaders
from .reasons import Reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Two unrelated pictures differ in about 32 of the 64 bits of their perceptual hashes.
#: Beyond 10, pictures that merely look alike are found, and finding them is slow.
MAX_DISTANCE = 10

_ROWS_AT_ONCE = 64


class Duplicates(NamedTuple):
    """Which images are kept, a row per image."""

    #: Position of the image that is kept instead: that of the image itself if it is kept.
    kept: NDArray[np.int64]
    #: Why it is a duplicate, as text; None if it is kept.
    reason: NDArray[np.object_]


def pixel_hash(exact: Image.Image | NDArray[Any]) -> str:
    """Hash of size and pixels, 20 hexadecimal digits: the same in whatever format stored.

    Parameters
    ----------
    exact : PIL.Image.Image or ndarray
        As :func:`~imagestrata.corpus.decode.decode` gives it: pictures are the same in full
        depth and with their transparency, colours of transparent pixels included.
    """
    if not isinstance(exact, Image.Image):
        colours = exact[:, :, :3] if exact.ndim == 3 else exact
        if colours.shape[2:] == (3,) and (colours == colours[:, :, :1]).all():  # it is grey
            exact = np.squeeze(np.delete(exact, [1, 2], axis=2))
        digest = hashlib.sha256(f"{exact.shape} {exact.dtype}".encode())
        digest.update(np.ascontiguousarray(exact).data)
        return digest.hexdigest()[:20]
    layered = exact.has_transparency_data
    mode = "RGBA" if layered else exact.mode
    digest = hashlib.sha256(f"{exact.width} {exact.height} {mode}".encode())
    for top in range(0, exact.height, _ROWS_AT_ONCE):  # small copies stay in the cache
        strip = exact.crop((0, top, exact.width, min(top + _ROWS_AT_ONCE, exact.height)))
        digest.update((rgba(strip) if layered else strip).tobytes())
    return digest.hexdigest()[:20]


def eye_hash(image: Image.Image) -> int:
    """ImageHash's ``phash``: signs of the 64 lowest frequencies of the grey picture."""
    import imagehash

    bits = imagehash.phash(image).hash.ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def find_duplicates(
    image_ids: pd.Series[str],
    pixels: pd.Series[str],
    eyes: NDArray[np.uint64] | None = None,
    max_distance: int = 0,
) -> Duplicates:
    """For each image, of which earlier one it is a duplicate, and why.

    Parameters
    ----------
    image_ids, pixels : Series of str
        Hashes of the bytes and of the pixels, in the order of the images; the first of its
        kind is kept. Of equal bytes, the pixels must be equal.
    eyes : ndarray of shape (n,), uint64, optional
        Perceptual hashes, where near-duplicates are looked for. Of equal pixels, they must
        be equal.
    max_distance : int, default 0
        Largest number of differing bits of the perceptual hashes of near-duplicates.

    Notes
    -----
    An image is a near-duplicate of the *first* kept image within the distance (the leader
    rule), so that a chain of images, each like the one before, does not run together.
    """
    same_bytes, same_pixels = _first_of_its_kind(image_ids), _first_of_its_kind(pixels)
    itself = np.arange(len(same_pixels))
    kept = same_pixels
    if eyes is not None:
        distinct = np.flatnonzero(same_pixels == itself)
        leader = itself.copy()
        leader[distinct] = distinct[find_leaders(eyes[distinct], max_distance)]
        kept = leader[same_pixels]
    reason = np.full(len(kept), str(Reason.NEAR_DUPLICATE), dtype=object)
    reason[kept == same_pixels] = str(Reason.SAME_PIXELS)
    reason[kept == same_bytes] = str(Reason.SAME_BYTES)
    reason[kept == itself] = None
    return Duplicates(kept, reason)


def _first_of_its_kind(values: pd.Series[Any]) -> NDArray[np.int64]:
    """For each value the position where it comes first."""
    codes, distinct = pd.factorize(values)
    first = np.empty(len(distinct), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return np.asarray(first[codes])
