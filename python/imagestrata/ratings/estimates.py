"""Means of ratings and gaps between groups, with errors that know that people differ."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..validate import check_choice, check_float
from ..verbs import public
from ..wording import arg, quote
from .design import Design, design_ratings

Array: TypeAlias = np.ndarray[Any, Any]

#: How p values are adjusted -> what statsmodels calls it.
ADJUSTMENTS = {"holm": "holm", "BH": "fdr_bh", "none": None}


@public
def rating_means(
    ratings: pd.DataFrame,
    by: str | Sequence[str] | None = "group",
    *,
    weight: str = "cluster",
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Mean ratings of every item and dimension, by groups.

    This is the twin of R's ``rating_means()``, which does more (two-way variances,
    means of clusters shrunken by a mixed model, millions of ratings); both are
    tested against the same golden tables.

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
        An image counts once in a mean, however many have rated it.
    conf_level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    DataFrame
        One row per measure and group: ``level`` ("item" or "dimension"), ``item``,
        ``dimension``, the columns of ``by``, ``estimate``, ``std.error``, ``df``,
        ``conf.low``, ``conf.high``, ``n_ratings``, ``n_respondents``, ``n_images``,
        ``n_clusters``, ``weight``.

    Raises
    ------
    ImagestrataError
        If ratings lack columns, are there twice, or have weights that are missing
        or not positive.

    Notes
    -----
    A dimension's rating is the mean of its items' ratings by the same respondent of
    the same image.

    A mean is the constant of a weighted least squares fit (statsmodels), its
    variance the sandwich that is robust to respondents as clusters, **without** the
    small-sample correction of statsmodels: V = sum over respondents of the squared
    sum of w (y - mean) / sum(w). R's survey package draws respondents with
    replacement, ``svydesign(ids = ~respondent_id, weights = )``, and its linearised
    variance of a domain's mean is exactly V n / (n - 1), with n the respondents of
    the *whole* survey, also those outside the domain, since their share in it is
    zero and not unknown. That is what is reported here. (statsmodels' own correction
    would be g / (g - 1) x (N - 1) / (N - k), with g the respondents in the fit, N its
    answers and k its coefficients.)

    Intervals are those of the t distribution with the respondents of the cell less
    one as degrees of freedom. With one respondent there is no standard error.
    """
    conf_level = _check_level(conf_level)
    design = design_ratings(ratings, by, weight)
    rows = []
    for place, group, cell in _cells(design):
        mean, variance = _fit([cell], design.n_respondents)
        counts = _counts(cell)
        error = np.sqrt(variance[0, 0]) if counts["n_respondents"] > 1 else np.nan
        rows.append(
            {
                **_measure(design, place),
                **group,
                "estimate": mean[0],
                "std.error": error,
                "df": counts["n_respondents"] - 1,
                **counts,
            }
        )
    table = _with_interval(pd.DataFrame(rows), conf_level, before="n_ratings")
    _warn_alone(table, design.by, "in")
    _warn_no_spread(table)
    return table.assign(weight=weight)


@public
def rating_gaps(
    ratings: pd.DataFrame,
    by: str | Sequence[str] = "group",
    *,
    weight: str = "cluster",
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
        less the second), ``estimate``, ``std.error``, ``df``, ``statistic``,
        ``p.value``, ``p.adjusted``, ``conf.low``, ``conf.high``, ``n_ratings``,
        ``n_respondents``, ``weight``, ``adjust``. Where nobody of one group has rated
        there is no row, and a warning counts such comparisons.

    Raises
    ------
    ImagestrataError
        As :func:`rating_means`, and if there is nothing to compare.

    Notes
    -----
    Both means come from one weighted least squares fit with a constant for each
    group, so that respondents in both groups are accounted for; the variance of
    their difference is that of survey's ``svycontrast()``. Degrees of freedom are
    Welch's, and at most one less than there are respondents in both.
    """
    from scipy import stats

    adjust = check_choice("adjust", adjust, ADJUSTMENTS)
    conf_level = _check_level(conf_level)
    design = design_ratings(ratings, by, weight)
    values = _check_compared(design)
    rows, one_sided = [], 0
    for place, other, sides in _comparisons(design):
        for first, second in itertools.combinations(values, 2):
            if first in sides and second in sides:
                cells = [sides[first], sides[second]]
                contrast = f"{first} - {second}"
                row = {**_measure(design, place), **other, "contrast": contrast}
                rows.append(row | _gap(cells, design.n_respondents))
            elif first in sides or second in sides:
                one_sided += 1
    if one_sided:
        warn(
            f"{plural(one_sided, 'comparison lacks', 'comparisons lack')} one side, since nobody "
            "of one group has rated there; they are left out."
        )
    if not rows:
        raise ImagestrataError("There is nothing to compare: no two groups have rated the same.")
    table = pd.DataFrame(rows)
    _warn_alone(table, [*design.by[1:], "contrast"], "on one side of")
    _warn_no_spread(table)
    table["statistic"] = table["estimate"] / table["std.error"].where(table["std.error"] > 0)
    table["p.value"] = 2 * stats.t.sf(table["statistic"].abs(), table["df"])
    table["p.adjusted"] = table.groupby("level")["p.value"].transform(_adjusted, adjust)
    counts = table[["n_ratings", "n_respondents"]]
    table = _with_interval(table.drop(columns=counts.columns), conf_level)
    return pd.concat([table, counts], axis=1).assign(weight=weight, adjust=adjust)


def _check_level(conf_level: Any) -> float:
    level = check_float("conf_level", conf_level)
    if not 0 < level < 1:
        raise ImagestrataError(
            f"{arg('conf_level')} must lie between 0 and 1, and is {level}.",
            "For 95% intervals it is 0.95.",
        )
    return level


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
        (place, other, {value: side for (value,), side in answers.groupby([compared])})
        for place, all_answers in _measured(design)
        for other, answers in _split(all_answers, further)
    ]


def _fit(cells: list[pd.DataFrame], n_respondents: int) -> tuple[Array, Array]:
    """Means of cells and their covariances, as the notes of :func:`rating_means` say."""
    from statsmodels.regression.linear_model import WLS

    answers = pd.concat(cells)
    if len(answers) == 1:  # statsmodels stumbles over a single answer, which has no variance
        return answers["rating"].to_numpy(float), np.full((1, 1), np.nan)
    sides = np.repeat(np.arange(len(cells)), [len(cell) for cell in cells])
    constants = (sides[:, None] == np.arange(len(cells))).astype(float)
    people = pd.factorize(answers["respondent_id"])[0]
    # Distances from a cell's first rating: where all are equal, they are 0 and not a rounding
    # error that would pass for a standard error.
    ratings = answers["rating"].to_numpy(float)
    start = np.array([cell["rating"].iloc[0] for cell in cells], float)
    distance = ratings - start[sides]
    distance[np.abs(distance) < 1e-12 * np.abs(ratings).max()] = 0
    model = WLS(distance, constants, weights=answers["weight"].to_numpy())
    fitted = model.fit(cov_type="cluster", cov_kwds={"groups": people, "use_correction": False})
    correction = n_respondents / (n_respondents - 1) if n_respondents > 1 else np.nan
    return start + fitted.params, fitted.cov_params() * correction


def _gap(cells: list[pd.DataFrame], n_respondents: int) -> dict[str, Any]:
    means, covariance = _fit(cells, n_respondents)
    counts = [_counts(cell) for cell in cells]
    variances = np.diag(covariance)
    df = np.array([count["n_respondents"] - 1 for count in counts])
    people = [set(cell["respondent_id"][cell["weight"] > 0]) for cell in cells]
    n_people = len(people[0] | people[1])
    known = (df > 0).all()
    variance = max(variances.sum() - 2 * covariance[0, 1], 0.0) if known else np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        welch = variances.sum() ** 2 / (variances**2 / df).sum()
    welch = df.sum() if np.isnan(welch) else welch
    return {
        "estimate": means[0] - means[1],
        "std.error": np.sqrt(variance),
        "df": min(welch, n_people - 1) if known else np.nan,
        "n_ratings": counts[0]["n_ratings"] + counts[1]["n_ratings"],
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
    """With ``conf.low`` and ``conf.high``, at the end or before a column."""
    from scipy import stats

    at = len(table.columns) if before is None else list(table.columns).index(before)
    width = stats.t.ppf((1 + conf_level) / 2, table["df"]) * table["std.error"]
    table.insert(at, "conf.low", table["estimate"] - width)
    table.insert(at + 1, "conf.high", table["estimate"] + width)
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
    alone = table[table["std.error"].isna()]
    if len(alone):
        groups = alone[columns].drop_duplicates()
        first = ", ".join(f"{name} {value}" for name, value in groups.iloc[0].items()) or "all"
        what = "groups" if where == "in" else "comparisons"
        warn(
            f"Only one respondent rated {where} {max(len(groups), 1)} {what}, {first} for one: how "
            "sure such a mean is cannot be said."
        )


def _warn_no_spread(table: pd.DataFrame) -> None:
    flat = table["std.error"] == 0
    if flat.any():
        items = ", ".join(map(str, table["item"][flat].unique()))
        warn(
            f"In {int(flat.sum())} of {plural(len(flat), 'row')}, of {items}, respondents do not "
            "differ at all: the standard error is 0, and nothing can be tested. Is the file "
            "complete?"
        )
