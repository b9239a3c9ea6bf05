"""Do judged pairs choose the better clustering, and do the intervals hold the truth?

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in
``../shared/data``, which are no part of the project. The classes of the photographs
say which pairs belong together, and annotators never err. Pairs are drawn in two
ways: within and between the clusters of one k-means, as in the paper, and by how
many of the candidates put them together. Every set of pairs scores all candidates
as ``tune_clusters`` does. The exact values are those of ``score_clustering`` over all
pairs of photographs.

    python benchmarks/choosing.py [--sets 500] [--pairs 554] [--minutes 30]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import write_result
from quality import load
from scipy.stats import t

from imagestrata import cluster_images, score_clustering
from imagestrata.sampling.pairs import cluster_for_pairs, draw_pairs
from imagestrata.validation.folds import JudgedPairs, choose_on_folds, score_all
from imagestrata.validation.pair_scores import RATIOS

CANDIDATES: dict[str, dict[str, Any]] = {
    "k-means, 12": {"method": "kmeans", "n_clusters": 12},
    "k-means, 30": {"method": "kmeans", "n_clusters": 30},
    "k-means, 60": {"method": "kmeans", "n_clusters": 60},
    "k-means, 150": {"method": "kmeans", "n_clusters": 150},
    "iterative": {},
    "iterative, k=10": {"k": 10, "similarity_threshold": 0.05, "release_share": 1},
    "iterative, paper": {"preset": "paper"},
}
#: Pairs are drawn from this many k-means, as people with different seeds would.
N_SEEDS = 10
DRAWN = {"kmeans": "one k-means of 80", "candidates": "the candidates"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=554)
    parser.add_argument("--minutes", type=float, default=np.inf, help="no new set after so many")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        classes, embeddings = load(Path(folder), "mobilenet_v2")
    images = embeddings.images
    truth = pd.factorize(classes.loc[images["image_id"]])[0]
    fits = [cluster_images(embeddings, progress=False, **given) for given in CANDIDATES.values()]
    found = [fit.images["cluster"].to_numpy() - 1 for fit in fits]
    found = [np.where(labels < 0, -1, labels) for labels in found]
    exact = pd.DataFrame(
        [
            score_clustering(fit.images["cluster"], truth).set_index("measure")["estimate"]
            for fit in fits
        ]
    ).reset_index(drop=True)[list(RATIOS)]
    strata = [cluster_for_pairs(embeddings.matrix, 80, seed).labels for seed in range(N_SEEDS)]
    rows, choices = [], []
    start = time.monotonic()
    for i in range(arguments.sets):
        if time.monotonic() - start > 60 * arguments.minutes:
            break
        for drawn in DRAWN:
            clusterings = strata[i % N_SEEDS] if drawn == "kmeans" else found
            rng = np.random.default_rng([i, 1])
            pairs = draw_pairs(images, clusterings, arguments.pairs, 0.5, rng)
            of = dict(zip(images["image_id"], truth, strict=True))
            same = pairs["image_a"].map(of) == pairs["image_b"].map(of)
            pairs = pairs.assign(judgement=same.astype(float))
            for weighted in (False, True):
                setting = {"drawn": DRAWN[drawn], "weighted": weighted}
                more, choice = scores(pairs, images, found, exact, weighted, i)
                rows += [setting | row for row in more]
                choices.append(setting | choice)
    n = arguments.pairs
    notes = [
        f"{len(choices) // 4} simulated sets of {n} pairs of {len(images)} photographs of "
        f"{classes.nunique()} classes; annotators never err; nominal coverage 95%.",
        "drawn from: within and between the clusters of one k-means, as in the paper; or by how "
        "many of the candidates put a pair together.",
    ]
    write_result(
        "choosing_coverage",
        list(coverage(pd.DataFrame(rows), exact)),
        title="Do the intervals of tuning hold the truth?",
        notes=[
            *notes,
            "mean: of the estimates; cover: share of the intervals that hold the exact value; "
            "width: their median width; from folds: intervals from five folds (mean and t "
            "distribution), which tune_clusters() no longer has.",
        ],
    )
    write_result(
        "choosing",
        list(choosing(pd.DataFrame(choices), exact)),
        title="Do judged pairs choose the better clustering?",
        notes=[
            *notes,
            "Candidates, with exact F1: "
            + "; ".join(
                f"{name}: {f1:.2f}" for name, f1 in zip(CANDIDATES, exact["f1"], strict=True)
            ),
            "12 beats 60: share of the sets in which k-means with 12 clusters has the higher F1.",
            "best found: share of the sets in which the best candidate has the highest estimate.",
            "F1 of the choice: its exact F1, on average; one SE: with one_standard_error=True.",
            "optimism: estimate of the choice less its exact F1; held-out: the same of `heldout`.",
            "cover: intervals of the choice, and of `heldout`, that hold the choice's exact F1.",
        ],
    )


def scores(
    pairs: pd.DataFrame,
    images: pd.DataFrame,
    found: list[Any],
    exact: pd.DataFrame,
    weighted: bool,
    seed: int,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """How one set of pairs scores every candidate, and what it chooses."""
    judged = JudgedPairs.of(
        pairs,
        images,
        folds=5,
        seed=seed,
        weighted=weighted,
        same_from=1,
        residual="alone",
    )
    table = score_all(found, judged, seed)
    rows = []
    folds = [from_folds(judged, labels) for labels in found]
    for row in table.itertuples():
        low, high = folds[row.candidate - 1][row.measure]
        rows.append(
            {
                "candidate": row.candidate - 1,
                "measure": row.measure,
                "estimate": row.estimate,
                "low": row.conf_low,
                "high": row.conf_high,
                "fold_low": low,
                "fold_high": high,
            }
        )
    f1 = table[table["measure"] == "f1"].reset_index(drop=True)
    best = int(f1["estimate"].idxmax())
    _, heldout = choose_on_folds(found, list(range(len(found))), judged, "f1", seed)
    held = heldout.set_index("measure").loc["f1"]
    near = f1["estimate"] >= f1["estimate"][best] - f1["std_error"][best]
    sizes = pd.Series([labels.max() for labels in found])
    true = exact["f1"][best]
    return rows, {
        "reversed": f1["estimate"][0] > f1["estimate"][2],
        "best_found": best == int(exact["f1"].idxmax()),
        "true": true,
        "simple": exact["f1"][int(sizes[near].idxmin())],
        "optimism": f1["estimate"][best] - true,
        "heldout": held["estimate"] - true,
        "cover": f1["conf_low"][best] <= true <= f1["conf_high"][best],
        "heldout_cover": held["conf_low"] <= true <= held["conf_high"],
    }


def from_folds(judged: JudgedPairs, labels: Any) -> dict[str, tuple[float, float]]:
    """Intervals from the scores of five folds, for comparison."""
    together, counts = judged.sides(labels)
    five = [judged.score(together, counts & (judged.fold == fold)) for fold in range(5)]
    intervals = {}
    for measure in five[0]:
        values = np.array([one[measure][0] for one in five])
        values = values[~np.isnan(values)]
        half = np.nan
        if len(values) > 1:
            half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
        mean = values.mean() if len(values) else np.nan
        intervals[measure] = (mean - half, mean + half)
    return intervals


def coverage(found: pd.DataFrame, exact: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for (drawn, weighted, candidate), rows in found.groupby(
        ["drawn", "weighted", "candidate"], sort=False
    ):
        line: dict[str, Any] = {
            "drawn from": drawn,
            "scores": "weighted" if weighted else "unweighted",
            "candidate": list(CANDIDATES)[candidate],
        }
        for measure in ("precision", "recall", "f1"):
            part = rows[rows["measure"] == measure]
            value = exact[measure][candidate]
            cover = ((part["low"] <= value) & (value <= part["high"])).mean()
            folds = ((part["fold_low"] <= value) & (value <= part["fold_high"])).mean()
            line |= {
                f"{measure}: exact": f"{value:.3f}",
                f"{measure}: mean": f"{part['estimate'].mean():.3f}",
                f"{measure}: cover": f"{cover:.1%}",
                f"{measure}: width": f"{(part['high'] - part['low']).median():.2f}",
                f"{measure}: from folds": f"{folds:.1%}",
            }
        yield line


def choosing(found: pd.DataFrame, exact: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for (drawn, weighted), rows in found.groupby(["drawn", "weighted"], sort=False):
        mean = rows.mean(numeric_only=True)
        yield {
            "drawn from": drawn,
            "scores": "weighted" if weighted else "unweighted",
            "12 beats 60": f"{rows['reversed'].mean():.1%}",
            "best found": f"{rows['best_found'].mean():.1%}",
            "F1 of the choice": f"{mean['true']:.3f}",
            "one SE": f"{mean['simple']:.3f}",
            "optimism": f"{mean['optimism']:+.3f}",
            "held-out": f"{mean['heldout']:+.3f}",
            "cover": f"{rows['cover'].mean():.1%}",
            "held-out cover": f"{rows['heldout_cover'].mean():.1%}",
        }


if __name__ == "__main__":
    main()
