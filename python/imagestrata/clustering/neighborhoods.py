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

Copies of a vector count once, and move together. Nothing in the step is random. With ``exact``,
there are no principal components, and coordinates are whole numbers in float64, rounded again
after each step of the walk. Dot products and sums are then free of rounding errors, and the
result does not depend on the order of additions. ``docs/defaults.md`` shows how the numbers
below were chosen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..embeddings.reduce import principal_components
from ..engine import Engine
from ..rows import Rows, blocks, map_in_order, unit_rows
from .few import few_groups
from .nearest import nearest_neighbors
from .vectors import as_vectors

#: Neighbours of each image, and the least number in small corpora, where it is this share.
N_NEIGHBORS = 15
_LEAST_NEIGHBORS, _SHARE_OF_FEW = 4, 1 / 20

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

#: Coordinates that walk together: few enough that all rows of them stay in the cache.
_COLUMNS = 16

#: float64 represents every whole number up to 2^53.
_MANTISSA_BITS = 53


def default_neighbors(n: int) -> int:
    """Neighbours of each of n images if no number is given: 15, fewer below 300 images."""
    return min(N_NEIGHBORS, max(_LEAST_NEIGHBORS, int(n * _SHARE_OF_FEW)))


def neighborhood_rows(
    X: Rows,
    n_neighbors: int | None = None,
    n_components: int | None = None,
    *,
    exact: bool = False,
    short: bool = False,
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
    engine : Engine, optional

    Returns
    -------
    Rows of shape (n, n_components), or (n, d) with ``exact``
        All 0, that is in one place, if the rows show no groups.
    """
    if n_neighbors is None:
        n_neighbors = default_neighbors(len(X))
    rows, copies = _without_copies(np.asarray(X))
    if len(rows) < 2:
        return Rows(np.zeros_like(rows)[copies])
    grid = _Grid(rows.shape[1]) if exact else None
    rows = grid.place(rows) if grid else _components(rows, n_components)
    neighbors = nearest_neighbors(rows, min(n_neighbors, len(rows) - 1), engine)
    links = shared_neighbors(neighbors)
    start = grid.refine(rows, links) if grid else rows
    near = _walk(links, start, SHORT_WALK, exact, engine)
    far = _walk(links, near, LONG_WALK - SHORT_WALK, exact, engine)
    start, near, far = (_centered(each) for each in (start, near, far))
    kept = _squares(far)
    if kept < _LEFT * _squares(start) and not _shares_more(rows, n_neighbors, grid):
        return Rows(np.zeros_like(far)[copies])
    if not short:
        far = unit_rows(far)
        if kept >= _KEPT * _squares(near) or _few(far, exact, engine):
            return Rows(far[copies])
    return Rows(unit_rows(near)[copies])


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
    n, k = neighbors.shape
    columns = np.column_stack([np.arange(n), neighbors]).ravel()
    ones = np.ones(n * (k + 1))
    linked = csr_array((ones, columns, np.arange(0, n * (k + 1) + 1, k + 1)), shape=(n, n))
    either = (linked + linked.T).sign()
    return csr_array((linked @ linked.T).multiply(either))


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

    def place(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """The rows about their mean, of length one."""
        rows = self.round(rows)
        return self.round(unit_rows(rows - np.rint(rows.mean(axis=0))))

    def refine(self, rows: NDArray[Any], links: csr_array) -> NDArray[np.float64]:
        """Placed rows with as many bits as a sum over the links of a row, or over rows, leaves."""
        most = max(float(links.sum(axis=1).max()), len(rows))
        finer = _MANTISSA_BITS - 1 - math.ceil(math.log2(most)) - self.bits
        refined: NDArray[np.float64] = np.rint(rows * 2.0**finer)
        return refined


def _without_copies(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The different rows in the order in which they come, and for each row which it is."""
    number: dict[bytes, int] = {}
    copies = np.array([number.setdefault(row.tobytes(), len(number)) for row in rows], np.intp)
    _, first = np.unique(copies, return_index=True)
    return rows if len(first) == len(rows) else rows[first], copies


def _components(rows: NDArray[Any], n_components: int | None) -> NDArray[np.float32]:
    """Principal components of the rows, of length one; all dimensions if these are few."""
    rows = rows.astype(np.float32, copy=False)
    asked = min(n_components or N_COMPONENTS, *rows.shape)
    if asked == rows.shape[1]:
        return unit_rows(_centered(rows))
    return unit_rows(principal_components(rows, asked, 0)[0].astype(np.float32))


def _centered(rows: NDArray[Any]) -> NDArray[Any]:
    centered: NDArray[Any] = rows - rows.mean(axis=0, dtype=np.float64).astype(rows.dtype)
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

    here = None if engine is None or engine.remote else engine
    return np.hstack(list(map_in_order(here, walk, blocks(rows.shape[1], _COLUMNS))))


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
