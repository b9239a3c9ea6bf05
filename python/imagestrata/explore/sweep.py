"""What the smallest size of a cluster changes: the study's Table A1 as a figure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..errors import ImagestrataError
from ..validate import columns_of
from ..verbs import public
from ..wording import arg, verb
from .figure import MAIN, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = {
    "n_clusters": "Clusters",
    "share_noise": "Share of noise",
    "silhouette": "Silhouette without noise",
}


@public
def plot_sweep(swept: pd.DataFrame, path: str | os.PathLike[str] | None = None) -> Figure:
    """Draw what the smallest size of a cluster changes.

    Three panels over the sizes: the number of clusters, the share of noise, and the mean
    silhouette of the images in clusters.

    Parameters
    ----------
    swept : DataFrame
        What :func:`sweep_min_cluster_size` returned.
    path : path, optional
        Where to store the figure: a name ending in .png, .pdf or .svg.

    Returns
    -------
    matplotlib.figure.Figure
        6.5 x 5 inches, with three axes.

    Raises
    ------
    ImagestrataError
        If this is no such table, or the file cannot be written.
    """
    wanted: dict[str, Any] = {"min_cluster_size": None, **_PANELS}
    if not isinstance(swept, pd.DataFrame) or not {*wanted} <= {*swept}:
        raise ImagestrataError(
            f"{arg('swept')} must be the table that {verb('sweep_min_cluster_size')} returned, "
            f"with the columns {', '.join(wanted)}; {columns_of(swept)}."
        )
    table = swept.sort_values("min_cluster_size")
    with figure(6.5, 5, path) as drawn:
        panels = drawn.subplots(3, 1, sharex=True)
        for axes, (column, title) in zip(panels, _PANELS.items(), strict=True):
            axes.plot(table["min_cluster_size"], table[column], color=MAIN, marker="o", ms=4)
            axes.set_title(title)
            axes.margins(y=0.15)
        panels[-1].set_xlabel("Smallest size of a cluster")
        drawn.align_ylabels()
        drawn.tight_layout(h_pad=1.6)
    return drawn
