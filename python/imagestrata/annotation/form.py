"""Forms, independent of the tool: images, questions, and answers to choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from ..errors import ImagestrataError
from ..files import write_table
from ..names import Exclude, excluded
from ..wording import quote

Write: TypeAlias = Callable[[Path], object]
#: Names of files, the main one first, and functions that write them.
Files: TypeAlias = dict[str, Write]


class Pictures(NamedTuple):
    """Addresses of the images that can be shown, and reasons why the others cannot.

    An address is a path, a URL, or a ``data:`` URL that contains the picture.
    """

    addresses: dict[str, str]
    lost: dict[str, str]


@dataclass(frozen=True, eq=False)
class Form:
    """A form, from which exporters make files.

    Attributes
    ----------
    kind : str
        Name of its template and script in the page kit.
    title, question : str
    warning : str or None
        Text shown before the first image.
    tasks : DataFrame
        Tasks in order: one row per image, pair, or image of a set. Annotators can see all
        columns.
    unit, id : str
        Word for a task, and the column with its id. A task is left out if one of its images
        cannot be shown.
    images : DataFrame
        ``image_id`` and ``path`` of every image in the tasks.
    shown : dict
        Places of the images of a row, and the columns with their ids.
    fields : dict
        Names of the answers, with the values to choose from, or None for free text.
    texts : dict
        Texts of the fields for annotators, where names are not enough.
    page : callable
        Function of tasks and pictures that returns the data for the script of the page.
    key : DataFrame
        Table with ``id`` that describes the tasks; it is stored beside the export for reading.
    person : str, default "annotator"
        The column of the respondent or annotator.
    note : str
        Meaning of the answers.
    sheets : str, optional
        Column that divides the tasks into files, one for each annotator.
    wanting : bool, default False
        Whether tasks are kept if their images cannot be shown.
    about : dict, optional
        Further entries in the list of files of an export.
    asides : tuple of str
        Names of free texts that an annotator may add. A task then needs no answer.
    also : frozenset of str
        Ids of images that are shown beside the tasks, such as the examples of a codebook.
    """

    kind: str
    title: str
    question: str
    warning: str | None
    tasks: pd.DataFrame
    unit: str
    id: str
    images: pd.DataFrame
    shown: Mapping[str, str]
    fields: Mapping[str, Sequence[Any] | None]
    page: Callable[[pd.DataFrame, Pictures], dict[str, Any]]
    key: pd.DataFrame
    person: str = "annotator"
    note: str = ""
    sheets: str | None = None
    wanting: bool = False
    about: Mapping[str, Any] | None = None
    asides: tuple[str, ...] = ()
    also: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)

    def without(self, exclude: Exclude) -> Form:
        """The form without the tasks that show an excluded image."""
        hidden = excluded(self.images, exclude, f"the {self._all}")
        if not hidden:
            return self
        kept = replace(self, also=self.also - hidden)._only(~self._shows(hidden))
        if kept.tasks.empty:
            are = "are excluded." if self.unit == "image" else "have an excluded image."
            raise ImagestrataError(f"All {self.unit}s ({self.n_tasks:,}) {are}")
        return kept

    def with_pictures(self, pictures: Pictures) -> Form:
        """The form with the tasks whose images can all be shown."""
        return self if self.wanting else self._only(~self._shows({*pictures.lost}))

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return int(self.tasks[self.id].nunique())

    def in_sheets(self, ending: str, write: Callable[[pd.DataFrame], Write]) -> Files:
        """A file for the tasks of each sheet, and a table of these files; or one file."""
        if self.sheets is None:
            return {f"{self.kind}{ending}": write(self.tasks)}
        files, rows = {}, []
        for name, tasks in self.tasks.groupby(self.sheets, sort=False):
            file = f"{name}{ending}"
            plain = str(name).replace("-", "").replace("_", "").isalnum()
            if not plain or file.casefold() == "packets.csv":  # the table of all
                raise ImagestrataError(
                    f"Files have the names of packets, and {quote(name)} is not a valid file name.",
                    "Packet ids can contain letters, digits, '_' and '-'.",
                )
            files[file] = write(tasks)
            group = {"group": tasks["group"].iloc[0]} if "group" in tasks else {}
            rows.append({self.sheets: name, **group, "n_images": len(tasks), "file": file})
        table = pd.DataFrame(rows)
        return files | {"packets.csv": partial(write_table, table=table)}

    @property
    def _all(self) -> str:
        return f"{self.unit}s" if self.sheets is None else "packets"

    def _shows(self, images: set[str]) -> pd.Series[bool]:
        """Whether rows belong to tasks that show any of these images."""
        one = self.tasks[[*self.shown.values()]].isin(images).any(axis=1)
        return self.tasks[self.id].isin(self.tasks.loc[one, self.id])

    def _only(self, kept: pd.Series[bool]) -> Form:
        tasks = self.tasks[kept].reset_index(drop=True)
        if self.sheets is not None:  # positions without gaps
            tasks["position"] = tasks.groupby(self.sheets).cumcount() + np.int64(1)
        seen = {image for column in self.shown.values() for image in tasks[column]}
        images = self.images[self.images["image_id"].isin(seen | self.also)]
        key = self.key[self.key[self.id].isin(tasks[self.id])].reset_index(drop=True)
        return replace(self, tasks=tasks, images=images, key=key)
