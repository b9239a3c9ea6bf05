"""Standard errors clustered on authors, for regressions.

The estimates solve "the sum of x * residual is zero". All is in coordinates in which the
information is the identity matrix I; A_g is the part of author g in it, and s_g the author's sum of
scores.

``"CR2"``: the variance is the sum of the squares of (I - A_g)^(-1/2) s_g, which is unbiased if
posts are independent (Bell and McCaffrey 2002; Pustejovsky and Tipton 2018), with Satterthwaite's
degrees of freedom for each contrast. If a contrast cannot be estimated without author g, then A_g
has an eigenvalue of 1, and the contrast has no standard error.

``"sandwich"``: the sum of the squares of s_g, times G / (G - 1) for G authors, with G - 1 degrees
of freedom.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Errors(NamedTuple):
    """Standard errors and degrees of freedom of contrasts.

    ``alone`` is the position of the author without whom a contrast cannot be estimated, or -1.
    """

    std_error: Floats
    df: Floats
    alone: Ints


class Sandwich:
    """The clustered variance of coefficients.

    Parameters
    ----------
    x : array of shape (n, k), of full rank
    residual, weight : arrays of shape (n,)
        ``x * residual`` are the scores, and ``x.T @ (weight * x)`` is the information.
    author : array of shape (n,)
        Positions of authors; not all need occur.
    variance : {"CR2", "sandwich"}
    root : array of shape (k, k), optional
        The upper Cholesky factor of the information, if rows occur several times.
    """

    def __init__(
        self,
        x: Floats,
        residual: Floats,
        weight: Floats,
        author: Ints,
        variance: str,
        root: Floats | None = None,
    ) -> None:
        self.authors, number = np.unique(author, return_inverse=True)
        n, k = len(self.authors), x.shape[1]
        scaled = x * np.sqrt(weight)[:, None]
        self.root = scipy.linalg.cholesky(scaled.T @ scaled) if root is None else root
        back = scipy.linalg.solve_triangular(self.root, np.eye(k))
        scores = np.zeros((n, k))
        np.add.at(scores, number, (x @ back) * residual[:, None])
        self.adjust: Floats | None = None
        self.leverage: Floats | None = None
        self.alone = np.zeros((0, k))
        self.alone_author = np.zeros(0, dtype=np.int64)
        if variance == "CR2":
            adjust = self._correct(scaled @ back, number)
            scores = np.einsum("gij,gj->gi", adjust, scores)
        else:
            scores = scores * np.sqrt(n / (n - 1))
        #: One row per author, in the order of ``authors``; their products are the covariance.
        self.influence = scores @ back.T
        self.covariance = self.influence.T @ self.influence

    def _correct(self, z: Floats, number: Ints) -> Floats:
        """For each author (I - A_g)^(-1/2), and A_g times it."""
        order = np.argsort(number, kind="stable")
        ends = np.cumsum(np.bincount(number))
        parts = np.stack([rows.T @ rows for rows in np.split(z[order], ends[:-1])])
        values, vectors = np.linalg.eigh(parts)
        full = 1 - values < 1e-8
        by = np.where(full, 0, 1 / np.sqrt(np.maximum(1 - values, 1e-8)))
        turned = np.swapaxes(vectors, 1, 2)
        adjust: Floats = vectors @ (by[:, :, None] * turned)
        self.leverage = vectors @ ((by * values)[:, :, None] * turned)
        which, column = np.nonzero(full)
        self.alone = vectors[which, :, column]
        self.alone_author = self.authors[which]
        self.adjust = adjust
        return adjust

    def errors(self, contrasts: Floats) -> Errors:
        """Of contrasts of the coefficients, one per row."""
        at = scipy.linalg.solve_triangular(self.root, contrasts.T, trans="T")
        size = (at**2).sum(axis=0)
        alone = np.full(len(contrasts), -1, dtype=np.int64)
        for author, direction in zip(self.alone_author[::-1], self.alone[::-1], strict=True):
            # More than 1% of the variance that the contrast has with independent posts.
            alone[(direction @ at) ** 2 > 0.01 * size] = author
        df = np.full(len(contrasts), len(self.authors) - 1.0)
        if self.adjust is not None and self.leverage is not None:
            df = np.minimum(df, _satterthwaite(self.adjust, self.leverage, at))
        variance = np.einsum("ij,jk,ik->i", contrasts, self.covariance, contrasts)
        found = (alone < 0) & (size > 0)
        return Errors(
            np.where(found, np.sqrt(np.maximum(variance, 0)), np.nan),
            np.where(found, df, np.nan),
            alone,
        )


def _satterthwaite(adjust: Floats, leverage: Floats, at: Floats) -> Floats:
    """Degrees of freedom from the mean and variance of the variance, if posts are independent."""
    moved = leverage @ at
    squared = (moved**2).sum(axis=1)
    d = (moved * (adjust @ at)).sum(axis=1)
    products = np.einsum("gim,gjm->mij", moved, moved, optimize=True)
    spread = (d**2).sum(axis=0) - 2 * (d * squared).sum(axis=0) + (products**2).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((d.sum(axis=0) - squared.sum(axis=0)) ** 2 / spread)
