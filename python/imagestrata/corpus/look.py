"""Look at a file once: read it, hash it, decode it, and hand its picture to later steps.

Decoding is most of the work on a corpus. Later steps that need every picture (embeddings, small
copies for the gallery) can take it along while scanning has it open, see :class:`Taker`.

A large JPEG is decoded at a half, a quarter or an eighth of its scale, which still reads every
byte and takes less time. Pictures are then compared in two stages: files that may have the same
pixels are found by :data:`LOOKS`, and only these are decoded again in full, see :mod:`.same`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pyarrow as pa
from PIL import Image

from .decode import HEAD_BYTES, UnreadableImage, decode, image_format, pillow_as_needed, read_file
from .duplicates import eye_hash, pixel_hash
from .listing import printable
from .pages import count_pages
from .reasons import Reason
from .truncated import MIN_LINES

if TYPE_CHECKING:
    from .pictures import File

#: Smallest number of pixels that both sides keep if no other step needs the picture. The default
#: encoder needs the same, so that scanning finds the same whether or not it takes pictures along.
SIDE = 384

#: Rows and columns into which a picture is divided; the mean colour of each field is stored.
TINTS = 2

#: What a look at a file finds. ``image_id`` is missing if the file could not be read, ``format``
#: if it is no image; the columns from ``width`` on if it could not be decoded, or if another file
#: has the same bytes.
LOOKS = pa.schema(
    [
        ("path", pa.string()),
        ("bytes", pa.int64()),
        ("modified", pa.int64()),  # nanoseconds since 1970
        ("image_id", pa.string()),
        ("format", pa.string()),
        ("reason", pa.string()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("n_pages", pa.int64()),
        ("truncated", pa.bool_()),
        ("lenient", pa.bool_()),  # whether a truncated picture would have been kept
        ("scale", pa.int64()),  # the picture was decoded at 1 / scale
        ("part", pa.string()),  # hash of some of its rows
        ("tints", pa.binary(3 * TINTS * TINTS)),
        ("eye", pa.uint64()),
        ("pixels", pa.string()),  # hash of all pixels, if they were compared
        ("version", pa.string()),  # of this package
    ]
)


class Taker(Protocol):
    """A later step that takes pictures along.

    :meth:`prepare` and :meth:`finish` run in many threads, or on the workers of a cluster, so that
    a taker can be pickled; :meth:`store` runs in the thread of the caller.

    Attributes
    ----------
    side : int or None
        Smallest number of pixels that both sides of its pictures must keep; None requires the full
        size.
    batch_size : int
        Best number of pictures to :meth:`finish` together.
    """

    side: int | None
    batch_size: int

    def frame(self, picture: Image.Image) -> Image.Image:
        """Return the picture, or a smaller one that the step makes of it anyway.

        Later takers use the smaller one if it is large enough for them.
        """

    def prepare(self, file: File, sizes: Sequence[Image.Image]) -> Any:
        """Return what the step needs of a picture, in little memory.

        The picture comes as it was decoded, followed by a smaller one if the first taker has made
        one.
        """

    def finish(self, files: Sequence[File], prepared: Sequence[Any]) -> Any:
        """Return what is stored of a batch of pictures."""

    def store(self, finished: Sequence[Any]) -> None:
        """Store the batches of a block, before its looks are stored.

        A file may come again: as a copy, or after an interruption.
        """


#: Ids that are sent to another machine with a file.
_MOST_SENT = 1000


class Contents(set[str]):
    """Ids of contents; threads share them, other machines get a copy unless they are many."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Contents, ([*self] if len(self) <= _MOST_SENT else [],)


class Listed(NamedTuple):
    """A file to look at."""

    path: str
    #: Nanoseconds since 1970; -1 if unknown.
    modified: int
    #: Contents of the same size that were decoded before.
    known: Contents


class Seen(NamedTuple):
    """The looks of a batch of files, and what each taker made of it."""

    rows: list[dict[str, Any]]
    taken: list[Any]


@dataclass(frozen=True)
class Look:
    """Looks at a batch of files; it can be pickled for the workers of a cluster.

    Parameters
    ----------
    min_bytes, min_side : int
        Takers get no smaller files and pictures.
    eye : bool
        Whether to compute perceptual hashes.
    lenient : bool
        Whether to keep truncated pictures.
    takers : sequence of Taker
        The first one decides how pictures are decoded and how many form a batch. Each gets those
        that are large enough for it.
    """

    min_bytes: int
    min_side: int
    eye: bool
    lenient: bool = False
    takers: Sequence[Taker] = ()

    @property
    def side(self) -> int | None:
        return self.takers[0].side if self.takers else SIDE

    @property
    def batch_size(self) -> int:
        return self.takers[0].batch_size if self.takers else 1

    def __call__(self, batch: Sequence[Listed]) -> Seen:
        rows, files = [], []
        prepared: list[list[Any]] = [[] for _ in self.takers]
        for file in batch:
            row, sizes = self._examine(file)
            rows.append(row)
            if sizes and self._is_wanted(row):
                files.append((row["image_id"], file.path))
                for taker, some in zip(self.takers, prepared, strict=True):
                    some.append(taker.prepare(files[-1], sizes))
        finished = zip(self.takers, prepared, strict=True)
        return Seen(rows, [taker.finish(files, some) for taker, some in finished if files])

    def _is_wanted(self, row: dict[str, Any]) -> bool:
        side: int = min(row["width"], row["height"])
        return len(self.takers) > 0 and side >= self.min_side and row["bytes"] >= self.min_bytes

    def _sizes(self, row: dict[str, Any], picture: Image.Image) -> list[Image.Image]:
        """Return the picture, and a smaller one if the first taker makes one of it."""
        frame = self.takers[0].frame(picture) if self._is_wanted(row) else picture
        return [picture] if frame is picture else [picture, frame]

    def _examine(self, file: Listed) -> tuple[dict[str, Any], list[Image.Image]]:
        """Return the look at a file, and its picture unless there is none or it is known."""
        row: dict[str, Any] = dict.fromkeys(LOOKS.names)
        row |= {"path": printable(file.path), "modified": file.modified}
        row |= {"truncated": False, "lenient": self.lenient}
        sizes: list[Image.Image] = []
        try:
            if row["path"] != file.path:
                raise UnreadableImage(Reason.BAD_NAME)
            data = read_file(file.path)
            row["bytes"] = len(data)
            row["image_id"] = image_id = hashlib.sha256(data).hexdigest()[:20]
            if image_id in file.known:
                return row, []
            row["format"] = image_format(data[:HEAD_BYTES])
            with pillow_as_needed():
                picture, exact, (width, height), share = decode(
                    data, min_pixels_side=self.side, truncated=self.lenient
                )
                if share is not None and share < MIN_LINES:
                    raise UnreadableImage(Reason.DAMAGED)
                row["truncated"] = share is not None
                row |= {"width": width, "height": height, "scale": round(width / picture.width)}
                row["n_pages"] = count_pages(row["format"], data)
                row["part"] = pixel_hash(exact, n_rows=PART_ROWS)
                sizes = self._sizes(row, picture)
                row["tints"] = tints(sizes[-1])
                row["eye"] = eye_hash(picture) if self.eye else None
        except MemoryError:
            row["reason"] = str(Reason.TOO_LARGE)
        except UnreadableImage as error:
            row["reason"] = str(error.reason)
        return row, sizes if row["reason"] is None else []


#: Rows of a picture that are hashed to find files which may have the same pixels.
PART_ROWS = 16


def tints(picture: Image.Image) -> bytes:
    """Return the mean colours of four fields, which hardly depend on the scale."""
    small = picture.reduce(((picture.width + 1) // 2, (picture.height + 1) // 2))
    fields = (TINTS, TINTS)
    return (small if small.size == fields else small.resize(fields)).tobytes()
