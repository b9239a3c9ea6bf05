"""List the files of a corpus: from folders, or from paths in a list or a table."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..tables import varying
from ..validate import as_stored, check_folder, expand_home
from ..wording import arg, kind_of, quote, verb
from .decode import UnreadableImage, image_format, read_head

#: Files in a folder with these endings are always scanned, so that the table lists damaged
#: files and formats that are not decoded. Other files are scanned if their content is an image.
IMAGE_NAME = re.compile(
    r"\.(jpe?g|jpe|jfif|a?png|gif|webp|bmp|dib|tiff?"
    r"|hei[cf]s?|hif|avifs?|jp[2cfx]|j2[ck]|jpg2|jxl|svg|psd|ico|dng|cr2|nef|arw)$",
    re.IGNORECASE,
)

#: Folders that systems, network storage and archives create, in lower case. They contain
#: thumbnails, deleted files and earlier versions. (Names that begin with a dot are hidden.)
SYSTEM_FOLDERS = {
    "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp", "@__thumb",
    "$recycle.bin", "recycler", "recycled", "system volume information", "lost+found",
    "__macosx", "network trash folder", "temporary items", "found.000",
    "~snapshot", "@synoresource",
}  # fmt: skip


class Kind(NamedTuple):
    """A kind of files: what messages call them, and how files in folders are recognised."""

    #: "image"; the argument that holds the files is its plural.
    noun: str
    #: Names of files that are listed, whatever their content.
    named: re.Pattern[str]
    #: Takes the first bytes of a file with another name; returns whether it is listed.
    is_one: Callable[[bytes], bool]

    @property
    def nouns(self) -> str:
        return f"{self.noun}s"


IMAGES = Kind("image", IMAGE_NAME, lambda head: image_format(head) is not None)


@dataclass(eq=False)
class Listing:
    """The distinct files of a corpus, in the order of their paths."""

    #: Absolute paths.
    paths: list[str]
    #: Other columns of a user's table, indexed by path.
    extras: pd.DataFrame = field(default_factory=pd.DataFrame)
    #: Numbers of files in folders that were not scanned, by ending.
    ignored: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.paths)


def list_files(
    files: Any, *, skip: Path | None = None, exclude: Sequence[str] = (), kind: Kind = IMAGES
) -> Listing:
    """List the files that an argument such as ``images`` refers to.

    Parameters
    ----------
    files : path, iterable of paths, or DataFrame
        As in :func:`~imagestrata.scan_images`.
    skip : Path, optional
        A folder to ignore: the run folder, which contains thumbnails.
    exclude : sequence of str, default ()
        Patterns of files and folders to ignore, as in :func:`~imagestrata.scan_images`.
    kind : Kind
        The kind of the files.
    """
    if isinstance(files, pd.DataFrame):
        return _from_table(files, _Exclusion(exclude), kind)
    given, left_out = _given(files, kind), _Exclusion(exclude)
    ignored: Counter[str] = Counter()
    alone, folders = _files_and_folders(given, skip, left_out, ignored, kind)
    found = alone.union(_walk(folders, skip, left_out, ignored, kind))
    listing = Listing(sorted(found), ignored=+ignored)
    left_out.warn()
    if not listing.paths:
        raise _no_files(given, +ignored, kind)
    return listing


def check_listed(images: Any, *, skip: Path | None = None, exclude: Sequence[str] = ()) -> None:
    """Raise the error that :func:`list_files` would raise, without reading all folders."""
    if isinstance(images, pd.DataFrame):
        _from_table(images, _Exclusion(()), IMAGES)
        return
    given, left_out = _given(images, IMAGES), _Exclusion(exclude)
    ignored: Counter[str] = Counter()
    files, folders = _files_and_folders(given, skip, left_out, ignored, IMAGES)
    if not files and next(_walk(folders, skip, left_out, ignored, IMAGES), None) is None:
        raise _no_files(given, +ignored, IMAGES)


def printable(path: str) -> str:
    """Return a path as text that can be stored: bytes that are not UTF-8 become escapes."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


class _Exclusion:
    """The user's patterns of files to ignore, and those of them that matched nothing."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = {composed(pattern).rstrip("/"): pattern for pattern in patterns}
        self.unused = dict(self._patterns)

    def __contains__(self, path: str) -> bool:
        """Return whether a pattern matches the name, or the end of the path."""
        if not self._patterns:
            return False
        whole = composed(path.replace(os.sep, "/"))
        name = whole.rpartition("/")[2]
        found = [
            pattern
            for pattern in self._patterns
            if fnmatchcase(name, pattern)
            or ("/" in pattern and fnmatchcase(whole, f"*/{pattern.lstrip('/')}"))
        ]
        for pattern in found:
            self.unused.pop(pattern, None)
        return bool(found)

    def warn(self) -> None:
        """Warn about patterns that matched nothing: most likely they are misspelt."""
        if self.unused:
            warn(
                f"{arg('exclude')}: nothing matches {', '.join(map(quote, self.unused.values()))}."
            )


def composed(text: str) -> str:
    """Return text in Unicode's composed form, in which an accented letter is one character."""
    return unicodedata.normalize("NFC", text)


def _given(files: Any, kind: Kind) -> list[Any]:
    """Return the folders and files that the user gave."""
    if isinstance(files, str | os.PathLike):
        return [check_folder(kind.nouns, files)]
    if isinstance(files, Iterable) and not isinstance(files, bytes | dict):
        return list(files)
    raise ImagestrataError(
        f"{arg(kind.nouns)} must be a folder, a list of folders and files, or a table with a "
        f"column 'path', not {kind_of(files)}."
    )


def _files_and_folders(
    given: list[Any], skip: Path | None, exclude: _Exclusion, ignored: Counter[str], kind: Kind
) -> tuple[set[str], list[str]]:
    for position, path in enumerate(given, start=1):
        if not isinstance(path, str | os.PathLike) or not str(path):
            raise ImagestrataError(
                f"Item {position} of {arg(kind.nouns)} is not a path: {quote(path)}."
            )
    paths = {_absolute(path) for path in given}
    folders = sorted(path for path in paths if os.path.isdir(path))  # noqa: PTH112
    for folder in folders:
        if skip is not None and os.path.realpath(folder) == os.path.realpath(skip):
            raise ImagestrataError(
                f"{arg('out')} is the folder of {kind.nouns} itself ({quote(folder)}).",
                "Choose another folder for the results.",
            )
    files = {path for path in paths.difference(folders) if path not in exclude}
    ignored["excluded"] += len(paths) - len(folders) - len(files)
    return files, folders


def _from_table(table: pd.DataFrame, exclude: _Exclusion, kind: Kind) -> Listing:
    called = f"table of {kind.nouns}"
    names = [str(name) for name in table.columns]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ImagestrataError(f"The {called} has more than one column {quote(twice[0])}.")
    if "path" not in names:
        raise ImagestrataError(
            f"The {called} must have a column 'path'; its columns are "
            f"{', '.join(map(quote, names)) or '(none)'}.",
            "Rename the column that holds the files.",
        )
    table = table.set_axis(names, axis=1)
    if {"video_id", "video", "time", "scene", "reason"} <= {*names}:
        # extract_frames() made the table: videos without frames have a reason and no path.
        table = table[table["path"].notna() | table["reason"].isna()].drop(columns="reason")
    given = table["path"]
    missing = given.isna() | (given == "")
    if missing.any():
        raise ImagestrataError(
            f"{missing.sum()} of {plural(len(table), 'row')} of the {called} have no path "
            f"(the first is row {int(missing.to_numpy().argmax()) + 1}).",
            "Drop those rows.",
        )
    wrong = [path for path in given if not isinstance(path, str | os.PathLike)]
    if wrong:
        raise ImagestrataError(f"The column 'path' must hold text; it holds {quote(wrong[0])}.")
    paths = pd.Index([_absolute(path) for path in given], dtype=object)
    if table.empty:
        raise ImagestrataError(f"The {called} has no rows.")
    extras = table.drop(columns="path").set_axis(paths, axis=0).sort_index(kind="stable")
    extras = _one_per_file(extras, called)
    kept = extras[[path not in exclude for path in extras.index]]
    exclude.warn()
    if not len(kept):
        raise ImagestrataError(f"{arg('exclude')} leaves none of {plural(len(extras), kind.noun)}.")
    ignored = Counter({"excluded": len(extras) - len(kept)})
    return Listing(kept.index.to_list(), extras=kept, ignored=+ignored)


def _one_per_file(extras: pd.DataFrame, called: str) -> pd.DataFrame:
    """Keep one row per file, with the columns in which all rows of a file agree."""
    again = extras.index.duplicated()
    if not again.any():
        return extras
    differ = varying(extras, extras.index)
    if differ:
        warn(
            f"{again.sum()} of {plural(len(extras), 'row')} of the {called} repeat the file of "
            f"another row, with other values in {', '.join(map(quote, differ))}: a table of images "
            "has one row per file and leaves these columns out.",
            f"Keep your table: {verb('link_posts')} links each of its rows to the clusters.",
        )
    return extras[~again].drop(columns=differ)


def _walk(
    roots: list[str], skip: Path | None, exclude: _Exclusion, ignored: Counter[str], kind: Kind
) -> Iterator[str]:
    """Yield the files of a kind in some folders, and the folders that cannot be read.

    Links to folders are followed after all real folders, and no folder is entered twice: a
    link to a parent folder causes no loop, and no file is its own duplicate.
    """
    entered = {os.path.realpath(skip)} if skip is not None else set()
    folders = roots[::-1]
    links: list[str] = []
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        real = os.path.realpath(folder)
        if real in entered:
            continue
        entered.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            yield folder
            continue
        if folder not in roots and _is_run(entries):
            continue
        for entry in entries:
            if entry.path in exclude:
                ignored["excluded"] += 1
            elif entry.name.startswith("."):
                ignored["hidden"] += 1
            elif entry.name.lower() in SYSTEM_FOLDERS and _is_folder(entry):
                ignored["system folder"] += 1
            elif _is_folder(entry):
                (links if entry.is_symlink() else folders).append(entry.path)
            elif _may_be(entry, kind):
                yield entry.path
            else:
                ignored[PurePath(entry.name).suffix.lower() or "no ending"] += 1


def _absolute(path: str | os.PathLike[str]) -> str:
    # Path.resolve() would replace links by their targets.
    return as_stored(os.path.normpath(expand_home(path).absolute()))


def _is_run(entries: list[os.DirEntry[str]]) -> bool:
    """Return whether a folder is a run folder, whose thumbnails are not part of the corpus."""
    return any(e.name == "run.json" and b'"imagestrata"' in _head(e) for e in entries)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circular link, or a folder without permission
        return False


def _may_be(entry: os.DirEntry[str], kind: Kind) -> bool:
    if kind.named.search(entry.name):
        return entry.is_symlink() or entry.is_file()
    return kind.is_one(_head(entry))


def _head(entry: os.DirEntry[str]) -> bytes:
    try:
        return read_head(entry.path)
    except UnreadableImage:
        return b""


def _no_files(given: list[Any], ignored: Counter[str], kind: Kind) -> ImagestrataError:
    if not given:
        return ImagestrataError(f"{arg(kind.nouns)} is an empty list.")
    where = repr(str(given[0])) + (f" and {len(given) - 1} more" if len(given) > 1 else "")
    if not ignored:
        return ImagestrataError(f"There are no files in {where}.", "Check the folder's name.")
    kinds = ", ".join(f"{n} {kind}" for kind, n in ignored.most_common(8))
    n_more = max(0, len(ignored) - 8)
    more = f" and {plural(n_more, 'other kind')}" if n_more else ""
    return ImagestrataError(
        f"There are no {kind.nouns} among {plural(ignored.total(), 'file')} in {where}: "
        f"{kinds}{more}.",
        f"{kind.nouns.capitalize()} are recognised by their content. Give the folder that contains "
        "them.",
    )
