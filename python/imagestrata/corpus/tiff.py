"""Open a TIFF with Pillow, and reject the layouts that Pillow silently reads wrongly."""

from __future__ import annotations

import ctypes
import logging
from contextlib import suppress
from functools import cache
from typing import Any

from PIL import ImagePalette, _imaging
from PIL.TiffImagePlugin import TiffImageFile

from .depth import in_rawmode, rawmode_of

#: libtiff returns values in the machine's byte order, which Pillow respects in some modes only.
_NATIVE = {
    "F;32F": "F;32NF", "F;32BF": "F;32NF",
    "I;16S": "I;16NS", "I;16BS": "I;16NS",
    "I;32S": "I;32NS", "I;32BS": "I;32NS",
}  # fmt: skip

#: Number of bands of each photometric interpretation that has more than one.
_BANDS = {2: 3, 5: 4, 6: 3, 8: 3}
_RGB = 2

_BITS, _PHOTOMETRIC, _SAMPLES, _PLANES, _COLORMAP, _EXTRA = 258, 262, 277, 284, 320, 338
_APART = 2


class Tiff(TiffImageFile):
    """A reader of TIFF files that raises SyntaxError for layouts that it does not decode.

    Separate bands are decoded if they have 8 bits and all belong to the picture itself. With
    others, Pillow ignores extra bands, reads opacity as brightness, and loses the lower bytes
    of 16-bit values.
    """

    def __init__(self, *args: Any) -> None:
        _silence()
        super().__init__(*args)

    def _setup(self) -> None:
        tags = self.tag_v2
        photometric = tags.get(_PHOTOMETRIC, 0)
        bands, samples = _BANDS.get(photometric, 1), tags.get(_SAMPLES, 1)
        if tags.get(_PLANES) == _APART and samples > 1:
            opacity = photometric == _RGB and tags.get(_EXTRA, (0,)) != (0,)
            if samples > bands + opacity or max(tags.get(_BITS, (8,))) > 8:
                raise SyntaxError("unknown pixel mode")
        super()._setup()  # type: ignore[no-untyped-call, unused-ignore]
        if self.tile and self.tile[0][0] == "libtiff" and rawmode_of(self) in _NATIVE:
            in_rawmode(self, _NATIVE[rawmode_of(self)])
        colours = tags.get(_COLORMAP, ())
        if self.mode == "P" and 0 < max(colours) < 256:  # some programs wrote 8 bits of 16
            self.palette = ImagePalette.raw("RGB;L", bytes(colours))


@cache
def _silence() -> None:
    """Stop libtiff from writing to the terminal. Pillow reports its errors."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    with suppress(OSError, AttributeError):  # if libtiff is not part of Pillow's own library
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
