"""Any network of the library timm without its last layer, including Xception."""

from __future__ import annotations

import math
import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import ImagestrataError
from ..extras import require
from ..files import file_hash, read_json
from ..validate import expand_home
from ..wording import arg, quote
from .network import NetworkEncoder, Preparation
from .weights import hub_weights, names_a_path, published_weights, read_weights, weights_in

#: timm's names of our resize modes that give the same pixels.
_RESIZE = {"center": "rescale_crop", "squash": "squish"}


class TimmEncoder(NetworkEncoder):
    """Computes the input of the last layer of a network of timm.

    Parameters
    ----------
    name : str
        ``"timm:legacy_xception"``, or any other name of ``timm.list_models()``, with or
        without a tag of published weights (``"timm:vit_base_patch16_224.dino"``).
    weights : str, path or None
        A file with any number of classes or none; a folder in which timm stored a model;
        another tag of published weights (``"dino"``); or None for timm's first weights.
    resize, precision, device : str
        See :class:`NetworkEncoder`.

    Notes
    -----
    Pictures are prepared according to timm's data configuration: input size, share of the
    centre (``crop_pct``), bilinear or bicubic, mean and standard deviation. The configuration
    in a folder has priority over that of the published weights. timm's centre crop is our
    ``"rescale_crop"``, and its squash is our ``"squish"``. For the few networks with another
    preparation you must give ``resize``.
    """

    def _load(
        self, name: str, *, weights: str | os.PathLike[str] | None, resize: str
    ) -> tuple[nn.Module, dict[str, Any]]:
        library = require("timm", "encoders", f"The encoder {name!r}")
        architecture, _, tag = name.removeprefix("timm:").partition(".")
        if weights is not None and not names_a_path(weights):
            tag = str(weights)
        known = f"{architecture}.{tag}".rstrip(".")
        _check_known(library, name, architecture, known)
        published = library.get_pretrained_cfg(known).to_dict()
        place, given = tag or None, None
        if weights is not None and names_a_path(weights):
            place = str(expand_home(weights).absolute())
            given = weights_in(Path(place))
            stored = given.parent / "config.json"
            if stored.is_file():
                published |= read_json(stored).get("pretrained_cfg", {})
        prepared = _preparation(published).settings(name, resize)
        path = _published(name, published) if given is None else given
        model, width = _trained(library, known, name, path, published, given=given is not None)
        return model, {
            "name": name,
            "width": width,
            "weights": place,
            "weights_sha256": file_hash(path),
            "published": published.get("tag") or None,
            **prepared,
        }


def _check_known(library: Any, name: str, architecture: str, known: str) -> None:
    """Raise an error for names and tags that timm does not have."""
    if not library.is_model(architecture):
        near = get_close_matches(architecture, library.list_models(), n=3)
        guess = f"Did you mean {' or '.join(repr(f'timm:{one}') for one in near)}? " if near else ""
        raise ImagestrataError(
            f"There is no encoder {quote(name)}: the installed timm {library.__version__} has no "
            f"network {quote(architecture)}.",
            f"{guess}`timm.list_models()` lists all names.",
        )
    tags = [
        model.partition(".")[2]
        for model in library.list_models(f"{architecture}.*", pretrained=True)
    ]
    if "." in known and known.partition(".")[2] not in tags:
        raise ImagestrataError(
            f"timm has no weights {quote(known.partition('.')[2])} for {quote(architecture)}, "
            "and there is no such file.",
            f"Choose one of {', '.join(tags)}, or give the path of a file." if tags else
            f"timm publishes none. Give the path of a file as {arg('weights')}.",
        )  # fmt: skip


def _preparation(published: dict[str, Any]) -> Preparation:
    _, height, width = published["input_size"]
    share = published["crop_pct"] or 0.875
    short_side = math.floor(height / share)
    mode = _RESIZE.get(published["crop_mode"])
    if height != width or (mode == "squish" and short_side != height):
        mode = None
    return Preparation(
        mode,
        height,
        short_side,
        published["interpolation"],
        list(published["mean"]),
        list(published["std"]),
    )


def _published(name: str, published: dict[str, Any]) -> Path:
    """Return the file of published weights."""
    if published.get("hf_hub_id"):
        file = published.get("hf_hub_filename")
        files = (file,) if file else ("model.safetensors", "pytorch_model.bin")
        return hub_weights(name, published["hf_hub_id"], files)
    if published.get("url"):
        return published_weights(name, published["url"])
    raise ImagestrataError(
        f"timm publishes no weights for {quote(name)}.",
        f"Give the path of a file as {arg('weights')}.",
    )


def _trained(
    library: Any, known: str, name: str, path: Path, published: dict[str, Any], *, given: bool
) -> tuple[nn.Module, int]:
    """Return the network without its last layer, with weights from a file, and its width.

    timm loads the weights: it converts older formats, and checks that they are complete if the
    number of classes is that of the file.
    """
    weights = read_weights(path)
    # Networks with a position for every patch are built for the size of their pictures.
    overlay = {"state_dict": weights, "input_size": tuple(published["input_size"])}
    options = {"num_classes": _classes(weights, published)} if given else {}
    try:
        with torch.random.fork_rng(devices=[]):
            model = library.create_model(
                known, pretrained=True, pretrained_cfg_overlay=overlay | options, **options
            )
    except Exception as error:
        # Converters of older formats raise many types of errors for other networks' weights.
        reason = " ".join(str(error).split())[:300]
        raise ImagestrataError(
            f"{quote(path)} does not hold the weights of {name}: {reason}",
            "Name the encoder that these weights belong to.",
        ) from None
    model.reset_classifier(0)
    size = model.pretrained_cfg["input_size"]
    with torch.inference_mode():
        vectors = model.eval()(torch.zeros(1, *size))
    return model, int(vectors.flatten(1).shape[1])


def _classes(weights: dict[str, Any], published: dict[str, Any]) -> int:
    """Return the number of classes of a file of weights, which may differ from the published."""
    last = published.get("classifier") or ""
    last = last if isinstance(last, str) else last[0]
    layer = weights.get(f"{last}.weight")
    n = 0 if layer is None else int(layer.shape[0])
    usual: int = published["num_classes"]
    return usual if n == usual + published.get("label_offset", 0) else n
