"""Store embeddings on disk: the folder ``embeddings/`` of a run folder.

Vectors are computed and stored in parts of 256 images. Each part is a file of its own, which
is complete or absent. An interrupted run continues with the first missing part.

========================  =====================================================
``images.parquet``        the images to embed, one row per image
``part-00000.*.parquet``  image_id, vector, reason: one row per image, in the
                          same order; a failed image has a reason and a vector
                          of NaN
``state.*.parquet``       the arrays that the encoder learnt, if it learns
``encoder.json``          the encoder's settings; written last, so that
                          embeddings without it are unfinished
========================  =====================================================

(A large corpus has a second copy of the vectors, see :mod:`~imagestrata.embeddings.mapped`.)

Each part is marked with a hash of everything that decides its vectors. A part that is damaged
(see :class:`~imagestrata.files.Parts`), or that comes from another encoder or other images,
counts as missing. Only missing parts are computed again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import ImagestrataError
from ..files import Parts, damaged, file_hash, read_json, write_json, write_table
from ..provenance import fingerprint, read_table
from ..wording import SAME_CALL, quote
from ..work import cut, part_name

#: Images per part. It is small, since an interrupted run loses up to one part. It is fixed, since
#: batches are cut within parts: a continued run computes the same batches as an undisturbed one.
PART_SIZE = 256

_MARK = b"imagestrata"

_T = TypeVar("_T")


class MissingPartError(ImagestrataError):
    """A part of the vectors is missing, damaged, or from other images or another encoder."""


class VectorParts:
    """The vectors of all images in parts, in a folder or (if None) only in memory.

    Parameters
    ----------
    folder : Path or None
        ``embeddings/`` of a run.
    ids : sequence of str
        All images, in order.
    key : str
        Fingerprint of the encoder, including what it learnt.

    Attributes
    ----------
    folder : Path or None
    n_rows : int
        Number of images in all parts.
    """

    def __init__(self, folder: Path | None, ids: Sequence[str], key: str) -> None:
        self.folder = folder
        self.n_rows = len(ids)
        self._parts = None if folder is None else Parts(folder)
        self._held: dict[int, pa.Table] = {}
        self._key = key
        self._ids = self.split(ids)

    @staticmethod
    def split(rows: Sequence[_T]) -> list[Sequence[_T]]:
        """Cut a sequence with one entry per image into parts."""
        return cut(rows, PART_SIZE)

    def __len__(self) -> int:
        return len(self._ids)

    def read(self, number: int) -> pa.Table | None:
        """Return the part, None if missing, damaged, or of other images or another encoder."""
        if self._parts is None:
            return self._held.get(number)
        return if_marked(self._parts.read(part_name(number)), self._mark(number))

    def missing(self) -> list[int]:
        """Return the numbers of all missing parts."""
        if self._parts is not None:
            self._parts.list_once()
        return [number for number in range(len(self)) if self.read(number) is None]

    def tables(self) -> Iterator[pa.Table]:
        """Yield all parts in order.

        Raises
        ------
        MissingPartError
            If a part is missing.
        """
        if self._parts is not None:
            self._parts.list_once()
        for number in range(len(self)):
            table = self.read(number)
            if table is None:
                raise MissingPartError(
                    f"{part_name(number)} in {quote(self.folder)} is missing or damaged.",
                    f"Run {SAME_CALL} again: this part is computed again, the others are kept.",
                )
            yield table

    def mark(self) -> str:
        """Return a fingerprint of the images, the encoder, and names and sizes of all parts.

        The names contain hashes of the content, so no file is read.
        """
        sizes = {path.name: path.stat().st_size for path in self._paths()}
        ids = [image_id for some in self._ids for image_id in some]
        return fingerprint([self._key, ids, sizes])

    def are_whole(self) -> bool:
        """Return whether every byte of every part is as it was written."""
        return all(path.name.split(".")[1] == file_hash(path)[:16] for path in self._paths())

    def write(
        self, number: int, vectors: NDArray[np.float32], reasons: Sequence[str | None]
    ) -> None:
        """Store a part; the vectors of rows with a reason are NaN.

        They are not null, since many versions of the Parquet library cannot store null lists.
        """
        failed = np.array([reason is not None for reason in reasons])
        filled = np.where(failed[:, None], np.float32(np.nan), vectors)
        flat = pa.array(filled.reshape(-1), pa.float32())
        columns = {
            "image_id": pa.array(self._ids[number], pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
            "reason": pa.array(reasons, pa.string()),
        }
        table = pa.table(columns).replace_schema_metadata({_MARK: self._mark(number)})
        if self._parts is None:
            self._held[number] = table
        else:
            self._parts.write(part_name(number), table)

    def drop_others(self) -> None:
        """Remove parts beyond the last, which an earlier run with more images wrote."""
        wanted = {part_name(number) for number in range(len(self))}
        for path in self._paths():
            if path.name.partition(".")[0] not in wanted:
                path.unlink()

    def _paths(self) -> list[Path]:
        return [] if self.folder is None else sorted(self.folder.glob("part-*.*.parquet"))

    def _mark(self, number: int) -> str:
        return fingerprint([self._key, list(self._ids[number])])


def encoder_key(settings: Mapping[str, Any]) -> str:
    """Return a fingerprint of the settings that decide vectors, without the weights' location."""
    return fingerprint({name: value for name, value in settings.items() if name != "weights"})


def read_state(folder: Path, key: str) -> dict[str, NDArray[np.float32]] | None:
    """Read what an encoder learnt under ``key``; None if it is missing or damaged."""
    table = if_marked(Parts(folder).read("state"), key)
    if table is None:
        return None
    return {name: _as_array(table[name]) for name in table.column_names}


def write_state(folder: Path, key: str, state: Mapping[str, NDArray[np.float32]]) -> None:
    """Store what an encoder learnt, one column per array."""
    columns = {name: _as_column(array) for name, array in state.items()}
    Parts(folder).write("state", pa.table(columns).replace_schema_metadata({_MARK: key}))


def begin(folder: Path) -> None:
    """Mark embeddings as unfinished."""
    (folder / "encoder.json").unlink(missing_ok=True)
    drop_vectors(folder)


def drop_vectors(folder: Path, keep: str | None = None) -> None:
    """Remove files that were made from parts, except ``keep``: see :mod:`.mapped`."""
    for path in folder.glob("vectors.*"):
        if path.name != keep:
            # Windows refuses this while the file is mapped. It is not mapped again.
            with contextlib.suppress(PermissionError):
                path.unlink(missing_ok=True)


def finish(folder: Path, images: pd.DataFrame, settings: Mapping[str, Any]) -> None:
    """Mark embeddings as complete."""
    write_table(folder / "images.parquet", images)
    write_json(folder / "encoder.json", dict(settings))


def read_finished(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]] | None:
    """Read the images and the encoder of complete embeddings; None if they are incomplete."""
    try:
        images, settings = read_table(folder / "images.parquet"), read_json(folder / "encoder.json")
    except (FileNotFoundError, NotADirectoryError):
        return None
    if type(settings.get("width")) is not int or settings["width"] < 1 or "image_id" not in images:
        raise damaged(folder / "encoder.json", "the width of the vectors is missing")
    return images, settings


def stack_parts(
    tables: Iterable[pa.Table], width: int, n: int
) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
    """Return the vectors of all n images, 0 for missing ones, and the reasons of missing ones."""
    vectors = np.zeros((0, width), dtype=np.float32)
    reasons = np.empty(n, dtype=object)
    start = 0
    for table in tables:
        held = table["vector"].type.list_size
        if held != width:
            raise ImagestrataError(
                f"A part of the vectors has {held} numbers per row instead of {width}."
            )
        if not start:
            vectors = np.zeros((n, width), dtype=np.float32)
        stop = start + len(table)
        reasons[start:stop] = table["reason"].to_pylist()
        some, good = vectors_of_part(table)
        vectors[start:stop][good] = some
        start = stop
    return vectors, reasons


def vectors_of_part(table: pa.Table) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the vectors of a part, and for each of its images whether it has one."""
    good = table["reason"].is_null().to_numpy()
    vectors = _as_array(table["vector"])
    return (vectors if good.all() else vectors[good]), good


def if_marked(table: pa.Table | None, mark: str) -> pa.Table | None:
    """Return the table if it has this mark, else None."""
    metadata = {} if table is None else table.schema.metadata or {}
    return table if metadata.get(_MARK) == mark.encode() else None


def _as_column(array: NDArray[np.float32]) -> pa.Array:
    flat = pa.array(array.reshape(-1), pa.float32())
    return flat if array.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, array.shape[1])


def _as_array(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """Convert a column of numbers, or of lists of the same length, to an array."""
    width = getattr(column.type, "list_size", None)
    flat = column if width is None else pa.chunked_array([c.flatten() for c in column.chunks])
    numbers = np.asarray(flat.to_numpy(), dtype=np.float32)
    return numbers if width is None else numbers.reshape(-1, width)
