"""Models of shares: against R's numbers, statsmodels, cases by hand, and bad input."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imagestrata import ImagestrataError, share_model

FIXTURES = Path(__file__).parents[1] / "fixtures"
BOTH = "cbind(retweets, likes) ~ hopeful + angry + log(followers) + party"
RELIABILITY = {"hopeful": 0.7, "angry": 0.8}

#: golden_share_cases() of tests/testthat/helper-ratings.R.
CASES: dict[str, dict[str, Any]] = {
    "post": {"formula": BOTH, "reliability": RELIABILITY},
    "sandwich": {"formula": BOTH, "variance": "sandwich"},
    "author": {"formula": "retweets ~ hopeful * party", "cluster": "author", "family": "poisson"},
    "exposure": {"formula": "retweets ~ hopeful + crowd", "exposure": "followers"},
    "topic": {"formula": "likes ~ hopeful + angry", "unit": "image", "cluster": "topic"},
    "weighted": {"formula": "likes ~ hopeful + log(followers)", "weight": "corpus"},
    "image": {
        "formula": "retweets ~ hopeful + angry + log(followers) + n_posts",
        "unit": "image",
        "reliability": RELIABILITY,
    },
    "each": {"formula": "retweets ~ hopeful", "unit": "image", "exposure": "n_posts"},
}


def golden(name: str) -> pd.DataFrame:
    table = pd.read_csv(FIXTURES / f"golden-{name}.csv")
    return table.rename(columns=lambda column: column.replace(".", "_"))


@pytest.fixture
def posts() -> pd.DataFrame:
    return golden("shares")


@pytest.fixture
def ratings() -> pd.DataFrame:
    return golden("share-ratings").drop(columns=["cluster", "weight_corpus"])


def fit(*args: Any, **arguments: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return share_model(*args, **arguments)


@pytest.mark.parametrize("case", CASES)
def test_results_are_those_of_r(case: str, posts: pd.DataFrame, ratings: pd.DataFrame) -> None:
    expected = golden("share-models")
    expected = expected[expected["case"] == case]
    given = dict(CASES[case])
    if "weight" in given:
        given["sample"] = golden("share-ratings")
    model = fit(posts.assign(n_posts=1), ratings=ratings, **given)
    numbers = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
    for name in ("coefficients", "effects", "corrected"):
        theirs = expected[expected["table"] == name]
        ours = getattr(model, name)
        if ours is None:
            assert theirs.empty
            continue
        # patsy puts categories first.
        ours = ours.assign(term=[":".join(sorted(term.split(":"))) for term in ours["term"]])
        theirs = theirs.assign(term=[":".join(sorted(one.split(":"))) for one in theirs["term"]])
        keys = ["outcome", "term"]
        keys += {"effects": ["contrast"], "corrected": ["reliability"]}.get(name, [])
        both = ours.merge(theirs, on=keys, how="outer", suffixes=("", "_r"), indicator=True)
        assert (both["_merge"] == "both").all(), both[keys]
        for number in numbers:
            np.testing.assert_allclose(
                both[number], both[f"{number}_r"], rtol=2e-6, atol=1e-9, err_msg=f"{name} {number}"
            )
    lines = expected.drop_duplicates("outcome").set_index("outcome")
    summary = model.summary.set_index("outcome").loc[lines.index]
    np.testing.assert_allclose(summary["theta"], lines["theta"], rtol=1e-7)
    np.testing.assert_allclose(summary["deviance"], lines["deviance"], rtol=1e-8)
    np.testing.assert_allclose(summary["log_lik"], lines["logLik"], rtol=1e-9)
    assert summary["n_posts"].tolist() == lines["n_posts"].tolist()
    assert summary["n_images"].tolist() == lines["n_images"].tolist()


def test_estimates_are_those_of_statsmodels(posts: pd.DataFrame, ratings: pd.DataFrame) -> None:
    import statsmodels.formula.api as smf

    model = fit(posts, "retweets ~ hopeful + angry", ratings, cluster="author")
    data = model.data.drop(columns="observed")
    theirs = smf.negativebinomial("retweets ~ hopeful + angry", data).fit(
        method="newton", maxiter=200, disp=False
    )
    np.testing.assert_allclose(model.coefficients["estimate"], theirs.params[:3], rtol=1e-5)
    assert model.summary["theta"][0] == pytest.approx(1 / theirs.params["alpha"], rel=1e-4)
    assert model.summary["log_lik"][0] == pytest.approx(theirs.llf)


def test_poisson_errors_are_those_of_statsmodels(
    posts: pd.DataFrame, ratings: pd.DataFrame
) -> None:
    import statsmodels.formula.api as smf

    model = fit(
        posts, "likes ~ hopeful", ratings, cluster="author", family="poisson", variance="sandwich"
    )
    data = model.data.merge(posts[["post_id", "author"]].drop_duplicates(), on="post_id")
    groups = pd.factorize(data["author"])[0]
    theirs = smf.poisson("likes ~ hopeful", data).fit(disp=False)
    scores = pd.DataFrame(theirs.model.score_obs(theirs.params)).groupby(groups).sum().to_numpy()
    bread = np.linalg.inv(-theirs.model.hessian(theirs.params))
    n = len(scores)
    expected = np.sqrt(np.diag(bread @ scores.T @ scores @ bread * n / (n - 1)))
    np.testing.assert_allclose(model.coefficients["std_error"], expected, rtol=1e-9)
    assert (model.coefficients["df"] == n - 1).all()


def test_two_groups_of_images_by_hand() -> None:
    # With one 0/1 predictor the Poisson estimates are logarithms of means.
    linked = pd.DataFrame(
        {
            "post_id": ["1", "1", "2", "3", "4", "5"],
            "image_id": ["a", "b", "a", "b", "c", None],
            "author": ["u", "u", "v", "w", "w", "u"],
            "retweets": [3, 3, 1, 8, 4, 9],
        }
    )
    labels = pd.DataFrame({"image_id": ["a", "b", "c"], "crowd": [1, 1, 0]})
    with pytest.warns(UserWarning, match="1 of 5 posts are not in the model: no known image"):
        model = share_model(
            linked, "retweets ~ crowd", labels, family="poisson", cluster="author",
            variance="sandwich",
        )  # fmt: skip
    expected = [np.log(4), np.log(4) - np.log(4)]
    np.testing.assert_allclose(model.coefficients["estimate"], expected, atol=1e-9)
    images = fit(linked, "retweets ~ crowd", labels, family="poisson", unit="image")
    # Image a: 3 + 1, b: 3 + 8, c: 4.
    np.testing.assert_allclose(
        images.coefficients["estimate"], [np.log(4), np.log(7.5 / 4)], atol=1e-9
    )
    assert images.data["observed"].tolist() == [4, 11, 4]


def test_a_post_has_the_mean_of_its_rated_images(
    posts: pd.DataFrame, ratings: pd.DataFrame
) -> None:
    model = fit(posts, "retweets ~ hopeful", ratings)
    twice = posts[posts["image_id"].isin(ratings["image_id"])].groupby("post_id")
    post = next(post for post, rows in twice if rows["image_id"].nunique() == 2)
    images = posts.loc[posts["post_id"] == post, "image_id"]
    expected = ratings.set_index("image_id").loc[images, "hopeful"].mean()
    assert model.data.set_index("post_id").loc[post, "hopeful"] == pytest.approx(expected)
    known = posts["image_id"].isin(ratings["image_id"])
    assert len(model.data) == posts.loc[known, "post_id"].nunique()
    lost = model.left_out.set_index("reason")["n_posts"]
    assert lost.sum() == posts["post_id"].nunique() - len(model.data)


def test_long_means_are_joined(posts: pd.DataFrame, ratings: pd.DataFrame) -> None:
    long = ratings.melt("image_id", var_name="item", value_name="estimate")
    wide = fit(posts, "retweets ~ hopeful + angry", ratings).coefficients
    pd.testing.assert_frame_equal(fit(posts, "retweets ~ hopeful + angry", long).coefficients, wide)
    with pytest.raises(ImagestrataError, match="several estimates of 'hopeful'"):
        share_model(posts, "retweets ~ hopeful", pd.concat([long, long]))


def test_predictions_and_effects(posts: pd.DataFrame, ratings: pd.DataFrame) -> None:
    model = fit(posts, BOTH, ratings)
    again = model.predict(model.data[model.data["outcome"] == "likes"].drop(columns="outcome"))
    found = again[again["outcome"] == "likes"]["estimate"].to_numpy()
    own = model.data[model.data["outcome"] == "likes"]["fitted"].to_numpy()
    np.testing.assert_allclose(found, own)
    # The average effect of a linear term is its coefficient times the mean.
    slope, effect = (
        table.query("outcome == 'likes' and term == 'hopeful'")["estimate"].item()
        for table in (model.coefficients, model.effects)
    )
    assert effect == pytest.approx(slope * own.mean())
    assert list(model.effects["contrast"][:2]) == ["slope", "slope"]
    with pytest.raises(ImagestrataError, match="newdata"):
        model.predict(pd.DataFrame({"hopeful": [1], "angry": [1], "followers": [1], "party": "X"}))


def test_errors_of_ratings_are_corrected_by_their_covariance() -> None:
    # Poisson counts without noise: the estimate is the attenuated slope, and exactly corrected.
    rng = np.random.default_rng(3)
    n = 20000
    true = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], n)
    error = rng.multivariate_normal([0, 0], [[0.5, 0.3], [0.3, 0.5]], n)
    rated = true + error
    linked = pd.DataFrame(
        {"post_id": range(n), "image_id": range(n), "author": np.arange(n) % 400}
    ).astype({"post_id": str, "image_id": str})
    linked["shares"] = rng.poisson(np.exp(1 + 0.3 * true[:, 0]))
    ratings = pd.DataFrame({"image_id": linked["image_id"], "a": rated[:, 0], "b": rated[:, 1]})
    reliability = pd.DataFrame(
        {
            "item": ["a", "b"], "icc": 1 / 1.5, "icc_average": 1 / 1.5,
            "conf_low": 0.64, "conf_high": 0.69,
        }
    )  # fmt: skip
    reliability.attrs["error_correlation"] = pd.DataFrame(
        [[1, 0.6], [0.6, 1]], ["a", "b"], ["a", "b"]
    )
    arguments = {"family": "poisson", "cluster": "author"}
    model = share_model(linked, "shares ~ a + b", ratings, reliability=reliability, **arguments)
    table = model.corrected.set_index(["reliability", "term"])["estimate"]
    assert table["none"]["a"] < 0.23
    assert table["estimate"]["a"] == pytest.approx(0.3, abs=0.02)
    assert table["estimate"]["b"] == pytest.approx(0, abs=0.02)
    assert table["low"]["a"] > table["estimate"]["a"] > table["high"]["a"]
    # Without their correlation the second slope is wrong.
    plain = share_model(
        linked, "shares ~ a + b", ratings, reliability={"a": 1 / 1.5, "b": 1 / 1.5}, **arguments
    )
    uncorrelated = plain.corrected.set_index(["reliability", "term"])["estimate"]["estimate"]
    assert abs(uncorrelated["b"]) > 0.03
    with pytest.warns(UserWarning, match="too unreliable"):
        share_model(linked, "shares ~ a + b", ratings, reliability={"a": 0.1}, **arguments)


def test_underdispersed_counts_are_poisson() -> None:
    linked = pd.DataFrame(
        {
            "post_id": range(40), "image_id": range(40), "author": np.arange(40) // 4,
            "x": np.arange(40) % 5, "shares": 3 + np.arange(40) % 2,
        }
    )  # fmt: skip
    with pytest.warns(UserWarning, match="no more than in a Poisson model"):
        model = share_model(linked, "shares ~ x")
    assert model.summary["family"].tolist() == ["poisson"]


def bad(posts: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    return posts.assign(**columns)


@pytest.mark.parametrize(
    ("formula", "arguments", "message"),
    [
        ("retweets", {}, "must be a formula with an outcome"),
        ("retweets ~ joy", {}, "There is no column 'joy', a predictor"),
        ("shares ~ hopeful", {}, "There is no column 'shares', an outcome"),
        ("retweets + likes ~ hopeful", {}, "a sum or several outcomes"),
        ("cbind(likes, likes) ~ hopeful", {}, "the outcome 'likes' twice"),
        ("retweets ~ hopeful + (1 | author)", {}, "not supported"),
        ("retweets ~ hopeful + offset(followers)", {}, "not supported"),
        ("half ~ hopeful", {}, "must hold counts .* the first is 0.5"),
        ("negative ~ hopeful", {}, "must hold counts .* the first is -1"),
        ("party ~ hopeful", {}, "must be numeric"),
        ("none ~ hopeful", {}, "'none' is 0 for all"),
        ("retweets ~ hopeful + same", {}, "'same' is constant"),
        ("retweets ~ hopeful + I(2 * hopeful)", {}, "collinear"),
        ("retweets ~ hopeful + log(zero)", {}, "not a finite number"),
        ("separated ~ hopeful + party", {}, "partyR' separates"),
        ("retweets ~ hopeful", {"unit": "image", "cluster": "author"}, "several authors"),
        ("retweets ~ party", {"unit": "image"}, "'party' differs between the posts of an image"),
        ("retweets ~ hopeful", {"exposure": "zero"}, "must be positive"),
        ("retweets ~ hopeful", {"reliability": {"angry": 0.5}}, "not a predictor"),
        ("retweets ~ hopeful", {"reliability": {"hopeful": 1.5}}, "above 0 and up to 1"),
        ("retweets ~ crowd", {"reliability": {"crowd": 0.5}}, "not a mean rating"),
        ("retweets ~ followers", {"reliability": {"followers": 0.5}}, "not a mean rating"),
        ("retweets ~ hopeful", {"author": "who"}, "lacks the column 'who'"),
        ("retweets ~ hopeful", {"conf_level": 95}, "between 0 and 1"),
    ],
)
def test_bad_input(
    formula: str,
    arguments: dict[str, Any],
    message: str,
    posts: pd.DataFrame,
    ratings: pd.DataFrame,
) -> None:
    posts = posts.assign(
        half=0.5, negative=-1, none=0, same=3, zero=posts["likes"] % 3,
        separated=posts["retweets"].where(posts["party"] != "R", 0),
    )  # fmt: skip
    with pytest.raises(ImagestrataError, match=message):
        fit(posts, formula, ratings, **arguments)


def test_a_post_has_one_count(posts: pd.DataFrame, ratings: pd.DataFrame) -> None:
    posts["retweets"] = np.arange(len(posts))
    with pytest.raises(ImagestrataError, match="differs between the images of a post"):
        fit(posts, "retweets ~ hopeful", ratings)


def test_answers_are_not_means(posts: pd.DataFrame) -> None:
    answers = pd.DataFrame({"respondent_id": ["a"], "image_id": ["i01"], "rating": [1]})
    with pytest.raises(ImagestrataError, match="one row per answer"):
        fit(posts, "retweets ~ hopeful", answers)
    with pytest.raises(ImagestrataError, match="No post is left"):
        fit(posts, "retweets ~ x", pd.DataFrame({"image_id": ["other"], "x": [1]}))
