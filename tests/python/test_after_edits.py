"""What depends on clusters after edits: samples, packets, ratings and tests follow, or refuse."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from images import write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    assign_annotators,
    cluster_confidence,
    cluster_images,
    cluster_stability,
    coding_sheet,
    edit_clusters,
    embed_images,
    export_test,
    rating_gaps,
    rating_means,
    rating_weights,
    read_labels,
    read_ratings,
    read_test,
    sample_images,
    share_bundle,
)
from imagestrata.clustering.ledger import stages
from imagestrata.sampling.sample import follow

#: Images in clusters 1 to 6, the last number that of the residual.
SIZES = [12, 6, 5, 4, 3, 2]


def corpus(sizes: list[int] = SIZES, width: int = 3) -> tuple[Embeddings, Clustering]:
    """Vectors and clusters of given sizes; the last size is that of the residual."""
    rng = np.random.default_rng(0)
    labels = np.repeat([*range(1, len(sizes)), -1], sizes)
    matrix = np.repeat(rng.normal(size=(len(sizes), width)) * 9, sizes, axis=0)
    matrix += rng.normal(size=matrix.shape)
    names = [f"i{i:04d}" for i in range(len(labels))]
    made = Embeddings.from_arrays(matrix.astype("float32"), names)
    found = Clustering.from_labels(made, labels)
    # As of a method that finds clusters without names.
    for table in (found.images, found.clusters):
        del table["cluster_name"]
    return made, found


def answers(sample: pd.DataFrame, value: pd.Series) -> pd.DataFrame:
    """Two respondents of either group rate every image; the second gives one point more."""
    rows = [
        (f"{group}{who}", group, image_id, item, value[image_id] + who + (group == "R"))
        for group in "DR"
        for who in (0, 1)
        for image_id in sample["image_id"]
        for item in ("angry", "bitter")
    ]
    return pd.DataFrame(rows, columns=["respondent_id", "group", "image_id", "item", "rating"])


def quietly(function, *args, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **arguments)


class TestRatings:
    """Clusters 1 (12 images, 3 drawn) and 2 (6 images, 3 drawn) are merged after rating."""

    def setup_method(self):
        self.made, self.start = corpus()
        self.sample = sample_images(self.start, n_per_cluster=3)
        of_cluster = self.sample.set_index("image_id")["cluster"]
        self.value = of_cluster.map({1: 1.0, 2: 4.0, 3: 2.0, 4: 3.0, 5: 5.0, -1: 0.0})
        self.answers = answers(self.sample, self.value)
        self.topics = edit_clusters(self.start, merge=[1, 2], names={1: "Both"})

    def read(self, given, sample=None, **arguments):
        arguments.setdefault("clustering", self.topics)
        sample = self.sample if sample is None else sample
        return quietly(read_ratings, given, sample, items=["angry", "bitter"], **arguments)

    def test_the_mean_of_a_merged_cluster_is_the_stratified_one(self):
        """(12 * 1 + 6 * 4) / 18 = 2, and half a point for the second respondent."""
        ratings = self.read(self.answers)
        means = rating_means(ratings, ["group", "cluster"]).set_index(["item", "group", "cluster"])
        assert means.loc[("angry", "D", 1), "estimate"] == pytest.approx(2.5)
        assert means.loc[("angry", "R", 1), "estimate"] == pytest.approx(3.5)
        assert means.loc[("angry", "D", 3), "estimate"] == pytest.approx(2.5)
        assert means.loc[("angry", "D", 1), "cluster_name"] == "Both"
        assert means.loc[("angry", "D", 1), "n_images"] == 6
        # Every cluster the same: 2, 2, 3, 5 and the residual 0.
        overall = rating_means(ratings, "group").set_index(["item", "group"])["estimate"]
        assert overall[("angry", "D")] == pytest.approx((2 + 2 + 3 + 5 + 0) / 5 + 0.5)
        # Every image the same: the merge changes nothing.
        corpus_mean = (12 * 1 + 6 * 4 + 5 * 2 + 4 * 3 + 3 * 5 + 2 * 0) / 32 + 0.5
        for table in (ratings, self.read(self.answers, clustering=None)):
            mean = rating_means(table, "group", weight="corpus")["estimate"].iloc[0]
            assert mean == pytest.approx(corpus_mean)

    def test_ratings_that_were_read_before_are_joined_anew(self):
        before = self.read(self.answers, clustering=None)
        assert before["cluster"].nunique() == 6
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            again = read_ratings(before, self.sample, clustering=self.topics,
                                 items=["angry", "bitter"])  # fmt: skip
        pd.testing.assert_frame_equal(again, self.read(self.answers))
        # The sample that followed gives the same.
        followed = sample_images(self.topics, n_per_cluster=3, keep=self.sample)
        also = self.read(before, followed, clustering=None)
        pd.testing.assert_frame_equal(also, again)
        pd.testing.assert_frame_equal(self.read(before, followed), again)

    def test_standard_errors_are_those_of_strata_within_the_cluster(self):
        """Images within strata: the spread between the merged strata is no sampling error."""
        ratings = self.read(self.answers)
        image = rating_means(ratings, ["group", "cluster"], variance="image")
        merged = image[(image["cluster"] == 1) & (image["item"] == "angry")]
        assert merged["std_error"].tolist() == pytest.approx([0, 0], abs=1e-12)
        spread = self.answers.assign(
            rating=self.answers["rating"]
            + self.answers["image_id"].map(
                pd.Series(np.arange(len(self.sample)) % 3, self.sample["image_id"])
            )
        )
        found = rating_means(self.read(spread), ["group", "cluster"], variance="image")
        found = found[(found["cluster"] == 1) & (found["item"] == "angry")]
        rows = self.sample.assign(y=self.sample["image_id"].map(self.value))
        rows["y"] += np.arange(len(rows)) % 3
        by = rows[rows["cluster"].isin([1, 2])].groupby("cluster")["y"]
        share = pd.Series({1: 12 / 18, 2: 6 / 18})
        wanted = np.sqrt((share**2 * by.var() / by.size()).sum())
        assert found["std_error"].tolist() == pytest.approx([wanted] * 2)

    def test_gaps_and_weights(self):
        ratings = self.read(self.answers)
        gaps = quietly(rating_gaps, ratings, ["group", "cluster"]).set_index(["item", "cluster"])
        assert gaps.loc[("angry", 1), "estimate"] == pytest.approx(-1)
        assert gaps.loc[("angry", 1), "cluster_name"] == "Both"
        weights = rating_weights(ratings)
        one = weights[(weights["item"] == "angry") & (weights["group"] == "D")]
        assert one.groupby("cluster")["weight"].sum().tolist() == pytest.approx([1] * 5)
        merged = one[one["cluster"] == 1]
        strata = merged["image_id"].map(self.sample.set_index("image_id")["stratum"])
        shares = merged["weight"].groupby(strata.to_numpy()).sum()
        assert shares.to_dict() == pytest.approx({"w1c1": 12 / 18, "w1c2": 6 / 18})

    def test_images_without_a_rating_are_represented_by_their_stratum(self):
        """Only one image of cluster 1 was rated: it still stands for 12 of the 18 images."""
        first = self.sample.loc[self.sample["cluster"] == 1, "image_id"].iloc[1:]
        fewer = self.answers[~self.answers["image_id"].isin(first)]
        means = quietly(rating_means, self.read(fewer), ["group", "cluster"])
        merged = means[(means["cluster"] == 1) & (means["group"] == "D")]
        assert merged["estimate"].tolist() == pytest.approx([2.5] * len(merged))

    def test_dropped_clusters_are_part_of_the_residual(self):
        topics = edit_clusters(self.start, drop=[5])
        ratings = self.read(self.answers, clustering=topics)
        means = rating_means(ratings, ["group", "cluster"]).set_index(["item", "group", "cluster"])
        assert means.loc[("angry", "D", -1), "estimate"] == pytest.approx(3 * 5 / 5 + 0.5)

    def test_names_alone_change_no_weight(self):
        named = edit_clusters(self.start, names={3: "Third"})
        one, other = self.read(self.answers, clustering=named), self.read(self.answers)
        assert {*one["cluster_name"].dropna()} == {"Third"} and one["cluster"].nunique() == 6
        pd.testing.assert_series_equal(one["weight_corpus"], other["weight_corpus"])

    def test_a_sample_from_between_two_edits_follows(self):
        """Drawn after a merge and a split, then merged again."""
        middle = edit_clusters(self.start, self.made, merge=[3, 4], split={1: 2})
        drawn = sample_images(middle, n_per_cluster=3)
        topics = edit_clusters(middle, self.made, merge=[2, 3], names={2: "Late"}, drop=[6])
        followed = follow(drawn, topics)
        now = topics.images.set_index("image_id")["cluster"]
        assert (followed["cluster"].to_numpy() == now[followed["image_id"]].to_numpy()).all()
        total = followed.groupby("cluster")["weight_cluster"].sum()
        assert total.to_numpy() == pytest.approx(np.ones(len(total)))
        held = ["image_id", "stratum", "N_h", "n_h", "weight_corpus"]
        pd.testing.assert_frame_equal(
            followed[held].sort_values("image_id", ignore_index=True),
            drawn[held].sort_values("image_id", ignore_index=True),
        )
        kept = sample_images(topics, n_per_cluster=3, keep=drawn)
        pd.testing.assert_frame_equal(kept[held], followed[held])

    def test_edits_that_divide_a_stratum_are_refused(self):
        moved = self.start.images.loc[self.start.images["cluster"] == 1, "image_id"].iloc[0]
        for edit in ({"split": {1: 2}}, {"move": {2: [moved]}}, {"drop": [moved]}):
            topics = edit_clusters(self.start, self.made, **edit)
            with pytest.raises(ImagestrataError, match=r"(?s)divided cluster 1.*new sample"):
                self.read(self.answers, clustering=topics)

    def test_clusters_without_a_sample_cannot_be_joined(self):
        topics = edit_clusters(self.start, merge=[1, 2])
        partial = sample_images(self.start.images.query("cluster != 2"), n_per_cluster=3)
        rated = self.answers[self.answers["image_id"].isin(partial["image_id"])]
        with pytest.raises(ImagestrataError, match="none were drawn, to cluster 1"):
            self.read(rated, partial, clustering=topics)

    def test_bad_arguments(self):
        with pytest.raises(ImagestrataError, match="needs the `sample`"):
            quietly(read_ratings, self.answers, clustering=self.topics)
        with pytest.raises(ImagestrataError, match="clustering"):
            self.read(self.answers, clustering=self.topics.clusters)
        other = corpus([5, 5, 5])[1]
        with pytest.raises(ImagestrataError, match=r"cluster|image"):
            self.read(self.answers, clustering=other)

    def test_images_that_joined_later_need_a_draw(self):
        _, start = corpus([9, 8, 0])
        topics = edit_clusters(start, merge=[1, 2], names={1: "All"})
        drawn = sample_images(start, n_per_cluster=3)
        more = topics.images.iloc[[0]].assign(image_id="new", wave=2, added=True)
        images = pd.concat([topics.images.assign(wave=1, added=False), more], ignore_index=True)
        grown = Clustering(
            images, topics.clusters, topics.trace, topics.centroids, topics.settings,
            edits=topics.edits,
        )  # fmt: skip
        with pytest.raises(ImagestrataError, match="17 of 18 images in cluster 1"):
            follow(drawn, grown)


def test_the_mean_of_merged_clusters_is_unbiased_and_its_interval_covers():
    """1,500 images in six clusters of unequal size, ten drawn from each, then merged by pairs."""
    rng = np.random.default_rng(7)
    sizes = [500, 400, 250, 200, 90, 60, 0]
    _, start = corpus(sizes, width=2)
    merge = [[1, 6], [2, 5], [3, 4]]
    topics = edit_clusters(start, merge=merge)
    ids = start.images["image_id"]
    level = start.images["cluster"].map(dict(enumerate(rng.normal(5, 1.5, 6), 1)))
    worth = pd.Series((level + rng.normal(0, 1, len(ids))).to_numpy(), ids)
    now = topics.images.set_index("image_id")["cluster"]
    truth = worth.groupby(now[worth.index].to_numpy()).mean().mean()
    strata = {f"w1c{c}": group.to_numpy() for c, group in ids.groupby(start.images["cluster"])}
    drawn = follow(sample_images(start, n_per_cluster=10), topics)
    drawn = drawn.sort_values("stratum", ignore_index=True).assign(item="angry")
    covered, estimates = [], []
    for _ in range(400):
        # Each of 60 respondents rates two images, and each image has two respondents.
        draws = [rng.choice(strata[name], 10, replace=False) for name in sorted(strata)]
        rows = drawn.assign(image_id=np.concatenate(draws), who=np.arange(60))
        rows = pd.concat([rows, rows.assign(who=(rows["who"] + 7) % 60)])
        rows["respondent_id"] = rows["who"].map("r{:02d}".format)
        rows["rating"] = worth[rows["image_id"]].to_numpy() + rng.normal(0, 0.7, 60)[rows["who"]]
        rows["rating"] += rng.normal(0, 0.8, len(rows))
        mean = rating_means(rows, None).iloc[0]
        estimates.append(mean["estimate"])
        covered.append(mean["conf_low"] <= truth <= mean["conf_high"])
    bias = np.mean(estimates) - truth
    assert abs(bias) < 3 * np.std(estimates) / np.sqrt(len(estimates))
    assert 0.93 <= np.mean(covered) <= 0.97, np.mean(covered)


class TestPackets:
    def test_packets_of_an_earlier_sample_stay_when_more_are_made(self):
        _, start = corpus()
        sample = sample_images(start, n_per_cluster=2)
        packets = assign_annotators(sample, ["D"], 4)
        topics = edit_clusters(start, merge=[1, 2], names={1: "Both"})
        more = sample_images(topics, n_per_cluster=3, keep=sample)
        made = assign_annotators(more, ["D"], 4, keep=packets)
        old = made[made["packet_id"].isin(packets["packet_id"])]
        assert old["image_id"].tolist() == packets["image_id"].tolist()
        now = more.set_index("image_id")["cluster"]
        assert (made["cluster"].to_numpy() == now[made["image_id"]].to_numpy()).all()
        assert {*made["image_id"]} == {*more["image_id"]}
        assert {*made.loc[made["cluster"] == 1, "cluster_name"]} == {"Both"}
        # Further packets hold no two images of one edited cluster.
        new = made[~made["packet_id"].isin(packets["packet_id"])]
        assert not new.duplicated(["packet_id", "cluster"]).any()

    def test_packets_of_other_clusters_are_refused(self):
        _, start = corpus()
        sample = sample_images(start, n_per_cluster=2)
        packets = assign_annotators(sample, ["D"], 4)
        packets["cluster"] = packets["cluster"].replace({3: 4})
        with pytest.raises(ImagestrataError, match="another cluster of the sample"):
            assign_annotators(sample, ["D"], 4, keep=packets)


def test_stages_of_a_ledger():
    made, start = corpus()
    one = edit_clusters(start, names={1: "x"}, merge=[2, 3])
    two = edit_clusters(one, made, split={1: 3})
    three = edit_clusters(two, made, move={"new": ["i0000", "i0030"]}, drop=[4, "i0001"])
    found = stages(three.images, three.edits)
    for table in (start, one, two, three):
        wanted = table.images["cluster"].to_numpy()
        assert any((stage.to_numpy() == wanted).all() for stage in found)
    assert (found[0].to_numpy() == three.images["cluster"].to_numpy()).all()
    assert (found[-1].to_numpy() == start.images["cluster"].to_numpy()).all()
    assert len(found) == 6


def test_confidence_after_edits():
    points = np.random.default_rng(0).normal(size=(120, 2))
    points[:60] += 9
    points[0] = (40, -40)
    start = cluster_images(points, "hdbscan", min_cluster_size=20, progress=False)
    noise = start.images.loc[start.images["cluster"] == -1, "image_id"].tolist()
    assert noise
    before = cluster_confidence(start, by_cluster=True).set_index("cluster")
    moved = edit_clusters(start, points, move={1: noise}, names={2: "Second"})
    after = cluster_confidence(moved, by_cluster=True).set_index("cluster")
    assert after["size"].tolist() == [before["size"][1] + len(noise), before["size"][2]]
    # Noise that was moved by hand has no probability in the cluster.
    kept = ["n_clustered", "n_confident", "mean_probability"]
    pd.testing.assert_frame_equal(after[kept], before[kept])
    assert after["cluster_name"].tolist()[1] == "Second"
    merged = edit_clusters(start, points, merge=[1, 2])
    whole = cluster_confidence(merged, by_cluster=True).iloc[0]
    assert whole["n_clustered"] == before["n_clustered"].sum()


class TestRunFolder:
    """A sample in a run follows the edits before packets are made of it."""

    def test_packets_of_a_sample_from_before_the_edits(self, tmp_path):
        run = tmp_path / "run"
        made, _ = corpus()
        start = cluster_images(made, "kmeans", n_clusters=5, out=run, progress=False)
        sample = sample_images(start, n_per_cluster=2, out=run)
        packets = assign_annotators(sample, ["D"], 4, out=run)
        named = edit_clusters(start, names={1: "First"}, out=run)
        # Names change no cluster; packets that were made stay as they are.
        pd.testing.assert_frame_equal(assign_annotators(sample, ["D"], 4, out=run), packets)
        assert sample_images(named, n_per_cluster=2, out=run)["cluster_name"].notna().any()
        topics = edit_clusters(named, made, merge=[1, 2], out=run)
        with pytest.raises(ImagestrataError, match="before it was edited"):
            assign_annotators(sample, ["D"], 3, out=run, overwrite=True)
        followed = sample_images(topics, n_per_cluster=2, out=run)
        again = assign_annotators(followed, ["D"], 4, out=run)
        assert again["image_id"].tolist() == packets["image_id"].tolist()
        assert {*again["cluster"]} == {*topics.clusters["cluster"]}
        assert "First" in {*again["cluster_name"]}

    def test_a_variant_with_edits_of_its_own(self, tmp_path):
        run, variant = tmp_path / "run", tmp_path / "run" / "variants" / "merged"
        made, _ = corpus()
        start = cluster_images(made, "kmeans", n_clusters=5, out=run, progress=False)
        sample = sample_images(start, n_per_cluster=2, out=run)
        topics = edit_clusters(start, made, merge=[1, 2], out=variant)
        with pytest.raises(ImagestrataError, match="before it was edited"):
            assign_annotators(sample, ["D"], 4, out=variant)
        followed = sample_images(topics, n_per_cluster=2, keep=sample, out=variant)
        assert len(assign_annotators(followed, ["D"], 2, out=variant)) == len(sample)
        # The run around it is as it was.
        assert len(assign_annotators(sample, ["D"], 4, out=run)) == len(sample)


def test_tests_and_codes_from_before_the_edits_say_so(tmp_path):
    pictures, run = tmp_path / "pictures", tmp_path / "run"
    write_pictures(pictures, 12)
    made = embed_images(pictures, "hog", out=run, progress=False)
    start = cluster_images(made, "kmeans", n_clusters=2, out=run, progress=False)
    page, sheet = run / "intruders.html", run / "coding.html"
    key = export_test(start, page, kind="intruders", n_sets=1, n_images=3, progress=False)
    codes = coding_sheet(start, sheet, ["protest"], n=2, progress=False)
    first = key[key["place"] == 1].astype(str)
    answers = pd.DataFrame({"set_id": first["set_id"], "annotator": "a"})
    answers["judgement"] = first["image_id"]
    coded = codes.assign(protest="yes", annotator="a")

    def read():
        return read_test(answers, page), read_labels(coded, sheet.with_name("coding-key.csv"))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = read()
        edit_clusters(start, names={1: "First"}, out=run)
        read()
    edit_clusters(Clustering.load(run), made, merge=[1, 2], out=run)
    with pytest.warns(UserWarning, match="in other clusters of") as said:
        after = read()
    assert len(said) == 2
    pd.testing.assert_frame_equal(after[0].clusters, before[0].clusters)
    pd.testing.assert_frame_equal(after[1], before[1])


def test_stability_of_edited_clusters_says_what_it_compares():
    made, _ = corpus()
    start = cluster_images(made, "kmeans", n_clusters=5, progress=False)
    named = edit_clusters(start, names={1: "First"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cluster_stability(named, made, n_refits=1, progress=False)
    merged = edit_clusters(start, made, merge=[1, 2])
    with pytest.warns(UserWarning, match="refits are not"):
        found = cluster_stability(merged, made, n_refits=1, progress=False)
    assert {*found.clusters["cluster"]} == {*merged.clusters["cluster"]}


def test_a_bundle_takes_only_ratings_of_its_clusters(tmp_path):
    run = tmp_path / "run"
    write_pictures(tmp_path / "pictures", 12)
    made = embed_images(tmp_path / "pictures", "hog", out=run, progress=False)
    start = cluster_images(made, "kmeans", n_clusters=3, out=run, progress=False)
    sample = sample_images(start, n_per_cluster=2, out=run)
    given = answers(sample, pd.Series(5.0, sample["image_id"]))
    rated = quietly(read_ratings, given, sample, items=["angry", "bitter"])
    topics = edit_clusters(start, made, merge=[1, 2], out=run)
    sample_images(topics, n_per_cluster=2, out=run)
    with pytest.raises(ImagestrataError, match="in another cluster of the run than in"):
        quietly(share_bundle, run, tmp_path / "one", ratings=rated)
    followed = quietly(read_ratings, rated, sample, clustering=topics, items=["angry", "bitter"])
    bundle = quietly(share_bundle, run, tmp_path / "two", ratings=followed)
    shared = pd.read_csv(bundle / "ratings.csv")
    assert {*shared["cluster"]} == {*topics.clusters["cluster"]}
