"""What clustering and the steps after it take, embeddings and clusters, told from others."""

import os

import pandas as pd

from ..embeddings.inputs import as_embeddings, embeddings_fingerprint
from ..provenance import check_base, fingerprint, run_of
from ..validate import check_path

__all__ = ["as_embeddings", "check_story", "clusters_fingerprint", "embeddings_fingerprint"]


def clusters_fingerprint(images: pd.DataFrame) -> str:
    """Tells a table of images and their clusters from others, in whatever order rows come."""
    ordered = images.sort_values("image_id")
    cluster = ordered["cluster"]
    numbers = cluster.astype("int64") if pd.api.types.is_numeric_dtype(cluster) else cluster
    return fingerprint([ordered["image_id"].astype(str).tolist(), numbers.tolist()])


def check_story(images: pd.DataFrame, path: str | os.PathLike[str] | None, what: str) -> None:
    """Refuse to put a figure or a page of one clustering into the run folder of another."""
    run = None if path is None else run_of(check_path("path", path))
    if run is not None:
        check_base(run, "cluster", clusters_fingerprint(images), what)
