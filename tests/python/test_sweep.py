"""Sweeps over the number and the smallest size of clusters, and the table of confidence."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from clusterings import notes_of
from imagestrata import (
    ImagestrataError,
    cluster_confidence,
    cluster_images,
    plot_tuning,
    score_clustering,
    sweep_clusters,
)
from imagestrata.clustering.cluster import METHODS
from imagestrata.validation.sweep import SWEPT, _at_knee


@pytest.fixture(scope="module")
def points():
    """Groups of 60, 30 and 12, and eight points far from all of them."""
    rng = np.random.default_rng(1)
    groups = [rng.normal(size=(n, 3)) + at for n, at in [(60, 0), (30, 25), (12, -25)]]
    return np.vstack([*groups, rng.uniform(200, 900, size=(8, 3))]).astype(np.float32)


def clustered(points, **arguments):
    return cluster_images(points, "hdbscan", neighbors=None, progress=False, **arguments)


def test_three_indices_by_hand():
    # Clusters {0, 2}, {10, 12, 14} on a line, and a point that counts for nothing.
    line = np.array([[0], [2], [10], [12], [14], [99]], dtype=np.float32)
    made = clustered(line, min_cluster_size=2, min_samples=1)
    images = made.images.assign(cluster=[2, 2, 1, 1, 1, -1])
    made = dataclasses.replace(made, images=images)
    scores = score_clustering(made, embeddings=line).set_index("measure")["estimate"]
    # a and b of each: 2, 12; 2, 10; 3, 9; 2, 11; 3, 13.
    silhouette = np.mean([10 / 12, 8 / 10, 6 / 9, 9 / 11, 10 / 13])
    assert scores["silhouette"] == pytest.approx(silhouette, abs=1e-6)
    # Means 1 and 12, of all 7.6: between 2 * 6.6^2 + 3 * 4.4^2, within 2 + 8.
    between = 2 * 6.6**2 + 3 * 4.4**2
    assert scores["calinski_harabasz"] == pytest.approx(between / (10 / 3))
    # Mean distances to the mean 1 and 4/3, means 11 apart.
    assert scores["davies_bouldin"] == pytest.approx((1 + 4 / 3) / 11)
    assert scores["share_residual"] == pytest.approx(1 / 6)


def test_a_row_for_each_size(points):
    swept = sweep_clusters(points, "hdbscan", [10, 40, 20], progress=False)
    assert swept["min_cluster_size"].tolist() == [10, 40, 20]
    for row in swept.itertuples():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No cluster was found")
            made = clustered(points, min_cluster_size=row.min_cluster_size)
        inside = made.images["cluster"].to_numpy() > 0
        assert row.n_clusters == len(made.clusters)
        assert row.n_noise == (~inside).sum()
        assert row.share_noise == pytest.approx(np.mean(~inside))
        if row.n_clusters >= 2:
            given = points[inside], made.images["cluster"][inside]
            assert row.silhouette == pytest.approx(silhouette_score(*given), abs=1e-5)
            assert row.calinski_harabasz == pytest.approx(calinski_harabasz_score(*given))
            assert row.davies_bouldin == pytest.approx(davies_bouldin_score(*given))
    assert swept["n_clusters"].tolist() == [3, 0, 2]
    assert swept.loc[1, ["silhouette", "calinski_harabasz", "davies_bouldin"]].isna().all()


def test_settings_of_the_method_are_taken(points):
    settings = {"min_samples": 2, "selection": "leaf", "normalize": "l2"}
    swept = sweep_clusters(points, "hdbscan", [10], progress=False, **settings)
    made = clustered(points, min_cluster_size=10, **settings)
    scores = score_clustering(made, embeddings=points).set_index("measure")["estimate"]
    assert swept["silhouette"].item() == pytest.approx(scores["silhouette"])
    assert swept["davies_bouldin"].item() == pytest.approx(scores["davies_bouldin"])
    assert swept["n_clusters"].item() == len(made.clusters)


def test_progress_counts_clusterings(points):
    told = []
    sweep_clusters(points, values=[3, 5], progress=lambda *seen: told.append(seen))
    assert told == [("Sweeping", 0, 2), ("Sweeping", 1, 2), ("Sweeping", 2, 2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": []}, "`values` is empty"),
        ({"values": [0]}, "between 1 and 110"),
        ({"values": [20, 111]}, "between 1 and 110"),
        ({"values": "many"}, "whole number"),
        ({"method": "hdbscan", "values": [1]}, "between 2 and 110"),
        ({"method": "iterative"}, "`method`"),
        ({"method": "hdbscan", "min_samples": 0}, "`min_samples`"),
        ({"method": "hdbscan", "selection": "all"}, "`selection`"),
        ({"method": "hdbscan", "n_init": 3}, "no setting 'n_init'"),
        ({"min_samples": 3}, "no setting 'min_samples'"),
        ({"n_init": 0}, "`n_init`"),
        ({"normalize": "l1"}, "`normalize`"),
        ({"seed": -1}, "`seed`"),
        ({"silhouette": "some"}, "`silhouette`"),
        ({"sizes": [3]}, "no argument 'sizes'"),
    ],
)
def test_bad_arguments(points, arguments, message):
    with pytest.raises(ImagestrataError, match=message):
        sweep_clusters(points, progress=False, **arguments)


def test_the_default_is_the_range_of_the_study():
    points = np.random.default_rng(0).normal(size=(95, 2))
    swept = sweep_clusters(points, "hdbscan", progress=False)
    assert swept["min_cluster_size"].tolist() == [20, 30, 40, 50, 60, 70, 80, 90]
    assert sweep_clusters(points, progress=False)["n_clusters"].tolist() == [*range(30, 91, 10)]
    # 90 images: 90 clusters would be one for each.
    assert sweep_clusters(points[:90], progress=False)["n_clusters"].iloc[-1] == 80
    with pytest.raises(ImagestrataError, match=r"only 30 images; .* begin at 30"):
        sweep_clusters(points[:30], progress=False)


def test_numbers_of_clusters_by_hand():
    line = np.array([[0.0], [2], [10], [14]])
    swept = sweep_clusters(line, values=[1, 2, 3, 4], progress=False)
    # Mean 6.5; means 1 and 12; only 0 and 2 together; nothing together.
    total = 6.5**2 + 4.5**2 + 3.5**2 + 7.5**2
    assert swept["inertia"].tolist() == pytest.approx([total, 10, 2, 0])
    shares = [0, 1 - 10 / total, 1 - 2 / total, 1]
    assert swept["explained_variance"].tolist() == pytest.approx(shares)
    assert swept["silhouette"][1] == pytest.approx(np.mean([10 / 12, 8 / 10, 5 / 9, 9 / 13]))
    # One cluster, and one for each image, have none.
    assert swept["silhouette"].isna().tolist() == [True, False, False, True]
    # Above the line from 0 to 1: shares of .91 and .98 less 1/3 and 2/3.
    assert swept["knee"].tolist() == [False, True, False, False]


def test_numbers_of_clusters_agree_with_scikit_learn():
    X = np.random.default_rng(2).normal(size=(300, 6)).astype(np.float32) * 50 + 400
    X[:100] += 90
    values = [9, 2, 5]
    for settings in ({}, {"normalize": "l2"}, {"exact": True}, {"n_components": 3}):
        swept = sweep_clusters(X, values=values, progress=False, **settings)
        assert swept["n_clusters"].tolist() == values
        space = X / np.linalg.norm(X, axis=1, keepdims=True) if "normalize" in settings else X
        if "n_components" in settings:
            space = PCA(3, svd_solver="full").fit_transform(X.astype(np.float64))
        for row in swept.itertuples():
            made = cluster_images(
                X, "kmeans", n_clusters=row.n_clusters, progress=False, **settings
            )
            labels = made.images["cluster"].to_numpy()
            means = np.stack([space[labels == k].mean(axis=0) for k in range(1, labels.max() + 1)])
            # The same partition by scikit-learn, which only measures it.
            theirs = KMeans(len(means), init=means, n_init=1, max_iter=1).fit(space)
            assert (theirs.labels_ + 1 == labels).mean() > 0.97
            within = ((space - means[labels - 1]) ** 2).sum()
            assert row.inertia == pytest.approx(within, rel=1e-4)
            assert row.inertia == pytest.approx(theirs.inertia_, rel=0.01)
            total = ((space - space.mean(axis=0)) ** 2).sum()
            assert row.explained_variance == pytest.approx(1 - within / total, abs=1e-4)
            assert row.silhouette == pytest.approx(silhouette_score(space, labels), abs=1e-4)
            assert row.calinski_harabasz == pytest.approx(
                calinski_harabasz_score(space, labels), rel=1e-3
            )
            assert row.davies_bouldin == pytest.approx(
                davies_bouldin_score(space, labels), rel=1e-3
            )


def test_inertia_is_about_as_low_as_scikit_learn_finds():
    X = np.random.default_rng(3).normal(size=(600, 8))
    swept = sweep_clusters(X, values=[5, 20, 60], progress=False)
    theirs = [KMeans(k, n_init=10, random_state=0).fit(X).inertia_ for k in (5, 20, 60)]
    assert (swept["inertia"] < 1.02 * np.array(theirs)).all()


@pytest.mark.parametrize(
    ("y", "knee"),
    [
        ([0, 0.5, 0.9, 0.95, 1], 2),
        ([0, 0.25, 0.5, 0.75, 1], None),  # a line
        ([0, 0.1, 0.2, 0.4, 1], None),  # below it
        ([0.5, 0.5, 0.5, 0.5, 0.5], None),
    ],
)
def test_a_knee_is_farthest_above_the_chord(y, knee):
    x, y = np.array([10, 20, 30, 40, 50]), np.array(y, dtype=float)
    wanted = np.arange(5) == (-1 if knee is None else knee)
    assert _at_knee(x, y).tolist() == wanted.tolist()
    order = np.array([3, 0, 4, 2, 1])
    assert _at_knee(x[order], y[order]).tolist() == wanted[order].tolist()
    assert not _at_knee(x[:1], y[:1]).any()


def test_a_sweep_of_numbers_is_drawn(tmp_path):
    swept = pd.DataFrame(
        {
            "n_clusters": [40, 20, 30],
            "inertia": [1000.0, 3000, 1500],
            "explained_variance": [0.8, 0.4, 0.7],
            "silhouette": [0.1, np.nan, 0.3],
            "knee": [False, False, True],
        }
    )
    figure = plot_tuning(swept, tmp_path / "sweep.png", mark=[30, 80])
    variance, inertia, silhouette = figure.axes
    for axes, column in ((variance, "explained_variance"), (inertia, "inertia")):
        dashed, also_dashed, line = axes.lines
        assert [dashed.get_xdata()[0], also_dashed.get_xdata()[0]] == [30, 80]
        np.testing.assert_array_equal(line.get_xdata(), [20, 30, 40])
        np.testing.assert_array_equal(line.get_ydata(), swept[column][[1, 2, 0]])
        np.testing.assert_array_equal(axes.collections[0].get_offsets(), [[30, swept[column][2]]])
    np.testing.assert_array_equal(silhouette.collections[0].get_offsets(), [[30, 0.3]])
    assert silhouette.get_xlabel() == "Number of clusters"
    note = (
        "Points: the values that were tried. Circles: knee of the explained variance at 30, "
        "highest silhouette at 30. Dashed: 30, 80."
    )
    assert notes_of(figure) == [note]
    assert (tmp_path / "sweep.png").stat().st_size > 10_000
    none = plot_tuning(swept.assign(silhouette=np.nan, knee=False))
    assert not any(len(axes.collections[0].get_offsets()) for axes in none.axes)


def test_a_sweep_of_sizes_is_drawn(points):
    swept = sweep_clusters(points, "hdbscan", [10, 40, 20], progress=False)
    figure = plot_tuning(swept, mark=20)
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_xydata(), [[10, 3], [20, 2], [40, 0]])
    assert figure.axes[2].get_xlabel() == "Smallest size of a cluster"


def test_bad_figures_of_sweeps():
    swept = sweep_clusters(np.eye(5), values=[2, 3], progress=False)
    with pytest.raises(ImagestrataError, match="`mark` must be"):
        plot_tuning(swept, mark="80")
    for other in (swept[["n_clusters", "inertia"]], swept[:0]):
        with pytest.raises(ImagestrataError, match=r"tune_clusters\(\) or sweep_clusters\(\)"):
            plot_tuning(other)


def test_few_distinct_vectors_are_said():
    X = np.repeat(np.eye(3), 5, axis=0)
    with pytest.warns(UserWarning, match="Only 3 vectors are distinct"):
        swept = sweep_clusters(X, values=[2, 3, 6], progress=False)
    assert swept["inertia"].tolist()[1:] == pytest.approx([0, 0])
    assert swept["explained_variance"].tolist()[1:] == pytest.approx([1, 1])
    with pytest.warns(UserWarning, match="Only 1 vector is distinct"):
        same = sweep_clusters(np.ones((9, 2)), values=[1, 2], progress=False)
    assert same["explained_variance"].isna().all() and not same["knee"].any()


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_an_interrupted_sweep_continues(method, points, tmp_path, monkeypatch):
    values = [5, 10, 15]
    whole = sweep_clusters(points, method, values, progress=False)
    kind, fitted = METHODS[method], []
    compute = kind._partition

    def stop(self, *arguments):
        fitted.append(self.get_params()[SWEPT[method][0]])
        if len(fitted) == 2:
            raise KeyboardInterrupt
        return compute(self, *arguments)

    monkeypatch.setattr(kind, "_partition", stop)
    out = {"out": tmp_path / "run", "progress": False}
    with pytest.raises(KeyboardInterrupt):
        sweep_clusters(points, method, values, **out)
    continued = sweep_clusters(points, method, values, **out)
    assert fitted == [5, 10, 10, 15]
    pd.testing.assert_frame_equal(continued, whole)
    pd.testing.assert_frame_equal(sweep_clusters(points, method, values, **out), whole)
    assert len(fitted) == 4
    with pytest.raises(ImagestrataError, match=r"already holds the step 'sweep' with `?values"):
        sweep_clusters(points, method, [5, 10], **out)
    fewer = sweep_clusters(points, method, [5, 10], overwrite=True, **out)
    pd.testing.assert_frame_equal(
        fewer.drop(columns="knee", errors="ignore"), whole[:2].drop(columns="knee", errors="ignore")
    )


def test_beyond_50_000_images_silhouettes_are_sampled(monkeypatch):
    X = np.random.default_rng(0).normal(size=(900, 3))
    exact = sweep_clusters(X, values=[2], progress=False)
    monkeypatch.setattr("imagestrata.clustering.silhouette.MOST_EXACT", 800)
    sampled = sweep_clusters(X, values=[2], progress=False)
    assert sampled["silhouette"][0] != exact["silhouette"][0]
    assert sampled["silhouette"][0] == pytest.approx(exact["silhouette"][0], abs=0.02)
    assert sampled["inertia"][0] == pytest.approx(exact["inertia"][0])


@pytest.fixture
def confident():
    """Three images and two in clusters, one of them put there, and noise."""
    points = np.arange(12, dtype=np.float32).reshape(6, 2)
    made = cluster_images(points, "kmeans", n_clusters=2, progress=False)
    images = made.images.assign(
        cluster=[1, 1, 1, 2, 2, -1],
        probability=[1.0, 0.85, 0.86, 0.9, 0.0, 0.0],
        assigned=[False, False, False, False, True, False],
    )
    clusters = made.clusters.assign(cluster=[1, 2], size=[3, 2])
    settings = made.settings | {"method": "hdbscan"}
    return dataclasses.replace(made, images=images, clusters=clusters, settings=settings)


def test_confidence_by_hand(confident):
    # Above .85, of the four that lie densely: 1, .86 and .9.
    expected = pd.DataFrame(
        {
            "n_images": [6],
            "n_clusters": [2],
            "n_clustered": [4],
            "n_confident": [3],
            "share_confident": [0.75],
            "share_of_all": [0.5],
            "mean_probability": [(1 + 0.85 + 0.86 + 0.9) / 4],
            "mean_confident": [(1 + 0.86 + 0.9) / 3],
            "mean_confident_clusters": [((1 + 0.86) / 2 + 0.9) / 2],
        }
    )
    pd.testing.assert_frame_equal(cluster_confidence(confident), expected)
    # Only in one of the two clusters is there an image above .95, and above 1 in none.
    firm = cluster_confidence(confident, threshold=0.95).iloc[0]
    assert firm["n_confident"] == firm["mean_confident"] == firm["mean_confident_clusters"] == 1
    none = cluster_confidence(confident, threshold=1).iloc[0]
    assert none["n_confident"] == 0 and np.isnan(none["mean_confident"])
    assert np.isnan(none["mean_confident_clusters"])
    by_cluster = pd.DataFrame(
        {
            "cluster": [1, 2],
            "size": [3, 2],
            "n_clustered": [3, 1],
            "n_confident": [2, 1],
            "share_confident": [2 / 3, 1.0],
            "mean_probability": [(1 + 0.85 + 0.86) / 3, 0.9],
            "mean_confident": [(1 + 0.86) / 2, 0.9],
        }
    )
    pd.testing.assert_frame_equal(cluster_confidence(confident, by_cluster=True), by_cluster)


def test_confidence_of_the_real_thing(points):
    made = clustered(points, min_cluster_size=10)
    inside = made.images["cluster"] > 0
    line = cluster_confidence(made).iloc[0]
    assert line["mean_probability"] == pytest.approx(made.images.loc[inside, "probability"].mean())
    rows = cluster_confidence(made, by_cluster=True)
    assert rows["n_confident"].sum() == line["n_confident"]
    assigned = clustered(points, min_cluster_size=10, noise="nearest")
    pd.testing.assert_frame_equal(cluster_confidence(assigned), cluster_confidence(made))


def test_confidence_wants_probabilities(points, confident):
    k_means = cluster_images(points, "kmeans", n_clusters=3, progress=False)
    with pytest.raises(ImagestrataError, match=r"Only the method .*'kmeans'"):
        cluster_confidence(k_means)
    with pytest.raises(ImagestrataError, match="must be a Clustering, not a ndarray"):
        cluster_confidence(points)
    with pytest.raises(ImagestrataError, match="`threshold` must be between 0 and 1"):
        cluster_confidence(confident, threshold=85)
    with pytest.warns(UserWarning, match="No cluster was found"):
        noise = clustered(points[:9])
    with pytest.raises(ImagestrataError, match="all images are noise"):
        cluster_confidence(noise)
