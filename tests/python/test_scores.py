"""Measures with intervals, against hand-made counts, scikit-learn and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import f1_score, precision_score, recall_score
from statsmodels.stats.proportion import proportion_confint

from imagestrata.finetune.scores import (
    MEASURES,
    OVERALL,
    _overall,
    _shares,
    average_scores,
    confusion_table,
    score_table,
    wilson,
)

NAN = np.nan
SCIKIT = {"precision": precision_score, "recall": recall_score, "f1": f1_score}


def column(values):
    return np.array(values, dtype=np.float32)[:, None]


def test_a_binary_table_by_hand():
    truth = column([1, 1, 1, 0, 0, 0, 0, NAN])
    decision = column([1, 1, 0, 1, 0, 0, 0, 1]).astype(bool)
    table = score_table("binary", ["protest"], truth, decision).set_index("measure")
    assert list(table.index) == list(MEASURES) and set(table["label"]) == {"protest"}
    assert table["estimate"].round(4).to_dict() == {
        "accuracy": round(5 / 7, 4), "precision": round(2 / 3, 4), "recall": round(2 / 3, 4),
        "f1": round(4 / 6, 4),
    }  # fmt: skip
    assert table["n"].to_dict() == {"accuracy": 7, "precision": 3, "recall": 3, "f1": 4}
    confusion = confusion_table("binary", ["protest"], truth, decision)
    assert confusion.values.tolist() == [
        ["protest", "yes", "yes", 2], ["protest", "yes", "no", 1],
        ["protest", "no", "yes", 1], ["protest", "no", "no", 3],
    ]  # fmt: skip


def test_classes_by_hand():
    truth = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    decision = np.eye(3)[[0, 1, 1, 1]].astype(bool)
    with pytest.warns(
        UserWarning, match=r"over 3 labels, .* count as 0: precision of 1 label \(c\)\."
    ):
        table = score_table("multiclass", list("abc"), truth, decision)
    overall = table[table["label"] == OVERALL].set_index("measure")["estimate"]
    assert overall["accuracy"] == 0.5
    assert overall["recall"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert overall["precision"] == pytest.approx((1 + 1 / 3 + 0) / 3)  # nothing was taken for c
    assert np.isnan(table.set_index(["label", "measure"]).loc[("c", "precision"), "estimate"])
    confusion = confusion_table("multiclass", list("abc"), truth, decision)
    counts = confusion.pivot(index="truth", columns="decision", values="n").to_numpy()
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]


def test_no_mistake_leaves_an_interval():
    truth = column([1] * 20 + [0] * 20)
    table = score_table("binary", ["x"], truth, truth.astype(bool))
    assert (table["estimate"] == 1).all() and (table["conf_high"] == 1).all()
    assert table["conf_low"].between(0.8, 0.95).all()


@settings(max_examples=40)
@given(st.integers(0, 60), st.integers(1, 60))
def test_wilson_is_that_of_statsmodels(part, more):
    whole = part + more
    low, high = wilson(part, whole)
    assert (low, high) == pytest.approx(proportion_confint(part, whole, method="wilson"), abs=1e-6)


@pytest.mark.filterwarnings("ignore:In the means over")
@settings(max_examples=40)
@given(arrays.arrays(bool, (12, 3)), arrays.arrays(bool, (12, 3)))
def test_several_labels_agree_with_scikit_learn(truth, decision):
    table = score_table("multilabel", list("abc"), truth.astype(np.float32), decision)
    assert table["estimate"].dropna().between(table["conf_low"].dropna() - 1e-9, 1).all()
    for place, label in enumerate("abc"):
        mine = table[table["label"] == label].set_index("measure")["estimate"]
        for name, theirs in SCIKIT.items():
            value = theirs(truth[:, place], decision[:, place], zero_division=np.nan)
            assert mine[name] == pytest.approx(value, nan_ok=True)
    overall = table[table["label"] == OVERALL].set_index("measure")["estimate"]
    for name, theirs in SCIKIT.items():
        assert overall[name] == pytest.approx(
            theirs(truth, decision, average="macro", zero_division=0)
        )
    assert overall["accuracy"] == pytest.approx((truth == decision).mean())
    averages = average_scores("multilabel", truth.astype(np.float32), decision)
    assert averages == pytest.approx(overall.to_dict())


@pytest.mark.filterwarnings("ignore:In the means over")
@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20))
def test_classes_agree_with_scikit_learn(answers):
    """A class that is neither in the truth nor among the decisions is no class there, either."""
    truth, decision = np.array(answers).T
    table = score_table(
        "multiclass", list("abcd"), np.eye(4)[truth], np.eye(4, dtype=bool)[decision]
    )
    overall = table[table["label"] == OVERALL].set_index("measure")["estimate"]
    for name, theirs in SCIKIT.items():
        value = theirs(truth, decision, average="macro", zero_division=0)
        assert overall[name] == pytest.approx(value)
    assert overall["accuracy"] == pytest.approx(np.mean(truth == decision))


def test_labels_without_any_answer_are_left_out_of_the_means():
    truth = np.array([[1, 0, NAN], [0, 0, NAN], [1, 0, NAN]])
    decision = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 1]], dtype=bool)
    with pytest.warns(UserWarning, match=r"precision of 1 label \(b\); recall of 1 label \(b\)"):
        table = score_table("multilabel", list("abc"), truth, decision)
    overall = table[table["label"] == OVERALL].set_index("measure")
    assert overall["estimate"].to_dict() == {
        "accuracy": 1, "precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2,
    }  # fmt: skip
    assert overall.loc["accuracy", "n"] == 6


def overall_interval(truth, decision, measure="accuracy", task="multilabel"):
    labels = [str(place) for place in range(truth.shape[1])]
    row = score_table(task, labels, truth, decision).iloc[MEASURES.index(measure)]
    return [row["conf_low"], row["conf_high"]]


def test_answers_to_several_labels_about_one_image_are_one_observation():
    """Where they are all right or all wrong, twelve labels say as much as one."""
    right = np.arange(50) < 40
    truth = np.ones((50, 12))
    found = np.repeat(right[:, None], 12, axis=1)
    assert overall_interval(truth, found) == pytest.approx([*wilson(40, 50)])
    assert overall_interval(truth, found, "recall") == pytest.approx([*wilson(40, 50)])
    # Without a mistake nothing is known of how mistakes would come together.
    perfect = overall_interval(truth, truth.astype(bool))
    assert perfect == pytest.approx([*wilson(50, 50)])


def test_means_over_classes_are_of_other_images_each():
    """The effective number of answers by hand, from the variance of each class's recall."""
    truth = np.repeat(np.eye(2), [20, 40], axis=0)
    hit = np.arange(60) % 20 < 15
    decision = np.where(hit[:, None], truth, 1 - truth).astype(bool)
    smooth = np.array([15.5 / 21, 30.5 / 41])
    variance = (smooth * (1 - smooth) / [20, 40]).sum() / 4
    n = smooth.mean() * (1 - smooth.mean()) / variance
    found = overall_interval(truth, decision, "recall", "multiclass")
    assert found == pytest.approx([*wilson(0.75 * n, n)])


@pytest.mark.filterwarnings("ignore:In the means over")
@pytest.mark.parametrize("together", [0, 0.5, 1])
def test_overall_intervals_cover(together):
    """Of 400 samples of 60 images, with mistakes that come alone or together in images."""
    rng = np.random.default_rng(1)

    def draw(n):
        truth = rng.random((n, 8)) < 0.35
        shared = rng.random((n, 1)) < 0.85
        right = np.where(rng.random((n, 1)) < together, shared, rng.random((n, 8)) < 0.85)
        return truth.astype(float), truth == right

    known = average_scores("multilabel", *draw(200_000))
    inside = np.zeros(len(MEASURES))
    for _ in range(400):
        shares = _shares(*draw(60))
        rows = [_overall("multilabel", measure, shares) for measure in MEASURES]
        inside += [row["conf_low"] <= known[row["measure"]] <= row["conf_high"] for row in rows]
    assert (inside / 400 > 0.92).all() and (inside[0] / 400 < 0.985)
