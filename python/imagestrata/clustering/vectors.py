"""Vectors made ready for arithmetic: float32 for speed, or whole numbers for exactness.

The two kinds share all code. In the exact kind every coordinate is rounded to a
whole number small enough that dot products, squared distances and sums over
images stay below 2^53, where float64 holds whole numbers without error. Such
sums come out the same in any order, with or without fused multiply-add, hence
on any processor and with any number of threads.

Whatever looks at all rows is a *pass*: a function of a shard of them, whose
results are put together in the order of the shards. Shards are worked on by
threads or by the machines of a cluster (see :mod:`imagestrata.engine`), with the
same result. Vectors in a file stay there: each pass reads the rows it works on.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..engine import Engine

#: Rows of a shard, at most. As many as a core works on for some hundredths of a second.
SHARD_ROWS = 16_384

#: float64 holds every whole number up to 2^53.
_MANTISSA_BITS = 53
_BLOCK_ROWS = 4096

_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class Scaling:
    """What is done to every row: shifted, scaled by a power of two, rounded when ``exact``."""

    center: NDArray[np.float64]
    scale: float
    exact: bool

    def __call__(self, rows: NDArray[Any]) -> NDArray[Any]:
        if self.exact:
            return np.rint((rows - self.center) * self.scale)
        scaled: NDArray[Any] = (rows - self.center.astype(rows.dtype)) * rows.dtype.type(self.scale)
        return scaled.astype(np.float32, copy=False)


class FileRows:
    """Rows of a matrix in a file, read whenever they are asked for.

    Can be sliced and indexed as the array of these rows, and is small when pickled:
    other machines open the file themselves.

    Parameters
    ----------
    matrix : memmap of shape (N, d)
        The whole of the file's matrix.
    rows : ndarray of int, optional
        Which of its rows these are; all by default.
    normalize : bool, default False
        Scale them to length one.
    scaling : Scaling, optional
        What is done to them after that.
    """

    def __init__(
        self,
        matrix: np.memmap[Any, Any],
        rows: NDArray[np.intp] | slice = slice(None),
        *,
        normalize: bool = False,
        scaling: Scaling | None = None,
    ) -> None:
        self._matrix = matrix
        self._rows = rows
        self._normalize = normalize
        self._scaling = scaling

    def __len__(self) -> int:
        if isinstance(self._rows, slice):
            return len(range(len(self._matrix))[self._rows])
        return len(self._rows)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        rows = np.asarray(self._matrix[self._pick(key)])
        if self._normalize:
            rows = normalized(rows)
        return rows if self._scaling is None else self._scaling(rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)

    def part(self, key: Any) -> FileRows:
        """Some of the rows, not read yet."""
        return FileRows(
            self._matrix, self._pick(key), normalize=self._normalize, scaling=self._scaling
        )

    def scaled(self, scaling: Scaling) -> FileRows:
        """The same rows, shifted and scaled as they are read."""
        return FileRows(self._matrix, self._rows, normalize=self._normalize, scaling=scaling)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self._matrix.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        if self._scaling is None:
            return np.result_type(self._matrix)
        return np.dtype(np.float64 if self._scaling.exact else np.float32)

    @property
    def path(self) -> str:
        """The file."""
        return str(self._matrix.filename)

    def __reduce__(self) -> tuple[Any, ...]:
        matrix = self._matrix
        changed = Path(self.path).stat().st_mtime_ns
        file = (self.path, changed, matrix.dtype.str, matrix.offset, matrix.shape)
        return _from_file, (file, self._rows, self._normalize, self._scaling)

    def _pick(self, key: Any) -> Any:
        """Rows of the file that stand for these; a slice where that can be, read without copies."""
        if not isinstance(self._rows, slice):
            return self._rows[key]
        if self._rows == slice(None):
            return key
        picked = range(len(self._matrix))[self._rows]
        if isinstance(key, slice):
            some = picked[key]
            return slice(some.start, some.stop, some.step)
        return np.asarray(picked)[key]


#: A matrix of rows, in memory or in a file.
Rows: TypeAlias = NDArray[Any] | FileRows


def as_rows(X: Any, normalize: str | None = None) -> Rows:
    """A checked matrix, its rows scaled to length one if asked; in its file if it is in one."""
    # A whole file: slices of one have the array that they were cut from as their base.
    of_file = isinstance(X, np.memmap) and isinstance(getattr(X, "base", None), mmap.mmap)
    if of_file and X.flags.c_contiguous:
        return FileRows(X, normalize=normalize is not None)
    return normalized(X, normalize)


def normalized(X: NDArray[Any], how: str | None = "l2") -> NDArray[Any]:
    """X, or its rows scaled to length one; rows of zeros stay as they are."""
    if how is None:
        return X
    out = np.empty_like(X)
    for block in row_blocks(len(X)):
        rows = X[block].astype(np.float64)
        # A running sum adds in the same order on every processor, as `exact` wants.
        norms = np.sqrt(np.cumsum(rows**2, axis=1)[:, -1:])
        out[block] = rows / np.where(norms > 0, norms, 1.0)
    return out


@dataclass(frozen=True, eq=False)
class Vectors:
    """Centred and scaled rows with their squared norms.

    Attributes
    ----------
    matrix : ndarray or FileRows of shape (n, d)
        float32, or float64 holding whole numbers when ``exact``.
    square_norms : ndarray of shape (n,)
        In the type of ``matrix``.
    exact : bool
        Whether sums are free of rounding. The bound is on coordinates: with d
        dimensions they keep (51 - log2 d) / 2 bits (21 of them at d = 512),
        about as many as float32 has, for any n up to 2^30.
    largest_square : float
        A bound on the squared distance between any two rows or centres.
    n_summed : int
        Rows that sums are taken over: of a shard, those of the whole.
    engine : Engine or None
        Who works on shards; with None they are worked on one after the other.
    """

    matrix: Rows
    square_norms: NDArray[Any]
    exact: bool
    largest_square: float
    n_summed: int
    engine: Engine | None = None

    def __len__(self) -> int:
        return len(self.square_norms)

    def take(self, rows: NDArray[Any]) -> Vectors:
        """Some of the rows, in the given order, in memory; not for other machines."""
        here = None if self.engine is None or self.engine.remote else self.engine
        return _vectors(self.matrix[rows], self.square_norms[rows], self.exact, here)

    def passes(
        self, work: Callable[..., _Result], *along: NDArray[Any], **given: Any
    ) -> Iterator[_Result]:
        """Call ``work(shard, *rows_of_along, **given)`` on all shards; results in their order.

        Parameters
        ----------
        work : function of a Vectors
            Picklable, for other machines.
        *along : ndarrays of shape (n, ...)
            Of which each call gets the rows of its shard.
        **given
            What all calls get.
        """
        blocks = shards(len(self))
        calls = ((work, self.part(b), [array[b] for array in along], given) for b in blocks)
        yield from run(self.engine, _call, calls, len(blocks))

    def round_centers(self, centers: NDArray[np.float64]) -> NDArray[Any]:
        """Centres in the type of the rows; whole numbers, too, when ``exact``."""
        return np.rint(centers) if self.exact else centers.astype(np.float32)

    def snap(self, values: NDArray[Any], largest: float) -> NDArray[Any]:
        """Round values in place so that the sum of one per row has no rounding error.

        Does nothing unless ``exact``. ``largest`` bounds the values.
        """
        if self.exact:
            bits = math.ceil(math.log2(max(largest, 1.0) * self.n_summed)) - _MANTISSA_BITS
            # Adding and taking away 1.5 * 2^52 steps rounds to a whole number of steps.
            magic = 1.5 * 2.0 ** (_MANTISSA_BITS - 1 + bits)
            values += magic
            values -= magic
        return values

    def rows(self, block: slice) -> Vectors:
        """A block of the rows, to be summed with the others, in memory."""
        part = self.part(block)
        return replace(part, matrix=np.asarray(part.matrix))

    def part(self, key: slice | NDArray[np.intp]) -> Vectors:
        """Some of the rows, to be summed with the others; those in a file are not read yet."""
        part = self.matrix.part if isinstance(self.matrix, FileRows) else self.matrix.__getitem__
        return replace(self, matrix=part(key), square_norms=self.square_norms[key], engine=None)


def as_vectors(
    X: Rows,
    rows: NDArray[np.intp] | None = None,
    *,
    exact: bool = False,
    engine: Engine | None = None,
) -> Vectors:
    """Centre and scale rows of a finite matrix.

    Centring first keeps float32 precise when the vectors share a large offset;
    the scale is a power of two, so that it costs no precision either.

    Parameters
    ----------
    X : ndarray or FileRows of shape (N, d)
        Rows of a file stay there; others are copied.
    rows : ndarray of int, optional
        Which of them; all by default.
    exact : bool, default False
        See :class:`Vectors`.
    engine : Engine, optional
        Who works on shards, in this and all further passes.
    """

    def given(block: slice) -> Any:
        some = block if rows is None else rows[block]
        return X.part(some) if isinstance(X, FileRows) else X[some]

    n = len(X) if rows is None else len(rows)
    blocks = shards(n)
    extents = run(engine, _extent, (given(block) for block in blocks), len(blocks))
    low, high, total = (np.stack(each) for each in zip(*extents, strict=True))
    scaling = _scaling(low.min(axis=0), high.max(axis=0), total.sum(axis=0) / n, exact)
    if isinstance(X, FileRows):
        scaled = (X if rows is None else X.part(rows)).scaled(scaling)
        parts = (scaled.part(block) for block in blocks)
        norms = np.concatenate(list(run(engine, _square_norms, parts, len(blocks))))
        return _vectors(scaled, norms, exact, engine)
    matrix = np.empty((n, X.shape[1]), np.float64 if exact else np.float32)
    norms = np.empty(n, matrix.dtype)

    def fill(block: slice) -> None:
        matrix[block] = scaling(given(block))
        norms[block] = _square_norms(matrix[block])

    small = row_blocks(n)
    for _ in run(engine, fill, small, len(small)):
        pass
    return _vectors(matrix, norms, exact, engine)


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
    squares: NDArray[Any] = (-2 * points) @ vectors.matrix[block].T
    squares += vectors.square_norms[block]
    squares += np.einsum("ij,ij->i", points, points)[:, None]
    np.maximum(squares, 0, out=squares)
    return vectors.snap(squares, vectors.largest_square)


def row_blocks(n: int, size: int = _BLOCK_ROWS) -> list[slice]:
    """Slices that cover n rows in order."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def shards(n: int) -> list[slice]:
    """Slices of nearly the same length, at most :data:`SHARD_ROWS`, that cover n rows in order."""
    bounds = np.linspace(0, n, math.ceil(n / SHARD_ROWS) + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(bounds)]


def run(
    engine: Engine | None,
    work: Callable[[Any], _Result],
    items: Iterable[Any],
    n: int,
) -> Iterator[_Result]:
    """Results of work on n items: by the engine, or here if there is none or only one item."""
    return map(work, items) if engine is None or n == 1 else engine.map(work, items)


def _vectors(
    matrix: Rows, square_norms: NDArray[Any], exact: bool, engine: Engine | None = None
) -> Vectors:
    largest = 4.0 * float(square_norms.max(initial=0.0))
    return Vectors(matrix, square_norms, exact, largest, len(square_norms), engine)


def _scaling(
    low: NDArray[Any], high: NDArray[Any], mean: NDArray[np.float64], exact: bool
) -> Scaling:
    """From the smallest, largest and mean value of each coordinate."""
    # The middle of the range, unlike the mean, does not depend on the order of rows.
    center = low.astype(np.float64) / 2 + high / 2 if exact else mean
    bits = (_MANTISSA_BITS - 2 - math.ceil(math.log2(len(center)))) // 2 if exact else 0
    # The power of two that brings the largest coordinate just below 1.
    largest = max(float(np.abs(high - center).max()), float(np.abs(low - center).max()))
    scale = 2.0 ** -math.frexp(largest)[1] if largest else 1.0
    return Scaling(center, scale * 2.0**bits, exact)


def _extent(part: Rows) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Smallest and largest value, and sum, of each coordinate."""
    rows = part[:]
    return rows.min(axis=0), rows.max(axis=0), rows.sum(axis=0, dtype=np.float64)


def _square_norms(part: Rows) -> NDArray[Any]:
    blocks = [part[block] for block in row_blocks(len(part))]
    return np.concatenate([np.einsum("ij,ij->i", rows, rows) for rows in blocks])


def _call(call: tuple[Callable[..., _Result], Vectors, list[Any], dict[str, Any]]) -> _Result:
    work, shard, along, given = call
    return work(shard, *along, **given)


@lru_cache(maxsize=8)
def _mapped(
    path: str, changed: int, dtype: str, offset: int, shape: tuple[int, int]
) -> np.memmap[Any, np.dtype[Any]]:
    """The matrix in a file, opened again only where the file has ``changed``."""
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)


def _from_file(
    file: tuple[str, int, str, int, tuple[int, int]],
    rows: NDArray[np.intp] | slice,
    normalize: bool,
    scaling: Scaling | None,
) -> FileRows:
    return FileRows(_mapped(*file), rows, normalize=normalize, scaling=scaling)
