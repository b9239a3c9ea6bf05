"""Plans of labels, by hand and against golden tables of R; samples are drawn from them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from imagestrata import ImagestrataError, plan_labels, sample_images
from test_golden import golden

SAMPLE = pd.DataFrame(
    {
        "image_id": [*"abcdefgh"],
        "cluster": [1] * 4 + [2] * 4,
        "N_h": [100] * 4 + [300] * 4,
        "n_h": 4,
    }
)
LABELS = pd.DataFrame({"image_id": [*"abcdefgh"], "code": "x", "label": [1, 0, 0, 1, 0, 0, 0, 0]})


def quietly(*given: Any, **options: Any) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return plan_labels(*given, **options)


def test_a_plan_by_hand() -> None:
    """Variances are 1 / 3 and 0; that of all is (100 * 1 / 3 + 300 * 0) / 400 = 1 / 12."""
    plan = plan_labels(LABELS, sample=SAMPLE, width=0.1)
    assert np.allclose(plan["sd"] ** 2, [(3 / 3 + 4 / 12) / 7, 4 / 12 / 7])
    size, sd = np.array([100, 300]), plan["sd"].to_numpy()
    n = (plan["n_labelled"] + plan["n_next"]).to_numpy()
    assert np.isclose(n[1] / n[0], 300 * sd[1] / (100 * sd[0]), rtol=0.05)
    parts = np.array([0.25, 0.75]) ** 2 * sd**2 * (1 / n - 1 / size)
    df = parts.sum() ** 2 / (parts**2 / (n - 1)).sum()
    width = 2 * stats.t.ppf(0.975, df) * np.sqrt(parts.sum())
    (needed,) = plan.attrs["needed"]
    assert np.isclose(needed["width_planned"], width) and width <= 0.1
    assert needed["n_needed"] == n.sum()


def test_the_numbers_are_those_of_r() -> None:
    images, sample, labels, predictions = (
        golden(f"labelled-{name}") for name in ("images", "sample", "labels", "predictions")
    )
    cases = {
        "protest": {"width": 0.1, "code": "protest"},
        "place": {"width": 0.1, "code": "place"},
        "anger": {"width": 0.2, "code": "anger"},
        "alone": {"width": 0.15, "code": "protest", "conf_level": 0.9},
        "cluster": {"width": 0.4, "code": "place", "by": "cluster"},
    }
    expected = golden("label-plan")
    for case, options in cases.items():
        given = None if case == "alone" else predictions
        plan = quietly(labels, given, sample, clustering=images, **options)
        needed = pd.DataFrame(plan.attrs["needed"])
        value = [*plan["sd"], *needed["width_planned"], *needed["width"]]
        n = [*plan["n_next"], *needed["n_needed"], *needed["n_labelled"]]
        wanted = expected[expected["case"] == case]
        np.testing.assert_allclose(value, wanted["value"], rtol=1e-8, atol=1e-10, err_msg=case)
        assert n == wanted["n"].tolist(), case


def test_a_sample_is_drawn_from_a_plan() -> None:
    images, sample, labels, predictions = (
        golden(f"labelled-{name}") for name in ("images", "sample", "labels", "predictions")
    )
    plan = quietly(labels, predictions, sample, width=0.1, code="place", clustering=images)
    more = sample_images(images, plan, keep=sample)
    drawn = more.groupby(["cluster", "wave"]).size()
    first = plan[plan["wave"] == 1].set_index("cluster")
    assert drawn.xs(1, level="wave").to_dict() == (first["n_h"] + first["n_next"]).to_dict()
    assert {*sample["image_id"]} <= {*more["image_id"]}


def test_a_sample_has_a_number_for_each_cluster() -> None:
    images = pd.DataFrame({"image_id": range(30), "cluster": [1] * 10 + [2] * 10 + [-1] * 10})
    drawn = sample_images(images, {1: 3, -1: 10})
    assert drawn["cluster"].value_counts().to_dict() == {-1: 10, 1: 3}
    table = pd.DataFrame({"cluster": [1, -1], "n": [3, 10]})
    pd.testing.assert_frame_equal(drawn, sample_images(images, table))
    more = sample_images(images, {1: 5, 2: 1}, keep=drawn)
    assert more["cluster"].value_counts().to_dict() == {-1: 10, 1: 5, 2: 1}
    for given, match in (
        ({7: 3}, "'7', which does not exist"),
        ({}, "names no cluster"),
        ({1: -1}, "at least 0"),
        ({1: 2, "1": 3}, "twice"),
        (pd.DataFrame({"cluster": [1]}), "columns 'cluster' and 'n'"),
    ):
        with pytest.raises(ImagestrataError, match=match):
            sample_images(images, given)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"width": 0}, "above 0"),
        ({"width": 0.1, "code": "flag"}, "`code` must be one of the codes 'x', not 'flag'"),
        ({"width": 0.1, "by": "theme"}, "`by` must be a column"),
    ],
)
def test_bad_arguments(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ImagestrataError, match=match):
        plan_labels(LABELS, sample=SAMPLE, **options)
