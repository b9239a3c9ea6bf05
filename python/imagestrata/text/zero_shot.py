"""Tag images with labels in words: the image and the text tower of CLIP."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.pictures import files_of
from ..corpus.scan import check_images, images_step, usable_images
from ..embeddings.compute import compute
from ..embeddings.parts import VectorParts, encoder_key, stack_parts
from ..encoders.registry import deciding_arguments, make_encoder
from ..errors import ImagestrataError, warn
from ..progress import Progress
from ..provenance import fingerprint
from ..wording import arg, quote
from ..work import warn_of
from .calibration import Calibrated, calibrate_choice, calibrate_each, read_truth
from .machines import signed
from .origin import texts_fingerprint
from .tag_table import softmax, tag_table, tags_reader

#: Captions of any image, with which a label that excludes no other is compared.
ANY = ("a photo", "a picture", "an image")

#: The prefix of networks that compare images with words.
PREFIX = "clip:"

#: An image has a label that excludes no other from this probability on.
_HALF = 0.5


def check_prompts(labels: Any, exclusive: bool) -> dict[str, list[str]]:
    """The captions of each label; a label without captions of its own is its caption."""
    example = {"protest": ["a photo of a protest", "people marching with signs"]}
    if labels is None or isinstance(labels, str) or not isinstance(labels, Iterable):
        raise ImagestrataError(
            f"{arg('labels')} must be the captions to compare the images with, not "
            f"{quote(labels)}.",
            f"For instance {arg('labels', ['a photo of a protest', 'a photo of a speech'])}, or "
            f"names with their captions, such as {quote(example)}.",
        )
    given = labels.items() if isinstance(labels, Mapping) else [(one, one) for one in labels]
    found: dict[str, list[str]] = {}
    for name, several in given:
        prompts = [several] if isinstance(several, str) else several
        prompts = list(prompts) if isinstance(prompts, Sequence | np.ndarray) else []
        texts = [name, *prompts]
        if not prompts or not all(isinstance(one, str) and one.strip() for one in texts):
            raise ImagestrataError(
                f"The label {quote(name)} in {arg('labels')} must have captions in words, not "
                f"{quote(several)}.",
                f"For instance {quote(example)}.",
            )
        if name.casefold() in {one.casefold() for one in found}:
            raise ImagestrataError(f"{arg('labels')} contains {quote(name)} twice.")
        found[name] = [str(one) for one in prompts]
    least = 2 if exclusive else 1
    if len(found) < least:
        raise ImagestrataError(
            f"{arg('labels')} has {len(found)} of the labels that exclude each other, and needs at "
            f"least {least}.",
            "Add what the other images show, such as 'a photo of something else', or use "
            f"{arg('exclusive', False)}.",
        )
    return found


def tag_by_words(
    images: Any,
    classifier: str,
    labels: Any,
    *,
    exclusive: bool,
    calibrate: Any,
    n_tags: int | None,
    min_confidence: float,
    weights: str | os.PathLike[str] | None,
    resize: str,
    precision: str,
    device: str,
    batch_size: int | None,
    out: str | os.PathLike[str] | None,
    overwrite: bool,
    progress: Progress,
    engine: Any,
) -> pd.DataFrame:
    """:func:`tag_images` with a network that compares images with words."""
    from ..encoders.clip import captions

    prompts = check_prompts(labels, exclusive)
    names = [*prompts]
    settings = deciding_arguments(classifier, weights, resize, precision, 0)
    settings["classifier"] = settings.pop("encoder")
    n_tags = len(names) if n_tags is None else n_tags
    settings |= {"n_tags": n_tags, "min_confidence": min_confidence, "labels": prompts}
    settings["exclusive"] = exclusive
    check_images(images, out)
    network: Any = make_encoder(
        classifier, weights=weights, resize=resize, precision=precision, device=device
    )
    asked = [one for several in prompts.values() for one in several]
    words = captions(network.settings, [*asked, *ANY])
    alone = words.bias is not None
    if not exclusive and not alone and calibrate is None:
        warn(
            f"{quote(classifier)} was trained to choose between captions, so that its confidence "
            "in a label alone, against a caption of any image, is no probability.",
            f"Give labels of some images as {arg('calibrate')}, or use "
            f"{arg('exclusive', True)} with labels that exclude each other.",
        )
    table = usable_images(images, out, overwrite, progress, engine)
    truth = None
    if calibrate is not None:
        truth = read_truth(calibrate, table["image_id"].tolist(), names, exclusive)
        settings["calibrate"] = fingerprint(
            [np.nan_to_num(truth.answers, nan=-1.0).tolist(), truth.weights.tolist()]
        )
    step = images_step(out, "tag", settings, table, overwrite)
    found: dict[str, Any] = {}

    def make() -> pd.DataFrame:
        ids = table["image_id"].tolist()
        key = encoder_key(network.settings)
        # The vectors of an earlier embed_images() with this network.
        made = None if step.folder is None else VectorParts(step.folder / "embeddings", key)
        if made is None or made.missing(ids):
            made = VectorParts(None if step.parts is None else step.parts.folder, key)
            size = batch_size or network.batch_size
            compute(network, files_of(table), engine, made, size, progress)
        vectors, reasons = stack_parts(made, ids, network.width)
        failed = np.array([reason is not None for reason in reasons], dtype=bool)
        warn_of([reason for reason in reasons if reason is not None], len(reasons), "tagged")
        groups = [len(several) for several in prompts.values()] + [len(ANY)]
        cosines = _cosines(vectors, words.vectors, groups)
        scores = words.scale * cosines[:, :-1]
        if not exclusive:
            scores = (
                scores + words.bias
                if words.bias is not None
                else scores - words.scale * cosines[:, -1:]
            )
        split = np.full(scores.shape, None, dtype=object)
        if truth is None:
            shares = softmax(scores) if exclusive else 1 / (1 + np.exp(-scores))
        else:
            truth.answers[failed] = np.nan
            way = calibrate_choice if exclusive else calibrate_each
            fitted = way(scores, truth, names)
            found.update(_as_settings(fitted, names))
            shares = fitted.probabilities
            split[fitted.out_of_fold] = "fold"
        if exclusive:
            decision = np.arange(len(names)) == shares.argmax(axis=1)[:, None]
        else:
            decision = shares >= _HALF
        more = {"decision": decision.astype(object), "split": split}
        tags = tag_table(table, shares, reasons, names, n_tags, min_confidence, more)
        return signed(tags.astype({"decision": "boolean", "split": "str"}), classifier)

    def counts(tags: pd.DataFrame) -> dict[str, Any]:
        untagged = tags.groupby("image_id")["label"].count().eq(0).sum()
        return {"images": len(table), "without": int(untagged), **found}

    return step.table(
        make,
        counts,
        read=tags_reader(classifier),
        identity=lambda tags: texts_fingerprint(tags, "label"),
    )


def _cosines(
    vectors: NDArray[np.float32], texts: NDArray[np.float32], groups: Sequence[int]
) -> NDArray[np.float64]:
    """The cosine of each image and the mean of each group of texts.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
    texts : ndarray of shape (m, d)
        The first texts belong to the first group, and so on.
    groups : sequence of int
        The number of texts of each group.

    Returns
    -------
    ndarray of shape (n, len(groups))
        Texts are scaled to length 1 before they are averaged, and means again.
    """
    starts = np.cumsum([0, *groups[:-1]])
    means = np.add.reduceat(_units(texts), starts, axis=0)
    cosines: NDArray[np.float64] = _units(vectors) @ _units(means).T
    return cosines


def _units(rows: NDArray[Any]) -> NDArray[np.float64]:
    exact = rows.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", exact, exact))[:, None]
    units: NDArray[np.float64] = exact / np.where(lengths > 0, lengths, 1.0)
    return units


def _as_settings(fitted: Calibrated, names: Sequence[str]) -> dict[str, Any]:
    """What calibration found, for ``run.json``."""
    n_labelled = int(fitted.out_of_fold.any(axis=1).sum())
    if len(fitted.fits) == 1 and len(fitted.fits[0].constants) == len(names):
        (one,) = fitted.fits
        constants = dict(zip(names, map(float, one.constants), strict=True))
        return {"labelled": n_labelled, "slope": one.slope, "constants": constants}
    # Of "yes" against "no", whose constants have opposite signs.
    return {
        "labelled": n_labelled,
        "slopes": {name: one.slope for name, one in zip(names, fitted.fits, strict=True)},
        "constants": {
            name: float(one.constants[0] - one.constants[1])
            for name, one in zip(names, fitted.fits, strict=True)
        },
    }
