"""Labels, predictions and a sample are joined, and what does not fit is refused or reported."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from images import write_pictures
from imagestrata import (
    ImagestrataError,
    agreement,
    compare_tags,
    consensus,
    fine_tune,
    label_model,
    label_shares,
    plan_labels,
    sample_training,
    score_clustering,
    score_labels,
)
from imagestrata.labels.observed import observe
from imagestrata.text.calibration import read_truth

# Six images in two clusters; two of the first and one of the second are in the sample.
CLUSTERING = pd.DataFrame({"image_id": [*"abcdef"], "cluster": [1, 1, 1, 1, 2, 2]})
SAMPLE = pd.DataFrame(
    {"image_id": ["a", "b", "e"], "cluster": [1, 1, 2], "N_h": [4, 4, 2], "n_h": [2, 2, 1]}
)
LABELS = pd.DataFrame({"image_id": ["a", "b", "e"], "code": "protest", "label": [1, 0, 1]})
PREDICTIONS = pd.DataFrame(
    {
        "image_id": [*"abcdef"],
        "label": "protest",
        "probability": [0.9, 0.2, 0.8, 0.1, 0.7, 0.3],
        "decision": [True, False, True, False, True, False],
        "split": None,
    }
)


def test_each_image_has_its_label_prediction_and_stratum():
    seen = observe(LABELS, PREDICTIONS, SAMPLE, CLUSTERING)
    (target,) = seen.targets
    assert seen.images["stratum"].tolist() == [0, 0, 0, 0, 1, 1]
    assert (target.code, target.label, target.kind) == ("protest", "1", "binary")
    np.testing.assert_array_equal(target.y, [1, 0, np.nan, np.nan, 1, np.nan])
    np.testing.assert_array_equal(target.f, PREDICTIONS["probability"])
    np.testing.assert_array_equal(target.decided, [1, 0, 1, 0, 1, 0])
    assert (seen.whole, seen.placed, seen.n_images, seen.n_sampled) == (True, True, 6, 3)


def test_without_a_clustering_only_the_strata_of_sampled_images_are_known():
    seen = observe(LABELS, PREDICTIONS, SAMPLE)
    assert seen.images["stratum"].tolist() == [0, 0, -1, -1, 1, -1]
    assert (seen.whole, seen.placed) == (True, False)
    seen = observe(LABELS, None, SAMPLE)
    assert (len(seen.images), seen.whole, seen.n_images) == (3, False, 6)


MACHINE = pd.DataFrame(
    {"image_id": [*"abcdef"], "code": "protest", "label": list("101010"), "annotator": "model:m"}
)


@pytest.mark.filterwarnings("error")
def test_predictions_of_a_language_model_are_labels():
    (target,) = observe(LABELS, MACHINE, SAMPLE).targets
    np.testing.assert_array_equal(target.f, [1, 0, 1, 0, 1, 0])
    with pytest.warns(UserWarning, match="has no column 'split'"):
        observe(LABELS, MACHINE.assign(annotator="m"), SAMPLE)


def test_labels_of_a_machine_are_no_labels_by_people():
    with pytest.raises(ImagestrataError, match=r"All 6 labels in `labels` are by 'model:m'") as no:
        observe(MACHINE, None, SAMPLE)
    assert "Give the labels of the model as `predictions`" in str(no.value)
    both = pd.concat([LABELS.assign(annotator="anna"), MACHINE[3:]])
    with pytest.raises(ImagestrataError, match=r"3 of 6 labels in `labels` are by 'model:m'"):
        observe(both, None, SAMPLE)


def test_every_verb_refuses_labels_of_a_machine(tmp_path):
    pictures = write_pictures(tmp_path / "pictures", 3)
    given = {"labels": MACHINE, "predictions": MACHINE, "sample": SAMPLE}
    for verb in (label_shares, partial(plan_labels, width=0.1), score_labels):
        with pytest.raises(ImagestrataError, match=r"a model\. Nobody knows how often"):
            verb(**given)
    for refused in (
        lambda: label_model("protest ~ cluster", **given),
        lambda: fine_tune(pictures, MACHINE, out=tmp_path / "model", progress=False),
        lambda: sample_training(MACHINE),
        lambda: compare_tags(MACHINE, MACHINE),
        lambda: score_clustering(CLUSTERING, MACHINE),
        lambda: consensus(LABELS.assign(annotator="anna"), meeting=MACHINE),
        lambda: read_truth(MACHINE, [*"abcdef"], ["protest"], False),
    ):
        with pytest.raises(ImagestrataError, match=r"a model\. Nobody knows how often"):
            refused()


def test_a_model_has_no_vote_among_labels():
    people = pd.concat(
        [LABELS.assign(annotator="anna"), LABELS.assign(annotator="ben", label=[1, 1, 1])]
    )
    both = pd.concat([people, MACHINE.assign(label="0")])
    with pytest.warns(UserWarning, match="6 labels by model:m are left out") as told:
        decided = consensus(both)
    assert any("`predictions` to label_shares()" in str(one.message) for one in told)
    assert decided["label"].fillna("").tolist() == ["1", "", "1"]
    assert [*dict.fromkeys(one["annotator"] for one in decided.attrs["disputed"])] == [
        "anna",
        "ben",
    ]
    alone = consensus(MACHINE)
    assert (alone["annotator"] == "model:m").all()
    with pytest.raises(ImagestrataError, match="a model"):
        observe(alone, None, SAMPLE)
    found = agreement(both)
    assert {"people", "people and models"} <= {*found["annotators"]}


def test_a_choice_has_a_target_per_answer():
    labels = LABELS.assign(code="place", label=["street", "square", "street"])
    guesses = pd.DataFrame(
        {
            "image_id": np.repeat([*"abcdef"], 2),
            "label": ["street", "square"] * 6,
            "probability": [0.9, 0.1, 0.2, 0.8] * 3,
            "split": "fold",
        }
    )
    targets = observe(labels, guesses, SAMPLE).targets
    assert [target.label for target in targets] == ["square", "street"]
    np.testing.assert_allclose(targets[0].f + targets[1].f, 1)
    np.testing.assert_array_equal(targets[0].y[:3], [0, 1, np.nan])


def test_a_scale_is_one_target_of_numbers():
    labels = LABELS.assign(code="anger", label=[3, 7, 10])
    guesses = pd.DataFrame({"image_id": [*"abcdef"], "code": "anger", "label": [*"345678"]})
    with pytest.warns(UserWarning, match="split"):
        (target,) = observe(labels, guesses, SAMPLE).targets
    assert (target.kind, target.label) == ("scale", None)
    np.testing.assert_array_equal(target.f, [3, 4, 5, 6, 7, 8])


@pytest.mark.parametrize("ids", [[1, 2, 5], [1.0, 2.0, 5.0], ["1", "2", "5"]])
def test_ids_are_compared_as_text(ids):
    number = {letter: str(i) for i, letter in enumerate("abcdef", 1)}
    clustering = CLUSTERING.assign(image_id=CLUSTERING["image_id"].map(number))
    sample = SAMPLE.assign(image_id=SAMPLE["image_id"].map(number))
    seen = observe(LABELS.assign(image_id=ids), None, sample, clustering)
    assert np.isfinite(seen.targets[0].y).sum() == 3


@pytest.mark.parametrize("label", [[True, False, True], ["1", "0", "1"], [1.0, 0.0, 1.0]])
def test_binary_labels_may_be_numbers_text_or_logical(label):
    (target,) = observe(LABELS.assign(label=label), None, SAMPLE).targets
    assert target.kind == "binary"
    np.testing.assert_array_equal(target.y, [1, 0, 1])


def test_labels_of_copies_are_those_of_the_kept_image():
    copies = pd.DataFrame({"image_id": ["x"], "cluster": [1], "duplicate_of": ["a"]})
    scan = pd.concat([CLUSTERING.assign(duplicate_of=None), copies], ignore_index=True)
    labels = LABELS.assign(image_id=["x", "b", "e"])
    (target,) = observe(labels, None, SAMPLE, scan).targets
    np.testing.assert_array_equal(target.y[:2], [1, 0])
    # The same label twice is one label; another one is a contradiction.
    both = pd.concat([LABELS, labels], ignore_index=True)
    assert np.isfinite(observe(both, None, SAMPLE, scan).targets[0].y).sum() == 3
    both.loc[3, "label"] = 0
    with pytest.raises(ImagestrataError, match="several labels of one code"):
        observe(both, None, SAMPLE, scan)


def test_several_annotators_are_refused():
    labels = pd.concat([LABELS.assign(annotator="x"), LABELS.assign(annotator="y", label=1)])
    with pytest.raises(ImagestrataError, match=r"1 image has .*'b' has '0', '1'"):
        observe(labels, None, SAMPLE)


def test_labels_outside_of_the_sample_are_left_out():
    labels = pd.concat([LABELS, LABELS[:1].assign(image_id="c")])
    with pytest.warns(UserWarning, match="1 of 4 labelled images are not in `sample`, 'c' for one"):
        seen = observe(labels, None, SAMPLE, CLUSTERING)
    assert np.isnan(seen.targets[0].y[2])
    with pytest.raises(ImagestrataError, match="None of the 1 labelled image is in"):
        observe(LABELS[:1].assign(image_id="c"), None, SAMPLE)


def test_missing_labels_are_counted():
    labels = LABELS.assign(label=[1, None, 1])
    with pytest.warns(UserWarning, match="has a label: missing are 1 of 'protest'"):
        seen = observe(labels, None, SAMPLE)
    assert np.isnan(seen.targets[0].y[1])
    with pytest.raises(ImagestrataError, match="All labels"):
        observe(LABELS.assign(label=None), None, SAMPLE)


def test_missing_predictions_are_counted():
    with pytest.warns(UserWarning, match="6 images has a prediction: missing are 2 of 'protest'"):
        seen = observe(LABELS, PREDICTIONS[:4], SAMPLE, CLUSTERING)
    assert np.isnan(seen.targets[0].f[4:]).all()
    with pytest.raises(ImagestrataError, match="`predictions` are of 3 images, but"):
        observe(LABELS, PREDICTIONS[:3], SAMPLE)


def test_a_model_that_saw_the_labels_is_refused():
    guesses = PREDICTIONS.assign(split=["train", "val", "train", None, "test", None])
    with pytest.raises(ImagestrataError, match="trained on 2 of the 3 labelled images"):
        observe(LABELS, guesses, SAMPLE)
    with pytest.warns(UserWarning, match="no column 'split'"):
        observe(LABELS, PREDICTIONS.drop(columns="split"), SAMPLE)


def test_codes_without_predictions_are_named():
    labels = pd.concat([LABELS, LABELS.assign(code="flag")])
    with pytest.warns(UserWarning, match="nothing about 'flag'"):
        seen = observe(labels, PREDICTIONS, SAMPLE)
    assert [target.predicted for target in seen.targets] == [True, False]
    with pytest.raises(ImagestrataError, match="none of the codes 'flag'; they are of 'protest'"):
        observe(LABELS.assign(code="flag"), PREDICTIONS, SAMPLE)


def test_clusters_without_sampled_images_are_reported():
    more = pd.DataFrame({"image_id": ["g", "h"], "cluster": [3, -1]})
    clustering = pd.concat([CLUSTERING, more], ignore_index=True)
    with pytest.warns(UserWarning, match="2 of 8 images are in 2 clusters .* the other 6"):
        seen = observe(LABELS, None, SAMPLE, clustering)
    assert len(seen.images) == 6


def test_images_of_later_waves_are_strata_of_their_own():
    clustering = CLUSTERING.assign(wave=[1, 1, 2, 2, 1, 1])
    sample = pd.DataFrame(
        {
            "image_id": ["a", "c", "d", "e"], "cluster": [1, 1, 1, 2], "wave": [1, 2, 2, 1],
            "N_h": [2, 2, 2, 2], "n_h": [1, 2, 2, 1],
        }
    )  # fmt: skip
    labels = pd.DataFrame({"image_id": [*"acde"], "code": "protest", "label": [1, 0, 0, 1]})
    seen = observe(labels, None, sample, clustering)
    assert seen.images["stratum"].tolist() == [0, 0, 1, 1, 2, 2]


def test_a_sample_after_edits_has_the_strata_before_them():
    edited = CLUSTERING.assign(cluster=1, cluster_found=CLUSTERING["cluster"])
    sample = SAMPLE.assign(cluster=1, stratum=["w1c1", "w1c1", "w1c2"])
    seen = observe(LABELS, None, sample, edited)
    assert seen.images["stratum"].tolist() == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("sample", "match"),
    [
        (None, "`sample` is needed"),
        (SAMPLE[:2].assign(n_h=3), "has 2 images of cluster 1, but 'n_h' says that 3"),
        (SAMPLE.assign(N_h=1), r"more images of cluster 1 \(2\) than the cluster has \(1\)"),
        (pd.concat([SAMPLE, SAMPLE]), "has the image 'a' twice"),
        (SAMPLE.assign(N_h=[5, 5, 2]), "cluster 1 has 5 images, but it has 4"),
        (SAMPLE.assign(image_id=["a", "b", "z"]), "1 of 3 sampled images are not in"),
    ],
)
def test_bad_samples(sample, match):
    with pytest.raises(ImagestrataError, match=match):
        observe(LABELS, None, sample, CLUSTERING)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (LABELS.drop(columns="code"), "lacks the column 'code'"),
        (LABELS.assign(kind="binary", label=[1, 2, 0]), "must be '1' or '0', .* not '2'"),
        (LABELS.assign(kind="scale", label=["1", "x", "0"]), "must be numbers, .* not 'x'"),
        (LABELS.assign(kind=["binary", "scale", "scale"]), "several kinds: 'binary', 'scale'"),
        (LABELS.assign(kind="text", label="words"), "free text only"),
    ],
)
def test_bad_labels(labels, match):
    with pytest.raises(ImagestrataError, match=match):
        observe(labels, None, SAMPLE, CLUSTERING)


@pytest.mark.parametrize(
    ("predictions", "match"),
    [
        (PREDICTIONS[["image_id", "label"]], "must have a column 'probability'"),
        (PREDICTIONS.assign(probability=2.0), "between 0 and 1, not 2.0"),
        (pd.concat([PREDICTIONS, PREDICTIONS.assign(probability=0.5)]), "several predictions"),
        (PREDICTIONS.assign(code="protest", label="yes"), "'protest' must be as its labels"),
    ],
)
def test_bad_predictions(predictions, match):
    with pytest.raises(ImagestrataError, match=match):
        observe(LABELS, predictions, SAMPLE, CLUSTERING)
