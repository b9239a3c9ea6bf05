"""Open a TIFF with Pillow, which reads some of its many layouts wrongly without a word."""

from __future__ import annotations

import ctypes
import logging
from contextlib import suppress
from functools import cache
from typing import Any

from PIL import ImagePalette, _imaging
from PIL.TiffImagePlugin import TiffImageFile

from .depth import in_rawmode, rawmode_of

#: libtiff hands out values in the order of the machine, which Pillow allows for in some modes.
_NATIVE = {
    "F;32F": "F;32NF", "F;32BF": "F;32NF",
    "I;16S": "I;16NS", "I;16BS": "I;16NS",
    "I;32S": "I;32NS", "I;32BS": "I;32NS",
}  # fmt: skip

#: Bands of each photometric interpretation that has more than one.
_BANDS = {2: 3, 5: 4, 6: 3, 8: 3}
_RGB = 2

_BITS, _PHOTOMETRIC, _SAMPLES, _PLANES, _COLORMAP, _EXTRA = 258, 262, 277, 284, 320, 338
_APART = 2


class Tiff(TiffImageFile):
    """A TIFF; SyntaxError where its layout is not decoded.

    Bands that lie apart are read if they have 8 bits and are all of the picture's own: Pillow
    passes over others, takes opacity for brightness, and cannot tell the lower bytes of 16 bits.
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
    """Let libtiff, which writes to the terminal itself, say nothing: errors come by Pillow."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    with suppress(OSError, AttributeError):  # where it is part of Pillow's own library
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
