"""What every benchmark shares: its size, the machine's name, and results as a table and as JSON.

``machine.R`` is the same for benchmarks in R.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from imagestrata.doctor import processor_name
from imagestrata.files import write_json, write_text
from imagestrata.provenance import versions

ROOT = Path(__file__).parents[1]

#: "smoke" only shows that a script runs, in seconds; "standard" is that of ``make bench``, which
#: takes two idle cores 75 minutes; "full" is for those who have a night.
SIZES = ("smoke", "standard", "full")
SIZE = os.environ.get("IMAGESTRATA_SIZE", "standard")

#: Results of smoke are no results.
RESULTS = Path(
    os.environ.get(
        "IMAGESTRATA_RESULTS",
        ROOT / ("build/smoke" if SIZE == "smoke" else "benchmarks/results"),
    )
)

#: Photographs and weights that are no part of the project.
DATA = ROOT.parent / "shared" / "data"

T = TypeVar("T")


def sized(smoke: T, standard: T, full: T | None = None) -> T:
    """What a benchmark of this size takes: images, simulations, seeds; full is standard or more."""
    return {"smoke": smoke, "standard": standard, "full": standard if full is None else full}[SIZE]


def photographs(folder: Path, few: int = 6) -> pd.DataFrame:
    """Unpack the labelled photographs of ``caltech101-unbalanced.tar``: paths in it, and classes.

    Smoke has ``few`` of each class.
    """
    with tarfile.open(DATA / "caltech101-unbalanced.tar") as archive:
        archive.extractall(folder, filter="data")
    table = pd.read_csv(folder / "labels.csv")
    kept = table.groupby("class").head(sized(few, len(table)))
    for path in table["path"].drop(kept.index):
        (folder / path).unlink()
    kept.to_csv(folder / "labels.csv", index=False)
    return kept.reset_index(drop=True)


def chance(simulations: int, coverage: float = 0.95) -> str:
    """Within which percentages a true coverage is found in so many simulations, for notes."""
    error = 1.96 * (coverage * (1 - coverage) / simulations) ** 0.5
    low, high = 100 * (coverage - error), min(100.0, 100 * (coverage + error))
    return (
        f"Monte Carlo error: with {simulations:,} simulations, a true coverage of {coverage:.0%} "
        f"gives {low:.1f} to {high:.1f}%"
    )


def write_result(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    notes: Sequence[str] = (),
    title: str = "",
    simulations: int | None = None,
    shown: bool = True,
    **counts: int,
) -> None:
    """Write ``<name>.md`` and ``<name>.json``, and show the table.

    ``simulations`` is their number for each row of intervals, whose error the notes then state.
    ``counts`` are others that docs refer to, such as ``coders=50``.
    Cells that are texts of a number are numbers in JSON. Rows that were measured at different times
    have a column "commit" each.
    """
    found = versions()
    packages = ", ".join(
        f"{package} {found[package]}" for package in ("numpy", "scikit-learn", "torch")
    )
    machine = f"{processor_name()}, {os.cpu_count()} cores; Python {found['python']}, {packages}"
    if simulations is not None:
        notes = [*notes, f"{chance(simulations)}."]
    made = commit()
    parts = [f"# {title or name}", table(rows)]
    parts += ["\n".join(f"- {note}" for note in notes)] if notes else []
    at = "each row on its commit" if "commit" in rows[0] else f"commit {made}"
    parts += [f"Measured on {machine}, {at}."]
    text = "\n\n".join(parts) + "\n"
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_text(RESULTS / f"{name}.md", text)
    facts = {"machine": machine, "commit": made, "size": SIZE, "simulations": simulations}
    facts |= counts
    cells = [
        {name: cell if name == "commit" else number(cell) for name, cell in row.items()}
        for row in rows
    ]
    write_json(RESULTS / f"{name}.json", {**facts, "rows": cells})
    if shown:
        sys.stdout.write(text)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of one form as a Markdown table."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns)]
    lines += [
        ["" if row[column] is None else str(row[column]) for column in columns] for row in rows
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(cell: Any) -> Any:
    """A number for its text, "1,234" or "+0.50"; nothing for an empty one."""
    if not isinstance(cell, str):
        return cell
    if not re.fullmatch(r"[+-]?(\d{1,3}(,\d{3})+|\d*)(\.\d+)?", cell):
        return cell
    return (
        float(cell.replace(",", ""))
        if "." in cell
        else int(cell.replace(",", ""))
        if cell
        else None
    )


def commit() -> str:
    """The commit that is measured, with a "+" where the code differs from it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git(
            "status", "--porcelain", "--", "python", "R", "benchmarks", ":!benchmarks/results"
        )
        return git("rev-parse", "--short=8", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
