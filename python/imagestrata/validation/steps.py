"""The step of tuning in a run folder."""

from __future__ import annotations

from ..steps import StepKind

STEPS = (
    StepKind(
        "tune",
        "tune_clusters",
        "tuning.json",
        tables=("tuning.json", "results.parquet", "selection.parquet", "heldout.parquet"),
    ),
)
