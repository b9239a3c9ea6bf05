"""Draw pairs of images to be judged, with the probability of each pair."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
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
from ..tables import check_table, read_typed, with_text_ids
from ..validate import (
    check_choice,
    check_float,
    check_idle,
    check_int,
    check_seed,
    columns_of,
)
from ..verbs import public
from ..wording import arg, quote, verb
from .pair_strata import Cells, is_apart, pair_strata, within_clusters

if TYPE_CHECKING:
    from ..clustering.kmeans import Fit
    from ..embeddings.embeddings import Embeddings

Array: TypeAlias = np.ndarray[Any, Any]

#: Treatments of pairs with an image that a clustering or an encoder lacks.
MISSING = ("error", "drop")
#: Weights of the pairs within clusters.
WITHIN = ("per_pair", "per_image", "per_cluster")
#: Ways to draw pairs between clusters.
BETWEEN = ("near", "random")


@public
def sample_pairs(
    embeddings: Embeddings | Array | Sequence[Any] | Mapping[str, Any],
    n: int = 554,
    k: int = 80,
    *,
    share_within: float = 0.3,
    within: str = "per_pair",
    between: str = "near",
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
    higher probability than others. So are pairs between clusters whose images look alike.
    :func:`score_clustering` corrects for both with the ``probability`` of each pair.

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
        Number of clusters of the k-means, as in the paper. With 1 there are no clusters, and
        the pairs are a simple random sample of all pairs. If ``clusterings`` or ``grid`` is
        given, the k-means only orders the pairs between their clusters.
    share_within : float, default 0.3
        Share of the pairs whose images are in one cluster of any of the
        clusterings. The paper does not report this share. A larger one makes weighted
        precision more precise and weighted recall less.
    within : {"per_pair", "per_image", "per_cluster"}, default "per_pair"
        How the pairs within clusters are divided among the clusters: in proportion to the
        number of their pairs, in which a few large clusters supply most of them; in
        proportion to the number of their images; or equally. The paper calls the last of
        these "more balanced". See Notes for what it costs.
    between : {"near", "random"}, default "near"
        How the pairs between clusters are drawn: ``"near"`` draws pairs of similar images
        with a higher probability; ``"random"`` draws all with the same one.
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

        With one clustering the strata are "within" its clusters, and "between 1"
        (nearest) to "between 4" (farthest). If the pairs within are divided by image or by
        cluster, strata are clusters, numbered by size: "within 1" (largest), "within 2", ....
        Clusters that would receive fewer than two pairs share a stratum: "within 12-15".
        With several clusterings, strata are defined by the number of (different)
        clusterings that put the pair together: "0 of 12, 1" (nearest) to "0 of 12, 4",
        "1-3 of 12", ..., "10-12 of 12". With ``between="random"`` there is one stratum
        "between" or "0 of 12". With ``k=1`` there is one stratum "all".

    Raises
    ------
    ImagestrataError
        If there are not more images than clusters, there are fewer pairs within or between
        clusters than are to be drawn, clusterings have other images, pairs within the
        clusters of several clusterings are to be divided by image or by cluster, or an argument
        has no effect with ``k=1``.

    Notes
    -----
    Each stratum is a simple random sample without replacement from all its
    pairs, so that the probability is the number of drawn pairs divided by the
    number of pairs. With several clusterings ``share_within`` is divided equally among
    the strata that at least one puts together; a stratum with too few pairs is taken
    whole, and the others receive the remaining pairs.

    *Pairs between clusters.* Nearness is the cosine of the centres of the two images' clusters
    in the k-means of ``k`` clusters (of the first encoder), or of half as many clusters as there
    are images if these are fewer. Pairs are ordered by it and divided into four strata: the
    nearest 1/64 of all pairs between clusters, those up to 1/16, up to 1/4, and the rest. The
    last one receives half of the pairs drawn, because most pairs are in it; the others share the
    rest equally. This is stratified importance sampling: probabilities are higher where
    images that belong together are more frequent, and exact. No stratum has probability 0.

    *Pairs within clusters.* Weighted precision gives every pair the same weight, and so a
    cluster of 400 images 400 times the weight of one of 20. With ``within="per_cluster"``
    large clusters have few judged pairs: on photographs its interval was twice as
    wide as with ``"per_pair"``. Use it to look at every
    cluster; use ``"per_image"`` for a compromise.

    *Plain random pairs.* With ``k=1`` every pair has the same probability, n / (N (N - 1) / 2) of
    N images, so that unweighted measures describe all pairs, too. No pair is within or between
    clusters: ``share_within``, ``within`` and ``between`` have no effect. Few random pairs belong
    together, and precision and recall are estimated from these few: of 554 pairs, 28 if one pair
    in twenty belongs together. Use it if you want no assumption about clusters, such as for the
    share of pairs that belong together.

    The id of a pair is computed from the ids of its images, independent of their sides,
    so that answers to other pairs are detected when they are read.
    """
    from ..clustering.grid import (
        Reduced,
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
    within = check_choice("within", within, WITHIN)
    between = check_choice("between", between, BETWEEN)
    missing = check_choice("missing", missing, MISSING)
    seed = check_seed(seed)
    encoders = named_embeddings(embeddings, missing)
    images = common_images(encoders)
    plain = k == 1 and clusterings is None and grid is None
    settings: dict[str, Any] = {"n": n, "seed": seed}
    if plain:
        check_idle(
            f"with {arg('k', 1)}: all pairs are one stratum",
            share_within=(share_within, 0.3),
            within=(within, WITHIN[0]),
            between=(between, BETWEEN[0]),
        )
    else:
        settings |= {"share_within": share_within, "within": within, "between": between}
    if between == "near" or (clusterings is None and grid is None):
        settings["k"] = k
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
    elif k >= len(images):
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
        rng = np.random.default_rng([seed, 2])
        if plain:
            return _draw_plainly(images, n, rng)
        labels, cells, first = found, None, next(iter(encoders.values()))
        if grid is not None:
            fitted = fit_all(
                candidates, Reduced(encoders, seed, step.parts), progress, "Clustering"
            )
            labels = on_images(images, candidates, fitted, encoders)
        elif clusterings is None:
            fits = (cluster_for_pairs(one.matrix, k, seed).labels for one in encoders.values())
            both = zip(encoders.values(), fits, strict=True)
            labels = [labels_on(images, one, fit) for one, fit in both]
        if between == "near":
            cells = cells_of(images, first, k, seed)
        return draw_pairs(images, labels, n, share_within, rng, within=within, cells=cells)

    def counts(pairs: pd.DataFrame) -> dict[str, int]:
        return {"pairs": len(pairs), "images": len({*pairs["image_a"], *pairs["image_b"]})}

    return step.table(make, counts, read=read_drawn_pairs, identity=pairs_fingerprint)


def read_drawn_pairs(folder: Path) -> pd.DataFrame:
    """Read the pairs of a run folder, or of the run of a variant."""
    folder = step_folder(folder, "pairs")
    return _read(folder, "pairs.csv", "probability")


def read_further_pairs(folder: Path) -> list[pd.DataFrame]:
    """Read the pairs of further rounds in a run folder, those of the second round first."""
    folder = step_folder(folder, "pairs")
    found: list[pd.DataFrame] = []
    while (folder / (name := f"pairs-{len(found) + 2}.csv")).exists():
        found.append(_read(folder, name, "probability", "round"))
    return found


def _read(folder: Path, name: str, *needed: str) -> pd.DataFrame:
    names = ("pair_id", "image_a", "image_b", "path_a", "path_b", "stratum")
    try:
        stored = read_typed(folder / name, names, texts=names, ours=True)
        check_pairs(stored, *needed)
    except ValueError as error:
        raise damaged(folder / name, error) from None
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
    pairs = _once(pairs)
    _check_ids(pairs, repeated)
    return pairs


def _once(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs that were both sampled and proposed have one row, that of the sample.

    :func:`sample_pairs` and :func:`propose_pairs` may draw the same pair. If it was judged twice,
    alike and by the same annotator, the judgements are one.
    """
    if "probability" not in pairs:
        return pairs
    unknown = pairs["probability"].isna()
    if unknown.all() or not unknown.any():
        return pairs
    same = [one for one in ("pair_id", "annotator", "question", "judgement") if one in pairs]
    keys = pd.MultiIndex.from_frame(pairs[same].astype("string").fillna(""))
    repeated = unknown.to_numpy() & keys.isin(keys[~unknown.to_numpy()])
    return pairs[~repeated].reset_index(drop=True) if repeated.any() else pairs


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
                f"judgements. {verb('score_clustering')} also takes them all, with "
                f"{arg('error_rate', 'estimate')}."
                if "judgement" in pairs
                else "Keep one row for each.",
            )


def draw_pairs(
    images: pd.DataFrame,
    clusterings: Array | Sequence[Array],
    n: int,
    share_within: float,
    rng: np.random.Generator,
    *,
    within: str = "per_pair",
    cells: Cells | None = None,
) -> pd.DataFrame:
    """Draw pairs of ``images`` by how many of the clusterings put them together.

    Parameters
    ----------
    images : DataFrame
        With ``image_id`` and ``path``.
    clusterings : array-like of shape (n_images,) or (n_clusterings, n_images)
        The cluster of each image, in one clustering or in several; negative numbers mark
        images that are apart from all others. A clustering that occurs twice counts once.
    n, share_within, rng, within
        See :func:`sample_pairs`.
    cells : Cells, optional
        Cells of images by which pairs that no clustering puts together are ordered. By
        default these are one stratum.
    """
    strata = pair_strata(clusterings, round(n * share_within), within, cells)
    sizes = {name: stratum.size for name, stratum in strata.items()}
    wanted = _allocate(sizes, n, round(n * share_within), {k: s.due for k, s in strata.items()})
    drawn = {name: strata[name].draw(number, rng) for name, number in wanted.items() if number}
    return pairs_table(images, drawn, sizes, rng)


def _draw_plainly(images: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw a simple random sample of all pairs."""
    everything = within_clusters(np.zeros(len(images), dtype=np.int64), "per_pair", n)["within"]
    if n > everything.size:
        raise ImagestrataError(
            f"{plural(n, 'pair')} were asked for, but {plural(len(images), 'image')} have only "
            f"{everything.size:,}.",
            f"Draw fewer pairs with {arg('n')}.",
        )
    return pairs_table(images, {"all": everything.draw(n, rng)}, {"all": everything.size}, rng)


def pairs_table(
    images: pd.DataFrame,
    drawn: Mapping[str, pd.DataFrame],
    sizes: Mapping[str, int],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The table of pairs, drawn from strata of these sizes as rows of images, in random order."""
    parts = [
        rows.assign(stratum=name, N_h=sizes[name], probability=len(rows) / sizes[name])
        for name, rows in drawn.items()
    ]
    nothing = pd.DataFrame({"a": np.arange(0), "b": np.arange(0), "stratum": np.array([], "O"),
                            "N_h": np.arange(0), "probability": np.zeros(0)})  # fmt: skip
    table = pd.concat(parts, ignore_index=True) if parts else nothing
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


def _allocate(
    sizes: Mapping[str, int], n: int, n_within: int, due: Mapping[str, float] | None = None
) -> dict[str, int]:
    """Numbers of pairs to draw: ``n_within`` of pairs that are together, and the others.

    Either are shared out in proportion to what is ``due`` (by default equally) to each stratum.
    """
    due = dict.fromkeys(sizes, 1.0) if due is None else due
    apart = [name for name in sizes if is_apart(name)]
    inside = [name for name in sizes if name not in apart]
    wanted: dict[str, int] = {}
    for stratum, names, number in (("within", inside, n_within), ("between", apart, n - n_within)):
        _check_enough(stratum, number, sum(sizes[name] for name in names))
        wanted |= share_out(number, {name: sizes[name] for name in names}, due)
    return wanted


def share_out(n: int, sizes: Mapping[str, int], due: Mapping[str, float]) -> dict[str, int]:
    """Divide ``n`` pairs in proportion to ``due``; others receive what a stratum lacks."""
    names = sorted(sizes, key=lambda name: sizes[name] / due[name])
    left, left_due, wanted = n, sum(due[name] for name in names), {}
    for place, name in enumerate(names):
        last = place == len(names) - 1
        share = left if last else int(left * due[name] / left_due + 1e-9)
        wanted[name] = min(share, sizes[name])
        left, left_due = left - wanted[name], left_due - due[name]
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
    images = with_text_ids(images[["image_id", "cluster"]])
    return one_each("The clustering", images.set_index("image_id")["cluster"])


def cluster_for_pairs(matrix: Array, k: int, seed: int) -> Fit:
    """The k-means from whose clusters pairs are drawn."""
    from ..clustering.kmeans import kmeans
    from ..clustering.vectors import as_vectors

    return kmeans(as_vectors(matrix), k, np.random.default_rng([seed, 1]))


def cells_of(images: pd.DataFrame, embeddings: Embeddings, k: int, seed: int) -> Cells:
    """The cells of ``images`` by which pairs between clusters are ordered."""
    from ..clustering.grid import labels_on

    fit = cluster_for_pairs(embeddings.matrix, min(k, max(len(embeddings.images) // 2, 1)), seed)
    return Cells(labels_on(images, embeddings, fit.labels), np.asarray(fit.centers))


def _check_enough(stratum: str, wanted: int, there_are: int) -> None:
    if wanted > there_are:
        fewer = "fewer" if stratum == "within" else "more"
        raise ImagestrataError(
            f"{plural(wanted, 'pair')} {stratum} clusters were asked for, but there are only "
            f"{there_are}.",
            f"Draw fewer pairs with {arg('n')}, change {arg('share_within')}, or use {fewer} "
            f"clusters with {arg('k')}.",
        )
