"""Metadata of clusters: worked by hand, then properties, then bad input."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterings import hand_made
from imagestrata import ImagestrataError, cluster_metadata
from imagestrata.explore.metadata import ratio_interval
from imagestrata.finetune.scores import wilson

CLUSTERS = [1, 1, 1, 1, 2, 2, -1, -1]
ACCOUNTS = ["a", "a", "a", "b", "b", "b", "a", None]


def clustering_of(clusters, values):
    return hand_made([None] * len(clusters), clusters, account=values)


def counted(**options):
    return cluster_metadata(clustering_of(CLUSTERS, ACCOUNTS), **{"column": "account"} | options)


def test_worked_by_hand():
    """Of 7 images with an account 4 have a and 3 have b; cluster 1 has 3 and 1, cluster 2 2 b."""
    table = counted()
    assert table[["cluster", "size", "rank", "value", "n_images", "n"]].values.tolist() == [
        [1, 4, 1, "a", 3, 4],
        [1, 4, 2, "b", 1, 4],
        [2, 2, 1, "b", 2, 2],
        [-1, 2, 1, "a", 1, 1],
    ]
    assert table["share"].tolist() == [3 / 4, 1 / 4, 1, 1]
    assert table["share_corpus"].to_numpy() == pytest.approx([4 / 7, 3 / 7, 3 / 7, 4 / 7])
    assert table["lift"].to_numpy() == pytest.approx([21 / 16, 7 / 12, 7 / 3, 7 / 4])
    low, high = wilson(np.array([3, 1, 2, 1]), np.array([4, 4, 2, 1]))
    assert table["conf_low"].to_numpy() == pytest.approx(low)
    assert table["conf_high"].to_numpy() == pytest.approx(high)


def test_the_interval_of_a_ratio():
    """MOVER-R as printed, with Wilson's intervals of 30 of 100 and 20 of 200 by hand."""
    (low, high), (rest_low, rest_high) = (0.218949, 0.395849), (0.065735, 0.149348)
    p, q = 0.3, 0.1
    root = ((p * q) ** 2 - low * (2 * p - low) * rest_high * (2 * q - rest_high)) ** 0.5
    least = (p * q - root) / (rest_high * (2 * q - rest_high))
    root = ((p * q) ** 2 - high * (2 * p - high) * rest_low * (2 * q - rest_low)) ** 0.5
    most = (p * q + root) / (rest_low * (2 * q - rest_low))
    found = ratio_interval([30], [100], [20], [200])
    assert np.concatenate(found) == pytest.approx([least, most], rel=1e-3)
    # Katz's interval, which is good with such counts, is not far away.
    error = 1.96 * (1 / 30 - 1 / 100 + 1 / 20 - 1 / 200) ** 0.5
    assert np.log(np.concatenate(found)) == pytest.approx(
        np.log(3) + np.array([-error, error]), abs=0.05
    )


def test_the_interval_holds_what_it_promises():
    """Of 4,000 drawn pairs of counts, some 95% of the intervals hold the true ratio."""
    rng = np.random.default_rng(1)
    for p, q in ((0.3, 0.1), (0.05, 0.05), (0.9, 0.5)):
        part, rest = rng.binomial(60, p, 4000), rng.binomial(300, q, 4000)
        low, high = ratio_interval(part, np.full(4000, 60), rest, np.full(4000, 300))
        assert 0.93 < np.mean((low <= p / q) & (p / q <= high)) < 0.98


def test_lists_of_hashtags():
    tags = ["#a #b", "#a  #a", "#b", "#c", "#a", "", "#c", None]
    table = cluster_metadata(
        clustering_of(CLUSTERS, tags), column="account", separator=" ", min_images=2
    )
    one = table[table["cluster"] == 1].set_index("value")
    assert one["n_images"].to_dict() == {"#a": 2, "#b": 2, "#c": 1}
    assert (one["n"] == 4).all()
    assert one.loc["#a", "share_corpus"] == 3 / 6
    assert one.loc["#b", "lift"] == pytest.approx((2 / 4) / (2 / 6))


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_every_element_of_a_list_is_a_value(kind):
    tags = [["#a", "#b"], ["#a", "#a"], ["#b"], ["#c"], ["#a"], [], ["#c", None], None]
    clustering = clustering_of(CLUSTERS, ["x"] * 8)
    cells = pd.Series([None if one is None else kind(one) for one in tags], dtype=object)
    hashtags = pd.DataFrame({"image_id": clustering.images["image_id"], "tags": cells})
    table = cluster_metadata(clustering, hashtags, column="tags")
    joined = [None if one is None else " ".join(filter(None, one)) for one in tags]
    written = cluster_metadata(clustering_of(CLUSTERS, joined), column="account", separator=" ")
    pd.testing.assert_frame_equal(table, written)
    assert table.loc[table["cluster"] == -1, ["value", "n_images", "n"]].values.tolist() == [
        ["#c", 1, 1]
    ]
    numbers = hashtags.assign(tags=[[1, 2], [1], *[None] * 6])
    assert cluster_metadata(clustering, numbers, column="tags")["value"].tolist() == ["1", "2"]


def test_a_table_with_several_rows_of_an_image():
    clustering = clustering_of(CLUSTERS, ACCOUNTS)
    ids = clustering.images["image_id"]
    posts = pd.DataFrame({"image_id": [ids[0], ids[0], ids[0], ids[4]], "day": [1, 1, 2, 2]})
    table = cluster_metadata(clustering, posts, column="day", min_images=1)
    assert table[["cluster", "value", "n_images", "n"]].values.tolist() == [
        [1, "1", 1, 1],
        [1, "2", 1, 1],
        [2, "2", 1, 1],
    ]


def test_top_values_and_their_order():
    assert counted(n=1)["value"].tolist() == ["a", "b", "a"]
    rare = ["x", "a", "a", "a", "a", "a", "a", "a"]
    clustering = clustering_of([1, 1, 1, 1, 2, 2, 2, 2], rare)
    by_lift = cluster_metadata(clustering, column="account", order="lift", min_images=1)
    assert by_lift.loc[by_lift["cluster"] == 1, "value"].tolist() == ["a", "x"]
    assert set(cluster_metadata(clustering, column="account", min_images=2)["value"]) == {"a"}


@settings(max_examples=40)
@given(
    clusters=st.lists(st.sampled_from([-1, 1, 2, 3]), min_size=2, max_size=40),
    seed=st.integers(0, 99),
)
def test_measures_are_sound(clusters, seed):
    clusters = [1, *clusters]
    values = np.random.default_rng(seed).choice(list("abc"), len(clusters))
    clustering = clustering_of(clusters, values.tolist())
    table = cluster_metadata(clustering, column="account", min_images=1)
    assert (table["lift"] > 0).all()
    assert (table["lift"] <= len(clusters) / table["n"] + 1e-9).all()
    inside = table.dropna(subset=["lift_low", "lift_high"])
    close = 1e-9
    assert (inside["lift_low"] <= inside["lift"] + close).all()
    assert (inside["lift"] <= inside["lift_high"] + close).all()
    assert (inside["lift_low"] >= 0).all()
    assert np.isfinite(inside["lift_high"]).all()  # at most one by the cluster's part
    # Of one value for each image, shares of a cluster add up.
    assert table.groupby("cluster")["share"].sum().to_numpy() == pytest.approx(1)
    assert table.groupby("cluster")["n_images"].sum().to_dict() == Counter(clusters)
    assert (table["size"] == table["cluster"].map(Counter(clusters))).all()
    # Only where all images lie in one cluster is there nothing to compare it with.
    assert (len(inside) == 0) == (set(clusters) == {1})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "day"}, "no column 'day' in the clustering's images"),
        ({"column": 3}, "`column` must be the name"),
        ({"separator": ""}, "`separator` must be a text"),
        ({"min_images": 9}, "has no value that occurs in at least 9 images"),
        ({"order": "share"}, "`order` must be one of"),
        ({"n": 0}, "`n` must be at least 1"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ImagestrataError, match=message):
        counted(**options)


def test_bad_tables():
    clustering = clustering_of(CLUSTERS, ACCOUNTS)
    other = pd.DataFrame({"image_id": ["other"], "account": ["a"]})
    with pytest.raises(ImagestrataError, match="No row of `metadata`"):
        cluster_metadata(clustering, other, column="account")
    with pytest.raises(ImagestrataError, match="`metadata` must be a table"):
        cluster_metadata(clustering, ["a"], column="account")
    with pytest.raises(ImagestrataError, match="`clustering` must be a Clustering"):
        cluster_metadata(clustering.images, column="account")
