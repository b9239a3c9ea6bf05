"""Typical images, checked against a clustering small enough to sort by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clusterings import hand_made
from imagestrata import ImagestrataError, find_images


@pytest.fixture
def clustering():
    #                cluster  silhouette  distance
    rows = [
        ("d", 1, 0.1, 1.0),
        ("a", 1, 0.5, 2.0),
        ("c", 1, 0.5, 1.0),
        ("b", 1, 0.5, 2.0),
        ("f", 2, 0.3, 1.0),
        ("e", 2, 0.4, 1.0),
        ("h", -1, np.nan, np.nan),
        ("g", -1, np.nan, np.nan),
    ]
    ids, clusters, silhouettes, distances = zip(*rows, strict=True)
    paths = [f"{name}.jpg" for name in ids]
    return hand_made(
        paths, clusters, image_id=list(ids), silhouette=silhouettes, distance=distances
    )


def ids(table: pd.DataFrame) -> str:
    return "".join(table["image_id"])


def test_all_clusters_by_silhouette_then_distance_then_id(clustering):
    found = find_images(clustering)
    columns = ["cluster", "rank", "image_id", "path", "file", "silhouette", "distance"]
    assert list(found) == columns  # and margins, which this clustering does not have
    assert ids(found) == "cabdef"
    assert found["cluster"].tolist() == [1, 1, 1, 1, 2, 2]
    assert found["rank"].tolist() == [1, 2, 3, 4, 1, 2]
    assert found["path"].tolist()[0] == "c.jpg"


def test_n_and_choice_of_clusters_in_the_order_given(clustering):
    assert ids(find_images(clustering, 1, n=2)) == "ca"
    assert ids(find_images(clustering, [2, 1], n=1)) == "ec"
    assert ids(find_images(clustering, np.array([2]), n=5)) == "ef"
    assert ids(find_images(clustering, 2.0, n=1)) == "e"


def test_the_residual_is_given_when_asked_for(clustering):
    assert ids(find_images(clustering, -1)) == "gh"


def test_atypical_images_stand_in_the_opposite_order(clustering):
    assert ids(find_images(clustering, 1, order="atypical", n=3)) == "dab"


def test_order_of_rows_does_not_matter(clustering):
    before = find_images(clustering)
    shuffled = replace(clustering, images=clustering.images.sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(find_images(shuffled), before)


@pytest.mark.parametrize("wrong", [3, 0, [1, 9], -2])
def test_unknown_clusters_are_refused_with_the_range(clustering, wrong):
    with pytest.raises(ImagestrataError, match=r"numbered 1 to 2, and -1 for the residual"):
        find_images(clustering, wrong)


def test_other_mistakes(clustering):
    with pytest.raises(ImagestrataError, match="`n` must be at least 1"):
        find_images(clustering, n=0)
    with pytest.raises(ImagestrataError, match="`clusters` must be a whole number"):
        find_images(clustering, "faces")
    with pytest.raises(ImagestrataError, match="`order` must be one of"):
        find_images(clustering, order="best")
    with pytest.raises(ImagestrataError, match="must be a Clustering, not a DataFrame"):
        find_images(clustering.images)
