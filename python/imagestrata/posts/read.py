"""Read posts from files of CSV and JSON, such as 4CAT exports."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..tables import id_texts, keep_given, read_texts, text_of, typed
from ..validate import check_path
from ..verbs import public
from ..wording import arg, kind_of, quote, verb
from .fourcat import downloads
from .match import is_name, pieces_of
from .times import check_zone, read_times

#: The columns of posts, and the names that they have in exports: of 4CAT (CSV; JSON of Twitter,
#: Bluesky, Telegram), then in other tools. A dot leads into an object of JSON, or its list.
STANDARD = {
    "post_id": ("post_id", "id", "item_id", "tweet_id", "uri"),
    "author": (
        "author", "author_user.username", "author.handle", "author.username", "user.screen_name",
        "user.username", "_sender.username", "_chat.username", "author_username", "username",
        "author_id", "user_id",
    ),
    "time": (
        "time", "unix_timestamp", "timestamp", "created_at", "record.created_at",
        "record.createdAt", "createdAt", "datetime", "date", "published_at", "published",
    ),
    "text": (
        "text", "body", "full_text", "message", "record.text", "content", "caption",
        "description",
    ),
    "media": (
        "media", "image_url", "image_urls", "images", "media_url", "media_urls", "photos",
        "attachment_filename", "image_file", "attachments.media_keys.url", "embed.images.fullsize",
        "image", "thumbnail_url",
    ),
}  # fmt: skip

#: Columns whose originals stay, since reading changes them.
_CHANGED = ("time", "media")
_IS_ID = re.compile(r"(^|[._])ids?$", re.IGNORECASE)
#: An id that a spreadsheet program wrote as a rounded number.
_ROUNDED = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE)
_SHOWN = 3


@public
def read_posts(
    files: Any,
    *,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    images: str | os.PathLike[str] | None = None,
    time_zone: str = "UTC",
    sep: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Read posts from CSV or JSON files, such as the exports of 4CAT. Nothing is downloaded.

    Parameters
    ----------
    files : path or sequence of path
        CSV files, or files of JSON: one object per line (NDJSON), or a list of objects. Several
        files are read as one table.
    columns : mapping, optional
        The names in the files of the columns ``post_id``, ``author``, ``time``, ``text`` and
        ``media`` (one or several). A dot leads into an object of JSON: ``{"text": "record.text"}``.
        By default the names that 4CAT and other tools use; ``attrs["columns"]`` has those found.
    images : path, optional
        The folder of images that 4CAT downloaded, unpacked, with its file ``.metadata.json``, which
        says whose post each file is. ``media`` are then the paths of these files.
    time_zone : str, default "UTC"
        The zone of times that state none, such as "Europe/Berlin".
    sep : str, optional
        The separator of columns of CSV; by default commas, semicolons or tabs, whichever fits.
    encoding : str, optional
        By default that of the byte order mark, otherwise UTF-8, otherwise Windows-1252 with a
        warning.

    Returns
    -------
    DataFrame
        One row per post, in the order of the files:

        - ``post_id``, as text;
        - ``author``, as text, ``time`` in UTC, and ``text``; missing where a file has none;
        - ``media``: a list of names, paths or addresses of images, empty without images;
        - with ``images``, ``media_failed``: a list of addresses that could not be downloaded;
        - then all other columns. Objects of JSON become columns such as ``user.name``, and lists
          of objects text in JSON. Columns of ids (``id``, ``..._id``) are text; numbers are
          numbers if no digit is lost.

    Raises
    ------
    ImagestrataError
        If a file cannot be read, no column identifies posts, a post has no id, or ids were rounded
        by a spreadsheet program.

    Warns
    -----
    UserWarning
        If posts are repeated: the first row is kept, with the images of all;
        ``attrs["repeated"]`` has their ids. If times cannot be read, or posts of images are not in
        the files.

    Notes
    -----
    *Times.* Numbers are seconds since 1970 (with 13 digits milliseconds, with 16 microseconds).
    Texts are ISO 8601 ("2024-05-01 18:30:00+02:00"), or as in e-mails and at Twitter. If a text
    states a zone, it is converted to UTC; otherwise it is a local time of ``time_zone``. Hours
    that exist twice or never when clocks change are missing. Dates such as 03/04/2024 are not
    guessed: they are missing, with a warning. The column with the original times stays. 4CAT's
    ``unix_timestamp`` is preferred to its ``timestamp``, which some servers write in local time.

    *4CAT.* CSV files, NDJSON files and both forms of ``.metadata.json`` are read as the sources of
    4CAT (2024 to 2026) write them.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from imagestrata import read_posts
    >>> file = Path(mkdtemp()) / "posts.csv"
    >>> _ = file.write_text(
    ...     "id,author,timestamp,body,image_url\\n"
    ...     '1234567890123456789,anna,2024-05-01 18:30:00,Vote!,"a.jpg,b.jpg"\\n'
    ... )
    >>> posts = read_posts(file, time_zone="Europe/Berlin")
    >>> posts.loc[0, ["post_id", "media"]].tolist()
    ['1234567890123456789', ['a.jpg', 'b.jpg']]
    >>> str(posts["time"][0])
    '2024-05-01 16:30:00+00:00'
    """
    zone = check_zone(time_zone)
    wanted = _check_columns(columns)
    paths = _check_files(files)
    folder = None if images is None else check_path("images", images)
    if folder is not None and not folder.exists():
        raise ImagestrataError(f"There is no folder {quote(folder)}.", f"Check {arg('images')}.")
    found = [_read(path, wanted, sep, encoding) for path in paths]
    table = pd.concat([one for one, _ in found], ignore_index=True)
    table["time"] = _times(table["time"], zone)
    table, repeated = _once(table)
    if folder is not None:
        table = _with_downloads(table, folder)
    table.attrs = {
        "columns": {name: used for _, names in found for name, used in names.items()},
        "time_zone": zone,
        "repeated": repeated,
    }
    return table


def _check_columns(columns: Any) -> dict[str, list[str]]:
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise ImagestrataError(
            f"{arg('columns')} must give names of columns by {', '.join(map(quote, STANDARD))}, "
            f"not {kind_of(columns)}.",
            f"For example {arg('columns', {'post_id': 'id', 'text': 'body'})}.",
        )
    unknown = [name for name in columns if name not in STANDARD]
    if unknown:
        raise ImagestrataError(
            f"{arg('columns')} has the entry {quote(str(unknown[0]))}; the entries are "
            f"{', '.join(map(quote, STANDARD))}.",
            "All other columns are kept as they are.",
        )
    wanted = {name: [used] if isinstance(used, str) else [*used] for name, used in columns.items()}
    for name, used in wanted.items():
        if not used or not all(isinstance(one, str) for one in used):
            raise ImagestrataError(
                f"{arg('columns')} must give {quote(name)} the name of a column."
            )
        if len(used) > 1 and name != "media":
            raise ImagestrataError(
                f"{arg('columns')} gives {quote(name)} {len(used)} columns; only 'media' can have "
                "several."
            )
    return wanted


def _check_files(files: Any) -> list[Path]:
    given = [files] if isinstance(files, str | os.PathLike) else files
    if not isinstance(given, Sequence) or not len(given):
        raise ImagestrataError(
            f"{arg('files')} must be a file or a list of files, not {kind_of(files)}.",
            f"A table of posts needs no reading: give it to {verb('link_posts')}.",
        )
    return [check_path("files", one) for one in given]


def _read(
    path: Path, wanted: dict[str, list[str]], sep: str | None, encoding: str | None
) -> tuple[pd.DataFrame, dict[str, str | list[str]]]:
    """The posts of a file with the standard columns first, and the columns that these were."""
    raw = _columns_of(path, sep, encoding)
    used: dict[str, str | list[str]] = {}
    made: dict[str, pd.Series[Any]] = {}
    for name, candidates in STANDARD.items():
        given = wanted.get(name)
        missing = [one for one in given or () if one not in raw]
        if missing:
            raise ImagestrataError(
                f"{quote(path)} has no column {quote(missing[0])}; it has "
                f"{', '.join(map(str, raw.columns[:40]))}.",
                f"Correct {arg('columns')}.",
            )
        found = given or [one for one in candidates if one in raw][:1]
        if name == "post_id" and not found:
            raise ImagestrataError(
                f"{quote(path)} has no column of ids: none of {', '.join(candidates)}. It has "
                f"{', '.join(map(str, raw.columns[:40]))}.",
                f"Name it: {arg('columns', {'post_id': '...'})}.",
            )
        if found:
            used[name] = found if name == "media" and len(found) > 1 else found[0]
        made[name] = _standard(name, [raw[one] for one in found], path, raw.index)
    gone = [
        one
        for name, names in used.items()
        for one in ([names] if isinstance(names, str) else names)
        if name not in _CHANGED or one == name
    ]
    rest = raw.drop(columns=list(dict.fromkeys(gone)))
    rest = keep_given(rest, [*STANDARD], verb("read_posts"))
    made |= {str(name): _typed(str(name), column) for name, column in rest.items()}
    return pd.DataFrame(made, index=raw.index), used


def _columns_of(path: Path, sep: str | None, encoding: str | None) -> pd.DataFrame:
    """The columns of a file: texts of CSV, or values of JSON."""
    if path.suffix.lower() not in (".json", ".ndjson", ".jsonl"):
        table = read_texts(path, ("id", "author", "body", "timestamp"), sep=sep, encoding=encoding)
        if table.empty:
            raise ImagestrataError(f"{quote(path)} has a header but no posts.")
        table = table.mask(table == "", None)
        table.attrs = {}
        return table
    flat = [_flat(record) for record in _records(path, encoding)]
    names = [*dict.fromkeys(name for one in flat for name in one)]
    columns = [pd.Series([one.get(name) for one in flat], dtype=object) for name in names]
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


def _records(path: Path, encoding: str | None) -> list[dict[str, Any]]:
    text = text_of(path, encoding)
    if not text.strip():
        raise ImagestrataError(f"{quote(path)} is empty.", "Ask for the file again.")
    records: list[Any] = []
    lines: list[int] = []
    if text.lstrip().startswith("["):
        try:
            records = json.loads(text)
        except ValueError as error:
            raise ImagestrataError(f"{quote(path)} is not valid JSON ({error}).") from None
        lines = [*range(1, len(records) + 1)]
    else:
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                try:
                    records.append(json.loads(line))
                except ValueError as error:
                    raise ImagestrataError(
                        f"Line {number} of {quote(path)} is not valid JSON ({error}).",
                        "The file must have one object per line, or be a list of objects. If it "
                        "ends too early, export it again.",
                    ) from None
                lines.append(number)
    wrong = [n for n, one in zip(lines, records, strict=True) if not isinstance(one, dict)]
    if wrong or not records:
        raise ImagestrataError(
            f"{quote(path)} must hold objects, one per post; entry {wrong[0]} is something else."
            if wrong
            else f"{quote(path)} holds no posts."
        )
    return records


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """The fields of an object; those of objects inside it, and of lists of such, have dots."""
    found: dict[str, Any] = {}
    for key, one in value.items():
        name = f"{prefix}{key}"
        if isinstance(one, dict):
            found.update(_flat(one, f"{name}."))
        else:
            found[name] = one
            if isinstance(one, list) and one and all(isinstance(item, dict) for item in one):
                inside = dict.fromkeys(field for item in one for field in item)
                for field in inside:
                    texts = [item.get(field) for item in one]
                    if all(isinstance(text, str) or text is None for text in texts):
                        found[f"{name}.{field}"] = [text for text in texts if text]
    return found


def _standard(
    name: str, given: list[pd.Series[Any]], path: Path, index: pd.Index[Any]
) -> pd.Series[Any]:
    if name == "media":
        lists = [column.map(_media).tolist() for column in given]
        cells = [
            [*dict.fromkeys(one for cell in row for one in cell)]
            for row in zip(*lists, strict=True)
        ]
        return pd.Series(cells or [[] for _ in index], index=index, dtype=object)
    if not given:
        return pd.Series(
            [None] * len(index), index=index, dtype=object if name == "time" else "str"
        )
    column = given[0]
    if name == "time":
        return column.astype(object)
    texts = id_texts(column.map(_plain), name) if name != "text" else column.map(_plain)
    if name == "post_id":
        texts = texts.mask(texts.str.strip() == "", None)
        if texts.isna().any():
            first = int(texts.isna().to_numpy().argmax()) + 1
            raise ImagestrataError(
                f"{texts.isna().sum()} of {plural(len(texts), 'post')} in {quote(path)} have no id "
                f"in {quote(str(column.name))} (the first is post {first}).",
                f"Name another column in {arg('columns')}, or give these posts ids.",
            )
        rounded = texts[texts.str.fullmatch(_ROUNDED)]
        if len(rounded):
            raise ImagestrataError(
                f"The ids in {quote(path)} have lost digits: {quote(rounded.iloc[0])}. A "
                "spreadsheet program has rounded them.",
                "Use the original file of the export, which was not saved by such a program.",
            )
    return texts.astype("str")


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def _media(cell: Any) -> list[str]:
    """The names of images in a cell."""
    if isinstance(cell, list):
        return [one for one in cell if isinstance(one, str) and one.strip()]
    if not isinstance(cell, str) or not cell.strip():
        return []
    pieces = [one for one in pieces_of(cell) if one]
    several = cell.lstrip().startswith("[") or all(map(is_name, pieces))
    return pieces if several else [cell.strip()]


def _typed(name: str, column: pd.Series[Any]) -> pd.Series[Any]:
    """A further column: ids as text, numbers as numbers if no digit is lost."""
    if pd.api.types.is_string_dtype(column.dtype) and column.dtype != object:
        texts = column.fillna("")
        return column if _IS_ID.search(name) else typed(texts.tolist()).set_axis(column.index)
    known = column.dropna()
    kinds = {type(one) for one in known}
    if kinds == {bool}:
        return column.astype("boolean") if len(known) < len(column) else column.astype(bool)
    is_small = kinds <= {int, float} and not any(abs(one) >= 2**53 for one in known)
    if kinds and is_small and not _IS_ID.search(name):
        if kinds == {int}:
            return column.astype("Int64") if len(known) < len(column) else column.astype("int64")
        return column.astype("float64")
    texts = column.map(
        lambda one: (
            one
            if isinstance(one, str) or one is None or one != one
            else json.dumps(one, ensure_ascii=False)
        )
    )
    return texts.astype("str")


def _times(given: pd.Series[Any], zone: str) -> pd.Series[Any]:
    times = read_times(given, zone)
    lost = given[times.isna() & given.notna() & (given.astype(str).str.strip() != "")]
    if len(lost):
        shown = ", ".join(quote(one) for one in lost.drop_duplicates()[:_SHOWN])
        warn(
            f"{plural(len(lost), 'time')} of {plural(len(given), 'post')} cannot be read and "
            f"{'is' if len(lost) == 1 else 'are'} missing: {shown}.",
            "Times are read as ISO 8601 (2024-05-01 18:30:00) or seconds since 1970. A time at "
            f"which clocks change in {quote(zone)} needs its zone.",
        )
    return times


def _once(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """One row per post, with the images of all its rows; and the ids of repeated posts."""
    again = table["post_id"].duplicated()
    if not again.any():
        return table, []
    ids = table.loc[again, "post_id"].drop_duplicates().tolist()
    rows = table[table["post_id"].isin(ids)]
    media = rows.groupby("post_id", sort=False)["media"].agg(
        lambda cells: [*dict.fromkeys(one for cell in cells for one in cell)]
    )
    compared = rows.drop(columns="media").astype(str).drop_duplicates()
    differing = int(compared["post_id"].duplicated().sum())
    table = table[~again].reset_index(drop=True)
    new = table["post_id"].map(media)
    table["media"] = new.where(new.notna(), table["media"])
    shown = ", ".join(quote(one) for one in ids[:_SHOWN])
    warn(
        f"{plural(len(ids), 'post is', 'posts are')} repeated in {int(again.sum()):,} further "
        f"rows, {differing:,} of which have other values: the first row of each is kept, with the "
        f"images of all: {shown}."
    )
    return table, ids


def _with_downloads(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The posts with the files of their images."""
    known = {*table["post_id"]}
    media: dict[str, list[str]] = {}
    failed: dict[str, list[str]] = {}
    unknown: list[str] = []
    for one in downloads(folder):
        for given in one.post_ids:
            # Telegram's ids of messages count within a chat; names of files have chat and id.
            whole = Path(one.path).stem if one.path else ""
            post = next((name for name in (given, whole) if name in known), None)
            if post is None:
                unknown.append(given)
            elif one.path is not None:
                media.setdefault(post, []).append(one.path)
            elif one.address:
                failed.setdefault(post, []).append(one.address)
    if not media:
        raise ImagestrataError(
            f"No image in {quote(folder)} belongs to a post of {arg('files')}.",
            "Check that the archive of images was made from these posts.",
        )
    if unknown:
        ids = [*dict.fromkeys(unknown)]
        shown = ", ".join(quote(one) for one in ids[:_SHOWN])
        warn(
            f"{plural(len(ids), 'post')} of images in {quote(folder)} "
            f"{'is' if len(ids) == 1 else 'are'} not in {arg('files')}: {shown}."
        )

    def lists(found: dict[str, list[str]]) -> pd.Series[Any]:
        cells = [[*dict.fromkeys(found.get(one, []))] for one in table["post_id"]]
        return pd.Series(cells, index=table.index, dtype=object)

    table["media"] = lists(media)
    table.insert([*table].index("media") + 1, "media_failed", lists(failed))
    return table
