"""Design-based estimates of shares and means, with and without the help of predictions.

The sample is stratified: n of the N images of a stratum, drawn at random. For a value z, the score
of image i is u_i = w_i (z_i - mean) / sum(a w), with a = N / n and the weight w of the image in the
cell. The variance of a mean is sum(k_i c_i^2), where c_i is a_i times the difference between u_i
and its mean in the stratum, and k = (1 - n / N) n / (n - 1). Strata with one labelled image are
collapsed: the mean is that of several of them.

The corrected estimate is the difference estimator: the mean of the labels plus lambda times
(the mean prediction of all images - that of the labelled ones). Its lambda minimises the variance
over all strata (Angelopoulos, Duchi and Zrnic 2023, for a stratified sample), between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .observed import Array, Observed, Target, predictions_filled


@dataclass(frozen=True, eq=False)
class Plan:
    """How the labelled images of a code were drawn; arrays with a place per labelled image.

    Attributes
    ----------
    at : array
        Their places among the images.
    stratum : array
        Their strata, 0, 1, ...
    a : array
        N / n.
    fraction : array
        n / N.
    group, own : array
        The images whose scores an image is compared with, and those to which it belongs itself
        (-1 for an image without others in its stratum, which is compared with another stratum).
    k : array
        The factor of its squared deviation in the variance.
    df : array
        The degrees of freedom of each group.
    n_merged : int
        The number of strata without labels, which others represent.
    """

    at: Array
    stratum: Array
    a: Array
    fraction: Array
    group: Array
    own: Array
    k: Array
    df: Array
    n_merged: int
    n_single: int

    def centre(self, scores: Array) -> Array:
        """Differences between scores and their mean in the group, times a."""
        inside = self.own >= 0
        total = np.bincount(self.own[inside], scores[inside], len(self.df))
        n = np.maximum(np.bincount(self.own[inside], minlength=len(self.df)), 1)
        return np.asarray(self.a * (scores - (total / n)[self.group]))


def plan_of(observed: Observed, targets: Sequence[Target]) -> Plan:
    """The design of the labelled images of one code."""
    strata = observed.strata
    size = strata["N_h"].to_numpy(float)
    at = np.flatnonzero(np.isfinite(targets[0].y))
    stratum = observed.images["stratum"].to_numpy()[at]
    n = np.bincount(stratum, minlength=len(size))
    # A stratum without labels is represented by the one with labels that is nearest in size.
    empty = np.flatnonzero(n == 0)
    total = size.copy()
    labelled = np.flatnonzero(n > 0)
    for one in empty:
        total[labelled[_nearest(size[labelled], size[one])]] += size[one]
    a, fraction = (total / np.maximum(n, 1))[stratum], (n / total)[stratum]
    alone = (n[stratum] == 1) & (fraction < 1)
    group, own = stratum.copy(), stratum.copy()
    many = n[stratum].astype(float)
    k = (1 - fraction) * many / np.maximum(many - 1, 1)
    df = np.maximum(n - 1, 0).astype(float)
    singles = np.flatnonzero(alone)
    if len(singles) == 1:
        others = np.flatnonzero(n > 1)
        one = singles[0]
        own[one] = -1
        if len(others):
            group[one] = others[_nearest(size[others], size[stratum[one]])]
            k[one] = 1 - fraction[one]
        else:
            k[one] = np.nan
    elif len(singles) > 1:
        similar = _similar(observed, targets, stratum[singles], size)
        ordered = singles[np.lexsort([stratum[singles], similar])]
        pair = np.minimum(np.arange(len(ordered)) // 2, len(ordered) // 2 - 1)
        first = ordered[2 * pair]
        group[ordered] = own[ordered] = stratum[first]
        count = np.bincount(pair)[pair].astype(float)
        k[ordered] = (1 - fraction[ordered]) * count / (count - 1)
        df[stratum[first]] = count - 1
    return Plan(at, stratum, a, fraction, group, own, k, df, len(empty), len(singles))


def _nearest(sizes: Array, size: float) -> int:
    return int(np.argmin(np.abs(np.log(sizes / size))))


def _similar(observed: Observed, targets: Sequence[Target], strata: Array, size: Array) -> Array:
    """The order of strata that are collapsed: similar ones follow one another.

    It must not depend on labels: it is that of the mean predictions of the strata, or else of
    their sizes.
    """
    found = max(targets, key=lambda target: np.nansum(target.f) if target.predicted else -1.0)
    if not (observed.placed and observed.whole and found.predicted):
        return size[strata]
    of = observed.images["stratum"].to_numpy()
    f = predictions_filled(found.f)
    means = np.bincount(of, f, len(size)) / np.bincount(of, minlength=len(size))
    return np.round(means[strata], 10)


@dataclass(frozen=True, eq=False)
class Mean:
    """An estimate, its variance and degrees of freedom.

    ``effective`` is the number of units that the weights are worth: labelled images or, if authors
    are drawn, authors; ``images`` is that of images. ``uniform`` are the strata whose labels are
    all the same: the share of the images that they stand for, without the labelled ones, and the
    number of images that their weights are worth (an array with two rows).
    """

    estimate: float
    variance: float
    df: float
    effective: float
    images: float
    low: float = -np.inf
    high: float = np.inf
    uniform: Array | None = None


@dataclass(frozen=True, eq=False)
class Tuned:
    """Lambda, and how much each labelled image influences it (arrays by target)."""

    value: float
    leverage: list[Array]


def tune(plan: Plan, targets: Sequence[Target], w: Array) -> Tuned:
    """Lambda for all answers of a code, between 0 and 1."""
    weight = plan.a * w[plan.at]
    total = weight.sum()
    product, square, own = 0.0, 0.0, []
    k = np.nan_to_num(plan.k)
    for target in targets:
        if not target.predicted or total == 0:
            own.append(np.zeros(len(plan.at)))
            continue
        y, f = target.y[plan.at], predictions_filled(target.f)[plan.at]
        dy = plan.centre(w[plan.at] * (y - (weight * y).sum() / total) / total)
        df = plan.centre(w[plan.at] * (f - (weight * f).sum() / total) / total)
        product += float((k * dy * df).sum())
        square += float((k * df**2).sum())
        own.append(k * df**2)
    if square <= 1e-24 or product <= 0:
        return Tuned(0.0, [np.zeros(len(plan.at)) for _ in targets])
    value = product / square
    if value >= 1:
        return Tuned(1.0, [np.zeros(len(plan.at)) for _ in targets])
    return Tuned(value, [one / square for one in own])


def mean_of(
    plan: Plan,
    target: Target,
    w: Array,
    tuned: Tuned | None = None,
    leverage: Array | None = None,
    whole: bool = True,
) -> Mean:
    """The mean of the labels in a cell, or with ``tuned`` the corrected one."""
    weight = plan.a * w[plan.at]
    total = weight.sum()
    if total <= 0:
        return Mean(np.nan, np.nan, np.nan, 0.0, 0.0)
    y = target.y[plan.at]
    estimate = (weight * y).sum() / total
    error = y - estimate
    if tuned is not None and tuned.value > 0:
        f = predictions_filled(target.f)
        of_labelled = (weight * f[plan.at]).sum() / total
        estimate += tuned.value * ((w * f).sum() / w.sum() - of_labelled)
        error = error - tuned.value * (f[plan.at] - of_labelled)
    deviation = plan.centre(w[plan.at] * error / total)
    if leverage is not None:
        # Lambda fits the labelled images better than others, as in a regression (HC3).
        deviation = deviation / (1 - np.minimum(leverage, 0.9))
    parts = np.bincount(plan.group, plan.k * deviation**2, len(plan.df))
    known = np.where(np.bincount(plan.group, minlength=len(plan.df)) > 0, parts, 0.0)
    variance = float(known.sum())
    if (weight > 0).sum() == 1 and (plan.fraction[weight > 0] < 1).all():
        variance = np.nan  # one image does not tell how images differ
    # Satterthwaite's, corrected for the variance of the variances.
    with np.errstate(divide="ignore", invalid="ignore"):
        df = variance**2 / (known**2 / (plan.df + 2)).sum() - 2
    spread = (weight**2 * (1 - plan.fraction)).sum()
    effective = total**2 / spread if spread > 0 else np.inf
    low, high = -np.inf, np.inf
    if target.kind != "scale" and whole:
        every, of = w.sum(), w[plan.at]
        low = (of * y).sum() / every
        high = 1 - (of * (1 - y)).sum() / every
        estimate = min(max(estimate, low), high)
    df = max(float(df), 1.0) if np.isfinite(df) else np.nan
    n = float(effective)
    uniform = None if target.kind == "scale" else _uniform(plan, weight, y)
    return Mean(float(estimate), variance, df, n, n, float(low), float(high), uniform)


def _uniform(plan: Plan, weight: Array, y: Array) -> Array:
    """The strata whose labels are all the same, as in :class:`Mean`.

    That labels do not differ does not mean that images do not.
    """
    n = len(plan.df)
    every = np.bincount(plan.group, weight, n)
    ones = np.bincount(plan.group, weight * y, n)
    unseen = np.bincount(plan.group, weight * (1 - plan.fraction), n)
    same = (unseen > 0) & ((ones == 0) | (ones == every))
    squares = np.bincount(plan.group, weight**2, n)[same]
    return np.array([unseen[same] / every.sum(), every[same] ** 2 / squares])


def machine_mean(target: Target, w: Array) -> Mean:
    """The mean of the machine's labels, as if they were a random sample of correct ones."""
    known = np.isfinite(target.decided) & (w > 0)
    weight, value = w[known], target.decided[known]
    total = weight.sum()
    if total <= 0:
        return Mean(np.nan, np.nan, np.nan, 0.0, 0.0)
    estimate = (weight * value).sum() / total
    variance = (weight**2 * (value - estimate) ** 2).sum() / total**2
    n = float(total**2 / (weight**2).sum())
    return Mean(float(estimate), float(variance), float(max(len(value) - 1, 1)), n, n)


def limits_of_mean(mean: Mean, kind: str, conf_level: float) -> tuple[float, float]:
    """Limits of an interval; see the notes of :func:`imagestrata.label_shares`."""
    from scipy import special, stats

    p, v, n = mean.estimate, mean.variance, mean.effective
    if not np.isfinite(p) or np.isnan(n):
        return np.nan, np.nan
    if np.isinf(n):  # every image is labelled
        return p, p
    t = stats.t.ppf((1 + conf_level) / 2, mean.df) if np.isfinite(mean.df) else np.nan
    if kind == "scale":
        if not v > 0:
            return np.nan, np.nan
        return float(p - t * np.sqrt(v)), float(p + t * np.sqrt(v))
    tail = (1 - conf_level) / 2
    low, high = 0.0, 1.0
    if p > 0:
        low = special.betaincinv(n * p, n * (1 - p) + 1, tail)
    if p < 1:
        high = special.betainccinv(n * p + 1, n * (1 - p), tail)
    if 0 < p < 1 and (v == 0 or np.isfinite(t)) and v >= 0:
        width = t * np.sqrt(v) / (p * (1 - p)) if v > 0 else 0.0
        low = max(low, special.expit(special.logit(p) - width))
        high = min(high, special.expit(special.logit(p) + width))
    # At least as wide as the exact interval of errors (or exceptions) if no label shows one, among
    # all images or in one stratum.
    share, images = np.array([[1.0], [mean.images]])
    if mean.uniform is not None:
        share, images = np.append(share, mean.uniform[0]), np.append(images, mean.uniform[1])
    least = float((share * (1 - tail ** (1 / images))).max() / 2)
    low, high = min(low, p - least), max(high, p + least)
    return float(max(low, mean.low, 0.0)), float(min(high, mean.high, 1.0))
