"""Copies by bytes, by pixels and to the eye."""

from __future__ import annotations

import random

import imagehash
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import images
from imagestrata.corpus import near
from imagestrata.corpus.decode import open_image
from imagestrata.corpus.duplicates import eye_hash, find_duplicates, pixel_hash
from imagestrata.corpus.near import bands, count_bits, find_leaders, first_near
from imagestrata.corpus.reasons import Reason

BYTES, PIXELS, NEAR = Reason.SAME_BYTES, Reason.SAME_PIXELS, Reason.NEAR_DUPLICATE


def duplicates(looks, max_distance=None):
    """For each (id, pixels, eye) the reason and the one that is kept, None if it is itself."""
    ids, pixels, eyes = zip(*looks, strict=True)
    found = find_duplicates(
        pd.Series(ids),
        pd.Series(pixels),
        None if max_distance is None else hashes(eyes),
        max_distance or 0,
    )
    return [why and (why, kept) for kept, why in zip(found.kept, found.reason, strict=True)]


def hashes(values):
    return np.array(values, dtype=np.uint64)


def by_hand(values: list[int], max_distance: int) -> list[int | None]:
    """The leader rule, comparing everything with everything."""
    found: list[int | None] = []
    for position, value in enumerate(values):
        near = [
            first
            for first in range(position)
            if found[first] is None and (values[first] ^ value).bit_count() <= max_distance
        ]
        found.append(near[0] if near else None)
    return found


def test_first_is_kept_and_copies_point_at_it():
    looks = [
        ("a", "1", 0b0000),
        ("a", "1", 0b0000),  # the same bytes
        ("b", "1", 0b0000),  # the same pixels
        ("c", "2", 0b0001),  # near the first
        ("c", "2", 0b0001),  # a copy of that one points at the first, too
        ("d", "3", 0b0011),  # near the fourth, which is not kept: far from the first
        ("e", "4", 0b0111),  # near the sixth
        ("b", "1", 0b0000),  # the same bytes as one that is not kept
    ]
    assert duplicates(looks, 1) == [
        None,
        (BYTES, 0),
        (PIXELS, 0),
        (NEAR, 0),
        (NEAR, 0),
        None,
        (NEAR, 5),
        (PIXELS, 0),
    ]
    exact = [None, (BYTES, 0), (PIXELS, 0), None, (BYTES, 3), None, None, (PIXELS, 0)]
    assert duplicates(looks) == exact


def test_the_first_of_several_near_ones():
    assert find_leaders(hashes([0b0011, 0b1100, 0b0000]), 2).tolist() == [0, 1, 0]
    assert find_leaders(hashes([0b1100, 0b0011, 0b0000]), 2).tolist() == [0, 1, 0]
    assert find_leaders(hashes([]), 4).tolist() == []


@pytest.mark.parametrize("few", [4, 1024])
@settings(max_examples=100)
@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=30),
    st.integers(0, 10),
    st.integers(0, 2**32),
)
def test_banded_search_finds_what_comparing_all_finds(few, seeds, max_distance, shuffle):
    dice = random.Random(shuffle)
    values = []
    for seed in seeds:  # with relatives that differ in about as many bits as matter
        values += [seed, seed ^ sum(1 << bit for bit in dice.sample(range(64), max_distance))]
        values.append(seed ^ sum(1 << bit for bit in dice.sample(range(64), max_distance + 1)))
    dice.shuffle(values)
    by_hand_found = [
        row if first is None else first for row, first in enumerate(by_hand(values, max_distance))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "_FEW", few)
        assert find_leaders(hashes(values), max_distance).tolist() == by_hand_found


@pytest.mark.parametrize("max_distance", [1, 2, 4, 7, 10])
@pytest.mark.parametrize("n", [10, 3_000, 10**5, 10**6, 10**8])
def test_bands_miss_nothing(n, max_distance):
    """However d bits are shared among the bands, one of them gets no more than its radius."""
    plan = bands(n, max_distance)
    assert sum(band.radius + 1 for band in plan) == max_distance + 1
    taken = sorted(bit for b in plan for bit in range(b.shift, b.shift + b.width))
    assert len(set(taken)) == len(taken)
    assert taken[-1] < 64


def test_bits_are_counted_with_an_old_numpy_too(monkeypatch):
    values = hashes([0, 1, 2**64 - 1, 0x8000_0001_0000_F00F])
    expected = [0, 1, 64, 10]
    assert count_bits(values).tolist() == expected
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert count_bits(values).tolist() == expected
    assert count_bits(values[:, None] ^ values).tolist()[1] == [1, 0, 63, 9]


def candidates_visited(monkeypatch, values, max_distance):
    """How many pairs of hashes are compared with each other bit by bit."""
    visited = 0
    honest = near.count_bits

    def counting(pairs):
        nonlocal visited
        visited += pairs.size
        return honest(pairs)

    monkeypatch.setattr(near, "_FEW", 64)
    monkeypatch.setattr(near, "count_bits", counting)
    find_leaders(values, max_distance)
    monkeypatch.undo()
    return visited


@pytest.mark.parametrize(("max_distance", "power"), [(4, 1.2), (10, 1.6)])
def test_few_of_many_unlike_hashes_are_compared(monkeypatch, max_distance, power):
    values = np.random.default_rng(0).integers(2**64, size=20_000, dtype=np.uint64)
    small, large = (
        candidates_visited(monkeypatch, values[:n], max_distance) for n in (5_000, 20_000)
    )
    assert large < 4**power * small  # all with all: a power of 2


@pytest.mark.parametrize("flips", [2, 4, 6])
def test_hashes_that_are_all_alike_are_no_more_work(monkeypatch, flips):
    """Blank pages: each is compared with the few that are kept, never with all the others."""
    rng = np.random.default_rng(0)

    def pages(n):
        values = np.full(n, 0x0123_4567_89AB_CDEF, dtype=np.uint64)
        for _ in range(flips):
            values ^= np.uint64(1) << rng.integers(64, size=n, dtype=np.uint64)
        return values

    small, large = (candidates_visited(monkeypatch, pages(n), 8) for n in (5_000, 40_000))
    assert large < 12 * small  # 8 times the hashes; all with all: 64 times


def test_one_crowded_place_does_not_fill_the_memory(monkeypatch):
    """Candidates come in pieces, of any size."""
    values = hashes(range(64))
    whole = first_near(values, values[::-1].copy(), 3)
    monkeypatch.setattr(near, "_CANDIDATES", 7)
    monkeypatch.setattr(near, "_QUERIES", 5)
    assert first_near(values, values[::-1].copy(), 3).tolist() == whole.tolist()
    assert whole.tolist() == [
        min(i for i in range(64) if (i ^ query).bit_count() <= 3) for query in range(63, -1, -1)
    ]


def test_pixel_hash_knows_pixels_and_shape():
    picture = images.picture(1)
    stored = [images.encode(picture, format) for format in ("PNG", "BMP", "TIFF")]
    stored.append(images.encode(picture, "WEBP", lossless=True))
    assert len({pixel_hash(open_image(data)) for data in stored}) == 1
    tall = images.picture(1, (700, 300)).rotate(90, expand=True)  # more rows than one block
    assert pixel_hash(tall) == pixel_hash(tall.copy())
    changed = tall.copy()
    changed.putpixel((299, 699), (1, 2, 3))
    assert pixel_hash(changed) != pixel_hash(tall)
    grey = picture.convert("L").convert("RGB")
    assert pixel_hash(grey.resize((64, 24))) != pixel_hash(grey.resize((24, 64)))


@pytest.mark.parametrize("seed", range(8))
def test_eye_hash_is_the_phash_of_imagehash(seed):
    size = [(320, 240), (31, 500), (8, 8), (1, 1)][seed % 4]
    for picture in (images.picture(seed, size), images.picture(seed, size).convert("L")):
        assert f"{eye_hash(picture):016x}" == str(imagehash.phash(picture))


@pytest.mark.parametrize("seed", range(5))
def test_eye_hash_sees_reencoded_copies_and_not_other_pictures(seed):
    picture = images.picture(seed, (320, 240))
    copy = open_image(images.encode(picture.resize((288, 216)), "JPEG", quality=60))
    other = images.picture(seed + 100, (320, 240))
    assert (eye_hash(picture) ^ eye_hash(copy)).bit_count() <= 4
    assert (eye_hash(picture) ^ eye_hash(other)).bit_count() > 10
    assert 0 <= eye_hash(picture) < 2**64
