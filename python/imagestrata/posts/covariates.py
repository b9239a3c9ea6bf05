"""Covariates, authors and topics of posts, from linked posts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural, warn
from ..regression.formula import FUNCTIONS, variables_in
from ..regression.matrix import prepare_covariates
from ..tables import known_texts
from ..wording import arg, quote
from .design import check_author, check_topics_linked, days_of, topics_of, topics_of_rows
from .times import check_zone
from .values import PERIODS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
    table = check_topics_linked(linked, level, author)
    topic = topics_of_rows(table, level)
    topics = topics_of(table, topic, level, linked.attrs.get("topics", []))
    if wanted is not None:
        topics = topics.iloc[pick_topics(topics, wanted)].reset_index(drop=True)
    post_codes = pd.factorize(table["post_id"])[0]
    check_author(table, post_codes, pd.factorize(table[author])[0], author)
    linked, post = table, pd.Series(post_codes)
    data = variables_of(linked, right, env, time, time_zone)
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
    _tell_partly(linked, post, known)
    rows = first[complete]
    place = pd.Series(np.arange(len(rows)), index=post.iloc[rows].to_numpy())
    pairs = pd.DataFrame(
        {
            "post": post.map(place),
            "topic": pd.Index(topics[level]).get_indexer(topic.astype(float)),
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
        prepare_covariates({name: column.iloc[rows] for name, column in data.items()}, len(rows)),
        linked["post_id"].iloc[rows].reset_index(drop=True), by, weight, topics, shown, n_left_out,
    )  # fmt: skip


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


def variables_of(
    linked: pd.DataFrame, right: str, env: Any, time: str, time_zone: str
) -> dict[str, pd.Series[Any]]:
    """The columns that the formula names, and periods made from times."""
    data = {}
    for name in variables_in(right):
        if name in linked:
            data[name] = known_texts(linked[name])
        elif name in PERIODS and time in linked:
            days = days_of(linked[time], time, check_zone(time_zone))
            data[name] = days.dt.to_period(PERIODS[name]).dt.start_time
        elif name in FUNCTIONS or name in env.namespace:
            continue
        else:
            hint = f"Its columns are {', '.join(map(str, linked))}."
            if name in PERIODS:
                hint = (
                    f"It would be made from times, but there is no column {quote(time)}: name it "
                    f"in {arg('time')}."
                )
            raise ImagestrataError(
                f"{arg('formula')} has {quote(name)}, which is not a column of {arg('linked')}.",
                hint,
            )
    return data


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


def _tell_partly(linked: pd.DataFrame, post: pd.Series[Any], known: pd.Series[Any]) -> None:
    """Report posts whose topics are known in part."""
    lost = ~known & (linked.get("unmatched", known) != "no image")
    n = len(np.intersect1d(post[known], post[lost]))
    if n:
        warn(
            f"{plural(n, 'post shows', 'posts show')} known images and images that are not in the "
            "clustering. The topics of the latter are not counted."
        )
