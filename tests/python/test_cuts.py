"""Scenes are found: cuts and fades are, flashes and movement are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from imagestrata.corpus.cuts import scene_starts
from imagestrata.corpus.film import Frame


def scene(seed, size=(160, 120)):
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)


A, B, C = scene(1), scene(2), scene(3)
BLACK, WHITE = np.zeros_like(A), np.full_like(A, 255)


def mixed(a, b, share):
    share = min(max(share, 0.0), 1.0)
    return (a * (1 - share) + b * share).astype(np.uint8)


def starts(shown, seconds, fps=25.0, threshold=12.0):
    """Where scenes begin, if ``shown`` gives the picture at each time."""
    times = np.arange(round(seconds * fps)) / fps
    return scene_starts([Frame(t, lambda t=t: shown(t)) for t in times], threshold)


@pytest.mark.parametrize("fps", [1, 5, 15, 25, 30, 60])
def test_cuts_are_found_to_the_frame(fps):
    assert starts(lambda t: [A, B, C][int(t / 2)], 6, fps) == [0, 2, 4]


def test_scenes_of_more_than_half_a_second():
    found = starts(lambda t: scene(int((t + 1e-9) / 0.6)), 6)
    assert found == pytest.approx(np.arange(10) * 0.6)


def test_scenes_whose_frames_have_no_regular_times():
    times = np.cumsum(np.random.default_rng(0).choice([0.02, 0.033, 0.1, 0.4], 100))
    shown = [A if time < 5 else B for time in times]
    frames = [Frame(t, lambda p=p: p) for t, p in zip(times, shown, strict=True)]
    assert scene_starts(frames, 12.0) == [times[0], times[times >= 5][0]]


@pytest.mark.parametrize("length", [0.2, 0.5, 1.0, 1.5, 2.0])
def test_a_dissolve_is_one_change_whose_frame_is_clear(length):
    found = starts(lambda t: mixed(A, B, (t - 2) / length), 6)
    assert found == [0, pytest.approx(2 + length, abs=0.1)]


@pytest.mark.parametrize("length", [0.25, 0.5, 1.0])
def test_a_fade_through_black_is_one_change(length):
    def shown(t):
        out = mixed(A, BLACK, (t - 2) / length)
        return out if t < 2 + length else mixed(BLACK, B, (t - 2 - length) / length)

    assert starts(shown, 6) == [0, pytest.approx(2 + 2 * length, abs=0.15)]


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
@pytest.mark.parametrize("flash", [WHITE, BLACK, B])
def test_flashes_are_no_scenes(frames, flash):
    assert starts(lambda t: flash if 2 <= t < 2 + frames / 25 - 1e-9 else A, 5) == [0]


def test_noise_and_quick_movement_are_no_scenes():
    rng = np.random.default_rng(0)
    noisy = [np.clip(A + rng.normal(0, 25, A.shape), 0, 255).astype(np.uint8) for _ in range(100)]
    assert starts(lambda t: noisy[round(t * 25)], 4) == [0]
    wide = scene(5, (1600, 120))
    for speed in (20, 40, 80, 160, 320):  # pixels a second, of 160
        assert starts(lambda t, v=speed: wide[:, int(v * t) : int(v * t) + 160], 4) == [0]


def test_the_first_scene_begins_where_something_is_seen():
    assert starts(lambda t: BLACK if t < 0.04 else A, 3) == [0.04]
    assert starts(lambda t: mixed(BLACK, A, t), 3) == [pytest.approx(0.95, abs=0.06)]


def test_the_threshold_decides():
    """Grey 100 and 120 have lightness 42.4 and 50.4: a distance of 8."""
    greys = [np.full_like(A, value) for value in (100, 120)]
    assert starts(lambda t: greys[int(t >= 2)], 4, threshold=7.5) == [0, 2]
    assert starts(lambda t: greys[int(t >= 2)], 4, threshold=8.5) == [0]
    assert starts(lambda t: BLACK if t < 2 else WHITE, 4, threshold=99.9) == [0, 2]


def test_short_and_empty_videos():
    assert starts(lambda t: A, 0.1) == [0]
    assert starts(lambda t: A, 0.04) == [0]
    assert scene_starts([], 12.0) == []
    assert starts(lambda t: A if t < 0.4 else B, 0.8) == [0, 0.4]


def test_memory_does_not_grow_with_the_video():
    """Only small pictures of the last second are kept, whatever the length."""
    alive = 0

    class Big(np.ndarray):
        def __del__(self):
            nonlocal alive
            alive -= 1

    most = 0

    def shown(_):
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        return A.copy().view(Big)

    assert starts(shown, 40) == [0]
    assert most <= 3
