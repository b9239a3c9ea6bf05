"""Questions to a model about an image or a pair of images, with fixed answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import ImagestrataError
from ..validate import check_choice
from ..wording import arg, quote

#: The code of a single question without a name.
ONE = "question"

#: How questions are to be understood: what an image shows, or what it suggests.
MEANINGS = {
    "denotative": "Answer by what is visible in the image: people, objects, places, actions and "
    "written words. Do not interpret it, and do not guess what lies outside of it.",
    "connotative": "Answer by what the image suggests to an ordinary viewer beyond what is "
    "literally visible: the associations, feelings and values that it evokes.",
}

#: What follows the prompt if an earlier reply had other answers.
REMINDER = (
    "\n\nAn earlier reply was not valid. Use only the listed answers, word for word, and reply "
    "with the JSON object alone."
)

_YES_NO = {"yes": "1", "no": "0"}


class Question(NamedTuple):
    """A question with fixed answers.

    Attributes
    ----------
    code : str
        Its name in tables.
    text : str
    labels : dict of str to str
        The label in the table for each answer: "1" and "0" for "yes" and "no", otherwise the
        answer itself.
    meanings : dict of str to str
        What some answers mean.
    """

    code: str
    text: str
    labels: dict[str, str]
    meanings: dict[str, str]

    @property
    def kind(self) -> str:
        """``"binary"`` or ``"choice"``, as in other tables of labels."""
        return "binary" if self.labels == _YES_NO else "choice"

    def as_settings(self) -> list[Any]:
        """What affects an answer."""
        return [self.code, self.text, [*self.labels], self.meanings]


def check_questions(labels: Any, question: Any, questions: Any) -> list[Question]:
    """The questions, from one with its answers or from several.

    Parameters
    ----------
    labels : sequence or mapping, optional
        The answers to ``question``; without them, yes or no.
    question : str, optional
    questions : mapping, optional
        For each code a question, or a question and its answers.
    """
    if questions is None:
        if question is None:
            raise ImagestrataError(
                f"A model needs {arg('question')}, with its answers as {arg('labels')}, or "
                f"several {arg('questions')}.",
                f"For instance {arg('question', 'Does this image show a protest?')}.",
            )
        return [_question(ONE, question, labels, "question", "labels")]
    if question is not None or labels is not None:
        other = "question" if question is not None else "labels"
        raise ImagestrataError(
            f"{arg('questions')} already holds the questions and their answers, so that "
            f"{arg(other)} has no effect.",
            "Leave it out.",
        )
    example = {"protest": "Does this image show a protest?"}
    if not isinstance(questions, Mapping) or not questions:
        raise ImagestrataError(
            f"{arg('questions')} must give each code a question, not {quote(questions)}.",
            f"For instance {arg('questions', example)}.",
        )
    found = []
    for code, given in questions.items():
        if not isinstance(code, str) or not code.strip():
            raise ImagestrataError(
                f"The codes in {arg('questions')} must have names, not {quote(code)}."
            )
        several = [given] if isinstance(given, str) else given
        several = [*several] if isinstance(several, Sequence) else []
        if len(several) not in (1, 2):
            raise ImagestrataError(
                f"The code {quote(code)} in {arg('questions')} must have a question, or a question "
                f"and its answers, not {quote(given)}.",
                f"For instance {arg('questions', example)}.",
            )
        answers = several[1] if len(several) == 2 else None
        found.append(_question(code, several[0], answers, "questions", "questions"))
    return found


def prompt_of(questions: Sequence[Question], meaning: str | None, about: str = "the image") -> str:
    """The request to the model, with all questions and their answers."""
    if meaning is not None:
        meaning = MEANINGS[check_choice("meaning", meaning, MEANINGS)]
    one = len(questions) == 1
    lines = [f"Answer {'this question' if one else 'these questions'} about {about}."]
    lines += [""] if meaning is None else [meaning, ""]
    for key, question in keyed(questions).items():
        lines.append(f"{key}: {question.text}")
        for answer in question.labels:
            means = question.meanings.get(answer)
            lines.append(
                f"- {json.dumps(answer, ensure_ascii=False)}{': ' + means if means else ''}"
            )
        lines.append("")
    keys = ", ".join(f'"{key}"' for key in keyed(questions))
    lines.append(
        f"Choose exactly one of the listed answers{'' if one else ' to each question'}, word for "
        f"word. Reply with one JSON object and nothing else: its "
        f"{'key is' if one else 'keys are'} {keys}, and {'the value is' if one else 'values are'} "
        f"the chosen {'answer' if one else 'answers'}."
    )
    return "\n".join(lines)


def schema_of(questions: Sequence[Question]) -> dict[str, Any]:
    """The format of an answer, for servers that can enforce one."""
    keys = keyed(questions)
    schema = {
        "type": "object",
        "properties": {key: {"type": "string", "enum": [*one.labels]} for key, one in keys.items()},
        "required": [*keys],
        "additionalProperties": False,
    }
    return {
        "type": "json_schema",
        "json_schema": {"name": "answers", "strict": True, "schema": schema},
    }


def keyed(questions: Sequence[Question]) -> dict[str, Question]:
    """The questions by the short names that the model sees, which any server accepts."""
    return {f"q{number}": one for number, one in enumerate(questions, start=1)}


def read_answers(text: str, questions: Sequence[Question]) -> tuple[dict[str, str], dict[str, str]]:
    """The label of each code with a valid answer, and what was said instead for the others.

    Nothing is guessed: an answer is one of the list, apart from its case and spaces around it.
    """
    reply = _object_in(text)
    if reply is None and len(questions) == 1:
        reply = {"q1": text}
    labels, wrong = {}, {}
    for key, question in keyed(questions).items():
        said = None if reply is None else reply.get(key)
        found = _label(said, question)
        if found is None:
            wrong[question.code] = _shown(text if reply is None else said)
        else:
            labels[question.code] = found
    return labels, wrong


def _question(code: str, text: Any, answers: Any, name: str, of_answers: str) -> Question:
    if not isinstance(text, str) or not text.strip():
        raise ImagestrataError(
            f"{arg(name)} must be a question in words, not {quote(text)}.",
            f"For instance {arg('question', 'Does this image show a protest?')}.",
        )
    if answers is None:
        return Question(code, text, dict(_YES_NO), {})
    if isinstance(answers, str) or not isinstance(answers, Iterable):
        given: list[tuple[Any, Any]] = []
    else:
        given = (
            [*answers.items()] if isinstance(answers, Mapping) else [(one, None) for one in answers]
        )
    labels: dict[str, str] = {}
    meanings: dict[str, str] = {}
    for answer, meaning in given:
        is_number = isinstance(answer, int | float) and not isinstance(answer, bool)
        shown = f"{answer:g}" if is_number else answer
        if not isinstance(shown, str) or not shown.strip() or shown != shown.strip():
            raise ImagestrataError(
                f"The answers to {quote(text)} must be words without spaces around them, not "
                f"{quote(answer)}."
            )
        if shown.casefold() in {one.casefold() for one in labels}:
            raise ImagestrataError(f"The answers to {quote(text)} contain {quote(shown)} twice.")
        if meaning is not None and (not isinstance(meaning, str) or not meaning.strip()):
            raise ImagestrataError(
                f"The meaning of the answer {quote(shown)} must be words, not {quote(meaning)}."
            )
        labels[shown] = shown
        meanings |= {} if meaning is None else {shown: meaning}
    if len(labels) < 2:
        raise ImagestrataError(
            f"{arg(of_answers)} must give at least two answers to {quote(text)}; got "
            f"{quote(answers)}.",
            "Without answers, the question is one of yes or no.",
        )
    return Question(code, text, labels, meanings)


def _object_in(text: str) -> dict[str, Any] | None:
    """The JSON object in a reply, which some models wrap in other text; None if there is none.

    A key that occurs twice has no value, since it is unknown which one is meant.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        return {name: value for name, value in pairs if names.count(name) == 1}

    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        found = json.loads(text[start : end + 1], object_pairs_hook=once)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _label(said: Any, question: Question) -> str | None:
    if isinstance(said, bool):
        if question.kind != "binary":
            return None
        said = "yes" if said else "no"
    elif isinstance(said, int | float):
        said = f"{said:g}"
    if not isinstance(said, str):
        return None
    plain = said.strip().casefold()
    return next((label for one, label in question.labels.items() if one.casefold() == plain), None)


def _shown(said: Any) -> str:
    """What a model said, in one short line."""
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=True)
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:80] + "..."
