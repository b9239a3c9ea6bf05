"""The step that fine-tunes a network."""

from __future__ import annotations

from ..steps import StepKind

STEPS = (
    StepKind(
        "fine-tune",
        "fine_tune",
        "model/model.json",
        after=("scan",),
        tables=("model", "training.png"),
    ),
)
