"""Reading of ratings from our exports or any table of answers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..clustering.clustering import Clustering, check_clustering
from ..clustering.named import names_in
from ..corpus.scan import COLUMNS
from ..errors import ImagestrataError, plural, warn
from ..sampling.assign import check_packets
from ..sampling.sample import follow
from ..tables import as_number, check_table, keep_given, typed, with_text_ids
from ..validate import check_scale
from ..verbs import public
from ..wording import arg, foreign, kind_of, quote, verb
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
#: Columns that are made here, or while files are read.
_MADE = ("dimension", "file")
#: What the steps before say of an image, and ratings need not.
_OF_IMAGES = (
    *COLUMNS, "file", "iteration", "silhouette", "distance", "second_cluster", "margin", "added",
    "cluster_found", "theme_found", "wave", "draw", "inclusion_probability",
)  # fmt: skip


@public
def read_ratings(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | pd.DataFrame,
    sample: pd.DataFrame | None = None,
    *,
    items: Sequence[str] | pd.DataFrame | None = None,
    packets: pd.DataFrame | str | os.PathLike[str] | None = None,
    respondents: pd.DataFrame | None = None,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    scale: tuple[float, float] = (0, 10),
    sep: str | None = None,
    encoding: str | None = None,
    clustering: Clustering | None = None,
) -> pd.DataFrame:
    """Read ratings, and join them to the sample.

    R's ``read_ratings()`` also reads exports of Qualtrics with one row per respondent, and lists
    problems for which this function raises errors.

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
        ``image_id``, and so are your own columns of it, such as who posted an image or when. In
        ratings that were read before, they replace those of an earlier sample.
    items : sequence of str or DataFrame, optional
        Items in the order of the results; as a table with the columns ``item`` and
        ``dimension``. By default the ten emotions in their three dimensions.
    packets : DataFrame or path, optional
        All packets, the result of :func:`assign_annotators`, or the file ``...-key.csv`` beside
        the export: the group of each ``packet_id``, if the files have no groups. Without
        ``packet_id`` in the files, the column ``respondent_id`` of ``packets`` says whose packet it
        is. ``packet_id`` and ``position`` are kept, and answers to other packets, or about images
        that a packet does not contain, are an error.
    respondents : DataFrame, optional
        A table with one row per respondent and the column ``respondent_id``: its other columns
        (age, survey weight, or the group if the files have none) are joined.
    columns : mapping of str to str, or sequence of str, optional
        Names of columns in the files, such as ``{"respondent_id": "PID", "group": "party"}``, for
        ``respondent_id``, ``group``, ``packet_id``, ``image_id``, ``item`` and ``rating``. Columns
        that are not listed have these names. Further columns of the survey are kept if you name
        them: ``{"age": "Q12"}``, or ``["age", "gender"]`` if they keep their names. Others are left
        out, since exports contain addresses and locations of respondents.
    scale : (float, float), default (0, 10)
        Lowest and highest rating that can be given.
    sep : str, optional
        Separator of the columns of CSV files; by default detected among commas, semicolons
        and tabs.
    encoding : str, optional
        Encoding of the files; by default that of the byte order mark, or UTF-8. Other text
        is read as Windows-1252, with a warning.
    clustering : Clustering, optional
        The clusters as :func:`edit_clusters` left them, if they were edited since the sample was
        drawn: the ratings get these clusters, their names, and weights that represent them.
        ``files`` can also be ratings that were read before the edits. See Notes.

    Returns
    -------
    DataFrame
        One row per rating: ``respondent_id``, ``group`` (if known; with the categories of a
        given table), ``image_id``, ``cluster`` and its names, ``item`` and ``dimension``
        (categories in the order of ``items``), ``rating``, the weights of the sample,
        ``packet_id`` (and ``position``, with ``packets``), and the further columns of the survey,
        of the respondents and of the sample.

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

    If the sample has a column of yours with the name of a column of the survey, such as ``group``,
    that of the sample gets the ending ``_of_image``, with a warning. If a table of respondents has
    a column that the ratings have already, both must say the same.

    *After edits.* With ``clustering``, the sample keeps its strata and probabilities, and
    ``weight_cluster`` becomes ``weight_corpus`` divided by the size of the edited cluster: the
    weighted mean of a merged cluster is the stratified estimate, which is unbiased. If edits
    divided clusters from which images were drawn, or joined images that could not be drawn to them,
    an error says so: draw a new sample, in which images that are drawn again keep their ratings.
    """
    low, high = check_scale(scale)
    names = check_items(items)
    named = _check_columns(columns)
    given = files.reset_index(drop=True) if isinstance(files, pd.DataFrame) else None
    before = given is not None and {*_JOINED} <= {*given}
    if given is not None and before:  # ratings that were read before keep all their columns
        taken = {*named, *named.values(), *_ROLES, *_OF_SAMPLE, *names_in(given), "dimension"}
        named = {**named, **{str(name): str(name) for name in given if name not in taken}}
    people = _check_respondents(respondents)
    wanted = [*_ROLES, *names, *named.values()]
    rated = [*names, named.get("rating", "rating")]
    sent = read_tables(files, wanted, sep=sep, encoding=encoding, numbers=rated)
    table = _answered([_long(_named(one, named, given), names) for one in sent])
    if packets is not None:
        table = _with_packets(table, _check_key(packets))
    if people is not None:
        table = _with_respondents(table, people, before)
    if "group" not in table:
        warn(
            "There is no column 'group': all respondents are one group. If there are groups, add "
            f"the column, or give {arg('packets')}, which have the group of each 'packet_id', or "
            f"{arg('respondents')}."
        )
    elif (unknown := table["group"].fillna("") == "").any():
        refuse(table, unknown, "have no group", "respondent_id", "rating")
    refuse(table, ~table["item"].isin(names), "are of unknown items", "item", "rating")
    numbers = as_number(table["rating"])
    refuse(table, numbers.isna(), "are not numbers", "rating", "rating")
    off = (numbers < low) | (numbers > high)
    refuse(table, off, f"are off the scale {low:g} to {high:g}", "rating", "rating")
    table["rating"] = numbers.astype(float)
    known_before = list(table)
    if sample is not None:
        table = _join(table, sample, clustering, before)
    elif clustering is not None:
        raise ImagestrataError(
            f"{arg('clustering')} needs the {arg('sample')} that was rated: its strata say which "
            "images the ratings represent.",
            f"Give what {verb('sample_images')} returned.",
        )
    own: list[Any] = [name for name in named if name not in _ROLES]
    own += [] if people is None else [*people.columns]
    own += [name for name in table if name not in (*known_before, *_OF_SAMPLE, *names_in(table))]
    table = once(table, _ASKED)
    _check_one_group(table)
    _order_groups(table, [given, people, packets], named)
    _warn_of_unrated(set(table["item"]), names)
    table["item"] = pd.Categorical(table["item"], names)
    of_item = _dimensions(items, names)
    known = list(dict.fromkeys(filter(None, of_item.values())))
    table["dimension"] = pd.Categorical(table["item"].astype("str").map(of_item), known)
    named_clusters = names_in(table) if sample is not None else []
    first = ["respondent_id", "group", "image_id", "cluster", *named_clusters]
    first += ["item", "dimension", "rating"]
    order = dict.fromkeys((*first, *_OF_SAMPLE[1:], "packet_id", "position", *own))
    with_place = {"position"} if packets is None and "position" not in own else set()
    result: pd.DataFrame = table[
        [name for name in order if name in table and name not in with_place]
    ].reset_index(drop=True)
    return result


def _check_columns(columns: Any) -> dict[str, str]:
    """The checked names of columns, and their names in the files."""
    if columns is None:
        return {}
    if isinstance(columns, Sequence) and not isinstance(columns, str):
        columns = {name: name for name in columns} if _all_text(columns) else None
    texts = [*columns, *columns.values()] if isinstance(columns, Mapping) else [None]
    if not _all_text(texts):
        raise ImagestrataError(
            f"{arg('columns')} must be names of columns, or a mapping of names to columns, not "
            f"{quote(columns)}.",
            f"For example {arg('columns', {'respondent_id': 'PID', 'group': 'party'})}.",
        )
    if made := [name for name in columns if name in _MADE]:
        raise ImagestrataError(
            f"{arg('columns')} has the name {quote(made[0])} of a column that this function makes.",
            f"Give the column another name, as in "
            f"{arg('columns', {f'my_{made[0]}': columns[made[0]]})}.",
        )
    return dict(columns)


def _all_text(names: Any) -> bool:
    return all(isinstance(name, str) and name for name in names)


def _check_respondents(respondents: Any) -> pd.DataFrame | None:
    """The table of respondents by their ids."""
    if respondents is None:
        return None
    if not isinstance(respondents, pd.DataFrame) or "respondent_id" not in respondents:
        seen = (
            f"; it has {', '.join(map(str, respondents))}"
            if isinstance(respondents, pd.DataFrame)
            else f", not {kind_of(respondents)}"
        )
        raise ImagestrataError(
            f"{arg('respondents')} must be a table with the column 'respondent_id'{seen}.",
            "It has one row per respondent; rename the column with their ids to 'respondent_id'.",
        )
    if respondents.empty:
        raise ImagestrataError(f"{arg('respondents')} has no rows.")
    lacking = respondents["respondent_id"].isna() | (respondents["respondent_id"] == "")
    if lacking.any():
        raise ImagestrataError(
            f"{plural(int(lacking.sum()), 'row')} of {arg('respondents')} "
            f"{'has' if lacking.sum() == 1 else 'have'} no 'respondent_id'."
        )
    table = with_text_ids(respondents)
    twice = table["respondent_id"][table["respondent_id"].duplicated()]
    if len(twice):
        raise ImagestrataError(
            f"{arg('respondents')} has {plural(twice.nunique(), 'respondent')} more than once, the "
            f"first {quote(twice.iloc[0])}.",
            "Keep one row for each respondent.",
        )
    ours = {"image_id", "item", "rating", "packet_id", "position", *_OF_SAMPLE, *_MADE}
    if clash := [str(name) for name in table if name in ours]:
        raise ImagestrataError(
            f"{arg('respondents')} has the column {quote(clash[0])}, which describes ratings or "
            "images.",
            "Rename or remove it.",
        )
    return table.set_index("respondent_id")


def _order_groups(table: pd.DataFrame, tables: Sequence[Any], named: Mapping[str, str]) -> None:
    """Groups as categories, in the order of the first of the tables that has one."""
    names = [named.get("group", "group"), "group", "group"]
    for given, name in zip(tables, names, strict=True):
        kind = getattr(given, "dtypes", {}).get(name)
        if "group" in table and isinstance(kind, pd.CategoricalDtype):
            order = [str(one) for one in kind.categories]
            if table["group"].isin(order).all():
                table["group"] = pd.Categorical(table["group"], order, ordered=kind.ordered)
                return


def _named(
    table: pd.DataFrame, columns: Mapping[str, str], given: pd.DataFrame | None
) -> pd.DataFrame:
    """The table with our names of columns; other columns of these names are removed.

    Columns of a ``given`` table keep their types.
    """
    for role, name in columns.items():
        if name not in table:
            there = ", ".join(quote(one) for one in table if one != "file")
            raise ImagestrataError(
                f"There is no column {quote(name)} for {quote(role)}; there are {there}.",
                f"Name the column with {arg('columns', {role: '...'})}.",
            )
    made = {
        role: table[name]
        if role in _ROLES
        else (typed(table[name].tolist()) if given is None else given[name].array)
        for role, name in columns.items()
    }
    moved = [name for name in columns.values() if name not in columns]
    return table.reset_index(drop=True).drop(columns=moved).assign(**made)


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
            f"This looks like an export of Qualtrics with one row per respondent, which "
            f"{foreign('read_ratings()')} of R reads. Here, give one row per respondent and image."
            if "ResponseId" in table
            else f"There are {seen}: say which with {arg('columns')} or {arg('items')}.",
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


def _check_key(packets: Any) -> pd.DataFrame:
    if not isinstance(packets, pd.DataFrame):
        packets = read_key(packets, ["packet_id", "group"], "packets", "assign_annotators")
    return check_packets(packets)


def _with_packets(table: pd.DataFrame, packets: pd.DataFrame) -> pd.DataFrame:
    """The ratings with the packet, the place and, if the files have none, the group."""
    pair = ["respondent_id", "image_id"]
    if "packet_id" not in table:
        known = packets.dropna(subset=["respondent_id"] if "respondent_id" in packets else None)
        if "respondent_id" not in packets or known.empty:
            raise ImagestrataError(
                f"The ratings have no column 'packet_id', which joins them to {arg('packets')}.",
                f"Name it with {arg('columns', {'packet_id': '...'})}, or add a column "
                f"'respondent_id' to {arg('packets')}, which says who got which packet.",
            )
        theirs = known.drop_duplicates(pair).set_index(pair)["packet_id"]
        table["packet_id"] = theirs.reindex(pd.MultiIndex.from_frame(table[pair])).to_numpy()
        refuse(
            table, table["packet_id"].isna(),
            "are about images that were in no packet of the respondent", "image_id", "rating",
        )  # fmt: skip
    of_packet = packets.drop_duplicates("packet_id").set_index("packet_id")["group"]
    groups = table["packet_id"].map(of_packet)
    refuse(
        table, groups.isna(), "are of unknown packets", "packet_id", "rating",
        f"Give {arg('packets')} all packets, also those of {verb('reassign')}.",
    )  # fmt: skip
    place = ["packet_id", "image_id"]
    held = packets.set_index(place)["position"]
    places = pd.MultiIndex.from_frame(table[place])
    outside = pd.Series(~places.isin(held.index), table.index)
    refuse(table, outside, "are about images that their packet lacks", "image_id", "rating")
    table["position"] = held.reindex(places).to_numpy()
    if "group" not in table:
        return table.assign(group=groups)
    differs = (table["group"] != groups) & (table["group"].fillna("") != "")
    if differs.any():
        first = table[differs].iloc[0]
        n = table["respondent_id"][differs].nunique()
        warn(
            f"{plural(n, 'respondent has', 'respondents have')} another group in the files than in "
            f"{arg('packets')}, the first {quote(first['respondent_id'])}: "
            f"{quote(first['group'])}, and {quote(groups[differs].iloc[0])} in the packet. The "
            "files count; remove or rename their column 'group' if packets should."
        )
    return table


def _with_respondents(table: pd.DataFrame, people: pd.DataFrame, before: bool) -> pd.DataFrame:
    """The ratings with the columns of their respondents."""
    ids = table["respondent_id"]
    absent = ids[~ids.isin(people.index)].unique()
    if len(absent) == ids.nunique():
        raise ImagestrataError(
            f"{arg('respondents')} has none of the {plural(len(absent), 'respondent')} in the "
            "files.",
            f"The files have ids like {quote(absent[0])}, and {arg('respondents')} like "
            f"{quote(people.index[0])}.",
        )
    if len(absent):
        warn(
            f"{plural(len(absent), 'respondent is', 'respondents are')} not in "
            f"{arg('respondents')}, the first {quote(absent[0])}: their columns are missing."
        )
    if n := int((~people.index.isin(ids)).sum()):
        warn(
            f"{n:,} of the {len(people):,} people in {arg('respondents')} "
            f"{'has' if n == 1 else 'have'} no rating."
        )
    theirs = people.reindex(ids).set_axis(table.index)
    for name in map(str, theirs):
        known = theirs[name]
        if name == "group":
            known = known.astype("str").where(known.notna(), None)
        held = table[name].fillna("").astype(str) != "" if name in table else known.isna() & False
        if not held.any() or (before and name != "group"):
            table[name] = known
            continue
        _check_same(table[held], name, known[held])
        if name == "group":
            table[name] = table[name].where(held, known)
    return table


def _check_same(table: pd.DataFrame, name: str, known: pd.Series[Any]) -> None:
    """Refuse a column of respondents that contradicts that of the files."""
    ours, theirs = table[name].astype(str), known.astype(str)
    differs = (ours != theirs) & (as_number(ours) != as_number(theirs)) & known.notna()
    if differs.any():
        n = table["respondent_id"][differs].nunique()
        raise ImagestrataError(
            f"{quote(name)} is in the files and in {arg('respondents')}, and differs for "
            f"{plural(n, 'respondent')}: for {quote(table['respondent_id'][differs].iloc[0])} it "
            f"is {quote(table[name][differs].iloc[0])} in the files and "
            f"{quote(known[differs].iloc[0])} in the table.",
            "Remove the column from one of them, or rename it.",
        )


def _join(
    table: pd.DataFrame, sample: pd.DataFrame, clustering: Clustering | None, before: bool
) -> pd.DataFrame:
    """The ratings with the clusters, weights and further columns of the sample.

    ``before``: the ratings were read before, and the columns of their earlier sample give way.
    """
    named = ("image_id", "cluster")
    sample = check_table("sample", sample, named, "sample_images", whole=("image_id",))
    if clustering is not None:
        sample = follow(sample, check_clustering(clustering))
    columns = [name for name in (*names_in(sample), *_OF_SAMPLE) if name in sample]
    own = [name for name in sample if name not in (*columns, *_OF_IMAGES, "image_id")]
    taken = {*_ROLES, *_MADE, *(() if before else table)} - {"image_id"}
    renamed = {name: f"{name}_of_image" for name in own if name in taken}
    if renamed:
        listed = ", ".join(f"{quote(old)} is now {quote(new)}" for old, new in renamed.items())
        warn(
            f"{arg('sample')} and the ratings have columns of the same name; those of the sample "
            f"are renamed: {listed}."
        )
    known = sample.set_index("image_id")[[*columns, *own]].rename(columns=renamed)
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
    if before:
        repeated = [name for name in (*names_in(table), *_OF_SAMPLE, *known) if name in table]
    left = keep_given(table.drop(columns=[*dict.fromkeys(repeated)]), columns, "the sample")
    joined = left.join(known, on="image_id")
    _warn_of_unrated_clusters(joined, known)
    return joined


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


def _warn_of_unrated_clusters(ratings: pd.DataFrame, sample: pd.DataFrame) -> None:
    """Warn about clusters without ratings: ratings cannot tell later which clusters they lack."""
    absent = ~sample["cluster"].isin(ratings["cluster"])
    if len(ratings) and absent.any():
        n, n_all = sample["cluster"][absent].nunique(), sample["cluster"].nunique()
        warn(
            f"No ratings for {n:,} of {plural(n_all, 'cluster')}, with "
            f"{plural(int(absent.sum()), 'sampled image')}: no estimate includes them."
        )


def _dimensions(items: Any, names: list[str]) -> dict[str, str | None]:
    if items is None:
        return dict(EMOTIONS)
    if isinstance(items, pd.DataFrame) and "dimension" in items:
        return dict(zip(names, items["dimension"], strict=True))
    return dict.fromkeys(names)
