"""How well themes of clusters agree with categories above the classes of photographs.

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in ``../shared/data``, which
are no part of the project. Of the 60 classes, 53 have a category: vehicles, birds and so on. In
each resample, 85 percent of these classes and 70 percent of their photographs are drawn, and
clustered; the category of a cluster is the most frequent one of its images.

    python benchmarks/themes.py [--seeds 12]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result
from quality import load
from scipy.cluster.hierarchy import cophenet, fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import adjusted_mutual_info_score, roc_auc_score, silhouette_score

from imagestrata import Clustering, Embeddings, cluster_images
from imagestrata.clustering.neighborhoods import neighborhood_rows
from imagestrata.clustering.themes import distances, grow_tree, usual_number
from imagestrata.rows import as_rows

CATEGORIES = {
    "vehicles": "airplanes Motorbikes car_side ferry ketch schooner",
    "faces": "Faces Faces_easy",
    "mammals": "Leopards dalmatian hedgehog beaver cougar_face rhino platypus",
    "birds": "flamingo emu pigeon ibis flamingo_head",
    "reptiles": "hawksbill crocodile_head stegosaurus brontosaurus",
    "insects": "dragonfly butterfly scorpion mayfly tick ant",
    "sea": "nautilus sea_horse starfish",
    "plants": "bonsai lotus joshua_tree strawberry",
    "instruments": "grand_piano electric_guitar saxophone accordion gramophone",
    "household": "chandelier chair ceiling_fan umbrella wheelchair barrel cup",
    "devices": "wrench scissors cannon inline_skate watch headphone",
}
CATEGORY = {name: category for category, names in CATEGORIES.items() for name in names.split()}
LINKAGES = ("average", "complete", "ward", "single")
NUMBERS = (6, 8, 11, 14, 18)
CLUSTERINGS: dict[str, dict[str, Any]] = {
    "iterative": {},
    "k-means, 60": {"method": "kmeans", "n_clusters": 60},
    "hdbscan": {"method": "hdbscan"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=sized(2, 4, 8))
    n_seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as folder:
        labels, embeddings = load(Path(folder), "mobilenet_v2", few=20)
    truth = labels.loc[embeddings.images["image_id"]].to_numpy()
    rows, numbers = [], []
    for seed in range(n_seeds):
        vectors, found = clusterings(embeddings, truth, seed)
        unit = as_rows(vectors.matrix, "l2")
        spaces = {
            "directions from the mean image": unit[:],
            "after the neighbourhood step": neighborhood_rows(unit)[:],
            "after its shorter walk": neighborhood_rows(unit, short=True)[:],
        }
        for name, clustering in found.items():
            categories = categories_of(clustering, truth, embeddings)
            for distance, apart in compared(clustering, spaces).items():
                for method in LINKAGES:
                    measured = measure(apart, method, categories)
                    key = {"clusters": name, "distance": distance, "linkage": method}
                    rows.append(key | measured)
            numbers += [{"clusters": name} | one for one in rules(clustering, categories)]
    table = pd.DataFrame(rows).groupby(["clusters", "distance", "linkage"], sort=False)
    write_result(
        "themes",
        summed(table),
        resamples=n_seeds,
        title="Themes against categories of photographs",
        notes=[
            f"Means over {n_seeds} resamples, standard errors in brackets. AMI: adjusted mutual "
            f"information of themes and categories over the clusters, mean of {NUMBERS} themes. "
            "AUC: whether two clusters of one category are joined lower in the tree than two of "
            "different ones. The first distance with average linkage is that of group_clusters().",
            "True classes: their photographs as clusters.",
        ],
    )
    table = pd.DataFrame(numbers).groupby(["clusters", "rule"], sort=False)
    write_result(
        "themes_number",
        summed(table),
        resamples=n_seeds,
        title="The number of themes",
        notes=[
            "Average linkage. The first rule is that of group_clusters() without n. Highest AMI: "
            "the best number, chosen with the categories.",
        ],
    )


def clusterings(
    embeddings: Embeddings, truth: Any, seed: int
) -> tuple[Embeddings, dict[str, Clustering]]:
    """The vectors of a part of the photographs, and clusterings of these."""
    rng = np.random.default_rng(seed)
    known = np.array(sorted(CATEGORY))
    drawn = rng.choice(known, int(0.85 * len(known)), replace=False)
    part = np.flatnonzero(np.isin(truth, drawn))
    part = np.sort(rng.choice(part, int(0.7 * len(part)), replace=False))
    images = embeddings.images.iloc[part].reset_index(drop=True)
    vectors = Embeddings(images, embeddings.matrix[part], embeddings.encoder)
    found = {"true classes": Clustering.from_labels(vectors, truth[part])}
    for name, given in CLUSTERINGS.items():
        found[name] = cluster_images(vectors, seed=seed, progress=False, **given)
    return vectors, found


def categories_of(clustering: Clustering, truth: Any, embeddings: Embeddings) -> Any:
    """The most frequent category of each cluster."""
    of_image = pd.Series(truth, embeddings.images["image_id"]).map(CATEGORY)
    images = clustering.images[clustering.images["cluster"] > 0]
    groups = images["image_id"].map(of_image).groupby(images["cluster"])
    return (
        groups.agg(lambda values: values.mode()[0]).loc[clustering.clusters["cluster"]].to_numpy()
    )


def compared(clustering: Clustering, spaces: Mapping[str, Any]) -> dict[str, Any]:
    """Distances between clusters by their names."""
    cluster = clustering.images["cluster"].to_numpy()
    numbers = clustering.clusters["cluster"]

    def about_images(rows: Any) -> Any:
        means = np.array([rows[cluster == number].mean(axis=0) for number in numbers])
        return pdist(means - rows.mean(axis=0), "cosine")

    raw = replace(clustering, settings=clustering.settings | {"encoder": {"reduced_by": "umap"}})
    return {
        "directions from the mean centroid": distances(clustering),
        **{name: about_images(rows) for name, rows in spaces.items()},
        "Euclidean": distances(raw),
    }


def measure(apart: Any, method: str, categories: Any) -> dict[str, float]:
    tree = linkage(apart, method)
    same = squareform(np.equal.outer(categories, categories) & ~np.eye(len(categories), dtype=bool))
    cuts = [fcluster(tree, n, "maxclust") for n in NUMBERS]
    return {
        "AMI": float(np.mean([adjusted_mutual_info_score(categories, cut) for cut in cuts])),
        "AUC": float(roc_auc_score(same, -cophenet(tree))),
    }


def rules(clustering: Clustering, categories: Any) -> list[dict[str, Any]]:
    """The number of themes by several rules, and what comes of it."""
    apart = distances(clustering)
    tree, square = linkage(apart, "average"), squareform(apart)
    tried = range(2, len(categories) - 1)
    cuts = {n: fcluster(tree, n, "maxclust") for n in range(1, len(categories) + 1)}
    scores = {n: adjusted_mutual_info_score(categories, cut) for n, cut in cuts.items()}
    widths = {n: silhouette_score(square, cuts[n], metric="precomputed") for n in tried}
    heights = tree[:, 2]
    gaps = {n: heights[-n + 1] - heights[-n] for n in tried}
    numbers = {
        "below .95 of the mean distance": usual_number(grow_tree(clustering)),
        "below .9 of the mean distance": 1 + int((heights > 0.9 * apart.mean()).sum()),
        "a quarter of the clusters": round(len(categories) / 4),
        "highest silhouette": max(widths, key=lambda n: widths[n]),
        "largest gap of heights": max(gaps, key=lambda n: gaps[n]),
        "highest AMI": max(scores, key=lambda n: scores[n]),
    }
    return [{"rule": rule, "themes": n, "AMI": scores[n]} for rule, n in numbers.items()]


def summed(groups: Any) -> list[dict[str, Any]]:
    """Means and standard errors, as text."""
    found = []
    for key, rows in groups:
        values = rows.select_dtypes("number")
        texts = {}
        for name in values:
            digits = 1 if name == "themes" else 3
            error = f"{values[name].sem():.{digits}f}"
            texts[name] = f"{values[name].mean():.{digits}f} ({error})"
        found.append(dict(zip(groups.keys, key, strict=True)) | texts)
    return found


if __name__ == "__main__":
    main()
