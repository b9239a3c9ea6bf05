"""A pretrained network with a new last layer, and the choice of weights to train."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import ImagestrataError, plural
from ..wording import arg

#: Standard deviation of the new layer's first weights (the Element, section 7.5).
_HEAD_SD = 0.01


class Network(nn.Module):
    """A backbone and one linear layer.

    Parameters
    ----------
    backbone : Module
        A network without its last layer.
    look : dict
        Its settings: ``width``, and ``mean`` and ``sd`` of colours.
    bias : ndarray of shape (n_outputs,)
        Initial biases of the new layer.
    n_frozen : int
        Number of blocks, from the first, whose weights are fixed, see :func:`blocks`.
    batch_norm : str
        ``"fixed"`` or ``"batch"``, see :func:`imagestrata.fine_tune`.
    dropout : float
        Share of the vector's numbers that are set to 0 in training.
    seed : int
        Seed for the new layer's weights.
    """

    mean: Tensor
    sd: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        look: dict[str, Any],
        bias: NDArray[np.float32],
        *,
        n_frozen: int,
        batch_norm: str,
        dropout: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(True)
        self.head = new_head(look["width"], bias, dropout, seed)
        self.register_buffer("mean", 255 * torch.tensor(look["mean"]).view(3, 1, 1), False)
        self.register_buffer("sd", 255 * torch.tensor(look["sd"]).view(3, 1, 1), False)
        self._still = [block for _, block in [*blocks(backbone)][:n_frozen]]
        for block in self._still:
            block.requires_grad_(False)
        if batch_norm == "fixed":
            norms = (part for part in backbone.modules() if isinstance(part, _BatchNorm))
            self._still = [*self._still, *norms]

    def forward(self, squares: Tensor) -> Tensor:
        """Return outputs for pictures of shape (n, size, size, 3), uint8."""
        # Rows, columns, colours: this order in memory is already channels last.
        pixels = (squares.permute(0, 3, 1, 2) - self.mean) / self.sd
        vectors = self.backbone(pixels)
        if isinstance(vectors, tuple):
            vectors = vectors[0]  # in training, some networks also return unused branches
        outputs: Tensor = self.head(vectors.float())
        return outputs

    def train(self, mode: bool = True) -> Network:
        """Set the mode; fixed batch norms and frozen blocks always stay in evaluation mode."""
        super().train(mode)
        for part in self._still:
            part.eval()
        return self


class Head(nn.Linear):
    """A linear layer behind dropout."""

    dropout = 0.0

    def forward(self, vectors: Tensor) -> Tensor:
        """Return outputs for vectors."""
        if self.dropout:
            vectors = nn.functional.dropout(vectors, self.dropout, self.training)
        return super().forward(vectors)


def new_head(width: int, bias: NDArray[np.float32], dropout: float, seed: int) -> Head:
    """Return a layer with small random weights and the given biases."""
    with torch.random.fork_rng(devices=[]):  # its random weights are replaced at once
        head = Head(width, len(bias))
    head.dropout = dropout
    nn.init.normal_(head.weight, std=_HEAD_SD, generator=torch.Generator().manual_seed(seed))
    head.bias.data = torch.from_numpy(bias.copy())
    return head


def spare_slow_gradients(model: nn.Module) -> None:
    """Let depthwise convolutions compute in float32 if their gradients are slow in bfloat16.

    On processors, only those of 3 x 3 filters without a stride are fast. With float32 for all
    others, a training step of EfficientNet-Lite0 takes 35 instead of 60 ms per picture and core.
    """
    for part in model.modules():
        if not isinstance(part, nn.Conv2d) or not 1 < part.groups == part.in_channels:
            continue
        if (part.kernel_size, part.stride) != ((3, 3), (1, 1)):
            part.forward = partial(_in_float32, part)  # type: ignore[method-assign]


def _in_float32(convolution: nn.Conv2d, maps: Tensor) -> Tensor:
    with torch.autocast(maps.device.type, enabled=False):
        return nn.Conv2d.forward(convolution, maps.float())


def blocks(backbone: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the parts of a network that have weights, from input to output.

    For ``resnet18`` these are conv1, bn1, layer1 to layer4. In a list of layers (``features``
    in many networks), every layer is a part of its own.
    """
    for name, part in backbone.named_children():
        if not any(True for _ in part.parameters()):
            continue
        if isinstance(part, nn.Sequential) and name in ("features", "classifier"):
            yield from ((f"{name}.{child}", block) for child, block in blocks(part))
        else:
            yield name, part


def count_frozen(backbone: nn.Module, name: str, freeze: str | int) -> int:
    """Return the number of blocks that ``freeze`` fixes, or raise an error if it is too high."""
    if freeze == "none":
        return 0
    names = [block for block, _ in blocks(backbone)]
    if int(freeze) > len(names):
        raise ImagestrataError(
            f"{arg('freeze')} is {freeze}, but {name} has {plural(len(names), 'block')}: "
            f"{', '.join(names)}.",
            f"Freeze fewer, or all with {arg('freeze', 'backbone')}.",
        )
    return int(freeze)
