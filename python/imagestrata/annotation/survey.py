"""What all exports for annotators share: items, scale, exclusion, pictures, the folder."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..corpus.pictures import embedded_pictures
from ..errors import ImagestrataError, plural, warn
from ..files import (
    is_half_written,
    make_folder,
    read_json,
    refuse_links,
    remove_half_written,
    write_bytes,
    write_json,
)
from ..names import Exclude, excluded
from ..progress import Progress
from ..provenance import check_base, run_of, version
from ..sampling.assign import check_packets
from ..sampling.sample import from_sample
from ..validate import check_address, check_bool, check_int, check_path
from ..validate import check_scale as check_ends
from ..wording import arg, quote

#: The paper's ten emotions and the dimension that each belongs to.
EMOTIONS = {
    "hopeful": "enthusiasm",
    "enthusiastic": "enthusiasm",
    "proud": "enthusiasm",
    "angry": "aversion",
    "resentful": "aversion",
    "bitter": "aversion",
    "hateful": "aversion",
    "worried": "anxiety",
    "scared": "anxiety",
    "afraid": "anxiety",
}
QUESTION = "How much does this image make you feel each of the following?"

#: Lists what an export consists of, so that a new one can replace it whole.
_MANIFEST = "export.json"


def check_items(items: Any) -> list[str]:
    """Names of the items: the ten emotions, given names, or the column ``item`` of a table."""
    if items is None:
        return list(EMOTIONS)
    if isinstance(items, pd.DataFrame):
        if "item" not in items:
            raise ImagestrataError(
                f"The table of items lacks the column 'item'; it has {', '.join(map(str, items))}."
            )
        items = items["item"].tolist()
    names = [] if isinstance(items, str) else list(items)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ImagestrataError(f"{arg('items')} must be a list of names, not {quote(items)}.")
    if len(set(names)) < len(names):
        raise ImagestrataError(f"{arg('items')} names an item twice: {', '.join(names)}.")
    marks = [name for name in names if re.search(r"[\n\r]|\[\[|\]\]", name)]
    if marks:
        raise ImagestrataError(
            f"{arg('items')} must be single lines without double brackets, unlike "
            f"{quote(marks[0])}."
        )
    return names


def check_scale(scale: Any) -> tuple[int, int]:
    """Lowest and highest rating that can be given on a page, whole numbers from 0 to 10."""
    low, high = (check_int("scale", end, minimum=0, maximum=10) for end in check_ends(scale))
    return low, high


def check_anchors(anchors: Any) -> tuple[str, str]:
    """What the ends of the scale mean."""
    words = list(anchors) if isinstance(anchors, Sequence) and not isinstance(anchors, str) else []
    if len(words) != 2 or not all(isinstance(word, str) for word in words):
        raise ImagestrataError(
            f"{arg('anchors')} must be two texts, for the lowest and the highest rating, not "
            f"{quote(anchors)}."
        )
    return words[0], words[1]


def allowed(packets: Any, exclude: Exclude) -> pd.DataFrame:
    """Packets without the excluded images, which leave here and are seen by nothing below."""
    table = check_packets(packets, "path")
    # Before anything is written: of misspelt ones, one would be shown that must not be.
    hidden = excluded(table.drop_duplicates("image_id"), exclude, "the packets")
    kept = table[~table["image_id"].isin(hidden)]
    if kept.empty:
        raise ImagestrataError(f"All images ({table['image_id'].nunique():,}) are excluded.")
    return _renumbered(kept)


def with_pictures(
    packets: pd.DataFrame, side: int, progress: Progress
) -> tuple[pd.DataFrame, dict[str, str]]:
    """The packets as far as their images can be shown, and a ``data:`` address of each image."""
    pictures, complaint = embedded_pictures(packets.drop_duplicates("image_id"), side, progress)
    if complaint:
        if not pictures:
            raise ImagestrataError(complaint, "Check where the images lie.")
        warn(f"Images are left out: {complaint}")
    return _renumbered(packets[packets["image_id"].isin(pictures)]), pictures


def image_names(pictures: Iterable[str]) -> list[str]:
    """What pictures are called below the folder of an export: ``images/ID.jpg``."""
    unfit = [name for name in pictures if not re.fullmatch(r"[\w.-]+", name, re.ASCII)]
    if unfit:
        raise ImagestrataError(
            f"{plural(len(unfit), 'image id')} cannot name files on a server, {quote(unfit[0])} "
            "for one.",
            "Ids may have letters, digits, '.', '_' and '-'.",
        )
    return [f"images/{image_id}.jpg" for image_id in pictures]


def write_images(folder: Path, pictures: dict[str, str]) -> None:
    """Store pictures under their names."""
    make_folder(folder / "images")
    for name, address in zip(image_names(pictures), pictures.values(), strict=True):
        write_bytes(folder / name, base64.b64decode(address.split(",", 1)[1]))


def check_base_url(base_url: Any) -> str:
    """The address of a folder on a server, without a slash at its end."""
    if not isinstance(base_url, str) or not re.fullmatch(r"https?://[^\s\"'<>\[\]]+", base_url):
        raise ImagestrataError(
            f"{arg('base_url')} must be where the images will lie on a server, not "
            f"{quote(base_url)}.",
            f"For example {arg('base_url', 'https://www.example.org/study/images')}.",
        )
    return check_address("base_url", base_url, "https://www.example.org/study/images").rstrip("/")


def check_out(out: Any, overwrite: bool, packets: pd.DataFrame) -> Path:
    """A folder for an export: empty, or with an earlier export that may be replaced."""
    run = run_of(check_path("out", out))
    if run is not None:
        shown = packets[["image_id", "cluster"]].drop_duplicates()
        check_base(run, "sample", from_sample(run, shown), "packets")
    folder = make_folder(out)
    refuse_links(folder)
    here = sorted(path.name for path in folder.iterdir() if not is_half_written(path))
    if not here:
        return folder
    if _MANIFEST not in here:
        raise ImagestrataError(
            f"{quote(folder)} holds other files ({', '.join(here[:3])}).",
            "Choose a new folder.",
        )
    if not check_bool("overwrite", overwrite) and not _manifest(folder).get("unfinished"):
        raise ImagestrataError(
            f"{quote(folder)} holds an export already, which may be with annotators.",
            f"Choose another folder, or use {arg('overwrite', True)} to replace it.",
        )
    return folder


def begin(folder: Path, files: Sequence[str]) -> None:
    """Remove an earlier export: an image that has been excluded since must not stay.

    The list of what will be written comes first, so that an export that is interrupted
    can be removed as well.
    """
    earlier = _names(_manifest(folder), folder)
    remove_half_written(folder)
    write_json(folder / _MANIFEST, {"unfinished": True, "files": sorted({*earlier, *files})})
    for name in earlier:
        (folder / name).unlink(missing_ok=True)


def finish(folder: Path, kind: str, files: Sequence[str], **settings: Any) -> None:
    """Say what the export is made of."""
    about = {"imagestrata": version(), "kind": kind, **settings, "files": sorted(files)}
    write_json(folder / _MANIFEST, about)


def _names(manifest: Mapping[str, Any], folder: Path) -> list[str]:
    """The files of an export: names in its folder, or of images, and nothing that leads out."""
    names = manifest.get("files", [])
    plain = re.compile(r"(images/)?[\w-][\w.-]{,199}")
    if not isinstance(names, list) or not all(
        isinstance(name, str) and plain.fullmatch(name) for name in names
    ):
        raise ImagestrataError(
            f"{quote(folder / _MANIFEST)} names files that no export of this package has.",
            "Nothing was removed. Choose a new folder.",
        )
    return names


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / _MANIFEST
    return read_json(file) if file.exists() else {}


def _renumbered(packets: pd.DataFrame) -> pd.DataFrame:
    """Positions without gaps."""
    packets = packets.reset_index(drop=True)
    packets["position"] = packets.groupby("packet_id").cumcount() + np.int64(1)
    return packets
