"""Differences between clusterings that were scored on the same judged pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .folds import JudgedPairs
from .pair_scores import pair_ratios

Array: TypeAlias = NDArray[Any]

_N_DRAWS = 1000
_CONF_LEVEL = 0.95
#: Jeffreys' prior: this many pairs of each kind, as in :mod:`.pair_scores`.
_PRIOR = 0.5
#: Standard errors below this are those of clusterings with the same scores in every draw.
_NONE = 1e-12


@dataclass(frozen=True, eq=False)
class Compared:
    """Clusterings that were scored on the same pairs.

    Attributes
    ----------
    first : ndarray of shape (n_different,)
        Rows of the clusterings of which none has the same clusters as an earlier one.
    place : ndarray of shape (n_clusterings,)
        For each clustering, the place in ``first`` of the one with the same clusters.
    estimates, draws : dict of ndarray of shape (n_different,) and (n_different, n_draws)
        By measure.
    differ : ndarray of shape (n_different, n_different)
        Numbers of pairs on which two clusterings differ.
    """

    first: Array
    place: Array
    estimates: dict[str, Array]
    draws: dict[str, Array]
    differ: Array

    @classmethod
    def of(
        cls,
        found: Sequence[NDArray[np.intp]],
        same_as: Sequence[int],
        pairs: JudgedPairs,
        scores: pd.DataFrame,
        seed: int,
    ) -> Compared:
        """Compare clusterings.

        Parameters
        ----------
        found : sequence of ndarray
            The cluster of each image in each clustering.
        same_as : sequence of int
            For each clustering the number (from 1) of the first one with the same clusters.
        pairs : JudgedPairs
        scores : DataFrame
            candidate (from 1), measure and estimate.
        seed : int
        """
        first, place = np.unique(np.array(same_as) - 1, return_inverse=True)
        different = [found[row] for row in first]
        wide = scores.pivot(index="candidate", columns="measure", values="estimate")
        sides = np.array([np.where(c, t, 2) for t, c in map(pairs.sides, different)])
        return cls(
            first,
            place,
            {name: wide.loc[first + 1, name].to_numpy(dtype=float) for name in pairs.measures},
            paired_draws(different, pairs, seed),
            np.array([(sides != one).sum(axis=1) for one in sides]),
        )

    def differences(self) -> pd.DataFrame:
        """Differences of all pairs of different clusterings, in every measure.

        The columns are candidate_a, candidate_b, measure, estimate (a minus b), std_error,
        conf_low, conf_high and n_differ.
        """
        a, b = np.triu_indices(len(self.first), 1)
        columns: dict[str, list[Array]] = {}
        for measure, estimate in self.estimates.items():
            value = estimate[a] - estimate[b]
            std_error, low, high = np.full((3, len(a)), np.nan)
            draws = self.draws[measure]
            for row in range(len(self.first) - 1):
                those = np.flatnonzero((a == row) & ~np.isnan(value))
                drawn = draws[row] - draws[b[those]]
                std_error[those] = drawn.std(axis=1, ddof=1)
                low[those], high[those] = _interval(value[those], drawn)
            table = {
                "candidate_a": self.first[a] + 1,
                "candidate_b": self.first[b] + 1,
                "measure": np.full(len(a), measure, dtype=object),
                "estimate": value,
                "std_error": std_error,
                "conf_low": low,
                "conf_high": high,
                "n_differ": self.differ[a, b],
            }
            for name, values in table.items():
                columns.setdefault(name, []).append(values)
        # Row by row: all measures of a pair of clusterings follow each other.
        stacked = {name: np.stack(values, axis=1).ravel() for name, values in columns.items()}
        return pd.DataFrame(stacked).astype({"measure": "str"})

    def may_be_best(self, own: Sequence[int]) -> pd.DataFrame:
        """Whether each clustering is in the set that contains the best of ``own``.

        The columns are candidate, measure and may_be_best.
        """
        places = np.unique(self.place[own])
        tables = []
        for measure, estimate in self.estimates.items():
            inside = np.zeros(len(self.first), dtype=bool)
            inside[places] = best_set(estimate[places], self.draws[measure][places])
            chosen = np.zeros(len(self.place), dtype=bool)
            chosen[own] = inside[self.place[own]]
            numbers = np.arange(1, len(chosen) + 1)
            table = {"candidate": numbers, "measure": measure, "may_be_best": chosen}
            tables.append(pd.DataFrame(table))
        return pd.concat(tables, ignore_index=True)


def paired_draws(
    found: Sequence[NDArray[np.intp]], pairs: JudgedPairs, seed: int, n_draws: int = _N_DRAWS
) -> dict[str, Array]:
    """Draws of every measure of every clustering, in which every draw is of the same pairs.

    In each draw, each judged pair has a weight from the exponential distribution, the same for all
    clusterings (the Bayesian bootstrap of Rubin 1981), and the weights of a stratum sum to its
    number of pairs. As in :func:`score_clustering`, Jeffreys' prior of half a pair of each kind
    is added once among the pairs that are together, and once among the others, where a pair has
    the largest weight. These half pairs are also the same for all clusterings.

    Returns
    -------
    dict of ndarray of shape (n_clusterings, n_draws)
        By measure; NaN where a measure is undefined.
    """
    rng = np.random.default_rng([seed, 8])
    _, group = np.unique(pairs.group, return_inverse=True)
    sizes, numbers = np.bincount(group, pairs.weight), np.bincount(group)
    given = rng.standard_exponential((n_draws, len(group))) * pairs.weight
    totals = np.stack([given[:, group == one].sum(axis=1) for one in range(len(sizes))], axis=1)
    scale = sizes / totals
    given *= scale[:, group]
    # Pairs that a group represents per judged pair; a half pair of a group weighs as much.
    per_pair = scale * sizes / numbers
    half = rng.gamma(_PRIOR, size=(2, 2, n_draws, len(sizes))) * per_pair
    same = pairs.judgement >= pairs.same_from
    sums = {True: given * same, False: given * ~same}
    graded = given * pairs.judgement if pairs.graded else None
    drawn: dict[str, list[Array]] = {measure: [] for measure in pairs.measures}
    for labels in found:
        together, counts = pairs.sides(labels)
        kinds = []
        for side, those in enumerate((counts & together, counts & ~together)):
            yes, no = (sums[kind] @ those for kind in (True, False))
            if those.any():
                heavy = _heaviest(group, sizes / numbers, those)
                yes, no = yes + half[side, 0][:, heavy], no + half[side, 1][:, heavy]
            kinds.append((yes, no))
        n_known = pairs.known_together(labels) if (counts & together).any() else None
        for name, values in _ratios(kinds, n_known, sizes.sum()).items():
            drawn[name].append(values)
        if graded is not None:
            drawn["quality"].append(_quality(given, graded, counts & together, counts & ~together))
    return {measure: np.array(values) for measure, values in drawn.items()}


def _heaviest(group: Array, weight: Array, those: Array) -> int:
    """The group with the largest weight of a pair among those in which there are pairs."""
    present = np.unique(group[those])
    return int(present[np.argmax(weight[present])])


def _ratios(
    kinds: Sequence[tuple[Array, Array]], n_known: int | None, population: float
) -> dict[str, Array]:
    """Precision, recall, f1 and mean_pr from sums of weights of pairs together and apart."""
    (hits, false), (missed, right) = kinds
    if n_known is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.nan_to_num(hits / (hits + false))
            rate = np.nan_to_num(missed / (missed + right))
        hits, false = n_known * precision, n_known * (1 - precision)
        missed = (population - n_known) * rate
    found = pair_ratios(hits, false, missed)
    nothing = (hits + false == 0) & (found["recall"] == 0)
    return found | {name: np.where(nothing, 0.0, found[name]) for name in ("f1", "mean_pr")}


def _quality(given: Array, graded: Array, together: Array, apart: Array) -> Array:
    """Mean judgement of pairs in one cluster minus that of the others."""
    with np.errstate(invalid="ignore", divide="ignore"):
        inside, outside = ((graded @ those) / (given @ those) for those in (together, apart))
    difference: Array = inside - outside
    return difference


def best_set(estimate: Array, draws: Array) -> Array:
    """The smallest set that contains the best clustering with 95% confidence (Hsu 1984).

    Every clustering is compared with all others, by the largest of the differences divided by
    their standard errors; the critical value is the 95% quantile of this maximum in the draws.
    Clusterings that are significantly worse than any other are outside the set. The true best
    is outside only if its own comparison errs, so that one test per clustering suffices.

    Parameters
    ----------
    estimate : ndarray of shape (n_clusterings,)
    draws : ndarray of shape (n_clusterings, n_draws)
    """
    inside = np.zeros(len(estimate), dtype=bool)
    known = np.flatnonzero(~np.isnan(estimate))
    for row in known:
        others = known[known != row]
        ahead = estimate[others] - estimate[row]
        drawn = draws[others] - draws[row]
        std_error = drawn.std(axis=1, ddof=1)
        varies = std_error > _NONE
        if (ahead[~varies] > _NONE).any():
            continue
        if not varies.any():
            inside[row] = True
            continue
        scaled = (drawn[varies] - drawn[varies].mean(axis=1, keepdims=True)).T / std_error[varies]
        critical = np.quantile(scaled.max(axis=1), _CONF_LEVEL)
        inside[row] = (ahead[varies] / std_error[varies]).max() <= critical
    return inside


def _interval(value: Array, draws: Array) -> tuple[Array, Array]:
    """95% intervals between percentiles of the draws, which contain the estimate."""
    if not len(value):
        return value, value
    tail = (1 - _CONF_LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=1)
    return np.minimum(low, value), np.maximum(high, value)
