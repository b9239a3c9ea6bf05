"""Counts of linked posts by group, author and topic, and the shares made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..clustering.linked import check_linked
from ..errors import ImagestrataError, plural, warn
from ..tables import known_texts, with_known_texts
from ..validate import check_choice, check_conf_level
from ..wording import arg, quote, verb
from .times import check_zone
from .values import PERIODS, check_unit

Array: TypeAlias = np.ndarray[Any, Any]

LEVELS = ("cluster", "theme")
DENOMINATORS = ("known", "all")

#: Columns of results that no column of ``by`` may have the name of.
_OURS = (
    "post_id", "image_id", "cluster", "cluster_name", "theme", "theme_name", "unmatched",
    "contrast", "estimate", "std_error", "std_error_adjusted", "df", "statistic", "p_value",
    "p_adjusted", "conf_low", "conf_high", "n_shown", "n_posts", "n_images", "n_authors", "unit",
    "adjust",
)  # fmt: skip

#: Groups of fewer authors are named in a warning.
FEWEST = 5

#: The largest number of rows of a result.
MOST_ROWS = 10_000_000


@dataclass(frozen=True, eq=False)
class Design:
    """Units (posts, images of posts, authors) by group, author and topic.

    Attributes
    ----------
    cells : DataFrame
        One row per group: the columns of ``by``.
    topics : DataFrame
        Numbers and names, the residual last.
    places : DataFrame
        One row per author in a cell: ``cell``, ``author``, and the number of units ``n``.
    shown : DataFrame
        One row per place and topic that is shown there: ``place``, ``topic``, and the number of
        units ``y``.
    counts : DataFrame
        ``n_posts``, ``n_images`` and ``n_authors`` of each cell.
    summary : dict
        Numbers of all posts, of those that do not count, and settings.
    """

    cells: pd.DataFrame
    topics: pd.DataFrame
    places: pd.DataFrame
    shown: pd.DataFrame
    counts: pd.DataFrame
    summary: dict[str, Any]

    @property
    def n_authors(self) -> int:
        return int(self.summary["n_authors"])


def design_posts(
    linked: Any,
    by: Any,
    unit: Any,
    level: Any,
    denominator: Any,
    author: Any,
    time: Any,
    time_zone: Any,
    conf_level: Any,
) -> Design:
    """Check linked posts and count them."""
    unit, _ = check_unit(unit, author)
    level = check_choice("level", level, LEVELS)
    denominator = check_choice("denominator", denominator, DENOMINATORS)
    conf_level = check_conf_level(conf_level)
    if not isinstance(time, str) or not time:
        raise ImagestrataError(
            f"{arg('time')} must be the name of the column of times, not {quote(time)}."
        )
    table = check_topics_linked(linked, level, author)
    topic = topics_of_rows(table, level)
    topics = topics_of(table, topic, level, linked.attrs.get("topics", []))
    columns, periods = columns_by(table, by, time, check_zone(time_zone))
    post = pd.factorize(table["post_id"])[0]
    who = pd.factorize(table[author])[0]
    kept = _complete(columns.assign(**{author: table[author]}), post)
    check_author(table, post, who, author)
    cell, cells = cells_of(columns[kept], periods, len(topics))
    rows = pd.DataFrame(
        {
            "post": post[kept],
            "author": who[kept],
            "cell": cell,
            "topic": pd.Index(topics[level]).get_indexer(topic[kept].astype(float)),
            "image": pd.factorize(table["image_id"])[0][kept],
            "named": (table.get("unmatched", topic.isna()) != "no image").to_numpy()[kept],
        }
    )
    if unit == "post":
        _check_cell(table[kept], rows, [*columns])
    rows["known"] = rows["topic"] >= 0
    # Rows without a known image are images of their own.
    lost = rows["image"] < 0
    rows.loc[lost, "image"] = -1 - np.flatnonzero(lost)
    summary = _uncounted(rows, denominator)
    summary["n_left_out"] = int(len(np.unique(post)) - rows["post"].nunique())
    places, shown, counts = _count(rows, unit, denominator, len(cells))
    counted = rows["known"] if denominator == "known" else rows["post"] >= 0
    summary = {
        "n_posts": int(rows.loc[counted, "post"].nunique()),
        "n_authors": int(places["author"].nunique()),
        "n_topics": len(topics),
        "n_groups": len(cells),
        **summary,
        "unit": unit,
        "level": level,
        "denominator": denominator,
        "conf_level": conf_level,
    }
    return Design(cells, topics, places, shown, counts, summary)


def check_topics_linked(linked: Any, level: str, author: str) -> pd.DataFrame:
    table = check_linked("linked", linked).reset_index(drop=True)
    listed = ", ".join(map(quote, map(str, table)))
    if level not in table:
        raise ImagestrataError(
            f"{arg('linked')} has no column {quote(level)}; it has {listed}.",
            f"{verb('group_clusters')} groups clusters into themes." if level == "theme" else "",
        )
    if author not in table:
        raise ImagestrataError(
            f"{arg('linked')} has no column {quote(author)}; it has {listed}.",
            f"Name the column of those who post in {arg('author')}. If every post is by somebody "
            f"else, use {arg('author', 'post_id')}.",
        )
    table[author] = known_texts(table[author])
    if not pd.api.types.is_numeric_dtype(table[level]) and table[level].notna().any():
        raise ImagestrataError(f"The column {quote(level)} must hold numbers.")
    if table[level].isna().all():
        raise ImagestrataError(
            f"No row of {arg('linked')} has a {level}.",
            f"{verb('link_posts')} links posts to the clusters of their images.",
        )
    return table


def topics_of_rows(table: pd.DataFrame, level: str) -> pd.Series[Any]:
    topic = table[level].astype("Float64")
    if level == "theme" and "cluster" in table:  # images of the residual have no theme
        topic = topic.mask(topic.isna() & table["cluster"].notna(), -1)
    return topic


def topics_of(
    table: pd.DataFrame, topic: pd.Series[Any], level: str, seen: list[dict[str, Any]]
) -> pd.DataFrame:
    """Topics of the rows, and those that no post showed when they were linked."""
    name = f"{level}_name"
    none = pd.Series(None, table.index, dtype="str")
    names = known_texts(table[name]) if name in table else none
    found = pd.DataFrame({level: topic, name: names}).dropna(subset=level).drop_duplicates(level)
    known = pd.DataFrame(seen)
    if level in known:
        known = known.dropna(subset=level)
        shown = known.loc[known["n_rows"] > 0, level]
        never = known[~known[level].isin([*shown, *found[level]])].drop_duplicates(level)
        never = never.reindex(columns=[level, name])
        found = pd.concat([found.astype(object), never.astype(object)]) if len(never) else found
    found[level] = found[level].astype("int64")
    found[name] = found[name].astype("str")
    last = (found[level] == -1).to_numpy()
    return found.iloc[np.lexsort([found[level].to_numpy(), last])].reset_index(drop=True)


def columns_by(
    table: pd.DataFrame, by: Any, time: str, zone: str
) -> tuple[pd.DataFrame, dict[str, str]]:
    """The columns of ``by``, and the periods among them that are made from times."""
    names = [] if by is None else [by] if isinstance(by, str) else list(by)
    wrong = [name for name in names if name in _OURS]
    if wrong or len(set(names)) < len(names):
        raise ImagestrataError(f"{arg('by')} must name groups of posts, not {quote(by)}.")
    made = [name for name in names if name in PERIODS and name not in table]
    for name in names:
        if name not in table and not (name in made and time in table):
            raise ImagestrataError(
                f"{arg('by')} names the column {quote(name)}, which {arg('linked')} does not have; "
                f"it has {', '.join(map(quote, map(str, table)))}.",
                "Days, weeks, months and years are made from the column of times, but there is no "
                f"column {quote(time)}: name it in {arg('time')}."
                if name in made
                else f"Use {arg('by', None)} for all posts together.",
            )
    columns = with_known_texts(table[[name for name in names if name in table]])
    for name, column in columns.items():
        if column.dtype == object and column.map(pd.api.types.is_list_like).any():
            raise ImagestrataError(
                f"{arg('by')} must name columns with one value per row, unlike {quote(str(name))}.",
                f"{verb('cluster_metadata')} counts the values of lists, such as hashtags.",
            )
    if made:
        days = days_of(table[time], time, zone)
        for name in made:
            columns[name] = days.dt.to_period(PERIODS[name]).dt.start_time
    return columns[names], {name: PERIODS[name] for name in made}


def days_of(column: pd.Series[Any], time: str, zone: str) -> pd.Series[Any]:
    if pd.api.types.infer_dtype(column, skipna=True) in ("date", "datetime"):
        column = pd.to_datetime(column)
    if not pd.api.types.is_datetime64_any_dtype(column):
        raise ImagestrataError(
            f"The column {quote(time)} must hold times, not {column.dtype}.",
            f"{verb('read_posts')} reads times.",
        )
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert(zone).dt.tz_localize(None)
    return column


def _complete(columns: pd.DataFrame, post: Array) -> Array:
    """Which rows have an author and all values of ``by``; a warning counts the others."""
    lacks = columns.isna()
    out = lacks.any(axis=1).to_numpy()
    if not out.any():
        return ~out
    parts = [
        f"{len(np.unique(post[missing])):,} without {quote(str(name))}"
        for name, missing in reversed([(name, lacks[name].to_numpy()) for name in lacks])
        if missing.any()
    ]
    if out.all():
        raise ImagestrataError(
            f"No post has a value in each column that is needed: {', '.join(parts)}."
        )
    n_out, n = len(np.unique(post[out])), len(np.unique(post))
    warn(
        f"{n_out:,} of {plural(n, 'post')} {'is' if n_out == 1 else 'are'} left out: "
        f"{', '.join(parts)}.",
        'To keep them, give them a value, such as "unknown".',
    )
    return ~out


def check_author(table: pd.DataFrame, post: Array, who: Array, author: str) -> None:
    first = pd.Series(who).groupby(post).transform("first").to_numpy()
    differs = np.flatnonzero((who != first) & (who >= 0) & (first >= 0))
    if len(differs):
        one = table["post_id"].iloc[differs[0]]
        seen = table.loc[table["post_id"] == one, author].unique()
        raise ImagestrataError(
            f"{quote(author)} must be the same in all rows of a post, but post {quote(one)} is by "
            f"{', '.join(map(quote, map(str, seen)))}.",
            "Ids of posts may repeat between platforms: make them unique, for instance by joining "
            "the platform and the id.",
        )


def _check_cell(table: pd.DataFrame, rows: pd.DataFrame, by: Sequence[str]) -> None:
    differs = (rows["cell"] != rows.groupby("post")["cell"].transform("first")).to_numpy()
    if differs.any():
        raise ImagestrataError(
            f"{', '.join(by)} must be the same in all rows of a post, unlike for post "
            f"{quote(table['post_id'].iloc[int(differs.argmax())])}.",
            f"Columns about images are possible with {arg('unit', 'image')}.",
        )


def cells_of(
    columns: pd.DataFrame, periods: dict[str, str], n_topics: int
) -> tuple[Array, pd.DataFrame]:
    """The cell of each row, and the cells in the order of their values.

    Every combination of the other columns has all periods from the first to the last.
    """
    if not len(columns.columns):
        return np.zeros(len(columns), dtype=np.int64), pd.DataFrame(index=[0])
    grid = columns[[name for name in columns if name not in periods]].drop_duplicates()
    if not len(grid.columns):
        grid = pd.DataFrame(index=[0])
    spans = {
        name: pd.period_range(columns[name].min(), columns[name].max(), freq=code).start_time
        for name, code in periods.items()
    }
    n = len(grid) * int(np.prod([len(span) for span in spans.values()]))
    if n * n_topics > MOST_ROWS:
        dates = "; ".join(f"{span[0]:%Y-%m-%d} to {span[-1]:%Y-%m-%d}" for span in spans.values())
        raise ImagestrataError(
            f"The result would have {n * n_topics:,} rows: {n_topics:,} topics in {n:,} groups.",
            f"Times are {dates}: are all of them right? Longer periods have fewer rows."
            if dates
            else f"Choose columns of {arg('by')} with fewer values.",
        )
    for name, span in spans.items():
        grid = grid.merge(pd.DataFrame({name: span}), how="cross")
    grid = grid[[*columns]].sort_values([*columns], ignore_index=True)
    for name in spans:
        grid[name] = grid[name].astype(columns[name].dtype)
    found = columns.merge(grid.assign(_cell=np.arange(len(grid))), how="left", on=[*columns])
    return found["_cell"].to_numpy(), grid


def _uncounted(rows: pd.DataFrame, denominator: str) -> dict[str, Any]:
    """Report what does not count, and return the numbers."""
    every, known = rows["post"].unique(), rows.loc[rows["known"], "post"].unique()
    lost = rows.loc[~rows["known"] & rows["named"], "post"].unique()
    n_unknown, n_partly = len(every) - len(known), len(np.intersect1d(known, lost))
    n_repeated = int((rows["known"] & rows.duplicated(["post", "image"])).sum())
    if n_unknown:
        of = f"{n_unknown:,} of {plural(len(every), 'post')}"
        if denominator == "known":
            warn(
                f"Posts that show no known image do not count: {of}. Shares are those of the "
                "others.",
                f"{arg('denominator', 'all')} counts them.",
            )
        else:
            warn(f"Posts that show no known image count as showing no topic: {of}.")
    if n_partly:
        warn(
            f"{plural(n_partly, 'post shows', 'posts show')} known images and images that are not "
            "in the clustering. The topics of the latter are not counted."
        )
    if n_repeated:
        warn(
            f"{plural(n_repeated, 'row repeats', 'rows repeat')} an image of a post: an image of a "
            "post is counted once."
        )
    return {"n_unknown": n_unknown, "n_partly": n_partly, "n_repeated": n_repeated}


def _count(
    rows: pd.DataFrame, unit: str, denominator: str, n_cells: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    counted = rows["known"]
    if denominator == "all":
        counted = counted | rows["named"] if unit == "image" else counted | True
    rows = rows[counted]
    of_unit = {"post": ["post"], "image": ["post", "image"], "author": ["author"]}[unit]
    place = ["cell", "author"]
    units = rows.drop_duplicates(["cell", *of_unit])
    places = units.groupby(place, sort=False, as_index=False).agg(n=("post", "size"))
    showing = rows[rows["known"]].drop_duplicates(["cell", *of_unit, "topic"])
    shown = showing.groupby([*place, "topic"], sort=False, as_index=False).agg(y=("post", "size"))
    shown = shown.merge(places.reset_index(names="place"), on=place)

    def per_cell(distinct: pd.DataFrame) -> Array:
        return np.bincount(distinct["cell"], minlength=n_cells)

    images = rows[rows["named"] | rows["known"]].drop_duplicates(["cell", "post", "image"])
    counts = pd.DataFrame(
        {
            "n_posts": per_cell(rows.drop_duplicates(["cell", "post"])),
            "n_images": per_cell(images),
            "n_authors": per_cell(places),
        }
    )
    return places, shown[["place", "topic", "y"]], counts


def warn_few(design: Design) -> None:
    """Report groups without posts, and those with few authors."""
    n = design.counts["n_authors"].to_numpy()
    empty, few = np.flatnonzero(n == 0), np.flatnonzero((n > 0) & (n < FEWEST))

    def have(cells: Array) -> str:
        return "has" if len(cells) == 1 else "have"

    if len(empty):
        warn(
            f"{len(empty):,} of {plural(len(n), 'group')} {have(empty)} no post that counts, the "
            f"first of them {_label(design, empty[0])}: their shares are missing."
        )
    if len(few):
        warn(
            f"{len(few):,} of {plural(len(n), 'group')} {have(few)} fewer than {FEWEST} authors, "
            f"the first of them {_label(design, few[0])} ({plural(int(n[few[0]]), 'author')}).",
            "Their intervals rest on differences between a handful of people: they are wide, and "
            "may still miss the share more often than they should.",
        )


def _label(design: Design, cell: int) -> str:
    values = design.cells.iloc[cell].to_dict()
    shown = {
        name: f"{one:%Y-%m-%d}" if isinstance(one, pd.Timestamp) else one
        for name, one in values.items()
    }
    return ", ".join(f"{name} {one}" for name, one in shown.items()) or "all posts"
