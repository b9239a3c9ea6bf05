"""group_clusters(): clusters are grouped into themes, which follow what happens to the clusters."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import adjusted_rand_score

from clusterings import draw_images, hand_made
from commands import call
from images import write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    cluster_keywords,
    cluster_metadata,
    edit_clusters,
    embed_images,
    find_images,
    group_clusters,
    image_gallery,
    methods_paragraph,
    plot_map,
    plot_montage,
    plot_themes,
    rating_means,
    read_ratings,
    sample_images,
)
from imagestrata.clustering.themes import THEME, cut_tree, distances, grow_tree, usual_number
from imagestrata.explore.figure import GROUPS, SMALLER
from imagestrata.explore.tree import TreeLine, TreeRows, height_of_cut, tree_lines
from imagestrata.provenance import read_run
from test_gallery import data_of

#: Two pairs of clusters in the plane, four, three, two and one images, and one image apart.
PLACES = [*[(0, 0)] * 4, *[(9, 0)] * 3, *[(0, 1)] * 2, (9, 2), (50, 50)]
LABELS = [1] * 4 + [2] * 3 + [3] * 2 + [4] + [-1]
IDS = list("abcdefghijk")


def in_plane(**columns) -> Clustering:
    embeddings = Embeddings.from_arrays(np.array(PLACES, dtype="float32"), IDS)
    clustering = Clustering.from_labels(embeddings, LABELS)
    images = clustering.images.drop(columns="cluster_name").assign(**columns)
    clusters = clustering.clusters.drop(columns="cluster_name")
    return Clustering(
        images, clusters, clustering.trace, clustering.centroids, clustering.settings,
        source=clustering.source,
    )  # fmt: skip


def many(n: int, width: int = 20, seed: int = 0) -> Clustering:
    """``n`` clusters of five images each, around centres that are near some others."""
    rng = np.random.default_rng(seed)
    regions = rng.normal(size=(max(2, n // 4), width))
    centres = regions[rng.integers(len(regions), size=n)] + rng.normal(size=(n, width)) / 2
    rows = np.repeat(centres, 5, axis=0) + rng.normal(size=(5 * n, width)) / 20
    names = [f"c{i}" for i in range(n)]
    return Clustering.from_labels(rows.astype("float32"), np.repeat(names, 5))


def themes_of(clustering: Clustering) -> dict[int, list[int]]:
    """Clusters by theme."""
    table = clustering.themes
    return {
        theme: [*map(int, numbers.split())]
        for theme, numbers in zip(table["theme"], table["clusters"], strict=True)
    }


def same(one: Clustering, other: Clustering) -> None:
    for name in ("images", "clusters", "tree", "themes"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


class TestByHand:
    def test_two_pairs_in_the_plane(self):
        topics = group_clusters(in_plane(), n=2)
        # Clusters 1 and 3 hold six images, 2 and 4 four.
        assert themes_of(topics) == {1: [1, 3], 2: [2, 4]}
        assert topics.themes["size"].tolist() == [6, 4]
        np.testing.assert_allclose(topics.themes["share"], [6 / 11, 4 / 11])
        assert topics.themes["theme_name"].tolist() == ["Theme 1", "Theme 2"]
        assert topics.clusters["theme"].tolist() == [1, 2, 1, 2]
        images = topics.images.set_index("image_id")
        assert images.loc["a", "theme"] == 1 and images.loc["j", "theme_name"] == "Theme 2"
        assert pd.isna(images.loc["k", "theme"]) and pd.isna(images.loc["k", "theme_name"])
        assert [*topics.clusters][:3] == ["cluster", "theme", "theme_name"]

    def test_the_tree(self):
        tree = group_clusters(in_plane(), n=3).tree
        assert tree[["merge", "left", "right", "n_clusters"]].to_numpy().tolist() == [
            [1, -1, -3, 2], [2, -2, -4, 2], [3, 1, 2, 4],
        ]  # fmt: skip
        between = [9, np.hypot(9, 2), np.hypot(9, 1), np.hypot(9, 1)]
        np.testing.assert_allclose(tree["height"], [1, 2, np.mean(between)], atol=1e-6)

    def test_each_number_of_themes(self):
        found = {n: themes_of(group_clusters(in_plane(), n=n)) for n in (1, 3, 4)}
        assert found[1] == {1: [1, 2, 3, 4]}
        assert found[3] == {1: [1, 3], 2: [2], 3: [4]}
        assert found[4] == {1: [1], 2: [2], 3: [3], 4: [4]}

    def test_directions_from_the_mean_centroid(self):
        """Of vectors with more dimensions: lengths do not count, and half of the clusters lie
        in one direction from the mean of all."""
        axes = np.eye(12)
        centres = np.array([axes[0] + axes[1], 5 * (axes[0] + 2 * axes[1]), axes[2], 3 * axes[2]])
        clustering = Clustering.from_labels(centres.astype("float32"), [1, 2, 3, 4])
        unit = centres / np.linalg.norm(centres, axis=1)[:, None]
        away = unit - unit.mean(axis=0)
        np.testing.assert_allclose(distances(clustering), pdist(away, "cosine"), atol=1e-5)
        assert themes_of(group_clusters(clustering, 2)) == {1: [1, 2], 2: [3, 4]}

    def test_the_number_without_n(self):
        # Heights 1 and 2 are below 95 percent of the mean of the six distances, 9.1 is not.
        assert themes_of(group_clusters(in_plane())) == {1: [1, 3], 2: [2, 4]}
        for n in (2, 7, 30):
            clustering = many(n)
            apart = distances(clustering)
            heights = linkage(apart, "average")[:, 2]
            wanted = 1 + (heights > 0.95 * apart.mean()).sum()
            assert usual_number(grow_tree(clustering)) == wanted
            assert len(group_clusters(clustering).themes) == wanted

    def test_one_cluster_and_none(self):
        one = Clustering.from_labels(np.ones((3, 2), "float32"), [1, 1, 1])
        assert themes_of(group_clusters(one)) == {1: [1]}
        assert group_clusters(one).tree.empty
        with pytest.warns(UserWarning), pytest.raises(ImagestrataError, match="no clusters"):
            group_clusters(Clustering.from_labels(np.ones((3, 2), "float32"), [-1, -1, -1]))

    def test_equal_centroids(self):
        rows = np.tile(np.arange(1, 13, dtype="float32"), (4, 1))
        topics = group_clusters(Clustering.from_labels(rows, [1, 2, 3, 4]))
        assert themes_of(topics) == {1: [1, 2, 3, 4]}

    def test_the_clustering_stays_as_it_was(self):
        clustering = in_plane()
        before = clustering.images.copy(), clustering.clusters.copy()
        topics = group_clusters(clustering, 2)
        pd.testing.assert_frame_equal(clustering.images, before[0])
        pd.testing.assert_frame_equal(clustering.clusters, before[1])
        kept = topics.clusters.drop(columns=["theme", "theme_name"])
        pd.testing.assert_frame_equal(kept, before[1])
        assert clustering.themes.empty and clustering.tree.empty


@pytest.mark.parametrize("n", [5, 30, 120])
def test_against_scipy(n):
    clustering = many(n)
    apart = distances(clustering)
    theirs = linkage(apart, "average")
    tree = grow_tree(clustering)
    np.testing.assert_allclose(tree["height"], theirs[:, 2])
    assert tree["n_clusters"].tolist() == theirs[:, 3].tolist()
    numbers = clustering.clusters["cluster"].tolist()
    for k in range(1, n + 1):
        # Not "maxclust", with which SciPy 1.13 gives fewer clusters than it is asked for.
        wanted = fcluster(theirs, theirs[n - k - 1, 2] if k < n else 0, "distance")
        groups = cut_tree(tree, numbers, k)
        label = {number: i for i, group in enumerate(groups) for number in group}
        assert len(groups) == k
        assert adjusted_rand_score(wanted, [label[number] for number in numbers]) == 1
    # No branches cross: every group is a run of the leaves.
    leaves = cut_tree(tree, numbers, 1)[0]
    for k in range(1, n + 1):
        for group in cut_tree(tree, numbers, k):
            places = sorted(leaves.index(number) for number in group)
            assert places == [*range(places[0], places[0] + len(group))]


@settings(max_examples=25, deadline=None)
@given(
    labels=st.lists(st.integers(-1, 7), min_size=12, max_size=40),
    width=st.sampled_from([2, 16]),
    n=st.integers(1, 8),
    seed=st.integers(0, 5),
)
def test_properties(labels, width, n, seed):
    """Every cluster has one theme, there are n themes, and the order of images has no effect."""
    rng = np.random.default_rng(seed)
    labels = np.array(labels)
    ids = [f"i{i}" for i in range(len(labels))]
    rows = (rng.normal(size=(len(labels), width)) + labels[:, None] // 2).astype("float32")
    k = len({*labels.tolist()} - {-1})
    if k == 0:
        return
    n = min(n, k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        named = [f"c{label}" if label >= 0 else None for label in labels]
        clustering = Clustering.from_labels(Embeddings.from_arrays(rows, ids), named)
    topics = group_clusters(clustering, n)
    assert topics.clusters["theme"].notna().all()
    assert topics.themes["theme"].tolist() == [*range(1, n + 1)]
    assert topics.themes["size"].is_monotonic_decreasing
    assert topics.themes["size"].sum() == (labels >= 0).sum()
    assert topics.themes["n_clusters"].sum() == k
    inside = topics.images["cluster"] > 0
    assert topics.images.loc[~inside, "theme"].isna().all()
    of_cluster = topics.clusters.set_index("cluster")["theme"]
    wanted = of_cluster[topics.images.loc[inside, "cluster"]].tolist()
    assert topics.images.loc[inside, "theme"].tolist() == wanted
    assert np.all(np.diff(topics.tree["height"]) >= 0) and len(topics.tree) == k - 1

    order = rng.permutation(len(labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shuffled = Clustering.from_labels(
            Embeddings.from_arrays(rows[order], [ids[i] for i in order]),
            [named[i] for i in order],
        )
    again = group_clusters(shuffled, n).images.set_index("image_id").loc[ids]
    first = topics.images.set_index("image_id")
    clustered = first["cluster"] > 0
    assert adjusted_rand_score(first.loc[clustered, "theme"], again.loc[clustered, "theme"]) == 1


class TestNames:
    def test_keywords(self):
        keywords = pd.DataFrame(
            [
                (1, 1, "dog"), (1, 2, "cat"), (3, 1, "cat"), (3, 2, "grass"), (3, 3, "dog"),
                (2, 1, "bus"),
            ],
            columns=["cluster", "rank", "term"],
        )  # fmt: skip
        # Theme 1 has clusters 1 (4 images) and 3 (2): dog 4 + 2/3, cat 4/2 + 2, grass 2/2.
        topics = group_clusters(in_plane(), 2, keywords=keywords)
        assert topics.themes["theme_name"].tolist() == ["dog, cat, grass", "bus"]

    def test_descriptions_of_the_images(self):
        words = ["dog grass"] * 4 + ["bus road"] * 3 + ["cat grass"] * 2 + ["car road", "sea"]
        topics = group_clusters(in_plane(description=words), 2)
        assert topics.themes["theme_name"].tolist()[1].startswith("bus")
        keywords = cluster_keywords(in_plane(description=words))
        same(topics, group_clusters(in_plane(description=words), 2, keywords=keywords))
        blank = group_clusters(in_plane(description=[""] * 11), 2)
        assert blank.themes["theme_name"].tolist() == ["Theme 1", "Theme 2"]

    def test_names_of_clusters(self):
        topics = edit_clusters(in_plane(), names={3: "Cats", 1: "Dogs", 4: "Cars"})
        assert group_clusters(topics, 2).themes["theme_name"].tolist() == ["Dogs, Cats", "Cars"]
        one = group_clusters(topics, 1).themes["theme_name"].tolist()
        assert one == ["Dogs, Cats"]

    def test_equal_names_are_told_apart(self):
        keywords = pd.DataFrame({"cluster": [1, 2], "rank": 1, "term": "city"})
        names = group_clusters(in_plane(), 2, keywords=keywords).themes["theme_name"].tolist()
        assert names == ["city", "city (2)"]

    def test_given_names(self):
        topics = group_clusters(in_plane(), 2, names={2: " Traffic  jams "})
        assert topics.themes["theme_name"].tolist() == ["Theme 1", "Traffic jams"]
        renamed = group_clusters(topics, names={"1": "Animals"})
        assert renamed.themes["theme_name"].tolist() == ["Animals", "Traffic jams"]
        pd.testing.assert_frame_equal(renamed.tree, topics.tree)
        named = renamed.images.set_index("image_id")["theme_name"]
        assert named["a"] == "Animals" and pd.isna(named["k"])
        # A number groups anew.
        assert len(group_clusters(renamed, 3, names={3: "x"}).themes) == 3


class TestEdits:
    def test_names_change_no_theme(self):
        topics = group_clusters(in_plane(), 2, names={1: "Animals"})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            named = edit_clusters(topics, names={1: "Dogs"})
        pd.testing.assert_frame_equal(named.tree, topics.tree)
        pd.testing.assert_frame_equal(named.themes, topics.themes)
        assert [*named.clusters][:4] == ["cluster", "cluster_name", "theme", "theme_name"]

    def test_a_merge_inside_a_theme(self):
        topics = group_clusters(in_plane(), 2, names={1: "Animals"})
        with pytest.warns(UserWarning, match="The themes follow") as said:
            merged = edit_clusters(topics, merge=[1, 3])
        assert "several themes" not in str(said[0].message)
        assert themes_of(merged) == {1: [1], 2: [2, 4]}
        assert merged.themes["theme_name"].tolist() == ["Animals", "Theme 2"]
        assert merged.tree.empty and "theme_found" not in merged.images

    def test_a_merge_across_themes_and_back(self):
        topics = group_clusters(in_plane(), 2)
        with pytest.warns(UserWarning, match="Cluster 2 has images of several themes"):
            merged = edit_clusters(topics, merge=[2, 3])
        # Three images of theme 2, two of theme 1.
        assert themes_of(merged) == {1: [1], 2: [2, 4]}
        assert merged.themes["size"].tolist() == [4, 6]
        moved = merged.images.set_index("image_id").loc["h"]
        assert (moved["theme"], moved["theme_found"]) == (2, 1)
        with pytest.warns(UserWarning, match="The themes follow"):
            split = edit_clusters(merged, split={2: ["h", "i"]})
        # The part with images of theme 1 is in it again.
        assert themes_of(split) == {1: [1, 6], 2: [4, 5]}
        assert "theme_found" not in split.images

    def test_ties_and_dropped_clusters(self):
        topics = group_clusters(in_plane(), 2)
        with pytest.warns(UserWarning, match="several themes"):
            tied = edit_clusters(topics, move={"new": ["a", "e"]})
        assert tied.clusters.set_index("cluster")["theme"][5] == 1
        with pytest.warns(UserWarning, match="The themes follow"):
            dropped = edit_clusters(topics, drop=[2, 4])
        assert themes_of(dropped) == {1: [1, 3]}
        assert dropped.images.loc[dropped.images["cluster"] == -1, "theme"].isna().all()

    def test_a_cluster_of_the_residual_has_no_theme_until_clusters_are_grouped_anew(self):
        topics = group_clusters(in_plane(), 2)
        with pytest.warns(UserWarning, match="Cluster 5 has no image that had a theme"):
            rescued = edit_clusters(topics, move={"new": ["k"]})
        assert pd.isna(rescued.clusters.set_index("cluster")["theme"][5])
        assert rescued.themes["n_clusters"].sum() == 4
        again = group_clusters(rescued, 3)
        assert again.clusters["theme"].notna().all() and len(again.tree) == 4

    def test_the_same_edits_together_or_one_by_one(self):
        topics = group_clusters(in_plane(), 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one = edit_clusters(edit_clusters(topics, merge=[2, 3]), split={2: ["h"]}, drop=[4])
            both = edit_clusters(topics, merge=[2, 3], split={2: ["h"]}, drop=[4])
        same(one, both)


def run_with_clusters(run, n: int = 6) -> tuple[Embeddings, Clustering]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(n, 12)) * 5
    rows = np.repeat(centres, 5, axis=0) + rng.normal(size=(5 * n, 12))
    made = Embeddings.from_arrays(rows.astype("float32"), [f"i{i:02d}" for i in range(5 * n)])
    made.save(run)
    start = cluster_images(made, "kmeans", n_clusters=n, out=run, progress=False)
    return made, start


class TestRunFolder:
    def test_stored_and_loaded(self, tmp_path):
        run = tmp_path / "run"
        _, start = run_with_clusters(run)
        topics = group_clusters(start, 3, names={1: "First"}, out=run)
        same(Clustering.load(run), topics)
        assert read_run(run)["steps"]["group"]["counts"] == {"n_themes": 3, "n_clusters": 6}
        same(group_clusters(start, 3, names={1: "First"}, out=run), topics)
        again = cluster_images(topics.vectors(), "kmeans", n_clusters=6, out=run)
        same(again, topics)
        assert "3 themes" in str(topics)

    def test_other_names_and_other_themes(self, tmp_path):
        run = tmp_path / "run"
        _, start = run_with_clusters(run)
        first = group_clusters(start, 3, out=run)
        renamed = group_clusters(first, names={2: "Second"}, out=run)
        same(Clustering.load(run), renamed)
        assert read_run(run)["steps"]["group"]["settings"]["n"] == 3
        with pytest.raises(ImagestrataError, match="already contains 3 themes"):
            group_clusters(start, 2, out=run)
        same(Clustering.load(run), renamed)
        other = group_clusters(start, 2, out=run, overwrite=True)
        same(Clustering.load(run), other)

    def test_edits_after_grouping(self, tmp_path):
        run = tmp_path / "run"
        _, start = run_with_clusters(run)
        topics = group_clusters(start, 3, names={1: "First"}, out=run)
        with pytest.warns(UserWarning, match="The themes follow"):
            edited = edit_clusters(Clustering.load(run), merge=[1, 2], drop=[3], out=run)
        same(Clustering.load(run), edited)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            same(edit_clusters(topics, merge=[1, 2], drop=[3]), edited)
        assert edited.tree.empty and "First" in {*edited.themes["theme_name"]}
        # Fewer edits: themes and tree are there again.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            undone = edit_clusters(start, names={1: "One"}, out=run, overwrite=True)
        assert not [one for one in caught if "themes follow" in str(one.message)]
        pd.testing.assert_frame_equal(undone.tree, topics.tree)
        pd.testing.assert_frame_equal(Clustering.load(run).themes, topics.themes)

    def test_edited_clusters_are_grouped_anew_without_overwrite(self, tmp_path):
        run = tmp_path / "run"
        _, start = run_with_clusters(run)
        group_clusters(start, 3, out=run)
        with pytest.warns(UserWarning, match="The themes follow"):
            edited = edit_clusters(start, merge=[1, 2], out=run)
        renamed = group_clusters(edited, names={1: "First"}, out=run)
        same(Clustering.load(run), renamed)
        assert renamed.tree.empty
        again = group_clusters(edited, 2, out=run)
        same(Clustering.load(run), again)
        assert len(again.tree) == 4 and len(again.themes) == 2

    def test_themes_of_edited_clusters(self, tmp_path):
        run = tmp_path / "run"
        _, start = run_with_clusters(run)
        edited = edit_clusters(start, merge=[1, 2], out=run)
        topics = group_clusters(edited, 2, out=run)
        same(Clustering.load(run), topics)
        with pytest.raises(ImagestrataError, match="edited result of the step 'cluster'"):
            group_clusters(start, 2, out=run, overwrite=True)

    def test_new_images_follow(self, tmp_path):
        run = tmp_path / "run"
        made, start = run_with_clusters(run)
        topics = group_clusters(start, 3, out=run)
        rows = np.vstack([made.matrix, start.centroids[2]]).astype("float32")
        grown = Embeddings.from_arrays(rows, [*made.images["image_id"], "new"])
        again = cluster_images(grown, "kmeans", n_clusters=6, out=run)
        joined = again.images.set_index("image_id").loc["new"]
        assert joined["added"] and joined["cluster"] == 3
        assert joined["theme"] == topics.clusters["theme"][2]
        pd.testing.assert_frame_equal(again.tree, topics.tree)
        assert again.themes["size"].sum() == 31
        same(Clustering.load(run), again)
        # Grouped anew, the new image counts; what was there before stays readable.
        same(Clustering.load(run), group_clusters(again, 3, out=run, overwrite=True))

    def test_clustering_anew_moves_the_themes(self, tmp_path):
        run = tmp_path / "run"
        made, start = run_with_clusters(run)
        group_clusters(start, 3, out=run)
        with pytest.warns(UserWarning, match=r"themes\.parquet"):
            other = cluster_images(made, "kmeans", n_clusters=4, out=run, overwrite=True)
        assert other.themes.empty and Clustering.load(run).themes.empty
        assert len([*run.glob("replaced/*/themes.parquet")]) == 1

    def test_interrupted(self, tmp_path, monkeypatch):
        run = tmp_path / "run"
        _, start = run_with_clusters(run)
        first = group_clusters(start, 3, names={1: "First"}, out=run)

        def killed(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("imagestrata.clustering.themes.write_table", killed)
            with pytest.raises(KeyboardInterrupt):
                group_clusters(first, names={2: "Second"}, out=run)
        same(Clustering.load(run), first)
        again = group_clusters(Clustering.load(run), names={2: "Second"}, out=run)
        assert again.themes["theme_name"].tolist()[:2] == ["First", "Second"]
        same(Clustering.load(run), again)

    def test_variants(self, tmp_path):
        run = tmp_path / "run"
        made, start = run_with_clusters(run)
        topics = group_clusters(start, 3, out=run)
        same(Clustering.load(run / "variants" / "none"), topics)
        variant = run / "variants" / "four"
        four = cluster_images(made, "kmeans", n_clusters=4, out=variant, progress=False)
        assert Clustering.load(variant).themes.empty
        same(Clustering.load(run), topics)
        same(group_clusters(four, 2, out=variant), Clustering.load(variant))
        edited = run / "variants" / "edited"
        with pytest.warns(UserWarning, match="The themes follow"):
            merged = edit_clusters(start, merge=[1, 2], out=edited)
        same(Clustering.load(edited), merged)
        regrouped = group_clusters(merged, 2, out=edited)
        same(Clustering.load(edited), regrouped)
        same(Clustering.load(run), topics)

    def test_damaged(self, tmp_path):
        run = tmp_path / "run"
        _, start = run_with_clusters(run)
        topics = group_clusters(start, 3, out=run)
        (run / "themes.parquet").unlink()
        assert Clustering.load(run).themes.empty
        same(group_clusters(start, 3, out=run), topics)
        same(Clustering.load(run), topics)
        (run / "themes.parquet").write_bytes((run / "tree.parquet").read_bytes())
        with pytest.raises(ImagestrataError, match="not the file that the step 'group' wrote"):
            Clustering.load(run)

    def test_another_clustering_is_refused(self, tmp_path):
        run = tmp_path / "run"
        made, _ = run_with_clusters(run)
        other = cluster_images(made, "kmeans", n_clusters=4, progress=False)
        with pytest.raises(ImagestrataError, match="another result of the step 'cluster'"):
            group_clusters(other, 2, out=run)

    def test_later_steps_have_the_columns(self, tmp_path):
        run = tmp_path / "run"
        _, start = run_with_clusters(run)
        topics = group_clusters(start, 3, names={1: "First"}, out=run)
        drawn = sample_images(topics, n_per_cluster=2, out=run)
        assert {"theme", "theme_name"} <= {*drawn}
        read = pd.read_csv(run / "sample.csv")
        wanted = topics.images.set_index("image_id")["theme"]
        assert read["theme"].tolist() == wanted[read["image_id"]].tolist()
        joined = topics.augment(pd.DataFrame({"image_id": ["i03", "i07"], "score": [1, 2]}))
        assert joined["theme"].tolist() == wanted[["i03", "i07"]].tolist()
        text = methods_paragraph(run)
        assert "6 clusters were grouped into 3 themes" in text

    def test_a_sample_in_the_run_has_the_latest_names(self, tmp_path):
        run = tmp_path / "run"
        _, start = run_with_clusters(run)
        before = sample_images(start, n_per_cluster=2, out=run)
        topics = group_clusters(start, 3, out=run)
        drawn = sample_images(topics, n_per_cluster=2, out=run)
        assert drawn["image_id"].tolist() == before["image_id"].tolist()
        assert "Theme 1" in {*drawn["theme_name"]}
        renamed = group_clusters(topics, names={1: "First"}, out=run)
        drawn = sample_images(renamed, n_per_cluster=2, out=run)
        assert "First" in {*drawn["theme_name"]} and "Theme 1" not in {*drawn["theme_name"]}
        named = edit_clusters(renamed, names={1: "West"}, out=run)
        named = edit_clusters(named, names={1: "East"}, out=run)
        drawn = sample_images(named, n_per_cluster=2, out=run)
        assert {*drawn.loc[drawn["cluster"] == 1, "cluster_name"]} == {"East"}
        assert drawn["weight_corpus"].tolist() == before["weight_corpus"].tolist()

    def test_new_images_of_edited_and_grouped_clusters(self, tmp_path):
        run = tmp_path / "run"
        made, start = run_with_clusters(run)
        edited = edit_clusters(start, merge=[1, 3], out=run)
        topics = group_clusters(edited, 3, names={1: "First"}, out=run)
        rows = np.vstack([made.matrix, start.centroids[2]]).astype("float32")
        grown = Embeddings.from_arrays(rows, [*made.images["image_id"], "new"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            again = cluster_images(grown, "kmeans", n_clusters=6, out=run)
        joined = again.images.set_index("image_id").loc["new"]
        assert (joined["cluster"], joined["cluster_found"]) == (1, 3)
        assert joined["theme"] == topics.clusters["theme"][0]
        pd.testing.assert_frame_equal(again.tree, topics.tree)
        same(Clustering.load(run), again)
        with pytest.warns(UserWarning, match=r"themes\.parquet"):
            anew = cluster_images(grown, "kmeans", n_clusters=6, recluster=True, out=run)
        assert anew.themes.empty and Clustering.load(run).themes.empty


def test_saved_and_pickled(tmp_path):
    topics = group_clusters(edit_clusters(in_plane(), names={1: "Dogs"}), 2)
    topics.save(tmp_path / "saved")
    same(Clustering.load(tmp_path / "saved"), topics)
    same(pickle.loads(pickle.dumps(topics)), topics)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        merged = edit_clusters(topics, merge=[2, 3])
    merged.save(tmp_path / "saved")
    same(Clustering.load(tmp_path / "saved"), merged)


def test_columns_of_users_stay():
    clustering = in_plane(theme=["mine"] * 11)
    with pytest.warns(UserWarning, match="theme_given"):
        topics = group_clusters(clustering, 2)
    assert {*topics.images["theme_given"]} == {"mine"}
    assert topics.images[THEME].dropna().isin([1, 2]).all()


def test_the_command(tmp_path):
    run = tmp_path / "run"
    embed_images(write_pictures(tmp_path / "pictures", 24), "hog", out=run, progress=False)
    call("cluster", run, "--method", "kmeans", "--n-clusters", 4, "-q")
    said = call("group", run, "--n", 2)
    assert "Theme 1" in said and "clusters" in said
    topics = Clustering.load(run)
    assert len(topics.themes) == 2 and (run / "themes.png").exists()
    call("group", run, "--n", 2)
    same(Clustering.load(run), topics)
    file = tmp_path / "edits.csv"
    file.write_text("action,clusters\nmerge,1 2\n")
    with pytest.warns(UserWarning, match="The themes follow"):
        call("edit", run, file)
    assert not (run / "themes.png").exists()
    call("group", run)
    assert len(Clustering.load(run).tree) == 2
    words = topics.clusters[["cluster"]].assign(rank=1, term=["dog", "cat", "bus", "car"])
    words.to_csv(run / "keywords.csv", index=False)
    assert "dog" in call("group", run, "--n", 1, "--overwrite")


class TestFigure:
    @staticmethod
    def texts(drawn) -> list[str]:
        return [text.get_text() for text in drawn.axes[0].texts]

    @pytest.mark.parametrize("n", [1, 2, 10, 120])
    def test_every_cluster_and_theme_has_its_row(self, n, tmp_path):
        topics = group_clusters(many(n), max(1, n // 5))
        drawn = plot_themes(topics, tmp_path / "tree.png", n_images=0)
        texts = self.texts(drawn)
        assert {*map(str, topics.clusters["cluster_name"])} <= {*texts}
        assert sum(name.replace(" ", "") in {t.replace("\n", "").replace(" ", "") for t in texts}
                   for name in topics.themes["theme_name"]) == len(topics.themes)  # fmt: skip
        width, height = drawn.get_size_inches()
        assert height >= 0.25 * n and width < 7
        # Each row is as high as its text, so that none covers another.
        names = {*topics.clusters["cluster_name"]}
        shown = [text for text in drawn.axes[0].texts if text.get_text() in names]
        plain = [text for text in shown if text.get_weight() == "normal"]
        places = sorted(text.get_position()[1] for text in plain)
        assert len(places) == n and np.diff(places).min(initial=1) > 0.2

    def test_branches_end_at_the_heights_of_the_tree(self):
        topics = group_clusters(in_plane(), 2)
        drawn = plot_themes(topics, n_images=0)
        lines = [line.get_xydata() for line in drawn.axes[0].lines]
        upright = {round(float(xy[0, 0]), 6) for xy in lines if xy[0, 0] == xy[-1, 0]}
        highest = topics.tree["height"].max()
        for height in topics.tree["height"]:
            x = 2.2 - 2.0 * height / highest
            assert any(abs(x - one) < 1e-5 for one in upright)

    def test_pictures(self, tmp_path):
        run = tmp_path / "run"
        folder = write_pictures(tmp_path / "pictures", 24)
        made = embed_images(folder, "hog", out=run, progress=False)
        topics = cluster_images(made, "kmeans", n_clusters=4, progress=False)
        drawn = plot_themes(group_clusters(topics, 2), tmp_path / "tree.pdf", n_images=3)
        pixels = [image.get_array() for image in drawn.axes[0].images]
        assert len(pixels) == 4
        sizes = topics.clusters["size"].clip(upper=3)
        assert sorted(p.shape[1] // 96 for p in pixels) == sorted(sizes)
        assert all(len(np.unique(p)) > 5 for p in pixels)

    def test_labels(self):
        topics = group_clusters(edit_clusters(in_plane(), names={1: "Dogs"}), 2)
        assert {"Dogs", "Cluster 2"} <= {*self.texts(plot_themes(topics, n_images=0))}
        given = plot_themes(topics, n_images=0, labels={2: "Birds"})
        assert {"Dogs", "Birds"} <= {*self.texts(given)}
        drawn = plot_themes(topics, n_images=0, labels={1: "Puppies", 2: "Buses"})
        assert {"Puppies", "Buses"} <= {*self.texts(drawn)}

    def test_refused(self, tmp_path):
        with pytest.raises(ImagestrataError, match="were not grouped"):
            plot_themes(in_plane())
        topics = group_clusters(in_plane(), 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            moved = edit_clusters(topics, move={2: ["a"]})
        with pytest.raises(ImagestrataError, match="edited after they were grouped"):
            plot_themes(moved)
        with pytest.raises(ImagestrataError, match="between 0 and 10"):
            plot_themes(topics, n_images=11)
        with pytest.raises(ImagestrataError, match="does not have"):
            plot_themes(topics, labels={9: "x"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n": 5}, "more than the 4 clusters"),
        ({"n": 0}, "at least 1"),
        ({"n": 2.5}, "whole number"),
        ({"n": 2, "names": {3: "x"}}, "the themes are 1 to 2"),
        ({"n": 2, "names": ["x"]}, "must be a dictionary"),
        ({"n": 2, "names": {1: 7}}, "must give each theme a text"),
        ({"n": 2, "names": {1: " "}}, "must give each theme a text"),
        ({"n": 2, "names": {1: "Theme 2"}}, "Two themes would have the name 'Theme 2'"),
        ({"n": 2, "names": {"a": "x"}}, "whole number"),
        ({"n": 2, "keywords": pd.DataFrame({"a": [1]})}, "cluster_keywords"),
        ({"number": 2}, "no argument 'number'"),
    ],
)
def test_wrong_arguments(arguments, said):
    with pytest.raises(ImagestrataError, match=said):
        group_clusters(in_plane(), **arguments)


def test_what_is_no_clustering_is_refused():
    with pytest.raises(ImagestrataError, match="must be"):
        group_clusters(in_plane().images)


def test_squareform_order():
    """Distances are in the order that SciPy expects."""
    clustering = many(6)
    square = squareform(distances(clustering))
    assert square.shape == (6, 6) and np.allclose(square, square.T)


# ---- montage and map ----


def test_the_montage_has_headings(tmp_path):
    paths = draw_images(tmp_path / "images", CLUSTERS)
    made = hand_made(paths, CLUSTERS)
    centroids = np.array([[0, 0], [9, 0], [0, 1], [9, 2]], dtype="float32")
    topics = group_clusters(replace(made, centroids=centroids), 2, names={2: "Traffic"})

    def rows(drawn) -> list[str]:
        texts = sorted(drawn.axes[0].texts, key=lambda text: text.get_position()[1])
        return [text.get_text() for text in texts if text.get_weight() == "bold"]

    plain, themed = plot_montage(made, n_images=2), plot_montage(topics, n_images=2)
    assert rows(plain) == ["1", "2", "3", "4"]
    assert rows(themed) == ["Theme 1", "1", "3", "Traffic", "2", "4"]
    pixels = [np.asarray(drawn.axes[0].images[0].get_array()) for drawn in (plain, themed)]
    assert pixels[1].shape[0] == pixels[0].shape[0] + 2 * 72
    # The same pictures in another order.
    first = 40 + 160 + 8
    np.testing.assert_array_equal(
        pixels[0][first + 168 : first + 328], pixels[1][first + 72 : first + 232]
    )
    # Clusters that were asked for keep their order.
    assert rows(plot_montage(topics, clusters=[2, 1, -1], n_images=2)) == ["2", "1", "Residual"]
    assert rows(plot_montage(topics, n_clusters=2, n_images=2)) == ["Theme 1", "1", "Traffic", "2"]


def test_the_map_of_themes():
    topics = group_clusters(in_plane(), 2, names={1: "Animals"})
    points = pd.DataFrame({"image_id": IDS, "x": range(11), "y": range(11)})
    drawn = plot_map(topics, points, by="theme")
    dots = drawn.axes[0].collections[0]
    colours = {tuple(colour) for colour in dots.get_facecolor()}
    assert len(colours) == 3  # of two themes and the residual
    assert {"Animals", "Theme 2"} <= {text.get_text() for text in drawn.axes[0].texts}
    said = drawn.texts[0].get_text()
    assert said == (
        "11 images, 4 clusters in 2 themes. Labels: above the median of a theme's images."
    )
    assert (
        len({tuple(c) for c in plot_map(topics, points).axes[0].collections[0].get_facecolor()})
        == 5
    )
    with pytest.raises(ImagestrataError, match="not grouped into themes"):
        plot_map(in_plane(), points, by="theme")
    with pytest.raises(ImagestrataError, match="has no effect with"):
        plot_map(topics, points, by="theme", labels={1: "x"})
    with pytest.raises(ImagestrataError, match="must be one of"):
        plot_map(topics, points, by="size")


def test_ratings_by_theme(tmp_path):
    topics = group_clusters(many(8), 3, names={1: "First"})
    drawn = sample_images(topics, 3, seed=1, out=tmp_path / "run")
    rows = [
        {"respondent_id": f"r{k}", "group": "ab"[k % 2], "image_id": one, "anger": (k + i) % 7}
        for k in range(4)
        for i, one in enumerate(drawn["image_id"])
    ]
    ratings = read_ratings(pd.DataFrame(rows), drawn, items=["anger"])
    found = rating_means(ratings, by="theme_name").set_index("theme_name")
    of_image = drawn.set_index("image_id")["theme_name"]
    wanted = pd.DataFrame(rows).assign(theme=lambda t: t["image_id"].map(of_image))
    inside = wanted[wanted["theme"] == "First"]
    cluster = inside["image_id"].map(drawn.set_index("image_id")["cluster"])
    mean = inside.groupby(cluster)["anger"].mean().mean()
    items = found[found["level"] == "item"]
    assert items.loc["First", "estimate"] == pytest.approx(mean)
    assert len(items) == 3
    assert {*rating_means(ratings, by=["group", "theme"])["theme"].dropna()} == {1, 2, 3}
    counted = cluster_metadata(topics, column="theme_name")
    assert (counted["share"] == 1).all()
    assert {"theme", "theme_name"} <= {*find_images(topics, n=2)}


# ---- the gallery ----

CLUSTERS = [1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, -1]


@pytest.fixture
def gallery(tmp_path):
    """A page of clusters 1 and 3, of one theme, 2 and 4, of another one, and the residual."""
    paths = draw_images(tmp_path / "images", CLUSTERS)
    made = hand_made(paths, CLUSTERS)
    centroids = np.array([[0, 0], [9, 0], [0, 1], [9, 2]], dtype="float32")
    topics = group_clusters(replace(made, centroids=centroids), 2, names={2: "Traffic"})
    points = pd.DataFrame({"image_id": topics.images["image_id"], "x": range(12), "y": 0.0})
    return image_gallery(topics, tmp_path / "run", points=points, progress=False), topics


def test_data_of_the_page(gallery):
    data = data_of(gallery[0])
    assert data["themes"] == {"names": {"1": "Theme 1", "2": "Traffic"}, "of": [1, 2, 1, 2, None]}
    assert not {"theme", "theme_name"} & {*data["extra"]}


@pytest.mark.browser
def test_sections_of_the_page(gallery, visit):
    from playwright.sync_api import expect

    page = visit
    page.goto(gallery[0].as_uri())
    headings = page.locator(".theme")
    assert headings.all_inner_texts() == [
        "Theme 1 2 clusters, 6 images", "Traffic 2 clusters, 5 images", "In no cluster 1 image",
    ]  # fmt: skip
    order = "els => els.map(e => e.dataset.cluster ?? '#')"
    parts = page.locator(".theme, .card")
    assert parts.evaluate_all(order) == ["#", "1", "3", "#", "2", "4", "#", "-1"]
    page.locator(".themes").get_by_role("button", name="Traffic").click()
    assert page.evaluate("document.activeElement.textContent").startswith("Traffic")
    # Most images of the merged cluster were in theme 2.
    for cluster in (2, 3):
        page.locator(f'.card[data-cluster="{cluster}"] .tools input').check()
    page.locator("#merge-chosen").click()
    expect(parts).to_have_count(7)
    assert parts.evaluate_all(order) == ["#", "1", "#", "2", "4", "#", "-1"]
    page.locator("#undo-edit").click()
    expect(parts).to_have_count(8)
    for cluster in (3, 4, 2):
        page.locator(f'.card[data-cluster="{cluster}"] .tools input').check()
    page.locator("#merge-chosen").click()
    expect(parts).to_have_count(6)
    assert parts.evaluate_all(order) == ["#", "1", "#", "2", "#", "-1"]
    page.locator("#undo-edit").click()
    # A cluster of theme 1 keeps its number, and comes into theme 2.
    for cluster in (1, 2, 4):
        page.locator(f'.card[data-cluster="{cluster}"] .tools input').check()
    page.locator("#merge-chosen").click()
    expect(parts).to_have_count(6)
    assert parts.evaluate_all(order) == ["#", "3", "#", "1", "#", "-1"]


@pytest.mark.browser
@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "</script><b>x", "'=1+1\u202e"])
def test_names_of_themes_are_only_text(gallery, tmp_path, visit, name):
    page = image_gallery(
        group_clusters(gallery[1], names={1: name}), tmp_path / "other", progress=False
    )
    visit.goto(page.as_uri())
    shown = visit.locator(".theme").first.evaluate("e => e.firstChild.data")
    assert shown == name
    assert visit.locator(".theme img, .theme b, .themes img, .themes b").count() == 0


@pytest.mark.browser
def test_a_theme_on_the_map_of_the_page(gallery, visit):
    visit.goto(gallery[0].as_uri() + "#map")
    visit.locator("#highlight").select_option("theme-2")
    shown = visit.locator("#highlight option:checked").inner_text()
    assert shown == "Theme: Traffic (2 clusters)"
    visit.goto(gallery[0].as_uri() + "#cluster-3")
    facts = visit.locator("[data-view]:not([hidden]) .head .facts").inner_text()
    assert "Theme 1" in facts


def test_the_gallery_is_written_again_after_grouping(tmp_path):
    run = tmp_path / "run"
    folder = write_pictures(tmp_path / "pictures", 24)
    made = embed_images(folder, "hog", out=run, progress=False)
    topics = cluster_images(made, "kmeans", n_clusters=4, out=run, progress=False)
    page = image_gallery(topics, run, progress=False)
    assert "themes" not in data_of(page)
    grouped = group_clusters(topics, 2, out=run)
    assert len(data_of(image_gallery(grouped, run, progress=False))["themes"]["names"]) == 2


def test_the_lines_of_a_tree_by_hand():
    # Clusters 1 and 2 of theme 1 meet at a height of 2, these and cluster 3 of theme 2 at 4.
    tree = pd.DataFrame({"merge": [1, 2], "left": [-1, 1], "right": [-2, -3], "height": [2.0, 4.0]})
    rows = TreeRows([1, 2, 3], [1, 1, 2], [1.0, 2.0, 3.0], 1.0)
    assert tree_lines(tree, rows) == [
        TreeLine((0.0, 2.0), (1.0, 1.0), 1),
        TreeLine((0.0, 2.0), (2.0, 2.0), 1),
        TreeLine((2.0, 2.0), (1.0, 2.0), 1),
        TreeLine((2.0, 4.0), (1.5, 1.5), 1),
        TreeLine((0.0, 4.0), (3.0, 3.0), 2),
        TreeLine((4.0, 4.0), (1.5, 3.0), 0),
    ]
    assert height_of_cut(tree, 2) == 3
    assert height_of_cut(tree, 3) == 1
    assert height_of_cut(tree, 1) is None
    # The eighth theme has no colour of its own.
    assert rows.colour(7) == GROUPS[6] and rows.colour(8) == SMALLER
