"""Vectors prepared for computing: float32 for speed, or whole numbers for exactness.

K-means and silhouettes compute squared distances from dot products and squared norms.
:func:`as_vectors` prepares rows for that: it subtracts a common centre and scales all
coordinates by one power of two, after which distances are those of the given vectors
times one factor. Vectors in a file stay there and are prepared when they are read.

The two kinds, float32 and exact, share all code. In the exact kind every coordinate is
rounded to a whole number small enough that dot products, squared distances and sums over
images stay below 2^53, up to which float64 represents whole numbers without error. Such sums
are the same in any order, with or without fused multiply-add, and therefore on any processor
and with any number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..engine import Engine
from ..rows import Rows, as_rows, blocks, map_in_order, shards

#: float64 represents every whole number up to 2^53.
_MANTISSA_BITS = 53

_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class Vectors:
    """Centred and scaled rows with their squared norms.

    Attributes
    ----------
    rows : Rows of shape (n, d)
        float32, or whole numbers in float64 if ``exact``.
    square_norms : ndarray of shape (n,)
        Same data type as ``rows``.
    exact : bool
        Whether sums are free of rounding errors. With d dimensions coordinates then
        have (51 - log2 d) / 2 bits (21 at d = 512), about as many as float32, for any
        n up to 2^30.
    largest_square : float
        Upper bound of the squared distance between any two rows or centres.
    n_summed : int
        Number of rows that enter sums; for a shard, the number of the whole matrix.
    engine : Engine or None
        Engine that processes shards; with None they are processed one after the other.
    scale : float
        Distances between rows are this many times those of the given vectors.
    """

    rows: Rows
    square_norms: NDArray[Any]
    exact: bool
    largest_square: float
    n_summed: int
    engine: Engine | None = None
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.square_norms)

    def select(self, key: slice | NDArray[np.intp]) -> Vectors:
        """Some of the rows as part of the same matrix; rows in a file are not read yet."""
        selected, norms = self.rows.select(key), self.square_norms[key]
        return replace(self, rows=selected, square_norms=norms, engine=None)

    def read(self, key: slice | NDArray[np.intp] = slice(None)) -> Vectors:
        """Some of the rows as part of the same matrix, in memory."""
        return replace(self.select(key), rows=Rows(self.rows[key]))

    def take(self, key: NDArray[np.intp]) -> Vectors:
        """Some of the rows in memory, as a matrix of their own; not for other machines."""
        here = None if self.engine is None or self.engine.remote else self.engine
        rows = Rows(self.rows[key])
        return _vectors(rows, self.square_norms[key], self.exact, here, self.scale)

    def map_shards(
        self, work: Callable[..., _Result], *along: NDArray[Any], **given: Any
    ) -> Iterator[_Result]:
        """Call ``work(shard, *along_of_shard, **given)`` on all shards; yield results in order.

        Parameters
        ----------
        work : function of a Vectors
            It must be picklable, for other machines.
        *along : ndarrays of shape (n, ...)
            Each call receives the values for the rows of its shard.
        **given
            Arguments of all calls.
        """
        calls = [
            (work, self.select(rows), [array[rows] for array in along], given)
            for rows in shards(len(self))
        ]
        return map_in_order(self.engine, _call, calls)

    def round_centers(self, centers: NDArray[np.float64]) -> NDArray[Any]:
        """Centres in the data type of the rows; whole numbers if ``exact``."""
        return np.rint(centers) if self.exact else centers.astype(np.float32)

    def snap(self, values: NDArray[Any], largest: float) -> NDArray[Any]:
        """Round values in place so that a sum of one value per row has no rounding error.

        Does nothing unless ``exact``. ``largest`` is an upper bound of the values.
        """
        if self.exact:
            bits = math.ceil(math.log2(max(largest, 1.0) * self.n_summed)) - _MANTISSA_BITS
            # Adding and taking away 1.5 * 2^52 steps rounds to a whole number of steps.
            magic = 1.5 * 2.0 ** (_MANTISSA_BITS - 1 + bits)
            values += magic
            values -= magic
        return values


def as_vectors(
    X: Rows | NDArray[Any], *, exact: bool = False, engine: Engine | None = None
) -> Vectors:
    """Centre and scale the rows of a finite matrix.

    Centring keeps float32 precise if the vectors have a large common offset. The
    scale is a power of two and therefore exact.

    Parameters
    ----------
    X : Rows or ndarray of shape (n, d)
        Rows in a file stay there; others are copied.
    exact : bool, default False
        See :class:`Vectors`.
    engine : Engine, optional
        Engine that processes shards, here and in :meth:`Vectors.map_shards`.
    """
    rows = as_rows(X)
    extents = map_in_order(engine, _extent, [rows.select(shard) for shard in shards(len(rows))])
    low, high, total = (np.stack(each) for each in zip(*extents, strict=True))
    scaling = _scaling(low.min(axis=0), high.max(axis=0), total.sum(axis=0) / len(rows), exact)
    scaled = rows.map(scaling, engine)
    parts = [scaled.select(shard) for shard in shards(len(rows))]
    norms = np.concatenate(list(map_in_order(engine, _square_norms, parts)))
    return _vectors(scaled, norms, exact, engine, scaling.scale)


def sum_rows(rows: NDArray[Any], labels: NDArray[np.intp], k: int) -> NDArray[Any]:
    """Sum of the rows of each label, shape (k, d)."""
    from scipy.sparse import csr_array

    n = len(rows)
    members = csr_array((np.ones(n, rows.dtype), labels, np.arange(n + 1)), shape=(n, k))
    sums: NDArray[Any] = members.T @ rows
    return sums


def square_distances(
    vectors: Vectors, points: NDArray[Any], block: slice = slice(None)
) -> NDArray[Any]:
    """Squared distances from a few points to all rows of a block, shape (len(points), n)."""
    squares: NDArray[Any] = (-2 * points) @ vectors.rows[block].T
    squares += vectors.square_norms[block]
    squares += np.einsum("ij,ij->i", points, points)[:, None]
    np.maximum(squares, 0, out=squares)
    return vectors.snap(squares, vectors.largest_square)


@dataclass(frozen=True, eq=False)
class _Scaling:
    """Function of rows: centre, scale by a power of two, and round if ``exact``."""

    center: NDArray[np.float64]
    scale: float
    exact: bool

    def __call__(self, rows: NDArray[Any]) -> NDArray[Any]:
        if self.exact:
            return np.rint((rows - self.center) * self.scale)
        scaled: NDArray[Any] = (rows - self.center.astype(rows.dtype)) * rows.dtype.type(self.scale)
        return scaled.astype(np.float32, copy=False)


def _scaling(
    low: NDArray[Any], high: NDArray[Any], mean: NDArray[np.float64], exact: bool
) -> _Scaling:
    """The scaling from the smallest, largest and mean value of each coordinate."""
    # The middle of the range, unlike the mean, does not depend on the order of rows.
    center = low.astype(np.float64) / 2 + high / 2 if exact else mean
    bits = (_MANTISSA_BITS - 2 - math.ceil(math.log2(len(center)))) // 2 if exact else 0
    # The power of two that brings the largest coordinate just below 1.
    largest = max(float(np.abs(high - center).max()), float(np.abs(low - center).max()))
    scale = 2.0 ** -math.frexp(largest)[1] if largest else 1.0
    return _Scaling(center, scale * 2.0**bits, exact)


def _vectors(
    rows: Rows, square_norms: NDArray[Any], exact: bool, engine: Engine | None, scale: float
) -> Vectors:
    largest = 4.0 * float(square_norms.max(initial=0.0))
    return Vectors(rows, square_norms, exact, largest, len(square_norms), engine, scale)


def _extent(shard: Rows) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Smallest and largest value, and sum, of each coordinate."""
    rows = shard[:]
    return rows.min(axis=0), rows.max(axis=0), rows.sum(axis=0, dtype=np.float64)


def _square_norms(shard: Rows) -> NDArray[Any]:
    some = [shard[block] for block in blocks(len(shard))]
    return np.concatenate([np.einsum("ij,ij->i", rows, rows) for rows in some])


def _call(call: tuple[Callable[..., _Result], Vectors, list[Any], dict[str, Any]]) -> _Result:
    work, shard, along, given = call
    return work(shard, *along, **given)
