"""Clusters that judged pairs divide in two, by a logistic model of the vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .judgements import PRIOR_PAIRS, judged_share, judgement_loss

Array: TypeAlias = NDArray[Any]

#: Inverse variance of the coefficients, for vectors whose total variance is 1.
_RIDGE = 0.1
#: Factor of the logits where gains are expected: the ridge penalty makes them too small.
_SHARPER = 3.0
#: Directions from which the model is fitted; the best fit is kept.
_N_STARTS = 3
#: Standard deviation of the logits at the start of a fit.
_START = 2.0
#: Share of the images of a side, those that lie there most certainly, of which one is the partner
#: of an image whose side is to be found out, and the smallest number of them.
_CERTAIN, _FEWEST = 0.25, 3
#: Expected share of pairs apart in images that are not divided.
_APART = 0.1


@dataclass(frozen=True, eq=False)
class Division:
    """Two sides of a set of images, of which each belongs together.

    Attributes
    ----------
    design : ndarray of shape (n_images, d)
        Vectors of the images, and ones.
    side : ndarray of shape (n_images,)
        Probability that each image is on the first side, at the most probable coefficients.
    expected : ndarray of shape (n_images,)
        The same, averaged over the uncertainty of the coefficients.
    covariance : ndarray of shape (d, d)
        Covariance of the coefficients.
    """

    design: Array
    side: Array
    expected: Array
    covariance: Array

    @property
    def first(self) -> Array:
        """Whether each image is rather on the first side."""
        first: Array = self.side > 0.5
        return first

    def gain(self) -> tuple[float, float]:
        """By how much the division raises the sum of B-cubed precision, and lowers that of recall.

        Two images belong together if they are on the same side.
        """
        odds = (1 / np.clip(self.side, 1e-12, 1 - 1e-12) - 1) ** _SHARPER
        p = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
        own = 1 - (p**2).sum(axis=1)  # an image belongs with itself
        total = p @ p.sum(axis=0) + own
        precision = -total.sum() / len(p)
        lost = 0.0
        for inside in (self.first, ~self.first):
            with_side = p @ p[inside].sum(axis=0)
            precision += (with_side + own)[inside].sum() / max(inside.sum(), 1)
            lost += float((with_side / total)[~inside].sum())
        return float(precision), lost


def fit_division(rows: Array, a: Array, b: Array, same: Array, error_rate: float) -> Division:
    """The division that makes judged pairs most probable.

    The probability that an image is on the first side is a logistic function of its vector, and a
    pair belongs together if both images are on the same side.

    Parameters
    ----------
    rows : ndarray of shape (n_images, d)
    a, b : ndarray of shape (n_pairs,)
        Rows of the images of judged pairs.
    same : ndarray of bool of shape (n_pairs,)
        Whether they were judged as together.
    error_rate : float
        Share of wrong judgements.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    centred = rows - rows.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=1).mean()) or 1.0
    design = np.hstack([centred / scale, np.ones((len(rows), 1))])
    one, other = design[a], design[b]

    def together(coefficients: Array) -> tuple[Array, Array]:
        """Probability that each pair is on one side, and its derivative by the coefficients."""
        p, q = expit(one @ coefficients), expit(other @ coefficients)
        slopes = one * ((2 * q - 1) * p * (1 - p))[:, None]
        slopes += other * ((2 * p - 1) * q * (1 - q))[:, None]
        return p * q + (1 - p) * (1 - q), slopes

    def loss(coefficients: Array) -> tuple[float, Array]:
        share, slopes = together(coefficients)
        value, slope = judgement_loss(share, same, error_rate)
        penalty = _RIDGE / 2 * coefficients @ coefficients
        return float(value + penalty), slopes.T @ slope + _RIDGE * coefficients

    # Pairs together pull along the leading directions, pairs apart push.
    products = one.T @ (np.where(same, 1.0, -1.0)[:, None] * other)
    directions = np.linalg.eigh(products + products.T)[1][:, ::-1][:, :_N_STARTS]
    fits = []
    for direction in directions.T:
        spread = float((design @ direction).std()) or 1.0
        fits.append(minimize(loss, direction * _START / spread, jac=True, method="L-BFGS-B"))
    best = min(fits, key=lambda fit: float(fit.fun)).x

    share, slopes = together(best)
    judged = judged_share(share, error_rate)
    slopes *= ((1 - 2 * error_rate) / np.sqrt(judged * (1 - judged)))[:, None]
    covariance = np.linalg.inv(slopes.T @ slopes + _RIDGE * np.eye(design.shape[1]))
    logit = design @ best
    # The mean of a logistic function of a normal variable (MacKay 1992).
    averaged = logit / np.sqrt(1 + np.pi / 8 * _variances(design, covariance))
    return Division(design, expit(logit), expit(averaged), covariance)


def _variances(design: Array, covariance: Array) -> Array:
    """Variance of the logit of each image."""
    variances: Array = ((design @ covariance) * design).sum(axis=1)
    return variances


@dataclass(frozen=True, eq=False)
class Piece:
    """A set of images, and how judged pairs in it divide it.

    Attributes
    ----------
    images : ndarray of shape (n_images,)
        Their rows.
    n_pairs, n_apart : int
        Judged pairs inside, and those judged as apart.
    division : Division, optional
        None if no pair inside was judged as apart, or the piece is too small.
    sides : tuple of Piece
        Both sides, if the piece is divided; empty otherwise.
    """

    images: Array
    n_pairs: int
    n_apart: int
    division: Division | None
    sides: tuple[Piece, ...]

    def all(self) -> list[Piece]:
        """The piece and those into which it is divided."""
        return [self, *(piece for side in self.sides for piece in side.all())]

    def ends(self) -> list[Piece]:
        """The pieces that are not divided; together they have all images."""
        return [piece for piece in self.all() if not piece.sides]

    def loss(self) -> float:
        """Number of images whose place is expected to be wrong."""
        if self.division is not None and self.sides:
            return float(2 * np.minimum(self.division.side, 1 - self.division.side).sum())
        n_apart = self.n_apart + PRIOR_PAIRS * _APART
        return len(self.images) * n_apart / (self.n_pairs + PRIOR_PAIRS)

    def ask(self, n: int, used: Array, rng: np.random.Generator) -> list[tuple[int, int]]:
        """At most ``n`` pairs that tell most about the division.

        The first image is the one whose judgement is expected to reduce the uncertainty of the
        coefficients most, and the other one is among those that lie on its side most certainly.
        Images in ``used`` come last.
        """
        if self.division is None:
            return []
        design, covariance = self.division.design, self.division.covariance
        side, expected = self.division.side, self.division.expected
        free = ~np.isin(self.images, used)
        if free.sum() < 2 * n:
            free[:] = True
        information = side * (1 - side)
        variance = _variances(design, covariance)
        certain = np.abs(expected - 0.5)
        pairs = []
        for _ in range(min(n, len(self.images) // 2)):
            one = int(np.where(free, information * variance, -1).argmax())
            free[one] = False
            direction = covariance @ design[one]
            shrink = information[one] / (1 + information[one] * variance[one])
            covariance = covariance - shrink * np.outer(direction, direction)
            variance = variance - shrink * (design @ direction) ** 2
            beside = (expected > 0.5) == (expected[one] > 0.5)
            beside[one] = False
            if not beside.any():
                continue
            # Of images on the side of the first one, free ones come first, then certain ones.
            order = np.lexsort((-certain, ~free, ~beside))
            n_partners = max(_FEWEST, int(beside.sum() * _CERTAIN))
            other = int(rng.choice(order[: min(n_partners, int(beside.sum()))]))
            free[other] = False
            pairs.append((int(self.images[one]), int(self.images[other])))
        return pairs


def divide(
    rows: Array,
    images: Array,
    a: Array,
    b: Array,
    same: Array,
    error_rate: float,
    smallest: int,
    caution: float,
) -> Piece:
    """Divide images in two, and their sides, as long as that is expected to improve B-cubed F.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, d)
        Vectors of all images.
    images : ndarray of shape (n_images,)
        Rows of the images that are to be divided.
    a, b, same, error_rate
        All judged pairs, as for :func:`fit_division`; those inside ``images`` count.
    smallest : int
        Smallest number of images of a side.
    caution : float
        What precision gains must exceed what recall loses, ``1 + caution`` times.
    """
    place = np.full(len(rows), -1)
    place[images] = np.arange(len(images))
    inside = (place[a] >= 0) & (place[b] >= 0)
    n_apart = int((~same[inside]).sum())
    sides: tuple[Piece, ...] = ()
    found = None
    if n_apart and len(images) >= 2 * smallest:
        pairs = place[a[inside]], place[b[inside]], same[inside]
        found = fit_division(rows[images], *pairs, error_rate)
        first = found.first
        gain, loss = found.gain()
        if min(first.sum(), (~first).sum()) >= smallest and gain > (1 + caution) * loss:
            sides = tuple(
                divide(rows, images[one], a, b, same, error_rate, smallest, caution)
                for one in (first, ~first)
            )
    return Piece(images, int(inside.sum()), n_apart, found, sides)
