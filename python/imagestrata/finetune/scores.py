"""How good are the decisions: measures, each with an interval that says how little is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import plural, warn
from .task import Floats

MEASURES = ("accuracy", "precision", "recall", "f1")

#: Stands for all labels together.
OVERALL = "(all)"

_Z = 1.959964  # 95% of the normal distribution lies within so many standard deviations

Yes = NDArray[np.bool_]


def score_table(
    task: str, labels: Sequence[str], truth: Floats, decision: Yes, *, where: str = ""
) -> pd.DataFrame:
    """Every measure, of all labels together and of each, with 95% intervals.

    Parameters
    ----------
    task : str
        One of :data:`~imagestrata.finetune.task.TASKS`.
    labels : sequence of str
    truth : ndarray of shape (n_images, n_labels)
        1, 0, or NaN where nobody said, which counts neither as right nor as wrong.
    decision : ndarray of bool, same shape
    where : str
        Which images these are, for the warning.

    Returns
    -------
    DataFrame
        ``label`` (a binary task has only its own, others begin with :data:`OVERALL`),
        ``measure``, ``estimate``, ``conf_low``, ``conf_high``, and ``n``, the number of
        answers that the estimate is a share of. A share of nothing is NaN.

    Warns
    -----
    UserWarning
        If a share of nothing enters a mean over labels, where it counts as 0.

    Notes
    -----
    Accuracy, precision and recall are shares, with Wilson's interval. F1 rises with
    Jaccard's share J = TP / (TP + FP + FN) as 2 J / (1 + J): its interval is Wilson's of
    J, carried over. Unlike those of a bootstrap, they stay wide where no mistake was made.

    Overall accuracy is the share of images in the right class, or of right answers to
    several labels; the other overall measures are means over labels (macro averages). As
    in scikit-learn with ``zero_division=0``, the precision of a label that was never
    decided for counts as 0 there, and so does the recall of a label that no image has.
    Labels about which nothing is known (several labels: no answer; classes: neither in
    the truth nor among the decisions) are left out.

    The answers to several labels about one image are not independent. Overall measures
    have Wilson's interval with the effective number of answers, m (1 - m) / v (Korn and
    Graubard 1998): v is the variance of the mean m between images, linearised, with all
    labels of an image kept together. It is taken as if half an image with only right
    answers and half an image with only wrong ones had been seen as well, so that it does
    not vanish where no mistake was made. ``benchmarks/score_coverage.py`` measures how
    often the intervals cover.
    """
    shares = _shares(truth, decision)
    each = [_measured(measure, labels, *_sums(shares[measure])) for measure in MEASURES]
    by_label = pd.concat(each).sort_values(
        "label", key=lambda names: names.map(list(labels).index), kind="stable"
    )
    if task == "binary":
        return by_label.reset_index(drop=True)
    overall = [_overall(task, measure, shares) for measure in MEASURES]
    _tell_nothing(labels, by_label, _known(task, shares), where)
    return pd.concat([pd.DataFrame(overall), by_label], ignore_index=True)


def average_scores(task: str, truth: Floats, decision: Yes) -> dict[str, float]:
    """The overall measures (in a binary task, those of its label), without intervals."""
    shares = _shares(truth, decision)
    if task == "binary":
        tables = [_measured(measure, [""], *_sums(shares[measure])) for measure in MEASURES]
        return {row["measure"].iloc[0]: float(row["estimate"].iloc[0]) for row in tables}
    return {measure: _overall(task, measure, shares)["estimate"] for measure in MEASURES}


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


def clustered_wilson(part: ArrayLike, whole: ArrayLike) -> tuple[float, float]:
    """Ends of Wilson's 95% interval of a share of trials that come in clusters.

    ``part`` and ``whole`` have a number for each cluster. Where trials of a cluster are
    more alike than those of different clusters, they count as fewer: as p (1 - p) / v,
    with the linearised variance v of the share p between clusters.
    """
    parts, wholes = np.asarray(part, float), np.asarray(whole, float)
    n, clusters = wholes.sum(), len(wholes)
    share = parts.sum() / n
    variance = ((parts - share * wholes) ** 2).sum() * clusters / max(clusters - 1, 1) / n**2
    if variance > 0:
        n = min(n, share * (1 - share) / variance)
    low, high = wilson(share * n, n)
    return float(low), float(high)


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


def _shares(truth: Floats, decision: Yes) -> dict[str, tuple[Yes, Yes]]:
    """Of each measure, which answers (images by labels) are in its part and in its whole."""
    known: Yes = ~np.isnan(truth)
    yes, found = truth == 1, decision & known
    hits = yes & found
    return {
        "accuracy": (known & (yes == found), known),
        "precision": (hits, found),
        "recall": (hits, yes),
        "f1": (hits, yes | found),
    }


def _sums(share: tuple[Yes, Yes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Part and whole of each label."""
    return share[0].sum(axis=0), share[1].sum(axis=0)


def _known(task: str, shares: dict[str, tuple[Yes, Yes]]) -> Yes:
    """The labels about which something is known."""
    return np.asarray(shares["f1" if task == "multiclass" else "accuracy"][1].any(axis=0))


def _overall(task: str, measure: str, shares: dict[str, tuple[Yes, Yes]]) -> dict[str, Any]:
    """The row of a measure of all labels together."""
    row = {"label": OVERALL, "measure": measure}
    if task == "multiclass" and measure == "accuracy":
        hits, n = shares["recall"][0].sum(), len(shares["recall"][0])
        low, high = wilson(hits, n)
        estimate = hits / n if n else np.nan
    else:
        known = _known(task, shares)
        part, whole = (cells[:, known].astype(float) for cells in shares[measure])
        n = int(whole.sum())
        weights = whole.sum(axis=0) if measure == "accuracy" else np.ones(known.sum())
        estimate, low, high = _mean(part, whole, weights, jaccard=measure == "f1")
    return row | {"estimate": estimate, "conf_low": float(low), "conf_high": float(high), "n": n}


def _mean(
    part: NDArray[Any], whole: NDArray[Any], weights: NDArray[Any], *, jaccard: bool
) -> tuple[float, float, float]:
    """A mean of shares and its interval.

    ``part`` and ``whole`` have a row for each image and a column for each share; a share
    of nothing counts as 0. With ``jaccard``, the mean is one of F1, 2 J / (1 + J).
    """
    if not weights.sum() > 0:
        return np.nan, np.nan, np.nan
    weights = weights / weights.sum()
    parts, wholes = part.sum(axis=0), whole.sum(axis=0)
    shares, smooth = parts / np.maximum(wholes, 1), (parts + 0.5) / (wholes + 1)
    # How far two shares can be correlated at all: by the images that both are about.
    common = whole.T @ whole
    overlap = common / np.sqrt(np.maximum(np.outer(wholes, wholes), 1))
    np.fill_diagonal(overlap, 1)
    apart = part - smooth * whole
    spread = apart.T @ apart
    spread += overlap * (np.outer(smooth, smooth) + np.outer(1 - smooth, 1 - smooth)) / 2
    error = np.sqrt(smooth * (1 - smooth) / np.maximum(wholes, 1) / np.diag(spread))
    if jaccard:
        error *= 2 / (1 + smooth) ** 2
        shares, smooth = 2 * shares / (1 + shares), 2 * smooth / (1 + smooth)
    middle, smoothed = float(weights @ shares), float(weights @ smooth)
    n = smoothed * (1 - smoothed) / ((weights * error) @ spread @ (weights * error))
    low, high = wilson(middle * n, n)
    return middle, float(low), float(high)


def _tell_nothing(labels: Sequence[str], by_label: pd.DataFrame, known: Yes, where: str) -> None:
    """Warn about shares of nothing, which count as 0 in the means over labels."""
    counted = {label for label, there in zip(labels, known, strict=True) if there}
    nothing = by_label[by_label["estimate"].isna() & by_label["label"].isin(counted)]
    told = []
    for measure, names in nothing.groupby("measure", sort=False)["label"]:
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        told.append(f"{measure} of {plural(len(names), 'label')} ({some})")
    if told:
        warn(
            f"In the means over {plural(len(counted), 'label')}{where}, shares of nothing count as "
            f"0: {'; '.join(told)}. There is no precision of a label that was never decided for, "
            "and no recall of a label that no image has.",
            stacklevel=3,
        )


def _cells(label: str, names: Sequence[str], counts: NDArray[Any]) -> pd.DataFrame:
    rows = [
        {"label": label, "truth": truth, "decision": decision, "n": int(counts[row, column])}
        for row, truth in enumerate(names)
        for column, decision in enumerate(names)
    ]
    return pd.DataFrame(rows)
