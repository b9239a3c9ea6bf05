"""Agreement against hand counts, scikit-learn, statsmodels and krippendorff."""

from __future__ import annotations

import warnings

import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from imagestrata import ImagestrataError, agreement, consensus

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
    assert found["cohen_kappa", "all"] == pytest.approx(np.mean(kappas), nan_ok=True)
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


def test_bootstrap_draws_are_the_measures_of_resampled_pairs():
    rng = np.random.default_rng(5)
    matrix = rng.integers(0, 3, (30, 3))
    table = agreement(judged(matrix), n_boot=400, seed=7).set_index("measure")
    draws = np.random.default_rng(7).multinomial(30, np.full(30, 1 / 30), size=400)
    order = judged(matrix).pivot(index="pair_id", columns="annotator", values="judgement")
    alphas = [
        krippendorff.alpha(
            np.repeat(order.to_numpy(), draw, axis=0).T, level_of_measurement="ordinal"
        )
        for draw in draws
    ]
    row = table.loc["krippendorff_alpha_ordinal"]
    low, high = np.quantile(alphas, [0.025, 0.975])
    assert (row["conf_low"], row["conf_high"]) == pytest.approx((low, high))


def test_intervals_narrow_with_pairs_and_follow_the_confidence():
    rng = np.random.default_rng(6)

    def width(n: int, **arguments) -> float:
        truth = rng.integers(0, 2, n)
        matrix = np.stack([np.where(rng.random(n) < 0.9, truth, 1 - truth) for _ in range(2)], 1)
        row = agreement(judged(matrix), **arguments).iloc[1]
        return row["conf_high"] - row["conf_low"]

    assert width(2000) < width(200) / 2
    assert width(500, confidence=0.5) < width(500)


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


def test_bad_input():
    one = judged([[1, 0], [0, 0], [1, 1]])
    with pytest.raises(ImagestrataError, match="All 3 judgements are by one annotator, 'a'"):
        agreement(one[one["annotator"] == "a"])
    with pytest.raises(ImagestrataError, match="No pair was judged by two of the 2 annotators"):
        agreement(judged([[1, np.nan], [np.nan, 1]]))
    with pytest.raises(ImagestrataError, match="1 judgements are repeated: 'a' judged the pair"):
        agreement(pd.concat([one, one.head(1)]))
    with pytest.raises(ImagestrataError, match="6 of 6 are not, 'same' for one"):
        agreement(one.assign(judgement="same"))
    with pytest.raises(ImagestrataError, match="with the columns pair_id, annotator, judgement"):
        agreement(one.drop(columns="annotator"))
    with pytest.raises(ImagestrataError, match="lack a pair or an annotator"):
        consensus(one.assign(annotator=None))
    with pytest.raises(ImagestrataError, match="got a list"):
        consensus([1, 0])
    with pytest.raises(ImagestrataError, match="`level` must be one of"):
        agreement(one, level="ratio")
    with pytest.raises(ImagestrataError, match="`rule` must be one of"):
        consensus(one, "median")
    with pytest.raises(ImagestrataError, match="none"):
        consensus(one.assign(judgement=np.nan))
