"""The kinds of forms: which answers are valid, and the rows that readers of answers expect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..questions import BETWEEN, PLAIN, QUESTION

#: The longest time for one image that is believed, in seconds.
_LONGEST = 7 * 24 * 3600
#: The longest text that an annotator can write.
_LONGEST_TEXT = 10_000


class Refused(Exception):
    """An answer or request that the server refuses, with the status of HTTP and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True, eq=False)
class Sheet:
    """A set of tasks that the server hands out as a whole.

    Attributes
    ----------
    name, group : str
        The id of the packet, and its group; empty for forms without packets.
    capacity : int or None
        How many annotators should fill it in; None for as many as come.
    tasks : dict
        Random names of the tasks, and the true columns of each.
    images : frozenset of str
        Random names of the images that are shown.
    page : dict
        Data for the script of the page, with random names.
    fields : dict
        Names of the answers, with the values to choose from, or None for free text.
    """

    name: str
    group: str
    capacity: int | None
    tasks: Mapping[str, Mapping[str, Any]]
    images: frozenset[str]
    page: Mapping[str, Any]
    fields: Mapping[str, Sequence[Any] | None]


class Kind(NamedTuple):
    """What the server knows about a kind of form.

    Attributes
    ----------
    name : str
        Name of its template and script in the page kit.
    unit : str
        Word for a task.
    reader : str
        The verb that reads the answers.
    columns : callable
        The columns of the table of answers, given the names of the fields.
    check : callable
        Checks an answer to a task of a sheet, and returns whether the task is done.
    rows : callable
        Rows of the table of answers for one task, given the sheet, the task, the person and the
        answer.
    seconds : callable
        The time that an answer took, if it says so.
    size : callable
        The number of images of a task.
    """

    name: str
    unit: str
    reader: str
    columns: Callable[[Sequence[str]], tuple[str, ...]]
    check: Callable[[Sheet, Any, str], bool]
    rows: Callable[[Sheet, str, str, Any], Iterator[tuple[Any, ...]]]
    seconds: Callable[[Any], float | None] = lambda value: None
    size: Callable[[Mapping[str, Any]], int] = lambda task: 1


def _refuse(reason: str) -> Refused:
    return Refused(422, reason)


def _check_fields(value: Any, wanted: set[str]) -> None:
    if not isinstance(value, dict) or {*value} != wanted:
        raise _refuse("An answer has other fields than this form.")


def _check_seconds(value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _LONGEST:
        raise _refuse("The time of an answer is no number of seconds.")


def _is_one_of(value: Any, choices: Sequence[Any] | None) -> bool:
    """Whether a value is a choice, of the same type: 1 is neither True nor 1.0."""
    return any(type(value) is type(one) and value == one for one in choices or ())


# ---- ratings of images on several items ----


def _check_ratings(sheet: Sheet, value: Any, task: str) -> bool:
    _check_fields(value, {"ratings", "skipped", "seconds", "order"})
    _check_seconds(value["seconds"])
    ratings, skipped = value["ratings"], value["skipped"]
    if not isinstance(ratings, dict) or not isinstance(skipped, bool):
        raise _refuse("An answer has other fields than this form.")
    order = value["order"]
    if not isinstance(order, list) or not all(isinstance(item, str) for item in order):
        raise _refuse("The order of the items is no list of names.")
    if sorted(order) != sorted(sheet.fields):
        raise _refuse("The order of the items names other items than this form.")
    for item, rating in ratings.items():
        if item not in sheet.fields:
            raise _refuse("An answer is about an item that this form does not have.")
        if not _is_one_of(rating, sheet.fields[item]):
            raise _refuse("A rating is off the scale.")
    if skipped and ratings:
        raise _refuse("An image cannot be skipped and rated.")
    return skipped or len(ratings) == len(sheet.fields)


def _rows_of_ratings(sheet: Sheet, task: str, person: str, value: Any) -> Iterator[tuple[Any, ...]]:
    row = sheet.tasks[task]
    for place, item in enumerate(value["order"], start=1):
        yield (
            person, sheet.group, sheet.name, row["position"], row["image_id"], item, place,
            value["ratings"].get(item), int(value["skipped"]), round(value["seconds"], 1),
        )  # fmt: skip


# ---- judgements of pairs ----


def _check_pair(sheet: Sheet, value: Any, task: str) -> bool:
    if PLAIN in sheet.fields:
        _check_judgement(value, sheet.fields[PLAIN])
        return True
    some = sheet.tasks[task].get("questions")
    asked = [*sheet.fields] if some is None else some.split(BETWEEN)
    if not isinstance(value, dict) or not {*value} <= {*asked}:
        raise _refuse("An answer is about a question that this form does not ask about the pair.")
    for name, judgement in value.items():
        _check_judgement(judgement, sheet.fields[name])
    return len(value) == len(asked)


def _check_judgement(value: Any, answers: Sequence[Any] | None) -> None:
    if not _is_one_of(value, range(len(answers or ()))):
        raise _refuse("A judgement is none of the answers of this form.")


def _rows_of_pairs(sheet: Sheet, task: str, person: str, value: Any) -> Iterator[tuple[Any, ...]]:
    row = sheet.tasks[task]
    pair = (row["pair_id"], row["image_a"], row["image_b"], person)
    for name, answers in sheet.fields.items():
        given = value if name == PLAIN else value.get(name)
        if answers is not None and given is not None:
            question = () if name == PLAIN else (name,)
            yield (*pair, *question, given, answers[given])


def _columns_of_pairs(names: Sequence[str]) -> tuple[str, ...]:
    question = () if [*names] == [PLAIN] else (QUESTION,)
    return ("pair_id", "image_a", "image_b", "annotator", *question, PLAIN, "answer")


# ---- labels of images in groups, see label_sets.py ----


def _check_labels(sheet: Sheet, value: Any, task: str) -> bool:
    _check_fields(value, {"codes", "images", "skipped", "notes", "seconds", "done"})
    _check_seconds(value["seconds"])
    images = sheet.tasks[task]["images"]
    codes = {code["name"]: code["answers"] for code in sheet.page["codes"]}
    if not isinstance(value["done"], bool):
        raise _refuse("An answer has other fields than this form.")
    _check_codes(value["codes"], codes)
    for name in ("images", "skipped", "notes"):
        if not isinstance(value[name], dict) or not {*value[name]} <= {*images}:
            raise _refuse("An answer is about an image that is not part of this group.")
    for labels in value["images"].values():
        _check_codes(labels, codes)
    for text in (*value["skipped"].values(), *value["notes"].values()):
        _check_text(text)
    needed = [name for name, answers in codes.items() if answers is not None]
    return value["done"] and all(
        image in value["skipped"] or all(_label(value, image, name) for name in needed)
        for image in images
    )


def _check_codes(labels: Any, codes: Mapping[str, Sequence[str] | None]) -> None:
    if not isinstance(labels, dict) or not {*labels} <= {*codes}:
        raise _refuse("An answer is about a code that this form does not have.")
    for name, label in labels.items():
        if codes[name] is None:
            _check_text(label)
        elif not _is_one_of(label, codes[name]):
            raise _refuse("A label is none of the answers of its code.")


def _check_text(text: Any) -> None:
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise _refuse(f"A text has at most {_LONGEST_TEXT:,} characters.")


def _label(value: Any, image: str, name: str) -> str:
    """The label of an image: its own, or that of its group."""
    label: str = value["images"].get(image, {}).get(name) or value["codes"].get(name) or ""
    return label.strip()


def _rows_of_labels(sheet: Sheet, task: str, person: str, value: Any) -> Iterator[tuple[Any, ...]]:
    images = sheet.tasks[task]["images"]
    seconds = round(value["seconds"] / len(images), 1)
    for image, row in images.items():
        skipped, note = value["skipped"].get(image), value["notes"].get(image, "")
        given = [_label(value, image, name) if skipped is None else "" for name in sheet.fields]
        if skipped is not None or note or any(given):
            yield (
                sheet.name, row["position"], row["image_id"], person, *given, skipped or "", note,
                seconds,
            )  # fmt: skip


KINDS = {
    "ratings": Kind(
        "ratings",
        "image",
        "read_ratings",
        lambda names: (
            "respondent_id", "group", "packet_id", "position", "image_id", "item", "item_position",
            "rating", "skipped", "seconds",
        ),
        _check_ratings,
        _rows_of_ratings,
        lambda value: float(value["seconds"]),
    ),
    "pairs": Kind(
        "pairs",
        "pair",
        "read_pairs",
        _columns_of_pairs,
        _check_pair,
        _rows_of_pairs,
    ),
    "labels": Kind(
        "labels",
        "image",
        "read_labels",
        lambda names: (
            "packet_id", "position", "image_id", "annotator", *names, "skipped", "note", "seconds",
        ),
        _check_labels,
        _rows_of_labels,
        lambda value: float(value["seconds"]),
        lambda task: len(task["images"]),
    ),
}  # fmt: skip
