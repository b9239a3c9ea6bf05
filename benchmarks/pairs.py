"""How often the intervals of score_clustering() hold the truth, where the truth is known.

Needs ``caltech101-unbalanced.tar`` in ``../shared/data``, which is no part of the
project. The classes of the photographs say which pairs belong together; simulated
annotators judge the sampled pairs accordingly, but err in some of them. The
exact values are those of ``score_clustering`` over all pairs of photographs.

    python benchmarks/pairs.py [--sets 500]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result
from quality import load

from imagestrata import Clustering, cluster_images, score_clustering
from imagestrata.annotation.agreement import percentile_interval
from imagestrata.sampling.pair_strata import Cells, pair_strata
from imagestrata.sampling.pairs import _allocate, cluster_for_pairs, pairs_table
from imagestrata.validation.next_pairs import choose_again
from imagestrata.validation.pair_scores import (
    Sample,
    design_weights,
    groups_of,
    number_together,
    population_of,
    score_sample,
    strata_of,
)

CLUSTERINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "single k-means, 30": {"method": "kmeans", "n_clusters": 30},
    "single k-means, 80": {"method": "kmeans", "n_clusters": 80},
}


@dataclass(frozen=True)
class Annotators:
    """Who judges the pairs.

    Attributes
    ----------
    name : str
    number : int
        How many judge each pair. The majority decides.
    wrong : tuple of float
        Share of errors in pairs that do not belong together, and in those that do.
    hard : float
        Share of pairs in which everybody guesses.
    again : tuple of int
        Numbers of pairs that one more annotator judges, then another; errors are then estimated.
    """

    name: str
    number: int
    wrong: tuple[float, float] = (0.05, 0.05)
    hard: float = 0.0
    again: tuple[int, ...] = ()


PLAIN = (
    Annotators("no errors", 1, (0.0, 0.0)),
    Annotators("three, 5% errors", 3),
    Annotators("one, 5% errors", 1),
)
AGAIN = Annotators("one, 5% errors; 40 and 20 second looks", 1, again=(40, 20))
#: Errors that are not as the model assumes, or not as in the other rows.
ODD = (
    Annotators("one, 2% and 10% errors; 40 and 20 second looks", 1, (0.02, 0.1), again=(40, 20)),
    Annotators("three, 2.5% errors, all guess in 5%", 3, (0.025, 0.025), hard=0.05),
    Annotators(
        "one, 2.5% errors, all guess in 5%; 40 and 20 second looks",
        *(1, (0.025, 0.025)),
        hard=0.05,
        again=(40, 20),
    ),
)
#: Pairs are drawn with this many k-means, as people with different seeds would.
N_SEEDS = 10
N_PAIRS = 554
SHOWN = ("precision", "recall")
#: Where pairs are drawn from, how (within, between, share within), and what they score.
#: The first design is the one to be measured best.
DESIGNS: tuple[tuple[str, tuple[str, str, float], tuple[str, ...]], ...] = (
    ("clustering", ("per_pair", "near", 0.3), tuple(CLUSTERINGS)),
    ("k-means", ("per_pair", "random", 0.5), ("default",)),
    ("k-means", ("per_pair", "near", 0.3), tuple(CLUSTERINGS)),
    ("clustering", ("per_image", "near", 0.3), ("default",)),
    ("clustering", ("per_cluster", "near", 0.3), tuple(CLUSTERINGS)),
    ("clustering", ("per_cluster", "near", 0.6), tuple(CLUSTERINGS)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=sized(10, 150, 500))
    parser.add_argument(
        "--odd", type=int, default=sized(3, 50, 100), help="sets with other kinds of errors"
    )
    parser.add_argument("--encoder", default="efficientnet_lite0")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        classes, embeddings = load(Path(folder), arguments.encoder)
    images = embeddings.images
    truth = pd.factorize(classes.loc[images["image_id"]])[0]
    clusterings = {
        name: cluster_images(embeddings, seed=100, progress=False, **given)
        for name, given in CLUSTERINGS.items()
    }
    fits = [cluster_for_pairs(embeddings.matrix, 80, seed) for seed in range(N_SEEDS)]
    found = []
    for number, design in enumerate(DESIGNS):
        source, (within, between, share), scored = design
        for name in scored:
            own = clusterings[name].images.set_index("image_id")["cluster"].loc[images["image_id"]]
            strata = []
            for fit in fits:
                labels = fit.labels if source == "k-means" else own.to_numpy()
                cells = Cells(fit.labels, np.asarray(fit.centers)) if between == "near" else None
                strata.append(pair_strata(labels, round(N_PAIRS * share), within, cells))
            setting = {"clustering": name, "drawn from": source, "within": within}
            setting |= {"between": between, "share within": share}
            for i in range(arguments.sets):
                kinds = PLAIN[:1] if number else (*PLAIN, AGAIN)
                kinds += ODD if number == 0 and i < arguments.odd else ()
                pairs = draw(images, strata[i % N_SEEDS], share, np.random.default_rng([i, 1]))
                found += [
                    setting | row for row in scores(clusterings[name], pairs, truth, i, kinds)
                ]
    exact = {name: exact_values(c, truth) for name, c in clusterings.items()}
    write_result(
        "pairs",
        list(summary(pd.DataFrame(found), exact)),
        simulations=arguments.sets,
        title="Do intervals from judged pairs hold the truth?",
        notes=[
            f"Simulated validation sets of {N_PAIRS} pairs from {len(images)} photographs of "
            f"{classes.nunique()} classes, encoder {arguments.encoder}; nominal coverage 95%, "
            f"other kinds of errors in {arguments.odd} sets only.",
            "drawn from: a k-means of 80 clusters, with ten seeds, or the scored clustering.",
            "within, between, share within: the arguments of sample_pairs().",
            "annotators: how many judge each pair (the majority counts), and the share of pairs in "
            "which each errs, at random (of two shares, in pairs that do not belong together and "
            "in those that do). Scores are weighted and, with errors, corrected with the "
            "error_rate that remains, so that the exact values are the same in all rows.",
            "second looks: pairs that another annotator judges again, chosen by "
            "next_pairs(again=True), and then by a third one, with error_rate='estimate'.",
            "all guess in 5%: errors that annotators share; scores are corrected as if they did "
            "not.",
            "mean: of the estimates; cover: share of the intervals that hold the exact value, that "
            "of all pairs of photographs; width: their median width.",
        ],
    )


def exact_values(clustering: Clustering, truth: np.ndarray) -> pd.Series:
    return score_clustering(clustering.images["cluster"], truth).set_index("measure")["estimate"]


def draw(
    images: pd.DataFrame, strata: dict[str, Any], share: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Pairs as ``sample_pairs`` draws them, from strata that are made once."""
    sizes = {name: stratum.size for name, stratum in strata.items()}
    due = {name: stratum.due for name, stratum in strata.items()}
    wanted = _allocate(sizes, N_PAIRS, round(N_PAIRS * share), due)
    drawn = {name: strata[name].draw(number, rng) for name, number in wanted.items() if number}
    return pairs_table(images, drawn, sizes, rng)


def scores(
    clustering: Clustering, pairs: pd.DataFrame, truth: np.ndarray, seed: int, kinds: Any
) -> Iterator[dict[str, Any]]:
    """Estimates and intervals for one set of pairs, as annotators of each kind judge it.

    They are those of ``score_clustering``, without its checks of tables.
    """
    known = pd.Index(clustering.images["image_id"])
    a, b = (known.get_indexer(pairs[image]) for image in ("image_a", "image_b"))
    clusters = clustering.images["cluster"].to_numpy()
    same = truth[a] == truth[b]
    columns = {
        "together": (clusters[a] == clusters[b]) & (clusters[a] >= 0),
        "weight": design_weights(pairs.assign(judgement=1.0)),
        "stratum": strata_of(pairs),
        "group": groups_of(pairs),
    }
    n_together = number_together(clusters, population_of(pairs))
    for kind in kinds:
        rng = np.random.default_rng([seed, 2])
        error = np.where(same, kind.wrong[1], kind.wrong[0])
        if kind.hard:
            error = np.where(rng.random(len(pairs)) < kind.hard, 0.5, error)
        wrong = (rng.random((len(pairs), kind.number)) < error[:, np.newaxis]).sum(axis=1)
        judged = (same ^ (wrong > kind.number / 2)).astype(float)
        answers = pd.DataFrame({**columns, "judged": 1, "same": judged.astype(int)})
        for number in kind.again:
            rows = choose_again(answers, number, rng)
            says_same = same[rows] ^ (rng.random(number) < error[rows])
            answers.loc[rows, ["judged", "same"]] += np.stack([rows >= 0, says_same], axis=1)
        looks = (answers["judged"].to_numpy(), answers["same"].to_numpy()) if kind.again else None
        # The error rate that agreement tells, as if errors were independent.
        each = float(np.mean(kind.wrong)) + kind.hard / 2
        remaining = each if kind.number == 1 else 3 * each**2 - 2 * each**3
        sample = Sample.of(
            *(columns["together"], judged, columns["weight"], columns["stratum"]),
            *(columns["group"], n_together, looks),
        )
        scored = score_sample(sample, SHOWN, 1, 1000, rng, 0.0 if looks else remaining)
        for measure in SHOWN:
            estimate, draws = scored[measure]
            low, high = percentile_interval(estimate, draws, 0.95)
            yield {
                "annotators": kind.name,
                "measure": measure,
                "estimate": estimate,
                "low": low,
                "high": high,
                "judgements": kind.number * len(pairs) + sum(kind.again),
            }


def summary(found: pd.DataFrame, exact: dict[str, pd.Series]) -> Iterator[dict[str, Any]]:
    keys = ["clustering", "drawn from", "within", "between", "share within", "annotators"]
    for values, rows in found.groupby(keys, sort=False):
        line = dict(zip(keys, values, strict=True)) | {"sets": len(rows) // len(SHOWN)}
        line["judgements"] = int(rows["judgements"].iloc[0])
        for measure in SHOWN:
            part = rows[rows["measure"] == measure]
            line |= of_intervals(part, measure, exact[line["clustering"]][measure])
        yield line


def of_intervals(rows: pd.DataFrame, measure: str, exact: float) -> dict[str, str]:
    """Mean estimate, coverage and median width of the intervals of a measure, as texts."""
    cover = ((rows["low"] <= exact) & (exact <= rows["high"])).mean()
    return {
        f"{measure}: exact": f"{exact:.3f}",
        f"{measure}: mean": f"{rows['estimate'].mean():.3f}",
        f"{measure}: cover": f"{cover:.1%}",
        f"{measure}: width": f"{(rows['high'] - rows['low']).median():.2f}",
    }


if __name__ == "__main__":
    main()
