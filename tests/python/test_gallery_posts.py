"""The timeline of posts in the gallery: its data, by hand, and what people do with it."""

from __future__ import annotations

import base64
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterings import draw_images, hand_made
from imagestrata import Clustering, ImagestrataError, group_clusters, image_gallery, link_posts
from imagestrata.explore.timeline import posts_content
from imagestrata.page import write_page
from pages import expect_soon
from test_gallery import data_of
from test_gallery_edits import large_content

#: Images a to h: clusters 1 (a, b, c), 2 (d, e), 3 (f, g) and the residual (h).
CLUSTERS = [1, 1, 1, 2, 2, 3, 3, -1]
#: The id of a post, its day, author, party, and its images.
POSTS = [
    ("1", "2024-01-05", "ann", "red", "ab"),  # one post that shows cluster 1 twice
    ("2", "2024-01-31", "bob", "blue", "d"),
    ("3", "2024-03-01", "ann", "red", "ad"),
    ("4", "2024-03-02", "cid", None, "f"),
    ("5", "2024-03-31", "bob", "blue", "gh"),
    ("6", None, "ann", "red", "e"),
    ("7", "2024-02-10", "ann", "red", ""),  # no image
]


@pytest.fixture
def clustering(tmp_path: Path) -> Clustering:
    return hand_made(draw_images(tmp_path / "images", CLUSTERS), CLUSTERS)


def linked(clustering: Clustering, posts: list[Any] = POSTS) -> pd.DataFrame:
    ids = dict(zip("abcdefgh", clustering.images["image_id"], strict=True))
    table = pd.DataFrame(posts, columns=["post_id", "time", "author", "party", "media"])
    table["media"] = [[ids[letter] for letter in one] for one in table["media"]]
    table["time"] = pd.to_datetime(table["time"], utc=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return link_posts(clustering, table)


def build(clustering: Clustering, out: Path, **arguments: Any) -> Path:
    arguments.setdefault("posts", linked(clustering))
    return image_gallery(clustering, out, progress=False, **arguments)


def numbers(text: str) -> list[int]:
    return np.frombuffer(base64.b64decode(text), dtype="<u4").tolist()


# ---- the data ----


def test_posts_by_time_with_their_images(clustering, tmp_path):
    data = data_of(build(clustering, tmp_path / "run", by="party", author="author"))
    posts, ids = data["posts"], data["images"]["id"]
    letters = dict(zip(clustering.images["image_id"], "abcdefgh", strict=True))
    # Posts by day: 6 (no time), 1, 2, 3, 4, 5. The first day is 5 January 2024.
    assert numbers(posts["days"]) == [0, 1, 27, 57, 58, 87]
    assert posts["first"] == (pd.Timestamp("2024-01-05") - pd.Timestamp("1970-01-01")).days
    counts = numbers(posts["counts"])
    shown = [letters[ids[place]] for place in numbers(posts["images"])]
    parts = np.split(shown, np.cumsum(counts)[:-1])
    assert ["".join(sorted(part)) for part in parts] == ["e", "ab", "d", "ad", "f", "gh"]
    assert (posts["n"], posts["unlinked"]) == (6, 1)
    group = [posts["groups"]["values"][i - 1] for i in numbers(posts["groups"]["of"])]
    assert group == ["red", "red", "blue", "red", "(none)", "blue"]
    assert posts["groups"]["values"] == ["red", "blue", "(none)"]  # the most frequent first
    author = [posts["authors"]["values"][i - 1] for i in numbers(posts["authors"]["of"])]
    assert author == ["ann", "ann", "bob", "ann", "cid", "bob"]


def test_no_account_and_no_text_is_on_the_page_unless_it_is_asked_for(clustering, tmp_path):
    posts = linked(clustering).assign(text="what they wrote")
    page = build(clustering, tmp_path / "run", posts=posts).read_text()
    for word in ("ann", "bob", "red", "what they wrote"):
        assert f'"{word}"' not in page
    assert "authors" not in data_of(build(clustering, tmp_path / "two", posts=posts))["posts"]


@pytest.mark.parametrize(
    "times",
    [
        pd.to_datetime(["2024-01-01T23:30:00-05:00", "2024-01-03T00:00:00+00:00"], utc=True),
        pd.to_datetime(["2024-01-02 04:30", "2024-01-03 00:00"]),
        ["2024-01-01T23:30:00-05:00", "2024-01-03"],
    ],
)
def test_days_are_those_of_utc(clustering, tmp_path, times):
    posts = linked(clustering, [(i, None, "x", "y", "a") for i in "12"]).assign(time=times)
    data = data_of(build(clustering, tmp_path / "run", posts=posts))["posts"]
    assert data["first"] == (pd.Timestamp("2024-01-02") - pd.Timestamp("1970-01-01")).days
    assert numbers(data["days"]) == [1, 2]


def test_images_that_are_not_on_the_page_count_in_their_cluster(clustering):
    images = clustering.images.assign(place=range(8))
    content = posts_content(
        linked(clustering), images, np.array([0, 3, 5, 7]), [1, 2, 3, -1],
        time="time", by=None, author=None,
    )  # fmt: skip
    # On the page are a, d, f, h at 0 to 3; clusters 1, 2, 3 and the residual follow.
    assert numbers(content["images"]) == [5, 0, 4, 1, 0, 1, 2, 6, 3]


def test_mistakes(clustering, tmp_path):
    posts = linked(clustering)
    for arguments, message in [
        ({"posts": posts.drop(columns="time")}, "no column 'time'.*time=None"),
        ({"by": "partei"}, "no column 'partei'; it has post_id"),
        ({"by": "post_id", "posts": many(clustering)}, "60 values; the page has at most 50 groups"),
        ({"by": "image_id"}, "3 posts have several values in the column 'image_id'"),
        ({"time": "party"}, "'party' of `posts` has no time; it has values such as 'red'"),
        ({"posts": posts[["post_id", "author", "time"]]}, "lacks the column 'image_id'"),
        ({"posts": posts.assign(image_id="zz")}, "shows no image of the clustering"),
        ({"posts": clustering}, "must be what link_posts.* not a clustering"),
        ({"posts": None, "by": "party"}, "no effect without `posts`"),
        ({"author": 5}, "author"),
    ]:
        with pytest.raises(ImagestrataError, match=rf"(?s){message}"):
            build(clustering, tmp_path / "run", **arguments)


def many(clustering: Clustering) -> pd.DataFrame:
    return linked(clustering, [(str(i), "2024-01-01", "x", "y", "a") for i in range(60)])


# ---- in the browser ----


class Timeline:
    def __init__(self, page: Any, gallery: Path, view: str = "") -> None:
        self.page = page
        page.goto(gallery.as_uri() + view)

    def facts(self, cluster: int) -> dict[str, str]:
        terms = self.page.locator(f'.card[data-cluster="{cluster}"] .facts div')
        return dict(text.split("\n", 1) for text in terms.all_inner_texts())

    def posts(self) -> dict[int, str]:
        """The number of posts beside each cluster that is shown."""
        cards = self.page.locator("[data-view]:not([hidden]) .card")
        shown = [int(card.get_attribute("data-cluster")) for card in cards.all()]
        return {number: self.facts(number)["Posts"] for number in shown}

    def says(self, caption: str | re.Pattern[str]) -> None:
        """Wait until the figure has this caption: it is drawn in answer to an event."""
        expect_soon(self.page.locator("#timeline h2")).to_have_text(caption)

    def choose(self, label: str, option: str) -> None:
        self.page.locator("#timeline").get_by_label(label, exact=True).select_option(option)

    def open_table(self) -> None:
        self.page.get_by_text("The figures as a table").click()
        self.page.locator("#timeline tbody tr").first.wait_for()

    def at(self, share: float) -> tuple[float, float]:
        """A place in the plot, as a share of the width of its bars."""
        box = self.page.locator("#plot").bounding_box()
        left = (
            52
            * box["width"]
            / self.page.locator("#plot svg").evaluate("x => x.viewBox.baseVal.width")
        )
        return box["x"] + left + share * (box["width"] - left), box["y"] + 30


@pytest.fixture
def timeline(clustering, tmp_path, visit):
    return Timeline(visit, build(clustering, tmp_path / "run", by="party", author="author"))


@pytest.mark.browser
def test_posts_beside_clusters_and_months(timeline, visit):
    assert timeline.posts() == {1: "2", 2: "3", 3: "2", -1: "1"}
    assert timeline.facts(2)["Of all posts"] == "50.0%"
    timeline.says("6 posts")
    notes = visit.locator("#timeline p").inner_text()
    assert notes == "1 post without a time. 1 post without an image of these clusters is left out."
    timeline.choose("By", "month")
    timeline.open_table()
    rows = visit.locator("#timeline tbody tr").all_inner_texts()
    assert rows == ["January 2024\t2", "February 2024\t0", "March 2024\t3"]
    timeline.choose("By", "week")
    assert "week of 1 January 2024\t1" in visit.locator("#timeline tbody tr").all_inner_texts()
    timeline.choose("By", "year")
    assert visit.locator("#timeline tbody tr").all_inner_texts() == ["2024\t5"]


@pytest.mark.browser
def test_a_month_is_chosen_and_limits_clusters_and_images(timeline, visit):
    timeline.choose("By", "month")
    visit.mouse.click(*timeline.at(0.1))
    assert timeline.posts() == {1: "1", 2: "1"}
    timeline.says("2 posts, January 2024")
    expect_soon(visit.locator(".card[data-cluster='1'] .tile")).to_have_count(2)
    expect_soon(visit.locator(".thinned")).to_have_text(
        "2 clusters are not shown: no post of January 2024 shows them."
    )
    # The view of a cluster has its images of this time, and its share of posts.
    visit.get_by_role("link", name="See 2 of 3").click()
    timeline.says("Cluster 1: 1 of 2 posts, January 2024")
    expect_soon(visit.locator("[data-view]:not([hidden]) .tile")).to_have_count(2)
    expect_soon(visit.get_by_text("Showing 2 images of posts: January 2024.")).to_be_visible()
    visit.get_by_role("button", name="Tick all shown").click()
    expect_soon(visit.locator("#count")).to_have_text("2 images ticked")
    visit.go_back()
    visit.mouse.click(*timeline.at(0.1))  # again: all posts
    assert timeline.posts() == {1: "2", 2: "3", 3: "2", -1: "1"}
    # Dragging chooses several months.
    visit.mouse.move(*timeline.at(0.5))
    visit.mouse.down()
    visit.mouse.move(*timeline.at(0.9))
    visit.mouse.up()
    timeline.says("3 posts, February 2024 to March 2024")
    assert timeline.posts() == {1: "1", 2: "1", 3: "2", -1: "1"}
    visit.get_by_role("button", name="All posts").click()
    timeline.says("6 posts")


@pytest.mark.browser
def test_the_keyboard_and_the_lists_choose_too(timeline, visit):
    timeline.choose("By", "month")
    plot = visit.get_by_role("slider", name="Time")
    plot.focus()
    visit.keyboard.press("ArrowRight")
    assert plot.get_attribute("aria-valuetext") == "January 2024: 2 posts"
    visit.keyboard.press("ArrowRight")
    assert timeline.posts() == {}
    visit.keyboard.press("Shift+ArrowRight")
    timeline.says("3 posts, February 2024 to March 2024")
    visit.keyboard.press("End")
    timeline.says("3 posts, March 2024")
    assert visit.evaluate("document.activeElement.id") == "plot"
    visit.keyboard.press("Escape")
    timeline.says("6 posts")
    timeline.choose("From", "February 2024")
    timeline.says("3 posts, February 2024 to March 2024")
    assert visit.evaluate("document.activeElement.id") != "body"
    timeline.choose("To", "February 2024")
    timeline.says("0 posts, February 2024")
    timeline.choose("From", "the beginning")
    timeline.choose("To", "the end")
    timeline.says("6 posts")
    timeline.choose("party", "blue")
    assert timeline.posts() == {2: "1", 3: "1", -1: "1"}
    timeline.says("2 posts, blue")


@pytest.mark.browser
def test_edits_are_counted(timeline, visit):
    """A merged cluster counts a post once: post 3 shows clusters 1 and 2."""
    timeline.choose("By", "month")
    visit.locator(".card[data-cluster='1'] h2 a").focus()
    visit.keyboard.press("t")
    visit.locator(".card[data-cluster='2'] h2 a").focus()
    visit.keyboard.press("t")
    visit.locator("#merge-chosen").click()
    assert timeline.posts() == {1: "4", 3: "2", -1: "1"}
    visit.goto(visit.url.split("#")[0] + "#cluster-1")
    timeline.open_table()
    rows = visit.locator("#timeline tbody tr").all_inner_texts()
    assert rows == [
        "January 2024\t2\t2\t100.0%",
        "February 2024\t0\t0\t0.0%",
        "March 2024\t1\t3\t33.3%",
    ]
    visit.goto(visit.url.split("#")[0] + "#clusters")
    visit.locator(".card[data-cluster='3'] h2 a").focus()
    visit.keyboard.press("d")
    expect_soon(visit.locator(".card[data-cluster='-1'] .facts")).to_contain_text("Posts2")
    visit.keyboard.press("u")
    visit.keyboard.press("u")
    assert timeline.posts() == {1: "2", 2: "3", 3: "2", -1: "1"}


@pytest.mark.browser
def test_who_posted_an_image_when(timeline, visit):
    visit.locator(".card[data-cluster='1'] .open").first.click()
    facts = visit.locator("#facts")
    expect_soon(facts).to_contain_text("Posts")
    while "5 January 2024: ann" not in facts.inner_text():
        visit.keyboard.press("ArrowRight")
    text = facts.inner_text()
    assert "Posted by" in text


@pytest.mark.browser
def test_hostile_texts_of_posts_are_only_text(clustering, tmp_path, visit):
    bad = '"><img src=x onerror="document.title=1">'
    posts = linked(clustering).rename(columns={"party": bad, "author": "__proto__"})
    posts[bad] = [bad, bad, "__proto__", *["constructor"] * (len(posts) - 3)]
    posts["__proto__"] = bad
    gallery = build(clustering, tmp_path / "run", posts=posts, by=bad, author="__proto__")
    timeline = Timeline(visit, gallery)
    timeline.choose(bad, "__proto__")
    timeline.says(re.compile("__proto__$"))
    timeline.choose(bad, bad)
    visit.locator("[data-view]:not([hidden]) .open").first.click()
    expect_soon(visit.locator("#facts")).to_contain_text("onerror")
    assert visit.locator("img[src='x']").count() == 0 and visit.title() != "1"


@pytest.mark.browser
def test_without_times_posts_are_counted(clustering, tmp_path, visit):
    posts = linked(clustering).drop(columns="time")
    timeline = Timeline(visit, build(clustering, tmp_path / "run", posts=posts, time=None))
    assert timeline.posts() == {1: "2", 2: "3", 3: "2", -1: "1"}
    assert visit.locator("#plot, .spark").count() == 0
    none = linked(clustering).assign(time=pd.NaT)
    timeline = Timeline(visit, build(clustering, tmp_path / "two", posts=none))
    assert "6 posts without a time" in visit.locator("#timeline").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize("width", [380, 1200])
def test_nothing_sticks_out(clustering, tmp_path, visit, width):
    visit.set_viewport_size({"width": width, "height": 800})
    Timeline(visit, build(clustering, tmp_path / "run", by="party"))
    visit.locator("#plot svg").wait_for()
    assert visit.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_many_posts_are_soon_on_the_page(tmp_path, visit):
    n, k, n_posts = 20_000, 300, 100_000
    rng = np.random.default_rng(0)
    content = large_content(n, k, rng)
    images = pd.DataFrame(
        {"image_id": content["images"]["id"], "cluster": content["images"]["cluster"]}
    )
    time = pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(
        rng.integers(0, 1500, n_posts), unit="D"
    )
    post = np.concatenate([np.arange(n_posts), rng.integers(0, n_posts, n_posts // 2)])
    shown = images["image_id"].to_numpy()[rng.integers(0, n, len(post))]
    posts = pd.DataFrame({"post_id": post.astype(str), "image_id": shown, "time": time[post]})
    content["posts"] = posts_content(
        posts, images, np.arange(n), [*range(1, k + 1)], time="time", by=None, author=None
    )
    page = write_page(tmp_path / "index.html", "gallery", content, title="", summary="")
    visit.goto(page.as_uri())
    assert visit.locator("#timeline h2").inner_text() == "100,000 posts"
    assert visit.locator(".card").count() == 300 and visit.locator(".spark").count() == 300
    visit.locator("#plot").focus()
    visit.keyboard.press("End")
    expect_soon(visit.locator("#timeline h2")).to_contain_text(" 2024")


@pytest.mark.browser
def test_themes_without_such_posts_have_no_heading(clustering, tmp_path, visit):
    topics = group_clusters(clustering, n=3, names={i: f"Theme {i}" for i in (1, 2, 3)})
    timeline = Timeline(visit, build(topics, tmp_path / "run"))
    timeline.choose("By", "month")
    headings = visit.locator("h2.theme")
    expect_soon(headings).to_have_count(4)
    timeline.choose("To", "January 2024")
    expect_soon(headings).to_have_count(2)
    # After an edit, too: clusters 1 and 2 are one, and no post of January shows cluster 3.
    for number in (1, 2):
        visit.locator(f".card[data-cluster='{number}'] .tools input").check()
    visit.locator("#merge-chosen").click()
    expect_soon(headings).to_have_count(1)
    assert timeline.posts() == {1: "2"}
