"""A service is asked about one image after the other, and each answer is stored."""

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

#: Images that fail one after the other before we conclude that all will.
_MOST_FAILURES = 10

#: Takes a picture; gives the fields of an answer.
Ask: TypeAlias = "Callable[[Image.Image], dict[str, Any]]"


@dataclass(frozen=True)
class _NoAnswer(Failed):
    """Why a service has no answer, and whether that tells against it."""

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
    """Ask about all images, several at once, and store the answers; warn of those without.

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
    n_images : int
        How many images there are with those that have an answer, for messages.
    progress : bool or callable

    Returns
    -------
    dict
        The reasons of the images without an answer, by id.
    """
    from PIL import Image

    files = files_of(images)
    rest = iter(files)

    def ask_one(file: File) -> _NoAnswer | None:
        picture = scanned_picture(file, side)
        if side is not None:
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        try:
            answer = ask(picture)
        except Unanswered as error:
            # Where others are answered, the image is to blame for a request held to be wrong.
            return _NoAnswer(str(error), by_server=error.passing or not answers.found)
        except Declined as error:
            answer = {**refused, "reason": f"refused: {error}", "cost": 0.0}
        answers.add(file[0], answer)
        return None

    def results(work: Work) -> Iterator[Failed | None]:
        # One by one until the first answer, whose bill says what the others will cost.
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
                    f"{plural(in_a_row, 'image')} in a row got no answer from {host}, the "
                    f"last because of: {failure.reason}.",
                    f"Mend that and run {SAME_CALL} again: what is answered is kept.",
                )
    if failed:
        warn(
            f"{len(failed)} of {plural(n_images, 'image')} have no answer yet "
            f"({counted(map(kind_of_reason, failed.values()))}); {SAME_CALL} asks for those again."
        )
    return failed


def kind_of_reason(reason: str) -> str:
    """A reason without its details, to be counted."""
    return reason.partition(":")[0]
