"""Figures of photographs: drawn without resampling, and small in a notebook."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import AxesImage
from PIL import Image

#: Largest size in bytes of a figure in a notebook (a third more as text), and width in pixels.
MOST_BYTES, MOST_WIDE = 700_000, 1000


class NotebookCanvas(FigureCanvasAgg):
    """A canvas whose PNG in memory has 256 colours and less than a megabyte.

    Notebooks request a PNG in memory. A PNG that is saved to a file, or with options for Pillow,
    has the full resolution.
    """

    def print_png(self, filename_or_obj: Any, **options: Any) -> None:
        if not isinstance(filename_or_obj, io.BytesIO) or options.get("pil_kwargs"):
            known = {name: options.get(name) for name in ("metadata", "pil_kwargs")}
            super().print_png(filename_or_obj, **known)  # type: ignore[no-untyped-call]
            return
        FigureCanvasAgg.draw(self)  # type: ignore[no-untyped-call]
        pixels = np.asarray(self.buffer_rgba())  # type: ignore[no-untyped-call]
        drawn = Image.fromarray(pixels).convert("RGB")
        width = min(MOST_WIDE, drawn.width)
        while True:
            size = (width, max(1, round(drawn.height * width / drawn.width)))
            stored = io.BytesIO()
            small = drawn.resize(size, Image.Resampling.LANCZOS)
            small.quantize(256, Image.Quantize.MEDIANCUT).save(stored, "PNG", optimize=True)
            if stored.tell() <= MOST_BYTES:
                break
            width = int(0.97 * width * (MOST_BYTES / stored.tell()) ** 0.5)
        filename_or_obj.write(stored.getvalue())


class Canvas(AxesImage):
    """Pixels that fill their axes, copied as they are if the figure has as many.

    matplotlib would resample them, which takes a second for seven million.
    """

    def make_image(self, renderer: Any, magnification: float = 1.0, unsampled: bool = False) -> Any:
        pixels = np.asarray(self.get_array())
        left, bottom, width, height = self.axes.bbox.bounds
        same = (round(height), round(width)) == pixels.shape[:2]
        if unsampled or magnification != 1 or not same:
            return super().make_image(renderer, magnification, unsampled)
        opaque = np.full((*pixels.shape[:2], 1), 255, dtype=np.uint8)
        return np.concatenate([pixels, opaque], axis=2)[::-1], left, bottom, None
