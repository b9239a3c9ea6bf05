"""Compare settings of fine-tuning over a grid."""

from __future__ import annotations

import inspect
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ..encoders.registry import DEFAULT_ENCODER, DEFAULT_RESIZE
from ..errors import ImagestrataError
from ..files import make_folder
from ..names import KEYS
from ..progress import Progress, track
from ..provenance import find_step, fingerprint
from ..validate import check_bool, check_idle, check_seed
from ..verbs import COMMON, public, suggest
from ..wording import arg, quote
from .fine_tune import check_settings, fine_tune, labelled_images, scanned_images
from .job import fine_tune_labelled
from .labels import Labelled, check_labels, from_folders, label_images
from .model import FineTunedModel
from .scores import MEASURES

#: The grid of *Images as Data*, section 7.6.
ELEMENT_GRID: dict[str, list[Any]] = {
    "learning_rate": [0.0005, 0.001, 0.005],
    "momentum": [0.7, 0.9],
    "batch_size": [1, 4],
}

#: Arguments that are not settings of a model.
_FIXED = {
    "images", "labels", "task", "seed", "device", "out", "overwrite", "progress", "engine",
    "folds",
}  # fmt: skip
#: The arguments of fine_tune() that are settings of a model.
_DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(fine_tune).parameters.items()
    if name not in _FIXED
}


@public
def tune_model(
    images: Any,
    labels: Any = None,
    task: str | None = None,
    *,
    out: str | os.PathLike[str],
    grid: Mapping[str, Sequence[Any]] | None = None,
    separate: bool = False,
    preset: str | None = None,
    encoder: str = DEFAULT_ENCODER,
    weights: str | os.PathLike[str] | None = None,
    resize: str = DEFAULT_RESIZE,
    freeze: str | int = "none",
    augmentation: str = "crop_flip",
    rotation: float = 0,
    batch_norm: str | None = None,
    bias: str | None = None,
    dropout: float = 0,
    optimizer: str = "sgd",
    learning_rate: float = 0.001,
    momentum: float = 0.9,
    batch_size: int = 4,
    epochs: int = 50,
    step_size: int = 7,
    gamma: float = 0.1,
    max_gradient_norm: float | Literal["auto"] | None = "auto",
    class_weights: bool = False,
    early_stopping: int | None = None,
    split: Sequence[float] | None = None,
    precision: str = "auto",
    device: str = "auto",
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
) -> pd.DataFrame:
    """Fine-tune a model for every combination of settings, and compare their validation scores.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
    labels : DataFrame, path of a CSV file, or None
    task : {"binary", "multiclass", "multilabel"}, optional
    device : str, default "auto"
    seed : int, default 0
        As in :func:`imagestrata.fine_tune`. All points of the grid use the same split.
    out : path
        Folder of all models. An interrupted call continues. If you extend the grid, only the
        new points are trained.
    grid : dict of lists, optional
        Values to compare, by the name of an argument of :func:`imagestrata.fine_tune`:
        ``learning_rate``, ``momentum``, ``batch_size``, ``freeze``, ``encoder``, ...
        By default the Element's: learning rates .0005, .001 and .005, momentum .7 and .9,
        batches of 1 and 4 images.
    separate : bool, default False
        Train a classifier of its own for each label or code, with all points of the grid for
        each, and compare the best of each: the Element's Table 7.2. Codes of all kinds that
        networks learn may then be in one table of labels; a code with classes has one classifier.
    preset, encoder, weights, resize, freeze, augmentation, rotation, batch_norm : optional
    bias, dropout, optimizer, learning_rate, momentum, batch_size, epochs : optional
    step_size, gamma, max_gradient_norm, class_weights, early_stopping, split : optional
    precision : optional
        Arguments of :func:`imagestrata.fine_tune`, with the same defaults. They apply to all
        points of a grid that does not contain them.
    overwrite : bool, default False
        Train all models again.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        As in :func:`imagestrata.fine_tune`.

    Returns
    -------
    DataFrame
        One row per point in the layout of the Element's Table 7.2, the best point first:
        ``classifier`` (the labels), ``accuracy``, ``f1``, ``precision`` and ``recall`` on the
        validation images in the best epoch; the settings that vary; ``loss`` (which ranks the
        points), ``best_epoch``, and the ``folder`` of each model. With ``separate``, one row per
        classifier, its best point, in the order of the labels; ``attrs["points"]`` then has all
        points of all classifiers.

    Raises
    ------
    ImagestrataError
        As in :func:`imagestrata.fine_tune`; or if the grid contains unknown settings or has
        no values. All points are checked before the first is trained.

    Notes
    -----
    The grid does not use the test images. To evaluate the chosen settings on them, once, call
    ``fine_tune()`` with these settings. With few validation images, the best of many points
    is partly due to chance, and its test figures are then lower.
    """
    given = {name: value for name, value in locals().items() if name in _DEFAULTS}
    seed = check_seed(seed)
    overwrite = check_bool("overwrite", overwrite)
    separate = check_bool("separate", separate)
    if grid is None:
        # Adam has no momentum to try.
        grid = {k: v for k, v in ELEMENT_GRID.items() if k != "momentum" or optimizer == "sgd"}
    points = _points(grid, given)
    checked = [check_settings(**(given | point), seed=seed) for point in points]
    folder = make_folder(out)
    if separate:
        check_idle(f"with {arg('separate', True)}", task=(task, None))
        wanted = _each_label(images, labels, folder, overwrite, progress, engine)
    else:
        wanted = {"": labelled_images(images, labels, task, folder, overwrite, progress, engine)}
    best, every = [], []
    with track(progress, "Tuning", len(points) * len(wanted)) as advance:
        for name, labelled in wanted.items():
            place = folder / _folder_name(name) if name else folder
            rows = []
            for point, arguments in zip(points, checked, strict=True):
                deciding = [arguments.get(k) for k in ("encoder", "weights", "resize", "precision")]
                stored = place / "models" / fingerprint(arguments)
                before = find_step(stored, "fine-tune")[1] or {}
                model = fine_tune_labelled(
                    labelled, arguments, (given | point)["weights"], device=device, test=False,
                    out=stored, overwrite=overwrite, progress=False, engine=engine,
                    vectors=place / "vectors" / fingerprint(deciding),
                )  # fmt: skip
                rows.append(_row(name or ", ".join(model.labels), point, model))
                advance(already=bool(before.get("finished")))
            table = pd.DataFrame(rows).sort_values("loss", kind="stable", ignore_index=True)
            best.append(table.head(1) if separate else table)
            every.append(table)
    found = pd.concat(best, ignore_index=True)
    if separate:
        found.attrs["points"] = pd.concat(every, ignore_index=True)
    return found


def _row(classifier: str, point: Mapping[str, Any], model: FineTunedModel) -> dict[str, Any]:
    """Return a point of the grid with the measures of its model on the validation images."""
    seen = model.history.query("split == 'val' and epoch == @model.training['best_epoch']")
    measures = {name: float(seen[name].iloc[0]) for name in (*MEASURES, "loss")}
    return {
        "classifier": classifier,
        **{name: measures[name] for name in ("accuracy", "f1", "precision", "recall")},
        **point,
        "loss": measures["loss"],
        "best_epoch": model.training["best_epoch"],
        "folder": str(model.folder.parent),
    }


def _each_label(
    images: Any, labels: Any, folder: Path, overwrite: bool, progress: Progress, engine: Any
) -> dict[str, Labelled]:
    """Return the labelled images of each label or code."""
    rows = None if labels is None else check_labels(labels, several=True)
    table, root = scanned_images(images, folder, overwrite, progress, engine)
    if rows is None:
        rows = from_folders(table, root)
    kept = [name for name in (*KEYS, "split") if name in rows]
    found = {}
    for name in rows.columns.difference(kept, sort=False):
        one = rows[[*kept, name]].dropna(subset=name)
        found[str(name)] = label_images(table, one, None, root)
    return found


def _folder_name(name: str) -> str:
    """Return a name of a folder for a label, which may have any characters."""
    plain = "".join(letter if letter.isalnum() else "-" for letter in name)[:40]
    return f"{plain}-{fingerprint(name)[:8]}"


def _points(grid: Any, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all combinations of the values in the grid."""
    if not isinstance(grid, Mapping) or not grid:
        raise ImagestrataError(
            f"{arg('grid')} must contain lists of values by the name of a setting, such as "
            f'{{"learning_rate": [0.001, 0.005]}}, not {quote(grid)}.'
        )
    known = [name for name in _DEFAULTS if name != "split"]
    for name in grid:
        if name not in known:
            raise ImagestrataError(
                f"{quote(name)} is not a setting that a grid can contain.",
                f"{suggest(name, [*known, *COMMON])} Settings are {', '.join(known)}.".strip(),
            )
    values = {
        name: list(some) if isinstance(some, Sequence) and not isinstance(some, str) else [some]
        for name, some in grid.items()
    }
    empty = [name for name, some in values.items() if not some]
    if empty:
        raise ImagestrataError(f"{arg('grid')} has no value for {quote(empty[0])}.")
    twice = sorted(name for name in grid if given[name] != _DEFAULTS[name])
    if twice:
        raise ImagestrataError(f"{quote(twice[0])} is both in the grid and given as a setting.")
    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
