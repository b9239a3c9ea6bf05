"""What a run folder holds: ``run.json``, its steps, and the tables they left."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ImagestrataError, warn
from ..files import damaged, file_hash, read_json, write_json
from ..steps import step_kinds
from ..validate import check_path
from ..wording import SAME_CALL, arg, quote, setting, verb

_PACKAGES = (
    "imagestrata",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "torch",
    "torchvision",
    "pillow",
    "opencv-python-headless",
    "scikit-image",
    "ImageHash",
    "safetensors",
    "umap-learn",
    "hdbscan",
)

VARIANTS = "variants"

OR_REPLACE = (
    f"Choose another {arg('out')}, such as a variant, or use {arg('overwrite', True)} to replace "
    "it and the steps after it."
)


def read_run(folder: Path) -> dict[str, Any]:
    """The content of ``run.json``, or of an empty run where there is none yet."""
    path = folder / "run.json"
    if not path.exists():
        return {"imagestrata": version(), "steps": {}}
    run = read_json(path)
    if "steps" not in run:
        raise ImagestrataError(f"{quote(path)} was not written by imagestrata.")
    steps = run["steps"]
    sound = isinstance(steps, dict) and all(map(_is_entry, steps.values()))
    if not sound or not _is_moving(run.get("moving")):
        raise damaged(path, "its steps are not as imagestrata writes them")
    return run


def _is_entry(entry: Any) -> bool:
    """Whether something has the form of what ``run.json`` says of a step."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("settings"), dict)
        and {"inputs", "finished"} <= {*entry}
        and isinstance(entry.get("made_from", {}), dict)
        and isinstance(entry.get("counts", {}), dict)
        and isinstance(entry.get("sha256", {}), dict)
    )


def _is_moving(moving: Any) -> bool:
    """Whether something has the form of what :func:`_retire` writes down, or is None."""
    return moving is None or (
        isinstance(moving, dict)
        and isinstance(moving.get("to"), str)
        and isinstance(moving.get("steps"), dict)
        and all(isinstance(moving.get(name), list) for name in ("moves", "removes", "partial"))
    )


def write_run(folder: Path, run: dict[str, Any]) -> None:
    order = [name for name in step_kinds() if name in run["steps"]]
    run["steps"] = {name: run["steps"][name] for name in order}
    write_json(folder / "run.json", run)


def run_around(folder: Path) -> Path | None:
    """The run folder that a variant lies in; None of a folder that is no variant."""
    where = folder.absolute()
    around = where.parent.parent
    if where.parent.name != VARIANTS or not (around / "run.json").is_file():
        return None
    return around


def variant_folder(run: Path, name: str | None) -> Path:
    """Where the variant ``name`` of a run lies, or the run itself where there is no name."""
    return run if name is None else check_variant(run / VARIANTS / name)


def variants_of(run: Path) -> list[Path]:
    """The folders of all variants of a run that have a step of their own."""
    return sorted(path.parent for path in (run / VARIANTS).glob("*/run.json"))


def check_variant(folder: Path) -> Path:
    """A folder whose name may be one of a variant."""
    if not re.fullmatch(r"\w[\w.-]*", folder.name) or folder.parent.name != VARIANTS:
        raise ImagestrataError(
            f"A variant cannot be named {quote(folder.name)}.",
            "Names have letters, digits, '_', '-' and '.', and do not begin with the latter two.",
        )
    return folder


def check_settings(
    out: str | os.PathLike[str] | None, name: str, settings: Mapping[str, Any], overwrite: bool
) -> None:
    """Refuse settings other than those with which the folder already holds a step."""
    if out is None or overwrite:
        return
    folder = check_path("out", out)
    old = read_run(folder)["steps"].get(name)
    if old is not None and old["settings"] != plain(settings):
        raise _other_settings(folder, name, old["settings"], plain(settings))


def find_step(folder: Path, name: str) -> tuple[Path, dict[str, Any] | None]:
    """Where a step is: in the folder, or in the run around a variant; and what is said of it.

    A variant takes nothing that rests on a step which it has itself.
    """
    own = read_run(folder)["steps"]
    around = run_around(folder)
    if name in own or around is None:
        return folder, own.get(name)
    theirs = read_run(around)["steps"]
    if name in theirs and not _rests_on(theirs, name, {*own}):
        return around, theirs[name]
    return folder, None


def _rests_on(steps: Mapping[str, Any], name: str, replaced: set[str]) -> bool:
    """Whether a step rests, directly or not, on one of those."""
    bases = made_from(name, steps[name]) if name in steps else {}
    return any(base in replaced or _rests_on(steps, base, replaced) for base in bases)


def made_from(name: str, entry: Mapping[str, Any]) -> dict[str, str | None]:
    """The results that a step was made from; older versions did not record which."""
    found: dict[str, str | None] | None = entry.get("made_from")
    return dict.fromkeys(step_kinds()[name].after[:1]) if found is None else found


def step_folder(folder: Path, name: str) -> Path:
    """The folder in which the result of a step lies: of a variant, often the run around it."""
    return find_step(folder, name)[0]


def require_step(folder: Path, name: str) -> dict[str, Any]:
    """What ``run.json`` says of a finished step, or an error that says how to make it."""
    place, entry = find_step(check_path("run", folder), name)
    kind = step_kinds()[name]
    again = f"Run {verb(kind.verb)} on it first."
    if entry is None or not entry["finished"]:
        state = "was interrupted" if entry else "has not been run"
        raise ImagestrataError(f"In {quote(folder)} the step {quote(name)} {state}.", again)
    if not (place / kind.product).exists():
        raise ImagestrataError(
            f"In {quote(place)} the step {quote(name)} is finished, but {quote(kind.product)} is "
            "missing.",
            f"Run {verb(kind.verb)} again with the same settings: it is made anew.",
        )
    for base, given in entry.get("made_from", {}).items():
        _, held = find_step(place, base)
        if held is not None and not (held["finished"] and held.get("result", given) == given):
            state = "has been replaced since" if held["finished"] else "is being replaced"
            raise ImagestrataError(
                f"In {quote(place)} the step {quote(name)} was made from a result of "
                f"{quote(base)} that {state}.",
                f"Finish {verb(step_kinds()[base].verb)}, then use "
                f"{verb(kind.verb, overwrite=True)}.",
            )
    return entry


def held_result(out: str | os.PathLike[str] | None, name: str) -> str | None:
    """Fingerprint of the result of a finished step in a run folder, if it was recorded."""
    entry = None if out is None else find_step(check_path("out", out), name)[1]
    return entry.get("result") if entry is not None and entry["finished"] else None


def one_of(out: str | os.PathLike[str] | None, name: str, given: Sequence[str]) -> str:
    """Of several results that are given for a step, the one that the folder holds, or the first."""
    held = held_result(out, name)
    return held if held is not None and held in given else given[0]


def part_of(
    out: str | os.PathLike[str] | None, name: str, given: str, is_part: Callable[[Path], bool]
) -> str:
    """Fingerprint of the result of a step that ``out`` holds, if a part of it is given.

    Parameters
    ----------
    out : path or None
    name : str
    given : str
        Fingerprint of what is given, which is returned otherwise.
    is_part : callable
        Looks into the run folder whether that is a part of the result there.
    """
    held = held_result(out, name)
    if out is None or held is None or held == given:
        return given
    return held if is_part(check_path("out", out)) else given


def check_base(folder: Path, base: str, given: str, name: str) -> None:
    """Refuse a result of the step ``base`` that is not the one which the folder holds.

    Parameters
    ----------
    folder : Path
    base : str
    given : str
        Fingerprint of what was given as the result of ``base``.
    name : str
        What is to be made from it.
    """
    place, held = find_step(folder, base)
    if held is None or held.get("result") == given:
        return
    if not held["finished"]:
        raise ImagestrataError(
            f"In {quote(place)} the step {quote(base)} was interrupted: whether what is given is "
            "its result cannot be told.",
            f"Finish it first: run the same {verb(step_kinds()[base].verb)} again.",
        )
    if "result" not in held:
        warn(
            f"{quote(place)} was made by an older version, which did not record the result of "
            f"the step {quote(base)}: whether {quote(name)} is made from that one cannot be "
            "checked.",
            stacklevel=4,
        )
        return
    counts = ", ".join(f"{key} {value}" for key, value in held.get("counts", {}).items())
    raise ImagestrataError(
        f"{quote(place)} holds another result of the step {quote(base)} ({counts}) than the one "
        f"given for {quote(name)}: its tables would contradict each other.",
        f"Give the result that the folder holds. Or choose another {arg('out')}, or a variant such "
        f"as {quote(place / VARIANTS / 'NAME')}, for this result and all that is made from it. Or "
        f"replace the one in the folder: store this one there with {arg('overwrite', True)}.",
    )


def run_of(path: Path) -> Path | None:
    """The run folder that a file or folder for people lies in, if it lies in one."""
    around = list(path.absolute().parents)[:2]
    return next((folder for folder in around if (folder / "run.json").is_file()), None)


def table_hashes(folder: Path, name: str) -> dict[str, str]:
    """SHA-256 of each Parquet table that a step left in a folder, by its name there."""
    kind = step_kinds()[name]
    patterns = [*kind.tables, *kind.drawn]
    tables = {path for pattern in patterns for path in folder.glob(pattern)}
    tables |= {path for pattern in patterns for path in folder.glob(f"{pattern}/*.parquet")}
    return {
        path.relative_to(folder).as_posix(): file_hash(path)
        for path in sorted(tables)
        if path.suffix == ".parquet"
    }


def read_table(path: Path) -> pd.DataFrame:
    """Read a Parquet table that this package wrote; one of a run as its step wrote it.

    Raises
    ------
    ImagestrataError
        If the table is damaged, or is not the one of which ``run.json`` has the hash.
    FileNotFoundError
        If it is missing.
    """
    try:
        data = path.read_bytes()
        _check_hash(path, data)
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
        frame: pd.DataFrame = table.to_pandas()
        return frame
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path, error) from None


def _check_hash(path: Path, data: bytes) -> None:
    """Refuse a table of a run that is not the one that its step wrote."""
    run = run_of(path)
    if run is None:
        return
    name = path.absolute().relative_to(run).as_posix()
    for step, entry in read_run(run)["steps"].items():
        wrote = entry.get("sha256", {}).get(name) if entry["finished"] else None
        if wrote not in (None, hashlib.sha256(data).hexdigest()):
            raise ImagestrataError(
                f"{quote(path)} is not as the step {quote(step)} wrote it: it is damaged, or "
                "another file has taken its place.",
                f"Put the original back, or delete it and run {SAME_CALL} again: it is made anew.",
            )


def holds(folder: Path, name: str, asked: Mapping[str, Any]) -> bool:
    """Whether a folder has just this step, finished."""
    old = read_run(folder)["steps"].get(name)
    return old is not None and bool(old["finished"]) and asked.items() <= old.items()


def _other_settings(
    folder: Path, name: str, old: dict[str, Any], new: dict[str, Any]
) -> ImagestrataError:
    names = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    was = ", ".join(setting(key, old.get(key)) for key in names)
    now = ", ".join(setting(key, new.get(key)) for key in names)
    return ImagestrataError(
        f"{quote(folder)} already holds the step {quote(name)} with {was}; now {now} is asked for.",
        OR_REPLACE,
    )


def fingerprint(content: Any) -> str:
    """A short hash of any JSON-like content, the same on every machine."""
    text = json.dumps(plain(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def version() -> str:
    """The version of this package."""
    return metadata.version("imagestrata")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, without importing them."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def plain(value: Any) -> Any:
    """The value as JSON gives it back: tuples as lists, paths as text."""
    return json.loads(json.dumps(value, default=str))


def now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
