"""How good, how like its teacher and how fast the encoder ``pocket`` is.

Needs ``caltech101-unbalanced.tar``, ``pocket-train.tar`` and ``mobilenet_v2_imagenet.pth`` in
``../shared/data``, which are no part of the project; the speed of resnet18 is measured with random
weights where its own are absent, which takes the same time.

    python benchmarks/pocket.py [--seeds 6] [--images 192] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import pandas as pd
import torch
from embedding import DATA, cost, draw_pictures, prepared, seconds, weights_file
from machine import write_result
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from imagestrata import Clustering, Embeddings, cluster_images, embed_images, score_clustering
from imagestrata.corpus.decode import open_image
from imagestrata.encoders.registry import make_encoder
from imagestrata.engine import open_engine

ENCODERS = ("mobilenet_v2", "pocket", "hog")
TEACHER = DATA / "mobilenet_v2_imagenet.pth"
NEIGHBOURS = 5
CLUSTERINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "k-means, 30": {"method": "kmeans", "n_clusters": 30},
}

#: As in tools/train_pocket.py: every so many-th picture was kept out of training.
HELD_OUT = 15
NEAREST = 10

#: How often 32 pictures pass a network that is timed.
REPEATS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report_speed(Path(folder), arguments.images, arguments.rounds)
        report_quality(Path(folder), arguments.seeds)
        report_sources(Path(folder))


def embed(table: pd.DataFrame, encoder: str) -> Embeddings:
    weights = TEACHER if encoder == "mobilenet_v2" else None
    return embed_images(table, encoder, weights=weights, progress=False)


def report_quality(folder: Path, n_seeds: int) -> None:
    """Write how near photographs of a class are, and what clusterings make of it."""
    table = unpack("caltech101-unbalanced.tar", folder / "photographs")
    table = table.sort_values("path", ignore_index=True)
    found = {encoder: embed(table, encoder) for encoder in ENCODERS}
    clusterings = {
        (encoder, name, seed): cluster_images(vectors, seed=seed, progress=False, **given)
        for encoder, vectors in found.items()
        for name, given in CLUSTERINGS.items()
        for seed in range(n_seeds)
    }
    rows = []
    for encoder, vectors in found.items():
        rows.append({"encoder": encoder, **neighbours(vectors, table)})
        for name in CLUSTERINGS:
            ours = [clusterings[encoder, name, seed] for seed in range(n_seeds)]
            theirs = [clusterings["mobilenet_v2", name, seed] for seed in range(n_seeds)]
            f1 = [pair_f1(clustering, table) for clustering in ours]
            rows[-1][f"pair F1, {name}"] = round(mean(f1), 3)
            if name == "default":
                rows[-1]["F1 range"] = f"{min(f1):.2f}-{max(f1):.2f}"
            agreement = [
                adjusted_rand_score(labels(one), labels(other))
                for a, one in enumerate(ours)
                for b, other in enumerate(theirs)
                if a != b
            ]
            rows[-1][f"ARI with mobilenet_v2, {name}"] = round(mean(agreement), 3)
    write_result(
        "pocket",
        rows,
        title="The encoder pocket on photographs of classes that it never saw",
        notes=[
            f"{len(table)} photographs of {table['class'].nunique()} classes. {NEIGHBOURS}-NN: "
            "share of the second, fourth, ... image (by file name) whose class is the commonest "
            f"among its {NEIGHBOURS} nearest of the others, by cosine; per class: mean of its "
            "classes.",
            f"Clusterings: means of {n_seeds} seeds. ARI: of clusterings from two seeds, so that "
            "the first row says how far two clusterings by one encoder agree.",
        ],
    )


def unpack(name: str, folder: Path) -> pd.DataFrame:
    """The images of an archive, and what its table says of them."""
    with tarfile.open(DATA / name) as archive:
        archive.extractall(folder, filter="data")
    if (folder / "labels.csv").exists():
        table = pd.read_csv(folder / "labels.csv")
        return table.assign(path=[str(folder / path) for path in table["path"]])
    sources = pd.read_csv(folder / "sources.csv").set_index("image")["source"]
    paths = sorted((folder / "images").iterdir())
    return pd.DataFrame(
        {"path": [str(p) for p in paths], "source": sources.loc[[p.stem for p in paths]].to_numpy()}
    )


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def neighbours(embeddings: Embeddings, table: pd.DataFrame) -> dict[str, float]:
    """Share of images whose class their nearest images tell, on the whole and by class."""
    images = embeddings.images.reset_index(drop=True)
    order = images["path"].argsort().to_numpy()
    vectors = unit(embeddings.matrix[order])
    truth = table.set_index("path")["class"].loc[images["path"].iloc[order]].to_numpy()
    near = np.argsort(-(vectors[1::2] @ vectors[::2].T), axis=1)[:, :NEIGHBOURS]
    said = pd.DataFrame(truth[::2][near]).mode(axis=1)[0].to_numpy()
    right = pd.Series(said == truth[1::2])
    return {
        f"{NEIGHBOURS}-NN": round(float(right.mean()), 3),
        "per class": round(float(right.groupby(truth[1::2]).mean().mean()), 3),
    }


def labels(clustering: Clustering) -> NDArray[Any]:
    return clustering.images.sort_values("image_id")["cluster"].fillna(-1).to_numpy()


def pair_f1(clustering: Clustering, table: pd.DataFrame) -> float:
    found = clustering.images
    truth = table.set_index("path")["class"].loc[found["path"]].to_numpy()
    scores = score_clustering(found["cluster"], truth).set_index("measure")["estimate"]
    return float(scores["f1"])


def report_speed(folder: Path, n_images: int, rounds: int) -> None:
    """Write images per second of the networks alone, and from files to vectors."""
    load = os.getloadavg()[0]
    draw_pictures(folder / "images", n_images)
    table = pd.DataFrame({"path": sorted(map(str, (folder / "images").iterdir()))})
    networks: dict[str, Path | None] = {
        "resnet18": weights_file("resnet18", folder),
        "mobilenet_v2": TEACHER,
        "pocket": None,
    }
    alone = {name: alone_seconds(name, path, table["path"]) for name, path in networks.items()}
    whole = {
        name: lambda name=name, path=path: embed_images(table, name, weights=path, progress=False)
        for name, path in networks.items()
    }
    times: dict[str, list[float]] = {name: [] for name in networks}
    with_files: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(rounds):
        for name in networks:
            times[name].append(alone[name]())
            with_files[name].append(seconds(whole[name]))
    rows = []
    for name, path in networks.items():
        costs = step_costs(name, path, table["path"])
        rows.append(
            {
                "network": name,
                "inference": round(1 / median(times[name])),
                "times resnet18": round(ratio(times["resnet18"], times[name]), 1),
                "files to vectors": round(n_images / median(with_files[name])),
                "times resnet18 ": round(ratio(with_files["resnet18"], with_files[name]), 1),
                **{step: round(value, 2) for step, value in costs.items()},
                "share of decoding": f"{costs['decode, ms'] / sum(costs.values()):.0%}",
            }
        )
    write_result(
        "pocket_speed",
        rows,
        title="How fast pocket is",
        notes=[
            f"Images per second, medians of {rounds} rounds in which the networks take turns; "
            f"from files: {n_images} JPEGs of 1200 x 800 pixels, the network loaded first.",
            "The steps: milliseconds of one core per image.",
            f"Load of the machine before (0: nothing else runs): {load:.1f}.",
        ],
    )


def ratio(slow: Sequence[float], quick: Sequence[float]) -> float:
    return median(a / b for a, b in zip(slow, quick, strict=True))


def alone_seconds(name: str, weights: Path | None, paths: Sequence[str]) -> Any:
    """A function that says how many seconds an image takes, without its decoding."""
    encoder = make_encoder(name, weights=weights, device="cpu")
    squares = [prepared(encoder, path) for path in paths[:32]]
    size = encoder.batch_size
    batches = [squares[start : start + size] for start in range(0, len(squares), size)] * REPEATS

    def measure() -> float:
        with open_engine() as engine:
            return seconds(lambda: list(engine.map(encoder.encode, batches))) / (
                REPEATS * len(squares)
            )

    measure()
    return measure


def step_costs(name: str, weights: Path | None, paths: Sequence[str]) -> dict[str, float]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    encoder = make_encoder(name, weights=weights, device="cpu")
    some = list(paths[:32])
    side = encoder.decode_side
    pictures = [open_image(path, min_pixels_side=side) for path in some]
    squares = [encoder.prepare(picture) for picture in pictures]
    size = encoder.batch_size
    batches = [squares[start : start + size] for start in range(0, len(squares), size)]
    costs = {
        "decode, ms": cost(lambda: [open_image(path, min_pixels_side=side) for path in some]),
        "resize, ms": cost(lambda: [encoder.prepare(picture) for picture in pictures]),
        "network, ms": cost(lambda: [encoder.encode(batch) for batch in batches]),
    }
    torch.set_num_threads(threads)
    return costs


def report_sources(folder: Path) -> None:
    """Write, by source, how many nearest images pocket shares with its teacher."""
    table = unpack("pocket-train.tar", folder / "training")[::HELD_OUT].reset_index(drop=True)
    near = {}
    for encoder in ENCODERS:
        embeddings = embed(table, encoder)
        vectors = unit(embeddings.matrix - embeddings.matrix.mean(axis=0))
        images = embeddings.images
        alike = vectors @ vectors.T
        np.fill_diagonal(alike, -1)
        near[encoder] = np.argsort(-alike, axis=1)[:, :NEAREST]
    source = table.set_index("path")["source"].loc[images["path"]].to_numpy()
    rows = []
    for name in ["all", *np.unique(source)]:
        rows.append({"source": name, "images": int((source == name).sum()) or len(source)})
        for encoder in ENCODERS[1:]:
            shared = [
                len(np.intersect1d(ours, theirs)) / NEAREST
                for ours, theirs, s in zip(near[encoder], near["mobilenet_v2"], source, strict=True)
                if name in ("all", s)
            ]
            rows[-1][f"shared by {encoder}"] = round(mean(shared), 2)
    write_result(
        "pocket_sources",
        rows,
        title="Nearest images shared with MobileNetV2, by source",
        notes=[
            f"Of the {NEAREST} nearest images by MobileNetV2, the share that is among the "
            f"{NEAREST} nearest by the other encoder; centred vectors, cosine. Images of "
            "pocket-train that were kept out of training; pacs holds photographs, paintings, "
            "cartoons and sketches.",
        ],
    )


if __name__ == "__main__":
    main()
