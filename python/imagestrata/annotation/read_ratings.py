"""Take ratings back: from our pages, or any table with one row per rating."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..sampling.assign import check_packets
from ..tables import as_number, keep_given, read_texts, with_text_ids
from ..validate import check_path, check_scale
from ..verbs import public
from ..wording import arg, quote, verb
from .survey import EMOTIONS, check_items

_NEEDED = ("respondent_id", "image_id", "item", "rating")
_OF_SAMPLE = ("cluster", "N_h", "n_h", "weight_corpus", "weight_cluster", "weight_share")


@public
def read_ratings(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | pd.DataFrame,
    sample: pd.DataFrame | None = None,
    *,
    packets: pd.DataFrame | None = None,
    items: Sequence[str] | pd.DataFrame | None = None,
    scale: tuple[float, float] = (0, 10),
    sep: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Read ratings with one row each, and join them to the sample.

    R's ``read_ratings()`` reads more: exports of Qualtrics and Label Studio, wide
    tables, columns by any name; and it lists problems where this one refuses them.

    Parameters
    ----------
    files : path, sequence of paths, or DataFrame
        CSV files that the pages of :func:`export_ratings_page` download, a folder of
        them, or tables with the columns ``respondent_id``, ``image_id``, ``item`` and
        ``rating``, and where there are groups ``group`` or ``packet_id``. Columns may
        be separated by commas, semicolons or tabs.
    sample : DataFrame, optional
        What :func:`sample_images` returned: its clusters and weights are joined by
        ``image_id``.
    packets : DataFrame, optional
        What :func:`assign_annotators` returned: says the group of each ``packet_id``
        where the files do not.
    items : sequence of str or DataFrame, optional
        Items in the order of the results; as a table with the columns ``item`` and
        ``dimension``. By default the ten emotions in their three dimensions.
    scale : (float, float), default (0, 10)
        Lowest and highest rating that can be given.
    sep : str, optional
        What separates the columns of CSV files; by default commas, semicolons or tabs,
        whichever fits.
    encoding : str, optional
        Encoding of the files; by default UTF-8, or what a byte order mark says. Other text
        is read as Windows-1252, with a warning.

    Returns
    -------
    DataFrame
        One row per rating: ``respondent_id``, ``group`` (where known; with the categories
        of a given table), ``image_id``,
        ``cluster``, ``item`` and ``dimension`` (categories in the order of ``items``),
        ``rating``, and the weights of the sample.

    Raises
    ------
    ImagestrataError
        If files lack columns, or ratings are no numbers, off the scale, of unknown
        items or of images outside the sample, contradict each other, or a respondent
        is in two groups. Always with counts.

    Notes
    -----
    Without groups all respondents are one, and a warning says so. The same rating given twice
    counts once. Rows without a rating (skipped images)
    are left out, and a warning counts them.
    """
    low, high = check_scale(scale)
    names = check_items(items)
    table = _read(files, sep, encoding)
    if "group" not in table and packets is not None:
        table["group"] = _groups(table, packets)
    if "group" not in table:
        warn(
            "There is no column 'group': all respondents are one group. If there are groups, add "
            f"the column, or give {arg('packets')}, by which 'packet_id' says the group."
        )
    order = getattr(files, "dtypes", {}).get("group")
    table = _answered(table)
    _refuse(table, ~table["item"].isin(names), "item", "are of unknown items")
    numbers = as_number(table["rating"])
    _refuse(table, numbers.isna(), "rating", "are no numbers")
    off = (numbers < low) | (numbers > high)
    _refuse(table, off, "rating", f"are off the scale {low:g} to {high:g}")
    table["rating"] = numbers.astype(float)
    before = list(table)
    if sample is not None:
        table = _join(table, sample)
    own = [name for name in table if name not in (*before, *_OF_SAMPLE)]
    table = _once(table)
    _check_one_group(table)
    if isinstance(order, pd.CategoricalDtype):
        table["group"] = pd.Categorical(table["group"], [str(name) for name in order.categories])
    _warn_of_unrated(set(table["item"]), names)
    table["item"] = pd.Categorical(table["item"], names)
    of_item = _dimensions(items, names)
    known = list(dict.fromkeys(filter(None, of_item.values())))
    table["dimension"] = pd.Categorical(table["item"].astype("str").map(of_item), known)
    columns = ["respondent_id", "group", "image_id", "cluster", "item", "dimension", "rating"]
    kept = [name for name in (*columns, *_OF_SAMPLE[1:], *own) if name in table]
    result: pd.DataFrame = table[kept].reset_index(drop=True)
    return result


def _read(files: Any, sep: str | None, encoding: str | None) -> pd.DataFrame:
    """All rows as text, with the file they come from."""
    if isinstance(files, pd.DataFrame):
        given = with_text_ids(files)
        rated = given.astype({"rating": object}) if "rating" in given else given
        tables = [rated.astype("str").where(rated.notna(), "").assign(file="the table")]
    else:
        if not isinstance(files, str | os.PathLike | Sequence):
            raise ImagestrataError(
                f"{arg('files')} must be files, a folder or a table, not {quote(files)}."
            )
        paths = [files] if isinstance(files, str | os.PathLike) else list(files)
        tables = [_read_file(path, sep, encoding) for given in paths for path in _inside(given)]
    if not tables:
        raise ImagestrataError(f"{arg('files')} is empty.", "Name the files with ratings.")
    for table in tables:
        missing = [name for name in _NEEDED if name not in table]
        if missing:
            there = ", ".join(str(name) for name in table if name != "file")
            raise ImagestrataError(
                f"{quote(table['file'].iloc[0] if len(table) else 'A file')} lacks the column "
                f"{quote(missing[0])}; it has {there}.",
                f"Rename the columns; {', '.join(_NEEDED)} are needed.",
            )
    return pd.concat(tables, ignore_index=True)


def _inside(path: Any) -> list[Path]:
    given = check_path("files", path)
    if not given.is_dir():
        return [given]
    found = sorted(p for p in given.iterdir() if p.suffix.lower() in (".csv", ".tsv"))
    if not found:
        raise ImagestrataError(f"{quote(given)} holds no file that ends in .csv or .tsv.")
    return found


def _read_file(path: Path, sep: str | None, encoding: str | None) -> pd.DataFrame:
    table = read_texts(path, (*_NEEDED, "group", "packet_id"), sep=sep, encoding=encoding)
    if "rating" in table and table.attrs["sep"] != ",":
        numbers = as_number(table["rating"], decimal_comma=True)
        table["rating"] = table["rating"].where(numbers.isna(), numbers.astype(str))
    return table.assign(file=str(path))


def _groups(table: pd.DataFrame, packets: pd.DataFrame) -> pd.Series[Any]:
    if "packet_id" not in table:
        raise ImagestrataError(
            "The ratings have neither a column 'group' nor 'packet_id', by which "
            f"{arg('packets')} could say the group."
        )
    known = check_packets(packets).drop_duplicates("packet_id").set_index("packet_id")["group"]
    groups = table["packet_id"].map(known)
    _refuse(table, groups.isna(), "packet_id", "are of unknown packets")
    return groups


def _answered(table: pd.DataFrame) -> pd.DataFrame:
    empty = table["rating"].str.strip().isin(["", "NA", "nan"])
    if empty.all():
        raise ImagestrataError(f"There is no rating in {plural(len(table), 'row')}.")
    if empty.any():
        warn(f"{int(empty.sum())} of {plural(len(table), 'row')} have no rating and are left out.")
    table = table[~empty].copy()
    nameless = (table[["respondent_id", "image_id"]] == "").any(axis=1)
    _refuse(table, nameless, "item", "have no respondent or no image")
    return table


def _refuse(
    table: pd.DataFrame,
    wrong: pd.Series[bool],
    column: str,
    what: str,
    hint: str = "Correct those rows in the file, or leave them out.",
) -> None:
    if wrong.any():
        first = table[wrong].iloc[0]
        raise ImagestrataError(
            f"{int(wrong.sum())} of {plural(len(table), 'rating')} {what}: {quote(first[column])} "
            f"in {first['file']} for one.",
            hint,
        )


def _join(table: pd.DataFrame, sample: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(sample, pd.DataFrame) or "image_id" not in sample or "cluster" not in sample:
        raise ImagestrataError(
            f"{arg('sample')} must be a table as {verb('sample_images')} returns it."
        )
    columns = [name for name in _OF_SAMPLE if name in sample]
    known = with_text_ids(sample).set_index("image_id")[columns]
    if known.empty:
        raise ImagestrataError("The sample has no images.")
    if known.index.has_duplicates:
        raise ImagestrataError("The sample has image ids more than once.")
    outside = ~table["image_id"].isin(known.index)
    bare = table["image_id"][outside].str.lstrip("0")
    hint = (
        f"{arg('sample')} has them with other zeros in front: read both with ids as text."
        if outside.any() and bare.isin(known.index.str.lstrip("0")).all()
        else f"Correct those rows in the file, or leave them out; {arg('sample')} has ids like "
        f"{quote(known.index[0])}."
    )
    _refuse(table, outside, "image_id", "are of images outside the sample", hint)
    ours = known.reindex(table["image_id"])
    repeated = [name for name in columns if name in table and _same(table[name], ours[name])]
    own = keep_given(table.drop(columns=repeated), columns, "the sample", stacklevel=4)
    return own.join(known, on="image_id")


def _same(given: pd.Series[Any], ours: pd.Series[Any]) -> bool:
    """Whether a column says what the sample says, as that of packets does."""
    if pd.api.types.is_numeric_dtype(ours):
        return bool((as_number(given).to_numpy() == ours.to_numpy()).all())
    return bool((given.astype(str).to_numpy() == ours.astype(str).to_numpy()).all())


def _once(table: pd.DataFrame) -> pd.DataFrame:
    key = ["respondent_id", "image_id", "item"]
    table = table.drop_duplicates([*key, "rating"])
    _refuse(table, table.duplicated(key), "respondent_id", "contradict others of the same person")
    return table


def _check_one_group(table: pd.DataFrame) -> None:
    if "group" in table:
        several = table.groupby("respondent_id")["group"].nunique() > 1
        if several.any():
            raise ImagestrataError(
                f"{plural(int(several.sum()), 'respondent is', 'respondents are')} in more than "
                f"one group, {quote(several.index[several][0])} for one.",
                "If two surveys number their respondents alike, make the ids different first.",
            )


def _warn_of_unrated(rated: set[str], names: list[str]) -> None:
    """An item that the survey does not have is often one that it calls otherwise."""
    absent = [name for name in names if name not in rated]
    if rated and absent:
        warn(
            f"There are no ratings of {len(absent)} of {plural(len(names), 'item')}: "
            f"{', '.join(quote(name) for name in absent)}. Means of their dimensions are those of "
            f"the other items. {arg('items')} says which items there are."
        )


def _dimensions(items: Any, names: list[str]) -> dict[str, str | None]:
    if items is None:
        return dict(EMOTIONS)
    if isinstance(items, pd.DataFrame) and "dimension" in items:
        return dict(zip(names, items["dimension"], strict=True))
    return dict.fromkeys(names)
