"""Gradients and colour: a fixed descriptor without weights that does not learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .base import Encoder
from .resize import decode_side, resize

if TYPE_CHECKING:
    from PIL import Image

#: Side of the input square, in pixels.
SIDE = 128

#: Directions of gradients, side of a cell in pixels, cells across a block.
DIRECTIONS, CELL, BLOCK = 9, 32, 2

#: Steps of hue, saturation and value, counted in each quarter of the picture.
COLOURS = (8, 4, 4)

#: Length of the part of the vector that describes colours. The part for shapes has length 1.
COLOUR_WEIGHT = 0.5


class HogEncoder(Encoder):
    """Computes histograms of gradients (Dalal and Triggs, 2005) and of colours.

    Parameters
    ----------
    name : str
        Name that the user gave.
    resize : str
        See :func:`imagestrata.encoders.resize.resize`.

    Notes
    -----
    Cell size and colour weight were chosen on labelled photographs: finer cells and more
    weight on colour gave worse neighbours. With square roots of shares, a large plain
    background does not dominate.
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
        """Return the complete vector, since batches would gain nothing."""
        square = resize(image, self.settings["resize"], SIDE, SIDE)
        grey = np.asarray(square.convert("L"), dtype=np.float32) / np.float32(255)
        parts = [_unit(_shapes(grey)), COLOUR_WEIGHT * _unit(_colours(square))]
        return np.concatenate(parts, dtype=np.float32)

    def encode(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Return the vectors of a batch, of shape (n, width)."""
        return np.stack(prepared)


def _shapes(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return histograms of the directions of gradients.

    Each cell has one histogram, weighted by the strength of gradients. Blocks of cells overlap.
    Each block is scaled to length 1, cut at .2 and scaled again ("L2-Hys"). The numbers are those
    of scikit-image's ``hog``, but for its sums in single precision.
    """
    down, across = np.zeros_like(grey), np.zeros_like(grey)
    down[1:-1] = grey[2:] - grey[:-2]
    across[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    down, across = down.astype(np.float64), across.astype(np.float64)
    degrees = np.rad2deg(np.arctan2(down, across)) % 180
    direction = np.digitize(degrees, np.linspace(0, 180, DIRECTIONS + 1)) - 1
    cells = SIDE // CELL
    rows, columns = np.indices(grey.shape) // CELL
    # A remainder can round to 180 degrees, which is in no bin.
    at = (rows * cells + columns) * (DIRECTIONS + 1) + direction
    n_bins = cells**2 * (DIRECTIONS + 1)
    sums = np.bincount(at.ravel(), np.hypot(across, down).ravel(), minlength=n_bins)
    cell_means = sums.reshape(cells, cells, DIRECTIONS + 1)[..., :DIRECTIONS] / CELL**2
    windows = np.lib.stride_tricks.sliding_window_view(cell_means, (BLOCK, BLOCK), axis=(0, 1))
    blocks = np.moveaxis(windows, 2, -1).reshape((cells - BLOCK + 1) ** 2, -1)
    blocks = _scaled(np.minimum(_scaled(blocks), 0.2))
    return blocks.astype(np.float32).ravel()


def _scaled(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.sqrt((blocks**2).sum(axis=1, keepdims=True) + 1e-10)
    return np.asarray(blocks / lengths)


def _colours(square: Image.Image) -> NDArray[np.float64]:
    """Return square roots of the count of each colour in each quarter."""
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
