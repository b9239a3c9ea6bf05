"""The Python code of the vignette "Do evoked emotions predict sharing?" against R's numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from test_golden import golden

VIGNETTE = Path(__file__).parents[2] / "vignettes" / "sharing.Rmd"


def run(block: int, **names: Any) -> dict[str, Any]:
    """What a block of Python of the vignette leaves behind."""
    code = re.findall(r"^```python\n(.*?)^```", VIGNETTE.read_text(), re.MULTILINE | re.DOTALL)
    exec(code[block], names)
    return names


def test_images_are_the_means_of_their_ratings() -> None:
    ratings = golden("ratings")
    sample = ratings[["image_id", "cluster"]].drop_duplicates().assign(n_shares=3)
    images = run(0, ratings=ratings, sample=sample)["images"]
    image = ratings["image_id"][0]
    assert len(images) == len(sample)
    # A person's mean of the items comes first, since some have not answered all.
    rated = ratings[(ratings["image_id"] == image) & (ratings["dimension"] == "enthusiasm")]
    expected = rated.groupby("respondent_id")["rating"].mean().mean()
    assert images.loc[image, "enthusiasm"] == pytest.approx(expected)
    assert images.loc[image, ["cluster", "shares"]].tolist() == [rated["cluster"].iloc[0], 2]


def test_the_model_is_that_of_r() -> None:
    images, expected = golden("shares"), golden("sharing").set_index("term")
    fitted = run(1, images=images)["fitted"]
    terms = [name.replace("(Intercept)", "Intercept") for name in expected.index]
    np.testing.assert_allclose(fitted.params[terms], expected["estimate"], rtol=1e-4)
    assert 1 / fitted.params["alpha"] == pytest.approx(expected["theta"].iloc[0], rel=1e-5)
    # The observed information instead of the expected: up to a tenth apart, not more.
    np.testing.assert_allclose(fitted.bse[terms], expected["std_error"], rtol=0.11)


def test_errors_differ_from_those_of_r_by_the_information_alone() -> None:
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    images, expected = golden("shares"), golden("sharing")
    family = sm.families.NegativeBinomial(alpha=1 / expected["theta"].iloc[0])
    model = smf.glm("shares ~ enthusiasm + aversion + anxiety", images, family=family)
    params = model.fit().params
    scores = pd.DataFrame(model.score_obs(params)).groupby(images["cluster"]).sum().to_numpy()
    bread = np.linalg.inv(-model.hessian(params, observed=False))
    n = len(scores)
    variance = bread @ scores.T @ scores @ bread * n / (n - 1)
    np.testing.assert_allclose(np.sqrt(np.diag(variance)), expected["std_error"], rtol=1e-4)
