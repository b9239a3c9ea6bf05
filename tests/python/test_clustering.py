"""Clustering: tables, saving and loading, predicting."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imagestrata import Clustering, Embeddings, ImagestrataError, cluster_images


@pytest.fixture(scope="module")
def embeddings():
    rng = np.random.default_rng(0)
    groups = np.repeat(rng.normal(size=(4, 6)) * 6, [40, 30, 25, 5], axis=0)
    return Embeddings.from_arrays(groups + rng.normal(size=groups.shape))


@pytest.fixture(scope="module")
def clustering(embeddings):
    return cluster_images(embeddings, progress=False)


def test_tables_fit_together(clustering):
    images, clusters = clustering.images, clustering.clusters
    assert list(images)[:8] == [
        "image_id", "path", "file", "cluster", "iteration", "silhouette", "distance", "n_copies"
    ]  # fmt: skip
    assert list(clusters) == ["cluster", "size", "share", "silhouette", "iteration", "n_added"]
    assert clusters["cluster"].tolist() == list(range(1, len(clusters) + 1))
    assert clusters["size"].is_monotonic_decreasing
    sizes = images["cluster"].value_counts()
    assert clusters["size"].tolist() == sizes[clusters["cluster"]].tolist()
    np.testing.assert_allclose(clusters["share"], clusters["size"] / 100)
    line = clustering.summary.iloc[0]
    assert line["n_images"] == 100 == clusters["size"].sum() + line["n_residual"]
    assert line["n_iterations"] == len(clustering.trace)
    assert line["method"] == "iterative"


def test_saved_and_loaded_it_is_the_same(clustering, tmp_path):
    clustering.save(tmp_path)
    loaded = Clustering.load(tmp_path)
    for name in ("images", "clusters", "trace", "summary"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(clustering, name))
    np.testing.assert_array_equal(loaded.centroids, clustering.centroids)
    assert loaded.settings == clustering.settings


def test_without_any_cluster_it_can_be_saved(tmp_path):
    with pytest.warns(UserWarning, match=r"fewer than .stop_size"):
        empty = cluster_images(np.eye(5), progress=False)
    empty.save(tmp_path)
    loaded = Clustering.load(tmp_path)
    assert loaded.centroids.shape == (0, 5)
    assert loaded.summary["n_residual"].tolist() == [5]
    with pytest.raises(ImagestrataError, match="no cluster"):
        loaded.predict(np.eye(5))


def test_predict_finds_the_nearest_centroid(clustering, embeddings):
    found = clustering.predict(embeddings)
    distances = np.linalg.norm(embeddings.matrix[:, None] - clustering.centroids, axis=2)
    assert (found["cluster"] == distances.argmin(axis=1) + 1).all()
    np.testing.assert_allclose(found["distance"], distances.min(axis=1), rtol=1e-5)


def test_predict_refuses_other_encoders(clustering, embeddings):
    with pytest.raises(ImagestrataError, match="6 numbers"):
        clustering.predict(np.eye(7))
    named = Embeddings(embeddings.images, embeddings.matrix, {"name": "hog", "width": 6})
    other = Embeddings(embeddings.images, embeddings.matrix, {"name": "bovw", "width": 6})
    with pytest.raises(ImagestrataError, match="hog"):
        cluster_images(named, progress=False).predict(other)


def test_the_first_line_is_for_people(clustering):
    line = repr(clustering).splitlines()[0]
    assert line.startswith(f"Clustering: 100 images in {len(clustering.clusters)} clusters")


def test_load_says_what_is_missing(tmp_path):
    with pytest.raises(ImagestrataError, match="contains no clustering"):
        Clustering.load(tmp_path)


def test_printing_names_an_encoder_only_where_there_was_one(clustering):
    assert "encoder" not in repr(clustering)


def test_printing_says_when_there_are_more_clusters():
    def lines(n):
        vectors = np.repeat(np.eye(n) * 9, 5, axis=0)
        topics = cluster_images(vectors, "kmeans", n_clusters=n, progress=False)
        return repr(topics).splitlines()

    assert len(lines(4)) == 6 and " of " not in lines(4)[-1]
    assert len(lines(16)) == 13 and lines(16)[-1] == "(10 of 16 clusters)"
