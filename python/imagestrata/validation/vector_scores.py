"""What the vectors themselves say of a clustering, without people."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..clustering.base import normalized
from ..clustering.clustering import Clustering
from ..clustering.inputs import as_embeddings
from ..clustering.silhouette import silhouettes
from ..clustering.vectors import as_vectors
from .stability import labels_for


def score_vectors(clustering: Clustering, embeddings: Any) -> pd.DataFrame:
    """Measure how compact and how separate clusters are in the space of their vectors.

    Parameters
    ----------
    clustering : Clustering
        What :func:`cluster_images` returned.
    embeddings : Embeddings, or ndarray of shape (n_images, d)
        The vectors it was made from, or others of the same images.

    Returns
    -------
    DataFrame
        Columns ``measure`` and ``estimate``:

        - ``silhouette``: mean over images, from -1 to 1 (Rousseeuw 1987), with
          Euclidean distances to all clusters, other than the silhouettes that
          decide what leaves an iteration;
        - ``calinski_harabasz``: ratio of the variances between and within
          clusters (1974), larger is better;
        - ``davies_bouldin``: mean over clusters of the worst ratio of spread to
          separation (1979), smaller is better;
        - ``residual_share``: share of the images in no cluster, which the
          others leave out.

        The first three are missing unless there are two clusters and fewer
        clusters than images.

    Raises
    ------
    ImagestrataError
        If the clustering has no cluster, or the embeddings are not of its images.

    Notes
    -----
    These numbers compare clusterings of the same vectors, with similar shares of
    residual and similar numbers of clusters. They do not compare encoders: a
    space in which everything lies in two heaps has high silhouettes and tells
    nothing of interest. That is what :func:`tune_clusters` is for.
    """
    given = as_embeddings(embeddings)
    labels = labels_for(clustering, given)
    inside = labels >= 0
    X = normalized(given.matrix, clustering.settings.get("normalize"))[inside]
    found = labels[inside]
    values = dict.fromkeys(("silhouette", "calinski_harabasz", "davies_bouldin"), np.nan)
    if 2 <= len(np.unique(found)) < len(found):
        from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

        values["silhouette"] = float(silhouettes(as_vectors(X), found).mean())
        values["calinski_harabasz"] = float(calinski_harabasz_score(X, found))
        values["davies_bouldin"] = float(davies_bouldin_score(X, found))
    values["residual_share"] = float((~inside).mean())
    return pd.DataFrame({"measure": list(values), "estimate": list(values.values())})
