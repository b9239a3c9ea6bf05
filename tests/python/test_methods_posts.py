"""The methods paragraph on analyses of posts says what R says, with their numbers."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imagestrata import (
    ImagestrataError,
    cluster_images,
    methods_paragraph,
    share_model,
    topic_gaps,
    topic_model,
    topic_odds,
    topic_prevalence,
)

GOLDEN = Path(__file__).parents[1] / "fixtures" / "methods-posts.txt"


@pytest.fixture(scope="module")
def posts() -> pd.DataFrame:
    """The table of ``tests/testthat/test-methods-paragraph.R``."""
    i = np.arange(120)
    table = pd.DataFrame(
        {
            "post_id": (i + 1).astype(str),
            "image_id": [f"i{one:02d}" for one in (i * i) % 37],
            "cluster": pd.Series(np.array([1, 2, -1])[i % 3], dtype="Int64"),
            "cluster_name": pd.Series(None, i, dtype="str"),
            "n_posts": pd.Series(None, i, dtype="Int64"),
            "unmatched": pd.Series(None, i, dtype="str"),
            "author": [f"account_{one:02d}" for one in i // 12],
            "party": np.where(i < 60, "D", "R"),
            "time": pd.Timestamp("2018-01-01", tz="UTC") + pd.to_timedelta(i % 60, unit="D"),
            "retweets": (i * 7) % 11,
            "followers": 10 + i,
        }
    )
    table.loc[6, ["image_id", "cluster", "unmatched"]] = [None, pd.NA, "no image"]
    return table


@pytest.mark.parametrize("time", [pd.NaT, "Monday"])
def test_posts_without_times_have_no_period(posts, time):
    text = methods_paragraph(results=posts.assign(time=time, author=None))
    assert "Of 120 posts by 0 authors, 119" in text


def golden() -> dict[str, str]:
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_both_languages_say_the_same(posts):
    images = pd.Series([f"i{one:02d}" for one in range(37)])
    ratings = pd.DataFrame({"image_id": images, "hopeful": (np.arange(37) * 5) % 13})

    def counts(**settings: Any) -> Any:
        return share_model(posts, "retweets ~ hopeful", ratings=ratings, **settings)

    results = {
        "linked": posts,
        "posts": topic_prevalence(posts, by="party"),
        "authors": topic_prevalence(
            posts, by=["party", "month"], unit="author", denominator="all", conf_level=0.9
        ),
        "images": topic_prevalence(posts, unit="image"),
        "gaps": topic_gaps(posts, by="party"),
        "months": topic_gaps(posts, by=["month", "party"], adjust="BH"),
        "weeks": topic_gaps(posts, by="week", unit="image", adjust="none"),
        "odds": topic_odds(posts, by=["party", "month"], unit="author"),
        "model": topic_model(posts, "~ party + s(month, df = 2)"),
        "sandwich": topic_model(posts, "c(1, 2) ~ party", variance="sandwich"),
        "shares": counts(),
        "corrected": counts(reliability={"hopeful": 0.7}, family="poisson", cluster="author"),
        "shown": counts(unit="image", variance="sandwich"),
        "rates": counts(family="poisson", cluster="image", exposure="followers"),
    }
    told = {name: methods_paragraph(results=one) for name, one in results.items()}
    parts = {
        name: text.split(f" Posts were analysed with Python {platform.python_version()}.")
        for name, text in told.items()
    }
    assert {name: part[0] for name, part in parts.items()} == golden()
    endings = {part[1] for part in parts.values()}
    assert len(endings) == 1
    assert endings.pop().startswith("\n\nReference: The imagestrata authors. imagestrata: Visual")
    together = methods_paragraph(results=[results["gaps"], posts, results["gaps"]])
    assert together.startswith(f"{golden()['gaps']} {golden()['linked']} Posts were analysed")


def test_analyses_of_posts_stand_between_the_run_and_the_reference(posts, tmp_path):
    vectors = pd.DataFrame([[0.0], [0.1], [9.0], [9.1]], index=list("abcd"))
    cluster_images(vectors, "kmeans", n_clusters=2, out=tmp_path, progress=False)
    alone = methods_paragraph(tmp_path).split("\n\n")
    both = methods_paragraph(tmp_path, posts).split("\n\n")
    assert [both[0], both[2]] == alone
    assert both[1].startswith(golden()["linked"])


@pytest.mark.parametrize("wrong", [1, [1], pd.DataFrame({"x": [1]}), "results"])
def test_what_is_no_analysis_of_posts_is_refused(wrong):
    with pytest.raises(ImagestrataError, match=r"topic_model.* not "):
        methods_paragraph(results=wrong)
    with pytest.raises(ImagestrataError, match="nothing to describe"):
        methods_paragraph()
