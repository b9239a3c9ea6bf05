"""Hostile names by the ten thousand: of files, clusters, people, items, labels and accounts.

The tests of ``tests/python/test_hostile_names.py`` with more names. Each name goes its whole road
and must come back as it was, or be refused with an error.

    python benchmarks/names.py [--names 10000] [--tests items]
"""

from __future__ import annotations

from campaign import campaign
from machine import sized

if __name__ == "__main__":
    campaign(
        "names",
        "Hostile names",
        tests="tests/python/test_hostile_names.py",
        sizes=("names", sized(200, 10_000)),
        notes=[
            "{n} different names: all planes of Unicode, normal forms, line breaks, marks of "
            "direction, leading dashes, formulas, HTML, shell characters, names that Windows "
            "reserves, texts that tables read as missing or as numbers, and names of 255 bytes. "
            "500 groups of packets, and 20 hostile folders.",
        ],
        about=__doc__,
    )
