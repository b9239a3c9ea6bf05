"""The step of the gallery in a run folder."""

from __future__ import annotations

from ..steps import StepKind

STEPS = (
    StepKind(
        "gallery",
        "image_gallery",
        "gallery/index.html",
        after=("sample", "cluster"),
        drawn=("gallery", "montage.png", "map.png", "trace.png", "searches.png"),
        reuses=True,
    ),
)
