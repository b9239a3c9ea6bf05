"""Fine-tuning from images and labels to a stored model, with a tiny network."""

from __future__ import annotations

import inspect
import json
import multiprocessing
import os
import signal
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from torch import nn

import imagestrata
from imagestrata import (
    FineTunedModel,
    ImagestrataError,
    MissingWeightsError,
    embed_images,
    fine_tune,
    predict_labels,
    tune_model,
)
from imagestrata.finetune import training, tune
from imagestrata.finetune.fine_tune import check_settings
from imagestrata.finetune.network import Network, blocks, new_head, spare_slow_gradients
from imagestrata.finetune.pictures import Pictures, centre, training_picture, vary
from imagestrata.finetune.task import first_bias
from imagestrata.finetune.training import Recipe
from labelled import draw_labelled, label_table

NET = "shufflenet_v2_x0_5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_labelled(tmp_path_factory.mktemp("images"), 8)


@pytest.fixture(scope="module")
def labels(folder):
    return label_table(folder)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = torchvision.models.get_model(NET, weights=None).state_dict()
    path = tmp_path_factory.mktemp("weights") / "net.pth"
    torch.save(state, path)
    return path


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


QUICK = {
    "encoder": NET, "epochs": 3, "learning_rate": 0.01, "precision": "float32", "device": "cpu",
    "progress": False, "batch_norm": "batch",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(folder, labels, weights, tmp_path_factory):
    return fine_tune(folder, labels, weights=weights, out=tmp_path_factory.mktemp("model"), **QUICK)


def same(one: FineTunedModel, other: FineTunedModel) -> bool:
    tables = ("history", "scores", "predictions", "confusion")
    return all(getattr(one, name).equals(getattr(other, name)) for name in tables)


class TestModel:
    def test_tables_have_the_columns_of_the_contract(self, model):
        measures = ["loss", "accuracy", "precision", "recall", "f1"]
        assert list(model.history.columns) == ["epoch", "split", *measures]
        assert model.history["epoch"].tolist() == [1, 1, 2, 2, 3, 3]
        assert list(model.scores.columns) == [
            "split", "label", "measure", "estimate", "conf_low", "conf_high", "n",
        ]  # fmt: skip
        assert list(model.predictions.columns) == [
            "image_id", "path", "split", "label", "truth", "probability", "decision",
        ]  # fmt: skip
        sizes = model.predictions["split"].value_counts()
        assert sizes.sum() == 16 and set(sizes.index) == {"train", "val", "test"}
        assert "16" not in repr(model) and "binary (red)" in repr(model)
        assert model.summary.loc[0, "n_train"] == sizes["train"]

    def test_the_best_epoch_is_truly_kept(self, model):
        val = model.history[model.history["split"] == "val"].set_index("epoch")["loss"]
        assert model.training["best_epoch"] == val.idxmin()
        seen = model.predictions[model.predictions["split"] == "val"]
        p = np.where(seen["truth"] == 1, seen["probability"], 1 - seen["probability"])
        assert -np.log(p).mean() == pytest.approx(val.min(), rel=1e-3)

    def test_it_predicts_what_it_stored(self, model, folder):
        found = predict_labels(folder, model, device="cpu", progress=False)
        stored = model.predictions.set_index("path")["probability"]
        assert found["probability"].to_numpy() == pytest.approx(
            stored[found["path"]].to_numpy(), abs=1e-4
        )
        assert (found["decision"] == (found["probability"] >= 0.5)).all()
        assert (found["threshold"] == 0.5).all()

    def test_its_network_is_an_encoder(self, model, folder):
        vectors = embed_images(folder, model=model, device="cpu", progress=False)
        assert vectors.matrix.shape == (16, 1024)
        assert vectors.encoder["fine_tuned"] == ["red"]
        again = embed_images(folder, vectors, device="cpu", progress=False)
        assert np.array_equal(vectors.matrix, again.matrix)
        assert predict_labels(vectors, model).equals(
            predict_labels(folder, model.folder, device="cpu", progress=False)
        )
        plain = embed_images(folder, "hog", progress=False)
        with pytest.raises(ImagestrataError, match="not made by this model"):
            predict_labels(plain, model)

    def test_loading_gives_the_same_and_runs_no_code(self, model):
        loaded = FineTunedModel.load(model.folder.parent)
        assert same(loaded, model) and loaded.labels == model.labels
        assert {path.suffix for path in model.folder.iterdir()} == {
            ".json", ".parquet", ".safetensors",
        }  # fmt: skip
        described = json.loads((model.folder / "model.json").read_text())
        assert described["training"]["settings"]["learning_rate"] == 0.01
        assert described["training"]["data"] and described["training"]["versions"]["torch"]

    def test_asked_again_it_is_loaded_and_other_settings_are_refused(
        self, model, folder, labels, weights, monkeypatch
    ):
        monkeypatch.setattr(training, "train", None)
        out = model.folder.parent
        assert same(fine_tune(folder, labels, weights=weights, out=out, **QUICK), model)
        with pytest.raises(ImagestrataError, match="already holds the step 'fine-tune'"):
            fine_tune(folder, labels, weights=weights, out=out, **QUICK | {"epochs": 4})

    def test_what_is_no_model(self, model, tmp_path):
        with pytest.raises(ImagestrataError, match="no fine-tuned model"):
            predict_labels(tmp_path, tmp_path)
        with pytest.raises(ImagestrataError, match="not an int"):
            predict_labels(tmp_path, 3)
        broken = tmp_path / "model"
        broken.mkdir()
        for path in model.folder.iterdir():
            if path.name != "head.safetensors":
                (broken / path.name).write_bytes(path.read_bytes())
        with pytest.raises(ImagestrataError, match="damaged or incomplete"):
            FineTunedModel.load(tmp_path)


class TestTraining:
    def test_a_seed_decides_everything(self, folder, labels, weights, one_thread):
        given = QUICK | {"epochs": 2}
        torch.manual_seed(1)
        before = torch.random.get_rng_state()
        one = fine_tune(folder, labels, weights=weights, **given)
        assert torch.equal(before, torch.random.get_rng_state())
        torch.manual_seed(2)
        assert same(one, fine_tune(folder, labels, weights=weights, **given))
        other = fine_tune(folder, labels, weights=weights, seed=1, **given)
        assert not one.history.equals(other.history)

    def test_a_killed_run_goes_on(self, folder, labels, weights, tmp_path, one_thread):
        whole = fine_tune(folder, labels, weights=weights, out=tmp_path / "whole", **QUICK)
        out = tmp_path / "killed"
        context = multiprocessing.get_context("spawn")
        child = context.Process(target=train_in_child, args=(folder, labels, weights, out))
        child.start()
        deadline = time.monotonic() + 120
        while not list(out.glob("partial/fine-tune/*/last.safetensors")):
            assert child.is_alive() and time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert not (out / "model" / "model.json").exists()
        learnt = []
        original = training._Passes.learn

        def counted(self, *args):
            learnt.append(1)
            return original(self, *args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training._Passes, "learn", counted)
            resumed = fine_tune(folder, labels, weights=weights, out=out, **QUICK)
        assert len(learnt) < QUICK["epochs"]
        assert same(resumed, whole)
        assert not (out / "partial").exists()

    def test_damaged_checkpoints_are_noticed(self, folder, labels, weights, tmp_path, one_thread):
        out = tmp_path / "run"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training._Passes, "judge", interrupt_in_second_epoch())
            with pytest.raises(KeyboardInterrupt):
                fine_tune(folder, labels, weights=weights, out=out, **QUICK)
        (last,) = out.glob("partial/fine-tune/*/last.safetensors")
        last.write_bytes(last.read_bytes()[:-100])
        whole = fine_tune(folder, labels, weights=weights, **QUICK)
        assert same(fine_tune(folder, labels, weights=weights, out=out, **QUICK), whole)

    def test_early_stopping(self, folder, labels, weights):
        given = QUICK | {"epochs": 30, "learning_rate": 1e-12, "early_stopping": 2}
        model = fine_tune(folder, labels, weights=weights, **given)
        epochs = model.summary.loc[0, "epochs"]
        assert epochs == model.training["best_epoch"] + 2 < 30

    def test_a_loss_that_is_no_number_ends_it(self, folder, labels, weights, monkeypatch):
        with pytest.raises(ImagestrataError, match=r"NaN in epoch 1, so there is no model"):
            fine_tune(folder, labels, weights=weights, **QUICK | {"learning_rate": 1e30})
        original = training._Passes.learn

        def explode(self, *args):
            learnt = original(self, *args)
            explode.calls += 1
            return learnt | ({"loss": float("nan")} if explode.calls == 3 else {})

        explode.calls = 0
        monkeypatch.setattr(training._Passes, "learn", explode)
        with pytest.warns(UserWarning, match="NaN in epoch 3.*epoch [12] is kept.*0.01"):
            model = fine_tune(folder, labels, weights=weights, **QUICK)
        assert model.history["epoch"].max() == 2 and np.isfinite(model.history["loss"]).all()

    def test_the_test_images_are_left_alone_where_they_should_be(
        self, folder, labels, weights, tmp_path
    ):
        grid = {"learning_rate": [0.01, 0.001], "freeze": ["backbone", 2]}
        given = {k: v for k, v in QUICK.items() if k != "learning_rate"}
        table = tune_model(folder, labels, weights=weights, out=tmp_path, grid=grid, **given)
        assert len(table) == 4 and table["loss"].is_monotonic_increasing
        assert list(table.columns) == [
            "classifier", "accuracy", "f1", "precision", "recall", "learning_rate", "freeze",
            "loss", "best_epoch", "folder",
        ]  # fmt: skip
        best = FineTunedModel.load(table["folder"][0])
        assert set(best.predictions["split"]) == {"train", "val"}
        assert not best.training["tested"]

        def never(*args, **kwargs):
            raise AssertionError("trained again")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("imagestrata.finetune.job.WholeNetwork", never)
            patch.setattr("imagestrata.finetune.job.LastLayer", never)
            turned = dict(reversed(grid.items()))
            again = tune_model(folder, labels, weights=weights, out=tmp_path, grid=turned, **given)
        assert again["loss"].tolist() == table["loss"].tolist()

    def test_separate_classifiers_are_table_7_2(self, folder, labels, tmp_path):
        rows = []
        for place, (path, red) in enumerate(labels[["path", "red"]].to_numpy()):
            answer = None if place == 3 else str(red)
            rows.append({"path": path, "code": "red?", "label": answer, "kind": "binary"})
            kind = ["wide", "tall"][place % 2]
            rows.append({"path": path, "code": "shape", "label": kind, "kind": "choice"})
        given = {
            "labels": pd.DataFrame(rows), "out": tmp_path, "separate": True, "encoder": "hog",
            "freeze": "backbone", "epochs": 3, "progress": False,
            "grid": {"learning_rate": [0.001, 0.1]},
        }  # fmt: skip
        with pytest.warns(UserWarning, match="1 of 32 labels are missing"):
            table = tune_model(folder, **given)
        assert table["classifier"].tolist() == ["red?", "shape"]
        assert list(table.columns[1:6]) == [
            "accuracy", "f1", "precision", "recall", "learning_rate",
        ]  # fmt: skip
        points = table.attrs["points"]
        assert len(points) == 4
        best = points.loc[points.groupby("classifier", sort=False)["loss"].idxmin()]
        assert table["loss"].tolist() == best["loss"].tolist()
        first, second = (FineTunedModel.load(place) for place in table["folder"])
        assert (first.task, first.labels) == ("binary", ["red?"])
        assert (second.task, second.labels) == ("multiclass", ["tall", "wide"])
        with pytest.raises(ImagestrataError, match='task="binary" has no effect'):
            tune_model(folder, task="binary", **given)

    def test_a_frozen_backbone_keeps_its_weights(self, folder, labels, weights):
        model = fine_tune(folder, labels, weights=weights, freeze="backbone", **QUICK)
        plain = embed_images(folder, NET, weights=weights, precision="float32", progress=False)
        tuned = embed_images(folder, model=model, progress=False)
        assert np.array_equal(plain.matrix, tuned.matrix)
        assert model.summary.loc[0, "val_accuracy"] == 1

    @pytest.mark.parametrize("encoder", ["hog", "bovw"])
    def test_encoders_that_are_no_networks(self, folder, labels, encoder):
        model = fine_tune(
            folder, labels, encoder=encoder, freeze="backbone", epochs=20, progress=False
        )
        assert predict_labels(folder, model, progress=False)["probability"].notna().all()
        with pytest.raises(ImagestrataError, match=r"cannot be trained further"):
            fine_tune(folder, labels, encoder=encoder, progress=False)

    def test_classes_and_several_labels(self, folder, labels, weights):
        classes = labels.assign(red=labels["path"].str.split("/").str[0]).rename(
            columns={"red": "colour"}
        )
        model = fine_tune(folder, classes, weights=weights, class_weights=True, **QUICK)
        assert model.task == "multiclass"
        found = predict_labels(folder, model, device="cpu", progress=False)
        assert (found.groupby("image_id")["decision"].sum() == 1).all()
        assert found["threshold"].isna().all()
        several = labels.assign(green=1 - labels["red"])
        several.loc[3, "green"] = None
        model = fine_tune(folder, several, weights=weights, class_weights=True, **QUICK)
        assert model.task == "multilabel" and model.predictions["truth"].isna().sum() == 1


@pytest.mark.parametrize("name", ["mnasnet0_5", "googlenet", "squeezenet1_1"])
def test_networks_with_ways_of_their_own(folder, labels, tmp_path, name):
    """Version marks, branches for training, a convolution in place of the last layer."""
    options = {"init_weights": False} if name == "googlenet" else {}
    state = torchvision.models.get_model(name, weights=None, **options).state_dict()
    torch.save(state, tmp_path / "net.pth")
    given = QUICK | {"encoder": name, "epochs": 1}
    model = fine_tune(folder, labels, weights=tmp_path / "net.pth", **given)
    assert predict_labels(folder, model, progress=False)["probability"].between(0, 1).all()


def test_the_default_network_is_trained_explained_and_compared(folder, labels, tmp_path):
    """Training, vectors, labels, heat maps and grids of EfficientNet-Lite0, without any file."""
    quick = {"epochs": 1, "precision": "float32", "device": "cpu", "progress": False}
    model = fine_tune(folder, labels, **quick)
    assert model.encoder["name"] == "efficientnet_lite0"
    vectors = embed_images(folder, model=model, device="cpu", progress=False)
    plain = embed_images(folder, precision="float32", device="cpu", progress=False)
    assert vectors.matrix.shape == plain.matrix.shape == (16, 1280)
    assert not np.allclose(vectors.matrix, plain.matrix, atol=1e-3)
    found = predict_labels(folder, model, device="cpu", progress=False)
    stored = model.predictions.set_index("path")["probability"][found["path"]].to_numpy()
    # A few pixels that are cut from the whole resized picture differ by a grey level or two.
    assert found["probability"].to_numpy() == pytest.approx(stored, abs=2e-3)
    seen = imagestrata.explain_labels(folder, model, tmp_path / "maps", progress=False)
    assert all(Path(path).is_file() for path in seen["overlay"])
    grid = {"optimizer": ["sgd", "adam"], "dropout": [0, 0.3]}
    tuned = tune_model(folder, labels, out=tmp_path, grid=grid, freeze="backbone", **quick)
    assert len(tuned) == 4 and tuned["loss"].is_monotonic_increasing


class TestNetwork:
    def network(self, **given):
        backbone = torchvision.models.resnet18(weights=None)
        backbone.fc = nn.Identity()
        look = {"width": 512, "mean": [0.5] * 3, "sd": [0.2] * 3}
        defaults = {"n_frozen": 0, "batch_norm": "fixed", "dropout": 0, "seed": 0}
        bias = np.array([-1, 1], dtype=np.float32)
        return Network(backbone, look, bias, **defaults | given)

    def test_blocks_are_those_of_the_network(self):
        names = [name for name, _ in blocks(self.network().backbone)]
        assert names == ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4"]
        features = [name for name, _ in blocks(torchvision.models.mobilenet_v2(weights=None))]
        assert features[0] == "features.0" and len(features) == 20

    def test_frozen_blocks_and_statistics_stay(self):
        network = self.network(n_frozen=3).train()
        before = {key: value.clone() for key, value in network.state_dict().items()}
        optimizer = torch.optim.SGD([w for w in network.parameters() if w.requires_grad], 0.1)
        network(torch.randint(0, 255, (2, 64, 64, 3), dtype=torch.uint8)).sum().backward()
        optimizer.step()
        changed = {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
        assert not any(
            key.startswith(("backbone.conv1", "backbone.bn1", "backbone.layer1")) for key in changed
        )
        assert not any("running" in key for key in changed)
        assert "backbone.layer4.1.conv2.weight" in changed and "head.weight" in changed

    def test_batch_statistics_move_if_they_may(self):
        network = self.network(batch_norm="batch").train()
        before = network.backbone.bn1.running_mean.clone()
        network(torch.randint(0, 255, (2, 64, 64, 3), dtype=torch.uint8))
        assert not torch.equal(before, network.backbone.bn1.running_mean)

    def test_the_new_layer_is_small_and_seeded(self):
        head = self.network().head
        assert float(head.weight.detach().std()) == pytest.approx(
            0.01, rel=0.2
        ) and head.bias.tolist() == [-1, 1]
        assert torch.equal(head.weight, self.network().head.weight)
        assert not torch.equal(head.weight, self.network(seed=1).head.weight)

    def test_slow_gradients_are_computed_in_float32(self):
        """Depthwise filters other than 3 x 3 without a stride; results are the same."""
        shapes = [(3, 1), (5, 1), (3, 2)]
        layers = nn.Sequential(
            *(nn.Conv2d(8, 8, side, stride, groups=8) for side, stride in shapes),
            nn.Conv2d(8, 4, 1),
        )
        maps, types = torch.rand(2, 8, 20, 20), []
        exact = layers(maps)
        exact.sum().backward()
        gradients = [weight.grad.clone() for weight in layers.parameters()]
        layers.zero_grad()
        spare_slow_gradients(layers)
        for layer in layers:
            layer.register_forward_hook(lambda _, __, output: types.append(output.dtype))
        with torch.autocast("cpu", torch.bfloat16):
            output = layers(maps)
        output.float().sum().backward()
        low, high = torch.bfloat16, torch.float32
        assert types == [low, high, high, low]
        assert torch.allclose(output.float(), exact, atol=0.02)
        for weight, gradient in zip(layers.parameters(), gradients, strict=True):
            assert torch.allclose(weight.grad, gradient, rtol=0.05, atol=0.05)

    def test_dropout_is_active_in_training_only(self):
        head = new_head(1000, np.zeros(1, dtype=np.float32), 0.25, 0)
        head.weight.data.fill_(1)
        torch.manual_seed(0)
        kept = head.train()(torch.ones(1, 1000)).item() * 0.75  # the others are scaled up
        assert kept != 1000 and kept == pytest.approx(750, abs=60)
        assert head.eval()(torch.ones(1, 1000)).item() == 1000


class TestOptimizers:
    """One step on two images of two classes, against gradients by hand."""

    START = np.array([[0.3, -0.2], [0.1, 0.4]], dtype=np.float32)
    X = np.array([[1.0, 2.0], [-1.0, 0.5]], dtype=np.float32)

    def after_one_step(self, tmp_path=None, epochs=1, **given):
        head = new_head(2, np.zeros(2, dtype=np.float32), 0, 0)
        head.weight.data = torch.from_numpy(self.START.copy())
        recipe = Recipe(**{
            "optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.0, "batch_size": 2,
            "epochs": epochs, "step_size": 9, "gamma": 1, "max_gradient_norm": None,
            "class_weights": False, "patience": None, "seed": 0,
        } | given)  # fmt: skip
        rows = np.arange(2)
        training.train(
            head, lambda rows, _: lambda: torch.from_numpy(self.X[list(rows)]), "multiclass",
            np.eye(2, dtype=np.float32), rows, rows, recipe, device=torch.device("cpu"),
            dtype=torch.float32, folder=tmp_path, progress=False,
        )  # fmt: skip
        return head.weight.detach().numpy()

    def gradient(self):
        outputs = self.X @ self.START.T
        p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        return (p - np.eye(2)).T @ self.X / 2

    def test_sgd(self):
        assert self.after_one_step() == pytest.approx(self.START - 0.1 * self.gradient(), abs=1e-6)

    def test_steps_are_fused_where_that_is_faster(self):
        layer = nn.Conv2d(2, 3, 3)
        recipe = Recipe("sgd", 0.1, 0.9, 4, 1, 7, 0.1, None, False, None, 0)

        def fused():
            return training._optimizer([*layer.parameters()], recipe, fused=True).defaults["fused"]

        assert fused()
        layer.to(memory_format=torch.channels_last)
        assert not fused()

    def test_adam_moves_every_weight_by_the_learning_rate(self):
        step = 0.1 * self.gradient() / (np.abs(self.gradient()) + 1e-8)
        assert self.after_one_step(optimizer="adam") == pytest.approx(self.START - step, abs=1e-6)
        decayed = self.START * (1 - 0.1 * 0.01)  # torch's default decay
        assert self.after_one_step(optimizer="adamw") == pytest.approx(decayed - step, abs=1e-6)

    @pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
    def test_an_interrupted_training_continues_with_its_state(self, optimizer, tmp_path):
        given = {"optimizer": optimizer, "momentum": 0.9, "learning_rate": 0.01}
        whole = self.after_one_step(epochs=4, **given)
        self.after_one_step(tmp_path, epochs=2, **given)
        assert np.array_equal(self.after_one_step(tmp_path, epochs=4, **given), whole)


ELEMENT = {
    "batch_norm": "batch", "bias": "zero", "max_gradient_norm": None, "split": (0.8, 0.2, 0),
    "epochs": 50, "batch_size": 4, "learning_rate": 0.001, "momentum": 0.9, "step_size": 7,
    "gamma": 0.1, "optimizer": "sgd", "dropout": 0, "rotation": 0, "freeze": "none",
    "augmentation": "crop_flip", "class_weights": False, "early_stopping": None,
}  # fmt: skip


class TestPreset:
    def settings(self, **given):
        signature = inspect.signature(fine_tune).parameters
        defaults = {name: signature[name].default for name in tune._DEFAULTS} | {"seed": 0}
        return check_settings(**defaults | given)

    def test_element_is_the_literal_settings(self):
        assert self.settings(preset="element") == self.settings(**ELEMENT)
        usual = self.settings()
        assert usual["split"] == [0.6, 0.2, 0.2] and usual["max_gradient_norm"] == 5
        assert (usual["batch_norm"], usual["bias"]) == ("fixed", "shares")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("batch_norm", "fixed"), ("bias", "shares"), ("max_gradient_norm", 5.0),
            ("split", [0.6, 0.2, 0.2]), ("epochs", 3), ("optimizer", "adam"), ("dropout", 0.5),
        ],
    )  # fmt: skip
    def test_arguments_win_over_it(self, name, value):
        assert self.settings(preset="element", **{name: value})[name] == value
        assert self.settings(max_gradient_norm=None)["max_gradient_norm"] is None

    def test_a_model_of_it(self, folder, labels, weights):
        given = {name: QUICK[name] for name in QUICK if name != "batch_norm"}
        model = fine_tune(
            folder, labels, weights=weights, preset="element", optimizer="adamw", dropout=0.2,
            rotation=20, **given | {"learning_rate": 0.001},
        )  # fmt: skip
        settings = model.training["settings"]
        assert settings["bias"] == "zero" and settings["max_gradient_norm"] is None
        assert (settings["optimizer"], settings["dropout"], settings["rotation"]) == (
            "adamw", 0.2, 20,
        )  # fmt: skip
        assert model.training["images"]["test"] == 0 and not model.training["tested"]

    def test_biases(self):
        truth = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
        assert first_bias("multiclass", truth, "zero").tolist() == [0, 0]
        assert first_bias("binary", truth[:, :1], "zero").tolist() == [0, 0]
        assert first_bias("multilabel", truth, "zero").tolist() == [0, 0]
        shares = np.exp(first_bias("multiclass", truth))
        assert shares == pytest.approx([1.5 / 4, 2.5 / 4])


class TestPictures:
    def test_they_come_back_as_they_went(self):
        store, rng = Pictures(), np.random.default_rng(0)
        pictures = [rng.integers(0, 255, (h, 7, 3), dtype=np.uint8) for h in (3, 9, 5)]
        for picture in pictures:
            store.append(picture)
        assert len(store) == 3
        assert all(np.array_equal(store[i], pictures[i]) for i in (2, 0, 1))

    def test_the_middle_is_what_encoders_see(self, folder, weights):
        from PIL import Image

        from imagestrata.encoders.registry import make_encoder

        with Image.open(folder / "red" / "00.png") as image:
            for mode in ("rescale_crop", "squish", "crop", "pad"):
                encoder = make_encoder(NET, weights=weights, resize=mode)
                square = centre(training_picture(image.convert("RGB"), encoder.settings), 224)
                difference = square.astype(int) - encoder.prepare(image.convert("RGB"))
                assert np.abs(difference).max() <= 1

    def test_crops_and_flips(self):
        rows = np.arange(32, dtype=np.uint8)
        picture = np.stack([np.tile(rows, (24, 1))] * 3, axis=-1)
        torch.manual_seed(0)
        assert np.array_equal(vary(picture, 16, "none")(), centre(picture, 16))
        flips = {bool(vary(picture, 16, "flip")()[0, 0, 0] > 16) for _ in range(20)}
        assert flips == {True, False}
        crops = [vary(picture, 16, "crop")() for _ in range(20)]
        assert len({crop.tobytes() for crop in crops}) == 20
        assert all((np.diff(crop[0, :, 0].astype(int)) >= 0).all() for crop in crops)

    def test_rotation_is_seeded_and_keeps_the_size(self):
        picture = np.zeros((41, 61, 3), dtype=np.uint8)
        picture[20, 30:, 0] = 255  # a hand from the middle to the right

        def angles(seed, rotation):
            torch.manual_seed(seed)
            found = []
            for _ in range(30):
                square = vary(picture, 41, "none", rotation)()
                assert square.shape == (41, 41, 3)
                rows, columns = np.nonzero(square[..., 0] > 60)
                far = np.argmax(np.hypot(rows - 20, columns - 20))
                found.append(np.degrees(np.arctan2(20 - rows[far], columns[far] - 20)))
            return np.array(found)

        few = angles(0, 30)
        assert np.array_equal(few, angles(0, 30)) and not np.array_equal(few, angles(1, 30))
        assert -33 < few.min() < -15 and 15 < few.max() < 33
        assert not angles(0, 0).any()


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"freeze": "head"}, "'none', 'backbone'"),
            ({"freeze": 99}, "has 5 blocks: conv1, stage2"),
            ({"augmentation": "rotate"}, "`augmentation` must be one of"),
            ({"batch_norm": "off"}, "`batch_norm` must be one of"),
            ({"learning_rate": 0}, "`learning_rate` must be greater than 0"),
            ({"momentum": 1}, "`momentum`"),
            ({"split": (0.5, 0.5)}, "`split` must be the shares"),
            ({"split": (0.5, 0.2, 0.2)}, "does not sum to 1"),
            ({"epochs": 0}, "`epochs` must be at least 1"),
            ({"early_stopping": 0}, "`early_stopping`"),
            ({"preset": "paper"}, "`preset` must be one of 'element'"),
            ({"bias": "ones"}, "`bias` must be one of"),
            ({"dropout": 1}, "`dropout`"),
            ({"optimizer": "lion"}, "`optimizer` must be one of"),
            ({"optimizer": "adam", "momentum": 0.7}, "momentum=0.7 has no effect with"),
            ({"rotation": 181}, "`rotation`"),
            ({"rotation": 5, "freeze": "backbone"}, "rotation=5.0 has no effect with"),
            ({"max_gradient_norm": "none"}, "`max_gradient_norm` must be a finite number"),
            ({"max_gradient_norm": 0}, "`max_gradient_norm` must be greater than 0"),
        ],
    )
    def test_arguments(self, folder, labels, weights, arguments, message):
        with pytest.raises(ImagestrataError, match=message):
            fine_tune(folder, labels, weights=weights, **QUICK | arguments)

    def test_no_weights(self, folder, labels, tmp_path, monkeypatch):
        with pytest.raises(MissingWeightsError, match="does not exist"):
            fine_tune(folder, labels, weights=tmp_path / "none.pth", **QUICK)

    def test_a_split_without_a_class(self, folder, labels, weights):
        with pytest.raises(ImagestrataError, match=r"The split 'train'.*lacks.*'red'"):
            given = labels.assign(split=np.where(labels["red"] == 1, "val", "train"))
            fine_tune(folder, given, weights=weights, **QUICK)
        few = labels.assign(split=["train"] * 6 + ["val"] * 2 + ["train"] * 7 + ["test"])
        with pytest.warns(UserWarning, match="The split '(val|test)'.*lacks"):
            fine_tune(folder, few, weights=weights, **QUICK | {"freeze": "backbone"})
        with pytest.raises(ImagestrataError, match=r"The split 'val' \(0 images\)"):
            fine_tune(folder, labels.assign(split="train"), weights=weights, **QUICK)

    def test_images_that_changed_since_the_scan(self, tmp_path, labels, weights):
        folder = draw_labelled(tmp_path, 8)
        scanned = imagestrata.scan_images(folder, progress=False)
        (folder / "red" / "00.png").write_bytes((folder / "green" / "00.png").read_bytes())
        with pytest.warns(UserWarning, match="1 of 16 labelled images.*: changed"):
            model = fine_tune(scanned, labels, weights=weights, freeze="backbone", **QUICK)
        assert model.predictions["image_id"].nunique() == 15

    @pytest.mark.parametrize(
        ("grid", "message"),
        [
            ({}, "`grid` must contain lists"),
            ({"drop_out": [0.1]}, "'drop_out' is not a setting"),
            ({"optimizer": ["sgd", "adam"], "momentum": [0.7]}, "momentum=0.7 has no effect"),
            ({"seed": [1, 2]}, "'seed' is not a setting"),
            ({"momentum": []}, "no value for 'momentum'"),
            ({"epochs": [1]}, "both in the grid and given"),
        ],
    )
    def test_grids(self, folder, labels, weights, tmp_path, grid, message):
        with pytest.raises(ImagestrataError, match=message):
            tune_model(folder, labels, out=tmp_path, grid=grid, weights=weights, epochs=2)

    def test_nothing_is_left_behind(self, folder, labels, weights, monkeypatch, tmp_path):
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        with pytest.raises(ImagestrataError):
            fine_tune(folder, labels, weights=weights, **QUICK | {"learning_rate": 1e30})
        model = fine_tune(folder, labels, weights=weights, freeze="backbone", **QUICK)
        assert model.folder.exists()
        del model
        import gc

        gc.collect()
        assert not list(tmp_path.glob("imagestrata-*"))


def train_in_child(folder: Path, labels: pd.DataFrame, weights: Path, out: Path) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    fine_tune(folder, labels, weights=weights, out=out, **QUICK)


def interrupt_in_second_epoch():
    original = training._Passes.judge
    calls = []

    def judge(self, *args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, *args)

    return judge
