"""Means of ratings and gaps between groups, with standard errors for respondents and images."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.named import with_names
from ..errors import ImagestrataError, plural, warn
from ..validate import check_choice, check_conf_level
from ..verbs import public
from ..wording import arg
from .contrasts import Comparison, Key, alike, comparisons_of
from .corrected import METHODS, Lambda, Predicted, check_comparable, predict_ratings, tune, tune_gap
from .design import Design, design_ratings, effective, warn_unrated, weigh
from .totals import LEAST_OF_OTHERS, Array, across_strata, image_distances, scores_of, summed

#: Units that count as drawn at random.
VARIANCES = ("two-way", "respondent", "image")

#: Adjustments of p values.
ADJUSTMENTS = ("holm", "BH", "none")


@public
def rating_means(
    ratings: pd.DataFrame,
    by: str | Sequence[str] | None = "group",
    *,
    weight: str = "cluster",
    respondent_weight: str | None = None,
    variance: str = "two-way",
    predictions: pd.DataFrame | None = None,
    clustering: Any = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Estimate mean ratings of every item and dimension, by groups.

    R's ``rating_means()`` gives the same estimates. It also has ``shrink``, for means of clusters
    from a mixed model (lme4), which Python lacks, and is fast for millions of ratings. Both are
    tested against the same reference tables.

    Parameters
    ----------
    ratings : DataFrame
        The result of :func:`read_ratings`: one row per rating, with the columns
        ``respondent_id``, ``image_id``, ``item`` and ``rating``, those of ``by``, the
        weight, and optionally ``dimension`` and ``cluster``.
    by : str, sequence of str or None, default "group"
        Columns that define groups; None estimates one mean for all.
    weight : {"cluster", "corpus", "share", "none"}, default "cluster"
        Unit with equal weight: every cluster of images (the paper's Figure 10),
        every image of the corpus, every share of an image, or every rated image.
        The weight of an image does not depend on its number of ratings, and the weight of a
        cluster does not depend on the number of its rated images: see the notes.
    respondent_weight : str or None, default None
        The column of ``ratings`` with the survey weight of each respondent, whose unit does not
        matter; None gives respondents equal weight. Means then describe the population that the
        survey's weights lead back to.
    variance : {"two-way", "respondent", "image"}, default "two-way"
        Units that count as drawn at random: respondents, and images within clusters;
        respondents only, as in R's ``svydesign(ids = ~respondent_id)``; or images only, which
        understates the variance and is for comparison.
    predictions : DataFrame, optional
        What a machine predicts for every image of the corpus: ``image_id``, ``item`` and
        ``prediction``, on the scale of the ratings. The result then has corrected means of all
        images; see the notes. A column of ``by`` about respondents, such as ``group``, gives each
        group predictions of its own; without it they are the same for all. ``split`` says what
        the model has seen, as :func:`predict_labels` returns it. The columns of labels by a
        machine, ``code`` and ``label``, are understood as well.
    clustering : Clustering or DataFrame, optional
        With ``predictions``: the clustering from which the sample was drawn, or a table with
        ``image_id`` and ``cluster``, and those columns of ``by`` that describe images.
        ``weight="share"`` also needs the shares of all images, ``n_shares`` or ``n_copies``.
    conf_level : float, default 0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        One row per measure and group: ``level`` ("item" or "dimension"), ``item``,
        ``dimension``, the columns of ``by`` (and the names of clusters, if they have any),
        ``estimate``, ``std_error``, ``df``, ``conf_low``, ``conf_high``, ``n_ratings``,
        ``n_respondents``, ``n_images``, ``n_clusters``, ``weight``, ``variance``; with weights of
        respondents also ``n_effective`` and ``respondent_weight``; with predictions up to three
        rows, and also ``method`` ("machine", "sample", "corrected"), ``n_predicted`` (images with a
        prediction) and ``lambda``.

    Raises
    ------
    ImagestrataError
        If ratings lack columns or occur twice, if weights are missing or not positive, or if
        predictions do not fit the ratings, or come from a model that has seen them.

    Notes
    -----
    The rating of a dimension is the mean of the ratings of its items by the same respondent of
    the same image.

    If some sampled images have no rating, the rated images of their cluster represent them. In a
    cell (an item in a group) the weight of a rated cluster is 1 ("cluster"), its number of images
    in the corpus ("corpus") or their number of shares ("share"; for images without a rating the
    average of the others is used). This weight is divided among its rated images, and the weight
    of an image among its ratings; :func:`rating_weights` returns the resulting weights. A cluster
    without a rating is not in the mean, and a warning counts such clusters. If a column of ``by``
    describes images, such as their month, only the images of a cluster in that month count.

    Respondents' weights multiply the weight of an answer: the image's part of its cluster, divided
    by the number of its raters, times the weight of the respondent. The mean of a cell is the sum
    of weighted ratings divided by the sum of these weights. It estimates the mean over images of
    what the population of respondents would answer on average. Totals of images or clusters are not
    kept fixed: with one rater per image the respondents' weights would cancel out. ``n_effective``
    is Kish's effective number of respondents, the squared sum of their weights divided by the sum
    of squared weights; a warning tells you if it is less than half of the respondents.

    Scores of answers are u = w (y - mean) / sum(w). "respondent" is V n / (n - 1), where V is the
    sum over respondents of their squared total scores and n the number of respondents in the
    *whole* survey: R's ``svydesign(ids = ~respondent_id, weights = )``. It treats the clusters that
    a respondent rated as random; since all clusters are in the study, it is too large. "image" is
    the sum, over clusters with m rated images, of m / (m - 1) times the squared distances of the
    images' total scores from the mean of their cluster. "two-way" adds the covariance of a
    respondent's answers to different images: V n / (n - 1) minus the same for single answers.

    *Single images.* A cluster with one rated image has the average of the other clusters, in
    proportion to the squared weight. If no cluster of a cell has two rated images, or if those that
    have are less than a tenth of the sum of squared weights of images, the single images are
    compared across clusters (collapsed strata). An image with the share s in the mean then adds s^2
    times the squared distance of its rating from the mean, divided by 1 - 2 s + q, where q is the
    sum of squared shares in the cell; with K clusters of equal weight this is ``"adjust"`` of R's
    survey times K / (K - 1). Such standard errors are right if clusters do not differ, and too
    large if they do, because differences between clusters count as chance. In gaps, what both
    groups have in common cancels out. Two rated images in each cluster avoid this. For a mean of
    one image, such as that of a cluster, nothing is known about other images: only respondents
    count, and a warning says so, unless the corpus has no other image of that cluster.

    If images joined a cluster after the first draw, its images were drawn from several strata
    (column ``stratum``, see :func:`sample_images`). These divide the weight of the cluster by the
    numbers of images that they represent, and take the place of the cluster in "image".

    Intervals use the t distribution. Degrees of freedom are the number of respondents of the cell
    minus one ("respondent"), the number of rated images minus that of clusters with several of them
    ("image"), or the smaller of both. Images that are compared across clusters have Satterthwaite's
    degrees of freedom: their number minus one if their shares are equal. With one respondent the
    standard error is undefined.

    *Corrected means.* With ``predictions`` there are three rows for each measure and group:
    "machine", the mean prediction of all images; "sample", the mean rating; and "corrected", lambda
    times the mean prediction of all images plus the weighted mean of rating minus lambda times
    prediction (the difference estimator). It is unbiased whatever the errors of the machine. Its
    variance is that of these differences, for respondents and images as above. All three describe
    all images of the clusters that were rated in the cell. Lambda, between 0 and 1, makes the
    variance between images as small as possible, for each measure, and for each group of
    respondents if predictions are by group. Residuals are divided by one minus their influence on
    lambda, as in HC3 standard errors. A dimension is predicted by the mean of its items.
    Predictions must not depend on the ratings with which they are compared.
    """
    variance = check_choice("variance", variance, VARIANCES)
    conf_level = check_conf_level(conf_level)
    design = design_ratings(ratings, by, weight, respondent_weight)
    warn_unrated(design)
    warn_single_images(design, variance)
    predicted = predict_ratings(predictions, clustering, ratings, design)
    tuned = _tuned(predicted, ratings, design)
    rows = []
    for place, group, answers in _cells(design):
        start = {**_measure(design, place), **group}
        for method, row in _means(place, group, answers, variance, design, predicted, tuned):
            rows.append(start | ({} if predicted is None else {"method": method}) | row)
    table = _with_interval(pd.DataFrame(rows), conf_level, before="n_ratings")
    _warn_alone(table, design.by, "in")
    warn_no_spread(table)
    table = _in_order(table, ratings, design.by)
    return _with_names(table.assign(**_weighted(design), variance=variance), ratings)


@public
def rating_gaps(
    ratings: pd.DataFrame,
    by: str | Sequence[str] = "group",
    *,
    weight: str = "cluster",
    respondent_weight: str | None = None,
    variance: str = "two-way",
    adjust: str = "holm",
    reference: Any = None,
    contrasts: str = "pairs",
    change: str = "none",
    predictions: pd.DataFrame | None = None,
    clustering: Any = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Estimate gaps between groups in the mean rating of every item and dimension.

    R's ``rating_gaps()`` gives the same estimates. It also has ``shrink``, for gaps of clusters
    from a mixed model (lme4), which Python lacks; see :func:`rating_means`.

    Parameters
    ----------
    ratings : DataFrame
        As in :func:`rating_means`.
    by : str or sequence of str, default "group"
        The values of the first column are compared, every pair unless ``reference`` or
        ``contrasts`` says otherwise, separately for the values of further columns, as in
        ``["group", "cluster"]``.
    weight : {"cluster", "corpus", "share", "none"}, default "cluster"
        As in :func:`rating_means`.
    respondent_weight : str or None, default None
        As in :func:`rating_means`.
    variance : {"two-way", "respondent", "image"}, default "two-way"
        As in :func:`rating_means`.
    adjust : {"holm", "BH", "none"}, default "holm"
        Adjustment of p values for multiple testing. Items are one family, dimensions
        another.
    reference : optional
        One of the groups: each other group is compared with it, instead of every pair.
    contrasts : {"pairs", "trend"}, default "pairs"
        "trend" is for groups that are numbers or ordered categories: the slope of the
        least-squares line through the means of all groups, per unit of the number or per
        category, positive if ratings rise with the groups.
    change : {"none", "pairs", "consecutive", "trend"}, default "none"
        How the gap differs between values of the second column of ``by``, such as months: "none"
        estimates the gap for each value, "pairs" differences of gaps for every pair of values
        (the later minus the earlier), "consecutive" for neighbouring values only, and "trend" the
        slope of the gaps, as for ``contrasts``. Text is in alphabetical order: make names of
        months categories.
    predictions, clustering : optional
        As in :func:`rating_means`. Predictions that are the same for two groups of respondents
        cancel out in their gap, and are refused. There is one lambda for each measure and pair of
        groups, which makes the variance of their gap as small as possible. Trends and changes are
        not corrected.
    conf_level : float, default 0.95
        Confidence level of the intervals, which are not adjusted.

    Returns
    -------
    DataFrame
        One row per measure and contrast: ``level``, ``item``, ``dimension``, the
        further columns of ``by``, ``contrast`` ("Democrat - Republican": the first
        minus the second), ``change`` ("June - May", instead of the second column of ``by``, unless
        ``change`` is "none"), ``estimate``, ``std_error``, ``df``, ``statistic``,
        ``p_value``, ``p_adjusted``, ``conf_low``, ``conf_high``, ``n_ratings``,
        ``n_respondents``, ``weight``, ``variance``, ``adjust``; with weights of respondents also
        ``respondent_weight``, with predictions ``method`` and ``lambda``. A comparison has no row
        if one group has no rating, or none in a cluster that the other group rated; a warning
        counts such comparisons.

    Raises
    ------
    ImagestrataError
        As in :func:`rating_means`, and if there are no two groups to compare.

    Notes
    -----
    Groups of respondents are compared by the clusters that all of them have rated, for every
    weight; a warning counts the clusters and images that are left out. Groups of images, such as
    clusters or months, are compared on all their images. If the second column is about images,
    a change of gaps thus compares the clusters that the groups have rated in each month, which
    includes a change of topics; if it is about respondents, all four groups are compared by the
    clusters that all of them have rated.

    The variance of the difference accounts for respondents and images that enter several means.
    Degrees of freedom are Welch's, at most the number of respondents in all cells minus one, and at
    most the number of images in them minus that of their clusters.

    R's ``rating_gaps()`` has a row with missing values for a comparison without one of its sides.
    """
    from scipy import stats

    variance = check_choice("variance", variance, VARIANCES)
    adjust = check_choice("adjust", adjust, ADJUSTMENTS)
    conf_level = check_conf_level(conf_level)
    design = design_ratings(ratings, by, weight, respondent_weight)
    comparisons = comparisons_of(design, reference, contrasts, change)
    predicted = predict_ratings(predictions, clustering, ratings, design)
    check_comparable(predicted, design, contrasts, change)
    n_sides = 1 if change == "none" else 2
    found: list[_Compared] = []
    one_sided = 0
    left_out: dict[str, list[pd.DataFrame]] = {}
    for place, other, sides in _comparisons(design, n_sides):
        for comparison in comparisons:
            keys = list(comparison.times)
            if not any(key in sides for key in keys):
                continue
            cells: list[pd.DataFrame] = []
            if all(key in sides for key in keys):
                cells, out = alike(design, keys, [sides[key] for key in keys])
                left_out.setdefault(comparison.name, []).append(out)
            if not cells:
                one_sided += 1
                continue
            groups = [dict(zip(design.by, key, strict=False)) | other for key in keys]
            found.append(_Compared(place, other, comparison, groups, cells))
    warn_unrated(design, _left_out(left_out), _all_pairs(comparisons))
    warn_single_images(design, variance, [cell for one in found for cell in one.cells])
    if one_sided:
        warn(
            f"{plural(one_sided, 'comparison is', 'comparisons are')} left out, since one group "
            "has no rating, or none in a cluster that the other group rated."
        )
    if not found:
        raise ImagestrataError(
            "There is nothing to compare: no two groups have rated the same items and clusters."
        )
    tuned = _tuned(predicted, ratings, design, found)
    rows = []
    for one in found:
        start = {**_measure(design, one.place), **one.other, "contrast": one.comparison.contrast}
        if one.comparison.change is not None:
            start["change"] = one.comparison.change
        for method, row in _gaps(one, variance, design, predicted, tuned):
            rows.append(start | ({} if predicted is None else {"method": method}) | row)
    table = pd.DataFrame(rows)
    further = design.by[n_sides:]
    compared = ["contrast"] if change == "none" else ["contrast", "change"]
    _warn_alone(table, [*further, *compared], "on one side of")
    warn_no_spread(table)
    table["statistic"] = table["estimate"] / table["std_error"].where(table["std_error"] > 0)
    table["p_value"] = 2 * stats.t.sf(table["statistic"].abs(), table["df"])
    family = ["level"] if predicted is None else ["level", "method"]
    table["p_adjusted"] = table.groupby(family)["p_value"].transform(adjusted, adjust)
    counts = table[["n_ratings", "n_respondents", *([] if predicted is None else ["lambda"])]]
    table = _with_interval(table.drop(columns=counts.columns), conf_level)
    table = pd.concat([table, counts], axis=1)
    table = _in_order(table, ratings, further)
    table = table.assign(**_weighted(design), variance=variance, adjust=adjust)
    return _with_names(table, ratings)


@dataclass(frozen=True, eq=False)
class _Compared:
    """Groups, and their answers, in a measure and for the values of further columns."""

    place: int
    other: dict[str, Any]
    comparison: Comparison
    groups: list[dict[str, Any]]
    cells: list[pd.DataFrame]


def _means(
    place: int,
    group: dict[str, Any],
    answers: pd.DataFrame,
    variance: str,
    design: Design,
    predicted: Predicted | None,
    tuned: dict[Any, Lambda],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The mean of a cell by each method."""
    n_effective = {"n_effective": effective(answers)} if design.respondent_weight else {}

    def mean(answers: pd.DataFrame) -> dict[str, Any]:
        cell = _cell(answers)
        return {
            "estimate": cell.mean,
            "std_error": np.sqrt(_variance(variance, design.n_respondents, [cell])),
            "df": _degrees(variance, cell),
            **cell.counts,
            **n_effective,
        }

    sample = mean(answers)
    if predicted is None:
        yield "sample", sample
        return
    if not predicted.knows(place, group):
        yield "sample", sample | {"n_predicted": 0, "lambda": np.nan}
        return
    at, share, f = predicted.images(place, group, answers)
    scores = share * (f - share @ f)
    found = {"estimate": share @ f, "std_error": np.sqrt(scores @ scores), "df": np.inf}
    used = tuned[place, predicted.series(group)]
    corrected = mean(predicted.correct(place, group, answers, used))
    for method, row in zip(METHODS, (sample | found, sample, corrected), strict=True):
        value = used.value if method == "corrected" else np.nan
        yield method, row | {"n_predicted": len(at), "lambda": value}


def _gaps(
    one: _Compared,
    variance: str,
    design: Design,
    predicted: Predicted | None,
    tuned: dict[Any, Lambda],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The gap between two groups by each method."""
    times = list(one.comparison.times.values())
    sample = _gap(one.cells, times, variance, design.n_respondents)
    if predicted is None:
        yield "sample", sample
        return
    if not all(predicted.knows(one.place, group) for group in one.groups):
        yield "sample", sample | {"lambda": np.nan}
        return
    sides = zip(one.groups, one.cells, strict=True)
    images = [predicted.images(one.place, group, answers) for group, answers in sides]
    means = [share @ f for _, share, f in images]
    scores = [share * (f - mean) for (_, share, f), mean in zip(images, means, strict=True)]
    at = np.concatenate([images[0][0], images[1][0]])
    _, total = summed(at, np.concatenate([scores[0], -scores[1]]))
    found = {"estimate": means[0] - means[1], "std_error": np.sqrt(total @ total), "df": np.inf}
    used = [
        tuned[
            one.place,
            predicted.series(group) if design.compares_images else one.comparison.contrast,
        ]
        for group in one.groups
    ]
    cells = [
        predicted.correct(one.place, group, answers, value)
        for group, answers, value in zip(one.groups, one.cells, used, strict=True)
    ]
    corrected = _gap(cells, times, variance, design.n_respondents)
    for method, row in zip(METHODS, (sample | found, sample, corrected), strict=True):
        yield method, row | {"lambda": used[0].value if method == "corrected" else np.nan}


def _tuned(
    predicted: Predicted | None,
    ratings: pd.DataFrame,
    design: Design,
    compared: Sequence[_Compared] | None = None,
) -> dict[Any, Lambda]:
    """Lambda by measure and series of predictions, or by measure and contrast of respondents."""
    if predicted is None:
        return {}
    people = [name for name in design.by if name not in design.of_images]
    pooled = design
    if design.of_images:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pooled = design_ratings(ratings, people, design.weight, design.respondent_weight)
    found: dict[Any, Lambda] = {}
    if compared is None or design.compares_images:
        series: dict[Any, list[Any]] = {}
        for place, group, answers in _cells(pooled):
            if predicted.knows(place, group):
                series.setdefault((place, predicted.series(group)), []).append((group, answers))
        return {key: tune(predicted, key[0], cells) for key, cells in series.items()}
    kept: dict[Any, list[_Compared]] = {}
    for one in compared:
        if all(predicted.knows(one.place, group) for group in one.groups):
            kept.setdefault((one.place, one.comparison.contrast), []).append(one)
    for (place, contrast), parts in kept.items():
        # Images of all kinds together have weights of their own.
        answers = pd.concat([cell for one in parts for cell in one.cells])
        answers["weight"] = answers["image_id"].map(design.images["weight"])
        answers["weight"] = weigh(replace(pooled, answers=answers)) * answers["respondent_weight"]
        sides = [group[people[0]] for group in parts[0].groups]
        found[place, contrast] = tune_gap(
            predicted,
            place,
            [
                [({people[0]: value, **rest}, cell[cell[people[0]] == value]) for value in sides]
                for rest, cell in _split(answers, people[1:])
            ],
        )
    return found


def _weighted(design: Design) -> dict[str, str]:
    """The columns that name the weights."""
    name = design.respondent_weight
    return {"weight": design.weight} | ({} if name is None else {"respondent_weight": name})


def _with_names(table: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """The table with the names of clusters, if the ratings have them."""
    names = ["cluster", "cluster_name"]
    if not {*names} <= {*ratings} or "cluster" not in table or "cluster_name" in table:
        return table
    return with_names(table, ratings[names])


def _in_order(table: pd.DataFrame, ratings: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The table with groups as categories if they were, so that plots keep their order."""
    kept = {
        name: table[name].astype(ratings[name].dtype)
        for name in by
        if isinstance(ratings[name].dtype, pd.CategoricalDtype)
    }
    return table.assign(**kept)


@public
def rating_weights(
    ratings: pd.DataFrame,
    by: str | Sequence[str] | None = "group",
    *,
    weight: str = "cluster",
    respondent_weight: str | None = None,
    of: str = "means",
) -> pd.DataFrame:
    """Return every answer with its weight in the mean, for other software.

    Parameters
    ----------
    ratings : DataFrame
        The result of :func:`read_ratings`.
    by : str, list of str or None, default "group"
        Columns that define groups, as in :func:`rating_means`.
    weight : {"cluster", "corpus", "share"}, default "cluster"
        Unit with equal weight, as in :func:`rating_means`.
    respondent_weight : str or None, default None
        As in :func:`rating_means`; the weights of answers are multiplied by it.
    of : {"means", "gaps"}, default "means"
        The weights of :func:`rating_means`, or those of :func:`rating_gaps`, which include
        only the clusters that both groups rated.

    Returns
    -------
    DataFrame
        One row per answer to an item or a dimension: ``level``, ``item``, ``dimension``, the
        columns of ``by``, ``respondent_id``, ``image_id``, ``cluster`` (if there is one),
        ``rating``, ``weight``. With ``of="gaps"`` and groups of respondents also
        ``contrast``: an answer has a weight in every comparison of its group.

    Raises
    ------
    ImagestrataError
        As in :func:`rating_means` and :func:`rating_gaps`.

    Notes
    -----
    A cell is an item or a dimension in a group. In a cell the weight of a cluster is 1
    ("cluster"), its number of images N_h ("corpus") or the shares of its images ("share"). It is
    divided among the images of the cluster with a rating in the cell, equally or by their
    shares, and the weight of an image equally among its ratings. ``weight_cluster``,
    ``weight_corpus`` and ``weight_share`` of the sample give the same means only if every
    sampled image has exactly one rating in every cell.

    With these weights R's ``svydesign(ids = ~respondent_id, weights = ~weight)`` gives the means
    and standard errors of ``rating_means(variance="respondent")``.
    """
    check_choice("of", of, ("means", "gaps"))
    design = design_ratings(ratings, by, weight, respondent_weight)
    named = [name for name in design.by if name not in ("image_id", "cluster")]
    columns = ["level", "item", "dimension", *named, "respondent_id", "image_id"]
    columns += [*(["cluster"] if design.clustered else []), "rating", "weight"]
    if of == "means" or not design.clustered or design.compares_images:
        if of == "gaps":
            comparisons_of(design)
        warn_unrated(design)
        parts = [answers for _, _, answers in _cells(design)]
        return _with_names(pd.concat(parts)[columns].reset_index(drop=True), ratings)
    tables: list[pd.DataFrame] = []
    left_out: dict[str, list[pd.DataFrame]] = {}
    for _, _, sides in _comparisons(design):
        for comparison in comparisons_of(design):
            keys = list(comparison.times)
            if all(key in sides for key in keys):
                kept, out = alike(design, keys, [sides[key] for key in keys])
                left_out.setdefault(comparison.name, []).append(out)
                tables += [side.assign(contrast=comparison.contrast) for side in kept]
    warn_unrated(design, _left_out(left_out))
    found = pd.concat(tables)[[*columns, "contrast"]].reset_index(drop=True)
    return _with_names(found, ratings)


def _all_pairs(comparisons: Sequence[Comparison]) -> bool:
    return all(len(comparison.times) == 2 for comparison in comparisons)


def _left_out(parts: dict[str, list[pd.DataFrame]]) -> list[str]:
    """The clusters and images that each comparison leaves out."""
    found = []
    for contrast, tables in parts.items():
        out = pd.concat(tables)
        if len(out):
            clusters, images = out["cluster"].nunique(), out["image_id"].nunique()
            text = f"{plural(clusters, 'cluster')} ({plural(images, 'image')})"
            found.append(text + (f" in {contrast}" if len(parts) > 1 else ""))
    if len(found) > 3:
        return [*found[:3], f"and more in {plural(len(found) - 3, 'further comparison')}"]
    return found


def _measured(design: Design) -> list[tuple[int, pd.DataFrame]]:
    """The answers to each measure, in the order of the results."""
    keys = zip(design.measures["level"], design.measures["item"], strict=True)
    grouped = design.answers.groupby(["level", "item"], observed=True)
    return [(place, grouped.get_group(key)) for place, key in enumerate(keys)]


def _measure(design: Design, place: int) -> dict[str, Any]:
    return {name: design.measures[name][place] for name in ("level", "item", "dimension")}


def _split(answers: pd.DataFrame, by: list[str]) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """Answers by the values of columns, sorted; all answers if there are no columns."""
    if not by:
        return [({}, answers)]
    groups = answers.groupby(by, observed=True, sort=True)
    return [(dict(zip(by, values, strict=True)), cell) for values, cell in groups]


def _cells(design: Design) -> list[tuple[int, dict[str, Any], pd.DataFrame]]:
    return [
        (place, group, cell)
        for place, answers in _measured(design)
        for group, cell in _split(answers, design.by)
    ]


def _comparisons(
    design: Design, n_sides: int = 1
) -> list[tuple[int, dict[str, Any], dict[Key, pd.DataFrame]]]:
    """For each measure and value of the further columns, the answers of each side.

    Sides are the values of the first ``n_sides`` columns of ``by``.
    """
    compared, further = design.by[:n_sides], design.by[n_sides:]
    return [
        (place, other, dict(iter(answers.groupby(compared, observed=True))))
        for place, all_answers in _measured(design)
        for other, answers in _split(all_answers, further)
    ]


@dataclass(frozen=True, eq=False)
class _Cell:
    """A mean, and the totals of its linearised scores ``share * (y - mean)``.

    ``people``, ``single`` (a respondent's rating of an image) and ``images`` are pairs of
    arrays, units and totals. Totals of images are distances from the mean of the images of
    their stratum in the cell, times ``sqrt(m / (m - 1))`` for m images. ``shares`` are the
    shares of images in the mean, ``several`` the same without strata of one image. The
    squares of ``degrees`` add up to the number of images minus that of strata. ``across`` and
    ``across_degrees`` are ``images`` and ``degrees`` if images that are alone in their stratum are
    compared across strata.
    """

    mean: float
    counts: dict[str, int]
    people: tuple[Array, Array]
    single: tuple[Array, Array]
    images: tuple[Array, Array]
    shares: tuple[Array, Array]
    several: tuple[Array, Array]
    degrees: tuple[Array, Array]
    across: tuple[Array, Array]
    across_degrees: tuple[Array, Array]

    @property
    def n_images(self) -> int:
        """Images with a weight."""
        return int((self.shares[1] > 0).sum())


def _cell(answers: pd.DataFrame) -> _Cell:
    ratings, weights = answers["rating"].to_numpy(float), answers["weight"].to_numpy(float)
    person, image = answers["respondent"].to_numpy(), answers["image"].to_numpy()
    shares = weights / weights.sum()
    mean, scores = scores_of(ratings, shares)
    images, totals, size = image_distances(image, answers["stratum"].to_numpy(), scores)
    _, of_image = summed(image, shares)
    _, whole = summed(image, scores)
    across, parts = across_strata(whole, of_image, size == 1)
    return _Cell(
        mean,
        counts_of(answers),
        summed(person, scores),
        summed(person + 1j * image, scores),
        (images, totals),
        (images, of_image),
        (images, np.where(size > 1, of_image, 0)),
        (images, np.sqrt(1 - 1 / size)),
        (images, np.where(size > 1, totals, across)),
        (images, np.sqrt(np.where(size > 1, 1 - 1 / size, parts))),
    )


def _product(first: tuple[Array, Array], second: tuple[Array, Array]) -> float:
    """Sum of the products of the totals of units that are in both."""
    _, at, of = np.intersect1d(first[0], second[0], assume_unique=True, return_indices=True)
    return float(first[1][at] @ second[1][of])


def _scale(first: _Cell, second: _Cell) -> float:
    """By what the covariance of strata with several images is multiplied to include the others.

    A stratum with one image has the average of the others; infinite if they are too few.
    """
    shares = _product(first.shares, second.shares)
    if shares == 0:
        return 0.0
    several = _product(first.several, second.several)
    if several >= LEAST_OF_OTHERS * shares:
        return shares / several
    if first is second:
        return np.inf
    # Two means that have few images in common are scaled as each of them.
    root = _product(first.shares, first.shares) * _product(second.shares, second.shares)
    if shares < LEAST_OF_OTHERS * np.sqrt(root):
        return float(np.sqrt(_scale(first, first) * _scale(second, second)))
    return np.inf


def _have_others(cells: Sequence[_Cell]) -> bool:
    """Whether images that are alone in their stratum have the average of the others."""
    pairs = ((one, two) for i, one in enumerate(cells) for two in cells[: i + 1])
    return all(np.isfinite(_scale(one, two)) for one, two in pairs)


def _of_images(cells: Sequence[_Cell]) -> Callable[[_Cell, _Cell], float]:
    """Covariances due to images; missing if one of the means is that of a single image."""
    if _have_others(cells):
        return lambda a, b: _product(a.images, b.images) * _scale(a, b)
    if any(cell.n_images == 1 for cell in cells):
        return lambda a, b: np.nan
    return lambda a, b: _product(a.across, b.across)


def _variance(
    variance: str, n_respondents: int, cells: Sequence[_Cell], times: Sequence[float] = (1,)
) -> float:
    """Variance of a sum of means, each times a number, see the notes of rating_means()."""

    def total(covariance: Callable[[_Cell, _Cell], float]) -> float:
        value = 0.0
        for i, (first, by) in enumerate(zip(cells, times, strict=True)):
            value += by * by * covariance(first, first)
            for second, other_by in zip(cells[:i], times, strict=False):
                value += 2 * by * other_by * covariance(first, second)
        return value if np.isnan(value) else max(value, 0.0)

    if min(cell.counts["n_respondents"] for cell in cells) < 2:
        return np.nan
    drawn = n_respondents / (n_respondents - 1)
    people = drawn * total(lambda a, b: _product(a.people, b.people))
    images = np.nan if variance == "respondent" else total(_of_images(cells))
    if np.isnan(images) or variance == "image":
        return people if np.isnan(images) else images
    alike = people - drawn * total(lambda a, b: _product(a.single, b.single))
    # If no respondent is in several means, a negative covariance is due to chance.
    known = np.concatenate([cell.people[0] for cell in cells])
    if len(np.unique(known)) == len(known):
        alike = max(alike, 0.0)
    # A variance that is zero up to rounding errors is replaced.
    return images + alike if images + alike > 1e-10 * people else people


def _degrees(variance: str, cell: _Cell) -> float:
    people = cell.counts["n_respondents"] - 1
    images = _of_degrees([cell])
    if variance == "respondent" or images == 0:
        return people
    return images if variance == "image" else min(people, images)


def _of_degrees(cells: Sequence[_Cell]) -> float:
    """Images minus strata of cells together; an image in several of them counts once."""
    degrees = [cell.degrees if _have_others(cells) else cell.across_degrees for cell in cells]
    images = np.concatenate([units for units, _ in degrees])
    roots = np.concatenate([parts for _, parts in degrees])
    known, place = np.unique(images, return_inverse=True)
    # For equal parts p of an image in k cells this is p.
    parts, sums, times = (np.bincount(place, of, len(known)) for of in (roots**2, roots, None))
    return round(float((parts * (1 + 1 / times) - sums**2 / times).sum()), 9)


def _most_degrees(variance: str, cells: Sequence[_Cell], n_people: int) -> float:
    """Respondents minus one, and images minus strata, over all cells together."""
    images = _of_degrees(cells)
    return n_people - 1 if variance == "respondent" or images == 0 else min(n_people - 1, images)


def _gap(
    sides: Sequence[pd.DataFrame], times: Sequence[float], variance: str, n_respondents: int
) -> dict[str, Any]:
    cells = [_cell(side) for side in sides]
    n_people = len(set().union(*(side["respondent"][side["weight"] > 0] for side in sides)))
    each = np.array([_variance(variance, n_respondents, [cell]) for cell in cells])
    each *= np.square(times)
    df = np.array([_degrees(variance, cell) for cell in cells])
    whole = _variance(variance, n_respondents, cells, times)
    with np.errstate(invalid="ignore", divide="ignore"):
        welch = each.sum() ** 2 / (each**2 / df).sum()
    welch = df.sum() if np.isnan(welch) else welch
    return {
        "estimate": sum(by * cell.mean for by, cell in zip(times, cells, strict=True)),
        "std_error": np.sqrt(whole),
        "df": np.nan if np.isnan(whole) else min(welch, _most_degrees(variance, cells, n_people)),
        "n_ratings": sum(cell.counts["n_ratings"] for cell in cells),
        "n_respondents": n_people,
    }


def counts_of(cell: pd.DataFrame) -> dict[str, int]:
    """Numbers of answers with a positive weight, and of their units."""
    counted = cell[cell["weight"] > 0]
    return {
        "n_ratings": len(counted),
        "n_respondents": counted["respondent_id"].nunique(),
        "n_images": counted["image_id"].nunique(),
        "n_clusters": counted["cluster"].nunique(),
    }


def _with_interval(
    table: pd.DataFrame, conf_level: float, before: str | None = None
) -> pd.DataFrame:
    """Add ``conf_low`` and ``conf_high``, at the end or before a column."""
    from scipy import stats

    at = len(table.columns) if before is None else list(table.columns).index(before)
    width = stats.t.ppf((1 + conf_level) / 2, table["df"]) * table["std_error"]
    table.insert(at, "conf_low", table["estimate"] - width)
    table.insert(at + 1, "conf_high", table["estimate"] + width)
    return table


def adjusted(p_values: pd.Series[float], adjust: str) -> pd.Series[float]:
    """P values of one family, adjusted; missing ones are no part of it."""
    from scipy import stats

    known = p_values.notna()
    if adjust == "none" or not known.any():
        return p_values
    found = p_values.copy()
    values = np.asarray(p_values[known], np.float64)
    found[known] = stats.false_discovery_control(values) if adjust == "BH" else _holm(values)
    return found


def _holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest of n p values times n, the next one times n - 1, ..., never decreasing."""
    order = np.argsort(p_values)
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted


def _warn_alone(table: pd.DataFrame, columns: list[str], where: str) -> None:
    alone = table[table["std_error"].isna()]
    if len(alone):
        groups = alone[columns].drop_duplicates()
        first = ", ".join(f"{name} {value}" for name, value in groups.iloc[0].items()) or "all"
        n = plural(max(len(groups), 1), "group" if where == "in" else "comparison")
        warn(
            f"Only one respondent rated {where} {n}, {first} for one: the standard error is "
            "missing there."
        )


def warn_single_images(
    design: Design, variance: str, cells: Sequence[pd.DataFrame] | None = None
) -> None:
    """Warn of means of a single image, unless they are about that image.

    ``cells`` are the answers of the means, by default of all groups.
    """
    if variance == "respondent" or "image_id" in design.by:
        return
    if cells is None:
        cells = [answers for _, _, answers in _cells(design)]
    n_single = 0
    for answers in cells:
        counted = answers[answers["weight"] > 0]
        images = counted["image_id"].unique()
        several = counted["respondent"].nunique() > 1
        n_single += len(images) == 1 and several and design.images["N_h"][images[0]] != 1
    if n_single:
        warn(
            f"{n_single} of {plural(len(cells), 'mean')} rest on a single rated image. How much "
            "other images differ from it is not known: the standard error accounts for respondents "
            "only.",
            "Such a mean, and its gap, is about that image. With "
            f"{arg('variance', 'respondent')} all are about the rated images; for more, rate two "
            "images of each cluster.",
        )


def warn_no_spread(table: pd.DataFrame) -> None:
    method = table.get("method", pd.Series("sample", table.index))
    rows = table[method == "sample"]
    flat = rows["std_error"] == 0
    if flat.any():
        items = ", ".join(map(str, rows["item"][flat].unique()))
        warn(
            f"In {int(flat.sum())} of {plural(len(flat), 'row')}, for {items}, respondents do not "
            "differ at all: the standard error is 0, and no test is possible. Check whether the "
            "file is complete."
        )
    exact = table["std_error"][method == "corrected"] == 0
    if exact.any():
        warn(
            f"In {int(exact.sum())} of {plural(len(exact), 'corrected row')} the predictions "
            "explain all differences between the ratings: the standard error is 0, which is too "
            "small.",
            "Were the predictions made from these ratings?",
        )
