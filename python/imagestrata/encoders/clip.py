"""The towers of CLIP, or of another network of the library open_clip, for images and texts."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import ImagestrataError
from ..extras import require
from ..files import file_hash, read_json
from ..validate import expand_home
from ..wording import arg, quote, verb
from .network import NetworkEncoder, Preparation
from .weights import (
    check_same_weights,
    fill,
    hub_weights,
    names_a_path,
    published_weights,
    read_weights,
    weights_in,
)

#: The weights of the paper (Radford et al. 2021), for networks that have them.
DEFAULT_TAG = "openai"

#: open_clip's names of our resize modes that give the same pixels.
_RESIZE = {"shortest": "rescale_crop", "squash": "squish", "longest": "pad"}

#: A tiny text tower: open_clip always builds one, and we do not use it.
_NO_TEXT = {"context_length": 4, "vocab_size": 4, "width": 8, "heads": 1, "layers": 1}

_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


class ClipEncoder(NetworkEncoder):
    """Computes the vectors of open_clip's ``encode_image``, not scaled to length 1.

    Parameters
    ----------
    name : str
        ``"clip:ViT-B-32"``, or any other name of ``open_clip.list_models()``.
    weights : str, path or None
        A tag of published weights (``"laion2b_s34b_b79k"``); a folder with a model, stored by
        open_clip or downloaded from the hub; a file with both towers or the image tower
        alone; or None for the tag ``"openai"``, or for open_clip's first tag if a network has
        no such weights.
    resize, precision, device : str
        See :class:`NetworkEncoder`.

    Notes
    -----
    Pictures are prepared as open_clip specifies for the weights: side, bilinear or bicubic,
    mean, standard deviation, and shortest (our ``"rescale_crop"``), squash
    (``"squish"``) or longest (``"pad"``).

    OpenAI's weights, and some others, were trained with a faster approximation of GELU. The
    tag, or the ``open_clip_config.json`` in the folder of a file, determines this. For a file
    alone the name decides: ``"clip:ViT-B-32"`` without the approximation,
    ``"clip:ViT-B-32-quickgelu"`` with it.
    """

    def _load(
        self, name: str, *, weights: str | os.PathLike[str] | None, resize: str
    ) -> tuple[nn.Module, dict[str, Any]]:
        library, network, tag, quick, config, path = _found(name, weights)
        with _quiet(), torch.random.fork_rng(devices=[]):
            model = library.create_model(network, force_quick_gelu=quick, text_cfg=_NO_TEXT)
        tower = model.visual
        prepared = _preparation({**tower.preprocess_cfg, **config}).settings(name, resize)
        both = library.factory.convert_state_dict(model, read_weights(path))
        ours = {key.removeprefix("visual."): both[key] for key in both if key.startswith("visual.")}
        fill(tower, ours or both, path, name)
        return _Tower(tower), {
            "name": name,
            "width": int(library.get_model_config(network)["embed_dim"]),
            "weights": tag or str(expand_home(str(weights)).absolute()),
            "weights_sha256": file_hash(path),
            "published": tag,
            "quick_gelu": quick,
            **prepared,
        }


class _Found(NamedTuple):
    """A network of open_clip and its weights."""

    library: Any
    network: str
    #: The tag of published weights, None for others.
    tag: str | None
    quick_gelu: bool
    config: dict[str, Any]
    path: Path


def _found(name: str, weights: str | os.PathLike[str] | None) -> _Found:
    library = require("open_clip", "encoders", f"The encoder {name!r}")
    network = name.removeprefix("clip:")
    _check_known(library, name, network)
    if weights is not None and names_a_path(weights):
        path = weights_in(expand_home(weights).absolute())
        quick, config = _stored(path.parent / "open_clip_config.json")
        return _Found(library, network, None, quick, config, path)
    tag = _tag(library, network, weights)
    config = library.get_pretrained_cfg(network, tag)
    return _Found(
        library, network, tag, bool(config.get("quick_gelu")), config, _published(name, config)
    )


class Captions(NamedTuple):
    """Texts as a network compares them with images.

    Attributes
    ----------
    vectors : ndarray of shape (n, width), float32
        open_clip's ``encode_text``, not scaled to length 1.
    scale : float
        By which the network multiplies cosines before it compares texts.
    bias : float or None
        What the network adds then, if it was trained to answer about each text alone (SigLIP).
    """

    vectors: NDArray[np.float32]
    scale: float
    bias: float | None


def text_vectors(
    settings: Mapping[str, Any],
    texts: Sequence[str],
    weights: str | os.PathLike[str] | None = None,
) -> NDArray[np.float32]:
    """Return the vectors of texts: those of :func:`captions`."""
    return captions(settings, texts, weights).vectors


def captions(
    settings: Mapping[str, Any],
    texts: Sequence[str],
    weights: str | os.PathLike[str] | None = None,
) -> Captions:
    """Return texts by the text tower that was trained with an image tower.

    Parameters
    ----------
    settings : mapping
        ``encoder`` of embeddings that :class:`ClipEncoder` made.
    texts : sequence of str
        They are cut where they exceed the length that the network was trained on.
    weights : path, optional
        Current location of the weights, if they have moved.

    Returns
    -------
    Captions

    Raises
    ------
    ImagestrataError
        If the weights are others than those of the images, or contain no text tower.
    """
    name = settings["name"]
    found = _found(name, settings["weights"] if weights is None else weights)
    check_same_weights(settings, file_hash(found.path), found.path)
    with _quiet(), torch.random.fork_rng(devices=[]):
        model = found.library.create_model(
            found.network, force_quick_gelu=bool(settings["quick_gelu"])
        )
    both = found.library.factory.convert_state_dict(model, read_weights(found.path))
    if "positional_embedding" in both and not hasattr(model, "positional_embedding"):
        both = found.library.model.convert_to_custom_text_state_dict(both)
    both = {key: both[key] for key in model.state_dict() if key in both}
    if not any(not key.startswith(("visual.", "logit_")) for key in both):
        raise ImagestrataError(
            f"{quote(found.path)} contains the image tower of {name} alone, without the text tower "
            "that turns words into vectors.",
            f"Give a file with both towers as {arg('weights')} of {verb('embed_images')} or "
            f"{verb('tag_images')}; {verb('find_images')} can also search by a picture.",
        )
    fill(model, both, found.path, name)
    tokens = found.library.get_tokenizer(found.network)([*texts])
    with torch.inference_mode():
        vectors: NDArray[np.float32] = model.eval().encode_text(tokens).float().numpy()
        scale = float(model.logit_scale.exp())
        bias = getattr(model, "logit_bias", None)
        return Captions(vectors, scale, None if bias is None else float(bias))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence open_clip's warning about random weights, which are replaced immediately."""
    root = logging.getLogger()
    before, handlers = root.manager.disable, root.handlers[:]
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
        root.handlers[:] = handlers


class _Tower(nn.Module):
    """An image tower whose output is the vector alone; some towers also return tokens."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> Tensor:
        """Return vectors of shape (n, width)."""
        found = self.tower(pixels)
        vectors: Tensor = found[0] if isinstance(found, tuple) else found
        return vectors


def _check_known(library: Any, name: str, network: str) -> None:
    known = library.list_models()
    if network not in known:
        near = get_close_matches(network, known, n=3)
        guess = f"Did you mean {' or '.join(repr(f'clip:{one}') for one in near)}? " if near else ""
        raise ImagestrataError(
            f"There is no encoder {quote(name)}: the installed open_clip {library.__version__} "
            f"has no network {quote(network)}.",
            f"{guess}`open_clip.list_models()` lists all names.",
        )


def _tag(library: Any, network: str, weights: str | os.PathLike[str] | None) -> str:
    """Return the tag of the published weights that the user asked for."""
    tags: list[str] = library.list_pretrained_tags_by_model(network)
    if weights is None and tags:
        return DEFAULT_TAG if DEFAULT_TAG in tags else tags[0]
    if str(weights) not in tags:
        asked = "no weights" if weights is None else f"no weights {str(weights)!r}"
        raise ImagestrataError(
            f"open_clip has {asked} for {quote(network)}, and there is no such file or folder.",
            f"Choose one of {', '.join(tags)}, or give the path of a file or folder."
            if tags
            else f"Give the path of a file or folder as {arg('weights')}.",
        )
    return str(weights)


def _stored(config: Path) -> tuple[bool, dict[str, Any]]:
    """Return whether GELU is approximated, and the preparation of pictures, from a file."""
    if not config.is_file():
        return False, {}
    content = read_json(config)
    return bool(content.get("model_cfg", {}).get("quick_gelu")), content.get("preprocess_cfg", {})


def _published(name: str, entry: dict[str, Any]) -> Path:
    """Return the file of published weights."""
    if entry.get("hf_hub"):
        repository, _, file = entry["hf_hub"].rpartition("/")
        return hub_weights(name, repository, (file,) if file else _FILES)
    return published_weights(name, entry["url"])


def _preparation(config: dict[str, Any]) -> Preparation:
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    mode = _RESIZE.get(config["resize_mode"])
    if height != width or (mode == "pad" and config.get("fill_color")):
        mode = None
    return Preparation(
        mode, height, height, config["interpolation"], list(config["mean"]), list(config["std"])
    )
