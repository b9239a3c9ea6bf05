"""Thresholds, heat maps and figures of a fine-tuned model."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from pandas.testing import assert_frame_equal
from PIL import Image

from clusterings import notes_of
from imagestrata import (
    FineTunedModel,
    ImagestrataError,
    calibrate_thresholds,
    embed_images,
    explain_labels,
    fine_tune,
    plot_confusion,
    plot_mistakes,
    plot_training,
    predict_labels,
)
from imagestrata.encoders.together import eyes
from imagestrata.finetune.explain import _Seer
from labelled import draw_labelled, label_table

NET = "shufflenet_v2_x0_5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_labelled(tmp_path_factory.mktemp("images"), 8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = torchvision.models.get_model(NET, weights=None).state_dict()
    path = tmp_path_factory.mktemp("weights") / "net.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def model(folder, weights):
    """A network whose last layer alone has learnt."""
    return fine_tune(
        folder, label_table(folder), encoder=NET, weights=weights, freeze="backbone", epochs=10,
        precision="float32", device="cpu", progress=False,
    )  # fmt: skip


def with_predictions(model: FineTunedModel, truth, probability) -> FineTunedModel:
    """The same model as if it had said this of its validation images."""
    predictions = pd.DataFrame(
        {
            "image_id": [str(number) for number in range(len(truth))],
            "path": model.predictions["path"].iloc[: len(truth)].tolist(),
            "split": "val",
            "label": "red",
            "truth": truth,
            "probability": probability,
            "decision": np.array(probability) >= 0.5,
        }
    )
    tables = {name: getattr(model, name) for name in ("history", "scores", "confusion")}
    return FineTunedModel(
        model.task, model.labels, tables | {"predictions": predictions}, model.heads,
        model.encoder, model.training, model.folder,
    )  # fmt: skip


class TestThresholds:
    def test_by_hand(self, model):
        odd = with_predictions(model, [1, 1, 1, 0, 0], [0.9, 0.45, 0.35, 0.3, 0.1])
        (row,) = calibrate_thresholds(odd).to_dict("records")
        assert row["threshold"] == pytest.approx(0.325)
        assert row["estimate"] == 1 and row["at_half"] == pytest.approx(0.5)
        assert (row["n_positive"], row["n_negative"]) == (3, 2)

    def test_where_half_is_best_it_stays(self, model):
        good = with_predictions(model, [1, 1, 0, 0], [0.9, 0.8, 0.3, 0.1])
        assert calibrate_thresholds(good)["threshold"].tolist() == [0.5]

    def test_measures_differ(self, model):
        truth = [1] * 2 + [0] * 8
        said = [0.6, 0.2] + [0.55, 0.5] + [0.1] * 6
        odd = with_predictions(model, truth, said)
        found = {m: calibrate_thresholds(odd, measure=m)["threshold"][0] for m in MEASURES}
        assert found["balanced_accuracy"] < found["accuracy"]

    def test_thresholds_are_used(self, model, folder):
        always = predict_labels(folder, model, threshold=0.0, progress=False)
        assert always["decision"].all()
        named = predict_labels(folder, model, threshold={"red": 1.0}, progress=False)
        assert not named["decision"].any() and (named["threshold"] == 1).all()
        calibrated = predict_labels(folder, model, threshold="calibrated", progress=False)
        expected = np.float32(calibrate_thresholds(model)["threshold"][0])
        assert (calibrated["threshold"] == expected).all()

    @pytest.mark.parametrize(
        ("threshold", "message"),
        [
            ("best", "'calibrated' or one number per label"),
            (1.5, "between 0 and 1"),
            ({"blue": 0.5, "red": 0.5}, "it has 'blue'"),
            ({}, "it lacks 'red'"),
        ],
    )
    def test_bad_ones(self, model, folder, threshold, message):
        with pytest.raises(ImagestrataError, match=message):
            predict_labels(folder, model, threshold=threshold, progress=False)

    def test_one_kind_of_image_says_nothing(self, model):
        with pytest.raises(ImagestrataError, match="2 of 2 validation images have"):
            calibrate_thresholds(with_predictions(model, [1, 1], [0.9, 0.4]))

    def test_failed_images_are_rows_with_a_reason(self, model, folder, tmp_path):
        from imagestrata import scan_images

        draw_labelled(tmp_path, 2)
        scanned = scan_images(tmp_path, progress=False)
        (tmp_path / "red" / "01.png").unlink()
        with pytest.warns(UserWarning, match="1 of 4 images could not be embedded"):
            found = predict_labels(scanned, model, progress=False)
        assert len(found) == 4 and found["reason"].notna().sum() == 1
        assert found.loc[found["reason"].notna(), "decision"].isna().all()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Photograph-like pictures, whose perceptual hashes differ."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(20):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
        pixels[..., 0] = 200 if number % 2 else 20
        picture = Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="module")
def learnt(pictures, weights):
    labels = pd.DataFrame(
        {"path": [f"{n:02d}.png" for n in range(16)], "red": [n % 2 for n in range(16)]}
    )
    with pytest.warns(UserWarning, match="4 of 20 images have no label"):
        return fine_tune(
            pictures, labels, encoder=NET, weights=weights, freeze="backbone", epochs=3,
            precision="float32", device="cpu", progress=False,
        )  # fmt: skip


class TestSplit:
    """Which images the model has seen with their labels."""

    def test_images_by_their_ids(self, pictures, learnt):
        found = predict_labels(pictures, learnt, progress=False)
        stored = learnt.predictions.set_index("image_id")["split"]
        known = found["image_id"].isin(stored.index)
        assert found.loc[known, "split"].tolist() == stored[found.loc[known, "image_id"]].tolist()
        assert set(stored) == {"train", "val", "test"}
        assert (~known).sum() == 4 and found.loc[~known, "split"].isna().all()

    def test_copies_by_their_looks(self, pictures, learnt, tmp_path):
        for number in (0, 1, 17):
            with Image.open(pictures / f"{number:02d}.png") as picture:
                picture.resize((120, 90)).save(tmp_path / f"{number:02d}.jpg", quality=80)
        found = predict_labels(tmp_path, learnt, progress=False)
        stored = learnt.predictions.assign(name=lambda t: t["path"].str[-6:-4]).set_index("name")
        assert found["split"].tolist()[:2] == stored.loc[["00", "01"], "split"].tolist()
        assert not set(found["image_id"]) & set(learnt.predictions["image_id"])
        assert found["split"].isna().tolist() == [False, False, True]
        vectors = embed_images(tmp_path, model=learnt, progress=False)
        again = predict_labels(vectors, learnt, progress=False)
        assert_frame_equal(again, found)
        (tmp_path / "00.jpg").unlink()
        with pytest.warns(UserWarning, match="1 of 3 images could not be read"):
            last = predict_labels(vectors, learnt, progress=False)
        assert last["split"].isna().tolist() == [True, False, True]

    def test_hashes_at_the_end_of_a_vector(self):
        numbers = np.array([0, 1, 2**63 + 5, 2**64 - 1], dtype=np.uint64)
        pieces = np.stack([(numbers >> np.uint64(16 * n)) & np.uint64(65535) for n in range(4)])
        assert (eyes(pieces.T.astype(np.float32)) == numbers).all()

    def test_a_model_of_an_older_version_knows_its_own_images(self, model, folder, tmp_path):
        copied = shutil.copytree(model.folder, tmp_path / "model")
        (copied / "seen.parquet").unlink()
        found = predict_labels(folder, copied, progress=False)
        assert found["split"].notna().all()


MEASURES = ("f1", "accuracy", "balanced_accuracy")


class TestExplanations:
    def test_overlays_are_written(self, model, folder, tmp_path):
        table = explain_labels(folder / "red", model, tmp_path / "maps", progress=False)
        assert len(table) == 8 and table["reason"].isna().all()
        with Image.open(table["overlay"][0]) as overlay:
            assert overlay.size == (2 * 224 + 8, 224)
            left, right = (np.asarray(overlay.crop((x, 0, x + 224, 224))) for x in (0, 232))
        assert not np.array_equal(left, right)
        stored = model.predictions.set_index("image_id")["probability"]
        assert table["probability"].to_numpy() == pytest.approx(
            stored[table["image_id"]].to_numpy(), abs=0.02
        )

    def test_heat_is_where_the_label_is(self, model):
        """A network whose one map is redness: the heat lies on the red half."""
        seer = object.__new__(_Seer)
        seer._task, seer.settings = model.task, {"name": "toy"}
        backbone = torch.nn.Sequential(
            torch.nn.Conv2d(3, 1, 16, stride=16, bias=False), torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
        )  # fmt: skip
        with torch.no_grad():
            backbone[0].weight.copy_(
                torch.tensor([1.0, -0.5, -0.5]).view(1, 3, 1, 1).expand(1, 3, 16, 16) / 256
            )
        seer._backbone = backbone
        seer._weight, seer._bias = torch.tensor([[-1.0], [1.0]]), torch.zeros(2)
        half = torch.zeros(1, 3, 224, 224)
        half[:, 0, :, :112] = 1
        maps, outputs = seer._maps(half.requires_grad_())
        (gradient,) = torch.autograd.grad(outputs[0, 1], maps)
        heat = (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1).relu()[0]
        assert heat[:, :7].min() > 0 and heat[:, 7:].max() == 0

    def test_what_cannot_be_explained(self, model, folder, tmp_path):
        with pytest.raises(ImagestrataError, match=r"has no label 'blue'"):
            explain_labels(folder, model, tmp_path, label="blue")
        plain = fine_tune(
            folder, label_table(folder), encoder="hog", freeze="backbone", epochs=2, progress=False
        )
        with pytest.raises(ImagestrataError, match="'hog', which is not a network"):
            explain_labels(folder, plain, tmp_path, progress=False)

    def test_images_that_are_gone(self, model, tmp_path):
        draw_labelled(tmp_path / "images", 2)
        found = predict_labels(tmp_path / "images", model, progress=False)
        (tmp_path / "images" / "red" / "00.png").unlink()
        table = explain_labels(found, model, tmp_path / "maps", label="red", progress=False)
        assert table["overlay"].notna().sum() == 3 and table["reason"].notna().sum() == 1


class TestFigures:
    def test_training(self, model, tmp_path):
        drawn = plot_training({"one": model, "two": model.folder}, tmp_path / "training.png")
        assert len(drawn.axes) == 4 and (tmp_path / "training.png").exists()
        line = drawn.axes[0].lines[1]
        val = model.history[model.history["split"] == "val"]
        assert line.get_ydata().tolist() == val["loss"].tolist()
        # Readable in grey: the lines differ in type.
        assert drawn.axes[0].lines[0].get_linestyle() != line.get_linestyle()
        note = "Dotted line: the epoch that is kept, with the lowest validation loss."
        assert notes_of(drawn) == [note]
        with pytest.raises(ImagestrataError, match="no model"):
            plot_training([])

    def test_confusion(self, model):
        drawn = plot_confusion(model, split="val")
        numbers = sorted(int(text.get_text()) for text in drawn.axes[0].texts)
        cells = model.confusion.query("split == 'val' and n > 0")["n"]
        assert numbers == sorted(cells)
        (note,) = notes_of(drawn)
        assert note.startswith("Numbers: validation images.")
        assert note.endswith("Shade: share of the row.")

    def test_mistakes(self, model, tmp_path):
        wrong = with_predictions(model, [1, 0, 0, 1, 0], [0.1, 0.9, 0.7, 0.8, 0.2])
        drawn = plot_mistakes(wrong, tmp_path / "mistakes.png", split="val")
        *words, note = [text.get_text() for text in drawn.axes[0].texts]
        assert words == ["red", "false positives\n2 of 3", "red", "false negatives\n1 of 2"]
        assert note.startswith("Rows: the label, the kind of mistake")
        assert " ".join(note.split()).endswith("squares, of the validation images.")
        # By default the validation images of a model that has no others.
        assert [text.get_text() for text in plot_mistakes(wrong).axes[0].texts] == [*words, note]
        with pytest.raises(ImagestrataError, match=r"no images in the split 'test'.\nTry split="):
            plot_mistakes(wrong, split="test")
        with pytest.raises(ImagestrataError, match="no mistakes among the 2 images"):
            plot_mistakes(with_predictions(model, [1, 0], [0.9, 0.1]), split="val")
        with pytest.raises(ImagestrataError, match="`label` must be one of"):
            plot_mistakes(wrong, split="val", label="blue")
