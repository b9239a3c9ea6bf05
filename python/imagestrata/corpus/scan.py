"""Scan a corpus: every file is usable, a duplicate, or rejected with a reason."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..engine import Engine, open_engine
from ..errors import ImagestrataError, plural
from ..files import write_table
from ..progress import Progress
from ..provenance import Step, fingerprint, part_of, read_table, step_folder
from ..tables import keep_given, to_frame, with_file, with_text_ids
from ..validate import check_bool, check_choice, check_int, check_path
from ..verbs import public
from ..wording import arg, quote, verb
from ..work import counted, open_work
from .duplicates import MAX_DISTANCE, find_duplicates
from .known import FILES, Files, known_looks, look_at
from .listing import check_listed, list_files
from .located import reader
from .look import LOOKS, Look, Taker
from .reasons import Reason
from .same import hash_all_pixels, same_pixels

if TYPE_CHECKING:
    from .pictures import File

#: The columns of the images table; those of a user's own table follow.
COLUMNS = (
    "image_id", "path", "file", "format", "width", "height", "n_pages", "truncated", "bytes",
    "status", "reason", "duplicate_of", "n_copies", "gone",
)  # fmt: skip

STATUS = ("ok", "duplicate", "rejected")

_log = logging.getLogger("imagestrata")


def no_takers(n: int) -> Sequence[Taker]:
    """Return no step that takes the pictures of n files along."""
    del n
    return ()


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
        table with a column ``path``, whose other columns are kept. If a file has several rows,
        columns in which these differ are left out, with a warning. Relative paths start at
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
        finished one is loaded. If files were added, changed or removed since, only new contents
        are decoded, see Notes.
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
        - ``gone``: whether an earlier scan in ``out`` found the file, which is not there any
          more
        - then the columns of a table given as ``images``; a column with one of the names
          above is renamed with the suffix ``_given``, with a warning

    Raises
    ------
    ImagestrataError
        If there are no images, or none is usable; if the table has no column ``path``, or a
        path is missing; if an argument is out of range; if ``out`` cannot be
        written or holds another scan; if the cluster cannot be reached, or its workers do not
        see the files.

    Notes
    -----
    Two images are exact copies if their bytes or their decoded pixels are equal. A file whose
    name is not UTF-8 is rejected, since a table cannot store the name; ``path`` shows the
    invalid bytes as escapes.

    *Growing.* A corpus with a run folder may grow. Files with the same path, size and time of
    change are not opened again, and contents that were seen before are not decoded, whatever the
    names of their files. Images that were kept stay kept, even if a copy of them is added. The row
    of a file that is gone stays, so that its vectors, clusters and ratings stay; a file that was
    renamed or moved is not gone. If less than half of the earlier images are among the given ones,
    these are another corpus, and ``out`` is refused.

    *Comparing.* A large JPEG is decoded at a lower scale. Files that have some rows of pixels in
    common, or the same size and mean colours, are decoded again in full and compared. (A JPEG and
    its copy in another format may escape this if lines of single pixels in pure colours cover the
    picture.)
    """
    return scan_along(
        images, no_takers, min_bytes=min_bytes, min_side=min_side, near_duplicates=near_duplicates,
        exclude=exclude, truncated=truncated, out=out, overwrite=overwrite, progress=progress,
        engine=engine,
    )  # fmt: skip


def scan_along(
    images: Any,
    takers: Callable[[int], Sequence[Taker]],
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
    **deciding: Any,
) -> pd.DataFrame:
    """Scan images as :func:`scan_images` does, and let later steps take the pictures along.

    ``takers`` is called with the number of files, if any have to be scanned.
    """
    settings = scan_settings(**deciding)
    overwrite = check_bool("overwrite", overwrite)
    folder = None if out is None else check_path("out", out)
    listing = list_files(images, skip=folder, exclude=settings.get("exclude", ()))
    listing.extras = keep_given(_without_file(listing.extras), COLUMNS, verb("scan_images"))
    files = Files.of(listing.paths)
    step = Step(
        folder, "scan", settings, inputs=_inputs(files, listing.extras), overwrite=overwrite,
        grows=partial(_are_more, files),
    )  # fmt: skip
    passed_over = dict(sorted(listing.ignored.items()))
    all_looks: list[pd.DataFrame] = []

    def make() -> pd.DataFrame:
        before = _before(step)
        look = Look(
            settings["min_bytes"],
            settings["min_side"],
            eye=settings["near_duplicates"] is not None,
            lenient="truncated" in settings,
            takers=takers(len(files.paths)),
        )
        with open_engine(engine) as workers:
            known = known_looks(step, look)
            looks, known = look_at(files, known, look, step.parts, progress, workers)
            members = _with_gone(looks, before)
            compare = partial(_compare, progress, workers)
            frame = _images_table(members, known, settings, before, compare)
        _check_usable(frame)
        for kind, n in passed_over.items():
            _log.info("Passed over: %s (%d)", kind, n)
        all_looks.append(known)
        return _with_extras(frame, listing.extras, before)

    def write(table: pd.DataFrame, run: Path) -> dict[str, Any]:
        write_table(run / FILES, all_looks[0])
        write_table(run / "images.parquet", table)
        ignored = {"ignored": sum(passed_over.values()), "passed_over": passed_over}
        return _counts(table) | ignored

    return step.result(
        read_scanned,
        make,
        write,
        identity=lambda table: fingerprint(table.loc[table["status"] == "ok", "image_id"].tolist()),
    )


def scan_settings(
    min_bytes: Any = 0,
    min_side: Any = 16,
    near_duplicates: Any = None,
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
    grows: Callable[[Path], bool] | None = None,
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
        grows=grows,
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


def _inputs(files: Files, extras: pd.DataFrame) -> str:
    """Return a fingerprint of the files' names, sizes and times, and of the user's columns."""
    table = extras.to_csv() if len(extras.columns) else None
    return fingerprint([files.fingerprint(), table])


def usable_images(
    images: Any,
    out: str | os.PathLike[str] | None,
    overwrite: bool,
    progress: Progress,
    engine: Any = None,
    takers: Callable[[int], Sequence[Taker]] = no_takers,
) -> pd.DataFrame:
    """Return the distinct usable images: image_id, path, file, n_copies, the user's columns.

    The parameters are those of the verbs that take images: the table that :func:`scan_images`
    returned, or any other input of that function, which is scanned first, and whose pictures
    ``takers`` take along.
    """
    if not _is_scanned(images):
        images = scan_along(
            images, takers, out=out, overwrite=overwrite, progress=progress, engine=engine
        )
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


def _are_more(files: Files, folder: Path) -> bool:
    """Return whether the files are those of the scan in a run folder, and perhaps more.

    At least half of the earlier images must be there: at the same path, or, of a few of them, with
    the same content anywhere.
    """
    try:
        before = read_scanned(folder)
    except (ImagestrataError, OSError):
        return False
    there = before["path"].isin(files.paths)
    return bool(there.mean() >= 0.5) or files.contain_most_of(before)


def _before(step: Step) -> pd.DataFrame | None:
    """Return the images of the earlier scan from which this one grows."""
    if not step.grows or step.folder is None:
        return None
    try:
        return with_file(reader("images.parquet", "scan")(step.folder))
    except FileNotFoundError:
        return None


def _with_gone(looks: pd.DataFrame, before: pd.DataFrame | None) -> pd.DataFrame:
    """Add the images of an earlier scan whose files are gone, behind those that are there.

    A file that has another name now is not gone.
    """
    looks = looks.assign(gone=False)
    if before is None:
        return looks
    earlier = before[before["status"] != "rejected"]
    here = pd.MultiIndex.from_frame(looks[["path", "image_id"]])
    stayed = pd.MultiIndex.from_frame(earlier[["path", "image_id"]]).isin(here)
    left = earlier[~stayed]
    new = looks[~here.isin(pd.MultiIndex.from_frame(earlier[["path", "image_id"]]))]
    renamed = new["image_id"].value_counts()
    left = left.sort_values("status", ascending=False, kind="stable")  # the kept ones first
    order = left.groupby("image_id").cumcount()
    gone = left[order.to_numpy() >= left["image_id"].map(renamed).fillna(0).to_numpy()]
    added = gone.sort_values("path")[["path", "image_id", "bytes"]].assign(gone=True)
    return pd.concat([looks, added], ignore_index=True)


def _compare(progress: Progress, engine: Engine, files: Sequence[File]) -> list[Any]:
    with open_work("Comparing", len(files), progress, engine) as work:
        return list(work.each(hash_all_pixels, files))


def _images_table(
    members: pd.DataFrame,
    known: pd.DataFrame,
    settings: Mapping[str, Any],
    before: pd.DataFrame | None,
    compare: Callable[[Sequence[File]], Sequence[Any]],
) -> pd.DataFrame:
    """Return the table of images.

    Parameters
    ----------
    members : DataFrame
        ``path``, ``image_id``, ``bytes``, ``gone``, and ``reason`` if the file could not be read.
    known : DataFrame
        Looks at all contents, of which those that are compared get the hash of their pixels.
    """
    contents = known.drop_duplicates("image_id", keep="last").set_index("image_id")
    has_content = members["image_id"].isin(contents.index)
    columns = LOOKS.names[LOOKS.names.index("width") :]
    looks = members.join(
        contents[["format", *columns, "reason"]].rename(columns={"reason": "why"}), "image_id"
    )
    reason = looks["reason"].where(~has_content, looks["why"]).astype(object)
    few = looks["bytes"].lt(settings["min_bytes"]).fillna(False)
    small = looks[["width", "height"]].min(axis=1).lt(settings["min_side"]).fillna(False)
    reason = reason.mask(reason.isna() & few, str(Reason.FEW_BYTES))
    reason = reason.mask(reason.isna() & small, str(Reason.SMALL_SIDE))
    looks["reason"] = reason

    usable = looks[reason.isna()]
    # Images that were kept stay kept; of equal files, those that are there stand for the others.
    kept_before = set() if before is None else {*before["image_id"][before["status"] == "ok"]}
    is_new = ~usable["image_id"].isin(kept_before)
    order = np.lexsort((np.arange(len(usable)), usable["gone"].to_numpy(), is_new.to_numpy()))
    usable = usable.iloc[order]
    distinct = usable[~usable["gone"]].drop_duplicates("image_id").copy()
    pixels = same_pixels(distinct, compare)
    compared = dict(zip(distinct["image_id"], distinct["pixels"], strict=True))
    known["pixels"] = [
        compared.get(one, old) for one, old in zip(known["image_id"], known["pixels"], strict=True)
    ]
    by_id = dict(zip(distinct["image_id"], pixels, strict=True))
    keys = usable["image_id"].map(by_id).fillna(usable["pixels"]).fillna(usable["image_id"])
    max_distance = settings["near_duplicates"]
    duplicates = find_duplicates(
        usable["image_id"],
        keys,
        None if max_distance is None else usable["eye"].to_numpy(dtype=np.uint64, na_value=0),
        max_distance or 0,
    )
    rows = usable.index.to_numpy()
    kept = np.arange(len(looks))
    kept[rows] = rows[duplicates.kept]
    again = kept != np.arange(len(looks))
    looks.loc[rows, "reason"] = duplicates.reason
    status = np.where(looks["reason"].isna(), "ok", np.where(again, "duplicate", "rejected"))
    ids = looks["image_id"].to_numpy(dtype=object)
    n_copies = np.bincount(kept[rows], minlength=len(looks))
    looks = looks.assign(
        status=status,
        duplicate_of=pd.Series(ids[kept], dtype=object).where(again, None),
        n_copies=n_copies,
        gone=looks["gone"].astype(bool),
        truncated=looks["truncated"].fillna(False).astype(bool),
    )
    looks = with_file(looks)[[*COLUMNS]]
    frame = to_frame(pa.Table.from_pandas(looks, preserve_index=False))
    return frame.assign(n_copies=n_copies)


def _with_extras(
    frame: pd.DataFrame, extras: pd.DataFrame, before: pd.DataFrame | None
) -> pd.DataFrame:
    """Add the user's columns, those of an earlier table to images that are gone, and sort by path.

    The table is the same whether computed or loaded.
    """
    extras = extras.reset_index(drop=True)
    if before is not None and frame["gone"].any():
        own = [name for name in before if name not in COLUMNS]
        earlier = before.drop_duplicates(["path", "image_id"]).set_index(["path", "image_id"])[own]
        left = frame.loc[frame["gone"], ["path", "image_id"]]
        left = earlier.reindex(pd.MultiIndex.from_frame(left)).reset_index(drop=True)
        extras = extras.reindex(range(int((~frame["gone"]).sum())))
        extras = pd.concat([extras, left], ignore_index=True)
    for name in extras.columns:
        frame[name] = extras[name].array
    if frame["gone"].any():
        frame = frame.sort_values(["path", "gone"], kind="stable", ignore_index=True)
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
        f"{counted(frame['reason'])}. The first is {quote(frame['path'].iloc[0])}.",
        f"Check the folder, and the arguments {arg('min_bytes')} and {arg('min_side')}.",
    )


def _counts(frame: pd.DataFrame) -> dict[str, Any]:
    return {
        "files": len(frame),
        **{status: int((frame["status"] == status).sum()) for status in STATUS},
        "reasons": dict(sorted(Counter(frame["reason"].dropna()).items())),
    }
