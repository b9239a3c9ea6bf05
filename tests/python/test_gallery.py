"""The gallery: what is in the page, and what people do with it in a browser."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clusterings import draw_images, hand_made
from images import encode, picture, write_files
from imagestrata import ImagestrataError, image_gallery
from imagestrata.corpus import thumbnails
from imagestrata.explore import gallery as gallery_module
from imagestrata.page import write_page
from imagestrata.provenance import read_run
from pages import expect_soon, wait_until

CLUSTERS = [2, 1, 1, 3, 1, 2, 1, -1, 2, 1, 3, -1]


@pytest.fixture
def clustering(tmp_path):
    return hand_made(draw_images(tmp_path / "images", CLUSTERS), CLUSTERS)


def build(clustering, out: Path, **arguments: Any) -> Path:
    return image_gallery(clustering, out, progress=False, **arguments)


def data_of(page: Path) -> dict[str, Any]:
    """What the page's script gets to see."""
    block = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL
    )
    assert block is not None
    return json.loads(block[1])


# ---- the page ----


def test_clusters_by_size_and_images_by_silhouette(clustering, tmp_path):
    page = build(clustering, tmp_path / "run")
    assert page == tmp_path / "run" / "gallery" / "index.html"
    data = data_of(page)
    groups = [(g["cluster"], g["first"], g["size"], g["iteration"]) for g in data["clusters"]]
    assert groups == [(1, 0, 5, 1), (2, 5, 3, 1), (3, 8, 2, 1), (-1, 10, 2, None)]
    assert [round(g["share"], 3) for g in data["clusters"]] == [0.417, 0.25, 0.167, 0.167]
    images = data["images"]
    assert images["cluster"] == [1] * 5 + [2] * 3 + [3] * 2 + [-1] * 2
    assert [Path(name).stem for name in images["file"][:5]] == [
        "0001",
        "0002",
        "0004",
        "0006",
        "0009",
    ]
    table = clustering.images.set_index("image_id").loc[images["id"]]
    assert [data["root"] + file for file in images["file"]] == table["path"].tolist()
    assert images["silhouette"] == pytest.approx(table["silhouette"].tolist(), abs=1e-4)
    assert data["trace"]["mean_size"] == [5, 8, None]


def test_thumbnails_are_jpeg_files_named_by_id(clustering, tmp_path):
    page = build(clustering, tmp_path / "run", thumbnail=40)
    images = data_of(page)["images"]
    assert images["thumbnail"] == [None] * 12  # named by the id
    for name, ratio in zip(images["id"], images["ratio"], strict=True):
        file = page.parent / "thumbnails-40" / name[:2] / f"{name}.jpg"
        with Image.open(file) as thumbnail:
            assert thumbnail.format == "JPEG"
            assert max(thumbnail.size) == 80
            assert ratio == pytest.approx(thumbnail.width / thumbnail.height, abs=1e-3)


def test_run_json_says_what_was_made(clustering, tmp_path):
    build(clustering, tmp_path / "run", n_typical=3)
    step = read_run(tmp_path / "run")["steps"]["gallery"]
    assert step["settings"] == {"n_typical": 3, "thumbnail": 160}
    assert step["counts"] == {"images": 12, "not_shown": 0}
    assert step["finished"]


def test_same_input_same_files(clustering, tmp_path):
    pages = [build(clustering, tmp_path / name / "run") for name in "ab"]
    shuffled = replace(clustering, images=clustering.images.sample(frac=1, random_state=1))
    pages.append(build(shuffled, tmp_path / "c" / "run"))
    assert len({page.read_bytes() for page in pages}) == 1
    contents = [
        {file.name: file.read_bytes() for file in page.parent.rglob("*.jpg")} for page in pages
    ]
    assert contents[0] == contents[1] == contents[2]
    assert len(contents[0]) == 12


def test_interrupted_it_goes_on_where_it_stopped(clustering, tmp_path, monkeypatch):
    undisturbed = build(clustering, tmp_path / "a" / "run")
    made: list[str] = []
    honest = thumbnails.shown_picture

    def counting(file: Any, *arguments: Any, **named: Any) -> Any:
        if len(made) == 5:
            raise KeyboardInterrupt
        made.append(file[0])
        return honest(file, *arguments, **named)

    monkeypatch.setattr(thumbnails, "shown_picture", counting)
    with pytest.raises(KeyboardInterrupt):
        build(clustering, tmp_path / "b" / "run")
    assert not (tmp_path / "b" / "run" / "gallery" / "index.html").exists()
    finished, made[:] = set(made), []

    monkeypatch.setattr(
        thumbnails,
        "shown_picture",
        lambda *a, **named: (made.append(a[0][0]), honest(*a, **named))[1],
    )
    page = build(clustering, tmp_path / "b" / "run")
    assert finished.isdisjoint(made)
    assert len(finished) + len(made) == 12
    assert page.read_bytes() == undisturbed.read_bytes()

    made.clear()
    assert build(clustering, tmp_path / "b" / "run") == page
    assert made == []


def test_a_damaged_thumbnail_is_made_again(clustering, tmp_path):
    page = build(clustering, tmp_path / "run")
    file = min(page.parent.rglob("*.jpg"))
    before = file.read_bytes()
    file.write_bytes(b"")
    page.unlink()
    build(clustering, tmp_path / "run")
    assert file.read_bytes() == before


def test_another_gallery_is_not_replaced_by_mistake(clustering, tmp_path):
    build(clustering, tmp_path / "run")
    with pytest.raises(ImagestrataError, match="n_typical=12, not with n_typical=4"):
        build(clustering, tmp_path / "run", n_typical=4)
    with pytest.raises(ImagestrataError, match="already holds the step 'gallery'"):
        build(clustering, tmp_path / "run", sample=clustering.images.head(2))
    page = build(clustering, tmp_path / "run", n_typical=4, overwrite=True)
    assert data_of(page)["typical"] == 4


def test_images_that_cannot_be_shown_have_a_reason(clustering, tmp_path):
    paths = clustering.images["path"].tolist()
    Path(paths[0]).unlink()
    Path(paths[1]).write_bytes(Path(paths[2]).read_bytes())
    ids = clustering.images["image_id"].tolist()
    data = data_of(build(clustering, tmp_path / "run"))
    reasons = {
        data["images"]["id"][int(row)]: text for row, text in data["images"]["missing"].items()
    }
    assert reasons == {ids[0]: "file not found", ids[1]: "changed since the scan"}


def test_vectors_without_files_have_a_gallery_too(tmp_path):
    clustering = hand_made([None] * 3, [1, 1, -1], image_id=["1", "2", "3"])
    data = data_of(build(clustering, tmp_path / "run"))
    assert data["images"]["missing"] == {
        "0": "no file known",
        "1": "no file known",
        "2": "no file known",
    }


def test_ids_of_users_never_become_paths(clustering, tmp_path):
    clustering.images["image_id"] = [f"../../{i}" for i in range(12)]
    page = build(clustering, tmp_path / "run")
    files = list(page.parent.rglob("*.jpg"))
    assert len(files) == 12
    assert {f"{file.parent.name}/{file.name}" for file in files} == {
        f"{name[:2]}/{name}.jpg" for name in data_of(page)["images"]["thumbnail"]
    }
    # The same id for another picture gets another thumbnail.
    clustering.images["path"] = clustering.images["path"].tolist()[::-1]
    page = build(clustering, tmp_path / "run", overwrite=True)
    assert len(list(page.parent.rglob("*.jpg"))) > 12


def test_further_columns_travel_along(clustering, tmp_path):
    clustering.images["account"] = ["a & b", None, *"cdefghijkl"]
    data = data_of(build(clustering, tmp_path / "run"))
    row = data["images"]["file"].index("0000.png")
    assert data["extra"]["account"][row] == "a & b"
    assert data["extra"]["account"][data["images"]["file"].index("0001.png")] is None


def test_originals_are_found_from_the_page_and_absolutely(clustering, tmp_path):
    page = build(clustering, tmp_path / "run")
    data = data_of(page)
    relative, absolute = data["bases"]
    assert (page.parent / unquote(relative) / data["images"]["file"][0]).resolve().is_file()
    assert absolute == (tmp_path / "images").as_uri() + "/"


def test_without_clusters_there_is_the_residual(tmp_path):
    clustering = hand_made(draw_images(tmp_path / "images", [-1, -1]), [-1, -1])
    without_trace = replace(clustering, trace=clustering.trace.head(0))
    data = data_of(build(without_trace, tmp_path / "run"))
    assert [group["cluster"] for group in data["clusters"]] == [-1]


def test_mistakes(clustering, tmp_path):
    with pytest.raises(ImagestrataError, match="1 of 1 sampled images are not in the clustering"):
        build(clustering, tmp_path / "run", sample=pd.DataFrame({"image_id": ["x"]}))
    with pytest.raises(ImagestrataError, match="`sample` must be a table"):
        build(clustering, tmp_path / "run", sample=[1, 2])
    with pytest.raises(ImagestrataError, match="`n_typical` must be at least 1"):
        build(clustering, tmp_path / "run", n_typical=0)
    with pytest.raises(ImagestrataError, match="`thumbnail` must be between 40 and 640"):
        build(clustering, tmp_path / "run", thumbnail=5)
    with pytest.raises(ImagestrataError, match="`out`"):
        build(clustering, Path(clustering.images["path"][0]))
    with pytest.raises(ImagestrataError, match="must be a Clustering"):
        build(None, tmp_path / "run")
    assert not (tmp_path / "run" / "gallery").exists()


def test_progress_is_reported(clustering, tmp_path):
    calls: list[tuple[str, int, int | None]] = []
    image_gallery(clustering, tmp_path / "run", progress=lambda *call: calls.append(call))
    assert calls == [("Thumbnails", done, 12) for done in range(13)]


# ---- the page kit ----


@settings(max_examples=60)
@given(text=st.text() | st.sampled_from(["</script><script>", "<!--", "&lt;", "\u2028", "\ud800"]))
def test_no_text_gets_out_of_the_data(tmp_path_factory, text):
    page = tmp_path_factory.getbasetemp() / "page.html"
    write_page(page, "gallery", {"text": text}, title=text, summary=text)
    html = page.read_text(encoding="utf-8")
    assert data_of(page) == {"text": text}
    plain = write_page(page, "gallery", {"text": ""}, title="", summary="").read_text()
    tags = re.compile(r"<(?!!--)/?\w+")
    assert tags.findall(html) == tags.findall(plain)


def test_policy_allows_our_script_and_style_only(tmp_path):
    html = write_page(tmp_path / "page.html", "gallery", {}, title="", summary="").read_text()
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', html)[1].replace("&#39;", "'")
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/=]{44}'", parts["script-src"])
    assert re.fullmatch(r"'sha256-[\w+/=]{44}'", parts["style-src"])
    assert "unsafe" not in policy
    assert "http" not in html.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"\son\w+=|\sstyle=", html.split("<script")[0])


# ---- in the browser ----


class Visit:
    """A page in Chromium that must not complain, ask the network, or run anything foreign."""

    def __init__(self, browser: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1200, "height": 900})
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, page: Path, view: str = "") -> Any:
        self.page.goto(page.as_uri() + view)
        return self.page

    def tiles(self) -> Any:
        return self.page.locator("[data-view]:not([hidden]) .tile")

    def expect_tiles(self, number: int) -> None:
        expect_soon(self.tiles()).to_have_count(number)

    def tick(self, number: int, **options: Any) -> None:
        self.tiles().nth(number).hover()
        self.tiles().nth(number).locator("input").click(**options)


@pytest.fixture
def visit(browser):
    visit = Visit(browser)
    yield visit
    visit.context.close()
    assert visit.complaints == []
    assert {url.split(":")[0] for url in visit.requests} <= {"file", "data", "blob"}


def downloaded(page: Any) -> list[list[str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "ticked.csv"
    text = Path(download.value.path()).read_bytes().decode("utf-8")
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.browser
def test_walk_through(clustering, tmp_path, visit):
    gallery = build(clustering, tmp_path / "run", sample=clustering.images.iloc[[1]], n_typical=2)
    data = data_of(gallery)
    page = visit.open(gallery)

    cards = page.locator(".card")
    assert cards.locator("h2").all_inner_texts() == [
        "Cluster 1",
        "Cluster 2",
        "Cluster 3",
        "Residual",
    ]
    assert cards.first.locator("dd").all_inner_texts() == ["5", "41.7%", "0.61", "1"]
    visit.expect_tiles(8)
    assert page.locator(".badge").all_inner_texts() == ["sampled"]

    page.get_by_role("link", name="See all 5").click()
    expect_soon(page.get_by_role("heading", name="Cluster 1")).to_be_visible()
    visit.expect_tiles(5)
    page.get_by_role("link", name="Next →").click()
    expect_soon(page).to_have_url(re.compile("#cluster-2$"))
    visit.expect_tiles(3)
    page.get_by_role("link", name="Residual", exact=True).click()
    visit.expect_tiles(2)
    page.get_by_role("link", name="Sample", exact=True).click()
    visit.expect_tiles(1)
    page.get_by_role("link", name="Trace").click()
    expect_soon(page.locator("rect.bright")).to_have_count(2)
    assert page.locator("rect title").all_text_contents()[0] == "Iteration 1: 40"
    page.go_back()
    visit.expect_tiles(1)

    page.get_by_role("link", name="Clusters").click()
    visit.expect_tiles(8)
    visit.tiles().nth(2).click()
    viewer = page.get_by_role("dialog")
    expect_soon(viewer.locator("#place")).to_have_text("1 of 3")
    facts = dict(
        zip(
            viewer.locator("dt").all_inner_texts(),
            viewer.locator("dd").all_inner_texts(),
            strict=True,
        )
    )
    assert facts["Image id"] == data["images"]["id"][5]
    assert facts["File"] == data["root"] + data["images"]["file"][5]
    assert facts["Silhouette"] == "0.900"
    wait_until(page, "document.getElementById('large').src.endsWith('images/0000.png')")
    wait_until(page, "document.getElementById('large').naturalWidth === 90")
    page.keyboard.press("ArrowRight")
    expect_soon(viewer.locator("#place")).to_have_text("2 of 3")
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    expect_soon(viewer).to_be_hidden()
    expect_soon(page.locator("#count")).to_have_text("1 image ticked")


@pytest.mark.browser
def test_ticks_survive_and_are_handed_out(clustering, tmp_path, visit):
    gallery = build(clustering, tmp_path / "run")
    images = data_of(gallery)["images"]
    root = data_of(gallery)["root"]
    page = visit.open(gallery, "#cluster-1")
    visit.tick(3)
    visit.tick(1, modifiers=["Shift"])  # a range: 1, 2, 3
    visit.tick(2)  # and not the middle one
    page.get_by_role("link", name="Residual", exact=True).click()
    visit.expect_tiles(2)
    page.get_by_role("button", name="Tick all").click()
    chosen = [1, 3, 10, 11]

    page.reload()
    expect_soon(page.locator("#count")).to_have_text("4 images ticked")
    assert downloaded(page) == [
        ["image_id", "path", "cluster"],
        *([images["id"][i], root + images["file"][i], str(images["cluster"][i])] for i in chosen),
    ]
    page.get_by_role("button", name="Copy ids").click()
    page.get_by_text("Copied 4 ids.").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.split("\n") == [images["id"][i] for i in chosen]

    page.get_by_role("link", name="4 images ticked").click()
    visit.expect_tiles(4)
    page.get_by_role("button", name="Clear").click()
    expect_soon(page.locator("#ticks")).to_be_hidden()
    page.get_by_role("button", name="Undo").click()
    expect_soon(page.locator("#count")).to_have_text("4 images ticked")

    # Another gallery has ticks of its own.
    other = build(hand_made(clustering.images["path"].tolist(), [1] * 12), tmp_path / "other")
    visit.open(other)
    expect_soon(page.locator("#ticks")).to_be_hidden()


@pytest.mark.browser
def test_keyboard(clustering, tmp_path, visit):
    page = visit.open(build(clustering, tmp_path / "run"), "#cluster-1")
    visit.tiles().nth(0).locator("button").focus()

    def expect_focus(name: str) -> None:
        expect_soon(page.locator(":focus")).to_have_attribute("aria-label", name)

    expect_focus("Open 0001.png")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    expect_focus("Open 0002.png")
    expect_soon(page.locator("#count")).to_have_text("1 image ticked")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect_soon(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect_focus("Open 0001.png")
    page.goto(page.url.split("#")[0])
    visit.expect_tiles(12)
    visit.tiles().nth(0).locator("button").focus()
    page.keyboard.press("ArrowDown")
    expect_focus("Open 0000.png")  # the first image of cluster 2, below


@pytest.mark.browser
def test_hostile_names_are_only_text(tmp_path, visit, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [
        '=1+1,"x".png',
        "a'\"><script>hacked=1<",  # a folder, so that the path has a closing tag in it
        "new\nline & %41 #?.png",
        "+éü漢.png",
    ]
    paths = draw_images(Path(), [1] * 4)
    wanted = []
    for old, name in zip(paths, names, strict=True):
        path = Path(name)
        if "<script>" in name:
            path.mkdir()
            path /= "script>.png"
        Path(old).rename(path)
        wanted.append(str(path))
    clustering = hand_made(wanted, [1] * 4, **{"<b>note": "<img src=x onerror=hacked=1>"})
    gallery = build(clustering, Path("<run>"))
    page = visit.open(gallery.absolute(), "#cluster-1")

    for i, path in enumerate(wanted):
        visit.tiles().nth(i).click()
        assert page.locator("#facts a").nth(1).text_content() == path
        assert page.locator("#facts dt", has_text="<b>note").count() == 1
        # The original is found in spite of its name: it is wider than high, as drawn.
        wait_until(page, f"document.getElementById('large').naturalWidth === {90 + 30 * (i % 3)}")
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Tick all").click()
    rows = downloaded(page)[1:]
    assert [row[1] for row in rows] == ["'" + wanted[0], wanted[1], wanted[2], "'" + wanted[3]]
    assert page.evaluate("window.hacked") is None
    assert page.locator("script").count() == 2
    assert page.locator(".missing").count() == 0


@pytest.mark.browser
def test_the_policy_stops_foreign_scripts(clustering, tmp_path, visit):
    page = visit.open(build(clustering, tmp_path / "run"))
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
        }"""
    )
    assert page.evaluate("window.hacked") is None
    assert "Content Security Policy" in visit.complaints.pop()


@pytest.mark.browser
def test_what_cannot_be_shown_is_grey_with_the_reason(clustering, tmp_path, visit):
    files = [Path(path) for path in clustering.images["path"]]
    files[1].unlink()
    gallery = build(clustering, tmp_path / "run")
    files[2].unlink()  # after the thumbnail was made
    page = visit.open(gallery, "#cluster-1")
    expect_soon(visit.tiles().nth(0)).to_have_text("file not found")
    visit.tiles().nth(0).click()
    expect_soon(page.locator("#note")).to_have_text("Not to be seen: file not found.")
    page.keyboard.press("ArrowRight")
    page.get_by_text("this is its thumbnail").wait_for()
    wait_until(page, "document.getElementById('large').naturalWidth > 0")
    assert all("ERR_FILE_NOT_FOUND" in complaint for complaint in visit.complaints)
    visit.complaints.clear()


@pytest.mark.browser
def test_formats_that_browsers_do_not_show_have_their_thumbnail(tmp_path, visit):
    kinds = {"phone.heic": "HEIF", "scan.jp2": "JPEG2000", "web.avif": "AVIF"}
    drawn = {name: encode(picture(1, (400, 300)), kind) for name, kind in kinds.items()}
    folder = write_files(tmp_path / "images", drawn)
    gallery = build(hand_made([str(folder / name) for name in kinds], [1] * 3), tmp_path / "run")
    page = visit.open(gallery, "#cluster-1")
    for i, name in enumerate(kinds):
        visit.tiles().nth(i).click()
        assert page.locator("#facts a").nth(1).get_attribute("href").endswith(name)
        if name != "web.avif":
            page.get_by_text("this is its thumbnail").wait_for()
        wait_until(page, "document.getElementById('large').naturalWidth > 0")
        page.keyboard.press("Escape")


@pytest.mark.browser
def test_two_thousand_images_are_loaded_as_they_are_needed(tmp_path, visit):
    paths = draw_images(tmp_path / "images", [1]) * 2000
    clustering = hand_made(paths, [1] * 2000, image_id=[f"image {i}" for i in range(2000)])
    page = visit.open(build(clustering, tmp_path / "run", thumbnail=80), "#cluster-1")
    page.wait_for_load_state()

    def thumbnails_asked_for() -> int:
        return sum(".jpg" in url for url in set(visit.requests))

    visit.tiles().nth(20).wait_for()
    wait_until(
        page,
        "[...document.querySelectorAll('.tile img')].filter((i) => i.naturalWidth).length > 20",
    )
    assert 20 < thumbnails_asked_for() < 700
    assert visit.tiles().count() < 700
    height = page.evaluate("document.documentElement.scrollHeight")
    assert height > 5000  # room for all, so that the scroll bar does not lie
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.get_by_label("Open 0000.png").last.wait_for()
    wait_until(
        page, "[...document.querySelectorAll('.tile')].some((t) => t.dataset.image === '1999')"
    )
    assert page.evaluate("document.documentElement.scrollHeight") == pytest.approx(height, rel=0.01)
    assert visit.tiles().count() < 1900

    # On paper everything is there.
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert visit.tiles().count() == 2000


# ---- more images than a page can hold ----


def cluster_sizes(data: dict[str, Any]) -> list[tuple[int, int, int]]:
    return [(group["cluster"], group["shown"], group["size"]) for group in data["clusters"]]


def test_of_many_images_the_typical_and_the_sampled_are_shown(clustering, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery_module, "MOST_SHOWN", 6)
    last = clustering.images.iloc[[10]]  # the least typical of cluster 3
    page = build(clustering, tmp_path / "run", sample=last)
    data = data_of(page)
    assert data["thinned"] == 1
    assert len(data["images"]["id"]) == 6
    assert [size for _, _, size in cluster_sizes(data)] == [5, 3, 2, 2]
    assert [round(group["share"], 3) for group in data["clusters"]] == [0.417, 0.25, 0.167, 0.167]
    shown = [data["images"]["cluster"].count(group["cluster"]) for group in data["clusters"]]
    assert [number for _, number, _ in cluster_sizes(data)] == shown
    firsts = [data["images"]["file"][group["first"]] for group in data["clusters"]]
    assert firsts == ["0001.png", "0000.png", "0003.png", "0007.png"]
    assert [data["images"]["file"][row] for row in data["sampled"]] == ["0010.png"]
    # Small copies are made of these only.
    assert len(list(page.parent.rglob("*.jpg"))) == 6
    counts = read_run(tmp_path / "run")["steps"]["gallery"]["counts"]
    assert counts == {"images": 12, "not_shown": 6}
    again = data_of(build(clustering, tmp_path / "again" / "run", sample=last))
    assert again["images"] == data["images"]


def test_the_page_does_not_grow_with_the_corpus(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery_module, "MOST_SHOWN", 300)

    def size(n: int) -> int:
        clusters = [1 + i % 7 for i in range(n)]
        many = hand_made([None] * n, clusters, image_id=[f"image {i:06d}" for i in range(n)])
        points = pd.DataFrame({"image_id": many.images["image_id"], "x": range(n), "y": 0.5})
        return build(many, tmp_path / str(n), points=points).stat().st_size

    assert size(8_000) < 1.02 * size(1_000)


@pytest.mark.browser
def test_the_page_says_that_it_does_not_show_all(clustering, tmp_path, visit, monkeypatch):
    monkeypatch.setattr(gallery_module, "MOST_SHOWN", 6)
    x = range(12)
    points = pd.DataFrame({"image_id": clustering.images["image_id"], "x": x, "y": x})
    gallery = build(clustering, tmp_path / "run", points=points)
    shown = {number: here for number, here, _ in cluster_sizes(data_of(gallery))}
    page = visit.open(gallery)
    sentence = page.locator("[data-view]:not([hidden]) .thinned")
    everything = (
        "Showing 6 of 12 images: of each cluster the most typical, the others drawn at random."
    )
    expect_soon(sentence).to_have_text(everything)
    page.get_by_role("link", name=f"See {shown[1]} of 5").click()
    visit.expect_tiles(shown[1])
    expect_soon(sentence).to_contain_text(f"Showing {shown[1]} of 5 images: the most typical, ")
    page.get_by_role("button", name="Tick all shown").click()
    expect_soon(page.locator("#count")).to_contain_text(f"{shown[1]} image")
    page.get_by_role("link", name="Map", exact=True).click()
    expect_soon(sentence).to_have_text(everything)
    wait_until(page, "document.querySelector('canvas').stats.drawn === 6")


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1600])
def test_nothing_sticks_out(clustering, tmp_path, visit, width):
    page = visit.open(build(clustering, tmp_path / "run", sample=clustering.images.head(3)))
    page.set_viewport_size({"width": width, "height": 700})
    for view in ["", "#cluster-1", "#trace"]:
        page.goto(page.url.split("#")[0] + view)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
