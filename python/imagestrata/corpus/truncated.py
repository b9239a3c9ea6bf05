"""Make image files that end too early readable: their first lines, and grey in place of others.

No setting of Pillow is changed. The header is made to state as many lines as the file contains, or
the missing bytes are added.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile

from .bare import FRAMES, NO_FRAMES, bare_webp
from .directory import Directory
from .pages import palette_bytes
from .tiff import Tiff

#: Smallest share of its lines that a truncated picture must have to be used (our choice).
MIN_LINES = 0.5

#: The middle of the range, which libjpeg shows where data are missing.
_GREY = 128

#: Largest factor by which a file grows. Others have less than half of their lines.
_MOST_GROWTH = 3


@dataclass
class Cut:
    """A file that ended too early, in a form that decoders read.

    Attributes
    ----------
    data : bytes
        The file. It states all lines, or only those that it has.
    lines : int, optional
        How many lines the file has, from the first that is stored. If it is not given, they are
        those that do not depend on the bytes that were added (see ``other``), or those above
        the grey ones that libjpeg adds.
    height : int, optional
        How many lines the picture has if ``data`` states fewer.
    bottom_up : bool
        Whether the lowest line is stored first.
    rows : list of int, optional
        For each line of an interlaced picture, the line in ``data`` to show: its own, or the
        nearest one above.
    other : bytes, optional
        The same file with other bytes in the place of the missing ones.
    orientation : int, optional
        The EXIF orientation, if it is removed from ``data``.
    share : float
        The share of lines that the file has. It is known once they are completed.
    """

    data: bytes
    lines: int | None = None
    height: int | None = None
    bottom_up: bool = False
    rows: list[int] | None = None
    other: bytes | None = None
    orientation: int | None = None
    share: float = 0.0

    def complete(self, image: Image.Image, deep: bool) -> Image.Image:
        """Return the picture in ``data``, which is loaded, with all its lines.

        In a ``deep`` picture of more than 8 bits, lines are added whose values are in its range.
        """
        plain = image
        if not deep and (image.has_transparency_data or image.mode not in ("L", "RGB")):
            plain = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        if self.rows is not None:
            return Image.fromarray(np.asarray(plain)[self.rows])
        lines, height = self.lines, self.height or image.height
        if lines is None:
            lines = _above_grey(image) if self.other is None else _equal_lines(image, self.other)
        self.share = lines / height
        if lines == height or (self.lines is None and self.other is None):
            return image
        colour = _middle(plain) if deep else f"rgb({_GREY}, {_GREY}, {_GREY})"
        whole = Image.new(plain.mode, (plain.width, height), colour)
        top = plain.height - lines if self.bottom_up else 0
        part = plain.crop((0, top, plain.width, top + lines))
        whole.paste(part, (0, height - lines if self.bottom_up else 0))
        return whole


def _middle(image: Image.Image) -> Any:
    """Return the middle of the range of the first channel, for all channels."""
    ranges: Any = image.getextrema()
    low, high = ranges[0] if isinstance(ranges[0], tuple) else ranges
    middle = low + (high - low) / 2
    one = middle if image.mode == "F" else int(middle)
    return (one,) * len(ranges) if isinstance(ranges[0], tuple) else one


def repair(format: str, data: bytes) -> Cut | None:
    """Return a readable form of a truncated file; None if it is whole, or cannot be repaired.

    These cannot: interlaced PNGs, whose lines are spread over the file; files whose header is
    at their end; AVIF, HEIF and JPEG 2000, which are not stored in lines.
    """
    way = {
        "JPEG": _jpeg, "PNG": _png, "GIF": _gif, "WebP": _webp, "BMP": _bmp, "TIFF": _tiff,
    }.get(format)  # fmt: skip
    try:
        return None if way is None else way(data)
    except Exception:  # the header is damaged, in one of many ways
        return None


#: Markers of a JPEG, between which data have zeros after each 0xFF.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SCAN, _END = 0xDA, 0xD9


def _jpeg(data: bytes) -> Cut | None:
    """Add the end: libjpeg decodes the blocks that it has, and shows grey in place of others."""
    data = data.rstrip(b"\0")  # a copy that failed may have been given its full size
    colours: set[int] = set()
    scans: list[set[int]] = []
    whole: set[int] = set()
    at = 2
    while found := _MARKER.search(data, at):
        at, marker = found.start(), data[found.start() + 1]
        whole = set().union(*scans)
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if marker == _END:
            return None
        if end > len(data):
            data = data[:at]
            break
        if marker in FRAMES and marker not in NO_FRAMES:
            colours = {*data[at + 10 : end : 3]}
        elif marker == _SCAN:
            scans.append({*data[at + 5 : end - 3 : 2]})
        at = end
    if not colours <= whole and (whole or not scans or scans[0] != colours):
        return None  # the picture would have wrong colours
    return Cut(data.rstrip(b"\xff") + b"\xff\xd9")


def _above_grey(image: Image.Image) -> int:
    """Return how many lines are above those that libjpeg filled."""
    lines = image.height
    empty = {_GREY, _GREY - 1}  # inks are stored as their complements
    while lines:
        line = image.crop((0, lines - 1, image.width, lines))
        ranges: Any = line.getextrema()
        if not {*np.ravel(ranges)} <= empty:
            break
        lines -= 1
    return lines


def _png(data: bytes) -> Cut | None:
    width, height, bits, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    bands = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    parts, at, name = [], 8, b"IHDR"
    while at + 8 <= len(data) and name.isalpha():
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IEND":
            return None
        if name == b"IDAT":
            parts.append(data[at + 8 : at + 8 + length])
        at += 12 + length
    line = 1 + (width * bands * bits + 7) // 8
    if interlaced:
        return None
    lines = min(_inflated(parts, line * height) // line, height)
    if not lines:
        return None
    header = data[12:20] + struct.pack(">I", lines) + data[24:29]
    return Cut(
        data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:], lines, height
    )


def _inflated(parts: list[bytes], most: int) -> int:
    """Return how many bytes a stream that ends too early unfolds to, at most so many."""
    stream, n = zlib.decompressobj(), 0
    with suppress(zlib.error):
        for part in parts:
            for at in range(0, len(part), 4096):
                rest = part[at : at + 4096]
                while rest and n < most:
                    n += len(stream.decompress(rest, 1 << 20))
                    rest = stream.unconsumed_tail
    return n


_INTERLACED = 0x40


def _gif(data: bytes) -> Cut | None:
    at = 13 + palette_bytes(data[10])
    while data[at] == 0x21:
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    top, width, height, flags = struct.unpack_from("<HHHB", data, at + 3)
    start = at + 10 + palette_bytes(flags)
    if data[at] != 0x2C or data[start] > 8:
        return None
    codes, place, last = [], start + 1, start
    while place < len(data):
        if not data[place]:
            return None
        last = place
        codes.append(data[place + 1 : place + 1 + data[place]])
        place += data[place] + 1
    lines = min(_unpacked(b"".join(codes), data[start], width * height) // width, height)
    if not lines:
        return None
    (screen,) = struct.unpack_from("<H", data, 8)
    stated = bytearray(data)
    stated[last] = len(codes[-1])  # decoders read whole blocks
    stated[8:10] = struct.pack("<H", top + lines)
    stated[at + 7 : at + 9] = struct.pack("<H", lines)
    if not flags & _INTERLACED:
        return Cut(bytes(stated), top + lines, max(screen, top + height))
    stated[at + 9] ^= _INTERLACED
    if 2 * lines < height or height < screen:
        return None
    order = [*range(0, height, 8), *range(4, height, 8), *range(2, height, 4), *range(1, height, 2)]
    places = {line: place for place, line in enumerate(order[:lines])}
    rows = [places.get(line, places.get(line - 1, 0)) for line in range(height)]
    return Cut(bytes(stated), rows=rows, share=lines / height)


def _unpacked(codes: bytes, bits: int, most: int) -> int:
    """Return how many pixels the codes of a GIF stand for, at most so many."""
    clear = 1 << bits
    lengths, size, last, pixels = [1] * clear + [0, 0], bits + 1, 0, 0
    buffer = held = 0
    for byte in codes:
        buffer |= byte << held
        held += 8
        while held >= size:
            code = buffer & ((1 << size) - 1)
            buffer >>= size
            held -= size
            if code == clear:
                del lengths[clear + 2 :]
                size, last = bits + 1, 0
                continue
            if code == clear + 1 or code > len(lengths) or pixels >= most:
                return pixels
            if last and len(lengths) < 4096:
                lengths.append(last + 1)
            last = lengths[code]
            pixels += last
            if len(lengths) == 1 << size and size < 12:
                size += 1
    return pixels


def _webp(data: bytes) -> Cut | None:
    """Fill the place of the missing bytes in two ways, with some more: decoders read ahead."""
    at, around, stated = 12, [], bytearray(data)
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        end = at + 8 + length + length % 2
        if name not in (b"VP8 ", b"VP8L", b"ANMF"):
            at = end
        elif not len(data) < end < _MOST_GROWTH * len(data):
            return None
        elif name == b"ANMF":  # contains the picture
            around.append((at, length))
            at += 24
        else:
            more = length + length % 2
            for place, stated_length in [*around, (at, length)]:
                struct.pack_into("<I", stated, place + 4, stated_length + more)
            fills = (fill * (end + more - len(data)) for fill in (b"\0", b"\xaa"))
            one, other = (bare_webp(bytes(stated) + fill, False) for fill in fills)
            return Cut(one, other=other)
    return None


def _equal_lines(image: Image.Image, other: bytes) -> int:
    """Return how many lines of a WebP do not depend on the bytes that were added."""
    lines = [zlib.crc32(line) for line in _lines(image)]
    another = WebPImageFile(BytesIO(other))
    another.load()
    pairs = zip(lines, map(zlib.crc32, _lines(another)), strict=True)
    return next((at for at, (one, two) in enumerate(pairs) if one != two), image.height)


def _lines(image: Image.Image) -> Iterator[bytes]:
    for at in range(image.height):
        yield image.crop((0, at, image.width, at + 1)).tobytes()


def _bmp(data: bytes) -> Cut | None:
    (start, size) = struct.unpack_from("<II", data, 10)
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", data, 18)
    (bits,) = struct.unpack_from("<H", data, 24 if size == 12 else 28)
    packed = size > 12 and struct.unpack_from("<I", data, 30)[0] not in (0, 3)
    line = (width * bits + 31) // 32 * 4
    lines, missing = (len(data) - start) // line, start + line * abs(height) - len(data)
    if packed or lines <= 0 or not 0 < missing < _MOST_GROWTH * len(data):
        return None
    return Cut(data + bytes(missing), lines, bottom_up=height > 0)


def _tiff(data: bytes) -> Cut | None:
    image = Tiff(BytesIO(data))
    tags = image.tag_v2
    width, height = tags[256], tags[257]
    if tags.get(284, 1) != 1 and tags.get(277, 1) > 1:
        return None  # each colour is stored apart, and the last are missing
    plain = image.tile[0].codec_name == "raw"
    if 324 in tags:  # tiles
        across, rows, offsets, sizes = -(-width // tags[322]), tags[323], tags[324], tags[325]
    else:
        across, rows, offsets, sizes = 1, min(tags.get(278, height), height), tags[273], tags[279]
    ends = [offset + size for offset, size in zip(offsets, sizes, strict=True)]
    inside = 0  # strips, or rows of tiles
    while inside < len(ends) // across and max(ends[inside * across :][:across]) <= len(data):
        inside += 1
    lines = inside * rows
    if plain and across == 1 and inside < len(ends):
        line = (width * sum(tags.get(258, (1,))) + 7) // 8
        lines += max(0, len(data) - offsets[inside]) // line
    if not 0 < lines < height or max(ends) > _MOST_GROWTH * len(data):
        return None
    turn = tags.get(_ORIENTATION, 1)
    data = _with_tag(data, _ORIENTATION, 1)  # or Pillow would turn the picture before we see it
    if plain:
        return Cut(data + bytes(max(ends) - len(data)), lines, orientation=turn)
    return Cut(_with_tag(data, 257, lines), lines, height, orientation=turn)


_ORIENTATION = 274


def _with_tag(data: bytes, tag: int, value: int) -> bytes:
    """Return a TIFF whose first directory has another value of a tag that it contains."""
    directory = Directory(data)
    return directory.with_entries(
        directory.with_value(entry, value) if entry.tag == tag else entry
        for entry in directory.entries
    )
