"""The one error type that users meet."""

from __future__ import annotations


class ImagestrataError(ValueError):
    """Something the user can mend.

    Parameters
    ----------
    message : str
        What was expected and what was seen: the value, the file, the count.
    hint : str, optional
        What to do now.

    Notes
    -----
    Every error raised on purpose by this package is of this class, so that the
    command line and R can show it without a traceback.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.message, self.hint)


class MissingWeightsError(ImagestrataError):
    """An encoder was asked for whose weights are neither on this machine nor to be had."""


def plural(n: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 image", "2,000 images"; ``many`` where an "s" does not make it."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
