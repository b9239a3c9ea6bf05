"""Logistic regressions of many outcomes on the same covariates, and infinite estimates.

If covariates separate the posts that show a topic from the others (a party never shows it), the
likelihood has no maximum: along some direction of the coefficients it only grows. It then has a
limit, in which the posts that the direction moves have a fitted probability of 0 or 1, while the
others are fitted as usual, without the coefficients that they do not determine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]


@dataclass(eq=False)
class Logit:
    """A regression: the linear predictor is ``z @ basis @ gamma`` in the rows ``kept``.

    That of other rows is infinite along ``directions``, the first one first.
    """

    basis: Floats
    gamma: Floats
    kept: NDArray[np.int64]
    directions: list[Floats] = field(default_factory=list)

    def at(self, z: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Probabilities for rows, and whether their linear predictor is infinite."""
        eta = z @ (self.basis @ self.gamma)
        infinite = np.zeros(len(z), dtype=bool)
        for direction in self.directions:
            moved = z @ direction
            far = ~infinite & (np.abs(moved) > 1e-5)
            eta[far] = np.sign(moved[far]) * np.inf
            infinite |= far
        return expit(eta), infinite


@dataclass(eq=False)
class _Found:
    gamma: Floats
    move: Floats | None = None
    finite: NDArray[np.bool_] | None = None


def fit_logit(z: Floats, n: Floats, y: Floats) -> Logit | None:
    """Fit one topic; None if the search does not converge.

    Parameters
    ----------
    z : array of shape (cells, k)
        ``z.T @ (n * z)`` is the sum of ``n`` times the identity matrix.
    n, y : arrays of shape (cells,)
        The weight of all posts of a cell, and of those that show the topic.
    """
    kept = np.arange(len(n))
    basis = np.eye(z.shape[1])
    directions: list[Floats] = []
    while True:
        part = z[kept] @ basis if directions else z
        found = _maximise(part, n[kept], y[kept])
        if found is None:
            return None
        if found.move is None or found.finite is None:
            return Logit(basis, found.gamma, kept, directions)
        directions.append(basis @ found.move)
        kept = kept[found.finite]
        values, vectors = np.linalg.eigh((z[kept] * n[kept, None]).T @ z[kept])
        basis = vectors[:, values > 1e-10]
        if basis.shape[1] == 0:
            return Logit(basis, np.zeros(0), kept, directions)


def _maximise(z: Floats, n: Floats, y: Floats) -> _Found | None:
    """Newton's method, with the information kept once steps are small.

    If steps do not become smaller and move the linear predictors of no post in the wrong direction,
    the estimates are infinite.
    """
    share = y.sum() / n.sum()
    gamma = z.T @ n / n.sum() * np.log(share / (1 - share))
    deviance = _deviance(z @ gamma, n, y)
    size, factor = np.inf, None
    for iteration in range(1, 101):
        p = expit(z @ gamma)
        if size > 0.05:
            try:
                factor = scipy.linalg.cho_factor((z * (n * p * (1 - p))[:, None]).T @ z)
            except np.linalg.LinAlgError:
                return None
        step = scipy.linalg.cho_solve(factor, z.T @ (y - n * p))
        move = z @ step
        size = float(np.abs(move).max())
        if size < 1e-9:
            return _Found(gamma + step)
        if iteration > 8 and size > 0.3 and _separates(move / size, n, y):
            return _Found(gamma, step / size, np.abs(move) <= 1e-5 * size)
        new = _deviance(z @ (gamma + step), n, y)
        while new > deviance + 1e-8 * abs(deviance) and np.abs(step).max() >= 1e-12:
            step = step / 2
            new = _deviance(z @ (gamma + step), n, y)
        gamma, deviance = gamma + step, new
    return None


def _separates(move: Floats, n: Floats, y: Floats) -> bool:
    """Whether a move lowers no post with the topic and raises no post without it."""
    wrong = (move < -1e-5) & (y > 1e-9 * n) | (move > 1e-5) & (n - y > 1e-9 * n)
    return not wrong.any()


def _deviance(eta: Floats, n: Floats, y: Floats) -> float:
    # log(1 + exp(eta)) without overflow
    return float(2 * (n * np.logaddexp(0, eta) - y * eta).sum())
