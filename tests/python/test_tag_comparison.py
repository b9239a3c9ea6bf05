"""Tags against labels by hand: the published tables first."""

from __future__ import annotations

import pandas as pd
import pytest

from imagestrata import ImagestrataError, compare_tags, tag_frequencies
from imagestrata.finetune.scores import wilson


def counts(true_no, missed, false_yes, true_yes):
    """Tags and labels of as many images as published."""
    said = [0] * true_no + [1] * missed + [0] * false_yes + [1] * true_yes
    tagged = [0] * (true_no + missed) + [1] * (false_yes + true_yes)
    ids = [f"i{number}" for number in range(len(said))]
    tags = pd.DataFrame({"image_id": ids, "label": ["Protest" if one else None for one in tagged]})
    return tags, pd.DataFrame({"image_id": ids, "protest": said})


@pytest.mark.parametrize(
    ("cells", "accuracy", "precision", "recall"),
    [
        ((321, 48, 72, 374), 0.853, 0.839, 0.886),  # the Element's Table 6.1
        ((779, 5, 0, 31), 0.994, 1.00, 0.861),  # and 6.2
    ],
)
def test_published_tables(cells, accuracy, precision, recall):
    """The four counts are true negatives, misses, false alarms, hits, in this order."""
    compared = compare_tags(*counts(*cells))
    scores = compared.scores.set_index("measure")
    assert scores.loc["accuracy", "estimate"] == pytest.approx(accuracy, abs=5e-4)
    assert scores.loc["precision", "estimate"] == pytest.approx(precision, abs=5e-4)
    assert scores.loc["recall", "estimate"] == pytest.approx(recall, abs=5e-4)
    true_no, missed, false_yes, true_yes = cells
    low, high = wilson(true_yes, true_yes + missed)
    assert scores.loc["recall", ["conf_low", "conf_high"]].tolist() == pytest.approx([low, high])
    table = compared.confusion.set_index(["truth", "decision"])["n"]
    assert table["yes", "yes"] == true_yes
    assert table["yes", "no"] == missed
    assert table["no", "yes"] == false_yes
    assert table["no", "no"] == true_no


@pytest.fixture
def tags():
    return pd.DataFrame(
        {
            "image_id": ["a", "a", "b", "c", "d", "e"],
            "label": ["Crowd", "Flag", "flag", "March", None, None],
            "confidence": [0.9, 0.6, 0.8, 0.4, None, None],
            "reason": [None, None, None, None, "below min_confidence", "file not found"],
        }
    )


LABELS = pd.DataFrame(
    {"image_id": list("abcd"), "protest": [1, 0, 1, 0], "flag": [1, 0, None, 0], "dog": 0}
)
MATCHES = {"protest": ["crowd", "march"], "flag": "flag"}


def test_several_labels(tags):
    compared = compare_tags(tags, LABELS, MATCHES)
    seen = compared.images.set_index(["label", "image_id"])
    assert seen["decision"].tolist() == [1, 0, 1, 0, 1, 1, 0, 0]
    assert seen.loc[("flag", "c"), "truth"] is pd.NA
    scores = compared.scores.set_index(["label", "measure"])["estimate"]
    assert scores["protest", "accuracy"] == 1
    assert scores["flag", "precision"] == 1 / 2
    assert scores["(all)", "accuracy"] == 6 / 7
    row = compared.summary.iloc[0]
    counts = ["n_images", "n_unreadable", "n_tags", "n_compared", "n_labels"]
    assert row[counts].tolist() == [4, 1, 4, 4, 2]
    assert row["share_tagged"] == 3 / 4


def test_only_confident_tags(tags):
    compared = compare_tags(tags, LABELS, MATCHES, min_confidence=0.5)
    seen = compared.images.set_index(["label", "image_id"])["decision"]
    assert seen["protest"].tolist() == [1, 0, 0, 0]
    assert "March" not in set(compared.frequencies["label"])
    assert compared.frequencies.iloc[0]["share"] == 1 / 4


def test_images_not_looked_at_are_left_out(tags):
    labels = pd.DataFrame({"image_id": list("abe"), "protest": [1, 0, 1]})
    with (
        pytest.warns(UserWarning, match="1 of 3 rows of labels refer to images that cannot"),
        pytest.warns(UserWarning, match="2 of 4 images have no label"),
    ):
        compared = compare_tags(tags, labels, {"protest": "crowd"})
    assert compared.images["image_id"].tolist() == ["a", "b"]


def test_classes_are_labels_each(tags):
    labels = pd.DataFrame({"image_id": list("abcd"), "what": ["Flag", "Flag", "March", "none"]})
    with (
        pytest.warns(UserWarning, match="No image has a tag for 'none'"),
        pytest.warns(UserWarning, match="3 labels by 'tags', undefined measures count as 0"),
    ):
        compared = compare_tags(tags, labels)
    scores = compared.scores.set_index(["label", "measure"])["estimate"]
    assert scores["Flag", "accuracy"] == 1
    assert scores["none", "recall"] == 0
    assert scores["(all)", "precision"] == pytest.approx((1 + 1 + 0) / 3)


def test_several_taggers_side_by_side(tags):
    other = tags[tags["image_id"] != "c"]
    with pytest.warns(UserWarning, match="rows of labels"):
        compared = compare_tags({"one": tags, "other": other}, LABELS, {"protest": "crowd"})
    assert compared.summary["tagger"].tolist() == ["one", "other"]
    assert compared.summary["n_compared"].tolist() == [4, 3]
    assert compared.summary["recall"].tolist() == [1 / 2, 1]


def test_frequencies_need_no_labels(tags):
    compared = compare_tags(tags)
    assert compared.scores.empty
    assert compared.confusion.columns.tolist() == ["tagger", "label", "truth", "decision", "n"]
    assert compared.summary["accuracy"].isna().all()
    first = compared.frequencies.iloc[0]
    assert (first["label"], first["n_images"], first["share"]) == ("Crowd", 1, 1 / 4)
    assert [first["conf_low"], first["conf_high"]] == pytest.approx([*wilson(1, 4)])
    assert tag_frequencies(tags)["share"].tolist() == compared.frequencies["share"].tolist()
    mine = tags.drop(columns="reason")  # where nothing says that an image could not be read
    assert compare_tags(mine).summary[["n_images", "n_unreadable"]].iloc[0].tolist() == [5, 0]


def test_unreadable_images_are_not_observations(tags):
    """Of any number of them the shares are the same."""
    rows = pd.DataFrame({"image_id": list("uvwxyz"), "reason": "damaged"})
    more = pd.concat([tags, rows], ignore_index=True)
    plain, other = compare_tags(tags), compare_tags(more)
    pd.testing.assert_frame_equal(other.frequencies, plain.frequencies)
    assert other.summary["n_unreadable"].iloc[0] == 7
    assert other.summary["share_tagged"].iloc[0] == plain.summary["share_tagged"].iloc[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([pd.DataFrame({"tag": ["a"]})], "columns image_id and label"),
        ([{}], "`tags` is empty"),
        (["tags", None, {"a": "b"}], "`labels` is None"),
        (["tags", LABELS, {"cat": ["cat"]}], "1 of 1 label in `matches` are not among"),
        (["tags", LABELS, ["flag"]], "`matches` must map labels to tags"),
        (["tags", LABELS, {"flag": []}], "The tags for 'flag' must be texts"),
        (["tags", LABELS.assign(flag=7)], "must hold 1, 0 or empty cells"),
        (
            ["tags", LABELS.assign(image_id=list("wxyz"))],
            r"No row of labels \(4 rows\) identifies one of the 5 images",
        ),
    ],
)
def test_bad_arguments(tags, arguments, message):
    given = [tags if isinstance(one, str) and one == "tags" else one for one in arguments]
    with pytest.raises(ImagestrataError, match=message):
        compare_tags(*given)
