"""Progress reaches a terminal, a callback or nobody."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from imagestrata import progress as module
from imagestrata.errors import ImagestrataError, warn
from imagestrata.progress import track


def test_a_function_hears_every_step():
    heard = []
    with track(lambda *call: heard.append(call), "Scanning", 3) as advance:
        advance()
        advance(2)
    assert heard == [("Scanning", 0, 3), ("Scanning", 1, 3), ("Scanning", 3, 3)]


def test_silence(capsys):
    with track(False, "Scanning", 3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_one_line_per_step(capsys):
    with track(True, "Scanning", 3) as advance:
        advance(3)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "Scanning: done\n"


def test_other_values_are_refused():
    with pytest.raises(ImagestrataError, match="`progress` must be True, False or a function"):  # noqa: SIM117
        with track("yes", "Scanning", 3):
            pass


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_a_log_gets_a_line_now_and_then(capsys, clock):
    with track(True, "Scanning", 4000) as advance:
        for _ in range(40):  # 40 minutes
            clock(60)
            advance(100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Scanning: 100 of 4,000, 39:00 left"
    assert lines[-1] == "Scanning: done"
    # First every minute, since there is no news in between; later rarer.
    assert lines[9] == "Scanning: 1,000 of 4,000, 30:00 left"
    assert 15 < len(lines) < 30


def test_a_log_of_quick_work_is_one_line(capsys, clock):
    with track(True, "Scanning", 100) as advance:
        for _ in range(100):
            clock(0.09)
            advance()
    assert capsys.readouterr().err == "Scanning: done\n"


def test_a_notebook_has_one_line_that_changes(monkeypatch, clock):
    import rich.console

    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with track(True, "Embedding", 3) as advance:
        assert stream.getvalue() == "\rEmbedding: 0 of 3"  # before anything is done
        clock(2)
        advance()
        assert stream.getvalue().endswith("\rEmbedding: 1 of 3, 0:04 left")
        clock(0.1)
        advance()
        assert stream.getvalue().count("\r") == 2
        clock(1)
        advance()
    shown = [line.rstrip() for line in stream.getvalue().split("\r")]
    assert shown[-2:] == ["Embedding: 3 of 3", "Embedding: done"]
    assert stream.getvalue().endswith("\n")
    widths = [len(line.rstrip("\n")) for line in stream.getvalue().split("\r")[2:]]
    assert widths == sorted(widths), "each line covers the one before"


def test_work_of_unknown_size_and_without_a_terminal(capsys, clock, monkeypatch):
    with track(True, "Reading", None) as advance:
        clock(11)
        advance(5)
    assert capsys.readouterr().err == "Reading: 5\nReading: done\n"
    monkeypatch.setattr(sys, "stderr", None)  # as of a Windows program without a console
    with track(True, "Reading", None) as advance:
        advance()


def test_a_logger_hears_of_steps_and_warnings(caplog):
    caplog.set_level(logging.INFO, logger="imagestrata")
    for progress in (True, False, lambda *_: None):
        caplog.clear()
        with track(progress, "Scanning", 1) as advance:
            advance()
        assert caplog.messages == ["Scanning: begun", "Scanning: done"]
    with pytest.warns(UserWarning, match="^three images$"):
        warn("three images")
    assert caplog.records[-1].levelname == "WARNING"
    assert caplog.records[-1].name == "imagestrata"
    assert caplog.messages[-1] == "three images"


def test_the_logger_has_no_voice_of_its_own():
    handlers = logging.getLogger("imagestrata").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)
