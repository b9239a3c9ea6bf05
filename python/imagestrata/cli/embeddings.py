"""`embed`, `reduce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import plural
from .options import (
    BatchSize,
    Encoder,
    Engine,
    Json,
    Model,
    Name,
    Overwrite,
    Precision,
    Quiet,
    Resize,
    RunFolder,
    Seed,
    Weights,
)
from .output import show
from .run_folder import placed, scanned

if TYPE_CHECKING:
    pass


def embed(
    run_folder: RunFolder,
    name: Name = None,
    encoder: Encoder = "resnet18",
    model: Model = None,
    weights: Weights = None,
    resize: Resize = "rescale_crop",
    precision: Precision = "auto",
    batch_size: BatchSize = None,
    seed: Seed = 0,
    engine: Engine = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Turn every distinct image of a run folder into a vector.

    With a name, these vectors lie beside those of the run, for clusters of their own.
    """
    from ..embeddings.embed import embed_images

    run_folder = placed(run_folder, name)
    images = scanned(run_folder)
    embeddings = embed_images(
        images,
        encoder,
        model=model,
        weights=weights,
        resize=resize,
        precision=precision,
        batch_size=batch_size,
        seed=seed,
        out=run_folder,
        overwrite=overwrite,
        engine=engine,
        progress=not quiet,
    )
    n, width = embeddings.matrix.shape
    summary = {
        "n_images": n,
        "width": width,
        "encoder": embeddings.encoder["name"],
        "n_failed": len(embeddings.failures),
    }
    show(
        summary,
        as_json,
        f"{plural(n, 'image')}, {plural(width, 'number')} each: {run_folder / 'embeddings'}",
    )


def reduce(
    run_folder: RunFolder,
    out: Annotated[Path, typer.Option("--out", help="A run folder for the reduced vectors.")],
    method: Annotated[str, typer.Option(help="pca or umap.")] = "pca",
    n_components: Annotated[
        float | None,
        typer.Option(help="Numbers per image, or (pca) a share of the variance; .8, umap 10."),
    ] = None,
    n_neighbors: Annotated[int, typer.Option(help="Neighbours of an image (umap).")] = 15,
    min_dist: Annotated[float, typer.Option(help="How near images may come (umap).")] = 0.0,
    metric: Annotated[
        str, typer.Option(help="Of umap: euclidean, cosine, correlation or manhattan.")
    ] = "euclidean",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Describe every image of a run folder with fewer numbers, in another run folder."""
    from ..embeddings.embeddings import Embeddings
    from ..embeddings.reduce import reduce_embeddings
    from ..provenance import require_step

    require_step(run_folder, "embed")
    reduced = reduce_embeddings(
        Embeddings.load(run_folder),
        method,
        n_components=n_components,
        n_neighbors=n_neighbors,
        min_dist=min_dist,
        metric=metric,
        seed=seed,
        out=out,
        overwrite=overwrite,
        progress=not quiet,
    )
    n, width = reduced.matrix.shape
    summary = {"n_images": n, "width": width, "encoder": reduced.encoder["name"]}
    show(
        summary,
        as_json,
        f"{plural(n, 'image')}, {plural(width, 'number')} each: {out / 'embeddings'}",
        f"Next: imagestrata cluster {out} --method hdbscan",
    )
