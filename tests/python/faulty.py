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
import json
import multiprocessing
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

#: Imported once for all commands.
_IMPORTED = [
    "imagestrata.cli",
    "imagestrata.corpus.scan",
    "imagestrata.embeddings.embed",
    "imagestrata.encoders.hog",
    "imagestrata.clustering.cluster",
    "imagestrata.sampling.ratings_page",
    "imagestrata.explore.gallery",
    "imagestrata.explore.montage",
    "imagestrata.explore.share",
    "imagestrata.explore.figure",
    "imagestrata.validation.pair_export",
    "matplotlib.pyplot",
    "sklearn.cluster",
    "PIL.Image",
    "jinja2",
    "torch",
    "imagestrata.finetune.job",
    "imagestrata.validation.tune",
]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["faulty", *_IMPORTED])

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

#: The faults that can strike, and what each does from its moment on.
FAULTS = {
    "kill": None,
    "full": errno.ENOSPC,
    "read-only": errno.EROFS,
}


class Strike:
    """Counts changes below ``out``, and strikes at one of them.

    Parameters
    ----------
    out : str
        The output.
    fault : str or None
        One of :data:`FAULTS`; None to count only.
    moment : int
        The number of the change, from 1. A full disk stays full from then on, though
        things may be removed.
    """

    def __init__(self, out: str, fault: str | None, moment: int) -> None:
        self.out = out
        self.fault = fault
        self.moment = moment
        self.count = 0
        self._lock = threading.Lock()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and bool((arguments[2] or 0) & _WRITES)
        if not writes and event not in _CHANGES:
            return
        path = arguments[0]
        path = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        if not path.startswith(self.out):
            return
        with self._lock:
            self.count += 1
            count = self.count
        if self.fault is None or count < self.moment:
            return
        if self.fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = FAULTS[self.fault]
        assert number is not None
        if self.fault == "full" and not writes and event != "os.mkdir":
            return
        raise OSError(number, os.strerror(number), path)


def _child(arguments: list[str], out: str, fault: str | None, moment: int, log: str) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    import torch

    from imagestrata import cli

    torch.set_num_threads(1)  # so that sums come out the same
    strike = Strike(out, fault, moment)
    sys.addaudithook(strike)
    sys.argv = ["imagestrata", *arguments]
    code: Any = 0
    try:
        cli.main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    strike.fault = None
    Path(log + ".count").write_text(str(strike.count))
    os._exit(int(code))


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


def run(arguments: list[object], out: Path, fault: str | None = None, moment: int = 1) -> Outcome:
    """Run a command of ours, struck by a fault at a moment, or undisturbed."""
    log = out.parent / f"log-of-{out.name}"
    words = [str(argument) for argument in arguments]
    process = _context.Process(target=_child, args=(words, str(out), fault, moment, str(log)))
    process.start()
    process.join()
    assert process.exitcode is not None
    count = log.with_name(log.name + ".count")
    changes = int(count.read_text()) if process.exitcode >= 0 and count.exists() else -1
    count.unlink(missing_ok=True)
    return Outcome(process.exitcode, log.read_text(errors="replace"), changes)


def content(folder: Path) -> dict[str, Any]:
    """What a run folder holds, without what may differ: times of the clock, and the lock."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            found[name] = "folder"
        elif path.name == "run.json":
            run = json.loads(path.read_text())
            for step in run["steps"].values():
                step["started"], step["finished"] = bool(step["started"]), bool(step["finished"])
            found[name] = run
        elif path.name == "trace.parquet":
            found[name] = pd.read_parquet(path).drop(columns="seconds").to_json()
        elif path.name != ".lock":
            found[name] = path.read_bytes()
    return found


def moments(n_changes: int, n: int, seed: int) -> list[int]:
    """``n`` of the moments of a command, or all if there are no more."""
    drawn = np.random.default_rng([seed, n_changes]).permutation(n_changes)[:n]
    return sorted(int(moment) + 1 for moment in drawn)
