"""New images join the clusters of a finished clustering.

Clusters keep their numbers, their centroids and the images that they have. An image joins the
cluster with the nearest centroid. If the method has a residual, an image that is further from
that centroid than every image of the cluster was when the clusters were found joins the residual.
Nothing depends on images that joined before, so the order in which images arrive does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import plural, warn
from ..rows import as_rows
from ..tables import keep_given, with_file
from ..wording import arg, verb

if TYPE_CHECKING:
    from ..embeddings.embeddings import Embeddings
    from .clustering import Clustering

#: Columns of images that a clustering without additions has as well, with their values there.
FIRST = {"added": False, "wave": 1}

#: Columns of images on their second-best clusters, which older versions did not have.
MEMBERSHIP = ("second_cluster", "margin")

#: Distance, relative to the length of a centroid, that rounding in float32 can leave.
_ROUNDING = 1e-6

#: Share of new images in the residual, beyond that of the clustered ones, that causes a warning.
_MANY_FAR = 0.2


def joined(clustering: Clustering, embeddings: Embeddings) -> Clustering:
    """The clustering with all images of ``embeddings``, which contain those it has already.

    Images come in the order of the embeddings, with the further columns that they have there.
    """
    before = clustering.images
    place = pd.Index(before["image_id"]).get_indexer(embeddings.images["image_id"])
    new = np.flatnonzero(place < 0)
    given = with_file(embeddings.images)
    ours = [name for name in _of_clustering(clustering) if name in before]
    given = keep_given(given, ours, verb("cluster_images"))
    found = before[ours].take(np.maximum(place, 0)).reset_index(drop=True)
    if len(new):
        cluster, found_there = _places(clustering, embeddings, new)
        of_cluster = clustering.clusters.set_index("cluster")
        values: dict[str, Any] = {
            "cluster": cluster,
            "iteration": of_cluster["iteration"].reindex(cluster).fillna(0).astype("int64"),
            **found_there,
            "added": True,
            "wave": int(before["wave"].max()) + 1,
        }
        if "cluster_name" in of_cluster:
            values["cluster_name"] = of_cluster["cluster_name"].reindex(cluster)
        for name in ours:
            # Silhouettes, and what a method computes for each image, belong to the first images.
            is_flag = pd.api.types.is_bool_dtype(found[name])
            value = values.get(name, False if is_flag else np.nan)
            found.loc[new, name] = np.asarray(value) if np.ndim(value) else value
    first = given[["image_id", "path", "file"]]
    last = [name for name in (*MEMBERSHIP, *FIRST) if name in found]
    images = first.join(found.drop(columns=last))
    images = images.assign(n_copies=given["n_copies"]).join(found[last])
    images = images.join(given[[name for name in given if name not in images]])
    _warn_of_far(images, new)
    return replace(clustering, images=images, clusters=counted(clustering.clusters, images))


def counted(clusters: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The table of clusters with the sizes that they have in a table of images."""
    numbers = clusters["cluster"]
    sizes = images["cluster"].value_counts()
    added = images["cluster"][images["added"]].value_counts()
    size = numbers.map(sizes).fillna(0).astype("int64")
    return clusters.assign(
        size=size,
        share=size / len(images),
        n_added=numbers.map(added).fillna(0).astype("int64"),
    )


def _of_clustering(clustering: Clustering) -> list[str]:
    """Columns of images that belong to the clustering; others come with the images."""
    known = ["cluster", "iteration", "silhouette", "distance", *MEMBERSHIP, *FIRST]
    of_method = {"hdbscan": ["probability", "outlier_score", "assigned"]}
    known += of_method.get(clustering.settings["method"], [])
    return known + ["cluster_name"] * ("cluster_name" in clustering.clusters)


def _places(
    clustering: Clustering, embeddings: Embeddings, new: NDArray[np.intp]
) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Cluster of each new image, -1 for the residual, and its distance and margin."""
    from .base import memberships, nearest_centroids, second_numbers

    rows = as_rows(embeddings.matrix[new], clustering.settings.get("normalize"))
    centroids = clustering.centroids
    nearest = nearest_centroids(rows, centroids)
    found = memberships(rows, centroids, nearest)
    second = found.second
    numbers = clustering.clusters["cluster"].to_numpy(dtype=np.int64)
    if has_residual(clustering.settings) and len(centroids):
        far = found.distances > reach(clustering)[nearest]
        second = np.where(far, nearest, second)
        nearest = np.where(far, -1, nearest)
        found.distances[far] = np.nan
        found.margins[far] = np.nan
    return np.append(numbers, -1)[nearest], {
        "distance": found.distances,
        "second_cluster": second_numbers(second, numbers),
        "margin": found.margins,
    }


def has_residual(settings: Mapping[str, Any]) -> bool:
    """Whether a method leaves images out that are in no cluster."""
    return settings["method"] != "kmeans" and settings.get("noise") != "nearest"


def reach(clustering: Clustering) -> NDArray[np.float64]:
    """The distance from each centroid up to which new images join.

    It is the largest distance of an image of the cluster from the mean of the *others*, since a
    new image, too, is no part of the mean. That distance is n / (n - 1) times the distance from
    the mean of all n images.
    """
    first = clustering.images[~clustering.images["added"]]
    distances = first.groupby("cluster")["distance"].agg(["max", "size"])
    distances = distances.reindex(clustering.clusters["cluster"])
    n = distances["size"].to_numpy(dtype=float)
    # Rounding must not part equal images.
    rounding = _ROUNDING * np.linalg.norm(clustering.centroids, axis=1)
    limit: NDArray[np.float64] = distances["max"].to_numpy() * n / np.maximum(n - 1, 1) + rounding
    return limit


def _warn_of_far(images: pd.DataFrame, new: NDArray[np.intp]) -> None:
    """Warn if far more of the new images are residual than of those that were clustered."""
    far = images["cluster"] == -1
    usual = far[~images["added"]].mean()
    n_far = int(far.iloc[new].sum())
    if len(new) and n_far / len(new) > usual + _MANY_FAR:
        warn(
            f"{n_far:,} of {plural(len(new), 'new image')} are far from all clusters and are in "
            f"the residual: they may show new topics. {arg('recluster', True)} clusters all "
            "images anew."
        )
