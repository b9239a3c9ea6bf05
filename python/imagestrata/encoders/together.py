"""Several networks that look at the same picture, which is decoded and prepared once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..corpus.duplicates import eye_hash
from .base import Encoder
from .registry import TOGETHER

#: Numbers at the end of a vector: the perceptual hash in pieces of 16 bits, exact in float32.
EYE_WIDTH = 4


class Together(Encoder):
    """Encoders that prepare pictures in the same way, and the perceptual hash of each picture.

    A vector consists of the encoders' vectors, one after the other, and the hash (see
    :func:`eyes`).

    Parameters
    ----------
    encoders : sequence of Encoder
        Encoders of the same kind, such as networks of the same kind with other weights. None of
        them learns from the corpus any more.
    """

    def __init__(self, encoders: Sequence[Encoder]) -> None:
        first = encoders[0]
        self._encoders = list(encoders)
        self.name = first.name
        self.width = sum(one.width for one in encoders) + EYE_WIDTH
        self.settings = {
            "name": TOGETHER,
            "width": self.width,
            "encoders": [one.settings for one in encoders],
        }
        self.decode_side = first.decode_side
        self.batch_size = first.batch_size
        self.device = first.device
        self.in_turn = first.in_turn

    def prepare(self, image: Image.Image) -> Any:
        """Return the encoders' input, and the hash in pieces."""
        eye = eye_hash(image)
        pieces = [eye >> 16 * place & 0xFFFF for place in range(EYE_WIDTH)]
        return self._encoders[0].prepare(image), np.array(pieces, dtype=np.float32)

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """Return the vectors of a batch, of shape (n, width)."""
        inputs = [one for one, _ in prepared]
        return np.hstack(
            [
                *(one.encode(inputs) for one in self._encoders),
                np.stack([eye for _, eye in prepared]),
            ]
        )

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return what each encoder has learnt, by its number."""
        return {
            f"{number}.{name}": array
            for number, one in enumerate(self._encoders)
            for name, array in one.state().items()
        }


def state_of(number: int, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what one of the encoders has learnt."""
    start = f"{number}."
    return {name.removeprefix(start): state[name] for name in state if name.startswith(start)}


def eyes(matrix: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return the perceptual hashes at the end of the vectors."""
    pieces = matrix[:, -EYE_WIDTH:].astype(np.uint64)
    shifts = 16 * np.arange(EYE_WIDTH, dtype=np.uint64)
    return np.asarray(np.bitwise_or.reduce(pieces << shifts, axis=1), dtype=np.uint64)
