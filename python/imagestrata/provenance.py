"""Where results come from: the run folder and its ``run.json``.

A run folder holds what the steps of the road of data left behind. ``run.json``
says of each step with which settings, on which inputs and with which versions
it was made, and whether it is finished. A step that is asked for again with the
same settings on the same inputs is taken as it is; one that was interrupted
goes on; one with other settings is refused, so that nothing is lost by mistake.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from .cores import usable_cores
from .errors import ImagestrataError
from .files import Parts, make_folder, read_json, write_json
from .lock import FolderLock, lock_folder
from .validate import check_path
from .wording import arg, quote, setting, verb

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
#: The verb that does a step.
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
    overwrite : bool, default False
        Replace what an earlier call with other settings or inputs left here,
        together with the steps that were built on it.
    results : sequence of str, default ()
        Files that the finished step leaves in the folder: where one was deleted,
        the step is not finished.

    Attributes
    ----------
    folder : Path or None
        The run folder.
    finished : bool
        Whether the result is already there, to be loaded instead of computed.

    Raises
    ------
    ImagestrataError
        If the folder cannot be written, holds the step with other settings, or another
        process is working in it.

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
        overwrite: bool = False,
        results: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.folder: Path | None = None
        self.finished = False
        self._key = fingerprint({"settings": settings, "inputs": inputs})
        self._lock: FolderLock | None = None
        if out is None:
            return
        self.folder = make_folder(out)
        run = read_run(self.folder)
        if not self._is_finished(run, settings, inputs, results):
            self._lock = lock_folder(self.folder)
            # What another process finished while it held the lock.
            run = read_run(self.folder)
        old = run["steps"].get(name)
        same_settings = old is not None and old["settings"] == _plain(settings)
        if old is not None and not overwrite:
            if not same_settings:
                raise _other_settings(self.folder, name, old["settings"], _plain(settings))
            if old["inputs"] != inputs and old["finished"]:
                raise ImagestrataError(
                    f"{quote(self.folder)} already holds the step {quote(name)}, made from other "
                    "images or earlier results than those given now.",
                    f"Choose another output folder, or use {arg('overwrite', True)} "
                    "to replace it and the steps after it.",
                )
        if same_settings and old["inputs"] == inputs:
            self.finished = self._is_finished(run, settings, inputs, results)
            if self.finished:
                # Of a process that was killed just before it would have removed them.
                _drop_parts(self.folder, name)
            return
        for lost in [name, *_built_on(name)]:
            run["steps"].pop(lost, None)
            shutil.rmtree(self.folder / "partial" / lost, ignore_errors=True)
        run["steps"][name] = {
            "settings": _plain(settings),
            "inputs": inputs,
            "started": _now(),
            "finished": None,
        }
        _write_run(self.folder, run)

    def _is_finished(
        self, run: dict[str, Any], settings: Mapping[str, Any], inputs: str, results: Sequence[str]
    ) -> bool:
        assert self.folder is not None
        old = run["steps"].get(self.name)
        return (
            old is not None
            and bool(old["finished"])
            and old["settings"] == _plain(settings)
            and old["inputs"] == inputs
            and all((self.folder / result).exists() for result in results)
        )

    @property
    def parts(self) -> Parts | None:
        """Where this step keeps its unfinished work; None without a run folder."""
        if self.folder is None:
            return None
        return Parts(self.folder / "partial" / self.name / self._key)

    def finish(self, **counts: Any) -> None:
        """Record that the results are stored, with counts worth knowing; drop unfinished work."""
        if self.folder is None:
            return
        run = read_run(self.folder)
        run["steps"][self.name] |= {
            "finished": _now(),
            "versions": versions(),
            "machine": {"system": platform.platform(), "cores": usable_cores()},
            "counts": _plain(counts),
        }
        _write_run(self.folder, run)
        _drop_parts(self.folder, self.name)
        self._lock = None


def read_run(folder: Path) -> dict[str, Any]:
    """The content of ``run.json``, or of an empty run where there is none yet."""
    path = folder / "run.json"
    if not path.exists():
        return {"imagestrata": version(), "steps": {}}
    run: dict[str, Any] = read_json(path)
    if "steps" not in run:
        raise ImagestrataError(f"{quote(path)} was not written by imagestrata.")
    return run


def require_step(folder: Path, name: str) -> dict[str, Any]:
    """What ``run.json`` says of a finished step, or an error that says how to make it."""
    run = read_run(check_path("run", folder))
    entry: dict[str, Any] | None = run["steps"].get(name)
    if entry is None or not entry["finished"]:
        state = "was interrupted" if entry else "has not been run"
        raise ImagestrataError(
            f"In {quote(folder)} the step {quote(name)} {state}.",
            f"Call {verb(_VERBS[name])} first, with this folder as {arg('out')}.",
        )
    return entry


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


def _built_on(name: str) -> list[str]:
    """The steps that rest on a step, directly or not."""
    above = [step for step, base in STEPS.items() if base == name]
    return above + [further for step in above for further in _built_on(step)]


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
        f"Choose another output folder, or use {arg('overwrite', True)} to replace "
        "it and the steps after it.",
    )


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
