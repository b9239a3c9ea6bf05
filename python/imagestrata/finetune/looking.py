"""Look at images with a model's networks: their vectors and perceptual hashes, in one pass."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..corpus.duplicates import eye_hash
from ..corpus.pictures import File, files_of, scanned_picture
from ..embeddings.embed import embed_for
from ..embeddings.embeddings import Embeddings
from ..encoders.registry import TOGETHER
from ..encoders.saved import SavedEncoder, read_encoder
from ..encoders.together import EYE_WIDTH
from ..errors import plural, warn
from ..progress import Progress
from ..work import Failed, counted, open_work
from .model import FineTunedModel
from .pictures import EYE_SIDE

#: Number of pictures that a worker of a cluster reads together.
_AT_ONCE = 32


def look(
    images: Any,
    model: FineTunedModel,
    device: str,
    batch_size: int | None,
    progress: Progress,
    engine: Any,
) -> Embeddings:
    """Return vectors and perceptual hashes, see :mod:`~imagestrata.encoders.together`."""
    saved = [read_encoder(folder) for folder in model.networks]
    settings = {
        "name": TOGETHER,
        "width": sum(one.settings["width"] for one in saved) + EYE_WIDTH,
        "encoders": [one.settings for one in saved],
    }
    state = {
        f"{number}.{name}": array
        for number, one in enumerate(saved)
        for name, array in one.state.items()
    }
    return embed_for(
        None, images, SavedEncoder(settings, state), device=device, batch_size=batch_size,
        progress=progress, engine=engine,
    )  # fmt: skip


def read_eyes(images: pd.DataFrame, progress: Progress, engine: Any) -> list[int | None]:
    """Return the perceptual hashes of images whose vectors are known.

    A picture that cannot be read has None, with a warning.
    """
    files = files_of(images)
    with open_work("Comparing", len(files), progress, engine) as work:
        made = list(work.each(_eye, files, at_once=_AT_ONCE))
    lost = [one.reason for one in made if isinstance(one, Failed)]
    if lost:
        warn(
            f"{len(lost)} of {plural(len(made), 'image')} could not be read: {counted(lost)}. "
            "Copies among these are recognised only if their bytes are equal."
        )
    return [None if isinstance(one, Failed) else one for one in made]


def _eye(file: File) -> int:
    return eye_hash(scanned_picture(file, EYE_SIDE))
