"""The key of an export: a table beside it that says what each answer is about.

Annotators get the export alone. Whoever reads their answers gives the table that the verb
returned, the key, or the export beside which it lies.
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
    """Where the key to an export lies."""
    name = export.name if export.is_dir() else export.stem
    return export.with_name(f"{name}-key.csv")


def read_key(
    given: Any, columns: Sequence[str], name: str, maker: str, *, texts: Sequence[str] = ()
) -> pd.DataFrame:
    """The table of what was asked, from wherever it is.

    Parameters
    ----------
    given : DataFrame or path
        The table, its file, or the export.
    columns : sequence of str
        Columns that it must have.
    name, maker : str
        The argument, and the verb that makes the table.
    texts : sequence of str
        Columns that stay text.
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
