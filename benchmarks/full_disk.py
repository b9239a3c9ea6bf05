"""A disk that fills up again and again in every step.

Each step of ``tests/python/test_faults.py`` works on a small disk in memory (tmpfs), which needs
the right to mount one: root on Linux. There is room for what is there and for a part of what the
step writes. Each time that the step says that the disk is full, the disk grows by another part, and
the same command goes on, until it ends as if nothing had happened.

    python benchmarks/full_disk.py [--moments 25] [--tests embed]
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from campaign import campaign
from machine import ROOT, sized

sys.path.insert(0, str(ROOT / "tests" / "python"))

from test_faults import ASKING, EXPORTS, STEPS, everything, states, world

__all__ = ["states", "world"]  # fixtures

MOMENTS = int(os.environ.get("IMAGESTRATA_MOMENTS", "25"))
#: Files take whole pages of memory.
PAGE = 4096


class Disk:
    """A disk in memory, of a size that can change."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def resize(self, size: int) -> None:
        options = f"remount,size={size}"
        subprocess.run(["mount", "-o", options, str(self.place)], check=True)

    def used(self) -> int:
        told = os.statvfs(self.place)
        return (told.f_blocks - told.f_bfree) * told.f_frsize


@contextmanager
def small_disk(place: Path) -> Iterator[Disk]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(place)], check=True)
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", str(place)], check=True)


def pages(folder: Path) -> int:
    """The bytes that files take there."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(-(-size // PAGE) * PAGE for size in sizes)


@pytest.mark.parametrize("step", STEPS)
def test_a_disk_that_fills_up(
    step: str, states: Any, world: Any, tmp_path: Path, record_property: Any
) -> None:
    state = states[step]
    with small_disk(tmp_path / "disk") as disk:
        out = state.begin(disk.place)
        requests = world.requests()
        start, n_full = disk.used(), 0
        part = max(PAGE, (pages(state.after.parent) - start) // MOMENTS // PAGE * PAGE)
        while True:
            # A size of 0 would be no limit.
            disk.resize(max(PAGE, start + n_full * part))
            done = world.run(step, out)
            if done.code == 0 or (step in EXPORTS and "already" in done.said):
                break
            n_full += 1
            assert done.code == 2, done.said
            assert "No space left to write" in done.said and "Traceback" not in done.said, done.said
            assert n_full < 8 * MOMENTS, done.said
        record_property("moments", f"full {n_full} times")
        assert n_full > 0
        assert everything(out) == state.expected
        paid = world.requests() - requests
        assert paid <= state.requests + n_full * ASKING.get(step, 0)


if __name__ == "__main__":
    campaign(
        "full_disk",
        "A disk that fills up",
        tests="benchmarks/full_disk.py",
        sizes=("moments", sized(2, 25)),
        notes=[
            "The disk grows by a part of what the step writes, at first meant for {n} parts, of at "
            "least one page of 4,096 bytes: a step that writes less fills fewer.",
        ],
        about=__doc__,
    )
