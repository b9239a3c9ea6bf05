"""Groups of images or of posts, and the weight of each image in each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.linked import check_linked
from ..clustering.named import names_in
from ..errors import ImagestrataError, plural, warn
from ..posts.design import cells_of, check_author, columns_by
from ..posts.times import check_zone
from ..tables import id_texts, known_texts, with_known_texts
from ..validate import check_choice, check_idle
from ..wording import arg, quote, verb
from .observed import Array, Observed

WEIGHTS = ("image", "post", "share")

#: Columns of results that no column of ``by`` may have the name of.
OURS = (
    "code", "label", "method", "estimate", "std_error", "df", "conf_low", "conf_high", "n_labelled",
    "n_predicted", "lambda", "image_id", "post_id", "term", "weight",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cells:
    """Groups of images.

    Attributes
    ----------
    table : DataFrame
        The columns of ``by``, one row per group.
    by : list of str
    cell, image, author : array
        One row per group, image (its place) and author. Without authors, the author is 0.
    count : array
        The weight of the image in the group; of posts, the number of posts of the author.
    authors : bool
        Whether posts are those of authors who were drawn.
    """

    table: pd.DataFrame
    by: list[str]
    cell: Array
    image: Array
    author: Array
    count: Array
    authors: bool

    def weights(self, number: int | None, n_images: int) -> Array:
        """The weight of every image in a group; None stands for all groups together."""
        rows = slice(None) if number is None else self.cell == number
        return np.bincount(self.image[rows], self.count[rows], n_images)


def group_images(
    observed: Observed,
    by: Any,
    weight: str,
    linked: Any,
    author: Any,
    time: Any,
    time_zone: Any,
) -> Cells:
    """Groups of the images, by columns of the clustering or of linked posts."""
    weight = check_choice("weight", weight, WEIGHTS)
    names = [] if by is None else [by] if isinstance(by, str) else list(by)
    wrong = [name for name in names if name in OURS]
    if wrong or len({*names}) < len(names):
        raise ImagestrataError(f"{arg('by')} must name groups of images or posts, not {quote(by)}.")
    if linked is None:
        if weight == "post":
            raise ImagestrataError(
                f"{arg('weight', 'post')} needs posts that show the images, as {arg('linked')}.",
                f"{verb('link_posts')} links posts to images.",
            )
        return _by_images(observed, names, weight)
    if weight == "share":
        raise ImagestrataError(
            f"{arg('weight', 'share')} counts copies in the corpus, not posts: with "
            f"{arg('linked')}, use {arg('weight', 'post')}."
        )
    if weight == "image" and not names:
        check_idle(
            f"without {arg('by')} or {arg('weight', 'post')}, since every image counts once",
            linked=(True, False),
        )
    return _by_posts(observed, names, weight, linked, author, time, time_zone)


def _by_images(observed: Observed, names: Sequence[str], weight: str) -> Cells:
    images = observed.images
    known = [str(name) for name in images if name not in ("image_id", "stratum")]
    absent = [name for name in names if name not in known]
    if absent:
        needs = observed.whole and not observed.placed
        raise ImagestrataError(
            f"{arg('by')} names the column {quote(absent[0])}, which is not known for every image.",
            f"Give the clustering as {arg('clustering')}: it has the clusters of all images."
            if needs
            else f"Known are {', '.join(map(quote, known))}. For columns of posts, give "
            f"{arg('linked')}.",
        )
    columns = with_known_texts(images[[*names]])
    _check_whole(columns)
    cell, table = cells_of(columns, {}, 1)
    if "cluster" in table or "theme" in table:
        table = _with_names(table, images)
    count = _shares(images) if weight == "share" else np.ones(len(images))
    place = np.arange(len(images))
    return Cells(table, [*names], cell, place, np.zeros(len(images), int), count, False)


def _check_whole(columns: pd.DataFrame) -> None:
    gaps = columns.isna().any(axis=1)
    if gaps.any():
        name = next(str(name) for name in columns if columns[name].isna().any())
        raise ImagestrataError(
            f"{plural(int(gaps.sum()), 'image has', 'images have')} no {quote(name)}.",
            'Give them a value of their own, such as "none".',
        )


def _with_names(table: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The groups with the names of their clusters or themes, the residual last."""
    for name in ("cluster", "theme"):
        of = f"{name}_name"
        if name in table and of in names_in(images) and of not in table:
            first = images.drop_duplicates(name).set_index(name)[of]
            place = [*table].index(name) + 1
            table.insert(place, of, first.reindex(table[name]).to_numpy())
    return table


def _shares(images: pd.DataFrame) -> Array:
    if "n_copies" in images:
        shares = pd.to_numeric(images["n_copies"], errors="coerce")
    elif {"weight_share", "weight_corpus"} <= {*images}:
        shares = images["weight_share"] / images["weight_corpus"]
    else:
        raise ImagestrataError(
            f"{arg('weight', 'share')} needs the column 'n_copies' of the clustering.",
            f"Give the clustering as {arg('clustering')}.",
        )
    if shares.isna().any() or (shares < 0).any():
        raise ImagestrataError("The column 'n_copies' must hold numbers, 0 or more.")
    return shares.to_numpy(float)


def _by_posts(
    observed: Observed,
    names: Sequence[str],
    weight: str,
    linked: Any,
    author: Any,
    time: Any,
    time_zone: Any,
) -> Cells:
    table = check_linked("linked", linked).reset_index(drop=True)
    columns, periods = columns_by(table, [*names], time, check_zone(time_zone))
    authors = weight == "post" and author is not None
    if authors:
        if not isinstance(author, str) or author not in table:
            raise ImagestrataError(
                f"{arg('linked')} has no column {quote(author)}; it has "
                f"{', '.join(map(quote, map(str, table)))}.",
                f"Name the column of those who post in {arg('author')}. With "
                f"{arg('author', None)}, intervals are about these posts only, not about others "
                "that these people might post.",
            )
        who, post = pd.factorize(table[author])[0], pd.factorize(table["post_id"])[0]
        check_author(table, post, who, author)
        columns = columns.assign(**{author: known_texts(table[author])})
    ids = table["image_id"].where(table["image_id"].notna())
    known = pd.Index(observed.images["image_id"]).get_indexer(id_texts(ids).fillna(""))
    if not observed.whole:
        raise ImagestrataError(
            f"Groups of posts need the images that the sample represents: give the clustering as "
            f"{arg('clustering')}."
        )
    _tell_unknown(table, known)
    lacks = columns.isna().any(axis=1).to_numpy()
    out = (known >= 0) & lacks
    if out.any():
        n = table["post_id"][out].nunique()
        which = [str(name) for name in columns if columns[name][known >= 0].isna().any()]
        warn(
            f"{plural(n, 'post is', 'posts are')} left out, since "
            f"{', '.join(map(quote, which))} {'is' if len(which) == 1 else 'are'} missing.",
            'To keep them, give them a value, such as "unknown".',
        )
    kept = (known >= 0) & ~lacks
    if not kept.any():
        raise ImagestrataError("No post with a value in each column shows a known image.")
    columns, known = columns[kept], known[kept]
    cell, cells = cells_of(columns[[*names]], periods, 1)
    rows = pd.DataFrame(
        {
            "cell": cell,
            "image": known,
            "post": pd.factorize(table["post_id"])[0][kept],
            "author": pd.factorize(columns[author])[0] if authors else 0,
        }
    ).drop_duplicates(["cell", "image", "post"])
    if weight == "image":
        rows = rows.drop_duplicates(["cell", "image"])
    counts = rows.groupby(["cell", "author", "image"], as_index=False).agg(n=("post", "size"))
    return Cells(
        cells, [*names], counts["cell"].to_numpy(), counts["image"].to_numpy(),
        counts["author"].to_numpy(), counts["n"].to_numpy(float), authors,
    )  # fmt: skip


def _tell_unknown(table: pd.DataFrame, known: Array) -> None:
    lost = (known < 0) & table["image_id"].notna().to_numpy()
    n, every = table["image_id"][lost].nunique(), table["image_id"].nunique()
    if n == every:
        raise ImagestrataError(
            f"{arg('linked')} shows none of the images that the sample represents.",
            f"Link the posts to the clustering that was sampled, with {verb('link_posts')}.",
        )
    if n:
        warn(
            f"{n:,} of {plural(every, 'image')} in {arg('linked')} are not among those that the "
            "sample represents: they are left out."
        )
