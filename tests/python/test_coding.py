"""Coding sheets: which images, what lies in the files, what comes back, and the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterings import draw_images, hand_made
from imagestrata import ImagestrataError, coding_sheet, read_coding
from pages import begin, wait_until

CLUSTERS = [1, 1, 1, 1, 1, 2, 2, 2, -1]
CODES = {"people": ["yes", "no"], "frame": None}


@pytest.fixture
def clustering(tmp_path):
    columns = {
        "account": ["@a", "=1+1", "b", "c", "d", "e", "f", "<b>", "h"],
        "empty": [None] * 9,
    }
    return hand_made(draw_images(tmp_path / "images", CLUSTERS), CLUSTERS, **columns)


def sheet_of(clustering, folder, codes=CODES, **options):
    return coding_sheet(clustering, folder / "sheet.html", codes, **{"progress": False} | options)


def data_of(page: Path) -> dict[str, Any]:
    block = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    found: dict[str, Any] = json.loads(block[1])
    return found


def test_worked_by_hand(clustering, tmp_path):
    """The earlier an image stands, the more certain; no image comes twice."""
    sheet = sheet_of(clustering, tmp_path, n=2)
    ids = clustering.images["image_id"].tolist()
    place = {image_id: number for number, image_id in enumerate(ids)}
    rows = sheet.assign(place=sheet["image_id"].map(place))
    assert rows[["cluster", "certainty", "rank", "place"]].values.tolist() == [
        [1, "most", 1, 0],
        [1, "most", 2, 1],
        [1, "least", 1, 4],
        [1, "least", 2, 3],
        [2, "most", 1, 5],
        [2, "most", 2, 6],
        [2, "least", 1, 7],
    ]
    assert sheet.columns.tolist() == [
        "cluster", "certainty", "rank", "image_id", "path", "silhouette", "account", "people",
        "frame",
    ]  # fmt: skip
    assert sheet[["people", "frame"]].isna().all().all()
    data = data_of(tmp_path / "sheet.html")
    assert data["groups"][0] == {"cluster": 1, "size": 5, "most": [0, 1], "least": [2, 3]}
    assert data["images"][0]["facts"] == [["silhouette", "0.90"], ["account", "@a"]]
    assert data["images"][0]["picture"].startswith("data:image/jpeg;base64,")
    assert [code["choices"] for code in data["codes"]] == [["yes", "no"], None]


def test_certainty_is_probability_where_there_is_one(clustering, tmp_path):
    clustering.images["probability"] = np.linspace(0.1, 0.9, 9)
    sheet = sheet_of(clustering, tmp_path, n=1, clusters=1)
    assert sheet["probability"].round(6).tolist() == [0.5, 0.1]
    sheet = sheet_of(clustering, tmp_path, n=1, clusters=1, by="distance", overwrite=True)
    assert sheet["distance"].tolist() == sorted(sheet["distance"])


def test_residual_and_excluded_images(clustering, tmp_path):
    first = clustering.images["image_id"].iloc[0]
    sheet = sheet_of(clustering, tmp_path, n=1, clusters=[-1, 1], exclude=[first])
    assert sheet["cluster"].tolist() == [-1, 1, 1]
    assert first not in (tmp_path / "sheet.html").read_text()
    with pytest.raises(ImagestrataError, match="1 of 1 entries to exclude fit no image"):
        sheet_of(clustering, tmp_path, exclude=["typo"], overwrite=True)


def test_files_run_nothing(clustering, tmp_path):
    sheet_of(clustering, tmp_path, codes=["=frame", "</script>"])
    text = (tmp_path / "sheet.csv").read_text()
    assert ",'=1+1," in text
    assert ",'@a," in text
    assert ",'=frame," in text
    html = (tmp_path / "sheet.html").read_text()
    assert "<b>" not in html
    assert html.count("</script>") == 2


def test_images_that_are_gone_say_why(clustering, tmp_path):
    Path(clustering.images["path"].iloc[0]).unlink()
    with pytest.warns(UserWarning, match=r"1 of 8 images cannot be shown, .* \(file not found"):
        sheet = sheet_of(clustering, tmp_path)
    assert len(sheet) == 8
    assert data_of(tmp_path / "sheet.html")["images"][0]["missing"] == "file not found"


def fill(folder, name, values, sheet, **to_csv):
    """A coder's file: the sheet's CSV with values of the code 'frame' in its first rows."""
    table = pd.read_csv(folder / "sheet.csv", dtype=str, keep_default_na=False)
    table.loc[: len(values) - 1, "frame"] = values
    table.to_csv(folder / name, index=False, **to_csv)
    return folder / name


def test_filled_sheets_come_back(clustering, tmp_path):
    sheet = sheet_of(clustering, tmp_path)
    anna = fill(tmp_path, "anna.csv", ["war", "=peace"], sheet)
    bo = fill(tmp_path, "bo.csv", ["war"], sheet, sep=";")
    for known in (sheet, *(tmp_path / f"sheet{end}" for end in (".csv", "-key.csv", ".html"))):
        with pytest.warns(UserWarning, match="6 of 8 images have no code"):
            coding = read_coding([bo, anna], known)
        assert coding[["rank", "coder", "code", "value"]].values.tolist() == [
            [1, "anna", "frame", "war"],
            [1, "bo", "frame", "war"],
            [2, "anna", "frame", "=peace"],
        ]
        assert coding["image_id"].tolist() == sheet["image_id"].iloc[[0, 0, 1]].tolist()


def test_a_filled_table_is_not_replaced_by_mistake(clustering, tmp_path):
    (tmp_path / "sheet.csv").write_text("somebody's")
    with pytest.raises(ImagestrataError, match=r"sheet\.csv' exists already and may contain"):
        sheet_of(clustering, tmp_path)
    assert not (tmp_path / "sheet.html").exists()
    assert len(sheet_of(clustering, tmp_path, overwrite=True)) == 8


@settings(max_examples=15)
@given(values=st.lists(st.sampled_from(["", "a", "b c", "ü"]), min_size=8, max_size=8))
def test_nothing_is_lost_or_added(values, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sheet")
    clustering = hand_made([None] * 8, [1] * 4 + [2] * 4)
    with pytest.warns(UserWarning, match="8 of 8 images cannot be shown"):
        sheet = sheet_of(clustering, folder, n=2)
    file = fill(folder, "x.csv", values, sheet)
    if not any(values):
        with pytest.raises(ImagestrataError, match="No code was found in"):
            read_coding(file, sheet)
        return
    if all(values):
        coding = read_coding(file, sheet)
    else:
        with pytest.warns(UserWarning, match=f"{values.count('')} of 8 images have no code"):
            coding = read_coding(file, sheet)
    found = dict(zip(coding["image_id"], coding["value"], strict=True))
    expected = dict(zip(sheet["image_id"], values, strict=True))
    assert found == {image_id: value for image_id, value in expected.items() if value}


def test_bad_answers(clustering, tmp_path):
    sheet = sheet_of(clustering, tmp_path)
    one = fill(tmp_path, "one.csv", ["war"] * 8, sheet)
    table = pd.read_csv(one, dtype=str)
    table.assign(coder="one", frame="peace").to_csv(tmp_path / "two.csv", index=False)
    with pytest.raises(ImagestrataError, match="8 images have contradictory codes by one coder"):
        read_coding([one, tmp_path / "two.csv"], sheet)
    table.assign(image_id="1.2e+19").to_csv(one, index=False)
    with pytest.raises(
        ImagestrataError, match="8 of 8 codes are about images that are not"
    ) as caught:
        read_coding(one, sheet)
    assert "as text" in caught.value.hint
    table.drop(columns="frame").to_csv(one, index=False)
    with pytest.raises(ImagestrataError, match="lacks the column 'frame'"):
        read_coding(one, sheet)
    with pytest.raises(ImagestrataError, match="no empty columns"):
        read_coding(one, sheet.fillna("x"))
    with pytest.raises(ImagestrataError, match="`files` is empty"):
        read_coding([], sheet)
    with pytest.raises(ImagestrataError, match="`sheet` lacks the column 'cluster'"):
        read_coding(one, sheet[["path"]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codes": []}, "`codes` must be names"),
        ({"codes": "frame"}, "`codes` must be names"),
        ({"codes": ["a", "a"]}, "names a code twice"),
        ({"codes": {"a": []}}, "answers of the code 'a'"),
        ({"codes": ["account"]}, "has a column of that name already"),
        ({"codes": ["coder"]}, "has a column of that name already"),
        ({"by": "probability"}, "has no probability; it has silhouette, distance"),
        ({"by": "size"}, "`by` must be one of"),
        ({"columns": ["party"]}, "no column 'party'"),
        ({"columns": "account"}, "`columns` must be a list"),
        ({"clusters": 7}, "no cluster 7"),
        ({"exclude": "a"}, "`exclude` must be a list"),
        ({"n": 0}, "`n` must be at least 1"),
    ],
)
def test_bad_arguments(clustering, tmp_path, options, message):
    with pytest.raises(ImagestrataError, match=message):
        sheet_of(clustering, tmp_path, **options)
    assert not (tmp_path / "sheet.html").exists()


def test_nothing_is_replaced_by_mistake(clustering, tmp_path):
    sheet_of(clustering, tmp_path)
    with pytest.raises(ImagestrataError, match="exists already"):
        sheet_of(clustering, tmp_path)
    with pytest.raises(ImagestrataError, match=r"ends in '\.html'"):
        coding_sheet(clustering, tmp_path / "sheet.csv", CODES)


# ---- in the browser ----


@pytest.mark.browser
def test_coding_on_the_page(clustering, tmp_path, visit):
    sheet = sheet_of(clustering, tmp_path, warning="Some show violence.")
    address = (tmp_path / "sheet.html").as_uri()
    visit.goto(address)
    assert visit.get_by_text("Some show violence.").is_visible()
    begin(visit, "Ann B")
    assert visit.locator("article").count() == 8
    assert visit.locator("#place").inner_text() == "0 of 8 images coded"
    frames, people = visit.get_by_label("frame"), visit.get_by_label("people")
    frames.nth(0).fill("=war, 'cold'")
    visit.keyboard.press("Enter")  # on to the same code of the next image
    visit.keyboard.type("peace")
    people.nth(0).select_option("yes")
    people.nth(2).select_option("no")
    assert visit.locator("#place").inner_text() == "1 of 8 images coded"
    visit.get_by_role("button", name="Next open image").click()
    assert visit.evaluate("document.activeElement === document.querySelectorAll('select')[2]")

    # What is typed stays, also for another coder in between.
    visit.get_by_role("button", name="Change").click()
    begin(visit, "Bo")
    assert frames.nth(0).input_value() == ""
    visit.goto(address)
    begin(visit, "Ann B")
    assert frames.nth(0).input_value() == "=war, 'cold'"
    assert people.nth(0).input_value() == "yes"

    with visit.expect_download() as download:
        visit.get_by_role("button", name="Download CSV").click()
    file = tmp_path / download.value.suggested_filename
    assert file.name == "coding-Ann-B.csv"
    download.value.save_as(file)
    with pytest.warns(UserWarning, match="5 of 8 images have no code"):
        coding = read_coding(file, sheet)
    assert coding[["coder", "code", "value"]].values.tolist() == [
        ["Ann B", "people", "yes"],
        ["Ann B", "frame", "=war, 'cold'"],
        ["Ann B", "frame", "peace"],
        ["Ann B", "people", "no"],
    ]
    assert coding["image_id"].tolist() == sheet["image_id"].iloc[[0, 0, 1, 2]].tolist()


@pytest.mark.browser
def test_images_can_be_enlarged(clustering, tmp_path, visit):
    sheet_of(clustering, tmp_path)
    visit.goto((tmp_path / "sheet.html").as_uri())
    begin(visit, "Ann")
    visit.get_by_role("button", name="Enlarge").nth(1).click()
    large = visit.locator("dialog img")
    wait_until(visit, "document.querySelector('dialog img').naturalWidth > 0")
    assert visit.locator("dialog dd").nth(1).inner_text() == "=1+1"
    large.click()
    assert not large.is_visible()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out(clustering, tmp_path, visit, width):
    clustering.images["caption"] = "averyverylongwordthatnobreakhelps" * 3
    sheet_of(clustering, tmp_path, codes=["a very long name of a code, really", "b"])
    visit.set_viewport_size({"width": width, "height": 700})
    visit.goto((tmp_path / "sheet.html").as_uri())
    begin(visit, "Ann")
    assert visit.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.locator("article input").first.bounding_box()["width"] > 60


def test_own_columns_called_like_ours_are_kept(clustering, tmp_path):
    own = clustering.images.assign(rank="first", certainty="high")
    with pytest.warns(UserWarning, match="'rank' is now 'rank_given'"):
        sheet = coding_sheet(
            replace(clustering, images=own), tmp_path / "c.html", ["theme"], progress=False
        )
    assert set(sheet["rank_given"]) == {"first"} and set(sheet["certainty_given"]) == {"high"}
    assert set(sheet["certainty"]) <= {"most", "least"}
