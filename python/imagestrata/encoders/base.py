"""The base class of all encoders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image


class Encoder(ABC):
    """Turns pictures into vectors, in two steps.

    :meth:`prepare` takes one picture, and :meth:`encode` takes a batch of prepared pictures.
    Many threads may call both at once, unless ``in_turn`` is set. An encoder that learns from the
    corpus (``fit_size > 0``) must be fitted, or given an earlier :meth:`state`, before it
    encodes.

    Attributes
    ----------
    name : str
        Name that the user gave.
    width : int
        Numbers per vector.
    settings : dict
        All settings that decide the vectors, as plain JSON values.
    decode_side : int or None
        Smallest number of pixels that both sides must keep when a picture is decoded at a
        reduced scale; None requires the full size.
    batch_size : int
        Best number of images to encode together.
    fit_size : int
        Number of images of the corpus that the encoder learns from; 0 if it does not learn.
    weights : str or None
        Location or name of a network's weights.
    device : str
        Device that the user chose for a network.
    in_turn : bool
        Whether :meth:`encode` is called in the user's own thread only, for one batch after the
        other.
    """

    name: str
    width: int
    settings: dict[str, Any]
    decode_side: int | None = None
    batch_size: int = 8
    fit_size: int = 0
    weights: str | None = None
    device: str = "auto"
    in_turn: bool = False

    def frame(self, image: Image.Image) -> Image.Image:
        """Return the picture, or a smaller one from which :meth:`prepare` makes the same.

        Small copies for viewers are made of the smaller one.
        """
        return image

    @abstractmethod
    def prepare(self, image: Image.Image) -> NDArray[Any]:
        """Return the input of :meth:`encode` for one RGB picture, in little memory."""

    @abstractmethod
    def encode(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Return the vectors of a batch, of shape (n, width)."""

    def fit(self, prepared: Iterable[NDArray[Any]]) -> None:
        """Learn from a sample of at most ``fit_size`` images of the corpus."""
        raise NotImplementedError(f"{self.name} does not learn from images")

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return what was learnt: arrays with the same number of rows, or an empty dict."""
        return {}

    def load_state(self, state: Mapping[str, NDArray[np.float32]]) -> None:
        """Set what was learnt before, in place of :meth:`fit`."""
        raise NotImplementedError(f"{self.name} does not learn from images")
