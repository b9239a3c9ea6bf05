"""Images as points on a map: what the figure and the page have in common."""

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

#: Colours of clusters, legible as small dots on white and on black. More of them could not be told
#: apart: clusters share them, and carry their numbers.
PALETTE = (
    "#3b7dd8", "#e0822b", "#3a9d5d", "#c8504f", "#8a63c9", "#1a9bab", "#d164a4", "#9a7b3f",
)  # fmt: skip

#: The largest coordinate in a page: two bytes.
_LARGEST = 2**16 - 1


def check_points(points: Any, images: pd.DataFrame) -> NDArray[np.float64]:
    """Where the images lie on the map, of shape (n, 2), in the order of ``images``."""
    points = check_table("points", points, ("image_id", "x", "y"), "map_images")
    twice = points["image_id"][points["image_id"].duplicated()]
    if len(twice):
        raise ImagestrataError(
            f"{arg('points')} must have one row per image; {quote(twice.iloc[0])} comes "
            f"{(points['image_id'] == twice.iloc[0]).sum()} times."
        )
    found = points.set_index("image_id")[["x", "y"]].reindex(images["image_id"])
    try:
        places: NDArray[np.float64] = found.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise ImagestrataError(
            f"The columns x and y of {arg('points')} must hold numbers."
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
    """``"umap"`` or ``"pca"``, where the points say so."""
    methods = [*points["method"].unique()] if "method" in points else []
    return str(methods[0]) if len(methods) == 1 else None


def medians(
    places: NDArray[np.float64], clusters: pd.Series[int], numbers: Sequence[int]
) -> NDArray[np.float64]:
    """The median place of some clusters, of shape (len(numbers), 2)."""
    table = pd.DataFrame({"x": places[:, 0], "y": places[:, 1]}).groupby(clusters.to_numpy())
    return table.median().reindex([*numbers]).to_numpy(dtype=np.float64).reshape(-1, 2)


def spread_colours(places: NDArray[np.float64], n: int = len(PALETTE)) -> list[int]:
    """For each place in turn one of ``n`` colours, so that places of one colour lie far apart.

    Each takes a colour that is free yet, or the one whose nearest place is farthest
    away; of equals the first.
    """
    chosen: list[int] = []
    for i, place in enumerate(places):
        away = np.full(n, np.inf)
        np.minimum.at(away, chosen, np.linalg.norm(places[:i] - place, axis=1))
        chosen.append(int(away.argmax()))
    return chosen


def on_a_square(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moved and stretched, both ways alike, so that they just fill a square of side 1."""
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
    """The map as the page gets it; ``numbers`` are those of the clusters, without the residual.

    Only the points of some ``rows`` may be in it; labels stand where the medians of all are.
    Places are whole numbers from 0 to 65,535, of points as base64 of pairs of 16 bits, lowest
    byte first: 20,000 of them are 107 kB.
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
