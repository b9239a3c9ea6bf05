"""Fine-tune a network on your own categories."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..corpus.scan import check_images, scan_images
from ..encoders.registry import (
    DEFAULT_ENCODER,
    DEFAULT_RESIZE,
    deciding_arguments,
    is_network,
    load_network,
)
from ..errors import ImagestrataError
from ..progress import Progress
from ..provenance import find_step
from ..validate import (
    check_bool,
    check_choice,
    check_float,
    check_idle,
    check_int,
    check_path,
    check_seed,
    expand_home,
)
from ..verbs import public
from ..wording import arg, quote
from .folds import FEWEST, MOST
from .job import BACKBONE, fine_tune_labelled
from .labels import Labelled, check_labels, label_images
from .model import FineTunedModel
from .pictures import AUGMENTATIONS, BATCH_NORMS
from .task import FIRST_BIASES

if TYPE_CHECKING:
    import pandas as pd

#: Settings for which a preset has another value: the defaults, and the code of the sources.
DEFAULTS: dict[str, Any] = {
    "batch_norm": "fixed",
    "bias": "shares",
    "max_gradient_norm": 5.0,
    "split": (0.6, 0.2, 0.2),
}

#: Default shares of training and validation among the images outside a fold: as without folds.
FOLD_SPLIT = (0.75, 0.25, 0.0)

PRESETS: dict[str, dict[str, Any]] = {
    "element": {
        "batch_norm": "batch",
        "bias": "zero",
        "max_gradient_norm": None,
        "split": (0.8, 0.2, 0.0),
    },
}

#: Default momentum of stochastic gradient descent.
MOMENTUM = 0.9

#: Optimizers of torch. The sources use "sgd".
OPTIMIZERS = ("sgd", "adam", "adamw")


@public
def fine_tune(
    images: Any,
    labels: Any = None,
    task: str | None = None,
    *,
    preset: str | None = None,
    encoder: str = DEFAULT_ENCODER,
    weights: str | os.PathLike[str] | None = None,
    resize: str = DEFAULT_RESIZE,
    freeze: str | int = "none",
    augmentation: str = "crop_flip",
    rotation: float = 0,
    batch_norm: str | None = None,
    bias: str | None = None,
    dropout: float = 0,
    optimizer: str = "sgd",
    learning_rate: float = 0.001,
    momentum: float = 0.9,
    batch_size: int = 4,
    epochs: int = 50,
    step_size: int = 7,
    gamma: float = 0.1,
    max_gradient_norm: float | Literal["auto"] | None = "auto",
    class_weights: bool = False,
    early_stopping: int | None = None,
    split: Sequence[float] | None = None,
    folds: int | None = None,
    precision: str = "auto",
    device: str = "auto",
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
) -> FineTunedModel:
    """Fine-tune a pretrained network on the categories of your project.

    The last layer is replaced by a new one for your labels, and all weights are trained
    further on your images. The method is intended for a few hundred labelled images. The
    model labels new images (:func:`predict_labels`) and computes better vectors for clustering
    (``embed_images(images, model=...)``).

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        As in :func:`imagestrata.embed_images`. Images without a label are left out.
    labels : DataFrame, path of a CSV file, or None
        One row per labelled image, with ``image_id`` or ``path`` (as scanned, relative to the
        folder, or any unique ending). It has either one column per label with 1, 0 or an empty
        cell (unknown, which is not used), or one column of classes. Or the labels of coders,
        what :func:`read_labels` or :func:`consensus` returned, with one row per image and
        ``code``: one code with ``label`` 1 or 0, several such codes, or one code with classes;
        missing labels are left out with a warning. A column ``split`` with
        "train", "val" and "test" replaces the random split. If None, the names of the folders
        in ``images`` are the labels: ``train/positive``, ``val/negative`` and so on
        (*Images as Data*, section 7.4), or one folder per class.
    task : {"binary", "multiclass", "multilabel"}, optional
        One label; one of several classes; any of several labels. By default ``labels``
        determine the task. The first two use a softmax over two outputs or one per class; the
        third uses one sigmoid per label and ignores missing labels.
    preset : {"element"}, optional
        ``"element"`` trains as the code of *Images as Data* does: 80% of the images for
        training and 20% for validation, batch norm by batch, biases of 0, gradients of any
        length, 50 epochs, and the defaults of all other settings. Arguments that you give win
        over it. To use the sources' network as well, give ``encoder="resnet18"``. Unlike that
        code, the preset keeps the best epoch, not the last.
    encoder : str, default "efficientnet_lite0"
        The pretrained network: EfficientNet-Lite0 or any classifier of torchvision. The paper
        and the Element use ``"resnet18"``.
    weights : path or str, optional
    resize : {"rescale_crop", "squish", "crop", "pad"}, default "rescale_crop"
        See :func:`imagestrata.embed_images`.
    freeze : {"none", "backbone"} or int, default "none"
        The part of the network whose weights are fixed. ``"backbone"`` fixes everything but
        the new layer: vectors are then computed once, without augmentation, training takes
        seconds, and ``encoder`` can be any encoder, such as ``"hog"``. A number fixes this
        many blocks, beginning with the first.
    augmentation : {"crop_flip", "crop", "flip", "none"}, default "crop_flip"
        Random variation of training pictures in each epoch: crops of 8 to 100% of the area,
        and horizontal flips (the Element, section 4.3).
    rotation : float, default 0
        Training pictures are rotated by a random angle of up to this many degrees in either
        direction, before they are cropped. The corners become black.
    batch_norm : {"fixed", "batch"}, optional
        Means and deviations in batch norm layers: those of the pretrained network (the
        default), or those of each batch. The sources' code uses those of each batch, which is
        torch's default; with batches of 1 or 4 images they are mostly noise. ``"fixed"`` is
        the default by experiment: with 12 labels, EfficientNet-Lite0 learned nothing in 10
        epochs with ``"batch"``, and reached an F1 of .85 with ``"fixed"``, see
        docs/fine-tuning.md. A network with random initial weights needs ``"batch"``.
    bias : {"shares", "zero"}, optional
        Initial biases of the new layer: such that it predicts the shares of the labels in the
        training images (the default), or 0, as in the sources' code.
    dropout : float, default 0
        Share of the vector's numbers that are set to 0 at random before the new layer, in
        training only. It can help with few images per label.
    optimizer : {"sgd", "adam", "adamw"}, default "sgd"
        Stochastic gradient descent with ``momentum``, or torch's Adam or AdamW with its
        default settings, which have no ``momentum``. Adam needs smaller learning rates, such
        as .0001.
    learning_rate : float, default 0.001
        Learning rate. .001 is the best of .01, .001 and .0001 in the Element's Figures 7.4 and
        7.5; the Element then tries .0005, .001 and .005. The paper uses .005. With many labels
        and a frozen backbone, .001 is slow: with 12 labels, .01 gave a test F1 of .93 instead
        of .90.
    momentum : float, default 0.9
        Momentum of ``optimizer="sgd"``. The Element tries .7 and .9.
    batch_size : int, default 4
        Images per step. The Element tries 1 and 4.
    epochs : int, default 50
        Number of epochs.
    step_size : int, default 7
    gamma : float, default 0.1
        Every ``step_size`` epochs the learning rate is multiplied by ``gamma`` (the
        Element, section 7.6).
    max_gradient_norm : float, "auto" or None, default "auto"
        Largest norm of the gradients; longer ones are shortened. ``"auto"`` is 5, or the
        preset's. None sets no limit, as in the sources' code; a few unusual batches can then
        destroy a pretrained network. With six classes, batches of 4 and a learning rate of
        .005, the accuracy of EfficientNet-Lite0 was .22 without a limit and .98 with it.
    class_weights : bool, default False
        Give rare classes the same weight as common ones.
    early_stopping : int, optional
        Stop if the validation loss has not fallen for this many epochs.
    split : sequence of 3 floats, optional
        Shares of training, validation and test, by default (0.6, 0.2, 0.2), stratified by
        label. Copies and near-copies always stay in the same split. The Element uses 20% for
        validation and no test. But the validation images choose the epoch, so only the test
        figures, which are computed once, are unbiased. The last share may be 0.
    folds : int, optional
        Train this many networks, 2 to 20, each on all folds but one, so that every labelled
        image gets a prediction of a network that has not seen its label (cross-fitting). All
        labels are then used for training and for the test, but training takes as many times
        longer. ``split`` is then the shares of training and validation among the images outside
        a fold, by default (0.75, 0.25, 0), and the labels have no column ``split``. Folds are
        stratified by label; copies and near-copies are in the same fold. Predictions that correct
        estimates for their own errors need this (Zrnic and Candes 2024).
    precision : {"auto", "bfloat16", "float32"}, default "auto"
    device : str, default "auto"
        See :func:`imagestrata.embed_images`.
    seed : int, default 0
        Seed for the split, the augmentation, the order of images and the new layer. On one
        thread results are identical; on several threads sums can differ in the last digits.
    out : path, optional
        Folder for the model (in its subfolder ``model``) and for the state of training after
        each epoch. An interrupted call continues, and a finished one is loaded. By default the
        model is in a temporary folder, which is deleted with the object.
    overwrite : bool, default False
        Replace another model in ``out``.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        A Dask cluster whose workers scan, decode and (for a frozen backbone) embed the
        images, see :func:`imagestrata.scan_images`. Training itself runs on your machine.

    Returns
    -------
    FineTunedModel
        The model with the weights of the epoch with the lowest validation loss. (The Element's
        companion code keeps the last epoch's weights but reports the best epoch's accuracy.)

    Raises
    ------
    MissingWeightsError
        If the network's weights are not on this machine and cannot be downloaded.
    ImagestrataError
        If labels do not fit the images, contradict each other, are not 0 or 1, or are
        all the same; if there are too few images; if the loss becomes NaN in the
        first epoch; if an argument is out of range, or ``out`` holds another model.

    Notes
    -----
    If the loss becomes NaN in a later epoch, training stops with a warning, and the best epoch
    is kept. Labels of missing or unusable images, and images without labels, are left out with
    a warning that reports their number.
    """
    settings = check_settings(
        preset=preset, encoder=encoder, weights=weights, resize=resize, freeze=freeze,
        augmentation=augmentation, rotation=rotation, batch_norm=batch_norm, bias=bias,
        dropout=dropout, optimizer=optimizer, learning_rate=learning_rate, momentum=momentum,
        batch_size=batch_size, epochs=epochs, step_size=step_size, gamma=gamma,
        max_gradient_norm=max_gradient_norm, class_weights=class_weights,
        early_stopping=early_stopping, split=split, folds=folds, precision=precision, seed=seed,
    )  # fmt: skip
    overwrite = check_bool("overwrite", overwrite)
    check_images(images, out)
    begun = None if out is None else find_step(check_path("out", out), "fine-tune")[1]
    if is_network(encoder) and begun is None:
        # Missing weights are reported before thousands of files are read.
        load_network(encoder, weights=weights, resize=resize)
    labelled = labelled_images(images, labels, task, out, overwrite, progress, engine)
    if folds is not None and "split" in labelled.images:
        raise ImagestrataError(
            f"The labels have a column 'split', which {arg('folds', folds)} would not use.",
            f"Drop the column, or leave out {arg('folds')}.",
        )
    return fine_tune_labelled(
        labelled, settings, weights, device=device, test=True, out=out, overwrite=overwrite,
        progress=progress, engine=engine,
    )  # fmt: skip


def check_settings(
    *,
    preset: str | None,
    encoder: str,
    weights: str | os.PathLike[str] | None,
    resize: str,
    freeze: str | int,
    precision: str,
    seed: int,
    folds: int | None = None,
    **given: Any,
) -> dict[str, Any]:
    """Check and return all arguments that decide the result, with a preset's values filled in."""
    known = DEFAULTS
    if preset is not None:
        known = PRESETS[check_choice("preset", preset, PRESETS)]
    # None sets no limit to gradients, so "auto" says there that the argument was left out.
    limit = given["max_gradient_norm"]
    left_out = {name for name in known if given[name] is None} - {"max_gradient_norm"}
    if isinstance(limit, str) and limit == "auto":
        left_out.add("max_gradient_norm")
    given |= {name: known[name] for name in left_out}
    if folds is not None:
        folds = check_int("folds", folds, minimum=FEWEST, maximum=MOST)
        if "split" in left_out and preset is None:
            given["split"] = FOLD_SPLIT
    settings = deciding_arguments(encoder, weights, resize, precision, seed)
    if isinstance(freeze, str):
        if freeze not in ("none", BACKBONE):
            raise ImagestrataError(
                f"{arg('freeze')} must be {quote('none')}, {quote(BACKBONE)} or a number of "
                f"blocks, not {quote(freeze)}."
            )
    else:
        freeze = check_int("freeze", freeze, minimum=0) or "none"
    if freeze != BACKBONE and not is_network(encoder):
        raise ImagestrataError(
            f"The encoder {quote(encoder)} cannot be trained further; only "
            f"{quote(DEFAULT_ENCODER)} and classifiers of torchvision can.",
            f"Use {arg('freeze', 'backbone')}, which trains a new layer on its vectors.",
        )
    settings |= {
        "freeze": freeze,
        "augmentation": check_choice("augmentation", given["augmentation"], AUGMENTATIONS),
        "rotation": check_float("rotation", given["rotation"], minimum=0, maximum=180),
        "batch_norm": check_choice("batch_norm", given["batch_norm"], BATCH_NORMS),
        "bias": check_choice("bias", given["bias"], FIRST_BIASES),
        "dropout": check_float("dropout", given["dropout"], minimum=0, maximum=0.9999),
        "optimizer": check_choice("optimizer", given["optimizer"], OPTIMIZERS),
        "learning_rate": _positive("learning_rate", given["learning_rate"]),
        "momentum": check_float("momentum", given["momentum"], minimum=0, maximum=0.9999),
        "gamma": check_float("gamma", given["gamma"], minimum=0, maximum=1),
        "class_weights": check_bool("class_weights", given["class_weights"]),
        "seed": check_seed(seed),
        "split": _check_split(given["split"]),
        "early_stopping": None,
        "max_gradient_norm": None,
    }
    if folds is not None:
        settings["folds"] = folds
        if settings["split"][2]:
            raise ImagestrataError(
                f"With {arg('folds', folds)}, each fold is the test of a network, so there are no "
                f"other test images; {arg('split')} is {quote(tuple(given['split']))}.",
                f"Give shares of training and validation, such as {arg('split', FOLD_SPLIT)}.",
            )
    if given["max_gradient_norm"] is not None:
        settings["max_gradient_norm"] = _positive("max_gradient_norm", given["max_gradient_norm"])
    for name in ("batch_size", "epochs", "step_size"):
        settings[name] = check_int(name, given[name], minimum=1)
    if given["early_stopping"] is not None:
        patience = check_int("early_stopping", given["early_stopping"], minimum=1)
        settings["early_stopping"] = patience
    if settings["optimizer"] != "sgd":
        because = f"with {arg('optimizer', settings['optimizer'])}, which has none"
        check_idle(because, momentum=(settings["momentum"], MOMENTUM))
        del settings["momentum"]
    if freeze == BACKBONE:
        # Vectors are computed once, so these settings have no effect.
        because = f"with {arg('freeze', BACKBONE)}, which sees each picture once"
        check_idle(because, rotation=(settings["rotation"], 0))
        del settings["augmentation"], settings["rotation"], settings["batch_norm"]
    return settings


def labelled_images(
    images: Any,
    labels: Any,
    task: str | None,
    out: str | os.PathLike[str] | None,
    overwrite: bool,
    progress: Progress,
    engine: Any = None,
) -> Labelled:
    """Scan the images if necessary, and join the labels to them."""
    if labels is not None:
        labels = check_labels(labels)
    table, root = scanned_images(images, out, overwrite, progress, engine)
    return label_images(table, labels, task, root)


def scanned_images(
    images: Any,
    out: str | os.PathLike[str] | None,
    overwrite: bool,
    progress: Progress,
    engine: Any = None,
) -> tuple[pd.DataFrame, Path | None]:
    """Scan the images if necessary; return them, and the folder if they come from one."""
    import pandas as pd

    table, root = images, None
    if isinstance(images, str | os.PathLike):
        root = expand_home(images)
    if not (isinstance(images, pd.DataFrame) and {"image_id", "path", "status"} <= {*images}):
        table = scan_images(images, out=out, overwrite=overwrite, progress=progress, engine=engine)
    if "duplicate_of" not in table:
        table = table.assign(duplicate_of=None)
    return table, root


def _positive(name: str, value: Any) -> float:
    number = check_float(name, value, minimum=0)
    if not number:
        raise ImagestrataError(f"{arg(name)} must be greater than 0.")
    return number


def _check_split(split: Any) -> list[float]:
    wanted = (
        f"{arg('split')} must be the shares of training, validation and test, such as "
        f"{quote((0.6, 0.2, 0.2))}"
    )
    if isinstance(split, str) or not isinstance(split, Sequence) or len(split) != 3:
        raise ImagestrataError(f"{wanted}, not {quote(split)}.")
    train, val, test = (check_float("split", share, minimum=0, maximum=1) for share in split)
    if not math.isclose(train + val + test, 1, abs_tol=1e-6) or not train or not val:
        raise ImagestrataError(
            f"{wanted}; {quote(split)} does not sum to 1, or leaves no images for training or "
            "validation."
        )
    return [train, val, test]
