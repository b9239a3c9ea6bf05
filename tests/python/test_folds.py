"""Cross-fitting: folds by group and label, predictions of networks that did not see the label."""

from __future__ import annotations

import shutil
import warnings

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
from imagestrata.finetune import training
from imagestrata.finetune.model import outputs_to_probabilities
from imagestrata.finetune.split import fold_images, split_around

NET = "shufflenet_v2_x0_5"
QUICK = {
    "encoder": NET, "epochs": 2, "precision": "float32", "device": "cpu", "progress": False,
    "batch_norm": "batch", "batch_size": 8, "learning_rate": 0.01,
}  # fmt: skip
LAST = {name: QUICK[name] for name in QUICK if name != "batch_norm"} | {"freeze": "backbone"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eighteen pictures whose perceptual hashes differ, and a small copy of the first."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(18):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
        pixels[..., 0] = 230 if number % 2 else 10
        picture = Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:02d}.png")
    with Image.open(folder / "00.png") as picture:
        picture.resize((120, 90)).save(folder / "00-small.png")
    return folder


@pytest.fixture(scope="module")
def labels():
    names = ["00-small.png", *(f"{number:02d}.png" for number in range(18))]
    return pd.DataFrame({"path": names, "red": [0, *(number % 2 for number in range(18))]})


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = torchvision.models.get_model(NET, weights=None).state_dict()
    path = tmp_path_factory.mktemp("weights") / "net.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def model(folder, labels, weights, tmp_path_factory):
    """Three networks, all of whose weights were trained."""
    out = tmp_path_factory.mktemp("run")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fine_tune(folder, labels, folds=3, weights=weights, out=out, **QUICK)


@pytest.fixture(scope="module")
def heads(folder, labels, weights):
    """Three last layers on the same vectors."""
    return fine_tune(folder, labels, folds=3, weights=weights, **LAST | {"epochs": 20})


class TestSplits:
    def test_folds_are_stratified_and_keep_groups(self):
        truth = np.array([[1.0]] * 9 + [[0.0]] * 21, dtype=np.float32)
        groups = np.array([0, 0, 1, 2, 3, 4, 5, 6, 7, *range(8, 29)])
        folds = fold_images(truth, groups, 3, 0)
        assert set(folds) == {1, 2, 3} and folds[0] == folds[1]
        positives = np.bincount(folds[:9], minlength=4)[1:]
        assert positives.tolist() == [3, 3, 3]
        assert np.bincount(folds)[1:].tolist() == [10, 10, 10]
        assert (fold_images(truth, groups, 3, 0) == folds).all()
        assert (fold_images(truth, groups, 3, 1) != folds).any()

    def test_training_and_validation_are_outside_the_fold(self):
        truth = (np.arange(40) % 2 == 0).astype(np.float32)[:, None]
        groups = np.arange(40) // 2
        folds = fold_images(truth, groups, 4, 0)
        for fold in (1, 2, 3, 4):
            split = split_around(fold, folds, truth, groups, (0.75, 0.25, 0), 0)
            assert ((split == "fold") == (folds == fold)).all()
            counts = {name: int((split == name).sum()) for name in ("train", "val", "test")}
            assert counts["test"] == 0 and counts["val"] in (6, 8)
            for group in range(20):
                assert len(set(split[groups == group])) == 1


class TestModel:
    def test_every_image_has_one_prediction_by_a_network_that_did_not_see_it(
        self, model, folder, labels
    ):
        predictions = model.predictions
        assert len(predictions) == 19 and set(predictions["split"]) == {"fold"}
        assert set(predictions["fold"]) == {1, 2, 3}
        first = predictions[predictions["path"].str.contains("00")]
        assert len(first) == 2 and first["fold"].nunique() == 1
        truth = predictions.assign(file=lambda t: t["path"].str.rsplit("/").str[-1])
        expected = labels.set_index("path")["red"][truth["file"]]
        assert truth["truth"].tolist() == expected.tolist()
        sizes = pd.DataFrame(model.training["folds"])
        assert sizes.sum(axis=1).tolist() == [19] * 3 and sizes["fold"].sum() == 19

    def test_the_network_of_a_fold_makes_its_predictions(self, model):
        """Each network is an encoder and a last layer of its own, which can be used by hand."""
        for fold, place in enumerate(model.networks, start=1):
            own = model.predictions[model.predictions["fold"] == fold]
            alone = shutil.copytree(place, place.parent.parent / f"alone-{fold}")
            (alone / "model.json").write_text("{}")
            vectors = embed_images(own["path"].tolist(), model=alone, progress=False)
            found = outputs_to_probabilities("binary", vectors.matrix, model.heads[fold - 1])
            stored = own.set_index("image_id")["probability"][vectors.images["image_id"]]
            assert found[:, 0] == pytest.approx(stored.to_numpy(), abs=1e-5)

    def test_tables(self, model):
        assert set(model.scores["split"]) == {"fold"} and set(model.confusion["split"]) == {"fold"}
        accuracy = model.scores.set_index("measure").loc["accuracy"]
        right = model.predictions["truth"].astype(bool) == model.predictions["decision"]
        assert accuracy["estimate"] == pytest.approx(right.mean()) and accuracy["n"] == 19
        each = right.groupby(model.predictions["fold"]).mean()
        over = model.folds.set_index("measure").loc["accuracy"]
        assert over[["mean", "lowest", "highest", "n_folds"]].tolist() == pytest.approx(
            [each.mean(), each.min(), each.max(), 3]
        )
        assert model.history.groupby("fold").size().tolist() == [4, 4, 4]
        assert model.summary["n_folds"][0] == 3 and model.summary["n_images"][0] == 19
        assert "19 images in 3 folds" in repr(model) and "out-of-fold accuracy" in repr(model)

    def test_it_is_read_as_it_was_written(self, model):
        read = FineTunedModel.load(model.folder)
        for name in ("history", "scores", "confusion", "predictions", "folds"):
            assert_frame_equal(getattr(read, name), getattr(model, name))
        assert len(read.heads) == 3 and len(read.networks) == 3
        hashes = read.encoder["folds_sha256"]
        assert len(set(hashes)) == 3

    def test_progress_counts_epochs_of_all_folds(self, folder, labels, weights):
        seen = []
        fine_tune(
            folder, labels, folds=2, weights=weights,
            **LAST | {"progress": lambda *state: seen.append(state)},
        )  # fmt: skip
        trained = [done for step, done, total in seen if step == "Training" and total == 4]
        assert trained[-1] == 4 and trained == sorted(trained)

    def test_early_stopping_counts_as_done(self, folder, labels, weights):
        seen = []
        model = fine_tune(
            folder, labels, folds=2, weights=weights, early_stopping=1,
            **LAST | {"progress": lambda *s: seen.append(s), "epochs": 40, "learning_rate": 1.0},
        )  # fmt: skip
        assert model.history.groupby("fold")["epoch"].max().min() < 40
        assert [done for step, done, _ in seen if step == "Training"][-1] == 80


class TestPrediction:
    def test_labelled_images_others_and_copies(self, model, folder, tmp_path):
        rng = np.random.default_rng(99)
        pixels = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC).save(
            tmp_path / "new.png"
        )
        shutil.copy(folder / "03.png", tmp_path / "known.png")
        with Image.open(folder / "05.png") as picture:
            picture.resize((140, 105)).save(tmp_path / "copy.jpg", quality=85)
        table = predict_labels(tmp_path, model, progress=False)
        found = table.assign(file=table["path"].str.rsplit("/").str[-1]).set_index("file")
        assert found["split"].isna().to_dict() == {
            "copy.jpg": False, "known.png": False, "new.png": True,
        }  # fmt: skip
        stored = model.predictions.set_index("image_id")
        known = found.loc["known.png"]
        assert known["probability"] == stored.loc[known["image_id"], "probability"]
        by_network = {}
        for fold, place in enumerate(model.networks, start=1):
            alone = shutil.copytree(place, tmp_path.parent / f"{tmp_path.name}-{fold}")
            (alone / "model.json").write_text("{}")
            vectors = embed_images(tmp_path, model=alone, progress=False)
            one = outputs_to_probabilities("binary", vectors.matrix, model.heads[fold - 1])
            by_network[fold] = dict(zip(vectors.images["file"], one[:, 0], strict=True))
        mean = np.mean([by_network[fold]["new.png"] for fold in by_network])
        assert found.loc["new.png", "probability"] == pytest.approx(mean, abs=1e-5)
        original = stored[stored["path"].str.contains("05.png")].iloc[0]
        expected = by_network[original["fold"]]["copy.jpg"]
        assert found.loc["copy.jpg", "probability"] == pytest.approx(expected, abs=1e-5)

    def test_labelled_images_have_their_out_of_fold_predictions(self, model, folder):
        found = predict_labels(folder, model, progress=False).set_index("image_id")
        stored = model.predictions.set_index("image_id")
        assert found["probability"].to_dict() == stored["probability"].to_dict()
        assert set(found["split"]) == {"fold"}

    def test_a_picture_is_decoded_once_for_all_networks(self, model, folder, monkeypatch):
        from imagestrata.corpus import look

        decoded = []
        original = look.decode
        monkeypatch.setattr(look, "decode", lambda *a, **k: decoded.append(1) or original(*a, **k))
        from imagestrata.embeddings import compute

        again = []
        picture = compute.scanned_picture
        monkeypatch.setattr(compute, "scanned_picture", lambda *a: again.append(1) or picture(*a))
        predict_labels(folder, model, progress=False)
        assert len(decoded) + len(again) <= 19

    def test_networks_of_a_shared_encoder(self, heads, folder):
        assert len(heads.networks) == 1 and len(heads.heads) == 3
        vectors = embed_images(folder, model=heads, progress=False)
        found = predict_labels(vectors, heads, progress=False)
        files = predict_labels(folder, heads, progress=False)
        assert_frame_equal(found, files)
        stored = heads.predictions.set_index("image_id")["probability"]
        assert found.set_index("image_id")["probability"].to_dict() == stored.to_dict()

    def test_vectors_of_several_networks_are_refused(self, model, folder):
        with pytest.raises(ImagestrataError, match="consists of 3 networks, one for each fold"):
            embed_images(folder, model=model, progress=False)
        vectors = embed_images(folder, "hog", progress=False)
        with pytest.raises(ImagestrataError, match="consists of 3 networks"):
            predict_labels(vectors, model, progress=False)

    def test_thresholds_come_from_all_labels(self, heads):
        (row,) = calibrate_thresholds(heads).to_dict("records")
        assert (row["n_positive"], row["n_negative"]) == (9, 10)

    def test_several_labels(self, folder, labels, weights):
        several = labels.assign(left=[0, 1] * 9 + [0])
        model = fine_tune(folder, several, folds=2, weights=weights, **LAST)
        found = predict_labels(folder, model, progress=False)
        keys = ["image_id", "label"]
        both = found.merge(model.predictions, on=keys, suffixes=("", "_stored"))
        assert len(both) == 38 and (both["probability"] == both["probability_stored"]).all()


class TestLooking:
    def test_explanations(self, model, folder, tmp_path):
        table = explain_labels(
            folder, model, tmp_path / "maps", label="red", device="cpu", progress=False
        )
        stored = model.predictions.set_index("image_id")["probability"]
        assert table["probability"].to_numpy() == pytest.approx(
            stored[table["image_id"]].to_numpy(), abs=0.02
        )

    def test_figures(self, model, tmp_path):
        drawn = plot_training(model, tmp_path / "training.png")
        lines = drawn.axes[0].lines
        assert len(lines) == 3 + 1 + 2 * 3 + 1
        mean = model.history.query("split == 'val'").groupby("epoch")["loss"].mean()
        assert lines[-1].get_ydata() == pytest.approx(mean.to_numpy())
        assert notes_of(drawn) == [
            "Thin lines: folds, with a point at the epoch that is kept. Thick lines: their means."
        ]
        confusion = plot_confusion(model)
        assert confusion.axes[0].texts
        assert notes_of(confusion)[0].startswith("Numbers: images, by out-of-fold predictions.")
        with pytest.raises(ImagestrataError, match="no images in the split 'test'"):
            plot_confusion(model, split="test")
        if (model.predictions["truth"].astype(bool) != model.predictions["decision"]).any():
            plot_mistakes(model, tmp_path / "mistakes.png")


class TestInterruption:
    @pytest.mark.parametrize("call", [1, 4, 6])
    def test_it_continues_with_the_same_result(
        self, model, folder, labels, weights, tmp_path, monkeypatch, call
    ):
        original, calls = training._Passes.judge, []

        def judge(self, *args):
            calls.append(1)
            if len(calls) == call:
                raise KeyboardInterrupt
            return original(self, *args)

        monkeypatch.setattr(training._Passes, "judge", judge)
        given = {"folds": 3, "weights": weights, "out": tmp_path, **QUICK}
        warnings.simplefilter("ignore")
        with pytest.raises(KeyboardInterrupt):
            fine_tune(folder, labels, **given)
        before = len(calls)
        again = fine_tune(folder, labels, **given)
        assert len(calls) - before == 6 - call + 1  # epochs that were finished are not repeated
        for name in ("history", "scores", "confusion", "predictions", "folds"):
            assert_frame_equal(getattr(again, name), getattr(model, name))
        files = sorted(one.relative_to(model.folder) for one in model.folder.rglob("*.*"))
        for file in files:
            ours, theirs = (place / file for place in (model.folder, again.folder))
            if ours.is_file() and file.suffix != ".json":
                assert ours.read_bytes() == theirs.read_bytes(), file


class TestBadInput:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"folds": 1}, "`folds` must be"),
            ({"folds": 21}, "`folds` must be"),
            ({"folds": 3, "split": (0.6, 0.2, 0.2)}, "each fold is the test of a network"),
            ({"folds": 12}, r"9 images with the label 'red' (?s:.*)use folds=9"),
        ],
    )
    def test_folds(self, folder, labels, weights, given, message):
        with pytest.raises(ImagestrataError, match=message):
            fine_tune(folder, labels, weights=weights, **LAST | given)

    def test_a_split_by_the_user(self, folder, labels, weights):
        given = labels.assign(split=["train", "val"] * 9 + ["train"])
        with pytest.raises(ImagestrataError, match="have a column 'split'"):
            fine_tune(folder, given, weights=weights, folds=3, **LAST)
