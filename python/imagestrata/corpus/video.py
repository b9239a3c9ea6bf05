"""Extract frames from videos, as images with times."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..cores import usable_cores
from ..errors import ImagestrataError, plural, warn
from ..files import (
    Parts,
    file_hash,
    make_folder,
    read_json,
    refuse_links,
    write_bytes,
    write_json,
    write_table,
)
from ..lock import lock_folder
from ..progress import Progress
from ..provenance import fingerprint, version
from ..tables import keep_given, to_frame
from ..validate import check_bool, check_float, check_path, expand_home
from ..verbs import public
from ..wording import SAME_CALL, arg, install, quote, setting, verb
from ..work import ItemError, Stopped, counted, open_work
from .cuts import scene_starts
from .decode import read_head
from .film import FILMS, Film, Frame
from .listing import Listing, list_files, printable
from .pictures import plain_jpeg
from .reasons import Reason

#: The columns of the table of frames; those of a user's own table follow.
COLUMNS = ("path", "video_id", "video", "time", "scene", "reason")

#: The threshold for changes of scene that ``scene_changes=True`` stands for.
THRESHOLD = 12.0

#: Most videos at once. Each holds the pictures that its decoder needs, up to 16 in full size.
_MOST_AT_ONCE = 4

_JPEG_QUALITY = 95

#: Rounding of times must not move a frame from its second to the next one.
_ROUNDING = 1e-6

_VIDEO_FOLDER, _FRAME = re.compile(r"[0-9a-f]{20}"), re.compile(r"[0-9a-f]{20}-\d{9,}\.jpg")

_SCHEMA = pa.schema([
    ("path", pa.string()), ("video_id", pa.string()), ("video", pa.string()),
    ("time", pa.float64()), ("scene", pa.int64()), ("reason", pa.string()),
])  # fmt: skip


@public
def extract_frames(
    videos: Any,
    out: str | os.PathLike[str],
    *,
    every: float | None = 1.0,
    scene_changes: bool | float = False,
    overwrite: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Write frames of videos as images, each with the video and the time that it comes from.

    :func:`scan_images`, :func:`cluster_images` and the other verbs take the table that is returned,
    and keep its columns.

    Parameters
    ----------
    videos : path, list of paths, or DataFrame
        A folder, which is read with all its subfolders; a video; a list of folders and videos; or a
        table with a column ``path``, whose other columns are kept. In a folder, files with the name
        *or* the content of a video are read: MP4, QuickTime, 3GP, Matroska, WebM, AVI, MPEG,
        Windows Media, Flash and Ogg. Animated GIF and WebP files are images:
        :func:`scan_images` reads their first frame.
    out : path
        The folder of the frames. Frames are written to a folder per video there, and the table to
        ``frames.csv``. An interrupted call continues. The same call with more videos extracts only
        the frames of those that are new by their content.
    every : float or None, default 1
        Seconds between two frames. The first frame at or after 0, 1, 2, ... seconds is taken.
        YouTube-8M and many studies since take one frame per second (Abu-El-Haija et al. 2016).
        With None, only changes of scene give frames.
    scene_changes : bool or float, default False
        Also take the first frame of every scene. True finds changes above 12; a number is another
        threshold, from 1 to 100: the lower, the more scenes. See Notes.
    overwrite : bool, default False
        Replace frames in ``out`` that were extracted with other settings.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        One row per frame, sorted by ``video`` and ``time``:

        - ``path``: file of the frame, a JPEG (quality 95), upright, as large as players show it
        - ``video_id``: first 20 hexadecimal digits of the SHA-256 of the video's bytes
        - ``video``: file of the video
        - ``time``: seconds from the first frame of the video to this one, by its time stamp
        - ``scene``: 1, 2, ... within the video; missing if ``scene_changes`` is False
        - ``reason``: missing for a frame
        - then the columns of a table given as ``videos``; a column with one of the names above is
          renamed with the suffix ``_given``, with a warning

        A video that cannot be decoded has one row without ``path``, with the reason. A video that
        breaks off has its frames and such a row, whose ``time`` is that of the last frame. So has
        a video of which an earlier one is an exact copy (``"same bytes"``). Other verbs leave these
        rows out.

    Raises
    ------
    ImagestrataError
        If there are no videos; if the table has no column ``path``, or a path is missing or
        repeated; if an argument is out of range; if ``out`` cannot be written, is in use, or holds
        frames that were extracted with other settings.

    Warns
    -----
    UserWarning
        If videos could not be decoded, or only in part.

    Notes
    -----
    Frames of one video resemble each other, and long videos have more of them. Inferences about
    videos or authors need the column ``video_id`` as a cluster, or one frame per video.

    A scene is found where the pictures of the half second before and after differ: the distance of
    colours in CIELAB, averaged over 32 x 18 parts of the picture, is above the threshold. (Black
    and white have a distance of 100.) The change must be sudden, or a fade of at most two seconds;
    other gradual changes are movement. Flashes of up to a fifth of a second are ignored, and scenes
    of less than half a second may be missed. If a scene fades in, its first clear frame is taken.
    A pass of its own through the video finds the scenes, which takes two to three times as long.

    OpenCV decodes. For AV1, which YouTube offers and ``yt-dlp`` prefers, PyAV is needed:
    ``pip install 'imagestrata[video]'``. Without it, such a video is a row with the reason
    ``"format not supported"``. Colours of high dynamic range (HDR) look pale.

    A video breaks off if its frames end before its stated duration. Files that state none, such as
    recordings of a stream, do not show that their end is missing. In Matroska, WebM and MPEG, the
    stated duration is also that of the sound: if that is half a second longer than the pictures,
    the video has the row with the reason, too.

    Examples
    --------
    >>> frames = extract_frames("clips/", "frames", every=2)  # doctest: +SKIP
    >>> topics = cluster_images(frames, out="run")  # doctest: +SKIP
    """
    threshold = _check_threshold(scene_changes)
    if every is None and threshold is None:
        raise ImagestrataError(
            f"{arg('every', None)} and {arg('scene_changes', False)} extract no frame.",
            f"Give {arg('every')} in seconds, or use {arg('scene_changes', True)}.",
        )
    every = None if every is None else check_float("every", every, minimum=0.01)
    overwrite = check_bool("overwrite", overwrite)
    if isinstance(videos, str | os.PathLike) and os.path.isfile(expand_home(videos)):  # noqa: PTH113
        videos = [videos]
    listing = list_files(videos, skip=check_path("out", out), kind=FILMS)
    listing.extras = keep_given(listing.extras, COLUMNS, verb("extract_frames"))
    folder = make_folder(out).resolve()
    refuse_links(folder)
    lock = lock_folder(folder)
    _check_settings(folder, {"every": every, "scene_changes": threshold or False}, overwrite)
    at_once, stop = min(_MOST_AT_ONCE, usable_cores(), len(listing)), threading.Event()
    extract = _Extract(folder, every, threshold, max(1, usable_cores() // at_once), stop)
    found = {path: rows for path in listing.paths if (rows := extract.stored(path)) is not None}
    new = [path for path in listing.paths if path not in found]
    with open_work(
        "Frames", len(listing), progress, unit="videos", waiting_threads=at_once, stop=stop
    ) as work:
        work.skip(len(found))
        found |= zip(new, work.each(extract, new), strict=True)
    table = _frames_table([found[path] for path in listing.paths], listing, folder)
    write_table(folder / "frames.csv", table)
    _warn(table)
    del lock
    return table


class _Extract:
    """Extracts the frames of a video, or reads what an earlier call stored of them."""

    def __init__(
        self,
        folder: Path,
        every: float | None,
        threshold: float | None,
        n_threads: int,
        stop: threading.Event,
    ) -> None:
        self._folder, self._n_threads, self._stop = folder, n_threads, stop
        self._every, self._threshold = every, threshold
        self._ids, self._frames = (Parts(folder / ".parts" / name) for name in ("ids", "frames"))
        self._ids.list_once()
        self._frames.list_once()
        self._busy: dict[str, threading.Lock] = {}

    def stored(self, path: str) -> pa.Table | None:
        """Return the rows of a video that is finished and has not changed since; else None."""
        key = _state_of(path)
        known = None if key is None else self._ids.read(key)
        return None if known is None else self._finished(known["video_id"][0].as_py(), path)

    def __call__(self, path: str) -> pa.Table:
        """Return the rows of a video. Paths of frames are relative to the folder."""
        video = {"video": printable(path)}
        try:
            if video["video"] != path:
                raise ItemError(Reason.BAD_NAME)
            read_head(path)  # says why a file cannot be read
            video_id = self._id_of(path)
        except ItemError as error:
            return _as_table([video | {"reason": str(error.reason)}])
        # A copy waits until the frames are written, and is then read.
        with self._busy.setdefault(video_id, threading.Lock()):
            rows = self._finished(video_id, path)
            if rows is None:
                made = self._extracted(path, video_id)
                rows = _as_table([video | {"video_id": video_id} | row for row in made])
                if rows["path"][0].is_valid:  # otherwise another version may be able to decode it
                    self._frames.write(video_id, rows)
        return rows

    def _finished(self, video_id: str, path: str) -> pa.Table | None:
        """Return the stored rows of a video if its frames are there; the video may have moved."""
        rows = self._frames.read(video_id)
        if rows is None:
            return None
        there = {file.name for file in (self._folder / video_id).glob("*.jpg")}
        if not {Path(one).name for one in rows["path"].drop_null().to_pylist()} <= there:
            return None
        video = pa.array([path] * len(rows), pa.string())
        return rows.set_column(_SCHEMA.get_field_index("video"), "video", video)

    def _id_of(self, path: str) -> str:
        """Return the hash of a video, which is computed again only if the file has changed."""
        key = _state_of(path)
        known = None if key is None else self._ids.read(key)
        if known is not None:
            return str(known["video_id"][0].as_py())
        try:
            video_id = file_hash(Path(path))[:20]
        except OSError:
            raise ItemError(Reason.UNREADABLE) from None
        if key is not None:
            self._ids.write(key, pd.DataFrame({"video_id": [video_id]}))
        return video_id

    def _extracted(self, path: str, video_id: str) -> Iterator[dict[str, Any]]:
        """Write the frames of a video and yield their rows, then perhaps a row with a reason."""
        from PIL import Image

        time = None
        try:
            starts = None
            if self._threshold is not None:
                film = Film(path, self._n_threads)
                starts = scene_starts(self._until_stopped(film), self._threshold)
            film = Film(path, self._n_threads)
            target = make_folder(self._folder / video_id)
            for frame, scene in _chosen(self._until_stopped(film), self._every, starts):
                name = f"{video_id}-{round(frame.time * 1000):09d}.jpg"
                picture = Image.fromarray(frame.picture()[:, :, ::-1])
                write_bytes(target / name, plain_jpeg(picture, _JPEG_QUALITY))
                time = frame.time
                yield {"path": f"{video_id}/{name}", "time": time, "scene": scene}
            if film.cut_short:
                yield {"time": time, "reason": str(Reason.CUT_SHORT)}
        except ItemError as error:
            yield {"time": time, "reason": str(error.reason)}

    def _until_stopped(self, film: Film) -> Iterator[Frame]:
        """Yield the frames of a video unless the work ends: Ctrl-C must not wait for hours."""
        for frame in film:
            if self._stop.is_set():
                raise Stopped
            yield frame


def _chosen(
    frames: Iterable[Frame], every: float | None, starts: list[float] | None
) -> Iterator[tuple[Frame, int | None]]:
    """Yield the frames to write, each with the number of its scene."""
    due, scene = 0.0, 0
    for frame in frames:
        begins = starts is not None and scene < len(starts) and frame.time >= starts[scene]
        scene += begins
        regular = every is not None and frame.time >= due - _ROUNDING
        if every is not None and regular:
            due = ((frame.time + _ROUNDING) // every + 1) * every
        if begins or regular:
            yield frame, None if starts is None else max(scene, 1)


def _state_of(path: str) -> str | None:
    """Return a fingerprint of a file's name, size and time; None if it is not there."""
    try:
        state = Path(path).stat()
    except (OSError, ValueError):
        return None
    return fingerprint([printable(path), state.st_size, state.st_mtime_ns])[:20]


def _as_table(rows: list[dict[str, Any]]) -> pa.Table:
    whole = [dict.fromkeys(_SCHEMA.names) | row for row in rows]
    return pa.Table.from_pylist(whole, schema=_SCHEMA)


def _frames_table(found: list[pa.Table], listing: Listing, folder: Path) -> pd.DataFrame:
    """Return the rows of all videos; exact copies of an earlier video have one with the reason."""
    seen: set[str] = set()
    for place, rows in enumerate(found):
        first = rows.slice(0, 1).to_pylist()[0]
        if first["video_id"] in seen:
            told = {"video_id": first["video_id"], "video": first["video"]}
            found[place] = _as_table([told | {"reason": str(Reason.SAME_BYTES)}])
        elif first["path"] is not None:
            seen.add(first["video_id"])
    table = to_frame(pa.concat_tables(found))
    table["path"] = [
        one if not isinstance(one, str) else str(folder / one) for one in table["path"]
    ]
    if not len(listing.extras.columns):
        return table
    videos = np.repeat(np.arange(len(found)), list(map(len, found)))
    extras = listing.extras.iloc[videos].reset_index(drop=True)
    return pd.concat([table, extras], axis=1)


def _check_threshold(scene_changes: Any) -> float | None:
    """Return the threshold for changes of scene; None without them."""
    if type(scene_changes).__name__ in ("bool", "bool_"):
        return THRESHOLD if scene_changes else None
    return check_float("scene_changes", scene_changes, minimum=1, maximum=100)


def _check_settings(folder: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Refuse a folder with frames of other settings, or remove them."""
    file = folder / "frames.json"
    before: dict[str, Any] = read_json(file).get("settings", {}) if file.exists() else settings
    if before != settings:
        if not overwrite:
            was = ", ".join(setting(name, value) for name, value in before.items())
            raise ImagestrataError(
                f"{quote(folder)} already holds frames that were extracted with {was}.",
                f"Choose another {arg('out')}, or use {arg('overwrite', True)} to replace them.",
            )
        shutil.rmtree(folder / ".parts", ignore_errors=True)
        for old in folder.glob("*/*.jpg"):
            if _VIDEO_FOLDER.fullmatch(old.parent.name) and _FRAME.fullmatch(old.name):
                old.unlink()
    write_json(file, {"imagestrata": version(), "settings": settings})


def _warn(table: pd.DataFrame) -> None:
    reasons = table["reason"].dropna()
    failed = reasons[reasons != Reason.SAME_BYTES]
    if len(failed):
        n = table["video"].nunique()
        warn(
            f"{len(failed)} of {plural(n, 'video')} could not be decoded, or only in part: "
            f"{counted(failed)}.",
            f"For AV1, install PyAV with {install('video')} and run {SAME_CALL} again."
            if (failed == Reason.UNSUPPORTED).any()
            else "",
        )
