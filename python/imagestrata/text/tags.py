"""Tag every image with the labels of a pretrained classifier."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..corpus.pictures import files_of
from ..corpus.scan import check_images, images_step, usable_images
from ..embeddings.compute import compute
from ..embeddings.parts import VectorParts, encoder_key, stack_parts
from ..encoders.registry import (
    DEFAULT_ENCODER,
    DEFAULT_RESIZE,
    deciding_arguments,
    knows_classes,
    make_classifier,
)
from ..errors import ImagestrataError, plural, warn
from ..progress import Progress
from ..tables import check_table
from ..validate import check_bool, check_float, check_idle, check_int, check_path
from ..verbs import public
from ..wording import arg, quote, verb
from ..work import warn_of
from . import remote_tags
from .coder import code_images
from .local import LocalModel
from .machines import signed
from .origin import texts_fingerprint
from .rekognition import IN_ORDER, Rekognition
from .remote_tags import stored_answers
from .server import ModelServer
from .tag_table import decided, looked_at, softmax, tag_table, tags_reader, unanswered
from .zero_shot import PREFIX, tag_by_words

if TYPE_CHECKING:
    from ..encoders.network import NetworkEncoder

#: The largest number of labels per image, of classifiers with many labels.
MOST_TAGS = 5


@public
def tag_images(
    images: Any,
    classifier: str | Rekognition | ModelServer | LocalModel = DEFAULT_ENCODER,
    *,
    n_tags: int | None = None,
    min_confidence: float = 0.0,
    weights: str | os.PathLike[str] | None = None,
    labels: Iterable[str] | Mapping[str, str | Sequence[str]] | None = None,
    exclusive: bool = True,
    calibrate: pd.DataFrame | str | os.PathLike[str] | None = None,
    question: str | None = None,
    questions: Mapping[str, Any] | None = None,
    meaning: str = "denotative",
    max_tokens: int | None = 300,
    temperature: float | None = None,
    side: int = 512,
    resize: str = DEFAULT_RESIZE,
    precision: str = "auto",
    device: str = "auto",
    batch_size: int | None = None,
    budget: float | None = None,
    consent: bool = False,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
) -> pd.DataFrame:
    """Tag every distinct image with the labels of a pretrained classifier or model.

    With a network, such as the default, no image leaves this machine. With published weights, the
    labels are the 1,000 classes of ImageNet: objects and animals, but few people or events. CLIP
    (``"clip:ViT-B-32"``) compares the images with ``labels`` in your own words. A vision language
    model (:class:`ModelServer`, :class:`LocalModel`) is a coder, who answers your questions with
    fixed answers.

    With :class:`Rekognition`, the images go to Amazon for a price, and with a server to its
    machine. This requires your consent after an estimate of the cost. Each answer is stored in
    ``out`` as soon as it arrives, and you never pay for an answer twice, even after a kill, if you
    add images, with ``overwrite`` or another ``n_tags``.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        The result of :func:`scan_images`, of which the rows with status ``"ok"`` are used;
        or anything that it takes, which is then scanned first.
    classifier : str, Rekognition, ModelServer or LocalModel; default "efficientnet_lite0"
        The default, whose weights are installed with this package; the name of a classifier of
        torchvision; ``"clip:<name>"``, see :func:`list_encoders`; a service; or a vision language
        model.
    n_tags : int, optional
        The largest number of labels per image: those with the highest confidence. By default 5,
        and all with CLIP and for the text and the faces that :class:`Rekognition` finds.
    min_confidence : float, default 0
        The lowest confidence of a label.
    weights : path or str, optional
        As for :func:`embed_images`, but the file must contain the last layer, and for CLIP both
        towers.
    labels : sequence of str or mapping, optional
        Names of the classes, in order. Required if the weights have other classes than the
        published ones. For CLIP, captions such as ``"a photo of a protest"``, which are taken as
        they are; or a mapping of the name of each label to one or several captions, whose vectors
        are averaged. For a model, the answers to ``question``, or a mapping of each answer to its
        meaning; without them, the question is one of yes or no.
    exclusive : bool, default True
        CLIP only. Whether each image has one of the labels: their confidences then sum to 1 (a
        softmax with the network's own scale). With False, each label is compared with captions
        of any image ("a photo", "a picture", "an image"); networks that were trained to answer
        about each caption alone (SigLIP) do that instead.
    calibrate : DataFrame or path, optional
        CLIP only. Labels given by hand for some of the images, from which confidences become
        probabilities: ``image_id`` and ``label``, one of ``labels``; or ``code``, one of
        ``labels``, with the ``label`` 1 or 0. At least ten images; columns of
        :func:`sample_images` become weights. Without it, confidences are only a ranking.
    question : str, optional
        Models only, as all arguments to ``side``. A question such as "Does this image show a
        protest?". The table calls its code "question".
    questions : mapping, optional
        Several questions in one request: for each code a question of yes or no, or a question and
        its answers, ``{"protest": "Does this image show a protest?", "place": ("Where is it?",
        ["street", "indoors", "cannot tell"])}``.
    meaning : {"denotative", "connotative"}, default "denotative"
        Whether the model is told to answer by what is visible, or by what the image suggests to a
        viewer. ``docs/tagging.md`` has the words.
    max_tokens : int or None, default 300
        The longest reply, in tokens; ``None`` for no limit. Models that reason before they answer
        need more. A ``budget`` requires a limit.
    temperature : float, optional
        0 for the likeliest answer; by default the server's own setting.
    side : int, default 512
        The longer side of pictures, in pixels. They are sent as JPEG without metadata.
    resize : {"rescale_crop", "squish", "crop", "pad"}, default "rescale_crop"
        How a picture is made square, see :func:`embed_images`.
    precision : {"auto", "bfloat16", "float32"}, default "auto"
        The numbers that the network computes with; confidences are slightly coarser with
        bfloat16.
    device : str, default "auto"
        The device of the network: ``"cpu"``, ``"cuda"``, ...
    batch_size : int, optional
        The number of images that pass the network together. This argument, ``weights`` and those
        from ``resize`` on are for networks.
    budget : float, optional
        The highest total cost of all answers of the service or model in ``out`` (of a model: to
        these questions), in the currency of its ``price``. Repeated attempts count. Nothing is
        sent beyond the budget.
    consent : bool, default False
        Whether the images may leave this machine. Required for a service and for a server on
        another machine.
    out : path, optional
        Run folder. The table is written to ``tags.parquet`` there, and an interrupted call
        continues. For a service or a model it is required, and answers are written to
        ``tags/answers.jsonl``.
    overwrite : bool, default False
        Replace tags of another classifier or other images.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        A Dask cluster whose workers decode and classify, see :func:`embed_images`. Only this
        process asks a service, since it keeps the budget.

    Returns
    -------
    DataFrame
        One row per image and tag: ``image_id``, ``path``, ``file``, ``rank`` (from 1), ``label``,
        ``confidence`` (a probability according to the model), ``annotator`` ("model:" and the name
        of the classifier), ``reason``. An image without a tag has one row with the reason: it
        could not be read, or no label reached ``min_confidence``.

        With CLIP also ``decision``, True for the most probable of exclusive labels and for others
        from 0.5 on; and ``split``, "fold" where the image's own label was not used to calibrate
        its confidence although it has one, otherwise missing. Other verbs count only the labels
        with a True decision.

        With the faces of :class:`Rekognition`, a row per face, the largest first, and the columns
        ``emotion``, ``emotion_confidence``, ``age_low`` and ``age_high``, which are guesses from
        looks: a warning says so. With its text, a row per line, in the order of reading.

        With a model, a table of labels instead, as people's are: one row per image and question
        with ``image_id``, ``path``, ``file``, ``code``, ``label`` ("1" or "0" for yes or no),
        ``annotator`` ("model:" and the name of the model), ``kind`` ("binary" or "choice"),
        ``reason``. An answer is never guessed: a label is missing, with its reason, if the model
        refused, if no answer came, or if it gave other answers in three attempts.

        Whoever takes labels by people refuses tables whose ``annotator`` begins with "model:".
        Give them as predictions, which labels by people correct, for instance in
        :func:`label_shares`.

    Raises
    ------
    MissingWeightsError
        If the weights are not on this machine and cannot be downloaded.
    ImagestrataError
        If the classes have no names, labels given by hand do not fit, or as for
        :func:`embed_images`. With a service: without consent (nothing is sent then), or if it
        refuses every request or ten images in a row receive no answer. With a model, also if ten
        images in a row receive no valid answer.

    Warns
    -----
    UserWarning
        If a model gave none of the answers for some images.
        If confidences of CLIP are no probabilities: labels that do not exclude each other, without
        ``calibrate``. If labels given by hand do not agree with the scores at all. If emotions and
        ages of faces are requested.

    See Also
    --------
    costs : Estimate the cost of a service.
    compare_tags : Compare tags with labels given by hand.
    tag_frequencies : Count the labels.
    cluster_keywords : ``cluster_keywords(clustering, tags, column="label",
        separator=";")`` finds the typical labels of each cluster.

    Notes
    -----
    CLIP: A. Radford et al. (2021), "Learning transferable visual models from natural language
    supervision". A score is the cosine of image and caption times the network's scale.
    Calibration is a logistic regression on the scores: one slope (an inverse temperature, Guo et
    al. 2017) and a constant per label, which is Platt scaling for one label. Labelled images are
    dealt into five folds, and get the probability of the fit without their own fold, so that they
    can be compared with their labels; all others get that of the fit to all labels.

    Examples
    --------
    Captions for the labels, with names that a codebook uses (the weights are downloaded once):

    >>> labels = {
    ...     "protest": ["a photo of a protest", "people marching with signs"],
    ...     "speech": "a photo of a person giving a speech",
    ...     "other": ["a photo of something else", "a photo"],
    ... }
    >>> tags = tag_images("images", "clip:ViT-B-32", labels=labels)  # doctest: +SKIP
    """
    n_tags = None if n_tags is None else check_int("n_tags", n_tags, minimum=1)
    min_confidence = check_float("min_confidence", min_confidence, minimum=0, maximum=1)
    overwrite = check_bool("overwrite", overwrite)
    consent = check_bool("consent", consent)
    exclusive = check_bool("exclusive", exclusive)
    of_models = {
        "question": (question, None),
        "questions": (questions, None),
        "meaning": (meaning, "denotative"),
        "max_tokens": (max_tokens, 300),
        "temperature": (temperature, None),
        "side": (side, 512),
    }
    if isinstance(classifier, ModelServer | LocalModel):
        check_idle(
            "with a model",
            n_tags=(n_tags, None),
            min_confidence=(min_confidence, 0),
            weights=(weights, None),
            exclusive=(exclusive, True),
            calibrate=(calibrate, None),
            resize=(resize, DEFAULT_RESIZE),
            precision=(precision, "auto"),
            device=(device, "auto"),
            batch_size=(batch_size, None),
            engine=(engine, None),
        )
        return code_images(
            images, classifier, labels, question, questions, meaning, max_tokens=max_tokens,
            temperature=temperature, side=side, budget=budget, consent=consent, out=out,
            overwrite=overwrite, progress=progress,
        )  # fmt: skip
    check_idle(f"with this classifier, only with a {verb('ModelServer')}", **of_models)
    by_words = isinstance(classifier, str) and classifier.startswith(PREFIX)
    if not by_words:
        idle = {"exclusive": (exclusive, True), "calibrate": (calibrate, None)}
        check_idle("with this classifier, only with CLIP", **idle)
    if not isinstance(classifier, str):
        if isinstance(classifier, Rekognition):
            names = None if labels is None else _check_labels(labels)
            unset = {"weights": weights, "labels": names, "batch_size": batch_size}
            idle = {name: (one, None) for name, one in {**unset, "engine": engine}.items()}
            auto = {"precision": (precision, "auto"), "device": (device, "auto")}
            check_idle(
                "with a service, only with a network",
                **idle,
                resize=(resize, DEFAULT_RESIZE),
                **auto,
            )
        return _tag_by_service(
            images, classifier, n_tags, min_confidence, budget, consent, out, overwrite, progress
        )
    if budget is not None:
        raise ImagestrataError(
            f"{arg('budget')} is {quote(budget)}, but {quote(classifier)} runs on this machine "
            "and costs nothing."
        )
    if batch_size is not None:
        batch_size = check_int("batch_size", batch_size, minimum=1)
    if by_words:
        return tag_by_words(
            images, classifier, labels, exclusive=exclusive, calibrate=calibrate, n_tags=n_tags,
            min_confidence=min_confidence, weights=weights, resize=resize, precision=precision,
            device=device, batch_size=batch_size, out=out, overwrite=overwrite,
            progress=progress, engine=engine,
        )  # fmt: skip
    n_tags = MOST_TAGS if n_tags is None else n_tags
    given = None if labels is None else _check_labels(labels)
    settings = deciding_arguments(classifier, weights, resize, precision, 0)
    if not knows_classes(classifier):
        raise ImagestrataError(
            f"{quote(classifier)} computes vectors and has no labels.",
            f"Give {quote(DEFAULT_ENCODER)}, a classifier of torchvision, such as 'resnet18', or "
            "'clip:ViT-B-32' with labels in words.",
        )
    settings["classifier"] = settings.pop("encoder")
    settings |= {"n_tags": n_tags, "min_confidence": min_confidence, "labels": given}
    check_images(images, out)
    # Detect missing weights before thousands of files are scanned.
    network = make_classifier(
        classifier, weights=weights, resize=resize, precision=precision, device=device
    )
    names = _names(network, given)
    table = usable_images(images, out, overwrite, progress, engine)
    step = images_step(out, "tag", settings, table, overwrite)

    def make() -> pd.DataFrame:
        parts = step.parts
        folder = None if parts is None else parts.folder
        scored = VectorParts(folder, encoder_key(network.settings))
        size = batch_size or network.batch_size
        compute(network, files_of(table), engine, scored, size, progress)
        scores, reasons = stack_parts(scored, table["image_id"].tolist(), network.width)
        warn_of([reason for reason in reasons if reason is not None], len(reasons), "tagged")
        tags = tag_table(table, softmax(scores), reasons, names, n_tags, min_confidence)
        return signed(tags, classifier)

    return step.table(
        make,
        lambda tags: {"images": len(table), "without": int(tags["label"].isna().sum())},
        read=tags_reader(classifier),
        identity=lambda tags: texts_fingerprint(tags, "label"),
    )


def tag_costs(
    images: Any, service: Rekognition, out: str | os.PathLike[str] | None, progress: Progress
) -> pd.DataFrame:
    """The table of :func:`costs` for tags."""
    table = usable_images(images, None, False, progress)
    folder = None if out is None else check_path("out", out)
    return pd.DataFrame([remote_tags.costs(service, table, stored_answers(folder, service))])


@public
def tag_frequencies(tags: pd.DataFrame) -> pd.DataFrame:
    """Count how often each label occurs.

    Parameters
    ----------
    tags : DataFrame
        The result of :func:`tag_images`, or your own table with ``image_id`` and ``label``
        (missing for images without a label). With a column ``decision``, only the labels with
        the value True count. With a column ``code``, such as the answers of a model, the tag of a
        question of yes or no is its code; images without an answer to it are not in its share.

    Returns
    -------
    DataFrame
        One row per label, the most frequent first: ``label``, ``n_images`` with it, their
        ``share`` of the classified images, ``mean_confidence`` (if the table has a confidence).
        Images that could not be tagged, which :func:`tag_images` returns with a reason, do not
        count.

    Raises
    ------
    ImagestrataError
        If a column is missing, or the table has no label.
    """
    tags = check_table("tags", tags, ("image_id", "label"), "tag_images")
    without = unanswered(tags)
    tags = decided(tags)
    found = tags.dropna(subset="label")
    if found.empty:
        raise ImagestrataError(
            f"None of {plural(tags['image_id'].nunique(), 'image')} has a label."
        )
    grouped = found.groupby("label")
    table = grouped["image_id"].nunique().rename("n_images").reset_index()
    seen = {*tags.loc[looked_at(tags), "image_id"].astype(str)}
    unknown = Counter(label for image_id, label in without if image_id in seen)
    table["share"] = table["n_images"] / (len(seen) - table["label"].map(unknown).fillna(0))
    if "confidence" in found:
        table["mean_confidence"] = grouped["confidence"].mean().to_numpy()
    return table.sort_values(["n_images", "label"], ascending=[False, True], ignore_index=True)


def _tag_by_service(
    images: Any,
    service: Any,
    n_tags: int | None,
    min_confidence: float,
    budget: Any,
    consent: bool,
    out: Any,
    overwrite: bool,
    progress: Progress,
) -> pd.DataFrame:
    """:func:`tag_images` with a service."""
    if not isinstance(service, Rekognition):
        raise ImagestrataError(
            f"{arg('classifier')} must be the name of a network, a {verb('Rekognition')}, a "
            f"{verb('ModelServer')} or a {verb('LocalModel')}, not {quote(service)}.",
            f"For instance {verb('Rekognition', 'labels', region='eu-west-1')}. Networks run "
            "on this machine and cost nothing.",
        )
    faces = service.operation == "faces"
    if faces:
        warn(
            "Emotions and ages of faces are guesses from looks: they are not what people feel or "
            "how old they are, and errors differ by skin colour, sex and age.",
            f"Check a sample by hand with {verb('compare_tags')}, and do not judge single people "
            "by them.",
        )
    if n_tags is None and service.operation not in IN_ORDER:
        n_tags = MOST_TAGS
    if budget is not None:
        budget = check_float("budget", budget, minimum=0)
    if out is None:
        raise ImagestrataError(
            f"{arg('out')} must be a run folder, in which answers that cost money are stored.",
            f"For instance {arg('out', 'my-run')}.",
        )
    table = usable_images(images, out, overwrite, progress)
    name = f"rekognition {service.operation}"
    settings = service.identity() | {"n_tags": n_tags, "min_confidence": min_confidence}
    step = images_step(out, "tag", settings, table, overwrite)
    assert step.folder is not None
    answers = stored_answers(step.folder, service)
    failed: dict[str, str] = {}

    def make() -> pd.DataFrame:
        asked = remote_tags.ask_service(table, service, answers, budget, consent, progress)
        failed.update(asked)
        tags = remote_tags.tags_of_answers(
            table, answers, failed, n_tags, min_confidence, faces=faces
        )
        return signed(tags, name)

    def counts(tags: pd.DataFrame) -> dict[str, Any] | None:
        if failed:
            return None
        versions = {answers.found[image_id]["model"] for image_id in table["image_id"]} - {None}
        return {
            "images": len(table),
            "without": int(tags["label"].isna().sum()),
            "cost": answers.spent,
            "sent_to": service.host,
            "models": sorted(versions),
        }

    return step.table(
        make,
        counts,
        read=tags_reader(name),
        identity=lambda tags: texts_fingerprint(tags, "label"),
    )


def _check_labels(labels: Any) -> list[str]:
    found = None if isinstance(labels, str) or not isinstance(labels, Iterable) else list(labels)
    if not found or not all(isinstance(label, str) and label for label in found):
        raise ImagestrataError(f"{arg('labels')} must be the names of the classes, in their order.")
    return found


def _names(network: NetworkEncoder, given: list[str] | None) -> list[str]:
    """A name for each class."""
    names = getattr(network, "classes", None) if given is None else given
    if names is None:
        raise ImagestrataError(
            f"These weights have {plural(network.width, 'class', 'classes')}, not those of "
            "ImageNet.",
            f"Give the names of the classes, in their order, as {arg('labels')}.",
        )
    if len(names) != network.width:
        raise ImagestrataError(
            f"{arg('labels')} has {plural(len(names), 'name')}, but the weights have "
            f"{plural(network.width, 'class', 'classes')}."
        )
    return names
