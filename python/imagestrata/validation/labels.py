"""Clusters and true classes of images, and their agreement: exact counts over all pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.clustering import Clustering
from ..clustering.copies import all_files, rows_of_images, scan_of
from ..clustering.given import by_image, check_positions
from ..errors import ImagestrataError, plural
from ..names import Images, one_each
from ..tables import id_texts, with_text_ids
from ..text.machines import refuse_machine_labels
from ..validate import check_unmasked, columns_of
from ..wording import arg, kind_of, quote

#: Measures of agreement with true classes.
MEASURES = (
    "precision", "recall", "f1", "mean_pr", "bcubed_precision", "bcubed_recall", "bcubed_f1",
    "adjusted_rand", "adjusted_mutual_info",
)  # fmt: skip


def score_by_labels(
    clusters: pd.Series[Any], classes: pd.Series[Any], residual: str
) -> pd.DataFrame:
    """The table of :func:`score_clustering`, from clusters and classes by ``image_id``."""
    counted = clusters.loc[classes.index]
    alone = is_residual(counted)
    share = float(alone.mean())
    if residual == "drop":
        counted = counted[~alone]
    if counted.empty:
        measures = dict.fromkeys(MEASURES, float("nan"))
    else:
        truth = pd.factorize(classes.loc[counted.index])[0]
        measures = measure_groups(groups_of(counted), truth)
    measures["share_residual"] = share
    rows = {"measure": list(measures), "estimate": list(measures.values())}
    return pd.DataFrame(rows).assign(n_images=len(counted))


def groups_of(clusters: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Codes of clusters from 0; every residual image has a code of its own."""
    codes = pd.factorize(clusters)[0]
    alone = is_residual(clusters).to_numpy()
    codes[alone] = len(codes) + np.arange(alone.sum())
    return codes


def is_residual(clusters: pd.Series[Any]) -> pd.Series[bool]:
    """Whether clusters, as numbers or text, mark the residual."""
    return clusters.astype(str).isin(["-1", "-1.0"])


def clusters_of(clusterings: Mapping[str, Any]) -> dict[str, pd.Series[Any]]:
    """The cluster of each image by ``image_id``, of each clustering."""
    tables = {name: getattr(one, "images", one) for name, one in clusterings.items()}
    images = next((one for one in tables.values() if isinstance(one, pd.DataFrame)), None)
    if images is None and _all_series(clusterings.values()):
        tables = {name: _of_index(one, "cluster") for name, one in tables.items()}
    found = {name: _with_ids(quote(name), one, images) for name, one in tables.items()}
    ids = next((one.index for one in found.values() if one is not None), None)
    places = ids
    for name, one in tables.items():
        if found[name] is None and ids is not None:
            found[name] = _with_ids(quote(name), one, images, ids)
        if found[name] is None:
            found[name] = _by_position(quote(name), one, places)
            places = found[name].index  # type: ignore[union-attr]
    return {name: _checked(name, one) for name, one in found.items() if one is not None}


def _all_series(several: Iterable[Any]) -> bool:
    """Whether pandas labels are matched with each other by their indices."""
    return all(isinstance(one, pd.Series) for one in several)


def _of_index(labels: pd.Series[Any], column: str) -> pd.DataFrame:
    return pd.DataFrame({"image_id": labels.index.astype(str), column: labels.to_numpy()})


def _with_ids(
    what: str, given: Any, images: pd.DataFrame | None, ids: Iterable[str] = ()
) -> pd.Series[Any] | None:
    """Clusters by ``image_id``, or None where they do not name their images."""
    if isinstance(given, pd.DataFrame):
        return _column(what, given, "cluster")
    table = by_image(given, ids)
    if not isinstance(table, pd.DataFrame):
        return None
    ids = id_texts(table["image_id"])
    if images is not None and "image_id" in images:
        rows = Images(images).rows_of(table, what)
        ids = ids.where(rows < 0, id_texts(images["image_id"]).to_numpy()[rows])
    return pd.Series(table["label"].to_numpy(), index=ids)


def _column(what: str, table: pd.DataFrame, column: str) -> pd.Series[Any]:
    if not {"image_id", column} <= {*table}:
        raise ImagestrataError(
            f"{what} must have the columns image_id and {column}; {columns_of(table)}.",
            f"Rename the column with these values to {quote(column)}.",
        )
    return with_text_ids(table).set_index("image_id")[column]


def _by_position(what: str, values: Any, ids: pd.Index[Any] | None) -> pd.Series[Any]:
    """Values without ids, one per image."""
    check_unmasked(what, values)
    check_positions(values, what)
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
    clusters = one_each(quote(name), clusters)
    if not pd.api.types.is_numeric_dtype(clusters) or clusters.dtype == bool:
        return clusters.astype(str)
    broken = clusters[clusters % 1 != 0]
    if len(broken):
        raise ImagestrataError(
            f"Clusters must be whole numbers or text; {quote(name)} has {quote(broken.iloc[0])}."
        )
    return clusters.astype(np.int64)


def classes_of(
    truth: Any,
    labels: Mapping[str, pd.Series[Any]],
    clusterings: Mapping[str, Any],
    common: pd.Index[Any],
) -> pd.Series[Any]:
    """True classes by ``image_id``, of the images that have one."""
    first = next(iter(clusterings))
    if _all_series((truth, *clusterings.values())):
        truth = _of_index(truth, "label")
    else:
        truth = by_image(truth, labels[first].index)
    if isinstance(truth, str):
        table = getattr(clusterings[first], "images", clusterings[first])
        if not isinstance(table, pd.DataFrame) or truth not in table:
            raise ImagestrataError(
                f"{arg('truth')} is {quote(truth)}, which is not a column of the images of "
                f"{quote(first)}: {columns_of(table)}.",
                "Name one of its columns, or give a table with image_id and label.",
            )
        found = _column(quote(first), table, truth)
    elif isinstance(truth, pd.DataFrame):
        found = _classes(truth, clusterings[first])
    else:
        check_positions(by_image(clusterings[first]), quote(first))
        found = _by_position(arg("truth"), truth, labels[first].index)
    known = one_each(arg("truth"), found.dropna().astype(str))
    known = known[known.index.isin(common)]
    if known.empty:
        raise ImagestrataError(
            f"{arg('truth')} has {plural(int(found.notna().sum()), 'label')}, none of them for the "
            f"{plural(len(common), 'image')} compared.",
            "Labels must have the same image_id as the clusterings.",
        )
    return known


def _classes(truth: pd.DataFrame, clustering: Any) -> pd.Series[Any]:
    """The column ``label`` by ``image_id``, from a table that names images or their copies."""
    refuse_machine_labels(
        truth,
        "truth",
        "Give labels by people: a model may err about the same images as the clustering.",
    )
    images = getattr(clustering, "images", clustering)
    if not isinstance(images, pd.DataFrame) or "label" not in truth:
        return _column(arg("truth"), truth, "label")
    files = None
    if isinstance(clustering, Clustering):
        files = all_files(clustering, scan_of(clustering))
    rows = rows_of_images(images, truth, arg("truth"), files)
    ids = id_texts(images["image_id"]).to_numpy()
    return pd.Series(truth["label"].to_numpy()[rows >= 0], index=ids[rows[rows >= 0]])


def measure_groups(found: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> dict[str, float]:
    """All measures that compare groups, as codes from 0, with true groups."""
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
    from sklearn.metrics.cluster import contingency_matrix

    joint = contingency_matrix(truth, found, sparse=True).tocoo()
    both = joint.data.astype(np.float64)
    class_sizes = np.bincount(truth).astype(np.float64)
    cluster_sizes = np.bincount(found).astype(np.float64)
    n = len(truth)

    together = _pairs(both)
    precision = _ratio(together, _pairs(cluster_sizes))
    recall = _ratio(together, _pairs(class_sizes))
    cluster_of_cell = np.unique(found, return_inverse=True)[0][joint.col]
    class_of_cell = np.unique(truth, return_inverse=True)[0][joint.row]
    bcubed_precision = float((both**2 / cluster_sizes[cluster_of_cell]).sum() / n)
    bcubed_recall = float((both**2 / class_sizes[class_of_cell]).sum() / n)
    return {
        "precision": precision,
        "recall": recall,
        # Computed from counts, so that it is defined if the clustering has no pair.
        "f1": _ratio(2 * together, _pairs(cluster_sizes) + _pairs(class_sizes)),
        "mean_pr": (precision + recall) / 2,
        "bcubed_precision": bcubed_precision,
        "bcubed_recall": bcubed_recall,
        "bcubed_f1": _harmonic(bcubed_precision, bcubed_recall),
        "adjusted_rand": float(adjusted_rand_score(truth, found)),
        "adjusted_mutual_info": float(adjusted_mutual_info_score(truth, found)),
    }


def _pairs(sizes: np.ndarray) -> float:
    return float((sizes * (sizes - 1) / 2).sum())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0
