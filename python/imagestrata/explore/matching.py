"""Which descriptions people take for which."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..annotation.matching import Matching
from ..errors import ImagestrataError
from ..verbs import public
from ..wording import arg, kind_of, verb
from .figure import INK, MAIN, SOFT, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Characters of a description that are shown, and inches that they take.
_LONGEST, _LABELS = 34, 2.8


@public
def plot_matching(matching: Matching, path: str | os.PathLike[str] | None = None) -> Figure:
    """Draw the confusion matrix of a matching test.

    Rows are the clusters that sets come from, columns the descriptions that the
    majority chose for them; the numbers count sets.

    Parameters
    ----------
    matching : Matching
        What :func:`read_matching` returned.
    path : path, optional
        Where to store the figure: a name ending in .png, .pdf or .svg.

    Returns
    -------
    matplotlib.figure.Figure
        With one axes; it grows with the number of clusters.

    Raises
    ------
    ImagestrataError
        If this is no matching test, or the file cannot be written.
    """
    if not isinstance(matching, Matching):
        raise ImagestrataError(
            f"{arg('matching')} must be what {verb('read_matching')} returned, not "
            f"{kind_of(matching)}."
        )
    table = matching.clusters
    place = {cluster: i for i, cluster in enumerate(table["cluster"])}
    counts = np.zeros((len(table), len(table)), dtype=int)
    for row in matching.confusion.itertuples():
        counts[place[row.cluster], place[row.label]] = row.n
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    from matplotlib.colors import LinearSegmentedColormap

    side = max(1.5, 0.3 * len(table))
    width, height = side + _LABELS + 0.2, side + 0.9
    with figure(width, height, path) as drawn:
        axes = drawn.add_axes((_LABELS / width, 0.5 / height, side / width, side / height))
        shades = LinearSegmentedColormap.from_list("strata", ["white", MAIN])
        axes.imshow(shares, cmap=shades, vmin=0, vmax=1)
        for i, j in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[i, j] > 0.6 else INK
            axes.text(j, i, f"{counts[i, j]}", ha="center", va="center", color=colour)
        names = [
            f"{cluster}  {text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}"
            for cluster, text in zip(table["cluster"], table["description"], strict=True)
        ]
        ticks = range(len(table))
        axes.set_yticks(ticks, names, color=INK)
        axes.set_xticks(ticks, [str(cluster) for cluster in table["cluster"]])
        axes.set(xlabel="Description chosen", title="Sets by cluster and by description")
        axes.tick_params(length=0)
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set(visible=True, color=SOFT, linewidth=0.5)
    return drawn
