"""Reduce the number of dimensions of embeddings with principal components or UMAP."""

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

#: Distances between vectors that UMAP can use.
METRICS = ("euclidean", "cosine", "correlation", "manhattan")


#: With fewer images, UMAP cannot build its initial graph.
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
    """Reduce the number of dimensions of embeddings, before clustering or for a map.

    Parameters
    ----------
    embeddings : Embeddings or ndarray of shape (n, d)
        Result of :func:`embed_images` or :func:`embed_text`, or vectors of your own.
    method : {"pca", "umap"}, default "pca"
        Principal components preserve the largest variance. UMAP preserves neighbours, but not
        large distances; it needs the package umap-learn: ``pip install
        'imagestrata[density]'``.
    n_components : int or float, optional
        Numbers per image in the result. For ``"pca"`` it can also be a share of the variance
        between 0 and 1: the result then has as many components as needed. By default .8 of the
        variance for ``"pca"``, one of the choices of the study that density clustering
        follows, and 10 for ``"umap"``, the study's best choice.
    n_neighbors : int, default 15
        Number of neighbours of each image, for ``"umap"``. Few neighbours preserve the fine
        structure, many the overall structure. (The study tried 5, 15 and 30, and found 15
        best; its map uses 25.)
    min_dist : float, default 0
        Smallest distance between images in the result, for ``"umap"``. 0 gives dense groups,
        which suit clustering by density; .01 or more is easier to read in a map.
    metric : {"euclidean", "cosine", "correlation", "manhattan"}, default "euclidean"
        Distance between the given vectors, for ``"umap"``.
    seed : int or None, default 0
        The same seed gives the same result on the same machine. With a seed, UMAP runs in one
        thread; ``None`` uses all cores, and every result differs. Principal components use
        random numbers only for very many vectors.
    out : path, optional
        A separate run folder for the reduced vectors, not that of the given ones. They are
        written to ``embeddings/`` in it, and a finished call is loaded.
    overwrite : bool, default False
        Replace other embeddings in ``out``, and the steps built on them.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Embeddings
        Reduced vectors of the same images, for :func:`cluster_images` and all other functions
        that take embeddings. Its ``encoder`` contains ``reduced_by``, the settings, the encoder
        that it was ``reduced_from``, and for ``"pca"`` also ``explained_variance``, the share
        of the variance of each component.

    Raises
    ------
    ImagestrataError
        If an argument is out of range for the shape of the vectors, all vectors are the same,
        umap-learn is not installed, or ``out`` cannot be written or holds other embeddings.

    Notes
    -----
    The first call of UMAP in a session takes ten to twenty seconds longer, since its library
    is compiled then.

    The reduction is fitted to all given images together and cannot reduce further images
    comparably. To add images, embed and reduce all of them again.

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
    if seed is not None:
        seed = check_seed(seed)
    overwrite = check_bool("overwrite", overwrite)
    given = as_embeddings(embeddings)
    settings = check_reduction(
        given,
        method,
        n_components=n_components,
        n_neighbors=n_neighbors,
        min_dist=min_dist,
        metric=metric,
        seed=seed,
    )
    step = Step(
        out,
        "embed",
        settings,
        inputs=settings["inputs"],
        made_from=from_scan(out, given.images["image_id"]),
        overwrite=overwrite,
    )

    def make() -> Embeddings:
        matrix, learnt = METHODS[method](given.matrix, settings, progress)
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
    """Return the scores on the first principal components, and their shares of the variance.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    n_components : int or float
        A number, or a share of the variance below 1, as in scikit-learn.
    seed : int or None

    Returns
    -------
    scores : ndarray of shape (n, n_components)
    shares : ndarray of shape (n_components,)
    """
    from sklearn.decomposition import PCA

    fit = PCA(n_components, random_state=seed)
    # scikit-learn always copies an array that it cannot write to.
    return fit.fit_transform(writable(X)), fit.explained_variance_ratio_


def check_reduction(
    given: Embeddings,
    method: str,
    *,
    n_components: Any = None,
    n_neighbors: Any = 15,
    min_dist: Any = 0.0,
    metric: Any = "euclidean",
    seed: int | None,
    called: str = "method",
) -> dict[str, Any]:
    """Check the settings of a reduction against the vectors, and return them.

    ``called`` is the name of the argument for the method, which messages contain.
    """
    if check_choice(called, method, METHODS) == "pca":
        check_idle(
            f"with {arg(called, 'pca')}",
            n_neighbors=(n_neighbors, 15),
            min_dist=(min_dist, 0.0),
            metric=(metric, "euclidean"),
        )
    n = len(given.matrix)
    if all_rows_equal(given.matrix):
        raise ImagestrataError(
            f"The vectors of all images ({n:,}) are the same and cannot be reduced.",
            "Check how they were embedded.",
        )
    if method == "umap" and n < _FEWEST:
        raise ImagestrataError(
            f"UMAP needs at least {_FEWEST} images; it got {n}.",
            "Use it for hundreds of images or more.",
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
        # The location of weights does not affect vectors, and differs between machines.
        "reduced_from": {k: v for k, v in given.encoder.items() if k != "weights"},
        "inputs": embeddings_fingerprint(given),
    }


def _components(value: Any, method: str, shape: tuple[int, ...]) -> float:
    """Check the number of components or, for principal components, the share of the variance."""
    n, width = shape
    if value is None:
        value = 0.8 if method == "pca" else min(10, width)
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if method == "pca" and real and math.isfinite(value) and 0 < value < 1:
        return float(value)
    # UMAP starts from eigenvectors of a graph of n images, of which n - 2 are available.
    most = min(n, width) if method == "pca" else min(n - 2, width)
    return check_int("n_components", value, minimum=1, maximum=most)


def _pca(
    X: NDArray[Any], settings: dict[str, Any], progress: Progress
) -> tuple[NDArray[Any], dict[str, Any]]:
    with track(progress, "Reducing", len(X)) as advance:
        scores, shares = principal_components(X, settings["n_components"], settings["seed"])
        advance(len(X))
    # Further digits depend on the number of threads.
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
            f"UMAP could not place {lost} of {plural(len(X), 'image')}.",
            f"Raise {arg('n_neighbors')}, or use another {arg('metric')}.",
        )
    if seed is not None:
        return scores, {}
    # Settings do not identify this result, so its hash does.
    return scores, {"drawn": hashlib.sha256(scores.tobytes()).hexdigest()[:16]}


#: Method -> function that returns the reduced vectors and further settings.
METHODS: dict[
    str,
    Callable[[NDArray[Any], dict[str, Any], Progress], tuple[NDArray[Any], dict[str, Any]]],
] = {"pca": _pca, "umap": _umap}
