"""The steps of a run folder that draw images and pairs, and assign them to annotators."""

from __future__ import annotations

from ..steps import StepKind

STEPS = (
    StepKind(
        "sample",
        "sample_images",
        "sample.csv",
        after=("cluster",),
        work=("sample.csv", "label-*", "labels*.csv", "meeting-labels*"),
    ),
    StepKind(
        "pairs",
        "sample_pairs",
        "pairs.csv",
        after=("embed",),
        work=(
            *("pairs.csv", "pairs-*.csv", "judge-pairs*", "meeting-pairs*"),
            *("agreement.csv", "scores.csv"),
        ),
    ),
    StepKind(
        "assign",
        "assign_annotators",
        "packets.csv",
        after=("sample",),
        work=("packets.csv", "rate-*"),
    ),
)
