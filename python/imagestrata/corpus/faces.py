"""Find faces in images and cut them out."""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import plural, warn
from ..extras import require
from ..files import Parts, make_folder, write_bytes, write_table
from ..progress import Progress, track
from ..provenance import Step, fingerprint, read_table
from ..validate import check_bool, check_float, check_int
from ..verbs import public
from .decode import quiet
from .pictures import NoPicture, load_image, picture_threads, plain_jpeg
from .scan import check_images, from_scan, usable_images

if TYPE_CHECKING:
    from PIL import Image

#: Why an image that was looked at has no face.
NO_FACE = "no face found"

#: Images per part of unfinished work.
PART_SIZE = 64

#: More pixels than any side has: such a picture is never decoded at reduced scale.
_FULL = 1 << 30

#: Side of the window in which the detector looks for a face, in pixels.
_WINDOW = 80

_JPEG_QUALITY = 95

#: Names of crops: those of an earlier run with other settings are told by them.
_CROP = re.compile(r".+-\d{3}\.jpg")

_TYPES = {
    "image_id": "str",
    "path": "str",
    "face": "Int64",
    "left": "Int64",
    "top": "Int64",
    "width": "Int64",
    "height": "Int64",
    "score": "float64",
    "crop": "str",
    "reason": "str",
}


@public
def crop_faces(
    images: Any,
    out: str | os.PathLike[str],
    *,
    margin: float = 0.2,
    min_size: int = 32,
    min_score: float = 0.0,
    size: int | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Find the faces in every distinct image and cut them out, each as a file of its own.

    The step before a network learns to recognise a person with :func:`fine_tune`. Nothing
    leaves the machine, and nobody is recognised here.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        What :func:`scan_images` returned, of which the rows with status ``"ok"`` are
        taken; or whatever it takes, and then it is scanned first.
    out : path
        Run folder: crops go to ``faces/`` there, as JPEG without metadata, and the table
        to ``faces.parquet``. A call that was interrupted goes on.
    margin : float, default 0.2
        What is added around a face on each side, as a share of its box (our choice: hair,
        chin and ears, which the box leaves out). Crops end where the image does.
    min_size : int, default 32
        Side of the smallest box that is looked for, in pixels; faces hardly larger are
        often missed. Pictures are enlarged to find small ones: half the size takes four
        times as long.
    min_score : float, default 0
        Faces with a lower score are left out. 0 is the detector's own limit; more makes
        for fewer mistakes and fewer faces.
    size : int, optional
        Crops are shrunk until their longer side has this many pixels at most. None is
        ever enlarged: that adds no detail.
    overwrite : bool, default False
        Replace faces cut out there with other settings or of other images.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        One row per face, from left to right within an image:

        - ``image_id``, ``path``: of the image
        - ``face``: 1, 2, ... within the image
        - ``left``, ``top``, ``width``, ``height``: the face's box without margin, in
          pixels of the upright image
        - ``score``: of the detector; higher is surer, but it is no probability
        - ``crop``: the file
        - ``reason``: an image without a face is one row with the reason: ``"no face
          found"``, or why it could not be read

    Raises
    ------
    ImagestrataError
        If the library ``dlib`` is missing (the error says how to install it), there is no
        usable image, an argument is out of range, or ``out`` cannot be written or holds
        other faces.

    Notes
    -----
    Faces are people's. Recognise people only with their consent, or public figures in
    their public role; what a data protection officer or ethics board says comes first.

    The detector is the frontal one of dlib (gradients in a sliding window, King 2015,
    *Max-margin object detection*), whose weights are in the library. It looks for whole
    faces that look at the camera: it misses profiles, and many small or covered ones,
    and so counts of faces are too low, by how much depends on the images.
    Detectors may find some groups of people less often than others. Whether this one
    does on your images we have not measured: check a sample by hand before comparing
    groups. What was measured is in docs/reading.md.

    Examples
    --------
    A folder for each person, with their crops, is what :func:`fine_tune` learns from::

        faces = crop_faces("photos/", "run")
        model = fine_tune("sorted-faces/")
        predict_labels("run/faces", model)
    """
    settings: dict[str, Any] = {
        "margin": check_float("margin", margin, minimum=0, maximum=2),
        "min_size": check_int("min_size", min_size, minimum=20),
        "min_score": check_float("min_score", min_score, minimum=-1),
        "size": None if size is None else check_int("size", size, minimum=16),
    }
    overwrite = check_bool("overwrite", overwrite)
    check_images(images, out)
    # A missing library should come to light before thousands of files are looked at.
    detector = _Detector(settings["min_size"], settings["min_score"])
    table = usable_images(images, out, overwrite, progress)
    step = Step(
        out,
        "faces",
        settings,
        inputs=fingerprint(table["image_id"].tolist()),
        made_from=from_scan(out, table["image_id"]),
        overwrite=overwrite,
    )
    assert step.folder is not None
    assert step.parts is not None
    stored = step.stored(lambda run: read_table(run / "faces.parquet"))
    if stored is not None:
        return stored
    crops = make_folder(step.folder / "faces").resolve()
    cutter = _Cutter(detector, crops, settings["margin"], settings["size"])
    faces = _cut_all(table, cutter, step.parts, progress)
    kept = {Path(crop).name for crop in faces["crop"].dropna()}
    for old in crops.iterdir():
        if _CROP.fullmatch(old.name) and old.name not in kept:
            old.unlink()
    write_table(step.folder / "faces.parquet", faces)
    step.finish(images=len(table), faces=len(kept))
    _warn(faces["reason"], len(table))
    return faces


@dataclass(frozen=True)
class Face:
    """A face's box, in pixels of the upright image, and the detector's score."""

    left: int
    top: int
    right: int
    bottom: int
    score: float


class _Detector:
    """dlib's detector of faces.

    Parameters
    ----------
    min_size : int
        Side of the smallest faces, in pixels.
    min_score : float
    """

    def __init__(self, min_size: int, min_score: float) -> None:
        self._factor = _WINDOW / min_size
        self._dlib = require("dlib", "faces", "Cropping faces")
        self._min_score = min_score
        self._own = threading.local()  # a detector serves one thread

    def find(self, picture: Image.Image) -> list[Face]:
        """The faces in a picture, from left to right."""
        from PIL import Image

        if not hasattr(self._own, "run"):
            self._own.run = self._dlib.get_frontal_face_detector().run
        factor = self._factor
        width, height = (max(1, round(side * factor)) for side in picture.size)
        scaled = picture.resize((width, height), Image.Resampling.BILINEAR)
        boxes, scores, _ = self._own.run(np.asarray(scaled), 0, self._min_score)
        faces = [
            Face(
                max(0, round(box.left() / factor)),
                max(0, round(box.top() / factor)),
                min(picture.width, round((box.right() + 1) / factor)),
                min(picture.height, round((box.bottom() + 1) / factor)),
                float(score),
            )
            for box, score in zip(boxes, scores, strict=True)
        ]
        return sorted(faces, key=lambda face: (face.left, face.top))


@dataclass(frozen=True)
class _Cutter:
    """Finds the faces of an image and stores a crop of each."""

    detector: _Detector
    folder: Path
    margin: float
    size: int | None

    def cut(self, image_id: str, path: Any) -> list[dict[str, Any]]:
        """The rows of one image."""
        row = {"image_id": image_id, "path": path}
        picture = load_image(image_id, path, _FULL)
        if isinstance(picture, NoPicture):
            return [row | {"reason": picture.reason}]
        faces = self.detector.find(picture)
        if not faces:
            return [row | {"reason": NO_FACE}]
        return [
            row
            | {
                "face": number,
                "left": face.left,
                "top": face.top,
                "width": face.right - face.left,
                "height": face.bottom - face.top,
                "score": face.score,
                "crop": str(self._store(picture, face, f"{image_id}-{number:03d}.jpg")),
            }
            for number, face in enumerate(faces, start=1)
        ]

    def _store(self, picture: Image.Image, face: Face, name: str) -> Path:
        from PIL import Image

        x = round(self.margin * (face.right - face.left))
        y = round(self.margin * (face.bottom - face.top))
        crop = picture.crop(
            (
                max(0, face.left - x),
                max(0, face.top - y),
                min(picture.width, face.right + x),
                min(picture.height, face.bottom + y),
            )
        )
        if self.size is not None:
            crop.thumbnail((self.size, self.size), Image.Resampling.LANCZOS)
        write_bytes(self.folder / name, plain_jpeg(crop, _JPEG_QUALITY))
        return self.folder / name


def _cut_all(
    images: pd.DataFrame, cutter: _Cutter, parts: Parts, progress: Progress
) -> pd.DataFrame:
    """The faces of all images; blocks that an earlier call stored are taken as they are."""
    rows = list(zip(images["image_id"], images["path"], strict=True))
    blocks = [rows[start : start + PART_SIZE] for start in range(0, len(rows), PART_SIZE)]
    found: list[pd.DataFrame] = []
    with (
        quiet(),
        track(progress, "Faces", len(rows)) as advance,
        picture_threads() as pool,
    ):
        try:
            for number, block in enumerate(blocks):
                stored = parts.read(f"{number:06d}")
                faces = None if stored is None else stored.to_pandas()
                if faces is not None and all(
                    Path(crop).exists() for crop in faces["crop"].dropna()
                ):
                    found.append(faces)
                    advance(len(block))
                    continue
                made: list[dict[str, Any]] = []
                for task in [pool.submit(cutter.cut, str(name), path) for name, path in block]:
                    made += task.result()
                    advance()
                found.append(pd.DataFrame(made).reindex(columns=list(_TYPES)).astype(_TYPES))
                parts.write(f"{number:06d}", found[-1])
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return pd.concat(found, ignore_index=True)


def _warn(reasons: pd.Series[str], n_images: int) -> None:
    counts = Counter(reason for reason in reasons.dropna() if reason != NO_FACE)
    if counts:
        warn(
            f"{counts.total()} of {plural(n_images, 'image')} could not be read: "
            f"{', '.join(f'{n} {reason}' for reason, n in counts.most_common())}."
        )
