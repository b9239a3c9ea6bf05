"""Figures of the iterations of a clustering, and of their searches for K."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from ..clustering.clustering import Clustering, check_clustering, check_same_run
from ..errors import ImagestrataError, plural
from ..validate import check_choice
from ..verbs import public
from ..wording import arg
from .figure import BRIGHT, INK, MAIN, PALE, SOFT, describe, figure, listed, write_note

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

#: Up to so many iterations have a panel each.
_PANELS = 36
#: Criteria whose name does not say what they are. Where a criterion is larger for worse fits, the
#: search takes it negated.
_CRITERIA = {
    "": "Goodness of fit",
    "cohesion": "Mean silhouette of the more cohesive half",
    "silhouette": "Mean silhouette",
    "inertia": "Inertia, negated",
    "calinski_harabasz": "Calinski-Harabasz index",
    "davies_bouldin": "Davies-Bouldin index, negated",
}


@public
def plot_trace(
    clustering: Clustering, out: str | os.PathLike[str] | None = None, *, type: str = "trace"
) -> Figure:
    """Draw the iterations of a clustering (the paper's Figure 6), or their searches for K.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images`.
    out : path, optional
        File for the figure, with a name that ends in .png, .pdf or .svg.
    type : {"trace", "searches"}, default "trace"
        "trace": three panels show for each iteration the images that remained; the clusters
        that were fitted and, in a second colour, the cohesive ones among them; and the mean
        size of the cohesive clusters. "searches": the goodness of fit of each number of clusters
        that was tried on the sample of an iteration, with an orange diamond at the number that was
        kept. Up to 36 iterations have a panel each; the lines of more share one panel, the later
        the darker.

    Returns
    -------
    matplotlib.figure.Figure
        6.5 inches wide.

    Raises
    ------
    ImagestrataError
        If the clustering has no iterations, or no searches; or if the file cannot be written.
    """
    check_clustering(clustering)
    if check_choice("type", type, ("trace", "searches")) == "searches":
        check_same_run(clustering.images, out, "searches")
        return _draw_searches(clustering, out)
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
        note = write_note(
            drawn,
            "Cohesive clusters leave with their images, and the other images are clustered again",
            "An iteration without a cohesive cluster has no mean size"
            if trace["mean_size"].isna().any()
            else None,
        )
        drawn.tight_layout(h_pad=1.6, rect=(0, note, 1, 1))
        describe(
            drawn,
            f"Bars in three panels over {plural(len(trace), 'iteration')}: the images remaining, "
            "the clusters fitted and those of them that are cohesive, and the mean size of the "
            "cohesive clusters",
            f"At first there are {plural(int(trace['n_remaining'].iloc[0]), 'image')}, in the last "
            f"iteration {int(trace['n_remaining'].iloc[-1]):,}; "
            f"{plural(int(trace['n_cohesive'].sum()), 'cluster')} leave",
        )
    return drawn


def _draw_searches(clustering: Clustering, out: str | os.PathLike[str] | None) -> Figure:
    searches = clustering.searches
    if searches.empty:
        raise ImagestrataError(
            "This clustering has no search for the number of clusters.",
            f"Only {arg('method', 'iterative')} without {arg('k')} searches; results of older "
            "versions do not hold it.",
        )
    numbers = searches["iteration"].unique().tolist()
    curves = {number: searches[searches["iteration"] == number] for number in numbers}
    name = str(searches["criterion"].iloc[0])
    criterion = _CRITERIA.get(name, name.replace("_", " ").capitalize())
    together = len(curves) > _PANELS
    n_columns = 1 if together else math.ceil(math.sqrt(len(curves)))
    n_rows = 1 if together else math.ceil(len(curves) / n_columns)
    with figure(6.5, max(3.6, 1 + 1.1 * n_rows), out) as drawn:
        panels = drawn.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
        if together:
            _share_a_panel(panels[0], curves)
        else:
            _draw_panels(panels, curves, n_columns)
        _set_ticks(panels[0], searches)
        note = write_note(
            drawn,
            "Points: the numbers of clusters that were tried",
            "Orange diamonds: the numbers that were kept",
        )
        drawn.supxlabel("Number of clusters", y=note + 0.01, va="bottom", color=SOFT, fontsize=8.5)
        drawn.supylabel(criterion, x=0.015, color=SOFT, fontsize=8.5)
        drawn.tight_layout(h_pad=0.8, w_pad=0.6, rect=(0.01, note, 1, 1))
        kept = searches.loc[searches["kept"], "k"]
        describe(
            drawn,
            f"Lines: {criterion.lower()} by the number of clusters, for "
            f"{plural(len(curves), 'iteration')}",
            f"The numbers that were kept: {listed([*kept])}" if len(kept) else None,
        )
    return drawn


def _draw_panels(panels: NDArray[Any], curves: dict[int, pd.DataFrame], n_columns: int) -> None:
    """A panel for each iteration."""
    for axes, (number, curve) in zip(panels, curves.items(), strict=False):
        axes.plot(curve["k"], curve["fit"], color=MAIN, linewidth=1)
        _draw_points(axes, curve)
        axes.set_title(f"Iteration {number}", fontsize=7.5, pad=4)
        axes.tick_params(axis="x", length=0)
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(curves) - n_columns) : len(curves)]:
        axes.tick_params(labelbottom=True)


def _share_a_panel(axes: Axes, curves: dict[int, pd.DataFrame]) -> None:
    """One line for each iteration, the later the darker."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    colours = LinearSegmentedColormap.from_list("iterations", ["#b9c4cf", INK])
    for number, curve in curves.items():
        share = (number - min(curves)) / (max(curves) - min(curves))
        axes.plot(curve["k"], curve["fit"], color=colours(share), linewidth=0.6)
        _draw_points(axes, curve)
    axes.tick_params(axis="x", length=0)
    scale = ScalarMappable(Normalize(min(curves), max(curves)), colours)
    axes.figure.colorbar(scale, ax=axes, label="Iteration", pad=0.02)


def _draw_points(axes: Axes, curve: pd.DataFrame) -> None:
    kept = curve[curve["kept"]]
    axes.scatter(curve["k"], curve["fit"], s=5, color=MAIN, zorder=3)
    axes.scatter(kept["k"], kept["fit"], s=30, marker="D", color=BRIGHT, zorder=4)


def _set_ticks(axes: Axes, searches: pd.DataFrame) -> None:
    """Ticks at the numbers that were tried, if they are few."""
    from matplotlib.ticker import MaxNLocator

    tried = sorted(searches["k"].unique())
    if len(tried) <= 4:
        axes.set_xticks(tried)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    room = 0.06 * max(1, tried[-1] - tried[0])
    axes.set_xlim(tried[0] - room, tried[-1] + room)
    axes.margins(y=0.06)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
