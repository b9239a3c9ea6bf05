"""`gallery`, `keywords`, `coding-sheet`, `share`, `methods`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import imagestrata

from ..errors import ImagestrataError, plural
from ..wording import arg
from .options import Map, Name, RunFolder, Settings, Texts
from .output import Said, records
from .run_folder import (
    drawn_sample,
    embedded,
    excluded_images,
    find_texts,
    load_clustering,
    placed,
    read_csv,
)

if TYPE_CHECKING:
    import pandas as pd

    from ..clustering.clustering import Clustering


def gallery(
    run_folder: RunFolder,
    settings: Settings,
    name: Name = None,
    map: Map = None,
) -> Said:
    """Make the page that shows the clusters of a run folder."""
    run_folder = placed(run_folder, name)
    words = run_folder / "keywords.csv"
    drawn = drawn_sample(run_folder)
    keywords = read_csv(words) if words.exists() else None
    page = make_gallery(load_clustering(run_folder), run_folder, drawn, settings, map, keywords)
    return {"gallery": str(page)}, f"Open in a browser: {page.resolve().as_uri()}"


def keywords(
    run_folder: RunFolder,
    settings: Settings,
    texts: Texts = None,
) -> Said:
    """Find the words that are typical of each cluster of a run folder.

    Of descriptions, of text in the images, or of tags, whichever is there first; or of
    texts of yours. `imagestrata gallery` shows them.
    """
    from ..files import write_table

    clustering = load_clustering(run_folder)
    table, source, column = find_texts(run_folder, texts)
    usual = {"column": column, "separator": ";" if source == "tags" else None}
    words = imagestrata.cluster_keywords(clustering, table, **usual | settings("cluster_keywords"))
    write_table(run_folder / "keywords.csv", words)
    lines = [
        f"{cluster:>4}  {', '.join(group['term'])}" for cluster, group in words.groupby("cluster")
    ]
    return {"keywords": records(words)}, *lines


def coding_sheet(run_folder: RunFolder, settings: Settings) -> Said:
    """Write a page to code the most and the least certain images of each cluster."""
    given = settings("coding_sheet")
    if "codes" not in given:
        raise ImagestrataError(f"{arg('codes')} must say what is coded, such as people=yes,no.")
    page = run_folder / "coding-sheet.html"
    clustering = load_clustering(run_folder)
    given["exclude"] = excluded_images(run_folder, given.get("exclude"), clustering.images)
    sheet = imagestrata.coding_sheet(clustering, page, **given)
    table = page.with_suffix(".csv")
    summary = {"n_images": len(sheet), "page": str(page), "table": str(table)}
    lines = f"{plural(len(sheet), 'image')} to code: {page}", f"The same for a spreadsheet: {table}"
    return summary, *lines


def share(
    run_folder: RunFolder,
    out: Annotated[Path, typer.Argument(help="A new folder for the bundle.")],
    settings: Settings,
    ratings: Annotated[
        list[Path] | None, typer.Option(help="Files with ratings, as read_ratings() takes them.")
    ] = None,
) -> Said:
    """Write what others need to check a study, without pictures, paths or names."""
    rated = imagestrata.read_ratings([*ratings]) if ratings else None
    bundle = imagestrata.share_bundle(run_folder, out, ratings=rated, **settings("share_bundle"))
    return {"bundle": str(bundle)}, f"To be shared: {bundle}"


def methods(run_folder: RunFolder, settings: Settings) -> Said:
    """Write the paragraph on methods that a paper needs, from what a run folder records."""
    text = imagestrata.methods_paragraph(run_folder, **settings("methods_paragraph"))
    return {"methods": text}, text


def make_gallery(
    clustering: Clustering,
    run_folder: Path,
    drawn: pd.DataFrame | None,
    settings: Settings,
    map: str | None,
    keywords: pd.DataFrame | None = None,
) -> Path:
    """The page, and pictures of the typical images and of the map."""
    points = None
    if map is not None:
        points = imagestrata.map_images(embedded(run_folder), map, **settings("map_images"))
        imagestrata.plot_map(clustering, points, run_folder / "map.png", keywords=keywords)
    montage = run_folder / "montage.png"
    imagestrata.plot_montage(clustering, montage, keywords=keywords, **settings("plot_montage"))
    return imagestrata.image_gallery(
        clustering, run_folder, sample=drawn, keywords=keywords, points=points,
        **settings("image_gallery"),
    )  # fmt: skip
