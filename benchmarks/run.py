"""Runs all benchmarks and says how long each took: ``make bench``.

    python benchmarks/run.py [--size smoke] [--only clustering.py coverage.R] [--anew]

First come the scripts that measure time or memory, one after the other: leave the machine alone
until the line that says so. Then come the simulations, one on each core. A script that fails is
named at the end, and the others run. What is done on this commit is not repeated, so that a run
which was stopped goes on, unless the code differs from the commit or ``--anew`` is given. What
the scripts print is in ``build/bench``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
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
    "campaign.py": "what campaigns share",
    "border.py": "the part of border.R in Python",
    "install_size.py": "needs two fresh environments, of which one is 5 GB",
}
#: What takes hours, and is only run with ``--size full`` (and in smoke).
LONG = {
    "faults.py": "kills each step 50 times",
    "fine_tuning_defaults.py": "trains 176 networks",
    "full_disk.py": "fills the disk at 25 moments of each step",
    "names.py": "tries 10,000 hostile names in each place for names",
    "rating_pages.py": "answers 200 pages in a browser",
    "fuzz.py": "decodes 100,000 damaged pictures",
}
#: What a script has that measures time or memory, which other work on the machine would change.
CLOCK = re.compile(r"perf_counter|process_time|getrusage|system\.time|performance\.now")
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
    for at, row in enumerate(run_all(todo), 1):
        rows[row["script"]] = row
        sys.stdout.write(
            f"[{at}/{len(todo)}] {row['script']}: {row['state']}, {row['seconds']} s\n"
        )
        sys.stdout.flush()
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


def alone(script: str) -> bool:
    """Whether nothing else may run at the same time."""
    return CLOCK.search((HERE / script).read_text(encoding="utf-8")) is not None


def run_all(todo: list[str]) -> Iterator[dict[str, Any]]:
    """Rows of scripts as they end: one after the other, and then simulations side by side."""
    yield from (run(script) for script in todo if alone(script))
    sys.stdout.write("Nothing measures time from here on: the machine may do other work.\n")
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        simulations = [pool.submit(run, script, 1) for script in todo if not alone(script)]
        yield from (one.result() for one in as_completed(simulations))
    finally:  # also where somebody interrupts it
        pool.shutdown(cancel_futures=True)


def run(script: str, threads: int | None = None) -> dict[str, Any]:
    """Run one script in a process of its own, with as many threads for arithmetic."""
    LOGS.mkdir(parents=True, exist_ok=True)
    python = str(machine.ROOT / "python")
    environment = os.environ | {
        "IMAGESTRATA_SIZE": machine.SIZE,
        "IMAGESTRATA_RESULTS": str(machine.RESULTS),
        "PYTHONPATH": os.pathsep.join(filter(None, [python, os.environ.get("PYTHONPATH")])),
        "RETICULATE_PYTHON": sys.executable,
    }
    environment |= {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    words = [sys.executable] if script.endswith(".py") else ["Rscript"]
    start = time.perf_counter()
    with (LOGS / f"{script}.log").open("w", encoding="utf-8") as log:
        try:
            code: int | str = subprocess.run(
                [*words, str(HERE / script)], cwd=machine.ROOT, env=environment, check=False,
                stdout=log, stderr=subprocess.STDOUT, timeout=LONGEST[machine.SIZE],
            ).returncode  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            code = type(error).__name__
            log.write(f"{error}\n")
    seconds = round(time.perf_counter() - start)
    state = "done" if code == 0 else f"failed ({code})"
    how = "alone" if threads is None else "side by side"
    return {"script": script, "run": how, "seconds": seconds, "state": state}


def report(rows: list[dict[str, Any]]) -> None:
    """Write what was run so far."""
    left_out = {"install_size.py": OTHERS["install_size.py"]}
    left_out |= LONG if machine.SIZE == "standard" else {}
    cores = os.cpu_count() or 1
    total = sum(row["seconds"] / (1 if row["run"] == "alone" else cores) for row in rows)
    failed = sum(row["state"] != "done" for row in rows)
    notes = [
        f"{len(rows)} of {len(scripts())} scripts, {failed} failed; about {total / 60:.0f} "
        "minutes.",
        f"alone: scripts that measure time or memory; {cores} of the others run side by side, "
        "with one thread each.",
        *(f"`{name}` is not run: it {why}." for name, why in left_out.items()),
    ]
    machine.write_result("bench", rows, notes=notes, title="One run of all benchmarks", shown=False)


if __name__ == "__main__":
    sys.exit(main())
