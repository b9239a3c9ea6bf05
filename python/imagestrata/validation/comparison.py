"""Several clusterings of one corpus, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.clustering import Clustering
from ..errors import ImagestrataError, plural
from ..names import Images
from ..shown import Part, Shown
from ..tables import id_texts, with_text_ids
from ..validate import check_choice, check_residual, check_unmasked, columns_of
from ..verbs import public
from ..wording import Name, arg, kind_of, quote, verb
from .labels import score_labels

#: What of :func:`score_labels` the summary shows, where the true classes are known.
_MEASURES = (
    "precision", "recall", "f1", "bcubed_precision", "bcubed_recall", "bcubed_f1",
    "adjusted_rand", "adjusted_mutual_info",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """How far several clusterings of one corpus agree.

    Attributes
    ----------
    pairs : DataFrame
        One row per pair of clusterings: ``a``, ``b``, ``n_images`` (those that
        count), ``adjusted_rand``, ``normalized_mutual_info`` (by the arithmetic
        mean of the entropies) and ``adjusted_mutual_info``.
    flows : DataFrame
        Where images of one cluster are in the other clustering. One row per
        pair of clusterings and pair of clusters that share an image: ``a``,
        ``b``, ``cluster_a``, ``cluster_b``, ``n`` images, ``share_a`` and
        ``share_b`` (``n`` of the images in either cluster). The largest clusters
        come first, the residual (-1) last; it is one row here. Clusters are
        numbers, or all of them text if one clustering has text.
    summary : DataFrame
        One row per clustering: ``clustering`` (its name), ``n_images``,
        ``n_left_out`` (images that others lack), ``n_clusters``, ``n_residual``,
        ``share_residual`` and ``share_largest`` (of the images, the largest
        cluster). With ``truth`` also ``n_labelled`` (images that count),
        ``precision``, ``recall`` and ``f1`` over pairs of images,
        ``bcubed_precision``, ``bcubed_recall``, ``bcubed_f1``,
        ``adjusted_rand`` and ``adjusted_mutual_info``, as :func:`score_labels`
        has them.
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
    *, truth: Any = None, residual: str = "alone", images: str = "same", **clusterings: Any
) -> Comparison:
    """Compare clusterings of the same images with each other.

    Parameters
    ----------
    truth : array-like of shape (n_images,), DataFrame, or str; optional
        True classes, for the measures of :func:`score_labels`: labels in the order
        of the first clustering, a table with ``image_id`` and ``label``, or the name
        of a column of the first clustering's images. Missing labels are left out.
    residual : {"alone", "drop"}, default "alone"
        What becomes of images that belong to no cluster (-1). ``"alone"``: each counts
        as a cluster of its own, so that a clustering cannot gain by dropping what
        is difficult. ``"drop"``: a pair of clusterings is compared on the
        images that are in clusters of both, which says how far they agree where
        both commit themselves; the measures against ``truth`` are then of the
        images in clusters. The table of flows always has all images.
    images : {"same", "common"}, default "same"
        What if clusterings are not of the same images. ``"same"``: an error.
        ``"common"``: the images that all clusterings have are compared, as
        where some images could not be described.
    **clusterings : Clustering, DataFrame, mapping, or array-like of shape (n_images,)
        Two or more clusterings by name: what :func:`cluster_images` returned; a table
        with ``image_id`` and ``cluster``; clusters by image_id; or one cluster per
        image, in the order of the first clustering that has ids (a Series counts
        as such, whatever its index). Clusters are numbers, -1 for the residual, or text,
        such as categories of yours. Of a dictionary: ``compare_clusterings(**several)``.

    Returns
    -------
    Comparison
        Tables of pairs of clusterings, of pairs of clusters, and of clusterings;
        :func:`plot_comparison` draws them.

    Raises
    ------
    ImagestrataError
        If fewer than two are given, an image has two clusters or none, the
        clusterings are of other images, or ``truth`` fits none of them.

    Notes
    -----
    The adjusted Rand index and the adjusted mutual information are 0 for chance
    and 1 for the same groups, whatever their names. The first weighs pairs of images,
    and so is governed by large clusters; the second is fairer to small ones. The
    normalized mutual information is what much of the literature reports, but grows with the
    number of clusters by chance alone.

    Examples
    --------
    >>> from imagestrata import compare_clusterings
    >>> found = compare_clusterings(first=[1, 1, 2, 2, -1], second=[1, 1, 1, 2, 2])
    >>> found.flows[["cluster_a", "cluster_b", "n"]].values.tolist()
    [[1, 1, 2], [2, 1, 1], [2, 2, 1], [-1, 2, 1]]
    """
    residual = check_residual(residual, "alone", "drop")
    images = check_choice("images", images, ("same", "common"))
    if len(clusterings) < 2:
        raise ImagestrataError(
            f"Two or more clusterings are needed, and {len(clusterings)} came.",
            "Name them: "
            f"{verb('compare_clusterings', first=Name('topics'), second=Name('others'))}.",
        )
    labels = _labels_of(clusterings)
    given = {name: len(one) for name, one in labels.items()}
    common = _common_images(labels, images)
    classes = None if truth is None else _truth(truth, labels, clusterings, common)
    labels = {name: one.loc[common] for name, one in labels.items()}

    summary = [
        _describe(name, one, given[name] - len(common), classes, residual)
        for name, one in labels.items()
    ]
    couples = list(combinations(labels, 2))
    return Comparison(
        pairs=pd.DataFrame([_agreement(a, b, labels, residual) for a, b in couples]),
        flows=_as_one_kind(
            pd.concat([_flows(a, b, labels) for a, b in couples], ignore_index=True)
        ),
        summary=pd.DataFrame(summary),
        settings={"residual": residual, "images": images},
    )


def is_residual(clusters: pd.Series[Any]) -> pd.Series[bool]:
    """Which of the clusters, numbers or text, mark the residual."""
    return clusters.astype(str) == "-1"


def _labels_of(clusterings: Mapping[str, Any]) -> dict[str, pd.Series[Any]]:
    """The cluster of each image by ``image_id``, of each clustering."""
    found = {name: _with_ids(name, one) for name, one in clusterings.items()}
    ids = next((one.index for one in found.values() if one is not None), None)
    for name, one in clusterings.items():
        if found[name] is None:
            found[name] = _by_position(quote(name), one, ids)
            ids = found[name].index  # type: ignore[union-attr]
    return {name: _checked(name, one) for name, one in found.items() if one is not None}


def _with_ids(name: str, given: Any) -> pd.Series[Any] | None:
    """Clusters by ``image_id``, or None where no ids came along."""
    table = given.images if isinstance(given, Clustering) else given
    if isinstance(table, pd.DataFrame):
        return _column(quote(name), table, "cluster")
    if isinstance(given, Mapping):
        return pd.Series(list(given.values()), index=list(map(str, given)))
    return None


def _column(what: str, table: pd.DataFrame, column: str) -> pd.Series[Any]:
    if not {"image_id", column} <= {*table}:
        raise ImagestrataError(
            f"{what} must have the columns image_id and {column}; {columns_of(table)}.",
            f"Rename the column that holds them to {quote(column)}.",
        )
    return with_text_ids(table).set_index("image_id")[column]


def _by_position(what: str, values: Any, ids: pd.Index[Any] | None) -> pd.Series[Any]:
    """Values that came without ids, one per image."""
    check_unmasked(what, values)
    column = np.asarray(values)
    if column.ndim != 1 or not len(column):
        raise ImagestrataError(
            f"{what} must be a clustering, a table with image_id, or one value per image, "
            f"not {kind_of(values)} of shape {column.shape}."
        )
    if ids is None:
        ids = pd.RangeIndex(len(column))
    if len(column) != len(ids):
        raise ImagestrataError(
            f"{what} has {plural(len(column), 'value')} for {plural(len(ids), 'image')}.",
            "Give one per image, in the order of the first clustering, or a table with image_id.",
        )
    return pd.Series(column, index=ids)


def _checked(name: str, clusters: pd.Series[Any]) -> pd.Series[Any]:
    """Whole numbers or text, one for each image."""
    missing = int(clusters.isna().sum())
    if missing:
        raise ImagestrataError(
            f"{missing} of {plural(len(clusters), 'image')} in {quote(name)} have no cluster.",
            "Images of the residual have the cluster -1.",
        )
    _check_unique(quote(name), clusters)
    if not pd.api.types.is_numeric_dtype(clusters) or clusters.dtype == bool:
        return clusters.astype(str)
    broken = clusters[clusters % 1 != 0]
    if len(broken):
        raise ImagestrataError(
            f"Clusters must be whole numbers or text; {quote(name)} has {quote(broken.iloc[0])}."
        )
    return clusters.astype(np.int64)


def _check_unique(what: str, values: pd.Series[Any]) -> None:
    twice = values.index[values.index.duplicated()]
    if len(twice):
        raise ImagestrataError(
            f"{what} has {plural(len(twice.unique()), 'image')} more than once, {quote(twice[0])} "
            "for one.",
            "Leave one row for each image.",
        )


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
                    + f", and {len(common)} are in all; of {quote(name)} "
                    f"{quote(one.index.difference(common, sort=False)[0])} is not.",
                    f"Compare the images that all have with {arg('images', 'common')}.",
                )
    return common


def _truth(
    truth: Any,
    labels: Mapping[str, pd.Series[Any]],
    clusterings: Mapping[str, Any],
    common: pd.Index[Any],
) -> pd.Series[Any]:
    """True class of the images that have one."""
    first = next(iter(clusterings))
    if isinstance(truth, str):
        table = getattr(clusterings[first], "images", clusterings[first])
        if not isinstance(table, pd.DataFrame) or truth not in table:
            raise ImagestrataError(
                f"{arg('truth')} is {quote(truth)}, which is no column of the images of "
                f"{quote(first)}: {columns_of(table)}.",
                "Name a column of the first clustering, or give a table with image_id and label.",
            )
        found = _column(quote(first), table, truth)
    elif isinstance(truth, pd.DataFrame):
        found = _classes(truth, getattr(clusterings[first], "images", clusterings[first]))
    else:
        found = _by_position(arg("truth"), truth, labels[first].index)
    _check_unique(arg("truth"), found)
    known = found.dropna().astype(str)
    known = known[known.index.isin(common)]
    if known.empty:
        raise ImagestrataError(
            f"{arg('truth')} has {plural(int(found.notna().sum()), 'label')}, none of them of the "
            f"{plural(len(common), 'image')} compared.",
            "Labels must have the same image_id as the clusterings.",
        )
    return known


def _classes(truth: pd.DataFrame, images: Any) -> pd.Series[Any]:
    """The column ``label`` by ``image_id``, of a table that names images as people do."""
    if not isinstance(images, pd.DataFrame) or "label" not in truth:
        return _column(arg("truth"), truth, "label")
    known = Images(images)
    rows = known.rows_of(truth, arg("truth"))
    known.report(truth, rows, arg("truth"))
    ids = id_texts(images["image_id"]).to_numpy()
    return pd.Series(truth["label"].to_numpy()[rows >= 0], index=ids[rows[rows >= 0]])


def _describe(
    name: str,
    clusters: pd.Series[Any],
    n_left_out: int,
    classes: pd.Series[Any] | None,
    residual: str,
) -> dict[str, Any]:
    """The row of the summary."""
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
    counted = clusters.loc[classes.index]
    if residual == "drop":
        counted = counted[~is_residual(counted)]
    row["n_labelled"] = len(counted)
    if counted.empty:
        return row | dict.fromkeys(_MEASURES, float("nan"))
    codes = np.where(is_residual(counted), -1, pd.factorize(counted)[0])
    scores = score_labels(codes, classes.loc[counted.index]).set_index("measure")["estimate"]
    return row | {measure: float(scores[measure]) for measure in _MEASURES}


def _agreement(
    a: str, b: str, labels: Mapping[str, pd.Series[Any]], residual: str
) -> dict[str, Any]:
    """The row of two clusterings."""
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
    codes = _groups(one), _groups(other)
    measures = {
        "adjusted_rand": adjusted_rand_score,
        "normalized_mutual_info": normalized_mutual_info_score,
        "adjusted_mutual_info": adjusted_mutual_info_score,
    }
    for name, measure in measures.items():
        row[name] = float(measure(*codes)) if len(one) else float("nan")
    return row


def _groups(clusters: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Codes from 0, with every residual image in a group of its own."""
    codes = pd.factorize(clusters)[0]
    alone = is_residual(clusters).to_numpy()
    codes[alone] = len(codes) + np.arange(alone.sum())
    return codes


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


def _as_one_kind(flows: pd.DataFrame) -> pd.DataFrame:
    """All clusters as text where some of them are."""
    columns = ["cluster_a", "cluster_b"]
    if all(pd.api.types.is_integer_dtype(flows[column]) for column in columns):
        return flows
    return flows.assign(**{column: flows[column].astype(str) for column in columns})
