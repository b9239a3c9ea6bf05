"""Criteria for the goodness of fit of a k-means partition; larger is always better.

A new criterion is one small function and one line of :data:`CRITERIA`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .kmeans import Fit
from .silhouette import silhouettes
from .vectors import Vectors


def explained_variance(vectors: Vectors, fit: Fit) -> float:
    """Share of the total sum of squares that is between clusters."""
    total = _total(vectors)
    return 1 - fit.inertia / total if total else 1.0


def inertia(vectors: Vectors, fit: Fit) -> float:
    """Within-cluster sum of squares, negated; in the units of the vectors."""
    return -fit.inertia / vectors.scale**2


def silhouette(vectors: Vectors, fit: Fit) -> float:
    """Mean silhouette (Rousseeuw 1987)."""
    return float(silhouettes(vectors, fit.labels).mean())


def cohesion(vectors: Vectors, fit: Fit) -> float:
    """Mean silhouette of the more cohesive half of the images.

    Clusters count in the order of their mean silhouettes, the last one in part.
    The criterion measures whether some clusters are cohesive enough to leave, not
    whether the remaining images form clusters as well.
    """
    scores = silhouettes(vectors, fit.labels)
    _, codes, sizes = np.unique(fit.labels, return_inverse=True, return_counts=True)
    means = np.bincount(codes, scores) / sizes
    order = np.argsort(-means, kind="stable")
    half = len(vectors) / 2
    before = np.cumsum(sizes[order]) - sizes[order]
    counted = np.clip(half - before, 0, sizes[order])
    return float(means[order] @ counted) / half


def calinski_harabasz(vectors: Vectors, fit: Fit) -> float:
    """Variance ratio of Calinski and Harabasz (1974)."""
    n, k = len(vectors), len(np.unique(fit.labels))
    if k < 2 or k == n or not fit.inertia:
        return 1.0
    between = _total(vectors) - fit.inertia
    return between / fit.inertia * (n - k) / (k - 1)


def davies_bouldin(vectors: Vectors, fit: Fit) -> float:
    """Mean, over clusters, of the worst ratio of spread to separation (1979), negated."""
    used, codes, sizes = np.unique(fit.labels, return_inverse=True, return_counts=True)
    spread = np.bincount(codes, np.sqrt(fit.square_distances)) / sizes
    centers = fit.centers[used].astype(np.float64)
    differences = centers[:, None] - centers
    separation = np.sqrt(np.einsum("ijd,ijd->ij", differences, differences))
    np.fill_diagonal(separation, np.inf)
    ratios = (spread[:, None] + spread) / np.maximum(separation, np.finfo(float).tiny)
    return -float(ratios.max(axis=1).mean())


def _total(vectors: Vectors) -> float:
    """Sum of squares about the mean of all vectors."""
    mean = np.asarray(vectors.rows).mean(axis=0, dtype=np.float64)
    norms = float(vectors.square_norms.sum(dtype=np.float64))
    return max(norms - len(vectors) * float(mean @ mean), 0.0)


#: Name -> function of the vectors and a fit.
CRITERIA: dict[str, Callable[[Vectors, Fit], float]] = {
    "cohesion": cohesion,
    "explained_variance": explained_variance,
    "inertia": inertia,
    "silhouette": silhouette,
    "calinski_harabasz": calinski_harabasz,
    "davies_bouldin": davies_bouldin,
}
