"""Which post each downloaded image belongs to, from the ``.metadata.json`` of 4CAT.

Two forms exist. In the older one, each address (or file name) has an entry with ``filename``,
``success`` and ``post_ids``; downloads of videos list several ``files``. The newer one has
``schema_version`` 1, ``items`` by file name with ``post_ids``, and ``failures``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ImagestrataError, plural
from ..tables import text_of
from ..wording import arg, quote

NAME = ".metadata.json"


class Download(NamedTuple):
    """An image that was downloaded, or was not."""

    post_ids: list[str]
    #: The path of the file; None if there is none.
    path: str | None
    address: str | None


def downloads(images: Path) -> list[Download]:
    """All downloads in a folder, with its subfolders, or of one ``.metadata.json``."""
    files = [images] if images.is_file() else sorted(images.rglob(NAME))
    if not files:
        raise ImagestrataError(
            f"There is no file {quote(NAME)} in {quote(images)}.",
            f"4CAT writes it into the archive of images; its name begins with a dot, so it may be "
            f"hidden. Without it, leave {arg('images')} out: names of files may be in the posts.",
        )
    found = [one for file in files for one in _read(file)]
    if not any(one.post_ids for one in found):
        raise ImagestrataError(
            f"{plural(len(files), 'file')} {quote(NAME)} in {quote(images)} names no post.",
            "Check that it is the archive of an image downloader of 4CAT.",
        )
    return found


def _read(file: Path) -> Iterator[Download]:
    try:
        raw = json.loads(text_of(file))
    except ValueError as error:
        if isinstance(error, ImagestrataError):
            raise
        raise ImagestrataError(
            f"{quote(file)} is not valid JSON ({error}).", "Unpack the archive again."
        ) from None
    if not isinstance(raw, dict):
        raise ImagestrataError(f"{quote(file)} must hold an object of JSON, as 4CAT writes it.")
    version = raw.get("schema_version")
    if version not in (None, 1):
        raise ImagestrataError(
            f"{quote(file)} has the schema version {quote(version)}; version 1 and older are read.",
            "Please report it, with the version of 4CAT.",
        )
    folder = file.resolve().parent
    if version == 1:
        for name, entry in raw.get("items", {}).items():
            yield Download(_ids(entry), str(folder / name), entry.get("url"))
        for entry in raw.get("failures", []):
            yield Download(_ids(entry), None, entry.get("url"))
        return
    for key, entry in raw.items():
        if isinstance(entry, Mapping):
            for one in entry.get("files") or [entry]:
                whole = entry.get("success", True) and one.get("success", True)
                name = one.get("filename") if whole else None
                address = entry.get("url") or (key if "://" in key else None)
                yield Download(_ids(entry), str(folder / name) if name else None, address)


def _ids(entry: Mapping[str, Any]) -> list[str]:
    given = entry.get("post_ids", entry.get("post_id"))
    if given is None:
        return []
    return [str(one) for one in (given if isinstance(given, list) else [given])]
