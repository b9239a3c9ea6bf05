"""Steps that put images into words."""

from __future__ import annotations

from ..steps import StepKind

STEPS = (
    StepKind(
        "describe",
        "describe_images",
        "descriptions.parquet",
        after=("scan",),
        tables=("descriptions.parquet",),
        drawn=("keywords.csv",),
    ),
    StepKind(
        "tag",
        "tag_images",
        "tags.parquet",
        after=("scan",),
        tables=("tags.parquet", "tag-frequencies.csv"),
        drawn=("keywords.csv", "tags.png"),
    ),
    StepKind(
        "read",
        "read_text",
        "texts.parquet",
        after=("scan",),
        tables=("texts.parquet",),
        drawn=("keywords.csv",),
    ),
)
