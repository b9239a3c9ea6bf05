"""Compute vectors from files: every core decodes and encodes batches of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice, tee
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..corpus.look import SIDE
from ..corpus.pictures import File, scanned_picture
from ..encoders.base import Encoder
from ..encoders.portable import Portable
from ..errors import ImagestrataError, plural
from ..progress import Progress
from ..provenance import fingerprint
from ..wording import SAME_CALL, arg, quote
from ..work import Failed, Work, attempt, counted, cut, open_work
from .parts import VectorParts, read_state

if TYPE_CHECKING:
    from PIL import Image

#: Number of images that a cluster's worker prepares together for learning.
_DRAWN_AT_ONCE = 32

#: Vectors of some images, and for each image the reason if it has none.
Encoded: TypeAlias = tuple[NDArray[np.float32], list[str | None]]


def learn(
    encoder: Encoder,
    files: Sequence[File],
    engine: Any,
    folder: Path | None,
    seed: int,
    progress: Progress,
) -> None:
    """Let an encoder learn from a random sample of the files, or load what it has learnt."""
    drawn = _draw(files, encoder.fit_size, seed)
    mark = fingerprint([encoder.settings, [image_id for image_id, _ in drawn]])
    state = None if folder is None else read_state(folder, mark)
    if state is not None:
        encoder.load_state(state)
    else:
        needed = _needed(encoder, files)
        with open_work("Learning", len(drawn), progress, engine, files=needed) as work:
            prepare = partial(_prepare, Portable(encoder))
            prepared = work.each(prepare, drawn, at_once=_DRAWN_AT_ONCE)
            encoder.fit(one for one in prepared if not isinstance(one, Failed))
    learnt = [array.tobytes() for array in encoder.state().values()]
    encoder.settings |= {
        "learnt_from": mark,
        "state_sha256": hashlib.sha256(b"".join(learnt)).hexdigest(),
    }


def compute(
    encoder: Encoder,
    files: Sequence[File],
    engine: Any,
    parts: VectorParts,
    batch_size: int,
    progress: Progress,
) -> None:
    """Compute and store the parts of the vectors that are not stored yet.

    If a complete part fails (the last part may be smaller), a drive was disconnected or a
    folder was moved. This raises an error instead of recording thousands of failures.
    """
    missing = parts.missing([image_id for image_id, _ in files])
    if not missing:
        parts.drop_others()
        return
    todo = parts.split([files[row] for row in missing])
    encode = partial(_encode, Portable(encoder))
    needed = _needed(encoder, files)
    with open_work("Embedding", len(files), progress, engine, files=needed) as work:
        work.skip(len(files) - len(missing))
        blocks = (cut(some, batch_size) for some in todo)
        if encoder.in_turn:
            made = _encode_in_turn(encoder, blocks, work)
        else:
            made = work.blocks(encode, blocks, size=len)
        for block, encoded in made:
            some = [file for batch in block for file in batch]
            vectors = np.concatenate([one for one, _ in encoded])
            reasons = [reason for _, one in encoded for reason in one]
            if None not in reasons and len(reasons) == len(todo[0]):
                raise _all_failed(some, reasons)
            parts.write([image_id for image_id, _ in some], vectors, reasons)
    parts.drop_others()


def _needed(encoder: Encoder, files: Sequence[File]) -> list[str]:
    """Return files that workers must see: an image, and the weights if they are a file."""
    return [files[0][1], *([] if encoder.weights is None else [str(encoder.weights)])]


def _prepare(portable: Portable, file: File) -> NDArray[Any]:
    """Return the encoder's input for a file."""
    encoder = portable()
    return encoder.prepare(scanned_picture(file, _side(encoder)))


def _side(encoder: Encoder) -> int | None:
    """Return the smallest number of pixels that both sides of a picture keep.

    Encoders that need less get the pictures of all others, from which thumbnails are made as well.
    """
    return None if encoder.decode_side is None else max(SIDE, encoder.decode_side)


def _encode_in_turn(
    encoder: Encoder, blocks: Iterable[Sequence[Sequence[File]]], work: Work
) -> Iterator[tuple[Sequence[Sequence[File]], list[Encoded]]]:
    """Yield each block with the vectors of its batches, which this thread encodes.

    Other threads prepare the pictures of few batches ahead.
    """
    to_prepare, to_encode = tee(blocks)
    prepare = partial(_prepare_batch, Portable(encoder))
    prepared = work.each(prepare, chain.from_iterable(to_prepare), size=len)
    for block in to_encode:
        batches: Iterator[Any] = islice(prepared, len(block))
        yield block, [_encoded(encoder, *one) for one in zip(block, batches, strict=True)]


def _encode(portable: Portable, files: Sequence[File]) -> Encoded:
    """Return the vectors of a batch of files."""
    return _encoded(portable(), files, _prepare_batch(portable, files))


def _prepare_batch(portable: Portable, files: Sequence[File]) -> list[NDArray[Any] | Failed]:
    """Return the encoder's inputs for a batch of files."""
    return [attempt(partial(_prepare, portable), file) for file in files]


def _encoded(
    encoder: Encoder, files: Sequence[File], batch: Sequence[NDArray[Any] | Failed]
) -> Encoded:
    """Return the vectors of a batch of prepared files."""
    reasons = [one.reason if isinstance(one, Failed) else None for one in batch]
    good = [row for row, reason in enumerate(reasons) if reason is None]
    vectors = np.zeros((len(files), encoder.width), dtype=np.float32)
    if good:
        prepared = [one for one in batch if not isinstance(one, Failed)]
        vectors[good] = _vectors(encoder, [files[row] for row in good], prepared)
    return vectors, reasons


def _vectors(
    encoder: Encoder, files: Sequence[File], prepared: Sequence[NDArray[Any]]
) -> NDArray[np.float32]:
    """Return the vectors of a batch of prepared pictures, which are finite."""
    vectors = encoder.encode(prepared)
    for (_, path), vector in zip(files, vectors, strict=True):
        if not np.isfinite(vector).all():
            raise ImagestrataError(
                f"The encoder {quote(encoder.name)} made a vector with NaN or infinite numbers "
                f"from {quote(path)}.",
                "Check what it does with this picture, or leave the image out."
                if encoder.in_turn
                else f"Check its weights; if they are intact, use {arg('precision', 'float32')}.",
            )
    return vectors


class VectorTaker:
    """Computes vectors while files are scanned, see :class:`~imagestrata.corpus.look.Taker`.

    Parameters
    ----------
    encoder : Encoder
        One that does not learn from the corpus.
    parts : VectorParts
        Where the vectors are stored.
    batch_size : int
    """

    def __init__(self, encoder: Encoder, parts: VectorParts, batch_size: int) -> None:
        self.side = _side(encoder)
        self.batch_size = batch_size
        self._encoder = Portable(encoder)
        self._parts: VectorParts | None = parts
        self._stored: set[str] | None = None

    def frame(self, picture: Image.Image) -> Image.Image:
        return self._encoder().frame(picture)

    def prepare(self, file: File, sizes: Sequence[Image.Image]) -> NDArray[Any]:
        return self._encoder().prepare(sizes[-1])

    def finish(
        self, files: Sequence[File], prepared: Sequence[NDArray[Any]]
    ) -> tuple[list[str], NDArray[np.float32]]:
        ids = [image_id for image_id, _ in files]
        return ids, _vectors(self._encoder(), files, prepared)

    def store(self, finished: Sequence[tuple[list[str], NDArray[np.float32]]]) -> None:
        """Store a part with the vectors of all images that no part has yet."""
        assert self._parts is not None
        if self._stored is None:
            self._stored = self._parts.stored_ids()
        vectors = {
            image_id: vector
            for ids, some in finished
            for image_id, vector in zip(ids, some, strict=True)
            if image_id not in self._stored
        }
        if vectors:
            self._parts.write([*vectors], np.stack([*vectors.values()]), [None] * len(vectors))
            self._stored |= {*vectors}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_parts": None, "_stored": None}


def _all_failed(files: Sequence[File], reasons: Sequence[str | None]) -> ImagestrataError:
    return ImagestrataError(
        f"None of {plural(len(files), 'image')} could be read: "
        f"{counted(map(str, reasons))}. The first is {quote(files[0][1])}.",
        f"If their folder is missing, restore it and run {SAME_CALL} again: finished parts are "
        "kept. If you changed the images on purpose, scan them again.",
    )


def _draw(files: Sequence[File], n: int, seed: int) -> list[File]:
    """Return a random sample that does not depend on the order of the files."""
    ordered = sorted(files)
    if len(ordered) <= n:
        return ordered
    rows = np.random.default_rng(seed).choice(len(ordered), n, replace=False)
    return [ordered[row] for row in sorted(rows)]
