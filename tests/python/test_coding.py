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
from imagestrata import ImagestrataError, coding_sheet, read_labels
from pages import begin, downloaded, expect_soon

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
    columns = ["cluster", "certainty", "rank", "image_id", "path", "silhouette", "account"]
    assert sheet.columns.tolist() == [*columns, "people", "frame"]
    table = pd.read_csv(tmp_path / "sheet.csv")
    answers = ["annotator", "people", "frame", "skipped", "note"]
    assert table.columns.tolist() == [*columns, *answers]
    assert table[answers].isna().all().all()
    data = data_of(tmp_path / "sheet.html")
    assert [group["title"] for group in data["groups"]] == [
        f"Cluster {cluster}, {end} certain" for cluster in (1, 2) for end in ("most", "least")
    ]
    assert [group["images"] for group in data["groups"]] == [[0, 1], [2, 3], [4, 5], [6]]
    assert data["images"][0]["facts"] == [["silhouette", "0.90"], ["account", "@a"]]
    assert data["images"][0]["picture"].startswith("data:image/jpeg;base64,")
    assert [code["answers"] for code in data["codes"]] == [["yes", "no"], None]


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
    assert ",'=frame,</script>," in text
    html = (tmp_path / "sheet.html").read_text()
    assert "<b>" not in html
    assert html.count("</script>") == 2


def test_images_that_are_gone_say_why(clustering, tmp_path):
    Path(clustering.images["path"].iloc[0]).unlink()
    with pytest.warns(UserWarning, match=r"1 of 8 images cannot be shown, .* \(file not found"):
        sheet = sheet_of(clustering, tmp_path)
    assert len(sheet) == 8
    assert data_of(tmp_path / "sheet.html")["images"][0]["missing"] == "file not found"


def fill(folder, name, values, **to_csv):
    """A coder's file: the sheet's CSV with values of the code 'frame' in its first rows."""
    table = pd.read_csv(folder / "sheet.csv", dtype=str, keep_default_na=False)
    table.loc[: len(values) - 1, "frame"] = values
    table.to_csv(folder / name, index=False, **to_csv)
    return folder / name


@pytest.mark.filterwarnings("ignore:.* labels for some of the codes only")
def test_filled_sheets_come_back(clustering, tmp_path):
    sheet = sheet_of(clustering, tmp_path, {"people": ["yes", "no"], "frame": None})
    anna = fill(tmp_path, "anna.csv", ["war", "=peace"])
    bo = fill(tmp_path, "bo.csv", ["war"], sep=";")
    for known in (sheet, *(tmp_path / f"sheet{end}" for end in ("-key.csv", ".html", ".csv"))):
        with pytest.warns(UserWarning, match="6 of 8 images have no label"):
            labels = read_labels([bo, anna], known)
        assert labels[["annotator", "code", "label", "kind"]].values.tolist() == [
            ["anna", "frame", "war", "text"],
            ["bo", "frame", "war", "text"],
            ["anna", "frame", "=peace", "text"],
        ]
        assert labels["image_id"].tolist() == sheet["image_id"].iloc[[0, 0, 1]].tolist()


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
        sheet = sheet_of(clustering, folder, {"frame": "text"}, n=2)
    file = fill(folder, "x.csv", values)
    if not any(values):
        with pytest.raises(ImagestrataError, match="No label was found in"):
            read_labels(file, sheet)
        return
    if all(values):
        labels = read_labels(file, sheet)
    else:
        with pytest.warns(UserWarning, match=f"{values.count('')} of 8 images have no label"):
            labels = read_labels(file, sheet)
    found = dict(zip(labels["image_id"], labels["label"], strict=True))
    expected = dict(zip(sheet["image_id"], values, strict=True))
    assert found == {image_id: value for image_id, value in expected.items() if value}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codes": []}, "`codes` must be names"),
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


@pytest.mark.browser
def test_labelling_on_the_page(clustering, tmp_path, visit):
    """The page is that of export_labels(), with groups for the two ends of each cluster."""
    sheet = sheet_of(clustering, tmp_path, warning="Some show violence.", n=2)
    visit.goto((tmp_path / "sheet.html").as_uri())
    expect_soon(visit.get_by_text("Some show violence.")).to_be_visible()
    begin(visit, "Ann B")
    assert visit.locator("#title").inner_text().startswith("Cluster 1, most certain")
    assert visit.locator("article dd").nth(1).inner_text() == "@a"
    visit.keyboard.press("1")  # all of the group
    file = downloaded(visit, tmp_path)
    assert file.name == "labels-Ann-B.csv"
    with pytest.warns(UserWarning, match="5 of 7 images have no label"):
        labels = read_labels(file, sheet)
    assert (
        labels[["annotator", "code", "label"]].values.tolist() == [["Ann B", "people", "yes"]] * 2
    )
    assert labels["image_id"].tolist() == sheet["image_id"].iloc[:2].tolist()


def test_own_columns_called_like_ours_are_kept(clustering, tmp_path):
    own = clustering.images.assign(rank="first", certainty="high")
    with pytest.warns(UserWarning, match="'rank' is now 'rank_given'"):
        sheet = coding_sheet(
            replace(clustering, images=own), tmp_path / "c.html", ["theme"], progress=False
        )
    assert set(sheet["rank_given"]) == {"first"} and set(sheet["certainty_given"]) == {"high"}
    assert set(sheet["certainty"]) <= {"most", "least"}
