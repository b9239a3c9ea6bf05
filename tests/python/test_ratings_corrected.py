"""Means and gaps of all images, from few rated ones and a machine's predictions."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imagestrata import ImagestrataError, rating_gaps, rating_means

FIXTURES = Path(__file__).parents[1] / "fixtures"


def golden(name: str) -> pd.DataFrame:
    table = pd.read_csv(FIXTURES / f"golden-{name}.csv")
    return table.rename(columns=lambda column: column.replace(".", "_"))


def few(**changed) -> pd.DataFrame:
    """Six images in two clusters, of which four are rated, by one person each."""
    return pd.DataFrame(
        {
            "respondent_id": ["r1", "r2", "r3", "r4"],
            "group": "D",
            "image_id": ["a", "b", "e", "f"],
            "cluster": [1, 1, 2, 2],
            "item": "angry",
            "rating": [2.0, 4.0, 5.0, 5.0],
            "N_h": [4, 4, 2, 2],
            "n_h": 2,
            "weight_cluster": 0.5,
            "weight_corpus": [2.0, 2.0, 1.0, 1.0],
        }
    ).assign(**changed)


def images(**changed) -> pd.DataFrame:
    return pd.DataFrame({"image_id": list("abcdef"), "cluster": [1, 1, 1, 1, 2, 2]}).assign(
        **changed
    )


def machine(**changed) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": list("abcdef"),
            "item": "angry",
            "prediction": [1.0, 3.0, 5.0, 7.0, 2.0, 4.0],
            "split": None,
        }
    ).assign(**changed)


def test_corrected_means_are_what_a_calculation_by_hand_gives():
    means = rating_means(few(), predictions=machine(), clustering=images(), variance="image")
    assert means["method"].tolist() == ["machine", "sample", "corrected"]
    # The machine: (4 + 3) / 2; people: (3 + 5) / 2. Lambda: products of distances from the means of
    # clusters, 1 x 1 twice and 0 x 1 twice, divided by the squares of the machine's, 1 four times.
    assert means["lambda"][2] == pytest.approx(0.5)
    assert means["estimate"].tolist() == pytest.approx([3.5, 4, 4 + 0.5 * (3.5 - 2.5)])
    # Residuals are 0.5 away from the means of their clusters, with shares of 1/4; each image has a
    # quarter of the influence on lambda.
    assert means["std_error"][2] == pytest.approx(np.sqrt(2 * 4 * (0.5 / 4 / (1 - 1 / 4)) ** 2))
    assert means["n_predicted"].tolist() == [6, 6, 6]
    corpus = rating_means(few(), weight="corpus", predictions=machine(), clustering=images())
    # With equal images the clusters count 4 and 2, and the squares of their weights are 4 and 1.
    assert corpus["lambda"][2] == pytest.approx(0.8)
    assert corpus["estimate"][2] == pytest.approx(22 / 6 + 0.8 * (22 / 6 - (4 * 2 + 2 * 3) / 6))


CASES = {
    "cluster": {},
    "corpus": {"weight": "corpus"},
    "share": {"weight": "share"},
    "image": {"variance": "image"},
    "respondent": {"variance": "respondent"},
    "weighted": {"respondent_weight": "survey_weight"},
    "month": {"by": ["group", "month"], "weight": "corpus"},
    "clusters": {"by": ["cluster", "group"]},
    "common": {"by": ["month", "group"]},
}
MEANS, GAPS = CASES | {"alone": {"by": None}}, CASES | {"gender": {"by": ["group", "gender"]}}


@pytest.mark.parametrize(
    ("function", "case"),
    [(rating_means, case) for case in MEANS] + [(rating_gaps, case) for case in GAPS],
)
def test_corrected_estimates_are_those_of_r(function, case):
    known = golden("corrected-means" if function is rating_means else "corrected-gaps")
    cases = MEANS if function is rating_means else GAPS
    assert set(known["case"]) == set(cases)
    known = known[known["case"] == case].drop(columns="case").dropna(axis=1, how="all")
    # R lists comparisons with one side as rows without estimates.
    known = known[known["estimate"].notna()].reset_index(drop=True)
    predictions = golden("predictions").assign(split="fold")
    if case in ("common", "alone"):
        predictions = predictions[predictions["group"] == "D"].drop(columns="group")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = function(
            golden("survey"), predictions=predictions, clustering=golden("corpus"), **cases[case]
        )
    pd.testing.assert_frame_equal(
        table.dropna(axis=1, how="all"), known, rtol=1e-8, check_dtype=False, check_like=True
    )


def test_what_does_not_fit_together_is_refused():
    for message, given in {
        "about the rated images alone": {"weight": "none"},
        "the clusters of all images": {"clustering": None},
        "has an effect only": {"predictions": None},
        "names 'image_id'": {"by": "image_id"},
        "1 of 4 rated images are not in": {"clustering": images()[1:]},
        "another cluster": {"clustering": images(cluster=[2, 2, 2, 2, 1, 1])},
        "cluster 1 has 4 images": {"clustering": images().drop(index=2)},
        "must have the columns image_id, item": {"predictions": machine()[["image_id"]]},
        "numbers on the scale": {"predictions": machine(prediction=["no", *"12345"])},
        "several predictions of 'angry'": {
            "predictions": pd.concat([machine(), machine(prediction=9.0)[:1]])
        },
        "none of the items 'angry'": {"predictions": machine(item="joyful")},
        "none for 'group D'": {"predictions": machine(group="R")},
        "trained on 4 of the 4 rated images": {"predictions": machine(split="train")},
    }.items():
        arguments = {"predictions": machine(), "clustering": images()} | given
        with pytest.raises(ImagestrataError, match=message):
            rating_means(few(), **arguments)
    two = few(group=["D", "R", "D", "R"])
    with pytest.raises(ImagestrataError, match="cancel out"):
        rating_gaps(two, predictions=machine(), clustering=images())
    with pytest.raises(ImagestrataError, match="column 'cluster'"):
        rating_means(few().drop(columns="cluster"), predictions=machine(), clustering=images())


def test_what_is_left_out_is_reported():
    with pytest.warns(UserWarning, match="no column 'split'"):
        rating_means(few(), predictions=machine().drop(columns="split"), clustering=images())
    with pytest.warns(UserWarning, match="1 of 6 images have no prediction of 'angry'"):
        rating_means(few(), predictions=machine()[:5], clustering=images())
    more = pd.concat([images(), pd.DataFrame({"image_id": ["g"], "cluster": [3]})])
    with pytest.warns(UserWarning, match="1 of 7 images are in 1 cluster without ratings"):
        rating_means(few(), predictions=machine(), clustering=more)
    exact = few(rating=[1.0, 3.0, 2.0, 4.0])
    with pytest.warns(UserWarning, match="2 corrected rows|1 corrected row"):
        rating_means(exact, predictions=machine(), clustering=images())
    other = pd.concat([few(), few(item="proud")])
    with pytest.warns(UserWarning, match="nothing about 'proud'"):
        means = rating_means(other, predictions=machine(), clustering=images())
    assert means["method"].tolist() == ["machine", "sample", "corrected", "sample"]


def test_labels_by_a_machine_are_predictions_too():
    labels = machine(annotator="model:m").rename(columns={"item": "code", "prediction": "label"})
    found = rating_means(
        few(), predictions=labels.astype({"label": str}).drop(columns="split"), clustering=images()
    )
    known = rating_means(few(), predictions=machine(), clustering=images())
    pd.testing.assert_frame_equal(found, known)
