"""Any classifier of torchvision without its last layer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from ..errors import ImagestrataError
from ..files import file_hash
from ..validate import expand_home
from ..wording import quote
from .network import NetworkEncoder
from .weights import descended_from, file_name, fill, given_weights, published_weights, read_weights

#: Names of the modules with the last layers of torchvision's classifiers.
_HEADS = ("fc", "classifier", "heads", "head")

#: Branches that are used in training only.
_TRAINING_ONLY = ("aux1", "aux2", "AuxLogits")

#: Options of networks whose published weights are not loaded by torchvision itself.
_OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}


class TorchvisionEncoder(NetworkEncoder):
    """Computes the input of the last layer of a trained classifier.

    Parameters
    ----------
    name : str
        One of ``torchvision.models.list_models(module=torchvision.models)``.
    weights : str, path or None
        A file; the name of other published weights (``"IMAGENET1K_V2"``); or None for the
        first ones, ``"IMAGENET1K_V1"``.
    resize : str
        See :func:`imagestrata.encoders.resize.resize`.
    precision, device : str
        See :func:`imagestrata.embed_images`.

    Notes
    -----
    Size, mean and standard deviation of pictures are those that torchvision specifies for the
    weights. For a file of unknown origin, those of the network's first published weights are
    used.
    """

    def _load(
        self, name: str, *, weights: str | os.PathLike[str] | None, resize: str
    ) -> tuple[nn.Module, dict[str, Any]]:
        return load_network(name, weights=weights, resize=resize)


class TorchvisionClassifier(TorchvisionEncoder):
    """A complete trained classifier: its vectors are the scores (logits) of its classes.

    The parameters are those of :class:`TorchvisionEncoder`.

    Attributes
    ----------
    classes : list of str or None
        Names of the classes; None if the number of classes is not that of the published
        weights.
    """

    classes: list[str] | None

    def _load(
        self, name: str, *, weights: str | os.PathLike[str] | None, resize: str
    ) -> tuple[nn.Module, dict[str, Any]]:
        published, path = _find(name, weights)
        model, n = _with_head(name, published.transforms().crop_size[0], path)
        known = list(published.meta["categories"])
        self.classes = known if n == len(known) else None
        return model, _settings(name, n, published, path, resize) | {"head": True}


def load_network(
    name: str, *, weights: str | os.PathLike[str] | None, resize: str
) -> tuple[nn.Module, dict[str, Any]]:
    """Return a trained network without its last layer, and its settings except precision.

    The parameters are those of :class:`TorchvisionEncoder`.
    """
    published, path = _find(name, weights)
    model, width = _trained(name, published.transforms().crop_size[0], path)
    return model, _settings(name, width, published, path, resize)


def _find(name: str, weights: str | os.PathLike[str] | None) -> tuple[Any, Path]:
    """Return the entry in torchvision's list and the file of the weights asked for."""
    published = _published(name, weights)
    if weights is None or str(weights) == published.name:
        return published, published_weights(name, published.url)
    return published, given_weights(expand_home(weights))


def _settings(name: str, width: int, published: Any, path: Path, resize: str) -> dict[str, Any]:
    transforms = published.transforms()
    return {
        "name": name,
        "width": width,
        "weights": str(path),
        "weights_sha256": file_hash(path),
        "published": published.name,
        "resize": resize,
        "input_size": transforms.crop_size[0],
        "short_side": transforms.resize_size[0],
        "interpolation": transforms.interpolation.value,
        "mean": list(transforms.mean),
        "sd": list(transforms.std),
    }


def torchvision_names() -> list[str]:
    """Return the names of the classifiers of the installed torchvision."""
    return list(torchvision.models.list_models(module=torchvision.models))


def _published(name: str, weights: str | os.PathLike[str] | None) -> Any:
    """Return the entry in torchvision's list of the weights, or else the first entry."""
    entries = list(torchvision.models.get_model_weights(name))
    asked = set() if weights is None else {Path(weights).name, descended_from(weights)}
    for entry in entries:
        if asked & {entry.name, file_name(entry.url)}:
            return entry
    return entries[0]


def _trained(name: str, size: int, path: Path) -> tuple[nn.Module, int]:
    """Return the network without its last layer, with weights from a file, and its width."""
    model, unused = _built(name, size)
    last, width = cut(model)
    fill(model, _without(read_weights(path), [last, *unused]), path, name)
    return model, width


def _with_head(name: str, size: int, path: Path) -> tuple[nn.Module, int]:
    """Return the complete network with weights from a file, and its number of classes."""
    model, unused = _built(name, size)
    last, _ = last_layer(model)
    weights = _without(read_weights(path), unused)
    if f"{last}.weight" not in weights:
        raise ImagestrataError(
            f"{quote(path)} does not contain the last layer ({last}.weight), which makes the tags.",
            "Give the weights of a whole classifier.",
        )
    n = int(weights[f"{last}.weight"].shape[0])
    if n != int(model.get_parameter(f"{last}.weight").shape[0]):
        model, _ = _built(name, size, num_classes=n)
    fill(model, weights, path, name)
    return model, n


def _built(name: str, size: int, **further: Any) -> tuple[nn.Module, list[str]]:
    """Return a network with random weights, and the names of the branches removed from it."""
    options = {**_OPTIONS.get(name, {}), **further}
    if name.startswith("vit"):
        options["image_size"] = size
    with torch.random.fork_rng(devices=[]):
        # Building draws random numbers, which are replaced below. The user's generator is kept.
        model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    unused = [branch for branch in _TRAINING_ONLY if getattr(model, branch, None) is not None]
    for branch in unused:
        setattr(model, branch, None)
    return model, unused


def _without(weights: Mapping[str, Tensor], modules: Sequence[str]) -> dict[str, Tensor]:
    left_out = tuple(f"{module}." for module in modules)
    return {key: tensor for key, tensor in weights.items() if not key.startswith(left_out)}


def cut(model: nn.Module) -> tuple[str, int]:
    """Remove the last layer of a classifier; return its name and the size of its input."""
    name, layer = last_layer(model)
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, nn.Identity())
    return name, layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels


def last_layer(model: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Return the name of the layer that computes the scores of the classes, and the layer."""
    head = next(name for name in _HEADS if hasattr(model, name))
    layers = [
        (f"{head}.{name}".rstrip("."), layer)
        for name, layer in model.get_submodule(head).named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    ]
    return layers[-1]
