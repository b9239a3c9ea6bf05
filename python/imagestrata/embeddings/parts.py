"""Store embeddings on disk: the folder ``embeddings/`` of a run folder.

Vectors are computed and stored in parts of at most 256 images. Each part is a file of its own,
which is complete or absent. It names its images, so that a part stays valid when the corpus grows:
an interrupted or a grown run computes only the vectors of images that no part has.

========================  =====================================================
``images.parquet``        the images to embed, one row per image
``part-00000.*.parquet``  image_id, vector, reason: one row per image, in the
                          order in which they were computed; a failed image has
                          a reason and a vector of NaN
``state.*.parquet``       the arrays that the encoder learnt, if it learns
``encoder.json``          the encoder's settings; written last, so that
                          embeddings without it are unfinished
========================  =====================================================

(A large corpus has a second copy of the vectors, see :mod:`~imagestrata.embeddings.mapped`.)

Each part is marked with a hash of its images and of everything that decides their vectors. A part
that is damaged (see :class:`~imagestrata.files.Parts`), or that comes from another encoder, counts
as missing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural
from ..files import (
    Parts,
    damaged,
    file_hash,
    part_name,
    read_json,
    write_json,
    write_table,
)
from ..provenance import fingerprint, read_table
from ..wording import SAME_CALL, quote
from ..work import cut

#: Images per part. It is small, since an interrupted run loses up to one part. It is fixed, since
#: batches are cut within parts: a continued run computes the same batches as an undisturbed one.
PART_SIZE = 256

_MARK = b"imagestrata"

_T = TypeVar("_T")


class MissingPartError(ImagestrataError):
    """A part of the vectors is missing, damaged, or from other images or another encoder."""


class VectorParts:
    """Vectors of images in parts, in a folder or (if None) only in memory.

    Parameters
    ----------
    folder : Path or None
        ``embeddings/`` of a run.
    key : str
        Fingerprint of the encoder, including what it learnt.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self.folder = folder
        self._parts = None if folder is None else Parts(folder)
        self._held: list[pa.Table] = []
        self._key = key
        self._useful: set[str] = set()

    @staticmethod
    def split(rows: Sequence[_T]) -> list[Sequence[_T]]:
        """Cut a sequence with one entry per image into parts."""
        return cut(rows, PART_SIZE)

    def tables(self) -> Iterator[pa.Table]:
        """Yield all intact parts of this encoder, in the order in which they were written."""
        return (table for _, table in self._named())

    def stored_ids(self) -> set[str]:
        """Return the images of all parts of this encoder, which are not checked."""
        found: set[str] = set()
        for path in self._paths():
            with contextlib.suppress(pa.ArrowException, OSError):
                table = pq.read_table(path, columns=["image_id"])
                ids = table["image_id"].to_pylist()
                if if_marked(table, self._mark(ids)):
                    found.update(ids)
        for table in self._held:
            found.update(table["image_id"].to_pylist())
        return found

    def missing(self, ids: Sequence[str]) -> list[int]:
        """Return the positions of the images that no part has."""
        wanted, stored = set(ids), set[str]()
        for name, table in self._named():
            here = wanted.intersection(table["image_id"].to_pylist())
            stored |= here
            if here:
                self._useful.add(name)
        return [row for row, image_id in enumerate(ids) if image_id not in stored]

    def rows(self, ids: Sequence[str]) -> Iterator[tuple[NDArray[np.intp], pa.Table]]:
        """Yield the parts of these images, and for each of its rows the position of its image.

        Raises
        ------
        MissingPartError
            At the end, if no part has some of the images.
        """
        places = pd.Index(np.asarray(ids, dtype=object))
        found = np.zeros(len(places), dtype=bool)
        for table in self.tables():
            rows = places.get_indexer(table["image_id"].to_numpy(zero_copy_only=False))
            wanted = np.flatnonzero(rows >= 0)
            wanted = wanted[~found[rows[wanted]]]
            if len(wanted):
                found[rows[wanted]] = True
                yield rows[wanted], table if len(wanted) == len(table) else table.take(wanted)
        if not found.all():
            raise MissingPartError(
                f"The vectors of {plural(int((~found).sum()), 'image')} of {len(found)} in "
                f"{quote(self.folder)} are missing or damaged.",
                f"Run {SAME_CALL} again: these are computed again, the others are kept.",
            )

    def mark(self, ids: Sequence[str]) -> str:
        """Return a fingerprint of the images, the encoder, and names and sizes of all parts.

        The names contain hashes of the content, so no file is read.
        """
        sizes = {path.name: path.stat().st_size for path in self._paths()}
        return fingerprint([self._key, list(ids), sizes])

    def are_whole(self) -> bool:
        """Return whether every byte of every part is as it was written."""
        return all(path.name.split(".")[1] == file_hash(path)[:16] for path in self._paths())

    def write(
        self, ids: Sequence[str], vectors: NDArray[np.float32], reasons: Sequence[str | None]
    ) -> None:
        """Store a part; the vectors of rows with a reason are NaN.

        They are not null, since many versions of the Parquet library cannot store null lists.
        """
        failed = np.array([reason is not None for reason in reasons])
        filled = np.where(failed[:, None], np.float32(np.nan), vectors)
        flat = pa.array(filled.reshape(-1), pa.float32())
        columns = {
            "image_id": pa.array(ids, pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
            "reason": pa.array(reasons, pa.string()),
        }
        table = pa.table(columns).replace_schema_metadata({_MARK: self._mark(ids)})
        if self._parts is None:
            self._held.append(table)
        else:
            self._useful.add(self._parts.append(table))

    def drop_others(self) -> None:
        """Remove parts that were neither written here nor found useful by :meth:`missing`."""
        if self._parts is not None:
            for name in set(self._parts.numbered()) - self._useful:
                self._parts.remove(name)

    def clear(self) -> None:
        """Remove all parts."""
        self._useful.clear()
        self.drop_others()

    def _named(self) -> Iterator[tuple[str, pa.Table]]:
        if self._parts is None:
            yield from ((part_name(n), table) for n, table in enumerate(self._held))
            return
        for name in self._parts.numbered():
            table = self._parts.read(name)
            if table is not None and if_marked(table, self._mark(table["image_id"].to_pylist())):
                yield name, table

    def _paths(self) -> list[Path]:
        found = [] if self.folder is None else self.folder.rglob("part-*.*.parquet")
        return sorted(found, key=lambda path: path.name)

    def _mark(self, ids: Sequence[str]) -> str:
        return fingerprint([self._key, list(ids)])


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
    parts: VectorParts, ids: Sequence[str], width: int
) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
    """Return the vectors of these images, 0 for failed ones, and the reasons of failed ones."""
    vectors = np.zeros((len(ids), width), dtype=np.float32)
    reasons = np.full(len(ids), None, dtype=object)
    for rows, table in parts.rows(ids):
        reasons[rows] = table["reason"].to_pylist()
        some, good = vectors_of_part(table, width)
        vectors[rows[good]] = some
    return vectors, reasons


def vectors_of_part(table: pa.Table, width: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the vectors of a part, and for each of its images whether it has one."""
    held = table["vector"].type.list_size
    if held != width:
        raise ImagestrataError(
            f"A part of the vectors has {held} numbers per row instead of {width}."
        )
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
