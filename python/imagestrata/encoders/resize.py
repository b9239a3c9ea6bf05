"""Bring pictures of any shape to the square that a network looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

#: The choices of Casas and Webb Williams, *Images as Data*, Figure 4.2.
RESIZE_MODES = ("rescale_crop", "squish", "crop", "pad")

DEFAULT_RESIZE = "rescale_crop"


def resize(
    image: Image.Image, mode: str, size: int, short_side: int, *, bicubic: bool = False
) -> Image.Image:
    """The picture as a square of ``size`` pixels.

    Parameters
    ----------
    image : PIL image
        In RGB.
    mode : str
        ``"rescale_crop"``: the short side becomes ``short_side`` pixels, then the
        centre is cut out. ``"squish"``: both sides become ``size``, whatever their
        ratio. ``"crop"``: the centre is cut out as it is; what a smaller picture
        leaves empty is black. ``"pad"``: the long side becomes ``size``, the rest
        is black.
    size, short_side : int
        In pixels.
    bicubic : bool, default False
        Interpolate with cubics instead of lines, as some networks were trained.

    Notes
    -----
    Pillow widens its filter when it shrinks, so that nothing aliases, and
    ``"rescale_crop"`` gives the pixels that torchvision's ``Resize`` and
    ``CenterCrop`` give (to a grey level, by rounding).
    """
    from PIL import Image

    method = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    width, height = image.size
    if mode == "squish":
        return image.resize((size, size), method)
    if mode == "rescale_crop":
        short = min(width, height)
        # Whole pixels, rounded down, and the window likewise: torchvision's own rule.
        full = (short_side * width // short, short_side * height // short)
        left, top = (round((side - size) / 2) for side in full)
        across, down = width / full[0], height / full[1]
        window = (left * across, top * down, (left + size) * across, (top + size) * down)
        # Only the pixels of the window are ever computed.
        return image.resize((size, size), method, box=window)
    if mode == "pad":
        scale = size / max(width, height)
        image = image.resize((_scaled(width, scale), _scaled(height, scale)), method)
    square = Image.new("RGB", (size, size))
    square.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    return square


def decode_side(mode: str, side: int) -> int | None:
    """To what size a JPEG may be decoded that is then resized to ``side``; None: only to its own.

    With a margin of one half, vectors stay as close to those of the full size as
    those of bfloat16 to those of float32 (see ``benchmarks/results/embedding.md``).
    """
    return None if mode == "crop" else side + side // 2


def _scaled(side: int, scale: float) -> int:
    return max(1, round(side * scale))
