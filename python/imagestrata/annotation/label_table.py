"""The table of labels: one row per image, code and annotator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural
from ..tables import check_table, label_texts, tell_alike
from ..wording import quote
from .codes import KINDS

COLUMNS = ("image_id", "code", "label")


def is_labels(given: Any) -> bool:
    """Whether a table has one row per image and code, unlike labels in one column each."""
    return {*COLUMNS} <= {*getattr(given, "columns", ())}


def check_labels(given: Any, name: str = "labels") -> pd.DataFrame:
    """The table with ``image_id``, ``code``, ``label`` (text), ``annotator``, ``note``, ``kind``.

    Plain tables without an annotator, a note or a kind get them: no annotator, no note, and
    "binary" for a code whose labels are all 1 or 0, else "choice".
    """
    table = check_table(name, given, COLUMNS, "read_labels")
    if not len(table):
        raise ImagestrataError("The table contains no labels.")
    unnamed = int(table[["image_id", "code"]].isna().any(axis=1).sum())
    if unnamed:
        raise ImagestrataError(
            f"{unnamed} of {plural(len(table), 'label')} lack an image or a code."
        )
    labels = label_texts(table["label"])
    columns = {"image_id": table["image_id"], "code": table["code"].astype(str), "label": labels}
    for column in ("annotator", "note"):
        if column in table:
            columns[column] = table[column].astype("str")
        else:
            columns[column] = pd.Series(pd.NA, table.index, dtype="str")
    found = pd.DataFrame(columns).reset_index(drop=True)
    if "annotator" in table and table["annotator"].isna().any():
        raise ImagestrataError(
            f"{int(table['annotator'].isna().sum())} of {plural(len(table), 'label')} have no "
            "annotator."
        )
    kinds = _kinds(found, table["kind"].reset_index(drop=True) if "kind" in table else None)
    tell_alike(found["label"].where(kinds == "choice"), found["code"])
    return found.assign(kind=kinds)


def _kinds(table: pd.DataFrame, given: Any) -> pd.Series[str]:
    """The kind of each row's code."""
    if given is not None:
        odd = ~given.isin(KINDS)
        if odd.any():
            raise ImagestrataError(
                f"The column 'kind' must contain {', '.join(KINDS)}, not "
                f"{quote(given[odd].iloc[0])}."
            )
        several = table.assign(kind=given).groupby("code")["kind"].nunique() > 1
        if several.any():
            raise ImagestrataError(
                f"The code {quote(several.idxmax())} is of several kinds in the column 'kind'."
            )
        said: pd.Series[str] = given.astype("str")
        return said
    is_binary = table["label"].isna() | table["label"].isin(["0", "1"])
    kinds = is_binary.groupby(table["code"]).all().map({True: "binary", False: "choice"})
    return table["code"].map(kinds).astype("str")


def check_once(table: pd.DataFrame) -> None:
    """Raise an error if an annotator labelled an image twice."""
    twice = table.duplicated(["image_id", "code", "annotator"])
    if twice.any():
        first = table[twice].iloc[0]
        raise ImagestrataError(
            f"{plural(int(twice.sum()), 'label is', 'labels are')} repeated: "
            f"{quote(first['annotator'])} labelled the image {quote(first['image_id'])} more than "
            f"once for {quote(first['code'])}.",
            "Keep one label per annotator, image and code.",
        )


def disputes(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of images on which annotators disagree, by image and code.

    Free text is never disputed.

    Parameters
    ----------
    table : DataFrame
        The result of :func:`check_labels`.
    """
    compared = table[table["kind"] != "text"]
    n = compared.groupby(["image_id", "code"], sort=False)["label"].nunique()
    places = pd.MultiIndex.from_frame(table[["image_id", "code"]])
    disputed = places.isin(n.index[n > 1])
    shown = table.loc[disputed, ["image_id", "code", "annotator", "label", "note"]]
    order = [pd.factorize(table[column])[0][disputed] for column in ("image_id", "code")]
    return shown.iloc[np.lexsort(order[::-1])].reset_index(drop=True)
