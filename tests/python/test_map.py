"""Images on a map: the table, the figure, and the view of the gallery."""

from __future__ import annotations

import base64
import io
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clusterings import draw_images, hand_made
from imagestrata import (
    Embeddings,
    ImagestrataError,
    cluster_images,
    image_gallery,
    map_images,
    plot_map,
)
from imagestrata.explore import map as map_module
from imagestrata.explore.figure import GROUPS, NONE, SMALLER
from imagestrata.explore.map import fitting_labels, map_key
from imagestrata.explore.points import PALETTE, check_points, map_content, medians, spread_colours
from pages import expect_soon, wait_until
from test_gallery import Visit, data_of, downloaded

CLUSTERS = [1, 1, 1, 2, 2, -1]
#: A group in each of two corners, and the residual between them.
PLACES = [(0, 0), (1, 0), (0, 1), (10, 10), (9, 10), (5, 5)]


@pytest.fixture(scope="module")
def clustering(tmp_path_factory):
    return hand_made(draw_images(tmp_path_factory.mktemp("images"), CLUSTERS), CLUSTERS)


def points_of(clustering, places=PLACES, **columns) -> pd.DataFrame:
    x, y = np.array(places, dtype=float).T
    return pd.DataFrame({"image_id": clustering.images["image_id"], "x": x, "y": y, **columns})


def words(**terms: str) -> pd.DataFrame:
    rows = [(int(name[1:]), 1, term) for name, term in terms.items()]
    return pd.DataFrame(rows, columns=["cluster", "rank", "term"])


# ---- the table ----


def test_pca_by_hand():
    line = np.outer([0.0, 1.0, 2.0, 3.0, 4.0], [3.0, 4.0])
    line[1] += [4, -3]  # off the line
    embeddings = Embeddings.from_arrays(line, list("abcde"))
    points = map_images(embeddings, "pca", progress=False)
    assert points.columns.tolist() == ["image_id", "x", "y", "method"]
    assert points["image_id"].tolist() == list("abcde")
    assert set(points["method"]) == {"pca"}
    # Principal components turn the plane: distances stay.
    before = np.linalg.norm(line[:, None] - line, axis=2)
    xy = points[["x", "y"]].to_numpy()
    assert np.linalg.norm(xy[:, None] - xy, axis=2) == pytest.approx(before, abs=1e-4)
    assert points["x"].var() > points["y"].var()


def test_umap_is_asked_for_a_map(monkeypatch):
    """That UMAP keeps groups apart is tested with :func:`reduce_embeddings`."""
    asked: dict[str, Any] = {}

    def reduce(embeddings: Any, method: str, **settings: Any) -> Embeddings:
        asked.update(settings, method=method)
        return Embeddings.from_arrays([[0.0, 1.0], [2.0, 3.0]], ["a", "b"])

    monkeypatch.setattr(map_module, "reduce_embeddings", reduce)
    points = map_images(np.eye(2), seed=7, progress=False)
    assert points.to_dict("list") == {
        "image_id": ["a", "b"], "x": [0, 2], "y": [1, 3], "method": ["umap", "umap"],
    }  # fmt: skip
    assert asked == {
        "method": "umap", "n_components": 2, "n_neighbors": 25, "min_dist": 0.01, "seed": 7,
        "progress": False,
    }  # fmt: skip


def test_the_map_of_an_array_fits_its_clustering():
    vectors = np.random.default_rng(1).normal(size=(12, 5))
    clustering = cluster_images(vectors, method="kmeans", n_clusters=3, progress=False)
    assert plot_map(clustering, map_images(vectors, "pca", progress=False)).axes


def test_umap_is_asked_for_by_name_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImagestrataError, match="umap") as caught:
        map_images(np.eye(6), n_neighbors=3, progress=False)
    assert "imagestrata[density]" in caught.value.hint
    assert len(map_images(np.eye(6), "pca", progress=False)) == 6


def test_other_methods_are_refused():
    with pytest.raises(ImagestrataError, match="`method` must be one of 'umap', 'pca'"):
        map_images(np.eye(6), "tsne")


# ---- points of a clustering ----


def test_points_are_found_by_id(clustering):
    points = points_of(clustering).sample(frac=1, random_state=0)
    extra = pd.DataFrame({"image_id": ["another"], "x": [np.nan], "y": [0.0]})
    places = check_points(pd.concat([points, extra]), clustering.images)
    assert places.tolist() == [list(map(float, place)) for place in PLACES]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["x"], "image_id, x, y, .* not a Series"),
        (lambda t: t.rename(columns={"y": "z"}), "it has image_id, x, z"),
        (lambda t: pd.concat([t, t.head(1)]), "occurs 2 times"),
        (lambda t: t.tail(4), "2 of 6 images of the clustering have no place"),
        (lambda t: t.replace(9.0, np.inf), "1 of 6 images"),
        (lambda t: t.assign(x="east"), "must contain numbers"),
    ],
)
def test_bad_points(clustering, tmp_path, change, message):
    bad = change(points_of(clustering))
    with pytest.raises(ImagestrataError, match=message):
        plot_map(clustering, bad)
    with pytest.raises(ImagestrataError, match=message):
        image_gallery(clustering, tmp_path / "run", points=bad, progress=False)


def test_medians_by_hand(clustering):
    places = np.array(PLACES, dtype=float)
    found = medians(places, clustering.images["cluster"], [1, 2])
    assert found.tolist() == [[0, 0], [9.5, 10]]


def test_colours_by_hand():
    # Three colours on a line: the fourth place takes that of the farthest, the first.
    places = np.array([[0.0, 0], [4, 0], [5, 0], [6, 0], [0.5, 0]])
    assert spread_colours(places, 3) == [0, 1, 2, 0, 2]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), max_size=25),
    st.integers(1, 8),
)
def test_no_colour_comes_twice_before_all_have_come(places, n):
    chosen = spread_colours(np.array(places, dtype=float).reshape(-1, 2), n)
    assert sorted(chosen[:n]) == list(range(min(n, len(places))))
    assert set(chosen) <= set(range(n))


def test_what_the_page_gets(clustering):
    content = map_content(np.array(PLACES, float), clustering.images["cluster"], [1, 2], "pca")
    decoded = np.frombuffer(base64.b64decode(content["points"]), "<u2").reshape(-1, 2)
    assert decoded == pytest.approx(6553.5 * np.array(PLACES), abs=1)
    assert content["labels"] == [[0, 0], [62258, 65535]]
    assert content["colours"] == [0, 1]
    alone = map_content(np.array([[7.0, 7.0]]), pd.Series([-1]), [], None)
    assert (alone["labels"], alone["colours"]) == ([], [])


# ---- the figure ----


def test_colours_and_labels_of_the_figure(clustering):
    figure = plot_map(clustering, points_of(clustering, method="umap"), keywords=words(c2="$dog$"))
    dots = figure.axes[0].collections[0]
    from matplotlib.colors import to_hex

    assert [to_hex(colour) for colour in dots.get_facecolors()] == [
        NONE,  # the residual, beneath
        *[GROUPS[0]] * 3,
        *[GROUPS[1]] * 2,
    ]
    assert dots.get_offsets()[0].tolist() == [0.5, 0.5]
    labels = figure.axes[0].texts
    assert [label.get_text() for label in labels] == ["1", "2 $dog$"]
    assert [label.get_position()[0] for label in labels] == pytest.approx([0, 0.95])
    caption = figure.texts[0].get_text()
    assert caption == "UMAP: 6 images, 2 clusters. Labels: above the median of a cluster's images."
    key = figure.legends[0]
    assert [text.get_text() for text in key.get_texts()] == ["1", "2", "in no cluster"]
    assert [dot.get_color() for dot in key.legend_handles] == [*GROUPS[:2], NONE]


def test_no_colour_stands_for_two_clusters():
    # Nine clusters, of which the third and the fifth are the smallest.
    sizes = [3, 3, 1, 3, 1, 3, 3, 3, 3]
    clusters = pd.Series(np.repeat(np.arange(1, 10), sizes))
    key = map_key(clusters, range(1, 10), {1: "flags"}, "cluster")
    assert [*key.colour_of] == [1, 2, 4, 6, 7, 8, 9]
    assert [*key.colour_of.values()] == [*GROUPS]
    assert [*key.entries] == ["1  flags", *"246789", "2 smaller clusters"]
    assert key.colours([3, 5, 9, -1]) == [SMALLER, SMALLER, GROUPS[6], NONE]


def test_colours_are_those_of_r():
    theme = (Path(__file__).parents[2] / "R" / "theme.R").read_text(encoding="utf-8")
    group = re.search(r"group_colours <- c\(([^)]*)\)", theme)
    assert group is not None
    assert tuple(re.findall("#[0-9a-f]{6}", group[1])) == GROUPS


def test_labels_do_not_cover_each_other():
    centres = np.array([[0.5, 0.5], [0.5, 0.505], [0.1, 0.1], [0.15, 0.1], [0.9, 0.9]])
    labels = fitting_labels(centres, list("12345"), {2: "word", 3: "word", 4: "word"})
    assert labels == {0: "1", 2: "3", 3: "4", 4: "5 word"}


def test_the_same_file_every_time(clustering, tmp_path):
    for name in ("a.png", "b.png", "a.svg", "b.svg"):
        plot_map(clustering, points_of(clustering), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 1300


# ---- the page ----


@pytest.fixture
def visit(browser):
    visit = Visit(browser)
    visit.context.set_offline(True)
    yield visit
    visit.context.close()
    assert visit.complaints == []
    assert {url.split(":")[0] for url in visit.requests} <= {"file", "data", "blob"}


def build(clustering, out: Path, places: Any = PLACES, **arguments: Any) -> Path:
    points = points_of(clustering, places, method="pca")
    return image_gallery(clustering, out, points=points, thumbnail=40, progress=False, **arguments)


DRAWN = "document.querySelector('canvas')?.stats.drawn > 0"


def where(page: Any, i: int) -> tuple[float, float]:
    spot = page.evaluate(f"document.querySelector('canvas').where({i})")
    return spot["x"], spot["y"]


def ready(visit, gallery: Path) -> Any:
    """The map as a page, once it is drawn."""
    page = visit.open(gallery, "#map")
    wait_until(page, DRAWN)
    return page


def pixel(page: Any, i: int) -> tuple[int, ...]:
    x, y = where(page, i)
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        return shot.convert("RGB").getpixel((round(x), round(y)))


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def draw_line(page: Any, corners: list[tuple[float, float]]) -> None:
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=3)
    page.mouse.up()


def around(page: Any, i: int, r: float = 60) -> list[tuple[float, float]]:
    x, y = where(page, i)
    return [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]


def test_without_points_there_is_no_map(clustering, tmp_path):
    assert "map" not in data_of(image_gallery(clustering, tmp_path / "run", progress=False))


@pytest.mark.browser
def test_pointing_shows_the_image_and_a_click_opens_it(clustering, tmp_path, visit):
    page = ready(visit, build(clustering, tmp_path / "run"))
    assert pixel(page, 0) != (255, 255, 255)
    page.mouse.move(*where(page, 3))
    peek = page.locator(".peek")
    expect_soon(peek).to_have_text("Cluster 2 0003.png")
    wait_until(page, "document.querySelector('.peek img').naturalWidth > 0")
    wait_until(page, "document.querySelector('.peek img').complete")
    page.mouse.move(*(sum(pair) / 2 for pair in zip(where(page, 2), where(page, 5), strict=True)))
    expect_soon(peek).to_be_hidden()
    page.mouse.click(*where(page, 5))
    expect_soon(page.get_by_role("dialog").locator("#name")).to_have_text("0005.png")
    page.keyboard.press("Escape")
    page.mouse.click(*where(page, 4))
    expect_soon(page.locator("#place")).to_have_text("2 of 2")
    page.get_by_role("link", name="Cluster 2").click()
    visit.expect_tiles(2)
    page.get_by_role("link", name="On the map").click()
    expect_soon(page.get_by_role("combobox")).to_have_value("2")


@pytest.mark.browser
def test_dots_have_the_colours_of_their_clusters(clustering, tmp_path, visit):
    page = ready(visit, build(clustering, tmp_path / "run"))
    assert pixel(page, 1) == rgb(PALETTE[0])
    assert pixel(page, 4) == rgb(PALETTE[1])
    assert pixel(page, 5) == rgb("#cfd4da")
    page.get_by_role("combobox").select_option("2")
    assert pixel(page, 1) == rgb("#cfd4da")
    assert pixel(page, 4) == rgb(PALETTE[1])
    page.get_by_role("link", name="See its images").click()
    visit.expect_tiles(2)


@pytest.mark.browser
def test_drag_wheel_and_buttons_move_the_map(clustering, tmp_path, visit):
    page = ready(visit, build(clustering, tmp_path / "run"))
    start = where(page, 5)
    page.mouse.move(600, 500)
    page.mouse.down()
    page.mouse.move(640, 520, steps=3)
    page.mouse.up()
    assert where(page, 5) == pytest.approx((start[0] + 40, start[1] + 20), abs=0.5)
    expect_soon(page.locator("#ticks")).to_be_hidden()
    expect_soon(page.get_by_role("dialog")).to_be_hidden()

    # What is under the pointer stays there; what is not moves away from it.
    page.mouse.move(*where(page, 5))
    spot, other = where(page, 5), where(page, 3)
    page.mouse.wheel(0, -200)
    wait_until(page, f"document.querySelector('canvas').where(3).x > {other[0] + 5}")
    assert where(page, 5) == pytest.approx(spot, abs=1)
    page.get_by_role("button", name="Whole map").click()
    assert where(page, 5) == pytest.approx(start, abs=0.5)
    page.get_by_role("button", name="Zoom in").click()
    near = where(page, 3)[0]
    page.get_by_role("button", name="Zoom out").click()
    assert where(page, 3)[0] < near


@pytest.mark.browser
def test_a_lasso_ticks_what_is_inside(clustering, tmp_path, visit):
    gallery = build(clustering, tmp_path / "run")
    images = data_of(gallery)["images"]
    page = ready(visit, gallery)
    page.keyboard.down("Shift")
    # A line that turns back: image 5 lies in its notch, outside.
    (ax, ay), (bx, by), (cx, cy) = (where(page, i) for i in (0, 3, 5))
    draw_line(page, [
        (ax - 40, ay + 20), (ax - 40, by - 20), (bx + 20, by - 20), (bx + 20, by + 20),
        (cx - 60, cy - 30), (ax + 5, ay + 5),
    ])  # fmt: skip
    page.keyboard.up("Shift")
    expect_soon(page.locator("#count")).to_have_text("4 images ticked")
    rows = downloaded(page)
    assert [row[0] for row in rows[1:]] == [images["id"][i] for i in (0, 2, 3, 4)]
    page.get_by_role("button", name="Undo").click()
    expect_soon(page.locator("#ticks")).to_be_hidden()

    # The button does the same without a key, for what is highlighted.
    page.get_by_role("button", name="Lasso").click()
    page.get_by_role("combobox").select_option("1")
    draw_line(page, around(page, 5, 290))
    expect_soon(page.locator("#message")).to_have_text("Ticked 3 images. Undo")
    page.get_by_role("link", name="3 images ticked").click()
    visit.expect_tiles(3)


@pytest.mark.browser
def test_a_finger_shows_and_opens(clustering, tmp_path, browser):
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True)
    page = context.new_page()
    page.goto(build(clustering, tmp_path / "run").as_uri() + "#map")
    wait_until(page, DRAWN)
    page.touchscreen.tap(*where(page, 3))
    expect_soon(page.locator(".peek")).to_have_text("Cluster 2 0003.png")
    expect_soon(page.get_by_role("dialog")).to_be_hidden()
    page.touchscreen.tap(*where(page, 3))
    expect_soon(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


@pytest.mark.browser
def test_keyboard(clustering, tmp_path, visit):
    page = ready(visit, build(clustering, tmp_path / "run"))
    page.locator("canvas").focus()
    page.keyboard.press("0")
    expect_soon(page.locator(".peek")).to_have_text("Residual 0005.png")  # in the middle
    page.keyboard.press("x")
    expect_soon(page.locator("#count")).to_have_text("1 image ticked")
    for key in ["ArrowRight"] * 5 + ["ArrowUp"] * 5:
        page.keyboard.press(key)
    expect_soon(page.locator(".peek")).to_contain_text("Cluster 2")
    page.keyboard.press("Enter")
    expect_soon(page.get_by_role("dialog").locator("h2")).to_contain_text("000")
    page.keyboard.press("Escape")
    expect_soon(page.locator("canvas")).to_be_focused()
    for _ in range(4):
        page.keyboard.press("+")
    page.get_by_role("button", name="Tick all in view").click()
    expect_soon(page.locator("#count")).to_have_text("3 images ticked")


@pytest.mark.browser
def test_hostile_names_are_only_text(tmp_path, visit):
    evil = "<img src=x onerror=hacked=1>"
    paths = draw_images(tmp_path / "images", CLUSTERS)
    name = tmp_path / "images" / "=1+1,<b>.png"
    Path(paths[0]).rename(name)
    ids = [f"@{evil}{i}" for i in range(6)]
    clustering = hand_made([str(name), *paths[1:]], CLUSTERS, image_id=ids)
    gallery = build(clustering, tmp_path / "run", keywords=words(c1=evil, c2="</script>"))
    page = ready(visit, gallery)
    page.mouse.move(*where(page, 0))
    expect_soon(page.locator(".peek")).to_have_text("Cluster 1 =1+1,<b>.png")
    assert page.get_by_role("combobox").locator("option").nth(2).text_content() == (
        f"Cluster 1 (3): {evil}"
    )
    page.get_by_role("button", name="Tick all in view").click()
    rows = downloaded(page)
    assert [row[0] for row in rows[1:]] == [f"'{image_id}" for image_id in ids]
    assert page.evaluate("window.hacked") is None
    assert page.locator("script").count() == 2


@pytest.mark.browser
def test_twenty_thousand_points(tmp_path, visit):
    rng = np.random.default_rng(0)
    n = 20_000
    clusters = rng.integers(1, 31, n)
    places = rng.normal(size=(31, 2))[clusters] * 10 + rng.normal(size=(n, 2))
    clustering = hand_made([None] * n, clusters.tolist(), image_id=[str(i) for i in range(n)])
    gallery = build(clustering, tmp_path / "run", places)
    page = ready(visit, gallery)
    stats = "document.querySelector('canvas').stats"
    assert page.evaluate(f"{stats}.drawn") == n
    # All are there; to find the one pointed at, few are looked at.
    spots = page.evaluate(
        "[...Array(200).keys()].map((k) => document.querySelector('canvas').where(100 * k))"
    )
    visited = []
    for spot in spots[::20]:
        page.mouse.move(spot["x"], spot["y"])
        expect_soon(page.locator(".peek")).to_be_visible()
        visited.append(page.evaluate(f"{stats}.visited"))
    assert 0 < max(visited) < n / 10
    # Zoomed in, only what is in view is drawn.
    page.mouse.move(spots[0]["x"], spots[0]["y"])
    for _ in range(6):
        page.mouse.wheel(0, -240)
    wait_until(page, f"{stats}.drawn < {n // 4}")
    assert page.evaluate(f"{stats}.drawn") > 0
    assert gallery.stat().st_size < 2e6
