"""How long `import imagestrata` and `imagestrata --help` take, against importing torch."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import sized, write_result

ROUNDS = sized(2, 8)
COMMAND = str(Path(sys.executable).with_name("imagestrata"))
CASES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import imagestrata": [sys.executable, "-c", "import imagestrata"],
    "imagestrata --help": [COMMAND, "--help"],
    "import torch": [sys.executable, "-c", "import torch"],
}


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    runs: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):  # in turn, so that all meet the same state of the machine
        for name, command in CASES.items():
            runs[name].append(seconds(command))
    medians = {name: statistics.median(times[1:]) for name, times in runs.items()}
    rows = [
        {
            "command": name,
            "seconds": round(median, 3),
            "of import torch": round(median / medians["import torch"], 3),
        }
        for name, median in medians.items()
    ]
    notes = [f"Medians of {ROUNDS - 1} processes each, after a first one; the commands in turn."]
    write_result("startup", rows, notes=notes, title="Time to start")


if __name__ == "__main__":
    main()
