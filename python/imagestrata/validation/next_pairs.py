"""The pairs to be judged next, so that precision and recall are known well enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from ..clustering.grid import common_images, named_embeddings
from ..errors import ImagestrataError, plural
from ..sampling.pair_strata import Blocks, pair_strata, within_named
from ..sampling.pairs import cells_of, clusters_by_image, pairs_table
from ..validate import check_bool, check_conf_level, check_float, check_idle, check_int, check_seed
from ..verbs import public
from ..wording import arg, quote, verb
from .pair_scores import (
    check_judged,
    design_weights,
    groups_of,
    pairs_together,
    score_by_pairs,
    strata_of,
)
from .second_looks import ESTIMATE, Looks, check_error_rate, draw_truth, one_row_each

if TYPE_CHECKING:
    from ..embeddings.embeddings import Embeddings

Array: TypeAlias = np.ndarray[Any, Any]

#: Share of new pairs that all strata receive, whatever they are expected to tell.
_SHARE_FOR_ALL = 0.1
#: Share of second looks that are drawn at random.
_SHARE_AT_RANDOM = 0.5
#: Number of draws from which the probability that a pair belongs together is estimated.
_N_DRAWS = 200


@public
def next_pairs(
    judged: pd.DataFrame,
    clustering: Any,
    embeddings: Any = None,
    n: int = 100,
    *,
    again: bool = False,
    width: float = 0.2,
    k: int = 80,
    same_from: float = 1,
    error_rate: float | str = 0,
    conf_level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw the pairs to be judged next, those that tell most about a clustering.

    Judge pairs in rounds: draw some with :func:`sample_pairs` from the clustering, have them
    judged, draw further ones with this function, and so on, until the intervals of
    weighted precision and recall are narrow enough. Then no pair is drawn.

    People err. If each pair has one judgement, have some judged again by others, with
    ``again=True``, and score all judgements together with ``error_rate="estimate"``.

    Parameters
    ----------
    judged : DataFrame
        The judged pairs of all rounds so far, in one table (``pandas.concat``): one
        ``judgement`` per pair, as :func:`read_pairs` or :func:`consensus` return them; with
        ``again`` or ``error_rate="estimate"`` one row per pair and annotator. Those of
        the first round are the result of :func:`sample_pairs` with
        ``clusterings=clustering``.
    clustering : Clustering or DataFrame
        The clustering from which the pairs were drawn, and whose precision and recall
        are to be known.
    embeddings : Embeddings, or ndarray of shape (n_images, d), or a list or dict of these; optional
        The vectors given to :func:`sample_pairs`. They are not needed if it was called with
        ``between="random"``, or with ``again``.
    n : int, default 100
        Number of pairs.
    again : bool, default False
        Return pairs that were judged, for a second look by other annotators, instead of new
        ones. Call it again with the new judgements: pairs whose judgements contradict each other
        get a third look.
    width : float, default 0.2
        Width of the intervals of weighted precision and recall at which no further pair is
        drawn; 0 to go on.
    k : int, default 80
        The value of ``k`` in :func:`sample_pairs`.
    same_from : float, default 1
        The lowest judgement that means "these belong together".
    error_rate : float or "estimate", default 0
        Share of the judgements that are wrong, as in :func:`score_clustering`; with ``again``
        it is always estimated.
    conf_level : float, default 0.95
        Confidence level of the intervals.
    seed : int, default 0
        The value of ``seed`` in :func:`sample_pairs`.

    Returns
    -------
    DataFrame
        The new pairs, in the form of :func:`sample_pairs`, with ``round`` (2 in the first call).
        ``probability`` counts all rounds: the number of pairs drawn so far from the
        stratum, divided by ``N_h``. With ``again``, rows of ``judged``, without the judgements
        and as they are. Without rows if the intervals are narrow enough.

    Raises
    ------
    ImagestrataError
        If pairs were drawn from another clustering or with other vectors, ``k`` or ``seed``,
        or fewer than ``n`` pairs are left.

    Notes
    -----
    Every round is a simple random sample, without replacement, of the pairs of each stratum
    that no earlier round drew. All rounds together are therefore a stratified sample, and
    :func:`score_clustering` takes them in one table. Earlier judgements only decide how many
    pairs each stratum receives.

    These numbers minimise the sum of the variances of precision and recall (Neyman
    allocation). A stratum of N pairs, of which a share p belongs together, contributes
    c N² p (1 - p) / n to the sum if n of its pairs are judged, so that n is proportional to
    N √(c p (1 - p)). By linearisation c is (1 - R)² / T² + 1 / M² in clusters and R² / T²
    between them, with recall R, the number M of pairs in one cluster and the number T of pairs
    that belong together. Shares are estimated from all rounds so far, with half a pair of
    each kind added, since a share estimated as 0 would never be looked at again. A tenth of the
    pairs is divided as in :func:`sample_pairs`.

    This is adaptive importance sampling with strata (Marchant and Rubinstein 2017, who draw with
    replacement). Since every stratum receives pairs in every round, estimates are
    consistent. Choosing by earlier judgements, and stopping by width, makes them slightly
    biased in small samples.

    *Second looks.* Most pairs between clusters do not belong together, so that most of those that
    one annotator puts together are errors. With ``again``, half of the pairs are those whose
    judgements leave most unknown about precision and recall: with the probability q that a pair
    belongs together, given its judgements (see Notes of :func:`score_clustering`), and the number w
    of pairs that it represents, those with the largest w √(c q (1 - q)). The other half are a
    random sample of the pairs in one cluster with one judgement, which tell how often people
    set apart what belongs together. ``docs/judged-pairs.md`` says how much narrower second looks
    made intervals in simulations.
    """
    n = check_int("n", n, minimum=1)
    width = check_float("width", width, minimum=0, maximum=1)
    k = check_int("k", k, minimum=1)
    same_from = check_float("same_from", same_from, minimum=0, maximum=2)
    error_rate = check_error_rate(error_rate)
    again = check_bool("again", again)
    conf_level = check_conf_level(conf_level)
    seed = check_seed(seed)
    if again and not isinstance(error_rate, str):
        check_idle(f"with {arg('again', True)}", error_rate=(error_rate, 0))
        error_rate = ESTIMATE
    given = check_judged(judged, "judged", repeated=error_rate == ESTIMATE)
    for name in ("stratum", "N_h", "probability"):
        if name not in given:
            raise ImagestrataError(
                f"{arg('judged')} has no column {quote(name)}, which says how pairs were drawn.",
                f"Join it from the result of {verb('sample_pairs')}.",
            )
    pairs, n_judged, n_same = one_row_each(given, same_from)

    enough = _narrow(
        clustering,
        given,
        n_judged,
        width,
        same_from=same_from,
        error_rate=error_rate,
        conf_level=conf_level,
        seed=seed,
    )
    if again:
        columns = [name for name in pairs if name not in ("annotator", "judgement", "n_annotators")]
        if enough:
            return pairs.loc[[], columns]
        known = np.flatnonzero(n_judged > 0)
        if n > len(known):
            raise ImagestrataError(
                f"{plural(n, 'pair')} were asked for, but only {len(known):,} are judged.",
                f"Ask for fewer pairs with {arg('n')}.",
            )
        rng = np.random.default_rng([seed, 8, int(n_judged.sum())])
        rows = choose_again(_answers(pairs, clustering, n_judged, n_same).iloc[known], n, rng)
        return pairs.loc[known[rows], columns].reset_index(drop=True)
    images, labels, vectors = _images_of(clustering, embeddings)
    strata = _strata_of(pairs, images, labels, vectors, k, seed)
    rounds = pd.to_numeric(pairs["round"]).fillna(1) if "round" in pairs else pd.Series([1])
    number = int(rounds.max()) + 1

    sizes = {name: stratum.size for name, stratum in strata.items()}
    rows = _rows_of(pairs, images)
    names = pairs["stratum"].to_numpy(dtype=object)
    taken = {name: rows[names == name] for name in strata}
    left = {name: sizes[name] - len(taken[name]) for name in strata}
    if not enough and sum(left.values()) < n:
        raise ImagestrataError(
            f"{plural(n, 'pair')} were asked for, but only {sum(left.values()):,} are left.",
            f"Draw fewer pairs with {arg('n')}.",
        )
    same, rate = (n_same > 0).astype(float), 0.0
    if isinstance(error_rate, str):
        answers = _answers(pairs, clustering, n_judged, n_same)
        same = _probability_same(answers, np.random.default_rng([seed, 9, number]))
    else:
        rate = error_rate
    wanted = dict.fromkeys(strata, 0)
    if not enough:
        counts = {
            name: np.array([same[names == name].sum(), (n_judged[names == name] > 0).sum()])
            for name in strata
        }
        due = {name: stratum.due for name, stratum in strata.items()}
        wanted = allocate_next(counts, sizes, left, due, n, rate)
    rng = np.random.default_rng([seed, 7, number])
    drawn = {
        name: strata[name].draw(wanted[name], rng, taken[name]) for name in strata if wanted[name]
    }
    table = pairs_table(images, drawn, sizes, rng)
    so_far = pd.Series({name: len(taken[name]) + wanted[name] for name in strata}, dtype=float)
    probability = table["stratum"].map(so_far).astype(float) / table["N_h"]
    return table.assign(probability=probability, round=number)


def _narrow(
    clustering: Any, judged: pd.DataFrame, n_judged: Array, width: float, **settings: Any
) -> bool:
    """Whether the intervals of precision and recall are narrow enough."""
    # Without pairs that were judged twice, errors cannot be estimated.
    if settings["error_rate"] == ESTIMATE and n_judged.max(initial=0) < 2:
        return False
    asked = ("precision", "recall")
    scores = score_by_pairs(
        clustering,
        judged,
        measures=asked,
        weighted=True,
        residual="alone",
        missing="error",
        n_boot=1000,
        **settings,
    )
    scores = scores[scores["measure"].isin(asked)]
    return bool(((scores["conf_high"] - scores["conf_low"]).fillna(1) <= width).all())


def _answers(pairs: pd.DataFrame, clustering: Any, judged: Array, same: Array) -> pd.DataFrame:
    """What :func:`choose_again` needs to know of pairs."""
    return pd.DataFrame(
        {
            "together": pairs_together(clustering, pairs)[0],
            "judged": judged,
            "same": same,
            "weight": design_weights(pairs),
            "stratum": strata_of(pairs),
            "group": groups_of(pairs),
        }
    )


def choose_again(answers: pd.DataFrame, n: int, rng: np.random.Generator) -> Array:
    """Rows of the pairs to be judged again, in random order.

    Parameters
    ----------
    answers : DataFrame
        Per pair: whether the clustering puts it ``together``; the numbers of times that it was
        ``judged``, and as the ``same``; ``weight``, the number of pairs that it represents; and
        the numbers of its ``stratum`` and ``group``.
    n, rng
        Number of pairs and generator of random numbers.
    """
    together, weights = answers["together"].to_numpy(), answers["weight"].to_numpy()
    same = _probability_same(answers, rng)
    n_together, belong = float(weights @ together), max(float(weights @ same), 1.0)
    cost = _cost(together, n_together, belong, float(weights @ (same * together)) / belong)
    once = np.flatnonzero(together & (answers["judged"] == 1).to_numpy())
    at_random = rng.permutation(once)[: int(n * _SHARE_AT_RANDOM)]
    tells = weights * np.sqrt(cost * same * (1 - same))
    tells[at_random] = -1
    most = np.argsort(-tells, kind="stable")[: n - len(at_random)]
    chosen: Array = rng.permutation(np.concatenate([at_random, most]))
    return chosen


def _probability_same(answers: pd.DataFrame, rng: np.random.Generator) -> Array:
    """Probability that each pair belongs together, given its judgements."""
    _, first, stratum = np.unique(answers["stratum"], return_index=True, return_inverse=True)
    group = np.unique(answers["group"].to_numpy()[first], return_inverse=True)[1]
    columns = (answers[name].to_numpy() for name in ("together", "judged", "same"))
    looks, kind = Looks.of(stratum, *columns)
    of_group = group[stratum]
    weights = np.bincount(of_group, answers["weight"]) / np.bincount(of_group)
    probability: Array = draw_truth(looks, group, weights, _N_DRAWS, rng).probability[kind]
    return probability


def _cost(inside: Array, n_inside: float, belong: float, recall: float) -> Array:
    """What the variance of a number of pairs adds to those of precision and recall."""
    cost: Array = np.where(
        inside, (1 - recall) ** 2 / belong**2 + 1 / max(n_inside, 1) ** 2, recall**2 / belong**2
    )
    return cost


def allocate_next(
    counts: Mapping[str, Array],
    sizes: Mapping[str, int],
    left: Mapping[str, int],
    due: Mapping[str, float],
    n: int,
    error_rate: float = 0.0,
) -> dict[str, int]:
    """Numbers of further pairs of each stratum.

    Parameters
    ----------
    counts : mapping of ndarray of shape (2,)
        Number of pairs judged as belonging together, and of all judged pairs.
    sizes, left : mapping of int
        Number of all pairs, and of those that are not drawn yet.
    due : mapping of float
        What each stratum is due in the first round, relative to others of its kind.
    n, error_rate
        See :func:`next_pairs`.
    """
    names = list(sizes)
    same, judged = np.array([counts[name] for name in names], dtype=float).T
    size = np.array([sizes[name] for name in names], dtype=float)
    free = np.array([left[name] for name in names], dtype=float)
    inside = np.array([name.startswith("within") for name in names])
    share = (same + 0.5) / (judged + 1)
    right = np.clip((share - error_rate) / (1 - 2 * error_rate), 0, 1)
    n_inside, belong = size[inside].sum(), max(float(size @ right), 1.0)
    recall = float(size[inside] @ right[inside]) / belong
    cost = _cost(inside, n_inside, belong, recall)
    tells = size * np.sqrt(cost * share * (1 - share))
    for_all = np.array([due[name] for name in names])
    for kind in (inside, ~inside):
        for_all[kind] /= 2 * max(for_all[kind].sum(), 1e-12)
    n_for_all = min(max(round(n * _SHARE_FOR_ALL), 1), n)
    further = _fill(np.zeros(len(names)), for_all, free, n_for_all)
    further += _fill(judged + further, tells, free - further, n - n_for_all)
    return dict(zip(names, further.astype(int).tolist(), strict=True))


def _fill(have: Array, tells: Array, free: Array, n: int) -> Array:
    """Add ``n`` pairs one by one, each where a pair is most lacking: tells / number is largest."""
    further = np.zeros(len(have))
    for _ in range(n):
        gain = np.where(further < free, np.maximum(tells, 1e-300) / (have + further + 0.5), -1)
        further[np.argmax(gain)] += 1
    return further


def _images_of(clustering: Any, embeddings: Any) -> tuple[pd.DataFrame, Array, Embeddings | None]:
    """The images of the clustering in the order of the vectors, their clusters, the vectors."""
    clusters = clusters_by_image(clustering)
    vectors = None
    if embeddings is None:
        images = getattr(clustering, "images", clustering)
    else:
        encoders = named_embeddings(embeddings, "error")
        vectors = next(iter(encoders.values()))
        images = common_images(encoders)
    known = images["image_id"].isin(clusters.index)
    if not known.all() or len(images) != len(clusters):
        raise ImagestrataError(
            f"The clustering has {plural(len(clusters), 'image')}, and the vectors are of "
            f"{len(images)}, {int(known.sum())} of them in the clustering.",
            f"Give the embeddings from which {arg('clustering')} was made.",
        )
    images = images.reset_index(drop=True)
    if "path" not in images:
        images = images.assign(path=None)
    return images, clusters.loc[images["image_id"]].to_numpy(), vectors


def _rows_of(pairs: pd.DataFrame, images: pd.DataFrame) -> Array:
    """Rows of the two images of each pair, of shape (n_pairs, 2)."""
    known = pd.Index(images["image_id"])
    rows = np.stack([known.get_indexer(pd.Index(pairs[name])) for name in ("image_a", "image_b")])
    if (rows < 0).any():
        raise ImagestrataError(
            f"{int((rows < 0).any(axis=0).sum())} of {plural(len(pairs), 'pair')} have an image "
            "that is not in the clustering.",
            "Give the clustering from which the pairs were drawn.",
        )
    return rows.T


def _strata_of(
    pairs: pd.DataFrame,
    images: pd.DataFrame,
    labels: Array,
    embeddings: Embeddings | None,
    k: int,
    seed: int,
) -> dict[str, Blocks]:
    """The strata from which the pairs were drawn, checked by their sizes."""
    said = pairs.groupby("stratum")["N_h"].first()
    near = bool(said.index.str.fullmatch(r"between \d+").any())
    if near and embeddings is None:
        raise ImagestrataError(
            "The pairs between clusters were drawn by nearness, for which vectors are needed.",
            f"Give the {arg('embeddings')} that {verb('sample_pairs')} was given.",
        )
    cells = cells_of(images, embeddings, k, seed) if near and embeddings is not None else None
    every = pair_strata(labels, 0, "per_pair", cells)
    strata = {
        name: stratum
        for name, stratum in every.items()
        if name.startswith("between") and isinstance(stratum, Blocks)
    }
    strata |= within_named(labels, [name for name in said.index if name.startswith("within")])
    for name, size in said.items():
        there_are = strata[name].size if name in strata else 0
        if there_are != size:
            raise ImagestrataError(
                f"The pairs were not drawn from this clustering: their stratum {quote(name)} has "
                f"{size:,.0f} pairs of images, and that of the clustering {there_are:,}.",
                f"Draw pairs with {verb('sample_pairs')} and {arg('clusterings')}, and give the "
                f"same clustering, embeddings, {arg('k')} and {arg('seed')} here.",
            )
    total = sum(stratum.size for stratum in strata.values())
    if total != len(labels) * (len(labels) - 1) // 2:
        raise ImagestrataError(
            "Some strata have no judged pair: those of the table do not add up to all pairs of "
            "images.",
            "Give all pairs of the first round, or begin with more of them.",
        )
    return strata
