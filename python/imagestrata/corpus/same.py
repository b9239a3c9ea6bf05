"""Decide which pictures have the same pixels, and decode again only those that may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..work import Failed
from .decode import decode, read_scanned
from .duplicates import pixel_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .pictures import File

#: Largest difference between mean colours of the same picture at two scales, in grey levels of
#: 255. Decoding at a lower scale keeps means, but for rounding and for values beyond 0 and 255
#: that are cut off before or after the mean is taken. Measured, at all scales: at most 2 levels in
#: 150 photographs, 5 in pages of text and 10 in noise at the lowest quality. (Only lines of one
#: pixel in a pure colour, with colours at half the resolution, differ by 50 levels.)
_TOLERANCE = 24


def same_pixels(
    looks: pd.DataFrame, compare: Callable[[Sequence[File]], Sequence[str | Failed]]
) -> pd.Series[Any]:
    """Return a key for each picture, which is the same for pictures with the same pixels.

    Parameters
    ----------
    looks : DataFrame
        Some columns of :data:`~imagestrata.corpus.look.LOOKS`, one row per distinct ``image_id``,
        without missing values except in ``pixels``. That column gets the hashes of the pictures
        that are compared.
    compare : callable
        Takes files; returns the result of :func:`hash_all_pixels` for each of them.
    """
    rows = np.flatnonzero(_may_be_same(looks) & looks["pixels"].isna())
    if len(rows):
        files = list(zip(looks["image_id"].iloc[rows], looks["path"].iloc[rows], strict=True))
        made = compare(files)
        # A file that has gone in the meantime equals no other one.
        found = [None if isinstance(one, Failed) else one for one in made]
        looks.loc[looks.index[rows], "pixels"] = found
    return looks["pixels"].fillna(looks["image_id"])


def hash_all_pixels(file: File) -> str:
    """Return the hash of all pixels of a scanned file, decoded in its full size."""
    return pixel_hash(decode(read_scanned(*file), truncated=True).exact)


def _may_be_same(looks: pd.DataFrame) -> NDArray[np.bool_]:
    """Return for each picture whether another one may have the same pixels."""
    lowered = looks["scale"].to_numpy() > 1
    # Pictures that were decoded in the same way have the same rows if they are the same.
    way = looks["scale"].astype(str).where(~lowered, looks["scale"].astype(str) + looks["format"])
    size = looks["width"].astype(str) + "x" + looks["height"].astype(str)
    found = np.array((size + " " + way + " " + looks["part"]).duplicated(keep=False))
    if lowered.any():
        ways = way.groupby(size).nunique()
        for _, rows in way.groupby(size.where(size.isin(ways.index[ways > 1]))).indices.items():
            found[rows] |= _near_in_another_way(looks["tints"].iloc[rows], way.iloc[rows])
    return found


def _near_in_another_way(tints: pd.Series[Any], way: pd.Series[Any]) -> NDArray[np.bool_]:
    """Return for each picture whether one that was decoded otherwise has about the same colours."""
    from scipy.spatial import KDTree

    colours = np.frombuffer(b"".join(tints), dtype=np.uint8).reshape(len(tints), -1)
    colours = colours.astype(np.float32)
    found = np.zeros(len(tints), dtype=bool)
    groups = [np.flatnonzero(way == one) for one in way.unique()]
    for here, there in permutations(groups, 2):
        tree = KDTree(colours[there])
        distance, _ = tree.query(colours[here], p=np.inf, distance_upper_bound=_TOLERANCE + 0.5)
        found[here] |= np.isfinite(distance)
    return found
