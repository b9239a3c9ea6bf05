"""Call a verb by its name for R, and return its result.

Numbers, strings and lists of strings cross unchanged; tables and matrices cross as
:mod:`~imagestrata.bridge.codec` encodes them. Any other argument arrives as a dictionary with a
``kind``, for which :data:`_RECEIVERS` has a function. The class of a result selects a function of
:data:`_SENDERS`. :data:`_HELPERS` are calls other than verbs.

:func:`call` never raises an error. It returns ``{"value", "error", "warnings"}``, since versions of
reticulate treat exceptions differently.
"""

from __future__ import annotations

import dataclasses
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

from ..annotation.disputes import columns_of_disputes
from ..clustering.copies import all_files, rows_of_images, scan_of
from ..clustering.ledger import ledger
from ..clustering.themes import FOUND, THEME, tree_table
from ..errors import ImagestrataError, Worded, plural
from ..progress import Reporter, State
from ..verbs import PRODUCTS
from ..wording import quote, verb
from . import functions
from .codec import decode_matrix, decode_table, encode_matrix, encode_table
from .words import R

Sent: TypeAlias = dict[str, Any]
Report: TypeAlias = Callable[[str, int, "int | None", str], Any]

#: The shortest time between two calls of R's progress function, in seconds.
_REPORT_EVERY = 0.1


def call(name: str, /, *args: Any, **arguments: Any) -> Sent:
    """Call a verb, or a helper of this module, with arguments from R."""
    answer: Sent = {"value": None, "error": None, "warnings": []}
    with warnings.catch_warnings(record=True) as caught:
        try:
            if name not in (*_HELPERS, *imagestrata.__all__):
                raise LookupError(f"imagestrata has no verb called {name!r}")
            function = _HELPERS.get(name) or getattr(imagestrata, name)
            received = {key: _receive(value) for key, value in arguments.items()}
            if "progress" in received:
                received["progress"] = _calm(received["progress"])
            made = function(*map(_receive, args), **received)
            answer["value"] = _send(made, stored=received.get("out") is not None)
        except ImagestrataError as error:
            answer["error"] = _foreseen(error)
        except (Exception, KeyboardInterrupt) as error:
            answer["error"] = _unforeseen(error)
    answer["warnings"] = list(dict.fromkeys(_warning(one.message) for one in caught))
    return answer


def _receive(sent: Any) -> Any:
    """Decode a value from R into an argument of a verb."""
    if not isinstance(sent, dict):
        return sent
    if "n_rows" in sent:
        return decode_table(sent)
    receive = _RECEIVERS.get(str(sent.get("kind")))
    return sent if receive is None else receive(sent)


def _receive_paths(sent: Sent) -> Any:
    paths: list[str] = sent["paths"]
    return paths[0] if len(paths) == 1 and not Path(paths[0]).is_file() else paths


def _receive_labels(sent: Sent) -> Any:
    """Labels as a table with ids of images, or as one value per image."""
    labels = decode_table(sent["table"])
    return labels if "image_id" in labels else labels.iloc[:, 0]


def _receive_several(sent: Sent) -> Any:
    several = [_receive(one) for one in sent["several"]]
    names = sent["names"]
    return several if names is None else dict(zip(names, several, strict=True))


def _receive_embeddings(sent: Sent) -> Any:
    """Embeddings from their run folder or from R, for the images that remain in R."""
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
            f"{quote(sent['folder'])}; the first is {quote(unknown.iloc[0])}.",
            f"Call {verb('embed_images')} with these images.",
        )
    all_of_them = np.array_equal(rows, np.arange(len(stored)))
    matrix = stored.matrix if all_of_them else stored.matrix[rows]
    return imagestrata.Embeddings(images, matrix, stored.encoder)


def _receive_rows(sent: Sent) -> Any:
    """Vectors, with ids if the matrix in R has row names."""
    vectors = decode_matrix(sent["matrix"])
    if sent.get("ids") is None:
        return vectors
    return imagestrata.Embeddings.from_arrays(
        vectors, decode_table(sent["ids"])["image_id"].tolist()
    )


def _receive_clustering(sent: Sent) -> Any:
    tables = {name: decode_table(table) for name, table in sent["tables"].items()}
    if "edits" in tables:  # a column without values has no type in R
        tables["edits"] = ledger(tables["edits"].to_dict("records"))
    for name in ("images", "clusters"):
        for column in {"cluster_name", "theme_name"} & {*tables[name]}:
            tables[name][column] = tables[name][column].astype("object").astype("str")
        for column in {THEME, FOUND} & {*tables[name]} if "theme_name" in tables[name] else ():
            tables[name][column] = tables[name][column].astype("Int64")
    if "tree" in tables:
        tables["tree"] = tree_table(tables["tree"].itertuples(index=False))
    return imagestrata.Clustering(
        **tables,
        source=sent.get("source"),
        folder=sent.get("source"),
        centroids=decode_matrix(sent["centroids"]),
        settings=json.loads(sent["settings"]),
    )


def _receive_tuning(sent: Sent) -> Any:
    names = ("results", "selection", "heldout", "differences")
    tables = {name: decode_table(sent["tables"][name]) for name in names}
    return imagestrata.Tuning(**tables, settings=json.loads(sent["settings"]))


def _receive_model(sent: Sent) -> Any:
    """A model with the predictions in R, whose images may have moved."""
    model = imagestrata.FineTunedModel.load(sent["path"])
    model.predictions = decode_table(sent["predictions"])
    return model


def _receive_service(sent: Sent) -> Any:
    """A service for images: a server, a model on this machine, or Amazon Rekognition."""
    # Python has the environment of its start; R may have set keys since then.
    os.environ.update(sent.get("environment") or {})
    service = getattr(imagestrata, sent["kind"])
    whole = {field.name: field.type == "int" for field in dataclasses.fields(service)}
    given = {name: value for name, value in sent.items() if name in whole}
    return service(**{name: int(one) if whole[name] else one for name, one in given.items()})


_RECEIVERS: dict[str, Callable[[Sent], Any]] = {
    "path": lambda sent: sent["path"],
    "paths": _receive_paths,
    "table": lambda sent: decode_table(sent["table"]),
    "labels": _receive_labels,
    "matrix": _receive_rows,
    "json": lambda sent: json.loads(sent["text"]),
    "embeddings": _receive_embeddings,
    "clustering": _receive_clustering,
    "tuning": _receive_tuning,
    "model": _receive_model,
    "several": _receive_several,
    "clusterer": lambda sent: functions.clusterer(sent["run"]),
    **dict.fromkeys(("ModelServer", "LocalModel", "Rekognition"), _receive_service),
}


def _send(value: Any, *, stored: bool = False) -> Any:
    """Encode a result for R, by its class or the nearest base class in :data:`_SENDERS`."""
    if isinstance(value, imagestrata.Embeddings):
        return _send_embeddings(value, stored=stored)
    return next(send(value) for one in type(value).__mro__ if (send := _SENDERS.get(one.__name__)))


#: What labels and judged pairs have in their ``attrs``: rows with these columns.
_ABOUT_ANSWERS = {
    "pace": ("annotator", "n_images", "n_skipped", "seconds"),
    "disputed": ("image_id", "code", "annotator", "label", "note"),
}


def _send_table(table: pd.DataFrame) -> Sent:
    """A table; answers are sent with what their attributes say, classifiers with all points."""
    for name, columns in _ABOUT_ANSWERS.items():
        if name in table.attrs:
            of_pairs = columns_of_disputes(table) if "judgement" in table else columns
            rows = pd.DataFrame(table.attrs[name], columns=[*of_pairs])
            numbers = [one for one in rows if one in table and table[one].dtype.kind in "if"]
            rows = rows.astype({one: table[one].dtype for one in numbers})
            texts = rows.select_dtypes("object").columns
            rows = rows.astype(dict.fromkeys(texts, "str"))
            return {"table": encode_table(table), name: encode_table(rows)}
    if "points" in table.attrs:
        return {"best": encode_table(table), "points": encode_table(table.attrs["points"])}
    if "counts" not in table.attrs:
        return encode_table(table)
    return {
        "labels": encode_table(table),
        "counts": encode_table(table.attrs["counts"]),
        "incomplete": table.attrs.get("incomplete", 0),
    }


def _send_embeddings(embeddings: Any, *, stored: bool) -> Sent:
    """Embeddings; the vectors are left out if they are in a run folder."""
    return {
        "images": encode_table(embeddings.images),
        "failures": encode_table(embeddings.failures),
        "encoder": json.dumps(embeddings.encoder),
        "width": embeddings.matrix.shape[1],
        "matrix": None if stored else encode_matrix(embeddings.matrix),
    }


def _send_model(model: Any) -> Sent:
    """The tables of a model; its weights remain in its folder, by which R identifies it."""
    return _send_result(model) | {
        "task": model.task,
        "labels": list(model.labels),
        "encoder": json.dumps(model.encoder),
        "training": json.dumps(model.training, default=str),
    }


def _send_result(result: Any) -> Sent:
    """The tables of a result (fields before properties), its matrices and its settings."""
    properties = inspect.getmembers(type(result), lambda member: isinstance(member, property))
    held = vars(result) | {name: getattr(result, name) for name, _ in properties}
    matrices = {name: one for name, one in held.items() if isinstance(one, np.ndarray)}
    return {
        "tables": {
            name: encode_table(one) for name, one in held.items() if isinstance(one, pd.DataFrame)
        },
        **{name: encode_matrix(matrix) for name, matrix in matrices.items()},
        "settings": json.dumps(held.get("settings"), default=str),
    }


def _send_improvement(improved: Any) -> Sent:
    """The tables of an improvement and its clustering; none if it is the given one."""
    changed = len(improved.edits) > 0
    clustering = _send_result(improved.clustering) if changed else None
    return _send_result(improved) | {"clustering": clustering}


def _send_server(server: Any) -> Sent:
    """The addresses of a server of forms, which runs until R stops it or ends."""
    _SERVERS.append(server)
    return {
        "process": len(_SERVERS) - 1,
        "folder": str(server.folder),
        "address": server.address,
        "groups": [*server.links],
        "links": [*server.links.values()],
        "researcher": server.researcher,
    }


#: The servers of this session: a server ends when nothing refers to it any more.
_SERVERS: list[Any] = []


def _as_it_is(value: Any) -> Any:
    return value


_SENDERS: dict[str, Callable[[Any], Any]] = {
    "DataFrame": _send_table,
    "ndarray": encode_matrix,
    "FineTunedModel": _send_model,
    "Improvement": _send_improvement,
    "PurePath": str,
    "Figure": lambda _: None,  # R draws its own
    "FormServer": _send_server,
    "dict": lambda several: {name: _send(one) for name, one in several.items()},
    **dict.fromkeys(("bytearray", "list", "str", "bool", "int", "float", "NoneType"), _as_it_is),
    "object": _send_result,
}


def _compare_clusterings(clusterings: Sent, **arguments: Any) -> Any:
    """Compare clusterings; their names may equal those of arguments of :func:`call`."""
    return imagestrata.compare_clusterings(**arguments, **clusterings)


def _fine_tune(*args: Any, keep: str | None, **arguments: Any) -> Any:
    """Fine-tune a model; ``keep`` is its folder during the session of R if it has no other."""
    model = imagestrata.fine_tune(*args, **arguments)
    if keep is not None:
        shutil.copytree(model.folder, keep)
    return model


def _read_matrix(folder: str) -> Any:
    """The vectors of a run folder and the ids of their images."""
    embeddings = imagestrata.Embeddings.load(folder)
    return {"ids": embeddings.images[["image_id"]], "matrix": encode_matrix(embeddings.matrix)}


def _rows_of_clustering(clustering: Any, names: pd.DataFrame) -> pd.DataFrame:
    """The row (from 1) of a clustering that each row of a table identifies."""
    files = all_files(clustering, scan_of(clustering))
    rows = rows_of_images(clustering.images, names, "the table", files)
    return pd.DataFrame({"row": pd.Series(rows + 1).mask(rows < 0).astype("Int64")})


def _follow_sample(sample: pd.DataFrame, clustering: Any) -> pd.DataFrame:
    """A sample with the clusters after edits."""
    from ..sampling.sample import follow

    return follow(sample, clustering)


def _link_posts(topics: Any, post_ids: pd.DataFrame, names: pd.DataFrame, **given: Any) -> Any:
    """The rows of linked posts, whose other columns stay in R, and why some have no image."""
    from ..posts.link import linked_rows, unmatched_of

    whys = post_ids.get("unmatched")
    found = linked_rows(
        topics, post_ids["post_id"], names["row"].to_numpy() - 1, names["name"], whys=whys, **given
    )
    return {"rows": found.assign(row=found["row"] + 1), "unmatched": unmatched_of(found)}


def _read_posts(files: Any, **given: Any) -> Any:
    """Posts, and what was found about their columns."""
    posts = imagestrata.read_posts(files, **given)
    return {"posts": posts, "found": json.dumps(posts.attrs)}


def _signatures() -> pd.DataFrame:
    """One row per argument of each public function, with its default as JSON ("" for none)."""
    rows = [
        {
            "verb": name,
            "argument": "..."
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            else parameter.name,
            "default": ""
            if parameter.default is parameter.empty
            else json.dumps(parameter.default, separators=(",", ":")),
        }
        for name in imagestrata.__all__
        if inspect.isfunction(function := getattr(imagestrata, name))
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not parameter.VAR_POSITIONAL
    ]
    return pd.DataFrame(rows)


def _pictures(name: str) -> Callable[..., Any]:
    """A function of :mod:`.pictures`, which is imported when it is called."""

    def made(*args: Any, **given: Any) -> Any:
        from . import pictures

        return getattr(pictures, name)(*args, **given)

    return made


def _examine() -> Any:
    """The report of :mod:`imagestrata.doctor`, with its encoders as a table."""
    from ..doctor import examine

    found = examine()
    encoders = pd.DataFrame(found.pop("encoders"))
    return {"found": json.dumps(found, default=str), "encoders": encoders}


_HELPERS: dict[str, Callable[..., Any]] = {
    "as_clustering": lambda *args, **given: imagestrata.Clustering.from_labels(*args, **given),
    "compare_clusterings": _compare_clusterings,
    "fine_tune": _fine_tune,
    "read_clustering": lambda folder: imagestrata.Clustering.load(folder),
    "read_embeddings": lambda folder: _send(imagestrata.Embeddings.load(folder), stored=True),
    "read_matrix": _read_matrix,
    "register_encoder": functions.register_encoder,
    "read_model": lambda folder: imagestrata.FineTunedModel.load(folder),
    "predict_clusters": lambda clustering, embeddings: clustering.predict(embeddings),
    "rows_of_clustering": _rows_of_clustering,
    "signatures": _signatures,
    # The results of verbs: the name that messages use, and the verb.
    "products": lambda: pd.DataFrame(PRODUCTS.values())[["called", "maker"]],
    "follow_sample": _follow_sample,
    "stop_server": lambda number: _SERVERS[int(number)].stop(),
    "server_runs": lambda number: _SERVERS[int(number)].is_running,
    "link_posts": _link_posts,
    "read_posts": _read_posts,
    "examine": _examine,
    "rows_of_montage": _pictures("rows_of_montage"),
    "rows_of_mistakes": _pictures("rows_of_mistakes"),
    "rows_of_themes": _pictures("rows_of_themes"),
    # For tests of the codec.
    "echo": _as_it_is,
}


def _calm(progress: Report | bool) -> Reporter | bool:
    """Call R's progress function at most ten times a second, and when a step begins or ends.

    It receives the pace as text, too. It returns whether to continue, since an interrupt inside it
    does not reach Python.
    """
    if not callable(progress):
        return progress
    report, latest = progress, 0.0

    def call(state: State) -> None:
        nonlocal latest
        now = time.monotonic()
        if not state.ended and (state.done in (0, state.total) or now - latest >= _REPORT_EVERY):
            latest = now
            if report(state.step, state.done, state.total, state.pace()) is False:
                raise KeyboardInterrupt

    return Reporter(call)


def _error(error: BaseException, message: str, hint: str = "") -> Sent:
    trace = "".join(traceback.format_exception(error))
    return {"kind": type(error).__name__, "message": message, "hint": hint, "traceback": trace}


def _foreseen(error: ImagestrataError) -> Sent:
    return _error(error, *error.words(R)) | {"code": error.code, "names": error.names}


def _warning(warning: Warning | str) -> str:
    return warning.render(R) if isinstance(warning, Worded) else str(warning)


def _unforeseen(error: BaseException) -> Sent:
    frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    # The handler of reticulate may have passed the interrupt to R.
    if isinstance(error, KeyboardInterrupt) or "_signal_handler" in frames:
        return _error(error, "Interrupted.") | {"kind": "interrupt"}
    last_line = traceback.format_exception_only(error)[-1].strip()
    return _error(
        error,
        f"An unexpected error occurred in Python: {last_line}",
        "Please report it with the Python traceback: rlang::last_error()$traceback.",
    )
