"""Names that file systems and people give, and that programs stumble over."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Iterator

import numpy as np

#: The longest name of a file, in bytes, on most file systems.
LONGEST = 255

#: Whole texts that readers of tables take for something else: missing, a number, a date, a formula.
BARE = [
    "NA", "nan", "NaN", "None", "null", "NULL", "N/A", "#N/A", "<NA>", "-nan", "1.#IND", "inf",
    "TRUE", "False", "yes", "no", "T", "007", "1e5", "-1", "0x10", "1,5", "1.0", "2024-01-01",
    "1/2", "12:30", "+1", "=1+1", "@SUM(A1)", "-", "--", ".", "..", "~", "0", "''", "'=1", '"',
    "CON", "nul", "AUX.txt", "COM1", "LPT9.png", "constructor", "__proto__", "toString", "index",
    "Total", "all", "mean", "cluster", "residual", "-1.0", "1_000", "\u0661\u0662", "\u00bd",
]  # fmt: skip

#: What surrounds or divides a text.
_PIECES = [
    "\n", "\r\n", "\r", "\t", "\x0b", "\x0c", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u2029",
    "\u202e", "\u202a", "\u2066", "\u2069", "\u200e", "\u200b", "\u200d", "\ufeff", "\u00ad",
    "\ufffd", "-", "--out=", "-rf ", "=", "+", "@", "＝", "＠", "'", '"', "`", "$(id)", "`id`",
    "$HOME", "~", ";", "|", "&", "&&", ">", "<", "*", "?", "[", "]", "{", "}", "{{7*7}}",
    "${7*7}", "%", "%00", "%s%n", "%20", "#", "\\", "C:\\", "\\\\server\\", ",", ":", "!", " ",
    ".", "..", "\\u0000", "&amp;", "<script>alert(1)</script>", "</title>", "<!--", "]]>",
    '"><img src=x onerror=alert(1)>', "javascript:", "data:text/html,", "cmd|' /C calc'!A0",
    "'; DROP TABLE answer; --", "e\u0301", "\u00e9", "\ufb01", "\u212b", "A\u030a", "ß", "ẞ",
    "İ", "ı", "ſ", "Σ", "ς", "猫", "한", "\u1112\u1161\u11ab", "ﷺ", "مرحبا", "שלום", "ünï",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f3f3\ufe0f\u200d\U0001f308",
    "\U0001f1e9\U0001f1ea", "\U0001d518", "\U000e0041", "\U0010ffff", "\ufdd0", "\ue000",
    "a" + "\u0301" * 20, "नमस्ते", "ไทย",
]  # fmt: skip

_FORMS = ("NFC", "NFD", "NFKC", "NFKD")


def hostile_texts(n: int, seed: int = 0) -> list[str]:
    """``n`` different texts, the same for the same seed, without zero bytes and lone surrogates."""
    rng = np.random.default_rng([seed, 7])
    found: dict[str, None] = dict.fromkeys([*BARE, *(f"a{piece}b" for piece in _PIECES)])
    for number in itertools.count():
        if len(found) >= n:
            return list(found)[:n]
        found[_WAYS[number % len(_WAYS)](rng, number)] = None
    raise AssertionError


def _between(rng: np.random.Generator, number: int) -> str:
    pieces = [_PIECES[int(rng.integers(len(_PIECES)))] for _ in range(int(rng.integers(1, 4)))]
    pieces.insert(int(rng.integers(len(pieces) + 1)), str(number))
    return "".join(pieces)


def _any(rng: np.random.Generator, number: int) -> str:
    """Characters of all planes."""
    ends = [0x80, 0x800, 0xD800, 0x110000]
    letters = []
    for _ in range(int(rng.integers(1, 12))):
        code = int(rng.integers(1, ends[int(rng.integers(4))]))
        letters.append("\ufffd" if 0xD800 <= code < 0xE000 or code == 0x2F else chr(code))
    return "".join(letters) + str(number)


def _form(rng: np.random.Generator, number: int) -> str:
    """The same text in one of the normal forms."""
    text = f"é ﬁ Å ① ｶﾞ 한 ǅ {number // len(_FORMS) // len(_WAYS)}"
    return unicodedata.normalize(_FORMS[number // len(_WAYS) % len(_FORMS)], text)


def _bare(rng: np.random.Generator, number: int) -> str:
    """A text that means something else, with a little beside it."""
    text = BARE[int(rng.integers(len(BARE)))]
    return [f"{text} {number}", f"{number}{text}", f"{text}{number}"][number % 3]


def _long(rng: np.random.Generator, number: int) -> str:
    letter = ["x", "é", "猫", "😀", " x"][number % 5]
    return f"{number}{letter * int(rng.integers(60, 300))}"


_WAYS: list[Callable[[np.random.Generator, int], str]] = [
    _between, _between, _any, _between, _form, _between, _bare, _long
]  # fmt: skip


def hostile_names(n: int, seed: int = 0) -> list[bytes]:
    """``n`` different names that Linux takes for files."""
    found: dict[bytes, None] = {}
    for name in _names(n, seed):
        if len(found) == n:
            break
        found[name] = None
    return list(found)


def _names(n: int, seed: int) -> Iterator[bytes]:
    for number, text in enumerate(hostile_texts(2 * n, seed)):
        ending = ["", ".png", ".PNG", ".jpg", ". ", ".png.exe"][number % 6]
        plain = text.replace("/", "\u2215")
        while len((plain + ending).encode()) > LONGEST:
            plain = plain[:-1]
        if number % 50 == 49:
            plain = plain.ljust(LONGEST - len((plain + ending).encode()) + len(plain), "x")
        if not plain.startswith("."):  # files that are hidden are no images of a folder
            yield (plain + ending).encode()


def broken_names() -> list[bytes]:
    """Names whose bytes are no text in any encoding that can be stored."""
    return [b"caf\xe9%d.png" % i for i in range(3)] + [b"\xff\xfe%d.png" % i for i in range(3)]
