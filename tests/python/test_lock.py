"""Two processes never work in one run folder at a time, and a killed one holds nothing."""

from __future__ import annotations

import errno
import getpass
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from imagestrata import lock, scan_images
from imagestrata.errors import ImagestrataError
from imagestrata.lock import NAME, lock_folder
from imagestrata.provenance import Step, read_run


def finish(step):
    """End a step whose result nobody reads."""
    step.result(lambda folder: None, lambda: 0, lambda made, folder: {})


HOLD = (
    "import sys; from pathlib import Path; from imagestrata.provenance import Step\n"
    "step = Step(sys.argv[1], 'scan', {'a': 1}, inputs='x')\n"
    "print('held', flush=True); sys.stdin.read()\n"
)


@contextmanager
def other_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process with a step under way in the folder, killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def test_a_second_process_is_told_who_is_at_work(tmp_path):
    with other_process(tmp_path) as process:
        who = f"process {process.pid} of {getpass.getuser()} on {socket.gethostname()}, since 20"
        with pytest.raises(ImagestrataError, match=re.escape(who)) as e:
            Step(tmp_path, "embed", {}, inputs="x")
        assert "Another process is working in" in e.value.message
        assert "need not delete anything" in e.value.hint
    assert list(read_run(tmp_path)["steps"]) == ["scan"]


def test_a_killed_process_holds_nothing(tmp_path):
    with other_process(tmp_path):
        pass
    assert (tmp_path / NAME).exists()
    step = Step(tmp_path, "scan", {"a": 1}, inputs="x")
    finish(step)
    assert read_run(tmp_path)["steps"]["scan"]["finished"]


def test_finished_steps_can_be_loaded_meanwhile(tmp_path):
    finish(Step(tmp_path, "tune", {}, inputs="x"))
    with other_process(tmp_path):
        assert Step(tmp_path, "tune", {}, inputs="x").finished


def test_steps_of_one_process_may_lie_within_each_other(tmp_path):
    outer = Step(tmp_path, "tune", {}, inputs="x")
    finish(Step(tmp_path, "scan", {"a": 1}, inputs="x"))
    command = [sys.executable, "-c", HOLD.replace("'a': 1", "'a': 2"), str(tmp_path)]
    shut_out = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert "Another process is working in" in shut_out.stderr  # the outer one still holds it
    finish(outer)
    assert lock._held.get(str(tmp_path)) is None


def test_a_forgotten_step_holds_nothing(tmp_path):
    step = Step(tmp_path, "scan", {"a": 1}, inputs="x")
    del step
    with other_process(tmp_path):
        pass


def test_a_step_that_fails_lets_go(tmp_path):
    """At once, and not when the garbage is collected next."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"")
    with pytest.raises(ImagestrataError, match="None of 1 file is"):
        scan_images(tmp_path / "images", out=tmp_path / "run", progress=False)
    assert str(tmp_path / "run") not in lock._held


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    """And nothing else: not after an end of its own, and no file of the user's."""
    for name in (".a.parquet.123.tmp", ".mine.tmp", "b.123.tmp"):
        (tmp_path / name).write_text("x")
    lock_folder(tmp_path)
    assert len([*tmp_path.iterdir()]) == 4
    with other_process(tmp_path):
        pass
    lock_folder(tmp_path)
    names = {path.name for path in tmp_path.iterdir()} - {NAME, "run.json"}
    assert names == {".mine.tmp", "b.123.tmp"}


def test_threads_of_one_process_share_the_lock(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        locks = {*pool.map(lambda _: lock_folder(tmp_path), range(8))}
        assert len(locks) == 1
        command = [sys.executable, "-c", HOLD, str(tmp_path)]
        shut_out = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert f"process {os.getpid()} of" in shut_out.stderr


def test_a_lock_in_a_folder_that_is_read_only(tmp_path, unprivileged):
    tmp_path.chmod(0o555)
    with unprivileged(), pytest.raises(ImagestrataError, match="No permission to write"):
        lock_folder(tmp_path)


def test_links_lead_to_the_same_lock(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    assert lock_folder(tmp_path / "run") is lock_folder(tmp_path / "link")


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    import fcntl

    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.warns(UserWarning, match="has no locks"):
        finish(Step(tmp_path, "scan", {"a": 1}, inputs="x"))
    assert read_run(tmp_path)["steps"]["scan"]["finished"]


def test_a_lock_that_cannot_be_made(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(ImagestrataError, match="No space left to write"):
        lock_folder(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b'{"process": 1}'])
def test_a_holder_that_does_not_say_who_it_is(tmp_path, content):
    with other_process(tmp_path):
        (tmp_path / NAME).write_bytes(content)
        with pytest.raises(ImagestrataError, match="which one is unknown"):
            lock_folder(tmp_path)
