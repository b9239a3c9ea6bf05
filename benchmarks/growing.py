"""New images join a finished clustering: seconds by their number, against clustering anew.

Vectors of unbalanced groups are drawn at random and clustered once. Then copies of the run
folder grow by different numbers of images: these join the clusters, and the sample is topped
up. The time has a part that is the same for any number (reading and writing the tables of all
images) and a part for each new image.

    python benchmarks/growing.py [--images 100000] [--width 1280]
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result

from imagestrata import Embeddings, cluster_images, sample_images

GROUPS = 200
ADDED = (1_000, 2_000, 4_000, 8_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=sized(8_000, 30_000, 100_000))
    parser.add_argument("--width", type=int, default=1280)
    arguments = parser.parse_args()
    n = arguments.images
    embeddings = drawn(n + max(ADDED), arguments.width)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        seconds, clustering = timed(lambda: cluster(first(embeddings, n), run))
        drawing, _ = timed(lambda: sample_images(clustering, out=run))
        rows.append(row(f"{n:,} images anew", seconds, drawing, seconds, clustering.images))
        for added in ADDED:
            copy = shutil.copytree(run, Path(folder, f"run-{added}"))
            more = first(embeddings, n + added)
            joining, grown = timed(lambda more=more, copy=copy: cluster(more, copy))
            topping, _ = timed(lambda grown=grown, copy=copy: sample_images(grown, out=copy))
            rows.append(row(f"{added:,} join", joining, topping, seconds, grown.images))
    write_result(
        "growing",
        rows,
        title=f"New images among {n:,}",
        notes=[
            f"float32, {arguments.width} numbers each, {GROUPS} groups; cluster_images() with "
            "defaults, in a run folder; sample_images() with defaults.",
            "anew / joining: seconds of clustering all images, divided by those of joining.",
        ],
    )


def drawn(n: int, width: int) -> Embeddings:
    """Vectors of groups whose sizes follow Zipf's law, as an encoder would give them."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(GROUPS, width)).astype(np.float32)
    weights = 1 / np.arange(1, GROUPS + 1)
    vectors = centres[rng.choice(GROUPS, n, p=weights / weights.sum())]
    for start in range(0, n, 10_000):
        block = vectors[start : start + 10_000]
        block += rng.standard_normal(block.shape, dtype=np.float32)
    given = Embeddings.from_arrays(vectors)
    # Vectors of an encoder are known by the contents of their images.
    return Embeddings(given.images, given.matrix, {"name": "drawn", "width": width})


def first(embeddings: Embeddings, n: int) -> Embeddings:
    images = embeddings.images.iloc[:n].reset_index(drop=True)
    return Embeddings(images, embeddings.matrix[:n], embeddings.encoder)


def cluster(embeddings: Embeddings, run: Path) -> Any:
    return cluster_images(embeddings, out=run, progress=False)


def timed(make: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    made = make()
    return time.perf_counter() - start, made


def row(
    what: str, seconds: float, sampling: float, anew: float, images: pd.DataFrame
) -> dict[str, Any]:
    added = images[images["added"]]
    return {
        "what": what,
        "seconds": f"{seconds:.2f}",
        "anew / joining": f"{anew / seconds:.0f}" if len(added) else "",
        "in the residual": f"{(added['cluster'] == -1).mean():.1%}" if len(added) else "",
        "seconds of the sample": f"{sampling:.2f}",
    }


if __name__ == "__main__":
    main()
