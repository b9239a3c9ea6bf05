"""Iterative clustering: cohesive clusters leave, the other images are clustered again."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..engine import Engine
from ..errors import ImagestrataError
from ..progress import Progress, track
from ..rows import Rows
from ..validate import check_choice, check_float, check_int
from ..wording import arg, quote
from .base import (
    SEARCHED,
    ClusterEstimator,
    Partition,
    TableCache,
    digest,
    search_table,
    trace_table,
)
from .choose_k import search_curve, search_k
from .criteria import CRITERIA
from .few import few_groups
from .kmeans import Fit, kmeans
from .neighborhoods import chosen_neighborhood_rows
from .silhouette import pick_measure, silhouettes
from .vectors import Vectors, as_vectors

#: Starts of the iterations with ``neighbors``, of which the one with the highest mean silhouette is
#: kept, and fewer of them for more images than this, which take longer. They are then compared by
#: silhouettes of squared distances.
N_STARTS = 5
MANY, FEWER_STARTS = 10_000, 3


class IterativeKMeans(ClusterEstimator):
    """Iterative k-means clustering of images.

    Each iteration works on the images that remain: it chooses the number of clusters on a
    sample, fits k-means to all of them, and removes the clusters with a high mean
    silhouette. It stops when few images remain or no cluster leaves any more. The images
    that remain are the residual, labelled -1.

    Parameters
    ----------
    k : int, optional
        Number of clusters fitted in every iteration, at most half the number of
        images; when fewer than ``2 * k`` images remain, half of their number.
        By default the number is searched in each iteration.
    sample_size : int, default 1000
        Number of images drawn for the search (the paper).
    step_size : int, default 5
        First number and step of the search (the paper: 3 or 5); at most ``k_max``.
    converge_window : int, default 3
        The search stops when the mean goodness of fit of the last
        ``converge_window`` fits no longer exceeds that of the same number of fits before
        them (the paper: 3). The best fit is kept.
    k_criterion : str, default "cohesion"
        Goodness of fit: "cohesion" (mean silhouette of the more cohesive half of
        the images), "silhouette", "explained_variance", "inertia",
        "calinski_harabasz" or "davies_bouldin", see
        :mod:`imagestrata.clustering.criteria`. The paper does not name its own.
    k_tolerance : float, default 0
        Relative improvement per added cluster up to which the fit counts as not
        improved. Explained variance and inertia always improve and need a positive
        value.
    k_max : int or "sample", optional
        Largest number searched, up to ``sample_size``; "sample" searches up to
        the number of images in the sample, as in the paper. The search never exceeds
        the number of images that remain. By default ``k_max`` is a fiftieth of
        ``sample_size`` (20), or ``step_size`` if that is larger, and at most
        a third of the images in the sample.
    similarity_threshold : float, default 0
        Mean silhouette above which a cluster is cohesive (the paper: .03; its
        prose has .4 and its pseudo-code .04).
    release_share : float, default 0.2
        Largest share of the remaining images that leaves in one iteration. The most
        cohesive clusters leave first; the others are clustered again with the
        remaining images. With 1, as in the paper, all cohesive clusters leave.
    stop_size : int, default 20
        Stop when fewer images remain (the paper).
    patience : int, default 3
        Stop after this number of consecutive iterations without a cohesive cluster.
    n_init : int, default 10
        Restarts of k-means. They are compared on a subset of the images, which
        takes little time.
    neighbors : int, "auto" or None, default "auto"
        Neighbours of each image in the neighbourhood step (see Notes), which moves vectors of
        length one towards those of their neighbours. "auto" is 15, and below 3,750 images a
        250th of them, at least 5, unless 15 (below 300 images a twentieth of them, at least
        4) show few groups, or none clearly; None for vectors of fewer than 10 dimensions,
        whose distances say more than their angles. None clusters the vectors themselves, as
        in the paper.
    normalize : {"l2"}, optional
        Scale vectors to length one first, so that distances depend on angles only. With
        ``neighbors`` they always are.
    n_components : int, optional
        Use this number of principal components instead of the vectors. With ``neighbors``,
        the components in which neighbours are found; by default 128.
    silhouette : {"auto", "exact", "sampled", "squared"}, default "auto"
        "exact" compares every image with every other, in quadratic time. "sampled"
        compares every image with at most 128 images drawn from each cluster and
        estimates the same silhouettes in linear time. "squared" computes the exact
        silhouettes of *squared* Euclidean distances, which are larger, in linear time.
        "auto" is "exact" up to 50,000 images and "sampled" beyond.
    exact : bool, default False
        Compute with whole numbers in float64 instead of float32. The labels are then
        the same on any machine with the same versions of numpy, scipy and
        scikit-learn. This takes about twice the time. See :mod:`imagestrata.clustering.vectors`.
    random_state : int, RandomState instance or None, default None
        Seed of all random draws; each iteration has its own random stream.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each image from 0, largest first, ties by first image; -1 for
        the residual.
    silhouettes_ : ndarray of shape (n_samples,)
        Silhouette in the iteration in which the image left, among the images that
        remained then; for the residual, in the last iteration (NaN if there was none).
    iterations_ : ndarray of shape (n_samples,)
        Iteration, from 1, in which the image left; 0 for the residual.
    distances_ : ndarray of shape (n_samples,)
        Euclidean distance to the centroid of its cluster; NaN for the residual.
    second_labels_ : ndarray of shape (n_samples,)
        The cluster with the nearest of the other centroids; of all centroids for the residual;
        -1 if there is none.
    margins_ : ndarray of shape (n_samples,)
        (d2 - d1) / max(d1, d2), with the distances d1 to the centroid of its cluster and d2 to
        that of the second-best one. NaN for the residual and if there is one cluster.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Mean vector of each cluster (of vectors of length one, with ``neighbors`` or
        ``normalize``).
    neighbors_ : int or None
        Neighbours of each image in the neighbourhood step; None if there was none.
    has_groups_ : bool
        Whether the neighbourhood step found any groups; True if there was none.
    trace_ : DataFrame
        One row per iteration: iteration, n_remaining (before it), k (clusters
        fitted), n_cohesive (that left), mean_size (of these), seconds.
    searches_ : DataFrame
        The search for the number of clusters: iteration, k, fit (larger is better: inertia and
        Davies-Bouldin are negated), kept, criterion. One row per number tried on the sample of
        the iteration; no rows with a given ``k``. The criterion is ``k_criterion``, or
        "silhouette" if few groups were found (see Notes).
    n_iter_ : int
        Number of iterations.
    n_features_in_ : int
        Width of the vectors.

    Notes
    -----
    The method is that of the paper on iterative image clustering, whose Figure 3 gives it
    as pseudo-code. Where the paper is silent, ``docs/clustering.md`` lists our decisions.

    With the neighbourhood step (``neighbors``), vectors of length one are reduced to 128
    principal components and scaled to length one again. Each image is linked to its nearest
    neighbours and to those whose neighbour it is; a link weighs as much as the two
    neighbourhoods have in common. 64 times, every vector becomes the weighted mean of itself
    and of those it is linked to; 8 times, if the rest would leave less than .4 of the sum of
    squares and shows no few groups. If linked images share no more neighbours than random
    vectors do, no cluster is found. If k-means with 2 to 19 clusters puts a sample into
    clusters with a mean silhouette of at least .9, and each of at least .5, the number with
    the highest mean is taken for all images, unless 20 clusters have a higher one. Otherwise
    the iterations run from five starts (three above 10,000 images), and the partition with
    the highest mean silhouette is kept. ``docs/defaults.md`` has the evidence. Silhouettes
    are those after the step; centroids, distances and predictions use vectors of length one.

    Of more than 50,000 images, neighbours and walk are those of 50,000 at random, always the
    same ones; every image then gets the weighted mean of its nearest neighbours among them.
    The vectors after the step are in memory: 512 bytes for each image, 8 for each number
    with ``exact``.

    The default rule for which clusters leave differs from the paper. The paper's threshold
    is in the units of its encoder; with other encoders the same number releases all
    clusters or none. Here the most cohesive clusters leave, up to a share of the images.
    ``cluster_images(preset="paper")`` applies the paper's rule.

    References
    ----------
    Arthur, D. and Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding.
    Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms, 1027-1035.

    Coifman, R. R. and Lafon, S. (2006). Diffusion maps. Applied and Computational Harmonic
    Analysis 21(1), 5-30.

    Jarvis, R. A. and Patrick, E. A. (1973). Clustering using a similarity measure based on
    shared near neighbors. IEEE Transactions on Computers C-22(11), 1025-1034.

    Lloyd, S. P. (1982). Least squares quantization in PCM. IEEE Transactions on
    Information Theory 28(2), 129-137.

    Rousseeuw, P. J. (1987). Silhouettes: a graphical aid to the interpretation and
    validation of cluster analysis. Journal of Computational and Applied Mathematics
    20, 53-65.

    Examples
    --------
    >>> import numpy as np
    >>> from imagestrata import IterativeKMeans
    >>> X = np.repeat(np.eye(4) * 9, 30, axis=0)
    >>> X += np.random.default_rng(0).normal(size=X.shape)
    >>> model = IterativeKMeans(k=4, release_share=1, random_state=0).fit(X)
    >>> np.bincount(model.labels_).tolist()
    [30, 30, 30, 30]
    """

    after_fit = ("similarity_threshold", "release_share", "stop_size", "patience")

    def __init__(
        self,
        *,
        k: int | None = None,
        sample_size: int = 1000,
        step_size: int = 5,
        converge_window: int = 3,
        k_criterion: str = "cohesion",
        k_tolerance: float = 0.0,
        k_max: int | str | None = None,
        similarity_threshold: float = 0.0,
        release_share: float = 0.2,
        stop_size: int = 20,
        patience: int = 3,
        n_init: int = 10,
        neighbors: int | str | None = "auto",
        normalize: str | None = None,
        n_components: int | None = None,
        silhouette: str = "auto",
        exact: bool = False,
        random_state: Any = None,
    ) -> None:
        self.k = k
        self.sample_size = sample_size
        self.step_size = step_size
        self.converge_window = converge_window
        self.k_criterion = k_criterion
        self.k_tolerance = k_tolerance
        self.k_max = k_max
        self.similarity_threshold = similarity_threshold
        self.release_share = release_share
        self.stop_size = stop_size
        self.patience = patience
        self.n_init = n_init
        self.neighbors = neighbors
        self.normalize = normalize
        self.n_components = n_components
        self.silhouette = silhouette
        self.exact = exact
        self.random_state = random_state

    def check_arguments(self, shape: tuple[int, int] | None = None) -> None:
        super().check_arguments(shape)
        for name in ("sample_size", "step_size", "stop_size"):
            check_int(name, getattr(self, name), minimum=2)
        if self.k is not None:
            k = check_int("k", self.k, minimum=2)
            if shape is not None and k > shape[0] // 2 and shape[0] >= self.stop_size:
                raise ImagestrataError(
                    f"{arg('k')} must be at most half the number of images, which is {shape[0]}; "
                    f"it is {k}.",
                    f"Give a smaller {arg('k')}.",
                )
        self._check_k_max()
        for name in ("converge_window", "patience", "n_init"):
            check_int(name, getattr(self, name), minimum=1)
        check_choice("k_criterion", self.k_criterion, CRITERIA)
        check_float("k_tolerance", self.k_tolerance, minimum=0)
        check_float("similarity_threshold", self.similarity_threshold, minimum=-1, maximum=1)
        check_float("release_share", self.release_share, minimum=0, maximum=1)

    def _check_k_max(self) -> None:
        """Check that the search can reach ``k_max`` and can make its first step."""
        if isinstance(self.k_max, str):
            if self.k_max != "sample":
                raise ImagestrataError(
                    f'{arg("k_max")} must be a whole number or "sample", not {quote(self.k_max)}.'
                )
        elif self.k_max is not None:
            k_max = check_int("k_max", self.k_max, minimum=2)
            if k_max > self.sample_size:
                raise ImagestrataError(
                    f"{arg('k_max')} ({k_max}) is larger than {arg('sample_size')} "
                    f"({self.sample_size}), the number of images on which K is searched.",
                    f"Search on more images: {arg('sample_size', k_max)}.",
                )
            if k_max < self.step_size:
                raise ImagestrataError(
                    f"{arg('k_max')} ({k_max}) is smaller than {arg('step_size')} "
                    f"({self.step_size}), with which the search for K begins.",
                    f"Give a larger {arg('k_max')}, a smaller {arg('step_size')}, or the number "
                    f"itself: {arg('k', k_max)}.",
                )

    def space(self, X: Rows, seed: int, engine: Engine | None = None) -> Rows:
        if self.neighbors != "auto" or self.neighbors_ is None:
            return super().space(X, seed, engine)
        rows, self.neighbors_ = chosen_neighborhood_rows(
            X, self.n_components, exact=self.exact, engine=engine
        )
        return rows

    def _partition(
        self, X: Rows, seed: int, cached: TableCache, progress: Progress, engine: Engine
    ) -> Partition:
        if self.neighbors_ is None or not self.has_groups_:
            with track(progress, "Clustering", len(X)) as advance:
                return self._iterate(X, seed, 0, cached, advance, engine)
        n_starts = N_STARTS if len(X) <= MANY else FEWER_STARTS
        with track(progress, "Clustering", len(X) * n_starts) as advance:
            if self.k is None and len(X) >= self.stop_size:
                few = cached("few-groups", partial(self._fit_few, X, seed, engine))
                means = few.groupby("cluster")["silhouette"].mean()
                if (means > self.similarity_threshold).all():
                    advance(len(X) * n_starts)
                    return _one_iteration(few)
            found = [self._iterate(X, seed, i, cached, advance, engine) for i in range(n_starts)]
        vectors = as_vectors(X, exact=self.exact, engine=engine)
        measure = "squared" if len(X) > MANY else pick_measure(self.silhouette, len(X))
        cohesion = [silhouettes(vectors, start.labels, measure).mean() for start in found]
        return found[int(np.argmax(cohesion))]

    def _fit_few(self, X: Rows, seed: int, engine: Engine) -> pd.DataFrame:
        """As :meth:`_fit_remaining`, with few clusters; -1 everywhere if there are not few."""
        start = time.perf_counter()
        rng = np.random.default_rng([seed, 0])
        vectors = as_vectors(X, exact=self.exact, engine=engine)
        few, curve = few_groups(vectors, rng)
        codes, scores = np.full(len(X), -1), np.full(len(X), np.nan)
        if few is not None:
            fit = kmeans(vectors, len(few.centers), rng, self.n_init, few.centers)
            scores = silhouettes(vectors, fit.labels, pick_measure(self.silhouette, len(X)), rng)
            codes = np.unique(fit.labels, return_inverse=True)[1]
        seconds = time.perf_counter() - start
        made = pd.DataFrame({"cluster": codes, "silhouette": scores, "seconds": seconds})
        return made.join(curve)

    def _iterate(
        self,
        X: Rows,
        seed: int,
        start: int,
        cached: TableCache,
        advance: Callable[[int], None],
        engine: Engine,
    ) -> Partition:
        """One partition in iterations; each ``start`` has its own random numbers."""
        n = len(X)
        labels = np.full(n, -1, dtype=np.intp)
        scores = np.full(n, np.nan)
        iterations = np.zeros(n, dtype=np.intp)
        remaining = np.arange(n)
        trace: list[tuple[float, ...]] = []
        curves: list[pd.DataFrame] = []
        misses = 0
        prefix = f"start-{start}-" if start else ""
        while len(remaining) >= self.stop_size and misses < self.patience:
            number = len(trace) + 1
            made = cached(
                f"{prefix}iteration-{number:05d}-{digest(remaining)}",
                partial(self._fit_remaining, X, remaining, (seed, number, start), engine),
            )
            found = self._release(made)
            left = found >= 0
            scores[remaining] = made["silhouette"]
            labels[remaining[left]] = labels.max() + 1 + found[left]
            iterations[remaining[left]] = number
            trace.append(_trace_row(number, made, found))
            curves.append(_curve(made))
            remaining = remaining[~left]
            misses = 0 if left.any() else misses + 1
            advance(int(left.sum()))
        advance(len(remaining))
        return Partition(
            labels, scores, iterations, trace_table(trace), search_table(curves, self.k_criterion)
        )

    def _fit_remaining(
        self,
        X: Rows,
        remaining: NDArray[np.intp],
        entropy: tuple[int, int, int],
        engine: Engine,
    ) -> pd.DataFrame:
        """Cluster (from 0, all used) and silhouette of each row in one iteration.

        The first rows also hold the scores of the search for K (``search_curve()``), so that
        both are stored together or not at all.

        The arguments in :attr:`after_fit` must not be used here.
        """
        start = time.perf_counter()
        rng = np.random.default_rng(entropy)
        vectors = as_vectors(X.select(remaining), exact=self.exact, engine=engine)
        fit, curve = fit_kmeans(self, vectors, rng)
        # By the number of all images, so that a run uses one measure.
        measure = pick_measure(self.silhouette, len(X))
        scores = silhouettes(vectors, fit.labels, measure, rng)
        _, codes = np.unique(fit.labels, return_inverse=True)
        seconds = time.perf_counter() - start
        made = pd.DataFrame({"cluster": codes, "silhouette": scores, "seconds": seconds})
        return made.join(curve)

    def _release(self, fit: pd.DataFrame) -> NDArray[np.intp]:
        """For each row, the number of its cluster among those that leave; -1 if it stays."""
        codes: NDArray[np.intp] = fit["cluster"].to_numpy()
        sizes = np.bincount(codes)
        leaves = cohesive_clusters(
            np.bincount(codes, fit["silhouette"]) / sizes,
            sizes,
            threshold=self.similarity_threshold,
            share=self.release_share,
        )
        released: NDArray[np.intp] = np.where(leaves, np.cumsum(leaves) - 1, -1)[codes]
        return released


def fit_kmeans(
    settings: IterativeKMeans, vectors: Vectors, rng: np.random.Generator
) -> tuple[Fit, pd.DataFrame]:
    """Fit k-means to all vectors, with the given number of clusters or one found on a sample.

    Returns the fit, and the scores of the search.
    """
    n = len(vectors)
    if settings.k is not None:
        fit = kmeans(vectors, min(settings.k, n // 2), rng, settings.n_init)
        return fit, search_curve([], [], 0)
    size = min(settings.sample_size, n)
    best, curve = search_k(
        vectors.take(np.sort(rng.choice(n, size, replace=False))),
        settings.k_criterion,
        step_size=settings.step_size,
        converge_window=settings.converge_window,
        tolerance=settings.k_tolerance,
        k_max=_largest_k(settings, size),
        rng=rng,
    )
    return kmeans(vectors, len(best.centers), rng, settings.n_init, best.centers), curve


def _largest_k(settings: IterativeKMeans, n_sampled: int) -> int:
    """The largest number that the search on ``n_sampled`` images tries."""
    if settings.k_max == "sample":
        return n_sampled
    if settings.k_max is not None:
        return min(int(settings.k_max), n_sampled)
    return min(max(settings.step_size, settings.sample_size // 50), max(2, n_sampled // 3))


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
        The most cohesive leave first, up to this share of the images; the most
        cohesive one can always leave.
    """
    order = np.argsort(-means, kind="stable")
    within = np.cumsum(sizes[order]) <= share * sizes.sum()
    within[0] = True
    leaves = np.zeros(len(means), dtype=bool)
    leaves[order[within]] = True
    return leaves & (means > threshold)


def _one_iteration(fit: pd.DataFrame) -> Partition:
    """The partition in which all clusters of the first iteration leave."""
    labels: NDArray[np.intp] = fit["cluster"].to_numpy(dtype=np.intp)
    scores: NDArray[np.float64] = fit["silhouette"].to_numpy()
    trace = trace_table([_trace_row(1, fit, labels)])
    searches = search_table([_curve(fit)], "silhouette")
    return Partition(labels, scores, np.ones_like(labels), trace, searches)


def _curve(fit: pd.DataFrame) -> pd.DataFrame:
    """The search of an iteration; parts of an older version have none."""
    return fit.reindex(columns=list(SEARCHED)).dropna()


def _trace_row(number: int, fit: pd.DataFrame, released: NDArray[np.intp]) -> tuple[float, ...]:
    sizes = np.bincount(released[released >= 0])
    mean_size = sizes.mean() if len(sizes) else np.nan
    k = int(fit["cluster"].max()) + 1
    return number, len(fit), k, len(sizes), mean_size, fit["seconds"].iloc[0]
