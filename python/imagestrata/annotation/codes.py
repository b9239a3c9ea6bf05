"""Codes, which are the questions about each image, and the codebook that explains them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError
from ..names import Images
from ..tables import read_texts
from ..wording import arg, kind_of, quote
from .answers import NOTHING

KINDS = ("binary", "choice", "scale", "text")
#: Answers to a binary code as people write them, and as tables have them.
YES_NO = {"1": "1", "0": "0", "yes": "1", "no": "0", "y": "1", "n": "0", "true": "1", "false": "0"}
#: The most points of a scale, each of which has a key.
_MOST_POINTS = 11
#: Columns of tables of labels, which no code can have as its name.
RESERVED = frozenset(
    {
        *("image_id", "path", "file", "url", "image", "cluster", "packet_id", "position", "group"),
        *("annotator", "coder", "skipped", "note", "seconds", "code", "label", "kind"),
    }
)


@dataclass(frozen=True)
class Code:
    """A question about an image.

    Attributes
    ----------
    name : str
    kind : str
        One of :data:`KINDS`.
    answers : tuple of str, or None
        All possible labels in their order: "1" and "0" for a binary code, the numbers of a
        scale. None for free text.
    ends : tuple of str
        Words for the two ends of a scale; empty if there are none.
    """

    name: str
    kind: str
    answers: tuple[str, ...] | None = None
    ends: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...] | None:
        """The answers as people read them."""
        return ("yes", "no") if self.kind == "binary" else self.answers

    def as_json(self) -> str:
        """The code as text, for the key of an export."""
        return json.dumps({key: value for key, value in asdict(self).items() if key != "name"})

    def labels(self, given: pd.Series[str]) -> pd.Series[Any]:
        """Labels as tables have them; an answer that is not on the list becomes missing."""
        if self.answers is None:
            return given
        if self.kind == "scale":
            numbers = pd.to_numeric(given.str.replace(",", ".", regex=False), errors="coerce")
            return numbers.map({float(answer): answer for answer in self.answers})
        if self.kind == "binary":
            return given.str.lower().map(YES_NO | {"1.0": "1", "0.0": "0"})
        lower = [answer.lower() for answer in self.answers]
        # An answer counts in other capitals, too, if it is the only such one.
        known = dict(zip(lower, self.answers, strict=True)) if len({*lower}) == len(lower) else {}
        exact = {answer: answer for answer in self.answers}
        return pd.Series(
            [exact.get(one, known.get(one.lower())) for one in given], given.index, dtype="str"
        )


def check_codes(codes: Any, taken: Iterable[str] = ()) -> list[Code]:
    """The checked codes.

    Parameters
    ----------
    codes : str, sequence of str, or mapping
    taken : iterable of str
        Further names that no code can have.
    """
    named = codes
    if isinstance(codes, str):
        named = {codes: "binary"}
    elif not isinstance(codes, Mapping):
        listed = list(codes) if isinstance(codes, Iterable) else []
        if len(set(map(str, listed))) < len(listed):
            raise ImagestrataError(
                f"{arg('codes')} names a code twice: {', '.join(map(str, listed))}."
            )
        named = dict.fromkeys(listed, "binary") if _are_texts(listed) else {}
    if not named or not _are_texts(named):
        raise ImagestrataError(
            f"{arg('codes')} must be names of codes, not {quote(codes)}.",
            f"For example {quote(['protest', 'police'])} for yes or no, or "
            f"{quote({'protest': 'binary', 'scene': ['march', 'vigil'], 'crowd': [1, 7]})}.",
        )
    for name in named:
        if name in {*RESERVED, *taken}:
            raise ImagestrataError(
                f"{quote(name)} cannot be a code: the table has a column of that name already.",
                "Choose another name.",
            )
    return [_code(name, answers) for name, answers in named.items()]


def _are_texts(names: Iterable[Any]) -> bool:
    return all(isinstance(name, str) and name.strip() and name == name.strip() for name in names)


def _code(name: str, given: Any) -> Code:
    """A code from what a user gives for it."""
    if isinstance(given, Sequence) and not isinstance(given, str) and len(given) == 1:
        given = given[0]  # R has no single texts
    if given is None or given == "text":
        return Code(name, "text")
    if isinstance(given, str) and given == "binary":
        return Code(name, "binary", ("1", "0"))
    if isinstance(given, Mapping):
        words, ends = [*map(str, given)], [*given.values()]
        if len(ends) == 2 and all(map(_is_whole, ends)):
            if ends[0] > ends[1]:
                words, ends = words[::-1], ends[::-1]
            return _scale(name, ends, tuple(words))
    elif isinstance(given, Iterable) and not isinstance(given, str):
        listed = list(given)
        if len(listed) == 2 and all(map(_is_whole, listed)):
            return _scale(name, listed, ())
        if len(listed) > 1 and _are_texts(listed):
            if len(set(listed)) < len(listed):
                raise ImagestrataError(f"The code {quote(name)} has an answer twice: {listed}.")
            lost = [answer for answer in listed if answer in NOTHING]
            if lost:
                raise ImagestrataError(
                    f"The code {quote(name)} has the answer {quote(lost[0])}, which tables read as "
                    "a missing answer.",
                    f"Write it in full, such as {quote('not applicable')}.",
                )
            return Code(name, "choice", tuple(listed))
    raise ImagestrataError(
        f"The answers of the code {quote(name)} must be a list of two texts or more, the two ends "
        f"of a scale, {quote('binary')}, or {quote('text')} for free text, not {quote(given)}."
    )


def _is_whole(number: Any) -> bool:
    whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
    return bool(whole or (isinstance(number, float) and number.is_integer()))


def _scale(name: str, ends: Sequence[Any], words: tuple[str, ...]) -> Code:
    low, high = int(ends[0]), int(ends[1])
    if not 1 <= high - low < _MOST_POINTS:
        raise ImagestrataError(
            f"The scale of the code {quote(name)} must go up and have at most {_MOST_POINTS} "
            f"points, unlike {low} to {high}.",
            f"For example {quote([1, 7])} or {quote([0, 10])}.",
        )
    return Code(name, "scale", tuple(map(str, range(low, high + 1))), words)


def codes_in(key: pd.DataFrame) -> list[Code]:
    """The codes of an export, from the columns of its key that describe them."""
    found = []
    for name in key:
        one = key[name].iloc[0] if len(key) else None
        if isinstance(one, str) and one.startswith("{"):
            try:
                held = json.loads(one)
                answers = None if held["answers"] is None else tuple(held["answers"])
                if held["kind"] in KINDS:
                    found.append(Code(str(name), held["kind"], answers, tuple(held["ends"])))
            except (ValueError, LookupError, TypeError):
                continue
    return found


# ---- the codebook ----


def check_codebook(
    codebook: Any, codes: Sequence[Code], images: pd.DataFrame
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """The entries of a codebook in the order of the codes, and the example images.

    Parameters
    ----------
    codebook : mapping, DataFrame, path or None
    codes : sequence of Code
    images : DataFrame
        ``image_id`` and ``path`` of the images to be labelled, which can be examples.
    """
    table = _codebook_table(codebook)
    known = {code.name: code for code in codes}
    odd = [name for name in table["code"] if name not in known]
    if odd:
        raise ImagestrataError(
            f"The codebook explains {quote(odd[0])}, which is not a code.",
            f"Codes are {', '.join(known)}.",
        )
    found = Images(images)
    extra: dict[str, str] = {}
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for row in table.to_dict("records"):
        code = known[row["code"]]
        answer = _answer_in_codebook(code, row["answer"])
        entry = entries.setdefault(
            (code.name, answer),
            {"code": code.name, "answer": answer, "definition": "", "examples": []},
        )
        texts = [text for text in (entry["definition"], row["definition"]) if text]
        entry["definition"] = "\n".join(dict.fromkeys(texts))
        if row["example"]:
            image_id, path = _example(row["example"], found, images, len(extra))
            extra[image_id] = path
            entry["examples"].append(image_id)
    order = {name: number for number, name in enumerate(known)}

    def place(entry: dict[str, Any]) -> tuple[int, int]:
        answers = ("", *(known[entry["code"]].words or ()))
        return order[entry["code"]], answers.index(entry["answer"])

    shown = pd.DataFrame({"image_id": [*extra], "path": [*extra.values()]}, dtype="str")
    return sorted(entries.values(), key=place), shown


def _codebook_table(codebook: Any) -> pd.DataFrame:
    columns = ["code", "answer", "definition", "example"]
    if codebook is None:
        return pd.DataFrame(columns=columns)
    if isinstance(codebook, Mapping):
        codebook = pd.DataFrame({"code": [*codebook], "definition": [*codebook.values()]})
    elif isinstance(codebook, str | os.PathLike):
        codebook = read_texts(Path(codebook), columns)
    if not isinstance(codebook, pd.DataFrame) or "code" not in codebook:
        seen = f"with {', '.join(map(str, codebook))}" if hasattr(codebook, "columns") else ""
        raise ImagestrataError(
            f"{arg('codebook')} must be definitions by the names of codes, or a table with the "
            f"column 'code', not {kind_of(codebook)} {seen}".rstrip()
            + ".",
            "Further columns of the table are 'definition', 'answer' and 'example' (an image).",
        )
    if not {"definition", "example"} & {*codebook}:
        raise ImagestrataError(
            f"{arg('codebook')} has neither a column 'definition' nor a column 'example'; it has "
            f"{', '.join(map(str, codebook))}."
        )
    table = codebook.reindex(columns=columns).astype(object)
    return table.where(table.notna(), "").astype(str).map(str.strip)


def _answer_in_codebook(code: Code, given: str) -> str:
    """An answer in words; empty if an entry explains the code itself."""
    if not given:
        return ""
    label = code.labels(pd.Series([given], dtype="str")).iloc[0] if code.answers else None
    if not isinstance(label, str):
        raise ImagestrataError(
            f"The codebook explains the answer {quote(given)} of the code {quote(code.name)}, "
            f"whose answers are {', '.join(code.words or ('free text',))}."
        )
    return (code.words or ())[(code.answers or ()).index(label)]


def _example(name: str, known: Images, images: pd.DataFrame, number: int) -> tuple[str, str]:
    """Id and path of an example: one of the images, or another file."""
    rows = known.find(name)
    if len(rows) == 1:
        one = images.iloc[rows[0]]
        return str(one["image_id"]), str(one["path"])
    if len(rows) > 1:
        raise ImagestrataError(
            f"The example {quote(name)} of the codebook fits {len(rows)} images.",
            "Give its path with more of its folders, or its image_id.",
        )
    if Path(name).is_file():
        return f"example-{number + 1}", str(Path(name).absolute())
    raise ImagestrataError(
        f"The example {quote(name)} of the codebook is none of the images, and no such file "
        "exists.",
        "Give an image_id, the path of an image or the name of its file.",
    )
