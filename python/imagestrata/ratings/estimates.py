"""Means of ratings and gaps between groups, with standard errors for people and images."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..validate import check_choice, check_conf_level
from ..verbs import public
from ..wording import arg, quote
from .design import Design, design_ratings, warn_unrated

Array: TypeAlias = np.ndarray[Any, Any]

#: What was drawn by chance.
VARIANCES = ("two-way", "respondent", "image")

#: How p values are adjusted -> what statsmodels calls it.
ADJUSTMENTS = {"holm": "holm", "BH": "fdr_bh", "none": None}


@public
def rating_means(
    ratings: pd.DataFrame,
    by: str | Sequence[str] | None = "group",
    *,
    weight: str = "cluster",
    variance: str = "two-way",
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Mean ratings of every item and dimension, by groups.

    This is the twin of R's ``rating_means()``, which also shrinks means of clusters by a mixed
    model and takes millions of ratings; both are tested against the same golden tables.

    Parameters
    ----------
    ratings : DataFrame
        What :func:`read_ratings` returned: one row per rating, with the columns
        ``respondent_id``, ``image_id``, ``item`` and ``rating``, those of ``by``, the
        weight, and where there are any ``dimension`` and ``cluster``.
    by : str, sequence of str or None, default "group"
        Columns whose values have means of their own; None takes all together.
    weight : {"cluster", "corpus", "share", "none"}, default "cluster"
        What counts the same: every cluster of images (the paper's Figure 10),
        every image of the corpus, every share of an image, or every rated image.
        An image counts once in a mean, however many have rated it, and a cluster counts in
        full, however many of its sampled images were rated: see the notes.
    variance : {"two-way", "respondent", "image"}, default "two-way"
        What was drawn by chance: respondents, and images within clusters; respondents only, as
        in R's ``svydesign(ids = ~respondent_id)``; or images only, which is too little and is
        there for comparison.
    conf_level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    DataFrame
        One row per measure and group: ``level`` ("item" or "dimension"), ``item``,
        ``dimension``, the columns of ``by``, ``estimate``, ``std_error``, ``df``,
        ``conf_low``, ``conf_high``, ``n_ratings``, ``n_respondents``, ``n_images``,
        ``n_clusters``, ``weight``, ``variance``.

    Raises
    ------
    ImagestrataError
        If ratings lack columns, are there twice, or have weights that are missing
        or not positive.

    Notes
    -----
    A dimension's rating is the mean of its items' ratings by the same respondent of
    the same image.

    Where not every sampled image has a rating, the rated images of a cluster stand for the others.
    In a cell (an item in a group) a cluster that was rated weighs 1 ("cluster"), as much as it has
    images in the corpus ("corpus") or as much as they were shared ("share"; of images that nobody
    rated the average of the others is taken). Its rated images divide that among themselves, and
    the ratings of an image divide the image's weight; :func:`rating_weights` hands these weights
    out. A cluster without a rating is not in the mean, and a warning counts them. Where a column of
    ``by`` is about images, such as their month, a cluster's images of that month are what counts.

    Scores of answers are u = w (y - mean) / sum(w). "respondent" is V n / (n - 1), with V the sum
    over respondents of their squared total scores and n the respondents of the *whole* survey: R's
    ``svydesign(ids = ~respondent_id, weights = )``. It takes for chance which clusters somebody
    rated; all clusters are in the study, so it is too wide. "image" adds up, over clusters with m
    rated images, m / (m - 1) times the squared distances of the images' total scores from their
    cluster's mean; a cluster with one rated image is given the others' average, in proportion to
    the squared weight. "two-way" adds to that how alike a respondent's answers to different images
    are: V n / (n - 1) less the same for single answers. Where no cluster of a cell has two rated
    images, respondents alone count.

    Intervals are those of the t distribution; degrees of freedom are the respondents of the cell
    less one, the rated images less the clusters with several of them, or the smaller of both. With
    one respondent there is no standard error.
    """
    variance = check_choice("variance", variance, VARIANCES)
    conf_level = check_conf_level(conf_level)
    design = design_ratings(ratings, by, weight)
    warn_unrated(design)
    rows = []
    for place, group, answers in _cells(design):
        cell = _cell(answers)
        rows.append(
            {
                **_measure(design, place),
                **group,
                "estimate": cell.mean,
                "std_error": np.sqrt(_variance(variance, design.n_respondents, cell)),
                "df": _degrees(variance, cell),
                **cell.counts,
            }
        )
    table = _with_interval(pd.DataFrame(rows), conf_level, before="n_ratings")
    _warn_alone(table, design.by, "in")
    _warn_no_spread(table)
    return _in_order(table, ratings, design.by).assign(weight=weight, variance=variance)


@public
def rating_gaps(
    ratings: pd.DataFrame,
    by: str | Sequence[str] = "group",
    *,
    weight: str = "cluster",
    variance: str = "two-way",
    adjust: str = "holm",
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Gaps between groups in the mean rating of every item and dimension.

    This is the twin of R's ``rating_gaps()``; see :func:`rating_means`.

    Parameters
    ----------
    ratings : DataFrame
        As in :func:`rating_means`.
    by : str or sequence of str, default "group"
        The first column is what is compared, every pair of its values; columns after
        it stay apart, as in ``["group", "cluster"]``.
    weight : {"cluster", "corpus", "share", "none"}, default "cluster"
        As in :func:`rating_means`.
    variance : {"two-way", "respondent", "image"}, default "two-way"
        As in :func:`rating_means`.
    adjust : {"holm", "BH", "none"}, default "holm"
        How p values are adjusted for their number. Items are one family, dimensions
        another.
    conf_level : float, default 0.95
        Level of the intervals, which are not adjusted.

    Returns
    -------
    DataFrame
        One row per measure and contrast: ``level``, ``item``, ``dimension``, the
        further columns of ``by``, ``contrast`` ("Democrat - Republican": the first
        less the second), ``estimate``, ``std_error``, ``df``, ``statistic``,
        ``p_value``, ``p_adjusted``, ``conf_low``, ``conf_high``, ``n_ratings``,
        ``n_respondents``, ``weight``, ``variance``, ``adjust``. Where one group has not rated,
        or no cluster that the other rated, there is no row, and a warning counts such comparisons.

    Raises
    ------
    ImagestrataError
        As :func:`rating_means`, and if there is nothing to compare.

    Notes
    -----
    Groups of respondents are compared by the clusters that both have rated, whatever the weight; a
    warning says how many clusters and images are left out. Groups of images, such as clusters or
    months, are compared as they are.

    The variance is that of the difference, with what the two means share taken into account: the
    same respondents, if people are in both, and the same images. Degrees of freedom are Welch's,
    at most one less than there are respondents in both, and at most the images in either less
    their clusters.
    """
    from scipy import stats

    variance = check_choice("variance", variance, VARIANCES)
    adjust = check_choice("adjust", adjust, ADJUSTMENTS)
    conf_level = check_conf_level(conf_level)
    design = design_ratings(ratings, by, weight)
    pairs = list(itertools.combinations(_check_compared(design), 2))
    rows, one_sided = [], 0
    left_out: dict[str, list[pd.DataFrame]] = {}
    for place, other, sides in _comparisons(design):
        for first, second in pairs:
            if first not in sides and second not in sides:
                continue
            contrast = f"{first} - {second}"
            cells: list[pd.DataFrame] = []
            if first in sides and second in sides:
                cells, out = _alike(design, sides[first], sides[second])
                left_out.setdefault(contrast, []).append(out)
            if not cells or not len(cells[0]):
                one_sided += 1
                continue
            row = {**_measure(design, place), **other, "contrast": contrast}
            rows.append(row | _gap(cells, variance, design.n_respondents))
    warn_unrated(design, _left_out(left_out))
    if one_sided:
        warn(
            f"{plural(one_sided, 'comparison lacks', 'comparisons lack')} one side, since one "
            "group has not rated there, or no cluster that the other rated: left out."
        )
    if not rows:
        raise ImagestrataError("There is nothing to compare: no two groups have rated the same.")
    table = pd.DataFrame(rows)
    _warn_alone(table, [*design.by[1:], "contrast"], "on one side of")
    _warn_no_spread(table)
    table["statistic"] = table["estimate"] / table["std_error"].where(table["std_error"] > 0)
    table["p_value"] = 2 * stats.t.sf(table["statistic"].abs(), table["df"])
    table["p_adjusted"] = table.groupby("level")["p_value"].transform(_adjusted, adjust)
    counts = table[["n_ratings", "n_respondents"]]
    table = _with_interval(table.drop(columns=counts.columns), conf_level)
    table = pd.concat([table, counts], axis=1)
    table = _in_order(table, ratings, design.by[1:])
    return table.assign(weight=weight, variance=variance, adjust=adjust)


def _in_order(table: pd.DataFrame, ratings: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The table with groups as categories where they were, so that plots keep their order."""
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
    of: str = "means",
) -> pd.DataFrame:
    """Every answer with the weight that it has in its mean, for other software.

    Parameters
    ----------
    ratings : DataFrame
        What :func:`read_ratings` returned.
    by : str, list of str or None, default "group"
        What cells are made of besides the items, as in :func:`rating_means`.
    weight : {"cluster", "corpus", "share"}, default "cluster"
        What receives equal weight, as in :func:`rating_means`.
    of : {"means", "gaps"}, default "means"
        The weights of :func:`rating_means`, or those of :func:`rating_gaps`, which are about
        the clusters that both groups rated.

    Returns
    -------
    DataFrame
        One row per answer to an item or a dimension: ``level``, ``item``, ``dimension``, the
        columns of ``by``, ``respondent_id``, ``image_id``, ``cluster`` (if there is one),
        ``rating``, ``weight``. With ``of="gaps"`` also ``contrast``, where groups of
        respondents are compared: an answer has a weight in every comparison of its group.

    Raises
    ------
    ImagestrataError
        As :func:`rating_means` and :func:`rating_gaps`.

    Notes
    -----
    A cell is an item or a dimension in a group. In it a cluster weighs 1 ("cluster"), its
    N_h images ("corpus") or the shares of its images ("share"). The images of the cluster that
    have a rating in the cell divide that among themselves, equally or by their shares, and the
    ratings of an image divide the image's weight equally. ``weight_cluster``,
    ``weight_corpus`` and ``weight_share`` of the sample lead to the same means only where every
    sampled image has exactly one rating in every cell.

    With these weights R's ``svydesign(ids = ~respondent_id, weights = ~weight)`` gives the means
    and standard errors of ``rating_means(variance="respondent")``.
    """
    check_choice("of", of, ("means", "gaps"))
    design = design_ratings(ratings, by, weight)
    named = [name for name in design.by if name not in ("image_id", "cluster")]
    columns = ["level", "item", "dimension", *named, "respondent_id", "image_id"]
    columns += [*(["cluster"] if design.clustered else []), "rating", "weight"]
    if of == "means" or not design.clustered or design.compares_images:
        if of == "gaps":
            _check_compared(design)
        warn_unrated(design)
        parts = [answers for _, _, answers in _cells(design)]
        return pd.concat(parts)[columns].reset_index(drop=True)
    tables: list[pd.DataFrame] = []
    left_out: dict[str, list[pd.DataFrame]] = {}
    for _, _, sides in _comparisons(design):
        for first, second in itertools.combinations(_check_compared(design), 2):
            if first in sides and second in sides:
                contrast = f"{first} - {second}"
                alike, out = _alike(design, sides[first], sides[second])
                left_out.setdefault(contrast, []).append(out)
                tables += [side.assign(contrast=contrast) for side in alike]
    warn_unrated(design, _left_out(left_out))
    return pd.concat(tables)[[*columns, "contrast"]].reset_index(drop=True)


def _left_out(parts: dict[str, list[pd.DataFrame]]) -> list[str]:
    """What each pair of groups is not compared by."""
    found = []
    for contrast, tables in parts.items():
        out = pd.concat(tables)
        if len(out):
            clusters, images = out["cluster"].nunique(), out["image_id"].nunique()
            text = f"{plural(clusters, 'cluster')} ({plural(images, 'image')})"
            found.append(text + (f" in {contrast}" if len(parts) > 1 else ""))
    return found


def _check_compared(design: Design) -> list[Any]:
    if not design.by:
        raise ImagestrataError(
            f"{arg('by')} must name what is compared.", f"For example {arg('by', 'group')}."
        )
    column = design.answers[design.by[0]]
    values = sorted(column.unique())
    if isinstance(column.dtype, pd.CategoricalDtype):  # has an order of its own
        values = [value for value in column.cat.categories if value in values]
    if len(values) < 2:
        raise ImagestrataError(
            f"There is nothing to compare: {design.by[0]} is {quote(values[0])} in all ratings."
        )
    return values


def _measured(design: Design) -> list[tuple[int, pd.DataFrame]]:
    """The answers to each measure, in the order of the results."""
    keys = zip(design.measures["level"], design.measures["item"], strict=True)
    grouped = design.answers.groupby(["level", "item"], observed=True)
    return [(place, grouped.get_group(key)) for place, key in enumerate(keys)]


def _measure(design: Design, place: int) -> dict[str, Any]:
    return {name: design.measures[name][place] for name in ("level", "item", "dimension")}


def _split(answers: pd.DataFrame, by: list[str]) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """Answers by the values of columns, sorted; all of them where there are no columns."""
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
    design: Design,
) -> list[tuple[int, dict[str, Any], dict[Any, pd.DataFrame]]]:
    """For each measure and value of the further columns, the answers of each side."""
    compared, further = design.by[0], design.by[1:]
    return [
        (
            place,
            other,
            {value: side for (value,), side in answers.groupby([compared], observed=True)},
        )
        for place, all_answers in _measured(design)
        for other, answers in _split(all_answers, further)
    ]


def _alike(
    design: Design, first: pd.DataFrame, second: pd.DataFrame
) -> tuple[list[pd.DataFrame], pd.DataFrame]:
    """The answers by which two groups are compared, and those that are left out.

    Groups of respondents are compared by the clusters that both have rated; groups of images
    are about different images anyway.
    """
    sides = [first, second]
    if not design.clustered or design.compares_images:
        return sides, first.iloc[:0]
    rated = [set(side["cluster"][side["weight"] > 0]) for side in sides]
    both = rated[0] & rated[1]
    kept = [side[side["cluster"].isin(both)] for side in sides]
    out = pd.concat([side[~side["cluster"].isin(both)] for side in sides])
    return kept, out


@dataclass(frozen=True, eq=False)
class _Cell:
    """A mean, and the totals of its linearised scores ``share * (y - mean)``.

    ``people``, ``single`` (a respondent's rating of an image) and ``images`` are pairs of
    arrays, units and totals. Those of images are distances from the mean total of the cell's
    images of their cluster, times ``sqrt(m / (m - 1))`` for m images; ``shares`` are those of
    images in the mean, ``several`` the same without clusters of one image; the squares of
    ``degrees`` add up to images less clusters.
    """

    mean: float
    counts: dict[str, int]
    people: tuple[Array, Array]
    single: tuple[Array, Array]
    images: tuple[Array, Array]
    shares: tuple[Array, Array]
    several: tuple[Array, Array]
    degrees: tuple[Array, Array]


def _cell(answers: pd.DataFrame) -> _Cell:
    ratings, weights = answers["rating"].to_numpy(float), answers["weight"].to_numpy(float)
    person, image = answers["respondent"].to_numpy(), answers["image"].to_numpy()
    shares = weights / weights.sum()
    # Distances from the first rating: where all are equal, they are 0 and not a rounding error
    # that would pass for a standard error.
    distance = ratings - ratings[0]
    distance[np.abs(distance) < 1e-12 * np.abs(ratings).max()] = 0
    shift = float(shares @ distance)
    scores = shares * (distance - shift)
    images, totals = _summed(image, scores)
    _, of_image = _summed(image, shares)
    first = pd.Series(answers["cluster"].to_numpy(), image)
    cluster = pd.factorize(first[~first.index.duplicated()].loc[images], use_na_sentinel=False)[0]
    size = np.bincount(cluster)[cluster]
    centre = np.bincount(cluster, totals)[cluster] / size
    scale = np.sqrt(np.where(size > 1, size / np.maximum(size - 1, 1), 0))
    return _Cell(
        ratings[0] + shift,
        _counts(answers),
        _summed(person, scores),
        _summed(person + 1j * image, scores),
        (images, (totals - centre) * scale),
        (images, of_image),
        (images, np.where(size > 1, of_image, 0)),
        (images, np.sqrt(1 - 1 / size)),
    )


def _summed(units: Array, values: Array) -> tuple[Array, Array]:
    known, place = np.unique(units, return_inverse=True)
    return known, np.bincount(place, values, len(known))


def _product(first: tuple[Array, Array], second: tuple[Array, Array]) -> float:
    """Sum over the units that both have of the products of their totals."""
    _, at, of = np.intersect1d(first[0], second[0], assume_unique=True, return_indices=True)
    return float(first[1][at] @ second[1][of])


def _of_people(first: _Cell, second: _Cell) -> float:
    return _product(first.people, second.people)


def _of_answers(first: _Cell, second: _Cell) -> float:
    return _product(first.single, second.single)


def _of_images(first: _Cell, second: _Cell) -> float:
    """Covariance of what images add; a cluster with one image is given the others' average."""
    shares = _product(first.shares, second.shares)
    if shares == 0:
        return 0.0
    several = _product(first.several, second.several)
    if several == 0:
        return np.nan
    return _product(first.images, second.images) * shares / several


def _variance(variance: str, n_respondents: int, cell: _Cell, other: _Cell | None = None) -> float:
    """Variance of a mean, or of the difference of two, as the notes of rating_means() say."""

    def total(covariance: Callable[[_Cell, _Cell], float]) -> float:
        value = covariance(cell, cell)
        if other is not None:
            value += covariance(other, other) - 2 * covariance(cell, other)
        return value if np.isnan(value) else max(value, 0.0)

    if min(each.counts["n_respondents"] for each in (cell, other or cell)) < 2:
        return np.nan
    drawn = n_respondents / (n_respondents - 1)
    people = drawn * total(_of_people)
    images = np.nan if variance == "respondent" else total(_of_images)
    if np.isnan(images) or variance == "image":
        return people if np.isnan(images) else images
    alike = people - drawn * total(_of_answers)
    # Where nobody is in both means, people can only add: less than nothing is chance.
    if other is None or not len(np.intersect1d(cell.people[0], other.people[0])):
        alike = max(alike, 0.0)
    # Nothing, but for rounding, is no variance.
    return images + alike if images + alike > 1e-10 * people else people


def _degrees(variance: str, cell: _Cell) -> float:
    people = cell.counts["n_respondents"] - 1
    images = _of_degrees(cell, cell)
    if variance == "respondent" or images == 0:
        return people
    return images if variance == "image" else min(people, images)


def _of_degrees(first: _Cell, second: _Cell) -> float:
    return round(_product(first.degrees, second.degrees), 9)


def _most_degrees(variance: str, first: _Cell, second: _Cell, n_people: int) -> float:
    """Respondents less one, and images less clusters: what is in both cells counts once."""
    images = _of_degrees(first, first) + _of_degrees(second, second) - _of_degrees(first, second)
    return n_people - 1 if variance == "respondent" or images == 0 else min(n_people - 1, images)


def _gap(sides: list[pd.DataFrame], variance: str, n_respondents: int) -> dict[str, Any]:
    cells = [_cell(side) for side in sides]
    people = [set(side["respondent"][side["weight"] > 0]) for side in sides]
    n_people = len(people[0] | people[1])
    each = np.array([_variance(variance, n_respondents, cell) for cell in cells])
    df = np.array([_degrees(variance, cell) for cell in cells])
    both = _variance(variance, n_respondents, *cells)
    with np.errstate(invalid="ignore", divide="ignore"):
        welch = each.sum() ** 2 / (each**2 / df).sum()
    welch = df.sum() if np.isnan(welch) else welch
    return {
        "estimate": cells[0].mean - cells[1].mean,
        "std_error": np.sqrt(both),
        "df": np.nan
        if np.isnan(both)
        else min(welch, _most_degrees(variance, cells[0], cells[1], n_people)),
        "n_ratings": sum(cell.counts["n_ratings"] for cell in cells),
        "n_respondents": n_people,
    }


def _counts(cell: pd.DataFrame) -> dict[str, int]:
    """Of what counts: an answer of weight zero is none."""
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
    """With ``conf_low`` and ``conf_high``, at the end or before a column."""
    from scipy import stats

    at = len(table.columns) if before is None else list(table.columns).index(before)
    width = stats.t.ppf((1 + conf_level) / 2, table["df"]) * table["std_error"]
    table.insert(at, "conf_low", table["estimate"] - width)
    table.insert(at + 1, "conf_high", table["estimate"] + width)
    return table


def _adjusted(p_values: pd.Series[float], adjust: str) -> pd.Series[float]:
    from statsmodels.stats.multitest import multipletests

    method = ADJUSTMENTS[adjust]
    known = p_values.notna()
    if method is None or not known.any():
        return p_values
    adjusted = p_values.copy()
    adjusted[known] = multipletests(p_values[known], method=method)[1]
    return adjusted


def _warn_alone(table: pd.DataFrame, columns: list[str], where: str) -> None:
    alone = table[table["std_error"].isna()]
    if len(alone):
        groups = alone[columns].drop_duplicates()
        first = ", ".join(f"{name} {value}" for name, value in groups.iloc[0].items()) or "all"
        what = "groups" if where == "in" else "comparisons"
        warn(
            f"Only one respondent rated {where} {max(len(groups), 1)} {what}, {first} for one: how "
            "sure such a mean is cannot be said."
        )


def _warn_no_spread(table: pd.DataFrame) -> None:
    flat = table["std_error"] == 0
    if flat.any():
        items = ", ".join(map(str, table["item"][flat].unique()))
        warn(
            f"In {int(flat.sum())} of {plural(len(flat), 'row')}, of {items}, respondents do not "
            "differ at all: the standard error is 0, and nothing can be tested. Is the file "
            "complete?"
        )
