"""The common style of figures, and how they are stored."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ImagestrataError
from ..files import make_folder, remove_half_written, write_bytes
from ..validate import expand_home
from ..wording import arg, quote

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Colours that can be distinguished in greyscale and with colour blindness.
INK, SOFT, LINE = "#1d1f22", "#62676e", "#e4e5e8"
MAIN, PALE, BRIGHT = "#5b7896", "#cfd4da", "#e08a00"

_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure everywhere
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.autolimit_mode": "round_numbers",
    "axes.ymargin": 0,
    "axes.labelcolor": SOFT,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "ytick.left": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": "white",
    "svg.hashsalt": "imagestrata",  # the same file every time
}

#: Options by kind of file; no file contains the time. At this level a PNG of photographs takes a
#: third of the time and is a twelfth larger.
_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"pil_kwargs": {"compress_level": 3}},
    ".pdf": {"metadata": {"CreationDate": None}},
    ".svg": {"metadata": {"Date": None}},
}


@contextmanager
def figure(
    width: float, height: float, out: str | os.PathLike[str] | None, *, dpi: int = 200
) -> Iterator[Figure]:
    """Yield an empty figure of a size in inches; store it as ``out`` at the end, if given."""
    # pyplot is not used, but notebooks show returned figures only after it is loaded.
    import matplotlib.pyplot
    from matplotlib.figure import Figure

    target = None if out is None else _check_target(out)
    with matplotlib.rc_context(_STYLE):
        drawn = Figure(figsize=(width, height), dpi=dpi)
        yield drawn
        if target is not None:
            buffer = io.BytesIO()
            kind = target.suffix.lower()
            drawn.savefig(buffer, format=kind[1:], dpi=dpi, **_OPTIONS[kind])
            remove_half_written(target.parent, target.name)
            write_bytes(target, buffer.getvalue())


def _check_target(out: str | os.PathLike[str]) -> Path:
    target = expand_home(out)
    if target.suffix.lower() not in _OPTIONS:
        raise ImagestrataError(
            f"{arg('out')} must end in {', '.join(_OPTIONS)}, not {quote(out)}.",
        )
    make_folder(target.parent, "out")
    return target
