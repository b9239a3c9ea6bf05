"""The drawn corpus: unbalanced, odd, with copies and broken files, always the same."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import images
from imagestrata import ImagestrataError, draw_demo_corpus, scan_images
from imagestrata.corpus.decode import open_image
from imagestrata.demo import corpus as demo
from imagestrata.demo.drawing import Canvas
from imagestrata.demo.scenes import KINDS, SCENES

N = 140


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return draw_demo_corpus(tmp_path_factory.mktemp("demo"), n_images=N, seed=3, progress=False)


@pytest.fixture(scope="module")
def labels(corpus) -> pd.DataFrame:
    return pd.read_csv(corpus / "labels.csv")


@pytest.fixture(scope="module")
def scanned(corpus, labels) -> pd.DataFrame:
    table = scan_images(corpus, progress=False)
    table["file"] = [Path(path).relative_to(corpus).as_posix() for path in table["path"]]
    return table.merge(labels, on="file", how="outer", validate="one_to_one")


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_every_scene_has_its_place_in_the_order():
    assert sorted(KINDS) == sorted(SCENES)
    assert len(KINDS) > 30


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_fill_the_canvas_and_vary(kind):
    drawn = []
    for seed in (1, 2):
        canvas = Canvas(np.random.default_rng(seed), (160, 120))
        SCENES[kind].draw(canvas)
        drawn.append(np.asarray(canvas.finish(photo=SCENES[kind].photo), dtype=float))
    for picture in drawn:
        assert picture.shape == (120, 160, 3)
        black = (picture.sum(axis=2) == 0).mean()
        assert black < 0.5, "ground left unpainted"
        assert picture.std() > 15, "nothing to see"
    assert np.abs(drawn[0] - drawn[1]).mean() > 4


def test_every_file_has_a_label_and_a_name_that_tells_nothing(corpus, labels):
    assert list(labels.columns) == ["file", "kind", "variant"]
    assert {*labels["file"], "labels.csv"} == content(corpus).keys()
    assert len(labels) == N
    assert set(labels["kind"]) <= {*KINDS, "broken"}
    assert not any(kind in name for name in labels["file"] for kind in KINDS)


def test_counts_are_unbalanced():
    counts = Counter(demo._kinds(534))
    assert len(counts) == len(KINDS) and sum(counts.values()) == 534
    assert [*counts.values()] == sorted(counts.values(), reverse=True)
    assert counts[KINDS[0]] > 100 and counts[KINDS[-1]] in (2, 3)
    assert sum(Counter(demo._kinds(16)).values()) == 16


def test_scanning_finds_what_was_put_in(scanned):
    per_variant = scanned["variant"].value_counts()
    assert per_variant.to_dict() == {
        "original": 124,
        "byte copy": 6,
        "near copy": 4,
        "pixel copy": 3,
        "broken": 3,
    }
    rejected = scanned["status"] == "rejected"
    assert (rejected == (scanned["variant"] == "broken")).all()
    # Every picture is drawn once: all duplicates are copies made on purpose.
    duplicates = scanned[scanned["status"] == "duplicate"]
    assert len(duplicates) == per_variant["byte copy"] + per_variant["pixel copy"]
    kinds = scanned[scanned["status"] == "ok"].set_index("image_id")["kind"]
    assert (kinds[duplicates["duplicate_of"]].to_numpy() == duplicates["kind"]).all()
    assert scanned.loc[scanned["status"] == "ok", "n_copies"].sum() == N - rejected.sum()


def test_near_copies_are_near(corpus, scanned):
    near = scan_images(corpus, near_duplicates=4, progress=False)
    n_more = (near["reason"] == "near-duplicate").sum()
    assert n_more >= 0.75 * (scanned["variant"] == "near copy").sum()


def test_formats_are_odd(corpus, scanned):
    assert {"JPEG", "PNG", "GIF", "WebP", "BMP", "TIFF"} <= set(scanned["format"].dropna())
    opened = [
        Image.open(corpus / name) for name in scanned.loc[scanned["status"] != "rejected", "file"]
    ]
    modes = {image.mode for image in opened}
    assert {"RGB", "RGBA", "P", "CMYK"} <= modes
    assert any(mode.startswith("I") for mode in modes)
    assert any(image.getexif().get(images.ORIENTATION, 1) != 1 for image in opened)
    sizes = {tuple(size) for size in scanned[["width", "height"]].dropna().to_numpy()}
    assert len(sizes) > N / 2


def test_broken_files_are_broken_in_several_ways():
    picture, rng = images.picture(1, (64, 48)), np.random.default_rng(0)
    reasons = []
    for spoil in demo._BROKEN:
        try:
            reasons.append(str(open_image(spoil(picture, rng)[1]).size))
        except Exception as error:
            reasons.append(str(error))
    assert reasons == [
        "truncated or damaged",
        "empty file",
        "HTML page",
        "(1, 1)",
        "not an image",
        "truncated or damaged",
    ]


def test_turned_pictures_come_back_upright():
    picture = images.picture(1, (60, 40))
    for seed in range(6):
        _, data = demo._turned(picture, np.random.default_rng(seed))
        stored, opened = Image.open(BytesIO(data)), open_image(data)
        assert stored.getexif()[images.ORIENTATION] in (3, 6, 8)
        assert opened.size == picture.size
        assert np.abs(np.asarray(opened, int) - np.asarray(picture, int)).mean() < 6


def test_the_same_seed_draws_the_same_bytes(tmp_path, corpus):
    again = draw_demo_corpus(tmp_path / "again", n_images=40, seed=3, progress=False)
    once_more = draw_demo_corpus(tmp_path / "more", n_images=40, seed=3, progress=False)
    other = draw_demo_corpus(tmp_path / "other", n_images=40, seed=4, progress=False)
    assert content(again) == content(once_more) != content(other)


def test_drawing_again_writes_only_what_is_missing(tmp_path):
    folder = draw_demo_corpus(tmp_path / "new" / "demo", n_images=20, progress=False)
    before = content(folder)
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}
    lost, spoilt = sorted(times)[2:4]
    lost.unlink()
    spoilt.write_bytes(b"half")
    steps = []
    draw_demo_corpus(folder, n_images=20, progress=lambda *step: steps.append(step))
    assert content(folder) == before
    assert steps[-1] == ("Drawing", 20, 20)
    kept = set(times) - {lost, spoilt}
    assert all(path.stat().st_mtime_ns == times[path] for path in kept)


def test_nothing_of_the_user_is_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ImagestrataError, match=r"1 other files, such as 'thesis.txt'"):
        draw_demo_corpus(tmp_path, n_images=20, progress=False)
    assert content(tmp_path).keys() == {"thesis.txt"}
    with pytest.raises(ImagestrataError, match="is a file"):
        draw_demo_corpus(tmp_path / "thesis.txt", progress=False)
    with pytest.raises(ImagestrataError, match="`n_images`"):
        draw_demo_corpus(tmp_path, n_images=5)
    with pytest.raises(ImagestrataError, match="`seed`"):
        draw_demo_corpus(tmp_path, seed=-1)
