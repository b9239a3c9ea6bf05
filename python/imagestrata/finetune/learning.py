"""Train a network, or a new last layer, on labelled images whose pictures are read once.

Each class reads all pictures when it is made; its method ``learn`` then trains with any split of
them, such as those of folds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.pictures import files_of
from ..embeddings.embed import embed_images
from ..encoders.base import Encoder
from ..encoders.registry import is_network, load_network, restore_encoder
from ..encoders.resize import decode_side
from ..encoders.saved import read_encoder, write_encoder
from ..engine import open_engine
from ..errors import ImagestrataError, plural, warn
from ..progress import Progress
from ..work import counted
from .labels import Labelled
from .model import outputs_to_probabilities
from .pictures import EYE_SIDE, Pictures, centre, read_pictures, training_picture, vary
from .task import Floats, first_bias

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from .training import Recipe, State, Trained

#: The network's own layers are fixed; only the new last layer is trained.
BACKBONE = "backbone"


@dataclass(eq=False)
class Learnt:
    """The results of training."""

    trained: Trained
    #: Weight and bias of the last layer.
    head: tuple[Floats, Floats]
    encoder: Mapping[str, Any]
    state: Mapping[str, NDArray[np.float32]]
    backbone: State | None
    #: Function that returns the encoder's input for a row; or the vectors of all rows.
    inputs: Callable[[int], NDArray[Any]] | NDArray[np.float32]

    def store(self, folder: Path) -> None:
        """Write the encoder."""
        write_encoder(folder, self.encoder, self.state, self.backbone)

    def probabilities(
        self, task: str, folder: Path, rows: NDArray[np.int64], device: str
    ) -> Floats:
        """Return the probabilities of some rows, computed by the encoder as it was stored."""
        vectors = self.inputs
        if callable(vectors):
            saved = read_encoder(folder)
            encoder = restore_encoder(saved.settings, saved.state, device=device)
            return outputs_to_probabilities(task, _encode(encoder, vectors, rows), self.head)
        return outputs_to_probabilities(task, vectors[rows], self.head)


class Learner(Protocol):
    """Reads the pictures of labelled images, and trains on them."""

    #: The images that could be read, with their perceptual hashes.
    labelled: Labelled

    def learn(
        self,
        split: NDArray[np.str_],
        checkpoints: Path | None,
        progress: Progress,
        advance: Callable[..., None] | None = None,
    ) -> Learnt:
        """Train with a split of the images.

        Parameters
        ----------
        split : ndarray of shape (n_images,)
            ``"train"``, ``"val"``; images with another name are not used.
        checkpoints : Path or None
            Folder for the state after each epoch.
        progress : bool or callable
        advance : callable, optional
            Shows the progress of several trainings; ``progress`` is then not used.
        """


class WholeNetwork:
    """Trains a network with a new last layer on pictures that vary in every epoch."""

    def __init__(
        self,
        labelled: Labelled,
        settings: dict[str, Any],
        weights: str | os.PathLike[str] | None,
        device: str,
        progress: Progress,
        engine: Any,
    ) -> None:
        from ..encoders.inference import pick_device, pick_dtype
        from .network import count_frozen

        self._settings, self._weights = settings, weights
        backbone, look = self._load()
        count_frozen(backbone, settings["encoder"], settings["freeze"])
        self._device = pick_device(device)
        self._dtype = pick_dtype(settings["precision"], self._device)
        self._pictures = Pictures()
        prepare = partial(training_picture, look=look)
        side = decode_side(look["resize"], look["short_side"])
        self.labelled = _read(labelled, prepare, self._pictures.append, side, progress, engine)

    def learn(
        self,
        split: NDArray[np.str_],
        checkpoints: Path | None,
        progress: Progress,
        advance: Callable[..., None] | None = None,
    ) -> Learnt:
        """See :class:`Learner`."""
        from .network import Network, count_frozen
        from .training import train, without_prefix

        settings, labelled = self._settings, self.labelled
        backbone, look = self._load()
        bias = first_bias(labelled.task, labelled.truth[split == "train"], settings["bias"])
        network = Network(
            backbone, look, bias,
            n_frozen=count_frozen(backbone, settings["encoder"], settings["freeze"]),
            batch_norm=settings["batch_norm"], dropout=settings["dropout"],
            seed=settings["seed"],
        )  # fmt: skip
        load = partial(
            _cut, self._pictures, look["input_size"], settings["augmentation"],
            settings["rotation"],
        )  # fmt: skip
        trained = train(
            network, load, labelled.task, labelled.truth, np.flatnonzero(split == "train"),
            np.flatnonzero(split == "val"), _recipe(settings), device=self._device,
            dtype=self._dtype, folder=checkpoints, progress=progress, advance=advance,
        )  # fmt: skip
        head = _head(trained.state["head.weight"], trained.state["head.bias"])
        precision = str(self._dtype).removeprefix("torch.")
        look |= {"precision": precision, "fine_tuned": labelled.labels}
        own = without_prefix("backbone.", trained.state)
        size, pictures = look["input_size"], self._pictures
        return Learnt(trained, head, look, {}, own, lambda row: centre(pictures[row], size))

    def _load(self) -> tuple[Any, dict[str, Any]]:
        settings = self._settings
        return load_network(settings["encoder"], weights=self._weights, resize=settings["resize"])


class LastLayer:
    """Trains a new layer on vectors that are computed once."""

    def __init__(
        self,
        labelled: Labelled,
        settings: dict[str, Any],
        weights: str | os.PathLike[str] | None,
        device: str,
        progress: Progress,
        engine: Any,
        vectors: Path | None = None,
    ) -> None:
        self._settings, self._weights = settings, weights
        self.labelled = _read(labelled, _nothing, lambda _: None, EYE_SIDE, progress, engine)
        given = {key: settings[key] for key in ("resize", "precision", "seed") if key in settings}
        self._embeddings = embed_images(
            self.labelled.images.assign(status="ok"), settings["encoder"], weights=weights,
            device=device, out=vectors, progress=progress, engine=engine, **given,
        )  # fmt: skip
        ids = self._embeddings.images["image_id"]
        rows = pd.Index(self.labelled.images["image_id"]).get_indexer(ids)
        self.labelled = self.labelled.select(rows)

    def learn(
        self,
        split: NDArray[np.str_],
        checkpoints: Path | None,
        progress: Progress,
        advance: Callable[..., None] | None = None,
    ) -> Learnt:
        """See :class:`Learner`."""
        import torch

        from .network import new_head
        from .training import train

        settings, labelled, embeddings = self._settings, self.labelled, self._embeddings
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
            dtype=torch.float32, folder=checkpoints, progress=progress, advance=advance,
        )  # fmt: skip
        weight, bias = _head(trained.state["weight"], trained.state["bias"])
        backbone = None
        if is_network(settings["encoder"]):
            network, _ = load_network(
                settings["encoder"], weights=self._weights, resize=settings["resize"]
            )
            backbone = dict(network.state_dict())
        return Learnt(
            trained, (weight * scale, bias - (weight * scale) @ mean), embeddings.encoder,
            embeddings.state, backbone, embeddings.matrix,
        )  # fmt: skip


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


def _recipe(settings: dict[str, Any]) -> Recipe:
    from .training import Recipe

    given = {"momentum": 0.0} | settings | {"patience": settings["early_stopping"]}
    return Recipe(**{each.name: given[each.name] for each in fields(Recipe)})


def _head(weight: torch.Tensor, bias: torch.Tensor) -> tuple[Floats, Floats]:
    return weight.numpy(), bias.numpy()
