"""Ask a paid service for tags, and store each answer as it arrives."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..corpus.pictures import files_of
from ..errors import plural
from ..progress import Progress
from ..provenance import fingerprint
from ..tables import with_file
from .answers import Answers
from .asking import ask_all
from .consent import agree, destination
from .rekognition import Rekognition, RekognitionConnection
from .server import Purse
from .tag_table import BELOW, NOTHING

#: Columns about faces.
_OF_FACES = {
    "emotion": "str",
    "emotion_confidence": "float64",
    "age_low": "Int64",
    "age_high": "Int64",
}


def stored_answers(folder: Path | None, service: Rekognition) -> Answers:
    """The stored answers of a service."""
    place = None if folder is None else folder / "tags" / "answers.jsonl"
    fields = {"tags": list, "reason": str, "model": str, "faces": str}
    return Answers(place, fingerprint(service.identity()), fields)


def costs(service: Rekognition, images: pd.DataFrame, answers: Answers) -> dict[str, Any]:
    """The row of :func:`costs`."""
    answered = int(images["image_id"].isin(answers.found).sum())
    return {
        "n_images": len(images),
        "n_answered": answered,
        "cost": (len(images) - answered) * service.price,
        "spent": answers.spent,
    }


def ask_service(
    images: pd.DataFrame,
    service: Rekognition,
    answers: Answers,
    budget: float | None,
    consent: bool,
    progress: Progress,
) -> dict[str, str]:
    """Ask about images without an answer; return the reasons of those still without one."""
    todo = images[~images["image_id"].isin(answers.found)]
    if todo.empty:
        return {}
    if not service.is_local:
        estimate = costs(service, images, answers)["cost"]
        agree(
            f"{plural(len(todo), 'image leaves', 'images leave')} this machine, as JPEG of at most "
            f"5 MB without metadata, for {destination(service.address)} ({service.operation}). "
            f"Estimate: {estimate:,.2f} at a price of {service.price:g} per image.",
            consent,
        )
    stop = threading.Event()
    purse = Purse(budget, answers.spent, answers.add_lost)
    connection = RekognitionConnection(service, purse, stop)
    return ask_all(
        {file[0]: [file] for file in files_of(todo)},
        lambda pictures, _: connection.ask(pictures[0]),
        answers,
        stop,
        side=None,
        refused={"tags": [], "model": None},
        concurrency=service.concurrency,
        what="Tagging",
        host=service.host,
        n_items=len(images),
        progress=progress,
    )


def tags_of_answers(
    images: pd.DataFrame,
    answers: Answers,
    failed: Mapping[str, str],
    n_tags: int | None,
    min_confidence: float,
    *,
    faces: bool,
) -> pd.DataFrame:
    """The table of :func:`tag_images`, with what is known about ``faces``."""
    rows: list[tuple[Any, ...]] = []
    details: list[dict[str, Any]] = []
    for image_id, path in zip(images["image_id"], images["path"], strict=True):
        answer = answers.found.get(image_id)
        if answer is None:
            rows.append((image_id, path, None, None, None, failed.get(image_id)))
            details.append({})
            continue
        known = _known(answer["faces"], len(answer["tags"]))
        tags = [
            (tag, about)
            for tag, about in zip(answer["tags"][:n_tags], known, strict=False)
            if tag[1] >= min_confidence
        ]
        if not tags:
            reason = answer["reason"] or (BELOW if answer["tags"] else NOTHING)
            rows.append((image_id, path, None, None, None, reason))
            details.append({})
        for rank, ((name, confidence), about) in enumerate(tags, start=1):
            rows.append((image_id, path, rank, name, confidence, None))
            details.append(about)
    columns = ["image_id", "path", "rank", "label", "confidence", "reason"]
    kinds = {"rank": "Int64", "label": "str", "confidence": "float64", "reason": "str"}
    table = pd.DataFrame(rows, columns=columns).astype(kinds)
    if faces:
        for place, (name, kind) in enumerate(_OF_FACES.items(), start=len(columns) - 1):
            values = pd.Series([one.get(name) for one in details], dtype=kind)
            table.insert(place, name, values)
    return with_file(table)


def _known(faces: str | None, n: int) -> list[dict[str, Any]]:
    """What a stored answer says about each face."""
    try:
        found = json.loads(faces or "[]")
    except (ValueError, RecursionError):
        found = []
    whole = isinstance(found, list) and len(found) == n and all(isinstance(x, dict) for x in found)
    return found if whole else [{}] * n
