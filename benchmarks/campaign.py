"""What campaigns share: tests with larger numbers, and a table of what came of each.

A row is written as soon as its test has ended, with the commit on which it ran. Rows of tests that
are not run this time stay as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from typing import Any

import pytest
from machine import RESULTS, ROOT, commit, write_result


class Table:
    """A plugin of pytest that writes a row for each test.

    Parameters
    ----------
    name : str
        Name of the result.
    title : str
        Title of the table.
    notes : list of str
        What stands below it.
    """

    def __init__(self, name: str, title: str, notes: list[str]) -> None:
        self._name, self._title, self._notes = name, title, notes
        # The code is loaded now, whatever is committed while it runs.
        self._commit = commit()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Write the row of a test that has ended."""
        if report.when != "call" and report.passed:
            return
        test, _, step = report.nodeid.partition("::")[2].rstrip("]").partition("[")
        struck = dict(report.user_properties).get("moments")
        what = test.removeprefix("test_").replace("_", " ")
        for fault in ("interrupt", "error"):
            if step.endswith(f"-{fault}") or step.startswith(f"{fault}-"):
                what = f"{what} ({fault})"
                step = re.sub(f"^{fault}-|-{fault}$", "", step)
        row = {
            "test": what,
            "step": step or None,
            "struck at": struck,
            "outcome": report.outcome,
            "seconds": round(report.duration),
            "commit": self._commit,
        }
        rows = self.rows()
        at = [(one["test"], one["step"]) for one in rows]
        if (what, row["step"]) in at:
            rows[at.index((what, row["step"]))] = row
        else:
            rows = sorted([*rows, row], key=lambda one: one["test"])
        seconds = f"{sum(one['seconds'] for one in rows):,} s in all."
        write_result(self._name, rows, notes=[*self._notes, seconds], title=self._title)

    def rows(self) -> list[dict[str, Any]]:
        """The rows that are stored by now, also by another process."""
        stored = RESULTS / f"{self._name}.json"
        return json.loads(stored.read_text())["rows"] if stored.exists() else []


def campaign(
    name: str,
    title: str,
    *,
    tests: str,
    sizes: tuple[str, int],
    notes: list[str],
    about: str | None,
) -> None:
    """Run the tests of a file as a campaign, and end with its exit code.

    Parameters
    ----------
    name, title : str
        Of the table.
    tests : str
        The file of the tests, from the root of the project.
    sizes : tuple of str and int
        What there is a number of, and the number unless the command line has another. The tests
        read it from the environment: "moments" from ``IMAGESTRATA_MOMENTS``.
    notes : list of str
        What stands below the table; ``{n}`` is the number.
    about : str
        Help of the command line.
    """
    what, default = sizes
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(f"--{what}", dest="n", type=int, default=default)
    parser.add_argument("--tests", default="", help="only those, as pytest -k takes them")
    parser.add_argument("--name", default=name, help="of the table")
    asked = parser.parse_args()
    os.environ[f"IMAGESTRATA_{what.upper()}"] = str(asked.n)
    os.chdir(ROOT)
    table = Table(asked.name, title, [note.format(n=f"{asked.n:,}") for note in notes])
    words = ["-q", "-p", "no:cacheprovider", tests, "-k", asked.tests]
    sys.exit(pytest.main(words, plugins=[table]))
