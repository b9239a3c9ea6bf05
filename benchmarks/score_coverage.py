"""How often the intervals of scores, of agreement and of tests with people hold the truth.

Everything is simulated, so the truth is known: for each setting it is computed from a sample
so large that nothing is left to chance.

    python benchmarks/score_coverage.py [--samples 1000]
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result

from imagestrata import agreement
from imagestrata.finetune.scores import (
    MEASURES,
    average_scores,
    clustered_wilson,
    score_table,
    wilson,
)

Array = np.ndarray[Any, Any]
#: Numbers of images, numbers of labels with the share of images that have one, share of right
#: answers, and the share of images in which the answers to all labels are right or wrong together.
IMAGES, LABELS, RIGHT, TOGETHER = (50, 200), ((3, 0.4), (12, 0.2)), (0.7, 0.95), (0, 0.5, 1)
#: Numbers of annotators and of different judgements, and shares of the latter.
JUDGES = ((2, (0.5, 0.5)), (2, (0.9, 0.1)), (3, (0.8, 0.2)), (3, (0.5, 0.3, 0.2)))
PAIRS, GUESSED = (50, 150), (0.02, 0.1, 0.3)
#: Numbers of clusters; share of sets found; correlation of the sets of a cluster.
CLUSTERS, FOUND, ALIKE = (10, 32), (0.5, 0.83, 0.95), (0, 0.3, 0.6)
SETS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=sized(10, 200, 1_000))
    n = parser.parse_args().samples
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    write_result(
        "score_coverage",
        [*scores(n, rng)],
        simulations=n,
        title="Do the intervals of scores of several labels hold the truth?",
        notes=[
            f"score_table(), overall measures; {n} samples each; nominal coverage 95%.",
            "together: share of images in which all answers are right or all wrong; in the others, "
            "answers are right or wrong independently.",
            "accuracy, pooled: Wilson's interval for as many trials as there are answers, for "
            "comparison.",
        ],
    )
    write_result(
        "agreement_coverage",
        [*agreements(n, rng)],
        simulations=n,
        title="Do the intervals of agreement() hold the truth?",
        notes=[
            f"{n} samples each; nominal coverage 95%. Measures of all annotators.",
            "guessed: share of the judgements that are drawn at random; the others are right.",
            "perfect: share of the samples in which all annotators agree on all pairs.",
            "resampled: kappa with percentiles of resampled pairs, for comparison.",
        ],
    )
    write_result(
        "sets_coverage",
        [*sets(4 * n, rng)],
        simulations=4 * n,
        title="Do the intervals of matching and intruder tests hold the truth?",
        notes=[
            f"Share of all clusters together; {SETS} sets of each, one annotator; {4 * n} samples "
            "each; nominal coverage 95%.",
            "alike: correlation of the sets of one cluster.",
            "like these: the truth is the mean over all clusters of which these are a sample; "
            "these: the mean over the tested clusters, of whose sets those drawn are a sample.",
            "pooled: Wilson's interval for as many trials as there are sets, for comparison.",
        ],
    )


def percent(share: float) -> str:
    return f"{share:.1%}"


def scores(n_samples: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    for n, (n_labels, positive), right, together in product(IMAGES, LABELS, RIGHT, TOGETHER):

        def draw(n_images: int, given: Any = (n_labels, positive, right, together)) -> Any:
            k, base, share, joint = given
            truth = rng.random((n_images, k)) < base
            of_image = rng.random((n_images, 1)) < joint
            hit = np.where(
                of_image, rng.random((n_images, 1)) < share, rng.random((n_images, k)) < share
            )
            return truth.astype(float), truth == hit

        exact = average_scores("multilabel", *draw(200_000))
        inside = dict.fromkeys((*MEASURES, "pooled"), 0)
        for _ in range(n_samples):
            truth, decision = draw(n)
            table = score_table("multilabel", list("abcdefghijkl")[:n_labels], truth, decision)
            for row in table.head(len(MEASURES)).itertuples():
                inside[row.measure] += row.conf_low <= exact[row.measure] <= row.conf_high
            low, high = wilson((truth == decision).sum(), truth.size)
            inside["pooled"] += low <= exact["accuracy"] <= high
        line = {"images": n, "labels": n_labels, "positive": positive, "right": right}
        line |= {"together": together}
        line |= {name: percent(inside[name] / n_samples) for name in MEASURES}
        yield line | {"accuracy, pooled": percent(inside["pooled"] / n_samples)}


def agreements(n_samples: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    for (m, shares), guessed, n in product(JUDGES, GUESSED, PAIRS):
        k = len(shares)

        def draw(n_pairs: int, given: Any = (m, shares, guessed)) -> pd.DataFrame:
            n_judges, base, error = given
            truth = rng.choice(len(base), size=n_pairs, p=base)[:, None]
            guess = rng.integers(len(base), size=(n_pairs, n_judges))
            judged = np.where(rng.random((n_pairs, n_judges)) < error, guess, truth)
            return pd.DataFrame(
                {
                    "pair_id": np.repeat(np.arange(n_pairs), n_judges),
                    "annotator": np.tile(np.arange(n_judges), n_pairs),
                    "judgement": judged.ravel(),
                }
            )

        exact = of_all(agreement(draw(100_000), n_boot=1))["estimate"]
        inside, defined = pd.Series(0.0, exact.index), pd.Series(0.0, exact.index)
        perfect = resampled = 0
        for i in range(n_samples):
            judged = draw(n)
            found = of_all(agreement(judged, n_boot=400, seed=i)).reindex(exact.index)
            inside += (found["conf_low"] <= exact) & (exact <= found["conf_high"])
            defined += found["estimate"].notna()
            perfect += found.loc["percent_agreement", "estimate"] == 1
            if m == k == 2:
                low, high = resampled_kappa(judged, rng)
                resampled += low <= exact["cohen_kappa"] <= high
        cover = inside / defined
        line: dict[str, Any] = {"annotators": m, "shares": ", ".join(map(str, shares))}
        line |= {"guessed": guessed, "pairs": n, "perfect": percent(perfect / n_samples)}
        names = {
            "percent_agreement": "share",
            "cohen_kappa": "kappa",
            "cohen_kappa_linear": "linear",
            "cohen_kappa_quadratic": "quadratic",
            "krippendorff_alpha_nominal": "alpha",
            "krippendorff_alpha_interval": "alpha, interval",
        }
        line |= {name: percent(cover[key]) if key in cover else "" for key, name in names.items()}
        yield line | {"kappa, resampled": percent(resampled / n_samples) if m == k == 2 else ""}


def of_all(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["annotators"] == "all"].set_index("measure")


def resampled_kappa(judged: pd.DataFrame, rng: np.random.Generator) -> tuple[float, float]:
    """Percentiles of Cohen's kappa of two annotators over 400 draws of pairs with replacement."""
    one, other = judged["judgement"].to_numpy().reshape(-1, 2).T
    cells = np.bincount(2 * one + other, minlength=4)
    a, b, c, d = rng.multinomial(cells.sum(), cells / cells.sum(), size=400).T / cells.sum()
    chance = (a + b) * (a + c) + (c + d) * (b + d)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappas = (a + d - chance) / (1 - chance)
    low, high = np.nanquantile(kappas, [0.025, 0.975])
    return float(low), float(high)


def sets(n_samples: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    for n, share, alike in product(CLUSTERS, FOUND, ALIKE):
        whole = np.full(n, SETS)
        inside = np.zeros(4)
        for _ in range(n_samples):
            easy = shares_of_clusters(n, share, alike, rng)
            found = rng.binomial(SETS, easy)
            ways: tuple[Callable[[], Any], ...] = (
                lambda hits=found, of=whole: clustered_wilson(hits, of),
                lambda hits=found, of=whole: wilson(hits.sum(), of.sum()),
            )
            for i, way in enumerate(ways):
                low, high = way()
                inside[i] += low <= share <= high
                inside[2 + i] += low <= easy.mean() <= high
        like, pooled_like, these, pooled_these = (percent(one / n_samples) for one in inside)
        yield {
            "clusters": n, "share": share, "alike": alike, "like these": like,
            "like these, pooled": pooled_like, "these": these, "these, pooled": pooled_these,
        }  # fmt: skip


def shares_of_clusters(n: int, share: float, alike: float, rng: np.random.Generator) -> Array:
    """How easy the sets of each cluster are, from a beta distribution."""
    if alike == 0:
        return np.full(n, share)
    scale = (1 - alike) / alike
    return rng.beta(share * scale, (1 - share) * scale, n)


if __name__ == "__main__":
    main()
