"""Fewer numbers per image: principal components, or UMAP."""

from __future__ import annotations

import hashlib
import math
import numbers
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cores import usable_cores
from ..corpus.scan import from_scan
from ..errors import ImagestrataError, plural
from ..extras import require
from ..progress import Progress, track
from ..provenance import Step
from ..rows import all_rows_equal
from ..validate import check_bool, check_choice, check_float, check_idle, check_int, check_seed
from ..verbs import public
from ..wording import arg
from .embeddings import Embeddings, read_embeddings, write_embeddings
from .inputs import as_embeddings, embeddings_fingerprint
from .mapped import writable
from .parts import begin

#: What UMAP may take as distance between vectors.
METRICS = ("euclidean", "cosine", "correlation", "manhattan")


#: With fewer images UMAP has no graph to start from.
_FEWEST = 4


@public
def reduce_embeddings(
    embeddings: Embeddings | ArrayLike,
    method: str = "pca",
    *,
    n_components: float | None = None,
    n_neighbors: int = 15,
    min_dist: float = 0.0,
    metric: str = "euclidean",
    seed: int | None = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Embeddings:
    """Describe every image with fewer numbers, before clustering or for a map.

    Parameters
    ----------
    embeddings : Embeddings or ndarray of shape (n, d)
        What :func:`embed_images` or :func:`embed_text` returned, or vectors of your own.
    method : {"pca", "umap"}, default "pca"
        Principal components, which keep what varies most; or UMAP, which keeps who is
        whose neighbour and lets go of distances between those far apart. UMAP needs the
        package umap-learn: ``pip install 'imagestrata[density]'``.
    n_components : int or float, optional
        Numbers per image in the result. Of ``"pca"`` also a share of the variance, above
        0 and below 1: as many components as it takes. By default .8 of the variance for
        ``"pca"``, one of the choices of the study that this road comes from, and 10 for
        ``"umap"``, its best.
    n_neighbors : int, default 15
        Of ``"umap"``: neighbours that every image counts as its own; few show the finer
        structure, many the overall one. (The study tried 5, 15 and 30, and found 15
        best; its map has 25.)
    min_dist : float, default 0
        Of ``"umap"``: how near to each other images may come to lie. 0 packs groups
        densely, as clustering by density likes it; .01 or more is easier on the eye.
    metric : {"euclidean", "cosine", "correlation", "manhattan"}, default "euclidean"
        Of ``"umap"``: distance between the given vectors.
    seed : int or None, default 0
        Same seed and same machine, same result. With a seed UMAP runs in one thread;
        ``None`` uses all cores and gives another result every time. Principal
        components are drawn by lot only where there are very many vectors.
    out : path, optional
        Run folder of its own for the reduced vectors, not that of the given ones: they go
        to ``embeddings/`` there, and a finished call is loaded.
    overwrite : bool, default False
        Replace other embeddings in ``out``, and the steps built on them.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Embeddings
        Of the same images, for :func:`cluster_images` and all else that takes embeddings.
        Its ``encoder`` says how it was made: ``reduced_by``, the settings, the encoder
        that it was ``reduced_from``; of ``"pca"`` also ``explained_variance``, the share
        of the variance that each component holds.

    Raises
    ------
    ImagestrataError
        If an argument is out of range for so many images and numbers, all vectors are
        the same, umap-learn is not installed, or ``out`` cannot be written or holds
        other embeddings.

    Notes
    -----
    The first call of UMAP in a session takes some ten to twenty seconds more, since its
    library is compiled then.

    What is reduced has been learnt from all given images together. Further images cannot
    be put among them later: embed and reduce all of them again.

    Examples
    --------
    >>> import numpy as np
    >>> from imagestrata import reduce_embeddings
    >>> line = np.outer(np.arange(5.0), [3.0, 4.0])
    >>> reduced = reduce_embeddings(line, n_components=1, progress=False)
    >>> reduced
    Embeddings of 5 images, 1 number each, by pca
    >>> abs(reduced.matrix[:, 0]).round(3).tolist()
    [10.0, 5.0, 0.0, 5.0, 10.0]
    """
    reduce = METHODS[check_choice("method", method, METHODS)]
    if seed is not None:
        seed = check_seed(seed)
    overwrite = check_bool("overwrite", overwrite)
    if method == "pca":
        check_idle(
            f"with {arg('method', 'pca')}",
            n_neighbors=(n_neighbors, 15),
            min_dist=(min_dist, 0.0),
            metric=(metric, "euclidean"),
        )
    given = as_embeddings(embeddings)
    settings = _settings(given, method, n_components, n_neighbors, min_dist, metric, seed)
    step = Step(
        out,
        "embed",
        settings,
        inputs=settings["inputs"],
        made_from=from_scan(out, given.images["image_id"]),
        overwrite=overwrite,
    )

    def make() -> Embeddings:
        matrix, learnt = reduce(given.matrix, settings, progress)
        return Embeddings(
            given.images,
            np.ascontiguousarray(matrix, dtype=np.float32),
            {**settings, **learnt, "width": matrix.shape[1]},
            failures=given.failures,
        )

    def write(result: Embeddings, run: Path) -> dict[str, int]:
        begin(run / "embeddings")
        write_embeddings(result, run / "embeddings")
        return {"images": len(result), "width": result.matrix.shape[1]}

    return step.result(
        lambda run: read_embeddings(run / "embeddings"),
        make,
        write,
        identity=embeddings_fingerprint,
    )


def principal_components(
    X: NDArray[Any], n_components: float, seed: int | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scores on the first principal components, and the share of the variance of each.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    n_components : int or float
        As scikit-learn takes it: a number, or a share of the variance below 1.
    seed : int or None

    Returns
    -------
    scores : ndarray of shape (n, n_components)
    shares : ndarray of shape (n_components,)
    """
    from sklearn.decomposition import PCA

    fit = PCA(n_components, random_state=seed)
    # Of an array that cannot be written to scikit-learn makes a copy, needed or not.
    return fit.fit_transform(writable(X)), fit.explained_variance_ratio_


def _settings(
    given: Embeddings,
    method: str,
    n_components: Any,
    n_neighbors: Any,
    min_dist: Any,
    metric: Any,
    seed: int | None,
) -> dict[str, Any]:
    """All that decides the result, checked against the vectors."""
    n = len(given.matrix)
    if all_rows_equal(given.matrix):
        raise ImagestrataError(
            f"The vectors of all images ({n:,}) are the same: there is nothing to reduce.",
            "Check how they were embedded.",
        )
    if method == "umap" and n < _FEWEST:
        raise ImagestrataError(
            f"UMAP looks at neighbours: {plural(n, 'image is', 'images are')} too few.",
            f"It takes {_FEWEST} at least, and is meant for hundreds.",
        )
    name = given.encoder.get("name")
    settings: dict[str, Any] = {
        "name": method if name is None else f"{method} of {name}",
        "reduced_by": method,
        "n_components": _components(n_components, method, given.matrix.shape),
    }
    if method == "umap":
        settings |= {
            "n_neighbors": check_int("n_neighbors", n_neighbors, minimum=2, maximum=n - 1),
            "min_dist": check_float("min_dist", min_dist, minimum=0, maximum=1),
            "metric": check_choice("metric", metric, METRICS),
        }
    return settings | {
        "seed": seed,
        # Where weights lie decides nothing, and differs from machine to machine.
        "reduced_from": {k: v for k, v in given.encoder.items() if k != "weights"},
        "inputs": embeddings_fingerprint(given),
    }


def _components(value: Any, method: str, shape: tuple[int, ...]) -> float:
    """A number of components, or (of principal components) a share of the variance."""
    n, width = shape
    if value is None:
        value = 0.8 if method == "pca" else min(10, width)
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if method == "pca" and real and math.isfinite(value) and 0 < value < 1:
        return float(value)
    # UMAP starts from eigenvectors of a graph of n images, of which two are not to be had.
    most = min(n, width) if method == "pca" else min(n - 2, width)
    return check_int("n_components", value, minimum=1, maximum=most)


def _pca(
    X: NDArray[Any], settings: dict[str, Any], progress: Progress
) -> tuple[NDArray[Any], dict[str, Any]]:
    with track(progress, "Reducing", len(X)) as advance:
        scores, shares = principal_components(X, settings["n_components"], settings["seed"])
        advance(len(X))
    # Six digits: what rounding makes of the others differs with the number of threads.
    return scores, {"explained_variance": [round(float(share), 6) for share in shares]}


def _umap(
    X: NDArray[Any], settings: dict[str, Any], progress: Progress
) -> tuple[NDArray[Any], dict[str, Any]]:
    seed = settings["seed"]
    threads = "all cores" if seed is None else "one core, for the seed"
    with track(progress, f"Reducing ({threads})", len(X)) as advance:
        library = require("umap", "density", "Reduction by UMAP")
        names = ("n_components", "n_neighbors", "min_dist", "metric")
        scores: NDArray[Any] = library.UMAP(
            **{name: settings[name] for name in names},
            random_state=seed,
            n_jobs=usable_cores() if seed is None else 1,
        ).fit_transform(X)
        advance(len(X))
    if not np.isfinite(scores).all():
        lost = int((~np.isfinite(scores).all(axis=1)).sum())
        raise ImagestrataError(
            f"UMAP found no place for {lost} of {plural(len(X), 'image')}.",
            "Raise n_neighbors, or use another metric.",
        )
    if seed is not None:
        return scores, {}
    # No setting tells this result from the next one.
    return scores, {"drawn": hashlib.sha256(scores.tobytes()).hexdigest()[:16]}


#: Method -> function that gives the reduced vectors and what is known of them only then.
METHODS: dict[
    str,
    Callable[[NDArray[Any], dict[str, Any], Progress], tuple[NDArray[Any], dict[str, Any]]],
] = {"pca": _pca, "umap": _umap}
