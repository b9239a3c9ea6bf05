"""A vision language model as a coder: it answers questions with fixed answers about images.

:func:`ask_questions` also takes pairs of images, which :func:`imagestrata.judge_pairs` asks about.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..corpus.pictures import File, files_of
from ..corpus.scan import images_step, usable_images
from ..errors import ImagestrataError, plural, warn
from ..progress import Progress
from ..provenance import fingerprint
from ..tables import with_file
from ..validate import check_path
from ..wording import arg, quote
from .answers import Answers
from .asking import Ask, ask_all
from .chat import (
    CUT_BY_MODEL,
    CUT_OFF,
    EMPTY,
    Provider,
    chat_request,
    check_budget,
    check_limits,
    check_provider,
    interpret,
    model_costs,
    most_tokens_in,
    most_tokens_out,
    read_chat,
)
from .consent import ask_consent
from .local import LocalDescriber, LocalModel
from .machines import PREFIX
from .origin import texts_fingerprint
from .questions import (
    REMINDER,
    Question,
    check_questions,
    prompt_of,
    read_answers,
    schema_of,
)
from .server import Connection, Declined, ModelServer, Purse, Unanswered, Usage
from .tag_table import tags_reader

if TYPE_CHECKING:
    from PIL import Image

#: How often a model is asked about an image or a pair until all its answers are valid.
ATTEMPTS = 3

#: The number of images or pairs in a row without any valid answer after which the work stops.
_MOST_INVALID = 10

#: The fields of a stored line: the labels so far, what was said instead for other codes (both as
#: JSON), and whether the model is not asked again.
FIELDS = {
    "labels": str,
    "wrong": str,
    "reason": str,
    "done": int,
    "attempt": int,
    "model": str,
    "tokens_in": int,
    "tokens_out": int,
}

#: Statuses of servers that do not know the format of answers that is asked for.
_NO_FORMAT = ("HTTP 400", "HTTP 415", "HTTP 422", "HTTP 501")

_OFF_LIST = "not one of the answers"


def code_images(
    images: Any,
    provider: Any,
    labels: Any,
    question: Any,
    questions: Any,
    meaning: str,
    *,
    max_tokens: int | None,
    temperature: float | None,
    side: int,
    budget: float | None,
    consent: bool,
    out: str | os.PathLike[str] | None,
    overwrite: bool,
    progress: Progress,
) -> pd.DataFrame:
    """:func:`tag_images` with a model that answers questions."""
    asked = check_questions(labels, question, questions)
    settings = _settings(provider, asked, meaning, max_tokens, temperature, side)
    budget = check_budget(budget, provider, settings["max_tokens"])
    if out is None:
        raise ImagestrataError(
            f"{arg('out')} must be a run folder, in which answers of a model are stored as they "
            "arrive.",
            f"For instance {arg('out', 'my-run')}.",
        )
    table = usable_images(images, out, overwrite, progress)
    step = images_step(out, "tag", settings, table, overwrite)
    assert step.folder is not None
    answers = _stored(step.folder, settings)
    failed: dict[str, str] = {}

    def make() -> pd.DataFrame:
        files = {file[0]: [file] for file in files_of(table)}
        given = (files, provider, asked, settings, answers, budget, consent, progress)
        failed.update(ask_questions(*given, unit="image", what="Asking"))
        made = _table(table, asked, answers, failed, settings["model"])
        warn_invalid(
            made["reason"],
            "image",
            "Add an answer such as 'cannot tell', or describe the answers.",
        )
        return made

    def counts(made: pd.DataFrame) -> dict[str, Any] | None:
        if failed:
            return None
        lines = [answers.found[image_id] for image_id in table["image_id"]]
        return {
            "images": len(table),
            "without": int(made["label"].isna().sum()),
            "attempts": sum(line["attempt"] or 0 for line in lines),
            "cost": answers.spent,
            "sent_to": provider.host,
            "models": sorted({line["model"] for line in lines} - {None}),
        }

    return step.table(
        make,
        counts,
        read=tags_reader(settings["model"]),
        identity=lambda made: texts_fingerprint(made, "label"),
    )


def coder_costs(
    images: Any,
    provider: Any,
    out: str | os.PathLike[str] | None,
    labels: Any,
    question: Any,
    questions: Any,
    meaning: str,
    max_tokens: int | None,
    temperature: float | None,
    side: int,
    progress: Progress,
) -> pd.DataFrame:
    """The table of :func:`costs` for answers, each of which is valid at the first attempt."""
    asked = check_questions(labels, question, questions)
    settings = _settings(provider, asked, meaning, max_tokens, temperature, side)
    table = usable_images(images, None, False, progress)
    folder = None if out is None else check_path("out", out)
    answers = _stored(folder, settings)
    n_done = len(table) - len(unfinished(table["image_id"], answers))
    return pd.DataFrame([model_costs(provider, settings, len(table), n_done, answers)])


def _settings(
    provider: Any, questions: Sequence[Question], meaning: str, *limits: Any
) -> dict[str, Any]:
    """The checked settings that affect an answer."""
    settings = {
        **check_provider("classifier", provider).identity(),
        "questions": [one.as_settings() for one in questions],
        "prompt": prompt_of(questions, meaning),
    }
    return settings | check_limits(*limits)


def _stored(folder: Path | None, settings: Mapping[str, Any]) -> Answers:
    place = None if folder is None else folder / "tags" / "answers.jsonl"
    return Answers(place, fingerprint(settings), FIELDS)


def unfinished(ids: Iterable[str], answers: Answers) -> list[str]:
    """The images or pairs that a model has not answered for good."""
    return [one for one in ids if not answers.found.get(one, {}).get("done")]


def ask_questions(
    items: Mapping[str, Sequence[File]],
    provider: Provider,
    questions: Sequence[Question],
    settings: Mapping[str, Any],
    answers: Answers,
    budget: float | None,
    consent: bool,
    progress: Progress,
    *,
    unit: str,
    what: str,
) -> dict[str, str]:
    """Ask about unfinished images or pairs; return the reasons of those that remain so.

    Parameters
    ----------
    items : mapping of str to sequence of (str, str)
        The id of each image or pair, with the id and the path of each of its pictures.
    provider, questions, settings, budget, consent, progress
        Checked. The ``settings`` have the prompt and the limits of requests.
    answers : Answers
        Has the :data:`FIELDS`.
    unit, what : str
        Word for an item, and the name that progress shows.
    """
    todo = {one: items[one] for one in unfinished(items, answers)}
    if not todo:
        return {}
    if isinstance(provider, ModelServer):
        costs = model_costs(provider, settings, len(todo), 0, answers)
        n_images = len({file[0] for files in todo.values() for file in files})
        paired = "" if unit == "image" else f" in {plural(len(todo), unit)}"
        notice = (
            f"{plural(n_images, 'image leaves', 'images leave')} this machine{paired}, as JPEG of "
            f"at most {settings['side']} pixels a side without metadata, with "
            f"{plural(len(questions), 'question')}{' a ' + unit if paired else ''},"
        )
        limited = settings["max_tokens"] is not None
        # More attempts after invalid answers cost more, within the budget.
        tokens = (costs["tokens_in"], costs["tokens_out"])
        ask_consent(provider, notice, *tokens, consent, limited=limited)
    stop = threading.Event()
    one_attempt = (
        _local(provider, settings)
        if isinstance(provider, LocalModel)
        else _remote(provider, questions, settings, answers, budget, stop)
    )
    return ask_all(
        todo,
        _asker(questions, one_attempt, answers, provider.host, unit),
        answers,
        stop,
        side=settings["side"],
        refused={},
        concurrency=provider.concurrency,
        what=what,
        host=provider.host,
        n_items=len(items),
        progress=progress,
        unit=unit,
    )


def _asker(
    questions: Sequence[Question],
    one_attempt: Callable[[Sequence[Image.Image], bool], dict[str, Any]],
    answers: Answers,
    host: str,
    unit: str,
) -> Ask:
    """The function that asks about an image or a pair until all answers are valid or attempts end.

    Each reply is stored before the next attempt, so that none is lost or paid twice.
    """
    lock = threading.Lock()
    invalid = 0

    def ask(pictures: Sequence[Image.Image], item: str) -> dict[str, Any]:
        nonlocal invalid
        before = answers.found.get(item)
        labels = {} if before is None else _from_json(before["labels"])
        first = 1 if before is None else (before["attempt"] or 0) + 1
        for attempt in range(first, ATTEMPTS + 1):
            try:
                reply = one_attempt(pictures, attempt > 1)
            except Declined as error:
                reply = {"description": None, "reason": f"refused: {error}", "model": None}
                reply |= {"tokens_in": 0, "tokens_out": 0, "cost": 0.0}
            text, reason = reply.pop("description"), reply["reason"]
            refused = text is None and str(reason).startswith("refused")
            wrong: dict[str, str] = {}
            if text is not None:
                valid, wrong = read_answers(text, questions)
                labels = valid | labels  # the first valid answer counts
                wrong = {code: said for code, said in wrong.items() if code not in labels}
            done = refused or len(labels) == len(questions) or attempt == ATTEMPTS
            line = {
                **reply,
                "labels": json.dumps(labels),
                "wrong": json.dumps(wrong),
                "done": int(done),
                "attempt": attempt,
            }
            if not done:
                answers.add(item, line)
                continue
            with lock:
                invalid = 0 if labels or refused else invalid + 1
                if invalid == _MOST_INVALID:
                    answers.add(item, line)
                    said = next(iter(wrong.values()), None) or reason
                    raise ImagestrataError(
                        f"{plural(invalid, unit)} in a row received no valid answer from "
                        f"{host}. The last reply: {quote(said)}.",
                        "Choose a model that follows instructions, or ask simpler questions; "
                        "stored answers are kept.",
                    )
            return line
        raise AssertionError("an item without further attempts is done")

    return ask


def _local(
    provider: LocalModel, settings: Mapping[str, Any]
) -> Callable[[Sequence[Image.Image], bool], dict[str, Any]]:
    limits = (settings["max_tokens"], settings["temperature"])
    describer = LocalDescriber(provider, settings["prompt"], *limits)

    def attempt(pictures: Sequence[Image.Image], again: bool) -> dict[str, Any]:
        prompt = settings["prompt"] + (REMINDER if again else "")
        text, cut_off, usage = describer.ask(pictures, prompt)
        reply = interpret(text, None, CUT_OFF if cut_off else None, settings["model"])
        return reply | usage._asdict()

    return attempt


def _remote(
    provider: ModelServer,
    questions: Sequence[Question],
    settings: Mapping[str, Any],
    answers: Answers,
    budget: float | None,
    stop: threading.Event,
) -> Callable[[Sequence[Image.Image], bool], dict[str, Any]]:
    cut = CUT_BY_MODEL if settings["max_tokens"] is None else CUT_OFF
    # Each request may have the reminder, whose characters are no fewer than its tokens.
    at_most = Usage(
        most_tokens_in(provider, settings, answers) + len(REMINDER),
        most_tokens_out(settings, answers),
    )
    purse = Purse(budget, answers.spent, answers.add_lost)
    connection = Connection(provider, purse, at_most, stop, more_tokens=len(REMINDER))
    form = {"response_format": schema_of(questions)}
    knows_form: bool | None = None

    def send(request: dict[str, Any]) -> Any:
        return connection.ask(
            lambda client: client.chat.completions.create(**request),
            lambda response: read_chat(response, cut),
        )

    def attempt(pictures: Sequence[Image.Image], again: bool) -> dict[str, Any]:
        nonlocal knows_form
        prompt = settings["prompt"] + (REMINDER if again else "")
        request = chat_request(pictures, {**settings, "prompt": prompt}, provider)
        if knows_form is False:
            reply, usage, cost = send(request)
        else:
            try:
                reply, usage, cost = send(request | form)
                knows_form = True
            except Unanswered as error:
                if knows_form or error.passing or not str(error).startswith(_NO_FORMAT):
                    raise
                reply, usage, cost = send(request)  # the format may be the cause
                knows_form = False
        tokens = {"tokens_in": None, "tokens_out": None} if usage is None else usage._asdict()
        reply = {name: value and provider.without_key(value) for name, value in reply.items()}
        return {**reply, **tokens, "cost": None if provider.price is None else cost}

    return attempt


def _from_json(text: str | None) -> dict[str, str]:
    """The labels or the wrong answers of a stored line."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return {str(code): str(one) for code, one in found.items()} if isinstance(found, dict) else {}


def label_of(
    code: str, line: Mapping[str, Any], failure: str | None
) -> tuple[str | None, str | None]:
    """The label of a code in a stored line, and the reason for a missing one."""
    labels, wrong = (_from_json(line.get(name)) for name in ("labels", "wrong"))
    label = labels.get(code)
    reason = None if label is not None else failure or line.get("reason")
    if label is None and reason is None:
        reason = f"{_OFF_LIST}: {wrong.get(code)}"
    return label, reason


def _table(
    images: pd.DataFrame,
    questions: Sequence[Question],
    answers: Answers,
    failed: Mapping[str, str],
    model: str,
) -> pd.DataFrame:
    """One row per image and code, with a label or the reason for a missing one."""
    rows = []
    for image_id, path in zip(images["image_id"], images["path"], strict=True):
        line = answers.found.get(image_id) or {}
        for one in questions:
            label, reason = label_of(one.code, line, failed.get(image_id))
            rows.append((image_id, path, one.code, label, PREFIX + model, one.kind, reason))
    columns = ["image_id", "path", "code", "label", "annotator", "kind", "reason"]
    return with_file(pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:], "str")))


def warn_invalid(reasons: pd.Series[Any], unit: str, hint: str) -> None:
    """Warn about answers that are missing because the model gave no valid one."""
    off = reasons.fillna("").str.startswith((_OFF_LIST, EMPTY, CUT_OFF, CUT_BY_MODEL))
    if off.any():
        warn(
            f"{int(off.sum())} of {plural(len(reasons), 'answer')} are missing, since the model "
            f"gave none of the answers in {ATTEMPTS} attempts; the column 'reason' has what it "
            "said.",
            f"{hint} {unit.capitalize()}s without an answer may differ from the others.",
        )
