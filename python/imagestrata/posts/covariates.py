"""Covariates, authors and topics of posts, from linked posts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import patsy
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural, warn
from ..validate import columns_of
from ..wording import arg, quote, verb
from .formula import FUNCTIONS, names_in

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Periods that are made from times, by the code of pandas.
_PERIODS = {"day": "D", "week": "W-SUN", "month": "M", "year": "Y"}


@dataclass(eq=False)
class Posts:
    """Covariates, authors and topics of posts; ``shown`` has the posts that show each topic."""

    data: pd.DataFrame
    post_id: pd.Series[Any]
    author: pd.Series[Any]
    weight: Floats
    topics: pd.DataFrame
    shown: list[Ints]
    n_left_out: int


def read_covariates(
    linked: pd.DataFrame,
    right: str,
    wanted: list[Any] | None,
    env: Any,
    level: str,
    author: str,
    time: str,
    time_zone: str,
    weights: str | None,
) -> Posts:
    """One row per post that is complete, in the order of the table."""
    if not isinstance(linked, pd.DataFrame) or not {"post_id", level} <= {*linked}:
        raise ImagestrataError(
            f"{arg('linked')} must be a table with the columns 'post_id' and {quote(level)}; "
            f"{columns_of(linked)}.",
            f"{verb('link_posts')} links posts to the clusters of their images.",
        )
    if author not in linked:
        raise ImagestrataError(
            f"{arg('linked')} has no column {quote(author)}; {columns_of(linked)}.",
            f"Name the column of those who post in {arg('author')}.",
        )
    linked = linked.reset_index(drop=True)
    post = pd.Series(pd.factorize(linked["post_id"])[0])
    if (post < 0).any():
        raise ImagestrataError(
            f"{plural(int((post < 0).sum()), 'row')} of posts have no 'post_id'."
        )
    topic = linked[level].astype("Int64")
    if level == "theme" and "cluster" in linked:
        # Images of the residual have no theme.
        topic = topic.mask(topic.isna() & linked["cluster"].notna(), -1)
    topics = _topics(linked, topic, level, wanted)
    data = _variables(linked, right, env, time, time_zone)
    constant = {author: linked[author], **data}
    if weights is not None:
        constant[weights] = _weights(linked, weights)
    for name, column in constant.items():
        _check_in_post(column, name, linked["post_id"], post)
    known = topic.notna()
    first = np.flatnonzero(known & ~post.where(known).duplicated())
    lacks = {name: column.isna() for name, column in constant.items()}
    complete = ~np.logical_or.reduce([lack.to_numpy()[first] for lack in lacks.values()])
    n_left_out = _tell_left_out(lacks, first, int(post.nunique()))
    rows = first[complete]
    place = pd.Series(np.arange(len(rows)), index=post.iloc[rows].to_numpy())
    pairs = pd.DataFrame(
        {
            "post": post.map(place),
            "topic": pd.Index(topics[level]).get_indexer(topic.fillna(-(2**40)).astype("int64")),
        }
    )
    pairs = pairs[(pairs["topic"] >= 0) & pairs["post"].notna()].drop_duplicates().astype("int64")
    groups = {key: part.to_numpy() for key, part in pairs.groupby("topic")["post"]}
    shown = [groups.get(place, np.zeros(0, dtype=np.int64)) for place in range(len(topics))]
    weight = np.ones(len(rows))
    if weights is not None:
        weight = constant[weights].to_numpy(dtype=float)[rows]
    by = linked[author].iloc[rows].astype(str).reset_index(drop=True)
    weight = weight / weight.mean()
    topics["n_posts"] = [len(posts) for posts in shown]
    topics["n_authors"] = [by.iloc[posts].nunique() for posts in shown]
    topics["share"] = [weight[posts].sum() / weight.sum() for posts in shown]
    return Posts(
        _prepare({name: column.iloc[rows] for name, column in data.items()}, len(rows)),
        linked["post_id"].iloc[rows].reset_index(drop=True), by, weight, topics, shown, n_left_out,
    )  # fmt: skip


def _topics(
    linked: pd.DataFrame, topic: pd.Series[Any], level: str, wanted: list[Any] | None
) -> pd.DataFrame:
    """The number and name of each topic that is modelled; the residual is the last."""
    name = f"{level}_name"
    names = linked[name] if name in linked else pd.Series(None, linked.index, dtype="str")
    table = pd.DataFrame({level: topic, name: names.astype("str")})
    table = table.dropna(subset=level).drop_duplicates(level).astype({level: "int64"})
    if table.empty:
        raise ImagestrataError(f"No row of {arg('linked')} has a {level}.")
    table = table.sort_values(level, key=lambda number: number.where(number != -1, np.inf))
    table = table.reset_index(drop=True)
    if wanted is None:
        return table
    return table.iloc[pick_topics(table, wanted)].reset_index(drop=True)


def pick_topics(topics: pd.DataFrame, wanted: Any) -> list[int]:
    """The rows of topics that are given by their numbers or names; all of them if None."""
    if wanted is None:
        return list(range(len(topics)))
    listed = [wanted] if isinstance(wanted, str | int | np.integer) else list(wanted)
    numbers, names = topics.iloc[:, 0].tolist(), topics.iloc[:, 1].tolist()
    places = []
    for one in dict.fromkeys(listed):
        known = names if isinstance(one, str) else numbers
        if one not in known:
            shown = ", ".join(quote(k) for k in known if not pd.isna(k))
            raise ImagestrataError(
                f"There is no {topics.columns[0]} {quote(one)}.", f"There are {shown}."
            )
        places.append(known.index(one))
    return places


def _variables(
    linked: pd.DataFrame, right: str, env: Any, time: str, time_zone: str
) -> dict[str, pd.Series[Any]]:
    """The columns that the formula names, and periods made from times."""
    try:
        desc = patsy.ModelDesc.from_formula(right)
    except (patsy.PatsyError, SyntaxError) as error:
        raise ImagestrataError(f"{arg('formula')} cannot be read: {error}") from None
    names: list[str] = []
    for term in desc.rhs_termlist:
        for factor in term.factors:
            names += sorted(names_in(factor.code), key=factor.code.index)
    data = {}
    for name in dict.fromkeys(names):
        if name in linked:
            data[name] = linked[name]
        elif name in _PERIODS and time in linked:
            data[name] = _period(linked[time], name, time, time_zone)
        elif name in FUNCTIONS or name in env.namespace:
            continue
        else:
            hint = f"Its columns are {', '.join(map(str, linked))}."
            if name in _PERIODS:
                hint = (
                    f"It would be made from times, but there is no column {quote(time)}: name it "
                    f"in {arg('time')}."
                )
            raise ImagestrataError(
                f"{arg('formula')} has {quote(name)}, which is not a column of {arg('linked')}.",
                hint,
            )
    return data


def _period(column: pd.Series[Any], name: str, time: str, time_zone: str) -> pd.Series[Any]:
    """The first day of the period of each time."""
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        raise ImagestrataError(
            f"{quote(time)} must be times, not {column.dtype}.",
            f"{verb('read_posts')} makes times from text.",
        )
    zoned = column.dt.tz_localize("UTC") if column.dt.tz is None else column
    try:
        local = zoned.dt.tz_convert(time_zone).dt.tz_localize(None)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise ImagestrataError(
            f"{arg('time_zone')} must be the name of a time zone, not {quote(time_zone)}.",
            "For example UTC, Europe/Berlin or America/New_York.",
        ) from None
    starts: pd.Series[Any] = local.dt.to_period(_PERIODS[name]).dt.start_time
    return starts


def _weights(linked: pd.DataFrame, weights: str) -> pd.Series[Any]:
    if weights not in linked or not pd.api.types.is_numeric_dtype(linked[weights].dtype):
        raise ImagestrataError(
            f"{arg('weights')} must be a column of positive numbers of {arg('linked')}, not "
            f"{quote(weights)}."
        )
    wrong = linked[weights][(linked[weights] <= 0) | np.isinf(linked[weights].astype(float))]
    if len(wrong):
        raise ImagestrataError(
            f"{arg('weights')} must be a column of positive numbers, but {quote(weights)} has "
            f"{quote(wrong.iloc[0])}."
        )
    return linked[weights]


def _check_in_post(
    column: pd.Series[Any], name: str, post_id: pd.Series[Any], post: pd.Series[Any]
) -> None:
    """A covariate of a post has one value."""
    try:
        value = pd.Series(pd.factorize(column)[0])
    except TypeError:
        raise ImagestrataError(f"{quote(name)} must be one value per post, not a list.") from None
    differs = value != value.groupby(post).transform("first")
    if differs.any():
        one = post_id[differs].iloc[0]
        seen = ", ".join(map(str, column[post_id == one].drop_duplicates()))
        raise ImagestrataError(
            f"{quote(name)} must be the same in all rows of a post, but post {quote(one)} has "
            f"{seen}.",
            "Covariates describe posts, not images. Summarise columns of images first, for "
            "instance by their mean.",
        )


def _tell_left_out(lacks: dict[str, pd.Series[Any]], first: Ints, n_posts: int) -> int:
    """Report posts that are left out, and return their number."""
    missing = {name: int(lack.to_numpy()[first].sum()) for name, lack in lacks.items()}
    n_out = int(np.logical_or.reduce([lack.to_numpy()[first] for lack in lacks.values()]).sum())
    n_unknown = n_posts - len(first)
    parts = [f"{n_unknown:,} without a known image"] if n_unknown else []
    parts += [f"{n:,} without {quote(name)}" for name, n in missing.items() if n]
    if n_unknown + n_out == n_posts:
        raise ImagestrataError(f"None of {n_posts:,} posts is complete: {', '.join(parts)}.")
    if parts:
        warn(
            f"{n_unknown + n_out:,} of {plural(n_posts, 'post')} are left out: {', '.join(parts)}."
        )
    return n_unknown + n_out


def _plain_type(column: pd.Series[Any]) -> type:
    return int if pd.api.types.is_integer_dtype(column.dtype) else float


def _prepare(data: dict[str, pd.Series[Any]], n: int) -> pd.DataFrame:
    """Text becomes a category, in the order of the alphabet."""
    prepared = {}
    for name, column in data.items():
        column = column.reset_index(drop=True)
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.cat.remove_unused_categories().cat.as_unordered()
        elif column.dtype == object or isinstance(column.dtype, pd.StringDtype):
            if column.map(lambda value: isinstance(value, bool | np.bool_)).all():
                column = column.astype(bool)
            else:
                column = column.astype(str)
                column = pd.Series(pd.Categorical(column, sorted(column.unique())))
        elif pd.api.types.is_bool_dtype(column.dtype):
            column = column.astype(bool)
        elif pd.api.types.is_numeric_dtype(column.dtype):
            column = pd.Series(column.to_numpy(dtype=_plain_type(column)))
        if column.nunique() < 2:
            raise ImagestrataError(
                f"{quote(name)} is {quote(column.iloc[0])} in all posts of the model.",
                f"Leave it out of {arg('formula')}.",
            )
        prepared[name] = column
    return pd.DataFrame(prepared, index=range(n))
