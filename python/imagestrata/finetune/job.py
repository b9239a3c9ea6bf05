"""Make a stored model from labelled images and settings: read, split, train, evaluate."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corpus.scan import from_scan
from ..embeddings.parts import encoder_key
from ..files import ensure_folder
from ..progress import Progress
from ..provenance import Step, versions
from .folds import cross_fit
from .labels import Labelled
from .learning import BACKBONE as BACKBONE
from .learning import LastLayer, Learner, Learnt, WholeNetwork
from .model import FineTunedModel, judge, long_predictions, write_model
from .pictures import groups_of
from .seen import seen_images
from .split import SPLITS, check_parts, split_images
from .task import decide

#: Threshold of probabilities, unless thresholds are calibrated.
HALF = 0.5


def fine_tune_labelled(
    labelled: Labelled,
    settings: dict[str, Any],
    weights: str | os.PathLike[str] | None,
    *,
    device: str,
    test: bool,
    out: str | os.PathLike[str] | None,
    overwrite: bool,
    progress: Progress,
    engine: Any = None,
    vectors: Path | None = None,
) -> FineTunedModel:
    """Train and evaluate a model, with checked settings.

    The parameters are those of :func:`imagestrata.fine_tune`, and:

    Parameters
    ----------
    test : bool
        Evaluate the test images too.
    vectors : Path, optional
        Folder in which vectors of a frozen backbone are stored for other models.
    """
    step = Step(
        out, "fine-tune", settings | {"test": test}, inputs=labelled.fingerprint(),
        made_from=from_scan(out, labelled.images["image_id"].unique()), overwrite=overwrite,
    )  # fmt: skip
    checkpoints = None if step.parts is None else step.parts.folder

    def make_in(place: Path) -> FineTunedModel:
        folder = place / "model"
        shutil.rmtree(folder, ignore_errors=True)
        ensure_folder(folder)
        given = labelled, settings, weights, device, progress, engine
        learner: Learner
        if settings["freeze"] == BACKBONE:
            learner = LastLayer(*given, vectors)
        else:
            learner = WholeNetwork(*given)
        if settings.get("folds"):
            cross_fit(folder, learner, settings, device, checkpoints, progress)
        else:
            split = _split(learner.labelled, settings)
            learnt = learner.learn(split, checkpoints, progress)
            _store(folder, learner.labelled, split, learnt, settings, device, test)
        return FineTunedModel.load(folder)

    def make() -> FineTunedModel:
        """Make the model, which is always stored: without a run folder, in a temporary one."""
        if step.folder is not None:
            return make_in(step.folder)
        lent = Path(tempfile.mkdtemp(prefix="imagestrata-"))
        try:
            model = make_in(lent)
        except BaseException:
            shutil.rmtree(lent, ignore_errors=True)
            raise
        weakref.finalize(model, shutil.rmtree, lent, ignore_errors=True)
        return model

    return step.result(
        FineTunedModel.load,
        make,
        lambda model, _: _counts(model),
        identity=lambda model: encoder_key(model.encoder),
    )


def _counts(model: FineTunedModel) -> dict[str, Any]:
    """Return the counts for ``run.json``."""
    folds = {} if model.folds is None else {"n_folds": model.training["settings"]["folds"]}
    return {"best_epoch": model.training["best_epoch"], **model.training["images"], **folds}


def _store(
    folder: Path,
    labelled: Labelled,
    split: NDArray[np.str_],
    learnt: Learnt,
    settings: dict[str, Any],
    device: str,
    test: bool,
) -> None:
    """Write the model with its predictions and scores."""
    learnt.store(folder)
    shown = np.ones(len(split), dtype=bool) if test else split != "test"
    task, labels, truth = labelled.task, labelled.labels, labelled.truth[shown]
    probability = learnt.probabilities(task, folder, np.flatnonzero(shown), device)
    decision = decide(task, probability, np.full(len(labels), HALF, dtype=np.float32))
    scores, confusion = judge(task, labels, split[shown], truth, decision)
    images = labelled.images.loc[shown, ["image_id", "path"]].assign(split=split[shown])
    counts = {name: int((split == name).sum()) for name in SPLITS}
    training = {
        "settings": settings,
        "best_epoch": learnt.trained.best_epoch,
        "images": counts,
        "tested": test and counts["test"] > 0,
        "data": labelled.fingerprint(),
        "versions": versions(),
    }
    tables = {
        "history": learnt.trained.history,
        "scores": scores,
        "confusion": confusion,
        "predictions": long_predictions(images, labels, truth, probability, decision),
        "seen": seen_images(labelled.images.assign(split=split)),
    }
    write_model(folder, task, labels, tables, [learnt.head], training)


def _split(labelled: Labelled, settings: dict[str, Any]) -> NDArray[np.str_]:
    """Return the user's splits, or random ones, and check that each has images of both kinds."""
    given = "split" in labelled.images
    if given:
        split = labelled.images["split"].to_numpy(dtype=str)
    else:
        groups = groups_of(labelled.images["eye"].to_numpy())
        split = split_images(labelled.truth, groups, settings["split"], settings["seed"])
    tested = (not given and settings["split"][2] > 0) or "test" in split
    check_parts(labelled, split, SPLITS if tested else SPLITS[:2], given=given)
    return split
