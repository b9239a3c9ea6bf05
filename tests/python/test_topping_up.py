"""sample_images(keep=): images stay drawn, and probabilities are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from images import write_pictures
from imagestrata import (
    Embeddings,
    ImagestrataError,
    assign_annotators,
    cluster_images,
    methods_paragraph,
    rating_means,
    rating_weights,
    read_ratings,
    sample_images,
)
from imagestrata.provenance import read_run


def images_of(*waves: dict[int, int]) -> pd.DataFrame:
    """Images by cluster, for each wave; ids say cluster and wave."""
    rows = [
        (f"c{cluster}w{number}-{i:03d}", cluster, number)
        for number, sizes in enumerate(waves, 1)
        for cluster, size in sizes.items()
        for i in range(size)
    ]
    return pd.DataFrame(rows, columns=["image_id", "cluster", "wave"]).assign(n_copies=1)


def sizes_of(sample: pd.DataFrame) -> dict[tuple[int, int], tuple[int, int]]:
    strata = sample.groupby(["cluster", "wave"])
    assert (strata.size() == strata["n_h"].first()).all()
    return strata[["N_h", "n_h"]].first().apply(tuple, axis=1).to_dict()


FIRST = {1: 10, 2: 4, -1: 3}
THEN = {1: 5, 2: 1, 3: 6, -1: 20}


@pytest.fixture
def grown():
    before = sample_images(images_of(FIRST), 4)
    return before, sample_images(images_of(FIRST, THEN), 4, keep=before)


class TestByHand:
    def test_added_images_are_strata_of_their_own(self, grown):
        before, sample = grown
        assert sizes_of(before) == {(1, 1): (10, 4), (2, 1): (4, 3), (-1, 1): (3, 2)}
        # Cluster 1: 40% of 5. Cluster 2: its one image. Cluster 3 is new: 4 of 6. The residual:
        # two thirds of 20 would be 14, but no more than the 4 of the largest first stratum.
        added = {(1, 2): (5, 2), (2, 2): (1, 1), (3, 2): (6, 4), (-1, 2): (20, 4)}
        assert sizes_of(sample) == sizes_of(before) | added

    def test_images_drawn_before_stay_with_their_probability(self, grown):
        before, sample = grown
        kept = sample[sample["draw"] == 1].set_index("image_id")
        old = before.set_index("image_id")
        assert {*kept.index} == {*old.index}
        columns = ["cluster", "stratum", "wave", "N_h", "n_h", "inclusion_probability"]
        pd.testing.assert_frame_equal(kept[columns], old.loc[kept.index, columns])

    def test_weights_lead_back_to_all_images_and_clusters(self, grown):
        _, sample = grown
        assert sample.groupby("cluster")["weight_corpus"].sum().to_dict() == pytest.approx(
            {1: 15, 2: 5, 3: 6, -1: 23}
        )
        assert sample.groupby("cluster")["weight_cluster"].sum().tolist() == pytest.approx([1] * 4)
        of_one = sample[sample["cluster"] == 1].drop_duplicates("stratum")
        assert of_one["stratum"].tolist() == ["w1c1", "w2c1"]
        assert of_one["weight_corpus"].tolist() == [2.5, 2.5]
        assert of_one["weight_cluster"].tolist() == pytest.approx([10 / 15 / 4, 5 / 15 / 2])

    def test_a_larger_number_is_drawn_from_the_rest(self):
        images = images_of({1: 20, 2: 4})
        before = sample_images(images, 5)
        sample = sample_images(images, 8, keep=before)
        assert sizes_of(sample) == {(1, 1): (20, 8), (2, 1): (4, 3)}
        assert {*before["image_id"]} < {*sample["image_id"]}
        assert sample["draw"].value_counts().to_dict() == {1: 8, 2: 3}
        fewer = sample_images(images, 2, keep=sample)
        pd.testing.assert_frame_equal(fewer, sample)

    def test_a_third_wave_and_more_images_at_once(self, grown):
        _, sample = grown
        more = sample_images(images_of(FIRST, THEN, {1: 30, 2: 2}), 6, keep=sample)
        # Six of ten, and so 60% of the later strata of cluster 1, at most six.
        assert {k: v for k, v in sizes_of(more).items() if k[0] in (1, 2)} == {
            (1, 1): (10, 6), (1, 2): (5, 3), (1, 3): (30, 6), (2, 1): (4, 3), (2, 2): (1, 1),
            (2, 3): (2, 2),
        }  # fmt: skip
        assert {*sample["image_id"]} < {*more["image_id"]}

    def test_a_fresh_sample_of_grown_clusters_has_one_stratum_for_each(self):
        sample = sample_images(images_of(FIRST, THEN), 4)
        sizes = {(1, 2): (15, 4), (2, 2): (5, 4), (3, 2): (6, 4), (-1, 2): (23, 4)}
        assert sizes_of(sample) == sizes
        later = sample_images(images_of(FIRST, THEN, {1: 9}), 4, keep=sample)
        assert sizes_of(later) == sizes | {(1, 3): (9, 3)}

    @pytest.mark.parametrize(
        ("budget", "expected"),
        [(12, [5, 5, 2]), (18, [8, 8, 2]), (6, [5, 5, 2])],
    )
    def test_a_budget_counts_what_was_drawn(self, budget, expected):
        images = images_of({1: 30, 2: 30, 3: 2})
        before = sample_images(images, budget=12)
        sample = sample_images(images, budget=budget, keep=before)
        assert [n for _, n in sizes_of(sample).values()] == expected
        grown = sample_images(images_of({1: 30, 2: 30, 3: 2}, {1: 6}), budget=12, keep=before)
        assert sizes_of(grown)[1, 2] == (6, 2)

    def test_a_cluster_of_one_image_that_gains_others_is_one_stratum(self):
        before = sample_images(images_of({1: 6, 2: 1}), 3)
        sample = sample_images(images_of({1: 6, 2: 1}, {2: 4}), 3, keep=before)
        assert sizes_of(sample) == {(1, 1): (6, 3), (2, 2): (5, 3)}

    def test_files_that_are_gone_stay_but_are_not_drawn(self):
        images = images_of({1: 10})
        before = sample_images(images, 4)
        others = images["image_id"][~images["image_id"].isin(before["image_id"])]
        lost = [before["image_id"].iloc[0], *others.iloc[:5]]
        images["gone"] = images["image_id"].isin(lost)
        sample = sample_images(images, 8, keep=before)
        assert sizes_of(sample) == {(1, 1): (10, 5)}
        assert sample["image_id"][sample["gone"]].tolist() == lost[:1]
        fresh = sample_images(images, 8)
        assert sizes_of(fresh) == {(1, 1): (10, 4)} and not fresh["gone"].any()

    def test_clusters_with_names(self):
        images = images_of({1: 8}, {1: 4}).replace({"cluster": {1: "cats"}})
        before = sample_images(images[images["wave"] == 1], 3)
        sample = sample_images(images, 3, keep=before)
        assert sizes_of(sample) == {("cats", 1): (8, 3), ("cats", 2): (4, 2)}


class TestProbabilities:
    def test_every_set_of_images_is_equally_likely(self):
        """Two of five and one of the rest: any three of five, as if drawn at once."""
        images = images_of({1: 5})
        sets = []
        for seed in range(500):
            before = sample_images(images, 2, seed=seed)
            sets.append("".join(sample_images(images, 3, seed=seed, keep=before)["image_id"]))
        counts = pd.Series(sets).value_counts()
        assert len(counts) == 10
        assert stats.chisquare(counts).pvalue > 0.001

    def test_totals_are_unbiased_and_images_as_likely_as_said(self):
        """Horvitz-Thompson over topped-up samples whose added images differ from the first."""
        first, then = {1: 12, 2: 7, -1: 9}, {1: 10, 2: 5, 3: 6}
        early, late = images_of(first), images_of(first, then)
        rng = np.random.default_rng(3)
        value = pd.Series(
            rng.normal(size=len(late)) + 5 * late["wave"].to_numpy(), late["image_id"]
        )
        n, totals, drawn = 400, [], pd.Series(0, late["image_id"])
        chance = pd.Series(np.nan, late["image_id"])
        for seed in range(n):
            before = sample_images(early, 3, seed=seed)
            sample = sample_images(late, 4, seed=seed + n, keep=before).set_index("image_id")
            totals.append((sample["weight_corpus"] * value[sample.index]).sum())
            drawn[sample.index] += 1
            chance[sample.index] = sample["inclusion_probability"]
        error = np.std(totals) / np.sqrt(n)
        assert abs(np.mean(totals) - value.sum()) < 4 * error
        assert np.abs((drawn / n - chance) / np.sqrt(chance * (1 - chance) / n)).max() < 4.5

    def test_intervals_of_means_cover_the_mean_of_all_images(self):
        """Of 95% intervals, in strata whose means are far apart; docs/ratings.md has more draws."""
        first, then = dict.fromkeys(range(1, 9), 40), dict.fromkeys(range(1, 9), 20)
        early, late = images_of(first), images_of(first, then)
        rng = np.random.default_rng(11)
        value = pd.Series(rng.normal(size=len(late)), late["image_id"])
        value += (4 * late["wave"] + late["cluster"]).to_numpy()
        covered, n = 0, 250
        for seed in range(n):
            before = sample_images(early, 5, seed=seed)
            sample = sample_images(late, 6, seed=seed, keep=before)
            ratings = sample.assign(
                respondent_id=[f"r{i}" for i in range(len(sample))], group="all", item="joy",
                rating=value[sample["image_id"]].to_numpy(),
            )  # fmt: skip
            mean = rating_means(ratings, None, weight="corpus", variance="image").iloc[0]
            covered += mean["conf_low"] <= value.mean() <= mean["conf_high"]
        # Without a correction for finite strata intervals are too wide rather than too narrow.
        assert 0.92 <= covered / n <= 0.99


class TestRatings:
    """Strata share the weight of their cluster, and take its place in standard errors."""

    @pytest.fixture
    def ratings(self):
        sample = pd.DataFrame(
            {
                "image_id": list("abcdef"),
                "cluster": [1, 1, 1, 1, 2, 2],
                "stratum": ["w1c1"] * 2 + ["w2c1"] * 2 + ["w1c2"] * 2,
                "N_h": [6, 6, 4, 4, 5, 5],
                "n_h": 2,
                "weight_corpus": [3.0, 3, 2, 2, 2.5, 2.5],
                "weight_cluster": [0.3, 0.3, 0.2, 0.2, 0.5, 0.5],
                "weight_share": [3.0, 3, 2, 2, 2.5, 2.5],
            }
        )
        return sample.assign(
            respondent_id=list("uvwxyz"), group="g", item="joy", rating=[1.0, 2, 8, 9, 4, 6]
        )

    def test_means_and_standard_errors_by_hand(self, ratings):
        mean = rating_means(ratings, None, weight="corpus", variance="image").iloc[0]
        assert mean["estimate"] == pytest.approx((3 * 3 + 2 * 17 + 2.5 * 10) / 15)
        # In strata of two: 2 times the sum of squared distances from the stratum's mean.
        variance = 2 * (2 * (3 * 0.5) ** 2 + 2 * (2 * 0.5) ** 2 + 2 * (2.5 * 1) ** 2) / 15**2
        assert mean["std_error"] == pytest.approx(np.sqrt(variance))
        assert mean["df"] == 3
        by_cluster = rating_means(ratings, None, weight="cluster", variance="image").iloc[0]
        assert by_cluster["estimate"] == pytest.approx((0.6 * 1.5 + 0.4 * 8.5 + 5) / 2)

    def test_rated_images_of_a_stratum_represent_the_others_of_it(self, ratings):
        rated = ratings[ratings["image_id"] != "a"]
        with pytest.warns(UserWarning, match="1 of 6 sampled images"):
            weights = rating_weights(rated, None, weight="corpus")
        assert weights.set_index("image_id")["weight"].to_dict() == pytest.approx(
            {"b": 6, "c": 2, "d": 2, "e": 2.5, "f": 2.5}
        )

    def test_a_stratum_without_a_rating_leaves_the_weight_of_its_cluster(self, ratings):
        other = ratings.assign(item="anger", respondent_id=list("opqrst"))
        both = pd.concat([ratings, other[other["stratum"] != "w1c1"]])
        with pytest.warns(UserWarning, match="2 of 6 sampled images"):
            weights = rating_weights(both, None, weight="cluster")
        anger = weights[weights["item"] == "anger"].set_index("image_id")["weight"]
        assert anger.to_dict() == pytest.approx({"c": 0.5, "d": 0.5, "e": 0.5, "f": 0.5})

    def test_a_column_that_is_not_a_part_of_clusters_is_no_stratum(self, ratings):
        plain = rating_means(ratings.drop(columns="stratum"), None, variance="image")
        own = rating_means(ratings.assign(stratum=list("xyxyxy")), None, variance="image")
        pd.testing.assert_frame_equal(own, plain)

    def test_strata_travel_to_ratings(self, grown):
        _, sample = grown
        answers = pd.DataFrame(
            {"respondent_id": "r", "image_id": sample["image_id"], "joy": 3, "group": "g"}
        )
        read = read_ratings(answers, sample, items=["joy"])
        assert read["stratum"].tolist() == sample["stratum"].tolist()


class TestFolder:
    @pytest.fixture
    def runs(self, tmp_path):
        rng = np.random.default_rng(0)
        centres = np.repeat(np.eye(6)[:3] * 20, 40, axis=0)
        vectors = (centres + rng.normal(size=centres.shape))[rng.permutation(120)]
        ids = [f"i{i:03d}" for i in range(120)]

        def clustered(n):
            return cluster_images(
                Embeddings.from_arrays(vectors[:n], ids[:n]), "kmeans", n_clusters=3, out=tmp_path,
                progress=False,
            )  # fmt: skip

        return clustered, tmp_path

    def test_the_same_command_on_a_grown_run_keeps_what_was_drawn(self, runs, recwarn):
        clustered, run = runs
        before = sample_images(clustered(90), out=run)
        packets = assign_annotators(before, n_images=3, out=run)
        sample = sample_images(clustered(120), out=run)
        assert {*before["image_id"]} < {*sample["image_id"]}
        assert (sample["added"] == (sample["wave"] == 2)).all()
        pd.testing.assert_frame_equal(sample_images(clustered(120), out=run), sample)
        assert not (run / "replaced").exists() and not len(recwarn)
        assert read_run(run)["steps"]["assign"]["finished"]
        text = methods_paragraph(run)
        assert f"{len(before)} images had been drawn before" in text
        assert "drawn as strata of their own" in text
        assert {*packets["image_id"]} == {*before["image_id"]}

    def test_more_images_of_the_same_clusters(self, runs):
        clustered, run = runs
        before = sample_images(clustered(90), out=run)
        with pytest.raises(ImagestrataError, match="n_per_cluster=5, not with n_per_cluster=9"):
            sample_images(clustered(90), 9, out=run)
        sample = sample_images(clustered(90), 9, keep=before, out=run)
        assert {*before["image_id"]} < {*sample["image_id"]} and len(sample) == 27
        pd.testing.assert_frame_equal(sample_images(clustered(90), 9, out=run), sample)
        pd.testing.assert_frame_equal(sample_images(clustered(90), 9, keep=before, out=run), sample)

    def test_a_sample_that_lacks_images_of_the_run_is_refused(self, runs):
        clustered, run = runs
        sample_images(clustered(90), out=run)
        other = sample_images(clustered(90), seed=7)
        with pytest.raises(ImagestrataError, match="holds a sample with"):
            sample_images(clustered(90), 9, keep=other, out=run)

    def test_the_scan_of_a_run_says_which_files_are_gone(self, tmp_path):
        photos = write_pictures(tmp_path / "photos", 24)
        run = tmp_path / "run"
        given = {"encoder": "hog", "method": "kmeans", "n_clusters": 2, "progress": False}
        topics = cluster_images(photos, out=run, **given)
        before = sample_images(topics, 3, out=run)
        others = topics.images["image_id"].isin(before["image_id"])
        lost = [before["path"].iloc[0], *topics.images["path"][~others].iloc[:10]]
        for path in lost:
            Path(path).unlink()
        again = cluster_images(photos, out=run, **given)
        assert len(again.images) == 24
        sample = sample_images(again, 12, keep=before, out=run)
        assert {*before["image_id"]} <= {*sample["image_id"]}
        assert sample["image_id"][sample["gone"]].tolist() == before["image_id"].tolist()[:1]
        assert sample["N_h"].drop_duplicates().sum() >= 12
        assert sample["weight_corpus"].sum() == pytest.approx(24)

    def test_a_lost_file_is_not_drawn_anew(self, runs):
        clustered, run = runs
        sample_images(clustered(90), out=run)
        sample = sample_images(clustered(120), out=run)
        (run / "sample.csv").unlink()
        with pytest.raises(ImagestrataError, match="cannot be drawn again"):
            sample_images(clustered(120), out=run)
        again = sample_images(clustered(120), keep=sample, out=run)
        assert {*again["image_id"]} == {*sample["image_id"]}


class TestPackets:
    def test_only_new_images_are_handed_out(self, grown):
        before, sample = grown
        packets = assign_annotators(before, n_images=2, raters_per_group=2)
        more = assign_annotators(sample, n_images=2, raters_per_group=2, keep=packets)
        n = len(packets)
        pd.testing.assert_frame_equal(more.iloc[:n], packets)
        added = more.iloc[n:]
        assert {*added["image_id"]} == {*sample["image_id"][sample["draw"] == 2]}
        assert (added.groupby(["image_id", "group"]).size() == 2).all()
        assert not added.duplicated(["packet_id", "cluster"]).any()
        last = packets["packet_id"].max()
        assert added["packet_id"].min() == f"p{int(last[1:]) + 1:03d}"
        again = assign_annotators(sample, n_images=2, raters_per_group=2, keep=more)
        pd.testing.assert_frame_equal(again, more)

    def test_few_images_of_one_cluster_get_packets_of_their_own(self):
        before = sample_images(images_of({1: 10, 2: 10}), 3)
        packets = assign_annotators(before, groups=["g"], n_images=2)
        sample = sample_images(images_of({1: 10, 2: 10}), 6, keep=before)
        added = assign_annotators(sample, groups=["g"], n_images=8, keep=packets).iloc[6:]
        assert (added.groupby("packet_id").size() == 2).all() and len(added) == 6

    def test_a_grown_run_keeps_its_packets(self, tmp_path, recwarn):
        before = sample_images(images_of(FIRST), 4, out=tmp_path)
        packets = assign_annotators(before, n_images=2, out=tmp_path)
        sample = sample_images(images_of(FIRST, THEN), 4, out=tmp_path)
        more = assign_annotators(sample, n_images=2, out=tmp_path)
        pd.testing.assert_frame_equal(more.iloc[: len(packets)], packets)
        assert {*more["image_id"]} == {*sample["image_id"]}
        pd.testing.assert_frame_equal(assign_annotators(sample, n_images=2, out=tmp_path), more)
        assert read_run(tmp_path)["steps"]["assign"]["counts"]["images"] == len(sample)
        assert not (tmp_path / "replaced").exists() and not len(recwarn)

    def test_packets_that_cannot_be_kept(self, grown):
        before, sample = grown
        packets = assign_annotators(before, n_images=2)
        with pytest.raises(ImagestrataError, match="not among `groups`"):
            assign_annotators(sample, ["Democrat"], 2, keep=packets)
        with pytest.raises(ImagestrataError, match="another cluster of the sample, or not in it"):
            assign_annotators(before.iloc[1:], n_images=2, keep=packets)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.assign(cluster=s["cluster"] + 1), "are in another cluster now, or in none"),
        (
            lambda s: s.assign(image_id="x" + s["image_id"]),
            "are in another cluster now, or in none",
        ),
        (lambda s: s.iloc[1:], "'n_h' says that cluster 1 has 4 images in the sample"),
        (lambda s: s.assign(N_h=99), "'N_h' says that cluster -1 has 99 images"),
        (lambda s: s.drop(columns="N_h"), "keep.*lacks the column 'N_h'"),
        (lambda _: 5, "keep.*must be a table"),
    ],
)
def test_samples_that_cannot_be_kept(change, message):
    images = images_of(FIRST)
    before = sample_images(images, 4)
    with pytest.raises(ImagestrataError, match=message):
        sample_images(images, 4, keep=change(before))


def test_growth_that_no_wave_tells_is_refused():
    before = sample_images(images_of({1: 10}), 4)
    images = images_of({1: 15}).drop(columns="wave")
    with pytest.raises(ImagestrataError, match=r"has 10 images \(wave 1\), but there are 15"):
        sample_images(images, 4, keep=before)


def test_a_column_wave_of_something_else_is_named():
    with pytest.raises(ImagestrataError, match="'wave' must contain whole numbers"):
        sample_images(images_of({1: 9}).assign(wave="May"))
