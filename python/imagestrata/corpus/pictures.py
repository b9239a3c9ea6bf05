"""Pictures of images that were scanned, and small copies of them for people to look at."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..cores import usable_cores
from ..progress import Progress
from ..work import Failed, open_work
from .decode import UnreadableImage, as_rgb, open_image, read_file, read_scanned
from .reasons import Reason

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

Made = TypeVar("Made")

#: An image's id and path.
File: TypeAlias = tuple[str, str]

#: Threads that make small copies, at most.
_MOST_THREADS = 8


def files_of(images: pd.DataFrame) -> list[File]:
    """The id and path of each image of a table."""
    return list(zip(images["image_id"], images["path"], strict=True))


def scanned_picture(file: File, side: int | None = None) -> Image.Image:
    """The picture that was scanned under an id, as RGB, or :class:`UnreadableImage`.

    Parameters
    ----------
    file : tuple
        Id and path.
    side : int, optional
        Both sides have at least so many pixels, where the picture has them; by default all.
    """
    return open_image(read_scanned(*file), min_pixels_side=side)


def shown_picture(file: tuple[str, Any], side: int, *, longer: bool = False) -> Image.Image:
    """A picture for people to look at, or :class:`UnreadableImage`.

    Parameters
    ----------
    file : tuple
        Id and path. A user's own id says nothing of the file's content, and is not checked.
    side : int
        Both sides have at least so many pixels, where the picture has them.
    longer : bool
        This holds for the longer side alone, which :func:`as_jpeg` is content with.
    """
    image_id, path = file
    if not isinstance(path, str):
        raise UnreadableImage(Reason.UNKNOWN)
    data = read_scanned(image_id, path) if is_content_hash(image_id) else read_file(path)
    return open_image(data, min_pixels_side=side, longer=longer)


def is_content_hash(image_id: str) -> bool:
    """Whether an id is one that scan_images() gave."""
    return re.fullmatch("[0-9a-f]{20}", image_id) is not None


def plain_jpeg(image: Image.Image, quality: int) -> bytes:
    """A picture as a JPEG file that holds its pixels and nothing else, on white.

    Every picture that this package writes for people or services is written here: Pillow
    would copy comments, profiles and EXIF of the original.
    """
    from PIL import Image

    buffer = io.BytesIO()
    plain = Image.new("RGB", image.size)
    plain.paste(as_rgb(image))
    plain.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def as_jpeg(image: Image.Image, side: int) -> bytes:
    """The image, shrunk until its longer side has at most ``side`` pixels, as a JPEG file."""
    from PIL import Image

    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return plain_jpeg(image, 82)


def as_jpeg_address(image: Image.Image, side: int) -> str:
    """The same as a ``data:`` address, for a page that holds its images."""
    return "data:image/jpeg;base64," + base64.b64encode(as_jpeg(image, side)).decode()


def make_all(
    make: Callable[[File], Made], images: pd.DataFrame, progress: Progress, what: str
) -> list[Made | Failed]:
    """What ``make`` makes of the id and path of each image, in threads; one entry per row.

    Two threads per core: each also waits until the disk has what it wrote (3 ms, where decoding
    and shrinking take 5).
    """
    threads = min(_MOST_THREADS, 2 * usable_cores())
    files = [(str(image_id), path) for image_id, path in files_of(images)]
    with open_work(what, len(files), progress, waiting_threads=threads) as work:
        return list(work.each(make, files))


def embedded_pictures(
    images: pd.DataFrame, side: int, progress: Progress
) -> tuple[dict[str, str], dict[str, str]]:
    """Pictures that go into a page or a task, which then stands alone.

    Parameters
    ----------
    images : DataFrame
        ``image_id`` and ``path``, one row per image.
    side : int
        Longer side at most, in pixels.
    progress : bool or callable

    Returns
    -------
    pictures : dict
        Of each image that can be shown, its id and a ``data:`` address.
    lost : dict
        Of each of the others, its id and why not.
    """

    def make(file: File) -> str:
        return as_jpeg_address(shown_picture(file, side, longer=True), side)

    made = make_all(make, images, progress, "Pictures")
    pictures, lost = {}, {}
    for (image_id, _), picture in zip(files_of(images), made, strict=True):
        if isinstance(picture, Failed):
            lost[image_id] = picture.reason
        else:
            pictures[image_id] = picture
    return pictures, lost
