"""A service is asked about one image after the other, and each answer is stored."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pandas as pd

from ..corpus.decode import UnreadableImage, open_image, quiet, read_file
from ..embeddings.compute import CHANGED
from ..errors import ImagestrataError, plural
from ..progress import Progress, track
from ..wording import SAME_CALL
from .answers import Answers
from .server import Declined, OverBudget, Stopped, Unanswered

if TYPE_CHECKING:
    from PIL import Image

#: Images that fail one after the other before we conclude that all will.
_MOST_FAILURES = 10


#: Why an image has no answer though nothing went wrong.
OVER_BUDGET = "budget reached"

#: Takes a picture; gives the fields of an answer.
Ask: TypeAlias = "Callable[[Image.Image], dict[str, Any]]"


class Failure(NamedTuple):
    """Why an image has no answer, and whether that tells against the service."""

    reason: str
    by_server: bool = False


class Changed(Exception):
    """A file whose content is no longer what was scanned."""


def ask_all(
    images: pd.DataFrame,
    ask: Ask,
    answers: Answers,
    stop: threading.Event,
    *,
    side: int | None,
    refused: Mapping[str, Any],
    concurrency: int,
    what: str,
    host: str,
    progress: Progress,
) -> dict[str, str]:
    """Ask about all images, several at once, and store the answers.

    Parameters
    ----------
    images : DataFrame
        ``image_id`` and ``path``.
    ask : callable
        Takes a picture; gives the fields of an answer.
    answers : Answers
        Where answers are stored; images that have one are not among ``images``.
    stop : threading.Event
        Set when the work is given up.
    side : int or None
        Pictures have at most so many pixels a side.
    refused : mapping
        The answer for an image that the service does not want; its reason is added.
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
        try:
            return None if stop.is_set() else _ask_one(*image, ask, answers, side, refused)
        except BaseException:
            # At once, for the others: what they ask now could perhaps not be stored either.
            stop.set()
            raise

    def run(pool: ThreadPoolExecutor) -> Iterator[Failure | None]:
        # One by one until the first answer, whose bill says what the others will cost.
        alone = 0
        while alone < len(files) and not answers.found:
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
                        f"{plural(in_a_row, 'image')} in a row got no answer from {host}, the "
                        f"last because of: {failure.reason}.",
                        f"Mend that and run {SAME_CALL} again: what is answered is kept.",
                    )
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return failed


def _ask_one(
    image_id: str,
    path: str,
    ask: Ask,
    answers: Answers,
    side: int | None,
    refused: Mapping[str, Any],
) -> Failure | None:
    """Ask about one image and store the answer, or say why there is none."""
    try:
        answer = ask(_scanned_picture(image_id, path, side))
    except UnreadableImage as error:
        return Failure(str(error.reason))
    except Changed:
        return Failure(CHANGED)
    except Unanswered as error:
        # Where others are answered, the image is to blame for a request held to be wrong.
        return Failure(str(error), by_server=error.passing or not answers.found)
    except OverBudget:
        return Failure(OVER_BUDGET)
    except Declined as error:
        answer = {**refused, "reason": f"refused: {error}", "cost": 0.0}
    except Stopped:
        return None
    answers.add(image_id, answer)
    return None


def _scanned_picture(image_id: str, path: str, side: int | None) -> Image.Image:
    """The picture that was scanned under this id, at most ``side`` pixels a side."""
    from PIL import Image

    data = read_file(path)
    if not hashlib.sha256(data).hexdigest().startswith(image_id):
        raise Changed
    picture = open_image(data, min_pixels_side=side)
    if side is not None:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture
