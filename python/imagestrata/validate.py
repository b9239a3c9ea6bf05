"""Checks of arguments, called by public functions before they compute anything.

Each check returns the value in its plain type, or raises an
:class:`~imagestrata.errors.ImagestrataError` that names the argument, what was
expected and what was seen.
"""

from __future__ import annotations

import errno
import math
import numbers
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import ImagestrataError


def check_int(
    name: str, value: Any, *, minimum: int | None = None, maximum: int | None = None
) -> int:
    """A whole number within bounds; 5.0 counts as one, since R sends it so."""
    whole = isinstance(value, numbers.Integral) or (
        isinstance(value, numbers.Real) and float(value).is_integer()
    )
    if isinstance(value, bool) or not whole:
        raise ImagestrataError(f"`{name}` must be a whole number, not {value!r}.")
    return int(_bounded(name, int(value), minimum, maximum))


def check_float(
    name: str, value: Any, *, minimum: float | None = None, maximum: float | None = None
) -> float:
    """A finite number within bounds."""
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not math.isfinite(float(value))
    ):
        raise ImagestrataError(f"`{name}` must be a finite number, not {value!r}.")
    return float(_bounded(name, float(value), minimum, maximum))


def check_bool(name: str, value: Any) -> bool:
    """True or False, and nothing that merely behaves like it."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise ImagestrataError(f"`{name}` must be True or False, not {value!r}.")
    return bool(value)


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """One of a few words."""
    allowed = list(choices)
    if not isinstance(value, str) or value not in allowed:
        words = ", ".join(f'"{choice}"' for choice in allowed)
        raise ImagestrataError(f"`{name}` must be one of {words}; got {value!r}.")
    return value


def check_seed(value: Any) -> int:
    """A seed that every random generator in use accepts."""
    return check_int("seed", value, minimum=0, maximum=2**32 - 1)


def check_path(name: str, value: Any) -> Path:
    """A path, existing or not; ``~`` is expanded."""
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise ImagestrataError(f"`{name}` must be a path to a folder, not {value!r}.")
    # Not Path.expanduser(), which raises for a folder called "~$old".
    path = Path(os.path.expanduser(value))  # noqa: PTH111
    try:
        path.lstat()
    except ValueError as error:
        raise _no_name(name, value, str(error)) from None
    except OSError as error:  # that there is no such file, or none to be read, is for others
        if error.errno == errno.ENAMETOOLONG:
            raise _no_name(name, value, str(error.strerror)) from None
    return path


def _no_name(name: str, value: Any, reason: str) -> ImagestrataError:
    return ImagestrataError(f"`{name}` can be no path on this system ({reason}): {str(value)!r}.")


def check_folder(name: str, value: Any) -> Path:
    """An existing, readable folder; ``~`` is expanded."""
    path = check_path(name, value)
    try:
        with os.scandir(path):
            return path
    except FileNotFoundError:
        message = f"There is no folder {str(path)!r} (looked in {str(Path.cwd())!r})."
        raise ImagestrataError(message, "Check the spelling, or give the full path.") from None
    except NotADirectoryError:
        raise ImagestrataError(f"{str(path)!r} is a file; `{name}` must be a folder.") from None
    except PermissionError:
        message = f"No permission to read the folder {str(path)!r}."
        raise ImagestrataError(message, "Ask its owner for read access.") from None


def columns_of(given: Any) -> str:
    """What is there, in words, where a table with certain columns was expected."""
    if hasattr(given, "columns"):
        return f"it has {', '.join(map(str, given.columns))}"
    return f"got {type(given).__name__}"


def _bounded(name: str, value: Any, minimum: Any, maximum: Any) -> Any:
    low = minimum is not None and value < minimum
    high = maximum is not None and value > maximum
    if low or high:
        if minimum is not None and maximum is not None:
            wanted = f"between {minimum} and {maximum}"
        else:
            wanted = f"at least {minimum}" if low else f"at most {maximum}"
        raise ImagestrataError(f"`{name}` must be {wanted}, not {value}.")
    return value
