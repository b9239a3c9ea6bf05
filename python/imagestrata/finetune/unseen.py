"""Refuse predictions by a model that has learnt from the images with which they are compared."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..wording import arg, quote

#: The splits of images whose labels a model has learnt from.
SEEN = ("train", "val")


def check_unseen(
    predictions: pd.DataFrame,
    image_ids: pd.Series[Any],
    noun: str = "labelled image",
    seen: str = "label",
) -> None:
    """Refuse predictions by a model that has seen the labels, or ratings, of images.

    Parameters
    ----------
    predictions : DataFrame
        ``image_id`` and, if it is known, ``split``.
    image_ids : Series
        The images with which predictions are compared.
    noun, seen : str
        What they are called, and what the model must not have seen.
    """
    if "split" not in predictions:
        return
    learnt = predictions["image_id"][predictions["split"].isin(SEEN)]
    both = image_ids[image_ids.isin(learnt)].unique()
    if len(both):
        raise ImagestrataError(
            f"The model was trained on {len(both):,} of the "
            f"{plural(image_ids.nunique(), noun)} ('split' is "
            f"{' or '.join(map(quote, SEEN))}), {quote(both[0])} for one: its errors for these say "
            "nothing about its errors for others.",
            "Use predictions out of fold, in which each image is predicted by a model that has not "
            f"seen its {seen}, or train on images outside of {arg('sample')}.",
        )


def warn_unknown_split(noun: str = "labelled images", seen: str = "labels") -> None:
    """Say that nobody knows what the model has seen."""
    warn(
        f"{arg('predictions')} has no column 'split': it is not known whether the model was "
        f"trained on {noun}. If it was, it seems more accurate than it is, and the "
        "corrected estimates are wrong.",
        f"Use predictions of models that have not seen the {seen} of these images.",
    )
