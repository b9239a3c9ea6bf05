"""Errors and warnings for users, in the spelling of the language that they work in."""

from __future__ import annotations

import logging
import sys
import warnings
from types import FrameType
from typing import Any

from .wording import PYTHON, Language, render, tokens


class Worded(Exception):
    """A message with marks of :mod:`~imagestrata.wording`, and a hint on what to do now."""

    #: The kind of problem, for programs. It is the same in every release.
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
        """Names of the arguments and verbs in the message and the hint."""
        found = (token.name for token in tokens(self._message + self._hint) if token.name)
        return list(dict.fromkeys(found))

    @property
    def values(self) -> list[Any]:
        """Values that the message shows."""
        shown = ("value", "assignment")
        return [token.value for token in tokens(self._message) if token.is_a in shown]

    def words(self, language: Language) -> tuple[str, str]:
        """Message and hint in the spelling of a language."""
        return render(self._message, language), render(self._hint, language)

    def render(self, language: Language = PYTHON) -> str:
        """Message and hint as one text, in the spelling of a language."""
        return "\n".join(text for text in self.words(language) if text)

    def __str__(self) -> str:
        return self.render()

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self._message, self._hint, self.code)


class ImagestrataError(Worded, ValueError):
    """An error that the user can correct.

    Parameters
    ----------
    message : str
        What was expected and what was seen: the value, the file, the count.
    hint : str, optional
        What to do now.
    code : str, optional
        The kind of problem, for programs, such as "missing_weights".

    Attributes
    ----------
    message, hint : str
        The two texts in Python's spelling.
    code : str
    names : list of str
        Names of the arguments and verbs in the texts.
    values : list
        Values that the message shows.

    Notes
    -----
    Every error that this package raises on purpose has this class, so that the command line
    and R can show it without a traceback, each in its own spelling.
    """


class MissingWeightsError(ImagestrataError):
    """The weights of an encoder are not on this machine and cannot be downloaded."""

    code = "missing_weights"


class ImagestrataWarning(Worded, UserWarning):
    """A warning to the user."""


def warn(message: str, hint: str = "") -> None:
    """Warn in the spelling of the user's language, at the line that called this package.

    The logger ``"imagestrata"`` receives the warning as well.
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
    """A number with its noun, such as "2,000 images"; ``many`` is an irregular plural."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def first_line(error: object) -> str:
    """The first line of an error as text, or its class if it has no text."""
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__


def first_rows(table: Any, noun: str, n: int = 10) -> str:
    """The first rows of a table as text, followed by the number of rows if there are more."""
    text: str = table.head(n).to_string(index=False)
    return text if len(table) <= n else f"{text}\n({n} of {plural(len(table), noun)})"


def _again(kind: type[Worded], message: str, hint: str, code: str) -> Worded:
    return kind(message, hint, code=code)
