"""Write names and values in messages as the user's language writes them.

A message of the core is an f-string in which :func:`arg`, :func:`verb` and :func:`quote` represent
the parts that each language writes differently::

    ImagestrataError(
        f"{quote(folder)} already holds a sample.",
        f"Choose another {arg('out')}, or use {arg('overwrite', True)}.",
    )

==========================  =====================  =====================  ====================
written                     in Python              in R                   on the command line
==========================  =====================  =====================  ====================
``arg("out")``              ```out```              ```out```              ``--out``
``arg("overwrite", True)``  ``overwrite=True``     ``overwrite = TRUE``   ``--overwrite``
``verb("sample_images")``   ``sample_images()``    ``sample_images()``    `imagestrata sample`
``quote(None)``             ``None``               ``NULL``               ``nothing``
``quote(["a", "b"])``       ``['a', 'b']``         ``c("a", "b")``        ``a b``
``kind_of(table)``          ``a DataFrame``        ``a data frame``       ``a table``
``foreign("pip list")``     ```pip list```         ```pip list```         ```pip list```
``SAME_CALL``               the same call          the same call          the same command
==========================  =====================  =====================  ====================

Each function returns a mark, which :func:`render` replaces. The :class:`Language` of R is in
``bridge``, and that of the command line in ``cli``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_MARK = re.compile("\ue000([^\ue000\ue001]*)\ue001")
#: The most items of a list and the most characters of a text that a message shows.
_MOST_ITEMS, _MOST_CHARACTERS = 12, 200
_NOTHING: Any = object()


class Name(str):
    """A placeholder for a value, written without quotes: ``arg("out", Name("folder"))``."""

    __slots__ = ()


class TypeName(str):
    """The type of a value that a message cannot show."""

    __slots__ = ()


class Token(NamedTuple):
    """The content of a mark."""

    #: "argument", "assignment", "verb", "value", "kind", ...: one word per function below.
    is_a: str
    #: The name of the argument or verb, or the code itself.
    name: str
    #: The value of an assignment or value; for a verb its arguments, as (name or "", value).
    value: Any


class Language:
    """The spelling of names and values in Python; subclasses define other languages."""

    def argument(self, name: str) -> str:
        return f"`{name}`"

    def assignment(self, name: str, value: Any) -> str:
        return f"{name}={self.value(value)}"

    def call(self, name: str, arguments: list[tuple[str, Any]]) -> str:
        given = [
            self.assignment(name, value) if name else self.value(value) for name, value in arguments
        ]
        return f"{name}({', '.join(given)})"

    def value(self, value: Any) -> str:
        if isinstance(value, TypeName):
            return self.type_name(value)
        if isinstance(value, Name):
            return str(value)
        if isinstance(value, str):
            return json.dumps(shortened(value), ensure_ascii=False)
        if isinstance(value, list | tuple):
            inside = ", ".join(map(self.value, value))
            one = "," if len(value) == 1 else ""
            return f"({inside}{one})" if isinstance(value, tuple) else f"[{inside}]"
        if isinstance(value, dict):
            pairs = (f"{self.value(key)}: {self.value(item)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        return repr(value)

    def quoted(self, value: Any) -> str:
        """A value in running text, with text in single quotes, as in Python's own errors."""
        return repr(shortened(value)) if type(value) is str else self.value(value)

    def type_name(self, name: str) -> str:
        if name == "NoneType":
            return "None"
        return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"

    def setting(self, name: str, value: Any) -> str:
        return self.assignment(name, value)

    def code(self, text: str) -> str:
        return f"`{text}`"

    def same_call(self) -> str:
        return "the same call"

    def install(self, extra: str) -> str:
        return self.code(f"pip install 'imagestrata[{extra}]'")

    def read_sheet(self, path: str) -> str:
        return (
            f", or read it with {self.call('pandas.read_excel', [('', path)])} and give the table"
        )


PYTHON = Language()


def arg(name: str, value: Any = _NOTHING) -> str:
    """Refer to an argument by its name, or with the value that it should have."""
    if value is _NOTHING:
        return _mark("argument", name)
    return _mark("assignment", name, value)


def verb(name: str, *values: Any, **arguments: Any) -> str:
    """Refer to a call of a function or class by its public name."""
    return _mark("verb", name, [("", one) for one in values] + list(arguments.items()))


def setting(name: str, value: Any) -> str:
    """Refer to a setting of an earlier result, which need not be an argument of this verb."""
    return _mark("setting", name, value)


def quote(x: Any) -> str:
    """Show a value that was given, or should be given."""
    return _mark("value", "", x)


def kind_of(x: Any) -> str:
    """Name the type of a value, with its article: "a list", "a data frame"."""
    return _mark("kind", type(x).__name__)


def foreign(text: str) -> str:
    """Show a command or call of another program, which is the same in all languages."""
    return _mark("code", text)


def install(extra: str) -> str:
    """Show how to install a group of optional packages."""
    return _mark("install", extra)


def read_sheet(path: Any) -> str:
    """Show how a language reads the file of a spreadsheet program: ", or read it with ..."."""
    return _mark("read sheet", "", path)


def shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "..."


def render(text: str, language: Language = PYTHON) -> str:
    """The text with each mark replaced by the spelling of a language."""
    return _MARK.sub(lambda mark: _worded(mark, language), text)


def tokens(text: str) -> list[Token]:
    """The contents of the marks of a text, in order."""
    return [token for mark in _MARK.finditer(text) if (token := _read(mark)) is not None]


def _mark(is_a: str, name: str, x: Any = None) -> str:
    return f"\ue000{json.dumps([is_a, name, _pack(x)])}\ue001"


def _read(mark: re.Match[str]) -> Token | None:
    """The content of a mark; None if a user's own text only looks like a mark."""
    try:
        is_a, name, packed = json.loads(mark[1])
        return Token(is_a, name, _unpack(packed))
    except (ValueError, TypeError, KeyError):
        return None


def _worded(mark: re.Match[str], language: Language) -> str:
    token = _read(mark)
    if token is None or token.is_a not in _SPELLINGS:
        return mark[1]
    method, parts = _SPELLINGS[token.is_a]
    written: str = getattr(language, method)(*(getattr(token, part) for part in parts))
    return written


#: The method of a language that writes each kind of mark, and the parts of the mark that it takes.
_SPELLINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "argument": ("argument", ("name",)),
    "assignment": ("assignment", ("name", "value")),
    "verb": ("call", ("name", "value")),
    "value": ("quoted", ("value",)),
    "setting": ("setting", ("name", "value")),
    "same call": ("same_call", ()),
    "install": ("install", ("name",)),
    "read sheet": ("read_sheet", ("value",)),
    "kind": ("type_name", ("name",)),
    "code": ("code", ("name",)),
}


def _pack(x: Any) -> Any:
    """A value as JSON; a type that JSON lacks becomes an object with one key."""
    if hasattr(x, "item") and getattr(x, "ndim", None) == 0:
        x = x.item()  # a number of NumPy
    if x is Ellipsis:
        return {"name": "..."}
    if isinstance(x, Name):
        return {"name": str(x)}
    if x is None or isinstance(x, bool | int | float | str):
        return x
    if isinstance(x, os.PathLike):
        return os.fspath(x)
    if isinstance(x, Mapping):
        return {"dict": [[_pack(key), _pack(item)] for key, item in list(x.items())[:_MOST_ITEMS]]}
    if isinstance(x, list | tuple | set | frozenset | range):
        items = [_pack(item) for item in list(x)[:_MOST_ITEMS]]
        items += [{"name": "..."}] if len(x) > _MOST_ITEMS else []
        return {"tuple": items} if isinstance(x, tuple) else items
    return {"kind": type(x).__name__}


def _unpack(packed: Any) -> Any:
    if isinstance(packed, list):
        return [_unpack(item) for item in packed]
    if isinstance(packed, dict):
        ((key, inside),) = packed.items()
        match key:
            case "name":
                return Name(inside)
            case "kind":
                return TypeName(inside)
            case "tuple":
                return tuple(map(_unpack, inside))
            case "dict":
                return {_unpack(one): _unpack(item) for one, item in inside}
    return packed


#: The call that failed, for hints: "Run {SAME_CALL} again".
SAME_CALL = _mark("same call", "")
