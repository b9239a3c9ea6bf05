"""Makes a picture of a vignette small: the installed R package must take less than 9 MB."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

#: Above this many bytes a picture shows images rather than lines and letters.
DRAWN = 16_000

#: Above this many bytes it shows many images, and gets fewer pixels.
LARGE = 30_000


def shrink(path: str) -> str:
    """Replaces a PNG by a WebP of at most 800 pixels: exact if that is small, as plots are."""
    source = Path(path)
    with Image.open(source) as image:
        small = image.convert("RGB")
    small.thumbnail((800, 800))
    found = _encoded(small, lossless=True)
    if len(found) > DRAWN:
        found = _encoded(small, quality=60)
    if len(found) > LARGE:
        small.thumbnail((640, 640))
        found = _encoded(small, quality=60)
    target = source.with_suffix(".webp")
    target.write_bytes(found)
    source.unlink()
    return str(target)


def _encoded(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", method=6, **options)
    return buffer.getvalue()
