"""`embed`, `reduce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import imagestrata

from ..errors import plural
from .options import Name, RunFolder, Settings
from .output import Said
from .run_folder import embedded, placed, scanned

if TYPE_CHECKING:
    from ..embeddings.embeddings import Embeddings


def embed(run_folder: RunFolder, settings: Settings, name: Name = None) -> Said:
    """Turn every distinct image of a run folder into a vector.

    With --name, the vectors are stored as a variant of the run, for separate clusters.
    """
    run_folder = placed(run_folder, name)
    images = scanned(run_folder)
    embeddings = imagestrata.embed_images(images, **settings("embed_images", out=run_folder))
    return vectors_made(embeddings, run_folder, n_failed=len(embeddings.failures))


def reduce(
    run_folder: RunFolder,
    out: Annotated[Path, typer.Option(help="A run folder for the reduced vectors.")],
    settings: Settings,
) -> Said:
    """Reduce the vectors of a run folder to fewer numbers, in another run folder."""
    embeddings = embedded(run_folder)
    reduced = imagestrata.reduce_embeddings(embeddings, **settings("reduce_embeddings", out=out))
    said = vectors_made(reduced, out)
    return *said, f"Next: imagestrata cluster {out} --method hdbscan"


def vectors_made(embeddings: Embeddings, run_folder: Path, **more: Any) -> Said:
    """A summary of the vectors, and a line with their folder."""
    n, width = embeddings.matrix.shape
    summary = {"n_images": n, "width": width, "encoder": embeddings.encoder["name"], **more}
    line = f"{plural(n, 'image')}, {plural(width, 'number')} each: {run_folder / 'embeddings'}"
    return summary, line
