"""Sentences on means, gaps and models of ratings, for the methods paragraph.

R writes the same sentences: ``R/methods-ratings.R``. The expected text in
``tests/fixtures/methods-ratings.txt`` holds both together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import plural
from ..ratings.model import RatingModel
from ..ratings.table import (
    ADJUSTED,
    ERRORS,
    WHAT_COUNTS,
    conf_level_of,
    counts_in_words,
    groups_of,
    percent,
    sentence,
)

_NEEDED = {"level", "item", "dimension", "estimate", "std_error", "n_ratings", "variance"}


def describe_rated(result: Any) -> list[str]:
    """Sentences on means, gaps or a model of ratings; none for other results."""
    if isinstance(result, RatingModel):
        return [_model(result)]
    if not isinstance(result, pd.DataFrame) or not {*result.columns} >= _NEEDED:
        return []
    gaps = "contrast" in result
    text = f"We {'compared' if gaps else 'estimated'} mean ratings of {_measures(result)}"
    if gaps:
        text += f" between groups{_contrasts(result)}"
    by = " and ".join(name.replace("_", " ") for name in groups_of(result))
    text += f"{f' by {by}' if by else ''}.{_weights(result)}"
    if "method" in result and (result["method"] == "corrected").any():
        text += " The sample's means are corrected by predictions of all images."
    text += _intervals(conf_level_of(result))
    if gaps and "adjust" in result:
        adjusted = ADJUSTED[result["adjust"].iloc[0]]
        apart = "" if adjusted.endswith("not adjusted") else ", separately for items and dimensions"
        text += f" {sentence(adjusted)}{apart}."
    return [text + counts_in_words(result, "Gaps" if gaps else "Means")]


def _model(model: RatingModel) -> str:
    rows, fit = model.coefficients, model.summary
    if model.respondent_weight is not None:
        fit = fit.assign(respondent_weight=model.respondent_weight)
    covariates = str(model.formula).split("~", 1)[-1].strip()
    return (
        f"We regressed the ratings of {_measures(rows)} on {covariates} by weighted least squares."
        f"{_weights(fit)}{_intervals(model.conf_level)}{counts_in_words(fit, 'Models')}"
    )


def _measures(rows: pd.DataFrame) -> str:
    measures = rows[["level", "item"]].drop_duplicates()
    numbers = {level: int((measures["level"] == level).sum()) for level in ("item", "dimension")}
    return " and ".join(plural(n, level) for level, n in numbers.items() if n)


def _contrasts(rows: pd.DataFrame) -> str:
    found = [str(name) for name in rows["contrast"].unique()]
    return f" ({'; '.join(found) if len(found) <= 3 else f'{len(found)} contrasts'})"


def _weights(rows: pd.DataFrame) -> str:
    def only(name: str) -> str | None:
        values = rows[name].dropna().unique().tolist() if name in rows else []
        return str(values[0]) if len(values) == 1 else None

    weight, people, variance = map(only, ("weight", "respondent_weight", "variance"))
    parts = [
        *([WHAT_COUNTS[weight]] if weight else []),
        *([f"respondents are weighted by {people}"] if people else []),
    ]
    text = f" {sentence('; '.join(parts))}." if parts else ""
    return text + (f" {sentence(ERRORS[variance])}." if variance else "")


def _intervals(level: float) -> str:
    if np.isnan(level):
        return ""
    return f" The {percent(level)}intervals are those of the t distribution."
