"""`gallery`, `keywords`, `compare`, `coding-sheet`, `share`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import plural
from .options import Column, Json, MapMethod, Name, Overwrite, Quiet, RunFolder, Seed, Table
from .output import records, show
from .run_folder import (
    drawn_sample,
    excluded_ids,
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
    name: Name = None,
    map_method: MapMethod = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make the page that shows the clusters of a run folder."""
    run_folder = placed(run_folder, name)
    words = run_folder / "keywords.csv"
    drawn = drawn_sample(run_folder)
    keywords = read_csv(words) if words.exists() else None
    common = {"out": run_folder, "overwrite": overwrite}
    clustering = load_clustering(run_folder)
    points = None if map_method is None else _map(run_folder, map_method, seed, not quiet)
    page = make_gallery(clustering, drawn, not quiet, common, keywords, points)
    show({"gallery": str(page)}, as_json, f"Open in a browser: {page.resolve().as_uri()}")


def keywords(
    run_folder: RunFolder,
    texts: Table = None,
    column: Column = None,
    separator: Annotated[str | None, typer.Option(help='Between terms, such as ";".')] = None,
    n: Annotated[int, typer.Option("--n", help="Words per cluster.")] = 10,
    order: Annotated[str, typer.Option(help="ctfidf, frex or frequency.")] = "ctfidf",
    as_json: Json = False,
) -> None:
    """Find the words that are typical of each cluster of a run folder.

    Of descriptions, of text in the images, or of tags, whichever is there first; or of
    texts of yours. `imagestrata gallery` shows them.
    """
    from ..explore.keywords import cluster_keywords
    from ..files import write_table

    clustering = load_clustering(run_folder)
    table, source, found = find_texts(run_folder, texts)
    if source == "tags" and separator is None:
        separator = ";"
    words = cluster_keywords(
        clustering, table, column=column or found, separator=separator, n=n, order=order
    )
    write_table(run_folder / "keywords.csv", words)
    lines = [
        f"{cluster:>4}  {', '.join(group['term'])}" for cluster, group in words.groupby("cluster")
    ]
    show({"keywords": records(words)}, as_json, *lines)


def compare(
    run_folders: Annotated[
        list[Path], typer.Argument(help="Run folders of the same images, clustered differently.")
    ],
    out: Annotated[Path, typer.Option("--out", help="A folder for the tables.")],
    truth: Annotated[
        Path | None, typer.Option(help="A CSV file with image_id and label: the true classes.")
    ] = None,
    residual: Annotated[str, typer.Option(help="Residual images: alone or drop.")] = "alone",
    images: Annotated[str, typer.Option(help="same, or common: those in all folders.")] = "same",
    as_json: Json = False,
) -> None:
    """Compare the clusters of several run folders with each other."""
    from ..files import make_folder, write_table
    from ..finetune.labels import read_labels
    from ..validation.comparison import compare_clusterings

    found = compare_clusterings(
        truth=None if truth is None else read_labels(truth),
        residual=residual,
        images=images,
        **{str(folder): load_clustering(folder) for folder in run_folders},
    )
    folder = make_folder(out)
    for name in ("summary", "pairs", "flows"):
        write_table(folder / f"{name}.csv", getattr(found, name))
    summary = {"clusterings": records(found.summary), "pairs": records(found.pairs)}
    show(summary, as_json, str(found), f"Tables: {folder}")


def coding_sheet(
    run_folder: RunFolder,
    code: Annotated[
        list[str], typer.Option(help="What is coded: a name, or name=answer,answer. Repeat it.")
    ],
    n: Annotated[int, typer.Option("--n", help="Images at either end of each cluster.")] = 10,
    by: Annotated[str | None, typer.Option(help="probability, silhouette or distance.")] = None,
    warning: Annotated[str | None, typer.Option(help="Read before the first image.")] = None,
    exclude: Annotated[
        Path | None,
        typer.Option(help="Images to leave out: ids or paths, one a line, or a CSV table."),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a page to code the most and the least certain images of each cluster."""
    from ..annotation.coding import coding_sheet as write_sheet

    split = [one.partition("=") for one in code]
    page = run_folder / "coding-sheet.html"
    hidden = excluded_ids(run_folder, exclude)
    clustering = load_clustering(run_folder)
    sheet = write_sheet(
        clustering,
        page,
        {name: answers.split(",") if equals else None for name, equals, answers in split},
        n=n,
        by=by,
        warning=warning,
        exclude=sorted(hidden & {*clustering.images["image_id"]}),
        overwrite=overwrite,
        progress=not quiet,
    )
    table = page.with_suffix(".csv")
    show(
        {"n_images": len(sheet), "page": str(page), "table": str(table)},
        as_json,
        f"{plural(len(sheet), 'image')} to code: {page}",
        f"The same for a spreadsheet: {table}",
    )


def share(
    run_folder: RunFolder,
    out: Annotated[Path, typer.Argument(help="A new folder for the bundle.")],
    ratings: Annotated[
        list[Path] | None, typer.Option(help="Files with ratings, as read_ratings() takes them.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="A column of your own that goes along as it is.")
    ] = None,
    noise: Annotated[
        float | None, typer.Option(help="Noise on embeddings, as a share of their spread.")
    ] = None,
    projection: Annotated[
        int | None, typer.Option(help="Project embeddings at random to so many numbers.")
    ] = None,
    new_ids: Annotated[bool, typer.Option(help="Random ids; you keep the key.")] = False,
    key: Annotated[
        Path | None, typer.Option(help="The file for the key; default: beside the run folder.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write what others need to check a study, without pictures, paths or names."""
    from ..annotation.ratings import read_ratings
    from ..share.bundle import share_bundle

    bundle = share_bundle(
        run_folder,
        out,
        ratings=read_ratings([*ratings]) if ratings else None,
        columns=column,
        noise=noise,
        projection=projection,
        new_ids=new_ids,
        key=key,
        overwrite=overwrite,
    )
    show({"bundle": str(bundle)}, as_json, f"To be shared: {bundle}")


def methods(run_folder: RunFolder, as_json: Json = False) -> None:
    """Write the paragraph on methods that a paper needs, from what a run folder records."""
    from ..share.methods import methods_paragraph

    text = methods_paragraph(run_folder)
    show({"methods": text}, as_json, text)


def _map(run_folder: Path, method: str, seed: int, progress: bool) -> pd.DataFrame:
    from ..embeddings.embeddings import Embeddings
    from ..explore.map import map_images

    return map_images(Embeddings.load(run_folder), method, seed=seed, progress=progress)


def make_gallery(
    clustering: Clustering,
    drawn: pd.DataFrame | None,
    progress: bool,
    common: dict[str, Any],
    keywords: pd.DataFrame | None = None,
    points: pd.DataFrame | None = None,
) -> Path:
    from ..explore.gallery import image_gallery
    from ..explore.montage import plot_montage

    page = image_gallery(
        clustering, sample=drawn, keywords=keywords, points=points, progress=progress, **common
    )
    plot_montage(clustering, common["out"] / "montage.png", keywords=keywords)
    if points is not None:
        from ..explore.map import plot_map

        plot_map(clustering, points, common["out"] / "map.png", keywords=keywords)
    return page
