"""Strength of membership of images in their clusters."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..clustering.clustering import Clustering, check_clustering
from ..clustering.named import with_names
from ..errors import ImagestrataError
from ..validate import check_bool, check_float
from ..verbs import public
from ..wording import quote


@public
def cluster_confidence(
    clustering: Clustering, *, threshold: float = 0.85, by_cluster: bool = False
) -> pd.DataFrame:
    """Summarise how firmly images belong to their clusters, by HDBSCAN's probabilities.

    Parameters
    ----------
    clustering : Clustering
        The result of ``cluster_images(method="hdbscan")``.
    threshold : float, default 0.85
        Images with a higher probability are confident members. The study from which this
        method is taken counts those above .85 (its Table A2).
    by_cluster : bool, default False
        Return one row per cluster instead of one for all.

    Returns
    -------
    DataFrame
        One row: n_images, n_clusters, n_clustered (without noise, whether assigned or not),
        n_confident, share_confident (of the clustered), share_of_all (confident, of all
        images), and three means of the probability: mean_probability of the clustered
        images; mean_confident of the confident ones; mean_confident_clusters, the mean over
        clusters of the mean of their confident images. Or, by cluster: cluster, size,
        n_clustered, n_confident, share_confident, mean_probability, mean_confident (NaN
        if no image is confident; such clusters do not enter mean_confident_clusters).

    Raises
    ------
    ImagestrataError
        If another method made the clustering, it has no cluster, or ``threshold`` is not
        between 0 and 1.

    Notes
    -----
    The probability measures, as a share, how close an image is to the densest part of its
    cluster: the images in the densest part of every cluster have 1, whatever its density.

    After edits, the probability of an image is still that in the cluster in which it was found;
    noise that was moved to a cluster does not count.

    Table A2 of the study gives the share of points above the threshold and the "average
    high confidence point probability across clusters": mean_confident_clusters if every
    cluster has equal weight, mean_confident if every image has. mean_probability is lower
    than both, since images below the threshold enter it.

    Examples
    --------
    >>> import numpy as np
    >>> from imagestrata import cluster_images, cluster_confidence
    >>> points = np.random.default_rng(0).normal(size=(200, 2))
    >>> points[:100] += 9
    >>> clustering = cluster_images(points, "hdbscan", min_cluster_size=20, progress=False)
    >>> cluster_confidence(clustering).columns.tolist()[:3]
    ['n_images', 'n_clusters', 'n_clustered']
    """
    check_clustering(clustering)
    threshold = check_float("threshold", threshold, minimum=0, maximum=1)
    by_cluster = check_bool("by_cluster", by_cluster)
    method = clustering.settings.get("method")
    if method != "hdbscan":
        raise ImagestrataError(
            'Only the method "hdbscan" gives probabilities; this clustering is by '
            f"{quote(method)}.",
            "Use the silhouettes instead.",
        )
    if clustering.clusters.empty:
        raise ImagestrataError("The clustering has no cluster: all images are noise.")
    images = clustering.images
    found = images[(images["cluster"] > 0) & ~images["assigned"] & images["probability"].notna()]
    if "cluster_found" in found:  # noise that an edit moved to a cluster
        found = found[found["cluster_found"] > 0]
    confident = found["probability"] > threshold
    found = found.assign(confident=confident, above=found["probability"].where(confident))
    by = _confidence(found.groupby("cluster")).reset_index()
    if by_cluster:
        table = clustering.clusters[["cluster", "size"]].merge(by, on="cluster")
        return with_names(table, clustering.clusters)
    line = _confidence(found.groupby(lambda _: 0)).reset_index(drop=True)
    line.insert(0, "n_images", len(images))
    line.insert(1, "n_clusters", len(clustering.clusters))
    line.insert(5, "share_of_all", line["n_confident"] / len(images))
    return line.assign(mean_confident_clusters=by["mean_confident"].mean())


def _confidence(found: Any) -> pd.DataFrame:
    """Counts and means of each group of images."""
    table: pd.DataFrame = found.agg(
        n_clustered=("confident", "size"),
        n_confident=("confident", "sum"),
        share_confident=("confident", "mean"),
        mean_probability=("probability", "mean"),
        mean_confident=("above", "mean"),
    )
    return table
