"""Pictures for training: decoded once, and cut differently in every epoch."""

from __future__ import annotations

import tempfile
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..corpus.duplicates import eye_hash
from ..corpus.near import find_leaders
from ..corpus.pictures import File, scanned_picture
from ..progress import Progress
from ..work import Failed, open_work

if TYPE_CHECKING:
    from PIL import Image

#: Random variation of pictures in every epoch. The Element uses "crop_flip".
AUGMENTATIONS = ("crop_flip", "crop", "flip", "none")

#: Normalisation with the pretrained network's statistics, or with those of each batch.
BATCH_NORMS = ("fixed", "batch")

#: Number of pictures that a worker of a cluster prepares together.
_AT_ONCE = 32

#: Short side of pictures that are read for their perceptual hashes only, in pixels.
EYE_SIDE = 128

#: Largest number of bits, of 64, in which perceptual hashes of near-copies differ.
NEAR = 4


class Pictures:
    """Pixels of many pictures in one temporary file, which the system caches in memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115, open as long as this lives
        weakref.finalize(self, self._file.close)
        self._places: list[tuple[int, tuple[int, ...]]] = []
        self._end = 0
        self._pixels: NDArray[np.uint8] | None = None

    def append(self, pixels: NDArray[np.uint8]) -> None:
        """Add a picture of shape (height, width, 3)."""
        self._file.write(pixels.tobytes())
        self._places.append((self._end, pixels.shape))
        self._end += pixels.size
        self._pixels = None

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> NDArray[np.uint8]:
        if self._pixels is None:
            self._file.flush()
            self._pixels = np.memmap(self._file, dtype=np.uint8, mode="r")
        start, shape = self._places[number]
        return np.asarray(self._pixels[start : start + int(np.prod(shape))].reshape(shape))


def read_pictures(
    files: Sequence[File],
    prepare: Callable[[Image.Image], NDArray[Any]],
    keep: Callable[[NDArray[Any]], None],
    side: int | None,
    progress: Progress,
    engine: Any,
) -> tuple[list[int], NDArray[np.uint64], Counter[str]]:
    """Decode every picture once, and call ``keep`` with the results of ``prepare``, in order.

    Parameters
    ----------
    files : sequence of (image_id, path)
    prepare, keep : callable
        The engine calls ``prepare``; this process calls ``keep``.
    side : int or None
        See ``decode_side`` of :class:`~imagestrata.encoders.base.Encoder`.
    progress : bool or callable
    engine : Client or str, optional
        The cluster that decodes and prepares pictures.

    Returns
    -------
    kept : list of int
        Positions of the readable files.
    eyes : ndarray of shape (n_kept,), uint64
        Perceptual hashes of the readable files.
    reasons : Counter
        Number of other files by reason.
    """
    kept, eyes, reasons = [], [], Counter[str]()
    with open_work("Reading", len(files), progress, engine, files=[files[0][1]]) as work:
        read = work.each(partial(_read, prepare, side), files, at_once=_AT_ONCE)
        for number, result in enumerate(read):
            if isinstance(result, Failed):
                reasons[result.reason] += 1
                continue
            prepared, eye = result
            keep(prepared)
            kept.append(number)
            eyes.append(eye)
    return kept, np.array(eyes, dtype=np.uint64), reasons


def groups_of(eyes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the number of each picture's group, from 0; near-copies have the same number."""
    return np.unique(find_leaders(eyes, NEAR), return_inverse=True)[1].astype(np.int64)


def training_picture(image: Image.Image, look: dict[str, Any]) -> NDArray[np.uint8]:
    """Return the picture from which training squares are cut, with :func:`centre` among them.

    For ``"rescale_crop"`` it is the whole picture, with a short side of 256 pixels for most
    networks. For other choices it is the encoder's input square.
    """
    from ..encoders.network import input_square, whole_frame

    return (whole_frame if look["resize"] == "rescale_crop" else input_square)(image, look)


def centre(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Cut out the square in the middle as the encoder does."""
    top, left = (round((side - size) / 2) for side in picture.shape[:2])
    return picture[top : top + size, left : left + size]


def vary(
    picture: NDArray[np.uint8], size: int, augmentation: str, rotation: float = 0
) -> Callable[[], NDArray[np.uint8]]:
    """Draw a random variation, and return a function that applies it in any thread.

    Crops are torchvision's ``RandomResizedCrop`` (8 to 100% of the area, 3:4 to 4:3), and
    half of the pictures are flipped, as in the Element. Before, pictures are rotated by up to
    ``rotation`` degrees in either direction. The random numbers come from torch's generator.
    """
    import torch
    from PIL import Image as pil
    from torchvision.transforms import RandomResizedCrop

    flip = "flip" in augmentation and bool(torch.rand(1) < 0.5)
    box = None
    if "crop" in augmentation:
        image = torch.empty(1).expand(3, *picture.shape[:2])  # only its size is used
        top, left, height, width = RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3])
        box = (left, top, left + width, top + height)

    angle = rotation * (2 * float(torch.rand(1)) - 1) if rotation else 0.0

    def cut() -> NDArray[np.uint8]:
        turned = picture
        if angle:
            turned = np.asarray(pil.fromarray(picture).rotate(angle, pil.Resampling.BILINEAR))
        if box is None:
            square = centre(turned, size)
        else:
            whole = pil.fromarray(turned)
            square = np.asarray(whole.resize((size, size), pil.Resampling.BILINEAR, box=box))
        return square[:, ::-1] if flip else square

    return cut


def _read(
    prepare: Callable[[Image.Image], NDArray[Any]], side: int | None, file: File
) -> tuple[NDArray[Any], int]:
    """Return a prepared picture and its perceptual hash."""
    image = scanned_picture(file, side)
    return prepare(image), eye_hash(image)
