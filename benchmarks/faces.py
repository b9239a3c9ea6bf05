"""How many faces crop_faces() finds, and how often it finds one where there is none.

Photographs of one person each and of other things are from ``../shared/data``, which is no part of
the project; portraits are drawn by ``draw_demo_corpus()``. An image counts as found if a face is
found in it: where its box should be is not known.

    python benchmarks/faces.py [--persons 260] [--things 1500]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from machine import photographs, sized, write_result
from PIL import Image

from imagestrata import crop_faces, draw_demo_corpus, scan_images
from imagestrata.finetune.scores import wilson

#: Changes to photographs of a person, whose faces are some 120 pixels wide.
CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half as large": lambda picture: picture.reduce(2),
    "a fourth as large": lambda picture: picture.reduce(4),
    "a sixth as large": lambda picture: picture.reduce(6),
    "turned by 15 degrees": lambda picture: turned(picture, 15),
    "turned by 30 degrees": lambda picture: turned(picture, 30),
    "dark (35%)": lambda picture: picture.point(lambda value: value * 0.35),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=sized(5, 260))
    parser.add_argument("--things", type=int, default=sized(10, 600, 1_500))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labels = photographs(folder, few=40)
        is_person = labels["class"].str.startswith("Faces")
        persons = some(folder, labels.loc[labels["class"] == "Faces", "path"], arguments.persons)
        rows = [
            measure("photographs of a person", persons, folder),
            measure("drawn portraits", drawn(folder), folder),
            measure(
                "things", some(folder, labels.loc[~is_person, "path"], arguments.things), folder
            ),
        ]
        for change, make in CHANGES.items():
            changed = folder / change
            changed.mkdir()
            for path in persons[:100]:
                with Image.open(path) as picture:
                    make(picture.convert("RGB")).save(changed / f"{path.stem}.png")
            rows.append(measure(f"persons, {change}", sorted(changed.iterdir()), folder))
    write_result(
        "faces",
        rows,
        notes=[
            "95% intervals are Wilson's.",
            "seconds: of one core, for one image of 200 to 300 pixels, with min_size=32.",
        ],
        title="Finding faces",
    )


def measure(what: str, paths: list[Path], folder: Path) -> dict[str, Any]:
    """A row of the table."""
    images = scan_images([str(path) for path in paths], progress=False)
    started = time.process_time()
    faces = crop_faces(images, folder / "run", overwrite=True, progress=False)
    seconds = (time.process_time() - started) / faces["image_id"].nunique()
    n = faces["image_id"].nunique()
    found = faces.loc[faces["crop"].notna()]
    with_face = found["image_id"].nunique()
    low, high = wilson(with_face, n)
    row = {
        "images": what,
        "n": n,
        "with a face": with_face,
        "share": f"{with_face / n:.3f}",
        "95% interval": f"{low:.3f} to {high:.3f}",
        "further faces": len(found) - with_face,
        "seconds": f"{seconds:.3f}",
    }
    print(row, file=sys.stderr)
    return row


def some(folder: Path, names: pd.Series[str], n: int) -> list[Path]:
    """As many of the files, in an order that has nothing to do with their names."""
    paths = sorted(folder / name for name in names)
    random.Random(1).shuffle(paths)
    return paths[:n]


def drawn(folder: Path) -> list[Path]:
    draw_demo_corpus(folder / "demo", n_images=300, seed=1, progress=False)
    labels = pd.read_csv(folder / "demo" / "labels.csv")
    return [folder / "demo" / path for path in labels.loc[labels["kind"] == "portrait", "file"]]


def turned(picture: Image.Image, degrees: int) -> Image.Image:
    return picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))


if __name__ == "__main__":
    main()
