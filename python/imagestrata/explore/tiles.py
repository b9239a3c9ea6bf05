"""Figures with rows of pictures and a few words to the left of each row."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..corpus.decode import UnreadableImage
from ..corpus.pictures import File, make_all, shown_picture
from ..corpus.small import warn_of_small
from .figure import INK, SOFT, describe, figure, listed

if TYPE_CHECKING:
    import os

    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from PIL import Image

#: Pixels of a tile, between tiles, around them, for the words, and for a heading.
TILE, GAP, MARGIN, LABELS, HEADING = 160, 8, 40, 200, 72
DPI = 200
#: Pixels of a line of the note below, and of a letter of it.
NOTE, _NOTE_LETTER = 28, 11

#: Number of letters of a line that fit beside the tiles in the largest and in the smallest size;
#: longer names have two lines, of at most so many letters, and more room.
_FITTING, _NARROW, _WIDE = 7, 12, 26

#: matplotlib draws at most 2^16 pixels in height.
MOST_ROWS = 200


@dataclass(frozen=True, eq=False)
class PictureRows:
    """Rows of pictures, from top to bottom.

    Attributes
    ----------
    shown : DataFrame
        ``image_id``, ``path``, and the column ``by`` with the row of each image.
    by : str
    words : dict
        Name and words for each value of that column, from top to bottom.
    n_images : int
        Largest number of images per row.
    note : str
        What the rows and their images are.
    title : str
        What is drawn, for readers who do not see it.
    headings : mapping
        Texts above some of the rows, by the value of these.
    """

    shown: pd.DataFrame
    by: str
    words: dict[Any, tuple[str, str]]
    n_images: int
    note: str
    title: str
    headings: Mapping[Any, str] = field(default_factory=dict)


def draw_tiles(rows: PictureRows, out: str | os.PathLike[str] | None) -> Figure:
    """Draw rows of images, with a name and a few words to the left of each row."""
    from .photographs import Canvas, NotebookCanvas

    words, headings = rows.words, rows.headings
    names = [_lines(name) for name, _ in words.values()]
    longest = max(len(line) for lines in names for line in lines)
    room = round(LABELS * max(1, longest / _NARROW))
    tops = _tops([*words], headings)
    width = MARGIN + room + rows.n_images * (TILE + GAP) - GAP + MARGIN
    note = textwrap.wrap(rows.note, (width - 2 * MARGIN) // _NOTE_LETTER)
    canvas = _canvas(rows, tops, room, width, MARGIN + 12 + NOTE * len(note))
    height = len(canvas)
    with figure(width / DPI, height / DPI, out, dpi=DPI) as drawn:
        axes = drawn.add_axes((0, 0, 1, 1))
        NotebookCanvas(drawn)
        axes.set_axis_off()
        axes.set(xlim=(0, width), ylim=(height, 0))
        pixels = Canvas(axes, interpolation="none", extent=(0, width, height, 0))
        pixels.set_data(canvas)
        axes.add_image(pixels)
        size = 14 * min(1, _FITTING / min(longest, _NARROW))
        plain: Any = {"va": "center", "parse_math": False}
        for value, text in headings.items():
            axes.text(
                MARGIN, tops[value] - HEADING / 2, shortened(text, (width - 2 * MARGIN) // 18),
                color=INK, fontsize=12, weight="bold", **plain,
            )  # fmt: skip
            axes.plot([MARGIN, width - MARGIN], [tops[value] - 12] * 2, color=SOFT, linewidth=0.8)
        for top, lines, (_, about) in zip(tops.values(), names, words.values(), strict=True):
            # A second line of the name moves the words below it down, and the name up.
            middle = top + TILE / 2 + 8 * (len(lines) - 1)
            above = middle - 16 * len(about.splitlines()) - size * 1.7 * (len(lines) - 1)
            axes.text(
                MARGIN, above, "\n".join(lines), color=INK, fontsize=size, weight="bold", **plain
            )
            axes.text(
                MARGIN, middle + 24, about, color=SOFT, fontsize=8.5, linespacing=1.4, **plain
            )
        axes.text(
            MARGIN, height - MARGIN, "\n".join(note), color=SOFT, fontsize=7, linespacing=1.4,
            va="bottom", parse_math=False,
        )  # fmt: skip
        said = [f"{name} ({'; '.join(text.splitlines())})" for name, text in words.values()]
        describe(
            drawn, f"{rows.title}, from the top {listed(said, 12)}", rows.note.removesuffix(".")
        )
    return drawn


def shortened(text: str, n: int) -> str:
    """The text, cut to ``n`` letters if it is longer."""
    return text if len(text) <= n else text[: n - 1] + "…"


def _lines(name: str) -> list[str]:
    """A name in one line or two, of similar lengths."""
    width = len(name) if len(name) <= _NARROW else max(_NARROW, min(_WIDE, len(name) * 5 // 8))
    return textwrap.wrap(name, width, max_lines=2, placeholder="…") or [name]


def _canvas(rows: PictureRows, tops: Mapping[Any, int], room: int, width: int, below: int) -> Any:
    """White pixels with the images in rows: height x width x 3, uint8."""
    height = max(tops.values()) + TILE + below
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    columns = rows.shown.groupby(rows.by).cumcount()
    for value, column, picture in zip(
        rows.shown[rows.by], columns, make_tiles(rows.shown), strict=True
    ):
        top = tops[value]
        left = MARGIN + room + column * (TILE + GAP)
        canvas[top : top + TILE, left : left + TILE] = picture
    return canvas


def make_tiles(shown: pd.DataFrame, side: int = TILE) -> list[NDArray[np.uint8]]:
    """The tile of each image, of shape (side, side, 3); warn of small images."""
    warn_of_small(shown, min(side, TILE))
    return [np.asarray(one) for one in make_all(partial(tile, side=side), shown, False, "Tiles")]


def _tops(rows: Sequence[Any], headings: Mapping[Any, str]) -> dict[Any, int]:
    """The upper edge of each row in pixels."""
    tops, top = {}, MARGIN
    for value in rows:
        top += HEADING if value in headings else 0
        tops[value] = top
        top += TILE + GAP
    return tops


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
