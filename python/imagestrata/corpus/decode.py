"""Decode the bytes of a file to an upright RGB picture, or give a reason why this fails.

The content decides the format, never the name of the file. Only the readers of the formats
below receive the bytes.
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
from PIL import AvifImagePlugin, GifImagePlugin, Image, ImageFile, TiffImagePlugin
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pillow_heif import options as heif_options

from ..work import ItemError
from .avif import Avif
from .bare import is_endless, is_odd_jpeg, without_metadata
from .depth import eight_bits, is_deep, is_exact, read_deep
from .heif import Heif
from .jpeg2000 import Jpeg2000
from .reasons import Reason
from .small import side_of_copy
from .tiff import Tiff
from .truncated import Cut, repair

#: Largest picture that is decoded, in pixels; fewer where decoding takes more memory, such as half
#: as many for 16-bit colours (see ``_weight``). (It takes a billion bytes in memory; decoding takes
#: at most 13 bytes for each of so many pixels, which tests/python/fuzz.py measures.) The size is
#: read from the header, so that a decompression bomb is rejected before it is decoded. Pillow's
#: own limit is lower, only warns, and applies to the whole process.
MAX_PIXELS = 250_000_000

#: Largest file that is read, in bytes: the largest picture, uncompressed, with 16 bits a
#: channel. A film that is named like a picture is rejected before it is read.
MAX_BYTES = 1 << 31

#: The formats that are decoded, as named in the images table.
FORMATS: dict[str, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": Tiff,
    "AVIF": Avif,
    "HEIF": Heif,
    "JPEG 2000": Jpeg2000,
}

#: Number of bytes that :func:`image_format` needs.
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
#: Brands in the file type box of a container (ISO/IEC 14496-12), from the most specific.
_BRANDS = (
    ("AVIF", {b"avif", b"avis"}),
    ("HEIF", {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}),
    ("HEIF", {b"mif1", b"mif2", b"msf1", b"miaf", b"MiHE"}),
)
#: Major brands of films, which may name pictures among the brands that they are compatible with.
_FILM_BRANDS = {b"isom", b"iso2", b"mp41", b"mp42", b"M4V ", b"qt  ", b"avc1", b"3gp4", b"3gp5"}
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
_SIDEWAYS = {_UPRIGHT[tag] for tag in (5, 6, 7, 8)}


#: Pillow's messages about intact files of a kind that it does not decode.
_NOT_DECODED = re.compile(
    r"unknown pixel mode|unknown raw mode|unknown data organization|unsupported bmp|cannot handle"
    r"|not yet supported|not available|not installed|unsupported feature|unsupported codec",
    re.IGNORECASE,
)

#: Tags of a TIFF. A KeyError with a number outside this range is about the compression.
_TIFF_TAGS = range(254, 342)


class UnreadableImage(ItemError):
    """A file cannot be decoded to a picture; the reason is a :class:`Reason`."""


class Decoded(NamedTuple):
    """A picture as viewers see it, and as the file stores it.

    Attributes
    ----------
    shown : PIL.Image.Image
        The picture that :func:`open_image` returns.
    exact : PIL.Image.Image or ndarray
        The upright picture in its stored depth and colours (CMYK, Lab), with transparency.
        :func:`~imagestrata.corpus.duplicates.pixel_hash` compares it. It is ``shown`` itself
        if that contains the same information.
    size : tuple of int
        Width and height of the upright picture in its full size.
    share : float or None
        The share of its lines that a truncated file contains, None for a whole file.
    """

    shown: Image.Image
    exact: Image.Image | NDArray[Any]
    size: tuple[int, int]
    share: float | None = None


def open_image(
    source: str | os.PathLike[str] | bytes,
    *,
    min_pixels_side: int | None = None,
    longer: bool = False,
    truncated: bool = False,
) -> Image.Image:
    """Decode a picture to upright RGB; transparent pixels are shown on white.

    Parameters
    ----------
    source : path or bytes
        A file, or its content.
    min_pixels_side : int, optional
        Smallest number of pixels that both sides keep. A JPEG or lossy JPEG 2000 is decoded
        at 1/2, 1/4 or 1/8 of its scale (several times faster) as long as it keeps them. By
        default every picture is decoded in its full size.
    longer : bool, default False
        Apply ``min_pixels_side`` to the longer side only. (For thumbnails: decoding and
        shrinking then take 5.2 instead of 7.4 ms for photographs of 1.5 megapixels.)
    truncated : bool, default False
        Show the first lines of a file that ends too early, and grey below. Where a scan
        accepted the image, the picture is always read in this way.

    Returns
    -------
    PIL.Image.Image
        Picture in mode RGB, with 8 bits a channel and without metadata. For an animation or
        a document of several pages, it is the first one. The depth of values of up to 16
        bits is the smallest of 8, 10, 12, 14 and 16 bits that holds all of them; the upper 8
        bits are kept, so that 12-bit pictures stored in 16 bits are not black.
        Floating-point numbers that fill most of 0 to 1, 0 to 255 or 0 to 65535 are read on
        that range. Other values are stretched from the lowest to the highest, or between the
        limits that the file states. Colour profiles are not applied.

    Raises
    ------
    UnreadableImage
        If the file is not an intact picture in one of :data:`FORMATS`, or has more than
        :data:`MAX_PIXELS` pixels. The error holds the reason.

    Notes
    -----
    Metadata that cannot be read (profiles, comments, EXIF) is ignored.
    """
    return decode(source, min_pixels_side=min_pixels_side, longer=longer, truncated=truncated).shown


def decode(
    source: str | os.PathLike[str] | bytes,
    *,
    min_pixels_side: int | None = None,
    longer: bool = False,
    truncated: bool = False,
) -> Decoded:
    """Decode a picture as :func:`open_image` does, and keep its stored form as well."""
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
            # Damaged bytes make Pillow's readers raise many types: OSError, SyntaxError,
            # ValueError, IndexError, struct.error, zlib.error, ...
            except Exception as error:
                if format == "JPEG 2000" and least is not None:  # some tiles cannot be halved
                    with suppress(Exception):
                        return _decode(reader, data, None)
                for bare in without_metadata(format, data):
                    with suppress(Exception):
                        return _decode(reader, bare, least)
                cut = repair(format, data) if truncated else None
                for some in [cut.data, *without_metadata(format, cut.data)] if cut else []:
                    with suppress(Exception):
                        return _decode(reader, some, least, cut)
                unsupported = _is_unsupported(error, data)
                reason = Reason.UNSUPPORTED if unsupported else Reason.DAMAGED
                raise UnreadableImage(reason) from error
    except Image.DecompressionBombError:
        raise UnreadableImage(Reason.TOO_MANY_PIXELS) from None
    except MemoryError:
        raise UnreadableImage(Reason.TOO_LARGE) from None


#: Errors that do not depend on metadata.
_FINAL = (UnreadableImage, Image.DecompressionBombError, MemoryError)


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Read a regular file, or raise :class:`UnreadableImage`."""
    return _read(path, None)


def read_scanned(image_id: str, path: str) -> bytes:
    """Read the file that was scanned under an id, or raise :class:`UnreadableImage`.

    Only this function checks that. A file that has changed is a failure: otherwise results of
    the new picture would appear under the id of the old one. A small copy does not replace the
    original, which is missing.
    """
    data = read_file(path)
    if not image_id or not hashlib.sha256(data).hexdigest().startswith(image_id):
        small = side_of_copy(image_id, path) is not None
        raise UnreadableImage(Reason.NOT_FOUND if small else Reason.CHANGED)
    return data


def read_head(path: str | os.PathLike[str]) -> bytes:
    """Read the first :data:`HEAD_BYTES` bytes of a file, or raise :class:`UnreadableImage`."""
    return _read(path, HEAD_BYTES)


def _read(path: str | os.PathLike[str], n_bytes: int | None) -> bytes:
    file = Path(path)
    try:
        state = file.stat()
        if not stat.S_ISREG(state.st_mode):
            # Opening a named pipe would block forever.
            readable = os.access(file, os.R_OK)
            raise UnreadableImage(Reason.NOT_A_FILE if readable else Reason.NO_PERMISSION)
        if not state.st_size and os.access(file, os.R_OK):
            return b""  # endless system files also have size 0
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
    """Return the format of a file from its first :data:`HEAD_BYTES` bytes, None if not an image.

    This includes formats that are recognised but not decoded (SVG, JPEG XL, PSD, ...).
    """
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if head[4:8] == b"ftyp":
        return _container_format(head)
    text = _text_start(head)
    if text.startswith((b"<svg", b"<?xml")) and b"<svg" in text:
        return "SVG"
    return None


def _container_format(head: bytes) -> str | None:
    """Return the format that the brands of a container state, the first of them above all."""
    major, end = head[8:12], int.from_bytes(head[:4])
    if major in _FILM_BRANDS:
        return None
    others = {head[at : at + 4] for at in range(16, min(end, len(head)), 4)}
    for brands in ({major}, {major, *others}):
        for name, known in _BRANDS[:2]:
            if brands & known:
                return name
    return "HEIF" if {major, *others} & _BRANDS[2][1] else None


#: Protects the settings below while several threads decode.
_switching = threading.Lock()
_decoding = 0
_theirs: dict[tuple[Any, str], Any] = {}


_OURS: tuple[tuple[Any, str, Any], ...] = (
    (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
    (Image, "MAX_IMAGE_PIXELS", MAX_PIXELS),
    (GifImagePlugin, "LOADING_STRATEGY", GifImagePlugin.LoadingStrategy.RGB_AFTER_FIRST),
    (TiffImagePlugin, "READ_LIBTIFF", False),
    # Several pictures are decoded at the same time.
    (AvifImagePlugin, "DEFAULT_MAX_THREADS", 1),
    (heif_options, "DECODE_THREADS", 1),
)


class pillow_as_needed:
    """Context in which Pillow's global settings have the values that decoding needs.

    The user's session may have set them to read truncated pictures or to reject large ones.
    (It is a class because it is entered for every picture; a generator takes twice as long.)
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
                    # Otherwise it was not changed, or was set in the meantime.
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
    reader: Callable[[BytesIO], ImageFile.ImageFile],
    data: bytes,
    least: tuple[int, int] | None,
    cut: Cut | None = None,
) -> Decoded:
    """Decode with a reader of Pillow; ``least`` has the lowest longer and shorter side."""

    def open_file() -> ImageFile.ImageFile:
        image = reader(BytesIO(data))
        # In blocks, Pillow would copy what it has not decoded yet once for each of them.
        image.decodermaxblock = len(data)
        return image

    image = open_file()
    deep = reader is not JpegImageFile and is_deep(image)
    height = max(image.height, cut.height or 0) if cut else image.height
    if image.width * height * _weight(image, deep) > MAX_PIXELS:
        raise UnreadableImage(Reason.TOO_MANY_PIXELS)

    def upright(opened: Image.Image) -> Image.Image:
        return _upright(opened, cut, deep)

    if deep:
        values = read_deep(open_file, upright)
        eight = eight_bits(values)
        shown = as_rgb(eight)
        share = cut.share if cut else None
        if not is_exact(values.values, eight):
            return Decoded(shown, values.values, shown.size, share)
        return Decoded(shown, _exact(eight, shown), shown.size, share)
    width, height = image.size
    if least is not None:
        longer, shorter = (max(1, side) for side in least)
        wide = image.width >= image.height
        image.draft(None, (longer, shorter) if wide else (shorter, longer))
    is_reduced = image.size != (width, height)
    stored = upright(image)
    shown = as_rgb(stored)
    size = (height, width) if _turn(image, cut) in _SIDEWAYS else (width, height)
    share = cut.share if cut else None
    return Decoded(shown, _exact(stored, shown), size if is_reduced else shown.size, share)


def _weight(image: ImageFile.ImageFile, deep: bool) -> float:
    """Return how much memory decoding a pixel takes, in units of 13 bytes.

    ``test_no_format_takes_more_memory_than_is_stated`` measures it.
    """
    if isinstance(image, Tiff) and (image.for_opencv or image.n_planes):
        return -(-image.n_bytes // 3)
    if isinstance(image, WebPImageFile | Avif):
        return 1.5
    several = len(image.getbands()) > 1
    if isinstance(image, Jpeg2000):
        return 3 if image.for_opencv else 2 if several and not image.is_tiled else 1
    return 2 if deep and several else 1


def _is_unsupported(error: Exception, data: bytes) -> bool:
    """Return whether a file is intact, but of a kind within its format that is not decoded."""
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
    """Convert a picture to RGB, on white, and remove all metadata."""
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
    """Return ``shown`` if it has all information of the stored picture, else ``image``."""
    if image is shown:
        return shown
    if image.has_transparency_data:
        opaque = all(
            rgba(image.crop(box)).getchannel("A").getextrema()[0] == 255 for box in strips(image)
        )
        return shown if opaque else image
    return image if image.mode in ("CMYK", "LAB") else shown


def rgba(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to RGBA."""
    if image.mode == "La":  # Pillow has no direct conversion
        image = image.convert("LA")
    return image if image.mode == "RGBA" else image.convert("RGBA")


def strips(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Yield boxes of a million pixels from top to bottom, so that copies take little memory."""
    rows = max(1, 2**20 // max(image.width, 1))
    for top in range(0, image.height, rows):
        yield 0, top, image.width, min(top + rows, image.height)


def _upright(image: Image.Image, cut: Cut | None, deep: bool) -> Image.Image:
    """Load a picture, complete it, and rotate it according to its EXIF orientation."""
    image.load()
    method = _turn(image, cut)
    if cut is not None:
        image = cut.complete(image, deep)
    return image if method is None else image.transpose(method)


def _turn(image: Image.Image, cut: Cut | None) -> Image.Transpose | None:
    """Return how a loaded picture has to be turned; None if it is upright."""
    if cut is not None and cut.orientation in _UPRIGHT:
        return _UPRIGHT[cut.orientation]
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        # A picture with damaged EXIF is still a picture.
        return None
