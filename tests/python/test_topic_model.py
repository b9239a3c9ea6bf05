"""Models of topics, against statsmodels, the definition and the golden tables of R."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy.optimize import linprog
from scipy.special import expit, logit

from imagestrata import ImagestrataError, topic_effects, topic_model
from imagestrata.posts.logit import fit_logit
from imagestrata.regression.formula import FUNCTIONS, natural_spline
from imagestrata.regression.matrix import turn_of
from imagestrata.regression.sandwich import Sandwich
from test_golden import golden


def quietly(*args: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return topic_model(*args, **options)


@pytest.fixture
def linked() -> pd.DataFrame:
    return golden("posts").assign(time=lambda table: pd.to_datetime(table["time"]))


def posts_of(linked: pd.DataFrame, cluster: int) -> pd.DataFrame:
    posts = linked.drop_duplicates("post_id")
    shown = linked.loc[linked["cluster"] == cluster, "post_id"]
    return posts.assign(y=posts["post_id"].isin(shown).astype(int)).reset_index(drop=True)


@pytest.mark.parametrize("table", ["coefficients", "effects", "predictions"])
def test_tables_are_those_of_r(linked, table):
    model = quietly(linked, "party * followers + s(month, df = 3)", weights="size")
    found, expected = getattr(model, table), golden(f"topic-{table}")
    assert [*found] == [*expected]
    for column in expected:
        if expected[column].dtype.kind == "f" and expected[column].notna().any():
            np.testing.assert_allclose(found[column], expected[column], rtol=1e-8, atol=1e-10)
        else:
            texts = (one[column].astype("str").fillna("") for one in (found, expected))
            assert [*next(texts)] == [*next(texts)], column


def test_statsmodels_has_the_same_estimates_and_clustered_errors(linked):
    model = quietly(linked, "1 ~ party * followers", variance="sandwich")
    posts = posts_of(linked, 1)
    fit = smf.glm("y ~ party * followers", posts, family=sm.families.Binomial()).fit(
        tol=1e-14, cov_type="cluster", cov_kwds={"groups": pd.factorize(posts["author"])[0]}
    )
    found = model.coefficients.set_index("term")
    n, k = len(posts), 6
    assert found["df"].eq(posts["author"].nunique() - 1).all()
    for term, name in {
        "(Intercept)": "Intercept", "partyB": "party[T.B]", "partyC": "party[T.C]",
        "followers": "followers", "partyB:followers": "party[T.B]:followers",
    }.items():  # fmt: skip
        assert found.loc[term, "estimate"] == pytest.approx(fit.params[name], rel=1e-9)
        # statsmodels has the further factor (n - 1) / (n - k).
        error = fit.bse[name] / np.sqrt((n - 1) / (n - k))
        assert found.loc[term, "std_error"] == pytest.approx(error, rel=1e-7)


def test_cr2_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    author = np.repeat(np.arange(9), [1, 2, 3, 5, 8, 4, 6, 9, 12])
    x = np.column_stack([np.ones(50), author < 4, rng.normal(size=50)])
    weight, residual = rng.uniform(0.1, 0.3, 50), rng.normal(size=50)
    contrasts = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0.5, -1]])
    scaled = x * np.sqrt(weight)[:, None]
    bread = np.linalg.inv(scaled.T @ scaled)
    rest = np.eye(50) - scaled @ bread @ scaled.T
    errors = Sandwich(x, residual, weight, author, "CR2").errors(contrasts)
    for i, contrast in enumerate(contrasts):
        parts = np.zeros((50, 9))
        for g in range(9):
            own = author == g
            values, vectors = np.linalg.eigh(rest[np.ix_(own, own)])
            root = vectors / np.sqrt(values) @ vectors.T
            parts[own, g] = root @ scaled[own] @ bread @ contrast
        form = parts.T @ rest @ parts
        error = np.linalg.norm(parts.T @ (residual / np.sqrt(weight)))
        assert errors.std_error[i] == pytest.approx(error, rel=1e-9)
        assert errors.df[i] == pytest.approx(np.trace(form) ** 2 / (form**2).sum(), rel=1e-9)
    assert (errors.alone == -1).all()


def test_splines_are_natural_and_span_those_of_patsy():
    x = np.linspace(0, 10, 50)
    knots = np.array([2.0, 5, 7])
    basis = natural_spline(x, knots, (0.0, 10.0))
    from patsy import dmatrix

    other = np.asarray(dmatrix("cr(x, knots=[2, 5, 7]) - 1", {"x": x}))
    mine = np.column_stack([np.ones(50), basis])
    fitted = other @ np.linalg.lstsq(other, mine, rcond=None)[0]
    np.testing.assert_allclose(fitted, mine, atol=1e-10)
    beyond = natural_spline(np.array([10.0, 11, 12]), knots, (0.0, 10.0))
    np.testing.assert_allclose(beyond[2] - beyond[1], beyond[1] - beyond[0], atol=1e-12)


def test_effects_are_averages_over_posts(linked):
    model = quietly(linked, "1 ~ party + followers")
    posts = posts_of(linked, 1)
    fit = smf.glm("y ~ party + followers", posts, family=sm.families.Binomial()).fit(tol=1e-14)
    effects = model.effects.set_index("contrast")["estimate"]
    means = {one: fit.predict(posts.assign(party=one)).mean() for one in "ABC"}
    assert effects["C - A"] == pytest.approx(means["C"] - means["A"], rel=1e-8)
    p = fit.predict(posts)
    assert effects["per unit"] == pytest.approx(
        (p * (1 - p)).mean() * fit.params["followers"], rel=1e-6
    )
    party = topic_effects(model, "party")
    assert party["estimate"].to_numpy() == pytest.approx([means[one] for one in "ABC"], rel=1e-8)
    gap = topic_effects(model, "party", method="difference", values=["B", "C"])
    assert gap["contrast"].tolist() == ["C - B"]
    assert gap["estimate"][0] == pytest.approx(means["C"] - means["B"], rel=1e-7)
    months = topic_effects(quietly(linked, "1 ~ party * s(month)"), "month", by="party")
    assert [*months.columns[2:4]] == ["month", "party"]
    assert len(months) == 3 * months["month"].nunique()


def test_formulas_use_variables_around_them(linked):
    degree = 2  # noqa: F841
    found = topic_model(linked, "1 ~ poly(followers, degree)").coefficients
    assert found["term"].tolist()[1:] == [f"poly(followers, degree){i}" for i in (1, 2)]


def test_predictions_for_new_posts(linked):
    model = quietly(linked, "c(1, 2) ~ party + followers")
    posts = posts_of(linked, 1)
    fit = smf.glm("y ~ party + followers", posts, family=sm.families.Binomial()).fit(tol=1e-14)
    new = posts.iloc[[3, 40]]
    found = model.predict(new, topics=1)
    np.testing.assert_allclose(found["estimate"], fit.predict(new), rtol=1e-8)
    link = model.predict(new, topics=1, type="link")
    np.testing.assert_allclose(expit(link["conf_high"]), found["conf_high"])
    np.testing.assert_allclose(logit(found["estimate"]), link["estimate"])
    fitted = model.augment(1)
    assert fitted["post_id"].tolist() == posts["post_id"].tolist()
    assert fitted["shown"].tolist() == posts["y"].astype(bool).tolist()
    np.testing.assert_allclose(fitted["fitted"], fit.fittedvalues, rtol=1e-7)


def test_covariates_of_any_kind(linked):
    posts = posts_of(linked, 1)
    days = (posts["time"] - pd.Timestamp("1970-01-01")).dt.days

    def fitted(formula: str, **columns: Any) -> Any:
        return quietly(linked.assign(**columns), f"1 ~ {formula}").augment()["fitted"]

    def expected(formula: str) -> Any:
        data = posts.assign(days=days)
        return smf.glm(f"y ~ {formula}", data, family=sm.families.Binomial()).fit(tol=1e-14)

    same = np.testing.assert_allclose
    same(fitted("time"), expected("days").fittedvalues, rtol=1e-6)
    same(fitted("bs(time, 5)"), expected("bs(days, 5)").fittedvalues, rtol=1e-6)
    same(
        fitted("poly(followers, 2)"),
        expected("followers + I(followers**2)").fittedvalues,
        rtol=1e-6,
    )
    same(
        fitted("factor(month)"), expected("C(time.dt.month + 12 * time.dt.year)").fittedvalues, 1e-6
    )
    same(fitted("log(size)"), expected("np.log(size)").fittedvalues, rtol=1e-6)
    same(fitted("big", big=linked["size"] > 1), expected("I(size > 1)").fittedvalues, rtol=1e-6)
    ordered = pd.Categorical(linked["party"], ["C", "B", "A", "D"], ordered=True)
    terms = quietly(linked.assign(party=ordered), "1 ~ party").coefficients["term"]
    assert terms.tolist() == ["(Intercept)", "partyB", "partyA"]
    times = linked.assign(time=linked["time"] + pd.Timedelta(hours=5))
    values = quietly(times, "1 ~ s(time, df=2)").predictions["value"]
    assert values.iloc[0] == f"{times['time'].min():%Y-%m-%d} 05:00:00"
    whole = linked.assign(m=linked["time"].dt.month)
    products = quietly(whole, "1 ~ factor(m):followers").coefficients["term"]
    assert products[1] == "factor(m)1:followers"
    assert quietly(whole, "1 ~ m").predictions["value"].tolist()[:2] == ["1", "2"]
    zoned = linked.assign(time=linked["time"].dt.tz_localize("UTC"))
    same(fitted("s(month)"), quietly(zoned, "1 ~ s(month)").augment()["fitted"])
    assert "s" in FUNCTIONS


def test_infinite_and_lonely_coefficients_are_missing(linked):
    model = quietly(linked, "party + followers")
    three = model.coefficients[model.coefficients["cluster"] == 3].set_index("term")
    assert three["reason"].dropna().to_dict() == {"partyC": "infinite"}
    alone = quietly(linked[linked["party"] != "C"], "3 ~ party + followers").coefficients
    kept = three.loc[alone["term"]]
    np.testing.assert_allclose(kept["estimate"], alone["estimate"], rtol=1e-7)
    np.testing.assert_allclose(kept["std_error"], alone["std_error"], rtol=1e-7)
    often = linked["author"].value_counts().index[1]
    lonely = linked.assign(party=linked["party"].mask(linked["author"] == often, "D"))
    with pytest.warns(UserWarning, match=f"rests on the author {often}"):
        found = topic_model(lonely, "1 ~ party").coefficients.set_index("term")
    assert found["std_error"].isna().tolist() == [False, False, False, True]
    assert found["estimate"].notna().all()


def test_what_is_left_out_is_counted(linked):
    rest = linked.assign(
        cluster=linked["cluster"].astype("Int64").mask(linked.index == 300),
        followers=linked["followers"].mask(linked.index == 20),
    )
    with pytest.warns(UserWarning, match="2 of 400 posts are left out: 1 without a known image, 1"):
        model = topic_model(rest, "1 ~ party + followers")
    partly = pd.concat([linked, linked.iloc[[5]].assign(cluster=np.nan, unmatched="ambiguous")])
    with pytest.warns(UserWarning, match="1 post shows known images and images that are not in"):
        topic_model(partly, "1 ~ party")
    assert model.summary["n_posts"][0] == 398
    assert model.summary["n_left_out"][0] == 2
    with pytest.warns(UserWarning, match="cluster 4: 2 posts with it, fewer than the 4"):
        topic_model(linked, "[1, 4] ~ party + followers")


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("parti", {}, "'parti', which is not a column"),
        ("7 ~ party", {}, "There is no cluster 7"),
        ("cluster ~ party", {}, "numbers or names of topics"),
        ("party +", {}, "cannot be read"),
        ("s(party)", {}, "takes numbers, dates or times"),
        ("s(followers, df=900)", {}, "whole number from 1 to"),
        ("log(followers)", {}, "infinite or missing"),
        ("party", {"author": "who"}, "no column 'who'"),
        ("party", {"weights": "party"}, "column of positive numbers"),
        ("month", {"time": "when"}, "made from times"),
        ("month", {"time_zone": "Mars"}, "name of a time zone"),
        ("party", {"variance": "HC3"}, "must be one of"),
        (3, {}, "must be a text"),
    ],
)
def test_bad_input(linked, formula, options, message):
    with pytest.raises(ImagestrataError, match=message), np.errstate(all="ignore"):
        quietly(linked, formula, **options)


def test_a_covariate_has_one_value_in_a_post(linked):
    linked.loc[linked.index[-1], "followers"] = 99
    with pytest.raises(ImagestrataError, match="must be the same in all rows of a post, but post"):
        quietly(linked, "party + followers")


def test_bad_requests_of_effects(linked):
    model = quietly(linked, "1 ~ party + followers")
    for arguments, message in [
        ({"variable": "age"}, "must be a covariate"),
        ({"variable": "party", "method": "continuous"}, "is used as a category"),
        ({"variable": "party", "values": ["D"]}, "must be values of"),
        ({"variable": "followers", "method": "difference"}, "name those of interest"),
        ({"variable": "party", "by": "followers"}, "at most 10 values"),
        ({"variable": "party", "topics": 9}, "no cluster 9"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            topic_effects(model, **arguments)
    with pytest.raises(ImagestrataError, match="must be the result of"):
        topic_effects(linked, "party")


def test_infinite_estimates_are_those_that_linear_programming_finds():
    """Separation has a certificate: a direction that lowers no post with the topic."""
    rng = np.random.default_rng(1)
    counts = {True: 0, False: 0}
    for _ in range(150):
        n = int(rng.integers(15, 120))
        group, number = rng.integers(0, 3, n), rng.normal(size=n)
        x = np.column_stack([np.ones(n), group == 1, group == 2, number, (group == 1) * number])
        y = (rng.random(n) < 0.3 * (group != rng.integers(2, 4))).astype(float)
        z = x @ turn_of(x) * np.sqrt(n)
        if min(y.sum(), n - y.sum()) < z.shape[1]:
            continue
        signed = x * (2 * y - 1)[:, None]
        found = linprog(
            -signed.sum(axis=0), np.vstack([-signed, signed]), np.repeat([0, 1], n),
            bounds=[(None, None)] * 5,
        )  # fmt: skip
        fit = fit_logit(z, np.ones(n), y)
        assert fit is not None
        assert bool(fit.directions) == (found.fun < -1e-6)
        counts[bool(fit.directions)] += 1
    assert min(counts.values()) > 10
