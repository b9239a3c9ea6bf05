"""Files that are never half written: atomic writes and self-checking parts.

Long work stores its results in *parts*, one Parquet file per block of rows. The
name of a part carries a hash of its bytes, so a part either arrived whole or is
noticed and made again, without any list of parts that could itself be damaged.
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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .errors import ImagestrataError
from .validate import check_path
from .wording import SAME_CALL, arg, quote

#: What :func:`atomic` calls a file until it is whole.
_HALF_WRITTEN = re.compile(r"\.(.+)\.\d+\.tmp", re.DOTALL)

#: Where a spreadsheet would run what follows: at the beginning of a text, and behind whatever it
#: may take for the end of a cell, since where semicolons separate cells, quotes around a text
#: do not count. Formulas may stand behind quotes; wide characters count where typed in Japan.
_FORMULA = re.compile(r"^(?=['\"]*[=+\-@\t\r\n＝＋－＠])|(?<=[;|\t\r\n])(?=['\"]*[=+\-@＝＋－＠])")
#: The quote that was put there. Taking one off always gives what there was before.
_GUARD = re.compile(r"^'(?=['\"]*[=+\-@\t\r\n＝＋－＠])|(?<=[;|\t\r\n])'(?=['\"]*[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def make_folder(path: str | os.PathLike[str], name: str = "out") -> Path:
    """Create a folder (and those above it) that we can write to, or say why not."""
    folder = check_path(name, path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        raise ImagestrataError(
            f"{arg(name)} must be a folder, but {quote(folder)} (or something above it) is a file.",
            "Choose another name.",
        ) from None
    except OSError as error:
        raise write_error(folder, error) from None
    return folder


def refuse_links(folder: Path) -> None:
    """Raise an error if something in a folder is a link, through which we would write elsewhere.

    A folder that came from somebody else may hold links to files of the one who got it. The
    folder itself may be a link: that one its user has chosen.
    """
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            if path.is_symlink():
                raise ImagestrataError(
                    f"{quote(path)} is a link (to {quote(path.readlink())}): nothing is written or "
                    "removed through links in a folder of results.",
                    "Put the files themselves there, or remove the link.",
                )


def ensure_folder(folder: Path) -> None:
    """Make a folder inside of one that :func:`make_folder` gave, if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from None


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside ``path``, renamed to ``path`` when all went well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # Of a killed process; or a link that leads elsewhere, in a folder from somebody else.
        temporary.unlink(missing_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise write_error(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def is_half_written(path: Path) -> bool:
    """Whether a killed process left the file before it was whole."""
    return _HALF_WRITTEN.fullmatch(path.name) is not None


def remove_half_written(folder: Path, name: str = "") -> None:
    """Remove what killed processes left of files that they had begun.

    Parameters
    ----------
    folder : Path
        Looked at with all folders in it, or for one file alone.
    name : str, optional
        The name that this file was to have.
    """
    for place, folders, names in os.walk(folder):
        for found in names:
            begun = _HALF_WRITTEN.fullmatch(found)
            if begun is not None and name in ("", begun[1]):
                with contextlib.suppress(OSError):
                    Path(place, found).unlink()
        if name:
            folders.clear()


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all, with plain newlines on every system."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON for people: indented, keys in their given order."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read JSON that this package wrote: an object with names."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(content, ensure_ascii=False).encode()  # half a character cannot be written
    except (ValueError, RecursionError) as error:
        raise damaged(path, error) from None
    if not isinstance(content, dict):
        raise damaged(path, f"it holds a {type(content).__name__}, not named values")
    return content


def write_table(path: Path, table: pd.DataFrame | pa.Table, *, exact: bool = False) -> None:
    """Write a table as Parquet, or as CSV where the name ends in ``.csv``.

    People open CSV in spreadsheets, which run text that starts like a formula, at the
    beginning of a cell or of what they take for one: such text gets a quote before it,
    which :func:`unguarded` takes off again.

    Parameters
    ----------
    path : Path
    table : DataFrame or Table
    exact : bool, default False
        Write text as it is, for files that go into another program and never into a
        spreadsheet.
    """
    # Some are written when their step is finished, and its lock gone.
    remove_half_written(path.parent, path.name)
    if path.suffix == ".csv":
        frame = table.to_pandas() if isinstance(table, pa.Table) else table
        frame = frame if exact else _guarded(frame)
        # Only then does Python's csv put a lone carriage return between quotes.
        ending = "\r\n" if _has(frame, "\r") else "\n"
        write_text(path, frame.to_csv(index=False, lineterminator=ending))
    else:
        write_bytes(path, _parquet(table))


def unguarded(table: pd.DataFrame) -> pd.DataFrame:
    """A table read from CSV as it was before :func:`write_table` guarded its text."""
    return _in_texts(table, bare)


def bare(value: Any) -> Any:
    """A cell, or the name of a column, without its guard."""
    return _GUARD.sub("", value) if isinstance(value, str) else value


class Parts:
    """Blocks of rows kept in a folder as work goes on, each whole or absent.

    Parameters
    ----------
    folder : Path
        Where the parts lie; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, list[Path]] | None = None

    def list_once(self) -> None:
        """List the folder once and for all, where many thousands of parts will be read.

        Only for one who alone writes here, or reads what nobody writes any more.
        """
        self._seen = {}
        for path in sorted(self.folder.glob("*.*.parquet")):
            self._seen.setdefault(path.name.rsplit(".", 2)[0], []).append(path)

    def write(self, key: str, table: pd.DataFrame | pa.Table) -> Path:
        """Store the block ``key``, in place of any older one of that key."""
        ensure_folder(self.folder)
        data = _parquet(table)
        path = self.folder / f"{key}.{_digest(data)}.parquet"
        write_bytes(path, data)
        for old in self._paths(key):
            if old != path:
                old.unlink(missing_ok=True)
        if self._seen is not None:
            self._seen[key] = [path]
        return path

    def read(self, key: str) -> pa.Table | None:
        """The block ``key``, or None if it is missing or damaged (a damaged one is removed)."""
        for path in self._paths(key):
            try:
                data = path.read_bytes()
            except FileNotFoundError:  # gone since we looked
                continue
            if path.name == f"{key}.{_digest(data)}.parquet":
                return pq.read_table(pa.BufferReader(data))
            with contextlib.suppress(PermissionError):  # one who only reads leaves it there
                path.unlink()
        return None

    def _paths(self, key: str) -> list[Path]:
        if self._seen is None:
            return sorted(self.folder.glob(f"{key}.*.parquet"))
        return self._seen.get(key, [])

    def load(self, key: str, make: Callable[[], pd.DataFrame | pa.Table]) -> pa.Table:
        """The block ``key``, made and stored first where it is missing or damaged."""
        table = self.read(key)
        if table is None:
            made = make()
            self.write(key, made)
            table = made if isinstance(made, pa.Table) else _table(made)
        return table


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of_files(paths: Iterable[Path]) -> str:
    """SHA-256 of the hashes of some files, in their order."""
    return hashlib.sha256("".join(map(file_hash, paths)).encode()).hexdigest()


def _guarded(table: pd.DataFrame) -> pd.DataFrame:
    def safe(value: Any) -> Any:
        if not isinstance(value, str) or _NUMBER.fullmatch(value):
            return value
        return _FORMULA.sub("'", value)

    return _in_texts(table, safe)


def _in_texts(table: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    """The table with all its text changed, the names of its columns too."""
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
    # Vectors hardly ever hold a number twice: a dictionary of them took half as much room again
    # as the numbers. Byte by byte of all numbers takes .85, and a quarter of the time.
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
    """What it means that a file of ours is not as it was written."""
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ImagestrataError(
        f"{quote(path)} is damaged or is not a file of this package ({first_line}).",
        f"Delete it and run {SAME_CALL} again: it is made anew.",
    )


def write_error(path: Path, error: OSError) -> ImagestrataError:
    """What an error of the operating system while writing means to users."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ImagestrataError(
            f"No space left to write {quote(path)}.",
            f"Free some space and run {SAME_CALL} again: what is finished is kept.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ImagestrataError(
            f"No permission to write {quote(path)}.",
            "Choose a folder of your own for the output.",
        )
    return ImagestrataError(f"Could not write {quote(path)}: {error.strerror or error}.")
