"""A figure of the tree over clusters, with pictures and themes."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..clustering.clustering import Clustering, check_clustering, check_same_run, rank_images
from ..clustering.named import cluster_labels, label_of
from ..clustering.themes import cut_tree, has_themes, names_of, pairs_of
from ..errors import ImagestrataError, plural
from ..validate import check_int
from ..verbs import public
from ..wording import verb
from .figure import GROUPS, INK, SMALLER, SOFT, describe, figure, listed
from .tiles import DPI, make_tiles, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

#: Inches: width of the figure, ends of the tree, where pictures begin; widths of sizes and themes.
_WIDTH, _ROOT, _LEAF, _PICTURES = 7.0, 0.2, 2.2, 2.3
_SIZES, _THEMES = 0.42, 1.15
#: Height of a row, and that of many; between themes, above all rows and below.
_ROW, _SMALL_ROW, _MANY = 0.34, 0.26, 40
_BETWEEN, _ABOVE, _BELOW = 0.1, 0.15, 0.82
#: Pixels of a picture, letters of the name of a cluster and of a line of that of a theme, the
#: height of such a line in inches, and letters of a line of the note.
_PIXELS, _LETTERS, _WRAP, _LINE, _NOTE = 96, 26, 19, 0.125, 115
#: matplotlib draws at most 2^16 pixels in height.
_MOST = 1000


@public
def plot_themes(
    clustering: Clustering,
    out: str | os.PathLike[str] | None = None,
    *,
    n_images: int = 4,
    labels: Mapping[int, str] | pd.DataFrame | None = None,
) -> Figure:
    """Draw the tree over the clusters, with typical images, coloured by theme.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`group_clusters`.
    out : path, optional
        File for the figure, with a name that ends in .png, .pdf or .svg.
    n_images : int, default 4
        Number of images per cluster, cropped to squares, the highest silhouette first; 0 for none.
    labels : dict of int to str or DataFrame, optional
        Texts for clusters, as in :func:`plot_montage`.

    Returns
    -------
    matplotlib.figure.Figure
        7 inches wide; its height grows with the number of clusters (4.5 inches for 10, 33 for 120).
        Each row is a cluster: its images, its size and its name, and to the right its theme. Two
        branches of the tree meet at the mean distance between their clusters. The dashed line is
        where the tree was cut.

    Raises
    ------
    ImagestrataError
        If the clusters were not grouped, or edited since; if there are more than 1,000; or if the
        file cannot be written.
    """
    rows, shown, texts = themes_rows(clustering, n_images=n_images, labels=labels)
    check_same_run(clustering.images, out, "themes")
    width = _WIDTH + (n_images - 4) * rows.height
    with figure(width, rows.bottom + _BELOW, out, dpi=DPI) as drawn:
        from .photographs import NotebookCanvas

        NotebookCanvas(drawn)
        axes = drawn.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(rows.bottom + _BELOW, 0))
        axes.set_axis_off()
        _draw_tree(axes, clustering.tree, rows)
        _draw_pictures(axes, shown, rows, n_images)
        _write_names(axes, clustering, rows, texts, _PICTURES + n_images * rows.height)
        _write_themes(axes, names_of(clustering), rows, width - _THEMES - 0.2)
        axes.text(
            _ROOT, rows.bottom + _BELOW - 0.08, _note(rows), color=SOFT, fontsize=6.5,
            va="bottom", linespacing=1.3,
        )  # fmt: skip
        names = names_of(clustering)
        describe(
            drawn,
            f"Tree over {plural(len(rows.clusters), 'cluster')} in {plural(len(names), 'theme')}, "
            f"with typical images: {listed([*names.values()], 12)}",
            " ".join(_note(rows).split()).removesuffix("."),
        )
    return drawn


def themes_rows(
    clustering: Clustering, *, n_images: int, labels: Mapping[int, str] | pd.DataFrame | None
) -> tuple[TreeRows, pd.DataFrame, dict[int, str]]:
    """Check the arguments of :func:`plot_themes`; return its rows, images and texts."""
    check_clustering(clustering)
    n_images = check_int("n_images", n_images, minimum=0, maximum=10)
    numbers = clustering.clusters["cluster"].astype(int).tolist()
    if not has_themes(clustering):
        raise ImagestrataError(
            "The clusters were not grouped into themes.", f"Call {verb('group_clusters')} first."
        )
    if len(clustering.tree) != len(numbers) - 1:
        raise ImagestrataError(
            "The clusters were edited after they were grouped: the tree does not describe them.",
            f"Call {verb('group_clusters')} again.",
        )
    if len(numbers) > _MOST:
        raise ImagestrataError(
            f"A figure has room for {_MOST:,} clusters, not {len(numbers):,}.",
        )
    texts = cluster_labels(clustering, labels)
    rows = _rows(clustering, cut_tree(clustering.tree, numbers, 1)[0])
    shown = rank_images(clustering.images, rows.clusters).groupby("cluster").head(n_images)
    return rows, shown, texts


def _note(rows: TreeRows) -> str:
    n_themes = len({*rows.themes})
    cut = "Dashed line: where the tree was cut. " if n_themes > 1 else ""
    grey = ""
    if n_themes > len(GROUPS):
        grey = f"The {len(GROUPS)} largest themes have a colour, smaller ones are grey. "
    note = (
        f"Two branches meet at the mean distance between their clusters. {cut}{grey}"
        "Images: those with the highest silhouettes, cropped to squares."
    )
    return textwrap.fill(note, _NOTE)


@dataclass(frozen=True)
class TreeRows:
    """The clusters from top to bottom, their themes and places, and the height of a row."""

    clusters: list[int]
    themes: list[int]
    places: list[float]
    height: float

    @property
    def bottom(self) -> float:
        return self.places[-1] + self.height / 2

    def spaced(self, places: list[float]) -> TreeRows:
        """The same rows at other places."""
        return replace(self, places=places)

    def colour(self, theme: int) -> str:
        """The largest themes have a colour each, smaller ones are grey."""
        return GROUPS[theme - 1] if theme <= len(GROUPS) else SMALLER


def _rows(clustering: Clustering, clusters: list[int]) -> TreeRows:
    theme_of = pairs_of(clustering.clusters)
    themes = [theme_of[number] for number in clusters]
    height = _ROW if len(clusters) <= _MANY else _SMALL_ROW
    places, place = [], _ABOVE + height / 2
    for before, theme in zip([themes[0], *themes], themes, strict=False):
        place += _BETWEEN if theme != before else 0
        places.append(place)
        place += height
    return TreeRows(clusters, themes, places, height)


@dataclass(frozen=True)
class TreeLine:
    """A line of the tree, between two heights at a place, or between two places at a height."""

    heights: tuple[float, float]
    places: tuple[float, float]
    theme: int  # 0 for several


def tree_lines(tree: pd.DataFrame, rows: TreeRows) -> list[TreeLine]:
    """The lines of a tree whose leaves are the rows."""
    #: Of each branch: its place, its height, and its theme.
    ends = {
        -number: (place, 0.0, theme)
        for number, place, theme in zip(rows.clusters, rows.places, rows.themes, strict=True)
    }
    lines = []
    for merge, left, right, height in tree[["merge", "left", "right", "height"]].itertuples(
        index=False
    ):
        one, other = ends.pop(int(left)), ends.pop(int(right))
        theme = one[2] if one[2] == other[2] else 0
        for place, below, own in (one, other):
            lines.append(TreeLine((below, float(height)), (place, place), own))
        lines.append(TreeLine((float(height), float(height)), (one[0], other[0]), theme))
        ends[int(merge)] = ((one[0] + other[0]) / 2, float(height), theme)
    return lines


def height_of_cut(tree: pd.DataFrame, n_themes: int) -> float | None:
    """The height at which the tree was cut into so many themes; None for one theme."""
    if n_themes < 2:
        return None
    heights = [0.0, *tree["height"]]
    return float(heights[-n_themes] + heights[1 - n_themes]) / 2


def _draw_tree(axes: Axes, tree: pd.DataFrame, rows: TreeRows) -> None:
    from matplotlib.ticker import MaxNLocator

    if tree.empty:
        return
    highest = float(tree["height"].iloc[-1]) or 1.0

    def across(height: float) -> float:
        return _LEAF - (_LEAF - _ROOT) * height / highest

    for line in tree_lines(tree, rows):
        colour = rows.colour(line.theme) if line.theme else SOFT
        axes.plot([*map(across, line.heights)], line.places, color=colour, linewidth=1)
    bottom = rows.bottom + 0.12
    height = height_of_cut(tree, len({*rows.themes}))
    if height is not None:
        cut = across(height)
        axes.plot([cut, cut], [_ABOVE, bottom], color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.plot([_ROOT, _LEAF], [bottom, bottom], color=SOFT, linewidth=0.7)
    for tick in MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0, highest):
        if 0 <= tick <= highest:
            x = across(tick)
            axes.plot([x, x], [bottom, bottom + 0.04], color=SOFT, linewidth=0.7)
            axes.text(x, bottom + 0.07, f"{tick:g}", ha="center", va="top", color=SOFT, fontsize=7)
    axes.text(
        (_ROOT + _LEAF) / 2, bottom + 0.24, "Mean distance between clusters",
        ha="center", va="top", color=SOFT, fontsize=7.5,
    )  # fmt: skip


def _draw_pictures(axes: Axes, shown: pd.DataFrame, rows: TreeRows, n_images: int) -> None:
    if not n_images:
        return
    tiles = make_tiles(shown, _PIXELS)
    side = 0.92 * rows.height
    place_of = dict(zip(rows.clusters, rows.places, strict=True))
    pictures: dict[int, list[NDArray[Any]]] = {}
    for number, picture in zip(shown["cluster"], tiles, strict=True):
        pictures.setdefault(int(number), []).append(picture)
    for number, row in pictures.items():
        gap = np.full((_PIXELS, round(_PIXELS * (rows.height / side - 1)), 3), 255, np.uint8)
        strip = np.hstack([part for picture in row for part in (picture, gap)][:-1])
        top = place_of[number] - side / 2
        wide = side * strip.shape[1] / _PIXELS
        axes.imshow(
            strip, extent=(_PICTURES, _PICTURES + wide, top + side, top), aspect="auto",
            interpolation="antialiased", zorder=2,
        )  # fmt: skip


def _write_names(
    axes: Axes, clustering: Clustering, rows: TreeRows, texts: Mapping[int, str], left: float
) -> None:
    """The size and the name of each cluster."""
    sizes = dict(zip(clustering.clusters["cluster"], clustering.clusters["size"], strict=True))
    font = 7.5 if rows.height == _ROW else 6.5
    plain: Any = {"va": "center", "parse_math": False, "fontsize": font}
    for number, place in zip(rows.clusters, rows.places, strict=True):
        axes.text(left + _SIZES, place, f"{sizes[number]:,}", ha="right", color=SOFT, **plain)
        name = shortened(label_of(number, texts), _LETTERS)
        axes.text(left + _SIZES + 0.08, place, name, color=INK, **plain)
    axes.text(left + _SIZES, rows.bottom + 0.19, "Images", ha="right", va="top", color=SOFT,
              fontsize=7)  # fmt: skip


def _write_themes(axes: Axes, names: Mapping[int, str], rows: TreeRows, left: float) -> None:
    """A bar beside the clusters of each theme, and its name."""
    for theme in dict.fromkeys(rows.themes):
        inside = [p for p, t in zip(rows.places, rows.themes, strict=True) if t == theme]
        top, bottom = min(inside) - rows.height / 2, max(inside) + rows.height / 2
        colour = rows.colour(theme)
        axes.fill_between(
            [left, left + 0.05], top + 0.015, bottom - 0.015, color=colour, linewidth=0
        )
        most = max(1, int((bottom - top) / _LINE))
        lines = textwrap.wrap(names[theme], _WRAP, max_lines=most, placeholder=" …")
        axes.text(
            left + 0.12, (top + bottom) / 2, "\n".join(lines), color=INK, fontsize=7.5,
            weight="bold", va="center", linespacing=1.15, parse_math=False,
        )  # fmt: skip
