"""Looking at all rows of a matrix a block at a time, so that one larger than memory will do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: 8 MB of vectors of 512 numbers.
BLOCK_ROWS = 4096


def blocks(matrix: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The rows in order, as views and not as copies."""
    for start in range(0, len(matrix), BLOCK_ROWS):
        yield matrix[start : start + BLOCK_ROWS]


def rows_not_finite(matrix: NDArray[Any]) -> NDArray[np.intp]:
    """The numbers of rows that hold NaN or infinite numbers."""
    found = [
        np.flatnonzero(~np.isfinite(block).all(axis=1)) + number * BLOCK_ROWS
        for number, block in enumerate(blocks(matrix))
    ]
    return np.concatenate(found) if found else np.empty(0, dtype=np.intp)


def all_the_same(matrix: NDArray[Any]) -> bool:
    """Whether all rows are like the first."""
    return all(bool((block == matrix[0]).all()) for block in blocks(matrix))


def rows_hash(matrix: NDArray[Any]) -> str:
    """SHA-256 of the numbers, row after row, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for block in blocks(matrix):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()
