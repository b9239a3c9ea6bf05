"""The edited clusters in a run folder, beside those that were found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import ImagestrataError
from ..files import write_table
from ..provenance import find_step, read_table, require_step
from ..wording import arg, foreign, quote, verb
from .clustering import Clustering, clusters_fingerprint, load_found
from .ledger import read_edits, read_ledger
from .themes import without_columns

#: Columns of images that edits change, and their types.
_CHANGED: dict[str, Any] = {
    "cluster": "int64", "cluster_name": "str", "iteration": "int64", "silhouette": "float64",
    "distance": "float64", "second_cluster": "Int64", "margin": "float64", "cluster_found": "int64",
}  # fmt: skip


def store(clustering: Clustering, folder: Path) -> None:
    """Write what edits changed; the clusters that were found stay as they are."""
    images = clustering.images
    images = images[["image_id", *(name for name in _CHANGED if name in images)]]
    width = clustering.centroids.shape[1]
    vectors = pa.FixedSizeListArray.from_arrays(clustering.centroids.ravel(), width)
    centroids = pa.table({"cluster": clustering.clusters["cluster"], "centroid": vectors})
    # The ledger is written first: all else follows from it if the process is killed.
    write_table(folder / "edits.csv", clustering.edits)
    write_table(folder / "edited.parquet", images)
    write_table(folder / "edited-clusters.parquet", without_columns(clustering.clusters))
    write_table(folder / "edited-centroids.parquet", centroids)


def has_edits(folder: Path, found: Clustering) -> bool:
    """Whether a run contains edits of these clusters, which are finished and have followed them."""
    place, entry = find_step(folder, "edit")
    if entry is None:
        return False
    if not entry["finished"]:
        raise ImagestrataError(
            f"In {quote(place)} the step 'edit' was interrupted.",
            f"Repeat {foreign('imagestrata edit')} with the same file, or give the ledger "
            f"{quote(place / 'edits.csv')} as {arg('edits')} of {verb('edit_clusters')}.",
        )
    return bool(entry["inputs"] == clusters_fingerprint(found.images))


def to_edit(folder: Path, edits: Any = None, *, anew: bool = False) -> Clustering:
    """The clusters of a run for further edits.

    With ``anew``, as they were found, for edits that replace the others. If ``edits`` begins with a
    later number than 1, as the file of a page does that showed edited clusters, the earlier edits
    with smaller numbers stay.
    """
    from .edit import edit_clusters

    require_step(folder, "cluster")
    place, entry = find_step(folder, "edit")
    if not anew and (entry is None or entry["finished"]):
        return Clustering.load(folder)
    found = load_found(folder)
    if not (place / "edits.csv").exists():
        return found
    ledger = read_ledger(place / "edits.csv")
    if anew:
        first = next((edit.number for edit in read_edits(edits)), None) or 1
        next_one = int(ledger["edit"].max()) + 1
        ledger = ledger[ledger["edit"] < (first if first <= next_one else 1)]
    return edit_clusters(found, edits=ledger) if len(ledger) else found


def with_edits(found: Clustering, folder: Path) -> Clustering:
    """The clusters that were found, with the edits that the run contains."""
    place, _ = find_step(folder, "edit")
    table = read_table(place / "edited.parquet").set_index("image_id")
    table = table.reindex(found.images["image_id"]).reset_index(drop=True)
    images = found.images.drop(columns="cluster_name", errors="ignore")
    for name, kind in _CHANGED.items():
        if name in table and name != "cluster_name":
            images[name] = table[name].astype(kind).array
    names = table["cluster_name"].astype("object").astype("str")
    images.insert([*images].index("cluster") + 1, "cluster_name", names)
    clusters = read_table(place / "edited-clusters.parquet")
    clusters["cluster_name"] = clusters["cluster_name"].astype("object").astype("str")
    edits = read_ledger(place / "edits.csv")
    centers = read_table(place / "edited-centroids.parquet")["centroid"]
    width = found.centroids.shape[1]
    highest = [int(found.settings.get("highest_number", 0)), *found.clusters["cluster"]]
    highest += edits["into"].dropna().astype(int).tolist()
    return replace(
        found,
        images=images,
        clusters=clusters,
        centroids=np.array(centers.tolist(), dtype=np.float32).reshape(len(centers), width),
        edits=edits,
        settings=found.settings | {"highest_number": int(max(highest))},
    )
