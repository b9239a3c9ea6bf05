"""Clusterings scored on folds of judged pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural
from ..wording import quote
from .pair_scores import QUALITY_PAIRS, RATIOS, check_judged, design_weights, pair_ratios


@dataclass(frozen=True, eq=False)
class JudgedPairs:
    """Judged pairs as rows of a table of images, with what scoring needs.

    Attributes
    ----------
    a, b : ndarray of shape (n_pairs,)
        Rows of the two images.
    judgement : ndarray of shape (n_pairs,)
        From 0 to 2.
    weight : ndarray of shape (n_pairs,)
        Pairs that each stands for.
    fold : ndarray of shape (n_pairs,)
        From 0.
    same_from : float
        The least judgement that says that two images belong together.
    leave_out : bool
        Whether pairs with an image of the residual do not count.
    graded : bool
        Whether there are judgements above 1, so that quality can be measured.
    """

    a: NDArray[np.intp]
    b: NDArray[np.intp]
    judgement: NDArray[np.float64]
    weight: NDArray[np.float64]
    fold: NDArray[np.intp]
    same_from: float = 1.0
    leave_out: bool = False
    graded: bool = False

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
    ) -> JudgedPairs:
        """Check pairs, find their images, and deal them into folds."""
        pairs = check_judged(pairs)
        weight = design_weights(pairs) if weighted else np.ones(len(pairs))
        judged = pairs["judgement"].notna().to_numpy()
        pairs, weight = pairs[judged], weight[judged]
        ids = pd.Index(images["image_id"])
        a, b = (ids.get_indexer(pairs[name]) for name in ("image_a", "image_b"))
        unknown = (a < 0) | (b < 0)
        if unknown.any():
            raise ImagestrataError(
                f"{int(unknown.sum())} of {plural(len(pairs), 'pair')} have an image without a "
                f"vector, the pair {quote(pairs.loc[unknown, 'pair_id'].iloc[0])} for one.",
                "Give the embeddings from which the pairs were drawn.",
            )
        return cls(
            a=a,
            b=b,
            judgement=pairs["judgement"].to_numpy(dtype=np.float64),
            weight=weight,
            fold=deal_folds(pairs, folds, same_from, seed),
            same_from=same_from,
            leave_out=residual == "leave_out",
            graded=bool((pairs["judgement"] > 1).any()),
        )

    @property
    def measures(self) -> tuple[str, ...]:
        """What can be measured with these judgements."""
        return (*RATIOS, "quality") if self.graded else RATIOS

    def score(self, labels: NDArray[np.intp], chosen: NDArray[np.bool_]) -> dict[str, float]:
        """The measures of a clustering on some of the pairs; NaN where undefined.

        Where no pair is put together there is no precision, but nothing is found
        either: f1 and mean_pr are 0.
        """
        a, b = labels[self.a[chosen]], labels[self.b[chosen]]
        judgement, weight = self.judgement[chosen], self.weight[chosen]
        if self.leave_out:
            weight = weight * ((a >= 0) & (b >= 0))
        together = weight * ((a == b) & (a >= 0))
        same = judgement >= self.same_from
        hits = together @ same
        ratios = pair_ratios(hits, together.sum() - hits, weight @ same - hits)
        values = {name: float(value) for name, value in ratios.items()}
        if not together.any() and values["recall"] == 0:
            values |= {"f1": 0.0, "mean_pr": 0.0}
        if self.graded:
            apart = weight - together
            values["quality"] = _mean(judgement, together) - _mean(judgement, apart)
        return values

    def enough_for_quality(self, labels: NDArray[np.intp]) -> bool:
        """Whether enough pairs lie in one cluster, and enough in two."""
        a, b = labels[self.a], labels[self.b]
        together = (a == b) & (a >= 0)
        counts = ((a >= 0) & (b >= 0)) | (not self.leave_out)
        return min(int(together.sum()), int((counts & ~together).sum())) >= QUALITY_PAIRS


def deal_folds(judged: pd.DataFrame, folds: int, same_from: float, seed: int) -> NDArray[np.intp]:
    """A fold for each pair; every stratum and judgement is dealt evenly."""
    sides = judged["judgement"] >= same_from
    for side, name in ((True, "together"), (False, "apart")):
        count = int((sides == side).sum())
        if count < folds:
            raise ImagestrataError(
                f"{count} of {plural(len(judged), 'pair')} were judged {name}: too few for "
                f"{plural(folds, 'fold')}.",
                "Use fewer folds, or have more pairs judged.",
            )
    shuffled = np.random.default_rng([seed, 5]).permutation(len(judged))
    kind = judged["judgement"].astype(str)
    if "stratum" in judged:
        kind += judged["stratum"].astype(str)
    order = shuffled[np.argsort(kind.to_numpy(dtype=str)[shuffled], kind="stable")]
    fold = np.empty(len(judged), dtype=np.intp)
    fold[order] = np.arange(len(judged)) % folds
    return fold


def score_folds(found: Sequence[NDArray[np.intp]], pairs: JudgedPairs) -> pd.DataFrame:
    """Every measure of every candidate (from 1) on every fold (from 1)."""
    rows = []
    for candidate, labels in enumerate(found, 1):
        unknown = set() if pairs.enough_for_quality(labels) else {"quality"}
        for fold in range(pairs.fold.max() + 1):
            for measure, value in pairs.score(labels, pairs.fold == fold).items():
                known = np.nan if measure in unknown else value
                rows.append((candidate, measure, fold + 1, known))
    table = pd.DataFrame(rows, columns=["candidate", "measure", "fold", "estimate"])
    return table.sort_values(["candidate", "measure", "fold"], ignore_index=True)


def summarise(by_fold: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard error and 95% interval over the folds, cut where the measure ends."""
    from scipy.stats import t

    groups = by_fold.groupby(["candidate", "measure"], sort=False)["estimate"]
    spread = groups.agg(["mean", "std", "count"]).reset_index()
    std_error = spread["std"] / np.sqrt(spread["count"])
    half = std_error * t.ppf(0.975, np.maximum(spread["count"] - 1, 1))
    quality = spread["measure"] == "quality"
    lowest, highest = np.where(quality, -2, 0), np.where(quality, 2, 1)
    return spread[["candidate", "measure"]].assign(
        estimate=spread["mean"],
        std_error=std_error,
        conf_low=(spread["mean"] - half).clip(lower=lowest),
        conf_high=(spread["mean"] + half).clip(upper=highest),
    )


def choose_on_folds(
    found: Sequence[NDArray[np.intp]], own: Sequence[int], pairs: JudgedPairs, measure: str
) -> pd.DataFrame:
    """Choose among ``own`` on the pairs outside of each fold; see what that holds on the fold."""
    rows = []
    for fold in range(pairs.fold.max() + 1):
        held = pairs.fold == fold
        training = [pairs.score(found[row], ~held)[measure] for row in own]
        best = int(np.argmax(np.nan_to_num(training, nan=-np.inf)))
        heldout = pairs.score(found[own[best]], held)[measure]
        rows.append((fold + 1, own[best] + 1, training[best], heldout))
    return pd.DataFrame(rows, columns=["fold", "candidate", "training", "heldout"])


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    total = float(weights.sum())
    return float(weights @ values) / total if total else float("nan")
