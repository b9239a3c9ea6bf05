"""How good are the decisions: measures, each with an interval that says how little is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .task import Floats

MEASURES = ("accuracy", "precision", "recall", "f1")

#: Stands for all labels together.
OVERALL = "(all)"

_Z = 1.959964  # 95% of the normal distribution lies within so many standard deviations

Yes = NDArray[np.bool_]


def score_table(task: str, labels: Sequence[str], truth: Floats, decision: Yes) -> pd.DataFrame:
    """Every measure, of all labels together and of each, with 95% intervals.

    Parameters
    ----------
    task : str
        One of :data:`~imagestrata.finetune.task.TASKS`.
    labels : sequence of str
    truth : ndarray of shape (n_images, n_labels)
        1, 0, or NaN where nobody said, which counts neither as right nor as wrong.
    decision : ndarray of bool, same shape

    Returns
    -------
    DataFrame
        ``label`` (a binary task has only its own, others begin with :data:`OVERALL`),
        ``measure``, ``estimate``, ``conf_low``, ``conf_high``, and ``n``, the number of
        answers that the estimate is a share of. A share of nothing is NaN.

    Notes
    -----
    Accuracy, precision and recall are shares, with Wilson's interval. F1 rises with
    Jaccard's share J = TP / (TP + FP + FN) as 2 J / (1 + J): its interval is Wilson's of
    J, carried over. Unlike those of a bootstrap, they stay wide where no mistake was
    made. Overall accuracy is the share of images in the right class, or of right
    answers to several labels; the other overall measures are means over labels (macro
    averages), with intervals by the method of variance estimates recovery (Zou and
    Donner 2008), as if labels were independent.
    """
    right, wrong = truth == decision, ~np.isnan(truth) & (truth != decision)
    counts = {"tp": right & decision, "tn": right & ~decision}
    counts |= {"fp": wrong & decision, "fn": wrong & ~decision}
    tp, tn, fp, fn = (counts[cell].sum(axis=0) for cell in ("tp", "tn", "fp", "fn"))
    shares = {
        "accuracy": (tp + tn, tp + tn + fp + fn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "f1": (tp, tp + fp + fn),
    }
    each = [_measured(measure, labels, *shares[measure]) for measure in MEASURES]
    by_label = pd.concat(each).sort_values(
        "label", key=lambda names: names.map(list(labels).index), kind="stable"
    )
    if task == "binary":
        return by_label.reset_index(drop=True)
    if task == "multiclass":
        hits = np.array([(truth * decision).sum()]), np.array([len(truth)])
    else:
        hits = right.sum(keepdims=True)[0], (right | wrong).sum(keepdims=True)[0]
    overall = [_measured("accuracy", [OVERALL], *hits), *(_mean(table) for table in each[1:])]
    return pd.concat([*overall, by_label], ignore_index=True)


def average_scores(task: str, truth: Floats, decision: Yes) -> dict[str, float]:
    """The overall measures (in a binary task, those of its label), without intervals."""
    labels = [str(column) for column in range(truth.shape[1])]
    top = score_table(task, labels, truth, decision).head(len(MEASURES))
    return dict(zip(top["measure"], top["estimate"].astype(float), strict=True))


def confusion_table(task: str, labels: Sequence[str], truth: Floats, decision: Yes) -> pd.DataFrame:
    """How often what was taken for what: ``label``, ``truth``, ``decision``, ``n``.

    Of several classes there is one table, named :data:`OVERALL`, of classes; else each
    label has one of its own, of "yes" and "no".
    """
    if task == "multiclass":
        cells = truth.T @ decision
        return _cells(OVERALL, labels, cells)
    tables = []
    for column, label in enumerate(labels):
        yes, no = truth[:, [column]] == 1, truth[:, [column]] == 0
        found = decision[:, [column]]
        cells = np.hstack([yes, no]).T.astype(int) @ np.hstack([found, ~found])
        tables.append(_cells(label, ["yes", "no"], cells))
    return pd.concat(tables, ignore_index=True)


def wilson(part: ArrayLike, whole: ArrayLike) -> tuple[Any, Any]:
    """Ends of Wilson's 95% interval of a share; NaN of a share of nothing."""
    n = np.where(np.asarray(whole) > 0, whole, np.nan)
    share = np.asarray(part) / n
    middle = share + _Z**2 / (2 * n)
    half = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    scale = 1 + _Z**2 / n
    return np.clip((middle - half) / scale, 0, 1), np.clip((middle + half) / scale, 0, 1)


def _measured(
    measure: str, labels: Sequence[str], part: NDArray[Any], whole: NDArray[Any]
) -> pd.DataFrame:
    """A row per label of a measure that is, or follows from, a share."""
    estimate = part / np.where(whole > 0, whole, np.nan)
    low, high = wilson(part, whole)
    if measure == "f1":
        estimate, low, high = (2 * value / (1 + value) for value in (estimate, low, high))
    return pd.DataFrame(
        {
            "label": list(labels),
            "measure": measure,
            "estimate": estimate,
            "conf_low": low,
            "conf_high": high,
            "n": whole.astype(int),
        }
    )


def _mean(table: pd.DataFrame) -> pd.DataFrame:
    """The mean over labels of which something is known, and its interval."""
    known = table.dropna()
    middle = known["estimate"].mean()
    n = max(len(known), 1)
    below = np.sqrt(((known["estimate"] - known["conf_low"]) ** 2).sum()) / n
    above = np.sqrt(((known["conf_high"] - known["estimate"]) ** 2).sum()) / n
    row = {"label": OVERALL, "measure": table["measure"].iloc[0], "estimate": middle}
    row |= {"conf_low": middle - below, "conf_high": middle + above, "n": table["n"].sum()}
    return pd.DataFrame([row])


def _cells(label: str, names: Sequence[str], counts: NDArray[Any]) -> pd.DataFrame:
    rows = [
        {"label": label, "truth": truth, "decision": decision, "n": int(counts[row, column])}
        for row, truth in enumerate(names)
        for column, decision in enumerate(names)
    ]
    return pd.DataFrame(rows)
