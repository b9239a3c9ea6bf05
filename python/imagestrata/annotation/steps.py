"""The steps in which a model annotates."""

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
)
