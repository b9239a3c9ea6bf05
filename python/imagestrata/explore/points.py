"""Images as points on a map, for the figure and the page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural
from ..tables import check_table
from ..wording import arg, quote

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Colours of clusters, visible as small dots on white and on black. More colours could not be
#: distinguished: clusters share them and have numbers.
PALETTE = (
    "#3b7dd8", "#e0822b", "#3a9d5d", "#c8504f", "#8a63c9", "#1a9bab", "#d164a4", "#9a7b3f",
)  # fmt: skip

#: The largest coordinate in a page, of two bytes.
_LARGEST = 2**16 - 1


def check_points(points: Any, images: pd.DataFrame) -> NDArray[np.float64]:
    """Places of the images on the map, of shape (n, 2), in the order of ``images``."""
    points = check_table("points", points, ("image_id", "x", "y"), "map_images")
    twice = points["image_id"][points["image_id"].duplicated()]
    if len(twice):
        raise ImagestrataError(
            f"{arg('points')} must have one row per image; {quote(twice.iloc[0])} occurs "
            f"{(points['image_id'] == twice.iloc[0]).sum()} times."
        )
    found = points.set_index("image_id")[["x", "y"]].reindex(images["image_id"])
    try:
        places: NDArray[np.float64] = found.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise ImagestrataError(
            f"The columns x and y of {arg('points')} must contain numbers."
        ) from None
    lost = np.flatnonzero(~np.isfinite(places).all(axis=1))
    if len(lost):
        raise ImagestrataError(
            f"{len(lost)} of {plural(len(images), 'image')} of the clustering have no place on "
            f"the map, {quote(images['image_id'].iloc[lost[0]])} for one.",
            "Map the embeddings that were clustered.",
        )
    return places


def map_method(points: pd.DataFrame) -> str | None:
    """``"umap"`` or ``"pca"``, if the points have a column ``method``."""
    methods = [*points["method"].unique()] if "method" in points else []
    return str(methods[0]) if len(methods) == 1 else None


def medians(
    places: NDArray[np.float64], clusters: pd.Series[int], numbers: Sequence[int]
) -> NDArray[np.float64]:
    """The median place of some clusters, of shape (len(numbers), 2)."""
    table = pd.DataFrame({"x": places[:, 0], "y": places[:, 1]}).groupby(clusters.to_numpy())
    return table.median().reindex([*numbers]).to_numpy(dtype=np.float64).reshape(-1, 2)


def spread_colours(places: NDArray[np.float64], n: int = len(PALETTE)) -> list[int]:
    """One of ``n`` colours for each place, so that places of one colour are far apart.

    Each place gets an unused colour, or the colour whose nearest place is farthest away;
    the first one in case of ties.
    """
    chosen: list[int] = []
    for i, place in enumerate(places):
        away = np.full(n, np.inf)
        np.minimum.at(away, chosen, np.linalg.norm(places[:i] - place, axis=1))
        chosen.append(int(away.argmax()))
    return chosen


def on_a_square(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places moved and scaled, equally in both directions, to a square of side 1."""
    low, high = places.min(axis=0), places.max(axis=0)
    side = float((high - low).max()) or 1.0
    return np.asarray((places - (low + high) / 2) / side + 0.5)


def map_content(
    places: NDArray[np.float64],
    clusters: pd.Series[int],
    numbers: Sequence[int],
    method: str | None,
    rows: NDArray[np.int64] | slice = slice(None),
) -> dict[str, Any]:
    """The data of the map on the page; ``numbers`` are those of clusters without the residual.

    The map can contain the points of some ``rows`` only; labels are at the medians of all
    points. Places are whole numbers from 0 to 65,535. Points are base64 of pairs of 16 bits,
    lowest byte first: 20,000 points have 107 kB.
    """
    whole = np.rint(on_a_square(places) * _LARGEST)
    centres = medians(whole, clusters, numbers)
    return {
        "points": base64.b64encode(whole[rows].astype("<u2").tobytes()).decode(),
        "method": method,
        "palette": PALETTE,
        "colours": spread_colours(centres),
        "labels": np.rint(centres).astype(int).tolist(),
    }
