"""Do judged pairs choose the better clustering, and do the intervals hold the truth?

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in
``../shared/data``, which are no part of the project. The classes of the photographs
say which pairs belong together, and annotators never err: four in five pairs of one class
are closely related (2), the others loosely (1). Pairs are drawn with the defaults of
``sample_pairs`` in two ways: within and between the clusters of one k-means, as in the paper,
and from the candidates, by how many of them put a pair together. Every set of pairs scores
and compares all candidates as ``tune_clusters`` does. The exact values are those of
``score_clustering`` over all pairs of photographs; that of quality follows from them.

    python benchmarks/choosing.py [--sets 500] [--pairs 554]
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
from quality import load
from scipy.stats import t

from imagestrata import cluster_images, score_clustering
from imagestrata.sampling.pairs import cells_of, draw_pairs
from imagestrata.validation.differences import Compared
from imagestrata.validation.folds import JudgedPairs, choose_on_folds, score_all
from imagestrata.validation.pair_scores import RATIOS

CANDIDATES: dict[str, dict[str, Any]] = {
    "k-means, 12": {"method": "kmeans", "n_clusters": 12},
    "k-means, 30": {"method": "kmeans", "n_clusters": 30},
    "k-means, 60": {"method": "kmeans", "n_clusters": 60},
    "k-means, 150": {"method": "kmeans", "n_clusters": 150},
    "iterative": {},
    "iterative, 5 neighbors": {"neighbors": 5},
    "iterative, 30 neighbors": {"neighbors": 30},
    "hdbscan": {"method": "hdbscan"},
    "k-means, 60, moved": {"method": "kmeans", "n_clusters": 60, "neighbors": 15},
    "iterative, k=10": {"k": 10, "similarity_threshold": 0.05, "release_share": 1},
    "iterative, paper": {"preset": "paper"},
}
#: Pairs are drawn from this many k-means, as people with different seeds would.
N_SEEDS = 5
#: Share of the pairs within clusters, the default.
WITHIN = 0.3
#: Share of the pairs of one class that are judged to be closely related (2), not loosely (1).
CLOSELY = 0.8
DRAWN = {"kmeans": "one k-means of 80", "candidates": "the candidates"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=sized(2, 40, 500))
    parser.add_argument("--pairs", type=int, default=554)
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
    exact["quality"] = (1 + CLOSELY) * (exact["precision"] - missed_rate(found, truth))
    cells = [cells_of(images, embeddings, 80, seed) for seed in range(N_SEEDS)]
    rows, choices, compared = [], [], []
    for i in range(arguments.sets):
        for drawn in DRAWN:
            clusterings = cells[i % N_SEEDS].labels if drawn == "kmeans" else found
            rng = np.random.default_rng([i, 1])
            pairs = draw_pairs(
                images, clusterings, arguments.pairs, WITHIN, rng, cells=cells[i % N_SEEDS]
            )
            of = dict(zip(images["image_id"], truth, strict=True))
            same = (pairs["image_a"].map(of) == pairs["image_b"].map(of)).to_numpy()
            grade = np.where(rng.random(len(pairs)) < CLOSELY, 2.0, 1.0)
            pairs = pairs.assign(judgement=np.where(same, grade, 0.0))
            for weighted in (False, True):
                setting = {"drawn": DRAWN[drawn], "weighted": weighted}
                more, choice, differ = scores(pairs, images, found, exact, weighted, i)
                rows += [setting | row for row in more]
                choices.append(setting | choice)
                if weighted:
                    compared.append(differ.assign(drawn=DRAWN[drawn]))
    n = arguments.pairs
    notes = [
        f"{len(choices) // 4} simulated sets of {n} pairs of {len(images)} photographs of "
        f"{classes.nunique()} classes; annotators never err; nominal coverage 95%.",
        "drawn from: within and between the clusters of one k-means, as in the paper; or by how "
        "many of the candidates put a pair together; both with the defaults of sample_pairs().",
    ]
    write_result(
        "choosing_differences",
        list(differing(pd.concat(compared))),
        simulations=len(choices) // 4,
        title="Do the intervals of differences hold the truth?",
        notes=[
            *notes,
            "Weighted scores, all 55 pairs of candidates.",
            "cover: share of the intervals that hold the exact difference, over all pairs of "
            "candidates; lowest: the lowest coverage of a pair of candidates.",
            "SE / SD: mean standard error divided by the standard deviation of the estimates, the "
            "median over the pairs of candidates.",
            "width: median width of the intervals; if independent: of intervals with the two "
            "standard errors of `results`, as if the pairs were not the same.",
            "excludes 0: share of the intervals that do not contain 0; wrong: share that exclude "
            "it on the wrong side.",
        ],
    )
    write_result(
        "choosing_coverage",
        list(coverage(pd.DataFrame(rows), exact)),
        simulations=len(choices) // 4,
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
        simulations=len(choices) // 4,
        title="Do judged pairs choose the better clustering?",
        notes=[
            *notes,
            "Candidates, with exact F1: "
            + "; ".join(
                f"{name}: {f1:.2f}" for name, f1 in zip(CANDIDATES, exact["f1"], strict=True)
            ),
            "12 beats 60: share of the sets in which k-means with 12 clusters has the higher F1.",
            "best found: share of the sets in which the best candidate has the highest estimate.",
            "F1 of the choice: its exact F1, on average, and its mean number of clusters; one SE: "
            "with one_standard_error=True, the standard error of the difference from the best; "
            "of the best: with the standard error of the best instead.",
            "set: share of the sets of pairs in which the best candidate is among those with "
            "may_be_best; size: their mean number.",
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
) -> tuple[list[dict[str, Any]], dict[str, Any], pd.DataFrame]:
    """How one set of pairs scores every candidate, what it chooses, and how candidates differ."""
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
    folds = [from_folds(judged, labels) if weighted else {} for labels in found]
    for row in table.itertuples():
        low, high = folds[row.candidate - 1].get(row.measure, (np.nan, np.nan))
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
    numbers = list(range(len(found)))
    compared = Compared.of(found, [n + 1 for n in numbers], numbers, judged, table, seed)
    differ, sets = compared.differences, compared.may_be_best
    of_f1 = differ[differ["measure"] == "f1"]
    against = pd.concat(
        [
            of_f1[of_f1["candidate_a"] == best + 1].set_index("candidate_b"),
            of_f1[of_f1["candidate_b"] == best + 1].set_index("candidate_a"),
        ]
    )
    error = against["std_error"].reindex(f1.index + 1).fillna(0).to_numpy()
    close = f1["estimate"] >= f1["estimate"][best] - error
    may = sets[(sets["measure"] == "f1") & sets["may_be_best"]]["candidate"] - 1
    sizes = pd.Series([labels.max() + 1 for labels in found])
    true = exact["f1"][best]
    single = table.set_index(["candidate", "measure"])["std_error"]
    for side in "ab":
        keys = pd.MultiIndex.from_frame(differ[[f"candidate_{side}", "measure"]])
        differ[f"se_{side}"] = single.reindex(keys).to_numpy()
        value = exact.stack().reindex(keys.set_levels(keys.levels[0] - 1, level=0)).to_numpy()
        differ[f"true_{side}"] = value
    return rows, {
        "in_set": int(exact["f1"].idxmax()) in set(may),
        "set_size": len(may),
        "close": exact["f1"][int(sizes[close].idxmin())],
        "close_clusters": int(sizes[close].min()),
        "simple_clusters": int(sizes[near].min()),
        "clusters": int(sizes[best]),
        "reversed": f1["estimate"][0] > f1["estimate"][2],
        "best_found": best == int(exact["f1"].idxmax()),
        "true": true,
        "simple": exact["f1"][int(sizes[near].idxmin())],
        "optimism": f1["estimate"][best] - true,
        "heldout": held["estimate"] - true,
        "cover": f1["conf_low"][best] <= true <= f1["conf_high"][best],
        "heldout_cover": held["conf_low"] <= true <= held["conf_high"],
    }, differ  # fmt: skip


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
                f"{measure}: from folds": f"{folds:.1%}" if weighted else "",
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
            "F1 of the choice": f"{mean['true']:.3f} ({mean['clusters']:.0f})",
            "one SE": f"{mean['close']:.3f} ({mean['close_clusters']:.0f})",
            "of the best": f"{mean['simple']:.3f} ({mean['simple_clusters']:.0f})",
            "set": f"{rows['in_set'].mean():.1%}",
            "size": f"{rows['set_size'].mean():.1f}",
            "optimism": f"{mean['optimism']:+.3f}",
            "held-out": f"{mean['heldout']:+.3f}",
            "cover": f"{rows['cover'].mean():.1%}",
            "held-out cover": f"{rows['heldout_cover'].mean():.1%}",
        }


def missed_rate(found: list[Any], truth: Any) -> list[float]:
    """Share of the pairs that each clustering puts apart that belong together."""
    rates = []
    all_pairs = len(truth) * (len(truth) - 1) / 2
    for labels in found:
        known = labels >= 0
        both = np.unique(np.stack([labels[known], truth[known]]), axis=1, return_counts=True)[1]
        together = pairs_within(np.bincount(labels[known]))
        rates.append(
            (pairs_within(np.bincount(truth)) - pairs_within(both)) / (all_pairs - together)
        )
    return rates


def pairs_within(sizes: Any) -> float:
    return float((sizes * (sizes - 1) / 2).sum())


def differing(found: pd.DataFrame) -> Iterator[dict[str, Any]]:
    found = found.dropna(subset="estimate")
    found = found.assign(true=found["true_a"] - found["true_b"])
    low, high = found["conf_low"], found["conf_high"]
    found = found.assign(
        covers=(low <= found["true"]) & (found["true"] <= high),
        width=high - low,
        independent=2 * 1.96 * np.hypot(found["se_a"], found["se_b"]),
        away=(low > 0) | (high < 0),
        wrong=((low > 0) & (found["true"] < 0)) | ((high < 0) & (found["true"] > 0)),
    )
    for (drawn, measure), rows in found.groupby(["drawn", "measure"], sort=False):
        by = rows.groupby(["candidate_a", "candidate_b"])
        yield {
            "drawn from": drawn,
            "measure": measure,
            "cover": f"{rows['covers'].mean():.1%}",
            "lowest": f"{by['covers'].mean().min():.1%}",
            "SE / SD": f"{(by['std_error'].mean() / by['estimate'].std()).median():.2f}",
            "bias": f"{(by['estimate'].mean() - by['true'].mean()).abs().median():.3f}",
            "width": f"{rows['width'].median():.3f}",
            "if independent": f"{rows['independent'].median():.3f}",
            "excludes 0": f"{rows['away'].mean():.1%}",
            "wrong": f"{rows['wrong'].mean():.2%}",
        }


if __name__ == "__main__":
    main()
