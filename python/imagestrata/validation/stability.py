"""Stability of a clustering when it is fitted again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.base import ClusterEstimator
from ..clustering.cluster import METHODS, make_estimator
from ..clustering.clustering import Clustering, check_clustering
from ..clustering.named import with_names
from ..embeddings.embeddings import Embeddings
from ..embeddings.inputs import as_embeddings
from ..errors import ImagestrataError, plural, warn
from ..progress import Progress, track
from ..shown import Part, Shown
from ..validate import check_float, check_int, check_seed
from ..verbs import public
from ..wording import arg, verb
from .labels import groups_of, measure_groups

#: Hennig (2007): clusters with a mean Jaccard below .5 are dissolved, from .75 stable.
DISSOLVED, STABLE = 0.5, 0.75


@dataclass(frozen=True, eq=False, repr=False)
class Stability(Shown):
    """Stability of clusters over refits.

    Attributes
    ----------
    clusters : DataFrame
        One row per cluster and kind of refit: cluster, size, kind ("seed" or
        "subsample"), jaccard (mean over refits), jaccard_low (its 5% quantile),
        share_recovered (share of the refits with a Jaccard of .75 or more) and
        share_dissolved (share with .5 or less).
    refits : DataFrame
        One row per refit: kind, refit (from 1), n_images, n_clusters,
        share_residual, and the adjusted_rand and adjusted_mutual_info with the
        clustering, on the images of the refit.
    """

    clusters: pd.DataFrame
    refits: pd.DataFrame

    @property
    def summary(self) -> pd.DataFrame:
        """One row per kind: n_refits, adjusted_rand (mean), share_stable, share_dissolved.

        The last two are shares of clusters by their mean Jaccard.
        """
        by_kind = self.clusters.groupby("kind", sort=False)["jaccard"]
        refits = self.refits.groupby("kind", sort=False)
        return pd.DataFrame(
            {
                "n_refits": refits.size(),
                "adjusted_rand": refits["adjusted_rand"].mean(),
                "share_stable": by_kind.agg(lambda jaccard: (jaccard >= STABLE).mean()),
                "share_dissolved": by_kind.agg(lambda jaccard: (jaccard <= DISSOLVED).mean()),
            }
        ).reset_index()

    def _parts(self) -> list[Part]:
        return [
            f"Stability of {plural(self.clusters['cluster'].nunique(), 'cluster')}",
            (self.summary, "kind"),
            "Least stable clusters",
            (self.clusters.sort_values("jaccard"), "row"),
        ]


@public
def cluster_stability(
    clustering: Clustering,
    embeddings: Any,
    *,
    n_refits: int = 20,
    subsample: float = 0.8,
    seed: int = 0,
    progress: Progress = True,
) -> Stability:
    """Fit a clustering again, with other seeds and without some images, and compare.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images`; its settings are used again.
    embeddings : Embeddings, or vectors
        The vectors that were clustered.
    n_refits : int, default 20
        Number of refits of each kind: to all images with other seeds, and to random
        subsets with other seeds.
    subsample : float, default 0.8
        Share of the images in a subset.
    seed : int, default 0
        Seed of the refits and the subsets.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`; counts refits.

    Returns
    -------
    Stability
        Tables of clusters and of refits.

    Raises
    ------
    ImagestrataError
        If the clustering has no cluster, the embeddings are not of its images,
        or a subset would be too small.

    Warns
    -----
    UserWarning
        If clusters were edited, since refits are not.

    Notes
    -----
    A cluster is compared with the most similar cluster of the refit by the Jaccard
    coefficient: the images in both as a share of the images in either (Hennig 2007). That
    article calls clusters with a mean of .75 or more stable, and with .5 or less dissolved.
    For subsets only their images count. The residual is not a cluster; in the adjusted
    Rand index each of its images is a cluster of its own.

    A stable clustering can be wrong in the same way every time. But do not interpret
    clusters that are not recovered.
    """
    given = as_embeddings(embeddings)
    n_refits = check_int("n_refits", n_refits, minimum=1)
    subsample = check_float("subsample", subsample, minimum=0.05, maximum=0.99)
    seed = check_seed(seed)
    labels = labels_for(clustering, given)
    if (clustering.edits["applied"] & (clustering.edits["action"] != "name")).any():
        warn(
            "The clusters were edited, and refits are not: each edited cluster is compared with "
            "the most similar one that the method finds."
        )
    n = len(labels)
    n_drawn = round(subsample * n)
    if n_drawn < 2:
        raise ImagestrataError(
            f"{arg('subsample', subsample)} of {plural(n, 'image')} leaves {n_drawn}.",
            f"Give a larger {arg('subsample')}, or more images.",
        )

    refits, overlaps = [], []
    with track(progress, "Refitting", 2 * n_refits) as advance:
        for kind in ("seed", "subsample"):
            for refit in range(1, n_refits + 1):
                rng = np.random.default_rng([seed, refit])
                estimator = _estimator(clustering, int(rng.integers(2**31)))
                rows = np.arange(n)
                if kind == "subsample":
                    rows = np.sort(rng.choice(n, n_drawn, replace=False))
                estimator.fit(given.matrix[rows])
                refits.append((kind, refit, *_compare(labels[rows], estimator.labels_)))
                overlaps.append(best_jaccards(labels[rows], estimator.labels_, labels.max() + 1))
                advance()
    columns = ["kind", "refit", "n_images", "n_clusters", "share_residual"]
    columns += ["adjusted_rand", "adjusted_mutual_info"]
    table = pd.DataFrame(refits, columns=columns)
    clusters = _clusters(labels, table["kind"], np.array(overlaps))
    numbers = clustering.clusters["cluster"].to_numpy()
    clusters["cluster"] = numbers[clusters["cluster"]]
    return Stability(with_names(clusters, clustering.clusters), table)


def best_jaccards(
    labels: NDArray[np.intp], others: NDArray[np.intp], n_clusters: int
) -> NDArray[np.float64]:
    """Jaccard coefficient of each cluster with the most similar of the others.

    NaN for clusters without an image here, 0 if the others have no cluster.
    """
    n_others = int(others.max(initial=-1)) + 1
    inside = labels >= 0
    sizes = np.bincount(labels[inside], minlength=n_clusters)
    both = inside & (others >= 0)
    codes = labels[both] * max(n_others, 1) + others[both]
    joint = np.bincount(codes, minlength=n_clusters * max(n_others, 1))
    joint = joint.reshape(n_clusters, max(n_others, 1))
    other_sizes = np.bincount(others[others >= 0], minlength=max(n_others, 1))
    union = sizes[:, None] + other_sizes - joint
    best: NDArray[np.float64] = (joint / np.maximum(union, 1)).max(axis=1)
    return np.where(sizes > 0, best, np.nan)


def labels_for(clustering: Any, embeddings: Embeddings) -> NDArray[np.intp]:
    """Place in the table of clusters (-1 residual) of each row of the clustered embeddings."""
    check_clustering(clustering)
    ids = pd.Index(clustering.images["image_id"])
    rows = ids.get_indexer(embeddings.images["image_id"])
    known = int((rows >= 0).sum())
    if known < len(rows) or len(rows) < len(ids):
        raise ImagestrataError(
            f"The clustering is of {plural(len(ids), 'image')}, the embeddings are of "
            f"{len(rows)}, and {known} are in both.",
            "Give the embeddings that were clustered.",
        )
    if clustering.clusters.empty:
        raise ImagestrataError("The clustering has no cluster.")
    clusters = clustering.images["cluster"].to_numpy()[rows]
    places: NDArray[np.intp] = pd.Index(clustering.clusters["cluster"]).get_indexer(clusters)
    return places


def _estimator(clustering: Clustering, seed: int) -> ClusterEstimator:
    method = clustering.settings["method"]
    if method not in METHODS:
        raise ImagestrataError(
            "The clusters were given as labels, so that there is no method to fit them again."
            if method == "labels"
            else "The clusters were made by a method of your own, which cannot be repeated here.",
            f"Fit them again yourself, and compare with {verb('compare_clusterings')}.",
        )
    known = METHODS[method]().get_params()
    settings = {name: value for name, value in clustering.settings.items() if name in known}
    # A clustering of an earlier version had no neighbourhood step.
    settings.setdefault("neighbors", None)
    return make_estimator(method, None, settings, seed)


def _compare(
    labels: NDArray[np.intp], others: NDArray[np.intp]
) -> tuple[int, int, float, float, float]:
    scores = measure_groups(groups_of(pd.Series(others)), groups_of(pd.Series(labels)))
    return (
        len(labels),
        int(others.max(initial=-1)) + 1,
        float((others < 0).mean()),
        scores["adjusted_rand"],
        scores["adjusted_mutual_info"],
    )


def _clusters(
    labels: NDArray[np.intp], kinds: pd.Series[Any], overlaps: NDArray[np.float64]
) -> pd.DataFrame:
    """The stability of each cluster over the refits of each kind."""
    sizes = np.bincount(labels[labels >= 0])
    tables = []
    for kind in kinds.unique():
        jaccard = pd.DataFrame(overlaps[(kinds == kind).to_numpy()])
        counted = jaccard.count()
        tables.append(
            pd.DataFrame(
                {
                    "cluster": np.arange(len(sizes)),
                    "size": sizes,
                    "kind": kind,
                    "jaccard": jaccard.mean(),
                    "jaccard_low": jaccard.quantile(0.05),
                    "share_recovered": (jaccard >= STABLE).sum() / counted,
                    "share_dissolved": (jaccard <= DISSOLVED).sum() / counted,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
