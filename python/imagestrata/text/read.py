"""Read the text inside images with Tesseract."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..cores import usable_cores
from ..corpus.located import reader
from ..corpus.pictures import File, files_of, scanned_picture
from ..corpus.scan import check_images, images_step, usable_images
from ..errors import ImagestrataError
from ..extras import require
from ..progress import Progress
from ..tables import keep_given, to_frame
from ..validate import check_bool, check_float, check_int
from ..verbs import public
from ..wording import arg, quote, verb
from ..work import Failed, ItemError, open_work, warn_of
from .origin import texts_fingerprint

if TYPE_CHECKING:
    from PIL import Image

#: The reason for a missing text if the image could be read.
NO_TEXT = "no text found"

#: Images per part of unfinished work, about a minute of one core.
PART_SIZE = 64

#: The largest factor by which a picture is enlarged; more adds time and no detail.
_MOST_ENLARGED = 4.0

#: White letters have all three channels above this value (of 255), see docs/reading.md.
_WHITE = 220

#: The least and the largest white share of a picture with white letters. With less there is nothing
#: to read; with more, the background is white, and the first reading has found the text.
_WHITE_SHARES = (0.002, 0.5)

_COLUMNS = ("text", "n_words", "confidence", "share_text", "languages", "reason")

_SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("n_words", pa.int64()),
        ("confidence", pa.float64()),
        ("share_text", pa.float64()),
        ("reason", pa.string()),
    ]
)

_INSTALL = (
    "Install it: Debian and Ubuntu `apt-get install tesseract-ocr`; Fedora `dnf install "
    "tesseract`; macOS `brew install tesseract`; Windows `winget install "
    "UB-Mannheim.TesseractOCR`, then add its folder to PATH."
)


@public
def read_text(
    images: Any,
    languages: str | Sequence[str] = "eng",
    *,
    min_confidence: float = 0.6,
    psm: int = 3,
    side: int = 1000,
    white_text: bool = True,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
) -> pd.DataFrame:
    """Read the text inside every distinct image, such as posters and screenshots.

    The program Tesseract reads the text on this machine: no image leaves it.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        The result of :func:`scan_images`, of which the rows with status ``"ok"`` are used;
        or anything that it takes, which is then scanned first.
    languages : str or sequence of str, default "eng"
        The languages that may occur, as Tesseract's codes: ``"eng"``, ``"deu"``, ``"spa"``,
        ``"ara"``, ... Each must be installed. Give few, since each language takes time and
        causes further errors.
    min_confidence : float, default 0.6
        The lowest confidence of a word; 0 keeps all words. At 0.6, false words in photographs
        without text are rare, and few true words are lost; docs/reading.md has other values.
    psm : int, default 3
        Tesseract's page segmentation mode. 3 finds blocks of text; 11 finds single words
        anywhere; 6 treats the picture as one block. 11 and 6 also find false words in many
        photographs without text.
    side : int, default 1000
        Smaller pictures are enlarged until their longer side has this many pixels, by a factor
        of four at most, since Tesseract expects letters of about 20 pixels. Larger pictures keep
        their size. On drawn screenshots, 1500 found no more text and took 1.5 times as long.
    white_text : bool, default True
        Whether to read the white parts of a picture a second time. Otherwise captions of memes
        (white letters on a photograph) are rarely found.
    out : path, optional
        Run folder. The table is written to ``texts.parquet`` there, and an interrupted call
        continues.
    overwrite : bool, default False
        Replace texts of other settings or images.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        A Dask cluster whose workers read, see :func:`imagestrata.scan_images`. The workers
        need Tesseract with these languages.

    Returns
    -------
    DataFrame
        One row per image, in the order of the images: ``image_id``, ``path``,
        ``n_copies``, your own columns;

        - ``text``: the words, with a line break at the end of each line; missing without words
        - ``n_words``: the number of words
        - ``confidence``: the mean confidence of the words that Tesseract reports, from 0 to 1
        - ``share_text``: the share of the area of the image inside the boxes around the words
        - ``languages``: the languages of the call, such as ``"eng+deu"``
        - ``reason``: the reason for a missing text: ``"no text found"``, or why the image could
          not be read, in which case the numbers are missing, too

    Raises
    ------
    ImagestrataError
        If Tesseract, a language or the library ``pytesseract`` is missing (the error tells you
        how to install it), an argument is out of range, or ``out`` cannot be written or holds
        other texts.

    See Also
    --------
    cluster_keywords : ``cluster_keywords(clustering, texts, column="text")`` finds the typical
        words of each cluster.
    embed_text : ``embed_text(texts, column="text")`` turns the texts into vectors.

    Notes
    -----
    Each core reads one image at a time. Tesseract is poor at handwriting, graffiti, ornate letters
    and slanted text. docs/reading.md reports accuracy and time for several kinds of images.
    """
    asked = _check_languages(languages)
    settings = {
        "languages": asked,
        "min_confidence": check_float("min_confidence", min_confidence, minimum=0, maximum=1),
        "psm": _check_psm(psm),
        "side": check_int("side", side, minimum=100, maximum=10_000),
        "white_text": check_bool("white_text", white_text),
    }
    overwrite = check_bool("overwrite", overwrite)
    check_images(images, out)
    # Detect a missing program before thousands of files are scanned.
    tesseract = _tesseract(asked)
    table = usable_images(images, out, overwrite, progress, engine)
    step = images_step(out, "read", settings, table, overwrite)
    files = files_of(table)

    def make() -> pd.DataFrame:
        threads = usable_cores()
        with open_work(
            "Reading", len(files), progress, engine, most_threads=threads, files=[files[0][1]]
        ) as work:
            read = functools.partial(_read_image, settings)
            found = work.in_parts(read, files, step.parts, PART_SIZE, _as_table)
        texts = _table(table, to_frame(found), asked)
        reasons = texts["reason"].dropna()
        warn_of(reasons[reasons != NO_TEXT].tolist(), len(texts), "read")
        return texts

    def counts(texts: pd.DataFrame) -> dict[str, Any]:
        version = str(tesseract.get_tesseract_version())
        n_with_text = int(texts["text"].notna().sum())
        return {"images": len(texts), "with_text": n_with_text, "tesseract": version}

    return step.table(
        make,
        counts,
        read=reader("texts.parquet", "read"),
        identity=lambda texts: texts_fingerprint(texts, "text"),
    )


@dataclass(frozen=True)
class Word:
    """A word in a picture.

    Attributes
    ----------
    text : str
    confidence : float
        From 0 to 1.
    line : tuple of int
        The line of the word: equal for all words of a line.
    box : tuple of int
        Left, top, right, bottom, in pixels of the picture that was read.
    """

    text: str
    confidence: float
    line: tuple[int, ...]
    box: tuple[int, int, int, int]


def _check_languages(languages: Any) -> str:
    """The codes of the languages, joined by plus signs, as Tesseract takes them."""
    given = languages.split("+") if isinstance(languages, str) else languages
    codes = list(given) if isinstance(given, Iterable) else []
    if not codes or not all(isinstance(code, str) and code.strip() for code in codes):
        raise ImagestrataError(
            f"{arg('languages')} must be one of Tesseract's codes or a list of them, not "
            f"{quote(languages)}.",
            'For instance "eng", or ["eng", "deu"].',
        )
    return "+".join(dict.fromkeys(code.strip() for code in codes))


def _check_psm(psm: Any) -> int:
    mode = check_int("psm", psm, minimum=1, maximum=13)
    if mode == 2:
        raise ImagestrataError(
            f"{arg('psm')} must be a mode in which Tesseract reads; 2 only looks at the layout."
        )
    return mode


def _tesseract(languages: str) -> Any:
    """The module that runs Tesseract; an error if the program or a language is missing."""
    module = require("pytesseract", "tesseract", "Reading text in images")
    try:
        installed = [name for name in module.get_languages() if name != "osd"]
    except module.TesseractNotFoundError:
        raise ImagestrataError(
            "The program `tesseract`, which reads text in images, is not installed.", _INSTALL
        ) from None
    missing = [name for name in languages.split("+") if name not in installed]
    if missing:
        raise ImagestrataError(
            f"Tesseract lacks the language {quote(missing[0])}; installed: "
            f"{', '.join(sorted(installed)) or 'none'}.",
            f"Install it: Debian and Ubuntu `apt-get install tesseract-ocr-{missing[0]}`; Fedora "
            f"`dnf install tesseract-langpack-{missing[0]}`; macOS `brew install "
            "tesseract-lang`; Windows: run Tesseract's installer again and select it.",
        )
    return module


#: Guards the environment while several calls run in threads of one process.
_environment = threading.Lock()
_readers = 0
_before: str | None = None


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let each process of Tesseract use one core, since one image per core is far faster.

    pytesseract always passes the environment of this process to the program.
    """
    global _readers, _before
    with _environment:
        if not _readers:
            _before = os.environ.get("OMP_THREAD_LIMIT")
            os.environ["OMP_THREAD_LIMIT"] = "1"
        _readers += 1
    try:
        yield
    finally:
        with _environment:
            _readers -= 1
            if not _readers and _before is None:
                del os.environ["OMP_THREAD_LIMIT"]
            elif not _readers:
                os.environ["OMP_THREAD_LIMIT"] = str(_before)


#: Checked once per process, since workers of a cluster may have another Tesseract or none.
_known_tesseract = functools.cache(_tesseract)


def _read_image(settings: dict[str, Any], file: File) -> dict[str, Any]:
    """The row of one image."""
    tesseract = _known_tesseract(settings["languages"])
    picture = _enlarged(scanned_picture(file), settings["side"])
    looks = [picture]
    if settings["white_text"]:
        white = _white_parts(picture)
        looks += [] if white is None else [white]
    try:
        with _one_thread_each():
            found = [_words(tesseract, look, settings) for look in looks]
    except tesseract.TesseractError as error:
        raise ItemError(f"Tesseract failed: {' '.join(str(error).split())[:200]}") from None
    words = _merged(found)
    return {
        "text": _joined(words) or None,
        "n_words": len(words),
        "confidence": float(np.mean([word.confidence for word in words])) if words else None,
        "share_text": _share(words, picture.size),
        "reason": None if words else NO_TEXT,
    }


def _enlarged(picture: Image.Image, side: int) -> Image.Image:
    from PIL import Image

    factor = min(side / max(picture.size), _MOST_ENLARGED)
    if factor <= 1:
        return picture
    width, height = (max(1, round(length * factor)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def _white_parts(picture: Image.Image) -> Image.Image | None:
    """The white parts of a picture, as black on white; None if they cannot be text."""
    from PIL import Image

    white = np.asarray(picture).min(axis=2) > _WHITE
    least, most = _WHITE_SHARES
    if not least <= white.mean() <= most:
        return None
    return Image.fromarray(np.where(white, 0, 255).astype(np.uint8))


def _words(tesseract: Any, picture: Image.Image, settings: dict[str, Any]) -> list[Word]:
    """The words with sufficient confidence, in Tesseract's reading order."""
    data = tesseract.image_to_data(
        picture,
        lang=settings["languages"],
        config=f"--psm {settings['psm']}",
        output_type=tesseract.Output.DICT,
    )
    words = []
    for row, text in enumerate(data["text"]):
        confidence = float(data["conf"][row]) / 100
        # Lines and blocks are rows, too, with a confidence of -1. A "word" without a letter or
        # digit is an artefact.
        if confidence < settings["min_confidence"] or not any(map(str.isalnum, text)):
            continue
        left, top = data["left"][row], data["top"][row]
        words.append(
            Word(
                text.strip(),
                confidence,
                tuple(data[name][row] for name in ("block_num", "par_num", "line_num")),
                (left, top, left + data["width"][row], top + data["height"][row]),
            )
        )
    return words


def _merged(looks: Sequence[list[Word]]) -> list[Word]:
    """The words of several readings of a picture, each place only once.

    The reading with the most letters and the highest confidence comes first; the others add words
    in other places.
    """
    by_yield = sorted(looks, key=lambda words: -sum(len(w.text) * w.confidence for w in words))
    merged: list[Word] = []
    for number, words in enumerate(by_yield):
        fresh = [word for word in words if not any(_overlap(word, one) for one in merged)]
        merged += [Word(w.text, w.confidence, (number, *w.line), w.box) for w in fresh]
    return merged


def _overlap(one: Word, other: Word) -> bool:
    """Whether two boxes share a fifth of the smaller one."""
    left, top = (max(one.box[i], other.box[i]) for i in (0, 1))
    right, bottom = (min(one.box[i], other.box[i]) for i in (2, 3))
    areas = [(w.box[2] - w.box[0]) * (w.box[3] - w.box[1]) for w in (one, other)]
    return 5 * max(0, right - left) * max(0, bottom - top) > min(areas)


def _joined(words: Sequence[Word]) -> str:
    lines: dict[tuple[int, ...], list[str]] = {}
    for word in words:
        lines.setdefault(word.line, []).append(word.text)
    return "\n".join(" ".join(line) for line in lines.values())


def _share(words: Sequence[Word], size: tuple[int, int]) -> float:
    """The share of a picture's area inside at least one box."""
    inside = np.zeros((size[1], size[0]), dtype=bool)
    for word in words:
        left, top, right, bottom = word.box
        inside[top:bottom, left:right] = True
    return float(inside.mean())


def _as_table(_: Sequence[File], rows: list[dict[str, Any] | Failed]) -> pa.Table:
    failed = [{"reason": row.reason} if isinstance(row, Failed) else row for row in rows]
    return pa.Table.from_pylist(failed, schema=_SCHEMA)


def _table(images: pd.DataFrame, found: pd.DataFrame, languages: str) -> pd.DataFrame:
    """The images with the columns of their texts."""
    table = keep_given(images, _COLUMNS, verb("read_text"))
    found = found.assign(languages=languages)
    return pd.concat([table.reset_index(drop=True), found[list(_COLUMNS)]], axis=1)
