"""How often the intervals of ``label_shares()`` hold the truth, and how wide they are.

Simulated corpora of clusters of very different size, in which a label occurs in 30% (or 8%) of the
images. Two parties show the images, and the machine's errors depend on the party: it overlooks the
label in images of one, and sees it where it is not in images of the other. One, two, five or twenty
images of a cluster are labelled.

    python benchmarks/label_shares.py [--corpora 1000]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from machine import write_result

from imagestrata.labels.cells import Cells
from imagestrata.labels.estimate import plan_of, tune
from imagestrata.labels.observed import Observed, Target
from imagestrata.labels.shares import _rows

#: Labelled images of a cluster, and clusters.
DESIGNS = {1: 120, 2: 60, 5: 50, 20: 20}
#: The distance between images with and without the label, in standard deviations.
MACHINES = {"good": 4.0, "mediocre": 1.5, "useless": 0.0}
#: What errors depend on: the party, or also the cluster.
BIAS = {"A": -1.0, "B": 1.0}
CLUSTER_BIAS = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=1000)
    n = parser.parse_args().corpora
    rows = []
    for share, by_cluster in ((0.3, False), (0.08, False), (0.3, True)):
        for per_cluster, n_clusters in DESIGNS.items():
            for machine in MACHINES:
                rng = np.random.default_rng([per_cluster, int(100 * share), by_cluster])
                found = [
                    one_corpus(rng, share, per_cluster, n_clusters, machine, by_cluster)
                    for _ in range(n)
                ]
                rows.append(summed(pd.concat(found), share, by_cluster, per_cluster, machine))
    for machine in MACHINES:
        rng = np.random.default_rng(5)
        found = [one_corpus_of_authors(rng, machine) for _ in range(n)]
        rows.append(summed(pd.concat(found), 0.3, None, 5, machine))
    write_result(
        "label_shares",
        rows,
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
            "Authors: 40 authors of each party are drawn anew for each corpus; weight = 'post'. "
            "The truth is the share among posts of all such authors.",
        ],
    )


def corpus(
    rng: np.random.Generator, share: float, n_clusters: int, machine: str, by_cluster: bool
) -> pd.DataFrame:
    """Images of a corpus with their cluster, party, label and prediction."""
    sizes = np.maximum(rng.lognormal(4, 0.6, n_clusters), 8).astype(int)
    cluster = np.repeat(np.arange(n_clusters), sizes)
    chance = 1 / (1 + np.exp(-(np.log(share / (1 - share)) + rng.normal(0, 1.2, n_clusters))))
    of_party = rng.beta(2, 2, n_clusters)
    party = np.where(rng.random(len(cluster)) < of_party[cluster], "A", "B")
    label = rng.random(len(cluster)) < chance[cluster]
    noise, bias = rng.normal(size=len(cluster)), rng.normal(0, CLUSTER_BIAS, n_clusters)
    return pd.DataFrame(
        {
            "image_id": np.arange(len(cluster)).astype(str),
            "cluster": cluster + 1,
            "party": party,
            "label": label.astype(int),
            "f": guess(label, party, noise + by_cluster * bias[cluster], machine),
        }
    )


def guess(label: Any, party: Any, noise: Any, machine: str) -> Any:
    """The machine's probability of the label."""
    distance = MACHINES[machine]
    shift = np.where(party == "A", BIAS["A"], BIAS["B"])
    return 1 / (1 + np.exp(-(distance * (label - 0.5) + shift + noise)))


def draw(rng: np.random.Generator, images: pd.DataFrame, per_cluster: int) -> pd.DataFrame:
    """A sample as sample_images() draws it."""
    rank = images.assign(u=rng.random(len(images))).groupby("cluster")["u"].rank()
    size = images.groupby("cluster")["label"].transform("size")
    n_h = np.minimum(per_cluster, size - 1)
    return images.assign(N_h=size, n_h=n_h)[rank <= n_h][["image_id", "cluster", "N_h", "n_h"]]


def estimates(images: pd.DataFrame, sample: pd.DataFrame, groups: Cells) -> pd.DataFrame:
    """The estimates of label_shares(), without the checks of its tables, for speed."""
    y = np.full(len(images), np.nan)
    at = sample.index.to_numpy()
    y[at] = images["label"].to_numpy(float)[at]
    f = images["f"].to_numpy()
    target = Target("x", "1", "binary", y, f, (f >= 0.5).astype(float))
    numbers, stratum = np.unique(images["cluster"], return_inverse=True)
    strata = sample.drop_duplicates("cluster").sort_values("cluster")[["cluster", "N_h", "n_h"]]
    assert len(strata) == len(numbers)
    frame = pd.DataFrame({"image_id": images["image_id"].to_numpy(), "stratum": stratum})
    observed = Observed(frame, strata, [target], True, True, len(sample))
    plan = plan_of(observed, [target])
    tuned = tune(plan, [target], groups.weights(None, len(images)))
    return _rows(observed, groups, plan, target, tuned, tuned.leverage[0], 0.95)


def cells(party: Any, author: Any = None) -> Cells:
    """Groups of images by party; each image is shown once."""
    n = len(party)
    table = pd.DataFrame({"party": np.unique(party)})
    number = np.searchsorted(table["party"], party)
    who = np.zeros(n, int) if author is None else author
    return Cells(table, ["party"], number, np.arange(n), who, np.ones(n), author is not None)


def one_corpus(
    rng: np.random.Generator,
    share: float,
    per_cluster: int,
    n_clusters: int,
    machine: str,
    by_cluster: bool,
) -> pd.DataFrame:
    images = corpus(rng, share, n_clusters, machine, by_cluster)
    sample = draw(rng, images, per_cluster)
    every = estimates(images, sample, cells(np.full(len(images), "all")))
    parties = estimates(images, sample, cells(images["party"].to_numpy()))
    truth = images.groupby("party")["label"].mean()
    truth["all"] = images["label"].mean()
    return compared(pd.concat([every, parties]), truth)


def one_corpus_of_authors(rng: np.random.Generator, machine: str) -> pd.DataFrame:
    """Authors with propensities of their own; clusters are groups of similar images."""
    truth = pd.Series({"A": 0.25, "B": 0.4})
    n_posts = np.maximum(rng.lognormal(3, 0.8, 80), 3).astype(int)
    author = np.repeat(np.arange(80), n_posts)
    party = np.where(author < 40, "A", "B")
    mean = truth[np.where(np.arange(80) < 40, "A", "B")].to_numpy()
    propensity = rng.beta(6 * mean, 6 * (1 - mean))
    label = rng.random(len(author)) < propensity[author]
    f = guess(label, party, rng.normal(size=len(author)), machine)
    likeness = label + rng.normal(0, 1, len(author))
    cluster = np.clip(((likeness + 1.5) * 12).astype(int), 0, 45) + 1
    ids = np.arange(len(author)).astype(str)
    images = pd.DataFrame({"image_id": ids, "cluster": cluster, "label": label.astype(int), "f": f})
    images = images.assign(party=party, author=author)
    images = images[images.groupby("cluster")["label"].transform("size") > 1]
    images = images.reset_index(drop=True)
    sample = draw(rng, images, 5)
    found = estimates(
        images, sample, cells(images["party"].to_numpy(), images["author"].to_numpy())
    )
    return compared(found, truth)


def compared(found: pd.DataFrame, truth: pd.Series) -> pd.DataFrame:
    true = found["party"].map(truth)
    return found.assign(
        error=found["estimate"] - true,
        holds=(found["conf_low"] <= true + 1e-9) & (true <= found["conf_high"] + 1e-9),
        width=found["conf_high"] - found["conf_low"],
    )


def summed(
    found: pd.DataFrame, share: float, by_cluster: bool | None, per_cluster: int, machine: str
) -> dict[str, Any]:
    """One row of the table."""
    groups = found.groupby(["method", "party"])
    holds, width = 100 * groups["holds"].mean(), groups["width"].mean()
    spread = groups["error"].std()
    kind = {None: "authors", False: "party", True: "party, cluster"}[by_cluster]
    row: dict[str, Any] = {
        "share": share, "errors by": kind, "per cluster": per_cluster, "machine": machine
    }  # fmt: skip
    for method in ("machine", "sample", "corrected"):
        for party in ("all", "A", "B"):
            value = holds.get((method, party))
            row[f"{method}: {party}"] = None if value is None else f"{value:.1f}"
    first = "all" if by_cluster is not None else "A"
    row["lambda"] = f"{found['lambda'].mean():.2f}"
    row["width"] = f"{width['corrected', first] / width['sample', first]:.2f}"
    row["spread"] = f"{spread['corrected', first] / spread['sample', first]:.2f}"
    return row


if __name__ == "__main__":
    main()
