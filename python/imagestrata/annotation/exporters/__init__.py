"""The tools in which forms can be filled in: one module each, and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from ..form import Files, Form, Pictures


class Exporter(NamedTuple):
    """Conversion of a form to the files of a tool.

    Attributes
    ----------
    module : str
        The module, in this folder, with the function ``files``.
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

    module: str
    ending: str
    inside: bool
    outside: bool
    folder: bool = False

    def files(self, form: Form, pictures: Pictures) -> Files:
        """Names of the files of a form, the main one first, and functions that write them."""
        made: Files = import_module(f".{self.module}", __package__).files(form, pictures)
        return made


#: Every value of ``to``.
EXPORTERS = {
    "page": Exporter("page", ".html", inside=True, outside=False),
    "server": Exporter("server", "", inside=True, outside=False, folder=True),
    "qualtrics": Exporter("qualtrics", ".txt", inside=False, outside=True),
    "labelstudio": Exporter("labelstudio", ".json", inside=True, outside=True),
    "csv": Exporter("spreadsheet", ".csv", inside=False, outside=True),
}
