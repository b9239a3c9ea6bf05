"""Where results come from: the run folder and its ``run.json``.

A run folder holds what the steps of the road of data left behind. ``run.json``
says of each step with which settings, on which inputs and with which versions
it was made, and whether it is finished. A step that is asked for again with the
same settings on the same inputs is taken as it is; one that was interrupted
goes on; one with other settings is refused, so that nothing is lost by mistake.

A run folder is one story. A step records fingerprints of its result and of the
results that it was made from, so that a table of another story is refused. What
was made from a result that is replaced leaves the folder: figures and pages are
removed, since the same command draws them again; tables, and all that people work
with, move to ``replaced/`` and the time of day.

Several clusterings or encoders lie side by side as *variants*: a variant is a run
folder ``variants/NAME`` in a run folder, and takes from the run around it every step
that it does not have itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from .cores import usable_cores
from .errors import ImagestrataError, warn
from .files import (
    Parts,
    damaged,
    make_folder,
    read_json,
    refuse_links,
    write_error,
    write_json,
)
from .lock import FolderLock, lock_folder
from .validate import check_path
from .wording import arg, quote, setting, verb

_T = TypeVar("_T")

#: The steps that leave something in a run folder, in the order of the road of data, each with
#: the step that it is built on.
STEPS = {
    "scan": None,
    "fine-tune": "scan",
    "embed": "scan",
    "describe": "scan",
    "tag": "scan",
    "read": "scan",
    "faces": "scan",
    "cluster": "embed",
    "sample": "cluster",
    "gallery": "sample",
    "pairs": "embed",
    "tune": None,
    "assign": "sample",
}

#: The table by which a finished step is known to be there.
PRODUCTS = {
    "scan": "images.parquet",
    "fine-tune": "model/model.json",
    "embed": "embeddings/encoder.json",
    "describe": "descriptions.parquet",
    "tag": "tags.parquet",
    "read": "texts.parquet",
    "faces": "faces.parquet",
    "cluster": "clustering.parquet",
    "sample": "sample.csv",
    "gallery": "gallery/index.html",
    "pairs": "pairs.csv",
    "tune": "tuning.json",
    "assign": "packets.csv",
}

#: What a step leaves besides, and what commands write that tells of its result. Of a step that
#: is replaced, tables move only together with what was built on them.
_TABLES = {
    "scan": ["images.parquet"],
    "fine-tune": ["model", "training.png"],
    "describe": ["descriptions.parquet"],
    "tag": ["tags.parquet", "tag-frequencies.csv"],
    "read": ["texts.parquet"],
    "faces": ["faces.parquet", "faces"],
    "cluster": [
        *("clustering.parquet", "clusters.parquet", "trace.parquet", "centroids.parquet"),
        "clustering.json",
    ],
}

#: What people work with: it always moves and is never removed.
_PEOPLES = {
    "embed": ["tuning"],
    "cluster": ["coding-sheet.html", "coding-sheet.csv", "scores.csv"],
    "sample": ["sample.csv"],
    "pairs": ["pairs.csv", "judge-pairs.*", "agreement.csv", "scores.csv"],
    "assign": ["packets.csv", "rate-*"],
}

#: What the same command draws again: it is removed.
_DRAWN = {
    "embed": ["embeddings/encoder.json", "embeddings/vectors.*", "sweep.csv", "sweep.png"],
    "describe": ["keywords.csv"],
    "tag": ["keywords.csv", "tags.png"],
    "read": ["keywords.csv"],
    "cluster": ["keywords.csv", "montage.png", "map.png"],
    "gallery": ["gallery", "montage.png", "map.png"],
}

#: Steps that may well find the same again when they are replaced, because files moved, say: what
#: was built on them waits until it is known.
_WAIT = {"scan"}

VARIANTS, REPLACED = "variants", "replaced"

#: The verb that makes a step.
_VERBS = {
    "scan": "scan_images",
    "fine-tune": "fine_tune",
    "embed": "embed_images",
    "describe": "describe_images",
    "tag": "tag_images",
    "read": "read_text",
    "faces": "crop_faces",
    "cluster": "cluster_images",
    "sample": "sample_images",
    "gallery": "image_gallery",
    "pairs": "sample_pairs",
    "tune": "tune_clusters",
    "assign": "assign_annotators",
}

_OR_REPLACE = (
    f"Choose another {arg('out')}, such as a variant, or use {arg('overwrite', True)} to replace "
    "it and the steps after it."
)

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


class Step:
    """One step of a run: finished, begun, or new.

    Parameters
    ----------
    out : path or None
        The run folder; with None nothing is stored and every step is new.
    name : str
        One of :data:`STEPS`.
    settings : mapping
        The arguments that decide the result, as plain JSON values.
    inputs : str
        Fingerprint of what the step works on, see :func:`fingerprint`.
    made_from : mapping of str to str, default {}
        Fingerprints of the results of earlier steps that were given. Where the run folder
        holds another result of such a step, the step is refused.
    overwrite : bool, default False
        Replace what an earlier call with other settings or inputs left here,
        together with the steps that were built on it.

    Attributes
    ----------
    folder : Path or None
        The run folder; of a variant that the run around it has the same result for, that run.
    finished : bool
        Whether the result is already there, to be loaded instead of computed: see :meth:`stored`.

    Raises
    ------
    ImagestrataError
        If the folder cannot be written, holds the step with other settings, holds other
        results than those it is made from, or another process is working in it.

    Warns
    -----
    UserWarning
        If something moved to ``replaced/``, or an older version made the run, which did not
        record what its steps were made from.

    Notes
    -----
    A step that is not finished yet locks its folder until it is, or until it is
    forgotten, see :mod:`~imagestrata.lock`. Finished ones can be loaded at any time.
    """

    def __init__(
        self,
        out: str | os.PathLike[str] | None,
        name: str,
        settings: Mapping[str, Any],
        *,
        inputs: str,
        made_from: Mapping[str, str] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.name = name
        self.folder: Path | None = None
        self.finished = False
        self._overwrite = overwrite
        self._key = fingerprint({"settings": settings, "inputs": inputs})
        self._lock: FolderLock | None = None
        if out is None:
            return
        bases = dict(made_from or {})
        asked = {"settings": _plain(settings), "inputs": inputs}
        self.folder = make_folder(out)
        around = run_around(self.folder)
        if around is not None:
            check_variant(self.folder)
            if name not in read_run(self.folder)["steps"] and _holds(around, name, asked):
                self.folder = around
        if not _holds(self.folder, name, asked):
            refuse_links(self.folder)
            self._lock = lock_folder(self.folder)
            finish_moving(self.folder)
        # Read now, since another process may have finished something while it held the lock.
        run = read_run(self.folder)
        old = run["steps"].get(name)
        same_settings = old is not None and old["settings"] == asked["settings"]
        if not _holds(self.folder, name, asked):
            for base, given in bases.items():
                check_base(self.folder, base, given, name)
        check_settings(self.folder, name, settings, overwrite)
        if old is not None and not overwrite and old["inputs"] != inputs and old["finished"]:
            if "made_from" not in old:
                raise _of_older_version(self.folder, name)
            raise ImagestrataError(
                f"{quote(self.folder)} already holds the step {quote(name)}, made from other "
                "images or earlier results than those given now.",
                _OR_REPLACE,
            )
        if same_settings and old["inputs"] == inputs:
            self.finished = bool(old["finished"])
            if self.finished:
                # Of a process that was killed just before it would have removed them.
                _drop_parts(self.folder, name)
            return
        entry = asked | {"made_from": bases, "started": _now(), "finished": None}
        if old is not None and name in _WAIT:
            entry["replaces"] = {k: v for k, v in old.items() if k != "replaces"}
        elif old is not None:
            _retire_all(self.folder, name, None)
            run = read_run(self.folder)
        shutil.rmtree(self.folder / "partial" / name, ignore_errors=True)
        run["steps"][name] = entry
        _write_run(self.folder, run)

    @property
    def parts(self) -> Parts | None:
        """Where this step keeps its unfinished work; None without a run folder."""
        if self.folder is None:
            return None
        return Parts(self.folder / "partial" / self.name / self._key)

    def result(
        self,
        read: Callable[[Path], _T | None],
        make: Callable[[], _T],
        write: Callable[[_T, Path], Mapping[str, Any] | None],
        *,
        identity: Callable[[_T], str] | None = None,
        note: Mapping[str, Any] | None = None,
    ) -> _T:
        """The result of the step: read where it is finished, else made and written, once.

        Parameters
        ----------
        read : callable
            Reads the result from the folder that is given. None, an :class:`ImagestrataError`
            or an error of the system says that it is missing or damaged: it is made again.
        make : callable
            Computes the result; what is unfinished lies in :attr:`parts`.
        write : callable
            Stores the result in the folder that is given, and returns counts for
            ``run.json``; or None if the step is not finished, since some of it has failed
            and the same call tries it again. Not called without a run folder.
        identity : callable, optional
            Gives the fingerprint of a result, by which other steps say what they are made
            from. A table that people may edit is refused unless it has the recorded one.
        note : mapping, optional
            What ``run.json`` says of the finished step beside the counts.

        Raises
        ------
        ImagestrataError
            If the table was edited and ``overwrite`` is False; or if the run holds another
            result of a step that this one is made from.
        """
        edited = PRODUCTS[self.name] in _PEOPLES.get(self.name, [])
        found = self.stored(read, identity if edited else None)
        if found is not None:
            return found
        made = make()
        if self.folder is None:
            return made
        if identity is not None:
            self.made(identity(made))
        counts = write(made, self.folder)
        if counts is not None:
            self.finish(note, **counts)
        return made

    def stored(
        self, read: Callable[[Path], _T | None], result: Callable[[_T], str] | None = None
    ) -> _T | None:
        """The result of a finished step, or None where it has to be made.

        Parameters
        ----------
        read : callable
            Reads the result from the folder; an error of it, or of the system, says that the
            result is missing or damaged, and it is made again.
        result : callable, optional
            The fingerprint of what was read, of tables that people may have changed.

        Raises
        ------
        ImagestrataError
            If the result is not the one that was recorded, and ``overwrite`` is False.
        """
        if self.folder is None or not self.finished:
            return None
        entry = read_run(self.folder)["steps"][self.name]
        try:
            found = read(self.folder)
            if found is not None:
                if result is None or entry.get("result") in (None, result(found)):
                    return found
                file = self.folder / PRODUCTS[self.name]
                if not self._overwrite:
                    raise _changed(file, self.name)
                _move(self.folder, file)
        except _Changed:
            raise
        except (ImagestrataError, OSError):
            pass
        self.finished = False
        self._lock = lock_folder(self.folder)
        run = read_run(self.folder)
        run["steps"][self.name]["finished"] = None
        _write_run(self.folder, run)
        return None

    def made(self, result: str) -> None:
        """Record what was made, before it is stored: what was built on something else goes."""
        if self.folder is None:
            return
        entry = read_run(self.folder)["steps"][self.name]
        for base, given in entry.get("made_from", {}).items():
            check_base(self.folder, base, given, self.name)
        _retire_all(self.folder, self.name, result)
        run = read_run(self.folder)
        run["steps"][self.name]["result"] = result
        _write_run(self.folder, run)

    def finish(self, note: Mapping[str, Any] | None = None, /, **counts: Any) -> None:
        """Record that the results are stored, with counts worth knowing; drop unfinished work.

        Parameters
        ----------
        note : mapping, optional
            What else is to be found again in ``run.json``.
        **counts : optional
        """
        if self.folder is None:
            return
        run = read_run(self.folder)
        run["steps"][self.name].pop("replaces", None)
        run["steps"][self.name] |= {
            "finished": _now(),
            "versions": versions(),
            "machine": {"system": platform.platform(), "cores": usable_cores()},
            "counts": _plain(counts),
            **_plain(note or {}),
        }
        _write_run(self.folder, run)
        _drop_parts(self.folder, self.name)
        self._lock = None


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
    )


def _is_moving(moving: Any) -> bool:
    """Whether something has the form of what :func:`_retire` writes down, or is None."""
    return moving is None or (
        isinstance(moving, dict)
        and isinstance(moving.get("to"), str)
        and isinstance(moving.get("steps"), dict)
        and all(isinstance(moving.get(name), list) for name in ("moves", "removes", "partial"))
    )


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
    if old is not None and old["settings"] != _plain(settings):
        raise _other_settings(folder, name, old["settings"], _plain(settings))


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
    bases = steps[name].get("made_from", {STEPS[name]: None}) if name in steps else {}
    return any(base in replaced or _rests_on(steps, base, replaced) for base in bases)


def step_folder(folder: Path, name: str) -> Path:
    """The folder in which the result of a step lies: of a variant, often the run around it."""
    return find_step(folder, name)[0]


def require_step(folder: Path, name: str) -> dict[str, Any]:
    """What ``run.json`` says of a finished step, or an error that says how to make it."""
    place, entry = find_step(check_path("run", folder), name)
    again = f"Run {verb(_VERBS[name])} on it first."
    if entry is None or not entry["finished"]:
        state = "was interrupted" if entry else "has not been run"
        raise ImagestrataError(f"In {quote(folder)} the step {quote(name)} {state}.", again)
    if not (place / PRODUCTS[name]).exists():
        raise ImagestrataError(
            f"In {quote(place)} the step {quote(name)} is finished, but {quote(PRODUCTS[name])} is "
            "missing.",
            f"Run {verb(_VERBS[name])} again with the same settings: it is made anew.",
        )
    for base, given in entry.get("made_from", {}).items():
        _, held = find_step(place, base)
        if held is not None and not (held["finished"] and held.get("result", given) == given):
            state = "has been replaced since" if held["finished"] else "is being replaced"
            raise ImagestrataError(
                f"In {quote(place)} the step {quote(name)} was made from a result of "
                f"{quote(base)} that {state}.",
                f"Finish {verb(_VERBS[base])}, then use {verb(_VERBS[name], overwrite=True)}.",
            )
    return entry


def held_result(folder: Path, name: str) -> str | None:
    """Fingerprint of the result of a finished step, if it was recorded."""
    entry = find_step(folder, name)[1]
    return entry.get("result") if entry is not None and entry["finished"] else None


def one_of(out: str | os.PathLike[str] | None, name: str, given: Sequence[str]) -> str:
    """Of several results that are given for a step, the one that the folder holds, or the first."""
    held = None if out is None else held_result(check_path("out", out), name)
    return held if held is not None and held in given else given[0]


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
            f"Finish it first: run the same {verb(_VERBS[base])} again.",
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


class _Changed(ImagestrataError):
    """A table of the run is not the one that was written."""


def _changed(file: Path, name: str) -> _Changed:
    return _Changed(
        f"{quote(file)} is not as the step {quote(name)} wrote it: somebody changed it.",
        f"Put the original back, or use {arg('overwrite', True)} to make it again; the changed one "
        "is kept.",
    )


def fingerprint(content: Any) -> str:
    """A short hash of any JSON-like content, the same on every machine."""
    text = json.dumps(_plain(content), sort_keys=True, separators=(",", ":"))
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


def _drop_parts(folder: Path, name: str) -> None:
    """Remove the unfinished work of a step."""
    place = folder / "partial"
    shutil.rmtree(place / name, ignore_errors=True)
    with contextlib.suppress(OSError):  # there is none, or that of other steps
        place.rmdir()


def _holds(folder: Path, name: str, asked: Mapping[str, Any]) -> bool:
    """Whether a folder has just this step, finished."""
    old = read_run(folder)["steps"].get(name)
    return old is not None and bool(old["finished"]) and asked.items() <= old.items()


def _retire_all(folder: Path, name: str, result: str | None) -> None:
    """Take from a run and its variants what does not rest on this result of a step.

    With None, the step itself goes as well.
    """
    steps = read_run(folder)["steps"]
    before = steps[name].get("replaces", steps[name]).get("result")
    lost = _resting_on(steps, name, result)
    if lost or result is None or before not in (None, result):
        _retire(folder, name, lost, gone=result is None, other=before not in (None, result))
    for variant in sorted((folder / VARIANTS).glob("*/run.json")):
        own = read_run(variant.parent)["steps"]
        lost = [] if name in own else _resting_on(own, name, result)
        if lost:
            lock = lock_folder(variant.parent)
            finish_moving(variant.parent)
            _retire(variant.parent, None, lost)
            del lock


def _resting_on(steps: Mapping[str, Any], name: str, result: str | None) -> list[str]:
    """The steps that rest, directly or not, on another result of a step than this one."""
    lost: set[str] = set()
    for step in STEPS:  # in the order of the road
        if step not in steps or step == name:
            continue
        # Older versions did not record it: then the road says.
        bases = steps[step].get("made_from", {STEPS[step]: None})
        other = name in bases and (result is None or bases[name] != result)
        if other or lost & {*bases}:
            lost.add(step)
    return [step for step in STEPS if step in lost]


def _retire(
    folder: Path, name: str | None, lost: list[str], *, gone: bool = False, other: bool = False
) -> None:
    """Take steps from ``run.json`` and their files from the folder.

    What is to be done is written down first, so that whoever comes after a kill goes on with it.

    Parameters
    ----------
    folder : Path
    name : str or None
        The step that is replaced.
    lost : list of str
        Those that were built on it.
    gone, other : bool
        Whether the step itself is taken away, or has another result than before.
    """
    run = read_run(folder)
    steps = run["steps"]
    own = [] if name is None else [name]
    told = [*(own if gone or other else []), *lost]
    moves = _found(folder, _TABLES, lost) + _found(folder, _PEOPLES, told)
    if moves:
        moves += _found(folder, _TABLES, own)
    # Small copies on a page that is written anew are taken again.
    removes = _found(folder, _DRAWN, [step for step in told if [step] != own or step != "gallery"])
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
    _write_run(folder, run)
    finish_moving(folder)


def finish_moving(folder: Path) -> None:
    """Do, or go on with, what :func:`_retire` wrote down. The folder is locked."""
    run = read_run(folder)
    if "moving" not in run:
        return
    moving = run["moving"]
    # Nothing but what this version would write down, whatever a folder from somebody else says.
    for step in STEPS:
        if step in moving["partial"]:
            shutil.rmtree(folder / "partial" / step, ignore_errors=True)
    for path in _found(folder, _DRAWN, STEPS):
        if path.relative_to(folder).as_posix() in moving["removes"]:
            _remove(path)
    if moving["moves"]:
        place = _replaced(folder, moving["to"])
        for path in _found(folder, _TABLES, STEPS) + _found(folder, _PEOPLES, STEPS):
            if path.relative_to(folder).as_posix() in moving["moves"]:
                _rename(path, place / path.name)
        steps = {step: moving["steps"][step] for step in STEPS if step in moving["steps"]}
        write_json(place / "run.json", {"imagestrata": version(), "steps": steps})
        names = ", ".join(sorted(path.name for path in place.iterdir() if path.name != "run.json"))
        warn(
            f"What rests on results that are replaced moved to {quote(place)}: {names}.",
            stacklevel=5,
        )
    del run["moving"]
    _write_run(folder, run)


def _move(folder: Path, path: Path) -> None:
    """Keep a file that somebody changed."""
    place = _replaced(folder, _stamp(folder))
    _rename(path, place / path.name)
    warn(f"The changed {quote(path.name)} moved to {quote(place)}.")


def _stamp(folder: Path) -> str:
    """A name for a new folder of what is replaced now."""
    now = _now().replace(":", "").replace("+0000", "Z")
    taken = [path.name for path in (folder / REPLACED).glob(f"{now}*")]
    return f"{now}-{len(taken) + 1}" if taken else now


def _replaced(folder: Path, stamp: str) -> Path:
    if not re.fullmatch(r"[\dTZ-]+", stamp):
        raise damaged(folder / "run.json", "a time is not as imagestrata writes it")
    return make_folder(folder / REPLACED / stamp)


def _found(folder: Path, patterns: Mapping[str, list[str]], steps: Iterable[str]) -> list[Path]:
    """What is there of the files and folders of some steps, each once."""
    wanted = [pattern for step in steps for pattern in patterns.get(step, [])]
    return sorted({path for pattern in wanted for path in folder.glob(pattern)})


def _rename(path: Path, target: Path) -> None:
    try:
        path.replace(target)
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


def _plain(value: Any) -> Any:
    """The value as JSON gives it back: tuples as lists, paths as text."""
    return json.loads(json.dumps(value, default=str))


def _write_run(folder: Path, run: dict[str, Any]) -> None:
    order = [name for name in STEPS if name in run["steps"]]
    run["steps"] = {name: run["steps"][name] for name in order}
    write_json(folder / "run.json", run)


def _other_settings(
    folder: Path, name: str, old: dict[str, Any], new: dict[str, Any]
) -> ImagestrataError:
    names = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    was = ", ".join(setting(key, old.get(key)) for key in names)
    now = ", ".join(setting(key, new.get(key)) for key in names)
    return ImagestrataError(
        f"{quote(folder)} already holds the step {quote(name)} with {was}; now {now} is asked for.",
        _OR_REPLACE,
    )


def _of_older_version(folder: Path, name: str) -> ImagestrataError:
    return ImagestrataError(
        f"{quote(folder)} holds the step {quote(name)} as an older version made it, which did not "
        "record from what: whether it was the same as what is given now cannot be told.",
        f"Read {quote(PRODUCTS[name])} there as it is, choose another {arg('out')}, or use "
        f"{arg('overwrite', True)} to make it again.",
    )


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
