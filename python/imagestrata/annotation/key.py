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

from ..clustering.clustering import Clustering
from ..errors import ImagestrataError, plural, warn
from ..provenance import run_of
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
        elif key_file(file).exists():  # an export that is a table itself
            file = key_file(file)
        given = read_typed(file, columns, texts=texts)
    return check_table(name, given, columns, maker)


def warn_of_edits(given: Any, key: pd.DataFrame) -> None:
    """Warn if images of an export are in other clusters of its run folder now."""
    run = run_of(check_path("key", given)) if isinstance(given, str | os.PathLike) else None
    if run is None:
        return
    try:
        images = Clustering.load(run).images
    except ImagestrataError:  # without clusters, or while they are being made
        return
    shown = key.drop_duplicates("image_id")
    now = images.set_index(images["image_id"].astype(str))["cluster"]
    now = now.reindex(shown["image_id"].astype(str))
    then = shown["image_cluster" if "image_cluster" in shown else "cluster"]
    n = int((now.astype(str).to_numpy() != then.astype(str).to_numpy()).sum())
    if n:
        warn(
            f"{n:,} of {plural(len(shown), 'image')} of {quote(given)} are in other clusters of "
            f"{quote(run)} now than when annotators saw them: the result is about the clusters of "
            "that time."
        )
