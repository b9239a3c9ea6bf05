"""Regressions of topics on the covariates of posts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from ..errors import ImagestrataError, plural
from ..regression.matrix import ModelMatrix, turn_of
from ..regression.sandwich import Sandwich
from ..regression.scenarios import typed_like
from ..wording import arg, quote
from .covariates import Posts
from .logit import Logit, fit_logit

Floats = NDArray[np.float64]

#: An average has no standard error if a larger share of its posts has infinite linear predictors,
#: whose probabilities of 0 or 1 have no errors.
MOST_INFINITE = 0.05


class Regressions:
    """The model matrix. A cell is the posts of an author that have the same covariates.

    Attributes
    ----------
    z : array of shape (cells, rank)
        The model matrix of cells times ``turn``; its columns are orthogonal.
    data : DataFrame
        The covariates of cells.
    """

    def __init__(self, posts: Posts, right: str, env: Any, variance: str) -> None:
        self.variance = variance
        self.variables = [*posts.data]
        self.post_id, self.shown, self.weight = posts.post_id, posts.shown, posts.weight
        self.topics, self.n_left_out = posts.topics, posts.n_left_out
        self.matrix = ModelMatrix(posts.data, right, env)
        self.names, self.categorical = self.matrix.names, self.matrix.categorical
        x = self.matrix.x
        keys = pd.concat([posts.author.rename(".author"), posts.data], axis=1)
        self.cell = keys.groupby([*keys], sort=False, observed=True).ngroup().to_numpy()
        first = np.unique(self.cell, return_index=True)[1]
        if (np.abs(x - x[first[self.cell]]) > 1e-9 * np.abs(x).max()).any():
            raise ImagestrataError(
                f"Posts with the same covariates have different values in {arg('formula')}.",
                f"It must use columns of {arg('linked')}, not other arrays or random numbers.",
            )
        self.data = posts.data.iloc[first].reset_index(drop=True)
        self.author, names = pd.factorize(posts.author.iloc[first])
        self.author_names = names
        if len(names) < 2:
            raise ImagestrataError(
                f"All posts are by {quote(names[0])}, and nothing is known of differences between "
                "authors."
            )
        self.n = np.bincount(self.cell, posts.weight).astype(float)
        self.turn = turn_of(x[first] * np.sqrt(self.n)[:, None]) * np.sqrt(self.n.sum())
        self.z = x[first] @ self.turn

    def rows(self, data: pd.DataFrame) -> Floats:
        """Rows of the model matrix for new data, in the coordinates of ``z``."""
        return np.asarray(self.matrix.rows(data) @ self.turn)

    def like(self, data: pd.DataFrame) -> pd.DataFrame:
        """New data with the types of the covariates of the model."""
        return typed_like(data, self.data, "post")

    def y(self, place: int) -> Floats:
        """For each cell the weight of the posts that show a topic."""
        posts = self.shown[place]
        return np.bincount(self.cell[posts], self.weight[posts], len(self.n)).astype(float)

    def fit(self, place: int) -> tuple[Logit | None, pd.DataFrame, str | None]:
        """The regression of a topic, its coefficients, and why estimates are missing."""
        rank = self.z.shape[1]
        collinear = ~(self.turn != 0).any(axis=1)
        reason = np.full(len(collinear), None, dtype=object)
        reason[collinear] = "collinear"
        shown = len(self.shown[place])
        rarer = min(shown, len(self.cell) - shown)
        refused = None
        if rarer < rank:
            refused = (
                f"{plural(rarer, 'post')} {'without' if rarer < shown else 'with'} it, fewer than "
                f"the {plural(rank, 'coefficient')}"
            )
        fit = None if refused else fit_logit(self.z, self.n, self.y(place))
        empty = np.full(len(self.names), np.nan)
        about = self.topics.iloc[np.full(len(self.names), place), :2].reset_index(drop=True)
        about["term"] = self.names
        if fit is None:
            why = refused or "the estimates did not converge"
            return None, about.assign(estimate=empty, std_error=empty, df=empty, reason=why), why
        infinite = _outside(self.turn, fit)
        error, df, why_missing = self.contrast_errors(fit, place, self.turn, infinite)
        estimate = self.turn @ (fit.basis @ fit.gamma)
        lost = collinear | infinite
        estimate[lost], error[lost], df[lost] = np.nan, np.nan, np.nan
        reason[~collinear] = why_missing[~collinear]
        table = about.assign(estimate=estimate, std_error=error, df=df, reason=reason)
        return fit, table, self._reason(fit, place, reason, lost & ~collinear)

    def contrast_errors(
        self, fit: Logit, place: int, contrasts: Floats, infinite: Any
    ) -> tuple[Floats, Floats, NDArray[np.object_]]:
        """Standard errors, degrees of freedom and reasons why they are missing."""
        n, kept = len(contrasts), fit.kept
        infinite = np.asarray(infinite, dtype=float) > MOST_INFINITE
        error, df = np.full(n, np.nan), np.full(n, np.nan)
        alone = np.full(n, self.author[kept[0]] if len(kept) else 0)
        if fit.basis.shape[1] and len(np.unique(self.author[kept])) > 1:
            z = self.z[kept]
            p = expit(z @ (fit.basis @ fit.gamma))
            sandwich = Sandwich(
                z @ fit.basis, self.y(place)[kept] - self.n[kept] * p,
                self.n[kept] * p * (1 - p), self.author[kept], self.variance,
            )  # fmt: skip
            error, df, alone = sandwich.errors(contrasts @ fit.basis)
        error, df = np.where(infinite, np.nan, error), np.where(infinite, np.nan, df)
        reason = np.full(n, None, dtype=object)
        for i in np.flatnonzero(alone >= 0):
            reason[i] = f"rests on the author {self.author_names[alone[i]]}"
        reason[infinite] = "infinite"
        return error, df, reason

    def _reason(
        self, fit: Logit, place: int, reasons: NDArray[np.object_], infinite: NDArray[np.bool_]
    ) -> str | None:
        """Why estimates of a topic are missing; None if none is."""
        if not fit.directions:
            rests = [one for one in reasons if one is not None and one.startswith("rests")]
            return f"an estimate {rests[0]}" if rests else None
        y = self.y(place)
        for name in self.variables:
            column = self.data[name]
            if pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != bool:
                continue
            if pd.api.types.is_datetime64_any_dtype(column.dtype):
                continue
            sums = pd.DataFrame({"y": y, "n": self.n}).groupby(column.astype(str)).sum()
            none = sums.index[sums["y"] == 0]
            every = sums.index[sums["n"] - sums["y"] < 1e-9 * sums["n"]]
            if len(none):
                return f"infinite: no post with {name} {', '.join(none)} shows it"
            if len(every):
                return f"infinite: all posts with {name} {', '.join(every)} show it"
        terms = [self.names[i] for i in np.flatnonzero(infinite)]
        more = f" and {plural(len(terms) - 1, 'more coefficient')}" if len(terms) > 1 else ""
        return (
            f"infinite: {terms[0]}{more}, since combinations of covariates separate the posts that "
            "show it"
        )


def _outside(contrasts: Floats, fit: Logit) -> NDArray[np.bool_]:
    """Contrasts that the finite part of the likelihood does not determine."""
    rest = contrasts - contrasts @ fit.basis @ fit.basis.T
    far = np.linalg.norm(rest, axis=1) > 1e-6 * np.linalg.norm(contrasts, axis=1)
    return np.asarray(far)
