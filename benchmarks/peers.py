"""The same steps by other packages, on the same data, in the same run.

Each pair takes turns; seconds are medians. Every package is called as its own
documentation shows. Photographs are those of benchmarks/road.py; the weights of
networks are random, which takes the same time.

    python benchmarks/peers.py [--files 5000] [--embedded 384] [--vectors 100000]
                               [--silhouettes 20000] [--dense 5000] [--rounds 3]
                               [--only duplicates embedding kmeans silhouettes hdbscan]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from clustering import generate
from machine import sized, write_result
from numpy.typing import NDArray
from PIL import Image
from road import FOLDER, draw_photographs
from scipy.stats import spearmanr
from torch import nn
from torch.utils.data import DataLoader, Dataset

from imagestrata import cluster_images, embed_images, scan_images
from imagestrata.clustering.kmeans import kmeans
from imagestrata.clustering.silhouette import MEASURES, silhouettes
from imagestrata.clustering.vectors import as_vectors

#: Bits of perceptual hashes in which near-duplicates may differ.
DISTANCE = 4
#: Pictures per batch of the plain loops.
BATCH = 64
#: Of k-means; and the rounds of Lloyd's iterations that faiss makes unless told otherwise.
K, ROUNDS_OF_FAISS = 20, 25

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--files", type=int, default=sized(50, 3_000, 5_000))
    parser.add_argument("--embedded", type=int, default=sized(16, 384))
    parser.add_argument("--vectors", type=int, default=sized(2_000, 100_000))
    parser.add_argument("--silhouettes", type=int, default=sized(1_000, 20_000))
    parser.add_argument("--dense", type=int, default=sized(500, 5_000))
    parser.add_argument("--rounds", type=int, default=sized(1, 2, 3))
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS))
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    load = os.getloadavg()[0]
    rows: list[Row] = []
    notes = [
        f"Load of the machine before (0: nothing else runs): {load:.1f}.",
        "times as fast: how many times as long as the first row of its step another one takes; "
        "below 1 it is faster than we are.",
        "Versions: "
        + ", ".join(
            f"{name} {version(name)}"
            for name in ("imagededup", "timm", "open_clip_torch", "faiss-cpu", "hdbscan")
        )
        + ".",
    ]
    for name in arguments.only:
        some, said = STEPS[name](arguments)
        rows += some
        notes += said
    faster = [
        f"{row['by']} ({row['step']}, {row['times as fast']})"
        for row in rows
        if row["whose"] == "theirs" and row["times as fast"] < 1
    ]
    notes.append(f"Faster than we are: {'; '.join(faster) or 'none'}.")
    write_result("peers", rows, title="The same steps by other packages", notes=notes)


def compare(
    step: str,
    ours: dict[str, Callable[[], Any]],
    theirs: dict[str, Callable[[], Any]],
    rounds: int,
) -> tuple[list[Row], dict[str, Any]]:
    """Rows of a table, the first of ours being what all others are compared with; and results."""
    ways = ours | theirs
    times: dict[str, list[float]] = {name: [] for name in ways}
    found = {}
    for _ in range(rounds):
        for name, work in ways.items():
            start = time.perf_counter()
            found[name] = work()
            times[name].append(time.perf_counter() - start)
    first = times[next(iter(ours))]
    rows = [
        {
            "step": step,
            "by": name,
            "whose": "ours" if name in ours else "theirs",
            "seconds": round(median(taken), 2),
            "times as fast": None
            if taken is first
            else round(median(a / b for a, b in zip(taken, first, strict=True)), 2),
            "result": "",
        }
        for name, taken in times.items()
    ]
    return rows, found


def duplicates(arguments: argparse.Namespace) -> tuple[list[Row], list[str]]:
    from imagededup.methods import PHash

    folder = draw_photographs(arguments.folder, arguments.files)
    cores = os.cpu_count() or 1

    def by_imagededup() -> dict[str, list[str]]:
        with contextlib.redirect_stderr(io.StringIO()):
            found: dict[str, list[str]] = PHash(verbose=False).find_duplicates(
                folder,
                max_distance_threshold=DISTANCE,
                recursive=True,
                num_enc_workers=cores,
                num_dist_workers=cores,
            )
        return found

    rows, found = compare(
        f"near-duplicates of {arguments.files:,} JPEGs",
        {"scan_images": partial(scan_images, folder, near_duplicates=DISTANCE, progress=False)},
        {"imagededup PHash": by_imagededup},
        1,
    )
    table = found["scan_images"]
    theirs = sum(map(bool, found["imagededup PHash"].values()))
    rows[0]["result"] = f"{(table['status'] == 'duplicate').sum():,} files like another one"
    rows[1]["result"] = f"{theirs:,} files with near ones (both of a pair)"
    return rows, [
        "Duplicates: scan_images also hashes the bytes and all pixels of every file, and finds "
        "what is damaged; imagededup hashes looks alone. The perceptual hashes are not the same "
        "ones. imagededup's CNN is left out: it downloads its weights.",
    ]


class Pictures(Dataset[Any]):
    """Files as tensors, for a DataLoader."""

    def __init__(self, paths: Sequence[str], transform: Callable[[Image.Image], Any]) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Any:
        return self.transform(Image.open(self.paths[row]).convert("RGB"))


@torch.inference_mode()
def plain_loop(
    encode: Callable[[Any], Any], transform: Callable[[Image.Image], Any], paths: Sequence[str]
) -> NDArray[np.float32]:
    workers = os.cpu_count() or 1
    loader = DataLoader(Pictures(paths, transform), batch_size=BATCH, num_workers=workers)
    vectors: NDArray[np.float32] = torch.cat([encode(batch) for batch in loader]).numpy()
    return vectors


def timm_loop(weights: Path, paths: Sequence[str]) -> NDArray[np.float32]:
    import timm

    model = timm.create_model("resnet18", checkpoint_path=str(weights)).eval()
    model.reset_classifier(0)
    look = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**look, is_training=False)
    return plain_loop(model, transform, paths)


def clip_loop(weights: Path, paths: Sequence[str]) -> NDArray[np.float32]:
    import open_clip

    model, _, transform = open_clip.create_model_and_transforms(
        "ViT-B-32-quickgelu", pretrained=str(weights)
    )
    return plain_loop(model.eval().encode_image, transform, paths)


def random_weights(model: nn.Module, path: Path) -> Path:
    torch.save(model.state_dict(), path)
    return path


def embedding(arguments: argparse.Namespace) -> tuple[list[Row], list[str]]:
    import open_clip
    import timm

    folder = draw_photographs(arguments.folder, arguments.files)
    images = scan_images(sorted(folder.rglob("*.jpg"))[: arguments.embedded], progress=False)
    images = images[images["status"] == "ok"]
    torch.manual_seed(0)
    rows: list[Row] = []
    with TemporaryDirectory() as place:
        resnet = random_weights(timm.create_model("resnet18"), Path(place) / "resnet18.pth")
        clip = random_weights(
            open_clip.create_model("ViT-B-32-quickgelu"), Path(place) / "clip.pth"
        )
        for encoder, weights, name, loop in (
            ("timm:resnet18", resnet, "timm", timm_loop),
            ("clip:ViT-B-32-quickgelu", clip, "open_clip", clip_loop),
        ):
            embed = partial(embed_images, images, encoder, weights=weights, progress=False)
            exact = partial(embed, precision="float32")
            new, found = compare(
                f"{len(images):,} JPEGs to vectors, {encoder}",
                {"embed_images": embed, 'embed_images(precision="float32")': exact},
                {f"plain loop with {name}": partial(loop, weights, images["path"].tolist())},
                max(1, arguments.rounds - 1),
            )
            theirs = found[f"plain loop with {name}"]
            for row in new:
                made = found[row["by"]]
                matrix = made if made is theirs else made.matrix
                row["result"] = f"mean cosine with the loop's {mean_cosine(matrix, theirs):.4f}"
            rows += new
    return rows, [
        f"Embedding: the loops are a DataLoader with {os.cpu_count()} workers, batches of "
        f"{BATCH} and float32; both sides load their network. embed_images decodes large JPEGs "
        "at a reduced scale, checks the hash of every file, and by default computes in bfloat16 "
        "where the processor has it.",
    ]


def mean_cosine(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / lengths).mean())


def k_means(arguments: argparse.Namespace) -> tuple[list[Row], list[str]]:
    import faiss
    from sklearn.cluster import KMeans

    X = generate(arguments.vectors, 512)
    n, d = X.shape

    def ours(n_init: int) -> NDArray[np.intp]:
        return kmeans(as_vectors(X), K, np.random.default_rng(0), n_init).labels

    def by_sklearn(n_init: int) -> NDArray[np.intp]:
        labels: NDArray[np.intp] = KMeans(K, n_init=n_init, random_state=0).fit(X).labels_
        return labels

    def by_faiss(
        rounds: int = ROUNDS_OF_FAISS, start: NDArray[np.float32] | None = None, **options: Any
    ) -> NDArray[np.intp]:
        model = faiss.Kmeans(d, K, niter=rounds, seed=1, **options)
        model.train(X, init_centroids=start)
        labels: NDArray[np.intp] = model.index.search(X, 1)[1][:, 0]
        return labels

    every = {"min_points_per_centroid": 1, "max_points_per_centroid": n}
    rows, found = compare(
        f"k-means of {n:,} x {d}, k = {K}",
        {
            "kmeans (10 restarts on a subset)": partial(ours, 10),
            "kmeans (1 start)": partial(ours, 1),
        },
        {
            "scikit-learn KMeans(n_init=1)": partial(by_sklearn, 1),
            f"faiss, all rows, {ROUNDS_OF_FAISS} rounds": partial(by_faiss, **every),
            f"faiss, its default: {256 * K:,} rows, {ROUNDS_OF_FAISS} rounds": by_faiss,
        },
        max(1, arguments.rounds - 1),
    )
    inertias = {name: inertia(X, labels) for name, labels in found.items()}
    best = min(inertias.values())
    for row in rows:
        row["result"] = f"sum of squares {inertias[row['by']] / best - 1:+.2%} of the best"
    rows += rounds_of_lloyd(X, by_faiss, every)
    return rows, [
        "k-means: with the default settings of each (same inertia is not given: see result), and "
        "what one more round over all rows costs, each package from ten to twenty rounds. faiss "
        "starts from random rows, scikit-learn and ours from k-means++; ours and scikit-learn "
        "go on until little changes.",
    ]


def rounds_of_lloyd(
    X: NDArray[np.float32], by_faiss: Callable[..., Any], every: dict[str, Any]
) -> list[Row]:
    """What a round over all rows costs: the same arithmetic for all."""
    from sklearn.cluster import KMeans

    from imagestrata.clustering.kmeans import assign

    vectors = as_vectors(X)
    start = X[:: len(X) // K][:K].copy()
    centers = vectors.rows[:: len(X) // K][:K]

    def sklearn_rounds(rounds: int) -> int:
        done: int = KMeans(K, init=start, n_init=1, max_iter=rounds, tol=0).fit(X).n_iter_
        return done

    def our_rounds(rounds: int) -> int:
        for _ in range(rounds):
            assign(vectors, centers)
        return rounds

    def faiss_rounds(rounds: int) -> int:
        by_faiss(rounds, start, **every)
        return rounds

    seconds = {}
    ways = {"kmeans": our_rounds, "scikit-learn": sklearn_rounds, "faiss": faiss_rounds}
    for name, work in ways.items():
        taken, done = [], []
        for rounds in (10, 20):
            begun = time.perf_counter()
            done.append(work(rounds))
            taken.append(time.perf_counter() - begun)
        seconds[name] = (taken[1] - taken[0]) / max(1, done[1] - done[0])
    return [
        {
            "step": "one round over all rows",
            "by": name,
            "whose": "ours" if name == "kmeans" else "theirs",
            "seconds": round(value, 3),
            "times as fast": None if name == "kmeans" else round(value / seconds["kmeans"], 2),
            "result": "",
        }
        for name, value in seconds.items()
    ]


def inertia(X: NDArray[np.float32], labels: NDArray[np.intp]) -> float:
    frame = pd.DataFrame(X).groupby(np.asarray(labels)).mean()
    centers = frame.to_numpy(dtype=np.float64)[np.searchsorted(frame.index, labels)]
    return float(((X - centers) ** 2).sum())


def silhouette(arguments: argparse.Namespace) -> tuple[list[Row], list[str]]:
    from sklearn.metrics import silhouette_samples

    X = generate(arguments.silhouettes, 512)
    labels = kmeans(as_vectors(X), K, np.random.default_rng(0)).labels
    peer = "scikit-learn silhouette_samples"
    ways = {
        f'silhouettes("{measure}")': partial(
            lambda measure: silhouettes(as_vectors(X), labels, measure), measure
        )
        for measure in MEASURES
    }
    rows, found = compare(
        f"silhouettes of {len(X):,} x 512, {K} clusters",
        ways,
        {peer: partial(silhouette_samples, X, labels)},
        max(1, arguments.rounds - 1),
    )
    truth = cluster_means(found[peer], labels)
    for row in rows:
        scores = found[row["by"]]
        rank = spearmanr(cluster_means(scores, labels), truth).statistic
        difference = np.abs(scores - found[peer]).max()
        row["result"] = f"largest difference {difference:.1e}, rank of clusters {rank:.3f}"
    return rows, [
        "Silhouettes: differences from scikit-learn's, and the rank correlation of the clusters' "
        "means with them. What is not exact has its own measure, and is made for larger piles.",
    ]


def cluster_means(scores: NDArray[Any], labels: NDArray[np.intp]) -> NDArray[np.float64]:
    sizes = np.bincount(labels)
    means: NDArray[np.float64] = (np.bincount(labels, scores) / np.maximum(sizes, 1))[sizes > 0]
    return means


def density(arguments: argparse.Namespace) -> tuple[list[Row], list[str]]:
    import hdbscan

    X = generate(arguments.dense, 5, n_groups=30).astype(np.float64)
    frame = partial(cluster_images, X, "hdbscan", progress=False)

    def by_hdbscan() -> Any:
        return hdbscan.HDBSCAN(min_cluster_size=50, core_dist_n_jobs=1).fit(X)

    def by_hdbscan_with_scores() -> Any:
        model = by_hdbscan()
        return model, model.outlier_scores_

    rows, _ = compare(
        f"density clusters of {len(X):,} x 5",
        {'cluster_images(method="hdbscan")': frame},
        {"hdbscan": by_hdbscan, "hdbscan and its outlier scores": by_hdbscan_with_scores},
        arguments.rounds,
    )
    return rows, [
        "hdbscan is what cluster_images calls: the ratio is what our tables and silhouettes add.",
    ]


STEPS: dict[str, Callable[[argparse.Namespace], tuple[list[Row], list[str]]]] = {
    "duplicates": duplicates,
    "embedding": embedding,
    "kmeans": k_means,
    "silhouettes": silhouette,
    "hdbscan": density,
}


if __name__ == "__main__":
    main()
