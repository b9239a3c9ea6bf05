"""Decode videos: their frames, upright, each with its time.

OpenCV decodes, with the FFmpeg that its package contains. PyAV, an optional package of 100 MB with
an FFmpeg of its own, decodes AV1, which OpenCV cannot. (Both take the same time.) Times are
presentation time stamps, so that they are right for a variable frame rate, too. The content decides
whether a file is a video, never its name: FFmpeg would also open playlists, which lead to other
files.
"""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..work import ItemError
from .decode import image_format, read_head
from .listing import Kind
from .opencv import quiet_opencv
from .reasons import Reason

Picture: TypeAlias = NDArray[np.uint8]

#: Endings of videos, which are listed whatever their content. (".ts" is a program, too.)
FILM_NAME = re.compile(
    r"\.(mp4|m4v|mov|qt|3gp|3g2|mkv|webm|avi|divx|wmv|asf|flv|f4v|mpe?g|vob|m2ts|mts|ogv|mxf)$",
    re.IGNORECASE,
)

#: Seconds by which the frames of a video may end before the duration that its file states.
_SHORT = 0.5

_SIGNATURES = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\0\0\1\xba",  # MPEG
    b"\0\0\1\xb3",
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # Windows Media
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01",  # MXF
)
#: The first boxes of files of MP4, QuickTime and 3GP.
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_AUDIO_BRANDS = (b"M4A ", b"M4B ", b"M4P ")


def is_film(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is a video."""
    if image_format(head) is not None:
        return False
    if head.startswith(_SIGNATURES):
        return True
    if head[4:8] in _BOXES:
        return head[8:12] not in _AUDIO_BRANDS
    if head[:4] == b"RIFF":
        return head[8:12] in (b"AVI ", b"AVIX")
    if head[:4] == b"OggS":
        return b"\x80theora" in head
    # An MPEG transport stream, whose packets of 188 bytes may have 4 bytes before them.
    starts = (head[0:377:188], head[4:389:192])
    return any(len(start) == 3 and set(start) == {0x47} for start in starts)


FILMS = Kind("video", FILM_NAME, is_film)


class Frame(NamedTuple):
    """A frame of a video."""

    #: Seconds after the first frame.
    time: float
    #: Returns the upright picture: (height, width, 3), blue first.
    picture: Callable[[], Picture]


class Film:
    """The frames of a video in their order, which can be read once.

    Parameters
    ----------
    path : str
    n_threads : int
        Threads that decode.

    Attributes
    ----------
    cut_short : bool
        Whether the frames that could be decoded end before the duration that the file states.
        Known when all frames were read.

    Raises
    ------
    ItemError
        If no frame can be decoded, with a :class:`Reason`; on opening, or with the first frame.
    """

    def __init__(self, path: str, n_threads: int = 1) -> None:
        head = read_head(path)
        if not head:
            raise ItemError(Reason.EMPTY)
        if not is_film(head):
            raise ItemError(Reason.NOT_A_VIDEO)
        self._path, self._n_threads = path, n_threads
        self._capture = _open(path, n_threads)
        self.cut_short = False

    def __iter__(self) -> Iterator[Frame]:
        import cv2

        fps, n_frames = map(self._capture.get, (cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT))
        step = 1 / fps if math.isfinite(fps) and fps > 0 else 0.04
        n, time, first = 0, -step, 0.0
        for stamp, picture in self._decoded():
            first = first if n else stamp
            # Where stamps are missing or start anew, the frame rate continues them.
            time = stamp - first if stamp - first > time else time + step
            n += 1
            yield Frame(time, picture)
        duration = _duration_of_mp4(self._path) or n_frames * step
        self.cut_short = n < n_frames - 2 and duration - (time + step) > _SHORT

    def _decoded(self) -> Iterator[tuple[float, Callable[[], Picture]]]:
        """Yield the time stamp of each frame and a function that returns its picture."""
        import cv2

        capture, nothing = self._capture, True
        codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True)
        shape = self._shape()

        def retrieved() -> Picture:
            whole, found = capture.retrieve()
            if not whole:
                raise ItemError(Reason.DAMAGED)
            return np.asarray(found, np.uint8)

        while capture.grab():
            nothing = False
            yield capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, lambda: shape(retrieved())
        capture.release()
        if nothing and codec.lower() != b"av01":
            raise ItemError(Reason.NO_FRAME)
        if nothing:
            for stamp, upright in _decoded_by_pyav(self._path, self._n_threads):
                yield stamp, lambda upright=upright: shape(upright())  # type: ignore[misc]

    def _shape(self) -> Callable[[Picture], Picture]:
        """Return a function that gives upright pictures the proportions in which players show them.

        The pixels of television are not square.
        """
        import cv2

        capture = self._capture
        above, below = (capture.get(p) for p in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
        aspect = above / below if above > 0 and below > 0 else 1.0
        lies = capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 != 0

        def shape(picture: Picture) -> Picture:
            height, width = picture.shape[:2]
            if aspect == 1 or not 0.1 < aspect < 10:
                return picture
            size = (width, round(height * aspect)) if lies else (round(width * aspect), height)
            return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)

        return shape


def _duration_of_mp4(path: str) -> float | None:
    """Return for how many seconds an MP4 file shows pictures; None if it does not say.

    OpenCV counts the frames that are stored, of which a clip that was trimmed on a phone shows
    only some.
    """
    scale, longest = 0, 0
    with suppress(OSError, struct.error), Path(path).open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        for place, _, version in _boxes(file, 0, end, (b"moov", b"mvhd")):
            file.seek(place + (20 if version else 12))
            scale = int.from_bytes(file.read(4), "big")
        for place, size, version in _boxes(file, 0, end, (b"moov", b"trak", b"tkhd")):
            file.seek(place + size - 8)
            if any(file.read(8)):  # it has a width and a height: these are pictures
                file.seek(place + (28 if version else 20))
                [ticks] = struct.unpack(
                    *((">Q", file.read(8)) if version else (">I", file.read(4)))
                )
                longest = max(longest, ticks)
    return longest / scale if longest and scale else None


def _boxes(
    file: BinaryIO, place: int, end: int, names: tuple[bytes, ...]
) -> Iterator[tuple[int, int, int]]:
    """Yield the place, the size and the version of the boxes of a path of names."""
    while place + 8 <= end:
        file.seek(place)
        size, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            head, [size] = 16, struct.unpack(">Q", file.read(8))
        size = size or end - place
        if size < head:
            return
        if name == names[0] and names[1:]:
            yield from _boxes(file, place + head, place + size, names[1:])
        elif name == names[0]:
            yield place + head, size - head, file.read(1)[0]
        place += size


def _decoded_by_pyav(path: str, n_threads: int) -> Iterator[tuple[float, Callable[[], Picture]]]:
    """Yield time stamps and upright pictures, decoded with PyAV if it is installed."""
    try:
        import av
    except ImportError:
        raise ItemError(Reason.UNSUPPORTED) from None

    def upright(frame: Any) -> Picture:
        picture = frame.to_ndarray(format="bgr24")
        return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)), np.uint8)

    nothing = True
    # The frames before an error are kept.
    with suppress(av.FFmpegError), av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = n_threads
        for frame in container.decode(stream):
            nothing = False
            yield frame.time or 0.0, partial(upright, frame)
    if nothing:
        raise ItemError(Reason.NO_FRAME)


def _open(path: str, n_threads: int) -> Any:
    """Open a video, and keep the messages of FFmpeg and OpenCV off the terminal."""
    with quiet_opencv() as cv2:
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, n_threads])
    if not capture.isOpened():
        raise ItemError(Reason.NO_FRAME)
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture
