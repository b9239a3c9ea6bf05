"""Display results: as text in Python, as HTML in notebooks."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

import pandas as pd

from .errors import first_rows, plural, warn
from .validate import check_bool
from .wording import quote as quoted

#: A line of text; or a table and the noun for one of its rows.
Part: TypeAlias = str | tuple[pd.DataFrame, str]

#: The largest number of rows that are displayed of a table.
MOST_ROWS = 10


class Shown:
    """A result that displays what its method :meth:`_parts` returns."""

    def _parts(self) -> list[Part]:
        raise NotImplementedError

    def _pictures(self, table: pd.DataFrame) -> Mapping[int, list[str]]:
        """Addresses of the pictures beside each row of a table, by the number of the row."""
        return {}

    def __repr__(self) -> str:
        return "\n".join(
            part if isinstance(part, str) else first_rows(*part, MOST_ROWS)
            for part in self._parts()
        )

    def _repr_html_(self) -> str:
        from .page import fragment

        parts: list[Any] = []
        for part in self._parts():
            if isinstance(part, str):
                parts.append({"text": part})
                continue
            table, noun = part
            head = table.head(MOST_ROWS)
            texts = [pd.api.types.is_string_dtype(table[name]) for name in table]
            sides = ["left" if is_text else "right" for is_text in texts]
            rows = [
                [*zip(map(_cell, row), sides, strict=True)] for row in head.itertuples(index=False)
            ]
            rest = f"({len(head)} of {plural(len(table), noun)})" if len(head) < len(table) else ""
            columns = [*zip(map(str, table), sides, strict=True)]
            pictures = self._pictures(head)
            parts.append({"columns": columns, "rows": rows, "pictures": pictures, "rest": rest})
        return fragment("notebook", parts=parts)


if TYPE_CHECKING:
    _Path = Path
else:
    _Path = type(Path())


class Page(_Path):
    """The path of a page. Notebooks show it as a link, and :meth:`view` opens the page."""

    def _repr_html_(self) -> str:
        from .page import fragment

        # Notebooks open only files below their own folder.
        below = self.is_relative_to(Path.cwd()) or not self.is_absolute()
        near = os.path.relpath(self) if below else ""
        address = quote(near.replace(os.sep, "/")) if near else self.resolve().as_uri()
        return fragment("link", address=address, path=str(self))

    def view(self, wanted: bool | None = None) -> None:
        """Open the page in a browser; by default only in an interactive session."""
        if check_bool("view", is_interactive() if wanted is None else wanted):
            opened = webbrowser.open(self.resolve().as_uri())
            if not opened and wanted:
                warn(f"No browser can be opened here. The page is {quoted(str(self))}.")


def is_interactive() -> bool:
    """Whether a user types into this session and a browser can open on the screen.

    Notebooks show a link instead; scripts and tests open nothing.
    """
    typed = hasattr(sys, "ps1") and "ipykernel" not in sys.modules
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    return typed and (sys.platform in ("win32", "darwin") or any(map(os.environ.get, screens)))


def _cell(value: Any) -> str:
    """A value as a table displays it."""
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if type(value) is int else str(value)
