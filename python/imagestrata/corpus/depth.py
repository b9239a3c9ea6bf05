"""Pictures of more than 8 bits a channel: their values, and their 8-bit version.

Pillow stores 8 bits for each of several channels. It keeps the upper byte of deeper values;
reading the file again in the other byte order gives the lower byte.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from .heif import Heif
from .jpeg2000 import Jpeg2000
from .tiff import Tiff, in_rawmode, rawmode_of

#: Depths of pictures that are stored with 16 bits. The smallest that holds all values is used:
#: cameras and scanners store 10, 12 or 14 bits in 16, and their pictures would appear black.
DEPTHS = (8, 10, 12, 14, 16)

#: Usual ranges of floating-point pictures. A range is used if the highest value is in its upper
#: three quarters; other values are stretched from the lowest to the highest.
_RANGES = (1.0, 255.0, 65535.0)

_OTHER_ORDER = {"B": "L", "L": "B", "N": "L" if sys.byteorder == "big" else "B"}

_WHITE_IS_ZERO = 0
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT, _SIGNED = 258, 262, 339, 2
_LEAST, _MOST, _NO_DATA = 340, 341, 42113  # the last is GDAL's


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Return whether an opened, not yet loaded picture has signed or more than 8-bit values."""
    return (
        image.mode == "F"
        or image.mode.startswith("I")
        or ";16" in rawmode_of(image)
        or (image.mode == "L" and _tag(image, _SAMPLE_FORMAT) == _SIGNED)
        or (isinstance(image, Heif) and image.bits > 8)
        or (isinstance(image, Jpeg2000) and image.for_opencv)
    )


class Deep(NamedTuple):
    """The values of a deep picture.

    Attributes
    ----------
    values : ndarray of shape (height, width) or (height, width, channels)
        Unsigned 16-bit integers; in mode ``"F"``, 32-bit integers or floating-point numbers
        without a fixed range, of one, three or four channels. High values are white.
    mode : str
        Pillow's mode for the channels: ``"L"``, ``"LA"``, ``"RGB"``, ``"RGBA"``, ``"CMYK"`` or
        ``"F"``.
    bits : int or None
        The depth that the file states. A file of 16 bits may contain values of fewer: None.
    limits : tuple of float, optional
        Black and white in mode ``"F"``, if the file states them.
    """

    values: NDArray[Any]
    mode: str
    bits: int | None = None
    limits: tuple[float, float] | None = None


def read_deep(
    open_file: Callable[[], ImageFile.ImageFile], upright: Callable[[Image.Image], Image.Image]
) -> Deep:
    """Return the values of a deep picture.

    Parameters
    ----------
    open_file : callable
        Opens the file. It is called once for each byte of the values.
    upright : callable
        Loads the opened picture, and rotates it.
    """
    image = open_file()
    rawmode, bits = rawmode_of(image), _stated_bits(image)
    values: NDArray[Any]
    if isinstance(image, Heif):
        values, mode = image.values()
        if mode == "RGBa":
            values, mode = _divided(values, image.bits), "RGBA"
    elif isinstance(image, Jpeg2000) and image.for_opencv:
        values, mode = image.values(), image.mode
        bits = image.bits if image.bits < 16 else None
    elif isinstance(image, Tiff) and image.n_planes:
        values, mode = _joined([
            read_deep(partial(Tiff, image.plane(number)), upright).values
            for number in range(image.n_planes)
        ])  # fmt: skip
    elif isinstance(image, Tiff) and image.for_opencv:
        values, mode = _numbers(image, image.values(), bits)
    elif image.mode == "L" or image.mode == "F" or image.mode.startswith("I"):
        values, mode = _numbers(image, _as_stored(image, np.asarray(upright(image))), bits)
    elif rawmode.startswith("LA"):  # four bytes a pixel, read as four channels
        upper_lower = np.asarray(upright(in_rawmode(image, "RGBA"))).astype(np.uint16)
        values, mode = upper_lower[:, :, 0::2] << 8 | upper_lower[:, :, 1::2], "LA"
    else:
        plain = rawmode.replace("RGBa", "RGBA")
        values = np.asarray(upright(in_rawmode(image, plain))).astype(np.uint16)
        values <<= 8
        other = plain[:-1] + _OTHER_ORDER[plain[-1]]
        values |= np.asarray(upright(in_rawmode(open_file(), other)))
        mode = image.mode
        if plain != rawmode:
            values = _divided(values, 16)
    key = image.info.get("transparency")
    if key is not None and mode in ("L", "RGB"):
        shown = np.atleast_3d(values)
        clear = (shown == np.asarray(key, dtype=np.int64)).all(axis=2)
        values = np.dstack([shown, np.where(clear, 0, 2**16 - 1).astype(np.uint16)])
        mode += "A"
    if mode.endswith("A"):
        opacity = values[:, :, -1]
        if opacity.min() == (1 << _depth(opacity, bits)) - 1:
            values, mode = values[:, :, :-1], mode[:-1]
    if mode == "L" and values.ndim == 3:
        values = values[:, :, 0]
    limits = None
    if mode == "F":
        none = _no_data(image)
        if none is not None and (values == none).any():
            values = np.where(values == none, np.nan, values)
        if values.ndim == 3 and values.shape[2] == 4 and np.ptp(values[:, :, 3]) == 0:
            values = np.ascontiguousarray(values[:, :, :3])
        limits = _stated_limits(image)
    return Deep(values, mode, bits, limits)


def _joined(planes: list[NDArray[Any]]) -> tuple[NDArray[Any], str]:
    values = np.dstack(planes)
    return values, "RGBA"[: len(planes)] if values.dtype == np.uint16 else "F"


def _divided(values: NDArray[np.uint16], bits: int) -> NDArray[np.uint16]:
    """Return colours that are multiplied with their opacity as they were before."""
    most = (1 << bits) - 1
    opacity = np.maximum(values[:, :, 3:], 1) / most
    values[:, :, :3] = np.minimum(np.rint(values[:, :, :3] / opacity), most)
    return values


def _stated_bits(image: ImageFile.ImageFile) -> int | None:
    if isinstance(image, Heif):
        return image.bits
    if isinstance(image, Jpeg2000):  # Pillow moves the values to the upper bits of 16
        return 16 if image.bits < 16 else None
    return 12 if rawmode_of(image) == "I;12" else None


def _as_stored(image: ImageFile.ImageFile, values: NDArray[Any]) -> NDArray[Any]:
    """Return values with the signs that Pillow does not know."""
    if values.dtype == np.uint8:
        return values.view(np.int8)
    unsigned = values.dtype == np.int32 and _tag(image, _SAMPLE_FORMAT) != _SIGNED
    return values.view(np.uint32) if unsigned else values


def _numbers(
    image: ImageFile.ImageFile, values: NDArray[Any], bits: int | None
) -> tuple[NDArray[Any], str]:
    """Return stored numbers with high values in white, and their mode."""
    negative = _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() < 2**16:
        values = values.astype(np.uint16)
        if _tag(image, _SAMPLE_FORMAT) == _SIGNED and _depth(values, bits) == _tag(image, _BITS):
            values <<= 1  # one of the bits is the sign
        if negative:
            values = (1 << _depth(values, bits)) - 1 - values
        return values, "L" if values.ndim == 2 else "RGBA"[: values.shape[2]]
    if negative:
        low, high = _range(values)
        values = low + high - values.astype(np.float64)
    return values, "F"


def _no_data(image: ImageFile.ImageFile) -> float | None:
    """Return the value that means that there is none, which maps and elevations have."""
    try:
        return float(str(_tag(image, _NO_DATA)).strip(" \0"))
    except ValueError:
        return None


def _stated_limits(image: ImageFile.ImageFile) -> tuple[float, float] | None:
    low, high = _tag(image, _LEAST), _tag(image, _MOST)
    try:
        limits = float(low), float(high)
    except (TypeError, ValueError):
        return None
    return limits if -np.inf < limits[0] < limits[1] < np.inf else None


def eight_bits(deep: Deep) -> Image.Image:
    """Return a deep picture with 8 bits a channel."""
    values, mode, bits, limits = deep
    if mode == "F":
        shown = _stretched(values[:, :, :3] if values.ndim == 3 else values, limits)
        if values.ndim == 3 and values.shape[2] == 4:
            shown = np.dstack([shown, _stretched(values[:, :, 3], None)])
        return Image.fromarray(shown)
    channels = np.atleast_3d(values)
    colours = channels.shape[2] - mode.endswith("A")
    shown = np.empty(channels.shape, dtype=np.uint8)
    for part in (slice(None, colours), slice(colours, None)):
        some = channels[:, :, part]
        if some.size:
            np.right_shift(some, _depth(some, bits) - 8, out=shown[:, :, part], casting="unsafe")
    return Image.fromarray(shown[:, :, 0] if mode == "L" else shown, mode)


def is_exact(values: NDArray[Any], shown: Image.Image) -> bool:
    """Return whether 8 bits lose nothing: the values equal them, or equal 257 times them."""
    if values.dtype != np.uint16:
        return False
    eight = np.asarray(shown).reshape(values.shape)
    return any(
        all((values[some] == eight[some] * np.uint16(factor)).all() for some in _blocks(values))
        for factor in (1, 257)
    )


def _blocks(values: NDArray[Any]) -> Iterator[slice]:
    """Yield lines of some hundred thousand values, so that copies take little memory."""
    lines = max(1, 2**18 * len(values) // values.size)
    for top in range(0, len(values), lines):
        yield slice(top, top + lines)


def _depth(values: NDArray[Any], bits: int | None) -> int:
    if bits is not None:
        return bits
    greatest = int(values.max())
    return next(bits for bits in DEPTHS if greatest < 1 << bits)


def _range(values: NDArray[Any]) -> tuple[float, float]:
    blocks = (values[some] for some in _blocks(values))
    ends = [
        (float(finite.min()), float(finite.max()))
        for block in blocks
        if (finite := block[np.isfinite(block)]).size
    ]
    if not ends:
        return 0.0, 0.0
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    if low >= 0 and values.dtype.kind == "f":
        for most in _RANGES:
            if most / 4 < high <= most:
                return 0.0, most
    return low, high


def _stretched(values: NDArray[Any], limits: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Return values from 0 to 255. Values that are not numbers become black."""
    low, high = _range(values)
    if limits is not None and limits[0] <= low and high <= limits[1]:
        low, high = limits
    if low == high:  # a single value, whose brightness is unknown
        return np.full(values.shape, 0 if low == 0 else 128, dtype=np.uint8)
    shown = np.empty(values.shape, dtype=np.uint8)
    for some in _blocks(values):
        real = np.nan_to_num(values[some].astype(np.float64), nan=low, posinf=high, neginf=low)
        shown[some] = np.rint((real.clip(low, high) - low) * (255 / (high - low)))
    return shown


def _tag(image: ImageFile.ImageFile, tag: int) -> Any:
    """Return the value of a TIFF tag (the first if each channel has one), None if absent."""
    value = getattr(image, "tag_v2", {}).get(tag)
    return value[0] if isinstance(value, tuple) and value else value
