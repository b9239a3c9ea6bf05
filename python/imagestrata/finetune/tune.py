"""Which settings teach best: a grid, tried point by point."""

from __future__ import annotations

import inspect
import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..errors import ImagestrataError
from ..files import make_folder
from ..progress import Progress, track
from ..provenance import fingerprint
from ..validate import check_bool, check_seed
from ..verbs import COMMON, public, suggest
from ..wording import arg, quote
from .fine_tune import check_settings, fine_tune, labelled_images
from .job import fine_tune_labelled
from .scores import MEASURES

#: The grid of *Images as Data*, section 7.6.
ELEMENT_GRID: dict[str, list[Any]] = {
    "learning_rate": [0.0005, 0.001, 0.005],
    "momentum": [0.7, 0.9],
    "batch_size": [1, 4],
}

#: What a grid may not vary: it would compare results on different images.
_FIXED = {"images", "labels", "task", "split", "seed", "device", "out", "overwrite", "progress"}


@public
def tune_model(
    images: Any,
    labels: Any = None,
    task: str | None = None,
    *,
    out: str | os.PathLike[str],
    grid: Mapping[str, Sequence[Any]] | None = None,
    device: str = "auto",
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = True,
    **settings: Any,
) -> pd.DataFrame:
    """Fine-tune with every combination of settings, and compare them on the validation images.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
    labels : DataFrame, path of a CSV file, or None
    task : {"binary", "multiclass", "multilabel"}, optional
    device : str, default "auto"
    seed : int, default 0
        As in :func:`imagestrata.fine_tune`. All points of the grid share the split.
    out : path
        Folder of all models. A call that was interrupted goes on, and a grid that has
        grown trains only what is new.
    grid : dict of lists, optional
        Values to try, by the name of an argument of :func:`imagestrata.fine_tune`:
        ``learning_rate``, ``momentum``, ``batch_size``, ``freeze``, ``encoder``, ...
        By default the Element's: learning rates .0005, .001 and .005, momentum .7 and .9,
        batches of 1 and 4 images.
    overwrite : bool, default False
        Train all models again.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    **settings : optional
        Other arguments of :func:`imagestrata.fine_tune`, the same for all.

    Returns
    -------
    DataFrame
        The layout of the Element's Table 7.2, the best point first: ``classifier`` (the
        labels), ``accuracy``, ``f1``, ``precision`` and ``recall`` on the validation
        images, each of the best epoch; what varies; ``loss`` (by which points are ranked),
        ``best_epoch``, and the ``folder`` of each model.

    Raises
    ------
    ImagestrataError
        As :func:`imagestrata.fine_tune`; or if the grid names what is no setting, or has
        nothing to try. All points are checked before the first is trained.

    Notes
    -----
    No model of the grid looks at the test images. To have the figures of the chosen one
    on them, once, call ``fine_tune()`` with its settings. The best of many points on few
    validation images is partly luck: its test figures will be lower.
    """
    seed = check_seed(seed)
    overwrite = check_bool("overwrite", overwrite)
    points = _points(ELEMENT_GRID if grid is None else grid, settings)
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(fine_tune).parameters.items()
        if name not in _FIXED - {"split"}
    }
    checked = [check_settings(**(defaults | settings | point), seed=seed) for point in points]
    folder = make_folder(out)
    labelled = labelled_images(images, labels, task, folder, overwrite, progress)
    rows = []
    with track(progress, "Tuning", len(points)) as advance:
        for point, arguments in zip(points, checked, strict=True):
            weights = (settings | point).get("weights")
            deciding = {k: arguments.get(k) for k in ("encoder", "weights", "resize", "precision")}
            model = fine_tune_labelled(
                labelled, arguments, weights, device=device, test=False,
                out=folder / "models" / fingerprint(arguments), overwrite=overwrite,
                progress=False, vectors=folder / "vectors" / fingerprint(deciding),
            )  # fmt: skip
            seen = model.history.query("split == 'val' and epoch == @model.training['best_epoch']")
            measures = {name: float(seen[name].iloc[0]) for name in (*MEASURES, "loss")}
            rows.append(
                {
                    "classifier": ", ".join(model.labels),
                    **{name: measures[name] for name in ("accuracy", "f1", "precision", "recall")},
                    **{name: point[name] for name in point},
                    "loss": measures["loss"],
                    "best_epoch": model.training["best_epoch"],
                    "folder": str(model.folder.parent),
                }
            )
            advance()
    return pd.DataFrame(rows).sort_values("loss", kind="stable", ignore_index=True)


def _points(grid: Any, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All combinations of the values to try."""
    if not isinstance(grid, Mapping) or not grid:
        raise ImagestrataError(
            f"{arg('grid')} must be lists of values by the name of a setting, such as "
            f'{{"learning_rate": [0.001, 0.005]}}, not {quote(grid)}.'
        )
    known = [name for name in inspect.signature(fine_tune).parameters if name not in _FIXED]
    for name in (*grid, *settings):
        if name not in known and not (name == "split" and name in settings):
            raise ImagestrataError(
                f"{quote(name)} is not a setting that can be tried.",
                f"{suggest(name, [*known, *COMMON])} Settings are {', '.join(known)}.".strip(),
            )
    values = {
        name: list(some) if isinstance(some, Sequence) and not isinstance(some, str) else [some]
        for name, some in grid.items()
    }
    empty = [name for name, some in values.items() if not some]
    if empty:
        raise ImagestrataError(f"{arg('grid')} has no value to try for {quote(empty[0])}.")
    twice = sorted(set(grid) & set(settings))
    if twice:
        raise ImagestrataError(f"{quote(twice[0])} is both in the grid and given as a setting.")
    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
