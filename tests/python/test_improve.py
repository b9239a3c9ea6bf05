from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    Improvement,
    edit_clusters,
    improve_clusters,
    propose_pairs,
    read_pairs,
    score_clustering,
)
from imagestrata.sampling.pairs import pair_id
from imagestrata.validation import join_tree as tree_module
from imagestrata.validation.improve import _differences, _Judged, _Teacher, _tree_of
from imagestrata.validation.join_tree import JoinTree, join_tree
from imagestrata.validation.labels import measure_groups
from imagestrata.validation.pair_scores import check_judged
from imagestrata.validation.teaching import Belief, _gains, believe, best_joins, proposed, stakes

#: Images of each of four classes, and the cluster in which they are: the first cluster has two
#: classes, and the third class two clusters.
SIZES = (12, 10, 9, 8)
CLASSES = np.repeat([0, 1, 2, 2], SIZES)
CLUSTERS = np.repeat([1, 1, 2, 3], SIZES)


def blobs(seed: int = 0) -> np.ndarray:
    """Vectors of four groups; the last two lie side by side."""
    centres = np.array([[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 9, 0], [0, 0, 9, 1.5]], dtype=float)
    rng = np.random.default_rng(seed)
    return np.repeat(centres, SIZES, axis=0) + rng.normal(0, 0.3, (sum(SIZES), 4))


@pytest.fixture(scope="module")
def found() -> Clustering:
    ids = [f"i{k:02d}" for k in range(sum(SIZES))]
    return Clustering.from_labels(Embeddings.from_arrays(blobs(), ids), CLUSTERS)


def judge(rows: Any, classes: Any = CLASSES) -> pd.DataFrame:
    """Pairs of rows of images, with true judgements."""
    a, b = np.array([*rows]).T
    ids = [f"i{k:02d}" for k in range(len(classes))]
    return pd.DataFrame(
        {
            "pair_id": [pair_id(ids[i], ids[j]) for i, j in zip(a, b, strict=True)],
            "image_a": [ids[i] for i in a],
            "image_b": [ids[j] for j in b],
            "judgement": (np.asarray(classes)[a] == np.asarray(classes)[b]).astype(int),
        }
    )


def some_pairs(n: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    every = np.array([*itertools.combinations(range(sum(SIZES)), 2)])
    own = CLUSTERS[every[:, 0]] == CLUSTERS[every[:, 1]]
    near = (CLUSTERS[every[:, 0]] > 1) & ~own
    return judge(every[rng.permutation(np.flatnonzero(own | near))[:n]])


# ---- the tree ----


def test_groups_of_a_cluster_are_its_classes_and_joins_are_found() -> None:
    tree = join_tree(blobs(), CLUSTERS, 7, 0)
    for one in range(4):
        assert len({*tree.group[np.repeat(np.arange(4), SIZES) == one]}) == 1
    assert sorted(tree.size[tree.is_leaf]) == [8, 9, 10, 12]
    top = len(tree.size) - 1
    assert tree.size[top] == sum(SIZES) and tree.cluster[top] == 0
    # Images 0 and 15 are in cluster 1, but in different groups.
    assert tree.nodes_of(np.array([0, 0, 0]), np.array([1, 15, 38])).tolist() == [
        tree.group[0],
        tree.roots[1],
        top,
    ]
    # The clusters of the third class are joined first.
    near = tree.nodes_of(np.array([25]), np.array([38]))[0]
    assert tree.cluster[near] == 0 and tree.size[near] == 17
    assert tree.images_under(near).tolist() == [*range(22, 39)]


def test_images_of_the_residual_are_in_no_group() -> None:
    clusters = CLUSTERS.copy()
    clusters[[3, 30]] = -1
    tree = join_tree(blobs(), clusters, 5, 0)
    assert np.flatnonzero(tree.group < 0).tolist() == [3, 30]
    assert tree.nodes_of(np.array([3]), np.array([5])).tolist() == [-1]
    assert tree.parts(tree.cluster > 0)[3] == -1


def test_small_groups_go_to_the_nearest_one() -> None:
    vectors = np.concatenate([blobs(), [[0, 9, 3, 0.0], [0, 9, 3, 0.1]]])
    tree = join_tree(vectors, np.append(CLUSTERS, [1, 1]), 7, 0)
    assert {*tree.group[[-2, -1]]} == {tree.group[15]}
    assert tree.size[tree.roots[1]] == 24
    assert tree.size[tree.is_leaf].min() >= 7


def test_large_clusters_are_divided_by_kmeans_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_module, "_MOST_LINKED", 15)
    monkeypatch.setattr(tree_module, "_N_BLOCKS", 8)
    tree = join_tree(blobs(), CLUSTERS, 7, 0)
    assert tree.group[0] != tree.group[15]
    assert tree.size[tree.roots[1]] == 22 and tree.group.min() >= 0


def test_a_cluster_of_one_image_or_of_equal_images_is_a_group() -> None:
    tree = join_tree(np.ones((8, 3)), np.array([1] * 7 + [2]), 2, 0)
    assert tree.size[[tree.roots[1], tree.roots[2]]].tolist() == [7, 1]
    assert np.isfinite(tree.height).all()


# ---- what pairs teach ----


def small_tree() -> JoinTree:
    """Two clusters: one of two groups (0, 1), one of a single group (3)."""
    return JoinTree(
        group=np.repeat([0, 1, 3], [4, 2, 3]),
        children=np.array([[-1, -1], [-1, -1], [0, 1], [-1, -1], [2, 3]]),
        height=np.array([0.4, 0.5, 1.0, 0.6, 1.5]),
        size=np.array([4, 2, 6, 3, 9]),
        cluster=np.array([1, 1, 1, 2, 0]),
        roots={1: 2, 2: 3},
        space=np.zeros((9, 1)),
    )


def test_without_errors_the_posterior_is_a_beta_distribution() -> None:
    tree = small_tree()
    prior = believe(tree, np.array([], int), np.array([], bool), 0).mean
    assert (prior[[0, 1, 2, 3]] > 0.8).all() and prior[4] < 0.05
    nodes, same = np.array([2, 2, 2, 4]), np.array([False, False, True, False])
    belief = believe(tree, nodes, same, 0)
    assert belief.n_pairs.tolist() == [0, 0, 3, 0, 1] and belief.n_same[2] == 1
    # A node without pairs has the expectation m as its mean, with two pairs' weight; with n pairs
    # of which k are together, the mean is (2 m + k) / (2 + n).
    from imagestrata.validation.teaching import _design, _expected

    offset, design = _design(tree)
    expected = _expected(offset, design, nodes, same, 0)
    assert belief.mean[2] == pytest.approx((2 * expected[2] + 1) / 5, abs=0.005)
    variance = belief.mean[2] * (1 - belief.mean[2]) / 6
    assert belief.std[2] == pytest.approx(np.sqrt(variance), abs=0.005)


def test_errors_of_judges_make_evidence_weaker() -> None:
    nodes, same = np.array([2, 2]), np.array([False, False])
    certain, doubtful = (believe(small_tree(), nodes, same, rate).mean[2] for rate in (0, 0.2))
    assert certain < doubtful < 0.9


def test_judgements_teach_about_similar_joins_elsewhere() -> None:
    children: list[list[int]] = []
    height: list[float] = []
    cluster: list[int] = []
    for number in (1, 2, 3):
        start = len(children)
        children += [[-1, -1], [-1, -1], [start, start + 1]]
        height += [0.5, 0.5, 1.2]
        cluster += [number] * 3
    tree = JoinTree(
        group=np.repeat([0, 1, 3, 4, 6, 7], 5),
        children=np.array(children),
        height=np.array(height),
        size=np.array([5, 5, 10] * 3),
        cluster=np.array(cluster),
        roots={1: 2, 2: 5, 3: 8},
        space=np.zeros((30, 1)),
    )
    before = believe(tree, np.array([], int), np.array([], bool), 0.05).mean[8]
    nodes = np.repeat([2, 5], 6)
    assert believe(tree, nodes, np.zeros(12, bool), 0.05).mean[8] < before - 0.2


def test_gains_are_bcubed_measures_if_shares_are_certain() -> None:
    tree, truth = small_tree(), np.repeat([0, 1, 1], [4, 2, 3])
    share = np.array([1.0, 1, 0, 1, 1 / 3])
    # Of the 18 pairs between both clusters, the 6 of groups 1 and 3 belong together.
    precise, recalled = _gains(tree, share)
    for joined in ([1, 1, 0, 1, 0], [1, 1, 1, 1, 0]):
        parts = tree.parts(np.array(joined, bool))
        exact = measure_groups(parts, truth)
        tops = np.unique(parts)
        assert precise[tops].sum() / 9 == pytest.approx(exact["bcubed_precision"])
    # Recall is approximate where a share is a mean; for a certain tree it is exact.
    certain = np.array([1.0, 1, 0, 1, 0])
    precise, recalled = _gains(tree, certain)
    parts = tree.parts(np.array([1, 1, 1, 1, 0], bool))
    exact = measure_groups(parts, np.repeat([0, 1, 2], [4, 2, 3]))
    assert recalled[np.unique(parts)].sum() / 9 == pytest.approx(exact["bcubed_recall"])


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_certain_shares_decide_every_join(apart: bool, together: bool) -> None:
    tree = small_tree()
    share = np.array([1.0, 1, not apart, 1, together])
    zero, once = np.zeros(5), np.ones(5)
    joined = best_joins(tree, Belief(share, zero, zero, once, once), 0)
    if not together:
        assert len(np.unique(tree.parts(joined))) == 2 + apart
    elif not apart:
        assert len(np.unique(tree.parts(joined))) == 1


@pytest.mark.parametrize("n_pairs", [0, 1])
def test_clusters_are_merged_only_where_a_pair_was_judged(n_pairs: int) -> None:
    tree, zero = small_tree(), np.zeros(5)
    certain = Belief(np.ones(5), zero, zero, np.array([0, 0, 0, 0, n_pairs]), zero)
    joined = best_joins(tree, certain, 0)
    assert joined[:4].all()  # what is one cluster needs no pair to stay one
    assert joined[4] == (n_pairs == 1)


def test_caution_asks_for_more_evidence() -> None:
    tree, zero = small_tree(), np.zeros(5)
    share = np.array([0.98, 0.98, 0.3, 0.98, 0.02])
    belief = Belief(share, np.full(5, 0.15), zero, zero, zero)
    assert not best_joins(tree, belief, 0)[2]
    assert best_joins(tree, belief, 3)[2]


def test_proposals_go_where_errors_cost_most_and_pairs_are_left() -> None:
    tree, zero = small_tree(), np.zeros(5)
    assert stakes(tree).tolist() == [0, 0, 16 / 6, 0, 36 / 9]
    regret = np.array([0.5, 0.5, 0.2, 0.5, 0.01])
    belief = Belief(zero, zero, regret, zero, zero)
    wanted, _ = proposed(tree, belief, 6, np.array([0, 0, 3, 0, 18]), [])
    assert wanted.tolist() == [0, 0, 3, 0, 3]


# ---- improve_clusters ----


def test_clusters_are_split_and_merged_as_people_judge(found: Clustering) -> None:
    improved = improve_clusters(found, some_pairs(), weighted=False)
    assert sorted(improved.edits["action"].unique()) == ["merge", "split"]
    after = improved.clustering.images.set_index("image_id")["cluster"]
    exact = score_clustering(
        improved.clustering, pd.Series(CLASSES, index=[f"i{k:02d}" for k in range(len(CLASSES))])
    ).set_index("measure")["estimate"]
    assert exact["bcubed_f1"] == 1
    assert after.nunique() == 3
    row = improved.summary.iloc[0]
    assert row[["n_merges", "n_splits", "n_clusters_before", "n_clusters"]].tolist() == [1, 1, 3, 3]
    assert row["n_agreed"] == row["n_reversed"] > 5
    notes = improved.edits.drop_duplicates("edit").set_index("action")["note"]
    assert (
        notes["split"].endswith("judged pairs apart")
        and "judged pairs together" in (notes["merge"])
    )
    assert "1 merge and 1 split" in repr(improved)


def test_edits_are_undone_and_replayed_like_others(found: Clustering) -> None:
    named = edit_clusters(found, names={1: "Cats", 2: "Dogs"})
    improved = improve_clusters(named, some_pairs(), weighted=False, editor="Ann")
    assert improved.clustering.edits["edit"].tolist()[0] == 1
    assert improved.edits["edit"].min() == 3 and {*improved.edits["editor"]} == {"Ann"}
    again = edit_clusters(named, edits=improved.edits)
    assert again.images["cluster"].tolist() == improved.clustering.images["cluster"].tolist()
    merged = improved.clustering.clusters.set_index("cluster")["cluster_name"]
    assert merged[2] == "Dogs"
    first = improved.clustering.edits
    undone = edit_clusters(found, edits=first[first["edit"] <= 2])
    assert undone.images["cluster"].tolist() == found.images["cluster"].tolist()


def test_the_clustering_stays_if_judges_agree_with_it(found: Clustering) -> None:
    pairs = some_pairs()
    clusters = pd.Series(CLUSTERS, index=[f"i{k:02d}" for k in range(len(CLUSTERS))])
    same = clusters[pairs["image_a"]].to_numpy() == clusters[pairs["image_b"]].to_numpy()
    improved = improve_clusters(found, pairs.assign(judgement=same.astype(int)), weighted=False)
    assert improved.clustering is found and improved.edits.empty
    scores = improved.scores.set_index(["clustering", "measure"])
    assert scores.loc[("before", "f1"), "estimate"] == 1
    assert scores.loc[("difference", "f1"), "estimate"] == 0
    assert scores["conf_low"].isna()["difference", "f1"]
    assert "No edit: 60 judged pairs do not show" in repr(improved)


def by_chance(clustering: Clustering, n: int, seed: int) -> pd.DataFrame:
    """Pairs of images with judgements by chance."""
    ids = clustering.images["image_id"].to_numpy()
    every = np.array([*itertools.combinations(range(len(ids)), 2)])
    rng = np.random.default_rng(seed)
    a, b = every[rng.permutation(len(every))[:n]].T
    return pd.DataFrame(
        {
            "pair_id": [pair_id(x, y) for x, y in zip(ids[a], ids[b], strict=True)],
            "image_a": ids[a],
            "image_b": ids[b],
            "judgement": rng.integers(0, 2, n),
        }
    )


def test_judgements_by_chance_change_nothing(found: Clustering) -> None:
    noise = Clustering.from_labels(
        np.random.default_rng(1).normal(size=(80, 6)), np.repeat([1, 2, 3, 4], 20)
    )
    for clustering, n in ((noise, 150), (found, 120)):
        n_edits = [
            len(improve_clusters(clustering, by_chance(clustering, n, seed), weighted=False).edits)
            for seed in range(5)
        ]
        assert n_edits == [0] * 5


# ---- divisions ----

#: Images of three kinds. The first two are in one cluster, and differ in one of many directions.
KINDS = np.repeat([0, 1, 2], [60, 60, 40])


@pytest.fixture(scope="module")
def mixed() -> Clustering:
    vectors = np.random.default_rng(0).normal(size=(160, 12))
    vectors[:, 0] += 30.0 * (KINDS == 2)
    vectors[:, 1] += 3.0 * (KINDS == 1)
    ids = [f"i{k:02d}" for k in range(160)]
    return Clustering.from_labels(
        Embeddings.from_arrays(vectors, ids), np.repeat([1, 2], [120, 40])
    )


def inside(n: int = 120) -> pd.DataFrame:
    """Pairs in the first cluster of ``mixed``."""
    every = np.array([*itertools.combinations(range(120), 2)])
    return judge(every[np.random.default_rng(1).permutation(len(every))[:n]], KINDS)


@pytest.fixture(scope="module")
def divided(mixed: Clustering) -> Improvement:
    return improve_clusters(mixed, inside(), weighted=False)


def test_pairs_divide_a_cluster_that_the_tree_does_not(
    mixed: Clustering, divided: Improvement
) -> None:
    tree = _tree_of(mixed, None, 5)
    teacher = _Teacher(tree, _Judged.of(mixed, tree, inside(), 1), 0.05, 5)
    every = np.ones(120, dtype=bool)
    assert len(np.unique(teacher.cut(teacher.belief(every), 0.5))) == 2
    assert divided.summary[["n_merges", "n_splits", "n_clusters"]].to_numpy().tolist() == [
        [0, 1, 3]
    ]
    clusters = divided.clustering.images["cluster"].to_numpy()
    assert measure_groups(clusters, KINDS)["bcubed_f1"] > 0.98
    assert divided.summary["n_agreed"].iloc[0] > 0.7 * divided.summary["n_reversed"].iloc[0]
    assert {*divided.edits["clusters"]} == {"1"}


def test_divisions_are_undone_and_replayed_like_other_edits(
    mixed: Clustering, divided: Improvement
) -> None:
    clusters = divided.clustering.images["cluster"].tolist()
    again = edit_clusters(mixed, edits=divided.edits)
    assert again.images["cluster"].tolist() == clusters
    named = edit_clusters(mixed, names={1: "Cats"})
    improved = improve_clusters(named, inside(), weighted=False)
    assert improved.clustering.images["cluster"].tolist() == clusters
    ledger = improved.clustering.edits
    undone = edit_clusters(mixed, edits=ledger[ledger["edit"] <= 1])
    assert undone.images["cluster"].tolist() == mixed.images["cluster"].tolist()
    assert undone.clusters["cluster_name"].tolist()[0] == "Cats"


def test_the_order_of_pairs_and_the_names_of_images_do_not_matter(
    mixed: Clustering, divided: Improvement
) -> None:
    pairs = inside()
    turned = pairs.sample(frac=1, random_state=3).rename(
        columns={"image_a": "image_b", "image_b": "image_a"}
    )
    other = improve_clusters(mixed, turned, weighted=False)
    assert other.clustering.images.equals(divided.clustering.images)
    pd.testing.assert_frame_equal(other.scores, divided.scores)
    ids = mixed.images["image_id"]
    names = np.random.default_rng(4).permutation([f"x{k}" for k in range(160)])
    name = dict(zip(ids, names, strict=True))
    assert mixed.source is not None
    vectors = Embeddings.from_arrays(np.asarray(mixed.source.matrix), [*ids.map(name)])
    renamed = Clustering.from_labels(vectors, mixed.images["cluster"].to_numpy())
    pairs = pairs.assign(image_a=pairs["image_a"].map(name), image_b=pairs["image_b"].map(name))
    other = improve_clusters(renamed, pairs, weighted=False)
    clusters = divided.clustering.images["cluster"].to_numpy()
    assert (other.clustering.images["cluster"].to_numpy() == clusters).all()


def test_a_stored_clustering_and_stored_pairs_teach_the_same(
    mixed: Clustering, divided: Improvement, tmp_path: Path
) -> None:
    assert mixed.source is not None
    Clustering.from_labels(mixed.source, mixed.images["cluster"].to_numpy(), out=tmp_path / "run")
    inside().to_csv(tmp_path / "pairs.csv", index=False)
    loaded, pairs = Clustering.load(tmp_path / "run"), pd.read_csv(tmp_path / "pairs.csv")
    improved = improve_clusters(loaded, pairs, mixed.source, weighted=False, out=tmp_path / "run")
    clusters = divided.clustering.images["cluster"].tolist()
    assert improved.clustering.images["cluster"].tolist() == clusters
    assert Clustering.load(tmp_path / "run").images["cluster"].tolist() == clusters
    pd.testing.assert_frame_equal(improved.scores, divided.scores)


def test_a_division_is_kept_only_where_held_out_pairs_agree(mixed: Clustering) -> None:
    tree = _tree_of(mixed, None, 5)
    pairs = judge([(0, 60), (1, 61), (2, 62), (3, 4), (120, 121)], KINDS)
    teacher = _Teacher(tree, _Judged.of(mixed, tree, pairs, 1), 0.05, 5)
    parts = np.repeat([1, 2, 3, 4], [60, 60, 20, 20])
    rows = np.arange(5)
    # Cluster 2 has no pair that agrees; of cluster 1 three agree with its division.
    kept = teacher._without_doubtful(parts, rows, np.array([1.0, 1, 1, -1, 0]))
    assert np.unique(kept).tolist() == [1, 2, 3]
    # Two for each one that does not are not enough.
    kept = teacher._without_doubtful(parts, rows, np.array([1.0, 1, 0, -1, 0]))
    assert np.unique(kept).tolist() == [1, 3]
    assert np.unique(parts).tolist() == [1, 2, 3, 4]


def test_proposals_ask_about_uncertain_images_of_a_cluster_that_pairs_divide(
    mixed: Clustering,
) -> None:
    judged = inside(60)
    new = propose_pairs(mixed, judged, n=40)
    assert len(new) == 40 and not {*new["pair_id"]} & {*judged["pair_id"]}
    tree = _tree_of(mixed, None, 5)
    data = _Judged.of(mixed, tree, judged, 1)
    teacher = _Teacher(tree, data, 0.05, 5)
    every = np.ones(60, dtype=bool)
    top = teacher.pieces(teacher.cut(teacher.belief(every), 0.5), every, 0.5)[0]
    assert top.division is not None
    doubt = pd.Series(0.5 - np.abs(top.division.expected - 0.5), index=top.images)
    ids = pd.Index(mixed.images["image_id"])
    asked = pd.unique(ids.get_indexer(new[["image_a", "image_b"]].to_numpy().ravel()))
    assert doubt.reindex(asked).mean() > doubt.mean()


# ---- how pairs are held out, scored and checked ----


def test_pairs_with_a_common_image_do_not_teach_about_held_out_ones(found: Clustering) -> None:
    pairs = judge([(0, 1), (1, 2), (2, 3), (4, 5), (20, 0)])
    tree = _tree_of(found, None, 5)
    data = _Judged.of(found, tree, pairs, 1)
    held = np.array([True, False, False, False, False])
    assert data.apart_from(held).tolist() == [False, False, True, True, False]


def test_nothing_is_learnt_from_too_few_pairs(found: Clustering) -> None:
    pairs = judge([(0, 1), (0, 15), (22, 23), (25, 35)])
    tree = _tree_of(found, None, 5)
    teacher = _Teacher(tree, _Judged.of(found, tree, pairs, 1), 0.05, 5)
    parts, caution = teacher.learn(np.ones(4, dtype=bool), 2, 0)
    assert caution == np.inf and len(np.unique(parts)) == 3


def test_scores_are_weighted_by_design_and_leave_out_teaching_pairs(found: Clustering) -> None:
    pairs = some_pairs(60)
    half = np.arange(60) < 30
    pairs["stratum"] = np.where(half, "within", "teaching")
    pairs["N_h"] = np.where(half, 900.0, np.nan)
    pairs["probability"] = np.where(half, 30 / 900, np.nan)
    improved = improve_clusters(found, pairs)
    assert {*improved.scores["weighting"]} == {"design"} and {*improved.scores["n_pairs"]} == {30}
    scored = improved.scores.set_index(["clustering", "measure"])["estimate"]
    before = score_clustering(found, pairs[half], weighted=True).set_index("measure")["estimate"]
    assert scored["before", "precision"] == pytest.approx(before["precision"])
    assert scored["before", "recall"] == pytest.approx(before["recall"])
    for measure in ("precision", "recall", "f1"):
        difference = scored["after", measure] - scored["before", measure]
        assert scored["difference", measure] == pytest.approx(difference)


def test_draws_of_differences_by_hand() -> None:
    before, after = np.array([True, True, False]), np.array([True, False, False])
    same = np.array([True, False, False])
    # Each stratum has one pair, so that every draw is the sample: precision 1 of 3, then 1.
    draws = _differences(before, after, same, np.array([1.0, 2.0, 5.0]), np.arange(3), 0)
    assert np.unique(draws["precision"]).tolist() == pytest.approx([2 / 3])
    assert np.unique(draws["recall"]).tolist() == [0]


def test_pairs_without_probability_are_told(found: Clustering) -> None:
    with pytest.warns(UserWarning, match="no column 'probability'"):
        improved = improve_clusters(found, some_pairs())
    assert {*improved.scores["weighting"]} == {"none"}


def test_pairs_of_the_residual_do_not_teach() -> None:
    clusters = CLUSTERS.copy()
    clusters[[0, 1]] = -1
    ids = [f"i{k:02d}" for k in range(len(clusters))]
    clustering = Clustering.from_labels(Embeddings.from_arrays(blobs(), ids), clusters)
    pairs = some_pairs()
    improved = improve_clusters(clustering, pairs, weighted=False)
    n = pairs[["image_a", "image_b"]].isin(["i00", "i01"]).any(axis=1).sum()
    assert improved.summary["n_residual"].tolist() == [n]
    assert improved.summary["n_pairs"].tolist() == [60 - n]
    after = improved.clustering.images.set_index("image_id")["cluster"]
    assert after[["i00", "i01"]].tolist() == [-1, -1]


def test_what_is_refused(found: Clustering) -> None:
    pairs = some_pairs()
    bare = Clustering(**{**vars(found), "source": None})
    with pytest.raises(ImagestrataError, match="does not know the vectors") as error:
        improve_clusters(bare, pairs, weighted=False)
    assert "embeddings" in str(error.value)
    assert not improve_clusters(bare, pairs, found.source, weighted=False).edits.empty
    two = pairs.assign(question=["what", "how"] * 30)
    with pytest.raises(ImagestrataError, match="2 questions"):
        improve_clusters(found, two, weighted=False)
    unknown = pairs.assign(image_a=["x", *pairs["image_a"][1:]])
    with pytest.raises(ImagestrataError, match=r"1 of 60 pairs have an image .* 'x' for one"):
        improve_clusters(found, unknown, weighted=False)
    dropped = improve_clusters(found, unknown, missing="drop", weighted=False)
    assert dropped.summary["n_missing"].tolist() == [1]
    with pytest.raises(ImagestrataError, match="No pair has a 'probability'"):
        improve_clusters(found, pairs, weighted=True)
    twice = pd.concat([pairs.assign(annotator="ann"), pairs.head(1).assign(annotator="bob")])
    with pytest.raises(ImagestrataError, match=r"1 pair id occurs more than once[\s\S]*consensus"):
        improve_clusters(found, twice, weighted=False)
    with pytest.raises(ImagestrataError, match="too few for 5 folds"):
        improve_clusters(found, pairs.assign(judgement=0), weighted=False)


def test_edits_are_stored_in_the_run_folder(tmp_path: Any) -> None:
    ids = [f"i{k:02d}" for k in range(len(CLUSTERS))]
    stored = Clustering.from_labels(
        Embeddings.from_arrays(blobs(), ids), CLUSTERS, out=tmp_path / "run"
    )
    vectors = Embeddings.from_arrays(blobs(), ids)
    improved = improve_clusters(stored, some_pairs(), vectors, weighted=False, out=tmp_path / "run")
    read = Clustering.load(tmp_path / "run")
    assert read.images["cluster"].tolist() == improved.clustering.images["cluster"].tolist()
    assert read.edits["action"].tolist() == improved.edits["action"].tolist()


# ---- propose_pairs ----


def test_pairs_are_proposed_across_borders(found: Clustering) -> None:
    proposals = propose_pairs(found, n=12)
    assert [*proposals] == [
        "pair_id", "image_a", "image_b", "path_a", "path_b", "stratum", "N_h", "probability"
    ]  # fmt: skip
    assert {*proposals["stratum"]} == {"teaching"} and proposals["probability"].isna().all()
    tree = _tree_of(found, None, 5)
    data = _Judged.of(found, tree, proposals.assign(judgement=0), 1)
    assert not tree.is_leaf[data.node].any()
    assert proposals.equals(propose_pairs(found, n=12))


def test_judged_pairs_are_not_proposed_again(found: Clustering) -> None:
    judged: pd.DataFrame | None = None
    by_id = dict(zip([f"i{k:02d}" for k in range(len(CLASSES))], CLASSES, strict=True))
    for _ in range(3):
        new = propose_pairs(found, judged, n=15)
        same = new["image_a"].map(by_id) == new["image_b"].map(by_id)
        new = new.assign(judgement=same.astype(int))
        judged = new if judged is None else pd.concat([judged, new], ignore_index=True)
    assert judged is not None and not judged["pair_id"].duplicated().any()
    improved = improve_clusters(found, judged, weighted=False)
    assert improved.summary[["n_merges", "n_splits"]].to_numpy().tolist() == [[1, 1]]


def test_certain_borders_are_not_asked_about_again(found: Clustering) -> None:
    tree = _tree_of(found, None, 5)

    def asked(judged: pd.DataFrame | None) -> np.ndarray:
        new = propose_pairs(found, judged, n=10).assign(judgement=0)
        return np.bincount(_Judged.of(found, tree, new, 1).node, minlength=len(tree.size))

    first = asked(None)
    border = int(first.argmax())
    one, other = (tree.images_under(child) for child in tree.children[border])
    judged = judge(itertools.product(one[:5], other[:5]))
    assert asked(judged)[border] < first[border] - 2


def test_a_pair_may_be_both_sampled_and_proposed(found: Clustering) -> None:
    proposals = propose_pairs(found, n=12)
    # Pairs that wait for a judgement are not proposed again.
    for waiting in (proposals, proposals.assign(judgement=None)):
        others = propose_pairs(found, waiting, n=12)
        assert len(others) == 12 and not {*others["pair_id"]} & {*proposals["pair_id"]}
    with pytest.raises(ImagestrataError, match=r"1 of 12 pairs have an image .* 'x' for one"):
        propose_pairs(found, proposals.assign(image_b=["x", *proposals["image_b"][1:]]))
    # A later sample may draw one of them again.
    sampled = proposals.head(3).assign(stratum="within", N_h=30.0, probability=0.1)
    both = pd.concat([proposals, sampled], ignore_index=True)
    answers = pd.concat(
        [part[["pair_id"]].assign(annotator="anna", judgement=1) for part in (proposals, sampled)]
    )
    judged = read_pairs(answers, both)
    assert len(judged) == 12
    assert judged["probability"].notna().sum() == 3
    again = pd.concat([proposals.assign(judgement=1), sampled.assign(judgement=1)])
    kept = check_judged(again)
    assert len(kept) == 12 and (kept["probability"] == 0.1).sum() == 3
    with pytest.raises(ImagestrataError, match="more than once"):
        check_judged(pd.concat([proposals.assign(judgement=1), sampled.assign(judgement=0)]))
