"""Write files atomically, and store long work in parts that check themselves.

Long work stores its results in *parts*, one Parquet file per block of rows. The name of a part
contains a hash of its bytes, so that a damaged part is detected and computed again. There is no
list of parts that could be damaged itself.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .errors import ImagestrataError, first_line
from .validate import check_path
from .wording import SAME_CALL, arg, quote

#: The name that :func:`atomic` gives to a file until it is complete.
_HALF_WRITTEN = re.compile(r"\.(.+)\.\d+\.tmp", re.DOTALL)

#: Places where a spreadsheet program would run a formula: the beginning of a text, and any place
#: behind a character that it may take for the end of a cell (with semicolons as separators, quotes
#: around a text do not protect it). Quotes may precede a formula; full-width signs are signs, too.
_FORMULA = re.compile(r"^(?=['\"]*[=+\-@\t\r\n＝＋－＠])|(?<=[;|\t\r\n])(?=['\"]*[=+\-@＝＋－＠])")
#: The quote that guards such a place. Removing one quote always restores the original text.
_GUARD = re.compile(r"^'(?=['\"]*[=+\-@\t\r\n＝＋－＠])|(?<=[;|\t\r\n])'(?=['\"]*[=+\-@＝＋－＠])")
#: Numbered parts that stand in one folder.
PARTS_PER_FOLDER = 10_000

#: Names that are devices on Windows, whatever their ending.
_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{i}" for port in ("com", "lpt") for i in range(10)),
}

#: Seconds between attempts to rename a file that another program has open.
_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)
#: Windows' errors for a file that is open, or mapped into memory, elsewhere.
_HELD = (32, 33, 1224)
#: Windows' errors for a path of more characters than it allows, which is then not found.
_TOO_LONG, _MOST_CHARACTERS = (2, 3, 206), 247

_NUMBERED = re.compile(r"part-(\d{5,})")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def check_portable(names: Iterable[str]) -> None:
    """Refuse names of files that some systems do not have, or take for the same file.

    Windows and macOS ignore capitals, and macOS ignores how accents are written.
    """
    seen: dict[str, str] = {}
    for name in names:
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded.rpartition("/")[2].partition(".")[0] in _DEVICES:
            raise ImagestrataError(
                f"{quote(name)} cannot be a file on Windows, where it is the name of a device.",
                "Use another id.",
            )
        other = seen.setdefault(folded, name)
        if other != name:
            raise ImagestrataError(
                f"{quote(other)} and {quote(name)} are one file on systems that ignore capitals.",
                "Use ids that differ in more than capitals.",
            )


def make_folder(path: str | os.PathLike[str], name: str = "out") -> Path:
    """Create a folder and its parents, or raise an error if it cannot be written."""
    folder = check_path(name, path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        raise ImagestrataError(
            f"{arg(name)} must be a folder, but {quote(folder)} (or a folder above it) is a file.",
            "Choose another name.",
        ) from None
    except OSError as error:
        raise write_error(folder, error) from None
    return folder


def refuse_links(folder: Path) -> None:
    """Raise an error if a folder contains a link, through which we would write elsewhere.

    A folder from somebody else may contain links to files of the user who received it. The folder
    itself may be a link, since its user has chosen it.
    """
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            if path.is_symlink():
                raise ImagestrataError(
                    f"{quote(path)} is a link (to {quote(path.readlink())}). A folder of results "
                    "must not contain links, so that nothing elsewhere is overwritten or removed.",
                    "Replace the link by the files themselves, or remove it.",
                )


def ensure_folder(folder: Path) -> None:
    """Create a folder inside a folder that :func:`make_folder` returned, if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from None


@contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary file beside ``path``, which is renamed to ``path`` if no error occurs.

    Without ``durable``, the disk may write it later: it may be incomplete after a power cut.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # A killed process may have left the file; or it is a link to a file elsewhere.
        temporary.unlink(missing_ok=True)
        yield temporary
        if durable:
            with temporary.open("r+b") as file:  # Windows refuses it for files that are only read
                os.fsync(file.fileno())
        rename(temporary, path)
    except OSError as error:
        raise write_error(path, error) from None
    finally:
        with contextlib.suppress(OSError):  # what is left is removed by the next call
            temporary.unlink(missing_ok=True)


def rename(path: Path, target: Path) -> None:
    """Give a file or folder another name, in place of a file of that name.

    Windows refuses while a program has either open, as virus scanners have new files for a moment.
    """
    for wait in _WAITS:
        try:
            path.replace(target)
        except PermissionError as error:
            if not _is_held(path, error):
                raise
            time.sleep(wait)
        else:
            return
    path.replace(target)


def is_half_written(path: Path) -> bool:
    """Whether the file is incomplete because its process was killed."""
    return _HALF_WRITTEN.fullmatch(path.name) is not None


def remove_half_written(folder: Path, name: str = "") -> None:
    """Remove incomplete files that killed processes left.

    Parameters
    ----------
    folder : Path
        The folder to search: with all folders in it, or without them if a name is given.
    name : str, optional
        The final name of the one file to look for.
    """
    for place, folders, names in os.walk(folder):
        for found in names:
            begun = _HALF_WRITTEN.fullmatch(found)
            if begun is not None and name in ("", begun[1]):
                with contextlib.suppress(OSError):
                    Path(place, found).unlink()
        if name:
            folders.clear()


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file completely or not at all, see :func:`atomic`."""
    with atomic(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file completely or not at all, with plain newlines on every system."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write readable JSON: indented, with the keys in the given order."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that this package wrote."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(content, ensure_ascii=False).encode()  # lone surrogates cannot be written
    except (ValueError, RecursionError) as error:
        raise damaged(path, error) from None
    if not isinstance(content, dict):
        raise damaged(path, f"it contains a {type(content).__name__}, not an object")
    return content


def write_table(path: Path, table: pd.DataFrame | pa.Table, *, exact: bool = False) -> None:
    """Write a table as Parquet, or as CSV if the name ends in ``.csv``.

    Spreadsheet programs run text that looks like a formula at the beginning of a cell, or of what
    they take for a cell. In CSV files, such text gets a quote before it, which :func:`unguarded`
    removes.

    Parameters
    ----------
    path : Path
    table : DataFrame or Table
    exact : bool, default False
        Write text unchanged, for files that another program reads and no spreadsheet program.
    """
    # Some tables are written after their step is finished and has released its lock.
    remove_half_written(path.parent, path.name)
    if path.suffix == ".csv":
        frame = table.to_pandas() if isinstance(table, pa.Table) else table
        frame = frame if exact else _guarded(frame)
        # Only with this ending does Python's csv quote a lone carriage return.
        ending = "\r\n" if _has(frame, "\r") else "\n"
        write_text(path, frame.to_csv(index=False, lineterminator=ending))
    else:
        write_bytes(path, _parquet(table))


def unguarded(table: pd.DataFrame) -> pd.DataFrame:
    """The table of a CSV file without the quotes that :func:`write_table` added."""
    return _in_texts(table, bare)


def bare(value: Any) -> Any:
    """A cell or the name of a column without the added quote."""
    return _GUARD.sub("", value) if isinstance(value, str) else value


class Parts:
    """Blocks of rows that are stored in a folder as work proceeds, each completely or not at all.

    Numbered blocks (:func:`part_name`) beyond :data:`PARTS_PER_FOLDER` are in subfolders, since
    file systems and people are slow in folders of many files.

    Parameters
    ----------
    folder : Path
        The folder of the parts, which is created with the first part.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, list[Path]] | None = None
        self._free = 0

    def list_once(self) -> None:
        """List the folder only once, which is faster if thousands of parts will be read.

        No other process may write into the folder afterwards.
        """
        self._seen, self._free = {}, 0
        paths = [
            *self.folder.glob("*.*.parquet"),
            *self.folder.glob("[0-9][0-9][0-9]*/*.*.parquet"),
        ]
        for path in sorted(paths):
            self._seen.setdefault(path.name.rsplit(".", 2)[0], []).append(path)

    def numbered(self) -> list[str]:
        """List the folder once, and return the names of all numbered blocks, in order."""
        self.list_once()
        numbers = {name: _number(name) for name in self._seen or {}}
        found = [(number, name) for name, number in numbers.items() if number is not None]
        return [name for _, name in sorted(found)]

    def append(self, table: pd.DataFrame | pa.Table) -> str:
        """Store a block under the first free number, and return its name."""
        if self._seen is None:
            self.list_once()
        while part_name(self._free) in (self._seen or {}):
            self._free += 1
        key = part_name(self._free)
        self.write(key, table)
        return key

    def write(self, key: str, table: pd.DataFrame | pa.Table) -> Path:
        """Store the block ``key``, which replaces any older block of that key."""
        place = self._place(key)
        ensure_folder(place)
        data = _parquet(table)
        path = place / f"{key}.{_digest(data)}.parquet"
        write_bytes(path, data)
        for old in self._paths(key):
            if old != path:
                old.unlink(missing_ok=True)
        if self._seen is not None:
            self._seen[key] = [path]
        return path

    def read(self, key: str) -> pa.Table | None:
        """The block ``key``; None if it is missing or damaged. A damaged block is removed.

        If :meth:`write` was killed before it removed the older block, the newer one is read and
        the older one removed.
        """
        paths = self._paths(key)
        if len(paths) > 1:
            paths = sorted(filter(Path.exists, paths), key=_time_of_change, reverse=True)
        found = None
        for path in paths:
            try:
                data = path.read_bytes() if found is None else b""
            except FileNotFoundError:  # removed since the folder was listed
                continue
            if found is None and path.name == f"{key}.{_digest(data)}.parquet":
                found = pq.read_table(pa.BufferReader(data))
                continue
            with contextlib.suppress(PermissionError):  # without write permission it remains
                path.unlink(missing_ok=True)
        if found is None and self._seen is not None:
            self._seen.pop(key, None)
        return found

    def remove(self, key: str) -> None:
        """Remove the block ``key``."""
        for path in self._paths(key):
            path.unlink(missing_ok=True)
        if self._seen is not None:
            self._seen.pop(key, None)

    def _paths(self, key: str) -> list[Path]:
        if self._seen is None:
            return sorted(self._place(key).glob(f"{key}.*.parquet"))
        return self._seen.get(key, [])

    def _place(self, key: str) -> Path:
        """The folder of a block."""
        thousands = (_number(key) or 0) // PARTS_PER_FOLDER
        return self.folder / f"{thousands:03d}" if thousands else self.folder

    def load(self, key: str, make: Callable[[], pd.DataFrame | pa.Table]) -> pa.Table:
        """The block ``key``, which is computed and stored first if it is missing or damaged."""
        table = self.read(key)
        if table is None:
            made = make()
            self.write(key, made)
            table = made if isinstance(made, pa.Table) else _table(made)
        return table


def part_name(number: int) -> str:
    """The name under which a numbered block is stored."""
    return f"part-{number:05d}"


def _number(name: str) -> int | None:
    found = _NUMBERED.fullmatch(name)
    return None if found is None else int(found[1])


def _time_of_change(path: Path) -> int:
    return path.stat().st_mtime_ns


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of_files(paths: Iterable[Path]) -> str:
    """SHA-256 of the hashes of several files, in the given order."""
    return hashlib.sha256("".join(map(file_hash, paths)).encode()).hexdigest()


def _guarded(table: pd.DataFrame) -> pd.DataFrame:
    def safe(value: Any) -> Any:
        if not isinstance(value, str) or _NUMBER.fullmatch(value):
            return value
        return _FORMULA.sub("'", value)

    return _in_texts(table, safe)


def _in_texts(table: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    """The table with a function applied to all texts, including the names of columns."""
    changed = {
        change(name): column if pd.api.types.is_numeric_dtype(column) else column.map(change)
        for name, column in table.items()
    }
    return pd.DataFrame(changed, index=table.index)


def _has(table: pd.DataFrame, character: str) -> bool:
    values = [*table, *(value for name in table for value in table[name].unique())]
    return any(isinstance(value, str) and character in value for value in values)


def _table(table: pd.DataFrame | pa.Table) -> pa.Table:
    if isinstance(table, pa.Table):
        return table
    return pa.Table.from_pandas(table, preserve_index=False)


def _parquet(table: pd.DataFrame | pa.Table) -> bytes:
    content = _table(table)
    vectors = [field.name for field in content.schema if pa.types.is_fixed_size_list(field.type)]
    buffer = io.BytesIO()
    # Numbers of vectors rarely repeat: a dictionary takes 1.5 times the size of the numbers.
    # Splitting the numbers into their bytes takes 0.85 times the size and a quarter of the time.
    pq.write_table(
        content,
        buffer,
        compression="zstd",
        use_dictionary=[name for name in content.column_names if name not in vectors],
        column_encoding={f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in vectors},
        write_page_checksum=True,
    )
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def damaged(path: Path, error: Exception | str) -> ImagestrataError:
    """The error for a file of this package that has changed since it was written."""
    return ImagestrataError(
        f"{quote(path)} is damaged or is not a file of this package ({first_line(error)}).",
        f"Delete it and run {SAME_CALL} again, which writes it again.",
    )


def _is_held(path: Path, error: OSError) -> bool:
    """Whether Windows refused because a file is open elsewhere, and not for want of permission."""
    refused = getattr(error, "winerror", None)
    return refused in _HELD or (refused == 5 and os.access(path, os.W_OK))


def write_error(path: Path, error: OSError) -> ImagestrataError:
    """The error for users when the operating system cannot write a file."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ImagestrataError(
            f"No space left to write {quote(path)}.",
            f"Free some space and run {SAME_CALL} again: finished work is kept.",
        )
    if _is_held(path, error):
        return ImagestrataError(
            f"{quote(path)} cannot be replaced or removed while it is open in another program or "
            "session.",
            f"Close it there, and run {SAME_CALL} again: finished work is kept.",
        )
    length = len(os.path.abspath(path))  # noqa: PTH100 - resolve() shortens
    if getattr(error, "winerror", None) in _TOO_LONG and length > _MOST_CHARACTERS:
        return ImagestrataError(
            f"{quote(path)} has {length} characters, more than this system allows for the path of "
            "a file or folder.",
            "Choose a folder with a shorter path.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ImagestrataError(
            f"No permission to write {quote(path)}.",
            "Choose a folder of your own for the output, or copy this one and use the copy.",
        )
    return ImagestrataError(f"Could not write {quote(path)}: {error.strerror or error}.")
