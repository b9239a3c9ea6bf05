"""BLIP-2 without its language model: vectors of its image tower or of its Q-Former."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ImagestrataError, MissingWeightsError
from ..extras import require
from ..validate import expand_home
from ..wording import quote
from .network import NetworkEncoder, Preparation
from .weights import given_weights, missing_on_hub, names_a_path, read_weights, weights_hash

#: The image tower and the Q-Former of the first stage, trained on images and texts alone. Weights
#: with a language model are at least three times as large and have the same image tower.
DEFAULT_WEIGHTS = "Salesforce/blip2-itm-vit-g"

#: Part of the model that is loaded but not used. Files with a language model lack it.
_UNUSED = "vision_projection."

#: Files that describe the image processor.
_PROCESSOR = ("preprocessor_config.json", "processor_config.json")

#: Pillow's numbers of filters.
_INTERPOLATION = {2: "bilinear", 3: "bicubic"}


class Blip2Encoder(NetworkEncoder):
    """Computes a vector per picture with BLIP-2 (Li et al. 2023), from transformers.

    Parameters
    ----------
    name : {"blip2:vision", "blip2:qformer"}
        The image tower's summary (``pooler_output``: its first token after the last layer
        norm; 1,408 numbers with the published weights); or the mean of the Q-Former's query
        outputs (768 numbers), which a language model would receive.
    weights : str, path or None
        A repository of the Hugging Face hub; a folder that ``save_pretrained`` wrote, of
        any BLIP-2 model of transformers; a file with its ``config.json`` in the same folder;
        or None for ``"Salesforce/blip2-itm-vit-g"``, 4.7 GB.
    resize, precision, device : str
        See :class:`NetworkEncoder`. The precision applies to the Q-Former too.

    Notes
    -----
    Pictures are prepared by the image processor stored with the weights. Without one, they are
    prepared as for the published weights: squished to a square, bicubic, with CLIP's means and
    standard deviations.

    If the weights contain a language model, only the image tower and the Q-Former are loaded.
    """

    def _load(
        self, name: str, *, weights: str | os.PathLike[str] | None, resize: str
    ) -> tuple[nn.Module, dict[str, Any]]:
        library = require("transformers", "encoders", f"The encoder {name!r}")
        here = weights is not None and names_a_path(weights)
        with _quiet(library, here=here):
            if here:
                place = expand_home(str(weights)).absolute()
                model = _from_folder(library, name, place)
                folder = place if place.is_dir() else place.parent
            else:
                place = Path(weights or DEFAULT_WEIGHTS)
                model, folder = _from_hub(library, name, str(place))
        preparation = _preparation(library, folder, model.config.vision_config.image_size)
        network = _Vision(model) if name == "blip2:vision" else _QFormer(model)
        return network, {
            "name": name,
            "width": network.width,
            "weights": str(place),
            "weights_sha256": weights_hash(place if place.is_file() else folder),
            "published": None,
            **preparation.settings(name, resize),
        }


@contextmanager
def _quiet(library: Any, *, here: bool) -> Iterator[None]:
    """Silence transformers' list of unused weights, and its bars if nothing is downloaded."""
    talk = library.utils.logging
    before, bars = talk.get_verbosity(), talk.is_progress_bar_enabled()
    talk.set_verbosity_error()
    if here:
        talk.disable_progress_bar()
    try:
        yield
    finally:
        talk.set_verbosity(before)
        if bars:
            talk.enable_progress_bar()


class _Vision(nn.Module):
    """The image tower."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower = model.vision_model
        self.width: int = model.config.vision_config.hidden_size

    def forward(self, pixels: Tensor) -> Tensor:
        """Return vectors of shape (n, width)."""
        vectors: Tensor = self.tower(pixels).pooler_output
        return vectors


class _QFormer(nn.Module):
    """The image tower with the Q-Former and its queries."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower = model.vision_model
        self.qformer = model.qformer
        self.queries = model.query_tokens
        self.width: int = model.config.qformer_config.hidden_size

    def forward(self, pixels: Tensor) -> Tensor:
        """Return vectors of shape (n, width)."""
        seen = self.tower(pixels).last_hidden_state
        answers: Tensor = self.qformer(
            query_embeds=self.queries.expand(len(pixels), -1, -1), encoder_hidden_states=seen
        ).last_hidden_state
        return answers.mean(dim=1)


def _from_folder(library: Any, name: str, place: Path) -> Any:
    """Load the model from a folder, or from a file of weights."""
    weights_hash(place if place.is_dir() else given_weights(place))  # reports missing files
    folder = place if place.is_dir() else place.parent
    if not (folder / "config.json").is_file():
        # Without it, transformers would build the largest network before it reports a mismatch.
        raise MissingWeightsError(
            f"There is no config.json in {quote(folder)}, which contains the network's sizes.",
            "Copy it from the source of the weights.",
        )
    options: dict[str, Any] = {"local_files_only": True}
    if place.is_file():
        options["state_dict"] = read_weights(place)
        options["config"] = library.Blip2Config.from_pretrained(folder, local_files_only=True)
    try:
        return _checked(library, name, place, folder if place.is_dir() else None, **options)
    except OSError as error:
        raise _unfit(name, place, _brief(error)) from None


def _from_hub(library: Any, name: str, repository: str) -> tuple[Any, Path]:
    """Load the model from the hub's cache, or download it; return it with its folder."""
    from transformers.utils.hub import cached_file

    try:
        folder = Path(str(cached_file(repository, "config.json"))).parent
        for file in _PROCESSOR:
            with suppress(OSError):  # without either file, the usual preparation applies
                cached_file(repository, file)
        return _checked(library, name, repository, repository), folder
    except OSError as error:
        raise missing_on_hub(name, repository, error) from None


def _checked(library: Any, name: str, shown: Any, source: Any, **options: Any) -> Any:
    """Return the model if all its necessary weights were found."""
    try:
        with torch.random.fork_rng(devices=[]):
            model, found = library.Blip2VisionModelWithProjection.from_pretrained(
                source, output_loading_info=True, ignore_mismatched_sizes=True, **options
            )
    except (RuntimeError, ValueError, UnpicklingError) as error:
        raise _unfit(name, shown, _brief(error)) from None
    missing = sorted(key for key in found["missing_keys"] if not key.startswith(_UNUSED))
    reshaped = sorted(key[0] for key in found["mismatched_keys"])
    if missing or reshaped:
        groups = (("missing", missing), ("of another shape", reshaped))
        listed = "; ".join(f"{len(keys)} {what} ({keys[0]})" for what, keys in groups if keys)
        raise _unfit(name, shown, listed)
    return model.float()


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _unfit(name: str, shown: Any, what: str) -> ImagestrataError:
    return ImagestrataError(
        f"{quote(shown)} does not hold the weights of {name}: {what}.",
        "Give the weights of a BLIP-2 model of transformers.",
    )


def _preparation(library: Any, folder: Path, size: int) -> Preparation:
    if any((folder / file).is_file() for file in _PROCESSOR):
        processor = library.BlipImageProcessor.from_pretrained(folder, local_files_only=True)
    else:
        processor = library.BlipImageProcessor(size={"height": size, "width": size})
    height, width = processor.size["height"], processor.size["width"]
    plain = processor.do_resize and processor.do_rescale and processor.do_normalize
    return Preparation(
        "squish" if plain and height == width == size else None,
        size,
        size,
        _INTERPOLATION.get(int(processor.resample), f"filter {int(processor.resample)}"),
        list(processor.image_mean),
        list(processor.image_std),
    )
