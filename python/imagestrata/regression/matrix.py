"""Model matrices with the columns and names that they have in R, and tables of coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import patsy
import scipy.stats
from numpy.typing import NDArray
from scipy.special import expit, logit

from ..errors import ImagestrataError, plural
from ..wording import arg, quote
from .formula import FUNCTIONS, in_days, names_in, term_label, term_names

Floats = NDArray[np.float64]


class Polynomials:
    """R's ``contr.poly()``, the contrasts of ordered categories."""

    def code_with_intercept(self, levels: Any) -> patsy.ContrastMatrix:
        return patsy.ContrastMatrix(np.eye(len(levels)), [f"[{level}]" for level in levels])

    def code_without_intercept(self, levels: Any) -> patsy.ContrastMatrix:
        n = len(levels)
        scores = np.arange(n) - (n - 1) / 2
        basis, root = np.linalg.qr(np.vander(scores, increasing=True))
        names = [".L", ".Q", ".C", *(f"^{degree}" for degree in range(4, n))]
        return patsy.ContrastMatrix((basis * np.sign(np.diag(root)))[:, 1:], names[: n - 1])


class ModelMatrix:
    """The model matrix of a formula's right side, with the columns and names that it has in R.

    Attributes
    ----------
    x : array of shape (rows, columns)
    names : list of str
    terms : list of str
        The term of each column, empty for the intercept.
    categorical : set of str
        Variables that occur as factors.

    ``unit`` is what a row of the data is, for messages.
    """

    def __init__(self, data: pd.DataFrame, right: str, env: Any, unit: str = "post") -> None:
        desc = patsy.ModelDesc.from_formula(right)
        if not desc.rhs_termlist:
            raise ImagestrataError(f"{arg('formula')} has neither an intercept nor covariates.")
        factors = [factor for term in desc.rhs_termlist for factor in term.factors]
        self._bare = {factor.code for factor in factors} & {*data}
        env = patsy.EvalEnvironment([dict(FUNCTIONS), env.namespace])
        try:
            matrix = patsy.dmatrix(
                desc, self._plain(data), env, patsy.NAAction(NA_types=[]), "matrix"
            )
        except ImagestrataError:
            raise
        except Exception as error:
            raise ImagestrataError(f"{arg('formula')} cannot be evaluated: {error}") from None
        self.info = matrix.design_info
        infos = self.info.factor_infos
        self.categorical = {
            name
            for factor, about in infos.items()
            if about.type == "categorical"
            for name in names_in(factor.code) & {*data}
        }
        terms = sorted(desc.rhs_termlist, key=lambda term: len(term.factors))
        slices = [self.info.term_slices[term] for term in terms]
        self._order = np.concatenate([np.arange(part.start, part.stop) for part in slices])
        self.names = [name for term in terms for name in term_names(self.info, term)]
        self.terms = [
            term_label(term)
            for term, part in zip(terms, slices, strict=True)
            for _ in range(part.start, part.stop)
        ]
        self.x = self._ordered(matrix, len(data))
        bad = ~np.isfinite(self.x).all(axis=0)
        if bad.any():
            count = int((~np.isfinite(self.x).all(axis=1)).sum())
            name = self.names[int(bad.argmax())]
            raise ImagestrataError(
                f"{quote(name)} is infinite or missing for {count} of {plural(len(data), unit)}.",
                "The logarithm of 0 is infinite: use log1p()." if "log" in name else "",
            )

    def rows(self, data: pd.DataFrame) -> Floats:
        """Rows for new data."""
        (matrix,) = patsy.build_design_matrices(
            [self.info], self._plain(data), patsy.NAAction(NA_types=[])
        )
        return self._ordered(matrix, len(data))

    def _ordered(self, matrix: Any, n: int) -> Floats:
        x = np.broadcast_to(np.asarray(matrix, dtype=float), (n, len(self._order)))
        return np.asarray(x[:, self._order])

    def _plain(self, data: pd.DataFrame) -> Any:
        """Of terms of their own: dates as numbers of days, ordered categories with polynomials."""
        plain = data.assign(**{name: in_days(data[name]) for name in self._bare})
        ordered = [name for name in self._bare if getattr(data[name].dtype, "ordered", False)]
        if not ordered:
            return plain
        boxes = {name: patsy.builtins.C(data[name], Polynomials) for name in ordered}
        return {name: plain[name] for name in plain} | boxes


def _plain_type(column: pd.Series[Any]) -> type:
    return int if pd.api.types.is_integer_dtype(column.dtype) else float


def prepare_covariates(
    data: dict[str, pd.Series[Any]], n: int, unit: str = "post", ordered: bool = False
) -> pd.DataFrame:
    """Text becomes a category, in the order of the alphabet.

    With ``ordered``, ordered categories remain such.
    """
    prepared = {}
    for name, column in data.items():
        column = column.reset_index(drop=True)
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.cat.remove_unused_categories()
            column = column if ordered else column.cat.as_unordered()
        elif column.dtype == object or isinstance(column.dtype, pd.StringDtype):
            if column.map(lambda value: isinstance(value, bool | np.bool_)).all():
                column = column.astype(bool)
            else:
                column = column.astype(str)
                column = pd.Series(pd.Categorical(column, sorted(column.unique())))
        elif pd.api.types.is_bool_dtype(column.dtype):
            column = column.astype(bool)
        elif pd.api.types.is_numeric_dtype(column.dtype):
            column = pd.Series(column.to_numpy(dtype=_plain_type(column)))
        if column.nunique() < 2:
            raise ImagestrataError(
                f"{quote(name)} is {quote(column.iloc[0])} in all {unit}s of the model.",
                f"Leave it out of {arg('formula')}.",
            )
        prepared[name] = column
    return pd.DataFrame(prepared, index=range(n))


def turn_of(x: Floats) -> Floats:
    """Columns that orthogonalise a matrix; a row of zeros for a column that others determine."""
    kept = np.arange(x.shape[1])
    while True:
        root = np.linalg.qr(x[:, kept], mode="r")
        own = np.zeros(len(kept))  # of more columns than rows, the last have nothing of their own
        own[: len(root)] = np.abs(np.diag(root))
        lost = own <= 1e-7 * np.linalg.norm(x[:, kept], axis=0)
        if not lost.any():
            break
        kept = np.delete(kept, int(lost.argmax()))
    turn = np.zeros((x.shape[1], len(kept)))
    turn[kept] = np.linalg.inv(root)
    return turn


def add_tests(table: pd.DataFrame, conf_level: float, scale: str) -> pd.DataFrame:
    """Add tests and intervals to ``estimate``, ``std_error`` and ``df``."""
    reason = table.pop("reason").astype("str").reset_index(drop=True)
    error, df = table["std_error"], table.pop("df")
    half = scipy.stats.t.ppf((1 + conf_level) / 2, df)
    if scale == "logit":
        p = table["estimate"].to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            half = half * error / (p * (1 - p))
            low, high = expit(logit(p) - half), expit(logit(p) + half)
        table["df"] = df
    else:
        table["statistic"] = table["estimate"] / error.where(error > 0)
        table["df"] = df
        table["p_value"] = 2 * scipy.stats.t.sf(table["statistic"].abs(), df)
        low, high = table["estimate"] - half * error, table["estimate"] + half * error
    return table.assign(conf_low=low, conf_high=high, reason=reason)
