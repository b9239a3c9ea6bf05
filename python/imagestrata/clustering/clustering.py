"""The result of a clustering, as tables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..corpus.located import located
from ..errors import ImagestrataError, first_rows, plural
from ..files import damaged, make_folder, read_json, read_table, write_json, write_table
from ..provenance import step_folder
from ..validate import check_path
from ..wording import Name, quote, verb

if TYPE_CHECKING:
    from ..embeddings.embeddings import Embeddings


@dataclass(frozen=True, eq=False)
class Clustering:
    """Images sorted into visual topics.

    Attributes
    ----------
    images : DataFrame
        One row per image: image_id, path, cluster (1..C, largest first; -1 for
        the residual), iteration (in which the cluster left; 0 for the residual),
        silhouette, distance (to the centroid; NaN for the residual), n_copies,
        and the further columns that came with the images. Of the method
        "hdbscan", whose residual is noise, also probability, outlier_score and
        assigned (whether noise was put into the nearest cluster).
    clusters : DataFrame
        One row per cluster: cluster, size (distinct images), share (of all
        distinct images), silhouette (mean), iteration.
    trace : DataFrame
        One row per iteration: iteration, n_remaining, k, n_cohesive, mean_size,
        seconds.
    centroids : ndarray of shape (C, d), float32
        Mean vector of each cluster; of normalised vectors where the settings
        say ``normalize="l2"``.
    settings : dict
        How it was made: ``method``, its settings, ``seed``, and the ``encoder``
        with all that decides the vectors.
    """

    images: pd.DataFrame
    clusters: pd.DataFrame
    trace: pd.DataFrame
    centroids: NDArray[np.float32]
    settings: dict[str, Any]

    @property
    def summary(self) -> pd.DataFrame:
        """The clustering in one row.

        Columns n_images, n_clusters, n_residual, n_iterations, mean_silhouette
        (of the images in clusters), method, encoder, seed.
        """
        inside = self.images["cluster"] > 0
        row = {
            "n_images": len(self.images),
            "n_clusters": len(self.clusters),
            "n_residual": int((~inside).sum()),
            "n_iterations": len(self.trace),
            "mean_silhouette": self.images.loc[inside, "silhouette"].mean(),
            "method": self.settings["method"],
            "encoder": self.settings["encoder"].get("name"),
            "seed": self.settings["seed"],
        }
        return pd.DataFrame([row])

    def predict(self, embeddings: Embeddings | NDArray[Any]) -> pd.DataFrame:
        """Find the nearest centroid of further images.

        Parameters
        ----------
        embeddings : Embeddings, or ndarray of shape (n, d)
            Vectors of the same encoder.

        Returns
        -------
        DataFrame
            Columns image_id, path, cluster, distance, one row per image. No image
            is predicted to be residual, however far it lies: look at ``distance``.

        Raises
        ------
        ImagestrataError
            If there is no cluster, or the vectors are of another encoder.
        """
        from .base import centroid_distances, nearest_centroids
        from .inputs import as_embeddings
        from .vectors import as_rows

        given = as_embeddings(embeddings)
        self._check_encoder(given)
        matrix = as_rows(given.matrix, self.settings.get("normalize"))
        nearest = nearest_centroids(matrix, self.centroids)
        found = given.images[["image_id", "path"]].copy()
        found["cluster"] = nearest + 1
        found["distance"] = centroid_distances(matrix, self.centroids, nearest)
        return found

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tables to a folder as Parquet files, and the settings as JSON."""
        folder = make_folder(folder, "folder")
        width = self.centroids.shape[1]
        vectors = pa.FixedSizeListArray.from_arrays(self.centroids.ravel(), width)
        centroids = pa.table({"cluster": self.clusters["cluster"], "centroid": vectors})
        write_table(folder / "clustering.parquet", self.images)
        write_table(folder / "clusters.parquet", self.clusters)
        write_table(folder / "trace.parquet", self.trace)
        write_table(folder / "centroids.parquet", centroids)
        write_json(folder / "clustering.json", self.settings)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Clustering:
        """Read what :meth:`save` or ``cluster_images(out=...)`` wrote.

        Raises
        ------
        ImagestrataError
            If a file is missing or damaged.
        """
        folder = step_folder(check_path("folder", folder), "cluster")
        try:
            settings = read_json(folder / "clustering.json")
            centroids = read_table(folder / "centroids.parquet")
            return cls(
                images=located(read_table(folder / "clustering.parquet"), folder),
                clusters=read_table(folder / "clusters.parquet"),
                trace=read_table(folder / "trace.parquet"),
                centroids=_stack(centroids["centroid"], settings["width"]),
                settings=settings,
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ImagestrataError):
                raise
            raise damaged(folder / "clustering.json", error) from error
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ImagestrataError(
                f"{quote(folder)} holds no clustering: {quote(error.filename)} is missing.",
                f"Make one with {verb('cluster_images', ..., out=Name('folder'))}.",
            ) from None

    def __repr__(self) -> str:
        line = self.summary.iloc[0]
        head = (
            f"Clustering: {plural(line['n_images'], 'image')} in "
            f"{plural(line['n_clusters'], 'cluster')}, "
            f"{line['n_residual']:,} residual ({line['method']}, "
            f"{plural(line['n_iterations'], 'iteration')}, encoder {line['encoder']})"
        )
        return f"{head}\n{first_rows(self.clusters, 'cluster')}"

    def _check_encoder(self, given: Embeddings) -> None:
        if not len(self.centroids):
            raise ImagestrataError("The clustering has no cluster to predict.")
        ours, theirs = (_identity(encoder) for encoder in (self.settings["encoder"], given.encoder))
        width = given.matrix.shape[1]
        if width != self.settings["width"] or (ours and theirs and ours != theirs):
            raise ImagestrataError(
                f"The clustering was made from vectors of {self.settings['width']} numbers by "
                f"{ours or 'an unnamed encoder'}; these have {width}, by "
                f"{theirs or 'an unnamed encoder'}.",
                "Embed the images with the same encoder and weights.",
            )


def _identity(encoder: Mapping[str, Any]) -> dict[str, Any]:
    """What must be the same for vectors to be comparable."""
    names = ("name", "weights_sha256", "resize", "learnt_from", "inputs")
    return {name: encoder[name] for name in names if encoder.get(name) is not None}


def _stack(vectors: pd.Series, width: int) -> NDArray[np.float32]:
    if type(width) is not int or width != max(map(len, vectors), default=width) or width < 1:
        raise ValueError(f"its width is {width!r}")
    return np.array(vectors.tolist(), dtype=np.float32).reshape(len(vectors), width)
