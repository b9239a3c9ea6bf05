"""Nearest neighbours of every row, by blocks of dot products.

scikit-learn's ``NearestNeighbors(algorithm="brute")`` takes up to 1.5 times as long (measured), and
which of several equally near rows it returns depends on the number of threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine import Engine
from ..rows import blocks, map_in_order

#: Rows whose dot products with all others are computed together.
_BLOCK = 128

#: Groups of columns whose maxima bound the dot product of the last neighbour.
_GROUPS = 32


def nearest_neighbors(
    rows: NDArray[np.floating],
    n_neighbors: int,
    engine: Engine | None = None,
    *,
    among: NDArray[np.floating] | None = None,
) -> NDArray[np.intp]:
    """The rows with the largest dot products, for every row.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        Of equal length, so that the largest dot product is the smallest angle.
    n_neighbors : int
        At most the number of rows that can be neighbours.
    engine : Engine, optional
    among : ndarray of shape (m, d), optional
        Rows that can be neighbours; by default the other rows.

    Returns
    -------
    ndarray of shape (n, n_neighbors)
        Numbers of rows, ascending in each row. Of equally near rows the first are taken.
    """
    others = rows if among is None else among
    n_groups = min(_GROUPS, len(others) // n_neighbors)
    width = len(others) // n_groups

    def find(block: slice) -> NDArray[np.intp]:
        products = rows[block] @ others.T
        here = np.arange(len(products))
        if among is None:
            products[here, here + block.start] = -np.inf
        # At least n_neighbors products reach the bound, and few others do.
        highest = products[:, :width].copy()
        for start in range(width, n_groups * width, width):
            np.maximum(highest, products[:, start : start + width], out=highest)
        bound = np.partition(highest, -n_neighbors, axis=1)[:, -n_neighbors, None]
        # Faster than np.nonzero().
        row, column = np.divmod(np.flatnonzero(products >= bound), len(others))
        counts = np.bincount(row)
        place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        few = np.full((len(products), counts.max()), -np.inf, dtype=products.dtype)
        few[row, place] = products[row, column]
        columns = np.zeros(few.shape, dtype=np.intp)
        columns[row, place] = column
        return columns[_largest(few, n_neighbors)].reshape(len(few), n_neighbors)

    return np.concatenate(list(map_in_order(engine, find, blocks(len(rows), _BLOCK))))


def _largest(values: NDArray[np.floating], n: int) -> NDArray[np.bool_]:
    """Mask of the n largest values of each row, the first of equal ones."""
    least = np.partition(values, -n, axis=1)[:, -n, None]
    above, equal = values > least, values == least
    missing = n - above.sum(axis=1, keepdims=True)
    equal &= np.cumsum(equal, axis=1) <= missing
    mask: NDArray[np.bool_] = above | equal
    return mask
