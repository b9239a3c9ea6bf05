"""Posts find the clusters of their images, by any name and through copies."""

from __future__ import annotations

import time
import unicodedata
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    edit_clusters,
    group_clusters,
    link_posts,
    rating_means,
    read_ratings,
    sample_images,
    scan_images,
)

FILES = [
    # image_id, path, status, reason, duplicate_of
    ("aa", "/corpus/x/Photo.jpg", "ok", None, None),
    ("bb", "/corpus/x/café.png", "ok", None, None),
    ("cc", "/corpus/x/same.jpg", "ok", None, None),
    ("dd", "/corpus/y/same.jpg", "ok", None, None),
    ("ee", "/corpus/y/twin.jpg", "duplicate", "same pixels", "aa"),
    ("ff", "/corpus/z/twin.jpg", "duplicate", "same pixels", "aa"),
    ("gg", "/corpus/z/tiny.gif", "rejected", "side shorter than min_side", None),
    ("hh", "/corpus/z/unembedded.jpg", "ok", None, None),
]
SCAN = pd.DataFrame(FILES, columns=["image_id", "path", "status", "reason", "duplicate_of"])


def clustered():
    """Images aa and bb in cluster 1, cc and dd in cluster 2; hh has no vector."""
    points = Embeddings.from_arrays([[0.0], [0.1], [9.0], [9.1]], ["aa", "bb", "cc", "dd"])
    found = cluster_images(points, method="kmeans", n_clusters=2, progress=False)
    first = found.images.loc[found.images["image_id"] == "aa", "cluster"].iloc[0]
    return found, {"aa": first, "bb": first, "cc": 3 - first, "dd": 3 - first}


TOPICS, NUMBER = clustered()


def linked(posts, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return link_posts(TOPICS, posts, **{"images": SCAN} | options)


def of_names(names, **options):
    posts = pd.DataFrame({"post_id": [f"p{i}" for i in range(len(names))], "media": names})
    table = linked(posts, **options)
    return table["image_id"].where(table["image_id"].notna(), table["unmatched"]).tolist()


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("aa", "aa"),
        ("ee", "aa"),  # the id of a copy
        ("/corpus/x/Photo.jpg", "aa"),
        ("x/Photo.jpg", "aa"),
        ("x\\Photo.jpg", "aa"),
        ("./x//Photo.jpg", "aa"),
        ("photo.JPG", "aa"),
        ("Photo", "aa"),
        ("photo.png", "aa"),
        ("Photo.jpg?name=large", "aa"),
        ("https://cdn.org/m/Photo.jpg?name=large#top", "aa"),
        ("https://cdn.org/m/Photo?format=jpg&name=large", "aa"),
        ("https://cdn.org/m/Photo.jpg:large", "aa"),
        ("https://cdn.org/m/caf%C3%A9.png", "bb"),
        (unicodedata.normalize("NFD", "café.png"), "bb"),
        ("twin.jpg", "aa"),  # two files, copies of one image
        ("x/same.jpg", "cc"),
        ("same.jpg", "ambiguous"),
        ("SAME", "ambiguous"),
        ("w/Photo.jpg", "not in the scan"),  # folders must agree
        ("hoto.jpg", "not in the scan"),
        ("Photo.mp4", "not in the scan"),
        ("tiny.gif", "rejected: side shorter than min_side"),
        ("unembedded.jpg", "not in the clustering"),
        ("", "no image"),
        (None, "no image"),
        (float("nan"), "no image"),
        ([], "no image"),
    ],
)
def test_a_name_finds_its_image(name, image):
    assert of_names([name, "bb"]) == [image, "bb"]


def test_strict_comparisons_come_first():
    scan = pd.DataFrame(
        [("aa", "/c/a.jpg", "ok", None, None), ("bb", "/c/A.jpg", "ok", None, None)],
        columns=SCAN.columns,
    )
    names = ["a.jpg", "A.jpg", "A.JPG", "a"]
    assert of_names(names, images=scan) == ["aa", "bb", "ambiguous", "ambiguous"]


def test_an_extension_is_ignored_only_if_posts_use_one_of_them():
    assert of_names(["Photo.png", "Photo", "bb"]) == ["aa", "aa", "bb"]
    assert of_names(["Photo.png", "Photo.jpg"]) == ["ambiguous", "aa"]


def test_addresses_that_end_in_the_same_name_are_ambiguous():
    one = ["https://a.org/1/photo.jpg", "http://b.org/1/photo.jpg?x=1"]
    assert of_names(one) == ["aa", "aa"]
    assert of_names([*one, "https://a.org/2/photo.jpg", "bb"])[:3] == ["ambiguous"] * 3


@pytest.mark.parametrize(
    "cell",
    [
        ["Photo.jpg", "café.png"],
        ("Photo.jpg", "café.png"),
        np.array(["Photo.jpg", "café.png"], dtype=object),
        "Photo.jpg,café.png",
        "Photo.jpg; café.png",
        "Photo.jpg|café.png",
        "Photo.jpg\ncafé.png",
        '["Photo.jpg", "café.png"]',
        "['Photo.jpg', 'café.png']",
        "https://a.org/Photo.jpg,https://a.org/café.png",
    ],
)
def test_several_images_in_a_cell(cell):
    posts = pd.DataFrame({"post_id": ["1", "2"], "media": [cell, "bb"], "party": ["x", "y"]})
    table = linked(posts)
    assert table["post_id"].tolist() == ["1", "1", "2"]
    assert table["image_id"].tolist() == ["aa", "bb", "bb"]
    assert table["party"].tolist() == ["x", "x", "y"]
    assert table["n_posts"].tolist() == [1, 2, 2]


def test_separators_are_tried_only_where_they_help():
    assert of_names(["Summer, at sea", "bb"])[0] == "not in the scan"
    assert len(of_names(["x.jpg,y.jpg", "bb"])) == 3
    assert of_names(["aa bb"], separator=" ") == ["aa", "bb"]
    scan = SCAN.assign(path=SCAN["path"].str.replace("Photo", "one, two"))
    assert of_names(["one, two.jpg"], images=scan) == ["aa"]


def test_the_table_and_the_report():
    posts = pd.DataFrame(
        {
            "post_id": [12345678901234567, 2, 2, 3, 4],
            "file": ["Photo.jpg", "twin.jpg", "twin.jpg", "same.jpg", None],
            "cluster": [9, 9, 9, 9, 9],
            "party": list("abcde"),
        }
    )
    with pytest.warns(UserWarning) as caught:
        table = link_posts(TOPICS, posts, images=SCAN)
    texts = [str(one.message) for one in caught]
    assert len(texts) == 2  # one for the renamed column
    assert "2 of 5 rows (2 posts) have no image of the clustering" in texts[0]
    assert "ambiguous, 1 row of 1 post (same.jpg); no image, 1 row of 1 post" in texts[0]
    assert list(table.columns) == [
        "post_id", "image_id", "cluster", "cluster_name", "n_posts", "unmatched",
        "file", "cluster_given", "party",
    ]  # fmt: skip
    assert table["post_id"].tolist() == ["12345678901234567", "2", "2", "3", "4"]
    assert table["cluster"].tolist()[:3] == [NUMBER["aa"]] * 3
    assert table["cluster"].isna().tolist() == [False] * 3 + [True] * 2
    assert table["n_posts"].tolist()[:3] == [2, 2, 2]  # posts, not rows
    assert table.attrs["unmatched"] == [
        {"reason": "ambiguous", "n": 1, "n_posts": 1, "examples": "same.jpg"},
        {"reason": "no image", "n": 1, "n_posts": 1, "examples": ""},
    ]
    pd.concat([table, table])  # attrs do not stand in the way


def test_the_column_of_ids_stays_if_it_differs():
    posts = pd.DataFrame({"post_id": ["1", "2"], "image_id": ["ee", "bb"]})
    assert linked(posts)["image_id_given"].tolist() == ["ee", "bb"]
    assert "image_id_given" not in linked(posts[1:])


def test_names_of_clusters_follow():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        named = edit_clusters(TOPICS, names={int(NUMBER["aa"]): "Protest"})
        table = link_posts(named, pd.DataFrame({"post_id": ["1", "2"], "media": ["aa", "cc"]}))
    assert table["cluster_name"].fillna("-").tolist() == ["Protest", "-"]


def test_the_run_folder_has_the_copies(tmp_path):
    from PIL import Image

    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    for i, colour in enumerate(["red", "green", "blue", "white"]):
        Image.new("RGB", (32, 32), colour).save(folder / f"{i}.png")
    Image.new("RGB", (32, 32), "red").save(folder / "more" / "again.bmp")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    options = {"encoder": "hog", "method": "kmeans", "n_clusters": 2, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        topics = cluster_images(folder, out=tmp_path / "run", **options)
        posts = pd.DataFrame({"post_id": list("abc"), "file": ["0.png", "again.bmp", "broken.jpg"]})
        table = link_posts(topics, posts)
        assert table["image_id"].nunique() == 1 and table["image_id"].notna().sum() == 2
        assert table["unmatched"].iloc[2].startswith("rejected: ")
        edited = edit_clusters(topics, merge=[1, 2], out=tmp_path / "run")
        for later in (edited, Clustering.load(tmp_path / "run")):
            assert link_posts(later, posts)["cluster"].dropna().tolist() == [1, 1]
        lone = cluster_images(folder, **options)
    with pytest.warns(UserWarning, match="no run folder with a scan"):
        link_posts(lone, posts)
    assert link_posts(topics, posts[:2], images=tmp_path / "run")["cluster"].notna().all()


def test_posts_are_the_unit_of_weights():
    """Three posts show aa, one by a copy, one twice; one shows bb; the image of one is unknown."""
    topics, _ = clustered()
    posts = pd.DataFrame(
        {"post_id": [1, 2, 3, 4, 4, 5], "media": ["aa", "ee", "bb", "aa", "ff", "no.jpg"]}
    )
    table = linked(posts)
    drawn = sample_images(topics, n_per_cluster=1, shares=table)
    shown = {"aa": 3, "bb": 1, "cc": 0, "dd": 0}
    assert drawn["n_posts"].tolist() == drawn["image_id"].map(shown).tolist()
    # One of two images was drawn.
    assert drawn["weight_share"].tolist() == (2 * drawn["n_posts"]).tolist()
    own = topics.images.assign(n_posts=topics.images["image_id"].map(shown))
    pd.testing.assert_frame_equal(drawn, sample_images(own, n_per_cluster=1, shares="n_posts"))
    fewer = sample_images(topics, n_per_cluster=1, shares=table[table["post_id"] != "4"])
    shown["aa"] = 2
    assert fewer["n_posts"].tolist() == fewer["image_id"].map(shown).tolist()
    for shares in (posts, TOPICS, 5, None):
        with pytest.raises(ImagestrataError, match=r"(?s)`shares` .*link_posts"):
            sample_images(topics, shares=shares)
    with pytest.raises(ImagestrataError, match="shows no image of the clustering"):
        sample_images(topics, shares=table.assign(image_id="zz"))
    with pytest.warns(UserWarning, match="1 of 2 images .* not in the clustering, 'bb'"):
        sample_images(topics.images[topics.images["image_id"] != "bb"], 1, shares=table)


def test_means_weighted_by_posts():
    """Images aa, bb (cluster A) and cc, dd (cluster B), all drawn but one by cluster."""
    topics, number = clustered()
    posts = pd.DataFrame({"post_id": range(6), "media": ["aa"] * 3 + ["bb", "cc", "dd"]})
    drawn = sample_images(topics, budget=4, allocation="proportional", shares=linked(posts))
    assert {*drawn["image_id"]} == {"aa", "bb", "cc", "dd"}
    value = {"aa": 1.0, "bb": 5.0, "cc": 3.0, "dd": 7.0}
    rows = drawn[["image_id"]].assign(respondent_id="r", group="D", item="angry")
    rows["rating"] = rows["image_id"].map(value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ratings = read_ratings(rows, drawn, items=["angry"])
        means = rating_means(ratings, None, weight="share", variance="image")
        by_cluster = rating_means(ratings, ["cluster"], weight="share", variance="image")
    assert means["estimate"].tolist() == pytest.approx([(3 * 1 + 5 + 3 + 7) / 6])
    found = by_cluster.set_index("cluster")["estimate"]
    assert found[number["aa"]] == pytest.approx(8 / 4) and found[number["cc"]] == 5


class TestAfterEdits:
    """Clusters are merged, renamed and dropped after the posts were linked."""

    posts = pd.DataFrame(
        {
            "post_id": list("12345"),
            "media": ["aa", ["bb", "cc"], "dd", None, "hh"],
            "party": list("xyzxy"),
        }
    )

    def test_linked_posts_get_the_edited_clusters(self):
        before = linked(self.posts)
        topics = edit_clusters(TOPICS, merge=[1, 2], names={1: "Both"})
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what was told is not told again
            after = link_posts(topics, before)
        assert after["cluster"].tolist()[:4] == [1] * 4
        assert after["cluster_name"].tolist()[:4] == ["Both"] * 4
        assert after["unmatched"].tolist()[4:] == ["no image", "not in the clustering"]
        same = [*before.columns.drop(["cluster", "cluster_name"])]
        pd.testing.assert_frame_equal(after[same], before[same])
        assert [*after] == [*before]
        again = linked(before)
        pd.testing.assert_frame_equal(again, before)
        # The posts themselves give the same, and so does the name of their column.
        fresh = linked(self.posts, images=SCAN)
        assert fresh.equals(before) and linked(before, by="media").equals(before)

    def test_posts_are_counted_anew(self):
        before = linked(pd.DataFrame({"post_id": list("123"), "media": ["aa", "aa", "bb"]}))
        assert linked(before[1:])["n_posts"].tolist() == [1, 1]

    def test_themes_follow(self):
        topics = group_clusters(TOPICS, 1, names={1: "All"})
        after = link_posts(topics, linked(self.posts[:3]))
        assert after["theme_name"].tolist() == ["All"] * 4
        assert "theme" not in linked(after)

    def test_ids_that_were_given_stay(self):
        before = linked(pd.DataFrame({"post_id": ["1", "2"], "image_id": ["ee", "bb"]}))
        pd.testing.assert_frame_equal(linked(before), before)

    def test_images_of_other_clusters(self):
        other = Embeddings.from_arrays([[0.0], [0.1], [9.0]], ["aa", "bb", "x"])
        topics = cluster_images(other, method="kmeans", n_clusters=2, progress=False)
        with pytest.warns(UserWarning, match=r"2 of 4 rows .* not in the scan, .*\(cc, dd\)"):
            after = link_posts(topics, linked(self.posts))
        assert after["image_id"].fillna("-").tolist() == ["aa", "bb", "-", "-", "-", "-"]
        assert after["unmatched"].tolist()[2] == "not in the scan"
        assert linked(after)["image_id_given"].fillna("-").tolist()[2:4] == ["cc", "dd"]


@pytest.mark.parametrize(
    ("posts", "options", "message"),
    [
        (["a"], {}, "must be a table with the column 'post_id', not a list"),
        (
            pd.DataFrame({"id": ["1"], "media": ["aa"]}),
            {},
            "lacks the column 'post_id'; it has 'id'",
        ),
        (pd.DataFrame({"post_id": [], "media": []}), {}, "has no rows"),
        (pd.DataFrame({"post_id": ["1"], "photo": ["aa"]}), {}, "none of the columns 'media'"),
        (pd.DataFrame({"post_id": ["1"], "media": ["aa"]}), {"by": "foto"}, "not 'foto'"),
        (pd.DataFrame({"post_id": ["1", None], "media": ["aa", "aa"]}), {}, "1 of 2 rows .* row 2"),
        (pd.DataFrame({"post_id": [1.5e18], "media": ["aa"]}), {}, "may have lost digits"),
        (
            pd.DataFrame({"post_id": ["1"], "media": ["q.jpg"]}),
            {},
            "No row .* not in the scan, 1 r",
        ),
        (pd.DataFrame({"post_id": ["1"], "media": ["aa"]}), {"separator": ""}, "between names"),
        (pd.DataFrame({"post_id": ["1"], "media": ["aa"]}), {"images": [1]}, "scan_images"),
    ],
)
def test_bad_input(posts, options, message):
    with pytest.raises(ImagestrataError, match=message):
        linked(posts, **options)
    with pytest.raises(ImagestrataError, match="`topics` must be a Clustering"):
        link_posts(TOPICS.images, pd.DataFrame())


NAMES = st.sampled_from(["aa", "ee", "Photo.jpg", "x/same.jpg", "same.jpg", "tiny.gif", "no.jpg"])


@settings(max_examples=40, deadline=None)
@given(
    cells=st.lists(st.lists(NAMES, max_size=3), min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_any_order_gives_the_same_links_and_no_post_is_lost(cells, order):
    cells = [*cells, ["bb"]]
    posts = pd.DataFrame({"post_id": [f"p{i}" for i in range(len(cells))], "media": cells})
    table = linked(posts)
    assert {*table["post_id"]} == {*posts["post_id"]}
    assert len(table) == sum(max(len(cell), 1) for cell in cells)
    assert (table["image_id"].isna() == table["unmatched"].notna()).all()
    rows, files = [*range(len(cells))], [*range(len(SCAN))]
    order.shuffle(rows)
    order.shuffle(files)
    again = linked(posts.iloc[rows], images=SCAN.iloc[files])
    key = ["post_id", "media", "image_id", "cluster", "unmatched", "n_posts"]

    def comparable(one):
        return sorted(map(tuple, one[key].astype(str).to_numpy().tolist()))

    assert comparable(table) == comparable(again)


def test_many_posts_are_linked_without_loops_over_rows():
    n = 100_000
    posts = pd.DataFrame({"post_id": np.arange(n), "media": np.resize(["aa", "twin.jpg", "cc"], n)})
    begin = time.process_time()
    table = linked(posts)
    assert time.process_time() - begin < 10
    assert table["image_id"].value_counts().to_dict() == {"aa": 66_667, "cc": 33_333}


def test_a_table_of_images_may_repeat_files(tmp_path):
    from PIL import Image

    for name, colour in [("a", "red"), ("b", "blue")]:
        Image.new("RGB", (32, 32), colour).save(tmp_path / f"{name}.png")
    a, b = (str(tmp_path / f"{name}.png") for name in "ab")
    table = pd.DataFrame({"path": [a, b, a], "place": ["x", "y", "x"], "author": list("kkl")})
    with pytest.warns(UserWarning, match="1 of 3 rows .* other values in 'author'"):
        scanned = scan_images(table, progress=False)
    assert scanned["path"].tolist() == [a, b] and scanned["place"].tolist() == ["x", "y"]
    assert "author" not in scanned
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scan_images(table[["path", "place"]], progress=False)
