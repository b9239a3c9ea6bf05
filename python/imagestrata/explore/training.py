"""Figures of training and of confusion."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ImagestrataError
from ..finetune.model import FineTunedModel
from ..finetune.predict import as_model
from ..finetune.split import SPLITS
from ..validate import check_choice
from ..verbs import public
from ..wording import arg, quote
from .figure import BRIGHT, INK, MAIN, SOFT, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMES = {"train": "training", "val": "validation"}


@public
def plot_training(model: Any, out: str | os.PathLike[str] | None = None) -> Figure:
    """Draw loss and accuracy over the epochs: the Element's Figures 7.4 and 7.5.

    Parameters
    ----------
    model : FineTunedModel, path, or several of them in a list or a dict
        Each model has a row; the keys of a dict name the models.
    out : path, optional
        Where to store the figure: a name ending in .png, .pdf or .svg.

    Returns
    -------
    matplotlib.figure.Figure
        6.5 inches wide; a dotted line marks the epoch that is kept.

    Raises
    ------
    ImagestrataError
        If there is no such model, or the file cannot be written.
    """
    from matplotlib.ticker import MaxNLocator

    models = _named(model)
    with figure(6.5, 0.6 + 2.1 * len(models), out) as drawn:
        panels = drawn.subplots(len(models), 2, sharex="col", squeeze=False)
        for row, (name, one) in zip(panels, models.items(), strict=True):
            for axes, measure in zip(row, ("loss", "accuracy"), strict=True):
                for split, colour in (("train", MAIN), ("val", BRIGHT)):
                    seen = one.history[one.history["split"] == split]
                    axes.plot(seen["epoch"], seen[measure], color=colour, label=_NAMES[split])
                kept = one.training["best_epoch"]
                axes.axvline(kept, color=SOFT, linestyle=":", linewidth=0.9)
                axes.set_title(f"{name}: {measure}" if name else measure.capitalize())
            row[0].set_ylim(bottom=0)
            row[1].set_ylim(min(0.5, one.history["accuracy"].min()), 1)
            late = kept > one.history["epoch"].max() / 2
            row[0].annotate(
                f"epoch {kept} kept", (kept, 0.96), (-3 if late else 3, 0),
                xycoords=("data", "axes fraction"), textcoords="offset points", color=SOFT,
                fontsize=7, va="top", ha="right" if late else "left",
            )  # fmt: skip
        for axes in panels[-1]:
            axes.set_xlabel("Epoch")
            axes.set_xlim(0.7, max(one.history["epoch"].max() for one in models.values()) + 0.3)
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        panels[0][1].legend(loc="lower right")
        drawn.tight_layout(h_pad=1.6)
    return drawn


@public
def plot_confusion(
    model: Any, out: str | os.PathLike[str] | None = None, *, split: str = "test"
) -> Figure:
    """Draw the confusion of classes or labels.

    Parameters
    ----------
    model : FineTunedModel or path
    out : path, optional
        Where to store the figure: a name ending in .png, .pdf or .svg.
    split : {"test", "val", "train"}, default "test"

    Returns
    -------
    matplotlib.figure.Figure
        One matrix of classes, or one of yes and no for each label. Numbers are images; shades
        are shares of the images of a row.

    Raises
    ------
    ImagestrataError
        If there is no such model, it has no such split, or the file cannot be written.
    """
    model = as_model(model)
    check_choice("split", split, SPLITS)
    seen = model.confusion[model.confusion["split"] == split]
    if seen.empty:
        raise ImagestrataError(
            f"This model has no images in the split {quote(split)}.", f"Try {arg('split', 'val')}."
        )
    tables = {name: _matrix(table) for name, table in seen.groupby("label", sort=False)}
    columns = min(4, len(tables))
    rows = -(-len(tables) // columns)
    n = max(len(names) for names, _ in tables.values())
    side = min(6.0, 1.5 + 0.36 * n) if n > 2 else 1.55
    with figure(max(columns * side, 3.2), rows * side + 0.2, out) as drawn:
        panels = drawn.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels[len(tables) :]:
            axes.set_axis_off()
        for axes, (label, (names, counts)) in zip(panels, tables.items(), strict=False):
            share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            axes.imshow(share, cmap="Blues", vmin=0, vmax=1.25)
            axes.grid(False)
            for row, column in np.ndindex(counts.shape):
                if counts[row, column]:
                    axes.text(
                        column, row, f"{counts[row, column]}", ha="center", va="center",
                        color="white" if share[row, column] > 0.7 else INK,
                        fontsize=8.5 if n < 12 else 5.5,
                    )  # fmt: skip
            axes.set_xticks(range(len(names)), names, rotation=0 if n == 2 else 90)
            axes.set_yticks(range(len(names)), names)
            axes.tick_params(length=0)
            if len(tables) > 1 or n == 2:
                axes.set_title(label)
            axes.set_xlabel("decision")
            axes.set_ylabel("truth")
        drawn.tight_layout()
    return drawn


def _named(model: Any) -> dict[str, FineTunedModel]:
    if isinstance(model, Mapping):
        models = {str(name): as_model(one) for name, one in model.items()}
    elif isinstance(model, Sequence) and not isinstance(model, str):
        models = {f"Model {number}": as_model(one) for number, one in enumerate(model, start=1)}
    else:
        models = {"": as_model(model)}
    if not models:
        raise ImagestrataError("There is no model to draw.")
    return models


def _matrix(table: Any) -> tuple[list[str], Any]:
    names = list(dict.fromkeys(table["truth"]))
    counts = table.pivot(index="truth", columns="decision", values="n").loc[names, names]
    return names, counts.to_numpy()
