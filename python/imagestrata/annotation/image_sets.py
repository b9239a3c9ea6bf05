"""Sets of images shown to people, and what their answers say: shared by two tests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.clustering import Clustering
from ..corpus.pictures import embedded_pictures
from ..errors import ImagestrataError, plural, warn
from ..files import write_table
from ..page import write_page
from ..progress import Progress
from ..provenance import fingerprint
from ..tables import read_typed, with_text_ids
from ..validate import check_path, columns_of
from ..wording import arg, quote
from .agreement import agreement
from .pair_answers import once, read_answers


def draw_members(
    images: pd.DataFrame, n_sets: int, n_images: int, rng: np.random.Generator
) -> list[pd.DataFrame]:
    """Sets of images of one cluster; no image is in two sets, as far as there are enough."""
    order = rng.permutation(len(images))
    drawn = []
    for _ in range(n_sets):
        if len(order) < n_images:
            order = np.concatenate(
                [order, rng.permutation(np.setdiff1d(range(len(images)), order))]
            )
        drawn.append(images.iloc[order[:n_images]])
        order = order[n_images:]
    return drawn


def large_enough(clustering: Clustering, clusters: Sequence[int], n_images: int) -> list[int]:
    """The clusters that have as many images; a warning counts the others."""
    sizes = clustering.clusters.set_index("cluster")["size"]
    kept = [cluster for cluster in clusters if sizes[cluster] >= n_images]
    small = [cluster for cluster in clusters if sizes[cluster] < n_images]
    if len(clusters) < 2:
        raise ImagestrataError(
            f"A test needs two clusters or more; {len(clusters)} was given.",
        )
    if len(kept) < 2:
        raise ImagestrataError(
            f"{len(kept)} of {plural(len(clusters), 'cluster')} have {plural(n_images, 'image')} "
            "or more; at least two are needed.",
            f"Use a smaller {arg('n_images')}.",
        )
    if small:
        warn(
            f"{len(small)} of {plural(len(clusters), 'cluster')} have fewer than "
            f"{plural(n_images, 'image')} and are left out, cluster {small[0]} for one."
        )
    return kept


def name_sets(sets: Sequence[pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """One table of all sets in random order, each with an id that gives nothing away."""
    tables = []
    for number in rng.permutation(len(sets)):
        one = sets[number].reset_index(drop=True)
        name = fingerprint([int(number), one["image_id"].tolist()])[:10]
        one.insert(0, "place", np.arange(1, len(one) + 1))
        one.insert(0, "set_id", f"set-{name}")
        tables.append(one)
    table: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return table


def write_sets(
    file: Path,
    kind: str,
    table: pd.DataFrame,
    options: Sequence[tuple[Any, str]],
    *,
    title: str,
    question: str,
    warning: str | None,
    thumbnail: int,
    progress: Progress,
) -> pd.DataFrame:
    """Write the page and, beside it, the key; the sets that can be shown."""
    images = table[["image_id", "path"]].drop_duplicates("image_id").astype({"image_id": str})
    pictures, complaint = embedded_pictures(images, thumbnail, progress)
    if complaint:
        table = _without_missing(table, pictures, complaint)
        left = set(table["cluster"])
        options = [option for option in options if option[0] in left]
    number = {image_id: i for i, image_id in enumerate(pictures)}
    sets = table.groupby("set_id", sort=False)["image_id"]
    data = {
        "kind": kind,
        "key": fingerprint([table["set_id"].unique().tolist(), options]),
        "sets": [[name, [number[str(one)] for one in members]] for name, members in sets],
        "images": list(pictures),
        "pictures": list(pictures.values()),
        "options": options,
    }
    write_page(file, "sets", data, title=title, question=question, warning=warning)
    write_table(key_file(file), table)
    return table


def key_file(page: Path) -> Path:
    """Where the key to a page lies."""
    return page.with_name(f"{page.stem}-key.csv")


def _without_missing(table: pd.DataFrame, pictures: dict[str, str], complaint: str) -> pd.DataFrame:
    """The sets of which every image can be shown."""
    missing = ~table["image_id"].astype(str).isin(pictures)
    n_sets = table["set_id"].nunique()
    kept = table[~table["set_id"].isin(table.loc[missing, "set_id"])].reset_index(drop=True)
    lost = n_sets - kept["set_id"].nunique()
    message = f"{lost} of {plural(n_sets, 'set')} are left out: {complaint}"
    if kept.empty:
        raise ImagestrataError(message, "Check where the images lie.")
    warn(message)
    return kept


def read_key(test: Any, columns: Sequence[str]) -> pd.DataFrame:
    """The key: the table that the test returned, or the file that lies beside its page."""
    if isinstance(test, str | os.PathLike):
        test = read_typed(check_path("test", test), ["set_id", *columns], texts=["description"])
    if not isinstance(test, pd.DataFrame) or not {"set_id", *columns} <= set(test):
        raise ImagestrataError(
            f"{arg('test')} must be the table that came with the page, or the file ...-key.csv "
            f"beside it, with the columns set_id, {', '.join(columns)}; {columns_of(test)}."
        )
    return with_text_ids(test)


def read_set_answers(
    files: Any, known: pd.Index, sep: str | None = None, encoding: str | None = None
) -> pd.DataFrame:
    """set_id, annotator, judgement (as text), file; one row per answer."""
    answers = read_answers(files, "set_id", sep=sep, encoding=encoding)
    unknown = ~answers["set_id"].isin(known)
    if unknown.any():
        first = answers[unknown].iloc[0]
        raise ImagestrataError(
            f"{int(unknown.sum())} of {plural(len(answers), 'answer')} are to sets that are not "
            f"among the {len(known)} of this test, {quote(first['set_id'])} in "
            f"{quote(first['file'])} for one.",
            "Give the key of the page that was answered.",
        )
    missing = len(known) - answers["set_id"].nunique()
    if missing:
        warn(f"{missing} of {plural(len(known), 'set')} have no answer.")
    return once(answers, "set_id", "sets").reset_index(drop=True)


def set_agreement(answers: pd.DataFrame, codes: Any, seed: int) -> pd.DataFrame:
    """How far annotators agree on the sets; without a row if there is one annotator."""
    judgements = pd.DataFrame(
        {"pair_id": answers["set_id"], "annotator": answers["annotator"], "judgement": codes}
    )
    if answers["annotator"].nunique() < 2 or not judgements["pair_id"].duplicated().any():
        columns = ["measure", "annotators", "estimate", "conf_low", "conf_high", "n_sets"]
        return pd.DataFrame(columns=columns)
    table = agreement(judgements, level="nominal", seed=seed)
    return table.rename(columns={"n_pairs": "n_sets"})
