"""Run one step of an analysis, read its stored result, or continue it."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from ..cores import usable_cores
from ..errors import ImagestrataError
from ..files import Parts, make_folder, refuse_links, write_table
from ..lock import FolderLock, lock_folder
from ..steps import step_kinds
from ..validate import check_path
from ..wording import arg, quote
from .replaced import finish_moving, keep_changed, retire_all
from .run import (
    OR_REPLACE,
    check_base,
    check_settings,
    check_variant,
    fingerprint,
    finished_before,
    holds,
    now,
    plain,
    read_run,
    read_table,
    results_of,
    run_around,
    table_hashes,
    versions,
    write_run,
)

_T = TypeVar("_T")


class Step:
    """A step of a run, which is new, unfinished or finished.

    Parameters
    ----------
    out : path or None
        The run folder. With None, nothing is stored and every step is new.
    name : str
        A step, see :func:`~imagestrata.steps.step_kinds`.
    settings : mapping
        The arguments that decide the result, as plain JSON values.
    inputs : str
        Fingerprint of the inputs of the step, see :func:`fingerprint`.
    made_from : mapping of str to str, default {}
        Fingerprints of the given results of earlier steps. If the run folder contains another
        result of such a step, the new step is refused.
    overwrite : bool, default False
        Replace the result of an earlier call with other settings or inputs, together with the
        steps that use it.
    grows : callable, optional
        Takes the run folder; returns whether the inputs contain those of the finished step in
        it, which had the same settings. The step then grows: its result replaces the earlier one
        without ``overwrite``, and the steps that use the earlier one stay. By default no step
        grows.
    other_settings : bool, default False
        Whether the step may grow with other settings than before.
    remake : bool, default False
        Replace another result, or one that has grown, as with ``overwrite``, but keep it in the
        folder, with what uses it, until the new result is known.

    Attributes
    ----------
    folder : Path or None
        The run folder. For a variant, it is the run around it if that has the same result.
    finished : bool
        Whether the result is stored and is read instead of computed, see :meth:`result`.
    grows : bool
        Whether the result contains an earlier one, which is still in the folder.

    Raises
    ------
    ImagestrataError
        If the folder cannot be written, contains the step with other settings, contains other
        results than those the step uses, or another process is working in it.

    Warns
    -----
    UserWarning
        If files were moved to ``replaced/``, or an older version made the run, which did not
        record the results that its steps use.

    Notes
    -----
    An unfinished step locks its folder until it is finished or this object is deleted, see
    :mod:`~imagestrata.lock`. A finished step can be read at any time.
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
        grows: Callable[[Path], bool] | None = None,
        other_settings: bool = False,
        remake: bool = False,
    ) -> None:
        self.name = name
        self.folder: Path | None = None
        self.finished = False
        self.grows = False
        self._overwrite = overwrite = overwrite or remake
        # Work on a growing corpus is stored by item, whatever the other items are.
        self._key = fingerprint({"settings": settings} | ({} if grows else {"inputs": inputs}))
        self._lock: FolderLock | None = None
        if out is None:
            return
        bases = dict(made_from or {})
        asked = {"settings": plain(settings), "inputs": inputs}
        self.folder = check_path("out", out)
        around = run_around(self.folder)
        if around is not None:
            check_variant(self.folder)
            if name not in read_run(self.folder)["steps"] and holds(around, name, asked):
                self.folder = around
        has_grown = bool(read_run(self.folder)["steps"].get(name, {}).get("earlier"))
        held = holds(self.folder, name, asked) and not (remake and has_grown)
        if not held:  # a finished step can be read without permission to write
            self._enter(make_folder(self.folder))
        # Read only now, since another process may have finished a step while it held the lock.
        run = read_run(self.folder)
        old = run["steps"].get(name)
        same_settings = old is not None and old["settings"] == asked["settings"]
        if not held:
            for base, given in bases.items():
                check_base(self.folder, base, given, name)
        check_settings(self.folder, name, settings, overwrite or other_settings)
        before = finished_before(old)
        growing = False
        if before is not None and not overwrite:
            equal = asked.items() <= before.items()
            if grows is not None and (other_settings or before["settings"] == asked["settings"]):
                growing = equal or grows(self.folder)
            other = not equal and not growing and bool(old and old["finished"])
            if other and "made_from" not in before:
                raise _of_older_version(self.folder, name)
            if other:
                raise ImagestrataError(
                    f"{quote(self.folder)} already holds the step {quote(name)}, made from other "
                    "images or earlier results than the given ones.",
                    OR_REPLACE,
                )
        if same_settings and old["inputs"] == inputs and not (remake and has_grown):
            self.finished = bool(old["finished"])
            self.grows = bool(old.get("grows"))
            if self.finished:
                # A process may have been killed just before it removed them.
                _drop_parts(self.folder, name)
            return
        entry = asked | {"made_from": bases, "started": now(), "finished": None}
        self.grows = growing
        if growing:
            entry |= {"grows": True, "replaces": before}
        elif old is not None and (remake or step_kinds()[name].waits):
            entry["replaces"] = before or {k: v for k, v in old.items() if k != "replaces"}
            entry |= {"remade": True} if remake else {}
        elif old is not None:
            retire_all(self.folder, name, None)
            run = read_run(self.folder)
        if grows is None or not same_settings:
            shutil.rmtree(self.folder / "partial" / name, ignore_errors=True)
        run["steps"][name] = entry
        write_run(self.folder, run)

    @property
    def replacing(self) -> bool:
        """Whether the result will replace the one that is in the folder, see ``remake``."""
        entry = self._entry()
        return "replaces" in entry and "grows" not in entry

    @property
    def irreplaceable(self) -> bool:
        """Whether the stored result depends on an earlier one, and cannot be made from inputs."""
        entry = self._entry()
        return bool(entry.get("earlier") or entry.get("remade")) and not self.replacing

    def _entry(self) -> dict[str, Any]:
        """The entry of this step in ``run.json``; empty if there is none."""
        if self.folder is None:
            return {}
        entry: dict[str, Any] = read_run(self.folder)["steps"].get(self.name, {})
        return entry

    @property
    def parts(self) -> Parts | None:
        """The unfinished work of this step; None without a run folder."""
        if self.folder is None:
            return None
        return Parts(self.folder / "partial" / self.name / self._key)

    def restored(self, read: Callable[[Path], _T], identity: Callable[[_T], str]) -> _T | None:
        """The stored result, if its files are as this step wrote them; None otherwise."""
        try:
            found = None if self.folder is None else read(self.folder)
        except (ImagestrataError, OSError):
            return None
        wrote = self._entry().get("result")
        return found if found is not None and identity(found) == wrote else None

    def result(
        self,
        read: Callable[[Path], _T | None],
        make: Callable[[], _T],
        write: Callable[[_T, Path], Mapping[str, Any] | None],
        *,
        identity: Callable[[_T], str] | None = None,
        note: Mapping[str, Any] | None = None,
    ) -> _T:
        """Return the result: read it if the step is finished, otherwise compute and write it.

        Parameters
        ----------
        read : callable
            Takes the run folder and returns the result. If it returns None or raises an
            :class:`ImagestrataError` or OSError, the result is missing or damaged and is
            computed again.
        make : callable
            Computes the result, and stores unfinished work in :attr:`parts`.
        write : callable
            Takes the result and the run folder, stores the result and returns counts for
            ``run.json``. It returns None if some work has failed, so that the same call tries
            it again. Not called without a run folder.
        identity : callable, optional
            Returns the fingerprint of a result, which later steps record. A table that users
            may edit is refused unless it has the recorded fingerprint.
        note : mapping, optional
            Further content for the entry in ``run.json``.

        Raises
        ------
        ImagestrataError
            If the table was edited and ``overwrite`` is False; or if the run contains another
            result of a step that this one uses.
        """
        kind = step_kinds()[self.name]
        edited = kind.product in kind.work
        found = self._read(read, identity if edited else None)
        if found is not None:
            return found
        made = make()
        if self.folder is None:
            return made
        if identity is not None:
            self._build_on(self.folder, identity(made))
        counts = write(made, self.folder)
        if counts is not None:
            self._finish(self.folder, counts, note or {})
        return made

    def table(
        self,
        make: Callable[[], pd.DataFrame],
        counts: Callable[[pd.DataFrame], Mapping[str, Any] | None],
        *,
        read: Callable[[Path], pd.DataFrame] | None = None,
        identity: Callable[[pd.DataFrame], str] | None = None,
        note: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return the :meth:`result` of a step that writes one table.

        Parameters
        ----------
        make, identity, note : see :meth:`result`
        counts : callable
            Takes the table and returns counts, as ``write`` does there.
        read : callable, optional
            Reads the table, if :func:`read_table` cannot.
        """
        product = step_kinds()[self.name].product

        def write(table: pd.DataFrame, folder: Path) -> Mapping[str, Any] | None:
            write_table(folder / product, table)
            return counts(table)

        reader = read or (lambda folder: read_table(folder / product))
        return self.result(reader, make, write, identity=identity, note=note)

    def _enter(self, folder: Path) -> None:
        """Lock a folder before writing in it."""
        refuse_links(folder)
        self._lock = lock_folder(folder)
        finish_moving(folder)

    def _read(
        self, read: Callable[[Path], _T | None], identity: Callable[[_T], str] | None
    ) -> _T | None:
        """The result of a finished step, or None if it has to be computed."""
        if self.folder is None or not self.finished:
            return None
        wrote = read_run(self.folder)["steps"][self.name].get("result")
        try:
            found = read(self.folder)
            if found is not None:
                if identity is None or wrote in (None, identity(found)):
                    return found
                file = self.folder / step_kinds()[self.name].product
                if not self._overwrite:
                    raise _Changed(
                        f"{quote(file)} was changed after the step {quote(self.name)} wrote it.",
                        f"Restore the original, or use {arg('overwrite', True)} to write it again; "
                        "the changed file is kept.",
                    )
                keep_changed(self.folder, file)
        except _Changed:
            raise
        except (ImagestrataError, OSError):
            pass
        self.finished = False
        self._enter(self.folder)
        self._record(self.folder, finished=None)
        return None

    def _build_on(self, folder: Path, result: str) -> None:
        """Record the fingerprint of the result, and remove the steps that use another result."""
        entry = read_run(folder)["steps"][self.name]
        for base, given in entry.get("made_from", {}).items():
            check_base(folder, base, given, self.name)
        if entry.get("grows"):
            earlier = [one for one in results_of(entry["replaces"]) if one != result]
            self._record(folder, result=result, earlier=earlier)
            return
        if entry.get("result", result) != result:
            self._record(folder, earlier=[])
        retire_all(folder, self.name, result)
        self._record(folder, result=result)

    def _finish(self, folder: Path, counts: Mapping[str, Any], note: Mapping[str, Any]) -> None:
        """Record that the result is written, and remove unfinished work."""
        self._record(
            folder,
            finished=now(),
            versions=versions(),
            machine={"system": platform.platform(), "cores": usable_cores()},
            written_in=[os.fspath(folder.absolute()), os.path.realpath(folder)],
            counts=plain(counts),
            sha256=table_hashes(folder, self.name),
            **plain(note),
        )
        _drop_parts(folder, self.name)
        self._lock = None

    def _record(self, folder: Path, **values: Any) -> None:
        """Add values to the entry of this step in ``run.json``."""
        run = read_run(folder)
        entry = run["steps"][self.name]
        entry |= values
        if entry["finished"]:
            entry.pop("replaces", None)
            entry.pop("grows", None)
        write_run(folder, run)


class _Changed(ImagestrataError):
    """A table of the run was changed after it was written."""


def _of_older_version(folder: Path, name: str) -> ImagestrataError:
    return ImagestrataError(
        f"{quote(folder)} holds the step {quote(name)} of an older version, which did not "
        "record its inputs: they cannot be compared with the given ones.",
        f"Read {quote(step_kinds()[name].product)} there, choose another {arg('out')}, or use "
        f"{arg('overwrite', True)} to run the step again.",
    )


def _drop_parts(folder: Path, name: str) -> None:
    """Remove the unfinished work of a step."""
    place = folder / "partial"
    shutil.rmtree(place / name, ignore_errors=True)
    with contextlib.suppress(OSError):  # missing, or with unfinished work of other steps
        place.rmdir()
