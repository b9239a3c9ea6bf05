"""Which clusters of a fit are cohesive and leave."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def cohesive_clusters(
    means: NDArray[np.float64], sizes: NDArray[Any], *, threshold: float, share: float
) -> NDArray[np.bool_]:
    """Mask of the clusters that leave.

    Parameters
    ----------
    means : ndarray of shape (k,)
        Mean silhouette of each cluster.
    sizes : ndarray of shape (k,)
        Images in each cluster.
    threshold : float
        Only clusters with a higher mean silhouette leave (the paper's rule).
    share : float
        The most cohesive leave first, while together they hold at most this
        share of the images; the most cohesive one may always leave.
    """
    order = np.argsort(-means, kind="stable")
    within = np.cumsum(sizes[order]) <= share * sizes.sum()
    within[0] = True
    leaves = np.zeros(len(means), dtype=bool)
    leaves[order[within]] = True
    return leaves & (means > threshold)
