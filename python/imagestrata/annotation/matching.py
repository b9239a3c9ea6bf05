"""Do descriptions fit clusters? People match sets of images with them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.clustering import Clustering, check_clustering, check_same_run
from ..errors import ImagestrataError, plural
from ..finetune.scores import clustered_wilson
from ..progress import Progress
from ..validate import check_bool, check_int, check_seed
from ..verbs import public
from ..wording import arg, kind_of, quote
from .image_sets import (
    draw_members,
    large_enough,
    name_sets,
    read_key,
    read_set_answers,
    set_agreement,
    write_sets,
)
from .pair_export import check_file

QUESTION = "Which description fits these images best?"


@dataclass(frozen=True, eq=False)
class Matching:
    """How well people match images with the descriptions of clusters.

    Attributes
    ----------
    clusters : DataFrame
        One row per cluster: cluster, description, n_sets (answered), precision
        (of the sets that people gave this description, the share that are of the
        cluster), recall (of the cluster's sets, the share that people gave its
        description). Precision is missing where a description was never chosen,
        recall where no set of the cluster was answered.
    sets : DataFrame
        One row per answered set: set_id, cluster, label (the cluster whose
        description most annotators chose), majority (whether there was one;
        where several descriptions tie, the label is the choice of the annotator
        who comes first, as in the paper), n_annotators.
    agreement : DataFrame
        As of :func:`agreement`, with n_sets; without rows for one annotator.
    answers : DataFrame
        One row per answer: set_id, annotator, cluster, answer.
    """

    clusters: pd.DataFrame
    sets: pd.DataFrame
    agreement: pd.DataFrame
    answers: pd.DataFrame

    @property
    def summary(self) -> pd.DataFrame:
        """The test in one row.

        n_sets, n_annotators, share_majority, kappa (Cohen's, mean over pairs of
        annotators), accuracy with conf_low and conf_high (95%), its expectation
        by chance, precision and recall (means over clusters).

        A description that was never chosen counts as precision 0, and a cluster
        of which no set was answered, but whose description was chosen, as recall
        0 (as in scikit-learn with ``zero_division=0``). The interval is Wilson's;
        where sets of one cluster are more alike than those of others, they count
        as fewer.
        """
        right = (self.sets["label"] == self.sets["cluster"]).groupby(self.sets["cluster"])
        low, high = clustered_wilson(right.sum(), right.size())
        seen = self.clusters[self.clusters[["precision", "recall"]].notna().any(axis=1)]
        row = {
            "n_sets": len(self.sets),
            "n_annotators": self.answers["annotator"].nunique(),
            "share_majority": float(self.sets["majority"].mean()),
            "kappa": mean_kappa(self.agreement),
            "accuracy": float((self.sets["label"] == self.sets["cluster"]).mean()),
            "conf_low": low,
            "conf_high": high,
            "chance": 1 / len(self.clusters),
            "precision": float(seen["precision"].fillna(0).mean()),
            "recall": float(seen["recall"].fillna(0).mean()),
        }
        return pd.DataFrame([row])

    @property
    def confusion(self) -> pd.DataFrame:
        """Numbers of sets: cluster, label, n; every combination that occurs."""
        return self.sets.groupby(["cluster", "label"]).size().rename("n").reset_index()

    def __repr__(self) -> str:
        return (
            f"Matching test of {plural(len(self.clusters), 'description')}\n"
            f"{self.summary.to_string(index=False)}\n{self.clusters.to_string(index=False)}"
        )


@public
def matching_test(
    clustering: Clustering,
    descriptions: pd.DataFrame | Mapping[int, str],
    out: str | os.PathLike[str],
    *,
    n_sets: int = 5,
    n_images: int = 3,
    question: str = QUESTION,
    warning: str | None = None,
    thumbnail: int = 400,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Write a page on which people match sets of images with descriptions of clusters.

    Parameters
    ----------
    clustering : Clustering
        What :func:`cluster_images` returned.
    descriptions : DataFrame or mapping
        Columns ``cluster`` and ``description``, one row per cluster to be
        tested: keywords, or names that you gave them. Or a mapping of numbers to
        texts.
    out : path
        The HTML file to write. It holds the images, opens in any browser without
        a network, keeps answers until they are removed, hands out CSV, and sends
        nothing anywhere.
    n_sets : int, default 5
        Sets drawn from each cluster (Leveraging VLLMs for Visual Clustering).
    n_images : int, default 3
        Images in a set (the same). More than one, since some images are in the
        wrong cluster; that is not what this test is about.
    question : str, optional
        What annotators are asked.
    warning : str, optional
        What they read before they see the first image.
    thumbnail : int, default 400
        Longer side of the embedded copies, in pixels.
    seed : int, default 0
        Decides the sets, and the order of sets and of descriptions.
    overwrite : bool, default False
        Replace a file of that name, and its key.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        The key, for :func:`read_matching`, one row per image of a set: set_id,
        place (from 1), cluster, description, image_id, path. It is also written
        beside the page, as ``...-key.csv``: send the page alone.

    Raises
    ------
    ImagestrataError
        If a described cluster does not exist, a description is missing or given
        twice, fewer than two clusters are large enough, or the file exists.

    Warns
    -----
    UserWarning
        If clusters are too small for a set, or images cannot be shown.
    """
    clustering = check_clustering(clustering)
    described = check_descriptions(descriptions, clustering)
    n_sets = check_int("n_sets", n_sets, minimum=1)
    n_images = check_int("n_images", n_images, minimum=1, maximum=6)
    thumbnail = check_int("thumbnail", thumbnail, minimum=40, maximum=2000)
    rng = np.random.default_rng([check_seed(seed), 11])
    check_same_run(clustering.images, out, "matching test")
    file = check_file(out, ".html", check_bool("overwrite", overwrite))

    tested = large_enough(clustering, list(described), n_images)
    drawn = []
    for cluster in tested:
        images = clustering.images.loc[
            clustering.images["cluster"] == cluster, ["cluster", "image_id", "path"]
        ]
        images.insert(1, "description", described[cluster])
        drawn += draw_members(images, n_sets, n_images, rng)
    options = [(int(cluster), described[cluster]) for cluster in rng.permutation(tested)]
    return write_sets(
        file,
        "matching",
        name_sets(drawn, rng),
        options,
        title="Images and descriptions",
        question=question,
        warning=warning,
        thumbnail=thumbnail,
        progress=progress,
    )


@public
def read_matching(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    test: pd.DataFrame | str | os.PathLike[str],
    *,
    seed: int = 0,
    sep: str | None = None,
    encoding: str | None = None,
) -> Matching:
    """Read how people matched images with descriptions.

    Parameters
    ----------
    files : path or sequence of paths
        What annotators downloaded from the page: CSV with the columns
        ``set_id``, ``annotator`` and ``judgement`` (the number of a cluster).
    test : DataFrame or path
        The key that :func:`matching_test` returned, or its file.
    seed : int, default 0
        Seed of the bootstrap of the agreement.
    sep : str, optional
        What separates the columns of CSV files; by default commas, semicolons or tabs,
        whichever fits.
    encoding : str, optional
        Encoding of the files; by default UTF-8, or what a byte order mark says. Other text
        is read as Windows-1252, with a warning.

    Returns
    -------
    Matching
        Precision and recall per cluster, labels of the sets, agreement.

    Raises
    ------
    ImagestrataError
        If a file cannot be read, names unknown sets or clusters, or an annotator
        contradicts herself.

    Warns
    -----
    UserWarning
        If some sets were not answered by anybody.
    """
    key = read_key(test, ["cluster", "description"])
    truth = key.drop_duplicates("set_id").set_index("set_id")["cluster"].astype(int)
    described = key.drop_duplicates("cluster").set_index("cluster")["description"].sort_index()
    answers = read_set_answers(files, truth.index, sep, encoding)
    chosen = pd.to_numeric(answers["judgement"], errors="coerce")
    off = ~chosen.isin(described.index)
    if off.any():
        first = answers[off].iloc[0]
        raise ImagestrataError(
            f"{int(off.sum())} of {plural(len(answers), 'answer')} are none of the "
            f"{len(described)} tested clusters, {quote(first['judgement'])} in "
            f"{quote(first['file'])} for one.",
            "Give the annotators' files unchanged.",
        )
    answers = pd.DataFrame(
        {
            "set_id": answers["set_id"],
            "annotator": answers["annotator"],
            "cluster": answers["set_id"].map(truth),
            "answer": chosen.astype(int),
        }
    )
    sets = _majority(answers, truth)
    right = sets["label"] == sets["cluster"]
    hits = sets[right].groupby("cluster").size()
    n_sets = sets.groupby("cluster").size().reindex(described.index, fill_value=0)
    n_chosen = sets.groupby("label").size().reindex(described.index, fill_value=0)
    hits = hits.reindex(described.index, fill_value=0)
    clusters = pd.DataFrame(
        {
            "cluster": described.index,
            "description": described.to_numpy(),
            "n_sets": n_sets.to_numpy(),
            "precision": (hits / n_chosen.where(n_chosen > 0)).to_numpy(),
            "recall": (hits / n_sets.where(n_sets > 0)).to_numpy(),
        }
    )
    agreed = set_agreement(answers, answers["answer"], check_seed(seed))
    return Matching(clusters, sets, agreed, answers)


def check_descriptions(descriptions: Any, clustering: Clustering) -> dict[int, str]:
    """Description of each cluster to be tested, in the order of the clusters."""
    if isinstance(descriptions, Mapping):
        table = pd.DataFrame({"cluster": descriptions.keys(), "description": descriptions.values()})
    elif isinstance(descriptions, pd.DataFrame) and {"cluster", "description"} <= set(descriptions):
        table = descriptions
    else:
        raise ImagestrataError(
            f"{arg('descriptions')} must be a table with the columns cluster and description; got "
            f"{kind_of(descriptions)}."
        )
    empty = table["description"].isna() | (table["description"].astype(str).str.strip() == "")
    if empty.any():
        raise ImagestrataError(
            f"{int(empty.sum())} of {plural(len(table), 'cluster')} have no description, "
            f"{table.loc[empty, 'cluster'].iloc[0]} for one.",
            "Describe them, or leave them out of the table.",
        )
    for name in ("cluster", "description"):
        twice = table[name].duplicated()
        if twice.any():
            raise ImagestrataError(
                f"{int(twice.sum())} of {plural(len(table), 'row')} repeat a {name}, "
                f"{quote(table.loc[twice, name].iloc[0])} for one.",
                "Nobody could tell them apart." if name == "description" else "",
            )
    numbers = [check_int("cluster", cluster) for cluster in table["cluster"]]
    unknown = sorted(set(numbers) - set(clustering.clusters["cluster"]))
    if unknown:
        raise ImagestrataError(
            f"{len(unknown)} of {plural(len(table), 'described cluster')} do not exist, "
            f"{unknown[0]} for one: the clusters are numbered 1 to {len(clustering.clusters)}."
        )
    texts = [str(text).strip() for text in table["description"]]
    return dict(sorted(zip(numbers, texts, strict=True)))


def mean_kappa(agreed: pd.DataFrame) -> float:
    """Cohen's kappa, the mean over pairs of annotators; NaN for one annotator."""
    row = agreed[(agreed["measure"] == "cohen_kappa") & (agreed["annotators"] == "all")]
    return float(row["estimate"].iloc[0]) if len(row) else float("nan")


def _majority(answers: pd.DataFrame, truth: pd.Series[int]) -> pd.DataFrame:
    """The label of each answered set, in the order of the key."""
    rows = []
    for set_id, given in answers.groupby("set_id", sort=False)["answer"]:
        votes = given.value_counts()
        winners = votes.index[votes == votes.max()]
        first = given[given.isin(winners)].iloc[0]
        rows.append((set_id, truth[set_id], first, len(winners) == 1, len(given)))
    columns = ["set_id", "cluster", "label", "majority", "n_annotators"]
    table = pd.DataFrame(rows, columns=columns).set_index("set_id")
    answered = [set_id for set_id in truth.index if set_id in table.index]
    return table.loc[answered].reset_index()
