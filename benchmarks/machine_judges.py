"""Do corrected scores of judged pairs hold the truth, whatever errors the machine makes?

Needs ``caltech101-unbalanced.tar`` in ``../shared/data``, which is no part of the project. The
classes of the photographs say which pairs belong together; people do not err. A simulated machine
judges all drawn pairs and errs, people judge the first of them.

    python benchmarks/machine_judges.py [--sets 400]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result
from pairs import CLUSTERINGS, exact_values, of_intervals
from quality import load

from imagestrata import cluster_images
from imagestrata.annotation.agreement import percentile_interval
from imagestrata.sampling.pair_strata import Cells, pair_strata
from imagestrata.sampling.pairs import _allocate, cluster_for_pairs, pairs_table
from imagestrata.validation.pair_scores import (
    Sample,
    design_weights,
    number_together,
    population_of,
    score_sample,
    strata_of,
)
from imagestrata.validation.proxy_scores import Drawn, corrected

#: Name, share of the pairs in which the machine errs at random, and the share of the different
#: pairs of the nearest stratum that it puts together because they look alike.
MACHINES = (
    ("errs in 5%", 0.05, 0.0),
    ("errs in 15%", 0.15, 0.0),
    ("errs in 30%", 0.30, 0.0),
    ("errs in 5%, and puts near pairs together", 0.05, 0.5),
)
#: Pairs of the machine, and those that people judge.
DESIGNS = ((554, 150), (2000, 100), (2000, 150))
SHOWN = ("precision", "recall", "f1")
WITHIN = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=sized(3, 100, 400))
    n_sets = parser.parse_args().sets
    with tempfile.TemporaryDirectory() as folder:
        classes, embeddings = load(Path(folder), "efficientnet_lite0")
    images = embeddings.images
    truth = pd.factorize(classes.loc[images["image_id"]])[0]
    vectors = embeddings.matrix / np.linalg.norm(embeddings.matrix, axis=1, keepdims=True)
    fit = cluster_for_pairs(embeddings.matrix, 80, 0)
    cells = Cells(fit.labels, np.asarray(fit.centers))
    found, exact = [], {}
    for name in ("default", "single k-means, 30"):
        clustering = cluster_images(embeddings, seed=100, progress=False, **CLUSTERINGS[name])
        exact[name] = exact_values(clustering, truth)
        own = clustering.images.set_index("image_id")["cluster"].loc[images["image_id"]].to_numpy()
        for n, n_people in DESIGNS:
            strata = pair_strata(own, round(WITHIN * n), "per_pair", cells)
            sizes = {one: stratum.size for one, stratum in strata.items()}
            due = {one: stratum.due for one, stratum in strata.items()}
            wanted = _allocate(sizes, n, round(WITHIN * n), due)
            for seed in range(n_sets):
                rng = np.random.default_rng([seed, n, n_people])
                drawn = {one: strata[one].draw(number, rng) for one, number in wanted.items()}
                pairs = pairs_table(images, drawn, sizes, rng)
                for row in scores(clustering, pairs, n_people, truth, vectors, rng):
                    found.append({"clustering": name, "pairs": n, "people": n_people} | row)
    write_result(
        "machine_judges",
        list(summary(pd.DataFrame(found), exact)),
        simulations=n_sets,
        title="Do scores corrected by people's pairs hold the truth?",
        notes=[
            f"{n_sets} simulated validations of each row; {len(images)} photographs of "
            f"{classes.nunique()} classes; pairs drawn from the scored clustering; nominal "
            "coverage 95%.",
            "pairs: all drawn pairs, which the machine judges. people: the first of them, in "
            "random order, which people judge without errors.",
            "Near pairs: pairs between clusters whose vectors are as similar as the nearer half of "
            "the different pairs in the nearest stratum.",
            "mean: of the estimates; cover: share of the intervals that hold the exact value; "
            "width: their median width.",
        ],
    )


def scores(
    clustering: Any,
    pairs: pd.DataFrame,
    n_people: int,
    truth: np.ndarray,
    vectors: np.ndarray,
    rng: np.random.Generator,
) -> Iterator[dict[str, Any]]:
    """Estimates and intervals with each machine, and from people's pairs alone.

    They are those of ``score_clustering``, without its checks of tables.
    """
    place = pd.Index(clustering.images["image_id"])
    a, b = (place.get_indexer(pairs[image]) for image in ("image_a", "image_b"))
    clusters = clustering.images["cluster"].to_numpy()
    together = (clusters[a] == clusters[b]) & (clusters[a] >= 0)
    n_together = number_together(clusters, population_of(pairs))
    strata = strata_of(pairs)
    same = truth[a] == truth[b]
    likeness = (vectors[a] * vectors[b]).sum(axis=1)
    nearest = (pairs["stratum"] == "between 1").to_numpy() & ~same
    everyone = np.arange(len(pairs))
    by_people = everyone < n_people

    def alone(judged: np.ndarray, rows: np.ndarray) -> dict[str, tuple[float, np.ndarray]]:
        weight = design_weights(pairs.assign(judgement=np.where(rows, 1.0, np.nan)))
        sample = Sample.of(
            together[rows], judged[rows].astype(float), weight[rows], strata[rows], strata[rows],
            n_together,
        )  # fmt: skip
        return score_sample(sample, SHOWN, 1, 1000, rng)

    weight = design_weights(pairs.assign(judgement=1.0))
    people = alone(same, by_people)
    for machine, error, near in MACHINES:
        said = same ^ (rng.random(len(pairs)) < error)
        if near:
            said |= likeness > np.quantile(likeness[nearest], 1 - near)
        judged = np.where(by_people, same, np.nan)
        drawn = Drawn(together, said.astype(int), judged, strata, strata, weight, n_together)
        found = {
            "machine": alone(said, everyone >= 0),
            "people": people,
            "corrected": corrected(drawn, 0, 1000, rng),
        }
        for method, measures in found.items():
            for measure in SHOWN:
                estimate, draws = measures[measure]
                low, high = percentile_interval(estimate, draws, 0.95)
                yield {
                    "machine": machine, "measure": measure, "method": method,
                    "estimate": estimate, "low": low, "high": high,
                }  # fmt: skip


def summary(found: pd.DataFrame, exact: dict[str, pd.Series]) -> Iterator[dict[str, Any]]:
    keys = ["clustering", "pairs", "people", "machine", "method"]
    for values, rows in found.groupby(keys, sort=False):
        line = dict(zip(keys, values, strict=True))
        for measure in SHOWN:
            part = rows[rows["measure"] == measure]
            line |= of_intervals(part, measure, exact[line["clustering"]][measure])
        yield line


if __name__ == "__main__":
    main()
