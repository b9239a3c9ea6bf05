"""Clusters made elsewhere: labels of another method, or the categories of a codebook."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..engine import Engine
from ..errors import ImagestrataError, plural, warn
from ..names import Images, some
from ..progress import Progress
from ..rows import Rows
from ..tables import from_elsewhere, id_texts
from ..validate import check_unmasked, columns_of
from ..wording import arg, kind_of, quote
from .base import ClusterEstimator, Partition, TableCache, inner_silhouettes, single_partition


class GivenLabels(ClusterEstimator):
    """Clusters given as labels: fitting computes silhouettes, distances and centroids for them.

    Parameters
    ----------
    labels : Series of str
        The label of each image, missing for the residual.
    normalize, silhouette
        See :class:`~imagestrata.IterativeKMeans`.
    """

    neighbors = None
    n_components = None
    random_state = 0

    def __init__(
        self, labels: pd.Series[Any], *, normalize: str | None = None, silhouette: str = "auto"
    ) -> None:
        self.labels = labels
        self.normalize = normalize
        self.silhouette = silhouette

    def image_columns(self) -> dict[str, Any]:
        return {"cluster_name": self.labels.to_numpy()}

    def why_no_cluster(self, n: int) -> str:
        return "no image has a label"

    def _partition(
        self, X: Rows, seed: int, cached: TableCache, progress: Progress, engine: Engine
    ) -> Partition:
        start = time.perf_counter()
        labels: NDArray[np.intp] = pd.factorize(self.labels)[0].astype(np.intp)
        scores = inner_silhouettes(X, labels, self.silhouette, engine)
        return single_partition(labels, scores, start)


def labels_of(labels: Any, images: pd.DataFrame) -> pd.Series[Any]:
    """The label of each image as text, missing for the residual."""
    labels = by_image(from_elsewhere(labels), images["image_id"])
    if isinstance(labels, pd.DataFrame):
        return _of_table(labels, images)
    check_unmasked("labels", labels)
    if isinstance(labels, str) or np.ndim(labels) != 1:
        raise ImagestrataError(
            f"{arg('labels')} must be one label per image, or a table with image_id and label, "
            f"not {kind_of(labels)}."
        )
    check_positions(labels, arg("labels"))
    if len(labels) != len(images):
        raise ImagestrataError(
            f"{arg('labels')} has {plural(len(labels), 'label')} for "
            f"{plural(len(images), 'image')}.",
            "Give one per image, in their order, or a table with image_id and label.",
        )
    return _as_texts(pd.Series(labels if isinstance(labels, pd.Series) else [*labels]))


def by_image(labels: Any, ids: Iterable[str] = ()) -> Any:
    """Labels that name their images, as a table of image_id and label; others as they are.

    A mapping names images, and so does a Series whose index is text or holds exactly
    the ids.
    """
    if isinstance(labels, Mapping):
        return pd.DataFrame({"image_id": [*labels], "label": [*labels.values()]})
    if isinstance(labels, pd.Series) and len(labels):
        index = labels.index
        if all(isinstance(name, str) for name in index) or {*map(str, index)} == {*ids}:
            return pd.DataFrame({"image_id": index, "label": labels.to_numpy()})
    return labels


def check_positions(labels: Any, what: str) -> None:
    """Refuse a Series that was sorted or shuffled as labels in the order of the images."""
    if isinstance(labels, pd.Series) and not labels.index.is_monotonic_increasing:
        raise ImagestrataError(
            f"{what} is a Series whose index is not in ascending order and does not name the "
            f"images: {some(labels.index)}.",
            "Use image_id as its index. If the labels are in the order of the images, give them "
            "as a list or an array.",
        )


def _of_table(table: pd.DataFrame, images: pd.DataFrame) -> pd.Series[Any]:
    column = next((name for name in ("label", "cluster") if name in table), None)
    if column is None:
        raise ImagestrataError(
            f"{arg('labels')} must have a column 'label' or 'cluster'; {columns_of(table)}.",
            "Rename the column that holds the labels to 'label'.",
        )
    known = Images(images)
    rows = known.rows_of(table, arg("labels"))
    known.report(table, rows, arg("labels"))
    texts = _as_texts(table[column])[rows >= 0]
    said = pd.DataFrame({"row": rows[rows >= 0], "label": texts.fillna("-1")}).drop_duplicates()
    twice = said["row"][said["row"].duplicated()]
    if len(twice):
        row = int(twice.iloc[0])
        ours = " and ".join(map(quote, said["label"][said["row"] == row]))
        raise ImagestrataError(
            f"{arg('labels')} gives {plural(twice.nunique(), 'image')} more than one label: "
            f"{quote(images['image_id'].iloc[row])} has {ours}.",
            "Keep one label for each image.",
        )
    without = len(images) - len(said)
    if without:
        warn(
            f"{arg('labels')} has no label for {without:,} of {plural(len(images), 'image')}: they "
            "are in the residual."
        )
    found = said.set_index("row")["label"].reindex(range(len(images)))
    return found.mask(found == "-1")


def _as_texts(values: pd.Series[Any]) -> pd.Series[Any]:
    """Labels as text; missing, blank and -1 are the residual."""
    values = values.reset_index(drop=True)
    numbers = values.dropna()
    if pd.api.types.is_numeric_dtype(values) and len(numbers):
        wrong = numbers[(numbers % 1 != 0) | (numbers < -1)]
        if len(wrong):
            raise ImagestrataError(
                f"{arg('labels')} holds {quote(wrong.iloc[0])}: numbers of clusters are whole, "
                "and -1 marks the residual.",
                "Write categories as text, and images without a cluster as -1.",
            )
    texts = id_texts(values, "labels").str.strip()
    return texts.mask(texts.isin(["", "-1"]))
