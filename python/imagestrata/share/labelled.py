"""Sentences on labels, predictions and estimates from both, for the methods paragraph.

R writes the same sentences without Python: ``R/methods-labels.R``. The expected text in
``tests/fixtures/methods-labels.txt`` holds both together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ..errors import plural

_KINDS = {"binary": "yes or no", "choice": "a choice", "scale": "a scale", "text": "free text"}


def describe_labelled(result: Any) -> str | None:
    """Sentences on labels, agreement or predictions; None for other results."""
    if not isinstance(result, pd.DataFrame):
        return None
    columns = {*result.columns}
    if {"measure", "annotators", "estimate", "conf_low"} <= columns:
        return _agreement(result)
    if {"image_id", "label"} <= columns and columns & {"split", "probability", "decision"}:
        return _predictions(result)
    if {"image_id", "code", "label"} <= columns:
        return _consensus(result) if "n_annotators" in columns else _labels(result)
    return None


def _labels(table: pd.DataFrame) -> str:
    given = table[table["label"].notna()]
    images = given["image_id"].nunique()
    named = "annotator" in given and bool(given["annotator"].notna().any())
    by = f" by {plural(given['annotator'].nunique(), 'annotator')}" if named else ""
    text = f"We had {plural(images, 'image')} labelled{by}, for {_codes(table)}."
    several = int((given.groupby("image_id")["annotator"].nunique() > 1).sum()) if named else 0
    if several:
        has = "has" if several == 1 else "have"
        text += (
            f" {plural(several, 'image')} ({several / images:.1%}) {has} labels of more than one "
            "annotator."
        )
    if n := int(table["label"].isna().sum()):
        text += f" {plural(n, 'label')} {_is(n)} missing, as annotators passed over the image."
    if "seconds" in table and table["seconds"].notna().any():
        each = table.dropna(subset="seconds").drop_duplicates(["image_id", "annotator"])
        text += f" The median time for an image was {each['seconds'].median():.1f} seconds."
    return text


def _consensus(table: pd.DataFrame) -> str:
    text = (
        "Labels of several annotators were combined to one for each image and code: "
        f"{plural(len(table), 'label')} of {plural(table['image_id'].nunique(), 'image')}."
    )
    undecided = int((table["label"].isna() & (table["n_annotators"] > 0)).sum())
    if undecided:
        text += f" {plural(undecided, 'label')} {_is(undecided)} undecided and missing."
    return text


def _agreement(table: pd.DataFrame) -> str:
    alpha = table["measure"].str.startswith("krippendorff_alpha") & table["estimate"].notna()
    of_codes = "code" in table
    rows = table[alpha].drop_duplicates("code") if of_codes else table[alpha].head(1)
    if rows.empty:
        return "Agreement between annotators could not be measured."
    unit = "image" if "n_images" in table else "pair"
    said = []
    for _, row in rows.iterrows():
        level = row["measure"].removeprefix("krippendorff_alpha_")
        of = f" for {row['code']}" if of_codes else ""
        interval = f"{row['conf_low']:.2f} to {row['conf_high']:.2f}; {level}"
        said.append(f"{row['estimate']:.2f} ({interval}){of}")
    n = rows[f"n_{unit}s"]
    least, most = int(n.min()), int(n.max())
    numbers = plural(most, unit) if least == most else f"{least:,} to {plural(most, unit)}"
    return (
        f"Agreement between annotators, from {numbers} with answers of two or more, was measured "
        "by Krippendorff's alpha, with a Bayesian bootstrap interval and the level of measurement "
        f"in brackets: {_and(said)}."
    )


def _predictions(table: pd.DataFrame) -> str:
    images = table["image_id"].nunique()
    what = "code" if "code" in table else "label"
    names = [*dict.fromkeys(table[what].dropna())]
    listed = f" ({_and(names)})" if len(names) <= 8 else ""
    text = (
        f"{plural(images, 'image')} {'has' if images == 1 else 'have'} predictions of "
        f"{plural(len(names), what)}{listed}."
    )
    if "split" in table:
        splits = table.drop_duplicates("image_id")["split"]
        if n := int((splits == "fold").sum()):
            text += (
                f" Labels of {plural(n, 'image')} trained the model in folds, so that a model that "
                "had not seen the label of an image predicted it."
            )
        if n := int(splits.isin(["train", "val"]).sum()):
            text += f" The model had seen the labels of {plural(n, 'image')}."
    return text


def _codes(table: pd.DataFrame) -> str:
    """Codes in their order, with their kinds."""
    kinds = table.drop_duplicates("code")
    said = [
        f"{code} ({_KINDS[kind]})" if kind in _KINDS else str(code)
        for code, kind in zip(
            kinds["code"], kinds["kind"] if "kind" in kinds else [None] * len(kinds), strict=True
        )
    ]
    return _and(said)


def _and(words: Sequence[Any]) -> str:
    *others, last = words
    return f"{', '.join(map(str, others))} and {last}" if others else str(last)


def _is(n: int) -> str:
    return "is" if n == 1 else "are"
