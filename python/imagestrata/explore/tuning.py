"""A figure of the results of tuning: the paper's Figures 5 and 7, with intervals."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..errors import ImagestrataError
from ..validation.tuning import Tuning
from ..verbs import public
from ..wording import arg, kind_of, verb
from .figure import BRIGHT, INK, MAIN, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Encoders differ in shape and in colour.
_COLOURS = (MAIN, BRIGHT, INK, "#7a9a54", "#a0527a", "#4f9aa8", "#a3a7ad", "#8a6a2f")
_MARKERS = "osD^vP*X"
_NAMES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "mean_pr": "Mean of precision and recall",
    "quality": "Quality",
}


@public
def plot_tuning(tuned: Tuning, out: str | os.PathLike[str] | None = None) -> Figure:
    """Draw the agreement of the clusterings of a grid with judged pairs.

    The first panel shows precision against recall of every candidate, with a circle
    around the best one: the paper's Figure 5. The second shows the measure of the choice
    against the number of clusters, with hollow baselines: its Figure 7. Whiskers are 95%
    intervals.

    Parameters
    ----------
    tuned : Tuning
        The result of :func:`tune_clusters`.
    out : path, optional
        File for the figure, with a name that ends in .png, .pdf or .svg.

    Returns
    -------
    matplotlib.figure.Figure
        8.5 x 4.2 inches, with two axes.

    Raises
    ------
    ImagestrataError
        If ``tuned`` is not a tuning, or the file cannot be written.
    """
    if not isinstance(tuned, Tuning):
        raise ImagestrataError(
            f"{arg('tuned')} must be the result of {verb('tune_clusters')}, not {kind_of(tuned)}."
        )
    measure = tuned.settings["measure"]
    rows = {name: table.set_index("candidate") for name, table in tuned.results.groupby("measure")}
    decides = rows[measure]
    best = tuned.summary["candidate"].item()
    with figure(8.5, 4.2, out) as drawn:
        left, right = drawn.subplots(1, 2)
        for number, (encoder, of_one) in enumerate(decides.groupby("encoder", sort=False)):
            colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
            own, other = of_one[~of_one["baseline"]], of_one[of_one["baseline"]]
            recall, precision = (rows[name].loc[own.index] for name in ("recall", "precision"))
            _points(left, recall["estimate"], precision, colour, marker, across=recall)
            _points(right, other["n_clusters"], other, colour, marker, hollow=True)
            _points(right, own["n_clusters"], own, colour, marker)
            left.plot([], [], linestyle="", color=colour, marker=marker, label=encoder)
        for axes, x, y in (
            (left, rows["recall"]["estimate"], rows["precision"]["estimate"]),
            (right, decides["n_clusters"], decides["estimate"]),
        ):
            circle = {"s": 150, "facecolor": "none", "edgecolor": INK, "linewidth": 1.2}
            axes.scatter(x.loc[[best]], y.loc[[best]], zorder=4, **circle)
            axes.grid(visible=True, axis="both")
            axes.margins(0.06)
        left.set(xlabel="Recall", ylabel="Precision", title="Precision and recall")
        right.set(xlabel="Clusters", ylabel=_NAMES[measure], title="Against baselines (hollow)")
        drawn.legend(loc="lower center", ncols=4)
        drawn.tight_layout(w_pad=2.5, rect=(0, 0.07, 1, 1))
    return drawn


def _points(
    axes: Axes,
    x: pd.Series[Any],
    table: pd.DataFrame,
    colour: str,
    marker: str,
    *,
    across: pd.DataFrame | None = None,
    hollow: bool = False,
) -> None:
    """Estimates over ``x``, with vertical and optionally horizontal (``across``) whiskers."""
    axes.errorbar(
        x, table["estimate"], yerr=_whiskers(table),
        xerr=None if across is None else _whiskers(across),
        fmt="none", ecolor=colour, alpha=0.3, elinewidth=0.9, zorder=1,
    )  # fmt: skip
    axes.scatter(
        x, table["estimate"], s=26, marker=marker, zorder=3,
        facecolor="white" if hollow else colour, edgecolor=colour, linewidth=0.9,
    )  # fmt: skip


def _whiskers(table: pd.DataFrame) -> list[pd.Series[float]]:
    return [table["estimate"] - table["conf_low"], table["conf_high"] - table["estimate"]]
