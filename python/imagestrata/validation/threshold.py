"""A similarity threshold for an encoder, from simulated vectors without clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.cluster import given_settings, make_estimator
from ..clustering.iterative import IterativeKMeans, fit_kmeans
from ..clustering.kmeans import kmeans
from ..clustering.silhouette import pick_measure, silhouettes
from ..clustering.vectors import as_vectors
from ..embeddings.inputs import as_embeddings
from ..progress import Progress, track
from ..rows import as_rows
from ..validate import check_float, check_int, check_seed
from ..verbs import public


@public
def suggest_threshold(
    embeddings: Any,
    *,
    quantile: float = 0.95,
    n_draws: int = 20,
    preset: str | None = None,
    k: int | None = None,
    sample_size: int | None = None,
    step_size: int | None = None,
    converge_window: int | None = None,
    k_criterion: str | None = None,
    k_tolerance: float | None = None,
    k_max: int | str | None = None,
    n_init: int | None = None,
    normalize: str | None = None,
    n_components: int | None = None,
    silhouette: str | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> pd.DataFrame:
    """Suggest a similarity threshold from clusters of simulated vectors without structure.

    Silhouettes are in the units of the encoder, so that the paper's threshold
    (.03) does not apply to other encoders. Here sets of normal vectors ("clouds") with
    the covariance of the given vectors, but without clusters, are clustered with the
    number of clusters that an iteration fits. A cluster of images should be more cohesive
    than most clusters of a cloud: the threshold is a high quantile of their mean
    silhouettes, in which every cluster is weighted by its size.

    The threshold is for ``cluster_images(neighbors=None)``: silhouettes after the neighbourhood
    step are much higher, and need no threshold.

    Parameters
    ----------
    embeddings : Embeddings, or vectors
        Vectors of the images.
    quantile : float, default 0.95
        Share of the vectors of clouds that is in clusters up to the threshold.
    n_draws : int, default 20
        Number of clouds.
    preset, k, sample_size, step_size, converge_window, k_criterion, k_tolerance : optional
    k_max, n_init, normalize, n_components, silhouette : optional
        Settings of the iterative method that determine its fits, see :func:`cluster_images`.
        Give the values that you will use with the threshold. The clouds have
        ``sample_size`` vectors.
    seed : int, default 0
        Seed of the sample of images and of the clouds.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`; counts clouds.

    Returns
    -------
    DataFrame
        One row: ``threshold``; ``k``, the number of clusters fitted (found by the search
        on a sample of the images); ``null_median``, the median of the mean
        silhouettes in clouds; ``n_null``, their number; ``share_clusters``, the share of
        the clusters of sampled images above the threshold, and ``share_images``, the share
        of images in them. These images would leave in the first iteration with
        ``release_share=1``.

    Raises
    ------
    ImagestrataError
        If a setting is out of range, or vectors contain NaN.

    Notes
    -----
    A cloud consists of normal vectors: random sums of centred vectors, which have the
    covariance of the sample without computing it. The threshold is derived for the first
    iteration and used in all. Clusters are weighted by size because k-means finds tiny,
    accidentally tight clusters in samples that do not occur in clouds as large as the
    corpus; with weights, 1,000 vectors suffice.

    On 3,887 labelled photographs, with 10 clusters per iteration, it suggests
    .024 for MobileNetV2, .022 for visual words (``bovw``), .044 for ``hog`` and
    .053 for a middle layer of MobileNetV2; with ``preset="paper"`` .028 for
    MobileNetV2, where the paper has .03. See ``docs/judged-pairs.md`` for the effect
    on the clusters.
    """
    settings = given_settings(locals())
    given = as_embeddings(embeddings)
    quantile = check_float("quantile", quantile, minimum=0.5, maximum=1)
    n_draws = check_int("n_draws", n_draws, minimum=1)
    seed = check_seed(seed)
    settings["neighbors"] = None
    estimator = make_estimator("iterative", preset, settings, seed)
    assert isinstance(estimator, IterativeKMeans)
    estimator.check_arguments(given.matrix.shape)

    rng = np.random.default_rng([seed, 7])
    X = estimator.space(as_rows(given.matrix, estimator.normalize), seed)
    size = min(estimator.sample_size, len(X))
    sample = X[np.sort(rng.choice(len(X), size, replace=False))]
    labels = fit_kmeans(estimator, as_vectors(sample), rng)[0].labels
    k = len(np.unique(labels))
    observed = _mean_silhouettes(sample, labels, estimator.silhouette)
    null, weights = [], []
    with track(progress, "Drawing clouds", n_draws) as advance:
        for _ in range(n_draws):
            cloud = _cloud(sample, rng)
            found = kmeans(as_vectors(cloud), k, rng, estimator.n_init).labels
            null.append(_mean_silhouettes(cloud, found, estimator.silhouette))
            weights.append(np.unique(found, return_counts=True)[1])
            advance()
    means = np.concatenate(null)
    median, threshold = _quantiles(means, np.concatenate(weights), [0.5, quantile])
    _, sizes = np.unique(labels, return_counts=True)
    above = observed > threshold
    row = {
        "threshold": threshold,
        "k": k,
        "null_median": median,
        "n_null": len(means),
        "share_clusters": float(above.mean()),
        "share_images": float(sizes[above].sum() / size),
    }
    return pd.DataFrame([row])


def _cloud(sample: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Normal vectors with the number and the covariance of the sample."""
    n = len(sample)
    centered = sample - sample.mean(axis=0, dtype=np.float64).astype(sample.dtype)
    weights = rng.standard_normal((n, n), dtype=np.float32) / np.float32(np.sqrt(n))
    cloud: NDArray[Any] = weights @ centered
    return cloud


def _quantiles(
    values: NDArray[np.float64], weights: NDArray[np.intp], shares: list[float]
) -> list[float]:
    """Weighted quantiles: the smallest values with at least these shares of the weight."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    rows = np.searchsorted(total, np.multiply(shares, total[-1]))
    return [float(value) for value in values[order][rows]]


def _mean_silhouettes(
    X: NDArray[Any], labels: NDArray[np.intp], measure: str
) -> NDArray[np.float64]:
    _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    scores = silhouettes(as_vectors(X), codes, pick_measure(measure, len(X)))
    means: NDArray[np.float64] = np.bincount(codes, scores) / sizes
    return means
