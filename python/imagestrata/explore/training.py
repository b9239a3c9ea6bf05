"""Figures of training and of confusion."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ImagestrataError, plural
from ..finetune.model import FineTunedModel
from ..finetune.predict import as_model
from ..finetune.split import FOLD, SPLITS
from ..validate import check_choice
from ..verbs import public
from ..wording import arg, quote
from .figure import BRIGHT, INK, MAIN, SOFT, describe, figure, listed, write_note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SPLITS = {"train": "training", "val": "validation", "test": "test"}
_NAMES = {"train": "Training", "val": "Validation"}
#: Lines differ in colour and in type.
_STYLES: dict[str, dict[str, Any]] = {
    "train": {"color": MAIN, "linestyle": "-"},
    "val": {"color": BRIGHT, "linestyle": (0, (4, 1.5))},
}


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
        6.5 inches wide; a dotted line marks the epoch that is kept. With folds, each fold has a
        thin line on which a dot marks the epoch that is kept, and a thick line is their mean.

    Raises
    ------
    ImagestrataError
        If there is no such model, or the file cannot be written.
    """
    from matplotlib.ticker import MaxNLocator

    models = _named(model)
    with figure(6.5, 0.8 + 2.1 * len(models), out) as drawn:
        panels = drawn.subplots(len(models), 2, sharex="col", squeeze=False)
        for row, (name, one) in zip(panels, models.items(), strict=True):
            for axes, measure in zip(row, ("loss", "accuracy"), strict=True):
                for split, style in _STYLES.items():
                    _draw_course(axes, one, split, measure, style)
                axes.set_title(f"{name}: {measure}" if name else measure.capitalize())
            row[0].set_ylim(bottom=0)
            row[1].set_ylim(min(0.5, one.history["accuracy"].min()), 1)
            if one.folds is None:
                for axes in row:
                    kept = one.training["best_epoch"]
                    axes.axvline(kept, color=SOFT, linestyle=":", linewidth=0.9)
        for axes in panels[-1]:
            axes.set_xlabel("Epoch")
            axes.set_xlim(0.7, max(one.history["epoch"].max() for one in models.values()) + 0.3)
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        panels[0][1].legend(loc="lower right")
        with_folds = [one.folds is not None for one in models.values()]
        note = write_note(
            drawn,
            None
            if all(with_folds)
            else "Dotted line: the epoch that is kept, with the lowest validation loss",
            "Thin lines: folds, with a point at the epoch that is kept. Thick lines: their means"
            if any(with_folds)
            else None,
        )
        drawn.tight_layout(h_pad=1.6, rect=(0, note, 1, 1))
        describe(drawn, *map(_course_in_words, models.items()))
    return drawn


def _course_in_words(named: tuple[str, FineTunedModel]) -> str:
    name, model = named
    text = (
        f"Lines: the loss and the accuracy{f' of {name}' if name else ''} over "
        f"{plural(int(model.history['epoch'].max()), 'epoch')}, of training and validation images"
    )
    if model.folds is not None:
        return f"{text}, by folds"
    kept = model.training["best_epoch"]
    history = model.history[model.history["epoch"] == kept].set_index("split")["accuracy"]
    accuracy = f", with a validation accuracy of {history['val']:.2f}" if "val" in history else ""
    return f"{text}. Epoch {kept} is kept{accuracy}"


@public
def plot_confusion(
    model: Any, out: str | os.PathLike[str] | None = None, *, split: str | None = None
) -> Figure:
    """Draw the confusion of classes or labels.

    Parameters
    ----------
    model : FineTunedModel or path
    out : path, optional
        Where to store the figure: a name ending in .png, .pdf or .svg.
    split : {"test", "val", "train", "fold"}, optional
        By default "test", or "fold", the out-of-fold predictions, for a model with folds. A model
        without test images shows "val".

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
    split = shown_split(model, split)
    seen = model.confusion[model.confusion["split"] == split]
    if seen.empty:
        raise no_split(model, split)
    tables = {name: _matrix(table) for name, table in seen.groupby("label", sort=False)}
    columns = min(4, len(tables))
    rows = -(-len(tables) // columns)
    n = max(len(names) for names, _ in tables.values())
    side = min(6.0, 1.5 + 0.36 * n) if n > 2 else 1.55
    with figure(max(columns * side, 3.2), rows * side + 0.6, out) as drawn:
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
            axes.set_xlabel("Decision")
            axes.set_ylabel("Label")
        counted = shown_images(split)
        empty = any((counts == 0).any() for _, counts in tables.values())
        note = write_note(
            drawn,
            f"Numbers: {counted}",
            "Cells without a number have no image" if empty else None,
            "Shade: share of the row",
        )
        drawn.tight_layout(rect=(0, note, 1, 1))
        agreeing = [
            f"{np.trace(counts):,} of {plural(int(counts.sum()), 'image')}"
            + (f" ({label})" if len(tables) > 1 else "")
            for label, (_, counts) in tables.items()
        ]
        describe(
            drawn,
            f"Labels in rows and decisions of the model in columns, of the {counted}",
            f"They agree in {listed(agreeing)}",
        )
    return drawn


def shown_split(model: FineTunedModel, split: str | None) -> str:
    """Return the split to draw: by default the most honest one that the model has."""
    if split is None:
        known = set(model.predictions["split"])
        return next((one for one in ("test", FOLD) if one in known), "val")
    return check_choice("split", split, (*SPLITS, FOLD))


def shown_images(split: str) -> str:
    """Return the images of a split, in words for a note."""
    return "images, by out-of-fold predictions" if split == FOLD else f"{_SPLITS[split]} images"


def no_split(model: FineTunedModel, split: str) -> ImagestrataError:
    """Return the error for a split that the model does not have."""
    other = "val" if model.folds is None else FOLD
    return ImagestrataError(
        f"This model has no images in the split {quote(split)}.", f"Try {arg('split', other)}."
    )


def _draw_course(
    axes: Any, model: FineTunedModel, split: str, measure: str, style: dict[str, Any]
) -> None:
    """Draw the course of a measure; with folds, a thin line for each and a thick one for the mean.

    A dot marks the epoch that is kept for a fold.
    """
    seen = model.history[model.history["split"] == split]
    if model.folds is None:
        axes.plot(seen["epoch"], seen[measure], **style, label=_NAMES[split])
        return
    for fold, course in seen.groupby("fold"):
        axes.plot(course["epoch"], course[measure], **style, linewidth=0.6, alpha=0.45)
        if split == "val":
            kept = course[course["epoch"] == model.training["best_epoch"][int(str(fold)) - 1]]
            colour = style["color"]
            axes.plot(kept["epoch"], kept[measure], "o", color=colour, markersize=2.5, alpha=0.8)
    mean = seen.groupby("epoch")[measure].mean()
    axes.plot(mean.index, mean, **style, label=f"{_NAMES[split]}, mean of folds")


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
