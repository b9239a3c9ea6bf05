"""Labelled test images: red ones, green ones, blue ones, easily told apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

COLOURS = {"red": (200, 40, 40), "green": (40, 170, 60), "blue": (50, 60, 200)}


def draw_labelled(folder: Path, n: int = 10, classes: Sequence[str] = ("red", "green")) -> Path:
    """``n`` noisy pictures of each colour, in a folder of its own; returns ``folder``."""
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(n):
            rng = np.random.default_rng([number, *COLOURS[name]])
            noise = rng.integers(-40, 40, (8, 8, 3)) + np.array(COLOURS[name])
            pixels = np.clip(noise, 0, 255).astype(np.uint8)
            picture = Image.fromarray(pixels).resize((64, 48), Image.Resampling.NEAREST)
            picture.save(folder / name / f"{number:02d}.png")
    return folder


def label_table(folder: Path, label: str = "red") -> pd.DataFrame:
    """Paths relative to the folder, and whether each picture is of one colour."""
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    return pd.DataFrame({"path": paths, label: [int(path.startswith(label)) for path in paths]})
