"""The result of a clustering, as tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..corpus.located import reader
from ..corpus.pictures import embedded_pictures
from ..errors import ImagestrataError, plural
from ..files import damaged, make_folder, read_json, write_json, write_table
from ..names import KEYS
from ..provenance import check_base, check_run, fingerprint, read_table, run_of, step_folder
from ..shown import Part, Shown
from ..tables import from_elsewhere, id_texts, keep_given, with_file, with_text_ids
from ..validate import check_bool, check_int, check_path
from ..wording import Name, arg, kind_of, quote, verb
from .base import search_table
from .copies import all_files, rows_of_images, scan_of
from .join import FIRST, MEMBERSHIP
from .ledger import ledger, n_edits, proposals, read_ledger
from .named import with_names
from .renumber import overlap_table
from .themes import THEME, has_themes, themes_table, tree_table, with_themes

if TYPE_CHECKING:
    from ..embeddings.embeddings import Embeddings


#: Typical images of a cluster in a notebook: their number, their longer side in pixels (twice that
#: on the page), and the total size in bytes that they can add to it.
_MOST_PICTURES, _SIDE, _MOST_BYTES = 5, 128, 280_000


@dataclass(frozen=True, eq=False, repr=False)
class Clustering(Shown):
    """Images sorted into visual topics.

    Attributes
    ----------
    images : DataFrame
        One row per image: image_id, path, file (its name), cluster (1..C, largest first when
        they were found; -1 for the residual), iteration (in which the cluster left; 0 for the
        residual), silhouette, distance (to the centroid; NaN for the residual), n_copies,
        second_cluster and margin (see Notes),
        added (whether the image joined the clusters after they were found; its silhouette is
        NaN), wave (1 for the images that were clustered, 2 for those that joined first, and so
        on), and the further columns of the images. With the method "hdbscan", whose
        residual is noise, also probability, outlier_score and assigned (whether
        noise was assigned to the nearest cluster).
    clusters : DataFrame
        One row per cluster: cluster, size (distinct images), share (of all
        distinct images), silhouette (mean of the images that were clustered), iteration,
        n_added (images that joined later, which ``size`` includes).
    trace : DataFrame
        One row per iteration: iteration, n_remaining, k, n_cohesive, mean_size,
        seconds.
    centroids : ndarray of shape (C, d), float32
        Mean vector of each cluster, without images that joined later; the mean of normalised
        vectors if the settings contain ``normalize="l2"``.
    settings : dict
        The ``method`` and its settings, the ``seed``, and the ``encoder`` with all
        settings that determine the vectors.
    searches : DataFrame
        The search for the number of clusters in each iteration, one row per number tried:
        iteration, k, fit (larger is better: inertia and Davies-Bouldin are negated), kept,
        criterion (the ``k_criterion``; "silhouette" where few groups were found before the
        iterations). No rows if the number was given, for other methods, and in run folders of
        older versions.
    renumbered : DataFrame
        After ``cluster_images(recluster=True)``, the overlaps with the clusters before, by the
        images from which these were found:
        cluster_before, cluster (-1 is the residual), n_shared (images in both), share_before and
        share (n_shared as a share of either), jaccard (of all images in either), carried (the
        number was carried over). One row per pair that shares images; a cluster that shares none
        has a row without the other one. No rows otherwise.
    edits : DataFrame
        The ledger of :func:`edit_clusters`: edit, action, clusters, image_id, into, name, note,
        editor, applied, reason. No rows if no cluster was edited.
    tree : DataFrame
        The tree of :func:`group_clusters` over the clusters, one row per merge, the nearest first:
        merge (its number), left and right (what it joins: minus the number of a cluster, or the
        number of an earlier merge), height (the mean distance between the clusters on both sides),
        n_clusters (on both sides). No rows if the clusters were not grouped, or edited since.
    source : Embeddings, path or None
        The vectors of the images, or the run folder in which they are, for
        :func:`edit_clusters`. It is neither saved nor pickled.
    folder : path or None
        The run folder, in whose scan :func:`link_posts` finds copies. It is not pickled.

    Notes
    -----
    *Doubtful images.* ``second_cluster`` is the number of the second-best cluster of an image: of
    all clusters but its own, the one with the nearest centroid. ``margin`` says how clearly the
    image belongs to its own one: (d2 - d1) / max(d1, d2), with the Euclidean distances d1 to the
    centroid of its cluster (``distance``) and d2 to that of the second-best one, both of vectors
    scaled as for the clustering. It has no unit and lies between -1 and 1: 1 at the centroid of
    its cluster, 0 at equal distance from both, and below 0 if the other centroid is nearer, which
    is possible where images do not belong to the nearest centroid (after the neighbourhood
    step, with "hdbscan", for given labels, and after edits). For images of the residual,
    ``second_cluster`` is the cluster with the nearest centroid, and ``margin`` is missing. Both
    are missing if there is no other cluster, and in run folders of older versions. The margin is
    the simplified silhouette (Hruschka, de Castro and Campello 2004) of one image.
    """

    images: pd.DataFrame
    clusters: pd.DataFrame
    trace: pd.DataFrame
    centroids: NDArray[np.float32]
    settings: dict[str, Any]
    searches: pd.DataFrame = field(default_factory=partial(search_table, []))
    renumbered: pd.DataFrame = field(default_factory=overlap_table)
    edits: pd.DataFrame = field(default_factory=ledger)
    tree: pd.DataFrame = field(default_factory=tree_table)
    source: Any = field(default=None, repr=False)
    folder: Any = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"source": None, "folder": None}

    @classmethod
    def from_labels(
        cls,
        embeddings: Any,
        labels: Any,
        *,
        normalize: str | None = None,
        silhouette: str = "auto",
        out: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
    ) -> Clustering:
        """Make a clustering from labels: those of another method, or categories of a codebook.

        Parameters
        ----------
        embeddings : Embeddings, or vectors
            Vectors of the images. Silhouettes, typical images and centroids are computed
            from them.
        labels : array-like of shape (n_images,), Series, dict, or DataFrame
            The cluster of each image: whole numbers or names; -1, NaN, None and blank
            cells are the residual. 0 is a cluster, as in scikit-learn; R's packages dbscan and
            mclust mark the residual by it: replace it by -1 there. A table has a column
            ``label`` or ``cluster``, and ``image_id``, ``path`` or ``file``. A dictionary names
            images by its keys. A Series is matched by its index if the index is text or holds
            exactly the ids.
            Other labels are in the order of the embeddings.
        normalize : {"l2"}, optional
            Scale vectors to length one first.
        silhouette : {"auto", "exact", "sampled", "squared"}, default "auto"
            As in :func:`cluster_images`.
        out : path, optional
            Run folder, as in :func:`cluster_images`.
        overwrite : bool, default False
            Replace another clustering in ``out``, and the steps built on it.

        Returns
        -------
        Clustering
            Clusters are numbered by size. The column ``cluster_name`` of images and
            clusters has the given labels. Silhouettes compare images in clusters only; the
            iteration is 1.

        Raises
        ------
        ImagestrataError
            If the number of labels is wrong, an image has several labels, a number is not
            whole or is below -1, or a Series is not in order and does not name the images.

        Warns
        -----
        UserWarning
            If a table lacks labels for some images, which are then residual, if it has
            labels of other images, or if no image has a label.

        Examples
        --------
        >>> import numpy as np
        >>> from imagestrata import Clustering
        >>> found = Clustering.from_labels(np.eye(5), ["cat", "dog", "dog", None, "cat"])
        >>> found.clusters[["cluster", "cluster_name", "size"]].values.tolist()
        [[1, 'cat', 2], [2, 'dog', 2]]
        """
        from ..embeddings.inputs import as_embeddings
        from .cluster import fitted
        from .given import GivenLabels, labels_of

        given = as_embeddings(embeddings)
        names = labels_of(labels, given.images)
        estimator = GivenLabels(names, normalize=normalize, silhouette=silhouette)
        estimator.check_arguments(given.matrix.shape)
        arguments = {
            "method": "labels",
            "normalize": normalize,
            "silhouette": silhouette,
            "labels": fingerprint(names.fillna("").tolist()),
        }
        overwrite = check_bool("overwrite", overwrite)
        return fitted(estimator, given, arguments, out=out, overwrite=overwrite)

    @property
    def summary(self) -> pd.DataFrame:
        """The clustering in one row.

        The columns are n_images, n_clusters, n_residual, n_iterations, mean_silhouette
        (of the images in clusters), method ("labels" for given labels),
        encoder, seed, n_added (images that joined later, in clusters or the residual).
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
            "seed": self.settings.get("seed", np.nan),
            "n_added": int(self.images["added"].sum()) if "added" in self.images else 0,
        }
        return pd.DataFrame([row])

    @property
    def themes(self) -> pd.DataFrame:
        """The themes of :func:`group_clusters`, one row each; no rows without themes.

        The columns are theme, theme_name, n_clusters, size (images), share (of all images), and
        clusters (their numbers, separated by spaces).
        """
        return themes_table(self.clusters)

    @property
    def proposals(self) -> pd.DataFrame:
        """Names that :func:`propose_names` proposed and nobody has accepted or replaced.

        The columns are cluster, proposal, editor ("keywords", or the model that proposed it).
        """
        return proposals(self.edits)

    def predict(self, embeddings: Embeddings | NDArray[Any]) -> pd.DataFrame:
        """Find the nearest centroid of further images.

        Parameters
        ----------
        embeddings : Embeddings, or vectors
            Vectors of the same encoder.

        Returns
        -------
        DataFrame
            Columns image_id, path, file, cluster (with names cluster_name), distance,
            second_cluster and margin, one row per image, as in :attr:`images`. No image is assigned
            to the residual, however distant it is: check ``distance``.

        Raises
        ------
        ImagestrataError
            If the clustering has no cluster, or the vectors are from another encoder.
        """
        from ..embeddings.inputs import as_embeddings
        from ..rows import as_rows
        from .base import memberships, nearest_centroids, second_numbers

        given = as_embeddings(embeddings)
        if not len(self.centroids):
            raise ImagestrataError("The clustering has no cluster to predict.")
        check_encoder(self, given)
        matrix = as_rows(given.matrix, self.settings.get("normalize"))
        nearest = nearest_centroids(matrix, self.centroids)
        found = with_file(given.images[["image_id", "path"]])
        numbers = self.clusters["cluster"].to_numpy()
        membership = memberships(matrix, self.centroids, nearest)
        found = found.assign(
            cluster=numbers[nearest],
            distance=membership.distances,
            second_cluster=second_numbers(membership.second, numbers),
            margin=membership.margins,
        )
        return with_names(found, self.clusters)

    def vectors(self) -> Embeddings | None:
        """The vectors of the images, if :attr:`source` knows them; None otherwise."""
        from ..embeddings.embeddings import Embeddings

        if not isinstance(self.source, str | os.PathLike):
            found: Embeddings | None = self.source
            return found
        try:
            return Embeddings.load(self.source)
        except ImagestrataError:
            return None

    def augment(self, table: pd.DataFrame) -> pd.DataFrame:
        """Join the clustering to a table that names images.

        Parameters
        ----------
        table : DataFrame
            A column ``image_id``, ``path`` or ``file``, and any others. Names are matched
            as ids, then as paths, then as the end of exactly one path. In the table of
            :func:`scan_images` every file receives a cluster: a copy has the cluster of the
            image of which it is a copy.

        Returns
        -------
        DataFrame
            The rows of ``table`` in their order, with the columns of ``images``. If
            ``table`` has columns of the same names, ``_given`` is appended to their names,
            with a warning.

        Raises
        ------
        ImagestrataError
            If no row names an image of the clustering, or a name fits several images.

        Warns
        -----
        UserWarning
            If some rows name other images: their cluster is missing.
        """
        table = from_elsewhere(table)
        if not isinstance(table, pd.DataFrame):
            raise ImagestrataError(f"A table is expected, not {kind_of(table)}.")
        rows = rows_of_images(self.images, table, "the table", all_files(self, scan_of(self)))
        is_scan = {"status", "duplicate_of"} <= {*table}
        ours = [str(name) for name in self.images if name not in KEYS]
        ours = [name for name in ours if name != "n_copies" or not is_scan]
        given = with_text_ids(table)
        if is_scan:  # further columns of the images come from this table
            found_here = {"cluster", "iteration", "silhouette", "distance", *MEMBERSHIP}
            ours = [name for name in ours if name in found_here or name not in given]
        given = keep_given(given, ours, "the clustering")
        found = self.images[ours].take(np.maximum(rows, 0)).set_axis(given.index)
        lost = rows < 0
        if lost.any():
            whole = found.select_dtypes("int64").columns
            found = found.astype(dict.fromkeys(whole, "Int64")).mask(pd.Series(lost, found.index))
        if "image_id" not in given:
            ids = self.images["image_id"].take(np.maximum(rows, 0)).set_axis(given.index)
            given.insert(0, "image_id", ids.mask(lost))
        return given.join(found)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tables to a folder as Parquet files, and the settings as JSON."""
        folder = make_folder(folder, "folder")
        width = self.centroids.shape[1]
        vectors = pa.FixedSizeListArray.from_arrays(self.centroids.ravel(), width)
        centroids = pa.table({"cluster": self.clusters["cluster"], "centroid": vectors})
        write_table(folder / "clustering.parquet", self.images)
        write_table(folder / "clusters.parquet", self.clusters)
        write_table(folder / "trace.parquet", self.trace)
        write_table(folder / "searches.parquet", self.searches)
        write_table(folder / "centroids.parquet", centroids)
        if len(self.renumbered):
            write_table(folder / "renumbered.parquet", self.renumbered)
        else:
            (folder / "renumbered.parquet").unlink(missing_ok=True)
        if len(self.edits):
            write_table(folder / "edits.csv", self.edits)
        if has_themes(self):
            write_table(folder / "tree.parquet", self.tree)
        write_json(folder / "clustering.json", self.settings)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Clustering:
        """Read a clustering that :meth:`save` or ``cluster_images(out=...)`` wrote.

        If the run folder contains edits of its clusters, these are the edited ones; if it contains
        themes, they have these.

        Raises
        ------
        ImagestrataError
            If a file is missing or damaged.
        """
        from .curated import has_edits, with_edits

        folder = check_run("folder", folder)
        found = load_found(folder)
        found = with_edits(found, folder) if has_edits(folder, found) else found
        return with_themes(found, folder)

    def _parts(self) -> list[Part]:
        line = self.summary.iloc[0]
        encoder = f", encoder {line['encoder']}" if line["encoder"] else ""
        return [
            f"Clustering: {plural(line['n_images'], 'image')} in "
            f"{plural(line['n_clusters'], 'cluster')}, "
            f"{line['n_residual']:,} residual ({line['method']}, "
            f"{plural(line['n_iterations'], 'iteration')}{encoder}){joined_later(self.images)}"
            f"{self._carried()}{self._edited()}{self._grouped()}",
            (self.clusters, "cluster"),
        ]

    def _edited(self) -> str:
        """Words on the edits of the clusters."""
        n, proposed = n_edits(self.edits), len(self.proposals)
        words = f"; {plural(n, 'edit')}" if n else ""
        return words + (f"; {plural(proposed, 'proposed name')}" if proposed else "")

    def _grouped(self) -> str:
        """Words on the themes of the clusters."""
        return f"; {plural(len(self.themes), 'theme')}" if has_themes(self) else ""

    def _carried(self) -> str:
        """Words on the numbers that come from an earlier clustering."""
        if self.renumbered.empty:
            return ""
        n = int(self.renumbered["carried"].sum())
        return f"; {plural(n, 'number')} carried over from the clusters before"

    def _pictures(self, table: pd.DataFrame) -> dict[int, list[str]]:
        numbers: list[int] = table["cluster"].tolist()
        images = rank_images(self.images, numbers).groupby("cluster").head(_MOST_PICTURES)
        pictures, _ = embedded_pictures(images, _SIDE, progress=False)
        found: dict[int, list[str]] = {}
        for cluster, image_id in zip(images["cluster"], images["image_id"], strict=True):
            if image_id in pictures:
                found.setdefault(numbers.index(cluster), []).append(pictures[image_id])
        n = _MOST_PICTURES
        while sum(len(text) for row in found.values() for text in row) > _MOST_BYTES:
            n -= 1
            found = {row: texts[:n] for row, texts in found.items()}
        return found


def load_found(folder: Path) -> Clustering:
    """The clusters as they were found, without the edits of a run."""
    folder = step_folder(folder, "cluster")
    try:
        settings = read_json(folder / "clustering.json")
        centroids = read_table(folder / "centroids.parquet")
        # Older versions stored no searches.
        searches, overlaps = folder / "searches.parquet", folder / "renumbered.parquet"
        edits, tree = folder / "edits.csv", folder / "tree.parquet"
        images = reader("clustering.parquet", "cluster")(folder)
        clusters = read_table(folder / "clusters.parquet")
        if "added" not in images:  # of an older version
            images, clusters = images.assign(**FIRST), clusters.assign(n_added=0)
        return Clustering(
            images=images,
            clusters=clusters,
            trace=read_table(folder / "trace.parquet"),
            centroids=_stack(centroids["centroid"], settings["width"]),
            settings=settings,
            searches=read_table(searches) if searches.exists() else search_table([]),
            renumbered=read_table(overlaps) if overlaps.exists() else overlap_table(),
            # In a run folder, edits are a step of their own.
            edits=read_ledger(edits) if "cluster_found" in images and edits.exists() else ledger(),
            tree=read_table(tree) if THEME in clusters and tree.exists() else tree_table(),
            source=folder,
            folder=folder,
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ImagestrataError):
            raise
        raise damaged(folder / "clustering.json", error) from None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImagestrataError(
            f"{quote(folder)} contains no clustering: {quote(error.filename)} is missing.",
            f"Make one with {verb('cluster_images', ..., out=Name('folder'))}.",
        ) from None


def vectors_of(
    clustering: Clustering, given: Any, need: str
) -> tuple[Embeddings, NDArray[np.intp]]:
    """The vectors of a clustering, given or those it knows, and their row for each image.

    ``need`` says in an error what the vectors are for.
    """
    from ..embeddings.inputs import as_embeddings

    given = clustering.vectors() if given is None else given
    if given is None:
        raise ImagestrataError(
            f"The clustering does not know the vectors of its images, {need}.",
            f"Give them as {arg('embeddings')}, the result of {verb('embed_images')}.",
        )
    embeddings = as_embeddings(given)
    check_encoder(clustering, embeddings)
    ids = id_texts(embeddings.images["image_id"])
    order = pd.Index(ids).get_indexer(id_texts(clustering.images["image_id"]))
    if (order < 0).any():
        raise ImagestrataError(
            f"{arg('embeddings')} lacks {plural(int((order < 0).sum()), 'image')} of the "
            f"clustering, which has {plural(len(order), 'image')}.",
            f"Give the {arg('embeddings')} from which it was made.",
        )
    return embeddings, order


def check_encoder(clustering: Clustering, given: Embeddings) -> None:
    """Raise an error unless vectors are of the encoder from which a clustering was made."""
    ours, theirs = (
        _identity(encoder) for encoder in (clustering.settings["encoder"], given.encoder)
    )
    width = given.matrix.shape[1]
    if width != clustering.settings["width"] or (ours and theirs and ours != theirs):
        raise ImagestrataError(
            f"The clustering was made from vectors of {clustering.settings['width']} numbers by "
            f"{ours or 'an unnamed encoder'}; these have {width}, by "
            f"{theirs or 'an unnamed encoder'}.",
            "Embed the images with the same encoder and weights.",
        )


def joined_later(images: pd.DataFrame) -> str:
    """Words on the images that joined a clustering later; empty if there are none."""
    later = images[images["added"]] if "added" in images else images.iloc[:0]
    if later.empty:
        return ""
    residual = int((later["cluster"] == -1).sum())
    return f"; {plural(len(later), 'image')} joined later, {residual:,} of them residual"


def check_clustering(clustering: Any, name: str = "clustering") -> Clustering:
    """Raise an error unless the argument is a clustering."""
    if not isinstance(clustering, Clustering):
        raise ImagestrataError(
            f"{arg(name)} must be a Clustering, not {kind_of(clustering)}.",
            f"Use the result of {verb('cluster_images')}, or "
            f"{verb('Clustering.load', Name('folder'))}.",
        )
    return clustering


def select_clusters(clustering: Clustering, clusters: int | Iterable[int] | None) -> list[int]:
    """Checked numbers of clusters; all clusters if None."""
    existing: list[int] = clustering.clusters["cluster"].tolist()
    if clusters is None:
        return existing
    allowed = {*existing, *clustering.images["cluster"]}
    asked = [clusters] if np.ndim(clusters) == 0 else list(clusters)  # type: ignore[arg-type]
    numbers = list(dict.fromkeys(check_int("clusters", number) for number in asked))
    unknown = [number for number in numbers if number not in allowed]
    if unknown:
        span = numbered(existing)
        residual = ", and -1 for the residual" if -1 in allowed else ", without a residual"
        raise ImagestrataError(
            f"There is no cluster {', '.join(map(str, unknown))}: "
            f"the clusters are {span}{residual}."
        )
    return numbers


def largest_first(clustering: Clustering) -> list[int]:
    """Numbers of all clusters, the largest first, ties by number."""
    table = clustering.clusters
    return table.sort_values(["size", "cluster"], ascending=[False, True])["cluster"].tolist()


def numbered(clusters: Sequence[int]) -> str:
    """Words on the numbers of clusters, which need not follow each other."""
    if len(clusters) and max(clusters) == len(clusters):
        return f"numbered 1 to {len(clusters)}"
    shown = ", ".join(map(str, clusters[:20])) + (", ..." if len(clusters) > 20 else "")
    return f"numbered {shown}" if len(clusters) else "none"


def check_same_run(images: pd.DataFrame, out: str | os.PathLike[str] | None, what: str) -> None:
    """Raise an error if ``out`` is in the run folder of another clustering."""
    run = None if out is None else run_of(check_path("out", out))
    if run is not None:
        check_base(run, "cluster", clusters_fingerprint(images), what)


#: Orders of the images of a cluster, with the columns that decide and whether they ascend.
ORDERS: dict[str, dict[str, bool]] = {
    "typical": {"silhouette": False, "distance": True},
    "atypical": {"silhouette": True, "distance": False},
    "doubtful": {"margin": True, "silhouette": True},
    "random": {"_drawn": True},
}


def rank_images(
    images: pd.DataFrame, clusters: list[int], order: str = "typical", seed: int = 0
) -> pd.DataFrame:
    """The images of some clusters, in the order of ``clusters`` and then in one of `ORDERS`.

    The random order of a cluster depends on its number and the seed alone.
    """
    place = {number: i for i, number in enumerate(clusters)}
    chosen = images[images["cluster"].isin(clusters)]
    if order == "doubtful" and "margin" not in images:
        raise ImagestrataError(
            "The clustering has no margins, since an older version of imagestrata made it.",
            f"Call {verb('cluster_images')} again to order images by {quote(order)}.",
        )
    chosen = chosen.assign(_place=chosen["cluster"].map(place))
    if order == "random":
        chosen = chosen.sort_values(["_place", "image_id"])
        chosen["_drawn"] = [
            value
            for number, size in chosen.groupby("cluster", sort=False).size().items()
            for value in np.random.default_rng([seed, int(str(number)) + 1]).permutation(size)
        ]
    by = {"_place": True, **ORDERS[order], "image_id": True}
    ranked = chosen.sort_values(
        [*by], ascending=[*by.values()], na_position="last", ignore_index=True
    )
    return ranked.drop(columns=["_place", "_drawn"], errors="ignore")


def clusters_fingerprint(images: pd.DataFrame) -> str:
    """Fingerprint of a table of images and their clusters, whatever the order of its rows."""
    ordered = images.sort_values("image_id")
    cluster = ordered["cluster"]
    numbers = cluster.astype("int64") if pd.api.types.is_numeric_dtype(cluster) else cluster
    return fingerprint([ordered["image_id"].astype(str).tolist(), numbers.tolist()])


def _identity(encoder: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an encoder that must be equal for vectors to be comparable."""
    names = ("name", "registered", "weights_sha256", "resize", "learnt_from", "inputs")
    return {name: encoder[name] for name in names if encoder.get(name) is not None}


def _stack(vectors: pd.Series, width: int) -> NDArray[np.float32]:
    if type(width) is not int or width != max(map(len, vectors), default=width) or width < 1:
        raise ValueError(f"its width is {width!r}")
    return np.array(vectors.tolist(), dtype=np.float32).reshape(len(vectors), width)
