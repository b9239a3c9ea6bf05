"""Ask a service about all images or pairs of images, and store each answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ..corpus.pictures import File, scanned_picture
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

#: A function that takes the pictures of an item and its id, and returns the fields of an answer.
Ask: TypeAlias = "Callable[[Sequence[Image.Image], str], dict[str, Any]]"


@dataclass(frozen=True)
class _NoAnswer(Failed):
    """An item without an answer of the service, and whether the service is the cause."""

    by_server: bool


def ask_all(
    items: Mapping[str, Sequence[File]],
    ask: Ask,
    answers: Answers,
    stop: threading.Event,
    *,
    side: int | None,
    refused: Mapping[str, Any],
    concurrency: int,
    what: str,
    host: str,
    n_items: int,
    progress: Progress,
    unit: str = "image",
) -> dict[str, str]:
    """Ask about all items, several at once, store the answers, and warn about missing ones.

    Parameters
    ----------
    items : mapping of str to sequence of (str, str)
        The id of each image, or pair of images, with the id and the path of each of its pictures.
    ask : callable
        Takes the pictures of an item and its id, and returns the fields of an answer.
    answers : Answers
        Stores the answers. ``items`` contains only items without an answer.
    stop : threading.Event
        Set when the work ends early.
    side : int or None
        The largest width and height of a picture, in pixels.
    refused : mapping
        The answer for an item that the service refuses; the reason is added to it.
    concurrency : int
    what : str
        The name that progress shows.
    host : str
        Name of the service, for messages.
    n_items : int
        The number of items including those with an answer, for messages.
    progress : bool or callable
    unit : str
        Word for an item.

    Returns
    -------
    dict
        The reason for each item without an answer, by id.
    """
    from PIL import Image

    rest = iter(items)

    def picture_of(file: File) -> Image.Image:
        picture = scanned_picture(file, side)
        if side is not None:
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        return picture

    def ask_one(item: str) -> _NoAnswer | None:
        pictures = [picture_of(file) for file in items[item]]
        try:
            answer = ask(pictures, item)
        except Unanswered as error:
            # If other items have answers, the item is the cause of an invalid request.
            return _NoAnswer(str(error), by_server=error.passing or not answers.found)
        except Declined as error:
            answer = {**refused, "reason": f"refused: {error}", "cost": 0.0}
        answers.add(item, answer)
        return None

    def results(work: Work) -> Iterator[Failed | None]:
        # One by one until the first answer, which shows the cost of the others.
        while not answers.found and (item := next(rest, None)) is not None:
            yield from work.each(ask_one, [item])
        yield from work.each(ask_one, rest, at_once=len(items))

    failed: dict[str, str] = {}
    in_a_row = 0
    with open_work(
        what, len(items), progress, unit=f"{unit}s", waiting_threads=concurrency, stop=stop
    ) as work:
        for item, failure in zip(items, results(work), strict=True):
            if failure is None:
                in_a_row = 0
                continue
            failed[item] = failure.reason
            in_a_row += isinstance(failure, _NoAnswer) and failure.by_server
            if in_a_row == _MOST_FAILURES:
                raise ImagestrataError(
                    f"{plural(in_a_row, unit)} in a row received no answer from {host}. The "
                    f"last reason: {failure.reason.rstrip('.')}.",
                    f"Remove the cause and run {SAME_CALL} again: stored answers are kept.",
                )
    if failed:
        warn(
            f"{len(failed)} of {plural(n_items, unit)} have no answer yet: "
            f"{counted(map(kind_of_reason, failed.values()))}; {SAME_CALL} asks for them again."
        )
    return failed


def kind_of_reason(reason: str) -> str:
    """A reason without its details, so that equal reasons can be counted."""
    return reason.partition(":")[0]
