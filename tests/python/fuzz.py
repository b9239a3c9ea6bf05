"""Images with mutations, decoded in a process that is watched.

    python fuzz.py START STOP SEED PROGRESS

decodes the mutations START to STOP - 1 and prints what happened as JSON. The file
PROGRESS holds the number of the mutation that is being decoded, for whoever finds the
process dead. Each mutation follows from the seed and its number alone.
"""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deep_files import SHAPE, png, tiff
from images import LOSSLESS_HEIF, encode, picture, turned
from imagestrata.corpus.decode import MAX_PIXELS, UnreadableImage, open_image

#: Seconds of computing, after which a picture counts as one that hangs.
HANG = 10

#: Bytes of memory that decoding any picture may take: the largest that is not refused, as
#: it was stored (4 bytes a pixel), in RGB (Pillow takes 4), turned upright (4), and strips.
MEMORY = 13 * MAX_PIXELS

#: Every so many-th picture is read twice: what was never set in memory would differ.
TWICE = 10

#: The process may take no more, whatever happens: the machine is not only ours.
_LIMIT = 8 << 30

_INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000,
                0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)  # fmt: skip


@cache
def originals() -> dict[str, bytes]:
    """Small pictures of every format, in their many ways."""
    shape = picture(1, (61, 43))
    frames = [picture(seed, (40, 30)) for seed in (2, 3, 4)]
    clear = shape.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(shape.size))
    grey16 = Image.fromarray((np.arange(2400, dtype=np.uint16) * 27).reshape(40, 60))
    deep = np.rint(SHAPE * 65535).astype(np.uint16)
    real = Image.fromarray(np.linspace(-1, 1, 2400, dtype=np.float32).reshape(40, 60))
    later: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    return {
        "jpeg": encode(shape, "JPEG"),
        "jpeg progressive": encode(shape, "JPEG", progressive=True, comment=b"a comment"),
        "jpeg grey": encode(shape.convert("L"), "JPEG"),
        "jpeg cmyk": encode(shape.convert("CMYK"), "JPEG"),
        "jpeg exif": turned(shape, 6),
        "jpeg restart": encode(shape, "JPEG", subsampling=0, restart_marker_blocks=2),
        "png": encode(shape),
        "png palette": encode(shape.convert("P"), transparency=3),
        "png alpha": encode(clear),
        "png 16": encode(grey16),
        "png 16 colours": png(deep, 2),
        "png 16 alpha": png(deep[:, :, :2], 4),
        "png 1": encode(shape.convert("1")),
        "png animated": encode(frames[0], "PNG", **later),
        "gif": encode(shape, "GIF"),
        "gif animated": encode(frames[0], "GIF", transparency=0, **later),
        "webp": encode(shape, "WEBP"),
        "webp lossless": encode(clear, "WEBP", lossless=True),
        "webp animated": encode(frames[0], "WEBP", **later),
        "tiff": encode(shape, "TIFF"),
        "tiff lzw": encode(shape, "TIFF", compression="tiff_lzw"),
        "tiff deflate": encode(clear, "TIFF", compression="tiff_adobe_deflate"),
        "tiff jpeg": encode(shape, "TIFF", compression="jpeg"),
        "tiff packbits": encode(shape, "TIFF", compression="packbits"),
        "tiff fax": encode(shape.convert("1"), "TIFF", compression="group4"),
        "tiff 16": encode(grey16, "TIFF"),
        "tiff 16 colours": tiff(deep, 2),
        "tiff real": encode(real, "TIFF"),
        "tiff real colours": tiff(SHAPE.astype("f4"), 2, sample_format=3),
        "tiff apart": apart(deep),
        "tiff double": tiff(SHAPE[:, :, 0], sample_format=3),
        "tiff pages": encode(frames[0], "TIFF", **later),
        "tiff exif": turned(shape, 8, "TIFF"),
        "avif": encode(shape, "AVIF"),
        "avif alpha": encode(clear, "AVIF"),
        "avif animated": encode(frames[0], "AVIF", **later),
        "avif exif": turned(shape, 6, "AVIF"),
        "heif": encode(shape, "HEIF"),
        "heif alpha": encode(clear, "HEIF", **LOSSLESS_HEIF),
        "heif grey": encode(shape.convert("L"), "HEIF"),
        "heif 10": encode(grey16, "HEIF"),
        "heif tiles": encode(shape, "HEIF", tile_size=16),
        "jp2": encode(shape, "JPEG2000"),
        "jp2 alpha": encode(clear, "JPEG2000"),
        "jp2 16": encode(grey16, "JPEG2000"),
        "jp2 16 colours": jpeg2000_16(deep),
        "j2k lossy": encode(shape, "JPEG2000", no_jp2=True, irreversible=True),
        "j2k tiles": encode(shape, "JPEG2000", no_jp2=True, tile_size=(16, 20)),
        "bmp": encode(shape, "BMP"),
        "bmp palette": encode(shape.convert("P"), "BMP"),
    }  # fmt: skip


def apart(values: Any) -> bytes:
    """A TIFF whose bands of 16 bits are stored one after the other."""
    import tifffile

    buffer = BytesIO()
    planes = np.moveaxis(values, 2, 0)
    tifffile.imwrite(buffer, planes, photometric="rgb", planarconfig="separate", metadata=None)
    return buffer.getvalue()


def jpeg2000_16(values: Any) -> bytes:
    """A JPEG 2000 of deep colours, which Pillow does not write."""
    import cv2

    return bytes(cv2.imencode(".jp2", values[:, :, ::-1].copy())[1].tobytes())


def mutation(number: int, seed: int) -> tuple[str, bytes]:
    """The mutation of that number: what it descends from, and its bytes."""
    rng = np.random.default_rng([seed, number])
    names = list(originals())
    name = names[number % len(names)]
    data = bytearray(originals()[name])
    for _ in range(int(rng.integers(1, 7))):
        _mutate(data, rng)
    if name.startswith("png") and rng.random() < 0.7:
        _mend_checksums(data)
    return name, bytes(data)


def _mutate(data: bytearray, rng: np.random.Generator) -> None:
    if not data:
        return
    # Headers decide most: where they end differs, but they are at the beginning.
    end = min(len(data), 400) if rng.random() < 0.7 else len(data)
    place = int(rng.integers(end))
    way = int(rng.integers(8))
    if way == 0:
        data[place] ^= 1 << int(rng.integers(8))
    elif way == 1:
        data[place] = int(rng.integers(256))
    elif way in (2, 3):
        width = int(rng.choice([1, 2, 4]))
        value = int(rng.choice(_INTERESTING)) & ((1 << (8 * width)) - 1)
        data[place : place + width] = value.to_bytes(width, "big" if way == 2 else "little")
    elif way == 4:
        data[place:place] = rng.bytes(int(rng.integers(1, 20)))
    elif way == 5:
        del data[place : place + int(rng.integers(1, 20))]
    elif way == 6:
        piece = data[place : place + int(rng.integers(1, 200))]
        data[place:place] = piece * int(rng.integers(1, 4))
    else:
        other = list(originals().values())[int(rng.integers(len(originals())))]
        start = int(rng.integers(len(other)))
        piece = bytearray(other[start : start + int(rng.integers(1, 100))])
        data[place : place + len(piece)] = piece
    if rng.random() < 0.03:
        del data[int(rng.integers(len(data) + 1)) :]


def _mend_checksums(data: bytearray) -> None:
    """Let PNG chunks pass their checks, or no mutation gets behind these."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            return
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4


@dataclass
class Found:
    """What became of some mutations."""

    #: How many were read, and how many were not, for which reason.
    outcomes: Counter[str] = field(default_factory=Counter)
    #: How many pictures of each format were mutated, and how many of these were read.
    formats: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    #: Mutations with which something went wrong, and what.
    wrong: list[tuple[int, str]] = field(default_factory=list)
    #: Most memory that a process took beyond what it had at first, in bytes.
    memory: int = 0
    #: The mutation with which it did.
    hungriest: int = 0


def fuzz(n: int, seed: int, per_process: int = 5000) -> Found:
    """Decode ``n`` mutations in watched processes."""
    found = Found()
    todo = [(start, min(start + per_process, n)) for start in range(0, n, per_process)]
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "progress"
        while todo:
            start, stop = todo.pop()
            words = [sys.executable, __file__, *map(str, (start, stop, seed)), str(progress)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                told = json.loads(done.stdout)
                found.outcomes.update(told["outcomes"])
                found.formats.update(told["formats"])
                found.read.update(told["read"])
                found.wrong += [(number, what) for number, what in told["wrong"]]
                if told["memory"] > found.memory:
                    found.memory, found.hungriest = told["memory"], told["hungriest"]
                continue
            # What it saw before it died, and what it did not get to, is seen by another one.
            at = int(progress.read_text())
            hangs = done.returncode == -signal.SIGPROF
            found.wrong.append((at, "hangs" if hangs else f"died: {done.returncode} {done.stderr}"))
            todo += [some for some in ((start, at), (at + 1, stop)) if some[0] < some[1]]
    return found


def _decode(start: int, stop: int, seed: int, progress: Path) -> dict[str, Any]:
    """In the watched process."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_LIMIT, _LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    outcomes: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    read: Counter[str] = Counter()
    wrong = []
    originals()
    open_image(originals()["jpeg"])
    before = peak = _peak()
    hungriest = start
    with progress.open("w") as file:
        for number in range(start, stop):
            file.seek(0)
            file.write(f"{number:012d}")
            file.flush()
            name, data = mutation(number, seed)
            formats[name.split()[0]] += 1
            # Without a handler the signal ends the process, even inside of a C library.
            signal.setitimer(signal.ITIMER_PROF, HANG)
            try:
                image = open_image(data, **_options(number))
                assert image.mode == "RGB" and min(image.size) > 0
                if number % TWICE == 0:
                    again = open_image(data, **_options(number))
                    assert again.tobytes() == image.tobytes(), "another picture the second time"
                outcomes["read"] += 1
                read[name.split()[0]] += 1
            except UnreadableImage as error:
                outcomes[str(error.reason)] += 1
            except BaseException as error:
                wrong.append((number, f"{type(error).__name__}: {error}"))
            signal.setitimer(signal.ITIMER_PROF, 0)
            if _peak() > peak:
                peak, hungriest = _peak(), number
    memory = peak - before
    counted = {"outcomes": outcomes, "formats": formats, "read": read}
    return {**counted, "wrong": wrong, "memory": memory, "hungriest": hungriest}


def _options(number: int) -> dict[str, Any]:
    return {"min_pixels_side": None if number % 2 else 32, "truncated": number % 4 > 1}


def _peak() -> int:
    """The most memory that this process ever held, in bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    first, last, chosen = map(int, sys.argv[1:4])
    print(json.dumps(_decode(first, last, chosen, Path(sys.argv[4]))))
