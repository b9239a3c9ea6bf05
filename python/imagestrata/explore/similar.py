"""What is similar to what on a page: images by their vectors, clusters by their centroids."""

from __future__ import annotations

import base64
import os
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ..clustering.clustering import Clustering
from ..clustering.nearest import nearest_neighbors
from ..embeddings.embeddings import Embeddings
from ..engine import open_engine
from ..errors import ImagestrataError
from ..rows import Rows, blocks, unit_rows
from ..tables import id_texts

#: Neighbours of an image on the page.
N_NEIGHBORS = 12

#: Near clusters of each cluster on the page, so that some are left after merges.
N_NEAR = 10

#: Numbers of at most so many images have two bytes.
_TWO_BYTES = 1 << 16

#: Candidates are found in so many principal components, and compared in all dimensions.
_COMPONENTS, _CANDIDATES = 64, 48


def vectors_of(
    clustering: Clustering, images: pd.DataFrame, out: str | os.PathLike[str]
) -> Rows | None:
    """The vectors of some images, if the clustering or its run folder has all; not read yet."""
    embeddings = clustering.vectors()
    if embeddings is None:
        try:
            embeddings = Embeddings.load(out)
        except ImagestrataError:
            return None
    known = pd.Index(id_texts(embeddings.images["image_id"]))
    rows = known.get_indexer(id_texts(images["image_id"])) if known.is_unique else np.array([-1])
    return None if (rows < 0).any() or len(rows) < 2 else Rows(embeddings.matrix, rows)


def neighbors_content(rows: Rows) -> dict[str, Any]:
    """The data of "more like this": for each image the most similar others, the nearest first.

    Similarity is the cosine. Numbers of images are base64, lowest byte first, of two bytes each, or
    of three if there are more than 65,536: 100,000 images have 4.8 MB.
    """
    found = nearest_images(rows, N_NEIGHBORS)
    n_bytes = 2 if len(rows) <= _TWO_BYTES else 3
    numbers = np.ascontiguousarray(found, dtype="<u4")[..., None].view(np.uint8)[..., :n_bytes]
    packed = base64.b64encode(numbers.tobytes()).decode()
    return {"each": found.shape[1], "bytes": n_bytes, "packed": packed}


def nearest_images(rows: Rows, n: int) -> NDArray[np.intp]:
    """The n most similar other rows of each row, by the cosine, the nearest first.

    With many dimensions, candidates are found in principal components, and compared by their
    vectors, block by block.
    """
    n = min(n, len(rows) - 1)
    unit = unit_rows(np.asarray(rows[:], dtype=np.float32))
    with open_engine() as engine:
        reduced, n_candidates = unit, n
        if unit.shape[1] > 2 * _COMPONENTS and len(unit) > _CANDIDATES:
            reduced, n_candidates = _components(unit), min(max(n, _CANDIDATES), len(unit) - 1)
        found = nearest_neighbors(reduced, n_candidates, engine)

        def best(block: slice) -> NDArray[np.intp]:
            near = found[block]
            away = -np.einsum("ijk,ik->ij", unit[near], unit[block])
            order = np.argsort(away, axis=1, kind="stable")[:, :n]
            return np.take_along_axis(near, order, axis=1)

        return np.concatenate(list(engine.map(best, blocks(len(unit), 256))))


def _components(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Principal components without subtracting the mean: they keep dot products best."""
    values, axes = np.linalg.eigh(unit.T @ unit)
    return unit_rows(unit @ axes[:, np.argsort(values)[::-1][:_COMPONENTS]])


def near_clusters(centroids: NDArray[Any]) -> list[list[tuple[int, float]]]:
    """For each centroid the places and distances of the nearest others."""
    points = np.asarray(centroids, dtype=np.float64)
    found: list[list[tuple[int, float]]] = []
    for block in blocks(len(points), 256):
        away = cdist(points[block], points)
        here = np.arange(len(away))
        away[here, here + block.start] = np.inf
        order = np.argsort(away, axis=1, kind="stable")[:, : min(N_NEAR, len(points) - 1)]
        found += [
            [(int(place), round(float(row[place]), 4)) for place in places]
            for row, places in zip(away, order, strict=True)
        ]
    return found
