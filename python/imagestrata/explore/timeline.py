"""Posts on the page of a clustering: when they show which images."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.linked import check_linked, known_rows
from ..errors import ImagestrataError, plural
from ..posts.times import read_times
from ..validate import check_text
from ..wording import arg, quote, verb

#: The most groups that a page lets people choose from.
MOST_GROUPS = 50

_NO_GROUP = "(none)"
#: The day of an unknown time.
_UNKNOWN = np.iinfo(np.int64).min


def posts_content(
    posts: Any,
    images: pd.DataFrame,
    rows: NDArray[np.int64],
    numbers: list[int],
    *,
    time: Any,
    by: Any,
    author: Any,
) -> dict[str, Any]:
    """The data of posts on the page.

    Parameters
    ----------
    posts : DataFrame
        Linked posts.
    images : DataFrame
        All images of the clustering, in the order of the page.
    rows : array
        The images that are on the page.
    numbers : list of int
        The clusters in the order of the page, with the residual.
    time, by, author : str or None
        Columns of the posts.

    Returns
    -------
    dict
        Posts by time, as base64 of 32-bit numbers, lowest byte first: the day of each, counted from
        the ``first`` (from 1; 0 is unknown), its number of images, and the places of these. The
        first day is counted from 1970. An image that is not on the page has the place of its
        cluster, after the images.
    """
    linked = check_linked("posts", posts)
    for name, column in (("time", time), ("by", by), ("author", author)):
        check_text(name, column)
        if column is not None and column not in linked:
            raise ImagestrataError(
                f"{arg('posts')} has no column {quote(column)}; it has "
                f"{', '.join(map(str, linked))}.",
                f"Name its column in {arg(name)}"
                + (f", or use {arg('time', None)}." if name == "time" else "."),
            )
    shown = known_rows(linked, images["image_id"], "posts").drop_duplicates(["post_id", "image_id"])
    post, ids = pd.factorize(shown["post_id"])
    firsts = np.unique(post, return_index=True)[1]
    for name, column in (("time", time), ("by", by), ("author", author)):
        if column is not None:
            _check_one_value(shown[column], post, firsts, name, column)
    whole = shown.iloc[firsts]
    days = _days(whole[time], time) if time is not None else np.zeros(len(ids), dtype=np.int64)
    known = days > _UNKNOWN
    first = int(days[known].min()) if time is not None and known.any() else 0
    days = np.where(known, days - first + 1, 0) if time is not None else days
    order = np.argsort(days, kind="stable")
    whole = whole.iloc[order]

    place = np.full(len(images), -1)
    place[rows] = np.arange(len(rows))
    cluster = pd.Index(numbers).get_indexer(pd.Index(images["cluster"]))
    place = np.where(place < 0, len(rows) + cluster, place)
    row = pd.Index(images["image_id"]).get_indexer(pd.Index(shown["image_id"]))
    post = np.argsort(order)[post]
    by_post = np.argsort(post, kind="stable")
    content: dict[str, Any] = {
        "n": len(ids),
        "unlinked": linked["post_id"].nunique() - len(ids),
        "first": first,
        "days": _packed(days[order]),
        "counts": _packed(np.bincount(post, minlength=len(ids))),
        "images": _packed(place[row[by_post]]),
        "timed": time is not None,
    }
    if by is not None:
        content["groups"] = {"name": by} | _coded(whole[by], _NO_GROUP)
        n = len(content["groups"]["values"])
        if n > MOST_GROUPS:
            raise ImagestrataError(
                f"The column {quote(by)} of {arg('posts')} has {n:,} values; the page has at most "
                f"{MOST_GROUPS} groups.",
                f"Name a column with fewer values in {arg('by')}.",
            )
    if author is not None:
        content["authors"] = _coded(whole[author])
    return content


def _check_one_value(
    values: pd.Series[Any], post: Any, firsts: Any, name: str, column: str
) -> None:
    """Raise an error unless each post has one value."""
    codes = pd.factorize(values)[0]
    several = len(np.unique(post[codes != codes[firsts][post]]))
    if several:
        raise ImagestrataError(
            f"{plural(several, 'post has', 'posts have')} several values in the column "
            f"{quote(column)}, which must be one of posts.",
            f"Name another column in {arg(name)}.",
        )


def _days(times: pd.Series[Any], name: str) -> NDArray[np.int64]:
    """Days since 1970 in UTC; the smallest number if the time is unknown."""
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        found = times
    elif pd.api.types.is_datetime64_dtype(times):
        found = times.dt.tz_localize("UTC")
    else:
        found = read_times(times, "UTC")
    if times.notna().any() and not found.notna().any():
        raise ImagestrataError(
            f"The column {quote(name)} of {arg('posts')} has no time; it has values such as "
            f"{quote(str(times.dropna().iloc[0]))}.",
            f"Give times, such as {verb('read_posts')} reads, or name another column in "
            f"{arg('time')}.",
        )
    utc = found.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    days: NDArray[np.int64] = utc.astype("datetime64[D]").astype(np.int64)
    return days


def _coded(values: pd.Series[Any], missing: str | None = None) -> dict[str, Any]:
    """Distinct values as texts, the most frequent first, and the place (from 1) of each.

    Missing values have the place 0, or are called ``missing``.
    """
    codes, distinct = pd.factorize(values)
    texts = [str(value) for value in distinct]
    if missing is not None and (codes < 0).any():
        codes, texts = np.where(codes < 0, len(texts), codes), [*texts, missing]
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    order = sorted(range(len(texts)), key=lambda at: (-counts[at], texts[at]))
    places = np.empty(len(texts) + 1, dtype=np.int64)
    places[order], places[-1] = np.arange(1, len(texts) + 1), 0
    return {"values": [texts[at] for at in order], "of": _packed(places[codes])}


def _packed(numbers: Any) -> str:
    return base64.b64encode(np.asarray(numbers).astype("<u4").tobytes()).decode()
