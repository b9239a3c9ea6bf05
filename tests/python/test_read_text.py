"""Text in images, by RapidOCR and the real Tesseract on drawn pictures."""

from __future__ import annotations

import json
import os
import shutil
import sys
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
from imagestrata.text import rapidocr
from imagestrata.text import read as reading
from imagestrata.text.tesseract import merged, share_inside
from imagestrata.text.words import Word, check_languages

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
    """With Tesseract."""
    usual = {"reader": "tesseract", "side": 800, "progress": False}
    return read_text(images, *languages, **usual | options)


def rapid(images, *languages, **options):
    """With RapidOCR."""
    return read_text(images, *languages, **{"progress": False} | options)


def by_name(texts):
    return texts.set_index(texts["path"].map(lambda path: Path(path).stem))


def word(text, box, confidence=0.9, line=(1, 1, 1)):
    return Word(text, confidence, line, box)


def test_share_by_hand():
    """Two boxes of 2 x 2 that share a pixel, in a picture of 4 x 5: 7 of 20."""
    words = [word("a", (0, 0, 2, 2)), word("b", (1, 1, 3, 3))]
    assert share_inside(words, (4, 5)) == 7 / 20
    assert share_inside([], (4, 5)) == 0


def test_looks_are_merged_by_hand():
    """The look that read more comes first; from the other comes only what stands elsewhere."""
    first = [word("VOT", (0, 0, 10, 10))]
    second = [word("VOTE", (0, 0, 11, 10)), word("now", (20, 0, 30, 10))]
    elsewhere = word("us", (0, 50, 10, 60))
    assert [w.text for w in merged([first, second])] == ["VOTE", "now"]
    assert [w.text for w in merged([[*first, elsewhere], second])] == ["VOTE", "now", "us"]
    assert merged([[], []]) == []


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
    with pytest.warns(UserWarning, match=r"1 of 3 images could not be read: file not found \(1\)"):
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
    with pytest.warns(UserWarning, match=r"changed since the scan \(1\)"):
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
    arguments = ["read-text", str(run), "--reader", "tesseract", "--side", "800", "--quiet"]
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
        ("eng", {"reader": "easyocr"}, "`reader` must be"),
    ],
)
def test_bad_arguments(tmp_path, languages, options, message):
    folder = folder_of(tmp_path, one=Image.new("RGB", (50, 50)))
    with pytest.raises(ImagestrataError, match=message):
        read(folder, languages, **options)


def test_no_language_is_looked_for_twice():
    assert check_languages("eng+deu") == ("eng", "deu")
    assert check_languages(["eng", "deu", "eng"]) == ("eng", "deu")


def test_without_the_program(tmp_path, monkeypatch):
    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", "no-such-tesseract")
    with pytest.raises(ImagestrataError, match="`tesseract`, which reads text") as caught:
        read(write_pictures(tmp_path, 1))
    other = 'reader="rapidocr"'
    for system in ("apt-get install tesseract-ocr", "Fedora", "macOS", "Windows", other):
        assert system in caught.value.hint


# ---- RapidOCR ----


def test_spaces_by_hand():
    """A space that is likely enough replaces nothing; it does not replace a letter."""

    class Decode:
        def __init__(self):
            self.dict = {" ": 2}

        def __call__(self, scores):
            return scores.argmax(axis=2).tolist()

    nothing, letter, space = 0, 1, 2
    scores = np.array([[
        [0.94, 0.00, 0.06],
        [0.96, 0.00, 0.04],
        [0.05, 0.80, 0.15],
    ]], dtype=np.float32)  # fmt: skip
    before = scores.copy()
    assert rapidocr._Spaced(Decode())(scores) == [[space, nothing, letter]]
    assert (scores == before).all()


@pytest.mark.parametrize(
    ("size", "scaled"),
    [
        ((400, 300), (992, 736)),  # the shorter side is enlarged
        ((6000, 4000), (1984, 1344)),  # the longer side is shrunk
        ((40, 4000), (128, 12128)),  # no more than 1.5 million pixels
        ((1, 1), (736, 736)),
    ],
)
def test_narrow_pictures_do_not_exhaust_memory(size, scaled):
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    assert rapidocr._scaled(pixels).shape[1::-1] == scaled


def test_share_of_slanted_lines_by_hand():
    """A square on its corner has half the area of the square around it."""
    diamond = np.array([[50, 0], [100, 50], [50, 100], [0, 50]], dtype=float)
    assert rapidocr._share([diamond], (100, 100)) == pytest.approx(0.5, abs=0.02)
    assert rapidocr._share([diamond, diamond], (200, 100)) == pytest.approx(0.25, abs=0.02)
    assert rapidocr._share([], (3000, 10)) == 0


def test_rapidocr_reads_a_poster(tmp_path):
    picture, share = poster("FAMILIES", "BELONG", "TOGETHER")
    images = scan_images(folder_of(tmp_path, poster=picture), progress=False)
    row = rapid(images, out=tmp_path / "run").iloc[0]
    assert row["text"] == "FAMILIES\nBELONG\nTOGETHER"
    assert row["n_words"] == 3
    assert 0.8 <= row["confidence"] <= 1
    assert row["share_text"] == pytest.approx(share, rel=0.6)  # boxes have margins
    assert row["languages"] == "eng"
    held = json.loads((tmp_path / "run" / "run.json").read_text())["steps"]["read"]
    assert held["settings"] == {"reader": "rapidocr", "languages": "eng", "min_confidence": 0.8}
    assert held["counts"]["program"].startswith("RapidOCR 3.")
    assert [len(one) for one in held["counts"]["sha256"].values()] == [64] * 3


def test_rapidocr_reads_a_meme_that_tesseract_misses(tmp_path):
    noise = np.random.default_rng(0).integers(0, 190, (12, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for place, text in [((60, 20), "AGAIN COUNCIL LAW"), ((60, 400), "OPEN JUSTICE")]:
        pen.text(place, text, font=font(40), fill="white", stroke_width=3, stroke_fill="black")
    texts = rapid(folder_of(tmp_path, meme=picture))
    assert texts["text"].tolist() == ["AGAIN COUNCIL LAW\nOPEN JUSTICE"]


def test_rapidocr_reads_all_sorts_of_pictures(tmp_path):
    picture, _ = poster("HOPE")
    clear = Image.new("RGBA", (300, 120), (0, 0, 0, 0))
    ImageDraw.Draw(clear).text((30, 30), "CLEAR", font=font(40), fill="black")
    tall = Image.new("RGB", (300, 4000), "white")
    ImageDraw.Draw(tall).text((20, 3900), "FOOTNOTE", font=font(30), fill="black")
    folder = folder_of(
        tmp_path,
        blank=Image.new("RGB", (300, 200), "white"),
        clear=clear,
        gone=Image.new("RGB", (90, 90), "red"),
        grey=picture.convert("L"),
        huge=picture.resize((6000, 4500)),
        slanted=poster("SLANTED", size=(400, 150))[0].rotate(20, expand=True, fillcolor="white"),
        tall=tall,
        tiny=Image.new("RGB", (33, 33), "white"),
        turned=poster("UPSIDE", size=(300, 110))[0].rotate(180),
        wide=poster("WIDE", size=(3000, 100))[0],
    )
    images = scan_images(folder, progress=False)
    (folder / "gone.png").unlink()
    with pytest.warns(UserWarning, match=r"1 of 10 images could not be read: file not found \(1\)"):
        texts = by_name(rapid(images))
    none = {"blank", "tiny", "gone"}
    assert texts["text"].dropna().to_dict() == {
        "clear": "CLEAR",
        "grey": "HOPE",
        "huge": "HOPE",
        "slanted": "SLANTED",
        "tall": "FOOTNOTE",
        "turned": "UPSIDE",
        "wide": "WIDE",
    }
    assert texts.loc[["blank", "tiny"], "reason"].eq("no text found").all()
    assert texts["reason"].dropna().index.tolist() == sorted(none)
    assert texts.loc[["blank", "tiny"], "share_text"].eq(0).all()


def test_rapidocr_keeps_accents_and_only_expected_scripts(tmp_path):
    folder = folder_of(tmp_path, one=poster("größer", "élève", "mañana")[0])
    assert rapid(folder, ["deu", "fra", "spa"])["text"].tolist() == ["größer\nélève\nmañana"]
    western, eastern = (rapidocr.RapidOCR((code,), 0.8) for code in ("eng", "jpn"))
    assert not western._is_word("山") and eastern._is_word("山")
    assert western._is_word("été") and not western._is_word("...")


def test_rapidocr_drops_words_that_are_not_sure_enough():
    reads = rapidocr.RapidOCR(("eng",), 0.8)
    corners = np.array([[0, 0], [9, 0], [9, 4], [0, 4]], dtype=float)
    words = reads._words("no ab c", [0.9, 0.9, 1, 0.9, 0.5, 1, 0.9], 0, corners)
    assert [(word.text, word.box) for word in words] == [
        ("no", (0, 0, 9, 4)),
        ("c", (0, 0, 9, 4)),
    ]


def test_rapidocr_gives_the_same_in_one_and_in_many_threads(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, **{word: poster(word, "NOW")[0] for word in "ABCDEFGH"})
    images = scan_images(folder, progress=False)
    monkeypatch.setattr(reading, "usable_cores", lambda: 1)
    one = rapid(images)
    monkeypatch.setattr(reading, "usable_cores", lambda: 4)
    pd.testing.assert_frame_equal(rapid(images), one)


def test_rapidocr_is_stored_and_other_settings_are_refused(tmp_path):
    images = scan_images(folder_of(tmp_path, one=poster("ROSES")[0]), progress=False)
    texts = rapid(images, out=tmp_path / "run")
    pd.testing.assert_frame_equal(rapid(images, out=tmp_path / "run"), texts)
    with pytest.raises(ImagestrataError, match="min_confidence"):
        rapid(images, out=tmp_path / "run", min_confidence=0.5)


@pytest.mark.parametrize(
    ("languages", "options", "message"),
    [
        ("ara", {}, "RapidOCR does not read the language 'ara'.*\n.*reader=\"tesseract\""),
        (["eng", "pol"], {}, "the language 'pol'"),
        ("eng", {"psm": 11}, 'psm=11 has no effect with reader="rapidocr"'),
        ("eng", {"side": 500, "white_text": False}, "have no effect"),
        ("eng", {"min_confidence": 80}, "`min_confidence` must be between 0 and 1"),
    ],
)
def test_bad_arguments_of_rapidocr(tmp_path, languages, options, message):
    with pytest.raises(ImagestrataError, match=message):
        rapid(write_pictures(tmp_path, 1), languages, **options)


@pytest.mark.parametrize("package", ["rapidocr", "onnxruntime"])
def test_without_rapidocr(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImagestrataError, match=f"needs the Python package '{package}'") as caught:
        read_text(write_pictures(tmp_path, 1), progress=False)
    assert "imagestrata[ocr]" in caught.value.hint
    assert 'reader="tesseract"' in caught.value.hint


def test_another_rapidocr_downloads_nothing(monkeypatch):
    monkeypatch.setitem(rapidocr._MODELS, "Det", "other.onnx")
    with pytest.raises(ImagestrataError, match="does not contain the network 'other"):
        rapidocr._models()
