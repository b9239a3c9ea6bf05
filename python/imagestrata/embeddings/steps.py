"""The step that computes vectors."""

from __future__ import annotations

from ..steps import StepKind

STEPS = (
    StepKind(
        "embed",
        "embed_images",
        "embeddings/encoder.json",
        after=("scan", "fine-tune", "describe", "tag", "read"),
        work=("tuning",),
        drawn=(
            "embeddings/encoder.json",
            "embeddings/images.parquet",
            "embeddings/vectors.*",
        ),
    ),
)
