"""Clusterings of a grid of settings, which share fits where possible."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..embeddings.embeddings import Embeddings
from ..embeddings.inputs import as_embeddings, is_vectors
from ..embeddings.reduce import check_reduction, reduce_embeddings
from ..errors import ImagestrataError, plural
from ..files import Parts
from ..progress import Progress, track
from ..provenance import fingerprint
from ..wording import arg, quote, setting, verb
from .base import ClusterEstimator, TableCache, fit_estimator
from .cluster import METHODS, is_map, make_estimator

#: Settings of :func:`reduce_embeddings` in a grid with ``reduction``, the method.
OF_REDUCTION = ("n_components", "n_neighbors", "min_dist", "metric")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A clustering to be fitted and scored.

    Attributes
    ----------
    encoder, method : str
    settings : dict
        Settings of :func:`cluster_images`.
    baseline : bool
    reduction : dict
        ``method`` and settings of :func:`reduce_embeddings`; empty for vectors as they are.
    """

    encoder: str
    method: str
    settings: dict[str, Any]
    baseline: bool = False
    reduction: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        content = [self.encoder, self.method, self.settings, *self._reduced]
        return f"candidate-{fingerprint(content)}"

    @property
    def vectors(self) -> str:
        """A name for the vectors that are clustered."""
        return f"vectors-{fingerprint([self.encoder, *self._reduced])}"

    @property
    def _reduced(self) -> list[dict[str, Any]]:
        return [self.reduction] if self.reduction else []

    @property
    def point(self) -> dict[str, Any]:
        """All settings, as in a point of the grid, but without the method."""
        reduction = dict(self.reduction)
        named = {"reduction": reduction.pop("method")} if reduction else {}
        return {**named, **reduction, **self.settings}


def named_embeddings(given: Any, missing: str = "error") -> dict[str, Embeddings]:
    """Embeddings by name, of the same images unless ``missing`` is "drop"."""
    if isinstance(given, Mapping):
        named = {str(name): as_embeddings(one) for name, one in given.items()}
    elif isinstance(given, (list, tuple)) and not is_vectors(given):
        listed = [as_embeddings(one) for one in given]
        named = {_name(one, number): one for number, one in enumerate(listed, 1)}
        if len(named) < len(listed):
            raise ImagestrataError(
                f"{len(listed)} embeddings have only {plural(len(named), 'name')}: "
                f"{', '.join(named)}.",
                'Name them: {"first": ..., "second": ...}.',
            )
    else:
        one = as_embeddings(given)
        named = {_name(one, 1): one}
    if not named:
        raise ImagestrataError(f"{arg('embeddings')} is empty: give at least one.")
    (first_name, first), *others = named.items()
    for name, one in others:
        a, b = set(first.images["image_id"]), set(one.images["image_id"])
        if a != b and missing == "error":
            raise ImagestrataError(
                f"The embeddings are of different images: {quote(first_name)} has {len(a)}, "
                f"{quote(name)} {len(b)}, and {len(a & b)} are in both.",
                "Embed the same images with every encoder, or leave out pairs with an image that "
                f"one lacks: {arg('missing', 'drop')}.",
            )
    if len(common_images(named)) < 2:
        raise ImagestrataError(
            f"Fewer than two images are in all of the embeddings: {', '.join(named)}.",
            "Give embeddings of one corpus.",
        )
    return named


def common_images(encoders: Mapping[str, Embeddings]) -> pd.DataFrame:
    """The images in all embeddings, in the order of the first."""
    first, *others = (one.images for one in encoders.values())
    for other in others:
        first = first[first["image_id"].isin(other["image_id"])]
    return first.reset_index(drop=True)


def labels_on(images: pd.DataFrame, embeddings: Embeddings, labels: NDArray[Any]) -> NDArray[Any]:
    """Labels of embedded images, selected and ordered as ``images``."""
    rows = pd.Index(embeddings.images["image_id"]).get_indexer(pd.Index(images["image_id"]))
    taken: NDArray[Any] = labels[rows]
    return taken


def on_images(
    images: pd.DataFrame,
    candidates: Sequence[Candidate],
    found: Sequence[NDArray[np.intp]],
    encoders: Mapping[str, Embeddings],
) -> list[NDArray[np.intp]]:
    """Labels that :func:`fit_all` returned, in the order of ``images``."""
    return [
        labels_on(images, encoders[candidate.encoder], labels)
        for candidate, labels in zip(candidates, found, strict=True)
    ]


def _name(embeddings: Embeddings, number: int) -> str:
    return str(embeddings.encoder.get("name") or f"embeddings {number}")


def checked_grid(grid: Any) -> list[dict[str, list[Any]]]:
    """One or several grids, each a mapping of settings to lists of values."""
    grids = list(grid) if isinstance(grid, (list, tuple)) and grid else [grid]
    return [_checked_one(one) for one in grids]


def _checked_one(grid: Any) -> dict[str, list[Any]]:
    if not isinstance(grid, Mapping) or not grid:
        raise ImagestrataError(
            f"{arg('grid')} must be a mapping of settings to lists of values, or a list of such, "
            f"not {quote(grid)}.",
            'Such as {"k": [10, 15], "similarity_threshold": [0.03, 0.05]}.',
        )
    lists = (list, tuple, range, np.ndarray)
    listed = {
        str(name): list(values) if isinstance(values, lists) else [values]
        for name, values in grid.items()
    }
    empty = [name for name, values in listed.items() if not values]
    if empty:
        raise ImagestrataError(f"{arg('grid')} has no value for {quote(empty[0])}.")
    if "seed" in listed:
        raise ImagestrataError(
            f"{arg('grid')} must not contain {arg('seed')}, which is not a setting to tune.",
            f"Give {arg('seed')} to {verb('tune_clusters')}.",
        )
    return {
        name: [value.item() if isinstance(value, np.generic) else value for value in values]
        for name, values in listed.items()
    }


def varied_settings(grids: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings that occur in any of the grids."""
    names = dict.fromkeys(name for grid in grids for name in grid)
    return [name for name in names if name != "method"]


def candidates_of(
    encoders: Mapping[str, Embeddings], grids: Sequence[Mapping[str, list[Any]]], seed: int
) -> list[Candidate]:
    """All combinations of all grids, for every encoder."""
    made = []
    for name, one in encoders.items():
        for grid in grids:
            for values in itertools.product(*grid.values()):
                settings = dict(zip(grid, values, strict=True))
                reduction = split_reduction(settings)
                shape = one.matrix.shape
                if reduction:
                    checked = check_reduction(one, **reduction, seed=seed, called="reduction")
                    number = checked["n_components"]
                    shape = (shape[0], number if isinstance(number, int) else shape[1])
                if is_map(one) or reduction.get("method") == "umap":
                    settings.setdefault("neighbors", None)
                method = settings.pop("method", "iterative")
                candidate = Candidate(name, method, settings, reduction=reduction)
                _estimator(candidate, seed).check_arguments(shape)
                made.append(candidate)
    return made


def split_reduction(settings: dict[str, Any]) -> dict[str, Any]:
    """Remove ``reduction`` and its settings from a point of a grid, and return them.

    Without ``reduction``, ``n_components`` is a setting of :func:`cluster_images` and remains.
    """
    if "reduction" not in settings:
        return {}
    method = settings.pop("reduction")
    given = {name: settings.pop(name) for name in OF_REDUCTION if name in settings}
    if method is None and given:
        raise ImagestrataError(
            f"{arg(next(iter(given)))} is a setting of the reduction, and some combinations of "
            f"{arg('grid')} have {setting('reduction', None)}.",
            "Give a list of two grids: one with reductions and their settings, one without.",
        )
    return {} if method is None else {"method": method, **given}


def _estimator(candidate: Candidate, seed: int) -> ClusterEstimator:
    settings = dict(candidate.settings)
    return make_estimator(candidate.method, settings.pop("preset", None), settings, seed)


def baselines_of(
    candidates: Sequence[Candidate], found: Sequence[NDArray[np.intp]]
) -> list[Candidate]:
    """Candidates of the methods with a given number of clusters, at the numbers that were found.

    Numbers of one encoder that differ by less than a tenth share one baseline.
    """
    methods = [name for name, kind in METHODS.items() if "n_clusters" in kind().get_params()]
    numbers: dict[str, tuple[Candidate, dict[str, Any], set[int]]] = {}
    for candidate, labels in zip(candidates, found, strict=True):
        shared = ("neighbors", "normalize", "n_components", "exact")
        same = {name: candidate.settings[name] for name in shared if name in candidate.settings}
        group = numbers.setdefault(fingerprint([candidate.vectors, same]), (candidate, same, set()))
        group[2].add(int(labels.max(initial=-1)) + 1)
    return [
        Candidate(like.encoder, method, {"n_clusters": n_clusters, **same}, True, like.reduction)
        for like, same, all_numbers in numbers.values()
        for n_clusters in _thinned(all_numbers)
        for method in methods
    ]


def _thinned(numbers: set[int]) -> list[int]:
    """Numbers from 2, ascending, each more than a tenth above the previous one."""
    kept: list[int] = []
    for number in sorted(numbers):
        if number >= 2 and (not kept or number > 1.1 * kept[-1]):
            kept.append(number)
    return kept


class _SharedFits:
    """Fits shared by candidates that differ only in which clusters leave.

    Only the fits of one group are kept: candidates of a group follow each other.
    """

    def __init__(self) -> None:
        self.group = ""
        self.fits: dict[str, pd.DataFrame] = {}

    def cache(self, group: str) -> TableCache:
        if group != self.group:
            self.group, self.fits = group, {}
        return self._remember

    def _remember(self, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        if name not in self.fits:
            self.fits[name] = make()
        return self.fits[name]


def _group(candidate: Candidate, seed: int) -> str:
    """A name that is the same for candidates that can share fits."""
    estimator = _estimator(candidate, seed)
    deciding = {
        name: value
        for name, value in estimator.get_params().items()
        if name not in estimator.after_fit
    }
    return fingerprint([candidate.vectors, candidate.method, deciding])


class Reduced:
    """The matrices of encoders, and of reductions of them, each of which is computed once.

    Parameters
    ----------
    encoders : dict of Embeddings
    seed : int
    parts : Parts, optional
        Where reduced vectors are stored, so that an interrupted call need not compute them again.
    """

    def __init__(self, encoders: Mapping[str, Embeddings], seed: int, parts: Parts | None) -> None:
        self.encoders, self.seed, self.parts = encoders, seed, parts
        self._made: dict[str, NDArray[Any]] = {}

    def matrix(self, candidate: Candidate) -> NDArray[Any]:
        """The vectors that the candidate clusters."""
        given = self.encoders[candidate.encoder]
        if not candidate.reduction:
            return given.matrix
        name = candidate.vectors
        if name not in self._made:

            def make() -> pd.DataFrame:
                settings = candidate.reduction
                reduced = reduce_embeddings(given, **settings, seed=self.seed, progress=False)
                return pd.DataFrame(reduced.matrix).rename(columns=str)

            table = make() if self.parts is None else self.parts.load(name, make).to_pandas()
            self._made[name] = np.ascontiguousarray(table.to_numpy(dtype=np.float32))
        return self._made[name]


def fit_all(
    candidates: Sequence[Candidate],
    vectors: Reduced,
    progress: Progress,
    doing: str,
) -> list[NDArray[np.intp]]:
    """Cluster (from 0, -1 residual) of each image of its embeddings, for every candidate."""
    shared, seed, parts = _SharedFits(), vectors.seed, vectors.parts
    groups = [_group(candidate, seed) for candidate in candidates]
    found: dict[int, NDArray[np.intp]] = {}
    with track(progress, doing, len(candidates)) as advance:
        for row in sorted(range(len(candidates)), key=lambda row: groups.index(groups[row])):
            candidate = candidates[row]
            make = partial(_fit, candidate, vectors, seed, shared, groups[row])
            stored = None if parts is None else parts.read(candidate.key)
            table = make() if parts is None else parts.load(candidate.key, make).to_pandas()
            found[row] = table["cluster"].to_numpy()
            advance(already=stored is not None)
    return [found[row] for row in range(len(candidates))]


def _fit(
    candidate: Candidate, vectors: Reduced, seed: int, shared: _SharedFits, group: str
) -> pd.DataFrame:
    estimator = _estimator(candidate, seed)
    fit_estimator(estimator, vectors.matrix(candidate), cached=shared.cache(group))
    return pd.DataFrame({"cluster": estimator.labels_})
