"""From the bytes of a file to an upright RGB picture, or a reason why not.

Formats are told by content, never by the name of the file, and only the readers
of the six formats below ever see the bytes.
"""

from __future__ import annotations

import errno
import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from .reasons import Reason

#: Largest picture that is decoded, in pixels (a billion bytes in memory, and at most 13
#: for each pixel while it is decoded; tests/python/fuzz.py measures that). The size is
#: read from the header, so that a decompression bomb is refused before it unfolds.
#: Pillow's own global limit is lower, warns, and is not ours to change.
MAX_PIXELS = 250_000_000

#: The formats that are decoded, as named in the images table.
FORMATS: dict[str, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
}

#: How many bytes :func:`image_format` needs to see.
HEAD_BYTES = 1024

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"8BPS", "PSD"),
    (b"\0\0\1\0", "ICO"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script")

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableImage(Exception):
    """A file that does not give a picture.

    Parameters
    ----------
    reason : Reason
        Why, in the words of the images table.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


def open_image(
    source: str | os.PathLike[str] | bytes,
    *,
    min_pixels_side: int | None = None,
    longer: bool = False,
) -> Image.Image:
    """Decode a picture to RGB, upright, on white where it is transparent.

    Parameters
    ----------
    source : path or bytes
        A file, or its content.
    min_pixels_side : int, optional
        Lets a JPEG be decoded at 1/2, 1/4 or 1/8 of its scale (several times
        faster) as long as neither side falls below this many pixels. By default
        every picture comes in its full size.
    longer : bool, default False
        Only the longer side must not fall below it. (For thumbnails: decoding and
        shrinking then take 5.2 instead of 7.4 ms for photographs of 1.5 megapixels.)

    Returns
    -------
    PIL.Image.Image
        In mode RGB, 8 bits a channel; of an animation or a document of many
        pages, the first. 16-bit greys keep their upper 8 bits; values without a
        fixed range (32-bit integers beyond 16 bits, floating point) are
        stretched from their least to their greatest. Colour profiles are not
        applied.

    Raises
    ------
    UnreadableImage
        With a reason, for everything that is not a whole picture in one of the
        formats of :data:`FORMATS` of at most :data:`MAX_PIXELS` pixels.
    """
    data = source if isinstance(source, bytes) else read_file(source)
    reader = FORMATS.get(_known_format(data))
    if reader is None:
        raise UnreadableImage(Reason.UNSUPPORTED)
    try:
        image = reader(BytesIO(data))
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableImage(Reason.TOO_LARGE)
        if min_pixels_side is not None:
            least = [min_pixels_side, min_pixels_side]
            if longer:
                least[image.width >= image.height] = 1
            image.draft(None, (least[0], least[1]))
        image.load()
        return _upright(image, _rgb(image))
    except UnreadableImage:
        raise
    except (Image.DecompressionBombError, MemoryError):
        raise UnreadableImage(Reason.TOO_LARGE) from None
    except Exception as error:
        # Pillow's readers raise whatever a broken byte leads to: OSError, SyntaxError,
        # ValueError, IndexError, struct.error, zlib.error, ...
        raise UnreadableImage(Reason.DAMAGED) from error


def read_file(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a regular file, or :class:`UnreadableImage`."""
    file = Path(path)
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            # Opening a named pipe would wait for ever.
            readable = os.access(file, os.R_OK)
            raise UnreadableImage(Reason.NOT_A_FILE if readable else Reason.NO_PERMISSION)
        return file.read_bytes()
    except PermissionError:
        raise UnreadableImage(Reason.NO_PERMISSION) from None
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a zero byte
        link = file.is_symlink()
        raise UnreadableImage(Reason.BROKEN_LINK if link else Reason.NOT_FOUND) from None
    except OSError as error:
        circle = error.errno == errno.ELOOP
        raise UnreadableImage(Reason.BROKEN_LINK if circle else Reason.UNREADABLE) from None


def image_format(head: bytes) -> str | None:
    """The format of a file by its first :data:`HEAD_BYTES` bytes; None if it is no image.

    Formats that are recognised but not decoded (HEIF, AVIF, SVG, ...) are named too.
    """
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "HEIF" if brand in _HEIF_BRANDS else "AVIF" if brand in _AVIF_BRANDS else None
    text = _text_start(head)
    if text.startswith((b"<svg", b"<?xml")) and b"<svg" in text:
        return "SVG"
    return None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Pillow's warnings (odd EXIF and the like): our table says what matters.

    To be entered by the thread that starts the decoding ones, since Python's
    warning filters belong to the whole process.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _known_format(data: bytes) -> str:
    if not data:
        raise UnreadableImage(Reason.EMPTY)
    found = image_format(data[:HEAD_BYTES])
    if found is None:
        html = _text_start(data[:HEAD_BYTES]).startswith(_HTML_STARTS)
        raise UnreadableImage(Reason.HTML if html else Reason.NOT_AN_IMAGE)
    return found


def _text_start(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        white = Image.new("RGB", image.size, "white")
        for top, bottom in _strips(image.height, image.width):
            box = (0, top, image.width, bottom)
            layered = image.crop(box).convert("RGBA")
            white.paste(layered, box, mask=layered.getchannel("A"))
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    grey = np.empty(values.shape, dtype=np.uint8)
    strips = [slice(*strip) for strip in _strips(*values.shape)]
    if np.issubdtype(values.dtype, np.integer) and values.min() >= 0 and values.max() < 2**16:
        for strip in strips:
            grey[strip] = values[strip] >> 8
        return grey

    def finite(strip: slice) -> NDArray[np.float64]:
        return np.nan_to_num(values[strip].astype(np.float64), posinf=0, neginf=0)

    low = min(finite(strip).min() for strip in strips)
    high = max(finite(strip).max() for strip in strips)
    scale = 255 / (high - low) if high > low else 0
    for strip in strips:
        grey[strip] = np.rint((finite(strip) - low) * scale)
    return grey


def _strips(height: int, width: int) -> Iterator[tuple[int, int]]:
    """First and last row of strips of a million pixels: copies of a picture cost little so."""
    rows = max(1, 2**20 // max(width, 1))
    return ((top, min(top + rows, height)) for top in range(0, height, rows))


def _upright(source: Image.Image, picture: Image.Image) -> Image.Image:
    try:
        method = _UPRIGHT.get(source.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        # A picture with damaged EXIF is still a picture.
        return picture
    return picture if method is None else picture.transpose(method)
