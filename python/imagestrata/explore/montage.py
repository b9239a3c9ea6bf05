"""One picture of a clustering: a row of images per cluster."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..clustering.clustering import (
    Clustering,
    check_clustering,
    check_same_run,
    rank_images,
    select_clusters,
)
from ..errors import ImagestrataError
from ..validate import check_idle, check_int
from ..verbs import public
from ..wording import arg
from .figure import figure
from .keywords import check_keywords
from .tiles import DPI, MOST_ROWS, draw_canvas, tile_canvas

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Terms beside a row, and letters of each that there is room for.
N_KEYWORDS, _LETTERS = 2, 15


@public
def plot_montage(
    clustering: Clustering,
    out: str | os.PathLike[str] | None = None,
    *,
    n_clusters: int = 20,
    n_images: int = 10,
    clusters: Iterable[int] | None = None,
    keywords: pd.DataFrame | None = None,
) -> Figure:
    """Draw the most typical images of clusters, a row per cluster: the paper's Figure 8.

    Parameters
    ----------
    clustering : Clustering
        What :func:`cluster_images` returned.
    out : path, optional
        Where to store the figure: a name ending in .png, .pdf or .svg.
    n_clusters : int, default 20
        How many clusters, the largest first. (The paper shows 20 at random.)
    n_images : int, default 10
        Images per cluster, cut to squares, the highest silhouette first.
    clusters : sequence of int, optional
        Numbers of the clusters to show, in this order, in place of the
        largest; -1 is the residual.
    keywords : DataFrame, optional
        What :func:`cluster_keywords` returned: the first terms of each cluster
        stand under its size, in place of its share.

    Returns
    -------
    matplotlib.figure.Figure
        At 200 dots per inch an image is a square of 160 pixels. Where there
        are no clusters at all, the residual is shown. A notebook shows and keeps a
        smaller copy of at most a megabyte.

    Raises
    ------
    ImagestrataError
        If a cluster does not exist, or the file cannot be written.
    """
    check_clustering(clustering)
    n_clusters = check_int("n_clusters", n_clusters, minimum=1, maximum=MOST_ROWS)
    n_images = check_int("n_images", n_images, minimum=1, maximum=50)
    if clusters is not None:
        check_idle(f"with {arg('clusters')}, which names them", n_clusters=(n_clusters, 20))
    chosen = select_clusters(clustering, clusters)
    if clusters is None:
        chosen = chosen[:n_clusters] or [-1]
    if not 1 <= len(chosen) <= MOST_ROWS:
        raise ImagestrataError(
            f"{arg('clusters')} must name between 1 and {MOST_ROWS} clusters, not {len(chosen)}."
        )
    check_same_run(clustering.images, out, "montage")
    shown = rank_images(clustering.images, chosen).groupby("cluster").head(n_images)
    canvas = tile_canvas(shown, "cluster", chosen, n_images)
    sizes = clustering.images["cluster"].value_counts()
    terms = check_keywords(keywords, N_KEYWORDS)
    words = []
    for number in chosen:
        size = int(sizes[number])
        images = "image" if size == 1 else "images"
        share = 100 * size / len(clustering.images)
        name = "Residual" if number == -1 else str(number)
        about = [_fitting(term) for term in terms.get(number, [])] or [f"{share:.1f}%"]
        words.append((name, "\n".join([f"{size:,} {images}", *about])))
    with figure(canvas.shape[1] / DPI, canvas.shape[0] / DPI, out, dpi=DPI) as drawn:
        draw_canvas(drawn.add_axes((0, 0, 1, 1)), canvas, words)
    return drawn


def _fitting(term: str) -> str:
    return term if len(term) <= _LETTERS else term[: _LETTERS - 1] + "…"
