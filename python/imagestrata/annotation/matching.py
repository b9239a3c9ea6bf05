"""Matching tests: annotators match sets of images with descriptions of clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ..clustering.clustering import Clustering, numbered
from ..errors import ImagestrataError, plural
from ..finetune.scores import clustered_wilson
from ..validate import check_int, columns_of
from ..wording import arg, quote, verb
from .answers import refuse

#: Columns of the result of cluster_keywords() that describe clusters.
_KEYWORDS = ("cluster", "rank", "term")

TITLE = "Images and descriptions"
QUESTION = "Which description fits these images best?"


def draw(
    images: Mapping[int, pd.DataFrame], descriptions: Mapping[int, str], members: Any
) -> Iterator[pd.DataFrame]:
    """Sets of images of one cluster, with its description."""
    for cluster, theirs in images.items():
        described = theirs.rename(columns={"image_cluster": "cluster"})
        described.insert(1, "description", descriptions[cluster])
        yield from members(described)


def score(key: pd.DataFrame, answers: pd.DataFrame) -> dict[str, Any]:
    """Labels of sets, precision and recall of clusters; see the notes of :func:`read_test`."""
    truth = key.drop_duplicates("set_id").set_index("set_id")["cluster"].astype(int)
    described = key.drop_duplicates("cluster").set_index("cluster")["description"].sort_index()
    chosen = pd.to_numeric(answers["judgement"], errors="coerce")
    refuse(
        answers,
        ~chosen.isin(described.index),
        f"are none of the {len(described)} tested clusters",
        "judgement",
        "answer",
        "Give the annotators' files unchanged.",
    )
    answers = answers.assign(cluster=answers["set_id"].map(truth), answer=chosen.astype(int))
    sets = _majority(answers, truth)
    right = sets["label"] == sets["cluster"]
    counts = {
        "hits": sets[right].groupby("cluster").size(),
        "n_sets": sets.groupby("cluster").size(),
        "n_chosen": sets.groupby("label").size(),
    }
    of = pd.DataFrame(counts, index=described.index).fillna(0).astype(int)
    clusters = pd.DataFrame(
        {
            "cluster": described.index,
            "description": described.to_numpy(),
            "n_sets": of["n_sets"].to_numpy(),
            "precision": (of["hits"] / of["n_chosen"].where(of["n_chosen"] > 0)).to_numpy(),
            "recall": (of["hits"] / of["n_sets"].where(of["n_sets"] > 0)).to_numpy(),
        }
    )
    by_cluster = right.groupby(sets["cluster"])
    low, high = clustered_wilson(by_cluster.sum(), by_cluster.size())
    seen = clusters[clusters[["precision", "recall"]].notna().any(axis=1)]
    return {
        "clusters": clusters,
        "sets": sets,
        "answers": answers[["set_id", "annotator", "cluster", "answer"]],
        "codes": answers["answer"],
        "confusion": sets.groupby(["cluster", "label"]).size().rename("n").reset_index(),
        "summary": {
            "share_majority": float(sets["majority"].mean()),
            "accuracy": float(right.mean()),
            "conf_low": low,
            "conf_high": high,
            "chance": 1 / len(clusters),
            "precision": float(seen["precision"].fillna(0).mean()),
            "recall": float(seen["recall"].fillna(0).mean()),
        },
    }


def check_descriptions(descriptions: Any, clustering: Clustering) -> dict[int, str]:
    """Descriptions of the clusters to be tested, in the order of the clusters."""
    if isinstance(descriptions, Mapping):
        table = pd.DataFrame({"cluster": descriptions.keys(), "description": descriptions.values()})
    elif isinstance(descriptions, pd.DataFrame) and {"cluster", "description"} <= set(descriptions):
        table = descriptions
    elif isinstance(descriptions, pd.DataFrame) and set(_KEYWORDS) <= set(descriptions):
        ranked = descriptions.sort_values(["cluster", "rank"])
        terms = ranked["term"].astype(str).groupby(ranked["cluster"]).agg(", ".join)
        table = terms.rename("description").reset_index()
    else:
        raise ImagestrataError(
            f"{arg('descriptions')} must be a table with the columns cluster and description, or "
            f"the result of {verb('cluster_keywords')}; {columns_of(descriptions)}.",
            "A matching test needs descriptions: keywords of the clusters, or names that you gave.",
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
                "Annotators could not distinguish them." if name == "description" else "",
            )
    numbers = [check_int("clusters", cluster) for cluster in table["cluster"]]
    unknown = sorted(set(numbers) - set(clustering.clusters["cluster"]))
    if unknown:
        raise ImagestrataError(
            f"{len(unknown)} of {plural(len(table), 'described cluster')} do not exist, "
            f"{unknown[0]} for one: the clusters are {numbered([*clustering.clusters['cluster']])}."
        )
    texts = [str(text).strip() for text in table["description"]]
    return dict(sorted(zip(numbers, texts, strict=True)))


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
