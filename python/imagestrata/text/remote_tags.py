"""Ask a paid service for tags, and store each answer as it arrives."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

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


def stored_answers(folder: Path | None, service: Rekognition) -> Answers:
    """The stored answers of a service."""
    place = None if folder is None else folder / "tags" / "answers.jsonl"
    return Answers(
        place, fingerprint(service.identity()), {"tags": list, "reason": str, "model": str}
    )


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
        todo,
        lambda picture, _: connection.ask(picture),
        answers,
        stop,
        side=None,
        refused={"tags": [], "model": None},
        concurrency=service.concurrency,
        what="Tagging",
        host=service.host,
        n_images=len(images),
        progress=progress,
    )


def tags_of_answers(
    images: pd.DataFrame,
    answers: Answers,
    failed: Mapping[str, str],
    n_tags: int,
    min_confidence: float,
) -> pd.DataFrame:
    """The table of :func:`tag_images`."""
    rows: list[tuple[Any, ...]] = []
    for image_id, path in zip(images["image_id"], images["path"], strict=True):
        answer = answers.found.get(image_id)
        if answer is None:
            rows.append((image_id, path, None, None, None, failed.get(image_id)))
            continue
        tags = [tag for tag in answer["tags"][:n_tags] if tag[1] >= min_confidence]
        if not tags:
            reason = answer["reason"] or (BELOW if answer["tags"] else NOTHING)
            rows.append((image_id, path, None, None, None, reason))
        rows += [
            (image_id, path, rank, name, confidence, None)
            for rank, (name, confidence) in enumerate(tags, start=1)
        ]
    columns = ["image_id", "path", "rank", "label", "confidence", "reason"]
    kinds = {"rank": "Int64", "label": "str", "confidence": "float64", "reason": "str"}
    return with_file(pd.DataFrame(rows, columns=columns).astype(kinds))
