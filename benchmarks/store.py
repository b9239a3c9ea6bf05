"""A million vectors on disk: writing them as parts, and loading them.

Each measurement is a process of its own. Its memory is the most that the process had at
any time: all of it as the system counts it (where pages of mapped files count, which it
takes back whenever it needs room), and of that what is the process's own.

    python benchmarks/store.py [--rows 1000000] [--width 512] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result

from imagestrata import Embeddings
from imagestrata.embeddings import mapped
from imagestrata.embeddings.inputs import as_embeddings
from imagestrata.embeddings.parts import PART_SIZE, VectorParts, encoder_key, finish

#: How often a process looks at its own memory, in seconds.
PULSE = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=sized(2_000, 1_000_000))
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--keep", type=Path, help="write the vectors there, and leave them")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        measure(lambda: STEPS[arguments.step](arguments.folder, arguments.rows, arguments.width))
    elif arguments.keep:
        report(arguments.keep, arguments.rows, arguments.width)
    else:
        with tempfile.TemporaryDirectory() as folder:
            report(Path(folder), arguments.rows, arguments.width)


def report(folder: Path, n: int, width: int) -> None:
    """Write a table with a line for each step."""
    load = os.getloadavg()[0]
    rows = [in_a_process(step, folder, n, width) for step in STEPS]
    write_result(
        "store",
        rows,
        title=f"{n:,} vectors of {width} numbers ({n * width * 4 / 1e9:.2f} GB) on disk",
        notes=[
            f"Load of the machine before (0: nothing else runs): {load:.1f}.",
            "peak: the largest resident size; own: the largest part of it that is not pages of "
            f"files. Python with imagestrata and NumPy alone has {baseline()} MB.",
            "first load: makes the file that is mapped; second load: checks its bytes and maps "
            "it; in memory: what loading was before there was such a file.",
            "all rows: a load, and one pass over all numbers, to see that they are finite.",
        ],
    )


def write(folder: Path, n: int, width: int) -> None:
    """Random vectors around a hundred centres, as a run leaves them."""
    place = folder / "embeddings"
    ids = [f"{row:016x}" for row in range(n)]
    encoder = {"name": "drawn at random", "width": width}
    parts = VectorParts(place, encoder_key(encoder))
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((100, width), dtype=np.float32)
    for block in parts.split(ids):
        noise = rng.standard_normal((len(block), width), dtype=np.float32)
        vectors = centers[rng.integers(100, size=len(block))] + noise
        parts.write(block, vectors, [None] * len(block))
    paths = [f"images/{image_id}.jpg" for image_id in ids]
    finish(place, pd.DataFrame({"image_id": ids, "path": paths, "n_copies": 1}), encoder)


def load(folder: Path, n: int, width: int) -> None:
    embeddings = Embeddings.load(folder)
    assert embeddings.matrix.shape == (n, width)


def load_in_memory(folder: Path, n: int, width: int) -> None:
    mapped.LARGEST_IN_MEMORY = n * width * 4
    load(folder, n, width)


def look_at_all(folder: Path, n: int, width: int) -> None:
    assert len(as_embeddings(Embeddings.load(folder))) == n


STEPS: dict[str, Callable[[Path, int, int], None]] = {
    f"write parts of {PART_SIZE}": write,
    "first load": load,
    "second load": load,
    "all rows": look_at_all,
    "in memory": load_in_memory,
}


def in_a_process(step: str, folder: Path, n: int, width: int) -> dict[str, Any]:
    """What a step needs, as a row of the table."""
    options = ["--step", step, "--folder", str(folder), "--rows", str(n), "--width", str(width)]
    found = subprocess.run(
        [sys.executable, __file__, *options], check=True, stdout=subprocess.PIPE, text=True
    )
    measured: dict[str, Any] = json.loads(found.stdout)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"step": step, **measured, "GB on disk after": round(size / 1e9, 2)}


def measure(work: Callable[[], None]) -> None:
    """Print seconds and memory of some work."""
    stop = threading.Event()
    own = [own_megabytes()]

    def watch() -> None:
        while not stop.wait(PULSE):
            own.append(own_megabytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    try:
        work()
    finally:  # the process ends, also with an error
        seconds = time.perf_counter() - start
        stop.set()
        watcher.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"seconds": round(seconds, 1), "peak MB": round(peak), "own MB": round(max(own))}
    sys.stdout.write(json.dumps(found))


def own_megabytes() -> float:
    """Resident memory of this process that is no file's, by Linux's count."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def baseline() -> int:
    """Megabytes of this process, which has imported all and loaded nothing."""
    return round(own_megabytes())


if __name__ == "__main__":
    main()
