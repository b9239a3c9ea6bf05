"""Makes the golden tables of tests/fixtures, which the tests of both languages read.

Run it only when results are meant to change: python tools/golden.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from imagestrata import cluster_images, sample_images

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"


def main() -> None:
    rng = np.random.default_rng(0)
    sizes = [40, 25, 15, 8, 4, 2]
    centres = rng.normal(scale=4, size=(len(sizes), 5))
    rows = [rng.normal(centre, 1, (n, 5)) for centre, n in zip(centres, sizes, strict=True)]
    vectors = pd.DataFrame(np.concatenate(rows).round(3), columns=list("abcde"))
    vectors = vectors.sample(frac=1, random_state=0)
    clustering = cluster_images(vectors.to_numpy(), k=6, seed=3, exact=True, progress=False)
    clusters = clustering.images[["image_id", "cluster", "iteration"]]
    drawn = sample_images(clustering, seed=3)
    weights = ["N_h", "n_h", "inclusion_probability", "weight_corpus", "weight_cluster"]
    drawn = drawn[["image_id", "cluster", *weights, "weight_share"]]
    for name, table in {"vectors": vectors, "clusters": clusters, "sample": drawn}.items():
        path = FIXTURES / f"golden-{name}.csv"
        table.to_csv(path, index=False, lineterminator="\n")
        print(f"{path.name}: {len(table)} rows")


if __name__ == "__main__":
    main()
