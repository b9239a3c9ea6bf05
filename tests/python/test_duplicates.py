"""Copies by bytes, by pixels and to the eye."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import images
from imagestrata.corpus.decode import open_image
from imagestrata.corpus.duplicates import Looks, eye_hash, find_duplicates, pixel_hash
from imagestrata.corpus.reasons import Reason

BYTES, PIXELS, NEAR = Reason.SAME_BYTES, Reason.SAME_PIXELS, Reason.NEAR_DUPLICATE


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
        Looks("a", "1", 0b0000),
        Looks("a", "1", 0b0000),  # the same bytes
        Looks("b", "1", 0b0000),  # the same pixels
        Looks("c", "2", 0b0001),  # near the first
        Looks("c", "2", 0b0001),  # a copy of that one points at the first, too
        Looks("d", "3", 0b0011),  # near the fourth, which is not kept: far from the first
        Looks("e", "4", 0b0111),  # near the sixth
    ]
    assert find_duplicates(looks, 1) == [
        None,
        (BYTES, 0),
        (PIXELS, 0),
        (NEAR, 0),
        (NEAR, 0),
        None,
        (NEAR, 5),
    ]
    exact = find_duplicates(looks)
    assert exact == [None, (BYTES, 0), (PIXELS, 0), None, (BYTES, 3), None, None]


def test_the_first_of_several_near_ones():
    looks = [Looks(str(i), str(i), eye) for i, eye in enumerate([0b0011, 0b1100, 0b0000])]
    assert find_duplicates(looks, 2) == [None, None, (NEAR, 0)]
    assert find_duplicates(looks[1::-1] + looks[2:], 2) == [None, None, (NEAR, 0)]


@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=30),
    st.integers(0, 10),
    st.integers(0, 2**32),
)
def test_banded_search_finds_what_comparing_all_finds(seeds, max_distance, shuffle):
    dice = random.Random(shuffle)
    values = []
    for seed in seeds:  # with relatives that differ in about as many bits as matter
        values += [seed, seed ^ sum(1 << bit for bit in dice.sample(range(64), max_distance))]
        values.append(seed ^ sum(1 << bit for bit in dice.sample(range(64), max_distance + 1)))
    dice.shuffle(values)
    looks = [Looks(str(i), str(i), value) for i, value in enumerate(values)]
    found = find_duplicates(looks, max_distance)
    assert [each and each[1] for each in found] == by_hand(values, max_distance)


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


@pytest.mark.parametrize("seed", range(5))
def test_eye_hash_sees_reencoded_copies_and_not_other_pictures(seed):
    picture = images.picture(seed, (320, 240))
    copy = open_image(images.encode(picture.resize((288, 216)), "JPEG", quality=60))
    other = images.picture(seed + 100, (320, 240))
    assert (eye_hash(picture) ^ eye_hash(copy)).bit_count() <= 4
    assert (eye_hash(picture) ^ eye_hash(other)).bit_count() > 10
    assert 0 <= eye_hash(picture) < 2**64
