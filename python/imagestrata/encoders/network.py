"""What encoders that are networks have in common: a square of pixels in, a vector out."""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
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


class NetworkEncoder(Encoder):
    """A trained network that gives one vector per picture.

    A family of networks is a subclass that says in :meth:`_load` where its
    weights come from and how pictures must look.

    Parameters
    ----------
    name : str
        See the subclass.
    weights : str, path or None
        A file or folder, or the name of published weights; None for the usual ones.
    resize : str
        See :func:`imagestrata.encoders.resize.resize`.
    precision, device : str
        See :func:`imagestrata.embed_images`.

    Attributes
    ----------
    cpu_batch_size : int
        How many pictures a core best takes together, which then stay in its cache.
    """

    cpu_batch_size = 8

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
        # Cores work side by side; a GPU takes one batch at a time, while others are decoded.
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
        """The network, from pixels of shape (n, 3, size, size) to vectors of shape (n, width).

        With it come the settings: ``name``, ``width``, ``weights`` (what to give as
        ``weights`` to get them again), ``weights_sha256``, ``published`` (the name of the
        published weights that they are or are nearest to, or None), and those of
        :meth:`Preparation.settings`.
        """

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """The picture as the network's square, of shape (size, size, 3)."""
        settings = self.settings
        square = resize(
            image,
            settings["resize"],
            settings["input_size"],
            settings["short_side"],
            bicubic=settings["interpolation"] == "bicubic",
        )
        return np.asarray(square)

    @cached_property
    def batch_size(self) -> int:  # type: ignore[override]
        """How many pictures are best encoded together.

        Measured ahead for cores (``cpu_batch_size``). Any other device is tried out, in a
        few seconds, when this is first asked for: the largest power of two, up to 256,
        that fits in its memory and takes no longer per picture than half as many.
        """
        if self._on_cpu:
            return self.cpu_batch_size
        with self._device_to_ourselves():
            return best_batch(self._seconds, torch.OutOfMemoryError)

    def encode(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Vectors of a batch of squares, of shape (n, width).

        A batch that is too large for the memory of a GPU is halved, and so are all later
        ones; vectors differ by rounding only.
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
                "End other programs that use it, choose a smaller network, or use "
                f"{arg('device', 'cpu')}.",
            ) from None

    def _vectors(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(self._compute(squares).float().cpu().numpy())

    @torch.inference_mode()
    def _compute(self, squares: NDArray[np.uint8]) -> torch.Tensor:
        """Vectors of squares of shape (n, size, size, 3), on the device."""
        # Rows, columns, colours: already the order in memory called channels last.
        pixels = torch.from_numpy(squares).to(self._device).permute(0, 3, 1, 2)
        # Floats first: torch is three times as slow at taking floats from whole numbers.
        batch = pixels.float().sub_(self._mean).div_(self._sd)
        vectors: torch.Tensor = self._model(batch.to(self._dtype))
        return vectors

    def _seconds(self, n: int) -> float:
        """How long n pictures take, once kernels for so many have been chosen."""
        size = self.settings["input_size"]
        squares = np.zeros((n, size, size, 3), dtype=np.uint8)
        times = []
        for _ in range(4):
            start = time.perf_counter()
            self._vectors(squares)
            times.append(time.perf_counter() - start)
        return min(times[1:])


class Preparation(NamedTuple):
    """How a network's own library prepares pictures for it.

    Attributes
    ----------
    resize : str or None
        One of :data:`imagestrata.encoders.resize.RESIZE_MODES`, the one that gives the
        library's pixels (to a few grey levels, by rounding); None if none does.
    input_size, short_side : int
        In pixels.
    interpolation : {"bilinear", "bicubic"}
    mean, sd : list of float
        Of each colour, where white is 1.
    """

    resize: str | None
    input_size: int
    short_side: int
    interpolation: str
    mean: list[float]
    sd: list[float]

    def settings(self, name: str, asked: str) -> dict[str, Any]:
        """The preparation as settings, with the resize mode that was asked for.

        The default of :func:`imagestrata.embed_images` stands for the library's own way,
        which for most networks is the same.
        """
        if self.interpolation not in ("bilinear", "bicubic"):
            raise ImagestrataError(
                f"The encoder {quote(name)} was trained on pictures interpolated by "
                f"{quote(self.interpolation)}, which imagestrata does not have.",
                "Choose other weights.",
            )
        mode = self.resize if asked == DEFAULT_RESIZE else asked
        if mode is None:
            raise ImagestrataError(
                f"The encoder {quote(name)} was trained on pictures brought to its square in a "
                "way that imagestrata does not have.",
                f"Choose the nearest one: {arg('resize', 'squish')} or {arg('resize', 'pad')}.",
            )
        return self._asdict() | {"resize": mode}
