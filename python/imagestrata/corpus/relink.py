"""Find the images of a run by their content after they moved or were renamed."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from ..errors import ImagestrataError, plural, warn
from ..names import some
from ..progress import Progress
from ..provenance import Step, fingerprint, held_result, read_table, step_folder
from ..validate import check_bool, check_folder, check_path
from ..verbs import public
from ..wording import arg, quote
from ..work import open_work
from .decode import UnreadableImage, read_file
from .known import MOST_THREADS, PART_SIZE
from .listing import composed, list_files, printable
from .located import located
from .pictures import is_content_hash

#: The tables that list the images of a run, with their steps; the first existing one is used.
_TABLES = (
    ("scan", "images.parquet"),
    ("embed", "embeddings/images.parquet"),
    ("cluster", "clustering.parquet"),
)

_READ = pa.schema([("path", pa.string()), ("image_id", pa.string())])
_COLUMNS = ["image_id", "path", "was", "status"]

#: The number of names by which paths of copies are compared, from the end.
_DEPTH = 4


@public
def relink(
    run: str | os.PathLike[str],
    images: Any,
    *,
    check: bool = True,
    progress: Progress = True,
) -> pd.DataFrame:
    """Find the images of a run that were moved, renamed or sorted into other folders.

    Images that moved together with the run folder are found without this function. It is for
    images that moved apart from it: the content of a file shows which image it is. All tables that
    are read from the run folder then have the new paths. The tables themselves, and packets and
    pages that you have handed out, do not change.

    Parameters
    ----------
    run : path
        A run folder, or a variant in one.
    images : path, or list of paths
        The folder in which the images are now, with all its subfolders; or several folders and
        files.
    check : bool, default True
        Whether to read every file that has the size of an image of the run, to compare its
        content. With False, a file is accepted unread if it is the only one with the name and the
        size of an image; other files are read. This saves time if a large collection was only
        moved. An accepted file of other content is noticed later: every step that reads it reports
        that it has changed.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        One row per file of the run, then one per other file in ``images``:

        - ``image_id``: missing for a file that is no image of the run
        - ``path``: where the file is now; for a missing file, where it was last
        - ``was``: the path in the tables of the run; missing for other files
        - ``status``: ``"same"`` if this path is still right, ``"moved"``, ``"missing"``, or
          ``"extra"`` for a file that is no image of the run

    Raises
    ------
    ImagestrataError
        If the run lists no images, or their ids do not come from the content of files; if no
        image is found; or if the run folder cannot be written: copy it then, and relink the copy.

    Warns
    -----
    UserWarning
        If some images are not found. They keep their rows, clusters and ratings.

    Notes
    -----
    Only files whose size in bytes is that of an image of the run are read. Of several copies of
    an image, the one whose path resembles the earlier path most is used. Images that are not in
    ``images`` but still at their earlier place stay there. The result is stored as
    ``places.parquet`` in the run folder; the same call again reads only what has changed, and an
    interrupted one continues. Each call replaces the places that an earlier one found, so give
    all folders that contain images of the run.
    """
    folder, check = check_folder("run", run), check_bool("check", check)
    home, known = _known(folder)
    files = _listed(images, home)
    kept = _elsewhere(known, files)
    told = (known[["image_id", "was", "bytes"]], files)
    inputs = fingerprint([*(table.to_numpy().tolist() for table in told), sorted(kept)])
    scan = held_result(home, "scan")
    step = Step(
        home, "relink", {"check": check}, inputs=inputs,
        made_from={} if scan is None else {"scan": scan}, overwrite=True,
    )  # fmt: skip

    def make() -> pd.DataFrame:
        unread = {} if check else _by_name(known, files)
        candidates = _candidates(known, files, unread)
        ids: dict[str, str | None] = {**unread}
        if candidates:
            total = len(candidates)
            with open_work("Relinking", total, progress, most_threads=MOST_THREADS) as work:
                read = work.in_parts(_identify, candidates, step.parts, PART_SIZE, _as_table)
            ids |= zip(read["path"].to_pylist(), read["image_id"].to_pylist(), strict=True)
        if not known["image_id"].isin(ids.values()).any():
            raise ImagestrataError(
                f"None of {plural(len(known), 'image')} of {quote(home)} is among "
                f"{plural(len(files), 'file')} in {quote(images)}; "
                f"{quote(known['was'].iloc[0])} is one that was looked for.",
                f"Give the folder that contains them now as {arg('images')}. Files that were "
                "edited, resized or converted are other images: scan them into a new run.",
            )
        return _places(known, files["path"].tolist(), ids, kept)

    def counts(places: pd.DataFrame) -> dict[str, int]:
        found = places["status"].value_counts()
        return {name: int(found.get(name, 0)) for name in ("same", "moved", "missing", "extra")}

    places = step.table(make, counts)
    _warn_of_missing(places)
    return places


def _known(folder: Path) -> tuple[Path, pd.DataFrame]:
    """Return the run folder that lists the images, and its files.

    The columns are ``image_id``, ``was`` (the stored path), ``path`` (the current one) and
    ``bytes``, which is missing if the run has no scan.
    """
    for step, product in _TABLES:
        home = step_folder(folder, step)
        if (home / product).is_file():
            break
    else:
        raise ImagestrataError(
            f"{quote(folder)} lists no images.",
            f"Give a run folder as {arg('run')}: it contains 'images.parquet', 'embeddings' or "
            "'clustering.parquet'.",
        )
    table = read_table(home / product)
    if "path" not in table:  # a bundle
        table["path"] = None
    rows = located(table, home, step, small=False)
    rows = rows.assign(path=rows["path"].fillna(""), was=table["path"].fillna(""))
    if "bytes" not in rows:
        rows["bytes"] = None
    rows = rows.dropna(subset="image_id")
    rows = rows[rows["image_id"].map(is_content_hash)]
    if rows.empty:
        raise ImagestrataError(
            f"The ids of the images of {quote(home)} do not come from the content of files, so "
            "files cannot be compared with them.",
            "Embed the files again at their new place.",
        )
    files = rows[["image_id", "was", "path", "bytes"]].drop_duplicates(ignore_index=True)
    return home, files.astype({"bytes": object})


def _listed(images: Any, home: Path) -> pd.DataFrame:
    """Return the files in ``images`` with their sizes and times."""
    for one in images if isinstance(images, list | tuple) else ():
        if isinstance(one, str | os.PathLike) and not check_path("images", one).exists():
            raise ImagestrataError(
                f"There is no file or folder {quote(one)}.",
                "Check the spelling, or give the full path.",
            )
    rows = []
    for path in list_files(images, skip=home).paths:
        if printable(path) == path:  # else no table can store it
            try:
                found = Path(path).stat()
            except OSError:
                continue
            rows.append((path, found.st_size, found.st_mtime_ns))
    return pd.DataFrame(rows, columns=["path", "bytes", "time"])


def _elsewhere(known: pd.DataFrame, files: pd.DataFrame) -> set[str]:
    """Return the images that are still where they were, outside of the given folders."""
    others = known[~known["path"].isin(files["path"])]
    rows = zip(others["path"], others["bytes"], strict=True)
    return {path for path, size in rows if _is_there(path, size)}


def _by_name(known: pd.DataFrame, files: pd.DataFrame) -> dict[str, str]:
    """Return the images of files with a name and size that occur once on both sides."""
    sides = [
        one.assign(name=one["path"].map(_tail), key=one["bytes"].astype(str)).drop_duplicates(
            ["name", "key"], keep=False
        )
        for one in (known.dropna(subset="bytes").drop_duplicates("image_id"), files)
    ]
    both = sides[0].merge(sides[1], on=["name", "key"], suffixes=("_known", ""))
    return dict(zip(both["path"], both["image_id"], strict=True))


def _candidates(known: pd.DataFrame, files: pd.DataFrame, unread: Mapping[str, str]) -> list[str]:
    """Return the files to read: those with the size of an image, or all if sizes are unknown."""
    sizes = known["bytes"].dropna()
    fits = files["bytes"].isin(set(sizes)) if len(sizes) == len(known) else True
    return files.loc[fits & ~files["path"].isin(unread), "path"].tolist()


def _identify(path: str) -> str | None:
    """Return the id of a file, None if it cannot be read."""
    try:
        return hashlib.sha256(read_file(path)).hexdigest()[:20]
    except UnreadableImage:
        return None


def _as_table(paths: Sequence[str], ids: list[Any]) -> pa.Table:
    return pa.table({"path": paths, "image_id": ids}, schema=_READ)


def _places(
    known: pd.DataFrame, files: list[str], ids: Mapping[str, str | None], kept: set[str]
) -> pd.DataFrame:
    """Return the place of each file of the run, and the other files."""
    copies: dict[str | None, list[str]] = defaultdict(list)
    for path in files:
        copies[ids.get(path)].append(path)
    now = known["path"].to_numpy(dtype=object, copy=True)
    for image_id, rows in known.groupby("image_id").indices.items():
        if image_id in copies:
            now[rows] = _nearest(now[rows].tolist(), copies[image_id])
    found = known["image_id"].isin(copies.keys() - {None}) | known["path"].isin(kept)
    status = pd.Series("missing", index=known.index, dtype="str")
    status = status.mask(found, "moved").mask(found & (now == known["was"]), "same")
    ours = known.assign(path=pd.Series(now, dtype="str"), status=status)[_COLUMNS]
    extra = [path for image_id in copies.keys() - {*known["image_id"]} for path in copies[image_id]]
    others = pd.DataFrame({"path": sorted(extra), "status": "extra"}).reindex(columns=_COLUMNS)
    return pd.concat([ours, others.astype("str")], ignore_index=True)


def _nearest(paths: list[str], copies: list[str]) -> list[str]:
    """Return a copy for each path: the same path, else the one with the most names in common."""
    if len(copies) == 1:
        return copies * len(paths)
    given: dict[int, str] = {}
    free = dict.fromkeys(copies)
    for row, path in enumerate(paths):
        if path in free:
            given[row] = path
            del free[path]
    for depth in range(_DEPTH, -1, -1):
        by_tail: dict[str, list[str]] = defaultdict(list)
        for copy in reversed(free):
            by_tail[_tail(copy, depth)].append(copy)
        for row, path in enumerate(paths):
            if row not in given and by_tail[_tail(path, depth)]:
                given[row] = by_tail[_tail(path, depth)].pop()
                del free[given[row]]
    return [given.get(row, copies[0]) for row in range(len(paths))]


def _tail(path: str, depth: int = 1) -> str:
    """Return the last names of a path."""
    names = composed(path.replace("\\", "/")).split("/")
    return "/".join(names[len(names) - depth :])


def _is_there(path: str, size: Any) -> bool:
    """Return whether a file exists and has a size, if that is known."""
    try:
        found = Path(path).stat().st_size
        return path != "" and bool(pd.isna(size) or size == found)
    except (OSError, ValueError):
        return False


def _warn_of_missing(places: pd.DataFrame) -> None:
    missing = places.loc[places["status"] == "missing", "was"]
    if len(missing):
        n = int((places["status"] != "extra").sum())
        warn(
            f"{len(missing)} of {plural(n, 'image')} were not found: "
            f"{some(missing.map(os.path.basename))}. They keep their rows, clusters and ratings; "
            "steps that read them report that they are missing."
        )
