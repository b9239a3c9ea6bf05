"""Packets: who rates what, and how gaps are filled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata import ImagestrataError, assign_annotators, costs, reassign


def sample_of(sizes: list[int], residual: int = 0) -> pd.DataFrame:
    clusters = np.repeat(np.arange(1, len(sizes) + 1), sizes).tolist() + [-1] * residual
    ids = [f"i{number:03d}" for number in range(len(clusters))]
    return pd.DataFrame({"image_id": ids, "cluster": clusters, "path": [f"/p/{i}" for i in ids]})


def check_rules(packets: pd.DataFrame, apart: bool = False) -> None:
    """No packet has an image or a cluster twice; positions count from 1."""
    assert not packets.duplicated(["packet_id", "image_id"]).any()
    clustered = packets[packets["cluster"] != -1] if apart else packets
    assert not clustered.duplicated(["packet_id", "cluster"]).any()
    for _, packet in packets.groupby("packet_id"):
        assert packet["position"].tolist() == list(range(1, len(packet) + 1))
        assert packet["group"].nunique() == 1


def test_four_images_of_two_clusters_by_hand():
    """Two images each of clusters 1 and 2 in packets of two: each has one of either."""
    sample = sample_of([2, 2])
    packets = assign_annotators(sample, ["D"], n_images=2)
    assert packets.columns.tolist() == [
        "packet_id", "group", "position", "image_id", "cluster", "path"
    ]  # fmt: skip
    assert packets["packet_id"].tolist() == ["p001", "p001", "p002", "p002"]
    assert sorted(packets["image_id"]) == sorted(sample["image_id"])
    for _, packet in packets.groupby("packet_id"):
        assert sorted(packet["cluster"]) == [1, 2]
    assert (packets["path"] == "/p/" + packets["image_id"]).all()


def test_the_published_study():
    """1,087 images at eight in a packet are 136 packets a party, of 8 images but one of 7."""
    sizes = [5] * 150 + [3] * 100 + [1] * 37
    asked = costs(assign_annotators(sample_of(sizes)))
    assert asked["group"].tolist() == ["Democrat", "Republican"]
    assert asked["n_respondents"].tolist() == [136, 136]
    assert asked["n_images_rated"].tolist() == [1087, 1087]
    assert asked["n_ratings"].tolist() == [10870, 10870]
    assert asked[["smallest", "largest"]].to_numpy().tolist() == [[7, 8], [7, 8]]


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=12),
    residual=st.integers(0, 6),
    n_images=st.integers(1, 9),
    raters=st.integers(1, 3),
    treatment=st.sampled_from(["together", "alone"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_packets_keep_the_rules_or_cannot_be_made(
    sizes, residual, n_images, raters, treatment, seed
):
    sample = sample_of(sizes, residual)
    apart = treatment == "alone"
    largest = max([*sizes, min(residual, 1) if apart else residual])
    n_packets = -(-len(sample) * raters // n_images)
    arguments = {"raters_per_group": raters, "residual": treatment, "seed": seed}
    if largest * raters > n_packets:
        with pytest.raises(ImagestrataError, match=f"needs {largest * raters} packets") as error:
            assign_annotators(sample, ["A", "B"], n_images, **arguments)
        assert error.value.hint.startswith("Use n_images=")
        # What the message proposes works, and one more would not.
        n_images = int(error.value.hint.split("=")[1].split()[0])
        with pytest.raises(ImagestrataError, match="packets"):
            assign_annotators(sample, ["A", "B"], n_images + 1, **arguments)
    packets = assign_annotators(sample, ["A", "B"], n_images, **arguments)
    check_rules(packets, apart)
    for _, of_group in packets.groupby("group"):
        times = of_group["image_id"].value_counts()
        assert set(times) == {raters}
        assert set(times.index) == set(sample["image_id"])
        packet_sizes = of_group.groupby("packet_id").size()
        assert packet_sizes.max() <= n_images
        assert packet_sizes.max() - packet_sizes.min() <= 1


def test_one_seed_one_deal_and_groups_are_dealt_apart():
    sample = sample_of([5] * 8)
    packets = assign_annotators(sample, seed=3)
    pd.testing.assert_frame_equal(packets, assign_annotators(sample, seed=3))
    assert not packets.equals(assign_annotators(sample, seed=4))
    first, second = (packets[packets["group"] == group] for group in packets["group"].unique())
    assert first["image_id"].tolist() != second["image_id"].tolist()
    # The first group's packets do not depend on there being others.
    alone = assign_annotators(sample, ["Democrat"], seed=3)
    assert alone["image_id"].tolist() == first["image_id"].tolist()


def test_every_image_comes_at_every_place():
    """Over seeds, the first image of a cluster is as often first in its packet as last."""
    sample = sample_of([2] * 4)
    places = [
        assign_annotators(sample, ["A"], n_images=4, seed=seed)
        .set_index("image_id")
        .loc["i000", "position"]
        for seed in range(400)
    ]
    counts = pd.Series(places).value_counts()
    assert set(counts.index) == {1, 2, 3, 4}
    assert counts.min() > 70  # 100 expected, standard deviation 8.7


def test_a_run_folder_keeps_packets(tmp_path):
    sample = sample_of([3, 3, 2], residual=1)
    packets = assign_annotators(sample, n_images=3, out=tmp_path)
    again = assign_annotators(sample, n_images=3, out=tmp_path)
    pd.testing.assert_frame_equal(packets, again, check_dtype=False)
    with pytest.raises(ImagestrataError, match="n_images=3, not with n_images=2"):
        assign_annotators(sample, n_images=2, out=tmp_path)
    assert len(assign_annotators(sample, n_images=2, out=tmp_path, overwrite=True)) == len(packets)


def test_bad_input():
    sample = sample_of([2, 2])
    for arguments, message in [
        ({"groups": []}, "`groups` must be names"),
        ({"groups": ["A", "A"]}, "a group twice"),
        ({"groups": [1]}, "`groups` must be names"),
        ({"n_images": 0}, "`n_images` must be at least 1"),
        ({"raters_per_group": 0.5}, "whole number"),
        ({"residual": "drop"}, "'together' or 'alone'"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            assign_annotators(sample, **({"n_images": 2} | arguments))
    for bad, message in [
        ([1], "not a list"),
        (sample.drop(columns="cluster"), "'cluster'"),
        (sample.iloc[:0], "`sample` has no rows"),
        (sample.assign(cluster=[1, None, 2, 2]), "1 of 4 rows of `sample` have missing values"),
        (pd.concat([sample, sample]), "4 image ids"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            assign_annotators(bad)
    with pytest.raises(ImagestrataError, match="'packet_id'"):
        costs(sample)


def test_a_large_residual_is_named_with_its_way_out():
    sample = sample_of([2, 2], residual=4)
    with pytest.raises(ImagestrataError, match="The residual has 4 sampled images") as error:
        assign_annotators(sample, n_images=3)
    assert 'residual="alone"' in error.value.hint
    check_rules(assign_annotators(sample, n_images=3, residual="alone"), apart=True)


# ---- filling gaps ----


def answers_of(packets: pd.DataFrame, drop: set[str] = frozenset()) -> pd.DataFrame:
    """Each packet is answered by one person, named after it, but for those that drop out."""
    answered = packets[~packets["packet_id"].isin(drop)]
    return answered[["group", "image_id"]].assign(respondent_id="r" + answered["packet_id"])


def test_one_drop_out_by_hand():
    """Of two packets one is answered: its images are done, the other's come again."""
    packets = assign_annotators(sample_of([2, 2]), ["D"], n_images=2)
    lost = packets[packets["packet_id"] == "p002"]
    new = reassign(packets, answers_of(packets, {"p002"}), n_images=2)
    assert new["packet_id"].tolist() == ["p003", "p003"]
    assert sorted(new["image_id"]) == sorted(lost["image_id"])
    assert new["respondent_id"].isna().all()
    everything = reassign(packets, answers_of(packets), n_images=2)
    assert len(everything) == 0
    assert everything.columns.tolist() == new.columns.tolist()


def test_whoever_comes_back_sees_no_cluster_again():
    """Two clusters of two: who rated one of each can take nothing; who rated half, the rest."""
    packets = assign_annotators(sample_of([2, 2]), ["D"], n_images=2)
    both = answers_of(packets, {"p002"})
    new = reassign(packets, both, n_images=2, respondents=["rp001"])
    assert new["respondent_id"].isna().all()
    first = both.iloc[:1]
    new = reassign(packets, first, n_images=2, respondents=["rp001"])
    cluster = packets.set_index("image_id")["cluster"]
    theirs = new[new["respondent_id"] == "rp001"]
    assert len(theirs) == 1
    assert theirs["cluster"].iloc[0] != cluster[first["image_id"].iloc[0]]


def test_what_was_skipped_or_promised_is_not_offered_again():
    packets = assign_annotators(sample_of([1, 1, 1, 1]), ["D"], n_images=2)
    mine, others = (packets[packets["packet_id"] == name] for name in ("p001", "p002"))
    answered = answers_of(mine).assign(rating=[5.0, None])
    new = reassign(packets, answered, respondents=["rp001"])
    theirs = new[new["respondent_id"] == "rp001"]
    assert set(theirs["image_id"]) == set(others["image_id"])
    assert set(new["image_id"]) - set(theirs["image_id"]) == {mine["image_id"].iloc[1]}
    # They do not answer, and come back a second time.
    again = reassign(pd.concat([packets, new]), answered, respondents=["rp001"])
    assert again["respondent_id"].isna().all()
    assert set(again["image_id"]) == set(new["image_id"])


def test_partial_answers_and_missing_ratings():
    packets = assign_annotators(sample_of([1, 1, 1]), ["D"], n_images=3)
    answered = answers_of(packets).assign(rating=[5.0, None, None])
    new = reassign(packets, answered)
    assert set(new["image_id"]) == set(packets["image_id"][1:])


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 3), min_size=4, max_size=12),
    raters=st.integers(1, 2),
    wanted=st.integers(1, 3),
    share=st.floats(0, 1),
    back=st.integers(0, 5),
    seed=st.integers(0, 1000),
)
def test_gaps_are_filled_under_the_same_rules(sizes, raters, wanted, share, back, seed):
    sample = sample_of(sizes)
    packets = assign_annotators(sample, ["A", "B"], 2, raters, residual="alone", seed=seed)
    stream = np.random.default_rng(seed)
    answered = answers_of(packets)
    answered = answered[stream.random(len(answered)) < share]
    people = sorted(set(answered["respondent_id"]))[:back]
    new = reassign(packets, answered, 3, wanted, respondents=people, seed=seed)
    check_rules(new)
    assert not set(new["packet_id"]) & set(packets["packet_id"])
    assert new.groupby("packet_id").size().max() <= 3 if len(new) else True
    # Every image has exactly what it lacked.
    cells = pd.MultiIndex.from_product([["A", "B"], sample["image_id"]])
    had = answered.groupby(["group", "image_id"]).size().reindex(cells, fill_value=0)
    got = new.groupby(["group", "image_id"]).size().reindex(cells, fill_value=0)
    assert (got == (wanted - had).clip(lower=0)).all()
    # Nobody who comes back sees a cluster again, or is in another group than before.
    clusters = sample.set_index("image_id")["cluster"]
    for person, theirs in new.dropna(subset="respondent_id").groupby("respondent_id"):
        before = answered[answered["respondent_id"] == person]
        assert not set(theirs["cluster"]) & set(clusters[before["image_id"]])
        assert set(theirs["group"]) == set(before["group"])
        assert theirs["packet_id"].nunique() == 1
    assert set(new["respondent_id"].dropna()) <= set(people)


def test_packets_grow_on():
    """Two rounds: ids are counted on, and both rounds together are enough."""
    packets = assign_annotators(sample_of([3, 3, 3]), ["A", "B"], n_images=3)
    lost = set(packets["packet_id"].unique()[[0, 4]])
    second = reassign(packets, answers_of(packets, lost), n_images=3)
    everything = pd.concat([packets, second])
    third = reassign(everything, answers_of(everything, lost), n_images=3)
    assert len(third) == 0
    top_up = reassign(everything, answers_of(everything, lost), n_images=3, raters_per_group=2)
    assert len(top_up) == len(packets)


def test_bad_answers():
    packets = assign_annotators(sample_of([2, 2]), ["D"], n_images=2)
    answered = answers_of(packets)
    for bad, message in [
        ([1], "not a list"),
        (answered.drop(columns="group"), "'group'"),
        (answered.assign(group="X"), "groups without packets, 'X'"),
        (answered.assign(image_id="x"), "2 ratings are of images in no packet"),
        (answered.assign(respondent_id=None), "4 of 4 ratings"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            reassign(packets, bad, n_images=2)
    with pytest.raises(ImagestrataError, match="rated nothing, 'x'"):
        reassign(packets, answered, respondents=["x"])
    with pytest.raises(ImagestrataError, match="list of ids"):
        reassign(packets, answered, respondents="x")
    two = assign_annotators(sample_of([2, 2]), ["D", "R"], n_images=2)
    with pytest.raises(ImagestrataError, match="more than one group"):
        reassign(two, answers_of(two).assign(respondent_id="one"))
