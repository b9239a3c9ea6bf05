"""How well clusterings recover known classes: iterative against single k-means.

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in
``../shared/data``, which are no part of the project. Every number is a mean over
seeds of the measures of ``score_clustering``: images of the residual count as apart
from everything.

    python benchmarks/quality.py [--seeds 6] [--encoder mobilenet_v2]
"""

from __future__ import annotations

import argparse
import functools
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from machine import write_result

from imagestrata import Clustering, Embeddings, cluster_images, embed_images, score_clustering

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SINGLE = (10, 20, 30, 55, 100, 150, 300)
MEASURES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "pair F1",
    "bcubed_f1": "B-cubed F",
    "adjusted_mutual_info": "AMI",
    "share_residual": "residual",
}


def settings() -> Iterator[tuple[str, dict[str, Any], int]]:
    """The compared clusterings: name, arguments, how many times as few seeds."""
    yield "default", {}, 1
    yield "default, l2", {"normalize": "l2"}, 1
    yield "default, 50 components", {"n_components": 50}, 1
    for k in SINGLE:
        yield f"single k-means, {k} clusters", {"method": "kmeans", "n_clusters": k}, 1
    for k in (5, 10, 15):
        for threshold in (0.03, 0.05, 0.06):
            fixed = {"k": k, "similarity_threshold": threshold, "release_share": 1}
            yield f"k={k}, threshold {threshold}", fixed, 1
            if k < 15:
                yield f"k={k}, threshold {threshold}, l2", {**fixed, "normalize": "l2"}, 1
    for step in (3, 5):
        for hundredths in range(6):
            threshold = hundredths / 100
            grid = {"preset": "paper", "step_size": step, "similarity_threshold": threshold}
            yield f"paper, step {step}, threshold {threshold:.2f}", grid, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--encoder", default="mobilenet_v2")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        labels, embeddings = load(Path(folder), arguments.encoder)
    rows = []
    for name, given, fewer in settings():
        fit = functools.partial(cluster_images, embeddings, progress=False, **given)
        rows.append(row(name, fit, labels, max(1, arguments.seeds // fewer)))
    best = {
        measure: max(r[measure] for r in rows if r["clustering"].startswith("single"))
        for measure in ("pair F1", "B-cubed F")
    }
    for r in rows:
        for measure, value in best.items():
            r[f"{measure} / best single"] = f"{r[measure] / value:.2f}"
    suffix = "" if arguments.encoder == "mobilenet_v2" else f"-{arguments.encoder}"
    write_result(
        f"quality{suffix}",
        rows,
        title=f"Clusterings against true classes, {arguments.encoder}",
        notes=[
            f"{len(labels)} photographs of {labels.nunique()} classes, strongly unbalanced "
            f"({labels.value_counts().max()} to {labels.value_counts().min()} images).",
            "Means over the seeds counted in the column; pair F1 also with its range.",
        ],
    )


def load(folder: Path, encoder: str) -> tuple[pd.Series, Embeddings]:
    """True classes and embeddings of the labelled photographs, by image id."""
    with tarfile.open(DATA / "caltech101-unbalanced.tar") as archive:
        archive.extractall(folder, filter="data")
    table = pd.read_csv(folder / "labels.csv")
    table["path"] = [str(folder / path) for path in table["path"]]
    weights = DATA / "mobilenet_v2_imagenet.pth" if encoder == "mobilenet_v2" else None
    embeddings = embed_images(table, encoder, weights=weights)
    return embeddings.images.set_index("image_id")["class"], embeddings


def row(
    name: str, fit: Callable[..., Clustering], labels: pd.Series, n_seeds: int
) -> dict[str, Any]:
    scores, clusters = [], []
    for seed in range(n_seeds):
        found = fit(seed=seed).images
        truth = labels.loc[found["image_id"]].to_numpy()
        scores.append(score_clustering(found["cluster"], truth).set_index("measure")["estimate"])
        clusters.append(found["cluster"].max())
    mean = pd.concat(scores, axis=1).mean(axis=1)
    values = {shown: round(float(mean[measure]), 3) for measure, shown in MEASURES.items()}
    f1 = [score["f1"] for score in scores]
    return {
        "clustering": name,
        "seeds": n_seeds,
        "clusters": round(sum(clusters) / n_seeds),
        **values,
        "F1 range": f"{min(f1):.2f}-{max(f1):.2f}",
    }


if __name__ == "__main__":
    main()
