"""A figure of a sweep over numbers or smallest sizes of clusters."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeGuard

import pandas as pd

from ..errors import plural
from .figure import BRIGHT, MAIN, SOFT, describe, figure, write_note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OF_NUMBERS = {
    "explained_variance": "Explained variance",
    "inertia": "Inertia (sum of squared distances)",
    "silhouette": "Mean silhouette",
}
_OF_SIZES = {
    "n_clusters": "Clusters",
    "share_noise": "Share of noise",
    "silhouette": "Mean silhouette without noise",
}


def is_sweep(table: object) -> TypeGuard[pd.DataFrame]:
    """Whether this is a table of :func:`imagestrata.sweep_clusters`, of either method."""
    if not isinstance(table, pd.DataFrame) or table.empty:
        return False
    columns = {*table.columns}
    numbers, sizes = {"n_clusters", "knee", *_OF_NUMBERS}, {"min_cluster_size", *_OF_SIZES}
    return numbers <= columns or sizes <= columns


def draw_sweep(
    swept: pd.DataFrame, mark: Sequence[int], out: str | os.PathLike[str] | None
) -> Figure:
    """Draw the measures against the values, with a dashed line at each marked value."""
    from matplotlib.ticker import MaxNLocator

    of_sizes = "min_cluster_size" in swept
    name = "min_cluster_size" if of_sizes else "n_clusters"
    swept = swept.sort_values(name)
    panels = _OF_SIZES if of_sizes else _OF_NUMBERS
    circled = {} if of_sizes else _circled(swept)
    with figure(6.5, 6, out) as drawn:
        for axes, (column, title) in zip(
            drawn.subplots(3, 1, sharex=True), panels.items(), strict=True
        ):
            for value in mark:
                axes.axvline(value, color=SOFT, linestyle="--", linewidth=0.9)
            axes.plot(swept[name], swept[column], color=MAIN, marker="o", markersize=3, linewidth=1)
            best = swept[swept[name].isin(circled.get(column, []))]
            axes.scatter(
                best[name], best[column], s=90, facecolor="none", edgecolor=BRIGHT,
                linewidth=1.3, zorder=4,
            )  # fmt: skip
            axes.set_title(title)
            axes.margins(y=0.08)
            whole = column == "n_clusters"
            axes.yaxis.set_major_locator(MaxNLocator(5, integer=whole, steps=[1, 2, 5, 10]))
            if swept[column].max() >= 1000:
                axes.yaxis.set_major_formatter("{x:,.0f}")
            axes.tick_params(axis="x", length=0)
        room = 0.03 * max(1, swept[name].max() - swept[name].min())
        axes.set_xlim(swept[name].min() - room, swept[name].max() + room)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        axes.set_xlabel("Smallest size of a cluster" if of_sizes else "Number of clusters")
        said = [
            *(f"knee of the explained variance at {k}" for k in circled.get("inertia", [])),
            *(f"highest silhouette at {k}" for k in circled.get("silhouette", [])),
        ]
        note = write_note(
            drawn,
            "Points: the values that were tried",
            f"Circles: {', '.join(said)}" if said else None,
            f"Dashed: {', '.join(map(str, mark))}" if mark else None,
        )
        drawn.tight_layout(h_pad=1.6, rect=(0, note, 1, 1))
        tried = swept[name]
        describe(
            drawn,
            f"Lines in three panels: {', '.join(panels.values())}, for "
            f"{plural(len(tried), 'value')} of {name} from {tried.min():,} to {tried.max():,}",
            f"Circles: {', '.join(said)}" if said else None,
        )
    return drawn


def _circled(swept: pd.DataFrame) -> dict[str, list[int]]:
    """For each panel the numbers of clusters with a circle."""
    highest = swept["silhouette"] == swept["silhouette"].max()
    knee = swept.loc[swept["knee"].astype(bool), "n_clusters"].tolist()
    best = swept.loc[highest, "n_clusters"].tolist()[:1]
    return {"explained_variance": knee, "inertia": knee, "silhouette": best}
