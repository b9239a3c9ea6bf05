"""Small copies of images, each made once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..files import ensure_folder, write_bytes
from ..progress import Progress
from ..validate import check_path
from ..work import Failed
from .pictures import File, as_jpeg, is_content_hash, make_all, shown_picture, shrunk
from .small import longer_side, small_file, small_folder

if TYPE_CHECKING:
    from PIL import Image

    from .look import Taker


#: Height at which a page shows thumbnails by default, in CSS pixels.
HEIGHT = 160

#: Largest number of images that a page shows: with more, browsers open it slowly.
MOST_SHOWN = 100_000


@dataclass(frozen=True)
class Thumbnail:
    """A stored thumbnail: its name without folder and ending, and its width / height."""

    name: str
    ratio: float


def make_thumbnails(
    images: pd.DataFrame, folder: Path, side: int, progress: Progress
) -> list[Thumbnail | Failed]:
    """Make the missing thumbnails in ``folder``; return one entry per row of ``images``.

    A thumbnail ``abcd...`` is stored as ``folder/ab/abcd....jpg``; its longer side has at
    most ``side`` pixels. An existing one is used again.
    """
    return make_all(partial(_thumbnail, folder, side), images, progress, "Thumbnails")


def thumbnails_along(
    out: str | os.PathLike[str] | None, height: int = HEIGHT
) -> Callable[[int], Sequence[Taker]]:
    """Return which thumbnails to make of n files while they are scanned: those of the gallery.

    Of a corpus that is too large for a page, the gallery makes the thumbnails that it shows.
    """

    def takers(n: int) -> Sequence[Taker]:
        if out is None or n > MOST_SHOWN:
            return ()
        return (ThumbnailTaker(small_folder(check_path("out", out), height), longer_side(height)),)

    return takers


class ThumbnailTaker:
    """Makes thumbnails while files are scanned, see :class:`~imagestrata.corpus.look.Taker`.

    Parameters
    ----------
    folder, side : see :func:`make_thumbnails`
    """

    def __init__(self, folder: Path, side: int) -> None:
        self.side: int | None = side
        self.batch_size = 1
        self._longer = side
        self._folder = folder

    def frame(self, picture: Image.Image) -> Image.Image:
        return picture

    def prepare(self, file: File, sizes: Sequence[Image.Image]) -> bytes:
        large_enough = [one for one in sizes if max(one.size) >= self._longer]
        return as_jpeg([sizes[0], *large_enough][-1], self._longer)

    def finish(self, files: Sequence[File], prepared: Sequence[bytes]) -> list[tuple[str, bytes]]:
        return [(image_id, data) for (image_id, _), data in zip(files, prepared, strict=True)]

    def store(self, finished: Sequence[list[tuple[str, bytes]]]) -> None:
        for name, data in chain.from_iterable(finished):
            _write(small_file(self._folder, name), data)


def _write(target: Path, data: bytes) -> None:
    """Store a thumbnail. A damaged one is made again, so that nobody waits for the disk."""
    ensure_folder(target.parent)
    write_bytes(target, data, durable=False)


def _thumbnail(folder: Path, side: int, file: File) -> Thumbnail:
    from PIL.JpegImagePlugin import JpegImageFile

    name = _name(*file)
    target = small_file(folder, name)
    try:
        with JpegImageFile(target) as stored:
            if {segment for segment, _ in stored.applist} <= {"APP0"}:  # else with a comment
                return Thumbnail(name, stored.width / stored.height)
    except (OSError, SyntaxError):
        pass  # not there yet, or damaged
    image = shrunk(shown_picture(file, side, longer=True), side)
    _write(target, as_jpeg(image, side))
    return Thumbnail(name, image.width / image.height)


def _name(image_id: str, path: Any) -> str:
    """A name for the content: the id, or for other ids a hash of the file's path, size and time."""
    if is_content_hash(image_id):
        return image_id
    try:
        state = Path(path).stat()
        version = f"{state.st_size} {state.st_mtime_ns}"
    except (OSError, TypeError, ValueError):
        version = ""
    text = f"{image_id}\n{path}\n{version}"
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:20]
