"""Record where results come from: the run folder and its ``run.json``.

A run folder contains the results of the steps of an analysis. For each step, ``run.json`` records
the settings, the inputs, the versions, and whether the step is finished. A finished step with the
same settings and inputs is read; an interrupted step continues; a step with other settings is
refused, so that nothing is lost by mistake.

All results in a run folder belong together. A step records fingerprints of its result and of the
results that it uses, so that a table of another analysis is refused. If a result is replaced, the
results that use it leave the folder: figures and pages are removed, since the same command draws
them again; tables and the files that annotators fill in move to ``replaced/`` and the current time.

Several clusterings or encoders can exist side by side as *variants*. A variant is a run folder
``variants/NAME`` in a run folder. It uses each step of the surrounding run that it does not have
itself.
"""

from __future__ import annotations

from .code import code_of
from .replaced import remove_drawn
from .run import (
    bases_have_grown,
    check_base,
    check_run,
    check_settings,
    edited_since,
    editing_of,
    find_step,
    fingerprint,
    finished_before,
    held_result,
    is_variant,
    made_since,
    one_of,
    part_of,
    plain,
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
    "Step",
    "bases_have_grown",
    "check_base",
    "check_run",
    "check_settings",
    "code_of",
    "edited_since",
    "editing_of",
    "find_step",
    "fingerprint",
    "finished_before",
    "held_result",
    "is_variant",
    "made_since",
    "one_of",
    "part_of",
    "plain",
    "read_run",
    "read_table",
    "remove_drawn",
    "require_step",
    "run_of",
    "step_folder",
    "table_hashes",
    "variant_folder",
    "variants_of",
    "version",
    "versions",
]  # fmt: skip
