"""What a grid costs when its points share their work, against fitting each alone.

Three encoders x two steps x six thresholds, as in the paper, on the photographs
of ``caltech101-unbalanced``: with the default rule for what leaves an iteration,
and with the paper's (``--settings paper``). Baselines are left out on both sides.

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in ``../shared/data``, which
are no part of the project.

    python benchmarks/tuning.py [--encoders mobilenet_v2 mobilenet_v2-l2 hog]
        [--settings default paper]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from machine import sized, write_result
from quality import load

from imagestrata import Embeddings, cluster_images, tune_clusters
from imagestrata.clustering.grid import fit_all
from imagestrata.sampling.pairs import sample_pairs
from imagestrata.validation import tune
from imagestrata.validation.tune import PAPER_GRID

THREE = ("mobilenet_v2", "mobilenet_v2-l2", "hog")
SETTINGS: dict[str, dict[str, Any]] = {"default": {"preset": [None]}, "paper": {}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--encoders", nargs="+", default=sized(["hog"], ["efficientnet_lite0", "hog"], [*THREE])
    )
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=["default"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = {
            name: load(Path(folder), name)
            for name in dict.fromkeys(name.removesuffix("-l2") for name in arguments.encoders)
        }
    (classes, _), *_ = made.values()
    encoders = {name: scaled(name, made) for name in arguments.encoders}
    pairs = judge(encoders[arguments.encoders[0]], classes)
    rows = []
    for name in arguments.settings:
        rows += compare(name, encoders, pairs)
    write_result(
        "tuning",
        rows,
        title=f"A grid of {12 * len(encoders)} clusterings of {len(classes):,} photographs",
        notes=[
            "alone: `cluster_images()` once for every point of the grid; shared: one "
            "`tune_clusters()` of the whole grid, pairs scored included.",
            "Single k-means for comparison is left out on both sides.",
            "same clusters: points at which every image is in the same cluster both ways.",
        ],
    )


def scaled(name: str, made: dict[str, tuple[pd.Series[Any], Embeddings]]) -> Embeddings:
    """Vectors by name; ``-l2`` behind it scales them to length one."""
    _, embeddings = made[name.removesuffix("-l2")]
    if not name.endswith("-l2"):
        return embeddings
    length = np.linalg.norm(embeddings.matrix, axis=1, keepdims=True)
    return Embeddings.from_arrays(embeddings.matrix / length, embeddings.images["image_id"])


def judge(embeddings: Embeddings, classes: pd.Series[Any]) -> pd.DataFrame:
    """Pairs judged without error, from the classes."""
    pairs = sample_pairs(embeddings)
    of = classes.to_dict()
    same = pairs["image_a"].map(of) == pairs["image_b"].map(of)
    return pairs.assign(judgement=same.astype(int))


def compare(
    name: str, encoders: dict[str, Embeddings], pairs: pd.DataFrame
) -> list[dict[str, Any]]:
    grid = PAPER_GRID | SETTINGS[name]
    measured = []
    for encoder, embeddings in encoders.items():
        start = time.perf_counter()
        labels, settings = shared(embeddings, pairs, grid)
        seconds_shared = time.perf_counter() - start
        start = time.perf_counter()
        alone = [cluster_images(embeddings, progress=False, **given) for given in settings]
        seconds_alone = time.perf_counter() - start
        same = sum(
            np.array_equal(ours + (ours >= 0), theirs.images["cluster"])
            for ours, theirs in zip(labels, alone, strict=True)
        )
        measured.append((encoder, len(labels), same, seconds_alone, seconds_shared))
    measured.append(("all", *(sum(column) for column in list(zip(*measured, strict=True))[1:])))
    return [
        {
            "settings": name,
            "encoder": encoder,
            "grid points": n,
            "same clusters": same,
            "seconds alone": round(seconds_alone, 1),
            "seconds shared": round(seconds_shared, 1),
            "times as fast": round(seconds_alone / seconds_shared, 1),
        }
        for encoder, n, same, seconds_alone, seconds_shared in measured
    ]


def shared(
    embeddings: Embeddings, pairs: pd.DataFrame, grid: dict[str, Any]
) -> tuple[list[Any], list[dict[str, Any]]]:
    """Tune; the labels and the settings of every point."""
    kept: list[Any] = []

    def keep(*given: Any) -> Any:
        kept.extend(fit_all(*given))
        return list(kept)

    with mock.patch.object(tune, "fit_all", keep):
        results = tune_clusters(embeddings, pairs, grid, baselines=False, progress=False).results
    texts = results.loc[results["measure"] == "f1", "settings"]
    return kept, [json.loads(text) for text in texts]


if __name__ == "__main__":
    main()
