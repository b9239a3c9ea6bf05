"""Figures of photographs, small where a notebook keeps them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

#: Bytes of a figure in a notebook, which are a third more as text, and the pixels of its width.
MOST_BYTES, MOST_WIDE = 700_000, 1000


class NotebookCanvas(FigureCanvasAgg):
    """A canvas whose PNG has 256 colours and less than a megabyte when it goes to memory.

    That is how notebooks ask for it. What is saved to a file, or with options for Pillow, is as
    sharp as ever.
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
