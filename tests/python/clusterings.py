"""Clusterings made by hand, for the tests of what shows them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from imagestrata import Clustering

#: Colour of cluster 1, 2, ...; the residual is grey.
COLOURS = ["#c03030", "#3060c0", "#30a050", "#c0a030", "#8040a0"]
GREY = "#808080"

TRACE = pd.DataFrame(
    {
        "iteration": [1, 2, 3],
        "n_remaining": [40, 25, 9],
        "k": [5, 4, 3],
        "n_cohesive": [3, 2, 0],
        "mean_size": [5.0, 8.0, None],
        "seconds": [0.1, 0.1, 0.1],
    }
)


def draw_images(folder: Path, clusters: Sequence[int]) -> list[str]:
    """One picture per entry, in the colour of its cluster, no two alike; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i, cluster in enumerate(clusters):
        image = Image.new("RGB", (90 + 30 * (i % 3), 80), colour(cluster))
        image.putpixel((0, 0), (i % 256, i // 256, 0))
        path = folder / f"{i:04d}.png"
        image.save(path)
        paths.append(str(path))
    return paths


def colour(cluster: int) -> str:
    return COLOURS[cluster - 1] if cluster > 0 else GREY


def hand_made(paths: Sequence[str | None], clusters: Sequence[int], **columns: Any) -> Clustering:
    """A clustering of these files: the earlier an image stands, the more typical it is.

    Further columns replace or join those of the images.
    """
    n = len(paths)
    images = pd.DataFrame(
        {
            "image_id": [content_id(path, i) for i, path in enumerate(paths)],
            "path": paths,
            "cluster": clusters,
            "iteration": [1 if cluster > 0 else 0 for cluster in clusters],
            "silhouette": [0.9 - 0.8 * i / n for i in range(n)],
            "distance": [1 + i / n for i in range(n)],
            "n_copies": 1,
        }
    ).assign(**columns)
    found = images[images["cluster"] > 0].groupby("cluster")
    table = found.agg(
        size=("image_id", "size"), silhouette=("silhouette", "mean"), iteration=("iteration", "min")
    ).reset_index()
    table.insert(2, "share", table["size"] / n)
    settings = {"method": "iterative", "seed": 0, "encoder": {"name": "hog"}, "width": 2}
    centroids = np.zeros((len(table), 2), dtype=np.float32)
    return Clustering(images, table, TRACE.copy(), centroids, settings)


def content_id(path: str | None, number: int) -> str:
    file = Path(path) if path else None
    data = file.read_bytes() if file and file.is_file() else str(number).encode()
    return hashlib.sha256(data).hexdigest()[:20]


def notes_of(figure: Any) -> list[str]:
    """The sentences below a figure that explain its marks, without line breaks."""
    return [text.get_text().replace("\n", " ") for text in figure.texts]
