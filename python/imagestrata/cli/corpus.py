"""`scan`, `crop-faces`, `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import plural
from .options import (
    Engine,
    Exclude,
    Folder,
    Json,
    MinBytes,
    MinSide,
    NearDuplicates,
    Out,
    Overwrite,
    Quiet,
    RunFolder,
    Seed,
)
from .output import show
from .run_folder import scanned

if TYPE_CHECKING:
    import pandas as pd


def scan(
    folder: Folder,
    out: Out,
    min_bytes: MinBytes = 0,
    min_side: MinSide = 16,
    near_duplicates: NearDuplicates = None,
    exclude: Exclude = None,
    engine: Engine = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Look at every file: usable, a copy of another, or why not."""
    common = {"out": out, "overwrite": overwrite, "engine": engine}
    images = scan_folder(folder, min_bytes, min_side, near_duplicates, exclude, not quiet, common)
    show(_scan_summary(images), as_json, *scan_lines(images))


def crop_faces(
    run_folder: RunFolder,
    margin: Annotated[float, typer.Option(help="Added on each side, as a share.")] = 0.2,
    min_size: Annotated[int, typer.Option(help="Side of the smallest faces, in pixels.")] = 32,
    min_score: Annotated[float, typer.Option(help="Leave out faces less sure.")] = 0.0,
    size: Annotated[int | None, typer.Option(help="Shrink crops to this, in pixels.")] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the faces in the images of a run folder, and cut them out.

    Recognise people only with their consent, or public figures in their public role.
    """
    from ..corpus.faces import crop_faces as cut

    faces = cut(
        scanned(run_folder),
        run_folder,
        margin=margin,
        min_size=min_size,
        min_score=min_score,
        size=size,
        overwrite=overwrite,
        progress=not quiet,
    )
    found = faces.dropna(subset="crop")
    summary = {
        "n_images": int(faces["image_id"].nunique()),
        "n_with_face": int(found["image_id"].nunique()),
        "n_faces": len(found),
        "folder": str(run_folder / "faces"),
    }
    n = plural(int(faces["image_id"].nunique()), "image")
    said = f"{plural(len(found), 'face')} in {summary['n_with_face']} of {n}"
    show(summary, as_json, f"{said}: {summary['folder']}")


def demo(
    folder: Annotated[Path, typer.Argument(help="A new folder for the drawn images.")],
    n_images: Annotated[int, typer.Option(help="How many files.")] = 600,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Draw a folder of pictures to try things on."""
    from ..demo.corpus import draw_demo_corpus

    drawn = draw_demo_corpus(folder, n_images=n_images, seed=seed)
    show({"folder": str(drawn)}, as_json, f"Drew a demo corpus: {drawn}")


def scan_folder(
    folder: Path,
    min_bytes: int,
    min_side: int,
    near_duplicates: int | None,
    exclude: list[str] | None,
    progress: bool,
    common: dict[str, Any],
) -> pd.DataFrame:
    from ..corpus.scan import scan_images

    return scan_images(
        folder,
        min_bytes=min_bytes,
        min_side=min_side,
        near_duplicates=near_duplicates,
        exclude=exclude,
        progress=progress,
        **common,
    )


def _scan_summary(images: pd.DataFrame) -> dict[str, Any]:
    counts = images["status"].value_counts()
    rejected = images.loc[images["status"] == "rejected", "reason"]
    return {
        "n_files": len(images),
        "n_images": int(counts.get("ok", 0)),
        "n_duplicates": int(counts.get("duplicate", 0)),
        "n_rejected": int(counts.get("rejected", 0)),
        "rejected": rejected.value_counts().to_dict(),
    }


def scan_lines(images: pd.DataFrame) -> list[str]:
    found = _scan_summary(images)
    lines = [f"{plural(found['n_files'], 'file')}: {plural(found['n_images'], 'distinct image')}"]
    if found["n_duplicates"]:
        lines[0] += f", {plural(found['n_duplicates'], 'copy', 'copies')}"
    if found["n_rejected"]:
        reasons = ", ".join(f"{n} {reason}" for reason, n in found["rejected"].items())
        lines[0] += f", {found['n_rejected']} rejected ({reasons})"
    return lines
