"""Formulas of models: splines and polynomials with the same columns as in R."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import patsy
import scipy.linalg
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from ..errors import ImagestrataError
from ..wording import arg, quote

Floats = NDArray[np.float64]


def in_days(x: Any) -> Any:
    """Dates and times as numbers of days since 1970; other values as they are."""
    series = pd.Series(x)
    if not pd.api.types.is_datetime64_any_dtype(series.dtype):
        return x
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    return ((series - pd.Timestamp(0)) / pd.Timedelta(days=1)).to_numpy(dtype=float)


def natural_spline(x: Floats, knots: Floats, ends: tuple[float, float]) -> Floats:
    """R's ``splines::ns()``: cubic B-splines whose second derivative is zero at the ends.

    Beyond the ends it is linear.

    Returns
    -------
    array of shape (len(x), len(knots) + 1)
    """
    all_knots = np.concatenate([[ends[0]] * 4, np.sort(knots), [ends[1]] * 4])
    splines = BSpline(all_knots, np.eye(len(all_knots) - 4), 3)
    inside = np.clip(x, *ends)
    basis = splines(inside)
    slope = splines.derivative()(inside)
    basis = basis + slope * (x - inside)[:, None]
    curvature = splines.derivative(2)(np.array(ends))[:, 1:]
    turn, _ = scipy.linalg.qr(curvature.T)
    return np.asarray((basis[:, 1:] @ turn)[:, 2:])


class _Transform:
    """What the functions of a formula have in common: they see all values at once."""

    def memorize_finish(self) -> None:
        return


class Spline(_Transform):
    """``s(x)``: a natural spline with the degrees of freedom of stm's ``s()``."""

    def memorize_chunk(self, x: Any, df: int | None = None) -> None:
        values = _numbers(x, "s")
        distinct = np.unique(values)
        if len(distinct) < 2:
            raise ImagestrataError("s() needs two or more distinct values.")
        most = len(distinct) - 1
        df = min(10, most) if df is None else df
        if not 1 <= df <= most or df != round(df):
            raise ImagestrataError(
                f"df of s() must be a whole number from 1 to {most}, one less than the number of "
                f"distinct values, not {quote(df)}."
            )
        self._ends = float(distinct[0]), float(distinct[-1])
        knots = np.unique(np.quantile(values, np.arange(1, df) / df))
        self._knots = knots[(knots > self._ends[0]) & (knots < self._ends[1])]

    def transform(self, x: Any, df: int | None = None) -> Floats:
        return natural_spline(_numbers(x, "s"), self._knots, self._ends)


class NaturalSpline(_Transform):
    """``ns(x, df)``, as in R."""

    def memorize_chunk(self, x: Any, df: int = 1) -> None:
        values = _numbers(x, "ns")
        self._ends = float(values.min()), float(values.max())
        self._knots = np.quantile(values, np.arange(1, df) / df)

    def transform(self, x: Any, df: int = 1) -> Floats:
        return natural_spline(_numbers(x, "ns"), self._knots, self._ends)


class Polynomial(_Transform):
    """``poly(x, degree)``: R's orthogonal polynomials."""

    def memorize_chunk(self, x: Any, degree: int = 1) -> None:
        values = _numbers(x, "poly")
        if len(np.unique(values)) <= degree:
            raise ImagestrataError(
                f"poly() needs more distinct values than its degree, {quote(degree)}."
            )
        self._mean = values.mean()
        powers = np.vander(values - self._mean, degree + 1, increasing=True)
        _, root = np.linalg.qr(powers)
        self._turn = np.linalg.inv(root * np.sign(np.diag(root))[:, None])

    def transform(self, x: Any, degree: int = 1) -> Floats:
        powers = np.vander(_numbers(x, "poly") - self._mean, degree + 1, increasing=True)
        return np.asarray((powers @ self._turn)[:, 1:])


class BasisSpline(_Transform):
    """``bs(x, df, degree)``: R's B-splines."""

    def memorize_chunk(self, x: Any, df: int | None = None, degree: int = 3) -> None:
        values = _numbers(x, "bs")
        n_knots = 0 if df is None else df - degree
        if n_knots < 0:
            raise ImagestrataError(
                f"df of bs() must be at least its degree, {degree}, not {quote(df)}."
            )
        inside = np.quantile(values, np.arange(1, n_knots + 1) / (n_knots + 1))
        ends = [values.min()] * (degree + 1), [values.max()] * (degree + 1)
        knots = np.concatenate([ends[0], inside, ends[1]])
        self._splines = BSpline(knots, np.eye(len(knots) - degree - 1), degree)

    def transform(self, x: Any, df: int | None = None, degree: int = 3) -> Floats:
        return np.asarray(self._splines(_numbers(x, "bs"))[:, 1:])


def _numbers(x: Any, name: str) -> Floats:
    days = in_days(x)
    if not pd.api.types.is_numeric_dtype(pd.Series(days).dtype):
        raise ImagestrataError(f"{name}() takes numbers, dates or times, not {quote(days[0])}.")
    return np.asarray(days, dtype=float)


#: The functions that every formula may use, also those that R has by these names.
FUNCTIONS: Mapping[str, Any] = {
    "s": patsy.stateful_transform(Spline),
    "ns": patsy.stateful_transform(NaturalSpline),
    "bs": patsy.stateful_transform(BasisSpline),
    "poly": patsy.stateful_transform(Polynomial),
    "factor": patsy.builtins.C,
    "np": np,
    **{name: getattr(np, name) for name in ("log", "log1p", "log2", "log10", "sqrt", "exp")},
}


def split_formula(formula: str) -> tuple[list[Any] | None, str]:
    """The topics on the left side, None without one, and the right side."""
    left, tilde, right = formula.rpartition("~")
    left = left.strip()
    if not tilde or not left:
        return None, right.strip()
    listed = re.sub(r"^c?\((.*)\)$", r"\1", left.strip("[]"))
    try:
        topics = ast.literal_eval(f"[{listed}]")
    except (ValueError, SyntaxError):
        topics = []
    if not topics or not all(isinstance(topic, int | str) for topic in topics):
        raise ImagestrataError(
            f"The left side of the formula must be numbers or names of topics, not {quote(left)}.",
            'For example "c(1, 4) ~ party"; without a left side all topics are modelled.',
        )
    return list(dict.fromkeys(topics)), right.strip()


def names_in(code: str) -> set[str]:
    """The variables that a piece of a formula uses; not functions or modules."""
    tree = ast.parse(code, mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)} | {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }
    return {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called
    }


def variables_in(right: str) -> list[str]:
    """The variables of a formula's right side, in the order in which they occur."""
    try:
        terms = patsy.ModelDesc.from_formula(right).rhs_termlist
        names: list[str] = []
        for term in terms:
            for factor in term.factors:
                names += sorted(names_in(factor.code), key=factor.code.index)
    except (patsy.PatsyError, SyntaxError) as error:
        raise ImagestrataError(f"{arg('formula')} cannot be read: {error}") from None
    return [*dict.fromkeys(names)]


def term_names(info: Any, term: Any) -> list[str]:
    """The names of the columns of a term as R has them: ``partyB:s(month)1``."""
    names = []
    for part in info.term_codings[term]:
        columns = [_column_names(info, part, factor) for factor in part.factors]
        # As in R, the first factor varies fastest.
        combinations = itertools.product(*reversed(columns))
        names += [":".join(reversed(one)) or "(Intercept)" for one in combinations]
    return names


def term_label(term: Any) -> str:
    """The name of a term as R has it, ``party:s(month, df = 4)``; empty for the intercept."""
    return ":".join(_factor_name(factor) for factor in term.factors)


def _factor_name(factor: Any) -> str:
    return re.sub(r"(?<![=<>! ])=(?!=)", " = ", factor.name())


def _column_names(info: Any, part: Any, factor: Any) -> list[str]:
    name = _factor_name(factor)
    if factor in part.contrast_matrices:
        about = info.factor_infos[factor]
        suffixes = part.contrast_matrices[factor].column_suffixes
        levels = [re.sub(r"^\[(?:T\.)?(.*)\]$", r"\1", suffix) for suffix in suffixes]
        if set(about.categories) <= {True, False}:
            levels = [level.upper() for level in levels]
        return [f"{name}{level}" for level in levels]
    count = info.factor_infos[factor].num_columns
    return [name] if count == 1 else [f"{name}{i}" for i in range(1, count + 1)]
