"""Tags by real classifiers of torchvision, with small weights made for the test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from PIL import Image

from clusterings import hand_made
from images import encode, write_files, write_pictures
from imagestrata import (
    ImagestrataError,
    cluster_keywords,
    scan_images,
    tag_frequencies,
    tag_images,
)
from imagestrata.encoders import cnn

LABELS = ["red", "green", "blue"]


@pytest.fixture(scope="module")
def colour_weights(tmp_path_factory):
    """A SqueezeNet whose last layer is set so that we know what it says: class 1 always leads."""
    path = tmp_path_factory.mktemp("weights") / "colours.pth"
    torch.manual_seed(0)
    model = torchvision.models.squeezenet1_1(num_classes=3)
    last = model.classifier[1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.log(torch.tensor([2.0, 5.0, 3.0])))
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture
def pictures(tmp_path):
    return write_pictures(tmp_path / "pictures", 3)


def tag(images, weights, *, classifier="squeezenet1_1", labels=LABELS, **options):
    options = {"device": "cpu", "precision": "float32", "progress": False} | options
    return tag_images(images, classifier, weights=weights, labels=labels, **options)


def test_worked_by_hand(pictures, colour_weights):
    """Scores log 2, log 5, log 3: confidences .2, .5, .3."""
    tags = tag(pictures, colour_weights)
    columns = ["image_id", "path", "file", "rank", "label", "confidence", "annotator", "reason"]
    assert tags.columns.tolist() == columns
    assert (tags["annotator"] == "model:squeezenet1_1").all()
    assert tags["label"].tolist() == ["green", "blue", "red"] * 3
    assert tags["rank"].tolist() == [1, 2, 3] * 3
    assert tags["confidence"].to_numpy() == pytest.approx([0.5, 0.3, 0.2] * 3)
    assert tags["reason"].isna().all()
    assert tags["image_id"].nunique() == 3


def test_few_and_confident_tags_only(pictures, colour_weights):
    assert tag(pictures, colour_weights, n_tags=1)["label"].tolist() == ["green"] * 3
    sure = tag(pictures, colour_weights, min_confidence=0.25)
    assert sure["label"].tolist() == ["green", "blue"] * 3
    none = tag(pictures, colour_weights, min_confidence=0.9)
    assert none["reason"].tolist() == ["below min_confidence"] * 3
    assert none[["rank", "label", "confidence"]].isna().all().all()


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18"])
def test_scores_are_those_of_torchvision(tmp_path, name):
    """The whole road against the library's own: same picture, same transforms, same numbers."""
    torch.manual_seed(1)
    model = torchvision.models.get_model(name, num_classes=5).eval()
    path = tmp_path / "weights.pth"
    torch.save(model.state_dict(), path)
    values = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    picture = Image.fromarray(values)
    folder = write_files(tmp_path / "pictures", {"one.png": encode(picture)})
    tags = tag(folder, path, classifier=name, labels=list("abcde"))
    look = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    with torch.inference_mode():
        expected = model(look(picture)[None]).softmax(1)[0].numpy()
    order = np.argsort(-expected)
    assert -np.diff(expected[order]).max() > 1e-3  # no ties, or the order would say nothing
    assert tags["label"].tolist() == [list("abcde")[i] for i in order]
    assert tags["confidence"].to_numpy() == pytest.approx(expected[order], rel=1e-3)


def test_labels_of_imagenet(pictures, tmp_path):
    torch.manual_seed(2)
    path = tmp_path / "thousand.pth"
    torch.save(torchvision.models.squeezenet1_1().state_dict(), path)
    tags = tag(pictures, path, labels=None)
    names = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"]
    assert len(tags) == 15
    assert set(tags["label"]) <= set(names)


def test_a_classifier_keeps_no_branches_of_training():
    model, unused = cnn._built("googlenet", 224)
    assert unused == ["aux1", "aux2"]
    assert cnn.last_layer(model)[0] == "fc"


def test_unreadable_images_are_rows(pictures, colour_weights):
    images = scan_images(pictures, progress=False)
    (pictures / "001.png").unlink()
    with pytest.warns(UserWarning, match=r"1 of 3 images could not be tagged: file not found"):
        tags = tag(images, colour_weights, n_tags=1)
    assert tags["label"].fillna("").tolist() == ["green", "", "green"]
    assert tags["reason"].fillna("").tolist() == ["", "file not found", ""]


def test_stored_and_resumed(pictures, colour_weights, tmp_path, monkeypatch):
    run = tmp_path / "run"
    tags = tag(pictures, colour_weights, out=run)
    monkeypatch.setattr(cnn.TorchvisionClassifier, "encode", None)  # nothing is computed again
    pd.testing.assert_frame_equal(tag(pictures, colour_weights, out=run), tags)
    with pytest.raises(ImagestrataError, match="'tag' with n_tags=5"):
        tag(pictures, colour_weights, out=run, n_tags=2)


def test_tags_become_keywords_and_frequencies():
    clustering = hand_made([None] * 4, [1, 1, 2, 2])
    ids = clustering.images["image_id"]
    tags = pd.DataFrame(
        {
            "image_id": [ids[0], ids[0], ids[1], ids[2], ids[3], "other"],
            "label": ["sea lion", "rock", "sea lion", "tennis ball", "tennis ball", None],
            "confidence": [0.9, 0.1, 0.5, 0.4, 0.6, None],
        }
    )
    words = cluster_keywords(clustering, tags, column="label", separator=";")
    assert words["term"].tolist() == ["sea lion", "tennis ball"]
    table = tag_frequencies(tags)
    assert table["label"].tolist() == ["sea lion", "tennis ball", "rock"]
    assert table["n_images"].tolist() == [2, 2, 1]
    assert table["share"].tolist() == [0.4, 0.4, 0.2]
    assert table["mean_confidence"].to_numpy() == pytest.approx([0.7, 0.5, 0.1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": None}, "have 3 classes, not those of ImageNet"),
        ({"labels": ["red"]}, "has 1 name, but the weights have 3 classes"),
        ({"labels": "red"}, "`labels` must be the names"),
        ({"classifier": "hog"}, "needs no weights"),
        ({"n_tags": 0}, "`n_tags` must be at least 1"),
        ({"min_confidence": 2}, "`min_confidence` must be between 0 and 1"),
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"resize": "bend"}, "`resize` must be one of"),
    ],
)
def test_bad_arguments(pictures, colour_weights, options, message):
    with pytest.raises(ImagestrataError, match=message):
        tag(pictures, colour_weights, **options)


def test_not_a_classifier(pictures, colour_weights, tmp_path):
    with pytest.raises(ImagestrataError, match="has no labels"):
        tag_images(pictures, "hog", progress=False)
    weights = torch.load(colour_weights)
    torch.save({k: v for k, v in weights.items() if "classifier" not in k}, tmp_path / "cut.pth")
    with pytest.raises(ImagestrataError, match="does not contain the last layer"):
        tag(pictures, tmp_path / "cut.pth")


def test_frequencies_of_nothing():
    with pytest.raises(ImagestrataError, match="`tags` lacks the column 'image_id'"):
        tag_frequencies(pd.DataFrame({"tag": ["a"]}))
    with pytest.raises(ImagestrataError, match="None of 1 image has a label"):
        tag_frequencies(pd.DataFrame({"image_id": ["a"], "label": [None]}))
