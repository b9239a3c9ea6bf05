"""Broken and malicious images by the hundred thousand: what becomes of them.

The same mutations as in ``tests/python/test_fuzz.py``, more of them: every one is read
or has a reason, and none crashes, hangs (10 s of computing) or takes more memory than
the stated bound.

    python benchmarks/fuzz.py [--mutations 100000] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from machine import sized, write_result

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "python"))

from fuzz import HANG, MEMORY, TWICE, fuzz, originals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=sized(200, 100_000))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    start = time.perf_counter()
    found = fuzz(arguments.mutations, arguments.seed)
    seconds = time.perf_counter() - start
    rows = [
        {"outcome": outcome, "mutations": f"{n:,}", "share": f"{n / arguments.mutations:.1%}"}
        for outcome, n in found.outcomes.most_common()
    ]
    rows.append({"outcome": "crash, hang or error", "mutations": len(found.wrong), "share": ""})
    notes = [
        f"{arguments.mutations:,} mutations of {len(originals())} images in JPEG, PNG, GIF, WebP, "
        f"TIFF, BMP, AVIF, HEIF and JPEG 2000, seed {arguments.seed}, in {seconds:.0f} s on one "
        "core.",
        f"A hang is {HANG} s of computing. Most memory beyond that of the process at its start: "
        f"{found.memory / 2**20:,.0f} MiB (mutation {found.hungriest}); the bound is "
        f"{MEMORY / 2**20:,.0f} MiB, 13 bytes for each pixel of the largest picture.",
        "Read of each format: "
        + ", ".join(f"{name} {found.read[name]:,} of {n:,}" for name, n in found.formats.items())
        + ".",
        f"Every {TWICE}th mutation that is read is read twice, and must be the same picture.",
        *(f"Mutation {number}: {what}" for number, what in found.wrong[:20]),
    ]
    write_result("fuzz", rows, notes=notes, title="Mutated images")
    if found.wrong or found.memory >= MEMORY:
        sys.exit(1)


if __name__ == "__main__":
    main()
