"""Intruder tests: annotators find the image that does not belong to a set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..finetune.scores import clustered_wilson, wilson
from .answers import refuse

TITLE = "The image that does not belong"
QUESTION = "Which of these images does not belong?"


def draw(
    images: Mapping[int, pd.DataFrame],
    others: Mapping[int, pd.DataFrame],
    members: Any,
    rng: np.random.Generator,
) -> Iterator[pd.DataFrame]:
    """Sets of images of one cluster and one image of another, randomly drawn cluster."""
    for cluster, theirs in images.items():
        for drawn in members(theirs):
            other = int(rng.choice([one for one in others if one != cluster]))
            row = int(rng.integers(len(others[other])))
            intruder = others[other].iloc[[row]]
            one = pd.concat([drawn.assign(intruder=False), intruder.assign(intruder=True)])
            one.insert(0, "cluster", cluster)
            one = one.iloc[rng.permutation(len(one))]
            yield one[["cluster", "image_cluster", "intruder", "image_id", "path"]]


def score(key: pd.DataFrame, answers: pd.DataFrame) -> dict[str, Any]:
    """Shares of intruders found, by set and by cluster; see the notes of :func:`read_test`."""
    hidden = key[key["intruder"].astype(bool)].set_index("set_id")
    shown = pd.MultiIndex.from_frame(key[["set_id", "image_id"]])
    off = ~pd.MultiIndex.from_frame(answers[["set_id", "judgement"]]).isin(shown)
    refuse(
        answers,
        pd.Series(off, index=answers.index),
        "name an image that is not in the set",
        "judgement",
        "answer",
        "Give the annotators' files unchanged.",
    )
    answers = answers.assign(
        cluster=answers["set_id"].map(hidden["cluster"]).astype(int),
        answer=answers["judgement"],
        found=answers["judgement"] == answers["set_id"].map(hidden["image_id"]),
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
    low, high = clustered_wilson(clusters["share_found"] * clusters["n_sets"], clusters["n_sets"])
    return {
        "clusters": clusters,
        "sets": sets,
        "answers": answers[["set_id", "annotator", "cluster", "answer", "found"]],
        "codes": [
            places[set_id, image]
            for set_id, image in zip(answers["set_id"], answers["answer"], strict=True)
        ],
        "summary": {
            "share_found": float(sets["share_found"].mean()),
            "conf_low": low,
            "conf_high": high,
            "chance": float((1 / sets["n_images"]).mean()),
            "p_value": _p_value(answers, sets.set_index("set_id")["n_images"]),
        },
    }


def _p_value(answers: pd.DataFrame, n_images: pd.Series[int]) -> float:
    """Probability of at least as many correct answers if every image of a set is equally
    likely to be the intruder."""
    chances = np.ones(1)  # of 0, 1, ... right answers
    for set_id, votes in answers.groupby(["set_id", "answer"]).size().groupby(level=0):
        right = np.bincount(votes, minlength=int(votes.max()) + 1).astype(float)
        right[0] = n_images[set_id] - len(votes)
        chances = np.convolve(chances, right / n_images[set_id])
    return float(min(chances[int(answers["found"].sum()) :].sum(), 1))
