"""Open an AVIF file with Pillow."""

from __future__ import annotations

from PIL.AvifImagePlugin import AvifImageFile


class Avif(AvifImageFile):
    """A reader of AVIF files that are turned upright as the container says.

    Pillow writes the container's orientation into EXIF. Where there is none, it would turn the
    picture by the orientation in XMP, which the standard ignores.
    """

    def _open(self) -> None:
        super()._open()  # type: ignore[no-untyped-call, unused-ignore]
        self.info.pop("xmp", None)
