"""Find duplicates: images with the same bytes, the same pixels, or a similar appearance."""

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

#: Largest distance allowed. Perceptual hashes of unrelated pictures differ in about 32 of 64
#: bits. Distances above 10 match pictures that are merely similar, and the search is slow.
MAX_DISTANCE = 10

_ROWS_AT_ONCE = 64


class Duplicates(NamedTuple):
    """The result for each image: kept, or a duplicate of another image."""

    #: Position of the image that is kept: its own, or that of the image it duplicates.
    kept: NDArray[np.int64]
    #: Reason why it is a duplicate, as text; None if it is kept.
    reason: NDArray[np.object_]


def pixel_hash(exact: Image.Image | NDArray[Any], n_rows: int | None = None) -> str:
    """Return a hash of size and pixels, 20 hexadecimal digits, that ignores the file format.

    Parameters
    ----------
    exact : PIL.Image.Image or ndarray
        The exact picture from :func:`~imagestrata.corpus.decode.decode`. Equal pictures have
        the same values in full depth and the same transparency, including the colours of
        transparent pixels.
    n_rows : int, optional
        Hash only about so many rows, evenly spread. By default all of them.
    """
    height = exact.height if isinstance(exact, Image.Image) else len(exact)
    step = 1 if n_rows is None else max(1, height // n_rows)
    n = height // step
    if not isinstance(exact, Image.Image):
        exact = exact[step // 2 :: step][:n]
        colours = exact[:, :, :3] if exact.ndim == 3 else exact
        if colours.shape[2:] == (3,) and (colours == colours[:, :, :1]).all():  # grey
            exact = np.squeeze(np.delete(exact, [1, 2], axis=2))
        digest = hashlib.sha256(f"{height} {exact.shape} {exact.dtype}".encode())
        digest.update(np.ascontiguousarray(exact).data)
        return digest.hexdigest()[:20]
    layered = exact.has_transparency_data
    mode = "RGBA" if layered else exact.mode
    width = exact.width
    digest = hashlib.sha256(f"{width} {height} {mode}".encode())
    if step > 1:
        exact = exact.resize((width, n), Image.Resampling.NEAREST, box=(0, 0, width, n * step))
    for top in range(0, n, _ROWS_AT_ONCE):  # small copies stay in the processor's cache
        strip = exact.crop((0, top, width, min(top + _ROWS_AT_ONCE, n)))
        digest.update((rgba(strip) if layered else strip).tobytes())
    return digest.hexdigest()[:20]


def eye_hash(image: Image.Image) -> int:
    """Return which of the 64 lowest frequencies of the grey picture are above their median.

    The bits are those of ImageHash's ``phash``.
    """
    from scipy.fft import dct

    grey = image.convert("L").resize((32, 32), Image.Resampling.LANCZOS)
    lowest = dct(dct(np.asarray(grey), axis=0), axis=1)[:8, :8]
    return int.from_bytes(np.packbits(lowest > np.median(lowest)).tobytes())


def find_duplicates(
    image_ids: pd.Series[str],
    pixels: pd.Series[str],
    eyes: NDArray[np.uint64] | None = None,
    max_distance: int = 0,
) -> Duplicates:
    """Return for each image the earlier one that it duplicates, and the reason.

    Parameters
    ----------
    image_ids, pixels : Series of str
        Hashes of the bytes and of the pixels, in the order of the images. The first of equal
        images is kept. Images with equal bytes must have equal pixels.
    eyes : ndarray of shape (n,), uint64, optional
        Perceptual hashes, to find near-duplicates. Images with equal pixels must have equal
        ones.
    max_distance : int, default 0
        Largest number of bits in which the perceptual hashes of near-duplicates differ.

    Notes
    -----
    An image is a near-duplicate of the *first* kept image within the distance (the leader
    rule). A chain of images, each similar to the one before, is therefore not merged.
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
    """Return for each value the position of its first occurrence."""
    codes, distinct = pd.factorize(values)
    first = np.empty(len(distinct), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return np.asarray(first[codes])
