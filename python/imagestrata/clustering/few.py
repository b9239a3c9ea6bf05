"""Few groups: recognised before the iterations, which would cut them up."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .choose_k import search_curve
from .kmeans import Fit, kmeans
from .silhouette import silhouettes
from .vectors import Vectors

#: Numbers of groups that are tried, each at most a quarter of the images.
_NUMBERS = (2, 3, 4, 5, 6, 8, 10)

#: Images on which they are tried, and restarts of k-means.
_SAMPLE, _N_INIT = 1000, 5

#: Least mean silhouette of all images, and of those of each group.
_COHESIVE, _LEAST = 0.9, 0.5

#: The smallest number whose mean silhouette is this close to the best is taken.
_CLOSE = 0.01


def few_groups(vectors: Vectors, rng: np.random.Generator) -> tuple[Fit | None, pd.DataFrame]:
    """k-means of a sample with few clusters, if all images lie in cohesive ones.

    After the walk of the neighbourhood step the mean silhouette of two to ten groups is .93 to
    1, and at most .84 where there are many topics (see ``docs/defaults.md``). The second value
    is the search: K, and the mean silhouette.
    """
    n = min(_SAMPLE, len(vectors))
    sample = vectors.take(np.sort(rng.choice(len(vectors), n, replace=False)))
    fits: list[Fit] = []
    means: list[float] = []
    cohesive: list[bool] = []
    for k in _NUMBERS:
        if k > n // 4:
            break
        fit = kmeans(sample, k, rng, _N_INIT)
        scores = silhouettes(sample, fit.labels)
        _, codes, sizes = np.unique(fit.labels, return_inverse=True, return_counts=True)
        least = (np.bincount(codes, scores) / sizes).min()
        fits.append(fit)
        means.append(float(scores.mean()))
        cohesive.append(bool(means[-1] >= _COHESIVE and least >= _LEAST))
    best = max((mean for mean, good in zip(means, cohesive, strict=True) if good), default=np.inf)
    close = [good and mean >= best - _CLOSE for mean, good in zip(means, cohesive, strict=True)]
    kept = close.index(True) if any(close) else -1
    curve = search_curve([len(fit.centers) for fit in fits], means, kept)
    return (fits[kept] if any(close) else None), curve
