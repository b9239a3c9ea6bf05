"""cluster_images: methods, presets, run folders, interruption, odd input."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from imagestrata import Embeddings, ImagestrataError, IterativeKMeans, cluster_images
from imagestrata.clustering.cluster import METHODS, PRESETS


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(0)
    groups = np.repeat(rng.normal(size=(6, 8)) * 3, [60, 40, 30, 25, 25, 20], axis=0)
    return (groups + rng.normal(size=groups.shape)).astype(np.float32)


def cluster(images, *arguments, **settings):
    return cluster_images(images, *arguments, progress=False, **settings)


def assert_same(one, other):
    for name in ("images", "clusters", "summary"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))
    timeless = [c.trace.drop(columns="seconds") for c in (one, other)]
    pd.testing.assert_frame_equal(*timeless)
    np.testing.assert_array_equal(one.centroids, other.centroids)


def test_is_the_estimator_with_clusters_from_one(matrix):
    model = IterativeKMeans(random_state=3).fit(matrix)
    found = cluster(matrix, seed=3)
    labels = found.images["cluster"].to_numpy()
    assert (labels == np.where(model.labels_ < 0, -1, model.labels_ + 1)).all()
    np.testing.assert_array_equal(found.centroids, model.cluster_centers_)


def test_single_kmeans(matrix):
    found = cluster(matrix, "kmeans", n_clusters=6)
    assert found.summary[["n_clusters", "n_residual", "n_iterations"]].iloc[0].tolist() == [6, 0, 1]
    assert (found.images["iteration"] == 1).all()


def test_presets_and_settings(matrix):
    found = cluster(matrix, preset="paper", similarity_threshold=0.04)
    assert found.settings["k_criterion"] == "explained_variance"
    assert found.settings["similarity_threshold"] == 0.04
    known = METHODS["iterative"]().get_params()
    assert all(set(preset) <= set(known) for preset in PRESETS.values())


def test_columns_of_the_images_travel_along(matrix):
    embeddings = Embeddings.from_arrays(matrix)
    embeddings.images["n_copies"] = 3
    embeddings.images["party"] = ["left", "right"] * 100
    found = cluster(embeddings)
    assert found.images["party"].tolist() == ["left", "right"] * 100
    assert (found.images["n_copies"] == 3).all()
    assert found.summary["n_images"].iloc[0] == 200  # distinct images, not copies


def test_a_finished_run_is_loaded(matrix, tmp_path, monkeypatch):
    first = cluster(matrix, out=tmp_path)
    monkeypatch.setattr(IterativeKMeans, "_fit_remaining", None)
    assert_same(cluster(matrix, out=tmp_path), first)
    assert not (tmp_path / "partial").exists()


def test_interrupted_it_goes_on_and_computes_nothing_twice(matrix, tmp_path, monkeypatch):
    undisturbed = cluster(matrix)
    iterate = IterativeKMeans._fit_remaining
    done = []

    def interrupted(self, X, remaining, entropy, engine):
        if len(done) in (2, 3):
            done.append(None)
            raise KeyboardInterrupt
        done.append(entropy)
        return iterate(self, X, remaining, entropy, engine)

    monkeypatch.setattr(IterativeKMeans, "_fit_remaining", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            cluster(matrix, out=tmp_path)
    assert_same(cluster(matrix, out=tmp_path), undisturbed)
    computed = [entropy for entropy in done if entropy is not None]
    assert len(set(computed)) == len(computed) >= len(undisturbed.trace)


def test_another_clustering_in_the_folder_is_kept(matrix, tmp_path):
    cluster(matrix, out=tmp_path)
    with pytest.raises(ImagestrataError, match="already holds the step 'cluster'"):
        cluster(matrix, out=tmp_path, k=7)
    with pytest.raises(ImagestrataError, match="other images"):
        cluster(matrix + 1, out=tmp_path)
    again = cluster(matrix, out=tmp_path, k=7, overwrite=True)
    assert again.settings["k"] == 7


def test_wrong_settings_leave_no_trace(matrix, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(ImagestrataError, match="n_components"):
        cluster(matrix, out=out, n_components=99)
    with pytest.raises(ImagestrataError, match="has no setting 'n_clusters'"):
        cluster(matrix, out=out, n_clusters=9)
    with pytest.raises(ImagestrataError, match="has no setting 'k'"):
        cluster(matrix, "kmeans", out=out, k=9)
    with pytest.raises(ImagestrataError, match="n_clusters"):
        cluster(matrix, "kmeans", out=out, n_clusters=201)
    with pytest.raises(ImagestrataError, match="method"):
        cluster(matrix, "dbscan", out=out)
    with pytest.raises(ImagestrataError, match="preset"):
        cluster(matrix, preset="best", out=out)
    with pytest.raises(ImagestrataError, match="seed"):
        cluster(matrix, seed=-1, out=out)
    assert not out.exists()


def test_vectors_that_are_not_numbers(matrix):
    embeddings = Embeddings.from_arrays(matrix.copy())
    embeddings.matrix[[4, 9], 2] = np.nan, np.inf
    with pytest.raises(ImagestrataError, match=r"2 of 200 vectors .* row 4"):
        cluster(embeddings)
    with pytest.raises(ImagestrataError, match="finite"):
        cluster(embeddings.matrix)
    with pytest.raises(ImagestrataError, match="not an int"):
        cluster(5)


@pytest.mark.parametrize(
    ("vectors", "why"),
    [
        (np.ones((1, 3)), "fewer than `stop_size`"),
        (np.eye(19), "fewer than `stop_size`"),
        (np.ones((30, 3)), "are the same"),
    ],
)
def test_nothing_to_tell_apart(vectors, why, tmp_path):
    with pytest.warns(UserWarning, match=why):
        found = cluster(vectors, out=tmp_path)
    assert (found.images["cluster"] == -1).all()
    assert len(found.clusters) == 0


def test_one_cluster_with_nearly_all_images_is_worth_a_word():
    crowd = np.zeros((20, 2))
    with pytest.warns(UserWarning, match="Cluster 1 contains 95% of the images"):
        cluster(np.vstack([crowd[1:], [[9.0, 9.0]]]), method="kmeans", n_clusters=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cluster(np.vstack([crowd[2:], [[9.0, 9.0]] * 2]), method="kmeans", n_clusters=2)


def test_progress_counts_images(matrix):
    calls = []
    cluster_images(matrix, progress=lambda *call: calls.append(call))
    assert calls[0] == ("Clustering", 0, 200)
    assert calls[-1] == ("Clustering", 200, 200)
