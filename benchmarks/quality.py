"""How well clusterings recover known classes, and whether new images find their cluster.

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in
``../shared/data``, which are no part of the project. Every number is a mean over
seeds of the measures of ``score_clustering``: images of the residual count as apart
from everything.

    python benchmarks/quality.py [--seeds 6]
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import DATA, photographs, sized, write_result
from sklearn.metrics import adjusted_rand_score

from imagestrata import Embeddings, cluster_images, embed_images, score_clustering

ENCODERS = ("efficientnet_lite0", "mobilenet_v2", "hog", "bovw")
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
    yield "no neighbourhood step", {"neighbors": None}, 1
    fixed = {"k": 5, "similarity_threshold": 0.05, "release_share": 1, "normalize": "l2"}
    yield "no step, k=5, threshold 0.05, l2", {"neighbors": None, **fixed}, 1
    yield "hdbscan", {"method": "hdbscan"}, 6
    yield "paper", {"preset": "paper"}, 3
    for k in SINGLE:
        yield f"single k-means, {k} clusters", {"method": "kmeans", "n_clusters": k}, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=sized(1, 2, 6))
    n_seeds = parser.parse_args().seeds
    rows, placed = [], []
    for encoder in ENCODERS:
        with tempfile.TemporaryDirectory() as folder:
            labels, embeddings = load(Path(folder), encoder)
        found = [
            row(encoder, name, given, embeddings, labels, max(1, n_seeds // fewer))
            for name, given, fewer in settings()
        ]
        for measure in ("pair F1", "B-cubed F", "AMI"):
            best = max(r[measure] for r in found if r["clustering"].startswith("single"))
            for r in found:
                r[f"{measure} / best single"] = f"{r[measure] / best:.2f}"
        rows += found
        placed.append(
            {"encoder": encoder, "seeds": n_seeds, **new_images(embeddings, labels, n_seeds)}
        )
    write_result(
        "quality",
        rows,
        title="Clusterings against true classes",
        notes=[
            f"{len(labels)} photographs of {labels.nunique()} classes, strongly unbalanced "
            f"({labels.value_counts().max()} to {labels.value_counts().min()} images).",
            "Means over the seeds counted in the column. The best single k-means is chosen with "
            "the labels, for each measure its own. ARI: adjusted Rand index between pairs of "
            "seeds.",
        ],
    )
    write_result(
        "quality_new",
        placed,
        title="New images in a finished clustering",
        notes=[
            "A tenth of the photographs is held out, the others are clustered, and "
            "`predict()` places the held-out ones. Shares of them in a cluster whose most "
            "frequent class is theirs: placed, and clustered together with the others.",
        ],
    )


def load(folder: Path, encoder: str, few: int = 6) -> tuple[pd.Series, Embeddings]:
    """True classes and embeddings of the labelled photographs, by image id."""
    table = photographs(folder, few)
    table["path"] = [str(folder / path) for path in table["path"]]
    weights = DATA / "mobilenet_v2_imagenet.pth" if encoder == "mobilenet_v2" else None
    embeddings = embed_images(table, encoder, weights=weights)
    return embeddings.images.set_index("image_id")["class"], embeddings


def row(
    encoder: str,
    name: str,
    given: dict[str, Any],
    embeddings: Embeddings,
    labels: pd.Series,
    n_seeds: int,
) -> dict[str, Any]:
    """Mean measures of one way to cluster the vectors of an encoder."""
    scores, clusters = [], []
    for seed in range(n_seeds):
        found = cluster_images(embeddings, seed=seed, progress=False, **given).images
        truth = labels.loc[found["image_id"]].to_numpy()
        scores.append(score_clustering(found["cluster"], truth).set_index("measure")["estimate"])
        clusters.append(found["cluster"].to_numpy())
    mean = pd.concat(scores, axis=1).mean(axis=1)
    pairs = [adjusted_rand_score(a, b) for a, b in itertools.combinations(clusters, 2)]
    return {
        "encoder": encoder,
        "clustering": name,
        "seeds": n_seeds,
        "clusters": round(sum(found.max() for found in clusters) / n_seeds),
        **{shown: round(float(mean[measure]), 3) for measure, shown in MEASURES.items()},
        "ARI between seeds": round(float(np.mean(pairs)), 3) if pairs else "",
    }


def new_images(embeddings: Embeddings, labels: pd.Series, n_seeds: int) -> dict[str, Any]:
    """Shares of held-out images in a cluster of their class, placed and clustered together."""
    truth = labels.loc[embeddings.images["image_id"]].to_numpy()
    shares = []
    for seed in range(n_seeds):
        held_out = np.zeros(len(truth), dtype=bool)
        held_out[np.random.default_rng(seed).permutation(len(truth))[: len(truth) // 10]] = True
        others = cluster_images(embeddings.matrix[~held_out], seed=seed, progress=False)
        placed = others.predict(embeddings.matrix[held_out])["cluster"].to_numpy()
        whole = cluster_images(embeddings.matrix, seed=seed, progress=False)
        together = whole.images["cluster"].to_numpy()
        before = others.images["cluster"].to_numpy()
        shares.append(
            (
                share(placed, majority(before, truth[~held_out]), truth[held_out]),
                share(together[held_out], majority(together, truth), truth[held_out]),
            )
        )
    placed_share, together_share = np.mean(shares, axis=0)
    return {
        "placed": round(float(placed_share), 3),
        "clustered together": round(float(together_share), 3),
        "ratio": f"{placed_share / together_share:.3f}" if together_share else "",
    }


def majority(clusters: np.ndarray, truth: np.ndarray) -> pd.Series:
    """The most frequent class of each cluster."""
    inside = clusters > 0
    return pd.Series(truth[inside]).groupby(clusters[inside]).agg(lambda x: x.mode().iloc[0])


def share(clusters: np.ndarray, classes: pd.Series, truth: np.ndarray) -> float:
    return float((classes.reindex(clusters).to_numpy() == truth).mean())


if __name__ == "__main__":
    main()
