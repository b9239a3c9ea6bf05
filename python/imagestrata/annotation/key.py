"""The key of an export: a table beside it that describes its tasks.

Annotators get the export without the key. To read answers, give the table that the verb
returned, the file of the key, or the export beside it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ImagestrataError
from ..tables import check_table, read_typed
from ..validate import check_path
from ..wording import quote


def key_file(export: Path) -> Path:
    """The path of the key of an export."""
    name = export.name if export.is_dir() else export.stem
    return export.with_name(f"{name}-key.csv")


def read_key(
    given: Any, columns: Sequence[str], name: str, maker: str, *, texts: Sequence[str] = ()
) -> pd.DataFrame:
    """Read the table of tasks of an export.

    Parameters
    ----------
    given : DataFrame or path
        The table, its file, or the export.
    columns : sequence of str
        Columns that the table must have.
    name, maker : str
        The argument, and the verb that makes the table.
    texts : sequence of str
        Columns that are read as text.
    """
    if isinstance(given, str | os.PathLike):
        file = check_path(name, given)
        if file.suffix.lower() != ".csv":
            if not file.exists():
                raise ImagestrataError(
                    f"There is no file {quote(file)}.", "Check the spelling, or give the full path."
                )
            file = key_file(file)
        given = read_typed(file, columns, texts=texts)
    return check_table(name, given, columns, maker)
