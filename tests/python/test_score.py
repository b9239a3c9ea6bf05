"""A clustering is scored by what it is compared with, whichever way that is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clusterings import hand_made
from imagestrata import Embeddings, ImagestrataError, cluster_images, score_clustering

CLUSTERS = pd.DataFrame({"image_id": list("abcde"), "cluster": [1, 1, 2, 2, -1]})
LABELS = ["x", "x", "x", "y", "y"]
PAIRS = pd.DataFrame(
    {
        "pair_id": ["p1", "p2", "p3"],
        "image_a": ["a", "c", "a"],
        "image_b": ["b", "d", "e"],
        "judgement": [1, 0, 0],
    }
)


def by_measure(*args, **arguments):
    return score_clustering(*args, **arguments).set_index("measure")


def test_pairs_and_labels_are_told_apart():
    # Together: a-b, which people put together, and c-d, which they do not.
    pairs = by_measure(CLUSTERS, PAIRS, weighted=False)
    assert pairs["estimate"][["precision", "recall"]].tolist() == [0.5, 1]
    assert pairs["n_pairs"].tolist() == [3] * 4
    # Pairs of one class: ab ac bc de, of which ab share a cluster.
    labels = by_measure(CLUSTERS, LABELS)
    assert labels["estimate"][["precision", "recall"]].tolist() == [0.5, 0.25]
    assert labels["estimate"]["share_residual"] == 0.2
    assert set(labels["n_images"]) == {5}
    for by, truth in (("pairs", PAIRS), ("labels", LABELS)):
        said = score_clustering(CLUSTERS, truth, by)
        pd.testing.assert_frame_equal(said, score_clustering(CLUSTERS, truth))


def test_labels_are_given_as_to_compare_clusterings():
    expected = score_clustering(CLUSTERS, LABELS)
    table = CLUSTERS.assign(kind=LABELS)
    shuffled = pd.DataFrame({"image_id": list("abcde"), "label": LABELS}).iloc[::-1]
    clustering = hand_made(LABELS, [1, 1, 2, 2, -1], image_id=list("abcde"))
    for clusters, truth in (
        (table, "kind"),
        (CLUSTERS, shuffled),
        (CLUSTERS["cluster"], np.array(LABELS)),
        (clustering, LABELS),
    ):
        pd.testing.assert_frame_equal(score_clustering(clusters, truth), expected)


def test_images_without_a_label_do_not_count():
    some = by_measure(CLUSTERS, ["x", "x", None, "y", "y"])
    assert set(some["n_images"]) == {4}
    without = CLUSTERS.drop(index=2)
    pd.testing.assert_series_equal(
        some["estimate"], by_measure(without, ["x", "x", "y", "y"])["estimate"]
    )


def test_rows_of_an_image_that_agree_count_once():
    """A table with one row per post repeats the labels of an image."""
    labels = ["x", "x", None, "y", "y"]
    truth = CLUSTERS[["image_id"]].assign(label=labels)
    expected = score_clustering(CLUSTERS, truth)
    twice = pd.concat([truth, truth[1:3], truth[:1].assign(label=None)])
    pd.testing.assert_frame_equal(score_clustering(CLUSTERS, twice), expected)
    pd.testing.assert_frame_equal(
        score_clustering(pd.concat([CLUSTERS, CLUSTERS]), truth), expected
    )
    with pytest.raises(ImagestrataError, match=r"`truth` contradicts itself for 1 image: .* has"):
        score_clustering(CLUSTERS, pd.concat([truth, truth[:1].assign(label="z")]))


def test_the_residual_is_alone_or_left_out():
    dropped = by_measure(CLUSTERS, LABELS, residual="drop")
    assert set(dropped["n_images"]) == {4}
    assert dropped["estimate"]["recall"] == pytest.approx(1 / 3)
    assert dropped["estimate"]["share_residual"] == 0.2
    assert set(by_measure(CLUSTERS, PAIRS, weighted=False, residual="drop")["n_pairs"]) == {2}
    assert np.isnan(by_measure([-1, -1], ["x", "y"], residual="drop")["estimate"]["f1"])
    with pytest.raises(ImagestrataError, match="`residual` must be 'alone' or 'drop'"):
        score_clustering(CLUSTERS, LABELS, residual="together")


@pytest.fixture(scope="module")
def topics():
    points = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    embeddings = Embeddings.from_arrays(points)
    return cluster_images(embeddings, "kmeans", n_clusters=3, progress=False), embeddings


def test_vectors_are_what_remains(topics):
    scores = by_measure(topics[0], embeddings=topics[1])
    assert list(scores.index) == [
        "silhouette", "calinski_harabasz", "davies_bouldin", "share_residual",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(
        by_measure(topics[0], by="vectors", embeddings=topics[1], residual="drop"), scores
    )
    with pytest.raises(ImagestrataError, match="`residual` must be 'drop', not 'alone'"):
        score_clustering(topics[0], embeddings=topics[1], residual="alone")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing to compare the clustering with"),
        ({"by": "labels"}, "`truth` is missing for by=.labels."),
        ({"by": "vectors", "truth": LABELS}, "`embeddings` is missing for by=.vectors."),
        ({"by": "people", "truth": LABELS}, "`by` must be one of 'pairs', 'labels', 'vectors'"),
        ({"by": "pairs", "truth": LABELS}, "`truth` must be a table with the columns pair_id"),
        ({"truth": LABELS, "seed": 3}, "seed=3 has no effect with by=.labels."),
        ({"truth": LABELS, "weighted": True, "n_boot": 5}, "weighted=True and n_boot=5 have no"),
        ({"truth": PAIRS, "n_boot": 0}, "`n_boot` must be at least 1"),
        ({"truth": PAIRS, "conf_level": 1}, "`conf_level` must be between 0 and 1"),
        ({"truth": PAIRS.drop(columns="judgement")}, "judgement"),
        ({"truth": LABELS, "confidence": 0.9}, "has no argument 'confidence'"),
        ({"truth": "kind"}, "which is not a column of the images of 'clustering'"),
    ],
)
def test_bad_input_is_told(arguments, message):
    with pytest.raises(ImagestrataError, match=message):
        score_clustering(CLUSTERS, **arguments)


def test_vectors_are_no_truth(topics):
    with pytest.raises(ImagestrataError, match="`truth` must be judged pairs or true classes"):
        score_clustering(*topics)
    with pytest.raises(ImagestrataError, match=r"`embeddings` has no effect with by=.labels."):
        score_clustering(CLUSTERS, LABELS, embeddings=topics[1])
    with pytest.raises(ImagestrataError, match=r"`truth` has no effect with by=.vectors."):
        score_clustering(topics[0], LABELS, "vectors", embeddings=topics[1])
