"""Read the text that is inside images, with Tesseract."""

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

#: Why an image that was looked at has no text.
NO_TEXT = "no text found"

#: Images per part of unfinished work: a minute of one core or so.
PART_SIZE = 64

#: Enlarging more than this adds time and no detail.
_MOST_ENLARGED = 4.0

#: All three channels of white letters are above this (of 255); measured in docs/reading.md.
_WHITE = 220

#: Of a picture, the share that is white where letters may stand on it. With less there is
#: nothing to read; with more the ground is white, and the first look has read what there is.
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
    """Read the text that is inside every distinct image, as on posters and screenshots.

    The program Tesseract reads, on this machine: nothing leaves it.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        What :func:`scan_images` returned, of which the rows with status ``"ok"`` are
        taken; or whatever it takes, and then it is scanned first.
    languages : str or sequence of str, default "eng"
        The languages that may occur, by Tesseract's codes: ``"eng"``, ``"deu"``,
        ``"spa"``, ``"ara"``, ... Each must be installed; a few at most, since each
        more takes time and makes other errors likelier.
    min_confidence : float, default 0.6
        Words of which Tesseract is less sure are dropped (0 keeps all). At .6,
        photographs without text rarely gain any, and hardly a true word is lost; see
        docs/reading.md for both at other values.
    psm : int, default 3
        Tesseract's page segmentation mode. 3 finds blocks of text by itself; 11 takes
        single words wherever they are; 6 takes the picture for one block. The latter two
        also read "words" into many photographs that have none.
    side : int, default 1000
        Smaller pictures are enlarged until their longer side has this many pixels, but
        four times at most: Tesseract expects letters of some 20 pixels. Larger ones are
        read as they are. 1500 found no more on drawn screenshots, and took half as long
        again.
    white_text : bool, default True
        Look a second time, at what is white in the picture alone: the captions of memes,
        white letters on a photograph, are hardly found otherwise.
    out : path, optional
        Run folder: the table goes to ``texts.parquet`` there. A call that was
        interrupted goes on.
    overwrite : bool, default False
        Replace texts made there with other settings or of other images.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        A Dask cluster whose workers read, see :func:`imagestrata.scan_images`. They need
        Tesseract with these languages, too.

    Returns
    -------
    DataFrame
        One row per image, in the order of the images: ``image_id``, ``path``,
        ``n_copies``, columns of yours;

        - ``text``: the words, with a line break where a line ends; missing without any
        - ``n_words``: how many
        - ``confidence``: their mean confidence, from 0 to 1, by Tesseract's own lights
        - ``share_text``: the share of the image's area inside the boxes around them
        - ``languages``: those that were looked for, such as ``"eng+deu"``
        - ``reason``: why there is no text: ``"no text found"``, or why the image could not
          be read, and then the numbers are missing too

    Raises
    ------
    ImagestrataError
        If Tesseract, a language or the library ``pytesseract`` is missing (the error says
        how to install it), an argument is out of range, or ``out`` cannot be written or
        holds other texts.

    See Also
    --------
    cluster_keywords : ``cluster_keywords(clustering, texts, column="text")`` tells what is
        typical of each cluster.
    embed_text : ``embed_text(texts, column="text")`` makes vectors of the texts.

    Notes
    -----
    Each core reads one image at a time. What Tesseract cannot read well: handwriting,
    graffiti, ornate letters, text at a slant. What was found on which kind of image, and
    how long it took, is in docs/reading.md.
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
    # A missing program should come to light before thousands of files are looked at.
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

    return step.table(make, counts, identity=lambda texts: texts_fingerprint(texts, "text"))


@dataclass(frozen=True)
class Word:
    """A word that Tesseract found.

    Attributes
    ----------
    text : str
    confidence : float
        From 0 to 1.
    line : tuple of int
        Of words in one line the same.
    box : tuple of int
        Left, top, right, bottom, in pixels of what was read.
    """

    text: str
    confidence: float
    line: tuple[int, ...]
    box: tuple[int, int, int, int]


def _check_languages(languages: Any) -> str:
    """The languages as Tesseract takes them: joined by a plus sign."""
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
    """The module that runs Tesseract, once program and languages are known to be here."""
    module = require("pytesseract", "tesseract", "Reading text in images")
    try:
        installed = [name for name in module.get_languages() if name != "osd"]
    except module.TesseractNotFoundError:
        raise ImagestrataError(
            "The program `tesseract`, which reads text in images, was not found.", _INSTALL
        ) from None
    missing = [name for name in languages.split("+") if name not in installed]
    if missing:
        raise ImagestrataError(
            f"Tesseract lacks the language {quote(missing[0])}; installed: "
            f"{', '.join(sorted(installed)) or 'none'}.",
            f"Install it: Debian and Ubuntu `apt-get install tesseract-ocr-{missing[0]}`; Fedora "
            f"`dnf install tesseract-langpack-{missing[0]}`; macOS `brew install "
            "tesseract-lang`; Windows: run Tesseract's installer again and tick it.",
        )
    return module


#: Guards the environment while several calls run in threads of one process.
_environment = threading.Lock()
_readers = 0
_before: str | None = None


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let each Tesseract use one core: several at once, on an image each, are far faster.

    pytesseract hands our own environment to the program and takes no other.
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


#: As Tesseract is asked once per process, where those of a cluster may have another or none.
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
    """What is white in a picture, as black on white; None where that can be no text."""
    from PIL import Image

    white = np.asarray(picture).min(axis=2) > _WHITE
    least, most = _WHITE_SHARES
    if not least <= white.mean() <= most:
        return None
    return Image.fromarray(np.where(white, 0, 255).astype(np.uint8))


def _words(tesseract: Any, picture: Image.Image, settings: dict[str, Any]) -> list[Word]:
    """The words that Tesseract is sure of, in its reading order."""
    data = tesseract.image_to_data(
        picture,
        lang=settings["languages"],
        config=f"--psm {settings['psm']}",
        output_type=tesseract.Output.DICT,
    )
    words = []
    for row, text in enumerate(data["text"]):
        confidence = float(data["conf"][row]) / 100
        # Lines and blocks are rows too, with a confidence of -1. A "word" without a letter or
        # digit is a smudge or an edge.
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
    """The words of several looks at a picture, each place read once.

    The look that read most letters with most confidence comes first; the others add
    what stands elsewhere.
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
    """Images with what was read in them."""
    table = keep_given(images, _COLUMNS, verb("read_text"), stacklevel=4)
    found = found.assign(languages=languages)
    return pd.concat([table.reset_index(drop=True), found[list(_COLUMNS)]], axis=1)
