"""Where people fill in forms: one file for each tool, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..form import Files, Form, Pictures
from . import labelstudio, page, qualtrics, spreadsheet


class Exporter(NamedTuple):
    """How a form becomes files.

    Attributes
    ----------
    files : callable
        Names of files, the main one first, and what writes each.
    ending : str
        What the name of the main file ends in.
    inside : bool
        Whether files can hold the images.
    outside : bool
        Whether they can name an address of each instead.
    """

    files: Callable[[Form, Pictures], Files]
    ending: str
    inside: bool
    outside: bool


#: Every value of ``to``.
EXPORTERS = {
    "page": Exporter(page.files, ".html", inside=True, outside=False),
    "qualtrics": Exporter(qualtrics.files, ".txt", inside=False, outside=True),
    "labelstudio": Exporter(labelstudio.files, ".json", inside=True, outside=True),
    "csv": Exporter(spreadsheet.files, ".csv", inside=False, outside=True),
}
