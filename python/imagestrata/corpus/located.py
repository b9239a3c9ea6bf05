"""Find the images of a run if they have moved since."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ImagestrataError
from ..provenance import find_step, read_table, step_folder


def place_of(paths: Sequence[str], folder: Path) -> dict[str, str] | None:
    """Return the folder that contains all files, and its path relative to the run folder."""
    try:
        root = os.path.commonpath([os.path.dirname(path) for path in paths])  # noqa: PTH120
        return {"root": root, "from_run": os.path.relpath(root, folder.absolute())}
    except ValueError:  # several drives
        return None


def located(
    table: pd.DataFrame, folder: Path, columns: dict[str, str] | None = None
) -> pd.DataFrame:
    """Return a table of a run folder with the current paths of its images.

    Images are expected where the latest scan found them. If their folder is gone, they are
    expected at the same path relative to the run folder: both may have moved together.

    Parameters
    ----------
    table : DataFrame
    folder : Path
        The run folder, or a variant in one.
    columns : dict, optional
        Names of the columns of paths, each with the name of its column of image ids.
    """
    columns = {"path": "image_id"} if columns is None else columns
    there = {path: image_id for path, image_id in columns.items() if path in table}
    if not len(table) or not any(_is_gone(table[path]) for path in there):
        return table
    now = _paths(folder, table if "status" in table else None)
    moved = table.copy()
    for path, image_id in there.items():
        ids_and_paths = zip(table[image_id], table[path], strict=True)
        found = [now.get(image_id, old) for image_id, old in ids_and_paths]
        moved[path] = pd.Series(found, index=table.index, dtype=table[path].dtype)
    return moved


def _is_gone(paths: pd.Series[Any]) -> bool:
    """Return whether the first file no longer exists."""
    known = paths.dropna()
    return len(known) > 0 and not os.path.lexists(str(known.iloc[0]))


def _paths(folder: Path, scanned: pd.DataFrame | None) -> dict[str, str]:
    """Return the current path of each image of a run, by its id."""
    entry = find_step(folder, "scan")[1]
    run = step_folder(folder, "scan")
    try:
        images = read_table(run / "images.parquet") if scanned is None else scanned
    except (ImagestrataError, OSError):
        return {}
    known = images.dropna(subset="image_id").drop_duplicates("image_id")
    paths = dict(zip(known["image_id"], known["path"], strict=True))
    place = (entry or {}).get("place")
    if not isinstance(place, dict) or not {"root", "from_run"} <= {*place}:
        return paths
    root = str(place["root"])
    near = os.path.normpath(run.absolute() / str(place["from_run"]))
    if Path(root).is_dir() or not Path(near).is_dir():
        return paths
    inside = root + os.sep
    return {
        image_id: near + path[len(root) :] if path.startswith(inside) else path
        for image_id, path in paths.items()
    }
