"""Models of ratings: by hand, against statsmodels, plain sums, other verbs and R's tables."""

from __future__ import annotations

import tracemalloc
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.linalg

from imagestrata import (
    ImagestrataError,
    RatingModel,
    rating_effects,
    rating_gaps,
    rating_means,
    rating_model,
)
from imagestrata.ratings.linear import Answers, LinearFit
from test_golden import golden
from test_ratings import VARIANCES, WEIGHTS, six

MODERATED = "~ group * ideology + gender"


def quietly(function: Any, *given: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*given, **options)


def model(ratings: pd.DataFrame, formula: str, **options: Any) -> RatingModel:
    return quietly(rating_model, ratings, formula, **options)


def survey(seed: int = 1, n_people: int = 60) -> pd.DataFrame:
    """Three groups rate images of six clusters, each of which has two images or more."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(1, 7), [5, 4, 4, 3, 2, 2])
    images = pd.DataFrame({"image_id": [f"i{i:02}" for i in range(20)], "cluster": clusters})
    size = np.bincount(clusters)[clusters]
    images = images.assign(weight_cluster=1 / size, weight_corpus=3.0 * clusters / size)
    people = pd.DataFrame(
        {
            "respondent_id": [f"p{i:02}" for i in range(n_people)],
            "group": [*"DRI"] * (n_people // 3),
            "age": rng.integers(18, 80, n_people),
            "ideology": rng.normal(size=n_people).round(2),
            "survey_weight": rng.uniform(0.5, 2, n_people).round(2),
        }
    )
    rated = [rng.choice(20, 5, replace=False) for _ in range(n_people)]
    rows = [people.iloc[[i] * len(own)].reset_index(drop=True) for i, own in enumerate(rated)]
    table = pd.concat(
        [
            pd.concat([mine, images.iloc[own].reset_index(drop=True)], axis=1)
            for mine, own in zip(rows, rated, strict=True)
        ],
        ignore_index=True,
    )
    level = rng.normal(size=n_people)[table["respondent_id"].str[1:].astype(int)]
    mean = 5 + (table["group"] == "D") + 0.5 * table["ideology"] + level + table["cluster"] / 3
    return table.assign(item="proud", rating=mean + rng.normal(size=len(table)))


# ---- by hand ----


def test_two_groups_by_hand():
    """The means of test_ratings, 4.5 and 6.5, with variances of 1.5. D's scores are shares times
    residuals; d1 has the shares 1/4 and 1/4, d2 has 1/2. With independent answers, their totals
    have the covariance .09375 * [[1, -1], [-1, 1]], whose trace squared is that of its square: one
    degree of freedom."""
    table = model(six(), "~ 0 + group", variance="respondent").coefficients
    assert table["term"].tolist() == ["groupD", "groupR"]
    assert table["estimate"].tolist() == pytest.approx([4.5, 6.5])
    assert table["std_error"].tolist() == pytest.approx([np.sqrt(1.5)] * 2)
    assert table["df"].tolist() == pytest.approx([1, 1])
    gap = model(six(), "~ group", variance="respondent").coefficients.iloc[1]
    assert gap[["estimate", "std_error", "df"]].tolist() == pytest.approx([2, np.sqrt(3), 2])
    assert gap["statistic"] == pytest.approx(2 / np.sqrt(3))


def test_images_by_hand():
    """Cluster 1 has two images, with totals of scores -.625 and -.125: 2 times .25^2 * 2 = .25.
    Squared shares of answers are 1/16 + 1/16 in it and 1/4 in cluster 2, of which one image was
    rated: .25 * (3/8) / (1/8) = .75."""
    found = model(six().iloc[:3], "~ 1", variance="image").coefficients.iloc[0]
    assert found["std_error"] == pytest.approx(np.sqrt(0.75))
    assert found["df"] == pytest.approx(1)


def test_a_slope_by_hand():
    """Four people rate one image each, all with equal weight: the slope of 1, 2, 4, 5 in 0, 1, 2,
    3 is 1.4, with residuals .1, -.3, .3, -.1. Scores are (x - 1.5) e / 5."""
    table = six().iloc[:4].assign(
        respondent_id=[*"abcd"], x=[0, 1, 2, 3], rating=[1.0, 2, 4, 5],
        image_id=[*"wxyz"], cluster=1,
    )  # fmt: skip
    found = model(table, "~ x", weight="none", variance="respondent").coefficients.iloc[1]
    scores = np.array([-1.5 * 0.1, -0.5 * -0.3, 0.5 * 0.3, 1.5 * -0.1]) / 5
    assert found["estimate"] == pytest.approx(1.4)
    assert found["std_error"] == pytest.approx(np.sqrt(4 / 3 * (scores**2).sum()))


# ---- against other software and plain sums ----


@pytest.mark.parametrize("respondent_weight", [None, "survey_weight"])
def test_estimates_are_those_of_statsmodels(respondent_weight):
    """Its correction is G / (G - 1) times (n - 1) / (n - k)."""
    from statsmodels.regression.linear_model import WLS

    table = survey()
    found = model(
        table, "~ group * ideology + age", weight="none", variance="respondent",
        respondent_weight=respondent_weight,
    )  # fmt: skip
    answers = found.augment()
    is_i, is_r = (answers["group"] == "I"), (answers["group"] == "R")
    x = np.stack(
        [
            *(np.ones(len(answers)), is_i, is_r, answers["ideology"], answers["age"]),
            *(is_i * answers["ideology"], is_r * answers["ideology"]),
        ],
        axis=1,
    ).astype(float)
    people = pd.factorize(answers["respondent_id"])[0]
    other = WLS(answers["rating"], x, weights=answers["weight"]).fit(
        cov_type="cluster", cov_kwds={"groups": people, "use_correction": True}
    )
    ours = found.coefficients
    terms = ["(Intercept)", "groupI", "groupR", "ideology", "age"]
    terms += ["groupI:ideology", "groupR:ideology"]
    assert ours["term"].tolist() == terms
    n, k = x.shape
    corrected = other.bse.to_numpy() / np.sqrt((n - 1) / (n - k))
    np.testing.assert_allclose(ours["estimate"], other.params.to_numpy(), rtol=1e-9)
    np.testing.assert_allclose(ours["std_error"], corrected, rtol=1e-9)
    np.testing.assert_allclose(
        found.vcov("proud"), other.cov_params() / ((n - 1) / (n - k)), rtol=1e-8, atol=1e-12
    )
    assert found.summary["r_squared"].iloc[0] == pytest.approx(other.rsquared)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("weight", ["cluster", "corpus", "none"])
@pytest.mark.parametrize("respondent_weight", [None, "survey_weight"])
def test_groups_have_the_means_and_gaps_of_the_other_verbs(variance, weight, respondent_weight):
    """Clusters have several images in every group, whether or not all were rated."""
    table = survey(2)
    table = table[~((table["group"] == "D") & table["image_id"].isin(["i03", "i07", "i12"]))]
    given = {"weight": weight, "variance": variance, "respondent_weight": respondent_weight}
    means = quietly(rating_means, table, **given)
    found = model(table, "~ 0 + group", **given).coefficients
    np.testing.assert_allclose(found["estimate"], means["estimate"], rtol=1e-10)
    np.testing.assert_allclose(found["std_error"], means["std_error"], rtol=1e-10)
    gaps = quietly(rating_gaps, table, **given).iloc[:2]
    found = model(table, "~ group", **given).coefficients.iloc[1:]
    np.testing.assert_allclose(found["estimate"], -gaps["estimate"], rtol=1e-10)
    np.testing.assert_allclose(found["std_error"], gaps["std_error"], rtol=1e-10)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_means_with_holes_and_single_images(weight):
    given = {"weight": weight, "variance": "respondent"}
    means = quietly(rating_means, golden("ratings"), **given)
    found = model(golden("ratings"), "~ 0 + group", **given).coefficients
    np.testing.assert_allclose(found["estimate"], means["estimate"], rtol=1e-10)
    np.testing.assert_allclose(found["std_error"], means["std_error"], rtol=1e-10)


def test_groups_of_images_have_the_means_of_the_other_verbs():
    table = survey(3)
    table = table.assign(month=np.where(table["image_id"].str[1:].astype(int) % 2, "May", "June"))
    by = ["group", "month"]
    several = table[table["cluster"] <= 3]
    given = {"weight": "corpus", "variance": "image"}
    means = quietly(rating_means, several, by=by, **given)
    found = model(several, "~ 0 + group:month", weight_by=by, **given).coefficients
    found = found.sort_values("term").reset_index(drop=True)
    means = means.sort_values(by).reset_index(drop=True)
    np.testing.assert_allclose(found["estimate"], means["estimate"], rtol=1e-10)
    np.testing.assert_allclose(found["std_error"], means["std_error"], rtol=1e-10)


def fit_of(found: RatingModel) -> tuple[LinearFit, Any, pd.DataFrame]:
    one = found._measures[0]
    assert one.fit is not None
    return one.fit, found._pairs.matrix.x[one.place], one.answers


def test_the_variance_by_respondents_and_images_by_plain_sums():
    """Without groups and with several images in each cluster, one by one from the definition."""
    fit, x, answers = fit_of(model(survey(4), "~ ideology + age"))
    w = answers["weight"].to_numpy() / answers["weight"].sum()
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    y = answers["rating"].to_numpy()
    b = bread @ x.T @ (w * y)
    # With the leverage of covariates, but not of the mean, taken out of each respondent's answers.
    u = np.zeros_like(x)
    for who in answers["respondent_id"].unique():
        own = (answers["respondent_id"] == who).to_numpy()
        rows = np.sqrt(w[own])[:, None] * x[own]
        adjust = np.linalg.inv(scipy.linalg.sqrtm(np.eye(len(rows)) - rows @ bread @ rows.T))
        residual = np.sqrt(w[own]) * (y - x @ b)[own]
        u[own] = np.sqrt(1 - w[own].sum()) * residual[:, None] * (adjust @ rows @ bread)
    n = answers["respondent_id"].nunique()
    people = np.zeros((3, 3))
    for who in answers["respondent_id"].unique():
        own = u[(answers["respondent_id"] == who).to_numpy()]
        people += n / (n - 1) * (np.outer(own.sum(0), own.sum(0)) - own.T @ own)
    images = np.zeros((3, 3))
    for cluster in answers["cluster"].unique():
        ids = answers["image_id"][answers["cluster"] == cluster].unique()
        totals = np.array([u[(answers["image_id"] == one).to_numpy()].sum(0) for one in ids])
        images += len(ids) * np.cov(totals.T)
    ours = fit.turn @ fit.covariance @ fit.turn.T
    assert (np.linalg.eigvalsh(people) > 0).all()
    np.testing.assert_allclose(ours, people + images, rtol=1e-9)


def test_degrees_of_freedom_of_respondents_by_matrices():
    """The variance is e' M e; with independent answers its degrees of freedom are those of H M H,
    where H makes residuals."""
    fit, x, answers = fit_of(model(survey(5), "~ group * ideology", variance="respondent"))
    w = answers["weight"].to_numpy() / answers["weight"].sum()
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    contrast = np.array([0, 1, -1, 0.5, 0, 0])
    per_answer = w * (x @ bread @ contrast)
    same = np.equal.outer(answers["respondent"].to_numpy(), answers["respondent"].to_numpy())
    residuals = np.eye(len(x)) - x @ bread @ (w[:, None] * x).T
    form = residuals.T @ (same * np.outer(per_answer, per_answer)) @ residuals
    expected = np.trace(form) ** 2 / np.trace(form @ form)
    assert fit.errors(contrast[None]).df[0] == pytest.approx(expected)


def test_degrees_of_freedom_of_images_by_matrices():
    """If a group did not rate all images, strata of both groups overlap in part."""
    table = survey(6)
    table = table[~((table["group"] == "D") & table["image_id"].isin(["i01", "i06"]))]
    found = model(table, "~ group", variance="image")
    fit, x, answers = fit_of(found)
    w = answers["weight"].to_numpy() / answers["weight"].sum()
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    for contrast in np.eye(3):
        squares = (w * (x @ bread @ contrast)) ** 2
        images = answers["image_id"].unique()
        form = np.zeros((len(images), len(images)))
        for key, own in answers.groupby(["cluster", "group"]):
            of = np.isin(images, own["image_id"].unique()).astype(float)
            m = of.sum()
            if m == 1:
                continue
            q = squares[((answers["cluster"] == key[0]) & (answers["group"] == key[1])).to_numpy()]
            form += q.sum() / (m - 1) * (np.diag(of) - np.outer(of, of) / m)
        expected = np.trace(form) ** 2 / np.trace(form @ form)
        assert fit.errors(contrast[None]).df[0] == pytest.approx(expected)


def test_the_coding_of_covariates_makes_no_difference():
    table = survey(7)
    renamed = table["group"].map({"D": "c", "R": "a", "I": "b"})
    other = table.assign(age=1000 - 7 * table["age"], group=renamed)
    ours, theirs = model(table, "~ group * age"), model(other, "~ group * age")
    np.testing.assert_allclose(ours.augment()["fitted"], theirs.augment()["fitted"], rtol=1e-10)
    slopes = [
        rating_effects(one, "age", method="slope").iloc[0][["estimate", "std_error", "df"]]
        for one in (ours, theirs)
    ]
    assert slopes[0].tolist() == pytest.approx((slopes[1] * [-7, 7, 1]).tolist(), rel=1e-6)
    for formula, term in (("~ group * age", "group:age"), ("~ group + age", "group")):
        for variance in VARIANCES:
            tests = [
                model(one, formula, variance=variance).terms.set_index("term").loc[term]
                for one in (table, other)
            ]
            names = ["statistic", "df", "df_residual", "p_value"]
            ours, theirs = (one[names].tolist() for one in tests)
            assert ours == pytest.approx(theirs, rel=1e-6), (formula, variance)


def test_a_covariance_of_respondents_that_cannot_be_negative_is_zero():
    """Residuals of each respondent alternate, so that totals are zero: errors are those of
    images."""
    table = survey(8)
    place = table.groupby("respondent_id").cumcount()
    table = table.assign(rating=5.0 + 3 * (place % 2))[place < 4]
    both = [model(table, "~ 1", weight="none", variance=one) for one in ("two-way", "image")]
    assert both[0].vcov("proud").iloc[0, 0] == pytest.approx(both[1].vcov("proud").iloc[0, 0])


@pytest.mark.parametrize("weight", ["cluster", "corpus"])
def test_single_images_have_the_errors_of_the_other_verbs(weight):
    """They are compared across clusters; those of a gap are the same for `variance="image"`."""
    table = survey(9)
    table = table[table["image_id"] == table.groupby("cluster")["image_id"].transform("min")]
    for variance in ("two-way", "image"):
        given = {"weight": weight, "variance": variance}
        means = quietly(rating_means, table, **given)
        found = model(table, "~ 0 + group", **given).coefficients
        np.testing.assert_allclose(found["std_error"], means["std_error"], rtol=1e-10)
    gaps = quietly(rating_gaps, table, **given).iloc[:2]
    found = model(table, "~ group", **given).coefficients.iloc[1:]
    np.testing.assert_allclose(found["std_error"], gaps["std_error"], rtol=1e-10)
    # A cluster is its image: there is nothing to compare.
    both = [
        model(table, "~ 0 + cluster", variance=one).coefficients["std_error"]
        for one in ("image", "respondent")
    ]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-9)


# ---- R's tables ----

GOLDEN = {
    "group": ("~ group", {}),
    "moderated": (MODERATED, {"respondent_weight": "survey_weight"}),
    "respondent": (MODERATED, {"weight": "corpus", "variance": "respondent"}),
    "image": (MODERATED, {"weight": "share", "variance": "image"}),
    "clusters": ("~ group + cluster", {"weight": "none"}),
    "interaction": ("~ group * cluster", {}),
    "months": ("c(proud, aversion) ~ group * month", {"weight_by": ["group", "month"]}),
    "spline": ("proud ~ 0 + gender + ns(ideology, df=2)", {"conf_level": 0.9}),
    "holes": ("~ group", {}),
    "collinear": ("angry ~ group + month + cluster", {"weight": "none", "variance": "respondent"}),
}
EFFECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "mean": ("group", {}),
    "difference": ("group", {"method": "difference", "by": {"ideology": [1, 5]}}),
    "continuous": ("ideology", {"n_points": 3}),
    "slope": ("ideology", {"method": "slope", "by": "group", "items": "proud"}),
}


def golden_model(case: str) -> RatingModel:
    formula, options = GOLDEN[case]
    return model(golden("ratings" if case == "holes" else "survey"), formula, **options)


def assert_as_in_r(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    theirs = theirs[ours.columns].reset_index(drop=True)
    for name in ours:
        column = ours[name].reset_index(drop=True)
        if name == "reason":
            assert column.fillna("").tolist() == theirs[name].fillna("").tolist()
            continue
        pd.testing.assert_series_equal(column, theirs[name], rtol=1e-8, check_dtype=False)


@pytest.mark.parametrize("case", GOLDEN)
def test_models_are_those_of_r(case):
    found = golden_model(case)
    for name in ("coefficients", "terms", "summary"):
        known = golden(f"rating-model-{name}")
        assert_as_in_r(getattr(found, name), known[known["model"] == case])


@pytest.mark.parametrize("case", EFFECTS)
def test_effects_are_those_of_r(case):
    variable, options = EFFECTS[case]
    known = golden("rating-model-effects")
    found = rating_effects(golden_model("moderated"), variable, **options)
    assert_as_in_r(found, known[known["effects"] == case])


def test_predictions_are_those_of_r():
    new = pd.DataFrame({"group": ["D", "R"], "ideology": [2, 4.5], "gender": "f"})
    known = golden("rating-model-predictions")
    assert_as_in_r(golden_model("moderated").predict(new), known)


# ---- formulas ----


def test_categories_and_their_references():
    table = survey(10)
    assert model(table, "~ cluster").coefficients["term"].tolist()[1:] == [
        f"cluster{i}" for i in range(2, 7)
    ]
    other = table.assign(group=pd.Categorical(table["group"], ["R", "I", "D", "none"]))
    with pytest.warns(UserWarning, match="No answer has the value 'none' of 'group'"):
        found = rating_model(other, "~ group")
    assert found.coefficients["term"].tolist() == ["(Intercept)", "groupI", "groupD"]
    assert (
        model(table.assign(rich=table["age"] > 40), "~ rich").coefficients["term"][1] == "richTRUE"
    )


def test_ordered_groups_have_a_trend():
    table = survey(11)
    ordered = pd.Categorical(table["group"], ["D", "I", "R"], ordered=True)
    found = model(table.assign(group=ordered), "~ group").coefficients
    assert found["term"].tolist() == ["(Intercept)", "group.L", "group.Q"]
    means = rating_means(table)["estimate"]
    assert found["estimate"][1] == pytest.approx((means[2] - means[0]) / np.sqrt(2))


@pytest.mark.parametrize(
    ("left", "items"),
    [
        ("", ["mood", "proud", "sad"]),
        ("rating", ["mood", "proud", "sad"]),
        ("sad", ["sad"]),
        ("c(sad, mood)", ["mood", "sad"]),
        ('c("sad", proud)', ["proud", "sad"]),
        ("['sad']", ["sad"]),
    ],
)
def test_the_left_side_names_items_and_dimensions(left, items):
    table = pd.concat([survey(12), survey(13).assign(item="sad")]).assign(dimension="mood")
    table = table.drop_duplicates(["respondent_id", "image_id", "item"])
    table = table.assign(age=table.groupby("respondent_id")["age"].transform("first"))
    table = table.assign(ideology=1.0)
    assert model(table, f"{left} ~ group").summary["item"].tolist() == items


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("~ groop", "has 'groop', which is not a column of `ratings`"),
        ("~ group + rating", "has 'rating' among its covariates"),
        ("~ item * group", "has 'item' among its covariates"),
        ("happy ~ group", "names 'happy', which is neither an item nor a dimension"),
        ("1 ~ group", "must name items or dimensions, not '1'"),
        ("proud + sad ~ group", "must name items or dimensions"),
        ("~ (1 | respondent_id)", r"has '\|', which is not supported"),
        ("~ group + offset(age)", r"has 'offset', which is not supported"),
        ("~ group +", "cannot be read"),
        ("~ unknown(age)", "cannot be evaluated"),
        ("~ 0", "neither an intercept nor covariates"),
        ("~ constant", "'constant' is 1 in all answers of the model"),
        ("", "must be a text such as"),
        ("~ a ~ b", "must be a text such as"),
        (3, "must be a text such as"),
    ],
)
def test_formulas_that_cannot_be(formula, said):
    with pytest.raises(ImagestrataError, match=said):
        model(survey().assign(constant=1), formula)


def test_numbers_of_the_session_can_be_used_but_not_its_arrays():
    limit, ages = 40, np.arange(300)
    assert limit < len(ages)
    found = rating_model(survey(), "~ I(age > limit)").coefficients
    assert found["term"].tolist() == ["(Intercept)", "I(age > limit)TRUE"]
    with pytest.raises(ImagestrataError, match="has 'ages', which is not a column"):
        model(survey(), "~ ages")


# ---- covariates ----


def test_answers_without_a_covariate_are_counted_and_left_out():
    table = survey(14)
    lost = table["respondent_id"].isin(["p03", "p04"])
    gaps = table.assign(age=table["age"].where(~lost).astype(float))
    gaps.loc[gaps["respondent_id"].isin(["p04", "p07"]), "ideology"] = np.nan
    with pytest.warns(
        UserWarning,
        match=r"15 of 300 answers \(of a respondent to an image; by 3 of 60 respondents\) are left "
        "out: 10 without 'age', 10 without 'ideology'",
    ):
        found = rating_model(gaps, "~ group + age + ideology")
    assert found.summary["n_left_out"].tolist() == [15]
    kept = gaps.dropna(subset=["age", "ideology"])
    again = model(kept, "~ group + age + ideology")
    pd.testing.assert_frame_equal(found.coefficients, again.coefficients)
    with pytest.raises(ImagestrataError, match="No answer has all covariates: of 300 answers, 300"):
        model(table.assign(age=np.nan), "~ age")


def test_a_covariate_is_about_respondents_images_or_answers():
    table = survey(15)
    position = table.assign(position=table.groupby("respondent_id").cumcount())
    assert "position" in model(position, "~ position").coefficients["term"].tolist()
    wrong = table.copy()
    wrong.loc[wrong.index[wrong["respondent_id"] == "p02"][0], "age"] = 17
    with pytest.raises(
        ImagestrataError,
        match="one value per respondent, or one per image, but respondent 'p02'",
    ):
        model(wrong, "~ age")
    two = pd.concat([table, table.assign(item="sad", age=table["age"] + 1)])
    with pytest.raises(
        ImagestrataError, match="same in all ratings that a respondent gives an image"
    ):
        model(two, "~ age")


def test_coefficients_that_others_determine_are_missing():
    table = survey(16).assign(months=lambda x: 12 * x["age"])
    with pytest.warns(UserWarning, match="other terms determine them: months"):
        found = rating_model(table, "~ age + months")
    last = found.coefficients.iloc[2]
    assert np.isnan(last["estimate"])
    assert last["reason"] == "collinear"
    assert found.coefficients.iloc[1]["std_error"] > 0
    # A prediction within the relation of both is known; one beyond it is not.
    new = pd.DataFrame({"age": [30, 30], "months": [360, 100]})
    predicted = found.predict(new)
    assert predicted["estimate"].isna().tolist() == [False, True]
    assert predicted["reason"].tolist()[1] == "not estimable"
    assert found.vcov("proud").isna().sum().tolist() == [1, 1, 3]


def test_a_group_without_ratings_of_an_item_has_no_coefficient():
    table = pd.concat([survey(17), survey(17).query("group != 'R'").assign(item="sad")])
    with pytest.warns(UserWarning, match="no rating has these values: groupR"):
        found = rating_model(table, "~ group")
    reasons = found.coefficients.set_index(["item", "term"])["reason"]
    assert reasons["sad", "groupR"] == "no rating"
    assert pd.isna(reasons["proud", "groupR"])
    means = rating_effects(found, "group", items="sad").set_index("group")
    assert means["estimate"].isna().to_dict() == {"D": False, "I": False, "R": True}


def test_a_coefficient_of_one_respondent_has_no_standard_error():
    table = survey(18)
    table["group"] = table["group"].where(table["respondent_id"] != "p00", "alone")
    with pytest.warns(UserWarning, match="1 of 4 estimates have no standard error: groupalone of "):
        found = rating_model(table, "~ group")
    row = found.coefficients.set_index("term").loc["groupalone"]
    assert row["reason"] == "rests on respondent p00"
    assert np.isfinite(row["estimate"])
    assert np.isnan(row["std_error"])
    assert found.terms["p_value"].isna().all()


def test_measures_with_too_few_ratings_are_not_modelled():
    few = survey(19).drop_duplicates("image_id").iloc[[0, 1, 6]].assign(item="sad")
    table = pd.concat([survey(19), few])
    with pytest.warns(UserWarning, match=r"1 of 2 measures cannot be modelled \(sad: 3 ratings"):
        found = rating_model(table, "~ image_id")
    assert found.summary["r_squared"].isna().tolist() == [False, True]
    reasons = found.coefficients.query("item == 'sad'")["reason"].unique()
    assert reasons.tolist() == ["3 ratings, no more than the 3 coefficients"]
    assert found.augment().query("item == 'sad'")["fitted"].isna().all()
    with pytest.raises(ImagestrataError, match="No item can be modelled"):
        model(few, "~ image_id", weight="none")


def test_one_respondent_is_not_enough():
    with pytest.raises(ImagestrataError, match="two or more respondents"):
        model(survey().query("respondent_id == 'p00'"), "~ 1")


def test_equal_ratings_have_no_test():
    with pytest.warns(UserWarning, match="respondents do not differ at all"):
        found = rating_model(survey().assign(rating=7), "~ group")
    assert found.coefficients["estimate"].tolist() == pytest.approx([7, 0, 0])
    assert found.coefficients["std_error"].tolist() == [0, 0, 0]
    assert found.coefficients["p_value"].isna().all()


def test_few_respondents_are_warned_of():
    table = survey(20)
    table["rare"] = table["respondent_id"].isin(["p00", "p01"])
    with pytest.warns(
        UserWarning, match=r"1 of 2 coefficients have fewer than 4 degrees of freedom"
    ):
        rating_model(table, "~ rare", variance="respondent")


# ---- tables ----


def many_clusters(n: int) -> pd.DataFrame:
    """Two images of each of ``n`` clusters, which two people of each group rate."""
    rng = np.random.default_rng(2)
    cluster = np.repeat(np.arange(n), 2)
    tables = []
    for side, group in enumerate("DR"):
        for turn in range(2):
            image = rng.permutation(2 * n)
            tables.append(
                pd.DataFrame(
                    {
                        "respondent_id": [f"{group}{i // 8 + turn * n}" for i in range(2 * n)],
                        "group": group,
                        "image_id": [f"i{i}" for i in image],
                        "cluster": cluster[image] + 1,
                        "rating": rng.normal(5 + side, size=2 * n),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True).assign(item="proud", weight_cluster=0.5)


def test_a_model_with_hundreds_of_coefficients_needs_little_memory():
    """A matrix of coefficients for each of the 960 answers would need 440 MB."""
    table = many_clusters(120)
    tracemalloc.start()
    try:
        found = model(table, "~ group * cluster")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.coefficients) == 240
    assert peak < 150e6


@pytest.mark.parametrize("formula", ["~ group * cluster", "~ group"])
def test_parts_of_people_in_the_information(formula):
    """With fewer answers than coefficients, they are found from the matrix of answers."""
    found = model(many_clusters(12), formula)
    fit = fit_of(found)[0]
    rows = np.flatnonzero(fit._respondent == 0)
    values, vectors = fit._part_of(rows)
    whole = fit._z[rows].T @ (fit.weight[rows, None] * fit._z[rows])
    assert (len(rows) < fit.rank) == (formula == "~ group * cluster")
    np.testing.assert_allclose((vectors * values) @ vectors.T, whole, atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(len(values)), atol=1e-10)


def test_joint_tests():
    found = model(survey(21), "~ group + age", variance="respondent")
    terms, table = found.terms.set_index("term"), found.coefficients.set_index("term")
    assert terms["df"].tolist() == [2, 1]
    assert terms.loc["age", "statistic"] == pytest.approx(table.loc["age", "statistic"] ** 2)
    assert terms.loc["age", "p_value"] == pytest.approx(table.loc["age", "p_value"])
    names = ["groupI", "groupR"]
    # Pustejovsky and Tipton (2018), equation 18, where the expected covariance is the identity.
    _, x, answers = fit_of(found)
    w = answers["weight"].to_numpy() / answers["weight"].sum()
    effects = (w[:, None] * x @ np.linalg.inv(x.T @ (w[:, None] * x)))[:, 1:3]
    scaled = effects @ np.linalg.inv(np.linalg.cholesky(effects.T @ effects).T)
    noise, parts = 0.0, []
    for _, own in answers.reset_index().groupby("respondent_id"):
        part = scaled[own.index].T @ scaled[own.index]
        noise += np.trace(part) ** 2 + (part**2).sum()
        parts.append(part)
    # Compared with independent answers, in the directions of the largest and smallest inequality.
    turned = np.linalg.eigh(sum(part @ part for part in parts))[1]
    total = np.array([np.diag(turned.T @ part @ turned) for part in parts])
    naive = total.sum(axis=0) ** 2 / (total**2).sum(axis=0)
    contrasts = np.zeros((2, 4))
    contrasts[:, 1:3] = (np.linalg.inv(np.linalg.cholesky(effects.T @ effects).T) @ turned).T
    alone = fit_of(found)[0].errors(contrasts).df
    df = 2 * 3 / noise * (alone / naive).min()
    assert terms.loc["group", "df_residual"] == pytest.approx(df - 1)
    b, v = table.loc[names, "estimate"], found.vcov("proud").loc[names, names]
    wald = b @ np.linalg.inv(v) @ b
    assert terms.loc["group", "statistic"] == pytest.approx(wald * (df - 1) / (2 * df))


def test_tables_fit_together():
    found = model(survey(22), "~ group * age", respondent_weight="survey_weight")
    answers = found.augment()
    assert list(answers)[:6] == [
        "level", "item", "dimension", "respondent_id", "image_id", "cluster",
    ]  # fmt: skip
    assert list(answers)[6:] == ["group", "age", "rating", "weight", "fitted", "residual"]
    assert answers["weight"].mean() == pytest.approx(1)
    again = found.predict(answers)
    np.testing.assert_allclose(again["estimate"], answers["fitted"])
    assert list(found.coef().index) == ["proud"]
    assert found.coef().loc["proud"].tolist() == found.coefficients["estimate"].tolist()
    variances = np.diag(found.vcov("proud"))
    np.testing.assert_allclose(np.sqrt(variances), found.coefficients["std_error"])
    line = found.summary.iloc[0]
    assert line[["n_ratings", "n_respondents", "n_images", "n_clusters"]].tolist() == [
        300, 60, 20, 6,
    ]  # fmt: skip
    assert repr(found).startswith("Linear model of 1 item: ~ group * age")
    assert "every cluster has equal weight" in repr(found)


# ---- effects ----


def test_effects_by_hand():
    found = model(survey(23), "~ group * ideology")
    b = found.coefficients.set_index("term")["estimate"]
    gaps = rating_effects(found, "group", method="difference", by={"ideology": [-1, 2]})
    assert gaps["contrast"].tolist() == ["I - D", "R - D"] * 2
    assert gaps["ideology"].tolist() == [-1, -1, 2, 2]
    assert gaps["estimate"].tolist() == pytest.approx(
        [b[f"group{one}"] + at * b[f"group{one}:ideology"] for at in (-1, 2) for one in "IR"]
    )
    slopes = rating_effects(found, "ideology", method="slope", by="group")
    assert slopes["contrast"].tolist() == ["per unit"] * 3
    assert slopes["group"].tolist() == [*"DIR"]
    assert slopes["estimate"].tolist() == pytest.approx(
        [b["ideology"] + b.get(f"group{one}:ideology", 0) for one in "DIR"]
    )
    first = found.coefficients.set_index("term").loc["ideology"]
    assert slopes["std_error"][0] == pytest.approx(first["std_error"])
    assert slopes["p_value"][0] == pytest.approx(first["p_value"])
    answers = found.augment()
    means = rating_effects(found, "group")
    mean = np.average(answers["ideology"], weights=answers["weight"])
    assert means["estimate"][0] == pytest.approx(b["(Intercept)"] + mean * b["ideology"])
    assert "p_value" not in means
    points = rating_effects(found, "ideology", n_points=3)
    assert points["ideology"].tolist() == pytest.approx(
        [answers["ideology"].min(), answers[["ideology"]].agg(["min", "max"]).mean().iloc[0],
         answers["ideology"].max()]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "options", "said"),
    [
        ("age", {}, "`variable` must be a covariate of the model, not 'age'"),
        ("group", {"by": "age"}, "`by` must be a covariate of the model, not 'age'"),
        ("group", {"by": "group"}, "`by` must be another covariate"),
        ("group", {"by": "ideology"}, "at most 10 values"),
        ("group", {"by": {"ideology": range(11)}}, "at most 10 values of 'ideology', not 11"),
        ("group", {"by": {"ideology": [1], "group": ["D"]}}, "must name one covariate"),
        ("group", {"values": ["D", "Q"]}, "must be values of 'group', such as 'D'"),
        ("group", {"method": "slope"}, "takes numbers and dates, but 'group'"),
        ("group", {"method": "best"}, "`method` must be"),
        ("ideology", {"method": "difference"}, "name those of interest in `values`"),
        ("group", {"items": "sad"}, "`items` names 'sad', which is neither"),
        ("group", {"conf_level": 95}, "conf_level"),
    ],
)
def test_effects_that_cannot_be(variable, options, said):
    found = model(survey(24), "~ group * ideology")
    with pytest.raises(ImagestrataError, match=said):
        rating_effects(found, variable, **options)


def test_effects_are_of_models_of_ratings():
    with pytest.raises(ImagestrataError, match=r"must be (the result of|what) rating_model\(\)"):
        rating_effects(survey(), "group")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (pd.DataFrame({"group": ["D"]}), "has no column 'ideology'"),
        (pd.DataFrame({"group": ["Q"], "ideology": [1]}), "has 'Q', which no answer of the model"),
        (pd.DataFrame({"group": ["D"], "ideology": [np.nan]}), "'ideology' has missing values"),
        (pd.DataFrame({"group": ["D"], "ideology": ["left"]}), "must be float64 as in the model"),
        ([1, 2], "`data` must be a table with the columns group, ideology"),
    ],
)
def test_new_data_that_do_not_fit(new, said):
    with pytest.raises(ImagestrataError, match=said):
        model(survey(), "~ group * ideology").predict(new)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"variance": "robust"}, "`variance` must be"),
        ({"weight": "image"}, "`weight` must be"),
        ({"respondent_weight": "nothing"}, "`respondent_weight` must name a column"),
        ({"weight_by": "nothing"}, "names the column 'nothing'"),
        ({"conf_level": 2}, "conf_level"),
        ({"method": "mixed"}, "has no argument 'method'"),
    ],
)
def test_options_that_cannot_be(options, said):
    with pytest.raises(ImagestrataError, match=said):
        rating_model(survey(), "~ group", **options)


def test_answers_with_a_weight_of_zero_do_not_count():
    """Images that nobody shared have no part in a model by shares."""
    table = survey(25)
    table = table.assign(weight_share=np.where(table["image_id"] == "i03", 0.0, 1.0))
    ours = model(table, "~ group", weight="share")
    assert ours.summary["n_images"].tolist() == [19]
    assert (ours.augment()["weight"] > 0).all()


def test_a_direction_without_several_images_has_the_variance_by_respondents():
    """Images of one stratum only tell about the group that rated several of them."""
    rng = np.random.default_rng(1)
    n = 40
    x = np.stack([np.arange(n) % 2 == 0, np.arange(n) % 2 == 1], axis=1).astype(float)
    image = np.where(x[:, 0] == 1, np.arange(n) // 2 % 4, 10)
    answers = Answers(
        rng.normal(size=n), np.ones(n), np.arange(n), image,
        np.where(x[:, 0] == 1, 0, 1), (x[:, 1] == 1).astype(int),
    )  # fmt: skip
    fits = {one: LinearFit(x, answers, one, n) for one in VARIANCES}
    error = {one: fit.errors(np.eye(2)) for one, fit in fits.items()}
    assert error["image"].std_error[1] == pytest.approx(error["respondent"].std_error[1])
    assert error["image"].df[1] == pytest.approx(error["respondent"].df[1])
    assert error["image"].std_error[0] != pytest.approx(error["respondent"].std_error[0])
    assert error["image"].df[0] == pytest.approx(3)
