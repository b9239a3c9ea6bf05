"""The base class of the clustering estimators: arguments, vectors, numbering, prediction."""

from __future__ import annotations

import hashlib
import numbers
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.metrics import pairwise_distances_argmin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..embeddings.reduce import principal_components
from ..engine import Engine, open_engine
from ..errors import ImagestrataError, plural
from ..progress import Progress
from ..rows import SHARD_ROWS, Rows, as_rows, blocks, shards
from ..validate import check_bool, check_choice, check_int, check_unmasked
from ..wording import arg, quote
from .neighborhoods import default_neighbors, neighborhood_rows
from .silhouette import MEASURES, pick_measure, silhouettes
from .vectors import as_vectors

#: Takes a name and a function that makes a table; returns that table, possibly from an
#: earlier call. A run folder stores iterations in this way, and tuning shares them. The
#: name distinguishes the tables that one estimator makes from one matrix.
TableCache = Callable[[str, Callable[[], pd.DataFrame]], pd.DataFrame]


#: Vectors with fewer dimensions are clustered as they are by default: their angles say little,
#: and their distances much.
FEWEST_DIMENSIONS = 10


def no_cache(_: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """The :data:`TableCache` that stores nothing and computes every table."""
    return make()


class Partition(NamedTuple):
    """The clusters of n rows, in any order of clusters.

    Attributes
    ----------
    labels : ndarray of shape (n,)
        Cluster of each row; -1 for the residual.
    silhouettes : ndarray of shape (n,)
    iterations : ndarray of shape (n,)
        Iteration in which the row's cluster was found, from 1; arbitrary for the residual.
    trace : DataFrame
        See :func:`trace_table`.
    searches : DataFrame
        See :func:`search_table`.
    """

    labels: NDArray[np.intp]
    silhouettes: NDArray[np.float64]
    iterations: NDArray[np.intp]
    trace: pd.DataFrame
    searches: pd.DataFrame


class ClusterEstimator(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator that partitions images into numbered clusters and a residual.

    A subclass has the arguments ``neighbors``, ``normalize``, ``n_components``,
    ``silhouette``, ``exact`` and ``random_state``, and defines :meth:`_partition`.

    Attributes
    ----------
    neighbors_ : int or None
        Neighbours of each image in the neighbourhood step; None if there was none.
    has_groups_ : bool
        Whether the neighbourhood step found any groups; True if there was none.
    after_fit : tuple of str
        Arguments that are applied only after the fit. Estimators that differ in no
        other argument can share one :data:`TableCache`.
    """

    after_fit: tuple[str, ...] = ()
    neighbors_: int | None
    has_groups_: bool

    def n_neighbors(self, shape: tuple[int, int]) -> int | None:
        """Neighbours of each row in the neighbourhood step of a matrix; None without the step."""
        if self.neighbors != "auto":
            return None if self.neighbors is None else int(self.neighbors)
        return default_neighbors(shape[0]) if shape[1] >= FEWEST_DIMENSIONS else None

    def scaling(self, shape: tuple[int, int]) -> str | None:
        """``normalize`` for a matrix: "l2" with the neighbourhood step."""
        return self.normalize if self.n_neighbors(shape) is None else "l2"

    def space(self, X: Rows, seed: int, engine: Engine | None = None) -> Rows:
        """The vectors that are partitioned, from scaled ones."""
        n_neighbors = self.n_neighbors(X.shape)
        if n_neighbors is not None:
            exact = getattr(self, "exact", False)
            return neighborhood_rows(X, n_neighbors, self.n_components, exact=exact, engine=engine)
        if self.n_components is None:
            return X
        return Rows(principal_components(np.asarray(X), self.n_components, seed % 2**32)[0])

    def fit(self, X: Any, y: Any = None) -> Self:
        """Cluster the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            One vector per image.
        y : None
            Not used.

        Returns
        -------
        self
        """
        return fit_estimator(self, X)

    def predict(self, X: Any) -> NDArray[np.intp]:
        """Find the nearest centroid of each row.

        No row is assigned to the residual unless there is no cluster at all.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Clusters from 0.
        """
        check_is_fitted(self)
        check_unmasked("X", X)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        return nearest_centroids(as_rows(X, self.scaling(X.shape)), self.cluster_centers_)

    def image_columns(self) -> dict[str, NDArray[Any]]:
        """Columns that only this method computes for each image, by name."""
        return {}

    def recorded(self) -> dict[str, Any]:
        """The arguments that decide the clusters, except the seed, as a run records them."""
        return {name: one for name, one in self.get_params().items() if name != "random_state"}

    def decided(self) -> dict[str, Any]:
        """Values of arguments that the fit itself decided, by name."""
        step = self.neighbors_ is not None
        return {"neighbors": self.neighbors_, "normalize": "l2" if step else self.normalize}

    def why_no_cluster(self, n: int) -> str:
        """The reason why a fit of n images found no cluster, for messages."""
        if not self.has_groups_:
            return (
                "the vectors show no groups, since images have no more neighbours in common than "
                f"random vectors have. {arg('neighbors', None)} clusters them all the same"
            )
        return f"no cluster was cohesive in {plural(self.n_iter_, 'iteration')}"

    def check_arguments(self, shape: tuple[int, int] | None = None) -> None:
        """Raise an error for an argument out of range.

        Parameters
        ----------
        shape : (n_samples, n_features), optional
            Of the vectors, if known: some ranges depend on it.

        Raises
        ------
        ImagestrataError
        """
        if self.normalize is not None:
            check_choice("normalize", self.normalize, ["l2"])
        if isinstance(self.neighbors, str):
            if self.neighbors != "auto":
                raise ImagestrataError(
                    f'{arg("neighbors")} must be a whole number or "auto", '
                    f"not {quote(self.neighbors)}."
                )
        elif self.neighbors is not None:
            check_int("neighbors", self.neighbors, minimum=1)
        check_choice("silhouette", self.silhouette, ["auto", *MEASURES])
        exact = getattr(self, "exact", False)
        if check_bool("exact", exact) and self.n_components is not None:
            raise ImagestrataError(
                f"{arg('exact')} and {arg('n_components')} exclude each other: principal "
                "components are not the same to the last digit on every machine.",
                "Leave out one of the two.",
            )
        if self.n_components is not None:
            most = min(shape) if shape else None
            check_int("n_components", self.n_components, minimum=1, maximum=most)

    def _partition(
        self, X: Rows, seed: int, cached: TableCache, progress: Progress, engine: Engine
    ) -> Partition:
        raise NotImplementedError


_Estimator = TypeVar("_Estimator", bound=ClusterEstimator)


def fit_estimator(
    estimator: _Estimator,
    X: Any,
    *,
    cached: TableCache = no_cache,
    progress: Progress = False,
    engine: Any = None,
) -> _Estimator:
    """Fit an estimator, with stored tables, progress and an engine."""
    check_unmasked("X", X)
    given, X = X, validate_data(estimator, X, dtype=(np.float64, np.float32))
    estimator.check_arguments(X.shape)
    # The checked array no longer refers to the file in which the vectors are.
    X = as_rows(given if X.base is given else X, estimator.scaling(X.shape))
    seed = plain_seed(estimator.random_state)
    with opened_space(estimator, X, seed, engine) as (space, opened):
        found = estimator._partition(space, seed, cached, progress, opened)
    order = _order_by_size(found.labels)
    estimator.labels_ = order[found.labels]
    estimator.silhouettes_ = found.silhouettes
    estimator.iterations_ = np.where(found.labels == -1, 0, found.iterations)
    estimator.cluster_centers_ = centroids(X, estimator.labels_, len(order) - 1)
    membership = memberships(X, estimator.cluster_centers_, estimator.labels_)
    estimator.distances_ = membership.distances
    estimator.second_labels_ = membership.second
    estimator.margins_ = membership.margins
    estimator.trace_ = found.trace
    estimator.searches_ = found.searches
    estimator.n_iter_ = len(found.trace)
    return estimator


@contextmanager
def opened_space(
    estimator: ClusterEstimator, X: Rows, seed: int, engine: Any
) -> Iterator[tuple[Rows, Engine]]:
    """The vectors that an estimator partitions, from scaled ones, and the engine for them.

    The estimator knows then what the neighbourhood step found.
    """
    estimator.neighbors_ = estimator.n_neighbors(X.shape)
    with _engine(X, engine) as opened:
        space = estimator.space(X, seed, opened)
    estimator.has_groups_ = estimator.neighbors_ is None or bool(np.asarray(space).any())
    with _engine(space, engine) as opened:
        yield space, opened


@contextmanager
def _engine(X: Rows, asked: Any) -> Iterator[Engine]:
    """The engine for these rows: a Dask cluster if they are in a file of several shards."""
    if X.path is not None and len(shards(len(X))) > 1:
        with open_engine(asked) as engine:
            engine.check_file(X.path)
            yield engine
    else:
        with open_engine() as engine:
            yield engine


def digest(rows: NDArray[np.intp]) -> str:
    """Short hash of a set of rows, the same on every machine."""
    return hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()[:16]


def trace_table(rows: Sequence[tuple[float, ...]]) -> pd.DataFrame:
    """The trace of a clustering, with fixed column types, also without rows."""
    whole = ("iteration", "n_remaining", "k", "n_cohesive")
    types = dict.fromkeys(whole, "int64") | {"mean_size": "float64", "seconds": "float64"}
    return pd.DataFrame(rows, columns=list(types)).astype(types)


#: Columns of the searches for K: the number of clusters, its goodness of fit (larger is better),
#: and whether it was kept.
SEARCHED = {"k": "int64", "fit": "float64", "kept": "bool"}


def search_table(curves: Sequence[pd.DataFrame], criterion: str = "") -> pd.DataFrame:
    """The searches for K in all iterations, with fixed column types, also without rows.

    ``criterion`` names what ``fit`` is.
    """
    types = {"iteration": "int64"} | SEARCHED
    found = [curve.assign(iteration=number) for number, curve in enumerate(curves, 1)]
    found = [curve for curve in found if len(curve)]
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(types))
    return table[list(types)].astype(types).assign(criterion=criterion).astype({"criterion": str})


def inner_silhouettes(
    X: Rows, labels: NDArray[np.intp], measure: str, engine: Engine
) -> NDArray[np.float64]:
    """Silhouettes against the other images in clusters; NaN for the residual."""
    inside = labels >= 0
    scores = np.full(len(X), np.nan)
    if inside.any():
        vectors = as_vectors(X.select(inside), engine=engine)
        scores[inside] = silhouettes(vectors, labels[inside], pick_measure(measure, len(X)))
    return scores


def single_partition(
    labels: NDArray[np.intp], scores: NDArray[np.float64], start: float
) -> Partition:
    """The partition of a clustering in one iteration, which began at the time ``start``."""
    n, k = len(labels), int(labels.max()) + 1
    mean_size = (labels >= 0).sum() / k if k else np.nan
    trace = trace_table([(1, n, k, k, mean_size, time.perf_counter() - start)])
    return Partition(labels, scores, np.ones_like(labels), trace, search_table([]))


def plain_seed(random_state: Any) -> int:
    """A whole number from any ``random_state`` that scikit-learn accepts."""
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def nearest_centroids(X: Rows, centers: NDArray[Any]) -> NDArray[np.intp]:
    """Nearest centroid of each row; -1 if there is no centroid."""
    if not len(centers):
        return np.full(len(X), -1, dtype=np.intp)
    nearest: NDArray[np.intp] = pairwise_distances_argmin(np.asarray(X), centers)
    return nearest


def centroid_distances(
    X: Rows, centers: NDArray[Any], labels: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Euclidean distance of each row to the centroid of its cluster; NaN for the residual."""
    distances = np.full(len(X), np.nan)
    for block in blocks(len(X)):
        rows = np.flatnonzero(labels[block] >= 0)
        distances[rows + block.start] = _to_own(X[rows + block.start], centers, labels[block][rows])
    return distances


def _to_own(
    rows: NDArray[Any], centers: NDArray[Any], labels: NDArray[np.intp]
) -> NDArray[np.float64]:
    differences = rows - centers[labels].astype(np.float64)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", differences, differences)))


class Membership(NamedTuple):
    """How clearly each of n rows belongs to its cluster, by Euclidean distances to centroids.

    Attributes
    ----------
    distances : ndarray of shape (n,)
        Distance d1 to the centroid of its cluster; NaN for the residual.
    second : ndarray of shape (n,)
        The nearest of the other centroids, at the distance d2; of all centroids for a row of the
        residual; -1 if there is none.
    margins : ndarray of shape (n,)
        (d2 - d1) / max(d1, d2): 1 at the centroid of its cluster, 0 halfway to another one,
        negative if another one is nearer. NaN for the residual, and if there is one cluster.
    """

    distances: NDArray[np.float64]
    second: NDArray[np.intp]
    margins: NDArray[np.float64]


def memberships(X: Rows, centers: NDArray[Any], labels: NDArray[np.intp]) -> Membership:
    """The :class:`Membership` of rows with these labels (-1 for the residual)."""
    n, k = len(X), len(centers)
    found = Membership(np.full(n, np.nan), np.full(n, -1, dtype=np.intp), np.full(n, np.nan))
    points = centers.astype(np.float64)
    norms = np.einsum("ij,ij->i", points, points)
    for block in blocks(n):
        rows, own = X[block].astype(np.float64), labels[block]
        inside = np.flatnonzero(own >= 0)
        first = np.full(len(rows), np.nan)
        first[inside] = _to_own(rows[inside], points, own[inside])
        found.distances[block] = first
        if k:
            # Without the norms of the rows, which are the same for all centroids.
            squares = norms - 2 * rows @ points.T
            squares[inside, own[inside]] = np.inf
            second = squares.argmin(axis=1)
            other = _to_own(rows, points, second)
            larger = np.maximum(first, other)
            found.second[block] = second
            found.margins[block] = (other - first) / np.where(larger == 0, 1.0, larger)
    if k == 1:
        found.second[labels == 0] = -1
        found.margins[:] = np.nan
    return found


def second_numbers(second: NDArray[np.intp], numbers: NDArray[Any]) -> Any:
    """A column with the numbers of second-best clusters; missing where there is none."""
    found = pd.Series(np.append(numbers, -1)[second]).astype("Int64")
    return found.mask(second < 0).array


def _order_by_size(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """New label of each old label, largest cluster first, ties by first row.

    The last entry is -1, so that the label -1 stays -1.
    """
    _, first, sizes = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    new = np.full(len(sizes) + 1, -1, dtype=np.intp)
    new[order] = np.arange(len(sizes))
    return new


def centroids(X: Rows, labels: NDArray[np.intp], n_clusters: int) -> NDArray[Any]:
    """Mean of the rows of each cluster, with the data type of X."""
    centers = np.empty((n_clusters, X.shape[1]), dtype=X.dtype)
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(n_clusters + 1))
    for cluster in range(n_clusters):
        rows = order[bounds[cluster] : bounds[cluster + 1]]
        sums = [X[rows[b]].sum(axis=0, dtype=np.float64) for b in blocks(len(rows), SHARD_ROWS)]
        centers[cluster] = sum(sums) / len(rows)
    return centers
