"""Faces, by dlib's own detector on the portrait that scikit-image carries."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from skimage import data
from typer.testing import CliRunner

from images import encode, write_files
from imagestrata import ImagestrataError, cli, crop_faces, scan_images
from imagestrata.corpus import faces as finding
from imagestrata.corpus.faces import Face, _Crops, _cut
from imagestrata.corpus.scan import read_scanned


@pytest.fixture(scope="module")
def astronaut():
    """An official portrait: a face of about 90 pixels, its middle near (224, 128)."""
    return Image.fromarray(data.astronaut())


@pytest.fixture
def folder(tmp_path, astronaut):
    top = astronaut.crop((64, 0, 384, 256))
    pair = Image.new("RGB", (640, 256), "grey")
    pair.paste(top, (0, 0))
    pair.paste(top.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (320, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = top.transpose(Image.Transpose.ROTATE_90)
    return write_files(
        tmp_path / "pictures",
        {
            "blank.png": encode(Image.new("RGB", (200, 200), "white")),
            "pair.png": encode(pair),
            "turned.jpg": encode(turned, "JPEG", exif=exif, quality=95),
        },
    )


def crop(images, out, **options):
    return crop_faces(images, out, **{"min_size": 60, "progress": False} | options)


def named(faces, name):
    return faces[faces["path"].map(lambda path: Path(path).stem == name)]


class Found:
    """A detector that finds the same everywhere."""

    def __init__(self, *faces):
        self._faces = list(faces)

    def find(self, picture):
        return self._faces


def test_crops_by_hand(tmp_path):
    """A box of 10 x 20 with a margin of .1: one pixel left and right, two above and below."""
    picture = Image.new("RGB", (40, 40), "white")
    source = tmp_path / "picture.png"
    picture.save(source)
    inside, corner = Face(10, 10, 20, 30, 1.0), Face(30, 0, 40, 20, 0.5)
    image_id = hashlib.sha256(source.read_bytes()).hexdigest()[:20]

    def cut(size, *faces):
        file = (image_id, str(source))
        made = _cut(Found(*faces), 0.1, size, file)
        return _Crops(tmp_path).store([file], [made]).to_pylist()

    rows = cut(None, inside, corner)
    assert {row["image_id"] for row in rows} == {image_id}
    assert [row["face"] for row in rows] == [1, 2]
    assert [row[name] for row in rows for name in ("left", "top", "width", "height")] == [
        *(10, 10, 10, 20),
        *(30, 0, 10, 20),
    ]
    sizes = [Image.open(tmp_path / row["crop"]).size for row in rows]
    assert sizes == [(12, 24), (11, 22)]  # the second one ends where the picture does
    small = cut(12, inside)
    assert Image.open(tmp_path / small[0]["crop"]).size == (6, 12)
    large = cut(500, inside)
    assert Image.open(tmp_path / large[0]["crop"]).size == (12, 24)  # never enlarged


def test_faces_are_found_where_they_are(folder, tmp_path):
    faces = crop(folder, tmp_path / "run")
    assert faces.columns.tolist() == [
        "image_id", "path", "face", "left", "top", "width", "height", "score", "crop", "reason",
    ]  # fmt: skip
    assert named(faces, "blank")["reason"].tolist() == ["no face found"]
    assert named(faces, "blank")[["face", "left", "score", "crop"]].isna().all().all()
    pair, turned = named(faces, "pair"), named(faces, "turned")
    assert pair["face"].tolist() == [1, 2]
    assert turned["face"].tolist() == [1]
    middles = pd.concat([pair, turned])
    x = (middles["left"] + middles["width"] / 2).tolist()
    y = (middles["top"] + middles["height"] / 2).tolist()
    assert x == pytest.approx([160, 480, 160], abs=15)
    assert y == pytest.approx([128] * 3, abs=15)
    assert faces["score"].dropna().gt(0).all()


def test_crops_are_a_corpus(folder, tmp_path):
    """They can be scanned; each holds its face, with a margin."""
    faces = crop(folder, tmp_path / "run", size=64)
    found = faces.dropna(subset="crop")
    crops = scan_images(tmp_path / "run" / "faces", progress=False)
    assert crops["path"].tolist() == sorted(found["crop"])
    assert crops[["width", "height"]].max(axis=1).tolist() == [64] * 3
    assert not Image.open(found["crop"].iloc[0]).getexif()
    wide = crop(folder, tmp_path / "wide", margin=0.5).dropna(subset="crop")
    for face in wide.itertuples():
        assert Image.open(face.crop).width == pytest.approx(2 * face.width, abs=2)


def test_small_and_doubtful_faces_are_left_out(folder, tmp_path):
    assert crop(folder, tmp_path / "a", min_size=150)["reason"].tolist() == ["no face found"] * 3
    assert crop(folder, tmp_path / "b", min_score=9)["reason"].tolist() == ["no face found"] * 3


def test_files_that_are_gone(folder, tmp_path):
    images = scan_images(folder, progress=False)
    (folder / "pair.png").unlink()
    with pytest.warns(UserWarning, match=r"1 of 3 images could not be read: file not found \(1\)"):
        faces = crop(images, tmp_path / "run")
    assert faces["reason"].fillna("").tolist() == ["no face found", "file not found", ""]


def test_a_file_that_changed_since_the_scan(folder, tmp_path):
    images = scan_images(folder, progress=False)
    Image.new("RGB", (90, 90), "red").save(folder / "pair.png")
    with pytest.warns(UserWarning, match=r"changed since the scan \(1\)"):
        faces = crop(images, tmp_path / "run")
    assert named(faces, "pair")["reason"].tolist() == ["changed since the scan"]


def test_stored_and_resumed(folder, tmp_path, monkeypatch):
    images = scan_images(folder, progress=False)
    monkeypatch.setattr(finding, "PART_SIZE", 1)
    monkeypatch.setattr(finding, "MOST_THREADS", 1)
    seen = []

    def interrupted(*asked):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(asked[-1][1])
        return _cut(*asked)

    monkeypatch.setattr(finding, "_cut", interrupted)
    with pytest.raises(KeyboardInterrupt):
        crop(images, tmp_path / "run")
    again = []

    def counted(*asked):
        again.append(asked[-1][1])
        return _cut(*asked)

    monkeypatch.setattr(finding, "_cut", counted)
    faces = crop(images, tmp_path / "run")
    assert [*seen, *again] == images["path"].tolist()
    assert len(faces) == 4
    monkeypatch.setattr(finding, "_cut", None)  # nothing is looked at again
    pd.testing.assert_frame_equal(crop(images, tmp_path / "run"), faces)
    with pytest.raises(ImagestrataError, match="'faces' with margin"):
        crop(images, tmp_path / "run", margin=0)


def test_crops_of_other_settings_go_and_files_of_yours_stay(folder, tmp_path):
    crop(folder, tmp_path / "run")
    crops = tmp_path / "run" / "faces"
    (crops / "notes.txt").write_text("mine")
    crop(folder, tmp_path / "run", min_score=9, overwrite=True)
    assert [file.name for file in crops.iterdir()] == ["notes.txt"]


def test_command(folder, tmp_path):
    run = tmp_path / "run"
    scan_images(folder, out=run, progress=False)
    arguments = ["crop-faces", str(run), "--min-size", "60", "--quiet"]
    said = CliRunner().invoke(cli.app, arguments, catch_exceptions=False).stdout
    assert said == f"3 faces in 2 of 3 images: {run / 'faces'}\n"
    said = CliRunner().invoke(cli.app, [*arguments, "--json"], catch_exceptions=False).stdout
    assert json.loads(said)["n_faces"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": -0.1}, "`margin` must be between 0 and 2"),
        ({"min_size": 10}, "`min_size` must be at least 20"),
        ({"min_score": "high"}, "`min_score` must be a finite number"),
        ({"size": 0}, "`size` must be at least 16"),
        ({"overwrite": 1}, "`overwrite` must be True or False"),
    ],
)
def test_bad_arguments(folder, tmp_path, options, message):
    with pytest.raises(ImagestrataError, match=message):
        crop(folder, tmp_path / "run", **options)


def test_no_usable_image(tmp_path):
    images = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "status": ["rejected"]})
    with pytest.raises(ImagestrataError, match="so none can be used"):
        crop(images, tmp_path / "run")


def test_without_the_library(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ImagestrataError, match="'dlib', which is not installed") as caught:
        crop(folder, tmp_path / "run")
    assert "imagestrata[faces]" in caught.value.hint


def test_crops_move_with_their_run(folder, tmp_path):
    """The paths of images and crops are those of today, and nothing is cropped again."""
    out = folder.parent / "run"
    first = crop(folder, out)
    project = tmp_path / "moved"
    project.mkdir()
    images, run = folder.rename(project / "pictures"), out.rename(project / "run")
    times = {path: path.stat().st_mtime_ns for path in run.rglob("*.jpg")}
    second = crop(read_scanned(run), run)
    assert second["crop"].notna().sum() == first["crop"].notna().sum() == 3
    assert {Path(path) for path in second["crop"].dropna()} == {*times}
    assert all(Path(path).parent == images for path in second["path"])
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*.jpg")} == times
