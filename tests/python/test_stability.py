"""Stability, scores of vectors, calibrated thresholds: by hand, against scikit-learn, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.datasets import make_blobs

from imagestrata import (
    Embeddings,
    ImagestrataError,
    cluster_images,
    cluster_stability,
    score_clustering,
    suggest_threshold,
)
from imagestrata.validation.stability import best_jaccards
from imagestrata.validation.threshold import _cloud, _quantiles


@pytest.fixture(scope="module")
def groups():
    """Five clear groups, and one cloud that k-means cuts somewhere."""
    sizes = [80, 60, 50, 40, 30]
    clear = make_blobs(sizes, 6, cluster_std=0.5, center_box=(-20, 20), random_state=1)[0]
    cloud = np.random.default_rng(2).normal(20, 4, size=(140, 6))
    X = np.vstack([clear, cloud])
    return Embeddings.from_arrays(X, [f"image {i:03d}" for i in range(len(X))])


@pytest.fixture(scope="module")
def clustering(groups):
    return cluster_images(groups, "kmeans", n_clusters=9, progress=False)


@pytest.fixture(scope="module")
def stability(groups, clustering):
    return cluster_stability(clustering, groups, n_refits=8, progress=False)


def test_jaccards_by_hand():
    ours = np.array([0, 0, 0, 1, 1, -1, -1, 2])
    theirs = np.array([5, 5, 1, 1, 1, 1, -1, -1]) - 1
    # Cluster 0 is {0, 1, 2}; the other side has {0, 1} and {2, 3, 4, 5}; 2 is alone, in nothing.
    assert best_jaccards(ours, theirs, 4)[:3] == pytest.approx([2 / 3, 2 / 4, 0])
    assert np.isnan(best_jaccards(ours, theirs, 4)[3])
    assert best_jaccards(ours, ours, 3).tolist() == [1, 1, 1]
    assert best_jaccards(ours, np.full(8, -1), 3).tolist() == [0, 0, 0]


def test_clear_groups_come_back_and_a_cut_cloud_does_not(groups, clustering, stability):
    table = stability.clusters
    clear = clustering.images.iloc[:260].groupby("cluster")["image_id"].size()
    whole = [cluster for cluster in clear.index if clear[cluster] in (80, 60, 50, 40, 30)]
    assert len(whole) >= 4
    of_groups = table[table["cluster"].isin(whole)]
    cut = table[~table["cluster"].isin(clear.index)]
    assert (of_groups["jaccard"] > 0.95).all()
    assert (of_groups["share_recovered"] == 1).all()
    assert cut["jaccard"].mean() < 0.8
    assert (table["jaccard_low"] <= table["jaccard"]).all()
    assert table["size"].tolist() == 2 * clustering.clusters["size"].tolist()


def test_the_refits_are_described(groups, stability):
    refits = stability.refits
    assert refits.groupby("kind").size().to_dict() == {"seed": 8, "subsample": 8}
    assert refits.groupby("kind")["n_images"].unique().map(list).to_dict() == {
        "seed": [400],
        "subsample": [320],
    }
    assert refits["adjusted_rand"].between(0.5, 1).all()
    assert stability.summary["n_refits"].tolist() == [8, 8]
    assert "Least stable clusters" in repr(stability)


def test_the_same_seed_gives_the_same(groups, clustering, stability):
    again = cluster_stability(clustering, groups, n_refits=8, progress=False)
    pd.testing.assert_frame_equal(again.clusters, stability.clusters)
    other = cluster_stability(clustering, groups, n_refits=8, seed=1, progress=False)
    assert not other.refits.equals(stability.refits)


def test_rows_in_another_order_change_no_overlap(groups, clustering):
    """Ids travel with the vectors: the order of the embeddings does not matter."""
    order = np.random.default_rng(3).permutation(400)
    ids = groups.images["image_id"].to_numpy()[order]
    mixed = Embeddings.from_arrays(groups.matrix[order], ids)
    table = cluster_stability(clustering, mixed, n_refits=2, progress=False).clusters
    clear = set(clustering.images["cluster"].iloc[:260])
    assert (table.loc[table["cluster"].isin(clear), "jaccard"] > 0.7).mean() > 0.7
    pd.testing.assert_frame_equal(
        score_clustering(clustering, embeddings=mixed),
        score_clustering(clustering, embeddings=groups),
    )


def test_the_residual_is_no_cluster(groups):
    found = cluster_images(groups, k=6, similarity_threshold=0.8, release_share=1, progress=False)
    assert (found.images["cluster"] == -1).any()
    result = cluster_stability(found, groups, n_refits=2, progress=False)
    assert result.clusters["cluster"].nunique() == len(found.clusters)
    assert result.refits["share_residual"].gt(0).any()
    scores = score_clustering(found, embeddings=groups).set_index("measure")["estimate"]
    assert scores["share_residual"] == (found.images["cluster"] == -1).mean()


@pytest.mark.parametrize("normalize", [None, "l2"])
def test_scores_are_those_of_scikit_learn(groups, normalize):
    found = cluster_images(groups, normalize=normalize, stop_size=60, progress=False)
    inside = (found.images["cluster"] > 0).to_numpy()
    X = groups.matrix[inside]
    if normalize:
        X = X / np.linalg.norm(X, axis=1, keepdims=True)
    labels = found.images["cluster"][inside]
    scores = score_clustering(found, embeddings=groups).set_index("measure")["estimate"]
    for measure in ("silhouette", "calinski_harabasz", "davies_bouldin"):
        expected = getattr(metrics, f"{measure}_score")(X, labels)
        assert scores[measure] == pytest.approx(expected, rel=1e-3)


def test_one_cluster_has_no_silhouette(groups):
    one = cluster_images(groups, "kmeans", n_clusters=1, progress=False)
    scores = score_clustering(one, embeddings=groups).set_index("measure")["estimate"]
    assert scores.isna().tolist() == [True, True, True, False]


def test_clouds_have_the_covariance_of_the_sample():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(3000, 3)) @ np.array([[3, 0, 0], [1, 1, 0], [0, 0, 0.1]]) + 7).astype("f")
    cloud = _cloud(X, rng)
    assert cloud.shape == X.shape
    np.testing.assert_allclose(np.cov(cloud.T), np.cov(X.T), rtol=0.1, atol=0.1)
    np.testing.assert_allclose(cloud.mean(axis=0), 0, atol=0.3)


def test_weighted_quantiles_by_hand():
    values, weights = np.array([0.3, 0.1, 0.2]), np.array([1, 2, 7])
    assert _quantiles(values, weights, [0.1, 0.5, 0.9, 0.95]) == [0.1, 0.2, 0.2, 0.3]


def test_structure_passes_the_threshold_and_a_cloud_does_not(groups):
    clear = groups.matrix[:260]
    row = suggest_threshold(clear, k=5, n_draws=5, progress=False).iloc[0]
    assert row["k"] == 5
    assert row["null_median"] < row["threshold"] < 0.5
    assert row["share_images"] > 0.9
    noise = np.random.default_rng(0).normal(size=(600, 20))
    row = suggest_threshold(noise, k=5, n_draws=20, progress=False).iloc[0]
    assert row["share_images"] < 0.3
    again = suggest_threshold(noise, k=5, n_draws=20, progress=False).iloc[0]
    assert again.equals(row)


def test_the_threshold_follows_the_settings(groups):
    plain = suggest_threshold(groups, n_draws=2, progress=False).iloc[0]
    some = suggest_threshold(groups, n_draws=2, progress=False, k=12, normalize="l2").iloc[0]
    assert plain["k"] != some["k"] == 12
    strict = suggest_threshold(groups, n_draws=2, quantile=1, progress=False).iloc[0]
    assert strict["threshold"] > plain["threshold"]


def test_bad_input(groups, clustering):
    few = Embeddings(groups.images.head(5), groups.matrix[:5], groups.encoder)
    for verb in (cluster_stability, score_clustering):
        with pytest.raises(ImagestrataError, match="of 400 images, the embeddings are of 5, and 5"):
            verb(clustering, embeddings=few)
        with pytest.raises(ImagestrataError, match="not a DataFrame"):
            verb(clustering.images, embeddings=groups)
    with pytest.raises(ImagestrataError, match="`subsample` must be between"):
        cluster_stability(clustering, groups, subsample=1)
    with pytest.raises(ImagestrataError, match="has no argument 'n_clusters'"):
        suggest_threshold(groups, n_clusters=3)
    with pytest.raises(ImagestrataError, match="`quantile` must be between"):
        suggest_threshold(groups, quantile=0.1)
    with pytest.warns(UserWarning, match="No cluster was found"):
        nothing = cluster_images(groups, stop_size=1000, progress=False)
    with pytest.raises(ImagestrataError, match="has no cluster"):
        score_clustering(nothing, embeddings=groups)
