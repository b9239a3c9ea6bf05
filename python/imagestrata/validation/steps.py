"""The steps of judging by a model, of tuning and of sweeps in a run folder."""

from __future__ import annotations

from ..steps import StepKind

STEPS = (
    StepKind(
        "judge",
        "judge_pairs",
        "judgements.csv",
        after=("pairs",),
        tables=("judgements.csv",),
    ),
    StepKind(
        "tune",
        "tune_clusters",
        "tuning.json",
        tables=("tuning.json", "results.parquet", "selection.parquet", "heldout.parquet"),
    ),
    StepKind(
        "sweep",
        "sweep_clusters",
        "sweep.parquet",
        after=("embed",),
        tables=("sweep.parquet",),
        drawn=("sweep.csv", "sweep.png"),
    ),
)
