"""Whatever happens to a run, going on with it ends as if nothing had happened.

``IMAGESTRATA_MOMENTS`` is at how many moments each step is struck (few by default; 50
in ``benchmarks/faults.py``), ``IMAGESTRATA_NAMES`` how many files have hostile names.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from faulty import content, moments, run
from imagestrata import (
    draw_demo_corpus,
)

MOMENTS = int(os.environ.get("IMAGESTRATA_MOMENTS", "2"))
NAMES = int(os.environ.get("IMAGESTRATA_NAMES", "120"))
SEED = 9

#: Each step with its command, in an order in which they can be run.
STEPS = ["scan", "embed", "cluster", "sample", "gallery", "pairs", "assign", "share"]


def command(step: str, corpus: Path, out: Path) -> list[object]:
    return {
        "scan": ["scan", corpus, "--out", out, "--quiet"],
        "embed": ["embed", out, "--encoder", "hog", "--quiet"],
        "cluster": ["cluster", out, "--quiet"],
        "sample": ["sample", out],
        "gallery": ["gallery", out, "--quiet"],
        "pairs": ["pairs", out, "--n", 6, "--k", 3, "--quiet"],
        "assign": ["assign", out, "--n-images", 2, "--quiet"],
        "share": ["share", out, out / ".." / f"{out.name}-bundle"],
    }[step]  # type: ignore[return-value]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return draw_demo_corpus(tmp_path_factory.mktemp("corpus") / "images", n_images=70, seed=3)


@pytest.fixture(scope="module")
def states(corpus, tmp_path_factory) -> dict[str, tuple[Path, Path, int]]:
    """Of each step: the run folder before and after it, undisturbed, and its changes."""
    place = tmp_path_factory.mktemp("states")
    before = place / "empty"
    before.mkdir()
    found = {}
    for step in STEPS:
        # The same name, which is the title of the gallery.
        after = place / step / "run"
        shutil.copytree(before, after)
        done = run(command(step, corpus, after), after)
        assert done.code == 0, done.said
        assert done.changes > 2, step
        found[step] = before, after, done.changes
        before = after
    return found


def everything(out: Path) -> dict[str, object]:
    """The content of a run folder, and of what was shared from it."""
    bundle = out.with_name(f"{out.name}-bundle")
    shared = content(bundle) if bundle.exists() else {}
    assert not [path for path in out.parent.iterdir() if path.name.endswith(".tmp")]
    return {**content(out), **{f"bundle/{name}": value for name, value in shared.items()}}


def again(step: str, corpus: Path, out: Path) -> None:
    """Go on, as users do: the same command, or after an export is there, nothing."""
    done = run(command(step, corpus, out), out)
    if step in ("pairs", "assign", "share") and done.code == 2:
        # The file or folder for others was complete when the command was struck.
        assert "already" in done.said, done.said
        return
    assert done.code == 0, done.said


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_moment_a_step_ends_the_same(step, states, corpus, tmp_path):
    before, after, changes = states[step]
    for moment in moments(changes, MOMENTS, SEED):
        out = tmp_path / str(moment) / "run"
        shutil.copytree(before, out)
        struck = run(command(step, corpus, out), out, "kill", moment)
        assert struck.code == -signal.SIGKILL, (moment, struck.said)
        again(step, corpus, out)
        assert everything(out) == everything(after), f"killed at change {moment} of {changes}"


@pytest.mark.parametrize("step", STEPS)
def test_a_full_disk_is_said_and_costs_nothing(step, states, corpus, tmp_path):
    before, after, changes = states[step]
    for moment in moments(changes, MOMENTS, SEED + 1):
        out = tmp_path / str(moment) / "run"
        shutil.copytree(before, out)
        struck = run(command(step, corpus, out), out, "full", moment)
        if struck.code == 0:  # the last change was none that takes space
            continue
        assert struck.code == 2, struck.said
        assert "No space left to write" in struck.said and "Traceback" not in struck.said
        again(step, corpus, out)
        assert everything(out) == everything(after), f"full at change {moment} of {changes}"


@pytest.mark.parametrize("step", STEPS)
def test_an_output_that_is_read_only_is_said(step, states, corpus, tmp_path):
    before, _, _ = states[step]
    out = tmp_path / "run"
    shutil.copytree(before, out)
    unchanged = everything(out)
    struck = run(command(step, corpus, out), out, "read-only", 1)
    assert struck.code == 2, struck.said
    assert "No permission to write" in struck.said and "Traceback" not in struck.said
    assert everything(out) == unchanged
