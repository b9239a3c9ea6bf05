"""The page on which annotators label images, in a browser."""

from __future__ import annotations

import pandas as pd
import pytest

from clusterings import draw_images
from imagestrata import export_labels, read_labels
from pages import begin, downloaded, expect_soon

pytestmark = pytest.mark.browser
CODES = {"protest": "binary", "scene": ["march", "vigil"], "crowd": {"calm": 1, "violent": 7}}


@pytest.fixture
def sample(tmp_path):
    clusters = [1] * 5 + [2] * 3
    paths = draw_images(tmp_path / "images", clusters)
    ids = [f"i{i}" for i in range(8)]
    return pd.DataFrame({"image_id": ids, "path": paths, "cluster": clusters})


def page_of(sample, folder, codes=CODES, **options):
    made = export_labels(sample, folder / "label", codes, **{"progress": False} | options)
    return (made / "coder-1.html").as_uri()


def chips(visit, place):
    return visit.locator("article").nth(place).locator(".chip").all_inner_texts()


def read(visit, folder):
    """The labels of the page as a dictionary by image and code, and the table."""
    table = read_labels(downloaded(visit, folder), folder / "label")
    return table.set_index(["image_id", "code"])["label"].to_dict(), table


@pytest.mark.filterwarnings("ignore:.* images have no label", "ignore:.* some of the codes only")
def test_one_click_labels_a_cluster_and_others_the_exceptions(sample, tmp_path, visit):
    visit.goto(page_of(sample, tmp_path, ["protest"], warning="Some show violence."))
    expect_soon(visit.get_by_text("Some show violence.")).to_be_visible()
    expect_soon(visit.get_by_text("8 images in 2 groups.")).to_be_visible()
    begin(visit, "Ann B")
    n = visit.locator("article").count()
    visit.get_by_role("button", name="protest: yes").click()
    assert [chips(visit, i) for i in range(n)] == [["✓ protest"]] * n
    visit.get_by_role("button", name="Image 2", exact=True).click()
    visit.get_by_role("button", name="protest: no").click()
    assert chips(visit, 1) == ["✗ protest"] and chips(visit, 0) == ["✓ protest"]
    # The exception remains, but only as long as it is one.
    visit.get_by_role("button", name="Select none").click()
    visit.get_by_role("button", name="protest: no").click()
    visit.get_by_role("button", name="protest: yes").click()
    assert [chips(visit, i) for i in range(n)] == [["✓ protest"]] * n
    visit.get_by_role("button", name="Image 3", exact=True).click()
    visit.get_by_role("button", name="protest: no").click()
    labels, table = read(visit, tmp_path)
    assert sorted(labels.values()) == ["0", *["1"] * (n - 1)]
    assert {*table["annotator"]} == {"Ann B"}
    assert (table["seconds"] >= 0).all() and table["seconds"].nunique() == 1
    assert table.attrs["pace"][0]["n_images"] == n


def test_everything_by_keyboard(sample, tmp_path, visit):
    visit.goto(page_of(sample, tmp_path))
    begin(visit, "Ann")
    press = visit.keyboard.press
    for _ in range(2):
        n = visit.locator("article").count()
        press("1")  # protest: yes, and on to scene
        press("2")
        press("7")
        press("ArrowRight")
        press("ArrowRight")
        press("Space")
        press("0")
        press("Escape")
        press("Enter")
    expect_soon(visit.get_by_text("All groups are labelled. Thank you!")).to_be_visible()
    visit.get_by_role("button", name="Look through them again").click()
    assert visit.locator("#place").inner_text() == "Group 1 of 2 · 2 labelled"
    assert chips(visit, 1) == ["✗ protest", "scene: vigil", "crowd: 7"]
    assert chips(visit, 0) == ["✓ protest", "scene: vigil", "crowd: 7"]
    press("c")
    press("c")
    press("3")
    assert chips(visit, 2)[2] == "crowd: 3"
    press("Enter")
    assert visit.locator("#place").inner_text().startswith("Group 2 of 2")
    press("Backspace")
    assert visit.locator("#place").inner_text().startswith("Group 1 of 2")
    labels, _ = read(visit, tmp_path)
    assert len(labels) == 24 and n in (3, 5)
    assert sorted(v for (_, code), v in labels.items() if code == "protest") == list("00111111")


def test_a_skip_and_a_note(sample, tmp_path, visit):
    visit.goto(page_of(sample, tmp_path, ["protest"]))
    begin(visit, "Ann")
    visit.keyboard.press("1")
    visit.get_by_role("button", name="Image 1", exact=True).click()
    visit.keyboard.press("s")
    visit.keyboard.press("2")  # too disturbing
    assert chips(visit, 0) == ["skipped: too disturbing"]
    visit.get_by_role("button", name="Image 2", exact=True).click()
    visit.keyboard.press("s")
    visit.keyboard.type("=blurred")
    visit.keyboard.press("Enter")
    visit.get_by_role("button", name="Image 3", exact=True).click()
    visit.keyboard.press("n")
    visit.keyboard.type("see the flag")
    visit.keyboard.press("Enter")
    assert chips(visit, 2) == ["✓ protest", "✎ see the flag"]
    visit.keyboard.press("Enter")  # a skipped image is not open
    assert visit.locator("#place").inner_text() == "Group 2 of 2 · 1 labelled"
    visit.keyboard.press("0")
    visit.keyboard.press("Enter")
    assert ", 2 images skipped." in visit.locator("#counts").inner_text()
    visit.get_by_role("button", name="Look through them again").click()
    _, table = read(visit, tmp_path)
    assert table["label"].isna().sum() == 2
    assert {*table["note"].dropna()} == {"too disturbing", "=blurred", "see the flag"}
    # A skip is taken back by the same key, or by a label.
    visit.get_by_role("button", name="Image 1", exact=True).click()
    visit.keyboard.press("s")
    visit.get_by_role("button", name="Image 2", exact=True).click()
    visit.get_by_role("button", name="protest: no").click()
    assert not any("skipped" in chip for i in (0, 1) for chip in chips(visit, i))


def test_answers_stay_and_belong_to_one_person(sample, tmp_path, visit):
    address = page_of(sample, tmp_path, {"protest": "binary", "remark": "text"})
    visit.goto(address)
    begin(visit, "Ann")
    visit.keyboard.press("1")
    visit.keyboard.press("c")
    visit.keyboard.type("<b>0b1 N")  # letters are no keys in a field
    visit.keyboard.press("Enter")
    assert chips(visit, 0) == ["✓ protest", "remark: <b>0b1 N"]
    visit.get_by_role("button", name="Change").click()
    begin(visit, "Bo")
    assert chips(visit, 0) == []
    visit.goto(address)
    begin(visit, "Ann")
    expect_soon(visit.get_by_text("Welcome back: 1 group labelled so far.")).to_be_visible()
    visit.keyboard.press("Backspace")
    assert chips(visit, 0) == ["✓ protest", "remark: <b>0b1 N"]
    visit.on("dialog", lambda dialog: dialog.accept())
    visit.get_by_role("button", name="Remove my answers").click()
    begin(visit, "Ann")
    assert chips(visit, 0) == []


def test_open_images_are_named_before_one_goes_on(sample, tmp_path, visit):
    visit.goto(page_of(sample, tmp_path))
    begin(visit, "Ann")
    n = visit.locator("article").count()
    visit.keyboard.press("1")
    visit.keyboard.press("Enter")
    assert f"{n} images have no label for scene, crowd." in visit.locator("#message").inner_text()
    assert visit.locator("#place").inner_text().startswith("Group 1")
    visit.keyboard.press("Enter")
    assert visit.locator("#place").inner_text() == "Group 2 of 2 · 0 labelled"


def test_the_codebook_is_at_hand(sample, tmp_path, visit):
    book = pd.DataFrame(
        [("protest", "", "People express dissent.", ""), ("scene", "vigil", "Candles.", "i3")],
        columns=["code", "answer", "definition", "example"],
    )
    visit.goto(page_of(sample, tmp_path, codebook=book))
    begin(visit, "Ann")
    expect_soon(visit.locator(".code").first.get_by_text("People express dissent.")).to_be_visible()
    visit.keyboard.press("b")
    dialog = visit.locator("dialog[open]")
    expect_soon(dialog.get_by_text("Candles.")).to_be_visible()
    expect_soon(dialog.get_by_alt_text("An example of scene: vigil")).to_be_visible()
    expect_soon(dialog.get_by_text("1 calm to 7 violent")).to_be_visible()
    visit.keyboard.press("1")  # labels nothing meanwhile
    visit.keyboard.press("b")
    expect_soon(dialog).to_be_hidden()
    assert chips(visit, 0) == []


def test_one_large_image(sample, tmp_path, visit):
    visit.goto(page_of(sample, tmp_path, ["protest"]))
    begin(visit, "Ann")
    visit.keyboard.press("z")
    large = visit.locator("dialog.large")
    expect_soon(large.locator("img")).to_be_visible()
    visit.keyboard.press("0")  # a label for this image alone
    expect_soon(large.get_by_text("✗ protest")).to_be_visible()
    visit.keyboard.press("ArrowRight")
    expect_soon(large.get_by_text("✗ protest")).to_be_hidden()
    visit.keyboard.press("Escape")
    assert chips(visit, 0) == ["✗ protest"] and chips(visit, 1) == []


def test_one_image_after_the_other(sample, tmp_path, visit):
    visit.goto(page_of(sample, tmp_path, ["protest"], by=None))
    begin(visit, "Ann")
    assert visit.locator("#place").inner_text() == "Image 1 of 8 · 0 labelled"
    for place in range(8):
        visit.keyboard.press(str(place % 2))
        visit.keyboard.press("Enter")
    expect_soon(visit.get_by_text("All images are labelled. Thank you!")).to_be_visible()
    visit.get_by_role("button", name="Look through them again").click()
    labels, _ = read(visit, tmp_path)
    assert sorted(labels.values()) == list("00001111")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out(sample, tmp_path, visit, width):
    long = "averyverylongwordthatnobreakhelps" * 3
    codes = {"a very long name of a code, really": "binary", long: [long, "b"], "c": [0, 10]}
    visit.goto(page_of(sample, tmp_path, codes, codebook={long: long}))
    visit.set_viewport_size({"width": width, "height": 700})
    begin(visit, "Ann")
    for _ in codes:
        visit.keyboard.press("1")
    assert len(chips(visit, 0)) == 3
    assert visit.evaluate("document.documentElement.scrollWidth") <= width
    for box in ("#tiles", "#codes"):
        assert visit.locator(box).evaluate("one => one.scrollWidth <= one.clientWidth")
    next_one = visit.get_by_role("button", name="Next group").bounding_box()
    assert next_one["x"] >= 0 and next_one["x"] + next_one["width"] <= width


@pytest.mark.parametrize("groups", [1, 100])
def test_a_page_of_2000_images(groups, tmp_path, visit):
    """In one cluster, and in many."""
    (path,) = draw_images(tmp_path / "images", [1])
    n = 2000
    ids = [f"i{i}" for i in range(n)]
    table = {"image_id": ids, "path": path, "cluster": [i % groups for i in range(n)]}
    visit.goto(page_of(pd.DataFrame(table), tmp_path, thumbnail=40))
    begin(visit, "Ann")
    for key in ("1", "2", "7", "Enter"):
        visit.keyboard.press(key)
    assert visit.locator("#done").evaluate("one => one.style.width") == f"{100 / groups:g}%"


def test_hostile_codes_on_the_page(sample, tmp_path, visit):
    codes = {"__proto__": ["=1+1", "<b>x</b>"], "constructor": "binary", "<i>": "text"}
    visit.goto(page_of(sample, tmp_path, codes))
    begin(visit, "__proto__")
    visit.keyboard.press("1")
    visit.keyboard.press("0")
    visit.keyboard.press("Enter")
    visit.keyboard.press("2")
    visit.keyboard.press("1")
    visit.keyboard.press("Enter")
    visit.get_by_role("button", name="Look through them again").click()
    labels, table = read(visit, tmp_path)
    assert {*table["annotator"]} == {"__proto__"}
    assert {label for (_, code), label in labels.items() if code == "__proto__"} == {
        "=1+1",
        "<b>x</b>",
    }
    assert {label for (_, code), label in labels.items() if code == "constructor"} == {"0", "1"}
