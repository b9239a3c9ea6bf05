"""Whether out-of-fold accuracy agrees with the accuracy on images that were never used.

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in ``../shared/data``,
which are no part of the project. In each draw, some photographs of the ten largest classes are
labelled and the others are held out; ``fine_tune(folds=)`` and a network without folds are
trained, and both label the others.

    python benchmarks/out_of_fold.py [--draws 10]
"""

from __future__ import annotations

import argparse
import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import DATA, photographs, sized, write_result

from imagestrata import (
    Embeddings,
    FineTunedModel,
    embed_images,
    fine_tune,
    predict_labels,
    scan_images,
)

WEIGHTS = DATA / "mobilenet_v2_imagenet.pth"
N_CLASSES = 10

#: Settings, folds, images with labels, and images held out.
TASKS: dict[str, tuple[dict[str, Any], int, int, int]] = {
    "hog, last layer": (
        {"encoder": "hog", "freeze": "backbone", "epochs": 20}, 5, 250, sized(100, 1200),
    ),
    "MobileNetV2, all weights": (
        {"encoder": "mobilenet_v2", "weights": WEIGHTS, "epochs": sized(1, 4), "batch_size": 8},
        3, sized(40, 100), sized(20, 300),
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=sized(2, 4, 10))
    draws = parser.parse_args().draws
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        truth = photographs(folder, few=40)
        truth = truth[truth["class"].isin(truth["class"].value_counts().index[:N_CLASSES])]
        images = scan_images(folder / "images", near_duplicates=4, progress=False)
        classes = dict(
            zip((str(folder / path) for path in truth["path"]), truth["class"], strict=True)
        )
        usable = images[(images["status"] == "ok") & images["path"].isin(classes)]
        usable = usable.assign(topic=usable["path"].map(classes)).reset_index(drop=True)
        rows: list[dict[str, Any]] = []
        for task, (settings, folds, n, n_others) in TASKS.items():
            shared = settings.get("freeze") == "backbone"
            vectors = None
            if shared:
                vectors = embed_images(usable, settings["encoder"], progress=False)
            several = draws if shared else max(2, draws // 5)
            each = []
            for seed in range(several):
                sizes = {"folds": folds, "n": n, "n_others": n_others}
                each.append(draw(usable, vectors, settings, seed=seed, **sizes))
                print(task, seed, each[-1], flush=True)
            rows.append(
                {"network": task, "folds": folds, "draws": several, "labels": n}
                | summarised(pd.DataFrame(each))
            )
            write(rows)


def write(rows: list[dict[str, Any]]) -> None:
    write_result(
        "out_of_fold",
        rows,
        title="Out-of-fold accuracy against the accuracy on new images",
        notes=[
            f"The {N_CLASSES} largest classes of the photographs; labelled images are a simple "
            "random sample, so that the others are like them; near-copies are left out. Means "
            "over draws of accuracy; differences with their standard errors between draws.",
            "In sample: a network without folds on its training images. New: "
            f"{' or '.join(f'{n:,}' for *_, n in TASKS.values())} images without labels, by the "
            "mean of the networks of all folds, and by the one network without folds.",
            "Covered: draws in which the 95% interval of the out-of-fold accuracy holds the "
            "accuracy of the mean of the networks on new images.",
        ],
    )


def draw(
    images: pd.DataFrame,
    vectors: Embeddings | None,
    settings: dict[str, Any],
    *,
    folds: int,
    n: int,
    n_others: int,
    seed: int,
) -> dict[str, Any]:
    """Label some images, and return accuracies."""
    order = np.random.default_rng(seed).permutation(len(images))
    some, others = (images.iloc[rows] for rows in (order[:n], order[n : n + n_others]))
    kinds = some["topic"].value_counts()
    some = some[some["topic"].isin(kinds.index[kinds >= folds])]  # a fold needs one of each
    others = others[others["topic"].isin(some["topic"])]
    labels = some[["image_id", "topic"]]
    table = images.drop(columns="topic")
    given = {"labels": labels, "task": "multiclass", "seed": seed, "progress": False} | settings
    folded = fine_tune(table, folds=folds, **given)
    single = fine_tune(table, split=(0.75, 0.25, 0.0), **given)
    overall = folded.scores.iloc[0]
    scores = single.scores[single.scores["split"] == "train"]
    return {
        "out of fold": overall["estimate"],
        "low": overall["conf_low"],
        "high": overall["conf_high"],
        "in sample": scores["estimate"].iloc[0],
        "new, mean of networks": accuracy(vectors, folded, others),
        "new, one network": accuracy(vectors, single, others),
    }


def accuracy(vectors: Embeddings | None, model: FineTunedModel, others: pd.DataFrame) -> float:
    """The share of new images to which a model assigns the right class."""
    truth = others["topic"].to_numpy()
    if vectors is not None:
        rows = pd.Index(vectors.images["image_id"]).get_indexer(others["image_id"])
        probability = model.by_network(vectors.matrix[rows]).mean(axis=0)
        return float((np.array(model.labels)[probability.argmax(axis=1)] == truth).mean())
    found = predict_labels(others.drop(columns="topic"), model, progress=False)
    found = found[found["decision"].astype(bool)]
    topic = others.set_index("image_id")["topic"]
    return float((found["label"] == topic[found["image_id"]].to_numpy()).mean())


def summarised(each: pd.DataFrame) -> dict[str, Any]:
    """Means over draws, and mean differences with their standard errors."""
    new = each["new, mean of networks"]
    names = ("in sample", "out of fold", "new, mean of networks", "new, one network")
    covered = (each["low"] <= new) & (new <= each["high"])
    return {
        **{name: f"{each[name].mean():.3f}" for name in names},
        "in sample - new": difference(each["in sample"] - each["new, one network"]),
        "out of fold - new": difference(each["out of fold"] - new),
        "out of fold - one network": difference(each["out of fold"] - each["new, one network"]),
        "covered": f"{covered.sum()} of {len(each)}",
    }


def difference(values: pd.Series) -> str:
    return f"{values.mean():+.3f} ({values.std() / math.sqrt(len(values)):.3f})"


if __name__ == "__main__":
    main()
