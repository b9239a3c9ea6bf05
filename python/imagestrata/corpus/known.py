"""Remember what looks at files found, so that only new and changed files are opened again.

The table ``files.parquet`` of a run folder has a row for each file that was ever scanned, with its
size and time of change, and what a look at its content found. A file with the same path, size and
time is not opened. Any other file is read and hashed; if the hash is known, because the file was
renamed, touched or copied, it is not decoded.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..engine import Engine
from ..errors import ImagestrataError
from ..files import Parts
from ..progress import Progress
from ..provenance import Step, read_table, version
from ..tables import to_frame
from ..work import open_work
from .decode import UnreadableImage, read_scanned
from .located import located
from .look import LOOKS, Contents, Listed, Look
from .reasons import Reason

#: The table of looks in a run folder.
FILES = "files.parquet"

#: Largest number of threads that decode in full: each holds one file and one picture.
MOST_THREADS = 8

#: Files per part of unfinished work. Parts of vectors that are taken along have the same images.
PART_SIZE = 256

#: Earlier images that are looked for by content, to recognise a corpus whose files have moved.
_PROBES = 20

#: Reasons that say nothing about the content of a file: it is read again.
_NOT_READ = {
    str(reason)
    for reason in (
        Reason.BAD_NAME, Reason.NOT_FOUND, Reason.NO_PERMISSION, Reason.BROKEN_LINK,
        Reason.NOT_A_FILE, Reason.UNREADABLE,
    )
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Files:
    """The files of a corpus as the file system shows them.

    Attributes
    ----------
    paths : list of str
    sizes, modified : ndarray of int64
        Bytes and nanoseconds since 1970; -1 for a file that cannot be examined.
    """

    paths: list[str]
    sizes: NDArray[np.int64]
    modified: NDArray[np.int64]

    @classmethod
    def of(cls, paths: list[str]) -> Files:
        states = np.full((2, len(paths)), -1, dtype=np.int64)
        for row, path in enumerate(paths):
            try:
                found = os.stat(path)  # noqa: PTH116 - a million paths
            except (OSError, ValueError):
                continue
            states[:, row] = found.st_size, found.st_mtime_ns
        return cls(paths, *states)

    def fingerprint(self) -> str:
        """Return a hash of all paths, sizes and times."""
        digest = hashlib.sha256()
        for path in self.paths:
            digest.update(path.encode(errors="surrogatepass") + b"\0")
        digest.update(self.sizes.tobytes())
        digest.update(self.modified.tobytes())
        return digest.hexdigest()[:16]

    def contain_most_of(self, images: pd.DataFrame) -> bool:
        """Return whether the contents of most of a few images are in these files, anywhere."""
        some = images[images["status"] == "ok"]
        some = some.iloc[:: max(1, len(some) // _PROBES)].head(_PROBES)
        found = 0
        for image_id, size in zip(some["image_id"], some["bytes"], strict=True):
            alike = [self.paths[row] for row in np.flatnonzero(self.sizes == int(size))]
            found += any(_has_content(path, image_id) for path in alike)
        return 2 * found > len(some)


def _has_content(path: str, image_id: str) -> bool:
    try:
        return bool(read_scanned(image_id, path))
    except UnreadableImage:
        return False


def known_looks(step: Step, look: Look) -> pd.DataFrame:
    """Return what earlier scans, finished or not, have found in this run folder."""
    tables, unread = [], _as_frame(LOOKS.empty_table())
    if step.folder is not None:
        # Without this table, or if it is damaged, files are looked at again.
        with suppress(ImagestrataError, FileNotFoundError):
            table = read_table(step.folder / FILES)
            if {*LOOKS.names} <= {*table}:
                table = _as_frame(pa.Table.from_pandas(table, LOOKS, preserve_index=False))
                tables.append(located(table, step.folder, "scan"))
    if step.parts is not None:
        stored = map(step.parts.read, step.parts.numbered())
        begun = [_as_frame(one) for one in stored if one is not None and one.schema == LOOKS]
        tables += begun
        # While a scan goes on, files that could not be read are not tried again.
        unread = pd.concat([unread, *(one[one["reason"].isin(_NOT_READ)] for one in begun)])
    if not tables:
        return _as_frame(LOOKS.empty_table())
    known = pd.concat(tables, ignore_index=True)
    # Another version may decode what this one could not.
    stale = known["reason"].notna() & (known["version"] != version())
    if look.lenient:
        stale |= (known["reason"] == str(Reason.DAMAGED)) & ~known["lenient"].fillna(False)
    else:
        stale |= known["truncated"].fillna(False)
    if look.eye:
        stale |= known["scale"].notna() & known["eye"].isna()
    return pd.concat([_about_contents(known[~stale]), unread], ignore_index=True)


def _about_contents(looks: pd.DataFrame) -> pd.DataFrame:
    """Return all looks that say what a file contains, each in full.

    A file whose bytes were known was not decoded: its look takes over what they contain.
    """
    looks = looks[looks["image_id"].notna() & ~looks["reason"].isin(_NOT_READ)]
    examined = (looks["scale"].notna() | looks["reason"].notna()).to_numpy()
    ids = pd.Index(looks["image_id"], dtype=object)
    latest = np.flatnonzero(examined & ~ids[::-1].where(examined[::-1]).duplicated()[::-1])
    source = np.arange(len(looks))
    source[~examined] = -1
    at = ids[latest].get_indexer(ids[~examined])
    source[~examined] = np.where(at >= 0, latest[at] if len(latest) else -1, -1)
    content = [*LOOKS.names[LOOKS.names.index("format") :]]
    filled = looks.iloc[source[source >= 0]][content].reset_index(drop=True)
    looks = looks[source >= 0].reset_index(drop=True)
    looks[content] = filled
    return looks.drop_duplicates(["path", "image_id"], keep="last", ignore_index=True)


def look_at(
    files: Files, known: pd.DataFrame, look: Look, parts: Parts | None, progress: Progress,
    engine: Engine,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Look at the files that are not known.

    Returns
    -------
    looks : DataFrame
        ``path``, ``image_id``, ``bytes`` and ``reason``, one row per file.
    known : DataFrame
        All looks, with the columns of :data:`~imagestrata.corpus.look.LOOKS`.
    """
    rows = _fresh_rows(files, known)
    new = np.flatnonzero(rows < 0)
    tables = [known]
    with open_work(
        "Scanning", len(files.paths), progress, engine,
        files=islice(filter(os.path.exists, files.paths), 1),
    ) as work:  # fmt: skip
        work.skip(len(rows) - len(new))
        decoded = _decoded(known, files.sizes[new])
        blocks = _blocks(files, new, decoded, look.batch_size)
        for _, seen in work.blocks(look, blocks, size=len):
            for number, taker in enumerate(look.takers):
                taken = [one.taken[number] for one in seen if one.taken]
                if taken:
                    taker.store(taken)
            found = [row | {"version": version()} for one in seen for row in one.rows]
            table = pa.Table.from_pylist(found, LOOKS)
            if parts is not None:
                parts.append(table)
            tables.append(_as_frame(table))
            for row in found:
                if row["scale"] is not None:
                    decoded[row["bytes"]].add(row["image_id"])
    known = pd.concat(tables, ignore_index=True)
    rows[new] = np.arange(len(known) - len(new), len(known))
    looks = known.loc[rows, ["path", "image_id", "bytes", "reason"]].reset_index(drop=True)
    return looks, _about_contents(known)


def _fresh_rows(files: Files, known: pd.DataFrame) -> NDArray[np.intp]:
    """Return the row of the look at each file that has not changed since; -1 for other files."""
    latest = known.drop_duplicates("path", keep="last")
    at = pd.Index(latest["path"], dtype=object).get_indexer(pd.Index(files.paths, dtype=object))
    rows = np.where(at >= 0, latest.index.to_numpy()[at] if len(latest) else -1, -1)
    there = np.flatnonzero(rows >= 0)
    seen = known.iloc[rows[there]]
    sizes = seen["bytes"].to_numpy(dtype=np.int64, na_value=-1)  # unknown if it was not read
    modified = seen["modified"].to_numpy(dtype=np.int64)
    same = (modified == files.modified[there]) & ((sizes == files.sizes[there]) | (sizes == -1))
    rows[there[~same]] = -1
    return rows


def _decoded(known: pd.DataFrame, sizes: NDArray[np.int64]) -> defaultdict[int, Contents]:
    """Return the contents that were decoded, by their size, for some sizes."""
    alike = known[known["bytes"].isin(np.unique(sizes))]
    found: defaultdict[int, Contents] = defaultdict(Contents)
    for size, image_id in zip(alike["bytes"], alike["image_id"], strict=True):
        found[int(size)].add(image_id)
    return found


def _blocks(
    files: Files, new: NDArray[np.intp], decoded: defaultdict[int, Contents], batch: int
) -> Iterator[Sequence[Sequence[Listed]]]:
    """Yield the files to look at, in blocks of batches.

    ``decoded`` may get further contents meanwhile.
    """

    def listed(row: int) -> Listed:
        alike = decoded[int(files.sizes[row])]
        return Listed(files.paths[row], int(files.modified[row]), alike)

    for start in range(0, len(new), PART_SIZE):
        some = [listed(row) for row in new[start : start + PART_SIZE]]
        yield [some[first : first + batch] for first in range(0, len(some), batch)]


def _as_frame(table: pa.Table) -> pd.DataFrame:
    frame = to_frame(table)
    return frame.astype({"eye": "UInt64"})
