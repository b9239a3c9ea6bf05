"""Nearest neighbours of every row, by blocks of dot products."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine import Engine
from ..rows import blocks, map_in_order

#: Rows whose dot products with all others are computed together.
_BLOCK = 1024


def nearest_neighbors(
    rows: NDArray[np.floating], n_neighbors: int, engine: Engine | None = None
) -> NDArray[np.intp]:
    """The other rows with the largest dot products, for every row.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        Of equal length, so that the largest dot product is the smallest angle.
    n_neighbors : int
        Less than n.
    engine : Engine, optional

    Returns
    -------
    ndarray of shape (n, n_neighbors)
        Numbers of rows, ascending in each row. Of equally near rows the first are taken.
    """

    def find(block: slice) -> NDArray[np.intp]:
        products = rows[block] @ rows.T
        here = np.arange(len(products))
        products[here, here + block.start] = -np.inf
        least = np.partition(products, -n_neighbors, axis=1)[:, -n_neighbors, None]
        above, equal = products > least, products == least
        missing = n_neighbors - above.sum(axis=1, keepdims=True)
        tied = equal.sum(axis=1) > missing[:, 0]
        equal[tied] &= np.cumsum(equal[tied], axis=1) <= missing[tied]
        return np.nonzero(above | equal)[1].reshape(len(products), n_neighbors)

    here = None if engine is None or engine.remote else engine
    return np.concatenate(list(map_in_order(here, find, blocks(len(rows), _BLOCK))))
