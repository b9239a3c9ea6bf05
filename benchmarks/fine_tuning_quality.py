"""What fine-tuning brings on real photographs, with real weights.

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in
``../shared/data``, which are no part of the project. Three tasks: watches against the
rest (100 and 100 images), six classes of 50 images, and 12 labels on 609 images; the
whole network and a frozen backbone; then the default clustering of all photographs on
the embedding of the network with 12 labels against that on the plain one.

    python benchmarks/fine_tuning_quality.py [--epochs 50]
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from machine import DATA, photographs, sized, write_result

from imagestrata import cluster_images, embed_images, fine_tune, scan_images, score_clustering

WEIGHTS = DATA / "mobilenet_v2_imagenet.pth"
SIX = ("car_side", "bonsai", "ketch", "Leopards", "chandelier", "hawksbill")
#: Photographs with a watch and without, of each of six classes, of each of twelve, and of all.
WATCHES, OF_SIX, OF_TWELVE, ALL = sized((20, 12, 8, 130), (100, 50, 45, 609))
TWELVE = (*SIX, "grand_piano", "umbrella", "schooner", "wheelchair", "brain", "nautilus")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=sized(1, 6, 50))
    epochs = parser.parse_args().epochs
    warnings.filterwarnings("ignore", message=".*have no label.*")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        truth = photographs(folder, few=20)
        images = scan_images(folder / "images", progress=False)
        rows = []
        for task, labels in tasks(truth).items():
            for freeze in ("backbone", "none"):
                model = fine_tune(
                    images, labels, encoder="mobilenet_v2", weights=WEIGHTS, freeze=freeze,
                    epochs=epochs, early_stopping=10, out=folder / task / freeze, progress=False,
                )  # fmt: skip
                rows.append(row(task, freeze, model))
        rows += clusterings(folder, images, truth)
    write_result(
        "fine_tuning_quality",
        rows,
        title="Fine-tuned MobileNetV2 on photographs",
        notes=[
            "Figures of the test images, looked at once, with 95% intervals; one seed, defaults "
            f"of fine_tune() with {epochs} epochs and early_stopping=10.",
            "Clusterings: default settings, three seeds, scored on the photographs that the "
            "network was not trained, validated or tested on.",
        ],
    )


def tasks(truth: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Tables of labels."""
    rest = truth[truth["class"] != "watch"].sample(WATCHES, random_state=0)
    watch = pd.concat([truth[truth["class"] == "watch"].sample(WATCHES, random_state=0), rest])
    six = truth[truth["class"].isin(SIX)].groupby("class").sample(OF_SIX, random_state=0)
    some = truth[truth["class"].isin(TWELVE)].groupby("class").sample(OF_TWELVE, random_state=0)
    others = truth[~truth["class"].isin(TWELVE)].sample(ALL - len(some), random_state=0)
    twelve = pd.concat([some, others])
    return {
        "watch or not": watch.assign(watch=(watch["class"] == "watch").astype(int)).drop(
            columns="class"
        ),
        "six classes": six,
        "twelve labels": twelve[["path"]].assign(
            **{name: (twelve["class"] == name).astype(int) for name in TWELVE}
        ),
    }


def row(task: str, freeze: str, model: Any) -> dict[str, Any]:
    """The summary label's measures on the test images."""
    test = model.scores[model.scores["split"] == "test"].head(4).set_index("measure")
    line = model.summary.iloc[0]
    return {
        "task": task,
        "trained": "last layer" if freeze == "backbone" else "all",
        "test images": int(line["n_test"]),
        **{name: spread(test.loc[name]) for name in test.index},
        "epoch": f"{line['best_epoch']} of {line['epochs']}",
        "pair F1": None,
        "B-cubed F": None,
        "AMI": None,
    }


def spread(measured: pd.Series) -> str:
    return f"{measured['estimate']:.2f} ({measured['conf_low']:.2f}-{measured['conf_high']:.2f})"


def clusterings(folder: Path, images: pd.DataFrame, truth: pd.DataFrame) -> list[dict[str, Any]]:
    """Clusterings on plain and on fine-tuned vectors."""
    used = set(tasks(truth)["twelve labels"]["path"])
    fresh = truth[~truth["path"].isin(used)]
    classes = dict(zip((str(folder / path) for path in fresh["path"]), fresh["class"], strict=True))
    taught = {path for path, name in classes.items() if name in TWELVE}
    rows = []
    for vectors, given in (
        ("plain", {"encoder": "mobilenet_v2", "weights": WEIGHTS}),
        ("network of the 12 labels", {"model": folder / "twelve labels" / "none"}),
    ):
        embeddings = embed_images(images, progress=False, **given)
        found = [cluster_images(embeddings, seed=seed, progress=False).images for seed in range(3)]
        for which, paths in (("the 12 classes", taught), ("other classes", {*classes} - taught)):
            scores = []
            for table in found:
                kept = table[table["path"].isin(paths)]
                scored = score_clustering(kept["cluster"], kept["path"].map(classes))
                scores.append(scored.set_index("measure")["estimate"])
            mean = pd.DataFrame(scores).mean()
            empty = ("trained", "test images", "accuracy", "precision", "recall", "f1", "epoch")
            rows.append(
                {"task": f"clustering, {vectors}: new images of {which}", **dict.fromkeys(empty)}
                | {
                    "pair F1": f"{mean['f1']:.3f}",
                    "B-cubed F": f"{mean['bcubed_f1']:.3f}",
                    "AMI": f"{mean['adjusted_mutual_info']:.3f}",
                }
            )
    return rows


if __name__ == "__main__":
    main()
