"""Metadata of clusters: worked by hand, then properties, then bad input."""

from __future__ import annotations

import shutil
import time
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterings import draw_images, hand_made
from imagestrata import (
    Clustering,
    ImagestrataError,
    cluster_images,
    cluster_keywords,
    cluster_metadata,
    embed_images,
    link_posts,
    scan_images,
    score_clustering,
)
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


SCAN = pd.DataFrame(
    [
        # image_id, path, status, reason, duplicate_of, account
        ("aa", "/c/a.jpg", "ok", None, None, "x"),
        ("bb", "/c/b.jpg", "ok", None, None, "x"),
        ("cc", "/c/c.jpg", "ok", None, None, "y"),
        ("dd", "/c/d.jpg", "duplicate", "same pixels", "aa", "y"),
        ("ee", "/d/twin.jpg", "duplicate", "same pixels", "bb", "z"),
        ("ff", "/e/twin.jpg", "duplicate", "same pixels", "bb", "z"),
        ("gg", "/c/g.jpg", "rejected", "not an image", None, "z"),
    ],
    columns=["image_id", "path", "status", "reason", "duplicate_of", "account"],
)
#: aa is in cluster 1, bb in cluster 2, cc in the residual.
SHOWN = hand_made(
    ["/c/a.jpg", "/c/b.jpg", "/c/c.jpg"], [1, 2, -1], image_id=["aa", "bb", "cc"],
    account=["x", "x", "y"],
)  # fmt: skip
POSTS = pd.DataFrame(
    {
        "post_id": ["1", "2", "3", "4", "5"],
        "author": ["ann", "ann", "ben", None, "ben"],
        "media": [["a.jpg", "b.jpg"], ["d.jpg", "a.jpg"], ["twin.jpg"], ["c.jpg"], ["g.jpg"]],
        "tags": [["#u", "#v", "#u"], ["#u"], ["#v"], ["#u"], ["#w"]],
        "time": pd.to_datetime(
            ["2024-01-01 23:30", "2024-01-07", "2024-01-08", "2024-02-29", "2024-03-01"],
            format="ISO8601",
        ).tz_localize("UTC"),
        "text": ["cat cat", "cat dog", "dog", "tree", "bird"],
    }
)


def linked_posts():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return link_posts(SHOWN, POSTS, images=SCAN)


def of_posts(column="tags", **options):
    with pytest.warns(UserWarning, match="1 of 5 posts in `metadata` show no image"):
        return cluster_metadata(SHOWN, linked_posts(), column=column, **options)


def test_posts_are_counted_once_for_each_cluster_that_they_show():
    """Posts 1 and 2 show cluster 1, 1 and 3 cluster 2, and 4 the residual; 5 shows nothing."""
    table = of_posts(unit="post")
    columns = ["cluster", "size", "value", "n_images", "n_posts", "n"]
    assert table[columns].values.tolist() == [
        [1, 1, "#u", 1, 2, 2],
        [1, 1, "#v", 1, 1, 2],
        [2, 1, "#v", 1, 2, 2],
        [2, 1, "#u", 1, 1, 2],
        [-1, 1, "#u", 1, 1, 1],
    ]
    assert table["share_corpus"].tolist() == [3 / 4, 2 / 4, 2 / 4, 3 / 4, 3 / 4]
    assert (table["unit"] == "post").all()
    assert (table["lift_low"] <= table["lift"]).all()
    assert (table["lift"] <= table["lift_high"] + 1e-12).all()
    # The posts that do not show the cluster are those with which it is compared.
    low, high = ratio_interval([2], [2], [1], [2])
    assert table["lift_low"][0] == pytest.approx(1 / (0.5 + 0.5 / low[0]))
    assert table["lift_high"][0] == pytest.approx(1 / (0.5 + 0.5 / high[0]))
    images = of_posts()
    assert images[["cluster", "value", "n_images", "n"]].values.tolist() == [
        [1, "#v", 1, 1], [1, "#u", 1, 1], [2, "#v", 1, 1], [2, "#u", 1, 1], [-1, "#u", 1, 1],
    ]  # fmt: skip


def test_authors_are_counted_once():
    with pytest.warns(UserWarning, match="1 of 6 rows of `metadata` have no 'author'"):
        table = cluster_metadata(
            SHOWN, linked_posts().dropna(subset="image_id"), column="tags", unit="author"
        )
    assert table[["cluster", "value", "n_authors", "n"]].values.tolist() == [
        [1, "#u", 1, 1], [1, "#v", 1, 1], [2, "#v", 2, 2], [2, "#u", 1, 2],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("period", "values"),
    [
        (None, ["2024-01-01", "2024-01-07", "2024-01-08", "2024-02-29"]),
        ("week", ["2024-01-01", "2024-01-01", "2024-01-08", "2024-02-26"]),
        ("month", ["2024-01", "2024-01", "2024-01", "2024-02"]),
        ("year", ["2024", "2024", "2024", "2024"]),
    ],
)
def test_days_weeks_months_and_years_of_times(period, values):
    table = of_posts("time", unit="post", period=period)
    counts = {(row["cluster"], row["value"]): row["n_posts"] for row in table.to_dict("records")}
    one, two, three, four = values
    assert counts == dict(Counter([(1, one), (2, one), (1, two), (2, three), (-1, four)]))
    # Times as text, as in a CSV file, are read where a period is asked for.
    texts = linked_posts().assign(time=lambda t: t["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    with pytest.warns(UserWarning, match="show no image"):
        other = cluster_metadata(SHOWN, texts, column="time", unit="post", period=period or "day")
    pd.testing.assert_frame_equal(other, table)


def test_a_day_is_one_in_the_time_zone_of_the_column():
    posts = linked_posts().dropna(subset="image_id")
    posts["time"] = posts["time"].dt.tz_convert("Asia/Tokyo")
    found = cluster_metadata(SHOWN, posts, column="time", unit="post")
    assert found["value"].min() == "2024-01-02"
    posts["time"] = posts["time"].dt.date
    assert found.equals(cluster_metadata(SHOWN, posts, column="time", unit="post"))


def test_what_a_copy_has_counts_for_the_image_that_was_kept():
    table = SCAN.loc[:5, ["path", "account"]].assign(path=lambda t: t["path"].str[-9:])
    found = cluster_metadata(SHOWN, table, column="account", images=SCAN)
    assert found[["cluster", "value", "n_images"]].values.tolist() == [
        [1, "x", 1], [1, "y", 1], [2, "z", 1], [2, "x", 1], [-1, "y", 1],
    ]  # fmt: skip
    # twin.jpg is in two folders, but both files are copies of one image.
    by_name = pd.DataFrame({"file": ["twin.jpg"], "account": ["q"]})
    assert cluster_metadata(SHOWN, by_name, column="account", images=SCAN)["cluster"].item() == 2
    # Without a table, the copies of the scan count as long as the column is the scan's.
    pd.testing.assert_frame_equal(cluster_metadata(SHOWN, column="account", images=SCAN), found)
    recoded = hand_made(
        SHOWN.images["path"], [1, 2, -1], image_id=["aa", "bb", "cc"], account=["X", "X", "Y"]
    )
    alone = cluster_metadata(recoded, column="account", images=SCAN)
    assert alone["value"].tolist() == ["X", "X", "Y"]
    with pytest.warns(UserWarning, match="identify no image") as caught:
        cluster_metadata(SHOWN, table, column="account")
    assert "scan_images" in str(caught[0].message.hint)


def test_the_scan_of_the_run_folder_is_asked_for_copies(tmp_path):
    paths = draw_images(tmp_path / "images", [1, 1, 2, 2])
    copy = shutil.copy(paths[0], tmp_path / "images" / "copy.png")
    posts = pd.DataFrame({"path": [*paths, copy], "account": list("abcde")})
    run = tmp_path / "run"
    scan = scan_images(posts, out=run, progress=False)
    topics = cluster_images(
        embed_images(scan, encoder="hog", out=run, progress=False),
        method="kmeans", n_clusters=2, out=run, progress=False,
    )  # fmt: skip
    expected = {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}
    kept = scan.loc[scan["status"] == "duplicate", "duplicate_of"].item()
    of_kept = topics.images.set_index("image_id")["cluster"][kept]
    for one in (topics, Clustering.load(run)):
        for table in (None, posts):
            found = cluster_metadata(one, table, column="account")
            assert found.groupby("value")["n_images"].sum().to_dict() == expected
            assert found.set_index("value")["cluster"]["e"] == of_kept
            joined = one.augment(posts.rename(columns={"account": "whose"}))
            assert joined.set_index("whose")["cluster"]["e"] == of_kept
            truth = posts.assign(label="same")
            assert set(score_clustering(one, truth)["n_images"]) == {4}


def test_whole_numbers_with_missing_ones_stay_whole():
    clustering = hand_made([None] * 3, [1, 1, 2], wave=[1.0, None, 2.0])
    table = cluster_metadata(clustering, column="wave")
    assert table["value"].tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "tweet"}, "`unit` must be one of"),
        ({"unit": "post"}, "`metadata` must have the column 'post_id'"),
        ({"unit": "author"}, "`metadata` must have the column 'author'"),
        ({"unit": "author", "author": 3}, "`author` must be the name"),
        ({"period": "hour"}, "`period` must be one of"),
        ({"period": "day"}, "`period` needs times, but 2 of 2 values in the column 'account'"),
        ({"images": "nowhere"}, "There is no run folder 'nowhere'"),
        ({"images": "."}, "no scan of images in "),
        ({"images": pd.DataFrame({"path": ["a"]})}, "`images` must be the result of"),
    ],
)
def test_bad_units(options, message):
    table = pd.DataFrame({"image_id": ["aa", "bb"], "account": ["x", "y"]})
    with pytest.raises(ImagestrataError, match=message):
        cluster_metadata(SHOWN, table, column="account", **options)


def test_a_million_posts_in_seconds():
    rng = np.random.default_rng(3)
    n = 1_000_000
    clusters = rng.integers(1, 300, 20_000)
    topics = hand_made([None] * len(clusters), clusters.tolist())
    ids = topics.images["image_id"].to_numpy()
    posts = pd.DataFrame(
        {
            "post_id": np.arange(n).astype(str),
            "image_id": ids[rng.integers(0, len(ids), n)],
            "unmatched": pd.Series([None] * n, dtype="str"),
            "tags": np.array([f"#a{i} #b{i % 7}" for i in range(500)])[rng.integers(0, 500, n)],
        }
    )
    start = time.perf_counter()
    cluster_metadata(topics, posts, column="tags", separator=" ", unit="post")
    cluster_keywords(topics, posts, column="tags", unit="post")
    assert time.perf_counter() - start < 60


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
