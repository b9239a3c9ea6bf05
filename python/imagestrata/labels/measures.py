"""Measures of predictions as ratios of weighted totals over images, and their design variance.

A measure is sum(w a) / sum(w b) over the labelled images. Its linearised scores are
u = w (a - ratio b) / sum(w b), whose variance is that of a stratified sample without replacement.
It is too small where few images differ from the rest, and 0 where none does. Intervals therefore
add two half images with the mean weight, one with the property and one without, to ratio and
variance; ratio (1 - ratio) / variance is the effective number of images, which Wilson's interval
takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .estimate import Plan
from .observed import Array


@dataclass(frozen=True, eq=False)
class Measure:
    """An estimate and what its interval and its differences from others need.

    Attributes
    ----------
    estimate, std_error, df : float
    n : int
        The labelled images that it is based on.
    effective : float
        The number of images that would be as uncertain; missing for means, which have t intervals.
    smooth : array of shape (labelled images,)
        The scores with the half images, before weights.
    added : float
        The variance of the half images.
    share : float
        The share that Wilson's interval is of; of F1, the Jaccard coefficient.
    """

    estimate: float
    std_error: float
    df: float
    n: int
    effective: float
    smooth: Array
    added: float
    share: float


def design_of(n: int) -> Plan:
    """Labelled images that are a simple random sample of very many."""
    zeros = np.zeros(n, dtype=np.int64)
    k = np.full(n, n / max(n - 1, 1))
    return Plan(
        np.arange(n), zeros, np.ones(n), np.zeros(n), zeros, zeros, k, np.array([n - 1.0]), 0, 0
    )


def variance(plan: Plan, scores: Array) -> float:
    """The variance of a total of the labelled images, weighted."""
    return float((np.nan_to_num(plan.k) * plan.centre(scores) ** 2).sum())


def ratio(plan: Plan, a: Array, b: Array) -> Measure:
    """The ratio of two totals, a share."""
    w = plan.a
    a, b = a.astype(float), b.astype(float)
    n = int((b > 0).sum())
    if not n:
        return nothing(len(w))
    whole = (w * b).sum()
    share = (w * a).sum() / whole
    weight = (w**2 * b**2).sum() / whole
    middle = ((w * a).sum() + weight / 2) / (whole + weight)
    smooth = (a - middle * b) / whole
    rest = ((1 - plan.fraction) * w**2 * b**2).sum() / (w**2 * b**2).sum()
    added = rest * (weight / whole) ** 2 * (middle**2 + (1 - middle) ** 2) / 2
    spread = variance(plan, smooth) + added
    effective = middle * (1 - middle) / spread if spread > 0 else np.inf
    error = np.sqrt(variance(plan, (a - share * b) / whole))
    return Measure(share, error, max(degrees(plan), 1.0), n, effective, smooth, added, share)


def mean(plan: Plan, a: Array, within: Array) -> Measure:
    """The mean of numbers, which may be negative: no half images are added."""
    w = plan.a * within
    n = int(within.sum())
    if not n:
        return nothing(len(w))
    estimate = (w * a).sum() / w.sum()
    scores = within * (a - estimate) / w.sum()
    error = np.sqrt(variance(plan, scores))
    df = max(min(degrees(plan), n - 1.0), 1.0)
    return Measure(estimate, error, df, n, np.nan, scores, 0.0, np.nan)


def f1(jaccard: Measure) -> Measure:
    """F1 is 2 J / (1 + J) for the Jaccard coefficient J, a share."""
    slope = 2 / (1 + jaccard.share) ** 2
    return replace(
        jaccard,
        estimate=2 * jaccard.share / (1 + jaccard.share),
        std_error=slope * jaccard.std_error,
        smooth=slope * jaccard.smooth,
        added=slope**2 * jaccard.added,
    )


def nothing(n: int) -> Measure:
    """A measure of no image."""
    none = np.full(n, np.nan)
    return Measure(np.nan, np.nan, np.nan, 0, np.nan, none, np.nan, np.nan)


def wilson(share: Array, n: Array, t: Array) -> tuple[Array, Array]:
    """Wilson's interval for an effective number of images; without width if it is infinite."""
    with np.errstate(invalid="ignore"):
        middle = (share + t**2 / (2 * n)) / (1 + t**2 / n)
        half = t / (1 + t**2 / n) * np.sqrt(share * (1 - share) / n + t**2 / (4 * n**2))
        low, high = np.maximum(middle - half, 0), np.minimum(middle + half, 1)
    return np.where(share == 0, 0, low), np.where(share == 1, 1, high)


def degrees(plan: Plan) -> float:
    """Labelled images less the groups of strata that they are compared in."""
    inside = plan.own >= 0
    return float(inside.sum() - len(np.unique(plan.own[inside])))
