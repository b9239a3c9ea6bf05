"""Parts of the package that need more than a plain install brings."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .errors import ImagestrataError
from .wording import install, quote


def require(module: str, extra: str, what: str) -> Any:
    """Import an optional module, or say how to get it.

    Parameters
    ----------
    module : str
        What is imported.
    extra : str
        The group of optional packages (an "extra" of pip) that brings it.
    what : str
        Who needs it, for people: "Descriptions", "The encoder 'text:...'".
    """
    try:
        return import_module(module)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != module.partition(".")[0]:
            detail = f" ({error})"  # it is there, but lacks something itself
        else:
            detail = ""
        raise ImagestrataError(
            f"{what} needs the Python package {quote(module)}, which is not installed{detail}.",
            f"Install it with {install(extra)}.",
            code="missing_package",
        ) from None
