"""What tests of the server of forms have in common."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pandas as pd

from clusterings import content_id, draw_images
from imagestrata import assign_annotators, export_packets

CLUSTERS = [1, 1, 2, 2, 3, 3]
ITEMS = ["proud", "angry"]


def a_sample(folder: Path) -> pd.DataFrame:
    paths = draw_images(folder, CLUSTERS)
    ids = [content_id(path, i) for i, path in enumerate(paths)]
    return pd.DataFrame({"image_id": ids, "path": paths, "cluster": CLUSTERS})


def packets_of(folder: Path) -> pd.DataFrame:
    """Two packets of three images for each of two groups."""
    return assign_annotators(a_sample(folder / "images"), n_images=3)


def exported(packets: pd.DataFrame, out: Path, **given: Any) -> Path:
    wanted: dict[str, Any] = {"items": ITEMS, "thumbnail": 40, "progress": False} | given
    return export_packets(packets, out, to="server", **wanted)


def rating(proud: int | None = 1, angry: int | None = 2, **given: Any) -> dict[str, Any]:
    """An answer to one image, as the page sends it."""
    ratings = {"proud": proud, "angry": angry}
    known = {name: value for name, value in ratings.items() if value is not None}
    order = ["angry", "proud"]
    return {"ratings": known, "skipped": False, "seconds": 2.5, "order": order} | given


class Rater:
    """A rater who works as the page does, without a browser.

    Parameters
    ----------
    link : str
        The link of a group, with or without ``?id=``.
    """

    def __init__(self, link: str) -> None:
        address, _, query = link.partition("?")
        self.origin = "{0.scheme}://{0.netloc}".format(urlsplit(link))
        begun = self.post(f"{address}/begin", {"id": query[3:] or None, "code": None})
        self.own = urljoin(address, begun["go"])
        self.data = data_of(ask(self.own).decode())
        self.code: str = self.data["remote"]["code"]
        self.n_sent = 0

    def post(self, address: str, content: Any) -> Any:
        sent = json.dumps(content).encode()
        headers = {"Content-Type": "application/json", "Origin": self.origin}
        request = urllib.request.Request(address, sent, headers)
        return json.loads(ask(request))

    def answer(self, task: str, value: Any, sequence: str | None = None) -> Any:
        self.n_sent += sequence is None
        given = {"sequence": sequence or f"{self.n_sent:09d}-x", "task": task, "value": value}
        return self.post(f"{self.own}answers", given)


def ask(request: str | urllib.request.Request) -> bytes:
    """The body of a reply; a reply that breaks off is a lost connection, as in a browser."""
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            body: bytes = reply.read()
    except http.client.HTTPException as error:
        raise ConnectionError("the reply broke off") from error
    return body


def data_of(page: str) -> dict[str, Any]:
    block = page.partition('id="data">')[2].partition("</script>")[0]
    content: dict[str, Any] = json.loads(block)
    return content
