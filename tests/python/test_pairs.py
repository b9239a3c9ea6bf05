"""sample_pairs: the design is exactly what the probabilities say."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata import (
    Embeddings,
    ImagestrataError,
    cluster_images,
    next_pairs,
    sample_pairs,
    score_clustering,
)
from imagestrata.provenance import read_run
from imagestrata.sampling.pair_strata import Cells, pair_strata
from imagestrata.sampling.pairs import WITHIN, _allocate, check_pairs, draw_pairs


def images_of(n: int) -> pd.DataFrame:
    ids = [f"i{i}" for i in range(n)]
    return pd.DataFrame({"image_id": ids, "path": [f"/p/{name}.jpg" for name in ids]})


def vectors(n: int = 60) -> Embeddings:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(n, 4)) + 8 * rng.integers(0, 3, size=(n, 1))
    return Embeddings(images_of(n).assign(n_copies=1), matrix.astype(np.float32), {"name": "hog"})


def test_all_pairs_of_five_images_by_hand():
    # Clusters {0, 2} and {1, 3, 4}: 1 + 3 pairs within, 6 between.
    clusters = np.array([7, 3, 7, 3, 3])
    drawn = draw_pairs(images_of(5), clusters, 10, 0.4, np.random.default_rng(0))
    pairs = {frozenset(p): s for p, s in zip(drawn[["image_a", "image_b"]].to_numpy(),
                                             drawn["stratum"], strict=True)}  # fmt: skip
    within = [{"i0", "i2"}, {"i1", "i3"}, {"i1", "i4"}, {"i3", "i4"}]
    assert len(pairs) == 10
    assert {frozenset(p) for p, s in pairs.items() if s == "within"} == set(map(frozenset, within))
    assert (drawn["probability"] == 1).all()
    for side in "ab":
        assert (drawn[f"path_{side}"] == "/p/" + drawn[f"image_{side}"] + ".jpg").all()


@settings(max_examples=60)
@given(
    clusters=st.lists(st.integers(0, 4), min_size=2, max_size=14),
    share=st.sampled_from([0, 0.3, 0.5, 1]),
    n=st.integers(1, 12),
    seed=st.integers(0, 9),
)
def test_pairs_are_what_their_stratum_says(clusters, share, n, seed):
    labels = np.array(clusters)
    every = list(combinations(range(len(labels)), 2))
    there_are = Counter("within" if labels[i] == labels[j] else "between" for i, j in every)
    wanted = {"within": round(n * share), "between": n - round(n * share)}
    rng = np.random.default_rng(seed)
    if any(wanted[stratum] > there_are[stratum] for stratum in wanted):
        with pytest.raises(ImagestrataError, match=r"there are only \d+"):
            draw_pairs(images_of(len(labels)), labels, n, share, rng)
        return
    drawn = draw_pairs(images_of(len(labels)), labels, n, share, rng)
    assert len(drawn) == n
    assert drawn["stratum"].value_counts().to_dict() == {s: m for s, m in wanted.items() if m}
    number = {f"i{i}": label for i, label in enumerate(labels)}
    together = drawn["image_a"].map(number) == drawn["image_b"].map(number)
    assert (together == (drawn["stratum"] == "within")).all()
    assert drawn["probability"].tolist() == [wanted[s] / there_are[s] for s in drawn["stratum"]]
    check_pairs(drawn)  # no image twice in a pair, no pair twice


def three_cells() -> Cells:
    """Cells of seven images; the nearest are 0 and 1, the farthest 0 and 2."""
    return Cells(np.array([0, 0, 1, 1, 2, 2, 2]), np.array([[0, 1], [0.3, 1], [1, 0.1]]))


@pytest.mark.parametrize("within", WITHIN)
def test_strata_by_cluster_and_by_nearness_are_all_pairs_once(within):
    clusters = np.array([0, 0, 0, 0, 1, 1, -1])
    strata = pair_strata(clusters, 5, within, three_cells())
    found = []
    for name, stratum in strata.items():
        rows = stratum.draw(stratum.size, np.random.default_rng(0)).to_numpy()
        found += [tuple(sorted(pair)) for pair in rows.tolist()]
        together = clusters[rows[:, 0]] == clusters[rows[:, 1]]
        assert (together == name.startswith("within")).all()
    assert sorted(found) == list(combinations(range(7), 2))


def test_the_strata_of_seven_images_by_hand():
    clusters = np.array([0, 0, 0, 0, 1, 1, -1])
    near = {
        name: stratum.size
        for name, stratum in pair_strata(clusters, 5, "per_pair", three_cells()).items()
    }
    # Between clusters are 14 pairs. In a cell: 4 6, 5 6. Of cells 1 and 2 are 6, of 0 and 2 are 6.
    # The middles of these blocks are at 1/14, 5/14 and 11/14 of the pairs.
    assert near == {"within": 7, "between 3": 2, "between 4": 12}
    by_cluster = pair_strata(clusters, 5, "per_cluster", three_cells())
    # Each of the two clusters is due 2.5 pairs, but the second has only one.
    assert {k: s.size for k, s in by_cluster.items() if k.startswith("w")} == {
        "within 1": 6,
        "within 2": 1,
    }
    drawn = draw_pairs(images_of(7), clusters, 9, 5 / 9, np.random.default_rng(0),
                       within="per_cluster", cells=three_cells())  # fmt: skip
    numbers = drawn["stratum"].value_counts().to_dict()
    assert numbers == {"within 1": 4, "within 2": 1, "between 3": 2, "between 4": 2}
    assert (drawn["probability"] == drawn["stratum"].map(numbers) / drawn["N_h"]).all()


def test_clusters_that_are_due_fewer_than_two_pairs_share_a_stratum():
    clusters = np.repeat(np.arange(6), [3, 9, 3, 3, 6, 3])
    found = pair_strata(clusters, 10, "per_image", None)
    # Due are 10/27 of a pair per image: 3.3, 2.2 and 1.1 of clusters with 9, 6 and 3 images.
    assert {name: stratum.size for name, stratum in found.items()} == {
        "within 1": 36,
        "within 2": 15,
        "within 3-4": 6,
        "within 5-6": 6,
        "between": 351 - 63,
    }
    equal = pair_strata(clusters, 4, "per_cluster", None)
    assert [name for name in equal if name != "between"] == ["within 1-3", "within 4-6"]


def test_every_pair_between_clusters_is_drawn_with_its_probability():
    clusters = np.array([0, 0, 1, 1, 1, 2, -1])
    several = np.array([clusters, [0, 0, 0, 1, 1, 2, 2]])
    n_draws = 1200
    for labels, prefix in ((clusters, "between"), (several, "0 of 2, ")):
        counts, probability = Counter(), {}
        for seed in range(n_draws):
            drawn = draw_pairs(images_of(7), labels, 7, 3 / 7, np.random.default_rng(seed),
                               cells=three_cells())  # fmt: skip
            drawn = drawn[drawn["stratum"].str.startswith(prefix)]
            for a, b, p in zip(drawn["image_a"], drawn["image_b"], drawn["probability"],
                               strict=True):  # fmt: skip
                counts[frozenset((a, b))] += 1
                probability[frozenset((a, b))] = p
        apart = [
            (i, j)
            for i, j in combinations(range(7), 2)
            if not any(one[i] == one[j] >= 0 for one in np.atleast_2d(labels))
        ]
        assert set(counts) == {frozenset((f"i{i}", f"i{j}")) for i, j in apart}
        for pair, count in counts.items():
            p = probability[pair]
            assert abs(count - n_draws * p) <= 5 * (n_draws * p * (1 - p)) ** 0.5


def test_pairs_of_large_blocks_are_drawn_without_listing_them(monkeypatch):
    clusters = np.repeat([0, 1], [300, 40])
    stratum = pair_strata(clusters, 5, "per_pair", None)["between"]
    rng = np.random.default_rng(0)
    assert stratum.size == 300 * 40
    drawn = stratum.draw(500, rng).to_numpy()
    more = stratum.draw(stratum.size - 500, rng, taken=drawn).to_numpy()
    rows = {tuple(pair) for pair in np.sort(np.concatenate([drawn, more]), axis=1).tolist()}
    assert len(rows) == stratum.size
    assert {(clusters[a], clusters[b]) for a, b in rows} == {(0, 1)}
    # However few of them belong, and however many there are.
    monkeypatch.setattr("imagestrata.sampling.pair_strata._LISTED", 1)
    one = pair_strata(np.where(np.arange(200) == 7, 1, 0), 5, "per_pair", None)["between"]
    assert len(one.draw(199, rng).drop_duplicates()) == 199


def test_one_clustering_is_needed_to_divide_pairs_among_its_clusters():
    fits = [cluster_images(vectors(), "kmeans", n_clusters=k, progress=False) for k in (2, 3)]
    with pytest.raises(ImagestrataError, match='within="per_cluster" divides') as told:
        sample_pairs(vectors(), 40, clusterings=fits, within="per_cluster")
    assert "there are 2 different ones" in str(told.value)
    drawn = sample_pairs(vectors(), 40, clusterings=fits[1], within="per_cluster")
    numbers = drawn["stratum"].value_counts()
    assert numbers.filter(like="within").to_dict() == {
        "within 1": 4,
        "within 2": 4,
        "within 3": 4,
    }
    with pytest.raises(ImagestrataError, match="`within` must be one of"):
        sample_pairs(vectors(), 40, within="pair")


def test_near_pairs_are_drawn_more_often():
    drawn = sample_pairs(vectors(200), 120, 12)
    strata = drawn.groupby("stratum")[["N_h", "probability"]].first()
    between = strata.loc[strata.index.str.startswith("between")]
    assert between["probability"].is_monotonic_decreasing
    assert drawn["stratum"].value_counts()["between 4"] == 42
    assert strata["N_h"].sum() == 200 * 199 / 2
    again = sample_pairs(vectors(200), 120, 12, between="random")
    assert set(again["stratum"]) == {"within", "between"}


def test_every_pair_of_a_stratum_is_equally_likely():
    clusters = np.array([0, 0, 0, 1, 1, 2])  # 4 pairs within, 11 between
    n_draws = 1500
    counts, left = Counter(), 0
    for seed in range(n_draws):
        drawn = draw_pairs(images_of(6), clusters, 4, 0.5, np.random.default_rng(seed))
        counts.update(map(frozenset, drawn[["image_a", "image_b"]].to_numpy()))
        left += int((drawn["image_a"] < drawn["image_b"]).sum())
    assert len(counts) == 15
    for pair, count in counts.items():
        i, j = (int(name[1:]) for name in pair)
        probability = 2 / 4 if clusters[i] == clusters[j] else 2 / 11
        sd = (n_draws * probability * (1 - probability)) ** 0.5
        assert abs(count - n_draws * probability) < 5 * sd
    assert abs(left / (4 * n_draws) - 0.5) < 0.03


@settings(max_examples=40)
@given(
    several=st.lists(st.lists(st.integers(-1, 3), min_size=9, max_size=9), min_size=2, max_size=7),
    n=st.integers(1, 20),
    seed=st.integers(0, 9),
)
def test_strata_of_several_clusterings_are_counted_exactly(several, n, seed):
    different = list({tuple(partition(labels)): np.array(labels) for labels in several}.values())
    every = Counter()
    for i, j in combinations(range(9), 2):
        every[number_together(different, i, j)] += 1
    try:
        drawn = draw_pairs(images_of(9), several, n, 0.5, np.random.default_rng(seed))
    except ImagestrataError as error:
        assert "there are only" in str(error)
        return
    check_pairs(drawn)
    assert len(drawn) == n
    if len(different) == 1:
        assert set(drawn["stratum"]) <= {"within", "between"}
        return
    for stratum, rows in drawn.groupby("stratum"):
        low, high = bounds(stratum)
        assert rows["N_h"].iloc[0] == sum(every[m] for m in range(low, high + 1))
        assert (rows["probability"] == len(rows) / rows["N_h"]).all()
        for row in rows.itertuples():
            together = number_together(different, int(row.image_a[1:]), int(row.image_b[1:]))
            assert low <= together <= high
    inside = drawn[~drawn["stratum"].str.startswith("0 of")]
    assert len(inside) == round(n * 0.5)


def number_together(several, i, j):
    return sum(labels[i] == labels[j] >= 0 for labels in several)


def partition(labels):
    alone = np.array(labels) < 0
    return pd.factorize(np.where(alone, 10 + np.arange(len(labels)), labels))[0]


def bounds(stratum):
    """The numbers of clusterings that a stratum stands for: "1-3 of 12"."""
    low, _, high = stratum.split(" of ")[0].partition("-")
    return int(low), int(high or low)


def test_every_pair_of_every_stratum_of_several_clusterings_is_equally_likely():
    several = np.array([[0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, -1]])
    n_draws = 1500
    counts = Counter()
    for seed in range(n_draws):
        drawn = draw_pairs(images_of(6), several, 5, 0.6, np.random.default_rng(seed))
        counts.update(map(frozenset, drawn[["image_a", "image_b"]].to_numpy()))
    # Together in both: 0 and 1. In one: 0 2, 1 2, 3 4, 2 3. In none: the other ten.
    probabilities = {2: 1, 1: 2 / 4, 0: 2 / 10}
    for i, j in combinations(range(6), 2):
        probability = probabilities[number_together(several, i, j)]
        sd = (n_draws * probability * (1 - probability)) ** 0.5
        assert abs(counts[frozenset({f"i{i}", f"i{j}"})] - n_draws * probability) <= 5 * sd


def test_a_stratum_with_few_pairs_is_taken_whole_and_others_get_the_rest():
    numbers = {"0 of 3": 100, "1 of 3": 50, "2 of 3": 4, "3 of 3": 0}
    assert _allocate(numbers, 60, 30) == {"0 of 3": 30, "1 of 3": 26, "2 of 3": 4, "3 of 3": 0}


def test_pairs_are_drawn_from_clusterings_from_a_grid_and_from_every_encoder(tmp_path):
    first = vectors()
    other = Embeddings(first.images, first.matrix[:, ::-1].copy() ** 2, {"name": "other"})
    grid = {"method": ["kmeans"], "n_clusters": [2, 3, 5]}
    given = {"n": 40, "progress": False, "between": "random"}
    drawn = sample_pairs(first, grid=grid, out=tmp_path, **given)
    assert set(drawn["stratum"]) == {"0 of 3", "1 of 3", "2 of 3", "3 of 3"}
    fits = [cluster_images(first, "kmeans", n_clusters=k, progress=False) for k in (2, 3, 5)]
    pd.testing.assert_frame_equal(drawn, sample_pairs(first, clusterings=fits, **given))
    by_name = {str(i): fit.images[["image_id", "cluster"]] for i, fit in enumerate(fits)}
    shuffled = by_name | {"0": by_name["0"].sample(frac=1, random_state=1)}
    pd.testing.assert_frame_equal(drawn, sample_pairs(first, clusterings=shuffled, **given))
    stored = sample_pairs(first, grid=grid, out=tmp_path, **given)
    pd.testing.assert_frame_equal(drawn, stored, check_dtype=False)
    with pytest.raises(ImagestrataError, match="already holds the step 'pairs'"):
        sample_pairs(first, clusterings=fits, out=tmp_path, **given)

    assert set(sample_pairs(first, clusterings=fits[0], **given)["stratum"]) == {
        "within",
        "between",
    }
    both = sample_pairs([first, other], k=5, **given)
    assert set(both["stratum"]) == {"0 of 2", "1 of 2", "2 of 2"}
    several = sample_pairs([first, other], grid=grid, **given)
    assert bounds(several["stratum"].max())[1] <= 6
    with pytest.raises(ImagestrataError, match="exclude each other"):
        sample_pairs(first, clusterings=fits, grid=grid)
    with pytest.raises(ImagestrataError, match="`clusterings` is empty"):
        sample_pairs(first, clusterings=[])
    with pytest.raises(ImagestrataError, match="columns image_id and cluster; got a list"):
        sample_pairs(first, clusterings=[[1, 2]])


def test_clusterings_and_encoders_that_lack_images():
    whole = vectors()
    fit = cluster_images(whole, "kmeans", n_clusters=3, progress=False).images
    with pytest.raises(ImagestrataError, match="7 of 60 images are not in all") as told:
        sample_pairs(whole, 30, clusterings=[fit, fit.iloc[7:]])
    assert 'missing="drop"' in str(told.value)
    drawn = sample_pairs(whole, 30, clusterings=[fit, fit.iloc[7:]], missing="drop")
    known = set(fit["image_id"].iloc[7:])
    assert {*drawn["image_a"], *drawn["image_b"]} <= known
    assert drawn.groupby("stratum")["N_h"].first().sum() == 53 * 52 / 2

    fewer = Embeddings(
        images_of(60).iloc[7:].reset_index(drop=True), whole.matrix[7:], {"name": "x"}
    )
    with pytest.raises(ImagestrataError, match="'hog' has 60, 'x' 53, and 53 are in both"):
        sample_pairs([whole, fewer], 30, 5)
    drawn = sample_pairs([whole, fewer], 30, 5, missing="drop")
    assert {*drawn["image_a"], *drawn["image_b"]} <= known


def test_a_million_images_need_no_list_of_pairs():
    clusters = np.arange(1_000_000) % 80
    drawn = draw_pairs(images_of(1_000_000), clusters, 40, 0.5, np.random.default_rng(0))
    within = 80 * 12500 * 12499 // 2
    assert drawn.groupby("stratum")["probability"].first().to_dict() == {
        "between": 20 / (1_000_000 * 999_999 // 2 - within),
        "within": 20 / within,
    }


def test_same_seed_same_pairs_and_the_run_folder_keeps_them(tmp_path):
    given_vectors = vectors()
    drawn = sample_pairs(given_vectors, 40, 3, seed=5, out=tmp_path)
    pd.testing.assert_frame_equal(drawn, sample_pairs(given_vectors, 40, 3, seed=5))
    assert not drawn["pair_id"].equals(sample_pairs(given_vectors, 40, 3, seed=6)["pair_id"])
    stored = sample_pairs(given_vectors, 40, 3, seed=5, out=tmp_path)
    pd.testing.assert_frame_equal(drawn, stored, check_dtype=False)
    assert read_run(tmp_path)["steps"]["pairs"]["counts"]["pairs"] == 40
    with pytest.raises(ImagestrataError, match="n=40, not with n=41"):
        sample_pairs(given_vectors, 41, 3, seed=5, out=tmp_path)
    assert len(sample_pairs(given_vectors, 41, 3, seed=5, out=tmp_path, overwrite=True)) == 41


def test_pairs_within_share_a_cluster_of_real_clusters():
    drawn = sample_pairs(vectors(), 60, 3, share_within=0.5, between="random")
    matrix = vectors().matrix.mean(axis=1)
    distance = [abs(matrix[int(a[1:])] - matrix[int(b[1:])])
                for a, b in zip(drawn["image_a"], drawn["image_b"], strict=True)]  # fmt: skip
    by_stratum = pd.Series(distance).groupby(drawn["stratum"]).agg(["min", "max"])
    assert by_stratum.loc["within", "max"] < by_stratum.loc["between", "min"]


def test_the_id_of_a_pair_depends_on_its_images_alone():
    one, other = sample_pairs(vectors(), 300, 3, seed=1), sample_pairs(vectors(), 300, 3, seed=2)
    both = one.merge(other, on="pair_id")
    assert len(both) > 10
    assert (both["image_a_x"] != both["image_a_y"]).any()
    for row in both.itertuples():
        assert {row.image_a_x, row.image_b_x} == {row.image_a_y, row.image_b_y}


def test_plain_random_pairs_have_one_stratum_and_one_probability():
    drawn = sample_pairs(vectors(), 100, k=1)
    assert (drawn["stratum"] == "all").all()
    assert (drawn["N_h"] == 60 * 59 // 2).all()
    assert (drawn["probability"] == 100 / (60 * 59 / 2)).all()
    assert drawn["pair_id"].is_unique
    every = sample_pairs(vectors(5), 10, k=1, seed=3)
    found = {frozenset(pair) for pair in every[["image_a", "image_b"]].to_numpy()}
    assert found == {frozenset(pair) for pair in combinations([f"i{i}" for i in range(5)], 2)}
    assert (every["probability"] == 1).all()


def test_plain_random_pairs_are_equally_probable():
    counts = Counter(
        frozenset(pair)
        for seed in range(600)
        for pair in sample_pairs(vectors(5), 4, k=1, seed=seed)[["image_a", "image_b"]].to_numpy()
    )
    # Each of the ten pairs is in 4 of 10 samples; a standard deviation is 12 of 600.
    assert len(counts) == 10
    assert all(abs(number - 240) < 48 for number in counts.values())


def test_scores_of_plain_random_pairs_by_hand():
    images = vectors().images.assign(cluster=np.repeat([1, 2, 3], 20))
    judged = sample_pairs(vectors(), 300, k=1)
    cluster = images.set_index("image_id")["cluster"]
    same = judged["image_a"].map(cluster) == judged["image_b"].map(cluster)
    half = judged["image_a"].str.removeprefix("i").astype(int) % 2 == 0
    judged["judgement"] = (same & half).astype(int)
    scores = score_clustering(images, judged).set_index(["measure", "weighting"])["estimate"]
    assert scores["precision", "none"] == half[same].mean()
    assert scores["precision", "design"] == pytest.approx(half[same].mean())
    assert scores["recall", "none"] == scores["recall", "design"] == 1


def test_what_has_no_effect_on_plain_random_pairs():
    with pytest.raises(ImagestrataError, match=r"share_within=0.5 and within=.* have no effect"):
        sample_pairs(vectors(10), n=2, k=1, share_within=0.5, within="per_image")
    with pytest.raises(ImagestrataError, match="no effect with k=1: all pairs are one stratum"):
        sample_pairs(vectors(10), n=2, k=1, between="random")
    with pytest.raises(ImagestrataError, match="50 pairs were asked for, but 10 images have only"):
        sample_pairs(vectors(10), n=50, k=1)
    # With clusterings, k only orders the pairs between them.
    two = vectors(10).images.assign(cluster=[1, 2] * 5)
    assert "within" in set(sample_pairs(vectors(10), n=10, k=1, clusterings=two)["stratum"])
    judged = sample_pairs(vectors(10), n=10, k=1).assign(judgement=1)
    with pytest.raises(ImagestrataError, match="were not drawn from this clustering"):
        next_pairs(judged, two)


def test_bad_input():
    with pytest.raises(ImagestrataError, match="`k` must be smaller than the number of images"):
        sample_pairs(vectors(), k=60)
    with pytest.raises(ImagestrataError, match="within clusters were asked for, but there are"):
        sample_pairs(vectors(10), n=200, k=3)
    with pytest.raises(ImagestrataError, match=r"between clusters .* there are only 0"):
        one = vectors(10).images.assign(cluster=1)
        sample_pairs(vectors(10), n=2, clusterings=one, between="random")
    with pytest.raises(ImagestrataError, match="`share_within` must be between 0 and 1"):
        sample_pairs(vectors(), share_within=50)
    with pytest.raises(ImagestrataError, match="not an int"):
        sample_pairs([1, 2])


def test_tables_that_are_no_pairs():
    pairs = sample_pairs(vectors(), 20, 3)
    twice = pairs.assign(image_b=pairs["image_b"].where(pairs.index > 1, pairs["image_a"]))
    with pytest.raises(ImagestrataError, match="2 of 20 pairs hold one image twice"):
        check_pairs(twice)
    with pytest.raises(ImagestrataError, match="3 pair ids occur more than once"):
        check_pairs(pd.concat([pairs, pairs.head(3)]))
    turned = pairs.head(2).rename(columns={"image_a": "image_b", "image_b": "image_a"})
    with pytest.raises(ImagestrataError, match="2 pairs of images occur more than once"):
        check_pairs(pd.concat([pairs, turned.assign(pair_id=["x", "y"])]))
    with pytest.raises(ImagestrataError, match="lacks the column 'judgement'"):
        check_pairs(pairs, "judgement")
    with pytest.raises(
        ImagestrataError, match="1 of 20 rows of `pairs` have missing values in pair_id"
    ):
        check_pairs(pairs.assign(image_a=pairs["image_a"].where(pairs.index > 0)))
    with pytest.raises(ImagestrataError, match="`pairs` has no rows"):
        check_pairs(pairs.head(0))
    with pytest.raises(ImagestrataError, match="not None"):
        check_pairs(None)
