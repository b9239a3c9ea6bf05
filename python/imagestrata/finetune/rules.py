"""Make labels for training from ratings, or from the labels of several annotators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..names import KEYS
from ..validate import check_float, check_scale, columns_of
from ..verbs import public
from ..wording import arg, quote

#: Largest rounding error of means of ratings.
_ROUNDING = 1e-9


@public
def label_ratings(
    ratings: pd.DataFrame,
    *,
    items: Sequence[str] | None = None,
    scale: tuple[float, float] = (0, 10),
    at_least: float = 3.0,
    margin: float = 3.0,
) -> pd.DataFrame:
    """Convert ratings of images to labels: clear positives and negatives.

    Parameters
    ----------
    ratings : DataFrame
        Result of :func:`read_ratings`; or any table with one row per image, or per image and
        annotator, a column ``image_id`` or ``path``, and one column per item, such as an
        emotion. An image's rating of an item is the mean over all its annotators, in all
        groups.
    items : str or sequence of str, optional
        The items to compare. By default all items of :func:`read_ratings`, or all columns
        except ``image_id``, ``path`` and ``annotator``.
    scale : (float, float), default (0, 10)
        Lowest ("not at all") and highest possible rating.
    at_least, margin : float, default 3
        An image is a positive of the item with the highest mean if this mean is at least
        ``at_least`` points above the lowest rating, and at least ``margin`` points above the
        second (*Images as Data*, section 7.3, on a scale from 0 to 10).

    Returns
    -------
    DataFrame
        One row per image: ``image_id`` or ``path``, then for each item 1 (a clear positive), 0
        (a negative: all items have the lowest rating) or a missing value. You can give it to
        :func:`fine_tune`.
        ``attrs["counts"]`` has for each item the numbers of images that are ``positive``,
        ``negative``, ``weak`` (highest, but below ``at_least``; dropped) and ``unclear``
        (highest, but too close to the second; dropped), which together are those of Figure
        7.2. ``attrs["incomplete"]`` is the number of images without ratings of every item.

    Raises
    ------
    ImagestrataError
        If no column names the images, or ratings are not numbers on the scale.

    Warns
    -----
    ImagestrataWarning
        If no image has the lowest mean rating of all items, so that there are no negatives.
        Perhaps ratings began at 1, and the scale is ``(1, 10)``.

    Notes
    -----
    As in the source, a clear positive of one item has a missing label for all other items.
    Negatives are images that evoke nothing. (The source then draws as many negatives as there
    are positives; ``class_weights=True`` of :func:`fine_tune` balances them without dropping
    images.)
    """
    at_least = check_float("at_least", at_least, minimum=0)
    margin = check_float("margin", margin, minimum=0)
    low, high = check_scale(scale)
    means, n_images = mean_ratings(ratings, items, (low, high))
    names = list(means.columns)
    values = means.to_numpy(dtype=float)
    ranked = np.sort(values, axis=1)
    second = ranked[:, -2] if len(names) > 1 else np.zeros(len(values))
    highest = np.arange(len(names)) == values.argmax(axis=1)[:, None]
    evokes = values.max(axis=1) > 0
    # Means such as 19/3 and 10/3 are 3 apart, but not as floating-point numbers.
    strong = values.max(axis=1) >= at_least - _ROUNDING
    clear = values.max(axis=1) - second >= margin - _ROUNDING
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
    table.attrs["incomplete"] = n_images - len(means)
    if evokes.all():
        warn(
            f"None of {plural(len(means), 'image')} has the lowest rating, {low:g}, of all "
            "items, so that none is a negative.",
            f"If the scale is different, give it: {arg('scale', (1, 10))}.",
        )
    return table


def mean_ratings(
    ratings: pd.DataFrame, items: Sequence[str] | None, scale: tuple[float, float]
) -> tuple[pd.DataFrame, int]:
    """Return the mean of every item (columns) for every completely rated image (rows).

    Means are differences from the lowest rating of the scale. The second result is the number
    of all images.
    """
    key = _key(ratings)
    wide = _widened(ratings, key, items) if {"item", "rating"} <= {*ratings} else ratings
    names = _rated(wide, key, items, scale)
    numbers = wide[[key, *names]]
    means: pd.DataFrame = numbers.groupby(key, sort=False)[names].mean().astype(float) - scale[0]
    complete = means.dropna()
    if complete.empty:
        raise ImagestrataError(
            f"None of {plural(len(means), 'image')} is rated for all of "
            f"{plural(len(names), 'item')}.",
            f"Complete the missing ratings, or name fewer {arg('items')}.",
        )
    return complete, len(means)


def _widened(ratings: pd.DataFrame, key: str, items: Sequence[str] | None) -> pd.DataFrame:
    """Convert ratings with one row each, as :func:`read_ratings` returns, to a column per item."""
    item = ratings["item"]
    present = list(item.dropna().unique())
    if isinstance(item.dtype, pd.CategoricalDtype):
        present = [name for name in item.cat.categories if name in set(present)]
    wanted = present if items is None else [items] if isinstance(items, str) else list(items)
    absent = [name for name in wanted if name not in present]
    if absent:
        raise ImagestrataError(
            f"There are no ratings of {quote(absent[0])}.",
            f"Items are {', '.join(map(str, present))}.",
        )
    columns = {name: ratings["rating"].where(item == name) for name in wanted}
    return pd.DataFrame({key: ratings[key], **columns})


def combine_labels(labels: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Combine labels by one of the rules of :func:`consensus`."""
    key = _key(labels)
    names = _rated(labels, key, None, None)
    means = labels.groupby(key, sort=False)[names].mean().astype(float)
    if rule == "any":
        decided = means.mask(means > 0, 1.0)
    else:
        decided = (means >= 0.5).astype(float).where(means.notna())
    if rule in ("majority", "all"):
        decided = decided.mask(means == 0.5 if rule == "majority" else ~means.isin([0, 1]))
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
        for name in KEYS:
            if name in table:
                lost = int(table[name].isna().sum())
                if lost:
                    raise ImagestrataError(f"{lost} of {len(table)} rows have no {name}.")
                return name
    raise ImagestrataError(
        f"Give a table with a column 'image_id', 'path' or 'file'; {columns_of(table)}."
    )


def _rated(
    table: pd.DataFrame,
    key: str,
    items: Sequence[str] | None,
    scale: tuple[float, float] | None,
) -> list[str]:
    """Return the columns with numbers on the scale, or with 1 and 0 if there is no scale."""
    others = {*KEYS, "annotator"}
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
        whole = numbers.isin([0, 1]) if scale is None else numbers.between(*scale)
        odd = table[name][~whole & table[name].notna()]
        if len(odd):
            wanted = "1, 0 or empty cells"
            if scale is not None:
                wanted = f"numbers on the scale, {scale[0]:g} to {scale[1]:g}"
            raise ImagestrataError(
                f"The column {quote(name)} must hold {wanted}; {len(odd)} of "
                f"{plural(len(table), 'row')} hold something else, first {quote(odd.tolist()[0])}.",
                "Drop columns that are not labels."
                if scale is None
                else f"Name the columns of ratings as {arg('items')}, drop other columns, or give "
                f"another scale, such as {arg('scale', (0, 100))}.",
            )
    return names
