"""Clusters by a method of a user's own: an estimator of scikit-learn, or a function."""

from __future__ import annotations

import hashlib
import inspect
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ..engine import Engine
from ..errors import ImagestrataError, plural
from ..progress import Progress, track
from ..provenance import code_of, fingerprint
from ..rows import Rows
from ..tables import from_elsewhere
from ..wording import arg, kind_of, quote, verb
from .base import ClusterEstimator, Partition, TableCache, inner_silhouettes, single_partition

#: The name of a function's method in results.
FUNCTION = "function"

#: Folders of installed packages, whose versions runs record.
_INSTALLED = {"site-packages", "dist-packages"}


class OwnMethod(ClusterEstimator):
    """Clusters that a user's own method finds; silhouettes and centroids are computed for them.

    Parameters
    ----------
    own : estimator or callable
        See ``method`` of :func:`~imagestrata.cluster_images`.
    neighbors, normalize, n_components, silhouette
        See :class:`~imagestrata.SingleKMeans`.
    random_state : int
        Seed of an estimator whose own ``random_state`` is None.
    """

    def __init__(
        self,
        own: Any,
        *,
        neighbors: int | str | None = None,
        normalize: str | None = None,
        n_components: int | None = None,
        silhouette: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.own = own
        self.neighbors = neighbors
        self.normalize = normalize
        self.n_components = n_components
        self.silhouette = silhouette
        self.random_state = random_state

    def recorded(self) -> dict[str, Any]:
        """The settings that a run records; those of a function are its labels, once it has run.

        What else a function uses is unknown, so that only its labels tell whether it has changed.
        """
        own = self.own
        settings = {
            name: getattr(self, name)
            for name in ("neighbors", "normalize", "n_components", "silhouette")
        }
        if not is_estimator(own):
            done = hasattr(self, "labels_")
            found = {"labels": fingerprint(self.labels_.tolist())} if done else {}
            return {"method": FUNCTION, **settings, **found}
        return {"method": type(own).__name__, **_described(own), **settings}

    def why_no_cluster(self, n: int) -> str:
        return (
            "the method gave every image the label -1"
            if self.has_groups_
            else (super().why_no_cluster(n))
        )

    def _partition(
        self, X: Rows, seed: int, cached: TableCache, progress: Progress, engine: Engine
    ) -> Partition:
        start = time.perf_counter()
        with track(progress, "Clustering", len(X)) as advance:
            labels = _labels(self.own, np.asarray(X), seed)
            scores = inner_silhouettes(X, labels, self.silhouette, engine)
            advance(len(X))
        return single_partition(labels, scores, start)


def check_own(method: Any) -> Any:
    """Check a method of a user's own."""
    if inspect.isclass(method) and hasattr(method, "fit_predict"):
        raise ImagestrataError(
            f"{arg('method')} is the class of an estimator, not an estimator.",
            "Call the class with the settings, and give what it returns.",
        )
    if not is_estimator(method) and not callable(method):
        raise ImagestrataError(
            f"{arg('method')} must be the name of a method, an estimator of scikit-learn with "
            "fit_predict(), or a function of a matrix that returns the cluster of each row, not "
            f"{kind_of(method)}."
        )
    if is_estimator(method):
        _described(method)
    return method


def is_estimator(method: Any) -> bool:
    """Whether this is an estimator of scikit-learn that can cluster."""
    return hasattr(method, "fit_predict") and hasattr(method, "get_params")


def _labels(own: Any, X: NDArray[Any], seed: int) -> NDArray[np.intp]:
    """The clusters from 0 that a method gives to the rows of X; -1 for the residual."""
    if is_estimator(own):
        own = clone(own)
        if own.get_params().get("random_state", 0) is None:
            own.set_params(random_state=seed % 2**32)
        what, given = type(own).__name__, own.fit_predict(X)
    else:
        what, given = "The function", own(X)
    labels = np.asarray(from_elsewhere(given))
    if labels.ndim != 1 or len(labels) != len(X):
        seen = (
            " x ".join(map(str, labels.shape)) if labels.ndim > 1 else plural(labels.size, "label")
        )
        raise ImagestrataError(
            f"{what} gave {seen} to {plural(len(X), 'image')}.",
            "It must return one whole number for each row of the matrix, in their order.",
        )
    numbers = labels.astype(np.float64) if labels.dtype.kind in "iuf" else np.full(len(X), 0.5)
    numbers = np.where(np.isnan(numbers), -1, numbers)
    wrong = (numbers % 1 != 0) | (numbers < -1)
    if wrong.any():
        raise ImagestrataError(
            f"{what} returned the label {quote(labels[wrong][0].item())}: clusters are whole "
            "numbers, and -1 marks the residual.",
            f"Names of clusters can be given with {verb('edit_clusters')}.",
        )
    found = numbers.astype(np.intp)
    found[found >= 0] = np.unique(found[found >= 0], return_inverse=True)[1]
    return found


def _described(estimator: Any) -> dict[str, Any]:
    """What decides the clusters of an estimator: its class, its code, and its settings."""
    kind = type(estimator)
    about: dict[str, Any] = {
        "estimator": f"{kind.__module__}.{kind.__qualname__}",
        "parameters": {
            name: _plain(name, value)
            for name, value in sorted(estimator.get_params(deep=False).items())
        },
    }
    if not _is_installed(kind):
        about["code"] = code_of(kind)
    return about


def _is_installed(kind: type) -> bool:
    try:
        return bool(_INSTALLED & {*Path(inspect.getfile(kind)).parts})
    except (OSError, TypeError):
        return False


def _plain(name: str, value: Any) -> Any:
    """A setting of an estimator as a run can record it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value).tobytes() + str(value.dtype).encode()
        return f"array of {value.shape}, SHA-256 {hashlib.sha256(content).hexdigest()[:16]}"
    if isinstance(value, Mapping):
        return {str(key): _plain(name, one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [_plain(name, one) for one in value]
    if hasattr(value, "get_params"):
        return _described(value)
    code = code_of(value) if inspect.isroutine(value) else None
    if code is not None:
        return f"function, code {code}"
    raise ImagestrataError(
        f"The setting {quote(name)} of the estimator is {kind_of(value)}, which a run cannot "
        "record.",
        "Give it a number, a text, an array or a function whose source is known; or give a "
        f"function as {arg('method')} that calls the estimator.",
    )
