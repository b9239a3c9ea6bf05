"""A figure of the iterations of a clustering."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..clustering.clustering import Clustering, check_clustering, check_same_run
from ..errors import ImagestrataError
from ..verbs import public
from ..wording import arg
from .figure import BRIGHT, MAIN, PALE, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@public
def plot_trace(clustering: Clustering, out: str | os.PathLike[str] | None = None) -> Figure:
    """Draw the iterations of a clustering: the paper's Figure 6.

    Three panels show for each iteration the images that remained; the clusters
    that were fitted and, in a second colour, the cohesive ones among them; and the
    mean size of the cohesive clusters.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images`.
    out : path, optional
        File for the figure, with a name that ends in .png, .pdf or .svg.

    Returns
    -------
    matplotlib.figure.Figure
        6.5 x 6 inches, with three axes.

    Raises
    ------
    ImagestrataError
        If the clustering has no iterations, or the file cannot be written.
    """
    check_clustering(clustering)
    check_same_run(clustering.images, out, "trace")
    trace = clustering.trace
    if trace.empty:
        raise ImagestrataError(
            "This clustering has no iterations to draw.",
            f"Without {arg('stop_size')} or more images there is no iteration.",
        )
    from matplotlib.ticker import MaxNLocator

    x = trace["iteration"]
    with figure(6.5, 6, out) as drawn:
        top, middle, bottom = drawn.subplots(3, 1, sharex=True)
        top.bar(x, trace["n_remaining"], color=MAIN)
        top.set_title("Images remaining")
        middle.bar(x, trace["k"], color=PALE, label="fitted")
        middle.bar(x, trace["n_cohesive"], color=BRIGHT, label="cohesive")
        middle.set_title("Clusters")
        middle.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.1)
        bottom.bar(x, trace["mean_size"], color=MAIN)
        bottom.set_title("Mean size of the cohesive clusters")
        bottom.set_xlabel("Iteration")
        bottom.set_xlim(x.min() - 0.7, x.max() + 0.7)
        bottom.xaxis.set_major_locator(MaxNLocator(16, integer=True, min_n_ticks=1))
        for axes in (top, middle, bottom):
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
            axes.yaxis.set_major_formatter("{x:,.0f}")
            axes.tick_params(axis="x", length=0)
        drawn.align_ylabels()
        drawn.tight_layout(h_pad=1.6)
    return drawn
