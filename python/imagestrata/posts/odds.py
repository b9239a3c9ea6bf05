"""Topics that set groups apart: log odds ratios by author, shrunk where there are few posts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ..validate import check_choice
from ..verbs import public
from .design import Array, Design, design_posts, warn_few
from .gaps import pairs_of_cells
from .shares import shares_of

COMPARE = ("others", "pairs")


@public
def topic_odds(
    linked: pd.DataFrame,
    by: str | Sequence[str],
    *,
    unit: str = "post",
    compare: str = "others",
    level: str = "cluster",
    denominator: str = "known",
    author: str = "author",
    time: str = "time",
    time_zone: str = "UTC",
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Find the topics that set groups apart.

    Estimates for each topic how much more likely posts of one group are to show it than those of
    others: a log odds ratio that is shrunk where there are few posts, with an interval that
    accounts for posts of the same author. R's ``topic_odds()`` gives the same estimates.

    Parameters
    ----------
    linked : DataFrame
        As in :func:`topic_prevalence`.
    by : str or sequence of str
        Columns. The values of the first one are compared, separately for the values of further
        columns: ``["party", "month"]`` compares parties within each month.
    unit : {"post", "image", "author"}, default "post"
        As in :func:`topic_prevalence`.
    compare : {"others", "pairs"}, default "others"
        "others": each group is compared with all others together; two groups are compared once.
        "pairs": every pair of groups.
    level, denominator, author, time, time_zone : str
        As in :func:`topic_prevalence`.
    conf_level : float, default 0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        One row per topic and comparison, those of the residual last: ``cluster`` and
        ``cluster_name`` (or ``theme`` and ``theme_name``), the further columns of ``by``,
        ``contrast`` ("D - R" or "D - others"), ``estimate``, the log odds ratio, above 0 if the
        first group is more likely to show the topic; ``std_error``, ``df``, ``statistic`` (the
        estimate divided by its standard error), ``conf_low``, ``conf_high``; ``share`` and
        ``share_other``, the shares of posts with the topic in both groups, not shrunk; ``n_shown``
        (posts of both groups with the topic), ``n_posts``, ``n_authors``, ``unit``. The odds ratio
        is ``exp(estimate)``. Estimates are missing if neither group shows the topic, if both always
        show it, or if a group has no posts or only one author, whose posts are no evidence on
        others.

    Raises
    ------
    ImagestrataError
        As in :func:`topic_prevalence`, and if there are no two groups to compare.

    Notes
    -----
    The idea is that of Monroe, Colaresi and Quinn (2008), with two changes.

    *Authors instead of posts.* They treat each word as an independent draw. Posts of one author are
    not: an author who posts one image a hundred times is no hundred witnesses. The numbers of posts
    are therefore divided by the design effect of the topic: the variance of these numbers by the
    jackknife, which leaves out one author at a time, divided by that of independent posts, in both
    groups together. In each group the former is at least the latter.

    *Shrinkage.* As their informative Dirichlet prior does for words, each group gets further posts
    in which the topic is as common as in both groups together: as many as hold one effective post
    with the topic (or without it, if most posts show it). So an estimate that rests on few posts is
    close to 0, and topics that a group never shows have finite estimates.

    With y posts of n that show the topic, the design effect d and the prior a, b, the log odds of a
    group are log((y / d + a) / ((n - y) / d + b)), with the variance
    1 / (y / d + a) + 1 / ((n - y) / d + b). Intervals use the t distribution with 2 m - 1 degrees
    of freedom, where m is the effective number of authors in both groups who show the topic (of
    each group at most half of its authors), or with the number of authors minus 2 if that is
    smaller. Authors who are in both groups, as in comparisons of months, make the intervals wider
    than necessary.

    In simulated corpora with 8 to 100 authors a group, of very different activity, intervals
    covered the truth a little more often than they claim; if posts are taken as independent, far
    too seldom. Topics that are chosen because their estimates are the largest of many are covered
    less often (``docs/posts.md``). Stronger shrinkage, towards a normal distribution of all topics,
    gave intervals that missed half of the partisan topics or more.

    References
    ----------
    Monroe, B. L., Colaresi, M. P., and Quinn, K. M. (2008). Fightin' words: Lexical feature
    selection and evaluation for identifying the content of political conflict. Political Analysis,
    16(4), 372-403.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import topic_odds
    >>> posts = pd.DataFrame({
    ...     "post_id": range(60), "image_id": range(60), "cluster": [1, 1, 2, 1, 2, -1] * 10,
    ...     "author": [name for name in "abcdefghijkl" for _ in range(5)],
    ...     "party": ["A"] * 30 + ["B"] * 30,
    ... })
    >>> topic_odds(posts, by="party")["estimate"].tolist()
    [0.0, 0.0, 0.0]
    """
    compare = check_choice("compare", compare, COMPARE)
    design = design_posts(linked, by, unit, level, denominator, author, time, time_zone, conf_level)
    contrasts, pairs = pairs_of_cells(design)
    warn_few(design)
    contrasts, of, cells = _sides(design, contrasts, pairs, compare)
    odds = _odds(_pooled(design, cells, 2 * len(contrasts)), design.summary["conf_level"])
    n_pairs, n_topics = len(contrasts), len(design.topics)
    topic, pair = np.repeat(np.arange(n_topics), n_pairs), np.tile(np.arange(n_pairs), n_topics)
    values = pd.DataFrame({name: one[pair, topic] for name, one in odds.items()})
    values.insert(0, "contrast", pd.Series(contrasts, dtype="str").iloc[pair].to_numpy())
    parts = (design.topics.iloc[topic], design.cells.iloc[of[pair], 1:], values)
    table = pd.concat([part.reset_index(drop=True) for part in parts], axis=1)
    table["unit"] = design.summary["unit"]
    table.attrs = {"summary": {**design.summary, "compare": compare}}
    return table


def _sides(
    design: Design, contrasts: list[str], pairs: Array, compare: str
) -> tuple[list[str], Array, pd.DataFrame]:
    """The contrasts, a cell of each, and which ``cell`` belongs to which ``side``.

    Sides 0 and 1 are those of the first contrast, 2 and 3 of the second, and so on.
    """
    column = design.cells.iloc[:, 0]
    if compare == "pairs" or column.nunique() == 2:
        cells = pd.DataFrame({"cell": pairs.ravel(), "side": np.arange(pairs.size)})
        of = np.where(pairs[:, 0] >= 0, pairs[:, 0], pairs[:, 1])
        return contrasts, of, cells[cells["cell"] >= 0]
    names = [str(name) for name in design.cells]
    order = design.cells.sort_values([*names[1:], names[0]], kind="stable").index.to_numpy()
    group: Array = np.zeros(len(order), dtype=np.int64)
    if names[1:]:
        group = design.cells.groupby(names[1:], observed=True, sort=True).ngroup().to_numpy()
    parts = []
    for i, one in enumerate(order):
        others = np.flatnonzero((group == group[one]) & (np.arange(len(order)) != one))
        parts.append(pd.DataFrame({"cell": [one], "side": 2 * i}))
        parts.append(pd.DataFrame({"cell": others, "side": 2 * i + 1}))
    texts = [f"{one:%Y-%m-%d}" if isinstance(one, pd.Timestamp) else str(one) for one in column]
    return [f"{texts[one]} - others" for one in order], order, pd.concat(parts)


def _pooled(design: Design, cells: pd.DataFrame, n_sides: int) -> Design:
    """The design with sides as cells; an author in several cells of a side is one author there."""
    side_of = design.places.reset_index(names="place").merge(cells, on="cell")
    whole = design.summary["unit"] == "author"  # whether an author shows a topic counts once
    places = side_of.groupby(["side", "author"], sort=False)["n"].sum().reset_index()
    shown = design.shown.merge(side_of[["place", "side", "author"]], on="place")
    shown = shown.groupby(["side", "author", "topic"], sort=False)["y"].sum().reset_index()
    shown = shown.merge(places.reset_index(names="place"), on=["side", "author"])
    if whole:
        places["n"], shown["y"] = 1.0, 1.0
    posts = np.zeros(n_sides, dtype=np.int64)
    np.add.at(posts, cells["side"], design.counts["n_posts"].to_numpy()[cells["cell"]])
    counts = pd.DataFrame(
        {"n_posts": posts, "n_authors": np.bincount(places["side"], minlength=n_sides)}
    )
    return replace(
        design,
        cells=pd.DataFrame({"side": np.arange(n_sides)}),
        places=places.rename(columns={"side": "cell"}),
        shown=shown[["place", "topic", "y"]],
        counts=counts,
    )


def _odds(design: Design, conf_level: float) -> dict[str, Array]:
    """The columns of the result, as arrays of contrasts x topics."""
    from scipy import stats

    shares = shares_of(design)
    units = np.bincount(design.places["cell"], design.places["n"], len(design.cells))[:, None]
    y, p, n = shares.n_shown, shares.estimate, units + np.zeros_like(shares.estimate)

    def both(values: Array) -> Array:
        total: Array = values[::2] + values[1::2]
        return total

    with np.errstate(divide="ignore", invalid="ignore"):
        independent = both(n * p * (1 - p))
        # The variance of the number of posts with the topic, over that of independent posts; each
        # group may show the topic always or never.
        effect = both((n * shares.std_error_adjusted) ** 2) / independent
        effect = np.where(independent == 0, both(n) / both(shares.effective), effect)
        common = both(y) / both(n)
        common = np.where((common == 0) | (common == 1), np.nan, common)
        prior = 1 / np.minimum(common, 1 - common)
        shown = [y[i::2] / effect + prior * common for i in (0, 1)]
        other = [(n - y)[i::2] / effect + prior * (1 - common) for i in (0, 1)]
        estimate = np.log(shown[0] / other[0]) - np.log(shown[1] / other[1])
        estimate = np.where(both(1 * (n == 0)) > 0, np.nan, estimate)
        error = np.sqrt(sum(1 / part for part in [*shown, *other]))
        # The effective number of authors who show the topic.
        few = both(np.where((y == 0) | (y == n), 0, (shares.df + 1) / 2))
        authors = both(shares.n_authors)
        df = np.maximum(np.minimum(authors - 2, 2 * few - 1), 1)
        alone = np.minimum(shares.n_authors[::2], shares.n_authors[1::2]) < 2
        error, df = (np.where(alone | np.isnan(estimate), np.nan, one) for one in (error, df))
        width = stats.t.ppf((1 + conf_level) / 2, df) * error
    pair = design.places["cell"] // 2
    people = pd.DataFrame({"pair": pair, "author": design.places["author"]}).drop_duplicates()
    n_authors = np.bincount(people["pair"], minlength=len(estimate))
    posts = both(design.counts["n_posts"].to_numpy())
    every = np.zeros(estimate.shape, dtype=np.int64)
    return {
        "estimate": estimate,
        "std_error": error,
        "df": df,
        "statistic": estimate / error,
        "conf_low": estimate - width,
        "conf_high": estimate + width,
        "share": p[::2],
        "share_other": p[1::2],
        "n_shown": both(y).astype("int64"),
        "n_posts": posts[:, None] + every,
        "n_authors": n_authors[:, None] + every,
    }
