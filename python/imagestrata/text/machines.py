"""Judgements by machines: how tables name them, and how they are told from those of people."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural
from ..wording import arg, quote, verb

#: How the name of an annotator begins if it is a model.
PREFIX = "model:"


def by_machine(table: pd.DataFrame) -> pd.Series[bool]:
    """Whether each row of a table has a model as its annotator.

    Several models that :func:`imagestrata.consensus` combined are one annotator, whose name begins
    with that of the first.
    """
    if "annotator" not in table:
        return pd.Series(False, index=table.index)
    names: pd.Series[Any] = table["annotator"].astype("string").fillna("")
    return names.str.strip().str.startswith(PREFIX).astype(bool)


def refuse_machines(table: pd.DataFrame, name: str) -> None:
    """Raise an error if judgements that count as true are those of a model."""
    machine = by_machine(table)
    if machine.any():
        which = "All" if machine.all() else f"{int(machine.sum())} of"
        said = plural(len(table), "judgement")
        raise ImagestrataError(
            f"{which} {said} in {arg(name)} are by {quote(table.loc[machine, 'annotator'].iloc[0])}"
            ", a model. Nobody knows how often it is wrong about these images.",
            "Have people judge a random part of the pairs, such as the first 150, and correct the "
            f"judgements of the model by theirs: give them as {arg('machine')} to "
            f"{verb('score_clustering')}, and those of people as {arg('truth')}.",
        )
