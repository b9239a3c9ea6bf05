"""Measures of the quality of decisions, with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import plural, warn
from .task import Floats

MEASURES = ("accuracy", "precision", "recall", "f1")

#: Name of the rows for all labels together.
OVERALL = "(all)"

_Z = 1.959964  # 95% of the normal distribution is within this many standard deviations

Yes = NDArray[np.bool_]


def score_table(
    task: str, labels: Sequence[str], truth: Floats, decision: Yes, *, where: str = ""
) -> pd.DataFrame:
    """Return every measure, for all labels together and for each, with 95% intervals.

    Parameters
    ----------
    task : str
        One of :data:`~imagestrata.finetune.task.TASKS`.
    labels : sequence of str
    truth : ndarray of shape (n_images, n_labels)
        1, 0, or NaN for unknown labels, which count neither as right nor as wrong.
    decision : ndarray of bool, same shape
    where : str
        Name of the images for the warning.

    Returns
    -------
    DataFrame
        ``label`` (a binary task has only its own, others begin with :data:`OVERALL`),
        ``measure``, ``estimate``, ``conf_low``, ``conf_high``, and ``n``, the number of
        answers in the denominator of the estimate. An estimate with n = 0 is NaN.

    Warns
    -----
    UserWarning
        If a measure with n = 0 enters a mean over labels, in which it counts as 0.

    Notes
    -----
    Accuracy, precision and recall are shares, with Wilson's interval. F1 is a function of
    Jaccard's share J = TP / (TP + FP + FN), F1 = 2 J / (1 + J), so its interval is the
    transformed Wilson interval of J. Unlike bootstrap intervals, these intervals stay wide if
    there are no mistakes.

    Overall accuracy is the share of images in the right class or, for several labels, of
    right answers. The other overall measures are means over labels (macro averages). As in
    scikit-learn with ``zero_division=0``, the precision of a label that was never assigned
    counts as 0, and so does the recall of a label that no image has. Labels without any
    information (several labels: no answer; classes: neither in the truth nor among the
    decisions) are left out.

    The answers to several labels of one image are not independent. Overall measures have
    Wilson's interval with the effective number of answers, m (1 - m) / v (Korn and Graubard
    1998): v is the linearised variance of the mean m between images, where all labels of an
    image stay together. It includes half an image with right answers only and half an image
    with wrong answers only, so that it is positive even if there are no mistakes.
    ``benchmarks/score_coverage.py`` measures the coverage of the intervals.
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
    """Return the overall measures (in a binary task, those of its label), without intervals."""
    shares = _shares(truth, decision)
    if task == "binary":
        tables = [_measured(measure, [""], *_sums(shares[measure])) for measure in MEASURES]
        return {row["measure"].iloc[0]: float(row["estimate"].iloc[0]) for row in tables}
    return {measure: _overall(task, measure, shares)["estimate"] for measure in MEASURES}


def confusion_table(task: str, labels: Sequence[str], truth: Floats, decision: Yes) -> pd.DataFrame:
    """Count combinations of truth and decision: ``label``, ``truth``, ``decision``, ``n``.

    A multiclass task has one table of classes with the label :data:`OVERALL`. Otherwise each
    label has a table of "yes" and "no".
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
    """Return the ends of Wilson's 95% interval of a share; NaN if the whole is 0."""
    n = np.where(np.asarray(whole) > 0, whole, np.nan)
    share = np.asarray(part) / n
    middle = share + _Z**2 / (2 * n)
    half = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    scale = 1 + _Z**2 / n
    return np.clip((middle - half) / scale, 0, 1), np.clip((middle + half) / scale, 0, 1)


def clustered_wilson(part: ArrayLike, whole: ArrayLike) -> tuple[float, float]:
    """Return the ends of Wilson's 95% interval of a share of clustered trials.

    ``part`` and ``whole`` have one number for each cluster. If trials of a cluster are more
    similar than those of different clusters, the effective number of trials is smaller:
    p (1 - p) / v, with the linearised variance v of the share p between clusters.
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
    """Return one row per label for a measure that is a share or a function of one."""
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
    """Return for each measure the answers (images by labels) in its part and in its whole."""
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
    """Return part and whole of each label."""
    return share[0].sum(axis=0), share[1].sum(axis=0)


def _known(task: str, shares: dict[str, tuple[Yes, Yes]]) -> Yes:
    """Return the labels with any information."""
    return np.asarray(shares["f1" if task == "multiclass" else "accuracy"][1].any(axis=0))


def _overall(task: str, measure: str, shares: dict[str, tuple[Yes, Yes]]) -> dict[str, Any]:
    """Return the row of a measure for all labels together."""
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
    """Return a mean of shares and its interval.

    ``part`` and ``whole`` have one row for each image and one column for each share. A share
    whose whole is 0 counts as 0. With ``jaccard``, the result is the mean of F1,
    2 J / (1 + J).
    """
    if not weights.sum() > 0:
        return np.nan, np.nan, np.nan
    weights = weights / weights.sum()
    parts, wholes = part.sum(axis=0), whole.sum(axis=0)
    shares, smooth = parts / np.maximum(wholes, 1), (parts + 0.5) / (wholes + 1)
    # The largest possible correlation of two shares depends on the images that both include.
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
    """Warn about measures with n = 0, which count as 0 in the means over labels."""
    counted = {label for label, there in zip(labels, known, strict=True) if there}
    nothing = by_label[by_label["estimate"].isna() & by_label["label"].isin(counted)]
    told = []
    for measure, names in nothing.groupby("measure", sort=False)["label"]:
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        told.append(f"{measure} of {plural(len(names), 'label')} ({some})")
    if told:
        warn(
            f"In the means over {plural(len(counted), 'label')}{where}, undefined measures count "
            f"as 0: {'; '.join(told)}. Precision is undefined for a label that was never assigned, "
            "and recall for a label that no image has.",
        )


def _cells(label: str, names: Sequence[str], counts: NDArray[Any]) -> pd.DataFrame:
    rows = [
        {"label": label, "truth": truth, "decision": decision, "n": int(counts[row, column])}
        for row, truth in enumerate(names)
        for column, decision in enumerate(names)
    ]
    return pd.DataFrame(rows)
