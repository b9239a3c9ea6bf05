"""Turn every distinct image into a vector, once."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..corpus.pictures import files_of
from ..corpus.scan import check_images, images_step, usable_images
from ..encoders.base import Encoder
from ..encoders.registry import (
    DEFAULT_ENCODER,
    DEFAULT_RESIZE,
    deciding_arguments,
    is_on_a_device,
    make_encoder,
    restore_encoder,
)
from ..encoders.saved import SavedEncoder, model_folder, read_encoder
from ..engine import open_engine
from ..errors import ImagestrataError
from ..files import make_folder
from ..progress import Progress
from ..provenance import check_settings, find_step, held_result
from ..validate import check_bool, check_idle, check_int, check_path, check_seed
from ..verbs import public
from ..wording import arg, kind_of, quote, verb
from ..work import warn_of
from .compute import compute, learn
from .embeddings import Embeddings, assemble, read_embeddings
from .inputs import embeddings_fingerprint
from .parts import VectorParts, begin, encoder_key, finish, write_state


@public
def embed_images(
    images: Any,
    encoder: str | Embeddings = DEFAULT_ENCODER,
    *,
    model: Any = None,
    weights: str | os.PathLike[str] | None = None,
    resize: str = "rescale_crop",
    precision: str = "auto",
    device: str = "auto",
    batch_size: int | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
) -> Embeddings:
    """Turn every distinct image into a vector.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        What :func:`imagestrata.scan_images` returned, of which the rows with status
        ``"ok"`` are taken; or whatever it takes, and then it is scanned first.
    encoder : str or Embeddings, default "resnet18"
        The name of an encoder (see :func:`imagestrata.list_encoders`), which is one of
        these:

        - a classifier of torchvision, cut before its last layer. ResNet-18 is the
          network of the paper (section 2.3);
        - ``"timm:<name>"``: any network of timm, likewise cut, such as Xception,
          ``"timm:legacy_xception"``;
        - ``"clip:<name>"``: the image tower of any network of open_clip, such as
          ``"clip:ViT-B-32"``;
        - ``"blip2:vision"``, the summary of BLIP-2's image tower, or
          ``"blip2:qformer"``, the mean of what its Q-Former answers (transformers);
        - ``"pocket"``: our own small network, which comes with the package and needs no
          download;
        - ``"bovw"``, ``"bovw_keypoints"`` or ``"hog"``, which need no weights;
        - embeddings, to get vectors comparable to theirs: the same encoder with the
          same settings, weights and visual words, whatever ``resize``, ``precision``
          and ``seed`` say.

        timm, open_clip and transformers come with ``pip install
        'imagestrata[encoders]'``.
    model : FineTunedModel or path, optional
        What :func:`imagestrata.fine_tune` returned, or the folder it lies in: its
        network makes the vectors, and the arguments ``encoder``, ``weights``,
        ``resize``, ``precision`` and ``seed`` are not looked at.
    weights : path or str, optional
        A file with the network's weights (.pth, .pt or .safetensors), with or without
        a last layer, of however many classes; or the name of published weights such as
        ``"IMAGENET1K_V2"``. By default ``"IMAGENET1K_V1"``, from torch's cache or else
        downloaded once. Of ``timm:`` and ``clip:`` a file, a folder that the library
        stored a model in, or a tag of published weights (``"laion2b_s34b_b79k"``), by
        default the library's first and those of OpenAI; of ``blip2:`` a folder that
        ``save_pretrained`` wrote, a file with its ``config.json`` beside it, or a
        repository of the Hugging Face hub, by default ``"Salesforce/blip2-itm-vit-g"``
        (4.7 GB). They are kept where the libraries keep them. No file is read in a way
        that could run code.
    resize : {"rescale_crop", "squish", "crop", "pad"}, default "rescale_crop"
        How a picture becomes a square (*Images as Data*, Figure 4.2): the short
        side scaled, then the centre cut out; both sides scaled, whatever their
        ratio; the centre cut out as it is; the long side scaled, the rest black.
        ``"bovw"`` looks at whole pictures. Of ``timm:``, ``clip:`` and ``blip2:`` the
        default stands for the way in which the library prepares pictures for those
        weights: for most it is the same, for BLIP-2, SigLIP and some others
        ``"squish"``; any other choice is taken as it is. Size, interpolation, mean and
        standard deviation are always the library's.
    precision : {"auto", "bfloat16", "float32"}, default "auto"
        How networks compute. ``"auto"`` takes bfloat16 where the processor or GPU
        has it, which is two to four times as fast. See Notes.
    device : str, default "auto"
        Where networks compute: ``"cpu"``, ``"cuda"``, ... ``"auto"`` takes a GPU if
        there is one.
    batch_size : int, optional
        Images that pass the network together; each core works on a batch of its own.
        By default 8, which stay in a core's cache. (On one core, MobileNetV2 took 8.3 ms
        an image in batches of 1, 4.3 in those of 8, 5.7 in those of 32.) On a GPU the
        first use finds out, in a few seconds: the largest power of two, up to 256, that
        fits in its memory and takes no longer per image than half as many. Where its
        memory gives out later, batches are halved and work goes on. The size of batches
        changes vectors by rounding only; give it where a repeated run on a GPU shall
        give the very same numbers.
    seed : int, default 0
        Drives what ``"bovw"`` draws: the images that it learns from, the start of
        its words. Other encoders draw nothing.
    out : path, optional
        Run folder: vectors go to ``embeddings/`` there as they are made. A call
        that was interrupted goes on, a finished one is loaded, a damaged part is
        made again.
    overwrite : bool, default False
        Replace other embeddings in ``out``, and the steps built on them.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        A Dask cluster whose workers decode and encode, see :func:`imagestrata.scan_images`.
        They read the weights from the place where they are found here, once per process.

    Returns
    -------
    Embeddings
        In the order of the images table. Images that could not be decoded, or are
        not the ones that were scanned, are rows of ``failures``, with a reason. To
        try them again in a run folder, delete its folder ``embeddings``.

    Raises
    ------
    MissingWeightsError
        If the weights are neither here nor can be downloaded.
    ImagestrataError
        If weights do not fit the network or are damaged, there is no usable image,
        the cluster cannot be reached or its workers do not see the files,
        images fail by the hundred (a drive unplugged, say), vectors are not finite,
        an argument is out of range, or ``out`` cannot be written or holds other
        embeddings.

    Notes
    -----
    While vectors are computed, memory holds a batch of pictures per core however
    many images there are; the result is ``n * width * 4`` bytes, which stay on disk if
    they are more than 256 MiB and ``out`` is given (see :class:`Embeddings`).

    Large JPEGs are decoded at 1/2, 1/4 or 1/8 of their scale, as far as that leaves
    both sides half as long again as the encoder looks at.

    Vectors of bfloat16 are not those of float32, but near: on 3,887 photographs with
    real MobileNetV2 weights, a mean cosine of .998 (lowest .993), and k-means from the
    same start gives clusters whose adjusted Rand index is .98 (another start, with the
    same vectors: .63).
    """
    return embed_for(
        None, images, encoder, model=model, weights=weights, resize=resize, precision=precision,
        device=device, batch_size=batch_size, seed=seed, out=out, overwrite=overwrite,
        progress=progress, engine=engine,
    )  # fmt: skip


def embed_for(
    check_shape: Callable[[tuple[int, int]], None] | None,
    images: Any,
    encoder: str | Embeddings = DEFAULT_ENCODER,
    *,
    batch_size: int | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
    **deciding: Any,
) -> Embeddings:
    """:func:`embed_images` for a step that checks how many images and numbers there will be."""
    overwrite = check_bool("overwrite", overwrite)
    settings, get_encoder = embed_settings(encoder, batch_size=batch_size, seed=seed, **deciding)
    load_encoder = functools.cache(get_encoder)
    check_embedding(images, settings, load_encoder, out, overwrite)
    table = usable_images(images, out, overwrite, progress, engine)
    step = images_step(out, "embed", settings, table, overwrite, _from_model(out, settings))

    def make() -> Embeddings:
        if check_shape is not None:
            check_shape((len(table), load_encoder().width))
        folder = None if step.folder is None else step.folder / "embeddings"
        if folder is not None:
            begin(folder)
        return _embed(table, load_encoder(), folder, batch_size, int(seed), progress, engine)

    def write(result: Embeddings, run: Path) -> dict[str, Any]:
        finish(run / "embeddings", table, result.encoder)
        failed = dict(Counter(result.failures["reason"]).most_common())
        return {"images": len(result), "failed": failed}

    return step.result(_stored, make, write, identity=embeddings_fingerprint)


def check_embedding(
    images: Any,
    settings: Mapping[str, Any],
    load_encoder: Callable[[], Encoder],
    out: str | os.PathLike[str] | None,
    overwrite: bool,
) -> None:
    """Let a name misspelt, a folder that cannot be written and missing weights come to light
    before thousands of files are looked at, in this order."""
    if _was_finished(out):
        return
    check_images(images, out)
    if out is not None:
        check_settings(make_folder(out), "embed", settings, overwrite)
    load_encoder()


def embed_settings(
    encoder: Any,
    *,
    model: Any = None,
    weights: Any = None,
    resize: Any = DEFAULT_RESIZE,
    precision: Any = "auto",
    device: Any = "auto",
    batch_size: Any = None,
    seed: Any = 0,
) -> tuple[dict[str, Any], Callable[[], Encoder]]:
    """The checked arguments of :func:`embed_images` that decide vectors, and how to load the
    encoder, which may have to be downloaded."""
    if batch_size is not None:
        check_int("batch_size", batch_size, minimum=1)
    seed = check_seed(seed)
    if model is None and isinstance(encoder, str):
        settings = deciding_arguments(encoder, weights, resize, precision, seed)
        if not is_on_a_device(encoder):
            check_idle(
                f"with the encoder {quote(encoder)}, which is no network",
                device=("auto" if device == "cpu" else device, "auto"),
            )
        given = {"weights": weights, "resize": resize, "precision": precision, "device": device}
        return settings, functools.partial(make_encoder, encoder, **given, seed=seed)
    check_idle(
        "with an encoder that is used again as it was",
        resize=(resize, DEFAULT_RESIZE),
        precision=(precision, "auto"),
    )
    if model is not None:
        check_idle(f"with {arg('model')}, whose own it is", encoder=(encoder, DEFAULT_ENCODER))
    earlier = _earlier(encoder) if model is None else read_encoder(model_folder(model))
    settings = {"encoder": {k: v for k, v in earlier.settings.items() if k != "weights"}}
    return settings, functools.partial(restore_encoder, *earlier, weights=weights, device=device)


def _from_model(out: str | os.PathLike[str] | None, settings: Mapping[str, Any]) -> dict[str, str]:
    """The fine-tuned model in ``out``, if that one makes the vectors."""
    held = held_result(out, "fine-tune")
    earlier = settings["encoder"]
    if held is None or not isinstance(earlier, dict) or encoder_key(earlier) != held:
        return {}
    return {"fine-tune": held}


def _earlier(encoder: Any) -> SavedEncoder:
    """The encoder that made embeddings."""
    if not isinstance(encoder, Embeddings):
        raise ImagestrataError(
            f"{arg('encoder')} must be the name of an encoder, or embeddings that one made, not "
            f"{kind_of(encoder)}.",
            f"A fine-tuned network is given as {arg('model')}.",
        )
    if "reduced_from" in encoder.encoder:
        raise ImagestrataError(
            f"The vectors of {arg('encoder')} were reduced (they are {encoder.encoder['name']}); "
            "how was learnt from all of them together, and further images have no place there.",
            f"Embed all images together and call {verb('reduce_embeddings')} on them, or give the "
            "embeddings that were reduced.",
        )
    return SavedEncoder(encoder.encoder, encoder.state)


def _was_finished(out: str | os.PathLike[str] | None) -> bool:
    folder = None if out is None else check_path("out", out)
    if folder is None or not folder.is_dir():
        return False
    entry = find_step(folder, "embed")[1]
    return bool(entry and entry["finished"])


def _stored(run: Path) -> Embeddings | None:
    """Finished embeddings, or None if any of their files is missing or damaged."""
    return read_embeddings(run / "embeddings", every_part=True)


def _embed(
    images: pd.DataFrame,
    encoder: Encoder,
    folder: Path | None,
    batch_size: int | None,
    seed: int,
    progress: Progress,
    engine: Any,
) -> Embeddings:
    """Vectors of all images: those in ``folder`` already, and all others."""
    files = files_of(images)
    with open_engine(engine) as workers:
        if encoder.fit_size and not encoder.state():
            learn(encoder, files, workers, folder, seed, progress)
        if encoder.fit_size and folder is not None:
            write_state(folder, encoder.settings["learnt_from"], encoder.state())
        parts = VectorParts(folder, images["image_id"].tolist(), encoder_key(encoder.settings))
        compute(encoder, files, workers, parts, batch_size or encoder.batch_size, progress)
    result = assemble(images, parts, encoder.settings, encoder.state())
    reasons = result.failures["reason"].tolist()
    warn_of(reasons, len(images), "embedded", "; they are listed among the failures")
    return result
