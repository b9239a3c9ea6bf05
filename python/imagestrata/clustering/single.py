"""A single k-means of all images: the baseline for iterative clustering."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..engine import Engine
from ..progress import Progress, track
from ..rows import Rows
from ..validate import check_int
from .base import ClusterEstimator, Partition, TableCache, single_partition
from .kmeans import kmeans
from .silhouette import pick_measure, silhouettes
from .vectors import as_vectors


class SingleKMeans(ClusterEstimator):
    """K-means with a given number of clusters and without a residual.

    Parameters
    ----------
    n_clusters : int, default 80
        Number of clusters. Fewer are found if fewer vectors are distinct. (In the paper the
        fit improves little beyond 80 clusters, and its pairs are drawn from 80.)
    n_init : int, default 10
        Restarts of k-means. They are compared on a subset of the images, which
        takes little time.
    neighbors : int, "auto" or None, default None
        Neighbours of each image in the neighbourhood step, whose vectors are clustered
        (see :class:`~imagestrata.IterativeKMeans`). By default the vectors themselves are.
    normalize : {"l2"}, optional
        Scale vectors to length one first, so that distances depend on angles only. With
        ``neighbors`` they always are.
    n_components : int, optional
        Use this number of principal components instead of the vectors. With ``neighbors``,
        the components in which neighbours are found; by default 128.
    silhouette : {"auto", "exact", "sampled", "squared"}, default "auto"
        How silhouettes are computed: from all pairs of images, from at most 128
        images of each cluster, or from squared distances; see
        :class:`~imagestrata.IterativeKMeans`. "auto" is "exact" up to 50,000
        images and "sampled" beyond.
    exact : bool, default False
        Compute with whole numbers in float64 instead of float32. The labels are then
        the same on any machine with the same versions of numpy, scipy and
        scikit-learn. This takes about twice the time. See :mod:`imagestrata.clustering.vectors`.
    random_state : int, RandomState instance or None, default None
        Seed of all random draws.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each image from 0, largest first, ties by first image.
    silhouettes_ : ndarray of shape (n_samples,)
        Silhouette of each image.
    iterations_ : ndarray of shape (n_samples,)
        1 for every image.
    distances_ : ndarray of shape (n_samples,)
        Euclidean distance to the centroid of its cluster.
    second_labels_ : ndarray of shape (n_samples,)
        The cluster with the nearest of the other centroids; -1 if there is none.
    margins_ : ndarray of shape (n_samples,)
        (d2 - d1) / max(d1, d2), with the distances d1 to the centroid of its cluster and d2 to
        that of the second-best one. NaN if there is one cluster.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Mean vector of each cluster (of the normalised vectors, with ``normalize``).
    trace_ : DataFrame
        One row: iteration, n_remaining (all images), k and n_cohesive (clusters
        found), mean_size (of these), seconds.
    n_iter_ : int
        Always 1; the iterations of Lloyd's algorithm are not counted.
    n_features_in_ : int
        Width of the vectors.

    See Also
    --------
    imagestrata.IterativeKMeans : Only cohesive clusters leave; the rest is clustered again.

    References
    ----------
    Arthur, D. and Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding.
    Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms, 1027-1035.

    Lloyd, S. P. (1982). Least squares quantization in PCM. IEEE Transactions on
    Information Theory 28(2), 129-137.

    Examples
    --------
    >>> import numpy as np
    >>> from imagestrata import SingleKMeans
    >>> X = np.repeat(np.eye(4) * 9, 30, axis=0)
    >>> X += np.random.default_rng(0).normal(size=X.shape)
    >>> model = SingleKMeans(n_clusters=4, random_state=0).fit(X)
    >>> np.bincount(model.labels_).tolist()
    [30, 30, 30, 30]
    """

    def __init__(
        self,
        *,
        n_clusters: int = 80,
        n_init: int = 10,
        neighbors: int | str | None = None,
        normalize: str | None = None,
        n_components: int | None = None,
        silhouette: str = "auto",
        exact: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.neighbors = neighbors
        self.normalize = normalize
        self.n_components = n_components
        self.silhouette = silhouette
        self.exact = exact
        self.random_state = random_state

    def check_arguments(self, shape: tuple[int, int] | None = None) -> None:
        super().check_arguments(shape)
        check_int("n_clusters", self.n_clusters, minimum=1, maximum=shape[0] if shape else None)
        check_int("n_init", self.n_init, minimum=1)

    def _partition(
        self, X: Rows, seed: int, cached: TableCache, progress: Progress, engine: Engine
    ) -> Partition:
        start = time.perf_counter()
        with track(progress, "Clustering", len(X)) as advance:
            vectors = as_vectors(X, exact=self.exact, engine=engine)
            rng = np.random.default_rng([seed, 1])
            fit = kmeans(vectors, self.n_clusters, rng, self.n_init)
            _, labels = np.unique(fit.labels, return_inverse=True)
            scores = silhouettes(vectors, labels, pick_measure(self.silhouette, len(X)), rng)
            advance(len(X))
        return single_partition(labels, scores, start)
