"""Open a JPEG 2000 with Pillow, in the smallest of its stored sizes that is large enough."""

from __future__ import annotations

import math
import struct
from io import BytesIO
from typing import Any

from numpy.typing import NDArray
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from .opencv import read_with_opencv

#: The description of colours as luminance and chrominance.
_YCC = b"colr\x01\0\0\0\0\0\x12"

_SIZES, _CODING, _TILE = b"\xff\x4f\xff\x51", b"\xff\x52", b"\xff\x90"


class Jpeg2000(Jpeg2KImageFile):
    """A reader of JPEG 2000 files, which store each picture in several sizes."""

    @property
    def bits(self) -> int:
        """Bits of the first channel, before the picture is loaded."""
        start = _data(self).find(_SIZES)
        return (_data(self)[start + 42] & 0x7F) + 1 if start >= 0 else 8

    @property
    def for_opencv(self) -> bool:
        """Whether OpenCV decodes the picture: of deeper colours, Pillow keeps the upper bits."""
        return self.mode in ("RGB", "RGBA") and self.bits > 8 and _YCC not in _data(self)[:1000]

    def values(self) -> NDArray[Any]:
        """Return the values that OpenCV decodes."""
        found = read_with_opencv(self.fp)
        if found.ndim != 3 or found.shape[2] != len(self.mode):
            raise OSError("unknown channels")
        return found

    @property
    def is_tiled(self) -> bool:
        """Whether the picture is decoded in parts, which takes less memory."""
        start = _data(self).find(_SIZES) + 24
        tile = struct.unpack_from(">II", _data(self), start)
        return bool(start > 24 and 2 * math.prod(tile) < math.prod(self.size))

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> None:
        """Choose the smallest stored size whose sides are at least ``size``."""
        del mode
        assert size is not None
        times = 0 if self.mode in ("P", "PA") else _halvings(_data(self))
        while times and any(
            _halved(side, times) < least for side, least in zip(self.size, size, strict=True)
        ):
            times -= 1
        if times:
            # Pillow's own ``reduce`` rounds some sizes down, where the standard rounds up.
            self._size = (_halved(self.width, times), _halved(self.height, times))
            (tile,) = self.tile
            assert isinstance(tile.args, tuple)
            codec, _, *rest = tile.args
            self.tile = [tile._replace(extents=(0, 0, *self._size), args=(codec, times, *rest))]


def _data(image: Jpeg2000) -> bytes:
    assert isinstance(image.fp, BytesIO)
    return image.fp.getvalue()


def _halved(side: int, times: int) -> int:
    return -(-side // (1 << times))


def _halvings(data: bytes) -> int:
    """Return how often a file stores its picture at half the scale, by its header.

    Files without loss are decoded in full size only: the smaller sizes depend on how the file is
    divided into tiles, and copies of a picture would differ in them.
    """
    at = data.find(_SIZES) + 2
    while data[at : at + 1] == b"\xff" and data[at : at + 2] != _TILE:
        if data[at : at + 2] == _CODING:
            lossy = data[at + 13 : at + 14] == b"\0"
            return min(data[at + 9], 3) if lossy else 0
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return 0
