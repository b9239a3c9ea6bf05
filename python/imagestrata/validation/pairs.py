"""Draw pairs of images for people to judge, with the probability that each pair had."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural
from ..files import unguarded, write_table
from ..provenance import Step
from ..validate import check_float, check_int, check_seed
from ..verbs import public
from ..wording import arg, kind_of, quote, verb

if TYPE_CHECKING:
    from ..embeddings.embeddings import Embeddings

Array: TypeAlias = np.ndarray[Any, Any]


@public
def sample_pairs(
    embeddings: Embeddings | Array,
    n: int = 554,
    k: int = 80,
    *,
    share_within: float = 0.5,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Draw pairs of images within and between the clusters of a k-means.

    Two images taken at random hardly ever belong together. So k-means sorts the
    images first, and pairs of one cluster, which often do, are drawn more
    frequently than others. The probability of each pair undoes that: see
    :func:`score_pairs`.

    Parameters
    ----------
    embeddings : Embeddings, or ndarray of shape (n_images, d)
        Vectors of the images.
    n : int, default 554
        Number of pairs; the default is that of the paper.
    k : int, default 80
        Clusters of the k-means, as in the paper.
    share_within : float, default 0.5
        Share of the pairs whose images lie in one cluster. The paper does not
        say how many of its pairs did.
    seed : int, default 0
        Decides the clusters, the pairs, their order and which image stands left.
    out : path, optional
        A run folder, where ``pairs.csv`` is written.
    overwrite : bool, default False
        Replace pairs drawn there with other settings.

    Returns
    -------
    DataFrame
        One row per pair, in random order: ``pair_id``, ``image_a`` and
        ``image_b`` (left and right, at random), ``path_a``, ``path_b``,
        ``stratum`` ("within" or "between" clusters), ``N_h``, the number of all
        pairs of that stratum, and ``probability``, with which this pair came into
        the sample. No pair occurs twice.

    Raises
    ------
    ImagestrataError
        If there are fewer images than clusters, or a stratum has fewer pairs
        than are to be drawn from it.

    Notes
    -----
    Each stratum is a simple random sample without replacement from all its
    pairs, so the probability is exactly the number of pairs drawn over the
    number of pairs there are.

    The id of a pair is made from the ids of its images, whichever stands left:
    answers to other pairs are noticed when they are read back.
    """
    from ..clustering.inputs import as_embeddings, embeddings_fingerprint

    n = check_int("n", n, minimum=1)
    k = check_int("k", k, minimum=1)
    share_within = check_float("share_within", share_within, minimum=0, maximum=1)
    seed = check_seed(seed)
    given = as_embeddings(embeddings)
    if k >= len(given.matrix):
        raise ImagestrataError(
            f"{arg('k')} must be smaller than the number of images, which is {len(given.matrix)}; "
            f"it is {k}.",
            f"Ask for fewer clusters: {arg('k')}.",
        )

    settings = {"n": n, "k": k, "share_within": share_within, "seed": seed}
    inputs = embeddings_fingerprint(given)
    step = Step(out, "pairs", settings, inputs=inputs, overwrite=overwrite, results=["pairs.csv"])
    if step.folder is not None and step.finished:
        return read_drawn_pairs(step.folder)
    clusters = cluster_for_pairs(given.matrix, k, seed)
    pairs = draw_pairs(given.images, clusters, n, share_within, np.random.default_rng([seed, 2]))
    if step.folder is not None:
        write_table(step.folder / "pairs.csv", pairs)
        step.finish(pairs=len(pairs), images=len({*pairs["image_a"], *pairs["image_b"]}))
    return pairs


def read_drawn_pairs(folder: Path) -> pd.DataFrame:
    """The pairs stored in a run folder."""
    names = ("pair_id", "image_a", "image_b", "path_a", "path_b", "stratum")
    stored = pd.read_csv(
        folder / "pairs.csv",
        dtype=dict.fromkeys(names, "str"),
        keep_default_na=False,
        na_values=[""],
    )
    return unguarded(stored)


def check_pairs(pairs: Any, *needed: str, repeated: bool = False) -> pd.DataFrame:
    """Pairs of two images each with an id of their own, and the further columns ``needed``.

    Where ``repeated``, a pair may have several rows, one per annotator.
    """
    if not isinstance(pairs, pd.DataFrame):
        raise ImagestrataError(
            f"{arg('pairs')} must be a table as {verb('sample_pairs')} returns it, not "
            f"{kind_of(pairs)}."
        )
    missing = [name for name in ("pair_id", "image_a", "image_b", *needed) if name not in pairs]
    if missing:
        raise ImagestrataError(
            f"The table of pairs lacks the column {quote(missing[0])}; it has "
            f"{', '.join(map(str, pairs))}.",
            f"Judgements come back with {verb('read_pairs')}." if missing[0] == "judgement" else "",
        )
    if not len(pairs):
        raise ImagestrataError("There are no pairs: the table is empty.")
    unnamed = int(pairs[["pair_id", "image_a", "image_b"]].isna().any(axis=1).sum())
    if unnamed:
        raise ImagestrataError(
            f"{unnamed} of {plural(len(pairs), 'pair')} have no id or lack an image."
        )
    alone = pairs["image_a"] == pairs["image_b"]
    if alone.any():
        first = pairs.loc[alone, "pair_id"].iloc[0]
        raise ImagestrataError(
            f"{int(alone.sum())} of {plural(len(pairs), 'pair')} hold one image twice, "
            f"{quote(first)} for one.",
            "Leave those pairs out: they say nothing about a clustering.",
        )
    _check_ids(pairs, repeated)
    return pairs


def _check_ids(pairs: pd.DataFrame, repeated: bool) -> None:
    """An id stands for one pair of images, and the other way round."""
    a, b = pairs["image_a"].to_numpy(dtype=object), pairs["image_b"].to_numpy(dtype=object)
    turned = a > b
    images = pd.DataFrame(
        {
            "id": pairs["pair_id"].to_numpy(),
            "one": np.where(turned, b, a),
            "other": np.where(turned, a, b),
        }
    )
    if repeated:
        images = images.drop_duplicates()
    for columns, what in ((["id"], "pair ids"), (["one", "other"], "pairs of images")):
        twice = images.duplicated(columns)
        if twice.any():
            first = images.loc[twice, "id"].iloc[0]
            raise ImagestrataError(
                f"{int(twice.sum())} {what} occur more than once, {quote(first)} for one.",
                f"Make one row of them: {verb('consensus')} does so with several annotators' "
                "judgements."
                if "judgement" in pairs
                else "Keep one row of each.",
            )


def draw_pairs(
    images: pd.DataFrame, clusters: Array, n: int, share_within: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw pairs of ``images`` that lie in one of the ``clusters``, and pairs that do not.

    No list of all pairs is made. With the images in order of their clusters,
    those that follow an image are first the rest of its cluster, then the images
    of later clusters: every pair has a number in its stratum, numbers are drawn,
    and the pair is found from its number.
    """
    by_cluster = np.argsort(clusters, kind="stable")
    positions = np.arange(len(clusters))
    ends = np.searchsorted(clusters[by_cluster], clusters[by_cluster], side="right")
    n_within = round(n * share_within)
    partners = {
        "within": (n_within, positions + 1, ends - positions - 1),
        "between": (n - n_within, ends, len(clusters) - ends),
    }
    drawn = []
    for stratum, (wanted, first, counts) in partners.items():
        there_are = int(counts.sum())
        _check_enough(stratum, wanted, there_are)
        numbers = rng.choice(there_are, wanted, replace=False)
        one, other = _pair_of_number(numbers, first, counts)
        rows = pd.DataFrame({"a": by_cluster[one], "b": by_cluster[other]})
        probability = wanted / max(there_are, 1)
        drawn.append(rows.assign(stratum=stratum, N_h=there_are, probability=probability))
    table = pd.concat(drawn, ignore_index=True)
    table = table.iloc[rng.permutation(len(table))]
    left = np.where(rng.random(len(table)) < 0.5, table["a"], table["b"])
    right = table["a"].to_numpy() + table["b"].to_numpy() - left
    ids, paths = images["image_id"].to_numpy(), images["path"].to_numpy()
    return pd.DataFrame(
        {
            "pair_id": [pair_id(a, b) for a, b in zip(ids[left], ids[right], strict=True)],
            "image_a": ids[left],
            "image_b": ids[right],
            "path_a": paths[left],
            "path_b": paths[right],
            **{name: table[name].to_numpy() for name in ("stratum", "N_h", "probability")},
        }
    )


def pair_id(image_a: str, image_b: str) -> str:
    """An id made from those of the images, in whatever order they stand.

    It begins with a letter: a spreadsheet would take ``12e4567`` for a number.
    """
    text = "\n".join(sorted((str(image_a), str(image_b))))
    return "p" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]


def cluster_for_pairs(matrix: Array, k: int, seed: int) -> Array:
    """The k-means within and between whose clusters pairs are drawn."""
    from ..clustering.kmeans import kmeans
    from ..clustering.vectors import as_vectors

    return kmeans(as_vectors(matrix), k, np.random.default_rng([seed, 1])).labels


def _check_enough(stratum: str, wanted: int, there_are: int) -> None:
    if wanted > there_are:
        raise ImagestrataError(
            f"{plural(wanted, 'pair')} {stratum} clusters were asked for, but there are only "
            f"{there_are}.",
            f"Draw fewer pairs ({arg('n')}), change {arg('share_within')}, or use fewer clusters "
            f"({arg('k')})."
            if stratum == "within"
            else f"Draw fewer pairs ({arg('n')}), change {arg('share_within')}, or use more "
            f"clusters ({arg('k')}).",
        )


def _pair_of_number(numbers: Array, first: Array, counts: Array) -> tuple[Array, Array]:
    """Positions of the two images of each pair number.

    Image i has ``counts[i]`` partners from position ``first[i]`` on; pairs are
    numbered image by image.
    """
    until = np.cumsum(counts)
    one = np.searchsorted(until, numbers, side="right")
    return one, first[one] + numbers - (until[one] - counts[one])
