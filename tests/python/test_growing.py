"""Growing: new images join finished clusters, and what rests on the clusters stays."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from commands import call
from images import write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    assign_annotators,
    cluster_images,
    image_gallery,
    methods_paragraph,
    sample_images,
)
from imagestrata.provenance import read_run
from imagestrata.sampling.sample import read_sample

#: Two clusters on a line; each has its mean at 0 or 100, and its farthest image 1 away.
LINE = np.array([[-1.0, 0], [0, 0], [1, 0], [99, 0], [100, 0], [101, 0]])
ITERATIVE = {"k": 2, "release_share": 1, "stop_size": 3, "neighbors": None}


def cluster(embeddings, out, **settings):
    return cluster_images(embeddings, out=out, progress=False, **settings)


def named(points, first=0):
    points = np.asarray(points, dtype=float)
    return Embeddings.from_arrays(points, [f"i{first + row}" for row in range(len(points))])


def of_new(clustering):
    return clustering.images[clustering.images["added"]]


@pytest.fixture(scope="module")
def corpus():
    """200 images in groups of different sizes, in random order."""
    rng = np.random.default_rng(5)
    groups = np.repeat(rng.normal(size=(5, 12)) * 2, [70, 50, 40, 25, 15], axis=0)
    vectors = groups + rng.normal(size=groups.shape) / 2
    return named(vectors[rng.permutation(len(vectors))])


def part(embeddings, rows):
    images = embeddings.images.iloc[rows].reset_index(drop=True)
    return Embeddings(images, embeddings.matrix[rows], embeddings.encoder)


class TestByHand:
    def test_the_nearest_cluster_up_to_its_farthest_image_else_the_residual(self, tmp_path):
        found = cluster(named(LINE), tmp_path, **ITERATIVE)
        assert found.images["cluster"].tolist() == [1, 1, 1, 2, 2, 2]
        assert found.images["added"].tolist() == [False] * 6
        # The farthest of three images is 1 from their mean, and 1.5 from that of the other two.
        new = [[1.4, 0], [1.6, 0], [98.6, 0], [50, 0]]
        with pytest.warns(UserWarning, match="2 of 4 new images are far from all clusters"):
            grown = cluster(named(np.vstack([LINE, new])), tmp_path, **ITERATIVE)
        joined = of_new(grown)
        assert joined["cluster"].tolist() == [1, -1, 2, -1]
        np.testing.assert_allclose(joined["distance"], [1.4, np.nan, 1.4, np.nan], rtol=1e-5)
        assert joined["silhouette"].isna().all()
        assert joined["iteration"].tolist() == [1, 0, 1, 0]
        assert joined["wave"].tolist() == [2] * 4
        clusters = grown.clusters.set_index("cluster")
        assert clusters["size"].tolist() == [4, 4]
        assert clusters["n_added"].tolist() == [1, 1]
        np.testing.assert_allclose(clusters["share"], 0.4)
        assert clusters["silhouette"].tolist() == found.clusters["silhouette"].tolist()
        line = grown.summary.iloc[0]
        assert line[["n_images", "n_residual", "n_added"]].tolist() == [10, 2, 4]
        assert "4 images joined later, 2 of them residual" in repr(grown)

    def test_a_method_without_residual_takes_every_image(self, tmp_path):
        cluster(named(LINE), tmp_path, method="kmeans", n_clusters=2)
        more = named(np.vstack([LINE, [[60, 0], [-900, 0]]]))
        grown = cluster(more, tmp_path, method="kmeans", n_clusters=2)
        by_image = grown.images.set_index("image_id")["cluster"]
        assert by_image["i6"] == by_image["i4"] and by_image["i7"] == by_image["i1"]

    def test_equal_images_join_a_cluster_of_equal_images(self, tmp_path):
        same = np.repeat(np.random.default_rng(0).normal(size=(2, 30)), 5, axis=0)
        cluster(named(same), tmp_path, **ITERATIVE)
        grown = cluster(named(np.vstack([same, same[[0, 9]]])), tmp_path, **ITERATIVE)
        assert (of_new(grown)["cluster"] > 0).all()

    def test_without_any_cluster_new_images_are_residual(self, tmp_path):
        with pytest.warns(UserWarning, match="No cluster"):
            cluster(named(LINE[:2]), tmp_path)
        grown = cluster(named(LINE[:4]), tmp_path)
        assert grown.images["cluster"].tolist() == [-1] * 4


@pytest.mark.parametrize(
    "settings",
    [{}, {"method": "kmeans", "n_clusters": 5}, {"method": "hdbscan"}],
    ids=["iterative", "kmeans", "hdbscan"],
)
@pytest.mark.filterwarnings("ignore:.*far from all clusters")
class TestAnyMethod:
    def test_old_images_keep_everything_and_new_ones_get_the_predicted_cluster(
        self, corpus, settings, tmp_path
    ):
        rows = np.random.default_rng(1).permutation(200)
        before = cluster(part(corpus, rows[:150]), tmp_path, **settings)
        grown = cluster(corpus, tmp_path, **settings)
        assert grown.images["image_id"].tolist() == corpus.images["image_id"].tolist()
        old = grown.images.set_index("image_id").loc[before.images["image_id"]].reset_index()
        pd.testing.assert_frame_equal(old, before.images)
        np.testing.assert_array_equal(grown.centroids, before.centroids)
        joined = of_new(grown)
        predicted = before.predict(part(corpus, joined.index)).set_axis(joined.index)
        inside = joined["cluster"] > 0
        assert inside.mean() > 0.5
        assert (joined["cluster"] == predicted["cluster"])[inside].all()
        np.testing.assert_allclose(joined["distance"][inside], predicted["distance"][inside])
        kinds = {name: column.dtype for name, column in before.images.items()}
        assert {name: column.dtype for name, column in grown.images.items()} == kinds
        pd.testing.assert_frame_equal(Clustering.load(tmp_path).images, grown.images)

    def test_one_growth_or_two_give_the_same(self, corpus, settings, tmp_path):
        rows = np.random.default_rng(2).permutation(200)
        for name, steps in {"once": (120, 200), "twice": (120, 150, 200)}.items():
            for n in steps:
                grown = cluster(part(corpus, rows[:n]), tmp_path / name, **settings)
        once = Clustering.load(tmp_path / "once")
        pd.testing.assert_frame_equal(
            once.images.drop(columns="wave"), grown.images.drop(columns="wave")
        )
        pd.testing.assert_frame_equal(once.clusters, grown.clusters)
        assert grown.images["wave"].value_counts().to_dict() == {1: 120, 2: 30, 3: 50}
        assert read_run(tmp_path / "twice")["steps"]["cluster"]["counts"]["n_added"] == 80


class TestFolder:
    def test_what_rests_on_the_clusters_stays(self, corpus, tmp_path):
        some = part(corpus, np.arange(160))
        before = cluster(some, tmp_path, method="kmeans", n_clusters=5)
        sample = sample_images(before, 4, out=tmp_path)
        assign_annotators(sample, n_images=4, out=tmp_path)
        (tmp_path / "coding-sheet.html").write_text("filled in")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            cluster(corpus, tmp_path, method="kmeans", n_clusters=5)
        assert not (tmp_path / "replaced").exists()
        assert (tmp_path / "coding-sheet.html").exists()
        steps = read_run(tmp_path)["steps"]
        assert steps["cluster"]["earlier"] == [steps["sample"]["made_from"]["cluster"]]
        text = methods_paragraph(tmp_path)
        assert "grouped all 160 images into 5 clusters" in text
        assert "40 further images joined later, 40 of them in the cluster with the nearest" in text

    def test_the_same_images_again_read_the_grown_clusters(self, corpus, tmp_path, monkeypatch):
        cluster(part(corpus, np.arange(160)), tmp_path, method="kmeans", n_clusters=5)
        grown = cluster(corpus, tmp_path, method="kmeans", n_clusters=5)
        monkeypatch.setattr("imagestrata.clustering.cluster.joined", None)
        again = cluster(corpus, tmp_path, method="kmeans", n_clusters=5)
        pd.testing.assert_frame_equal(again.images, grown.images)

    def test_killed_while_it_writes_it_ends_the_same(self, corpus, tmp_path, monkeypatch):
        from imagestrata.clustering import clustering as module

        some, settings = part(corpus, np.arange(160)), {"method": "kmeans", "n_clusters": 5}
        for name in ("undisturbed", "killed"):
            cluster(some, tmp_path / name, **settings)
        whole = cluster(corpus, tmp_path / "undisturbed", **settings)
        write = module.write_table

        def killed(path, table):
            if path.name == "clusters.parquet":
                raise KeyboardInterrupt
            write(path, table)

        monkeypatch.setattr(module, "write_table", killed)
        with pytest.raises(KeyboardInterrupt):
            cluster(corpus, tmp_path / "killed", **settings)
        monkeypatch.undo()
        assert not read_run(tmp_path / "killed")["steps"]["cluster"]["finished"]
        again = cluster(corpus, tmp_path / "killed", **settings)
        pd.testing.assert_frame_equal(again.images, whole.images)
        pd.testing.assert_frame_equal(again.clusters, whole.clusters)
        entries = [
            read_run(tmp_path / name)["steps"]["cluster"] for name in ("undisturbed", "killed")
        ]
        assert entries[0]["earlier"] == entries[1]["earlier"]

    def test_other_images_vectors_and_settings_are_no_growth(self, corpus, tmp_path):
        some = part(corpus, np.arange(160))
        cluster(some, tmp_path, method="kmeans", n_clusters=5)
        moved = Embeddings(corpus.images, corpus.matrix + 1, corpus.encoder)
        for other in (part(corpus, np.arange(10, 200)), moved):
            with pytest.raises(ImagestrataError, match="made from other images"):
                cluster(other, tmp_path, method="kmeans", n_clusters=5)
        with pytest.raises(ImagestrataError, match="with n_clusters=5, not with n_clusters=6"):
            cluster(corpus, tmp_path, method="kmeans", n_clusters=6)

    def test_a_damaged_table_of_grown_clusters_is_not_made_again_from_other_clusters(
        self, corpus, tmp_path
    ):
        cluster(part(corpus, np.arange(160)), tmp_path, method="kmeans", n_clusters=5)
        grown = cluster(corpus, tmp_path, method="kmeans", n_clusters=5)
        kept = (tmp_path / "clusters.parquet").read_bytes()
        (tmp_path / "clusters.parquet").unlink()
        with pytest.raises(ImagestrataError, match="depends on an earlier clustering"):
            cluster(corpus, tmp_path, method="kmeans", n_clusters=5)
        (tmp_path / "clusters.parquet").write_bytes(kept)
        again = cluster(corpus, tmp_path, method="kmeans", n_clusters=5)
        pd.testing.assert_frame_equal(again.images, grown.images)

    def test_a_clustering_of_an_older_version_has_no_additions(self, corpus, tmp_path):
        found = cluster(corpus, None, method="kmeans", n_clusters=5)
        old = found.images.drop(columns=["added", "wave"])
        old.to_parquet(tmp_path / "old.parquet")
        found.save(tmp_path)
        (tmp_path / "old.parquet").replace(tmp_path / "clustering.parquet")
        found.clusters.drop(columns="n_added").to_parquet(tmp_path / "clusters.parquet")
        read = Clustering.load(tmp_path)
        assert read.summary["n_added"].iloc[0] == 0
        assert not read.images["added"].any() and (read.images["wave"] == 1).all()

    def test_the_gallery_of_the_grown_clusters_replaces_the_earlier_one(self, tmp_path):
        paths = sorted(map(str, write_pictures(tmp_path / "pictures", 6).iterdir()))
        embeddings = Embeddings.from_arrays(LINE, [*"abcdef"], paths)
        settings = {"method": "kmeans", "n_clusters": 2}
        run = tmp_path / "run"
        for n in (4, 6):
            clustering = cluster(part(embeddings, np.arange(n)), run, **settings)
            page = image_gallery(clustering, run, view=False, progress=False)
        assert "6 images" in page.read_text() and "2 joined later" in page.read_text()
        assert read_run(run)["steps"]["gallery"]["counts"]["images"] == 6


def test_the_command_run_grows_and_clusters_anew(tmp_path):
    photos, run = write_pictures(tmp_path / "photos", 24), tmp_path / "run"
    command = ("run", photos, "--out", run, "--encoder", "hog", "--method", "kmeans",
               "--n-clusters", 2, "--quiet")  # fmt: skip
    call(*command)
    before = read_sample(run)
    for path in sorted(write_pictures(tmp_path / "more", 36).iterdir())[24:]:
        path.rename(photos / f"new-{path.name}")
    said = call(*command)
    assert "12 images joined later, 0 of them residual" in said
    assert f"of which {len(before)} were drawn before" in said
    grown = Clustering.load(run)
    assert {*before["image_id"]} < {*read_sample(run)["image_id"]}
    assert grown.images["added"].sum() == 12
    with pytest.warns(UserWarning, match="moved to"):
        call(*command, "--recluster")
    anew = Clustering.load(run)
    assert not anew.images["added"].any() and len(anew.renumbered)
    assert (read_sample(run)["draw"] == 1).all()
