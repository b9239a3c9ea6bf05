"""How many images can be linked to their vectors in a bundle with new ids, by noise.

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in
``../shared/data``, which are no part of the project. The attacker has all files and
computes their vectors anew; against a projection, the attacker also knows which a
tenth of the images are. What the vectors are still good for is told by the classes of
the nearest five.

    python benchmarks/linkage.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from machine import DATA, photographs, write_result
from sklearn.neighbors import KNeighborsClassifier

from imagestrata import embed_images, scan_images
from imagestrata.share.bundle import linked_share, protected_matrix

LEVELS = [(None, None), (0.1, None), (0.5, None), (1.0, None), (2.0, None), (5.0, None)]
LEVELS += [(10.0, None), (None, 64), (1.0, 64), (5.0, 64)]
DRAWS = 3


def vectors(encoder: str, images: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    weights = DATA / "mobilenet_v2_imagenet.pth" if encoder == "mobilenet_v2" else None
    embeddings = embed_images(images, encoder, weights=weights)
    return embeddings.matrix, embeddings.images["class"].tolist()


def useful(matrix: np.ndarray, classes: list[str]) -> float:
    """How often the nearest five of the others have an image's class."""
    half = np.arange(len(matrix)) % 2 == 0
    names = np.array(classes)
    nearest = KNeighborsClassifier(5).fit(matrix[half], names[half])
    return float(nearest.score(matrix[~half], names[~half]))


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        table = photographs(Path(folder))
        table["path"] = [str(Path(folder) / path) for path in table["path"]]
        images = scan_images(table)
        for encoder in ("mobilenet_v2", "hog"):
            matrix, classes = vectors(encoder, images)
            same = np.arange(len(matrix))
            for noise, projection in LEVELS:
                drawn = [protected_matrix(matrix, noise, projection) for _ in range(DRAWS)]
                linked = np.mean([linked_share(matrix, one, same) for one in drawn])
                rows.append(
                    {
                        "encoder": f"{encoder} ({matrix.shape[1]})",
                        "noise": noise or "none",
                        "projection": projection or "none",
                        "images linked": f"{linked:.1%}",
                        "class by the nearest five": f"{useful(drawn[0], classes):.2f}",
                    }
                )
                print(rows[-1])
    notes = [
        f"{len(matrix):,} photographs in 60 classes; means of {DRAWS} draws. By chance one image "
        "would be linked."
    ]
    write_result("linkage", rows, notes=notes, title="Linking images to shared vectors")


if __name__ == "__main__":
    main()
