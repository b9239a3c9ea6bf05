"""Clusters by density, and what lies between them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imagestrata.extras
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    cluster_stability,
    image_gallery,
    plot_montage,
    plot_trace,
    sample_images,
    sample_pairs,
    score_clustering,
)
from imagestrata.clustering.density import DensityClustering


def square(x, y):
    """Nine points, one apart."""
    return [(x + i, y + j) for i in range(3) for j in range(3)]


#: Nine points, four times as many half as far apart, and three that are farther
#: from both than these are from each other.
LEFT = square(0, 0)
RIGHT = [(100 + i / 2, j / 2) for i in range(6) for j in range(6)]
FAR = [(0, 300), (100, -300), (40, 900)]
POINTS = np.array([*LEFT, *FAR, *RIGHT], dtype=np.float32)


def cluster(points=POINTS, **arguments):
    arguments = {"min_cluster_size": 5, "min_samples": 3, "neighbors": None, **arguments}
    arguments = {"progress": False, **arguments}
    return cluster_images(points, "hdbscan", **arguments)


def test_two_groups_and_three_far_points():
    images = cluster().images
    assert images["cluster"].tolist() == [2] * 9 + [-1] * 3 + [1] * 36
    assert images["iteration"].tolist() == [1] * 9 + [0] * 3 + [1] * 36
    assert not images["assigned"].any()
    noise = images["cluster"] == -1
    assert (images["probability"][noise] == 0).all()
    assert images["probability"][~noise].min() > 0
    assert images["outlier_score"][noise].min() > images["outlier_score"][~noise].max()
    assert images.loc[noise, ["silhouette", "distance"]].isna().all(axis=None)
    # Of the far points nothing enters: 9 points about (1, 1), 36 about (101.25, 1.25).
    result = cluster()
    np.testing.assert_allclose(result.centroids, [[101.25, 1.25], [1, 1]], rtol=1e-6)
    assert result.clusters["size"].tolist() == [36, 9]
    assert result.summary["n_residual"].item() == 3
    assert result.trace[["n_remaining", "k", "n_cohesive"]].to_numpy().tolist() == [[48, 2, 2]]


def test_noise_goes_to_the_nearest_centroid():
    kept, images = cluster(), cluster(noise="nearest").images
    assert images["cluster"].tolist() == [2] * 9 + [2, 1, 2] + [1] * 36
    assert images["assigned"].tolist() == [False] * 9 + [True] * 3 + [False] * 36
    assert images["cluster"].tolist()[9:12] == kept.predict(POINTS)["cluster"].tolist()[9:12]
    # What was found by density is told as before.
    columns = ["probability", "outlier_score"]
    pd.testing.assert_frame_equal(images[columns], kept.images[columns])
    assert images[["silhouette", "distance"]].notna().all(axis=None)


def test_where_noise_is_assigned_numbers_go_by_size():
    # Nine points, with the two far ones that are nearest to them, are more than ten.
    ten = [*square(100, 0), (101.5, 1.5)]
    points = np.array([*ten, *square(0, 0), (0, 200), (0, -200)], dtype=np.float32)
    assert cluster(points).images["cluster"].tolist() == [1] * 10 + [2] * 9 + [-1] * 2
    nearest = cluster(points, noise="nearest")
    assert nearest.images["cluster"].tolist() == [2] * 10 + [1] * 11
    assert nearest.clusters["size"].tolist() == [11, 10]
    np.testing.assert_allclose(nearest.centroids[0], points[10:].mean(axis=0), rtol=1e-5)


def test_the_same_as_the_library():
    import hdbscan

    points = np.random.default_rng(2).normal(size=(300, 3))
    points[:120] += 4
    points[120:200] -= 4
    for chosen in [{"min_cluster_size": 15}, {"min_cluster_size": 10, "min_samples": 4}]:
        for selection in ("eom", "leaf"):
            ours = DensityClustering(**chosen, selection=selection, neighbors=None).fit(points)
            theirs = hdbscan.HDBSCAN(**chosen, cluster_selection_method=selection).fit(points)
            np.testing.assert_array_equal(ours.labels_ == -1, theirs.labels_ == -1)
            pairs = set(zip(ours.labels_.tolist(), theirs.labels_.tolist(), strict=True))
            assert len(pairs) == len(set(theirs.labels_.tolist())) == len(set(ours.labels_))
            np.testing.assert_array_equal(ours.probabilities_, theirs.probabilities_)
            np.testing.assert_array_equal(ours.outlier_scores_, theirs.outlier_scores_)


def groups(sizes, width=200, seed=0):
    """Groups about random centres, wide enough that distances of raw vectors say little."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    centres = rng.normal(size=(len(sizes), 12)) @ rng.normal(size=(12, width)) / 4
    return (centres[labels] + rng.normal(size=(len(labels), width))).astype(np.float32), labels


def test_the_neighbourhood_step_finds_groups_that_raw_vectors_hide():
    from sklearn.metrics import adjusted_rand_score

    X, labels = groups([12, 20, 40, 60, 80, 100, 120], seed=1)
    found = DensityClustering().fit(X)
    raw = DensityClustering(neighbors=None, min_cluster_size=5).fit(X)
    assert adjusted_rand_score(labels, found.labels_) > 0.95
    assert (found.labels_ == -1).mean() < 0.05
    assert adjusted_rand_score(labels, raw.labels_) < 0.5
    # The densest parts of a group are not clusters of their own.
    assert found.labels_.max() + 1 == 7
    centres = X / np.linalg.norm(X, axis=1, keepdims=True)
    np.testing.assert_allclose(
        found.cluster_centers_[0], centres[found.labels_ == 0].mean(axis=0), atol=1e-5
    )


def test_the_step_is_the_library_on_its_vectors():
    import hdbscan

    from imagestrata.clustering.neighborhoods import neighborhood_rows
    from imagestrata.embeddings.reduce import principal_components
    from imagestrata.rows import as_rows

    X, _ = groups([30, 50, 90])
    walked = np.asarray(neighborhood_rows(as_rows(X, "l2"), 10, short=True))
    points = principal_components(walked, 16, 0)[0].astype(float)
    theirs = hdbscan.HDBSCAN(min_cluster_size=6, cluster_selection_epsilon=0.15).fit(points)
    ours = DensityClustering(neighbors=10, min_cluster_size=6).fit(X)
    pairs = set(zip(ours.labels_.tolist(), theirs.labels_.tolist(), strict=True))
    assert len(pairs) == len(set(theirs.labels_.tolist())) == len(set(ours.labels_))
    np.testing.assert_allclose(ours.probabilities_, theirs.probabilities_, atol=5e-3)


@pytest.mark.parametrize(("n", "size"), [(30, 5), (300, 5), (3887, 5), (18096, 11), (100_000, 26)])
def test_the_smallest_size_follows_the_number_of_images(n, size):
    assert DensityClustering().smallest(n, step=True) == size
    assert DensityClustering().smallest(n, step=False) == 50
    assert DensityClustering(min_cluster_size=7).smallest(n, step=True) == 7


def test_the_size_that_was_used_is_recorded(tmp_path):
    X, _ = groups([40, 60])
    found = cluster_images(X, "hdbscan", progress=False, out=tmp_path)
    assert found.settings["min_cluster_size"] == 5
    assert Clustering.load(tmp_path).settings["min_cluster_size"] == 5
    assert cluster_images(X, "hdbscan", progress=False, out=tmp_path).images.equals(found.images)


def test_few_and_equal_images_with_the_step():
    X = np.ones((30, 4), dtype=np.float32)
    with pytest.warns(UserWarning, match="vectors of all images"):
        assert (cluster_images(X, "hdbscan", progress=False).images["cluster"] == -1).all()
    with pytest.warns(UserWarning, match="4 images are fewer"):
        cluster_images(np.eye(4, dtype=np.float32), "hdbscan", progress=False)


def test_silhouettes_leave_noise_out():
    from sklearn.metrics import silhouette_samples

    images = cluster().images
    inside = images["cluster"].to_numpy() > 0
    expected = silhouette_samples(POINTS[inside], images["cluster"][inside])
    np.testing.assert_allclose(images["silhouette"][inside], expected, atol=1e-5)


def test_lengths_do_not_count_when_normalized():
    angles = np.concatenate([np.linspace(0, 0.1, 10), np.linspace(1.4, 1.5, 10)])
    lengths = np.geomspace(1, 900, 20)[np.random.default_rng(0).permutation(20)]
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]
    images = cluster(points.astype(np.float32), normalize="l2").images
    assert images["cluster"].tolist() == [1] * 10 + [2] * 10


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["keep", "nearest"]), st.integers(2, 8))
def test_whatever_the_points(seed, noise, size):
    rng = np.random.default_rng(seed)
    # Many points in the same place are among them.
    points = rng.integers(0, 6, size=(rng.integers(2, 60), 2)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = cluster(points, min_cluster_size=size, min_samples=None, noise=noise)
    images, sizes = result.images, result.clusters["size"].tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert images["probability"].between(0, 1).all()
    assert images["outlier_score"].dropna().between(0, 1).all()
    inside = images["cluster"] > 0
    assert set(images["cluster"]) <= {-1, *range(1, len(sizes) + 1)}
    assert (images["assigned"] <= (inside & (images["probability"] == 0))).all()
    if noise == "nearest" and sizes:
        assert inside.all()
    assert images["silhouette"].notna().tolist() == inside.tolist()


def test_nothing_but_noise_is_said_with_what_to_do():
    scattered = np.random.default_rng(0).uniform(size=(40, 20)).astype(np.float32)
    with pytest.warns(UserWarning, match="vectors show no groups"):
        cluster(scattered, min_cluster_size=15, min_samples=None, neighbors="auto")
    with pytest.warns(UserWarning, match="Try neighbors=15 with vectors that are not") as told:
        result = cluster(scattered, min_cluster_size=15, min_samples=None)
    assert "no two groups of 15 images or more" in str(told[0].message)
    assert (result.images["cluster"] == -1).all()
    assert result.clusters.empty
    with pytest.warns(UserWarning, match=r"8 images are fewer than `min_cluster_size` \(50\)"):
        few = cluster_images(
            scattered[:8], "hdbscan", neighbors=None, noise="nearest", progress=False
        )
    assert not few.images["assigned"].any()
    with pytest.warns(UserWarning, match="vectors of all images \\(30\\) are the same"):
        cluster(np.ones((30, 3), dtype=np.float32))


def test_a_run_folder_keeps_it(tmp_path):
    made = cluster(noise="nearest", out=tmp_path)
    loaded = Clustering.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.images, made.images)
    assert loaded.settings["noise"] == "nearest"
    assert cluster(noise="nearest", out=tmp_path).images.equals(made.images)
    with pytest.raises(ImagestrataError, match='noise="nearest", not with noise="keep"'):
        cluster(out=tmp_path)


def test_new_images_go_to_the_nearest_centroid():
    found = cluster().predict(np.array([[90, 0], [2, 3]], dtype=np.float32))
    assert found["cluster"].tolist() == [1, 2]


def test_later_steps_take_noise_for_the_residual(tmp_path, labelled_images):
    given, clustering = labelled_images
    drawn = sample_images(clustering, 2)
    assert drawn.loc[drawn["cluster"] == -1, "N_h"].unique().tolist() == [3]
    page = image_gallery(clustering, tmp_path, sample=drawn, progress=False)
    assert "residual" in page.read_text(encoding="utf-8")
    plot_montage(clustering, tmp_path / "montage.png", clusters=[1, -1])
    plot_trace(clustering, tmp_path / "trace.png")
    pairs = sample_pairs(given, 30, 4)
    pairs["judgement"] = 1
    scores = score_clustering(clustering, pairs)
    assert scores["n_residual"].max() > 0
    stable = cluster_stability(clustering, given, n_refits=2, progress=False)
    by_seed = stable.clusters[stable.clusters["kind"] == "seed"]
    assert (by_seed["jaccard"] == 1).all()


@pytest.fixture
def labelled_images(tmp_path):
    """The points above with a picture each."""
    from PIL import Image

    paths = []
    for row in range(len(POINTS)):
        paths.append(tmp_path / f"{row}.png")
        Image.new("RGB", (32, 24), (5 * row, 90, 255 - 5 * row)).save(paths[-1])
    given = Embeddings.from_arrays(POINTS, paths=paths)
    return given, cluster(given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_cluster_size": 1}, "`min_cluster_size` must be at least 2"),
        ({"min_cluster_size": 2.5}, "whole number"),
        ({"min_samples": 0}, "`min_samples` must be at least 1"),
        ({"selection": "best"}, "'eom', 'leaf'"),
        ({"noise": "drop"}, "'keep', 'nearest'"),
        ({"n_clusters": 3}, "no setting 'n_clusters'"),
        ({"exact": True}, "no setting 'exact'"),
        ({"preset": "paper"}, "no setting"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ImagestrataError, match=message):
        cluster(**arguments)


def test_more_neighbours_than_there_are_images():
    with pytest.raises(ImagestrataError, match="`min_samples` must be between 1 and 47, not 48"):
        cluster(min_samples=48)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(cluster(min_samples=47).images) == 48


def test_says_what_to_install(monkeypatch):
    def absent(name):
        raise ImportError(name, name=name)

    monkeypatch.setattr(imagestrata.extras, "import_module", absent)
    with pytest.raises(ImagestrataError, match=r"imagestrata\[density\]"):
        cluster()
