"""The three kinds of questions that labels answer: what a network is asked, and how it answers.

Whatever the task, labels are a matrix of numbers with a row per image and a column per label:
1 (has it), 0 (has it not) or NaN (nobody said). A binary task has one column, a multiclass task
one per class, of which exactly one is 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

#: One label; one of several classes; any number of several labels.
TASKS = ("binary", "multiclass", "multilabel")

Floats: TypeAlias = NDArray[np.float32]


def loss(task: str, outputs: Tensor, truth: Tensor, weights: Tensor | None) -> Tensor:
    """Cross-entropy of the softmax, or of one sigmoid per label over the labels that are known.

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
    # A batch in which nothing is known teaches nothing.
    mean: Tensor = (each * known).sum() / known.sum().clamp(min=1)
    return mean


def first_bias(task: str, truth: Floats) -> Floats:
    """Biases of the last layer that say of every image what is true of the training images.

    Beginning there, rare labels need not first be learnt to be rare.
    """
    positive = np.nansum(truth, axis=0) + 0.5
    negative = (truth == 0).sum(axis=0) + 0.5
    if task == "multiclass":
        return np.asarray(np.log(positive / positive.sum()), dtype=np.float32)
    odds = np.log(positive / negative)
    sides = np.concatenate([-odds / 2, odds / 2]) if task == "binary" else odds
    return np.asarray(sides, dtype=np.float32)


def class_weights(task: str, truth: Floats) -> Floats:
    """Weights that make rare classes (of several labels: rare positives) count as much as others.

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
    """Probability of each label, of shape (n, n_labels)."""
    from scipy.special import expit, softmax

    if task == "multilabel":
        return np.asarray(expit(outputs), dtype=np.float32)
    shares = np.asarray(softmax(outputs, axis=1), dtype=np.float32)
    return shares[:, 1:] if task == "binary" else shares


def decide(task: str, probability: Floats, thresholds: Floats) -> NDArray[np.bool_]:
    """Which labels an image gets: those at or above their threshold; of classes, the likeliest."""
    if task != "multiclass":
        return np.asarray(probability >= thresholds)
    likeliest = np.zeros(probability.shape, dtype=bool)
    likeliest[np.arange(len(probability)), probability.argmax(axis=1)] = True
    return likeliest


def _classes(task: str, truth: Tensor) -> Tensor:
    return truth[:, 0].long() if task == "binary" else truth.argmax(dim=1)
