"""One picture of what a fine-tuned network got wrong."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..errors import ImagestrataError, plural
from ..finetune.predict import as_model
from ..finetune.split import SPLITS
from ..validate import check_choice, check_int
from ..verbs import public
from ..wording import quote
from .figure import figure
from .tiles import DPI, MOST_ROWS, draw_canvas, tile_canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Tiles that a row has room for at least.
_FEWEST = 3

_KINDS = {"false positive": "false positives", "false negative": "false negatives"}


@public
def plot_mistakes(
    model: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    split: str = "test",
    label: str | None = None,
    n_images: int = 10,
) -> Figure:
    """Draw the images of which a network was surest, and wrong.

    Parameters
    ----------
    model : FineTunedModel or path
    out : path, optional
        Where to store the figure: a name ending in .png, .pdf or .svg.
    split : {"test", "val", "train"}, default "test"
    label : str, optional
        The label to look at; by default all that have mistakes.
    n_images : int, default 10
        Images per row, the gravest mistakes first.

    Returns
    -------
    matplotlib.figure.Figure
        For each label a row of false positives (it is said to have the label and has
        not) and one of false negatives.

    Raises
    ------
    ImagestrataError
        If there is no such model, label or split, there are no mistakes to show, or the
        file cannot be written.
    """
    model = as_model(model)
    check_choice("split", split, SPLITS)
    n_images = check_int("n_images", n_images, minimum=1, maximum=50)
    if label is not None:
        check_choice("label", label, model.labels)
    seen = model.predictions[model.predictions["split"] == split].dropna(subset="truth")
    if label is not None:
        seen = seen[seen["label"] == label]
    wrong = seen[seen["truth"].astype(bool) != seen["decision"]]
    if wrong.empty:
        raise ImagestrataError(
            f"There are no mistakes among the {plural(seen['image_id'].nunique(), 'image')} of "
            f"the split {quote(split)}: nothing to show.",
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
    canvas = tile_canvas(shown, "row", rows, max(widest, _FEWEST))
    words = []
    for row in rows:
        found = wrong[wrong["row"] == row]
        words.append((_short(found["label"].iloc[0]), _about(found, seen)))
    with figure(canvas.shape[1] / DPI, canvas.shape[0] / DPI, out, dpi=DPI) as drawn:
        draw_canvas(drawn.add_axes((0, 0, 1, 1)), canvas, words)
    return drawn


def _short(name: str) -> str:
    return name if len(name) <= 16 else name[:15] + "…"


def _about(found: Any, seen: Any) -> str:
    """How many mistakes, of how many chances to make them."""
    kind = found["kind"].iloc[0]
    label = seen[seen["label"] == found["label"].iloc[0]]
    chances = int((label["truth"] == (kind == "false negative")).sum())
    return f"{_KINDS[kind]}\n{len(found)} of {chances}"
