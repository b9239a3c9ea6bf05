"""A figure of a clustering: a row of images per cluster."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..clustering.clustering import (
    ORDERS,
    Clustering,
    check_clustering,
    check_same_run,
    largest_first,
    rank_images,
    select_clusters,
)
from ..clustering.named import cluster_labels, label_of
from ..clustering.themes import names_of, pairs_of
from ..errors import ImagestrataError, plural
from ..validate import check_choice, check_idle, check_int, check_seed
from ..verbs import public
from ..wording import arg
from .keywords import check_keywords
from .tiles import MOST_ROWS, PictureRows, draw_tiles, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Number of terms beside a row, and number of letters of each.
N_KEYWORDS, _LETTERS = 2, 15

_ORDERS = {
    "typical": "those with the highest silhouettes",
    "atypical": "those with the lowest silhouettes",
    "doubtful": "those with the smallest margins to another cluster",
    "random": "drawn at random",
}


@public
def plot_montage(
    clustering: Clustering,
    out: str | os.PathLike[str] | None = None,
    *,
    n_clusters: int = 20,
    n_images: int = 10,
    clusters: Iterable[int] | None = None,
    keywords: pd.DataFrame | None = None,
    order: str = "typical",
    seed: int = 0,
    labels: Mapping[int, str] | pd.DataFrame | None = None,
) -> Figure:
    """Draw images of clusters, a row per cluster: the paper's Figure 8.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images`.
    out : path, optional
        File for the figure, with a name that ends in .png, .pdf or .svg.
    n_clusters : int, default 20
        Number of clusters, the largest first. (The paper shows 20 at random.) If the clusters were
        grouped (:func:`group_clusters`), they are in the order of their themes, with a heading
        above the first of each.
    n_images : int, default 10
        Number of images per cluster, cropped to squares.
    clusters : sequence of int, optional
        Numbers of the clusters to show, in this order, instead of the largest; -1 is the
        residual.
    keywords : DataFrame, optional
        The result of :func:`cluster_keywords`: the first terms of each cluster are written
        under its size, instead of its share.
    order : {"typical", "atypical", "doubtful", "random"}, default "typical"
        Which images of each cluster, as in :func:`find_images`. (The paper's Figure 8 shows
        random ones, which give a fair impression of how coherent a cluster is.)
    seed : int, default 0
        Seed of ``order="random"``.
    labels : dict of int to str or DataFrame, optional
        Texts for clusters by their numbers, or a table with ``cluster`` and ``cluster_name``. By
        default the names that :func:`edit_clusters` gave. Beside names, clusters without one are
        called "Cluster 7"; without any names, numbers stand alone.

    Returns
    -------
    matplotlib.figure.Figure
        At 200 dots per inch an image is a square of 160 pixels. A note below says what the rows
        are and which images they show. Without clusters the residual is shown. A notebook shows
        and stores a smaller copy of at most a megabyte.

    Raises
    ------
    ImagestrataError
        If a cluster does not exist, or the file cannot be written.
    """
    rows = montage_rows(
        clustering,
        n_clusters=n_clusters,
        n_images=n_images,
        clusters=clusters,
        keywords=keywords,
        order=order,
        seed=seed,
        labels=labels,
    )
    check_same_run(clustering.images, out, "montage")
    return draw_tiles(rows, out)


def montage_rows(
    clustering: Clustering,
    *,
    n_clusters: int,
    n_images: int,
    clusters: Iterable[int] | None,
    keywords: pd.DataFrame | None,
    order: str,
    seed: int,
    labels: Mapping[int, str] | pd.DataFrame | None,
) -> PictureRows:
    """Check the arguments of :func:`plot_montage`, and choose its images."""
    check_clustering(clustering)
    n_clusters = check_int("n_clusters", n_clusters, minimum=1, maximum=MOST_ROWS)
    n_images = check_int("n_images", n_images, minimum=1, maximum=50)
    if clusters is not None:
        check_idle(f"with {arg('clusters')}, which names them", n_clusters=(n_clusters, 20))
    order, seed = check_choice("order", order, ORDERS), check_seed(seed)
    chosen = select_clusters(clustering, clusters)
    headings: dict[str, list[int]] = {}
    if clusters is None:
        # Edited clusters are not in the order of their sizes.
        chosen = largest_first(clustering)[:n_clusters] or [-1]
        headings = _themes(clustering, chosen)
        chosen = [number for numbers in headings.values() for number in numbers] or chosen
    if not 1 <= len(chosen) <= MOST_ROWS:
        raise ImagestrataError(
            f"{arg('clusters')} must name between 1 and {MOST_ROWS} clusters, not {len(chosen)}."
        )
    ranked = rank_images(clustering.images, chosen, order, seed)
    shown = ranked.groupby("cluster").head(n_images)
    sizes = clustering.images["cluster"].value_counts()
    terms = check_keywords(keywords, N_KEYWORDS)
    texts = cluster_labels(clustering, labels)
    words = {}
    for number in chosen:
        size = int(sizes[number])
        about = [shortened(term, _LETTERS) for term in terms.get(number, [])]
        about = about or [f"{size / len(clustering.images):.1%}"]
        words[number] = label_of(number, texts), "\n".join([plural(size, "image"), *about])
    above = {numbers[0]: name for name, numbers in headings.items()}
    which = "clusters"
    if clusters is None:
        which = "the largest clusters, by theme" if headings else "clusters, the largest first"
    note = _note(order, which, bool(terms))
    title = f"Images of {plural(len(chosen), 'cluster')}, in a row each"
    return PictureRows(shown, "cluster", words, n_images, note, title, above)


def _note(order: str, which: str, terms: bool) -> str:
    about = "their first terms" if terms else "their share of all images"
    return (
        f"Rows: {which}, with their number of images and {about}. "
        f"Images: {_ORDERS[order]}, cropped to squares."
    )


def _themes(clustering: Clustering, clusters: list[int]) -> dict[str, list[int]]:
    """The themes of some clusters by name, in order, with these clusters."""
    theme_of, names = pairs_of(clustering.clusters), names_of(clustering)
    found: dict[str, list[int]] = {}
    for number in sorted(clusters, key=lambda one: theme_of.get(one, len(names) + 1)):
        if theme_of:
            name = names.get(theme_of.get(number, 0), "In no theme")
            found.setdefault(name, []).append(number)
    return found
