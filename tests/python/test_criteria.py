"""Criteria of goodness of fit against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from imagestrata.clustering.criteria import CRITERIA
from imagestrata.clustering.kmeans import kmeans
from imagestrata.clustering.vectors import as_vectors

MATRIX = np.random.default_rng(0).normal(size=(300, 7)) + 40
MATRIX[:100] += 3
VECTORS = as_vectors(MATRIX)
FIT = kmeans(VECTORS, 6, np.random.default_rng(1))
MEANS = np.stack([MATRIX[FIT.labels == k].mean(axis=0) for k in range(6)])
WITHIN = ((MATRIX - MEANS[FIT.labels]) ** 2).sum()
TOTAL = ((MATRIX - MATRIX.mean(axis=0)) ** 2).sum()

SILHOUETTES = metrics.silhouette_samples(MATRIX, FIT.labels)
CLUSTER_MEANS = {k: SILHOUETTES[FIT.labels == k].mean() for k in range(6)}
#: Each image as cohesive as its cluster; the better half of these.
HALF = sorted((CLUSTER_MEANS[k] for k in FIT.labels), reverse=True)[:150]

WANTED = {
    "cohesion": np.mean(HALF),
    "explained_variance": 1 - WITHIN / TOTAL,
    "inertia": -WITHIN,
    "silhouette": metrics.silhouette_score(MATRIX, FIT.labels),
    "calinski_harabasz": metrics.calinski_harabasz_score(MATRIX, FIT.labels),
    "davies_bouldin": -metrics.davies_bouldin_score(MATRIX, FIT.labels),
}


@pytest.mark.parametrize("name", CRITERIA)
def test_agrees_with_scikit_learn(name):
    assert CRITERIA[name](VECTORS, FIT) == pytest.approx(WANTED[name], rel=1e-3)


@pytest.mark.parametrize("exact", [False, True])
def test_inertia_is_in_the_units_of_the_vectors(exact):
    vectors = as_vectors(np.array([[0.0], [2], [10], [14]]) * 1000, exact=exact)
    fit = kmeans(vectors, 2, np.random.default_rng(0))
    assert CRITERIA["inertia"](vectors, fit) == pytest.approx(-(2 * 1000**2 + 2 * 2000**2))
    half = vectors.take(np.array([0, 1]))
    fit = kmeans(half, 1, np.random.default_rng(0))
    assert CRITERIA["inertia"](half, fit) == pytest.approx(-2 * 1000**2)


@pytest.mark.parametrize("name", CRITERIA)
def test_a_fit_that_leaves_nothing_to_explain(name):
    vectors = as_vectors(np.repeat(np.eye(3), 5, axis=0))
    assert np.isfinite(CRITERIA[name](vectors, kmeans(vectors, 3, np.random.default_rng(0))))
    equal = as_vectors(np.ones((4, 2)))
    assert np.isfinite(CRITERIA[name](equal, kmeans(equal, 2, np.random.default_rng(0))))
