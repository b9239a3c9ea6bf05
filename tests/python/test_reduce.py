"""Reduced vectors: fewer numbers, the same images."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

import imagestrata.extras
from imagestrata import Embeddings, ImagestrataError, cluster_images, embed_images, score_clustering
from imagestrata import reduce_embeddings as reduce_quiet_or_not


def reduce_embeddings(*args, **arguments):
    return reduce_quiet_or_not(*args, **{"progress": False, **arguments})


@pytest.fixture(scope="module")
def blobs():
    """Sixty vectors in three groups, with ids, paths and an encoder."""
    rng = np.random.default_rng(5)
    matrix = np.repeat(rng.normal(size=(3, 12)) * 6, 20, axis=0) + rng.normal(size=(60, 12))
    ids = [f"id{row:02d}" for row in range(60)]
    given = Embeddings.from_arrays(matrix, ids, [f"{one}.png" for one in ids])
    given.encoder |= {"name": "hog", "weights": "/somewhere/hog.pth"}
    given.images["party"] = "left"
    return given


def test_points_on_a_line_need_one_component():
    # (0, 0), (3, 4), ..., (12, 16): five units apart on one line, about the mean (6, 8).
    line = np.outer(np.arange(5.0), [3.0, 4.0])
    reduced = reduce_embeddings(line, n_components=0.99)
    np.testing.assert_allclose(np.abs(reduced.matrix[:, 0]), [10, 5, 0, 5, 10], atol=1e-5)
    assert reduced.matrix.shape == (5, 1)
    assert reduced.encoder["explained_variance"] == [1.0]


def test_a_share_takes_as_many_components_as_it_needs():
    # Variances 8 : 4 : 2 of the three axes, hence shares 4/7, 2/7 and 1/7.
    corners = np.vstack([np.diag([4, 8**0.5, 2]), -np.diag([4, 8**0.5, 2])])
    shares = [4 / 7, 2 / 7, 1 / 7]
    for asked, width in [(0.5, 1), (0.6, 2), (0.85, 2), (0.86, 3), (2, 2), (3.0, 3)]:
        reduced = reduce_embeddings(corners, n_components=asked)
        assert reduced.matrix.shape == (6, width)
        np.testing.assert_allclose(reduced.encoder["explained_variance"], shares[:width], atol=1e-5)


def test_the_same_as_scikit_learn(blobs):
    reduced = reduce_embeddings(blobs, n_components=4)
    fit = PCA(4, random_state=0)
    np.testing.assert_array_equal(reduced.matrix, fit.fit_transform(blobs.matrix))
    by_default = reduce_embeddings(blobs).encoder["explained_variance"]
    assert sum(by_default) >= 0.8 > sum(by_default[:-1])


def test_the_same_as_umap_and_its_seeds(blobs):
    import umap

    first, again, other = (
        reduce_embeddings(blobs, "umap", n_components=2, seed=seed).matrix for seed in (3, 3, 4)
    )
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    fit = umap.UMAP(n_components=2, min_dist=0.0, random_state=3, n_jobs=1)
    np.testing.assert_array_equal(first, fit.fit_transform(blobs.matrix))


def test_without_a_seed_every_result_is_one_of_its_own(blobs):
    given = {"method": "umap", "n_components": 2, "seed": None}
    one, two = (reduce_embeddings(blobs, **given) for _ in range(2))
    assert one.encoder["drawn"] != two.encoder["drawn"]
    assert "drawn" not in reduce_embeddings(blobs, "umap", n_components=2).encoder


def test_says_that_a_seed_means_one_core(blobs):
    told = []
    for seed in (0, None):
        reduce_embeddings(
            blobs, "umap", seed=seed, progress=lambda step, done, total: told.append((step, done))
        )
    assert told == [
        ("Reducing (one core, for the seed)", 0),
        ("Reducing (one core, for the seed)", 60),
        ("Reducing (all cores)", 0),
        ("Reducing (all cores)", 60),
    ]


def test_images_stay_and_the_settings_say_how(blobs):
    reduced = reduce_embeddings(blobs, "umap", n_components=3, n_neighbors=8, metric="cosine")
    pd.testing.assert_frame_equal(reduced.images, blobs.images)
    assert reduced.matrix.dtype == np.float32
    assert reduced.encoder["name"] == "umap of hog"
    assert reduced.encoder["width"] == 3
    assert reduced.encoder["n_neighbors"] == 8
    assert reduced.encoder["metric"] == "cosine"
    assert reduced.encoder["reduced_from"] == {"width": 12, "name": "hog"}
    assert "n_neighbors" not in reduce_embeddings(blobs).encoder


def test_flows_on_into_k_means(blobs):
    reduced = reduce_embeddings(blobs, n_components=2)
    clustering = cluster_images(reduced, "kmeans", n_clusters=3, progress=False)
    assert clustering.clusters["size"].tolist() == [20, 20, 20]
    assert clustering.images.groupby(np.repeat([0, 1, 2], 20))["cluster"].nunique().max() == 1
    assert clustering.summary["encoder"].tolist() == ["pca of hog"]
    assert clustering.images["image_id"].tolist() == blobs.images["image_id"].tolist()


def test_umap_and_hdbscan_find_what_is_there(blobs):
    reduced = reduce_embeddings(blobs, "umap", n_components=5, n_neighbors=10)
    clusters = cluster_images(reduced, "hdbscan", min_cluster_size=10, progress=False).images
    scores = score_clustering(clusters["cluster"], np.repeat([0, 1, 2], 20)).set_index("measure")
    assert scores.loc["adjusted_rand", "estimate"] > 0.95


def test_vectors_of_another_reduction_are_not_predicted(blobs):
    reduced = reduce_embeddings(blobs, n_components=2)
    clustering = cluster_images(reduced, "kmeans", n_clusters=3, progress=False)
    clustering.predict(reduced)
    half = Embeddings(blobs.images[:30], blobs.matrix[:30], blobs.encoder)
    with pytest.raises(ImagestrataError, match="the same encoder"):
        clustering.predict(reduce_embeddings(half, n_components=2))


def test_a_run_folder_keeps_them(blobs, tmp_path):
    run = tmp_path / "run"
    made = reduce_embeddings(blobs, n_components=2, out=run)
    loaded = Embeddings.load(run)
    np.testing.assert_array_equal(loaded.matrix, made.matrix)
    assert loaded.encoder == made.encoder
    entry = json.loads((run / "run.json").read_text())["steps"]["embed"]
    assert entry["settings"]["reduced_by"] == "pca"
    assert entry["finished"]
    assert {"umap-learn", "hdbscan"} <= set(entry["versions"])
    again = reduce_embeddings(blobs, n_components=2, out=run)
    assert again.encoder == made.encoder
    with pytest.raises(ImagestrataError, match="n_components=2, not with n_components=3"):
        reduce_embeddings(blobs, n_components=3, out=run)
    assert reduce_embeddings(blobs, n_components=3, out=run, overwrite=True).matrix.shape[1] == 3
    cluster_images(Embeddings.load(run), "kmeans", n_clusters=3, out=run, progress=False)


def test_the_run_folder_of_the_given_vectors_is_not_overwritten(blobs, tmp_path):
    reduce_embeddings(blobs, n_components=4, out=tmp_path)
    with pytest.raises(ImagestrataError, match="already holds the step 'embed'"):
        reduce_embeddings(Embeddings.load(tmp_path), n_components=2, out=tmp_path)


def test_new_images_cannot_follow(blobs):
    reduced = reduce_embeddings(blobs)
    with pytest.raises(ImagestrataError, match="pca of hog"):
        embed_images(["a.png"], reduced, progress=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "tsne"}, "`method` must be one of 'pca', 'umap'"),
        ({"n_components": 0}, "between 1 and 12"),
        ({"n_components": 13}, "between 1 and 12"),
        ({"n_components": 1.5}, "whole number"),
        ({"n_components": True}, "whole number"),
        ({"n_components": "two"}, "whole number"),
        ({"method": "umap", "n_components": 0.5}, "whole number"),
        ({"method": "umap", "n_neighbors": 60}, "between 2 and 59"),
        ({"method": "umap", "n_neighbors": 1}, "between 2 and 59"),
        ({"method": "umap", "min_dist": -0.1}, "between 0 and 1"),
        ({"method": "umap", "metric": "miles"}, "`metric`"),
        ({"seed": -1}, "`seed`"),
        ({"overwrite": 1}, "`overwrite`"),
    ],
)
def test_bad_arguments(blobs, arguments, message):
    with pytest.raises(ImagestrataError, match=message):
        reduce_embeddings(blobs, **arguments)


def test_bad_vectors():
    with pytest.raises(ImagestrataError, match="vectors of all images \\(4\\) are the same"):
        reduce_embeddings(np.ones((4, 3)))
    with pytest.raises(ImagestrataError, match="needs at least 4 images; it got 3"):
        reduce_embeddings(np.eye(3), "umap", n_neighbors=2)
    with pytest.raises(ImagestrataError, match="not a str"):
        reduce_embeddings("folder")
    with pytest.raises(ImagestrataError, match="finite"):
        reduce_embeddings(np.array([[0.0, np.nan], [1.0, 2.0]]))


def test_says_what_to_install(blobs, monkeypatch):
    def absent(name):
        raise ImportError(name, name=name)

    monkeypatch.setattr(imagestrata.extras, "import_module", absent)
    with pytest.raises(ImagestrataError, match=r"imagestrata\[density\]"):
        reduce_embeddings(blobs, "umap")
