"""score_clustering against pairs counted one by one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata import ImagestrataError, score_clustering


def scores(clusters, labels):
    return score_clustering(clusters, labels).set_index("measure")["estimate"]


def test_a_case_by_hand():
    # Pairs put together: (0,1) (0,2) (1,2) (3,4); of these (0,1) and (3,4) share a class.
    # Pairs of one class: (0,1) (2,3) (2,4) (3,4), so precision 2/4 and recall 2/4.
    found = scores([1, 1, 1, 2, 2], ["a", "a", "b", "b", "b"])
    assert found["precision"] == found["recall"] == found["f1"] == 0.5
    # B-cubed precision by image: 2/3, 2/3, 1/3, 1, 1; recall: 1, 1, 1/3, 2/3, 2/3.
    assert found["bcubed_precision"] == pytest.approx(11 / 15)
    assert found["bcubed_recall"] == pytest.approx(11 / 15)


def test_residual_images_are_apart_from_everything():
    found = scores([-1, -1, 1, 1], ["a", "a", "b", "b"])
    assert found["precision"] == 1
    assert found["recall"] == 0.5
    assert found["share_residual"] == 0.5


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 3)), min_size=2, max_size=25))
def test_equals_counting_every_pair(rows):
    clusters, labels = np.array(rows).T
    pairs = list(combinations(range(len(rows)), 2))
    put = [clusters[i] == clusters[j] != -1 for i, j in pairs]
    true = [labels[i] == labels[j] for i, j in pairs]
    both = sum(p and t for p, t in zip(put, true, strict=True))
    found = scores(clusters, labels)
    if sum(put):
        assert found["precision"] == pytest.approx(both / sum(put))
    else:
        assert np.isnan(found["precision"])
    if sum(true):
        assert found["recall"] == pytest.approx(both / sum(true))
    groups = [
        np.flatnonzero(clusters == c) if c != -1 else np.array([i]) for i, c in enumerate(clusters)
    ]
    by_image = [np.mean(labels[group] == labels[i]) for i, group in enumerate(groups)]
    assert found["bcubed_precision"] == pytest.approx(np.mean(by_image))


def test_a_clustering_without_a_pair_has_no_precision_but_an_f1():
    found = scores([-1, -1, 1], ["a", "a", "b"])
    assert np.isnan(found["precision"])
    assert found["recall"] == found["f1"] == 0


def test_the_residual_is_known_in_text_and_numbers_alike():
    expected = scores([-1, -1, 1, 1], ["a", "a", "a", "b"])
    assert scores(["-1", "-1", "1", "1"], ["a", "a", "a", "b"]).equals(expected)
    assert scores([-1.0, -1.0, 1.0, 1.0], ["a", "a", "a", "b"]).equals(expected)


def test_bad_input():
    with pytest.raises(ImagestrataError, match="`truth` has 3 values for 2 images"):
        score_clustering([1, 2], [1, 2, 3])
    with pytest.raises(ImagestrataError, match="1 of 2 images in 'clustering' have no cluster"):
        score_clustering([1, None], ["a", "b"])
    with pytest.raises(ImagestrataError, match="`truth` has 0 labels"):
        score_clustering([1, 2], [None, None])
