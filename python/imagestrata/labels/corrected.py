"""Three regressions, their corrected combination, and its variance.

The influence of a unit (an author, a labelled image, or an author's posts of a labelled image) on a
coefficient is its part in the difference between estimate and truth. The variance of a coefficient
is

    sum over authors of influence^2 - sum over authors of V(author) + V(all),

where V is the variance due to the drawing of images for labelling: the first sum contains that of
each author's own posts, as if images were drawn for each author anew, but posts share images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ..posts.logit import fit_logit
from ..regression.sandwich import Sandwich
from .estimate import Plan
from .observed import Array


@dataclass(frozen=True, eq=False)
class Fit:
    """A regression: coefficients ``beta``, and what their influences need.

    ``z`` are the covariates in coordinates that ``turn`` leads back from; ``z * residual`` are the
    scores, and ``z.T @ (weight * z)`` is the information.
    """

    beta: Array
    z: Array
    turn: Array
    residual: Array
    weight: Array

    def influence(self) -> Array:
        """The influence of each row."""
        information = (self.z * self.weight[:, None]).T @ self.z
        scores = self.z * self.residual[:, None]
        return np.asarray(np.linalg.solve(information, scores.T).T @ self.turn.T)

    def jackknife(self, unit: Array) -> tuple[Array, Array]:
        """Units, and how much the coefficients change without each of them.

        That is (information without it)^-1 times its scores: exact for least squares, one step for
        logistic regression.
        """
        units, at = np.unique(unit, return_inverse=True)
        k = self.z.shape[1]
        information = (self.z * self.weight[:, None]).T @ self.z
        scores, own = np.zeros((len(units), k)), np.zeros((len(units), k, k))
        np.add.at(scores, at, self.z * self.residual[:, None])
        np.add.at(own, at, self.z[:, :, None] * (self.z * self.weight[:, None])[:, None, :])
        left = information - own
        # A unit that alone determines a coefficient: as if it did not.
        left[1 / np.linalg.cond(left, 1) <= 1e-12] = information
        return units, np.linalg.solve(left, scores[:, :, None])[:, :, 0] @ self.turn.T


@dataclass(frozen=True, eq=False)
class Failed:
    """A regression without finite estimates; ``collinear`` are columns that others determine."""

    collinear: list[int]


def regress(x: Array, y: Array, weight: Array, family: str) -> Fit | Failed:
    """Least squares or a logistic regression with weights."""
    scaled = x * np.sqrt(weight)[:, None]
    root = np.linalg.qr(scaled, mode="r")
    lost = np.abs(np.diag(root)) <= 1e-7 * np.linalg.norm(scaled, axis=0)
    if lost.any() or len(x) < x.shape[1]:
        return Failed([*map(int, np.flatnonzero(lost))])
    turn = np.linalg.inv(root) * np.sqrt(weight.sum())
    z = x @ turn
    if family == "linear":
        gamma = z.T @ (weight * y) / weight.sum()
        fitted, spread = z @ gamma, np.ones(len(y))
    else:
        fit = fit_logit(z, weight, weight * y)
        if fit is None or fit.directions:
            return Failed([])
        gamma = fit.basis @ fit.gamma
        fitted = expit(z @ gamma)
        spread = fitted * (1 - fitted)
    return Fit(turn @ gamma, z, turn, weight * (y - fitted), weight * spread)


@dataclass(frozen=True, eq=False)
class Influences:
    """Influences of authors, labelled images, and pairs of both; rows by unit."""

    authors: Array
    images: Array
    pairs: Array

    def less(self, factor: Array, other: Influences) -> Influences:
        return Influences(
            self.authors - factor * other.authors,
            self.images - factor * other.images,
            self.pairs - factor * other.pairs,
        )


@dataclass(frozen=True, eq=False)
class Estimates:
    """Of each coefficient."""

    estimate: Array
    std_error: Array
    df: Array
    tuning: Array


def sandwich_of(fit: Fit, unit: Array) -> Sandwich:
    return Sandwich(fit.z, fit.residual, fit.weight, unit, "CR2")


class Corrected:
    """The regressions of a sample, combined with those of predictions.

    Parameters
    ----------
    people, same : Fit
        Of the labels and of the predictions of the sampled rows.
    all_rows : Fit
        Of the predictions of all rows.
    author : array of shape (rows,)
        Positions of authors.
    sampled : array of shape (sampled rows,)
        Places of the sampled rows.
    place : array of shape (sampled rows,)
        The image of each of them among the labelled ones.
    """

    def __init__(
        self,
        people: Fit,
        same: Fit | None,
        all_rows: Fit | None,
        author: Array,
        sampled: Array,
        place: Array,
        plan: Plan,
    ) -> None:
        self.people, self.same, self.all_rows, self.plan = people, same, all_rows, plan
        self.n_authors = int(author.max()) + 1
        mine = author[sampled]
        keys = np.stack([mine, place], axis=1)
        pairs, self._pair = np.unique(keys, axis=0, return_inverse=True)
        self._pair = self._pair.ravel()
        self.author, self.image = pairs[:, 0], pairs[:, 1]
        self.factor = np.nan_to_num(plan.k)
        self.own = self._influences(people, mine, place)
        k = len(people.beta)
        if same is None or all_rows is None:
            self.machine = self.own.less(np.ones(k), self.own)
        else:
            found = self._influences(same, mine, place)
            less = self._by_author(all_rows, author)
            self.machine = Influences(found.authors - less, found.images, found.pairs)
        own, other = self._deviations(self.own.images), self._deviations(self.machine.images)
        square = (self.factor[:, None] * other**2).sum(axis=0)
        product = (self.factor[:, None] * own * other).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.best = np.clip(np.where(square > 0, product / square, 0), 0, 1)
        #: Satterthwaite's, of authors or of images, whichever are fewer.
        self.df = np.minimum(
            *(sandwich_of(people, unit).errors(people.turn).df for unit in (mine, place))
        )

    def estimates(self, tuning: Array, tuned: bool) -> Estimates:
        beta = self.people.beta
        if self.same is not None and self.all_rows is not None:
            beta = beta + tuning * (self.all_rows.beta - self.same.beta)
        error = np.sqrt(self._variance(tuning, tuned))
        return Estimates(beta, np.where(np.isnan(self.df), np.nan, error), self.df, tuning)

    def _influences(self, fit: Fit, author: Array, place: Array) -> Influences:
        k = len(fit.beta)
        images = np.zeros((len(self.plan.at), k))
        units, values = fit.jackknife(place)
        images[units] = values
        pairs = np.zeros((len(self.author), k))
        np.add.at(pairs, self._pair, fit.influence())
        return Influences(self._by_author(fit, author), images, pairs)

    def _by_author(self, fit: Fit, author: Array) -> Array:
        sandwich = sandwich_of(fit, author)
        found = np.zeros((self.n_authors, len(fit.beta)))
        found[sandwich.authors] = sandwich.influence @ fit.turn.T
        return found

    def _deviations(self, influence: Array) -> Array:
        """Of each labelled image and coefficient, the difference from the mean of its stratum."""
        scores = influence / self.plan.a[:, None]
        return np.stack([self.plan.centre(column) for column in scores.T], axis=1)

    def _variance(self, tuning: Array, tuned: bool) -> Array:
        of = self.own.less(tuning, self.machine)
        k = self.factor[:, None]
        left = self._deviations(of.images)
        drawn = (k * left**2).sum(axis=0)
        between = (of.authors**2).sum(axis=0)
        variance = np.maximum(between - self._within_authors(of.pairs) + drawn, drawn)
        if not tuned:
            return np.asarray(variance)
        # Lambda fits the labelled images better than others, as in a regression (HC3).
        other = k * self._deviations(self.machine.images) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            leverage = other / other.sum(axis=0)
            leverage[:, (tuning <= 0) | (tuning >= 1)] = 0
            ratio = (k * (left / (1 - np.minimum(leverage, 0.9))) ** 2).sum(axis=0) / drawn
        return np.asarray(variance * np.where(np.isfinite(ratio), ratio, 1))

    def _within_authors(self, influence: Array) -> Array:
        """The sum over authors of the variance due to the drawing of images.

        For each author and stratum, with v for influence / a and m labelled images, it is that of
        sum(k a^2 (v - sum(v) / m)^2).
        """
        plan = self.plan
        factor = self.factor * plan.a**2
        alone = plan.own < 0
        group = np.where(alone, -1 - np.arange(len(plan.own)), plan.own)
        group = np.unique(group, return_inverse=True)[1]
        m, whole = np.bincount(group), np.bincount(group, factor)
        v = influence / plan.a[self.image][:, None]
        keys = np.stack([self.author, group[self.image]], axis=1)
        cells, key = np.unique(keys, axis=0, return_inverse=True)
        of, key = cells[:, 1], key.ravel()
        sums, weighted = np.zeros((2, len(cells), v.shape[1]))
        np.add.at(sums, key, v)
        np.add.at(weighted, key, factor[self.image][:, None] * v)
        mean = np.where(m[of] == 1, 0, 1 / m[of])[:, None] * sums
        return np.asarray(
            (factor[self.image][:, None] * v**2).sum(axis=0)
            - (2 * mean * weighted).sum(axis=0)
            + (whole[of][:, None] * mean**2).sum(axis=0)
        )
