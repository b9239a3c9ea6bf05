"""Find the image that a name means, by one rule for every table and list that names images.

A name is looked up among the ids, then among the paths, then as the end of exactly one path
("holiday/a.jpg", or "a.jpg" alone). Letters with accents are equal in both of their encodings (NFC,
NFD), and so are ``\\`` and ``/``.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .errors import ImagestrataError, plural, warn
from .tables import id_texts, read_texts, text_of
from .wording import arg, quote

#: Columns that may identify the image of a row, in the order in which they are looked up.
KEYS = ("image_id", "path", "file")

#: The types that verbs accept for images to exclude.
Exclude: TypeAlias = Sequence[str] | str | os.PathLike[str] | pd.DataFrame | None

#: What the reason of an image begins with that no machine has looked at.
NOT_SCREENED = "not screened"

#: Columns of the images that :func:`propose_exclusions` proposes.
_PROPOSED = {"image_id", "label", "reason"}

_SHOWN = 5


class Images:
    """Finds the images of a table by any of their names.

    Parameters
    ----------
    table : DataFrame
        ``image_id`` and, where known, ``path`` and ``duplicate_of``: copies are one image.
    root : Path, optional
        A folder at which relative names may start, besides the working directory.
    """

    def __init__(self, table: pd.DataFrame, root: str | os.PathLike[str] | None = None) -> None:
        self.table = table
        self._bases = [Path.cwd(), *([Path(root)] if root is not None else [])]
        self._ids: dict[str, int] = {}
        ids = id_texts(table["image_id"])
        for row, image_id in reversed([*enumerate(ids)]):
            if isinstance(image_id, str):
                self._ids[image_id] = row
        self._kept = {**{_plain(name): row for name, row in self._ids.items()}, **self._ids}
        # Files with the same bytes have the same id, which finds only the first of them; a scan
        # also says which files are copies of an image with another id.
        kept = ids
        if "duplicate_of" in table:
            kept = id_texts(table["duplicate_of"], "duplicate_of").fillna(ids)
        self._same_as = [self._ids.get(i, row) for row, i in enumerate(kept)]
        paths = table["path"] if "path" in table else [None] * len(table)
        self._exact: dict[str, int] = {}
        self._paths: dict[str, int] = {}
        self._by_name: dict[str, list[tuple[list[str], int]]] = {}
        for row, path in enumerate(paths):
            if isinstance(path, str) and path:
                self._exact.setdefault(path, row)
                parts = _parts(path)
                self._paths.setdefault("/".join(parts), row)
                if parts:
                    self._by_name.setdefault(parts[-1], []).append((parts, row))

    def find(self, name: str) -> list[int]:
        """Rows of the images that a name fits: none, one, or several if the name is ambiguous."""
        for known in (name, _plain(name), _plain(name).strip()):
            if known in self._kept:
                return [self._kept[known]]
        if name in self._exact:
            return [self._exact[name]]
        ending = _parts(name)
        if not ending:
            return []
        places = ["/".join(_parts(_absolute(base, name))) for base in self._bases]
        rows = {self._paths.get(place, -1) for place in places} - {-1}
        if not rows and "/".join(ending) in self._paths:
            rows = {self._paths["/".join(ending)]}
        if not rows:
            rows = {
                row
                for parts, row in self._by_name.get(ending[-1], [])
                if parts[-len(ending) :] == ending
            }
        return sorted(rows)

    def rows_of(self, names: pd.DataFrame | Iterable[Any], what: str) -> NDArray[np.int64]:
        """The row of the image that each row of a table, or each name, identifies; -1 for none.

        Raises
        ------
        ImagestrataError
            If the table has no column that identifies images, or a name fits several images.
        """
        columns = _columns(names, what)
        found = np.array([self._ids.get(name, -1) for name in columns[0]], dtype=np.int64)
        rest = np.flatnonzero(found < 0)
        torn: list[tuple[str, list[int]]] = []
        find = cache(self.find)  # a table of posts has a name many times
        for row in rest:
            given = [column[row] for column in columns]
            fits = [(name, find(name)) for name in given if isinstance(name, str) and name]
            one = next((several[0] for _, several in fits if self._is_one(several)), -1)
            found[row] = one
            if one < 0:
                torn += [fit for fit in fits if fit[1]]
        if torn:
            name, several = torn[0]
            paths = [self.table["path"].iloc[row] for row in several]
            raise ImagestrataError(
                f"{quote(name)} in {what} fits {plural(len(several), 'image')}: {some(paths)}"
                + (f" ({len(torn)} such names in all)." if len(torn) > 1 else "."),
                "Give paths with more of their folders, or use image_id.",
            )
        return found

    def _is_one(self, rows: Sequence[int]) -> bool:
        return len({self._same_as[row] for row in rows}) == 1

    def report(
        self, names: pd.DataFrame | Iterable[Any], rows: Any, what: str, hint: str = ""
    ) -> None:
        """Report the names that were not found: an error if none was found, otherwise a warning.

        Parameters
        ----------
        names, what : see :meth:`rows_of`
        rows : the value of :meth:`rows_of`
        hint : str
            Further advice.
        """
        lost = np.flatnonzero(np.asarray(rows) < 0)
        if not len(lost):
            return
        columns = _columns(names, what)
        given = [next((c[row] for c in columns if isinstance(c[row], str)), None) for row in lost]
        key = next((k for k in KEYS if isinstance(names, pd.DataFrame) and k in names), "image_id")
        shown = self.table[key if key in self.table else "image_id"]
        n = len(columns[0])
        if len(lost) == n:
            raise ImagestrataError(
                f"No row of {what} ({plural(n, 'row')}) identifies one of the "
                f"{plural(len(self.table), 'image')}: {what} has {some(given)}, the images have "
                f"{some(shown)}.",
                self._hint(given),
            )
        warn(
            f"{len(lost)} of {n} rows of {what} identify no image and are left out: {some(given)}.",
            hint,
        )

    def _hint(self, given: Sequence[Any]) -> str:
        numbers = [name for name in given if isinstance(name, str) and name.isdigit()]
        padded = {known.lstrip("0") for known in self._ids if known.isdigit() and known[0] == "0"}
        if padded & {name.lstrip("0") for name in numbers}:
            return (
                "Ids such as '001' have lost their leading zeros: read the column of the file as "
                "text, not as numbers."
            )
        return (
            "Check that both belong together. Names are an image_id, a path, or the end of a path."
        )


def excluded(images: pd.DataFrame, exclude: Any, what: str = "the images") -> set[str]:
    """Ids of the images to exclude.

    Parameters
    ----------
    images : DataFrame
        ``image_id`` and, where known, ``path``. With the column ``duplicate_of`` of a scan, the
        name of a copy excludes the image of which it is a copy.
    exclude : sequence of str, Series, DataFrame, path of a file, or None
        What :func:`propose_exclusions` returned may have images besides ``images``, since it is
        about a whole corpus; a warning counts the excluded ones by their labels.
    what : str
        The noun for ``images`` in messages.

    Raises
    ------
    ImagestrataError
        If an entry fits no image or several images, since an image might be shown that must
        not be.
    """
    if exclude is None:
        return set()
    known = Images(images)
    entries: list[tuple[str, str]]
    if isinstance(exclude, str | os.PathLike):
        if not os.path.exists(exclude):  # noqa: PTH110
            raise ImagestrataError(
                f"{arg('exclude')} must be a list of image ids, or a file with them; the file "
                f"{quote(exclude)} does not exist.",
                "Give a single id as a list of one element, or check the spelling of the file.",
            )
        entries = _entries_of_file(Path(exclude), known)
        exclude = _proposed_in(Path(exclude))
    elif isinstance(exclude, Iterable):
        is_table = isinstance(exclude, pd.DataFrame)
        columns = _columns(exclude, arg("exclude") if is_table else "exclude")
        given = [
            next((n for n in row if isinstance(n, str) and n), "")
            for row in zip(*columns, strict=True)
        ]
        unit = "row" if is_table else "entry"
        entries = [(name, f"{unit} {number}") for number, name in enumerate(given, start=1)]
    else:
        raise ImagestrataError(
            f"{arg('exclude')} must be a list of image ids, not {quote(exclude)}."
        )
    rows: dict[int, None] = {}
    unknown = []
    for name, where in entries:
        several = known.find(name) if name else []
        if several and not known._is_one(several):
            paths = [images["path"].iloc[row] for row in several]
            raise ImagestrataError(
                f"{quote(name)} in {where} of the list of excluded images fits "
                f"{plural(len(several), 'image')}: {some(paths)}.",
                "Give paths with more of their folders, or ids of the column 'image_id'.",
            )
        if several:
            rows[several[0]] = None
        else:
            unknown.append((name, where))
    is_proposed = isinstance(exclude, pd.DataFrame) and {*exclude} >= _PROPOSED
    if unknown and not is_proposed:
        name, where = unknown[0]
        raise ImagestrataError(
            f"{len(unknown)} of {len(entries)} entries to exclude fit no image in {what}; the "
            f"first is {quote(name)} ({where}). Nothing was written.",
            "Correct the entries: otherwise an image would be shown that must not be. Entries are "
            "ids of the column 'image_id', paths or names of files.",
        )
    chosen = images.iloc[list(rows)]
    ids = id_texts(chosen["image_id"])
    if "duplicate_of" in chosen:
        ids = id_texts(chosen["duplicate_of"], "duplicate_of").fillna(ids)
    if is_proposed:
        proposed = exclude[[bool(name and known.find(name)) for name, _ in entries]]
        n = len(proposed)
        are = "is" if n == 1 else "are"
        why = f": {counted_labels(proposed)}" if n else ""
        warn(
            f"{n:,} of {plural(len(entries), 'proposed image')} {are} in {what} and excluded{why}.",
            "Estimates are about the other images only." if n else "",
        )
    return set(ids)


def counted_labels(proposed: pd.DataFrame) -> str:
    """How many proposed images have each label, and how many were not screened."""
    counts = proposed["label"].replace("", None).value_counts()
    said = [f"{n:,} {quote(str(label))}" for label, n in counts.items()]
    n_rest = len(proposed) - int(counts.sum())
    return ", ".join([*said, *([f"{n_rest:,} {NOT_SCREENED}"] if n_rest else [])])


def one_each(what: str, values: pd.Series[Any]) -> pd.Series[Any]:
    """One value per image, from rows that agree, as those of a table with a row per post do."""
    pairs = pd.DataFrame({"image": values.index, "value": values.to_numpy()}).drop_duplicates()
    torn = pairs.loc[pairs["image"].duplicated(), "image"]
    if len(torn):
        found = " and ".join(map(quote, pairs.loc[pairs["image"] == torn.iloc[0], "value"]))
        raise ImagestrataError(
            f"{what} contradicts itself for {plural(torn.nunique(), 'image')}: "
            f"{quote(torn.iloc[0])} has {found}.",
            "Keep one value for each image.",
        )
    return values[~values.index.duplicated()]


def some(values: Iterable[Any]) -> str:
    """The first few values, for a message."""
    listed = list(values)
    text = ", ".join(
        quote(value) if isinstance(value, str) else str(value) for value in listed[:_SHOWN]
    )
    return f"{text}, ..." if len(listed) > _SHOWN else text


def _proposed_in(file: Path) -> pd.DataFrame | None:
    """The proposals that the page of :func:`propose_exclusions` saved; None for other lists."""
    first = next((line for line in re.split(r"\r\n|\n|\r", text_of(file)) if line.strip()), "")
    heads = {cell.strip().strip("\"'").lower() for cell in re.split(r"[,;\t]", first)}
    return read_texts(file, KEYS).rename(columns=str.lower) if heads >= _PROPOSED else None


def _entries_of_file(file: Path, images: Images) -> list[tuple[str, str]]:
    """The names in a file, each with its file and line.

    In a table, the first line contains ``image_id``, ``path`` or ``file``. In a list, each line
    contains one name, or several with separators between them. Empty lines are ignored, and so are
    lines that begin with ``#``, unless an image has that name.
    """
    text = text_of(file)
    lines = re.split(r"\r\n|\n|\r", text)
    first = next((line for line in lines if line.strip()), "")
    heads = {cell.strip().strip("\"'").lower() for cell in re.split(r"[,;\t]", first)}
    if heads & set(KEYS):
        table = read_texts(file, KEYS).rename(columns=str.lower)
        rows = table[[key for key in KEYS if key in table]].itertuples(index=False)
        return [
            (next(filter(None, row), ""), f"{quote(file)}, line {line}")
            for row, line in zip(rows, table.attrs["line"], strict=True)
        ]
    entries = []
    for number, line in enumerate(lines, start=1):
        where = f"{quote(file)}, line {number}"
        whole = _unquoted(line)
        if not whole or (whole.startswith("#") and not images.find(whole)):
            continue
        cells = [whole]
        for separator in (r"[,;\t]", r"[,;\t\s]"):
            if not all(images.find(cell) for cell in cells):
                cells = [cell for cell in map(_unquoted, re.split(separator, line)) if cell]
        if not all(images.find(cell) for cell in cells):
            cells = [cell for cell in map(_unquoted, re.split(r"[,;\t]", line)) if cell]
        entries += [(cell, where) for cell in cells]
    if not entries:
        raise ImagestrataError(
            f"{quote(file)} contains no image to exclude.",
            "Write one image_id, path or file name on each line.",
        )
    return entries


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'").strip("\ufeff").strip()


def _columns(names: Any, what: str) -> list[list[Any]]:
    """The columns that may identify the image of a row, as text."""
    if not isinstance(names, pd.DataFrame):
        return [id_texts(pd.Series(list(names), dtype=object), what).tolist()]
    there = [key for key in KEYS if key in names]
    if not there:
        raise ImagestrataError(
            f"{what[:1].upper()}{what[1:]} must have a column 'image_id', 'path' or 'file'; it has "
            f"{', '.join(map(quote, names.columns)) or 'none'}.",
            "Rename the column that identifies the images.",
        )
    return [id_texts(names[key], key).tolist() for key in there]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _parts(path: str) -> list[str]:
    return [part for part in re.split(r"[/\\]", _plain(path)) if part not in ("", ".")]


def _absolute(base: Path, name: str) -> str:
    return os.path.abspath(base / os.path.expanduser(name.replace("\\", os.sep)))  # noqa: PTH100, PTH111
