"""Which clusters leave."""

from __future__ import annotations

import numpy as np

from imagestrata.clustering.release import cohesive_clusters

MEANS = np.array([0.1, 0.5, 0.02, 0.3, 0.03])
SIZES = np.array([20, 5, 40, 10, 25])


def released(threshold: float, share: float) -> list[int]:
    mask = cohesive_clusters(MEANS, SIZES, threshold=threshold, share=share)
    return np.flatnonzero(mask).tolist()


def test_all_above_the_threshold_leave():
    assert released(0.03, 1) == [0, 1, 3]
    assert released(-1, 1) == [0, 1, 2, 3, 4]
    assert released(0.5, 1) == []


def test_the_most_cohesive_leave_first():
    assert released(0, 0.15) == [1, 3]
    assert released(0, 0.35) == [0, 1, 3]
    assert released(0.2, 0.35) == [1, 3]


def test_one_may_always_leave():
    assert released(0, 0) == [1]
    assert released(0.6, 0) == []
