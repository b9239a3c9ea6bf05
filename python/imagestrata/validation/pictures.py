"""Small copies of images as ``data:`` addresses, for pages and tasks that stand alone."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..progress import Progress, track

#: Decoding leaves Python's lock, so that threads help.
_N_THREADS = min(8, os.cpu_count() or 1)
_QUALITY = 80


@dataclass(frozen=True)
class NoPicture:
    """Why there is no picture to show."""

    reason: str


def embedded_pictures(
    image_ids: Sequence[str], paths: Sequence[Any], side: int, progress: Progress
) -> list[str | NoPicture]:
    """A ``data:`` address with a JPEG for each image, its longer side at most ``side`` pixels."""
    from ..corpus.decode import quiet

    made = []
    with (
        quiet(),
        track(progress, "Pictures", len(image_ids)) as advance,
        ThreadPoolExecutor(_N_THREADS) as pool,
    ):
        rows = zip(image_ids, paths, strict=True)
        tasks = [pool.submit(_picture, str(image_id), path, side) for image_id, path in rows]
        try:
            for task in tasks:
                made.append(task.result())
                advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return made


def _picture(image_id: str, path: Any, side: int) -> str | NoPicture:
    from PIL import Image

    from ..corpus.decode import UnreadableImage, open_image, read_file

    if not isinstance(path, str):
        return NoPicture("no file known")
    try:
        data = read_file(path)
        # The ids that scan_images() gives are hashes of the content.
        is_hash = re.fullmatch("[0-9a-f]{20}", image_id)
        if is_hash and not hashlib.sha256(data).hexdigest().startswith(image_id):
            return NoPicture("changed since the scan")
        picture = open_image(data, min_pixels_side=side)
    except UnreadableImage as error:
        return NoPicture(str(error))
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
