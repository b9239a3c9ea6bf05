"""Where results come from: the run folder and its ``run.json``.

A run folder holds what the steps of the road of data left behind. ``run.json``
says of each step with which settings, on which inputs and with which versions
it was made, and whether it is finished. A step that is asked for again with the
same settings on the same inputs is taken as it is; one that was interrupted
goes on; one with other settings is refused, so that nothing is lost by mistake.

A run folder is one story. A step records fingerprints of its result and of the
results that it was made from, so that a table of another story is refused. What
was made from a result that is replaced leaves the folder: figures and pages are
removed, since the same command draws them again; tables, and all that people work
with, move to ``replaced/`` and the time of day.

Several clusterings or encoders lie side by side as *variants*: a variant is a run
folder ``variants/NAME`` in a run folder, and takes from the run around it every step
that it does not have itself.
"""

from __future__ import annotations

from .run import (
    check_base,
    check_settings,
    find_step,
    fingerprint,
    held_result,
    one_of,
    part_of,
    read_run,
    read_table,
    require_step,
    run_of,
    step_folder,
    table_hashes,
    variant_folder,
    variants_of,
    version,
    versions,
)
from .step import Step

__all__ = [
    "Step", "check_base", "check_settings", "find_step", "fingerprint", "held_result", "one_of",
    "part_of", "read_run", "read_table", "require_step", "run_of", "step_folder",
    "table_hashes", "variant_folder", "variants_of", "version", "versions",
]  # fmt: skip
