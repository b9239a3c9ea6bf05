"""Small copies of images, each made once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ..corpus.pictures import File, as_jpeg, is_content_hash, make_all, shown_picture
from ..corpus.small import small_file
from ..files import ensure_folder, write_bytes
from ..progress import Progress
from ..work import Failed


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
    image = shown_picture(file, side, longer=True)
    ensure_folder(target.parent)
    write_bytes(target, as_jpeg(image, side))
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
