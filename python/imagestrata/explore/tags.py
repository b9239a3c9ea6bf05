"""Which tags come most often, and how far they agree with people."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import ImagestrataError
from ..validate import check_choice, check_idle, check_int
from ..validation.tag_comparison import TagComparison, compare_tags
from ..verbs import public
from ..wording import arg, verb
from .figure import INK, LINE, MAIN, PALE, SOFT, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TYPES = ("frequencies", "confusion")

#: Letters of a tag that are shown.
_LONGEST = 30


@public
def plot_tags(
    tags: TagComparison | pd.DataFrame,
    path: str | os.PathLike[str] | None = None,
    *,
    type: str = "frequencies",
    n: int = 20,
) -> Figure:
    """Draw the most frequent tags, or what they say against what people say.

    Parameters
    ----------
    tags : TagComparison or DataFrame
        What :func:`compare_tags` or :func:`tag_images` returned.
    path : path, optional
        Where to store the figure: a name ending in .png, .pdf or .svg.
    type : {"frequencies", "confusion"}, default "frequencies"
        Bars of the most frequent tags as shares of the images, with 95% intervals (the
        Element's Figures 6.3 and 6.4); or confusion matrices of counts, one per label
        (its Tables 6.1 and 6.2). Taggers stand side by side.
    n : int, default 20
        Tags that are shown of each tagger.

    Returns
    -------
    matplotlib.figure.Figure
        It grows with the number of tags, labels and taggers.

    Raises
    ------
    ImagestrataError
        If there is nothing to draw, or the file cannot be written.
    """
    type = check_choice("type", type, _TYPES)
    n = check_int("n", n, minimum=1)
    compared = tags if isinstance(tags, TagComparison) else compare_tags(tags)
    if type == "frequencies":
        return _frequencies(compared.frequencies, n, path)
    check_idle(f"with {arg('type', 'confusion')}", n=(n, 20))
    if compared.confusion.empty:
        raise ImagestrataError(
            "There is no confusion without labels given by hand.",
            f"Give them to {verb('compare_tags')} as {arg('labels')}.",
        )
    return _confusion(compared.confusion, path)


def _frequencies(table: pd.DataFrame, n: int, path: str | os.PathLike[str] | None) -> Figure:
    groups = {str(tagger): rows.head(n) for tagger, rows in table.groupby("tagger", sort=False)}
    most = max(len(rows) for rows in groups.values())
    with figure(4.6 * len(groups), 0.8 + 0.21 * most, path) as drawn:
        panels = drawn.subplots(1, len(groups), squeeze=False, sharex=True)[0]
        for axes, (tagger, rows) in zip(panels, groups.items(), strict=True):
            places = np.arange(len(rows))
            axes.barh(places, rows["share"], color=MAIN, height=0.7)
            axes.hlines(places, rows["conf_low"], rows["conf_high"], color=INK, linewidth=0.8)
            axes.set_yticks(places, [_short(label) for label in rows["label"]], color=INK)
            axes.set_ylim(most - 0.4, -0.6)
            axes.set_xlim(left=0)
            axes.xaxis.set_major_formatter("{x:.0%}")
            axes.grid(axis="x", color=LINE)
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="both", length=0)
            axes.set_xlabel("Share of images")
            if len(groups) > 1:
                axes.set_title(tagger)
        drawn.tight_layout(w_pad=2)
    return drawn


def _confusion(table: pd.DataFrame, path: str | os.PathLike[str] | None) -> Figure:
    tables = [(tagger, label, rows) for (tagger, label), rows
              in table.groupby(["tagger", "label"], sort=False)]  # fmt: skip
    several = table["tagger"].nunique() > 1
    columns = min(4, len(tables))
    rows = -(-len(tables) // columns)
    with figure(max(1.9 * columns, 2.4), 1.95 * rows, path) as drawn:
        panels = drawn.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels[len(tables) :]:
            axes.set_axis_off()
        for axes, (tagger, label, cells) in zip(panels, tables, strict=False):
            _matrix(axes, cells)
            axes.set_title(f"{tagger}: {_short(label)}" if several else _short(label))
        drawn.tight_layout(h_pad=1.4)
    return drawn


def _matrix(axes: Axes, cells: pd.DataFrame) -> None:
    """Rows are what people say, columns what the tagger says; mistakes stand out."""
    names = ["yes", "no"]
    counts = cells.pivot(index="truth", columns="decision", values="n").loc[names, names]
    numbers = counts.to_numpy()
    from matplotlib.colors import ListedColormap

    axes.imshow(np.eye(2), cmap=ListedColormap(["#faebd3", PALE]), vmin=0, vmax=1)
    for i, j in np.ndindex(2, 2):
        axes.text(j, i, f"{numbers[i, j]:,}", ha="center", va="center", color=INK)
    axes.set_xticks(range(2), names)
    axes.set_yticks(range(2), names)
    axes.set(xlabel="by the tagger", ylabel="by hand")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=SOFT, linewidth=0.5)


def _short(label: object) -> str:
    text = str(label)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
