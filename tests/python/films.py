"""Test videos, written with OpenCV, and MP4 files changed box by box."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

#: Colours that no compression confuses.
COLOURS = {
    "red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255),
    "black": (0, 0, 0), "yellow": (255, 255, 0),
}  # fmt: skip
FORMATS = {
    ".mp4": "mp4v", ".mov": "mp4v", ".3gp": "mp4v", ".avi": "MJPG", ".mkv": "MJPG", ".webm": "VP80",
    ".wmv": "WMV2", ".flv": "FLV1", ".ts": "MPG2",
}  # fmt: skip


def write_film(
    path: Path, pictures: Iterable[np.ndarray], fps: float = 10, codec: str | None = None
) -> Path:
    """Write pictures (height, width, 3), red first, as a video."""
    path.parent.mkdir(parents=True, exist_ok=True)
    film = None
    for picture in pictures:
        if film is None:
            size = (picture.shape[1], picture.shape[0])
            code = cv2.VideoWriter.fourcc(*(codec or FORMATS[path.suffix]))
            film = cv2.VideoWriter(os.fspath(path), cv2.CAP_FFMPEG, code, fps, size)
            assert film.isOpened()
        film.write(np.ascontiguousarray(picture[:, :, ::-1]))
    assert film is not None
    film.release()
    return path


def plain(colour: str, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A picture of one colour; ``size`` is (width, height)."""
    return np.full((size[1], size[0], 3), COLOURS[colour], np.uint8)


def write_seconds(path: Path, colours: Sequence[str], fps: int = 10) -> Path:
    """Write a video that shows each colour for a second."""
    return write_film(path, (plain(colour) for colour in colours for _ in range(fps)), fps)


def colour_of(picture: np.ndarray) -> str:
    """The colour that a picture (red first) mostly shows."""
    mean = np.asarray(picture, float).reshape(-1, 3).mean(axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(mean - COLOURS[name]).sum()))


def change_box(path: Path, box: str, change: Callable[[bytes], bytes]) -> None:
    """Change the content of a box of an MP4 file: "moov/trak/tkhd".

    The boxes around it get their new size. The frames, which OpenCV writes before them, stay where
    they are.
    """
    path.write_bytes(_changed(path.read_bytes(), box.split("/"), change))


def _changed(data: bytes, names: list[str], change: Callable[[bytes], bytes]) -> bytes:
    out, at = b"", 0
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + size]
        if name.decode("latin-1") == names[0]:
            content = _changed(content, names[1:], change) if names[1:] else change(content)
        out += struct.pack(">I4s", len(content) + 8, name) + content
        at += size
    return out


def turn(path: Path) -> None:
    """Let an MP4 file say, as those of phones do, that it is shown turned clockwise."""
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    change_box(path, "moov/trak/tkhd", lambda old: old[:40] + matrix + old[76:])


def trim(path: Path, start: float, seconds: float) -> None:
    """Let an MP4 file say, as trimmed clips of phones do, that it shows only some of its frames."""
    [ticks] = struct.unpack(">I", _inside(path, "moov/trak/mdia/mdhd")[12:16])
    [scale] = struct.unpack(">I", _inside(path, "moov/mvhd")[12:16])
    shown = struct.pack(">I", round(seconds * scale))
    edit = struct.pack(">iI", round(start * ticks), 1 << 16)
    change_box(path, "moov/trak/edts", lambda old: old[:16] + shown + edit)
    change_box(path, "moov/trak/tkhd", lambda old: old[:20] + shown + old[24:])


def last_for(path: Path, durations: Sequence[float]) -> list[float]:
    """Let each frame of an MP4 file last that many seconds; returns when each begins."""
    [scale] = struct.unpack(">I", _inside(path, "moov/trak/mdia/mdhd")[12:16])
    ticks = [round(scale * one) for one in durations]

    def table(old: bytes) -> bytes:
        entries = b"".join(struct.pack(">II", 1, one) for one in ticks)
        return old[:4] + struct.pack(">I", len(ticks)) + entries

    def length(old: bytes) -> bytes:
        return old[:16] + struct.pack(">I", sum(ticks)) + old[20:]

    change_box(path, "moov/trak/mdia/minf/stbl/stts", table)
    change_box(path, "moov/trak/mdia/mdhd", length)
    change_box(path, "moov/trak/edts", lambda old: old[:-12] + b"\xff" * 4 + old[-8:])
    return [sum(ticks[:n]) / scale for n in range(len(ticks))]


def _inside(path: Path, box: str) -> bytes:
    found = []

    def look(old: bytes) -> bytes:
        found.append(old)
        return old

    _changed(path.read_bytes(), box.split("/"), look)
    return found[0]


def stretch(path: Path, width: int, height: int) -> None:
    """Let an MP4 file say that its pixels are not square."""

    def with_pasp(old: bytes) -> bytes:
        entry = old[8:] + struct.pack(">I4sII", 16, b"pasp", width, height)
        return old[:8] + struct.pack(">I", len(entry)) + entry[4:]

    change_box(path, "moov/trak/mdia/minf/stbl/stsd", with_pasp)
