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
import pyarrow as pa
import torch
from numpy.typing import NDArray
from PIL.Image import Resampling, fromarray
from torch import nn
from torch.nn.functional import interpolate
from torch.utils.dlpack import from_dlpack

from ..errors import ImagestrataError
from ..wording import arg, quote
from .base import Encoder
from .batches import FittingBatches, best_batch
from .inference import optimise, pick_device, pick_dtype
from .resize import DEFAULT_RESIZE, Frame, decode_side, resize

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
        # One value for each number of a row of pixels.
        self._mean, self._sd = (
            255 * torch.tensor(settings[name], device=self._device).repeat(settings["input_size"])
            for name in ("mean", "sd")
        )
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

    def frame(self, image: Image.Image) -> Image.Image:
        """Return the picture with the short side that its square needs, unless it is smaller."""
        short_side = self.settings["short_side"]
        if (
            self.settings["resize"] != "rescale_crop"
            or min(image.size) <= short_side
            or not _is_for_torch(image)
        ):
            return image
        return fromarray(whole_frame(image, self.settings))

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the picture as the network's square, of shape (size, size, 3)."""
        return input_square(image, self.settings)

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
        # Convert first: torch is three times as slow at subtracting floats from integers. It is
        # six times as fast at whole rows as at the three colours of each pixel.
        rows = torch.from_numpy(squares).to(self._device).flatten(2).float()
        batch = rows.sub_(self._mean).div_(self._sd).view(squares.shape).to(self._dtype)
        # Rows, columns, colours: this order in memory is already channels last.
        vectors: torch.Tensor = self._model(batch.permute(0, 3, 1, 2))
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


def input_square(image: Image.Image, settings: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Resize a picture to the square that a network with these settings needs."""
    mode, size, short_side = (settings[key] for key in ("resize", "input_size", "short_side"))
    if mode == "rescale_crop" and _is_for_torch(image):
        frame = Frame.of(image.size, size, short_side)
        rows, columns = (slice(start, start + size) for start in (frame.top, frame.left))
        return np.ascontiguousarray(whole_frame(image, settings)[rows, columns])
    bicubic = settings["interpolation"] == "bicubic"
    return np.asarray(resize(image, mode, size, short_side, bicubic=bicubic))


def whole_frame(image: Image.Image, settings: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Resize a picture so that its centre is the square of ``"rescale_crop"``."""
    frame = Frame.of(image.size, settings["input_size"], settings["short_side"])
    if image.size == (frame.width, frame.height):
        return np.asarray(image)
    method: str = settings["interpolation"]
    if _is_for_torch(image):
        size = (frame.height, frame.width)
        scaled = interpolate(_as_tensor(image), size, mode=method, antialias=True)
        return np.asarray(scaled[0, :3].permute(1, 2, 0).contiguous().numpy())
    return np.asarray(image.resize((frame.width, frame.height), Resampling[method.upper()]))


#: Ratio of the sides of a picture beyond which most of its frame would be cut off again.
_LONG = 3


def _is_for_torch(image: Image.Image) -> bool:
    """Return whether torch resizes a picture: in half of Pillow's time, by AVX2.

    Without these instructions it takes three times as long. The two differ by rounding between
    their passes over rows and columns: by up to 3 grey levels in 400 photographs, and by up to 18
    at hard edges of drawings.
    """
    fast = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    return fast and max(image.size) <= _LONG * min(image.size)


def _as_tensor(image: Image.Image) -> torch.Tensor:
    """Return the pixels of a picture in RGB, of shape (1, 3 or 4, height, width)."""
    try:
        # Pillow stores four numbers a pixel, which Arrow takes over without a copy.
        numbers = from_dlpack(pa.array(image).values)
        pixels = numbers.view(image.height, image.width, 4)
    except ValueError:  # a large picture is in several pieces
        pixels = torch.from_numpy(np.array(image))
    return pixels.permute(2, 0, 1)[None]


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
