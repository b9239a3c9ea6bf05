"""Clusterings side by side: by hand, against scikit-learn, figures, bad input."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics
from typer.testing import CliRunner

from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cli,
    cluster_images,
    compare_clusterings,
    score_clustering,
)

CODES = arrays.arrays(np.int64, st.just(12), elements=st.integers(-1, 4))
IDS = list("abcde")


def table(clusters, ids=IDS):
    return pd.DataFrame({"image_id": ids, "cluster": clusters})


def flows(found, columns=("cluster_a", "cluster_b", "n")):
    return [tuple(row) for row in found.flows[[*columns]].itertuples(index=False)]


@pytest.fixture(scope="module")
def embeddings():
    points = np.repeat([[0.0, 0], [9, 0], [0, 9]], [6, 4, 2], axis=0)
    points += np.random.default_rng(0).normal(0, 0.1, points.shape)
    return Embeddings.from_arrays(points, [f"{i:02d}" for i in range(12)])


@pytest.fixture(scope="module")
def topics(embeddings):
    return cluster_images(embeddings, "kmeans", n_clusters=3, progress=False)


def test_five_images_by_hand():
    found = compare_clusterings(first=[1, 1, 2, 2, -1], second=[1, 1, 1, 2, 2])
    assert flows(found) == [(1, 1, 2), (2, 1, 1), (2, 2, 1), (-1, 2, 1)]
    assert found.flows["share_a"].tolist() == [1, 0.5, 0.5, 1]
    assert found.flows["share_b"].tolist() == pytest.approx([2 / 3, 1 / 3, 1 / 2, 1 / 2])
    # Pairs together in the first: 12, 34; in the second: 12, 13, 23, 45; in both: 12; of ten.
    expected = 2 * 4 / 10
    rand = (1 - expected) / ((2 + 4) / 2 - expected)
    assert found.pairs["adjusted_rand"].item() == pytest.approx(rand)
    assert found.summary["n_residual"].tolist() == [1, 0]
    assert found.summary["share_largest"].tolist() == [0.4, 0.6]


def test_residual_left_out_by_hand():
    found = compare_clusterings(first=[1, 1, 2, 2, -1], second=[1, 1, -1, 2, 2], residual="drop")
    # Images 1, 2 and 4 are in clusters of both, and these agree.
    assert found.pairs["n_images"].item() == 3
    assert found.pairs["adjusted_rand"].item() == 1
    assert found.flows["n"].sum() == 5


def test_truth_is_scored_as_by_score_clustering():
    clusters, truth = [1, 1, 2, 2, -1], ["x", "x", "y", "x", None]
    found = compare_clusterings(first=clusters, second=[1] * 5, truth=truth)
    scores = score_clustering(clusters[:4], truth[:4]).set_index("measure")["estimate"]
    row = found.summary.iloc[0]
    assert row["n_labelled"] == 4
    for measure in ("precision", "recall", "f1", "bcubed_f1", "adjusted_rand"):
        assert row[measure] == pytest.approx(scores[measure])
    by_id = pd.DataFrame({"image_id": IDS[::-1], "label": truth[::-1]})
    other = compare_clusterings(first=table(clusters), second=[1] * 5, truth=by_id)
    pd.testing.assert_frame_equal(found.summary, other.summary)
    named = compare_clusterings(
        first=table(clusters).assign(kind=truth), second=[1] * 5, truth="kind"
    )
    pd.testing.assert_frame_equal(found.summary, named.summary)


def test_truth_of_residual_images_counts_unless_left_out():
    labels = {"first": [1, 1, -1, -1], "second": [1, 1, 2, 2], "truth": list("xxyy")}
    alone = compare_clusterings(**labels).summary
    assert alone["bcubed_recall"].tolist() == [0.75, 1]
    out = compare_clusterings(**labels, residual="drop").summary
    assert out["bcubed_recall"].tolist() == [1, 1]
    assert out["n_labelled"].tolist() == [2, 4]


def test_ways_to_give_a_clustering_agree(topics):
    clusters = topics.images["cluster"]
    shuffled = topics.images.sample(frac=1, random_state=0)
    by_id = dict(zip(shuffled["image_id"], shuffled["cluster"], strict=True))
    found = compare_clusterings(
        a=topics, b=shuffled, c=by_id, d=clusters.to_numpy(), e=clusters.astype(str)
    )
    assert found.pairs["adjusted_rand"].tolist() == [1] * 10
    assert set(found.flows["share_a"]) == {1}
    assert set(found.flows["cluster_a"]) == {"1", "2", "3"}


def test_a_sorted_series_is_matched_by_its_index(topics):
    """In every verb that takes labels, a Series that was sorted gives what it gave before."""
    images = topics.images.assign(path=[f"/x/{i}.jpg" for i in topics.images["image_id"]])
    named = replace(topics, images=images)
    clusters = images.set_index("image_id")["cluster"]
    by_path = images.set_index("path")["cluster"]
    for labels in (clusters.sort_values(), clusters[::-1], by_path.sort_values()):
        found = compare_clusterings(named, labels, truth=labels)
        assert found.pairs["adjusted_rand"].item() == 1
        assert found.summary["adjusted_rand"].tolist() == [1, 1]
        scores = score_clustering(named, labels).set_index("measure")["estimate"]
        assert scores["f1"] == 1
        assert scores.equals(score_clustering(named, dict(labels)).set_index("measure")["estimate"])
    numbers = pd.Series(clusters.to_numpy(), index=clusters.index.astype(int) + 7)
    ids = images.assign(image_id=numbers.index)[["image_id", "cluster"]]
    shuffled = numbers.sample(frac=1, random_state=1)
    assert compare_clusterings(ids, shuffled).pairs["adjusted_rand"].item() == 1
    assert compare_clusterings(shuffled, ids).pairs["adjusted_rand"].item() == 1


def test_several_series_are_matched_by_their_indices():
    first = pd.Series([1, 1, 2, 2, 3])
    second = pd.Series(list("aabbc"))
    found = compare_clusterings(first.sort_values(ascending=False), second, truth=second[::-1])
    assert found.pairs["adjusted_rand"].item() == 1
    assert found.summary["f1"].tolist() == [1, 1]
    scores = score_clustering(first, second[::-1]).set_index("measure")["estimate"]
    assert scores["f1"] == 1
    # Two that lack different images have the same length, and are not matched by place.
    with pytest.raises(ImagestrataError, match="not of the same images"):
        compare_clusterings(first.drop(1), second.drop(3))
    assert score_clustering(first.drop(1), second.drop(3))["n_images"].iloc[0] == 3


def test_a_sorted_series_that_names_no_images_is_refused(topics, embeddings):
    sorted_ones = pd.Series([1, 2] * 6).sort_values(kind="stable")
    message = "is a Series whose index is not in ascending order and does not name the images: 0, 2"
    for call in (
        lambda: compare_clusterings(topics, sorted_ones),
        lambda: compare_clusterings([1] * 12, sorted_ones),
        lambda: compare_clusterings(sorted_ones, [1] * 12),
        lambda: compare_clusterings(topics, topics, truth=sorted_ones),
        lambda: score_clustering(topics, sorted_ones),
        lambda: score_clustering(sorted_ones, [1] * 12),
        lambda: Clustering.from_labels(embeddings, sorted_ones),
    ):
        with pytest.raises(ImagestrataError, match=message):
            call()
    assert (
        compare_clusterings(topics, sorted_ones.to_list()).summary["n_images"].tolist() == [12] * 2
    )


def test_images_that_all_have_are_compared():
    others = table([7, 7, 8, 9], ["a", "b", "c", "f"])
    with pytest.raises(
        ImagestrataError,
        match="'a' has 5, 'b' has 4, and 3 are in all; 'a' has 'd', which others lack",
    ):
        compare_clusterings(a=table([1, 1, 2, 2, 2]), b=others)
    found = compare_clusterings(a=table([1, 1, 2, 2, 2]), b=others, images="common")
    assert flows(found) == [(1, 7, 2), (2, 8, 1)]
    assert found.summary["n_left_out"].tolist() == [2, 1]
    assert found.summary["n_clusters"].tolist() == [2, 2]


@given(CODES, CODES)
@settings(max_examples=30, deadline=None)
def test_agreement_is_symmetric_and_blind_to_names(a, b):
    found = compare_clusterings(a=a, b=b).pairs.iloc[0, 2:]
    back = compare_clusterings(b=b, a=np.where(a == -1, -1, 40 - a)).pairs.iloc[0, 2:]
    assert found.tolist() == pytest.approx(back.tolist())
    same = compare_clusterings(a=a, b=np.where(a == -1, -1, 40 - a)).pairs.iloc[0]
    assert same[["adjusted_rand", "normalized_mutual_info"]].tolist() == pytest.approx([1, 1])


@given(CODES, CODES)
@settings(max_examples=30, deadline=None)
def test_flows_hold_every_image_once(a, b):
    found = compare_clusterings(a=a, b=b)
    assert found.flows["n"].sum() == len(a)
    assert found.flows.groupby("cluster_a")["share_a"].sum().tolist() == pytest.approx(
        [1] * len({*a})
    )
    expected = metrics.cluster.contingency_matrix(a, b)
    assert sorted(found.flows["n"]) == sorted(expected[expected > 0])
    if not (a == -1).any() and not (b == -1).any():
        assert found.pairs["adjusted_rand"].item() == pytest.approx(
            metrics.adjusted_rand_score(a, b)
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"a": [1, 2]}, "Two or more clusterings are needed, not 1"),
        ({"a": [1, 2], "b": [1, 2, 3]}, "'b' has 3 values for 2 images"),
        ({"a": [1, 2], "b": [[1, 2]]}, "'b' must be a clustering, a table"),
        ({"a": [1, 2], "b": 3}, "'b' must be a clustering, a table"),
        ({"a": [1, 2], "b": [1, None]}, "1 of 2 images in 'b' have no cluster"),
        ({"a": [1, 2], "b": [1, 2.5]}, "whole numbers or text; 'b' has"),
        ({"a": [1, 2], "b": pd.DataFrame({"cluster": [1, 2]})}, "image_id and cluster; it has"),
        (
            {"a": table([1] * 5), "b": table([1, 2, 1, 1, 1], list("aabcd"))},
            "'b' contradicts itself for 1 image: 'a' has",
        ),
        ({"a": table([1] * 5), "b": table([1] * 5, list("vwxyz"))}, "No image is in all"),
        (
            {"a": [1, 2], "b": [1, 2], "residual": "together"},
            "`residual` must be 'alone' or 'drop'",
        ),
        ({"a": [1, 2], "b": [1, 2], "images": "all"}, "`images` must be one of"),
        ({"a": [1, 2], "b": [1, 2], "truth": [1]}, "`truth` has 1 value for 2 images"),
        ({"a": [1, 2], "b": [1, 2], "truth": "kind"}, "which is not a column of the images of 'a'"),
        ({"a": [1, 2], "b": [1, 2], "truth": [None, None]}, "has 0 labels"),
    ],
)
def test_bad_input_is_told(arguments, message):
    with pytest.raises(ImagestrataError, match=message):
        compare_clusterings(**arguments)


def test_clusterings_come_by_position_or_by_name():
    first, second = [1, 1, 2, 2, -1], [1, 1, 1, 2, 2]
    named = compare_clusterings(first=first, second=second).pairs
    placed = compare_clusterings(first, second).pairs
    assert placed[["a", "b"]].to_numpy().tolist() == [["1", "2"]]
    pd.testing.assert_frame_equal(placed.drop(columns=["a", "b"]), named.drop(columns=["a", "b"]))
    mixed = compare_clusterings(first, other=second, residual="drop")
    assert mixed.summary["clustering"].tolist() == ["1", "other"]
    with pytest.raises(ImagestrataError, match="Two clusterings are called '1'"):
        compare_clusterings(first, **{"1": second})
    with pytest.raises(ImagestrataError, match="needed, not 1"):
        compare_clusterings(first)


def test_a_misspelt_argument_is_no_clustering():
    given = {"first": [1, 2], "second": [1, 1]}
    for name, meant, value in (
        ("residul", "residual", "drop"),
        ("thruth", "truth", ["x", "y"]),
        ("image", "images", 3),
    ):
        with pytest.raises(ImagestrataError, match=f"has no argument '{name}'") as error:
            compare_clusterings(**given, **{name: value})
        assert f"Did you mean `{meant}`?" in error.value.hint
    # A clustering may have such a name.
    images = pd.DataFrame({"image_id": ["0", "1"], "cluster": [1, 2]})
    assert len(compare_clusterings(image=images, others=[1, 1]).summary) == 2


def test_command_writes_tables(embeddings, tmp_path):
    for name, n in (("first", 3), ("second", 2)):
        cluster_images(embeddings, "kmeans", n_clusters=n, progress=False, out=tmp_path / name)
    truth = tmp_path / "truth.csv"
    labels = pd.DataFrame({"image_id": embeddings.images["image_id"], "label": list("xyzxyz" * 2)})
    labels.to_csv(truth, index=False)
    out = tmp_path / "out"
    folders = [str(tmp_path / "first"), str(tmp_path / "second")]
    command = ["compare", *folders, "--out", str(out), "--truth", str(truth), "--json"]
    result = CliRunner().invoke(cli.app, command)
    assert result.exception is None
    said = json.loads(result.stdout)
    assert [row["clustering"] for row in said["clusterings"]] == folders
    assert said["clusterings"][0]["n_labelled"] == 12
    assert pd.read_csv(out / "flows.csv")["n"].sum() == 12
    assert {file.name for file in out.iterdir()} == {
        "summary.csv", "pairs.csv", "flows.csv",
    }  # fmt: skip
