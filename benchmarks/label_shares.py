"""How often the intervals of ``label_shares()`` hold the truth, and how wide they are.

Simulated corpora of clusters of very different size, in which a label occurs in 30% (or 8%) of the
images. Two parties show the images, and the machine's errors depend on the party: it overlooks the
label in images of one, and sees it where it is not in images of the other. One, two, five or twenty
images of a cluster are labelled.

    python benchmarks/label_shares.py [--corpora 1000]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result

from imagestrata.labels.cells import Cells
from imagestrata.labels.estimate import limits_of_mean, machine_mean, mean_of, plan_of, tune
from imagestrata.labels.observed import Observed, Target
from imagestrata.labels.shares import with_authors

#: Labelled images of a cluster, and clusters.
DESIGNS = {1: 120, 2: 60, 5: 50, 20: 20}
#: The standard deviation of the clusters' log odds of the label.
MIXED, PURE = 1.2, 4.0
#: The distance between images with and without the label, in standard deviations.
MACHINES = {"good": 4.0, "mediocre": 1.5, "useless": 0.0}
#: What errors depend on: the party, or also the cluster.
BIAS = {"A": -1.0, "B": 1.0}
CLUSTER_BIAS = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=sized(3, 300, 1_000))
    n = parser.parse_args().corpora
    rows = []
    for share, by_cluster in ((0.3, False), (0.08, False), (0.3, True)):
        for per_cluster, n_clusters in DESIGNS.items():
            rng = np.random.default_rng([per_cluster, int(100 * share), by_cluster])
            found = pd.DataFrame(
                line
                for _ in range(n)
                for line in one_corpus(rng, share, per_cluster, n_clusters, by_cluster)
            )
            kind = "party, cluster" if by_cluster else "party"
            rows += [summed(found, share, kind, per_cluster, machine) for machine in MACHINES]
    rng = np.random.default_rng(8)
    found = pd.DataFrame(
        line for _ in range(n) for line in one_corpus(rng, 0.3, 8, 8, False, spread=PURE)
    )
    rows += [summed(found, 0.3, "party, pure clusters", 8, machine) for machine in MACHINES]
    rng = np.random.default_rng(5)
    found = pd.DataFrame(line for _ in range(n) for line in one_corpus_of_authors(rng))
    rows += [summed(found, 0.3, "authors", 5, machine) for machine in MACHINES]
    write_result(
        "label_shares",
        rows,
        simulations=n,
        title="Intervals of label_shares()",
        notes=[
            f"{n:,} simulated corpora per row. Percent of 95% intervals that hold the true share "
            "of the corpus (all), and of the images of the two parties.",
            "Labelled images: those of 120, 60, 50 and 20 clusters. The same corpora and samples "
            "for the three machines of a design.",
            "Width: the mean width of the corrected intervals divided by that of the intervals "
            "from the sample. Spread: the same ratio of the standard deviations of the estimates.",
            "Errors by party: the machine overlooks the label in images of party A and sees it too "
            "often in those of party B. By cluster: a bias of each cluster is added, with the "
            "standard deviation of 0.8 that images have as well.",
            "Pure clusters: eight clusters, of which most nearly always or nearly never show the "
            "label, with eight labels each.",
            "Authors: 40 authors of each party are drawn anew for each corpus; weight = 'post'. "
            "The truth is the share among posts of all such authors.",
        ],
    )


def corpus(
    rng: np.random.Generator, share: float, n_clusters: int, by_cluster: bool, spread: float
) -> pd.DataFrame:
    """Images of a corpus with their cluster, party, label, and prediction by each machine."""
    sizes = np.maximum(rng.lognormal(4, 0.6, n_clusters), 8).astype(int)
    cluster = np.repeat(np.arange(n_clusters), sizes)
    chance = 1 / (1 + np.exp(-(np.log(share / (1 - share)) + rng.normal(0, spread, n_clusters))))
    of_party = rng.beta(2, 2, n_clusters)
    party = np.where(rng.random(len(cluster)) < of_party[cluster], "A", "B")
    label = rng.random(len(cluster)) < chance[cluster]
    noise, bias = rng.normal(size=len(cluster)), rng.normal(0, CLUSTER_BIAS, n_clusters)
    images = pd.DataFrame({"cluster": cluster, "party": party, "label": label.astype(float)})
    noise = noise + by_cluster * bias[cluster]
    return images.assign(**{name: guess(label, party, noise, name) for name in MACHINES})


def guess(label: Any, party: Any, noise: Any, machine: str) -> Any:
    """The machine's probability of the label."""
    distance = MACHINES[machine]
    shift = np.where(party == "A", BIAS["A"], BIAS["B"])
    return 1 / (1 + np.exp(-(distance * (label - 0.5) + shift + noise)))


def draw(rng: np.random.Generator, cluster: Any) -> Any:
    """Ranks of the images of each cluster in random order: those up to n are a sample of n."""
    order = np.lexsort([rng.random(len(cluster)), cluster])
    size = np.bincount(cluster)
    rank = np.empty(len(cluster), int)
    rank[order] = np.arange(len(cluster)) - np.repeat(np.cumsum(size) - size, size) + 1
    return rank


def estimates(
    images: pd.DataFrame, rank: Any, n_h: Any, machine: str, groups: Cells, truth: Any
) -> Iterator[dict[str, Any]]:
    """The estimates of label_shares(), without the checks of its tables, for speed."""
    cluster, f = images["cluster"].to_numpy(), images[machine].to_numpy()
    y = np.where(rank <= n_h[cluster], images["label"], np.nan)
    target = Target("x", "1", "binary", y, f, (f >= 0.5).astype(float))
    strata = pd.DataFrame({"N_h": np.bincount(cluster), "n_h": n_h})
    frame = pd.DataFrame({"stratum": cluster})
    observed = Observed(frame, strata, [target], True, True, int(n_h.sum()))
    plan = plan_of(observed, [target])
    tuned = tune(plan, [target], groups.weights(None, len(images)))
    for number, party in enumerate(groups.table["party"]):
        w = groups.weights(number, len(images))
        means = {
            "machine": machine_mean(target, w),
            "sample": mean_of(plan, target, w, whole=not groups.authors),
            "corrected": mean_of(plan, target, w, tuned, tuned.leverage[0], not groups.authors),
        }
        for method, mean in means.items():
            if groups.authors:
                mean = with_authors(mean, groups, number, plan, target, w, method, tuned.value)
            low, high = limits_of_mean(mean, "binary", 0.95)
            yield {
                "machine": machine, "party": party, "method": method, "lambda": tuned.value,
                "error": mean.estimate - truth[party], "width": high - low,
                "holds": low - 1e-9 <= truth[party] <= high + 1e-9,
            }  # fmt: skip


def cells(party: Any, author: Any = None) -> Cells:
    """Groups of images by party; each image is shown once."""
    n = len(party)
    names, number = np.unique(party, return_inverse=True)
    who = np.zeros(n, int) if author is None else author
    table = pd.DataFrame({"party": names})
    return Cells(table, ["party"], number, np.arange(n), who, np.ones(n), author is not None)


def one_corpus(
    rng: np.random.Generator,
    share: float,
    per_cluster: int,
    n_clusters: int,
    by_cluster: bool,
    spread: float = MIXED,
) -> Iterator[dict[str, Any]]:
    images = corpus(rng, share, n_clusters, by_cluster, spread)
    cluster = images["cluster"].to_numpy()
    rank = draw(rng, cluster)
    n_h = np.minimum(per_cluster, np.bincount(cluster) - 1)
    truth = images.groupby("party")["label"].mean().to_dict()
    truth["all"] = images["label"].mean()
    for groups in (cells(np.full(len(images), "all")), cells(images["party"].to_numpy())):
        for machine in MACHINES:
            yield from estimates(images, rank, n_h, machine, groups, truth)


def one_corpus_of_authors(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Authors with propensities of their own; clusters are groups of similar images."""
    truth = {"A": 0.25, "B": 0.4}
    n_posts = np.maximum(rng.lognormal(3, 0.8, 80), 3).astype(int)
    author = np.repeat(np.arange(80), n_posts)
    party = np.where(author < 40, "A", "B")
    mean = np.repeat([truth["A"], truth["B"]], 40)
    propensity = rng.beta(6 * mean, 6 * (1 - mean))
    label = rng.random(len(author)) < propensity[author]
    noise = rng.normal(size=len(author))
    likeness = label + rng.normal(0, 1, len(author))
    # Clusters of the same size, of images that look alike.
    cluster = (np.argsort(np.argsort(likeness)) * 40 // len(author)).astype(int)
    images = pd.DataFrame({"cluster": cluster, "label": label.astype(float)})
    images = images.assign(**{name: guess(label, party, noise, name) for name in MACHINES})
    rank, n_h = draw(rng, cluster), np.full(40, 5)
    groups = cells(party, author)
    for machine in MACHINES:
        yield from estimates(images, rank, n_h, machine, groups, truth)


def summed(
    found: pd.DataFrame, share: float, kind: str, per_cluster: int, machine: str
) -> dict[str, Any]:
    """One row of the table."""
    found = found[found["machine"] == machine]
    groups = found.groupby(["method", "party"])
    holds, width = 100 * groups["holds"].mean(), groups["width"].mean()
    spread = groups["error"].std()
    row: dict[str, Any] = {
        "share": share, "errors by": kind, "per cluster": per_cluster, "machine": machine
    }  # fmt: skip
    for method in ("machine", "sample", "corrected"):
        for party in ("all", "A", "B"):
            value = holds.get((method, party))
            row[f"{method}: {party}"] = None if value is None else f"{value:.1f}"
    first = "A" if kind == "authors" else "all"
    row["lambda"] = f"{found['lambda'].mean():.2f}"
    row["width"] = f"{width['corrected', first] / width['sample', first]:.2f}"
    row["spread"] = f"{spread['corrected', first] / spread['sample', first]:.2f}"
    return row


if __name__ == "__main__":
    main()
