"""Count the pictures in a file, of which only the first is used, without decoding them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO

from .avif import Avif
from .heif import Heif

#: Largest number of parts that are read, which takes a second. Other files are not counted.
_MOST_PARTS = 2_000_000

#: Kinds of directories of a TIFF that are no pages: smaller copies, and masks.
_SUBFILE, _REDUCED, _MASK = 254, 1, 4


def count_pages(format: str, data: bytes) -> int | None:
    """Return how many pictures an intact file contains, None if it has too many parts.

    Parameters
    ----------
    format : str
        As :func:`~imagestrata.corpus.decode.image_format` returns it.
    data : bytes
        The content of the file.

    Returns
    -------
    int or None
        Pages of a TIFF, without smaller copies and masks of a page; frames of a GIF, PNG, WebP
        or AVIF; pictures of a HEIF, without thumbnails and depth maps; 1 for other formats.
    """
    if format == "HEIF":
        return int(Heif(BytesIO(data)).n_frames)
    if format == "AVIF":
        return int(Avif(BytesIO(data)).n_frames)
    parts = {"TIFF": _tiff, "GIF": _gif, "PNG": _png, "WebP": _webp}.get(format)
    if parts is None:
        return 1
    pages = 0
    with suppress(struct.error, IndexError):  # the last part is not complete
        for n_parts, is_page in enumerate(parts(data)):
            pages += is_page
            if n_parts == _MOST_PARTS:
                return None
    return max(1, pages)


def _tiff(data: bytes) -> Iterator[bool]:
    """Yield for each directory whether it is a page."""
    order = "<" if data[:1] == b"I" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    place, width, address, n_entries = (8, 20, "Q", "Q") if big else (4, 12, "I", "H")
    seen: set[int] = set()
    while True:
        (start,) = struct.unpack_from(order + address, data, place)
        if start == 0 or start in seen:
            return
        seen.add(start)
        (n,) = struct.unpack_from(order + n_entries, data, start)
        first = start + struct.calcsize(n_entries)
        place = first + width * n
        kind = 0
        for entry in range(first, min(place, first + 4 * width), width):  # in order of their tags
            if struct.unpack_from(order + "H", data, entry) == (_SUBFILE,):
                (kind,) = struct.unpack_from(order + "I", data, entry + (12 if big else 8))
        yield not kind & (_REDUCED | _MASK)


def _gif(data: bytes) -> Iterator[bool]:
    """Yield for each block whether it begins a frame."""
    at = 13 + palette_bytes(data[10])
    while data[at] != 0x3B:  # the end
        frame = data[at] == 0x2C
        yield frame
        if not frame and data[at] != 0x21:  # programs write stray zeros between blocks
            at += 1
            continue
        at += 11 + palette_bytes(data[at + 9]) if frame else 2
        while data[at]:
            yield False
            at += data[at] + 1
        at += 1


def palette_bytes(flags: int) -> int:
    """Return the size of the palette of a GIF or of its frame, from its flags."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _png(data: bytes) -> Iterator[bool]:
    """Yield for each chunk whether it begins a frame."""
    at = 8
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        yield name == b"fcTL"
        at += 12 + length


def _webp(data: bytes) -> Iterator[bool]:
    """Yield for each chunk whether it is a frame."""
    at = 12
    while True:
        name, length = struct.unpack_from("<4sI", data, at)
        yield name == b"ANMF"
        at += 8 + length + length % 2
