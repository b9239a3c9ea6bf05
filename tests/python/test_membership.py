"""Second-best clusters and margins, by hand and against scikit-learn's distances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import pairwise_distances

from clusterings import hand_made
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    edit_clusters,
    find_images,
)
from imagestrata.clustering.base import memberships
from imagestrata.rows import BLOCK_ROWS, Rows


def expected(clustering: Clustering, vectors) -> pd.DataFrame:
    """Distances, second-best clusters and margins of all images from all distances to centroids."""
    numbers = clustering.clusters["cluster"].to_numpy()
    away = pairwise_distances(np.asarray(vectors, dtype=float), clustering.centroids.astype(float))
    own = clustering.images["cluster"].to_numpy()[:, None] == numbers
    others = np.where(own, np.inf, away)
    first = np.where(own.any(axis=1), np.where(own, away, 0).sum(axis=1), np.nan)
    second = others.min(axis=1)
    return pd.DataFrame(
        {
            "distance": first,
            "second_cluster": numbers[others.argmin(axis=1)],
            "margin": (second - first) / np.maximum(first, second),
        }
    )


def assert_right(clustering: Clustering, vectors) -> None:
    found = clustering.images[["distance", "second_cluster", "margin"]]
    assert str(found["second_cluster"].dtype) == "Int64"
    pd.testing.assert_frame_equal(
        found.astype("float64").reset_index(drop=True),
        expected(clustering, vectors).astype("float64"),
        atol=1e-5,
        rtol=1e-5,
    )
    assert found["margin"].dropna().between(-1, 1).all()


def groups(n: int = 120, k: int = 6, width: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(k, width)) * 2
    return (centers[np.arange(n) % k] + rng.normal(size=(n, width))).astype(np.float32)


def test_by_hand():
    # Centroids at 1, 5 and 20.
    line = [[0.0], [2.0], [4.0], [6.0], [20.0], [11.0]]
    found = Clustering.from_labels(line, ["a", "a", "b", "b", "c", None]).images
    assert found["cluster"].tolist() == [1, 1, 2, 2, 3, -1]
    assert found["second_cluster"].tolist() == [2, 2, 1, 1, 2, 2]
    margins = [(5 - 1) / 5, (3 - 1) / 3, (3 - 1) / 3, (5 - 1) / 5, 1, np.nan]
    np.testing.assert_allclose(found["margin"], margins)


def test_an_image_nearer_to_another_centroid_has_a_negative_margin():
    # Centroids at 3 and 5: the image at 6 is at 3 from its own and at 1 from the other one.
    found = Clustering.from_labels([[0.0], [6.0], [5.0], [5.0]], ["a", "a", "b", "b"]).images
    np.testing.assert_allclose(found["margin"], [(5 - 3) / 5, (1 - 3) / 3, 1, 1])


def test_equal_centroids_have_a_margin_of_zero():
    found = Clustering.from_labels(np.ones((4, 2)), [1, 1, 2, 2]).images
    assert found["margin"].tolist() == [0.0] * 4
    assert found["second_cluster"].tolist() == [2, 2, 1, 1]


def test_one_cluster_has_no_second_one():
    found = Clustering.from_labels([[0.0], [2.0], [5.0]], [1, 1, None]).images
    assert found["second_cluster"].isna().tolist() == [True, True, False]
    assert found["second_cluster"].iloc[2] == 1
    assert found["margin"].isna().all()
    with pytest.warns(UserWarning, match="No cluster"):
        found = Clustering.from_labels([[0.0], [2.0]], [None, None]).images
    assert found[["second_cluster", "margin"]].isna().all(axis=None)


@pytest.mark.parametrize(
    "arguments",
    [
        {"neighbors": None, "k": 5, "release_share": 1.0},
        {"neighbors": None, "normalize": "l2"},
        {"method": "kmeans", "n_clusters": 7},
        {"method": "kmeans", "n_clusters": 7, "exact": True},
        {"method": "hdbscan", "neighbors": None, "min_cluster_size": 6},
        {"method": "hdbscan", "neighbors": None, "min_cluster_size": 6, "noise": "nearest"},
        {},
    ],
)
def test_every_method_against_scikit_learn(arguments):
    vectors = groups(400)
    found = cluster_images(vectors, **arguments, progress=False)
    assert len(found.clusters) > 1
    if found.settings["normalize"] == "l2":
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert_right(found, vectors)
    if arguments.get("method") == "kmeans":  # every image belongs to the nearest centroid
        assert (found.images["margin"] > -1e-6).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(0, 6), st.integers(1, 5), st.integers(0, 10**6))
def test_any_labels(n, k, width, seed):
    rng = np.random.default_rng(seed)
    rows, centers = rng.normal(size=(n, width)), rng.normal(size=(k, width))
    labels = rng.integers(-1, k, n)
    found = memberships(Rows(rows), centers, labels)
    inside = labels >= 0
    assert (np.isnan(found.distances) == ~inside).all()
    assert (found.second[inside] != labels[inside]).all()
    assert ((found.second == -1) == (np.where(inside, k - 1, k) < 1)).all()
    assert (np.isnan(found.margins) == (~inside | (k == 1))).all()
    for i in np.flatnonzero(found.second >= 0):
        away = np.linalg.norm(rows[i] - centers, axis=1)
        others = [c for c in range(k) if c != labels[i]]
        assert found.second[i] == min(others, key=away.__getitem__)


def test_blocks_do_not_change_the_result():
    rng = np.random.default_rng(0)
    rows, centers = rng.normal(size=(BLOCK_ROWS * 2 + 7, 3)), rng.normal(size=(4, 3))
    labels = rng.integers(-1, 4, len(rows))
    whole = memberships(Rows(rows), centers, labels)
    for some in (slice(0, 5), slice(BLOCK_ROWS - 3, BLOCK_ROWS + 3), slice(len(rows) - 9, None)):
        part = memberships(Rows(rows[some]), centers, labels[some])
        for one, other in zip(whole, part, strict=True):
            np.testing.assert_array_equal(one[some], other)


def test_large_offsets_leave_it_right():
    vectors = groups(60) + np.float32(1000)
    labels = np.arange(60) % 6
    assert_right(Clustering.from_labels(vectors, labels), vectors)


def test_edits_compute_both_anew():
    vectors = groups(200)
    start = cluster_images(vectors, method="kmeans", n_clusters=8, progress=False)
    ids = start.images["image_id"]
    topics = edit_clusters(
        start, merge=[2, 5], split={1: 2}, drop=[7], move={3: ids[:4].tolist()}, names={3: "Three"}
    )
    assert {*topics.images["second_cluster"]} <= {*topics.clusters["cluster"]}
    assert_right(topics, vectors)
    named = edit_clusters(start, names={1: "One"})
    columns = ["second_cluster", "margin"]
    pd.testing.assert_frame_equal(named.images[columns], start.images[columns])


def test_images_that_join_have_them(tmp_path):
    vectors = groups(260)
    ids = [f"i{i:03d}" for i in range(260)]
    arguments = {"neighbors": None, "k": 5, "release_share": 1.0, "progress": False}
    run = tmp_path / "run"
    cluster_images(Embeddings.from_arrays(vectors[:200], ids[:200]), out=run, **arguments)
    far = vectors.copy()
    far[230:] += 50
    with pytest.warns(UserWarning, match="far from all clusters"):
        grown = cluster_images(Embeddings.from_arrays(far, ids), out=run, **arguments)
    assert grown.images["added"].sum() == 60 and (grown.images["cluster"] == -1).any()
    assert_right(grown, far)
    loaded = Clustering.load(run)
    pd.testing.assert_frame_equal(loaded.images, grown.images)
    topics = edit_clusters(loaded, Embeddings.from_arrays(far, ids), merge=[1, 2], out=run)
    assert_right(topics, far)
    pd.testing.assert_frame_equal(Clustering.load(run).images, topics.images)


def test_numbers_carried_over_are_those_of_second_clusters(tmp_path):
    vectors = groups(260)
    ids = [f"i{i:03d}" for i in range(260)]
    arguments = {"method": "kmeans", "n_clusters": 6, "progress": False, "out": tmp_path / "run"}
    first = cluster_images(Embeddings.from_arrays(vectors[:200], ids[:200]), **arguments)
    arguments["seed"] = 3
    again = cluster_images(
        Embeddings.from_arrays(vectors, ids), **arguments, recluster=True, overwrite=True
    )
    assert len(again.renumbered) and first.summary.loc[0, "n_images"] == 200
    assert_right(again, vectors)


def test_predict_gives_those_of_the_same_images():
    vectors = groups(200)
    found = cluster_images(vectors, method="kmeans", n_clusters=8, progress=False)
    columns = ["cluster", "distance", "second_cluster", "margin"]
    predicted = found.predict(vectors)
    assert list(predicted) == ["image_id", "path", "file", *columns]
    pd.testing.assert_frame_equal(predicted[columns], found.images[columns], rtol=1e-5, atol=1e-6)


def test_without_them_older_clusterings_still_work(tmp_path):
    vectors = groups(200)
    arguments = {"neighbors": None, "k": 5, "release_share": 1.0, "progress": False}
    found = cluster_images(vectors, **arguments)
    old = Clustering(
        **vars(found) | {"images": found.images.drop(columns=["second_cluster", "margin"])}
    )
    old.save(tmp_path / "old")
    loaded = Clustering.load(tmp_path / "old")
    assert not {"second_cluster", "margin"} & {*loaded.images}
    assert len(find_images(loaded, order="random"))
    assert "margin" not in edit_clusters(loaded, names={1: "One"}).images
    assert_right(edit_clusters(loaded, vectors, merge=[1, 2]), vectors)
    with pytest.raises(ImagestrataError, match="has no margins"):
        find_images(loaded, order="doubtful")


def test_columns_of_that_name_among_the_images_are_kept_apart():
    given = Embeddings.from_arrays(groups(40))
    given.images["margin"] = 7
    with pytest.warns(UserWarning, match="margin_given"):
        found = Clustering.from_labels(given, np.arange(40) % 3)
    assert (found.images["margin_given"] == 7).all() and (found.images["margin"] < 1).all()


@pytest.fixture
def ranked():
    return hand_made(
        [f"{name}.jpg" for name in "abcdefg"],
        [1, 1, 1, 1, 2, 2, -1],
        image_id=[*"abcdefg"],
        silhouette=[0.1, 0.9, 0.3, 0.2, 0.5, 0.4, np.nan],
        second_cluster=pd.array([2, 2, 2, 2, 1, 1, 2], dtype="Int64"),
        margin=[0.5, 0.2, -0.1, 0.2, 0.1, 0.7, np.nan],
    )


def test_the_most_doubtful_images_come_first(ranked):
    found = find_images(ranked, order="doubtful")
    assert "".join(found["image_id"]) == "cdbaef"  # ties: the lower silhouette first
    assert found["second_cluster"].tolist() == [2, 2, 2, 2, 1, 1]
    assert found["margin"].tolist() == [-0.1, 0.2, 0.2, 0.5, 0.1, 0.7]
    assert find_images(ranked, -1, order="doubtful")["image_id"].tolist() == ["g"]


def test_random_images_depend_on_the_seed_and_the_cluster_alone(ranked):
    def drawn(clusters, seed):
        return "".join(find_images(ranked, clusters, order="random", seed=seed)["image_id"])

    assert {*drawn(None, 0)} == {*"abcdef"}
    assert drawn(1, 3) == drawn([2, 1], 3)[2:] == drawn(None, 3)[:4]
    assert len({drawn(1, seed) for seed in range(40)}) > 10
    shuffled = ranked.images.sample(frac=1, random_state=1)
    other = Clustering(**vars(ranked) | {"images": shuffled})
    assert "".join(find_images(other, 1, order="random", seed=3)["image_id"]) == drawn(1, 3)
    # Each image is first about equally often: 400 draws, 100 expected, standard deviation 8.7.
    first = pd.Series([drawn(1, seed)[0] for seed in range(400)]).value_counts()
    assert first.between(65, 135).all() and len(first) == 4
