"""Print the results of commands."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import typer

from ..errors import ImagestrataError

if TYPE_CHECKING:
    import pandas as pd


#: The result of a command: a summary for programs, and lines for users.
Said: TypeAlias = tuple[Any, ...]


def show(summary: dict[str, Any], as_json: bool, *lines: str) -> None:
    if as_json:
        text = json.dumps(summary, ensure_ascii=False, default=str)
        try:
            text.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:  # the same values in ASCII, which every program reads
            text = json.dumps(summary, default=str)
    else:
        text = "\n".join(lines)
    try:
        typer.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ImagestrataError(
            f"The output of this command could not be written ({error.strerror}).",
            "The files that it wrote are complete.",
        ) from None


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table for JSON, with None for missing values."""
    known = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in known.to_dict("records")]
