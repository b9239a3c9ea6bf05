"""Remove the results that use a replaced result from a run folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from ..errors import warn
from ..files import damaged, make_folder, rename, write_error, write_json
from ..lock import lock_folder
from ..steps import step_kinds
from ..wording import quote
from .run import made_from, now, read_run, results_of, variants_of, version, write_run

REPLACED = "replaced"


def retire_all(folder: Path, name: str, result: str | None) -> None:
    """Remove the steps of a run and its variants that use another result of a step than this one.

    With None, remove the step itself as well.
    """
    steps = read_run(folder)["steps"]
    before = steps[name].get("replaces", steps[name]).get("result")
    same = {result, *steps[name].get("earlier", [])}
    lost = _resting_on(steps, name, same)
    if lost or result is None or before not in (None, result):
        _retire(folder, name, lost, gone=result is None, other=before not in (None, result))
    for variant in variants_of(folder):
        own = read_run(variant)["steps"]
        lost = [] if name in own else _resting_on(own, name, same)
        if lost:
            lock = lock_folder(variant)
            finish_moving(variant)
            _retire(variant, None, lost)
            del lock


def _resting_on(steps: Mapping[str, Any], name: str, same: Set[str | None]) -> list[str]:
    """The steps that use, directly or not, another result of a step than these.

    The results from which a step grew are contained in its latest one. None stands for no result.
    """
    for step, kind in step_kinds().items():
        if kind.edits == name and step in steps and steps[step]["made_from"].get(name) in same:
            same = {*same, *results_of(steps[step])}
    lost: set[str] = set()
    for step in step_kinds():  # each behind the steps that it uses
        if step not in steps or step == name:
            continue
        bases = made_from(step, steps[step])
        other = name in bases and (None in same or bases[name] not in same)
        if other or lost & {*bases}:
            lost.add(step)
    return [step for step in step_kinds() if step in lost]


def _retire(
    folder: Path, name: str | None, lost: list[str], *, gone: bool = False, other: bool = False
) -> None:
    """Remove steps from ``run.json`` and their files from the folder.

    The plan is written to ``run.json`` first, so that the next process completes it after a kill.

    Parameters
    ----------
    folder : Path
    name : str or None
        The step that is replaced.
    lost : list of str
        The steps that use its result.
    gone, other : bool
        Whether the step itself is removed, or has another result than before.
    """
    run = read_run(folder)
    steps = run["steps"]
    own = [] if name is None else [name]
    told = [*(own if gone or other else []), *lost]
    moves = _existing(folder, "tables", lost) + _existing(folder, "work", told)
    if moves:
        moves += _existing(folder, "tables", own)
    reused = [step for step in own if step_kinds()[step].reuses]
    removes = _existing(folder, "drawn", [step for step in told if step not in reused])
    entries = {step: steps[step].get("replaces", steps[step]) for step in [*own, *lost]}
    taken = [*(own if gone else []), *lost]
    for step in taken:
        del steps[step]
    run["moving"] = {
        "to": _stamp(folder),
        "moves": sorted({path.relative_to(folder).as_posix() for path in moves}),
        "removes": [path.relative_to(folder).as_posix() for path in removes],
        "partial": taken,
        "steps": entries,
    }
    write_run(folder, run)
    finish_moving(folder)


def finish_moving(folder: Path) -> None:
    """Carry out or continue the plan that :func:`_retire` wrote. The folder is locked."""
    run = read_run(folder)
    if "moving" not in run:
        return
    moving = run["moving"]
    # A folder from somebody else may list other files: only files of our steps are moved.
    for step in step_kinds():
        if step in moving["partial"]:
            shutil.rmtree(folder / "partial" / step, ignore_errors=True)
    for path in _existing(folder, "drawn", step_kinds()):
        if path.relative_to(folder).as_posix() in moving["removes"]:
            _remove(path)
    if moving["moves"]:
        place = _replaced(folder, moving["to"])
        for path in _existing(folder, "tables", step_kinds()) + _existing(
            folder, "work", step_kinds()
        ):
            if path.relative_to(folder).as_posix() in moving["moves"]:
                _rename(path, place / path.name)
        steps = {step: moving["steps"][step] for step in step_kinds() if step in moving["steps"]}
        write_json(place / "run.json", {"imagestrata": version(), "steps": steps})
        names = ", ".join(sorted(path.name for path in place.iterdir() if path.name != "run.json"))
        warn(
            f"Files that use a replaced result were moved to {quote(place)}: {names}.",
        )
    del run["moving"]
    write_run(folder, run)


def remove_drawn(folder: Path, name: str) -> None:
    """Remove figures and tables that show an earlier result of a step. The folder is locked."""
    for path in _existing(folder, "drawn", [name]):
        _remove(path)


def keep_changed(folder: Path, path: Path) -> None:
    """Move a file that somebody changed to the replaced files."""
    place = _replaced(folder, _stamp(folder))
    _rename(path, place / path.name)
    warn(f"The changed file {quote(path.name)} was moved to {quote(place)}.")


def _stamp(folder: Path) -> str:
    """Name of a new folder for the files that are replaced now."""
    time = now().replace(":", "").replace("+0000", "Z")
    taken = [path.name for path in (folder / REPLACED).glob(f"{time}*")]
    return f"{time}-{len(taken) + 1}" if taken else time


def _replaced(folder: Path, stamp: str) -> Path:
    if not re.fullmatch(r"[\dTZ-]+", stamp):
        raise damaged(folder / "run.json", "it contains a time that imagestrata did not write")
    return make_folder(folder / REPLACED / stamp)


def _existing(folder: Path, files: str, steps: Iterable[str]) -> list[Path]:
    """Existing ``tables``, ``work`` or ``drawn`` files of some steps, each once."""
    wanted = [pattern for step in steps for pattern in getattr(step_kinds()[step], files)]
    return sorted({path for pattern in wanted for path in folder.glob(pattern)})


def _rename(path: Path, target: Path) -> None:
    try:
        rename(path, target)
    except OSError as error:
        raise write_error(path, error) from None


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from None
