"""From ratings and from several people's labels to labels that a network can learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError
from ..validate import check_choice, check_float, columns_of
from ..wording import arg, quote

COMBINE_RULES = ("majority", "any", "mean")


def label_ratings(
    ratings: pd.DataFrame,
    *,
    items: Sequence[str] | None = None,
    at_least: float = 3.0,
    margin: float = 3.0,
) -> pd.DataFrame:
    """Clear positives and negatives from ratings of what images evoke.

    Parameters
    ----------
    ratings : DataFrame
        A row per image, or several (one per annotator, of which means are taken), with
        a column ``image_id`` or ``path`` and one column per item, say per emotion, rated
        from 0 (not at all) upwards.
    items : str or sequence of str, optional
        The columns with ratings; by default all but ``image_id``, ``path`` and
        ``annotator``.
    at_least, margin : float, default 3
        An image is a positive of the item with the highest mean if that is at least
        ``at_least`` and beats the second by at least ``margin``, on a scale from 0 to 10
        (*Images as Data*, section 7.3).

    Returns
    -------
    DataFrame
        A row per image: ``image_id`` or ``path``, then per item 1 (a clear positive), 0
        (a negative: all items are 0) or nothing, which is what :func:`fine_tune` takes.
        ``attrs["counts"]`` says for each item how many images are ``positive``,
        ``negative``, and dropped since ``weak`` (highest, but below ``at_least``) or
        ``unclear`` (highest, but too close to the second), which together are those of
        Figure 7.2; ``attrs["incomplete"]`` counts images without ratings of every item.

    Raises
    ------
    ImagestrataError
        If there is no column that names images, or an item is not a column of numbers
        of 0 or more.

    Notes
    -----
    A clear positive of one item is left out, not negative, for all others, as in the
    source: there, negatives are images that evoke nothing. (The source then draws as
    many negatives as there are positives; ``class_weights=True`` of :func:`fine_tune`
    does without throwing images away.)
    """
    at_least = check_float("at_least", at_least, minimum=0)
    margin = check_float("margin", margin, minimum=0)
    means = mean_ratings(ratings, items)
    names = list(means.columns)
    values = means.to_numpy(dtype=float)
    ranked = np.sort(values, axis=1)
    second = ranked[:, -2] if len(names) > 1 else np.zeros(len(values))
    highest = np.arange(len(names)) == values.argmax(axis=1)[:, None]
    evokes = values.max(axis=1) > 0
    strong = values.max(axis=1) >= at_least
    clear = values.max(axis=1) - second >= margin
    top = highest & evokes[:, None]
    positive = top & (strong & clear)[:, None]
    labels = np.where(positive, 1.0, np.where(evokes[:, None], np.nan, 0.0))
    table: pd.DataFrame = pd.DataFrame(labels, index=means.index, columns=names).astype("Int64")
    table = table.loc[~evokes | positive.any(axis=1)].reset_index()
    table.attrs["counts"] = pd.DataFrame(
        {
            "item": names,
            "positive": positive.sum(axis=0),
            "negative": int((~evokes).sum()),
            "weak": (top & ~strong[:, None]).sum(axis=0),
            "unclear": (top & strong[:, None] & ~clear[:, None]).sum(axis=0),
        }
    )
    table.attrs["incomplete"] = int(ratings[means.index.name].nunique() - len(means))
    return table


def mean_ratings(ratings: pd.DataFrame, items: Sequence[str] | None) -> pd.DataFrame:
    """Mean rating of every item (columns) for every image (rows) that is rated for all."""
    key = _key(ratings)
    names = _rated(ratings, key, items)
    means: pd.DataFrame = ratings.groupby(key, sort=False)[names].mean().astype(float)
    complete = means.dropna()
    if complete.empty:
        raise ImagestrataError(
            f"None of {len(means)} images is rated for all of {len(names)} items.",
            "Fill in the missing ratings.",
        )
    return complete


def combine_labels(labels: pd.DataFrame, rule: str = "majority") -> pd.DataFrame:
    """One label per image from several annotators'.

    Parameters
    ----------
    labels : DataFrame
        A row per image and annotator: ``image_id`` or ``path``, any ``annotator``, and
        a column per label with 1, 0 or nothing.
    rule : {"majority", "any", "mean"}, default "majority"
        ``"majority"``: what more than half of the annotators say; a tie is dropped.
        ``"any"``: 1 if anybody says so. ``"mean"``: 1 if half or more say so.

    Returns
    -------
    DataFrame
        A row per image with each label as 1, 0 or nothing, in the order in which images
        first appear. ``attrs["counts"]`` says for each ``label`` how many images are
        ``positive``, ``negative``, ``tied`` (dropped) and ``unlabelled``, and on how
        many of them annotators were ``disputed``.

    Raises
    ------
    ImagestrataError
        If there is no column that names images, or a label is not 1, 0 or nothing.
    """
    key = _key(labels)
    check_choice("rule", rule, COMBINE_RULES)
    names = _rated(labels, key, None, most=1)
    means = labels.groupby(key, sort=False)[names].mean().astype(float)
    if rule == "any":
        decided = means.mask(means > 0, 1.0)
    else:
        decided = (means >= 0.5).astype(float).where(means.notna())
        if rule == "majority":
            decided = decided.mask(means == 0.5)
    counts = {
        "label": names,
        "positive": (decided == 1).sum().to_numpy(),
        "negative": (decided == 0).sum().to_numpy(),
        "tied": (decided.isna() & means.notna()).sum().to_numpy(),
        "unlabelled": means.isna().sum().to_numpy(),
        "disputed": ((means > 0) & (means < 1)).sum().to_numpy(),
    }
    table = decided.astype("Int64").dropna(how="all").reset_index()
    table.attrs["counts"] = pd.DataFrame(counts)
    return table


def _key(table: pd.DataFrame) -> str:
    if isinstance(table, pd.DataFrame):
        for name in ("image_id", "path"):
            if name in table:
                return name
    raise ImagestrataError(
        f"A table with a column 'image_id' or 'path' is expected; {columns_of(table)}."
    )


def _rated(
    table: pd.DataFrame, key: str, items: Sequence[str] | None, most: float = np.inf
) -> list[str]:
    """The columns with numbers from 0 to ``most``."""
    others = {"image_id", "path", "annotator"}
    if items is None:
        names = [name for name in table.columns if name not in others]
    else:
        names = [items] if isinstance(items, str) else list(items)
    absent = [name for name in names if name not in table]
    if absent or not names or table.empty:
        raise ImagestrataError(
            f"There is no column {quote(absent[0])}." if absent else "The table holds no ratings.",
            f"Columns are {', '.join(map(quote, table.columns))}.",
        )
    for name in names:
        numbers: pd.Series[Any] = pd.to_numeric(table[name], errors="coerce")
        whole = numbers.isin([0, 1]) if most == 1 else numbers >= 0
        odd = table[name][~whole & table[name].notna()]
        if len(odd):
            wanted = "1, 0 or nothing" if most == 1 else "numbers of 0 or more"
            raise ImagestrataError(
                f"The column {quote(name)} must hold {wanted}; {len(odd)} of {len(table)} rows "
                f"hold something else, {quote(odd.tolist()[0])} for one.",
                f"Name the columns of ratings as {arg('items')}, or drop those that are none."
                if most > 1
                else "Drop columns that are no labels.",
            )
    return names
