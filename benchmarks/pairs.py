"""How often the intervals of score_clustering() hold the truth, where the truth is known.

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in
``../shared/data``, which are no part of the project. The classes of the photographs
say which pairs belong together; simulated annotators judge the sampled pairs
accordingly, but err in a known share of them. The exact values are those of
``score_clustering`` over all pairs of photographs.

    python benchmarks/pairs.py [--sets 500]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import write_result
from quality import load

from imagestrata import Clustering, cluster_images, score_clustering
from imagestrata.sampling.pairs import cluster_for_pairs, draw_pairs
from imagestrata.validation.pair_scores import RATIOS, pair_ratios, pairs_together

CLUSTERINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "single k-means, 30": {"method": "kmeans", "n_clusters": 30},
    "single k-means, 80": {"method": "kmeans", "n_clusters": 80},
}
#: Name, number of annotators (the majority decides), share of errors of each.
ANNOTATORS = (("no errors", 1, 0.0), ("three, 5% errors", 3, 0.05), ("one, 5% errors", 1, 0.05))
#: Pairs are drawn from this many k-means, as people with different seeds would.
N_SEEDS = 10
#: Number of pairs and share of them within clusters: that of the paper, and for comparison.
DESIGNS = ((554, 0.5), (554, 0.2), (2000, 0.5))
SHOWN = ("precision", "recall")
HOW = ("unweighted", "weighted", "weighted, corrected", "weighted, ordinary bootstrap")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500)
    n_sets = parser.parse_args().sets
    with tempfile.TemporaryDirectory() as folder:
        classes, embeddings = load(Path(folder), "mobilenet_v2")
    images = embeddings.images
    truth = pd.factorize(classes.loc[images["image_id"]])[0]
    clusterings = {
        name: cluster_images(embeddings, seed=100, progress=False, **given)
        for name, given in CLUSTERINGS.items()
    }
    strata = [cluster_for_pairs(embeddings.matrix, 80, seed) for seed in range(N_SEEDS)]
    found = []
    for i in range(n_sets):
        for design in DESIGNS:
            rng = np.random.default_rng([i, 1])
            pairs = draw_pairs(images, strata[i % N_SEEDS], *design, rng)
            first = design == DESIGNS[0]
            for name in clusterings if first else ["default"]:
                annotators = ANNOTATORS if first else ANNOTATORS[:1]
                setting = {"clustering": name, "pairs": design[0], "within": design[1]}
                rows = scores(clusterings[name], pairs, truth, i, annotators)
                found += [setting | row for row in rows]
    exact = {name: exact_values(c, truth) for name, c in clusterings.items()}
    write_result(
        "pairs",
        list(summary(pd.DataFrame(found), exact)),
        title="Do intervals from judged pairs hold the truth?",
        notes=[
            f"{n_sets} simulated validation sets from {len(images)} photographs of "
            f"{classes.nunique()} classes; nominal coverage 95%.",
            "pairs, within: how many pairs, and the share of them within clusters (share_within).",
            "annotators: how many judge each pair (the majority counts), and the share of pairs in "
            "which each errs, at random.",
            "mean: of the estimates; cover: share of the intervals that hold the exact value, that "
            "of all pairs of photographs; width: their median width.",
            "weighted, corrected: with error_rate, the share of wrong judgements that remains.",
            "weighted, ordinary bootstrap: resampled pairs within strata, percentiles; for "
            "comparison.",
        ],
    )


def exact_values(clustering: Clustering, truth: np.ndarray) -> pd.Series:
    return score_clustering(clustering.images["cluster"], truth).set_index("measure")["estimate"]


def scores(
    clustering: Clustering,
    pairs: pd.DataFrame,
    truth: np.ndarray,
    seed: int,
    annotators: Sequence[tuple[str, int, float]],
) -> Iterator[dict[str, Any]]:
    """Estimates and intervals for one set of pairs, as these annotators judge it."""
    known = pd.Index(clustering.images["image_id"])
    a, b = (truth[known.get_indexer(pairs[image])] for image in ("image_a", "image_b"))
    for label, n_annotators, error in annotators:
        rng = np.random.default_rng([seed, 2])
        wrong = (rng.random((len(pairs), n_annotators)) < error).sum(axis=1) > n_annotators / 2
        judged = pairs.assign(judgement=((a == b) ^ wrong).astype(float))
        remaining = error if n_annotators == 1 else 3 * error**2 - 2 * error**3
        tables = [score_clustering(clustering, judged, measures=SHOWN, seed=seed)]
        if error:
            corrected = score_clustering(
                clustering, judged, measures=SHOWN, weighted=True, error_rate=remaining, seed=seed
            )
            tables.append(corrected.assign(weighting="corrected"))
        elif annotators is ANNOTATORS:
            tables.append(ordinary_bootstrap(clustering, judged, rng))
        for row in pd.concat(tables).itertuples():
            how = {"none": HOW[0], "design": HOW[1], "corrected": HOW[2], "ordinary": HOW[3]}
            yield {
                "annotators": label,
                "scores": how[row.weighting],
                "measure": row.measure,
                "estimate": row.estimate,
                "low": row.conf_low,
                "high": row.conf_high,
            }


def ordinary_bootstrap(
    clustering: Clustering, judged: pd.DataFrame, rng: np.random.Generator, n_boot: int = 1000
) -> pd.DataFrame:
    """Weighted scores with the interval that comes to mind first, for comparison."""
    together = pairs_together(clustering, judged)[0]
    same = judged["judgement"].to_numpy() == 1
    kinds = np.stack([together & same, together & ~same, ~together & same], axis=1)
    numbers, draws = np.zeros(3), np.zeros((n_boot, 3))
    for _, rows in judged.groupby("stratum").indices.items():
        weight = 1 / judged["probability"].iloc[rows[0]]
        n = len(rows)
        numbers += weight * kinds[rows].sum(axis=0)
        draws += weight * rng.multinomial(n, np.full(n, 1 / n), size=n_boot) @ kinds[rows]
    estimates, repeated = pair_ratios(*numbers), pair_ratios(*draws.T)
    rows = []
    for measure in RATIOS:
        low, high = np.nanquantile(repeated[measure], [0.025, 0.975])
        rows.append((measure, "ordinary", float(estimates[measure]), low, high))
    table = pd.DataFrame(
        rows, columns=["measure", "weighting", "estimate", "conf_low", "conf_high"]
    )
    return table[table["measure"].isin(SHOWN)]


def summary(found: pd.DataFrame, exact: dict[str, pd.Series]) -> Iterator[dict[str, Any]]:
    keys = ["clustering", "pairs", "within", "annotators", "scores"]
    for values, rows in found.groupby(keys, sort=False):
        line = dict(zip(keys, values, strict=True))
        for measure in SHOWN:
            part = rows[rows["measure"] == measure]
            value = exact[line["clustering"]][measure]
            cover = ((part["low"] <= value) & (value <= part["high"])).mean()
            line |= {
                f"{measure}: exact": f"{value:.3f}",
                f"{measure}: mean": f"{part['estimate'].mean():.3f}",
                f"{measure}: cover": f"{cover:.1%}",
                f"{measure}: width": f"{(part['high'] - part['low']).median():.2f}",
            }
        yield line


if __name__ == "__main__":
    main()
