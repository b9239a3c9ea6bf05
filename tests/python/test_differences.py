"""Differences between clusterings on the same pairs: by hand, by linearisation, and the best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from imagestrata.validation.differences import Compared, PairedDraws, among_best
from imagestrata.validation.folds import JudgedPairs, score_all

N_IMAGES = 60


def drawn_pairs(n, *, graded=True, population=None, seed=0):
    """Pairs of two strata with different weights, and the clusters of images in two ways."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, N_IMAGES, n)
    b = (a + rng.integers(1, N_IMAGES, n)) % N_IMAGES
    stratum = (rng.random(n) < 0.5).astype(int)
    truth = np.arange(N_IMAGES) % 4
    grade = 1 + (rng.random(n) < 0.7) if graded else 1
    other = np.where(rng.random(n) < 0.1, 1, 0)
    return JudgedPairs(
        a=a, b=b, judgement=np.where(truth[a] == truth[b], grade, other).astype(float),
        weight=np.where(stratum == 0, 1.0, 3.0), stratum=stratum, group=stratum,
        fold=np.zeros(n, dtype=int), graded=graded, population=population,
    )  # fmt: skip


def clusters():
    """Two clusterings that agree on most images, each with a residual."""
    one = np.arange(N_IMAGES) % 4
    other = np.where(np.arange(N_IMAGES) % 7 == 0, 0, one)
    two = np.where(np.arange(N_IMAGES) % 11 == 0, -1, other)
    return [np.where(np.arange(N_IMAGES) % 9 == 0, 3, one), two]


def compared(found, pairs, same_as=None, own=None, seed=0):
    rows = list(range(len(found)))
    same_as = [row + 1 for row in rows] if same_as is None else same_as
    own = rows if own is None else own
    return Compared.of(found, same_as, own, pairs, score_all(found, pairs, seed), seed)


def linearised(found, pairs):
    """Standard errors of the differences by linearisation in a stratified sample."""
    n_known = [pairs.known_together(labels) for labels in found]
    influence = {name: [] for name in ("precision", "recall", "f1", "mean_pr", "quality")}
    same, w = pairs.judgement >= pairs.same_from, pairs.weight
    for labels, known in zip(found, n_known, strict=True):
        t, _ = pairs.sides(labels)
        total = w.sum()
        p, m = np.average(same[t], weights=w[t]), np.average(same[~t], weights=w[~t])
        n = w[t].sum() if known is None else known
        at = np.array([p, m, n])
        of_p = t * (same - p) / w[t].sum()
        of_m = ~t * (same - m) / w[~t].sum()
        of_n = (t - n / total) if known is None else np.zeros(len(t))

        def measures(p, m, n, total=total):
            hits, missed = n * p, (total - n) * m
            precision, recall = p, hits / (hits + missed)
            f1 = 2 * hits / (n + hits + missed)
            return np.array([precision, recall, f1, (precision + recall) / 2])

        slopes = [(measures(*(at + d)) - measures(*(at - d))) / (2 * d.sum())
                  for d in np.diag(at * 1e-6)]  # fmt: skip
        for place, name in enumerate(("precision", "recall", "f1", "mean_pr")):
            parts = zip((of_p, of_m, of_n), slopes, strict=True)
            influence[name].append(sum(part * slope[place] for part, slope in parts))
        inside, outside = (np.average(pairs.judgement[k], weights=w[k]) for k in (t, ~t))
        influence["quality"].append(
            t * (pairs.judgement - inside) / w[t].sum()
            - ~t * (pairs.judgement - outside) / w[~t].sum()
        )
    errors = {}
    for name, (one, other) in influence.items():
        z = w * (one - other)
        strata = [z[pairs.stratum == h] for h in np.unique(pairs.stratum)]
        errors[name] = np.sqrt(sum(len(one) * one.var(ddof=1) for one in strata))
    return errors


@pytest.mark.parametrize("population", [None, N_IMAGES * (N_IMAGES - 1) / 2])
def test_standard_errors_are_those_of_linearisation(population):
    pairs = drawn_pairs(3000, population=population)
    if population is not None:
        pairs = replace(pairs, weight=pairs.weight * population / pairs.weight.sum())
    found = clusters()
    table = compared(found, pairs).differences.set_index("measure")
    scores = score_all(found, pairs, 0).pivot(index="measure", columns="candidate")["estimate"]
    for name, error in linearised(found, pairs).items():
        row = table.loc[name]
        assert row["estimate"] == pytest.approx(scores.loc[name, 1] - scores.loc[name, 2])
        # A thousand draws have 2% of error themselves.
        assert row["std_error"] == pytest.approx(error, rel=0.08)
        assert row["conf_low"] < row["estimate"] < row["conf_high"]
        assert row["conf_high"] - row["conf_low"] == pytest.approx(3.92 * error, rel=0.1)


def test_what_clusterings_have_in_common_cancels():
    pairs = drawn_pairs(600)
    near = clusters()[0]
    other = near.copy()
    other[3] = 0
    table = compared([near, other], pairs).differences.set_index("measure")
    alone = score_all([near, other], pairs, 0)
    alone = alone[alone["candidate"] == 1].set_index("measure")
    assert (table["std_error"] < 0.6 * alone["std_error"]).all()
    differ = pairs.sides(near)[0] != pairs.sides(other)[0]
    assert set(table["n_differ"]) == {differ.sum()}


def test_by_hand():
    """One draw: sums of weights, with half pairs in the stratum of the heavier pairs."""
    pairs = JudgedPairs(
        a=np.array([0, 0, 2, 4]), b=np.array([1, 2, 3, 5]), judgement=np.array([1.0, 0, 0, 1]),
        weight=np.array([1.0, 1, 4, 4]), stratum=np.array([0, 0, 1, 1]),
        group=np.array([0, 0, 1, 1]), fold=np.zeros(4, dtype=int),
    )  # fmt: skip
    labels = np.array([0, 0, 1, 1, 2, 3])  # together: the first and the third pair
    drawn = PairedDraws.of([labels], pairs, seed=0, n_draws=3)
    draws = drawn.measure(np.array([0]))
    rng = np.random.default_rng([0, 8])
    given = rng.standard_exponential((3, 4)) * pairs.weight
    half = rng.gamma(0.5, size=(8, 3, 2))
    for draw in range(3):
        w = given[draw].copy()
        scale = np.array([2 / w[:2].sum(), 8 / w[2:].sum()])
        w *= scale[[0, 0, 1, 1]]
        together, apart = half[:2, draw, 1] * 4 * scale[1], half[2:4, draw, 1] * 4 * scale[1]
        hits, false = w[0] + together[0], w[2] + together[1]
        missed = w[3] + apart[0]
        assert draws["precision"][0, draw] == pytest.approx(hits / (hits + false))
        assert draws["recall"][0, draw] == pytest.approx(hits / (hits + missed))
        assert draws["f1"][0, draw] == pytest.approx(2 * hits / (2 * hits + false + missed))


def test_half_pairs_on_which_two_clusterings_differ_by_hand():
    pairs = drawn_pairs(300)
    one, two = clusters()
    drawn = PairedDraws.of([one, two], pairs, 0, n_draws=5)
    differ = pairs.sides(one)[0] != pairs.sides(two)[0]
    less = drawn.less(0, np.array([1]), differ[np.newaxis])
    only_one, only_one_not, only_two, only_two_not = drawn.half[:, :, 1]  # of weight 3
    sums = drawn.sums.copy()
    sums[0] += [only_one, only_one_not, only_two, only_two_not]
    sums[1] += [only_two, only_two_not, only_one, only_one_not]
    recall = sums[:, 0] / (sums[:, 0] + sums[:, 2])
    np.testing.assert_allclose(less["recall"][0], recall[1] - recall[0])
    same = pairs.judgement >= 1
    level = pairs.judgement[same].mean(), pairs.judgement[~same].mean()
    grades = drawn.grades.copy()
    grades[0] += [level[0] * only_one + level[1] * only_one_not,
                  level[0] * only_two + level[1] * only_two_not]  # fmt: skip
    grades[1] += [level[0] * only_two + level[1] * only_two_not,
                  level[0] * only_one + level[1] * only_one_not]  # fmt: skip
    means = grades / np.stack([sums[:, 0] + sums[:, 1], sums[:, 2] + sums[:, 3]], axis=1)
    quality = means[:, 0] - means[:, 1]
    np.testing.assert_allclose(less["quality"][0], quality[1] - quality[0])
    back = drawn.less(1, np.array([0]), differ[np.newaxis])
    for name, values in less.items():
        np.testing.assert_allclose(back[name], -values)


def test_the_same_clusters_and_undefined_measures():
    pairs = drawn_pairs(200)
    one, two = clusters()
    nothing = np.arange(N_IMAGES)
    found = [one, two, one, nothing]
    comparison = compared(found, pairs, [1, 2, 1, 4], own=[0, 1, 2])
    table = comparison.differences
    assert list(table) == [
        *("candidate_a", "candidate_b", "measure", "estimate", "std_error", "conf_low"),
        *("conf_high", "n_differ"),
    ]
    both = table[["candidate_a", "candidate_b"]].drop_duplicates()
    assert both.to_numpy().tolist() == [[1, 2], [1, 4], [2, 4]]
    assert table["measure"].tolist() == ["precision", "recall", "f1", "mean_pr", "quality"] * 3
    unknown = table[(table["candidate_b"] == 4) & table["measure"].isin(["precision", "quality"])]
    numbers = ["estimate", "std_error", "conf_low", "conf_high"]
    assert unknown[numbers].isna().all(axis=None)
    recall = table[(table["candidate_b"] == 4) & (table["measure"] == "recall")]
    assert recall[numbers].notna().all(axis=None)
    best = comparison.may_be_best.pivot(index="candidate", columns="measure")
    best = best["may_be_best"]
    assert best.loc[1].equals(best.loc[3].rename(1))
    assert not best.loc[4].any()  # a baseline
    alone = compared([one], pairs)
    assert len(alone.differences) == 0
    assert list(alone.differences) == list(table)
    assert alone.may_be_best["may_be_best"].all()


def test_the_best_of_many_by_hand():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 4000))
    # Ahead by 1.7 standard errors: more than the 95% quantile of one comparison (1.64) ...
    assert not among_best(np.array([1.7]), one[np.newaxis])
    assert among_best(np.array([1.5]), one[np.newaxis])
    # ... and less than that of the larger of two (1.95).
    assert among_best(np.array([1.7, 0.0]), np.stack([one, two]))
    assert not among_best(np.array([2.1, 0.0]), np.stack([one, two]))
    # The same scores in every draw: a tie, or certainty.
    none = np.zeros((1, 4000))
    assert among_best(np.array([0.0]), none) and among_best(np.array([-0.1]), none)
    assert not among_best(np.array([0.1]), none)
    assert not among_best(np.array([0.1, 0.0]), np.concatenate([none, [one]]))
    assert among_best(np.array([]), np.empty((0, 4000)))


def test_the_set_contains_the_best_with_the_stated_confidence():
    """Eight equally good candidates, whose scores have most of their noise in common."""
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(400):
        scores = rng.normal(size=8) + 3 * rng.normal()
        draws = rng.normal(size=(8, 400)) + 3 * rng.normal(size=400)
        inside.append(among_best(scores[1:] - scores[0], draws[1:] - draws[0]))
    assert 0.92 < np.mean(inside) < 0.98


def test_groups_of_few_pairs_share_their_weights():
    """Strata of two pairs, as those of single clusters, have a variance nevertheless."""
    pairs = drawn_pairs(400)
    few = replace(pairs, stratum=np.arange(400) // 2, group=np.zeros(400, dtype=int))
    one = replace(pairs, stratum=np.zeros(400, dtype=int), group=np.zeros(400, dtype=int))
    found = clusters()
    ours, theirs = (compared(found, given).differences["std_error"] for given in (few, one))
    np.testing.assert_allclose(ours, theirs)


def test_draws_are_repeatable_and_independent_of_other_clusterings():
    pairs = drawn_pairs(200)
    one, two = clusters()
    together, alone = PairedDraws.of([one, two], pairs, 3), PairedDraws.of([two], pairs, 3)
    np.testing.assert_array_equal(together.sums[1], alone.sums[0])
    again = compared([one, two], pairs).differences
    pd.testing.assert_frame_equal(compared([one, two], pairs).differences, again)
    turned = compared([two, one], pairs).differences
    np.testing.assert_allclose(turned["estimate"], -again["estimate"])
    np.testing.assert_allclose(turned["std_error"], again["std_error"], rtol=0.05)
