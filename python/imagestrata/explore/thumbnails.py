"""Small copies of images, made once."""

from __future__ import annotations

import hashlib
import io
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..files import write_bytes
from ..progress import Progress, track

if TYPE_CHECKING:
    from PIL import Image

#: Decoding leaves Python's lock, so that threads help.
N_THREADS = min(8, os.cpu_count() or 1)
_QUALITY = 82


@dataclass(frozen=True)
class Failure:
    """Why there is no picture to show."""

    reason: str


@dataclass(frozen=True)
class Thumbnail:
    """A stored thumbnail: its name without folder and ending, and its width / height."""

    name: str
    ratio: float


def make_thumbnails(
    images: pd.DataFrame, folder: Path, side: int, progress: Progress
) -> list[Thumbnail | Failure]:
    """Make the thumbnails that are missing in ``folder``; one entry per row of ``images``.

    A thumbnail ``abcd...`` lies in ``folder/ab/abcd....jpg``, its longer side
    being at most ``side`` pixels. One that is there is taken as it is.
    """
    from ..corpus.decode import quiet

    rows = zip(images["image_id"], images["path"], strict=True)
    made = []
    with (
        quiet(),
        track(progress, "Thumbnails", len(images)) as advance,
        ThreadPoolExecutor(N_THREADS) as pool,
    ):
        tasks = [pool.submit(_thumbnail, str(id_), path, folder, side) for id_, path in rows]
        try:
            for task in tasks:
                made.append(task.result())
                advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return made


def load_image(image_id: str, path: Any, side: int) -> Image.Image | Failure:
    """An image as RGB, both sides at least ``side`` pixels where it has them.

    A file whose content is no longer the one that was clustered under this id
    is a failure: it would be shown under a wrong name.
    """
    from ..corpus.decode import UnreadableImage, open_image, read_file

    if not isinstance(path, str):
        return Failure("no file known")
    try:
        data = read_file(path)
        if _is_content_hash(image_id) and not hashlib.sha256(data).hexdigest().startswith(image_id):
            return Failure("changed since the scan")
        return open_image(data, min_pixels_side=side)
    except UnreadableImage as error:
        return Failure(str(error))


def _thumbnail(image_id: str, path: Any, folder: Path, side: int) -> Thumbnail | Failure:
    from PIL import Image

    name = _name(image_id, path)
    target = folder / name[:2] / f"{name}.jpg"
    try:
        with Image.open(target) as stored:
            return Thumbnail(name, stored.width / stored.height)
    except OSError:
        pass  # not there yet, or damaged
    image = load_image(image_id, path, side)
    if isinstance(image, Failure):
        return image
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, buffer.getvalue())
    return Thumbnail(name, image.width / image.height)


def _is_content_hash(image_id: str) -> bool:
    return re.fullmatch("[0-9a-f]{20}", image_id) is not None


def _name(image_id: str, path: Any) -> str:
    """A name that stands for the content: the id, or for a user's own id the file as it is now."""
    if _is_content_hash(image_id):
        return image_id
    try:
        state = Path(path).stat()
        version = f"{state.st_size} {state.st_mtime_ns}"
    except (OSError, TypeError, ValueError):
        version = ""
    text = f"{image_id}\n{path}\n{version}"
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:20]
