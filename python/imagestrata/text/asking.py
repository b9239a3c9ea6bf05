"""A service is asked about one image after the other, and each answer is stored."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from ..corpus.decode import open_image, quiet, read_file
from ..errors import ImagestrataError
from ..progress import Progress, track

if TYPE_CHECKING:
    from PIL import Image

#: Images that fail one after the other before we conclude that all will.
_MOST_FAILURES = 10


class Failure(NamedTuple):
    """Why an image has no answer, and whether that tells against the service."""

    reason: str
    by_server: bool = False


class Changed(Exception):
    """A file whose content is no longer what was scanned."""


def ask_all(
    images: pd.DataFrame,
    ask: Callable[[str, str], Failure | None],
    found: Mapping[str, object],
    stop: threading.Event,
    *,
    concurrency: int,
    what: str,
    host: str,
    progress: Progress,
) -> dict[str, str]:
    """Ask about all images, several at once.

    Parameters
    ----------
    images : DataFrame
        ``image_id`` and ``path``.
    ask : callable
        Takes an id and a path, stores the answer in ``found``, or says why there is none.
    found : mapping
        The answers that are stored.
    stop : threading.Event
        Set when the work is given up.
    concurrency : int
    what : str
        What is done, for the display of progress.
    host : str
        Who is asked, for messages.
    progress : bool or callable

    Returns
    -------
    dict
        The reasons of the images without an answer, by id.
    """
    failed: dict[str, str] = {}
    in_a_row = 0

    def work(image: tuple[str, str]) -> Failure | None:
        return None if stop.is_set() else ask(*image)

    def run(pool: ThreadPoolExecutor) -> Iterator[Failure | None]:
        # One by one until the first answer, whose bill says what the others will cost.
        alone = 0
        while alone < len(files) and not found:
            yield work(files[alone])
            alone += 1
        yield from pool.map(work, files[alone:])

    files = list(zip(images["image_id"], images["path"], strict=True))
    with (
        quiet(),
        track(progress, what, len(files)) as advance,
        ThreadPoolExecutor(concurrency) as pool,
    ):
        try:
            for (image_id, _), failure in zip(files, run(pool), strict=True):
                advance()
                if failure is None:
                    in_a_row = 0
                    continue
                failed[image_id] = failure.reason
                in_a_row += failure.by_server
                if in_a_row == _MOST_FAILURES:
                    raise ImagestrataError(
                        f"{in_a_row} images in a row got no answer from {host}, the "
                        f"last because of: {failure.reason}.",
                        "Mend that and run the same call again: what is answered is kept.",
                    )
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return failed


def scanned_picture(image_id: str, path: str, side: int | None) -> Image.Image:
    """The picture that was scanned under this id, at most ``side`` pixels a side."""
    from PIL import Image

    data = read_file(path)
    if not hashlib.sha256(data).hexdigest().startswith(image_id):
        raise Changed
    picture = open_image(data, min_pixels_side=side)
    if side is not None:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


def plain_jpeg(picture: Image.Image, quality: int) -> bytes:
    """A picture as a JPEG without metadata."""
    from PIL import Image

    buffer = io.BytesIO()
    # A new picture holds pixels only; EXIF stays behind.
    Image.frombytes("RGB", picture.size, picture.tobytes()).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
