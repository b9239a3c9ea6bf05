"""Small copies of images in a run folder, which are shown where the originals are missing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd

from ..errors import plural, warn
from ..provenance import step_folder

#: The folder of small copies of some height, and the file of one in it.
_FOLDER = re.compile(r"thumbnails-(\d+)")
_FILE = re.compile(r"thumbnails-(\d+)[/\\]([0-9a-f]{2})[/\\](\2[0-9a-f]{18})\.jpg")


def small_folder(run: Path, height: int) -> Path:
    """Return the folder of small copies that are shown at a height, in CSS pixels."""
    return run / "gallery" / f"thumbnails-{height}"


def longer_side(height: int) -> int:
    """Return the largest number of pixels of the longer side of such copies."""
    return 2 * height


def small_file(folder: Path, name: str) -> Path:
    """Return the file of a small copy; few files share a folder."""
    return folder / name[:2] / f"{name}.jpg"


def side_of_copy(image_id: str, path: str) -> int | None:
    """Return the longer side of a small copy that stands for an image, None for an original."""
    found = _small(path)
    return longer_side(int(found[1])) if found is not None and found[3] == image_id else None


def is_small(path: str) -> bool:
    """Return whether a path is that of a small copy of some image."""
    return _small(path) is not None


def _small(path: str) -> re.Match[str] | None:
    return _FILE.fullmatch("/".join(re.split(r"[/\\]", path)[-3:]))


def small_copies(run: Path) -> dict[str, str]:
    """Return the largest small copy of each image in a run folder or variant, by its id."""
    found: dict[int, list[Path]] = {}
    for home in dict.fromkeys([step_folder(run, "scan"), run]):
        for folder in (home / "gallery").glob("thumbnails-*"):
            named = _FOLDER.fullmatch(folder.name)
            if named is not None:
                found.setdefault(int(named[1]), []).append(folder.absolute())
    copies: dict[str, str] = {}
    for height in sorted(found):
        for folder in found[height]:
            for inside in filter(Path.is_dir, folder.iterdir()):
                with os.scandir(inside) as entries:
                    files = [one for one in entries if one.name.endswith(".jpg")]
                copies |= {file.name.removesuffix(".jpg"): file.path for file in files}
    return copies


def n_small(images: pd.DataFrame) -> int:
    """Return for how many images a small copy stands."""
    return len(_sides(images))


def _sides(images: pd.DataFrame) -> list[int]:
    pairs = zip(images["image_id"], images["path"], strict=True)
    sides = (side_of_copy(str(one), path) for one, path in pairs if isinstance(path, str))
    return [side for side in sides if side is not None]


def warn_of_small(images: pd.DataFrame, side: int) -> None:
    """Warn if images are shown by copies with fewer pixels than their viewers show."""
    few = [found for found in _sides(images) if found < side]
    if few:
        warn(
            f"The originals of {len(few)} of {plural(len(images), 'image')} are missing: small "
            f"copies with at most {max(few)} pixels are shown."
        )
