"""Scores of clusterings on judged pairs, and cross-validation of the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..annotation.agreement import percentile_interval
from ..errors import ImagestrataError, plural
from ..wording import arg, quote
from .pair_scores import (
    RATIOS,
    Sample,
    check_judged,
    design_weights,
    groups_of,
    number_together,
    population_of,
    score_sample,
    strata_of,
)

_N_DRAWS = 1000


@dataclass(frozen=True, eq=False)
class JudgedPairs:
    """Judged pairs as rows of a table of images, with weights, strata and folds.

    Attributes
    ----------
    a, b : ndarray of shape (n_pairs,)
        Rows of the two images.
    judgement : ndarray of shape (n_pairs,)
        From 0 to 2.
    weight : ndarray of shape (n_pairs,)
        Number of pairs that each pair represents.
    stratum : ndarray of shape (n_pairs,)
        A number for each stratum.
    group : ndarray of shape (n_pairs,)
        A number for each group of strata.
    fold : ndarray of shape (n_pairs,)
        From 0.
    same_from : float
        The lowest judgement that means that two images belong together.
    drop_residual : bool
        Whether pairs with an image of the residual do not count.
    graded : bool
        Whether there are judgements above 1, so that quality can be measured.
    n_missing : int
        Judged pairs that are left out because one of their images is missing.
    population : float, optional
        Number of all pairs that the pairs represent, if they are weighted and it is known.
    """

    a: NDArray[np.intp]
    b: NDArray[np.intp]
    judgement: NDArray[np.float64]
    weight: NDArray[np.float64]
    stratum: NDArray[np.intp]
    group: NDArray[np.intp]
    fold: NDArray[np.intp]
    same_from: float = 1.0
    drop_residual: bool = False
    graded: bool = False
    n_missing: int = 0
    population: float | None = None

    @classmethod
    def of(
        cls,
        pairs: Any,
        images: pd.DataFrame,
        *,
        folds: int,
        seed: int,
        weighted: bool,
        same_from: float,
        residual: str,
        missing: str = "error",
    ) -> JudgedPairs:
        """Check pairs, find their images, and divide them into folds."""
        pairs = check_judged(pairs)
        weight = design_weights(pairs) if weighted else np.ones(len(pairs))
        stratum = strata_of(pairs)
        ids = pd.Index(images["image_id"])
        a, b = (ids.get_indexer(pairs[name]) for name in ("image_a", "image_b"))
        judged = pairs["judgement"].notna().to_numpy()
        unknown = judged & ((a < 0) | (b < 0))
        if unknown.any() and missing == "error":
            raise ImagestrataError(
                f"{int(unknown.sum())} of {plural(int(judged.sum()), 'judged pair')} have an image "
                "without a vector, for example the pair "
                f"{quote(pairs.loc[unknown, 'pair_id'].iloc[0])}.",
                "Give the embeddings from which the pairs were drawn, or leave such pairs out with "
                f"{arg('missing', 'drop')}.",
            )
        counts = judged & ~unknown
        return cls(
            a=a[counts],
            b=b[counts],
            judgement=pairs.loc[counts, "judgement"].to_numpy(dtype=np.float64),
            weight=weight[counts],
            stratum=stratum[counts],
            group=groups_of(pairs)[counts],
            fold=deal_folds(pairs[counts], folds, same_from, seed),
            same_from=same_from,
            drop_residual=residual == "drop",
            graded=bool((pairs.loc[counts, "judgement"] > 1).any()),
            n_missing=int(unknown.sum()),
            population=population_of(pairs) if weighted and not unknown.any() else None,
        )

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that these judgements allow."""
        return (*RATIOS, "quality") if self.graded else RATIOS

    def sides(self, labels: NDArray[np.intp]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """For each pair, whether a clustering puts it together, and whether it counts."""
        a, b = labels[self.a], labels[self.b]
        counts = ((a >= 0) & (b >= 0)) | (not self.drop_residual)
        return (a == b) & (a >= 0), counts

    def known_together(self, labels: NDArray[np.intp]) -> int | None:
        """Number of pairs that a clustering puts together, if it has all images of the pairs."""
        return None if self.drop_residual else number_together(labels, self.population)

    def score(
        self,
        together: NDArray[np.bool_],
        counts: NDArray[np.bool_],
        n_draws: int = 0,
        seed: int = 0,
        n_together: int | None = None,
    ) -> dict[str, tuple[float, NDArray[np.float64]]]:
        """Estimate and draws of every measure; NaN if it is undefined.

        If no pair is put together, precision is undefined and recall is 0; f1 and
        mean_pr are then 0.
        """
        sample = Sample.of(
            together[counts],
            self.judgement[counts],
            self.weight[counts],
            self.stratum[counts],
            self.group[counts],
            n_together,
        )
        rng = np.random.default_rng([seed, 6])
        found = score_sample(sample, self.measures, self.same_from, n_draws, rng)
        if not together[counts].any() and found["recall"][0] == 0:
            found |= {name: (0.0, found[name][1]) for name in ("f1", "mean_pr")}
        return found

    def measure(
        self,
        together: NDArray[np.bool_],
        counts: NDArray[np.bool_],
        seed: int,
        n_together: int | None = None,
    ) -> pd.DataFrame:
        """Estimate, standard error and 95% interval of every measure, from all pairs that count.

        The draws are those of :func:`score_clustering` and are the same for every clustering.
        """
        scores = self.score(together, counts, _N_DRAWS, seed, n_together)
        rows = []
        for name, (estimate, draws) in scores.items():
            std_error = np.nan if np.isnan(estimate) else draws.std(ddof=1)
            rows.append((name, estimate, std_error, *percentile_interval(estimate, draws, 0.95)))
        columns = ["measure", "estimate", "std_error", "conf_low", "conf_high"]
        return pd.DataFrame(rows, columns=columns).assign(n_pairs=int(counts.sum()))


def deal_folds(judged: pd.DataFrame, folds: int, same_from: float, seed: int) -> NDArray[np.intp]:
    """A fold for each pair; every stratum and judgement is divided evenly."""
    sides = judged["judgement"] >= same_from
    for side, name in ((True, "together"), (False, "apart")):
        count = int((sides == side).sum())
        if count < folds:
            raise ImagestrataError(
                f"{count} of {plural(len(judged), 'pair')} were judged {name}: too few for "
                f"{plural(folds, 'fold')}.",
                f"Use fewer {arg('folds')}, or have more pairs judged.",
            )
    shuffled = np.random.default_rng([seed, 5]).permutation(len(judged))
    kind = judged["judgement"].astype(str)
    if "stratum" in judged:
        kind += judged["stratum"].astype(str)
    order = shuffled[np.argsort(kind.to_numpy(dtype=str)[shuffled], kind="stable")]
    fold = np.empty(len(judged), dtype=np.intp)
    fold[order] = np.arange(len(judged)) % folds
    return fold


def score_all(found: Sequence[NDArray[np.intp]], pairs: JudgedPairs, seed: int) -> pd.DataFrame:
    """Every measure of every candidate (from 1), on all pairs."""
    tables = [
        pairs.measure(*pairs.sides(labels), seed, pairs.known_together(labels)).assign(
            candidate=candidate
        )
        for candidate, labels in enumerate(found, 1)
    ]
    return pd.concat(tables, ignore_index=True)


def choose_on_folds(
    found: Sequence[NDArray[np.intp]],
    own: Sequence[int],
    pairs: JudgedPairs,
    measure: str,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose among ``own`` on the pairs outside of each fold; score the choice on the fold.

    Returns
    -------
    selection : DataFrame
        One row per fold: fold, candidate, training, heldout.
    heldout : DataFrame
        The measures of all held-out pairs together. For each pair the clustering
        counts that was chosen without it.
    """
    sides = [pairs.sides(found[row]) for row in own]
    chosen = np.zeros((2, len(pairs.a)), dtype=bool)
    rows = []
    for fold in range(pairs.fold.max() + 1):
        held = pairs.fold == fold
        training = [pairs.score(together, counts & ~held)[measure][0] for together, counts in sides]
        best = int(np.argmax(np.nan_to_num(training, nan=-np.inf)))
        together, counts = sides[best]
        chosen[:, held] = together[held], counts[held]
        on_fold = pairs.score(together, counts & held)[measure][0]
        rows.append((fold + 1, own[best] + 1, training[best], on_fold))
    selection = pd.DataFrame(rows, columns=["fold", "candidate", "training", "heldout"])
    return selection, pairs.measure(chosen[0], chosen[1], seed)
