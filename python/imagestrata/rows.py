"""Read rows of a matrix, in memory or in a file, and divide work on all of them.

A corpus has one vector per image: the rows of a matrix that may be larger than memory. Functions
that take such a matrix turn it into :class:`Rows` once (:func:`as_rows`), declare operations on the
rows (``rows.select()``, ``rows.map()``), and read one block of rows at a time (``rows[block]``).
The same code works for rows in memory and in files.

All modules use the same words:

=========  ===============================================================================
``Rows``   some or all rows of a matrix
block      consecutive rows that a core processes at once (:func:`blocks`)
shard      consecutive rows that one thread, or one machine of a cluster, processes alone
           (:func:`shards`); results of shards are combined in order (:func:`map_in_order`),
           so that they are the same on every engine
part       a file with some of the rows of a table (:class:`imagestrata.files.Parts`)
=========  ===============================================================================
"""

from __future__ import annotations

import hashlib
import math
import mmap
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .engine import Engine

#: Rows of a block by default: 8 MB of vectors of 512 numbers.
BLOCK_ROWS = 4096

#: The largest number of rows of a shard, which take a core some hundredths of a second.
SHARD_ROWS = 16_384

#: A function of rows that returns one row for each; picklable if the rows are in a file.
RowFunction = Callable[[NDArray[Any]], NDArray[Any]]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Rows:
    """Some rows of a matrix, which are read when you index them.

    ``rows[key]`` is an array. Pickled rows of a file are small, since another machine opens the
    file itself.

    Parameters
    ----------
    matrix : ndarray or memmap of shape (N, d)
        The rows are in a file if this is the whole matrix of a file.
    selected : ndarray of int or slice, optional
        Numbers of the rows; all by default.
    functions : tuple of functions, optional
        Functions that are applied to rows when they are read, one after the other.
    """

    def __init__(
        self,
        matrix: NDArray[Any],
        selected: NDArray[np.intp] | slice | None = None,
        functions: tuple[RowFunction, ...] = (),
    ) -> None:
        self._matrix = matrix
        self._selected = selected
        self._functions = functions

    @property
    def path(self) -> str | None:
        """The file of the rows; None if they are in memory."""
        return str(self._matrix.filename) if is_file(self._matrix) else None  # type: ignore[attr-defined]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self[:0].shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self[:0].dtype

    def __len__(self) -> int:
        if isinstance(self._selected, slice):
            return len(range(len(self._matrix))[self._selected])
        return len(self._matrix if self._selected is None else self._selected)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        rows = np.asarray(self._matrix[key if self._selected is None else self._within(key)])
        for function in self._functions:
            rows = function(rows)
        return rows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=bool(copy))

    def select(self, key: slice | NDArray[Any]) -> Rows:
        """Some of the rows, without reading them."""
        if isinstance(key, slice) and self._selected is None and self.path is None:
            return Rows(self._matrix[key])
        return Rows(self._matrix, self._within(key), self._functions)

    def map(self, function: RowFunction, engine: Engine | None = None) -> Rows:
        """Apply a function to the rows: at once in memory; when they are read, in a file."""
        if self.path is not None:
            return Rows(self._matrix, self._selected, (*self._functions, function))
        none = function(self[:0])
        made = np.empty((len(self), none.shape[1]), none.dtype)

        def fill(block: slice) -> None:
            made[block] = function(self[block])

        for _ in map_in_order(engine, fill, blocks(len(self))):
            pass
        return Rows(made)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is None:
            return Rows, (self[:],)
        changed = Path(self.path).stat().st_mtime_ns
        matrix: Any = self._matrix
        file = (self.path, changed, matrix.dtype.str, matrix.offset, matrix.shape)
        return _of_file, (file, self._selected, self._functions)

    def _within(self, key: Any) -> Any:
        """Rows of the matrix that ``key`` selects; a slice, which needs no copy, if possible."""
        if isinstance(key, np.ndarray) and key.dtype == bool:
            key = np.flatnonzero(key)
        if self._selected is None:
            return key
        if not isinstance(self._selected, slice):
            return self._selected[key]
        selected = range(len(self._matrix))[self._selected]
        if isinstance(key, slice):
            some = selected[key]
            return slice(some.start, some.stop, some.step)
        return np.asarray(selected)[key]


def as_rows(X: Any, normalize: str | None = None) -> Rows:
    """A checked matrix as rows, scaled to length one with ``normalize="l2"``."""
    rows = X if isinstance(X, Rows) else Rows(X)
    return rows if normalize is None else rows.map(unit_rows)


def unit_rows(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows scaled to length one; rows of zeros stay as they are."""
    scaled = np.empty_like(rows)
    for block in blocks(len(rows)):
        some = rows[block].astype(np.float64)
        # A running sum adds in the same order on every processor, as `exact` wants.
        norms = np.sqrt(np.cumsum(some**2, axis=1)[:, -1:])
        scaled[block] = some / np.where(norms > 0, norms, 1.0)
    return scaled


def is_file(matrix: Any) -> bool:
    """Whether an array is the whole matrix of a file, row after row."""
    # The base of a slice is the array that it was cut from.
    whole = isinstance(matrix, np.memmap) and isinstance(getattr(matrix, "base", None), mmap.mmap)
    return whole and matrix.flags.c_contiguous


def blocks(n: int, size: int = BLOCK_ROWS) -> list[slice]:
    """Slices that cover n rows in order; all have the same length except the last."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def shards(n: int) -> list[slice]:
    """Slices of nearly the same length, at most :data:`SHARD_ROWS`, that cover n rows in order."""
    bounds = np.linspace(0, n, math.ceil(n / SHARD_ROWS) + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(bounds)]


def map_in_order(
    engine: Engine | None, work: Callable[[_Item], _Result], items: Sequence[_Item]
) -> Iterator[_Result]:
    """Results for all items: from the engine, or from here if there is no engine or one item."""
    return map(work, items) if engine is None or len(items) == 1 else engine.map(work, items)


def rows_not_finite(matrix: NDArray[Any]) -> NDArray[np.intp]:
    """Numbers of the rows that contain NaN or infinite values."""
    finite = [np.isfinite(matrix[block]).all(axis=1) for block in blocks(len(matrix))]
    return np.flatnonzero(~np.concatenate([np.empty(0, dtype=bool), *finite]))


def all_rows_equal(matrix: NDArray[Any]) -> bool:
    """Whether all rows equal the first."""
    return all(bool((matrix[block] == matrix[0]).all()) for block in blocks(len(matrix)))


def rows_hash(matrix: NDArray[Any] | Rows) -> str:
    """SHA-256 of the numbers, row after row, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for block in blocks(len(matrix)):
        digest.update(np.ascontiguousarray(matrix[block]).data)
    return digest.hexdigest()


@lru_cache(maxsize=8)
def _opened(
    path: str, changed: int, dtype: str, offset: int, shape: tuple[int, int]
) -> np.memmap[Any, np.dtype[Any]]:
    """The matrix in a file, which is opened again only if the file has ``changed``."""
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)


def _of_file(
    file: tuple[str, int, str, int, tuple[int, int]],
    selected: NDArray[np.intp] | slice | None,
    functions: tuple[RowFunction, ...],
) -> Rows:
    return Rows(_opened(*file), selected, functions)
