"""Ask a service about all images, and store each answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from ..corpus.pictures import File, files_of, scanned_picture
from ..errors import ImagestrataError, plural, warn
from ..progress import Progress
from ..wording import SAME_CALL
from ..work import Failed, Work, counted, open_work
from .answers import Answers
from .server import Declined, Unanswered

if TYPE_CHECKING:
    from PIL import Image

#: The number of failures in a row after which the work stops.
_MOST_FAILURES = 10

#: A function that takes a picture and its id, and returns the fields of an answer.
Ask: TypeAlias = "Callable[[Image.Image, str], dict[str, Any]]"


@dataclass(frozen=True)
class _NoAnswer(Failed):
    """An image without an answer of the service, and whether the service is the cause."""

    by_server: bool


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
    n_images: int,
    progress: Progress,
) -> dict[str, str]:
    """Ask about all images, several at once, store the answers, and warn about missing ones.

    Parameters
    ----------
    images : DataFrame
        ``image_id`` and ``path``.
    ask : callable
        Takes a picture and its id, and returns the fields of an answer.
    answers : Answers
        Stores the answers. ``images`` contains only images without an answer.
    stop : threading.Event
        Set when the work ends early.
    side : int or None
        The largest width and height of a picture, in pixels.
    refused : mapping
        The answer for an image that the service refuses; the reason is added to it.
    concurrency : int
    what : str
        The name that progress shows.
    host : str
        Name of the service, for messages.
    n_images : int
        The number of images including those with an answer, for messages.
    progress : bool or callable

    Returns
    -------
    dict
        The reason for each image without an answer, by id.
    """
    from PIL import Image

    files = files_of(images)
    rest = iter(files)

    def ask_one(file: File) -> _NoAnswer | None:
        picture = scanned_picture(file, side)
        if side is not None:
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        try:
            answer = ask(picture, file[0])
        except Unanswered as error:
            # If other images have answers, the image is the cause of an invalid request.
            return _NoAnswer(str(error), by_server=error.passing or not answers.found)
        except Declined as error:
            answer = {**refused, "reason": f"refused: {error}", "cost": 0.0}
        answers.add(file[0], answer)
        return None

    def results(work: Work) -> Iterator[Failed | None]:
        # One by one until the first answer, which shows the cost of the others.
        while not answers.found and (file := next(rest, None)) is not None:
            yield from work.each(ask_one, [file])
        yield from work.each(ask_one, rest, at_once=len(files))

    failed: dict[str, str] = {}
    in_a_row = 0
    with open_work(what, len(files), progress, waiting_threads=concurrency, stop=stop) as work:
        for (image_id, _), failure in zip(files, results(work), strict=True):
            if failure is None:
                in_a_row = 0
                continue
            failed[image_id] = failure.reason
            in_a_row += isinstance(failure, _NoAnswer) and failure.by_server
            if in_a_row == _MOST_FAILURES:
                raise ImagestrataError(
                    f"{plural(in_a_row, 'image')} in a row received no answer from {host}. The "
                    f"last reason: {failure.reason.rstrip('.')}.",
                    f"Remove the cause and run {SAME_CALL} again: stored answers are kept.",
                )
    if failed:
        warn(
            f"{len(failed)} of {plural(n_images, 'image')} have no answer yet "
            f"({counted(map(kind_of_reason, failed.values()))}); {SAME_CALL} asks for them again."
        )
    return failed


def kind_of_reason(reason: str) -> str:
    """A reason without its details, so that equal reasons can be counted."""
    return reason.partition(":")[0]
