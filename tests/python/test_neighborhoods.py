"""The neighbourhood step: by hand, against dense and other computations, on odd input."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from threadpoolctl import threadpool_limits

from imagestrata import IterativeKMeans, SingleKMeans, cluster_images
from imagestrata.clustering import few, iterative, neighborhoods
from imagestrata.clustering.nearest import nearest_neighbors
from imagestrata.clustering.neighborhoods import (
    default_neighbors,
    neighborhood_rows,
    neighbors_of_topics,
    shared_neighbors,
)
from imagestrata.clustering.silhouette import silhouettes
from imagestrata.clustering.vectors import as_vectors
from imagestrata.engine import open_threads
from imagestrata.rows import Rows, as_rows, unit_rows


def groups(sizes, d=40, spread=1.0, seed=0):
    """Noisy groups in a random order: vectors and truth."""
    centers = np.random.default_rng(seed).normal(size=(len(sizes), d)) * 2
    X, truth = make_blobs(sizes, d, centers=centers, cluster_std=spread, random_state=seed)
    return X.astype(np.float32), truth


def moved(X, *given, **settings):
    return np.asarray(neighborhood_rows(Rows(unit_rows(X)), *given, **settings))


def test_shared_neighbours_by_hand():
    """0 - 1 - 2 in a row, and 3 whose neighbour is 2."""
    neighbors = np.array([[1], [0], [1], [2]])
    # Neighbourhoods: {0, 1}, {0, 1}, {1, 2}, {2, 3}; 1 and 2 are linked since 1 is 2's neighbour.
    assert shared_neighbors(neighbors).toarray().tolist() == [
        [2, 2, 0, 0],
        [2, 2, 1, 0],
        [0, 1, 2, 1],
        [0, 0, 1, 2],
    ]


def test_the_walk_is_that_of_the_dense_matrix():
    X, _ = groups([40, 30, 20], d=12)
    rows = unit_rows(X - X.mean(axis=0, dtype=np.float64).astype(np.float32))
    links = shared_neighbors(nearest_neighbors(rows, 5))
    dense = links.toarray() / links.toarray().sum(axis=1, keepdims=True)
    for n_steps in (1, 8, 64):
        ours = neighborhoods._walk(links, rows, n_steps, False, None)
        np.testing.assert_allclose(ours, np.linalg.matrix_power(dense, n_steps) @ rows, atol=1e-5)


def test_rows_of_a_group_come_together():
    X, truth = groups([80, 60, 40, 30, 30])
    rows = moved(X)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    means = np.stack([rows[truth == group].mean(axis=0) for group in range(5)])
    assert np.linalg.norm(rows - means[truth], axis=1).max() < 0.05
    assert np.linalg.norm(means[:, None] - means, axis=2)[np.triu_indices(5, 1)].min() > 0.5


def test_the_order_of_rows_does_not_matter():
    X, _ = groups([80, 60, 40], d=30)
    order = np.random.default_rng(1).permutation(len(X))
    np.testing.assert_allclose(moved(X[order]), moved(X)[order], atol=1e-3)


def test_copies_count_once_and_move_together():
    X, _ = groups([60, 50, 40])
    many = np.concatenate([X, np.repeat(X[:1], 40, axis=0)])
    # Found among as many neighbours, since the default depends on the number of images.
    rows = moved(many, 8)
    np.testing.assert_array_equal(rows[: len(X)], moved(X, 8))
    assert (rows[len(X) :] == rows[0]).all()


@pytest.mark.parametrize(("n", "default"), [(2, 4), (99, 4), (100, 5), (299, 14), (300, 15)])
def test_small_corpora_have_fewer_neighbours(n, default):
    assert default_neighbors(n) == default


@pytest.mark.parametrize("X", [np.zeros((30, 4)), np.ones((30, 4)), np.ones((1, 3))], ids=str)
def test_rows_in_one_place_show_no_groups(X):
    assert not moved(X.astype(np.float32)).any()


def test_odd_rows():
    """A row of zeros, one column, fewer rows than neighbours, and float64."""
    X, truth = groups([50, 40, 30])
    X[7] = 0
    assert np.isfinite(moved(X)).all()
    assert np.isfinite(moved(X[:, :1])).all()
    assert np.isfinite(moved(X[:3], 15)).all()
    np.testing.assert_allclose(moved(X.astype(np.float64)), moved(X), atol=1e-3)
    model = SingleKMeans(n_clusters=3, neighbors=15, random_state=0).fit(X)
    assert adjusted_rand_score(np.delete(truth, 7), np.delete(model.labels_, 7)) == 1


@pytest.mark.parametrize("n_groups", [2, 3, 4])
@pytest.mark.parametrize("exact", [False, True])
def test_few_equal_groups_are_found(n_groups, exact):
    X, truth = groups([120] * n_groups, spread=1.5)
    model = IterativeKMeans(exact=exact, random_state=0).fit(X)
    assert adjusted_rand_score(truth, model.labels_) == 1
    assert model.n_iter_ == 1
    assert model.trace_["k"].tolist() == model.trace_["n_cohesive"].tolist() == [n_groups]


@pytest.mark.parametrize("n_groups", [7, 9, 13])
def test_some_more_equal_groups_are_found_whatever_the_seed(n_groups):
    X, truth = groups([60] * n_groups, spread=1.5)
    for seed in range(3):
        model = IterativeKMeans(random_state=seed).fit(X)
        assert adjusted_rand_score(truth, model.labels_) > 0.99
        kept = model.searches_[model.searches_["kept"]]
        assert kept["k"].tolist() == [n_groups]
        assert kept["fit"].item() == model.searches_["fit"].max() > 0.9


def test_the_largest_number_is_no_answer(monkeypatch):
    """Twelve groups, of which the search sees up to six: the iterations find them."""
    monkeypatch.setattr(few, "_MOST", 6)
    monkeypatch.setattr(few, "_COHESIVE", 0.1)
    X, truth = groups([50] * 12, spread=1.5)
    model = IterativeKMeans(random_state=0).fit(X)
    assert model.n_iter_ > 1
    assert adjusted_rand_score(truth, model.labels_) > 0.9


def noise(kind, n, d, seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, d)) if kind == "uniform" else rng.normal(size=(n, d))
    if kind == "correlated":
        X = X / np.sqrt(1 + np.arange(d)) @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    return (X + 5 * rng.normal(size=d) * (kind == "away")).astype(np.float32)


@pytest.mark.parametrize("kind", ["normal", "uniform", "correlated", "away"])
@pytest.mark.parametrize("shape", [(200, 16), (1000, 16), (1000, 256)])
def test_noise_has_no_groups(kind, shape):
    for seed in range(3):
        model = IterativeKMeans(random_state=seed).fit(noise(kind, *shape, seed))
        assert not model.has_groups_
        assert (model.labels_ == -1).all()


def test_whether_there_are_groups_does_not_depend_on_the_number_of_neighbours():
    weak, _ = groups(np.arange(2, 32), d=32, spread=3.0)
    for number in (3, 5, 9, 40):
        assert moved(weak, number).any()
        assert not moved(noise("normal", 300, 16, 0), number).any()


def test_noise_is_said():
    with pytest.warns(UserWarning, match="the vectors show no groups"):
        found = cluster_images(noise("normal", 200, 16, 0), progress=False)
    assert (found.images["cluster"] == -1).all()
    raw = cluster_images(noise("normal", 200, 16, 0), neighbors=None, progress=False)
    assert (raw.images["cluster"] > 0).any()


def test_exact_does_not_depend_on_threads_or_layout():
    X, _ = groups([90, 70, 50, 40, 30, 30], spread=3)
    with threadpool_limits(1):
        one = moved(X, exact=True)
    with threadpool_limits(2):
        two = moved(np.asfortranarray(X), exact=True)
    np.testing.assert_array_equal(one, two)
    assert adjusted_rand_score(
        IterativeKMeans(exact=True, random_state=0).fit_predict(X),
        IterativeKMeans(random_state=0).fit_predict(X),
    ) > 0.9  # fmt: skip


def test_vectors_of_few_dimensions_stay_as_they_are():
    X, _ = groups([60, 50, 40], d=9)
    by_default = IterativeKMeans(random_state=0).fit(X)
    assert by_default.neighbors_ is None
    raw = IterativeKMeans(neighbors=None, random_state=0).fit(X)
    np.testing.assert_array_equal(by_default.labels_, raw.labels_)
    assert IterativeKMeans(neighbors=6, random_state=0).fit(X).neighbors_ == 6
    assert IterativeKMeans(random_state=0).fit(groups([60, 50], d=10)[0]).neighbors_ == 5


@pytest.mark.parametrize(
    ("n", "number"), [(20, 4), (100, 5), (1000, 5), (2000, 8), (3750, 15), (90_000, 15)]
)
def test_small_corpora_of_many_topics_have_fewer_neighbours(n, number):
    assert neighbors_of_topics(n) == number


def test_the_default_depends_on_what_there_is():
    """Forty topics of 8 to 60 images take few neighbours, two large groups take many."""
    X, truth = groups([8, 10, 12, 14] * 5 + [25, 60] * 10)
    model = IterativeKMeans(random_state=0).fit(X)
    assert model.neighbors_ == 5
    assert adjusted_mutual_info_score(truth, model.labels_) > 0.9
    five = IterativeKMeans(neighbors=5, random_state=0).fit(X)
    np.testing.assert_array_equal(model.labels_, five.labels_)
    assert IterativeKMeans(random_state=0).fit(groups([300, 300], spread=1.5)[0]).neighbors_ == 15
    weak, _ = groups(np.arange(2, 32), d=32, spread=3.0)
    assert IterativeKMeans(random_state=0).fit(weak).neighbors_ == 15


def test_the_settings_say_what_was_done():
    X, _ = groups([60, 50, 40, 30], d=20)
    by_default = cluster_images(X, progress=False).settings
    assert (by_default["neighbors"], by_default["normalize"]) == (9, "l2")
    raw = cluster_images(X, preset="paper", progress=False).settings
    assert (raw["neighbors"], raw["normalize"]) == (None, None)
    k_means = cluster_images(X, "kmeans", n_clusters=4, progress=False).settings
    assert k_means["neighbors"] is None


def test_new_vectors_are_placed_by_unit_length():
    X, truth = groups([80, 60, 40], spread=1.5)
    held_out = np.arange(len(X)) % 10 == 0
    model = IterativeKMeans(random_state=0).fit(X[~held_out])
    placed = model.predict(3 * X[held_out])
    majority = [np.bincount(truth[~held_out][model.labels_ == k]).argmax() for k in range(3)]
    assert (np.array(majority)[placed] == truth[held_out]).mean() > 0.95


@pytest.fixture
def taught(monkeypatch):
    """Groups of unequal size, of which a third of the rows teach the others."""
    monkeypatch.setattr(neighborhoods, "MOST_LEARNT", 1000)
    return groups([500, 450, 400, 350, 300, 250, 220, 180, 150, 100, 60, 40], d=160, spread=2.0)


@pytest.mark.parametrize("exact", [False, True])
def test_a_sample_teaches_the_other_rows(exact, taught):
    X, truth = taught
    rows = moved(X, exact=exact)
    assert rows.shape == (3000, 160 if exact else 128)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    means = unit_rows(np.stack([rows[truth == group].mean(axis=0) for group in range(12)]))
    assert ((rows @ means.T).argmax(axis=1) == truth).mean() > 0.995
    learnt = SingleKMeans(n_clusters=12, neighbors=15, random_state=0).fit(X)
    assert adjusted_rand_score(truth, learnt.labels_) > 0.99


def test_a_row_is_placed_by_the_neighbours_that_it_shares():
    """Rows at 0, 4, 20, 23 and 26 degrees, and a new one at 11."""

    def at(*degrees):
        return np.column_stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])

    rows = at(0, 4, 20, 23, 26)
    neighbors = nearest_neighbors(rows, 2)
    assert neighbors[[1, 2]].tolist() == [[0, 2], [3, 4]]
    places = np.array([[4.0, 0], [1, 0], [2, 6], [-3, -7], [-4, 1]])
    known = neighborhoods._Learnt(
        lambda given: given,
        rows,
        csr_array(neighborhoods._with_themselves(neighbors).T),
        places,
        np.arange(5),
        exact=False,
        kept=1.0,
    )
    # Its neighbours are 4 and 20. It shares two rows with the first (4, 20), one with the second.
    # The mean of all places is 0.
    np.testing.assert_allclose(known.place(at(11), 2), unit_rows(np.array([[4.0 / 3, 2]])))


def test_noise_of_which_a_sample_is_learnt_has_no_groups(monkeypatch):
    monkeypatch.setattr(neighborhoods, "MOST_LEARNT", 1000)
    assert not moved(noise("isotropic", 3000, 64, 0)).any()


@pytest.mark.parametrize("exact", [False, True])
def test_rows_in_a_file_are_placed_by_blocks_and_threads(exact, taught, tmp_path):
    X, _ = taught
    here = moved(X, exact=exact)
    np.save(tmp_path / "rows.npy", X)
    stored = as_rows(np.load(tmp_path / "rows.npy", mmap_mode="r"), "l2")
    assert stored.path is not None
    with open_threads(3) as engine:
        found = neighborhood_rows(stored, exact=exact, engine=engine)
    assert found.path is None
    if exact:
        np.testing.assert_array_equal(np.asarray(found), here)
    else:
        np.testing.assert_allclose(np.asarray(found), here, atol=1e-3)


def test_many_images_have_fewer_starts_of_which_the_most_cohesive_is_kept(monkeypatch):
    X, _ = groups(np.arange(2, 32), d=32, spread=3.0)
    found, iterate = [], IterativeKMeans._iterate

    def listed(self, *given):
        found.append(iterate(self, *given))
        return found[-1]

    monkeypatch.setattr(IterativeKMeans, "_iterate", listed)
    for many, n_starts, measure in ((10_000, 5, "exact"), (100, 3, "squared")):
        monkeypatch.setattr(iterative, "MANY", many)
        found.clear()
        model = IterativeKMeans(random_state=0).fit(X)
        assert len(found) == n_starts
        vectors = as_vectors(neighborhood_rows(Rows(unit_rows(X)), model.neighbors_))
        cohesion = [silhouettes(vectors, start.labels, measure).mean() for start in found]
        best = found[int(np.argmax(cohesion))].labels
        assert adjusted_rand_score(best, model.labels_) == 1
