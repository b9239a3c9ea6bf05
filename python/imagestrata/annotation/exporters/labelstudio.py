"""Export of tasks to Label Studio, and reading of its answers."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from ...errors import ImagestrataError
from ...files import write_json, write_text
from ...wording import kind_of, quote
from ..form import Files, Form, Pictures
from ..questions import BETWEEN

#: Names under which a result stores the answer, by the kind of field.
_VALUES = ("choices", "rating", "number", "text")


def files(form: Form, pictures: Pictures) -> Files:
    """Tasks to import, and the labelling configuration."""
    places = form.shown.items()
    tasks = [
        {
            "data": row
            | {place: pictures.addresses[row[column]] for place, column in places}
            | _asked(form, row)
        }
        for row in form.tasks.to_dict("records")
    ]
    return {
        "tasks.json": partial(write_json, content=tasks),
        "config.xml": partial(write_text, text=_configuration(form)),
    }


def _is_partial(form: Form) -> bool:
    """Whether some tasks have only some of the questions."""
    return "questions" in form.tasks


def _asked(form: Form, task: Mapping[Hashable, Any]) -> dict[str, Any]:
    """The text and the answers of each question of a task; empty for a question it lacks."""
    if not _is_partial(form):
        return {}
    found: dict[str, Any] = {}
    names = task["questions"].split(BETWEEN)
    for number, (name, answers) in enumerate(form.fields.items(), start=1):
        has = name in names
        found[f"asked_{number}"] = form.texts.get(name, name) if has else ""
        found[f"answers_{number}"] = [{"value": str(one)} for one in (answers or []) if has]
    return found


def _configuration(form: Form) -> str:
    """The labelling interface: the images side by side, then a row of choices for each field."""
    first, *others = form.shown
    columns = "1fr " * (1 + len(others))
    texts = [text for text in (form.warning, form.question, form.note) if text]
    lines = [
        "<View>",
        *(f"  <Header value={quoteattr(text)}/>" for text in texts),
        f'  <View style="display: grid; grid-template-columns: {columns.strip()}; gap: 16px">',
        *(f'    <Image name="{place}" value="${place}"/>' for place in form.shown),
        "  </View>",
    ]
    alone = len(form.fields) == 1
    # A skipped image has no answer, and some tasks have only some of the questions.
    needed = "false" if form.asides or _is_partial(form) else "true"
    for place, (name, answers) in enumerate(form.fields.items(), start=1):
        if _is_partial(form) and answers is not None:
            # The task says which questions it has: others have no text and no answers to choose.
            lines += [
                f'  <Header value={quoteattr(f"$asked_{place}")} size="5"/>',
                f'  <Choices name={quoteattr(name)} toName="{first}" value="$answers_{place}" '
                f'choice="single" showInline="true" required="false"/>',
            ]
            continue
        if not alone:
            text = form.texts.get(name, name)
            lines.append(f'  <Header value={quoteattr(text)} size="5"/>')
        if answers is None:
            lines.append(f'  <TextArea name={quoteattr(name)} toName="{first}"/>')
            continue
        lines += [
            f'  <Choices name={quoteattr(name)} toName="{first}" choice="single" '
            f'showInline="true" required="{needed}">',
            *(
                f"    <Choice value={quoteattr(str(answer))}"
                + (f' hotkey="{number}"/>' if alone else "/>")
                for number, answer in enumerate(answers)
            ),
            "  </Choices>",
        ]
    for name in form.asides:
        lines += [
            f'  <Header value={quoteattr(name)} size="5"/>',
            f'  <TextArea name={quoteattr(name)} toName="{first}"/>',
        ]
    return "\n".join([*lines, "</View>"]) + "\n"


#: What a row of a task that the annotator skipped has in the column ``skipped``.
SKIPPED = "skipped in Label Studio"


def read_tasks(text: str, file: Path, *, skipped: bool = False) -> list[dict[str, str]]:
    """Read an export (JSON or JSON-MIN): a row of text for each annotation.

    A row has the data of the task, the answer to each field, and ``annotator``. With
    ``skipped``, a task that an annotator skipped has a row, too, without answers.
    """
    try:
        return [row for task in json.loads(text) for row in _rows(task, file, skipped)]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ImagestrataError):
            raise
        raise ImagestrataError(
            f"{quote(file)} is not an export of Label Studio with our tasks ({kind_of(error)}: "
            f"{error}).",
            "Export the project as JSON, or as JSON-MIN.",
        ) from None


def _rows(task: dict[str, Any], file: Path, skipped: bool) -> Iterator[dict[str, str]]:
    if not task:
        raise LookupError("an empty task")
    if "annotations" not in task:
        if "data" not in task:  # else predictions alone, or "completions"
            yield {name: _text(value) for name, value in task.items()}
        return
    data = {name: _text(value) for name, value in task["data"].items()}
    for annotation in task["annotations"]:
        if not annotation.get("was_cancelled"):
            fields = {
                result["from_name"]: _answer(result, data, file)
                for result in annotation["result"]
                if "from_name" in result
            }
            yield data | {"annotator": _person(annotation)} | fields
        elif skipped:
            yield data | {"annotator": _person(annotation), "skipped": SKIPPED}


def _answer(result: dict[str, Any], data: dict[str, str], file: Path) -> str:
    value = result["value"]
    given = next((value[kind] for kind in _VALUES if kind in value), "")
    ticked = given if isinstance(given, list) else [given]
    if len(ticked) > 1:
        raise ImagestrataError(
            f"The task {quote(next(iter(data.values())))} in {quote(file)} has {len(ticked)} "
            f"answers at once: {', '.join(map(quote, ticked))}.",
            'Ask the annotator which is meant, and use choice="single" in the project.',
        )
    return _text(ticked[0] if ticked else None)


def _person(annotation: dict[str, Any]) -> str:
    """The annotator: a number, or with some exports an email address."""
    person = annotation.get("completed_by")
    if isinstance(person, dict):
        person = person.get("email") or person["id"]
    return _text(person)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
