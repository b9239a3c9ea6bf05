"""From ratings and annotators to labels."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from imagestrata import ImagestrataError, consensus, label_ratings, read_ratings
from imagestrata.errors import ImagestrataWarning

RATINGS = pd.DataFrame(
    {
        "image_id": list("abcdef"),
        "anger": [8, 2, 6, 0, 3, np.nan],
        "joy": [1, 0, 5, 0, 0, 9],
        "fear": [0, 0, 0, 0, 0, 0],
    }
)


def test_the_elements_rule_by_hand():
    labels = label_ratings(RATINGS)
    # a: clear anger. b: weak. c: 6 against 5 is unclear. d: nothing. e: 3 beats 0 by 3. f: unrated.
    assert labels["image_id"].tolist() == ["a", "d", "e"]
    assert labels["anger"].tolist() == [1, 0, 1]
    assert labels["joy"].isna().tolist() == [True, False, True]
    counts = labels.attrs["counts"].set_index("item")
    assert counts.loc["anger"].to_dict() == {
        "positive": 2, "negative": 1, "weak": 1, "unclear": 1,
    }  # fmt: skip
    assert counts.loc["joy", ["positive", "weak", "unclear"]].tolist() == [0, 0, 0]
    assert labels.attrs["incomplete"] == 1


def test_several_annotators_are_averaged():
    twice = pd.concat([RATINGS.head(1), RATINGS.head(1).assign(anger=0, joy=9)])
    labels = label_ratings(twice)
    assert labels.empty  # anger 4, joy 5
    assert label_ratings(twice, margin=1)["joy"].tolist() == [1]


def test_means_that_are_exactly_the_margin_apart_are_clear():
    """19/3 and 10/3 are 3 apart, but their floating-point numbers are not."""
    thirds = pd.DataFrame({"image_id": "a", "anger": [6, 6, 7], "joy": [3, 3, 4]})
    assert 19 / 3 - 10 / 3 < 3
    assert label_ratings(thirds)["anger"].tolist() == [1]
    assert label_ratings(thirds, margin=3.01).empty


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("majority", [1, 0, None]), ("any", [1, 1, 1]), ("mean", [1, 0, 1])],
)
def test_rules_for_several_annotators(rule, expected):
    said = pd.DataFrame(
        {
            "path": ["x"] * 3 + ["y"] * 3 + ["z"] * 2,
            "annotator": [1, 2, 3, 1, 2, 3, 1, 2],
            "flag": [1, 1, 0, 0, 1, 0, 1, 0],
        }
    )
    labels = consensus(said, rule)
    found = dict(zip(labels["path"], labels["flag"], strict=True))
    assert [found.get(path) for path in "xyz"] == expected
    counts = labels.attrs["counts"].iloc[0]
    assert counts["disputed"] == 3 and counts["tied"] == (rule == "majority")


def test_bad_ratings_are_named():
    with pytest.raises(ImagestrataError, match="column 'image_id', 'path' or 'file'"):
        label_ratings(pd.DataFrame({"anger": [1]}))
    with pytest.raises(
        ImagestrataError, match="'anger' must hold numbers on the scale, 0 to 10; 1 of 6"
    ):
        label_ratings(RATINGS.assign(anger=[1, 2, 3, 4, 5, -1]))
    with pytest.raises(ImagestrataError, match="1, 0 or empty cells"):
        consensus(pd.DataFrame({"path": ["x"], "flag": [3]}))
    with pytest.raises(ImagestrataError, match="None of 6 images is rated for all of 3 items"):
        label_ratings(RATINGS.assign(joy=np.nan))
    with pytest.raises(ImagestrataError, match="'majority', 'all', 'any', 'mean'"):
        consensus(pd.DataFrame({"path": ["x"], "flag": [1]}), "most")


def test_one_item_may_go_without_a_list_and_other_things_than_tables_are_refused():
    pd.testing.assert_frame_equal(
        label_ratings(RATINGS, items="anger"), label_ratings(RATINGS, items=["anger"])
    )
    for rule in (label_ratings, consensus):
        with pytest.raises(ImagestrataError, match="'path' or 'file'; got a list"):
            rule([1, 2])
    with pytest.raises(ImagestrataError, match="hold something else, first -1"):
        label_ratings(RATINGS.assign(joy=-1))
    with pytest.raises(ImagestrataError, match="numbers on the scale, 0 to 10; 6 of 6"):
        label_ratings(RATINGS.assign(joy=11))
    with pytest.raises(ImagestrataError, match="scale` must be the lower one"):
        label_ratings(RATINGS, scale=(10, 0))


def long_ratings():
    """One row a rating, as people give them: of image a two, of the others one."""
    rows = [
        (who, image, item, RATINGS.set_index("image_id").loc[image, item])
        for image in "abcde"
        for who in (("r1", "r2") if image == "a" else ("r1",))
        for item in ("joy", "fear", "anger")
    ]
    return pd.DataFrame(rows, columns=["respondent_id", "image_id", "item", "rating"])


def test_what_read_ratings_returns_is_taken_as_it_is():
    read = read_ratings(long_ratings(), items=["anger", "joy", "fear"])
    labels = label_ratings(read)
    expected = label_ratings(RATINGS[RATINGS["anger"].notna()])
    pd.testing.assert_frame_equal(labels, expected)  # items in the order of their categories
    pd.testing.assert_frame_equal(labels.attrs["counts"], expected.attrs["counts"])
    some = label_ratings(read, items=["joy", "anger"])
    assert list(some) == ["image_id", "joy", "anger"]
    partly = label_ratings(read[~((read["image_id"] == "a") & (read["item"] == "joy"))])
    assert partly.attrs["incomplete"] == 1 and "a" not in set(partly["image_id"])
    with pytest.raises(ImagestrataError, match="no ratings of 'awe'"):
        label_ratings(read, items="awe")


def test_the_rule_is_the_same_on_a_scale_that_begins_at_one():
    expected = label_ratings(RATINGS)
    shifted = RATINGS.assign(**RATINGS[["anger", "joy", "fear"]] + 1)
    pd.testing.assert_frame_equal(label_ratings(shifted, scale=(1, 11)), expected)
    with pytest.warns(ImagestrataWarning, match="None of 5 images has the lowest rating, 0"):
        assert label_ratings(shifted)["anger"].tolist() == [1, 1]


def test_every_rule_takes_labels_and_judgements():
    labels = pd.DataFrame({"path": list("aabbc"), "flag": [1, 0, 1, 1, 0]})
    judged = pd.DataFrame(
        {"pair_id": list("aabbc"), "annotator": list("xyxyx"), "judgement": [2, 0, 1, 1, 0]}
    )
    expected = {
        "majority": ([None, 1, 0], [None, 1, 0]),
        "all": ([None, 1, 0], [None, 1, 0]),
        "any": ([1, 1, 0], [2, 1, 0]),
        "mean": ([1, 1, 0], [1, 1, 0]),
    }
    for rule, (flags, judgements) in expected.items():
        found = consensus(labels, rule).set_index("path")["flag"].reindex(list("abc"))
        assert [None if pd.isna(one) else one for one in found] == flags, rule
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = consensus(judged, rule)["judgement"]
        assert [None if pd.isna(one) else one for one in found] == judgements, rule
