"""Nearest neighbours: against sorting all dot products, with ties, blocks and threads."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from imagestrata.clustering import nearest
from imagestrata.clustering.nearest import nearest_neighbors
from imagestrata.engine import open_threads
from imagestrata.rows import unit_rows


def sorted_out(rows: np.ndarray, k: int, among: np.ndarray | None = None) -> np.ndarray:
    products = rows @ (rows if among is None else among).T
    if among is None:
        np.fill_diagonal(products, -np.inf)
    return np.sort(np.argsort(-products, axis=1, kind="stable")[:, :k], axis=1)


def whole_numbers(n: int, d: int = 4, largest: int = 3) -> np.ndarray:
    """Rows with many ties and duplicates, whose products have no rounding errors."""
    rng = np.random.default_rng(n)
    return rng.integers(-largest, largest + 1, size=(n, d)).astype(np.float32)


@pytest.mark.parametrize("n", [2, 3, 16, 17, 33, 255, 256, 257, 1000])
@pytest.mark.parametrize("k", [1, 2, 15])
def test_the_first_of_the_nearest_are_found(n, k):
    rows, k = whole_numbers(n), min(k, n - 1)
    np.testing.assert_array_equal(nearest_neighbors(rows, k), sorted_out(rows, k))


def test_among_other_rows_a_row_may_be_its_own_neighbour():
    rows, others = whole_numbers(300), whole_numbers(77)
    found = nearest_neighbors(rows, 5, among=others)
    np.testing.assert_array_equal(found, sorted_out(rows, 5, others))
    circle = np.array([[1, 0], [0, 1], [-1, 0]], dtype=np.float32)
    assert nearest_neighbors(circle, 1, among=circle).ravel().tolist() == [0, 1, 2]
    assert nearest_neighbors(circle, 1).ravel().tolist() == [1, 0, 1]


def test_all_rows_may_be_neighbours_and_all_rows_may_be_equal():
    rows = np.ones((300, 3), dtype=np.float32)
    assert nearest_neighbors(rows, 2)[[0, 1, 2, 299]].tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]
    assert nearest_neighbors(rows[:4], 3)[3].tolist() == [0, 1, 2]
    assert nearest_neighbors(rows[:4], 4, among=rows[:4])[3].tolist() == [0, 1, 2, 3]


def test_neighbours_depend_neither_on_blocks_nor_on_threads(monkeypatch):
    rows = whole_numbers(900)
    alone = nearest_neighbors(rows, 7)
    monkeypatch.setattr(nearest, "_BLOCK", 100)
    with open_threads(3) as engine:
        found = nearest_neighbors(rows, 7, engine)
    np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("n", [5, 300, 2500])
def test_nearest_neighbours_are_those_of_scikit_learn(n):
    rows = unit_rows(np.random.default_rng(n).normal(size=(n, 20)))
    k = min(15, n - 1)
    theirs = NearestNeighbors(n_neighbors=k + 1).fit(rows).kneighbors(rows)[1][:, 1:]
    np.testing.assert_array_equal(nearest_neighbors(rows, k), np.sort(theirs, axis=1))


def test_of_equally_near_rows_the_first_are_taken():
    rows = np.array([[1.0, 0], [0, 1], [0, 1], [0, 1], [0, 1]])
    assert nearest_neighbors(rows, 2).tolist() == [[1, 2], [2, 3], [1, 3], [1, 2], [1, 2]]
