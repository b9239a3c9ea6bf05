"""Encoders: what they look at, what they need, and that they refuse to guess."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import nn

from imagestrata import ImagestrataError, MissingWeightsError, list_encoders
from imagestrata.encoders import cnn, inference
from imagestrata.encoders.hog import _shapes as shapes_of
from imagestrata.encoders.network import input_square, whole_frame
from imagestrata.encoders.registry import ENCODERS, NETWORK, make_encoder, restore_encoder
from imagestrata.encoders.resize import RESIZE_MODES, resize
from imagestrata.encoders.weights import checkpoint_folder, published_weights
from imagestrata.finetune.pictures import centre

#: A small network (5 MB) with batch norm, grouped convolutions and a head named `fc`.
NET = "shufflenet_v2_x0_5"


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A network whose batch norms do something, as after training."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: nn.Module = torchvision.models.get_model(NET, weights=None).eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.uniform_(module.running_mean, -0.1, 0.1)
    return model


@pytest.fixture(scope="module")
def weights_file(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "net.pth"
    torch.save(network.state_dict(), path)
    return path


def picture(seed: int = 0, size: tuple[int, int] = (300, 200)) -> Image.Image:
    """Soft colours with shapes on them."""
    rng = np.random.default_rng(seed)
    soft = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    image = Image.fromarray(soft).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = rng.integers(0, size[0] - 40), rng.integers(0, size[1] - 40)
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        draw.rectangle((x, y, x + rng.integers(8, 40), y + rng.integers(8, 40)), fill=colour)
    return image


def stripes(*colours: str, side: int = 100) -> Image.Image:
    """Squares of one colour each, from left to right."""
    image = Image.new("RGB", (side * len(colours), side))
    for number, colour in enumerate(colours):
        image.paste(colour, (number * side, 0, (number + 1) * side, side))
    return image


def cosine(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


class TestResize:
    def test_rescale_crop_keeps_the_middle_of_the_short_side(self) -> None:
        square = resize(stripes("red", "lime", "blue"), "rescale_crop", 50, 50)
        assert square.size == (50, 50)
        assert np.asarray(square)[:, 2:-2].tolist() == [[[0, 255, 0]] * 46] * 50

    def test_rescale_crop_cuts_the_border_of_a_larger_short_side(self) -> None:
        image = Image.new("RGB", (256, 256), "red")
        image.paste("lime", (16, 16, 240, 240))
        square = np.asarray(resize(image, "rescale_crop", 224, 256))
        assert (square == [0, 255, 0]).all()

    def test_squish_keeps_everything(self) -> None:
        square = np.asarray(resize(stripes("red", "lime", "blue", side=30), "squish", 30, 99))
        assert square.shape == (30, 30, 3)
        assert square[15, [5, 15, 25]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]

    def test_crop_takes_pixels_as_they_are(self) -> None:
        image = picture(size=(90, 70))
        square = resize(image, "crop", 40, 99)
        assert square.tobytes() == image.crop((25, 15, 65, 55)).tobytes()

    def test_crop_of_a_small_picture_is_framed_in_black(self) -> None:
        square = np.asarray(resize(Image.new("RGB", (4, 2), "white"), "crop", 6, 99))[:, :, 0]
        assert square.tolist() == [[0] * 6] * 2 + [[0, 255, 255, 255, 255, 0]] * 2 + [[0] * 6] * 2

    @pytest.mark.parametrize("size", [(200, 100), (2, 1), (50, 25)])
    def test_pad_keeps_the_shape_and_fills_with_black(self, size: tuple[int, int]) -> None:
        square = np.asarray(resize(Image.new("RGB", size, "white"), "pad", 8, 99))[:, :, 1]
        assert square.tolist() == [[0] * 8] * 2 + [[255] * 8] * 4 + [[0] * 8] * 2

    @pytest.mark.parametrize("mode", RESIZE_MODES)
    @pytest.mark.parametrize("size", [(1, 1), (1, 999), (999, 1), (17, 16)])
    def test_any_shape_becomes_a_square(self, mode: str, size: tuple[int, int]) -> None:
        assert resize(Image.new("RGB", size), mode, 32, 36).size == (32, 32)

    @pytest.mark.parametrize("size", [(300, 200), (199, 333), (224, 224), (1000, 257), (90, 100)])
    def test_default_gives_torchvisions_pixels(self, size: tuple[int, int]) -> None:
        image = picture(size=size)
        theirs = torchvision.transforms.Compose(
            [torchvision.transforms.Resize(256), torchvision.transforms.CenterCrop(224)]
        )(image)
        ours = resize(image, "rescale_crop", 224, 256)
        difference = np.abs(np.asarray(ours, dtype=int) - np.asarray(theirs, dtype=int))
        assert difference.max() <= 1

    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
    @pytest.mark.parametrize(
        "size",
        [(300, 200), (199, 333), (224, 224), (256, 384), (700, 300), (90, 100), (3000, 2000)],
    )
    def test_networks_get_the_same_pixels_on_any_processor(
        self, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], interpolation: str
    ) -> None:
        """Up to rounding between passes; the last picture is stored in several pieces."""
        noise = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        settings = {
            "resize": "rescale_crop", "input_size": 224, "short_side": 256,
            "interpolation": interpolation,
        }  # fmt: skip
        made = []
        for kind in ("AVX2", "DEFAULT"):
            monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda kind=kind: kind)
            frame = whole_frame(image, settings)
            made.append(input_square(image, settings).astype(int))
            assert np.abs(centre(frame, 224).astype(int) - made[-1]).max() <= 2
            assert (input_square(Image.fromarray(frame), settings) == centre(frame, 224)).all()
        assert np.abs(made[0] - made[1]).max() <= 3


class TestCut:
    @pytest.mark.parametrize(
        ("name", "layer", "width"),
        [
            ("resnet18", "fc", 512),
            ("resnet50", "fc", 2048),
            ("vgg16", "classifier.6", 4096),
            ("mobilenet_v2", "classifier.1", 1280),
            ("mobilenet_v3_small", "classifier.3", 1024),
            ("squeezenet1_1", "classifier.1", 512),
            ("densenet121", "classifier", 1024),
            ("efficientnet_b0", "classifier.1", 1280),
            ("convnext_tiny", "classifier.2", 768),
            ("vit_b_16", "heads.head", 768),
            ("swin_t", "head", 768),
            ("maxvit_t", "classifier.5", 512),
        ],
    )
    def test_last_layer_goes_and_its_inputs_come_out(
        self, name: str, layer: str, width: int
    ) -> None:
        with torch.device("meta"):  # shapes without numbers
            model = torchvision.models.get_model(name, weights=None).eval()
            assert cnn.cut(model) == (layer, width)
            assert model(torch.empty(2, 3, 224, 224)).shape == (2, width)

    @pytest.mark.parametrize(
        "name", [name for name, entry in ENCODERS.items() if entry.family is NETWORK]
    )
    def test_lines_of_the_registry_are_torchvisions(self, name: str) -> None:
        published = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
        with torch.device("meta"):
            width = cnn.cut(torchvision.models.get_model(name, weights=None))[1]
        entry = ENCODERS[name]
        assert published.url.endswith(f"/{entry.weights}")
        assert (entry.input, entry.width) == (published.transforms().crop_size[0], width)


class TestNetwork:
    def test_vectors_are_those_of_the_plain_network(
        self, network: nn.Module, weights_file: Path
    ) -> None:
        encoder = make_encoder(NET, weights=weights_file, precision="float32", device="cpu")
        images = [picture(seed) for seed in range(3)]
        prepare = torchvision.models.get_model_weights(NET)["IMAGENET1K_V1"].transforms()
        plain = torchvision.models.get_model(NET, weights=None).eval()
        plain.load_state_dict(network.state_dict())
        plain.fc = nn.Identity()
        with torch.inference_mode():
            expected = plain(torch.stack([prepare(image) for image in images])).numpy()
        vectors = encoder.encode([encoder.prepare(image) for image in images])
        assert vectors.dtype == np.float32 and vectors.shape == (3, encoder.width) == (3, 1024)
        # Pixels differ by a grey level here and there.
        np.testing.assert_allclose(vectors, expected, atol=0.01 * np.abs(expected).max())

    def test_bfloat16_stays_close(self, weights_file: Path) -> None:
        exact, quick = (
            make_encoder(NET, weights=weights_file, precision=precision, device="cpu")
            for precision in ("float32", "bfloat16")
        )
        prepared = [exact.prepare(picture(seed)) for seed in range(4)]
        for one, other in zip(exact.encode(prepared), quick.encode(prepared), strict=True):
            assert cosine(one, other) > 0.995
            assert not np.array_equal(one, other)

    def test_settings_say_what_decides_the_vectors(self, weights_file: Path) -> None:
        encoder = make_encoder(NET, weights=weights_file, resize="pad", precision="float32")
        assert encoder.settings == {
            "name": NET,
            "width": 1024,
            "published": "IMAGENET1K_V1",
            "weights": str(weights_file),
            "weights_sha256": hashlib.sha256(weights_file.read_bytes()).hexdigest(),
            "resize": "pad",
            "input_size": 224,
            "short_side": 256,
            "interpolation": "bilinear",
            "mean": [0.485, 0.456, 0.406],
            "sd": [0.229, 0.224, 0.225],
            "precision": "float32",
        }

    def test_auto_precision_is_one_the_chip_has(self, weights_file: Path) -> None:
        encoder = make_encoder(NET, weights=weights_file, device="cpu")
        quick = inference.has_bfloat16(torch.device("cpu"))
        assert encoder.settings["precision"] == ("bfloat16" if quick else "float32")

    def test_building_leaves_the_users_random_numbers_alone(self, weights_file: Path) -> None:
        torch.manual_seed(1)
        expected = torch.rand(1)
        torch.manual_seed(1)
        make_encoder(NET, weights=weights_file)
        assert torch.equal(torch.rand(1), expected)

    def test_only_a_crop_at_full_scale_needs_the_full_picture(self, weights_file: Path) -> None:
        sides = [
            make_encoder(NET, weights=weights_file, resize=r).decode_side for r in RESIZE_MODES
        ]
        assert dict(zip(RESIZE_MODES, sides, strict=True)) == {
            "rescale_crop": 384,
            "squish": 384,
            "crop": None,
            "pad": 384,
        }


class TestWeights:
    def vector(self, path: Path) -> NDArray[np.float32]:
        encoder = make_encoder(NET, weights=path, precision="float32", device="cpu")
        return encoder.encode([encoder.prepare(picture())])

    @pytest.mark.parametrize("change", ["no last layer", "7 classes", "parallel", "wrapped"])
    def test_files_that_hold_the_same_network(
        self, change: str, network: nn.Module, weights_file: Path, tmp_path: Path
    ) -> None:
        state: dict[str, Any] = dict(network.state_dict())
        if change == "no last layer":
            del state["fc.weight"], state["fc.bias"]
        elif change == "7 classes":
            state |= {"fc.weight": torch.zeros(7, 1024), "fc.bias": torch.zeros(7)}
        elif change == "parallel":
            state = {f"module.{key}": tensor for key, tensor in state.items()}
        else:
            state = {"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}
        torch.save(state, tmp_path / "other.pth")
        np.testing.assert_array_equal(
            self.vector(tmp_path / "other.pth"), self.vector(weights_file)
        )

    def test_safetensors(self, network: nn.Module, weights_file: Path, tmp_path: Path) -> None:
        from safetensors import torch as safetensors

        state = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
        safetensors.save_file(state, tmp_path / "net.safetensors")
        np.testing.assert_array_equal(
            self.vector(tmp_path / "net.safetensors"), self.vector(weights_file)
        )

    def test_old_densenet_names(self, tmp_path: Path) -> None:
        with torch.random.fork_rng():
            model = torchvision.models.densenet121(weights=None)
        old = {
            key.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): tensor
            for key, tensor in model.state_dict().items()
            if not key.endswith("num_batches_tracked")
        }
        assert "features.denseblock1.denselayer1.norm.1.weight" in old
        torch.save(old, tmp_path / "old.pth")
        make_encoder("densenet121", weights=tmp_path / "old.pth")

    def test_weights_of_another_network(self, weights_file: Path) -> None:
        with pytest.raises(
            ImagestrataError, match="does not hold the weights of squeezenet1_1"
        ) as e:
            make_encoder("squeezenet1_1", weights=weights_file)
        assert "of 50 tensors, 50 missing (features.0.weight); 338 unknown (conv1.0" in str(e.value)

    def test_weights_of_another_width(self, network: nn.Module, tmp_path: Path) -> None:
        state = network.state_dict()
        state["conv1.0.weight"] = torch.zeros(12, 3, 3, 3)
        torch.save(state, tmp_path / "other.pth")
        with pytest.raises(ImagestrataError, match=r"1 of another shape \(conv1.0.weight\)"):
            self.vector(tmp_path / "other.pth")

    @pytest.mark.parametrize("damage", ["truncated", "empty", "text", "half a zip"])
    def test_damaged_file(self, damage: str, weights_file: Path, tmp_path: Path) -> None:
        whole = weights_file.read_bytes()
        content = {
            "truncated": whole[: len(whole) // 2],
            "empty": b"",
            "text": b"<html>404 not found</html>",
            "half a zip": whole[len(whole) // 2 :],
        }[damage]
        path = tmp_path / "net.pth"
        path.write_bytes(content)
        with pytest.raises(
            ImagestrataError, match=r"net\.pth' is damaged, or is not a file of weights"
        ):
            self.vector(path)

    def test_a_pickled_network_is_not_run(self, network: nn.Module, tmp_path: Path) -> None:
        torch.save(network, tmp_path / "net.pth")
        with pytest.raises(ImagestrataError, match="UnpicklingError"):
            self.vector(tmp_path / "net.pth")

    @pytest.mark.parametrize("content", [[1, 2], {"a": "text"}, {}, torch.zeros(3)])
    def test_other_data(self, content: Any, tmp_path: Path) -> None:
        torch.save(content, tmp_path / "net.pth")
        with pytest.raises(ImagestrataError, match="not named tensors"):
            self.vector(tmp_path / "net.pth")

    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(MissingWeightsError, match=r"nowhere\.pth' does not exist"):
            make_encoder("resnet18", weights=tmp_path / "nowhere.pth")
        with pytest.raises(MissingWeightsError, match="is a folder"):
            make_encoder("resnet18", weights=tmp_path)

    def test_offline_names_the_file_the_folder_and_the_way_out(self, offline: Path) -> None:
        with pytest.raises(MissingWeightsError) as caught:
            make_encoder("resnet18")
        text = str(caught.value)
        for part in ("resnet18-f37072fd.pth", str(offline), "no route", 'encoder="bovw"', '"hog"'):
            assert part in text
        assert list(offline.iterdir()) == []

    def test_weights_in_the_cache_are_checked(self, offline: Path) -> None:
        offline.mkdir(parents=True)
        (offline / "resnet18-f37072fd.pth").write_bytes(b"half a download")
        with pytest.raises(ImagestrataError, match="SHA-256 does not begin with f37072fd"):
            make_encoder("resnet18")

    def test_download_once_with_its_hash(
        self, weights_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
        content = weights_file.read_bytes()
        source = tmp_path / f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
        source.write_bytes(content)
        path = published_weights("net", source.as_uri())
        assert path == checkpoint_folder() / source.name and path.read_bytes() == content
        source.unlink()
        assert published_weights("net", source.as_uri()) == path

    def test_download_with_a_wrong_hash(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
        source = tmp_path / "net-12345678.pth"
        source.write_bytes(b"something else")
        with pytest.raises(MissingWeightsError, match="invalid hash"):
            published_weights("net", source.as_uri())
        assert list(checkpoint_folder().iterdir()) == []


class TestInference:
    def test_batch_norm_is_folded(self, network: nn.Module) -> None:
        folded = inference.fold_batch_norm(network.requires_grad_(False))
        used = {name for name, _ in folded.named_modules()}
        assert not any(
            isinstance(network.get_submodule(name), nn.BatchNorm2d) and name in kept
            for name in used
            for kept in [{str(node.target) for node in folded.graph.nodes}]  # type: ignore[union-attr]
        )
        images = torch.rand(2, 3, 64, 64)
        torch.testing.assert_close(folded(images), network(images), rtol=1e-4, atol=1e-4)

    def test_a_convolution_that_others_read_is_left(self) -> None:
        class Fork(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.norm = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)
                self.norm.running_mean += 3

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                y = self.conv(x)
                return torch.cat([y, self.norm(y)])

        fork = Fork().eval().requires_grad_(False)
        image = torch.rand(1, 1, 4, 4)
        assert torch.equal(inference.fold_batch_norm(fork)(image), fork(image))

    def test_rounding_keeps_the_sum_of_a_filter(self) -> None:
        # Between 1 and 2, bfloat16 steps by 1/128. What 1.003 loses, .001 takes up.
        weight = torch.tensor([[[[1.003, 0.001]]], [[[-0.001, -1.003]]]])
        rounded = inference.round_keeping_sums(weight)
        assert rounded[0, 0, 0, 0] == 1 and rounded[1, 0, 0, 1] == -1
        torch.testing.assert_close(
            rounded.sum((1, 2, 3)), torch.tensor([1.004, -1.004]), atol=2e-5, rtol=0
        )

    def test_rounding_gives_numbers_of_bfloat16(self) -> None:
        generator = torch.Generator().manual_seed(0)
        weight = torch.randn(8, 5, 3, 3, generator=generator)
        rounded = inference.round_keeping_sums(weight)
        assert torch.equal(rounded, rounded.bfloat16().float())
        nearest = weight.bfloat16().float().sum((1, 2, 3)) - weight.sum((1, 2, 3))
        kept = rounded.sum((1, 2, 3)) - weight.sum((1, 2, 3))
        assert kept.abs().max() < nearest.abs().max() / 10

    def test_no_such_device(self) -> None:
        with pytest.raises(ImagestrataError, match="There is no device 'abacus' here"):
            inference.pick_device("abacus")


class Turning(nn.Module):
    """A network that chooses its way by what it sees, so that it cannot be drawn as a graph."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.norm(pixels if pixels.sum() > 0 else -pixels)
        return found


def test_a_network_that_cannot_be_traced_keeps_its_norms() -> None:
    network = Turning().eval()
    assert inference.fold_batch_norm(network) is network


class TestHog:
    def test_equal_pictures_equal_vectors(self) -> None:
        encoder = make_encoder("hog")
        vectors = encoder.encode([encoder.prepare(picture(seed)) for seed in (0, 0, 1)])
        assert vectors.shape == (3, encoder.width) and encoder.width == ENCODERS["hog"].width
        assert np.array_equal(vectors[0], vectors[1]) and cosine(vectors[0], vectors[2]) < 0.95

    def test_sees_colour_and_shape(self) -> None:
        encoder = make_encoder("hog")
        upright = stripes("red", "lime")
        others = {"colour": stripes("red", "blue"), "shape": upright.rotate(90)}
        base = encoder.prepare(upright)
        for image in others.values():
            assert cosine(base, encoder.prepare(image)) < 0.9

    @pytest.mark.parametrize("seed", range(6))
    def test_shapes_are_those_of_scikit_image(self, seed: int) -> None:
        """It sums in single precision, which costs digits."""
        from skimage.feature import hog

        grey = np.asarray(picture(seed).resize((128, 128)).convert("L"), dtype=np.float32) / 255
        expected = hog(grey, orientations=9, pixels_per_cell=(32, 32), cells_per_block=(2, 2))
        assert shapes_of(grey).dtype == expected.dtype
        assert np.allclose(shapes_of(grey), expected, rtol=0, atol=1e-5)

    def test_shapes_by_hand(self) -> None:
        """Between dark and light halves, two columns of cells have gradients, in one direction.

        A block has two or four such cells, which are equally strong.
        """
        grey = np.zeros((128, 128), dtype=np.float32)
        grey[:, 64:] = 1
        shapes = shapes_of(grey).reshape(3, 3, 2, 2, 9)
        assert np.allclose(shapes[:, 0, :, 1, 0], np.sqrt(0.5), atol=1e-4)
        assert np.allclose(shapes[:, 1, :, :, 0], 0.5, atol=1e-4)
        assert np.allclose(shapes[:, 2, :, 0, 0], np.sqrt(0.5), atol=1e-4)
        assert np.count_nonzero(shapes) == 3 * (2 + 4 + 2)

    def test_a_blank_picture_has_a_finite_vector(self) -> None:
        vector = make_encoder("hog").prepare(Image.new("RGB", (50, 50)))
        assert np.isfinite(vector).all() and vector.any()


class TestVisualWords:
    def fitted(self, n: int = 8, seed: int = 0) -> Any:
        encoder = make_encoder("bovw", seed=seed)
        encoder.fit(encoder.prepare(picture(number)) for number in range(n))
        return encoder

    def test_vectors_of_unit_length(self) -> None:
        encoder = self.fitted()
        vectors = encoder.encode([encoder.prepare(picture(seed)) for seed in (0, 0, 99)])
        assert vectors.shape == (3, encoder.width) and vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
        assert np.array_equal(vectors[0], vectors[1]) and cosine(vectors[0], vectors[2]) < 0.9

    def test_same_seed_same_words(self) -> None:
        one, same, other = self.fitted(), self.fitted(), self.fitted(seed=1)
        assert np.array_equal(one.state()["words"], same.state()["words"])
        assert not np.array_equal(one.state()["words"], other.state()["words"])

    def test_state_is_all_that_was_learnt(self) -> None:
        encoder = self.fitted()
        again = make_encoder("bovw")
        again.load_state(encoder.state())
        prepared = [encoder.prepare(picture(5))]
        assert np.array_equal(encoder.encode(prepared), again.encode(prepared))
        assert again.width == encoder.width

    def test_weights_of_words_by_hand(self) -> None:
        # Two words, of which one is in both images that were learnt from.
        words = np.zeros((2, 128), dtype=np.float32)
        words[0, 0] = words[1, 1] = 1
        rarity = np.log1p(np.array([2 / 2, 2 / 1], dtype=np.float32))
        encoder = make_encoder("bovw")
        encoder.load_state({"words": words, "rarity": rarity})
        pattern = (255 * words).astype(np.uint8)
        vector = encoder.encode([pattern[[0, 0, 0, 1]]])[0]
        expected = np.array([np.sqrt(3) * np.log(2), np.log(3)])
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), rtol=1e-6)

    def test_keypoints_where_there_are_any_else_the_grid(self) -> None:
        grid, points = make_encoder("bovw"), make_encoder("bovw_keypoints")
        assert grid.prepare(picture(size=(300, 150))).shape == (16 * 8, 128)
        assert 10 <= len(points.prepare(picture())) <= 300
        blank = points.prepare(Image.new("RGB", (120, 240), "navy"))
        assert blank.shape == (30 * 15, 128) and not blank.any()

    def test_a_blank_picture_has_a_vector(self) -> None:
        encoder = self.fitted()
        vectors = encoder.encode([encoder.prepare(Image.new("RGB", (40, 30), "navy"))])
        np.testing.assert_allclose(np.linalg.norm(vectors), 1, rtol=1e-6)

    def test_learns_from_one_blank_picture(self) -> None:
        encoder = make_encoder("bovw")
        encoder.fit([encoder.prepare(Image.new("RGB", (40, 30), "navy"))])
        assert encoder.encode([encoder.prepare(picture())]).shape == (1, encoder.width)


class TestRegistry:
    def test_list(self, offline: Path) -> None:
        table = list_encoders().set_index("name")
        assert list(table.columns) == ["input", "width", "needs", "ready", "note"]
        assert table["ready"].to_dict() == {
            name: not line.weights for name, line in ENCODERS.items()
        }
        offline.mkdir(parents=True)
        (offline / "resnet18-f37072fd.pth").write_bytes(b"")
        assert list_encoders().set_index("name").loc["resnet18", "ready"]

    def test_unknown_name_with_a_guess(self) -> None:
        with pytest.raises(ImagestrataError, match="There is no encoder 'resnet-18'") as caught:
            make_encoder("resnet-18")
        assert "Did you mean 'resnet18'" in caught.value.hint

    @pytest.mark.parametrize(
        ("name", "arguments", "message"),
        [
            ("hog", {"weights": "some.pth"}, "'hog' needs no weights"),
            ("bovw", {"weights": "some.pth"}, "'bovw' needs no weights"),
            ("bovw", {"resize": "pad"}, "uses whole images"),
            ("hog", {"resize": "stretch"}, "`resize` must be one of"),
            ("resnet18", {"precision": "int8"}, "`precision` must be one of"),
            ("bovw", {"seed": -1}, "`seed` must be between"),
            (None, {}, "There is no encoder None"),
        ],
    )
    def test_arguments(self, name: Any, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(ImagestrataError, match=message):
            make_encoder(name, **arguments)

    def test_restored_encoder_makes_the_same_vectors(self, weights_file: Path) -> None:
        encoder = make_encoder(NET, weights=weights_file, resize="squish", precision="float32")
        again = restore_encoder(encoder.settings, {})
        vectors = [one.encode([one.prepare(picture())]) for one in (encoder, again)]
        assert np.array_equal(*vectors) and again.settings == encoder.settings

    def test_other_weights_are_not_restored(
        self, network: nn.Module, weights_file: Path, tmp_path: Path
    ) -> None:
        settings = make_encoder(NET, weights=weights_file).settings
        torch.save(network.state_dict() | {"fc.bias": torch.ones(1000)}, tmp_path / "other.pth")
        with pytest.raises(ImagestrataError, match="whose SHA-256 begins with"):
            restore_encoder(settings, {}, weights=tmp_path / "other.pth")


@pytest.mark.shared
def test_real_weights_see_what_is_alike(shared_data: Path, tmp_path: Path) -> None:
    """Nearest neighbours by real MobileNetV2 vectors are mostly of the same class."""
    names, images = labelled_images(shared_data)
    encoder = make_encoder("mobilenet_v2", weights=shared_data / "mobilenet_v2_imagenet.pth")
    vectors = np.concatenate([encoder.encode([encoder.prepare(image)]) for image in images])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -1)
    classes = np.array(names)
    share = (classes[similar.argmax(axis=1)] == classes).mean()
    chance = np.mean([(classes == name).mean() for name in classes])
    assert share > 0.8 > 4 * chance


def labelled_images(shared_data: Path) -> tuple[list[str], list[Image.Image]]:
    """Ten images of each of ten classes."""
    import csv
    import io
    import tarfile

    with tarfile.open(shared_data / "caltech101-unbalanced.tar") as archive:

        def content(name: str) -> bytes:
            file = archive.extractfile(name)
            assert file is not None
            return file.read()

        rows = list(csv.DictReader(io.StringIO(content("labels.csv").decode())))
        classes = sorted({row["class"] for row in rows})[::6][:10]
        chosen = [row for name in classes for row in [r for r in rows if r["class"] == name][:10]]
        images = [Image.open(io.BytesIO(content(r["path"]))).convert("RGB") for r in chosen]
    return [row["class"] for row in chosen], images
