"""The Python code of the vignette "Do evoked emotions predict sharing?"."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from test_golden import golden

VIGNETTE = Path(__file__).parents[2] / "vignettes" / "sharing.Rmd"


@pytest.mark.filterwarnings("ignore")
def test_the_code_of_the_vignette_runs() -> None:
    ratings = golden("ratings")
    images = sorted(ratings["image_id"].unique())
    rng = np.random.default_rng(1)
    linked = golden("shares").assign(image_id=lambda table: rng.choice(images, len(table)))
    code = re.findall(r"^```python\n(.*?)^```", VIGNETTE.read_text(), re.MULTILINE | re.DOTALL)
    names = {"ratings": ratings, "linked": linked}
    exec("\n".join(code), names)
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
