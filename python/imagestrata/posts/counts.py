"""Regressions of counts, their standard errors, and average marginal effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.linalg
import scipy.optimize
import scipy.stats
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from ..errors import ImagestrataError, plural, warn
from ..regression.glm import Counts, fit_glm
from ..regression.sandwich import Sandwich
from ..wording import arg, quote
from .observations import WEIGHT, Group, Observations
from .outcomes import Side, columns_of, matrix_of

Array = NDArray[Any]

#: Categories of more levels have no average effects; CR2 takes long with many coefficients.
MOST_LEVELS = 50


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model of one outcome.

    Attributes
    ----------
    side : Side
    terms : list of str
    design : object
        patsy's information about the design matrix, with which predictions are made.
    coef, scale : array (k,)
        ``scale`` divides the columns of the design matrix in ``sandwiches``.
    theta : float
        Infinite for the Poisson model.
    fitted : array (n,)
    deviance : float
    sandwiches : dict of str to Sandwich
    vcov : array (k, k)
    """

    side: Side
    terms: list[str]
    design: Any
    coef: Array
    scale: Array
    theta: float
    fitted: Array
    deviance: float
    sandwiches: dict[str, Sandwich]
    vcov: Array


def fit_counts(side: Side, frame: pd.DataFrame, data: Observations, options: Any) -> Fit:
    """Fit one outcome on the predictors of ``frame``."""
    y = frame[side.outcome].to_numpy(dtype=float)
    x = _design(side, frame, y, options)
    design = x.design_info
    terms = columns_of(design)
    weight = frame[WEIGHT].to_numpy(dtype=float)
    offset = offset_of(frame, options)
    scale = np.sqrt((np.asarray(x) ** 2).mean(axis=0))
    scaled = np.asarray(x) / scale
    coef, fitted, deviance = _glm(side.outcome, y, scaled, weight, offset, np.inf)
    _check_fit(side.outcome, terms, coef, scaled, y, fitted)
    theta = np.inf
    if options.family == "negative binomial":
        excess = float((weight * ((y - fitted) ** 2 - y)).sum())
        if excess > 0:
            theta = float((weight * fitted**2).sum()) / excess
            coef, fitted, deviance, theta = _negative_binomial(
                side.outcome, y, scaled, weight, offset, theta
            )
            _check_fit(side.outcome, terms, coef, scaled, y, fitted)
        else:
            warn(
                f"{quote(side.outcome)} varies no more than in a Poisson model, which is fitted "
                "instead of the negative binomial one."
            )
    working = weight * fitted / (1 + fitted / theta)
    residual = working * (y - fitted) / fitted
    sandwiches, vcov = _errors(scaled, residual, working, data.groups, options.variance)
    return Fit(
        side=side,
        terms=terms,
        design=design,
        coef=coef / scale,
        scale=scale,
        theta=theta,
        fitted=fitted,
        deviance=deviance,
        sandwiches=sandwiches,
        vcov=vcov / np.outer(scale, scale),
    )


def infer(estimate: Array, contrasts: Array, fit: Fit, conf_level: float) -> pd.DataFrame:
    """Errors, tests and intervals of contrasts (rows) of the coefficients."""
    error = np.sqrt(np.maximum(((contrasts @ fit.vcov) * contrasts).sum(axis=1), 0))
    df = np.full(len(contrasts), np.inf)
    for one in fit.sandwiches.values():
        found = one.errors(contrasts / fit.scale)
        df = np.minimum(df, found.df)
        error[found.alone >= 0] = np.nan
    table = pd.DataFrame({"estimate": estimate, "std_error": error})
    table["statistic"] = table["estimate"] / table["std_error"]
    table["df"] = np.where(np.isnan(error), np.nan, df)
    table["p_value"] = 2 * scipy.stats.t.sf(np.abs(table["statistic"]), table["df"])
    return with_interval(table, conf_level)


def with_interval(table: pd.DataFrame, conf_level: float) -> pd.DataFrame:
    width = scipy.stats.t.ppf((1 + conf_level) / 2, table["df"]) * table["std_error"]
    return table.assign(conf_low=table["estimate"] - width, conf_high=table["estimate"] + width)


def coefficients_of(fit: Fit, conf_level: float) -> pd.DataFrame:
    table = infer(fit.coef, np.eye(len(fit.coef)), fit, conf_level)
    table.insert(0, "term", fit.terms)
    return table


def warn_inestimable(fit: Fit, data: Observations) -> None:
    """Say why coefficients have no standard error."""
    for name, one in fit.sandwiches.items():
        alone = one.errors(np.eye(len(fit.coef)) / fit.scale).alone
        terms = [term for term, group in zip(fit.terms, alone, strict=True) if group >= 0]
        if terms:
            labels = data.groups[name].labels
            who = dict.fromkeys(str(labels[group]) for group in alone if group >= 0)
            warn(
                f"{', '.join(map(quote, terms))} cannot be estimated without the {name} "
                f"{', '.join(map(quote, who))}: no standard error."
            )


def effects_of(fit: Fit, frame: pd.DataFrame, options: Any) -> pd.DataFrame:
    """Average marginal effects on expected counts."""
    weight = frame[WEIGHT].to_numpy(dtype=float)
    weight = weight / weight.sum()

    def mean(data: pd.DataFrame) -> tuple[float, Array]:
        x = np.asarray(matrix_of(fit.design, data))
        mu = weight * np.exp(x @ fit.coef + offset_of(data, options))
        return float(mu.sum()), mu @ x

    rows: list[tuple[str, str]] = []
    estimates: list[float] = []
    gradients: list[Array] = []
    for name in fit.side.names:
        column = frame[name]
        for high, low, by, contrast in _changes(column):
            above, below = mean(frame.assign(**{name: high})), mean(frame.assign(**{name: low}))
            rows.append((name, contrast))
            estimates.append((above[0] - below[0]) / by)
            gradients.append((above[1] - below[1]) / by)
    table = pd.DataFrame(rows, columns=["term", "contrast"])
    if not rows:
        return table
    found = infer(np.array(estimates), np.array(gradients), fit, options.conf_level)
    return pd.concat([table, found], axis=1)


def summary_of(fit: Fit, frame: pd.DataFrame, data: Observations, options: Any) -> dict[str, Any]:
    """One row about a model."""
    y = frame[fit.side.outcome].to_numpy(dtype=float)
    weighted = options.weight != "none"
    k = len(fit.coef) + np.isfinite(fit.theta)
    likelihood = np.nan if weighted else _likelihood(y, fit.fitted, fit.theta)
    return {
        "outcome": fit.side.outcome,
        "unit": options.unit,
        "family": "negative binomial" if np.isfinite(fit.theta) else "poisson",
        "nobs": len(y),
        **data.counts,
        "mean": y.mean(),
        "theta": fit.theta,
        "log_lik": likelihood,
        "aic": -2 * likelihood + 2 * k,
        "bic": -2 * likelihood + np.log(len(y)) * k,
        "deviance": fit.deviance,
        "df_residual": len(y) - len(fit.coef),
        "cluster": options.cluster,
        "variance": options.variance,
        "n_groups": min(len(group.labels) for group in data.groups.values()),
        "weight": options.weight,
        "conf_level": options.conf_level,
    }


def offset_of(frame: pd.DataFrame, options: Any) -> Array:
    if options.exposure is None:
        return np.zeros(len(frame))
    logarithm: Array = np.log(frame[options.exposure].to_numpy(dtype=float))
    return logarithm


def _design(side: Side, frame: pd.DataFrame, y: Array, options: Any) -> Any:
    """The design matrix, after checks."""
    units = plural(len(y), options.unit)
    if not y.any():
        raise ImagestrataError(f"{quote(side.outcome)} is 0 for all {units} of the model.")
    for name in side.names:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            raise ImagestrataError(
                f"{quote(name)} holds times, which cannot be a predictor.",
                "Make a number of days, or a category such as the month, of it.",
            )
        if frame[name].nunique(dropna=False) == 1:
            raise ImagestrataError(
                f"{quote(name)} is constant: {quote(frame[name].iloc[0])} for all {units} of the "
                "model.",
                f"Leave it out of {arg('formula')}.",
            )
    x = matrix_of(side.rhs, frame, options.env)
    names = columns_of(x.design_info)
    finite = np.isfinite(np.asarray(x))
    if not finite.all():
        column = int((~finite).any(axis=0).argmax())
        raise ImagestrataError(
            f"The term {quote(names[column])} is not a finite number for "
            f"{int((~finite[:, column]).sum())} of {units}.",
            "log1p() is defined for 0, unlike log().",
        )
    if x.shape[0] <= x.shape[1]:
        raise ImagestrataError(f"{units} are too few for {plural(x.shape[1], 'coefficient')}.")
    if options.variance == "CR2" and x.shape[1] > 2 * MOST_LEVELS:
        raise ImagestrataError(
            f"With {x.shape[1]} coefficients, {arg('variance', 'CR2')} takes too long.",
            f"Use {arg('variance', 'sandwich')}.",
        )
    scaled = np.asarray(x) / np.maximum(np.sqrt((np.asarray(x) ** 2).mean(axis=0)), 1e-300)
    alike = []
    base = np.empty((len(y), 0))
    for i, name in enumerate(names):  # a column that the columns before it explain
        column = scaled[:, i]
        if base.shape[1]:
            column = column - base @ (base.T @ column)
            column = column - base @ (base.T @ column)
        size = np.sqrt((column**2).mean())
        if size < 1e-7:
            alike.append(name)
        else:
            base = np.column_stack([base, column / np.sqrt((column**2).sum())])
    if alike:
        raise ImagestrataError(
            f"{', '.join(map(quote, alike))}: a combination of the other terms (collinear).",
            f"Leave it out of {arg('formula')}.",
        )
    return x


def _glm(
    name: str, y: Array, x: Array, weight: Array, offset: Array, theta: float, start: Any = None
) -> tuple[Array, Array, float]:
    found = fit_glm(y, x, Counts(theta), offset=offset, weight=weight, start=start)
    if not found.converged or not np.isfinite(found.coef).all():
        raise _unfitted(name, "the algorithm did not converge")
    return found.coef, found.fitted, found.deviance


def _negative_binomial(
    name: str, y: Array, x: Array, weight: Array, offset: Array, theta: float
) -> tuple[Array, Array, float, float]:
    """Maximum likelihood: coefficients and theta in turns, as in MASS::glm.nb()."""
    start = None
    for _ in range(200):
        coef, fitted, deviance = _glm(name, y, x, weight, offset, theta, start)
        new = _theta(name, y, fitted, weight, theta)
        moved = abs(new / theta - 1)
        theta, start = new, coef
        if moved < 1e-11:
            return coef, fitted, deviance, theta
    raise _unfitted(name, "the algorithm did not converge")


def _theta(name: str, y: Array, mu: Array, weight: Array, start: float) -> float:
    def score(log_theta: float) -> float:
        theta = np.exp(log_theta)
        parts = digamma(theta + y) - digamma(theta) + np.log(theta / (theta + mu))
        return float((weight * (parts + 1 - (y + theta) / (theta + mu))).sum())

    low = high = np.log(start)
    while score(low) < 0 and low > -20:
        low -= 1
    while score(high) > 0 and high < 20:
        high += 1
    if score(low) < 0 or score(high) > 0:
        raise _unfitted(name, "theta grows without bound")
    if low == high:
        return float(np.exp(low))
    return float(np.exp(scipy.optimize.brentq(score, low, high, xtol=1e-13, rtol=1e-14)))


def _unfitted(name: str, reason: str) -> ImagestrataError:
    return ImagestrataError(
        f"The model of {quote(name)} could not be fitted: {reason}.",
        f"Use fewer predictors, transform skewed ones by log1p(), or use "
        f"{arg('family', 'poisson')}.",
    )


def _check_fit(
    name: str, terms: Sequence[str], coef: Array, x: Array, y: Array, fitted: Array
) -> None:
    """A category without any count has an estimate of minus infinity (separation)."""
    low = fitted < 1e-8 * y.mean()
    if low.any():
        away = np.abs(coef) * (x.max(axis=0) - x.min(axis=0))
        raise ImagestrataError(
            f"The term {quote(terms[int(away.argmax())])} separates {int(low.sum())} "
            f"{quote(name)} of 0 from the others: its effect has no finite estimate.",
            "Leave it out, or combine its categories.",
        )


def _errors(
    x: Array, residual: Array, weight: Array, groups: dict[str, Group], variance: str
) -> tuple[dict[str, Sandwich], Array]:
    """The sandwiches of the groups, and the covariance matrix of coefficients."""
    root = scipy.linalg.cholesky((x * weight[:, None]).T @ x)

    def sandwich(group: Group, variance: str) -> Sandwich:
        # With thousands of groups the correction changes nothing, and takes long.
        kind = "sandwich" if int(group.part.max()) + 1 > 20000 else variance
        at = group.unit
        return Sandwich(x[at], residual[at], weight[at], group.part, kind, root)

    def several(group: Group, sets: Array) -> Array:
        """What a sum over parts counts too often for observations with several of them."""
        scores = pd.DataFrame(x * residual[:, None]).groupby(sets, sort=False).sum().to_numpy()
        times = np.bincount(group.unit)[~pd.Series(sets).duplicated().to_numpy()] - 1
        half = scipy.linalg.cho_solve((root, False), scores.T * np.sqrt(times))
        product: Array = half @ half.T
        return product

    sandwiches = {name: sandwich(group, variance) for name, group in groups.items()}
    sets = {name: _sets(group) for name, group in groups.items()}
    vcov: Array = np.zeros_like(root)
    for name, group in groups.items():
        vcov = vcov + sandwiches[name].covariance - several(group, sets[name])
    if len(groups) == 2:
        author, image = groups["author"].part, groups["image"]
        n = int(image.part.max()) + 1
        part = pd.factorize(author[image.unit].astype(np.int64) * n + image.part)[0]
        both = Group(image.unit, part, image.labels)
        n = int(sets["image"].max()) + 1
        together = pd.factorize(author.astype(np.int64) * n + sets["image"])[0]
        vcov = vcov - sandwich(both, "sandwich").covariance + several(both, together)
    return sandwiches, _no_negative_variance(vcov)


def _sets(group: Group) -> Array:
    """Numbers of observations with the same parts."""
    if len(np.unique(group.unit)) == len(group.unit):
        return group.part[np.argsort(group.unit)]
    order = np.lexsort((group.part, group.unit))
    parts = pd.Series(group.part[order]).groupby(group.unit[order]).agg(tuple)
    return pd.factorize(parts)[0]


def _no_negative_variance(vcov: Array) -> Array:
    """A difference of covariance matrices can have negative eigenvalues, which become zero."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(vcov)), 1e-300))
    values, vectors = np.linalg.eigh(vcov / np.outer(scale, scale))
    if (values >= 0).all():
        return vcov
    fixed: Array = (vectors * np.maximum(values, 0)) @ vectors.T * np.outer(scale, scale)
    return fixed


def _changes(column: pd.Series[Any]) -> list[tuple[Any, Any, float, str]]:
    """Pairs of values, what to divide their difference by, and the name of the contrast."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = [one for one in column.cat.categories if (column == one).any()]
    else:
        values = sorted(column.unique())
    is_bool = pd.api.types.is_bool_dtype(column)
    if pd.api.types.is_numeric_dtype(column) and not is_bool and not set(values) <= {0, 1}:
        step = 1e-5 * column.std()
        return [(column + step, column - step, 2 * step, "slope")]

    if len(values) > MOST_LEVELS:
        return []

    def like(value: Any) -> Any:
        return pd.Series([value] * len(column), column.index, dtype=column.dtype)

    return [
        (like(value), like(values[0]), 1.0, f"{value:g} - {values[0]:g}"
         if isinstance(value, int | float) and not is_bool else f"{value} - {values[0]}")
        for value in values[1:]
    ]  # fmt: skip


def _likelihood(y: Array, mu: Array, theta: float) -> float:
    if np.isinf(theta):
        return float((y * np.log(mu) - mu - gammaln(y + 1)).sum())
    parts = gammaln(theta + y) - gammaln(theta) - gammaln(y + 1)
    parts += theta * np.log(theta / (theta + mu)) + y * np.log(mu / (theta + mu))
    return float(parts.sum())
