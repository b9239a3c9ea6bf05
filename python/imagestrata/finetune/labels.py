"""Read labels from tables or folders into one matrix."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.scan import COLUMNS
from ..errors import ImagestrataError, plural, warn
from ..names import KEYS, Images
from ..names import some as _some
from ..provenance import fingerprint
from ..tables import read_typed, tell_alike, with_text_ids
from ..text.machines import refuse_machine_labels
from ..validate import check_path
from ..wording import arg, kind_of, quote, verb
from .long import is_long, widened
from .split import SPLITS
from .task import TASKS, Floats

#: Names of folders of splits.
_SPLIT_NAMES = {"train": "train", "val": "val", "validation": "val", "valid": "val", "test": "test"}

_BINARY_NAMES = {"negative", "positive"}


@dataclass(eq=False)
class Labelled:
    """Distinct images with their labels."""

    task: str
    #: Names of the columns of ``truth``.
    labels: list[str]
    #: ``image_id``, ``path``, ``split`` if the user made the splits, and ``eye``, the perceptual
    #: hash, as soon as the picture was read.
    images: pd.DataFrame
    #: See :mod:`~imagestrata.finetune.task`.
    truth: Floats

    def select(self, rows: list[int] | NDArray[np.int64]) -> Labelled:
        """Return some of the images, or all in another order."""
        images = self.images.iloc[rows].reset_index(drop=True)
        return Labelled(self.task, self.labels, images, self.truth[rows])

    def fingerprint(self) -> str:
        """Return a fingerprint that does not depend on the order of rows."""
        named = self.images.drop(columns=["path", "eye"], errors="ignore")
        rows = named.assign(truth=[row.tobytes() for row in self.truth])
        ordered = rows.sort_values("image_id").map(str).to_numpy().tolist()
        return fingerprint([self.task, self.labels, ordered])


def label_images(table: pd.DataFrame, labels: Any, task: str | None, root: Path | None) -> Labelled:
    """Join labels to the images of a scan, or raise an error if they do not fit.

    Parameters
    ----------
    table : DataFrame
        The table that :func:`~imagestrata.scan_images` returned.
    labels : DataFrame, path of a CSV file, or None
        As in :func:`~imagestrata.fine_tune`.
    task : str or None
        If None, the labels determine the task.
    root : Path or None
        The folder that was scanned, if the images came from one folder.
    """
    labelled = join_labels(table, labels, task, root)
    _check_enough(labelled)
    return labelled


def join_labels(table: pd.DataFrame, labels: Any, task: str | None, root: Path | None) -> Labelled:
    """Join labels to the images of a scan without a minimum number of labels."""
    rows = from_folders(table, root) if labels is None else check_labels(labels)
    found = _find_images(table, rows, root)
    columns = [name for name in rows.columns if name not in (*KEYS, "split")]
    task = _check_task(task, rows[columns])
    merged, names = _as_numbers(found, columns, task)
    _report_unlabelled(table, merged)
    truth = merged[names].to_numpy(dtype=np.float32)
    kept = ["image_id", "path", *(["split"] if "split" in merged else [])]
    return Labelled(task, names, merged[kept], truth)


def read_labels(labels: Any) -> pd.DataFrame:
    """Return a user's table of labels, from memory or from a CSV file."""
    if isinstance(labels, pd.DataFrame):
        return _by_people(with_text_ids(labels))
    if not isinstance(labels, str | os.PathLike):
        raise ImagestrataError(
            f"{arg('labels')} must be a table, the path of a CSV file, or {quote(None)} for the "
            f"names of folders, not {kind_of(labels)}."
        )
    return _by_people(read_typed(check_path("labels", labels), KEYS))


def _by_people(labels: pd.DataFrame) -> pd.DataFrame:
    """The labels, unless a model gave them."""
    refuse_machine_labels(
        labels,
        "labels",
        "Give labels by people: scores against those of a model say how well it is imitated, not "
        "how often either is right.",
    )
    return labels


def from_folders(table: pd.DataFrame, root: Path | None) -> pd.DataFrame:
    """Return labels from the names of folders: ``class/``, or ``train/class/`` and so on."""
    if root is None:
        raise ImagestrataError(
            f"Without {arg('labels')}, the names of folders are the labels, so "
            f"{arg('images')} must be one folder.",
            "Give a folder such as images/train/positive, images/train/negative, or a table of "
            "labels.",
        )
    base = os.path.realpath(root)
    parts = [
        PurePath(os.path.relpath(os.path.realpath(path), base)).parts for path in table["path"]
    ]
    tops = {part[0].lower() for part in parts if len(part) > 1}
    split = len(tops) > 0 and tops <= set(_SPLIT_NAMES)
    depth = 2 if split else 1
    loose = [path for path, part in zip(table["path"], parts, strict=True) if len(part) <= depth]
    if loose:
        wanted = "a class's folder inside train, val or test" if split else "a folder per class"
        raise ImagestrataError(
            f"{len(loose)} of {plural(len(table), 'image')} are not in a folder of a class; "
            f"expected {wanted}: {_some(loose)}.",
            f"Sort them into folders, or give a table as {arg('labels')}.",
        )
    rows = pd.DataFrame({"path": table["path"], "class": [part[depth - 1] for part in parts]})
    if set(rows["class"].str.lower()) <= _BINARY_NAMES:
        rows["positive"] = (rows.pop("class").str.lower() == "positive").astype(int)
    if split:
        rows["split"] = [_SPLIT_NAMES[part[0].lower()] for part in parts]
    return rows


def check_labels(labels: Any, *, several: bool = False) -> pd.DataFrame:
    """Read a user's labels, and check them as far as possible without the images.

    ``several`` allows codes of any kinds together, see :func:`~imagestrata.finetune.long.widened`.
    """
    rows = read_labels(labels)
    return _from_table(widened(rows, several=several) if is_long(rows) else rows)


def _from_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Check a user's table, and return its columns of names, labels and splits."""
    keys = [name for name in KEYS if name in rows]
    if not keys:
        raise ImagestrataError(
            "The table of labels must have a column 'image_id', 'path' or 'file'; it has "
            f"{', '.join(map(quote, rows.columns)) or 'none'}.",
            "Rename the column that identifies the images.",
        )
    is_scan = {"image_id", "path", "status"} <= {*rows.columns}
    known = {*(COLUMNS if is_scan else KEYS), "split"}
    labels = [name for name in rows.columns if name not in known]
    if not labels or rows.empty:
        raise ImagestrataError(
            f"The table of labels has {plural(len(rows), 'row')} and no column with labels."
            if not labels
            else "The table of labels has no rows.",
            "Give one column per label with 1, 0 or empty cells, or one column of classes.",
        )
    split = ["split"] if "split" in rows else []
    rows = rows.loc[:, [*keys, *labels, *split]]
    lost = rows[keys].isna().all(axis=1)
    if lost.any():
        raise ImagestrataError(
            f"{lost.sum()} of {plural(len(rows), 'row')} of labels have no {' or '.join(keys)}, "
            f"the first is row {int(np.flatnonzero(lost)[0]) + 1}.",
            "Complete them, or drop those rows.",
        )
    if split:
        rows = rows.assign(split=_check_splits(rows["split"]))
    return rows.rename(columns={name: str(name) for name in labels})


def _check_splits(column: pd.Series[Any]) -> pd.Series[str]:
    named = column.astype("str").str.lower().map(_SPLIT_NAMES)
    if named.isna().any():
        raise ImagestrataError(
            f"The column 'split' must hold {', '.join(SPLITS)}; it also has "
            f"{_some(column[named.isna()].unique())}."
        )
    return named


def _find_images(table: pd.DataFrame, rows: pd.DataFrame, root: Path | None) -> pd.DataFrame:
    """Add to each row of labels the image that it refers to (for a copy, the kept image)."""
    known = Images(table, root)
    where_found = known.rows_of(rows, "labels")
    known.report(rows, where_found, "labels")
    seen = table.iloc[np.maximum(where_found, 0)].reset_index(drop=True)
    rejected = (where_found >= 0) & (seen["status"] == "rejected").to_numpy()
    if rejected.any():
        key = next(name for name in KEYS if name in rows)
        warn(
            f"{rejected.sum()} of {plural(len(rows), 'row')} of labels refer to images that "
            f"cannot be used, and are left out: {_some(rows.loc[rejected, key])}.",
        )
    ids = seen["duplicate_of"].fillna(seen["image_id"]).to_numpy()
    kept = table[table["status"] == "ok"].drop_duplicates("image_id").set_index("image_id")["path"]
    good = (where_found >= 0) & ~rejected
    found: pd.DataFrame = rows[good].assign(image_id=ids[good])
    return found.assign(path=found["image_id"].map(kept)).reset_index(drop=True)


def _check_task(task: str | None, values: pd.DataFrame) -> str:
    """Return the given task if the columns of labels fit it, or else the task that fits them."""
    looks = "binary" if is_binary(values.iloc[:, 0]) else "multiclass"
    if values.shape[1] > 1:
        looks = "multilabel"
    if task is None:
        return looks
    if task not in TASKS:
        names = ", ".join(map(quote, TASKS))
        raise ImagestrataError(
            f"{arg('task')} must be one of {names}, or {quote(None)}, not {quote(task)}."
        )
    if task != "multilabel" and values.shape[1] > 1:
        raise ImagestrataError(
            f"{arg('task', task)} needs one column of "
            f"{'classes' if task == 'multiclass' else 'labels'}; there are {values.shape[1]}: "
            f"{_some(values.columns)}.",
            f"Keep one of them, or use {arg('task', 'multilabel')}.",
        )
    return task


def is_binary(column: pd.Series[Any]) -> bool:
    numbers = pd.to_numeric(column, errors="coerce")
    return bool((numbers.isna() == column.isna()).all() and numbers.dropna().isin([0, 1]).all())


def _as_numbers(
    found: pd.DataFrame, columns: list[str], task: str
) -> tuple[pd.DataFrame, list[str]]:
    """Return one row per image with a column of 0, 1 and NaN per label, and the labels' names."""
    if task == "multiclass":
        column = columns[0]
        found = _one_row_each(found.dropna(subset=column), [column])
        tell_alike(found[column].astype("str"), pd.Series(column, found.index))
        classes = sorted(found[column].unique(), key=lambda value: (str(type(value)), value))
        names = [str(value) for value in classes]
        ones = pd.DataFrame({n: found[column] == v for n, v in zip(names, classes, strict=True)})
        return pd.concat([found.drop(columns=column), ones.astype(float)], axis=1), names
    for column in columns:
        if not is_binary(found[column]):
            numbers = pd.to_numeric(found[column], errors="coerce")
            odd = found[column][~numbers.isin([0, 1]) & found[column].notna()]
            raise ImagestrataError(
                f"The label {quote(column)} must hold 1, 0 or empty cells; {len(odd)} of "
                f"{len(found)} rows hold something else: {_some(odd.unique())}.",
                f"Convert it to 0 and 1 ({verb('label_ratings')} converts ratings); put several "
                f"classes into one column, with {arg('task', 'multiclass')}.",
            )
    numbers = found[columns].apply(pd.to_numeric).astype(float)
    found = found.assign(**{name: numbers[name] for name in columns})
    found = _one_row_each(found.dropna(subset=columns, how="all"), columns)
    return found, columns


def _one_row_each(found: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Merge the rows of copies; raise an error if they contradict each other."""
    groups = found.groupby("image_id", sort=False)
    torn = groups[columns].nunique()
    if (torn > 1).any(axis=None):
        bad = torn[(torn > 1).any(axis=1)].index
        label = str(torn.columns[(torn > 1).any()][0])
        paths = found.drop_duplicates("image_id").set_index("image_id")["path"]
        raise ImagestrataError(
            f"The labels contradict each other for {plural(len(bad), 'image')} (in rows of the "
            f"same image or of its copies), first in {quote(label)}: {_some(paths[bad])}.",
            f"Correct them, or combine several annotators' labels with {verb('consensus')}.",
        )
    merged = groups.first().reset_index()
    if "split" in found and (groups["split"].nunique() > 1).any():
        apart = int((groups["split"].nunique() > 1).sum())
        warn(
            f"{plural(apart, 'image has', 'images have')} copies in more than one split; these "
            "stay in the training split."
        )
        order = {name: place for place, name in enumerate(SPLITS)}
        first = groups["split"].agg(lambda names: min(names, key=order.__getitem__))
        merged["split"] = merged["image_id"].map(first)
    return merged


def _report_unlabelled(table: pd.DataFrame, found: pd.DataFrame) -> None:
    usable = table.loc[table["status"] == "ok", "image_id"]
    without = int((~usable.isin(found["image_id"])).sum())
    if without:
        warn(f"{without} of {plural(len(usable), 'image')} have no label and are left out.")


def _check_enough(labelled: Labelled) -> None:
    """Raise an error if there are too few labels for training."""
    task, labels, truth = labelled.task, labelled.labels, labelled.truth
    n = len(truth)
    if task == "multiclass":
        if len(labels) < 2:
            raise ImagestrataError(
                f"All labelled images ({n:,}) are of one class, {quote(labels[0])}."
                if labels
                else "No image has a label.",
                "Label images of other classes too.",
            )
        if n < 3 * len(labels):
            raise ImagestrataError(
                f"{plural(n, 'labelled image is', 'labelled images are')} too few for "
                f"{plural(len(labels), 'class', 'classes')}: training, validation and test each "
                "need images of every class.",
                "Label more images, or merge classes. If the column holds ratings, not classes, "
                f"convert them with {verb('label_ratings')}.",
            )
        return
    for column, label in enumerate(labels):
        yes, no = int((truth[:, column] == 1).sum()), int((truth[:, column] == 0).sum())
        if not yes or not no:
            raise ImagestrataError(
                f"The label {quote(label)} is {'never 1' if not yes else 'never 0'}: of "
                f"{plural(n, 'image')}, {yes} have it and {no} do not.",
                "Label images with and without it, or drop the label.",
            )
        if min(yes, no) < 3:
            raise ImagestrataError(
                f"The label {quote(label)} has {plural(yes, 'image')} with it and {no} without: "
                "training, validation and test each need one of each.",
                "Label more images, or drop the label.",
            )
