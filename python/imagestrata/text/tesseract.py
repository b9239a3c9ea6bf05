"""Read words with the program Tesseract."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ImagestrataError
from ..extras import require
from ..validate import check_int
from ..wording import arg, quote
from ..work import ItemError
from .words import Word, is_word

if TYPE_CHECKING:
    from PIL import Image

#: The largest factor by which a picture is enlarged; more adds time and no detail.
_MOST_ENLARGED = 4.0

#: White letters have all three channels above this value (of 255), see docs/reading.md.
_WHITE = 220

#: The least and the largest white share of a picture with white letters. With less there is nothing
#: to read; with more, the background is white, and the first reading has found the text.
_WHITE_SHARES = (0.002, 0.5)

_INSTALL = (
    "Install it: Debian and Ubuntu `apt-get install tesseract-ocr`; Fedora `dnf install "
    "tesseract`; macOS `brew install tesseract`; Windows `winget install "
    "UB-Mannheim.TesseractOCR`, then add its folder to PATH."
)


@dataclass(frozen=True)
class Tesseract:
    """Reads with the program Tesseract, which processes of a cluster start by themselves.

    Attributes
    ----------
    languages : tuple of str
    min_confidence : float
    psm : int
        Page segmentation mode.
    side : int
        Longer side to which smaller pictures are enlarged.
    white_text : bool
        Whether the white parts of a picture are read a second time.
    """

    languages: tuple[str, ...]
    min_confidence: float
    psm: int
    side: int
    white_text: bool

    def check(self) -> None:
        """Raise an error if the program or a language is missing."""
        _tesseract(self.languages)

    def about(self) -> dict[str, Any]:
        """The program, for the record of a run."""
        version = _known_tesseract(self.languages).get_tesseract_version()
        return {"program": f"Tesseract {version}"}

    def read(self, picture: Image.Image) -> tuple[list[Word], float]:
        """The words of a picture, and the share of its area inside their boxes."""
        tesseract = _known_tesseract(self.languages)
        picture = _enlarged(picture, self.side)
        looks = [picture]
        if self.white_text:
            white = _white_parts(picture)
            looks += [] if white is None else [white]
        try:
            with _one_thread_each():
                found = [self._words(tesseract, look) for look in looks]
        except tesseract.TesseractError as error:
            raise ItemError(f"Tesseract failed: {' '.join(str(error).split())[:200]}") from None
        words = merged(found)
        return words, share_inside(words, picture.size)

    def _words(self, tesseract: Any, picture: Image.Image) -> list[Word]:
        """The words with sufficient confidence, in Tesseract's reading order."""
        data = tesseract.image_to_data(
            picture,
            lang="+".join(self.languages),
            config=f"--psm {self.psm}",
            output_type=tesseract.Output.DICT,
        )
        words = []
        for row, text in enumerate(data["text"]):
            confidence = float(data["conf"][row]) / 100
            # Lines and blocks are rows, too, with a confidence of -1.
            if confidence < self.min_confidence or not is_word(text):
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


def check_psm(psm: Any) -> int:
    mode = check_int("psm", psm, minimum=1, maximum=13)
    if mode == 2:
        raise ImagestrataError(
            f"{arg('psm')} must be a mode in which Tesseract reads; 2 only looks at the layout."
        )
    return mode


def merged(looks: Sequence[list[Word]]) -> list[Word]:
    """The words of several readings of a picture, each place only once.

    The reading with the most letters and the highest confidence comes first; the others add words
    in other places.
    """
    by_yield = sorted(looks, key=lambda words: -sum(len(w.text) * w.confidence for w in words))
    kept: list[Word] = []
    for number, words in enumerate(by_yield):
        fresh = [word for word in words if not any(_overlap(word, one) for one in kept)]
        kept += [Word(w.text, w.confidence, (number, *w.line), w.box) for w in fresh]
    return kept


def share_inside(words: Sequence[Word], size: tuple[int, int]) -> float:
    """The share of a picture's area inside at least one box."""
    inside = np.zeros((size[1], size[0]), dtype=bool)
    for word in words:
        left, top, right, bottom = word.box
        inside[top:bottom, left:right] = True
    return float(inside.mean())


def _tesseract(languages: Sequence[str]) -> Any:
    """The module that runs Tesseract; an error if the program or a language is missing."""
    module = require("pytesseract", "tesseract", "Reading text with Tesseract")
    try:
        installed = [name for name in module.get_languages() if name != "osd"]
    except module.TesseractNotFoundError:
        raise ImagestrataError(
            "The program `tesseract`, which reads text in images, is not installed.",
            f"{_INSTALL} Or use {arg('reader', 'rapidocr')}, which needs no program.",
        ) from None
    missing = [name for name in languages if name not in installed]
    if missing:
        raise ImagestrataError(
            f"Tesseract lacks the language {quote(missing[0])}; installed: "
            f"{', '.join(sorted(installed)) or 'none'}.",
            f"Install it: Debian and Ubuntu `apt-get install tesseract-ocr-{missing[0]}`; Fedora "
            f"`dnf install tesseract-langpack-{missing[0]}`; macOS `brew install "
            "tesseract-lang`; Windows: run Tesseract's installer again and select it.",
        )
    return module


#: Checked once per process, since workers of a cluster may have another Tesseract or none.
_known_tesseract = functools.cache(_tesseract)

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


def _overlap(one: Word, other: Word) -> bool:
    """Whether two boxes share a fifth of the smaller one."""
    left, top = (max(one.box[i], other.box[i]) for i in (0, 1))
    right, bottom = (min(one.box[i], other.box[i]) for i in (2, 3))
    areas = [(w.box[2] - w.box[0]) * (w.box[3] - w.box[1]) for w in (one, other)]
    return 5 * max(0, right - left) * max(0, bottom - top) > min(areas)
