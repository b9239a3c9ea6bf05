"""Progress reaches a terminal, a callback or nobody."""

from __future__ import annotations

import pytest

from imagestrata.errors import ImagestrataError
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
