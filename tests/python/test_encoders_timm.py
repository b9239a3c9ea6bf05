"""Networks of timm: tiny ones of its own, and Xception, all with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from imagestrata import ImagestrataError, MissingWeightsError, fine_tune, list_encoders
from imagestrata.encoders.registry import make_encoder, restore_encoder
from networks import ImageList, close_to, hub_with, offline, pictures

NET = "test_resnet"


def network(name: str, **options: Any) -> nn.Module:
    """A network whose batch norms do something, as after training."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: nn.Module = timm.create_model(name, **options).eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.uniform_(module.running_mean, -0.1, 0.1)
                nn.init.uniform_(module.weight, 0.5, 1.5)
    return model


def theirs(model: nn.Module, images: ImageList) -> Any:
    """What timm itself makes of pictures: its own preparation, and the last layer left out."""
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    with torch.inference_mode():
        batch = torch.stack([prepare(image) for image in images])
        return model.forward_head(model.forward_features(batch), pre_logits=True).numpy()


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("timm") / "net.pth"
    torch.save(network(NET).state_dict(), path)
    return path


class TestVectors:
    @pytest.mark.parametrize(
        "name",
        ["legacy_xception", "test_byobnet", "test_convnext", "test_efficientnet", NET, "test_vit"],
    )
    def test_those_of_timm_itself(self, name: str, tmp_path: Path) -> None:
        model = network(name)
        torch.save(model.state_dict(), tmp_path / "net.pth")
        encoder = make_encoder(
            f"timm:{name}", weights=tmp_path / "net.pth", precision="float32", device="cpu"
        )
        images = pictures()[:2]
        vectors = encoder.encode([encoder.prepare(image) for image in images])
        assert vectors.shape == (len(images), encoder.width)
        close_to(vectors, theirs(model, images))

    def test_one_by_one_and_together(self, weights_file: Path) -> None:
        encoder = make_encoder(f"timm:{NET}", weights=weights_file, precision="float32")
        prepared = [encoder.prepare(image) for image in pictures()]
        single = np.concatenate([encoder.encode([one]) for one in prepared])
        np.testing.assert_allclose(encoder.encode(prepared), single, atol=1e-5)

    def test_bfloat16_stays_close(self, weights_file: Path) -> None:
        exact, quick = (
            make_encoder(f"timm:{NET}", weights=weights_file, precision=precision, device="cpu")
            for precision in ("float32", "bfloat16")
        )
        prepared = [exact.prepare(image) for image in pictures()]
        close_to(quick.encode(prepared), exact.encode(prepared), cosine=0.995)

    def test_settings_are_those_of_timm(self, weights_file: Path) -> None:
        settings = make_encoder(f"timm:{NET}", weights=weights_file, precision="float32").settings
        del settings["weights_sha256"]
        assert settings == {
            "name": "timm:test_resnet",
            "width": 96,
            "weights": str(weights_file),
            "published": "r160_in1k",
            "resize": "rescale_crop",
            "input_size": 160,
            "short_side": 168,  # 160 / 0.95, rounded down
            "interpolation": "bilinear",
            "mean": [0.5, 0.5, 0.5],
            "sd": [0.5, 0.5, 0.5],
            "precision": "float32",
        }

    def test_xception_is_that_of_the_registry(self, tmp_path: Path) -> None:
        config = timm.get_pretrained_cfg("legacy_xception")
        line = list_encoders().set_index("name").loc["timm:legacy_xception"]
        assert config.url.endswith("/" + line["needs"])
        assert line["input"] == config.input_size[1]


class TestWeights:
    @pytest.mark.parametrize("change", ["no last layer", "7 classes", "safetensors", "a folder"])
    def test_files_that_hold_the_same_network(
        self, change: str, weights_file: Path, tmp_path: Path
    ) -> None:
        state = torch.load(weights_file)
        path = tmp_path / "other.pth"
        if change == "no last layer":
            torch.save({key: state[key] for key in state if not key.startswith("fc.")}, path)
        elif change == "7 classes":
            width = state["fc.weight"].shape[1]
            torch.save(
                state | {"fc.weight": torch.zeros(7, width), "fc.bias": torch.zeros(7)}, path
            )
        elif change == "safetensors":
            path = tmp_path / "other.safetensors"
            save_file(state, path)
        else:
            path = tmp_path / "stored"
            path.mkdir()
            save_file(state, path / "model.safetensors")
        encoders = [
            make_encoder(f"timm:{NET}", weights=one, precision="float32")
            for one in (path, weights_file)
        ]
        image = pictures()[0]
        one, other = (encoder.encode([encoder.prepare(image)]) for encoder in encoders)
        np.testing.assert_array_equal(one, other)
        assert encoders[0].settings["weights_sha256"] != encoders[1].settings["weights_sha256"]

    def test_a_stored_folder_says_how_pictures_look(self, tmp_path: Path) -> None:
        model = network("test_vit", img_size=96)
        save_file(model.state_dict(), tmp_path / "model.safetensors")
        look = {"mean": [0.1, 0.2, 0.3], "input_size": [3, 96, 96], "crop_pct": 1.0}
        (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": look}))
        encoder = make_encoder("timm:test_vit", weights=tmp_path, precision="float32")
        assert encoder.settings["mean"] == [0.1, 0.2, 0.3]
        assert (encoder.settings["input_size"], encoder.settings["short_side"]) == (96, 96)
        model.pretrained_cfg |= look
        images = pictures()[:2]
        vectors = encoder.encode([encoder.prepare(image) for image in images])
        close_to(vectors, theirs(model, images))

    def test_weights_of_another_network(self, weights_file: Path) -> None:
        with pytest.raises(ImagestrataError, match=r"weights of timm:test_vit: .*cls_token"):
            make_encoder("timm:test_vit", weights=weights_file)

    def test_a_layer_that_is_missing(self, weights_file: Path, tmp_path: Path) -> None:
        state = torch.load(weights_file)
        del state["layer1.0.conv1.weight"]
        torch.save(state, tmp_path / "net.pth")
        with pytest.raises(ImagestrataError, match=r"Missing.*layer1\.0\.conv1\.weight"):
            make_encoder(f"timm:{NET}", weights=tmp_path / "net.pth")

    def test_a_pickled_network_is_not_run(self, tmp_path: Path) -> None:
        torch.save(network(NET), tmp_path / "net.pth")
        with pytest.raises(ImagestrataError, match="UnpicklingError"):
            make_encoder(f"timm:{NET}", weights=tmp_path / "net.pth")

    @pytest.mark.parametrize("place", ["nowhere.pth", "nowhere/folder"])
    def test_no_such_file(self, place: str, tmp_path: Path) -> None:
        with pytest.raises(MissingWeightsError, match=r"nowhere.* does not exist"):
            make_encoder(f"timm:{NET}", weights=tmp_path / place)

    def test_a_folder_without_weights(self, tmp_path: Path) -> None:
        with pytest.raises(MissingWeightsError, match="There are no weights in the folder"):
            make_encoder(f"timm:{NET}", weights=tmp_path)


class TestPublished:
    def test_from_the_cache_of_the_hub(
        self, weights_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        offline(monkeypatch, tmp_path)
        hub = hub_with(tmp_path, "timm/test_resnet.r160_in1k")
        save_file(torch.load(weights_file), hub / "model.safetensors")
        encoder = make_encoder(f"timm:{NET}", precision="float32")
        image = pictures()[0]
        close_to(encoder.encode([encoder.prepare(image)]), theirs(network(NET), [image]))
        named = make_encoder(f"timm:{NET}", weights="r160_in1k", precision="float32")
        assert named.settings["weights_sha256"] == encoder.settings["weights_sha256"]
        again = restore_encoder(named.settings, {})
        assert again.settings == named.settings and again.settings["weights"] == "r160_in1k"

    def test_offline_names_the_repository_and_the_way_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        offline(monkeypatch, tmp_path)
        with pytest.raises(MissingWeightsError, match=r"'timm/test_resnet\.r160_in1k'") as caught:
            make_encoder(f"timm:{NET}")
        assert "https://huggingface.co/timm/test_resnet.r160_in1k" in caught.value.hint
        assert "`weights`" in caught.value.hint

    def test_xceptions_file_is_looked_for_where_torch_keeps_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        kept = tmp_path / "hub" / "checkpoints" / "xception-43020ad28.pth"
        kept.parent.mkdir(parents=True)
        kept.write_bytes(b"not those weights")
        assert list_encoders().set_index("name").loc["timm:legacy_xception", "ready"]
        with pytest.raises(ImagestrataError, match="is damaged: its SHA-256"):
            make_encoder("timm:legacy_xception")


class TestRefusals:
    def test_unknown_network_with_a_guess(self) -> None:
        with pytest.raises(
            ImagestrataError, match="There is no encoder 'timm:legacy_xeption'"
        ) as e:
            make_encoder("timm:legacy_xeption")
        assert "Did you mean 'timm:legacy_xception'" in e.value.hint

    def test_unknown_tag_lists_those_there_are(self) -> None:
        with pytest.raises(ImagestrataError, match="has no weights 'best'") as caught:
            make_encoder(f"timm:{NET}", weights="best")
        assert "r160_in1k" in caught.value.hint

    def test_without_the_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "timm", None)
        with pytest.raises(ImagestrataError, match="needs the Python package 'timm'") as caught:
            make_encoder(f"timm:{NET}")
        assert "imagestrata[encoders]" in caught.value.hint

    def test_the_list_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "imagestrata.encoders.registry.find_spec", lambda name: None if name == "timm" else 1
        )
        line = list_encoders().set_index("name").loc["timm:legacy_xception"]
        assert line["needs"] == "pip install 'imagestrata[encoders]'" and not line["ready"]

    def test_a_preparation_that_we_do_not_have(self, weights_file: Path, tmp_path: Path) -> None:
        save_file(torch.load(weights_file), tmp_path / "model.safetensors")
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"pretrained_cfg": {"interpolation": "lanczos"}}))
        with pytest.raises(ImagestrataError, match="interpolated by 'lanczos'"):
            make_encoder(f"timm:{NET}", weights=tmp_path)
        config.write_text(json.dumps({"pretrained_cfg": {"crop_mode": "border"}}))
        with pytest.raises(ImagestrataError, match="in a way that imagestrata does not support"):
            make_encoder(f"timm:{NET}", weights=tmp_path)
        encoder = make_encoder(f"timm:{NET}", weights=tmp_path, resize="pad")
        assert encoder.settings["resize"] == "pad"

    def test_its_own_weights_are_not_trained(self, tmp_path: Path) -> None:
        with pytest.raises(ImagestrataError, match="cannot be trained further") as caught:
            fine_tune(tmp_path, tmp_path / "labels.csv", encoder=f"timm:{NET}")
        assert 'freeze="backbone"' in caught.value.hint
