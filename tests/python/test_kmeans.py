"""K-means: by hand, against scikit-learn, empty clusters, exactness."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs

from imagestrata.clustering.kmeans import assign, kmeans, lloyd, seed_centers
from imagestrata.clustering.vectors import as_vectors
from imagestrata.rows import blocks

LINE = np.array([[0.0], [1], [9], [10], [11]])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def within(matrix: np.ndarray, labels: np.ndarray) -> float:
    """Sum of squares about the means, in the units of the matrix."""
    return sum(
        float(((matrix[labels == k] - matrix[labels == k].mean(axis=0)) ** 2).sum())
        for k in np.unique(labels)
    )


@pytest.mark.parametrize("exact", [False, True])
def test_five_points_by_hand(exact):
    vectors = as_vectors(LINE, exact=exact)
    fit = kmeans(vectors, 2, rng())
    assert fit.labels[0] == fit.labels[1] != fit.labels[2] == fit.labels[3] == fit.labels[4]
    unit = vectors.rows[1, 0] - vectors.rows[0, 0]
    assert fit.inertia / unit**2 == pytest.approx(0.5 + 2, rel=1e-5)
    near, far = sorted((fit.centers[:, 0] - vectors.rows[0, 0]) / unit)
    assert near == pytest.approx(0.5, rel=1e-5)
    assert far == pytest.approx(10, rel=1e-5)


def test_one_pass_by_hand():
    vectors = as_vectors(LINE)
    labels, squares, sums, counts = assign(vectors, vectors.rows[[0, 3]])
    unit = vectors.rows[1, 0] - vectors.rows[0, 0]
    assert labels.tolist() == [0, 0, 1, 1, 1]
    np.testing.assert_allclose(squares / unit**2, [0, 1, 1, 0, 1], atol=1e-5)
    np.testing.assert_allclose(sums[1], vectors.rows[2:].sum(axis=0), rtol=1e-6)
    assert counts.tolist() == [2, 3]


def test_passes_over_parts_add_up():
    vectors = as_vectors(rng().normal(size=(90, 6)), exact=True)
    centers = vectors.rows[:4]
    parts = [assign(vectors.take(rows), centers) for rows in np.array_split(np.arange(90), 3)]
    labels, _, sums, counts = assign(vectors, centers)
    assert np.concatenate([part[0] for part in parts]).tolist() == labels.tolist()
    assert (sum(part[2] for part in parts) == sums).all()
    assert (sum(part[3] for part in parts) == counts).all()


def test_equally_near_centers_go_to_the_first():
    vectors = as_vectors(np.array([[-1.0], [0], [1]]))
    labels, *_ = assign(vectors, np.array([[0.5], [-0.5]], dtype=np.float32))
    assert labels.tolist() == [1, 0, 0]


def unbalanced(n_features: int) -> np.ndarray:
    """Thirty groups of very different sizes that overlap, as embeddings of photographs do."""
    sizes = [3000 // i for i in range(1, 31)]
    box = 10 / np.sqrt(n_features)
    return make_blobs(sizes, n_features, center_box=(-box, box), cluster_std=2, random_state=3)[0]


@pytest.mark.parametrize("k", [5, 12, 30])
@pytest.mark.parametrize("n_features", [3, 40])
def test_within_one_percent_of_the_best_of_ten(k, n_features):
    matrix = unbalanced(n_features)
    best = KMeans(k, n_init=10, random_state=0).fit(matrix)
    found = within(matrix, kmeans(as_vectors(matrix), k, rng()).labels)
    assert found <= 1.01 * best.inertia_


def test_given_centers_compete():
    matrix, truth = make_blobs(2600, 2, centers=30, cluster_std=0.1, random_state=0)
    vectors = as_vectors(matrix)
    means = np.stack([vectors.rows[truth == k].mean(axis=0) for k in range(30)])
    best = lloyd(vectors, means).inertia
    alone = [kmeans(vectors, 30, rng(seed), n_init=1).inertia for seed in range(6)]
    helped = [kmeans(vectors, 30, rng(seed), n_init=1, centers=means).inertia for seed in range(6)]
    assert max(alone) > 1.1 * best
    np.testing.assert_allclose(helped, best, rtol=1e-3)


@pytest.mark.parametrize("exact", [False, True])
def test_fewer_distinct_rows_than_clusters(exact):
    matrix = np.repeat([[0.0, 0], [5, 1], [7, 7]], 4, axis=0)
    fit = kmeans(as_vectors(matrix, exact=exact), 6, rng())
    assert fit.inertia == pytest.approx(0, abs=1e-6)
    assert len(np.unique(fit.labels)) == 3
    assert (fit.labels.reshape(3, 4) == fit.labels[::4, None]).all()


@pytest.mark.parametrize("exact", [False, True])
def test_an_empty_cluster_takes_the_farthest_row(exact):
    vectors = as_vectors(np.array([[0.0], [1], [2], [30]]), exact=exact)
    centers = np.array([vectors.rows[1], 9 * vectors.rows[3]])
    fit = lloyd(vectors, centers)
    assert fit.labels.tolist() == [0, 0, 0, 1]


def test_seeds_are_distinct_rows():
    vectors = as_vectors(rng().normal(size=(200, 5)))
    seeds = seed_centers(vectors, 20, rng(1))
    assert len(np.unique(seeds, axis=0)) == 20
    rows = set(map(tuple, vectors.rows[:]))
    assert all(tuple(seed) in rows for seed in seeds)


def test_seeds_prefer_far_rows():
    vectors = as_vectors(np.array([[0.0]] * 50 + [[1000.0], [2000.0]]))
    for seed in range(10):
        assert len(np.unique(seed_centers(vectors, 3, rng(seed)))) == 3


def test_exact_fits_do_not_depend_on_blocks_or_order_of_sums(monkeypatch):
    matrix = rng().normal(size=(1500, 33)).astype(np.float32)
    one = kmeans(as_vectors(matrix, exact=True), 9, rng(4))
    monkeypatch.setattr(blocks, "__defaults__", (101,))
    other = kmeans(as_vectors(matrix, exact=True), 9, rng(4))
    assert (one.labels == other.labels).all()
    assert (one.centers == other.centers).all()
    assert one.inertia == other.inertia
