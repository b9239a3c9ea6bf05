"""Who answered, and what to do about those who did not."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from imagestrata import (
    ImagestrataError,
    rating_gaps,
    rating_means,
    response_bounds,
    response_rates,
    response_weights,
)

FIXTURES = Path(__file__).parents[1] / "fixtures"


def golden(name: str) -> pd.DataFrame:
    table = pd.read_csv(FIXTURES / f"golden-{name}.csv")
    return table.rename(columns=lambda column: column.replace(".", "_"))


def packets() -> pd.DataFrame:
    """Two respondents of each of two groups, who were asked to rate two images."""
    return pd.DataFrame(
        {
            "packet_id": np.repeat(["p1", "p2", "p3", "p4"], 2),
            "respondent_id": np.repeat(["a", "b", "c", "d"], 2),
            "group": np.repeat(["D", "R"], 4),
            "image_id": ["1", "2"] * 4,
            "cluster": [1, 2] * 4,
        }
    )


def answers() -> pd.DataFrame:
    """d rated none, b not the second."""
    return pd.DataFrame(
        {
            "respondent_id": list("aabcc"),
            "group": list("DDDRR"),
            "image_id": list("12112"),
            "cluster": [1, 2, 1, 1, 2],
            "item": "angry",
            "rating": [4.0, 6.0, 8.0, 2.0, 4.0],
            "weight_cluster": 1.0,
        }
    )


def people() -> pd.DataFrame:
    known = golden("survey")[
        ["respondent_id", "ideology", "gender", "survey_weight"]
    ].drop_duplicates()
    silent = pd.DataFrame(
        {"respondent_id": ["p61"], "ideology": [3], "gender": ["f"], "survey_weight": [1.2]}
    )
    return pd.concat([known, silent], ignore_index=True)


def test_response_rates_are_what_a_count_by_hand_gives():
    rates = response_rates(answers(), packets())
    assert rates["n_respondents"].tolist() == [2, 2]
    assert rates["n_silent"].tolist() == [0, 1]
    assert rates["n_asked"].tolist() == [4, 4]
    assert rates["n_rated"].tolist() == [3, 2]
    assert rates["estimate"].tolist() == [0.75, 0.5]
    # a is half an answer above three quarters of two, b half an answer below.
    error = np.sqrt(2 * 2 * (0.5 / 4) ** 2)
    assert rates["std_error"][0] == pytest.approx(error)
    low = special.expit(special.logit(0.75) - stats.t.ppf(0.975, 1) * error / (0.75 * 0.25))
    assert rates["conf_low"][0] == pytest.approx(low)
    each = response_rates(answers(), packets(), ["group", "cluster"])
    assert each["estimate"].tolist() == [1, 0.5, 0.5, 0.5]
    assert each["conf_low"][0] == pytest.approx(0.025**0.5)
    two = pd.concat([answers(), answers().iloc[[0, 3]].assign(item="proud")])
    assert response_rates(two, packets(), None)["skipped"][0] == pytest.approx(1 - 7 / 10)


def test_packets_tell_who_was_asked():
    unnamed = packets().drop(columns="respondent_id")
    told = answers().assign(packet_id=["p1", "p1", "p2", "p3", "p3"])
    pd.testing.assert_frame_equal(
        response_rates(told, unnamed), response_rates(answers(), packets())
    )
    with pytest.raises(ImagestrataError, match="does not say who was asked"):
        response_rates(answers(), unnamed)
    with pytest.raises(ImagestrataError, match="No rating is of an image"):
        response_rates(answers(), packets().assign(image_id="9"))
    with pytest.raises(ImagestrataError, match="names 'month'"):
        response_rates(answers(), packets(), "month")
    with pytest.warns(UserWarning, match="1 of 5 ratings are of images"):
        response_rates(answers(), packets()[1:])


def test_response_weights_are_inverse_to_the_probability_of_an_answer():
    """Of four people who were asked to rate an image, one of two old ones did not."""
    asked = pd.DataFrame(
        {"respondent_id": list("abcd"), "group": "D", "image_id": "1", "cluster": 1}
    )
    known = pd.DataFrame({"respondent_id": list("abcd"), "age": [70, 71, 30, 30]})
    given = asked[1:].assign(item="angry", rating=[8.0, 2.0, 4.0], weight_cluster=1.0)
    found = response_weights(given, asked, "~ I(1.0 * (age > 50))", known)
    assert found["response_probability"].tolist() == pytest.approx([0.5, 1, 1], abs=1e-4)
    expected = 3 / 4 * np.array([3 - 0.5 + 1, 3, 3]) / (3 * np.array([0.5, 1, 1]))
    assert found["response_weight"].tolist() == pytest.approx(expected, abs=1e-3)
    same = response_weights(answers(), packets(), "~ group")
    assert same["response_probability"].tolist() == pytest.approx([0.75] * 3 + [0.5] * 2)
    means = rating_means(same, respondent_weight="response_weight")
    assert means["estimate"].tolist() == pytest.approx(rating_means(answers())["estimate"].tolist())
    for formula, given_people, message in (
        ("age", known, "formula without a left side"),
        ("~ height", known, "names 'height'"),
        ("~ age", known[1:], "1 of 4 who were asked are not in"),
        ("~ age", pd.concat([known, known[:1]]), "'a' twice"),
        ("~ age", known.assign(age=[None, 1, 2, 3]), "'age' is missing for 1 of 4 images"),
    ):
        with pytest.raises(ImagestrataError, match=message):
            response_weights(given, asked, formula, given_people)


def test_bounds_are_what_a_calculation_by_hand_gives():
    means = response_bounds(answers(), packets(), of="means")
    assert means["estimate"].tolist() == [6, 3]
    assert means["low"].tolist() == [(6 + 3) / 2, (1 + 2) / 2]
    assert means["high"].tolist() == [(6 + 8) / 2, (6 + 7) / 2]
    assert means["missing"].tolist() == [1 / 4, 2 / 4]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gaps = response_bounds(answers(), packets())
    assert gaps["low"].tolist() == [means["low"][0] - means["high"][1]]
    assert gaps["high"].tolist() == [means["high"][0] - means["low"][1]]
    # With missing answers of D a point lower and those of R a point higher than the given ones, the
    # gap is (6 + 5.5) / 2 - (2.5 + 4.5) / 2.
    assert gaps["tipping_point"].tolist() == pytest.approx([3 / (3 - 2.25)])
    with pytest.raises(ImagestrataError, match="beyond `scale"):
        response_bounds(answers(), packets(), scale=(1, 5))
    full = answers()[:3]
    complete = packets().merge(full[["respondent_id", "image_id"]])
    with pytest.raises(ImagestrataError, match="two or more values"):
        response_bounds(full, complete)


@pytest.mark.filterwarnings("ignore")
def test_bounds_with_survey_weights_are_what_a_calculation_by_hand_gives():
    known = pd.DataFrame({"respondent_id": list("abcd"), "w": [1, 3, 2, 6]})

    def weighted(known: pd.DataFrame, **options: str) -> pd.DataFrame:
        return response_bounds(
            answers(), packets(), respondent_weight="w", respondents=known, **options
        )

    means = weighted(known, of="means")
    # D: image 1 has 4 by a and 8 by b; image 2 has 6 by a, and b's answer is missing. Each image
    # has its answers' weights by half, since it was asked of two.
    given = [(4 / 2 + 3 * 8 / 2 + 6) / (1 / 2 + 3 / 2 + 1), 3]
    assert means["estimate"].tolist() == pytest.approx(given)
    low, high = [34 / 8, (2 * 2 + 2 * 4) / 16], [(34 + 3 * 10) / 8, (2 * 2 + 2 * 4 + 120) / 16]
    assert means["low"].tolist() == pytest.approx(low)
    assert means["high"].tolist() == pytest.approx(high)
    gaps = weighted(known)
    assert gaps["estimate"].tolist() == pytest.approx([given[0] - given[1]])
    assert gaps["low"].tolist() == pytest.approx([low[0] - high[1]])
    assert gaps["high"].tolist() == pytest.approx([high[0] - low[1]])
    # Missing answers like the given ones: b gives image 2 a 6; d gives 2 and 4, so that R has 3. A
    # point lower or higher moves D by 3 / 8 and R by 12 / 16.
    tipping = ((34 + 18) / 8 - 3) / (3 / 8 + 12 / 16)
    assert gaps["tipping_point"].tolist() == pytest.approx([tipping])
    # Only proportions matter, and equal weights do not.
    pd.testing.assert_frame_equal(weighted(known.assign(w=known["w"] * 1000)), gaps)
    equal, without = weighted(known.assign(w=7)), response_bounds(answers(), packets())
    pd.testing.assert_frame_equal(equal, without)
    # Weights of the ratings are enough if everybody rated something.
    own, asked = answers().assign(w=[1, 1, 3, 2, 2]), packets()[:6]
    pd.testing.assert_frame_equal(
        response_bounds(own, asked, respondent_weight="w"),
        response_bounds(answers(), asked.assign(w=[1, 1, 3, 3, 2, 2]), respondent_weight="w"),
    )
    for ratings, asks, options, message in (
        (own, packets(), {}, "is nan for 1 of 4 of them, 'd' for one"),
        (own.drop(columns="w"), asked, {}, "not a column of"),
        (own.assign(w=range(1, 6)), asked, {}, "differs for 'a'"),
        (own, asked, {"respondents": known.assign(w=7)}, "'w' of 'a' is 1 in the ratings, but 7"),
    ):
        with pytest.raises(ImagestrataError, match=message):
            response_bounds(ratings, asks, respondent_weight="w", **options)


@pytest.mark.filterwarnings("ignore")
def test_ratings_that_nobody_asked_for_are_in_no_bound_and_no_estimate():
    more = pd.concat([answers(), answers()[:1].assign(respondent_id="z", rating=10.0)])
    with pytest.warns(UserWarning, match="1 of 6 ratings are of images"):
        bounds = response_bounds(more, packets(), of="means")
    pd.testing.assert_frame_equal(bounds, response_bounds(answers(), packets(), of="means"))


def test_what_is_known_of_respondents_is_not_taken_for_what_is_known_of_images():
    # Every image has one rating, so that ages do not differ between the ratings of an image.
    asked = pd.DataFrame(
        {
            "respondent_id": list("aabbccdd"), "group": "D", "image_id": list("12132434"),
            "cluster": 1,
        }
    )  # fmt: skip
    ratings = asked.iloc[[0, 3, 4, 7]].assign(
        item="angry", rating=[1, 2, 3, 4], age=[20, 30, 40, 50], weight_cluster=0.25
    )
    known = pd.DataFrame({"respondent_id": list("abcd"), "age": [20, 30, 40, 50]})
    expected = response_weights(ratings, asked.merge(known), "~ age", by=None)
    found = response_weights(ratings, asked, "~ age", known, by=None)
    pd.testing.assert_frame_equal(found, expected)
    with pytest.raises(ImagestrataError, match="neither"):
        response_weights(ratings, asked, "~ age", by=None)


@pytest.mark.filterwarnings("ignore")
def test_response_is_that_of_r():
    ratings, asked = golden("survey"), golden("packets")
    options = {"rtol": 1e-6, "check_dtype": False, "check_like": True}
    rates = pd.concat(
        [response_rates(ratings, asked), response_rates(ratings, asked, ["group", "month"])],
        ignore_index=True,
    )
    pd.testing.assert_frame_equal(rates, golden("response-rates"), **options)
    weights = response_weights(
        ratings,
        asked,
        "~ group + ideology * gender",
        people(),
        respondent_weight="survey_weight",
    )
    known = golden("response-weights")
    pd.testing.assert_frame_equal(weights[[*known]], known, **options)
    bounds = [
        response_bounds(ratings, asked),
        response_bounds(ratings, asked, ["group", "month"]),
        response_bounds(ratings, asked, of="means", weight="corpus", scale=(-1, 12)),
        response_bounds(
            ratings, asked, "month", respondent_weight="survey_weight", respondents=people()
        ),
    ]
    known = golden("response-bounds")
    keys = ["level", "item", "contrast", "month", "group"]
    pd.testing.assert_frame_equal(
        pd.concat(bounds).sort_values(keys, ignore_index=True),
        known.sort_values(keys, ignore_index=True),
        **options,
    )


@pytest.mark.filterwarnings("ignore")
def test_without_missing_answers_bounds_are_the_estimates():
    ratings = golden("survey").query("item == 'proud'")
    asked = ratings[["respondent_id", "group", "image_id", "cluster"]].drop_duplicates()
    bounds, gaps = response_bounds(ratings, asked), rating_gaps(ratings)
    for name in ("estimate", "conf_low", "conf_high"):
        assert bounds.sort_values(["level", "contrast"])[name].tolist() == pytest.approx(
            gaps.sort_values(["level", "contrast"])[name].tolist(), rel=1e-6
        ), name
    assert bounds["tipping_point"].isna().all()
