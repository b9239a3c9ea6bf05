"""Generalised linear models by iteratively reweighted least squares.

McCullagh and Nelder (1989), Generalized Linear Models, section 2.5.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlog1py, xlogy

Floats = NDArray[np.float64]

_MOST_ITERATIONS = 200

#: Steps of linear predictors: the last one, and those that only infinite estimates take so late.
_SMALLEST_STEP, _SMALL_STEP = 1e-10, 1e-2


class Family(Protocol):
    """A distribution of outcomes with its link function."""

    def start(self, y: Floats) -> Floats:
        """Return linear predictors to begin with."""

    def mean(self, eta: Floats) -> Floats:
        """Return means from linear predictors."""

    def slope(self, mu: Floats) -> Floats:
        """Return the derivative of means by linear predictors."""

    def variance(self, mu: Floats) -> Floats:
        """Return the variance of outcomes with these means."""

    def deviance(self, y: Floats, mu: Floats) -> Floats:
        """Return the contribution of each outcome to the deviance."""


class Counts:
    """Negative binomial counts with a logarithmic link and a known ``theta``.

    With an infinite ``theta``, they are Poisson counts.
    """

    def __init__(self, theta: float = np.inf) -> None:
        self.theta = theta

    def start(self, y: Floats) -> Floats:
        return np.asarray(np.log((y + y.mean()) / 2))

    def mean(self, eta: Floats) -> Floats:
        return np.asarray(np.exp(eta))

    def slope(self, mu: Floats) -> Floats:
        return mu

    def variance(self, mu: Floats) -> Floats:
        return mu + mu**2 / self.theta

    def deviance(self, y: Floats, mu: Floats) -> Floats:
        if np.isinf(self.theta):
            return np.asarray(2 * (xlogy(y, y / mu) - (y - mu)))
        theta = self.theta
        excess = (y + theta) * np.log1p((y - mu) / (mu + theta))
        return np.asarray(2 * (xlogy(y, y / mu) - excess))


class Binary:
    """Outcomes of 0 and 1 with a logit link."""

    def start(self, y: Floats) -> Floats:
        share = (y + 0.5) / 2
        return np.log(share / (1 - share))

    def mean(self, eta: Floats) -> Floats:
        return np.asarray(expit(eta))

    def slope(self, mu: Floats) -> Floats:
        return mu * (1 - mu)

    def variance(self, mu: Floats) -> Floats:
        return mu * (1 - mu)

    def deviance(self, y: Floats, mu: Floats) -> Floats:
        return np.asarray(-2 * (xlogy(y, mu) + xlog1py(1 - y, -mu)))


class Fit(NamedTuple):
    """Coefficients and fitted means at the maximum of the likelihood."""

    coef: Floats
    fitted: Floats
    deviance: float
    converged: bool


def fit_glm(
    y: Floats,
    x: Floats,
    family: Family,
    *,
    offset: Floats | float = 0.0,
    weight: Floats | float = 1.0,
    start: Floats | None = None,
) -> Fit:
    """Fit a model; each step is a weighted least squares regression.

    Parameters
    ----------
    y : array of shape (n,)
    x : array of shape (n, k)
        The model matrix.
    offset, weight : array of shape (n,)
        Known parts of the linear predictors, and how often each row counts.
    start : array of shape (k,), optional
        Coefficients to begin with.
    """
    eta = family.start(y) if start is None else x @ start + offset
    coef = np.full(x.shape[1], np.nan)
    with np.errstate(all="ignore"):
        mu = family.mean(eta)
    deviance, settled = np.inf, False
    for _ in range(_MOST_ITERATIONS):
        with np.errstate(all="ignore"):
            slope = family.slope(mu)
            root = np.sqrt(weight * slope**2 / family.variance(mu))
            working = root * (eta - offset + (y - mu) / slope)
        if not (np.isfinite(root).all() and np.isfinite(working).all()):
            return Fit(coef, mu, deviance, False)
        coef = np.asarray(np.linalg.lstsq(root[:, None] * x, working, rcond=None)[0], np.float64)
        before, eta = eta, x @ coef + offset
        with np.errstate(all="ignore"):
            mu = family.mean(eta)
            new = float((weight * family.deviance(y, mu)).sum())
        step = float(np.abs(eta - before).max())
        settled = abs(new - deviance) <= 1e-11 + 1e-12 * abs(new)
        # Infinite estimates take steps for ever, although the deviance is settled.
        if settled and not _SMALLEST_STEP < step < _SMALL_STEP:
            return Fit(coef, mu, new, True)
        deviance = new
    return Fit(coef, mu, deviance, settled)
