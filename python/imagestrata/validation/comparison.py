"""Comparison of several clusterings of one corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from ..clustering.named import names_of
from ..errors import ImagestrataError, plural
from ..shown import Part, Shown
from ..validate import check_choice, check_residual
from ..verbs import public, suggest
from ..wording import Name, arg, quote, verb
from .labels import MEASURES, classes_of, clusters_of, groups_of, is_residual, score_by_labels


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """Agreement of several clusterings of one corpus.

    Attributes
    ----------
    pairs : DataFrame
        One row per pair of clusterings: ``a``, ``b``, ``n_images`` (that
        count), ``adjusted_rand``, ``normalized_mutual_info`` (by the arithmetic
        mean of the entropies) and ``adjusted_mutual_info``.
    flows : DataFrame
        Images that two clusters have in common. One row per pair of clusterings and
        pair of clusters that share an image: ``a``, ``b``, ``cluster_a``,
        ``cluster_b``, ``n`` images, ``share_a`` and ``share_b`` (``n`` as a share of
        either cluster). The largest clusters come first, the residual (-1) last, as one
        cluster. Clusters are numbers, or all text if one clustering has text. If a clustering
        has names, also ``cluster_name_a`` and ``cluster_name_b``.
    summary : DataFrame
        One row per clustering: ``clustering`` (its name), ``n_images``,
        ``n_left_out`` (images that another clustering lacks), ``n_clusters``,
        ``n_residual``, ``share_residual`` and ``share_largest`` (share of the images in
        the largest cluster). With ``truth`` also ``n_labelled`` (images that count),
        and the measures of :func:`score_clustering`: ``precision``, ``recall``,
        ``f1``, ``mean_pr``, ``bcubed_precision``, ``bcubed_recall``,
        ``bcubed_f1``, ``adjusted_rand`` and ``adjusted_mutual_info``.
    settings : dict
        ``residual`` and ``images``, as given.
    """

    pairs: pd.DataFrame
    flows: pd.DataFrame
    summary: pd.DataFrame
    settings: dict[str, Any]

    def _parts(self) -> list[Part]:
        n = self.summary["n_images"].iloc[0]
        return [
            f"Comparison of {plural(len(self.summary), 'clustering')} of {plural(n, 'image')}",
            (self.summary.round(3), "clustering"),
            (self.pairs.round(3), "pair"),
        ]


@public
def compare_clusterings(
    *several: Any,
    truth: Any = None,
    residual: str = "alone",
    images: str = "same",
    **clusterings: Any,
) -> Comparison:
    """Compare clusterings of the same images with each other.

    Parameters
    ----------
    *several, **clusterings : Clustering, DataFrame, mapping, or array-like of shape (n_images,)
        Two or more clusterings, preferably with names; otherwise they are called "1", "2",
        ... A clustering is the result of :func:`cluster_images`; a table with ``image_id`` and
        ``cluster``; a dictionary from images to clusters; a Series whose index names the
        images; or one cluster per image, in the order of the first clustering that has ids.
        Several Series without any ids are matched by their indices. Clusters are numbers, -1
        for the residual, or text, such as your own categories. Give a dictionary of
        clusterings as ``compare_clusterings(**named)``.
    truth : array-like of shape (n_images,), Series, dict, DataFrame, or str; optional
        True classes, for the measures of :func:`score_clustering`: labels in the order
        of the first clustering, labels by image as above, a table with ``image_id`` and
        ``label``, or the name of a column of the first clustering's images. Images without
        a label are left out.
    residual : {"alone", "drop"}, default "alone"
        Treatment of images that belong to no cluster (-1). ``"alone"``: each counts
        as a cluster of its own, so that a clustering does not gain by leaving out difficult
        images. ``"drop"``: two clusterings are compared on the images that are in clusters
        of both; the measures against ``truth`` then describe the images in clusters. The
        table of flows always contains all images.
    images : {"same", "common"}, default "same"
        Treatment of clusterings with different images. ``"same"`` raises an error.
        ``"common"`` compares the images that are in all clusterings, for instance if
        some images could not be described.

    Returns
    -------
    Comparison
        Tables of pairs of clusterings, of pairs of clusters, and of clusterings.

    Raises
    ------
    ImagestrataError
        If fewer than two clusterings are given, an image has two clusters or none, the
        clusterings have different images, ``truth`` fits none of the images, or a Series
        is not in order and does not name the images.

    Notes
    -----
    The adjusted Rand index and the adjusted mutual information are 0 for chance
    agreement and 1 for identical groups, whatever their names. The first counts pairs of
    images and therefore depends mostly on large clusters; the second depends more on small
    ones. The normalized mutual information is common in the literature, but increases with
    the number of clusters by chance alone.

    Examples
    --------
    >>> from imagestrata import compare_clusterings
    >>> found = compare_clusterings(first=[1, 1, 2, 2, -1], second=[1, 1, 1, 2, 2])
    >>> found.flows[["cluster_a", "cluster_b", "n"]].values.tolist()
    [[1, 1, 2], [2, 1, 1], [2, 2, 1], [-1, 2, 1]]
    """
    residual = check_residual(residual, "alone", "drop")
    images = check_choice("images", images, ("same", "common"))
    clusterings = _named(several, clusterings)
    labels = clusters_of(clusterings)
    given = {name: len(one) for name, one in labels.items()}
    common = _common_images(labels, images)
    classes = None if truth is None else classes_of(truth, labels, clusterings, common)
    labels = {name: one.loc[common] for name, one in labels.items()}

    summary = [
        _describe(name, one, given[name] - len(common), classes, residual)
        for name, one in labels.items()
    ]
    couples = list(combinations(labels, 2))
    flows = pd.concat([_flows(a, b, labels) for a, b in couples], ignore_index=True)
    return Comparison(
        pairs=pd.DataFrame([_agreement(a, b, labels, residual) for a, b in couples]),
        flows=_with_names(_as_one_kind(flows), clusterings),
        summary=pd.DataFrame(summary),
        settings={"residual": residual, "images": images},
    )


def _named(several: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """All clusterings by name, in the given order."""
    found = {str(place): one for place, one in enumerate(several, start=1)}
    for name, given in named.items():
        meant = suggest(name, ("truth", "residual", "images"))
        images = getattr(given, "images", given)
        if meant and "cluster" not in getattr(images, "columns", ()):
            raise ImagestrataError(
                f"{verb('compare_clusterings')} has no argument {quote(name)}.",
                f"{meant} If it is a clustering, give it another name.",
                code="unknown_argument",
            )
        if name in found:
            raise ImagestrataError(
                f"Two clusterings are called {quote(name)}.", "Give all of them names."
            )
        found[name] = given
    if len(found) < 2:
        raise ImagestrataError(
            f"Two or more clusterings are needed, not {len(found)}.",
            "For instance "
            f"{verb('compare_clusterings', first=Name('topics'), second=Name('others'))}.",
        )
    return found


def _common_images(labels: Mapping[str, pd.Series[Any]], images: str) -> pd.Index[Any]:
    """The images that all clusterings have, in the order of the first."""
    first, *others = labels
    common = labels[first].index
    for name in others:
        common = common[common.isin(labels[name].index)]
    if not len(common):
        raise ImagestrataError(
            f"No image is in all of the clusterings {', '.join(labels)}.",
            "Clusterings of one corpus have the same image_id.",
        )
    if images == "same":
        for name, one in labels.items():
            if len(one) > len(common):
                raise ImagestrataError(
                    "The clusterings are not of the same images: "
                    + ", ".join(f"{quote(n)} has {len(o)}" for n, o in labels.items())
                    + f", and {len(common)} are in all; {quote(name)} has "
                    f"{quote(one.index.difference(common, sort=False)[0])}, which others lack.",
                    f"Use {arg('images', 'common')} to compare the images that are in all.",
                )
    return common


def _describe(
    name: str,
    clusters: pd.Series[Any],
    n_left_out: int,
    classes: pd.Series[Any] | None,
    residual: str,
) -> dict[str, Any]:
    """The row of one clustering in the summary."""
    alone = is_residual(clusters)
    sizes = clusters[~alone].value_counts()
    row = {
        "clustering": name,
        "n_images": len(clusters),
        "n_left_out": n_left_out,
        "n_clusters": len(sizes),
        "n_residual": int(alone.sum()),
        "share_residual": float(alone.mean()),
        "share_largest": float(sizes.max() / len(clusters)) if len(sizes) else 0.0,
    }
    if classes is None:
        return row
    scores = score_by_labels(clusters, classes, residual).set_index("measure")
    row["n_labelled"] = int(scores["n_images"].iloc[0])
    return row | {measure: float(scores["estimate"][measure]) for measure in MEASURES}


def _agreement(
    a: str, b: str, labels: Mapping[str, pd.Series[Any]], residual: str
) -> dict[str, Any]:
    """The row of two clusterings in the table of pairs."""
    from sklearn.metrics import (
        adjusted_mutual_info_score,
        adjusted_rand_score,
        normalized_mutual_info_score,
    )

    one, other = labels[a], labels[b]
    if residual == "drop":
        both = ~is_residual(one) & ~is_residual(other)
        one, other = one[both], other[both]
    row: dict[str, Any] = {"a": a, "b": b, "n_images": len(one)}
    codes = groups_of(one), groups_of(other)
    measures = {
        "adjusted_rand": adjusted_rand_score,
        "normalized_mutual_info": normalized_mutual_info_score,
        "adjusted_mutual_info": adjusted_mutual_info_score,
    }
    for name, measure in measures.items():
        row[name] = float(measure(*codes)) if len(one) else float("nan")
    return row


def _flows(a: str, b: str, labels: Mapping[str, pd.Series[Any]]) -> pd.DataFrame:
    """Images in each cluster of one clustering and each of another."""
    both = pd.DataFrame({"cluster_a": labels[a], "cluster_b": labels[b]})
    flows = both.value_counts().rename("n").reset_index()
    for side in ("a", "b"):
        sizes = flows.groupby(f"cluster_{side}")["n"].transform("sum")
        flows[f"share_{side}"] = flows["n"] / sizes
        # The largest first, the residual last.
        flows[f"_last_{side}"] = is_residual(flows[f"cluster_{side}"])
        flows[f"_size_{side}"] = -sizes
    flows["_n"] = -flows["n"]
    order = ["_last_a", "_size_a", "cluster_a", "_n", "_last_b", "_size_b", "cluster_b"]
    flows = flows.sort_values(order, ignore_index=True).assign(a=a, b=b)
    return flows[["a", "b", "cluster_a", "cluster_b", "n", "share_a", "share_b"]]


def _with_names(flows: pd.DataFrame, clusterings: Mapping[str, Any]) -> pd.DataFrame:
    """The flows with the names of clusters, if any of the clusterings has names."""
    tables = {name: getattr(given, "images", given) for name, given in clusterings.items()}
    named = {
        name: {str(one).removesuffix(".0"): text for one, text in names_of(images).items()}
        for name, images in tables.items()
        if isinstance(images, pd.DataFrame)
    }
    if not any(named.values()):
        return flows
    for side in ("b", "a"):
        which = zip(flows[side], flows[f"cluster_{side}"].astype(str), strict=True)
        texts = [named.get(name, {}).get(number) for name, number in which]
        column = pd.Series(texts, flows.index, dtype="str")
        flows.insert([*flows].index("cluster_b") + 1, f"cluster_name_{side}", column)
    return flows


def _as_one_kind(flows: pd.DataFrame) -> pd.DataFrame:
    """Clusters as text if any of them is text."""
    columns = ["cluster_a", "cluster_b"]
    if all(pd.api.types.is_integer_dtype(flows[column]) for column in columns):
        return flows
    return flows.assign(**{column: flows[column].astype(str) for column in columns})
