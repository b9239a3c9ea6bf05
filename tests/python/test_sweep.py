"""The sweep over the smallest size of a cluster, and the table of confidence."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from imagestrata import (
    ImagestrataError,
    cluster_confidence,
    cluster_images,
    score_clustering,
    sweep_min_cluster_size,
)


@pytest.fixture(scope="module")
def points():
    """Groups of 60, 30 and 12, and eight points far from all of them."""
    rng = np.random.default_rng(1)
    groups = [rng.normal(size=(n, 3)) + at for n, at in [(60, 0), (30, 25), (12, -25)]]
    return np.vstack([*groups, rng.uniform(200, 900, size=(8, 3))]).astype(np.float32)


def clustered(points, **arguments):
    return cluster_images(points, "hdbscan", progress=False, **arguments)


def test_three_indices_by_hand():
    # Clusters {0, 2}, {10, 12, 14} on a line, and a point that counts for nothing.
    line = np.array([[0], [2], [10], [12], [14], [99]], dtype=np.float32)
    made = clustered(line, min_cluster_size=2, min_samples=1)
    images = made.images.assign(cluster=[2, 2, 1, 1, 1, -1])
    made = dataclasses.replace(made, images=images)
    scores = score_clustering(made, embeddings=line).set_index("measure")["estimate"]
    # a and b of each: 2, 12; 2, 10; 3, 9; 2, 11; 3, 13.
    silhouette = np.mean([10 / 12, 8 / 10, 6 / 9, 9 / 11, 10 / 13])
    assert scores["silhouette"] == pytest.approx(silhouette, abs=1e-6)
    # Means 1 and 12, of all 7.6: between 2 * 6.6^2 + 3 * 4.4^2, within 2 + 8.
    between = 2 * 6.6**2 + 3 * 4.4**2
    assert scores["calinski_harabasz"] == pytest.approx(between / (10 / 3))
    # Mean distances to the mean 1 and 4/3, means 11 apart.
    assert scores["davies_bouldin"] == pytest.approx((1 + 4 / 3) / 11)
    assert scores["share_residual"] == pytest.approx(1 / 6)


def test_a_row_for_each_size(points):
    swept = sweep_min_cluster_size(points, [10, 40, 20], progress=False)
    assert swept["min_cluster_size"].tolist() == [10, 40, 20]
    for row in swept.itertuples():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No cluster was found")
            made = clustered(points, min_cluster_size=row.min_cluster_size)
        inside = made.images["cluster"].to_numpy() > 0
        assert row.n_clusters == len(made.clusters)
        assert row.n_noise == (~inside).sum()
        assert row.share_noise == pytest.approx(np.mean(~inside))
        if row.n_clusters >= 2:
            given = points[inside], made.images["cluster"][inside]
            assert row.silhouette == pytest.approx(silhouette_score(*given), abs=1e-5)
            assert row.calinski_harabasz == pytest.approx(calinski_harabasz_score(*given))
            assert row.davies_bouldin == pytest.approx(davies_bouldin_score(*given))
    assert swept["n_clusters"].tolist() == [3, 0, 2]
    assert swept.loc[1, ["silhouette", "calinski_harabasz", "davies_bouldin"]].isna().all()


def test_settings_of_the_method_are_taken(points):
    settings = {"min_samples": 2, "selection": "leaf", "normalize": "l2"}
    swept = sweep_min_cluster_size(points, [10], progress=False, **settings)
    made = clustered(points, min_cluster_size=10, **settings)
    scores = score_clustering(made, embeddings=points).set_index("measure")["estimate"]
    assert swept["silhouette"].item() == pytest.approx(scores["silhouette"])
    assert swept["davies_bouldin"].item() == pytest.approx(scores["davies_bouldin"])
    assert swept["n_clusters"].item() == len(made.clusters)


def test_progress_counts_clusterings(points):
    told = []
    sweep_min_cluster_size(points, [10, 20], progress=lambda *seen: told.append(seen))
    assert told == [("Sweeping", 0, 2), ("Sweeping", 1, 2), ("Sweeping", 2, 2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": []}, "`sizes` is empty"),
        ({"sizes": [1]}, "between 2 and 110"),
        ({"sizes": [20, 111]}, "between 2 and 110"),
        ({"sizes": "many"}, "whole number"),
        ({"min_samples": 0}, "`min_samples`"),
        ({"selection": "all"}, "`selection`"),
        ({"normalize": "l1"}, "`normalize`"),
    ],
)
def test_bad_arguments(points, arguments, message):
    with pytest.raises(ImagestrataError, match=message):
        sweep_min_cluster_size(points, progress=False, **arguments)


def test_the_default_is_the_range_of_the_study():
    points = np.random.default_rng(0).normal(size=(95, 2))
    swept = sweep_min_cluster_size(points, progress=False)
    assert swept["min_cluster_size"].tolist() == [20, 30, 40, 50, 60, 70, 80, 90]


@pytest.fixture
def confident():
    """Three images and two in clusters, one of them put there, and noise."""
    points = np.arange(12, dtype=np.float32).reshape(6, 2)
    made = cluster_images(points, "kmeans", n_clusters=2, progress=False)
    images = made.images.assign(
        cluster=[1, 1, 1, 2, 2, -1],
        probability=[1.0, 0.85, 0.86, 0.9, 0.0, 0.0],
        assigned=[False, False, False, False, True, False],
    )
    clusters = made.clusters.assign(cluster=[1, 2], size=[3, 2])
    settings = made.settings | {"method": "hdbscan"}
    return dataclasses.replace(made, images=images, clusters=clusters, settings=settings)


def test_confidence_by_hand(confident):
    # Above .85, of the four that lie densely: 1, .86 and .9.
    expected = pd.DataFrame(
        {
            "n_images": [6],
            "n_clusters": [2],
            "n_clustered": [4],
            "n_confident": [3],
            "share_confident": [0.75],
            "share_of_all": [0.5],
            "mean_probability": [(1 + 0.85 + 0.86 + 0.9) / 4],
            "mean_confident": [(1 + 0.86 + 0.9) / 3],
            "mean_confident_clusters": [((1 + 0.86) / 2 + 0.9) / 2],
        }
    )
    pd.testing.assert_frame_equal(cluster_confidence(confident), expected)
    # Only in one of the two clusters is there an image above .95, and above 1 in none.
    firm = cluster_confidence(confident, threshold=0.95).iloc[0]
    assert firm["n_confident"] == firm["mean_confident"] == firm["mean_confident_clusters"] == 1
    none = cluster_confidence(confident, threshold=1).iloc[0]
    assert none["n_confident"] == 0 and np.isnan(none["mean_confident"])
    assert np.isnan(none["mean_confident_clusters"])
    by_cluster = pd.DataFrame(
        {
            "cluster": [1, 2],
            "size": [3, 2],
            "n_clustered": [3, 1],
            "n_confident": [2, 1],
            "share_confident": [2 / 3, 1.0],
            "mean_probability": [(1 + 0.85 + 0.86) / 3, 0.9],
            "mean_confident": [(1 + 0.86) / 2, 0.9],
        }
    )
    pd.testing.assert_frame_equal(cluster_confidence(confident, by_cluster=True), by_cluster)


def test_confidence_of_the_real_thing(points):
    made = clustered(points, min_cluster_size=10)
    inside = made.images["cluster"] > 0
    line = cluster_confidence(made).iloc[0]
    assert line["mean_probability"] == pytest.approx(made.images.loc[inside, "probability"].mean())
    rows = cluster_confidence(made, by_cluster=True)
    assert rows["n_confident"].sum() == line["n_confident"]
    assigned = clustered(points, min_cluster_size=10, noise="nearest")
    pd.testing.assert_frame_equal(cluster_confidence(assigned), cluster_confidence(made))


def test_confidence_wants_probabilities(points, confident):
    k_means = cluster_images(points, "kmeans", n_clusters=3, progress=False)
    with pytest.raises(ImagestrataError, match=r"Only the method .*'kmeans'"):
        cluster_confidence(k_means)
    with pytest.raises(ImagestrataError, match="must be a Clustering, not a ndarray"):
        cluster_confidence(points)
    with pytest.raises(ImagestrataError, match="`threshold` must be between 0 and 1"):
        cluster_confidence(confident, threshold=85)
    with pytest.warns(UserWarning, match="No cluster was found"):
        noise = clustered(points[:9])
    with pytest.raises(ImagestrataError, match="all images are noise"):
        cluster_confidence(noise)
