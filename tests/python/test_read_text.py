"""Text in images, by the real Tesseract on drawn pictures."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytesseract
import pytest
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner

from clusterings import hand_made
from images import encode, write_files, write_pictures
from imagestrata import (
    ImagestrataError,
    cli,
    cluster_keywords,
    embed_text,
    read_text,
    scan_images,
)
from imagestrata.text import read as reading
from imagestrata.text.read import Word, _merged, _share

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None,
    reason="needs the program tesseract (Debian's package `tesseract-ocr`)",
)


def font(size):
    import matplotlib

    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf", size)


def poster(*words, size=(400, 300), ground="white", ink="black"):
    """A word a line; and the share of the picture inside the words' boxes."""
    picture = Image.new("RGB", size, ground)
    pen = ImageDraw.Draw(picture)
    area = 0
    for number, word in enumerate(words):
        place = (30, 30 + 80 * number)
        pen.text(place, word, font=font(40), fill=ink)
        left, top, right, bottom = pen.textbbox(place, word, font=font(40))
        area += (right - left) * (bottom - top)
    return picture, area / (size[0] * size[1])


def folder_of(tmp_path, **pictures):
    files = {f"{name}.png": encode(picture) for name, picture in pictures.items()}
    return write_files(tmp_path / "pictures", files)


def read(images, *languages, **options):
    return read_text(images, *languages, **{"side": 800, "progress": False} | options)


def by_name(texts):
    return texts.set_index(texts["path"].map(lambda path: Path(path).stem))


def word(text, box, confidence=0.9, line=(1, 1, 1)):
    return Word(text, confidence, line, box)


def test_share_by_hand():
    """Two boxes of 2 x 2 that share a pixel, in a picture of 4 x 5: 7 of 20."""
    words = [word("a", (0, 0, 2, 2)), word("b", (1, 1, 3, 3))]
    assert _share(words, (4, 5)) == 7 / 20
    assert _share([], (4, 5)) == 0


def test_looks_are_merged_by_hand():
    """The look that read more comes first; from the other comes only what stands elsewhere."""
    first = [word("VOT", (0, 0, 10, 10))]
    second = [word("VOTE", (0, 0, 11, 10)), word("now", (20, 0, 30, 10))]
    elsewhere = word("us", (0, 50, 10, 60))
    assert [w.text for w in _merged([first, second])] == ["VOTE", "now"]
    assert [w.text for w in _merged([[*first, elsewhere], second])] == ["VOTE", "now", "us"]
    assert _merged([[], []]) == []


@needs_tesseract
def test_a_poster_whose_words_and_share_are_known(tmp_path):
    picture, share = poster("FAMILIES", "BELONG", "TOGETHER")
    images = scan_images(folder_of(tmp_path, poster=picture), progress=False)
    images["camp"] = "left"
    texts = read(images)
    assert texts.columns.tolist() == [
        "image_id", "path", "file", "n_copies", "camp",
        "text", "n_words", "confidence", "share_text", "languages", "reason",
    ]  # fmt: skip
    row = texts.iloc[0]
    assert row["text"] == "FAMILIES\nBELONG\nTOGETHER"
    assert row["n_words"] == 3
    assert 0.6 <= row["confidence"] <= 1
    assert row["share_text"] == pytest.approx(share, rel=0.1)
    assert row["languages"] == "eng"
    assert pd.isna(row["reason"])


@needs_tesseract
def test_pictures_without_text_and_files_that_are_gone(tmp_path):
    picture, _ = poster("HOPE")
    blank = Image.new("RGB", (300, 200), "white")
    folder = folder_of(tmp_path, blank=blank, gone=Image.new("RGB", (90, 90), "red"), hope=picture)
    images = scan_images(folder, progress=False)
    (folder / "gone.png").unlink()
    with pytest.warns(UserWarning, match="1 of 3 images could not be read: 1 file not found"):
        texts = by_name(read(images))
    assert texts["reason"].fillna("").to_dict() == {
        "blank": "no text found",
        "gone": "file not found",
        "hope": "",
    }
    assert texts["n_words"].tolist() == [0, pd.NA, 1]
    assert texts.loc["blank", "share_text"] == 0
    assert texts.loc[["blank", "gone"], ["text", "confidence"]].isna().all().all()
    assert np.isnan(texts.loc["gone", "share_text"])


@needs_tesseract
def test_pictures_are_upright_and_columns_stay_together(tmp_path):
    """EXIF turns pictures as in every other step; a column is read before the next one."""
    picture, _ = poster("SIDEWAYS")
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    columns = Image.new("RGB", (900, 400), "white")
    pen = ImageDraw.Draw(columns)
    left = "\n".join(["the march begins here", "at eight in the morning"] * 4)
    right = "\n".join(["bring water and bread", "for the children here"] * 4)
    pen.multiline_text((20, 20), left, font=font(26), fill="black")
    pen.multiline_text((500, 20), right, font=font(26), fill="black")
    folder = write_files(
        tmp_path / "pictures",
        {
            "turned.jpg": encode(turned, "JPEG", exif=exif, quality=95),
            "columns.png": encode(columns),
        },
    )
    texts = by_name(read(folder))["text"]
    assert texts["turned"] == "SIDEWAYS"
    assert texts["columns"] == f"{left}\n{right}"


@needs_tesseract
def test_white_letters_on_a_busy_picture(tmp_path):
    noise = np.random.default_rng(0).integers(0, 190, (12, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for place, text in [((60, 20), "ENOUGH OF THIS"), ((140, 400), "VOTE NOW")]:
        pen.text(place, text, font=font(48), fill="white", stroke_width=3, stroke_fill="black")
    folder = folder_of(tmp_path, meme=picture)
    assert "ENOUGH OF THIS\nVOTE NOW" in read(folder)["text"].iloc[0]
    alone = read(folder, white_text=False)["text"].fillna("").iloc[0]
    assert "ENOUGH OF THIS\nVOTE NOW" not in alone


@needs_tesseract
def test_only_words_that_are_sure_enough(tmp_path):
    folder = folder_of(tmp_path, one=poster("JUSTICE")[0])
    everything = read(folder, min_confidence=0)
    assert everything["n_words"].tolist() == [1]
    assert read(folder, min_confidence=1)["reason"].tolist() == ["no text found"]


@needs_tesseract
def test_small_letters_are_read_enlarged(tmp_path):
    picture = Image.new("RGB", (220, 60), "white")
    small = font(9)
    ImageDraw.Draw(picture).text(
        (5, 20), "council meeting tonight at eight", font=small, fill="black"
    )
    folder = folder_of(tmp_path, small=picture)
    assert read(folder, side=1500)["text"].tolist() == ["council meeting tonight at eight"]
    plain = read(folder, side=100)["text"].fillna("").iloc[0]
    assert plain != "council meeting tonight at eight"


@needs_tesseract
def test_stored_and_resumed(tmp_path, monkeypatch):
    """After an interruption only images of unfinished parts are read again."""
    words = ["peace", "bread", "roses", "truth"]
    folder = folder_of(tmp_path, **{word: poster(word)[0] for word in words})
    images = scan_images(folder, progress=False)
    monkeypatch.setattr(reading, "PART_SIZE", 2)
    real = reading._read_image
    seen = []

    def interrupted(settings, file):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(file[1])
        return real(settings, file)

    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(reading, "_read_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(images, out=tmp_path / "run")
    assert "OMP_THREAD_LIMIT" not in os.environ
    again = []
    monkeypatch.setattr(
        reading, "_read_image", lambda *asked: again.append(asked[1][1]) or real(*asked)
    )
    texts = read(images, out=tmp_path / "run")
    assert sorted([*seen, *again]) == sorted(images["path"])
    assert sorted(texts["text"]) == sorted(words)
    monkeypatch.setattr(reading, "_read_image", None)  # nothing is read again
    pd.testing.assert_frame_equal(read(images, out=tmp_path / "run"), texts)
    with pytest.raises(ImagestrataError, match="'read' with psm=3, not with psm=11"):
        read(images, out=tmp_path / "run", psm=11)


@needs_tesseract
def test_a_file_that_changed_since_the_scan(tmp_path):
    folder = folder_of(tmp_path, one=poster("ONE")[0], two=poster("TWO")[0])
    images = scan_images(folder, progress=False)
    (folder / "two.png").write_bytes(encode(poster("SIX")[0]))
    with pytest.warns(UserWarning, match="1 changed since the scan"):
        texts = by_name(read(images))
    assert texts["text"]["one"] == "ONE" and pd.isna(texts["text"]["two"])
    assert texts["reason"]["two"] == "changed since the scan"


@needs_tesseract
def test_progress_counts_images(tmp_path):
    calls = []
    folder = folder_of(tmp_path, one=poster("ONE")[0], two=poster("TWO")[0])
    read(folder, progress=lambda *call: calls.append(call))
    assert [call for call in calls if call[0] == "Reading"][-1] == ("Reading", 2, 2)


@needs_tesseract
def test_command(tmp_path):
    folder = folder_of(tmp_path, blank=Image.new("RGB", (90, 90)), two=poster("OPEN", "DOOR")[0])
    run = tmp_path / "run"
    scan_images(folder, out=run, progress=False)
    arguments = ["read-text", str(run), "--language", "eng", "--side", "800", "--quiet"]
    said = CliRunner().invoke(cli.app, arguments, catch_exceptions=False).stdout
    assert said == f"2 words in 1 of 2 images: {run / 'texts.parquet'}\n"
    said = CliRunner().invoke(cli.app, [*arguments, "--json"], catch_exceptions=False).stdout
    assert json.loads(said)["n_words"] == 2


def test_texts_become_keywords_and_vectors():
    clustering = hand_made([None] * 4, [1, 1, 2, 2])
    texts = pd.DataFrame(
        {
            "image_id": clustering.images["image_id"],
            "text": ["VOTE\nNOW today", "vote", "water\nwater", "Water today"],
            "reason": pd.Series([None] * 4, dtype="str"),
        }
    )
    words = cluster_keywords(clustering, texts, column="text", stop_words=None)
    assert words.groupby("cluster")["term"].first().tolist() == ["vote", "water"]
    assert len(embed_text(texts, column="text", progress=False)) == 4


@needs_tesseract
@pytest.mark.parametrize(
    ("languages", "options", "message"),
    [
        ("jpn", {}, "lacks the language 'jpn'; installed: .*eng"),
        (["eng", "jpn"], {}, "lacks the language 'jpn'"),
        ([], {}, "`languages` must be one of Tesseract's codes"),
        (3, {}, "`languages` must be one of Tesseract's codes"),
        ("eng", {"psm": 2}, "2 only looks at the layout"),
        ("eng", {"psm": 14}, "`psm` must be between 1 and 13"),
        ("eng", {"min_confidence": 60}, "`min_confidence` must be between 0 and 1"),
        ("eng", {"side": 0}, "`side` must be between"),
        ("eng", {"white_text": 1}, "`white_text` must be True or False"),
    ],
)
def test_bad_arguments(tmp_path, languages, options, message):
    folder = folder_of(tmp_path, one=Image.new("RGB", (50, 50)))
    with pytest.raises(ImagestrataError, match=message):
        read(folder, languages, **options)


def test_no_language_is_looked_for_twice():
    assert reading._check_languages("eng+deu") == "eng+deu"
    assert reading._check_languages(["eng", "deu", "eng"]) == "eng+deu"


def test_without_the_program(tmp_path, monkeypatch):
    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", "no-such-tesseract")
    with pytest.raises(ImagestrataError, match="`tesseract`, which reads text") as caught:
        read(write_pictures(tmp_path, 1))
    for system in ("apt-get install tesseract-ocr", "Fedora", "macOS", "Windows"):
        assert system in caught.value.hint
