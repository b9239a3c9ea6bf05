"""Look at every file of a corpus once: usable, duplicate of another, or why not."""

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
from ..validate import check_bool, check_int, check_path
from ..verbs import public
from ..wording import arg, quote, verb
from ..work import counted, open_work
from .decode import (
    HEAD_BYTES,
    UnreadableImage,
    decode,
    image_format,
    pillow_as_needed,
    read_file,
)
from .duplicates import MAX_DISTANCE, eye_hash, find_duplicates, pixel_hash
from .listing import Listing, check_listed, list_files, printable
from .located import located, place_of
from .reasons import Reason

#: The columns of the images table; those of a user's own table follow.
COLUMNS = (
    "image_id",
    "path",
    "file",
    "format",
    "width",
    "height",
    "bytes",
    "status",
    "reason",
    "duplicate_of",
    "n_copies",
)

#: Files per part of unfinished work.
PART_SIZE = 512

#: Threads that decode, at most: each holds one file and one picture, in full size.
MOST_THREADS = 8

STATUS = ("ok", "duplicate", "rejected")

_log = logging.getLogger("imagestrata")

_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("image_id", pa.string()),
        ("format", pa.string()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("bytes", pa.int64()),
        ("reason", pa.string()),
        ("pixels", pa.string()),
        ("eye", pa.uint64()),
    ]
)


@public
def scan_images(
    images: Any,
    *,
    min_bytes: int = 0,
    min_side: int = 16,
    near_duplicates: int | None = None,
    exclude: str | Sequence[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
) -> pd.DataFrame:
    """Look at every file once and tell usable images from duplicates and the rest.

    Formats are told by content: JPEG, PNG, GIF (its first frame), WebP, BMP and
    TIFF (its first page), in whatever mode: CMYK, 16-bit, palette, transparent.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        A folder, which is walked with all folders in it; folders and files; or a
        table with a column ``path``, whose other columns travel along. Relative
        paths start at the working directory. Of a folder, files with an image's
        name *or* an image's content are looked at; other files and hidden ones are
        passed over, and so are folders that hold a run of this package or that
        systems and network storage make (``@eaDir``, ``#recycle``, ``$RECYCLE.BIN``,
        ``__MACOSX``, ``System Volume Information``, ...). ``run.json`` counts them.
    min_bytes : int, default 0
        Reject smaller files, in bytes. (The Element *Images as Data for Social
        Science Research* drops files under 5 kB: icons and the like.)
    min_side : int, default 16
        Reject images with a side shorter than this, in pixels (our choice: no
        encoder sees anything in less).
    near_duplicates : int, optional
        Treat images as copies whose perceptual hashes (ImageHash's ``phash``)
        differ in at most this many of 64 bits, 0 to 10; about 4 finds re-encoded
        and resized copies. The hash sees grey shapes only: pictures of a single
        colour are all alike to it. By default only exact copies are found.
    exclude : str or list of str, optional
        Patterns of files and folders to pass over, in which ``*`` stands for any text,
        ``?`` for one character and ``[ab]`` for one of several: ``"*_thumb.jpg"`` or
        ``"previews"`` for a name, ``"2019/drafts/*"`` for a path. Small and capital
        letters differ. A pattern that matches nothing is a warning.
    out : path, optional
        Run folder: ``images.parquet`` is written there, an interrupted scan goes
        on where it stopped, and a finished one is loaded.
    overwrite : bool, default False
        Replace another scan in ``out``, and the steps built on it.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        A Dask cluster whose workers look at the files: its client, the address of its
        scheduler (``"tcp://node7:8786"``) or the file that the scheduler writes. They must
        see the files under the same paths. The table is the same as without it, and a
        worker that dies costs nothing but time; see ``docs/cluster-computing.md``. By
        default the cores of this machine.

    Returns
    -------
    DataFrame
        One row per file, sorted by path, the same in whatever order files came:

        - ``image_id``: first 20 hexadecimal digits of the SHA-256 of the file's
          bytes, missing if it could not be read; exact copies share it
        - ``path``: absolute
        - ``format``: as recognised by content, missing for what is no image
        - ``width``, ``height``: in pixels, upright (EXIF orientation applied),
          missing if not decoded; ``bytes``: size of the file
        - ``status``: ``"ok"``, ``"duplicate"`` or ``"rejected"``
        - ``reason``: for the latter two, one of
          :class:`~imagestrata.corpus.reasons.Reason`
        - ``duplicate_of``: ``image_id`` of the image that is kept instead, the
          first of its kind by path, which is always ``"ok"`` itself
        - ``n_copies``: 1 + its copies for an ``"ok"`` image, else 0
        - then the columns of a table given as ``images``; those called like one of the
          above get ``_given`` behind their names, and a warning says so

    Raises
    ------
    ImagestrataError
        If there is no image to look at, or not one that is usable; if the table
        has no column ``path``, or has rows without a path or twice the same; if an
        argument is out of range; if ``out`` cannot be
        written or holds another scan; if the cluster cannot be reached, or its workers
        do not see the files.

    Notes
    -----
    Two images are exact copies if their bytes are the same, or their pixels when
    decoded. A file name that is not UTF-8 is rejected, since it cannot be stored
    in a table and found again; its odd bytes are spelt out in ``path``.
    """
    settings = scan_settings(min_bytes, min_side, near_duplicates, exclude)
    overwrite = check_bool("overwrite", overwrite)
    folder = None if out is None else check_path("out", out)
    listing = list_files(images, skip=folder, exclude=settings.get("exclude", ()))
    listing.extras = keep_given(_without_file(listing.extras), COLUMNS, verb("scan_images"))
    step = Step(folder, "scan", settings, inputs=_inputs(listing), overwrite=overwrite)
    passed_over = dict(sorted(listing.ignored.items()))
    eye = settings["near_duplicates"] is not None
    examine = partial(
        _examine, min_bytes=settings["min_bytes"], min_side=settings["min_side"], eye=eye
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
        note=None if folder is None else {"place": place_of(listing.paths, folder)},
    )


def scan_settings(
    min_bytes: Any, min_side: Any, near_duplicates: Any, exclude: Any = None
) -> dict[str, Any]:
    """The checked arguments of :func:`scan_images` that decide what is usable."""
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
    # Runs from before there were any go on.
    return settings | {"exclude": patterns} if patterns else settings


def read_scanned(folder: Path) -> pd.DataFrame:
    """The table of images of a run folder or variant, with the paths where they are now."""
    place = step_folder(folder, "scan")
    return with_file(located(read_table(place / "images.parquet"), place))


def check_images(images: Any, out: str | os.PathLike[str] | None = None) -> None:
    """Look at what is given as images, before weights are fetched or programs started."""
    if _is_scanned(images):
        _check_any_ok(images)
        return
    check_listed(images, skip=None if out is None else check_path("out", out))


def from_scan(out: str | os.PathLike[str] | None, image_ids: Iterable[str]) -> dict[str, str]:
    """What a step is made from that works on images of the scan in ``out``, all or some."""
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
    """A step that works on the images of a scan, and on what ``made_from`` names besides."""
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
    """A user's columns without names of files that are ours anyway."""
    if "file" in extras and [*extras["file"]] == [os.path.basename(p) for p in extras.index]:  # noqa: PTH119
        return extras.drop(columns="file")
    return extras


def _inputs(listing: Listing) -> str:
    """Fingerprint of names, sizes and times of change, and of what the user says of them."""
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
    """The distinct images to work on: image_id, path, n_copies, and columns of the user's.

    Parameters are those of the verbs that take images: what :func:`scan_images` returned, or
    whatever it takes, and then it is scanned first.
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
    """Whether this is a table that scan_images() returned."""
    return isinstance(images, pd.DataFrame) and {"image_id", "path", "status"} <= {*images}


def _check_any_ok(images: pd.DataFrame) -> None:
    if not (images["status"] == "ok").any():
        raise ImagestrataError(
            f"None of {plural(len(images), 'image')} has the status {quote('ok')}: there is "
            "nothing to work on."
        )


def check_unique(image_ids: pd.Series[str]) -> None:
    """Raise an error if an id stands for two images."""
    twice = image_ids[image_ids.duplicated()]
    if len(twice):
        raise ImagestrataError(
            f"Each image must have an id of its own, but {quote(twice.iloc[0])} comes "
            f"{(image_ids == twice.iloc[0]).sum()} times.",
            "Drop the copies first.",
        )


def _examine(path: str, *, min_bytes: int, min_side: int, eye: bool) -> dict[str, Any]:
    """Read and decode one file, once."""
    row = dict.fromkeys(_SCHEMA.names) | {"path": printable(path)}
    try:
        if row["path"] != path:
            raise UnreadableImage(Reason.BAD_NAME)
        data = read_file(path)
        row["image_id"] = hashlib.sha256(data).hexdigest()[:20]
        row["bytes"] = len(data)
        row["format"] = image_format(data[:HEAD_BYTES])
        with pillow_as_needed():
            image, exact = decode(data)
            row["width"], row["height"] = image.size
            if len(data) < min_bytes:
                raise UnreadableImage(Reason.FEW_BYTES)
            if min(image.size) < min_side:
                raise UnreadableImage(Reason.SMALL_SIDE)
            row["pixels"] = pixel_hash(exact)
            row["eye"] = eye_hash(image) if eye else None
    except MemoryError:
        row["reason"] = str(Reason.TOO_LARGE)
    except UnreadableImage as error:
        row["reason"] = str(error.reason)
    return row


def _as_table(_: Sequence[str], rows: list[Any]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _images_table(looked: pa.Table, max_distance: int | None) -> pd.DataFrame:
    """The table of the contract, from what was seen of each file."""
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
    """The table as it is handed out, whether just made or loaded."""
    for name in extras.columns:
        frame[name] = extras[name].array
    try:
        stored: pd.DataFrame = pa.Table.from_pandas(frame, preserve_index=False).to_pandas()
        return stored
    except (pa.ArrowException, UnicodeEncodeError) as error:
        raise ImagestrataError(
            f"A column of the table of images cannot be stored as Parquet: {error}.",
            "Turn it into text, numbers or dates, or drop it.",
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
