"""Do triplets of images tell more per minute than pairs about precision and recall?

Needs ``caltech101-unbalanced.tar`` in ``../shared/data``, which is no part of the project. A
question shows three images at random from one cluster (for precision), or from anywhere (for the
pairs between clusters that belong together, which recall needs). Annotators do not err.

    python benchmarks/triplets.py [--questions 200000]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from machine import sized, write_result
from pairs import CLUSTERINGS
from quality import load

from imagestrata import cluster_images

#: How many times as long as a pair a triplet takes: assumptions.
TIMES = (1.5, 2.0, 3.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=sized(2_000, 200_000))
    n_questions = parser.parse_args().questions
    with tempfile.TemporaryDirectory() as folder:
        classes, embeddings = load(Path(folder), "efficientnet_lite0")
    truth = pd.factorize(classes.loc[embeddings.images["image_id"]])[0]
    rows = []
    for name, given in CLUSTERINGS.items():
        clustering = cluster_images(embeddings, seed=100, progress=False, **given)
        clusters = clustering.images.set_index("image_id")["cluster"]
        own = clusters.loc[embeddings.images["image_id"]].to_numpy()
        rows += compare(name, own, truth, n_questions)
    write_result(
        "triplets",
        rows,
        title="Do triplets tell more per minute than pairs?",
        notes=[
            f"{n_questions:,} simulated questions about {len(truth)} photographs of "
            f"{classes.nunique()} classes; annotators do not err.",
            "within: three images of a cluster, drawn with the probability of its number of pairs, "
            "so that every pair within clusters has the same probability. anywhere: three images "
            "at random, of which the pairs in two clusters count.",
            "all relations: annotators say of each of the three pairs whether it belongs together. "
            "which two: they name one pair, or none; if all three belong together, one at random.",
            "exact, mean: share of the pairs that belong together, and its estimate. precision per "
            "minute: 1 / variance of the estimate, relative to single pairs, if a triplet takes "
            "1.5, 2 or 3 times as long as a pair (assumed); not for estimates that are biased, "
            "however many triplets there are.",
        ],
    )


def compare(
    name: str, clusters: np.ndarray, truth: np.ndarray, n_questions: int
) -> list[dict[str, str]]:
    """What triplets of images of one clustering tell."""
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(clusters == c) for c in np.unique(clusters[clusters >= 0])]
    members = [rows for rows in members if len(rows) > 2]
    size = np.array([len(rows) for rows in members])
    chosen = rng.choice(len(members), n_questions, p=size * (size - 1) / (size * (size - 1)).sum())
    inside = np.array([rng.choice(members[c], 3, replace=False) for c in chosen.tolist()])
    anywhere = rng.integers(0, len(truth), (n_questions, 3))
    made = []
    for place, three in (("within", inside), ("anywhere", anywhere)):
        sides = ((0, 1), (0, 2), (1, 2))
        same = np.stack([truth[three[:, i]] == truth[three[:, j]] for i, j in sides], axis=1)
        apart = np.stack(
            [
                (clusters[three[:, i]] != clusters[three[:, j]]) & (three[:, i] != three[:, j])
                for i, j in sides
            ],
            axis=1,
        )
        counts = np.ones_like(same) if place == "within" else apart
        exact = (same & counts).sum() / counts.sum()
        # One pair is the first two images.
        single = np.where(counts[:, 0], same[:, 0] - exact, 0)
        variance_of_pairs = single.var() / counts[:, 0].mean() ** 2
        named = same.copy()
        all_three = same.all(axis=1)
        named[all_three] = np.eye(3, dtype=bool)[rng.integers(0, 3, int(all_three.sum()))]
        for answers, says in (("all relations", same), ("which two", named)):
            mean = (says & counts).sum() / counts.sum()
            each = ((says - exact) * counts).sum(axis=1)
            gain = variance_of_pairs * counts.sum(axis=1).mean() ** 2 / each.var()
            told = "all" in answers
            made.append(
                {
                    "clustering": name,
                    "images": place,
                    "answers": answers,
                    "exact": f"{exact:.4f}",
                    "mean": f"{mean:.4f}",
                    **{
                        f"per minute, {time:g} times": f"{gain / time:.2f}" if told else ""
                        for time in TIMES
                    },
                }
            )
    return made


if __name__ == "__main__":
    main()
