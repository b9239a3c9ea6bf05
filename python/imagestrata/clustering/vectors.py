"""Vectors made ready for arithmetic: float32 for speed, or whole numbers for exactness.

The two kinds share all code. In the exact kind every coordinate is rounded to a
whole number small enough that dot products, squared distances and sums over
images stay below 2^53, where float64 holds whole numbers without error. Such
sums come out the same in any order, with or without fused multiply-add, hence
on any processor and with any number of threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: float64 holds every whole number up to 2^53.
_MANTISSA_BITS = 53
_BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Vectors:
    """Centred and scaled rows with their squared norms.

    Attributes
    ----------
    matrix : ndarray of shape (n, d)
        float32, or float64 holding whole numbers when ``exact``.
    square_norms : ndarray of shape (n,)
        In the type of ``matrix``.
    exact : bool
        Whether sums are free of rounding. The bound is on coordinates: with d
        dimensions they keep (51 - log2 d) / 2 bits (21 of them at d = 512),
        about as many as float32 has, for any n up to 2^30.
    """

    matrix: NDArray[Any]
    square_norms: NDArray[Any]
    exact: bool

    def __len__(self) -> int:
        return len(self.matrix)

    def take(self, rows: NDArray[Any]) -> Vectors:
        """Some of the rows, in the given order."""
        return Vectors(self.matrix[rows], self.square_norms[rows], self.exact)

    def round_centers(self, centers: NDArray[np.float64]) -> NDArray[Any]:
        """Centres in the type of the rows; whole numbers, too, when ``exact``."""
        return np.rint(centers) if self.exact else centers.astype(np.float32)

    def snap(self, values: NDArray[Any], largest: float) -> NDArray[Any]:
        """Round values in place so that the sum of one per row has no rounding error.

        Does nothing unless ``exact``. ``largest`` bounds the values.
        """
        if self.exact:
            bits = math.ceil(math.log2(max(largest, 1.0) * len(self))) - _MANTISSA_BITS
            # Adding and taking away 1.5 * 2^52 steps rounds to a whole number of steps.
            magic = 1.5 * 2.0 ** (_MANTISSA_BITS - 1 + bits)
            values += magic
            values -= magic
        return values

    @property
    def largest_square(self) -> float:
        """A bound on the squared distance between any two rows or centres."""
        return 4.0 * float(self.square_norms.max(initial=0.0))


def as_vectors(matrix: NDArray[Any], *, exact: bool = False) -> Vectors:
    """Centre and scale a finite matrix of shape (n, d).

    Centring first keeps float32 precise when the vectors share a large offset;
    the scale is a power of two, so that it costs no precision either.
    """
    n, d = matrix.shape
    if exact:
        # The middle of the range, unlike the mean, does not depend on the order of rows.
        center = matrix.min(axis=0).astype(np.float64) / 2 + matrix.max(axis=0) / 2
        bits = (_MANTISSA_BITS - 2 - math.ceil(math.log2(d))) // 2
        dtype: type[np.floating[Any]] = np.float64
    else:
        center = matrix.mean(axis=0, dtype=np.float64)
        bits = 0
        dtype = np.float32
    scale = _power_of_two_scale(matrix, center) * 2.0**bits
    rows = np.empty((n, d), dtype=dtype)
    square_norms = np.empty(n, dtype=dtype)
    for block in row_blocks(n):
        scaled = (matrix[block] - center) * scale
        rows[block] = np.rint(scaled) if exact else scaled
        square_norms[block] = np.einsum("ij,ij->i", rows[block], rows[block])
    return Vectors(rows, square_norms, exact)


def sum_rows(rows: NDArray[Any], labels: NDArray[np.intp], k: int) -> NDArray[Any]:
    """Sum of the rows of each label, shape (k, d)."""
    from scipy.sparse import csr_array

    n = len(rows)
    members = csr_array((np.ones(n, rows.dtype), labels, np.arange(n + 1)), shape=(n, k))
    sums: NDArray[Any] = members.T @ rows
    return sums


def square_distances(vectors: Vectors, points: NDArray[Any]) -> NDArray[Any]:
    """Squared distances from a few points to all rows, shape (len(points), n)."""
    squares: NDArray[Any] = (-2 * points) @ vectors.matrix.T
    squares += vectors.square_norms
    squares += np.einsum("ij,ij->i", points, points)[:, None]
    np.maximum(squares, 0, out=squares)
    return vectors.snap(squares, vectors.largest_square)


def row_blocks(n: int, size: int = _BLOCK_ROWS) -> list[slice]:
    """Slices that cover n rows in order."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _power_of_two_scale(matrix: NDArray[Any], center: NDArray[np.float64]) -> float:
    """The power of two that brings the largest coordinate just below 1."""
    largest = max(
        float(np.abs(matrix.max(axis=0) - center).max()),
        float(np.abs(matrix.min(axis=0) - center).max()),
    )
    return 2.0 ** -math.frexp(largest)[1] if largest else 1.0
