"""Clusterings for several numbers of clusters, or several smallest sizes of a cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.base import (
    ClusterEstimator,
    Partition,
    centroid_distances,
    centroids,
    no_cache,
    opened_space,
)
from ..clustering.cluster import given_settings, is_map, make_estimator
from ..embeddings.inputs import as_embeddings, embeddings_fingerprint
from ..engine import Engine
from ..errors import ImagestrataError, plural, warn
from ..progress import Progress, track
from ..provenance import Step
from ..rows import Rows, as_rows
from ..validate import check_bool, check_choice, check_int, check_seed
from ..verbs import public
from ..wording import arg
from .vector_scores import indices

#: For each method the setting that varies, and its usual values: the paper's range (its footnote
#: 10), and that of the study on density (its Table A1).
SWEPT: dict[str, tuple[str, Sequence[int]]] = {
    "kmeans": ("n_clusters", range(30, 301, 10)),
    "hdbscan": ("min_cluster_size", range(20, 91, 10)),
}


@public
def sweep_clusters(
    embeddings: Any,
    method: str = "kmeans",
    values: Sequence[int] | None = None,
    *,
    n_init: int | None = None,
    neighbors: int | str | None = "auto",
    normalize: str | None = None,
    n_components: int | None = None,
    silhouette: str | None = None,
    exact: bool | None = None,
    min_samples: int | None = None,
    selection: str | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
) -> pd.DataFrame:
    """Cluster with several numbers of clusters, or several smallest sizes of a cluster.

    Parameters
    ----------
    embeddings : Embeddings, or vectors
        Vectors of the images.
    method : {"kmeans", "hdbscan"}, default "kmeans"
        "kmeans" varies ``n_clusters`` of a single k-means, "hdbscan" ``min_cluster_size``.
    values : sequence of int, optional
        Values of that setting. By default 30, 40, ..., 300 clusters (the paper's range, which
        preceded its 80 clusters), or sizes of 20, 30, ..., 90 (the study on density), in
        each case only those below the number of images.
    n_init, neighbors, normalize, n_components, silhouette : optional
    exact, min_samples, selection : optional
        Settings of the method, as in :func:`cluster_images`.
    seed : int, default 0
        Each row describes the clusters that :func:`cluster_images` finds with the same value,
        settings and seed.
    out : path, optional
        Run folder, as in :func:`cluster_images`. An interrupted sweep continues after its last
        finished value, and a finished one is read. A run holds one sweep; variants of the run
        hold others.
    overwrite : bool, default False
        Replace another sweep in ``out``.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`; counts clusterings.
    engine : Client or str, optional
        As in :func:`cluster_images`.

    Returns
    -------
    DataFrame
        A row per value, in the order given. For "kmeans": n_clusters; inertia, the sum of
        squared distances to the means of the clusters; explained_variance, 1 - inertia / the sum
        of squared distances to the mean of all images; silhouette (mean), calinski_harabasz,
        davies_bouldin, see :func:`score_clustering`; knee, whether the row is the knee of the
        explained variance (see Notes). For "hdbscan": min_cluster_size, n_clusters, n_noise,
        share_noise; and for the images in clusters silhouette, calinski_harabasz,
        davies_bouldin. All are measured in the vectors that are clustered, after ``neighbors``,
        ``normalize`` and ``n_components``; what is undefined is NaN, such as a silhouette of
        one cluster. :func:`plot_tuning` draws it.

    Raises
    ------
    ImagestrataError
        If ``values`` is empty, or one is out of range; if a setting is out of range or belongs to
        the other method; if ``out`` holds another sweep; or if hdbscan is not installed.

    Warns
    -----
    UserWarning
        If fewer vectors are distinct than clusters are asked for.

    Notes
    -----
    A sweep describes; it does not decide. Inertia always falls and explained variance always
    rises with the number of clusters. The *knee* is the value at which explained variance lies
    farthest above the straight line between the first and the last value (Kneedle without
    smoothing). It depends on the range of the values: with a wider range it is usually larger. A
    curve without a point above that line has no knee. Where the knee, the highest silhouette and
    your reading of the images disagree, several numbers are defensible; :func:`tune_clusters`
    compares them by human judgements.

    Do not choose a smallest size by the silhouette alone: it rises when more images become
    noise. Look for sizes around which the number of clusters and the share of noise hardly
    change, and look at the images.

    References
    ----------
    Satopää, V., Albrecht, J., Irwin, D. and Raghavan, B. (2011). Finding a "kneedle" in a
    haystack: detecting knee points in system behavior. 31st International Conference on
    Distributed Computing Systems Workshops, 166-171.

    Examples
    --------
    >>> import numpy as np
    >>> from imagestrata import sweep_clusters
    >>> points = np.random.default_rng(0).normal(size=(200, 2))
    >>> points[:100] += 9
    >>> swept = sweep_clusters(points, values=[1, 2, 3, 4], progress=False)
    >>> swept["knee"].tolist()
    [False, True, False, False]
    >>> int(swept["n_clusters"][swept["silhouette"].idxmax()])
    2
    """
    settings = given_settings(locals())
    overwrite = check_bool("overwrite", overwrite)
    seed = check_seed(seed)
    given = as_embeddings(embeddings)
    name, usual = SWEPT[check_choice("method", method, SWEPT)]
    checked = _checked_values(values, name, usual, len(given.matrix))
    if neighbors == "auto" and is_map(given):
        settings["neighbors"] = None
    estimators = [make_estimator(method, None, settings | {name: value}, seed) for value in checked]
    for estimator in estimators:
        estimator.check_arguments(given.matrix.shape)

    shared = {
        k: v for k, v in estimators[0].get_params().items() if k not in (name, "random_state")
    }
    inputs = embeddings_fingerprint(given)
    step = Step(
        out,
        "sweep",
        {"method": method, "values": checked, **shared, "seed": seed},
        inputs=inputs,
        made_from={"embed": inputs},
        overwrite=overwrite,
    )

    def make() -> pd.DataFrame:
        estimator = estimators[0]
        X = as_rows(given.matrix, estimator.scaling(given.matrix.shape))
        with opened_space(estimator, X, seed, engine) as (space, opened):
            rows = []
            with track(progress, "Sweeping", len(checked)) as advance:
                for value in checked:
                    estimator.set_params(**{name: value})
                    one = partial(_row, method, value, estimator, space, seed, opened)
                    key = f"value-{value:07d}"
                    stored = step.parts.read(key) if step.parts else None
                    rows.append(step.parts.load(key, one).to_pandas() if step.parts else one())
                    advance(already=stored is not None)
        swept: pd.DataFrame = pd.concat(rows, ignore_index=True)
        if method == "kmeans":
            _warn_of_few_distinct(swept)
            swept = swept.drop(columns="n_found")
            swept["knee"] = _at_knee(
                swept["n_clusters"].to_numpy(), swept["explained_variance"].to_numpy()
            )
        return swept

    used = {"neighbors": estimators[0].n_neighbors(given.matrix.shape)}
    swept: pd.DataFrame = step.table(make, lambda table: {"n_values": len(table), **used})
    return swept


def _checked_values(values: Any, name: str, usual: Sequence[int], n: int) -> list[int]:
    if values is None:
        found = [value for value in usual if value < n]
        if not found:
            raise ImagestrataError(
                f"There are only {plural(n, 'image')}; the usual values of {arg(name)} begin at "
                f"{usual[0]}.",
                f"Give smaller ones: {arg('values', [2, 3, 5])}.",
            )
        return found
    asked = [values] if np.ndim(values) == 0 else list(values)
    if not asked:
        raise ImagestrataError(
            f"{arg('values')} is empty.", f"Give at least one: {arg('values', [20, 50])}."
        )
    lowest = 1 if name == "n_clusters" else 2
    return [check_int("values", value, minimum=lowest, maximum=n) for value in asked]


def _row(
    method: str, value: int, estimator: ClusterEstimator, space: Rows, seed: int, engine: Engine
) -> pd.DataFrame:
    """The row of one value."""
    found = estimator._partition(space, seed, no_cache, False, engine)
    made = _kmeans_row if method == "kmeans" else _density_row
    inside = found.labels >= 0
    scores = indices(space[inside], found.labels[inside], found.silhouettes[inside])
    return pd.DataFrame([made(value, space, found) | scores])


def _kmeans_row(value: int, space: Rows, found: Partition) -> dict[str, Any]:
    k = int(found.labels.max()) + 1
    inertia = _sum_of_squares(space, found.labels, k)
    total = _sum_of_squares(space, np.zeros_like(found.labels), 1)
    return {
        "n_clusters": value,
        "n_found": k,
        "inertia": inertia,
        "explained_variance": 1 - inertia / total if total else np.nan,
    }


def _density_row(value: int, space: Rows, found: Partition) -> dict[str, Any]:
    n_noise = int((found.labels < 0).sum())
    return {
        "min_cluster_size": value,
        "n_clusters": int(found.labels.max()) + 1,
        "n_noise": n_noise,
        "share_noise": n_noise / len(space),
    }


def _sum_of_squares(space: Rows, labels: NDArray[np.intp], k: int) -> float:
    """Sum of the squared distances of all rows to the means of their clusters."""
    distances = centroid_distances(space, centroids(space, labels, k), labels)
    return float((distances**2).sum())


def _warn_of_few_distinct(swept: pd.DataFrame) -> None:
    few = swept[swept["n_found"] < swept["n_clusters"]]
    if len(few):
        n = int(few["n_found"].max())
        warn(
            f"Only {plural(n, 'vector is', 'vectors are')} distinct: rows with more clusters "
            f"describe {n}.",
        )


def _at_knee(x: NDArray[Any], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mask of the knee of a rising curve: where it is farthest above its chord, if anywhere."""
    knee = np.zeros(len(x), dtype=bool)
    low, high = x.argmin(), x.argmax()
    span, rise = x[high] - x[low], y[high] - y[low]
    if span > 0 and rise > 0:
        above = (y - y[low]) / rise - (x - x[low]) / span
        # Rounding alone must not make a knee of a straight line.
        knee[above.argmax()] = above.max() > 1e-9
    return knee
