"""Read a run folder: ``run.json``, its steps and their tables."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
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
from ..wording import SAME_CALL, Name, arg, quote, setting, verb

_PACKAGES = (
    "imagestrata", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "torch", "torchvision",
    "pillow", "pillow-heif", "opencv-python-headless", "safetensors",
    "umap-learn", "hdbscan",
)  # fmt: skip

VARIANTS = "variants"

OR_REPLACE = (
    f"Choose another {arg('out')}, such as a variant, or use {arg('overwrite', True)} to replace "
    "it and the steps after it."
)


def read_run(folder: Path) -> dict[str, Any]:
    """The content of ``run.json``, or of an empty run if the file does not exist."""
    path = folder / "run.json"
    if not path.exists():
        return {"imagestrata": version(), "steps": {}}
    run = read_json(path)
    if "steps" not in run:
        raise ImagestrataError(f"{quote(path)} was not written by imagestrata.")
    steps = run["steps"]
    sound = isinstance(steps, dict) and all(map(_is_entry, steps.values()))
    if not sound or not _is_moving(run.get("moving")):
        raise damaged(path, "it contains steps that imagestrata did not write")
    return run


def _is_entry(entry: Any) -> bool:
    """Whether a value has the form of the entry of a step in ``run.json``."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("settings"), dict)
        and {"inputs", "finished"} <= {*entry}
        and isinstance(entry.get("made_from", {}), dict)
        and isinstance(entry.get("counts", {}), dict)
        and isinstance(entry.get("sha256", {}), dict)
        and isinstance(entry.get("earlier", []), list)
        and ("replaces" not in entry or _is_entry(entry["replaces"]))
    )


def _is_moving(moving: Any) -> bool:
    """Whether a value has the form of the plan that :func:`_retire` writes, or is None."""
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


def is_variant(folder: Path) -> bool:
    """Whether a folder is that of a variant of a run."""
    return run_around(folder) is not None


def run_around(folder: Path) -> Path | None:
    """The run folder around a variant; None for a folder that is not a variant."""
    where = folder.absolute()
    around = where.parent.parent
    if where.parent.name != VARIANTS or not (around / "run.json").is_file():
        return None
    return around


def variant_folder(run: Path, name: str | None) -> Path:
    """The folder of the variant ``name`` of a run, or the run itself without a name."""
    return run if name is None else check_variant(run / VARIANTS / name)


def variants_of(run: Path) -> list[Path]:
    """The folders of all variants of a run that have a step of their own."""
    return sorted(path.parent for path in (run / VARIANTS).glob("*/run.json"))


def check_variant(folder: Path) -> Path:
    """Check that the name of a folder is valid for a variant."""
    if not re.fullmatch(r"\w[\w.-]*", folder.name) or folder.parent.name != VARIANTS:
        raise ImagestrataError(
            f"A variant cannot be named {quote(folder.name)}.",
            "Use letters, digits, '_', '-' and '.'; a name must not begin with '-' or '.'.",
        )
    return folder


def check_settings(
    out: str | os.PathLike[str] | None, name: str, settings: Mapping[str, Any], overwrite: bool
) -> None:
    """Refuse a step that the folder already contains with other settings."""
    if out is None or overwrite:
        return
    folder = check_path("out", out)
    old = read_run(folder)["steps"].get(name)
    if old is not None and old["settings"] != plain(settings):
        before, after = old["settings"], plain(settings)
        changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        was = ", ".join(setting(key, before.get(key)) for key in changed)
        asked = ", ".join(setting(key, after.get(key)) for key in changed)
        raise ImagestrataError(
            f"{quote(folder)} already holds the step {quote(name)} with {was}, not with {asked}.",
            OR_REPLACE,
        )


def finished_before(entry: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The entry of a finished step, or of the finished one that an unfinished step replaces."""
    if entry is None or entry["finished"]:
        return None if entry is None else dict(entry)
    replaced: dict[str, Any] | None = entry.get("replaces")
    return replaced if replaced is not None and replaced["finished"] else None


def results_of(entry: Mapping[str, Any]) -> list[str]:
    """The fingerprints of a step's result, first the latest, and of those from which it grew."""
    latest = [entry["result"]] if entry.get("result") is not None else []
    return [*latest, *entry.get("earlier", [])]


def editing_of(folder: Path, base: str) -> dict[str, Any] | None:
    """The entry of the step that edited a result in a run; None if there is none."""
    names = [kind.name for kind in step_kinds().values() if kind.edits == base]
    entries = [find_step(folder, name)[1] for name in names]
    return next((entry for entry in entries if entry is not None and entry["finished"]), None)


def usable_results(folder: Path, base: str, held: Mapping[str, Any]) -> list[str]:
    """The results that steps in a run may use: first the latest, then those before it."""
    edited = editing_of(folder, base)
    return [*(results_of(edited) if edited is not None else []), *results_of(held)]


def edited_since(folder: Path, name: str) -> bool:
    """Whether a result that a finished step uses was edited after it finished."""
    entry = read_run(folder)["steps"][name]
    edits = [editing_of(folder, base) for base in entry.get("made_from", {})]
    return any(one is not None and one["finished"] >= (entry["finished"] or "") for one in edits)


def made_since(folder: Path, name: str, other: str) -> bool:
    """Whether another step finished after a finished step of a run."""
    entry, newer = read_run(folder)["steps"][name], find_step(folder, other)[1]
    return newer is not None and (newer["finished"] or "") >= (entry["finished"] or "")


def bases_have_grown(folder: Path, name: str) -> bool:
    """Whether a step uses earlier results of steps that have grown since, and no replaced ones."""
    newer = []
    for base, given in read_run(folder)["steps"][name].get("made_from", {}).items():
        _, held = find_step(folder, base)
        if held is None or not held["finished"]:
            return False
        results = usable_results(folder, base, held)
        if given not in results:
            return False
        newer.append(given != results[0])
    return any(newer)


def find_step(folder: Path, name: str) -> tuple[Path, dict[str, Any] | None]:
    """The folder of a step (the run folder, or the run around a variant) and its entry.

    A variant does not use a step of that run if the step uses one that the variant has itself.
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
    """Whether a step uses, directly or not, one of these steps."""
    bases = made_from(name, steps[name]) if name in steps else {}
    return any(base in replaced or _rests_on(steps, base, replaced) for base in bases)


def made_from(name: str, entry: Mapping[str, Any]) -> dict[str, str | None]:
    """The results that a step uses; None for results that an older version did not record."""
    found: dict[str, str | None] | None = entry.get("made_from")
    return dict.fromkeys(step_kinds()[name].after[:1]) if found is None else found


def step_folder(folder: Path, name: str) -> Path:
    """The folder with the result of a step; for a variant, often the run around it."""
    return find_step(folder, name)[0]


def check_run(name: str, value: Any) -> Path:
    """Check for a run folder that exists, or a variant of one, which may have no step yet."""
    folder = check_path(name, value)
    if not folder.exists() and run_around(folder) is None:
        raise ImagestrataError(
            f"There is no run folder {quote(folder)} (working folder: {quote(Path.cwd())}).",
            f"Check the spelling, or make one with {verb('scan_images', ..., out=Name('folder'))}.",
        )
    return folder


def require_step(folder: Path, name: str) -> dict[str, Any]:
    """The entry of a finished step; an error that names the verb to run if it is not finished."""
    place, entry = find_step(check_run("run", folder), name)
    kind = step_kinds()[name]
    again = f"Run {verb(kind.verb)} on it first."
    if entry is None or not entry["finished"]:
        state = "was interrupted" if entry else "has not been run"
        raise ImagestrataError(f"In {quote(folder)} the step {quote(name)} {state}.", again)
    if not (place / kind.product).exists():
        raise ImagestrataError(
            f"In {quote(place)} the step {quote(name)} is finished, but {quote(kind.product)} is "
            "missing.",
            f"Run {verb(kind.verb)} again with the same settings, which writes it again.",
        )
    for base, given in entry.get("made_from", {}).items():
        _, held = find_step(place, base)
        known = held is None or "result" not in held or given in usable_results(place, base, held)
        if held is not None and not (held["finished"] and known):
            state = "has been replaced" if held["finished"] else "is being replaced"
            raise ImagestrataError(
                f"In {quote(place)} the step {quote(name)} uses a result of the step "
                f"{quote(base)} that {state}.",
                f"Finish {verb(step_kinds()[base].verb)}, then use "
                f"{verb(kind.verb, overwrite=True)}.",
            )
    return entry


def held_result(out: str | os.PathLike[str] | None, name: str) -> str | None:
    """Fingerprint of the result of a finished step in a run folder; None if it has none."""
    entry = None if out is None else find_step(check_path("out", out), name)[1]
    return entry.get("result") if entry is not None and entry["finished"] else None


def one_of(out: str | os.PathLike[str] | None, name: str, given: Sequence[str]) -> str:
    """The one of several results of a step that the folder contains, or the first of them."""
    held = held_result(out, name)
    return held if held is not None and held in given else given[0]


def part_of(
    out: str | os.PathLike[str] | None, name: str, given: str, is_part: Callable[[Path], bool]
) -> str:
    """Fingerprint of the result of a step in ``out``, if the given result is a part of it.

    Parameters
    ----------
    out : path or None
    name : str
    given : str
        Fingerprint of the given result, which is returned otherwise.
    is_part : callable
        Takes the run folder; returns whether the given result is a part of the one there.
    """
    held = held_result(out, name)
    if out is None or held is None or held == given:
        return given
    return held if is_part(check_path("out", out)) else given


def _refuse_unedited(folder: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Refuse a step that uses a result which was edited since."""
    kind = step_kinds().get(name)
    for base, used in entry.get("made_from", {}).items():
        edited = editing_of(folder, base)
        if kind is None or kind.edits == base or edited is None or edited["result"] == used:
            continue
        raise ImagestrataError(
            f"In {quote(folder)} the step {quote(name)} uses the result of the step {quote(base)} "
            "before it was edited.",
            f"Run {verb(kind.verb)} again with the same settings and the edited result: it keeps "
            "what it can.",
        )


def check_base(folder: Path, base: str, given: str, name: str) -> None:
    """Refuse a result of the step ``base`` other than the one in the folder.

    Parameters
    ----------
    folder : Path
    base : str
    given : str
        Fingerprint of the given result of ``base``.
    name : str
        The step that uses it.
    """
    place, held = find_step(folder, base)
    if held is None:
        return
    kind = step_kinds().get(name)
    edits_it = kind is not None and kind.edits == base
    edited = None if edits_it else editing_of(folder, base)
    if edited is not None:
        if given == edited["result"]:
            return
        raise ImagestrataError(
            f"{quote(place)} holds an edited result of the step {quote(base)}, another than the "
            f"one given for {quote(name)}: its tables would contradict each other.",
            f"Read the edited result from the folder, or choose another {arg('out')}.",
        )
    if given in results_of(held):
        # A page that is drawn again at any time only marks images of an earlier result.
        if kind is None or kind.product.partition("/")[0] not in kind.drawn:
            _refuse_unedited(folder, base, held)
        return
    if not held["finished"]:
        raise ImagestrataError(
            f"In {quote(place)} the step {quote(base)} was interrupted: its result cannot be "
            "compared with the given one.",
            f"Finish it first: run the same {verb(step_kinds()[base].verb)} again.",
        )
    if "result" not in held:
        warn(
            f"{quote(place)} was made by an older version, which did not record the result of "
            f"the step {quote(base)}: whether the step {quote(name)} uses that result cannot be "
            "checked."
        )
        return
    counts = ", ".join(f"{key} {value}" for key, value in held.get("counts", {}).items())
    raise ImagestrataError(
        f"{quote(place)} holds another result of the step {quote(base)} ({counts}) than the one "
        f"given for {quote(name)}: its tables would contradict each other.",
        f"Give the result in the folder. Or choose another {arg('out')}, or a variant such as "
        f"{quote(place / VARIANTS / 'NAME')}, for this result and the later steps. Or store this "
        f"result in the folder with {arg('overwrite', True)}, which replaces the one there.",
    )


def run_of(path: Path) -> Path | None:
    """The run folder around a file or folder; None if there is none."""
    around = list(path.absolute().parents)[:2]
    return next((folder for folder in around if (folder / "run.json").is_file()), None)


def table_hashes(folder: Path, name: str) -> dict[str, str]:
    """SHA-256 of each Parquet table of a step, by its name in the folder."""
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
    """Read a Parquet table that this package wrote, and check its hash if it belongs to a run.

    Raises
    ------
    ImagestrataError
        If the table is damaged, or does not have the hash in ``run.json``.
    FileNotFoundError
        If it is missing.
    """
    try:
        data = path.read_bytes()
        _check_hash(path, data)
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
        frame: pd.DataFrame = table.to_pandas()
        return frame
    except (FileNotFoundError, NotADirectoryError, ImagestrataError):
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path, error) from None


def _check_hash(path: Path, data: bytes) -> None:
    """Refuse a table of a run that is not the one its step wrote."""
    run = run_of(path)
    if run is None:
        return
    name = path.absolute().relative_to(run).as_posix()
    for step, entry in read_run(run)["steps"].items():
        wrote = entry.get("sha256", {}).get(name) if entry["finished"] else None
        if wrote not in (None, hashlib.sha256(data).hexdigest()):
            raise ImagestrataError(
                f"{quote(path)} is not the file that the step {quote(step)} wrote: it is damaged "
                "or was replaced.",
                f"Restore the original, or delete the file and run {SAME_CALL} again.",
            )


def holds(folder: Path, name: str, asked: Mapping[str, Any]) -> bool:
    """Whether a folder contains this step, finished, with these settings and inputs."""
    old = read_run(folder)["steps"].get(name)
    return old is not None and bool(old["finished"]) and asked.items() <= old.items()


def fingerprint(content: Any) -> str:
    """A short hash of JSON-like content, the same on every machine."""
    text = json.dumps(plain(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def version() -> str:
    """The version of this package, whose metadata take a millisecond to read."""
    return metadata.version("imagestrata")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that affect results, without importing them."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def plain(value: Any) -> Any:
    """The value after a round trip through JSON: tuples become lists, paths become text."""
    return json.loads(json.dumps(value, default=str))


def now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
