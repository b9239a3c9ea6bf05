"""The base class of encoders that are networks: a square of pixels in, a vector out."""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..errors import ImagestrataError
from ..wording import arg, quote
from .base import Encoder
from .batches import FittingBatches, best_batch
from .inference import optimise, pick_device, pick_dtype
from .resize import DEFAULT_RESIZE, decode_side, resize

if TYPE_CHECKING:
    from PIL import Image


#: Best number of pictures that a core encodes together, so that they stay in its cache.
CPU_BATCH_SIZE = 8


class NetworkEncoder(Encoder):
    """A trained network that computes one vector per picture.

    Each family of networks is a subclass. Its method :meth:`_load` loads the weights and
    specifies how pictures are prepared.

    Parameters
    ----------
    name : str
        See the subclass.
    weights : str, path or None
        A file or folder, or the name of published weights; None for the default ones.
    resize : str
        See :func:`imagestrata.encoders.resize.resize`.
    precision, device : str
        See :func:`imagestrata.embed_images`.
    """

    def __init__(
        self,
        name: str,
        *,
        weights: str | os.PathLike[str] | None,
        resize: str,
        precision: str,
        device: str,
    ) -> None:
        model, self.settings = self._load(name, weights=weights, resize=resize)
        settings = self.settings
        self.name = name
        self.width = settings["width"]
        self.weights, self.device = settings["weights"], device
        self._device = pick_device(device)
        self._on_cpu = self._device.type == "cpu"
        # Cores work in parallel; a GPU encodes one batch while others are decoded.
        self._turn: AbstractContextManager[Any] = nullcontext() if self._on_cpu else Lock()
        self._in_batches = FittingBatches(self._vectors, torch.OutOfMemoryError)
        self._dtype = pick_dtype(precision, self._device)
        settings["precision"] = str(self._dtype).removeprefix("torch.")
        self._model = optimise(model, self._device, self._dtype)
        self._mean = 255 * torch.tensor(settings["mean"], device=self._device).view(3, 1, 1)
        self._sd = 255 * torch.tensor(settings["sd"], device=self._device).view(3, 1, 1)
        self.decode_side = decode_side(settings["resize"], settings["short_side"])

    @abstractmethod
    def _load(
        self, name: str, *, weights: str | os.PathLike[str] | None, resize: str
    ) -> tuple[nn.Module, dict[str, Any]]:
        """Return the network and its settings.

        The network turns pixels of shape (n, 3, size, size) into vectors of shape (n, width).
        The settings are ``name``, ``width``, ``weights`` (the argument that loads the same
        weights again), ``weights_sha256``, ``published`` (the name of the published weights
        that they equal or descend from, or None), and those of :meth:`Preparation.settings`.
        """

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the picture as the network's square, of shape (size, size, 3)."""
        return np.asarray(input_square(image, self.settings))

    @cached_property
    def batch_size(self) -> int:  # type: ignore[override]
        """Best number of pictures to encode together.

        It is fixed for processors (:data:`CPU_BATCH_SIZE`). Any other device is measured on first
        use, in a few seconds: the result is the largest power of two, up to 256, that fits in
        its memory and takes no longer per picture than half as many.
        """
        if self._on_cpu:
            return CPU_BATCH_SIZE
        with self._device_to_ourselves():
            return best_batch(self._seconds, torch.OutOfMemoryError)

    def encode(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Return the vectors of a batch of squares, of shape (n, width).

        A batch that is too large for the memory of a GPU is halved, and so are all later
        batches. Vectors then differ by rounding only.
        """
        with self._device_to_ourselves():
            return self._in_batches(np.stack(prepared))

    @contextmanager
    def _device_to_ourselves(self) -> Iterator[None]:
        try:
            with self._turn:
                yield
        except torch.OutOfMemoryError:
            raise ImagestrataError(
                f"The memory of {self._device} is too small for a single image.",
                "Stop other programs that use it, choose a smaller network, or use "
                f"{arg('device', 'cpu')}.",
            ) from None

    def _vectors(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(self._compute(squares).float().cpu().numpy())

    @torch.inference_mode()
    def _compute(self, squares: NDArray[np.uint8]) -> torch.Tensor:
        """Return vectors of squares of shape (n, size, size, 3), on the device."""
        # Rows, columns, colours: this order in memory is already channels last.
        pixels = torch.from_numpy(squares).to(self._device).permute(0, 3, 1, 2)
        # Convert first: torch is three times as slow at subtracting floats from integers.
        batch = pixels.float().sub_(self._mean).div_(self._sd)
        vectors: torch.Tensor = self._model(batch.to(self._dtype))
        return vectors

    def _seconds(self, n: int) -> float:
        """Measure the time for n pictures, after the kernels for this size were chosen."""
        size = self.settings["input_size"]
        squares = np.zeros((n, size, size, 3), dtype=np.uint8)
        times = []
        for _ in range(4):
            start = time.perf_counter()
            self._vectors(squares)
            times.append(time.perf_counter() - start)
        return min(times[1:])


def input_square(image: Image.Image, settings: Mapping[str, Any]) -> Image.Image:
    """Resize a picture to the square that a network with these settings needs."""
    return resize(
        image, settings["resize"], settings["input_size"], settings["short_side"],
        bicubic=settings["interpolation"] == "bicubic",
    )  # fmt: skip


class Preparation(NamedTuple):
    """Preparation of pictures by the network's own library.

    Attributes
    ----------
    resize : str or None
        The one of :data:`imagestrata.encoders.resize.RESIZE_MODES` that gives the library's
        pixels (up to a few grey levels, by rounding); None if none does.
    input_size, short_side : int
        In pixels.
    interpolation : {"bilinear", "bicubic"}
    mean, sd : list of float
        Values for each colour, where white is 1.
    """

    resize: str | None
    input_size: int
    short_side: int
    interpolation: str
    mean: list[float]
    sd: list[float]

    def settings(self, name: str, asked: str) -> dict[str, Any]:
        """Return the preparation as settings, with the resize mode that was asked for.

        The default of :func:`imagestrata.embed_images` selects the library's own mode, which
        for most networks is the same.
        """
        if self.interpolation not in ("bilinear", "bicubic"):
            raise ImagestrataError(
                f"The encoder {quote(name)} was trained on pictures interpolated by "
                f"{quote(self.interpolation)}, which imagestrata does not support.",
                "Choose other weights.",
            )
        mode = self.resize if asked == DEFAULT_RESIZE else asked
        if mode is None:
            raise ImagestrataError(
                f"The encoder {quote(name)} was trained on pictures resized in a way that "
                "imagestrata does not support.",
                f"Choose the nearest one: {arg('resize', 'squish')} or {arg('resize', 'pad')}.",
            )
        return self._asdict() | {"resize": mode}
