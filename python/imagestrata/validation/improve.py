"""Clusters that judged pairs improve, and the pairs whose judgements improve them most."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..annotation.agreement import percentile_interval
from ..clustering.clustering import Clustering, check_clustering, vectors_of
from ..clustering.edit import check_run, edit_clusters
from ..errors import ImagestrataError, plural
from ..rows import as_rows
from ..sampling.pairs import pairs_table
from ..shown import Part, Shown
from ..tables import id_texts
from ..validate import (
    check_bool,
    check_choice,
    check_conf_level,
    check_float,
    check_int,
    check_path,
    check_seed,
    check_text,
)
from ..verbs import public
from ..wording import arg, quote, verb
from .division import Piece, divide
from .folds import deal_folds
from .join_tree import JoinTree, join_tree
from .pair_scores import (
    RATIOS,
    Sample,
    check_judged,
    design_weights,
    groups_of,
    pair_ratios,
    score_sample,
    strata_of,
    tell_not_weighted,
)
from .teaching import Belief, believe, best_joins, proposed

Array: TypeAlias = NDArray[Any]

#: Standard deviations by which the evidence must exceed what an edit needs, tried in this order.
_CAUTION = (0.5, 1.0, 2.0)
#: What is tried in turn: whether clusters are divided, too, and the standard errors by which
#: held-out pairs must agree more with this than with what they asked for before.
_STEPS = ((False, 1.0), (True, 2.0))
#: For each held-out pair in a cluster that does not agree with its division, more must agree.
_AGREED = 2
#: Stratum of pairs that teach and are no probability sample.
TEACHING = "teaching"
_N_DRAWS = 1000
#: Number of pairs up to which all are listed to draw some.
_FEW_PAIRS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class Improvement(Shown):
    """A clustering that judged pairs improved.

    Attributes
    ----------
    clustering : Clustering
        The edited clustering; the given one if no edit helps.
    edits : DataFrame
        The new edits, as in ``Clustering.edits``: action is merge or split, and note says how many
        judged pairs support the edit. No rows if no edit helps.
    scores : DataFrame
        Scores on held-out pairs: measure (precision, recall, f1, mean_pr), weighting ("design" or
        "none"), clustering ("before", "after" or "difference"), estimate, conf_low, conf_high,
        n_pairs.
    summary : DataFrame
        One row: n_pairs (judged pairs that teach), n_missing (pairs with an image that is not in
        the clustering), n_residual (pairs with an image of the residual, which do not teach),
        n_merges, n_splits, n_clusters_before, n_clusters, n_reversed (held-out pairs that the
        edits put together or apart, and the clustering did not), n_agreed (those on which the
        judges agree with the edits), caution (standard deviations by which the evidence had to
        exceed what an edit needs; missing without edits).
    settings : dict
        The arguments.
    """

    clustering: Clustering
    edits: pd.DataFrame
    scores: pd.DataFrame
    summary: pd.DataFrame
    settings: dict[str, Any]

    def _parts(self) -> list[Part]:
        row = self.summary.iloc[0]
        judged = plural(int(row["n_pairs"]), "judged pair")
        if self.edits.empty:
            said = f"No edit: {judged} do not show that one helps."
        else:
            said = (
                f"{plural(int(row['n_merges']), 'merge')} and "
                f"{plural(int(row['n_splits']), 'split')} from {judged}: "
                f"{plural(int(row['n_clusters_before']), 'cluster')} before, "
                f"{int(row['n_clusters'])} after."
            )
        held = (
            f"Held-out pairs that the edits decide otherwise: {int(row['n_reversed'])}. "
            f"Judges agree with the edits on {int(row['n_agreed'])} of them."
        )
        shown = self.scores[self.scores["measure"].isin(["precision", "recall", "f1"])]
        parts: list[Part] = [said, held]
        if len(shown):
            parts.append((shown.drop(columns="n_pairs").round(3), "score"))
        if len(self.edits):
            lines = self.edits.drop_duplicates("edit")[["edit", "action", "clusters", "note"]]
            parts.append((lines, "edit"))
        return parts


@public
def improve_clusters(
    clustering: Clustering,
    pairs: pd.DataFrame,
    embeddings: Any = None,
    *,
    smallest: int = 5,
    folds: int = 5,
    weighted: bool | None = None,
    same_from: float = 1,
    error_rate: float = 0.05,
    missing: str = "error",
    conf_level: float = 0.95,
    editor: str | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Improvement:
    """Merge and split clusters as judged pairs of images suggest.

    Images of each cluster are divided into small groups of similar images. Judged pairs teach which
    groups belong together: across the border of two groups, and, by a model of all pairs, across
    similar borders. Groups of one cluster that belong apart are split, and clusters that belong
    together are merged. Every change is an edit in the ledger, which you can undo.

    Parameters
    ----------
    clustering : Clustering
        It does not change: the improved clustering is in the result.
    pairs : DataFrame
        Judged pairs, with one ``judgement`` each, from 0 to 2: results of :func:`read_pairs` or of
        :func:`consensus`, which makes one judgement of several of a pair. Best are pairs of
        :func:`propose_pairs`, together with some of :func:`sample_pairs` for the scores.
    embeddings : Embeddings, or vectors, optional
        The vectors of the images. By default those from which the clustering was made, if it still
        knows them.
    smallest : int, default 5
        Smallest number of images of a group, and so of a cluster that a split makes.
    folds : int, default 5
        Number of folds of the cross-validation.
    weighted : bool, optional
        Whether scores are weighted by the ``probability`` of pairs. By default they are, if
        there is such a column, and pairs without a probability do not count in the scores.
    same_from : float, default 1
        The lowest judgement that means "these belong together".
    error_rate : float, default 0.05
        Share of the judgements that are expected to be wrong when they teach: the larger, the more
        pairs an edit needs. Scores take judgements as they are.
    missing : {"error", "drop"}, default "error"
        Treatment of pairs with an image that is not in the clustering.
    conf_level : float, default 0.95
        Confidence level of the intervals of scores.
    editor : str, optional
        Who made the edits, for the ledger.
    seed : int, default 0
        Seed of the folds and of the draws of intervals.
    out : path, optional
        Run folder with the clustering, in which the edits are stored as by :func:`edit_clusters`.
    overwrite : bool, default False
        Replace other edits in ``out``.

    Returns
    -------
    Improvement
        Its ``clustering``, the new ``edits``, ``scores`` before and after, and a ``summary``.

    Raises
    ------
    ImagestrataError
        If vectors are needed and unknown, a pair names an unknown image, or there are too few
        pairs for the folds.

    Warns
    -----
    UserWarning
        If pairs have no ``probability``: scores then describe the judged pairs only.

    Notes
    -----
    *Groups.* Images are compared by the leading principal components of their vectors, scaled by
    the covariance within clusters. Average linkage joins the images of each cluster, and the
    clusters, in a tree. Joins of fewer than ``smallest`` images with others are dissolved. What
    remains are groups and the joins between them.

    *What pairs teach.* The share of the pairs across each join that belong together has a beta
    prior worth two pairs. Its mean comes from a logistic regression on all judged pairs: on the
    height of the join, its step from the joins below, the size of its smaller side, whether it is
    inside a cluster, and the cluster, with a ridge penalty. The judged pairs across the join give
    the posterior, with ``error_rate``. The clusters are the cut of the tree with the largest
    expected B-cubed F, where each share is moved by half a standard deviation towards what the
    clusters are now.

    *Divisions.* Pairs inside each of these parts divide it in two: by the logistic function of its
    vectors, with a ridge penalty, that makes the judgements most probable, where two images belong
    together if they are on the same side. A part is divided if B-cubed precision is expected to
    gain more than recall loses, and so are its sides.

    *When edits are made.* Each fold of pairs is held out in turn, and the other pairs, without
    those that have an image in common with it, make edits. The cut of the tree is only made from
    all pairs if the held-out judgements that it reverses agree with it, by more than one standard
    error of the difference; otherwise the evidence must exceed what is needed by one and then two
    standard deviations, and then the clusters stay as they are. Divisions are added if held-out
    judgements agree more with them than with that, by more than two standard errors; a cluster
    then stays whole unless more than two held-out pairs in it agree with its parts for each one
    that does not.

    *Scores.* They are those of the whole procedure: within each fold this choice is made without
    the pairs of the fold. No pair is scored by edits that it, or a pair with one of its images,
    has taught. The clustering that you receive learns from all pairs, somewhat more than those
    that are scored. Intervals of the difference are from 1,000 bootstrap samples of
    the pairs within strata; they are missing if no scored pair changes.

    See ``docs/improving.md`` for how much is gained.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from imagestrata import Clustering, improve_clusters
    >>> vectors = np.repeat(np.eye(3), 10, axis=0)
    >>> found = Clustering.from_labels(vectors, np.repeat([1, 1, 2], 10))
    >>> ids = found.images["image_id"]
    >>> a, b = np.repeat([0, 1, 10], 10), [*range(10, 20), *range(2, 10), 10, 11, *range(20, 30)]
    >>> pairs = pd.DataFrame({"image_a": ids[a].array, "image_b": ids[b].array})
    >>> pairs["pair_id"] = [f"p{i}" for i in range(30)]
    >>> pairs["judgement"] = [int(i // 10 == j // 10) for i, j in zip(a, b)]
    >>> improved = improve_clusters(found, pairs, weighted=False)
    >>> improved.edits["action"].unique().tolist()
    ['split']
    """
    clustering = check_clustering(clustering)
    smallest = check_int("smallest", smallest, minimum=1)
    folds = check_int("folds", folds, minimum=2)
    same_from = check_float("same_from", same_from, minimum=0, maximum=2)
    error_rate = check_float("error_rate", error_rate, minimum=0, maximum=0.499)
    missing = check_choice("missing", missing, ("error", "drop"))
    conf_level = check_conf_level(conf_level)
    editor = check_text("editor", editor)
    seed = check_seed(seed)
    overwrite = check_bool("overwrite", overwrite)
    if out is not None:
        check_run(clustering, check_path("out", out))
    judged = check_judged(pairs)
    judged, n_missing = _known(clustering, judged[judged["judgement"].notna()], missing, "pairs")
    is_scored = _is_scored(judged, weighted)
    tree = _tree_of(clustering, embeddings, smallest)
    data = _Judged.of(clustering, tree, judged, same_from)
    fold = deal_folds(judged, folds, same_from, seed)

    teacher = _Teacher(tree, data, error_rate, smallest)
    parts, caution = teacher.learn(np.ones(len(judged), dtype=bool), folds, seed)
    after = np.zeros(len(judged), dtype=bool)
    for number in range(folds):
        held = fold == number
        learnt, _ = teacher.learn(data.apart_from(held), folds, seed)
        after[held] = data.together(learnt, held)
    before = data.together(data.clusters)
    scores = _scores(judged[is_scored], before[is_scored], after[is_scored],
                     data.same[is_scored], same_from, weighted, conf_level, seed)  # fmt: skip
    reversed_ = before != after
    table = _edits(clustering, data, tree, parts)
    made = clustering
    if len(table):
        made = edit_clusters(
            clustering, embeddings, edits=table, editor=editor, out=out, overwrite=overwrite
        )
    new = made.edits.iloc[len(clustering.edits) :].reset_index(drop=True)
    actions = new.drop_duplicates("edit")["action"]
    summary = {
        "n_pairs": int((data.node >= 0).sum()),
        "n_missing": n_missing,
        "n_residual": int((data.node < 0).sum()),
        "n_merges": int((actions == "merge").sum()),
        "n_splits": int((actions == "split").sum()),
        "n_clusters_before": len(clustering.clusters),
        "n_clusters": len(made.clusters),
        "n_reversed": int(reversed_.sum()),
        "n_agreed": int((reversed_ & (after == data.same)).sum()),
        "caution": caution if len(new) else np.nan,
    }
    settings = {
        "smallest": smallest, "folds": folds, "same_from": same_from, "error_rate": error_rate,
        "missing": missing, "conf_level": conf_level, "seed": seed,
    }  # fmt: skip
    return Improvement(made, new, scores, pd.DataFrame([summary]), settings)


@public
def propose_pairs(
    clustering: Clustering,
    judged: pd.DataFrame | None = None,
    embeddings: Any = None,
    n: int = 100,
    *,
    smallest: int = 5,
    same_from: float = 1,
    error_rate: float = 0.05,
    seed: int = 0,
) -> pd.DataFrame:
    """Propose the pairs whose judgements improve a clustering most.

    They lie where a wrong decision of :func:`improve_clusters` is likely and concerns many images:
    between the groups of similar images in loose clusters, and between near clusters. Have them
    judged in rounds of about 100: give the judged pairs of all rounds so far as ``judged``.

    Parameters
    ----------
    clustering : Clustering
        The clustering to be improved.
    judged : DataFrame, optional
        The judged pairs so far, as for :func:`improve_clusters`. They decide which further pairs
        tell most, and are not drawn again. Nor are pairs that wait for a judgement: those in which
        it is missing, or all if the table has no column ``judgement``.
    embeddings : Embeddings, or vectors, optional
        The vectors of the images, as for :func:`improve_clusters`.
    n : int, default 100
        Number of pairs.
    smallest : int, default 5
        As for :func:`improve_clusters`.
    same_from : float, default 1
        As for :func:`improve_clusters`.
    error_rate : float, default 0.05
        As for :func:`improve_clusters`.
    seed : int, default 0
        Seed of the images, their sides and their order.

    Returns
    -------
    DataFrame
        One row per pair, in random order, with the columns of :func:`sample_pairs`. ``stratum`` is
        "teaching", and ``N_h`` and ``probability`` are missing: these pairs teach, and are not a
        probability sample. They cannot say how good a clustering is.

    Raises
    ------
    ImagestrataError
        If vectors are needed and unknown, or a judged pair names an unknown image.

    Notes
    -----
    The next pair is taken where the expected loss per pair of the better decision, times the
    harmonic mean of the numbers of images on both sides, is largest, divided by the number of pairs
    already taken there plus one, to the power 1.5; or inside a part that judged pairs divide, where
    the image whose side tells most is paired with one whose side is certain.
    """
    clustering = check_clustering(clustering)
    n = check_int("n", n, minimum=1)
    smallest = check_int("smallest", smallest, minimum=1)
    same_from = check_float("same_from", same_from, minimum=0, maximum=2)
    error_rate = check_float("error_rate", error_rate, minimum=0, maximum=0.499)
    seed = check_seed(seed)
    tree = _tree_of(clustering, embeddings, smallest)
    table = pd.DataFrame({"image_a": [], "image_b": [], "judgement": []})
    if judged is not None:
        if isinstance(judged, pd.DataFrame) and "judgement" not in judged:
            judged = judged.assign(judgement=np.nan)
        table, _ = _known(clustering, check_judged(judged, "judged"), "error", "judged")
    is_judged = table["judgement"].notna()
    data = _Judged.of(clustering, tree, table[is_judged], same_from)
    # Pairs that were drawn and wait for a judgement are not drawn again.
    others = _Judged.of(clustering, tree, table[~is_judged], same_from)
    a, b = np.concatenate([data.a, others.a]), np.concatenate([data.b, others.b])
    taken = {frozenset(pair) for pair in zip(a.tolist(), b.tolist(), strict=True)}
    teacher = _Teacher(tree, data, error_rate, smallest)
    every = np.ones(len(data.a), dtype=bool)
    belief = teacher.belief(every)
    whole = teacher.pieces(teacher.cut(belief, _CAUTION[0]), every, _CAUTION[0])
    asked = [piece for one in whole for piece in one.all() if piece.division is not None]
    nodes = np.concatenate([data.node, others.node])
    left = tree.sides.prod(axis=1) - np.bincount(nodes[nodes >= 0], minlength=len(tree.size))
    rng = np.random.default_rng([seed, 8, len(data.a)])
    drawn: list[tuple[int, int]] = []
    for piece, wanted in zip(asked, proposed(tree, belief, n, left, asked)[1], strict=True):
        for pair in piece.ask(int(wanted), np.concatenate([a, b]), rng):
            if frozenset(pair) not in taken:
                taken.add(frozenset(pair))
                drawn.append(pair)
    by_node, _ = proposed(tree, belief, n - len(drawn), left, [])
    for node in np.flatnonzero(by_node):
        one, other = (tree.images_under(child) for child in tree.children[node])
        drawn += _draw_across(one, other, int(by_node[node]), taken, rng)
    rows = pd.DataFrame(drawn, columns=["a", "b"], dtype=np.int64)
    found = pairs_table(clustering.images, {TEACHING: rows}, {TEACHING: max(len(drawn), 1)}, rng)
    return found.assign(N_h=np.nan, probability=np.nan)


@dataclass(frozen=True, eq=False)
class _Judged:
    """Judged pairs as rows of images.

    Attributes
    ----------
    a, b : ndarray of shape (n_pairs,)
        Rows of the images.
    same : ndarray of bool of shape (n_pairs,)
        Whether they were judged as together.
    node : ndarray of shape (n_pairs,)
        Node of the tree; -1 if an image is in the residual.
    clusters : ndarray of shape (n_images,)
        Clusters before.
    """

    a: Array
    b: Array
    same: Array
    node: Array
    clusters: Array

    @classmethod
    def of(
        cls, clustering: Clustering, tree: JoinTree, judged: pd.DataFrame, same_from: float
    ) -> _Judged:
        a, b = np.sort(_image_rows(clustering, judged), axis=0)
        return cls(
            a,
            b,
            judged["judgement"].to_numpy(dtype=float) >= same_from,
            tree.nodes_of(a, b),
            clustering.images["cluster"].to_numpy(dtype=np.int64),
        )

    def together(self, labels: Array, where: Array | slice = slice(None)) -> Array:
        """Whether each pair is in one cluster or part; images of the residual are alone."""
        a, b = labels[self.a[where]], labels[self.b[where]]
        found: Array = (a == b) & (a >= 0)
        return found

    def apart_from(self, held: Array) -> Array:
        """Whether each pair has no image in common with the pairs ``held``."""
        images = np.concatenate([self.a[held], self.b[held]])
        apart: Array = ~(np.isin(self.a, images) | np.isin(self.b, images))
        return apart


@dataclass(frozen=True, eq=False)
class _Teacher:
    """Learns clusters from some of the pairs."""

    tree: JoinTree
    data: _Judged
    error_rate: float
    smallest: int

    def learn(self, those: Array, folds: int, seed: int) -> tuple[Array, float]:
        """The part of each image, and the caution that held-out pairs ask for.

        Parameters
        ----------
        those : ndarray of bool of shape (n_pairs,)
            The pairs from which to learn.
        folds, seed : int
            For the held-out pairs.
        """
        rows = np.flatnonzero(those & (self.data.node >= 0))
        fold = np.random.default_rng([seed, 9]).permutation(len(rows)) % folds
        others = [those & self.data.apart_from(rows[fold == number]) for number in range(folds)]
        beliefs = [self.belief(teaching) for teaching in others]
        found, found_gain = (self.tree.parts(self.tree.cluster > 0), np.inf), np.zeros(len(rows))
        for divided, n_errors in _STEPS:
            for caution in _CAUTION:
                gain = np.zeros(len(rows))
                for number, (teaching, belief) in enumerate(zip(others, beliefs, strict=True)):
                    parts = self.parts(teaching, belief, caution, divided)
                    gain[fold == number] = self._gain(parts, rows[fold == number])
                more = gain - found_gain
                if more.sum() > n_errors * np.sqrt((more**2).sum()):
                    parts = self.parts(those, self.belief(those), caution, divided)
                    if divided:
                        parts = self._without_doubtful(parts, rows, gain)
                    found, found_gain = (parts, caution), gain
                    break
        return found

    def belief(self, those: Array) -> Belief:
        """What pairs say about the joins of the tree."""
        those = those & (self.data.node >= 0)
        return believe(self.tree, self.data.node[those], self.data.same[those], self.error_rate)

    def parts(self, those: Array, belief: Belief, caution: float, divided: bool) -> Array:
        """The part of each image: by the cut of the tree, and by divisions if ``divided``."""
        parts = self.cut(belief, caution)
        if divided:
            ends = (end for piece in self.pieces(parts, those, caution) for end in piece.ends())
            for number, end in enumerate(ends, len(self.tree.size)):
                parts[end.images] = number
        return parts

    def cut(self, belief: Belief, caution: float) -> Array:
        """The part of each image in the best cut of the tree."""
        return self.tree.parts(best_joins(self.tree, belief, caution))

    def pieces(self, parts: Array, those: Array, caution: float) -> list[Piece]:
        """How pairs divide each part."""
        those = those & (self.data.node >= 0)
        judged = self.data.a[those], self.data.b[those], self.data.same[those]
        given = self.error_rate, self.smallest, caution
        return [
            divide(self.tree.space, np.flatnonzero(parts == part), *judged, *given)
            for part in np.unique(parts[parts >= 0])
        ]

    def _without_doubtful(self, parts: Array, rows: Array, gain: Array) -> Array:
        """Parts, where clusters are whole again unless held-out pairs inside agree to divide them.

        Parameters
        ----------
        parts : ndarray of shape (n_images,)
        rows : ndarray of shape (n_held,)
            The pairs that were held out.
        gain : ndarray of shape (n_held,)
            See :meth:`_gain`.
        """
        parts, clusters = parts.copy(), self.data.clusters
        own = np.where(self.data.together(clusters, rows), clusters[self.data.a[rows]], -1)
        for cluster in np.unique(clusters[clusters >= 0]):
            agreed, not_agreed = (int((sign * gain[own == cluster] > 0).sum()) for sign in (1, -1))
            if agreed <= _AGREED * not_agreed:
                inside = clusters == cluster
                parts[inside] = np.bincount(parts[inside]).argmax()
        return parts

    def _gain(self, parts: Array, rows: Array) -> Array:
        """For each pair 1 if parts agree with the judges and clusters do not, -1 the other way."""
        same = self.data.same[rows]
        after = self.data.together(parts, rows) == same
        before = self.data.together(self.data.clusters, rows) == same
        gain: Array = after.astype(float) - before.astype(float)
        return gain


def _draw_across(
    one: Array, other: Array, n: int, taken: set[frozenset[int]], rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Draw pairs of an image on either side that are not in ``taken``."""
    size = len(one) * len(other)
    few = size <= _FEW_PAIRS
    order = rng.permutation(size) if few else rng.integers(0, size, n + len(taken) + _FEW_PAIRS)
    drawn: list[tuple[int, int]] = []
    seen: set[int] = set()
    for place in order.tolist():
        pair = int(one[place // len(other)]), int(other[place % len(other)])
        if len(drawn) == n:
            break
        if place not in seen and frozenset(pair) not in taken:
            drawn.append(pair)
        seen.add(place)
    return drawn


def _known(
    clustering: Clustering, pairs: pd.DataFrame, missing: str, name: str
) -> tuple[pd.DataFrame, int]:
    """The pairs with two images of the clustering, in the order of these, and the number of others.

    Folds, and so edits, do not depend on the order in which pairs are given.
    """
    rows = _image_rows(clustering, pairs)
    here = rows.min(axis=0, initial=0) >= 0
    if missing == "error" and not here.all():
        pair, found = pairs[~here].iloc[0], rows[:, ~here][:, 0]
        image = pair["image_a"] if found[0] < 0 else pair["image_b"]
        raise ImagestrataError(
            f"{int((~here).sum())} of {plural(len(here), 'pair')} have an image that is not in the "
            f"clustering, {quote(image)} for one.",
            "Cluster the images from which the pairs were drawn"
            + (
                f", or leave such pairs out with {arg('missing', 'drop')}."
                if name == "pairs"
                else "."
            ),
        )
    lower, higher = np.sort(rows, axis=0)
    order = np.lexsort((higher, lower))
    return pairs.iloc[order[here[order]]].reset_index(drop=True), int((~here).sum())


def _image_rows(clustering: Clustering, pairs: pd.DataFrame) -> Array:
    """Rows of the images of pairs, of shape (2, n_pairs); -1 for unknown images."""
    ids = pd.Index(id_texts(clustering.images["image_id"]))
    return np.stack(
        [ids.get_indexer(pd.Index(pairs[name].astype(str))) for name in ("image_a", "image_b")]
    )


def _is_scored(judged: pd.DataFrame, weighted: bool | None) -> Array:
    """Whether each pair counts in the scores."""
    everything = np.ones(len(judged), dtype=bool)
    if weighted is not None and not check_bool("weighted", weighted):
        return everything
    if "probability" not in judged or judged["probability"].isna().all():
        if weighted:
            raise ImagestrataError(
                "No pair has a 'probability', which weighted scores need.",
                f"Add judged pairs of {verb('sample_pairs')}, or use {arg('weighted', False)}.",
            )
        tell_not_weighted()
        return everything
    scored: Array = judged["probability"].notna().to_numpy(dtype=bool)
    return scored


def _tree_of(clustering: Clustering, embeddings: Any, smallest: int) -> JoinTree:
    """The tree of a clustering."""
    if clustering.clusters.empty:
        raise ImagestrataError(
            "The clustering has no cluster.", f"Cluster the images with {verb('cluster_images')}."
        )
    found, order = vectors_of(clustering, embeddings, "which show where clusters could be split")
    rows = as_rows(found.matrix, clustering.settings.get("normalize")).select(order)
    clusters = clustering.images["cluster"].to_numpy(dtype=np.int64)
    return join_tree(np.asarray(rows), clusters, smallest, 0)


def _edits(clustering: Clustering, data: _Judged, tree: JoinTree, parts: Array) -> pd.DataFrame:
    """The edits that make clusters from parts of them, as a ledger."""
    edits = clustering.edits
    first = int(edits["edit"].max()) + 1 if len(edits) else 1
    ids = clustering.images["image_id"].astype(str).to_numpy()
    inside = data.clusters >= 0
    root = _joined(data.clusters, parts)
    lines: list[dict[str, Any]] = []

    def note(same: bool, those: Array) -> str:
        n = int((data.same[those] == same).sum())
        return f"{n} of {plural(int(those.sum()), 'judged pair')} {'together' if same else 'apart'}"

    by_root = pd.DataFrame({"cluster": data.clusters, "root": root, "part": parts})[inside]
    for _, clusters in by_root.groupby("root")["cluster"]:
        numbers = np.sort(clusters.unique())
        if len(numbers) < 2:
            continue
        a, b = data.clusters[data.a], data.clusters[data.b]
        those = np.isin(a, numbers) & np.isin(b, numbers) & (a != b)
        lines.append(
            {"edit": first + len(lines), "action": "merge",
             "clusters": " ".join(map(str, numbers)), "note": note(True, those)}
        )  # fmt: skip
    number = first + len(lines)
    for cluster, own in by_root.groupby("root")["part"]:
        sizes = own.value_counts()
        if len(sizes) < 2:
            continue
        of_cluster = root == cluster
        those = of_cluster[data.a] & of_cluster[data.b] & ~data.together(parts)
        said = note(False, those)
        for label, part in enumerate(sizes.index[1:], 1):
            lines += [
                {"edit": number, "action": "split", "clusters": str(cluster),
                 "image_id": image_id, "into": label, "note": said}
                for image_id in ids[of_cluster & (parts == part)]
            ]  # fmt: skip
        number += 1
    columns = ["edit", "action", "clusters", "image_id", "into", "note"]
    return pd.DataFrame(lines, columns=columns).astype({"into": "Int64"})


def _joined(clusters: Array, parts: Array) -> Array:
    """For each image the smallest of the clusters that have parts in common with its own."""
    root = clusters.copy()
    while True:
        lowest = root.copy()
        for labels in (parts, clusters):
            known = pd.Series(lowest).groupby(labels).transform("min").to_numpy()
            lowest = np.where(clusters >= 0, known, clusters)
        if (lowest == root).all():
            return root
        root = lowest


def _scores(
    judged: pd.DataFrame,
    before: Array,
    after: Array,
    same: Array,
    same_from: float,
    weighted: bool | None,
    conf_level: float,
    seed: int,
) -> pd.DataFrame:
    """Measures before and after on held-out pairs, and their difference."""
    by_design = weighted is not False and "probability" in judged
    by_design = by_design and bool(judged["probability"].notna().all())
    weight = design_weights(judged) if by_design else np.ones(len(judged))
    strata = strata_of(judged) if by_design else np.zeros(len(judged), dtype=np.int64)
    groups = groups_of(judged) if by_design else strata
    rows: list[tuple[Any, ...]] = []
    estimates = {}
    for name, together in (("before", before), ("after", after)):
        sample = Sample.of(together, judged["judgement"].to_numpy(dtype=float), weight, strata,
                           groups)  # fmt: skip
        rng = np.random.default_rng([seed, 10])
        found = score_sample(sample, RATIOS, same_from, _N_DRAWS, rng)
        estimates[name] = found
        for measure in RATIOS:
            estimate, draws = found[measure]
            rows.append(
                (measure, name, estimate, *percentile_interval(estimate, draws, conf_level))
            )
    differences = _differences(before, after, same, weight, strata, seed)
    changed = bool((before != after).any())
    for measure in RATIOS:
        estimate = estimates["after"][measure][0] - estimates["before"][measure][0]
        low, high = (
            percentile_interval(estimate, differences[measure], conf_level)
            if changed
            else (np.nan, np.nan)
        )
        rows.append((measure, "difference", estimate, low, high))
    columns = ["measure", "clustering", "estimate", "conf_low", "conf_high"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(1, "weighting", "design" if by_design else "none")
    order = {measure: place for place, measure in enumerate(RATIOS)}
    table = table.sort_values("measure", key=lambda names: names.map(order), kind="stable")
    return table.assign(n_pairs=len(judged)).reset_index(drop=True)


def _differences(
    before: Array, after: Array, same: Array, weight: Array, strata: Array, seed: int
) -> dict[str, Array]:
    """Bootstrap draws of the differences of measures, from pairs drawn within strata."""
    rng = np.random.default_rng([seed, 11])
    counts = np.zeros((_N_DRAWS, len(before)))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        n = len(rows)
        counts[:, rows] = rng.multinomial(n, np.full(n, 1 / n), _N_DRAWS)
    weights = counts * weight
    found = [
        pair_ratios(
            weights @ (together & same), weights @ (together & ~same), weights @ (~together & same)
        )
        for together in (before, after)
    ]
    return {measure: found[1][measure] - found[0][measure] for measure in RATIOS}
