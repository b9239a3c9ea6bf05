"""Vectors: centring, scaling, whole numbers, exact sums."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from imagestrata.clustering.vectors import as_vectors, square_distances, sum_rows


@pytest.fixture
def matrix():
    return np.random.default_rng(0).normal(100, 3, size=(300, 37)).astype(np.float32)


@pytest.mark.parametrize("exact", [False, True])
def test_distances_are_kept_up_to_one_factor(matrix, exact):
    vectors = as_vectors(matrix, exact=exact)
    found = square_distances(vectors, vectors.rows[:5])
    wanted = ((matrix[:5, None].astype(np.float64) - matrix) ** 2).sum(axis=2)
    factor = found[0, 1] / wanted[0, 1]
    np.testing.assert_allclose(found, wanted * factor, rtol=1e-4, atol=1e-5 * found.max())


def test_large_offsets_cost_no_digits():
    near = np.random.default_rng(1).normal(size=(50, 8))
    far = as_vectors(near + 1e9).rows
    np.testing.assert_allclose(far, as_vectors(near).rows, atol=1e-6)


def test_exact_vectors_are_whole_numbers_with_exact_sums(matrix):
    vectors = as_vectors(matrix, exact=True)
    assert vectors.rows.dtype == np.float64
    assert (vectors.rows[:] == np.rint(vectors.rows)).all()
    for row, norm in zip(vectors.rows[:20], vectors.square_norms, strict=False):
        assert sum(int(x) ** 2 for x in row) == norm
    found = square_distances(vectors, vectors.rows[:3])
    # Snapped to steps coarse enough that any sum over rows is exact.
    assert sum(Fraction(x) for x in found[0]) == Fraction(found[0].sum()) == math.fsum(found[0])
    assert len({float(found[1][order].sum()) for order in permutations(300)}) == 1


def permutations(n: int, how_many: int = 20) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [rng.permutation(n) for _ in range(how_many)]


@pytest.mark.parametrize("d", [1, 2, 3, 512, 1280, 2049, 25088])
def test_exact_vectors_stay_within_float64(d):
    extreme = np.ones((2, d)) * [[1.0], [-1.0]]
    vectors = as_vectors(extreme, exact=True)
    assert 4 * vectors.square_norms.max() <= 2.0**53
    assert np.abs(vectors.rows).max() >= 2.0**16  # as many digits as the width allows


def test_rows_that_are_all_equal():
    for exact in (False, True):
        vectors = as_vectors(np.full((5, 3), 7.0), exact=exact)
        assert not np.any(vectors.rows)
        assert vectors.largest_square == 0


def test_sum_rows():
    rows = np.array([[1.0, 2], [3, 4], [5, 6]])
    assert sum_rows(rows, np.array([2, 0, 2]), 4).tolist() == [[3, 4], [0, 0], [6, 8], [0, 0]]
