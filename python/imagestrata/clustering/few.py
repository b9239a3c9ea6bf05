"""Few groups: recognised before the iterations, which would cut them up."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .choose_k import search_curve
from .kmeans import Fit, kmeans
from .silhouette import silhouettes
from .vectors import Vectors

#: The largest number of groups that is tried, at most a quarter of the images.
_MOST = 20

#: Images on which they are tried, and restarts of k-means.
_SAMPLE, _N_INIT = 1000, 5

#: Least mean silhouette of all images, and of those of each group.
_COHESIVE, _LEAST = 0.9, 0.5


def few_groups(vectors: Vectors, rng: np.random.Generator) -> tuple[Fit | None, pd.DataFrame]:
    """k-means of a sample with few clusters, if all images lie in cohesive ones.

    Of the numbers with cohesive clusters, the one with the highest mean silhouette is taken,
    unless it is the largest that was tried: then there may be more groups. The second value is
    the search: K, and the mean silhouette (``search_curve()``). ``docs/defaults.md`` has the
    evidence for the numbers above.
    """
    n = min(_SAMPLE, len(vectors))
    sample = vectors.take(np.sort(rng.choice(len(vectors), n, replace=False)))
    fits = [kmeans(sample, k, rng, _N_INIT) for k in range(2, min(_MOST, n // 4) + 1)]
    scores = [silhouettes(sample, fit.labels) for fit in fits]
    means = [float(each.mean()) for each in scores]
    cohesive = [
        mean if mean >= _COHESIVE and _least(each, fit) >= _LEAST else 0.0
        for mean, each, fit in zip(means, scores, fits, strict=True)
    ]
    best = int(np.argmax(cohesive)) if any(cohesive) else -1
    kept = best if best < len(fits) - 1 else -1
    curve = search_curve([len(fit.centers) for fit in fits], means, kept)
    return (fits[kept] if kept >= 0 else None), curve


def _least(scores: NDArray[np.float64], fit: Fit) -> float:
    """The smallest mean silhouette of a cluster."""
    _, codes, sizes = np.unique(fit.labels, return_inverse=True, return_counts=True)
    return float((np.bincount(codes, scores) / sizes).min())
