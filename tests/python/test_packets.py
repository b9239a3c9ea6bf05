"""Packets on their way to people: rating pages, Qualtrics, Label Studio."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pandas as pd
import pytest
from PIL import Image

from clusterings import content_id, draw_images
from imagestrata import ImagestrataError, assign_annotators, export_packets, read_ratings
from imagestrata.annotation.packets import EMOTIONS

CLUSTERS = [1, 1, 2, 2, 3, 3]
URL = "https://www.example.org/images"
EXPORTS = {
    "pages": {},
    "qualtrics": {"to": "qualtrics", "base_url": URL},
    "tasks": {"to": "labelstudio"},
    "hosted tasks": {"to": "labelstudio", "base_url": URL},
    "tables": {"to": "csv"},
    "hosted tables": {"to": "csv", "base_url": URL},
}


@pytest.fixture
def packets(tmp_path) -> pd.DataFrame:
    paths = draw_images(tmp_path / "images", CLUSTERS)
    ids = [content_id(path, i) for i, path in enumerate(paths)]
    sample = pd.DataFrame({"image_id": ids, "path": paths, "cluster": CLUSTERS})
    return assign_annotators(sample, n_images=3)


def export(kind: str, packets: pd.DataFrame, out: Path, **named: Any) -> Path:
    return export_packets(packets, out, progress=False, **{"thumbnail": 40} | EXPORTS[kind] | named)


def data_of(page: Path) -> dict[str, Any]:
    block = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert block is not None
    return json.loads(block[1])


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


# ---- what all exports do ----


def test_excluded_ids_that_no_image_has_are_told(packets, tmp_path):
    known = packets["image_id"].iloc[0]
    with pytest.raises(ImagestrataError, match=r"1 of 2 entries .* no image .* 'a\.jpg'"):
        export("pages", packets, tmp_path / "out", exclude=[known, "a.jpg"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", EXPORTS)
def test_excluded_images_never_leave(kind, packets, tmp_path):
    """Neither their ids nor their pictures, even where an earlier export had them."""
    hidden = packets["image_id"].iloc[0]
    before = files_of(export(kind, packets, tmp_path / "out"))
    assert any(hidden in path.read_text("latin-1") + path.name for path in before)
    folder = export(kind, packets, tmp_path / "out", exclude=[hidden], overwrite=True)
    after = files_of(folder)
    assert not any(hidden in path.read_text("latin-1") + path.name for path in after)
    others = set(packets["image_id"]) - {hidden}
    everything = "".join(path.read_text("latin-1") + path.name for path in after)
    assert all(image_id in everything for image_id in others)
    manifest = json.loads((folder / "export.json").read_text())
    names = [path.relative_to(folder).as_posix() for path in after]
    assert sorted([*manifest["files"], "export.json"]) == names


@pytest.mark.parametrize("kind", EXPORTS)
def test_an_interrupted_export_is_replaced_whole(kind, packets, tmp_path, monkeypatch):
    """Also what it had written of an image that is excluded by then; nothing else is removed."""
    out, hidden = tmp_path / "out", packets["image_id"].iloc[0]
    whole = files_of(export(kind, packets, tmp_path / "whole", exclude=[hidden]))
    with monkeypatch.context() as interrupted:
        interrupted.setattr("imagestrata.annotation.export.finish", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export(kind, packets, out)
    assert any(hidden in path.read_text("latin-1") + path.name for path in files_of(out))
    (out / "answers.csv").write_text("somebody's")
    again = files_of(export(kind, packets, out, exclude=[hidden]))
    assert (out / "answers.csv").read_text() == "somebody's"
    (out / "answers.csv").unlink()
    names = [path.relative_to(out).as_posix() for path in again if path.name != "answers.csv"]
    assert names == [path.relative_to(tmp_path / "whole").as_posix() for path in whole]
    assert not any(hidden in path.read_text("latin-1") + path.name for path in files_of(out))


@pytest.mark.parametrize("kind", EXPORTS)
def test_an_export_replaces_only_an_export(kind, packets, tmp_path):
    export(kind, packets, tmp_path / "out")
    with pytest.raises(ImagestrataError, match="already contains an export"):
        export(kind, packets, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("words")
    with pytest.raises(ImagestrataError, match=re.escape("other files (thesis.txt)")):
        export(kind, packets, tmp_path / "mine", overwrite=True)


@pytest.mark.parametrize("kind", EXPORTS)
def test_an_image_that_cannot_be_shown_is_left_out_and_counted(kind, packets, tmp_path):
    lost = packets["image_id"].iloc[1]
    Path(packets["path"].iloc[1]).unlink()
    with pytest.warns(UserWarning, match="1 of 6 images cannot be shown"):
        folder = export(kind, packets, tmp_path / "out")
    assert not any(lost in path.read_text("latin-1") for path in files_of(folder))


def test_bad_input(packets, tmp_path):
    out = tmp_path / "out"
    for arguments, message in [
        ({"items": []}, "list of names"),
        ({"items": "hopeful"}, "list of names"),
        ({"items": ["a", "a"]}, "names an item twice"),
        ({"items": ["a\nb"]}, "single lines"),
        ({"items": pd.DataFrame({"name": ["a"]})}, "lacks the column 'item'"),
        ({"scale": (10, 1)}, "must be the lower one"),
        ({"scale": (0, 100)}, "between 0 and 10"),
        ({"scale": 10}, "lowest and the highest"),
        ({"anchors": "none"}, "two texts"),
        ({"exclude": packets["image_id"].iloc[0]}, "list of image ids"),
        ({"exclude": packets["image_id"].tolist()}, "All images \\(6\\) are excluded"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            export("pages", packets, out, **arguments)
    with pytest.raises(ImagestrataError, match="'path'"):
        export("pages", packets.drop(columns="path"), out)
    with pytest.raises(ImagestrataError, match="in one packet twice"):
        export("pages", pd.concat([packets, packets]), out)
    with pytest.raises(ImagestrataError, match="not a valid file name"):
        export("pages", packets.assign(packet_id="../" + packets["packet_id"]), out)
    for url in ["www.example.org", "https://x/[[a]]", None]:
        with pytest.raises(
            ImagestrataError, match=r"`base_url` must be (given|the address of the images)"
        ):
            export_packets(packets, out, to="qualtrics", base_url=url, progress=False)
    with pytest.raises(ImagestrataError, match="cannot name files"):
        export("qualtrics", packets.assign(image_id="a/" + packets["image_id"]), out)
    with pytest.raises(ImagestrataError, match=re.escape("must not contain '[['")):
        export("qualtrics", packets, out, question="[[Question:MC]]")
    for path in packets["path"].unique():
        Path(path).unlink()
    with pytest.raises(ImagestrataError, match="6 of 6 images cannot be shown"):
        export("pages", packets, out)


# ---- Qualtrics ----


def test_the_qualtrics_survey(packets, tmp_path):
    folder = export(
        "qualtrics",
        packets,
        tmp_path / "out",
        items=["hopeful", "angry & sad"],
        scale=(0, 2),
        question="What do\nyou <feel>?",
        warning="Violence!",
    )
    assert (folder / "survey.txt").read_text().splitlines() == [
        "[[AdvancedFormat]]",
        "",
        "[[ED:packet_id]]",
        "[[ED:group]]",
        "[[ED:image_1]]",
        "[[ED:image_2]]",
        "[[ED:image_3]]",
        "",
        "[[Block:Start]]",
        "",
        "[[Question:DB]]",
        "[[ID:start]]",
        "<strong>Violence!</strong><br><br>You will see 3 images, one after the other.",
        "",
        "[[Block:Images]]",
        "",
        "[[Question:Matrix]]",
        "[[ID:rating]]",
        '<img src="https://www.example.org/images/${lm://Field/1}.jpg" alt="The image to rate" '
        'style="display: block; max-width: 100%; max-height: 60vh; margin: 0 auto 16px">'
        "What do<br>you &lt;feel&gt;? (0 = not at all, 2 = extremely)",
        "[[AdvancedChoices]]",
        "[[Choice:1]]",
        "hopeful",
        "[[Choice:2]]",
        "angry &amp; sad",
        "[[AdvancedAnswers]]",
        "[[Answer:0]]",
        "0",
        "[[Answer:1]]",
        "1",
        "[[Answer:2]]",
        "2",
    ]
    loop = list(csv.reader((folder / "loop-and-merge.csv").open()))
    assert loop[:2] == [
        ["Field 1", "Field 2"],
        ["${e://Field/image_1}", f"{URL}/${{e://Field/image_1}}.jpg"],
    ]
    assert len(loop) == 4


def test_packets_as_embedded_data(packets, tmp_path):
    short = packets.iloc[:-1]
    folder = export("qualtrics", short, tmp_path / "out")
    table = pd.read_csv(folder / "packets.csv", dtype=str, keep_default_na=False)
    assert table.columns.tolist() == [
        "packet_id", "group", "image_1", "image_2", "image_3", "parameters"
    ]  # fmt: skip
    for row in table.to_dict("records"):
        theirs = short[short["packet_id"] == row["packet_id"]]
        shown = [row[f"image_{place}"] for place in (1, 2, 3)]
        assert [image for image in shown if image] == theirs["image_id"].tolist()
        parameters = {name: value[0] for name, value in parse_qs(row["parameters"]).items()}
        assert parameters == {k: v for k, v in row.items() if v and k != "parameters"}
    assert "display logic" in (folder / "how-to.txt").read_text()
    for image_id in packets["image_id"].unique():
        with Image.open(folder / "images" / f"{image_id}.jpg") as picture:
            assert max(picture.size) == 40
            assert not picture.getexif()


# ---- Label Studio ----


@pytest.mark.parametrize("hosted", [False, True])
def test_label_studio(packets, tmp_path, hosted):
    kind = "hosted tasks" if hosted else "tasks"
    folder = export(kind, packets, tmp_path / "out", scale=(0, 10), warning='"So" & so')
    tasks = json.loads((folder / "tasks.json").read_text())
    columns = ["packet_id", "group", "position", "image_id"]
    sent = pd.DataFrame([task["data"] for task in tasks])
    pd.testing.assert_frame_equal(sent[columns], packets[columns])
    start = URL if hosted else "data:image/jpeg;base64,"
    assert sent["image"].str.startswith(start).all()
    root = ElementTree.parse(folder / "config.xml").getroot()
    assert [node.get("name") for node in root.iter("Choices")] == list(EMOTIONS)
    assert {node.get("toName") for node in root.iter("Choices")} == {"image"}
    values = [choice.get("value") for choice in root.iter("Choices").__next__()]
    assert values == [str(value) for value in range(11)]
    assert [node.get("value") for node in root.iter("Header")][:3] == [
        '"So" & so',
        "How much does this image make you feel each of the following?",
        "0 = not at all, 10 = extremely",
    ]


def test_ratings_in_label_studio_come_back(packets, tmp_path):
    """As exported whole, and short; one task is skipped, one item is not answered."""
    folder = export("tasks", packets, tmp_path / "out", items=["proud", "angry"])
    tasks = json.loads((folder / "tasks.json").read_text())
    for number, task in enumerate(tasks):
        results = [
            {"from_name": item, "value": {"choices": [str(value)]}}
            for item, value in (("proud", number), ("angry", 10 - number))
        ][: 1 if number == 1 else 2]
        skipped = number == 2
        task["annotations"] = [
            {"completed_by": number // 3, "result": results, "was_cancelled": skipped}
        ]
    (tmp_path / "a.json").write_text(json.dumps(tasks[:6]))
    with pytest.warns(UserWarning, match="1 of 10 rows have no rating"):
        ratings = read_ratings(tmp_path / "a.json", items=["proud", "angry"])
    assert ratings["rating"].tolist() == [0, 10, 1, 3, 7, 4, 6, 5, 5]
    assert ratings["respondent_id"].tolist() == ["0"] * 3 + ["1"] * 6
    shown = (0, 0, 1, 3, 3, 4, 4, 5, 5)
    assert ratings["group"].tolist() == [tasks[i]["data"]["group"] for i in shown]


# ---- CSV ----


@pytest.mark.parametrize("hosted", [False, True])
def test_tables_to_fill_in_come_back(packets, tmp_path, hosted):
    kind = "hosted tables" if hosted else "tables"
    folder = export(kind, packets, tmp_path / "out", items=["proud", "angry"])
    index = pd.read_csv(folder / "packets.csv")
    for number, row in enumerate(index.to_dict("records")):
        table = pd.read_csv(folder / row["file"], dtype=str, keep_default_na=False)
        theirs = packets[packets["packet_id"] == row["packet_id"]]
        where = [f"{URL if hosted else 'images'}/{image}.jpg" for image in theirs["image_id"]]
        assert table["url" if hosted else "path"].tolist() == where
        assert table[["respondent_id", "proud", "angry"]].eq("").all(axis=None)
        filled = table.assign(respondent_id=f"r{number}", proud="1,5", angry=str(number))
        filled.to_csv(folder / row["file"], index=False, sep=";")
    everything = "".join(path.read_text("latin-1") for path in files_of(folder))
    assert str(tmp_path / "images") not in everything
    ratings = read_ratings(folder, items=["proud", "angry"])
    assert len(ratings) == 2 * len(packets)
    assert (ratings.loc[ratings["item"] == "proud", "rating"] == 1.5).all()
    assert set(ratings["group"]) == {"Democrat", "Republican"}
    blank = pd.read_csv(folder / "p001.csv", sep=";").assign(respondent_id=None)
    with pytest.raises(ImagestrataError, match="6 of 6 ratings name no respondent"):
        read_ratings(blank, items=["proud", "angry"])


def test_an_export_without_its_key_is_not_finished(packets, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("imagestrata.annotation.export.key_file", killed)
        with pytest.raises(KeyboardInterrupt):
            export("pages", packets, tmp_path / "out")
    assert not (tmp_path / "out-key.csv").exists()
    # The same call goes on, without overwrite.
    export("pages", packets, tmp_path / "out")
    assert (tmp_path / "out-key.csv").exists()
    with pytest.raises(ImagestrataError, match="already contains an export"):
        export("pages", packets, tmp_path / "out")


def test_the_key_lies_beside_the_folder(packets, tmp_path):
    hidden = packets["image_id"].iloc[0]
    export("pages", packets, tmp_path / "out", exclude=[hidden])
    key = pd.read_csv(tmp_path / "out-key.csv", dtype={"image_id": str})
    assert key["image_id"].tolist() == [i for i in packets["image_id"] if i != hidden]
    row = packets.iloc[[1]]
    answer = row[["packet_id", "image_id"]].assign(respondent_id="r", item="proud", rating=1)
    for given in (packets, tmp_path / "out-key.csv", tmp_path / "out"):
        ratings = read_ratings(answer, packets=given, items=["proud"])
        assert ratings["group"].tolist() == row["group"].tolist()


def test_options_belong_to_their_tool(packets, tmp_path):
    with pytest.raises(ImagestrataError, match='`base_url` has no effect with to="page"'):
        export("pages", packets, tmp_path / "out", base_url=URL)
    with pytest.raises(
        ImagestrataError, match="'page', 'server', 'qualtrics', 'labelstudio', 'csv'"
    ):
        export("pages", packets, tmp_path / "out", to="html")
    assert not (tmp_path / "out").exists()


# ---- the page ----


def test_a_page_holds_its_packet_only(packets, tmp_path):
    folder = export("pages", packets, tmp_path / "out")
    index = pd.read_csv(folder / "packets.csv")
    assert index["packet_id"].tolist() == packets["packet_id"].unique().tolist()
    for row in index.to_dict("records"):
        data = data_of(folder / row["file"])
        theirs = packets[packets["packet_id"] == row["packet_id"]]
        assert data["images"] == theirs["image_id"].tolist()
        assert len(data["pictures"]) == row["n_images"] == 3
        assert data["group"] == row["group"] == theirs["group"].iloc[0]
        assert data["items"] == list(EMOTIONS)


def opened(browser: Any, page: Path, **named: Any) -> tuple[Any, list[str]]:
    """A window with the page, and what goes wrong in it or is asked of the network."""
    tab = browser.new_page(**named)
    trouble: list[str] = []
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("console", lambda message: trouble.append(message.text))
    tab.on("request", lambda asked: asked.url[:4] == "http" and trouble.append(asked.url))
    tab.goto(page.as_uri())
    return tab, trouble


def begin(tab: Any, person: str) -> None:
    tab.fill("#annotator", person)
    tab.keyboard.press("Enter")


def downloaded(tab: Any, button: str) -> list[dict[str, str]]:
    with tab.expect_download() as event:
        tab.click(button)
    return list(csv.DictReader(Path(event.value.path()).open()))


def test_a_packet_is_rated_from_the_keyboard(browser, packets, tmp_path):
    """By keyboard, skipping one image; closed and opened again in between."""
    items = ["hopeful", "proud", "angry"]
    folder = export("pages", packets, tmp_path / "out", items=items, warning="Beware.")
    tab, trouble = opened(browser, folder / "p001.html")
    assert tab.inner_text(".warning") == "Beware."
    begin(tab, "r 1")
    order = tab.locator(".item > span").all_inner_texts()
    assert sorted(order) == sorted(items)
    for key in ["3", "x"]:
        tab.keyboard.press(key)
    tab.keyboard.press("Enter")  # one is missing: nothing happens
    assert tab.inner_text("#message") == "1 left on this image."
    assert tab.inner_text("#place") == "Image 1 of 3 · 0 rated"

    tab.reload()
    begin(tab, "r 1")
    assert tab.locator(".item > span").all_inner_texts() == order
    assert tab.locator("[aria-pressed=true]").all_inner_texts() == ["3", "10"]
    tab.keyboard.press("1")
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("2")  # the second item again
    tab.keyboard.press("Enter")
    assert tab.inner_text("#place") == "Image 2 of 3 · 1 rated"
    tab.click("#skip")
    for key in ["7", "8", "9"]:
        tab.keyboard.press(key)
    tab.keyboard.press("Enter")
    assert tab.inner_text("#end h1") == "All images are rated. Thank you!"
    assert tab.inner_text("#counts") == "3 images, 1 of them skipped."

    rows = downloaded(tab, "#save-all")
    packet = packets[packets["packet_id"] == "p001"]
    assert list(rows[0]) == [
        "respondent_id", "group", "packet_id", "position", "image_id", "item", "item_position",
        "rating", "skipped", "seconds",
    ]  # fmt: skip
    assert {row["respondent_id"] for row in rows} == {"r 1"}
    assert {row["group"] for row in rows} == {packet["group"].iloc[0]}
    assert [row["image_id"] for row in rows[::3]] == packet["image_id"].tolist()
    assert [row["item"] for row in rows] == order * 3
    assert [row["item_position"] for row in rows] == ["1", "2", "3"] * 3
    assert [row["rating"] for row in rows] == ["3", "2", "1", "", "", "", "7", "8", "9"]
    assert [row["skipped"] for row in rows] == ["0"] * 3 + ["1"] * 3 + ["0"] * 3
    assert all(float(row["seconds"]) >= 0 for row in rows)
    assert trouble == []
    tab.close()


def test_touch_partial_answers_and_zero_to_ten(browser, packets, tmp_path):
    folder = export("pages", packets, tmp_path / "out", items=["proud", "angry"], scale=(0, 10))
    tab, trouble = opened(browser, folder / "p002.html", viewport={"width": 375, "height": 667})
    begin(tab, "r2")
    row = tab.locator(".item").first
    assert row.locator("button").all_inner_texts() == [str(value) for value in range(11)]
    row.locator("button", has_text=re.compile("^0$")).click()
    rows = downloaded(tab, "#save")
    # What is missing is a row without a rating.
    assert [row["rating"] for row in rows] == ["0", ""]
    tab.keyboard.press("x")
    assert [row["rating"] for row in downloaded(tab, "#save")] == ["0", "10"]
    # Nothing is wider than the phone, and what goes on is in sight.
    assert tab.evaluate("document.documentElement.scrollWidth") <= 375
    box = tab.locator("#on").bounding_box()
    assert box["y"] + box["height"] <= 667
    tab.click("#on")
    assert tab.inner_text("#place") == "Image 2 of 3 · 1 rated"
    assert trouble == []
    tab.close()


def test_people_see_items_in_different_orders(browser, packets, tmp_path):
    folder = export("pages", packets, tmp_path / "out")
    tab, _ = opened(browser, folder / "p001.html")
    orders = set()
    for person in ["r1", "r2", "r3", "r4"]:
        begin(tab, person)
        orders.add(tuple(tab.locator(".item > span").all_inner_texts()))
        tab.click("#change")
    assert len(orders) == 4
    tab.close()


# ---- several people at one computer ----


@pytest.mark.parametrize("name", ["__proto__", "constructor", "toString", "hasOwnProperty"])
def test_any_name_keeps_its_answers(browser, packets, tmp_path, name):
    items = ["__proto__", "constructor", "proud"]
    folder = export("pages", packets, tmp_path / "out", items=items)
    tab, trouble = opened(browser, folder / "p001.html")
    begin(tab, name)
    assert not tab.locator("[aria-pressed=true]").count()
    for key in ["3", "4", "5", "Enter"]:
        tab.keyboard.press(key)
    assert tab.inner_text("#place") == "Image 2 of 3 · 1 rated"
    tab.reload()
    begin(tab, name)
    assert tab.inner_text("#place") == "Image 2 of 3 · 1 rated"
    rows = downloaded(tab, "#save")
    assert sorted(row["rating"] for row in rows) == ["3", "4", "5"]
    assert sorted(row["item"] for row in rows) == sorted(items)
    assert trouble == []
    tab.close()


def test_the_next_person_sees_nothing_of_the_last_one(browser, packets, tmp_path):
    folder = export("pages", packets, tmp_path / "out", items=["proud"])
    tab, trouble = opened(browser, folder / "p001.html")
    begin(tab, "jane@x.example")
    tab.keyboard.press("7")
    tab.click("#change")
    assert tab.input_value("#annotator") == ""
    tab.reload()
    assert tab.input_value("#annotator") == ""
    assert "jane" not in tab.content()
    begin(tab, "ben")
    assert "jane" not in tab.inner_text("body")
    assert tab.inner_text("#place") == "Image 1 of 3 · 0 rated"
    assert trouble == []
    tab.close()


def test_answers_can_be_removed_from_the_browser(browser, packets, tmp_path):
    folder = export("pages", packets, tmp_path / "out", items=["proud"])
    tab, trouble = opened(browser, folder / "p001.html")
    asked: list[str] = []
    kept = "JSON.stringify(Object.entries(localStorage))"

    def refuse(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    tab.once("dialog", refuse)
    begin(tab, "ann")
    tab.keyboard.press("5")
    tab.click("#remove")  # asks, since nothing is downloaded
    assert "ann" in asked[0] and "not downloaded" in asked[0]
    assert "ann" in tab.evaluate(kept)
    assert tab.is_visible("#judge")
    tab.click("#change")
    begin(tab, "ben")
    tab.keyboard.press("6")
    for _ in range(2):
        downloaded(tab, "#save")
    tab.click("#remove")  # without a question
    assert tab.is_visible("#start") and len(asked) == 1
    assert "ben" not in tab.evaluate(kept) and "ann" in tab.evaluate(kept)
    begin(tab, "ben")
    assert tab.inner_text("#place") == "Image 1 of 3 · 0 rated"
    tab.click("#change")
    begin(tab, "ann")
    assert tab.inner_text("#place") == "Image 2 of 3 · 1 rated"
    for _ in range(2):
        tab.keyboard.press("5")
        tab.keyboard.press("Enter")
    downloaded(tab, "#save-all")
    tab.click("#remove-all")
    assert tab.evaluate("localStorage.length") == 0
    assert trouble == []
    tab.close()


def test_answers_belong_to_one_export(browser, packets, tmp_path):
    """Not to another export, question or scale with the same images."""
    usual = {"items": ["proud"], "question": "What do you feel?"}
    folder = export("pages", packets, tmp_path / "a", **usual)
    others = {
        "another export": export("pages", packets, tmp_path / "b", **usual),
        "question": export("pages", packets, tmp_path / "c", **usual | {"question": "Who?"}),
        "ends": export("pages", packets, tmp_path / "d", **usual, anchors=("a little", "a lot")),
    }
    context = browser.new_context()
    tab = context.new_page()
    tab.goto((folder / "p001.html").as_uri())
    begin(tab, "r1")
    tab.keyboard.press("5")
    for other in others.values():
        tab.goto((other / "p001.html").as_uri())
        begin(tab, "r1")
        assert tab.inner_text("#place").endswith("0 rated")
    export("pages", packets, folder, **usual, overwrite=True)  # the same once more
    tab.goto((folder / "p001.html").as_uri())
    begin(tab, "r1")
    assert tab.inner_text("#place").endswith("1 rated")
    export("pages", packets, folder, **usual | {"question": "Who?"}, overwrite=True)
    tab.goto((folder / "p001.html").as_uri())
    begin(tab, "r1")
    assert tab.inner_text("#place").endswith("0 rated")
    context.close()
