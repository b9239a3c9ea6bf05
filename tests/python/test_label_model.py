"""Models of labels, by hand, against published formulas and against golden tables of R."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imagestrata import ImagestrataError, label_model
from test_golden import golden

#: Six images in two clusters of four and two, of which two and two are labelled.
IMAGES = pd.DataFrame({"image_id": [*"abcdef"], "cluster": [1, 1, 1, 1, 2, 2], "x": [*range(6)]})
SAMPLE = pd.DataFrame(
    {"image_id": [*"abef"], "cluster": [1, 1, 2, 2], "N_h": [4, 4, 2, 2], "n_h": 2}
)
LABELS = pd.DataFrame({"image_id": [*"abef"], "code": "flag", "label": [1, 0, 1, 1]})
PREDICTIONS = pd.DataFrame(
    {
        "image_id": [*"abcdef"], "label": "flag", "probability": [0.9, 0.2, 0.7, 0.4, 0.8, 0.5],
        "decision": [True, False, True, False, True, True], "split": "fold",
    }
)  # fmt: skip


def modelled(*given: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return label_model(*given, **options)


def estimates(found: Any, method: str = "corrected") -> Any:
    table = found.coefficients
    return table[table["method"] == method].set_index("term")["estimate"]


def fitted(x: Any, y: Any, weight: Any) -> Any:
    x, w = np.asarray(x, float), np.asarray(weight, float)[:, None]
    return np.linalg.solve((x * w).T @ x, (x * w).T @ np.asarray(y, float))


def test_six_images_by_hand() -> None:
    given = (LABELS, PREDICTIONS, None, SAMPLE)
    found = modelled("flag ~ 1", *given, clustering=IMAGES)
    # Images a and b stand for two each: (2 * 1 + 0 + 1 + 1) / 6; the machine counts four.
    assert np.isclose(estimates(found, "sample").iloc[0], 4 / 6)
    assert np.isclose(estimates(found, "machine").iloc[0], 4 / 6)
    of_all, of_labelled = 3.5 / 6, (2 * 0.9 + 2 * 0.2 + 0.8 + 0.5) / 6
    # Only cluster 1 is uncertain: there labels differ by 1, predictions by 0.7, so 1 / 0.7 is
    # beyond the largest lambda, which is 1.
    line = found.coefficients.query("method == 'corrected'").iloc[0]
    assert line["lambda"] == 1
    assert np.isclose(line["estimate"], 4 / 6 + of_all - of_labelled)
    by_hand = modelled("flag ~ 1", *given, clustering=IMAGES, tuning=0.5)
    assert np.isclose(estimates(by_hand).iloc[0], 4 / 6 + 0.5 * (of_all - of_labelled))


def simulated(n: int = 600, seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    ids = [f"i{k}" for k in range(n)]
    stratum = np.repeat(np.arange(1, n // 20 + 1), 20)
    x = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int)
    f = np.clip(0.2 + 0.6 * y + rng.normal(0, 0.15, n), 0.01, 0.99)
    drawn = np.arange(n) % 20 < 5
    images = pd.DataFrame({"image_id": ids, "cluster": stratum, "x": x, "z": stratum % 3})
    images["likes"] = 1 + y + 0.5 * x + rng.normal(size=n)
    sample = images.loc[drawn, ["image_id", "cluster"]].assign(N_h=20, n_h=5)
    return {
        "y": y, "f": f, "drawn": drawn, "images": images, "sample": sample,
        "labels": pd.DataFrame({"image_id": np.array(ids)[drawn], "code": "c", "label": y[drawn]}),
        "predictions": pd.DataFrame(
            {"image_id": ids, "label": "c", "probability": f, "decision": f >= 0.5, "split": None}
        ),
    }  # fmt: skip


def fit(d: dict[str, Any], formula: str, **options: Any) -> Any:
    given = d["labels"], d["predictions"], None, d["sample"]
    return modelled(formula, *given, clustering=d["images"], **options)


def test_least_squares_are_those_of_prediction_powered_inference() -> None:
    """Angelopoulos et al. (2023): the coefficients of f, less those of f - y in the sample."""
    d = simulated()
    x = np.stack([np.ones(600), d["images"]["x"]], axis=1)
    of_f = np.linalg.lstsq(x, d["f"], rcond=None)[0]
    drawn = d["drawn"]
    rectifier = np.linalg.lstsq(x[drawn], (d["f"] - d["y"])[drawn], rcond=None)[0]
    assert np.allclose(estimates(fit(d, "c ~ x", tuning=1)), of_f - rectifier, atol=1e-9)


def test_the_moment_of_design_based_supervised_learning() -> None:
    """Egami et al. (2023): outcomes f + (y - f) / p; equal if the sample has the covariates."""
    d = simulated()
    x = np.stack([d["images"]["z"] == value for value in range(3)], axis=1).astype(float)
    pseudo = d["f"] + np.where(d["drawn"], (d["y"] - d["f"]) / 0.25, 0)
    theirs = np.linalg.lstsq(x, pseudo, rcond=None)[0]
    ours = estimates(fit(d, "c ~ 0 + factor(z)", tuning=1))
    assert np.allclose(ours, theirs, atol=1e-9)


def test_predictors_are_those_of_predict_then_debias() -> None:
    """Kluger et al. (2025), with the labels as a covariate."""
    d = simulated()
    likes, drawn = d["images"]["likes"].to_numpy(), d["drawn"]

    def of(label: Any, rows: Any) -> Any:
        x = np.stack([np.ones(600), label, d["images"]["x"]], axis=1)[rows]
        return fitted(x, likes[rows], np.ones(len(x)))

    every = np.ones(600, bool)
    theirs = of(d["y"], drawn) + of(d["f"], every) - of(d["f"], drawn)
    assert np.allclose(estimates(fit(d, "likes ~ c + x", tuning=1)), theirs, atol=1e-9)
    with_sample = estimates(fit(d, "likes ~ c + x"), "sample")
    assert np.allclose(with_sample, of(d["y"], drawn), atol=1e-9)


def test_useless_predictions_cost_nothing_and_good_ones_help() -> None:
    d = simulated(2000)
    found = fit(d, "c ~ x").coefficients.set_index(["term", "method"])["std_error"]
    assert found["x", "corrected"] < 0.75 * found["x", "sample"]
    rng = np.random.default_rng(3)
    noise = d["predictions"].assign(probability=rng.random(2000))
    found = fit(d | {"predictions": noise}, "c ~ x").coefficients
    found = found.set_index(["term", "method"])["std_error"]
    assert found["x", "corrected"] < 1.02 * found["x", "sample"]


def test_the_variance_of_a_census_is_that_of_authors() -> None:
    """Nothing is left to the drawing of images, and labels alone count."""
    from imagestrata.regression.sandwich import Sandwich

    d = simulated()
    every = d["images"][["image_id", "cluster"]].assign(N_h=20, n_h=20)
    labels = pd.DataFrame({"image_id": every["image_id"], "code": "c", "label": d["y"]})
    rng = np.random.default_rng(4)
    posts = d["images"][["image_id", "x"]].assign(
        post_id=range(600), author=[f"a{i}" for i in rng.integers(0, 40, 600)]
    )
    found = modelled("c ~ x", labels, d["predictions"], posts, every).coefficients
    x = np.stack([np.ones(600), posts["x"]], axis=1)
    beta = np.linalg.lstsq(x, d["y"], rcond=None)[0]
    sandwich = Sandwich(x, d["y"] - x @ beta, np.ones(600), pd.factorize(posts["author"])[0], "CR2")
    errors = sandwich.errors(np.eye(2))
    ours = found[found["method"] == "corrected"]
    assert np.allclose(ours["std_error"], errors.std_error, rtol=1e-9)
    assert np.allclose(ours["estimate"], beta, rtol=1e-9)


def test_golden_models() -> None:
    labels, sample, images = (golden(f"labelled-{n}") for n in ("labels", "sample", "images"))
    predictions, posts = golden("labelled-predictions"), golden("labelled-posts")
    posts["time"] = pd.to_datetime(posts["time"])
    posts["likes"] = posts["post_id"].str[1:].astype(int) % 7
    cases = {
        "outcome": ("protest ~ party + month", {}),
        "logit": ("protest ~ party", {"family": "logit", "conf_level": 0.9}),
        "predictor": ("likes ~ protest * party", {}),
        "log": ("log1p(likes) ~ party + protest", {"tuning": 1}),
        "answer": ("place ~ party", {"answer": "indoors"}),
        "label": ("label ~ party", {"code": "anger"}),
        "spline": ("protest ~ s(time)", {}),
        "images": ("protest ~ n_copies", {"clustering": images}),
    }
    every = golden("label-models")
    assert {*cases} == {*every["case"]}
    for case, (formula, options) in cases.items():
        linked = None if case == "images" else posts
        ours = modelled(formula, labels, predictions, linked, sample, **options).coefficients
        theirs = every[every["case"] == case].drop(columns="case").reset_index(drop=True)
        assert [*ours] == [*theirs]
        for column in ours:
            if column in ("term", "method"):
                assert ours[column].tolist() == theirs[column].tolist(), case
            else:
                assert np.allclose(
                    ours[column].astype(float), theirs[column].astype(float),
                    rtol=1e-7, atol=1e-9, equal_nan=True,
                ), (case, column)  # fmt: skip


def test_bad_input() -> None:
    d = simulated()

    def refused(match: str, formula: Any, **options: Any) -> None:
        with pytest.raises(ImagestrataError, match=match):
            fit(d, formula, **options)

    refused("must be a text such as", "party")
    refused("must have an outcome", "~ x")
    refused("none of the codes", "likes ~ x")
    refused("on both sides", "c ~ c + x")
    refused("not in a function", "likes ~ log1p(c)")
    refused("must be one of", "label ~ x", code="d")
    refused("must have the variable 'label'", "likes ~ x", code="c")
    refused("several answers, unlike", "c ~ x", answer="1")
    refused("terms that others determine", "c ~ x + I(2 * x)")
    refused("must be 0 or 1", "likes ~ c", family="logit")
    refused("not a column", "c ~ party")
    refused("between 0 and 1", "c ~ x", tuning=2)
    # Covariates that separate the outcomes.
    apart = d["images"].assign(w=np.where(d["y"] == 1, 1.0, 0.0))
    refused_images = d | {"images": apart}
    with pytest.raises(ImagestrataError, match="The coefficients are infinite"):
        fit(refused_images, "c ~ w", family="logit")
    with pytest.raises(ImagestrataError, match="fewer than the"):
        few = d["labels"].assign(label=0)
        few.loc[0, "label"] = 1
        fit(d | {"labels": few}, "c ~ x", family="logit")
    with pytest.raises(ImagestrataError, match="Only 4 labelled images are in the model"):
        modelled("flag ~ x + I(x**2)", LABELS, PREDICTIONS, None, SAMPLE, clustering=IMAGES)
    three = d["labels"].assign(label=[*"abc"] * 50)
    with pytest.raises(ImagestrataError, match="more than two answers"):
        fit(d | {"labels": three, "predictions": d["predictions"].assign(label="a")}, "c ~ x")
    flat = d["predictions"].assign(probability=0.5, decision=False)
    with pytest.warns(UserWarning, match="no finite estimates"):
        label_model("likes ~ c", d["labels"], flat, None, d["sample"], clustering=d["images"])
    assert "Linear model of labels, c ~ x: 600 images, 150 labelled" in repr(fit(d, "c ~ x"))
