"""A demo corpus drawn by our own code. It needs no download and shows no real people."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from ..errors import ImagestrataError
from ..files import make_folder, write_bytes
from ..progress import Progress, track
from ..validate import check_int, check_seed
from ..verbs import public
from ..wording import quote
from ..corpus.decode import open_image
from .drawing import Canvas
from .scenes import KINDS, SCENES, Scene

#: Shares of all files that are copies or broken.
_SHARES = {"byte copy": 0.04, "near copy": 0.03, "pixel copy": 0.02, "broken": 0.02}

_AREA = 320 * 240
_ORIENTATION_TAG = 0x0112


#: Function that stores a picture: it returns the ending and the bytes of a file.
_Store: TypeAlias = Callable[[Image.Image, np.random.Generator], tuple[str, bytes]]


class _File(NamedTuple):
    kind: str
    variant: str
    ending: str
    data: bytes


@public
def draw_demo_corpus(
    out: str | os.PathLike[str],
    *,
    n_images: int = 600,
    seed: int = 0,
    progress: Progress = True,
) -> Path:
    """Draw a folder of images like those that social scientists collect.

    The corpus has 32 kinds of scene (protests, portraits, memes, charts, flags, ...). They are
    as unbalanced as in real collections: the largest kind has a fifth of the files, the
    smallest has two or three. Some files have unusual formats (CMYK, 16-bit, palette,
    transparent, rotated by EXIF, ...). Of all files, 4% are copies under other names, 3% are
    re-encoded near-copies, 2% are copies of the pixels in another format, and 2% are broken.

    Parameters
    ----------
    out : path
        Folder for the images. It must be new, empty, or hold this same corpus; in that case
        only missing files are written.
    n_images : int, default 600
        Number of image files, from 20 to 10000. Small corpora have fewer kinds. 600 images
        take about 13 MB.
    seed : int, default 0
        With the same versions of the libraries, the same seed gives the same bytes.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Path
        The folder. The names of the images do not reveal their content. ``labels.csv`` lists
        ``file``, ``kind`` (the scene) and ``variant`` ("original", "byte copy", "near copy",
        "pixel copy", "broken").

    Raises
    ------
    ImagestrataError
        If the folder holds other files or cannot be written, or an argument is out
        of range.
    """
    n_images = check_int("n_images", n_images, minimum=20, maximum=10_000)
    seed = check_seed(seed)
    target = make_folder(out, "out")
    with track(progress, "Drawing", n_images, "images") as advance:
        files = {}
        for name, file in _corpus(n_images, seed):
            files[name] = file
            advance()
    content = {name: file.data for name, file in files.items()}
    content["labels.csv"] = _labels(files)
    _write(target, content)
    return target


def _write(folder: Path, content: dict[str, bytes]) -> None:
    """Write missing and changed files only, so that finished files keep their times."""
    found = (path for path in folder.rglob("*") if path.is_file())
    others = {path.relative_to(folder).as_posix() for path in found} - content.keys()
    others = {name for name in others if not PurePosixPath(name).name.startswith(".")}
    if others:
        raise ImagestrataError(
            f"{quote(folder)} already holds {len(others)} other files, such as "
            f"{quote(min(others))}.",
            "Give the name of a new folder.",
        )
    for name, data in content.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(exist_ok=True)
            write_bytes(path, data)


def _labels(files: dict[str, _File]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", "kind", "variant"])
    table.writerows([name, files[name].kind, files[name].variant] for name in sorted(files))
    return text.getvalue().encode()


def _corpus(n_images: int, seed: int) -> Iterator[tuple[str, _File]]:
    """Yield all files, under names that do not reveal their content."""
    rng = np.random.default_rng([seed])
    places = rng.permutation(n_images)
    for place, file in zip(places.tolist(), _files(n_images, seed, rng), strict=True):
        part = 1 + 3 * place // n_images
        yield f"part-{part}/{place + 1:04d}{file.ending}", file


def _files(n_images: int, seed: int, rng: np.random.Generator) -> Iterator[_File]:
    counts = {variant: max(1, round(share * n_images)) for variant, share in _SHARES.items()}
    kinds = _kinds(n_images - sum(counts.values()))
    odd = [store for store, share in _ODD for _ in range(max(1, round(share * len(kinds))))]
    stored_oddly = dict(zip(rng.permutation(len(kinds)).tolist(), odd, strict=False))
    originals = []
    for number, kind in enumerate(kinds):
        dice = np.random.default_rng([seed, number])
        image = _picture(SCENES[kind], dice)
        store = stored_oddly.get(number) or (_jpeg if SCENES[kind].photo else _graphic)
        originals.append(_File(kind, "original", *store(image, dice)))
        yield originals[-1]
    shuffled = [originals[i] for i in rng.permutation(len(originals)).tolist()]
    for original in shuffled[: counts["byte copy"]]:
        yield original._replace(variant="byte copy")
    for original in shuffled[-counts["near copy"] :]:
        yield _remade(original, "near copy", _near_copy, rng)
    jpegs = [original for original in shuffled if original.data.startswith(b"\xff\xd8")]
    for original, store in zip(jpegs[: counts["pixel copy"]], cycle(_LOSSLESS), strict=False):
        yield _remade(original, "pixel copy", store, rng)
    for original, spoil in zip(shuffled[: counts["broken"]], cycle(_BROKEN), strict=False):
        yield _remade(original._replace(kind="broken"), "broken", spoil, rng)


def _remade(original: _File, variant: str, store: _Store, rng: np.random.Generator) -> _File:
    return _File(original.kind, variant, *store(open_image(original.data), rng))


def _kinds(n: int) -> list[str]:
    """Return the kinds of n pictures: two of each; the rest falls as 1/4², 1/5², 1/6², ..."""
    names = KINDS[: max(2, n // 6)]
    weights = (np.arange(len(names)) + 4.0) ** -2
    rest = (n - 2 * len(names)) * np.cumsum([0, *weights]) / weights.sum()
    counts = 2 + np.sort(np.diff(np.rint(rest)).astype(int))[::-1]
    return [name for name, count in zip(names, counts, strict=True) for _ in range(count)]


def _picture(scene: Scene, rng: np.random.Generator) -> Image.Image:
    shape = scene.shapes[rng.integers(len(scene.shapes))]
    area = _AREA * rng.uniform(0.7, 1.25)
    canvas = Canvas(rng, (round(math.sqrt(area * shape)), round(math.sqrt(area / shape))))
    scene.draw(canvas)
    return canvas.finish(photo=scene.photo)


# Functions that store a picture, or damage it


def _encode(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _jpeg(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    ending = [".jpg", ".jpg", ".jpg", ".jpeg", ".JPG"][rng.integers(5)]
    quality = int(rng.integers(70, 90))
    return ending, _encode(image, "JPEG", quality=quality, progressive=bool(rng.random() < 0.2))


def _graphic(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    return _png(image, rng) if rng.random() < 0.5 else _jpeg(image, rng)


def _png(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    return ".png", _encode(image, "PNG")


def _webp(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    return ".webp", _encode(image, "WEBP", quality=int(rng.integers(65, 85)))


def _lossless_webp(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    return ".webp", _encode(image, "WEBP", lossless=True, method=0)


def _turned(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    """Store the picture as a camera held upright does: rotated, with an EXIF orientation."""
    orientation, angle = [(6, 90), (8, -90), (3, 180)][rng.integers(3)]
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = orientation
    return ".jpg", _encode(image.rotate(angle, expand=True), "JPEG", quality=85, exif=exif)


def _cmyk(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    return ".jpg", _encode(image.convert("CMYK"), "JPEG", quality=85)


def _bmp(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    return ".bmp", _encode(image, "BMP")


def _tiff(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    # No compression: with older versions of Pillow, libtiff leaves random bytes in the file.
    return ".tif", _encode(image, "TIFF")


def _grey16(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    grey = np.asarray(image.convert("L"), dtype=np.uint16) * 257
    return ".png", _encode(Image.fromarray(grey), "PNG")


def _palette(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    return ".png", _encode(image.quantize(48), "PNG")


def _cut_out(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    """Cut out a disc on a transparent ground, as avatars are."""
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).ellipse((4, 4, image.width - 5, image.height - 5), fill=255)
    layered = image.convert("RGBA")
    layered.putalpha(mask)
    return ".png", _encode(layered, "PNG")


def _gif(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    later = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).quantize(32)
    moving: dict[str, object] = {"save_all": True, "append_images": [later], "duration": 500}
    return ".gif", _encode(image.quantize(64), "GIF", **(moving if rng.random() < 0.5 else {}))


def _misnamed(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    return [".jpg", ""][rng.integers(2)], _webp(image, rng)[1]


def _near_copy(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    """Shrink the picture as platforms do when a user shares it."""
    scale = rng.uniform(0.75, 0.95)
    smaller = image.resize((round(image.width * scale), round(image.height * scale)))
    return ".jpg", _encode(smaller, "JPEG", quality=int(rng.integers(50, 70)))


def _truncated(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    data = _encode(image, "JPEG")
    return ".jpg", data[: int(len(data) * rng.uniform(0.3, 0.8))]


def _flipped(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    data = bytearray(_encode(image, "PNG"))
    data[len(data) // 2] ^= 0xFF
    return ".png", bytes(data)


def _empty(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    return ".jpg", b""


def _web_page(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    number = int(rng.integers(10**6))
    return ".jpg", f"<!DOCTYPE html>\n<title>404</title>\n<p>No picture {number}.\n".encode()


def _note(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    return ".png", f"Picture {int(rng.integers(10**6))} was withdrawn by its owner.\n".encode()


def _dot(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    """Make a tracking pixel, as web pages use to count their visitors."""
    return ".gif", _encode(image.resize((1, 1)).quantize(2), "GIF")


#: Unusual formats, with their shares of the pictures.
_ODD: list[tuple[_Store, float]] = [
    (_webp, 0.05),
    (_turned, 0.03),
    (_gif, 0.015),
    (_cmyk, 0.01),
    (_palette, 0.01),
    (_cut_out, 0.006),
    (_misnamed, 0.006),
    (_grey16, 0.004),
    (_tiff, 0.004),
    (_bmp, 0.004),
]
_LOSSLESS: list[_Store] = [_png, _lossless_webp, _bmp, _tiff]
_BROKEN: list[_Store] = [_truncated, _empty, _web_page, _dot, _note, _flipped]
