"""Pictures of more than 8 bits a channel: their values, and what people see of them.

Pillow's pictures of several channels hold 8 bits each. Of deeper ones it keeps the upper
byte of each value; reading the file again in the other byte order gives the lower ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

#: Bits that values of a picture may have. The fewest that hold all of them count: cameras
#: and scanners store 10, 12 or 14 bits as 16, and would come out black.
DEPTHS = (8, 10, 12, 14, 16)

#: Ranges that real numbers customarily fill, taken where the greatest value is in its upper
#: three quarters; others are stretched from the least to the greatest.
_RANGES = (1.0, 255.0, 65535.0)

_OTHER_ORDER = {"B": "L", "L": "B", "N": "L" if sys.byteorder == "big" else "B"}

_WHITE_IS_ZERO = 0
_PHOTOMETRIC, _SAMPLE_FORMAT, _SIGNED = 262, 339, 2


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether a picture, opened and not yet loaded, has more than 8 bits a channel, or a sign."""
    return (
        image.mode == "F"
        or image.mode.startswith("I")
        or ";16" in rawmode_of(image)
        or (image.mode == "L" and _tag(image, _SAMPLE_FORMAT) == _SIGNED)
    )


def read_deep(
    open_file: Callable[[], ImageFile.ImageFile], upright: Callable[[Image.Image], Image.Image]
) -> tuple[NDArray[Any], str]:
    """The values of a deep picture, and the mode of Pillow that names its channels.

    Parameters
    ----------
    open_file : callable
        Opens the file; called once for each byte of its values.
    upright : callable
        Loads what was opened, and turns it.

    Returns
    -------
    values : ndarray of shape (height, width) or (height, width, channels)
        Unsigned 16-bit integers; or, in mode ``"F"``, values without a fixed range: 32-bit
        integers or floating-point numbers. White is high.
    mode : str
        ``"L"``, ``"LA"``, ``"RGB"``, ``"RGBA"``, ``"CMYK"`` or ``"F"``.
    """
    image = open_file()
    rawmode = rawmode_of(image)
    if image.mode == "L" or image.mode == "F" or image.mode.startswith("I"):
        values, mode = _grey(image, np.asarray(upright(image)))
    elif rawmode.startswith("LA"):  # four bytes a pixel, which are read as four channels
        upper_lower = np.asarray(upright(in_rawmode(image, "RGBA"))).astype(np.uint16)
        values, mode = upper_lower[:, :, 0::2] << 8 | upper_lower[:, :, 1::2], "LA"
    else:
        plain = rawmode.replace("RGBa", "RGBA")
        values = np.asarray(upright(in_rawmode(image, plain))).astype(np.uint16)
        values <<= 8
        other = plain[:-1] + _OTHER_ORDER[plain[-1]]
        values |= np.asarray(upright(in_rawmode(open_file(), other)))
        mode = image.mode
        if plain != rawmode:  # colours are multiplied with their opacity
            opacity = np.maximum(values[:, :, 3:], 1) / (2**16 - 1)
            values[:, :, :3] = np.minimum(np.rint(values[:, :, :3] / opacity), 2**16 - 1)
    key = image.info.get("transparency")
    if key is not None and mode in ("L", "RGB"):
        shown = np.atleast_3d(values)
        clear = (shown == np.asarray(key, dtype=np.int64)).all(axis=2)
        values = np.dstack([shown, np.where(clear, 0, 2**16 - 1).astype(np.uint16)])
        mode += "A"
    if mode.endswith("A") and (values[:, :, -1] == (1 << _depth(values[:, :, -1])) - 1).all():
        values, mode = values[:, :, :-1], mode[:-1]  # opaque
    return (values[:, :, 0] if mode == "L" and values.ndim == 3 else values), mode


def _grey(image: ImageFile.ImageFile, values: NDArray[Any]) -> tuple[NDArray[Any], str]:
    signed = _tag(image, _SAMPLE_FORMAT) == _SIGNED
    negative = _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO
    if values.dtype == np.uint8:
        values = values.view(np.int8).astype(np.int32)
    elif values.dtype == np.int32 and not signed:
        values = values.view(np.uint32)
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() < 2**16:
        values = values.astype(np.uint16)
        return ((1 << _depth(values)) - 1 - values if negative else values), "L"
    if negative:
        low, high = _range(values)
        values = low + high - values.astype(np.float64)
    return values, "F"


def eight_bits(values: NDArray[Any], mode: str) -> Image.Image:
    """What people see of a deep picture, 8 bits a channel."""
    if mode == "F":
        return Image.fromarray(_stretched(values))
    channels = np.atleast_3d(values)
    colours = channels.shape[2] - mode.endswith("A")
    shown = np.empty(channels.shape, dtype=np.uint8)
    for part in (slice(None, colours), slice(colours, None)):
        if channels[:, :, part].size:
            np.right_shift(
                channels[:, :, part],
                _depth(channels[:, :, part]) - 8,
                out=shown[:, :, part],
                casting="unsafe",
            )
    return Image.fromarray(shown[:, :, 0] if mode == "L" else shown, mode)


def is_exact(values: NDArray[Any], shown: Image.Image) -> bool:
    """Whether eight bits say all there is: the values are theirs, or theirs times 257."""
    if values.dtype != np.uint16:
        return False
    eight = np.asarray(shown).reshape(values.shape)
    factors = [factor for factor in (1, 257) if (values[:1] == eight[:1] * np.uint16(factor)).all()]
    return any(
        all(
            (some == few * np.uint16(factor)).all() for some, few in zip(values, eight, strict=True)
        )
        for factor in factors
    )


def _depth(values: NDArray[np.uint16]) -> int:
    greatest = int(values.max())
    return next(bits for bits in DEPTHS if greatest < 1 << bits)


def _range(values: NDArray[Any]) -> tuple[float, float]:
    lines = [finite for line in values if (finite := line[np.isfinite(line)]).size]
    if not lines:
        return 0.0, 0.0
    low, high = min(float(line.min()) for line in lines), max(float(line.max()) for line in lines)
    if low >= 0 and values.dtype.kind == "f":
        for most in _RANGES:
            if most / 4 < high <= most:
                return 0.0, most
    return low, high


def _stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = _range(values)
    if low == high:  # a single value of which nobody knows how bright it is
        return np.full(values.shape, 0 if low == 0 else 128, dtype=np.uint8)
    grey = np.empty(values.shape, dtype=np.uint8)
    for row, line in enumerate(values):
        real = np.nan_to_num(line.astype(np.float64), posinf=high, neginf=low)
        grey[row] = np.rint((real.clip(low, high) - low) * (255 / (high - low)))
    return grey


def rawmode_of(image: ImageFile.ImageFile) -> str:
    """How the values of a picture that is not loaded are stored, in Pillow's words."""
    args = image.tile[0][3] if image.tile else ""
    return str(args[0] if isinstance(args, tuple) else args)


def in_rawmode(image: ImageFile.ImageFile, rawmode: str) -> ImageFile.ImageFile:
    """Let a picture that is not loaded be read as if its values were stored so."""
    tiles: list[Any] = []
    for tile in image.tile:
        args = (rawmode, *tile[3][1:]) if isinstance(tile[3], tuple) else rawmode
        # Before its version 11 Pillow described pieces by plain tuples.
        named = hasattr(tile, "_replace")
        tiles.append(tile._replace(args=args) if named else (*tile[:3], args))
    image.tile = tiles
    return image


def _tag(image: ImageFile.ImageFile, tag: int) -> Any:
    """The value of a tag of a TIFF, the first if there is one a channel; None without it."""
    value = getattr(image, "tag_v2", {}).get(tag)
    return value[0] if isinstance(value, tuple) and value else value
