"""What commands find in a run folder, and in files that users give."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ImagestrataError
from ..wording import quote

if TYPE_CHECKING:
    import pandas as pd

    from ..clustering.clustering import Clustering


def scanned(run_folder: Path) -> pd.DataFrame:
    from ..corpus.scan import read_scanned
    from ..provenance import require_step

    require_step(run_folder, "scan")
    return read_scanned(run_folder)


def placed(run_folder: Path, name: str | None) -> Path:
    """The run folder, or the variant of it that has this name."""
    from ..provenance import variant_folder

    if name is not None and not (run_folder / "run.json").is_file():
        raise ImagestrataError(
            f"There is no run in {quote(run_folder)} that could have a variant {quote(name)}.",
            "Make the run first, without a name.",
        )
    return variant_folder(run_folder, name)


def drawn_sample(run_folder: Path) -> pd.DataFrame | None:
    """The sample of a run folder, if it has one."""
    from ..provenance import find_step, require_step
    from ..sampling.sample import read_sample

    if find_step(run_folder, "sample")[1] is None:
        return None
    require_step(run_folder, "sample")
    return read_sample(run_folder)


def load_clustering(run_folder: Path) -> Clustering:
    from ..clustering.clustering import Clustering
    from ..provenance import require_step

    require_step(run_folder, "cluster")
    return Clustering.load(run_folder)


#: Tables of texts in a run folder, and the column that holds them; the first there is taken.
_TEXTS = {
    "describe": ("descriptions", "description"),
    "read": ("texts", "text"),
    "tag": ("tags", "label"),
}


def find_texts(run_folder: Path, given: Path | None) -> tuple[pd.DataFrame, str, str]:
    """A table of texts, where it is from, and its column of texts."""
    from ..provenance import find_step, read_table

    if given is not None:
        table = read_csv(given)
        others = [name for name in table if name not in ("image_id", "path")]
        return table, "given", str(others[0]) if others else "text"
    for step, (name, column) in _TEXTS.items():
        place, entry = find_step(run_folder, step)
        if entry is not None and (place / f"{name}.parquet").exists():
            return read_table(place / f"{name}.parquet"), name, column
    raise ImagestrataError(
        f"{quote(run_folder)} holds no descriptions, no text of images and no tags.",
        "Run `imagestrata describe`, `read-text` or `tag` first, or give a table with --texts.",
    )


def read_csv(path: Path) -> pd.DataFrame:
    from ..names import KEYS
    from ..tables import read_typed

    return read_typed(path, KEYS)


def excluded_ids(run_folder: Path, exclude: Path | None) -> set[str]:
    """Ids of the images that a list names; an error if a line of it is none of the run."""
    from ..names import excluded
    from ..provenance import read_run

    if exclude is None:
        return set()
    has_scan = "scan" in read_run(run_folder).get("steps", {})
    images = scanned(run_folder) if has_scan else load_clustering(run_folder).images
    return excluded(images, exclude, f"the run folder {quote(run_folder)}")
