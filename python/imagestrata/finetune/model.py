"""The class FineTunedModel: a fine-tuned network with its scores and predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.located import located
from ..embeddings.embeddings import Embeddings
from ..encoders.saved import model_folder, read_encoder
from ..errors import ImagestrataError, plural
from ..files import read_json, write_bytes, write_json, write_table
from ..provenance import read_table
from ..shown import Part, Shown
from ..wording import Name, arg, quote, verb
from .scores import MEASURES, confusion_table, score_table
from .split import SPLITS
from .task import Floats, probabilities

_FORMAT = 1
_TABLES = ("history", "scores", "confusion", "predictions")


class FineTunedModel(Shown):
    """A fine-tuned network, which :func:`imagestrata.fine_tune` returns.

    Attributes
    ----------
    task : str
        ``"binary"``, ``"multiclass"`` or ``"multilabel"``.
    labels : list of str
        Labels or classes that it assigns.
    history : DataFrame
        ``epoch``, ``split`` ("train", "val"), ``loss``, ``accuracy``, ``precision``,
        ``recall``, ``f1``. Values for "train" are computed on augmented pictures during the
        epoch.
    scores : DataFrame
        ``split``, ``label``, ``measure``, ``estimate``, ``conf_low``, ``conf_high``,
        ``n``: measures of the kept epoch, with 95% intervals (see
        :func:`~imagestrata.finetune.scores.score_table`).
    confusion : DataFrame
        ``split``, ``label``, ``truth``, ``decision``, ``n``.
    predictions : DataFrame
        ``image_id``, ``path``, ``split``, ``label``, ``truth``, ``probability``,
        ``decision`` of all labelled images, with one row per image and label.
    encoder : dict
        Settings that decide its vectors, including the weights' hash.
    training : dict
        Record of the training: arguments, the kept epoch, counts, versions.
    head : tuple of ndarray
        Weight (n_outputs, width) and bias (n_outputs,) of the last layer, which turns
        vectors into outputs.
    folder : Path
        Folder of its files: safetensors, JSON and Parquet, which run no code when read.
    summary : DataFrame
        One row: task, numbers of labels and of images by split, number of epochs, the kept
        epoch, and accuracy and F1 on the validation and test images.
    """

    def __init__(
        self,
        task: str,
        labels: list[str],
        tables: Mapping[str, pd.DataFrame],
        head: tuple[Floats, Floats],
        encoder: Mapping[str, Any],
        training: Mapping[str, Any],
        folder: Path,
    ) -> None:
        self.task = task
        self.labels = labels
        self.history, self.scores, self.confusion, self.predictions = (
            tables[name] for name in _TABLES
        )
        self.encoder = dict(encoder)
        self.training = dict(training)
        self.folder = folder
        self.head = head

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> FineTunedModel:
        """Read a model from the folder that you gave to ``fine_tune()`` as ``out``.

        Raises
        ------
        ImagestrataError
            If the folder contains no model, or the model is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        place = model_folder(folder)
        described = read_json(place / "model.json")
        try:
            head = load((place / "head.safetensors").read_bytes())
            tables = {name: read_table(place / f"{name}.parquet") for name in _TABLES}
            tables["predictions"] = located(tables["predictions"], place.parent, "fine-tune")
            return cls(
                described["task"],
                described["labels"],
                tables,
                (head["weight"], head["bias"]),
                read_encoder(place).settings,
                described["training"],
                place,
            )
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, ImagestrataError):
                raise
            raise ImagestrataError(
                f"The model in {quote(place)} is damaged or incomplete ({error}).",
                f"Copy it again, or train it again with {arg('overwrite', True)}.",
            ) from None

    @property
    def summary(self) -> pd.DataFrame:
        """One row that summarises the model."""
        sizes = self.predictions.drop_duplicates(["image_id", "split"])["split"].value_counts()
        line: dict[str, Any] = {
            "task": self.task,
            "encoder": self.encoder["name"],
            "n_labels": len(self.labels),
            **{f"n_{split}": int(sizes.get(split, 0)) for split in SPLITS},
            "epochs": int(self.history["epoch"].max()),
            "best_epoch": self.training["best_epoch"],
        }
        for split in SPLITS[1:]:
            top = self.scores[self.scores["split"] == split].head(len(MEASURES))
            found = top.set_index("measure")["estimate"]
            line |= {f"{split}_{name}": found.get(name, np.nan) for name in ("accuracy", "f1")}
        return pd.DataFrame([line])

    def probabilities(self, embeddings: Embeddings) -> Floats:
        """Return the probability of every label, of shape (n_images, n_labels).

        Parameters
        ----------
        embeddings : Embeddings
            Result of ``embed_images(images, model=...)`` with this model.

        Raises
        ------
        ImagestrataError
            If another encoder made them.
        """
        for key in ("name", "weights_sha256", "resize", "state_sha256"):
            if embeddings.encoder.get(key) != self.encoder.get(key):
                raise ImagestrataError(
                    f"These embeddings were not made by this model: their {key} is "
                    f"{quote(embeddings.encoder.get(key))}, not {quote(self.encoder.get(key))}.",
                    f"Make them with {verb('embed_images', Name('images'), model=Name('model'))}, "
                    "or give the images.",
                )
        return outputs_to_probabilities(self.task, embeddings.matrix, self.head)

    def _parts(self) -> list[Part]:
        line = self.summary.iloc[0]
        names = ", ".join(self.labels[:6]) + (", ..." if len(self.labels) > 6 else "")
        text = f"Fine-tuned {line['encoder']}: {self.task} ({names})\n"
        text += f"{plural(line['n_train'], 'image')} to train, {line['n_val']} to validate, "
        text += f"{line['n_test']} to test; epoch {line['best_epoch']} of {line['epochs']} is kept"
        for split in SPLITS[1:]:
            rows = self.scores.query("split == @split and measure == 'accuracy'")
            if len(rows):
                row = rows.iloc[0]
                text += (
                    f"\n{split:>4} accuracy {row['estimate']:.2f} "
                    f"(95% interval {row['conf_low']:.2f} to {row['conf_high']:.2f})"
                )
        return [text]


def outputs_to_probabilities(
    task: str, vectors: NDArray[np.float32], head: tuple[Floats, Floats]
) -> Floats:
    """Apply the last layer, and convert its outputs to probabilities."""
    weight, bias = head
    return probabilities(task, vectors @ weight.T + bias)


def judge(
    task: str, labels: list[str], split: NDArray[np.str_], truth: Floats, decision: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores and the confusion table of every split."""
    scores, confusion = [], []
    for name in SPLITS:
        rows = split == name
        if rows.any():
            given = task, labels, truth[rows], decision[rows]
            where = f" in the split {quote(name)}"
            scores.append(score_table(*given, where=where).assign(split=name))
            confusion.append(confusion_table(*given).assign(split=name))
    return tuple(  # type: ignore[return-value]
        pd.concat(tables, ignore_index=True)[["split", *tables[0].columns[:-1]]]
        for tables in (scores, confusion)
    )


def write_model(
    folder: Path,
    task: str,
    labels: list[str],
    tables: Mapping[str, pd.DataFrame],
    head: tuple[Floats, Floats],
    training: Mapping[str, Any],
) -> None:
    """Store everything but the encoder; ``model.json`` is last and marks a complete model."""
    from safetensors.numpy import save

    weight, bias = (np.ascontiguousarray(array, dtype=np.float32) for array in head)
    write_bytes(folder / "head.safetensors", save({"weight": weight, "bias": bias}))
    for name in (*_TABLES, "seen"):
        write_table(folder / f"{name}.parquet", tables[name])
    described = {"format": _FORMAT, "task": task, "labels": labels, "training": dict(training)}
    write_json(folder / "model.json", described)
