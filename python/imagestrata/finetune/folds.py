"""Cross-fitting: networks that each leave out a fold, so that every label is predicted unseen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..encoders.saved import fold_folder
from ..errors import ImagestrataError, plural
from ..files import ensure_folder
from ..progress import Progress, track
from ..provenance import versions
from ..wording import arg, quote
from .labels import Labelled
from .learning import BACKBONE, Learner
from .model import judge, long_predictions, write_head, write_model
from .pictures import groups_of
from .scores import score_table
from .seen import seen_images
from .split import FOLD, check_parts, fold_images, split_around
from .task import Floats, decide

#: Fewest and most folds.
FEWEST, MOST = 2, 20

#: Threshold of probabilities for the scores.
_HALF = 0.5


def cross_fit(
    folder: Path,
    learner: Learner,
    settings: Mapping[str, Any],
    device: str,
    checkpoints: Path | None,
    progress: Progress,
) -> None:
    """Train a network per fold on the other folds, and write the model of all of them.

    The states after each epoch are stored per fold, so an interrupted call continues in the
    fold where it stopped; finished folds are only read.
    """
    labelled, n_folds = learner.labelled, settings["folds"]
    task, labels, truth = labelled.task, labelled.labels, labelled.truth
    groups = groups_of(labelled.images["eye"].to_numpy())
    _check_enough(labelled, groups, n_folds)
    folds = fold_images(truth, groups, n_folds, settings["seed"])
    splits = [
        split_around(fold, folds, truth, groups, settings["split"], settings["seed"])
        for fold in range(1, n_folds + 1)
    ]
    for fold, split in enumerate(splits, start=1):
        check_parts(labelled, split, ("train", "val"), where=f" of fold {fold}")
    shared = settings["freeze"] == BACKBONE
    probability = np.full(truth.shape, np.nan, dtype=np.float32)
    histories, heads, epochs, sizes = [], [], [], []
    total = n_folds * settings["epochs"]
    with track(progress, "Training", total, "epochs") as advance:
        for fold, split in enumerate(splits, start=1):
            place = None if checkpoints is None else checkpoints / f"fold-{fold:02d}"
            learnt = learner.learn(split, place, progress, advance)
            history = learnt.trained.history
            # Epochs that early stopping has saved.
            advance(settings["epochs"] - int(history["epoch"].max()), already=True)
            own = folder if shared else fold_folder(folder, fold)
            ensure_folder(own)
            if not shared or fold == 1:
                learnt.store(own)
            if not shared:
                write_head(own, learnt.head)
            rows = np.flatnonzero(split == FOLD)
            probability[rows] = learnt.probabilities(task, own, rows, device)
            histories.append(history.assign(fold=fold))
            heads.append(learnt.head)
            epochs.append(learnt.trained.best_epoch)
            sizes.append({name: int((split == name).sum()) for name in ("train", "val", FOLD)})
    decision = decide(task, probability, np.full(len(labels), _HALF, dtype=np.float32))
    split = np.full(len(folds), FOLD)
    scores, confusion = judge(task, labels, split, truth, decision)
    images = labelled.images[["image_id", "path"]].assign(split=split, fold=folds)
    training = {
        "settings": dict(settings),
        "best_epoch": epochs,
        "images": {FOLD: len(folds)},
        "folds": sizes,
        "tested": True,
        "data": labelled.fingerprint(),
        "versions": versions(),
    }
    tables = {
        "history": pd.concat(histories, ignore_index=True),
        "scores": scores,
        "confusion": confusion,
        "predictions": long_predictions(images, labels, truth, probability, decision),
        "folds": _over_folds(task, labels, folds, truth, decision),
        "seen": seen_images(labelled.images.assign(split=FOLD, fold=folds)),
    }
    write_model(folder, task, labels, tables, heads if shared else [], training, n_folds=n_folds)


def _over_folds(
    task: str, labels: Sequence[str], folds: NDArray[np.int64], truth: Floats, decision: Any
) -> pd.DataFrame:
    """Return mean and range of each measure over the folds in which it is defined."""
    each = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the scores over all folds have these warnings
        for fold in np.unique(folds):
            rows = folds == fold
            each.append(score_table(task, labels, truth[rows], decision[rows]))
    groups = pd.concat(each).groupby(["label", "measure"], sort=False)["estimate"]
    table = groups.agg(["mean", "min", "max", "count"]).reset_index()
    return table.rename(columns={"min": "lowest", "max": "highest", "count": "n_folds"})


def _check_enough(labelled: Labelled, groups: NDArray[np.int64], n_folds: int) -> None:
    """Raise an error if a fold would have no image of some kind."""
    for label, column in zip(labelled.labels, labelled.truth.T, strict=True):
        for answer, what in ((1, "with"), (0, "without")):
            n = len(np.unique(groups[column == answer]))
            if n >= n_folds or (labelled.task == "multiclass" and not answer):
                continue
            kind = f"of the class {quote(label)}"
            if labelled.task != "multiclass":
                kind = f"{what} the label {quote(label)}"
            raise ImagestrataError(
                f"There {'is' if n == 1 else 'are'} {plural(n, 'image')} {kind} (near-copies "
                f"count once), too few for {n_folds} folds: each fold needs at least one.",
                f"Label more images of that kind, or use {arg('folds', max(n, FEWEST))}."
                if n >= FEWEST
                else "Label more images of that kind.",
            )
