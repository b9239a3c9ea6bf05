"""How often the intervals of score_clustering() hold the truth, where the truth is known.

Needs ``caltech101-unbalanced.tar`` in ``../shared/data``, which is no part of the
project. The classes of the photographs say which pairs belong together; simulated
annotators judge the sampled pairs accordingly, but err in a known share of them. The
exact values are those of ``score_clustering`` over all pairs of photographs.

    python benchmarks/pairs.py [--sets 500]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import write_result
from quality import load

from imagestrata import Clustering, cluster_images, score_clustering
from imagestrata.annotation.agreement import percentile_interval
from imagestrata.sampling.pair_strata import Cells
from imagestrata.sampling.pairs import cluster_for_pairs, draw_pairs
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
#: Name, number of annotators (the majority decides), share of errors of each.
ANNOTATORS = (("no errors", 1, 0.0), ("three, 5% errors", 3, 0.05), ("one, 5% errors", 1, 0.05))
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
    ("clustering", ("per_cluster", "near", 0.3), ("default",)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--others", type=int, default=100, help="sets of the other designs")
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
    for number, (source, (within, between, share), scored) in enumerate(DESIGNS):
        for i in range(arguments.others if number else arguments.sets):
            fit = fits[i % N_SEEDS]
            cells = Cells(fit.labels, np.asarray(fit.centers))
            for name in scored:
                own = clusterings[name].images.set_index("image_id")["cluster"]
                labels = fit.labels if source == "k-means" else own.loc[images["image_id"]]
                pairs = draw_pairs(
                    images,
                    np.asarray(labels),
                    N_PAIRS,
                    share,
                    np.random.default_rng([i, 1]),
                    within=within,
                    cells=cells if between == "near" else None,
                )
                setting = {"clustering": name, "drawn from": source, "within": within}
                setting |= {"between": between, "share within": share}
                found += [setting | row for row in scores(clusterings[name], pairs, truth, i)]
    exact = {name: exact_values(c, truth) for name, c in clusterings.items()}
    write_result(
        "pairs",
        list(summary(pd.DataFrame(found), exact)),
        title="Do intervals from judged pairs hold the truth?",
        notes=[
            f"Simulated validation sets of {N_PAIRS} pairs from {len(images)} photographs of "
            f"{classes.nunique()} classes, encoder {arguments.encoder}; nominal coverage 95%, "
            "which 500 sets estimate with a standard error of 1 point, and 100 with one of 2.",
            "drawn from: a k-means of 80 clusters, with ten seeds, or the scored clustering.",
            "within, between, share within: the arguments of sample_pairs().",
            "annotators: how many judge each pair (the majority counts), and the share of pairs in "
            "which each errs, at random. Scores are weighted and, with errors, corrected with the "
            "error_rate that remains, so that the exact values are the same in all rows.",
            "mean: of the estimates; cover: share of the intervals that hold the exact value, that "
            "of all pairs of photographs; width: their median width.",
        ],
    )


def exact_values(clustering: Clustering, truth: np.ndarray) -> pd.Series:
    return score_clustering(clustering.images["cluster"], truth).set_index("measure")["estimate"]


def scores(
    clustering: Clustering, pairs: pd.DataFrame, truth: np.ndarray, seed: int
) -> Iterator[dict[str, Any]]:
    """Estimates and intervals for one set of pairs, as annotators of each kind judge it.

    They are those of ``score_clustering``, without its checks of tables.
    """
    known = pd.Index(clustering.images["image_id"])
    a, b = (known.get_indexer(pairs[image]) for image in ("image_a", "image_b"))
    clusters = clustering.images["cluster"].to_numpy()
    together = (clusters[a] == clusters[b]) & (clusters[a] >= 0)
    n_together = number_together(clusters, population_of(pairs))
    strata, groups = strata_of(pairs), groups_of(pairs)
    weights = design_weights(pairs.assign(judgement=1.0))
    for label, n_annotators, error in ANNOTATORS:
        rng = np.random.default_rng([seed, 2])
        wrong = (rng.random((len(pairs), n_annotators)) < error).sum(axis=1) > n_annotators / 2
        judged = ((truth[a] == truth[b]) ^ wrong).astype(float)
        remaining = error if n_annotators == 1 else 3 * error**2 - 2 * error**3
        sample = Sample.of(together, judged, weights, strata, groups, n_together)
        scored = score_sample(sample, SHOWN, 1, 1000, rng, remaining)
        for measure in SHOWN:
            estimate, draws = scored[measure]
            low, high = percentile_interval(estimate, draws, 0.95)
            yield {
                "annotators": label,
                "measure": measure,
                "estimate": estimate,
                "low": low,
                "high": high,
            }


def summary(found: pd.DataFrame, exact: dict[str, pd.Series]) -> Iterator[dict[str, Any]]:
    keys = ["clustering", "drawn from", "within", "between", "share within", "annotators"]
    for values, rows in found.groupby(keys, sort=False):
        line = dict(zip(keys, values, strict=True)) | {"sets": len(rows) // len(SHOWN)}
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
