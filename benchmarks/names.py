"""Hostile names by the ten thousand: of files, clusters, people, items, labels and accounts.

The tests of ``tests/python/test_hostile_names.py`` with more names. Each name goes its whole road
and must come back as it was, or be refused with an error.

    python benchmarks/names.py [--names 10000] [--tests items]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest
from faults import Table
from machine import sized

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=sized(200, 10_000))
    parser.add_argument("--tests", default="", help="only those, as pytest -k takes them")
    arguments = parser.parse_args()
    os.environ["IMAGESTRATA_NAMES"] = str(arguments.names)
    os.chdir(ROOT)
    notes = [
        f"{arguments.names:,} different names: all planes of Unicode, normal forms, line breaks, "
        "marks of direction, leading dashes, formulas, HTML, shell characters, names that Windows "
        "reserves, texts that tables read as missing or as numbers, and names of 255 bytes. 500 "
        "groups of packets, and 20 hostile folders.",
    ]
    table = Table("names", notes, title="Hostile names")
    words = ["-q", "-p", "no:cacheprovider", "tests/python/test_hostile_names.py"]
    sys.exit(pytest.main([*words, "-k", arguments.tests], plugins=[table]))


if __name__ == "__main__":
    main()
