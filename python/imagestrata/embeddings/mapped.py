"""Map the vectors of a large corpus from one file, so that only the used ones are in memory.

Vectors of more than 256 MiB are copied from the parts of a run folder (see
:mod:`~imagestrata.embeddings.parts`) into one file when they are first read. NumPy maps that
file into memory, and the system reads the rows that are used. Two files are made:

=====================  ==========================================================
``vectors.*.npy``      the vectors of all images that have one, in order: float32,
                       C order, NumPy's own format. Its name contains a hash of its
                       bytes, which are checked before they are used
``vectors.*.parquet``  the images without a vector, and the reasons. It is marked
                       with the parts from which both files were made
=====================  ==========================================================

The parts remain the original. If they have changed, or one of the two files is missing or
damaged, both files are computed again. A file in use is never written to: a new file replaces
it, and users of the old one keep it. (On Windows, a mapped file cannot be replaced or removed.)
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import ImagestrataError, warn
from ..files import Parts, file_hash, rename
from ..rows import is_file
from ..wording import quote, verb
from .parts import VectorParts, drop_vectors, if_marked, stack_parts, vectors_of_part

#: Vectors with more bytes are mapped instead of loaded into memory.
LARGEST_IN_MEMORY = 256 * 2**20

_NAME = re.compile(r"vectors\.([0-9a-f]{16})\.npy")
_FILE = b"imagestrata.vectors"

#: Rows that are moved together.
_ROWS_AT_ONCE = 4096

#: Threads that load the same embeddings wait for the first one. (Processes do not wait: each
#: makes its own files, which are identical.)
_ONE_AT_A_TIME = threading.Lock()

#: Vectors of the images that have one, and for every image the reason if it has none.
Loaded: TypeAlias = tuple[NDArray[np.float32], NDArray[np.object_]]


def load_vectors(parts: VectorParts, ids: Sequence[str], width: int) -> Loaded:
    """Load the vectors of some images: into memory, or mapped if they are large and in a folder.

    Raises
    ------
    MissingPartError
        If a part is missing or damaged.
    """
    if parts.folder is not None and len(ids) * width * 4 > LARGEST_IN_MEMORY:
        with _ONE_AT_A_TIME:
            loaded = _read_file(parts.folder, len(ids), parts.mark(ids))
            if loaded is None:
                loaded = _make_file(parts.folder, parts, ids, width)
        if loaded is not None:
            return loaded
    vectors, reasons = stack_parts(parts, ids, width)
    good = pd.isna(reasons)
    return (vectors if good.all() else vectors[good]), reasons


def map_vectors(path: Path) -> NDArray[np.float32]:
    """Map the vectors in a file, read-only. The system reads the rows that are used.

    Raises
    ------
    ImagestrataError
        If the file does not exist.
    """
    try:
        vectors: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ImagestrataError(
            f"The vectors that were in {quote(path)} cannot be read ({error}).",
            f"Load the embeddings again with {verb('Embeddings.load')}.",
        ) from None
    return vectors


def file_of(matrix: Any) -> Path | None:
    """Return the file of a complete matrix of :func:`map_vectors`, None for other matrices."""
    if not is_file(matrix) or matrix.mode != "r":
        return None
    path = Path(matrix.filename)
    return path if _NAME.fullmatch(path.name) else None


def writable(matrix: NDArray[Any]) -> NDArray[Any]:
    """Return the matrix for a library that requires write access; the file never changes."""
    path = file_of(matrix)
    return matrix if path is None else np.load(path, mmap_mode="c", allow_pickle=False)


def _read_file(folder: Path, n: int, mark: str) -> Loaded | None:
    """Return the vectors that were made from these parts, if the files are unchanged."""
    table = if_marked(Parts(folder).read("vectors"), mark)
    if table is None:
        return None
    path = folder / table.schema.metadata[_FILE].decode()
    if not path.is_file() or path.name != _name(path):
        return None
    reasons = np.full(n, None, dtype=object)
    reasons[table["row"].to_numpy()] = table["reason"].to_pylist()
    return map_vectors(path), reasons


def _make_file(folder: Path, parts: VectorParts, ids: Sequence[str], width: int) -> Loaded | None:
    """Make both files from the parts; return None if they cannot be written here."""
    mark = parts.mark(ids)
    try:
        with _temporary_file(folder) as file:
            reasons = _write_rows(file, parts, ids, width)
            file.close()
            path = folder / _name(Path(file.name))
            rename(Path(file.name), path)
        # Before the table that makes the file valid, so that no old file can remain.
        drop_vectors(folder, keep=path.name)
        rows = np.flatnonzero(pd.notna(reasons))
        why = pa.array(reasons[rows].tolist(), pa.string())
        table = pa.table({"row": pa.array(rows, pa.int64()), "reason": why})
        names = {b"imagestrata": mark, _FILE: path.name}
        Parts(folder).write("vectors", table.replace_schema_metadata(names))
    except (OSError, ImagestrataError) as error:
        if isinstance(error, ImagestrataError) and not isinstance(error.__cause__, OSError):
            raise
        # Reading must also work without write permission.
        size = len(ids) * width * 4 / 1e9
        warn(
            f"{size:.1f} GB of vectors are loaded into memory, since no file to map them from can "
            f"be written to {quote(folder)} ({error})."
        )
        return None
    return map_vectors(path), reasons


@contextlib.contextmanager
def _temporary_file(folder: Path) -> Iterator[BinaryIO]:
    """Yield a file that the caller renames; otherwise it is removed."""
    # Its final name contains its hash, which is known only when everything is written.
    path = folder / f".vectors.npy.{os.getpid()}.tmp"
    try:
        with path.open("w+b") as file:
            yield file
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _write_rows(
    file: BinaryIO, parts: VectorParts, ids: Sequence[str], width: int
) -> NDArray[np.object_]:
    """Write the vectors of all images in their order; return the reasons of those without one.

    Parts are read once. First every image has a row; then the rows without a vector are closed up.
    """
    reasons = np.full(len(ids), None, dtype=object)
    _write_header(file, len(ids), width)
    start, length = file.tell(), 4 * width
    for rows, table in parts.rows(ids):
        reasons[rows] = table["reason"].to_pylist()
        vectors, good = vectors_of_part(table, width)
        places = rows[good]
        for some in np.split(np.arange(len(places)), np.flatnonzero(np.diff(places) != 1) + 1):
            if len(some):
                file.seek(start + int(places[some[0]]) * length)
                file.write(np.ascontiguousarray(vectors[some], dtype="<f4").data)
    kept = np.flatnonzero(pd.isna(reasons))
    if len(kept) < len(ids):
        _close_up(file, kept, start, length)
    file.seek(0)
    _write_header(file, len(kept), width)
    # NumPy reserves space for any number of rows.
    assert file.tell() == start
    file.truncate(start + len(kept) * length)
    file.flush()
    os.fsync(file.fileno())
    return reasons


def _close_up(file: BinaryIO, kept: NDArray[np.intp], start: int, length: int) -> None:
    """Move the kept rows to the beginning, block after block."""
    target = 0
    runs = np.split(kept, np.flatnonzero(np.diff(kept) != 1) + 1)
    for run in runs:
        for first in range(0, len(run), _ROWS_AT_ONCE):
            some = run[first : first + _ROWS_AT_ONCE]
            file.seek(start + int(some[0]) * length)
            data = file.read(len(some) * length)
            file.seek(start + target * length)
            file.write(data)
            target += len(some)


def _write_header(file: BinaryIO, n: int, width: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (n, width)}
    np.lib.format.write_array_header_1_0(file, header)


def _name(path: Path) -> str:
    """Return the name of a file with these bytes."""
    return f"vectors.{file_hash(path)[:16]}.npy"
