"""Import packages that a plain install does not include."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .errors import ImagestrataError
from .wording import install, quote


def require(module: str, extra: str, what: str, otherwise: str = "") -> Any:
    """Import an optional module, or raise an error that says how to install it.

    Parameters
    ----------
    module : str
        Name of the module.
    extra : str
        The group of optional packages (an "extra" of pip) that contains it.
    what : str
        What needs the module, for the message, such as "The encoder 'text:...'".
    otherwise : str, optional
        What else the user can do.
    """
    try:
        return import_module(module)
    except ImportError as error:
        own = error.name is None or error.name.partition(".")[0] == module.partition(".")[0]
        detail = "" if own else f" ({error})"  # the module is installed, but lacks another one
        raise ImagestrataError(
            f"{what} needs the Python package {quote(module)}, which is not installed{detail}.",
            f"Install it with {install(extra)}. {otherwise}".rstrip(),
            code="missing_package",
        ) from None
