"""Work for other processes, which find it by its name and import little for it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from imagestrata import ImagestrataError


def double(number: int) -> int:
    return 2 * number


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def wait_for(gate: Path) -> None:
    """Work on until there is such a file, or for a minute."""
    until = time.monotonic() + 60
    while not gate.exists() and time.monotonic() < until:
        time.sleep(0.02)


def fail_at_seven(number: int) -> int:
    if number == 7:
        raise ImagestrataError("Seven came.", "Give other numbers.")
    return number


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(mark: Path) -> str:
    """Kill the process that calls this, unless one was killed already."""
    if not mark.exists():
        mark.touch()
        die(0)
    return mark.name


def threads(_: int = 0) -> list[int]:
    """How many threads BLAS would use here, and torch."""
    import torch
    from threadpoolctl import threadpool_info

    loaded = threadpool_info()
    blas = [library["num_threads"] for library in loaded if library["user_api"] == "blas"]
    return [*blas, torch.get_num_threads()]


def lose_the_package() -> None:
    sys.modules["imagestrata.provenance"] = None  # type: ignore[assignment]


def find_the_package() -> None:
    del sys.modules["imagestrata.provenance"]
