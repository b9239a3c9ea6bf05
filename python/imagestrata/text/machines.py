"""Answers of machines: how tables name them, and how they are told from those of people.

Every table of labels, tags, predictions or judgements that this package has a machine make says so
in its column ``annotator``: :data:`PREFIX` and the name of the model. Nothing else tells them from
those of people, so that the column must survive a file and a change of other columns.
"""

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


def of_people(table: pd.DataFrame) -> pd.DataFrame:
    """The rows by people, or the table itself if it has none."""
    machine = by_machine(table)
    return table if machine.all() else table[~machine]


def signed(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The table with a model as its ``annotator``, before the ``reason`` for missing answers."""
    who = pd.Series(PREFIX + name.removeprefix(PREFIX), table.index, dtype="str")
    if "annotator" in table:
        return table.assign(annotator=who)
    table = table.copy(deep=False)
    table.insert([*table].index("reason"), "annotator", who)
    return table


def refuse_machine_labels(table: Any, name: str, advice: str | None = None) -> None:
    """Raise an error if labels that count as people's are those of a model.

    Parameters
    ----------
    table : DataFrame or anything
        Anything else has no annotators.
    name : str
        The argument.
    advice : str, optional
        What to do; by default, to give the labels of the model as predictions.
    """
    if not isinstance(table, pd.DataFrame):
        return
    machine = by_machine(table)
    if not machine.any():
        return
    which = "All" if machine.all() else f"{int(machine.sum())} of"
    by = quote(table.loc[machine, "annotator"].iloc[0])
    raise ImagestrataError(
        f"{which} {plural(len(table), 'label')} in {arg(name)} are by {by}, a model. Nobody knows "
        "how often it is wrong about these images.",
        advice
        or f"Give the labels of the model as {arg('predictions')}, and those that people gave to "
        f"a random sample of the images as {arg(name)}.",
    )


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
