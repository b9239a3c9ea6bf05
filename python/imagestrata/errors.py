"""The errors and warnings that users meet, worded for the language they work in."""

from __future__ import annotations

import logging
import sys
import warnings
from types import FrameType
from typing import Any

from .wording import PYTHON, Language, render, tokens


class Worded(Exception):
    """A message with marks of :mod:`~imagestrata.wording`, and what to do now."""

    #: What sort of trouble this is, the same in every release: for programs.
    code = "invalid_input"

    def __init__(self, message: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(render(message))
        self._message = message
        self._hint = hint
        self.code = code or self.code

    @property
    def message(self) -> str:
        return render(self._message)

    @property
    def hint(self) -> str:
        return render(self._hint)

    @property
    def names(self) -> list[str]:
        """The arguments and verbs that the message and the hint name."""
        found = (token.name for token in tokens(self._message + self._hint) if token.name)
        return list(dict.fromkeys(found))

    @property
    def values(self) -> list[Any]:
        """The values that the message shows."""
        shown = ("value", "assignment")
        return [token.value for token in tokens(self._message) if token.is_a in shown]

    def words(self, language: Language) -> tuple[str, str]:
        """Message and hint as a language words them."""
        return render(self._message, language), render(self._hint, language)

    def render(self, language: Language = PYTHON) -> str:
        """The whole text as a language words it."""
        return "\n".join(text for text in self.words(language) if text)

    def __str__(self) -> str:
        return self.render()

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self._message, self._hint, self.code)


class ImagestrataError(Worded, ValueError):
    """Something the user can mend.

    Parameters
    ----------
    message : str
        What was expected and what was seen: the value, the file, the count.
    hint : str, optional
        What to do now.
    code : str, optional
        What sort of trouble it is, for programs: "missing_weights", "already_there".

    Attributes
    ----------
    message, hint : str
        The texts in Python's words.
    code : str
    names : list of str
        The arguments and verbs that the texts name.
    values : list
        The values that the message shows.

    Notes
    -----
    Every error raised on purpose by this package is of this class, so that the
    command line and R can show it without a traceback, each in its own words.
    """


class MissingWeightsError(ImagestrataError):
    """An encoder was asked for whose weights are neither on this machine nor to be had."""

    code = "missing_weights"


class ImagestrataWarning(Worded, UserWarning):
    """Something the user should know."""


def warn(message: str, hint: str = "", *, stacklevel: int = 0) -> None:
    """Warn in the words of the user's language, at the line that called this package.

    The logger ``"imagestrata"`` hears of it as well.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_ours(frame):
        frame, level = frame.f_back, level + 1
    warning = ImagestrataWarning(message, hint)
    logging.getLogger("imagestrata").warning("%s", warning)
    warnings.warn(warning, stacklevel=level)


def _is_ours(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] in ("imagestrata", "contextlib", "functools")


def plural(n: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 image", "2,000 images"; ``many`` where an "s" does not make it."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def first_rows(table: Any, noun: str, n: int = 10) -> str:
    """The first rows of a table as text, which says so where there are more."""
    text: str = table.head(n).to_string(index=False)
    return text if len(table) <= n else f"{text}\n({n} of {plural(len(table), noun)})"


def _again(kind: type[Worded], message: str, hint: str, code: str) -> Worded:
    return kind(message, hint, code=code)
