"""Identify the code of a user's own function or class, so that a changed one is noticed."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from typing import Any

from .run import fingerprint


def code_of(thing: Any) -> str | None:
    """Return a hash of the source of a function, or of the class of any other object.

    Comments and layout do not affect it. Neither do the values that the code uses, such as the
    weights of a network. It is None if Python does not know the source.
    """
    if isinstance(thing, functools.partial):
        own = code_of(thing.func)
        return None if own is None else fingerprint([own, repr(thing.args), repr(thing.keywords)])
    is_code = inspect.isroutine(thing) or inspect.isclass(thing)
    try:
        source = textwrap.dedent(inspect.getsource(thing if is_code else type(thing)))
    except (OSError, TypeError):
        return None
    try:
        source = ast.unparse(ast.parse(source))
    except SyntaxError:  # a lambda within a longer expression
        source = " ".join(source.split())
    return fingerprint(source)
