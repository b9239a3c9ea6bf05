"""Agreement of a clustering with known classes: exact counts over all pairs of images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural
from ..validate import check_unmasked
from ..verbs import public
from ..wording import arg


@public
def score_labels(clusters: Any, labels: Any) -> pd.DataFrame:
    """Compare a clustering with the true class of every image.

    Parameters
    ----------
    clusters : array-like of shape (n_images,)
        Cluster of each image; -1 marks the residual, whose images count as
        apart from each other and from everything else.
    labels : array-like of shape (n_images,)
        True class of each image, in the same order.

    Returns
    -------
    DataFrame
        Columns ``measure`` and ``estimate``: ``precision`` and ``recall`` over
        all pairs of images, their harmonic mean ``f1`` and plain mean
        ``mean_pr`` (the paper's F); ``bcubed_precision``, ``bcubed_recall`` and
        ``bcubed_f1`` (Bagga and Baldwin 1998), which give every image rather
        than every pair the same weight; ``adjusted_rand`` and
        ``adjusted_mutual_info``; and the ``residual_share``. Precision is NaN where
        no two images share a cluster, recall where none share a class.

    Raises
    ------
    ImagestrataError
        If the two differ in length, are empty, or a label is missing.
    """
    check_unmasked("clusters", clusters)
    check_unmasked("labels", labels)
    found = np.asarray(clusters)
    truth = np.asarray(labels)
    if found.ndim != 1 or found.shape != truth.shape or not len(found):
        raise ImagestrataError(
            f"{arg('clusters')} {found.shape} and {arg('labels')} {truth.shape} must be two "
            "non-empty columns of the same length.",
            'Of a clustering that is clustering.images["cluster"].',
        )
    missing = int(pd.isna(truth).sum() + pd.isna(found).sum())
    if missing:
        raise ImagestrataError(
            f"{plural(missing, 'cluster or label is', 'clusters or labels are')} missing.",
            "Leave those images out of both.",
        )
    residual = np.isin(found.astype(str), ["-1", "-1.0"])  # also where clusters are text
    codes = _separate_residual(found, residual)
    return _score(codes, pd.factorize(truth)[0], float(residual.mean()))


def _separate_residual(clusters: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Codes from 0, with every residual image in a group of its own."""
    codes = pd.factorize(clusters)[0]
    codes[residual] = codes.max() + 1 + np.arange(residual.sum())
    return codes


def _score(found: np.ndarray, truth: np.ndarray, residual_share: float) -> pd.DataFrame:
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
    from sklearn.metrics.cluster import contingency_matrix

    joint = contingency_matrix(truth, found, sparse=True).tocoo()
    both = joint.data.astype(np.float64)
    class_sizes = np.bincount(truth).astype(np.float64)
    cluster_sizes = np.bincount(found).astype(np.float64)
    n = len(truth)

    together = _pairs(both)
    precision = _ratio(together, _pairs(cluster_sizes))
    recall = _ratio(together, _pairs(class_sizes))
    cluster_of_cell = np.unique(found, return_inverse=True)[0][joint.col]
    class_of_cell = np.unique(truth, return_inverse=True)[0][joint.row]
    bcubed_precision = float((both**2 / cluster_sizes[cluster_of_cell]).sum() / n)
    bcubed_recall = float((both**2 / class_sizes[class_of_cell]).sum() / n)
    measures = {
        "precision": precision,
        "recall": recall,
        # Not from precision and recall: defined also where the clustering has no pair.
        "f1": _ratio(2 * together, _pairs(cluster_sizes) + _pairs(class_sizes)),
        "mean_pr": (precision + recall) / 2,
        "bcubed_precision": bcubed_precision,
        "bcubed_recall": bcubed_recall,
        "bcubed_f1": _harmonic(bcubed_precision, bcubed_recall),
        "adjusted_rand": float(adjusted_rand_score(truth, found)),
        "adjusted_mutual_info": float(adjusted_mutual_info_score(truth, found)),
        "residual_share": residual_share,
    }
    return pd.DataFrame({"measure": list(measures), "estimate": list(measures.values())})


def _pairs(sizes: np.ndarray) -> float:
    return float((sizes * (sizes - 1) / 2).sum())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0
