"""Check the arguments of public functions before they compute anything.

Each check returns the value in its plain type, or raises an
:class:`~imagestrata.errors.ImagestrataError` with the argument, the expected values and the value
that was given.
"""

from __future__ import annotations

import errno
import math
import numbers
import os
import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

from .errors import ImagestrataError, plural
from .wording import arg, kind_of, quote


def check_int(
    name: str, value: Any, *, minimum: int | None = None, maximum: int | None = None
) -> int:
    """Check for a whole number within bounds; 5.0 is valid, since R sends such numbers."""
    whole = isinstance(value, numbers.Integral) or (
        isinstance(value, numbers.Real) and float(value).is_integer()
    )
    if isinstance(value, bool) or not whole:
        raise ImagestrataError(f"{arg(name)} must be a whole number, not {quote(value)}.")
    return int(_bounded(name, int(value), minimum, maximum))


def check_float(
    name: str, value: Any, *, minimum: float | None = None, maximum: float | None = None
) -> float:
    """Check for a finite number within bounds."""
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not math.isfinite(float(value))
    ):
        raise ImagestrataError(f"{arg(name)} must be a finite number, not {quote(value)}.")
    return float(_bounded(name, float(value), minimum, maximum))


def check_bool(name: str, value: Any) -> bool:
    """Check for True or False; other types are refused."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise ImagestrataError(
            f"{arg(name)} must be {quote(True)} or {quote(False)}, not {quote(value)}."
        )
    return bool(value)


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Check for one of several words."""
    allowed = list(choices)
    if not isinstance(value, str) or value not in allowed:
        raise ImagestrataError(
            f"{arg(name)} must be one of {', '.join(map(quote, allowed))}, not {quote(value)}.",
            did_you_mean(value, allowed),
        )
    return value


#: The treatments of images that belong to no cluster, in every verb that offers a choice.
RESIDUALS = {
    "together": "they are one group",
    "alone": "each is a cluster of its own",
    "drop": "they are left out",
}


def check_residual(value: Any, *allowed: str) -> str:
    """Check the treatment of the residual: one of the words that a verb allows."""
    if not isinstance(value, str) or value not in allowed:
        taken = " or ".join(map(quote, allowed))
        meanings = (f"{quote(word)}, {RESIDUALS[word]}" for word in allowed)
        raise ImagestrataError(
            f"{arg('residual')} must be {taken}, not {quote(value)}.",
            f"Images in no cluster: {'; '.join(meanings)}.",
        )
    return value


def check_conf_level(value: Any) -> float:
    """Check the confidence level of intervals."""
    level = check_float("conf_level", value)
    if not 0 < level < 1:
        raise ImagestrataError(
            f"{arg('conf_level')} must be between 0 and 1, not {level}.",
            "For 95% intervals, give 0.95.",
        )
    return level


def check_seed(value: Any) -> int:
    """Check for a seed that every random generator in use accepts."""
    return check_int("seed", value, minimum=0, maximum=2**32 - 1)


def check_scale(value: Any) -> tuple[float, float]:
    """Check the lowest and the highest possible rating."""
    ends = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []
    if len(ends) != 2:
        raise ImagestrataError(
            f"{arg('scale')} must be the lowest and the highest rating, not {quote(value)}.",
            f"The default is {arg('scale', (0, 10))}.",
        )
    low, high = (check_float("scale", end) for end in ends)
    if low >= high:
        raise ImagestrataError(
            f"The first number of {arg('scale')} must be the lower one; got {low:g} and {high:g}."
        )
    return low, high


def check_idle(because: str, **given: tuple[Any, Any]) -> None:
    """Refuse arguments that differ from their defaults although they have no effect.

    ``given`` contains the value and the default of each argument.
    """
    idle = [arg(name, value) for name, (value, default) in given.items() if value != default]
    if idle:
        has = "has" if len(idle) == 1 else "have"
        raise ImagestrataError(
            f"{' and '.join(idle)} {has} no effect {because}.",
            "Leave it out." if len(idle) == 1 else "Leave them out.",
        )


def check_path(name: str, value: Any) -> Path:
    """Check a path, which need not exist, and expand ``~``."""
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise ImagestrataError(f"{arg(name)} must be a path, not {quote(value)}.")
    path = expand_home(value)
    _check_place(path)
    try:
        path.lstat()
    except FileNotFoundError:
        return Path(as_stored(str(path)))
    except ValueError as error:
        raise _no_name(name, value, str(error)) from None
    except OSError as error:  # other checks report files that are missing or unreadable
        if error.errno == errno.ENAMETOOLONG:
            raise _no_name(name, value, str(error.strerror)) from None
    return path


def _check_place(path: Path) -> None:
    """Refuse a relative path if the working folder has been removed, as batch jobs may do."""
    try:
        if not path.is_absolute():
            Path.cwd()
    except FileNotFoundError:
        raise ImagestrataError(
            f"The working folder no longer exists, and {quote(path)} is not a full path.",
            "Change to a folder that exists, or give the full path.",
        ) from None


def expand_home(path: str | os.PathLike[str]) -> Path:
    """Replace ``~`` by the home folder, if there is one.

    Path.expanduser() raises an error for a folder with the name "~$old", and for every ``~`` if the
    user has neither a home folder nor a name (in containers and batch jobs).
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111


def as_stored(path: str) -> str:
    """The path with its accents composed or decomposed, as the file system stores them.

    In archives from a Mac, accents are separate characters; in a list typed by hand they are not.
    """
    if path.isascii() or os.path.lexists(path):
        return path
    found = ""
    for part in PurePath(path).parts:
        forms = [part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD"))]
        tried = [os.path.join(found, form) for form in forms]  # noqa: PTH118
        found = next(filter(os.path.lexists, tried), tried[0])
    return found


def _no_name(name: str, value: Any, reason: str) -> ImagestrataError:
    return ImagestrataError(
        f"{arg(name)} is not a valid path on this system ({reason}): {quote(str(value))}."
    )


def check_text(name: str, value: Any) -> str | None:
    """Check for a text, or None."""
    if value is not None and not isinstance(value, str):
        raise ImagestrataError(f"{arg(name)} must be a text, not {kind_of(value)}.")
    return value


def check_folder(name: str, value: Any) -> Path:
    """Check for an existing, readable folder, and expand ``~``."""
    path = check_path(name, value)
    try:
        with os.scandir(path):
            return path
    except FileNotFoundError:
        message = f"The folder {quote(path)} does not exist (working folder: {quote(Path.cwd())})."
        raise ImagestrataError(message, "Check the spelling, or give the full path.") from None
    except NotADirectoryError:
        message = f"{quote(path)} is a file, and {arg(name)} must be a folder."
        raise ImagestrataError(message, "Give the folder of the file.") from None
    except PermissionError:
        message = f"No permission to read the folder {quote(path)}."
        raise ImagestrataError(message, "Ask its owner for read access.") from None


def did_you_mean(given: Any, known: Iterable[str]) -> str:
    """Suggest the most similar name, as a question; empty if no name is similar."""
    near = get_close_matches(str(given), list(known), 1)
    return f"Did you mean {quote(near[0])}?" if near else ""


def check_address(name: str, value: Any, example: str) -> str:
    """Check for a web address without a key, since addresses are stored and displayed."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
        # urlsplit() ignores line breaks, which would end the first line of a request.
        valid = parts.scheme in ("http", "https") and re.fullmatch(r"[!-~]+", value) is not None
        valid = valid and bool(parts.hostname) and "\\" not in value
        valid = valid and (parts.port is None or parts.port > 0)
    except ValueError:  # the port is not a number, or a bracket is not closed
        valid = False
    if not valid:
        shown = value if "@" not in str(value) else "an address with a user or a password"
        raise ImagestrataError(
            f"{arg(name)} must be an address such as {quote(example)}, not {quote(shown)}."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ImagestrataError(
            f"{arg(name)} must be an address without a user or password before the host "
            f"({quote(parts.hostname)}), and without a question mark or a number sign.",
            "Addresses are stored with the results and displayed: give keys separately.",
        )
    return str(value)


def check_unmasked(name: str, value: Any) -> None:
    """Refuse a NumPy array with masked values, since most functions use the numbers below."""
    masked = type(value).__module__.startswith("numpy.ma") and value.size - value.count()
    if masked:
        raise ImagestrataError(
            f"{arg(name)} has {plural(int(masked), 'masked value')}.",
            "Leave those rows out, or fill them in.",
        )


def columns_of(given: Any) -> str:
    """Describe a value for a message that expected a table with certain columns."""
    if hasattr(given, "columns"):
        return f"it has {', '.join(map(str, given.columns))}"
    return f"got {kind_of(given)}"


def _bounded(name: str, value: Any, minimum: Any, maximum: Any) -> Any:
    low = minimum is not None and value < minimum
    high = maximum is not None and value > maximum
    if low or high:
        if minimum is not None and maximum is not None:
            wanted = f"between {minimum} and {maximum}"
        else:
            wanted = f"at least {minimum}" if low else f"at most {maximum}"
        raise ImagestrataError(f"{arg(name)} must be {wanted}, not {quote(value)}.")
    return value
