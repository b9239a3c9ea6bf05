"""Open a TIFF with Pillow, or OpenCV, and reject the layouts that they silently read wrongly."""

from __future__ import annotations

import ctypes
import logging
from contextlib import suppress
from functools import cache
from io import BytesIO
from typing import Any

from numpy.typing import NDArray
from PIL import ImageFile, ImagePalette, _imaging
from PIL.TiffImagePlugin import TiffImageFile

from .directory import Directory
from .opencv import read_with_opencv

#: libtiff returns values in the machine's byte order, which Pillow respects in some modes only.
_NATIVE = {
    "F;32F": "F;32NF", "F;32BF": "F;32NF",
    "I;16S": "I;16NS", "I;16BS": "I;16NS",
    "I;32S": "I;32NS", "I;32BS": "I;32NS",
}  # fmt: skip

#: Number of bands of each photometric interpretation that has more than one.
_BANDS = {2: 3, 5: 4, 6: 3, 8: 3}
_RGB, _YCBCR = 2, 6

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _PLANES = 256, 257, 258, 262, 277, 284
_COLORMAP, _EXTRA, _FORMAT = 320, 338, 339
_STRIPS = (273, 279, 324, 325)
_APART = 2

#: Sample formats and bits that OpenCV reads: signed and unsigned integers, and real numbers.
_OF_OPENCV = {(2, 16), (1, 32), (2, 32), (3, 32), (3, 64)}


class Tiff(TiffImageFile):
    """A reader of TIFF files that raises SyntaxError for layouts that it does not decode.

    Pillow does not know double precision, and colours that are real numbers or signed. OpenCV
    decodes them (see :meth:`values`), and turns them upright.

    Separate bands are decoded if all belong to the picture itself, those of more than 8 bits as
    pictures of their own (see :meth:`plane`). With others, Pillow ignores extra bands, reads
    opacity as brightness, and loses the lower bytes of 16-bit values.
    """

    #: The number of bands that are decoded one by one.
    n_planes = 0

    #: Whether OpenCV decodes the picture.
    for_opencv = False

    def __init__(self, *args: Any) -> None:
        _silence()
        super().__init__(*args)

    def _setup(self) -> None:
        tags = self.tag_v2
        photometric = tags.get(_PHOTOMETRIC, 0)
        bands, samples = _BANDS.get(photometric, 1), tags.get(_SAMPLES, 1)
        if tags.get(_PLANES) == _APART and samples > 1:
            if self._is_apart_and_deep():
                self.n_planes = samples
                self._size, self._mode, self.tile = (tags[_WIDTH], tags[_HEIGHT]), "F", []
                return
            opacity = photometric == _RGB and tags.get(_EXTRA, (0,)) != (0,)
            deep = max(tags.get(_BITS, (8,))) > 8
            if samples > bands + opacity or deep or photometric == _YCBCR:
                raise SyntaxError("unknown pixel mode")
        try:
            super()._setup()  # type: ignore[no-untyped-call, unused-ignore]
        except SyntaxError:
            self.for_opencv = self._is_for_opencv()
            if not self.for_opencv:
                raise
            self._size, self._mode, self.tile = (tags[_WIDTH], tags[_HEIGHT]), "F", []
            return
        if self.tile and self.tile[0][0] == "libtiff" and rawmode_of(self) in _NATIVE:
            in_rawmode(self, _NATIVE[rawmode_of(self)])
        colours = tags.get(_COLORMAP, ())
        if self.mode == "P" and 0 < max(colours) < 256:  # some programs wrote 8 bits of 16
            self.palette = ImagePalette.raw("RGB;L", bytes(colours))

    def load(self) -> Any:
        """Load the picture, or say that lines are missing or its compression is not available."""
        if self.tile and max(tile[1][3] for tile in self.tile if tile[1]) < self.tag_v2[_HEIGHT]:
            raise OSError("image file is truncated")
        try:
            return super().load()
        except OSError:
            if self._compression == "webp":  # which Pillow names, and libtiff may lack
                raise SyntaxError("compression not available") from None
            raise

    def _is_apart_and_deep(self) -> bool:
        tags = self.tag_v2
        bits, kinds = {*tags.get(_BITS, (1,))}, {*tags.get(_FORMAT, (1,))}
        return (
            tags.get(_PHOTOMETRIC) == _RGB
            and tags[_SAMPLES] in (3, 4)
            and len(bits) == len(kinds) == 1
            and (*kinds, *bits) in {(1, 16), (3, 32), (3, 64)}
        )

    def plane(self, number: int) -> BytesIO:
        """Return a TIFF of one of the bands that are stored apart."""
        assert isinstance(self.fp, BytesIO)
        directory = Directory(self.fp.getvalue())
        entries = []
        for entry in directory.entries:
            if entry.tag in (_BITS, _FORMAT):
                entry = directory.some_values(entry, 0, 1)
            elif entry.tag in (_PHOTOMETRIC, _SAMPLES, _PLANES):
                entry = directory.with_value(entry, 1)
            elif entry.tag in _STRIPS:
                n = entry.n // self.n_planes
                entry = directory.some_values(entry, n * number, n)
            if entry.tag != _EXTRA:
                entries.append(entry)
        return BytesIO(directory.with_entries(entries))

    def _is_for_opencv(self) -> bool:
        tags = self.tag_v2
        bits, samples = tags.get(_BITS, (1,)), tags.get(_SAMPLES, 1)
        kinds = tags.get(_FORMAT, (1,))
        bands = {0: (1,), 1: (1,), _RGB: (3, 4)}.get(tags.get(_PHOTOMETRIC, 0), ())
        return (
            samples in bands
            and (samples == 1 or tags.get(_PLANES, 1) != _APART)
            and len({*bits}) == len({*kinds}) == 1
            and (kinds[0], bits[0]) in _OF_OPENCV
        )

    @property
    def n_bytes(self) -> int:
        """Bytes of a pixel of a picture that Pillow alone does not decode."""
        return int(sum(self.tag_v2[_BITS]) // 8)

    def values(self) -> NDArray[Any]:
        """Return the upright values that OpenCV decodes, of one, three or four channels."""
        return read_with_opencv(self.fp)


def rawmode_of(image: ImageFile.ImageFile) -> str:
    """Return Pillow's name for how the values of a picture that is not loaded are stored."""
    args = image.tile[0][3] if image.tile else ""
    return str(args[0] if isinstance(args, tuple) else args)


def in_rawmode(image: ImageFile.ImageFile, rawmode: str) -> ImageFile.ImageFile:
    """Make Pillow read a picture that is not loaded as if its values had this raw mode."""
    tiles: list[Any] = []
    for tile in image.tile:
        args = (rawmode, *tile[3][1:]) if isinstance(tile[3], tuple) else rawmode
        tiles.append(tile._replace(args=args))
    image.tile = tiles
    return image


@cache
def _silence() -> None:
    """Stop libtiff from writing to the terminal. Pillow reports its errors."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    with suppress(OSError, AttributeError):  # if libtiff is not part of Pillow's own library
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
