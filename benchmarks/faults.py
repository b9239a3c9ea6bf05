"""Every step struck at many moments of its work on files.

The tests of ``tests/python/test_faults.py`` with larger numbers: each step is killed at so many
moments of its work on files, its disk is full at half as many, it is interrupted and meets an error
of the disk at a fifth as many, and it goes on to the same result. Steps that ask no service are
killed in one run, of which the folder is copied at each moment, as a kill would leave it.

    python benchmarks/faults.py [--moments 50] [--tests "kill or stopped"] [--name other]
"""

from __future__ import annotations

from campaign import campaign
from machine import sized

if __name__ == "__main__":
    campaign(
        "faults",
        "Faults",
        tests="tests/python/test_faults.py",
        sizes=("moments", sized(2, 50)),
        notes=[
            "Killed at {n} moments of each step, or at all if a step has fewer. A moment is a "
            "change that it makes to its folder: a file opened to write, renamed, removed or made.",
        ],
        about=__doc__,
    )
