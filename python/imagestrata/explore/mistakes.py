"""A figure of the mistakes of a fine-tuned network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..errors import ImagestrataError, plural
from ..finetune.predict import as_model
from ..validate import check_choice, check_int
from ..verbs import public
from ..wording import quote
from .tiles import MOST_ROWS, PictureRows, draw_tiles, shortened
from .training import no_split, shown_images, shown_split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Smallest number of tiles for which a row has room.
_FEWEST = 3

_KINDS = {"false positive": "false positives", "false negative": "false negatives"}


@public
def plot_mistakes(
    model: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    split: str | None = None,
    label: str | None = None,
    n_images: int = 10,
) -> Figure:
    """Draw the mistakes of a network about which it was most certain.

    Parameters
    ----------
    model : FineTunedModel or path
    out : path, optional
        File for the figure, with a name that ends in .png, .pdf or .svg.
    split : {"test", "val", "train", "fold"}, optional
        By default "test", or "fold", the out-of-fold predictions, for a model with folds. A model
        without test images shows "val".
    label : str, optional
        The label to show; by default all labels with mistakes.
    n_images : int, default 10
        Number of images per row, the most certain mistakes first.

    Returns
    -------
    matplotlib.figure.Figure
        For each label a row of false positives and one of false negatives, and a note below.

    Raises
    ------
    ImagestrataError
        If the model, label or split does not exist, there are no mistakes to show, or the
        file cannot be written.
    """
    return draw_tiles(mistake_rows(model, split=split, label=label, n_images=n_images), out)


def mistake_rows(model: Any, *, split: str | None, label: str | None, n_images: int) -> PictureRows:
    """Check the arguments of :func:`plot_mistakes`, and choose its images."""
    model = as_model(model)
    split = shown_split(model, split)
    n_images = check_int("n_images", n_images, minimum=1, maximum=50)
    if label is not None:
        check_choice("label", label, model.labels)
    seen = model.predictions[model.predictions["split"] == split].dropna(subset="truth")
    if seen.empty:
        raise no_split(model, split)
    if label is not None:
        seen = seen[seen["label"] == label]
    wrong = seen[seen["truth"].astype(bool) != seen["decision"]]
    if wrong.empty:
        raise ImagestrataError(
            f"There are no mistakes among the {plural(seen['image_id'].nunique(), 'image')} of "
            f"the split {quote(split)}.",
            "Look at another split.",
        )
    kind = wrong["decision"].map({True: "false positive", False: "false negative"})
    order = wrong["label"].map({name: place for place, name in enumerate(model.labels)})
    sure = wrong["probability"].where(wrong["decision"], 1 - wrong["probability"])
    wrong = wrong.assign(kind=kind, order=order, sure=sure, row=wrong["label"] + ": " + kind)
    wrong = wrong.sort_values(["order", "kind", "sure"], ascending=[True, False, False])
    rows = list(dict.fromkeys(wrong["row"]))[:MOST_ROWS]
    shown = wrong[wrong["row"].isin(rows)].groupby("row", sort=False).head(n_images)
    widest = int(shown["row"].value_counts().max())
    words = {}
    for row in rows:
        found = wrong[wrong["row"] == row]
        words[row] = shortened(found["label"].iloc[0], 16), _about(found, seen)
    note = (
        "Rows: the label, the kind of mistake, and its number among the images on which it was "
        "possible. Images: those about which the model was most certain, cropped to squares, of "
        f"the {shown_images(split)}."
    )
    title = f"Images that the model gets wrong, in {plural(len(words), 'row')}"
    return PictureRows(shown, "row", words, max(widest, _FEWEST), note, title)


def _about(found: Any, seen: Any) -> str:
    """Kind and number of mistakes, and the number of images on which they were possible."""
    kind = found["kind"].iloc[0]
    label = seen[seen["label"] == found["label"].iloc[0]]
    chances = int((label["truth"] == (kind == "false negative")).sum())
    return f"{_KINDS[kind]}\n{len(found)} of {chances}"
