"""From the bytes of a file to an upright RGB picture, or a reason why not.

Formats are told by content, never by the name of the file, and only the readers
of the six formats below ever see the bytes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray
from PIL import GifImagePlugin, Image, ImageFile, TiffImagePlugin
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from ..work import ItemError
from .bare import is_endless, is_odd_jpeg, without_metadata
from .depth import eight_bits, is_deep, is_exact, read_deep
from .reasons import Reason
from .tiff import Tiff

#: Largest picture that is decoded, in pixels; half as many in colours of 16 bits. (A billion
#: bytes in memory, and at most 13 for each pixel while it is decoded; tests/python/fuzz.py
#: measures that.) The size is read from the header, so that a decompression bomb is refused
#: before it unfolds. Pillow's own limit is lower, warns, and belongs to the whole process.
MAX_PIXELS = 250_000_000

#: Largest file that is read, in bytes: what the largest picture takes uncompressed, with 16
#: bits a channel. A film with the ending of a picture is refused before it is read.
MAX_BYTES = 1 << 31

#: The formats that are decoded, as named in the images table.
FORMATS: dict[str, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": Tiff,
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


#: What Pillow says of files that are whole, and of a kind that it does not decode.
_NOT_DECODED = re.compile(
    r"unknown pixel mode|unknown raw mode|unknown data organization|unsupported bmp|cannot handle"
    r"|not yet supported|not available",
    re.IGNORECASE,
)

#: Tags that a TIFF must have: an error about another number is about its compression.
_TIFF_TAGS = range(254, 342)


class UnreadableImage(ItemError):
    """A file that does not give a picture; the reason is a :class:`Reason`."""


class Decoded(NamedTuple):
    """A picture as people see it, and as it was stored.

    Attributes
    ----------
    shown : PIL.Image.Image
        As :func:`open_image` returns it.
    exact : PIL.Image.Image or ndarray
        Upright, in the depth, with the transparency and in the colours (CMYK, Lab) stored:
        what :func:`~imagestrata.corpus.duplicates.pixel_hash` compares. The same as
        ``shown`` where that holds everything.
    """

    shown: Image.Image
    exact: Image.Image | NDArray[Any]


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
        In mode RGB, 8 bits a channel and without metadata; of an animation or a
        document of many pages, the first. Values of up to 16 bits are taken to
        have the fewest of 8, 10, 12, 14 or 16 bits that hold them all, and keep
        the upper 8 of these: 12-bit pictures stored in 16 bits are not black.
        Floating-point numbers that fill most of 0 to 1, 0 to 255 or 0 to 65535
        have that range; other values without a fixed range are stretched from
        their least to their greatest. Colour profiles are not applied.

    Raises
    ------
    UnreadableImage
        With a reason, for everything that is not a whole picture in one of the
        formats of :data:`FORMATS` of at most :data:`MAX_PIXELS` pixels.

    Notes
    -----
    Metadata that cannot be read (profiles, comments, EXIF) is passed over.
    """
    return decode(source, min_pixels_side=min_pixels_side, longer=longer).shown


def decode(
    source: str | os.PathLike[str] | bytes,
    *,
    min_pixels_side: int | None = None,
    longer: bool = False,
) -> Decoded:
    """Decode a picture, see :func:`open_image`, and keep what it holds besides."""
    try:
        data = source if isinstance(source, bytes) else read_file(source)
        format = _known_format(data)
        reader = FORMATS.get(format)
        if reader is None:
            raise UnreadableImage(Reason.UNSUPPORTED)
        if is_endless(format, data):
            raise UnreadableImage(Reason.DAMAGED)
        least = None
        if min_pixels_side is not None:
            least = (min_pixels_side, 0 if longer else min_pixels_side)
        with pillow_as_needed():
            try:
                return _decode(reader, data, least)
            except _FINAL:
                raise
            # Pillow's readers raise whatever a broken byte leads to: OSError, SyntaxError,
            # ValueError, IndexError, struct.error, zlib.error, ...
            except Exception as error:
                for bare in without_metadata(format, data):
                    with suppress(Exception):
                        return _decode(reader, bare, least)
                unsupported = _is_unsupported(error, data)
                reason = Reason.UNSUPPORTED if unsupported else Reason.DAMAGED
                raise UnreadableImage(reason) from error
    except Image.DecompressionBombError:
        raise UnreadableImage(Reason.TOO_MANY_PIXELS) from None
    except MemoryError:
        raise UnreadableImage(Reason.TOO_LARGE) from None


#: Errors that other bytes of metadata would not change.
_FINAL = (UnreadableImage, Image.DecompressionBombError, MemoryError)


def read_file(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a regular file, or :class:`UnreadableImage`."""
    return _read(path, None)


def read_scanned(image_id: str, path: str) -> bytes:
    """The bytes that were scanned under an id; else :class:`UnreadableImage`.

    The one place where that is checked. A file that changed is a failure: what is made of it
    would be taken for what comes of the other picture.
    """
    data = read_file(path)
    if not image_id or not hashlib.sha256(data).hexdigest().startswith(image_id):
        raise UnreadableImage(Reason.CHANGED)
    return data


def read_head(path: str | os.PathLike[str]) -> bytes:
    """The first :data:`HEAD_BYTES` bytes of a regular file, or :class:`UnreadableImage`."""
    return _read(path, HEAD_BYTES)


def _read(path: str | os.PathLike[str], n_bytes: int | None) -> bytes:
    file = Path(path)
    try:
        state = file.stat()
        if not stat.S_ISREG(state.st_mode):
            # Opening a named pipe would wait for ever.
            readable = os.access(file, os.R_OK)
            raise UnreadableImage(Reason.NOT_A_FILE if readable else Reason.NO_PERMISSION)
        if not state.st_size and os.access(file, os.R_OK):
            return b""  # files of the system that are never at an end have no size either
        if n_bytes is None and state.st_size > MAX_BYTES:
            raise UnreadableImage(Reason.TOO_LARGE)
        with file.open("rb") as opened:
            return opened.read(state.st_size if n_bytes is None else n_bytes)
    except MemoryError:
        raise UnreadableImage(Reason.TOO_LARGE) from None
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


#: Guards the switches below while several threads decode.
_switching = threading.Lock()
_decoding = 0
_theirs: dict[tuple[Any, str], Any] = {}


_OURS: tuple[tuple[Any, str, Any], ...] = (
    (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
    (Image, "MAX_IMAGE_PIXELS", MAX_PIXELS),
    (GifImagePlugin, "LOADING_STRATEGY", GifImagePlugin.LoadingStrategy.RGB_AFTER_FIRST),
    (TiffImagePlugin, "READ_LIBTIFF", False),
)


class pillow_as_needed:
    """Set the switches of Pillow that belong to the whole process, and set them back.

    A session may have set them to read half pictures, or to refuse large ones. (A class,
    since it is entered for every picture, and a generator takes twice as long.)
    """

    def __enter__(self) -> None:
        global _decoding
        with _switching:
            if not _decoding:
                _theirs.clear()
            _decoding += 1
            for module, name, value in _OURS:
                found = getattr(module, name)
                if found is not value:
                    _theirs[module, name] = found
                    setattr(module, name, value)

    def __exit__(self, *_: object) -> None:
        global _decoding
        with _switching:
            _decoding -= 1
            if not _decoding and _theirs:
                for module, name, value in _OURS:
                    # Else it was not changed, or was set meanwhile.
                    if (module, name) in _theirs and getattr(module, name) is value:
                        setattr(module, name, _theirs[module, name])


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


def _decode(
    reader: Callable[[BytesIO], ImageFile.ImageFile], data: bytes, least: tuple[int, int] | None
) -> Decoded:
    """Decode with one of Pillow's readers; ``least`` is for the longer and the shorter side."""

    def open_file() -> ImageFile.ImageFile:
        return reader(BytesIO(data))

    image = open_file()
    deep = reader is not JpegImageFile and is_deep(image)
    weight = 2 if deep and len(image.getbands()) > 1 else 1  # two bytes a channel
    if image.width * image.height * weight > MAX_PIXELS:
        raise UnreadableImage(Reason.TOO_MANY_PIXELS)
    if deep:
        values, mode = read_deep(open_file, _upright)
        eight = eight_bits(values, mode)
        shown = as_rgb(eight)
        if not is_exact(values, eight):
            return Decoded(shown, values)
        return Decoded(shown, _exact(eight, shown))
    if least is not None:
        longer, shorter = (max(1, side) for side in least)
        wide = image.width >= image.height
        image.draft(None, (longer, shorter) if wide else (shorter, longer))
    upright = _upright(image)
    shown = as_rgb(upright)
    return Decoded(shown, _exact(upright, shown))


def _is_unsupported(error: Exception, data: bytes) -> bool:
    """Whether a file is whole, and of a kind within its format that is not decoded."""
    if _NOT_DECODED.search(str(error)) or (data[:2] == b"\xff\xd8" and is_odd_jpeg(data)):
        return True
    cause = error.__cause__
    return (
        data[:2] in (b"II", b"MM")
        and isinstance(cause, KeyError)
        and isinstance(cause.args[0], int)
        and cause.args[0] not in _TIFF_TAGS
    )


def as_rgb(image: Image.Image) -> Image.Image:
    """A picture in RGB, on white, and nothing else that its file said."""
    if image.has_transparency_data:
        shown = Image.new("RGB", image.size, "white")
        for box in strips(image):
            layered = rgba(image.crop(box))
            shown.paste(layered, box, mask=layered.getchannel("A"))
        return shown
    shown = image if image.mode == "RGB" else image.convert("RGB")
    shown.info = {}
    return shown


def _exact(image: Image.Image, shown: Image.Image) -> Image.Image:
    """Whichever of a picture and what is seen of it holds all there is."""
    if image is shown:
        return shown
    if image.has_transparency_data:
        opaque = all(
            rgba(image.crop(box)).getchannel("A").getextrema()[0] == 255 for box in strips(image)
        )
        return shown if opaque else image
    return image if image.mode in ("CMYK", "LAB") else shown


def rgba(image: Image.Image) -> Image.Image:
    """The picture in RGBA, from any mode."""
    if image.mode == "La":  # Pillow knows no direct way
        image = image.convert("LA")
    return image if image.mode == "RGBA" else image.convert("RGBA")


def strips(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of a million pixels, from top to bottom: copies of a picture cost little so."""
    rows = max(1, 2**20 // max(image.width, 1))
    for top in range(0, image.height, rows):
        yield 0, top, image.width, min(top + rows, image.height)


def _upright(image: Image.Image) -> Image.Image:
    """Load a picture, and turn it as its EXIF says."""
    image.load()
    try:
        method = _UPRIGHT.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        # A picture with damaged EXIF is still a picture.
        return image
    return image if method is None else image.transpose(method)
