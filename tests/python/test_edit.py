"""edit_clusters(): clusters are named, merged, split, pruned, with a ledger that replays."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_samples

from commands import call
from images import write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    edit_clusters,
    embed_images,
    methods_paragraph,
    sample_images,
    score_clustering,
)
from imagestrata.clustering.curated import to_edit
from imagestrata.provenance import read_run

NAMES = list("abcdefghij")


def vectors() -> Embeddings:
    """Ten images: four groups in the corners of a square, and two images between them."""
    corners = [(0, 0), (0, 1), (0, 0.5), (9, 0), (9, 1), (0, 9), (1, 9), (9, 9), (5, 5), (4, 4)]
    return Embeddings.from_arrays(np.array(corners, dtype="float32"), NAMES)


def found(labels: str = "1112233---") -> Clustering:
    marks = [-1 if mark == "-" else int(mark) for mark in labels]
    clustering = Clustering.from_labels(vectors(), marks)
    # As of a method that finds clusters without names.
    return Clustering(
        clustering.images.drop(columns="cluster_name"),
        clustering.clusters.drop(columns="cluster_name"),
        clustering.trace,
        clustering.centroids,
        clustering.settings,
        source=clustering.source,
    )


def in_letters(clustering: Clustering) -> dict[int, str]:
    groups = clustering.images.groupby("cluster")["image_id"]
    return {int(number): "".join(sorted(ids)) for number, ids in groups}


def same(one: Clustering, other: Clustering) -> None:
    for name in ("images", "clusters", "edits"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.centroids, other.centroids)


class TestByHand:
    def test_names(self):
        topics = edit_clusters(found(), names={2: "East", 1: " Near  home "})
        assert topics.clusters["cluster_name"].tolist()[:2] == ["Near home", "East"]
        assert pd.isna(topics.clusters["cluster_name"].iloc[2])
        named = dict(zip(topics.images["image_id"], topics.images["cluster_name"], strict=True))
        assert named["a"] == "Near home" and named["d"] == "East"
        assert pd.isna(named["f"]) and pd.isna(named["h"])
        before = found()
        numbers = ["cluster", "size", "share", "silhouette", "iteration", "n_added"]
        pd.testing.assert_frame_equal(topics.clusters[numbers], before.clusters[numbers])
        again = edit_clusters(topics, names={2: ""})
        assert pd.isna(again.clusters["cluster_name"].iloc[1])

    def test_merge_keeps_the_smallest_number(self):
        topics = edit_clusters(found(), merge=[3, 2])
        assert in_letters(topics) == {1: "abc", 2: "defg", -1: "hij"}
        assert topics.clusters["size"].tolist() == [3, 4]
        assert topics.clusters["share"].tolist() == [0.3, 0.4]
        np.testing.assert_allclose(topics.centroids, [[0, 0.5], [4.75, 4.75]])
        assert topics.summary["n_clusters"].item() == 2
        distances = topics.images.set_index("image_id")["distance"]
        assert distances["d"] == pytest.approx(np.hypot(9 - 4.75, 4.75))
        assert distances["a"] == pytest.approx(0.5) and np.isnan(distances["h"])

    def test_silhouettes_are_those_of_the_edited_clusters(self):
        topics = edit_clusters(found("1112233456"), merge=[[4, 5], [2, 6]], drop=["j"])
        images = topics.images
        inside = images["cluster"] > 0
        X = vectors().matrix[inside.to_numpy()]
        wanted = silhouette_samples(X, images.loc[inside, "cluster"])
        np.testing.assert_allclose(images.loc[inside, "silhouette"], wanted, atol=1e-5)
        assert images.loc[~inside, "silhouette"].isna().all()
        means = images[inside].groupby("cluster")["silhouette"].mean()
        np.testing.assert_allclose(topics.clusters["silhouette"], means)

    def test_several_groups_and_their_names(self):
        topics = edit_clusters(found("1122334455"), merge={"Left": [1, 2], "Right": [5, 4]})
        assert in_letters(topics) == {1: "abcd", 3: "ef", 4: "ghij"}
        assert topics.clusters["cluster_name"].tolist()[0::2] == ["Left", "Right"]

    def test_a_merged_cluster_has_the_name_of_the_smallest_that_has_one(self):
        topics = edit_clusters(found(), names={3: "North", 2: "East"}, merge=[1, 2, 3])
        assert topics.clusters["cluster_name"].tolist() == ["East"]

    def test_split_by_k_means(self):
        start = edit_clusters(found(), merge=[1, 2])
        topics = edit_clusters(start, split={1: 2})
        # The largest part first, after the highest number; 1 is not used again.
        assert in_letters(topics) == {3: "fg", 4: "abc", 5: "de", -1: "hij"}
        np.testing.assert_allclose(topics.centroids[1], [0, 0.5])

    def test_split_by_images(self):
        one = edit_clusters(found(), split={1: ["b"]})
        assert in_letters(one) == {2: "de", 3: "fg", 4: "ac", 5: "b", -1: "hij"}
        most = edit_clusters(found(), split={1: ["b", "c"]})
        assert in_letters(most) == {2: "de", 3: "fg", 4: "bc", 5: "a", -1: "hij"}
        three = edit_clusters(found("1111222---"), split={1: [["a"], ["b"]]})
        assert in_letters(three) == {2: "efg", 3: "cd", 4: "a", 5: "b", -1: "hij"}

    def test_move_and_drop(self):
        topics = edit_clusters(found(), move={2: ["h"], "new": ["i", "j"]}, drop=["a", 3])
        assert in_letters(topics) == {1: "bc", 2: "deh", 4: "ij", -1: "afg"}
        images = topics.images.set_index("image_id")
        assert images.loc["a", "iteration"] == 0 and images.loc["h", "iteration"] == 1
        assert images["cluster_found"].tolist() == [1, 1, 1, 2, 2, 3, 3, -1, -1, -1]
        np.testing.assert_allclose(topics.centroids[0], [0, 0.75])

    def test_a_cluster_without_images_is_gone(self):
        topics = edit_clusters(found(), names={3: "North"}, move={1: ["f", "g"]})
        assert topics.clusters["cluster"].tolist() == [1, 2]
        with pytest.raises(ImagestrataError, match="Cluster 3 is gone: no image is left in it"):
            edit_clusters(topics, names={3: "South"})

    def test_all_clusters_may_be_dropped(self):
        topics = edit_clusters(found(), drop=[1, 2, 3])
        assert len(topics.clusters) == 0 and topics.centroids.shape == (0, 2)
        assert topics.images["cluster"].tolist() == [-1] * 10
        with pytest.raises(ImagestrataError, match="dropped"):
            edit_clusters(topics, names={1: "x"})

    def test_the_given_clustering_does_not_change(self):
        topics = found()
        edit_clusters(topics, merge=[1, 2], drop=[3])
        same(topics, found())

    def test_numbers_are_not_used_again(self):
        topics = edit_clusters(found(), drop=[3])
        topics = edit_clusters(topics, move={"new": ["f"]})
        assert topics.clusters["cluster"].tolist() == [1, 2, 4]


class TestLedger:
    def test_rows(self):
        topics = edit_clusters(
            found(), names={1: "West"}, merge=[2, 3], split={1: ["b"]}, drop=["h", "d"],
            note="second look", editor="Ada",
        )  # fmt: skip
        rows = topics.edits.astype(object).where(topics.edits.notna(), None)
        assert rows[["edit", "action", "clusters", "image_id", "into", "name"]].values.tolist() == [
            [1, "name", "1", None, 1, "West"],
            [2, "merge", "2 3", None, 2, None],
            [3, "split", "1", None, 4, None],
            [3, "split", "1", "b", 5, None],
            [4, "drop", None, "d", -1, None],
            [4, "drop", None, "h", -1, None],
        ]
        assert {*rows["note"]} == {"second look"} and {*rows["editor"]} == {"Ada"}
        assert rows["applied"].all() and rows["reason"].isna().all()

    def test_replay_from_table_file_and_clustering(self, tmp_path):
        start = found()
        topics = edit_clusters(start, merge=[1, 2], split={3: ["g"]}, editor="=Ada")
        topics = edit_clusters(topics, names={5: "=North"}, move={4: ["j"]}, drop=["a"])
        topics.save(tmp_path / "saved")
        topics.edits.to_csv(tmp_path / "own.csv", index=False)
        same(edit_clusters(start, edits=topics.edits), topics)
        same(edit_clusters(start, edits=topics), topics)
        same(edit_clusters(start, edits=tmp_path / "saved" / "edits.csv"), topics)
        same(edit_clusters(start, edits=str(tmp_path / "own.csv")), topics)
        same(Clustering.load(tmp_path / "saved"), topics)

    def test_undo(self):
        start = found()
        first = edit_clusters(start, names={1: "West"}, merge=[2, 3])
        second = edit_clusters(first, split={1: 2}, drop=["d"])
        undone = edit_clusters(start, edits=second.edits[second.edits["edit"] <= 2])
        same(undone, first)
        # The same ledger goes on where a clustering has its first edits.
        same(edit_clusters(first, edits=second.edits), second)
        same(edit_clusters(second, edits=second.edits), second)
        with pytest.raises(ImagestrataError, match="clustering before all edits"):
            edit_clusters(second, edits=first.edits)

    def test_by_hand(self, tmp_path):
        file = tmp_path / "edits.csv"
        file.write_text(
            "edit;action;clusters;image_id;name;note\n"
            "1;Merge;3, 2;;East;\n2;move;2;h;;\n2;move;2;j;;\n;drop;;a;;blurred\n;name;1;;West;\n"
        )
        topics = edit_clusters(found(), edits=file)
        assert in_letters(topics) == {1: "bc", 2: "defghj", -1: "ai"}
        assert topics.clusters["cluster_name"].tolist() == ["West", "East"]
        assert topics.edits["edit"].tolist() == [1, 2, 2, 3, 4]

    def test_edits_that_do_not_apply_are_reported(self):
        table = pd.DataFrame(
            {
                "action": ["merge", "name", "merge", "drop", "drop", "move"],
                "clusters": ["1 2", "2", "7 8", "", "3 9", "9"],
                "image_id": ["", "", "", "z", "", "a"],
                "name": ["", "East", "", "", "", ""],
            }
        )
        with pytest.warns(UserWarning, match="5 edits of 6 do not apply, or only in part"):
            topics = edit_clusters(found(), edits=table)
        lines = topics.edits
        assert lines["applied"].tolist() == [True, False, False, False, True, False]
        assert lines["reason"].iloc[1] == "Cluster 2 is gone: it was merged into cluster 1."
        assert lines["reason"].iloc[4] == "There is no cluster 9."
        assert in_letters(topics) == {1: "abcde", -1: "fghij"}
        with pytest.warns(UserWarning, match="do not apply"):
            same(edit_clusters(found(), edits=lines), topics)

    def test_the_same_file_again_changes_nothing(self):
        first = edit_clusters(found(), names={1: "West"})
        more = pd.DataFrame({"action": ["merge", "move"], "clusters": ["2 3", "1"]})
        more["image_id"] = ["", "h"]
        second = edit_clusters(first, edits=more)
        same(edit_clusters(second, edits=more), second)


class TestOtherClusters:
    def test_by_overlap(self):
        start = found("1112233---")
        topics = edit_clusters(start, names={1: "West", 3: "North"}, merge=[2, 3], drop=["a"])
        # The same clusters with other numbers; cluster 3 is scattered.
        other = found("22233-----")
        with pytest.warns(UserWarning, match="edit 2 .*No cluster corresponds to cluster 3"):
            again = edit_clusters(other, edits=topics)
        clusters = in_letters(other)
        west = next(number for number, ids in clusters.items() if "bc" in ids)
        names = again.clusters.set_index("cluster")["cluster_name"].dropna()
        assert names.to_dict() == {west: "West"}
        assert in_letters(again)[west] == clusters[west].replace("a", "")
        assert again.edits["applied"].tolist() == [True, False, False, True]

    def test_numbers_of_parts_are_those_of_the_new_clustering(self):
        topics = edit_clusters(found(), split={1: ["a"]}, editor="Ada")
        topics = edit_clusters(topics, names={5: "Alone", 4: "Others"})
        other = found("3334455122")
        again = edit_clusters(other, edits=topics)
        named = again.clusters.dropna(subset=["cluster_name"]).set_index("cluster_name")["cluster"]
        letters = in_letters(again)
        assert letters[named["Alone"]] == "a" and letters[named["Others"]] == "bc"

    def test_merged_already(self):
        topics = edit_clusters(found(), merge=[2, 3])
        other = found("1112222---")
        with pytest.warns(UserWarning, match="one cluster already"):
            again = edit_clusters(other, edits=topics)
        assert in_letters(again) == in_letters(other)


class TestVectors:
    def test_names_need_none(self):
        topics = pickle.loads(pickle.dumps(found()))
        assert topics.source is None
        assert edit_clusters(topics, names={1: "West"}).clusters["cluster_name"][0] == "West"
        with pytest.raises(ImagestrataError, match="does not know the vectors"):
            edit_clusters(topics, merge=[1, 2])

    def test_given_ones_are_matched_by_id(self):
        topics = pickle.loads(pickle.dumps(found()))
        order = np.arange(10)[::-1]
        turned = Embeddings.from_arrays(vectors().matrix[order], [NAMES[i] for i in order])
        one = edit_clusters(topics, turned, merge=[1, 2], split={3: ["f"]})
        same(one, edit_clusters(found(), merge=[1, 2], split={3: ["f"]}))
        with pytest.raises(ImagestrataError, match="lacks 1 image"):
            edit_clusters(topics, Embeddings.from_arrays(vectors().matrix[1:], NAMES[1:]), drop=[1])
        with pytest.raises(ImagestrataError, match="vectors of 2 numbers"):
            edit_clusters(topics, Embeddings.from_arrays(np.eye(10), NAMES), drop=[1])


_IMAGE = st.sampled_from(NAMES)
_NUMBER = st.integers(1, 9)
_EDIT = st.one_of(
    st.fixed_dictionaries({"names": st.dictionaries(_NUMBER, st.sampled_from("XYZ"), min_size=1)}),
    st.fixed_dictionaries({"merge": st.lists(_NUMBER, min_size=2, max_size=3, unique=True)}),
    st.fixed_dictionaries(
        {"split": st.dictionaries(_NUMBER, st.just(2) | st.lists(_IMAGE, min_size=1), min_size=1)}
    ),
    st.fixed_dictionaries(
        {
            "move": st.dictionaries(
                _NUMBER | st.just("new") | st.just(-1), st.lists(_IMAGE, min_size=1), min_size=1
            )
        }
    ),
    st.fixed_dictionaries({"drop": st.lists(_IMAGE | _NUMBER, min_size=1, max_size=3)}),
)


@settings(max_examples=30)
@given(st.lists(_EDIT, min_size=1, max_size=8), st.data())
def test_any_sequence(edits, data):
    start = found()
    topics, steps = start, [start]
    for edit in edits:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                topics = edit_clusters(topics, **edit)
            except ImagestrataError:
                continue
        steps.append(topics)
        images, clusters = topics.images, topics.clusters
        # Every image is in exactly one cluster or the residual, and sizes add up.
        assert images["image_id"].tolist() == NAMES
        inside = images["cluster"][images["cluster"] > 0]
        assert (images["cluster"] == -1).sum() + clusters["size"].sum() == 10
        assert clusters["cluster"].tolist() == sorted({*inside})
        assert clusters["size"].tolist() == inside.value_counts().sort_index().tolist()
        np.testing.assert_allclose(clusters["share"], clusters["size"] / 10)
        for number, center in zip(clusters["cluster"], topics.centroids, strict=True):
            rows = (images["cluster"] == number).to_numpy()
            np.testing.assert_allclose(center, vectors().matrix[rows].mean(axis=0), atol=1e-5)
        assert max([0, *clusters["cluster"]]) <= topics.settings["highest_number"]
    if len(steps) == 1:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(edit_clusters(start, edits=topics.edits), topics)
        back = steps[data.draw(st.integers(1, len(steps) - 1))]
        last = back.edits["edit"].max()
        same(edit_clusters(start, edits=topics.edits[topics.edits["edit"] <= last]), back)
        same(edit_clusters(back, edits=topics.edits), topics)


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({}, "No edit is given"),
            ({"names": {9: "x"}}, "There is no cluster 9"),
            ({"names": {-1: "x"}}, "not the residual"),
            ({"names": ["x"]}, "must be a dictionary"),
            ({"names": {1: 5}}, "must give each cluster a text"),
            ({"names": {1.5: "x"}}, "names"),
            ({"merge": [1]}, "at least two clusters"),
            ({"merge": [1, 9]}, "There is no cluster 9"),
            ({"merge": [1, -1]}, "not the residual"),
            ({"split": {1: 4}}, "too few for 4 parts"),
            ({"split": {1: 1}}, "split"),
            ({"split": {1: ["a", "b", "c"]}}, "in one part"),
            ({"split": {1: ["d"]}}, "1 image is not in cluster 1"),
            ({"split": {9: 2}}, "There is no cluster 9"),
            ({"move": {1: ["z"]}}, "1 image that the clustering does not have"),
            ({"move": {1: []}}, "names no image"),
            ({"move": {9: ["a"]}}, "There is no cluster 9"),
            ({"move": {1: [5]}}, "must name images by texts"),
            ({"drop": [9]}, "There is no cluster 9"),
            ({"drop": ["z"]}, "does not have"),
            ({"drop": []}, "No edit is given"),
            ({"edits": 5}, "must be a CSV file or a table"),
            ({"edits": pd.DataFrame({"action": ["name"]})}, "lacks the column"),
            ({"edits": pd.DataFrame({"action": ["cut"], "clusters": ["1"]})}, "actions are name"),
            ({"edits": pd.DataFrame({"action": ["merge"], "clusters": ["x y"]})}, "expected"),
            ({"edits": pd.DataFrame({"action": ["merge"], "clusters": ["1"]})}, "at least two"),
            ({"names": {1: "x"}, "editor": 5}, "must be a text"),
        ],
    )
    def test_messages(self, arguments, message):
        with pytest.raises(ImagestrataError, match=message):
            edit_clusters(found(), **arguments)

    def test_same_names(self):
        with pytest.warns(UserWarning, match="Clusters 1 and 3 have the same name"):
            edit_clusters(found(), names={1: "x", 3: "x"})

    def test_not_a_clustering(self):
        with pytest.raises(ImagestrataError, match="cluster_images"):
            edit_clusters(found().images, names={1: "x"})


class TestRunFolder:
    @staticmethod
    def run(folder) -> tuple[Embeddings, Clustering]:
        rng = np.random.default_rng(0)
        matrix = np.repeat(np.eye(5) * 9, 6, axis=0) + rng.normal(size=(30, 5))
        made = Embeddings.from_arrays(matrix.astype("float32"), [f"i{i:02d}" for i in range(30)])
        return made, cluster_images(made, "kmeans", n_clusters=5, out=folder)

    def test_edits_are_stored_and_go_on(self, tmp_path):
        run = tmp_path / "run"
        made, start = self.run(run)
        first = edit_clusters(start, names={1: "West"}, merge=[1, 2], out=run)
        same(Clustering.load(run), first)
        loaded = Clustering.load(run)
        with pytest.raises(ImagestrataError, match="does not know the vectors"):
            edit_clusters(loaded, drop=["i00"], out=run)
        second = edit_clusters(loaded, made, split={3: 2}, drop=["i00"], out=run)
        same(Clustering.load(run), second)
        # The clusters that were found are still there, and are returned with their edits.
        same(cluster_images(made, "kmeans", n_clusters=5, out=run), second)
        assert (run / "edits.csv").exists()
        same(edit_clusters(start, edits=run / "edits.csv"), second)
        entry = read_run(run)["steps"]["edit"]
        assert entry["counts"]["n_edits"] == 4 and entry["finished"]

    def test_fewer_edits_need_overwrite(self, tmp_path):
        run = tmp_path / "run"
        _, start = self.run(run)
        first = edit_clusters(start, names={1: "West"}, out=run)
        edit_clusters(first, drop=[2], out=run)
        with pytest.raises(ImagestrataError, match="contains other edits"):
            edit_clusters(start, edits=first.edits, out=run)
        with pytest.warns(UserWarning, match=r"edits\.csv"):
            edit_clusters(start, edits=first.edits, out=run, overwrite=True)
        same(Clustering.load(run), first)

    def test_later_steps_use_the_edited_clusters(self, tmp_path):
        run = tmp_path / "run"
        made, start = self.run(run)
        sample = sample_images(start, n_per_cluster=2, out=run)
        topics = edit_clusters(start, split={1: 2}, embeddings=made, out=run)
        assert (run / "sample.csv").exists()
        # The sample of the clusters before stays, and one of the edited clusters is another one.
        with pytest.raises(ImagestrataError, match="overwrite"):
            sample_images(topics, n_per_cluster=2, out=run)
        pd.testing.assert_frame_equal(sample_images(start, n_per_cluster=2, out=run), sample)
        with pytest.raises(ImagestrataError, match="edited result"):
            sample_images(start, n_per_cluster=3, out=run, overwrite=True)
        with pytest.warns(UserWarning, match=r"sample\.csv"):
            drawn = sample_images(topics, n_per_cluster=2, out=run, overwrite=True)
        assert {*drawn["cluster"]} == {*topics.clusters["cluster"]}

    def test_a_sample_follows_merged_clusters(self, tmp_path):
        run = tmp_path / "run"
        _, start = self.run(run)
        sample = sample_images(start, n_per_cluster=2, out=run)
        topics = edit_clusters(start, merge=[1, 2], names={1: "Both"}, out=run)
        drawn = sample_images(topics, n_per_cluster=2, out=run)
        held = ["stratum", "N_h", "n_h", "inclusion_probability", "weight_corpus", "weight_share"]
        one, other = (each.set_index("image_id").sort_index()[held] for each in (drawn, sample))
        pd.testing.assert_frame_equal(one, other)
        assert {*drawn["image_id"]} == {*sample["image_id"]}
        assert drawn["cluster"].value_counts().to_dict() == {1: 4, 3: 2, 4: 2, 5: 2}
        assert drawn["weight_corpus"].tolist() == [3.0] * 10
        both = drawn[drawn["cluster"] == 1]
        assert both["weight_cluster"].tolist() == [3 / 12] * 4
        assert {*both["stratum"]} == {"w1c1", "w1c2"} and {*both["cluster_name"]} == {"Both"}
        pd.testing.assert_frame_equal(sample_images(topics, n_per_cluster=2, out=run), drawn)
        # It can be topped up, in the strata of the draw.
        more = sample_images(topics, n_per_cluster=3, keep=drawn)
        assert len(more) == 15 and more["cluster"].value_counts()[1] == 6
        assert {*more["n_h"]} == {3} and {*drawn["image_id"]} < {*more["image_id"]}

    def test_the_paragraph_for_the_paper(self, tmp_path):
        _, start = self.run(tmp_path / "run")
        edit_clusters(start, names={1: "a", 3: "b"}, merge=[1, 2], out=tmp_path / "run")
        assert (
            "The clusters were edited by hand (2 names, 1 merge), which gave 4 clusters and 0 "
            "images in none; a ledger records every edit."
        ) in methods_paragraph(tmp_path / "run")

    def test_variants(self, tmp_path):
        run = tmp_path / "run"
        _, start = self.run(run)
        one = edit_clusters(start, merge=[1, 2], out=run)
        other = edit_clusters(start, drop=[4], out=run / "variants" / "dropped")
        same(Clustering.load(run), one)
        same(Clustering.load(run / "variants" / "dropped"), other)

    def test_weights_of_merged_strata_are_unbiased(self):
        sizes = [40, 10, 10]
        rng = np.random.default_rng(1)
        matrix = np.repeat(np.eye(3) * 9, sizes, axis=0) + rng.normal(size=(60, 3))
        names = [f"i{i:02d}" for i in range(60)]
        labels = np.repeat([1, 2, 3], sizes)
        start = Clustering.from_labels(
            Embeddings.from_arrays(matrix.astype("float32"), names), labels
        )
        topics = edit_clusters(start, merge=[1, 2])
        value = pd.Series(rng.normal(size=60) + 5 * (labels == 2), names)
        truth = value[(topics.images.set_index("image_id")["cluster"] == 1)[names]].mean()
        means = []
        for seed in range(150):
            before = sample_images(start, n_per_cluster=4, seed=seed)
            drawn = sample_images(topics, n_per_cluster=4, seed=seed, keep=before)
            both = drawn[drawn["cluster"] == 1]
            assert both["weight_cluster"].sum() == pytest.approx(1)
            means.append((both["weight_cluster"] * both["image_id"].map(value)).sum())
        assert abs(np.mean(means) - truth) < 3 * np.std(means) / np.sqrt(len(means))

    def test_a_sample_that_represents_other_clusters_is_refused(self):
        _, start = TestRunFolder.run(None)
        before = sample_images(start, n_per_cluster=2)
        moved = edit_clusters(start, move={1: ["i29"]})
        with pytest.raises(ImagestrataError, match="divided cluster"):
            sample_images(moved, n_per_cluster=2, keep=before)
        fewer = before[before["cluster"] != 2]
        merged = edit_clusters(start, merge=[1, 2])
        with pytest.raises(ImagestrataError, match="none were drawn, to cluster 1"):
            sample_images(merged, n_per_cluster=2, keep=fewer)

    def test_new_images_follow(self, tmp_path):
        run = tmp_path / "run"
        made, start = self.run(run)
        topics = edit_clusters(start, merge=[1, 2], names={1: "Both"}, out=run)
        more = np.vstack([made.matrix, start.centroids[1]]).astype("float32")
        grown = Embeddings.from_arrays(more, [*made.images["image_id"], "new"])
        again = cluster_images(grown, "kmeans", n_clusters=5, out=run)
        joined = again.images.set_index("image_id").loc["new"]
        assert joined["cluster"] == 1 and joined["cluster_found"] == 2 and joined["added"]
        assert joined["cluster_name"] == "Both"
        pd.testing.assert_frame_equal(again.edits, topics.edits)
        same(Clustering.load(run), again)
        np.testing.assert_array_equal(again.centroids, topics.centroids)

    def test_clustering_anew_keeps_names_and_moves_the_ledger(self, tmp_path):
        run = tmp_path / "run"
        made, start = self.run(run)
        edit_clusters(start, merge=[1, 2], names={1: "Both"}, out=run)
        grown = Embeddings.from_arrays(
            np.vstack([made.matrix, start.centroids[1]]).astype("float32"),
            [*made.images["image_id"], "new"],
        )
        with pytest.warns(UserWarning, match=r"edits\.csv"):
            again = cluster_images(grown, "kmeans", n_clusters=5, out=run, recluster=True)
        assert "Both" in {*again.clusters["cluster_name"]}
        assert again.edits.empty and Clustering.load(run).edits.empty
        assert len([*run.glob("replaced/*/edits.csv")]) == 1

    def test_another_clustering_is_refused(self, tmp_path):
        run = tmp_path / "run"
        made, _ = self.run(run)
        other = cluster_images(made, "kmeans", n_clusters=4)
        with pytest.raises(ImagestrataError, match="another result of the step 'cluster'"):
            edit_clusters(other, names={1: "x"}, out=run)

    def test_interrupted(self, tmp_path, monkeypatch):
        run = tmp_path / "run"
        made, start = self.run(run)
        made.save(run)
        first = edit_clusters(start, names={1: "West"}, out=run)
        file = tmp_path / "more.csv"
        file.write_text("action,clusters\nmerge,2 3\ndrop,4\n")
        undisturbed = edit_clusters(first, edits=file)

        def killed(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("imagestrata.clustering.edit.remove_drawn", killed)
            with pytest.raises(KeyboardInterrupt):
                edit_clusters(first, edits=file, out=run)
        with pytest.raises(ImagestrataError, match="was interrupted"):
            Clustering.load(run)
        ready = to_edit(run, anew=False)
        again = edit_clusters(ready, made, edits=file, out=run)
        same(again, undisturbed)
        same(Clustering.load(run), undisturbed)


def test_the_command(tmp_path):
    # The command finds vectors in the run folder.
    folder = tmp_path / "whole"
    embed_images(write_pictures(tmp_path / "pictures", 24), "hog", out=folder, progress=False)
    call("cluster", folder, "--method", "kmeans", "--n-clusters", 4, "-q")
    file = tmp_path / "edits.csv"
    file.write_text("edit,action,clusters,name\n1,name,1,West\n2,merge,1 2,\n3,drop,9,\n")
    with pytest.warns(UserWarning, match="There is no cluster 9"):
        said = call("edit", folder, file, "--editor", "Ada")
    assert "3 edits, of which 1 does not apply" in said
    topics = Clustering.load(folder)
    assert topics.clusters["cluster"].tolist() == [1, 3, 4]
    assert topics.clusters["cluster_name"].iloc[0] == "West"
    assert {*topics.edits["editor"]} == {"Ada"}
    call("edit", folder, file)
    same(Clustering.load(folder), topics)
    call("sample", folder, "--n-per-cluster", 2)
    drawn = pd.read_csv(folder / "sample.csv")
    assert {*drawn["cluster"]} == {1, 3, 4} and "West" in {*drawn["cluster_name"]}
    file.write_text("edit,action,clusters,name\n1,name,1,East\n")
    with pytest.warns(UserWarning, match=r"edits\.csv"):
        call("edit", folder, file, "--overwrite")
    assert Clustering.load(folder).clusters["cluster"].tolist() == [1, 2, 3, 4]


def test_judged_pairs_are_scored_against_the_edited_clusters():
    pairs = pd.DataFrame(
        {
            "pair_id": ["1", "2", "3"],
            "image_a": ["a", "d", "a"],
            "image_b": ["b", "f", "d"],
            "judgement": [1, 1, 0],
            "stratum": "all",
            "probability": 1.0,
        }
    )

    def recall(clustering):
        scores = score_clustering(clustering, pairs, n_boot=10).set_index("measure")
        return scores.loc["recall", "estimate"].iloc[0]

    assert recall(found()) == 0.5
    assert recall(edit_clusters(found(), merge=[2, 3])) == 1.0


class TestFurtherEdits:
    """Files of pages contain the edits after those that the page showed, numbered on."""

    def further(self, *rows: tuple[int, str, str, str]) -> pd.DataFrame:
        return pd.DataFrame(rows, columns=["edit", "action", "clusters", "name"])

    @pytest.fixture
    def edited(self) -> Clustering:
        return edit_clusters(edit_clusters(found(), names={1: "A"}), names={1: "B"})

    def test_an_edit_like_an_earlier_one_is_a_further_one(self, edited):
        again = edit_clusters(edited, edits=self.further((3, "name", "1", "A")))
        assert again.clusters["cluster_name"].iloc[0] == "A"
        assert again.edits["name"].tolist() == ["A", "B", "A"]
        same(edit_clusters(again, edits=self.further((3, "name", "1", "A"))), again)

    def test_more_edits_after_some_that_were_applied(self, edited):
        one = self.further((3, "merge", "2 3", ""))
        two = self.further((3, "merge", "2 3", ""), (4, "name", "2", "C"))
        both = edit_clusters(edit_clusters(edited, edits=one), edits=two)
        assert both.edits["action"].tolist() == ["name", "name", "merge", "name"]
        assert both.edits["applied"].all()
        with pytest.raises(ImagestrataError, match="has the 1 edit of `edits` already, and 1 more"):
            edit_clusters(both, edits=one)

    def test_a_list_that_was_changed_after_it_was_applied_is_refused(self, edited):
        changed = self.further((1, "name", "1", "A"), (2, "name", "2", "C"))
        with pytest.raises(ImagestrataError, match="has 1 other edit than `edits` from number 2"):
            edit_clusters(edited, edits=changed)
        changed = self.further((2, "name", "1", "C"))
        with pytest.raises(ImagestrataError, match="has 1 other edit than `edits` from number 2"):
            edit_clusters(edited, edits=changed)
