"""Words that were read in a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ImagestrataError
from ..wording import arg, quote

#: The reason for a missing text if the image could be read.
NO_TEXT = "no text found"


@dataclass(frozen=True)
class Word:
    """A word in a picture.

    Attributes
    ----------
    text : str
    confidence : float
        From 0 to 1.
    line : tuple of int
        The line of the word: equal for all words of a line.
    box : tuple of int
        Left, top, right, bottom, in pixels of the picture that was read.
    """

    text: str
    confidence: float
    line: tuple[int, ...]
    box: tuple[int, int, int, int]


def is_word(text: str) -> bool:
    """Whether a text has a letter or digit; otherwise it is an artefact."""
    return any(map(str.isalnum, text))


def joined(words: Sequence[Word]) -> str:
    """The text of words, with a line break at the end of each line."""
    lines: dict[tuple[int, ...], list[str]] = {}
    for word in words:
        lines.setdefault(word.line, []).append(word.text)
    return "\n".join(" ".join(line) for line in lines.values())


def check_languages(languages: Any) -> tuple[str, ...]:
    """The codes of the languages, each once."""
    given = languages.split("+") if isinstance(languages, str) else languages
    codes = list(given) if isinstance(given, Iterable) else []
    if not codes or not all(isinstance(code, str) and code.strip() for code in codes):
        raise ImagestrataError(
            f"{arg('languages')} must be one of Tesseract's codes or a list of them, not "
            f"{quote(languages)}.",
            'For instance "eng", or ["eng", "deu"].',
        )
    return tuple(dict.fromkeys(code.strip() for code in codes))
