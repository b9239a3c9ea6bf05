"""A single k-means of all images: the baseline that iterative clustering is compared with."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..engine import Engine
from ..progress import Progress, track
from ..rows import Rows
from ..validate import check_int
from .base import ClusterEstimator, Memo, trace_table
from .kmeans import kmeans
from .silhouette import pick_measure, silhouettes
from .vectors import as_vectors


class SingleKMeans(ClusterEstimator):
    """K-means with a given number of clusters; no image is left over.

    Parameters
    ----------
    n_clusters : int, default 80
        Number of clusters; fewer are found where fewer vectors are distinct.
        (The paper saw little gain in fit beyond 80 and drew its pairs from them.)
    n_init, normalize, n_components, silhouette, exact, random_state
        See :class:`~imagestrata.clustering.iterative.IterativeKMeans`.

    Attributes
    ----------
    labels_, silhouettes_, iterations_, distances_, cluster_centers_, trace_, n_iter_
        As those of ``IterativeKMeans``, with one iteration.
    """

    def __init__(
        self,
        *,
        n_clusters: int = 80,
        n_init: int = 10,
        normalize: str | None = None,
        n_components: int | None = None,
        silhouette: str = "auto",
        exact: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.normalize = normalize
        self.n_components = n_components
        self.silhouette = silhouette
        self.exact = exact
        self.random_state = random_state

    def _check_arguments(self, shape: tuple[int, int] | None = None) -> None:
        super()._check_arguments(shape)
        check_int("n_clusters", self.n_clusters, minimum=1, maximum=shape[0] if shape else None)
        check_int("n_init", self.n_init, minimum=1)

    def _partition(
        self, X: Rows, seed: int, memo: Memo, progress: Progress, engine: Engine
    ) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp], pd.DataFrame]:
        start = time.perf_counter()
        with track(progress, "Clustering", len(X)) as advance:
            vectors = as_vectors(X, exact=self.exact, engine=engine)
            rng = np.random.default_rng([seed, 1])
            fit = kmeans(vectors, self.n_clusters, rng, self.n_init)
            _, labels = np.unique(fit.labels, return_inverse=True)
            scores = silhouettes(vectors, labels, pick_measure(self.silhouette, len(X)), rng)
            advance(len(X))
        k = int(labels.max()) + 1
        row = (1, len(X), k, k, len(X) / k, time.perf_counter() - start)
        return labels, scores, np.ones(len(X), dtype=np.intp), trace_table([row])
