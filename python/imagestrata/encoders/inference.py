"""Make a trained network faster on this machine without changing its results.

Images of 224 x 224 pixels per second on one core of an AMD EPYC with native bfloat16:
mobilenet_v2 25 unchanged, 85 with folded batch norm and channels last, 169 also in bfloat16;
resnet18 29, 47 and 89. Freezing with ``torch.jit`` was no faster. ``torch.compile`` was 15 to
30% faster, but compiles for 10 to 25 s at each start.
"""

from __future__ import annotations

import copy
import time
from functools import cache

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import ImagestrataError
from ..wording import arg, quote

#: Filters with more weights are simply rounded: their errors average out.
FEW_WEIGHTS = 1000

#: Gain in speed above which bfloat16 is chosen. An AMD EPYC that computes in it natively measures
#: 1.9 to 2.7, and more beside six other busy processes. Some processors that emulate it are slower
#: in it than in float32.
ENOUGH = 1.3


def pick_device(device: str) -> torch.device:
    """Return the device by name; ``"auto"`` uses a CUDA (or ROCm) GPU if there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except Exception as error:
        # The type depends on the device: RuntimeError, AssertionError, NotImplementedError, ...
        reason = str(error).splitlines()[0]
        raise ImagestrataError(
            f"There is no device {quote(device)} here ({reason}).",
            f"Use {arg('device', 'auto')} or {arg('device', 'cpu')}.",
        ) from None
    return chosen


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the data type; ``"auto"`` is bfloat16 if the chip is faster in it, else float32."""
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16(device) else "float32"
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the chip is fast in bfloat16: processors are measured, GPUs have a version."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    return device.type == "cpu" and gain_of_bfloat16() >= ENOUGH


@cache
def gain_of_bfloat16() -> float:
    """Measure how many times as fast as float32 this processor computes in bfloat16.

    It runs the three kinds of convolutions of common networks in one thread, as encoders do, in
    about 0.05 s, once per process. Several threads would wait for each other on a busy machine.
    Flags would not do: some processors accept bfloat16 and are slower in it.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measured_gain()
    finally:
        torch.set_num_threads(threads)


def _measured_gain() -> float:
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        layers = nn.Sequential(
            nn.Conv2d(32, 192, 1), nn.Conv2d(192, 192, 3, padding=1, groups=192),
            nn.Conv2d(192, 32, 1), nn.Conv2d(32, 32, 3, padding=1),
        )  # fmt: skip
        pixels = torch.rand(8, 32, 28, 28)
        ways = []
        for dtype in (torch.float32, torch.bfloat16):
            network = copy.deepcopy(layers).to(dtype).to(memory_format=torch.channels_last)
            ways.append((network, pixels.to(dtype).to(memory_format=torch.channels_last)))
        times: list[list[float]] = [[], []]
        for _ in range(12):  # in turns, so that other programs slow down both
            for (network, given), taken in zip(ways, times, strict=True):
                start = time.perf_counter()
                network(given)
                taken.append(time.perf_counter() - start)
    exact, rounded = (min(taken) for taken in times)
    return exact / rounded


def optimise(model: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Return the network for inference: batch norm folded, channels last, in ``dtype``."""
    model = fold_batch_norm(model.eval().requires_grad_(False))
    if dtype == torch.bfloat16:
        for module in model.modules():
            if isinstance(module, nn.Conv2d) and module.weight[0].numel() <= FEW_WEIGHTS:
                module.weight.copy_(round_keeping_sums(module.weight))
    return model.to(device, dtype).to(memory_format=torch.channels_last)


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """Fold each batch norm that directly follows a convolution into its weights."""
    if not any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
        return model
    try:
        graph = fx.symbolic_trace(model)
    except Exception:
        # Some networks of timm branch on the shapes of their input, and raise various errors.
        # They keep their batch norms and are only slower.
        return model
    modules = dict(graph.named_modules())
    for node in list(graph.graph.nodes):
        norm = modules.get(node.target) if node.op == "call_module" else None
        source = node.args[0] if isinstance(norm, nn.BatchNorm2d) else None
        if not isinstance(source, fx.Node) or source.op != "call_module" or len(source.users) > 1:
            continue
        convolution = modules.get(str(source.target))
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            graph.set_submodule(str(source.target), fuse_conv_bn_eval(convolution, norm))
            node.replace_all_uses_with(source)
            graph.graph.erase_node(node)
    graph.recompile()
    return graph


def round_keeping_sums(weight: Tensor) -> Tensor:
    """Round filters to bfloat16 so that each keeps its sum.

    If the 9 weights of a depthwise filter, which nearly cancel out, are rounded one by one,
    they leave a bias on the whole picture. Here the error of each weight is added to the next
    smaller one. With real MobileNetV2 weights this halves the distance to the vectors of
    float32 (mean cosine .998 instead of .995).

    Parameters
    ----------
    weight : tensor of shape (filters, ...)

    Returns
    -------
    tensor of the same shape and type
        Every value can be represented in bfloat16.
    """
    flat = weight.flatten(1)
    largest_first = flat.abs().argsort(dim=1, descending=True)
    columns = flat.gather(1, largest_first).T.contiguous()
    carry = torch.zeros_like(columns[0])
    for column in columns:
        wanted = column + carry
        column.copy_(wanted.bfloat16())
        carry = wanted - column
    return torch.empty_like(flat).scatter_(1, largest_first, columns.T).view_as(weight)
