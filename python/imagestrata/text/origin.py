"""Find the step of a run that made given texts."""

from __future__ import annotations

import os

import pandas as pd

from ..provenance import fingerprint, held_result

#: The steps that write texts of images.
_STEPS = ("describe", "read", "tag")


def texts_fingerprint(texts: pd.DataFrame, column: str) -> str:
    """Fingerprint of the texts of images, which does not depend on their order."""
    known = texts.dropna(subset=column)
    return fingerprint(
        sorted(zip(known["image_id"].astype(str), known[column].astype(str), strict=True))
    )


def from_texts(
    out: str | os.PathLike[str] | None, texts: pd.DataFrame, column: str
) -> dict[str, str]:
    """The step in ``out`` that wrote these texts; empty for a user's own texts."""
    if out is None:
        return {}
    given = texts_fingerprint(texts, column)
    return {step: given for step in _STEPS if held_result(out, step) == given}
