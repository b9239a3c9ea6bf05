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
class PairedDraws:
    """Draws of the pairs that clusterings put together or apart, the same for all of them.

    In each draw, each judged pair has a weight from the exponential distribution (the Bayesian
    bootstrap of Rubin 1981), and the weights of a stratum sum to its number of pairs.

    Attributes
    ----------
    sums : ndarray of shape (n_clusterings, 4, n_draws)
        Weights of pairs that are together and the same, together and not, apart and the same,
        apart and not.
    grades : ndarray of shape (n_clusterings, 2, n_draws)
        Weighted sums of the judgements of pairs together and apart.
    known : ndarray of shape (n_clusterings,)
        Number of the pairs together, NaN if unknown.
    population : float
        Number of all pairs.
    half : ndarray of shape (4, n_draws, n_groups)
        Half a pair of each group (Jeffreys' prior), for pairs that one of two clusterings puts
        together: only the first and the same, only the first and not, and those of the second.
    group, heaviness : ndarray of shape (n_pairs,) and (n_groups,)
        The group of each pair, and the weight of a pair of each group.
    level : ndarray of shape (2,)
        Mean judgement of pairs that are the same and of the others.
    measures : tuple of str
    """

    sums: Array
    grades: Array
    known: Array
    population: float
    half: Array
    group: Array
    heaviness: Array
    level: Array
    measures: tuple[str, ...]

    @classmethod
    def of(
        cls,
        found: Sequence[NDArray[np.intp]],
        pairs: JudgedPairs,
        seed: int,
        n_draws: int = _N_DRAWS,
    ) -> PairedDraws:
        """Draw weights of pairs, and sum them for each clustering.

        As in :func:`score_clustering`, half a pair of each kind is added once among the pairs
        that are together, and once among the others, where a pair has the largest weight.
        """
        rng = np.random.default_rng([seed, 8])
        _, group = np.unique(pairs.group, return_inverse=True)
        sizes, numbers = np.bincount(group, pairs.weight), np.bincount(group)
        given = rng.standard_exponential((n_draws, len(group))) * pairs.weight
        totals = np.stack([given[:, group == one].sum(axis=1) for one in range(len(sizes))], 1)
        scale = sizes / totals
        given *= scale[:, group]
        half = rng.gamma(_PRIOR, size=(8, n_draws, len(sizes))) * scale * sizes / numbers
        same = pairs.judgement >= pairs.same_from
        level = np.array(
            [pairs.judgement[those].mean() if those.any() else 0.0 for those in (same, ~same)]
        )
        by_kind, graded = (given * same, given * ~same), given * pairs.judgement
        heaviness = sizes / numbers
        sums, grades, known = [], [], []
        for labels in found:
            together, counts = pairs.sides(labels)
            kinds, sides = [], []
            for side, those in enumerate((counts & together, counts & ~together)):
                added = np.zeros((2, n_draws))
                if those.any():
                    added = half[2 * side : 2 * side + 2, :, _heaviest(group, heaviness, those)]
                kinds += [one @ those + more for one, more in zip(by_kind, added, strict=True)]
                sides.append(graded @ those + level @ added)
            sums.append(kinds)
            grades.append(sides)
            number = pairs.known_together(labels) if (counts & together).any() else None
            known.append(np.nan if number is None else number)
        return cls(
            np.array(sums), np.array(grades), np.array(known, dtype=float), float(sizes.sum()),
            half[4:], group, heaviness, level, pairs.measures,
        )  # fmt: skip

    def measure(self, rows: Array, added: Array | None = None) -> dict[str, Array]:
        """Draws of every measure, shape (n_rows, n_draws); NaN where it is undefined.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Rows of clusterings.
        added : ndarray of shape (4, n_rows, n_draws), optional
            Weights that are added to ``sums``.
        """
        sums = np.moveaxis(self.sums[rows], 1, 0)
        grades = np.moveaxis(self.grades[rows], 1, 0)
        if added is not None:
            sums = sums + added
            grades = grades + np.stack(
                [np.tensordot(self.level, added[kinds], 1) for kinds in (slice(2), slice(2, 4))]
            )
        hits, false, missed, right = sums
        together, apart = hits + false, missed + right
        with np.errstate(invalid="ignore", divide="ignore"):
            quality = grades[0] / together - grades[1] / apart
            precision, rate = np.nan_to_num(hits / together), np.nan_to_num(missed / apart)
        known = self.known[rows][:, np.newaxis]
        of_known = ~np.isnan(known)
        hits = np.where(of_known, known * precision, hits)
        false = np.where(of_known, known * (1 - precision), false)
        missed = np.where(of_known, (self.population - known) * rate, missed)
        found = pair_ratios(hits, false, missed)
        nothing = (hits + false == 0) & (found["recall"] == 0)
        found |= {name: np.where(nothing, 0.0, found[name]) for name in ("f1", "mean_pr")}
        found["quality"] = quality
        return {name: found[name] for name in self.measures}

    def less(self, row: int, others: Array, differ: Array) -> dict[str, Array]:
        """Draws of the measures of others less those of one, shape (n_others, n_draws).

        Few pairs decide between similar clusterings. Half a pair of each kind is therefore added
        to those on which the two differ, in the group among these in which a pair has the
        largest weight.

        Parameters
        ----------
        row : int
        others : ndarray of shape (n_others,)
        differ : ndarray of shape (n_others, n_pairs)
            Whether exactly one of the two puts a pair together.
        """
        heavy = [_heaviest(self.group, self.heaviness, those) for those in differ]
        half = np.moveaxis(self.half[:, :, heavy], 2, 1)
        # Only the later clustering, or only the earlier one: the same numbers in either direction.
        first = np.where((others > row)[:, np.newaxis], half, half[[2, 3, 0, 1]])
        one = self.measure(np.full(len(others), row), first)
        other = self.measure(others, first[[2, 3, 0, 1]])
        return {name: other[name] - one[name] for name in self.measures}


def _heaviest(group: Array, heaviness: Array, those: Array) -> int:
    """The group with the heaviest pairs among those in which there are pairs, or among all."""
    present = np.unique(group[those] if those.any() else group)
    return int(present[np.argmax(heaviness[present])])


@dataclass(frozen=True, eq=False)
class Compared:
    """Clusterings that were scored on the same pairs.

    Attributes
    ----------
    differences : DataFrame
        One row per pair of different clusterings and measure: candidate_a, candidate_b, measure,
        estimate (a minus b), std_error, conf_low, conf_high and n_differ.
    may_be_best : DataFrame
        candidate, measure and may_be_best.
    """

    differences: pd.DataFrame
    may_be_best: pd.DataFrame

    @classmethod
    def of(
        cls,
        found: Sequence[NDArray[np.intp]],
        same_as: Sequence[int],
        own: Sequence[int],
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
        own : sequence of int
            Rows of the clusterings among which the best is chosen; the others are baselines.
        pairs : JudgedPairs
        scores : DataFrame
            candidate (from 1), measure and estimate.
        seed : int
        """
        # Clusterings of which none has the same clusters as an earlier one.
        first, place = np.unique(np.array(same_as) - 1, return_inverse=True)
        different = [found[row] for row in first]
        drawn = PairedDraws.of(different, pairs, seed)
        wide = scores.pivot(index="candidate", columns="measure", values="estimate")
        estimates = {name: wide.loc[first + 1, name].to_numpy(float) for name in pairs.measures}
        sides = [pairs.sides(labels) for labels in different]
        together = np.array([one for one, _ in sides])
        states = np.array([np.where(counts, one, 2) for one, counts in sides])
        is_own = np.isin(np.arange(len(first)), place[list(own)])
        inside = {name: np.zeros(len(first), dtype=bool) for name in pairs.measures}
        tables = []
        for row in range(len(first)):
            others = np.delete(np.arange(len(first)), row)
            less = drawn.less(row, others, together[others] != together[row])
            later = others > row
            for name, estimate in estimates.items():
                if is_own[row] and not np.isnan(estimate[row]):
                    rivals = is_own[others] & ~np.isnan(estimate[others])
                    ahead = estimate[others[rivals]] - estimate[row]
                    inside[name][row] = among_best(ahead, less[name][rivals])
                value = estimate[row] - estimate[others[later]]
                table = _table(value, -less[name][later])
                table.insert(0, "measure", name)
                table.insert(0, "candidate_b", first[others[later]] + 1)
                table.insert(0, "candidate_a", first[row] + 1)
                tables.append(
                    table.assign(n_differ=(states[others[later]] != states[row]).sum(axis=1))
                )
        order = ["candidate_a", "candidate_b"]
        differences = pd.concat(tables, ignore_index=True).sort_values(order, kind="stable")
        chosen = [
            pd.DataFrame(
                {
                    "candidate": np.arange(1, len(found) + 1),
                    "measure": name,
                    "may_be_best": inside[name][place] & np.isin(np.arange(len(found)), own),
                }
            )
            for name in pairs.measures
        ]
        return cls(differences.reset_index(drop=True), pd.concat(chosen, ignore_index=True))


def among_best(ahead: Array, draws: Array) -> bool:
    """Whether a clustering is in the set that contains the best one with 95% confidence.

    It is compared with all others, by the largest of the differences divided by their standard
    errors (Hsu 1984); the critical value is the 95% quantile of this maximum in the draws. The
    true best is outside the set only if its own comparison errs, so that one test per
    clustering suffices.

    Parameters
    ----------
    ahead : ndarray of shape (n_others,)
        Estimates of the others less its own.
    draws : ndarray of shape (n_others, n_draws)
        Draws of these differences.
    """
    if not len(ahead):
        return True
    std_error = draws.std(axis=1, ddof=1)
    varies = std_error > _NONE
    if (ahead[~varies] > _NONE).any():
        return False
    if not varies.any():
        return True
    std_error, draws = std_error[varies], draws[varies]
    scaled = (draws - draws.mean(axis=1, keepdims=True)) / std_error[:, np.newaxis]
    critical = np.quantile(scaled.max(axis=0), _CONF_LEVEL)
    return bool((ahead[varies] / std_error).max() <= critical)


def _table(value: Array, draws: Array) -> pd.DataFrame:
    """Estimates, standard errors, and 95% intervals between percentiles of the draws."""
    std_error, low, high = np.full((3, len(value)), np.nan)
    known = ~np.isnan(value)
    if known.any():
        tail = (1 - _CONF_LEVEL) / 2
        std_error[known] = draws[known].std(axis=1, ddof=1)
        ends = np.quantile(draws[known], [tail, 1 - tail], axis=1)
        # An estimate at its bound can be outside the percentiles.
        low[known] = np.minimum(ends[0], value[known])
        high[known] = np.maximum(ends[1], value[known])
    return pd.DataFrame(
        {"estimate": value, "std_error": std_error, "conf_low": low, "conf_high": high}
    )
