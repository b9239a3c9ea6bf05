"""Linked posts, of :func:`imagestrata.link_posts`: how many show each image."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..tables import check_table, id_texts
from ..verbs import PRODUCTS, check_product
from ..wording import arg, quote, verb


def is_linked(posts: pd.DataFrame) -> bool:
    """Whether a table of posts was linked."""
    return PRODUCTS["linked posts"].columns <= {*posts.columns}


def check_linked(name: str, linked: Any) -> pd.DataFrame:
    """Check that a table is one of linked posts, and return it with ids as text."""
    check_product(name, linked, ("linked posts",))
    table = check_table(name, linked, ("post_id", "image_id"), "link_posts", whole=("post_id",))
    return table.assign(post_id=id_texts(table["post_id"], "post_id"))


def known_rows(linked: pd.DataFrame, image_ids: pd.Series[Any], name: str) -> pd.DataFrame:
    """The rows of linked posts that show images of a clustering.

    Parameters
    ----------
    linked : DataFrame
        The result of :func:`check_linked`.
    image_ids : Series of str
    name : str
        The argument of the posts, for messages.
    """
    shown = linked.dropna(subset="image_id")
    known = shown["image_id"].isin(image_ids)
    lost, n = shown["image_id"][~known].unique(), shown["image_id"].nunique()
    if len(lost) == n:
        example = f", such as {quote(lost[0])}" if n else ""
        raise ImagestrataError(
            f"{arg(name)} shows no image of the clustering; it has {plural(n, 'image')}{example}.",
            f"Link the posts to this clustering with {verb('link_posts')}.",
        )
    if len(lost):
        warn(
            f"{len(lost):,} of {plural(n, 'image')} that {arg(name)} shows are not in the "
            f"clustering, {quote(lost[0])} for one: they are left out.",
            f"Link the posts to this clustering with {verb('link_posts')}.",
        )
    return shown[known]


def n_posts_of(linked: pd.DataFrame, image_ids: pd.Series[Any], name: str) -> pd.Series[Any]:
    """The number of linked posts that show each image: 0 for images that none shows."""
    counts = known_rows(linked, image_ids, name).groupby("image_id")["post_id"].nunique()
    return counts.reindex(image_ids).fillna(0).astype("int64").set_axis(image_ids.index)
