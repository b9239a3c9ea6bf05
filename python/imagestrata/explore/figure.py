"""The common style of figures, and how they are stored."""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Iterator, Sequence
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

#: Colours of groups, as R's: readers with any kind of colour vision can distinguish them, and all
#: differ in lightness. Figures have no further colours: what is left is grey.
GROUPS = ("#01429a", "#dd560e", "#17c7a5", "#b0307f", "#efc20b", "#4f9fd8", "#282828")
#: Grey of groups without a colour of their own, and of images in no group.
SMALLER, NONE = "#b0b5bb", "#dcdfe3"

#: Letters of a note in an inch.
_NOTE_LETTERS = 16

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

#: Options by kind of file. At this level a PNG of photographs takes a third of the time and is a
#: twelfth larger.
_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"pil_kwargs": {"compress_level": 3}}, ".pdf": {}, ".svg": {},
}  # fmt: skip


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
            options = {**_OPTIONS[kind], "metadata": _metadata(kind, str(drawn.get_label()))}
            drawn.savefig(buffer, format=kind[1:], dpi=dpi, **options)
            remove_half_written(target.parent, target.name)
            write_bytes(target, buffer.getvalue())


def _metadata(kind: str, said: str) -> dict[str, Any]:
    """Where each kind of file keeps a text for readers who do not see it; no file has the time.

    Browsers read the title of an SVG aloud; it has no other place that they use.
    """
    if kind == ".pdf":
        return {"CreationDate": None, **({"Subject": said} if said else {})}
    if kind == ".svg":
        return {"Date": None, **({"Title": said, "Description": said} if said else {})}
    return {"Description": said} if said else {}


def describe(drawn: Figure, *sentences: str | None) -> None:
    """Give a figure a text for readers who do not see it: ``drawn.get_label()``.

    Files of the figure contain it as their description. As in R, the text says what is drawn and of
    how much, and then what a reader would see first.
    """
    drawn.set_label(" ".join(f"{text[0].upper()}{text[1:]}." for text in sentences if text))


def listed(names: Sequence[Any], most: int = 8) -> str:
    """Return "a, b and c", or "a, b and 7 more"."""
    texts = [str(name) for name in names]
    if len(texts) > most:
        return f"{', '.join(texts[:most])} and {len(texts) - most} more"
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def distinct(n: int, colours: Sequence[str] = GROUPS) -> list[str]:
    """Return a colour for each of ``n`` groups, never the same one twice."""
    if n <= len(colours):
        return [*colours[:n]]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps["viridis"](place / (n - 1))) for place in range(n)]


def write_note(drawn: Figure, *sentences: str | None) -> float:
    """Write sentences that explain the marks of a figure at its lower edge, in lines of its width.

    Returns
    -------
    float
        The upper edge of the text, as a share of the height.
    """
    said = [f"{text[0].upper()}{text[1:]}." for text in sentences if text]
    width, height = drawn.get_size_inches()
    lines = textwrap.wrap(" ".join(said), int((width - 0.3) * _NOTE_LETTERS))
    drawn.text(
        0.15 / width, 0.08 / height, "\n".join(lines), color=SOFT, fontsize=7, va="bottom",
        linespacing=1.3, parse_math=False,
    )  # fmt: skip
    return float((0.14 + 0.13 * len(lines)) / height)


def _check_target(out: str | os.PathLike[str]) -> Path:
    target = expand_home(out)
    if target.suffix.lower() not in _OPTIONS:
        raise ImagestrataError(
            f"{arg('out')} must end in {', '.join(_OPTIONS)}, not {quote(out)}.",
        )
    make_folder(target.parent, "out")
    return target
