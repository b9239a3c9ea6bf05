"""A figure of the results of tuning (the paper's Figures 5 and 7, with intervals), or a sweep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError
from ..validate import check_int
from ..validation.tuning import Tuning
from ..verbs import public
from ..wording import arg, kind_of, verb
from .figure import BRIGHT, INK, MAIN, distinct, figure, write_note
from .sweep import draw_sweep, is_sweep

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
def plot_tuning(
    tuned: Tuning | pd.DataFrame,
    out: str | os.PathLike[str] | None = None,
    *,
    mark: int | Sequence[int] | None = None,
) -> Figure:
    """Draw the agreement of the clusterings of a grid with judged pairs, or a sweep.

    For a tuning, the first panel shows precision against recall of every candidate, with a circle
    around the best one: the paper's Figure 5. The second shows the measure of the choice
    against the number of clusters, with hollow baselines: its Figure 7. Whiskers are 95%
    intervals.

    For a sweep, three panels show explained variance, inertia and the mean silhouette against the
    number of clusters, with a circle around the knee and around the highest silhouette; or the
    number of clusters, the share of noise and the mean silhouette of the images in clusters against
    the smallest size.

    Parameters
    ----------
    tuned : Tuning, or DataFrame
        The result of :func:`tune_clusters` or :func:`sweep_clusters`.
    out : path, optional
        File for the figure, with a name that ends in .png, .pdf or .svg.
    mark : int or sequence of int, optional
        For a sweep: values to mark with a dashed line, such as the number that you chose (80 in
        the paper).

    Returns
    -------
    matplotlib.figure.Figure
        8.5 x 4.4 inches with two axes; for a sweep 6.5 x 6 inches with three.

    Raises
    ------
    ImagestrataError
        If ``tuned`` is neither; if ``mark`` is not a whole number, or given for a tuning; or if
        the file cannot be written.
    """
    given: Any = [] if mark is None else np.atleast_1d(np.asarray(mark, dtype=object))
    marked = [check_int("mark", value, minimum=1) for value in given]
    if is_sweep(tuned):
        return draw_sweep(tuned, marked, out)
    if not isinstance(tuned, Tuning):
        raise ImagestrataError(
            f"{arg('tuned')} must be the result of {verb('tune_clusters')} or "
            f"{verb('sweep_clusters')}, not {kind_of(tuned)}."
        )
    if marked:
        raise ImagestrataError(f"{arg('mark')} is only for the result of {verb('sweep_clusters')}.")
    measure = tuned.settings["measure"]
    rows = {name: table.set_index("candidate") for name, table in tuned.results.groupby("measure")}
    decides = rows[measure]
    best = tuned.summary["candidate"].item()
    colours = distinct(decides["encoder"].nunique(), _COLOURS)
    with figure(8.5, 4.4, out) as drawn:
        left, right = drawn.subplots(1, 2)
        for number, (encoder, of_one) in enumerate(decides.groupby("encoder", sort=False)):
            colour, marker = colours[number], _MARKERS[number % len(_MARKERS)]
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
        right.set(xlabel="Clusters", ylabel=_NAMES[measure], title="Against baselines")
        note = write_note(
            drawn,
            "Points: the candidates",
            "Lines: 95% intervals",
            "Circle: the best candidate",
            "Hollow points: baselines" if decides["baseline"].any() else None,
        )
        drawn.legend(loc="lower center", ncols=4, bbox_to_anchor=(0.5, note))
        n_rows = -(-len(colours) // 4)
        drawn.tight_layout(w_pad=2.5, rect=(0, note + 0.06 * n_rows, 1, 1))
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
