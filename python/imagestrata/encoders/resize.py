"""Resize pictures of any shape to the square that a network needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

#: The choices of Casas and Webb Williams, *Images as Data*, Figure 4.2.
RESIZE_MODES = ("rescale_crop", "squish", "crop", "pad")

DEFAULT_RESIZE = "rescale_crop"


class Frame(NamedTuple):
    """Size of a picture whose short side was scaled, and where its centre begins; in pixels."""

    width: int
    height: int
    left: int
    top: int

    @classmethod
    def of(cls, picture: tuple[int, int], size: int, short_side: int) -> Frame:
        """Return the frame of a picture of this width and height; both are rounded as
        torchvision rounds them."""
        full = [short_side * side // min(picture) for side in picture]
        return cls(*full, *(round((side - size) / 2) for side in full))


def resize(
    image: Image.Image, mode: str, size: int, short_side: int, *, bicubic: bool = False
) -> Image.Image:
    """Return the picture as a square of ``size`` pixels.

    Parameters
    ----------
    image : PIL image
        Picture in RGB.
    mode : str
        ``"rescale_crop"``: the short side is scaled to ``short_side`` pixels, then the centre
        is cut out. ``"squish"``: both sides are scaled to ``size``, regardless of their ratio.
        ``"crop"``: the centre is cut out without scaling; smaller pictures get a black border.
        ``"pad"``: the long side is scaled to ``size``, and the rest is black.
    size, short_side : int
        In pixels.
    bicubic : bool, default False
        Use bicubic instead of bilinear interpolation, as in the training of some networks.

    Notes
    -----
    Pillow widens its filter when it shrinks, which prevents aliasing. ``"rescale_crop"`` gives
    the pixels of torchvision's ``Resize`` and ``CenterCrop`` (up to rounding, a few grey
    levels except at hard edges).
    """
    from PIL import Image

    method = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    width, height = image.size
    if mode == "squish":
        return image.resize((size, size), method)
    if mode == "rescale_crop":
        frame = Frame.of(image.size, size, short_side)
        left, top = frame.left, frame.top
        across, down = width / frame.width, height / frame.height
        window = (left * across, top * down, (left + size) * across, (top + size) * down)
        # Only the pixels of the window are computed.
        return image.resize((size, size), method, box=window)
    if mode == "pad":
        scale = size / max(width, height)
        across, down = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((across, down), method)
    square = Image.new("RGB", (size, size))
    square.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    return square


def decode_side(mode: str, side: int) -> int | None:
    """Return the smallest size at which a JPEG may be decoded; None requires the full size.

    The result is half as large again as ``side``, the size after resizing. With this margin,
    vectors are as close to those of the full size as those of bfloat16 are to those of float32
    (see ``benchmarks/results/embedding.md``).
    """
    return None if mode == "crop" else side + side // 2
