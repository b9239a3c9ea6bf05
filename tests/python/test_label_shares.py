"""Shares of labels, by hand, against golden tables of R, and against published formulas."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from imagestrata import ImagestrataError, label_shares
from test_golden import golden

#: Six images in two clusters; two of the first and one of the second are labelled.
CLUSTERING = pd.DataFrame({"image_id": [*"abcdef"], "cluster": [1, 1, 1, 1, 2, 2]})
SAMPLE = pd.DataFrame(
    {"image_id": ["a", "b", "e"], "cluster": [1, 1, 2], "N_h": [4, 4, 2], "n_h": [2, 2, 1]}
)
LABELS = pd.DataFrame({"image_id": ["a", "b", "e"], "code": "protest", "label": [1, 0, 1]})
PREDICTIONS = pd.DataFrame(
    {
        "image_id": [*"abcdef"],
        "label": "protest",
        "probability": [0.9, 0.2, 0.7, 0.1, 0.15, 0.15],
        "decision": [True, False, True, False, False, False],
        "split": "fold",
    }
)


def quietly(*given: Any, **options: Any) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return label_shares(*given, **options)


def by_method(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index("method")


def test_six_images_by_hand() -> None:
    table = by_method(label_shares(LABELS, PREDICTIONS, SAMPLE, clustering=CLUSTERING))
    assert [*table.index] == ["machine", "sample", "corrected"]
    # Every labelled image stands for two: 4 / 2 and 2 / 1.
    mean, of_labelled, of_all = 2 / 3, (0.9 + 0.2 + 0.15) / 3, 2.2 / 6
    # Differences from the mean of cluster 1, with which the lone image e is compared, too; a / sum
    # is 2 / 6. The factors k are (1 - 2 / 4) * 2 / 1 and, for e, 1 - 1 / 2.
    y = np.array([0.5, -0.5, 0.5]) / 3
    f = np.array([0.9, 0.2, 0.15]) - 0.55
    f, k = f / 3, np.array([1, 1, 0.5])
    slope = (2 * 0.5 * 0.35 - 0.5 * 0.5 * 0.4) / (2 * 0.35**2 + 0.5 * 0.4**2)
    assert np.isclose(slope, 10 / 13)
    assert np.isclose(table["estimate"]["machine"], 2 / 6)
    assert np.isclose(table["estimate"]["sample"], mean)
    assert np.isclose(table["estimate"]["corrected"], mean + 10 / 13 * (of_all - of_labelled))
    assert np.isclose(table["lambda"]["corrected"], 10 / 13)
    assert np.isclose(table["std_error"]["sample"] ** 2, 2 * (1 / 6) ** 2 + 0.5 * (1 / 6) ** 2)
    influence = k * f**2 / (k * f**2).sum()
    residual = (y - 10 / 13 * f) / (1 - influence)
    assert np.isclose(table["std_error"]["corrected"] ** 2, (k * residual**2).sum())
    assert table["n_labelled"].tolist() == [3] * 3
    assert table["n_predicted"].tolist() == [6] * 3
    # Two of six images show a protest, and one does not.
    assert table["conf_low"]["corrected"] >= 2 / 6
    assert table["conf_high"]["corrected"] <= 5 / 6


def test_a_census_is_exact() -> None:
    sample = CLUSTERING.assign(N_h=[4] * 4 + [2] * 2, n_h=[4] * 4 + [2] * 2)
    labels = pd.DataFrame({"image_id": [*"abcdef"], "code": "protest", "label": [1, 0, 1, 0, 1, 1]})
    table = by_method(label_shares(labels, PREDICTIONS, sample))
    for method in ("sample", "corrected"):
        row = table.loc[method]
        assert np.allclose([row["estimate"], row["conf_low"], row["conf_high"]], 4 / 6)
        assert row["std_error"] == 0


def test_shares_of_zero_and_one_have_an_interval() -> None:
    sample = pd.DataFrame({"image_id": [*"abcdefghij"], "cluster": 1, "N_h": 100_000, "n_h": 10})
    for share in (0, 1):
        labels = pd.DataFrame({"image_id": [*"abcdefghij"], "code": "x", "label": share})
        row = label_shares(labels, sample=sample, conf_level=0.95).loc[0]
        exact = stats.binomtest(10 * share, 10).proportion_ci(0.95)
        assert row["estimate"] == share
        assert np.allclose(row[["conf_low", "conf_high"]].tolist(), [exact.low, exact.high], 1e-3)


def test_a_machine_without_a_visible_error_has_an_interval() -> None:
    ids = [f"i{n}" for n in range(1000)]
    truth = np.arange(1000) % 3 == 0
    sample = pd.DataFrame({"image_id": ids[:50], "cluster": 1, "N_h": 1000, "n_h": 50})
    labels = pd.DataFrame({"image_id": ids[:50], "code": "x", "label": truth[:50]})
    guesses = pd.DataFrame({"image_id": ids, "code": "x", "label": truth, "annotator": "model:m"})
    row = by_method(label_shares(labels, guesses, sample)).loc["corrected"]
    assert np.isclose(row["estimate"], truth.mean())
    assert row["std_error"] < 1e-12
    # As wide as the exact interval of no error among 50 images (of which 5% are all).
    width = 1 - 0.025 ** (1 / (50 / 0.95))
    assert np.isclose(row["conf_high"] - row["conf_low"], width)


def test_the_numbers_are_those_of_r() -> None:
    images, sample, labels, predictions, posts = (
        golden(f"labelled-{name}")
        for name in ("images", "sample", "labels", "predictions", "posts")
    )
    posts["time"] = pd.to_datetime(posts["time"])
    cases = {
        "all": {"clustering": images},
        "unplaced": {},
        "sample": {"conf_level": 0.9},
        "cluster": {"by": "cluster", "clustering": images},
        "share": {"weight": "share", "clustering": images},
        "party": {"by": ["party", "month"], "linked": posts},
        "posts": {"by": "party", "weight": "post", "linked": posts},
        "these posts": {"by": "party", "weight": "post", "linked": posts, "author": None},
    }
    expected = golden("label-shares")
    for case, options in cases.items():
        given = None if case == "sample" else predictions
        found = quietly(labels, given, sample, **options)
        wanted = expected[expected["case"] == case].reset_index(drop=True)
        columns = ["code", "label", "method", "n_labelled", "n_predicted"]
        numbers = ["estimate", "std_error", "df", "conf_low", "conf_high", "lambda"]
        assert_frame_equal(found[columns], wanted[columns], check_dtype=False)
        np.testing.assert_allclose(
            found[numbers].to_numpy(float), wanted[numbers].to_numpy(float), rtol=1e-8, atol=1e-10,
            err_msg=case,
        )  # fmt: skip


def made(n_h: int = 10, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, Any]:
    """Four clusters of 50 images, as many labelled images in each, and predictions."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat([1, 2, 3, 4], 50)
    truth = (rng.random(200) < np.array([0.2, 0.4, 0.6, 0.3])[cluster - 1]).astype(int)
    f = np.where(rng.random(200) < 0.25, 1 - truth, truth) * 0.9 + 0.05
    ids = np.array([f"i{n:03d}" for n in range(200)])
    at = np.concatenate(
        [rng.choice(np.flatnonzero(cluster == one), n_h, replace=False) for one in (1, 2, 3, 4)]
    )
    sample = pd.DataFrame({"image_id": ids[at], "cluster": cluster[at], "N_h": 50, "n_h": n_h})
    labels = pd.DataFrame({"image_id": ids[at], "code": "x", "label": truth[at]})
    guesses = pd.DataFrame({"image_id": ids, "label": "x", "probability": f, "split": "fold"})
    return labels, guesses, sample, (cluster, truth, f, at)


def test_it_is_the_estimator_of_the_papers() -> None:
    labels, guesses, sample, (cluster, truth, f, at) = made()
    row = by_method(label_shares(labels, guesses, sample)).loc["corrected"]
    lam = row["lambda"]
    assert 0 < lam < 1
    y, g, h = truth[at], f[at], cluster[at]
    # Stratified PPI (Fisch et al. 2024, eq. 7): sum of w_h (lambda mean F_h + mean (y - lambda f)).
    # Here the unlabelled images are all images of the stratum.
    stratified = sum(
        0.25 * (lam * f[cluster == one].mean() + (y - lam * g)[h == one].mean())
        for one in (1, 2, 3, 4)
    )
    assert np.isclose(row["estimate"], stratified, rtol=0, atol=1e-12)
    # Their lambda of equal strata: the pooled covariance over the pooled variance.
    product = sum(np.cov(y[h == one], g[h == one])[0, 1] for one in (1, 2, 3, 4))
    square = sum(g[h == one].var(ddof=1) for one in (1, 2, 3, 4))
    assert np.isclose(lam, product / square, rtol=0, atol=1e-12)


def test_one_stratum_is_ppi_plus_plus() -> None:
    rng = np.random.default_rng(2)
    n, big_n = 40, 300
    truth = (rng.random(big_n) < 0.4).astype(int)
    f = np.clip(0.1 + 0.7 * truth + 0.4 * rng.normal(size=big_n), 0, 1)
    ids = [f"i{i:03d}" for i in range(big_n)]
    sample = pd.DataFrame({"image_id": ids[:n], "cluster": 1, "N_h": big_n, "n_h": n})
    labels = pd.DataFrame({"image_id": ids[:n], "code": "x", "label": truth[:n]})
    guesses = pd.DataFrame({"image_id": ids, "label": "x", "probability": f, "split": "fold"})
    row = by_method(label_shares(labels, guesses, sample)).loc["corrected"]
    # Angelopoulos, Duchi and Zrnic (2023), with the other images as the unlabelled ones:
    # lambda = cov(y, f) / ((1 + n / N) var(f)), y - lambda f on the labelled, lambda f on the rest.
    y, labelled, rest = truth[:n], f[:n], f[n:]
    lam = np.cov(y, labelled)[0, 1] / ((1 + n / len(rest)) * labelled.var(ddof=1))
    estimate = lam * rest.mean() + (y - lam * labelled).mean()
    assert np.isclose(row["estimate"], estimate, rtol=0, atol=1e-9)


def test_lambda_of_one_is_design_based_supervised_learning() -> None:
    from imagestrata.labels.estimate import Tuned, mean_of, plan_of
    from imagestrata.labels.observed import observe

    labels, guesses, sample, (_, truth, f, at) = made(seed=3)
    observed = observe(labels, guesses, sample)
    (target,) = observed.targets
    one = Tuned(1.0, [np.zeros(len(at))])
    mean = mean_of(plan_of(observed, [target]), target, np.ones(200), one)
    # Egami et al. (2023): the mean of f + R (y - f) / pi over all images.
    pseudo = f.copy()
    pseudo[at] += (truth[at] - f[at]) / (10 / 50)
    assert np.isclose(mean.estimate, pseudo.mean(), rtol=0, atol=1e-12)


def test_a_useless_machine_costs_nothing() -> None:
    labels, guesses, sample, _ = made()
    constant = guesses.assign(probability=0.5)
    table = by_method(label_shares(labels, constant, sample))
    columns = ["estimate", "std_error", "conf_low", "conf_high"]
    assert table.loc["corrected", "lambda"] == 0
    assert (table.loc["corrected", columns] == table.loc["sample", columns]).all()


def test_shares_of_answers_add_up_to_one() -> None:
    table = quietly(*(golden(f"labelled-{x}") for x in ("labels", "predictions", "sample")))
    place = table[table["code"] == "place"]
    assert np.allclose(place.groupby("method")["estimate"].sum(), 1)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"by": "cluster"}, "not known for every image"),
        ({"by": "estimate", "clustering": CLUSTERING}, "`by` must name groups"),
        ({"weight": "post"}, "needs posts"),
        ({"weight": "posts"}, "`weight` must be one of"),
        ({"weight": "share"}, "'n_copies'"),
        ({"conf_level": 95}, "between 0 and 1"),
    ],
)
def test_bad_arguments(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ImagestrataError, match=match):
        label_shares(LABELS, PREDICTIONS, SAMPLE, **options)


def test_groups_of_posts_need_their_authors_or_none() -> None:
    posts = pd.DataFrame({"post_id": [*"123456"], "image_id": [*"abcdef"], "party": [*"AABBAA"]})
    with pytest.raises(ImagestrataError, match="no column 'author'"):
        label_shares(LABELS, PREDICTIONS, SAMPLE, "party", weight="post", linked=posts)
    with pytest.raises(ImagestrataError, match="has no effect"):
        label_shares(LABELS, PREDICTIONS, SAMPLE, linked=posts)
    with pytest.warns(UserWarning, match="fewer than 2 labelled"):
        table = label_shares(
            LABELS, PREDICTIONS, SAMPLE, "party", weight="post", linked=posts, author=None
        )
    assert table["party"].tolist() == [*"AAABBB"]
    assert table["n_labelled"].tolist() == [3] * 3 + [0] * 3
    assert table.loc[table["party"] == "B", "estimate"].isna().tolist() == [False, True, True]


def test_labels_of_a_large_cluster_that_agree_have_an_interval() -> None:
    ids = [f"i{n}" for n in range(16)]
    sample = pd.DataFrame(
        {"image_id": ids, "cluster": [1] * 8 + [2] * 8, "N_h": [900] * 8 + [100] * 8, "n_h": 8}
    )
    labels = pd.DataFrame({"image_id": ids, "code": "x", "label": [1] * 8 + [1, 0] * 4})
    row = label_shares(labels, sample=sample).loc[0]
    assert np.isclose(row["estimate"], 0.95)
    # Up to 37% of the 892 images without a label may differ although none of eight does.
    exact = 0.892 * (1 - 0.025 ** (1 / 8))
    assert np.isclose(row["conf_low"], 0.95 - exact / 2)


def test_the_order_and_the_index_of_a_sample_make_no_difference():
    labels, predictions, sample, images = (
        golden(f"labelled-{name}") for name in ("labels", "predictions", "sample", "images")
    )
    expected = quietly(labels, predictions, sample, clustering=images)
    assert sample["wave"].nunique() > 1
    shuffled = sample.sample(frac=1, random_state=3)
    for given in (
        shuffled,
        sample.set_axis([0] * len(sample)),
        sample.set_index("wave", drop=False),
    ):
        found = quietly(labels, predictions, given, clustering=images)
        assert_frame_equal(found, expected, rtol=1e-9)
