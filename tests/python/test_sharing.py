"""The Python code of vignettes about posts and about labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import imagestrata
from test_golden import golden

VIGNETTES = Path(__file__).parents[2] / "vignettes"


def python_code(vignette: str) -> str:
    text = (VIGNETTES / vignette).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.mark.filterwarnings("ignore")
def test_the_code_of_the_vignette_runs() -> None:
    ratings = golden("ratings")
    images = sorted(ratings["image_id"].unique())
    rng = np.random.default_rng(1)
    linked = golden("shares").assign(image_id=lambda table: rng.choice(images, len(table)))
    names = {"ratings": ratings, "linked": linked}
    exec(python_code("sharing.Rmd"), names)
    fit = names["fit"]
    assert fit.coefficients["term"].tolist() == [
        "(Intercept)", "enthusiasm", "aversion", "log1p(followers)",
    ]  # fmt: skip
    # A person's mean of the items comes first, since some have not answered all.
    rated = ratings[(ratings["image_id"] == images[0]) & (ratings["dimension"] == "enthusiasm")]
    expected = rated.groupby("respondent_id")["rating"].mean().mean()
    post = linked[~linked["post_id"].duplicated(keep=False) & (linked["image_id"] == images[0])]
    row = fit.data[fit.data["post_id"] == post["post_id"].iloc[0]]
    assert row["enthusiasm"].iloc[0] == pytest.approx(expected)
    assert set(fit.corrected["reliability"]) == {"none", "estimate"}


@pytest.mark.filterwarnings("ignore")
def test_the_analyses_of_posts_run() -> None:
    rng = np.random.default_rng(0)
    n = 2000
    author = rng.integers(40, size=n)
    linked = pd.DataFrame(
        {
            "post_id": [f"p{i}" for i in range(n)],
            "image_id": [f"i{i}" for i in rng.integers(300, size=n)],
            "author": author,
            "party": np.where(author % 2, "A", "B"),
            "time": pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(n) * 4, "h"),
            "followers": 10 + 7 * author,
            "retweets": rng.negative_binomial(1, 0.2, size=n),
        }
    )
    linked["cluster"] = linked["image_id"].str[1:].astype(int) % 3 + 1
    means = linked[["image_id"]].drop_duplicates()
    means[["hopeful", "angry"]] = rng.normal(5, 2, size=(len(means), 2))
    code = python_code("posts.Rmd")
    analyses = code[code.index("prevalence =") : code.index("print(")]
    names: dict[str, Any] = {"ims": imagestrata, "linked": linked, "means": means}
    exec(analyses, names)
    exec("text = ims.methods_paragraph(results=[prevalence, gaps, odds, model, shares])", names)
    assert f"from {n:,} posts by 40 authors" in names["text"]
    assert len(names["gaps"]) == 3


@pytest.mark.filterwarnings("ignore")
def test_the_estimates_from_labels_run() -> None:
    names: dict[str, Any] = {
        "ims": imagestrata,
        "decided": golden("labelled-labels"),
        **{name: golden(f"labelled-{name}") for name in ("predictions", "sample", "labels")},
        "linked": golden("labelled-posts"),
    }
    code = python_code("labels.Rmd")
    exec(code[code.index("overall =") : code.index("print(ims.methods")], names)
    exec("text = ims.methods_paragraph(results=[predictions, overall, by_party])", names)
    assert "419 images have predictions" in names["text"]
    assert {*names["by_party"]["method"]} == {"machine", "sample", "corrected"}
