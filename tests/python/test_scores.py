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
    average_scores,
    confusion_table,
    score_table,
    wilson,
)

NAN = np.nan


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
    table = score_table("multiclass", list("abc"), truth, decision)
    overall = table[table["label"] == OVERALL].set_index("measure")["estimate"]
    assert overall["accuracy"] == 0.5
    assert overall["recall"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert overall["precision"] == pytest.approx((1 + 1 / 3) / 2)  # nothing was taken for c
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


@settings(max_examples=40)
@given(arrays.arrays(bool, (12, 3)), arrays.arrays(bool, (12, 3)))
def test_several_labels_agree_with_scikit_learn(truth, decision):
    table = score_table("multilabel", list("abc"), truth.astype(np.float32), decision)
    assert table["estimate"].dropna().between(table["conf_low"].dropna() - 1e-9, 1).all()
    for place, label in enumerate("abc"):
        mine = table[table["label"] == label].set_index("measure")["estimate"]
        for name, theirs in (
            ("precision", precision_score), ("recall", recall_score), ("f1", f1_score),
        ):  # fmt: skip
            value = theirs(truth[:, place], decision[:, place], zero_division=np.nan)
            assert mine[name] == pytest.approx(value, nan_ok=True)
    assert average_scores("multilabel", truth.astype(np.float32), decision)["accuracy"] == (
        pytest.approx((truth == decision).mean())
    )
