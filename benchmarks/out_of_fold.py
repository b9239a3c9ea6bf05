"""Whether out-of-fold accuracy agrees with the accuracy on images that were never used.

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in ``../shared/data``,
which are no part of the project. In each draw, some photographs of the ten largest classes are
labelled and the others are held out; ``fine_tune(folds=5)`` and a network without folds are
trained, and both label the others.

    python benchmarks/out_of_fold.py [--draws 20]
"""

from __future__ import annotations

import argparse
import math
import tarfile
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import write_result

from imagestrata import embed_images, fine_tune, predict_labels, scan_images

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WEIGHTS = DATA / "mobilenet_v2_imagenet.pth"
N_CLASSES = 10

#: Settings, images with labels, and images held out.
TASKS: dict[str, tuple[dict[str, Any], int, int]] = {
    "hog, last layer": ({"encoder": "hog", "freeze": "backbone", "epochs": 20}, 250, 1200),
    "MobileNetV2, all weights": (
        {"encoder": "mobilenet_v2", "weights": WEIGHTS, "epochs": 4, "batch_size": 8}, 120, 400,
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20)
    draws = parser.parse_args().draws
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with tarfile.open(DATA / "caltech101-unbalanced.tar") as archive:
            archive.extractall(folder, filter="data")
        truth = pd.read_csv(folder / "labels.csv")
        truth = truth[truth["class"].isin(truth["class"].value_counts().index[:N_CLASSES])]
        images = scan_images(folder / "images", near_duplicates=4, progress=False)
        classes = dict(
            zip((str(folder / path) for path in truth["path"]), truth["class"], strict=True)
        )
        usable = images[(images["status"] == "ok") & images["path"].isin(classes)]
        usable = usable.assign(topic=usable["path"].map(classes)).reset_index(drop=True)
        rows = []
        for task, (settings, n, n_others) in TASKS.items():
            several = draws if settings.get("freeze") else max(2, draws // 5)
            each = pd.DataFrame(
                [draw(usable, settings, n, n_others, seed) for seed in range(several)]
            )
            rows.append({"network": task, "draws": several, "labels": n} | summarised(each))
    write_result(
        "out_of_fold",
        rows,
        title="Out-of-fold accuracy against the accuracy on new images",
        notes=[
            f"The {N_CLASSES} largest classes of the photographs; labelled images are a simple "
            "random sample, so that the others are like them; near-copies are left out. Means "
            "over draws of accuracy; differences with their standard errors between draws.",
            "In sample: a network without folds on its training images. New: the images without "
            "labels (1,200 or 400), by the mean of the five networks, and by one network alone.",
            "Covered: draws in which the 95% interval of the out-of-fold accuracy holds the "
            "accuracy of the mean of the networks on new images.",
        ],
    )


def draw(
    images: pd.DataFrame, settings: dict[str, Any], n: int, n_others: int, seed: int
) -> dict[str, Any]:
    """Label some images, and return accuracies."""
    order = np.random.default_rng(seed).permutation(len(images))
    some, others = (images.iloc[rows] for rows in (order[:n], order[n : n + n_others]))
    kinds = some["topic"].value_counts()
    some = some[some["topic"].isin(kinds.index[kinds >= 5])]  # a fold needs one of each
    others = others[others["topic"].isin(some["topic"])]
    labels = some[["image_id", "topic"]]
    table = images.drop(columns="topic")
    given = {"labels": labels, "task": "multiclass", "seed": seed, "progress": False} | settings
    folded = fine_tune(table, folds=5, **given)
    single = fine_tune(table, split=(0.75, 0.25, 0.0), **given)
    new = table[table["image_id"].isin(others["image_id"])]
    overall = folded.scores.iloc[0]
    scores = single.scores[single.scores["split"] == "train"]
    return {
        "out of fold": overall["estimate"],
        "low": overall["conf_low"],
        "high": overall["conf_high"],
        "in sample": scores["estimate"].iloc[0],
        "new, mean of networks": accuracy(new, folded, others),
        "new, one network": accuracy(new, single, others),
    }


def accuracy(new: pd.DataFrame, model: Any, others: pd.DataFrame) -> float:
    """The share of new images to which a model assigns the right class."""
    given: Any = new
    if len(model.networks) == 1:
        given = embed_images(new, model=model, progress=False)
    found = predict_labels(given, model, progress=False)
    assert found["split"].isna().mean() > 0.97  # all but near-copies by chance
    found = found[found["decision"].astype(bool) & found["split"].isna()]
    truth = others.set_index("image_id")["topic"]
    return float((found["label"] == truth[found["image_id"]].to_numpy()).mean())


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
