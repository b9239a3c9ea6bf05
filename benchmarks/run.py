"""Runs all benchmarks, one after the other, and says how long each took: ``make bench``.

    python benchmarks/run.py [--size smoke] [--only clustering.py coverage.R] [--anew]

A script that fails is named at the end, and the others run. What is done on this commit is not
repeated, so that a run which was stopped goes on, unless the code differs from the commit or
``--anew`` is given. The last lines of each script are in ``build/bench``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import machine

HERE = Path(__file__).parent
LOGS = machine.ROOT / "build" / "bench"

#: What is in this folder and is no benchmark of this run.
OTHERS = {
    "machine.py": "what benchmarks share",
    "machine.R": "the same for R",
    "run.py": "this",
    "border.py": "the part of border.R in Python",
    "install_size.py": "needs two fresh environments, of which one is 5 GB",
}
#: What takes hours, and is only run with ``--size full`` (and in smoke).
LONG = {
    "faults.py": "kills each step 50 times",
    "fine_tuning_defaults.py": "trains 176 networks",
    "fuzz.py": "decodes 100,000 damaged pictures",
}
#: No benchmark takes as long, in seconds.
LONGEST = {"smoke": 900, "standard": 3600, "full": 86_400}


def scripts(size: str = machine.SIZE) -> list[str]:
    """The benchmarks of this folder."""
    files = [*HERE.glob("*.py"), *HERE.glob("*.R")]
    without = {*OTHERS, *(LONG if size == "standard" else ())}
    return sorted(file.name for file in files if file.name not in without)


def main() -> int:
    """Run what is asked for and not done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=machine.SIZES, default=machine.SIZE)
    parser.add_argument("--only", nargs="+", choices=scripts("full"), metavar="SCRIPT")
    parser.add_argument("--anew", action="store_true", help="also what is done on this commit")
    arguments = parser.parse_args()
    if arguments.size != machine.SIZE:  # where results go depends on the size
        words = [sys.executable, *sys.argv]
        os.execve(sys.executable, words, os.environ | {"IMAGESTRATA_SIZE": arguments.size})
    rows = {} if arguments.anew else done_before(machine.RESULTS / "bench.json")
    wanted = arguments.only or scripts()
    todo = [script for script in wanted if script not in rows]
    for at, script in enumerate(todo, 1):
        sys.stdout.write(f"[{at}/{len(todo)}] {script} ... ")
        sys.stdout.flush()
        rows[script] = run(script)
        sys.stdout.write(f"{rows[script]['state']}, {rows[script]['seconds']} s\n")
        report([rows[name] for name in scripts("full") if name in rows])
    failed = [name for name in wanted if rows[name]["state"] != "done"]
    for name in failed:
        sys.stdout.write(f"\n{name} failed:\n" + (LOGS / f"{name}.log").read_text()[-2000:])
    return min(len(failed), 1)


def done_before(file: Path) -> dict[str, dict[str, Any]]:
    """The rows of scripts that are done on this commit, if the code is that of the commit."""
    if not file.exists() or machine.commit().endswith("+"):
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    same = found["commit"] == machine.commit() and found["size"] == machine.SIZE
    return {row["script"]: row for row in found["rows"] if same and row["state"] == "done"}


def run(script: str) -> dict[str, Any]:
    """Run one script in a process of its own."""
    LOGS.mkdir(parents=True, exist_ok=True)
    python = str(machine.ROOT / "python")
    environment = os.environ | {
        "IMAGESTRATA_SIZE": machine.SIZE,
        "IMAGESTRATA_RESULTS": str(machine.RESULTS),
        "PYTHONPATH": os.pathsep.join(filter(None, [python, os.environ.get("PYTHONPATH")])),
        "RETICULATE_PYTHON": sys.executable,
    }
    words = [sys.executable] if script.endswith(".py") else ["Rscript"]
    start, before = time.perf_counter(), os.times()
    with (LOGS / f"{script}.log").open("w", encoding="utf-8") as log:
        try:
            code: int | str = subprocess.run(
                [*words, str(HERE / script)], cwd=machine.ROOT, env=environment, check=False,
                stdout=log, stderr=subprocess.STDOUT, timeout=LONGEST[machine.SIZE],
            ).returncode  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            code = type(error).__name__
            log.write(f"{error}\n")
    state = "done" if code == 0 else f"failed ({code})"
    after = os.times()
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    seconds = {"seconds": time.perf_counter() - start, "of processors": spent}
    return {"script": script, **{name: round(one) for name, one in seconds.items()}, "state": state}


def report(rows: list[dict[str, Any]]) -> None:
    """Write what was run so far."""
    left_out = {"install_size.py": OTHERS["install_size.py"]}
    left_out |= LONG if machine.SIZE == "standard" else {}
    total = sum(row["seconds"] for row in rows)
    failed = sum(row["state"] != "done" for row in rows)
    notes = [
        f"{len(rows)} of {len(scripts())} scripts, {failed} failed; {total / 60:.0f} minutes.",
        "of processors: seconds of all processors together.",
        *(f"`{name}` is not run: it {why}." for name, why in left_out.items()),
    ]
    machine.write_result("bench", rows, notes=notes, title="One run of all benchmarks", shown=False)


if __name__ == "__main__":
    sys.exit(main())
