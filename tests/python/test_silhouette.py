"""Silhouettes: by hand, against scikit-learn, near-duplicates, offsets, exactness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.metrics import silhouette_samples

from imagestrata.clustering import silhouette as silhouette_module
from imagestrata.clustering.silhouette import silhouettes
from imagestrata.clustering.vectors import as_vectors


def reference(matrix: np.ndarray, labels: np.ndarray, metric: str = "euclidean") -> np.ndarray:
    """scikit-learn's silhouettes of distances computed pair by pair, in float64."""
    wide = matrix.astype(np.float64)
    return silhouette_samples(cdist(wide, wide, metric), labels, metric="precomputed")


@pytest.mark.parametrize("exact", [False, True])
def test_four_points_by_hand(exact):
    vectors = as_vectors(np.array([[0.0], [1], [4], [6]]), exact=exact)
    # a = 1, 1, 2, 2 and b = 5, 4, 3.5, 5.5
    wanted = [4 / 5, 3 / 4, 1.5 / 3.5, 3.5 / 5.5]
    np.testing.assert_allclose(silhouettes(vectors, np.array([3, 3, 8, 8])), wanted, rtol=1e-5)
    # Squared: a = 1, 1, 4, 4 and b = (16 + 36) / 2, (9 + 25) / 2, (16 + 9) / 2, (36 + 25) / 2
    wanted = [25 / 26, 16 / 17, 8.5 / 12.5, 26.5 / 30.5]
    found = silhouettes(vectors, np.array([3, 3, 8, 8]), "squared")
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@st.composite
def clouds(draw):
    """Vectors with labels: any shape, offset and scale, duplicates and near-duplicates."""
    seed = draw(st.integers(0, 2**32 - 1))
    n, d, k = draw(st.integers(3, 70)), draw(st.integers(1, 60)), draw(st.integers(2, 8))
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, d)) * rng.gamma(1, size=(n, 1))
    n_near = draw(st.integers(0, n))
    near = rng.integers(n, size=n_near)
    source = rng.integers(n, size=n_near)
    matrix[near] = matrix[source] + draw(st.sampled_from([0, 1e-5, 1e-3])) * matrix[near]
    matrix = matrix * draw(st.sampled_from([1e-6, 1, 1e4])) + draw(st.sampled_from([0, 1, 1e5]))
    labels = rng.integers(k, size=n)
    labels[:2] = 0, 1
    return matrix.astype(draw(st.sampled_from(["float32", "float64"]))), labels


def test_squared_of_copies_that_differ_in_the_fifth_digit():
    """The difference of large squares leaves nothing of them in float32."""
    rng = np.random.default_rng(0)
    far, near = rng.normal(size=(4, 7)), rng.normal(size=(1, 7))
    copies = near + 1e-5 * rng.normal(size=(3, 7))
    matrix = (1e-6 * np.vstack([copies[:1], far, copies[1:]])).astype(np.float32)
    labels = np.array([0, 1, 2, 1, 1, 0, 3])
    found = silhouettes(as_vectors(matrix), labels, "squared")
    np.testing.assert_allclose(found, reference(matrix, labels, "sqeuclidean"), atol=5e-3)


def has_near_copies(matrix):
    """Whether two rows differ in the fifth digit only: by a hundred roundings of float32."""
    centred = matrix.astype(np.float64) - matrix.mean(axis=0, dtype=np.float64)
    apart = cdist(centred, centred)
    return bool(((apart > 0) & (apart < 1e-4 * np.linalg.norm(centred, axis=1))).any())


@settings(max_examples=150)
@given(clouds(), st.sampled_from(["exact", "squared"]), st.integers(1, 40))
def test_agree_with_scikit_learn(cloud, measure, block):
    matrix, labels = cloud
    if len(np.unique(labels)) == len(labels):
        return  # scikit-learn refuses; ours are all 0
    old, silhouette_module._BLOCK = silhouette_module._BLOCK, block
    try:
        found = silhouettes(as_vectors(matrix), labels, measure)
    finally:
        silhouette_module._BLOCK = old
    metric = "euclidean" if measure == "exact" else "sqeuclidean"
    wanted = reference(matrix, labels, metric)
    if measure == "exact":
        np.testing.assert_allclose(found, wanted, atol=5e-3 if has_near_copies(matrix) else 1e-4)
    elif np.ptp(matrix) > 1e-3 * np.abs(matrix).max():
        np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_tight_clusters_far_apart_keep_their_inner_order():
    """Squared norms are 10^8 times the squared distances that matter."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(6, 64)) * 10
    labels = np.repeat(np.arange(12), 40)
    inner = 0.001 * (rng.normal(size=(480, 64)) + 0.5 * (labels[:, None] % 2))
    matrix = (centers[labels // 2] + inner).astype(np.float32)
    wanted = reference(matrix, labels)
    assert wanted.std() > 0.005  # not all alike: there is something to get wrong
    np.testing.assert_allclose(silhouettes(as_vectors(matrix), labels), wanted, atol=1e-4)


def test_larger_than_a_block():
    rng = np.random.default_rng(1)
    labels = rng.integers(23, size=2700)
    matrix = (rng.normal(size=(2700, 16)) + 0.3 * rng.normal(size=(23, 16))[labels]).astype("f4")
    wanted = silhouette_samples(matrix, labels)
    np.testing.assert_allclose(silhouettes(as_vectors(matrix), labels), wanted, atol=1e-5)


def test_one_cluster_single_rows_and_equal_rows():
    vectors = as_vectors(np.arange(4.0)[:, None])
    assert silhouettes(vectors, np.zeros(4, dtype=int)).tolist() == [0, 0, 0, 0]
    assert silhouettes(vectors, np.arange(4)).tolist() == [0, 0, 0, 0]
    equal = as_vectors(np.ones((4, 2)))
    assert silhouettes(equal, np.array([0, 0, 1, 1])).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("measure", ["exact", "squared"])
def test_exact_silhouettes_do_not_depend_on_blocks(measure, monkeypatch):
    rng = np.random.default_rng(2)
    vectors = as_vectors(rng.normal(size=(400, 50)).astype(np.float32), exact=True)
    labels = rng.integers(5, size=400)
    wanted = silhouettes(vectors, labels, measure)
    for block in (7, 64, 399):
        monkeypatch.setattr(silhouette_module, "_BLOCK", block)
        assert (silhouettes(vectors, labels, measure) == wanted).all()
    order = rng.permutation(400)
    assert (silhouettes(vectors.take(order), labels[order], measure) == wanted[order]).all()


def groups(sizes, d=24, seed=5):
    """Vectors of overlapping groups, and the group of each."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centers = rng.normal(size=(len(sizes), d)) * np.linspace(0.2, 1, len(sizes))[:, None]
    return (centers[labels] + 0.4 * rng.normal(size=(len(labels), d))).astype(np.float32), labels


def test_sampled_silhouettes_of_small_clusters_are_exact():
    matrix, labels = groups([1, 2, 50, silhouette_module.SAMPLED])
    vectors = as_vectors(matrix)
    np.testing.assert_allclose(
        silhouettes(vectors, labels, "sampled"), silhouettes(vectors, labels), atol=1e-5
    )


def test_sampled_silhouettes_are_near_the_exact_ones():
    matrix, labels = groups([3000, 1500, 800, 700, 400, 300, 20, 1])
    vectors = as_vectors(matrix)
    exact = silhouettes(vectors, labels)
    sizes = np.bincount(labels)
    means = np.bincount(labels, exact) / sizes
    for seed in range(3):
        found = silhouettes(vectors, labels, "sampled", np.random.default_rng(seed))
        assert np.abs(found - exact).max() < 0.02
        np.testing.assert_allclose(np.bincount(labels, found) / sizes, means, atol=0.003)
    # What is estimated is not what is drawn: other draws err otherwise.
    again = silhouettes(vectors, labels, "sampled", np.random.default_rng(0))
    assert (again != found).any()


def test_the_regression_takes_away_most_of_the_sampling_error(monkeypatch):
    matrix, labels = groups([3000, 1500, 800])
    vectors = as_vectors(matrix)
    exact = silhouettes(vectors, labels)
    corrected = silhouettes(vectors, labels, "sampled")
    monkeypatch.setattr(silhouette_module, "_correct", lambda *given: None)
    plain = silhouettes(vectors, labels, "sampled")
    assert np.abs(corrected - exact).mean() < np.abs(plain - exact).mean() / 3


def test_the_regression_stands_far_outliers():
    """One row in fifty lies thirty times as far off: squares know of little else."""
    matrix, labels = groups([2000, 1500])
    far = np.flatnonzero(labels == 0)[::50]
    matrix[far] *= 30
    vectors = as_vectors(matrix)
    exact = silhouettes(vectors, labels)
    near = np.setdiff1d(np.arange(len(labels)), far)
    for seed in range(3):
        found = silhouettes(vectors, labels, "sampled", np.random.default_rng(seed))
        assert np.abs(found - exact)[near].mean() < 0.1


def test_correction_by_hand():
    """Distances 1 and 3 drawn of 1, 3, 3, 5: on the line through (1, 1) and (9, 3)."""
    d = np.array([1.0, 3.0])
    moments = np.array([[[(d**power).mean()]] for power in (1, 2, 3, 4)])
    silhouette_module._correct(moments, np.array([[(1 + 9 + 9 + 25) / 4]]), np.array([2]))
    assert moments[0, 0, 0] == pytest.approx(2 + (11 - 5) * (3 - 1) / (9 - 1))
    equal = np.array([[[2.0]], [[4.0]], [[8.0]], [[16.0]]])
    silhouette_module._correct(equal, np.array([[4.004]]), np.array([2]))
    assert equal[0, 0, 0] == pytest.approx(2 + 0.004 / (2 * 2))


def test_squares_of_rows_that_are_not_in_the_sample_correct_by_four_standard_errors():
    """Distances 1 and 3 drawn; a row at 100 was not: the mean square is 30 standard errors off."""
    d = np.array([1.0, 3.0] * 8)
    moments = np.array([[[(d**power).mean()]] for power in (1, 2, 3, 4)])
    silhouette_module._correct(moments, np.array([[(16 * 5 + 100**2) / 17]]), np.array([16]))
    assert moments[0, 0, 0] == pytest.approx(2 + 4 * np.sqrt(16 / 16) * (3 - 1) / (9 - 1))


def test_sampled_silhouettes_of_tight_clusters_with_far_rows_are_near_the_exact_ones():
    """As after the neighbourhood step: nearly all rows of a cluster are in one place."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 600)
    centers = np.eye(8, 16)
    matrix = centers[labels] + 1e-4 * rng.normal(size=(len(labels), 16))
    far = rng.choice(len(labels), 60, replace=False)
    matrix[far] += 0.3 * rng.normal(size=(60, 16))
    vectors = as_vectors(matrix.astype(np.float32))
    exact = np.bincount(labels, silhouettes(vectors, labels)) / 600
    found = np.bincount(labels, silhouettes(vectors, labels, "sampled")) / 600
    np.testing.assert_allclose(found, exact, atol=0.02)


def test_a_row_is_not_compared_with_itself():
    """Two clusters of one point each, 300 times: a is 0 for all, drawn or not."""
    matrix = np.repeat([[0.0, 0], [3, 4]], 300, axis=0)
    found = silhouettes(as_vectors(matrix), np.repeat([0, 1], 300), "sampled")
    assert (found == 1).all()


def test_auto_is_exact_for_as_many_images_as_take_seconds():
    assert silhouette_module.pick_measure("auto", silhouette_module.MOST_EXACT) == "exact"
    assert silhouette_module.pick_measure("auto", silhouette_module.MOST_EXACT + 1) == "sampled"
    assert silhouette_module.pick_measure("squared", 10) == "squared"
