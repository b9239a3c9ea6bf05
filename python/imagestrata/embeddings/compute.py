"""Compute vectors from files: every core decodes and encodes batches of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..corpus.pictures import File, scanned_picture
from ..encoders.base import Encoder
from ..encoders.portable import Portable
from ..errors import ImagestrataError, plural
from ..progress import Progress
from ..provenance import fingerprint
from ..wording import SAME_CALL, arg, quote
from ..work import Failed, attempt, counted, cut, open_work
from .parts import VectorParts, read_state

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
    files_of_parts = parts.split(files)
    batches = [cut(some, batch_size) for some in files_of_parts]
    encode = partial(_encode, Portable(encoder))
    needed = _needed(encoder, files)
    with open_work("Embedding", len(files), progress, engine, files=needed) as work:
        for number, encoded in work.blocks(encode, batches, parts.missing(), size=len):
            vectors = np.concatenate([some for some, _ in encoded])
            reasons = [reason for _, some in encoded for reason in some]
            if None not in reasons and len(reasons) == len(files_of_parts[0]):
                raise _all_failed(files_of_parts[number], reasons)
            parts.write(number, vectors, reasons)
    parts.drop_others()


def _needed(encoder: Encoder, files: Sequence[File]) -> list[str]:
    """Return files that workers must see: an image, and the weights if they are a file."""
    return [files[0][1], *([] if encoder.weights is None else [str(encoder.weights)])]


def _prepare(portable: Portable, file: File) -> NDArray[Any]:
    """Return the encoder's input for a file."""
    encoder = portable()
    return encoder.prepare(scanned_picture(file, encoder.decode_side))


def _encode(portable: Portable, files: Sequence[File]) -> Encoded:
    """Return the vectors of a batch of files."""
    encoder = portable()
    batch = [attempt(partial(_prepare, portable), file) for file in files]
    reasons = [one.reason if isinstance(one, Failed) else None for one in batch]
    good = [row for row, reason in enumerate(reasons) if reason is None]
    vectors = np.zeros((len(files), encoder.width), dtype=np.float32)
    if good:
        vectors[good] = encoder.encode([one for one in batch if not isinstance(one, Failed)])
    for (_, path), vector in zip(files, vectors, strict=True):
        if not np.isfinite(vector).all():
            raise ImagestrataError(
                f"The encoder {quote(encoder.name)} made a vector with NaN or infinite numbers "
                f"from {quote(path)}.",
                f"Check its weights; if they are intact, use {arg('precision', 'float32')}.",
            )
    return vectors, reasons


def _all_failed(files: Sequence[File], reasons: Sequence[str | None]) -> ImagestrataError:
    return ImagestrataError(
        f"None of {plural(len(files), 'image')} could be read: "
        f"{counted(map(str, reasons))} (the first is {quote(files[0][1])}).",
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
