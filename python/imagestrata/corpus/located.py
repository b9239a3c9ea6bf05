"""Find the images of a run where they are now.

Tables of a run folder store absolute paths, and ``run.json`` stores the folder in which each step
was written. If that folder is elsewhere now, images that moved together with it are expected at
the same place relative to it. Paths that :func:`~imagestrata.relink` found replace the others. If
originals are missing, tables that viewers show have the paths of small copies in the run folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import pandas as pd

from ..errors import ImagestrataError
from ..provenance import find_step, finished_before, read_run, read_table
from ..tables import with_file
from .small import is_small, small_copies

#: An absolute path of Windows: on a drive or on a server.
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")

#: The number of files that show whether images are where a table says.
_PROBES = 16


def located(
    table: pd.DataFrame,
    folder: Path,
    step: str,
    columns: Mapping[str, str] | None = None,
    *,
    small: bool = True,
) -> pd.DataFrame:
    """Return a table of a run folder with the current paths of its images.

    Parameters
    ----------
    table : DataFrame
    folder : Path
        The run folder, or a variant in one, that contains the table.
    step : str
        The step that wrote it.
    columns : mapping, optional
        Names of the columns of paths, each with the name of its column of image ids.
    small : bool, default True
        Whether small copies stand for missing originals. In the table of a scan, they never do.
    """
    columns = {"path": "image_id"} if columns is None else columns
    there = {path: one for path, one in columns.items() if path in table and one in table}
    if not there or table.empty:
        return table
    entry = read_run(folder)["steps"].get(step)
    was = _written_in(finished_before(entry) or entry)
    relinked = _relinked(folder)
    is_scan = step == "scan"
    known = is_scan or not any(_are_missing(table[path].tolist()) for path in there)
    if known and not relinked and not _is_elsewhere(was, folder):
        return table
    by_id = {} if is_scan else _paths_of_images(folder, relinked)
    now: dict[str, pd.Series[Any]] = {}
    for path, image_id in there.items():
        ids, stored = table[image_id].tolist(), table[path].tolist()
        keys = [*zip(ids, stored, strict=True)]
        moved = zip(keys, moved_along(stored, was, folder), strict=True)
        found = [(relinked.get(key) if is_scan else by_id.get(key[0])) or new for key, new in moved]
        if is_scan and "gone" in table:
            states = zip(keys, table["gone"], strict=True)
            table = table.assign(
                gone=[relinked[key] is None if key in relinked else gone for key, gone in states]
            )
        now[path] = pd.Series(found, index=table.index, dtype=table[path].dtype)
    table = table.assign(**now)
    if "file" in table and "path" in now:
        table = with_file(table)
    return table if is_scan or not small else _with_small_copies(table, there, folder)


def _with_small_copies(
    table: pd.DataFrame, columns: Mapping[str, str], folder: Path
) -> pd.DataFrame:
    """Return the table with the paths of small copies where the originals are missing."""
    if not any(_are_missing(table[path].tolist()) for path in columns):
        return table
    copies = small_copies(folder)
    shown: dict[str, pd.Series[Any]] = {}
    for path, image_id in columns.items() if copies else ():
        pairs = zip(table[image_id].astype(str), table[path].tolist(), strict=True)
        found = [
            old if isinstance(old, str) and os.path.lexists(old) else copies.get(one, old)
            for one, old in pairs
        ]
        shown[path] = pd.Series(found, index=table.index, dtype=table[path].dtype)
    return table.assign(**shown)


def reader(product: str, step: str) -> Callable[[Path], pd.DataFrame]:
    """Return a function that reads the table of a step from a run folder, with current paths."""
    return lambda folder: located(read_table(folder / product), folder, step)


def located_file(path: Any, folder: Path, step: str) -> Any:
    """Return the current path of another file that a step used, such as weights."""
    return moved_along([path], _written_in(read_run(folder)["steps"].get(step)), folder)[0]


def moved_along(paths: Sequence[Any], was: Sequence[str], now: Path) -> list[Any]:
    """Return where files are if they moved together with a folder.

    Files that are not found there keep their paths.

    Parameters
    ----------
    paths : sequence of str or None
    was : sequence of str
        The earlier path of the folder: absolute, and without links. It may be one of another
        system.
    now : Path
    """
    found = [*paths]
    if not _is_elsewhere(was, now):
        return found
    tops = _tops(was, now)
    outermost_last = sorted(tops, key=len, reverse=True)
    rows: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        if isinstance(path, str):
            top = next((one for one in outermost_last if path.startswith(one)), None)
            if top is not None:
                rows.setdefault(top, []).append(row)
    for top, some in rows.items():
        probes = _probes([paths[row] for row in some])
        most = sum(map(os.path.lexists, probes))
        for make in tops[top]:
            here = sum(os.path.lexists(make(path)) for path in probes)
            if here and here >= most:
                for row in some:
                    found[row] = make(paths[row])
                break
    return found


def _tops(was: Sequence[str], now: Path) -> dict[str, list[Callable[[str], str]]]:
    """Return the folders around an earlier folder, with functions that move a path along."""
    tops: dict[str, list[Callable[[str], str]]] = {}
    for old, new in zip(was, _spellings(now), strict=True):
        kind = PureWindowsPath if _WINDOWS.match(old) else PurePosixPath
        separator = "\\" if kind is PureWindowsPath else "/"
        theirs, ours = kind(old), Path(new)
        for above, here in zip((theirs, *theirs.parents), (ours, *ours.parents), strict=False):
            top, place = _inside(above, separator), _inside(here, os.sep)
            tops.setdefault(top, []).append(
                lambda path, top=top, place=place, separator=separator: (  # type: ignore[misc]
                    place + path[len(top) :].replace(separator, os.sep)
                )
            )
    return tops


def _inside(folder: PurePath, separator: str) -> str:
    """Return the beginning of the paths in a folder."""
    return str(folder).removesuffix(separator) + separator


def _spellings(folder: Path) -> list[str]:
    """Return the absolute path of a folder with and without links, as ``run.json`` has it."""
    return [os.fspath(folder.absolute()), os.path.realpath(folder)]


def _is_elsewhere(was: Sequence[str], now: Path) -> bool:
    """Return whether a folder has another path than before."""
    return len(was) > 0 and was[-1] != _spellings(now)[-1]


def _written_in(entry: Mapping[str, Any] | None) -> list[str]:
    """Return the folder in which a step was written, in both spellings; empty if unknown."""
    folder = (entry or {}).get("written_in")
    if isinstance(folder, list) and len(folder) == 2 and all(isinstance(p, str) for p in folder):
        return folder
    # Older versions stored the folder of the images, and its path relative to the run folder.
    place = (entry or {}).get("place")
    if not isinstance(place, dict) or not {"root", "from_run"} <= {*place}:
        return []
    root, steps = str(place["root"]), re.split(r"[/\\]", str(place["from_run"]))
    kind = PureWindowsPath if _WINDOWS.match(root) else PurePosixPath
    up = steps.count("..")
    down = len([step for step in steps if step not in ("..", ".")])
    around = kind(root).parents[down - 1] if down else kind(root)
    return 2 * [str(around.joinpath(*up * ["?"]))]


def _relinked(folder: Path) -> dict[tuple[str, str], str | None]:
    """Return the paths that :func:`~imagestrata.relink` found, by id and stored path.

    A file that it did not find has none.
    """
    home, entry = find_step(folder, "relink")
    entry = finished_before(entry)
    if entry is None:
        return {}
    try:
        table = read_table(home / "places.parquet")
    except FileNotFoundError:
        return {}
    table = table[table["status"] != "extra"]
    pairs = zip(table["path"], table["status"], strict=True)
    there = [None if status == "missing" else path for path, status in pairs]
    paths = moved_along(there, _written_in(entry), home)
    return dict(zip(zip(table["image_id"], table["was"], strict=True), paths, strict=True))


def _paths_of_images(
    folder: Path, relinked: Mapping[tuple[str, str], str | None]
) -> dict[str, str]:
    """Return the current path of each image of a run, by its id."""
    home, entry = find_step(folder, "scan")
    try:
        images = None if entry is None else read_table(home / "images.parquet")
    except (ImagestrataError, OSError):
        images = None
    if images is None or "path" not in images:
        found = [(image_id, path) for (image_id, _), path in relinked.items() if path is not None]
        return dict(reversed(found))
    images = located(images, home, "scan").dropna(subset="image_id")
    if "gone" in images:
        images = images.sort_values("gone", kind="stable")
    images = images.drop_duplicates("image_id")
    return dict(zip(images["image_id"], images["path"], strict=True))


def _are_missing(paths: Sequence[Any]) -> bool:
    """Return whether some of a few originals do not exist, or have no path."""
    return not all(
        isinstance(path, str) and os.path.lexists(path) and not is_small(path)
        for path in _probes(paths)
    )


def _probes(paths: Sequence[Any]) -> Sequence[Any]:
    """Return a few paths, evenly spread."""
    return paths[:: max(1, len(paths) // _PROBES)][:_PROBES]
