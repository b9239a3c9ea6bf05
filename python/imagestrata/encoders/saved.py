"""An encoder in a folder of its own: the part of a fine-tuned model that makes vectors.

Three files: ``encoder.json`` with its settings, ``weights.safetensors`` if it is a
network of torchvision (those of other libraries are large, and read from where they lay),
and ``state.safetensors`` if it learnt from a corpus. Reading them runs no code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ImagestrataError
from ..files import damaged, file_hash, read_json, write_bytes, write_json
from ..validate import check_path
from ..wording import arg, kind_of, quote, verb
from .weights import write_weights

if TYPE_CHECKING:
    from torch import Tensor


class SavedEncoder(NamedTuple):
    """What :func:`~imagestrata.encoders.registry.restore_encoder` needs."""

    settings: dict[str, Any]
    state: dict[str, NDArray[np.float32]]


def write_encoder(
    folder: Path,
    settings: Mapping[str, Any],
    state: Mapping[str, NDArray[np.float32]],
    backbone: Mapping[str, Tensor] | None,
) -> None:
    """Store an encoder, a network with the weights it has now."""
    stored = dict(settings)
    if backbone is not None:
        del stored["weights"]  # they come into the folder
        path = folder / "weights.safetensors"
        write_weights(path, backbone, descended_from=settings["published"])
        stored["weights_sha256"] = file_hash(path)
    if state:
        from safetensors.numpy import save

        plain = {key: np.ascontiguousarray(array) for key, array in state.items()}
        write_bytes(folder / "state.safetensors", save(plain))
    write_json(folder / "encoder.json", stored)


#: Sides of pictures in the settings of an encoder, and what no width or side reaches.
_SIDES, _MOST = ("input_size", "short_side"), 1_000_000


def read_encoder(folder: Path) -> SavedEncoder:
    """What :func:`write_encoder` stored."""
    settings: dict[str, Any] = read_json(folder / "encoder.json")
    sizes = [settings.get("width"), *(settings[name] for name in _SIDES if name in settings)]
    if not all(type(size) is int and 0 < size < _MOST for size in sizes):
        raise damaged(folder / "encoder.json", "its sizes are no sensible whole numbers")
    state: dict[str, NDArray[np.float32]] = {}
    if (folder / "state.safetensors").exists():
        from safetensors.numpy import load

        state = load((folder / "state.safetensors").read_bytes())
    if (folder / "weights.safetensors").exists():
        settings["weights"] = str(folder / "weights.safetensors")
    return SavedEncoder(settings, state)


def model_folder(model: Any) -> Path:
    """Where the files of a fine-tuned model lie."""
    given = getattr(model, "folder", model)
    if not isinstance(given, str | os.PathLike):
        raise ImagestrataError(
            f"{arg('model')} must be what {verb('fine_tune')} returned, or the folder of one, not "
            f"{kind_of(model)}."
        )
    folder = check_path("model", given)
    for place in (folder, folder / "model"):
        if (place / "model.json").is_file() and (place / "encoder.json").is_file():
            return place
    raise ImagestrataError(
        f"There is no fine-tuned model in {quote(folder)}.",
        f"Give what you gave to {verb('fine_tune')} as {arg('out')}; if it was interrupted, call "
        "it again.",
    )
