"""Run a command that is struck by a fault at a chosen moment of its work on files.

A moment is the n-th time that the command opens a file to write, renames, removes or
makes something in its output. Python's audit events tell of these before they happen,
so that every moment between two changes of the disk can be tried, in the same order
on every machine, however fast it is.

Commands run in processes that a small server forks, in which everything is imported
already: starting one takes milliseconds, not seconds.
"""

from __future__ import annotations

import errno
import importlib
import itertools
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from imagestrata.files import is_half_written

#: Imported once for all commands.
_IMPORTED = [
    "imagestrata.cli",
    "imagestrata.corpus.faces",
    "imagestrata.corpus.scan",
    "imagestrata.embeddings.embed",
    "imagestrata.embeddings.reduce",
    "imagestrata.encoders.hog",
    "imagestrata.clustering.cluster",
    "imagestrata.annotation.packets",
    "imagestrata.explore.gallery",
    "imagestrata.explore.montage",
    "imagestrata.share.bundle",
    "imagestrata.explore.figure",
    "imagestrata.annotation.pairs",
    "matplotlib.pyplot",
    "sklearn.cluster",
    "PIL.Image",
    "jinja2",
    "pyarrow.dataset",
    "torch",
    "torchvision",
    "boto3",
    "dlib",
    "openai",
    "pytesseract",
    "imagestrata.finetune.predict",
    "imagestrata.finetune.tune",
    "imagestrata.text.describe",
    "imagestrata.text.embed",
    "imagestrata.text.read",
    "imagestrata.text.tags",
    "imagestrata.validation.tune",
]

#: Blocks so small that a few images make several, between which a command can be struck.
_SMALL = {
    "imagestrata.corpus.faces.PART_SIZE": 6,
    "imagestrata.corpus.known.PART_SIZE": 16,
    "imagestrata.embeddings.parts.PART_SIZE": 16,
    "imagestrata.text.embed._BATCH": 6,
    "imagestrata.text.read.PART_SIZE": 6,
}

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["faulty", *_IMPORTED])

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

#: The faults that can strike, and the error that each makes. "wait" makes none: the command waits
#: there until it is let go. "copy" makes none either, and strikes at several moments: it copies the
#: folder as it is then, which is what a kill would have left, and lets the command go on.
FAULTS = {
    "kill": None,
    "copy": None,
    "interrupt": None,
    "wait": None,
    "error": errno.EIO,
    "full": errno.ENOSPC,
    "read-only": errno.EROFS,
}

#: Those that strike once: what comes later in the same command works again.
_ONCE = ("interrupt", "error", "wait")


class Strike:
    """Counts changes in a folder and below it, and strikes at one of them.

    Parameters
    ----------
    place : str
        The folder.
    fault : str or None
        One of :data:`FAULTS`; None to count only.
    moment : int or list of int
        The number of the change, from 1; for "copy" those of several. A full disk stays full
        from then on, though things may be removed.
    sign : Path
        The file that a waiting command makes; it goes on when that is gone. Copies are in this
        folder.
    """

    def __init__(self, place: str, fault: str | None, moment: int | list[int], sign: Path) -> None:
        self.place = place + os.sep
        self.fault = fault
        self.moment = moment
        self.sign = sign
        self.count = 0
        self._lock = threading.Lock()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and bool((arguments[2] or 0) & _WRITES)
        if not writes and event not in _CHANGES:
            return
        path = arguments[0]
        path = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        if not path.startswith(self.place):
            return
        with self._lock:
            self.count += 1
            count = self.count
            # No other thread gets further than its next change meanwhile.
            if isinstance(self.moment, list):
                if count in self.moment:
                    shutil.copytree(self.place, self.sign / str(count), symlinks=True)
                return
        fault = self.fault
        if fault is None or count < self.moment:
            return
        if fault in _ONCE:
            self.fault = None
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            return
        if fault == "wait":
            self.sign.touch()
            while self.sign.exists():
                time.sleep(0.005)
            return
        number = FAULTS[fault]
        assert number is not None
        if fault == "full" and not writes and event != "os.mkdir":
            return
        raise OSError(number, os.strerror(number), path)


def _child(
    arguments: list[str],
    place: str,
    fault: str | None,
    moment: int | list[int],
    log: Path,
    environment: dict[str, str],
) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.update(environment)
    import torch

    from imagestrata import cli

    torch.set_num_threads(1)  # so that sums come out the same
    for name, value in _SMALL.items():
        module, _, attribute = name.rpartition(".")
        setattr(importlib.import_module(module), attribute, value)
    if "STAND_IN_FOR_REKOGNITION" in os.environ:
        # The command line has no option for another address, and takes none from the environment.
        from imagestrata.text.rekognition import Rekognition

        Rekognition.address = os.environ["STAND_IN_FOR_REKOGNITION"]  # type: ignore[misc,assignment]
    strike = Strike(place, fault, moment, log.with_suffix(".waits"))
    sys.addaudithook(strike)
    sys.argv = ["imagestrata", *arguments]
    code: Any = 0
    try:
        _call(*arguments[1:]) if arguments[0] == "call" else cli.main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    strike.fault = None
    log.with_suffix(".count").write_text(str(strike.count))
    os._exit(int(code))


def _call(verb: str, arguments: str) -> None:
    """A verb that is no command of the command line, with its arguments as JSON."""
    import imagestrata

    try:
        getattr(imagestrata, verb)(**json.loads(arguments))
    except imagestrata.ImagestrataError as error:
        print(error)
        sys.exit(2)


class Outcome:
    """How a command ended.

    Attributes
    ----------
    code : int
        Its exit code; minus the signal's number if it was killed.
    said : str
        What it printed.
    changes : int
        How often it changed something, if it was not killed.
    """

    def __init__(self, code: int, said: str, changes: int) -> None:
        self.code = code
        self.said = said
        self.changes = changes


_numbers = itertools.count()


class Command:
    """A command of ours under way, struck by a fault at a moment, or undisturbed.

    Parameters
    ----------
    arguments : list
        As on the command line; or "call", a verb, its arguments as JSON.
    out : Path
        The run folder. Changes are those in the folder around it.
    fault : str or None
        One of :data:`FAULTS`.
    moment : int
        The number of the change at which it strikes.
    """

    def __init__(
        self,
        arguments: list[object],
        out: Path,
        fault: str | None = None,
        moment: int | list[int] = 1,
    ) -> None:
        # Out of the fault's reach.
        logs = out.parent.with_name(f"{out.parent.name}-logs")
        logs.mkdir(exist_ok=True)
        self._log = logs / f"{next(_numbers)}.txt"
        words = [str(argument) for argument in arguments]
        self._process = _context.Process(
            target=_child, args=(words, str(out.parent), fault, moment, self._log, dict(os.environ))
        )
        self._process.start()

    def is_waiting(self) -> bool:
        """Let the command come to the moment at which it waits; False if it ended before."""
        sign = self._log.with_suffix(".waits")
        while self._process.is_alive() and not sign.exists():
            time.sleep(0.005)
        return sign.exists()

    @property
    def copies(self) -> Path:
        """The folder of the copies that were made at some moments, each named by its number."""
        return self._log.with_suffix(".waits")

    def go_on(self) -> None:
        """Let a waiting command go."""
        self._log.with_suffix(".waits").unlink()

    def end(self) -> Outcome:
        """Wait until it has ended."""
        self._process.join()
        code = self._process.exitcode
        assert code is not None
        count = self._log.with_suffix(".count")
        changes = int(count.read_text()) if count.exists() else -1
        return Outcome(code, self._log.read_text(errors="replace"), changes)


def run(arguments: list[object], out: Path, fault: str | None = None, moment: int = 1) -> Outcome:
    """Run a :class:`Command` to its end."""
    return Command(arguments, out, fault, moment).end()


def content(folder: Path) -> dict[str, Any]:
    """What a run folder holds, without what may differ.

    That is: times of the clock, the lock, the order in which several threads stored their
    answers, the folder's own name in that of each crop, and the process and content of files that
    are half written.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            found[name] = "folder"
        elif is_half_written(path):
            found[re.sub(r"\d+\.tmp$", "tmp", name)] = "half written"
        elif path.name == "run.json":
            run = json.loads(path.read_text())
            for step in run["steps"].values():
                step["started"], step["finished"] = bool(step["started"]), bool(step["finished"])
                step.pop("written_in", None)
                for table in ("trace.parquet", "faces.parquet"):  # compared by their content
                    step.get("sha256", {}).pop(table, None)
            found[name] = run
        elif path.name == "frames.csv":  # names the frames in full
            found[name] = path.read_text().replace(str(folder), "")
        elif path.name == "trace.parquet":
            found[name] = pd.read_parquet(path).drop(columns="seconds").to_json()
        elif path.name == "faces.parquet":
            faces = pd.read_parquet(path)
            found[name] = faces.assign(crop=faces["crop"].str.removeprefix(str(folder))).to_json()
        elif path.suffix == ".jsonl":
            found[name] = sorted(path.read_bytes().splitlines())
        elif path.name != ".lock":
            found[name] = path.read_bytes()
    return found


def moments(n_changes: int, n: int, seed: int) -> list[int]:
    """``n`` of the moments of a command, or all if there are no more."""
    drawn = np.random.default_rng([seed, n_changes]).permutation(n_changes)[:n]
    return sorted(int(moment) + 1 for moment in drawn)
