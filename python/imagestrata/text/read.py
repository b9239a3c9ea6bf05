"""Read the text inside images with RapidOCR or Tesseract."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from ..cores import usable_cores
from ..corpus.located import reader as stored
from ..corpus.pictures import File, files_of, scanned_picture
from ..corpus.scan import check_images, images_step, usable_images
from ..progress import Progress
from ..tables import keep_given, to_frame
from ..validate import check_bool, check_choice, check_float, check_idle, check_int
from ..verbs import public
from ..wording import arg, verb
from ..work import Failed, open_work, warn_of
from .origin import texts_fingerprint
from .rapidocr import RapidOCR
from .tesseract import Tesseract, check_psm
from .words import NO_TEXT, check_languages, joined

#: Images per part of unfinished work, about a minute of one core.
PART_SIZE = 64

#: Programs that read, and the usual lowest confidence of their words.
_READERS = {"rapidocr": 0.8, "tesseract": 0.6}

_Reader: TypeAlias = RapidOCR | Tesseract

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


@public
def read_text(
    images: Any,
    languages: str | Sequence[str] = "eng",
    *,
    reader: str = "rapidocr",
    min_confidence: float | None = None,
    psm: int = 3,
    side: int = 1000,
    white_text: bool = True,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    engine: Any = None,
) -> pd.DataFrame:
    """Read the text inside every distinct image, such as posters, memes and screenshots.

    The text is read on this machine: no image leaves it.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        The result of :func:`scan_images`, of which the rows with status ``"ok"`` are used;
        or anything that it takes, which is then scanned first.
    languages : str or sequence of str, default "eng"
        The languages that may occur, as Tesseract's codes: ``"eng"``, ``"deu"``, ``"spa"``,
        ``"ara"``, ... RapidOCR always reads all of its languages: 26 in Latin letters, among them
        English, German, French, Spanish, Italian, Portuguese, Dutch and Swedish with their
        accents. Words in Chinese and Japanese characters are only kept if ``"chi_sim"``,
        ``"chi_tra"`` or ``"jpn"`` is given. For Tesseract each language must be installed. Give
        few, since each takes time and causes further errors.
    reader : {"rapidocr", "tesseract"}, default "rapidocr"
        RapidOCR is a Python package that contains its networks. In our test it reads nearly all
        words of memes, of which Tesseract misses many (``docs/reading.md``). The program Tesseract
        reads other scripts, such as Arabic and Cyrillic, and languages of whose accents RapidOCR
        loses too many, such as Polish, Czech and Turkish.
    min_confidence : float, optional
        The lowest confidence of a word; 0 keeps all words. By default 0.8 with RapidOCR and 0.6
        with Tesseract: false words in photographs without text are then rare, and few true words
        are lost; docs/reading.md has other values.
    psm : int, default 3
        Tesseract's page segmentation mode. 3 finds blocks of text; 11 finds single words
        anywhere; 6 treats the picture as one block. 11 and 6 also find false words in many
        photographs without text. This argument and the next two are for Tesseract.
    side : int, default 1000
        Smaller pictures are enlarged until their longer side has this many pixels, by a factor
        of four at most, since Tesseract expects letters of about 20 pixels. Larger pictures keep
        their size. On drawn screenshots, 1500 found no more text and took longer.
    white_text : bool, default True
        Whether to read the white parts of a picture a second time. Otherwise Tesseract rarely finds
        captions of memes (white letters on a photograph).
    out : path, optional
        Run folder. The table is written to ``texts.parquet`` there, and an interrupted call
        continues.
    overwrite : bool, default False
        Replace texts of other settings or images.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        A Dask cluster whose workers read, see :func:`imagestrata.scan_images`. The workers
        need the reader, too.

    Returns
    -------
    DataFrame
        One row per image, in the order of the images: ``image_id``, ``path``,
        ``n_copies``, your own columns;

        - ``text``: the words, with a line break at the end of each line; missing without words
        - ``n_words``: the number of words
        - ``confidence``: the mean confidence of the words that the reader reports, from 0 to 1
        - ``share_text``: the share of the area of the image inside the boxes around the words
          (RapidOCR: around their lines)
        - ``languages``: the languages of the call, such as ``"eng+deu"``
        - ``reason``: the reason for a missing text: ``"no text found"``, or why the image could
          not be read, in which case the numbers are missing, too

    Raises
    ------
    ImagestrataError
        If the reader is not installed or does not read a language (the error tells you what to
        do), an argument is out of range, or ``out`` cannot be written or holds other texts.

    See Also
    --------
    cluster_keywords : ``cluster_keywords(clustering, texts, column="text")`` finds the typical
        words of each cluster.
    embed_text : ``embed_text(texts, column="text")`` turns the texts into vectors.

    Notes
    -----
    Each core reads one image at a time. Both readers are poor at handwriting, graffiti and ornate
    letters. RapidOCR reads lines from top to bottom, so lines of neighbouring columns alternate;
    Tesseract reads one column after the other. docs/reading.md reports accuracy and time for
    several kinds of images.
    """
    codes = check_languages(languages)
    check_choice("reader", reader, _READERS)
    if min_confidence is None:
        min_confidence = _READERS[reader]
    least = check_float("min_confidence", min_confidence, minimum=0, maximum=1)
    psm, side = check_psm(psm), check_int("side", side, minimum=100, maximum=10_000)
    white_text = check_bool("white_text", white_text)
    settings: dict[str, Any] = {
        "reader": reader,
        "languages": "+".join(codes),
        "min_confidence": least,
    }
    reads: _Reader
    if reader == "rapidocr":
        check_idle(
            f"with {arg('reader', reader)}, only with Tesseract",
            **{"psm": (psm, 3), "side": (side, 1000), "white_text": (white_text, True)},
        )
        reads = RapidOCR(codes, least)
    else:
        settings |= {"psm": psm, "side": side, "white_text": white_text}
        reads = Tesseract(codes, least, psm, side, white_text)
    overwrite = check_bool("overwrite", overwrite)
    check_images(images, out)
    # Detect a missing program before thousands of files are scanned.
    reads.check()
    table = usable_images(images, out, overwrite, progress, engine)
    step = images_step(out, "read", settings, table, overwrite)
    files = files_of(table)

    def make() -> pd.DataFrame:
        threads = usable_cores()
        with open_work(
            "Reading", len(files), progress, engine, most_threads=threads, files=[files[0][1]]
        ) as work:
            read = functools.partial(_read_image, reads)
            found = work.in_parts(read, files, step.parts, PART_SIZE, _as_table)
        texts = _table(table, to_frame(found), settings["languages"])
        reasons = texts["reason"].dropna()
        warn_of(reasons[reasons != NO_TEXT].tolist(), len(texts), "read")
        return texts

    def counts(texts: pd.DataFrame) -> dict[str, Any]:
        n_with_text = int(texts["text"].notna().sum())
        return {"images": len(texts), "with_text": n_with_text, **reads.about()}

    return step.table(
        make,
        counts,
        read=stored("texts.parquet", "read"),
        identity=lambda texts: texts_fingerprint(texts, "text"),
    )


def _read_image(reads: _Reader, file: File) -> dict[str, Any]:
    """The row of one image."""
    words, share = reads.read(scanned_picture(file))
    return {
        "text": joined(words) or None,
        "n_words": len(words),
        "confidence": float(np.mean([word.confidence for word in words])) if words else None,
        "share_text": share,
        "reason": None if words else NO_TEXT,
    }


def _as_table(_: Sequence[File], rows: list[dict[str, Any] | Failed]) -> pa.Table:
    failed = [{"reason": row.reason} if isinstance(row, Failed) else row for row in rows]
    return pa.Table.from_pylist(failed, schema=_SCHEMA)


def _table(images: pd.DataFrame, found: pd.DataFrame, languages: str) -> pd.DataFrame:
    """The images with the columns of their texts."""
    table = keep_given(images, _COLUMNS, verb("read_text"))
    found = found.assign(languages=languages)
    return pd.concat([table.reset_index(drop=True), found[list(_COLUMNS)]], axis=1)
