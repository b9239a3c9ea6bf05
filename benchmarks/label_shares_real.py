"""Shares of classes of real photographs by ``label_shares()``, against the known truth.

``caltech101-unbalanced.tar`` in ``../shared/data``, which is no part of the project: 3,887
photographs in 60 classes, clustered with default settings on vectors of EfficientNet-Lite0. Each
draw is a sample of 300 images, stratified by cluster or simply random, whose true classes are the
labels. Logistic regressions on the same vectors predict the others; each image of the sample is
predicted by one that was fitted to the other folds.

    python benchmarks/label_shares_real.py [--draws 500]
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result
from quality import load
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from imagestrata import cluster_images, label_shares, sample_images

BUDGET, FOLDS, N_CLASSES = 300, 5, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=sized(3, 200, 500))
    n = parser.parse_args().draws
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        truth, embeddings = load(Path(folder), "efficientnet_lite0")
        x = np.asarray(embeddings.matrix, dtype=float)
    clustering = cluster_images(embeddings, progress=False)
    images = clustering.images[["image_id", "cluster"]]
    assert (images["image_id"] == embeddings.images["image_id"]).all()
    x = PCA(100, random_state=0).fit_transform(x / np.linalg.norm(x, axis=1, keepdims=True))
    labels = truth.loc[images["image_id"]].to_numpy()
    largest = pd.Series(labels).value_counts().index[:N_CLASSES]
    asked = np.where(np.isin(labels, largest), labels, "other")
    designs = {"by cluster": images, "simple": images.assign(cluster=1)}
    found = pd.concat(
        [
            one_draw(strata, x, asked, seed).assign(design=design)
            for design, strata in designs.items()
            for seed in range(n)
        ]
    )
    found["truth"] = found["label"].map(pd.Series(asked).value_counts(normalize=True))
    found["holds"] = found["conf_low"].le(found["truth"] + 1e-9) & found["conf_high"].ge(
        found["truth"] - 1e-9
    )
    found["width"] = found["conf_high"] - found["conf_low"]
    rows = []
    for design, drawn in found.groupby("design"):
        by_class = [summed(str(label), group) for label, group in drawn.groupby("label")]
        by_class.sort(key=lambda row: -float(row["true share"]))
        every = {"class": "mean", **means(by_class)}
        rows += [{"sample": str(design), **row} for row in [*by_class, every]]
    write_result(
        "label_shares_real",
        rows,
        simulations=n,
        title="Shares of classes of real photographs",
        notes=[
            f"{n} draws of {BUDGET} of {len(images):,} photographs "
            f"(sample_images(budget={BUDGET}, allocation='sqrt', singles=True)) by cluster, or "
            f"from all of them; "
            f"{clustering.images['cluster'].nunique()} clusters with the residual. One choice with "
            f"the {N_CLASSES} largest classes and 'other'.",
            f"Predictions: logistic regression on 100 components of the vectors, {FOLDS} folds of "
            "the sample; images outside of the sample have the mean of the five models. Mean "
            f"accuracy {100 * found['accuracy'].mean():.1f}%.",
            "Holds: percent of 95% intervals that hold the true share. Error: the root mean square "
            "of estimate - truth, in percentage points. Width: the mean width of corrected "
            "intervals divided by that of intervals from the sample.",
        ],
    )


def one_draw(images: pd.DataFrame, x: Any, asked: Any, seed: int) -> pd.DataFrame:
    sample = sample_images(images, budget=BUDGET, allocation="sqrt", singles=True, seed=seed)
    at = pd.Index(images["image_id"]).get_indexer(sample["image_id"])
    probability, classes = predict(x, asked, at, seed)
    ids = images["image_id"].to_numpy()
    split = np.full(len(ids), None, dtype=object)
    split[at] = "fold"
    best = probability.argmax(axis=1)
    n = len(classes)
    predictions = pd.DataFrame(
        {
            "image_id": np.repeat(ids, n),
            "label": np.tile(classes, len(ids)),
            "probability": probability.ravel(),
            "decision": (np.arange(n)[None, :] == best[:, None]).ravel(),
            "split": np.repeat(split, n),
        }
    )
    labels = pd.DataFrame({"image_id": ids[at], "code": "class", "label": asked[at]})
    found = label_shares(labels, predictions, sample, clustering=images)
    return found.assign(draw=seed, accuracy=(classes[best] == asked).mean())


def predict(x: Any, asked: Any, at: Any, seed: int) -> tuple[Any, Any]:
    """Probabilities of the classes: out of fold in the sample, and the mean of models elsewhere."""
    classes = np.unique(asked[at])
    fold = np.random.default_rng(seed).permutation(np.arange(len(at)) % FOLDS)
    probability = np.zeros((len(x), len(classes)))
    inside = np.zeros((len(at), len(classes)))
    for one in range(FOLDS):
        train = at[fold != one]
        model = LogisticRegression(C=30, max_iter=200).fit(x[train], asked[train])
        columns = np.searchsorted(classes, model.classes_)
        found = np.zeros_like(probability)
        found[:, columns] = model.predict_proba(x)
        probability += found / FOLDS
        inside[fold == one] = found[at[fold == one]]
    probability[at] = inside
    return probability, classes


def summed(label: str, group: pd.DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = {"class": label, "true share": f"{group['truth'].iloc[0]:.3f}"}
    by = dict(iter(group.groupby("method")))
    for method in ("machine", "sample", "corrected"):
        row[f"{method} holds"] = f"{100 * by[method]['holds'].mean():.1f}"
    for method in ("machine", "sample", "corrected"):
        error = by[method]["estimate"] - by[method]["truth"]
        row[f"{method} error"] = f"{100 * np.sqrt((error**2).mean()):.2f}"
    row["width"] = f"{by['corrected']['width'].mean() / by['sample']['width'].mean():.2f}"
    return row


def means(rows: list[dict[str, Any]]) -> dict[str, str]:
    columns = [name for name in rows[0] if name != "class"]
    return {
        name: "" if name == "true share" else f"{np.mean([float(row[name]) for row in rows]):.2f}"
        for name in columns
    }


if __name__ == "__main__":
    main()
