"""Sheets to label the most and the least certain images of each cluster."""

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
from ..tables import keep_given
from ..validate import check_bool, check_choice, check_int
from ..verbs import public
from ..wording import arg, quote, verb
from .codes import check_codes
from .export import check_file, export
from .label_sets import QUESTION, make_form

#: Measures of certainty that an image belongs to its cluster; whether larger is more certain.
_MEASURES = {"probability": True, "silhouette": True, "distance": False}

#: Columns of a sheet that name the image, before measure, metadata and codes.
_KEYS = ("cluster", "certainty", "rank", "image_id")

#: Columns of the sheet and its CSV that are not those of the images.
_ADDED = ("certainty", "rank", "annotator", "skipped", "note", "seconds")

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
    codes: str | Sequence[str] | Mapping[str, Any],
    *,
    n: int = 10,
    clusters: int | Iterable[int] | None = None,
    by: str | None = None,
    columns: Sequence[str] | None = None,
    question: str = QUESTION,
    warning: str | None = None,
    exclude: Exclude = None,
    codebook: Mapping[str, str] | pd.DataFrame | str | os.PathLike[str] | None = None,
    thumbnail: int = 400,
    overwrite: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Write a page to label the most and the least certain images of each cluster.

    Parameters
    ----------
    clustering : Clustering
        What :func:`cluster_images` returned.
    out : path
        The HTML file to write, a page such as :func:`export_labels` writes. A CSV file of the
        same name beside it has the same images and empty columns, for labelling in a spreadsheet
        program.
    codes : str, sequence of str, or mapping of str to answers
        As in :func:`export_labels`: a name alone is answered by yes or no, and the values of a
        mapping are ``"binary"``, a list of answers, the two ends of a scale, or ``"text"``.
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
        Question to annotators.
    warning : str, optional
        Text shown before the first image, for example that some images show violence.
    exclude : sequence of str, path of a file, or DataFrame, optional
        Images that must not be shown, by id, path or name of the file; others take their
        places. A file has one entry per line, or is a CSV table with such a column.
    codebook : mapping, DataFrame, or path, optional
        Definitions and examples, as in :func:`export_labels`.
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
        at that end; ``image_id``, ``path``; the measure of certainty; metadata; and a column for
        each code that describes its answers, which :func:`read_labels` needs. The CSV has empty
        columns for ``annotator``, each code, ``skipped`` and ``note`` instead. In it, text that a
        spreadsheet program would read as a formula has a quote before it.

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
    read_labels : Read the files of annotators.
    export_labels : Have a sample of images labelled.
    """
    check_clustering(clustering)
    n = check_int("n", n, minimum=1)
    chosen = select_clusters(clustering, clusters)
    by = _check_measure(clustering.images, by)
    check_same_run(clustering.images, out, "coding sheet")
    given = keep_given(clustering.images, _ADDED, verb("coding_sheet"))
    # Names of clusters would tell coders what to see.
    named = names_in(clustering.clusters)
    ours = {*_OWN, *named}
    names = _check_columns(given, columns, ours)
    hidden = excluded(given, exclude, "the clustering")
    images = given[~given["image_id"].astype(str).isin(hidden)]
    sheet = _sheet(images, chosen, n, by, names)
    if sheet.empty:
        raise ImagestrataError("No image is left to be coded.")
    asked = check_codes(codes, {*sheet.columns, *named})
    ends = [*zip(sheet["cluster"], sheet["certainty"], strict=True)]
    titles = {end: _title(*end) for end in dict.fromkeys(ends)}
    described = {code.name: code.as_json() for code in asked}
    form = make_form(
        sheet[["image_id"]].astype(str).assign(group=pd.Series(ends, index=sheet.index)),
        sheet[["image_id", "path"]].astype({"image_id": str}),
        asked,
        groups="group",
        titles=titles,
        facts=_facts(sheet, by),
        question=question,
        warning=warning,
        codebook=codebook,
        among=given,
        hidden=hidden,
        wanting=True,
        key=with_names(sheet, clustering.clusters).assign(**described),
    )
    # Somebody may have filled in the table of an earlier page.
    replace = check_bool("overwrite", overwrite)
    beside = check_file(out, ".html", replace).with_suffix(".csv")
    check_file(beside, ".csv", replace)
    form = export(
        form, out, thumbnail=thumbnail, usual=400, overwrite=overwrite, progress=progress
    )[1]
    empty = dict.fromkeys(["annotator", *described, "skipped", "note"], "")
    write_table(beside, form.key[[*sheet]].assign(**empty))
    return form.key


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


def _title(cluster: Any, certainty: str) -> str:
    name = "Residual" if cluster == -1 else f"Cluster {cluster}"
    return f"{name}, {certainty} certain"


def _facts(sheet: pd.DataFrame, by: str) -> dict[str, list[list[str]]]:
    """Names and texts shown below each image: its measure of certainty, and metadata."""
    shown = {by: sheet[by].map(lambda value: "" if pd.isna(value) else f"{value:.2f}")}
    metadata = [str(name) for name in sheet if name not in {*_KEYS, "path", by}]
    shown |= {name: _texts(sheet[name]) for name in metadata}
    return {
        image_id: [[name, texts.iloc[row]] for name, texts in shown.items() if texts.iloc[row]]
        for row, image_id in enumerate(sheet["image_id"].astype(str))
    }


def _texts(column: pd.Series[Any]) -> pd.Series[str]:
    """Values as text; missing values are empty."""
    texts: pd.Series[str] = column.map(lambda value: "" if pd.isna(value) else str(value).strip())
    return texts
