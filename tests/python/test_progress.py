"""Progress reaches a terminal, a callback or nobody."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest

from imagestrata import progress as module
from imagestrata.errors import ImagestrataError, warn
from imagestrata.progress import State, json_lines, track


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


def done(state, clock, *steps):
    """Let units be done, each after some seconds."""
    for seconds, n in steps:
        clock(seconds)
        state.advance(n)
    return state


def test_the_pace_and_the_time_left(clock):
    """200 of 1,000 in 4 seconds: 50 a second, so that 800 take 16."""
    state = done(State("Scanning", 1000, "images"), clock, *[(1, 50)] * 4)
    assert (state.per_second, state.seconds_left) == (50, 16)
    assert str(state) == "Scanning: 200 of 1,000, 50 images/s, 0:16 left"
    assert state.as_dict() == {
        "step": "Scanning", "done": 200, "total": 1000, "per_second": 50, "seconds_left": 16,
    }  # fmt: skip


def test_what_an_earlier_call_did_says_nothing_about_the_pace(clock):
    """900 of 1,000 were stored, and reading them took a minute; each of the others takes 2 s."""
    state = State("Embedding", 1000, "images")
    clock(60)
    state.advance(900, already=True)
    assert (state.done, state.per_second, state.seconds_left) == (900, None, None)
    done(state, clock, *[(2, 1)] * 5)
    assert (state.per_second, state.seconds_left) == (0.5, 190)
    state.advance(45, already=True)  # in between, too
    assert (state.done, state.per_second, state.seconds_left) == (950, 0.5, 100)
    assert str(state) == "Embedding: 950 of 1,000, 30 images/min, 1:40 left"
    clock(98)
    state.advance(50)
    state.ended = True
    assert (state.per_second, state.seconds_left) == (55 / 108, 0)


def test_the_pace_is_that_of_the_last_half_minute(clock):
    """Loading takes a minute, then 100 a second are done; later the disk gets slow."""
    state = done(State("Scanning", 100_000, "images"), clock, (60, 0), *[(0.5, 50)] * 240)
    assert state.per_second == pytest.approx(100, rel=0.02)
    assert state.seconds_left == pytest.approx(880, rel=0.02)
    done(state, clock, *[(0.5, 5)] * 61)
    assert state.per_second == pytest.approx(10, rel=0.05)


def test_the_pace_of_slow_units_is_that_of_the_last_ten(clock):
    state = done(State("Training", 50, "epochs"), clock, *[(60, 1)] * 20, *[(120, 1)] * 10)
    assert state.per_second == pytest.approx(1 / 120)
    assert state.seconds_left == pytest.approx(20 * 120)
    assert str(state) == "Training: 30 of 50, 30 epochs/h, 40:00 left"


def test_a_pause_lengthens_the_time_left(clock):
    state = done(State("Scanning", 100, "images"), clock, *[(1, 10)] * 5)
    assert state.seconds_left == 5
    clock(5)
    assert state.seconds_left == 10


def test_little_is_remembered(clock):
    state = done(State("Scanning", None, "images"), clock, *[(0.001, 1)] * 200_000)
    assert len(state._marks) < 400
    assert state.per_second == pytest.approx(1000, rel=0.01)


@pytest.mark.parametrize(
    ("per_second", "text"),
    [
        (1234.5, "1,234 images/s"), (312.4, "312 images/s"), (9.96, "10 images/s"),
        (9.9, "9.9 images/s"), (1, "1.0 images/s"), (0.5, "30 images/min"),
        (1 / 60, "1.0 images/min"), (1 / 600, "6.0 images/h"), (1e-5, "0.0 images/h"),
    ],
)  # fmt: skip
def test_a_pace_has_a_unit_of_time_in_which_it_is_a_number(per_second, text):
    assert module._per_time(per_second, "images") == text


def test_without_a_unit_only_the_time_left_is_shown(clock):
    state = done(State("Clustering", 100), clock, *[(1, 10)] * 5)
    assert str(state) == "Clustering: 50 of 100, 0:05 left"


def test_programs_get_a_line_a_second(capsys, clock):
    with track(json_lines(), "Scanning", 100, "images") as advance:
        for _ in range(40):
            clock(0.25)
            advance(2)
    with track(json_lines(), "Clustering", None):
        pass
    out, err = capsys.readouterr()
    told = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert told[0] == {
        "step": "Scanning", "done": 0, "total": 100, "per_second": None, "seconds_left": None,
    }  # fmt: skip
    assert [one["done"] for one in told[1:11]] == [8, 16, 24, 32, 40, 48, 56, 64, 72, 80]
    assert told[4] == {
        "step": "Scanning", "done": 32, "total": 100, "per_second": 8, "seconds_left": 8,
    }  # fmt: skip
    assert told[11] == {
        "step": "Scanning", "done": 80, "total": 100, "per_second": 8, "seconds_left": 0,
    }  # fmt: skip
    assert [one["step"] for one in told[12:]] == ["Clustering"] * 2
    assert told[-1]["per_second"] is None


def test_the_bar_of_a_terminal_shows_the_pace(monkeypatch, clock):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with track(True, "Scanning", 200, "images") as advance:
        advance(100, already=True)
        for _ in range(4):
            clock(1)
            advance(20)
    shown = stream.getvalue()
    assert "20 images/s" in shown
    assert "180/200" in shown


def test_the_bar_stays_on_one_line(clock):
    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system=None)
    state = State("Scanning", 1_000_000, "images")
    with module._bar(console, state) as advance:
        for _ in range(30):
            clock(1)
            advance(1234)
    line = stream.getvalue().rpartition("\x1b[2K")[2].split("\n")[0]
    assert "37020/1000000" in line
    assert line.rstrip().endswith(" 1,234 images/s, 13:00 left")


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
