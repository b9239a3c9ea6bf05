"""Clusters that were found anew get the numbers and names of those they overlap most."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from .clustering import Clustering

#: Columns of :attr:`Clustering.renumbered`.
RENUMBERED = {
    "cluster_before": "Int64", "cluster": "Int64", "n_shared": "int64", "share_before": "float64",
    "share": "float64", "jaccard": "float64", "carried": "bool",
}  # fmt: skip

#: Share of either cluster that two of them must have in common to be the same cluster.
_MOST = 0.5


def overlap_table(
    before: pd.DataFrame | None = None, after: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The overlap of earlier and later clusters, with fixed column types, also without rows.

    Parameters
    ----------
    before, after : DataFrame
        ``image_id`` and ``cluster`` of the images of each clustering.

    Returns
    -------
    DataFrame
        One row per pair of clusters that share images, the residual (-1) among them, by earlier
        cluster; clusters without a shared image have a row with the other one missing.
    """
    if before is None or after is None:
        return pd.DataFrame(columns=list(RENUMBERED)).astype(RENUMBERED)
    both = before.merge(after, on="image_id", suffixes=("_before", ""))
    table = both.groupby(["cluster_before", "cluster"]).size().rename("n_shared").reset_index()
    sizes = [one["cluster"].value_counts() for one in (before, after)]
    first = table["cluster_before"].map(sizes[0])
    second = table["cluster"].map(sizes[1])
    table["share_before"] = table["n_shared"] / first
    table["share"] = table["n_shared"] / second
    table["jaccard"] = table["n_shared"] / (first + second - table["n_shared"])
    alone = [
        pd.DataFrame({name: sorted({*size.index} - {*table[name]})})
        for name, size in zip(("cluster_before", "cluster"), sizes, strict=True)
    ]
    table = pd.concat([table.astype(float), *alone], ignore_index=True)
    numbers = ["n_shared", "share_before", "share", "jaccard"]
    table[numbers] = table[numbers].fillna(0)
    table["carried"] = False
    # Clusters by number, the residual last.
    last = [table[name].where(table[name] > 0) for name in ("cluster_before", "cluster")]
    order = np.lexsort((-table["n_shared"], last[1], last[0]))
    return table.iloc[order][list(RENUMBERED)].astype(RENUMBERED).reset_index(drop=True)


def partners(table: pd.DataFrame) -> dict[int, int]:
    """The earlier cluster of each later one that is the same.

    The pairs are those with the most shared images in all, each cluster in at most one pair
    (the Hungarian method; Kuhn 1955). A pair counts if it shares at least half of the images of
    either cluster.
    """
    from scipy.optimize import linear_sum_assignment

    inside = table[(table["cluster_before"] > 0) & (table["cluster"] > 0)]
    if inside.empty:
        return {}
    shared = inside.pivot(index="cluster_before", columns="cluster", values="n_shared").fillna(0)
    rows, columns = linear_sum_assignment(shared.to_numpy(dtype=float), maximize=True)
    numbers = shared.index[rows].astype(int), shared.columns[columns].astype(int)
    pairs = {*zip(*numbers, strict=True)}
    most = inside[inside[["share_before", "share"]].max(axis=1) >= _MOST]
    found = zip(most["cluster_before"].astype(int), most["cluster"].astype(int), strict=True)
    return {after: before for before, after in found if (before, after) in pairs}


def renumbered(clustering: Clustering, before: pd.DataFrame, highest: int) -> Clustering:
    """The clustering with the numbers and names of the clusters that it replaces.

    Parameters
    ----------
    clustering : Clustering
    before : DataFrame
        ``image_id``, ``cluster`` and possibly ``cluster_name`` of the images before.
    highest : int
        The highest number that a cluster ever had. Clusters without a partner get higher ones, by
        size.
    """
    known = ["image_id", "cluster"]
    found = partners(overlap_table(before[known], clustering.images[known]))
    fresh = [number for number in clustering.clusters["cluster"] if number not in found]
    numbers = found | {number: highest + i for i, number in enumerate(fresh, 1)} | {-1: -1}
    images = clustering.images.assign(cluster=clustering.images["cluster"].map(numbers))
    if "second_cluster" in images:
        images["second_cluster"] = images["second_cluster"].map(numbers).astype("Int64")
    clusters = clustering.clusters.assign(cluster=clustering.clusters["cluster"].map(numbers))
    if "cluster_name" in before:
        names = before.drop_duplicates("cluster").set_index("cluster")["cluster_name"]
        names = names[names.index.isin([*found.values()])]
        clusters.insert(1, "cluster_name", clusters["cluster"].map(names))
        images["cluster_name"] = images["cluster"].map(names)
    order = np.argsort(clusters["cluster"].to_numpy(), kind="stable")
    table = overlap_table(before[known], images[known])
    same = table["cluster_before"] == table["cluster"]
    table["carried"] = same.fillna(False).astype(bool) & table["cluster"].isin([*found.values()])
    return replace(
        clustering,
        images=images,
        clusters=clusters.iloc[order].reset_index(drop=True),
        centroids=clustering.centroids[order],
        renumbered=table,
        settings=clustering.settings | {"highest_number": max(highest, *numbers.values())},
    )
