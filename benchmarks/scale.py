"""Many vectors on disk through iterative clustering, and what sampling costs in truth.

Vectors of unbalanced groups are written to a file by blocks and clustered from there, each
size and silhouette in a process of its own, so that its memory is its own. At 20,000 images
the fast silhouettes are compared with the exact ones: the same fit, the same clusters. At
100,000 images, clusters of the neighbourhood step that learns on a sample are compared
with those of the step that compares all images with each other.

    python benchmarks/scale.py [--images 1000000] [--width 512] [--folder build/scale]
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from machine import sized, write_result
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from imagestrata import Embeddings, IterativeKMeans, cluster_images
from imagestrata.clustering import neighborhoods
from imagestrata.clustering.iterative import cohesive_clusters
from imagestrata.clustering.kmeans import kmeans
from imagestrata.clustering.silhouette import silhouettes
from imagestrata.clustering.vectors import as_vectors

FAST = ("sampled", "squared")
COMPARED = sized(2_000, 20_000)
LEARNT = sized(2_000, 100_000)
SHARE = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=sized(5_000, 200_000, 1_000_000))
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--folder", type=Path, default=Path("build/scale"))
    parser.add_argument("--one", nargs=2, metavar=("FILE", "SILHOUETTE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        sys.stdout.write(json.dumps(cluster(*arguments.one)))
        return
    rows = []
    for measure in FAST:
        few, many = (
            measured(stored(n, arguments.width, arguments.folder), measure)
            for n in (arguments.images // 10, arguments.images)
        )
        exponent = math.log10(many["seconds"] / few["seconds"])
        rows += [few | {"exponent": ""}, many | {"exponent": f"{exponent:.2f}"}]
    write_result(
        "scale",
        [{**row, "seconds": f"{row['seconds']:.0f}"} for row in rows],
        title=f"Iterative clustering of {arguments.images:,} vectors on disk",
        notes=[
            f"float32, {arguments.width} numbers each; cluster_images() with defaults but for the "
            "silhouette. Seconds of the whole call.",
            "MB resident: the most that the process held, the pages of the file that are mapped "
            "among it (the system takes them back when others need memory); MB of its own: "
            "without those.",
            "exponent: of the growth of seconds with images.",
        ],
    )
    write_result(
        "scale_neighborhoods",
        sampled_steps(np.load(stored(LEARNT, arguments.width, arguments.folder))),
        title=f"The neighbourhood step on a sample, {LEARNT:,} vectors",
        notes=[
            "learnt on: images whose neighbourhoods are learnt; all others are placed among them.",
            "seconds: of step and clustering, with default settings and the same seed. "
            "adjusted Rand index: with the clusters that were learnt on all images.",
        ],
    )
    path = stored(COMPARED, arguments.width, arguments.folder)
    write_result(
        "scale_silhouettes",
        agreement(np.load(path)),
        title=f"Fast silhouettes against exact ones, {COMPARED:,} vectors",
        notes=[
            "First fit: k-means of all vectors, the same for all rows of one k. Rank correlation "
            "(Spearman) of the clusters' mean silhouettes; largest difference of such a mean; "
            "clusters that leave (the most cohesive, a fifth of the images at most) and how many "
            "of them also leave by exact silhouettes.",
        ],
    )


def stored(n: int, d: int, folder: Path, n_groups: int = 300, seed: int = 0) -> Path:
    """A file of vectors: groups with sizes by Zipf's law, spread, and a common nuisance."""
    path = folder / f"vectors-{n}-{d}.npy"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    kinds = rng.normal(0, 0.5, size=(25, d))
    groups = kinds[rng.integers(25, size=n_groups)] + rng.normal(0, 0.6, size=(n_groups, d))
    nuisance = rng.normal(0, 0.15, size=(20, d)).astype(np.float32)
    shares = 1 / np.arange(1, n_groups + 1) ** 0.9
    begun = path.with_suffix(".tmp")
    matrix = np.lib.format.open_memmap(begun, "w+", np.float32, (n, d))
    for start in range(0, n, 50_000):
        m = min(50_000, n - start)
        member = rng.choice(n_groups, size=m, p=shares / shares.sum())
        spread = np.sqrt(rng.gamma(4, 0.25, size=(m, 1))).astype(np.float32)
        noise = spread * rng.standard_normal((m, d), dtype=np.float32)
        common = rng.standard_normal((m, 20), dtype=np.float32) @ nuisance
        matrix[start : start + m] = groups[member] + noise + common
    matrix.flush()
    begun.rename(path)
    return path


def measured(path: Path, measure: str) -> dict[str, Any]:
    words = [sys.executable, __file__, "--one", str(path), measure]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cluster(path: str, measure: str) -> dict[str, Any]:
    """Cluster one file; in a process that does nothing else."""
    own = Own()
    start = time.perf_counter()
    matrix = np.load(path, mmap_mode="r")
    found = cluster_images(Embeddings.from_arrays(matrix), silhouette=measure, progress=False)
    seconds = time.perf_counter() - start
    line = found.summary.iloc[0]
    return {
        "images": f"{len(matrix):,}",
        "silhouette": measure,
        "seconds": seconds,
        # Not what getrusage says, which counts the process that started this one.
        "MB resident": memory("VmHWM") // 1024,
        "MB of its own": own.most // 1024,
        "clusters": int(line["n_clusters"]),
        "iterations": int(line["n_iterations"]),
        "residual": int(line["n_residual"]),
    }


class Own:
    """Watches how much memory the process holds besides files that it maps, in kB."""

    def __init__(self) -> None:
        self.most = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, memory("RssAnon"))
            time.sleep(0.05)


def memory(name: str) -> int:
    """Memory of this process, in kB, by its name in Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def sampled_steps(matrix: NDArray[np.float32]) -> list[dict[str, Any]]:
    """Clusters when the neighbourhood step learns on all rows, and on samples of them."""
    found: dict[int, tuple[float, IterativeKMeans]] = {}
    for learnt in (len(matrix), len(matrix) // 2, len(matrix) // 4):
        start = time.perf_counter()
        with patch.object(neighborhoods, "MOST_LEARNT", learnt):
            model = IterativeKMeans(random_state=0).fit(matrix)
        found[learnt] = time.perf_counter() - start, model
    everything = found[len(matrix)][1].labels_
    return [
        {
            "learnt on": f"{learnt:,}",
            "seconds": f"{seconds:.0f}",
            "clusters": int(model.labels_.max()) + 1,
            "residual": int((model.labels_ < 0).sum()),
            "adjusted Rand index": f"{adjusted_rand_score(everything, model.labels_):.3f}",
        }
        for learnt, (seconds, model) in found.items()
    ]


def agreement(matrix: NDArray[np.float32]) -> list[dict[str, Any]]:
    vectors = as_vectors(matrix)
    rows = []
    for k in (10, 20, 50):
        codes = np.unique(kmeans(vectors, k, np.random.default_rng(0)).labels, return_inverse=True)
        sizes = np.bincount(codes[1])
        means, seconds = {}, {}
        for measure in ("exact", *FAST):
            start = time.perf_counter()
            scores = silhouettes(vectors, codes[1], measure)
            seconds[measure] = time.perf_counter() - start
            means[measure] = np.bincount(codes[1], scores) / sizes
        leaves = {
            measure: cohesive_clusters(means[measure], sizes, threshold=0, share=SHARE)
            for measure in means
        }
        for measure in FAST:
            both = (leaves[measure] & leaves["exact"]).sum()
            rows.append(
                {
                    "k": k,
                    "silhouette": measure,
                    "rank correlation": f"{spearmanr(means[measure], means['exact'])[0]:.3f}",
                    "largest difference": f"{np.abs(means[measure] - means['exact']).max():.4f}",
                    "leave": int(leaves[measure].sum()),
                    "also by exact": f"{both} of {leaves['exact'].sum()}",
                    "times as fast": f"{seconds['exact'] / seconds[measure]:.0f}",
                }
            )
    return rows


if __name__ == "__main__":
    main()
