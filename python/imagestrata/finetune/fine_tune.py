"""Teach a network the researcher's own categories."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

from ..corpus.scan import check_images, scan_images
from ..encoders.registry import DEFAULT_RESIZE, deciding_arguments, is_network, load_network
from ..errors import ImagestrataError
from ..progress import Progress
from ..provenance import find_step
from ..validate import (
    check_bool,
    check_choice,
    check_float,
    check_int,
    check_path,
    check_seed,
    expand_home,
)
from ..verbs import public
from ..wording import arg, quote
from .job import BACKBONE, fine_tune_labelled
from .labels import Labelled, check_labels, label_images
from .model import FineTunedModel
from .pictures import AUGMENTATIONS, BATCH_NORMS


@public
def fine_tune(
    images: Any,
    labels: Any = None,
    task: str | None = None,
    *,
    encoder: str = "resnet18",
    weights: str | os.PathLike[str] | None = None,
    resize: str = DEFAULT_RESIZE,
    freeze: str | int = "none",
    augmentation: str = "crop_flip",
    batch_norm: str = "fixed",
    learning_rate: float = 0.001,
    momentum: float = 0.9,
    batch_size: int = 4,
    epochs: int = 50,
    step_size: int = 7,
    gamma: float = 0.1,
    max_gradient_norm: float | None = 5.0,
    class_weights: bool = False,
    early_stopping: int | None = None,
    split: Sequence[float] = (0.6, 0.2, 0.2),
    precision: str = "auto",
    device: str = "auto",
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
) -> FineTunedModel:
    """Teach a network that has seen many photographs the categories of a project.

    Its last layer is replaced by one for these labels, and all its weights go on
    learning from these images. Made for few labels: some hundred images. The result
    labels new images (:func:`predict_labels`) and makes better vectors to cluster
    (``embed_images(images, model=...)``).

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        As in :func:`imagestrata.embed_images`. Images without a label are left out.
    labels : DataFrame, path of a CSV file, or None
        A row per labelled image, with ``image_id`` or ``path`` (as scanned, or relative
        to the folder, or any unique ending), and either one column per label with 1, 0
        or nothing (nobody said: it counts neither way), or one column of classes. A
        column ``split`` with "train", "val" and "test" replaces the random split. None:
        the names of the folders in ``images`` are the labels, as ``train/positive``,
        ``val/negative`` and so on (*Images as Data*, section 7.4), or one folder per
        class.
    task : {"binary", "multiclass", "multilabel"}, optional
        One label; one of several classes; any of several labels. By default what
        ``labels`` look like. The first two use a softmax over two outputs or one per
        class, the third one sigmoid per label, where missing labels are masked.
    encoder : str, default "resnet18"
        The network to start from: any classifier of torchvision. The paper and the
        Element took ResNet-18.
    weights : path or str, optional
    resize : {"rescale_crop", "squish", "crop", "pad"}, default "rescale_crop"
        See :func:`imagestrata.embed_images`.
    freeze : {"none", "backbone"} or int, default "none"
        What keeps its weights. ``"backbone"``: all but the new layer. Then vectors are
        computed once, without augmentation, and training takes seconds; ``encoder`` may
        be any, ``"hog"`` too. A number: the first so many blocks of the network.
    augmentation : {"crop_flip", "crop", "flip", "none"}, default "crop_flip"
        How training pictures vary from epoch to epoch: a random part of 8 to 100% of
        the area, and mirrored or not (the Element, section 4.3).
    batch_norm : {"fixed", "batch"}, default "fixed"
        Whether layers of batch norm go on using the means and deviations that the
        network came with, or those of each batch, as the sources' code does by
        torch's default: those of 4 images are noise, those of 1 more so. Measured with
        MobileNetV2 on six classes, 6 epochs: validation loss .06 at best with "fixed",
        .44 with "batch". A network that starts from random weights needs "batch".
    learning_rate : float, default 0.001
        Best of .01, .001 and .0001 in the Element's Figures 7.4 and 7.5; it goes on
        with .0005, .001 and .005. The paper took .005. Many labels and a frozen backbone
        learn slowly at .001: with 12 labels, .01 gave a test F1 of .93 instead of .90.
    momentum : float, default 0.9
        Of stochastic gradient descent. The Element tries .7 and .9.
    batch_size : int, default 4
        Images per step. The Element tries 1 and 4.
    epochs : int, default 50
    step_size : int, default 7
    gamma : float, default 0.1
        Every ``step_size`` epochs the learning rate is multiplied by ``gamma`` (the
        Element, section 7.6).
    max_gradient_norm : float or None, default 5
        Longer gradients are shortened to this. The sources do not; but one odd batch of
        4 images can undo what a network knows. With MobileNetV2's weights, whose batch
        norm is folded in, and six classes, at most 43% of the validation images were
        right in 6 epochs without, 100% with it.
    class_weights : bool, default False
        Let rare classes count as much as common ones.
    early_stopping : int, optional
        Stop when the validation loss has not fallen for so many epochs.
    split : sequence of 3 floats, default (0.6, 0.2, 0.2)
        Shares of training, validation and test, stratified by label; copies and
        near-copies are never torn apart. The Element validates on 20% and has no test:
        but the epoch is chosen by the validation images, so only the test's figures,
        computed once, are unbiased. The last share may be 0.
    precision : {"auto", "bfloat16", "float32"}, default "auto"
    device : str, default "auto"
        See :func:`imagestrata.embed_images`.
    seed : int, default 0
        Drives split, augmentation, order and the new layer. On one thread, results are
        the same in every bit; on several, sums may differ in the last digits.
    out : path, optional
        Folder in which the model is kept, as ``model``, and the state of training after
        each epoch: a call that was interrupted goes on, a finished one is loaded. By
        default the model lies in a temporary folder for as long as the object lives.
    overwrite : bool, default False
        Replace another model in ``out``.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        A Dask cluster whose workers scan, decode and (for a frozen backbone) embed the
        images, see :func:`imagestrata.scan_images`. Training itself is done here.

    Returns
    -------
    FineTunedModel
        The epoch with the lowest validation loss, truly kept. (The Element's companion
        code keeps the last epoch's weights and reports the best one's accuracy.)

    Raises
    ------
    MissingWeightsError
        If the network's weights are neither here nor can be downloaded.
    ImagestrataError
        If labels do not fit the images, contradict each other, are not 0 or 1, or are
        of one kind only; if there are too few images; if the loss becomes NaN in the
        first epoch; if an argument is out of range, or ``out`` holds another model.

    Notes
    -----
    Later epochs with a loss of NaN end the training with a warning: the best epoch so
    far is kept. Labels of images that are missing or unusable, and images without
    labels, are left out with a warning that counts them.
    """
    settings = check_settings(
        encoder=encoder, weights=weights, resize=resize, freeze=freeze, augmentation=augmentation,
        batch_norm=batch_norm, learning_rate=learning_rate, momentum=momentum,
        batch_size=batch_size, epochs=epochs, step_size=step_size, gamma=gamma,
        max_gradient_norm=max_gradient_norm, class_weights=class_weights,
        early_stopping=early_stopping, split=split, precision=precision, seed=seed,
    )  # fmt: skip
    overwrite = check_bool("overwrite", overwrite)
    check_images(images, out)
    begun = None if out is None else find_step(check_path("out", out), "fine-tune")[1]
    if is_network(encoder) and begun is None:
        # Missing weights should come to light before thousands of files are looked at.
        load_network(encoder, weights=weights, resize=resize)
    labelled = labelled_images(images, labels, task, out, overwrite, progress, engine)
    return fine_tune_labelled(
        labelled, settings, weights, device=device, test=True, out=out, overwrite=overwrite,
        progress=progress, engine=engine,
    )  # fmt: skip


def check_settings(
    *,
    encoder: str,
    weights: str | os.PathLike[str] | None,
    resize: str,
    freeze: str | int,
    precision: str,
    seed: int,
    **given: Any,
) -> dict[str, Any]:
    """All arguments that decide the result, checked."""
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
            f"The encoder {quote(encoder)} cannot be trained further: only classifiers of "
            "torchvision can.",
            f"Use {arg('freeze', 'backbone')}, which trains a new layer on its vectors.",
        )
    settings |= {
        "freeze": freeze,
        "augmentation": check_choice("augmentation", given["augmentation"], AUGMENTATIONS),
        "batch_norm": check_choice("batch_norm", given["batch_norm"], BATCH_NORMS),
        "learning_rate": _positive("learning_rate", given["learning_rate"]),
        "momentum": check_float("momentum", given["momentum"], minimum=0, maximum=0.9999),
        "gamma": check_float("gamma", given["gamma"], minimum=0, maximum=1),
        "class_weights": check_bool("class_weights", given["class_weights"]),
        "seed": check_seed(seed),
        "split": _check_split(given["split"]),
        "early_stopping": None,
        "max_gradient_norm": None,
    }
    if given["max_gradient_norm"] is not None:
        settings["max_gradient_norm"] = _positive("max_gradient_norm", given["max_gradient_norm"])
    for name in ("batch_size", "epochs", "step_size"):
        settings[name] = check_int(name, given[name], minimum=1)
    if given["early_stopping"] is not None:
        patience = check_int("early_stopping", given["early_stopping"], minimum=1)
        settings["early_stopping"] = patience
    if freeze == BACKBONE:
        # Vectors are computed once: there is nothing to vary.
        del settings["augmentation"], settings["batch_norm"]
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
    """Scan the images, if they are not yet, and join the labels to them."""
    import pandas as pd

    if labels is not None:
        labels = check_labels(labels)
    table, root = images, None
    if isinstance(images, str | os.PathLike):
        root = expand_home(images)
    if not (isinstance(images, pd.DataFrame) and {"image_id", "path", "status"} <= {*images}):
        table = scan_images(images, out=out, overwrite=overwrite, progress=progress, engine=engine)
    if "duplicate_of" not in table:
        table = table.assign(duplicate_of=None)
    return label_images(table, labels, task, root)


def _positive(name: str, value: Any) -> float:
    number = check_float(name, value, minimum=0)
    if not number:
        raise ImagestrataError(f"{arg(name)} must be greater than 0.")
    return number


def _check_split(split: Any) -> list[float]:
    wanted = (
        f"{arg('split')} must be the shares of training, validation and test, say "
        f"{quote((0.6, 0.2, 0.2))}"
    )
    if isinstance(split, str) or not isinstance(split, Sequence) or len(split) != 3:
        raise ImagestrataError(f"{wanted}, not {quote(split)}.")
    train, val, test = (check_float("split", share, minimum=0, maximum=1) for share in split)
    if not math.isclose(train + val + test, 1, abs_tol=1e-6) or not train or not val:
        raise ImagestrataError(
            f"{wanted}; {quote(split)} does not sum to 1, or leaves nothing to train or validate "
            "on."
        )
    return [train, val, test]
