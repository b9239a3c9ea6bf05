"""HDBSCAN: clusters are dense groups of images; images between them are noise."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..embeddings.reduce import principal_components
from ..engine import Engine
from ..errors import plural
from ..extras import require
from ..progress import Progress, track
from ..rows import Rows
from ..validate import check_choice, check_int
from ..wording import arg
from .base import (
    ClusterEstimator,
    Partition,
    TableCache,
    centroids,
    inner_silhouettes,
    nearest_centroids,
    single_partition,
)
from .neighborhoods import N_NEIGHBORS, neighborhood_rows

#: Principal components of the vectors after the walk, and the distance below which clusters stay
#: together. Evidence: ``docs/density.md``.
_N_COMPONENTS, _TOGETHER = 16, 0.15

#: Smallest size of a cluster without the neighbourhood step: the best in the study.
_STUDY_SIZE = 50

#: Treatments of noise.
NOISE = ("keep", "nearest")


class DensityClustering(ClusterEstimator):
    """Clusters by density (HDBSCAN), with noise between them.

    In vectors with many dimensions distances are uninformative, and most images become
    noise. The neighbourhood step mends that (see Notes); with ``neighbors=None`` reduce
    embeddings first, with :func:`imagestrata.reduce_embeddings` and UMAP. The estimator needs
    the package hdbscan: ``pip install 'imagestrata[density]'``.

    Parameters
    ----------
    min_cluster_size : int, optional
        Smallest number of images that form a cluster. By default it follows the number n of
        images: the square root of n, divided by 12, and at least 5, so 5 up to 4,000 images
        and 26 of 100,000. Without the neighbourhood step it is 50. (The study from which this
        method is taken tried 50, 100 and 200, and found 50 best; see ``docs/density.md`` and
        :func:`imagestrata.sweep_clusters`.)
    min_samples : int, optional
        Number of near neighbours that an image needs to count as densely surrounded; larger
        values give more noise. At most the number of images less one. By default equal to
        ``min_cluster_size``, the default of the library.
    selection : {"eom", "leaf"}, default "eom"
        Clusters taken from the hierarchy: those that persist longest ("eom"), or the
        smallest ones ("leaf"), which are more numerous and more even in size.
    noise : {"keep", "nearest"}, default "keep"
        "keep": images in no cluster are residual (label -1). "nearest": each of them is
        assigned to the cluster with the nearest centroid (the mean of its dense images) of
        the vectors that are clustered, and marked in ``assigned_``.
    neighbors : int, "auto" or None, default "auto"
        Neighbours of each image in the neighbourhood step (see Notes), whose vectors are
        clustered. "auto" is 15 (below 300 images a twentieth of them, at least 4), and None
        for vectors of fewer than 10 dimensions. None clusters the vectors themselves.
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
    random_state : int, RandomState instance or None, default None
        Seed of the principal components. HDBSCAN itself is deterministic.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each image from 0, largest first, ties by first image; -1 for noise.
        Noise that is assigned counts towards the size of its cluster.
    silhouettes_ : ndarray of shape (n_samples,)
        Against the other images in clusters; NaN for noise.
    iterations_ : ndarray of shape (n_samples,)
        1; 0 for noise.
    distances_ : ndarray of shape (n_samples,)
        Euclidean distance to the centroid of its cluster; NaN for noise.
    second_labels_ : ndarray of shape (n_samples,)
        The cluster with the nearest of the other centroids; of all centroids for noise;
        -1 if there is none.
    margins_ : ndarray of shape (n_samples,)
        (d2 - d1) / max(d1, d2), with the distances d1 to the centroid of its cluster and d2 to
        that of the second-best one. NaN for noise and if there is one cluster.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Mean vector of each cluster, assigned noise included (of the normalised vectors,
        with ``normalize``).
    probabilities_ : ndarray of shape (n_samples,)
        Strength of membership in the cluster: 1 in its densest part, 0 for noise,
        whether assigned or not.
    outlier_scores_ : ndarray of shape (n_samples,)
        How much less dense the surroundings of an image are than the densest part of the
        nearest cluster, from 0 to 1 (GLOSH; Campello and others 2015); NaN if there are
        fewer than ``min_cluster_size`` images.
    min_cluster_size_ : int
        Smallest number of images that formed a cluster.
    assigned_ : ndarray of shape (n_samples,), bool
        Whether an image was noise and is assigned to the nearest cluster.
    trace_ : DataFrame
        One row: iteration, n_remaining (all images), k and n_cohesive (clusters
        found), mean_size (of these), seconds.
    n_iter_ : int
        Always 1.
    n_features_in_ : int
        Width of the vectors.

    See Also
    --------
    imagestrata.IterativeKMeans : Cohesive clusters leave; the rest is clustered again.

    Notes
    -----
    The neighbourhood step is that of :class:`~imagestrata.IterativeKMeans`, with 8 means
    instead of up to 64: further ones pull groups into points, whose density has no bound.
    HDBSCAN then takes the first 16 principal components of the vectors of length one, and
    keeps clusters together that are closer than .15 (``cluster_selection_epsilon`` of the
    library; Malzer and Baum 2020). Without this distance it cuts dense groups into their
    densest parts.

    References
    ----------
    Campello, R. J. G. B., Moulavi, D. and Sander, J. (2013). Density-based clustering based
    on hierarchical density estimates. Advances in Knowledge Discovery and Data Mining
    (PAKDD), 160-172.

    Campello, R. J. G. B., Moulavi, D., Zimek, A. and Sander, J. (2015). Hierarchical density
    estimates for data clustering, visualization, and outlier detection. ACM Transactions on
    Knowledge Discovery from Data 10(1), 5.

    Malzer, C. and Baum, M. (2020). A hybrid approach to hierarchical density-based cluster
    selection. IEEE International Conference on Multisensor Fusion and Integration for
    Intelligent Systems (MFI), 223-228.

    Examples
    --------
    >>> import numpy as np
    >>> from imagestrata import DensityClustering
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> X[:40] += 20
    >>> X = np.vstack([X, [[100, 100]]])
    >>> model = DensityClustering(min_cluster_size=10, neighbors=None).fit(X)
    >>> np.unique(model.labels_, return_counts=True)[1].tolist()
    [1, 40, 20]
    """

    after_fit = ("noise",)

    def __init__(
        self,
        *,
        min_cluster_size: int | None = None,
        min_samples: int | None = None,
        selection: str = "eom",
        noise: str = "keep",
        neighbors: int | str | None = "auto",
        normalize: str | None = None,
        n_components: int | None = None,
        silhouette: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.selection = selection
        self.noise = noise
        self.neighbors = neighbors
        self.normalize = normalize
        self.n_components = n_components
        self.silhouette = silhouette
        self.random_state = random_state

    def image_columns(self) -> dict[str, NDArray[Any]]:
        return {
            "probability": self.probabilities_,
            "outlier_score": self.outlier_scores_,
            "assigned": self.assigned_,
        }

    def decided(self) -> dict[str, Any]:
        return super().decided() | {"min_cluster_size": self.min_cluster_size_}

    def space(self, X: Rows, seed: int, engine: Engine | None = None) -> Rows:
        n_neighbors = self.n_neighbors(X.shape)
        if n_neighbors is None:
            return super().space(X, seed, engine)
        moved = neighborhood_rows(X, n_neighbors, self.n_components, short=True, engine=engine)
        rows = np.asarray(moved)
        if not rows.any():  # all in one place
            return moved
        return Rows(principal_components(rows, min(_N_COMPONENTS, *rows.shape), 0)[0])

    def why_no_cluster(self, n: int) -> str:
        size = self.min_cluster_size_
        if n < size:
            return (
                f"{plural(n, 'image is', 'images are')} fewer than {arg('min_cluster_size')} "
                f"({size})"
            )
        if not self.has_groups_:
            return super().why_no_cluster(n)
        smaller = f"a smaller {arg('min_cluster_size')} or {arg('min_samples')}"
        if self.neighbors_ is None:
            step = f"{arg('neighbors', N_NEIGHBORS)} with vectors that are not reduced"
            smaller = f"{step}, or {smaller}"
        return (
            f"there are no two groups of {plural(size, 'image')} or more "
            f"({arg('min_cluster_size')}) that are dense and separate. Try {smaller}"
        )

    def smallest(self, n: int, step: bool) -> int:
        """Smallest number of images in a cluster of n, with or without the neighbourhood step."""
        if self.min_cluster_size is not None:
            return int(self.min_cluster_size)
        return max(5, round(math.sqrt(n) / 12)) if step else _STUDY_SIZE

    def check_arguments(self, shape: tuple[int, int] | None = None) -> None:
        super().check_arguments(shape)
        if self.min_cluster_size is not None:
            check_int("min_cluster_size", self.min_cluster_size, minimum=2)
        if self.min_samples is not None:
            # If there are too few neighbours, the library silently uses fewer.
            most = None
            if shape and shape[0] >= self.smallest(shape[0], self.n_neighbors(shape) is not None):
                most = shape[0] - 1
            check_int("min_samples", self.min_samples, minimum=1, maximum=most)
        check_choice("selection", self.selection, ["eom", "leaf"])
        check_choice("noise", self.noise, NOISE)
        require("hdbscan", "density", 'The method "hdbscan"')

    def _partition(
        self, X: Rows, seed: int, cached: TableCache, progress: Progress, engine: Engine
    ) -> Partition:
        start = time.perf_counter()
        n = len(X)
        self.min_cluster_size_ = self.smallest(n, self.neighbors_ is not None)
        with track(progress, "Clustering", n) as advance:
            fit = cached("density", partial(self._fit_density, X))
            labels: NDArray[np.intp] = fit["label"].to_numpy(dtype=np.intp)
            k = int(labels.max()) + 1
            self.probabilities_ = fit["probability"].to_numpy(dtype=np.float64)
            self.outlier_scores_ = fit["outlier_score"].to_numpy(dtype=np.float64)
            self.assigned_ = (labels == -1) & (k > 0) & (self.noise == "nearest")
            if self.assigned_.any():
                labels = labels.copy()
                centers = centroids(X, labels, k)
                labels[self.assigned_] = nearest_centroids(X.select(self.assigned_), centers)
            scores = inner_silhouettes(X, labels, self.silhouette, engine)
            advance(n)
        return single_partition(labels, scores, start)

    def _fit_density(self, X: Rows) -> pd.DataFrame:
        """Label, probability and outlier score of each row by HDBSCAN."""
        n = len(X)
        if n < self.min_cluster_size_:
            return pd.DataFrame({"label": -1, "probability": 0.0, "outlier_score": [np.nan] * n})
        import hdbscan

        fit = hdbscan.HDBSCAN(
            min_cluster_size=self.min_cluster_size_,
            min_samples=None if self.min_samples is None else int(self.min_samples),
            cluster_selection_method=self.selection,
            cluster_selection_epsilon=0.0 if self.neighbors_ is None else _TOGETHER,
            # Several jobs are processes, and would start another R if R runs this Python.
            core_dist_n_jobs=1,
        )
        # The library refuses an array that cannot be written to, though it writes nothing.
        fit.fit(np.require(np.asarray(X), np.float64, ["C", "W"]))
        return pd.DataFrame(
            {
                "label": fit.labels_,
                "probability": fit.probabilities_,
                "outlier_score": fit.outlier_scores_,
            }
        )
