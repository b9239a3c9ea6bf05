"""Figures with rows of pictures and a few words to the left of each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..corpus.decode import UnreadableImage
from ..corpus.pictures import File, make_all, shown_picture
from ..corpus.small import warn_of_small
from .figure import INK, SOFT, figure

if TYPE_CHECKING:
    import os

    import pandas as pd
    from matplotlib.figure import Figure
    from PIL import Image

#: Pixels of a tile, between tiles, around them, and for the words.
TILE, GAP, MARGIN, LABELS = 160, 8, 40, 200
DPI = 200

#: Number of letters of a name that fit in its largest size.
_FITTING = 7

#: matplotlib draws at most 2^16 pixels in height.
MOST_ROWS = 200


def draw_tiles(
    shown: pd.DataFrame,
    by: str,
    words: dict[Any, tuple[str, str]],
    n_images: int,
    out: str | os.PathLike[str] | None,
) -> Figure:
    """Draw rows of images, with a name and a few words to the left of each row.

    Parameters
    ----------
    shown : DataFrame
        ``image_id``, ``path``, and the column ``by`` with the row of each image.
    by : str
    words : dict
        Name and words for each value of that column, from top to bottom.
    n_images : int
        Largest number of images per row.
    out : path or None
        File for the figure.
    """
    from .photographs import Canvas, NotebookCanvas

    canvas = _canvas(shown, by, [*words], n_images)
    height, width = canvas.shape[:2]
    with figure(width / DPI, height / DPI, out, dpi=DPI) as drawn:
        axes = drawn.add_axes((0, 0, 1, 1))
        NotebookCanvas(drawn)
        axes.set_axis_off()
        axes.set(xlim=(0, width), ylim=(height, 0))
        pixels = Canvas(axes, interpolation="none", extent=(0, width, height, 0))
        pixels.set_data(canvas)
        axes.add_image(pixels)
        longest = max(len(name) for name, _ in words.values())
        size = min(14.0, 14 * _FITTING / longest)
        for row, (name, about) in enumerate(words.values()):
            middle = _offset(row) + TILE / 2
            top = middle - 16 * len(about.splitlines())
            axes.text(MARGIN, top, name, color=INK, fontsize=size, weight="bold", va="center")
            axes.text(
                MARGIN, middle + 24, about, color=SOFT, fontsize=8.5, va="center", linespacing=1.4
            )
    return drawn


def shortened(text: str, n: int) -> str:
    """The text, cut to ``n`` letters if it is longer."""
    return text if len(text) <= n else text[: n - 1] + "…"


def _canvas(shown: pd.DataFrame, by: str, rows: Sequence[Any], n_images: int) -> Any:
    """White pixels with the images in rows: height x width x 3, uint8."""
    height = _offset(len(rows)) - GAP + MARGIN
    width = MARGIN + LABELS + n_images * (TILE + GAP) - GAP + MARGIN
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    row_of = {value: row for row, value in enumerate(rows)}
    columns = shown.groupby(by).cumcount()
    warn_of_small(shown, TILE)
    tiles = make_all(tile, shown, False, "Tiles")
    for value, column, picture in zip(shown[by], columns, tiles, strict=True):
        top = _offset(row_of[value])
        left = MARGIN + LABELS + column * (TILE + GAP)
        canvas[top : top + TILE, left : left + TILE] = np.asarray(picture)
    return canvas


def _offset(row: int) -> int:
    return MARGIN + row * (TILE + GAP)


def square(file: File, side: int = TILE) -> Image.Image:
    """The middle of an image as a square; UnreadableImage if it cannot be read."""
    from PIL import Image, ImageOps

    return ImageOps.fit(shown_picture(file, side), (side, side), Image.Resampling.LANCZOS)


def tile(file: File, side: int = TILE) -> Image.Image:
    """The middle of an image as a square, or a grey square with the reason why it is missing."""
    from PIL import Image, ImageDraw, ImageFont

    try:
        return square(file, side)
    except UnreadableImage as error:
        text = "\n".join(str(error).split())
    grey = Image.new("RGB", (side, side), "#f3f4f5")
    ImageDraw.Draw(grey).multiline_text(
        (side / 2, side / 2), text, fill=SOFT, anchor="mm", align="center",
        font=ImageFont.load_default(17 * side / TILE),
    )  # fmt: skip
    return grey
