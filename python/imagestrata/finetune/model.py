"""The class FineTunedModel: a fine-tuned network with its scores and predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.located import located
from ..embeddings.embeddings import Embeddings
from ..encoders.saved import FIRST_FOLD, fold_folder, model_folder, read_encoder
from ..errors import ImagestrataError, plural
from ..files import read_json, write_bytes, write_json, write_table
from ..provenance import read_table
from ..shown import Part, Shown
from ..wording import Name, arg, quote, verb
from .scores import MEASURES, confusion_table, score_table
from .split import FOLD, SPLITS
from .task import Floats, probabilities

_FORMAT = 1
_TABLES = ("history", "scores", "confusion", "predictions")

#: Weight (n_outputs, width) and bias (n_outputs,) of a last layer.
Head: TypeAlias = tuple[Floats, Floats]


class FineTunedModel(Shown):
    """A fine-tuned network, which :func:`imagestrata.fine_tune` returns.

    With ``folds``, it consists of one network per fold, each of which has not seen the labels of
    its fold.

    Attributes
    ----------
    task : str
        ``"binary"``, ``"multiclass"`` or ``"multilabel"``.
    labels : list of str
        Labels or classes that it assigns.
    history : DataFrame
        ``epoch``, ``split`` ("train", "val"), ``loss``, ``accuracy``, ``precision``,
        ``recall``, ``f1``. Values for "train" are computed on augmented pictures during the
        epoch. With folds, the column ``fold`` is the fold that the network leaves out.
    scores : DataFrame
        ``split``, ``label``, ``measure``, ``estimate``, ``conf_low``, ``conf_high``,
        ``n``: measures of the kept epoch, with 95% intervals (see
        :func:`~imagestrata.finetune.scores.score_table`). With folds, ``split`` is "fold", and
        the measures are those of all out-of-fold predictions together.
    folds : DataFrame or None
        With folds: ``label``, ``measure``, ``mean``, ``lowest``, ``highest`` over the folds, and
        ``n_folds``, in which the measure is defined. None without folds.
    confusion : DataFrame
        ``split``, ``label``, ``truth``, ``decision``, ``n``.
    predictions : DataFrame
        ``image_id``, ``path``, ``split``, ``label``, ``truth``, ``probability``,
        ``decision`` of all labelled images, with one row per image and label. With folds,
        ``split`` is "fold", and the prediction is that of the network that left out ``fold``.
    encoder : dict
        Settings that decide its vectors, including the weights' hash.
    training : dict
        Record of the training: arguments, the kept epoch, counts, versions.
    heads : list of tuple of ndarray
        Weight (n_outputs, width) and bias (n_outputs,) of the last layer of each network, which
        turns vectors into outputs: one, or one per fold.
    folder : Path
        Folder of its files: safetensors, JSON and Parquet, which run no code when read.
    summary : DataFrame
        One row: task, numbers of labels and of images by split, number of epochs, the kept
        epoch, and accuracy and F1 on the validation and test images; with folds, the numbers of
        folds and images, and accuracy and F1 of the out-of-fold predictions.
    """

    def __init__(
        self,
        task: str,
        labels: list[str],
        tables: Mapping[str, pd.DataFrame],
        heads: Sequence[Head],
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
        self.heads = list(heads)
        self.folds = tables.get("folds")

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
        n_folds = described.get("folds")
        try:
            names = _TABLES if n_folds is None else (*_TABLES, "folds")
            tables = {name: read_table(place / f"{name}.parquet") for name in names}
            tables["predictions"] = located(tables["predictions"], place.parent, "fine-tune")
            folders = network_folders(place, n_folds)
            if n_folds is None or len(folders) == 1:
                heads = _unstacked(load((place / "head.safetensors").read_bytes()))
            else:
                read = [load((one / "head.safetensors").read_bytes()) for one in folders]
                heads = [head for one in read for head in _unstacked(one)]
            return cls(
                described["task"],
                described["labels"],
                tables,
                heads,
                _encoder_of(folders),
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
    def networks(self) -> list[Path]:
        """Folders of the encoders: one for each fold, or one that they share."""
        return network_folders(self.folder, None if self.folds is None else len(self.heads))

    @property
    def summary(self) -> pd.DataFrame:
        """One row that summarises the model."""
        if self.folds is not None:
            return pd.DataFrame([self._over_folds()])
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
            line |= self._top(split)
        return pd.DataFrame([line])

    def _over_folds(self) -> dict[str, Any]:
        """Return the summary of a model with folds."""
        return {
            "task": self.task,
            "encoder": self.encoder["name"],
            "n_labels": len(self.labels),
            "n_folds": len(self.heads),
            "n_images": int(self.predictions["image_id"].nunique()),
            "epochs": int(self.history["epoch"].max()),
            **self._top(FOLD),
        }

    def _top(self, split: str) -> dict[str, float]:
        """Return accuracy and F1 of a split, for all labels together."""
        top = self.scores[self.scores["split"] == split].head(len(MEASURES))
        found = top.set_index("measure")["estimate"]
        return {f"{split}_{name}": found.get(name, np.nan) for name in ("accuracy", "f1")}

    def probabilities(self, embeddings: Embeddings) -> Floats:
        """Return the probability of every label, of shape (n_images, n_labels).

        With folds that share an encoder, it is the mean over the networks, for labelled images,
        too.

        Parameters
        ----------
        embeddings : Embeddings
            Result of ``embed_images(images, model=...)`` with this model.

        Raises
        ------
        ImagestrataError
            If another encoder made them.
        """
        self.check_vectors(embeddings)
        return np.asarray(self.by_network(embeddings.matrix).mean(axis=0), dtype=np.float32)

    def check_vectors(self, embeddings: Embeddings) -> None:
        """Raise an error if another encoder made the vectors."""
        if len(self.networks) > 1:
            read_encoder(self.folder)  # says that there are several networks
        for key in ("name", "weights_sha256", "resize", "state_sha256"):
            if embeddings.encoder.get(key) != self.encoder.get(key):
                raise ImagestrataError(
                    f"These embeddings were not made by this model: their {key} is "
                    f"{quote(embeddings.encoder.get(key))}, not {quote(self.encoder.get(key))}.",
                    f"Make them with {verb('embed_images', Name('images'), model=Name('model'))}, "
                    "or give the images.",
                )

    def by_network(self, matrix: NDArray[np.float32]) -> Floats:
        """Return the probabilities of each network, of shape (n_networks, n_images, n_labels).

        Parameters
        ----------
        matrix : ndarray of shape (n_images, width)
            Vectors of the encoder that all networks share; or those of the encoders of all
            networks, side by side.
        """
        width = self.heads[0][0].shape[1]
        shared = len(self.networks) == 1
        starts = [0 if shared else number * width for number in range(len(self.heads))]
        return np.stack(
            [
                outputs_to_probabilities(self.task, matrix[:, start : start + width], head)
                for start, head in zip(starts, self.heads, strict=True)
            ]
        )

    def _parts(self) -> list[Part]:
        line = self.summary.iloc[0]
        names = ", ".join(self.labels[:6]) + (", ..." if len(self.labels) > 6 else "")
        text = f"Fine-tuned {line['encoder']}: {self.task} ({names})\n"
        if self.folds is not None:
            row = self.scores.query("measure == 'accuracy'").iloc[0]
            over = self.folds.query("measure == 'accuracy'").iloc[0]
            return [
                f"{text}{plural(line['n_images'], 'image')} in {line['n_folds']} folds\n"
                f"out-of-fold accuracy {row['estimate']:.2f} (95% interval {row['conf_low']:.2f} "
                f"to {row['conf_high']:.2f}; in single folds {over['lowest']:.2f} to "
                f"{over['highest']:.2f})"
            ]
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


def network_folders(folder: Path, n_folds: int | None) -> list[Path]:
    """Return the folders of a model's encoders."""
    if n_folds is None or not (folder / FIRST_FOLD).is_dir():
        return [folder]
    return [fold_folder(folder, fold) for fold in range(1, n_folds + 1)]


def _encoder_of(folders: Sequence[Path]) -> dict[str, Any]:
    """Return the settings that decide the vectors; with several networks, of all of them."""
    settings = [read_encoder(folder).settings for folder in folders]
    if len(settings) == 1:
        return settings[0]
    own = ("weights", "weights_sha256")
    common = {name: value for name, value in settings[0].items() if name not in own}
    return common | {"folds_sha256": [one["weights_sha256"] for one in settings]}


def _unstacked(stored: Mapping[str, Any]) -> list[Head]:
    """Return one head, or the heads of all folds, which are stored one above the other."""
    weight, bias = stored["weight"], stored["bias"]
    return [(weight, bias)] if weight.ndim == 2 else [*zip(weight, bias, strict=True)]


def long_predictions(
    images: pd.DataFrame, labels: list[str], truth: Floats, probability: Floats, decision: Any
) -> pd.DataFrame:
    """Return the columns of ``images`` and the predictions, one row per image and label."""
    predictions = images.loc[images.index.repeat(len(labels))].reset_index(drop=True)
    return predictions.assign(
        label=labels * len(images),
        truth=pd.array(truth.ravel(), dtype="Float32").astype("Int8"),
        probability=probability.ravel(),
        decision=decision.ravel(),
    )


def outputs_to_probabilities(
    task: str, vectors: NDArray[np.float32], head: tuple[Floats, Floats]
) -> Floats:
    """Apply the last layer, and convert its outputs to probabilities."""
    weight, bias = head
    return probabilities(task, vectors @ weight.T + bias)


def judge(
    task: str, labels: list[str], split: NDArray[np.str_], truth: Floats, decision: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores and the confusion table of every split, or of the folds together."""
    scores, confusion = [], []
    for name in (*SPLITS, FOLD):
        rows = split == name
        if rows.any():
            given = task, labels, truth[rows], decision[rows]
            where = f" in the split {quote(name)}" if name != FOLD else ""
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
    heads: Sequence[Head],
    training: Mapping[str, Any],
    *,
    n_folds: int | None = None,
) -> None:
    """Store everything but the encoders; ``model.json`` is last and marks a complete model.

    The heads of folds that share an encoder are in one file; those of others are stored beside
    their encoders.
    """
    if n_folds is None:
        write_head(folder, heads[0])
    elif heads:
        weights, biases = zip(*heads, strict=True)
        write_head(folder, (np.stack(weights), np.stack(biases)))
    for name, table in tables.items():
        write_table(folder / f"{name}.parquet", table)
    described = {"format": _FORMAT, "task": task, "labels": labels, "training": dict(training)}
    if n_folds is not None:
        described["folds"] = n_folds
    write_json(folder / "model.json", described)


def write_head(folder: Path, head: Head) -> None:
    """Store a last layer, or several of the same shape."""
    from safetensors.numpy import save

    weight, bias = (np.ascontiguousarray(array, dtype=np.float32) for array in head)
    write_bytes(folder / "head.safetensors", save({"weight": weight, "bias": bias}))
