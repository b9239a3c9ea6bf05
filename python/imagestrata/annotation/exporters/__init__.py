"""The tools in which forms can be filled in: one module each, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..form import Files, Form, Pictures
from . import labelstudio, page, qualtrics, server, spreadsheet


class Exporter(NamedTuple):
    """Conversion of a form to the files of a tool.

    Attributes
    ----------
    files : callable
        Function of a form and its pictures that returns names of files, the main one
        first, and functions that write them.
    ending : str
        Extension of the main file.
    inside : bool
        Whether files can contain the images.
    outside : bool
        Whether files can contain the addresses of images instead.
    folder : bool
        Whether the files of every form are in a folder; otherwise a form without sheets is one
        file.
    """

    files: Callable[[Form, Pictures], Files]
    ending: str
    inside: bool
    outside: bool
    folder: bool = False


#: Every value of ``to``.
EXPORTERS = {
    "page": Exporter(page.files, ".html", inside=True, outside=False),
    "server": Exporter(server.files, "", inside=True, outside=False, folder=True),
    "qualtrics": Exporter(qualtrics.files, ".txt", inside=False, outside=True),
    "labelstudio": Exporter(labelstudio.files, ".json", inside=True, outside=True),
    "csv": Exporter(spreadsheet.files, ".csv", inside=False, outside=True),
}
