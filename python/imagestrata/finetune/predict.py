"""Label new images with a fine-tuned network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..embeddings.embeddings import Embeddings
from ..encoders.together import EYE_WIDTH
from ..encoders.together import eyes as eyes_in
from ..errors import ImagestrataError, plural
from ..progress import Progress
from ..tables import with_file
from ..text.machines import signed
from ..validate import check_float
from ..verbs import public
from ..wording import arg, quote
from .job import HALF
from .looking import look, read_eyes
from .model import FineTunedModel
from .seen import Seen, read_seen
from .split import FOLD
from .task import Floats, decide

#: Value of ``threshold`` that chooses each label's threshold on the validation images.
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
        As in :func:`imagestrata.embed_images`; or embeddings from
        ``embed_images(images, model=...)``, so that vectors are not computed twice.
    model : FineTunedModel or path
        A model that :func:`imagestrata.fine_tune` returned, or its folder.
    threshold : float, "calibrated" or dict, default 0.5
        Lowest probability at which an image gets a label: one for all labels, or one per
        label. ``"calibrated"`` uses the thresholds of :func:`calibrate_thresholds`. In a
        multiclass task an image gets the most probable class, whatever its probability.
    device : str, default "auto"
    batch_size : int, optional
    progress : bool or callable, default True
    engine : Client or str, optional
        See :func:`imagestrata.embed_images`.

    Returns
    -------
    DataFrame
        One row per image and label (in a binary task, per image): ``image_id``, ``path``,
        ``label``, ``probability``, ``decision`` (True or False), ``threshold`` (missing for
        classes), ``split``, ``annotator`` ("model:fine-tuned" and the encoder) and ``reason``.
        Images that could not be read have a reason, but no probability and decision. ``split`` is
        "train", "val" or "test" for images whose labels the model has seen in this way, and for
        their copies and near-copies (perceptual hashes within 4 of 64 bits); it is missing for all
        others. Only images of "test" and images that the model has never seen show how well it
        does.

    Raises
    ------
    ImagestrataError
        If there is no such model, another model made the embeddings, a threshold is not
        between 0 and 1, or the thresholds do not fit the model's labels.

    Notes
    -----
    With ``folds``, an image without a label gets the mean probability of all networks. This is
    cross-fitting: each network, and thus their mean, then errs on new images as the networks err
    on the labels that they have not seen, so that estimates from the predictions can be corrected
    by these errors (Zrnic and Candes 2024, "Cross-prediction-powered inference", PNAS 121). Each
    picture is decoded once for all networks.

    Warns
    -----
    UserWarning
        If you give embeddings whose images cannot be read: copies of labelled images are then
        recognised only if their bytes are equal.
    """
    model = as_model(model)
    thresholds = _check_threshold(threshold, model)
    seen = read_seen(model)
    eyes: Sequence[int | None] | None
    if isinstance(images, Embeddings):
        found = images
        model.check_vectors(images)
        matrix = images.matrix
        eyes = None if seen.eyes is None else read_eyes(images.images, progress, engine)
    else:
        found = look(images, model, device, batch_size, progress, engine)
        matrix = found.matrix[:, :-EYE_WIDTH]
        eyes = eyes_in(found.matrix).tolist()
    rows = seen.find(found.images["image_id"], eyes)
    probability = _unseen(model, seen, model.by_network(matrix), found.images["image_id"], rows)
    split = np.where(rows >= 0, seen.splits[rows], np.array(None))
    decision = decide(model.task, probability, thresholds)
    n_labels = len(model.labels)
    table = _long(found.images, model).assign(
        probability=probability.ravel(),
        decision=pd.array(decision.ravel(), dtype="boolean"),
        threshold=np.nan if model.task == "multiclass" else np.tile(thresholds, len(found)),
        split=pd.Series(split.repeat(n_labels), dtype="str"),
        reason=None,
    )
    rows = seen.find(found.failures["image_id"])
    split = np.where(rows >= 0, seen.splits[rows], np.array(None))
    failed = _long(found.failures, model).assign(
        probability=np.nan,
        decision=pd.array([pd.NA] * len(found.failures) * n_labels, dtype="boolean"),
        threshold=np.nan,
        split=pd.Series(split.repeat(n_labels), dtype="str"),
        reason=found.failures["reason"].repeat(n_labels).to_numpy(),
    )
    table = pd.concat([table, failed], ignore_index=True) if len(failed) else table
    return signed(table, f"fine-tuned {model.encoder['name']}")


@public
def calibrate_thresholds(model: Any, *, measure: str = "f1") -> pd.DataFrame:
    """Find for each label the threshold with the best measure on the validation images.

    For a model with folds, it is found on all labelled images, by their out-of-fold predictions.

    Parameters
    ----------
    model : FineTunedModel or path
        A model of a binary or multilabel task.
    measure : {"f1", "accuracy", "balanced_accuracy"}, default "f1"
        The measure to maximise. F1 depends on the label's positives. Balanced accuracy is the
        mean of the shares of positives and of negatives that are found.

    Returns
    -------
    DataFrame
        ``label``, ``threshold`` (half-way between two images' probabilities; the nearest to
        0.5 of equally good ones), ``estimate`` of the measure at this threshold, ``at_half``,
        the measure at 0.5, and ``n_positive`` and ``n_negative`` validation images. With few
        of them, thresholds are mostly random.

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
            "Classes have no thresholds: an image gets the most probable class.",
            "Use the column 'probability' to select reliable cases.",
        )
    which = "val" if model.folds is None else FOLD
    validated = model.predictions[model.predictions["split"] == which].dropna(subset="truth")
    rows = []
    for label in model.labels:
        one = validated[validated["label"] == label]
        truth, probability = one["truth"].to_numpy(dtype=bool), one["probability"].to_numpy()
        if truth.all() or not truth.any():
            raise ImagestrataError(
                f"{truth.sum()} of {plural(len(truth), _KINDS[which])} have the label "
                f"{quote(label)}: a threshold needs images with and without it.",
                f"Use a number, such as {arg('threshold', 0.5)}.",
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


def _unseen(
    model: FineTunedModel, seen: Seen, each: Floats, image_ids: pd.Series[str], rows: Any
) -> Floats:
    """Return probabilities: of networks that have not seen the image, if there are folds.

    A labelled image has its out-of-fold prediction, a copy of one that of the same network. Any
    other image has the mean over all networks, so that the errors of the out-of-fold predictions
    estimate the errors of its prediction: see :func:`predict_labels`.
    """
    probability = np.asarray(np.mean(each, axis=0, dtype=np.float32))
    if seen.folds is None:
        return probability
    copies = np.flatnonzero(rows >= 0)
    probability[copies] = each[seen.folds[rows[copies]] - 1, copies]
    stored = model.predictions.pivot(index="image_id", columns="label", values="probability")
    known = np.flatnonzero(image_ids.isin(stored.index))
    own = stored.loc[image_ids.iloc[known].tolist(), model.labels]
    probability[known] = own.to_numpy(np.float32)
    return probability


def as_model(model: Any) -> FineTunedModel:
    """Return the model, or load it from a folder."""
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


_KINDS = {"val": "validation image", FOLD: "labelled image"}

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
            + (f"it has {quote(unknown[0])}." if unknown else f"it lacks {quote(missing[0])}.")
        )
    values = [
        check_float("threshold", threshold[name], minimum=0, maximum=1) for name in model.labels
    ]
    return np.array(values, dtype=np.float32)


def _long(images: pd.DataFrame, model: FineTunedModel) -> pd.DataFrame:
    """Return one row per image and label."""
    repeated = with_file(images)[["image_id", "path", "file"]].loc[
        images.index.repeat(len(model.labels))
    ]
    return repeated.reset_index(drop=True).assign(label=model.labels * len(images))
