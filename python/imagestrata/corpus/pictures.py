"""Decode images that were scanned, and make small copies of them for viewers."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from ..cores import usable_cores
from ..progress import Progress
from ..work import Failed, open_work
from .decode import UnreadableImage, as_rgb, open_image, read_file, read_scanned
from .reasons import Reason
from .small import side_of_copy, warn_of_small

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

Made = TypeVar("Made")

#: An image's id and path.
File: TypeAlias = tuple[str, str]

#: Largest number of threads that make small copies.
_MOST_THREADS = 8


def files_of(images: pd.DataFrame) -> list[File]:
    """Return the id and path of each image of a table."""
    return list(zip(images["image_id"], images["path"], strict=True))


def scanned_picture(file: File, side: int | None = None) -> Image.Image:
    """Decode the picture that was scanned under an id to RGB, or raise UnreadableImage.

    Parameters
    ----------
    file : tuple
        Id and path.
    side : int, optional
        Smallest number of pixels that both sides keep. By default the full size.
    """
    return open_image(read_scanned(*file), min_pixels_side=side, truncated=True)


def shown_picture(file: tuple[str, Any], side: int, *, longer: bool = False) -> Image.Image:
    """Decode a picture for viewers, or raise :class:`UnreadableImage`.

    Parameters
    ----------
    file : tuple
        Id and path, which may be that of a small copy. A user's own id does not depend on the
        content, and is not checked.
    side : int
        Smallest number of pixels that both sides keep.
    longer : bool
        Apply ``side`` to the longer side only, which is sufficient for :func:`as_jpeg`.
    """
    image_id, path = file
    if not isinstance(path, str):
        raise UnreadableImage(Reason.UNKNOWN)
    is_original = is_content_hash(image_id) and side_of_copy(image_id, path) is None
    data = read_scanned(image_id, path) if is_original else read_file(path)
    return open_image(data, min_pixels_side=side, longer=longer, truncated=is_original)


def is_content_hash(image_id: str) -> bool:
    """Return whether scan_images() made this id."""
    return re.fullmatch("[0-9a-f]{20}", image_id) is not None


def plain_jpeg(image: Image.Image, quality: int) -> bytes:
    """Encode a picture, on white, as a JPEG file without any metadata.

    All pictures that the package writes for viewers or services pass through this function:
    Pillow would copy comments, profiles and EXIF of the original.
    """
    buffer = io.BytesIO()
    as_rgb(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def as_jpeg(image: Image.Image, side: int) -> bytes:
    """Encode the image as a JPEG file whose longer side has at most ``side`` pixels."""
    return plain_jpeg(shrunk(image, side), 82)


def shrunk(image: Image.Image, side: int) -> Image.Image:
    """Return the image with at most ``side`` pixels on its longer side.

    Pillow averages whole boxes of pixels, and OpenCV interpolates what is left of the scale. This
    takes half the time of a filter of Pillow's, at about the same distance from Lanczos.
    """
    import cv2
    from PIL import Image

    ratio = max(image.size) / side
    if ratio <= 1:
        return image
    width, height = (max(1, round(length / ratio)) for length in image.size)
    reduced = image.reduce(int(ratio))
    pixels = cv2.resize(np.asarray(reduced), (width, height), interpolation=cv2.INTER_LINEAR)
    return Image.fromarray(pixels)


def as_jpeg_address(image: Image.Image, side: int) -> str:
    """Return that JPEG file as a ``data:`` address, to embed it in a page."""
    return "data:image/jpeg;base64," + base64.b64encode(as_jpeg(image, side)).decode()


def make_all(
    make: Callable[[File], Made], images: pd.DataFrame, progress: Progress, what: str
) -> list[Made | Failed]:
    """Call ``make`` with the id and path of each image, in threads; return one result per row.

    There are two threads per core, since each also waits for the disk (3 ms, where decoding
    and shrinking take 5).
    """
    threads = min(_MOST_THREADS, 2 * usable_cores())
    files = [(str(image_id), path) for image_id, path in files_of(images)]
    with open_work(what, len(files), progress, waiting_threads=threads) as work:
        return list(work.each(make, files))


def embedded_pictures(
    images: pd.DataFrame, side: int, progress: Progress
) -> tuple[dict[str, str], dict[str, str]]:
    """Return small pictures to embed in a page or a task that needs no other files.

    Parameters
    ----------
    images : DataFrame
        ``image_id`` and ``path``, one row per image.
    side : int
        Largest number of pixels of the longer side.
    progress : bool or callable

    Returns
    -------
    pictures : dict
        ``data:`` address of each image that can be shown, by its id.
    lost : dict
        Reason of each other image, by its id.
    """

    def make(file: File) -> str:
        return as_jpeg_address(shown_picture(file, side, longer=True), side)

    warn_of_small(images, side)
    made = make_all(make, images, progress, "Pictures")
    pictures, lost = {}, {}
    for (image_id, _), picture in zip(files_of(images), made, strict=True):
        if isinstance(picture, Failed):
            lost[image_id] = picture.reason
        else:
            pictures[image_id] = picture
    return pictures, lost
