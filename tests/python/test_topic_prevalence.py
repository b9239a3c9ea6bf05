"""The prevalence of topics among posts, against golden tables of R and against statsmodels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from imagestrata import (
    Embeddings,
    ImagestrataError,
    cluster_images,
    link_posts,
    topic_gaps,
    topic_prevalence,
)
from test_golden import golden


def quietly(function: Any, *given: Any, **options: Any) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*given, **options)


def posts() -> pd.DataFrame:
    table = golden("linked")
    return table.assign(time=pd.to_datetime(table["time"], utc=True))


#: Five posts of three authors, worked by hand in the tests of R as well.
TINY = pd.DataFrame(
    [
        ("1", "x", 1, "ann", "D"),
        ("1", "y", 2, "ann", "D"),
        ("1", "x", 1, "ann", "D"),
        ("2", "x", 1, "ann", "D"),
        ("3", "z", -1, "bob", "D"),
        ("4", None, None, "bob", "D"),
        ("5", "y", 2, "cem", "R"),
    ],
    columns=["post_id", "image_id", "cluster", "author", "party"],
)


def test_shares_are_those_worked_by_hand() -> None:
    table = quietly(topic_prevalence, TINY, "party")
    assert table["cluster"].tolist() == [1, 1, 2, 2, -1, -1]
    assert table["party"].tolist() == ["D", "R"] * 3
    assert np.allclose(table["estimate"], [2 / 3, 0, 1 / 3, 1, 1 / 3, 0])
    assert table["n_posts"].tolist() == [3, 1] * 3
    assert table["n_images"].tolist() == [4, 1] * 3
    assert np.isclose(table["std_error"][0], np.sqrt(3 / 2 * 2 * (2 / 9) ** 2))
    assert np.isclose(table["std_error_adjusted"][0], np.sqrt(((2 / 3) ** 2 + (1 / 3) ** 2) / 2))
    shares = {
        (unit, denominator): quietly(
            topic_prevalence, TINY, "party", unit=unit, denominator=denominator
        )["estimate"][0]
        for unit in ("post", "image", "author")
        for denominator in ("known", "all")
    }
    assert shares == pytest.approx(
        {
            ("post", "known"): 2 / 3,
            ("post", "all"): 2 / 4,
            ("image", "known"): 2 / 4,
            ("image", "all"): 2 / 5,
            ("author", "known"): 1 / 2,
            ("author", "all"): 1 / 2,
        }
    )


@pytest.mark.parametrize("unit", ["post", "image", "author"])
def test_prevalence_is_that_of_r(unit: str) -> None:
    ours = quietly(
        topic_prevalence, posts(), ["party", "month"], unit=unit, time_zone="America/New_York",
        denominator="all" if unit == "image" else "known",
    )  # fmt: skip
    theirs = golden("prevalence").query("unit == @unit").reset_index(drop=True)
    theirs["month"] = pd.to_datetime(theirs["month"])
    assert ours["estimate"].isna().any()  # a month without posts
    assert_frame_equal(ours, theirs, check_dtype=False, rtol=1e-9, atol=1e-12)


def test_gaps_are_those_of_r() -> None:
    theirs = golden("topic-gaps")
    theirs["month"] = pd.to_datetime(theirs["month"])
    parties = quietly(topic_gaps, posts(), ["party", "month"], adjust="BH")
    months = quietly(topic_gaps, posts(), ["month", "party"], unit="author")
    for ours in (parties, months):
        same = theirs[theirs["unit"] == ours["unit"][0]].reset_index(drop=True)[[*ours]]
        assert_frame_equal(ours, same, check_dtype=False, rtol=1e-6, atol=1e-9)


def test_a_topic_of_a_single_author_has_the_exact_bound() -> None:
    posts = pd.DataFrame(
        {"post_id": range(400), "image_id": range(400), "author": np.repeat(range(20), 20)}
    )
    posts["cluster"] = np.where(posts["post_id"] == 0, 2, 1)
    once = topic_prevalence(posts).iloc[1]
    exact = stats.beta.ppf(0.975, 20 / 400 + 1, 20 - 20 / 400)
    np.testing.assert_allclose(once["conf_high"], exact, rtol=1e-10)


def test_standard_errors_are_those_of_statsmodels() -> None:
    import statsmodels.api as sm

    linked = posts()
    ours = quietly(topic_prevalence, linked, "party")
    gap = quietly(topic_gaps, linked, "party")
    known = linked.dropna(subset="cluster")
    units = known.drop_duplicates("post_id").set_index("post_id")
    n = units["author"].nunique()
    for topic in (1, 3, -1):
        shows = (known["cluster"] == topic).groupby(known["post_id"]).any().reindex(units.index)
        cells = pd.get_dummies(units["party"]).astype(float)
        fit = sm.OLS(shows.astype(float), cells).fit(
            cov_type="cluster",
            cov_kwds={"groups": pd.factorize(units["author"])[0], "use_correction": False},
        )
        mine = ours[ours["cluster"] == topic]
        assert np.allclose(mine["estimate"], fit.params, atol=1e-9)
        assert np.allclose(mine["std_error"], fit.bse * np.sqrt(n / (n - 1)), atol=1e-9)
        between = fit.t_test([1, -1])
        one = gap[gap["cluster"] == topic].iloc[0]
        assert np.isclose(one["estimate"], between.effect[0], atol=1e-9)
        assert np.isclose(one["std_error"], between.sd[0, 0] * np.sqrt(n / (n - 1)), atol=1e-9)


def test_periods_begin_in_the_given_zone() -> None:
    times = ["2024-01-01 03:00", "2024-01-31 23:30", "2024-03-10 12:00", "2024-03-11 00:00"]
    few = pd.DataFrame(
        {
            "post_id": range(4), "image_id": range(4), "cluster": [1, 1, 2, 2],
            "author": [*"abcd"], "time": pd.to_datetime(times, utc=True),
        }
    )  # fmt: skip
    months = quietly(topic_prevalence, few, "month")
    assert months["month"].dt.strftime("%Y-%m-%d").tolist()[:3] == [
        "2024-01-01", "2024-02-01", "2024-03-01",
    ]  # fmt: skip
    assert months["n_posts"].tolist()[:3] == [2, 0, 2]
    assert months["estimate"].isna().tolist()[:3] == [False, True, False]
    berlin = quietly(topic_prevalence, few, "month", time_zone="Europe/Berlin")
    assert berlin["n_posts"].tolist()[:3] == [1, 1, 2]
    weeks = quietly(topic_prevalence, few, "week")["week"].drop_duplicates()
    assert set(weeks.dt.day_of_week) == {0}
    assert len(weeks) == 11
    assert len(quietly(topic_prevalence, few, "day")) == 2 * 71
    named = few.assign(month=pd.Categorical([*"bbaa"], ["b", "a"]))
    assert quietly(topic_prevalence, named, "month")["month"].tolist() == ["b", "a"] * 2


def test_what_does_not_count_is_said() -> None:
    linked = posts()
    with pytest.warns(UserWarning, match="no known image do not count: 12 of 291 posts"):
        topic_prevalence(linked)
    linked.loc[linked["post_id"] == linked["post_id"][0], "party"] = None
    with pytest.warns(UserWarning, match="1 of .* is left out: 1 without 'party'"):
        table = topic_prevalence(linked, "party")
    assert table.attrs["summary"]["n_left_out"] == 1
    with pytest.warns(UserWarning, match="fewer than 5 authors"):
        topic_prevalence(TINY, "party")


def test_topics_without_posts_have_rows() -> None:
    points = Embeddings.from_arrays([[0.0], [0.1], [9.0], [9.1]], ["a", "b", "c", "d"])
    topics = cluster_images(points, method="kmeans", n_clusters=2, progress=False)
    shown = topics.images["cluster"][0]
    table = pd.DataFrame({"post_id": ["1", "2"], "image_id": ["a", "b"], "author": ["u", "v"]})
    linked = link_posts(topics, table)
    shares = quietly(topic_prevalence, linked).set_index("cluster")["estimate"]
    assert shares.to_dict() == {shown: 1.0, 3 - shown: 0.0}
    left = quietly(topic_prevalence, linked[linked["post_id"] == "1"])
    assert left["estimate"].tolist() == quietly(topic_prevalence, linked)["estimate"].tolist()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"author": "account"}, "no column 'account'"),
        ({"by": "state"}, "does not have"),
        ({"by": "cluster"}, "groups of posts"),
        ({"by": "month", "time": "when"}, "column of times"),
        ({"by": "month", "time": "party"}, "must hold times"),
        ({"by": "month", "time_zone": "Berlin"}, "time zone"),
        ({"unit": "posts"}, "'unit'|unit"),
        ({"level": "theme"}, "no column 'theme'"),
        ({"by": "image_id"}, "groups of posts"),
        ({"by": "tags"}, "one value per row"),
    ],
)
def test_wrong_input_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ImagestrataError, match=text):
        quietly(topic_prevalence, posts().assign(tags=[["a", "b"]] * 580), **options)


def test_ids_of_posts_that_repeat_are_refused() -> None:
    linked = TINY.assign(author=[*"aabbccc"])
    with pytest.raises(ImagestrataError, match="the same in all rows of a post"):
        quietly(topic_prevalence, linked)
    with pytest.raises(ImagestrataError, match="two or more values"):
        quietly(topic_gaps, TINY[TINY["party"] == "D"], "party")
