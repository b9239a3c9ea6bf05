"""Pairs on which annotators disagree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..tables import check_table
from ..text.machines import of_people
from .agreement import check_judgements
from .questions import QUESTION


def keys_of(table: pd.DataFrame) -> list[str]:
    """The columns that name what one judgement is about: the pair, and its question."""
    return ["pair_id", QUESTION] if QUESTION in table else ["pair_id"]


def disputed_pairs(judged: Any, name: str, without: pd.DataFrame | None = None) -> pd.DataFrame:
    """The judgements of pairs on which annotators disagree, the most disputed pairs first.

    Parameters
    ----------
    judged : DataFrame
        Judgements, with further columns of the pairs. A model is no party to a dispute.
    name : str
        The argument that holds the table.
    without : DataFrame, optional
        Pairs, and their questions, that are no longer disputed.

    Returns
    -------
    DataFrame
        The columns of the pairs, ``question`` if there are several, ``annotator``, ``judgement``
        and ``disagreement``: the mean squared difference between the judgements of two annotators,
        which for two possible answers is the share of two annotators who disagree.
    """
    table = check_table(name, judged, ("pair_id", "annotator", "judgement"), "read_pairs")
    table = of_people(table).reset_index(drop=True)
    checked = check_judgements(table, name)
    keys = keys_of(checked)
    sums = (
        checked.assign(square=checked["judgement"] ** 2)
        .groupby(keys, sort=False)
        .agg(n=("judgement", "size"), sum=("judgement", "sum"), square=("square", "sum"))
    )
    twos = np.maximum(sums["n"] * (sums["n"] - 1) / 2, 1)
    sums["disagreement"] = (sums["n"] * sums["square"] - sums["sum"] ** 2) / twos
    differ = checked.groupby(keys, sort=False)["judgement"].nunique() > 1
    sums = sums.loc[differ.to_numpy()]
    if without is not None:
        sums = sums.loc[~sums.index.isin(without.set_index(keys).index)]
    order = np.lexsort((-sums["n"], -sums["disagreement"].round(9)))
    sums = sums.iloc[order].reset_index()[[*keys, "disagreement"]].assign(_place=range(len(sums)))
    rows = table.loc[checked.index].assign(judgement=checked["judgement"])
    found = rows.drop(columns="disagreement", errors="ignore").merge(sums, on=keys)
    found = found.sort_values("_place", kind="stable", ignore_index=True)
    return found[columns_of_disputes(found)]


def columns_of_disputes(table: pd.DataFrame) -> list[str]:
    """The columns of disputed pairs, given those of judged pairs or of their consensus."""
    last = ["annotator", *([QUESTION] if QUESTION in table else []), "judgement", "disagreement"]
    return [str(one) for one in table if one not in (*last, "_place", "n_annotators")] + last
