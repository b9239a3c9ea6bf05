"""`fine-tune`, `predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ImagestrataError, plural
from ..wording import arg, quote
from .options import (
    Decision,
    EarlyStopping,
    Encoder,
    Epochs,
    Folder,
    Freeze,
    Json,
    Labels,
    LearningRate,
    Momentum,
    Out,
    Overwrite,
    Precision,
    Quiet,
    Resize,
    Seed,
    Task,
    TrainingBatch,
    Weights,
)
from .output import records, show


def fine_tune(
    folder: Folder,
    out: Out,
    labels: Labels = None,
    task: Task = None,
    encoder: Encoder = "resnet18",
    weights: Weights = None,
    resize: Resize = "rescale_crop",
    freeze: Freeze = "none",
    learning_rate: LearningRate = 0.001,
    momentum: Momentum = 0.9,
    batch_size: TrainingBatch = 4,
    epochs: Epochs = 50,
    early_stopping: EarlyStopping = None,
    precision: Precision = "auto",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Teach a network your own labels.

    Interrupted, it goes on after the last epoch when the same command is run again.
    """
    from ..explore.training import plot_training
    from ..finetune.fine_tune import fine_tune as teach

    model = teach(
        folder,
        labels,
        task,
        encoder=encoder,
        weights=weights,
        resize=resize,
        freeze=int(freeze) if freeze.isdigit() else freeze,
        learning_rate=learning_rate,
        momentum=momentum,
        batch_size=batch_size,
        epochs=epochs,
        early_stopping=early_stopping,
        precision=precision,
        seed=seed,
        out=out,
        overwrite=overwrite,
        progress=not quiet,
    )
    plot_training(model, out / "training.png")
    summary = records(model.summary)[0]
    show(summary, as_json, str(model), f"The course of training: {out / 'training.png'}")


def predict(
    folder: Folder,
    model: Annotated[Path, typer.Option(help="What `imagestrata fine-tune` wrote.")],
    out: Annotated[Path, typer.Option("--out", help="The CSV file to write.")],
    threshold: Decision = "0.5",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Label images with a fine-tuned network."""
    from ..files import make_folder, write_table
    from ..finetune.predict import CALIBRATED, predict_labels

    try:
        given = threshold if threshold == CALIBRATED else float(threshold)
    except ValueError:
        raise ImagestrataError(
            f"{arg('threshold')} must be a number or {quote(CALIBRATED)}, not {quote(threshold)}."
        ) from None
    target = out.with_suffix(".csv")
    make_folder(target.parent)
    table = predict_labels(folder, model, threshold=given, progress=not quiet)
    write_table(target, table)
    counts = table.loc[table["decision"].fillna(False).astype(bool), "label"].value_counts()
    found = {str(label): int(n) for label, n in counts.items()}
    n = int(table["image_id"].nunique())
    said = ", ".join(f"{label} {n}" for label, n in found.items()) or "no label"
    show(
        {"n_images": n, "labels": found},
        as_json,
        f"{plural(n, 'image')}: {said}",
        f"All of it: {target}",
    )
