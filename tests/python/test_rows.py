"""Rows in a file or in memory, by blocks and shards, by threads or one by one: the same."""

from __future__ import annotations

import hashlib
import pickle
import tracemalloc

import numpy as np
import pytest

from imagestrata import Embeddings, IterativeKMeans, cluster_images
from imagestrata import rows as rows_module
from imagestrata.clustering import silhouette
from imagestrata.clustering.kmeans import kmeans
from imagestrata.clustering.silhouette import silhouettes
from imagestrata.clustering.single import SingleKMeans
from imagestrata.clustering.vectors import as_vectors
from imagestrata.engine import open_engine
from imagestrata.rows import all_rows_equal, as_rows, blocks, rows_hash, rows_not_finite, shards

N, WIDTH = 1200, 8


@pytest.fixture
def matrix():
    rng = np.random.default_rng(3)
    centers = rng.normal(size=(9, WIDTH)) * 2
    return (centers[rng.integers(9, size=N)] + rng.normal(size=(N, WIDTH))).astype(np.float32) + 5


@pytest.fixture
def stored(matrix, tmp_path):
    """The same matrix, in a file."""
    np.save(tmp_path / "vectors.npy", matrix)
    return np.load(tmp_path / "vectors.npy", mmap_mode="r")


@pytest.fixture
def small_shards(monkeypatch):
    """Twelve shards of blocks that do not divide them."""
    monkeypatch.setattr(rows_module, "SHARD_ROWS", 100)
    monkeypatch.setattr("imagestrata.clustering.base.SHARD_ROWS", 100)
    monkeypatch.setattr(rows_module.blocks, "__defaults__", (33,))


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9])
def test_blocks_cover_all_rows_once(n):
    covered = [i for block in blocks(n, 4) for i in range(n)[block]]
    assert covered == list(range(n))


LAYOUTS = [
    np.array, np.asfortranarray, lambda a: np.repeat(a, 2, axis=0)[::2], lambda a: a[::-1],
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_blocks_see_what_a_whole_matrix_shows(monkeypatch, layout):
    monkeypatch.setattr(blocks, "__defaults__", (3,))
    matrix = layout(np.random.default_rng(1).normal(size=(10, 4)).astype(np.float32))
    assert rows_hash(matrix) == hashlib.sha256(matrix.tobytes()).hexdigest()
    assert not len(rows_not_finite(matrix)) and not all_rows_equal(matrix)
    matrix[[2, 9], 1] = np.nan, np.inf
    assert rows_not_finite(matrix).tolist() == [2, 9]
    assert all_rows_equal(np.ones((10, 4)))
    last = np.ones((10, 4))
    last[9, 3] = 2
    assert not all_rows_equal(last)


@pytest.mark.parametrize("n", [1, 99, 100, 101, 250, 1200])
def test_shards_cover_all_rows_and_are_equally_large(n, small_shards):
    found = shards(n)
    assert [row for block in found for row in range(n)[block]] == list(range(n))
    sizes = {len(range(n)[block]) for block in found}
    assert max(sizes) <= 100 and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("normalize", [None, "l2"])
def test_rows_of_a_file_are_those_of_the_array(matrix, stored, normalize):
    array, rows = as_rows(matrix, normalize), as_rows(stored, normalize)
    assert array.path is None and rows.path is not None
    assert rows.shape == array.shape and rows.dtype == array.dtype
    picked = np.array([7, 3, 1199])
    for key in (slice(None), slice(5, 900), picked, matrix[:, 0] > 5):
        np.testing.assert_array_equal(rows[key], array[key])
    some = rows.select(np.arange(0, N, 3)).select(slice(2, 50))
    np.testing.assert_array_equal(some[:], array[::3][2:50])
    np.testing.assert_array_equal(
        rows.select(slice(9, 40)).select(picked[:2])[:], array[9:40][[7, 3]]
    )
    assert len(some) == 48 and len(rows.select(slice(9, 40))) == 31
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(some))[:], some[:])
    assert len(pickle.dumps(rows.select(slice(0, 1000)))) < 1000  # not the rows themselves


def test_part_of_a_file_and_other_orders_are_taken_into_memory(stored, matrix, tmp_path):
    assert as_rows(stored[:10]).path is None
    np.save(tmp_path / "columns.npy", np.asfortranarray(matrix))
    assert as_rows(np.load(tmp_path / "columns.npy", mmap_mode="r")).path is None


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("measure", ["exact", "sampled", "squared"])
def test_wherever_vectors_lie_and_whoever_works(
    matrix, stored, small_shards, exact, measure, monkeypatch
):
    monkeypatch.setattr(silhouette, "SAMPLED", 40)
    rows = np.random.default_rng(1).permutation(N)[:900]
    found = []
    with open_engine() as threads:
        for X, engine in ((matrix, None), (matrix, threads), (stored, None), (stored, threads)):
            vectors = as_vectors(as_rows(X).select(rows), exact=exact, engine=engine)
            fit = kmeans(vectors, 6, np.random.default_rng(2), n_init=2)
            scores = silhouettes(vectors, fit.labels, measure, np.random.default_rng(4))
            found.append((fit.labels, fit.centers, fit.square_distances, scores))
    for other in found[1:]:
        for ours, theirs in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "settings",
    [{}, {"normalize": "l2"}, {"exact": True}, {"n_components": 4}, {"silhouette": "sampled"}],
    ids=str,
)
def test_a_fit_of_vectors_in_a_file(matrix, stored, small_shards, settings):
    quick = {"k": 5, "n_init": 1, "release_share": 0.5, "random_state": 0}
    ours = IterativeKMeans(**quick, **settings).fit(matrix)
    theirs = IterativeKMeans(**quick, **settings).fit(stored)
    assert len(ours.cluster_centers_) > 2
    for name in ("labels_", "silhouettes_", "iterations_", "distances_", "cluster_centers_"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    np.testing.assert_array_equal(ours.predict(matrix), theirs.predict(stored))


def test_one_shard_or_many_differ_by_rounding_only(matrix, small_shards, monkeypatch):
    many = SingleKMeans(n_clusters=9, exact=True, random_state=0).fit(matrix)
    monkeypatch.undo()
    one = SingleKMeans(n_clusters=9, exact=True, random_state=0).fit(matrix)
    np.testing.assert_array_equal(one.labels_, many.labels_)
    np.testing.assert_allclose(one.silhouettes_, many.silhouettes_, atol=1e-12)


@pytest.mark.parametrize("measure", ["sampled", "squared"])
def test_vectors_in_a_file_are_never_all_in_memory(tmp_path, small_shards, monkeypatch, measure):
    """Of 16 MB no more than half is ever held, the lists of labels and subsets among it."""
    monkeypatch.setattr(silhouette, "SAMPLED", 40)
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(4000, 1024)).astype(np.float32)
    matrix += 3 * rng.normal(size=(5, 1024)).astype(np.float32)[rng.integers(5, size=4000)]
    np.save(tmp_path / "vectors.npy", matrix)
    del matrix
    embeddings = Embeddings.from_arrays(np.load(tmp_path / "vectors.npy", mmap_mode="r"))
    monkeypatch.setattr("imagestrata.clustering.kmeans._SUBSET_ROWS", 200)
    tracemalloc.start()
    try:
        raw = {"neighbors": None, "n_init": 1, "progress": False}
        found = cluster_images(embeddings, silhouette=measure, k=5, **raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.summary["n_clusters"].item() >= 5
    assert peak < 16e6 / 2


def test_the_same_clusters_leave_with_sampled_silhouettes(matrix):
    """Nine groups apart: whether all rows are compared or forty of each cluster."""
    old, silhouette.SAMPLED = silhouette.SAMPLED, 40
    try:
        exact, sampled = (
            IterativeKMeans(k=9, release_share=1, silhouette=measure, random_state=0).fit(matrix)
            for measure in ("exact", "sampled")
        )
    finally:
        silhouette.SAMPLED = old
    np.testing.assert_array_equal(exact.labels_, sampled.labels_)
    assert (exact.silhouettes_ != sampled.silhouettes_).any()
