"""What the vectors themselves say of a clustering, without people."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.clustering import Clustering
from ..clustering.silhouette import silhouettes
from ..clustering.vectors import as_vectors
from ..embeddings.inputs import as_embeddings
from ..rows import as_rows
from ..verbs import public
from .stability import labels_for


@public
def score_vectors(clustering: Clustering, embeddings: Any) -> pd.DataFrame:
    """Measure how compact and how separate clusters are in the space of their vectors.

    Parameters
    ----------
    clustering : Clustering
        What :func:`cluster_images` returned.
    embeddings : Embeddings, or vectors
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
        - ``residual_share``: share of the images in no cluster, such as noise
          of the method "hdbscan", which the others leave out.

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

    They are better for clusterings that leave much out: one that calls all but the
    densest places noise scores well.
    """
    given = as_embeddings(embeddings)
    labels = labels_for(clustering, given)
    inside = labels >= 0
    X = as_rows(given.matrix, clustering.settings.get("normalize"))[inside]
    found = labels[inside]
    values = indices(X, found, silhouettes(as_vectors(X), found))
    values["residual_share"] = float((~inside).mean())
    return pd.DataFrame({"measure": list(values), "estimate": list(values.values())})


def indices(
    X: NDArray[Any], labels: NDArray[np.intp], scores: NDArray[np.float64]
) -> dict[str, float]:
    """The three indices of clustered rows, given their silhouettes; NaN where undefined."""
    if not 2 <= len(np.unique(labels)) < len(labels):
        return dict.fromkeys(("silhouette", "calinski_harabasz", "davies_bouldin"), np.nan)
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

    return {
        "silhouette": float(scores.mean()),
        "calinski_harabasz": float(calinski_harabasz_score(X, labels)),
        "davies_bouldin": float(davies_bouldin_score(X, labels)),
    }
