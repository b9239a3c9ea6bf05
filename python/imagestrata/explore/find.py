"""Find images: the typical ones of clusters, or those that are like a picture or like words."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.clustering import (
    ORDERS,
    Clustering,
    check_clustering,
    rank_images,
    select_clusters,
    vectors_of,
)
from ..clustering.join import MEMBERSHIP
from ..clustering.named import with_names
from ..errors import ImagestrataError
from ..rows import Rows
from ..tables import with_file
from ..validate import check_choice, check_idle, check_int, check_seed
from ..verbs import public
from ..wording import arg
from .search import has_angles, nearest_images, vectors_like, vectors_of_words


@public
def find_images(
    clustering: Clustering,
    clusters: int | Iterable[int] | None = None,
    n: int = 9,
    *,
    order: str = "typical",
    seed: int = 0,
    like: Any = None,
    text: str | Iterable[str] | None = None,
    embeddings: Any = None,
    weights: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Find the typical images of clusters, or the images that are like a picture or like words.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images`, or of :meth:`Clustering.load` for a run folder.
    clusters : int or sequence of int, optional
        Numbers of clusters (before edits, 1 is the largest), -1 for the residual. By default all
        clusters without the residual. With ``like`` and ``text``, the clusters that are searched;
        by default all images.
    n : int, default 9
        Number of images per cluster; all images of a smaller cluster. Nine images form the
        square collage that often represents a topic. With ``like`` and ``text``, the number of
        images per picture or text.
    order : {"typical", "atypical", "doubtful", "random"}, default "typical"
        Highest silhouette first, or lowest first; lowest margin first, which are the images that
        are closest to another cluster or beyond (see :class:`Clustering`); or a random order.
        Ties are broken by the distance to the centroid (by the silhouette, if images are ordered
        by margin), then by the id of the image.
    seed : int, default 0
        Seed of ``order="random"``. The order of a cluster does not depend on which others are
        asked for.
    like : path, image_id, picture, or list of these; optional
        Pictures to which similar images are searched: files inside or outside the corpus, images
        of the clustering (image_id, or the end of a path), pictures of Pillow, or arrays of pixels
        (height x width x 3, uint8). New pictures are embedded exactly as the corpus was.
    text : str or sequence of str, optional
        Words to which similar images are searched, such as ``"a crowd with banners"``. The vectors
        must be of a ``"clip:"`` encoder.
    embeddings : Embeddings, or vectors, optional
        With ``like`` and ``text``: the vectors of the images. By default those from which the
        clustering was made, see :func:`edit_clusters`.
    weights : path, optional
        With ``like`` and ``text``: the file of the encoder's weights, if it has moved.

    Returns
    -------
    DataFrame
        ``cluster`` (with names ``cluster_name``), ``rank`` (from 1 within the cluster),
        ``image_id``, ``path``, ``file``, ``silhouette``, ``distance``, ``second_cluster`` and
        ``margin``; in the order of ``clusters``. With ``like`` and ``text``: ``query`` (the name,
        the text, or "picture 1"), ``rank`` (from 1 within the query), ``image_id``, ``path``,
        ``file``, ``cluster``, ``cluster_name`` if clusters have names, and ``similarity``; most
        similar first.

    Raises
    ------
    ImagestrataError
        If a cluster does not exist, the clustering is of an older version and has no margins, a
        picture cannot be read or found, the vectors are unknown, a new picture cannot be embedded
        comparably (vectors of your own, reduced ones, and those of texts: their images can be
        searched by image_id), or words are searched in vectors that are not of CLIP.

    Notes
    -----
    *Similarity* is the cosine of the angle between two vectors, from -1 to 1 (the same vector). For
    vectors that UMAP placed, and those of fewer than 10 dimensions, whose angles say little, it is
    1 / (1 + Euclidean distance). An image of the corpus finds itself first. All images are
    compared, in blocks; those with equal similarity stand in the order of the clustering.

    The similarity of words and images is lower than that of images, about .2 to .3 for
    good matches: compare it only with that of other images for the same words. The words are given
    to CLIP as they are; "a photo of a dog" often finds more than "dog".
    """
    check_clustering(clustering)
    n = check_int("n", n, minimum=1)
    order, seed = check_choice("order", order, ORDERS), check_seed(seed)
    chosen = select_clusters(clustering, clusters)
    if like is None and text is None:
        check_idle(
            f"without {arg('like')} and {arg('text')}",
            embeddings=(None if embeddings is None else ..., None),
            weights=(weights, None),
        )
        ranked = rank_images(clustering.images, chosen, order, seed)
        ranked["rank"] = ranked.groupby("cluster").cumcount() + 1
        ranked = with_file(ranked)
        columns = ["cluster", "rank", "image_id", "path", "file", "silhouette", "distance"]
        columns += [name for name in MEMBERSHIP if name in ranked]
        found = ranked.loc[ranked["rank"] <= n, columns].reset_index(drop=True)
        return with_names(found, clustering.clusters)
    if like is not None and text is not None:
        raise ImagestrataError(
            f"{arg('like')} and {arg('text')} are two searches.", "Give one of them."
        )
    check_idle("in a search", order=(order, "typical"))
    return _search(clustering, None if clusters is None else chosen, n, like, text,
                   embeddings, weights)  # fmt: skip


def _search(
    clustering: Clustering,
    clusters: list[int] | None,
    n: int,
    like: Any,
    text: Any,
    given: Any,
    weights: str | os.PathLike[str] | None,
) -> pd.DataFrame:
    images = with_file(clustering.images)
    embeddings, order = vectors_of(clustering, given, "which a search needs")
    if text is None:
        names, queries, rows = vectors_like(like, images, embeddings, weights)
    else:
        names, queries = vectors_of_words(text, embeddings, weights)
        rows = np.full(len(names), -1)
    searched = np.arange(len(images))
    if clusters is not None:
        searched = searched[images["cluster"].isin(clusters).to_numpy()]
    # The place of each picture among the rows that are searched.
    place = pd.Index(order[searched]).get_indexer(pd.Index(rows))
    query, row, similarity = nearest_images(
        Rows(embeddings.matrix).select(order[searched]), queries, n,
        by_angle=text is not None or has_angles(embeddings), first=place,
    )  # fmt: skip
    columns = ["image_id", "path", "file", "cluster", "cluster_name"]
    found = images[[name for name in columns if name in images]].iloc[searched[row]]
    found = found.reset_index(drop=True).assign(similarity=similarity)
    found.insert(0, "query", pd.Series([names[i] for i in query], dtype="str"))
    found.insert(1, "rank", pd.Series(query).groupby(query).cumcount().to_numpy() + 1)
    return found
