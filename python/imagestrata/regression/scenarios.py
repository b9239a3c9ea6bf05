"""Values of covariates at which models predict, and slopes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural
from ..validate import check_int, columns_of
from ..wording import arg, quote

Floats = NDArray[np.float64]

#: The rows of a model matrix for new data.
Rows: TypeAlias = Callable[[pd.DataFrame], Floats]

#: Slopes in dates are per 30 days.
_UNIT = pd.Timedelta(days=30)


class Covariates(Protocol):
    """A model's covariates, and the names of those that it uses as categories."""

    @property
    def data(self) -> pd.DataFrame: ...

    @property
    def categorical(self) -> set[str]: ...


def is_continuous(model: Covariates, variable: str) -> bool:
    """Whether a covariate is used as a number or date, not as a category."""
    return variable not in model.categorical


def repeated(model: Covariates, variable: str, value: Any, n: int) -> pd.Series[Any]:
    """A value of a covariate in rows; numbers between those that occur need not be whole."""
    dtype = model.data[variable].dtype
    whole = pd.api.types.is_integer_dtype(dtype)
    return pd.Series([value] * n, dtype=float if whole else dtype)


def given_values(
    model: Covariates, variable: str, method: str, values: Any, n_points: int
) -> list[Any]:
    """The values at which averages are predicted."""
    n_points = check_int("n_points", n_points, minimum=1)
    if values is None:
        return _default_values(model, variable, method, n_points)
    column = model.data[variable]
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
    seen = is_continuous(model, variable) or all(value in set(column) for value in typed)
    if not typed or any(pd.isna(value) for value in typed) or not seen:
        known = ", ".join(map(quote, values_as_text(levels_of(model, variable)[:5])))
        raise ImagestrataError(
            f"{arg('values')} must be values of {quote(variable)}, such as {known}, not "
            f"{quote(values)}."
        )
    if method == "difference" and len(typed) < 2:
        raise ImagestrataError(f"{arg('values')} must be two or more values to compare.")
    return typed


def few_values(model: Covariates, by: str) -> list[Any]:
    """All values of a moderator."""
    seen = levels_of(model, by)
    if is_continuous(model, by) and len(seen) > 10:
        raise ImagestrataError(
            f"{arg('by')} must be a covariate with at most 10 values, but {quote(by)} has "
            f"{len(seen)}.",
            f"Give it as {arg('variable')}, and the other covariate as {arg('by')}.",
        )
    return seen


def _default_values(model: Covariates, variable: str, method: str, n_points: int) -> list[Any]:
    if not is_continuous(model, variable):
        return levels_of(model, variable)
    if method == "continuous":
        return grid_of(model, variable, n_points)
    seen = levels_of(model, variable)
    if method == "difference" or len(seen) > 10:
        raise ImagestrataError(
            f"{quote(variable)} has {plural(len(seen), 'value')}: name those of interest in "
            f"{arg('values')}.",
            f"Or use {arg('method', 'continuous')}." if method != "difference" else "",
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


def levels_of(model: Covariates, variable: str) -> list[Any]:
    column = model.data[variable]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [*column.cat.categories]
    return [*np.sort(column.unique())] if column.dtype == bool else sorted(column.unique())


def grid_of(model: Covariates, variable: str, n_points: int) -> list[Any]:
    """Values from the lowest to the highest; those that occur if they are fewer."""
    seen = levels_of(model, variable)
    if len(seen) <= n_points:
        return seen
    if isinstance(seen[0], pd.Timestamp):
        return [*pd.date_range(seen[0], seen[-1], periods=n_points)]
    return [*np.linspace(seen[0], seen[-1], n_points)]


def slope_of(rows: Rows, data: pd.DataFrame, variable: str) -> Floats:
    """The derivative of the rows of the model matrix by a covariate."""
    x = data[variable]
    dates = pd.api.types.is_datetime64_any_dtype(x.dtype)
    h: Any = 1e-4 * (x.max() - x.min())
    step = h / _UNIT if dates else h

    def moved(by: Any) -> Floats:
        return rows(data.assign(**{variable: x + by}))

    with np.errstate(all="ignore"):
        forward = moved(h)
        slope = (forward - moved(-h)) / (2 * step)
        # At the end of the range, such as 0 of a logarithm, there may be no value on one side.
        lost = ~np.isfinite(slope).all(axis=1)
        slope[lost] = ((forward - rows(data)) / step)[lost]
    return np.asarray(slope)


def unit_of_slope(column: pd.Series[Any]) -> str:
    """The unit of a slope, as a contrast."""
    dates = pd.api.types.is_datetime64_any_dtype(column.dtype)
    return "per 30 days" if dates else "per unit"


def typed_like(data: pd.DataFrame, model: pd.DataFrame, unit: str) -> pd.DataFrame:
    """New data with the types of the covariates of the model."""
    lacking = [name for name in model if name not in data]
    if lacking:
        raise ImagestrataError(
            f"{arg('data')} has no column {quote(lacking[0])}; {columns_of(data)}."
        )
    typed = {}
    for name in model:
        column, known = data[name].reset_index(drop=True), model[name]
        if isinstance(known.dtype, pd.CategoricalDtype):
            unknown = set(column.dropna().astype(str)) - set(known.cat.categories.astype(str))
            if unknown:
                raise ImagestrataError(
                    f"{quote(name)} has {quote(min(unknown))}, which no {unit} of the model has."
                )
            column = column.astype(known.dtype)
        else:
            whole = pd.api.types.is_integer_dtype(known.dtype)
            try:
                column = column.astype(float if whole else known.dtype)
            except (TypeError, ValueError):
                raise ImagestrataError(
                    f"{quote(name)} must be {known.dtype} as in the model, not {column.dtype}."
                ) from None
        if column.isna().any():
            raise ImagestrataError(f"{quote(name)} has missing values.")
        typed[name] = column
    return pd.DataFrame(typed, index=range(len(data)))
