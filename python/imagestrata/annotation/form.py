"""What people fill in, whatever the tool: images to show, what is asked, answers to choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
#: Names of files, the main one first, and what writes each.
Files: TypeAlias = dict[str, Write]


class Pictures(NamedTuple):
    """Where each image that can be shown is found, and why the others cannot.

    An address is that of a file or a page, or a ``data:`` address with the picture itself.
    """

    addresses: dict[str, str]
    lost: dict[str, str]


@dataclass(frozen=True, eq=False)
class Form:
    """A form; what it becomes is for the exporters to say.

    Attributes
    ----------
    kind : str
        The page that shows it: a template and a script of the page kit.
    title, question : str
    warning : str or None
        What people read before they see the first image.
    tasks : DataFrame
        What is answered, in order: one row per image, pair, or image of a set. All its columns
        may be seen by those who answer.
    unit, id : str
        What a task is, and the column that names it. A task of which an image cannot be shown
        is left out.
    images : DataFrame
        ``image_id`` and ``path`` of every image in the tasks.
    shown : dict
        Where the images of a row are shown, and the columns that hold their ids.
    fields : dict
        What is answered, with the answers to choose from, or None for free text.
    page : callable
        What the page's script works on, of some tasks and the pictures.
    key : DataFrame
        What the tasks are about, with ``id``; it is stored beside the export, for the reader.
    person : str, default "annotator"
        The column for who answered.
    note : str
        What the answers mean.
    sheets : str, optional
        The column that says whose tasks these are: everybody gets a file of his own.
    wanting : bool, default False
        Whether tasks stay whose images cannot be shown.
    about : dict, optional
        What an export's list of its files says besides.
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

    def without(self, exclude: Exclude) -> Form:
        """The form without the tasks that show an excluded image."""
        hidden = excluded(self.images, exclude, f"the {self._all}")
        kept = self._only(~self._shows(hidden)) if hidden else self
        if kept.tasks.empty:
            are = "are excluded." if self.unit == "image" else "have an excluded image."
            raise ImagestrataError(f"All {self.unit}s ({self.n_tasks:,}) {are}")
        return kept

    def with_pictures(self, pictures: Pictures) -> Form:
        """The form with the tasks of which every image can be shown."""
        return self if self.wanting else self._only(~self._shows({*pictures.lost}))

    @property
    def n_tasks(self) -> int:
        """How many tasks there are."""
        return int(self.tasks[self.id].nunique())

    def in_sheets(self, ending: str, write: Callable[[pd.DataFrame], Write]) -> Files:
        """A file for the tasks of each sheet, and a table of these; one file without sheets."""
        if self.sheets is None:
            return {f"{self.kind}{ending}": write(self.tasks)}
        files, rows = {}, []
        for name, tasks in self.tasks.groupby(self.sheets, sort=False):
            file = f"{name}{ending}"
            if not str(name).replace("-", "").replace("_", "").isalnum():
                raise ImagestrataError(
                    f"A file is named after its packet, and {quote(name)} is no name for a file.",
                    "Packet ids may have letters, digits, '_' and '-'.",
                )
            files[file] = write(tasks)
            rows.append((name, tasks["group"].iloc[0], len(tasks), file))
        table = pd.DataFrame(rows, columns=[self.sheets, "group", "n_images", "file"])
        return files | {"packets.csv": partial(write_table, table=table)}

    @property
    def _all(self) -> str:
        return f"{self.unit}s" if self.sheets is None else "packets"

    def _shows(self, images: set[str]) -> pd.Series[bool]:
        """Whether rows are of tasks that show some of these images."""
        one = self.tasks[[*self.shown.values()]].isin(images).any(axis=1)
        return self.tasks[self.id].isin(self.tasks.loc[one, self.id])

    def _only(self, kept: pd.Series[bool]) -> Form:
        tasks = self.tasks[kept].reset_index(drop=True)
        if self.sheets is not None:  # positions without gaps
            tasks["position"] = tasks.groupby(self.sheets).cumcount() + np.int64(1)
        seen = {image for column in self.shown.values() for image in tasks[column]}
        images = self.images[self.images["image_id"].isin(seen)]
        key = self.key[self.key[self.id].isin(tasks[self.id])].reset_index(drop=True)
        return replace(self, tasks=tasks, images=images, key=key)
