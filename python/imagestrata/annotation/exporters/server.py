"""Forms for the server of :func:`imagestrata.serve_forms`, which hands them out and keeps answers.

Nothing that annotators receive names an image, a packet or a cluster: tasks and images have random
names, for which only this folder and the answers that are exported from it have the true ones.
"""

from __future__ import annotations

import base64
import json
import secrets
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ...files import atomic, write_bytes
from ..form import Files, Form, Pictures

#: The forms with the true names, and the tokens of links.
FORMS, SECRETS = "forms.json", "secrets.json"


def files(form: Form, pictures: Pictures) -> Files:
    """The forms, the tokens of their links, and the images under random names."""
    images = {image_id: secrets.token_hex(8) for image_id in pictures.addresses}
    sheets = [("", form.tasks)] if form.sheets is None else form.tasks.groupby(form.sheets)
    forms: list[dict[str, Any]] = []
    for name, tasks in sheets:
        forms.append(_sheet(form, str(name), tasks, images))
    about = {
        "kind": form.kind,
        "title": form.title,
        "question": form.question,
        "warning": form.warning,
        "person": form.person,
        "fields": {
            field: None if answers is None else list(answers)
            for field, answers in form.fields.items()
        },
        "sheets": forms,
    }
    groups = dict.fromkeys(sheet["group"] for sheet in forms)
    tokens = {
        "secret": secrets.token_hex(32),
        "researcher": secrets.token_urlsafe(18),
        "links": {group: secrets.token_urlsafe(12) for group in groups},
    }
    return {
        FORMS: partial(_write, content=about),
        SECRETS: partial(_write, content=tokens),
        **{
            f"images/{images[image_id]}.jpg": partial(write_bytes, data=_bytes(address))
            for image_id, address in pictures.addresses.items()
        },
    }


def _sheet(form: Form, name: str, tasks: pd.DataFrame, images: dict[str, str]) -> dict[str, Any]:
    """The tasks of one annotator, and the page with their random names."""
    places = [*form.shown.values()]
    hidden = tasks.copy()
    for column in places:
        hidden[column] = tasks[column].map(images)
    if form.id not in places:
        ids = {task: secrets.token_hex(8) for task in tasks[form.id].unique()}
        hidden[form.id] = tasks[form.id].map(ids)
    if form.sheets is not None:
        hidden[form.sheets] = secrets.token_hex(8)
    if "group" in hidden:
        hidden["group"] = ""
    used = {images[one] for column in places for one in tasks[column]}
    addresses = {one: f"images/{one}.jpg" for one in sorted(used)}
    # Examples of a codebook: the page has their addresses alone.
    examples = {one: f"images/{images[one]}.jpg" for one in sorted(form.also & {*images})}
    page = form.page(hidden, Pictures(addresses | examples, {}))
    # A task can have several rows, one for each of its images.
    first = ~tasks[form.id].duplicated()
    rows = dict(zip(hidden[form.id][first], tasks[first].to_dict("records"), strict=True))
    return {
        "name": name,
        "group": str(tasks["group"].iloc[0]) if "group" in tasks else "",
        # A packet is for one annotator; a form without packets is for as many as come.
        "capacity": None if form.sheets is None else 1,
        "tasks": _groups(page, rows) if form.kind == "labels" else rows,
        "images": sorted(used | {images[one] for one in examples}),
        "page": page,
    }


def _groups(page: dict[str, Any], rows: dict[str, Any]) -> dict[str, Any]:
    """The groups of images of a page for labels, which are its tasks; they lose their names."""
    groups = {}
    for number, group in enumerate(page["groups"], start=1):
        group["title"] = group["title"] and f"Group {number}"
        shown = [page["images"][place]["id"] for place in group["images"]]
        groups[f"g{number}"] = {"images": {one: rows[one] for one in shown}}
    return groups


def _bytes(address: str) -> bytes:
    return base64.b64decode(address.split(",", 1)[1])


def _write(path: Path, content: Any) -> None:
    """Write JSON that only its owner may read."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, default=_plain)
    with atomic(path) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_bytes(text.encode("utf-8"))


def _plain(value: Any) -> Any:
    """A number of NumPy as one of Python."""
    return value.item()
