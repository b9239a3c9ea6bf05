"""Labels with one row per image and code, as coders give them: their conversion for training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..names import KEYS
from ..names import some as _some
from ..wording import arg, quote, verb

#: Kinds of codes that a network learns, and those that it does not.
BINARY, CHOICE, SCALE, TEXT = "binary", "choice", "scale", "text"

#: Answers to a binary code, as text.
_ANSWERS = {"1": 1, "0": 0, "1.0": 1, "0.0": 0, "true": 1, "false": 0}


def is_long(rows: pd.DataFrame) -> bool:
    """Return whether a table has one row per image and code, not a column per label."""
    if not ({"code", "label"} <= {*rows.columns} and {*KEYS} & {*rows.columns}):
        return False
    # A label of the name "code" has 1 and 0.
    return not pd.to_numeric(rows["code"], errors="coerce").dropna().isin([0, 1]).any()


def widened(rows: pd.DataFrame, *, several: bool = False) -> pd.DataFrame:
    """Return one row per image with a column per binary code, or with one column of classes.

    Parameters
    ----------
    rows : DataFrame
        Labels as ``read_labels()`` and :func:`imagestrata.consensus` return them.
    several : bool
        Allow any codes together, since each gets a classifier of its own.
    """
    key = next(name for name in KEYS if name in rows)
    rows = rows[rows["code"].notna()]
    kinds = kinds_of(rows)
    _check_kinds(kinds, several=several)
    answers = rows.assign(label=_as_text(rows["label"]), code=rows["code"].astype(str))
    skipped = answers["label"].isna()
    if skipped.any():
        warn(
            f"{skipped.sum()} of {plural(len(rows), 'label')} are missing (skipped or undecided) "
            "and left out."
        )
    answers = answers[~skipped]
    _check_annotators(answers, key)
    answers = answers.drop_duplicates([key, "code"])
    wide = answers.pivot(index=key, columns="code", values="label")
    wide = wide.reindex(columns=[code for code in kinds if code in wide])
    for code in wide:
        if kinds[str(code)] == BINARY:
            wide[code] = wide[code].str.lower().map(_ANSWERS).astype(float)
    order = answers[key].drop_duplicates()
    wide = wide.loc[order].reset_index().rename_axis(columns=None)
    if "split" in rows:
        wide["split"] = wide[key].map(answers.groupby(key)["split"].first())
    return wide


def kinds_of(rows: pd.DataFrame) -> dict[str, str]:
    """Return the kind of each code: as the table says, or else by its answers."""
    kinds: dict[str, str] = {}
    for name, table in rows.groupby(rows["code"].astype(str), sort=False):
        said = [] if "kind" not in table else [*table["kind"].dropna().astype(str).unique()]
        if len(said) > 1:
            raise ImagestrataError(f"The code {quote(name)} has several kinds: {_some(said)}.")
        kinds[str(name)] = said[0] if said else _looks(_as_text(table["label"]).dropna())
    return kinds


def _looks(answers: pd.Series[str]) -> str:
    if answers.str.lower().isin([*_ANSWERS]).all():
        return BINARY
    return SCALE if pd.to_numeric(answers, errors="coerce").notna().all() else CHOICE


def _as_text(answers: pd.Series[Any]) -> pd.Series[str]:
    """Return answers as text; whole numbers have no decimals, and empty text is missing."""
    text = answers.astype("object").map(_one_as_text)
    return pd.Series(text, index=answers.index, dtype="object")


def _one_as_text(value: Any) -> str | None:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip() or None


def _check_kinds(kinds: dict[str, str], *, several: bool) -> None:
    """Raise an error if a network cannot learn these codes together."""
    odd = {code: kind for code, kind in kinds.items() if kind not in (BINARY, CHOICE)}
    if odd:
        listed = ", ".join(f"{quote(code)} ({kind})" for code, kind in [*odd.items()][:5])
        advice = "Keep the rows of the codes to learn"
        if SCALE in odd.values():
            advice += f", or convert ratings on a scale with {verb('label_ratings')}"
        raise ImagestrataError(
            "A network learns codes of the kinds 'binary' and 'choice'; the labels also have "
            f"{listed}.",
            f"{advice}.",
        )
    reserved = [code for code in kinds if code in (*KEYS, "split")]
    if reserved:
        raise ImagestrataError(
            f"A code cannot have the name {quote(reserved[0])}, which tables of labels use for "
            "images and splits.",
            "Rename the code.",
        )
    if len(kinds) > 1 and CHOICE in kinds.values() and not several:
        choices = [code for code, kind in kinds.items() if kind == CHOICE]
        raise ImagestrataError(
            f"A network learns one code with classes, or several binary codes; the labels have "
            f"{plural(len(kinds), 'code')}, of which {_some(choices)} "
            f"{'has' if len(choices) == 1 else 'have'} classes.",
            f"Keep the rows of one code; or call {verb('tune_model')} with "
            f"{arg('separate', True)}, which trains a classifier for each code.",
        )


def _check_annotators(answers: pd.DataFrame, key: str) -> None:
    """Raise an error if an image has several labels of a code."""
    columns = [name for name in (key, "code", "annotator", "label") if name in answers]
    distinct = answers[columns].drop_duplicates()
    twice = distinct[distinct.duplicated([key, "code"], keep=False)]
    if twice.empty:
        return
    n = twice.drop_duplicates([key, "code"])[key].nunique()
    by = "of several annotators" if twice.get("annotator", pd.Series()).nunique() > 1 else ""
    raise ImagestrataError(
        f"{plural(n, 'image has', 'images have')} several labels of a code{' ' * bool(by)}{by}, "
        f"the first is {quote(twice[key].iloc[0])}.",
        f"Combine them first with {verb('consensus')}.",
    )
