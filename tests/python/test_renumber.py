"""cluster_images(recluster=True): numbers and names are carried over to clusters found anew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from images import write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    cluster_keywords,
    cluster_stability,
    coding_sheet,
    compare_clusterings,
    find_images,
    image_gallery,
    map_images,
    methods_paragraph,
    plot_map,
    plot_montage,
    sample_images,
)
from imagestrata.clustering.renumber import overlap_table, partners, renumbered
from imagestrata.provenance import read_run


def table(text: str) -> pd.DataFrame:
    """Images a, b, ... with the clusters of a text; spaces do not count."""
    marks = text.replace(" ", "")
    numbers = [-1 if mark == "-" else int(mark) for mark in marks]
    return pd.DataFrame({"image_id": [f"i{i:02d}" for i in range(len(marks))], "cluster": numbers})


class TestByHand:
    def test_overlaps(self):
        found = overlap_table(table("1112"), table("112-")).drop(columns="carried")
        pd.testing.assert_frame_equal(
            found,
            pd.DataFrame(
                {
                    "cluster_before": [1, 1, 2],
                    "cluster": [1, 2, -1],
                    "n_shared": [2, 1, 1],
                    "share_before": [2 / 3, 1 / 3, 1],
                    "share": [1.0, 1, 1],
                    "jaccard": [2 / 3, 1 / 3, 1],
                }
            ).astype({"cluster_before": "Int64", "cluster": "Int64"}),
        )

    def test_pairs_share_the_most_images_in_all(self):
        # Cluster 1 overlaps both new ones; as a whole 1-2 and 2-1 (4 + 5) beat 1-1 and 2-2 (6 + 0).
        found = overlap_table(table("1111111111 22222"), table("1111112222 11111"))
        assert partners(found) == {2: 1, 1: 2}

    def test_half_of_either_cluster_is_needed(self):
        before, after = "1111111111", "1111122222"
        assert partners(overlap_table(table(before), table(after))) in ({1: 1}, {2: 1})
        few = overlap_table(table("1111 2222 3333"), table("1234 1234 1234"))
        assert partners(few) == {}  # a third of each new cluster, a quarter of each old one

    def test_a_split_and_a_merge(self):
        split = partners(overlap_table(table("1111111111"), table("1111112222")))
        assert split == {1: 1}
        merged = partners(overlap_table(table("1111112222"), table("1111111111")))
        assert merged == {1: 1}

    def test_the_best_of_all_pairings_by_brute_force(self):
        from itertools import permutations

        rng = np.random.default_rng(0)
        for _ in range(30):
            before, after = (
                pd.DataFrame({"image_id": range(40), "cluster": rng.integers(1, 5, 40)})
                for _ in range(2)
            )
            counts = pd.crosstab(before["cluster"], after["cluster"]).to_numpy()
            best = max(sum(counts[i, p[i]] for i in range(4)) for p in permutations(range(4)))
            rows = overlap_table(before, after)
            found = partners(rows)
            shared = rows.set_index(["cluster_before", "cluster"])["n_shared"]
            assert sum(shared[b, a] for a, b in found.items()) <= best
            halves = rows[["share_before", "share"]].max(axis=1) >= 0.5
            assert len(found) <= halves.sum()


def hand(text: str) -> Clustering:
    images = table(text).assign(path=None, file=None, iteration=1, silhouette=0.5, distance=1.0)
    images = images.assign(n_copies=1, added=False, wave=1)
    sizes = images["cluster"][images["cluster"] > 0].value_counts().sort_index()
    clusters = pd.DataFrame({"cluster": sizes.index, "size": sizes.to_numpy()})
    clusters = clusters.assign(share=0.1, silhouette=0.5, iteration=1, n_added=0)
    centroids = sizes.index.to_numpy(dtype=np.float32)[:, None]
    settings = {"method": "kmeans", "encoder": {}, "width": 1}
    return Clustering(images, clusters, pd.DataFrame(), centroids, settings)


class TestRenumbered:
    def test_numbers_and_names_follow_and_new_clusters_get_new_numbers(self):
        before = table("111111 22222 3333 4")
        names = {1: "cats", 2: "dogs", 3: "cars", 4: "odd"}
        before["cluster_name"] = before["cluster"].map(names)
        # 1 and 2 swap, 3 falls into two (the larger part keeps it), 4 is gone.
        found = renumbered(hand("222222 11111 3334 -"), before, highest=7)
        assert found.images["cluster"].tolist() == [1] * 6 + [2] * 5 + [3] * 3 + [8, -1]
        assert found.clusters["cluster"].tolist() == [1, 2, 3, 8]
        assert found.clusters["size"].tolist() == [6, 5, 3, 1]
        assert found.clusters["cluster_name"].tolist()[:3] == ["cats", "dogs", "cars"]
        assert found.clusters["cluster_name"].isna().tolist() == [False] * 3 + [True]
        assert found.images["cluster_name"].tolist()[0] == "cats"
        assert found.centroids.ravel().tolist() == [2, 1, 3, 4]
        assert found.settings["highest_number"] == 8
        rows = found.renumbered
        assert rows[["cluster_before", "cluster", "n_shared", "carried"]].values.tolist() == [
            [1, 1, 6, True], [2, 2, 5, True], [3, 3, 3, True], [3, 8, 1, False], [4, -1, 1, False],
        ]  # fmt: skip

    def test_new_images_and_lost_ones_count_to_no_overlap(self):
        before = table("1111").iloc[:3]
        found = renumbered(hand("1111 2"), before, highest=1)
        assert found.images["cluster"].tolist() == [1] * 4 + [2]
        rows = found.renumbered
        assert rows["share"].tolist() == [0.75, 0]
        assert rows["cluster_before"].isna().tolist() == [False, True]


@pytest.fixture(scope="module")
def corpus():
    """Five groups of 200 images; the fifth comes only with the last 40 images."""
    rng = np.random.default_rng(8)
    groups = rng.choice(4, 160)
    groups = np.append(groups, rng.choice([0, 4], 40, p=[0.3, 0.7]))
    vectors = np.eye(12)[groups] * 12 + rng.normal(size=(200, 12))
    return groups, Embeddings.from_arrays(vectors, [f"i{i:03d}" for i in range(200)])


def first(embeddings, n):
    images = embeddings.images.iloc[:n].reset_index(drop=True)
    return Embeddings(images, embeddings.matrix[:n], embeddings.encoder)


def cluster(embeddings, out, n_clusters=4, **given):
    return cluster_images(
        embeddings, "kmeans", n_clusters=n_clusters, out=out, progress=False, **given
    )


class TestFolder:
    def test_a_grown_corpus_is_clustered_anew_with_its_old_numbers(self, corpus, tmp_path):
        groups, embeddings = corpus
        before = cluster(first(embeddings, 160), tmp_path)
        cluster(embeddings, tmp_path)
        anew = cluster(embeddings, tmp_path, 5, recluster=True)
        old = before.images.set_index("image_id")["cluster"]
        now = anew.images.set_index("image_id")["cluster"]
        assert (now[old.index] == old).all()
        assert (anew.images["cluster"][groups == 4] == 5).all()
        assert not anew.images["added"].any()
        assert anew.renumbered["carried"].sum() == 4
        assert "4 numbers carried over" in repr(anew)
        # All others are what a clustering of all images finds.
        plain = cluster(embeddings, None, 5)
        assert (pd.crosstab(plain.images["cluster"], now.to_numpy()) > 0).to_numpy().sum() == 5
        for name in ("images", "clusters", "renumbered"):
            pd.testing.assert_frame_equal(
                getattr(Clustering.load(tmp_path), name), getattr(anew, name)
            )
        assert "4 clusters kept the number" in methods_paragraph(tmp_path)

    def test_images_that_joined_later_do_not_move_a_number(self, tmp_path):
        vectors = (
            np.repeat([0.0, 50, 100, 150], [8, 6, 4, 9])[:, None] + np.arange(27)[:, None] / 100
        )
        embeddings = Embeddings.from_arrays(vectors)
        cluster(first(embeddings, 18), tmp_path, 3)
        grown = cluster(embeddings, tmp_path, 3)
        assert (grown.images["cluster"][18:] == 3).all()  # nine images beside the four of cluster 3
        anew = cluster(embeddings, tmp_path, 4, recluster=True)
        assert anew.images["cluster"].tolist() == [1] * 8 + [2] * 6 + [3] * 4 + [4] * 9

    def test_the_same_call_again_reads_it(self, corpus, tmp_path, monkeypatch):
        _, embeddings = corpus
        cluster(first(embeddings, 160), tmp_path)
        anew = cluster(embeddings, tmp_path, 5, recluster=True)
        monkeypatch.setattr("imagestrata.clustering.cluster.fit_estimator", None)
        again = cluster(embeddings, tmp_path, 5, recluster=True)
        pd.testing.assert_frame_equal(again.images, anew.images)
        pd.testing.assert_frame_equal(cluster(embeddings, tmp_path, 5).images, anew.images)

    def test_a_number_never_means_two_clusters(self, corpus, tmp_path):
        _, embeddings = corpus
        cluster(first(embeddings, 160), tmp_path, 4)
        assert {*cluster(embeddings, tmp_path, 3, recluster=True).clusters["cluster"]} < {
            1,
            2,
            3,
            4,
        }
        gone = {1, 2, 3, 4} - {*Clustering.load(tmp_path).clusters["cluster"]}
        anew = cluster(embeddings, tmp_path, 5, recluster=True)
        assert not gone & {*anew.clusters["cluster"]}
        assert anew.clusters["cluster"].max() == 6

    def test_what_rests_on_the_clusters_before_moves(self, corpus, tmp_path):
        _, embeddings = corpus
        before = cluster(first(embeddings, 160), tmp_path)
        sample_images(before, 4, out=tmp_path)
        with pytest.warns(UserWarning, match="moved to"):
            anew = cluster(embeddings, tmp_path, 5, recluster=True)
        moved = next((tmp_path / "replaced").iterdir())
        assert (moved / "sample.csv").exists()
        pd.testing.assert_frame_equal(Clustering.load(moved).images, before.images)
        assert "sample" not in read_run(tmp_path)["steps"]
        assert sample_images(anew, 4, out=tmp_path)["cluster"].nunique() == 5

    @pytest.mark.parametrize("place", ["clustering.parquet", "clusters.parquet"])
    def test_killed_at_any_moment_it_ends_the_same(self, corpus, tmp_path, monkeypatch, place):
        from imagestrata.clustering import clustering as module

        _, embeddings = corpus
        for name in ("undisturbed", "killed"):
            cluster(first(embeddings, 160), tmp_path / name)
        whole = cluster(embeddings, tmp_path / "undisturbed", 5, recluster=True)
        write = module.write_table

        def killed(path, table):
            if path.name == place:
                raise KeyboardInterrupt
            write(path, table)

        monkeypatch.setattr(module, "write_table", killed)
        with pytest.raises(KeyboardInterrupt):
            cluster(embeddings, tmp_path / "killed", 5, recluster=True)
        monkeypatch.undo()
        again = cluster(embeddings, tmp_path / "killed", 5, recluster=True)
        for name in ("images", "clusters", "renumbered"):
            pd.testing.assert_frame_equal(getattr(again, name), getattr(whole, name))

    def test_a_damaged_table_is_restored_and_not_made_again(self, corpus, tmp_path):
        _, embeddings = corpus
        cluster(first(embeddings, 160), tmp_path)
        anew = cluster(embeddings, tmp_path, 5, recluster=True)
        file = tmp_path / "clusters.parquet"
        kept = file.read_bytes()
        file.write_bytes(b"damaged")
        with pytest.raises(ImagestrataError, match="depends on an earlier clustering"):
            cluster(embeddings, tmp_path, 5, recluster=True)
        file.write_bytes(kept)
        again = cluster(embeddings, tmp_path, 5, recluster=True)
        pd.testing.assert_frame_equal(again.images, anew.images)

    def test_without_clusters_before_there_is_nothing_to_carry_over(self, corpus, tmp_path):
        _, embeddings = corpus
        found = cluster(embeddings, tmp_path, 5, recluster=True)
        assert found.renumbered.empty and not (tmp_path / "renumbered.parquet").exists()
        assert cluster(embeddings, tmp_path, 5, recluster=True).renumbered.empty
        with pytest.raises(ImagestrataError, match="needs `out`"):
            cluster(embeddings, None, 5, recluster=True)


def test_verbs_take_clusters_whose_numbers_have_gaps(corpus, tmp_path):
    """Clusters 2, 5 and 6: every verb finds them by number and not by place."""
    _, embeddings = corpus
    some = first(embeddings, 30)
    pictures = write_pictures(tmp_path / "pictures", 30)
    some.images["path"] = sorted(map(str, pictures.iterdir()))
    found = cluster(some, tmp_path / "run", 3)
    numbers = found.images["cluster"].map({1: 5, 2: 2, 3: 6})
    before = found.images[["image_id"]].assign(cluster=numbers)
    gaps = renumbered(found, before, 6)
    assert gaps.clusters["cluster"].tolist() == [2, 5, 6]
    assert (gaps.predict(some)["cluster"] == gaps.images["cluster"]).all()
    assert {*find_images(gaps, n=2)["cluster"]} == {2, 5, 6}
    assert find_images(gaps, 6, n=1)["cluster"].tolist() == [6]
    with pytest.raises(ImagestrataError, match=r"no cluster 1.*numbered 2, 5, 6"):
        find_images(gaps, 1)
    stable = cluster_stability(gaps, some, n_refits=2, progress=False).clusters
    sizes = gaps.clusters.set_index("cluster")["size"].to_dict()
    assert stable.set_index("cluster")["size"].to_dict() == sizes
    assert (stable["jaccard"] > 0.9).all()
    texts = pd.DataFrame({"image_id": some.images["image_id"], "text": "word " + numbers.map(str)})
    assert {*cluster_keywords(gaps, texts, column="text")["cluster"]} <= {2, 5, 6}
    summary = compare_clusterings(gaps=gaps, plain=found).pairs
    assert summary["adjusted_rand"].tolist() == [1]
    run = tmp_path / "gaps"
    gaps.save(run)
    image_gallery(gaps, run, view=False, progress=False)
    points = map_images(some, "pca")
    plot_map(gaps, points=points, out=tmp_path / "map.png")
    plot_montage(gaps, out=tmp_path / "montage.png")
    coding_sheet(gaps, tmp_path / "sheet.html", ["yes", "no"], progress=False)
    assert {*sample_images(gaps, 2)["cluster"]} == {2, 5, 6}
