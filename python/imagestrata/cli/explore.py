"""`gallery`, `keywords`, `metadata`, `propose`, `find`, `coding-sheet`, `share`, `methods`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import imagestrata

from ..errors import ImagestrataError, plural
from ..wording import arg, quote
from .options import Map, Name, RunFolder, Settings, Texts
from .output import Said, records
from .posts import TABLE, linked_posts, required_posts
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
    """Write a page that shows the clusters of a run folder.

    With the posts of `imagestrata posts`, it has a timeline.
    """
    run_folder = placed(run_folder, name)
    words = run_folder / "keywords.csv"
    drawn = drawn_sample(run_folder)
    keywords = read_csv(words) if words.exists() else None
    clustering = load_clustering(run_folder)
    posts = linked_posts(run_folder, clustering)
    page = make_gallery(clustering, run_folder, drawn, settings, map, keywords, posts)
    return {"gallery": str(page)}, f"Open in a browser: {page.resolve().as_uri()}"


def keywords(
    run_folder: RunFolder,
    settings: Settings,
    texts: Texts = None,
) -> Said:
    """Find the typical words of each cluster of a run folder.

    The words come from your texts (--texts); without them from descriptions, from text in the
    images or from tags, in this order; with --unit post or author from the posts of `imagestrata
    posts`. `imagestrata gallery` shows the words.
    """
    from ..files import write_table

    clustering = load_clustering(run_folder)
    if texts is None and settings("cluster_keywords").get("unit", "image") != "image":
        table, source, column = required_posts(run_folder, clustering), "posts", "text"
    else:
        table, source, column = find_texts(run_folder, texts)
    usual = {"column": column, "separator": ";" if source == "tags" else None}
    words = imagestrata.cluster_keywords(clustering, table, **usual | settings("cluster_keywords"))
    write_table(run_folder / "keywords.csv", words)
    lines = [
        f"{cluster:>4}  {', '.join(group['term'])}" for cluster, group in words.groupby("cluster")
    ]
    return {"keywords": records(words)}, *lines


def metadata(
    run_folder: RunFolder,
    settings: Settings,
    metadata: Annotated[
        Path | None,
        typer.Option(
            help="A CSV file with image_id, path or file and your own columns, such as hashtags; "
            "to count posts also with post_id. By default RUN/posts.csv, or the scan."
        ),
    ] = None,
) -> Said:
    """Count hashtags, authors or days in each cluster of a run folder."""
    from ..files import write_table

    given = settings("cluster_metadata")
    if "column" not in given:
        raise ImagestrataError(
            f"{arg('column')} must name the column to count, such as hashtags or author."
        )
    clustering = load_clustering(run_folder)
    table = linked_posts(run_folder, clustering) if metadata is None else read_csv(metadata)
    if metadata is None and table is not None and given["column"] not in table:
        table = None
    counts = imagestrata.cluster_metadata(clustering, table, **given)
    write_table(run_folder / "metadata.csv", counts)
    lines = [
        f"{cluster:>4}  {', '.join(group['value'])}" for cluster, group in counts.groupby("cluster")
    ]
    return {"metadata": records(counts)}, *lines


def propose(
    run_folder: RunFolder,
    settings: Settings,
    name: Name = None,
    model: Annotated[
        str | None, typer.Option(help="A model on a server; without it, keywords are the names.")
    ] = None,
) -> Said:
    """Propose names for the clusters of a run folder, by keywords or by a model that sees them.

    Keywords are those of `imagestrata keywords`. `imagestrata edit RUN --accept all` accepts all
    proposals, and --accept 3 that of cluster 3.
    """
    from ..clustering.curated import to_edit

    run_folder = placed(run_folder, name)
    words = run_folder / "keywords.csv"
    keywords = read_csv(words) if words.exists() else None
    if keywords is None and model is None:
        raise ImagestrataError(
            f"{quote(run_folder)} contains no keywords.csv, whose words become names.",
            "Run `imagestrata keywords` first, or give a --model that sees the images.",
        )
    server = settings("ModelServer")
    by = "keywords" if model is None else imagestrata.ModelServer(model, **server)
    found = imagestrata.propose_names(
        to_edit(run_folder), by, keywords=keywords,
        **settings("propose_names", out=run_folder),
    ).proposals  # fmt: skip
    lines = found.to_string(index=False), f"Ledger: {run_folder / 'edits.csv'}"
    return {"proposals": records(found)}, *lines


def find(
    run_folder: RunFolder,
    settings: Settings,
    name: Name = None,
    like: Annotated[
        list[str] | None, typer.Option(help="A picture, or the image_id of an image of the run.")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="Words, for vectors of a clip: encoder.")
    ] = None,
) -> Said:
    """Find the images that are like a picture or like words, or the typical images of clusters."""
    clustering = load_clustering(placed(run_folder, name))
    found = imagestrata.find_images(
        clustering, like=like or None, text=text or None, **settings("find_images")
    )
    shown = [one for one in ("query", "cluster", "cluster_name", "rank", "similarity", "path")
             if one in found]  # fmt: skip
    return {"images": records(found)}, found[shown].round(3).to_string(index=False)


def group(run_folder: RunFolder, settings: Settings, name: Name = None) -> Said:
    """Group the clusters of a run folder into themes.

    Themes are named by the keywords of their clusters, if `imagestrata keywords` found any.
    """
    run_folder = placed(run_folder, name)
    words = run_folder / "keywords.csv"
    grouped = imagestrata.group_clusters(
        load_clustering(run_folder),
        keywords=read_csv(words) if words.exists() else None,
        **settings("group_clusters", out=run_folder),
    )
    picture = run_folder / "themes.png"
    imagestrata.plot_themes(grouped, picture)
    themes = grouped.themes
    lines = [
        f"{line['theme']:>4}  {line['theme_name']}: {plural(line['n_clusters'], 'cluster')}, "
        f"{plural(line['size'], 'image')} ({line['share']:.1%})"
        for line in themes.to_dict("records")
    ]
    return {"themes": records(themes)}, *lines, f"Tree: {picture}"


def coding_sheet(run_folder: RunFolder, settings: Settings) -> Said:
    """Write a page to label the most and the least certain images of each cluster."""
    given = settings("coding_sheet")
    if "codes" not in given:
        raise ImagestrataError(f"{arg('codes')} must name what to label, such as people=yes,no.")
    page = run_folder / "coding-sheet.html"
    clustering = load_clustering(run_folder)
    given["exclude"] = excluded_images(run_folder, given.get("exclude"), clustering.images)
    sheet = imagestrata.coding_sheet(clustering, page, **given)
    table = page.with_suffix(".csv")
    summary = {"n_images": len(sheet), "page": str(page), "table": str(table)}
    lines = f"{plural(len(sheet), 'image')} to label: {page}", f"For a spreadsheet program: {table}"
    return summary, *lines


def share(
    run_folder: RunFolder,
    out: Annotated[Path, typer.Argument(help="A new folder for the bundle.")],
    settings: Settings,
    ratings: Annotated[
        list[Path] | None, typer.Option(help="A file with ratings, as read_ratings() takes it.")
    ] = None,
) -> Said:
    """Write a folder with which others can check a study, without images, paths or names.

    With --thumbnails it contains small copies of the images, for colleagues who may see them.
    """
    rated = imagestrata.read_ratings([*ratings]) if ratings else None
    bundle = imagestrata.share_bundle(run_folder, out, ratings=rated, **settings("share_bundle"))
    return {"bundle": str(bundle)}, f"Bundle: {bundle}"


def methods(run_folder: RunFolder, settings: Settings) -> Said:
    """Write the methods paragraph of a paper from the records of a run folder and its posts."""
    linked = (run_folder / TABLE).exists()
    posts = linked_posts(run_folder, load_clustering(run_folder)) if linked else None
    text = imagestrata.methods_paragraph(run_folder, posts, **settings("methods_paragraph"))
    return {"methods": text}, text


def make_gallery(
    clustering: Clustering,
    run_folder: Path,
    drawn: pd.DataFrame | None,
    settings: Settings,
    map: str | None,
    keywords: pd.DataFrame | None = None,
    posts: pd.DataFrame | None = None,
) -> Path:
    """Write the gallery, a montage, the figures of the iterations and, if asked for, a map."""
    points = None
    about = settings("plot_montage")
    if isinstance(about.get("labels"), str):
        about["labels"] = read_csv(Path(about["labels"]))
    if map is not None:
        points = imagestrata.map_images(embedded(run_folder), map, **settings("map_images"))
        imagestrata.plot_map(
            clustering, points, run_folder / "map.png", keywords=keywords,
            labels=about.get("labels"),
        )  # fmt: skip
    montage = run_folder / "montage.png"
    imagestrata.plot_montage(clustering, montage, keywords=keywords, **about)
    if len(clustering.trace) > 1:
        imagestrata.plot_trace(clustering, run_folder / "trace.png")
    if len(clustering.searches):
        imagestrata.plot_trace(clustering, run_folder / "searches.png", type="searches")
    return imagestrata.image_gallery(
        clustering, run_folder, sample=drawn, keywords=keywords, points=points, posts=posts,
        **settings("image_gallery"),
    )  # fmt: skip
