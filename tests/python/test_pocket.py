"""Our own small network and its weights."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import nn
from torch.fx import GraphModule

from imagestrata import (
    ImagestrataError,
    embed_images,
    explain_labels,
    fine_tune,
    list_encoders,
    predict_labels,
    tag_images,
)
from imagestrata.demo.corpus import draw_demo_corpus
from imagestrata.encoders import pocket
from imagestrata.encoders.inference import fold_batch_norm
from imagestrata.encoders.pocket import PocketNetwork, load_network, pack, unpack
from imagestrata.encoders.registry import (
    ENCODERS,
    deciding_arguments,
    make_encoder,
    restore_encoder,
)
from imagestrata.files import file_hash
from imagestrata.finetune.network import blocks
from labelled import draw_labelled, label_table


def squares(n: int = 5) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    shape = (pocket.SIDE, pocket.SIDE, 3)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(n)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_labelled(tmp_path_factory.mktemp("images"), 8)


class TestPacking:
    def test_by_hand(self) -> None:
        weight = torch.tensor([[1.27, -0.005], [0.0, 0.0]])
        packed = pack({"a.weight": weight, "a.bias": torch.tensor([0.1])})
        assert packed["a.weight"].dtype == torch.int8
        assert packed["a.weight"].tolist() == [[127, 0], [0, 0]]
        assert packed["a.weight.scale"].flatten().tolist() == pytest.approx([0.01, 0])
        back = unpack(packed)
        assert list(back) == ["a.weight", "a.bias"] and back["a.bias"] == torch.tensor([0.1])
        torch.testing.assert_close(back["a.weight"], torch.tensor([[1.27, 0.0], [0.0, 0.0]]))

    @given(st.integers(1, 4), st.floats(1e-4, 1e3))
    @settings(max_examples=20)
    def test_nothing_moves_by_more_than_half_a_step(self, rows: int, size: float) -> None:
        generator = torch.Generator().manual_seed(rows)
        weight = size * torch.randn(rows, 3, 2, 2, generator=generator)
        moved = (unpack(pack({"w": weight}))["w"] - weight).abs().amax((1, 2, 3))
        assert (moved <= weight.abs().amax((1, 2, 3)) / 127 * 0.501).all()

    def test_weights_that_are_not_packed_stay(self) -> None:
        plain = PocketNetwork().state_dict()
        assert all(tensor is plain[name] for name, tensor in unpack(plain).items())


class TestNetwork:
    def test_shapes(self) -> None:
        network = PocketNetwork().eval()
        pixels = torch.zeros(2, 3, pocket.SIDE, pocket.SIDE)
        assert network(pixels).shape == (2, pocket.WIDTH) == (2, ENCODERS["pocket"].width)

    def test_every_batch_norm_is_folded(self) -> None:
        network, _ = load_network("pocket", weights=None, resize="rescale_crop")
        network.eval().requires_grad_(False)
        pixels = torch.randn(2, 3, 64, 64)
        plain, folded = network(pixels), fold_batch_norm(network)
        torch.testing.assert_close(folded(pixels), plain, rtol=1e-3, atol=1e-3)
        assert isinstance(folded, GraphModule)
        called = [
            folded.get_submodule(str(n.target)) for n in folded.graph.nodes if n.op == "call_module"
        ]
        assert called and not any(isinstance(part, nn.BatchNorm2d) for part in called)

    def test_blocks_from_the_first_to_the_last(self) -> None:
        names = [name for name, _ in blocks(PocketNetwork())]
        assert names[0] == "features.0" and names[-1] == "features.21"


class TestWeights:
    def test_they_are_ours_small_and_no_pickle(self) -> None:
        assert file_hash(pocket.PUBLISHED) == pocket.PUBLISHED_SHA256
        assert pocket.PUBLISHED.stat().st_size <= 6_000_000
        with safe_open(pocket.PUBLISHED, "pt") as file:
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        assert set(unpack(held)) == set(tensors(PocketNetwork()))
        assert all(held[name].dtype == torch.int8 for name in held if name + ".scale" in held)

    def test_nothing_is_left_as_it_was_built(self) -> None:
        network, _ = load_network("pocket", weights=None, resize="rescale_crop")
        torch.manual_seed(1)
        built = tensors(PocketNetwork())
        for name, tensor in tensors(network).items():
            assert not torch.equal(tensor, built[name]), name

    def test_random_numbers_of_the_user_stay_untouched(self) -> None:
        torch.manual_seed(4)
        expected = torch.rand(1)
        torch.manual_seed(4)
        make_encoder("pocket")
        assert torch.equal(torch.rand(1), expected)

    def test_another_file_in_their_place(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = bytearray(pocket.PUBLISHED.read_bytes())
        data[-1] ^= 1
        changed = tmp_path / "pocket.safetensors"
        changed.write_bytes(data)
        monkeypatch.setattr(pocket, "PUBLISHED", changed)
        with pytest.raises(ImagestrataError, match="damaged: its SHA-256 begins with") as caught:
            make_encoder("pocket")
        assert "Install imagestrata again" in caught.value.hint

    def test_weights_of_another_network(self, tmp_path: Path) -> None:
        torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
        with pytest.raises(ImagestrataError, match="does not hold the weights of pocket"):
            make_encoder("pocket", weights=tmp_path / "other.pth")
        with pytest.raises(ImagestrataError, match="does not exist"):
            make_encoder("pocket", weights=tmp_path / "none.pth")


class TestEncoder:
    def test_it_is_ready_without_a_network(self) -> None:
        line = list_encoders().set_index("name").loc["pocket"]
        assert line["ready"] and pd.isna(line["needs"])
        assert (line["input"], line["width"]) == (pocket.SIDE, pocket.WIDTH)

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_a_batch_changes_nothing(self, precision: str) -> None:
        encoder = make_encoder("pocket", precision=precision, device="cpu")
        prepared = squares()
        together = encoder.encode(prepared)
        one_by_one = np.concatenate([encoder.encode([square]) for square in prepared])
        assert np.array_equal(together, encoder.encode(prepared))
        tolerance = 1e-4 if precision == "float32" else 0.02
        assert cosines(together, one_by_one).min() > 1 - tolerance

    def test_bfloat16_is_close_to_float32(self) -> None:
        rows = [
            make_encoder("pocket", precision=name, device="cpu").encode(squares())
            for name in ("float32", "bfloat16")
        ]
        assert cosines(*rows).min() > 0.98

    def test_it_is_restored_wherever_the_package_lies(self, monkeypatch: Any) -> None:
        encoder = make_encoder("pocket", resize="squish", device="cpu")
        assert encoder.settings["weights"] is None
        assert encoder.settings["weights_sha256"] == pocket.PUBLISHED_SHA256
        again = restore_encoder(encoder.settings, {}, device="cpu")
        assert np.array_equal(again.encode(squares()), encoder.encode(squares()))
        other = encoder.settings | {"weights_sha256": "f" * 64}
        with pytest.raises(ImagestrataError, match="those in 'the package' begin with"):
            restore_encoder(other, {})

    def test_what_decides_its_vectors(self) -> None:
        assert deciding_arguments("pocket", None, "pad", "auto", 3) == {
            "encoder": "pocket", "weights": None, "resize": "pad", "precision": "auto",
        }  # fmt: skip

    def test_it_knows_no_labels(self, folder: Path) -> None:
        with pytest.raises(ImagestrataError, match="has no labels"):
            tag_images(folder, "pocket", progress=False)

    def test_drawn_scenes_of_a_kind_are_near(self, tmp_path: Path) -> None:
        drawn = draw_demo_corpus(tmp_path / "scenes", n_images=100)
        kinds = pd.read_csv(drawn / "labels.csv").set_index("file")["kind"]
        embeddings = embed_images(drawn, "pocket", device="cpu", progress=False)
        names = [Path(path).relative_to(drawn).as_posix() for path in embeddings.images["path"]]
        kind = kinds.loc[names].to_numpy()
        alike = unit(embeddings.matrix) @ unit(embeddings.matrix).T
        np.fill_diagonal(alike, -1)
        hits = (kind[alike.argmax(axis=1)] == kind).mean()
        chance = (pd.Series(kind).value_counts(normalize=True) ** 2).sum()
        assert hits > 5 * chance


@pytest.mark.parametrize("freeze", ["backbone", "none", 8])
def test_it_learns_labels(folder: Path, tmp_path: Path, freeze: Any) -> None:
    model = fine_tune(
        folder, label_table(folder), encoder="pocket", freeze=freeze, epochs=2, batch_size=4,
        learning_rate=0.005, seed=1, device="cpu", out=tmp_path / "run", progress=False,
    )  # fmt: skip
    assert model.encoder["name"] == "pocket"
    found = predict_labels(folder, model, device="cpu", progress=False)
    stored = model.predictions.set_index("path")["probability"]
    assert found["probability"].to_numpy() == pytest.approx(
        stored[found["path"]].to_numpy(), abs=1e-3
    )
    kept, _ = load_network("pocket", weights=None, resize="rescale_crop")
    taught, look = load_network(
        "pocket", weights=model.folder / "weights.safetensors", resize="rescale_crop"
    )
    same = [
        torch.equal(before, after)
        for before, after in zip(kept.parameters(), taught.parameters(), strict=True)
    ]
    assert all(same) if freeze == "backbone" else not same[-1]
    assert same[0] == (freeze != "none")
    assert look["published"] == "pocket" and look["weights_sha256"] != pocket.PUBLISHED_SHA256
    explained = explain_labels(
        folder / "red", model, tmp_path / "maps", device="cpu", progress=False
    )
    assert len(explained) == 8 and explained["reason"].isna().all()
    assert all(Path(overlay).is_file() for overlay in explained["overlay"])


@pytest.mark.shared
def test_photographs_of_a_class_are_near(shared_data: Path, tmp_path: Path) -> None:
    """The goals of docs/pocket.md, on classes that it never saw."""
    with tarfile.open(shared_data / "caltech101-unbalanced.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    table = pd.read_csv(tmp_path / "labels.csv")
    table["path"] = [str(tmp_path / path) for path in table["path"]]
    table = table.sort_values("path", ignore_index=True)
    embeddings = embed_images(table, "pocket", device="cpu", progress=False)
    embedded = table.set_index("path").loc[embeddings.images["path"]].reset_index()
    order = np.argsort(embedded["path"])
    vectors = unit(embeddings.matrix[order])
    truth = embedded["class"].to_numpy()[order]
    near = np.argsort(-(vectors[1::2] @ vectors[::2].T), axis=1)[:, :5]
    said = pd.DataFrame(truth[::2][near]).mode(axis=1)[0].to_numpy()
    right = pd.Series(said == truth[1::2])
    assert right.mean() >= 0.75
    assert right.groupby(truth[1::2]).mean().mean() >= 0.55


def tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    """Weights and statistics, without the counter that nobody needs."""
    held = network.state_dict()
    return {name: held[name] for name in held if not name.endswith("num_batches_tracked")}


def unit(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def cosines(some: np.ndarray[Any, Any], others: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray((unit(some) * unit(others)).sum(axis=1))
