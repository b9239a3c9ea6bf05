"""Remove metadata from image files, for decoders that fail because of it.

No pixels are decoded here. A file whose parts cannot be distinguished is left unchanged.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from .directory import Directory

#: Chunks of a PNG that affect its pixels. Those in lower case are removed if damaged.
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")

#: Markers of JPEG segments. JFIF's and Adobe's affect pixels: they define the colour space.
_JFIF, _EXIF, _ADOBE, _COMMENT, _SCAN = 0xE0, 0xE1, 0xEE, 0xFE, 0xDA

#: Markers of JPEG frames. Pillow does not decode the odd ones: lossless, hierarchical, or both.
FRAMES = range(0xC0, 0xD0)
NO_FRAMES = (0xC4, 0xC8, 0xCC)
_ODD_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF)

#: First bytes of the only extension of a GIF that affects pixels.
_GIF_CONTROL = b"\x21\xf9\x04"

_WEBP_KEPT = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")
#: Flags in the header of a WebP file that announce metadata.
_WEBP_FLAGS = 0x20 | 0x08 | 0x04


#: Largest number of parts that are read. Photographs have a few dozen. Reading gigabytes of empty
#: parts would take minutes.
_MOST_PARTS = 100_000

#: Tags of a TIFF that affect pixels: sizes, strips and tiles, compression, colours, opacity.
_TIFF_KEPT = (
    *range(254, 260), 262, 266, 273, 274, *range(277, 280), 284, 292, 293, 317, *range(320, 326),
    338, 339, 347, *range(512, 522), *range(529, 533),
)  # fmt: skip


#: The description of an item of a container that is EXIF.
_EXIF_ITEM = re.compile(rb"(infe.{8,10})Exif", re.DOTALL)

#: A header of a JPEG 2000 that says that colours are RGB or grey, as in any other picture.
_PLAIN_COLOURS = re.compile(rb"colr\x01..\x00\x00\x00[\x10\x11]", re.DOTALL)


class _TooManyParts(Exception):
    """A file has more parts than any picture."""


def _counted(parts: int) -> int:
    """Return the number of parts plus one, if so many may be read."""
    if parts >= _MOST_PARTS:
        raise _TooManyParts
    return parts + 1


def without_metadata(format: str, data: bytes) -> Iterator[bytes]:
    """Yield the file with less metadata: first with the orientation only, then without any."""
    strip = {
        "PNG": _bare_png, "JPEG": _bare_jpeg, "GIF": _bare_gif, "WebP": bare_webp,
        "TIFF": _bare_tiff, "AVIF": _bare_avif, "JPEG 2000": _bare_jpeg2000,
    }.get(format)  # fmt: skip
    last = data
    for orientation in (True, False):
        try:
            bare = data if strip is None else strip(data, orientation)
        except (struct.error, IndexError, _TooManyParts):
            return
        if bare != last:
            last = bare
            yield bare


def is_endless(format: str, data: bytes) -> bool:
    """Return whether a file begins with more parts than any picture has.

    Pillow reads the parts of JPEG and GIF files one by one, which takes minutes for gigabytes.
    """
    try:
        if format == "JPEG":
            for _ in _jpeg_segments(data):
                pass
        elif format == "GIF":
            _bare_gif(data, False)
    except _TooManyParts:
        return True
    except (struct.error, IndexError):  # the decoder reports the error
        pass
    return False


def is_odd_jpeg(data: bytes) -> bool:
    """Return whether a JPEG cannot be decoded because it is lossless or not 8 bits deep."""
    for marker, start, _ in _jpeg_segments(data):
        if marker in FRAMES and marker not in NO_FRAMES:
            return marker in _ODD_FRAMES or data[start + 4 : start + 5] not in (b"\x08", b"")
    return False


def _bare_png(data: bytes, orientation: bool) -> bytes:
    parts, at, n_parts = [data[:8]], 8, 0
    while at + 12 <= len(data):
        n_parts = _counted(n_parts)
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        name, body = data[at + 4 : at + 8], data[at:end]
        wanted = name in _PNG_KEPT or (name == b"eXIf" and orientation)
        if wanted and name[:1].islower():
            wanted = zlib.crc32(body[4:-4]) == int.from_bytes(body[-4:])
        if wanted:
            parts.append(body)
        at = end
        if name == b"IEND":
            break
    return b"".join([*parts, data[at:]])


def _bare_jpeg(data: bytes, orientation: bool) -> bytes:
    parts, at = [data[:2]], 2
    for marker, start, end in _jpeg_segments(data):
        body = data[start:end]
        dropped = marker in range(_JFIF, 0xF0) or marker == _COMMENT
        if marker in (_JFIF, _ADOBE):
            dropped = len(body) < 16
        elif marker == _EXIF:
            dropped = not (orientation and body[4:10] == b"Exif\0\0")
        if not dropped:
            parts.append(body)
        at = end
    return b"".join([*parts, data[at:]])


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment before the first scan."""
    at, n_parts = 2, 0
    while at + 4 <= len(data) and data[at] == 0xFF:
        n_parts = _counted(n_parts)
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker == _SCAN or length < 2 or at + 2 + length > len(data):
            return
        yield marker, at, at + 2 + length
        at += 2 + length


def _bare_gif(data: bytes, orientation: bool) -> bytes:
    del orientation  # GIF files do not store one
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    parts, n_parts = [data[:at]], 0
    while data[at] == 0x21:  # an extension
        end = at + 2
        while data[end]:
            n_parts = _counted(n_parts)
            end += data[end] + 1
        n_parts = _counted(n_parts)
        end += 1
        if data[at:end].startswith(_GIF_CONTROL):
            parts.append(data[at:end])
        at = end
    return b"".join([*parts, data[at:]])


def bare_webp(data: bytes, orientation: bool) -> bytes:
    parts, at, n_parts = [], 12, 0
    while at + 8 <= len(data):
        n_parts = _counted(n_parts)
        name = data[at : at + 4]
        (length,) = struct.unpack_from("<I", data, at + 4)
        end = at + 8 + length + length % 2
        if name == b"VP8X":
            dropped = _WEBP_FLAGS & ~(0x08 if orientation else 0)
            parts.append(data[at : at + 8] + bytes([data[at + 8] & ~dropped]) + data[at + 9 : end])
        elif name in _WEBP_KEPT or (name == b"EXIF" and orientation):
            parts.append(data[at:end])
        at = end
    body = b"".join(parts)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _bare_tiff(data: bytes, orientation: bool) -> bytes:
    """Keep only the tags listed above in the first directory. No other bytes move."""
    del orientation  # it is among the tags that are kept
    directory = Directory(data)
    return directory.with_entries(entry for entry in directory.entries if entry.tag in _TIFF_KEPT)


def _bare_avif(data: bytes, orientation: bool) -> bytes:
    """Give EXIF a type that no decoder knows. The container itself states the orientation."""
    del orientation
    return _EXIF_ITEM.sub(rb"\1free", data)


def _bare_jpeg2000(data: bytes, orientation: bool) -> bytes:
    """Keep only the picture itself, if its colours do not need the header."""
    del orientation
    start = data.find(b"\xff\x4f\xff\x51")
    plain = start > 0 and b"pclr" not in data[:start] and _PLAIN_COLOURS.search(data[:start])
    return data[start:] if plain else data
