"""Open a HEIF file with pillow-heif, whose Pillow plugin is not registered."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pillow_heif import HeifFile, HeifImageFile


class Heif(HeifImageFile):  # type: ignore[misc, unused-ignore]
    """A reader of HEIF files: their primary picture, as libheif turns it upright.

    The file says how the picture is turned and mirrored. Its EXIF orientation repeats this, and
    is ignored, as the standard requires.
    """

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> None:
        """Decode the picture itself: the thumbnail in the file is compressed once more."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file)  # type: ignore[no-untyped-call, unused-ignore]

    @property
    def bits(self) -> int:
        """Bits of each channel, before the picture is loaded."""
        return int(self.info.get("bit_depth", 8))

    def values(self) -> tuple[NDArray[np.uint16], str]:
        """Return the values of a picture of more than 8 bits, and Pillow's mode for them."""
        read: Any = HeifFile
        file = read(self.fp, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        image = file[file.primary_index]
        mode = image.mode.partition(";")[0].replace("I", "L")
        return np.array(image), mode
