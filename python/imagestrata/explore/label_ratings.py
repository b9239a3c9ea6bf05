"""What images evoke: how many emotions, which together, and how clearly."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..finetune.rules import label_ratings, mean_ratings
from ..verbs import public
from .figure import INK, MAIN, PALE, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@public
def plot_label_ratings(
    ratings: pd.DataFrame,
    path: str | os.PathLike[str] | None = None,
    *,
    items: Sequence[str] | None = None,
    scale: tuple[float, float] = (0, 10),
    at_least: float = 3.0,
    margin: float = 3.0,
) -> Figure:
    """Draw what ratings say of images before they become labels: the Element's Figures 7.1, 7.2.

    Parameters
    ----------
    ratings : DataFrame
    path : path, optional
        Where to store the figure: a name ending in .png, .pdf or .svg.
    items : sequence of str, optional
    scale : (float, float), default (0, 10)
    at_least, margin : float, default 3
        As ``ratings`` in :func:`imagestrata.label_ratings`.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels: how many items an image evokes (mean rating above the lowest); of the images
        that evoke the item of a row, the share that also evokes that of a column; and
        for how many images an item is highest, and clearly so.

    Raises
    ------
    ImagestrataError
        As :func:`imagestrata.label_ratings`, or if the file cannot be written.
    """
    labels = label_ratings(ratings, items=items, scale=scale, at_least=at_least, margin=margin)
    counts = labels.attrs["counts"]
    evoked = (mean_ratings(ratings, items, scale)[0] > 0).to_numpy()
    names = counts["item"].tolist()
    together = evoked.T.astype(float) @ evoked
    share = together / np.maximum(np.diag(together), 1)[:, None]
    n = len(names)
    with figure(6.5, 5.4, path) as drawn:
        grid = drawn.add_gridspec(2, 2, width_ratios=(1, 1.15))
        number, matrix = drawn.add_subplot(grid[0, 0]), drawn.add_subplot(grid[:, 1])
        highest = drawn.add_subplot(grid[1, 0])
        sizes = np.bincount(evoked.sum(axis=1), minlength=n + 1)
        number.bar(range(n + 1), 100 * sizes / sizes.sum(), color=MAIN)
        number.set_title("Items that an image evokes, % of images")
        number.set_xticks(range(n + 1))
        number.set_xlim(-0.6, n + 0.6)
        matrix.imshow(share, cmap="Blues", vmin=0, vmax=1.25)
        matrix.grid(False)
        for row, column in np.ndindex(share.shape):
            matrix.text(
                column, row, f"{100 * share[row, column]:.0f}", ha="center", va="center",
                color="white" if share[row, column] > 0.7 else INK, fontsize=8 if n < 9 else 6,
            )  # fmt: skip
        matrix.set_xticks(range(n), names, rotation=90)
        matrix.set_yticks(range(n), names)
        matrix.set_title("Of images that evoke the row's, % that\nevoke the column's, too")
        most = counts[["positive", "weak", "unclear"]].sum(axis=1)
        highest.barh(names[::-1], most[::-1], color=PALE, label="highest")
        highest.barh(names[::-1], counts["positive"][::-1], color=MAIN, label="clearly highest")
        highest.grid(True, axis="x")
        highest.grid(False, axis="y")
        highest.set_title("Images of which an item is highest")
        highest.set_ylim(-1.7, n - 0.4)
        highest.legend(loc="lower right", ncols=2, borderaxespad=0)
        for axes in (number, matrix, highest):
            axes.tick_params(length=0)
        drawn.tight_layout(h_pad=1.6, w_pad=2)
    return drawn
