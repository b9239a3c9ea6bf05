"""`scan`, `extract-frames`, `relink`, `crop-faces`, `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import imagestrata

from ..errors import plural
from .options import Folder, Out, Pictures, RunFolder, Settings
from .output import Said
from .run_folder import pictures, scanned

if TYPE_CHECKING:
    import pandas as pd


def scan(images: Pictures, out: Out, settings: Settings, folder: Folder = None) -> Said:
    """Check every file: a usable image, a copy of another one, or rejected with a reason."""
    found = imagestrata.scan_images(pictures(images, folder), **settings("scan_images", out=out))
    return _scan_summary(found), *scan_lines(found)


def relink(
    run_folder: RunFolder,
    images: Annotated[
        list[Path], typer.Option(help="The folder in which the images are now; may be repeated.")
    ],
    settings: Settings,
) -> Said:
    """Find the images of a run folder that were moved, renamed or sorted into other folders."""
    places = imagestrata.relink(run_folder, images, **settings("relink"))
    counts = places["status"].value_counts()
    names = ("same", "moved", "missing", "extra")
    summary = {f"n_{name}": int(counts.get(name, 0)) for name in names}
    n_found = summary["n_same"] + summary["n_moved"]
    n_images = n_found + summary["n_missing"]
    return summary, (
        f"{n_found:,} of {plural(n_images, 'image')} found, {summary['n_moved']:,} of them moved; "
        f"{summary['n_missing']:,} missing; {plural(summary['n_extra'], 'other file')}"
    )


def extract_frames(
    videos: Annotated[
        Path,
        typer.Argument(
            help="A folder of videos, or a CSV file with one row per video: its `path` or `file`, "
            "and your own columns."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder of the frames.")],
    settings: Settings,
    folder: Folder = None,
) -> Said:
    """Write frames of videos as images, and frames.csv, which `run` and `scan` take."""
    from ..work import counted

    frames = imagestrata.extract_frames(
        pictures(videos, folder), **settings("extract_frames", out=out)
    )
    reasons = frames["reason"].dropna()
    summary: dict[str, Any] = {
        "n_videos": int(frames["video"].nunique()),
        "n_frames": int(frames["path"].notna().sum()),
        "not_used": reasons.value_counts().to_dict(),
        "table": str(out / "frames.csv"),
    }
    line = f"{plural(summary['n_frames'], 'frame')} of {plural(summary['n_videos'], 'video')}"
    if len(reasons):
        line += f"; {counted(reasons)}"
    return summary, f"{line}: {summary['table']}"


def crop_faces(run_folder: RunFolder, settings: Settings) -> Said:
    """Find the faces in the images of a run folder, and crop them.

    Identify people only with their consent, or public figures in their public role.
    """
    images = scanned(run_folder)
    faces = imagestrata.crop_faces(images, run_folder, **settings("crop_faces"))
    found = faces.dropna(subset="crop")
    summary: dict[str, Any] = {
        "n_images": int(faces["image_id"].nunique()),
        "n_with_face": int(found["image_id"].nunique()),
        "n_faces": len(found),
        "folder": str(run_folder / "faces"),
    }
    said = f"{plural(len(found), 'face')} in {summary['n_with_face']} of "
    return summary, f"{said}{plural(summary['n_images'], 'image')}: {summary['folder']}"


def demo(
    folder: Annotated[Path, typer.Argument(help="A new folder for the images.")],
    settings: Settings,
) -> Said:
    """Draw a folder of example images."""
    drawn = imagestrata.draw_demo_corpus(folder, **settings("draw_demo_corpus"))
    return {"folder": str(drawn)}, f"Drew a demo corpus: {drawn}"


def _scan_summary(images: pd.DataFrame) -> dict[str, Any]:
    counts = images["status"].value_counts()
    rejected = images.loc[images["status"] == "rejected", "reason"]
    return {
        "n_files": len(images),
        "n_images": int(counts.get("ok", 0)),
        "n_duplicates": int(counts.get("duplicate", 0)),
        "n_truncated": int((images["truncated"] & (images["status"] == "ok")).sum())
        if "truncated" in images  # runs of earlier versions have no such column
        else 0,
        "n_rejected": int(counts.get("rejected", 0)),
        "rejected": rejected.value_counts().to_dict(),
        "n_gone": int(images["gone"].sum()) if "gone" in images else 0,
    }


def scan_lines(images: pd.DataFrame) -> list[str]:
    found = _scan_summary(images)
    line = f"{plural(found['n_files'], 'file')}: {plural(found['n_images'], 'distinct image')}"
    if found["n_truncated"]:
        line += f" ({found['n_truncated']} truncated)"
    if found["n_duplicates"]:
        line += f", {plural(found['n_duplicates'], 'copy', 'copies')}"
    if found["n_rejected"]:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in found["rejected"].items())
        line += f", {found['n_rejected']} rejected: {reasons}"
    if found["n_gone"]:
        line += f"; {plural(found['n_gone'], 'file is', 'files are')} gone"
    return [line]
