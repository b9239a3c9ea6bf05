"""Reading of ratings from our exports or any table of answers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..clustering.clustering import Clustering, check_clustering
from ..clustering.named import names_in
from ..errors import ImagestrataError, plural, warn
from ..sampling.assign import check_packets
from ..sampling.sample import follow
from ..tables import as_number, check_table, keep_given, typed
from ..validate import check_scale
from ..verbs import public
from ..wording import arg, quote, verb
from .answers import Asked, answered, once, read_tables, refuse
from .key import read_key
from .packets import EMOTIONS, check_items

_ASKED = Asked("image_id", "image", "rating", "rating", "respondent_id", ("item",), named=True)
#: Names of the columns that are read; further columns of users have other names.
_ROLES = ("respondent_id", "group", "packet_id", "image_id", "item", "rating")
_OF_SAMPLE = (
    "cluster", "stratum", "N_h", "n_h", "weight_corpus", "weight_cluster", "weight_share",
)  # fmt: skip
#: Columns that no file of answers has.
_JOINED = ("N_h", "n_h", "weight_corpus", "weight_cluster")


@public
def read_ratings(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | pd.DataFrame,
    sample: pd.DataFrame | None = None,
    *,
    clustering: Clustering | None = None,
    packets: pd.DataFrame | str | os.PathLike[str] | None = None,
    items: Sequence[str] | pd.DataFrame | None = None,
    columns: Mapping[str, str] | None = None,
    scale: tuple[float, float] = (0, 10),
    sep: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Read ratings, and join them to the sample.

    R's ``read_ratings()`` also reads exports of Qualtrics, and lists problems for which this
    function raises errors.

    Parameters
    ----------
    files : path, sequence of paths, or DataFrame
        Answers to exports of :func:`export_packets`: CSV files that pages saved or respondents
        filled in, exports of Label Studio (JSON), a folder of these; or such a table. A row is a
        rating, with the columns ``respondent_id``, ``image_id``, ``item`` and ``rating``, or an
        image, with a column for each item instead of the last two. With groups, there is also
        ``group`` or ``packet_id``. Columns are separated by commas, semicolons or tabs.
    sample : DataFrame, optional
        The result of :func:`sample_images`, whose clusters and weights are joined by
        ``image_id``. In ratings that were read before, they replace those of an earlier sample.
    clustering : Clustering, optional
        The clusters as :func:`edit_clusters` left them, if they were edited since the sample was
        drawn: the ratings get these clusters, their names, and weights that represent them.
        ``files`` can also be ratings that were read before the edits. See Notes.
    packets : DataFrame or path, optional
        The result of :func:`assign_annotators`, or the file ``...-key.csv`` beside the export:
        the group of each ``packet_id``, if the files have no groups.
    items : sequence of str or DataFrame, optional
        Items in the order of the results; as a table with the columns ``item`` and
        ``dimension``. By default the ten emotions in their three dimensions.
    columns : mapping of str to str, optional
        Names of columns in the files, such as ``{"respondent_id": "PID", "group": "party"}``, for
        ``respondent_id``, ``group``, ``packet_id``, ``image_id``, ``item`` and ``rating``. Columns
        that are not listed have these names. Other keys are further columns that are kept:
        ``{"age": "Q12"}``.
    scale : (float, float), default (0, 10)
        Lowest and highest rating that can be given.
    sep : str, optional
        Separator of the columns of CSV files; by default detected among commas, semicolons
        and tabs.
    encoding : str, optional
        Encoding of the files; by default that of the byte order mark, or UTF-8. Other text
        is read as Windows-1252, with a warning.

    Returns
    -------
    DataFrame
        One row per rating: ``respondent_id``, ``group`` (if known; with the categories of a
        given table), ``image_id``, ``cluster`` and its names, ``item`` and ``dimension``
        (categories in the order of ``items``), ``rating``, the weights of the sample, and
        further ``columns``.

    Raises
    ------
    ImagestrataError
        If files lack columns, if ratings are not numbers, are off the scale, have unknown
        items or images outside the sample, or contradict each other, or if a respondent is in
        two groups. The message has counts.

    Notes
    -----
    Without groups all respondents form one group, with a warning. A repeated rating counts
    once. Rows without a rating (skipped images) are left out, and a warning counts them.

    *After edits.* With ``clustering``, the sample keeps its strata and probabilities, and
    ``weight_cluster`` becomes ``weight_corpus`` divided by the size of the edited cluster: the
    weighted mean of a merged cluster is the stratified estimate, which is unbiased. If edits
    divided clusters from which images were drawn, or joined images that could not be drawn to them,
    an error says so: draw a new sample, in which images that are drawn again keep their ratings.
    """
    low, high = check_scale(scale)
    names = check_items(items)
    named = _check_columns(columns)
    wanted = [*_ROLES, *names, *named.values()]
    rated = [*names, named.get("rating", "rating")]
    sent = read_tables(files, wanted, sep=sep, encoding=encoding, numbers=rated)
    table = _answered([_long(_named(one, named), names) for one in sent])
    if "group" not in table and packets is not None:
        table["group"] = _groups(table, packets)
    if "group" not in table:
        warn(
            "There is no column 'group': all respondents are one group. If there are groups, add "
            f"the column, or give {arg('packets')}, which have the group of each 'packet_id'."
        )
    refuse(table, ~table["item"].isin(names), "are of unknown items", "item", "rating")
    numbers = as_number(table["rating"])
    refuse(table, numbers.isna(), "are not numbers", "rating", "rating")
    off = (numbers < low) | (numbers > high)
    refuse(table, off, f"are off the scale {low:g} to {high:g}", "rating", "rating")
    table["rating"] = numbers.astype(float)
    before = list(table)
    if sample is not None:
        table = _join(table, sample, clustering)
    elif clustering is not None:
        raise ImagestrataError(
            f"{arg('clustering')} needs the {arg('sample')} that was rated: its strata say which "
            "images the ratings represent.",
            f"Give what {verb('sample_images')} returned.",
        )
    own = [name for name in table if name not in (*before, *_OF_SAMPLE, *names_in(table))]
    own += [name for name in named if name not in _ROLES]
    table = once(table, _ASKED)
    _check_one_group(table)
    order = getattr(files, "dtypes", {}).get(named.get("group", "group"))
    if isinstance(order, pd.CategoricalDtype):
        table["group"] = pd.Categorical(table["group"], [str(name) for name in order.categories])
    _warn_of_unrated(set(table["item"]), names)
    table["item"] = pd.Categorical(table["item"], names)
    of_item = _dimensions(items, names)
    known = list(dict.fromkeys(filter(None, of_item.values())))
    table["dimension"] = pd.Categorical(table["item"].astype("str").map(of_item), known)
    named_clusters = names_in(table) if sample is not None else []
    first = ["respondent_id", "group", "image_id", "cluster", *named_clusters]
    first += ["item", "dimension", "rating"]
    kept = [name for name in dict.fromkeys((*first, *_OF_SAMPLE[1:], *own)) if name in table]
    result: pd.DataFrame = table[kept].reset_index(drop=True)
    return result


def _check_columns(columns: Any) -> dict[str, str]:
    """The checked names of columns, and their names in the files."""
    if columns is None:
        return {}
    texts = [*columns, *columns.values()] if isinstance(columns, Mapping) else [None]
    if not all(isinstance(text, str) and text for text in texts):
        raise ImagestrataError(
            f"{arg('columns')} must be a mapping of names to columns, not {quote(columns)}.",
            f"For example {arg('columns', {'respondent_id': 'PID', 'group': 'party'})}.",
        )
    return dict(columns)


def _named(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """The table with our names of columns; other columns of these names are removed."""
    for role, name in columns.items():
        if name not in table:
            there = ", ".join(quote(one) for one in table if one != "file")
            raise ImagestrataError(
                f"There is no column {quote(name)} for {quote(role)}; there are {there}.",
                f"Name the column with {arg('columns', {role: '...'})}.",
            )
    given = {role: table[name] for role, name in columns.items()}
    moved = [name for name in columns.values() if name not in columns]
    made = {
        role: values if role in _ROLES else typed(values.tolist()) for role, values in given.items()
    }
    return table.drop(columns=moved).assign(**made)


def _long(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """One row per rating, from tables with a column for each item."""
    there = [name for name in names if name in table]
    if "rating" in table or table.empty:
        return table
    if not there:
        seen = ", ".join(quote(one) for one in table if one != "file")
        raise ImagestrataError(
            "There is neither a column of ratings nor one that is called like an item "
            f"({', '.join(quote(name) for name in names)}).",
            f"There are {seen}: say which with {arg('columns')} or {arg('items')}.",
        )
    one = [name for name in table if name not in there]
    table = table.rename_axis("_row").reset_index()
    long = table.melt(["_row", *one], there, "item", "rating").sort_values("_row", kind="stable")
    return long.drop(columns="_row").reset_index(drop=True)


def _answered(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """The ratings; a warning counts images that were skipped."""
    table = answered(tables, _ASKED)
    n_rows = sum(map(len, tables))
    if len(table) < n_rows:
        warn(f"{n_rows - len(table)} of {plural(n_rows, 'row')} have no rating and are left out.")
    refuse(table, table["image_id"].fillna("") == "", "have no image", "item", "rating")
    return table


def _groups(table: pd.DataFrame, packets: Any) -> pd.Series[Any]:
    if "packet_id" not in table:
        raise ImagestrataError(
            "The ratings have neither a column 'group' nor 'packet_id', which joins them to "
            f"{arg('packets')}.",
            "Add one of the columns to the files.",
        )
    if not isinstance(packets, pd.DataFrame):
        packets = read_key(packets, ["packet_id", "group"], "packets", "assign_annotators")
    known = check_packets(packets).drop_duplicates("packet_id").set_index("packet_id")["group"]
    groups = table["packet_id"].map(known)
    refuse(table, groups.isna(), "are of unknown packets", "packet_id", "rating")
    return groups


def _join(table: pd.DataFrame, sample: pd.DataFrame, clustering: Clustering | None) -> pd.DataFrame:
    named = ("image_id", "cluster")
    sample = check_table("sample", sample, named, "sample_images", whole=("image_id",))
    if clustering is not None:
        sample = follow(sample, check_clustering(clustering))
    columns = [name for name in (*names_in(sample), *_OF_SAMPLE) if name in sample]
    known = sample.set_index("image_id")[columns]
    if known.index.has_duplicates:
        raise ImagestrataError("The sample has image ids more than once.")
    outside = ~table["image_id"].isin(known.index)
    bare = table["image_id"][outside].str.lstrip("0")
    hint = (
        f"{arg('sample')} has these ids with other leading zeros: read both with ids as text."
        if outside.any() and bare.isin(known.index.str.lstrip("0")).all()
        else f"Correct those rows in the file, or leave them out; {arg('sample')} has ids like "
        f"{quote(known.index[0])}."
    )
    refuse(table, outside, "are of images outside the sample", "image_id", "rating", hint)
    ours = known.reindex(table["image_id"])
    repeated = [name for name in columns if name in table and _same(table[name], ours[name])]
    if table.columns.isin(_JOINED).sum() == len(_JOINED):  # ratings that were read before
        repeated = [name for name in (*names_in(table), *_OF_SAMPLE) if name in table]
    own = keep_given(table.drop(columns=repeated), columns, "the sample")
    return own.join(known, on="image_id")


def _same(given: pd.Series[Any], ours: pd.Series[Any]) -> bool:
    """Whether a column has the same values as that of the sample."""
    if pd.api.types.is_numeric_dtype(ours):
        return bool((as_number(given).to_numpy() == ours.to_numpy()).all())
    return bool((given.astype(str).to_numpy() == ours.astype(str).to_numpy()).all())


def _check_one_group(table: pd.DataFrame) -> None:
    if "group" in table:
        several = table.groupby("respondent_id")["group"].nunique() > 1
        if several.any():
            raise ImagestrataError(
                f"{plural(int(several.sum()), 'respondent is', 'respondents are')} in more than "
                f"one group, {quote(several.index[several][0])} for one.",
                "If two surveys use the same ids for different people, make the ids different.",
            )


def _warn_of_unrated(rated: set[str], names: list[str]) -> None:
    """Warn about items without ratings, which often have another name in the survey."""
    absent = [name for name in names if name not in rated]
    if rated and absent:
        warn(
            f"{len(absent)} of {plural(len(names), 'item')} have no ratings: "
            f"{', '.join(quote(name) for name in absent)}. The other items alone decide the means "
            f"of their dimensions. Name the items of the survey as {arg('items')}."
        )


def _dimensions(items: Any, names: list[str]) -> dict[str, str | None]:
    if items is None:
        return dict(EMOTIONS)
    if isinstance(items, pd.DataFrame) and "dimension" in items:
        return dict(zip(names, items["dimension"], strict=True))
    return dict.fromkeys(names)
