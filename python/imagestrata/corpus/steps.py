"""Steps that read image files."""

from __future__ import annotations

from ..steps import StepKind

STEPS = (
    StepKind(
        "scan",
        "scan_images",
        "images.parquet",
        tables=("images.parquet", "files.parquet"),
        waits=True,
    ),
    StepKind(
        "relink", "relink", "places.parquet", after=("scan",), drawn=("places.parquet",), waits=True
    ),
    StepKind(
        "faces", "crop_faces", "faces.parquet", after=("scan",), tables=("faces.parquet", "faces")
    ),
)
