"""Pairs on their way to annotators and back: page, tables, Label Studio."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clusterings import content_id, draw_images
from imagestrata import ImagestrataError, export_pairs, read_pairs
from imagestrata.sampling.pairs import draw_pairs
from pages import begin, downloaded, wait_until

CLUSTERS = [1, 1, 1, 2, 2, 2]


@pytest.fixture
def pairs(tmp_path) -> pd.DataFrame:
    paths = draw_images(tmp_path / "images", CLUSTERS)
    ids = [content_id(path, i) for i, path in enumerate(paths)]
    images = pd.DataFrame({"image_id": ids, "path": paths})
    return draw_pairs(images, np.array(CLUSTERS), 6, 0.5, np.random.default_rng(0))


def export(pairs: pd.DataFrame, out: Path, **arguments: Any) -> Path:
    return export_pairs(pairs, out, progress=False, **arguments)


def data_of(page: Path) -> dict[str, Any]:
    block = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert block is not None
    return json.loads(block[1])


def answers(pairs: pd.DataFrame, annotator: str | None = "anna", **columns: Any) -> pd.DataFrame:
    same = (pairs["stratum"] == "within").astype(int)
    table = pairs[["pair_id"]].assign(judgement=same)
    table = table if annotator is None else table.assign(annotator=annotator)
    return table.assign(**columns)


def stored(folder: Path, name: str, table: pd.DataFrame, **how: Any) -> Path:
    table.to_csv(folder / name, index=False, **how)
    return folder / name


# ---- out ----


def test_the_page_holds_every_image_once(pairs, tmp_path):
    page = export(pairs, tmp_path / "pairs.html", thumbnail=40)
    data = data_of(page)
    assert sorted(data["images"]) == sorted({*pairs["image_a"], *pairs["image_b"]})
    assert [(pair, data["images"][a], data["images"][b]) for pair, a, b in data["pairs"]] == list(
        zip(pairs["pair_id"], pairs["image_a"], pairs["image_b"], strict=True)
    )
    paths = dict(zip(pairs["image_a"], pairs["path_a"], strict=True))
    for image, address in zip(data["images"], data["pictures"], strict=True):
        header, content = address.split(",")
        assert header == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
            assert max(picture.size) == 40
            if image in paths:
                with Image.open(paths[image]) as original:
                    colour = original.convert("RGB").getpixel((40, 40))
                assert np.abs(np.subtract(picture.getpixel((20, 15)), colour)).max() < 12
    # Annotators do not see what the design says of a pair.
    assert not {"within", "between", "probability"} & set(json.dumps(data).split('"'))
    assert str(tmp_path) not in page.read_text()


def test_tables_and_tasks(pairs, tmp_path):
    table = pd.read_csv(export(pairs, tmp_path / "pairs.csv", to="csv"), dtype=str)
    assert table["pair_id"].tolist() == pairs["pair_id"].tolist()
    assert table["path_a"].tolist() == pairs["path_a"].tolist()
    assert table[["annotator", "judgement"]].isna().all(axis=None)

    tasks = export(pairs, tmp_path / "tasks.json", to="labelstudio", base_url="https://x/y/")
    first = json.loads(tasks.read_text())[0]["data"]
    assert first == {
        "pair_id": pairs["pair_id"][0],
        "image_a": pairs["image_a"][0],
        "image_b": pairs["image_b"][0],
        "left": f"https://x/y/{Path(pairs['path_a'][0]).name}",
        "right": f"https://x/y/{Path(pairs['path_b'][0]).name}",
    }
    alone = export(pairs, tmp_path / "alone.json", to="labelstudio", thumbnail=40)
    assert json.loads(alone.read_text())[0]["data"]["left"].startswith("data:image/jpeg")
    web = export(pairs, tmp_path / "web.csv", to="csv", base_url="https://x")
    assert pd.read_csv(web)["url_b"][0] == f"https://x/{Path(pairs['path_b'][0]).name}"


@pytest.mark.parametrize(("graded", "words"), [(False, 2), (True, 3)])
def test_the_labelling_configuration_is_proper(pairs, tmp_path, graded, words):
    given = {"graded": graded, "question": 'Same "topic" & <kind>?', "warning": "<b>"}
    export(pairs, tmp_path / "t.json", to="labelstudio", base_url="https://x", **given)
    view = ElementTree.parse(tmp_path / "t-config.xml").getroot()
    texts = [header.get("value") for header in view.iter("Header")]
    assert texts == [given["warning"], given["question"]]
    assert [image.get("name") for image in view.iter("Image")] == ["left", "right"]
    choices = view.find("Choices")
    assert choices.get("name") == "judgement"
    assert [choice.get("hotkey") for choice in choices] == [str(i) for i in range(words)]


def test_what_nobody_is_to_see_and_what_cannot_be_shown(pairs, tmp_path):
    hidden = pairs["image_a"][0]
    page = export(pairs, tmp_path / "a.html", exclude=[hidden])
    kept = pairs[(pairs["image_a"] != hidden) & (pairs["image_b"] != hidden)]
    assert hidden not in page.read_text()
    assert [pair for pair, *_ in data_of(page)["pairs"]] == kept["pair_id"].tolist()

    gone = pairs["path_b"][0]
    Path(gone).unlink()
    touched = ((pairs["path_a"] == gone) | (pairs["path_b"] == gone)).sum()
    with pytest.warns(
        UserWarning, match=f"{touched} of 6 pairs are left out: 1 of [0-9]+ images"
    ) as caught:
        page = export(pairs, tmp_path / "b.html")
    assert "file not found" in str(caught[0].message)
    assert len(data_of(page)["pairs"]) == 6 - touched
    with pytest.raises(ImagestrataError, match="All pairs \\(6\\) have an excluded image"):
        export(pairs, tmp_path / "c.html", exclude=pairs["image_a"].tolist())
    n = pd.unique(pairs[["image_a", "image_b"]].to_numpy().ravel()).size
    with pytest.raises(
        ImagestrataError, match=rf"6 of 6 pairs are left out: {n} of {n} images .*no file known"
    ):
        export(pairs.assign(path_a=None, path_b=None), tmp_path / "c.html")
    assert not (tmp_path / "c.html").exists()


def test_mistakes_on_the_way_out(pairs, tmp_path):
    page = export(pairs, tmp_path / "new" / "pairs.html")
    with pytest.raises(ImagestrataError, match="exists already and may contain answers"):
        export(pairs, page)
    assert export(pairs, page, overwrite=True) == page
    with pytest.raises(ImagestrataError, match=r"ends in '\.csv' for the format 'csv'"):
        export(pairs, tmp_path / "pairs.html", to="csv")
    with pytest.raises(ImagestrataError, match='to="qualtrics" is only for packets'):
        export(pairs, tmp_path / "p.txt", to="qualtrics")
    with pytest.raises(ImagestrataError, match='thumbnail=80 has no effect with to="csv"'):
        export(pairs, tmp_path / "p.csv", to="csv", thumbnail=80)
    with pytest.raises(ImagestrataError, match="A page contains its images"):
        export(pairs, tmp_path / "p.html", base_url="https://x")
    with pytest.raises(ImagestrataError, match="1 of 6 pairs hold one image twice"):
        twice = pairs["image_b"].where(pairs.index > 0, pairs["image_a"])
        export(pairs.assign(image_b=twice), tmp_path / "p.html")
    with pytest.raises(ImagestrataError, match="must be a list of image ids"):
        export(pairs, tmp_path / "p.html", exclude=pairs["image_a"][0])
    n = pd.unique(pairs[["image_a", "image_b"]].to_numpy().ravel()).size
    with pytest.raises(ImagestrataError, match=f"{n} of {n} images have no path"):
        export(pairs.assign(path_a=None, path_b=None), tmp_path / "p.csv", to="csv",
               base_url="https://x")  # fmt: skip


# ---- back ----


def test_answers_find_their_pairs_whatever_their_order(pairs, tmp_path):
    one = stored(tmp_path, "1.csv", answers(pairs).sample(frac=1, random_state=1))
    other = stored(tmp_path, "2.csv", answers(pairs, "ben").iloc[::-1])
    table = read_pairs([other, one], pairs)
    assert table["pair_id"].tolist() == np.repeat(pairs["pair_id"], 2).tolist()
    assert table["annotator"].tolist() == ["anna", "ben"] * 6
    assert (table["judgement"] == (table["stratum"] == "within")).all()
    assert table.columns.tolist() == [*pairs.columns, "annotator", "judgement"]
    pd.testing.assert_frame_equal(table[table["annotator"] == "anna"].reset_index(drop=True),
                                  read_pairs(one, pairs))  # fmt: skip


def test_tables_as_spreadsheets_leave_them(pairs, tmp_path):
    words = answers(pairs, None).replace({"judgement": {0: "Different", 1: " same "}})
    file = stored(tmp_path, "carla.csv", words, sep=";", encoding="utf-8-sig")
    table = read_pairs(file, pairs)
    assert set(table["annotator"]) == {"carla"}
    assert (table["judgement"] == (table["stratum"] == "within")).all()
    decimals = stored(tmp_path, "d.csv", answers(pairs).astype({"judgement": float}), sep="\t")
    assert table["judgement"].tolist() == read_pairs(decimals, pairs)["judgement"].tolist()


def test_answers_of_label_studio(pairs, tmp_path):
    def annotation(judgement: int, person: Any, **more: Any) -> dict[str, Any]:
        choice = {
            "from_name": "judgement",
            "value": {"choices": [["unrelated", "loosely related", "closely related"][judgement]]},
        }
        return {"completed_by": person, "result": [{"from_name": "x", "value": {}}, choice], **more}

    wanted = [0, 1, 2, 0, 1, 2]
    whole = [
        {
            "data": {"pair_id": pair},
            "annotations": [
                annotation(judgement, 7),
                annotation(2, {"id": 3, "email": "b@example.org"}),
                annotation(0, 9, was_cancelled=True),
            ],
        }
        for pair, judgement in zip(pairs["pair_id"], wanted, strict=True)
    ]
    (tmp_path / "whole.json").write_text(json.dumps(whole))
    table = read_pairs(tmp_path / "whole.json", pairs, graded=True)
    assert table.loc[table["annotator"] == "7", "judgement"].tolist() == wanted
    assert (table.loc[table["annotator"] == "b@example.org", "judgement"] == 2).all()
    assert len(table) == 12

    short = [
        {"pair_id": pair, "annotator": 7, "judgement": "same", "id": 1} for pair in pairs["pair_id"]
    ]
    (tmp_path / "short.json").write_text(json.dumps(short))
    assert (read_pairs(tmp_path / "short.json", pairs)["judgement"] == 1).all()


def test_the_key_lies_beside_the_file(pairs, tmp_path):
    """What was handed out, and nothing else: from the table, its file or the page."""
    hidden = pairs["image_a"][0]
    shown = pairs[(pairs["image_a"] != hidden) & (pairs["image_b"] != hidden)]
    export(pairs, tmp_path / "page.html", exclude=[hidden])
    file = stored(tmp_path, "a.csv", answers(shown))
    expected = read_pairs(file, shown.reset_index(drop=True))
    for key in (tmp_path / "page-key.csv", tmp_path / "page.html"):
        pd.testing.assert_frame_equal(read_pairs(file, key), expected, check_dtype=False)
    other = stored(tmp_path, "b.csv", answers(pairs))
    with pytest.raises(ImagestrataError, match=f"not among the {len(shown)} of this export"):
        read_pairs(other, tmp_path / "page.html")
    with pytest.raises(ImagestrataError, match="There is no file"):
        read_pairs(file, tmp_path / "none.html")
    with pytest.raises(ImagestrataError, match="`pairs` lacks the column 'image_a'"):
        read_pairs(file, file)


def test_answers_to_another_question_are_told(pairs, tmp_path):
    """A 1 is "same", or "loosely related": the page says which, and never a 2 gives it away."""
    words = ["unrelated", "loosely related"]
    table = answers(pairs)
    table["answer"] = table["judgement"].map(dict(enumerate(words)))
    file = stored(tmp_path, "a.csv", table)
    assert read_pairs(file, pairs, graded=True)["judgement"].tolist() == table["judgement"].tolist()
    with pytest.raises(ImagestrataError, match=r"none of 0 \(different\), 1 \(same\)") as caught:
        read_pairs(file, pairs)
    assert "graded=True" in caught.value.hint


def test_answers_come_as_a_table_or_a_folder_too(pairs, tmp_path):
    stored(tmp_path, "1.csv", answers(pairs))
    export(pairs, tmp_path / "pairs.html")  # its key is no answer
    expected = read_pairs(tmp_path / "1.csv", pairs)
    pd.testing.assert_frame_equal(read_pairs(tmp_path, pairs), expected)
    pd.testing.assert_frame_equal(read_pairs(answers(pairs), pairs), expected)
    with pytest.raises(ImagestrataError, match="lacks the column 'annotator'"):
        read_pairs(answers(pairs).drop(columns="annotator"), pairs)
    half = answers(pairs).assign(annotator=["anna", "", *["anna"] * 4])
    with pytest.raises(ImagestrataError, match="1 of 6 judgements name no annotator"):
        read_pairs(half, pairs)


def test_pairs_without_an_answer_are_counted(pairs, tmp_path):
    table = answers(pairs).astype({"judgement": object})
    table.loc[0, "judgement"], table.loc[4, "judgement"] = "", "NA"
    with pytest.warns(UserWarning, match="2 of 6 pairs have no judgement"):
        assert len(read_pairs(stored(tmp_path, "a.csv", table), pairs)) == 4
    with pytest.raises(ImagestrataError, match=r"No judgement was found in .*a\.csv"):
        read_pairs(stored(tmp_path, "a.csv", table.assign(judgement="")), pairs)


def test_mistakes_on_the_way_back(pairs, tmp_path):
    good = answers(pairs)

    def complaint(table: pd.DataFrame, **arguments: Any) -> str:
        with pytest.raises(ImagestrataError) as caught:
            read_pairs(stored(tmp_path, "a.csv", table), pairs, **arguments)
        return str(caught.value)

    other = good.assign(pair_id=good["pair_id"].where(good.index > 1, "p0"))
    assert (
        "2 of 6 judgements are about pairs that are not among the 6 of this export: 'p0'"
        in complaint(other)
    )
    assert "6 of 6 judgements are none of 0 (different), 1 (same): '2'" in complaint(
        good.assign(judgement=2)
    )
    assert "6 of 6 judgements are none of 0 (unrelated), 1" in complaint(
        good.assign(judgement=0.5), graded=True
    )
    both = pd.concat([good, good.assign(judgement=1 - good["judgement"]).head(2), good])
    assert "2 pairs have contradictory judgements by one annotator ('anna')" in complaint(both)
    assert len(read_pairs(stored(tmp_path, "b.csv", pd.concat([good, good])), pairs)) == 6
    assert "lacks the column 'judgement'; it has pair_id, annotator" in complaint(
        good.drop(columns="judgement")
    )
    with pytest.raises(ImagestrataError, match="There is no file"):
        read_pairs(tmp_path / "none.csv", pairs)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImagestrataError, match=r"contains no file that ends in \.csv"):
        read_pairs(tmp_path / "empty", pairs)
    (tmp_path / "nothing.csv").write_text("\n")
    with pytest.raises(ImagestrataError, match=r"nothing\.csv' is empty"):
        read_pairs(tmp_path / "nothing.csv", pairs)
    with pytest.raises(ImagestrataError, match="`files` is empty"):
        read_pairs([], pairs)
    (tmp_path / "latin.csv").write_bytes("pair_id,judgement,é".encode("latin-1"))
    with (
        pytest.warns(UserWarning, match="line 1.*cp1252"),
        pytest.raises(ImagestrataError, match="No judgement was found"),
    ):
        read_pairs(tmp_path / "latin.csv", pairs)
    for text in ("{", '{"a": 1}', '[{"annotations": [{}]}]', "[{}]", "[1]"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ImagestrataError, match="not an export of Label Studio"):
            read_pairs(tmp_path / "bad.json", pairs)
    with pytest.raises(ImagestrataError, match="1 of 6 pairs hold one image twice"):
        twice = pairs["image_b"].where(pairs.index > 0, pairs["image_a"])
        read_pairs(stored(tmp_path, "b.csv", good), pairs.assign(image_b=twice))


# ---- in the browser ----


def judged_so_far(page: Any) -> str:
    return page.locator("#place").inner_text()


@pytest.mark.browser
def test_judging_with_the_keyboard_and_the_way_back(pairs, tmp_path, visit):
    html = export(pairs, tmp_path / "pairs.html", warning="Some <b>images</b> are sad.")
    data = data_of(html)
    visit.goto(html.as_uri())
    assert visit.get_by_text("Some <b>images</b> are sad.").is_visible()
    begin(visit, "  ")
    assert not visit.locator("#judge").is_visible()
    begin(visit, "Anna =1")
    assert judged_so_far(visit) == "Pair 1 of 6 · 0 judged"
    for side, image in zip(("left", "right"), data["pairs"][0][1:], strict=True):
        assert visit.locator(f"#{side}").get_attribute("src") == data["pictures"][image]
        wait_until(visit, f"document.getElementById('{side}').naturalWidth > 0")

    for key in ("s", "D", "1", "2", "0"):  # 2 is no answer here
        visit.keyboard.press(key)
    assert judged_so_far(visit) == "Pair 5 of 6 · 4 judged"
    visit.keyboard.press("ArrowLeft")
    visit.keyboard.press("Backspace")
    same, different = (visit.get_by_role("button", name=name) for name in ("Same", "Different"))
    assert same.get_attribute("aria-pressed") == "true"
    assert different.get_attribute("aria-pressed") == "false"
    visit.keyboard.press("d")  # changes the third and goes on to the fourth
    assert judged_so_far(visit) == "Pair 4 of 6 · 4 judged"

    visit.reload()  # as after the page was closed
    assert visit.get_by_label("Your name or code").input_value() == ""
    begin(visit, "Anna =1")
    assert judged_so_far(visit) == "Pair 5 of 6 · 4 judged"
    visit.keyboard.press("ArrowRight")
    same.click()
    assert judged_so_far(visit) == "Pair 5 of 6 · 5 judged"  # the one that was skipped
    different.click()
    assert visit.get_by_text("All pairs are judged").is_visible()
    assert visit.get_by_text("6 pairs: 4 different, 2 same.").is_visible()

    file = downloaded(visit, tmp_path)
    assert file.name == "pairs-Anna-1.csv"
    rows = list(csv.DictReader(file.open(newline="")))
    assert [row["image_a"] for row in rows] == pairs["image_a"].tolist()
    table = read_pairs(file, pairs)
    assert table["judgement"].tolist() == [1, 0, 0, 0, 0, 1]
    assert set(table["annotator"]) == {"Anna =1"}

    visit.get_by_role("button", name="Look through them again").click()
    assert judged_so_far(visit) == "Pair 1 of 6 · 6 judged"
    assert same.get_attribute("aria-pressed") == "true"


@pytest.mark.browser
def test_annotators_of_one_browser_have_answers_of_their_own(pairs, tmp_path, visit):
    html = export(pairs, tmp_path / "graded.html", graded=True, question="How <i>near</i>?")
    visit.goto(html.as_uri())
    begin(visit, "anna")
    assert visit.get_by_role("heading", name="How <i>near</i>?").is_visible()
    for key in ("2", "1", "s", "0"):  # s is no answer here
        visit.keyboard.press(key)
    visit.get_by_role("button", name="Change").click()
    begin(visit, "ben")
    assert judged_so_far(visit) == "Pair 1 of 6 · 0 judged"
    visit.get_by_role("button", name="Closely related").click()
    file = downloaded(visit, tmp_path)
    with pytest.warns(UserWarning, match="5 of 6 pairs have no judgement"):
        assert read_pairs(file, pairs, graded=True)["judgement"].tolist() == [2]
    visit.get_by_role("button", name="Change").click()
    begin(visit, "anna")
    assert judged_so_far(visit) == "Pair 4 of 6 · 3 judged"

    # The same pairs on another scale are another question.
    visit.goto(export(pairs, tmp_path / "binary.html").as_uri())
    begin(visit, "anna")
    assert judged_so_far(visit) == "Pair 1 of 6 · 0 judged"


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(360, 640), (1600, 900), (900, 400)])
def test_everything_is_seen_at_once(pairs, tmp_path, visit, width, height):
    visit.set_viewport_size({"width": width, "height": height})
    visit.goto(export(pairs, tmp_path / "pairs.html", graded=True).as_uri())
    begin(visit, "anna")
    visit.keyboard.press("0")
    size = visit.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert size[0] <= width
    assert size[1] <= height
    for picture in ("left", "right"):
        box = visit.locator(f"#{picture}").bounding_box()
        assert box["width"] > 100
        assert box["height"] > 80
