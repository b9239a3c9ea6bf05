"""Read words with RapidOCR, whose networks are part of its Python package."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImagestrataError
from ..extras import require
from ..wording import arg, quote
from ..work import ItemError
from .words import Word, is_word

if TYPE_CHECKING:
    from PIL import Image

#: The networks that find lines, turn them upright and read them. Named, so that a later version of
#: the package neither takes others nor downloads any.
_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}

#: Languages in Latin letters of which the network reads at least nine in ten words with accents, by
#: Tesseract's codes, see docs/reading.md.
_LATIN = (
    "afr", "bos", "cat", "deu", "eng", "est", "eus", "fra", "gle", "glg", "hrv", "ind", "ita",
    "lat", "ltz", "msa", "nld", "oci", "por", "slv", "spa", "sqi", "srp_latn", "swa", "swe", "tgl",
)  # fmt: skip
#: Languages in Chinese and Japanese characters.
_IDEOGRAPHIC = ("chi_sim", "chi_tra", "jpn")

#: Chinese and Japanese characters.
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f]")

#: The network often reads capitals with a rim as one word. Where it sees nothing between two
#: letters, but a space has at least this probability, there is a space, see docs/reading.md.
_SPACE = 0.05

#: Lines are looked for in a copy of the picture: its longer side is at most the first length; its
#: shorter side is enlarged to the second, unless the area exceeded their product.
_LONGEST, _SHORT_SIDE = 2000, 736


@dataclass(frozen=True)
class RapidOCR:
    """Reads with RapidOCR; each process loads its networks once.

    Attributes
    ----------
    languages : tuple of str
    min_confidence : float
    """

    languages: tuple[str, ...]
    min_confidence: float

    def check(self) -> None:
        """Raise an error if the package is missing or cannot read a language."""
        unknown = [name for name in self.languages if name not in (*_LATIN, *_IDEOGRAPHIC)]
        if unknown:
            raise ImagestrataError(
                f"RapidOCR does not read the language {quote(unknown[0])}, or loses too many of "
                "its accents.",
                f"Use {arg('reader', 'tesseract')}, with the program Tesseract and this language "
                f"installed. RapidOCR reads {', '.join((*_LATIN, *_IDEOGRAPHIC))}.",
            )
        _package()

    def about(self) -> dict[str, Any]:
        """The program and its networks, for the record of a run."""
        hashes = {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in _models().values()
        }
        return {"program": f"RapidOCR {version('rapidocr')} (PP-OCRv6)", "sha256": hashes}

    def read(self, picture: Image.Image) -> tuple[list[Word], float]:
        """The words of a picture, and the share of its area inside the boxes of their lines."""
        import cv2

        engine = _engine()
        pixels = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])  # blue is first
        try:
            lines, _, read, _ = engine.run_ocr_steps(pixels, {})
        except (cv2.error, ValueError) as error:
            raise ItemError(f"RapidOCR failed: {' '.join(str(error).split())[:200]}") from None
        if read.txts is None:
            return [], 0.0
        words: list[Word] = []
        shown = []
        for number, text in enumerate(read.txts):
            corners = lines.boxes[number]
            found = self._words(text, read.word_results[number].confs, number, corners)
            words += found
            shown += [corners] if found else []
        return words, _share(shown, picture.size)

    def _words(
        self, text: str, confidences: Sequence[float], line: int, corners: NDArray[Any]
    ) -> list[Word]:
        """The words of a line with sufficient confidence."""
        if len(confidences) != len(text):  # a symbol of several characters
            confidences = [float(np.mean(confidences))] * len(text)
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        box = (int(left), int(top), int(right), int(bottom))
        words = []
        for match in re.finditer(r"\S+", text):
            confidence = float(np.mean(confidences[match.start() : match.end()]))
            if confidence >= self.min_confidence and self._is_word(match.group()):
                words.append(Word(match.group(), confidence, (line,), box))
        return words

    def _is_word(self, text: str) -> bool:
        # Branches and windows look like Chinese characters to the network.
        expected = not _IDEOGRAPHS.search(text) or {*_IDEOGRAPHIC} & {*self.languages}
        return bool(expected) and is_word(text)


_loading = threading.Lock()
_loaded: list[Any] = []


def _package() -> Any:
    otherwise = (
        f"Or use {arg('reader', 'tesseract')} with the program Tesseract, see docs/reading.md."
    )
    require("onnxruntime", "ocr", "Reading text in images", otherwise)
    return require("rapidocr", "ocr", "Reading text in images", otherwise)


def _models() -> dict[str, Path]:
    """The files of the networks."""
    folder = Path(_package().__file__).parent / "models"
    files = {part: folder / name for part, name in _MODELS.items()}
    missing = [file.name for file in files.values() if not file.exists()]
    if missing:
        raise ImagestrataError(
            f"The installed RapidOCR {version('rapidocr')} does not contain the network "
            f"{quote(missing[0])}.",
            "Install rapidocr 3.10 with pip.",
        )
    return files


def _engine() -> Any:
    """RapidOCR with its networks; its calls can run in many threads at once."""
    with _loading:
        if not _loaded:
            _loaded.append(_load())
        return _loaded[0]


def _load() -> Any:
    settings = {
        "Global.log_level": "critical",
        "Global.return_word_box": True,
        "Global.use_vertical_padding": False,  # loses letters of wide pictures
        # One image per core is faster than one image on all cores.
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    settings |= {f"{part}.model_path": str(file) for part, file in _models().items()}
    engine = _package().RapidOCR(params=settings)
    # RapidOCR loads each network when it is first needed. Its own scaling would need gigabytes
    # for narrow pictures, and it would lose spaces.
    white = np.full((64, 64, 3), 255, dtype=np.uint8)
    engine.run_ocr_steps(white, {})
    engine.cls_and_rotate([white])
    engine.recognize_txt([white])
    prepare = engine.text_det.get_preprocess()
    prepare.resize = _scaled
    engine.text_det.get_preprocess = lambda: prepare
    engine.text_rec.postprocess_op = _Spaced(engine.text_rec.postprocess_op)
    return engine


def _scaled(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The copy in which lines are looked for; the network needs sides that 32 divides."""
    import cv2

    height, width = pixels.shape[:2]
    shrunk = min(1.0, _LONGEST / max(height, width))
    most = (_LONGEST * _SHORT_SIDE / (height * width)) ** 0.5
    factor = max(shrunk, min(_SHORT_SIDE / min(height, width), most))
    sides = (max(32, 32 * round(side * factor / 32)) for side in (width, height))
    return np.asarray(cv2.resize(pixels, tuple(sides)), dtype=np.uint8)


class _Spaced:
    """Decodes the network's output, with spaces that it only suspects between letters."""

    def __init__(self, decode: Any) -> None:
        self._decode = decode
        self._space = decode.dict[" "]

    def __call__(self, scores: NDArray[np.float32], *args: Any, **options: Any) -> Any:
        suspected = (scores.argmax(axis=2) == 0) & (scores[:, :, self._space] >= _SPACE)
        scores = scores.copy()
        scores[suspected, self._space] = 1
        scores[suspected, 0] = 0  # the class for nothing
        return self._decode(scores, *args, **options)


def _share(lines: Sequence[NDArray[Any]], size: tuple[int, int]) -> float:
    """The share of a picture's area inside lines, which may be slanted."""
    from PIL import Image, ImageDraw

    factor = min(1.0, 1000 / max(size))
    inside = Image.new("1", [max(1, round(side * factor)) for side in size])
    pen = ImageDraw.Draw(inside)
    for corners in lines:
        pen.polygon([(x * factor, y * factor) for x, y in corners.tolist()], fill=1)
    return float(np.asarray(inside).mean())
