"""BLIP-2 of transformers: tiny models of its classes with random weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers.models.blip.image_processing_blip import BlipImageProcessor

from images import write_pictures
from imagestrata import (
    ImagestrataError,
    MissingWeightsError,
    embed_images,
    fine_tune,
    list_encoders,
    predict_labels,
)
from imagestrata.encoders.registry import ENCODERS, make_encoder, restore_encoder
from networks import ImageList, close_to, hub_with, offline, pictures

NAMES = ("blip2:vision", "blip2:qformer")
REPOSITORY = "Salesforce/blip2-itm-vit-g"


def config() -> transformers.Blip2Config:
    vision = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
    }
    qformer = {
        "vocab_size": 30,
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 40,
        "encoder_hidden_size": 32,
    }
    text = {
        "model_type": "opt",
        "vocab_size": 40,
        "hidden_size": 16,
        "ffn_dim": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 32,
        "word_embed_proj_dim": 16,
    }
    return transformers.Blip2Config(
        vision_config=vision,
        qformer_config=qformer,
        text_config=text,
        num_query_tokens=4,
        image_text_hidden_size=8,
    )


def model(kind: Any) -> Any:
    """A model with weights far from zero, so that pictures differ."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = kind(config()).eval()
        for name, tensor in made.named_parameters():
            if "norm" not in name.lower():
                torch.nn.init.normal_(tensor, std=0.2)
    return made


def store(folder: Path, kind: Any = transformers.Blip2ForImageTextRetrieval) -> Path:
    """A folder as save_pretrained writes it, with its image processor."""
    model(kind).save_pretrained(folder)
    BlipImageProcessor(size={"height": 56, "width": 56}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store(tmp_path_factory.mktemp("blip2"))


def theirs(name: str, images: ImageList, folder: Path) -> Any:
    """What transformers itself makes of pictures: processor, and the model with everything."""
    library = transformers.Blip2ForImageTextRetrieval.from_pretrained(folder).eval()
    processor = BlipImageProcessor.from_pretrained(folder)
    with torch.inference_mode():
        seen = library.vision_model(processor(images, return_tensors="pt")["pixel_values"])
        if name == "blip2:vision":
            return seen.pooler_output.numpy()
        answers = library.qformer(
            query_embeds=library.query_tokens.expand(len(images), -1, -1),
            encoder_hidden_states=seen.last_hidden_state,
            encoder_attention_mask=torch.ones(seen.last_hidden_state.shape[:2], dtype=torch.long),
        )
        return answers.last_hidden_state.mean(dim=1).numpy()


def vectors(name: str, weights: Path, images: ImageList, precision: str = "float32") -> Any:
    encoder = make_encoder(name, weights=weights, precision=precision, device="cpu")
    return encoder.encode([encoder.prepare(image) for image in images])


class TestVectors:
    @pytest.mark.parametrize(("name", "width"), [(NAMES[0], 32), (NAMES[1], 24)])
    def test_those_of_transformers_itself(self, name: str, width: int, folder: Path) -> None:
        ours = vectors(name, folder, pictures())
        assert ours.shape == (4, width)
        close_to(ours, theirs(name, pictures(), folder), cosine=0.999)

    @pytest.mark.parametrize("name", NAMES)
    def test_one_by_one_and_together(self, name: str, folder: Path) -> None:
        single = np.concatenate([vectors(name, folder, [image]) for image in pictures()])
        np.testing.assert_allclose(vectors(name, folder, pictures()), single, atol=1e-5)

    @pytest.mark.parametrize("name", NAMES)
    def test_bfloat16_stays_close(self, name: str, folder: Path) -> None:
        exact = vectors(name, folder, pictures())
        close_to(vectors(name, folder, pictures(), "bfloat16"), exact, cosine=0.995)

    def test_settings_are_those_of_the_image_processor(self, folder: Path) -> None:
        settings = make_encoder("blip2:vision", weights=folder, precision="float32").settings
        assert len(settings.pop("weights_sha256")) == 64
        assert settings == {
            "name": "blip2:vision",
            "width": 32,
            "weights": str(folder),
            "published": None,
            "resize": "squish",
            "input_size": 56,
            "short_side": 56,
            "interpolation": "bicubic",
            "mean": pytest.approx([0.4814, 0.4578, 0.4082], abs=1e-4),
            "sd": pytest.approx([0.2686, 0.2613, 0.2758], abs=1e-4),
            "precision": "float32",
        }

    def test_widths_of_the_registry_are_those_of_the_published_weights(self) -> None:
        published = transformers.Blip2Config()
        vision, qformer = published.vision_config, published.qformer_config
        lines = [ENCODERS[name] for name in NAMES]
        assert [line.width for line in lines] == [vision.hidden_size, qformer.hidden_size]
        assert {line.input for line in lines} == {vision.image_size}


class TestWeights:
    @pytest.mark.parametrize("kind", ["Blip2ForConditionalGeneration", "Blip2Model"])
    def test_models_with_a_language_model(self, kind: str, folder: Path, tmp_path: Path) -> None:
        library = model(getattr(transformers, kind))
        other = model(transformers.Blip2ForImageTextRetrieval)
        for part in ("vision_model", "qformer"):
            getattr(library, part).load_state_dict(getattr(other, part).state_dict())
        library.query_tokens.data = other.query_tokens.data
        library.save_pretrained(tmp_path)
        for name in NAMES:
            ours = vectors(name, tmp_path, pictures())
            assert np.array_equal(ours, vectors(name, folder, pictures()))

    def test_a_file(self, folder: Path, tmp_path: Path) -> None:
        shutil.copy(folder / "model.safetensors", tmp_path / "net.safetensors")
        shutil.copy(folder / "config.json", tmp_path)
        ours = vectors("blip2:qformer", tmp_path / "net.safetensors", pictures())
        assert np.array_equal(ours, vectors("blip2:qformer", folder, pictures()))

    def test_other_weights_have_another_hash(self, folder: Path, tmp_path: Path) -> None:
        library = model(transformers.Blip2ForImageTextRetrieval)
        library.query_tokens.data += 1
        library.save_pretrained(tmp_path)
        settings = make_encoder("blip2:vision", weights=folder).settings
        with pytest.raises(ImagestrataError, match="whose SHA-256 begins with"):
            restore_encoder(settings, {}, weights=tmp_path)
        assert restore_encoder(settings, {}).settings == settings

    def test_weights_of_another_model(self, folder: Path, tmp_path: Path) -> None:
        from safetensors.torch import load_file, save_file

        state = load_file(folder / "model.safetensors")
        del state["qformer.layernorm.weight"]
        save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
        shutil.copy(folder / "config.json", tmp_path)
        with pytest.raises(ImagestrataError, match=r"1 missing \(qformer\.layernorm\.weight\)"):
            make_encoder("blip2:vision", weights=tmp_path)

    def test_weights_of_another_width(self, folder: Path, tmp_path: Path) -> None:
        from safetensors.torch import load_file, save_file

        state = load_file(folder / "model.safetensors")
        state["query_tokens"] = torch.zeros(1, 5, 24)
        save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
        shutil.copy(folder / "config.json", tmp_path)
        with pytest.raises(ImagestrataError, match=r"1 of another shape \(query_tokens\)"):
            make_encoder("blip2:vision", weights=tmp_path)

    @pytest.mark.parametrize("file", ["pytorch_model.bin", "net.pth"])
    def test_a_pickled_network_is_not_run(self, file: str, folder: Path, tmp_path: Path) -> None:
        torch.save(model(transformers.Blip2ForImageTextRetrieval), tmp_path / file)
        shutil.copy(folder / "config.json", tmp_path)
        place = tmp_path if file.endswith(".bin") else tmp_path / file
        with pytest.raises(ImagestrataError) as caught:
            make_encoder("blip2:vision", weights=place)
        assert "weights" in str(caught.value)

    def test_a_folder_without_weights_or_settings(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(MissingWeightsError, match="There are no weights in the folder"):
            make_encoder("blip2:vision", weights=tmp_path)
        shutil.copy(folder / "model.safetensors", tmp_path)
        with pytest.raises(ImagestrataError, match=r"config\.json"):
            make_encoder("blip2:vision", weights=tmp_path)


class TestPublished:
    def test_from_the_cache_of_the_hub(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        offline(monkeypatch, tmp_path)
        assert not list_encoders().set_index("name").loc["blip2:vision", "ready"]
        with pytest.raises(MissingWeightsError, match=f"weights of '{REPOSITORY}'") as caught:
            make_encoder("blip2:vision")
        assert f"https://huggingface.co/{REPOSITORY}" in caught.value.hint
        shutil.copytree(folder, hub_with(tmp_path, REPOSITORY), dirs_exist_ok=True)
        assert list_encoders().set_index("name").loc["blip2:vision", "ready"]
        encoder = make_encoder("blip2:vision", precision="float32")
        ours = encoder.encode([encoder.prepare(image) for image in pictures()])
        assert np.array_equal(ours, vectors("blip2:vision", folder, pictures()))
        assert encoder.settings["weights"] == REPOSITORY
        assert restore_encoder(encoder.settings, {}).settings == encoder.settings


class TestOnTheRoad:
    def test_embedded_and_resumed(self, folder: Path, tmp_path: Path) -> None:
        images = write_pictures(tmp_path / "images", 12)
        options: dict[str, Any] = {"weights": folder, "precision": "float32", "progress": False}
        first = embed_images(images, "blip2:qformer", out=tmp_path / "run", **options)
        again = embed_images(images, "blip2:qformer", out=tmp_path / "run", **options)
        alike = embed_images(images, first, progress=False)
        assert first.matrix.shape == (12, 24)
        np.testing.assert_array_equal(again.matrix, first.matrix)
        np.testing.assert_allclose(alike.matrix, first.matrix, atol=1e-6)

    def test_a_new_layer_on_its_vectors(self, folder: Path, tmp_path: Path) -> None:
        images = write_pictures(tmp_path / "images", 24)
        rows = [f"{i:03d}.png,{'ab'[i % 2]}" for i in range(24)]
        (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]) + "\n")
        fit = fine_tune(
            images,
            tmp_path / "labels.csv",
            encoder="blip2:vision",
            weights=folder,
            freeze="backbone",
            epochs=2,
            out=tmp_path / "model",
            progress=False,
        )
        found = predict_labels(images, fit, progress=False)
        later = predict_labels(images, tmp_path / "model", progress=False)
        assert len(found) == 2 * 24
        np.testing.assert_allclose(found["probability"], later["probability"], atol=1e-6)


class TestRefusals:
    def test_another_part(self) -> None:
        with pytest.raises(ImagestrataError, match="There is no encoder 'blip2:text'") as caught:
            make_encoder("blip2:text")
        assert "blip2:vision" in caught.value.hint

    def test_without_the_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "transformers", None)
        with pytest.raises(ImagestrataError, match="needs the Python package 'transformers'"):
            make_encoder("blip2:vision")
