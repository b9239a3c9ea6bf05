"""Gradients and colour: a fixed descriptor that needs nothing and learns nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from skimage.feature import hog

from .base import Encoder
from .resize import decode_side, resize

if TYPE_CHECKING:
    from PIL import Image

#: Side of the square that is looked at, in pixels.
SIDE = 128

#: Directions of gradients, side of a cell in pixels, cells across a block.
DIRECTIONS, CELL, BLOCK = 9, 32, 2

#: Steps of hue, saturation and value, counted in each quarter of the picture.
COLOURS = (8, 4, 4)

#: Length of the part of the vector that tells colours; that of shapes has length 1.
COLOUR_WEIGHT = 0.5


class HogEncoder(Encoder):
    """Histograms of gradients (Dalal and Triggs, 2005) and of colours.

    Parameters
    ----------
    name : str
        As asked for.
    resize : str
        See :func:`imagestrata.encoders.resize.resize`.

    Notes
    -----
    Cell and weight were chosen on labelled photographs: finer cells and more weight
    on colour gave worse neighbours. Square roots of shares keep a large plain
    background from drowning the rest.
    """

    width = (SIDE // CELL - BLOCK + 1) ** 2 * BLOCK**2 * DIRECTIONS + 4 * int(np.prod(COLOURS))

    def __init__(self, name: str = "hog", *, resize: str) -> None:
        self.name = name
        self.settings = {
            "name": self.name,
            "width": self.width,
            "resize": resize,
            "input_size": SIDE,
            "directions": DIRECTIONS,
            "cell": CELL,
            "colours": list(COLOURS),
            "colour_weight": COLOUR_WEIGHT,
        }
        self.decode_side = decode_side(resize, SIDE)

    def prepare(self, image: Image.Image) -> NDArray[np.float32]:
        """The whole vector: there is nothing to gain from batches."""
        square = resize(image, self.settings["resize"], SIDE, SIDE)
        shapes = hog(
            np.asarray(square.convert("L"), dtype=np.float32) / 255,
            orientations=DIRECTIONS,
            pixels_per_cell=(CELL, CELL),
            cells_per_block=(BLOCK, BLOCK),
        )
        parts = [_unit(shapes), COLOUR_WEIGHT * _unit(_colours(square))]
        return np.concatenate(parts, dtype=np.float32)

    def encode(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Vectors of a batch, of shape (n, width)."""
        return np.stack(prepared)


def _colours(square: Image.Image) -> NDArray[np.float64]:
    """Square roots of how often each colour comes in each quarter."""
    _, saturation, value = COLOURS
    pixels = np.asarray(square.convert("HSV"), dtype=np.intp)
    steps = pixels * COLOURS // 256
    colour = (steps[..., 0] * saturation + steps[..., 1]) * value + steps[..., 2]
    half = SIDE // 2
    quarters = [colour[y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
    counts = [np.bincount(quarter.ravel(), minlength=np.prod(COLOURS)) for quarter in quarters]
    return np.sqrt(np.concatenate(counts))


def _unit(vector: NDArray[Any]) -> NDArray[Any]:
    length = np.linalg.norm(vector)
    return vector / length if length else vector
