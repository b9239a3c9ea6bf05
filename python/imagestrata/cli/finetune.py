"""`fine-tune`, `predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import imagestrata

from ..errors import plural
from .options import Folder, Out, Pictures, Settings
from .output import Said, records
from .run_folder import pictures


def fine_tune(images: Pictures, out: Out, settings: Settings, folder: Folder = None) -> Said:
    """Train a network on your own labels.

    After an interruption, the same command continues behind the last finished epoch.
    """
    model = imagestrata.fine_tune(pictures(images, folder), **settings("fine_tune", out=out))
    imagestrata.plot_training(model, out / "training.png")
    course = f"Training curves: {out / 'training.png'}"
    return records(model.summary)[0], str(model), course


def predict(
    images: Pictures,
    model: Annotated[Path, typer.Option(help="The folder that `imagestrata fine-tune` wrote.")],
    out: Annotated[Path, typer.Option(help="The CSV file to write.")],
    settings: Settings,
    folder: Folder = None,
) -> Said:
    """Label images with a fine-tuned network."""
    from ..files import make_folder, write_table

    target = out.with_suffix(".csv")
    make_folder(target.parent)
    table = imagestrata.predict_labels(
        pictures(images, folder), model, **settings("predict_labels")
    )
    write_table(target, table)
    counts = table.loc[table["decision"].fillna(False).astype(bool), "label"].value_counts()
    found = {str(label): int(n) for label, n in counts.items()}
    n = int(table["image_id"].nunique())
    said = ", ".join(f"{label} {n}" for label, n in found.items()) or "no label"
    summary = {"n_images": n, "labels": found}
    return summary, f"{plural(n, 'image')}: {said}", f"Table: {target}"
