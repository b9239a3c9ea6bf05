"""Files of more than eight bits a channel, written byte by byte."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from imagestrata.corpus.decode import open_image

Y, X = np.mgrid[:32, :48]
#: A picture of real numbers between 0.1 and 0.9, of three channels.
SHAPE = np.stack([0.1 + 0.8 * X / 47, 0.1 + 0.8 * Y / 31, 0.5 + 0.4 * np.sin(X / 7)], axis=2)

#: What numbers of the tags of a TIFF mean: names of their types, as struct writes them.
_TYPES = {3: "H", 4: "I"}


def tiff(values, photometric=1, bits=None, sample_format=1, order="<", data=None, **tags):
    """A TIFF without compression; ``tags`` are more of them, such as ``t280=5``."""
    height, width = values.shape[:2]
    channels = values.shape[2] if values.ndim == 3 else 1
    data = values.astype(values.dtype.newbyteorder(order)).tobytes() if data is None else data
    bits = bits or 8 * values.dtype.itemsize
    entries = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * channels), 259: (3, [1]),
        262: (3, [photometric]), 273: (4, [8]), 277: (3, [channels]), 278: (4, [height]),
        279: (4, [len(data)]), 339: (3, [sample_format] * channels),
        **{int(name[1:]): (3, list(value)) for name, value in tags.items()},
    }  # fmt: skip
    body = data + bytes(len(data) % 2)
    at, fields = 8 + len(body), b""
    for tag in sorted(entries):
        kind, numbers = entries[tag]
        packed = struct.pack(f"{order}{len(numbers)}{_TYPES[kind]}", *numbers)
        if len(packed) > 4:
            place, at, body = struct.pack(order + "I", at), at + len(packed), body + packed
        else:
            place = packed.ljust(4, b"\0")
        fields += struct.pack(order + "HHI", tag, kind, len(numbers)) + place
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return start + body + struct.pack(order + "H", len(entries)) + fields + bytes(4)


def png(values, color, **chunks):
    """A PNG with 16 bits a channel."""
    rows = values.astype(">u2").reshape(len(values), -1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, color, 0, 0, 0)
    parts = {b"IHDR": header, **{k.encode(): v for k, v in chunks.items()}, b"IDAT": packed}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in {**parts, b"IEND": b""}.items()
    )


def seen(data):
    return np.asarray(open_image(data)).astype(float) / 255
