"""The search for the number of clusters: when it stops and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest

from imagestrata.clustering import choose_k
from imagestrata.clustering.choose_k import search_k, still_improves
from imagestrata.clustering.criteria import CRITERIA
from imagestrata.clustering.vectors import as_vectors


def test_windows_by_hand():
    # Means of two windows of 2: 1.5 and 3.5.
    assert still_improves([1, 2, 3, 4], 2, 0)
    # A gain of 2 over two steps is 2 / 1.5 / 2 = .67 a step.
    assert still_improves([1, 2, 3, 4], 2, 0.66)
    assert not still_improves([1, 2, 3, 4], 2, 0.67)
    assert not still_improves([9, 3, 4, 4, 3], 2, 0)
    assert still_improves([9, 3, 4], 2, 0)  # too early to tell


def test_criteria_below_zero_improve_upwards():
    assert still_improves([-4, -3, -2, -1], 2, 0.28)
    assert not still_improves([-4, -3, -2, -1], 2, 0.29)
    assert not still_improves([-1, -2, -3, -4], 2, 0)


@pytest.fixture
def search(monkeypatch):
    """Search with scores given beforehand; returns the k kept and the k tried."""
    sample = as_vectors(np.random.default_rng(0).normal(size=(90, 4)))

    def call(scores, **arguments):
        tried = []

        def criterion(vectors, fit):
            tried.append(len(fit.centers))
            return scores[len(tried) - 1]

        monkeypatch.setitem(CRITERIA, "given", criterion)
        defaults = {"step_size": 5, "converge_window": 2, "tolerance": 0.0, "k_max": 30}
        fit, curve = search_k(
            sample, "given", rng=np.random.default_rng(1), **(defaults | arguments)
        )
        assert curve["k"].tolist() == tried
        assert curve["fit"].tolist() == [*scores][: len(tried)]
        assert curve.loc[curve["kept"] == 1, "k"].tolist() == [len(fit.centers)]
        return len(fit.centers), tried

    return call


def test_the_best_fit_seen_is_kept(search):
    assert search([1, 5, 2, 3, 2, 2]) == (10, [5, 10, 15, 20])
    assert search([1, 2, 3, 4, 5, 6]) == (30, [5, 10, 15, 20, 25, 30])


def test_the_tolerance_is_per_added_cluster(search):
    rising = [10, 11, 12, 13, 14, 15]
    assert search(rising, tolerance=0.02) == (20, [5, 10, 15, 20])
    assert search(rising, tolerance=0.01)[0] == 30


def test_steps_end_at_k_max_and_at_the_sample(search):
    assert search(range(99), k_max=17) == (15, [5, 10, 15])
    assert search(range(99), k_max=3) == (3, [3])
    assert search(range(99), k_max=1000, step_size=40)[1] == [40, 80]


def test_stops_when_all_rows_are_apart(monkeypatch):
    sample = as_vectors(np.repeat(np.eye(4), 10, axis=0))
    monkeypatch.setattr(choose_k, "still_improves", lambda *_: True)
    fit, _ = search_k(
        sample,
        "silhouette",
        step_size=3,
        converge_window=3,
        tolerance=0.0,
        k_max=39,
        rng=np.random.default_rng(0),
    )
    assert len(fit.centers) == 4


@pytest.mark.parametrize(
    ("criterion", "tolerance"), [("explained_variance", 0.02), ("inertia", 0.006)]
)
def test_ever_rising_criteria_stop_by_their_tolerance(criterion, tolerance):
    kept, _ = search_k(
        as_vectors(np.random.default_rng(0).normal(size=(300, 40))),
        criterion,
        step_size=5,
        converge_window=3,
        tolerance=tolerance,
        k_max=300,
        rng=np.random.default_rng(0),
    )
    assert 30 <= len(kept.centers) < 100
