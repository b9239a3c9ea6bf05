"""Iterative clustering against the paper's pseudo-code written plainly with scikit-learn.

Both run the whole method, from all images to the last few, with the same rules
for the number of clusters, for what leaves and for stopping, on generated
vectors: unbalanced groups (sizes by Zipf's law) of a few kinds, noise, and a
nuisance of low rank shared by all, so that silhouettes are as small as those of
photographs. Restarts in scikit-learn: ten, as the paper's pseudo-code is usually
run, and one.

    python benchmarks/clustering.py [--images 18096] [--width 512] [--settings default paper]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from machine import sized, write_result
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples

from imagestrata import IterativeKMeans
from imagestrata.clustering.choose_k import still_improves
from imagestrata.clustering.cluster import PRESETS
from imagestrata.clustering.iterative import cohesive_clusters
from imagestrata.clustering.kmeans import kmeans
from imagestrata.clustering.vectors import as_vectors

#: Rules of the iterations, which the pseudo-code follows as well.
SETTINGS: dict[str, dict[str, Any]] = {"default": {"neighbors": None}, "paper": PRESETS["paper"]}

#: Other vectors to which we apply the same rules.
VECTORS: dict[str, dict[str, Any]] = {
    "default": {"neighbors=15": {"neighbors": 15}},
    "paper": {"n_components=64": {"n_components": 64}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=sized(1_000, 18_096))
    parser.add_argument("--width", type=int, default=sized(64, 512))
    both = list(SETTINGS)
    parser.add_argument(
        "--settings", nargs="+", choices=SETTINGS, default=sized(both[:1], both[:1], both)
    )
    arguments = parser.parse_args()
    vectors = generate(arguments.images, arguments.width)
    for name in arguments.settings:
        write_result(
            "clustering" if name == "default" else f"clustering_{name}",
            compare(name, vectors, SETTINGS[name]),
            title=f"Iterative clustering of {arguments.images:,} x {arguments.width} vectors",
            notes=[
                "scikit-learn: the paper's pseudo-code with `KMeans(n_init=...)` and "
                "`silhouette_samples`, same rules for k, release and stopping, on the vectors.",
                f"imagestrata: on the vectors; with {', '.join(VECTORS[name])}"
                + (": after the neighbourhood step, the default." if name == "default" else "."),
                "times as fast: as scikit-learn with ten restarts.",
                "sum of squares: within clusters of one fit to all images with the k of the first "
                "iteration, against scikit-learn's best of ten.",
            ],
        )


def generate(n: int, d: int, n_groups: int = 300, seed: int = 0) -> NDArray[np.float32]:
    """Vectors of unbalanced groups with realistic silhouettes."""
    rng = np.random.default_rng(seed)
    kinds = rng.normal(0, 0.5, size=(25, d))
    groups = kinds[rng.integers(25, size=n_groups)] + rng.normal(0, 0.6, size=(n_groups, d))
    shares = 1 / np.arange(1, n_groups + 1) ** 0.9
    member = rng.choice(n_groups, size=n, p=shares / shares.sum())
    spread = np.sqrt(rng.gamma(4, 0.25, size=(n, 1)))
    nuisance = rng.normal(size=(n, 20)) @ rng.normal(0, 0.15, size=(20, d))
    vectors = groups[member] + spread * rng.normal(size=(n, d)) + nuisance
    return vectors.astype(np.float32)


def compare(name: str, X: NDArray[np.float32], settings: dict[str, Any]) -> list[dict[str, Any]]:
    ours = {"imagestrata": settings} | {
        f"imagestrata, {vectors}": settings | other for vectors, other in VECTORS[name].items()
    }
    seconds, clusters, iterations = {}, {}, {}
    for tool, given in ours.items():
        model = IterativeKMeans(random_state=0, **given)
        start = time.perf_counter()
        model.fit(X)
        seconds[tool] = time.perf_counter() - start
        clusters[tool] = int(model.labels_.max()) + 1
        iterations[tool] = model.n_iter_
        if tool == "imagestrata":
            k = int(model.trace_["k"].iloc[0])
    for n_init in (1, 10):
        start = time.perf_counter()
        labels, n_iter = plainly(X, model.get_params(), n_init)
        tool = f"scikit-learn, n_init={n_init}"
        seconds[tool] = time.perf_counter() - start
        clusters[tool] = int(labels.max()) + 1
        iterations[tool] = n_iter
    best = KMeans(k, n_init=10, random_state=0).fit(X).inertia_
    first = kmeans(as_vectors(X), k, np.random.default_rng(0)).labels
    squares = {"imagestrata": within(X, first) / best, "scikit-learn, n_init=10": 1.0}
    return [
        {
            "settings": name,
            "tool": tool,
            "seconds": round(seconds[tool], 1),
            "times as fast": round(seconds["scikit-learn, n_init=10"] / seconds[tool], 1),
            "clusters": clusters[tool],
            "iterations": iterations[tool],
            "sum of squares": f"{squares[tool]:.4f}" if tool in squares else "",
        }
        for tool in seconds
    ]


def within(X: NDArray[np.float32], labels: NDArray[Any]) -> float:
    """Sum of squares about the means of clusters."""
    return sum(
        float(((X[labels == k] - X[labels == k].mean(axis=0)) ** 2).sum(dtype=np.float64))
        for k in np.unique(labels)
    )


def plainly(X: NDArray[np.float32], given: dict[str, Any], n_init: int) -> tuple[Any, int]:
    """The pseudo-code of the paper's Figure 3 with scikit-learn."""
    rng = np.random.RandomState(0)
    labels = np.full(len(X), -1)
    remaining = np.arange(len(X))
    misses = n_iter = 0
    while len(remaining) >= given["stop_size"] and misses < given["patience"]:
        n_iter += 1
        rest = X[remaining]
        k = plain_k(rest, given, n_init, rng)
        found = KMeans(k, n_init=n_init, random_state=rng).fit_predict(rest)
        scores = silhouette_samples(rest, found)
        sizes = np.bincount(found)
        leaves = cohesive_clusters(
            np.bincount(found, scores) / sizes,
            sizes,
            threshold=given["similarity_threshold"],
            share=given["release_share"],
        )
        for cluster in np.flatnonzero(leaves):
            labels[remaining[found == cluster]] = labels.max() + 1
        misses = 0 if leaves.any() else misses + 1
        remaining = remaining[~leaves[found]]
    return labels, n_iter


def plain_k(X: NDArray[np.float32], given: dict[str, Any], n_init: int, rng: Any) -> int:
    size = min(given["sample_size"], len(X))
    sample = X[rng.choice(len(X), size, replace=False)]
    default = min(max(given["step_size"], given["sample_size"] // 50), max(2, size // 3))
    k_max = min({None: default, "sample": size}.get(given["k_max"], given["k_max"]), size // 2)
    tolerance = given["k_tolerance"] * given["step_size"]
    total = ((sample - sample.mean(axis=0)) ** 2).sum()
    tried: list[int] = []
    scores: list[float] = []
    for k in range(min(given["step_size"], k_max), k_max + 1, given["step_size"]):
        fit = KMeans(k, n_init=n_init, random_state=rng).fit(sample)
        tried.append(k)
        if given["k_criterion"] == "explained_variance":
            scores.append(1 - fit.inertia_ / total)
        else:
            scores.append(plain_cohesion(sample, fit.labels_))
        if not still_improves(scores, given["converge_window"], tolerance):
            break
    return tried[int(np.argmax(scores))]


def plain_cohesion(X: NDArray[np.float32], labels: NDArray[Any]) -> float:
    scores = silhouette_samples(X, labels)
    means = np.bincount(labels, scores) / np.bincount(labels)
    return float(np.sort(means[labels])[::-1][: len(X) // 2].mean())


if __name__ == "__main__":
    main()
