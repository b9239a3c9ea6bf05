"""Questions about pairs of images, and the column of judged pairs that names them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural
from ..wording import arg, quote

#: The column of judged pairs with the names of questions; pairs with one plain question lack it.
QUESTION = "question"
#: The name of one plain question, which is the column of its answers.
PLAIN = "judgement"
#: Columns that answers add to pairs.
OF_ANSWERS = ("annotator", QUESTION, PLAIN, "n_annotators", "disagreement")
#: Separates names of questions in one cell.
BETWEEN = "; "
#: Columns of tables of pairs and of answers, which no question can have as its name.
_RESERVED = frozenset(
    {
        *("pair_id", "image_a", "image_b", "path_a", "path_b", "url_a", "url_b", "left", "right"),
        *("stratum", "N_h", "probability", "round", "questions", "answer", "skipped", "file"),
        *OF_ANSWERS,
    }
)
_EXAMPLE = {
    "denotative": "Do both images show the same things?",
    "connotative": "Do both images express the same idea?",
}


def check_questions(given: Any, usual: str, columns: Collection[str] = ()) -> dict[str, str]:
    """The checked texts of questions by their names; one plain question is named :data:`PLAIN`.

    Parameters
    ----------
    given : str, mapping or None
    usual : str
        The text if none is given.
    columns : collection of str
        Further names that no question can have.
    """
    if given is None or isinstance(given, str):
        return {PLAIN: usual if given is None else given}
    texts = [*given, *given.values()] if isinstance(given, Mapping) else []
    if not texts or not all(isinstance(one, str) and one.strip() for one in texts):
        raise ImagestrataError(
            f"{arg('questions')} must be the text of one question, or several texts with names, "
            f"not {quote(given)}.",
            f"For instance {arg('questions', _EXAMPLE)}.",
        )
    for name in given:
        if name in {*_RESERVED, *columns}:
            raise ImagestrataError(
                f"{quote(name)} cannot be the name of a question: tables of pairs have a column of "
                "that name already.",
                "Choose another name.",
            )
        if name != name.strip() or BETWEEN.strip() in name:
            raise ImagestrataError(
                f"The name of a question must not contain semicolons, or begin or end with a "
                f"space, unlike {quote(name)}.",
                "Choose a short name, such as one word.",
            )
    return dict(given)


def is_plain(questions: Mapping[str, str]) -> bool:
    """Whether there is one question without a name."""
    return [*questions] == [PLAIN]


def described(questions: Mapping[str, str], asked: pd.Series[Any] | None, n: int) -> dict[str, Any]:
    """Columns of the key of an export that describe its questions; empty where one is not asked.

    Parameters
    ----------
    questions : mapping
        Texts by names.
    asked : Series, optional
        The names of the questions about each pair, in one text; by default all.
    n : int
        Number of pairs.
    """
    if is_plain(questions):
        return {}
    columns: dict[str, Any] = {}
    for name, text in questions.items():
        cell = json.dumps({QUESTION: text})
        here = [True] * n if asked is None else [name in one.split(BETWEEN) for one in asked]
        columns[name] = [cell if one else None for one in here]
    return columns


def questions_in(key: pd.DataFrame) -> dict[str, str]:
    """The texts of the questions of an export by their names, from its key; empty if plain."""
    found = {}
    for name in key:
        cells = key[name].dropna()
        one = cells.iloc[0] if len(cells) else None
        if isinstance(one, str) and one.startswith("{"):
            try:
                found[str(name)] = str(json.loads(one)[QUESTION])
            except (ValueError, LookupError, TypeError):
                continue
    return found


def named_questions(table: Any) -> list[str]:
    """The names of the questions in judged pairs, in their order; empty if plain."""
    if QUESTION not in getattr(table, "columns", ()):
        return []
    missing = int(table[QUESTION].isna().sum())
    if missing:
        raise ImagestrataError(
            f"{missing} of {plural(len(table), 'judgement')} have no name of a question in the "
            f"column {quote(QUESTION)}.",
            "Fill that column, or leave those rows out.",
        )
    return [*dict.fromkeys(table[QUESTION].astype(str))]


def check_one_question(table: Any, name: str) -> None:
    """Refuse judged pairs with answers to several questions.

    Parameters
    ----------
    table : DataFrame
    name : str
        The argument that holds the table.
    """
    names = named_questions(table)
    if len(names) > 1:
        raise ImagestrataError(
            f"{arg(name)} has judgements of {plural(len(names), 'question')} "
            f"({', '.join(map(quote, names))}), and one judgement per pair is needed.",
            f"Keep the rows of one question, those whose column {quote(QUESTION)} is "
            f"{quote(names[0])}.",
        )
