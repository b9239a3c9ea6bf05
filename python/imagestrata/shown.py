"""Results show themselves: as text where Python prints them, as HTML in notebooks."""

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

#: A line of text, or a table and what one of its rows is; of long tables the first rows are shown.
Part: TypeAlias = str | tuple[pd.DataFrame, str]

#: Rows of a table, at most.
MOST_ROWS = 10


class Shown:
    """What shows itself, by :meth:`_parts`."""

    def _parts(self) -> list[Part]:
        raise NotImplementedError

    def _pictures(self, table: pd.DataFrame) -> Mapping[int, list[str]]:
        """Addresses of pictures beside the rows of a table, by place."""
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
    """The path of a page, which notebooks show as a link and :meth:`view` opens."""

    def _repr_html_(self) -> str:
        from .page import fragment

        # Notebooks open files that lie below their own folder.
        below = self.is_relative_to(Path.cwd()) or not self.is_absolute()
        near = os.path.relpath(self) if below else ""
        address = quote(near.replace(os.sep, "/")) if near else self.resolve().as_uri()
        return fragment("link", address=address, path=str(self))

    def view(self, wanted: bool | None = None) -> None:
        """Open the page in a browser; by default where a person sits at this session."""
        if check_bool("view", somebody_there() if wanted is None else wanted):
            opened = webbrowser.open(self.resolve().as_uri())
            if not opened and wanted:
                warn(f"No browser can be opened here. The page is {quoted(str(self))}.")


def somebody_there() -> bool:
    """Whether a person types into this session, at a screen on which a browser can open.

    Notebooks show a link instead, and scripts and tests open nothing.
    """
    typed = hasattr(sys, "ps1") and "ipykernel" not in sys.modules
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    return typed and (sys.platform in ("win32", "darwin") or any(map(os.environ.get, screens)))


def _cell(value: Any) -> str:
    """A value as people read it in a table."""
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if type(value) is int else str(value)
