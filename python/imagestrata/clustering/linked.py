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


def n_posts_of(linked: pd.DataFrame, image_ids: pd.Series[Any], name: str) -> pd.Series[Any]:
    """The number of linked posts that show each image: 0 for images that none shows.

    Parameters
    ----------
    linked : DataFrame
        The result of :func:`check_linked`.
    image_ids : Series of str
    name : str
        The argument of the posts, for messages.
    """
    shown = linked.dropna(subset="image_id")
    counts = shown.groupby("image_id")["post_id"].nunique()
    unknown = counts.index[~counts.index.isin(image_ids)]
    if len(unknown) == len(counts):
        example = f", such as {quote(unknown[0])}" if len(unknown) else ""
        raise ImagestrataError(
            f"{arg(name)} shows no image of the clustering; it has "
            f"{plural(len(counts), 'image')}{example}.",
            f"Link the posts to this clustering with {verb('link_posts')}.",
        )
    if len(unknown):
        warn(
            f"{plural(len(unknown), 'image')} of {plural(len(counts), 'image')} that {arg(name)} "
            f"shows are not in the clustering, {quote(unknown[0])} for one: they are left out.",
            f"Link the posts to this clustering with {verb('link_posts')}.",
        )
    return counts.reindex(image_ids).fillna(0).astype("int64").set_axis(image_ids.index)
