"""Turn every distinct image into a vector."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd

from ..corpus.look import Taker
from ..corpus.pictures import files_of
from ..corpus.scan import check_images, images_step, no_takers, usable_images
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
from ..files import make_folder, read_json
from ..progress import Progress
from ..provenance import (
    check_settings,
    find_step,
    held_result,
    is_variant,
    plain,
    read_run,
    read_table,
)
from ..validate import check_bool, check_idle, check_int, check_path, check_seed
from ..verbs import public
from ..wording import arg, kind_of, quote, verb
from ..work import warn_of
from .compute import VectorTaker, compute, learn
from .embeddings import Embeddings, assemble, read_embeddings
from .inputs import embeddings_fingerprint
from .parts import (
    VectorParts,
    begin,
    encoder_key,
    finish,
    read_state,
    write_state,
)


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
        The table that :func:`imagestrata.scan_images` returned, whose rows with status
        ``"ok"`` are used; or any other input of that function, which is scanned first.
    encoder : str or Embeddings, default "efficientnet_lite0"
        Name of an encoder (see :func:`imagestrata.list_encoders`), or embeddings:

        - ``"efficientnet_lite0"``: EfficientNet-Lite0 without its last layer. Its ImageNet
          weights are installed with this package, so nothing is downloaded;
        - a classifier of torchvision without its last layer. ``"resnet18"`` is the network of
          the paper (section 2.3);
        - ``"timm:<name>"``: any network of timm without its last layer, such as Xception,
          ``"timm:legacy_xception"``;
        - ``"clip:<name>"``: the image tower of any network of open_clip, such as
          ``"clip:ViT-B-32"``;
        - ``"blip2:vision"``, the summary of BLIP-2's image tower, or
          ``"blip2:qformer"``, the mean of its Q-Former's outputs (transformers);
        - ``"bovw"``, ``"bovw_keypoints"`` or ``"hog"``, which need no weights;
        - an encoder of your own, by the name that you gave to :func:`register_encoder`;
        - embeddings, to compute vectors comparable to theirs. The encoder, its settings,
          weights and visual words are the same; ``resize``, ``precision`` and ``seed`` are
          ignored.

        ``pip install 'imagestrata[encoders]'`` installs timm, open_clip and transformers.
    model : FineTunedModel or path, optional
        A model that :func:`imagestrata.fine_tune` returned, or its folder. Its network
        computes the vectors; ``encoder``, ``weights``, ``resize``, ``precision`` and ``seed``
        are ignored. A model with folds is refused unless its networks share an encoder
        (``freeze="backbone"``): the vectors of different networks are not comparable.
    weights : path or str, optional
        A file with the network's weights (.pth, .pt or .safetensors), with or without a last
        layer, for any number of classes; or the name of published weights such as
        ``"IMAGENET1K_V2"``. By default ``"IMAGENET1K_V1"``, from torch's cache or downloaded
        once. For ``timm:`` and ``clip:``, a file, a folder in which the library stored a
        model, or a tag of published weights (``"laion2b_s34b_b79k"``); the defaults are
        timm's first weights and those of OpenAI. For ``blip2:``, a folder that
        ``save_pretrained`` wrote, a file with its ``config.json`` in the same folder, or a
        repository of the Hugging Face hub, by default ``"Salesforce/blip2-itm-vit-g"``
        (4.7 GB). Downloads stay in the libraries' own caches. Reading a file never runs code
        that it contains.
    resize : {"rescale_crop", "squish", "crop", "pad"}, default "rescale_crop"
        Method that makes a picture square (*Images as Data*, Figure 4.2), in this order:
        scale the short side, then cut out the centre; scale both sides, regardless of their
        ratio; cut out the centre without scaling; scale the long side and fill the rest with
        black. ``"bovw"`` uses whole pictures. For ``timm:``, ``clip:`` and ``blip2:``, the
        default selects the library's own method for the weights, which is mostly the same,
        and ``"squish"`` for BLIP-2, SigLIP and some others. Size, interpolation, mean and
        standard deviation are always the library's.
    precision : {"auto", "bfloat16", "float32"}, default "auto"
        Precision of networks. ``"auto"`` uses bfloat16 if the GPU supports it, or if the
        processor, which is measured once per process, is faster in it. See Notes.
    device : str, default "auto"
        Device of networks: ``"cpu"``, ``"cuda"``, ... ``"auto"`` uses a GPU if there is one.
    batch_size : int, optional
        Number of images that the network processes together; each core has a batch of its
        own. By default 8, which fit into a core's cache. (On one core, MobileNetV2 took 8.3 ms
        an image in batches of 1, 4.3 in batches of 8, 5.7 in batches of 32.) For a GPU, the
        first use measures the default in a few seconds: the largest power of two, up to 256,
        that fits in its memory and takes no longer per image than half as many. If its memory
        runs out later, batches are halved and the computation continues. The batch size
        changes vectors by rounding only; set it if a repeated run on a GPU must give exactly
        the same numbers.
    seed : int, default 0
        Seed for the random draws of ``"bovw"``: the images from which it learns, and the
        start of its words. Other encoders draw nothing.
    out : path, optional
        Run folder. Vectors are written to ``embeddings/`` in it as they are computed. An
        interrupted call continues, a finished one is loaded, and damaged parts are computed
        again.
    overwrite : bool, default False
        Replace other embeddings in ``out``, and the steps built on them.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        A Dask cluster whose workers decode and encode, see :func:`imagestrata.scan_images`.
        Each process reads the weights once, from the same path as on your machine.

    Returns
    -------
    Embeddings
        Vectors in the order of the table of images. Images that could not be decoded, or
        that have changed since the scan, are rows of ``failures``, with a reason. To try them
        again in a run folder, delete its folder ``embeddings``.

    Raises
    ------
    MissingWeightsError
        If the weights are not on this machine and cannot be downloaded.
    ImagestrataError
        If weights do not fit the network or are damaged, no image is usable, the cluster
        cannot be reached or its workers do not see the files, hundreds of images fail (for
        example, because a drive was disconnected), vectors are not finite, an argument is out
        of range, or ``out`` cannot be written or holds other embeddings.

    Notes
    -----
    While vectors are computed, memory holds one batch of pictures per core, regardless of the
    number of images. The result has ``n * width * 4`` bytes, which stay on disk if they are
    more than 256 MiB and ``out`` is given (see :class:`Embeddings`).

    Large JPEGs are decoded at 1/2, 1/4 or 1/8 of their scale, as long as both sides remain
    at least 1.5 times as long as the encoder's input, and at least 384 pixels.

    Vectors of bfloat16 differ slightly from those of float32. On 3,887 photographs with
    MobileNetV2's published weights, the mean cosine was .998 (lowest .993), and k-means from
    the same start gave clusters with an adjusted Rand index of .98 (from another start with
    the same vectors: .63).

    Networks resize pictures by torch on processors with AVX2 and by Pillow on others, whose
    pixels differ by rounding. In 400 photographs with ``efficientnet_lite0`` in float32, the mean
    cosine of the two vectors was .99998 (lowest .9991). Even so, such differences can move
    images between clusters: share the run folder to share results.
    """
    return embed_for(
        None, images, encoder, model=model, weights=weights, resize=resize, precision=precision,
        device=device, batch_size=batch_size, seed=seed, out=out, overwrite=overwrite,
        progress=progress, engine=engine,
    )  # fmt: skip


def embed_for(
    check_shape: Callable[[tuple[int, int]], None] | None,
    images: Any,
    encoder: str | Embeddings | SavedEncoder = DEFAULT_ENCODER,
    *,
    batch_size: int | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
    takers: Callable[[int], Sequence[Taker]] = no_takers,
    **deciding: Any,
) -> Embeddings:
    """Embed images for a step that checks the shape of the vectors before they are computed.

    Images that are not scanned yet are scanned and embedded in one pass. ``takers`` returns other
    steps that take their pictures along, see :func:`~imagestrata.corpus.scan.scan_along`.
    """
    overwrite = check_bool("overwrite", overwrite)
    settings, get_encoder = embed_settings(encoder, batch_size=batch_size, seed=seed, **deciding)
    load_encoder = cache(get_encoder)
    check_embedding(images, settings, load_encoder, out, overwrite, engine)
    along = _Along(settings, load_encoder, batch_size, out, overwrite)
    table = usable_images(
        images, out, overwrite, progress, engine, along.takers(check_shape, takers)
    )
    step = images_step(
        out, "embed", settings, table, overwrite, _from_model(out, settings),
        grows=partial(_are_embedded, table["image_id"]),
    )  # fmt: skip

    def make() -> Embeddings:
        if check_shape is not None:
            check_shape((len(table), along.encoder.width))
        folder = None if step.folder is None else step.folder / "embeddings"
        if folder is not None and not step.grows:
            begin(folder)
        parts = along.parts if folder in (None, along.folder) else None
        return _embed(table, along, folder, parts, int(seed), progress, engine)

    def write(result: Embeddings, run: Path) -> dict[str, Any]:
        finish(run / "embeddings", table, result.encoder)
        failed = dict(Counter(result.failures["reason"]).most_common())
        return {"images": len(result), "failed": failed}

    return step.result(_stored, make, write, identity=embeddings_fingerprint)


def vectors_along(
    check_shape: Callable[[tuple[int, int]], None] | None,
    takers: Callable[[int], Sequence[Taker]],
    encoder: str | Embeddings = DEFAULT_ENCODER,
    *,
    batch_size: int | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
    **deciding: Any,
) -> Callable[[int], Sequence[Taker]]:
    """Return the steps that take pictures along while they are scanned: this and others.

    The other arguments are those of :func:`embed_for`, which then finds the vectors in ``out``.
    """
    del progress, engine
    settings, load_encoder = embed_settings(encoder, batch_size=batch_size, seed=seed, **deciding)
    along = _Along(settings, load_encoder, batch_size, out, overwrite)
    return along.takers(check_shape, takers)


class _Along:
    """The encoder of a step, and the vectors that it computes while images are scanned.

    Parameters
    ----------
    settings : mapping
        Those of the step.
    load_encoder : callable
    batch_size : int or None
    out : path or None
    overwrite : bool
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        load_encoder: Callable[[], Encoder],
        batch_size: int | None,
        out: str | os.PathLike[str] | None,
        overwrite: bool,
    ) -> None:
        self._settings = settings
        self._load_encoder = load_encoder
        self._batch_size = batch_size
        self._overwrite = overwrite
        self._run = None if out is None else check_path("out", out)
        #: The folder of vectors that are taken along; None keeps them in memory.
        self.folder = None if self._run is None else self._run / "embeddings"

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder; that of the vectors in the folder, if they are of the same step.

        The same settings may mean another precision on another machine, and an encoder that
        learns would learn anything else from a corpus that has grown.
        """
        encoder = self._load_encoder()
        if self.folder is None or self._run is None or self._overwrite:
            return encoder
        entry = read_run(self._run)["steps"].get("embed")
        if entry is None or entry["settings"] != plain(self._settings):
            return encoder
        try:
            earlier = read_json(self.folder / "encoder.json")
        except (ImagestrataError, OSError):
            return encoder
        state = read_state(self.folder, earlier["learnt_from"]) if "learnt_from" in earlier else {}
        if state is None:
            return encoder
        return restore_encoder(earlier, state, weights=encoder.weights, device=encoder.device)

    @cached_property
    def parts(self) -> VectorParts:
        return VectorParts(self.folder, encoder_key(self.encoder.settings))

    @property
    def batch_size(self) -> int:
        return self._batch_size or self.encoder.batch_size

    def takers(
        self,
        check_shape: Callable[[tuple[int, int]], None] | None,
        others: Callable[[int], Sequence[Taker]],
    ) -> Callable[[int], Sequence[Taker]]:
        """Return which steps take n files along: this one first, if it can."""

        def chosen(n: int) -> Sequence[Taker]:
            if check_shape is not None:
                check_shape((n, self.encoder.width))
            if self._run is not None and is_variant(self._run):
                return ()
            if self.encoder.in_turn or (self.encoder.fit_size and not self.encoder.state()):
                return others(n)
            own = VectorTaker(self.encoder, self.parts, self.batch_size)
            sides = [other.side for other in others(n)]
            enough = own.side is None or all(
                side is not None and side <= own.side for side in sides
            )
            return (own, *others(n)) if enough else (own,)

        return chosen


def _are_embedded(ids: pd.Series[str], folder: Path) -> bool:
    """Return whether the images whose vectors are in a run folder are among these."""
    try:
        stored = read_table(folder / "embeddings" / "images.parquet")
    except (ImagestrataError, OSError):
        return False
    return bool(stored["image_id"].isin(ids).all())


def check_embedding(
    images: Any,
    settings: Mapping[str, Any],
    load_encoder: Callable[[], Encoder],
    out: str | os.PathLike[str] | None,
    overwrite: bool,
    engine: Any = None,
) -> None:
    """Check names, the run folder and the weights, in this order, before files are read."""
    _check_engine(settings, engine)
    if _was_finished(out):
        return
    check_images(images, out)
    if out is not None:
        check_settings(make_folder(out), "embed", settings, overwrite)
    load_encoder()


def _check_engine(settings: Mapping[str, Any], engine: Any) -> None:
    """Refuse a cluster for a registered encoder, which its workers do not know."""
    decided = settings["encoder"]
    encoder = settings if isinstance(decided, str) else decided
    if engine is not None and "registered" in encoder:
        raise ImagestrataError(
            "An encoder of your own is registered in this session only, and the workers of a "
            "cluster do not know it.",
            f"Leave out {arg('engine')}.",
        )


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
    """Return the checked settings of :func:`embed_images`, and a function to load the encoder."""
    if batch_size is not None:
        check_int("batch_size", batch_size, minimum=1)
    seed = check_seed(seed)
    if model is None and isinstance(encoder, str):
        settings = deciding_arguments(encoder, weights, resize, precision, seed)
        if not is_on_a_device(encoder):
            check_idle(
                f"with the encoder {quote(encoder)}, which is not a network",
                device=("auto" if device == "cpu" else device, "auto"),
            )
        given = {"weights": weights, "resize": resize, "precision": precision, "device": device}
        return settings, partial(make_encoder, encoder, **given, seed=seed)
    check_idle(
        "with an encoder whose settings are given",
        resize=(resize, DEFAULT_RESIZE),
        precision=(precision, "auto"),
    )
    if model is not None:
        check_idle(f"with {arg('model')}", encoder=(encoder, DEFAULT_ENCODER))
    earlier = _earlier(encoder) if model is None else read_encoder(model_folder(model))
    settings = {"encoder": {k: v for k, v in earlier.settings.items() if k != "weights"}}
    return settings, partial(restore_encoder, *earlier, weights=weights, device=device)


def _from_model(out: str | os.PathLike[str] | None, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the fine-tuned model in ``out`` as a source, if it makes the vectors."""
    held = held_result(out, "fine-tune")
    earlier = settings["encoder"]
    if held is None or not isinstance(earlier, dict) or encoder_key(earlier) != held:
        return {}
    return {"fine-tune": held}


def _earlier(encoder: Any) -> SavedEncoder:
    """Return the encoder of embeddings, or one that is given as it was saved."""
    if isinstance(encoder, SavedEncoder):
        return encoder
    if not isinstance(encoder, Embeddings):
        raise ImagestrataError(
            f"{arg('encoder')} must be the name of an encoder, or embeddings, not "
            f"{kind_of(encoder)}.",
            f"Give a fine-tuned network as {arg('model')}.",
        )
    if "reduced_from" in encoder.encoder:
        raise ImagestrataError(
            f"The vectors of {arg('encoder')} were reduced (they are {encoder.encoder['name']}). "
            "The reduction was fitted to the original images and cannot reduce new ones "
            "comparably.",
            f"Embed all images together and call {verb('reduce_embeddings')} on them, or give the "
            "embeddings before the reduction.",
        )
    return SavedEncoder(encoder.encoder, encoder.state)


def _was_finished(out: str | os.PathLike[str] | None) -> bool:
    folder = None if out is None else check_path("out", out)
    if folder is None or not folder.is_dir():
        return False
    entry = find_step(folder, "embed")[1]
    return bool(entry and entry["finished"])


def _stored(run: Path) -> Embeddings | None:
    """Read finished embeddings; return None if any of their files is missing or damaged."""
    return read_embeddings(run / "embeddings", every_part=True)


def _embed(
    images: pd.DataFrame,
    along: _Along,
    folder: Path | None,
    parts: VectorParts | None,
    seed: int,
    progress: Progress,
    engine: Any,
) -> Embeddings:
    """Return the vectors of all images, of which those in ``folder`` are not computed again."""
    files, encoder = files_of(images), along.encoder
    with open_engine(engine) as workers:
        if encoder.fit_size and not encoder.state():
            learn(encoder, files, workers, folder, seed, progress)
            parts = None  # their key contains what was learnt
        if encoder.fit_size and folder is not None:
            write_state(folder, encoder.settings["learnt_from"], encoder.state())
        if parts is None:
            parts = VectorParts(folder, encoder_key(encoder.settings))
        compute(encoder, files, workers, parts, along.batch_size, progress)
    result = assemble(images, parts, encoder.settings, encoder.state())
    reasons = result.failures["reason"].tolist()
    warn_of(reasons, len(images), "embedded", "; they are listed among the failures")
    return result
