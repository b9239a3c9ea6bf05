"""Pairs judged by several annotators: rates of errors, scores, and which pairs to judge again."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln, comb

from imagestrata import ImagestrataError, consensus, next_pairs, score_clustering
from imagestrata.sampling.pairs import pair_id
from imagestrata.validation.next_pairs import choose_again
from imagestrata.validation.second_looks import Looks, draw_truth

#: Ten clusters of six images.
CLUSTERS = pd.DataFrame(
    {"image_id": [f"i{i}" for i in range(60)], "cluster": np.arange(60) // 6 + 1, "path": None}
)
N_WITHIN, N_BETWEEN = 10 * 15, 60 * 59 // 2 - 150


def drawn(n_within: int, n_between: int, seed: int = 0) -> pd.DataFrame:
    """Simple random samples of the pairs within and between clusters."""
    rng = np.random.default_rng(seed)
    a, b = np.triu_indices(60, 1)
    together = a // 6 == b // 6
    inside = rng.choice(np.flatnonzero(together), n_within, replace=False)
    outside = rng.choice(np.flatnonzero(~together), n_between, replace=False)
    rows = np.concatenate([inside, outside])
    ids = CLUSTERS["image_id"].to_numpy()
    pairs = pd.DataFrame({"image_a": ids[a[rows]], "image_b": ids[b[rows]]})
    pairs["pair_id"] = [pair_id(*pair) for pair in pairs[["image_a", "image_b"]].to_numpy()]
    pairs["stratum"] = np.repeat(["within", "between"], [n_within, n_between])
    pairs["N_h"] = np.repeat([N_WITHIN, N_BETWEEN], [n_within, n_between])
    share = [n_within / N_WITHIN, n_between / N_BETWEEN]
    return pairs.assign(probability=np.repeat(share, [n_within, n_between]))


def judged_by(pairs: pd.DataFrame, **judgements) -> pd.DataFrame:
    """A row per pair and annotator; None where an annotator did not judge a pair."""
    each = [pairs.assign(annotator=name, judgement=given) for name, given in judgements.items()]
    return pd.concat(each, ignore_index=True).dropna(subset="judgement")


def test_draws_are_those_of_the_posterior():
    """Exact probabilities of all numbers of pairs that belong together, by enumeration."""
    judged, same, count = np.array([2, 2, 2, 3]), np.array([2, 1, 0, 3]), np.array([6, 2, 5, 1])
    looks = Looks(np.tile([0, 1], (4, 1)), judged, same, count)
    truth = draw_truth(looks, np.array([0]), np.array([1.0]), 20_000, np.random.default_rng(0))
    moments = []
    for right in product(*(range(n + 1) for n in count)):
        z = np.array(right)
        yes, no = z.sum(), (count - z).sum()
        errors_same, of_same = z @ (judged - same), z @ judged
        errors_other, of_other = (count - z) @ same, (count - z) @ judged
        rate_same = (0.5 + errors_same, 9.5 + of_same - errors_same)
        rate_other = (0.5 + errors_other, 9.5 + of_other - errors_other)
        log = betaln(yes + 0.5, no + 0.5) + betaln(*rate_same) + betaln(*rate_other)
        weight = np.exp(log) * comb(count, z).prod()
        mean_same, mean_other = (rate[0] / sum(rate) for rate in (rate_same, rate_other))
        moments.append([weight, yes, mean_same, mean_other, *z / count])
    weight, *exact = np.array(moments).T
    exact = [one @ weight / weight.sum() for one in exact]
    assert truth.same[:, 0, 1].mean() == pytest.approx(exact[0], abs=0.05)
    assert truth.wrong_apart.mean() == pytest.approx(exact[1], abs=0.003)
    assert truth.wrong_together.mean() == pytest.approx(exact[2], abs=0.003)
    assert truth.probability == pytest.approx(exact[3:], abs=0.01)
    assert (truth.same[:, 0, 0] == 0).all()


def test_answers_of_three_who_agree_are_right():
    pairs = drawn(40, 60)
    answers = np.array([1] * 30 + [0] * 10 + [1] * 3 + [0] * 57)
    judged = judged_by(pairs, ann=answers, bea=answers, cem=answers)
    found = score_clustering(CLUSTERS, judged, error_rate="estimate", weighted=True)
    scores = found.set_index("measure")
    right, missed = N_WITHIN * 30 / 40, N_BETWEEN * 3 / 60
    assert scores.loc["precision", "estimate"] == pytest.approx(30 / 40, abs=0.002)
    assert scores.loc["recall", "estimate"] == pytest.approx(right / (right + missed), abs=0.002)
    assert (scores["n_pairs"] == 100).all()
    assert (scores.loc[["wrong_together", "wrong_apart"], "conf_high"] < 0.05).all()
    plain = score_clustering(CLUSTERS, consensus(judged), weighted=True).set_index("measure")
    for bound in ("conf_low", "conf_high"):
        difference = scores.loc[["precision", "recall"], bound] - plain[bound]
        assert (difference.dropna().abs() < 0.03).all()


def test_errors_of_either_kind_are_found_and_taken_out():
    """One judge of all pairs who errs in 2% and 12%, and second judges of some."""
    rng = np.random.default_rng(1)
    pairs = drawn(150, 1200)
    truth = np.concatenate([np.arange(150) < 120, np.arange(1200) < 12])

    def judge() -> np.ndarray:
        return (truth ^ (rng.random(1350) < np.where(truth, 0.12, 0.02))).astype(float)

    first = judge()
    again = (first == 1) | (rng.random(1350) < 0.2)
    second = np.where(again, judge(), np.nan)
    third = np.where(first + second == 1, judge(), np.nan)
    judged = judged_by(pairs, ann=first, bea=second, cem=third)
    found = score_clustering(CLUSTERS, judged, error_rate="estimate", weighted=True)
    scores = found.set_index("measure")
    right, missed = N_WITHIN * 0.8, N_BETWEEN * 0.01
    exact = {"precision": 0.8, "recall": right / (right + missed)}
    exact |= {"wrong_together": 0.02, "wrong_apart": 0.12}
    for name, value in exact.items():
        low, high = scores.loc[name, ["conf_low", "conf_high"]]
        assert low < value < high, name
        assert high - low < 0.2, name
    alone = score_clustering(CLUSTERS, judged.query("annotator == 'ann'"), weighted=True)
    wrong = alone.set_index("measure")["estimate"]
    assert wrong["precision"] < 0.75
    assert wrong["recall"] < scores.loc["recall", "conf_low"]
    # Rates belong to judgements, not to pairs of images, and are listed once.
    both = score_clustering(CLUSTERS, judged, error_rate="estimate")
    assert both["measure"].value_counts()["wrong_apart"] == 1
    assert both.set_index("measure").loc["wrong_apart", "weighting"] == "none"


def test_pairs_that_contradict_the_clustering_are_judged_again():
    pairs = drawn(40, 100)
    first = np.array([1] * 35 + [0] * 5 + [1] * 6 + [0] * 94)
    judged = judged_by(pairs, ann=first)
    again = next_pairs(judged, CLUSTERS, n=12, again=True)
    assert list(again) == list(pairs)
    assert again["stratum"].value_counts().to_dict() == {"within": 6, "between": 6}
    assert {*pairs["pair_id"][40:46]} <= {*again["pair_id"]}
    merged = again.merge(pairs, on="pair_id", suffixes=("", "_first"))
    assert (merged["probability"] == merged["probability_first"]).all()
    pd.testing.assert_frame_equal(again, next_pairs(judged, CLUSTERS, n=12, again=True))
    # One of them is put together by a second judge as well, the others are not.
    second = again.assign(annotator="bea", judgement=0)
    second.loc[again["pair_id"] == pairs["pair_id"][40], "judgement"] = 1
    second.loc[again["stratum"] == "within", "judgement"] = 1
    both = pd.concat([judged, second], ignore_index=True)
    third = next_pairs(both, CLUSTERS, n=4, again=True)
    assert pairs["pair_id"][40] in {*third["pair_id"]}
    assert next_pairs(both, CLUSTERS, n=4, again=True, width=1).empty
    # New pairs can be drawn as well, with the errors that were found.
    more = next_pairs(both, CLUSTERS, n=10, error_rate="estimate", width=0)
    assert not more["pair_id"].isin(pairs["pair_id"]).any()


def test_half_of_the_second_looks_are_random():
    answers = pd.DataFrame(
        {
            "together": [True] * 50 + [False] * 50,
            "judged": [1] * 49 + [2] * 1 + [1] * 50,
            "same": [1] * 45 + [0] * 4 + [2] + [1] * 5 + [0] * 45,
            "weight": [1.0] * 50 + [20.0] * 50,
            "stratum": [0] * 50 + [1] * 50,
            "group": [0] * 50 + [1] * 50,
        }
    )
    chosen = np.array(
        [choose_again(answers, 10, np.random.default_rng(seed)) for seed in range(60)]
    )
    times = np.bincount(chosen.ravel(), minlength=100)
    assert (times[50:55] == 60).all()
    assert times[:49].min() > 0
    assert times[49] == 0
    assert times[55:].sum() == 0
    assert len(np.unique(chosen[0])) == 10


def test_what_does_not_fit_is_refused():
    pairs = drawn(20, 40)
    first = np.array([1] * 15 + [0] * 45)
    judged = judged_by(pairs, ann=first)
    with pytest.raises(ImagestrataError, match="pairs that several annotators judged"):
        score_clustering(CLUSTERS, judged, error_rate="estimate")
    with pytest.raises(ImagestrataError, match="must be a number or 'estimate'"):
        score_clustering(CLUSTERS, judged, error_rate="guess")
    with pytest.raises(ImagestrataError, match=r"error_rate='estimate'|error_rate"):
        score_clustering(CLUSTERS, judged_by(pairs, ann=first, bea=first))
    twice = pd.concat([judged, judged])
    with pytest.raises(ImagestrataError, match="'ann' judged the pair"):
        score_clustering(CLUSTERS, twice, error_rate="estimate")
    with pytest.raises(ImagestrataError, match=r"error_rate=0\.05 has no effect with again=True"):
        next_pairs(judged, CLUSTERS, again=True, error_rate=0.05)
    with pytest.raises(ImagestrataError, match="61 pairs were asked for, but only 60 are judged"):
        next_pairs(judged, CLUSTERS, n=61, again=True)
