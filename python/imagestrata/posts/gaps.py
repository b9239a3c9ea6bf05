"""Differences between groups in the shares of posts that show each topic."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..ratings.estimates import ADJUSTMENTS, adjusted
from ..validate import check_choice
from ..verbs import public
from ..wording import arg, quote
from .design import MOST_ROWS, Array, Design, design_posts, warn_few
from .shares import Shares, limits_of, shared_by, shares_of


@public
def topic_gaps(
    linked: pd.DataFrame,
    by: str | Sequence[str],
    *,
    unit: str = "post",
    adjust: str = "holm",
    level: str = "cluster",
    denominator: str = "known",
    author: str = "author",
    time: str = "time",
    time_zone: str = "UTC",
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Estimate differences in the prevalence of topics between groups or periods.

    R's ``topic_gaps()`` gives the same estimates; see :func:`topic_prevalence`.

    Parameters
    ----------
    linked : DataFrame
        As in :func:`topic_prevalence`.
    by : str or sequence of str
        Every pair of values of the first column is compared, separately for the values of further
        columns: ``["party", "month"]`` compares parties within each month.
    unit : {"post", "image", "author"}, default "post"
        As in :func:`topic_prevalence`.
    adjust : {"holm", "BH", "none"}, default "holm"
        Adjustment of p values for multiple comparisons. All rows of the table are one family.
    level, denominator, author, time, time_zone : str
        As in :func:`topic_prevalence`.
    conf_level : float, default 0.95
        Confidence level of the intervals, which are not adjusted.

    Returns
    -------
    DataFrame
        One row per topic and comparison, those of the residual last: ``cluster`` and
        ``cluster_name`` (or ``theme`` and ``theme_name``), the further columns of ``by``,
        ``contrast`` ("D - R": the first minus the second), ``estimate``, ``std_error``, ``df``,
        ``statistic``, ``p_value``, ``p_adjusted``, ``conf_low``, ``conf_high``, ``n_posts`` and
        ``n_authors`` of both groups together, ``unit``, ``adjust``. If a group has no posts, its
        gaps are missing.

    Raises
    ------
    ImagestrataError
        As in :func:`topic_prevalence`, and if there are no two groups to compare.

    Notes
    -----
    ``std_error`` is that of R's ``svycontrast()`` after ``svyby(covmat = TRUE)`` with authors as
    clusters. It accounts for authors who are in both groups, as in comparisons of periods.

    Intervals are made from those of the two shares by the method of variance estimates recovery
    (Zou and Donner 2008): each limit is as far from the gap as the two corresponding limits are
    from the shares, with their correlation if groups have authors in common. The quantile is that
    of the t distribution with Welch's degrees of freedom from those of the two shares, at most the
    number of authors minus one. ``statistic`` is the t for which the interval ends at 0, so that
    the test and the interval agree; in large samples it is ``estimate / std_error``. If nobody in
    either group shows the topic, or all do in all posts, nothing can be tested, and the p value
    is missing.

    References
    ----------
    Zou, G. Y., and Donner, A. (2008). Construction of confidence limits about effect measures: A
    general approach. Statistics in Medicine, 27(10), 1693-1702.
    """
    from scipy import stats

    adjust = check_choice("adjust", adjust, ADJUSTMENTS)
    design = design_posts(linked, by, unit, level, denominator, author, time, time_zone, conf_level)
    contrasts, cells = pairs_of_cells(design)
    warn_few(design)
    first, second = cells[:, 0], cells[:, 1]
    shares = shares_of(design)
    a, b = shares.take(first), shares.take(second)
    shared = shared_by(design, shares, first, second)
    with np.errstate(divide="ignore", invalid="ignore"):
        product = a.std_error_adjusted * b.std_error_adjusted
        r = np.where(shared.jackknife == 0, 0, shared.jackknife / product)
        variance = a.std_error**2 + b.std_error**2 - 2 * shared.survey
    n_posts, n_authors = _both(design, "n_posts", cells), _both(design, "n_authors", cells)
    n_authors = n_authors - shared.n_authors[:, 0].astype("int64")
    df = np.minimum(_welch(a, b), np.maximum(n_authors - 1, 1)[:, None])
    conf_level = design.summary["conf_level"]
    low, high = _limits(a, b, r, stats.t.ppf((1 + conf_level) / 2, df), df)
    statistic = _statistic(a, b, r, df)
    n_pairs, n_topics = len(contrasts), len(design.topics)
    topic, pair = np.repeat(np.arange(n_topics), n_pairs), np.tile(np.arange(n_pairs), n_topics)

    def column(values: Array) -> Array:
        return values[pair, topic]

    gaps = pd.DataFrame(
        {
            "contrast": np.array(contrasts, dtype=object)[pair],
            "estimate": column(a.estimate - b.estimate),
            "std_error": column(np.sqrt(np.maximum(variance, 0))),
            "df": column(df),
            "statistic": column(statistic),
            "p_value": column(2 * stats.t.sf(np.abs(statistic), df)),
        }
    )
    gaps["contrast"] = gaps["contrast"].astype("str")
    gaps["p_adjusted"] = adjusted(gaps["p_value"], adjust)
    gaps = gaps.assign(
        conf_low=column(low), conf_high=column(high), n_posts=n_posts[pair],
        n_authors=n_authors[pair], unit=design.summary["unit"], adjust=adjust,
    )  # fmt: skip
    others = design.cells.iloc[np.where(first >= 0, first, second)[pair], 1:]
    topics = design.topics.iloc[topic]
    parts = [part.reset_index(drop=True) for part in (topics, others, gaps)]
    table = pd.concat(parts, axis=1)
    table.attrs = {"summary": {**design.summary, "adjust": adjust}}
    return table


def pairs_of_cells(design: Design) -> tuple[list[str], Array]:
    """Contrasts and the cells of both sides (-1 if there is no such cell)."""
    cells = design.cells
    if not len(cells.columns):
        raise ImagestrataError(
            f"{arg('by')} must name the groups to compare, for example {arg('by', 'party')}."
        )
    column = cells.iloc[:, 0]
    values = list(column.drop_duplicates().sort_values())
    names = [f"{one:%Y-%m-%d}" if isinstance(one, pd.Timestamp) else str(one) for one in values]
    if len(values) < 2:
        raise ImagestrataError(
            f"{quote(str(column.name))} must have two or more values to compare, but is "
            f"{quote(names[0])} in all posts."
        )
    rest = (
        cells.groupby([*cells.columns[1:]], observed=True, sort=True).ngroup()
        if (len(cells.columns) > 1)
        else pd.Series(0, cells.index)
    )
    n = len(values) * (len(values) - 1) // 2 * (int(rest.max()) + 1) * len(design.topics)
    if n > MOST_ROWS:
        raise ImagestrataError(
            f"The result would have {n:,} rows, because {quote(str(column.name))} has "
            f"{len(values):,} values: every pair is compared.",
            "Choose a column with fewer values, such as months instead of days.",
        )
    place = {key: at for at, key in enumerate(zip(rest, column, strict=True))}
    contrasts, found = [], []
    for group in range(int(rest.max()) + 1):
        for (i, one), (j, other) in itertools.combinations(enumerate(values), 2):
            sides = (place.get((group, one), -1), place.get((group, other), -1))
            if max(sides) >= 0:
                contrasts.append(f"{names[i]} - {names[j]}")
                found.append(sides)
    pairs = np.array(found)
    posts = np.where(pairs >= 0, design.counts["n_posts"].to_numpy()[pairs], 0)
    lacks = int((posts == 0).any(axis=1).sum())
    if lacks == len(pairs):
        raise ImagestrataError("There is nothing to compare: no two groups have posts.")
    if lacks:
        warn(
            f"In {lacks:,} of {plural(len(pairs), 'comparison')} a group has no posts: the gaps "
            "are missing."
        )
    return contrasts, pairs


def _both(design: Design, column: str, cells: Array) -> Array:
    counts = design.counts[column].to_numpy()
    both: Array = np.where(cells >= 0, counts[cells], 0).sum(axis=1)
    return both


def _welch(a: Shares, b: Shares) -> Array:
    """Degrees of freedom of gaps."""
    v, w = a.std_error_adjusted**2, b.std_error_adjusted**2
    with np.errstate(divide="ignore", invalid="ignore"):
        df = (v + w) ** 2 / (v**2 / a.df + w**2 / b.df)
    return np.where((v == 0) & (w == 0), np.minimum(a.df, b.df), df)


def _limits(a: Shares, b: Shares, r: Array, t: Array, df: Array) -> tuple[Array, Array]:
    """Limits of gaps, as far from the gap as the limits of the shares are from these."""
    low_a, high_a = limits_of(a, t, df)
    low_b, high_b = limits_of(b, t, df)

    def reach(x: Array, y: Array) -> Array:
        return np.asarray(np.sqrt(np.maximum(x**2 + y**2 - 2 * r * x * y, 0)))

    gap = a.estimate - b.estimate
    return (
        gap - reach(a.estimate - low_a, high_b - b.estimate),
        gap + reach(high_a - a.estimate, b.estimate - low_b),
    )


def _statistic(a: Shares, b: Shares, r: Array, df: Array) -> Array:
    """The t for which the interval ends at 0, by bisection; missing if both are 0 or 1."""
    gap = a.estimate - b.estimate
    low, high = np.zeros_like(gap), np.full_like(gap, 1000.0)
    for _ in range(50):
        t = (low + high) / 2
        lower, upper = _limits(a, b, r, t, df)
        differs = np.where(gap > 0, lower, -upper) > 0
        low, high = np.where(differs, t, low), np.where(differs, high, t)
    untested = (a.estimate == b.estimate) & ((a.estimate == 0) | (a.estimate == 1))
    return np.where(untested | np.isnan(gap) | np.isnan(df), np.nan, np.sign(gap) * low)
