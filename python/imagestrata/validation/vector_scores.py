"""Measures of a clustering from its vectors, without human judgements."""

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
from .stability import labels_for


def score_by_vectors(clustering: Clustering, embeddings: Any) -> pd.DataFrame:
    """The table of :func:`score_clustering`; images in no cluster are left out."""
    given = as_embeddings(embeddings)
    labels = labels_for(clustering, given)
    inside = labels >= 0
    X = as_rows(given.matrix, clustering.settings.get("normalize"))[inside]
    found = labels[inside]
    values = indices(X, found, silhouettes(as_vectors(X), found))
    values["share_residual"] = float((~inside).mean())
    rows = {"measure": list(values), "estimate": list(values.values())}
    return pd.DataFrame(rows).assign(n_images=int(inside.sum()))


def indices(
    X: NDArray[Any], labels: NDArray[np.intp], scores: NDArray[np.float64]
) -> dict[str, float]:
    """Mean silhouette and two indices of clustered rows; NaN if undefined."""
    if not 2 <= len(np.unique(labels)) < len(labels):
        return dict.fromkeys(("silhouette", "calinski_harabasz", "davies_bouldin"), np.nan)
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

    return {
        "silhouette": float(scores.mean()),
        "calinski_harabasz": float(calinski_harabasz_score(X, labels)),
        "davies_bouldin": float(davies_bouldin_score(X, labels)),
    }
