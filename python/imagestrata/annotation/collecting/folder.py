"""The folder of an export with ``to="server"``."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ImagestrataError
from ...files import read_json
from ...validate import check_path
from ...wording import arg, quote, verb
from ..exporters.server import FORMS, SECRETS
from .kinds import KINDS, Kind, Sheet

#: The database, which the server makes.
ANSWERS = "answers.sqlite"
_MANIFEST = "export.json"


@dataclass(frozen=True, eq=False)
class Forms:
    """The forms of an export, and the tokens of its links.

    Attributes
    ----------
    folder : Path
    kind : Kind
    title, question : str
    warning : str or None
    person : str
        Column of the respondent or annotator.
    sheets : dict of str to Sheet
        Sets of tasks by name, each for one annotator or for all.
    links : dict of str to str
        The token of the link for each group.
    researcher : str
        The token of the researcher's page.
    secret : bytes
        Key of the signatures in links.
    """

    folder: Path
    kind: Kind
    title: str
    question: str
    warning: str | None
    person: str
    sheets: Mapping[str, Sheet]
    links: Mapping[str, str]
    researcher: str
    secret: bytes

    def signed(self, *parts: str) -> str:
        """A signature that only this export makes, as 64 hexadecimal digits."""
        return hmac.new(self.secret, "\n".join(parts).encode(), "sha256").hexdigest()


def find_export(given: Any) -> Path:
    """The folder of an export with ``to="server"``: the given one, or the only one in a run."""
    folder = check_path("folder", given)
    if not folder.is_dir():
        raise ImagestrataError(
            f"There is no folder {quote(folder)}.", "Check the spelling, or give the full path."
        )
    if (folder / _MANIFEST).exists():
        _check_export(folder)
        return folder
    found = sorted(
        path.parent
        for path in folder.glob(f"*/{_MANIFEST}")
        if read_json(path).get("to") == "server"
    )
    if len(found) == 1:
        return found[0]
    if found:
        raise ImagestrataError(
            f"{quote(folder)} has {len(found)} exports for a server: "
            f"{', '.join(path.name for path in found)}.",
            f"Give the one to serve as {arg('folder')}.",
        )
    raise ImagestrataError(
        f"{quote(folder)} has no export for a server.",
        f"Call {verb('export_packets', to='server')}, {verb('export_labels', to='server')} or "
        f"{verb('export_pairs', to='server')} first, and give its folder.",
    )


def _check_export(folder: Path) -> None:
    about = read_json(folder / _MANIFEST)
    if about.get("unfinished"):
        raise ImagestrataError(
            f"The export to {quote(folder)} was not finished.", "Write it again."
        )
    if about.get("to") != "server":
        raise ImagestrataError(
            f"{quote(folder)} is an export for {quote(about.get('to'))}, not for a server.",
            f"Export again with {arg('to', 'server')} to another folder.",
        )


def read_forms(folder: Path) -> Forms:
    """The forms in the folder of an export."""
    about, tokens = read_json(folder / FORMS), read_json(folder / SECRETS)
    fields = {
        name: None if answers is None else tuple(answers)
        for name, answers in about["fields"].items()
    }
    sheets = {
        one["name"]: Sheet(
            one["name"],
            one["group"],
            one["capacity"],
            one["tasks"],
            frozenset(one["images"]),
            one["page"],
            fields,
        )
        for one in about["sheets"]
    }
    return Forms(
        folder=folder,
        kind=KINDS[about["kind"]],
        title=about["title"],
        question=about["question"],
        warning=about["warning"],
        person=about["person"],
        sheets=sheets,
        links=tokens["links"],
        researcher=tokens["researcher"],
        secret=bytes.fromhex(tokens["secret"]),
    )
