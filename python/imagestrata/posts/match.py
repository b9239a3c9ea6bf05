"""Find the files that names in posts mean, and the image that is kept for each.

The names are compared with the ids and paths of a scan in steps, from the strict to the loose: as
ids; as the end of a path; without regard to case; without the extension of an image. The first
step in which a name fits decides, and it must then lead to one image only.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import unquote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.listing import IMAGE_NAME

#: Outcomes of names that lead to no file, or to several.
NOT_FOUND, AMBIGUOUS = -1, -2

_ADDRESS = re.compile(r"^(?:(?:https?|ftp):)?//[^/]*|^www\.[^/]*", re.IGNORECASE)
#: Sizes that Twitter appends to the address of an image.
_SIZE = re.compile(r":(?:large|orig|small|medium|thumb)$")

#: Characters that may separate names, and those before a further address.
_SEPARATORS = re.compile(r"[,;|\n]")
_BEFORE_ADDRESS = re.compile(r"[,;|\s]+(?=https?://)", re.IGNORECASE)

Outcomes = NDArray[np.int64]


class Files:
    """The files of a scan, and what each stands for.

    Parameters
    ----------
    scanned : DataFrame
        ``image_id``, ``path``, ``status``, ``reason``, ``duplicate_of``, of all files.
    clustered : sequence of str
        Ids of the images that have a cluster.
    """

    def __init__(self, scanned: pd.DataFrame, clustered: Sequence[str]) -> None:
        kept = scanned["duplicate_of"].where(scanned["duplicate_of"].notna(), scanned["image_id"])
        rejected = (scanned["status"] == "rejected").to_numpy()
        left_out = ~kept.isin(clustered).to_numpy() & ~rejected
        reasons = "rejected: " + scanned["reason"].fillna("").astype(str)
        whys = reasons.where(rejected, None).mask(left_out, "not in the clustering")
        codes, known = pd.factorize(
            pd.MultiIndex.from_arrays([kept.mask(rejected | left_out, ""), whys.fillna("")])
        )
        #: By outcome: the id of the image, or why there is none ("" otherwise).
        self.kept = [image_id for image_id, _ in known]
        self.whys = [why for _, why in known]
        self._outcomes = codes.astype(np.int64)
        self._ids = scanned["image_id"].fillna("").astype(str).tolist()
        self._parts = [
            _steps(unicodedata.normalize("NFC", path)) if isinstance(path, str) else []
            for path in scanned["path"]
        ]

    def match(self, names: Sequence[str]) -> Outcomes:
        """The outcome of each distinct name: a position in ``kept``, or a negative number."""
        read = [_read(name) for name in names]
        outcomes = np.full(len(names), NOT_FOUND)
        self._look_up(outcomes, [*names], self._ids)
        for alter in (str, str.casefold):
            for variant in (0, 1):
                self._by_path(outcomes, [one[variant] for one in read], alter)
        strict = outcomes != NOT_FOUND
        for variant in (0, 1):
            self._by_path(outcomes, [one[variant] for one in read], without_extension)
        loose = ~strict & (outcomes >= 0)
        outcomes[loose & _other_extensions([one[1] for one in read])] = AMBIGUOUS
        self._look_up(outcomes, [name.casefold() for name in names], map(str.casefold, self._ids))
        addresses = [one[2] for one in read]
        return np.where(_clash(outcomes, addresses), AMBIGUOUS, outcomes)

    def _by_path(self, outcomes: Outcomes, names: list[str], alter: Callable[[str], str]) -> None:
        depths = np.array([name.count("/") + 1 for name in names], dtype=np.int64)
        for depth in np.unique(depths[outcomes == NOT_FOUND]):
            ends = [
                alter("/".join(parts[-depth:])) if len(parts) >= depth else ""
                for parts in self._parts
            ]
            self._look_up(
                outcomes,
                [
                    alter(name) if own == depth else ""
                    for name, own in zip(names, depths, strict=True)
                ],
                ends,
            )

    def _look_up(self, outcomes: Outcomes, names: list[str], keys: Iterable[str]) -> None:
        """Set the outcomes of names that are not found yet and equal a key."""
        open_ones = np.flatnonzero(outcomes == NOT_FOUND)
        if not len(open_ones):
            return
        table = pd.DataFrame({"key": [*keys], "outcome": self._outcomes})
        table = table[table["key"] != ""].drop_duplicates()
        unclear = table["key"].duplicated(keep=False)
        known = table["outcome"].mask(unclear, AMBIGUOUS).set_axis(table["key"])
        known = known[~known.index.duplicated()]
        wanted = pd.Index([names[i] for i in open_ones], dtype=object)
        rows = known.index.astype(object).get_indexer(wanted)
        found = rows >= 0
        outcomes[open_ones[found]] = known.to_numpy()[rows[found]]


def without_extension(name: str) -> str:
    """The name in lower case, without the extension of an image."""
    return IMAGE_NAME.sub("", name.casefold())


def is_name(text: str) -> bool:
    """Whether a text looks like the name of an image."""
    text = text.strip()
    return bool(_ADDRESS.match(text) or IMAGE_NAME.search(text.partition("?")[0]))


def split(text: str, separator: str) -> list[str | None]:
    """The names in a text with a separator; one missing name if there are none."""
    pieces: list[str | None] = [piece.strip() for piece in text.split(separator) if piece.strip()]
    return pieces or [None]


def pieces_of(text: str) -> list[str | None]:
    """The names that a text may hold: a list of JSON, or names with one of several separators."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        try:
            found = json.loads(text)
        except ValueError:
            found = [piece.strip(" '\"") for piece in text[1:-1].split(",")]
        if all(isinstance(piece, str) for piece in found):
            return [piece.strip() for piece in found if piece.strip()] or [None]
    if "://" in text:  # an address may contain commas
        return [piece.strip(" ,;|\n") for piece in _BEFORE_ADDRESS.split(text)]
    return split(_SEPARATORS.sub("\n", text), "\n")


def _steps(path: str) -> list[str]:
    return [step for step in path.replace("\\", "/").split("/") if step not in ("", ".")]


def _read(name: str) -> tuple[str, str, str]:
    """The name as a path; the same without the query of an address; the address, if it is one."""
    name = name.strip()
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    address = _ADDRESS.match(name)
    if address:
        path = _SIZE.sub("", _without_query(name[address.end() :]))
        steps = _steps(path)
        last = steps[-1] if steps else ""
        return last, last, without_extension("/".join(steps))
    plain = "/".join(_steps(name))
    return plain, "/".join(_steps(_without_query(name))), ""


def _without_query(name: str) -> str:
    text = unquote(re.split(r"[?#]", name, maxsplit=1)[0])
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _other_extensions(names: list[str]) -> NDArray[np.bool_]:
    """Which names differ from others in the extension only: they may name different images."""
    whole = pd.Series([name.rpartition("/")[2].casefold() for name in names], dtype=object)
    stems = whole.map(without_extension)
    has_extension = whole != stems
    n_extensions = whole[has_extension].groupby(stems[has_extension]).nunique()
    several = n_extensions.index[n_extensions > 1]
    return np.asarray(has_extension & stems.isin(several), dtype=bool)


def _clash(outcomes: Outcomes, addresses: list[str]) -> NDArray[np.bool_]:
    """Which names are addresses that lead to a file to which other addresses lead as well.

    Only the last part of an address is compared with names of files, and ``/1/photo.jpg`` and
    ``/2/photo.jpg`` cannot both be ``photo.jpg``.
    """
    table = pd.DataFrame({"outcome": outcomes, "address": addresses})
    own = table[(table["outcome"] >= 0) & (table["address"] != "")]
    own = own.assign(last=[address.rpartition("/")[2] for address in own["address"]])
    several = own.groupby("last")["address"].transform("nunique") > 1
    return several.reindex(table.index, fill_value=False).to_numpy(dtype=bool)
