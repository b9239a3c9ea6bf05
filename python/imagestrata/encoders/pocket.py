"""The encoder ``pocket``: a small network whose weights are part of the package."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ImagestrataError
from ..files import file_hash
from ..validate import expand_home
from ..wording import quote
from .network import NetworkEncoder
from .weights import fill, given_weights, read_weights

#: Our weights, trained by ``tools/train_pocket.py``.
PUBLISHED = Path(__file__).with_name("pocket.safetensors")
PUBLISHED_SHA256 = "ebda9b4fe3ca3b81b533e6d890d333eff16e2c1e04ea7e3cd97268b9acb158d6"

#: Side of the input square, and short side of the picture before the square is cut out. The
#: network was trained at 128; at 120 it is an eighth faster and finds the same neighbours.
SIDE, SHORT_SIDE = 120, 128

#: Mean and standard deviation for the normalisation of colours.
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

#: Best number of pictures to encode together on a processor.
BATCH = 32

_SCALE = ".scale"

#: Channels of the four stages, at 1/4, 1/8, 1/16 and 1/32 of the picture's side.
WIDTHS = (48, 96, 192, 320)

#: Residual blocks of each stage.
DEPTHS = (1, 1, 2, 1)

#: Channels of the last layer, whose averages over the picture are the vector.
WIDTH = 640


class PocketNetwork(nn.Module):
    """The network: 2.9 million weights, 0.2 billion multiplications for 128 x 128 pixels.

    All convolutions are dense. On a processor they are faster than the depthwise ones of other
    small networks, which need fewer multiplications but wait for memory.
    """

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth = WIDTHS
        layers = [*_layer(3, 32, stride=2), *_layer(32, first, stride=2)]
        layers += [Block(first) for _ in range(DEPTHS[0])]
        layers += _layer(first, second, stride=2)
        layers += [Block(second) for _ in range(DEPTHS[1])]
        layers += _layer(second, third, stride=2)
        layers += [Block(third, gated=True) for _ in range(DEPTHS[2])]
        layers += _layer(third, fourth, stride=2)
        layers += [Block(fourth, 2 * fourth, side=1, gated=True) for _ in range(DEPTHS[3])]
        layers += _layer(fourth, WIDTH, side=1)
        self.features = nn.Sequential(*layers)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return vectors of shape (n, 640) for pictures of shape (n, 3, side, side)."""
        vectors: Tensor = self.features(pixels).mean((2, 3))
        return vectors


class Block(nn.Module):
    """A residual block of two convolutions; ``gated`` adds a :class:`Gate`."""

    def __init__(
        self, width: int, between: int | None = None, *, side: int = 3, gated: bool = False
    ) -> None:
        super().__init__()
        between = between or width
        self.change = nn.Sequential(
            *_layer(width, between, side=side),
            *_layer(between, width, side=side)[:-1],
            *([Gate(width)] if gated else []),
        )

    def forward(self, maps: Tensor) -> Tensor:
        added: Tensor = maps + self.change(maps)
        return added.relu_()


class Gate(nn.Module):
    """Squeeze and excitation (Hu, Shen and Sun 2018): the whole picture weights channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(width, width // 8, 1)
        self.excite = nn.Conv2d(width // 8, width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        whole = torch.relu(self.squeeze(maps.mean((2, 3), keepdim=True)))
        return maps * torch.sigmoid(self.excite(whole))


def _layer(n_in: int, n_out: int, *, side: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(n_in, n_out, side, stride, side // 2, bias=False)
    return [convolution, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]


class PocketEncoder(NetworkEncoder):
    """Our own small network, whose weights are part of the package.

    The parameters are those of :class:`~imagestrata.encoders.network.NetworkEncoder`.
    ``weights`` is a file of further trained weights, as :func:`imagestrata.fine_tune` writes
    it, or None for ours.

    Notes
    -----
    ``docs/pocket.md`` describes its training data, its quality and its weaknesses.
    """

    # The fixed cost of a batch matters more if a picture costs little.
    cpu_batch_size = BATCH

    def _load(
        self, name: str, *, weights: str | os.PathLike[str] | None, resize: str
    ) -> tuple[nn.Module, dict[str, Any]]:
        return load_network(name, weights=weights, resize=resize)


def load_network(
    name: str, *, weights: str | os.PathLike[str] | None, resize: str
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the trained network, and its settings except precision.

    Raises
    ------
    ImagestrataError
        If the published file is damaged, or ``weights`` does not fit the network.
    """
    path = PUBLISHED if weights is None else given_weights(expand_home(weights))
    found = file_hash(path)
    if weights is None and found != PUBLISHED_SHA256:
        raise ImagestrataError(
            f"{quote(path)} is damaged: its SHA-256 begins with {found[:12]}, not with "
            f"{PUBLISHED_SHA256[:12]}.",
            "Install imagestrata again: the file is part of the package.",
        )
    with torch.random.fork_rng(devices=[]):  # its random weights are replaced at once
        network = PocketNetwork()
    fill(network, unpack(read_weights(path)), path, name)
    return network, {
        "name": name,
        "width": WIDTH,
        # The path of ours depends on the installation: their hash identifies them.
        "weights": None if weights is None else str(path),
        "weights_sha256": found,
        "published": "pocket",
        "resize": resize,
        "input_size": SIDE,
        "short_side": SHORT_SIDE,
        "interpolation": "bilinear",
        "mean": list(MEAN),
        "sd": list(SD),
    }


def pack(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compress weights: filters become 8-bit integers with a scale for each filter.

    Other tensors (biases, statistics of batch norm) keep 32 bits.
    """
    packed = {}
    for name, tensor in weights.items():
        if tensor.ndim < 2:
            packed[name] = tensor.clone()
            continue
        scale = tensor.abs().amax(dim=tuple(range(1, tensor.ndim)), keepdim=True) / 127
        packed[name] = (tensor / scale.clamp(min=1e-12)).round().to(torch.int8)
        packed[name + _SCALE] = scale
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Restore weights that :func:`pack` compressed, up to rounding; keep others unchanged."""
    return {
        name: tensor.float() * packed[name + _SCALE] if name + _SCALE in packed else tensor
        for name, tensor in packed.items()
        if not name.endswith(_SCALE)
    }
