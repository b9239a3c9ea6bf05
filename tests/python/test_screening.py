"""Proposals of images that people should not see."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from clusterings import hand_made
from images import write_pictures
from imagestrata import (
    ImagestrataError,
    assign_annotators,
    cli,
    coding_sheet,
    export_packets,
    propose_exclusions,
    sample_images,
    scan_images,
)
from imagestrata.names import excluded

QUIET = {"progress": False}


def table(**columns):
    return pd.DataFrame(columns)


TAGS = table(
    image_id=["a", "a", "b", "c", "d", "e"],
    path=["/p/a.png", "/p/a.png", "/p/b.png", "/p/c.png", "/p/d.png", "/p/e.png"],
    rank=[1, 2, 1, 1, None, None],
    label=["Weapons", "Violence", "violence", "Cat", None, None],
    confidence=[0.9, 0.6, 0.4, 0.99, None, None],
    reason=[None, None, None, None, "file not found", "below min_confidence"],
)


def propose(*given, **options):
    with pytest.warns(UserWarning) as caught:
        proposed = propose_exclusions(*given, **QUIET | options)
    return proposed, [str(one.message) for one in caught]


def test_by_hand():
    """One row per image; the image that could not be read comes last."""
    proposed, said = propose(TAGS, ["Violence", "Weapons"])
    expected = table(
        image_id=["a", "d"],
        path=["/p/a.png", "/p/d.png"],
        label=["Weapons", None],
        confidence=[0.9, None],
        reason=["Weapons (0.90); Violence (0.60)", "not screened: file not found"],
    )
    pd.testing.assert_frame_equal(proposed, expected, check_dtype=False)
    assert len(said) == 1
    assert said[0].startswith(
        "2 of 5 images are proposed for exclusion: 1 'Weapons', 1 not screened.\n"
        "Nothing is excluded yet"
    )


def test_each_label_can_have_a_limit_of_its_own():
    proposed, _ = propose(TAGS, {"violence": 0.3, "cat": 1.0})
    assert proposed["image_id"].tolist() == ["a", "b", "d"]
    assert proposed["label"].tolist()[:2] == ["violence", "violence"]
    lower, _ = propose(TAGS, "Violence", at_least=0)
    assert lower["image_id"].tolist() == ["a", "b", "d"]


def test_predictions_and_answers_of_models_are_taken():
    predictions = table(
        image_id=["a", "b", "c"],
        label="disgust",
        probability=[0.8, 0.2, None],
        decision=[True, False, None],
        reason=[None, None, "damaged"],
    )
    proposed, _ = propose(predictions, "disgust")
    assert proposed["image_id"].tolist() == ["a", "c"]
    assert proposed["path"].isna().all()
    answers = table(
        image_id=["a", "a", "b", "b", "c"],
        code=["blood", "place", "blood", "place", "blood"],
        label=["1", "street", "0", "morgue", None],
        annotator="model",
    )
    proposed, _ = propose(answers, ["blood", "morgue"])
    assert proposed["image_id"].tolist() == ["a", "b", "c"]
    assert proposed["label"].fillna("").tolist() == ["blood", "morgue", ""]
    assert proposed["reason"].tolist() == ["blood", "morgue", "not screened: no answer"]
    assert proposed["confidence"].isna().all()
    half = table(
        image_id=["a", "a", "b", "b"],
        code=["blood", "place"] * 2,
        label=[None, "street", "0", None],
        reason=["not one of the answers", None, None, "empty answer"],
    )
    proposed, _ = propose(half, "blood")
    assert proposed["image_id"].tolist() == ["a"]
    assert proposed["reason"].tolist() == ["not screened: not one of the answers"]


def test_words_in_texts_are_whole_words():
    texts = table(
        image_id=["a", "b", "c", "d"],
        text=["We KILL them", "skilled workers", None, None],
        reason=[None, None, "no text found", "damaged"],
    )
    proposed, said = propose(texts, words=["kill", "murder"])
    assert proposed["image_id"].tolist() == ["a", "d"]
    assert proposed["reason"].tolist() == ["the text contains kill", "not screened: damaged"]
    assert "1 'kill', 1 not screened" in said[0]


def test_nothing_found_and_misspelt_labels():
    proposed, said = propose(TAGS[TAGS["image_id"] == "c"], "Violenec")
    assert proposed.empty and proposed.columns.tolist() == [
        "image_id", "path", "label", "confidence", "reason",
    ]  # fmt: skip
    assert "No image has the label 'Violenec'" in said[0]
    assert said[1].startswith("None of 1 image is proposed for exclusion.")


def test_what_goes_from_which_clusters():
    clustering = hand_made([None] * 6, [1, 1, 1, 2, 2, -1])
    ids = clustering.images["image_id"].tolist()
    tags = table(image_id=ids[:5], label=["x", "x", "y", "x", "y"], confidence=1.0)
    proposed, said = propose(tags, "x", clustering=clustering)
    assert proposed["image_id"].tolist() == [ids[0], ids[1], ids[3], ids[5]]
    assert proposed["reason"].iloc[-1] == "not screened: not in the table"
    assert "1 of 1 image of the residual, 2 of 3 images of cluster 1, 1 of 2 images" in said[0]
    assert "Estimates are then about the other images only" in said[0]


def test_exporters_take_the_table_as_it_is(tmp_path):
    """It is about the whole corpus, and a packet has only some of its images."""
    images = scan_images(write_pictures(tmp_path / "pictures", 6), progress=False)
    paths = images["path"].tolist()
    clustering = hand_made(paths, [1, 1, 1, 2, 2, 2])
    ids = clustering.images["image_id"].tolist()
    tags = table(
        image_id=[*ids, "elsewhere"], label=["x", *"yyyyy", "x"], confidence=1.0, path=None
    )
    proposed, _ = propose(tags, "x")
    with pytest.warns(
        UserWarning, match="1 of 2 proposed images is in the clustering and excluded: 1 'x'"
    ):
        sheet = coding_sheet(
            clustering, tmp_path / "sheet.html", ["people"], exclude=proposed, **QUIET
        )
    assert ids[0] not in {*sheet["image_id"]}
    file = tmp_path / "exclude.csv"
    proposed.to_csv(file, index=False)
    with pytest.warns(UserWarning, match="1 of 2 proposed images"):
        assert excluded(clustering.images, file) == {ids[0]}
    packets = assign_annotators(sample_images(clustering, 3), ["g"], 3)
    with pytest.warns(UserWarning, match="excluded: 1 'x'"):
        export_packets(packets, tmp_path / "rate", exclude=proposed, **QUIET)


def test_other_lists_are_still_checked():
    images = table(image_id=["a", "b"])
    with pytest.raises(ImagestrataError, match="fit no image"):
        excluded(images, table(image_id=["zzz"]))
    none = table(image_id=["zzz"], label=["x"], reason=["x (0.90)"])
    with pytest.warns(UserWarning, match="0 of 1 proposed image are in the images and excluded."):
        assert excluded(images, none) == set()


def page_of(file):
    text = file.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def proposed_page(tmp_path):
    images = scan_images(write_pictures(tmp_path / "pictures", 4), progress=False)
    tags = images[["image_id", "path"]].assign(
        label=["Violence", "Violence", "Nudity", None],
        confidence=[0.9, 0.7, 0.95, None],
        reason=[None, None, None, "damaged"],
    )
    Path(tags["path"].iloc[3]).unlink()
    file = tmp_path / "screen.html"
    return propose(tags, ["Violence", "Nudity"], out=file)[0], file


def test_the_page_has_every_proposal(tmp_path):
    proposed, file = proposed_page(tmp_path)
    shown = page_of(file)["images"]
    assert [one["id"] for one in shown] == proposed["image_id"].tolist()
    assert [one["picture"] is not None for one in shown] == [True, True, True, False]
    assert shown[3]["missing"] == "file not found"
    with pytest.raises(ImagestrataError, match="exists already"):
        proposed_page(tmp_path / "again") and propose_exclusions(TAGS, "Cat", out=file, **QUIET)


@pytest.mark.browser
def test_ticked_images_are_kept_and_the_others_saved(tmp_path, browser):
    proposed, file = proposed_page(tmp_path)
    page = browser.new_page()
    page.goto(file.as_uri())
    assert page.locator(".look img").first.evaluate("e => getComputedStyle(e).filter") != "none"
    page.locator(".look").first.click()
    assert page.locator(".look img").first.evaluate("e => getComputedStyle(e).filter") == "none"
    page.locator("article input").first.check()
    page.reload()
    assert page.locator("#place").inner_text() == "4 images proposed, 1 kept"
    with page.expect_download() as download:
        page.locator("#save").click()
    saved = pd.read_csv(download.value.path())
    assert saved["image_id"].tolist() == proposed["image_id"].tolist()[1:]
    assert saved.columns.tolist() == proposed.columns.tolist()


def test_command(tmp_path):
    run = tmp_path / "run"
    images = scan_images(write_pictures(tmp_path / "pictures", 3), out=run, progress=False)
    texts = images[["image_id", "path"]].assign(text=["kill", "hope", None])
    texts["reason"] = [None, None, "no text found"]
    texts.to_parquet(run / "texts.parquet")
    with pytest.warns(UserWarning, match="1 of 3 images is proposed"):
        said = CliRunner().invoke(
            cli.app, ["screen", str(run), "--word", "kill", "-q"], catch_exceptions=False
        )
    assert said.stdout.startswith(
        f"1 image proposed for exclusion: {run / 'exclude-proposed.csv'}\n"
    )
    assert pd.read_csv(run / "exclude-proposed.csv")["label"].tolist() == ["kill"]
    assert (run / "screen.html").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Give either `labels` or `words`"),
        ({"labels": "a", "words": "b"}, "Give either `labels` or `words`"),
        ({"labels": []}, "`labels` must be a list of texts"),
        ({"labels": [1]}, "`labels` must be a list of texts"),
        ({"labels": {"a": 2}}, "must be between 0 and 1"),
        ({"labels": "a", "at_least": 50}, "`at_least` must be between 0 and 1"),
        ({"words": "a"}, "must have a column 'text' or 'description'"),
        ({"words": "a", "at_least": 0.9}, "at_least=0.9 has no effect"),
        ({"labels": "a", "thumbnail": 80}, "thumbnail=80 has no effect"),
        ({"labels": "a", "out": "page.txt"}, "must be a file that ends in '.html'"),
    ],
)
def test_bad_arguments(given, message):
    with pytest.raises(ImagestrataError, match=re.escape(message)):
        propose_exclusions(TAGS, **QUIET, **given)


def test_bad_tables():
    with pytest.raises(ImagestrataError, match="lacks the column 'label'"):
        propose_exclusions(table(image_id=["a"]), "x")
    with pytest.raises(ImagestrataError, match="`tags` must be a table"):
        propose_exclusions("tags.csv", "x")
