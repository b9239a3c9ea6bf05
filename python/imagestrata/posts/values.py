"""Values that images, posts or authors have, beside the clusters that they show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..clustering.clustering import Clustering
from ..clustering.copies import all_files, rows_of_images, scan_of
from ..corpus.scan import COLUMNS
from ..errors import ImagestrataError, plural, warn
from ..names import KEYS
from ..tables import id_texts, with_text_ids
from ..validate import check_choice
from ..wording import arg, kind_of, quote, verb
from .times import read_times

#: What can be counted, and the columns that identify it; an image is found by any of its names.
UNITS = {"image": "image_id", "post": "post_id", "author": "author"}

#: Divisions of time.
PERIODS = {"day": "D", "week": "W", "month": "M", "year": "Y"}


def check_unit(unit: Any, author: Any) -> tuple[str, str]:
    """The checked unit, and the column that identifies it."""
    unit = check_choice("unit", unit, tuple(UNITS))
    if not isinstance(author, str) or not author:
        raise ImagestrataError(
            f"{arg('author')} must be the name of the column of authors, not {quote(author)}."
        )
    return unit, author if unit == "author" else UNITS[unit]


def values_of_clusters(
    clustering: Clustering,
    table: pd.DataFrame | None,
    column: str,
    *,
    name: str,
    residual: str,
    unit: str,
    author: str,
    images: Any,
    period: str | None = None,
) -> pd.DataFrame:
    """The values of images in clusters, one row per row of the table and value.

    Parameters
    ----------
    clustering : Clustering
    table : DataFrame or None
        The column, and names of images or the result of :func:`link_posts`; None for the images
        of the clustering and their copies.
    column : str
        Every element of a cell that is a list or an array is a value.
    name : str
        The argument of the table, for messages.
    residual : {"drop", "together"}
        Whether images in no cluster are left out or form one group.
    unit, author : see :func:`cluster_metadata`
    images : see :func:`link_posts`
        The files among which copies are looked up.
    period : {"day", "week", "month", "year"}, optional
        The division of times; by default days, and texts are not read as times.

    Returns
    -------
    DataFrame
        ``unit`` (the id of what is counted), ``image_id``, ``cluster``, ``post`` (a number; rows
        without a post are one each), ``place`` in the cell, ``text``.
    """
    unit, key = check_unit(unit, author)
    period = None if period is None else check_choice("period", period, tuple(PERIODS))
    scan = scan_of(clustering, images)
    where = "the clustering's images" if table is None else arg(name)
    if table is None:
        table = _with_copies(clustering, scan, column)
    _check_table(table, column, key, where, name)
    table = _with_images(with_text_ids(table), where)
    hint = ""
    if scan is None:
        hint = (
            "The clustering has no run folder with a scan, in which copies are looked up: give the "
            f"result of {verb('scan_images')} as {arg('images')}."
        )
    rows = rows_of_images(clustering.images, table, where, all_files(clustering, scan), hint)
    table = table[rows >= 0].reset_index(drop=True)
    found = clustering.images[["image_id", "cluster"]].iloc[rows[rows >= 0]].reset_index(drop=True)
    found["unit"] = found["image_id"] if unit == "image" else id_texts(table[key], key)
    found["post"] = _posts(table)
    kept = found["cluster"] > 0 if residual == "drop" else pd.Series(True, found.index)
    kept &= _has_unit(found["unit"], key, where)
    texts = _texts(table.loc[kept, column], period, where)
    found = found.loc[texts.index].assign(text=texts.array)
    found["place"] = found.groupby(level=0).cumcount()
    found = found.reset_index(drop=True)
    if found.empty:
        one = "text" if name == "texts" else "value"
        raise ImagestrataError(
            f"The column {quote(column)} of {where} has no {one} for images in clusters: "
            f"{plural(int(kept.sum()), 'row')} of {len(kept):,} have such an image.",
            f"Name another {arg('column')}, or fill it in.",
        )
    return found


def _check_table(table: Any, column: str, key: str, where: str, name: str) -> None:
    if not isinstance(table, pd.DataFrame):
        raise ImagestrataError(
            f"{arg(name)} must be a table with image_id and a column of {name}, not "
            f"{kind_of(table)}."
        )
    listed = ", ".join(map(str, table.columns))
    absent = [] if column in table else [column]
    if not {*KEYS} & {*table}:
        absent = ["image_id", *absent]
    if absent:
        raise ImagestrataError(
            f"There is no column {quote(absent[0])} in {where}; there are {listed}.",
            f"Give the name of the column with the {name} as {arg('column')}, or a table as "
            f"{arg(name)}.",
        )
    if key != "image_id" and key not in table:
        raise ImagestrataError(
            f"To count {'posts' if key == 'post_id' else 'authors'}, {where} must have the column "
            f"{quote(key)}; there are {listed}.",
            f"Give the result of {verb('link_posts')} as {arg(name)}."
            if key == "post_id"
            else f"Name the column of authors in {arg('author')}.",
        )


def _with_images(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """The rows of linked posts that have an image; any other table as it is."""
    if not {"post_id", "image_id", "unmatched"} <= {*table}:
        return table
    lost = table["unmatched"].notna() | table["image_id"].isna()
    if lost.any():
        posts = table["post_id"]
        n_lost = posts.nunique() - posts[~lost].nunique()
        warn(
            f"{n_lost:,} of {plural(posts.nunique(), 'post')} in {where} show no image of the "
            f"clustering and are left out, as are {int(lost.sum()):,} of "
            f"{plural(len(table), 'row')}."
        )
    # Other columns may name other files: the links of the posts have been decided.
    return table[~lost].drop(columns=[key for key in KEYS if key != "image_id" and key in table])


def _with_copies(clustering: Clustering, scan: pd.DataFrame | None, column: str) -> pd.DataFrame:
    """The images of a clustering, and their copies if the column is as it was scanned."""
    own = with_text_ids(clustering.images)
    if scan is None or column not in own or column not in scan or column in COLUMNS:
        return own
    ours, theirs = (
        table.set_index("image_id")[column] for table in (own, scan[scan["status"] == "ok"])
    )
    both = ours.index.intersection(theirs.index)
    pair = [_texts(one.loc[both], None, "").groupby(level=0).agg(list) for one in (ours, theirs)]
    if not pair[0].equals(pair[1]):
        return own  # its values were changed since
    copies = scan[(scan["status"] == "duplicate") & scan["duplicate_of"].isin(own["image_id"])]
    return pd.concat([own, copies[[name for name in own if name in copies]]], ignore_index=True)


def _posts(table: pd.DataFrame) -> Any:
    """A number for each post; rows without a post have one each."""
    if "post_id" not in table:
        return np.arange(len(table))
    codes = pd.factorize(table["post_id"])[0]
    return np.where(codes < 0, len(table) + np.arange(len(table)), codes)


def _has_unit(ids: pd.Series[Any], key: str, where: str) -> pd.Series[bool]:
    lost = ids.isna() | (ids.str.strip() == "")
    if lost.any():
        warn(
            f"{int(lost.sum()):,} of {plural(len(ids), 'row')} of {where} have no {quote(key)} "
            "and are left out."
        )
    return ~lost


def _texts(column: pd.Series[Any], period: str | None, where: str) -> pd.Series[Any]:
    """The values of a column as text, those in lists one by one, without missing ones."""
    if column.dtype == object:
        column = column.explode()
    column = column.dropna()
    days = _times(column, period, where)
    if days is not None:
        column = _periods(days, period or "day")
    elif pd.api.types.is_float_dtype(column) and (column % 1 == 0).all():
        column = column.astype("int64")  # a missing value turns whole numbers into floats
    texts = column.astype("str")
    return texts[texts.str.strip() != ""]


def _times(column: pd.Series[Any], period: str | None, where: str) -> pd.Series[Any] | None:
    """The column as local times, if it has times."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    if isinstance(column.dtype, pd.ArrowDtype) and column.dtype.kind == "M":
        return column.astype("datetime64[us]")
    if pd.api.types.infer_dtype(column) in ("date", "datetime"):
        plain = column.map(lambda one: pd.Timestamp(one).tz_localize(None))
        return plain.astype("datetime64[us]")
    if period is None:
        return None
    times = read_times(column, "UTC")
    if times.isna().any():
        raise ImagestrataError(
            f"{arg('period')} needs times, but {int(times.isna().sum()):,} of "
            f"{plural(len(column), 'value')} in the column {quote(str(column.name))} of {where} "
            f"are not, {quote(column[times.isna()].iloc[0])} for one.",
            f"{verb('read_posts')} reads times; or use {arg('period', None)} for other values.",
        )
    return times


def _periods(times: pd.Series[Any], period: str) -> pd.Series[Any]:
    """The first day of each period, as text: 2024-01-31, 2024-01 or 2024."""
    local = times.dt.tz_localize(None).dt.to_period(PERIODS[period]).dt.start_time
    codes, known = pd.factorize(local)
    form = {"month": "%Y-%m", "year": "%Y"}.get(period, "%Y-%m-%d")
    return pd.Series(known.strftime(form).to_numpy()[codes], times.index, dtype="str")
