"""Every step struck at many moments, and names of files by the ten thousand.

The tests of ``tests/python/test_faults.py`` with larger numbers: each step is killed,
and its disk is full, at so many moments of its work on files, and goes on to the same
result; files with hostile names come through every step.

    python benchmarks/faults.py [--moments 50] [--names 10000] [--tests killed]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from tempfile import TemporaryDirectory

from machine import sized, write_result

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=sized(2, 50))
    parser.add_argument("--names", type=int, default=sized(50, 10_000))
    parser.add_argument("--tests", default="", help="only those, as pytest -k takes them")
    arguments = parser.parse_args()
    numbers = {
        "IMAGESTRATA_MOMENTS": str(arguments.moments),
        "IMAGESTRATA_NAMES": str(arguments.names),
    }
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = [sys.executable, "-m", "pytest", "-q", "tests/python/test_faults.py"]
        words += [f"--junit-xml={report}", "-k", arguments.tests]
        done = subprocess.run(words, cwd=ROOT, env={**os.environ, **numbers}, check=False)
        cases = ElementTree.parse(report).getroot().iter("testcase")
        rows = [
            {
                "test": case.get("name"),
                "outcome": "passed" if len(case) == 0 else case[0].tag,
                "seconds": f"{float(case.get('time', 0)):.0f}",
            }
            for case in cases
        ]
    notes = [
        f"Killed, and out of disk, at {arguments.moments} moments of each step (all, where a "
        f"step has fewer); {arguments.names:,} files with hostile names.",
        f"{time.perf_counter() - start:.0f} s in all.",
    ]
    write_result("faults", rows, notes=notes, title="Faults")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
