"""Which of a run's texts something is made from."""

from __future__ import annotations

import os

import pandas as pd

from ..provenance import fingerprint, held_result

#: The steps that leave texts of images.
_STEPS = ("describe", "read", "tag")


def texts_fingerprint(texts: pd.DataFrame, column: str) -> str:
    """Tells texts of images from others, in whatever order they come."""
    known = texts.dropna(subset=column)
    return fingerprint(
        sorted(zip(known["image_id"].astype(str), known[column].astype(str), strict=True))
    )


def from_texts(
    out: str | os.PathLike[str] | None, texts: pd.DataFrame, column: str
) -> dict[str, str]:
    """The step in ``out`` that left these texts, if one did: texts may also be a user's own."""
    if out is None:
        return {}
    given = texts_fingerprint(texts, column)
    return {step: given for step in _STEPS if held_result(out, step) == given}
