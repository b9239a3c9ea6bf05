"""Tell which images a model has seen with their labels, and in which split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.near import first_near
from ..provenance import read_table
from .model import FineTunedModel
from .pictures import NEAR
from .split import FOLD, SPLITS


class Seen(NamedTuple):
    """Images that a model has seen with their labels: those of the table ``seen.parquet``."""

    image_ids: pd.Index
    splits: NDArray[np.object_]
    #: With folds: the fold of each image, whose network has not seen it.
    folds: NDArray[np.int64] | None
    #: Perceptual hashes; None in a model of an older version, which did not store them.
    eyes: NDArray[np.uint64] | None

    def find(
        self,
        image_ids: Sequence[str] | pd.Series[str],
        eyes: Sequence[int | None] | None = None,
    ) -> NDArray[np.int64]:
        """Return the row of each image or, by its perceptual hash, of a copy; -1 for others.

        If near-copies of an image are in several splits, that of training counts first.
        """
        rows = self.image_ids.get_indexer(pd.Index(image_ids))
        if self.eyes is None or eyes is None:
            return np.asarray(rows, dtype=np.int64)
        unknown = [row for row in np.flatnonzero(rows < 0).tolist() if eyes[row] is not None]
        queries = np.array([eyes[row] for row in unknown], dtype=np.uint64)
        near = first_near(self.eyes, queries, NEAR)
        rows[unknown] = np.where(near < len(self.eyes), near, -1)
        return np.asarray(rows, dtype=np.int64)


def seen_images(images: pd.DataFrame) -> pd.DataFrame:
    """Return the table to store: ``image_id``, ``split``, any ``fold``, ``eye``, by split."""
    order = images["split"].map({name: place for place, name in enumerate((*SPLITS, FOLD))})
    table = images.assign(eye=[f"{eye:016x}" for eye in images["eye"]], order=order)
    table = table.sort_values("order", kind="stable", ignore_index=True)
    return table[["image_id", "split", *({"fold"} & {*table}), "eye"]]


def read_seen(model: FineTunedModel) -> Seen:
    """Read the images that a model has seen with their labels."""
    stored = model.folder / "seen.parquet"
    if stored.exists():
        table = read_table(stored)
        eyes = np.array([int(eye, 16) for eye in table["eye"]], dtype=np.uint64)
    else:
        table, eyes = model.predictions.drop_duplicates("image_id"), None
    folds = table["fold"].to_numpy(dtype=np.int64) if "fold" in table else None
    return Seen(pd.Index(table["image_id"]), table["split"].to_numpy(dtype=object), folds, eyes)
