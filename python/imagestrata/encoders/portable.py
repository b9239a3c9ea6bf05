"""Send encoders to other processes."""

from __future__ import annotations

import hashlib
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine import torch_in_one_thread
from ..provenance import fingerprint
from ..validate import expand_home
from .base import Encoder
from .registry import restore_encoder
from .weights import names_a_path

#: Number of encoders that a process keeps: one before and one after learning.
_KEPT = 2

_encoders: dict[str, Encoder] = {}
_lock = Lock()


class Portable:
    """An encoder that can be sent to other processes.

    Its settings, what it learnt, and the location of its weights are sent. Each process reads
    the weights once, and rejects weights with another hash.

    Parameters
    ----------
    encoder : Encoder
        It may still learn: its state at the time of sending is sent.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder: Encoder | None = encoder
        self._recipe: _Recipe | None = None

    def __call__(self) -> Encoder:
        """Return the encoder itself in its own process, and a copy in other processes."""
        if self._encoder is None:
            assert self._recipe is not None
            self._encoder = _restored(self._recipe)
        return self._encoder

    def __getstate__(self) -> dict[str, Any]:
        recipe = self._recipe if self._encoder is None else _recipe(self._encoder)
        return {"_encoder": None, "_recipe": recipe}


class _Recipe(NamedTuple):
    key: str
    settings: dict[str, Any]
    state: dict[str, NDArray[np.float32]]
    weights: str | None
    device: str


def _recipe(encoder: Encoder) -> _Recipe:
    weights = encoder.weights
    if weights is not None and names_a_path(weights):
        weights = str(expand_home(weights).absolute())
    state = encoder.state()
    learnt = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in state.items()}
    key = fingerprint([encoder.settings, learnt, weights, encoder.device])
    return _Recipe(key, encoder.settings, state, weights, encoder.device)


def _restored(recipe: _Recipe) -> Encoder:
    """Return the encoder of a recipe, which this process makes once."""
    with _lock:
        if recipe.key not in _encoders:
            while len(_encoders) >= _KEPT:
                del _encoders[next(iter(_encoders))]
            _encoders[recipe.key] = restore_encoder(
                recipe.settings, recipe.state, weights=recipe.weights, device=recipe.device
            )
            torch_in_one_thread()  # torch may have been loaded only now
        return _encoders[recipe.key]
