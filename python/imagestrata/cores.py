"""The number of cores that this process may use, which can be fewer than the machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

#: Where Linux lists the control groups of a process, and the limits of each group.
_PROCESS, _GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")

#: Environment variables with the cores that a batch system gives to a task: SLURM, PBS, Grid
#: Engine, LSF. Within a system, the most specific variable comes first.
_ALLOTTED = (
    ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"),
    ("PBS_NCPUS", "NCPUS"),
    ("NSLOTS",),
    ("LSB_DJOB_NUMPROC",),
)


def usable_cores() -> int:
    """Number of cores: the lowest limit that the system, a container or a batch system sets."""
    present = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        with suppress(OSError):
            present = len(os.sched_getaffinity(0))
    return max(1, min([present, *_quotas(), *_batch()]))


def _batch() -> Iterator[int]:
    """Yield the number of cores that each batch system gives to this task."""
    for names in _ALLOTTED:
        for name in names:
            value = os.environ.get(name, "")
            if value.isdecimal() and int(value) > 0:
                yield int(value)
                break


def _quotas() -> Iterator[int]:
    """Yield the core limits of the control groups of this process and of their parents."""
    with suppress(OSError, UnicodeDecodeError):
        for line in _PROCESS.read_text(encoding="utf-8").splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0" and not controllers:
                yield from _above(_GROUPS, path, _version_2)
            elif "cpu" in controllers.split(","):
                for name in ("cpu", "cpu,cpuacct", "cpuacct,cpu"):
                    yield from _above(_GROUPS / name, path, _version_1)


def _above(root: Path, path: str, quota: Callable[[Path], float | None]) -> Iterator[int]:
    """Yield the limits of a group and of all its parents; the root of a container is its own."""
    group = root / path.strip("/")
    for place in [group, *group.parents]:
        with suppress(OSError, ValueError, ZeroDivisionError):
            found = quota(place)
            if found is not None and found > 0:
                yield max(1, math.ceil(found))
        if place == root:
            return


def _version_2(place: Path) -> float | None:
    quota, period = (place / "cpu.max").read_text(encoding="utf-8").split()
    return None if quota == "max" else int(quota) / int(period)


def _version_1(place: Path) -> float | None:
    quota = int((place / "cpu.cfs_quota_us").read_text(encoding="utf-8"))
    period = int((place / "cpu.cfs_period_us").read_text(encoding="utf-8"))
    return None if quota < 0 else quota / period
