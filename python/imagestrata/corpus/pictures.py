"""Small copies of images, for people to look at."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..cores import usable_cores
from ..errors import plural
from ..progress import Progress, track
from .decode import UnreadableImage, as_rgb, open_image, quiet, read_file

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

Made = TypeVar("Made")

#: Threads that make small copies, at most.
_MOST_THREADS = 8


def picture_threads() -> ThreadPoolExecutor:
    """Threads that make small copies.

    Decoding leaves Python's lock, so that threads help; two per core, since each also waits until
    the disk has what it wrote (3 ms, where decoding and shrinking take 5).
    """
    return ThreadPoolExecutor(min(_MOST_THREADS, 2 * usable_cores()))


@dataclass(frozen=True)
class NoPicture:
    """Why there is no picture to show."""

    reason: str


def load_image(
    image_id: str, path: Any, side: int, *, longer: bool = False
) -> Image.Image | NoPicture:
    """An image as RGB, both sides at least ``side`` pixels where it has them.

    With ``longer`` this holds for the longer side alone, which :func:`as_jpeg` is content
    with. A file whose content is no longer the one that was clustered under this id is a
    failure: it would be shown under a wrong name.
    """
    if not isinstance(path, str):
        return NoPicture("no file known")
    try:
        data = read_file(path)
        if is_content_hash(image_id) and not hashlib.sha256(data).hexdigest().startswith(image_id):
            return NoPicture("changed since the scan")
        return open_image(data, min_pixels_side=side, longer=longer)
    except UnreadableImage as error:
        return NoPicture(str(error))


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
    make: Callable[[str, Any], Made], images: pd.DataFrame, progress: Progress, what: str
) -> list[Made]:
    """What ``make`` makes of the id and path of each image, in threads; one entry per row."""
    made = []
    with (
        quiet(),
        track(progress, what, len(images)) as advance,
        picture_threads() as pool,
    ):
        rows: Iterable[tuple[Any, Any]] = zip(images["image_id"], images["path"], strict=True)
        tasks = [pool.submit(make, str(image_id), path) for image_id, path in rows]
        try:
            for task in tasks:
                made.append(task.result())
                advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return made


def embedded_pictures(
    images: pd.DataFrame, side: int, progress: Progress
) -> tuple[dict[str, str], str]:
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
    complaint : str
        How many cannot, and why one of them; empty if all can.
    """

    def make(image_id: str, path: Any) -> str | NoPicture:
        image = load_image(image_id, path, side, longer=True)
        if isinstance(image, NoPicture):
            return image
        return as_jpeg_address(image, side)

    made = make_all(make, images, progress, "Pictures")
    pictures, complaints = {}, []
    for image_id, path, picture in zip(images["image_id"], images["path"], made, strict=True):
        if isinstance(picture, NoPicture):
            which = path if isinstance(path, str) else image_id
            complaints.append(f"{which!r} for one ({picture.reason})")
        else:
            pictures[image_id] = picture
    if not complaints:
        return pictures, ""
    return pictures, (
        f"{len(complaints)} of {plural(len(images), 'image')} cannot be shown, {complaints[0]}."
    )
