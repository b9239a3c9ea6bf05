"""One picture of a clustering: a row of images per cluster."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from ..clustering.clustering import Clustering
from ..validate import check_int
from .figure import INK, SOFT, figure
from .find import check_clustering, rank_images, select_clusters
from .thumbnails import N_THREADS, Failure, load_image

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from PIL import Image

#: Pixels: a tile, the space between tiles, the space around them and for the labels.
TILE, GAP, MARGIN, LABELS = 160, 8, 40, 200
_DPI = 200
_MOST_ROWS = 200  # matplotlib draws no more than 2^16 pixels high


def plot_montage(
    clustering: Clustering,
    path: str | os.PathLike[str] | None = None,
    *,
    n_clusters: int = 20,
    n_images: int = 10,
    clusters: Iterable[int] | None = None,
) -> Figure:
    """Draw the most typical images of clusters, a row per cluster: the paper's Figure 8.

    Parameters
    ----------
    clustering : Clustering
        What :func:`cluster_images` returned.
    path : path, optional
        Where to store the figure: a name ending in .png, .pdf or .svg.
    n_clusters : int, default 20
        How many clusters, the largest first. (The paper shows 20 at random.)
    n_images : int, default 10
        Images per cluster, cut to squares, the highest silhouette first.
    clusters : sequence of int, optional
        Numbers of the clusters to show, in this order, in place of the
        largest; -1 is the residual.

    Returns
    -------
    matplotlib.figure.Figure
        At 200 dots per inch an image is a square of 160 pixels. Where there
        are no clusters at all, the residual is shown.

    Raises
    ------
    ImagestrataError
        If a cluster does not exist, or the file cannot be written.
    """
    check_clustering(clustering)
    n_clusters = check_int("n_clusters", n_clusters, minimum=1, maximum=_MOST_ROWS)
    n_images = check_int("n_images", n_images, minimum=1, maximum=50)
    chosen = select_clusters(clustering, clusters)
    if clusters is None:
        chosen = chosen[:n_clusters] or [-1]
    check_int("the number of clusters", len(chosen), minimum=1, maximum=_MOST_ROWS)
    shown = rank_images(clustering.images, chosen).groupby("cluster").head(n_images)
    canvas = _canvas(shown, chosen, n_images)
    height, width = canvas.shape[:2]

    with figure(width / _DPI, height / _DPI, path, dpi=_DPI) as drawn:
        axes = drawn.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.imshow(canvas, extent=(0, width, height, 0), interpolation="none", aspect="auto")
        sizes = clustering.images["cluster"].value_counts()
        for row, number in enumerate(chosen):
            middle = _offset(row) + TILE / 2
            size = int(sizes[number])
            images = "image" if size == 1 else "images"
            share = 100 * size / len(clustering.images)
            name = "Residual" if number == -1 else str(number)
            axes.text(MARGIN, middle - 32, name, color=INK, fontsize=14, weight="bold", va="center")
            axes.text(
                MARGIN, middle + 24, f"{size:,} {images}\n{share:.1f}%",
                color=SOFT, fontsize=8.5, va="center", linespacing=1.4,
            )  # fmt: skip
    return drawn


def _offset(row: int) -> int:
    return MARGIN + row * (TILE + GAP)


def _canvas(shown: pd.DataFrame, clusters: list[int], n_images: int) -> np.ndarray[Any, Any]:
    """White pixels with the images pasted in: height x width x 3, uint8."""
    from ..corpus.decode import quiet

    height = _offset(len(clusters)) - GAP + MARGIN
    width = MARGIN + LABELS + n_images * (TILE + GAP) - GAP + MARGIN
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    row_of = {number: row for row, number in enumerate(clusters)}
    columns = shown.groupby("cluster").cumcount()
    with quiet(), ThreadPoolExecutor(N_THREADS) as pool:
        tiles = pool.map(_tile, shown["image_id"], shown["path"])
        for cluster, column, tile in zip(shown["cluster"], columns, tiles, strict=True):
            top = _offset(row_of[cluster])
            left = MARGIN + LABELS + column * (TILE + GAP)
            canvas[top : top + TILE, left : left + TILE] = np.asarray(tile)
    return canvas


def _tile(image_id: Any, path: Any) -> Image.Image:
    """The middle of an image as a square, or a grey square that says why there is none."""
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    image = load_image(str(image_id), path, TILE)
    if not isinstance(image, Failure):
        return ImageOps.fit(image, (TILE, TILE), Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (TILE, TILE), "#f3f4f5")
    text = "\n".join(image.reason.split())
    ImageDraw.Draw(tile).multiline_text(
        (TILE / 2, TILE / 2), text, fill=SOFT, anchor="mm", align="center",
        font=ImageFont.load_default(17),
    )  # fmt: skip
    return tile
