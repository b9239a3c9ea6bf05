"""One function for each verb, as R calls them.

Numbers, strings and lists of strings cross as they are, tables and matrices as
:mod:`~imagestrata.bridge.codec` writes them, settings as JSON. What a verb works
on arrives as a dictionary with a ``kind``, see :func:`_receive`.

No function here raises. Each answers ``{"value", "error", "warnings"}``, since
what reticulate makes of an exception differs from version to version.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import shutil
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

import imagestrata

from ..errors import ImagestrataError, Worded, plural
from ..verbs import PRODUCTS
from ..wording import quote, verb
from .codec import decode_matrix, decode_table, encode_matrix, encode_table
from .words import R

Answer: TypeAlias = dict[str, Any]
Report: TypeAlias = Callable[[str, int, "int | None"], Any]

#: Seconds between two calls of R's progress function, each of which costs R some work.
_REPORT_EVERY = 0.1


def _answer(verb: Callable[..., Any]) -> Callable[..., Answer]:
    @functools.wraps(verb)
    def call(*args: Any, **arguments: Any) -> Answer:
        answer: Answer = {"value": None, "error": None, "warnings": []}
        with warnings.catch_warnings(record=True) as caught:
            try:
                if isinstance(arguments.get("exclude"), dict):
                    arguments["exclude"] = _receive(arguments["exclude"])
                if "progress" in arguments:
                    arguments["progress"] = _calm(arguments["progress"])
                answer["value"] = verb(*args, **arguments)
            except ImagestrataError as error:
                answer["error"] = _foreseen(error)
            except (Exception, KeyboardInterrupt) as error:
                answer["error"] = _unforeseen(error)
        answer["warnings"] = list(dict.fromkeys(_warning(one.message) for one in caught))
        return answer

    return call


@_answer
def scan_images(images: Any, **arguments: Any) -> Any:
    return encode_table(imagestrata.scan_images(_receive(images), **arguments))


@_answer
def draw_demo_corpus(folder: str, **arguments: Any) -> Any:
    return str(imagestrata.draw_demo_corpus(folder, **arguments))


@_answer
def list_encoders() -> Any:
    return encode_table(imagestrata.list_encoders())


@_answer
def embed_images(images: Any, encoder: str, *, model: Any = None, **arguments: Any) -> Any:
    taught = None if model is None else _receive(model)
    embeddings = imagestrata.embed_images(_receive(images), encoder, model=taught, **arguments)
    return _send_embeddings(embeddings, stored=arguments.get("out") is not None)


@_answer
def read_embeddings(folder: str) -> Any:
    return _send_embeddings(imagestrata.Embeddings.load(folder), stored=True)


@_answer
def read_matrix(folder: str) -> Any:
    """The vectors of a run folder, in the order of its table of images."""
    embeddings = imagestrata.Embeddings.load(folder)
    ids = embeddings.images[["image_id"]]
    return {"ids": encode_table(ids), "matrix": encode_matrix(embeddings.matrix)}


@_answer
def describe_images(images: Any, provider: Any, out: str, **arguments: Any) -> Any:
    server = _receive_server(provider)
    return encode_table(imagestrata.describe_images(_receive(images), server, out, **arguments))


@_answer
def description_costs(images: Any, provider: Any, out: str | None, **arguments: Any) -> Any:
    server = _receive_server(provider)
    return encode_table(imagestrata.description_costs(_receive(images), server, out, **arguments))


@_answer
def embed_text(texts: Any, encoder: Any, **arguments: Any) -> Any:
    asked = _receive_server(encoder) if isinstance(encoder, dict) else encoder
    embeddings = imagestrata.embed_text(decode_table(texts), asked, **arguments)
    return _send_embeddings(embeddings, stored=arguments.get("out") is not None)


@_answer
def reduce_embeddings(embeddings: Any, method: str, **arguments: Any) -> Any:
    reduced = imagestrata.reduce_embeddings(_receive(embeddings), method, **arguments)
    return _send_embeddings(reduced, stored=arguments.get("out") is not None)


@_answer
def read_text(images: Any, languages: Any, **arguments: Any) -> Any:
    return encode_table(imagestrata.read_text(_receive(images), languages, **arguments))


@_answer
def crop_faces(images: Any, out: str, **arguments: Any) -> Any:
    return encode_table(imagestrata.crop_faces(_receive(images), out, **arguments))


@_answer
def tag_images(images: Any, classifier: Any, **arguments: Any) -> Any:
    asked = _receive_tagger(classifier)
    return encode_table(imagestrata.tag_images(_receive(images), asked, **arguments))


@_answer
def tag_costs(images: Any, classifier: Any, out: str | None, **arguments: Any) -> Any:
    asked = _receive_tagger(classifier)
    return encode_table(imagestrata.tag_costs(_receive(images), asked, out, **arguments))


@_answer
def compare_tags(tags: Any, labels: Any, matches: str | None, **arguments: Any) -> Any:
    compared = imagestrata.compare_tags(
        _receive(tags),
        _receive(labels),
        None if matches is None else json.loads(matches),
        **arguments,
    )
    return _send_tables(compared, "scores", "frequencies", "confusion", "images", "summary")


@_answer
def tag_frequencies(tags: Any) -> Any:
    return encode_table(imagestrata.tag_frequencies(decode_table(tags)))


@_answer
def fine_tune(
    images: Any, labels: Any, task: str | None, *, keep: str | None, **arguments: Any
) -> Any:
    """``keep`` is where a model without a folder of its own lies as long as R's session lasts."""
    model = imagestrata.fine_tune(_receive(images), _receive(labels), task, **arguments)
    if keep is not None:
        shutil.copytree(model.folder, keep)
    return _send_model(model)


@_answer
def read_model(folder: str) -> Any:
    return _send_model(imagestrata.FineTunedModel.load(folder))


@_answer
def predict_labels(images: Any, model: Any, **arguments: Any) -> Any:
    return encode_table(imagestrata.predict_labels(_receive(images), _receive(model), **arguments))


@_answer
def calibrate_thresholds(model: Any, measure: str) -> Any:
    return encode_table(imagestrata.calibrate_thresholds(_receive(model), measure=measure))


@_answer
def tune_model(images: Any, labels: Any, task: str | None, **arguments: Any) -> Any:
    tried = imagestrata.tune_model(_receive(images), _receive(labels), task, **arguments)
    return encode_table(tried)


@_answer
def explain_labels(images: Any, model: Any, out: str, **arguments: Any) -> Any:
    explained = imagestrata.explain_labels(_receive(images), _receive(model), out, **arguments)
    return encode_table(explained)


@_answer
def label_ratings(ratings: Any, **arguments: Any) -> Any:
    return _send_labels(imagestrata.label_ratings(_receive(ratings), **arguments))


@_answer
def combine_labels(labels: Any, rule: str) -> Any:
    return _send_labels(imagestrata.combine_labels(_receive(labels), rule))


@_answer
def plot_mistakes(model: Any, path: str, *, predictions: Any = None, **arguments: Any) -> Any:
    """``predictions``: those that R holds, whose images may have moved meanwhile."""
    taught = imagestrata.FineTunedModel.load(_receive(model))
    if predictions is not None:
        taught.predictions = decode_table(predictions)
    imagestrata.plot_mistakes(taught, path, **arguments)
    return path


@_answer
def cluster_images(images: Any, method: str, **arguments: Any) -> Any:
    return _send_clustering(imagestrata.cluster_images(_receive(images), method, **arguments))


@_answer
def read_clustering(folder: str) -> Any:
    return _send_clustering(imagestrata.Clustering.load(folder))


@_answer
def predict_clusters(clustering: Any, embeddings: Any) -> Any:
    return encode_table(_receive(clustering).predict(_receive(embeddings)))


@_answer
def sample_images(clustering: Any, n_per_cluster: int, **arguments: Any) -> Any:
    drawn = imagestrata.sample_images(_receive(clustering), n_per_cluster, **arguments)
    return encode_table(drawn)


@_answer
def assign_annotators(sample: Any, groups: list[str], **arguments: Any) -> Any:
    return encode_table(imagestrata.assign_annotators(decode_table(sample), groups, **arguments))


@_answer
def packet_costs(packets: Any, n_items: int) -> Any:
    return encode_table(imagestrata.packet_costs(decode_table(packets), n_items))


@_answer
def reassign(packets: Any, ratings: Any, **arguments: Any) -> Any:
    made = imagestrata.reassign(decode_table(packets), decode_table(ratings), **arguments)
    return encode_table(made)


@_answer
def export_ratings_page(packets: Any, out: str, **arguments: Any) -> Any:
    return str(imagestrata.export_ratings_page(decode_table(packets), out, **arguments))


@_answer
def export_qualtrics(packets: Any, out: str, **arguments: Any) -> Any:
    return str(imagestrata.export_qualtrics(decode_table(packets), out, **arguments))


@_answer
def export_labelstudio(packets: Any, out: str, **arguments: Any) -> Any:
    return str(imagestrata.export_labelstudio(decode_table(packets), out, **arguments))


@_answer
def find_images(clustering: Any, cluster: Any, n: int, **arguments: Any) -> Any:
    found = imagestrata.find_images(_receive(clustering), cluster, n, **arguments)
    return encode_table(found)


@_answer
def rows_of_clustering(images: Any, names: Any) -> Any:
    """Row (from 1) of the image of a clustering that each row of a table is about."""
    table = decode_table(images)
    clustering = imagestrata.Clustering(table, table, table, np.empty((0, 0), np.float32), {})
    rows = clustering._rows_of(decode_table(names))
    return encode_table(pd.DataFrame({"row": pd.Series(rows + 1).mask(rows < 0).astype("Int64")}))


@_answer
def cluster_keywords(clustering: Any, texts: Any, **arguments: Any) -> Any:
    table = imagestrata.cluster_keywords(_receive(clustering), _receive(texts), **arguments)
    return encode_table(table)


@_answer
def map_images(embeddings: Any, method: str, **arguments: Any) -> Any:
    return encode_table(imagestrata.map_images(_receive(embeddings), method, **arguments))


@_answer
def cluster_metadata(clustering: Any, metadata: Any, **arguments: Any) -> Any:
    table = imagestrata.cluster_metadata(_receive(clustering), _receive(metadata), **arguments)
    return encode_table(table)


@_answer
def coding_sheet(clustering: Any, out: str, codes: str, **arguments: Any) -> Any:
    sheet = imagestrata.coding_sheet(_receive(clustering), out, json.loads(codes), **arguments)
    return encode_table(sheet)


@_answer
def read_coding(files: list[str], sheet: Any, **arguments: Any) -> Any:
    return encode_table(imagestrata.read_coding(files, _receive(sheet), **arguments))


@_answer
def image_gallery(
    clustering: Any,
    out: str,
    *,
    sample: Any = None,
    keywords: Any = None,
    points: Any = None,
    **arguments: Any,
) -> Any:
    given = {"sample": sample, "keywords": keywords, "points": points}
    tables = {name: None if sent is None else decode_table(sent) for name, sent in given.items()}
    return str(imagestrata.image_gallery(_receive(clustering), out, **tables, **arguments))


@_answer
def share_bundle(run: str, out: str, *, ratings: Any = None, **arguments: Any) -> Any:
    rated = None if ratings is None else decode_table(ratings)
    return str(imagestrata.share_bundle(run, out, ratings=rated, **arguments))


@_answer
def plot_montage(clustering: Any, path: str, *, keywords: Any = None, **arguments: Any) -> Any:
    words = None if keywords is None else decode_table(keywords)
    imagestrata.plot_montage(_receive(clustering), path, keywords=words, **arguments)
    return path


@_answer
def score_labels(table: Any) -> Any:
    frame = decode_table(table)
    return encode_table(imagestrata.score_labels(frame["clusters"], frame["labels"]))


@_answer
def sample_pairs(
    embeddings: Any, n: int, k: int, *, clusterings: Any, grid: str | None, **arguments: Any
) -> Any:
    pairs = imagestrata.sample_pairs(
        _receive(embeddings),
        n,
        k,
        clusterings=_receive(clusterings),
        grid=None if grid is None else json.loads(grid),
        **arguments,
    )
    return encode_table(pairs)


@_answer
def export_pairs(pairs: Any, out: str, **arguments: Any) -> Any:
    return str(imagestrata.export_pairs(decode_table(pairs), out, **arguments))


@_answer
def read_pairs(files: list[str], pairs: Any, **arguments: Any) -> Any:
    return encode_table(imagestrata.read_pairs(files, decode_table(pairs), **arguments))


@_answer
def agreement(judgements: Any, **arguments: Any) -> Any:
    return encode_table(imagestrata.agreement(decode_table(judgements), **arguments))


@_answer
def consensus(judgements: Any, rule: str) -> Any:
    return encode_table(imagestrata.consensus(decode_table(judgements), rule))


@_answer
def score_pairs(clustering: Any, pairs: Any, **arguments: Any) -> Any:
    scores = imagestrata.score_pairs(_receive(clustering), decode_table(pairs), **arguments)
    return encode_table(scores)


@_answer
def tune_clusters(embeddings: Any, pairs: Any, grid: str | None, **arguments: Any) -> Any:
    tuned = imagestrata.tune_clusters(
        _receive(embeddings),
        decode_table(pairs),
        None if grid is None else json.loads(grid),
        **arguments,
    )
    return _send_tables(tuned, "results", "selection", "heldout", "summary")


@_answer
def best_clustering(tuned: Any, embeddings: Any, **arguments: Any) -> Any:
    names = ("results", "selection", "heldout")
    tables = {name: decode_table(tuned["tables"][name]) for name in names}
    received = imagestrata.Tuning(**tables, settings=json.loads(tuned["settings"]))
    return _send_clustering(
        imagestrata.best_clustering(received, _receive(embeddings), **arguments)
    )


@_answer
def sweep_min_cluster_size(embeddings: Any, sizes: list[int], **arguments: Any) -> Any:
    swept = imagestrata.sweep_min_cluster_size(_receive(embeddings), sizes, **arguments)
    return encode_table(swept)


@_answer
def cluster_confidence(clustering: Any, **arguments: Any) -> Any:
    return encode_table(imagestrata.cluster_confidence(_receive(clustering), **arguments))


@_answer
def cluster_stability(clustering: Any, embeddings: Any, **arguments: Any) -> Any:
    found = imagestrata.cluster_stability(_receive(clustering), _receive(embeddings), **arguments)
    return _send_tables(found, "clusters", "refits", "summary")


@_answer
def compare_clusterings(clusterings: Any, *, truth: Any, **arguments: Any) -> Any:
    classes = truth if isinstance(truth, str) else _receive(truth)
    compared = imagestrata.compare_clusterings(truth=classes, **arguments, **_receive(clusterings))
    return _send_tables(compared, "pairs", "flows", "summary")


@_answer
def score_vectors(clustering: Any, embeddings: Any) -> Any:
    return encode_table(imagestrata.score_vectors(_receive(clustering), _receive(embeddings)))


@_answer
def calibrate_threshold(embeddings: Any, **arguments: Any) -> Any:
    return encode_table(imagestrata.calibrate_threshold(_receive(embeddings), **arguments))


@_answer
def matching_test(clustering: Any, descriptions: Any, out: str, **arguments: Any) -> Any:
    key = imagestrata.matching_test(
        _receive(clustering), decode_table(descriptions), out, **arguments
    )
    return encode_table(key)


@_answer
def read_matching(files: list[str], test: Any, **arguments: Any) -> Any:
    found = imagestrata.read_matching(files, _receive(test), **arguments)
    return _send_tables(found, "clusters", "sets", "agreement", "answers", "confusion", "summary")


@_answer
def intruder_test(clustering: Any, out: str, **arguments: Any) -> Any:
    return encode_table(imagestrata.intruder_test(_receive(clustering), out, **arguments))


@_answer
def read_intruders(files: list[str], test: Any, **arguments: Any) -> Any:
    found = imagestrata.read_intruders(files, _receive(test), **arguments)
    return _send_tables(found, "clusters", "sets", "agreement", "answers", "summary")


@_answer
def signatures() -> Any:
    """A row for every argument of every public function, its default as JSON ("" without)."""
    rows = [
        {
            "verb": name,
            "argument": "..." if parameter.kind is parameter.VAR_KEYWORD else parameter.name,
            "default": ""
            if parameter.default is parameter.empty
            else json.dumps(parameter.default, separators=(",", ":")),
        }
        for name in imagestrata.__all__
        if inspect.isfunction(function := getattr(imagestrata, name))
        for parameter in inspect.signature(function).parameters.values()
    ]
    return encode_table(pd.DataFrame(rows))


@_answer
def products() -> Any:
    """A row for each product of :mod:`imagestrata.verbs`: its name for people, and its verb."""
    return encode_table(pd.DataFrame(PRODUCTS.values())[["called", "maker"]])


@_answer
def echo_table(table: Any) -> Any:
    """The table as it came, for tests of the codec."""
    return encode_table(decode_table(table))


@_answer
def echo_matrix(matrix: Any) -> Any:
    """The matrix as it came, for tests of the codec."""
    return encode_matrix(decode_matrix(matrix))


@_answer
def examine() -> Any:
    """What :mod:`imagestrata.doctor` found, its encoders as a table."""
    from ..doctor import examine as look

    found = look()
    encoders = encode_table(pd.DataFrame(found.pop("encoders")))
    return {"found": json.dumps(found, default=str), "encoders": encoders}


def _receive(sent: dict[str, Any] | None) -> Any:
    """What a verb works on: a path, images, a table, a matrix, or results of other verbs."""
    if sent is None:
        return None
    kind = sent["kind"]
    if kind == "path":
        return sent["path"]
    if kind == "paths":
        paths: list[str] = sent["paths"]
        return paths[0] if len(paths) == 1 and not Path(paths[0]).is_file() else paths
    if kind == "table":
        return decode_table(sent["table"])
    if kind == "labels":
        labels = decode_table(sent["table"])
        return labels if "image_id" in labels else labels.iloc[:, 0]
    if kind == "matrix":
        return decode_matrix(sent["matrix"])
    if kind == "embeddings":
        return _receive_embeddings(sent)
    if kind == "several":
        several = [_receive(one) for one in sent["several"]]
        names = sent["names"]
        return several if names is None else dict(zip(names, several, strict=True))
    return _receive_clustering(sent)


def _receive_embeddings(sent: dict[str, Any]) -> Any:
    """Embeddings, read from their run folder or brought along, for the images that R still has."""
    images = decode_table(sent["images"])
    if sent["folder"] is None:
        matrix, encoder = decode_matrix(sent["matrix"]), json.loads(sent["encoder"])
        return imagestrata.Embeddings(images, matrix, encoder)
    stored = imagestrata.Embeddings.load(sent["folder"])
    rows = pd.Index(stored.images["image_id"]).get_indexer(images["image_id"])
    if (rows < 0).any():
        unknown = images["image_id"][rows < 0]
        raise ImagestrataError(
            f"{plural(len(unknown), 'image has', 'images have')} no vector in "
            f"{quote(sent['folder'])}, {quote(unknown.iloc[0])} for one.",
            f"Call {verb('embed_images')} on the images you want.",
        )
    all_of_them = np.array_equal(rows, np.arange(len(stored)))
    matrix = stored.matrix if all_of_them else stored.matrix[rows]
    return imagestrata.Embeddings(images, matrix, stored.encoder)


def _receive_server(sent: dict[str, Any]) -> Any:
    """A model, on a server or on this machine."""
    if "device" in sent:
        return imagestrata.LocalModel(**sent)
    whole = ("concurrency", "retries", "tokens_per_image")
    return imagestrata.ModelServer(**sent | {name: int(sent[name]) for name in whole})


def _receive_tagger(sent: Any) -> Any:
    """The name of a classifier, or a service."""
    if not isinstance(sent, dict):
        return sent
    # Python saw the environment as it was when it started; R may have set keys since.
    os.environ.update(sent["environment"])
    settings = {name: value for name, value in sent.items() if name != "environment"}
    whole = ("concurrency", "retries")
    return imagestrata.Rekognition(**settings | {name: int(sent[name]) for name in whole})


def _receive_clustering(sent: dict[str, Any]) -> Any:
    tables = {name: decode_table(table) for name, table in sent["tables"].items()}
    centroids = decode_matrix(sent["centroids"])
    settings = json.loads(sent["settings"])
    return imagestrata.Clustering(**tables, centroids=centroids, settings=settings)


def _send_embeddings(embeddings: Any, *, stored: bool) -> dict[str, Any]:
    """Everything but the vectors, where they lie in a run folder anyway."""
    return {
        "images": encode_table(embeddings.images),
        "failures": encode_table(embeddings.failures),
        "encoder": json.dumps(embeddings.encoder),
        "width": embeddings.matrix.shape[1],
        "matrix": None if stored else encode_matrix(embeddings.matrix),
    }


def _send_clustering(clustering: Any) -> dict[str, Any]:
    tables = ("images", "clusters", "trace", "summary")
    return {
        "tables": {name: encode_table(getattr(clustering, name)) for name in tables},
        "centroids": encode_matrix(clustering.centroids),
        "settings": json.dumps(clustering.settings, default=str),
    }


def _send_model(model: Any) -> dict[str, Any]:
    """The model's tables; its weights stay in its folder, by which R names it from then on."""
    tables = ("history", "scores", "confusion", "predictions", "summary")
    return {
        "task": model.task,
        "labels": list(model.labels),
        "tables": {name: encode_table(getattr(model, name)) for name in tables},
        "encoder": json.dumps(model.encoder),
        "training": json.dumps(model.training, default=str),
    }


def _send_labels(labels: pd.DataFrame) -> dict[str, Any]:
    """Labels, and what the rule that made them has counted."""
    return {
        "labels": encode_table(labels),
        "counts": encode_table(labels.attrs["counts"]),
        "incomplete": labels.attrs.get("incomplete", 0),
    }


def _send_tables(result: Any, *names: str) -> dict[str, Any]:
    """Tables of a result, and its settings where it has some."""
    return {
        "tables": {name: encode_table(getattr(result, name)) for name in names},
        "settings": json.dumps(getattr(result, "settings", None), default=str),
    }


def _calm(progress: Report | bool) -> Report | bool:
    """Call R's progress function ten times a second at most, and when a step begins or ends.

    It answers whether to go on: an interrupt inside of it does not get through as such.
    """
    if not callable(progress):
        return progress
    report, latest = progress, 0.0

    def call(step: str, done: int, total: int | None) -> None:
        nonlocal latest
        now = time.monotonic()
        if done in (0, total) or now - latest >= _REPORT_EVERY:
            latest = now
            if report(step, done, total) is False:
                raise KeyboardInterrupt

    return call


def _error(error: BaseException, message: str, hint: str = "") -> dict[str, Any]:
    trace = "".join(traceback.format_exception(error))
    return {"kind": type(error).__name__, "message": message, "hint": hint, "traceback": trace}


def _foreseen(error: ImagestrataError) -> dict[str, Any]:
    return _error(error, *error.words(R)) | {"code": error.code, "names": error.names}


def _warning(warning: Warning | str) -> str:
    return warning.render(R) if isinstance(warning, Worded) else str(warning)


def _unforeseen(error: BaseException) -> dict[str, Any]:
    frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    # R may have taken the interrupt while reticulate's handler asked it whether there was one.
    if isinstance(error, KeyboardInterrupt) or "_signal_handler" in frames:
        return _error(error, "Interrupted.") | {"kind": "interrupt"}
    last_line = traceback.format_exception_only(error)[-1].strip()
    return _error(
        error,
        f"Something unforeseen happened in Python: {last_line}",
        "Please report it, with the Python traceback: rlang::last_error()$traceback.",
    )
