"""Scores of a clustering by a machine's judgements of pairs, corrected by those of people.

A machine judges all drawn pairs, people a random part of those of each stratum. This is sampling in
two phases. The pairs of a stratum are divided by whether the clustering puts them together and by
what the machine says; how many there are of each kind is estimated from all drawn pairs, and how
often people put a pair of a kind together from the pairs that they judged (double sampling for
stratification, Neyman 1938; Cochran 1977, chapter 12). With two answers of the machine, this is the
difference estimator of :func:`imagestrata.label_shares` with one lambda per stratum, that of the
regression of people's judgements on the machine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..annotation.agreement import percentile_interval
from ..errors import ImagestrataError, plural
from ..sampling.pairs import clusters_by_image
from ..text.machines import PREFIX, by_machine
from ..wording import arg, quote, verb
from .pair_scores import (
    DRAWN_FOR_ONE,
    RATIOS,
    Array,
    Sample,
    check_judged,
    design_weights,
    groups_of,
    number_together,
    pair_ratios,
    pairs_together,
    population_of,
    score_by_pairs,
    strata_of,
)

METHODS = ("machine", "people", "corrected")
#: Answers of the machine; pairs without one are a kind of their own.
_APART, _TOGETHER, _NOTHING = range(3)
_KINDS = 3
#: Kinds of a stratum with fewer of people's pairs are not told from the most frequent kind.
_FEWEST = 2


def score_with_machine(
    clustering: Any,
    people: pd.DataFrame,
    machine: Any,
    *,
    measures: str | Sequence[str] | None,
    weighted: bool | None,
    residual: str,
    same_from: float,
    error_rate: float | str,
    missing: str,
    n_boot: int,
    conf_level: float,
    seed: int,
) -> pd.DataFrame:
    """The table of :func:`score_clustering` with judgements of a machine, from checked arguments.

    Three rows per measure: as if the machine were right, from people's pairs alone, and corrected.
    """
    asked = _check_measures(measures)
    if weighted is False:
        raise ImagestrataError(
            f"{arg('weighted', False)} describes the drawn pairs only, which a machine does not "
            "help to know.",
            f"Leave it out, or leave out {arg('machine')}.",
        )
    if isinstance(error_rate, str):
        raise ImagestrataError(
            f"{arg('error_rate', error_rate)} needs all judgements of people, and a machine is "
            "corrected by one for each pair.",
            f"Leave it out, or leave out {arg('machine')}.",
        )
    table = _joined(check_judged(people, "truth"), _check_machine(machine))
    settings: dict[str, Any] = {
        "measures": asked, "weighted": True, "residual": residual, "same_from": same_from,
        "missing": missing, "n_boot": n_boot, "conf_level": conf_level, "seed": seed,
    }  # fmt: skip
    together, with_residual, known = pairs_together(clustering, table, missing)
    counts = known & ~with_residual if residual == "drop" else known
    population = population_of(table)
    n_together = None
    if residual == "alone" and known.all():
        n_together = number_together(clusters_by_image(clustering).to_numpy(), population)
    drawn = Drawn.of(table, together, counts, same_from, n_together)
    rng = np.random.default_rng([seed, 2])
    found = corrected(drawn, error_rate, n_boot, rng)

    alone = {
        "machine": score_by_pairs(clustering, table, error_rate=0, **settings),
        "people": score_by_pairs(
            clustering,
            table.assign(judgement=table["people"]).dropna(subset="judgement"),
            error_rate=error_rate,
            **settings,
        ),
    }
    rows = []
    for measure in asked:
        for method, scores in alone.items():
            row = scores[scores["measure"] == measure].iloc[0]
            rows.append((measure, method, *row[["estimate", "conf_low", "conf_high"]]))
        estimate, draws = found[measure]
        limits = percentile_interval(estimate, draws, conf_level)
        rows.append((measure, "corrected", estimate, *limits))
    made = pd.DataFrame(rows, columns=["measure", "method", "estimate", "conf_low", "conf_high"])
    made.insert(1, "weighting", "design")
    return made.assign(
        n_pairs=int(np.isfinite(drawn.people).sum()),
        n_predicted=int((drawn.machine != _NOTHING).sum()),
        n_residual=int(with_residual.sum()),
        n_missing=int((~known).sum()),
    )


def _check_measures(measures: str | Sequence[str] | None) -> list[str]:
    given = [*RATIOS] if measures is None else [measures] if isinstance(measures, str) else measures
    for one in given:
        if one not in RATIOS:
            raise ImagestrataError(
                f"{arg('measures', one)} cannot be corrected with {arg('machine')}.",
                f"Choose from {', '.join(RATIOS)}.",
            )
    return [*dict.fromkeys(given)]


def _check_machine(machine: Any) -> pd.DataFrame:
    """The judgements of a machine: one per pair, of all drawn pairs."""
    if isinstance(machine, pd.DataFrame) and not by_machine(machine).all():
        raise ImagestrataError(
            f"{arg('machine')} must be judgements of a model, whose {quote('annotator')} begins "
            f"with {quote(PREFIX)}.",
            f"Give what {verb('judge_pairs')} returned, and judgements of people as "
            f"{arg('truth')}.",
        )
    if isinstance(machine, pd.DataFrame):
        machine = machine.drop(columns="annotator")
    table = check_judged(machine, "machine").reset_index(drop=True)
    if "probability" not in table:
        raise ImagestrataError(
            f"The pairs in {arg('machine')} have no column 'probability'.",
            f"Have the model judge the result of {verb('sample_pairs')}, with all its columns.",
        )
    # Sizes of the strata, also for the part of the pairs that people judged.
    drawn = table.assign(judgement=0.0)
    strata = strata_of(table)
    sizes = np.bincount(strata, design_weights(drawn))
    return table.assign(N_h=sizes[strata])


def _joined(people: pd.DataFrame, machine: pd.DataFrame) -> pd.DataFrame:
    """The machine's pairs, with people's judgements in the column ``people``."""
    people = people.dropna(subset="judgement")
    if people.empty:
        raise ImagestrataError(f"{arg('truth')} contains no judgements.")
    place = pd.Index(machine["pair_id"]).get_indexer(people["pair_id"])
    images = ["image_a", "image_b"]
    same = place >= 0
    mine = np.sort(people[images].to_numpy(dtype=str), axis=1)
    same[same] = (mine[same] == np.sort(machine[images].to_numpy(dtype=str)[place[same]])).all(1)
    if not same.all():
        raise ImagestrataError(
            f"{int((~same).sum())} of {plural(len(people), 'pair')} that people judged are not "
            f"among those in {arg('machine')}, {quote(people['pair_id'][~same].iloc[0])} for one.",
            "Have the model judge all drawn pairs, and people some of these.",
        )
    judged = np.full(len(machine), np.nan)
    judged[place] = people["judgement"].to_numpy()
    return machine.assign(people=judged)


@dataclass(frozen=True, eq=False)
class Drawn:
    """The drawn pairs that count; arrays with a place per pair.

    Attributes
    ----------
    together : array of bool
        Whether the clustering puts the pair together.
    machine : array of int
        The machine's answer.
    people : array of float
        Whether people put the pair together: 1, 0, or NaN if they did not judge it.
    stratum, group : array of int
        As of :func:`strata_of` and :func:`groups_of`.
    weight : array of float
        Number of pairs that the pair represents.
    n_together : int or None
        How many pairs of all strata are together, if it is known.
    """

    together: Array
    machine: Array
    people: Array
    stratum: Array
    group: Array
    weight: Array
    n_together: int | None

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        together: Array,
        counts: Array,
        same_from: float,
        n_together: int | None,
    ) -> Drawn:
        """The pairs of a table that count."""
        said, people = (table[name].to_numpy(dtype=float) for name in ("judgement", "people"))
        machine = np.where(np.isnan(said), _NOTHING, np.where(said >= same_from, 1, 0))
        judged = np.where(np.isnan(people), np.nan, people >= same_from)
        weight = design_weights(table.assign(judgement=0.0))
        group = np.unique(groups_of(table)[counts], return_inverse=True)[1]
        _check_judged_in_each(table[counts], group, judged[counts])
        return cls(
            together[counts].astype(bool), machine[counts], judged[counts],
            strata_of(table)[counts], group, weight[counts], n_together,
        )  # fmt: skip

    def kinds(self) -> Array:
        """The kind of each pair: group, side and answer. Rare kinds are joined with others."""
        side = self.group * 2 + self.together
        kind = side * _KINDS + self.machine
        judged = np.isfinite(self.people)
        n = np.bincount(kind, judged, (side.max() + 1) * _KINDS)
        joined = np.arange(len(n))
        for one in np.unique(side):
            those = one * _KINDS + np.arange(_KINDS)
            most = those[np.argmax(n[those])]
            joined[those[n[those] < _FEWEST]] = most
        # A side of a group without people's pairs is like the same side of the largest group.
        n = np.bincount(joined[kind], judged, len(n))
        for one in np.unique(joined[kind]):
            if n[one] == 0:
                same_side = np.arange(len(n)) // _KINDS % 2 == one // _KINDS % 2
                joined[joined == one] = np.argmax(np.where(same_side, n, -1))
        kinds: Array = joined[kind]
        return kinds


def _check_judged_in_each(table: pd.DataFrame, group: Array, people: Array) -> None:
    """Raise an error for strata without people's judgements, about which nothing is known."""
    n = np.bincount(group, np.isfinite(people))
    if (n == 0).any():
        first = table.iloc[int(np.flatnonzero(group == np.argmin(n))[0])]
        named = quote(first["stratum"]) if "stratum" in table else "one"
        strata = plural(len(n), "stratum", "strata")
        raise ImagestrataError(
            f"People judged no pair of {int((n == 0).sum())} of {strata}, {named} for one. Nobody "
            "knows how often the model is wrong there.",
            "Have people judge a random part of the pairs of each stratum, such as the first 150 "
            f"rows of the result of {verb('sample_pairs')}, or more.",
        )


def corrected(
    drawn: Drawn, error_rate: float, n_boot: int, rng: np.random.Generator
) -> dict[str, tuple[float, Array]]:
    """Corrected estimate and draws of precision, recall, f1 and mean_pr."""
    kind = drawn.kinds()
    codes, first, kind = np.unique(kind, return_index=True, return_inverse=True)
    inside = drawn.together[first]
    size = np.bincount(kind, drawn.weight, len(codes))
    sizes = _draw_sizes(drawn, kind, inside, n_boot, rng)
    share, shares = _people_shares(drawn, kind, inside, n_boot, rng)
    estimates = _ratios(drawn, inside, size, share, error_rate)
    draws = _ratios(drawn, inside, sizes, shares, error_rate)
    return {measure: (float(estimates[measure]), draws[measure]) for measure in RATIOS}


def _ratios(
    drawn: Drawn, inside: Array, sizes: Array, shares: Array, error_rate: float
) -> dict[str, Array]:
    """The measures, from sizes of kinds and shares of them that people put together (last axis)."""
    same = sizes * shares
    with np.errstate(invalid="ignore", divide="ignore"):
        n_together, n_apart = sizes[..., inside].sum(axis=-1), sizes[..., ~inside].sum(axis=-1)
        precision = same[..., inside].sum(axis=-1) / n_together
        missed = same[..., ~inside].sum(axis=-1) / n_apart
    if drawn.n_together is not None and inside.any():
        n_apart = n_together + n_apart - drawn.n_together
        n_together = np.full_like(n_apart, drawn.n_together)
    precision, missed = (
        np.clip((one - error_rate) / (1 - 2 * error_rate), 0, 1) for one in (precision, missed)
    )
    precision = np.where(n_together > 0, precision, 0)
    missed = np.where(n_apart > 0, missed, 0)
    return pair_ratios(n_together * precision, n_together * (1 - precision), n_apart * missed)


def _draw_sizes(
    drawn: Drawn, kind: Array, inside: Array, n_boot: int, rng: np.random.Generator
) -> Array:
    """Draws of how many pairs there are of each kind, shape (n_boot, n_kinds).

    Kinds of a group are drawn from a Dirichlet distribution with the effective number of its pairs
    (Kish 1965), and are nearer to their estimates the larger the part of all pairs is that was
    drawn. If it is known how many pairs are together, the draws are conditioned on it.
    """
    n_kinds = len(inside)
    sides = np.unique(np.stack([drawn.group, drawn.together]), axis=1).shape[1]
    varies = drawn.n_together is not None and sides > len(np.unique(drawn.group))
    n_draws = n_boot * (DRAWN_FOR_ONE if varies else 1)
    sizes = np.zeros((n_draws, n_kinds))
    for group in np.unique(drawn.group):
        those = drawn.group == group
        weight = drawn.weight[those]
        total = weight.sum()
        size = np.bincount(kind[those], weight, n_kinds)
        effective = total**2 / (weight**2).sum()
        draws = rng.gamma(size / total * effective, size=(n_draws, n_kinds))
        draws *= total / draws.sum(axis=1, keepdims=True)
        sizes += size + np.sqrt(max(1 - len(weight) / total, 0)) * (draws - size)
    if not varies:
        return sizes
    distance = np.abs(sizes[:, inside].sum(axis=1) - drawn.n_together)
    nearest: Array = sizes[np.argsort(distance, kind="stable")[:n_boot]]
    return nearest


def _people_shares(
    drawn: Drawn, kind: Array, inside: Array, n_boot: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Share of each kind that people put together, and its draws from posteriors.

    The prior of a kind is one pair with the share of all kinds on its side of its group. Half a
    pair of each answer is added to the kind on either side whose pairs weigh most, as in the scores
    by people alone.
    """
    share, number, each = _shares_by(drawn, kind)
    side = drawn.group * 2 + drawn.together
    sides, side = np.unique(side, return_inverse=True)
    first = np.unique(kind, return_index=True)[1]
    pooled = np.nan_to_num(_shares_by(drawn, side)[0])[side[first]]
    alone = (np.bincount(side[first], minlength=len(sides)) == 1)[side[first]]
    prior = np.where(alone & (number > 0), 0.0, 1.0)
    pooled = np.where(number > 0, pooled, 0.5)
    yes, no = share * number + prior * pooled, (1 - share) * number + prior * (1 - pooled)
    for one in (True, False):
        on_side = (inside == one) & (number > 0)
        if on_side.any():
            heaviest = np.argmax(np.where(on_side, each, -1.0))
            yes[heaviest] += 0.5
            no[heaviest] += 0.5
    draws = rng.beta(np.where(yes > 0, yes, 1), np.where(no > 0, no, 1), (n_boot, len(yes)))
    return share, np.where(yes > 0, np.where(no > 0, draws, 1.0), 0.0)


def _shares_by(drawn: Drawn, part: Array) -> tuple[Array, Array, Array]:
    """Share of each part that people put together, effective number of pairs, and their weight.

    People's pairs represent those of their stratum in the same part.
    """
    judged = np.isfinite(drawn.people)
    cell = np.unique(np.stack([drawn.stratum, part]), axis=1, return_inverse=True)[1].ravel()
    size = np.bincount(cell, drawn.weight)
    weight = (size / np.maximum(np.bincount(cell, judged), 1))[cell[judged]]
    n_parts = int(part.max()) + 1
    share, number, each = np.full((3, n_parts), np.nan)
    sample = Sample.of(
        np.zeros(int(judged.sum()), dtype=bool), drawn.people[judged], weight,
        cell[judged], part[judged],
    )  # fmt: skip
    there = np.unique(part[judged])
    same = sample.cells[:, 0, sample.levels == 1].sum(axis=1)
    share[there], number[there] = sample.shares(same, sample.numbers)
    each[there] = sample.group_weights
    return np.nan_to_num(share), np.nan_to_num(number), np.nan_to_num(each)
