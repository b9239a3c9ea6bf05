"""Draw pairs of images to be judged, with the probability of each pair."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from ..corpus.located import located
from ..errors import ImagestrataError, plural
from ..files import damaged
from ..names import one_each
from ..progress import Progress
from ..provenance import Step, fingerprint, one_of, step_folder
from ..tables import check_table, read_typed
from ..validate import check_choice, check_float, check_int, check_seed, columns_of
from ..verbs import public
from ..wording import arg, quote, verb

if TYPE_CHECKING:
    from ..embeddings.embeddings import Embeddings

Array: TypeAlias = np.ndarray[Any, Any]
#: Function from rows of first images and numbers of partners to rows of both images.
Partner: TypeAlias = Callable[[Array, Array], pd.DataFrame]

#: Treatments of pairs with an image that a clustering or an encoder lacks.
MISSING = ("error", "drop")
#: Largest number of strata of pairs that at least one of several clusterings puts together.
_MOST_STRATA = 4
#: Largest number of pairs that are counted at once.
_PAIRS_AT_ONCE = 5_000_000


@public
def sample_pairs(
    embeddings: Embeddings | Array | Sequence[Any] | Mapping[str, Any],
    n: int = 554,
    k: int = 80,
    *,
    share_within: float = 0.5,
    clusterings: Any = None,
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]] | None = None,
    missing: str = "error",
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Draw pairs of images within and between clusters.

    Two images drawn at random rarely belong together. Images are therefore clustered
    first, and pairs within a cluster, which often belong together, are drawn with a
    higher probability than others. :func:`score_clustering` corrects for it with the
    ``probability`` of each pair.

    By default a single k-means clusters the images, as in the paper. To *compare*
    clusterings, draw the pairs from them (``clusterings=``) or from the candidates of
    a grid (``grid=``, as in :func:`tune_clusters`): each of them then has judged pairs
    on which it differs from the others.

    Parameters
    ----------
    embeddings : Embeddings, or ndarray of shape (n_images, d), or a list or dict of these
        Vectors of the images. With several encoders, pairs are drawn from a
        k-means of each.
    n : int, default 554
        Number of pairs; the default is that of the paper.
    k : int, default 80
        Number of clusters of the k-means, as in the paper. It has no effect if
        ``clusterings`` or ``grid`` is given.
    share_within : float, default 0.5
        Share of the pairs whose images are in one cluster of any of the
        clusterings. The paper does not report this share.
    clusterings : Clustering, DataFrame, or a list or dict of these; optional
        The clusterings from which the pairs are drawn: results of
        :func:`cluster_images`, or tables with ``image_id`` and ``cluster`` (-1 for the
        residual, each image of which is apart from all others).
    grid : mapping of lists, or list of such, optional
        Draw the pairs from every combination of settings, for every encoder; see
        :func:`tune_clusters`. ``seed`` is the seed of these clusterings.
    missing : {"error", "drop"}, default "error"
        Treatment of encoders or clusterings with different images. ``"error"`` raises an
        error; ``"drop"`` draws from the images that all of them have.
    seed : int, default 0
        Seed of the clusters, the pairs, their order and the side of each image.
    out : path, optional
        Run folder in which ``pairs.csv`` is written.
    overwrite : bool, default False
        Replace pairs in that folder that have other settings.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`; counts candidates of a grid.

    Returns
    -------
    DataFrame
        One row per pair, in random order: ``pair_id``, ``image_a`` and
        ``image_b`` (left and right, at random), ``path_a``, ``path_b``,
        ``stratum``, ``N_h`` (number of all pairs of the stratum) and ``probability``
        (with which the pair was drawn). No pair occurs twice.

        With one clustering the strata are "within" and "between" its clusters.
        With several clusterings, strata are defined by the number of (different)
        clusterings that put the pair together: "0 of 12", "1-3 of 12", ..., "10-12 of 12".

    Raises
    ------
    ImagestrataError
        If there are not more images than clusters, a stratum has fewer pairs
        than are to be drawn from it, or clusterings have other images.

    Notes
    -----
    Each stratum is a simple random sample without replacement from all its
    pairs, so that the probability is the number of drawn pairs divided by the
    number of pairs. With several clusterings ``share_within`` is divided equally among
    the strata that at least one puts together; a stratum with too few pairs is taken
    whole, and the others receive the remaining pairs.

    The id of a pair is computed from the ids of its images, independent of their sides,
    so that answers to other pairs are detected when they are read.
    """
    from ..clustering.grid import (
        candidates_of,
        checked_grid,
        common_images,
        fit_all,
        labels_on,
        named_embeddings,
        on_images,
    )
    from ..embeddings.inputs import embeddings_fingerprint

    n = check_int("n", n, minimum=1)
    k = check_int("k", k, minimum=1)
    share_within = check_float("share_within", share_within, minimum=0, maximum=1)
    missing = check_choice("missing", missing, MISSING)
    seed = check_seed(seed)
    encoders = named_embeddings(embeddings, missing)
    images = common_images(encoders)
    settings: dict[str, Any] = {"n": n, "share_within": share_within, "seed": seed}
    if clusterings is not None and grid is not None:
        raise ImagestrataError(
            f"{arg('clusterings')} and {arg('grid')} exclude each other: pairs are drawn from one "
            "or the other.",
            "Leave out one of the two.",
        )
    prints = [embeddings_fingerprint(one) for one in encoders.values()]
    found: list[Array] = []
    if clusterings is not None:
        images, found = _labels_of(clusterings, images, missing)
        settings["clusterings"] = len(found)
        prints.append(fingerprint([labels.tolist() for labels in found]))
    elif grid is not None:
        settings["grid"] = checked_grid(grid)
        candidates = candidates_of(encoders, settings["grid"], seed)
    else:
        settings["k"] = k
        if k >= len(images):
            raise ImagestrataError(
                f"{arg('k')} must be smaller than the number of images, which is {len(images)}; "
                f"it is {k}.",
                f"Ask for fewer clusters with {arg('k')}.",
            )

    inputs = prints[0] if len(prints) == 1 else fingerprint(prints)
    step = Step(
        out,
        "pairs",
        settings,
        inputs=inputs,
        made_from={"embed": one_of(out, "embed", prints)},
        overwrite=overwrite,
    )

    def make() -> pd.DataFrame:
        labels = found
        if grid is not None:
            fitted = fit_all(candidates, encoders, seed, step.parts, progress, "Clustering")
            labels = on_images(images, candidates, fitted, encoders)
        elif clusterings is None:
            fits = (cluster_for_pairs(one.matrix, k, seed) for one in encoders.values())
            both = zip(encoders.values(), fits, strict=True)
            labels = [labels_on(images, one, fit) for one, fit in both]
        return draw_pairs(images, labels, n, share_within, np.random.default_rng([seed, 2]))

    def counts(pairs: pd.DataFrame) -> dict[str, int]:
        return {"pairs": len(pairs), "images": len({*pairs["image_a"], *pairs["image_b"]})}

    return step.table(make, counts, read=read_drawn_pairs, identity=pairs_fingerprint)


def read_drawn_pairs(folder: Path) -> pd.DataFrame:
    """Read the pairs of a run folder, or of the run of a variant."""
    folder = step_folder(folder, "pairs")
    names = ("pair_id", "image_a", "image_b", "path_a", "path_b", "stratum")
    try:
        stored = read_typed(folder / "pairs.csv", names, texts=names, ours=True)
        check_pairs(stored, "probability")
    except ValueError as error:
        raise damaged(folder / "pairs.csv", error) from None
    return located(stored, folder, "pairs", {"path_a": "image_a", "path_b": "image_b"})


def pairs_fingerprint(pairs: pd.DataFrame) -> str:
    """Fingerprint of drawn pairs."""
    return fingerprint([pairs["pair_id"].tolist(), pairs["probability"].round(12).tolist()])


def check_pairs(
    given: Any, *needed: str, repeated: bool = False, name: str = "pairs"
) -> pd.DataFrame:
    """Check pairs of images with ids and the further columns ``needed``.

    If ``repeated``, a pair may have several rows, one per annotator.
    """
    maker = "read_pairs" if "judgement" in needed else "sample_pairs"
    ids = ("pair_id", "image_a", "image_b")
    pairs = check_table(name, given, (*ids, *needed), maker, whole=ids)
    alone = pairs["image_a"] == pairs["image_b"]
    if alone.any():
        first = pairs.loc[alone, "pair_id"].iloc[0]
        raise ImagestrataError(
            f"{int(alone.sum())} of {plural(len(pairs), 'pair')} hold one image twice, "
            f"{quote(first)} for one.",
            "Leave those pairs out: they are not informative about a clustering.",
        )
    _check_ids(pairs, repeated)
    return pairs


def _check_ids(pairs: pd.DataFrame, repeated: bool) -> None:
    """Check that ids and pairs of images correspond one to one."""
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
    for columns, one, many in (
        (["id"], "pair id occurs", "pair ids occur"),
        (["one", "other"], "pair of images occurs", "pairs of images occur"),
    ):
        twice = images.duplicated(columns)
        if twice.any():
            first = images.loc[twice, "id"].iloc[0]
            raise ImagestrataError(
                f"{plural(int(twice.sum()), one, many)} more than once, {quote(first)} for one.",
                f"Combine them into one row: {verb('consensus')} combines several annotators' "
                "judgements."
                if "judgement" in pairs
                else "Keep one row for each.",
            )


def draw_pairs(
    images: pd.DataFrame,
    clusterings: Array | Sequence[Array],
    n: int,
    share_within: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw pairs of ``images`` by how many of the clusterings put them together.

    Parameters
    ----------
    images : DataFrame
        With ``image_id`` and ``path``.
    clusterings : array-like of shape (n_images,) or (n_clusterings, n_images)
        The cluster of each image, in one clustering or in several; negative numbers mark
        images that are apart from all others. A clustering that occurs twice counts once.
    n, share_within, rng
        See :func:`sample_pairs`.
    """
    several = [_residual_apart(labels) for labels in np.atleast_2d(clusterings)]
    different = list({pd.factorize(one)[0].tobytes(): one for one in several}.values())
    if len(different) == 1:
        strata = _within_and_between(different[0])
    else:
        strata = _by_number_together(different)
    numbers = {name: int(counts.sum()) for name, (counts, _) in strata.items()}
    wanted = _allocate(numbers, n, round(n * share_within))
    drawn = []
    for name, (counts, partner) in strata.items():
        # Pairs of a stratum are numbered image by image.
        chosen = rng.choice(numbers[name], wanted[name], replace=False)
        until = np.cumsum(counts)
        one = np.searchsorted(until, chosen, side="right")
        rows = partner(one, chosen - (until[one] - counts[one]))
        probability = wanted[name] / max(numbers[name], 1)
        drawn.append(rows.assign(stratum=name, N_h=numbers[name], probability=probability))
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


def _residual_apart(labels: Array) -> Array:
    """The labels, in which each negative one is replaced by a label of its own."""
    alone = labels < 0
    apart: Array = np.where(alone, labels.max(initial=0) + 1 + np.arange(len(labels)), labels)
    return apart


def _within_and_between(labels: Array) -> dict[str, tuple[Array, Partner]]:
    """The strata of one clustering.

    No list of all pairs is made. If images are ordered by cluster, each image is followed
    by the other images of its cluster and then by the images of later clusters.
    """
    by_cluster = np.argsort(labels, kind="stable")
    positions = np.arange(len(labels))
    ends = np.searchsorted(labels[by_cluster], labels[by_cluster], side="right")

    def following(first: Array) -> Partner:
        return lambda one, place: pd.DataFrame(
            {"a": by_cluster[one], "b": by_cluster[first[one] + place]}
        )

    return {
        "within": (ends - positions - 1, following(positions + 1)),
        "between": (len(labels) - ends, following(ends)),
    }


def _by_number_together(clusterings: Sequence[Array]) -> dict[str, tuple[Array, Partner]]:
    """The strata of several clusterings: pairs that none, few, ..., all put together.

    Pairs that no clustering puts together are counted as the difference from all pairs.
    The others are the non-zero entries of the product of an indicator matrix with itself,
    which is computed in blocks and not stored.
    """
    from scipy import sparse

    clusterings = [pd.factorize(labels)[0] for labels in clusterings]
    n, n_clusterings = len(clusterings[0]), len(clusterings)
    n_strata = min(n_clusterings, _MOST_STRATA)
    last = [-(-n_clusterings * (i + 1) // n_strata) for i in range(n_strata)]
    stratum_of = np.searchsorted(last, np.arange(n_clusterings + 1)) + 1
    stratum_of[0] = 0
    names = [f"0 of {n_clusterings}"]
    for before, high in zip([0, *last], last, strict=False):
        between = f"{high}" if high == before + 1 else f"{before + 1}-{high}"
        names.append(f"{between} of {n_clusterings}")

    offsets = np.cumsum([0, *(labels.max() + 1 for labels in clusterings)])
    columns = np.stack(clusterings, axis=1) + offsets[:-1]
    indicator = sparse.csr_array(
        (
            np.ones(columns.size, dtype=np.int16),
            columns.ravel(),
            np.arange(0, columns.size + 1, n_clusterings),
        ),
        shape=(n, int(offsets[-1])),
    )
    entries = np.bincount(columns.ravel())[columns].sum(axis=1)
    counts = np.zeros((n, n_strata + 1), dtype=np.int64)
    for start, stop in _blocks(entries):
        # Each pair counts once, with the later image.
        found = (indicator[start:stop] @ indicator[start:].T).tocoo()
        later = found.col > found.row
        key = found.row[later].astype(np.int64) * (n_strata + 1) + stratum_of[found.data[later]]
        counted = np.bincount(key, minlength=(stop - start) * (n_strata + 1))
        counts[start:stop] = counted.reshape(stop - start, n_strata + 1)
    counts[:, 0] = n - 1 - np.arange(n) - counts.sum(axis=1)

    def partner(stratum: int) -> Partner:
        def find(one: Array, place: Array) -> pd.DataFrame:
            other = np.empty_like(one)
            for row in np.unique(one):
                together = (columns[row + 1 :] == columns[row]).sum(axis=1)
                those = np.flatnonzero(stratum_of[together] == stratum) + row + 1
                other[one == row] = those[place[one == row]]
            return pd.DataFrame({"a": one, "b": other})

        return find

    return {name: (counts[:, stratum], partner(stratum)) for stratum, name in enumerate(names)}


def _blocks(entries: Array) -> list[tuple[int, int]]:
    """Blocks of rows with at most :data:`_PAIRS_AT_ONCE` entries, or of a single row."""
    blocks, start, total = [], 0, 0
    for row, number in enumerate(entries.tolist()):
        if row > start and total + number > _PAIRS_AT_ONCE:
            blocks.append((start, row))
            start, total = row, 0
        total += number
    return [*blocks, (start, len(entries))]


def _allocate(numbers: Mapping[str, int], n: int, n_within: int) -> dict[str, int]:
    """Numbers of pairs to draw; strata of pairs that are together share ``n_within`` equally."""
    apart = next(name for name in numbers if name == "between" or name.startswith("0 of "))
    inside = sorted((name for name in numbers if name != apart), key=numbers.__getitem__)
    wanted = {apart: n - n_within}
    _check_enough("within", n_within, sum(numbers[name] for name in inside))
    _check_enough("between", wanted[apart], numbers[apart])
    left = n_within
    for place, name in enumerate(inside):
        share = left // (len(inside) - place)
        wanted[name] = min(share, numbers[name])
        left -= wanted[name]
    return wanted


def pair_id(image_a: str, image_b: str) -> str:
    """An id computed from the ids of two images in any order.

    It begins with a letter, since spreadsheets read ``12e4567`` as a number.
    """
    text = "\n".join(sorted((str(image_a), str(image_b))))
    return "p" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]


def _labels_of(given: Any, images: pd.DataFrame, missing: str) -> tuple[pd.DataFrame, list[Array]]:
    """The images in all clusterings, and the cluster of each image in each of them."""
    if isinstance(given, Mapping):
        several = list(given.values())
    else:
        several = list(given) if isinstance(given, (list, tuple)) else [given]
    if not several:
        raise ImagestrataError(f"{arg('clusterings')} is empty: give at least one.")
    found = [clusters_by_image(one) for one in several]
    known = np.logical_and.reduce([images["image_id"].isin(one.index) for one in found])
    if missing == "error" and not known.all():
        raise ImagestrataError(
            f"{int((~known).sum())} of {len(images)} images are not in all of the clusterings, "
            f"{quote(images.loc[~known, 'image_id'].iloc[0])} for one.",
            f"Cluster the same images, or use {arg('missing', 'drop')} to draw from the images in "
            "all clusterings.",
        )
    images = images[known].reset_index(drop=True)
    return images, [one.loc[images["image_id"]].to_numpy() for one in found]


def clusters_by_image(clustering: Any) -> pd.Series[Any]:
    """The cluster of each image (-1 for the residual), by ``image_id``."""
    images = getattr(clustering, "images", clustering)
    if not isinstance(images, pd.DataFrame) or not {"image_id", "cluster"} <= set(images):
        raise ImagestrataError(
            f"{arg('clustering')} must be a clustering, or a table with the columns image_id and "
            f"cluster; {columns_of(images)}."
        )
    return one_each("The clustering", images.set_index("image_id")["cluster"])


def cluster_for_pairs(matrix: Array, k: int, seed: int) -> Array:
    """Labels of the k-means from whose clusters pairs are drawn."""
    from ..clustering.kmeans import kmeans
    from ..clustering.vectors import as_vectors

    return kmeans(as_vectors(matrix), k, np.random.default_rng([seed, 1])).labels


def _check_enough(stratum: str, wanted: int, there_are: int) -> None:
    if wanted > there_are:
        fewer = "fewer" if stratum == "within" else "more"
        raise ImagestrataError(
            f"{plural(wanted, 'pair')} {stratum} clusters were asked for, but there are only "
            f"{there_are}.",
            f"Draw fewer pairs with {arg('n')}, change {arg('share_within')}, or use {fewer} "
            f"clusters with {arg('k')}.",
        )
