"""What every encoder can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image


class Encoder(ABC):
    """Turns pictures into vectors, in two strides.

    :meth:`prepare` takes one picture, :meth:`encode` a batch of what it returned.
    Both may be called from many threads at once. An encoder that learns from
    the corpus (``fit_size > 0``) is fitted, or given an earlier :meth:`state`,
    before it encodes.

    Attributes
    ----------
    name : str
        As asked for.
    width : int
        Numbers per vector.
    settings : dict
        All that decides the vectors, as plain JSON values.
    decode_side : int or None
        A picture may be decoded at a reduced scale as long as both sides keep this
        many pixels; None asks for full size.
    batch_size : int
        How many images are best encoded together.
    fit_size : int
        How many images of the corpus the encoder learns from; 0 if it learns nothing.
    weights : str or None
        Of a network, where its weights were found, or their name.
    device : str
        Of a network, where it was asked to compute.
    """

    name: str
    width: int
    settings: dict[str, Any]
    decode_side: int | None = None
    batch_size: int = 8
    fit_size: int = 0
    weights: str | None = None
    device: str = "auto"

    @abstractmethod
    def prepare(self, image: Image.Image) -> NDArray[Any]:
        """Whatever :meth:`encode` needs of one RGB picture, in little memory."""

    @abstractmethod
    def encode(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Vectors of a batch, of shape (n, width)."""

    def fit(self, prepared: Iterable[NDArray[Any]]) -> None:
        """Learn from a sample of the corpus (``fit_size`` images at most)."""
        raise NotImplementedError(f"{self.name} learns nothing")

    def state(self) -> dict[str, NDArray[np.float32]]:
        """What was learnt: arrays with the same number of rows, or nothing."""
        return {}

    def load_state(self, state: Mapping[str, NDArray[np.float32]]) -> None:
        """Take over what was learnt before, in place of :meth:`fit`."""
        raise NotImplementedError(f"{self.name} learns nothing")
