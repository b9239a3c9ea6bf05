"""Find faces in images and cut them out."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from ..extras import require
from ..files import make_folder, write_bytes
from ..progress import Progress
from ..tables import to_frame
from ..validate import check_bool, check_float, check_int
from ..verbs import public
from ..work import Failed, open_work, warn_of
from .known import MOST_THREADS
from .located import reader
from .pictures import File, files_of, plain_jpeg, scanned_picture
from .scan import check_images, images_step, usable_images

if TYPE_CHECKING:
    from PIL import Image

#: Reason of an image in which no face was found.
NO_FACE = "no face found"

#: Images per part of unfinished work.
PART_SIZE = 64

#: Side of the window in which the detector looks for a face, in pixels.
_WINDOW = 80

_JPEG_QUALITY = 95

#: Names of crops. They identify crops of an earlier run with other settings.
_CROP = re.compile(r".+-\d{3}\.jpg")

_NUMBERS = ("face", "left", "top", "width", "height")
_FACES = pa.schema(
    [("image_id", pa.string()), ("path", pa.string())]
    + [(name, pa.int64()) for name in _NUMBERS]
    + [("score", pa.float64()), ("crop", pa.string()), ("reason", pa.string())]
)


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
    engine: Any = None,
) -> pd.DataFrame:
    """Find the faces in every distinct image and save each as a file of its own.

    Use it before you train a network with :func:`fine_tune` to recognise a person. This
    function detects faces; it does not recognise anybody. No data leaves your machine.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        The table that :func:`scan_images` returned, whose rows with status ``"ok"`` are used;
        or any other input of that function, which is scanned first.
    out : path
        Run folder. Crops are written to ``faces/`` in it, as JPEG without metadata, and the
        table to ``faces.parquet``. An interrupted call continues.
    margin : float, default 0.2
        Margin around a face on each side, as a share of its box (our choice: it adds hair,
        chin and ears). Crops end at the edge of the image.
    min_size : int, default 32
        Side of the smallest box that is searched for, in pixels. Faces that are hardly larger
        are often missed. Pictures are enlarged to find small faces: half the size takes four
        times as long.
    min_score : float, default 0
        Lowest score of a face. 0 is the detector's own limit; a higher limit gives fewer
        false detections and fewer faces.
    size : int, optional
        Largest number of pixels of a crop's longer side. Larger crops are shrunk; smaller
        ones are never enlarged, since that adds no detail.
    overwrite : bool, default False
        Replace faces in ``out`` that come from other settings or other images.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.
    engine : Client or str, optional
        A Dask cluster whose workers detect faces, see :func:`imagestrata.scan_images`. The
        workers need ``dlib`` too; your machine writes the crops.

    Returns
    -------
    DataFrame
        One row per face, from left to right within an image:

        - ``image_id``, ``path``: id and file of the image
        - ``face``: 1, 2, ... within the image
        - ``left``, ``top``, ``width``, ``height``: the face's box without margin, in
          pixels of the upright image
        - ``score``: the detector's score; a higher one is more certain, but it is not a
          probability
        - ``crop``: the file of the crop
        - ``reason``: missing for a face. An image without a face has one row with the
          reason: ``"no face found"``, or the reason why the image could not be read

    Raises
    ------
    ImagestrataError
        If the library ``dlib`` is missing (the error explains how to install it), no image is
        usable, an argument is out of range, or ``out`` cannot be written or holds other faces.

    Notes
    -----
    Faces are personal data. Recognise people only with their consent, or public figures in
    their public role. Follow the decisions of your data protection officer or ethics board.

    The detector is dlib's frontal face detector (gradients in a sliding window, King 2015,
    *Max-margin object detection*); its weights are part of the library. It detects whole
    faces that look at the camera. It misses profiles and many small or covered faces, so
    counts of faces are too low, by an amount that depends on the images. Detectors may miss
    some groups of people more often than others. We have not measured this for your images:
    check a sample by hand before you compare groups. docs/reading.md reports our measurements.

    Examples
    --------
    Sort the crops into one folder per person; :func:`fine_tune` learns from these folders::

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
    # A missing library is reported before thousands of files are read.
    _dlib()
    detector = _Detector(settings["min_size"], settings["min_score"])
    table = usable_images(images, out, overwrite, progress, engine)
    step = images_step(out, "faces", settings, table, overwrite)
    files = files_of(table)

    def make() -> pd.DataFrame:
        assert step.folder is not None
        cut = partial(_cut, detector, settings["margin"], settings["size"])
        crops = _Crops(make_folder(step.folder / "faces").resolve())
        with open_work(
            "Faces", len(files), progress, engine, most_threads=MOST_THREADS, files=[files[0][1]]
        ) as work:
            found = work.in_parts(
                cut, files, step.parts, PART_SIZE, crops.store, is_whole=crops.are_in
            )
        faces = to_frame(found)
        crops.drop_others(faces)
        faces = _with_crops(faces, step.folder)
        reasons = faces["reason"].dropna()
        warn_of(reasons[reasons != NO_FACE].tolist(), len(files), "read")
        return faces

    return step.table(
        make,
        lambda faces: {"images": len(files), "faces": int(faces["crop"].notna().sum())},
        read=lambda run: _with_crops(reader("faces.parquet", "faces")(run), run),
    )


def _with_crops(faces: pd.DataFrame, run: Path) -> pd.DataFrame:
    """Return the faces with the current paths of their crops."""
    folder = (run / "faces").resolve()

    def now(crop: str) -> str:
        return str(folder / re.split(r"[/\\]", crop)[-1])

    return faces.assign(crop=faces["crop"].map(now, na_action="ignore"))


@dataclass(frozen=True)
class Face:
    """A face's box, in pixels of the upright image, and the detector's score."""

    left: int
    top: int
    right: int
    bottom: int
    score: float


#: A face and its crop, as a JPEG file.
_Cut: TypeAlias = tuple[Face, bytes]

#: dlib's detectors, one per thread.
_own = threading.local()


@dataclass(frozen=True)
class _Detector:
    """dlib's detector of faces.

    Attributes
    ----------
    min_size : int
        Side of the smallest faces, in pixels.
    min_score : float
    """

    min_size: int
    min_score: float

    def find(self, picture: Image.Image) -> list[Face]:
        """Return the faces in a picture, from left to right."""
        from PIL import Image

        if not hasattr(_own, "run"):
            _own.run = _dlib().get_frontal_face_detector().run
        factor = _WINDOW / self.min_size
        width, height = (max(1, round(side * factor)) for side in picture.size)
        scaled = picture.resize((width, height), Image.Resampling.BILINEAR)
        boxes, scores, _ = _own.run(np.asarray(scaled), 0, self.min_score)
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


def _dlib() -> Any:
    return require("dlib", "faces", "Cropping faces")


def _cut(detector: _Detector, margin: float, size: int | None, file: File) -> list[_Cut]:
    """Return the faces of an image, each with its crop as a JPEG file."""
    picture = scanned_picture(file)
    return [(face, _crop(picture, face, margin, size)) for face in detector.find(picture)]


def _crop(picture: Image.Image, face: Face, margin: float, size: int | None) -> bytes:
    from PIL import Image

    x = round(margin * (face.right - face.left))
    y = round(margin * (face.bottom - face.top))
    crop = picture.crop(
        (
            max(0, face.left - x),
            max(0, face.top - y),
            min(picture.width, face.right + x),
            min(picture.height, face.bottom + y),
        )
    )
    if size is not None:
        crop.thumbnail((size, size), Image.Resampling.LANCZOS)
    return plain_jpeg(crop, _JPEG_QUALITY)


@dataclass(frozen=True)
class _Crops:
    """The folder of crops."""

    folder: Path

    def store(self, files: Sequence[File], made: list[list[_Cut] | Failed]) -> pa.Table:
        """Write the crops of some images, and return their rows."""
        rows: list[dict[str, Any]] = []
        for (image_id, path), cuts in zip(files, made, strict=True):
            row = {"image_id": image_id, "path": path}
            if isinstance(cuts, Failed) or not cuts:
                rows.append(row | {"reason": cuts.reason if isinstance(cuts, Failed) else NO_FACE})
                continue
            for number, (face, crop) in enumerate(cuts, start=1):
                target = self.folder / f"{image_id}-{number:03d}.jpg"
                write_bytes(target, crop)
                size = {"width": face.right - face.left, "height": face.bottom - face.top}
                box = {"left": face.left, "top": face.top, **size}
                rows.append(row | box | {"face": number, "score": face.score, "crop": target.name})
        return pa.Table.from_pylist(rows, schema=_FACES)

    def are_in(self, faces: pa.Table) -> bool:
        """Return whether all crops of a table exist."""
        return all((self.folder / crop).exists() for crop in faces["crop"].drop_null().to_pylist())

    def drop_others(self, faces: pd.DataFrame) -> None:
        """Remove crops of an earlier call with other settings."""
        kept = {Path(crop).name for crop in faces["crop"].dropna()}
        for old in self.folder.iterdir():
            if _CROP.fullmatch(old.name) and old.name not in kept:
                old.unlink()
