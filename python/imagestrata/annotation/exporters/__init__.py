"""The tools in which forms can be filled in: one module each, and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from ...errors import ImagestrataError
from ...validate import check_choice
from ...wording import arg
from ..form import Files, Form, Pictures

#: What forms ask about, by their kind (``Form.kind``).
ABOUT = {"ratings": "packets", "pairs": "pairs", "labels": "labels", "sets": "tests of clusters"}


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
    kinds : tuple of str
        The kinds of forms that the tool can show.
    hosted : bool
        Whether the tool shows images from a server alone, whose address it needs.
    shared : bool
        Whether annotators may see the answers of others, in a meeting about disputed images.
    """

    module: str
    ending: str
    inside: bool
    outside: bool
    folder: bool = False
    kinds: tuple[str, ...] = tuple(ABOUT)
    hosted: bool = False
    shared: bool = True

    def files(self, form: Form, pictures: Pictures) -> Files:
        """Names of the files of a form, the main one first, and functions that write them."""
        made: Files = import_module(f".{self.module}", __package__).files(form, pictures)
        return made


#: Every value of ``to``.
EXPORTERS = {
    "page": Exporter("page", ".html", inside=True, outside=False),
    # Its kinds are those whose answers collecting/kinds.py can check.
    "server": Exporter(
        "server",
        "",
        inside=True,
        outside=False,
        folder=True,
        kinds=("ratings", "pairs", "labels"),
        shared=False,
    ),
    # Its block of questions is looped over the images of a respondent.
    "qualtrics": Exporter(
        "qualtrics", ".txt", inside=False, outside=True, kinds=("ratings",), hosted=True
    ),
    "labelstudio": Exporter("labelstudio", ".json", inside=True, outside=True),
    "csv": Exporter("spreadsheet", ".csv", inside=False, outside=True),
}


def check_tool(to: Any, kind: str, *, disputed: Any = None) -> Exporter:
    """The tool with a name, which must be able to show a kind of form, and disputed answers."""
    tool = EXPORTERS[check_choice("to", to, EXPORTERS)]
    if kind not in tool.kinds:
        others = [name for name, other in EXPORTERS.items() if kind in other.kinds]
        raise ImagestrataError(
            f"{arg('to', to)} is only for {', '.join(ABOUT[one] for one in tool.kinds)}, not for "
            f"{ABOUT[kind]}.",
            f"Use {' or '.join(arg('to', name) for name in others)}.",
        )
    if disputed is not None and not tool.shared:
        raise ImagestrataError(
            f"{arg('disputed')} shows annotators each other's answers, which {arg('to', to)} never "
            "does.",
            f"Use {arg('to', 'page')} for the meeting.",
        )
    return tool
