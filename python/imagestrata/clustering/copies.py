"""The image of a clustering that each row of a table names, also where it names a copy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.scan import read_scanned
from ..errors import ImagestrataError
from ..names import Images
from ..provenance import check_run
from ..tables import check_table, id_texts, with_text_ids
from ..wording import arg, kind_of, quote, verb

if TYPE_CHECKING:
    from .clustering import Clustering

_NEEDED = ["image_id", "path", "status", "reason", "duplicate_of"]


def scan_of(clustering: Clustering, images: Any = None) -> pd.DataFrame | None:
    """The scan with the files of a clustering: ``images``, or that of its run folder.

    Parameters
    ----------
    clustering : Clustering
    images : DataFrame, path or None
        The table of :func:`scan_images`, or a run folder with it.
    """
    if images is None and clustering.folder is not None:
        try:
            return with_text_ids(read_scanned(Path(clustering.folder)))
        except (ImagestrataError, OSError, KeyError):
            return None  # a clustering of vectors or texts has no scan
    if images is None:
        return None
    if isinstance(images, str | os.PathLike):
        folder = check_run("images", images)
        try:
            images = read_scanned(folder)
        except (FileNotFoundError, NotADirectoryError):
            raise ImagestrataError(
                f"There is no scan of images in {quote(folder)}.",
                f"Give the run folder of {verb('scan_images')}, or its result.",
            ) from None
    if not isinstance(images, pd.DataFrame) or not {*_NEEDED} <= {*images}:
        raise ImagestrataError(
            f"{arg('images')} must be the result of {verb('scan_images')}, or a run folder with "
            f"it, not {kind_of(images)}"
            + (f" with the columns {', '.join(map(str, images))}." if len(images) else "."),
        )
    return with_text_ids(images)


def all_files(clustering: Clustering, scan: pd.DataFrame | None) -> pd.DataFrame:
    """All files that may be named: those of the scan, with copies, and of the clustering."""
    own = clustering.images[["image_id"]].assign(
        path=clustering.images.get("path"),
        status="ok", reason=None, duplicate_of=None,
    )  # fmt: skip
    if scan is None:
        return own
    scan = scan[_NEEDED]
    others = own[~own["image_id"].isin(scan["image_id"])]
    return pd.concat([scan.astype(object), others.astype(object)], ignore_index=True)


def rows_of_images(
    images: pd.DataFrame,
    table: pd.DataFrame,
    what: str,
    files: pd.DataFrame | None = None,
    hint: str = "",
) -> NDArray[np.int64]:
    """The row of the image that each row of a table names, for a copy that of the kept image.

    Parameters
    ----------
    images : DataFrame
        The images of a clustering.
    table : DataFrame
        Has ``image_id``, ``path`` or ``file``.
    what : str
        The noun for the table, for messages.
    files : DataFrame, optional
        All files that may be named, see :func:`all_files`; by default only those of the images.
    hint : str
        Advice if some rows name no image.

    Returns
    -------
    array of int
        -1 if a row names no image, about which there is a warning.
    """
    names, asked = table, np.ones(len(table), dtype=bool)
    if {"image_id", "duplicate_of"} <= {*table}:
        kept = id_texts(table["duplicate_of"], "duplicate_of")
        names = pd.DataFrame({"image_id": kept.fillna(id_texts(table["image_id"]))})
    if "status" in table:
        asked = (table["status"] != "rejected").to_numpy()
    known = Images(images if files is None else files)
    rows = known.rows_of(names, what)
    if files is not None:
        kept = files["duplicate_of"].where(files["duplicate_of"].notna(), files["image_id"])
        order = pd.Index(id_texts(images["image_id"])).get_indexer(kept.astype(object))
        rows = np.where(rows < 0, -1, order[rows])
    if (rows[asked] < 0).any():
        Images(images).report(names[asked], rows[asked], what, hint)
    return rows


def kept_images(clustering: Any) -> tuple[pd.DataFrame | None, dict[str, str]]:
    """The images of a clustering, and for each copy the image that is kept in its place."""
    if clustering is None:
        return None, {}
    images = getattr(clustering, "images", clustering)
    needed = ("image_id", "cluster")
    table = check_table("clustering", images, needed, "cluster_images", whole=("image_id",))
    copies: dict[str, str] = {}
    if "duplicate_of" in table:
        kept = id_texts(table["duplicate_of"], "duplicate_of")
        is_copy = kept.notna() & (kept != table["image_id"])
        copies = dict(zip(table["image_id"][is_copy], kept[is_copy], strict=True))
        table = table[~is_copy]
    table = table[table["cluster"].notna()].drop_duplicates("image_id")
    return table.reset_index(drop=True), copies


def ids_of_kept(ids: pd.Series[Any], copies: dict[str, str]) -> pd.Series[Any]:
    """The ids of images; a copy has the id of the image that is kept in its place."""
    return ids.map(copies).fillna(ids) if copies else ids
