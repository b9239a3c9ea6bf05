"""Selection of the images of a large corpus that a page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def thin_out(
    clusters: pd.Series[int], always: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int64], int | None]:
    """Rows to show: all, or the most typical of each cluster and a random sample of the others.

    Parameters
    ----------
    clusters : Series of int, shape (n,)
        The cluster of each image, the most typical of each cluster first.
    always : ndarray of int
        Rows that are shown in any case.
    most : int
        Number of rows, unless clusters and ``always`` are more.

    Returns
    -------
    rows : ndarray of int
        In ascending order.
    n_typical : int or None
        Number of typical images of each cluster: half of ``most``, divided equally among
        clusters. None if all images are shown.

    Notes
    -----
    The other half is a simple random sample of all other images with a fixed seed, so that
    a map shows which regions are dense.
    """
    n = len(clusters)
    if n <= most:
        return np.arange(n), None
    n_typical = _cap(np.asarray(clusters.value_counts(), dtype=np.int64), most // 2)
    shown = clusters.groupby(clusters).cumcount().to_numpy() < n_typical
    shown[always] = True
    others = np.flatnonzero(~shown)
    room = max(0, most - (n - len(others)))
    shown[np.random.default_rng(0).choice(others, size=room, replace=False)] = True
    return np.flatnonzero(shown), n_typical


def _cap(sizes: NDArray[np.int64], most: int) -> int:
    """The largest number per cluster, at least 1, that gives at most ``most`` in total."""
    ordered = np.sort(sizes)
    before = np.cumsum(ordered) - ordered  # rows of the clusters that are taken whole
    fitting = (most - before) // np.arange(len(ordered), 0, -1)
    whole = np.flatnonzero(fitting < ordered)
    return max(1, int(fitting[whole[0]]) if len(whole) else int(ordered[-1]))
