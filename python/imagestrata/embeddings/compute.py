"""Files in, vectors out: every core decodes and encodes batches of its own."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..corpus.decode import UnreadableImage, open_image, read_file
from ..encoders.base import Encoder
from ..encoders.portable import Portable
from ..engine import Engine
from ..errors import ImagestrataError, plural
from ..progress import Progress, track
from ..provenance import fingerprint
from ..wording import SAME_CALL, arg, quote
from .shards import Shards, read_state

#: The reason of an image whose bytes are not those that were scanned.
CHANGED = "changed since the scan"

#: Images that a cluster's worker prepares together for learning.
_DRAWN_AT_ONCE = 32

#: An image's id and path.
File: TypeAlias = tuple[str, str]

#: Vectors of some images, and for each the reason if there is none.
Encoded: TypeAlias = tuple[NDArray[np.float32], list[str | None]]


def learn(
    encoder: Encoder,
    files: Sequence[File],
    engine: Engine,
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
            prepared = engine.map(
                partial(_prepare, Portable(encoder)), drawn, at_once=_DRAWN_AT_ONCE
            )
            encoder.fit(_readable(prepared, advance))
    learnt = [array.tobytes() for array in encoder.state().values()]
    encoder.settings |= {
        "learnt_from": mark,
        "state_sha256": hashlib.sha256(b"".join(learnt)).hexdigest(),
    }


def compute(
    encoder: Encoder,
    files: Sequence[File],
    engine: Engine,
    shards: Shards,
    batch_size: int,
    progress: Progress,
) -> None:
    """Make and store all blocks of vectors that are not stored yet.

    Where a whole block fails (the last one may be a mere rest), the drive was
    unplugged or the folder moved: an error then, not thousands of failures.
    """
    blocks = shards.split(files)
    missing = shards.missing()
    batches = {number: _batches(blocks[number], batch_size) for number in missing}
    # One stream for all that is missing, so that work goes on while a block is stored.
    stream = engine.map(
        partial(_encode, Portable(encoder)),
        (batch for number in missing for batch in batches[number]),
        at_once=max(map(len, batches.values()), default=1),
    )
    with track(progress, "Embedding", len(files)) as advance:
        advance(len(files) - sum(len(blocks[number]) for number in missing))
        for number in missing:
            vectors, reasons = _collect(islice(stream, len(batches[number])), advance)
            if None not in reasons and len(reasons) == len(blocks[0]):
                raise _all_failed(blocks[number], reasons)
            shards.write(number, vectors, reasons)
    shards.drop_others()


def _prepare(portable: Portable, file: File) -> NDArray[Any] | str:
    """Input of the encoder, or the reason why there is none."""
    encoder = portable()
    image_id, path = file
    try:
        data = read_file(path)
        if not hashlib.sha256(data).hexdigest().startswith(image_id):
            return CHANGED
        return encoder.prepare(open_image(data, min_pixels_side=encoder.decode_side))
    except UnreadableImage as error:
        return str(error.reason)


def _encode(portable: Portable, files: Sequence[File]) -> Encoded:
    """Vectors of a batch of files."""
    encoder = portable()
    batch = [_prepare(portable, file) for file in files]
    reasons = [one if isinstance(one, str) else None for one in batch]
    good = [row for row, reason in enumerate(reasons) if reason is None]
    vectors = np.zeros((len(files), encoder.width), dtype=np.float32)
    if good:
        vectors[good] = encoder.encode([one for one in batch if not isinstance(one, str)])
    for (_, path), vector in zip(files, vectors, strict=True):
        if not np.isfinite(vector).all():
            raise ImagestrataError(
                f"The encoder {quote(encoder.name)} made a vector with NaN or infinite numbers of "
                f"{quote(path)}.",
                f"Check its weights; if they are sound, use {arg('precision', 'float32')}.",
            )
    return vectors, reasons


def _collect(batches: Iterable[Encoded], advance: Callable[..., None]) -> Encoded:
    """The batches of a block, put together."""
    vectors, reasons = [], []
    for some, why in batches:
        vectors.append(some)
        reasons += why
        advance(len(why))
    return np.concatenate(vectors), reasons


def _batches(files: Sequence[File], size: int) -> list[Sequence[File]]:
    return [files[start : start + size] for start in range(0, len(files), size)]


def _all_failed(files: Sequence[File], reasons: Sequence[str | None]) -> ImagestrataError:
    counts = Counter(reasons).most_common()
    return ImagestrataError(
        f"None of {plural(len(files), 'image')} could be read: "
        f"{', '.join(f'{n} {reason}' for reason, n in counts)} (the first is "
        f"{quote(files[0][1])}).",
        f"If their folder is away, bring it back and run {SAME_CALL} again: what is "
        "finished is kept. If the images were changed on purpose, scan them again.",
    )


def _draw(files: Sequence[File], n: int, seed: int) -> list[File]:
    """A random sample that does not depend on the order of the files."""
    ordered = sorted(files)
    if len(ordered) <= n:
        return ordered
    rows = np.random.default_rng(seed).choice(len(ordered), n, replace=False)
    return [ordered[row] for row in sorted(rows)]


def _readable(
    prepared: Iterator[NDArray[Any] | str], advance: Callable[..., None]
) -> Iterator[NDArray[Any]]:
    for one in prepared:
        advance()
        if not isinstance(one, str):
            yield one
