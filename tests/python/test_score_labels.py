"""Scores of predicted labels, by hand, against scikit-learn and against golden tables of R."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    precision_score,
    recall_score,
)

from imagestrata import ImagestrataError, score_labels
from test_golden import golden

IDS = [*"abcdef"]
LABELS = pd.DataFrame({"image_id": IDS, "code": "flag", "label": [1, 1, 0, 0, 1, 0]})
PREDICTIONS = pd.DataFrame(
    {
        "image_id": IDS, "label": "flag", "probability": [0.9, 0.4, 0.6, 0.1, 0.8, 0.3],
        "decision": [True, False, True, False, True, False], "split": None,
    }
)  # fmt: skip
#: Two of 10 images of cluster 1, two of 4 of cluster 2, two of 2 of cluster 3.
SAMPLE = pd.DataFrame(
    {"image_id": IDS, "cluster": [1, 1, 2, 2, 3, 3], "N_h": [10, 10, 4, 4, 2, 2], "n_h": 2}
)


def scored(*given: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return score_labels(*given, **options)


def by_measure(found: Any) -> pd.DataFrame:
    return found.scores.set_index("measure")


def test_six_images_by_hand() -> None:
    table = by_measure(scored(LABELS, PREDICTIONS, SAMPLE))
    # Weights are 5, 5, 2, 2, 1, 1. People see flags in a, b, e; the machine in a, c, e.
    assert np.isclose(table["estimate"]["precision"], (5 + 1) / (5 + 2 + 1))
    assert np.isclose(table["estimate"]["recall"], (5 + 1) / (5 + 5 + 1))
    assert np.isclose(table["estimate"]["specificity"], (2 + 1) / (2 + 2 + 1))
    assert np.isclose(table["estimate"]["accuracy"], (5 + 2 + 1 + 1) / 16)
    assert np.isclose(table["estimate"]["f1"], 2 * 6 / (2 * 6 + 2 + 5))
    assert np.isclose(
        table["estimate"]["bias"], (5 * (-0.1 - 0.6) + 2 * (0.6 + 0.1) + (-0.2 + 0.3)) / 16
    )
    brier = 5 * (0.01 + 0.36) + 2 * (0.36 + 0.01) + 0.04 + 0.09
    assert np.isclose(table["estimate"]["brier"], brier / 16)
    # Scores of accuracy are w (right - 9 / 16) / 16, in cluster 1 those of a right and a wrong
    # image; half of them differ from their mean by 5 / 32, a share of 8 / 10 is not labelled.
    variance = 0.8 * 2 * 2 * (5 / 32) ** 2 + 0.5 * 2 * 2 * (2 / 32) ** 2
    assert np.isclose(table["std_error"]["accuracy"], np.sqrt(variance))
    assert table["n"].to_dict() == {
        "accuracy": 6, "precision": 3, "recall": 3, "specificity": 3, "f1": 4, "bias": 6,
        "brier": 6, "calibration_error": 6,
    }  # fmt: skip


def test_unweighted_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 200)
    p = np.clip(0.25 + 0.5 * y + rng.normal(0, 0.2, 200), 0, 1)
    ids = [str(i) for i in range(200)]
    labels = pd.DataFrame({"image_id": ids, "code": "flag", "label": y})
    predictions = pd.DataFrame({"image_id": ids, "label": "flag", "probability": p, "split": None})
    found = scored(labels, predictions)
    table = by_measure(found)["estimate"]
    decided = p >= 0.5
    theirs = {
        "accuracy": accuracy_score(y, decided), "precision": precision_score(y, decided),
        "recall": recall_score(y, decided), "f1": f1_score(y, decided),
        "specificity": recall_score(1 - y, 1 - decided), "brier": brier_score_loss(y, p),
    }  # fmt: skip
    for name, value in theirs.items():
        assert np.isclose(table[name], value, atol=1e-12), name
    observed, predicted = calibration_curve(y, p, n_bins=10)
    assert np.allclose(found.calibration["estimate"], observed, atol=1e-12)
    assert np.allclose(found.calibration["mean_probability"], predicted, atol=1e-12)
    n = found.calibration["n"]
    assert np.isclose(table["calibration_error"], (n * np.abs(observed - predicted)).sum() / 200)
    # Another threshold.
    strict = by_measure(scored(labels, predictions, threshold=0.7))["estimate"]
    assert np.isclose(strict["recall"], recall_score(y, p >= 0.7))


def test_scores_of_0_and_1_are_uncertain_unless_all_images_are_labelled() -> None:
    right = PREDICTIONS.assign(decision=LABELS["label"] == 1)
    table = by_measure(scored(LABELS, right))
    assert table["estimate"]["precision"] == 1 == table["conf_high"]["precision"]
    assert 0.2 < table["conf_low"]["precision"] < 0.6
    wrong = by_measure(scored(LABELS, PREDICTIONS.assign(decision=LABELS["label"] == 0)))
    assert wrong["conf_low"]["accuracy"] == 0 and 0.3 < wrong["conf_high"]["accuracy"] < 0.8
    census = by_measure(scored(LABELS, right, SAMPLE.assign(cluster=1, N_h=6, n_h=6)))
    assert census["conf_low"]["precision"] == census["conf_high"]["precision"] == 1


def test_wilsons_interval_of_a_simple_sample() -> None:
    """With the half images, the variance of 7 of 10 is that of as many images."""
    from statsmodels.stats.proportion import proportion_confint

    ids = [str(i) for i in range(2000)]
    labels = pd.DataFrame({"image_id": ids, "code": "flag", "label": [1] * 1400 + [0] * 600})
    machine = labels.assign(label=1, annotator="model:m")
    line = by_measure(scored(labels, machine)).loc["precision"]
    low, high = proportion_confint(1400, 2000, method="wilson")
    assert np.allclose(line[["conf_low", "conf_high"]].astype(float), [low, high], atol=2e-4)


def test_decisions_only_and_choices() -> None:
    labels = pd.DataFrame({"image_id": IDS, "code": "place", "label": ["in", "in", "out", *"mmm"]})
    machine = labels.assign(label=["in", "out", "out", "m", "m", "in"], annotator="model:m")
    found = scored(labels, machine)
    assert [*dict.fromkeys(found.scores["label"])] == ["(all)", "in", "m", "out"]
    assert len(found.calibration) == 0
    assert not {"brier", "calibration_error"} & {*found.scores["measure"]}
    table = found.scores.set_index(["label", "measure"])["estimate"]
    assert np.isclose(table["(all)", "accuracy"], 4 / 6)
    assert np.isclose(table["m", "precision"], 1) and np.isclose(table["m", "recall"], 2 / 3)
    assert found.confusion.query("truth == 'm' and decision == 'in'")["n"].item() == 1
    # Probabilities of classes: the most probable one is the answer.
    p = {"in": [0.5, 0.2, 0.1, 0, 0, 0.6], "out": [0.3, 0.5, 0.8, 0, 0.4, 0.4]}
    p["m"] = list(1 - np.add(p["in"], p["out"]))
    parts = [
        pd.DataFrame({"image_id": IDS, "label": name, "probability": values, "split": None})
        for name, values in p.items()
    ]
    again = scored(labels, pd.concat(parts)).scores.set_index(["label", "measure"])["estimate"]
    assert np.isclose(again["(all)", "accuracy"], 4 / 6)
    assert {"brier", "calibration_error"} <= {*again["in"].index}


def test_subgroups_and_their_differences() -> None:
    rng = np.random.default_rng(2)
    n = 400
    ids = [str(i) for i in range(n)]
    y, group = rng.integers(0, 2, n), rng.choice(["x", "y", "z"], n)
    right = rng.random(n) < np.where(group == "x", 0.95, 0.7)
    labels = pd.DataFrame({"image_id": ids, "code": "flag", "label": y})
    machine = labels.assign(label=np.where(right, y, 1 - y), annotator="model:m")
    images = pd.DataFrame({"image_id": ids, "group": group, "half": np.arange(n) % 2})
    found = scored(labels, machine, by="group", images=images)
    accuracy = found.scores.query("measure == 'accuracy'").set_index("group")
    assert np.allclose(accuracy["estimate"], [right[group == g].mean() for g in "xyz"])
    gaps = found.differences.query("measure == 'accuracy'").set_index("contrast")
    assert [*gaps.index] == ["x - y", "x - z", "y - z"]
    assert np.isclose(
        gaps["estimate"]["x - y"], accuracy["estimate"]["x"] - accuracy["estimate"]["y"]
    )
    assert gaps["p_adjusted"]["x - y"] < 0.001 < 0.05 < gaps["p_adjusted"]["y - z"]
    # Close to the usual standard error of two shares.
    a, b = (accuracy.loc[g] for g in "xy")
    usual = np.sqrt(a["std_error"] ** 2 + b["std_error"] ** 2)
    assert np.isclose(gaps["std_error"]["x - y"], usual, rtol=0.02)
    crossed = scored(labels, machine, by=["group", "half"], images=images, adjust="none")
    assert crossed.differences.query("measure == 'f1'")["half"].tolist() == [0, 0, 0, 1, 1, 1]
    assert (crossed.differences["p_value"] == crossed.differences["p_adjusted"]).all()
    # An image in two groups counts in both, and does not make them differ.
    linked = pd.concat([images.assign(group="one"), images.assign(group="two")])
    same = scored(labels, machine, by="group", images=linked).differences
    assert np.allclose(same["estimate"], 0)
    assert "3 scores" not in repr(found) and "400 labelled images" in repr(found)


def test_golden_scores() -> None:
    labels, sample = golden("labelled-labels"), golden("labelled-sample")
    labels = labels[labels["code"] != "anger"]
    posts = golden("labelled-posts")
    found = scored(labels, golden("labelled-predictions"), sample, by="party", images=posts, bins=4)
    for name in ("scores", "differences", "calibration", "confusion"):
        ours, theirs = getattr(found, name), golden(f"label-{name}")
        theirs.columns = [column.replace(".", "_") for column in theirs]
        assert [*ours] == [*theirs], name
        for column in ours:
            if ours[column].dtype == float:
                assert np.allclose(ours[column], theirs[column], atol=1e-10, equal_nan=True), column
            else:
                assert ours[column].astype(str).tolist() == theirs[column].astype(str).tolist()


def test_bad_input() -> None:
    images = pd.DataFrame({"image_id": IDS, "group": [*"xxxyyy"]})
    with pytest.raises(ImagestrataError, match="has an effect only with"):
        scored(LABELS, PREDICTIONS, images=images)
    with pytest.raises(ImagestrataError, match="which is missing"):
        scored(LABELS, PREDICTIONS, by="group")
    with pytest.raises(ImagestrataError, match="lacks the column 'sex'"):
        scored(LABELS, PREDICTIONS, by="sex", images=images)
    with pytest.raises(ImagestrataError, match="is a column of the results"):
        scored(LABELS, PREDICTIONS, by="n", images=images.assign(n=1))
    with pytest.raises(ImagestrataError, match="None of 6 labelled images has a subgroup"):
        scored(LABELS, PREDICTIONS, by="group", images=images.assign(image_id="x"))
    with pytest.raises(ImagestrataError, match="threshold"):
        scored(LABELS, PREDICTIONS, threshold=2)
    machine = LABELS.assign(annotator="model:m")
    with pytest.raises(ImagestrataError, match="needs probabilities"):
        scored(LABELS, machine, threshold=0.3)
    with pytest.raises(ImagestrataError, match="Ratings have no precision"):
        scored(LABELS.assign(label=range(6)), machine.assign(label=range(6)))
    with pytest.raises(ImagestrataError, match="use consensus"):
        scored(pd.concat([LABELS, LABELS.assign(label=[0, 1, 1, 1, 0, 1])]), PREDICTIONS)
    with pytest.raises(ImagestrataError, match="trained on"):
        scored(LABELS, PREDICTIONS.assign(split="train"))
    with pytest.raises(ImagestrataError, match="has a prediction"):
        scored(LABELS, PREDICTIONS.assign(image_id=[*"uvwxyz"]))
    with pytest.warns(UserWarning, match="fewer than 10 labelled images"):
        score_labels(LABELS, PREDICTIONS)
    with pytest.warns(UserWarning, match="1 labelled image is left out, without a subgroup"):
        score_labels(LABELS, PREDICTIONS, by="group", images=images.iloc[1:])
