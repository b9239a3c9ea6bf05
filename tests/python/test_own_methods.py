"""Clusters by an estimator of scikit-learn, or by a function of a user's own."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import DBSCAN, AgglomerativeClustering, Birch, BisectingKMeans, KMeans
from sklearn.metrics import silhouette_samples
from sklearn.mixture import GaussianMixture

from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    cluster_stability,
    methods_paragraph,
    sample_images,
)

POINTS = np.array([[0.0], [0.0], [1.0], [9.0], [9.0], [8.0]])


@pytest.fixture(scope="module")
def blobs() -> NDArray[Any]:
    """Three groups of 30, 20 and 10 points."""
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(3) * 20, [30, 20, 10], axis=0)
    return (centers + rng.normal(size=(60, 3))).astype(np.float32)


def cluster(vectors: Any, method: Any, **arguments: Any) -> Clustering:
    return cluster_images(vectors, method, progress=False, **arguments)


class Halves(ClusterMixin, BaseEstimator):
    """An estimator that is not installed: it cuts at a value."""

    def __init__(self, cut: float = 5.0, random_state: Any = None) -> None:
        self.cut = cut
        self.random_state = random_state

    def fit(self, X: NDArray[Any], y: Any = None) -> Halves:
        self.labels_ = (X[:, 0] > self.cut).astype(int)
        return self


class TestEstimators:
    @pytest.mark.parametrize(
        "estimator",
        [Birch(n_clusters=3), AgglomerativeClustering(3), KMeans(3), GaussianMixture(3)],
        ids=lambda one: type(one).__name__,
    )
    def test_its_clusters_are_numbered_by_size(self, estimator: Any, blobs: NDArray[Any]) -> None:
        found = cluster(blobs, estimator)
        assert found.images["cluster"].tolist() == [1] * 30 + [2] * 20 + [3] * 10
        assert found.summary["method"].tolist() == [type(estimator).__name__]
        exact = silhouette_samples(blobs, found.images["cluster"])
        np.testing.assert_allclose(found.images["silhouette"], exact, atol=1e-5)
        np.testing.assert_allclose(found.centroids[2], blobs[50:].mean(axis=0), rtol=1e-5)
        assert len(sample_images(found, 2)) == 6

    def test_labels_of_minus_one_are_the_residual(self, blobs: NDArray[Any]) -> None:
        vectors = np.vstack([blobs, [[500.0, 0, 0]]])
        found = cluster(vectors, DBSCAN(eps=5, min_samples=3))
        assert found.summary[["n_clusters", "n_residual"]].to_numpy().tolist() == [[3, 1]]
        assert found.images["cluster"].iloc[-1] == -1
        assert np.isnan(found.images["silhouette"].iloc[-1])

    def test_the_seed_fills_an_open_random_state_and_no_other(self) -> None:
        seen = []

        class Watched(Halves):
            def fit(self, X: NDArray[Any], y: Any = None) -> Halves:
                seen.append(self.random_state)
                return super().fit(X)

        cluster(POINTS, Watched(), seed=7)
        cluster(POINTS, Watched(random_state=3), seed=7)
        assert seen == [7, 3]
        same = [
            cluster(POINTS, BisectingKMeans(2, init="random"), seed=1).images["cluster"].tolist()
            for _ in range(2)
        ]
        assert same[0] == same[1]

    def test_the_users_object_stays_as_it_was(self, blobs: NDArray[Any]) -> None:
        mine = KMeans(3)
        cluster(blobs, mine)
        assert not hasattr(mine, "labels_") and mine.random_state is None

    def test_a_finished_clustering_is_read_and_another_refused(
        self, blobs: NDArray[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = cluster(blobs, Birch(n_clusters=3), out=tmp_path)
        with monkeypatch.context() as patched:
            patched.setattr(Birch, "fit_predict", lambda *_: pytest.fail("fitted again"))
            again = cluster(blobs, Birch(n_clusters=3), out=tmp_path)
        assert first.images["cluster"].tolist() == again.images["cluster"].tolist()
        assert Clustering.load(tmp_path).settings["parameters"]["n_clusters"] == 3
        for other in (Birch(n_clusters=2), Birch(threshold=0.4, n_clusters=3), KMeans(3)):
            with pytest.raises(ImagestrataError, match="already holds the step 'cluster' with"):
                cluster(blobs, other, out=tmp_path)

    def test_changed_code_of_a_class_of_ones_own_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = (
            "from sklearn.base import BaseEstimator, ClusterMixin\n"
            "class Cut(ClusterMixin, BaseEstimator):\n"
            "    def fit(self, X, y=None):\n"
            "        self.labels_ = (X[:, 0] > 5).astype(int)  # halves\n"
            "        return self\n"
        )

        def run(code: str, number: int) -> Clustering:
            name = f"cuts{number}"
            (tmp_path / f"{name}.py").write_text(code)
            monkeypatch.syspath_prepend(tmp_path)
            kind = importlib.import_module(name).Cut
            kind.__module__ = "cuts"
            monkeypatch.setitem(sys.modules, "cuts", sys.modules[name])
            return cluster(POINTS, kind(), out=tmp_path / "run")

        run(source, 1)
        run(source.replace("  # halves", ""), 2)
        with pytest.raises(ImagestrataError, match="already holds the step 'cluster' with code"):
            run(source.replace("> 5", "> 0.5"), 3)

    def test_new_images_join_its_clusters(self, blobs: NDArray[Any], tmp_path: Path) -> None:
        ids = [f"i{number}" for number in range(60)]
        some = Embeddings.from_arrays(blobs[::2], ids[::2])
        cluster(some, AgglomerativeClustering(3), out=tmp_path)
        grown = cluster(
            Embeddings.from_arrays(blobs, ids), AgglomerativeClustering(3), out=tmp_path
        )
        assert grown.summary["n_added"].tolist() == [30]

    def test_settings_of_the_vectors_have_an_effect(self, blobs: NDArray[Any]) -> None:
        # Two directions; the third vector is far away in the first one.
        far = np.array([[1.0, 0], [2, 0], [50, 0], [0, 1], [0, 2]], dtype=np.float32)
        plain, scaled = (
            cluster(far, AgglomerativeClustering(2), normalize=one) for one in (None, "l2")
        )
        assert plain.images["cluster"].tolist() == [1, 1, 2, 1, 1]
        assert scaled.images["cluster"].tolist() == [1, 1, 1, 2, 2]
        moved = cluster(blobs, Birch(n_clusters=3), neighbors=5)
        assert moved.settings["neighbors"] == 5

    def test_the_methods_paragraph_describes_it(self, blobs: NDArray[Any], tmp_path: Path) -> None:
        cluster(blobs, GaussianMixture(3, covariance_type="diag"), out=tmp_path)
        said = methods_paragraph(tmp_path)
        assert "GaussianMixture (covariance_type = diag;" in said
        assert "n_components = 3" in said and "grouped all 60 images into 3 clusters" in said
        assert "sklearn.mixture" in said and "seed = 0" in said

    def test_settings_that_a_run_cannot_record_are_refused(self, blobs: NDArray[Any]) -> None:
        with pytest.raises(ImagestrataError, match="setting 'cut' of the estimator is an object"):
            cluster(POINTS, Halves(cut=object()))
        recorded = cluster(
            blobs, KMeans(3, init=blobs[[0, 30, 50]], n_init=1, random_state=np.int64(3))
        ).settings["parameters"]
        json.dumps(recorded)
        assert recorded["init"].startswith("array of (3, 3), SHA-256")
        assert recorded["random_state"] == 3


class TestFunctions:
    def test_its_labels_are_the_clusters(self) -> None:
        found = cluster(POINTS, lambda X: [5, 5, 5, 2, 2, np.nan])
        assert found.images["cluster"].tolist() == [1, 1, 1, 2, 2, -1]
        assert found.summary["method"].tolist() == ["function"]

    def test_it_runs_in_every_call_and_other_labels_are_refused(self, tmp_path: Path) -> None:
        cut, calls = [5.0], []

        def halves(X: NDArray[Any]) -> NDArray[Any]:
            calls.append(X.shape)
            return (X[:, 0] > cut[0]).astype(int)

        first = cluster(POINTS, halves, out=tmp_path)
        again = cluster(POINTS, halves, out=tmp_path)
        assert calls == [(6, 1), (6, 1)]
        assert first.images["cluster"].tolist() == again.images["cluster"].tolist()
        cut[0] = 0.5  # nothing but the labels shows this
        with pytest.raises(ImagestrataError, match="already holds the step 'cluster' with labels"):
            cluster(POINTS, halves, out=tmp_path)
        with pytest.raises(ImagestrataError, match="already holds the step 'cluster' with labels"):
            cluster(np.vstack([POINTS, [[3.0]]]), halves, out=tmp_path)
        changed = cluster(POINTS, halves, out=tmp_path, overwrite=True)
        assert changed.images["cluster"].tolist() == [2, 2, 1, 1, 1, 1]
        assert "A function of our own grouped all 6 images" in methods_paragraph(tmp_path)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (lambda X: [0, 1], "The function gave 2 labels to 6 images"),
        (lambda X: X, "The function gave 6 x 1 to 6 images"),
        (lambda X: None, "The function gave 1 label to 6 images"),
        (lambda X: ["a"] * 6, "The function returned the label 'a': clusters are whole numbers"),
        (lambda X: [0.5] * 6, r"The function returned the label 0\.5"),
        (lambda X: [-2] * 6, "The function returned the label -2"),
        (Birch, "`method` is the class of an estimator"),
        (5, "`method` must be the name of a method, an estimator of scikit-learn"),
        (None, "`method` must be the name of a method, an estimator of scikit-learn"),
        ("birch", "`method` must be one of 'iterative', 'kmeans', 'hdbscan', not 'birch'"),
    ],
)
def test_what_is_no_method_is_refused(method: Any, message: str) -> None:
    with pytest.raises(ImagestrataError, match=message):
        cluster(POINTS, method)


def test_settings_of_other_methods_are_refused() -> None:
    for settings in ({"k": 3}, {"n_clusters": 3}, {"preset": "paper"}, {"min_cluster_size": 3}):
        with pytest.raises(ImagestrataError, match="The method of your own has no setting"):
            cluster(POINTS, Birch(n_clusters=2), **settings)


def test_no_cluster_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="the method gave every image the label -1"):
        found = cluster(POINTS, lambda X: [-1] * len(X))
    assert found.clusters.empty


def test_it_is_not_fitted_again_to_other_images(blobs: NDArray[Any]) -> None:
    found = cluster(blobs, Birch(n_clusters=3))
    with pytest.raises(ImagestrataError, match="made by a method of your own"):
        cluster_stability(found, blobs, progress=False)
