"""Every step struck at many moments of its work on files.

The tests of ``tests/python/test_faults.py`` with larger numbers: each step is killed at so many
moments of its work on files, its disk is full at half as many, it is interrupted and meets an error
of the disk at a fifth as many, and it goes on to the same result. Steps that ask no service are
killed in one run, of which the folder is copied at each moment, as a kill would leave it. The table
is written again after each test; rows of tests that are not run this time stay.

    python benchmarks/faults.py [--moments 50] [--tests "kill or stopped"] [--name faults]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from machine import RESULTS, sized, write_result

ROOT = Path(__file__).resolve().parents[1]


class Table:
    """A row for each test that struck a step, written as soon as it has ended."""

    def __init__(self, name: str, notes: list[str], title: str) -> None:
        stored = RESULTS / f"{name}.json"
        rows = json.loads(stored.read_text())["rows"] if stored.exists() else []
        self.rows = [row for row in rows if "step" in row]
        self._name, self._notes, self._title = name, notes, title

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "call" and report.passed:
            return
        test, _, step = report.nodeid.partition("::")[2].rstrip("]").partition("[")
        struck = dict(report.user_properties).get("moments", "")
        what = test.removeprefix("test_").replace("_", " ")
        for fault in ("interrupt", "error"):
            if step.endswith(f"-{fault}") or step.startswith(f"{fault}-"):
                what = f"{what} ({fault})"
                step = re.sub(f"^{fault}-|-{fault}$", "", step)
        row = {
            "test": what,
            "step": step,
            "struck at": struck,
            "outcome": report.outcome,
            "seconds": round(report.duration),
        }
        others = [one for one in self.rows if (one["test"], one["step"]) != (what, step)]
        self.rows = sorted([*others, row], key=lambda one: one["test"])
        seconds = f"{sum(one['seconds'] for one in self.rows):,} s in all."
        write_result(self._name, self.rows, notes=[*self._notes, seconds], title=self._title)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=sized(2, 50))
    parser.add_argument("--tests", default="", help="only those, as pytest -k takes them")
    parser.add_argument("--name", default="faults", help="of the table")
    arguments = parser.parse_args()
    os.environ["IMAGESTRATA_MOMENTS"] = str(arguments.moments)
    os.chdir(ROOT)
    notes = [
        f"Killed at {arguments.moments} moments of each step, or at all if a step has fewer. A "
        "moment is a change that it makes to its folder: a file opened to write, renamed, removed "
        "or made.",
    ]
    table = Table(arguments.name, notes, title="Faults")
    words = ["-q", "-p", "no:cacheprovider", "tests/python/test_faults.py", "-k", arguments.tests]
    sys.exit(pytest.main(words, plugins=[table]))


if __name__ == "__main__":
    main()
