"""What a fine-tuned network says of new images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..embeddings.embed import embed_images
from ..embeddings.embeddings import Embeddings
from ..errors import ImagestrataError, plural
from ..progress import Progress
from ..tables import with_file
from ..validate import check_float
from ..verbs import public
from ..wording import arg, quote
from .job import HALF
from .model import FineTunedModel
from .task import Floats, decide

#: Let the validation images say where each label's threshold is best.
CALIBRATED = "calibrated"


@public
def predict_labels(
    images: Any,
    model: Any,
    *,
    threshold: float | str | Mapping[str, float] = HALF,
    device: str = "auto",
    batch_size: int | None = None,
    progress: Progress = True,
    engine: Any = None,
) -> pd.DataFrame:
    """Label images with a fine-tuned network.

    Parameters
    ----------
    images : path, list of paths, DataFrame or Embeddings
        As in :func:`imagestrata.embed_images`; or embeddings made with
        ``embed_images(images, model=...)``, so that nothing is computed twice.
    model : FineTunedModel or path
        What :func:`imagestrata.fine_tune` returned, or the folder it lies in.
    threshold : float, "calibrated" or dict, default 0.5
        The probability from which on an image gets a label: one for all labels, or one
        per label. ``"calibrated"``: that of :func:`calibrate_thresholds`. Of several
        classes an image gets the likeliest, whatever its probability.
    device : str, default "auto"
    batch_size : int, optional
    progress : bool or callable, default True
    engine : Client or str, optional
        See :func:`imagestrata.embed_images`.

    Returns
    -------
    DataFrame
        A row per image and label (of a binary task, per image): ``image_id``, ``path``,
        ``label``, ``probability``, ``decision`` (True or False) and ``threshold``
        (missing for classes). Images that could not be read have rows without a
        probability and a decision, and their ``reason``; all others none.

    Raises
    ------
    ImagestrataError
        If there is no such model, embeddings are not of it, a threshold is not between
        0 and 1 or of a label that the model does not know.
    """
    model = as_model(model)
    thresholds = _check_threshold(threshold, model)
    if isinstance(images, Embeddings):
        embeddings = images
    else:
        embeddings = embed_images(
            images,
            model=model,
            device=device,
            batch_size=batch_size,
            progress=progress,
            engine=engine,
        )
    probability = model.probabilities(embeddings)
    decision = decide(model.task, probability, thresholds)
    table = _long(embeddings.images, model).assign(
        probability=probability.ravel(),
        decision=pd.array(decision.ravel(), dtype="boolean"),
        threshold=np.nan if model.task == "multiclass" else np.tile(thresholds, len(embeddings)),
        reason=None,
    )
    failed = _long(embeddings.failures, model).assign(
        probability=np.nan,
        decision=pd.array([pd.NA] * len(embeddings.failures) * len(model.labels), dtype="boolean"),
        threshold=np.nan,
        reason=embeddings.failures["reason"].repeat(len(model.labels)).to_numpy(),
    )
    return pd.concat([table, failed], ignore_index=True) if len(failed) else table


@public
def calibrate_thresholds(model: Any, *, measure: str = "f1") -> pd.DataFrame:
    """The threshold of each label at which the validation images are labelled best.

    Parameters
    ----------
    model : FineTunedModel or path
        Of a binary or multilabel task.
    measure : {"f1", "accuracy", "balanced_accuracy"}, default "f1"
        What is best. F1 looks at the label's positives; balanced accuracy, the mean of
        the shares of positives and of negatives that are found, at both alike.

    Returns
    -------
    DataFrame
        ``label``, ``threshold`` (half-way between two images' probabilities; of equally
        good ones that nearest to 0.5), ``estimate`` of the measure there,
        ``at_half``, the measure at 0.5, and ``n_positive`` and ``n_negative``
        validation images. With few of them, thresholds are little more than luck.

    Raises
    ------
    ImagestrataError
        If the task is multiclass, or the validation split lacks a kind of image.
    """
    from ..validate import check_choice

    model = as_model(model)
    check_choice("measure", measure, _MEASURES)
    if model.task == "multiclass":
        raise ImagestrataError(
            "Classes have no thresholds: an image gets the likeliest.",
            "Look at `probability` where you want sure cases only.",
        )
    validated = model.predictions[model.predictions["split"] == "val"].dropna(subset="truth")
    rows = []
    for label in model.labels:
        one = validated[validated["label"] == label]
        truth, probability = one["truth"].to_numpy(dtype=bool), one["probability"].to_numpy()
        if truth.all() or not truth.any():
            raise ImagestrataError(
                f"Of {plural(len(truth), 'validation image')} {truth.sum()} have the label "
                f"{quote(label)}: they cannot say where its threshold should be.",
                f"Use a number, say {arg('threshold', 0.5)}.",
            )
        seen = np.unique(probability)
        middles = (seen[1:] + seen[:-1]) / 2
        candidates = np.concatenate([[HALF], middles]).astype(np.float64)
        decided = probability[:, None] >= candidates
        values = _MEASURES[measure](truth[:, None], decided)
        best = np.flatnonzero(values >= values.max() - 1e-12)
        chosen = best[np.abs(candidates[best] - HALF).argmin()]
        rows.append(
            {
                "label": label,
                "threshold": candidates[chosen],
                "estimate": values[chosen],
                "at_half": values[0],
                "n_positive": int(truth.sum()),
                "n_negative": int((~truth).sum()),
            }
        )
    return pd.DataFrame(rows)


def as_model(model: Any) -> FineTunedModel:
    """A model, or the one that lies in a folder."""
    return model if isinstance(model, FineTunedModel) else FineTunedModel.load(model)


def _f1(truth: Any, decided: Any) -> Any:
    hits = (truth & decided).sum(axis=0)
    return 2 * hits / (truth.sum(axis=0) + decided.sum(axis=0))


def _accuracy(truth: Any, decided: Any) -> Any:
    return (truth == decided).mean(axis=0)


def _balanced_accuracy(truth: Any, decided: Any) -> Any:
    found = (truth & decided).sum(axis=0) / truth.sum(axis=0)
    spared = (~truth & ~decided).sum(axis=0) / (~truth).sum(axis=0)
    return (found + spared) / 2


_MEASURES = {"f1": _f1, "accuracy": _accuracy, "balanced_accuracy": _balanced_accuracy}


def _check_threshold(threshold: Any, model: FineTunedModel) -> Floats:
    if isinstance(threshold, str) and threshold == CALIBRATED:
        table = calibrate_thresholds(model)
        return table["threshold"].to_numpy(dtype=np.float32)
    if not isinstance(threshold, Mapping):
        if isinstance(threshold, str):
            raise ImagestrataError(
                f"{arg('threshold')} must be a number, {quote(CALIBRATED)} or one number per "
                f"label, not {quote(threshold)}."
            )
        threshold = dict.fromkeys(model.labels, threshold)
    unknown = [name for name in threshold if name not in model.labels]
    missing = [name for name in model.labels if name not in threshold]
    if unknown or missing:
        raise ImagestrataError(
            f"{arg('threshold')} must name each label of the model ({', '.join(model.labels)}); "
            + (
                f"{quote(unknown[0])} is none of them."
                if unknown
                else f"{quote(missing[0])} has none."
            )
        )
    values = [
        check_float("threshold", threshold[name], minimum=0, maximum=1) for name in model.labels
    ]
    return np.array(values, dtype=np.float32)


def _long(images: pd.DataFrame, model: FineTunedModel) -> pd.DataFrame:
    """A row per image and label."""
    repeated = with_file(images)[["image_id", "path", "file"]].loc[
        images.index.repeat(len(model.labels))
    ]
    return repeated.reset_index(drop=True).assign(label=model.labels * len(images))
