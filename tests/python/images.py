"""Test images, made with Pillow: good ones, bad ones and odd ones."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

ORIENTATION = 0x0112


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Pillow's warnings, as the threads of a step do."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def picture(seed: int, size: tuple[int, int] = (48, 32), mode: str = "RGB") -> Image.Image:
    """A smooth picture of its own, unlike those of other seeds."""
    values = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(values).resize(size, Image.Resampling.BICUBIC).convert(mode)


def encode(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """The bytes of a file with that picture."""
    buffer = BytesIO()
    if format == "HEIF":  # whose plugin no test registers: our users' Pillow does not have it
        pillow_heif.from_pillow(image).save(buffer, **options)
    else:
        image.save(buffer, format, **options)
    return buffer.getvalue()


#: Options with which HEIF loses nothing.
LOSSLESS_HEIF = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}


def turned(image: Image.Image, orientation: int, format: str = "JPEG", **options: Any) -> bytes:
    """A file with an EXIF orientation, whose stored pixels are ``image``."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(image, format, exif=exif, **options)


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files, making folders where needed; returns ``folder``."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def write_pictures(
    folder: Path, n: int, *, size: tuple[int, int] = (48, 32), first: int = 0
) -> Path:
    """``n`` different PNG files, 000.png and so on; returns ``folder``."""
    numbers = range(first, first + n)
    return write_files(folder, {f"{i:03d}.png": encode(picture(i, size)) for i in numbers})


def bomb(side: int = 60_000) -> bytes:
    """A PNG of a few hundred bytes whose header promises ``side`` x ``side`` pixels."""
    data = bytearray(encode(picture(0)))
    data[16:24] = side.to_bytes(4) + side.to_bytes(4)
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    return bytes(data)


HTML = b"<!DOCTYPE html>\n<html><body>404: this picture is gone</body></html>\n"


def bad_files() -> dict[str, tuple[bytes, str]]:
    """Name -> content and the reason for which it must be rejected."""
    jpeg = encode(picture(1, (96, 64)), "JPEG")
    return {
        "bomb.png": (bomb(), "too many pixels"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "truncated or damaged"),
        "cut.png": (encode(picture(2))[:-30], "truncated or damaged"),
        "empty.jpg": (b"", "empty file"),
        "page.jpg": (HTML, "HTML page"),
        "text.png": (b"just some text", "not an image"),
        "zeros.gif": (bytes(500), "not an image"),
        "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "format not supported"),
        "modern.jxl": (b"\xff\x0a" + bytes(40), "format not supported"),
        "phone.heic": (b"\0\0\0\x18ftypheic" + bytes(40), "truncated or damaged"),
        "dot.png": (encode(picture(3, (1, 1))), "below min_side"),
    }


def odd_files() -> dict[str, tuple[bytes, str, tuple[int, int]]]:
    """Name -> content, format and upright size of images that are fine, though unusual."""
    shape = picture(4, (40, 30))
    grey16 = Image.fromarray((np.arange(1200, dtype=np.uint16) * 54).reshape(30, 40))
    clear = shape.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(shape.size))
    frames = [picture(seed, (40, 30)) for seed in (5, 6, 7)]
    return {
        "cmyk.jpg": (encode(shape.convert("CMYK"), "JPEG"), "JPEG", (40, 30)),
        "grey.jpg": (encode(shape.convert("L"), "JPEG"), "JPEG", (40, 30)),
        "progressive.jpg": (encode(shape, "JPEG", progressive=True), "JPEG", (40, 30)),
        "turned.jpg": (turned(shape, 6), "JPEG", (30, 40)),
        "turned.tif": (turned(picture(8, (40, 30)), 8, "TIFF"), "TIFF", (30, 40)),
        "grey16.png": (encode(grey16), "PNG", (40, 30)),
        "grey16.tif": (encode(Image.fromarray(np.asarray(grey16)[::-1]), "TIFF"), "TIFF", (40, 30)),
        "clear.png": (encode(clear), "PNG", (40, 30)),
        "palette.png": (
            encode(picture(9, (40, 30)).convert("P"), transparency=3),
            "PNG",
            (40, 30),
        ),
        "moving.gif": (
            encode(frames[0], "GIF", save_all=True, append_images=frames[1:]),
            "GIF",
            (40, 30),
        ),
        "lossless.webp": (encode(picture(10, (40, 30)), "WEBP", lossless=True), "WebP", (40, 30)),
        "one-bit.bmp": (encode(picture(11, (40, 30)).convert("1"), "BMP"), "BMP", (40, 30)),
        "squeezed.tif": (
            encode(picture(12, (40, 30)), "TIFF", compression="tiff_lzw"),
            "TIFF",
            (40, 30),
        ),
        "phone-called.jpg": (encode(picture(15, (40, 30)), "HEIF"), "HEIF", (40, 30)),
        "web.avif": (encode(picture(16, (40, 30)), "AVIF"), "AVIF", (40, 30)),
        "archive.jp2": (encode(picture(17, (40, 30)), "JPEG2000"), "JPEG 2000", (40, 30)),
        "png-called.jpg": (encode(picture(13, (40, 30))), "PNG", (40, 30)),
        "no-ending": (encode(picture(14, (40, 30)), "JPEG"), "JPEG", (40, 30)),
    }
