"""Read results from a run folder, and files of users."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagestrata

from ..errors import ImagestrataError, plural
from ..wording import arg, quote

if TYPE_CHECKING:
    import pandas as pd

    from ..clustering.clustering import Clustering
    from ..embeddings.embeddings import Embeddings


#: The endings of files with a table of images.
_TABLES = (".csv", ".tsv", ".txt")


def pictures(images: Path, folder: Path | None) -> Path | pd.DataFrame:
    """A folder of images unchanged; a CSV file as a table, with paths relative to a folder."""
    if images.is_dir() or images.suffix.lower() not in _TABLES:
        return images
    table = read_csv(images)
    name = next((one for one in ("path", "file") if one in table), None)
    if name is None:
        raise ImagestrataError(
            f"{quote(images)} has no column 'path' or 'file'; its columns are "
            f"{', '.join(map(quote, table))}.",
            "Name the column with the files of the images path.",
        )
    base = images.parent if folder is None else folder
    table[name] = [str(base / one) if isinstance(one, str) and one else one for one in table[name]]
    there = table[name].dropna().map(os.path.exists)
    if len(there) and not there.any():
        raise ImagestrataError(
            f"None of {plural(len(there), 'file')} in {quote(images)} exists; the first is "
            f"{quote(table[name].dropna().iloc[0])}.",
            f"Give the folder of the files as {arg('folder')}.",
        )
    return table.rename(columns={name: "path"})


def _finished(run_folder: Path, step: str) -> Path:
    """The run folder, if the step is finished there; an error otherwise."""
    from ..provenance import require_step

    require_step(run_folder, step)
    return run_folder


def scanned(run_folder: Path) -> pd.DataFrame:
    from ..corpus.scan import read_scanned

    return read_scanned(_finished(run_folder, "scan"))


def existing_run(run_folder: Path) -> Path:
    """The run folder, if it exists; an error otherwise."""
    from ..provenance import check_run

    return check_run("run", run_folder)


def placed(run_folder: Path, name: str | None) -> Path:
    """The run folder, or its variant of this name."""
    from ..provenance import variant_folder

    if name is not None and not (run_folder / "run.json").is_file():
        raise ImagestrataError(
            f"{quote(run_folder)} contains no run that could have a variant {quote(name)}.",
            "Make the run first, without a name.",
        )
    return variant_folder(run_folder, name)


def drawn_sample(run_folder: Path) -> pd.DataFrame | None:
    """The sample of a run folder, if it has one."""
    from ..provenance import find_step

    return None if find_step(run_folder, "sample")[1] is None else required_sample(run_folder)


def required_sample(run_folder: Path) -> pd.DataFrame:
    from ..sampling.sample import read_sample

    return read_sample(_finished(run_folder, "sample"))


def embedded(run_folder: Path) -> Embeddings:
    return imagestrata.Embeddings.load(_finished(run_folder, "embed"))


def load_clustering(run_folder: Path) -> Clustering:
    return imagestrata.Clustering.load(_finished(run_folder, "cluster"))


#: The tables of texts in a run folder and their columns; the first existing one is used.
_TEXTS = {
    "describe": ("descriptions", "description"),
    "read": ("texts", "text"),
    "tag": ("tags", "label"),
}


#: Columns of a table of texts, such as linked posts, that are no texts.
_NOT_TEXTS = {
    "image_id", "path", "file", "post_id", "author", "time", "cluster", "cluster_name", "theme",
    "theme_name", "n_posts", "unmatched",
}  # fmt: skip


def find_texts(run_folder: Path, given: Path | None) -> tuple[pd.DataFrame, str, str]:
    """A table of texts, its source, and its column of texts."""
    from ..provenance import find_step, read_table

    if given is not None:
        table = read_csv(given)
        others = [name for name in table if name not in _NOT_TEXTS]
        return table, "given", str(others[0]) if others else "text"
    for step, (name, column) in _TEXTS.items():
        place, entry = find_step(run_folder, step)
        if entry is not None and (place / f"{name}.parquet").exists():
            return read_table(place / f"{name}.parquet"), name, column
    raise ImagestrataError(
        f"{quote(run_folder)} contains no descriptions, no text in images and no tags.",
        "Run `imagestrata describe`, `read-text` or `tag` first, or give a table with --texts.",
    )


def read_csv(path: Path) -> pd.DataFrame:
    from ..names import KEYS
    from ..tables import read_typed

    return read_typed(path, KEYS)


def excluded_images(run_folder: Path, exclude: Any, images: pd.DataFrame) -> list[str]:
    """Ids of the images in a list; an error if an entry fits no image of the run."""
    from ..names import excluded
    from ..provenance import read_run

    if exclude is None:
        return []
    has_scan = "scan" in read_run(run_folder).get("steps", {})
    all_images = scanned(run_folder) if has_scan else load_clustering(run_folder).images
    found = excluded(all_images, exclude, f"the run folder {quote(run_folder)}")
    return sorted(found & {*images["image_id"]})


def read_number(typed: str) -> float:
    """A number of images, or "all"."""
    if typed == "all":
        return math.inf
    try:
        return int(typed)
    except ValueError:
        raise ImagestrataError(
            f"{arg('n_per_cluster')} must be a number of images or 'all', not {quote(typed)}."
        ) from None


def read_grid(path: str) -> Any:
    """The settings to compare, from a JSON file."""
    return _read_json("The grid", path, '{"k": [10, 15], "similarity_threshold": [0.03, 0.05]}')


def read_questions(path: str) -> Any:
    """The questions to a model, from a JSON file."""
    example = '{"protest": "Is it a protest?", "place": ["Where is it?", ["street", "indoors"]]}'
    return _read_json("The file of questions", path, example)


def read_named(typed: list[str]) -> Any:
    """One text, or several with names: "denotative=Do both show the same things?"."""
    split = [re.fullmatch(r"([\w-]+)\s*=\s*(.*)", one, re.DOTALL) for one in typed]
    if len(typed) == 1 and split[0] is None:
        return typed[0]
    if None in split:
        raise ImagestrataError(
            f"Several questions need names, unlike {quote(typed[split.index(None)])}.",
            "For instance: --question 'denotative=Do both images show the same things?'.",
        )
    return {one[1]: one[2] for one in split if one is not None}


def _read_json(what: str, path: str, example: str) -> Any:
    from ..tables import text_of

    text = text_of(path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ImagestrataError(
            f"{what} {quote(path)} cannot be read ({error}).",
            f"Give a JSON file such as {example}.",
        ) from None


def read_codes(typed: list[str]) -> dict[str, Any]:
    """The codes: names, or names with answers ("scene=march,vigil", "crowd=1..7", "note=text")."""
    split = [one.partition("=") for one in typed]
    return {name: _answers(answers) if equals else "binary" for name, equals, answers in split}


def _answers(typed: str) -> Any:
    ends = re.fullmatch(r"(-?\d+)\.\.(-?\d+)", typed)
    if ends:
        return [int(end) for end in ends.groups()]
    return typed if typed in ("binary", "text") else typed.split(",")
