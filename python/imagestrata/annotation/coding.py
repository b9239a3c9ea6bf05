"""Sheets to code the most and the least certain images of each cluster."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ..clustering.clustering import (
    Clustering,
    check_clustering,
    check_same_run,
    select_clusters,
)
from ..clustering.named import names_in, with_names
from ..errors import ImagestrataError
from ..files import write_table
from ..names import Exclude, excluded
from ..progress import Progress
from ..provenance import fingerprint
from ..tables import keep_given
from ..validate import check_bool, check_choice, check_int
from ..verbs import public
from ..wording import arg, quote, verb
from .answers import Asked, answered, check_known, need_columns, once, read_tables
from .export import check_file, export
from .form import Form, Pictures
from .key import read_key, warn_of_edits

QUESTION = "What does each image show?"

#: Measures of certainty that an image belongs to its cluster; whether larger is more certain.
_MEASURES = {"probability": True, "silhouette": True, "distance": False}

#: Columns of a sheet that name the image, before measure, metadata and codes.
_KEYS = ("cluster", "certainty", "rank", "image_id")
_ASKED = Asked("image_id", "image", "value", "code", "coder", ("code",))

#: Columns of a clustering's images that are not metadata of the user.
_OWN = {
    "image_id", "path", "file", "cluster", "iteration", "silhouette", "distance", "n_copies",
    "second_cluster", "margin", "probability", "outlier_score", "assigned", "added", "wave",
    "cluster_found",
}  # fmt: skip


@public
def coding_sheet(
    clustering: Clustering,
    out: str | os.PathLike[str],
    codes: Sequence[str] | Mapping[str, Sequence[str] | None],
    *,
    n: int = 10,
    clusters: int | Iterable[int] | None = None,
    by: str | None = None,
    columns: Sequence[str] | None = None,
    question: str = QUESTION,
    warning: str | None = None,
    exclude: Exclude = None,
    thumbnail: int = 400,
    overwrite: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Write a sheet to code the most and the least certain images of each cluster.

    Parameters
    ----------
    clustering : Clustering
        What :func:`cluster_images` returned.
    out : path
        The HTML file to write. A CSV file of the same name beside it has the same images and
        empty columns, for coding in a spreadsheet program. The page contains its images,
        opens in any browser without a network, stores the entries of each coder until they
        are saved as CSV, and sends no data.
    codes : sequence of str, or mapping of str to sequences of str
        Names of the codes. The values of a mapping are the answers to choose from; None
        for free text.
    n : int, default 10
        Number of images at either end of each cluster. No image occurs twice: in a cluster
        with fewer than ``2 * n`` images, the ``n`` most certain are taken first and the
        others are the least certain.
    clusters : int or sequence of int, optional
        Numbers of clusters, -1 for the residual. By default all but the residual.
    by : {"probability", "silhouette", "distance"}, optional
        Measure of certainty: the membership probability of HDBSCAN, the silhouette, or
        the distance to the centroid (small is certain). By default the probability if the
        clustering has one, else the silhouette.
    columns : sequence of str, optional
        Columns of the clustering's images that are shown with each image. By default all
        metadata. Columns without any value are left out.
    question : str, optional
        Question to coders.
    warning : str, optional
        Text shown before the first image, for example that some images show violence.
    exclude : sequence of str, path of a file, or DataFrame, optional
        Images that must not be shown, by id, path or name of the file; others take their
        places. A file has one entry per line, or is a CSV table with such a column.
    thumbnail : int, default 400
        Longer side of the embedded copies, in pixels; an image then takes some 20 KB.
    overwrite : bool, default False
        Replace a page of that name, and its CSV.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        One row per image: ``cluster``; its names, if it has any, which neither the page nor the
        CSV shows unless ``columns`` lists them; ``certainty``, "most" or "least"; ``rank``, from 1
        at that end; ``image_id``, ``path``; the measure of certainty; metadata; and an empty
        column for each code. In the CSV, text that a spreadsheet program would read as a
        formula has a quote before it.

    Raises
    ------
    ImagestrataError
        If a cluster, a measure or a column does not exist, a code has no name or that
        of a column, the file exists, or an entry to exclude names no image.

    Warns
    -----
    UserWarning
        If images cannot be shown: the page shows a grey field with the reason.

    See Also
    --------
    read_coding : Read the files of coders.
    """
    check_clustering(clustering)
    asked = _check_codes(codes)
    n = check_int("n", n, minimum=1)
    chosen = select_clusters(clustering, clusters)
    by = _check_measure(clustering.images, by)
    check_same_run(clustering.images, out, "coding sheet")
    given = keep_given(clustering.images, ("certainty", "rank"), verb("coding_sheet"))
    # Names of clusters would tell coders what to see.
    named = names_in(clustering.clusters)
    ours = {*_OWN, *named}
    names = _check_columns(given, columns, ours)
    hidden = excluded(given, exclude, "the clustering")
    images = given[~given["image_id"].astype(str).isin(hidden)]
    sheet = _sheet(images, chosen, n, by, names)
    if sheet.empty:
        raise ImagestrataError("No image is left to be coded.")
    taken = [code for code in asked if code in {*sheet.columns, *named, "coder"}]
    if taken:
        raise ImagestrataError(
            f"{quote(taken[0])} cannot be a code: the sheet has a column of that name already.",
            "Choose another name.",
        )
    sizes = images["cluster"].value_counts()
    empty = {code: pd.Series([None] * len(sheet), dtype="str") for code in asked}
    form = Form(
        kind="coding",
        title="Coding images",
        question=question,
        warning=warning,
        tasks=sheet,
        unit=_ASKED.unit,
        id=_ASKED.id,
        images=sheet[["image_id", "path"]].astype({"image_id": str}),
        shown={"image": "image_id"},
        fields=asked,
        page=lambda tasks, pictures: _page(tasks, pictures, sizes, asked, by),
        person=_ASKED.person,
        wanting=True,
        key=with_names(sheet.assign(**empty), clustering.clusters),
    )
    # Somebody may have filled in the table of an earlier page.
    replace = check_bool("overwrite", overwrite)
    beside = check_file(out, ".html", replace).with_suffix(".csv")
    check_file(beside, ".csv", replace)
    form = export(
        form, out, thumbnail=thumbnail, usual=400, overwrite=overwrite, progress=progress
    )[1]
    shown = [*sheet, *asked]
    write_table(beside, form.key[shown])
    return form.key


@public
def read_coding(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | pd.DataFrame,
    sheet: pd.DataFrame | str | os.PathLike[str],
    *,
    codes: Sequence[str] | None = None,
    sep: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Read coded sheets.

    Parameters
    ----------
    files : path, sequence of paths, or DataFrame
        CSV files that coders saved from the page or filled in; a folder of these; or such a
        table. If a file has no column ``coder``, its name is the name of the coder. Columns
        are separated by commas, semicolons or tabs.
    sheet : DataFrame or path
        The result of :func:`coding_sheet`, or the file ``...-key.csv`` beside the page.
    codes : sequence of str, optional
        Names of the codes; by default the empty columns of the sheet.
    sep : str, optional
        Separator of the columns of CSV files; by default detected among commas, semicolons
        and tabs.
    encoding : str, optional
        Encoding of the files; by default that of the byte order mark, or UTF-8. Other text
        is read as Windows-1252, with a warning.

    Returns
    -------
    DataFrame
        One row per image, coder and code with a value: ``cluster`` and its names, ``certainty``,
        ``rank``, ``image_id``, ``coder``, ``code``, ``value`` (text); in the order of the
        sheet. It joins to the clustering by ``image_id``.

    Raises
    ------
    ImagestrataError
        If a file cannot be read, lacks a code, has unknown images, or a coder
        contradicts herself. The message has counts.

    Warns
    -----
    UserWarning
        If some images have no code, or if ``sheet`` is a file in a run folder whose clusters have
        changed since: the codes are about the clusters that coders saw.

    Examples
    --------
    Agreement of coders, with the function for judgements of pairs::

        coding = read_coding(["anna.csv", "bo.csv"], sheet)
        protest = coding[coding["code"] == "protest"]
        agreement(
            protest.rename(columns={"image_id": "pair_id", "coder": "annotator"})
            .assign(judgement=(protest["value"] == "yes").astype(int)),
            level="nominal",
        )
    """
    table = read_key(sheet, _KEYS, "sheet", "coding_sheet")
    warn_of_edits(sheet, table)
    named = _codes_of(table, codes)
    keys = ["cluster", *names_in(table), *_KEYS[1:]]
    known = table[keys].astype({"cluster": int, "rank": int})
    coded = []
    for one in read_tables(files, ("image_id", "coder", *named), sep=sep, encoding=encoding):
        need_columns(one, ("image_id", *named), _ASKED)
        kept = [name for name in ("image_id", "coder", "file") if name in one]
        coded.append(one.melt(kept, named, "code", "value"))
    answers = answered(coded, _ASKED)
    check_known(answers, known["image_id"], _ASKED)
    answers = once(answers, _ASKED)
    merged = known.assign(_place=range(len(known))).merge(answers, on="image_id")
    merged["_code"] = merged["code"].map({name: i for i, name in enumerate(named)})
    merged = merged.sort_values(["_place", "coder", "_code"], ignore_index=True)
    return merged[[*keys, "coder", "code", "value"]]


def _check_codes(codes: Any) -> dict[str, list[str] | None]:
    """Names of the codes, each with the answers to choose from, or None."""
    named = codes
    if not isinstance(codes, Mapping):
        listed = [] if isinstance(codes, str) or not isinstance(codes, Iterable) else list(codes)
        if len(set(map(str, listed))) < len(listed):
            raise ImagestrataError(
                f"{arg('codes')} names a code twice: {', '.join(map(str, listed))}."
            )
        named = dict.fromkeys(listed)
    if not named or not all(isinstance(name, str) and name.strip() for name in named):
        raise ImagestrataError(
            f"{arg('codes')} must be names of codes, not {quote(codes)}.",
            f"For example {quote(['frame', 'people'])}, or "
            f"{quote({'people': ['yes', 'no'], 'frame': None})}.",
        )
    found: dict[str, list[str] | None] = {}
    for name, choices in named.items():
        found[name] = None
        if choices is None:
            continue
        answers = [] if isinstance(choices, str) else [str(choice) for choice in choices]
        if not answers or not all(answer.strip() for answer in answers):
            raise ImagestrataError(
                f"The answers of the code {quote(name)} must be a list of texts, not "
                f"{quote(choices)}."
            )
        found[name] = list(dict.fromkeys(answers))
    return found


def _check_measure(images: pd.DataFrame, by: Any) -> str:
    there = [name for name in _MEASURES if name in images and images[name].notna().any()]
    if by is None:
        if not there:
            raise ImagestrataError("The clustering has neither probabilities nor silhouettes.")
        return there[0]
    asked = check_choice("by", by, _MEASURES)
    if asked not in there:
        raise ImagestrataError(
            f"The clustering has no {asked}; it has {', '.join(there) or 'no such measure'}.",
            f"Probabilities come with {arg('method', 'hdbscan')}."
            if asked == "probability"
            else "",
        )
    return asked


def _check_columns(images: pd.DataFrame, columns: Any, ours: Collection[str]) -> list[str]:
    """Metadata to be shown: columns that have a value."""
    if columns is None:
        names = [name for name in images if name not in ours]
    else:
        if isinstance(columns, str):
            raise ImagestrataError(
                f"{arg('columns')} must be a list of names, not {quote(columns)}."
            )
        names = list(columns)
        absent = [name for name in names if name not in images]
        if absent:
            raise ImagestrataError(
                f"The clustering's images have no column {quote(absent[0])}; they have "
                f"{', '.join(map(str, images.columns))}."
            )
    return [str(name) for name in names if _texts(images[name]).ne("").any()]


def _sheet(
    images: pd.DataFrame, clusters: list[int], n: int, by: str, names: list[str]
) -> pd.DataFrame:
    """The images of the sheet in its order, without codes."""
    ends = []
    for cluster in clusters:
        members = images[images["cluster"] == cluster]
        # Images that joined later have no measure, which does not make them uncertain.
        known = members[by].notna()
        members = (members[known] if known.any() else members).sort_values(
            [by, "image_id"], ascending=[not _MEASURES[by], True], na_position="last"
        )
        most, rest = members.head(n), members.iloc[n:]
        for certainty, end in (("most", most), ("least", rest.tail(n).iloc[::-1])):
            ranks = range(1, len(end) + 1)
            ends.append(end.assign(certainty=certainty, rank=ranks))
    table = pd.concat(ends, ignore_index=True)
    kept = [*_KEYS, "path", by, *(name for name in names if name != by)]
    return table[list(dict.fromkeys(kept))]


def _page(
    sheet: pd.DataFrame,
    pictures: Pictures,
    sizes: pd.Series[int],
    codes: Mapping[str, list[str] | None],
    by: str,
) -> dict[str, Any]:
    """The data of the page."""
    facts = {by: sheet[by].map(lambda value: "" if pd.isna(value) else f"{value:.2f}")}
    metadata = [str(name) for name in sheet if name not in {*_KEYS, "path", by}]
    facts |= {name: _texts(sheet[name]) for name in metadata}
    rows = [
        {
            "id": image_id,
            "picture": pictures.addresses.get(image_id),
            "missing": pictures.lost.get(image_id),
            "facts": [[name, texts.iloc[row]] for name, texts in facts.items() if texts.iloc[row]],
        }
        for row, image_id in enumerate(sheet["image_id"].astype(str))
    ]
    groups = [
        {
            "cluster": int(str(cluster)),
            "size": int(sizes[cluster]),
            **{
                end: members.index[members["certainty"] == end].tolist()
                for end in ("most", "least")
            },
        }
        for cluster, members in sheet.groupby("cluster", sort=False)
    ]
    ids = [row["id"] for row in rows]
    return {
        # Entries for other images or codes are stored separately.
        "key": fingerprint([ids, codes]),
        "codes": [{"name": name, "choices": choices} for name, choices in codes.items()],
        "groups": groups,
        "images": rows,
    }


def _texts(column: pd.Series[Any]) -> pd.Series[str]:
    """Values as text; missing values are empty."""
    texts: pd.Series[str] = column.map(lambda value: "" if pd.isna(value) else str(value).strip())
    return texts


def _codes_of(sheet: pd.DataFrame, codes: Any) -> list[str]:
    """Names of the codes: those in ``codes``, or the empty columns of the sheet."""
    named = (
        [str(one) for one in sheet if one not in names_in(sheet) and not _texts(sheet[one]).any()]
        if codes is None
        else list(codes)
    )
    if isinstance(codes, str) or not named:
        raise ImagestrataError(
            "The sheet has no empty columns, which are its codes by default."
            if codes is None
            else f"{arg('codes')} must be the names of the codes, not {quote(codes)}.",
            f"Name them, such as {arg('codes', ['frame', 'people'])}.",
        )
    return named
