"""Averages over posts: predicted prevalences, their differences, and marginal effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ImagestrataError
from ..regression.scenarios import (
    are_dates,
    grid_of,
    is_continuous,
    levels_of,
    repeated,
    slope_of,
    unit_of_slope,
    values_as_text,
)
from .logit import Logit

if TYPE_CHECKING:
    from .regression import Regressions

Floats = NDArray[np.float64]
Fits = Sequence[Logit | None]

#: The number of values of numbers and dates in the table of predictions.
_N_PREDICTIONS = 20


class Averages(NamedTuple):
    """Averages of all posts, by topic and scenario, and their derivatives by the coefficients.

    ``estimate`` and ``infinite`` have the shape (topics, scenarios), ``gradient`` (topics,
    scenarios, rank); ``infinite`` is the share of posts whose linear predictor is infinite.
    """

    estimate: Floats
    gradient: Floats
    infinite: Floats


def scenario_averages(
    design: Regressions, fits: Fits, scenarios: Sequence[dict[str, Any]]
) -> Averages:
    """The mean probability if some covariates had given values and the others were as they are."""
    result = _empty(design, fits, len(scenarios))
    posts: dict[tuple[str, ...], tuple[pd.DataFrame, Floats]] = {}
    for i, fixed in enumerate(scenarios):
        key = tuple(fixed)
        if key not in posts:
            posts[key] = _distinct(design, key)
        data, n = posts[key]
        typed = {name: repeated(design, name, value, len(n)) for name, value in fixed.items()}
        z = design.rows(data.assign(**typed))
        weight = n / n.sum()
        for t, fit in enumerate(fits):
            if fit is None:
                continue
            p, infinite = fit.at(z)
            result.estimate[t, i] = weight @ p
            result.gradient[t, i] = z.T @ (weight * p * (1 - p))
            result.infinite[t, i] = weight[infinite].sum()
    return result


def slope_averages(design: Regressions, fits: Fits, variable: str) -> Averages:
    """The mean slope of the probability in a number (per unit) or a date (per 30 days)."""
    result = _empty(design, fits, 1)
    data, n = _distinct(design, ())
    weight = n / n.sum()
    z, slope = design.rows(data), slope_of(design.rows, data, variable)
    for t, fit in enumerate(fits):
        if fit is None:
            continue
        p, infinite = fit.at(z)
        spread, eta = p * (1 - p), slope @ (fit.basis @ fit.gamma)
        result.estimate[t, 0] = weight @ (spread * eta)
        result.gradient[t, 0] = slope.T @ (weight * spread) + z.T @ (
            weight * spread * (1 - 2 * p) * eta
        )
        result.infinite[t, 0] = weight[infinite].sum()
    return result


def differences(averages: Averages, a: Sequence[int], b: Sequence[int]) -> Averages:
    return Averages(
        averages.estimate[:, a] - averages.estimate[:, b],
        averages.gradient[:, a] - averages.gradient[:, b],
        np.maximum(averages.infinite[:, a], averages.infinite[:, b]),
    )


def joined(parts: Sequence[Averages]) -> Averages:
    return Averages(*(np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True)))


def marginal_effects(design: Regressions, fits: Fits) -> tuple[Averages, pd.DataFrame]:
    """Differences from the reference, and slopes."""
    parts, labels = [], []
    for name in design.variables:
        if is_continuous(design, name):
            parts.append(slope_averages(design, fits, name))
            labels.append({"term": name, "contrast": unit_of_slope(design.data[name])})
            continue
        at = levels_of(design, name)
        averages = scenario_averages(design, fits, [{name: value} for value in at])
        parts.append(differences(averages, range(1, len(at)), [0] * (len(at) - 1)))
        text = values_as_text(at)
        labels += [{"term": name, "contrast": f"{one} - {text[0]}"} for one in text[1:]]
    return _together(parts, labels)


def predicted_prevalence(design: Regressions, fits: Fits) -> tuple[Averages, pd.DataFrame]:
    """Predictions at the values of each covariate."""
    parts, labels = [], []
    for name in design.variables:
        at = (
            levels_of(design, name)
            if not is_continuous(design, name)
            else grid_of(design, name, _N_PREDICTIONS)
        )
        parts.append(scenario_averages(design, fits, [{name: value} for value in at]))
        texts = values_as_text(at, are_dates(design.data[name]))
        labels += [{"term": name, "value": text} for text in texts]
    return _together(parts, labels)


def _distinct(design: Regressions, fixed: tuple[str, ...]) -> tuple[pd.DataFrame, Floats]:
    """The posts of the model by their covariates other than ``fixed``, with their weights."""
    others = [name for name in design.variables if name not in fixed]
    if not others:
        return pd.DataFrame(index=range(1)), np.array([design.n.sum()])
    group = design.data.groupby(others, sort=False, observed=True).ngroup().to_numpy()
    first = np.unique(group, return_index=True)[1]
    data = design.data[others].iloc[first].reset_index(drop=True)
    return data, np.bincount(group, design.n).astype(float)


def _empty(design: Regressions, fits: Fits, n: int) -> Averages:
    shape = (len(fits), n)
    rank = design.z.shape[1]
    return Averages(np.full(shape, np.nan), np.full((*shape, rank), np.nan), np.zeros(shape))


def _together(
    parts: Sequence[Averages], labels: list[dict[str, str]]
) -> tuple[Averages, pd.DataFrame]:
    if not parts:
        raise ImagestrataError("The model has no covariates.")
    return joined(parts), pd.DataFrame(labels)
