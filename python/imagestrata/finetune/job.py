"""Make a stored model from labelled images and settings: read, split, train, evaluate."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.pictures import files_of
from ..corpus.scan import from_scan
from ..embeddings.embed import embed_images
from ..embeddings.parts import encoder_key
from ..encoders.base import Encoder
from ..encoders.registry import is_network, load_network, restore_encoder
from ..encoders.resize import decode_side
from ..encoders.saved import read_encoder, write_encoder
from ..engine import open_engine
from ..errors import ImagestrataError, plural, warn
from ..files import ensure_folder
from ..progress import Progress
from ..provenance import Step, versions
from ..wording import arg
from ..work import counted
from .labels import Labelled
from .model import FineTunedModel, judge, outputs_to_probabilities, write_model
from .pictures import EYE_SIDE, Pictures, centre, groups_of, read_pictures, training_picture, vary
from .seen import seen_images
from .split import SPLITS, split_images
from .task import Floats, decide, first_bias

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from .training import Recipe, State, Trained

#: The network's own layers are fixed; only the new last layer is trained.
BACKBONE = "backbone"

#: Threshold of probabilities, unless thresholds are calibrated.
HALF = 0.5


@dataclass(eq=False)
class _Learnt:
    """The results of training."""

    labelled: Labelled
    #: Name of each image's split.
    split: NDArray[np.str_]
    trained: Trained
    #: Weight and bias of the last layer.
    head: tuple[Floats, Floats]
    encoder: Mapping[str, Any]
    state: Mapping[str, NDArray[np.float32]]
    backbone: State | None
    #: Function that returns the encoder's input for a row; or the vectors of all rows.
    inputs: Callable[[int], NDArray[Any]] | NDArray[np.float32]


def fine_tune_labelled(
    labelled: Labelled,
    settings: dict[str, Any],
    weights: str | os.PathLike[str] | None,
    *,
    device: str,
    test: bool,
    out: str | os.PathLike[str] | None,
    overwrite: bool,
    progress: Progress,
    engine: Any = None,
    vectors: Path | None = None,
) -> FineTunedModel:
    """Train and evaluate a model, with checked settings.

    The parameters are those of :func:`imagestrata.fine_tune`, and:

    Parameters
    ----------
    test : bool
        Evaluate the test images too.
    vectors : Path, optional
        Folder in which vectors of a frozen backbone are stored for other models.
    """
    step = Step(
        out, "fine-tune", settings | {"test": test}, inputs=labelled.fingerprint(),
        made_from=from_scan(out, labelled.images["image_id"].unique()), overwrite=overwrite,
    )  # fmt: skip
    checkpoints = None if step.parts is None else step.parts.folder

    def make_in(place: Path) -> FineTunedModel:
        folder = place / "model"
        shutil.rmtree(folder, ignore_errors=True)
        ensure_folder(folder)
        if settings["freeze"] == BACKBONE:
            learnt = _learn_head(
                labelled, settings, weights, device, vectors, checkpoints, progress, engine
            )
        else:
            learnt = _learn_all(labelled, settings, weights, device, checkpoints, progress, engine)
        _store(folder, learnt, settings, device, test)
        return FineTunedModel.load(folder)

    def make() -> FineTunedModel:
        """Make the model, which is always stored: without a run folder, in a temporary one."""
        if step.folder is not None:
            return make_in(step.folder)
        lent = Path(tempfile.mkdtemp(prefix="imagestrata-"))
        try:
            model = make_in(lent)
        except BaseException:
            shutil.rmtree(lent, ignore_errors=True)
            raise
        weakref.finalize(model, shutil.rmtree, lent, ignore_errors=True)
        return model

    return step.result(
        FineTunedModel.load,
        make,
        lambda model, _: {"best_epoch": model.training["best_epoch"], **model.training["images"]},
        identity=lambda model: encoder_key(model.encoder),
    )


def _learn_all(
    labelled: Labelled,
    settings: dict[str, Any],
    weights: str | os.PathLike[str] | None,
    device: str,
    checkpoints: Path | None,
    progress: Progress,
    engine: Any,
) -> _Learnt:
    """Train a network with a new last layer on pictures that vary in every epoch."""
    from ..encoders.inference import pick_device, pick_dtype
    from .network import Network, count_frozen
    from .training import train, without_prefix

    name = settings["encoder"]
    backbone, look = load_network(name, weights=weights, resize=settings["resize"])
    n_frozen = count_frozen(backbone, name, settings["freeze"])
    place = pick_device(device)
    dtype = pick_dtype(settings["precision"], place)
    pictures = Pictures()
    prepare = partial(training_picture, look=look)
    side = decode_side(look["resize"], look["short_side"])
    labelled = _read(labelled, prepare, pictures.append, side, progress, engine)
    split = _split(labelled, settings)
    bias = first_bias(labelled.task, labelled.truth[split == "train"], settings["bias"])
    network = Network(
        backbone, look, bias, n_frozen=n_frozen, batch_norm=settings["batch_norm"],
        dropout=settings["dropout"], seed=settings["seed"],
    )  # fmt: skip
    load = partial(
        _cut, pictures, look["input_size"], settings["augmentation"], settings["rotation"]
    )
    trained = train(
        network, load, labelled.task, labelled.truth, np.flatnonzero(split == "train"),
        np.flatnonzero(split == "val"), _recipe(settings), device=place, dtype=dtype,
        folder=checkpoints, progress=progress,
    )  # fmt: skip
    head = _head(trained.state["head.weight"], trained.state["head.bias"])
    look |= {"precision": str(dtype).removeprefix("torch."), "fine_tuned": labelled.labels}
    own = without_prefix("backbone.", trained.state)
    size = look["input_size"]
    return _Learnt(
        labelled, split, trained, head, look, {}, own, lambda row: centre(pictures[row], size)
    )


def _learn_head(
    labelled: Labelled,
    settings: dict[str, Any],
    weights: str | os.PathLike[str] | None,
    device: str,
    vectors: Path | None,
    checkpoints: Path | None,
    progress: Progress,
    engine: Any,
) -> _Learnt:
    """Train a new layer on vectors that are computed once."""
    import torch

    from .network import new_head
    from .training import train

    given = {key: settings[key] for key in ("resize", "precision", "seed") if key in settings}
    labelled = _read(labelled, _nothing, lambda _: None, EYE_SIDE, progress, engine)
    split = _split(labelled, settings)
    embeddings = embed_images(
        labelled.images.assign(status="ok"), settings["encoder"], weights=weights, device=device,
        out=vectors, progress=progress, engine=engine, **given,
    )  # fmt: skip
    labelled, split = _aligned(labelled, split, embeddings.images["image_id"])
    training = split == "train"
    # Vectors are standardised, so that one learning rate suits all encoders.
    mean = embeddings.matrix[training].mean(axis=0)
    sd = embeddings.matrix[training].std(axis=0)
    scale = np.where(sd > 0, 1 / np.maximum(sd, 1e-12), 1).astype(np.float32)
    inputs = torch.from_numpy((embeddings.matrix - mean) * scale)
    bias = first_bias(labelled.task, labelled.truth[training], settings["bias"])
    head = new_head(inputs.shape[1], bias, settings["dropout"], settings["seed"])

    def load(rows: Sequence[int], training: bool) -> Callable[[], torch.Tensor]:
        del training
        return lambda: inputs[list(rows)]

    trained = train(
        head, load, labelled.task, labelled.truth, np.flatnonzero(training),
        np.flatnonzero(split == "val"), _recipe(settings), device=torch.device("cpu"),
        dtype=torch.float32, folder=checkpoints, progress=progress,
    )  # fmt: skip
    weight, bias = _head(trained.state["weight"], trained.state["bias"])
    backbone = None
    if is_network(settings["encoder"]):
        network, _ = load_network(settings["encoder"], weights=weights, resize=settings["resize"])
        backbone = dict(network.state_dict())
    return _Learnt(
        labelled, split, trained, (weight * scale, bias - (weight * scale) @ mean),
        embeddings.encoder, embeddings.state, backbone, embeddings.matrix,
    )  # fmt: skip


def _store(
    folder: Path, learnt: _Learnt, settings: dict[str, Any], device: str, test: bool
) -> None:
    """Write the model with its predictions and scores."""
    write_encoder(folder, learnt.encoder, learnt.state, learnt.backbone)
    labelled = learnt.labelled
    shown = np.ones(len(learnt.split), dtype=bool) if test else learnt.split != "test"
    vectors = learnt.inputs
    if callable(vectors):
        saved = read_encoder(folder)
        encoder = restore_encoder(saved.settings, saved.state, device=device)
        vectors = _encode(encoder, vectors, np.flatnonzero(shown))
    else:
        vectors = vectors[shown]
    task, labels, truth = labelled.task, labelled.labels, labelled.truth[shown]
    split = learnt.split[shown]
    probability = outputs_to_probabilities(task, vectors, learnt.head)
    decision = decide(task, probability, np.full(len(labels), HALF, dtype=np.float32))
    scores, confusion = judge(task, labels, split, truth, decision)
    images = labelled.images.loc[shown, ["image_id", "path"]].assign(split=split)
    predictions = images.loc[images.index.repeat(len(labels))].reset_index(drop=True)
    predictions = predictions.assign(
        label=labels * len(images),
        truth=pd.array(truth.ravel(), dtype="Float32").astype("Int8"),
        probability=probability.ravel(),
        decision=decision.ravel(),
    )
    counts = {name: int((learnt.split == name).sum()) for name in SPLITS}
    training = {
        "settings": settings,
        "best_epoch": learnt.trained.best_epoch,
        "images": counts,
        "tested": test and counts["test"] > 0,
        "data": labelled.fingerprint(),
        "versions": versions(),
    }
    tables = {
        "history": learnt.trained.history,
        "scores": scores,
        "confusion": confusion,
        "predictions": predictions,
        "seen": seen_images(labelled.images.assign(split=learnt.split)),
    }
    write_model(folder, task, labels, tables, learnt.head, training)


def _read(
    labelled: Labelled,
    prepare: Callable[..., NDArray[Any]],
    keep: Callable[[NDArray[Any]], None],
    side: int | None,
    progress: Progress,
    engine: Any,
) -> Labelled:
    """Decode all pictures; return the readable ones, with their perceptual hashes."""
    files = files_of(labelled.images)
    kept, eyes, reasons = read_pictures(files, prepare, keep, side, progress, engine)
    if reasons:
        n_files = plural(len(files), "labelled image")
        message = f"{reasons.total()} of {n_files} could not be read: {counted(reasons)}"
        if not kept:
            raise ImagestrataError(f"{message}.", "Scan the images again.")
        warn(f"{message}; they are left out.")
    readable = labelled.select(kept)
    readable.images = readable.images.assign(eye=eyes)
    return readable


def _nothing(_: Image.Image) -> NDArray[Any]:
    return np.empty(0)


def _split(labelled: Labelled, settings: dict[str, Any]) -> NDArray[np.str_]:
    """Return the user's splits, or random ones, and check that each has images of both kinds."""
    given = "split" in labelled.images
    if given:
        split = labelled.images["split"].to_numpy(dtype=str)
    else:
        groups = groups_of(labelled.images["eye"].to_numpy())
        split = split_images(labelled.truth, groups, settings["split"], settings["seed"])
    for name in SPLITS:
        wanted = name != "test" or (not given and settings["split"][2] > 0) or name in split
        rows = labelled.truth[split == name]
        short = [
            label
            for label, column in zip(labelled.labels, rows.T, strict=True)
            if not ((column == 1).any() and (column == 0).any())
        ]
        if not wanted or not short:
            continue
        message = (
            f"The split {name!r} ({plural(len(rows), 'image')}) lacks images with or without "
            f"{', '.join(map(repr, short[:5]))}{', ...' if len(short) > 5 else ''}"
        )
        if name == "train" or not len(rows):
            raise ImagestrataError(
                f"{message}.",
                "Label more images of that kind, or change "
                f"{arg('split')}{' (the column of your labels)' if given else ''}.",
            )
        warn(f"{message}: its measures are missing or unreliable.")
    return split


def _cut(
    pictures: Pictures,
    size: int,
    augmentation: str,
    rotation: float,
    rows: Sequence[int],
    training: bool,
) -> Callable[[], torch.Tensor]:
    """Draw the random variation of a batch, and return a function that cuts its squares."""
    import torch

    how = (augmentation, rotation) if training else ("none", 0.0)
    cuts = [vary(pictures[row], size, *how) for row in rows]
    return lambda: torch.from_numpy(np.stack([cut() for cut in cuts]))


def _encode(
    encoder: Encoder, inputs: Callable[[int], NDArray[Any]], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Compute the vectors of some rows as :func:`imagestrata.embed_images` does."""
    size = encoder.batch_size
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    with open_engine() as engine:
        encoded = engine.map(lambda batch: encoder.encode([inputs(row) for row in batch]), batches)
        return np.concatenate([*encoded])


def _aligned(
    labelled: Labelled, split: NDArray[np.str_], image_ids: pd.Series[str]
) -> tuple[Labelled, NDArray[np.str_]]:
    """Return the images in the order of their vectors."""
    rows = pd.Index(labelled.images["image_id"]).get_indexer(image_ids)
    return labelled.select(rows), split[rows]


def _recipe(settings: dict[str, Any]) -> Recipe:
    from .training import Recipe

    given = {"momentum": 0.0} | settings | {"patience": settings["early_stopping"]}
    return Recipe(**{each.name: given[each.name] for each in fields(Recipe)})


def _head(weight: torch.Tensor, bias: torch.Tensor) -> tuple[Floats, Floats]:
    return weight.numpy(), bias.numpy()
