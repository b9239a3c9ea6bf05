"""What tests of other libraries' encoders share: pictures, a hub that is a folder, a measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from images import picture

ImageList: TypeAlias = list[Image.Image]

#: Commit under which the pretended hub keeps its files.
_COMMIT = "0" * 40


def pictures() -> ImageList:
    """Wide, tall and square ones, larger and smaller than what networks look at."""
    sizes = [(300, 200), (150, 420), (160, 160), (90, 120)]
    return [picture(seed, size) for seed, size in enumerate(sizes)]


def close_to(ours: NDArray[Any], theirs: NDArray[Any], cosine: float = 0.9995) -> None:
    """Assert that vectors point the same way, row by row, and are of the same length.

    Not exactly: pixels differ by a grey level or two, by rounding.
    """
    lengths = [np.linalg.norm(vectors, axis=1) for vectors in (ours, theirs)]
    similar = (ours * theirs).sum(axis=1) / lengths[0] / lengths[1]
    assert ours.shape == theirs.shape and (similar > cosine).all(), similar
    np.testing.assert_allclose(*lengths, rtol=0.03)


def offline(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make ``folder`` the cache of the Hugging Face hub, and the hub itself out of reach."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def hub_with(folder: Path, repository: str) -> Path:
    """Where files of a repository lie in the cache ``folder``."""
    kept = folder / f"models--{repository.replace('/', '--')}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text(_COMMIT)
    snapshot = kept / "snapshots" / _COMMIT
    snapshot.mkdir(parents=True)
    return snapshot
