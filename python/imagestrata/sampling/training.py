"""Draw training sets for networks from labels: balanced, with negatives from other clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.clustering import Clustering, check_clustering
from ..clustering.copies import all_files, rows_of_images, scan_of
from ..errors import ImagestrataError, plural, warn
from ..finetune.labels import check_labels, is_binary
from ..finetune.long import BINARY, CHOICE
from ..finetune.looking import read_eyes
from ..finetune.pictures import groups_of
from ..finetune.split import split_images
from ..names import KEYS
from ..progress import Progress
from ..validate import check_bool, check_choice, check_seed
from ..verbs import public
from ..wording import arg, quote

#: Where negatives come from.
NEGATIVES = ("labelled", "clusters")

#: Shares of training, validation and test, as in fine_tune().
_SHARES = (0.6, 0.2, 0.2)


@public
def sample_training(
    labels: Any,
    clustering: Clustering | None = None,
    *,
    balance: bool = True,
    negatives: str = "labelled",
    seed: int = 0,
    progress: Progress = True,
) -> pd.DataFrame:
    """Draw training sets from labels, one for each code.

    Parameters
    ----------
    labels : DataFrame or path of a CSV file
        As in :func:`fine_tune`. Codes of all kinds that networks learn may be together.
    clustering : Clustering, optional
        With it, the pictures are compared, and near-copies count as one image; without it, only
        rows of the same image do. It is needed for ``negatives="clusters"``.
    balance : bool, default True
        Draw as many images of each answer as there are of the rarest one. (The Element trains on
        100 images with a label and 100 without it.) If labels have a column ``split``, only
        training images are balanced: validation and test images stay as they are, because they
        show how well a network does on images like these. False keeps all labels.
    negatives : {"labelled", "clusters"}, default "labelled"
        Images without a label of a binary code: ``"labelled"`` uses only those that people have
        labelled 0. ``"clusters"`` adds images that nobody has labelled, until there are as many
        negatives as positives: images of clusters in which people have labelled images, and none
        of them 1. Some of them may be positives after all, so they are marked in ``source``, and
        they are for training only: if labels have no ``split``, one is drawn as by
        :func:`fine_tune`. Images of the residual, and near-copies of labelled images, are not used.
    seed : int, default 0
        Seed of the draws.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        Labels that :func:`fine_tune` and :func:`tune_model` take: ``image_id`` (or the column that
        identifies images in ``labels``), ``path`` and ``cluster`` if there is a clustering,
        ``code``, ``label``, ``kind``, ``source`` ("label", or "cluster" for negatives that nobody
        has labelled), and any ``split``. ``attrs["counts"]`` has for each code and answer the
        numbers of images that are ``labelled``, ``drawn``, ``assumed`` (of "cluster") and
        ``copies`` (near-copies of a drawn or other image, left out).

    Raises
    ------
    ImagestrataError
        If labels do not fit, contradict each other, or have no image of an answer; or if
        negatives of clusters are wanted without a clustering, or of a code with classes.

    Warns
    -----
    UserWarning
        If near-copies have different labels, which are then left out; or if there are too few
        images in clusters without positives.
    """
    balance = check_bool("balance", balance)
    check_choice("negatives", negatives, NEGATIVES)
    rng = np.random.default_rng(check_seed(seed))
    assume = negatives == "clusters"
    if clustering is not None:
        check_clustering(clustering)
    elif assume:
        raise ImagestrataError(
            f"{arg('negatives', 'clusters')} needs a clustering.",
            f"Give what was clustered as {arg('clustering')}.",
        )
    rows = check_labels(labels, several=True)
    codes = [name for name in rows.columns if name not in (*KEYS, "split")]
    kinds = {code: BINARY if is_binary(rows[code]) else CHOICE for code in codes}
    classes = [code for code in codes if kinds[code] == CHOICE]
    if assume and classes:
        raise ImagestrataError(
            f"The code {quote(classes[0])} has classes, which have no negatives.",
            f"Keep binary codes only, or use {arg('negatives', 'labelled')}.",
        )
    images = _located(rows, codes, clustering)
    pool = None
    if clustering is not None:
        pool = clustering.images[["image_id", "path", "cluster"]]
        images, pool = _grouped(images, pool, assume, progress)
    else:
        images["group"] = np.arange(len(images))
    if assume and "split" not in images:
        images["split"] = _drawn_split(images, codes, seed)
    drawn, counts = [], []
    for code in codes:
        table, counted = _of_code(images, pool if assume else None, code, balance, rng)
        drawn.append(table.assign(code=code, kind=kinds[code]))
        counts.append(counted)
    key = "image_id" if clustering is not None else next(k for k in KEYS if k in rows)
    columns = [key, "path", "cluster", "code", "label", "kind", "source", "split"]
    found = pd.concat(drawn, ignore_index=True)
    found = found[[name for name in dict.fromkeys(columns) if name in found]]
    found.attrs["counts"] = pd.concat(counts, ignore_index=True)
    return found


def _located(rows: pd.DataFrame, codes: list[str], clustering: Clustering | None) -> pd.DataFrame:
    """Return one row per image with its labels and, with a clustering, its cluster."""
    key = next(name for name in KEYS if name in rows)
    if clustering is not None:
        files = all_files(clustering, scan_of(clustering))
        found = rows_of_images(clustering.images, rows, "labels", files)
        rows = rows[found >= 0].drop(columns=[name for name in KEYS if name in rows])
        own = clustering.images[["image_id", "path", "cluster"]].iloc[found[found >= 0]]
        rows = pd.concat([own.reset_index(drop=True), rows.reset_index(drop=True)], axis=1)
        key = "image_id"
    groups = rows.groupby(key, sort=False)
    torn = (groups[codes].nunique() > 1).any(axis=1)
    if torn.any():
        raise ImagestrataError(
            f"The labels contradict each other for {plural(int(torn.sum()), 'image')} (in rows of "
            f"the same image or of its copies), first for {quote(torn.idxmax())}.",
            "Correct them, or combine several annotators' labels first.",
        )
    return groups.first().reset_index()


def _grouped(
    images: pd.DataFrame, pool: pd.DataFrame, assume: bool, progress: Progress
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Number groups of near-copies; the pool keeps unlabelled images that are no such copies."""
    others = pool[~pool["image_id"].isin(images["image_id"])]
    if not assume:
        others = others.head(0)
    both = pd.concat([images[["image_id", "path"]], others[["image_id", "path"]]])
    eyes = read_eyes(both, progress, None)
    known = np.array([eye is not None for eye in eyes])
    group = len(eyes) + np.arange(len(eyes))  # of pictures that cannot be read
    group[known] = groups_of(np.array([eye for eye in eyes if eye is not None], dtype=np.uint64))
    images = images.assign(group=group[: len(images)])
    others = others.assign(group=group[len(images) :], known=known[len(images) :])
    usable = others["known"] & ~others["group"].isin(images["group"]) & (others["cluster"] > 0)
    return images, others[usable].drop_duplicates("group")


def _drawn_split(images: pd.DataFrame, codes: list[str], seed: int) -> NDArray[np.str_]:
    truth = images[codes].apply(pd.to_numeric).to_numpy(dtype=np.float32)
    groups = np.unique(images["group"], return_inverse=True)[1]
    return split_images(truth, groups, _SHARES, seed)


def _of_code(
    images: pd.DataFrame,
    pool: pd.DataFrame | None,
    code: str,
    balance: bool,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw the training set of a code, and count."""
    labelled = images.dropna(subset=code)
    labelled = labelled.assign(label=_answers(labelled[code]), source="label")
    distinct = _distinct(labelled, code)
    answers = sorted(distinct["label"].unique(), reverse=True)
    if len(answers) < 2:
        raise ImagestrataError(
            f"All usable labels of {quote(code)} are {quote(answers[0])}."
            if answers
            else f"There is no usable label of {quote(code)}.",
            "Label images with another answer, too.",
        )
    trains = (
        distinct["split"] == "train" if "split" in distinct else pd.Series(True, distinct.index)
    )
    training, others = distinct[trains], distinct[~trains]
    added = distinct.head(0)
    if pool is not None:
        added = _assumed(labelled, training, pool, code, rng)
    if balance:
        n = training["label"].value_counts().to_dict()
        fewest = min(n.get(answer, 0) + len(added) * (answer == "0") for answer in answers)
        # Images that people have labelled come before those of clusters.
        training = pd.concat(
            [
                _some(training, answer, fewest - len(added) * (answer == "0"), rng)
                for answer in answers
            ]
        )
    drawn = pd.concat([training, added, others]).sort_index(kind="stable")
    counts = pd.DataFrame(
        {
            "code": code,
            "label": answers,
            "labelled": [int((labelled["label"] == answer).sum()) for answer in answers],
            "drawn": [int((drawn["label"] == answer).sum()) for answer in answers],
            "assumed": [len(added) if answer == "0" else 0 for answer in answers],
            "copies": [
                int((labelled["label"] == answer).sum() - (distinct["label"] == answer).sum())
                for answer in answers
            ],
        }
    )
    return drawn, counts


def _answers(column: pd.Series[Any]) -> pd.Series[str]:
    """Return answers as text: "1" and "0", or classes."""
    if is_binary(column):
        return pd.to_numeric(column).astype(int).astype(str)
    return column.astype(str)


def _distinct(labelled: pd.DataFrame, code: str) -> pd.DataFrame:
    """Return the first image of each group of near-copies, unless their labels differ."""
    answers = labelled.groupby("group")["label"].transform("nunique")
    torn = labelled.loc[answers > 1, "group"].nunique()
    if torn:
        warn(
            f"{plural(torn, 'group')} of near-copies {'has' if torn == 1 else 'have'} different "
            f"labels of {quote(code)}, and {'is' if torn == 1 else 'are'} left out."
        )
    return labelled[answers == 1].drop_duplicates("group")


def _assumed(
    labelled: pd.DataFrame,
    training: pd.DataFrame,
    pool: pd.DataFrame,
    code: str,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw images that nobody has labelled, from clusters whose labelled images are all 0."""
    wanted = int((training["label"] == "1").sum() - (training["label"] == "0").sum())
    positive = labelled.groupby("cluster")["label"].max() == "1"
    clusters = positive.index[~positive]
    candidates = pool[pool["cluster"].isin(clusters)]
    if wanted > len(candidates):
        warn(
            f"{plural(wanted, 'more negative')} of {quote(code)} {'is' if wanted == 1 else 'are'} "
            f"wanted, and {plural(len(candidates), 'image')} without a label "
            f"{'is' if len(candidates) == 1 else 'are'} in clusters in which people labelled "
            "images, and none of them 1; all are taken."
        )
    n = min(max(wanted, 0), len(candidates))
    rows = rng.choice(len(candidates), n, replace=False)
    drawn = candidates.iloc[np.sort(rows)][["image_id", "path", "cluster", "group"]]
    drawn.index = pd.RangeIndex(10**9, 10**9 + len(drawn))
    return drawn.assign(label="0", source="cluster", split="train")


def _some(table: pd.DataFrame, answer: str, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw images of an answer."""
    own = table[table["label"] == answer]
    return own.iloc[np.sort(rng.choice(len(own), min(n, len(own)), replace=False))]
