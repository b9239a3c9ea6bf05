"""What every benchmark shares: the machine's name, and results as a table and as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imagestrata.doctor import processor_name
from imagestrata.files import write_json, write_text
from imagestrata.provenance import versions

RESULTS = Path(__file__).parent / "results"


def write_result(
    name: str, rows: Sequence[Mapping[str, Any]], *, notes: Sequence[str] = (), title: str = ""
) -> None:
    """Write ``results/<name>.md`` and ``results/<name>.json``, and show the table."""
    found = versions()
    packages = ", ".join(
        f"{package} {found[package]}" for package in ("numpy", "scikit-learn", "torch")
    )
    machine = f"{processor_name()}, {os.cpu_count()} cores; Python {found['python']}, {packages}"
    parts = [f"# {title or name}", table(rows)]
    parts += ["\n".join(f"- {note}" for note in notes)] if notes else []
    parts += [f"Measured on {machine}."]
    text = "\n\n".join(parts) + "\n"
    RESULTS.mkdir(exist_ok=True)
    write_text(RESULTS / f"{name}.md", text)
    write_json(RESULTS / f"{name}.json", {"machine": machine, "rows": list(rows)})
    sys.stdout.write(text)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of one form as a Markdown table."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns)]
    lines += [
        ["" if row[column] is None else str(row[column]) for column in columns] for row in rows
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
