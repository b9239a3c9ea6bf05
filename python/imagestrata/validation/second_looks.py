"""Pairs that several annotators judged: which answers are right, and how often people err."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..annotation.agreement import check_judgements
from ..errors import ImagestrataError
from ..validate import check_float
from ..wording import arg, quote, verb

Array: TypeAlias = np.ndarray[Any, Any]

#: Value of ``error_rate`` with which errors are estimated from repeated judgements.
ESTIMATE = "estimate"
#: Prior of both error rates, a beta distribution: a mean of 5% with the weight of ten judgements.
_ERRORS, _RIGHT = 0.5, 9.5
#: Errors are rarer than right answers, without which rates and answers could change places.
_HIGHEST = 0.499
#: Half a pair of each kind is added where a pair weighs most (see ``_draw_shares``), and elsewhere
#: so much of one that no share is stuck at 0.
_PRIOR, _PRIOR_ELSEWHERE = 0.5, 0.05
#: How often all unknowns are drawn in turn.
_SWEEPS = 60


@dataclass(frozen=True, eq=False)
class Looks:
    """Numbers of pairs by place and by their judgements.

    Attributes
    ----------
    place : ndarray of shape (n_kinds, 2)
        Number of the stratum; 0 if the pairs are apart, 1 if they are together.
    judged, same : ndarray of shape (n_kinds,)
        Number of judgements of each pair, and of those that put it together.
    count : ndarray of shape (n_kinds,)
        Number of pairs.
    """

    place: Array
    judged: Array
    same: Array
    count: Array

    @classmethod
    def of(cls, stratum: Array, together: Array, judged: Array, same: Array) -> tuple[Looks, Array]:
        """Count pairs, given as four columns; also the kind of each pair."""
        columns = np.stack([stratum, together, judged, same]).astype(np.int64)
        kinds, kind, count = np.unique(columns, axis=1, return_inverse=True, return_counts=True)
        return cls(kinds[:2].T, kinds[2], kinds[3], count), kind.ravel()


@dataclass(frozen=True, eq=False)
class Truth:
    """Draws of what repeated judgements leave unknown.

    Attributes
    ----------
    same : ndarray of shape (n_draws, n_strata, 2)
        Numbers of pairs that belong together: stratum; apart or together in the clustering.
    probability : ndarray of shape (n_kinds,)
        Mean probability that a pair of each kind belongs together.
    wrong_together : ndarray of shape (n_draws,)
        Share of the judgements "together" among those of pairs that do not belong together.
    wrong_apart : ndarray of shape (n_draws,)
        Share of the judgements "apart" among those of pairs that belong together.
    """

    same: Array
    probability: Array
    wrong_together: Array
    wrong_apart: Array


def check_error_rate(value: Any) -> float | str:
    """Check a share below one half, or :data:`ESTIMATE`."""
    if isinstance(value, str):
        if value != ESTIMATE:
            raise ImagestrataError(
                f"{arg('error_rate')} must be a number or {quote(ESTIMATE)}, not {quote(value)}."
            )
        return value
    return check_float("error_rate", value, minimum=0, maximum=_HIGHEST)


def refuse_single(judged: Array) -> None:
    """Refuse pairs that have at most one judgement each, from which no error can be seen."""
    if judged.max(initial=0) < 2:
        raise ImagestrataError(
            f"{arg('error_rate', ESTIMATE)} needs pairs that several annotators judged; there is "
            "none.",
            f"Draw pairs for a second look with {verb('next_pairs')} and {arg('again', True)}, "
            "have others judge them, and give the judgements of all in one table.",
        )


def draw_truth(
    looks: Looks, groups: Array, weights: Array, n_draws: int, rng: np.random.Generator
) -> Truth:
    """Draw from the posterior of a latent class model (Dawid and Skene 1979; Hui and Walter 1980).

    Whether a pair belongs together is unknown; its probability is that of its group. Given
    this, judgements are independent, and wrong with one of two rates. Gibbs sampling: pairs given
    shares and rates, shares given pairs, rates given pairs. Each draw is the end of a chain of its
    own.

    Parameters
    ----------
    looks : Looks
    groups : ndarray of shape (n_strata,)
        Number of the group of each stratum.
    weights : ndarray of shape (n_groups,)
        Number of pairs that a pair of each group represents.
    n_draws, rng
        Number of draws and generator of random numbers.
    """
    n_groups, n_strata = len(weights), len(groups)
    stratum, side = looks.place.T
    # Shares differ by group and by side of the clustering.
    share_of = groups[stratum] * 2 + side
    to_share = np.eye(2 * n_groups)[share_of]
    number = looks.count @ to_share
    prior = np.full(2 * n_groups, _PRIOR_ELSEWHERE)
    for one in (0, 1):
        heaviest = np.argmax(np.where(number[one::2] > 0, weights, -1.0))
        prior[2 * heaviest + one] = _PRIOR
    apart = looks.judged - looks.same
    said_same = (looks.count * (looks.same > apart)) @ to_share
    share = np.broadcast_to((said_same + 0.5) / (number + 1), (n_draws, 2 * n_groups))
    start = _ERRORS / (_ERRORS + _RIGHT)
    wrong_together = wrong_apart = np.full((n_draws, 1), start)
    n_judged, tiny = looks.count * looks.judged, 1e-9
    for _ in range(_SWEEPS):
        share = np.clip(share, tiny, 1 - tiny)[:, share_of]
        odds = np.log(share / (1 - share))
        odds = odds + looks.same * np.log((1 - wrong_apart) / wrong_together)
        odds = odds + apart * np.log(wrong_apart / (1 - wrong_together))
        probability = 1 / (1 + np.exp(-odds))
        same = rng.binomial(looks.count, probability)
        yes = same @ to_share
        share = rng.beta(yes + prior, number - yes + prior)
        errors, all_of_same = same @ apart, same @ looks.judged
        wrong_apart = rng.beta(_ERRORS + errors, _RIGHT + all_of_same - errors)
        errors, others = (looks.count - same) @ looks.same, n_judged.sum() - all_of_same
        wrong_together = rng.beta(_ERRORS + errors, _RIGHT + others - errors)
        wrong_apart, wrong_together = (
            np.clip(rate, tiny, _HIGHEST)[:, np.newaxis] for rate in (wrong_apart, wrong_together)
        )
    drawn = same @ np.eye(2 * n_strata)[stratum * 2 + side]
    return Truth(
        drawn.reshape(n_draws, n_strata, 2),
        probability.mean(axis=0),
        wrong_together[:, 0],
        wrong_apart[:, 0],
    )


def one_row_each(pairs: pd.DataFrame, same_from: float) -> tuple[pd.DataFrame, Array, Array]:
    """The pairs without repetition, their numbers of judgements, and of those with "together".

    ``judgement`` becomes the mean of a pair's judgements, NaN if there is none.
    """
    if pairs["pair_id"].duplicated().any():
        check_judgements(pairs)
    known = pairs["judgement"].notna()
    same = known & (pairs["judgement"] >= same_from)
    by_pair = pd.DataFrame({"known": known, "same": same, "judgement": pairs["judgement"]}).groupby(
        pairs["pair_id"], sort=False
    )
    sums = by_pair[["known", "same"]].sum()
    first = pairs.drop_duplicates("pair_id").reset_index(drop=True)
    first["judgement"] = by_pair["judgement"].mean().to_numpy()
    return first, sums["known"].to_numpy(dtype=np.int64), sums["same"].to_numpy(dtype=np.int64)
