"""Do clusters hang together? People look for the image that does not belong."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.clustering import Clustering, check_clustering, check_same_run
from ..errors import ImagestrataError, plural
from ..finetune.scores import clustered_wilson, wilson
from ..progress import Progress
from ..validate import check_bool, check_int, check_seed
from ..verbs import public
from ..wording import quote
from .image_sets import (
    draw_members,
    large_enough,
    name_sets,
    read_key,
    read_set_answers,
    set_agreement,
    write_sets,
)
from .matching import mean_kappa
from .pair_export import check_file

QUESTION = "Which of these images does not belong?"


@dataclass(frozen=True, eq=False)
class Intruders:
    """How often people find the image that is not of the cluster.

    Attributes
    ----------
    clusters : DataFrame
        One row per cluster: cluster, n_sets (answered), share_found (of the
        answers), conf_low and conf_high (95%).
    sets : DataFrame
        One row per answered set: set_id, cluster, intruder (image_id),
        intruder_cluster, n_images, share_found (of its annotators), n_annotators.
    agreement : DataFrame
        As of :func:`agreement`, with n_sets; without rows for one annotator.
    answers : DataFrame
        One row per answer: set_id, annotator, cluster, answer (image_id), found.
    chance : float
        Share that would be found by guessing, mean over the answered sets.
    """

    clusters: pd.DataFrame
    sets: pd.DataFrame
    agreement: pd.DataFrame
    answers: pd.DataFrame
    chance: float

    @property
    def summary(self) -> pd.DataFrame:
        """The test in one row.

        n_sets, n_annotators, kappa (Cohen's, mean over pairs of annotators),
        share_found with conf_low and conf_high (95%), chance, and p_chance: how
        likely as many or more answers would be right by guessing.
        """
        low, high = clustered_wilson(
            self.clusters["share_found"] * self.clusters["n_sets"], self.clusters["n_sets"]
        )
        row = {
            "n_sets": len(self.sets),
            "n_annotators": self.answers["annotator"].nunique(),
            "kappa": mean_kappa(self.agreement),
            "share_found": float(self.sets["share_found"].mean()),
            "conf_low": low,
            "conf_high": high,
            "chance": self.chance,
            "p_chance": _p_chance(self.answers, self.sets.set_index("set_id")["n_images"]),
        }
        return pd.DataFrame([row])

    def __repr__(self) -> str:
        worst = self.clusters.sort_values("share_found")
        return (
            f"Intruder test of {plural(len(self.clusters), 'cluster')}, the least coherent first\n"
            f"{self.summary.to_string(index=False)}\n{worst.to_string(index=False)}"
        )


@public
def intruder_test(
    clustering: Clustering,
    out: str | os.PathLike[str],
    *,
    clusters: Sequence[int] | None = None,
    n_sets: int = 3,
    n_images: int = 6,
    question: str = QUESTION,
    warning: str | None = None,
    thumbnail: int = 400,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Write a page on which people look for the image that does not belong.

    Each set holds images of one cluster, and one of another, which is drawn at
    random first. Where people find it, the cluster hangs together for them:
    the word intrusion of topic models (Chang et al. 2009), with images.

    Parameters
    ----------
    clustering : Clustering
        What :func:`cluster_images` returned.
    out : path
        The HTML file to write, see :func:`matching_test`.
    clusters : sequence of int, optional
        Clusters to test; by default all that have enough images.
    n_sets : int, default 3
        Sets drawn from each cluster.
    n_images : int, default 6
        Images in a set, the intruder among them (five and one, as Chang et al.).
    question, warning, thumbnail : optional
        See :func:`matching_test`.
    seed : int, default 0
        Decides the sets and all orders.
    overwrite : bool, default False
        Replace a file of that name, and its key.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        The key, for :func:`read_intruders`, one row per image of a set: set_id,
        place (from 1), cluster (that is tested), image_cluster (of the image),
        intruder (whether it is), image_id, path. It is also written beside the
        page, as ``...-key.csv``: send the page alone.

    Raises
    ------
    ImagestrataError
        If a cluster does not exist, fewer than two are large enough, or the file
        exists.

    Warns
    -----
    UserWarning
        If clusters are too small for a set, or images cannot be shown.
    """
    clustering = check_clustering(clustering)
    n_sets = check_int("n_sets", n_sets, minimum=1)
    n_images = check_int("n_images", n_images, minimum=3, maximum=9)
    thumbnail = check_int("thumbnail", thumbnail, minimum=40, maximum=2000)
    rng = np.random.default_rng([check_seed(seed), 13])
    existing = clustering.clusters["cluster"].tolist()
    chosen = _check_clusters(clusters, existing)
    check_same_run(clustering.images, out, "intruder test")
    file = check_file(out, ".html", check_bool("overwrite", overwrite))

    tested = large_enough(clustering, chosen, n_images - 1)
    images = clustering.images.loc[
        clustering.images["cluster"] > 0, ["cluster", "image_id", "path"]
    ].rename(columns={"cluster": "image_cluster"})
    by_cluster = dict(list(images.groupby("image_cluster")))
    drawn = []
    for cluster in tested:
        for members in draw_members(by_cluster[cluster], n_sets, n_images - 1, rng):
            other = int(rng.choice([one for one in existing if one != cluster]))
            row = int(rng.integers(len(by_cluster[other])))
            intruder = by_cluster[other].iloc[[row]]
            one = pd.concat([members.assign(intruder=False), intruder.assign(intruder=True)])
            one.insert(0, "cluster", cluster)
            one = one.iloc[rng.permutation(len(one))]
            drawn.append(one[["cluster", "image_cluster", "intruder", "image_id", "path"]])
    return write_sets(
        file,
        "intruders",
        name_sets(drawn, rng),
        [],
        title="The image that does not belong",
        question=question,
        warning=warning,
        thumbnail=thumbnail,
        progress=progress,
    )


@public
def read_intruders(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    test: pd.DataFrame | str | os.PathLike[str],
    *,
    seed: int = 0,
    sep: str | None = None,
    encoding: str | None = None,
) -> Intruders:
    """Read how often people found the image that does not belong.

    Parameters
    ----------
    files : path or sequence of paths
        What annotators downloaded from the page: CSV with the columns
        ``set_id``, ``annotator`` and ``judgement`` (the id of an image).
    test : DataFrame or path
        The key that :func:`intruder_test` returned, or its file.
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
    Intruders
        Shares found, per cluster and in all, against chance.

    Raises
    ------
    ImagestrataError
        If a file cannot be read, names unknown sets or images, or an annotator
        contradicts herself.

    Warns
    -----
    UserWarning
        If some sets were not answered by anybody.

    Notes
    -----
    Intervals are Wilson's for as many trials as there are sets, however many
    annotators answered them: answers to one set are far from independent. With
    several annotators they are somewhat too wide. That of all clusters together
    also allows for sets of one cluster being more alike than those of others,
    which leaves fewer trials: it is about clusters like the tested ones.

    ``p_chance`` is exact. For those who guess, each image of a set is equally
    likely to be the intruder, whatever they agree on: the distribution of the
    number of right answers follows from how many annotators chose each image.
    For one annotator that is the binomial distribution.
    """
    key = read_key(test, ["cluster", "image_id", "intruder"])
    hidden = key[key["intruder"].astype(bool)].set_index("set_id")
    answers = read_set_answers(files, hidden.index, sep, encoding)
    shown = pd.MultiIndex.from_frame(key[["set_id", "image_id"]])
    off = ~pd.MultiIndex.from_frame(answers[["set_id", "judgement"]]).isin(shown)
    if off.any():
        first = answers[off].iloc[0]
        raise ImagestrataError(
            f"{int(off.sum())} of {plural(len(answers), 'answer')} name an image that is not in "
            f"the set, {quote(first['judgement'])} in {quote(first['file'])} for one.",
            "Give the annotators' files unchanged.",
        )
    answers = pd.DataFrame(
        {
            "set_id": answers["set_id"],
            "annotator": answers["annotator"],
            "cluster": answers["set_id"].map(hidden["cluster"]).astype(int),
            "answer": answers["judgement"],
            "found": answers["judgement"] == answers["set_id"].map(hidden["image_id"]),
        }
    )
    by_set = answers.groupby("set_id")["found"]
    sets = hidden.reset_index()[["set_id", "cluster", "image_id", "image_cluster"]]
    sets = sets.rename(columns={"image_id": "intruder", "image_cluster": "intruder_cluster"})
    sets["n_images"] = sets["set_id"].map(key.groupby("set_id").size())
    sets["share_found"] = sets["set_id"].map(by_set.mean())
    sets["n_annotators"] = sets["set_id"].map(by_set.size())
    sets = sets.dropna(subset="share_found", ignore_index=True)
    sets["n_annotators"] = sets["n_annotators"].astype(int)
    grouped = sets.groupby("cluster")["share_found"].agg(["size", "mean"])
    low, high = wilson(grouped["mean"] * grouped["size"], grouped["size"])
    clusters = pd.DataFrame(
        {
            "cluster": grouped.index,
            "n_sets": grouped["size"].to_numpy(),
            "share_found": grouped["mean"].to_numpy(),
            "conf_low": low,
            "conf_high": high,
        }
    )
    places = key.groupby(["set_id", "image_id"], sort=False)["place"].first()
    codes = [
        places[set_id, image]
        for set_id, image in zip(answers["set_id"], answers["answer"], strict=True)
    ]
    agreed = set_agreement(answers, codes, check_seed(seed))
    chance = float((1 / sets["n_images"]).mean())
    return Intruders(clusters, sets, agreed, answers, chance)


def _p_chance(answers: pd.DataFrame, n_images: pd.Series[int]) -> float:
    """How likely at least as many answers are right if every image of a set, the chosen ones
    and the others, is equally likely to be the intruder."""
    chances = np.ones(1)  # of 0, 1, ... right answers
    for set_id, votes in answers.groupby(["set_id", "answer"]).size().groupby(level=0):
        right = np.bincount(votes, minlength=int(votes.max()) + 1).astype(float)
        right[0] = n_images[set_id] - len(votes)
        chances = np.convolve(chances, right / n_images[set_id])
    return float(min(chances[int(answers["found"].sum()) :].sum(), 1))


def _check_clusters(clusters: Any, existing: list[int]) -> list[int]:
    if clusters is None:
        return existing
    chosen = [check_int("clusters", cluster) for cluster in np.atleast_1d(clusters).tolist()]
    unknown = sorted(set(chosen) - set(existing))
    if unknown:
        raise ImagestrataError(
            f"{len(unknown)} of {plural(len(chosen), 'cluster')} do not exist, {unknown[0]} for "
            f"one: the clusters are numbered 1 to {len(existing)}."
        )
    return list(dict.fromkeys(chosen))
