"""Scan a corpus: every file is usable, a duplicate, or rejected with a reason."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..errors import ImagestrataError, plural
from ..progress import Progress
from ..provenance import Step, fingerprint, part_of, read_table, step_folder
from ..tables import keep_given, to_frame, with_file, with_text_ids
from ..validate import check_bool, check_choice, check_int, check_path
from ..verbs import public
from ..wording import arg, quote, verb
from ..work import counted, open_work
from .decode import HEAD_BYTES, UnreadableImage, decode, image_format, pillow_as_needed, read_file
from .duplicates import MAX_DISTANCE, eye_hash, find_duplicates, pixel_hash
from .listing import Listing, check_listed, list_files, printable
from .located import reader
from .pages import count_pages
from .reasons import Reason
from .truncated import MIN_LINES

#: The columns of the images table; those of a user's own table follow.
COLUMNS = (
    "image_id", "path", "file", "format", "width", "height", "n_pages", "truncated", "bytes",
    "status", "reason", "duplicate_of", "n_copies",
)  # fmt: skip

#: Files per part of unfinished work.
PART_SIZE = 512

#: Largest number of threads that decode: each holds one file and one picture in full size.
MOST_THREADS = 8

STATUS = ("ok", "duplicate", "rejected")

_log = logging.getLogger("imagestrata")

_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("path", "image_id", "format")]
    + [(name, pa.int64()) for name in ("width", "height", "n_pages", "bytes")]
    + [("truncated", pa.bool_()), ("reason", pa.string())]
    + [("pixels", pa.string()), ("eye", pa.uint64())]
)


@public
def scan_images(
    images: Any,
    *,
    min_bytes: int = 0,
    min_side: int = 16,
    near_duplicates: int | None = None,
    exclude: str | Sequence[str] | None = None,
    truncated: str = "reject",
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
) -> pd.DataFrame:
    """Scan every file and separate usable images from duplicates and rejected files.

    The content of a file decides its format: JPEG, PNG, GIF, WebP, AVIF, HEIF (HEIC), JPEG
    2000, TIFF or BMP, in any mode: CMYK, 16-bit, palette, transparent. The first page or frame
    is used, or the primary picture of a HEIF.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        A folder, which is read with all its subfolders; a list of folders and files; or a
        table with a column ``path``, whose other columns are kept. Relative paths start at
        the working directory. In a folder, files with the name *or* the content of an image
        are scanned. Other files and hidden files are ignored, and so are run folders of this
        package and folders that systems and network storage create (``@eaDir``, ``#recycle``,
        ``$RECYCLE.BIN``, ``__MACOSX``, ``System Volume Information``, ...). ``run.json``
        reports their number.
    min_bytes : int, default 0
        Reject smaller files, in bytes. (The Element *Images as Data for Social Science
        Research* drops files under 5 kB, such as icons.)
    min_side : int, default 16
        Reject images with a shorter side, in pixels (our choice: smaller images do not
        contain enough for any encoder).
    near_duplicates : int, optional
        Treat images as copies if their perceptual hashes (ImageHash's ``phash``) differ in at
        most this many of 64 bits, 0 to 10. About 4 finds re-encoded and resized copies. The
        hash describes grey shapes only, so all pictures of a single colour count as copies.
        By default only exact copies are found.
    exclude : str or list of str, optional
        Patterns of files and folders to ignore, in which ``*`` matches any text, ``?`` one
        character and ``[ab]`` one of several characters: ``"*_thumb.jpg"`` or ``"previews"``
        for a name, ``"2019/drafts/*"`` for a path. Patterns are case-sensitive. A pattern
        that matches nothing gives a warning.
    truncated : {"reject", "keep"}, default "reject"
        Files that end too early, such as interrupted downloads: reject them, or keep those that
        have at least half of their lines. Kept pictures are grey where lines are missing, in
        all later steps. AVIF, HEIF and JPEG 2000 are not stored in lines and always rejected, and
        so are interlaced PNGs and TIFFs whose header is at their end. A progressive JPEG has
        all lines early, in less detail.
    out : path, optional
        Run folder. ``images.parquet`` is written there, an interrupted scan continues, and a
        finished one is loaded.
    overwrite : bool, default False
        Replace another scan in ``out``, and the steps built on it.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        A Dask cluster whose workers scan the files: its client, the address of its scheduler
        (``"tcp://node7:8786"``) or the file that the scheduler writes. The workers must see
        the files under the same paths. The table is the same as without a cluster, and a
        worker that fails costs only time; see ``docs/cluster-computing.md``. By default the
        cores of this machine scan.

    Returns
    -------
    DataFrame
        One row per file, sorted by path, independent of the order of the input:

        - ``image_id``: first 20 hexadecimal digits of the SHA-256 of the file's
          bytes, missing if it could not be read; exact copies share it
        - ``path``: absolute path
        - ``format``: format of the content, missing if it is not an image
        - ``width``, ``height``: in pixels, upright (EXIF orientation applied),
          missing if not decoded; ``n_pages``: pictures in the file (pages of a TIFF without
          smaller copies of a page, frames of an animation, pictures of a HEIF without
          thumbnails); ``truncated``: whether lines are missing from an image that is kept;
          ``bytes``: size of the file
        - ``status``: ``"ok"``, ``"duplicate"`` or ``"rejected"``
        - ``reason``: for the latter two, one of
          :class:`~imagestrata.corpus.reasons.Reason`
        - ``duplicate_of``: ``image_id`` of the image that is kept: the first of equal
          images by path, whose status is always ``"ok"``
        - ``n_copies``: 1 + its copies for an ``"ok"`` image, else 0
        - then the columns of a table given as ``images``; a column with one of the names
          above is renamed with the suffix ``_given``, with a warning

    Raises
    ------
    ImagestrataError
        If there are no images, or none is usable; if the table has no column ``path``, or a
        path is missing or repeated; if an argument is out of range; if ``out`` cannot be
        written or holds another scan; if the cluster cannot be reached, or its workers do not
        see the files.

    Notes
    -----
    Two images are exact copies if their bytes or their decoded pixels are equal. A file whose
    name is not UTF-8 is rejected, since a table cannot store the name; ``path`` shows the
    invalid bytes as escapes.
    """
    settings = scan_settings(min_bytes, min_side, near_duplicates, exclude, truncated)
    overwrite = check_bool("overwrite", overwrite)
    folder = None if out is None else check_path("out", out)
    listing = list_files(images, skip=folder, exclude=settings.get("exclude", ()))
    listing.extras = keep_given(_without_file(listing.extras), COLUMNS, verb("scan_images"))
    step = Step(folder, "scan", settings, inputs=_inputs(listing), overwrite=overwrite)
    passed_over = dict(sorted(listing.ignored.items()))
    eye = settings["near_duplicates"] is not None
    examine = partial(
        _examine,
        min_bytes=settings["min_bytes"],
        min_side=settings["min_side"],
        eye=eye,
        keep="truncated" in settings,
    )

    def make() -> pd.DataFrame:
        with open_work(
            "Scanning",
            len(listing.paths),
            progress,
            engine,
            most_threads=MOST_THREADS,
            files=islice(filter(os.path.exists, listing.paths), 1),
        ) as work:
            examined = work.in_parts(examine, listing.paths, step.parts, PART_SIZE, _as_table)
        frame = _images_table(examined, settings["near_duplicates"])
        _check_usable(frame)
        for kind, n in passed_over.items():
            _log.info("Passed over: %s (%d)", kind, n)
        return _with_extras(frame, listing.extras)

    def counts(table: pd.DataFrame) -> dict[str, Any]:
        ignored = {"ignored": sum(passed_over.values()), "passed_over": passed_over}
        return _counts(table) | ignored

    return step.table(
        make,
        counts,
        read=read_scanned,
        identity=lambda table: fingerprint(table.loc[table["status"] == "ok", "image_id"].tolist()),
    )


def scan_settings(
    min_bytes: Any,
    min_side: Any,
    near_duplicates: Any,
    exclude: Any = None,
    truncated: Any = "reject",
) -> dict[str, Any]:
    """Check the arguments of :func:`scan_images` that decide which images are usable."""
    if near_duplicates is not None:
        near_duplicates = check_int(
            "near_duplicates", near_duplicates, minimum=0, maximum=MAX_DISTANCE
        )
    settings = {
        "min_bytes": check_int("min_bytes", min_bytes, minimum=0),
        "min_side": check_int("min_side", min_side, minimum=1),
        "near_duplicates": near_duplicates,
    }
    patterns = _check_patterns(exclude)
    # Runs of earlier versions, which had neither, stay valid.
    if patterns:
        settings["exclude"] = patterns
    if check_choice("truncated", truncated, ("reject", "keep")) == "keep":
        settings["truncated"] = truncated
    return settings


def read_scanned(folder: Path) -> pd.DataFrame:
    """Read the table of images of a run folder or variant, with their current paths."""
    place = step_folder(folder, "scan")
    return with_file(reader("images.parquet", "scan")(place))


def check_images(images: Any, out: str | os.PathLike[str] | None = None) -> None:
    """Check the argument ``images`` before weights are downloaded or programs started."""
    if _is_scanned(images):
        _check_any_ok(images)
        return
    check_listed(images, skip=None if out is None else check_path("out", out))


def from_scan(out: str | os.PathLike[str] | None, image_ids: Iterable[str]) -> dict[str, str]:
    """Return the sources of a step that uses all or some images of the scan in ``out``."""
    ids = list(image_ids)

    def are_scanned(run: Path) -> bool:
        scanned = read_table(step_folder(run, "scan") / "images.parquet")
        return set(scanned.loc[scanned["status"] == "ok", "image_id"]).issuperset(ids)

    return {"scan": part_of(out, "scan", fingerprint(ids), are_scanned)}


def images_step(
    out: str | os.PathLike[str] | None,
    name: str,
    settings: Mapping[str, Any],
    images: pd.DataFrame,
    overwrite: bool,
    made_from: Mapping[str, str] | None = None,
) -> Step:
    """Return a step that uses the images of a scan, and the steps named in ``made_from``."""
    ids = images["image_id"].tolist()
    return Step(
        out,
        name,
        settings,
        inputs=fingerprint(ids),
        made_from=from_scan(out, ids) | dict(made_from or {}),
        overwrite=overwrite,
    )


def _check_patterns(exclude: Any) -> list[str]:
    given = [] if exclude is None else [exclude] if isinstance(exclude, str) else exclude
    patterns = list(given) if isinstance(given, Iterable) else [given]
    wrong = [one for one in patterns if not isinstance(one, str) or not one.strip("/ ")]
    if wrong:
        raise ImagestrataError(
            f"{arg('exclude')} must hold patterns of names, such as '*_thumb.jpg'; "
            f"got {quote(wrong[0])}."
        )
    return sorted(set(patterns))


def _without_file(extras: pd.DataFrame) -> pd.DataFrame:
    """Drop a user's column ``file`` if it equals ours."""
    if "file" in extras and [*extras["file"]] == [os.path.basename(p) for p in extras.index]:  # noqa: PTH119
        return extras.drop(columns="file")
    return extras


def _inputs(listing: Listing) -> str:
    """Return a fingerprint of the files' names, sizes and times, and of the user's columns."""
    files = []
    for path in listing.paths:
        try:
            found = Path(path).stat()
            files.append([path, found.st_size, found.st_mtime_ns])
        except (OSError, ValueError):
            files.append([path, None, None])
    extras = listing.extras.to_csv() if len(listing.extras.columns) else None
    return fingerprint([files, extras])


def usable_images(
    images: Any,
    out: str | os.PathLike[str] | None,
    overwrite: bool,
    progress: Progress,
    engine: Any = None,
) -> pd.DataFrame:
    """Return the distinct usable images: image_id, path, file, n_copies, the user's columns.

    The parameters are those of the verbs that take images: the table that :func:`scan_images`
    returned, or any other input of that function, which is scanned first.
    """
    if not _is_scanned(images):
        images = scan_images(images, out=out, overwrite=overwrite, progress=progress, engine=engine)
    _check_any_ok(images)
    usable: pd.DataFrame = images[images["status"] == "ok"].reset_index(drop=True)
    check_unique(usable["image_id"])
    if "n_copies" not in usable:
        usable["n_copies"] = 1
    extras = [name for name in usable.columns if name not in COLUMNS]
    usable = with_file(with_text_ids(usable))
    return usable.loc[:, ["image_id", "path", "file", "n_copies", *extras]]


def _is_scanned(images: Any) -> bool:
    """Return whether scan_images() returned this table."""
    return isinstance(images, pd.DataFrame) and {"image_id", "path", "status"} <= {*images}


def _check_any_ok(images: pd.DataFrame) -> None:
    if not (images["status"] == "ok").any():
        raise ImagestrataError(
            f"None of {plural(len(images), 'image')} has the status {quote('ok')}, so none can "
            "be used."
        )


def check_unique(image_ids: pd.Series[str]) -> None:
    """Raise an error if two images have the same id."""
    twice = image_ids[image_ids.duplicated()]
    if len(twice):
        raise ImagestrataError(
            f"Each image must have an id of its own, but {quote(twice.iloc[0])} occurs "
            f"{(image_ids == twice.iloc[0]).sum()} times.",
            "Drop the copies first.",
        )


def _examine(path: str, *, min_bytes: int, min_side: int, eye: bool, keep: bool) -> dict[str, Any]:
    """Read and decode one file, once."""
    row: dict[str, Any] = {**dict.fromkeys(_SCHEMA.names), "path": printable(path)}
    row["truncated"] = False
    try:
        if row["path"] != path:
            raise UnreadableImage(Reason.BAD_NAME)
        data = read_file(path)
        row["image_id"] = hashlib.sha256(data).hexdigest()[:20]
        row["bytes"] = len(data)
        row["format"] = image_format(data[:HEAD_BYTES])
        with pillow_as_needed():
            image, exact, share = decode(data, truncated=keep)
            if share is not None and share < MIN_LINES:
                raise UnreadableImage(Reason.DAMAGED)
            row["width"], row["height"] = image.size
            row["n_pages"] = count_pages(row["format"], data)
            if len(data) < min_bytes:
                raise UnreadableImage(Reason.FEW_BYTES)
            if min(image.size) < min_side:
                raise UnreadableImage(Reason.SMALL_SIDE)
            row["pixels"] = pixel_hash(exact)
            row["eye"] = eye_hash(image) if eye else None
            row["truncated"] = share is not None
    except MemoryError:
        row["reason"] = str(Reason.TOO_LARGE)
    except UnreadableImage as error:
        row["reason"] = str(error.reason)
    return row


def _as_table(_: Sequence[str], rows: list[Any]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _images_table(looked: pa.Table, max_distance: int | None) -> pd.DataFrame:
    """Return the table of images from the results of all files."""
    reasons = looked["reason"].to_numpy()
    usable = np.flatnonzero(looked["reason"].is_null().to_numpy())
    looks = looked.take(pa.array(usable))
    duplicates = find_duplicates(
        looks["image_id"].to_pandas(),
        looks["pixels"].to_pandas(),
        None if max_distance is None else looks["eye"].to_numpy(),
        max_distance or 0,
    )
    kept = usable[duplicates.kept]
    again = kept != usable
    reasons[usable[again]] = duplicates.reason[again]
    status = np.full(len(looked), "rejected", dtype=object)
    status[usable] = np.where(again, "duplicate", "ok")
    duplicate_of = np.full(len(looked), -1)
    duplicate_of[usable[again]] = kept[again]
    table = looked.drop_columns(["reason", "pixels", "eye"])
    made = {
        "status": pa.array(status, pa.string()),
        "reason": pa.array(reasons, pa.string()),
        "duplicate_of": looked["image_id"].take(pa.array(duplicate_of, mask=duplicate_of < 0)),
    }
    for name, values in made.items():
        table = table.append_column(name, values)
    frame = to_frame(table)
    frame = with_file(frame.assign(n_copies=np.bincount(kept, minlength=len(looked))))
    return frame[[*COLUMNS]]


def _with_extras(frame: pd.DataFrame, extras: pd.DataFrame) -> pd.DataFrame:
    """Add the user's columns; the table is the same whether computed or loaded."""
    for name in extras.columns:
        frame[name] = extras[name].array
    try:
        stored: pd.DataFrame = pa.Table.from_pandas(frame, preserve_index=False).to_pandas()
        return stored
    except (pa.ArrowException, UnicodeEncodeError) as error:
        raise ImagestrataError(
            f"A column of the table of images cannot be stored as Parquet: {error}.",
            "Convert it to text, numbers or dates, or drop it.",
        ) from None


def _check_usable(frame: pd.DataFrame) -> None:
    if (frame["status"] != "rejected").any():
        return
    raise ImagestrataError(
        f"None of {plural(len(frame), 'file')} is an image that can be used: "
        f"{counted(frame['reason'])} (the first is {quote(frame['path'].iloc[0])}).",
        f"Check the folder, and the arguments {arg('min_bytes')} and {arg('min_side')}.",
    )


def _counts(frame: pd.DataFrame) -> dict[str, Any]:
    return {
        "files": len(frame),
        **{status: int((frame["status"] == status).sum()) for status in STATUS},
        "reasons": dict(sorted(Counter(frame["reason"].dropna()).items())),
    }
