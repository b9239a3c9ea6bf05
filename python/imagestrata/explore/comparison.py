"""Where the images of one clustering are in another: heat map and flows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from ..errors import ImagestrataError
from ..validate import check_choice, check_int
from ..validation.comparison import Comparison, is_residual
from ..verbs import public
from ..wording import arg, kind_of, verb
from .figure import BRIGHT, INK, MAIN, PALE, SOFT, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array: TypeAlias = np.ndarray[Any, Any]

#: Neighbours differ in lightness as well as in colour.
_COLOURS = (MAIN, BRIGHT, "#7a9a54", "#a0527a", "#4f9aa8", "#c9a94b", "#3d4a5c", "#b9745c")
_OTHERS, _RESIDUAL = "others", "residual"
#: Width of a column of clusters and space between two bars, as shares of what there is.
_BAR, _GAP = 0.1, 0.006
#: Inches of one cell of the heat map, and of a letter.
_CELL, _LETTER = 0.34, 0.085
#: Bars lower than this share of all images go without a name.
_LOWEST = 0.016


@dataclass(frozen=True, eq=False)
class _Counts:
    """Images in each cluster of one clustering (rows) and of another (columns)."""

    n: Array
    rows: list[str]
    columns: list[str]


@public
def plot_comparison(
    comparison: Comparison,
    path: str | os.PathLike[str] | None = None,
    *,
    type: str = "flow",
    clusterings: Sequence[str] | None = None,
    n_clusters: int = 15,
) -> Figure:
    """Draw where the images of each cluster are in another clustering.

    Parameters
    ----------
    comparison : Comparison
        What :func:`compare_clusterings` returned.
    path : path, optional
        Where to store the figure: a name ending in .png, .pdf or .svg.
    type : {"flow", "heatmap"}, default "flow"
        ``"flow"``: a column for each clustering, a bar for each cluster as high as
        it has images, and ribbons for the images that two clusters share. A cluster has the
        colour of the one before it that gave it most, and the residual is pale.
        ``"heatmap"``: two clusterings, clusters of the first as rows and of the second as
        columns; a cell shows how many percent of the row's images it has.
    clusterings : sequence of str, optional
        Names of the clusterings to draw, in this order; two for a heat map. By
        default all of them, or the first two.
    n_clusters : int, default 15
        The largest clusters of each are drawn, smaller ones as one ("others").

    Returns
    -------
    matplotlib.figure.Figure
        With one axes.

    Raises
    ------
    ImagestrataError
        If this is no comparison, has no such clustering, or the file cannot be
        written.
    """
    if not isinstance(comparison, Comparison):
        raise ImagestrataError(
            f"{arg('comparison')} must be what {verb('compare_clusterings')} returned, not "
            f"{kind_of(comparison)}."
        )
    type = check_choice("type", type, ("flow", "heatmap"))
    n_clusters = check_int("n_clusters", n_clusters, minimum=1)
    names = _check_names(clusterings, comparison.summary["clustering"].tolist(), type)
    if type == "flow":
        return _draw_flows(comparison, names, n_clusters, path)
    return _draw_heatmap(comparison, names, n_clusters, path)


def _check_names(clusterings: Any, known: list[str], type: str) -> list[str]:
    if clusterings is None:
        return known[:2] if type == "heatmap" else known
    names = [clusterings] if isinstance(clusterings, str) else list(clusterings)
    unknown = [name for name in names if name not in known]
    wanted = "two different" if type == "heatmap" else "at least two different"
    if unknown or len({*names}) < len(names) or len(names) < 2 or (type == "heatmap" and names[2:]):
        raise ImagestrataError(
            f"{arg('clusterings')} must be the names of {wanted} clusterings of "
            f"{', '.join(known)}; got {', '.join(map(str, names)) or 'none'}."
        )
    return names


def _counts(comparison: Comparison, a: str, b: str, n_clusters: int) -> _Counts:
    """Rows in the order of size, columns in the order of the rows that they come from."""
    flows = comparison.flows
    chosen = flows[(flows["a"] == a) & (flows["b"] == b)]
    sides = ["cluster_a", "cluster_b"]
    if chosen.empty:
        chosen, sides = flows[(flows["a"] == b) & (flows["b"] == a)], sides[::-1]
    shown = {side: _shown(chosen, side, n_clusters) for side in sides}
    table = (
        chosen.assign(**shown)
        .pivot_table(index=sides[0], columns=sides[1], values="n", aggfunc="sum", fill_value=0)
    )  # fmt: skip
    table = table.loc[_by_size(table.sum(axis=1)), _by_size(table.sum())]
    home = table.to_numpy().argmax(axis=0)
    last = table.columns.isin([_OTHERS, _RESIDUAL])
    table = table.iloc[:, np.lexsort((-table.to_numpy().max(axis=0), home, last))]
    columns = table.columns.tolist()
    columns.sort(key=lambda name: (name == _RESIDUAL, name == _OTHERS))
    return _Counts(table[columns].to_numpy(), table.index.tolist(), columns)


def _shown(flows: pd.DataFrame, side: str, n_clusters: int) -> pd.Series[str]:
    """The name under which each cluster is drawn."""
    clusters = flows[side]
    alone = is_residual(clusters)
    sizes = flows[~alone].groupby(side)["n"].sum().sort_values(ascending=False, kind="stable")
    # A single small cluster needs no more room than "others".
    large = sizes.index[: n_clusters if len(sizes) > n_clusters + 1 else None]
    names = clusters.astype(str).where(clusters.isin(large), _OTHERS)
    return names.where(~alone, _RESIDUAL)


def _by_size(sizes: pd.Series[int]) -> list[str]:
    ordered = sizes.sort_values(ascending=False, kind="stable").index.tolist()
    return sorted(ordered, key=lambda name: (name == _RESIDUAL, name == _OTHERS))


def _draw_heatmap(
    comparison: Comparison,
    names: list[str],
    n_clusters: int,
    path: str | os.PathLike[str] | None,
) -> Figure:
    from matplotlib.colors import LinearSegmentedColormap

    a, b = names
    counts = _counts(comparison, a, b, n_clusters)
    sizes = counts.n.sum(axis=1)
    percent = 100 * counts.n / sizes[:, None]
    rows = [f"{name}  ({n:,})" for name, n in zip(counts.rows, sizes, strict=True)]
    wide, high = _CELL * len(counts.columns), _CELL * len(counts.rows)
    longest = max(map(len, counts.columns))
    left = 0.2 + _LETTER * max(map(len, rows))
    top = 0.65 + (_LETTER * longest if longest > 3 else 0.15)
    title = f"Clusters of {a} (rows) in {b}"
    width = max(left + wide, _LETTER * len(title)) + 0.2
    height = top + high + 0.2
    with figure(width, height, path) as drawn:
        axes = drawn.add_axes((left / width, 0.2 / height, wide / width, high / height))
        shades = LinearSegmentedColormap.from_list("strata", ["white", MAIN])
        axes.imshow(percent, cmap=shades, vmin=0, vmax=100, aspect="auto")
        for i, j in zip(*np.nonzero(np.rint(percent) >= 1), strict=True):
            colour = "white" if percent[i, j] > 55 else INK
            axes.text(
                j, i, f"{percent[i, j]:.0f}", ha="center", va="center", color=colour, fontsize=7
            )
        axes.set_yticks(range(len(rows)), rows, color=INK)
        turn = 90 if longest > 3 else 0
        axes.set_xticks(range(len(counts.columns)), counts.columns, color=INK, rotation=turn)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set(visible=True, color=SOFT, linewidth=0.5)
        drawn.text(0.12 / width, 1 - 0.12 / height, title, va="top")
        note = "percent of the images of a row"
        drawn.text(0.12 / width, 1 - 0.3 / height, note, va="top", color=SOFT, fontsize=7.5)
    return drawn


def _draw_flows(
    comparison: Comparison,
    names: list[str],
    n_clusters: int,
    path: str | os.PathLike[str] | None,
) -> Figure:
    tables = [_counts(comparison, a, b, n_clusters) for a, b in pairwise(names)]
    most = max(len(table.rows) for table in tables)
    margins = [
        0.3 + _LETTER * max(*map(len, bars), len(name) / 2)
        for name, bars in ((names[0], tables[0].rows), (names[-1], tables[-1].columns))
    ]
    wide = 2.4 * len(tables)
    width, height = wide + sum(margins), max(3.2, 0.24 * most + 0.8)
    with figure(width, height, path) as drawn:
        axes = drawn.add_axes((margins[0] / width, 0.02, wide / width, 0.91))
        order = tables[0].rows
        colours = _plain(islice(cycle(_COLOURS), len(order)), order)
        for place, table in enumerate(tables):
            # The next clustering stands in the order in which it came out of this one.
            n = table.n[[table.rows.index(name) for name in order]]
            _draw_bars(
                axes, place, order, n.sum(axis=1), colours, "right" if not place else "center"
            )
            _draw_ribbons(axes, place, n, colours)
            colours = _handed_on(n, order, table.columns, colours)
            order = table.columns
        _draw_bars(axes, len(tables), order, tables[-1].n.sum(axis=0), colours, "left")
        for place, name in enumerate(names):
            axes.text(place, -0.02, name, ha="center", va="bottom", fontsize=9)
        axes.set(xlim=(-_BAR / 2, len(tables) + _BAR / 2), ylim=(1, 0))
        axes.set_axis_off()
    return drawn


def _plain(colours: Iterable[str], names: list[str]) -> list[str]:
    """The colours, but for what is no cluster."""
    plain = {_RESIDUAL: PALE, _OTHERS: "#a3a7ad"}
    return [plain.get(name, colour) for name, colour in zip(names, colours, strict=True)]


def _handed_on(n: Array, rows: list[str], columns: list[str], colours: list[str]) -> list[str]:
    """For each column the colour of the row that gave it most; a new one if that is no cluster."""
    new = islice(cycle(_COLOURS), len(rows), None)
    homes = n.argmax(axis=0)
    handed = [next(new) if rows[i] in (_OTHERS, _RESIDUAL) else colours[i] for i in homes]
    return _plain(handed, columns)


def _edges(sizes: Array) -> tuple[Array, float]:
    """Upper edges of bars that share a height of one, and the height of one image."""
    unit = (1 - _GAP * (len(sizes) - 1)) / sizes.sum()
    return np.concatenate([[0], np.cumsum(sizes[:-1] * unit + _GAP)]), float(unit)


def _draw_bars(
    axes: Axes, place: int, names: list[str], sizes: Array, colours: list[str], side: str
) -> None:
    """Bars with their names: ``side`` is how these are aligned, "center" inside of the bar."""
    edges, unit = _edges(sizes)
    axes.bar(
        np.full(len(sizes), place), sizes * unit, _BAR, edges, color=colours, linewidth=0, zorder=3
    )
    for name, top, high, colour in zip(names, edges, sizes * unit, colours, strict=True):
        if high < _LOWEST:
            continue
        x, ink, aligned = float(place), INK, side
        if side == "center" and len(name) <= 3:
            ink = INK if colour == PALE else "white"
        elif side == "right":
            x -= 0.6 * _BAR
        else:
            # Long names inside the figure lie on the ribbons that follow.
            x, aligned = x + 0.6 * _BAR, "left"
        axes.text(x, top + high / 2, name, ha=aligned, va="center", color=ink, zorder=4, fontsize=8)


def _draw_ribbons(axes: Axes, place: int, n: Array, colours: list[str]) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    left, unit = _edges(n.sum(axis=1))
    right, right_unit = _edges(n.sum(axis=0))
    start = left[:, None] + unit * (np.cumsum(n, axis=1) - n)
    end = right[None, :] + right_unit * (np.cumsum(n, axis=0) - n)
    x0, x1 = place + _BAR / 2, place + 1 - _BAR / 2
    middle = (x0 + x1) / 2
    curve = [Path.CURVE4] * 3
    for i, j in zip(*np.nonzero(n), strict=True):
        top, bottom = start[i, j], start[i, j] + n[i, j] * unit
        far_top, far_bottom = end[i, j], end[i, j] + n[i, j] * right_unit
        corners = [
            (x0, top), (middle, top), (middle, far_top), (x1, far_top),
            (x1, far_bottom), (middle, far_bottom), (middle, bottom), (x0, bottom),
        ]  # fmt: skip
        ribbon = Path(corners, [Path.MOVETO, *curve, Path.LINETO, *curve])
        axes.add_patch(PathPatch(ribbon, color=colours[i], alpha=0.45, linewidth=0))
