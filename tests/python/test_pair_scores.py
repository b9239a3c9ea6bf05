"""score_clustering against hand counts, exact values, and pairs that are all known."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterings import hand_made
from imagestrata import ImagestrataError, next_pairs, score_clustering, tune_clusters
from imagestrata.sampling.pairs import draw_pairs, pair_id
from imagestrata.validation.pair_scores import (
    RATIOS,
    Sample,
    _draw_shares,
    design_weights,
    groups_of,
    score_sample,
)

#: Most pairs here are made by hand, and stand for themselves.
pytestmark = pytest.mark.filterwarnings("ignore:The pairs have no column 'probability'")


def images_of(clusters) -> pd.DataFrame:
    ids = [f"i{i}" for i in range(len(clusters))]
    return pd.DataFrame({"image_id": ids, "cluster": clusters, "path": None})


def pairs_of(rows, **columns) -> pd.DataFrame:
    """Pairs from (number of one image, of the other, judgement)."""
    table = pd.DataFrame(rows, columns=["a", "b", "judgement"])
    a, b = ([f"i{i}" for i in table[side]] for side in "ab")
    ids = [pair_id(x, y) for x, y in zip(a, b, strict=True)]
    return pd.DataFrame(
        {"pair_id": ids, "image_a": a, "image_b": b, "judgement": table["judgement"], **columns}
    )


def estimates(table: pd.DataFrame, weighting: str = "none") -> dict[str, float]:
    chosen = table[table["weighting"] == weighting]
    return dict(zip(chosen["measure"], chosen["estimate"], strict=True))


#: Together are (0, 1), (2, 3), (2, 4); of them judged the same (0, 1) and (2, 3). Apart but
#: judged the same is (0, 5), where 5 is residual.
CLUSTERS = [1, 1, 2, 2, 2, -1, -1]
JUDGED = [(0, 1, 1), (2, 3, 1), (2, 4, 0), (0, 5, 1), (0, 2, 0), (5, 6, 0)]
PROBABILITY = [0.5, 0.5, 0.5, 0.1, 0.1, 0.1]


def test_a_case_by_hand():
    pairs = pairs_of(JUDGED, stratum=["within"] * 3 + ["between"] * 3, probability=PROBABILITY)
    table = score_clustering(images_of(CLUSTERS), pairs)
    plain, weighted = estimates(table), estimates(table, "design")
    assert plain == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "mean_pr": 2 / 3}
    )
    # Weights 2 and 10: people put 2 + 2 + 10 together, the clustering 2 + 2 of these.
    precision, recall = 2 / 3, 4 / 14
    assert weighted == pytest.approx(
        {
            "precision": precision,
            "recall": recall,
            "f1": 2 * precision * recall / (precision + recall),
            "mean_pr": (precision + recall) / 2,
        }
    )
    assert (table["n_pairs"] == 6).all()
    assert (table["n_residual"] == 2).all()
    assert (table["conf_low"] <= table["estimate"]).all()
    assert (table["conf_high"] >= table["estimate"]).all()


def test_residual_images_are_apart_or_left_out():
    pairs = pairs_of(JUDGED)
    left_out = score_clustering(images_of(CLUSTERS), pairs, residual="drop")
    assert estimates(left_out)["recall"] == 1
    assert (left_out["n_pairs"] == 4).all()
    assert (left_out["n_residual"] == 2).all()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 2)), min_size=3, max_size=15))
def test_all_pairs_judged_rightly_give_the_exact_values(rows):
    clusters, classes = np.array(rows).T
    every = [(i, j, float(classes[i] == classes[j])) for i, j in combinations(range(len(rows)), 2)]
    exact = score_clustering(clusters, classes).set_index("measure")["estimate"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = score_clustering(images_of(clusters), pairs_of(every, probability=1.0), n_boot=5)
    for weighting in ("none", "design"):
        found = estimates(table, weighting)
        for measure in ("precision", "recall"):
            if not np.isnan(found[measure]):
                assert found[measure] == pytest.approx(exact[measure])


def test_order_of_rows_and_sides_does_not_matter():
    rng = np.random.default_rng(0)
    clusters = rng.integers(1, 5, 80)
    pairs = draw_pairs(images_of(clusters), rng.integers(0, 6, 80), 90, 0.5, rng)
    pairs["judgement"] = rng.integers(0, 2, 90)
    shuffled = pairs.sample(frac=1, random_state=1)
    turned = shuffled.rename(columns={"image_a": "image_b", "image_b": "image_a"})
    table = score_clustering(images_of(clusters), pairs)
    pd.testing.assert_frame_equal(table, score_clustering(images_of(clusters), turned))
    assert not table.equals(score_clustering(images_of(clusters), pairs, seed=1))


def test_a_clustering_object_does_as_well():
    clustering = hand_made([None] * 7, CLUSTERS, image_id=[f"i{i}" for i in range(7)])
    assert estimates(score_clustering(clustering, pairs_of(JUDGED)))["precision"] == pytest.approx(
        2 / 3
    )


def test_quality_by_hand():
    # 60 pairs in one cluster, half of them 2 and half 1; 50 in two, ten of them 1, the rest 0.
    rows = [(0, i + 1, 2 - i % 2) for i in range(60)]
    rows += [(i + 1, i + 61, int(i < 10)) for i in range(50)]
    clusters = images_of([1] * 61 + [2] * 50)
    table = score_clustering(clusters, pairs_of(rows))
    assert estimates(table)["quality"] == pytest.approx(1.5 - 0.2)
    row = table.set_index("measure").loc["quality"]
    assert 1 < row["conf_low"] < 1.2
    assert 1.4 < row["conf_high"] < 1.5
    assert estimates(table)["recall"] == pytest.approx(60 / 70)
    strict = score_clustering(clusters, pairs_of(rows), same_from=2)
    assert estimates(strict)["precision"] == pytest.approx(0.5)
    assert estimates(strict)["recall"] == 1

    fewer = pairs_of(rows[:-1])
    with pytest.warns(UserWarning, match="50 in two; there are 60 and 49"):
        assert np.isnan(estimates(score_clustering(clusters, fewer))["quality"])
    with pytest.raises(ImagestrataError, match="there are 60 and 49"):
        score_clustering(clusters, fewer, measures="quality")
    binary = pairs_of([(i, j, min(judgement, 1)) for i, j, judgement in rows])
    assert "quality" not in estimates(score_clustering(clusters, binary))
    only = score_clustering(clusters, binary, measures=["quality", "recall"])
    assert only["measure"].tolist() == ["quality", "recall"]


def test_quality_is_weighted_as_well():
    rows = [(0, i + 1, 2 * (i % 2)) for i in range(60)]
    rows += [(i + 1, i + 61, 0) for i in range(60)]
    clusters = images_of([1] * 61 + [2] * 60)
    probability = [0.5 if judgement else 0.25 for *_, judgement in rows]
    found = score_clustering(clusters, pairs_of(rows, probability=probability), measures="quality")
    assert estimates(found)["quality"] == pytest.approx(1)
    assert estimates(found, "design")["quality"] == pytest.approx(2 * 30 * 2 / (30 * 2 + 30 * 4))


def test_pairs_without_a_judgement_are_stood_for_by_others():
    pairs = pairs_of(JUDGED, stratum=["within"] * 3 + ["between"] * 3, probability=PROBABILITY)
    pairs.loc[4, "judgement"] = np.nan
    assert design_weights(pairs).tolist() == [2, 2, 2, 15, 0, 15]
    table = score_clustering(images_of(CLUSTERS), pairs)
    assert (table["n_pairs"] == 5).all()
    assert estimates(table, "design")["recall"] == pytest.approx(4 / 19)
    # Where the row is gone as well, the size of the stratum says what is missing.
    sized = pairs.assign(N_h=[6] * 3 + [30] * 3).drop(index=4)
    pd.testing.assert_frame_equal(table, score_clustering(images_of(CLUSTERS), sized))


def test_known_errors_of_judgement_are_taken_out():
    # 100 pairs together, 80 rightly; 1000 apart, 100 wrongly; a tenth of the judgements is wrong.
    judged = [1] * 74 + [0] * 26 + [1] * 180 + [0] * 820
    rows = [(0, i + 1, judged[i]) for i in range(100)]
    rows += [(i % 100 + 1, 101 + i, judged[100 + i]) for i in range(1000)]
    clusters = images_of([1] * 101 + [2] * 1100)
    table = score_clustering(clusters, pairs_of(rows), error_rate=0.1)
    assert estimates(table)["precision"] == pytest.approx(0.8)
    assert estimates(table)["recall"] == pytest.approx(80 / 180)
    wrong = score_clustering(clusters, pairs_of(rows))
    assert estimates(wrong)["recall"] == pytest.approx(74 / 254)
    recall = table.set_index("measure").loc["recall"]
    assert recall["conf_low"] < 80 / 180 < recall["conf_high"]
    # More errors than there are answers of that kind: none is left.
    assert estimates(score_clustering(clusters, pairs_of(rows), error_rate=0.3))["recall"] == 1


def test_half_a_pair_is_added_once_where_it_weighs_most():
    """Sums of rare pairs of many strata would be too large with half a pair in each."""
    from scipy.stats import beta

    rng = np.random.default_rng(0)
    share, number = np.array([0.0, 0.5, 0.0, 0.0]), np.array([10.0, 20, 40, 0])
    drawn = _draw_shares(share, number, np.array([1.0, 5, 9, 20]), 20_000, rng)
    assert (drawn[:, 0] == 0).all()
    for column, posterior in ((1, beta(10, 10)), (2, beta(0.5, 40.5)), (3, beta(0.5, 0.5))):
        assert drawn[:, column].mean() == pytest.approx(posterior.mean(), rel=0.05)
        assert drawn[:, column].std() == pytest.approx(posterior.std(), rel=0.05)


def sample_of(table, strata, groups, n_together=None):
    """A sample from a list of (stratum, together, judgement, weight)."""
    stratum, together, judgement, weight = (np.array(column) for column in zip(*table, strict=True))
    codes = np.array([strata.index(name) for name in stratum])
    group = np.array(groups)[codes]
    return Sample.of(together, judgement.astype(float), weight, codes, group, n_together)


def test_the_variance_of_clusters_that_share_a_group_is_that_of_a_stratified_sample():
    # Two clusters of 100 and 20 pairs, 4 judged of each: shares 3/4 and 1/2.
    rows = [("a", True, 1, 25.0)] * 3 + [("a", True, 0, 25.0)]
    rows += [("b", True, 1, 5.0)] * 2 + [("b", True, 0, 5.0)] * 2
    sample = sample_of(rows, ["a", "b"], [0, 0])
    same, pairs = sample.cells[:, 1, 1], sample.cells[:, 1].sum(axis=1)
    share, number = sample.shares(same, pairs)
    p = (100 * 0.75 + 20 * 0.5) / 120
    # Variance of the mean of a stratified sample, (N_h / N)^2 p_h (1 - p_h) / n_h, where half a
    # pair with the share p is added for p_h.
    a, b = (3 + p / 2) / 4.5, (2 + p / 2) / 4.5
    variance = (100 / 120) ** 2 * a * (1 - a) / 4 + (20 / 120) ** 2 * b * (1 - b) / 4
    assert share == pytest.approx([p])
    assert number == pytest.approx([p * (1 - p) / variance])
    # Strata that are no group keep their own shares and numbers.
    share, number = sample_of(rows, ["a", "b"], [0, 1]).shares(same, pairs)
    assert share.tolist() == [0.75, 0.5]
    assert number.tolist() == [4, 4]


def test_clusters_are_a_group_and_other_strata_are_not():
    names = ["within 1", "within 12-15", "within", "between 1", "1-3 of 12", "within 2"]
    groups = groups_of(pd.DataFrame({"stratum": names, "probability": 0.5}))
    assert groups[0] == groups[1] == groups[5]
    assert len(set(groups)) == 4


def test_the_known_number_of_pairs_together_is_used():
    # 40 of 1,000 pairs are drawn from each stratum; 10 and 2 are together: about 250 and 50.
    rows = [("a", True, 1, 25.0)] * 8 + [("a", True, 0, 25.0)] * 2 + [("a", False, 0, 25.0)] * 30
    rows += [("b", True, 1, 25.0)] * 2 + [("b", False, 1, 25.0)] + [("b", False, 0, 25.0)] * 37
    rng = np.random.default_rng(0)
    free = score_sample(sample_of(rows, ["a", "b"], [0, 1]), RATIOS, 1, 4000, rng)
    known = score_sample(sample_of(rows, ["a", "b"], [0, 1], 400), RATIOS, 1, 4000, rng)
    assert [free["precision"][0], known["precision"][0]] == pytest.approx([10 / 12] * 2)
    assert free["recall"][0] == pytest.approx(10 / 11)
    # 400 * 10 / 12 are rightly together; 1 of 68 of the 1,600 others is missed.
    right, missed = 400 * 10 / 12, 1600 / 68
    assert known["recall"][0] == pytest.approx(right / (right + missed))
    assert np.std(known["recall"][1]) < np.std(free["recall"][1])
    # If all pairs of some strata are together and these are all that are, shares are known.
    rows = [("a", True, 1, 25.0)] * 30 + [("a", True, 0, 25.0)] * 10 + [("b", False, 0, 25.0)] * 40
    sure = score_sample(sample_of(rows, ["a", "b"], [0, 1], 1000), RATIOS, 1, 4000, rng)
    low, high = np.quantile(sure["precision"][1], [0.025, 0.975])
    from scipy.stats import beta

    assert [low, high] == pytest.approx(beta.ppf([0.025, 0.975], 30.5, 10.5).tolist(), abs=0.01)


def test_intervals_of_one_stratum_are_those_of_jeffreys():
    from scipy.stats import beta

    rows = [(0, i + 1, int(i < 12)) for i in range(20)] + [(i + 1, i + 21, 0) for i in range(20)]
    rows += [(i + 1, i + 22, int(i < 4)) for i in range(20)]
    clusters = images_of([1] * 21 + [2] * 22)
    table = score_clustering(clusters, pairs_of(rows), n_boot=40_000).set_index("measure")
    found = table.loc["precision", ["conf_low", "conf_high"]].tolist()
    assert found == pytest.approx(beta.ppf([0.025, 0.975], 12.5, 8.5).tolist(), abs=0.01)
    # Nothing but agreement still leaves room for disagreement.
    sure = score_clustering(clusters, pairs_of(rows[:12] + rows[20:24]), n_boot=20_000)
    low, high = sure.set_index("measure").loc["precision", ["conf_low", "conf_high"]]
    assert low == pytest.approx(beta.ppf(0.025, 12.5, 0.5), abs=0.01)
    assert high == 1


def test_intervals_cover_where_a_bootstrap_of_a_handful_would_not():
    """150 small surveys: 95% intervals hold the exact values about as often as they say."""
    rng = np.random.default_rng(11)
    classes = np.repeat(np.arange(8), 50)
    clusters = np.where(rng.random(400) < 0.85, classes, rng.integers(0, 8, 400)) + 1
    strata = clusters * 3 + rng.integers(0, 3, 400)
    images = images_of(clusters)
    exact = score_clustering(clusters, classes).set_index("measure")["estimate"]
    hits = dict.fromkeys(["precision", "recall"], 0)
    plain_hits = 0
    for seed in range(150):
        pairs = draw_pairs(images, strata, 200, 0.5, np.random.default_rng(seed))
        numbers = [pairs[side].str[1:].astype(int).to_numpy() for side in ("image_a", "image_b")]
        pairs["judgement"] = (classes[numbers[0]] == classes[numbers[1]]).astype(int)
        table = score_clustering(images, pairs, n_boot=300, seed=seed)
        for row in table.itertuples():
            if row.measure in hits:
                held = row.conf_low <= exact[row.measure] <= row.conf_high
                if row.weighting == "design":
                    hits[row.measure] += held
                elif row.measure == "recall":
                    plain_hits += held
    assert 0.88 < hits["precision"] / 150 <= 1
    assert 0.88 < hits["recall"] / 150 <= 1
    assert plain_hits / 150 < 0.5


def test_what_nobody_put_together_is_told():
    clusters = images_of([1, 1, 2, 3])
    with pytest.warns(UserWarning, match="Annotators put no pair together: recall is undefined"):
        table = score_clustering(clusters, pairs_of([(0, 1, 0), (2, 3, 0)])).set_index("measure")
    assert table.loc["precision", "estimate"] == 0
    assert table.loc[["recall", "f1", "mean_pr"]].drop(columns=["weighting"])[
        ["estimate", "conf_low", "conf_high"]
    ].isna().all(axis=None)  # fmt: skip
    with pytest.warns(
        UserWarning, match="No judged pair is in one cluster: precision is undefined"
    ):
        score_clustering(clusters, pairs_of([(0, 2, 1), (2, 3, 0)]))


def test_each_question_is_scored_by_itself():
    rng = np.random.default_rng(8)
    images = images_of(rng.integers(0, 4, 40))
    drawn = draw_pairs(images.assign(path="a"), images["cluster"], 80, 0.5, rng)
    parts = {name: drawn.assign(judgement=rng.integers(0, 2, 80)) for name in ("things", "ideas")}
    table = pd.concat([part.assign(question=name) for name, part in parts.items()])
    found = score_clustering(images, table.sample(frac=1, random_state=2), n_boot=50)
    assert found.columns[:2].tolist() == ["question", "measure"]
    for name, part in parts.items():
        its = found[found["question"] == name].drop(columns="question").reset_index(drop=True)
        pd.testing.assert_frame_equal(its, score_clustering(images, part, n_boot=50))
    with pytest.raises(ImagestrataError, match="80 of 160 judgements have no name of a question"):
        score_clustering(images, table.assign(question=table["question"].replace("ideas", None)))


def test_other_verbs_need_one_question():
    rng = np.random.default_rng(8)
    images = images_of(rng.integers(0, 4, 40))
    drawn = draw_pairs(images.assign(path="a"), images["cluster"], 80, 0.5, rng)
    judged = drawn.assign(judgement=rng.integers(0, 2, 80))
    table = pd.concat([judged.assign(question=name) for name in ("things", "ideas")])
    said = r"has judgements of 2 questions \('things', 'ideas'\), and one judgement per pair"
    with pytest.raises(ImagestrataError, match=f"`judged` {said}") as caught:
        next_pairs(table, images)
    assert caught.value.hint == (
        "Keep the rows of one question, those whose column 'question' is 'things'."
    )
    with pytest.raises(ImagestrataError, match=f"`pairs` {said}"):
        tune_clusters(rng.normal(size=(40, 3)), table, {"k": [2]})
    one = table[table["question"] == "ideas"]
    assert len(next_pairs(one, images, n=5)) == len(next_pairs(judged, images, n=5)) == 5


def test_bad_input():
    clusters, pairs = images_of(CLUSTERS), pairs_of(JUDGED)

    def complaint(*arguments, **options) -> str:
        with pytest.raises(ImagestrataError) as caught:
            score_clustering(*arguments, **options)
        return str(caught.value)

    assert "1 of 6 pairs have an image that is not in the clustering, 'i6'" in complaint(
        clusters.head(6), pairs
    )
    twice = pd.concat([clusters, clusters.head(2)])  # as in a table with a row per post
    pd.testing.assert_frame_equal(score_clustering(twice, pairs), score_clustering(clusters, pairs))
    assert "The clustering contradicts itself for 2 images" in complaint(
        pd.concat([clusters, clusters.head(2).assign(cluster=99)]), pairs
    )
    assert "6 of 6 are not, 3 for one" in complaint(clusters, pairs.assign(judgement=3))
    assert "6 of 6 are not, 'same' for one" in complaint(clusters, pairs.assign(judgement="same"))
    assert "consensus() combines" in complaint(clusters, pd.concat([pairs, pairs]))
    assert "None of the 6 pairs counts" in complaint(clusters, pairs.assign(judgement=np.nan))
    assert "no column 'probability'" in complaint(clusters, pairs, weighted=True)
    assert "6 of 6 are not" in complaint(clusters, pairs.assign(probability=0), weighted=True)
    assert "lacks the column 'judgement'" in complaint(clusters, pairs.drop(columns="judgement"))
    assert "got a list" in complaint([1, 2], pairs)
    assert "must be 'alone' or 'drop', not 'together'" in complaint(
        clusters, pairs, residual="together"
    )
    assert "`measures` must be one of" in complaint(clusters, pairs, measures=["accuracy"])
    assert "`measures` is empty" in complaint(clusters, pairs, measures=[])
    assert "`error_rate` must be between 0 and 0.499" in complaint(clusters, pairs, error_rate=0.5)
    assert "`weighted` must be True or False" in complaint(clusters, pairs, weighted="yes")


def test_images_that_the_clustering_lacks():
    """Their pairs do not count, and those that are left stand for no more pairs than before."""
    clusters = images_of(CLUSTERS)
    pairs = pairs_of(JUDGED, stratum=["within"] * 3 + ["between"] * 3, probability=PROBABILITY)
    with pytest.raises(ImagestrataError, match=r"'i6' for one(.|\n)*missing=\"drop\""):
        score_clustering(clusters.head(6), pairs)
    table = score_clustering(clusters.head(6), pairs, missing="drop", weighted=True)
    lacking = pairs[["image_a", "image_b"]].eq("i6").any(axis=1)
    assert set(table["n_missing"]) == {lacking.sum()} == {1}
    assert set(table["n_pairs"]) == {5}
    # Weights stay 2 and 10, as by hand above: with 15 for the last two, recall would be 4 / 19.
    assert estimates(table, "design")["precision"] == pytest.approx(2 / 3)
    assert estimates(table, "design")["recall"] == pytest.approx(4 / 14)
    assert set(score_clustering(clusters, pairs)["n_missing"]) == {0}
    with pytest.raises(ImagestrataError, match=r"not in the clustering \(6\)"):
        score_clustering(
            clusters.assign(image_id="x" + clusters["image_id"]), pairs, missing="drop"
        )


def test_without_probabilities_it_says_what_is_estimated():
    clusters, pairs = images_of(CLUSTERS), pairs_of(JUDGED)
    with pytest.warns(UserWarning, match="the estimates describe the drawn pairs, not all pairs"):
        score_clustering(clusters, pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score_clustering(clusters, pairs, weighted=False)
