"""Splits: every label everywhere, copies never apart."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata.finetune.split import split_images

SHARES = (0.6, 0.2, 0.2)


def one_hot(classes):
    return np.eye(max(classes) + 1, dtype=np.float32)[classes]


def test_ten_images_of_two_classes_by_hand():
    split = split_images(one_hot([0] * 5 + [1] * 5), np.arange(10), SHARES, 0)
    assert Counter(split[:5]) == Counter(split[5:]) == {"train": 3, "val": 1, "test": 1}


@settings(max_examples=40)
@given(st.lists(st.integers(5, 40), min_size=1, max_size=5), st.integers(0, 99))
def test_every_class_has_its_share(sizes, seed):
    classes = np.repeat(np.arange(len(sizes)), sizes)
    split = split_images(one_hot(classes), np.arange(len(classes)), SHARES, seed)
    for number, size in enumerate(sizes):
        found = Counter(split[classes == number])
        for name, share in zip(("train", "val", "test"), SHARES, strict=True):
            assert abs(found[name] - share * size) <= 1.5


@settings(max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=20, max_size=60), st.integers(0, 99))
def test_groups_stay_together(groups, seed):
    numbers = np.unique(groups, return_inverse=True)[1]
    truth = np.random.default_rng(seed).choice([0, 1, np.nan], (len(groups), 3))
    split = split_images(truth.astype(np.float32), numbers, SHARES, seed)
    for group in np.unique(numbers):
        assert len(set(split[numbers == group])) == 1


def test_no_test_split_if_none_is_wanted_and_seeds_matter():
    truth, groups = one_hot([0, 1] * 20), np.arange(40)
    assert "test" not in split_images(truth, groups, (0.8, 0.2, 0.0), 0)
    one, same, other = (split_images(truth, groups, SHARES, seed).tolist() for seed in (1, 1, 2))
    assert one == same != other
