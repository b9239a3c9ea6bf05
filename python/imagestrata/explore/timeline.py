"""Posts on the page of a clustering: when they show which images."""

from __future__ import annotations

import base64
from datetime import date
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
_EPOCH = date(1970, 1, 1).toordinal()


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
    whole = shown.drop_duplicates("post_id").reset_index(drop=True)
    for name, column in (("time", time), ("by", by), ("author", author)):
        several = 0
        if column not in (None, "post_id"):
            pairs = shown[["post_id", column]].drop_duplicates()
            several = int((pairs.groupby("post_id").size() > 1).sum())
        if several:
            raise ImagestrataError(
                f"{plural(several, 'post has', 'posts have')} several values in the column "
                f"{quote(column)}, which must be one of posts.",
                f"Name another column in {arg(name)}.",
            )
    days = _days(whole[time], time) if time is not None else pd.Series(0, whole.index)
    first = int(days[days > 0].min()) if (days > 0).any() else 0
    days = days.where(days == 0, days - first + 1)
    order = days.argsort(kind="stable")
    whole, days = whole.iloc[order].reset_index(drop=True), days.iloc[order]

    place = np.full(len(images), -1)
    place[rows] = np.arange(len(rows))
    cluster = pd.Index(numbers).get_indexer(pd.Index(images["cluster"]))
    place = np.where(place < 0, len(rows) + cluster, place)
    row = pd.Index(images["image_id"]).get_indexer(pd.Index(shown["image_id"]))
    post = pd.Index(whole["post_id"]).get_indexer(pd.Index(shown["post_id"]))
    by_post = np.argsort(post, kind="stable")
    content = {
        "n": len(whole),
        "unlinked": linked["post_id"].nunique() - len(whole),
        "first": first - _EPOCH,
        "days": _packed(days),
        "counts": _packed(np.bincount(post, minlength=len(whole))),
        "images": _packed(place[row[by_post]]),
        "timed": time is not None,
    }
    if by is not None:
        content["groups"] = {"name": by} | _coded(_group_texts(whole[by], by))
    if author is not None:
        content["authors"] = _coded(whole[author].astype("object").map(str, na_action="ignore"))
    return content


def _days(times: pd.Series[Any], name: str) -> pd.Series[Any]:
    """Days since 1 January of the year 1 in UTC, from 1; 0 if the time is unknown."""
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        found = times.dt.tz_convert("UTC")
    elif pd.api.types.is_datetime64_dtype(times):
        found = times
    else:
        found = read_times(times, "UTC")
    if times.notna().any() and not found.notna().any():
        raise ImagestrataError(
            f"The column {quote(name)} of {arg('posts')} has no time; it has values such as "
            f"{quote(str(times.dropna().iloc[0]))}.",
            f"Give times, such as {verb('read_posts')} reads, or name another column in "
            f"{arg('time')}.",
        )
    days = pd.Series([0 if pd.isna(one) else one.toordinal() for one in found.dt.date.unique()])
    codes = pd.factorize(found.dt.date, use_na_sentinel=False)[0]
    return pd.Series(days.to_numpy()[codes], dtype="int64")


def _group_texts(groups: pd.Series[Any], name: str) -> pd.Series[Any]:
    texts = groups.astype("object").map(str, na_action="ignore").fillna(_NO_GROUP)
    if texts.nunique() > MOST_GROUPS:
        raise ImagestrataError(
            f"The column {quote(name)} of {arg('posts')} has {texts.nunique():,} values; the page "
            f"has at most {MOST_GROUPS} groups.",
            f"Name a column with fewer values in {arg('by')}.",
        )
    return texts


def _coded(texts: pd.Series[Any]) -> dict[str, Any]:
    """Distinct texts, the most frequent first, and the place (from 1) of each; 0 is missing."""
    values = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    return {"values": [*values], "of": _packed(values.get_indexer(pd.Index(texts)) + 1)}


def _packed(numbers: Any) -> str:
    return base64.b64encode(np.asarray(numbers).astype("<u4").tobytes()).decode()
