"""How often the intervals of score_labels() contain the truth.

Corpora are simulated, so that the scores of all their images are known. 300 images are labelled,
1, 2, 5 or 20 of each cluster; clusters differ in size and in the share of images with the label.
The predictions are right less often for one of two subgroups.

    python benchmarks/score_labels.py [--corpora 1000]
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result

from imagestrata import score_labels

LABELLED = 300
IMAGES = 2000
PER_CLUSTER = (1, 2, 5, 20)
#: Shares of right decisions about the images of either subgroup.
RIGHT = {"good": (0.97, 0.92), "mediocre": (0.85, 0.7)}


def corpus(per: int, right: tuple[float, float], rng: np.random.Generator) -> pd.DataFrame:
    """All images of a corpus, of which ``per`` of each cluster are in the sample."""
    clusters = LABELLED // per
    size = per + 1 + rng.negative_binomial(1.5, 1.5 / (1.5 + IMAGES / clusters), clusters)
    cluster = np.repeat(np.arange(1, clusters + 1), size)
    n = len(cluster)
    y = rng.random(n) < (1 / (1 + np.exp(-rng.normal(-0.8, 1.2, clusters))))[cluster - 1]
    group = rng.random(n) < 0.4
    decision = y ^ (rng.random(n) > np.where(group, right[1], right[0]))
    spread = rng.normal(0, 0.8, n)
    images = pd.DataFrame(
        {
            "image_id": np.arange(n).astype(str), "cluster": cluster, "y": y.astype(int),
            "group": np.where(group, "b", "a"), "decision": decision,
            "probability": 1 / (1 + np.exp(-np.where(decision, 1.0, -1.0) * np.exp(spread))),
        }
    )  # fmt: skip
    drawn = images.iloc[rng.permutation(n)].groupby("cluster").head(per)
    n_h = pd.Series(size, index=range(1, clusters + 1))
    return images.assign(
        sampled=images["image_id"].isin(drawn["image_id"]),
        N_h=images["cluster"].map(n_h), n_h=per,
    )  # fmt: skip


def tables(images: pd.DataFrame) -> dict[str, Any]:
    """The labels and predictions of some images."""
    predictions = images[["image_id", "decision", "probability"]].assign(label="c", split=None)
    return {
        "labels": images[["image_id"]].assign(code="c", label=images["y"]),
        "predictions": predictions, "by": "group", "images": images[["image_id", "group"]],
        "bins": 5,
    }  # fmt: skip


def rows_of(found: Any) -> pd.DataFrame:
    """Scores, differences and calibration as one table, with a name for what is measured."""
    scores = found.scores.assign(kind=found.scores["measure"], where=found.scores["group"])
    gaps = found.differences.assign(
        kind="difference in " + found.differences["measure"], where="both", n=np.nan
    )
    bins = found.calibration.assign(
        kind="calibration", where=found.calibration["group"] + found.calibration["bin_low"].map(str)
    )
    columns = ["kind", "where", "estimate", "conf_low", "conf_high", "n"]
    return pd.concat([part[columns] for part in (scores, gaps, bins)], ignore_index=True)


def one(per: int, right: tuple[float, float], seed: int) -> pd.DataFrame:
    images = corpus(per, right, np.random.default_rng(seed))
    truth = rows_of(score_labels(**tables(images)))
    drawn = images[images["sampled"]]
    sample = drawn[["image_id", "cluster", "N_h", "n_h"]]
    found = rows_of(score_labels(**tables(drawn), sample=sample))
    both = found.merge(truth[["kind", "where", "estimate"]], on=["kind", "where"],
                       suffixes=("", "_true"))  # fmt: skip
    both = both[both["conf_low"].notna()]
    inside = both["estimate_true"].between(both["conf_low"] - 1e-12, both["conf_high"] + 1e-12)
    return both.assign(covered=inside, width=both["conf_high"] - both["conf_low"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=sized(3, 200, 1_000))
    n = parser.parse_args().corpora
    warnings.simplefilter("ignore")
    rows = []
    for name, right in RIGHT.items():
        for per in PER_CLUSTER:
            found = pd.concat([one(per, right, seed) for seed in range(n)])
            means = found.groupby("kind", sort=False)["covered"].mean()
            rows.append({"predictor": name, "images per cluster": per} | {
                kind.replace("difference in", "diff."): f"{100 * share:.1f}%"
                for kind, share in means.items()
            })  # fmt: skip
    write_result(
        "score_labels",
        rows,
        simulations=n,
        title="How often do intervals of score_labels() contain the truth?",
        notes=[
            f"{n} corpora per row, {LABELLED} labelled images of about {IMAGES}, two subgroups; "
            "nominal coverage 95%, mean over the subgroups (calibration: over 5 bins of each).",
            "The truth is the score of all images of the corpus.",
        ],
    )


if __name__ == "__main__":
    main()
