"""Store each answer of a model as soon as it arrives."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..files import make_folder, refuse_links, write_error


class Answers:
    """A file to which answers are appended, one line of JSON each.

    :class:`~imagestrata.files.Parts` would need a file per answer, and 20,000 files of one row are
    slow to read. A line that a killed process left incomplete is ignored.

    Parameters
    ----------
    path : Path or None
        The file, which is created with the first answer. It may also contain answers to other
        requests. With None, nothing is read and nothing can be added.
    request : str
        Fingerprint of all settings that affect an answer. Answers to other requests are ignored.
    fields : mapping of str to type
        The fields of an answer: str, int, or list (names, each with a number). A value of
        another type, and a number too large for a table, become missing; a lone surrogate
        becomes a question mark. So an odd answer never makes the other answers unreadable.

    Attributes
    ----------
    found : dict
        The fields of the answer for each id of an image.
    spent : float
        The cost of all answers, and of attempts without an answer that may be billed.
    """

    def __init__(self, path: Path | None, request: str, fields: Mapping[str, type]) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self.spent = 0.0
        self._path = path
        self._request = request
        self._fields = fields
        self._lock = threading.Lock()
        for line in [] if path is None else _lines(path):
            if line.get("request") == request:
                self._take(line)

    def add(self, image_id: str, answer: Mapping[str, Any]) -> None:
        """Store the answer for an image. It is on disk when this function returns."""
        self._write({"request": self._request, "image_id": image_id, **answer})

    def add_lost(self, cost: float) -> None:
        """Store the possible cost of an attempt without an answer."""
        self._write({"request": self._request, "image_id": None, "cost": cost})

    def _take(self, line: dict[str, Any]) -> None:
        cost = line.get("cost")
        if isinstance(cost, int | float) and 0 < cost < math.inf:
            self.spent += cost
        else:
            cost = None if cost is None else 0.0
        image_id = line.get("image_id")
        if isinstance(image_id, str):
            answer = {name: _plain(line.get(name), kind) for name, kind in self._fields.items()}
            self.found[image_id] = answer | {"cost": cost}

    def _write(self, line: dict[str, Any]) -> None:
        assert self._path is not None
        text = json.dumps(line, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        try:
            with self._lock:
                refuse_links(make_folder(self._path.parent))
                _append(self._path, text)
                self._take(line)
        except OSError as error:
            raise write_error(self._path, error) from None


def _plain(value: Any, kind: type) -> Any:
    """A value of an answer in a form that fits a table, or None."""
    if kind is str:
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None
    if kind is list:
        rows = [one for one in value or () if isinstance(one, list) and len(one) == 2]
        plain = [[_plain(name, str), _plain(number, float)] for name, number in rows]
        return [row for row in plain if None not in row]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return kind(value) if abs(value) < 2**53 else None


def _append(path: Path, text: bytes) -> None:
    """Add a line to a file, or leave the file as it was."""
    size = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab+") as file:
            if size and not _ends_with_newline(file):
                text = b"\n" + text
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            os.truncate(path, size)
        raise


def _ends_with_newline(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def _lines(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a file."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_bytes().split(b"\n"):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines
