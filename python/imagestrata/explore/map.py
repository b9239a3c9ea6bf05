"""Maps of images on which similar images are close to each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..clustering.clustering import Clustering, check_clustering, check_same_run, joined_later
from ..clustering.named import cluster_labels
from ..clustering.themes import THEME, has_themes, names_of
from ..embeddings.embeddings import Embeddings
from ..embeddings.reduce import reduce_embeddings
from ..errors import ImagestrataError, plural
from ..progress import Progress
from ..validate import check_choice, check_idle
from ..verbs import public
from ..wording import arg, verb
from .figure import GROUPS, INK, NONE, SMALLER, describe, figure, listed, write_note
from .keywords import check_keywords
from .points import check_points, map_method, medians, on_a_square
from .tiles import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_NAMES = {"umap": "UMAP", "pca": "Principal components 1 and 2"}
#: Inches.
_SIDE = 6.5
#: Width of a letter of a label, height of its line, and its distance above its place, as shares
#: of the side. The distance keeps small groups visible.
_LETTER, _LINE, _ABOVE = 0.0125, 0.032, 0.024
#: With more clusters, labels are smaller.
_MANY = 40
#: The key: letters of an entry, and its height in inches.
_LETTERS, _ENTRY = 44, 0.17


@public
def map_images(
    embeddings: Embeddings | NDArray[Any],
    method: str = "umap",
    *,
    n_neighbors: int = 25,
    min_dist: float = 0.01,
    seed: int = 0,
    progress: Progress = True,
) -> pd.DataFrame:
    """Place images on a plane so that similar images are close to each other.

    Parameters
    ----------
    embeddings : Embeddings, or vectors
        The clustered vectors.
    method : {"umap", "pca"}, default "umap"
        ``"umap"`` keeps neighbours together and needs the package umap-learn.
        ``"pca"``, the first two principal components, is fast and shows the largest
        differences; clusters overlap.
    n_neighbors : int, default 25
        UMAP: number of neighbours of each image that the map keeps close. Large values show
        the overall structure, small ones the details. 25 and the 0.01 below are the settings
        of the map in the vision-language paper.
    min_dist : float, default 0.01
        UMAP: smallest distance between points.
    seed : int, default 0
        The same seed gives the same map on one machine; UMAP therefore runs in one thread.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        One row per image: ``image_id``, ``x``, ``y``, ``method``. :func:`plot_map` draws it,
        and the page of :func:`image_gallery` shows it interactively.

    Raises
    ------
    ImagestrataError
        If umap-learn is missing, or there are too few images.

    Notes
    -----
    Use a map for exploration only: sizes of groups and distances between distant groups on
    a UMAP map cannot be interpreted. Cluster the embeddings, or the result of
    :func:`reduce_embeddings` with more dimensions, not the map.

    Examples
    --------
    >>> import numpy as np
    >>> from imagestrata import Embeddings, map_images
    >>> embeddings = Embeddings.from_arrays(np.eye(3), ["a", "b", "c"])
    >>> map_images(embeddings, "pca", progress=False).columns.tolist()
    ['image_id', 'x', 'y', 'method']
    """
    settings: dict[str, Any] = {"n_neighbors": n_neighbors, "min_dist": min_dist}
    if check_choice("method", method, _NAMES) == "pca":
        check_idle(
            f"with {arg('method', 'pca')}", n_neighbors=(n_neighbors, 25), min_dist=(min_dist, 0.01)
        )
        settings = {}
    reduced = reduce_embeddings(
        embeddings, method, n_components=2, **settings, seed=seed, progress=progress
    )
    return pd.DataFrame(
        {
            "image_id": reduced.images["image_id"],
            "x": reduced.matrix[:, 0].astype(float),
            "y": reduced.matrix[:, 1].astype(float),
            "method": method,
        }
    )


@public
def plot_map(
    clustering: Clustering,
    points: pd.DataFrame,
    out: str | os.PathLike[str] | None = None,
    *,
    keywords: pd.DataFrame | None = None,
    labels: Mapping[int, str] | pd.DataFrame | None = None,
    by: str = "cluster",
) -> Figure:
    """Draw the map of the images, in the colours of their clusters or themes.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images`.
    points : DataFrame
        The result of :func:`map_images`.
    out : path, optional
        File for the figure, with a name that ends in .png, .pdf or .svg.
    keywords : DataFrame, optional
        The result of :func:`cluster_keywords`: the first term of each cluster is written
        beside its number if there is room.
    labels : dict of int to str or DataFrame, optional
        Texts for clusters by their numbers, or a table with ``cluster`` and ``cluster_name``. By
        default the names that :func:`edit_clusters` gave.
    by : {"cluster", "theme"}, default "cluster"
        Colour and label clusters, or the themes of :func:`group_clusters`.

    Returns
    -------
    matplotlib.figure.Figure
        6.5 inches wide. The number of a cluster is above the median of its images, unless it
        would cover that of a larger cluster. If clusters have names and all of them fit, these
        take the place of the numbers. The seven largest clusters have a colour each, in a key
        below the map; smaller ones are grey, and the residual is pale.

    Raises
    ------
    ImagestrataError
        If an image has no place on the map, or the file cannot be written.
    """
    check_clustering(clustering)
    check_same_run(clustering.images, out, "map")
    places = on_a_square(check_points(points, clustering.images))
    words = check_keywords(keywords, 1)
    numbers, clusters, texts = _groups(clustering, by, keywords, labels)
    centres = medians(places, clusters, numbers)
    key = map_key(clusters, numbers, texts, by)
    terms = {row: words[number][0] for row, number in enumerate(numbers) if words.get(number)}
    # Grey dots are drawn first, then clusters; the smallest cluster is on top.
    coloured = np.isin(clusters, [*key.colour_of])
    order = np.lexsort((clusters, clusters > 0, coloured))
    placed = map_labels(centres, numbers, texts, terms)
    below = 0.75 + _ENTRY * -(-len(key.entries) // key.columns)
    height = _SIDE + below
    with figure(_SIDE, height, out) as drawn:
        axes = drawn.add_axes((0.02, below / height, 0.96, 0.98 * _SIDE / height))
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set_axis_off()
        axes.scatter(
            places[order, 0],
            places[order, 1],
            s=dot_area(len(places)),
            c=np.array(key.colours(clusters))[order],
            linewidths=0,
            alpha=0.75,
            rasterized=True,  # vector files with a path per image open slowly
        )
        for row, text in placed.items():
            place = inside(centres[row], text, len(numbers))
            _write(axes, place + np.array((0, _ABOVE)), text, len(numbers))
        drawn.legend(
            handles=[_dot(text, colour) for text, colour in key.entries.items()],
            title=by.capitalize(), ncols=key.columns, loc="upper center", fontsize=7.5,
            title_fontsize=7.5, bbox_to_anchor=(0.5, below / height), handletextpad=0.1,
        )  # fmt: skip
        crowded = len(placed) < len(numbers)
        said = _note(clustering, map_method(points), by, key, crowded)
        write_note(drawn, *said)
        describe(
            drawn,
            f"Map of {plural(len(places), 'image')}, a point each, in the colours of "
            f"{plural(len(numbers), by)}: {listed([*key.entries], 12)}",
            *said,
        )
    return drawn


@dataclass(frozen=True)
class MapKey:
    """The largest groups have a colour each, the others are grey."""

    colour_of: dict[int, str]
    entries: dict[str, str]
    numbers: frozenset[int]

    @property
    def columns(self) -> int:
        return 2 if max(map(len, self.entries)) > 34 else 3

    def colours(self, clusters: Iterable[int]) -> list[str]:
        """The colour of each image."""
        return [self.colour_of.get(c, SMALLER if c in self.numbers else NONE) for c in clusters]


def map_key(
    clusters: pd.Series[int], numbers: Sequence[int], texts: Mapping[int, str], by: str
) -> MapKey:
    """Choose the groups with a colour, and the entries of the key."""
    sizes = clusters.value_counts()
    ranked = sorted(range(len(numbers)), key=lambda row: -int(sizes.get(numbers[row], 0)))
    largest = [numbers[row] for row in sorted(ranked[: len(GROUPS)])]
    colour_of = dict(zip(largest, GROUPS, strict=False))
    entries = {}
    for number, colour in colour_of.items():
        text = texts.get(number, str(number))
        named = text if text == str(number) else f"{number}  {text}"
        entries[shortened(named, _LETTERS)] = colour
    if len(numbers) > len(largest):
        entries[plural(len(numbers) - len(largest), f"smaller {by}")] = SMALLER
    if not clusters.isin([*numbers]).all():
        entries[f"in no {by}"] = NONE
    return MapKey(colour_of, entries, frozenset(numbers))


def _groups(
    clustering: Clustering, by: str, keywords: pd.DataFrame | None, labels: Any
) -> tuple[list[int], pd.Series[int], dict[int, str]]:
    """Numbers of the groups that have colours, the group of each image, and texts of groups."""
    if check_choice("by", by, ("cluster", "theme")) == "cluster":
        numbers: list[int] = clustering.clusters["cluster"].tolist()
        return numbers, clustering.images["cluster"], cluster_labels(clustering, labels)
    for name, given in (("keywords", keywords), ("labels", labels)):
        if given is not None:
            raise ImagestrataError(
                f"{arg(name)} is about clusters and has no effect with {arg('by', by)}.",
                f"Leave it out; {arg('names')} of {verb('group_clusters')} renames themes.",
            )
    if not has_themes(clustering):
        raise ImagestrataError(
            "The clusters were not grouped into themes.", f"Call {verb('group_clusters')} first."
        )
    names = names_of(clustering)
    return [*names], clustering.images[THEME].fillna(-1).astype("int64"), names


def dot_area(n: int) -> float:
    """Area of a dot in points squared, smaller for larger numbers of dots."""
    return float(np.clip(6000 / n, 3, 30))


def map_labels(
    centres: NDArray[np.float64],
    numbers: Sequence[int],
    texts: Mapping[int, str],
    words: dict[int, str],
) -> dict[int, str]:
    """Labels on the map by row: names if all of them fit, otherwise numbers."""
    plain = [*map(str, numbers)]
    unnamed = {row: word for row, word in words.items() if numbers[row] not in texts}
    if texts:
        names = [texts.get(number, str(number)) for number in numbers]
        if max(map(len, names)) <= _LETTERS:
            placed = fitting_labels(centres, names, unnamed)
            if len(placed) == len(names):
                return placed
    return fitting_labels(centres, plain, unnamed if texts else words)


def _size(n: int) -> float:
    """The size of labels, as a share of the usual one."""
    return float(np.clip(np.sqrt(_MANY / max(n, 1)), 0.6, 1))


def inside(centre: NDArray[np.float64], text: str, n: int) -> NDArray[np.float64]:
    """The place of one of ``n`` labels, moved sideways so that all of it is on the map."""
    half = _LETTER * _size(n) * len(text) / 2
    return np.array([np.clip(centre[0], min(half, 0.5) - 0.02, 1.02 - min(half, 0.5)), centre[1]])


def fitting_labels(
    centres: NDArray[np.float64], names: list[str], words: dict[int, str]
) -> dict[int, str]:
    """Labels by row, on a square of side 1, that do not cover each other.

    A name is left out if it would cover an earlier one; a word is appended to its name if
    there is room.
    """
    texts: dict[int, str] = {}
    size, n = _size(len(names)), len(names)

    def fits(row: int, text: str) -> bool:
        others = [other for other in texts if other != row]
        places = np.array([inside(centres[other], texts[other], n) for other in others])
        away = np.abs(places.reshape(-1, 2) - inside(centres[row], text, n))
        widths = np.array([len(texts[other]) for other in others]) + len(text) + 2
        near = away[:, 0] < _LETTER * size * widths / 2
        return not (near & (away[:, 1] < _LINE * size)).any()

    for row, name in enumerate(names):
        if fits(row, name):
            texts[row] = name
    for row, word in words.items():
        if row in texts and fits(row, f"{names[row]} {word}"):
            texts[row] = f"{names[row]} {word}"
    return texts


def _dot(text: str, colour: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="", marker="o", markersize=5, color=colour, label=text)


def _write(axes: Any, place: NDArray[np.float64], text: str, n: int) -> None:
    from matplotlib.patheffects import withStroke

    axes.text(
        *place,
        text,
        color=INK,
        fontsize=8.5 * _size(n),
        ha="center",
        va="center",
        parse_math=False,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )


def _note(
    clustering: Clustering, method: str | None, by: str, key: MapKey, crowded: bool
) -> tuple[str, ...]:
    n, groups = len(clustering.images), plural(len(clustering.clusters), "cluster")
    if by == "theme":
        groups = f"{groups} in {plural(len(clustering.themes), 'theme')}"
    later = joined_later(clustering.images)
    name = f"{_NAMES.get(method, method)}: " if method else ""
    coloured = len(key.colour_of)
    largest = f"The {coloured} largest {by}s have a colour, smaller ones are grey"
    return (
        f"{name}{plural(n, 'image')}, {groups}{later}",
        *([largest] if coloured < len(key.numbers) else []),
        f"Labels: above the median of a {by}'s images{', where there is room' if crowded else ''}",
    )
