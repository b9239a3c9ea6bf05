"""The part of border.R that Python plays alone.

python benchmarks/border.py make RUN_FOLDER N_IMAGES
python benchmarks/border.py cluster RUN_FOLDER TABLE
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
from clustering import generate

from imagestrata import Embeddings, cluster_images


def make(folder: str, n: str) -> None:
    """A run folder with vectors of n images."""
    numbers = range(int(n))
    images = pd.DataFrame(
        {
            "image_id": [f"{number:020x}" for number in numbers],
            "path": [f"/images/{number:06d}.jpg" for number in numbers],
            "n_copies": 1,
        }
    )
    Embeddings(images, generate(len(images), 512), {"name": "generated", "width": 512}).save(folder)


def cluster(folder: str, table: str) -> None:
    """Cluster them, write the table and say how long it took, and how long without reading."""
    cluster_images(np.random.default_rng(0).normal(size=(200, 8)), progress=False)
    start = time.perf_counter()
    embeddings = Embeddings.load(folder)
    read = time.perf_counter()
    images = cluster_images(embeddings, seed=0, progress=False).images
    end = time.perf_counter()
    images.to_csv(table, index=False)
    sys.stdout.write(f"{end - start} {end - read}\n")


if __name__ == "__main__":
    {"make": make, "cluster": cluster}[sys.argv[1]](*sys.argv[2:])
