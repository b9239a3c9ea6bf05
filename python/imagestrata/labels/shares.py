"""Shares of labels in the corpus: by the machine, by the sample, and corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..errors import plural, warn
from ..validate import check_conf_level
from ..verbs import public
from ..wording import quote
from .cells import Cells, group_images
from .estimate import (
    Mean,
    Plan,
    Tuned,
    limits_of_mean,
    machine_mean,
    mean_of,
    plan_of,
    tune,
)
from .observed import Array, Observed, Target, observe, predictions_filled

METHODS = ("machine", "sample", "corrected")


@public
def label_shares(
    labels: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    sample: pd.DataFrame | None = None,
    by: str | Sequence[str] | None = None,
    *,
    weight: str = "image",
    linked: pd.DataFrame | None = None,
    clustering: Any = None,
    author: str | None = "author",
    time: str = "time",
    time_zone: str = "UTC",
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Estimate how often a label occurs in the corpus, from a labelled sample and predictions.

    Three estimates stand side by side: what the machine says about all images, what people say
    about the sample, and the estimate that corrects the machine's errors by the sample.
    R's ``label_shares()`` gives the same numbers. Both are tested against the same tables.

    Parameters
    ----------
    labels : DataFrame
        What people said about the sampled images: one row per image and code, with ``image_id``,
        ``code`` and ``label`` (1 or 0, an answer, or a number on a scale). Several annotators are
        merged by :func:`consensus` first.
    predictions : DataFrame, optional
        What a machine says about all images: of :func:`predict_labels`, or a table like the labels
        (a language model's). The model must not have learnt from the labels of the images that it
        is compared with; see Notes.
    sample : DataFrame
        The result of :func:`sample_images`, of which the labelled images are a part.
    by : str, sequence of str or None
        Columns that define groups: of the clustering, such as "cluster" or "theme", or of
        ``linked``. With ``linked``, "day", "week", "month" and "year" are made from times.
    weight : {"image", "post", "share"}, default "image"
        What counts the same: every image; every showing of an image in a post (an image counts as
        often as posts of the group show it); or every copy in the corpus (the column ``n_copies``
        of the clustering).
    linked : DataFrame, optional
        The result of :func:`link_posts`, for groups of posts.
    clustering : Clustering or DataFrame, optional
        The clusters from which the sample was drawn. It is needed if the sample leaves out
        clusters, and for groups.
    author : str or None, default "author"
        With ``weight="post"``: the column of those who post, who are the units that were drawn.
        With None, intervals are about these posts only.
    time : str, default "time"
        The column of times from which periods are made.
    time_zone : str, default "UTC"
        The time zone in which days begin.
    conf_level : float, default 0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        Up to three rows per code, answer and group: ``code``, ``label`` (the answer, "1" for
        binary codes; missing for the mean of a scale), the columns of ``by``, ``method``
        ("machine", "sample", "corrected"), ``estimate``, ``std_error``, ``df``, ``conf_low``,
        ``conf_high``, ``n_labelled`` and ``n_predicted`` (images of the group with a label, and
        with a prediction), ``lambda``. ``attrs["summary"]`` has the numbers of images and strata,
        and the settings.

    Raises
    ------
    ImagestrataError
        If the tables do not fit together, an image has several labels of a code, or the model has
        learnt from the labels.

    Warns
    -----
    UserWarning
        If labels or images are left out or represented by others, if codes have no predictions, or
        if groups have few labels.

    Notes
    -----
    *Machine.* The share of images to which the machine gives the label, or its mean. Its interval
    treats the machine's labels as a random sample of correct ones. It is what is published if
    labels by a machine are taken at face value. It says nothing about errors of the machine, and
    does not hold the truth as often as it claims.

    *Sample.* The mean of the labels, weighted by N / n of the strata, with the variance of a
    stratified sample with finite population correction, as in R's survey package. Images that
    were sampled but not labelled are represented by those of their stratum, and strata without
    labels by the stratum that is nearest in size. Strata with one labelled image are collapsed in
    pairs: of similar mean prediction, or of similar size if there are no predictions.

    *Corrected.* The difference estimator: the mean of the labels plus lambda times the difference
    between the mean prediction of all images and that of the labelled ones. It is unbiased
    whatever the errors of the machine. Lambda is one number per code (``lambda``), between 0 and
    1, that minimises the variance over all strata: 1 takes predictions at full value, and 0 is
    the estimate from the sample. A useless machine therefore costs almost nothing. Probabilities
    are used if there are any. Lambda fits the labelled images better than others; their residuals
    are divided by one minus their influence on lambda, as in HC3 standard errors.

    *Intervals* of shares are those of the t distribution on the logit scale, with Satterthwaite's
    degrees of freedom ``df``, but never beyond the exact binomial interval of as many images as
    the weights are worth. A share of 0 or 1 in the sample has that interval. No interval is
    narrower than the exact one of a machine (or a clustering) without a single error in the
    labelled images, or than that of a cluster whose labels are all the same, times the cluster's
    share of the images: eight labels that agree do not say that a large cluster has no exceptions.
    No interval contains shares that the labelled images exclude. Means of scales have t intervals.

    *Authors.* With ``weight="post"``, posts of one author are not independent: the variance between
    authors is added to that of the labelling. It is estimated from the corrected values of their
    images by the jackknife, less what the labelling adds to their differences. Its degrees of
    freedom are the number of authors minus one, or 2 m - 1 with m authors of equal numbers of posts
    that would be as uneven.

    *Requirements.* The labelled images must be drawn at random within strata. Predictions must not
    depend on the labels with which they are compared: train on other images, or predict every fold
    of the sample by a model that was fitted to the other folds.

    References
    ----------
    Angelopoulos, Bates, Fannjiang, Jordan and Zrnic (2023), "Prediction-powered inference",
    Science 382. Angelopoulos, Duchi and Zrnic (2023), "PPI++: efficient prediction-powered
    inference", arXiv:2311.01453. Fisch et al. (2024), "Stratified prediction-powered inference",
    arXiv:2406.04291. Egami, Hinck, Stewart and Wei (2023), "Using imperfect surrogates for
    downstream inference: design-based supervised learning", NeurIPS 36.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import label_shares
    >>> sample = pd.DataFrame({
    ...     "image_id": list("abef"), "cluster": [1, 1, 2, 2], "N_h": [4, 4, 2, 2],
    ...     "n_h": [2, 2, 2, 2],
    ... })
    >>> labels = pd.DataFrame({"image_id": list("abef"), "code": "protest", "label": [1, 0, 1, 0]})
    >>> shares = label_shares(labels, sample=sample)
    >>> shares[["code", "method", "estimate"]].values.tolist()
    [['protest', 'sample', 0.5]]
    """
    conf_level = check_conf_level(conf_level)
    observed = observe(labels, predictions, sample, clustering)
    cells = group_images(observed, by, weight, linked, author, time, time_zone)
    everyone = cells.weights(None, len(observed.images))
    tables, n_merged, n_single, n_labelled = [], 0, 0, 0
    for code in observed.codes:
        targets = observed.targets_of(code)
        plan = plan_of(observed, targets)
        tuned = tune(plan, targets, everyone)
        tell_merged(plan, observed, code)
        n_merged, n_single = max(n_merged, plan.n_merged), max(n_single, plan.n_single)
        n_labelled = max(n_labelled, len(plan.at))
        for target, leverage in zip(targets, tuned.leverage, strict=True):
            tables.append(_rows(observed, cells, plan, target, tuned, leverage, conf_level))
    table = pd.concat(tables, ignore_index=True)
    _warn_few(table, cells)
    table.attrs = {
        "summary": {
            "n_images": observed.n_images,
            "n_sampled": observed.n_sampled,
            "n_labelled": n_labelled,
            "n_strata": len(observed.strata),
            "n_single": n_single,
            "n_unlabelled": n_merged,
            "n_codes": len(observed.codes),
            "n_groups": len(cells.table),
            "weight": weight,
            "conf_level": conf_level,
        }
    }
    return table


def _rows(
    observed: Observed,
    cells: Cells,
    plan: Plan,
    target: Target,
    tuned: Tuned,
    leverage: Array,
    conf_level: float,
) -> pd.DataFrame:
    """The rows of a code or answer: groups by methods."""
    n_images, rows = len(observed.images), []
    labelled, predicted = np.isfinite(target.y), np.isfinite(target.f)
    whole = observed.whole and not cells.authors
    for number in range(len(cells.table)):
        w = cells.weights(number, n_images)
        counts = {
            "n_labelled": int((labelled & (w > 0)).sum()),
            "n_predicted": int((predicted & (w > 0)).sum()),
        }
        means = {"sample": mean_of(plan, target, w, whole=whole)}
        if target.predicted:
            corrected = mean_of(plan, target, w, tuned, leverage, whole)
            means = {"machine": machine_mean(target, w), **means, "corrected": corrected}
        for method, mean in means.items():
            value = tuned.value if method == "corrected" else np.nan
            if cells.authors:
                mean = with_authors(mean, cells, number, plan, target, w, method, tuned.value)
            low, high = limits_of_mean(mean, target.kind, conf_level)
            rows.append(
                {
                    "cell": number, "method": method, "estimate": mean.estimate,
                    "std_error": np.sqrt(mean.variance), "df": mean.df, "conf_low": low,
                    "conf_high": high, **counts, "lambda": value,
                }
            )  # fmt: skip
    found = pd.DataFrame(rows)
    where = cells.table.iloc[found.pop("cell").to_numpy()].reset_index(drop=True)
    label = pd.Series([target.label] * len(found), dtype="str")
    first = pd.DataFrame({"code": target.code, "label": label})
    return pd.concat([first, where, found], axis=1)


def with_authors(
    mean: Mean,
    cells: Cells,
    number: int,
    plan: Plan,
    target: Target,
    w: Array,
    method: str,
    value: float,
) -> Mean:
    """An estimate whose variance is also that between authors."""
    if not np.isfinite(mean.estimate):
        return mean
    rows = cells.cell == number
    image, count = cells.image[rows], cells.count[rows]
    author = pd.factorize(cells.author[rows])[0]
    n = int(author.max()) + 1
    every = w.sum()
    score, noise = np.zeros(len(w)), np.zeros(len(w))
    if method == "machine":
        known = np.isfinite(target.decided)
        score[known] = (target.decided[known] - mean.estimate) / w[known].sum()
    else:
        weight = plan.a * w[plan.at]
        y = target.y[plan.at]
        error = y - (weight * y).sum() / weight.sum()
        if method == "corrected" and value > 0:
            f = predictions_filled(target.f)
            error = error - value * (f[plan.at] - (weight * f[plan.at]).sum() / weight.sum())
            score += value * (f - (w * f).sum() / every) / every
        score[plan.at] += plan.a * error / weight.sum()
        noise[plan.at] = (1 - plan.fraction) * (plan.a * error / weight.sum()) ** 2
    by_author = np.bincount(author, count * score[image], n)
    sizes = np.bincount(author, count, n)
    # The jackknife, which leaves out one author at a time, as in topic_prevalence().
    factor = np.sqrt((n - 1) / n) / (1 - sizes / every) if n > 1 else np.full(n, np.nan)
    noisy = (factor[author] * count) ** 2 * noise[image]
    between = max(((factor * by_author) ** 2).sum() - noisy.sum(), 0.0) if n > 1 else np.nan
    of_labels = 0.0 if method == "machine" else mean.variance
    variance = between + of_labels
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = every**2 / (sizes**2).sum()
        freedom = max(min(n - 1, 2 * effective - 1), 1)
        parts = between**2 / freedom + (of_labels**2 / mean.df if of_labels > 0 else 0.0)
        df = max(variance**2 / parts, 1.0) if parts > 0 else float(freedom)
        if method != "machine":
            effective = 1 / (1 / effective + 1 / mean.effective)
    effective = effective if n > 1 else np.nan
    return replace(mean, variance=variance, df=df, effective=float(effective))


def tell_merged(plan: Plan, observed: Observed, code: str) -> None:
    """Report strata without labels."""
    if plan.n_merged:
        n = len(observed.strata)
        has = "has" if plan.n_merged == 1 else "have"
        warn(
            f"{plan.n_merged:,} of {plural(n, 'stratum', 'strata')} {has} no label of "
            f"{quote(code)}: the labelled strata that are nearest in size represent them.",
            "Label some of their images: nothing but the predictions is known about them.",
        )


def _warn_few(table: pd.DataFrame, cells: Cells) -> None:
    """Report groups with so few labels that intervals say little."""
    if not cells.by:
        return
    groups = table.drop_duplicates([*cells.by])
    few = table.groupby([*cells.by], sort=False, dropna=False)["n_labelled"].min() < 2
    if few.any():
        first = few.index[int(few.to_numpy().argmax())]
        values = first if isinstance(first, tuple) else (first,)
        shown = ", ".join(
            f"{name} {one:%Y-%m-%d}" if isinstance(one, pd.Timestamp) else f"{name} {one}"
            for name, one in zip(cells.by, values, strict=True)
        )
        has = "has" if few.sum() == 1 else "have"
        warn(
            f"{int(few.sum()):,} of {plural(len(groups), 'group')} {has} fewer than 2 labelled "
            f"images, the first of them {shown}: their intervals are as wide as can be, or missing."
        )
