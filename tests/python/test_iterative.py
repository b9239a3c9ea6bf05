"""IterativeKMeans: scikit-learn's contract, invariants, rules by hand, odd input."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_samples
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from imagestrata import (
    DensityClustering,
    ImagestrataError,
    IterativeKMeans,
    SingleKMeans,
    cluster_images,
)
from imagestrata.clustering.criteria import CRITERIA
from imagestrata.clustering.iterative import cohesive_clusters
from imagestrata.rows import unit_rows

ESTIMATORS = [
    IterativeKMeans(),
    IterativeKMeans(k=4),
    SingleKMeans(n_clusters=3),
    DensityClustering(min_cluster_size=5),
    DensityClustering(min_cluster_size=3, noise="nearest"),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def blobs():
    """Ten groups of 130 to 20 images, in an order that tells nothing."""
    sizes = [130, 90, 70, 50, 50, 40, 30, 25, 22, 20]
    return make_blobs(sizes, 12, center_box=(-9, 9), random_state=5)


PAPER = {
    "k_criterion": "explained_variance",
    "k_tolerance": 0.006,
    "release_share": 1.0,
    "neighbors": None,
}


def test_finds_groups_that_are_there(blobs):
    X, truth = blobs
    model = IterativeKMeans(random_state=0).fit(X)
    inside = model.labels_ >= 0
    assert inside.mean() > 0.9
    table = pd.crosstab(truth[inside], model.labels_[inside]).to_numpy()
    assert (table.max(axis=0).sum() / inside.sum()) > 0.95  # clusters are pure


def check_invariants(model: IterativeKMeans, X: np.ndarray) -> None:
    n, labels = len(X), model.labels_
    if model.neighbors_ is not None:
        X = unit_rows(X)  # the step is taken from vectors of length one
    n_clusters = labels.max() + 1 if n else 0
    sizes = np.bincount(labels[labels >= 0], minlength=n_clusters)
    assert labels.shape == model.silhouettes_.shape == model.iterations_.shape == (n,)
    assert sizes.sum() + (labels == -1).sum() == n
    assert (sizes > 0).all()
    first = [int(np.argmax(labels == k)) for k in range(n_clusters)]
    assert sorted(zip(-sizes, first, strict=True)) == list(zip(-sizes, first, strict=True))
    assert ((model.iterations_ == 0) == (labels == -1)).all()
    assert (np.isnan(model.distances_) == (labels == -1)).all()
    for k in range(n_clusters):
        rows = labels == k
        assert len(np.unique(model.iterations_[rows])) == 1
        np.testing.assert_allclose(model.cluster_centers_[k], X[rows].mean(axis=0), atol=1e-5)
        distances = np.linalg.norm(X[rows] - model.cluster_centers_[k], axis=1)
        np.testing.assert_allclose(model.distances_[rows], distances, atol=1e-4)
    trace = model.trace_
    assert model.n_iter_ == len(trace) == (trace["iteration"].max() if len(trace) else 0)
    left = model.iterations_[labels >= 0]
    gone = np.array([np.sum(left < i) for i in trace["iteration"]], dtype=int)
    assert trace["n_remaining"].tolist() == (n - gone).tolist()
    for row in trace.itertuples():
        now = np.unique(labels[model.iterations_ == row.iteration])
        assert row.n_cohesive == len(now) <= row.k
        if len(now):
            assert row.mean_size == pytest.approx(sizes[now].mean())
            means = [model.silhouettes_[labels == k].mean() for k in now]
            assert min(means) > model.similarity_threshold
        else:
            assert np.isnan(row.mean_size)


@st.composite
def runs(draw):
    seed = draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    n, d = draw(st.integers(1, 130)), draw(st.integers(1, 14))
    X = rng.normal(size=(draw(st.integers(1, 9)), d)) * 4
    X = X[rng.integers(len(X), size=n)] + draw(st.sampled_from([0, 0.3, 2])) * rng.normal(
        size=(n, d)
    )
    arguments = draw(
        st.fixed_dictionaries(
            {
                "random_state": st.just(seed),
                "exact": st.booleans(),
                "sample_size": st.sampled_from([2, 30, 1000]),
                "stop_size": st.sampled_from([2, 20]),
                "patience": st.integers(1, 3),
                "n_init": st.just(2),
                "neighbors": st.sampled_from(["auto", None, 1, 6, 500]),
                "similarity_threshold": st.sampled_from([-1, 0.0, 0.03, 0.3]),
                "release_share": st.sampled_from([0.0, 0.2, 1.0]),
            },
            optional={"k": st.integers(2, 12), "step_size": st.sampled_from([3, 5])},
        )
    )
    if n >= arguments["stop_size"] and arguments.get("k", 0) > n // 2:
        del arguments["k"]  # which is refused
    return X, arguments


@settings(max_examples=60)
@given(runs())
def test_invariants(run):
    X, arguments = run
    model = IterativeKMeans(**arguments).fit(X)
    check_invariants(model, X)
    again = IterativeKMeans(**arguments).fit(X)
    assert (again.labels_ == model.labels_).all()
    np.testing.assert_array_equal(again.silhouettes_, model.silhouettes_)


@pytest.mark.parametrize(
    "given", [{}, PAPER, {"k": 8}, {"silhouette": "squared"}, {"neighbors": None}], ids=str
)
def test_invariants_with_groups(blobs, given):
    X = blobs[0]
    check_invariants(IterativeKMeans(random_state=1, **given).fit(X), X)


def test_silhouettes_are_those_of_the_images_that_remained(blobs):
    """In the first iteration with everything leaving, they are plain silhouettes."""
    X = blobs[0]
    given = {"similarity_threshold": -1, "release_share": 1, "neighbors": None}
    model = IterativeKMeans(k=6, **given, random_state=0).fit(X)
    assert model.n_iter_ == 1
    np.testing.assert_allclose(model.silhouettes_, silhouette_samples(X, model.labels_), atol=1e-4)


def test_what_leaves_depends_on_the_threshold(blobs):
    X = blobs[0]
    strict = IterativeKMeans(k=4, similarity_threshold=0.95, release_share=1, random_state=0).fit(X)
    assert (strict.labels_ == -1).all()
    assert strict.n_iter_ == strict.patience == 3
    assert strict.cluster_centers_.shape == (0, 12)
    assert (strict.predict(X) == -1).all()
    assert np.isfinite(strict.silhouettes_).all()  # of the last iteration


def test_release_share_bounds_what_leaves_at_once(blobs):
    X = blobs[0]
    model = IterativeKMeans(k=10, release_share=0.2, random_state=0).fit(X)
    for row in model.trace_.itertuples():
        assert row.n_cohesive <= 1 or row.n_cohesive * row.mean_size <= 0.2 * row.n_remaining


def test_paper_settings_search_far_and_stop(blobs):
    model = IterativeKMeans(random_state=0, k_max=100, **PAPER).fit(blobs[0])
    assert model.trace_["k"].iloc[0] >= 30  # two windows of three steps of five
    assert model.trace_["k"].max() <= 100


def rising(monkeypatch):
    """A goodness of fit that always rises: the numbers of clusters tried in each search."""
    searches = []

    def criterion(vectors, fit):
        if not searches or len(fit.centers) <= searches[-1][-1]:
            searches.append([])
        searches[-1].append(len(fit.centers))
        return len(fit.centers)

    monkeypatch.setitem(CRITERIA, "cohesion", criterion)
    return searches


@pytest.mark.parametrize(
    ("given", "largest"),
    [
        ({}, 20),  # a fiftieth of sample_size
        ({"sample_size": 60}, 5),  # ..., but not below the first step
        ({"k_max": 10}, 10),
        ({"k_max": 85}, 85),  # beyond a third of the images
        ({"k_max": 90}, 90),
        ({"k_max": 900}, 90),  # there are 90 images
        ({"k_max": "sample"}, 90),
        ({"k_max": "sample", "sample_size": 40}, 40),
        ({"k_max": 40, "sample_size": 40}, 40),
    ],
    ids=str,
)
def test_k_max_decides_how_far_the_search_goes(monkeypatch, given, largest):
    searches = rising(monkeypatch)
    X = np.random.default_rng(0).normal(size=(90, 4))
    model = IterativeKMeans(similarity_threshold=0.9, patience=1, random_state=0, **given).fit(X)
    assert searches == [list(range(5, largest + 1, 5))]
    assert model.trace_["k"].tolist() == [largest]


def test_the_paper_raises_k_to_the_number_of_images(monkeypatch):
    searches = rising(monkeypatch)
    monkeypatch.setitem(CRITERIA, "explained_variance", CRITERIA["cohesion"])
    X = np.random.default_rng(0).normal(size=(60, 4))
    with pytest.warns(UserWarning, match="No cluster was found"):
        cluster_images(X, preset="paper", k_tolerance=0, similarity_threshold=0.9, progress=False)
    assert searches[0] == list(range(5, 61, 5))


def test_a_fixed_k_is_what_is_fitted_until_few_images_remain(blobs):
    model = IterativeKMeans(k=30, neighbors=None, random_state=0).fit(blobs[0])
    trace = model.trace_
    assert (trace["k"] == np.minimum(30, trace["n_remaining"] // 2)).all()


def test_one_group_of_noise_runs_away_with_no_criterion():
    X = np.random.default_rng(0).normal(size=(400, 30))
    for criterion in ("explained_variance", "inertia", "silhouette", "calinski_harabasz"):
        model = IterativeKMeans(k_criterion=criterion, random_state=0).fit(X)
        assert model.trace_["k"].max() <= 20
        assert model.n_iter_ < 200


def test_exact_results_depend_on_nothing_but_the_data(blobs):
    """Neither on threads, nor on the order of rows where no sample is drawn from them."""
    X = np.random.default_rng(0).normal(size=(700, 40)).astype(np.float32) + 3
    X[:300] += np.random.default_rng(1).normal(size=40).astype(np.float32)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(IterativeKMeans(exact=True, random_state=0).fit(X))
    assert (found[0].labels_ == found[1].labels_).all()
    assert (found[0].silhouettes_ == found[1].silhouettes_).all()


SCRIPT = """
import hashlib, sys
import numpy as np
from imagestrata import IterativeKMeans
X = np.random.default_rng(0).normal(size=(500, 64)).astype(np.float32)
X[:200] *= 2
for given in ({}, {"normalize": "l2", "k_criterion": "davies_bouldin"}):
    model = IterativeKMeans(exact=True, random_state=0, **given).fit(X)
    sys.stdout.write(hashlib.sha256(model.labels_.tobytes()).hexdigest() + " ")
    sys.stdout.write(hashlib.sha256(model.silhouettes_.tobytes()).hexdigest() + " ")
"""


def test_exact_results_are_the_same_on_other_processors():
    """OpenBLAS and numpy made to compute as if on older processors; no effect on other BLAS."""
    disguises = [
        {},
        {"OPENBLAS_CORETYPE": "Haswell"},
        {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"},
    ]
    found = set()
    for disguise in disguises:
        environment = os.environ | disguise | {"PYTHONWARNINGS": "ignore"}
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, check=True, capture_output=True
        )
        found.add(run.stdout)
    assert len(found) == 1


def test_exact_and_fast_agree_closely(blobs):
    X = blobs[0]
    fast, exact = (IterativeKMeans(exact=e, random_state=0).fit(X) for e in (False, True))
    assert (fast.labels_ == exact.labels_).mean() > 0.95


def test_normalize_ignores_lengths(blobs):
    X = blobs[0]
    lengths = np.random.default_rng(0).uniform(0.5, 2, size=(len(X), 1))
    one = IterativeKMeans(normalize="l2", random_state=0).fit(X)
    other = IterativeKMeans(normalize="l2", random_state=0).fit(X * lengths)
    assert (one.labels_ == other.labels_).all()
    assert (one.predict(X) == other.predict(3 * X)).all()
    norms = np.linalg.norm(one.cluster_centers_, axis=1)
    assert (norms <= 1).all()


def test_principal_components(blobs):
    X = blobs[0]
    all_of_them = IterativeKMeans(n_components=12, random_state=0).fit(X)
    assert (all_of_them.labels_ == IterativeKMeans(random_state=0).fit(X).labels_).mean() > 0.9
    few = IterativeKMeans(n_components=3, random_state=0).fit(X)
    assert few.cluster_centers_.shape[1] == 12  # in the space of X
    check_invariants(few, X)


def test_predict_is_the_nearest_centroid(blobs):
    X = blobs[0]
    model = IterativeKMeans(random_state=0).fit(X)
    distances = np.linalg.norm(X[:, None] - model.cluster_centers_, axis=2)
    assert (model.predict(X) == distances.argmin(axis=1)).all()
    with pytest.raises(ValueError, match="11 features"):
        model.predict(X[:, :11])


@pytest.mark.parametrize("n", [1, 2, 19])
def test_fewer_images_than_stop_size(n):
    model = IterativeKMeans(random_state=0).fit(np.random.default_rng(0).normal(size=(n, 3)))
    assert (model.labels_ == -1).all()
    assert np.isnan(model.silhouettes_).all()
    assert model.n_iter_ == 0
    assert model.trace_.dtypes["k"] == "int64"


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("given", [{}, {"k": 5}, PAPER], ids=str)
def test_all_images_equal(exact, given):
    model = IterativeKMeans(exact=exact, random_state=0, **given).fit(np.full((50, 4), 3.0))
    assert (model.labels_ == -1).all()
    assert (model.silhouettes_ == 0).all()
    assert model.n_iter_ == 3


def test_copies_stay_together():
    X = np.repeat(np.random.default_rng(0).normal(size=(12, 5)) * 5, 9, axis=0)
    labels = IterativeKMeans(k=6, random_state=0).fit(X).labels_.reshape(12, 9)
    assert (labels == labels[:, :1]).all()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("k", 1),
        ("k", 2.5),
        ("sample_size", 1),
        ("step_size", 0),
        ("converge_window", 0),
        ("k_criterion", "gap"),
        ("k_tolerance", -0.1),
        ("k_max", 1),
        ("k_max", 2.5),
        ("k_max", 1001),
        ("k_max", 4),  # the search begins with step_size, 5
        ("k_max", "all"),
        ("k", 16),  # more than half of the images
        ("similarity_threshold", 1.5),
        ("release_share", float("nan")),
        ("stop_size", 1),
        ("patience", 0),
        ("n_init", 0),
        ("normalize", "l1"),
        ("n_components", 4),
        ("silhouette", "fast"),
        ("exact", 1),
    ],
)
def test_arguments_out_of_range(argument, value):
    with pytest.raises(ImagestrataError, match=argument):
        IterativeKMeans(**{argument: value}).fit(np.eye(30)[:, :3])


def test_exact_refuses_principal_components():
    with pytest.raises(ImagestrataError, match="exclude each other"):
        IterativeKMeans(exact=True, n_components=2).fit(np.eye(30))


# ---- which clusters leave ----

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
