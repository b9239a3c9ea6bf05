"""Networks of open_clip: tiny ones with random weights, through the real code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip import factory
from safetensors.torch import save_file
from torch import nn

from imagestrata import ImagestrataError, MissingWeightsError, list_encoders
from imagestrata.encoders.registry import make_encoder, restore_encoder
from networks import ImageList, close_to, hub_with, offline, pictures

#: A transformer, one with quick GELU, and a ResNet with attention at its end, as in the paper.
TEXT = {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 2}
VIT = {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
RESNET = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16}
NETWORKS: dict[str, dict[str, Any]] = {
    "tiny-vit": {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": TEXT},
    "tiny-vit-quickgelu": {
        "embed_dim": 24,
        "quick_gelu": True,
        "vision_cfg": VIT,
        "text_cfg": TEXT,
    },
    "tiny-resnet": {"embed_dim": 24, "vision_cfg": RESNET, "text_cfg": TEXT},
}

#: Tags of published weights, with what they say of pictures.
TAGS = {
    "openai": {"hf_hub": "someone/tiny-openai/", "quick_gelu": True},
    "squashed": {
        "hf_hub": "someone/tiny-squashed/net.safetensors",
        "resize_mode": "squash",
        "interpolation": "bilinear",
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.3, 0.4),
    },
}


@pytest.fixture(scope="module", autouse=True)
def known_to_open_clip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make the tiny networks, and published weights of one, known to open_clip."""
    folder = tmp_path_factory.mktemp("configs")
    for name, config in NETWORKS.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factory, "_MODEL_CONFIG_PATHS", [*factory._MODEL_CONFIG_PATHS])
        patch.setattr(factory, "_MODEL_CONFIGS", dict(factory._MODEL_CONFIGS))
        patch.setitem(open_clip.pretrained._PRETRAINED, "tiny-vit", TAGS)
        open_clip.add_model_config(folder)
        yield


def network(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: nn.Module = open_clip.create_model(name).eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.uniform_(module.weight, 0.5, 1.5)  # some start at 0
    return model


def weights(name: str, path: Path) -> Path:
    torch.save(network(name).state_dict(), path)
    return path


def theirs(name: str, images: ImageList, file: Path, **preparation: Any) -> Any:
    """What open_clip itself makes of pictures, with weights that it reads itself."""
    model, _, prepare = open_clip.create_model_and_transforms(
        name, pretrained=str(file), **preparation
    )
    with torch.inference_mode():
        batch = torch.stack([prepare(image) for image in images])
        return model.eval().encode_image(batch).numpy()


class TestVectors:
    @pytest.mark.parametrize("name", NETWORKS)
    def test_those_of_open_clip_itself(self, name: str, tmp_path: Path) -> None:
        file = weights(name, tmp_path / "net.pth")
        encoder = make_encoder(f"clip:{name}", weights=file, precision="float32", device="cpu")
        images = pictures()
        vectors = encoder.encode([encoder.prepare(image) for image in images])
        assert vectors.shape == (len(images), 24) and encoder.width == 24
        close_to(vectors, theirs(name, images, file))

    def test_one_by_one_and_together(self, tmp_path: Path) -> None:
        file = weights("tiny-vit", tmp_path / "net.pth")
        encoder = make_encoder("clip:tiny-vit", weights=file, precision="float32")
        prepared = [encoder.prepare(image) for image in pictures()]
        single = np.concatenate([encoder.encode([one]) for one in prepared])
        np.testing.assert_allclose(encoder.encode(prepared), single, atol=1e-5)

    @pytest.mark.parametrize("name", ["tiny-vit", "tiny-resnet"])
    def test_bfloat16_stays_close(self, name: str, tmp_path: Path) -> None:
        file = weights(name, tmp_path / "net.pth")
        exact, quick = (
            make_encoder(f"clip:{name}", weights=file, precision=precision, device="cpu")
            for precision in ("float32", "bfloat16")
        )
        prepared = [exact.prepare(image) for image in pictures()]
        close_to(quick.encode(prepared), exact.encode(prepared), cosine=0.995)


class TestPublished:
    @pytest.fixture
    def hub(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A cache of the hub with both published weights, of different numbers."""
        offline(monkeypatch, tmp_path)
        state = network("tiny-vit").state_dict()
        save_file(state, hub_with(tmp_path, "someone/tiny-openai") / "open_clip_model.safetensors")
        other = {key: 2 * tensor for key, tensor in state.items()}
        save_file(other, hub_with(tmp_path, "someone/tiny-squashed") / "net.safetensors")
        return tmp_path

    def test_openais_are_the_first_choice_and_quick(self, hub: Path) -> None:
        encoder = make_encoder("clip:tiny-vit", precision="float32")
        file = next(hub.rglob("open_clip_model.safetensors"))
        images = pictures()
        vectors = encoder.encode([encoder.prepare(image) for image in images])
        close_to(vectors, theirs("tiny-vit-quickgelu", images, file))
        assert encoder.settings["quick_gelu"] and encoder.settings["weights"] == "openai"

    def test_a_tag_brings_its_own_preparation(self, hub: Path) -> None:
        encoder = make_encoder("clip:tiny-vit", weights="squashed", precision="float32")
        look = {key: encoder.settings[key] for key in ("resize", "interpolation", "mean", "sd")}
        assert look == {
            "resize": "squish",
            "interpolation": "bilinear",
            "mean": [0.5, 0.4, 0.3],
            "sd": [0.2, 0.3, 0.4],
        }
        file = next(hub.rglob("net.safetensors"))
        images = pictures()
        expected = theirs(
            "tiny-vit",
            images,
            file,
            image_mean=(0.5, 0.4, 0.3),
            image_std=(0.2, 0.3, 0.4),
            image_interpolation="bilinear",
            image_resize_mode="squash",
        )
        close_to(encoder.encode([encoder.prepare(image) for image in images]), expected)

    def test_restored_by_the_tag(self, hub: Path) -> None:
        encoder = make_encoder("clip:tiny-vit", weights="squashed", precision="float32")
        again = restore_encoder(encoder.settings, {})
        prepared = [encoder.prepare(pictures()[0])]
        assert np.array_equal(encoder.encode(prepared), again.encode(prepared))
        assert again.settings == encoder.settings
        other = make_encoder("clip:tiny-vit", precision="float32")
        assert other.settings["weights_sha256"] != encoder.settings["weights_sha256"]

    def test_restored_from_a_folder_of_the_hub(self, hub: Path) -> None:
        folder = next(hub.rglob("open_clip_model.safetensors")).parent
        config = {"model_cfg": NETWORKS["tiny-vit-quickgelu"], "preprocess_cfg": {"std": [1, 2, 3]}}
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        encoder = make_encoder("clip:tiny-vit", weights=folder)
        assert encoder.settings["quick_gelu"] and encoder.settings["sd"] == [1, 2, 3]

    def test_offline_names_the_repository_and_the_way_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        offline(monkeypatch, tmp_path)
        with pytest.raises(
            MissingWeightsError, match="weights of 'timm/vit_base_patch32"
        ) as caught:
            make_encoder("clip:ViT-B-32")
        assert "huggingface.co/timm/vit_base_patch32_clip_224.openai" in caught.value.hint

    def test_the_line_of_the_registry_is_open_clips(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        offline(monkeypatch, tmp_path)
        line = list_encoders().set_index("name").loc["clip:ViT-B-32"]
        entry = open_clip.get_pretrained_cfg("ViT-B-32", "openai")
        assert entry["hf_hub"].rstrip("/") == line["needs"] and not line["ready"]
        config = open_clip.get_model_config("ViT-B-32")
        assert config["embed_dim"] == line["width"]
        assert config["vision_cfg"]["image_size"] == line["input"]
        (hub_with(tmp_path, line["needs"]) / "open_clip_model.safetensors").write_bytes(b"")
        assert list_encoders().set_index("name").loc["clip:ViT-B-32", "ready"]


class TestWeights:
    def test_the_image_tower_alone(self, tmp_path: Path) -> None:
        file = weights("tiny-vit", tmp_path / "net.pth")
        tower = tmp_path / "tower.safetensors"
        save_file(network("tiny-vit").visual.state_dict(), tower)
        encoders = [
            make_encoder("clip:tiny-vit", weights=one, precision="float32") for one in (file, tower)
        ]
        prepared = [encoders[0].prepare(pictures()[0])]
        assert np.array_equal(*(encoder.encode(prepared) for encoder in encoders))

    def test_weights_of_another_network(self, tmp_path: Path) -> None:
        file = weights("tiny-resnet", tmp_path / "net.pth")
        with pytest.raises(
            ImagestrataError, match=r"weights of clip:tiny-vit: .* missing \(class_embedding\)"
        ):
            make_encoder("clip:tiny-vit", weights=file)

    def test_a_pickled_network_is_not_run(self, tmp_path: Path) -> None:
        torch.save(network("tiny-vit"), tmp_path / "net.pth")
        with pytest.raises(ImagestrataError, match="UnpicklingError"):
            make_encoder("clip:tiny-vit", weights=tmp_path / "net.pth")


class TestRefusals:
    def test_unknown_network_with_a_guess(self) -> None:
        with pytest.raises(ImagestrataError, match="There is no encoder 'clip:ViT-B32'") as caught:
            make_encoder("clip:ViT-B32")
        assert "'clip:ViT-B-32'" in caught.value.hint

    def test_unknown_tag_lists_those_there_are(self) -> None:
        with pytest.raises(ImagestrataError, match="has no weights 'best'") as caught:
            make_encoder("clip:tiny-vit", weights="best")
        assert "openai, squashed" in caught.value.hint

    def test_a_network_without_published_weights(self) -> None:
        with pytest.raises(ImagestrataError, match="has no weights for 'tiny-resnet'"):
            make_encoder("clip:tiny-resnet")

    def test_without_the_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "open_clip", None)
        with pytest.raises(ImagestrataError, match="needs the Python package 'open_clip'") as e:
            make_encoder("clip:ViT-B-32")
        assert "imagestrata[encoders]" in e.value.hint and "open_clip" in e.value.message
