"""Shares of topics with standard errors by author, their limits, and their covariances.

The share of a cell is sum(y) / sum(n) over its authors. Its linearised scores are
u = (y - share * n) / sum(n), and R's ``svydesign(ids = ~author)`` has the variance
A / (A - 1) * sum(u^2), with the authors A of all cells. If few authors have many posts, this is too
small. The jackknife, which leaves out one author at a time, has the scores u / (1 - w), with the
author's share w of the units. Authors who do not show a topic have u = -share * n / sum(n), so
that their sum needs no row for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from .design import Array, Design


@dataclass(frozen=True, eq=False)
class Shares:
    """Shares, as arrays cells x topics or of any other shape.

    Attributes
    ----------
    estimate, std_error, std_error_adjusted, df : array
    effective : array
        The effective number of authors of the cell.
    n_shown, n_authors : array
    """

    estimate: Array
    std_error: Array
    std_error_adjusted: Array
    df: Array
    effective: Array
    n_shown: Array
    n_authors: Array

    def take(self, cells: Array) -> Shares:
        """The shares of some cells; those of cell -1 are missing."""

        def of(values: Array) -> Array:
            return np.where((cells >= 0)[:, None], values[cells], np.nan)

        return replace(self, **{name: of(getattr(self, name)) for name in self.__dict__})


def shares_of(design: Design) -> Shares:
    """Estimate the share of every topic in every cell."""
    size = (len(design.cells), len(design.topics))
    cell, n = design.places["cell"].to_numpy(), design.places["n"].to_numpy(float)
    at, topic = design.shown["place"].to_numpy(), design.shown["topic"].to_numpy()
    y = design.shown["y"].to_numpy(float)
    row = cell[at] * size[1] + topic

    def total(values: Array) -> Array:
        return np.asarray(np.bincount(row, values, size[0] * size[1]).reshape(size))

    def whole(values: Array) -> Array:
        return np.asarray(np.bincount(cell, values, size[0])[:, None])

    units, shown = whole(n), total(y)
    authors = design.counts["n_authors"].to_numpy()[:, None] + np.zeros(size)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(units > 0, shown / units, np.nan)
        certain = (share == 0) | (share == 1)
        everyone = total(np.ones(len(y))) >= authors

        def variance(factor: Array) -> Array:
            weight = factor**2
            some = total(weight[at] * (y - share.ravel()[row] * n[at]) ** 2)
            rest = whole(weight * n**2) - total((weight * n**2)[at])
            spread = some + np.where(everyone, 0, share**2 * rest)
            # One author does not tell how authors differ.
            known = np.where(authors > 1, spread / units**2, np.nan)
            return np.asarray(np.where(certain, 0, known))

        squares = total(y**2)
        others = whole(n**2) - 2 * total(y * n[at]) + squares
        few = np.fmin(effective(shown, squares), effective(units - shown, others))
        df = np.where(units > 0, np.maximum(np.minimum(authors - 1, 2 * few - 1), 1), np.nan)
        independent = share * (1 - share) / units
        return Shares(
            estimate=share,
            std_error=np.sqrt(variance(survey_factor(design))),
            std_error_adjusted=np.sqrt(np.maximum(variance(jackknife_factor(design)), independent)),
            df=df,
            effective=effective(units, whole(n**2)) + np.zeros(size),
            n_shown=shown,
            n_authors=authors,
        )


def effective(total: Array, squares: Array) -> Array:
    """The number of authors with equal contributions that would be as uneven (Kish)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, total**2 / squares, np.nan)


def survey_factor(design: Design) -> Array:
    """The factor of each place's scores in the variance of R's survey."""
    with np.errstate(divide="ignore"):
        factor = np.sqrt(np.divide(design.n_authors, np.float64(design.n_authors - 1)))
    return np.full(len(design.places), factor)


def jackknife_factor(design: Design) -> Array:
    """The factor of each place's scores in the variance of the jackknife."""
    cell, n = design.places["cell"].to_numpy(), design.places["n"].to_numpy(float)
    authors = design.counts["n_authors"].to_numpy()[cell]
    share = n / np.bincount(cell, n)[cell]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(authors > 1, np.sqrt((authors - 1) / authors) / (1 - share), 0)


def limits_of(shares: Shares, t: Array, df: Array) -> tuple[Array, Array]:
    """Limits of shares for a quantile of the t distribution.

    Logit intervals, but never beyond the exact binomial interval of as many posts as there are
    effective authors. That interval holds if every author shows either nothing but the topic or
    nothing of it; authors cannot differ more.
    """
    from scipy import special, stats

    p, n = shares.estimate, shares.effective
    none, every = p == 0, p == 1
    tail = stats.t.sf(t, df)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = t * shares.std_error_adjusted / (p * (1 - p))
        least = special.betaincinv(n * p, n * (1 - p) + 1, tail)
        most = special.betainccinv(n * p + 1, n * (1 - p), tail)
        # Shares of 0 and 1 have no logit.
        low = np.fmax(special.expit(special.logit(p) - width), least)
        high = np.fmin(special.expit(special.logit(p) + width), most)
    low, high = np.where(none, 0, low), np.where(every, 1, high)
    alone = (shares.n_authors < 2) & ~none & ~every
    return np.where(alone, np.nan, low), np.where(alone, np.nan, high)


@dataclass(frozen=True, eq=False)
class Shared:
    """Covariances of the shares of two cells, arrays pairs x topics; and common authors."""

    survey: Array
    jackknife: Array
    n_authors: Array


def shared_by(design: Design, shares: Shares, first: Array, second: Array) -> Shared:
    """Covariances for pairs of cells, to which only authors in both contribute."""
    n_topics = len(design.topics)
    found = Shared(*(np.zeros((len(first), n_topics)) for _ in range(3)))
    factors = (survey_factor(design), jackknife_factor(design))
    places = design.places.assign(survey=factors[0], jackknife=factors[1]).reset_index(
        names="place"
    )
    in_cell = dict([*places.groupby("cell")])
    of_place = design.shown.merge(places[["place", "cell", "author"]], on="place")
    shown_in = dict([*of_place.groupby("cell")])
    for pair, cells in enumerate(zip(first, second, strict=True)):
        if not all(cell in in_cell for cell in cells):
            continue
        both = in_cell[cells[0]].merge(in_cell[cells[1]], on="author", suffixes=("", "_b"))
        found.n_authors[pair] = len(both)
        if both.empty:
            continue
        columns = ["author", "topic", "y"]
        none = pd.DataFrame(columns=columns, dtype=float)
        sides = [shown_in[cell][columns] if cell in shown_in else none for cell in cells]
        rows = sides[0].merge(sides[1], on=["author", "topic"], how="outer", suffixes=("", "_b"))
        rows = rows.fillna(0.0).merge(both, on="author")
        p, q = shares.estimate[cells[0]], shares.estimate[cells[1]]
        units = in_cell[cells[0]]["n"].sum() * in_cell[cells[1]]["n"].sum()
        certain = (p == 0) | (p == 1) | (q == 0) | (q == 1)
        for name in ("survey", "jackknife"):

            def total(
                values: pd.Series[float], rows: pd.DataFrame = rows, name: str = name
            ) -> Array:
                weight = rows[name] * rows[f"{name}_b"]
                topics = rows["topic"].astype("int64")
                return np.bincount(topics, weight * values, n_topics)

            every = (both[name] * both[f"{name}_b"] * both["n"] * both["n_b"]).sum()
            sums = total(rows["y"] * rows["y_b"]) - q * total(rows["y"] * rows["n_b"])
            sums = sums - p * total(rows["y_b"] * rows["n"]) + p * q * every
            getattr(found, name)[pair] = np.where(certain, 0, sums / units)
    return found
