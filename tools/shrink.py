"""Makes a picture of a vignette small: the installed R package must take less than 6 MB."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

#: Above this many bytes a picture shows images rather than lines and letters.
DRAWN = 16_000


def shrink(path: str) -> str:
    """Replaces a PNG by a WebP of at most 800 pixels: exact if that is small, as plots are."""
    source = Path(path)
    with Image.open(source) as image:
        small = image.convert("RGB")
    small.thumbnail((800, 800))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", lossless=True, method=6)
    if buffer.tell() > DRAWN:
        buffer = io.BytesIO()
        small.save(buffer, "WEBP", quality=70, method=6)
    target = source.with_suffix(".webp")
    target.write_bytes(buffer.getvalue())
    source.unlink()
    return str(target)
