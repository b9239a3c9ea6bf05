"""The curves of the searches for K."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from imagestrata import Clustering, IterativeKMeans, SingleKMeans, cluster_images
from imagestrata.clustering import iterative

COLUMNS = ["iteration", "k", "fit", "kept", "criterion"]


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(400, 5)) + 8 * rng.integers(0, 3, size=(400, 5))).astype(np.float32)


def test_one_row_for_each_number_tried(points):
    model = IterativeKMeans(step_size=2, k_max=12, random_state=1).fit(points)
    searches = model.searches_
    assert searches.columns.tolist() == COLUMNS
    assert [str(kind) for kind in searches.dtypes] == ["int64", "int64", "float64", "bool", "str"]
    assert set(searches["criterion"]) == {"cohesion"}
    assert searches["iteration"].unique().tolist() == model.trace_["iteration"].tolist()
    for number, curve in searches.groupby("iteration"):
        assert curve["k"].tolist() == [*range(2, 2 * len(curve) + 1, 2)], number
        assert curve["kept"].sum() == 1
        assert curve["fit"].idxmax() == curve["kept"].idxmax()
    kept = searches.loc[searches["kept"], "k"].to_numpy()
    # The number that is fitted is the one kept; fewer only if vectors are equal.
    np.testing.assert_array_equal(model.trace_["k"], kept)


def test_few_groups_are_searched_by_their_silhouette():
    rng = np.random.default_rng(0)
    centers = 20 * np.eye(3, 30)
    groups = np.repeat(centers, 60, axis=0) + rng.normal(size=(180, 30))
    model = IterativeKMeans(k_criterion="inertia", random_state=0).fit(groups)
    searches = model.searches_
    assert searches["k"].tolist()[:2] == [2, 3]
    assert set(searches["criterion"]) == {"silhouette"} and (searches["fit"] <= 1).all()
    assert searches.loc[searches["kept"], "k"].tolist() == model.trace_["k"].tolist() == [3]


def test_without_a_search_there_are_no_rows(points):
    for model in (IterativeKMeans(k=4, random_state=0), SingleKMeans(n_clusters=4)):
        searches = model.fit(points).searches_
        assert searches.columns.tolist() == COLUMNS and searches.empty
    few = IterativeKMeans(random_state=0).fit(points[:8])
    assert few.searches_.columns.tolist() == COLUMNS and few.searches_.empty


def test_curves_are_stored_and_older_runs_have_none(points, tmp_path):
    made = cluster_images(points, out=tmp_path / "run", progress=False)
    assert len(made.searches)
    loaded = Clustering.load(tmp_path / "run")
    pd.testing.assert_frame_equal(loaded.searches, made.searches)
    made.save(tmp_path / "old")
    (tmp_path / "old" / "searches.parquet").unlink()
    old = Clustering.load(tmp_path / "old")
    assert old.searches.columns.tolist() == COLUMNS and old.searches.empty
    tables = {name: getattr(made, name) for name in ("images", "clusters", "trace")}
    given = Clustering(**tables, centroids=made.centroids, settings=made.settings)
    assert given.searches.empty
    assert dataclasses.replace(made, clusters=made.clusters).searches is made.searches


def test_a_resumed_run_keeps_the_curves(points, tmp_path, monkeypatch):
    whole = cluster_images(points, progress=False)
    compute, calls = IterativeKMeans._fit_remaining, []

    def stop(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return compute(self, *arguments)

    monkeypatch.setattr(IterativeKMeans, "_fit_remaining", stop)
    with pytest.raises(KeyboardInterrupt):
        cluster_images(points, out=tmp_path, progress=False)
    searched = []
    search = iterative.search_k
    monkeypatch.setattr(
        iterative, "search_k", lambda *a, **k: searched.append(1) or search(*a, **k)
    )
    resumed = cluster_images(points, out=tmp_path, progress=False)
    assert len(searched) == len(whole.trace) - 2
    pd.testing.assert_frame_equal(resumed.searches, whole.searches)
