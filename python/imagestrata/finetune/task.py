"""The three tasks: their loss, and how outputs become probabilities and decisions.

For all tasks, labels are a matrix of numbers with one row per image and one column per label:
1 (has it), 0 (does not have it) or NaN (unknown). A binary task has one column. A multiclass
task has one per class, of which exactly one is 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

#: One label; one of several classes; any number of several labels.
TASKS = ("binary", "multiclass", "multilabel")

#: Initial biases of the last layer: they predict the shares of the labels, or are 0.
FIRST_BIASES = ("shares", "zero")

Floats: TypeAlias = NDArray[np.float32]


def loss(task: str, outputs: Tensor, truth: Tensor, weights: Tensor | None) -> Tensor:
    """Return the cross-entropy of the softmax, or of one sigmoid per label over known labels.

    Parameters
    ----------
    task : str
        One of :data:`TASKS`.
    outputs : tensor of shape (n, n_outputs)
    truth : tensor of shape (n, n_labels)
        0, 1 or NaN.
    weights : tensor, optional
        See :func:`class_weights`.
    """
    from torch.nn import functional as F

    if task != "multilabel":
        entropy: Tensor = F.cross_entropy(outputs, _classes(task, truth), weight=weights)
        return entropy
    known = ~truth.isnan()
    each = F.binary_cross_entropy_with_logits(
        outputs, truth.nan_to_num(0), pos_weight=weights, reduction="none"
    )
    # A batch without known labels has loss 0.
    mean: Tensor = (each * known).sum() / known.sum().clamp(min=1)
    return mean


def first_bias(task: str, truth: Floats, which: str = "shares") -> Floats:
    """Return initial biases of the last layer, see :data:`FIRST_BIASES`.

    With biases that predict the shares of the training labels, training does not have to learn
    first that some labels are rare.
    """
    if which == "zero":
        return np.zeros(2 if task == "binary" else truth.shape[1], dtype=np.float32)
    positive = np.nansum(truth, axis=0) + 0.5
    negative = (truth == 0).sum(axis=0) + 0.5
    if task == "multiclass":
        return np.asarray(np.log(positive / positive.sum()), dtype=np.float32)
    odds = np.log(positive / negative)
    sides = np.concatenate([-odds / 2, odds / 2]) if task == "binary" else odds
    return np.asarray(sides, dtype=np.float32)


def class_weights(task: str, truth: Floats) -> Floats:
    """Return weights that balance classes or, for several labels, positives and negatives.

    Returns
    -------
    ndarray of shape (n_outputs,)
        ``n / (number of classes * images of the class)``, scikit-learn's "balanced"
        weights; for several labels, negatives per positive.
    """
    positive = np.nansum(truth, axis=0)
    negative = (truth == 0).sum(axis=0)
    if task == "multilabel":
        return np.asarray(negative / np.maximum(positive, 1), dtype=np.float32)
    sizes = np.concatenate([negative, positive]) if task == "binary" else positive
    return np.asarray(len(truth) / (len(sizes) * np.maximum(sizes, 1)), dtype=np.float32)


def probabilities(task: str, outputs: Floats) -> Floats:
    """Return the probability of each label, of shape (n, n_labels)."""
    from scipy.special import expit, softmax

    if task == "multilabel":
        return np.asarray(expit(outputs), dtype=np.float32)
    shares = np.asarray(softmax(outputs, axis=1), dtype=np.float32)
    return shares[:, 1:] if task == "binary" else shares


def decide(task: str, probability: Floats, thresholds: Floats) -> NDArray[np.bool_]:
    """Return the labels at or above their thresholds or, of classes, the most probable one."""
    if task != "multiclass":
        return np.asarray(probability >= thresholds)
    likeliest = np.zeros(probability.shape, dtype=bool)
    likeliest[np.arange(len(probability)), probability.argmax(axis=1)] = True
    return likeliest


def _classes(task: str, truth: Tensor) -> Tensor:
    return truth[:, 0].long() if task == "binary" else truth.argmax(dim=1)
