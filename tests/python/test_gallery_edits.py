"""Clusters are edited on the page of the gallery; its file makes the same clusters elsewhere."""

from __future__ import annotations

import csv
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterings import draw_images, hand_made
from commands import call
from images import write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    edit_clusters,
    embed_images,
    image_gallery,
    propose_names,
    sample_images,
)
from imagestrata.explore import gallery as gallery_module
from imagestrata.explore import similar as similar_module
from imagestrata.explore.similar import near_clusters, nearest_images
from imagestrata.page import write_page
from imagestrata.rows import Rows
from imagestrata.sampling.sample import read_sample
from test_gallery import data_of

# Cluster 1 has a to e, cluster 2 f to h, cluster 3 i and j, cluster 4 k and l; m is the residual.
LETTERS = "abcdefghijklm"
CLUSTERS = [1] * 5 + [2] * 3 + [3] * 2 + [4] * 2 + [-1]
#: Clusters 1 and 4 are close to each other, 2 and 3 as well.
PLACES = {1: (0, 0), 4: (1, 0), 2: (9, 9), 3: (9, 7), -1: (20, 0)}


def clustered(folder: Path, **columns: Any) -> Clustering:
    """Thirteen images with letters as ids, the first of each cluster the most typical."""
    paths = draw_images(folder / "images", CLUSTERS)
    clustering = hand_made(paths, CLUSTERS, image_id=[*LETTERS], **columns)
    places = [np.add(PLACES[c], (0, i / 50)) for i, c in enumerate(CLUSTERS)]
    vectors = Embeddings(
        clustering.images[["image_id", "path"]], np.array(places, "float32"), {"name": "hog"}
    )
    centroids = np.array([PLACES[c] for c in (1, 2, 3, 4)], "float32")
    return replace(clustering, centroids=centroids, source=vectors)


@pytest.fixture
def clustering(tmp_path):
    return clustered(tmp_path)


def build(clustering: Clustering, out: Path, **arguments: Any) -> Path:
    return image_gallery(clustering, out, progress=False, **arguments)


def groups(clustering: Clustering) -> dict[int, str]:
    found = clustering.images.groupby("cluster")["image_id"]
    return {int(number): "".join(sorted(ids)) for number, ids in found}


def names(clustering: Clustering) -> dict[int, str]:
    named = clustering.clusters.dropna(subset=["cluster_name"])
    return dict(zip(named["cluster"], named["cluster_name"], strict=True))


class Editor:
    """The page, and the file that it hands out."""

    def __init__(self, page: Any, gallery: Path, view: str = "") -> None:
        self.page = page
        self.gallery = gallery
        self.page.goto(gallery.as_uri() + view)

    def card(self, number: int) -> Any:
        return self.page.locator(f'.card[data-cluster="{number}"]')

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def go_to(self, number: int) -> None:
        """To the heading of a cluster, with the keyboard."""
        self.card(number).locator("h2 a").focus()

    def name(self, number: int, text: str) -> None:
        self.go_to(number)
        self.press("n")
        self.page.keyboard.insert_text(text)
        self.press("Enter")

    def file(self) -> Path:
        if self.page.locator("#edits").is_hidden():
            self.page.get_by_role("button", name="Edits (").click()
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name="Download edits").click()
        assert download.value.suggested_filename == "edits.csv"
        path = self.gallery.parent / "downloaded.csv"
        download.value.save_as(path)
        return path

    def rows(self) -> list[dict[str, str]]:
        with self.file().open(newline="", encoding="utf-8") as file:
            return [*csv.DictReader(file)]

    def similar(self, number: int, n: int) -> list[str]:
        """Numbers of the n similar clusters beside one, which are drawn when it comes near."""
        near = self.card(number).locator(".near")
        near.nth(n - 1).wait_for()
        return near.evaluate_all("all => all.map((a) => a.dataset.cluster)")

    def sentences(self) -> list[str]:
        return self.page.locator("#list li p").all_inner_texts()


@pytest.fixture
def editor(clustering, tmp_path, visit):
    return Editor(visit, build(clustering, tmp_path / "run"))


def applied(clustering: Clustering, editor: Editor) -> Clustering:
    """What edit_clusters() makes of the file of the page."""
    return edit_clusters(clustering, edits=editor.file())


# ---- every action, from the browser to the edited clustering ----


@pytest.mark.browser
def test_names(clustering, editor, visit):
    from playwright.sync_api import expect

    editor.name(2, "  Street \t protest ")
    expect(editor.card(2).locator("h2")).to_have_text("Street protest")
    expect(editor.card(2).locator(".number")).to_have_text("Cluster 2")
    editor.name(3, "Other")
    editor.name(3, "")
    expect(editor.card(3).locator("h2")).to_have_text("Cluster 3")
    # Escape leaves the name as it is, and the focus is back at the heading.
    editor.go_to(2)
    editor.press("n", "z", "Escape")
    expect(visit.locator(":focus")).to_have_text("Street protest")
    assert [row["action"] for row in editor.rows()] == ["name"] * 3
    topics = applied(clustering, editor)
    assert names(topics) == {2: "Street protest"}
    assert groups(topics) == groups(clustering)


@pytest.mark.browser
def test_merge_by_ticking(clustering, editor, visit):
    from playwright.sync_api import expect

    editor.name(3, "Cats")
    for number in (4, 3, 2):
        editor.go_to(number)
        editor.press("t")
    expect(visit.locator("#n-chosen")).to_have_text("3 clusters ticked")
    visit.get_by_role("button", name="Merge", exact=True).click()
    expect(editor.card(3)).to_have_count(0)
    expect(editor.card(2).locator("h2")).to_have_text("Cats")
    assert editor.card(2).locator("dd").all_inner_texts()[:2] == ["7", "53.8%"]
    # Its images are shown together, the most typical first.
    assert titles(visit, 2) == "fghijkl"
    topics = applied(clustering, editor)
    assert groups(topics) == {-1: "m", 1: "abcde", 2: "fghijkl"}
    assert names(topics) == {2: "Cats"}


@pytest.mark.browser
def test_merge_by_dragging(clustering, editor, visit):
    from playwright.sync_api import expect

    visit.set_viewport_size({"width": 1200, "height": 1600})  # both are in view
    editor.card(4).locator("h2 a").drag_to(editor.card(1).locator(".facts"))
    expect(editor.card(4)).to_have_count(0)
    # Dragging takes all ticked clusters along.
    for number in (2, 3):
        editor.card(number).get_by_role("checkbox", name=f"Choose Cluster {number}").check()
    editor.card(2).locator("h2 a").drag_to(editor.card(1).locator(".facts"))
    expect(editor.card(2)).to_have_count(0)
    assert editor.sentences() == [
        "Clusters 1 and 4 are one cluster",
        "Clusters 1, 2 and 3 are one cluster",
    ]
    assert groups(applied(clustering, editor)) == {-1: "m", 1: "abcdefghijkl"}


@pytest.mark.browser
def test_merge_with_a_similar_cluster(clustering, editor, visit):
    from playwright.sync_api import expect

    strip = editor.card(1).locator(".similar")
    # The nearest centroid first: 4, then 3 at (9, 7), then 2 at (9, 9).
    assert editor.similar(1, 3) == ["4", "3", "2"]
    assert strip.locator(".near").first.locator("img").count() == 2
    strip.get_by_role("button", name="Merge Cluster 4 with Cluster 1").click()
    expect(editor.card(4)).to_have_count(0)
    assert editor.similar(1, 2) == ["3", "2"]
    # Strips of other clusters know it, too.
    assert editor.similar(2, 2) == ["3", "1"]
    assert editor.card(2).locator(".near .soft").nth(1).inner_text() == "7 images"
    # M asks with what to merge, the most similar first; a number that is typed comes first.
    editor.go_to(2)
    editor.press("m")
    options = visit.locator("#found [role=option]")
    assert [text.split("\n")[0] for text in options.all_inner_texts()] == ["Cluster 3", "Cluster 1"]
    visit.keyboard.type("1")
    expect(options.first).to_contain_text("Cluster 1")
    editor.press("Enter")
    assert groups(applied(clustering, editor)) == {-1: "m", 1: "abcdefghkl", 3: "ij"}


@pytest.mark.browser
def test_move_images_and_drop_some(clustering, editor, visit):
    from playwright.sync_api import expect

    def tile(letter: str) -> Any:
        return editor.page.get_by_label(f"Open {LETTERS.index(letter):04d}.png").first

    for letter in "bd":
        tile(letter).focus()
        editor.press("x")
    editor.press("m")  # d has the focus, and is ticked: both move
    expect(visit.locator("#asked")).to_have_text("Move 2 images to")
    visit.keyboard.type("2")
    editor.press("Enter")
    expect(editor.card(2).locator("dd").first).to_have_text("5")
    expect(visit.locator("#ticks")).to_be_hidden()
    # A new cluster, with a name; images of several clusters.
    for letter in "fi":
        tile(letter).focus()
        editor.press("x")
    visit.get_by_role("button", name="Move …").first.click()
    visit.keyboard.type("Brand new")
    editor.press("Enter")
    expect(editor.card(5).locator("h2")).to_have_text("Brand new")
    # Dropped: in the residual, marked; D again takes it back.
    tile("k").focus()
    editor.press("d")
    expect(editor.card(-1).locator(".badge")).to_have_text("dropped")
    tile("l").focus()
    editor.press("d")
    expect(editor.card(4)).to_have_count(0)
    tile("l").focus()
    editor.press("d")
    expect(editor.card(4).locator("dd").first).to_have_text("1")
    topics = applied(clustering, editor)
    assert groups(topics) == {-1: "km", 1: "ace", 2: "bdgh", 3: "j", 4: "l", 5: "fi"}
    assert names(topics) == {5: "Brand new"}


@pytest.mark.browser
def test_an_image_is_dragged_to_a_cluster(clustering, editor, visit):
    from playwright.sync_api import expect

    editor.card(1).locator(".tile").first.drag_to(editor.card(2).locator(".facts"))
    expect(editor.card(2).locator("dd").first).to_have_text("4")
    assert groups(applied(clustering, editor))[2] == "afgh"


@pytest.mark.browser
def test_drop_clusters(clustering, editor, visit):
    from playwright.sync_api import expect

    editor.name(2, "Odd")
    for number in (2, 3):
        editor.go_to(number)
        editor.press("d")
    # It stays on the page, marked as dropped, and its images are in the residual.
    expect(editor.card(2)).to_have_class(re.compile("gone"))
    expect(editor.card(2)).to_contain_text("Dropped: its images go to the residual.")
    expect(editor.card(-1).locator("dd").first).to_have_text("6")
    editor.card(3).get_by_role("button", name="Keep Cluster 3").click()
    expect(editor.card(3)).not_to_have_class(re.compile("gone"))
    assert editor.sentences() == ["Cluster 2 is named “Odd”", "Dropped: Cluster 2"]
    topics = applied(clustering, editor)
    assert groups(topics) == {-1: "fghm", 1: "abcde", 3: "ij", 4: "kl"}
    assert names(topics) == {}


@pytest.mark.browser
def test_in_the_view_of_a_cluster_and_of_an_image(clustering, editor, visit):
    from playwright.sync_api import expect

    visit.goto(editor.gallery.as_uri() + "#cluster-3")
    expect(visit.locator(".head h2")).to_have_text("Cluster 3")
    editor.press("n")
    visit.keyboard.type("Seen large")
    editor.press("Enter")
    expect(visit.locator(".head h2")).to_have_text("Seen large")
    visit.get_by_label("Open 0008.png").last.click()
    expect(visit.locator("#facts")).to_contain_text("Seen large (cluster 3)")
    editor.press("d")
    expect(visit.locator("#facts")).to_contain_text("Dropped")
    editor.press("u")
    expect(visit.locator("#facts")).not_to_contain_text("Dropped")
    visit.get_by_role("button", name="Move …").last.click()
    editor.press("Enter")  # the first choice is a new cluster
    expect(visit.locator("#facts")).to_contain_text("Cluster 5")
    editor.press("Escape")
    # J goes to the next cluster; one that was merged away leads to the cluster with its images.
    editor.press("j")
    expect(visit).to_have_url(re.compile("#cluster-4$"))
    editor.press("m")
    visit.keyboard.type("1")
    editor.press("Enter")
    expect(visit).to_have_url(re.compile("#cluster-1$"))
    assert groups(applied(clustering, editor)) == {-1: "m", 1: "abcdekl", 2: "fgh", 3: "j", 5: "i"}


# ---- the list of edits ----


@pytest.mark.browser
def test_edits_stay_are_undone_and_have_notes(clustering, editor, visit):
    from playwright.sync_api import expect

    editor.name(1, "One")
    editor.go_to(2)
    editor.press("m", "Enter")  # with cluster 3
    visit.get_by_label("Note on edit 2").fill("same people\nin both")
    visit.get_by_label("Your name, for the ledger").fill("M.S.")
    visit.reload()
    expect(visit.get_by_role("button", name="Edits (2)")).to_be_visible()
    expect(editor.card(1).locator("h2")).to_have_text("One")
    expect(editor.card(3)).to_have_count(0)
    editor.press("e")
    expect(visit.get_by_label("Note on edit 2")).to_have_value("same people\nin both")
    ledger = edit_clusters(clustering, edits=editor.file()).edits
    assert ledger["action"].tolist() == ["name", "merge"]
    assert ledger["note"].fillna("").tolist() == ["", "same people\nin both"]
    assert ledger["editor"].tolist() == ["M.S.", "M.S."]

    # Any edit can be removed on which no other one builds.
    visit.get_by_role("button", name="Remove edit 1").click()
    expect(editor.card(1).locator("h2")).to_have_text("Cluster 1")
    expect(visit.locator("#message")).to_contain_text("Removed: Cluster 1 is named “One”.")
    visit.get_by_role("button", name="Close the list of edits").click()
    editor.press("u")
    expect(editor.card(3)).to_have_count(1)
    editor.press("u")
    expect(visit.locator("#message")).to_have_text("There is no edit to undo.")
    editor.name(4, "Four")
    editor.press("Control+z")
    expect(editor.card(4).locator("h2")).to_have_text("Cluster 4")
    visit.reload()
    expect(visit.get_by_role("button", name="Edits", exact=True)).to_be_visible()


@pytest.mark.browser
def test_an_edit_on_which_another_builds_is_not_removed(clustering, editor, visit):
    from playwright.sync_api import expect

    visit.get_by_label("Open 0000.png").first.focus()
    editor.press("m", "Enter")  # to the new cluster 5
    editor.name(5, "New")
    visit.get_by_role("button", name="Remove edit 1").click()
    message = visit.locator("#message")
    expect(message).to_have_text("Edit 2 builds on it: undo that one first.")
    assert len(editor.sentences()) == 2


HOSTILE = [
    "=1+1",
    "\"quoted\", with commas; and 'more'",
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror=window.hacked=1>",
    "__proto__",
    "@SUM(A1)",
    "007",
    "NA",
    "-1",
    "a;=1+1",
    "{{7*7}} 漢 é",
    "'=1",
]


@pytest.mark.browser
def test_hostile_names_and_notes_survive(tmp_path, visit):
    from playwright.sync_api import expect

    clusters = [number for number in range(1, len(HOSTILE) + 1) for _ in range(2)]
    paths = draw_images(tmp_path / "images", [1 + c % 5 for c in clusters])
    ids = [f"{HOSTILE[i % len(HOSTILE)]}{i}" for i in range(len(clusters))]
    clustering = hand_made(paths, clusters, image_id=ids)
    clustering = replace(
        clustering,
        source=Embeddings(
            clustering.images[["image_id", "path"]],
            np.random.default_rng(0).normal(size=(len(ids), 2)).astype("float32"),
            {"name": "hog"},
        ),
    )
    editor = Editor(visit, build(clustering, tmp_path / "run"))
    for number, text in enumerate(HOSTILE, 1):
        editor.name(number, text)
        visit.get_by_label(f"Note on edit {number}").fill(f"{text}\n{text}")
    visit.get_by_label("Open 0000.png").first.focus()
    editor.press("d")
    visit.reload()
    expect(visit.locator(".card h2").first).to_have_text(HOSTILE[0])
    # No cell of the file is a formula.
    for row in editor.rows():
        for cell in row.values():
            assert not re.match(r"[=+@]|-\D", cell)
    topics = applied(clustering, editor)
    assert list(names(topics).values()) == HOSTILE
    ledger = topics.edits
    assert ledger["note"].tolist()[:-1] == [f"{text}\n{text}" for text in HOSTILE]
    assert ledger["image_id"].iloc[-1] == ids[0]
    # The page of the edited clusters has the names and notes, and they are only text.
    visit.goto(build(topics, tmp_path / "edited").as_uri())
    expect(visit.locator(".card h2").first).to_have_text(HOSTILE[0])
    assert visit.locator(".card h2").all_inner_texts()[: len(HOSTILE)] == HOSTILE
    assert visit.evaluate("window.hacked") is None
    assert visit.locator("script").count() == 2


# ---- the page and edit_clusters() agree on any sequence of edits ----

PLAY = """([content, steps]) => {
  localStorage.clear();
  const { images, clusters, editing } = content;
  const given = { ids: images.id, cluster: images.cluster, groups: clusters, ...editing };
  const model = kit.edits(given);
  for (const step of steps) {
    if (step === "undo") model.list.length && model.undo();
    else if (typeof step === "number") model.list.length && model.remove(step % model.list.length);
    else model.add(step);
  }
  const again = kit.edits(given);
  again.read();
  const told = (one) => ({
    of: images.id.map((_, i) => one.of(i)),
    names: Object.fromEntries(one.numbers.map((n) => [n, one.name(n) ?? null])),
    sizes: Object.fromEntries(one.numbers.map((n) => [n, one.size(n)])),
    highest: one.highest,
  });
  return { ...told(model), again: told(again), n: model.list.length, csv: kit.csv(model.rows()) };
}"""


def some_steps(rng: random.Random) -> list[Any]:
    """Edits, some of which make no sense, and undone ones."""
    steps: list[Any] = []
    for _ in range(rng.randint(3, 14)):
        numbers = rng.sample(range(1, 9), rng.randint(1, 3))
        images = rng.sample(LETTERS, rng.randint(1, 4))
        steps.append(
            rng.choice(
                [
                    {"action": "name", "clusters": numbers[:1], "name": rng.choice(["", "A", "B"])},
                    {"action": "merge", "clusters": numbers, "name": rng.choice(["", "C"])},
                    {"action": "move", "clusters": numbers[:1], "images": images},
                    {"action": "move", "images": images, "name": rng.choice(["", "D"])},
                    {"action": "drop", "clusters": numbers[:2]},
                    {"action": "drop", "images": images},
                    "undo",
                    rng.randrange(10),
                ]
            )
        )
    return steps


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore:Clusters .* have the same name")
def test_any_sequence_of_edits_means_the_same_in_the_browser(clustering, tmp_path, visit):
    gallery = build(clustering, tmp_path / "run")
    content = data_of(gallery)
    visit.goto(gallery.as_uri())
    rng = random.Random(0)
    n_edits = 0
    for _ in range(60):
        steps = some_steps(rng)
        found = visit.evaluate(PLAY, [content, steps])
        assert {**found["again"]} == {key: found[key] for key in found["again"]}, steps
        n_edits += found["n"]
        if not found["n"]:
            continue
        file = tmp_path / "edits.csv"
        file.write_text(found["csv"], newline="")
        topics = edit_clusters(clustering, edits=file)
        assert topics.edits["applied"].all(), steps
        cluster = topics.images.set_index("image_id")["cluster"]
        assert found["of"] == cluster[content["images"]["id"]].tolist(), steps
        named = {str(n): None for n in topics.clusters["cluster"]} | {
            str(n): text for n, text in names(topics).items()
        }
        assert {n: text for n, text in found["names"].items() if n != "-1"} == named, steps
        sizes = cluster.value_counts().to_dict()
        assert found["sizes"] == {str(n): size for n, size in sizes.items()}, steps
        assert found["highest"] == max(4, topics.settings["highest_number"])
    assert n_edits > 120


# ---- from the page to a run folder and back ----


@pytest.mark.browser
def test_a_run_is_edited_and_the_page_goes_on(tmp_path, visit):
    from playwright.sync_api import expect

    folder = write_pictures(tmp_path / "images", 60)
    out = tmp_path / "run"
    vectors = embed_images(folder, "hog", out=out, progress=False)
    topics = cluster_images(vectors, "kmeans", n_clusters=4, out=out, progress=False)
    assert len(topics.clusters) == 4
    sample_images(topics, 3, out=out)
    call("gallery", out)
    editor = Editor(visit, out / "gallery" / "index.html")
    editor.name(1, "A")
    editor.go_to(3)
    editor.press("m")
    visit.keyboard.type("2")
    editor.press("Enter")
    expect(editor.card(3)).to_have_count(0)
    call("edit", out, editor.file())
    edited = Clustering.load(out)
    assert names(edited) == {1: "A"}
    assert edited.clusters["cluster"].tolist() == [1, 2, 4]

    # The page of the edited clusters has these edits, so that the browser lets go of them.
    # The sample of before is marked on it.
    call("gallery", out)
    visit.goto("about:blank")
    visit.goto(editor.gallery.as_uri())
    expect(visit.locator("#message")).to_have_text(
        "2 edits made in this browser are part of these clusters now."
    )
    expect(editor.card(1).locator("h2")).to_have_text("A")
    expect(visit.get_by_role("button", name="Edits", exact=True)).to_be_visible()
    assert len(data_of(editor.gallery)["sampled"]) == len(read_sample(out)) == 12
    editor.press("e")
    expect(visit.locator("#earlier summary")).to_have_text(
        "2 earlier edits, part of these clusters"
    )
    visit.reload()
    expect(visit.locator("#message")).to_be_empty()

    # Further edits only; their numbers go on.
    editor.name(1, "B")
    assert [(row["edit"], row["name"]) for row in editor.rows()] == [("3", "B")]
    call("edit", out, editor.file())
    visit.goto("about:blank")
    call("gallery", out)
    visit.goto(editor.gallery.as_uri())
    # Back to an earlier name: the same edit as the first one, and yet a further one.
    editor.name(1, "A")
    call("edit", out, editor.file())
    ledger = Clustering.load(out).edits
    assert ledger["action"].tolist() == ["name", "merge", "name", "name"]
    assert names(Clustering.load(out)) == {1: "A"}
    call("edit", out, editor.file())  # the same file again changes nothing
    assert len(Clustering.load(out).edits) == 4
    # An edit that is undone on the page after it was applied replaces the one in the run.
    editor.press("u")
    editor.name(1, "C")
    with pytest.raises(ImagestrataError, match="has 1 other edit than `edits` from number 4 on"):
        call("edit", out, editor.file())
    call("edit", out, editor.file(), "--overwrite")
    assert Clustering.load(out).edits["name"].dropna().tolist() == ["A", "B", "C"]
    assert names(Clustering.load(out)) == {1: "C"}
    # The strata of the sample are divided now, so that a new one must be drawn; the page marks it.
    call("gallery", out)
    visit.goto("about:blank")
    visit.goto(editor.gallery.as_uri())
    visit.locator(".card .open").first.focus()
    editor.press("m", "Enter")
    call("edit", out, editor.file())
    call("gallery", out)
    assert len(data_of(editor.gallery)["sampled"]) == 12
    assert len(data_of(editor.gallery)["clusters"]) == 4


@pytest.mark.browser
def test_edits_of_other_clusters_are_not_applied_silently(clustering, tmp_path, visit):
    from playwright.sync_api import expect

    editor = Editor(visit, build(clustering, tmp_path / "run"))
    editor.name(1, "Mine")
    visit.get_by_label("Open 0000.png").first.focus()
    editor.press("m", "Enter")
    editor.name(4, "Gone by then")
    # Meanwhile clusters were edited elsewhere.
    elsewhere = edit_clusters(clustering, merge=[3, 4])
    page = build(elsewhere, tmp_path / "run", overwrite=True)
    visit.goto("about:blank")
    visit.goto(page.as_uri())
    notice = visit.locator("#others .notice")
    expect(notice).to_contain_text("This browser has 3 edits that were made on an earlier page")
    expect(editor.card(1).locator("h2")).to_have_text("Cluster 1")
    with visit.expect_download() as download:
        notice.get_by_role("button", name="Download them").click()
    assert "Mine" in Path(download.value.path()).read_text()
    notice.get_by_role("button", name="Add them here").click()
    expect(visit.locator("#message")).to_have_text("1 edit does not fit: Cluster 4 is gone.")
    expect(editor.card(1).locator("h2")).to_have_text("Mine")
    topics = applied(elsewhere, editor)
    assert groups(topics) == {-1: "m", 1: "bcde", 2: "fgh", 3: "ijkl", 5: "a"}
    notice.get_by_role("button", name="Delete them").click()
    visit.reload()
    expect(visit.locator("#others .notice")).to_have_count(0)
    expect(visit.get_by_role("button", name="Edits (2)")).to_be_visible()

    # A gallery of another run with the same clusters has edits of its own.
    visit.goto(build(clustering, tmp_path / "other").as_uri())
    expect(visit.locator("#others .notice")).to_have_count(0)
    expect(editor.card(1).locator("h2")).to_have_text("Cluster 1")


@pytest.mark.browser
def test_a_page_with_more_on_it_keeps_the_edits(clustering, tmp_path, visit):
    from playwright.sync_api import expect

    editor = Editor(visit, build(clustering, tmp_path / "run"))
    editor.name(1, "Mine")
    words = pd.DataFrame(
        {"cluster": [1, 1, 2], "rank": [1, 2, 1], "term": ["sea", "sky", "car"], "score": 1.0}
    )
    places = clustering.images[["image_id"]].assign(x=range(13), y=0.0)
    visit.goto("about:blank")
    page = build(
        clustering, tmp_path / "run", keywords=words, points=places, n_typical=3, overwrite=True
    )
    visit.goto(page.as_uri())
    expect(editor.card(1).locator("h2")).to_have_text("Mine")
    expect(visit.locator("#others .notice")).to_have_count(0)
    # The map has the clusters after the edits.
    editor.go_to(2)
    editor.press("m", "Enter")  # with cluster 3
    visit.get_by_role("link", name="Map", exact=True).click()
    options = visit.locator("#highlight option").all_inner_texts()
    assert options[2:] == [
        "Mine (cluster 1) (5): sea, sky",
        "Cluster 2 (5): car",
        "Cluster 4 (2)",
        "Residual (1)",
    ]
    visit.locator("#highlight").select_option("2")
    editor.press("u")
    expect(visit.locator("#highlight")).to_have_value("2")
    # Terms of clusters that are merged stand in turn; a new cluster has none.
    visit.get_by_role("link", name="Clusters", exact=True).click()
    editor.card(4).locator(".open").first.focus()
    editor.press("m", "Enter")
    expect(editor.card(5).locator(".words")).to_have_count(0)
    editor.go_to(1)
    editor.press("m")
    visit.keyboard.type("2")
    editor.press("Enter")
    expect(editor.card(1).locator(".words")).to_have_text("sea, car, sky")


@pytest.mark.browser
def test_two_windows_of_a_page_have_the_same_edits(editor, visit):
    from playwright.sync_api import expect

    other = visit.context.new_page()
    other.goto(editor.gallery.as_uri())
    editor.name(1, "In the first window")
    expect(other.locator(".card h2").first).to_have_text("In the first window")
    other.keyboard.press("u")
    expect(editor.card(1).locator("h2")).to_have_text("Cluster 1")


# ---- help, for keyboards and screen readers ----


@pytest.mark.browser
def test_the_keys_are_listed_and_no_button_is_without_words(clustering, editor, visit):
    from playwright.sync_api import expect

    editor.press("?")
    expect(visit.get_by_role("dialog", name="Keys")).to_be_visible()
    listed = visit.locator("#keys kbd").all_inner_texts()
    assert {"J", "K", "N", "T", "M", "D", "X", "L", "U", "E", "O", "S", "?"} <= {*listed}
    editor.press("Escape")
    # Without a cluster that has the focus, a key says so.
    editor.press("n")
    expect(visit.get_by_role("status")).to_contain_text("Choose a cluster first")
    editor.press("j", "j")
    expect(visit.locator(":focus")).to_have_text("Cluster 2")
    editor.press("k")
    expect(visit.locator(":focus")).to_have_text("Cluster 1")
    editor.press("n", "A", "Enter", "j", "t", "e")
    unnamed = visit.locator("button, input, textarea, select").evaluate_all(
        """all => all.filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim()
            || one.labels?.length)).map((one) => one.outerHTML)"""
    )
    assert unnamed == []
    # Keys that are typed in a field are text.
    visit.get_by_label("Note on edit 1").fill("")
    visit.keyboard.type("numd?")
    expect(visit.get_by_label("Note on edit 1")).to_have_value("numd?")
    assert editor.sentences() == ["Cluster 1 is named “A”"]


# ---- the most doubtful first ----


def titles(page: Any, number: int) -> str:
    shown = page.locator(f'.card[data-cluster="{number}"] .open')
    shown.first.wait_for()
    return "".join(
        LETTERS[int(name[:4])] for name in shown.evaluate_all("all => all.map((a) => a.title)")
    )


@pytest.mark.browser
def test_the_most_doubtful_come_first(tmp_path, visit):
    from playwright.sync_api import expect

    plain = clustered(tmp_path)
    visit.goto(build(plain, tmp_path / "plain", n_typical=3).as_uri())
    assert titles(visit, 1) == "abc"
    visit.get_by_role("button", name="Doubtful images first").click()
    assert titles(visit, 1) == "edc"  # the lowest silhouettes
    visit.keyboard.press("o")
    assert titles(visit, 1) == "abc"

    margins = [0.5, 0.1, None, 0.3, 0.2, *[0.9] * 8]
    seconds = [4] * 12 + [None]
    with_margin = clustered(tmp_path, margin=margins, second_cluster=seconds)
    visit.goto(build(with_margin, tmp_path / "margins").as_uri())
    visit.get_by_role("button", name="Doubtful images first").click()
    assert titles(visit, 1) == "bedac"  # unknown ones last
    visit.locator('.card[data-cluster="1"] .open').first.click()
    facts = visit.locator("#facts")
    expect(facts).to_contain_text("Second clusterCluster 4")
    expect(facts).to_contain_text("Margin to it0.100")


# ---- more like this ----


def test_nearest_images_are_those_of_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(0)
    for width in (3, 300):
        centers = rng.normal(size=(12, width))
        vectors = centers[rng.integers(0, 12, 700)] + 0.5 * rng.normal(size=(700, width))
        found = nearest_images(Rows(vectors.astype("float32")), 12)
        reference = NearestNeighbors(n_neighbors=13, metric="cosine").fit(vectors)
        expected = reference.kneighbors(vectors, return_distance=False)[:, 1:]
        shares = [len({*a} & {*b}) / 12 for a, b in zip(found, expected, strict=True)]
        assert np.mean(shares) > (0.999 if width == 3 else 0.97)
        assert (found[:, 0] == expected[:, 0]).mean() > (0.999 if width == 3 else 0.97)


def test_few_images_and_equal_ones_have_neighbours():
    same = np.ones((3, 4), "float32")
    assert nearest_images(Rows(same), 12).tolist() == [[1, 2], [0, 2], [0, 1]]
    assert nearest_images(Rows(np.zeros((2, 4), "float32")), 12).tolist() == [[1], [0]]


def test_near_clusters_by_hand():
    assert near_clusters(np.array([[0.0, 0], [3, 0], [1, 0]])) == [
        [(2, 1.0), (1, 3.0)],
        [(2, 2.0), (0, 3.0)],
        [(0, 1.0), (1, 2.0)],
    ]
    assert near_clusters(np.zeros((1, 2))) == [[]]
    assert near_clusters(np.zeros((0, 2))) == []


@pytest.mark.browser
@pytest.mark.parametrize("two_bytes", [1 << 16, 4])
def test_more_like_this(tmp_path, visit, monkeypatch, two_bytes):
    from playwright.sync_api import expect

    monkeypatch.setattr(similar_module, "_TWO_BYTES", two_bytes)
    clustering = clustered(tmp_path)
    # Angles: m is the residual, and lies in the direction of clusters 1 and 4.
    places = {one: (1, i / 10) for i, one in enumerate("abcdefgh")}
    places |= {"i": (0, 1), "j": (0.05, 1), "k": (0.1, 1), "l": (0.2, 1), "m": (1, -0.01)}
    vectors = np.array([places[one] for one in LETTERS], "float32")
    known = replace(
        clustering, source=Embeddings(clustering.source.images, vectors, {"name": "hog"})
    )
    page = build(known, tmp_path / "run")
    visit.goto(page.as_uri())
    visit.get_by_label("Open 0000.png").first.focus()
    visit.keyboard.press("l")
    expect(visit.locator(".head h2")).to_have_text("More like 0000.png")
    visit.locator(".alike .open").nth(12).wait_for()
    shown = visit.locator(".alike .open").evaluate_all("all => all.map((a) => a.title)")
    assert "".join(LETTERS[int(name[:4])] for name in shown) == "ambcdefghlkji"
    badges = visit.locator(".alike .badge").all_inner_texts()
    assert badges[:2] == ["Residual", "Cluster 2"]
    visit.get_by_role("button", name="Tick all").click()
    expect(visit.locator("#count")).to_have_text("12 images ticked")
    # From the large view, and on to the next.
    visit.locator(".alike .open").nth(1).click()
    visit.get_by_role("button", name="More like this").click()
    expect(visit.locator(".head h2")).to_have_text("More like 0012.png")
    expect(visit.get_by_role("dialog")).to_be_hidden()


@pytest.mark.browser
def test_without_vectors_the_page_says_why(tmp_path, visit):
    from playwright.sync_api import expect

    clustering = replace(clustered(tmp_path), source=None)
    page = build(clustering, tmp_path / "run")
    visit.goto(page.as_uri())
    visit.get_by_label("Open 0000.png").first.focus()
    visit.keyboard.press("l")
    expect(visit.locator("#message")).to_contain_text("written without the vectors of the images")


def test_the_page_is_written_again_once_there_are_vectors(tmp_path):
    clustering = clustered(tmp_path)
    page = build(replace(clustering, source=None), tmp_path / "run")
    assert data_of(page)["neighbours"] is None
    build(clustering, tmp_path / "run")
    assert data_of(page)["neighbours"]["each"] == 12
    written = page.stat().st_mtime_ns
    build(clustering, tmp_path / "run")
    build(replace(clustering, source=None), tmp_path / "run")
    assert page.stat().st_mtime_ns == written


@pytest.mark.browser
def test_edits_of_clusters_apply_to_images_that_are_not_shown(
    clustering, tmp_path, visit, monkeypatch
):
    from playwright.sync_api import expect

    monkeypatch.setattr(gallery_module, "MOST_SHOWN", 6)
    editor = Editor(visit, build(clustering, tmp_path / "run"))
    assert len(data_of(editor.gallery)["images"]["id"]) == 6
    editor.go_to(2)
    editor.press("m", "Enter")  # with cluster 3
    expect(editor.card(2).locator("dd").first).to_have_text("5")
    expect(editor.card(2).locator(".more")).to_have_text(re.compile("See . of 5"))
    editor.go_to(1)
    editor.press("d")
    expect(editor.card(-1).locator("dd").first).to_have_text("6")
    assert groups(applied(clustering, editor)) == {-1: "abcdem", 2: "fghij", 4: "kl"}


# ---- proposed names ----


@pytest.mark.browser
def test_a_proposed_name_is_accepted(tmp_path, visit):
    from playwright.sync_api import expect

    content = large_content(40, 4, np.random.default_rng(0))
    for group in content["clusters"]:
        group["proposal"] = f"<b>proposal</b> {group['cluster']}"
    editor = Editor(
        visit, write_page(tmp_path / "p.html", "gallery", content, title="", summary="")
    )
    heading = editor.card(1).locator("h2")
    expect(editor.card(1).locator(".number")).to_contain_text("Proposed: “<b>proposal</b> 1”")
    # A proposal is no name, and looking at it in the field does not make it one.
    editor.go_to(1)
    editor.press("n", "Tab")
    expect(heading).to_have_text("Cluster 1")
    editor.go_to(1)
    editor.press("n", "Enter")
    expect(heading).to_have_text("<b>proposal</b> 1")
    editor.card(2).get_by_role("button", name="Accept").click()
    editor.name(3, "Mine")
    editor.go_to(4)
    editor.press("m", "Enter")
    assert [(row["action"], row["name"]) for row in editor.rows()] == [
        ("name", "<b>proposal</b> 1"),
        ("name", "<b>proposal</b> 2"),
        ("name", "Mine"),
        ("merge", ""),
    ]
    expect(visit.get_by_role("button", name="Accept")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore:2 of 4 clusters have no proposal")
def test_what_propose_names_proposes_is_accepted_on_the_page(clustering, tmp_path, visit):
    words = pd.DataFrame({"cluster": [1, 2], "rank": 1, "term": ["sea", "car"], "score": 1.0})
    proposed = propose_names(clustering, keywords=words)
    editor = Editor(visit, build(proposed, tmp_path / "run"))
    editor.card(2).get_by_role("button", name="Accept").click()
    topics = applied(proposed, editor)
    assert names(topics) == {2: "car"}
    assert topics.proposals["proposal"].tolist() == ["sea"]
    assert topics.edits["action"].tolist() == ["propose", "propose", "name"]


# ---- 300 clusters stay smooth ----


@pytest.mark.browser
def test_three_hundred_clusters(tmp_path, visit):
    n, k = 20_000, 300
    rng = np.random.default_rng(0)
    content = large_content(n, k, rng)
    page = write_page(tmp_path / "index.html", "gallery", content, title="", summary="")
    visit.goto(page.as_uri())
    visit.locator(".card").nth(299).wait_for(state="attached")
    assert visit.locator(".tile").count() < 2000
    # An edit draws the clusters anew that it changes, and no others.
    visit.evaluate("document.querySelectorAll('.card').forEach((card) => (card.old = true))")
    visit.evaluate("document.querySelector('.card[data-cluster=\"150\"] h2 a').focus()")
    visit.keyboard.press("m")
    visit.keyboard.press("Enter")
    visit.get_by_role("button", name="Edits (1)").wait_for()
    new = "[...document.querySelectorAll('.card')].filter((card) => !card.old).length"
    assert visit.locator(".card").count() == 299
    assert visit.evaluate(new) == 1
    visit.keyboard.press("u")
    visit.locator(".card").nth(299).wait_for(state="attached")
    assert visit.evaluate(new) == 2


def large_content(n: int, k: int, rng: np.random.Generator) -> dict[str, Any]:
    """The data of a page without pictures."""
    cluster = np.sort(np.concatenate([np.arange(1, k + 1), rng.integers(1, k + 1, n - k)]))
    sizes = np.bincount(cluster)[1:]
    firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    near = near_clusters(rng.normal(size=(k, 16)))
    return {
        "images": {
            "id": [f"image {i}" for i in range(n)],
            "cluster": cluster.tolist(),
            "silhouette": rng.uniform(0, 1, n).round(4).tolist(),
            "distance": [1.0] * n,
            "copies": [1] * n,
            "file": [f"{i}.png" for i in range(n)],
            "thumbnail": [None] * n,
            "ratio": [1.3] * n,
            "missing": dict.fromkeys(range(n), "no file known"),
        },
        "extra": {},
        "sampled": [],
        "clusters": [
            {"cluster": i + 1, "name": None, "first": int(firsts[i]), "shown": int(sizes[i]),
             "size": int(sizes[i]), "share": sizes[i] / n, "silhouette": 0.5, "iteration": 1,
             "near": near[i], "keywords": []}
            for i in range(k)
        ],
        "editing": {"highest": k, "first": 1, "ledger": [], "key": "k"},
        "trace": {"iteration": [], "n_remaining": [], "k": [], "n_cohesive": [], "mean_size": []},
        "thinned": None, "neighbours": None, "root": "/", "separator": "/", "small": 0, "key": "k",
        "bases": [], "thumbnails": "t", "height": 160, "typical": 12,
    }  # fmt: skip
