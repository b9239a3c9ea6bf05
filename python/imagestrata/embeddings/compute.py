"""Files in, vectors out: threads decode while the encoder works on what is decoded."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..corpus.decode import UnreadableImage, open_image, quiet, read_file
from ..encoders.base import Encoder
from ..errors import ImagestrataError
from ..progress import Progress, track
from ..provenance import fingerprint
from .shards import Shards, read_state

#: The reason of an image whose bytes are not those that were scanned.
CHANGED = "changed since the scan"

#: Threads that decode, at most.
MOST_THREADS = 16

#: An image's id and path.
File: TypeAlias = tuple[str, str]

#: What comes of a file: input of an encoder, or the reason why there is none.
Prepared: TypeAlias = NDArray[Any] | str

Reader: TypeAlias = Callable[[Iterable[File]], Iterator[Prepared]]


@contextmanager
def reader(encoder: Encoder, ahead: int) -> Iterator[Reader]:
    """Yield a function that prepares files in threads and hands them out in order.

    At most ``ahead`` files are prepared before they are asked for, however many
    there are. Pillow and OpenCV free the interpreter's lock, so that threads do.
    """

    def read(files: Iterable[File]) -> Iterator[Prepared]:
        waiting: deque[Future[Prepared]] = deque()
        for file in files:
            waiting.append(pool.submit(_prepare, encoder, file))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    with quiet(), ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_THREADS)) as pool:
        try:
            yield read
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def learn(
    encoder: Encoder,
    files: Sequence[File],
    read: Reader,
    folder: Path | None,
    seed: int,
    progress: Progress,
) -> None:
    """Let an encoder learn from a random sample of the files, or recall what it learnt."""
    drawn = _draw(files, encoder.fit_size, seed)
    mark = fingerprint([encoder.settings, [image_id for image_id, _ in drawn]])
    state = None if folder is None else read_state(folder, mark)
    if state is not None:
        encoder.load_state(state)
    else:
        with track(progress, "Learning", len(drawn)) as advance:
            encoder.fit(_readable(read(drawn), advance))
    learnt = [array.tobytes() for array in encoder.state().values()]
    encoder.settings |= {
        "learnt_from": mark,
        "state_sha256": hashlib.sha256(b"".join(learnt)).hexdigest(),
    }


def compute(
    encoder: Encoder,
    files: Sequence[File],
    read: Reader,
    shards: Shards,
    batch_size: int,
    progress: Progress,
) -> list[pa.Table]:
    """All blocks of vectors: those that are stored, and the others made and stored.

    Where a whole block fails (the last one may be a mere rest), the drive was
    unplugged or the folder moved: an error then, not thousands of failures.
    """
    blocks = shards.split(files)
    tables = [shards.read(number) for number in range(len(blocks))]
    missing = [number for number, table in enumerate(tables) if table is None]
    # One stream for all that is missing, so that threads decode on while a block is stored.
    stream = read(file for number in missing for file in blocks[number])
    with track(progress, "Embedding", len(files)) as advance:
        advance(len(files) - sum(len(blocks[number]) for number in missing))
        for number in missing:
            vectors, reasons = _encode(encoder, blocks[number], stream, batch_size, advance)
            if None not in reasons and len(reasons) == len(blocks[0]):
                raise _all_failed(blocks[number], reasons)
            tables[number] = shards.write(number, vectors, reasons)
    shards.drop_others()
    return [table for table in tables if table is not None]


def _prepare(encoder: Encoder, file: File) -> Prepared:
    image_id, path = file
    try:
        data = read_file(path)
        if not hashlib.sha256(data).hexdigest().startswith(image_id):
            return CHANGED
        return encoder.prepare(open_image(data, min_pixels_side=encoder.decode_side))
    except UnreadableImage as error:
        return str(error.reason)


def _encode(
    encoder: Encoder,
    files: Sequence[File],
    stream: Iterator[Prepared],
    batch_size: int,
    advance: Callable[..., None],
) -> tuple[NDArray[np.float32], list[str | None]]:
    """Vectors of a block, and for each image the reason if there is none."""
    vectors = np.zeros((len(files), encoder.width), dtype=np.float32)
    reasons: list[str | None] = []
    for start in range(0, len(files), batch_size):
        batch = list(islice(stream, min(batch_size, len(files) - start)))
        reasons += [one if isinstance(one, str) else None for one in batch]
        good = [start + row for row, one in enumerate(batch) if not isinstance(one, str)]
        if good:
            vectors[good] = encoder.encode([one for one in batch if not isinstance(one, str)])
            _check_finite(encoder, vectors[good], [files[row][1] for row in good])
        advance(len(batch))
    return vectors, reasons


def _all_failed(files: Sequence[File], reasons: Sequence[str | None]) -> ImagestrataError:
    counts = Counter(reasons).most_common()
    return ImagestrataError(
        f"None of {len(files)} images could be read: "
        f"{', '.join(f'{n} {reason}' for reason, n in counts)} (the first is {files[0][1]!r}).",
        "If their folder is away, bring it back and run the same command again: what is "
        "finished is kept. If the images were changed on purpose, scan them again.",
    )


def _check_finite(encoder: Encoder, vectors: NDArray[np.float32], paths: Sequence[str]) -> None:
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ImagestrataError(
            f"The encoder {encoder.name!r} made vectors with NaN or infinite numbers "
            f"(first of {paths[bad[0]]!r}).",
            'Check its weights; if they are sound, use precision="float32".',
        )


def _draw(files: Sequence[File], n: int, seed: int) -> list[File]:
    """A random sample that does not depend on the order of the files."""
    ordered = sorted(files)
    if len(ordered) <= n:
        return ordered
    rows = np.random.default_rng(seed).choice(len(ordered), n, replace=False)
    return [ordered[row] for row in sorted(rows)]


def _readable(prepared: Iterator[Prepared], advance: Callable[..., None]) -> Iterator[NDArray[Any]]:
    for one in prepared:
        advance()
        if not isinstance(one, str):
            yield one
