"""What a figure of pictures consists of, for R, which draws it with ggplot2.

The pictures are squares of one size below each other in one PNG file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..explore.mistakes import mistake_rows
from ..explore.montage import montage_rows
from ..explore.tiles import PictureRows, make_tiles
from ..explore.tree import height_of_cut, themes_rows, tree_lines


def rows_of_montage(clustering: Any, file: str, side: float, **arguments: Any) -> dict[str, Any]:
    """Return the rows of :func:`imagestrata.plot_montage`."""
    return _rows(montage_rows(clustering, **arguments), file, side)


def rows_of_mistakes(model: Any, file: str, side: float, **arguments: Any) -> dict[str, Any]:
    """Return the rows of :func:`imagestrata.plot_mistakes`."""
    return _rows(mistake_rows(model, **arguments), file, side)


def rows_of_themes(clustering: Any, file: str, side: float, **arguments: Any) -> dict[str, Any]:
    """Return the rows and the tree of :func:`imagestrata.plot_themes`."""
    rows, shown, texts = themes_rows(clustering, **arguments)
    place = {number: row for row, number in enumerate(rows.clusters, start=1)}
    lines = tree_lines(clustering.tree, rows.spaced([*place.values()]))
    clusters = clustering.clusters.set_index("cluster").loc[rows.clusters].reset_index()
    return {
        "rows": pd.DataFrame(
            {
                "cluster": rows.clusters,
                "label": [texts.get(number, str(number)) for number in rows.clusters],
                "size": clusters["size"],
                "theme": rows.themes,
                "theme_name": clusters["theme_name"].astype(object),
            }
        ),
        "lines": pd.DataFrame(
            [(*line.heights, *line.places, line.theme) for line in lines],
            columns=["x", "xend", "y", "yend", "theme"],
        ).astype({"theme": "int64"} | dict.fromkeys(("x", "xend", "y", "yend"), "float64")),
        "images": _images(shown, shown["cluster"].map(place), file, side),
        "cut": height_of_cut(clustering.tree, len({*rows.themes})),
    }


def _rows(rows: PictureRows, file: str, side: float) -> dict[str, Any]:
    place = {value: row for row, value in enumerate(rows.words, start=1)}
    return {
        "rows": pd.DataFrame(
            {
                "label": [name for name, _ in rows.words.values()],
                "about": [about for _, about in rows.words.values()],
                "heading": pd.Series([rows.headings.get(value) for value in place], dtype=object),
            }
        ),
        "images": _images(rows.shown, rows.shown[rows.by].map(place), file, side),
        "n_images": rows.n_images,
        "note": rows.note,
    }


def _images(shown: pd.DataFrame, row: Any, file: str, side: float) -> pd.DataFrame:
    """The row and column of each image, counted from 1; their pictures are stored."""
    from PIL import Image

    if len(shown):
        tiles = np.vstack(make_tiles(shown, int(side)))
        Image.fromarray(tiles).save(file, "PNG", compress_level=1)
    columns = row.groupby(row).cumcount() + 1
    return pd.DataFrame(
        {
            "image_id": shown["image_id"].to_numpy(),
            "row": row.astype("int64").to_numpy(),
            "column": columns.to_numpy(),
        }
    )
