"""Averages over posts: predicted prevalences, their differences, and marginal effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural
from ..validate import check_int
from ..wording import arg, quote
from .logit import Logit

if TYPE_CHECKING:
    from .regression import Regressions

Floats = NDArray[np.float64]
Fits = Sequence[Logit | None]

#: The number of values of numbers and dates in the table of predictions.
_N_PREDICTIONS = 20
_UNIT = pd.Timedelta(days=30)


class Averages(NamedTuple):
    """Averages of all posts, by topic and scenario, and their derivatives by the coefficients.

    ``estimate`` and ``infinite`` have the shape (topics, scenarios), ``gradient`` (topics,
    scenarios, rank); ``infinite`` is the share of posts whose linear predictor is infinite.
    """

    estimate: Floats
    gradient: Floats
    infinite: Floats


def is_continuous(design: Regressions, variable: str) -> bool:
    return variable not in design.categorical


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
        typed = {name: _repeated(design, name, value, len(n)) for name, value in fixed.items()}
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


def _repeated(design: Regressions, variable: str, value: Any, n: int) -> pd.Series[Any]:
    """A value of a covariate in rows; numbers between those that occur need not be whole."""
    dtype = design.data[variable].dtype
    whole = pd.api.types.is_integer_dtype(dtype)
    return pd.Series([value] * n, dtype=float if whole else dtype)


def slope_averages(design: Regressions, fits: Fits, variable: str) -> Averages:
    """The mean slope of the probability in a number (per unit) or a date (per 30 days)."""
    result = _empty(design, fits, 1)
    data, n = _distinct(design, ())
    weight = n / n.sum()
    z, slope = design.rows(data), _slope(design, data, variable)
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
            dates = pd.api.types.is_datetime64_any_dtype(design.data[name].dtype)
            labels.append({"term": name, "contrast": "per 30 days" if dates else "per unit"})
            continue
        at = _levels(design, name)
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
            _levels(design, name)
            if not is_continuous(design, name)
            else _grid(design, name, _N_PREDICTIONS)
        )
        parts.append(scenario_averages(design, fits, [{name: value} for value in at]))
        texts = values_as_text(at, are_dates(design.data[name]))
        labels += [{"term": name, "value": text} for text in texts]
    return _together(parts, labels)


def given_values(
    design: Regressions, variable: str, method: str, values: Any, n_points: int
) -> list[Any]:
    """The values at which prevalences are predicted."""
    n_points = check_int("n_points", n_points, minimum=1)
    if values is None:
        return _default_values(design, variable, method, n_points)
    column = design.data[variable]
    listed = [values] if isinstance(values, str) or not hasattr(values, "__iter__") else [*values]
    try:
        if isinstance(column.dtype, pd.CategoricalDtype):
            typed = listed
        elif pd.api.types.is_integer_dtype(column.dtype):
            typed = [*pd.Series(listed).astype(float)]
        else:
            typed = [*pd.Series(listed).astype(column.dtype)]
    except (TypeError, ValueError):
        typed = []
    seen = is_continuous(design, variable) or all(value in set(column) for value in typed)
    if not typed or any(pd.isna(value) for value in typed) or not seen:
        known = ", ".join(map(quote, values_as_text(_levels(design, variable)[:5])))
        raise ImagestrataError(
            f"{arg('values')} must be values of {quote(variable)}, such as {known}, not "
            f"{quote(values)}."
        )
    if method == "difference" and len(typed) < 2:
        raise ImagestrataError(f"{arg('values')} must be two or more values to compare.")
    return typed


def few_values(design: Regressions, by: str) -> list[Any]:
    """All values of a moderator."""
    seen = _levels(design, by)
    if is_continuous(design, by) and len(seen) > 10:
        raise ImagestrataError(
            f"{arg('by')} must be a covariate with at most 10 values, but {quote(by)} has "
            f"{len(seen)}.",
            f"Give it as {arg('variable')}, and the other covariate as {arg('by')}.",
        )
    return seen


def _default_values(design: Regressions, variable: str, method: str, n_points: int) -> list[Any]:
    if not is_continuous(design, variable):
        return _levels(design, variable)
    if method == "continuous":
        return _grid(design, variable, n_points)
    seen = _levels(design, variable)
    if method == "difference" or len(seen) > 10:
        raise ImagestrataError(
            f"{quote(variable)} has {plural(len(seen), 'value')}: name those of interest in "
            f"{arg('values')}.",
            f"Or use {arg('method', 'continuous')}." if method == "pointestimate" else "",
        )
    return seen


def values_as_text(values: Sequence[Any], dates: bool = False) -> list[str]:
    """Values as R writes them: times to the second, without midnights."""
    times = [value.round("s") for value in values if isinstance(value, pd.Timestamp)]
    dates = dates or all(value == value.normalize() for value in times)

    def text(value: Any) -> str:
        if isinstance(value, pd.Timestamp):
            return f"{value:%Y-%m-%d}" if dates else f"{value.round('s'):%Y-%m-%d %H:%M:%S}"
        if isinstance(value, bool | np.bool_):
            return str(value).upper()
        return f"{value:.15g}" if isinstance(value, float | np.floating) else str(value)

    return [text(value) for value in values]


def are_dates(column: pd.Series[Any]) -> bool:
    """Whether all times are midnights."""
    is_time = pd.api.types.is_datetime64_any_dtype(column.dtype)
    return is_time and bool((column == column.dt.normalize()).all())


def _levels(design: Regressions, variable: str) -> list[Any]:
    column = design.data[variable]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [*column.cat.categories]
    return [*np.sort(column.unique())] if column.dtype == bool else sorted(column.unique())


def _grid(design: Regressions, variable: str, n_points: int) -> list[Any]:
    """Values from the lowest to the highest; those that occur if they are fewer."""
    seen = _levels(design, variable)
    if len(seen) <= n_points:
        return seen
    if isinstance(seen[0], pd.Timestamp):
        return [*pd.date_range(seen[0], seen[-1], periods=n_points)]
    return [*np.linspace(seen[0], seen[-1], n_points)]


def _slope(design: Regressions, data: pd.DataFrame, variable: str) -> Floats:
    """The derivative of the rows of the model matrix by a covariate."""
    x = data[variable]
    dates = pd.api.types.is_datetime64_any_dtype(x.dtype)
    h: Any = 1e-4 * (x.max() - x.min())
    step = h / _UNIT if dates else h

    def moved(by: Any) -> Floats:
        return design.rows(data.assign(**{variable: x + by}))

    with np.errstate(all="ignore"):
        forward = moved(h)
        slope = (forward - moved(-h)) / (2 * step)
        # At the end of the range, such as 0 of a logarithm, there may be no value on one side.
        lost = ~np.isfinite(slope).all(axis=1)
        slope[lost] = ((forward - design.rows(data)) / step)[lost]
    return np.asarray(slope)


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
