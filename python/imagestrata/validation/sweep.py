"""Density clusterings for several smallest sizes of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.cluster import make_estimator
from ..embeddings.inputs import as_embeddings
from ..errors import ImagestrataError
from ..progress import Progress, track
from ..rows import as_rows
from ..validate import check_int
from ..verbs import public
from ..wording import arg
from .vector_scores import indices

#: The sizes in the study's Table A1.
SIZES = (20, 30, 40, 50, 60, 70, 80, 90)


@public
def sweep_min_cluster_size(
    embeddings: Any,
    sizes: Sequence[int] = SIZES,
    *,
    min_samples: int | None = None,
    selection: str = "eom",
    normalize: str | None = None,
    progress: Progress = True,
) -> pd.DataFrame:
    """Cluster by density with several smallest sizes of clusters, one after the other.

    Parameters
    ----------
    embeddings : Embeddings, or vectors
        Preferably the result of :func:`reduce_embeddings`.
    sizes : sequence of int, default (20, 30, ..., 90)
        ``min_cluster_size`` of each clustering. (The study from which this method is
        taken shows 20 to 90.)
    min_samples, selection, normalize : optional
        As in :func:`cluster_images` with ``method="hdbscan"``. By default ``min_samples``
        is equal to the size.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`; counts clusterings.

    Returns
    -------
    DataFrame
        A row per size, in the order given: min_cluster_size, n_clusters, n_noise,
        share_noise; and for the images in clusters silhouette (mean), calinski_harabasz,
        davies_bouldin, see :func:`score_clustering`; NaN with fewer than two clusters.

    Raises
    ------
    ImagestrataError
        If ``sizes`` is empty, one is below 2 or above the number of images, a setting is
        out of range, or hdbscan is not installed.

    Notes
    -----
    Do not choose by the silhouette alone: it rises when more images become noise. Look for
    sizes around which the number of clusters and the share of noise hardly change, and
    look at the images.

    Examples
    --------
    >>> import numpy as np
    >>> from imagestrata import sweep_min_cluster_size
    >>> points = np.random.default_rng(0).normal(size=(200, 2))
    >>> points[:100] += 9
    >>> swept = sweep_min_cluster_size(points, [20, 40], progress=False)
    >>> swept["n_clusters"].tolist()
    [2, 2]
    """
    given = as_embeddings(embeddings)
    n = len(given.matrix)
    asked = [sizes] if np.ndim(sizes) == 0 else list(sizes)
    if not asked:
        raise ImagestrataError(
            f"{arg('sizes')} is empty.", "Give at least one size, such as [20, 50]."
        )
    checked = [check_int("sizes", size, minimum=2, maximum=n) for size in asked]
    shared = {"min_samples": min_samples, "selection": selection, "normalize": normalize}
    estimators = [
        make_estimator("hdbscan", None, {"min_cluster_size": size, **shared}, 0) for size in checked
    ]
    for estimator in estimators:
        estimator.check_arguments(given.matrix.shape)
    X = as_rows(given.matrix, normalize)
    rows = []
    with track(progress, "Sweeping", len(checked)) as advance:
        for size, estimator in zip(checked, estimators, strict=True):
            labels = estimator.fit(given.matrix).labels_
            inside = labels >= 0
            n_noise = int((~inside).sum())
            found = {"min_cluster_size": size, "n_clusters": int(labels.max()) + 1}
            noise = {"n_noise": n_noise, "share_noise": n_noise / n}
            scores = indices(X[inside], labels[inside], estimator.silhouettes_[inside])
            rows.append({**found, **noise, **scores})
            advance()
    return pd.DataFrame(rows)
