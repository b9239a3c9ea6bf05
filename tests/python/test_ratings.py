"""Ratings: read, averaged, compared; by hand and against the tables that R tests, too."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata import (
    ImagestrataError,
    rating_gaps,
    rating_means,
    rating_model,
    rating_weights,
    read_ratings,
    sample_images,
)
from imagestrata.ratings.contrasts import _pairs
from imagestrata.ratings.estimates import adjusted
from test_golden import golden

WEIGHTS = ["cluster", "corpus", "share", "none"]
VARIANCES = ["two-way", "respondent", "image"]


def six() -> pd.DataFrame:
    """Two people a party, three images each; cluster 1 has two images, cluster 2 one."""
    return pd.DataFrame(
        {
            "respondent_id": ["d1", "d1", "d2", "r1", "r1", "r2"],
            "group": ["D", "D", "D", "R", "R", "R"],
            "image_id": ["i1", "i2", "i3"] * 2,
            "cluster": [1, 1, 2] * 2,
            "item": "angry",
            "rating": [2.0, 4.0, 6.0, 4.0, 6.0, 8.0],
            "weight_cluster": [0.5, 0.5, 1.0] * 2,
            "weight_corpus": [3.0, 3.0, 2.0] * 2,
        }
    )


# ---- by hand ----


def test_means_of_six_ratings_by_hand():
    """D: (2/2 + 4/2 + 6) / 2 = 4.5. Scores w (y - 4.5) / 2 are -.625 and -.125, together -.75, for
    d1, and .75 for d2; their squares add up to 1.125. The survey has four respondents, of
    whom two have no share in it: times 4/3, that is 1.5."""
    means = rating_means(six(), variance="respondent")
    assert means["group"].tolist() == ["D", "R"]
    assert means["estimate"].tolist() == pytest.approx([4.5, 6.5])
    assert means["std_error"].tolist() == pytest.approx([np.sqrt(1.5)] * 2)
    assert means["df"].tolist() == [1, 1]
    # The t distribution with one degree of freedom has its 97.5% point at 12.7062.
    assert means["conf_high"][0] == pytest.approx(4.5 + 12.7062047 * np.sqrt(1.5))
    assert (
        means[["n_ratings", "n_respondents", "n_images", "n_clusters"]].to_numpy().tolist()
        == [[3, 2, 3, 2]] * 2
    )
    corpus = rating_means(six(), weight="corpus")
    assert corpus["estimate"].tolist() == pytest.approx([30 / 8, 46 / 8])
    assert rating_means(six(), weight="none")["estimate"].tolist() == pytest.approx([4, 6])


def test_gap_of_six_ratings_by_hand():
    """4.5 - 6.5, variance 1.5 + 1.5; Welch: 9 / (1.5^2 + 1.5^2) = 2 degrees of freedom, for
    which p = 1 - t / sqrt(2 + t^2)."""
    gap = rating_gaps(six(), variance="respondent").iloc[0]
    assert gap["contrast"] == "D - R"
    assert gap["estimate"] == pytest.approx(-2)
    assert gap["std_error"] == pytest.approx(np.sqrt(3))
    assert gap["df"] == pytest.approx(2)
    t = 2 / np.sqrt(3)
    assert gap["p_value"] == pytest.approx(1 - t / np.sqrt(2 + t**2))
    assert gap["p_adjusted"] == gap["p_value"]
    assert gap[["n_ratings", "n_respondents"]].tolist() == [6, 4]


def test_statsmodels_and_survey_differ_by_a_factor():
    """Survey's n / (n - 1) counts all respondents; statsmodels' correction those in the fit."""
    from statsmodels.regression.linear_model import WLS

    half = six()[:3]
    people = pd.factorize(half["respondent_id"])[0]
    model = WLS(half["rating"], np.ones(3), weights=half["weight_cluster"])
    arguments = {"groups": people, "use_correction": True}
    corrected = model.fit(cov_type="cluster", cov_kwds=arguments).cov_params().iloc[0, 0]
    assert corrected == pytest.approx(1.125 * (2 / 1) * (2 / 2))
    survey = rating_means(six(), variance="respondent")["std_error"][0] ** 2
    assert survey == pytest.approx(1.125 * 4 / 3)


def test_an_image_counts_once_however_many_rate_it():
    """Image 1 is rated 0 by nine people and image 2 rated 10 by one: the mean is 5."""
    table = pd.DataFrame(
        {
            "respondent_id": [f"r{i}" for i in range(10)],
            "image_id": ["i1"] * 9 + ["i2"],
            "item": "sad",
            "rating": [0.0] * 9 + [10.0],
            "cluster": 1,
            "weight_cluster": 0.5,
        }
    )
    assert rating_means(table, by=None)["estimate"].tolist() == pytest.approx([5])


def test_a_dimension_is_the_mean_of_its_items():
    """Of two items, one is missing for d2, whose dimension is then the other."""
    table = pd.DataFrame(
        {
            "respondent_id": ["d1", "d1", "d2"],
            "image_id": "i1",
            "item": ["sad", "glad", "sad"],
            "dimension": "mood",
            "rating": [2.0, 4.0, 7.0],
            "cluster": 1,
            "weight_cluster": 1.0,
        }
    )
    with pytest.warns(UserWarning, match="Only one respondent rated in 1 group, all"):
        means = rating_means(table, by=None)
    assert means["item"].tolist() == ["mood", "sad", "glad"]
    assert means["level"].tolist() == ["dimension", "item", "item"]
    assert means["estimate"].tolist() == pytest.approx([5, 4.5, 4])
    assert means["std_error"].isna().tolist() == [False, False, True]


# ---- against what R computes ----


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("function", [rating_means, rating_gaps])
@pytest.mark.filterwarnings("ignore:There are no ratings")
def test_estimates_are_those_of_r(function, weight, variance):
    known = golden("means" if function is rating_means else "gaps")
    known = known.query("variance == @variance and weight == @weight").reset_index(drop=True)
    table = function(golden("ratings"), weight=weight, variance=variance)
    pd.testing.assert_frame_equal(table, known, rtol=1e-9, check_dtype=False)


def every(name: str = "", **arguments: object) -> dict[str, dict[str, object]]:
    """Every weight with every variance."""
    return {
        f"{weight} {variance} {name}".strip(): {"weight": weight, "variance": variance, **arguments}
        for weight in WEIGHTS
        for variance in VARIANCES
    }


#: Arguments of the golden survey's cases, as golden_survey_cases() in R has them.
CASES = {
    **every(),
    **every("all", by=None, conf_level=0.8),
    **every("cluster", by="cluster"),
    **every("gender", by=["group", "gender"]),
    "month": {"by": ["group", "month"]},
}
GAP_CASES: dict[str, dict[str, object]] = {
    **every(),
    **every("change", by=["group", "month"], change="pairs"),
    **every("change by gender", by=["group", "gender"], change="pairs", reference="D"),
    **every("trend", by=["ideology", "gender"], contrasts="trend", adjust="BH"),
    **every("months", by="month", conf_level=0.9),
    "month": {"by": ["group", "month"]},
    "reference": {"reference": "I", "adjust": "BH"},
    "change": {"by": ["group", "month"], "change": "pairs"},
    "change of respondents": {
        "by": ["group", "month"],
        "change": "pairs",
        "weight": "share",
        "variance": "respondent",
    },
    "change of images": {"by": ["group", "month"], "change": "consecutive", "variance": "image"},
    "change by gender": {"by": ["group", "gender"], "change": "pairs", "weight": "corpus"},
    "change of months": {"by": ["month", "group"], "change": "pairs", "adjust": "none"},
    "trend": {"by": "ideology", "contrasts": "trend"},
    "trend of images": {"by": "cluster", "contrasts": "trend", "weight": "none"},
    "trend by month": {"by": ["ideology", "month"], "contrasts": "trend", "weight": "corpus"},
    "change of trend": {"by": ["ideology", "month"], "contrasts": "trend", "change": "pairs"},
    "trend of gaps": {"by": ["gender", "ideology"], "change": "trend", "variance": "respondent"},
    "three columns": {
        "by": ["group", "month", "gender"],
        "reference": "D",
        "change": "consecutive",
    },
}


@pytest.mark.parametrize(
    ("function", "case"),
    [(rating_means, case) for case in CASES] + [(rating_gaps, case) for case in GAP_CASES],
)
def test_weighted_estimates_are_those_of_r(function, case):
    known = golden("survey-means" if function is rating_means else "survey-gaps")
    cases = CASES if function is rating_means else GAP_CASES
    assert set(known["case"]) == set(cases)
    known = known[known["case"] == case].drop(columns="case").dropna(axis=1, how="all")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = function(golden("survey"), respondent_weight="survey_weight", **cases[case])
    pd.testing.assert_frame_equal(
        table, known.reset_index(drop=True), rtol=1e-9, check_dtype=False, check_like=True
    )


#: As golden_single_cases() in R has them.
SINGLE: dict[str, dict[str, object]] = {
    name: case for name, case in every().items() if case["variance"] != "respondent"
}
SINGLE_CASES: dict[str, dict[str, dict[str, object]]] = {
    "means": {**SINGLE, "month": {"by": ["group", "month"]}, "all": {"by": None}},
    "gaps": {
        **SINGLE,
        "change": {"by": ["group", "gender"], "change": "pairs"},
        "trend": {"by": "ideology", "contrasts": "trend"},
        "months": {"by": "month"},
    },
    "models": {
        "group": {"formula": "~ group"},
        "moderated": {"formula": "~ group * ideology", "weight": "corpus"},
        "image": {"formula": "~ group * ideology + month", "variance": "image"},
        "clusters": {"formula": "~ group + cluster"},
        "interaction": {"formula": "~ group * cluster"},
    },
}


def single_as_in_r(function, known, options):
    """Both designs: one image of each cluster, or two of one of them."""
    for design, ratings in golden("single").groupby("design"):
        expected = known[known["design"] == design].drop(columns=["design", "case"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = function(
                ratings.drop(columns="design"), respondent_weight="survey_weight", **options
            )
        table = getattr(table, "coefficients", table).dropna(axis=1, how="all")
        pd.testing.assert_frame_equal(
            table, expected.dropna(axis=1, how="all").reset_index(drop=True),
            rtol=1e-8, check_dtype=False, check_like=True,
        )  # fmt: skip


@pytest.mark.parametrize(("kind", "case"), [(k, c) for k in SINGLE_CASES for c in SINGLE_CASES[k]])
def test_estimates_of_single_images_are_those_of_r(kind, case):
    known = golden(f"single-{kind}")
    assert set(known["case"]) == set(SINGLE_CASES[kind])
    function = {"means": rating_means, "gaps": rating_gaps, "models": rating_model}[kind]
    single_as_in_r(function, known[known["case"] == case], SINGLE_CASES[kind][case])


@pytest.mark.parametrize("kind", ["means", "gaps"])
def test_corrected_estimates_of_single_images_are_those_of_r(kind):
    known = golden("single-corrected")
    options = {
        "predictions": golden("predictions").assign(split="fold"), "clustering": golden("corpus")
    }  # fmt: skip
    function = rating_means if kind == "means" else rating_gaps
    single_as_in_r(function, known[known["case"] == kind], options)


# ---- contrasts ----


def waves() -> pd.DataFrame:
    """Ten people of each party answer before and after."""
    rng = np.random.default_rng(2)
    own = rng.normal(scale=3, size=20)
    return pd.DataFrame(
        {
            "respondent_id": [*range(20)] * 2,
            "group": (["D"] * 10 + ["R"] * 10) * 2,
            "wave": pd.Categorical(["before"] * 20 + ["after"] * 20, ["before", "after"]),
            "image_id": range(40),
            "item": "x",
            "rating": [*own, *(own + rng.normal(size=20))],
        }
    )


def test_changes_of_gaps_by_hand():
    table = waves()
    options = {"by": ["group", "wave"], "weight": "none", "variance": "respondent"}
    (change,) = rating_gaps(table, change="pairs", **options).to_dict("records")
    own = (table["rating"][20:].to_numpy() - table["rating"][:20].to_numpy()).reshape(2, 10)
    mean = own.mean(axis=1)
    assert (change["contrast"], change["change"]) == ("D - R", "after - before")
    assert change["estimate"] == pytest.approx(mean[0] - mean[1])
    spread = ((own - mean[:, None]) ** 2).sum() / 100
    assert change["std_error"] == pytest.approx(np.sqrt(20 / 19 * spread))
    assert change["n_respondents"] == 20
    gaps = rating_gaps(table, **options)["estimate"]
    assert change["estimate"] == pytest.approx(gaps[1] - gaps[0])


def test_trends_are_slopes_and_levels_are_equally_spaced():
    table = golden("survey").query("item == 'proud'").drop(columns="dimension")
    table = table[table["ideology"] != 3]

    def trend(ideology):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = table.assign(ideology=ideology)
            return rating_gaps(given, by="ideology", contrasts="trend", weight="none").iloc[0]

    plain = trend(table["ideology"])
    levels = pd.Categorical(table["ideology"], [1, 2, 3, 4, 5], ordered=True)
    assert trend(levels)["estimate"] == pytest.approx(plain["estimate"])
    assert trend(table["ideology"] * 10)["std_error"] == pytest.approx(plain["std_error"] / 10)
    assert plain["contrast"] == "trend of ideology"


def test_contrasts_that_cannot_be_made():
    table = golden("survey")
    for arguments, message in [
        ({"change": "pairs"}, "needs a second column"),
        ({"reference": "X"}, "must be one value of group, not 'X'"),
        ({"reference": ["D"]}, "must be one value of group"),
        ({"contrasts": "trend"}, "group is neither"),
        ({"contrasts": "all"}, "'pairs', 'trend'"),
        ({"by": ["group", "gender"], "change": "trend"}, "gender is neither"),
        ({"by": "ideology", "contrasts": "trend", "reference": 1}, "cannot be combined"),
        ({"by": ["group", "month"], "change": True}, "change"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            rating_gaps(table, **arguments)


def test_what_changes_leave_out_is_reported():
    table = golden("survey").query("group != 'I'")
    hole = (table["group"] == "D") & (table["gender"] == "f") & (table["cluster"] == 2)
    with pytest.warns(UserWarning, match=r"all its groups rated; it leaves out \d clusters \(\d"):
        rating_gaps(table[~hole], by=["group", "gender"], change="pairs")


# ---- weights of respondents ----


def test_respondents_weights_by_hand():
    """Each image has one rater in a group: weights must count nevertheless."""
    table = six().assign(wave=[1.0, 1.0, 3.0, 2.0, 2.0, 2.0])
    means = rating_means(table, respondent_weight="wave", variance="respondent")
    # Cluster 1 has two images of 1/2 each; d2 counts three times as much as d1.
    first = means.iloc[0]
    mean = (0.5 * 2 + 0.5 * 4 + 3 * 6) / 4
    assert first["estimate"] == pytest.approx(mean)
    scores = [(0.5 * (2 - mean) + 0.5 * (4 - mean)) / 4, 3 * (6 - mean) / 4]
    assert first["std_error"] == pytest.approx(np.sqrt(4 / 3 * np.square(scores).sum()))
    assert first["n_effective"] == pytest.approx(16 / 10)
    assert first["respondent_weight"] == "wave"
    # Equal weights, in whatever unit, change nothing.
    plain = rating_means(table, variance="respondent").iloc[1]
    assert means.iloc[1]["estimate"] == pytest.approx(plain["estimate"])
    weights = rating_weights(table, respondent_weight="wave")["weight"]
    assert weights.tolist() == [0.5, 0.5, 3.0, 1.0, 1.0, 2.0]
    gaps = [
        rating_gaps(table.assign(wave=table["wave"] * unit), respondent_weight="wave")
        for unit in (1, 7.5)
    ]
    pd.testing.assert_frame_equal(*gaps)


def test_weights_of_respondents_that_cannot_be_used():
    table = six().assign(wave=1.0)
    for bad, name, message in [
        (table, "party", "'party'; they have respondent_id"),
        (table, ["wave"], "must name a column"),
        (
            table.assign(wave=[1, 1, None, 2, 2, 2]),
            "wave",
            "for 1 of 4 respondents, the first 'd2'",
        ),
        (table.assign(wave=[1, 1, 0, 2, 2, 2]), "wave", "a positive number for every respondent"),
        (table.assign(wave=[1, 1, np.inf, 2, 2, 2]), "wave", "a positive number for every"),
        (
            pd.concat([table, table[:1].assign(item="proud", wave=2)]),
            "wave",
            "the same in all ratings .* for 'd1'",
        ),
    ]:
        for function in (rating_means, rating_gaps, rating_weights):
            with pytest.raises(ImagestrataError, match=message):
                function(bad, respondent_weight=name)


def test_very_unequal_weights_are_reported():
    people = pd.DataFrame({"respondent_id": range(40), "group": "D", "wave": 1.0})
    people.loc[0, "wave"] = 30.0
    table = people.assign(image_id=range(40), item="angry", rating=np.arange(40.0))
    # 69^2 / (39 + 900)
    with pytest.warns(UserWarning, match="group D: 40 respondents are as informative as 5 with"):
        rating_means(table, weight="none", respondent_weight="wave")


# ---- clusters of which not all images were rated ----


def half_rated() -> pd.DataFrame:
    """Of cluster 1 one of two images was rated, 10; of cluster 2 both, 0."""
    return pd.DataFrame(
        {
            "respondent_id": ["a", "b", "c"],
            "group": "D",
            "image_id": ["i1", "i3", "i4"],
            "cluster": [1, 2, 2],
            "item": "angry",
            "rating": [10.0, 0.0, 0.0],
            "n_h": 2,
            "weight_cluster": 0.5,
            "weight_corpus": [6.0, 3.0, 3.0],
            "weight_share": [10.0, 9.0, 3.0],
        }
    )


@pytest.mark.parametrize(
    ("weight", "mean"),
    [("cluster", 5), ("corpus", 10 * 12 / 18), ("share", 10 * 20 / 32), ("none", 10 / 3)],
)
def test_a_cluster_counts_in_full_however_many_of_its_images_were_rated(weight, mean):
    with pytest.warns(UserWarning, match=r"no ratings of 1 of 4 sampled images \(group D\)"):
        means = rating_means(half_rated(), weight=weight)
    assert means["estimate"].tolist() == pytest.approx([mean])
    with pytest.warns(UserWarning, match="no ratings of 1 of 4 sampled images"):
        weights = rating_weights(half_rated(), weight=weight)
    assert np.average(weights["rating"], weights=weights["weight"]) == pytest.approx(mean)


def test_shares_of_images_that_another_group_rated_are_known():
    other = (
        half_rated()
        .iloc[:2]
        .assign(respondent_id="e", group="R", image_id=["i2", "i3"], weight_share=[2.0, 9.0])
    )
    both = pd.concat([half_rated(), other])
    with pytest.warns(UserWarning, match="no ratings of"):
        assert rating_means(both, weight="share")["estimate"][0] == pytest.approx(10 * 12 / 24)
    nothing = both.assign(weight_share=np.where(both["image_id"] == "i1", 0, both["weight_share"]))
    with pytest.warns(UserWarning, match=r"1 of 2 clusters \(group D\)"):
        means = rating_means(nothing, weight="share")
    assert means["estimate"][0] == 0
    assert means["n_clusters"].tolist() == [1, 2]


def test_gaps_compare_clusters_that_both_groups_rated():
    ratings = six()
    ratings = ratings[(ratings["group"] == "D") | (ratings["cluster"] == 1)]
    ratings = ratings.assign(respondent_id=["d1", "d1", "d2", "r1", "r2"])
    with pytest.warns(UserWarning, match=r"it leaves out 1 cluster \(1 image\)"):
        gap = rating_gaps(ratings, variance="respondent").iloc[0]
    assert gap["estimate"] == pytest.approx(3 - 5)
    with pytest.warns(UserWarning, match="no ratings of"):
        weights = rating_weights(ratings, of="gaps")
    assert set(weights["cluster"]) == {1}
    assert set(weights["contrast"]) == {"D - R"}
    with pytest.warns(
        UserWarning, match=r"1 of 2 clusters \(group R\)\. .* clusters with a rating"
    ):
        means = rating_means(ratings)
    assert means["estimate"].tolist() == pytest.approx([4.5, 5])


def test_months_of_clusters_are_no_holes():
    others = six().assign(respondent_id=list("abcdef"))
    ratings = pd.concat([six(), others.assign(rating=others["rating"] + [1, 2, 4, 0, 0, 1])])
    ratings["month"] = ratings["cluster"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gaps = rating_gaps(ratings, by=["group", "month"], variance="respondent")
        rating_means(ratings, by=["group", "month"], variance="respondent")
    assert gaps["month"].tolist() == [1, 2]


def test_images_stand_for_those_of_their_month():
    """Cluster 1: 12 images, sampled four, one of which nobody rated; cluster 2: 6, three."""
    table = pd.DataFrame(
        {
            "respondent_id": list("abaabb"),
            "month": [5, 5, 6, 5, 6, 6],
            "image_id": [f"i{i}" for i in range(6)],
            "cluster": [1, 1, 1, 2, 2, 2],
            "item": "angry",
            "rating": [1.0, 2, 3, 4, 5, 6],
            "n_h": [4, 4, 4, 3, 3, 3],
            "weight_corpus": [3.0, 3, 3, 2, 2, 2],
            "weight_cluster": [1 / 4] * 3 + [1 / 3] * 3,
        }
    )
    means = rating_means(table, by="month", weight="corpus")
    assert means["estimate"].tolist() == pytest.approx(
        [(8 * 1.5 + 2 * 4) / 10, (4 * 3 + 4 * 5.5) / 8]
    )


def test_two_way_errors_by_hand():
    """As in R's test: images within clusters, then people's answers to several images."""
    hand = pd.DataFrame(
        {
            "respondent_id": list("abaca"),
            "image_id": [f"i{i}" for i in range(5)],
            "cluster": [1, 1, 2, 2, 3],
            "item": "angry",
            "rating": [1.0, 3, 6, 2, 8],
            "n_h": [2, 2, 2, 2, 1],
            "weight_cluster": [0.5, 0.5, 0.5, 0.5, 1],
        }
    )
    shares = np.array([1, 1, 1, 1, 2]) / 6
    scores = shares * (hand["rating"] - shares @ hand["rating"])
    images = 2 * 2 * ((1 / 6) ** 2 + (2 / 6) ** 2) * 8 / 4
    alike = 3 / 2 * (scores[[0, 2, 4]].sum() ** 2 - (scores[[0, 2, 4]] ** 2).sum())
    found = {v: rating_means(hand, by=None, variance=v)["std_error"][0] ** 2 for v in VARIANCES}
    assert found["image"] == pytest.approx(images)
    assert found["two-way"] == pytest.approx(images + max(alike, 0))


# ---- properties ----


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), shift=st.floats(-5, 5), times=st.floats(0.1, 10))
def test_means_and_gaps_move_with_ratings(seed, shift, times):
    stream = np.random.default_rng(seed)
    table = six().assign(rating=stream.normal(size=6))
    means, gaps = rating_means(table), rating_gaps(table)
    other = table.assign(
        rating=table["rating"] * times + shift, weight_cluster=table["weight_cluster"] * 7
    ).sample(frac=1, random_state=seed)
    moved, moved_gaps = rating_means(other), rating_gaps(other)
    assert np.allclose(moved["estimate"], means["estimate"] * times + shift)
    assert np.allclose(moved["std_error"], means["std_error"] * times)
    assert np.allclose(moved_gaps["std_error"], gaps["std_error"] * times)
    assert np.allclose(moved_gaps["p_value"], gaps["p_value"])
    # The gap is that of the means; nobody is in both groups, so variances add up.
    assert np.isclose(gaps["estimate"][0], means["estimate"][0] - means["estimate"][1])
    people = {"variance": "respondent"}
    error = rating_gaps(table, **people)["std_error"][0]
    assert np.isclose(error**2, (rating_means(table, **people)["std_error"] ** 2).sum())


def test_people_in_both_sides_are_accounted_for():
    """The same two people rate two clusters with one difference: that has no error."""
    table = pd.DataFrame(
        {
            "respondent_id": ["a", "a", "b", "b"],
            "image_id": ["i1", "i2", "i1", "i2"],
            "cluster": [1, 2, 1, 2],
            "item": "sad",
            "rating": [1.0, 4.0, 5.0, 8.0],
        }
    )
    with pytest.warns(UserWarning, match="do not differ at all"):
        gap = rating_gaps(table, by="cluster", weight="none").iloc[0]
    assert gap["estimate"] == pytest.approx(-3)
    assert gap["std_error"] == pytest.approx(0, abs=1e-7)
    assert gap["df"] == 1
    assert rating_means(table, by="cluster", weight="none")["std_error"].min() > 1


def test_three_groups_per_cluster_and_adjustment():
    ratings = golden("ratings")
    third = ratings["respondent_id"].isin(sorted(ratings["respondent_id"].unique())[::3])
    ratings.loc[third, "group"] = "Other"
    gaps = rating_gaps(ratings, weight="none", adjust="BH")
    assert gaps["contrast"].nunique() == 3
    for _, family in gaps.groupby("level"):
        p = family["p_value"].sort_values().to_numpy()
        raw = p * len(p) / np.arange(1, len(p) + 1)
        by_hand = np.minimum.accumulate(raw[::-1])[::-1]
        assert np.allclose(family["p_adjusted"].sort_values(), by_hand)
    plain = rating_gaps(ratings, weight="none", adjust="none")
    assert plain["p_adjusted"].equals(plain["p_value"])


@pytest.mark.parametrize(("adjust", "method"), [("holm", "holm"), ("BH", "fdr_bh")])
@pytest.mark.parametrize("seed", range(4))
def test_adjusted_p_values_are_those_of_statsmodels(adjust, method, seed):
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(seed)
    p_values = pd.Series(rng.random(12) ** 3).round(2)  # with ties
    p_values[[2, 7]] = np.nan  # no part of the family
    known = p_values.notna()
    expected = multipletests(p_values[known], method=method)[1]
    found = adjusted(p_values, adjust)
    assert np.allclose(found[known], expected)
    assert found[~known].isna().all()


def test_one_sided_comparisons_are_counted():
    table = six()
    table.loc[(table["group"] == "R") & (table["cluster"] == 2), "cluster"] = 3
    table["respondent_id"] = ["d1", "d2", "d2", "r1", "r2", "r2"]
    with pytest.warns(UserWarning, match="2 comparisons are left out"):
        gaps = rating_gaps(table, by=["group", "cluster"], weight="none")
    assert gaps["cluster"].tolist() == [1]


def test_bad_ratings():
    table = six()
    for bad, arguments, message in [
        ([1], {}, "not a list"),
        (table.drop(columns="item"), {}, "'item'"),
        (table.iloc[:0], {}, "no rows"),
        (table.astype({"rating": "str"}), {}, "must hold numbers"),
        (table.assign(rating=np.nan), {}, r"All ratings \(6\) are missing"),
        (table.assign(image_id=None), {}, "6 of 6 rows of `ratings` have missing values"),
        (pd.concat([table, table]), {}, "6 ratings occur twice"),
        (table, {"by": "party"}, "'party'"),
        (table, {"by": "rating"}, "must name groups"),
        (table, {"weight": "share"}, "no column 'weight_share'"),
        (table, {"weight": "equal"}, "'cluster', 'corpus'"),
        (table.assign(weight_cluster=0.0), {}, "no positive 'weight_cluster'"),
        (table.assign(weight_share=0.0), {"weight": "share"}, "of angry, D are zero"),
        (table.assign(group=None), {}, "have no group"),
        (table, {"conf_level": 1}, "between 0 and 1"),
        (table.assign(dimension=list("aabbbb")), {}, "more than one dimension"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            rating_means(bad, **arguments)
    for arguments, message in [
        ({"by": None}, "must name the column of groups"),
        ({"by": "item"}, "must name groups"),
        ({"adjust": "bonferroni"}, "'holm', 'BH', 'none'"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            rating_gaps(table, **arguments)
    with pytest.raises(ImagestrataError, match="'D' in all ratings"):
        rating_gaps(table[:3])
    with pytest.warns(UserWarning, match="1 of 6 ratings are missing"):
        rating_means(table.assign(rating=[np.nan, 4, 6, 4, 6, 8]))


# ---- reading ----


def sample() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": ["i1", "i2"],
            "path": ["/p/1", "/p/2"],
            "cluster": [1, 2],
            "N_h": [4, 6],
            "n_h": [1, 1],
            "weight_corpus": [4.0, 6.0],
            "weight_cluster": [1.0, 1.0],
            "weight_share": [8.0, 6.0],
        }
    )


def page_rows() -> pd.DataFrame:
    """As the page downloads them: image 2 was skipped."""
    return pd.DataFrame(
        {
            "respondent_id": "r1",
            "group": "D",
            "packet_id": "p001",
            "position": [1, 1, 2],
            "image_id": ["i1", "i1", "i2"],
            "item": ["proud", "angry", "proud"],
            "item_position": [1, 2, 1],
            "rating": ["10", "0", ""],
            "skipped": [0, 0, 1],
            "seconds": 3.5,
        }
    )


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_files_of_the_page_are_joined_to_the_sample(tmp_path, separator):
    page_rows().to_csv(tmp_path / "a.csv", index=False, sep=separator, encoding="utf-8-sig")
    with pytest.warns(UserWarning, match="1 of 3 rows have no rating"):
        ratings = read_ratings(tmp_path, sample())
    assert ratings.columns.tolist() == [
        "respondent_id", "group", "image_id", "cluster", "item", "dimension", "rating",
        "N_h", "n_h", "weight_corpus", "weight_cluster", "weight_share", "packet_id",
    ]  # fmt: skip
    assert ratings["item"].tolist() == ["proud", "angry"]
    assert ratings["dimension"].tolist() == ["enthusiasm", "aversion"]
    assert ratings["rating"].tolist() == [10, 0]
    assert ratings["weight_share"].tolist() == [8, 8]
    assert ratings["item"].cat.categories[0] == "hopeful"


def test_groups_come_from_packets_and_items_from_a_table():
    packets = pd.DataFrame(
        {"packet_id": ["p001"], "group": "R", "position": 1, "image_id": "i1", "cluster": 1}
    )
    table = page_rows().drop(columns="group").iloc[:2].assign(rating=[1, 2])
    items = pd.DataFrame({"item": ["angry", "proud"], "dimension": ["bad", "good"]})
    ratings = read_ratings(table, packets=packets, items=items)
    assert ratings["group"].tolist() == ["R", "R"]
    assert ratings["dimension"].tolist() == ["good", "bad"]
    assert ratings["item"].cat.categories.tolist() == ["angry", "proud"]
    with pytest.warns(UserWarning, match="no column 'group': all respondents are one group"):
        plain = read_ratings(table, items=["angry", "proud"])
    assert "group" not in plain
    assert plain["dimension"].isna().all()


def test_items_that_nobody_rated_are_named():
    rows = page_rows().iloc[:2]
    with pytest.warns(
        UserWarning, match="8 of 10 items have no ratings: 'hopeful', 'enthusiastic',"
    ):
        read_ratings(rows, sample())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_ratings(rows, sample().iloc[:1], items=["angry", "proud"])


def test_clusters_that_nobody_rated_are_counted():
    rows, drawn = page_rows().iloc[:2], sample().assign(cluster=[1, *[2] * (len(sample()) - 1)])
    rows["image_id"] = drawn["image_id"].iloc[0]
    words = f"No ratings for 1 of 2 clusters, with {len(drawn) - 1} sampled image"
    with pytest.warns(UserWarning, match=words):
        read_ratings(rows, drawn, items=["angry", "proud"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_ratings(rows, drawn.assign(cluster=1), items=["angry", "proud"])


def test_ids_that_lost_their_zeros_are_told_from_other_images():
    table = page_rows().iloc[:2]
    drawn = sample().replace({"image_id": {"i1": "001"}})
    with pytest.raises(ImagestrataError, match="other leading zeros: read both with ids as text"):
        read_ratings(table.assign(image_id=1), drawn)
    with pytest.raises(ImagestrataError, match="has ids like '001'"):
        read_ratings(table.assign(image_id=7), drawn)


def test_what_is_read_can_be_averaged():
    table = pd.concat(
        [page_rows().iloc[:2].assign(respondent_id=person, rating=r) for person, r in
         [("r1", ["1", "2"]), ("r2", ["3", "6"])]]
    )  # fmt: skip
    means = rating_means(read_ratings(table, sample()))
    assert means["item"].tolist() == ["enthusiasm", "proud", "aversion", "angry"]
    assert means["estimate"].tolist() == pytest.approx([2, 2, 4, 4])


def test_bad_files(tmp_path):
    rows = page_rows().iloc[:2]
    other = rows.iloc[:1].assign(rating="3")
    for bad, arguments, message in [
        (tmp_path / "no.csv", {}, "There is no file"),
        (tmp_path, {}, "no file that ends in .csv"),
        ([], {}, "`files` is empty"),
        (rows.drop(columns="item"), {}, "lacks the column 'item'"),
        (rows.drop(columns="rating"), {}, "neither a column of ratings nor one that is called"),
        (rows.assign(rating=""), {}, "No rating was found in 'the table'"),
        (rows.assign(rating="seven"), {}, "2 of 2 ratings are not numbers: 'seven'"),
        (rows, {"scale": (1, 10)}, "1 of 2 ratings are off the scale 1 to 10: '0'"),
        (rows.assign(item="joyful"), {}, "unknown items: 'joyful'"),
        (rows.assign(image_id="i9"), {"sample": sample()}, "images outside the sample: 'i9'"),
        (rows.assign(respondent_id=""), {}, "no respondent"),
        (pd.concat([rows, other]), {}, "1 image has contradictory ratings by one respondent"),
        (rows.assign(group=["D", "R"]), {}, "more than one group, 'r1'"),
        (rows, {"sample": [1]}, "`sample` must be"),
        (rows, {"sample": sample()[:0]}, "`sample` has no rows"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            read_ratings(bad, **arguments)
    again = pd.concat([rows, rows])
    assert len(read_ratings(again)) == 2


# ---- too little to say much ----


@pytest.mark.parametrize("weight", ["cluster", "corpus", "share"])
def test_equal_ratings_have_no_spread_whatever_rounding_leaves(weight: str) -> None:
    ratings = golden("ratings").assign(rating=3.3)
    with pytest.warns(UserWarning, match="In 5 of 5 rows, for .*hopeful.* do not differ"):
        gaps = rating_gaps(ratings, weight=weight)
    assert (gaps["std_error"] == 0).all()
    assert gaps["p_value"].isna().all()
    assert gaps["p_adjusted"].isna().all()
    np.testing.assert_allclose(gaps["estimate"], 0, atol=1e-12)


def test_a_group_of_one_respondent_has_a_gap_without_a_test() -> None:
    ratings = six()
    alone = ratings.assign(respondent_id=[*ratings["respondent_id"][:3], "r1", "r1", "r1"])
    with pytest.warns(UserWarning, match="on one side of 1 comparison, contrast D - R for one"):
        gap = rating_gaps(alone, weight="none").iloc[0]
    assert gap["estimate"] == -2
    assert np.isnan([gap["std_error"], gap["p_value"], gap["conf_low"]]).all()


def test_groups_come_in_the_order_of_their_categories() -> None:
    order = pd.CategoricalDtype(["R", "unused", "D"])
    gaps = rating_gaps(six().astype({"group": order}))
    assert gaps["contrast"].tolist() == ["R - D"]


def test_means_of_images_are_the_means_of_their_ratings() -> None:
    ratings = six().assign(dimension="aversion")
    means = rating_means(ratings, by="image_id", weight="none")
    assert means["estimate"].tolist() == [3, 5, 7, 3, 5, 7]


def test_groups_stand_in_the_order_of_their_categories():
    rows = [
        (f"r{i}", ("Republican", "Democrat")[i % 2], f"i{j}", item, (i * j) % 5)
        for i in range(6)
        for j in range(4)
        for item in ("proud", "angry")
    ]
    table = pd.DataFrame(rows, columns=["respondent_id", "group", "image_id", "item", "rating"])
    order = ["Republican", "Democrat", "nobody"]
    read = read_ratings(table.assign(group=pd.Categorical(table["group"], order)))
    assert read["group"].cat.categories.tolist() == order
    means = rating_means(read, weight="none")
    assert means["group"].cat.categories.tolist() == order
    assert means["group"].tolist()[:2] == order[:2]
    contrasts = rating_gaps(read, weight="none")["contrast"]
    assert contrasts.unique().tolist() == ["Republican - Democrat"]


# ---- columns by any name, wide tables ----


def wide() -> pd.DataFrame:
    """A survey of somebody's own: a row per image, a column per item."""
    return pd.DataFrame(
        {
            "PID": [7, 7, 8],
            "party": pd.Categorical(["D", "D", "R"], ["R", "D"]),
            "picture": ["i1", "i2", "i1"],
            "group": ["x", "y", "z"],  # something else
            "proud": [3, 4, 2],
            "angry": [0, None, 10],
            "Q12": [30, 30, 41],
        }
    )


NAMED = {"respondent_id": "PID", "group": "party", "image_id": "picture", "age": "Q12"}
TWO = ["proud", "angry"]


def test_columns_may_be_called_otherwise():
    with pytest.warns(UserWarning, match="1 of 6 rows have no rating"):
        ratings = read_ratings(wide(), sample(), items=TWO, columns=NAMED)
    assert ratings[["respondent_id", "image_id", "item"]].astype(str).values.tolist() == [
        ["7", "i1", "proud"],
        ["7", "i1", "angry"],
        ["7", "i2", "proud"],
        ["8", "i1", "proud"],
        ["8", "i1", "angry"],
    ]
    assert ratings["rating"].tolist() == [3, 0, 4, 2, 10]
    assert ratings["age"].tolist() == [30, 30, 30, 41, 41]
    assert ratings["group"].cat.categories.tolist() == ["R", "D"]
    assert ratings["group"].astype(str).tolist() == ["D", "D", "D", "R", "R"]
    assert ratings["weight_corpus"].tolist() == [4, 4, 6, 4, 4]


@pytest.mark.parametrize("separator", [",", ";"])
def test_files_with_other_columns_are_read_as_the_table(tmp_path, separator):
    wide().to_csv(tmp_path / "a.csv", index=False, sep=separator)
    with pytest.warns(UserWarning, match="no rating"):
        found = read_ratings(tmp_path / "a.csv", items=TWO, columns=NAMED)
        expected = read_ratings(wide(), items=TWO, columns=NAMED)
    pd.testing.assert_frame_equal(found, expected.astype({"group": "str"}), check_dtype=False)


def test_long_tables_with_other_columns():
    rows = page_rows().iloc[:2].rename(columns={"item": "emotion", "rating": "value"})
    ratings = read_ratings(rows, items=TWO, columns={"item": "emotion", "rating": "value"})
    assert ratings["rating"].tolist() == [10, 0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"respondent_id": "who"},
            r"no column 'who' for 'respondent_id'; there are 'PID', 'party'",
        ),
        (["Pid"], "no column 'Pid' for 'Pid'; there are 'PID'"),
        (["PID", 3], "must be names of columns, or a mapping of names to columns"),
        ("PID", "must be names of columns, or a mapping of names to columns"),
        ({"age": 12}, "must be names of columns, or a mapping of names to columns"),
        ({"file": "PID"}, "the name 'file' of a column that this function makes"),
    ],
)
def test_columns_that_are_not_there(columns, message):
    with pytest.raises(ImagestrataError, match=message):
        read_ratings(wide(), items=TWO, columns=columns)


# ---- packets, respondents, and columns of users ----


def asked() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "packet_id": ["p001", "p001", "p002"],
            "group": pd.Categorical(["R", "R", "D"], ["R", "D"]),
            "position": [1, 2, 1],
            "image_id": ["i1", "i2", "i2"],
            "cluster": 1,
        }
    )


def answers(**columns: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "respondent_id": ["r1", "r1", "r2"],
            "packet_id": ["p001", "p001", "p002"],
            "image_id": ["i1", "i2", "i2"],
            "item": "proud",
            "rating": [3, 4, 5],
        }
    )
    return table.assign(**columns)


def read(table, *args, **kwargs) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_ratings(table, *args, items=TWO, **kwargs)


def test_further_columns_of_the_sample_and_of_the_survey_come_along():
    images = pd.unique(sample()["image_id"])
    drawn = sample().assign(
        party=pd.Categorical(["L", "C"] * len(images))[: len(images)],
        day=pd.date_range("2018-06-01", periods=len(images)),
        group="x",
        silhouette=0.3,
    )
    table = answers(
        group=["D", "D", "R"],
        Q12=[30, 30, 61],
        gender=pd.Categorical(["w", "w", "m"], ["w", "m"]),
        ip="10.0.0.1",
    )
    with pytest.warns(UserWarning, match="those of the sample are renamed: 'group' is now 'group_"):
        ratings = read_ratings(table, drawn, items=TWO, columns={"age": "Q12", "gender": "gender"})
    assert ratings.columns.tolist()[-6:] == [
        "packet_id", "age", "gender", "party", "day", "group_of_image",
    ]  # fmt: skip
    assert ratings["group"].tolist() == ["D", "D", "R"]
    assert ratings["gender"].cat.categories.tolist() == ["w", "m"]
    assert ratings["party"].tolist() == ["L", "C", "C"]
    assert ratings["day"].dt.day.tolist() == [1, 2, 2]
    assert read(table, sample(), columns=["gender"])["gender"].tolist() == ["w", "w", "m"]
    means = rating_means(ratings, by="party", weight="none")
    assert means["estimate"].tolist()[:2] == pytest.approx([4.5, 3])

    # Ratings that were read before keep what was kept, and take the new sample's columns.
    newer = drawn.assign(party="C", weight_corpus=7.0)
    again = read(ratings, newer)
    assert {*again} == {*ratings}
    assert again["party"].tolist() == ["C"] * 3
    assert again["weight_corpus"].tolist() == [7] * 3
    pd.testing.assert_series_equal(again["gender"], ratings["gender"])
    pd.testing.assert_series_equal(again["age"], ratings["age"])


def test_the_packet_tells_group_and_place_in_files_of_all_tools(tmp_path):
    expected = ["R", "R", "D"]
    ratings = read(answers(), packets=asked())
    assert ratings["group"].tolist() == expected
    assert ratings["group"].cat.categories.tolist() == ["R", "D"]
    assert ratings["position"].tolist() == [1, 2, 1]

    (tmp_path / "pages").mkdir()
    answers(position=9).to_csv(tmp_path / "pages" / "r.csv", index=False)
    asked().to_csv(tmp_path / "pages-key.csv", index=False)
    for key in (tmp_path / "pages", tmp_path / "pages-key.csv"):
        ratings = read(tmp_path / "pages", packets=key)
        assert ratings["group"].tolist() == expected
        assert ratings["position"].tolist() == [1, 2, 1]

    tasks = [
        {
            "data": {"image_id": image, "packet_id": packet, "wave": 2},
            "annotations": [
                {
                    "completed_by": {"email": packet},
                    "result": [
                        {"from_name": "proud", "type": "number", "value": {"number": 4}}
                    ],
                }
            ],
        }
        for image, packet in [("i1", "p001"), ("i2", "p002")]
    ]  # fmt: skip
    (tmp_path / "tasks-done.json").write_text(json.dumps(tasks))
    ratings = read(tmp_path / "tasks-done.json", packets=asked(), columns=["wave"])
    assert ratings["group"].tolist() == ["R", "D"]
    assert ratings["wave"].tolist() == [2, 2]

    # Packets that know their respondents need no packet_id.
    whose = asked().assign(respondent_id=["r1", "r1", "r2"])
    ratings = read(answers().drop(columns="packet_id"), packets=whose)
    assert ratings["group"].tolist() == expected
    assert ratings["packet_id"].tolist() == ["p001", "p001", "p002"]


@pytest.mark.parametrize(
    ("table", "packets", "message"),
    [
        (answers(packet_id="p009"), asked(), "3 of 3 ratings are of unknown packets: 'p009'"),
        (answers(packet_id="p002"), asked(), "1 of 3 ratings are about images that their packet"),
        (answers().drop(columns="packet_id"), asked(), "no column 'packet_id', which joins them"),
        (answers(), asked().drop(columns="group"), "lacks the column 'group'"),
        (answers(), asked().assign(packet_id="p001"), "in one packet twice"),
        (answers(), "nowhere-key.csv", "There is no file"),
    ],
)
def test_packets_that_do_not_fit_are_refused(table, packets, message):
    with pytest.raises(ImagestrataError, match=message):
        read(table, packets=packets)


def test_groups_of_the_files_count_and_others_are_told():
    with pytest.warns(UserWarning, match="1 respondent has another group.*'r2': 'R', and 'D' in"):
        ratings = read_ratings(answers(group="R"), packets=asked(), items=TWO)
    assert ratings["group"].tolist() == ["R"] * 3


def test_a_table_of_respondents_is_joined_by_id():
    people = pd.DataFrame(
        {
            "respondent_id": [2, 1],
            "group": pd.Categorical(["R", "D"], ["R", "D"]),
            "age": [61, 30],
            "gender": pd.Categorical(["m", "w"], ["w", "m", "x"]),
            "day": pd.to_datetime(["2020-01-02", "2020-01-01"]),
        }
    )
    table = answers(respondent_id=["1", "1", "2"])
    ratings = read(table, sample(), respondents=people)
    assert ratings["group"].tolist() == ["D", "D", "R"]
    assert ratings["group"].cat.categories.tolist() == ["R", "D"]
    assert ratings["age"].tolist() == [30, 30, 61]
    assert ratings["gender"].cat.categories.tolist() == ["w", "m", "x"]
    assert ratings["day"].dt.day.tolist() == [1, 1, 2]
    later = read(ratings, respondents=people.assign(age=[62, 31]))
    assert later["age"].tolist() == [31, 31, 62]

    more = pd.DataFrame({"respondent_id": ["2", "7", "8"], "age": [61, 40, 41]})
    with pytest.warns(UserWarning) as said:
        ratings = read_ratings(
            table.assign(group="D"), items=["proud"], respondents=more, packets=None
        )
    texts = [str(one.message) for one in said]
    assert any("1 respondent is not in `respondents`, the first '1'" in text for text in texts)
    assert any("2 of the 3 people in `respondents` have no rating" in text for text in texts)
    assert ratings["age"].isna().tolist() == [True, True, False]
    with pytest.raises(ImagestrataError, match="2 of 3 ratings have no group: '1'"):
        read(table, respondents=more.assign(group="D"))


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ({"respondent_id": ["r1", "r1"]}, "1 respondent more than once, the first 'r1'"),
        ({"respondent_id": ["r1", None]}, "1 row of `respondents` has no 'respondent_id'"),
        ({"respondent_id": []}, "`respondents` has no rows"),
        ({"id": ["r1"]}, "with the column 'respondent_id'; it has id"),
        ({"respondent_id": ["R1"]}, "none of the 2 respondents in the files"),
        ({"respondent_id": ["r1", "r2"], "group": "D"}, "'group' is in the files.*for 'r2' it is"),
        ({"respondent_id": ["r1", "r2"], "age": [30, 41]}, "for 'r2' it is '?40'? in the files"),
        ({"respondent_id": ["r1", "r2"], "cluster": 1}, "the column 'cluster', which describes"),
    ],
)
def test_tables_of_respondents_that_do_not_fit_are_refused(people, message):
    table = answers(group=["D", "D", "R"], age=[30, 30, 40])
    with pytest.raises(ImagestrataError, match=message):
        read(table, respondents=pd.DataFrame(people), columns=["age"])
    with pytest.raises(ImagestrataError, match="not a str"):
        read(table, respondents="people.csv")
    same = pd.DataFrame({"respondent_id": ["r1", "r2"], "age": [30, 40]})
    assert read(table, respondents=same, columns=["age"])["age"].tolist() == [30, 30, 40]


def test_a_census_needs_no_other_road():
    images = pd.DataFrame(
        {"image_id": [f"i{i}" for i in range(6)], "path": "x.jpg", "cluster": [1, 1, 1, 2, 2, 3]}
    )
    census = sample_images(images.assign(n_copies=1), n_per_cluster=float("inf"))
    table = pd.DataFrame(
        [(person, image) for person in range(4) for image in images["image_id"]],
        columns=["respondent_id", "image_id"],
    ).assign(item="proud", rating=[*range(8)] * 3)
    table["group"] = np.where(table["respondent_id"] < 2, "D", "R")
    ratings = read(table, census)
    means = rating_means(ratings, weight="corpus")
    assert means["estimate"].tolist()[:2] == pytest.approx(
        table.groupby("group")["rating"].mean().tolist()
    )
    assert (np.isfinite(means["std_error"]) & (means["std_error"] > 0)).all()


# ---- one rated image in each cluster ----


def single(ratings=((2, 4), (6, 8), (1, 5)), sizes=(2, 1, 1)) -> pd.DataFrame:
    """Two people rate one image of each of three clusters."""
    rows = [
        ("ab"[person], f"i{h}", h, value, sizes[h])
        for h, pair in enumerate(ratings) for person, value in enumerate(pair)
    ]  # fmt: skip
    columns = ["respondent_id", "image_id", "cluster", "rating", "weight_corpus"]
    return pd.DataFrame(rows, columns=columns).assign(item="angry", weight_cluster=1.0, group="D")


def test_single_images_are_compared_across_clusters_by_hand():
    """The images' means are 3, 7 and 3. With equal shares the variance is that of three images of
    one population, 16/3 / 3. With the shares 1/2, 1/4, 1/4 the mean is 4, the scores of the images
    are -1/2, 3/4, -1/4, and their squares are divided by 1 - 2 s + 3/8: 3/8, 7/8, 7/8."""
    options = {"by": None, "variance": "image"}
    found = rating_means(single(), **options).iloc[0]
    assert found["std_error"] == pytest.approx(np.sqrt(16 / 9))
    assert found["df"] == pytest.approx(2)
    image = (1 / 4) / (3 / 8) + (9 / 16 + 1 / 16) / (7 / 8)
    found = rating_means(single(), weight="corpus", **options).iloc[0]
    assert found["std_error"] == pytest.approx(np.sqrt(image))
    # Scores of the people's answers: a has -1/2, 1/4, -3/8, and b has 0, 1/2, 1/8.
    answers = np.array([[-4, 2, -3], [0, 4, 1]]) / 8
    alike = 2 * ((answers.sum(axis=1) ** 2).sum() - (answers**2).sum())
    found = rating_means(single(), None, weight="corpus").iloc[0]
    assert found["std_error"] == pytest.approx(np.sqrt(image + alike))


def test_the_variance_of_single_images_is_that_of_equal_clusters():
    """As a matrix M of the images' means, its trace is the sum of squared shares: if images vary
    equally, its expectation is the variance of the mean. Degrees of freedom are tr(M)^2/tr(M^2)."""
    sizes, shares = (5, 2, 1), np.array([5, 2, 1]) / 8

    def variance(values):
        table = single([(one, one) for one in values], sizes)
        return rating_means(table, None, weight="corpus", variance="image").iloc[0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [variance(one) for one in np.eye(3)]
    assert sum(one["std_error"] ** 2 for one in found) == pytest.approx((shares**2).sum())
    parts = np.eye(3) - shares
    scaled = shares**2 / (1 - 2 * shares + (shares**2).sum())
    matrix = (parts.T * scaled) @ parts
    assert found[0]["df"] == pytest.approx(np.trace(matrix) ** 2 / np.trace(matrix @ matrix))


def test_single_images_have_the_average_of_others_if_these_are_not_few():
    """Eight clusters with equal shares s = 1/8. If two clusters have two images, these are a
    seventh, (1/2 + 1/2) / 7, of the sum of squared shares; if one has, 1/2 / 7.5 = 1/15."""

    def std_error(n):
        rows = [(h, j) for h in range(8) for j in range(2 if h < n else 1)]
        table = pd.DataFrame(rows, columns=["cluster", "j"])
        table["image_id"] = table["cluster"].astype(str) + "-" + table["j"].astype(str)
        table["rating"] = (table.index * 5 % 7).astype(float)
        table["weight_cluster"] = 1 / table.groupby("cluster")["j"].transform("size")
        people = pd.concat([table.assign(respondent_id=one) for one in "ab"])
        (row,) = rating_means(people.assign(item="x"), None, variance="image").to_dict("records")
        return table, row

    table, row = std_error(2)
    pairs = table[table["cluster"] < 2].groupby("cluster")["rating"].var()
    assert row["std_error"] == pytest.approx(np.sqrt((pairs / 2 / 64).sum() * 7))
    assert row["df"] == 2
    table, row = std_error(1)
    share = table["weight_cluster"] / 8
    q = (share**2).sum()
    distance = table["rating"] - share @ table["rating"]
    alone = (share**2 * distance**2 / (1 - 2 * share + q))[2:].sum()
    assert row["std_error"] == pytest.approx(np.sqrt(table["rating"][:2].var() / 2 / 64 + alone))
    assert 6 < row["df"] < 8


def test_means_of_a_single_image_are_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rating_means(single())
        rating_means(single(), "cluster", variance="respondent")
        rating_means(single(), "image_id")
        # All of the cluster was rated.
        rating_means(single().assign(N_h=1), "cluster")
    with pytest.warns(UserWarning, match="3 of 3 means rest on a single rated image"):
        means = rating_means(single(), "cluster")
    alone = rating_means(single(), "cluster", variance="respondent")
    assert means["std_error"].tolist() == alone["std_error"].tolist()
    two = pd.concat(
        [single(), single().assign(respondent_id=lambda table: table["respondent_id"] + "2")]
    )
    two["group"] = np.where(two["respondent_id"].str.len() == 1, "D", "R")
    one = two[two["cluster"] == 0]
    for verb in (rating_gaps, lambda table: rating_model(table, "~ group")):
        with pytest.warns(UserWarning, match="2 of 2 means rest on a single rated image"):
            verb(one)


def test_nobody_reads_thousands_of_pairs() -> None:
    clusters = pd.Series(range(101), name="cluster")
    with pytest.raises(ImagestrataError, match=r"101 values.* 5,050 pairs.*\n.*reference"):
        _pairs(clusters)
    with pytest.raises(ImagestrataError, match='change="consecutive"'):
        _pairs(clusters, later_first=True)
    assert len(_pairs(clusters[1:])) == 4950
    assert len(_pairs(clusters, consecutive=True)) == 100


def test_exports_of_qualtrics_are_recognised():
    export = pd.DataFrame({"ResponseId": ["R_1"], "image_1": ["i1"], "1_rating_1": ["3"]})
    with pytest.raises(ImagestrataError, match=r"Qualtrics .* `read_ratings\(\)` of R reads"):
        read_ratings(export)
    with pytest.raises(ImagestrataError, match="There are 'image_1', '1_rating_1': say which"):
        read_ratings(export.drop(columns="ResponseId"))
