"""The neighbourhood step: vectors move towards their neighbours before they are clustered.

Distances of raw vectors mix what is alike with what is merely dense: in many noisy dimensions
all images of a topic are about as far from each other as from other images. Who is whose
neighbour is told more reliably. The step has four parts:

1. Vectors are scaled to length one, reduced to principal components about their mean, and
   scaled to length one again.
2. Each image is linked to its nearest neighbours, and to those whose neighbour it is.
3. A link weighs as much as the two neighbourhoods have in common (shared nearest neighbours:
   Jarvis and Patrick 1973). Links between topics share little and weigh little.
4. Every vector becomes the weighted mean of its neighbours and itself, again and again. This is
   the random walk of diffusion maps (Coifman and Lafon 2006) applied to the vectors: what a
   walk mixes within the steps comes together, and what it does not stays apart.

Of more than :data:`MOST_LEARNT` images, the parts are learnt on so many, drawn at random but
always the same ones. Then every image takes a last step to its nearest neighbours among them,
by blocks of images, so that time and memory grow in proportion to the number of images.

Copies of a vector count once, and move together. The step has no seed. With ``exact``,
there are no principal components, and coordinates are whole numbers in float64, rounded again
after each step of the walk. Dot products and sums are then free of rounding errors, and the
result does not depend on the order of additions. ``docs/defaults.md`` shows how the numbers
below were chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import PCA

from ..embeddings.mapped import writable
from ..engine import Engine
from ..rows import Rows, blocks, map_in_order, unit_rows
from .few import few_groups
from .nearest import nearest_neighbors
from .vectors import as_vectors

#: Neighbours of each image, and the least number in small corpora, where it is this share.
N_NEIGHBORS = 15
_LEAST_NEIGHBORS, _SHARE_OF_FEW = 4, 1 / 20

#: The same where there are more than a few groups.
_LEAST_OF_TOPICS, _SHARE_OF_TOPICS = 5, 1 / 250

#: Vectors of which the longer walk keeps less than this share of the sum of squares tell topics
#: apart only weakly, and need the usual number of neighbours in small corpora, too.
_TELLING = 0.075

#: Principal components in which neighbours are looked for.
N_COMPONENTS = 128

#: Steps of the walk. The longer walk is taken if it keeps at least this share of the sum of
#: squares of the shorter one, or if it shows few groups. Where topics hold together loosely, it
#: mixes them.
SHORT_WALK, LONG_WALK = 8, 64
_KEPT = 0.4

#: There are no groups if the longer walk keeps less than the first share of the sum of squares,
#: and linked rows share hardly more neighbours than those of a normal sample do: less than
#: _SHARED + _SHARED_OF_FEW / n times as many. Compared on at most _TESTED rows.
_LEFT = 0.01
_SHARED, _SHARED_OF_FEW = 1.12, 14
_TESTED = 2000

#: The largest number of images that are all compared with each other. Half as many take about
#: half the time, and show fewer of the rare topics.
MOST_LEARNT = 50_000

#: Coordinates that walk together: few enough that all rows of them stay in the cache.
_COLUMNS = 16

#: float64 represents every whole number up to 2^53.
_MANTISSA_BITS = 53


def default_neighbors(n: int) -> int:
    """Neighbours of each of n images if no number is given: 15, fewer below 300 images."""
    return min(N_NEIGHBORS, max(_LEAST_NEIGHBORS, int(n * _SHARE_OF_FEW)))


def neighbors_of_topics(n: int) -> int:
    """Neighbours of each of n images of many topics: a 250th of them, from 5 up to the default.

    The fewer images there are, the fewer has a rare topic, and neighbours in other topics join
    it to these.
    """
    return min(default_neighbors(n), max(_LEAST_OF_TOPICS, int(n * _SHARE_OF_TOPICS)))


def neighborhood_rows(
    X: Rows,
    n_neighbors: int | None = None,
    n_components: int | None = None,
    *,
    exact: bool = False,
    short: bool = False,
    grouped: bool = False,
    engine: Engine | None = None,
) -> Rows:
    """Rows of length one that lie where the neighbours of each row lie.

    Parameters
    ----------
    X : Rows of shape (n, d)
        Of length one, or 0.
    n_neighbors : int, optional
        Neighbours of each row, or all other rows if these are fewer; by default
        :func:`default_neighbors`.
    n_components : int, optional
        Principal components; by default :data:`N_COMPONENTS`, or d or n if one is smaller.
        Not with ``exact``.
    exact : bool, default False
    short : bool, default False
        Take the shorter walk in any case.
    grouped : bool, default False
        The rows are known to show groups.
    engine : Engine, optional

    Returns
    -------
    Rows of shape (n, n_components), or (n, d) with ``exact``
        All 0, that is in one place, if the rows show no groups.
    """
    n = len(X)
    if n_neighbors is None:
        n_neighbors = default_neighbors(n)
    here = None if engine is None or engine.remote else engine
    if n <= MOST_LEARNT:
        learnt = _learn(X[:], n_neighbors, n_components, exact, short, grouped, here)
        return Rows(learnt.direction(learnt.moved)[learnt.copies])
    drawn = np.sort(np.random.default_rng(0).choice(n, MOST_LEARNT, replace=False))
    learnt = _learn(X[drawn], n_neighbors, n_components, exact, short, grouped, here)
    placed = np.empty((n, learnt.moved.shape[1]), learnt.moved.dtype)

    def place(block: slice) -> None:
        placed[block] = learnt.place(X[block], n_neighbors)

    for _ in map_in_order(here, place, blocks(n)):
        pass
    return Rows(placed)


def chosen_neighborhood_rows(
    X: Rows,
    n_components: int | None = None,
    *,
    exact: bool = False,
    engine: Engine | None = None,
) -> tuple[Rows, int]:
    """:func:`neighborhood_rows` with the number of neighbours that suits the rows; both.

    That is :func:`default_neighbors`, and :func:`neighbors_of_topics` where the rows show groups
    clearly, and not just a few.
    """
    n = len(X)
    usual, fewer = default_neighbors(n), neighbors_of_topics(n)
    if fewer == usual:
        return neighborhood_rows(X, usual, n_components, exact=exact, engine=engine), usual
    here = None if engine is None or engine.remote else engine
    learnt = _learn(X[:], usual, n_components, exact, False, False, here)
    rows = learnt.direction(learnt.moved)[learnt.copies]
    if not rows.any() or learnt.kept < _TELLING or _few(rows, exact, engine):
        return Rows(rows), usual
    many = neighborhood_rows(X, fewer, n_components, exact=exact, grouped=True, engine=engine)
    return many, fewer


def shared_neighbors(neighbors: NDArray[np.intp]) -> csr_array:
    """Number of rows in both of two neighbourhoods, where one row is a neighbour of the other.

    Parameters
    ----------
    neighbors : ndarray of shape (n, k)
        The nearest other rows of each row. Every row also counts to its own neighbourhood.

    Returns
    -------
    csr_array of shape (n, n), float64
        Symmetric; k + 1 on the diagonal.
    """
    linked = _with_themselves(neighbors)
    either = (linked + linked.T).sign()
    return csr_array((linked @ linked.T).multiply(either))


def _with_themselves(neighbors: NDArray[np.intp]) -> csr_array:
    return _linked(np.column_stack([np.arange(len(neighbors)), neighbors]), len(neighbors))


def _linked(neighbors: NDArray[np.intp], n: int) -> csr_array:
    """1 where one of n rows is among those of a neighbourhood."""
    bounds = np.arange(0, neighbors.size + 1, neighbors.shape[1])
    shape = (len(neighbors), n)
    return csr_array((np.ones(neighbors.size), neighbors.ravel(), bounds), shape=shape)


@dataclass(frozen=True, eq=False)
class _Learnt:
    """The step of some rows, among which other rows can be placed.

    Attributes
    ----------
    reduce : callable
        The first part of the step, which returns reduced rows of length one.
    rows : ndarray of shape (m, c)
        The different rows, reduced.
    neighbors_of : csr_array of shape (m, m)
        1 in column j for the nearest neighbours of row j and itself.
    moved : ndarray of shape (m, c)
        The rows after the walk; all 0 if they show no groups.
    copies : ndarray of int
        Which of the different rows each row is.
    exact : bool
    kept : float
        Share of the sum of squares that the longer walk keeps.
    """

    reduce: Callable[[NDArray[Any]], NDArray[Any]]
    rows: NDArray[Any]
    neighbors_of: csr_array
    moved: NDArray[Any]
    copies: NDArray[np.intp]
    exact: bool
    kept: float

    @cached_property
    def center(self) -> NDArray[Any]:
        return _mean(self.moved)

    def direction(self, moved: NDArray[Any]) -> NDArray[Any]:
        """Rows of length one that point from the mean to where rows have moved."""
        return unit_rows(moved - self.center)

    def place(self, rows: NDArray[Any], n_neighbors: int) -> NDArray[Any]:
        """The direction to the mean of where the nearest neighbours of other rows have moved.

        These weigh as much as in the walk: by the neighbours that the two rows share.
        """
        k = min(n_neighbors, len(self.rows))
        near = nearest_neighbors(self.reduce(rows), k, among=self.rows)
        linked = _linked(near, len(self.rows))
        shared = csr_array((linked @ self.neighbors_of).multiply(linked))
        total = shared.sum(axis=1)[:, None]
        if self.exact:
            return self.direction(np.rint(shared @ self.moved / total))
        weights = csr_array(shared.multiply(1 / total)).astype(self.moved.dtype)
        return self.direction(weights @ self.moved)


def _learn(
    rows: NDArray[Any],
    n_neighbors: int,
    n_components: int | None,
    exact: bool,
    short: bool,
    grouped: bool,
    engine: Engine | None,
) -> _Learnt:
    """The step of a matrix of any number of rows."""
    usual = default_neighbors(len(rows))
    if not grouped and n_neighbors != usual:
        # Whether there are groups is decided with the number for which the limits were found.
        grouped = bool(_learn(rows, usual, n_components, exact, True, False, engine).moved.any())
        tested = True
    else:
        tested = grouped
    rows, copies = _without_copies(rows)
    if len(rows) < 2:
        alone = csr_array(np.eye(len(rows)))
        return _Learnt(unit_rows, rows, alone, np.zeros_like(rows), copies, exact, 0.0)
    grid = _Grid(rows.shape[1]) if exact else None
    reduce = grid.about_mean(rows) if grid else _components(rows, n_components)
    rows = reduce(rows)
    neighbors = nearest_neighbors(rows, min(n_neighbors, len(rows) - 1), engine)
    links = shared_neighbors(neighbors)
    start = grid.refine(rows, links) if grid else rows
    near = _walk(links, start, SHORT_WALK, exact, engine)
    far = _walk(links, near, LONG_WALK - SHORT_WALK, exact, engine)
    before, after, last = (_squares(_centered(each)) for each in (start, near, far))
    moved = near
    if not tested:
        grouped = last >= _LEFT * before or _shares_more(rows, n_neighbors, grid)
    if not grouped:
        moved = np.zeros_like(near)
    elif not short and (last >= _KEPT * after or _few(unit_rows(_centered(far)), exact, engine)):
        moved = far
    linked = csr_array(_with_themselves(neighbors).T)
    return _Learnt(reduce, rows, linked, moved, copies, exact, last / before if before else 0.0)


@dataclass(frozen=True)
class _Grid:
    """Whole numbers for rows of length one with d columns, so that dot products are exact."""

    d: int

    @property
    def bits(self) -> int:
        return (_MANTISSA_BITS - 2 - math.ceil(math.log2(self.d))) // 2

    def round(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        rounded: NDArray[np.float64] = np.rint(rows.astype(np.float64) * 2.0**self.bits)
        return rounded

    def about_mean(self, rows: NDArray[Any]) -> Callable[[NDArray[Any]], NDArray[Any]]:
        """The function that gives rows length one about the mean of these rows."""
        mean = np.rint(self.round(rows).mean(axis=0))
        return lambda rows: self.round(unit_rows(self.round(rows) - mean))

    def refine(self, rows: NDArray[Any], links: csr_array) -> NDArray[np.float64]:
        """Reduced rows with as many bits as a sum over the links of a row, or over rows, leaves."""
        most = max(float(links.sum(axis=1).max()), float(links.diagonal().max()) ** 2, len(rows))
        finer = _MANTISSA_BITS - 1 - math.ceil(math.log2(most)) - self.bits
        refined: NDArray[np.float64] = np.rint(rows * 2.0**finer)
        return refined


def _without_copies(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The different rows in the order in which they come, and for each row which it is."""
    number: dict[bytes, int] = {}
    copies = np.array([number.setdefault(row.tobytes(), len(number)) for row in rows], np.intp)
    _, first = np.unique(copies, return_index=True)
    return rows if len(first) == len(rows) else rows[first], copies


def _components(
    rows: NDArray[Any], n_components: int | None
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The function from rows to their principal components, or to all dimensions if these are few.

    Rows have length one about the mean of the rows from which it is learnt.
    """
    rows = rows.astype(np.float32, copy=False)
    asked = min(n_components or N_COMPONENTS, *rows.shape)
    if asked == rows.shape[1]:
        mean = _mean(rows)
        return lambda rows: unit_rows(rows.astype(np.float32, copy=False) - mean)
    fit = PCA(asked, random_state=0).fit(writable(rows))
    return lambda rows: unit_rows(fit.transform(rows).astype(np.float32, copy=False))


def _mean(rows: NDArray[Any]) -> NDArray[Any]:
    mean: NDArray[Any] = rows.mean(axis=0, dtype=np.float64).astype(rows.dtype)
    return mean


def _centered(rows: NDArray[Any]) -> NDArray[Any]:
    centered: NDArray[Any] = rows - _mean(rows)
    return centered


def _squares(rows: NDArray[Any]) -> float:
    """Sum of squares, added in the same order on every machine."""
    return math.fsum(np.cumsum(row, dtype=np.float64)[-1] for row in np.square(rows))


def _few(rows: NDArray[Any], exact: bool, engine: Engine | None) -> bool:
    vectors = as_vectors(rows, exact=exact, engine=engine)
    return few_groups(vectors, np.random.default_rng(0))[0] is not None


def _walk(
    links: csr_array, rows: NDArray[Any], n_steps: int, exact: bool, engine: Engine | None
) -> NDArray[Any]:
    """Weighted means of the linked rows, ``n_steps`` times."""
    weights = links.astype(rows.dtype)
    total = links.sum(axis=1)[:, None].astype(rows.dtype)
    if not exact:
        weights = csr_array(weights.multiply(1 / total)).astype(rows.dtype)

    def walk(columns: slice) -> NDArray[Any]:
        part = np.ascontiguousarray(rows[:, columns])
        for _ in range(n_steps):
            part = weights @ part
            if exact:
                part = np.rint(part / total)
        return part

    return np.hstack(list(map_in_order(engine, walk, blocks(rows.shape[1], _COLUMNS))))


def _shares_more(rows: NDArray[Any], n_neighbors: int, grid: _Grid | None) -> bool:
    """Whether linked rows share more neighbours than in a normal sample of equal covariance."""
    rng = np.random.default_rng(0)
    n = min(len(rows), _TESTED)
    rows = rows[np.sort(rng.choice(len(rows), n, replace=False))]
    # Sums of deviations with normal weights have the covariance of the rows. Whole numbers keep
    # these sums exact where the rows are.
    weights = np.rint(256 * rng.normal(size=(n, n))).astype(rows.dtype)
    mean = np.rint(rows.mean(axis=0)) if grid else rows.mean(axis=0)
    normal = unit_rows(weights @ (rows - mean) / (256 * math.sqrt(n)) + mean)
    normal = grid.round(normal) if grid else normal.astype(rows.dtype)
    ours, theirs = (_mean_shared(sample, n_neighbors) for sample in (rows, normal))
    return ours >= (_SHARED + _SHARED_OF_FEW / n) * theirs


def _mean_shared(rows: NDArray[Any], n_neighbors: int) -> float:
    """Mean number of neighbours that linked rows share."""
    shared = shared_neighbors(nearest_neighbors(rows, min(n_neighbors, len(rows) - 1)))
    shared.setdiag(0)
    shared.eliminate_zeros()
    return float(shared.data.mean()) if len(shared.data) else 0.0
