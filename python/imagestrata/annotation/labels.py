"""Labels of images: forms for annotators, and reading of their labels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..names import Exclude
from ..progress import Progress
from ..provenance import check_base, run_of
from ..sampling.sample import from_sample
from ..validate import check_path
from ..verbs import public
from ..wording import arg, quote
from .answers import NOTHING, Asked, answered, check_known, need_columns, once, read_tables, refuse
from .codes import Code, check_codes, codes_in
from .export import export
from .exporters import check_tool
from .key import read_key, warn_of_edits
from .label_sets import label_form

_ASKED = Asked("image_id", "image", "label", "label", "annotator", ("code",))
#: Columns of answers beside those of the codes.
_BESIDE = ("image_id", "annotator", "skipped", "note", "seconds", "file")
#: Stands for the label of a skipped image while answers are checked.
_SKIPPED = "\0skipped"
#: The columns of a table of labels.
LABELS = ["image_id", "code", "label", "annotator", "note", "kind", "seconds"]


@public
def export_labels(
    sample: pd.DataFrame,
    out: str | os.PathLike[str],
    codes: str | Sequence[str] | Mapping[str, Any],
    *,
    to: str = "page",
    by: str | None = "cluster",
    coders: int = 1,
    double: float = 0.0,
    question: str | None = None,
    warning: str | None = None,
    exclude: Exclude = None,
    codebook: Mapping[str, str] | pd.DataFrame | str | os.PathLike[str] | None = None,
    disputed: pd.DataFrame | None = None,
    thumbnail: int = 400,
    base_url: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = True,
) -> Path:
    """Export images to be labelled, cluster by cluster.

    Parameters
    ----------
    sample : DataFrame
        The result of :func:`sample_images`, or any table of images with ``image_id``,
        ``path`` and the column ``by``.
    out : path
        A new folder.
    codes : str, sequence of str, or mapping of str to answers
        Names of the codes; a name alone is answered by yes or no. The values of a mapping are
        ``"binary"`` (yes or no), a list of answers of which one is chosen, the two ends of a
        scale such as ``(1, 7)``, with words for them ``{"calm": 1, "violent": 7}``, or
        ``"text"`` (or None) for free text. A scale has at most 11 points.
    to : {"page", "server", "labelstudio", "csv"}, default "page"
        Tool in which annotators work; see Notes.
    by : str or None, default "cluster"
        Column of the sample that groups images on the page, so that one click labels a group.
        None shows one image after the other, in random order.
    coders : int, default 1
        Number of annotators, each of whom gets a packet of her own. Clusters stay together,
        unless a cluster has more images than an equal share.
    double : float, default 0
        Share of the images that a second annotator labels, too, from which :func:`agreement`
        is computed. They are spread over the clusters. Nobody sees which they are.
    question : str, optional
        Question to annotators.
    warning : str, optional
        Text shown before the first image, for example that some images show violence.
    exclude : sequence of str, path of a file, or DataFrame, optional
        Images that must not be shown, by id, path or name of the file. A file has one entry
        per line, or is a CSV table with such a column. An entry that names none of the
        images raises an error, and no file is written.
    codebook : mapping, DataFrame, or path, optional
        Definitions by the names of the codes. Or a table, or a CSV file, with a row for each
        definition or example: ``code``, ``definition``, ``answer`` (empty if the row is about
        the code itself), and ``example``, an image of the sample by id, path or name of its
        file, or another image file.
    disputed : DataFrame, optional
        Labels of several annotators, as :func:`read_labels` returns them. Only images of the
        sample on which they disagree are exported, each with everybody's answer and note, for
        a meeting.
    thumbnail : int, default 400
        Longer side of the copies, in pixels; an image then takes some 20 KB.
    base_url : str, optional
        Address at which you will upload the folder ``images`` of the export, such as
        ``"https://www.example.org/study/images"``. By default "labelstudio" embeds the images,
        and "csv" refers to the folder. No file is uploaded.
    seed : int, default 0
        Seed of the division among annotators and of the order of images.
    overwrite : bool, default False
        Replace an earlier export in the folder; its files are removed.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Path
        The folder. The packets are also written beside it, as ``...-key.csv``, which
        :func:`read_labels` needs: do not send it to annotators.

    Raises
    ------
    ImagestrataError
        If the folder contains other files, a code has no valid name or answers, the codebook
        explains something that is not a code, or no image can be shown.

    Notes
    -----
    Images are copied without their metadata. Images that cannot be read are left out, and a
    warning counts them. Annotators see numbers of clusters, never their names.

    **page.** A page ``coder-1.html``, ... for each annotator, and ``packets.csv``, which lists
    them. It opens in any browser, contains its images and makes no network requests. It shows one
    cluster after the other: a click on an answer, or its key, labels all of its images. An image
    that differs is selected first, by click or the space bar; its own label remains when that of
    the cluster changes. An image can be skipped, with a reason, and have a note. The codebook is
    one key away. Answers are stored in the browser until they are removed there, and are
    saved as CSV: ``packet_id``, ``position``, ``image_id``, ``annotator``, a column for each code
    (1 and 0 for yes and no), ``skipped`` (the reason), ``note``, and ``seconds``, the time for
    which the cluster was on the screen, divided by the number of its images.

    **server.** A folder for :func:`serve_forms`, which hands each visitor the next free packet and
    keeps every answer as it is given. Annotators see the same pages, with numbers of groups instead
    of clusters. :func:`export_answers` writes the labels as pages save them. Answers of others
    never leave a server, so that it takes no ``disputed``.

    **labelstudio.** ``tasks.json`` to import, and ``config.xml``, the labelling configuration. A
    task is one image of one packet; filter by ``packet_id`` to assign it. There are no clusters:
    every image is labelled alone.

    **csv.** A table ``coder-1.csv``, ... for each annotator, with a row per image, the name of
    its file in ``images``, and empty columns for ``annotator``, each code, ``skipped`` and
    ``note``.

    **Second annotators.** Images with a second annotator are a systematic random sample over the
    clusters, so that agreement is estimated for the whole sample. A second annotator sees only
    those images of a cluster, and labels them as one group.
    """
    check_tool(to, "labels", disputed=disputed)
    form = label_form(
        sample,
        codes,
        by=by,
        coders=coders,
        double=double,
        question=question,
        warning=warning,
        codebook=codebook,
        disputed=disputed,
        seed=seed,
    )
    run = run_of(check_path("out", out))
    if run is not None and "cluster" in form.key:
        shown = form.key[["image_id", "cluster"]].drop_duplicates()
        check_base(run, "sample", from_sample(run, shown), "labels")
    return export(
        form,
        out,
        to,
        exclude=exclude,
        thumbnail=thumbnail,
        usual=400,
        base_url=base_url,
        overwrite=overwrite,
        progress=progress,
    )[0]


@public
def read_labels(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | pd.DataFrame,
    key: pd.DataFrame | str | os.PathLike[str],
    *,
    codes: str | Sequence[str] | Mapping[str, Any] | None = None,
    sep: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Read the labels that annotators gave.

    Parameters
    ----------
    files : path, sequence of paths, or DataFrame
        CSV files that annotators saved from the page or filled in; exports of Label Studio (JSON
        or JSON-MIN); a folder of these; or such a table. If a file names no annotator, its name is
        the name of the annotator. Columns are separated by commas, semicolons or tabs.
    key : DataFrame or path
        The export, the file ``...-key.csv`` beside it, or the result of :func:`coding_sheet`.
    codes : str, sequence of str, or mapping, optional
        The codes as in :func:`export_labels`, if ``key`` is another table of the images.
    sep : str, optional
        Separator of the columns of CSV files; by default detected among commas, semicolons
        and tabs.
    encoding : str, optional
        Encoding of the files; by default that of the byte order mark, or UTF-8. Other text
        is read as Windows-1252, with a warning.

    Returns
    -------
    DataFrame
        One row per image, code and annotator with a label: ``image_id``; ``code``; ``label``
        (text: "1" or "0" for a binary code, a number for a scale; missing if the annotator
        skipped the image); ``annotator``; ``note`` (the reason of a skipped image before the note;
        missing if there is none); ``kind`` ("binary", "choice", "scale" or "text"); and
        ``seconds`` (spent on the image; missing if unknown). It joins to the sample by
        ``image_id``. ``attrs["pace"]`` has for each ``annotator`` the numbers ``n_images`` and
        ``n_skipped``, and ``seconds`` (mean per image).

    Raises
    ------
    ImagestrataError
        If a file cannot be read or lacks a code, images are unknown, a label is not an answer of
        its code, or an annotator contradicts herself. The message has counts.

    Warns
    -----
    UserWarning
        If images have no label, only some codes, or fewer annotators than the export asked for; or
        if ``key`` is a file in a run folder whose clusters have changed since.

    Examples
    --------
    The answers of two annotators, their agreement, and one label per image::

        labels = read_labels(["anna.csv", "bo.csv"], "run/label-images")
        agreement(labels)
        decided = consensus(labels)
    """
    table = read_key(key, ["image_id"], "key", "export_labels", texts=("packet_id",))
    if "cluster" in table:
        warn_of_edits(key, table)
    asked = _codes_of(table, codes)
    names = [code.name for code in asked]
    answers = []
    wanted = ("image_id", "annotator", *names)
    numbers = ("seconds",)
    for one in read_tables(
        files, wanted, sep=sep, encoding=encoding, numbers=numbers, skipped=True
    ):
        if one.empty and "image_id" not in one:  # an export without annotations
            continue
        answers.append(_long(one, names))
    order = {image_id: place for place, image_id in enumerate(pd.unique(table["image_id"]))}
    given = answered(answers, _ASKED)
    check_known(given, [*order], _ASKED)
    given = once(_checked(given, asked), _ASKED)
    _warn_of_gaps(given, table, asked)
    place = {name: number for number, name in enumerate(names)}
    given = given.assign(_image=given["image_id"].map(order), _code=given["code"].map(place))
    given = given.sort_values(["_image", "annotator", "_code"], ignore_index=True)
    labels = _contract(given, asked)
    labels.attrs["pace"] = _pace(labels)
    return labels


def _codes_of(key: pd.DataFrame, codes: Any) -> list[Code]:
    """The codes of an export, or those that the user gives."""
    found = codes_in(key) if codes is None else check_codes(codes)
    if not found:
        raise ImagestrataError(
            f"{arg('key')} does not describe any codes.",
            f"Give the export or its file ...-key.csv, or name the codes, such as "
            f"{arg('codes', ['protest', 'police'])}.",
        )
    return found


def _long(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """One row per image and code; skipped images have a mark as their label."""
    file = str(table["file"].iloc[0]) if len(table) else ""
    if file.lower().endswith(".json"):  # Label Studio leaves out what nobody answered
        empty = dict.fromkeys([name for name in names if name not in table], "")
        table = table.assign(**empty)
    need_columns(table, ("image_id", *names), _ASKED)
    kept = [name for name in _BESIDE if name in table]
    long = table.melt(kept, names, "code", "label")
    if "skipped" in long:
        is_skipped = ~long["skipped"].fillna("").isin([*NOTHING, "0"])
        long["label"] = long["label"].mask(is_skipped, _SKIPPED)
    long["label"] = long["label"].fillna("").str.strip()
    return long


def _checked(given: pd.DataFrame, codes: Sequence[Code]) -> pd.DataFrame:
    """The answers as labels, all of which are on the lists of their codes."""
    labels = given["label"].copy()
    for code in codes:
        mine = (given["code"] == code.name) & (given["label"] != _SKIPPED)
        found = code.labels(given.loc[mine, "label"])
        wrong = pd.Series(False, given.index)
        wrong[mine] = found.isna()
        refuse(
            given,
            wrong,
            f"are not answers of the code {quote(code.name)} ({', '.join(code.words or ())})",
            "label",
            "label",
        )
        labels[mine] = found
    return given.assign(label=labels)


def _warn_of_gaps(given: pd.DataFrame, key: pd.DataFrame, codes: Sequence[Code]) -> None:
    """Warn of images with some of the codes, and with fewer annotators than asked for."""
    needed = [code.name for code in codes if code.kind != "text"]
    asked = given[given["code"].isin(needed)]
    seen = asked.groupby(["image_id", "annotator"]).size()
    missing = len(seen) - asked["code"].value_counts().reindex(needed, fill_value=0)
    if missing.any():
        n = int((seen < len(needed)).sum())
        lacking = [f"{name} of {lost}" for name, lost in missing.items() if lost]
        warn(
            f"{plural(n, 'image has', 'images have')} labels for some of the codes only; missing: "
            f"{', '.join(lacking)}."
        )
    if "packet_id" in key:
        wanted = key.groupby("image_id")["packet_id"].nunique()
        double = wanted[wanted > 1]
        made = given.groupby("image_id")["annotator"].nunique().reindex(double.index).fillna(0)
        alone = int(((made > 0) & (made < double)).sum())
        if alone:
            warn(
                f"{alone} of {plural(len(double), 'image')} for two annotators have the labels "
                "of one."
            )


def _contract(given: pd.DataFrame, codes: Sequence[Code]) -> pd.DataFrame:
    """The table of labels."""
    empty = pd.Series("", given.index, dtype="str")
    skipped = given["label"] == _SKIPPED
    reason = given.get("skipped", empty).fillna("").str.strip().where(skipped, "")
    reason = reason.where(reason != "1", "")
    note = given.get("note", empty).fillna("").str.strip()
    note = note.where(~note.isin(NOTHING), "")
    both = reason.where((reason == "") | (note == ""), reason + "; ") + note
    kinds = {code.name: code.kind for code in codes}
    table = given.assign(
        label=given["label"].astype("str").where(~skipped),
        note=both.astype("str").where(both != ""),
        kind=given["code"].map(kinds).astype("str"),
        seconds=pd.to_numeric(given.get("seconds", empty), errors="coerce").astype(float),
    )
    table["code"] = table["code"].astype("str")
    return table[LABELS]


def _pace(labels: pd.DataFrame) -> list[dict[str, Any]]:
    """Images and mean seconds per image of each annotator."""
    images = labels.assign(skipped=labels["label"].isna()).drop_duplicates(
        ["image_id", "annotator"]
    )
    return [
        {
            "annotator": str(name),
            "n_images": len(rows),
            "n_skipped": int(rows["skipped"].sum()),
            "seconds": float(rows["seconds"].mean()),
        }
        for name, rows in images.groupby("annotator")
    ]
