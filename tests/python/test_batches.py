"""The size of batches is found by trying, and no picture is lost when memory gives out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from images import picture, write_pictures
from imagestrata import ImagestrataError, embed_images
from imagestrata.embeddings import parts
from imagestrata.encoders import inference, network, registry
from imagestrata.encoders.batches import MOST, FittingBatches, best_batch


class Full(Exception):
    """The memory of a device that is none."""


def device(fits: int, seconds: Callable[[int], float]) -> Callable[[int], float]:
    """How long a device takes that has memory for so many pictures."""

    def run(n: int) -> float:
        if n > fits:
            raise Full
        return seconds(n)

    return run


class TestBestBatch:
    @pytest.mark.parametrize(
        ("fits", "seconds", "expected"),
        [
            (10**6, lambda n: 1.0, MOST),  # a large device: all at once cost what one does
            (100, lambda n: 1.0, 64),  # memory ends
            (10**6, lambda n: float(n), MOST),  # no gain and no loss
            (10**6, lambda n: n if n <= 8 else 1.1 * n, 8),  # out of a cache
            (10**6, lambda n: float(n * n), 1),
            (1, lambda n: 1.0, 1),
        ],
    )
    def test_cases_by_hand(self, fits: int, seconds: Callable[[int], float], expected: int) -> None:
        assert best_batch(device(fits, seconds), Full) == expected

    def test_not_even_one(self) -> None:
        with pytest.raises(Full):
            best_batch(device(0, lambda n: 1.0), Full)

    @given(fits=st.integers(1, 600), most=st.sampled_from([1, 16, 256]))
    def test_a_power_of_two_that_fits_and_the_next_does_not(self, fits: int, most: int) -> None:
        found = best_batch(device(fits, lambda n: 1.0), Full, most)
        assert found in [2**power for power in range(9)]
        assert found <= min(fits, most) < 2 * found or found == most

    def test_as_many_as_a_part_has(self) -> None:
        """Larger batches are cut, so they need not be tried."""
        assert MOST == parts.PART_SIZE


class TestFittingBatches:
    @settings(max_examples=50)
    @given(
        n=st.integers(1, 300),
        memory=st.lists(st.integers(1, 300), min_size=1, max_size=8),
    )
    def test_every_picture_once_in_order_however_memory_changes(
        self, n: int, memory: list[int]
    ) -> None:
        done: list[int] = []
        calls = [0]

        def work(pictures: Any) -> Any:
            calls[0] += 1
            if len(pictures) > memory[calls[0] % len(memory)]:
                raise Full
            done.extend(pictures[:, 0])
            return 2 * pictures

        pictures = np.arange(n, dtype=np.float32)[:, None]
        fitting = FittingBatches(work, Full)
        assert np.array_equal(fitting(pictures), 2 * pictures)
        assert done == list(range(n))

    def test_halves_and_stays_there(self) -> None:
        sizes: list[int] = []

        def work(pictures: Any) -> Any:
            sizes.append(len(pictures))
            if len(pictures) > 40:
                raise Full
            return pictures

        fitting = FittingBatches(work, Full)
        fitting(np.zeros((100, 1)))
        assert sizes == [100, 64, 32, 32, 32, 4] and fitting.most == 32
        fitting(np.zeros((40, 1)))
        assert sizes[6:] == [32, 8]

    def test_one_that_does_not_fit_and_other_errors_are_errors(self) -> None:
        def full(pictures: Any) -> Any:
            raise Full

        def broken(pictures: Any) -> Any:
            raise ZeroDivisionError

        with pytest.raises(Full):
            FittingBatches(full, Full)(np.zeros((9, 1)))
        with pytest.raises(ZeroDivisionError):
            FittingBatches(broken, Full)(np.zeros((9, 1)))


# ---- a device that is not the CPU, or plays one ----


class FakeDevice:
    """Makes a network on the CPU believe that it is on a GPU of a certain memory."""

    def __init__(self, encoder: Any, fits: int) -> None:
        self.fits = fits
        self.sizes: list[int] = []
        self.at_once = 0
        self._compute = encoder._compute
        encoder._on_cpu = False
        encoder._turn = threading.Lock()
        encoder._compute = self

    def __call__(self, squares: Any) -> Any:
        self.at_once += 1
        assert self.at_once == 1
        try:
            self.sizes.append(len(squares))
            if len(squares) > self.fits:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return self._compute(squares)
        finally:
            self.at_once -= 1


def lite(**arguments: Any) -> Any:
    given = {"precision": "float32", "device": "cpu"} | arguments
    return registry.make_encoder("efficientnet_lite0", **given)


def test_cores_are_not_tried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "best_batch", None)
    assert lite().batch_size == network.CPU_BATCH_SIZE


def test_another_device_is_tried_out_once() -> None:
    encoder = lite()
    gpu = FakeDevice(encoder, fits=6)
    encoder._seconds = lambda n: encoder._vectors(blank(n)).sum() * 0 + 1
    assert encoder.batch_size == 4
    assert gpu.sizes == [1, 2, 4, 8]
    assert encoder.batch_size == 4 and len(gpu.sizes) == 4


def test_times_are_of_blank_squares_of_the_right_size() -> None:
    encoder = lite()
    seen: list[Any] = []
    encoder._vectors = lambda squares: seen.append(squares.shape)
    assert 0 <= encoder._seconds(3) < 60
    size = encoder.settings["input_size"]
    assert len(seen) > 1 and set(seen) == {(3, size, size, 3)}


def blank(n: int) -> Any:
    size = lite().settings["input_size"]
    return np.zeros((n, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("fits", [1, 5, 16, 100])
def test_vectors_do_not_depend_on_batches(fits: int) -> None:
    """But for rounding: sums are taken in another order."""
    encoder = lite()
    prepared = [encoder.prepare(picture(seed)) for seed in range(17)]
    alone = np.concatenate([encoder.encode([one]) for one in prepared])
    FakeDevice(encoder, fits)
    together = encoder.encode(prepared)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-4 * np.abs(alone).max())


def test_a_run_goes_on_with_half_when_memory_gives_out(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_pictures(tmp_path / "images", 24)
    plain = embed_images(folder, precision="float32", device="cpu", progress=False)
    encoder = lite()
    gpu = FakeDevice(encoder, fits=100)
    encoder.batch_size = 8

    def shrink(squares: Any, compute: Any = gpu.__call__) -> Any:
        gpu.fits = 100 if len(gpu.sizes) < 1 else 3
        return compute(squares)

    encoder._compute = shrink
    monkeypatch.setattr("imagestrata.embeddings.embed.make_encoder", lambda *_, **__: encoder)
    made = embed_images(folder, progress=False)
    assert gpu.sizes[:4] == [8, 8, 4, 2] and set(gpu.sizes[3:]) == {2}
    assert made.failures.empty
    assert made.images["image_id"].tolist() == plain.images["image_id"].tolist()
    np.testing.assert_allclose(made.matrix, plain.matrix, atol=1e-4 * np.abs(plain.matrix).max())


def test_a_device_too_small_for_one_image_is_said() -> None:
    encoder = lite()
    FakeDevice(encoder, fits=0)
    with pytest.raises(ImagestrataError, match="too small for a single image"):
        encoder.encode([encoder.prepare(picture(0))] * 3)
    with pytest.raises(ImagestrataError, match="too small for a single image"):
        _ = encoder.batch_size


# ---- which device ----


@pytest.mark.parametrize(("there_is_one", "expected"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_a_gpu_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, there_is_one: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there_is_one)
    assert inference.pick_device("auto") == torch.device(expected)


@pytest.mark.parametrize(("major", "expected"), [(7, torch.float32), (9, torch.bfloat16)])
def test_auto_takes_bfloat16_where_a_gpu_has_it(
    monkeypatch: pytest.MonkeyPatch, major: int, expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (major, 0))
    assert inference.pick_dtype("auto", torch.device("cuda")) == expected


def test_everything_goes_to_another_device() -> None:
    """Torch's device without memory: shapes and types are real, numbers are not there."""
    encoder = lite(device="meta", precision="bfloat16")
    assert isinstance(encoder._turn, type(threading.Lock()))
    vectors = encoder._compute(blank(5))
    assert vectors.device.type == "meta" and vectors.dtype == torch.bfloat16
    assert vectors.shape == (5, encoder.width)
