"""Sort images into visual topics."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..corpus.thumbnails import thumbnails_along
from ..embeddings.embeddings import Embeddings
from ..embeddings.inputs import as_embeddings, embeddings_fingerprint, is_vectors
from ..encoders.registry import DEFAULT_ENCODER
from ..errors import ImagestrataError, plural, warn
from ..progress import Progress
from ..provenance import Step, check_settings, editing_of, find_step, read_run
from ..rows import all_rows_equal
from ..tables import keep_given, with_file
from ..validate import check_bool, check_choice, check_idle, check_seed
from ..verbs import COMMON, public, suggest
from ..wording import arg, quote, verb
from .base import ClusterEstimator, TableCache, fit_estimator, no_cache, second_numbers
from .clustering import Clustering, clusters_fingerprint, load_found
from .curated import has_edits, with_edits
from .density import DensityClustering
from .given import GivenLabels
from .iterative import IterativeKMeans
from .join import FIRST, counted, joined
from .own import OwnMethod, check_own, is_estimator
from .renumber import renumbered
from .single import SingleKMeans
from .themes import with_themes

#: Settings of the search for K, which have no effect if ``k`` is given.
_SEARCH = ("k_criterion", "k_tolerance", "k_max", "sample_size", "step_size", "converge_window")
#: Estimators by method; each has the attributes of IterativeKMeans.
METHODS: dict[str, type[ClusterEstimator]] = {
    "iterative": IterativeKMeans,
    "kmeans": SingleKMeans,
    "hdbscan": DensityClustering,
}

#: Named settings of the iterative method. "paper" follows the published run as closely as
#: its text allows: K rises until the fit no longer improves (near 55 on 1,000 images) or
#: reaches the number of images, and all clusters above the threshold leave.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "k_criterion": "explained_variance",
        "k_tolerance": 0.006,
        "k_max": "sample",
        "similarity_threshold": 0.03,
        "release_share": 1.0,
        "neighbors": None,
    },
}

#: Share of the images above which the largest cluster causes a warning.
_NEARLY_ALL = 0.9


@public
def cluster_images(
    images: Any,
    method: str | Any = "iterative",
    *,
    preset: str | None = None,
    k: int | None = None,
    sample_size: int | None = None,
    step_size: int | None = None,
    converge_window: int | None = None,
    k_criterion: str | None = None,
    k_tolerance: float | None = None,
    k_max: int | str | None = None,
    similarity_threshold: float | None = None,
    release_share: float | None = None,
    stop_size: int | None = None,
    patience: int | None = None,
    n_init: int | None = None,
    neighbors: int | str | None = "auto",
    normalize: str | None = None,
    n_components: int | None = None,
    silhouette: str | None = None,
    exact: bool | None = None,
    n_clusters: int | None = None,
    min_cluster_size: int | None = None,
    min_samples: int | None = None,
    selection: str | None = None,
    noise: str | None = None,
    encoder: str = DEFAULT_ENCODER,
    weights: str | os.PathLike[str] | None = None,
    seed: int = 0,
    recluster: bool = False,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
) -> Clustering:
    """Sort images into visual topics.

    Parameters
    ----------
    images : Embeddings, folder, table of images, or vectors
        A folder or a table with a column ``path`` is scanned and embedded first. Vectors are
        an array of shape (n, d), a tensor, or a data frame of numbers, whose ``image_id`` or
        index names the images: see :meth:`Embeddings.from_arrays`.
    method : {"iterative", "kmeans", "hdbscan"}, estimator, or function, default "iterative"
        "iterative" is the paper's method, see :class:`~imagestrata.IterativeKMeans`;
        "kmeans" a single k-means with ``n_clusters``, see
        :class:`~imagestrata.SingleKMeans`; "hdbscan" finds clusters by density, see
        :class:`~imagestrata.DensityClustering`. A method of your own is an estimator of
        scikit-learn or one like it, with ``fit_predict()``, such as
        ``sklearn.cluster.Birch(n_clusters=20)``; or a function that takes the matrix of vectors and
        returns the cluster of each row as a whole number, -1 for the residual; see Notes.
        A setting below that is left out (None) has the default of its method or preset.
        A setting of another method is an error.
    preset : {"paper"}, optional
        Settings of the iterative method closest to the published run. Settings that you
        give as arguments take precedence. The encoder is not among them: the paper's is
        ``encoder="resnet18"``.
    k : int, optional
        "iterative": number of clusters fitted in every iteration. By default the number is
        searched (the paper).
    sample_size : int, optional
        "iterative": number of images drawn for the search; by default 1,000 (the paper).
    step_size : int, optional
        "iterative": step of the search; by default 5 (the paper: 3 or 5).
    converge_window : int, optional
        "iterative": the search stops when the mean of the last ``converge_window`` fits no
        longer exceeds that of the same number of fits before them; by default 3 (the paper).
    k_criterion : str, optional
        "iterative": goodness of fit; by default "cohesion" (the paper names none), see
        :mod:`imagestrata.clustering.criteria`.
    k_tolerance : float, optional
        "iterative": relative improvement per added cluster up to which the fit counts as
        not improved; by default 0.
    k_max : int or "sample", optional
        "iterative": largest number of clusters searched; "sample" searches up to the number
        of images in the sample (the paper). By default a fiftieth of ``sample_size``.
    similarity_threshold : float, optional
        "iterative": mean silhouette above which a cluster is cohesive; by default 0 (the
        paper: .03, in the units of its encoder), see :func:`suggest_threshold`.
    release_share : float, optional
        "iterative": largest share of the remaining images that leaves in one iteration, the
        most cohesive clusters first; by default .2 (the paper: 1, all leave).
    stop_size : int, optional
        "iterative": stop when fewer images remain; by default 20 (the paper).
    patience : int, optional
        "iterative": stop after this number of consecutive iterations without a cohesive
        cluster; by default 3.
    n_init : int, optional
        "iterative", "kmeans": restarts of k-means; by default 10.
    neighbors : int, "auto" or None, default "auto"
        Neighbours of each image in the neighbourhood step, which moves vectors of length
        one towards those of their neighbours before they are clustered. "auto" is 15 for
        "iterative" and "hdbscan", and fewer in small corpora (see the estimators). It is None for
        "kmeans", for ``preset="paper"``, for vectors of fewer than 10 dimensions and for those
        that :func:`reduce_embeddings` reduced by UMAP. None clusters the vectors
        themselves (the paper). See :class:`~imagestrata.IterativeKMeans`.
    normalize : {"l2"}, optional
        Scale vectors to length one. With ``neighbors`` they always are; without, they are
        not by default (the paper).
    n_components : int, optional
        Use this number of principal components; by default the vectors (the paper). With
        ``neighbors``, the components in which neighbours are found; by default 128.
    silhouette : {"auto", "exact", "sampled", "squared"}, optional
        By default "auto": "exact" up to 50,000 images and "sampled" beyond.
    exact : bool, optional
        "iterative", "kmeans": compute the same labels on any machine; by default False.
    n_clusters : int, optional
        "kmeans": the number of clusters; by default 80 (in the paper the fit improves little
        beyond it), see :func:`sweep_clusters`.
    min_cluster_size : int, optional
        "hdbscan": smallest number of images that form a cluster. By default it follows the
        number n of images: the square root of n, divided by 12, and at least 5; without the
        neighbourhood step, 50. See :func:`sweep_clusters`.
    min_samples : int, optional
        "hdbscan": number of near neighbours that an image needs to count as densely
        surrounded; by default equal to ``min_cluster_size`` (the library).
    selection : {"eom", "leaf"}, optional
        "hdbscan": take the clusters that persist longest ("eom", the default), or the
        smallest ones ("leaf").
    noise : {"keep", "nearest"}, optional
        "hdbscan": noise is residual ("keep", the default), or joins the nearest cluster.
    encoder, weights : str and path, optional
        Encoder of images that are not embedded yet, see :func:`embed_images`.
    seed : int, default 0
        The same seed gives the same result on one machine; with ``exact=True``, on any
        machine with the same versions of numpy, scipy and scikit-learn.
    recluster : bool, default False
        Cluster all images anew in a run folder with an earlier clustering, and carry its numbers
        and names over to the clusters that overlap most, see Notes.
    out : path, optional
        Run folder. The tables are written there; an interrupted clustering continues after
        its last finished iteration, and a finished one is loaded. If ``images`` contain those
        of a finished clustering with the same vectors, the others join its clusters, see Notes.
        A variant such as
        ``"run/variants/five"`` stores these clusters beside those of the run (see
        ``docs/run-folders.md``).
    overwrite : bool, default False
        Replace another clustering in ``out``, and the steps built on it.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`; counts images that
        have been assigned to a cluster.
    engine : Client or str, optional
        A Dask cluster, see :func:`imagestrata.embed_images`. It is used if the vectors are
        in a file, as large embeddings of a run folder are; the result is the same.

    Returns
    -------
    Clustering
        Tables of images, clusters and iterations.

    Notes
    -----
    *Growing.* If the run folder contains a clustering of some of the images with the same
    settings, only the other images are looked at. Clusters keep their numbers, centroids and
    images. A new image joins the cluster with the nearest centroid. With a method that has a
    residual, it joins the residual (-1) if it is further from that centroid than every image of
    the cluster was from the mean of its other images (n / (n - 1) times the distance from the
    mean of all n) when the clusters were found. Images that joined before do not count, so the
    order in which images arrive has no effect. New images have ``added = True``, no silhouette,
    and the ``iteration`` of their cluster; sizes and shares of clusters include them, means of
    silhouettes do not. ``docs/clustering.md`` compares the rule with clustering anew.

    *Clustering anew.* With ``recluster=True``, all images are clustered, and each cluster is paired
    with at most one of the clusters before, so that the pairs share as many images as possible
    (the Hungarian method). Images that joined the clusters before later do not count. A cluster
    that shares at least half of its own images, or half of those of its partner, with it gets
    its number and its ``cluster_name``. All others get new numbers: a number never means two
    clusters. ``Clustering.renumbered`` shows all overlaps, so that splits and merges are visible;
    it is also stored as ``renumbered.parquet``. Results that use the clusters before, and these,
    move to ``replaced/`` as with ``overwrite=True``. Without an earlier clustering, or one that
    has not grown since, ``recluster`` has no effect.

    *A method of your own* clusters the vectors themselves by default; ``neighbors``, ``normalize``,
    ``n_components`` and ``silhouette`` have an effect with it, as with "kmeans". Its clusters are
    numbered by size, and silhouettes and centroids are computed for them. The run folder records
    the class and the settings of an estimator (and a hash of its source, unless it is installed);
    if its ``random_state`` is None, ``seed`` takes its place. A function can use anything, so it
    runs in every call, also if the clustering in ``out`` is finished, and other labels than the
    stored ones are refused; new images cannot join its clusters.

    Raises
    ------
    ImagestrataError
        If a setting is unknown or out of range, vectors hold NaN, there are no
        images, or ``out`` cannot be written or holds another clustering.

    Warns
    -----
    UserWarning
        If no cluster is found, because there are fewer images than ``stop_size``, all
        vectors are the same, or everything is noise; every image is then residual. Also if
        one of several clusters contains more than nine tenths of the images, or if many new
        images join the residual.
    """
    settings = given_settings(locals())
    overwrite = check_bool("overwrite", overwrite)
    recluster = check_bool("recluster", recluster)
    if recluster and out is None:
        raise ImagestrataError(
            f"{arg('recluster', True)} needs {arg('out')}, the run folder with the earlier "
            "clustering.",
            "Without a run folder there are no numbers to carry over: leave it out.",
        )
    if isinstance(images, Embeddings) or is_vectors(images):
        check_idle(
            "on vectors, since it decides how images become vectors",
            encoder=(encoder, DEFAULT_ENCODER),
            weights=(weights, None),
        )
    if neighbors == "auto" and isinstance(images, Embeddings) and is_map(images):
        settings["neighbors"] = None
    estimator = check_clustering_settings(
        method, preset, settings, seed, out, overwrite or recluster
    )

    def embed(given: Any) -> Embeddings:
        from ..embeddings.embed import embed_for

        return embed_for(
            estimator.check_arguments,
            given,
            encoder,
            weights=weights,
            seed=seed,
            out=out,
            overwrite=overwrite,
            progress=progress,
            engine=engine,
            takers=thumbnails_along(out),
        )

    embeddings = as_embeddings(images, embed)
    estimator.check_arguments(embeddings.matrix.shape)
    if isinstance(estimator, OwnMethod) and not is_estimator(method):
        fit_estimator(estimator, embeddings.matrix, progress=progress)
    return fitted(
        estimator, embeddings, _arguments(method, estimator, seed), out=out, overwrite=overwrite,
        recluster=recluster, progress=progress, engine=engine,
    )  # fmt: skip


def fitted(
    estimator: ClusterEstimator,
    embeddings: Embeddings,
    arguments: Mapping[str, Any],
    *,
    out: str | os.PathLike[str] | None,
    overwrite: bool,
    recluster: bool = False,
    progress: Progress = False,
    engine: Any = None,
) -> Clustering:
    """The clustering of an estimator, read from ``out`` if it is finished there."""
    inputs = embeddings_fingerprint(embeddings)
    stored = cache(load_found)
    step = Step(
        out,
        "cluster",
        arguments,
        inputs=inputs,
        made_from={"embed": inputs},
        overwrite=overwrite,
        grows=lambda run: _contains(embeddings, run, stored(run)),
        remake=recluster,
    )

    def make() -> Clustering:
        if step.folder is not None and step.grows:
            return joined(stored(step.folder), embeddings)
        if step.irreplaceable and not overwrite:
            found = step.restored(load_found, _identity)
            if found is not None:
                return found
            raise ImagestrataError(
                f"A table of the clustering in {quote(step.folder)} is missing or damaged. It "
                "depends on an earlier clustering and cannot be made again.",
                f"Restore the table, or use {arg('overwrite', True)} to cluster all images anew.",
            )
        before = _before(step) if step.replacing else None
        if not hasattr(estimator, "labels_"):
            fit_estimator(
                estimator, embeddings.matrix, cached=_cache(step, inputs), progress=progress,
                engine=engine,
            )  # fmt: skip
        clustering = _as_tables(estimator, embeddings, arguments)
        _warn_of_little(clustering, estimator, embeddings)
        if before is None:
            return clustering
        highest = int(before.pop("highest").max())
        return renumbered(clustering, before, highest)

    def write(clustering: Clustering, folder: Path) -> dict[str, int]:
        clustering.save(folder)
        line = clustering.summary.iloc[0]
        counts = {name: int(line[name]) for name in ("n_images", "n_clusters", "n_residual")}
        if line["n_added"]:
            later = clustering.images[clustering.images["added"]]
            counts["n_added"] = len(later)
            counts["n_added_residual"] = int((later["cluster"] == -1).sum())
        if len(clustering.renumbered):
            counts["n_carried"] = int(clustering.renumbered["carried"].sum())
        return counts

    found = step.result(load_found, make, write, identity=_identity)
    if step.folder is None:
        return found
    found = replace(found, folder=step.folder)
    return with_themes(followed(found, step.folder, embeddings), step.folder)


def followed(found: Clustering, folder: Path, embeddings: Embeddings) -> Clustering:
    """The edited clusters if the run contains edits, which follow new images; else the given ones.

    A new image has the cluster into which the one it joined was merged or otherwise changed.
    """
    if editing_of(folder, "cluster") is None:
        return found
    if has_edits(folder, found):
        return with_edits(found, folder)
    from .edit import edit_clusters

    edits = find_step(folder, "edit")[0] / "edits.csv"
    found = replace(found, source=embeddings)
    return edit_clusters(found, edits=edits, out=folder)


def _identity(clustering: Clustering) -> str:
    return clusters_fingerprint(clustering.images)


def _before(step: Step) -> pd.DataFrame:
    """The clusters that a step replaces: of each image, and the highest number ever given."""

    assert step.folder is not None and step.parts is not None
    run = step.folder

    def read() -> pd.DataFrame:
        old = Clustering.load(run)
        numbers = [old.settings.get("highest_number", 0), *old.clusters["cluster"]]
        names = [name for name in ("image_id", "cluster", "cluster_name") if name in old.images]
        # Images that joined later did not make the clusters what they are.
        return old.images.loc[~old.images["added"], names].assign(highest=max(numbers))

    # Kept with the unfinished work, since the new tables take the place of the old ones.
    before: pd.DataFrame = step.parts.load("clusters-before", read).to_pandas()
    return before


def _contains(embeddings: Embeddings, run: Path, clustering: Clustering) -> bool:
    """Whether embeddings contain the images of the clustering in a run, with the same vectors."""
    entry = read_run(run)["steps"]["cluster"]
    if "labels" in entry["settings"]:  # given, or of a user's own function
        return False
    known = clustering.images["image_id"]
    rows = pd.Index(embeddings.images["image_id"]).get_indexer(known)
    if (rows < 0).any():
        return False
    # A growth that was interrupted may have written its images already.
    inputs = {each["inputs"] for each in (entry, entry.get("replaces", entry))}
    return embeddings_fingerprint(embeddings, rows) in inputs


def _warn_of_little(
    clustering: Clustering, estimator: ClusterEstimator, embeddings: Embeddings
) -> None:
    if clustering.clusters.empty:
        warn(_why_no_cluster(estimator, embeddings))
    elif isinstance(estimator, GivenLabels):
        return
    elif len(clustering.clusters) > 1 and clustering.clusters["share"].iloc[0] > _NEARLY_ALL:
        warn(
            f"Cluster 1 contains {clustering.clusters['share'].iloc[0]:.0%} of the images: the "
            "clustering hardly distinguishes them. Try other settings, or vectors of another "
            "encoder."
        )


def _arguments(method: Any, estimator: ClusterEstimator, seed: int) -> dict[str, Any]:
    """The settings that, with the vectors, determine a clustering."""
    return {"method": method, **estimator.recorded(), "seed": check_seed(seed)}


def check_clustering_settings(
    method: Any,
    preset: Any,
    settings: Mapping[str, Any],
    seed: Any,
    out: str | os.PathLike[str] | None,
    overwrite: bool,
) -> ClusterEstimator:
    """The estimator for checked settings; errors are raised before any image is read."""
    if settings.get("k") is not None:
        check_idle(
            f"with {arg('k', settings['k'])}, which is not searched",
            **{name: (settings.get(name), None) for name in _SEARCH},
        )
    estimator = make_estimator(method, preset, settings, check_seed(seed))
    estimator.check_arguments()
    if isinstance(method, str) or is_estimator(method):
        check_settings(out, "cluster", _arguments(method, estimator, seed), overwrite)
    return estimator


def given_settings(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of methods among the arguments of a verb that have a value."""
    known = {name for kind in METHODS.values() for name in kind().get_params()}
    return {
        name: value
        for name, value in arguments.items()
        if name in known and (value is not None or name == "neighbors")
    }


def is_map(embeddings: Embeddings) -> bool:
    """Whether UMAP placed the vectors: their distances have a meaning, their angles have none."""
    return embeddings.encoder.get("reduced_by") == "umap"


def make_estimator(
    method: Any, preset: str | None, settings: Mapping[str, Any], seed: int
) -> ClusterEstimator:
    """The estimator of a method; an error names the settings that exist."""
    estimator: ClusterEstimator
    if isinstance(method, str):
        estimator = METHODS[check_choice("method", method, METHODS)](random_state=seed)
        shown = quote(method)
    else:
        estimator = OwnMethod(check_own(method), random_state=seed)
        shown = "of your own"
    settings = {k: v for k, v in settings.items() if (k, v) != ("neighbors", "auto")}
    known = [
        name for name in estimator.get_params(deep=False) if name not in ("own", "random_state")
    ]
    if preset is not None:
        settings = PRESETS[check_choice("preset", preset, PRESETS)] | dict(settings)
    unknown = [name for name in settings if name not in known]
    if unknown:
        meant = suggest(unknown[0], [*known, *COMMON])
        raise ImagestrataError(
            f"The method {shown} has no setting {quote(unknown[0])}.",
            f"{meant} Its settings are {', '.join(known)}.".strip(),
        )
    estimator.set_params(**settings)
    return estimator


def _cache(step: Step, inputs: str) -> TableCache:
    """The store of tables that were made from these inputs in the run folder, if there is one."""
    parts = step.parts
    if parts is None:
        return no_cache
    return lambda name, make: parts.load(f"{inputs}-{name}", make).to_pandas()


def _as_tables(
    estimator: ClusterEstimator, embeddings: Embeddings, arguments: Mapping[str, Any]
) -> Clustering:
    cluster = estimator.labels_ + (estimator.labels_ >= 0)
    numbers = np.arange(1, len(estimator.cluster_centers_) + 1)
    found = {
        "cluster": cluster,
        "iteration": estimator.iterations_,
        "silhouette": estimator.silhouettes_,
        "distance": estimator.distances_,
        **estimator.image_columns(),
    }
    further = {
        "second_cluster": second_numbers(estimator.second_labels_, numbers),
        "margin": estimator.margins_,
        **FIRST,
    }
    # Columns of an earlier clustering must not be mistaken for those of this one.
    given = keep_given(with_file(embeddings.images), [*found, *further], verb("cluster_images"))
    images = given[["image_id", "path", "file"]].assign(
        **found, n_copies=given["n_copies"], **further
    )
    images = images.join(given[[name for name in given if name not in images]])
    clusters = (
        images[cluster > 0]
        .groupby("cluster")
        .agg(
            size=("image_id", "size"),
            silhouette=("silhouette", "mean"),
            iteration=("iteration", "first"),
        )
        .reset_index()
    )
    clusters.insert(2, "share", clusters["size"] / len(images))
    clusters = counted(clusters, images)
    if "cluster_name" in found:
        names = images.drop_duplicates("cluster").set_index("cluster")["cluster_name"]
        clusters.insert(1, "cluster_name", names.reindex(clusters["cluster"]).to_numpy())
    return Clustering(
        images=images,
        clusters=clusters,
        trace=estimator.trace_,
        searches=estimator.searches_,
        centroids=estimator.cluster_centers_.astype("float32"),
        settings={
            **arguments,
            **estimator.decided(),
            "encoder": dict(embeddings.encoder),
            "width": embeddings.matrix.shape[1],
        },
        source=embeddings,
    )


def _why_no_cluster(estimator: ClusterEstimator, embeddings: Embeddings) -> str:
    n = len(embeddings.matrix)
    if estimator.n_iter_ == 0:
        fewest = estimator.get_params()["stop_size"]
        why = f"{plural(n, 'image is', 'images are')} fewer than {arg('stop_size')} ({fewest})"
    elif all_rows_equal(embeddings.matrix):
        why = f"the vectors of all images ({n:,}) are the same"
    else:
        why = estimator.why_no_cluster(n)
    return f"No cluster was found: {why}. All images are in the residual."
