"""Agreement against hand counts, scikit-learn, statsmodels and krippendorff."""

from __future__ import annotations

import warnings

import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from imagestrata import ImagestrataError, agreement, consensus
from imagestrata.annotation.agreement import _codes, _judged_by_chance, _statistics

LEVELS = ["nominal", "ordinal", "interval"]


def judged(matrix) -> pd.DataFrame:
    """A row per judgement, from a column per annotator (a, b, c, ...); NaN for none."""
    wide = pd.DataFrame(np.asarray(matrix, dtype=float))
    wide.columns = [chr(97 + i) for i in range(wide.shape[1])]
    wide.insert(0, "pair_id", [f"p{i}" for i in range(len(wide))])
    return wide.melt("pair_id", var_name="annotator", value_name="judgement").dropna()


def measured(matrix, **arguments) -> pd.Series:
    table = agreement(judged(matrix), n_boot=2, **arguments)
    return table.set_index(["measure", "annotators"])["estimate"]


def test_two_annotators_by_hand():
    # They agree on 8 of 10; each says "same" 5 times, so half of it would be chance.
    one = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    other = [1, 1, 1, 1, 0, 0, 0, 0, 0, 1]
    table = agreement(judged(np.transpose([one, other])))
    found = table.set_index(["measure", "annotators"])
    assert found.loc[("percent_agreement", "a, b"), "estimate"] == 0.8
    assert found.loc[("cohen_kappa", "a, b"), "estimate"] == pytest.approx(0.6)
    assert found.loc[("cohen_kappa", "all"), "estimate"] == pytest.approx(0.6)
    assert found.loc[("fleiss_kappa", "all"), "estimate"] == pytest.approx(0.6)
    # Alpha: 4 of 20 values lie in disagreements, expected are 2 * 10 * 10 / 19.
    alpha = found.loc[("krippendorff_alpha_nominal", "all"), "estimate"]
    assert alpha == pytest.approx(1 - 4 / (200 / 19))
    assert len(table) == 6
    assert (table["n_pairs"] == 10).all()
    assert (table["conf_low"] < table["estimate"]).all()
    assert (table["conf_high"] > table["estimate"]).all()


complete = st.integers(2, 4).flatmap(
    lambda m: st.lists(st.lists(st.integers(0, 2), min_size=m, max_size=m), min_size=3, max_size=25)
)


@pytest.mark.filterwarnings("ignore:Cohen's kappa is undefined")
@settings(max_examples=40)
@given(complete)
def test_equals_the_known_packages(rows):
    matrix = np.array(rows)
    found = measured(matrix)
    m = matrix.shape[1]
    kappas = []
    for i in range(m):
        for j in range(i + 1, m):
            names = f"{chr(97 + i)}, {chr(97 + j)}"
            share = np.mean(matrix[:, i] == matrix[:, j])
            assert found["percent_agreement", names] == pytest.approx(share)
            kappas.append(found["cohen_kappa", names])
            if len(np.unique(matrix[:, [i, j]])) > 1:
                known = cohen_kappa_score(matrix[:, i], matrix[:, j])
                assert kappas[-1] == pytest.approx(known, nan_ok=True)
    mean = np.nan if np.isnan(kappas).all() else np.nanmean(kappas)
    assert found["cohen_kappa", "all"] == pytest.approx(mean, nan_ok=True)
    if len(np.unique(matrix)) == 1:
        assert np.isnan(found["fleiss_kappa", "all"])
        assert np.isnan(found["krippendorff_alpha_nominal", "all"])
        return
    assert found["fleiss_kappa", "all"] == pytest.approx(fleiss_kappa(aggregate_raters(matrix)[0]))
    for level in LEVELS if len(np.unique(matrix)) == 3 else ["nominal"]:
        known = krippendorff.alpha(matrix.T.astype(float), level_of_measurement=level)
        assert found[f"krippendorff_alpha_{level}", "all"] == pytest.approx(known)


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_with_gaps_and_uneven_distances(level):
    rng = np.random.default_rng(3)
    matrix = rng.choice([0, 1, 4, 9], size=(40, 4)).astype(float)
    matrix[rng.random(matrix.shape) < 0.3] = np.nan
    known = krippendorff.alpha(matrix.T, level_of_measurement=level)
    found = measured(matrix, level=level)
    assert found[f"krippendorff_alpha_{level}", "all"] == pytest.approx(known)
    assert sum(name.startswith("krippendorff") for name, _ in found.index) == 1


def test_two_values_make_all_levels_alike():
    matrix = np.random.default_rng(0).integers(0, 2, (30, 3))
    alphas = [measured(matrix, level=level).iloc[-1] for level in LEVELS]
    assert alphas == pytest.approx([alphas[0]] * 3)


def test_fleiss_takes_the_pairs_with_the_usual_number_of_judgements():
    rng = np.random.default_rng(4)
    matrix = rng.integers(0, 2, (12, 3)).astype(float)
    matrix[:7, 0] = np.nan  # seven pairs with two judgements, five with three
    table = agreement(judged(matrix), n_boot=10).set_index("measure")
    assert table.loc["fleiss_kappa", "n_pairs"] == 7
    known = fleiss_kappa(aggregate_raters(matrix[:7, 1:].astype(int))[0])
    assert table.loc["fleiss_kappa", "estimate"] == pytest.approx(known)
    each = table.loc["cohen_kappa"].set_index("annotators")["n_pairs"]
    assert each.to_dict() == {"a, b": 5, "a, c": 5, "b, c": 12, "all": 12}


def test_statistics_of_weighted_pairs_are_those_of_repeated_pairs():
    rng = np.random.default_rng(5)
    matrix = rng.integers(0, 3, (30, 3))
    weights = rng.multinomial(30, np.full(30, 1 / 30))
    wide = judged(matrix).pivot(index="pair_id", columns="annotator", values="judgement")
    values, codes = _codes(wide)
    given = np.append(weights, np.zeros(27))[None].astype(float)
    by_chance = _judged_by_chance(3, 3, rng)
    assert len(np.unique(by_chance, axis=0)) == 27
    found = {
        (measure, names): statistic(given)[0]
        for measure, names, _, statistic in _statistics(wide, codes, by_chance, values, LEVELS)
    }
    repeated = np.repeat(wide.to_numpy(), weights, axis=0)
    for key, value in measured(repeated).items():
        assert found[key] == pytest.approx(value), key


def test_pairs_judged_by_chance_give_agreement_jeffreys_interval():
    """Of two annotators and two different judgements, also where they never disagree."""
    for n_agree, n in ((40, 40), (33, 40)):
        one = np.arange(n) % 2
        other = np.where(np.arange(n) < n_agree, one, 1 - one)
        table = agreement(judged(np.transpose([one, other])), n_boot=40_000).set_index("measure")
        row = table.loc["percent_agreement"].iloc[0]
        low, high = beta.ppf([0.025, 0.975], n_agree + 0.5, n - n_agree + 0.5)
        assert row["estimate"] == n_agree / n
        assert row["conf_low"] == pytest.approx(low, abs=0.004)
        assert row["conf_high"] == pytest.approx(1 if n_agree == n else high, abs=0.004)
        assert (table["conf_low"] < table["conf_high"]).all()


@pytest.mark.parametrize("n_annotators", [2, 3, 9])
def test_perfect_agreement_leaves_an_interval(n_annotators):
    truth = np.repeat([[0], [1], [2]], 12, axis=0)
    table = agreement(judged(np.repeat(truth, n_annotators, axis=1)))
    assert table[["estimate", "conf_high"]].to_numpy() == pytest.approx(1)
    assert table["conf_low"].between(0.7, 0.995).all()


def test_one_judgement_only_leaves_an_interval_of_the_share():
    table = agreement(judged(np.ones((40, 2)))).set_index("measure")
    share = table.loc["percent_agreement"].iloc[0]
    assert share["estimate"] == share["conf_high"] == 1 and 0.85 < share["conf_low"] < 0.98
    assert table.drop("percent_agreement").isna()[["estimate", "conf_low"]].all(axis=None)


def test_the_interval_of_near_perfect_agreement_covers():
    """Two of a hundred judgements are wrong: most samples of 50 pairs show no or one mistake."""
    rng = np.random.default_rng(8)

    def draw(n):
        truth = rng.integers(0, 2, (n, 1))
        return judged(np.where(rng.random((n, 2)) < 0.01, 1 - truth, truth))

    columns = ["estimate", "conf_low", "conf_high"]
    exact = agreement(draw(100_000), n_boot=1).iloc[[0, 2]]["estimate"].to_numpy()
    inside, perfect = np.zeros(2), 0
    for seed in range(300):
        rows = agreement(draw(50), n_boot=300, seed=seed).iloc[[0, 2]][columns].to_numpy()
        inside += (rows[:, 1] <= exact) & (exact <= rows[:, 2])
        perfect += rows[0, 0] == 1
    assert perfect > 80
    assert (inside / 300 > 0.92).all()


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=4, max_size=30))
def test_weighted_kappas_equal_the_known_packages(rows):
    matrix = np.array(rows)
    found = measured(matrix)
    several = len(np.unique(matrix)) > 2
    for weights in ("linear", "quadratic"):
        assert ((f"cohen_kappa_{weights}", "a, b") in found.index) == several
        if several:
            value = found[f"cohen_kappa_{weights}", "a, b"]
            assert found[f"cohen_kappa_{weights}", "all"] == pytest.approx(value)
            known = cohen_kappa_score(*matrix.T, weights=weights, labels=range(4))
            assert value == pytest.approx(known)
            table = np.zeros((4, 4))
            np.add.at(table, tuple(matrix.T), 1)
            steps = np.abs(np.subtract.outer(range(4), range(4))) ** (1 + (weights != "linear"))
            assert value == pytest.approx(cohens_kappa(table, weights=steps).kappa)


def test_weighted_kappa_by_hand():
    # Distances 0, 0, 0, 1, 2 sum to 3 (squares to 5). By chance: margins of the one are
    # 2, 1, 2 of 0, 1, 2, those of the other 2, 2, 1; so 23 / 5 (squares 35 / 5).
    found = measured([[0, 0], [1, 1], [2, 2], [0, 1], [2, 0]])
    assert found["cohen_kappa_linear", "a, b"] == pytest.approx(1 - 3 / (23 / 5))
    assert found["cohen_kappa_quadratic", "a, b"] == pytest.approx(1 - 5 / (35 / 5))
    assert not [
        name for name, _ in measured([[0, 1], [2, 2]], level="nominal").index if "r_" in name
    ]


def test_kappa_of_all_survives_an_undefined_pair_of_annotators():
    one = [1, 1, 1, 1, 1, 1]
    other = [1, 1, 1, 0, 0, 1]
    matrix = np.transpose([one, one, other, [0, 1, 1, 0, 0, 1]])
    with pytest.warns(UserWarning, match=r"undefined for 1 of 6 pairs .* mean over the other 5\."):
        found = measured(matrix)
    kappas = found["cohen_kappa"]
    assert np.isnan(kappas["a, b"])
    assert kappas["all"] == pytest.approx(kappas.drop(["a, b", "all"]).mean())
    assert np.isfinite(kappas["all"])


def test_intervals_narrow_with_pairs_and_follow_the_confidence():
    rng = np.random.default_rng(6)

    def width(n: int, **arguments) -> float:
        truth = rng.integers(0, 2, n)
        matrix = np.stack([np.where(rng.random(n) < 0.9, truth, 1 - truth) for _ in range(2)], 1)
        row = agreement(judged(matrix), **arguments).iloc[1]
        return row["conf_high"] - row["conf_low"]

    assert width(2000) < width(200) / 2
    assert width(500, conf_level=0.5) < width(500)


def test_consensus_by_hand():
    nan = float("nan")
    matrix = [[1, 1, 0], [0, 0, 0], [2, 1, 0], [1, 0, nan], [nan, nan, 2]]
    table = judged(matrix).sort_values("pair_id").assign(stratum="within")
    with pytest.warns(UserWarning, match="2 of 5 pairs are undecided: their annotators tie"):
        majority = consensus(table)
    assert majority["judgement"].tolist() == pytest.approx([1, 0, nan, nan, 2], nan_ok=True)
    assert majority["n_annotators"].tolist() == [3, 3, 3, 2, 1]
    assert majority.columns.tolist() == ["pair_id", "stratum", "judgement", "n_annotators"]
    with pytest.warns(UserWarning, match="3 of 5 pairs are undecided: their annotators differ"):
        every = consensus(table, "all")
    assert every["judgement"].tolist() == pytest.approx([nan, 0, nan, nan, 2], nan_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean = consensus(table, "mean")
    assert mean["judgement"].tolist() == pytest.approx([2 / 3, 0, 1, 0.5, 2])


def test_each_question_is_measured_by_itself():
    rng = np.random.default_rng(4)
    matrices = {"things": rng.integers(0, 2, (40, 2)), "ideas": rng.integers(0, 3, (30, 3))}
    parts = {name: judged(matrix) for name, matrix in matrices.items()}
    table = pd.concat([part.assign(question=name) for name, part in parts.items()])
    found = agreement(table.sample(frac=1, random_state=1), n_boot=50)
    assert found.columns[0] == "question"
    for name, part in parts.items():
        alone = agreement(part, n_boot=50)
        its = found[found["question"] == name].drop(columns="question").reset_index(drop=True)
        pd.testing.assert_frame_equal(its, alone)
    single = pd.concat([table, parts["things"][:9].assign(question="moods")])
    with pytest.warns(UserWarning, match="1 question is left out: moods"):
        pd.testing.assert_frame_equal(
            agreement(single, n_boot=50).sort_values(["question", "measure"], ignore_index=True),
            found.sort_values(["question", "measure"], ignore_index=True),
        )
    with pytest.raises(ImagestrataError, match="No question has judgements of a pair by two"):
        agreement(
            pd.concat([
                parts["things"][:9].assign(question="moods"),
                parts["things"][:9].assign(question="styles", annotator="b"),
            ])
        )  # fmt: skip
    with pytest.raises(ImagestrataError, match="80 of 170 judgements have no name of a question"):
        agreement(table.assign(question=table["question"].replace("things", None)))
    with pytest.raises(ImagestrataError, match=r"repeated: .* more than once") as caught:
        agreement(pd.concat([table, table.head(1)]))
    assert caught.value.hint == "Keep one judgement per annotator, pair and question."


def test_consensus_of_each_question_and_a_meeting():
    nan = float("nan")
    one, other = judged([[1, 1, 0], [0, 1, nan]]), judged([[0, 0, 0], [1, 0, 0]])
    table = pd.concat([one.assign(question="things"), other.assign(question="ideas")])
    table = table.sort_values("pair_id", kind="stable", ignore_index=True)
    with pytest.warns(UserWarning, match="1 of 4 judgements are undecided: their annotators tie"):
        decided = consensus(table)
    assert decided.to_numpy().tolist()[:2] == [["p0", "things", 1, 3], ["p0", "ideas", 0, 3]]
    assert decided["n_annotators"].tolist() == [3, 3, 2, 3]
    assert np.isnan(decided["judgement"][2])
    disputed = pd.DataFrame(decided.attrs["disputed"])
    # Two who disagree, then two of three pairs of annotators.
    first = disputed.drop_duplicates(["pair_id", "question"])
    assert first[["pair_id", "question"]].to_numpy().tolist() == [
        ["p1", "things"], ["p0", "things"], ["p1", "ideas"],
    ]  # fmt: skip
    assert first["disagreement"].tolist() == pytest.approx([1, 2 / 3, 2 / 3])

    met = pd.DataFrame(
        {"pair_id": ["p1", "p0"], "question": "things", "annotator": "us", "judgement": [1, 0]}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        final = consensus(table, "all", meeting=pd.concat([met, met[:1].assign(question="ideas")]))
    assert final["judgement"].tolist() == [0, 0, 1, 1]
    assert final["n_annotators"].tolist() == [3, 3, 2, 3]
    assert final.attrs["disputed"] == []


def test_bad_input():
    one = judged([[1, 0], [0, 0], [1, 1]])
    with pytest.raises(ImagestrataError, match="All judgements \\(3\\) are by one annotator, 'a'"):
        agreement(one[one["annotator"] == "a"])
    with pytest.raises(ImagestrataError, match="No pair was judged by two of the 2 annotators"):
        agreement(judged([[1, np.nan], [np.nan, 1]]))
    with pytest.raises(ImagestrataError, match="1 judgement is repeated: 'a' judged the pair"):
        agreement(pd.concat([one, one.head(1)]))
    with pytest.raises(ImagestrataError, match="6 of 6 are not, 'same' for one"):
        agreement(one.assign(judgement="same"))
    with pytest.raises(ImagestrataError, match="lacks the column 'annotator'"):
        agreement(one.drop(columns="annotator"))
    with pytest.raises(ImagestrataError, match="lack a pair or an annotator"):
        consensus(one.assign(annotator=None))
    with pytest.raises(ImagestrataError, match="got a list"):
        consensus([1, 0])
    with pytest.raises(ImagestrataError, match="`level` must be one of"):
        agreement(one, level="ratio")
    with pytest.raises(ImagestrataError, match="`rule` must be one of"):
        consensus(one, "median")
    with pytest.raises(ImagestrataError, match="no judgements"):
        consensus(one.assign(judgement=np.nan))


def test_answers_that_differ_only_in_capitals_disagree_with_a_warning():
    answers = pd.DataFrame(
        {
            "image_id": ["a", "a", "b", "b"],
            "code": "scene",
            "label": ["march", "March", "vigil", "vigil"],
            "annotator": ["x", "y"] * 2,
        }
    )
    with pytest.warns(UserWarning, match=r"Labels of 'scene' differ only .*'march', 'March'\."):
        agreement(answers, n_boot=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agreement(answers.assign(label=["march"] * 2 + ["vigil"] * 2), n_boot=20)
