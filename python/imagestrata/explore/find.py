"""The most and the least typical images of clusters."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..clustering.clustering import (
    ORDERS,
    Clustering,
    check_clustering,
    rank_images,
    select_clusters,
)
from ..clustering.join import MEMBERSHIP
from ..tables import with_file
from ..validate import check_choice, check_int, check_seed
from ..verbs import public


@public
def find_images(
    clustering: Clustering,
    clusters: int | Iterable[int] | None = None,
    n: int = 9,
    *,
    order: str = "typical",
    seed: int = 0,
) -> pd.DataFrame:
    """Find the most typical images of one cluster, of several, or of all.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images`.
    clusters : int or sequence of int, optional
        Numbers of clusters, 1 for the largest, -1 for the residual. By default all
        clusters without the residual.
    n : int, default 9
        Number of images per cluster; all images of a smaller cluster. Nine images form the
        square collage that often represents a topic.
    order : {"typical", "atypical", "doubtful", "random"}, default "typical"
        Highest silhouette first, or lowest first; lowest margin first, which are the images that
        are closest to another cluster or beyond (see :class:`Clustering`); or a random order.
        Ties are broken by the distance to the centroid (by the silhouette, if images are ordered
        by margin), then by the id of the image.
    seed : int, default 0
        Seed of ``order="random"``. The order of a cluster does not depend on which others are
        asked for.

    Returns
    -------
    DataFrame
        ``cluster``, ``rank`` (from 1 within the cluster), ``image_id``,
        ``path``, ``file``, ``silhouette``, ``distance``, ``second_cluster`` and ``margin``; in the
        order of ``clusters``.

    Raises
    ------
    ImagestrataError
        If a cluster does not exist, or the clustering is of an older version and has no margins.
    """
    check_clustering(clustering)
    n = check_int("n", n, minimum=1)
    order, seed = check_choice("order", order, ORDERS), check_seed(seed)
    chosen = select_clusters(clustering, clusters)
    ranked = rank_images(clustering.images, chosen, order, seed)
    ranked["rank"] = ranked.groupby("cluster").cumcount() + 1
    ranked = with_file(ranked)
    columns = ["cluster", "rank", "image_id", "path", "file", "silhouette", "distance"]
    columns += [name for name in MEMBERSHIP if name in ranked]
    return ranked.loc[ranked["rank"] <= n, columns].reset_index(drop=True)
