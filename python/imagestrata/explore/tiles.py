"""Rows of pictures on a white ground, each with room for a few words to its left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..corpus.decode import UnreadableImage
from ..corpus.pictures import File, make_all, shown_picture
from .figure import INK, SOFT

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from PIL import Image

#: Pixels: a tile, the space between tiles, the space around them and for the words.
TILE, GAP, MARGIN, LABELS = 160, 8, 40, 200
DPI = 200

#: Letters of a name in its largest size.
_FITTING = 7

#: matplotlib draws no more than 2^16 pixels high.
MOST_ROWS = 200


def tile_canvas(shown: pd.DataFrame, by: str, rows: Sequence[Any], n_images: int) -> Any:
    """White pixels with the images pasted in: height x width x 3, uint8.

    Parameters
    ----------
    shown : DataFrame
        ``image_id``, ``path``, and the column ``by`` that says in which row.
    by : str
    rows : sequence
        The values of that column, from top to bottom.
    n_images : int
        Images per row, at most.
    """
    height = _offset(len(rows)) - GAP + MARGIN
    width = MARGIN + LABELS + n_images * (TILE + GAP) - GAP + MARGIN
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    row_of = {value: row for row, value in enumerate(rows)}
    columns = shown.groupby(by).cumcount()
    tiles = make_all(_tile, shown, False, "Tiles")
    for value, column, tile in zip(shown[by], columns, tiles, strict=True):
        top = _offset(row_of[value])
        left = MARGIN + LABELS + column * (TILE + GAP)
        canvas[top : top + TILE, left : left + TILE] = np.asarray(tile)
    return canvas


def draw_canvas(axes: Axes, canvas: Any, words: Sequence[tuple[str, str]]) -> None:
    """Put the canvas on axes that fill the figure, with a name and a few words per row."""
    from .small import NotebookCanvas

    NotebookCanvas(axes.figure)  # type: ignore[arg-type]
    height, width = canvas.shape[:2]
    axes.set_axis_off()
    axes.imshow(canvas, extent=(0, width, height, 0), interpolation="none", aspect="auto")
    longest = max(len(name) for name, _ in words)
    size = min(14.0, 14 * _FITTING / longest)
    for row, (name, about) in enumerate(words):
        middle = _offset(row) + TILE / 2
        top = middle - 16 * len(about.splitlines())
        axes.text(MARGIN, top, name, color=INK, fontsize=size, weight="bold", va="center")
        axes.text(
            MARGIN, middle + 24, about, color=SOFT, fontsize=8.5, va="center", linespacing=1.4
        )


def _offset(row: int) -> int:
    return MARGIN + row * (TILE + GAP)


def _tile(file: File) -> Image.Image:
    """The middle of an image as a square, or a grey square that says why there is none."""
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    try:
        return ImageOps.fit(shown_picture(file, TILE), (TILE, TILE), Image.Resampling.LANCZOS)
    except UnreadableImage as error:
        text = "\n".join(str(error).split())
    tile = Image.new("RGB", (TILE, TILE), "#f3f4f5")
    ImageDraw.Draw(tile).multiline_text(
        (TILE / 2, TILE / 2), text, fill=SOFT, anchor="mm", align="center",
        font=ImageFont.load_default(17),
    )  # fmt: skip
    return tile
