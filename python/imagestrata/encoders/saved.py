"""Store an encoder in a folder: the part of a fine-tuned model that computes vectors.

``encoder.json`` contains its settings. ``weights.safetensors`` is added for networks that can
be trained further (other weights are large, and are read from their original location), and
``state.safetensors`` if the encoder learnt from a corpus. Reading these files runs no code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..corpus.located import located_file
from ..errors import ImagestrataError
from ..files import damaged, file_hash, read_json, write_bytes, write_json
from ..validate import check_path
from ..wording import arg, kind_of, quote, verb
from .weights import write_weights

if TYPE_CHECKING:
    from torch import Tensor


class SavedEncoder(NamedTuple):
    """The arguments of :func:`~imagestrata.encoders.registry.restore_encoder`."""

    settings: dict[str, Any]
    state: dict[str, NDArray[np.float32]]


def write_encoder(
    folder: Path,
    settings: Mapping[str, Any],
    state: Mapping[str, NDArray[np.float32]],
    backbone: Mapping[str, Tensor] | None,
) -> None:
    """Store an encoder; ``backbone`` contains a network's current weights."""
    stored = dict(settings)
    if backbone is not None:
        del stored["weights"]  # they are stored in the folder
        path = folder / "weights.safetensors"
        write_weights(path, backbone, descended_from=settings["published"])
        stored["weights_sha256"] = file_hash(path)
    if state:
        from safetensors.numpy import save

        plain = {key: np.ascontiguousarray(array) for key, array in state.items()}
        write_bytes(folder / "state.safetensors", save(plain))
    write_json(folder / "encoder.json", stored)


#: Sides of pictures in the settings of an encoder, and a limit for widths and sides.
_SIDES, _MOST = ("input_size", "short_side"), 1_000_000


#: The folder of the first network of a model with folds.
FIRST_FOLD = "fold-01"


def fold_folder(folder: Path, fold: int) -> Path:
    """Return the folder of a network of a model with folds."""
    return folder / f"fold-{fold:02d}"


def read_encoder(folder: Path) -> SavedEncoder:
    """Read an encoder that :func:`write_encoder` stored."""
    if (folder / FIRST_FOLD).is_dir():
        n = len([*folder.glob("fold-*")])
        raise ImagestrataError(
            f"The model in {quote(folder)} consists of {n} networks, one for each fold, whose "
            "vectors are not comparable.",
            f"Call {verb('predict_labels')}, which takes the mean of their probabilities. For "
            f"vectors, fine-tune one network, without {arg('folds')}.",
        )
    settings: dict[str, Any] = read_json(folder / "encoder.json")
    sizes = [settings.get("width"), *(settings[name] for name in _SIDES if name in settings)]
    if not all(type(size) is int and 0 < size < _MOST for size in sizes):
        raise damaged(folder / "encoder.json", "its sizes are not plausible integers")
    state: dict[str, NDArray[np.float32]] = {}
    if (folder / "state.safetensors").exists():
        from safetensors.numpy import load

        state = load((folder / "state.safetensors").read_bytes())
    if (folder / "weights.safetensors").exists():
        settings["weights"] = str(folder / "weights.safetensors")
    elif "weights" in settings:
        settings["weights"] = located_file(settings["weights"], folder.parent, "fine-tune")
    return SavedEncoder(settings, state)


def model_folder(model: Any) -> Path:
    """Return the folder with the files of a fine-tuned model."""
    given = getattr(model, "folder", model)
    if not isinstance(given, str | os.PathLike):
        raise ImagestrataError(
            f"{arg('model')} must be a model that {verb('fine_tune')} returned, or its folder, not "
            f"{kind_of(model)}."
        )
    folder = check_path("model", given)
    for place in (folder, folder / "model"):
        encoders = (place / "encoder.json", place / FIRST_FOLD / "encoder.json")
        if (place / "model.json").is_file() and any(one.is_file() for one in encoders):
            return place
    raise ImagestrataError(
        f"There is no fine-tuned model in {quote(folder)}.",
        f"Give the folder that you gave to {verb('fine_tune')} as {arg('out')}. If the call was "
        "interrupted, repeat it.",
    )
