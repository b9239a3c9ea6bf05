"""The topics that set groups apart: worked by hand, and as R computes them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from imagestrata import ImagestrataError, topic_odds
from test_golden import golden


def quietly(*given: Any, **options: Any) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return topic_odds(*given, **options)


#: A: ann shows topic 1 in 2 of 4 posts, amy in none of 4. B: bob in 1 of 2, bea in none of 6.
TINY = pd.DataFrame(
    {
        "post_id": range(16),
        "image_id": range(16),
        "cluster": [1, 1, *[2] * 6, 1, *[2] * 7],
        "author": ["ann"] * 4 + ["amy"] * 4 + ["bob"] * 2 + ["bea"] * 6,
        "party": ["A"] * 8 + ["B"] * 8,
    }
)


def test_worked_by_hand() -> None:
    """Without one author each, the shares are 0 and 1/2 in A, and 0 and 1/2 in B."""
    odds = quietly(TINY, "party")
    jackknife = 64 * np.array([(1 / 16 + 1 / 16) / 2, (1 / 64 + 9 / 64) / 2])
    effect = jackknife.sum() / (8 * (1 / 4 * 3 / 4 + 1 / 8 * 7 / 8))
    shown, other = np.array([2, 1]) / effect + 1, np.array([6, 7]) / effect + 13 / 3
    first = odds.iloc[0]
    assert first["estimate"] == pytest.approx(np.log(shown / other) @ [1, -1])
    assert first["std_error"] == pytest.approx(np.sqrt((1 / shown + 1 / other).sum()))
    assert first["df"] == 2
    width = stats.t.ppf(0.975, 2) * first["std_error"]
    assert first["conf_high"] - first["estimate"] == pytest.approx(width)
    assert first[["contrast", "share", "share_other"]].tolist() == ["A - B", 2 / 8, 1 / 8]
    assert first[["n_shown", "n_posts", "n_authors", "unit"]].tolist() == [3, 16, 4, "post"]
    assert odds["estimate"][1] == pytest.approx(-first["estimate"])


def test_odds_are_those_of_r() -> None:
    linked = golden("linked")
    linked["time"] = pd.to_datetime(linked["time"], utc=True)
    ours = pd.concat(
        [
            quietly(linked, ["party", "month"]),
            quietly(linked, ["month", "party"], unit="image"),
            quietly(linked, "month", unit="author"),
            quietly(linked, "month", compare="pairs", conf_level=0.9),
        ],
        ignore_index=True,
    )
    theirs = golden("topic-odds")
    assert_frame_equal(
        ours.assign(month=ours["month"].dt.strftime("%Y-%m-%d"))[[*theirs]],
        theirs,
        check_dtype=False,
        rtol=1e-9,
        atol=1e-12,
    )


def test_topics_that_a_group_never_shows_have_finite_odds() -> None:
    rng = np.random.default_rng(1)
    n = 3000
    linked = pd.DataFrame({"post_id": range(n), "image_id": range(n), "author": range(n)})
    linked["author"] = linked["author"] % 150
    linked["party"] = np.where(linked["author"] % 2, "A", "B")
    linked["cluster"] = np.where(
        (linked["party"] == "A") & (rng.random(n) < 0.2), 1, rng.integers(2, 4, n)
    )
    linked.loc[:1, "cluster"] = 4  # one post of each party
    table = quietly(linked, "party").set_index("cluster")
    assert np.isfinite(table[["estimate", "conf_low", "conf_high"]]).all(axis=None)
    assert table["share_other"][1] == 0
    assert table["conf_low"][1] > 2
    assert abs(table["estimate"][4]) < 0.1
    every = pd.concat([linked, linked.assign(cluster=9, image_id=-1)])
    assert np.isnan(quietly(every, "party").set_index("cluster")["estimate"][9])
    months = linked.assign(when=np.where(linked.index < 100, "early", "late"))
    months.loc[months["when"] == "early", "party"] = "A"
    within = quietly(months, ["party", "when"])
    assert within.loc[within["when"] == "early", "estimate"].isna().all()


def test_one_author_is_one_witness() -> None:
    spread = pd.DataFrame({"post_id": range(400), "image_id": range(400), "cluster": 2})
    spread["party"] = ["A"] * 200 + ["B"] * 200
    spread["author"] = [f"{party}{i % 20}" for i, party in enumerate(spread["party"])]
    spam = spread.copy()
    spam.loc[spam["author"] == "A1", "cluster"] = 1
    spread.loc[:9, "cluster"] = 1
    one, many = quietly(spam, "party").iloc[0], quietly(spread, "party").iloc[0]
    assert one["n_shown"] == many["n_shown"] == 10
    assert one["conf_low"] < 0 < many["conf_low"]
    alone = quietly(spread[spread["party"].eq("B") | spread["author"].eq("A1")], "party")
    # Nothing is known about the spread of authors, and so about the number of witnesses.
    assert alone[["estimate", "conf_low"]].isna().all(axis=None)
    assert alone["share"].notna().all()


def test_groups_are_compared_with_others_or_in_pairs() -> None:
    linked = golden("linked")
    linked["month"] = linked["time"].str[5:7]
    others = quietly(linked, "month")
    one = quietly(linked.assign(late=np.where(linked["month"] == "04", "04", "other")), "late")
    chosen = others[others["contrast"] == "04 - others"]
    assert chosen["estimate"].to_numpy() == pytest.approx(one["estimate"].to_numpy())
    assert chosen["n_authors"].tolist() == one["n_authors"].tolist()
    pairs = quietly(linked, "month", compare="pairs")
    n = linked["month"].nunique()
    assert pairs["contrast"].nunique() == n * (n - 1) / 2
    assert others["contrast"].nunique() == n


@pytest.mark.parametrize(
    ("by", "options", "message"),
    [
        ([], {}, "must name the groups to compare"),
        ("cluster", {}, "must name groups of posts"),
        ("region", {}, "does not have"),
        ("party", {"compare": "all"}, "`compare` must be one of"),
        ("party", {"author": "who"}, "no column 'who'"),
    ],
)
def test_bad_arguments(by: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ImagestrataError, match=message):
        quietly(TINY, by, **options)
    with pytest.raises(ImagestrataError, match="two or more values"):
        topic_odds(TINY[:8], "party")
