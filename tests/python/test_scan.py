"""Every file looked at once: usable, duplicate of, or why not."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import threading
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import images
from imagestrata import ImagestrataError, scan_images
from imagestrata.corpus import known, look, scan
from imagestrata.corpus.reasons import Reason
from imagestrata.provenance import read_run


def scanned(what, **options) -> pd.DataFrame:
    return scan_images(what, progress=False, **options)


def by_name(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index(pd.Index(names(table)))


def names(table: pd.DataFrame) -> list[str]:
    return [Path(path).name for path in table["path"]]


@pytest.fixture
def decodes(monkeypatch):
    """Sizes of the files decoded, in whatever order the threads took them."""
    seen = []
    real = look.decode

    def counting(data, **options):
        seen.append(len(data))
        return real(data, **options)

    monkeypatch.setattr(look, "decode", counting)
    return seen


def test_every_odd_and_bad_file_has_its_row(tmp_path):
    bad, odd = images.bad_files(), images.odd_files()
    images.write_files(tmp_path, {name: data for name, (data, *_) in (bad | odd).items()})
    table = scanned(tmp_path)
    assert tuple(table.columns) == scan.COLUMNS
    assert names(table) == sorted([*bad, *odd])
    rows = by_name(table)
    for name, (data, reason) in bad.items():
        row = rows.loc[name]
        assert (row["status"], row["reason"], row["n_copies"]) == ("rejected", reason, 0), name
        assert row["bytes"] == len(data) and len(row["image_id"]) == 20
        assert pd.isna(row["duplicate_of"])
    for name, (data, format, size) in odd.items():
        row = rows.loc[name]
        assert (row["status"], row["n_copies"], row["bytes"]) == ("ok", 1, len(data)), name
        assert (row["format"], row["width"], row["height"]) == (format, *size), name
        assert pd.isna(row["reason"])
    assert set(table["reason"].dropna()) <= set(Reason)
    assert rows["n_pages"].dropna().to_dict() == {
        name: 3 if name == "moving.gif" else 1 for name in ["dot.png", *odd]
    }
    assert rows.loc["drawing.svg", "format"] == "SVG"
    assert pd.isna(rows.loc["page.jpg", "format"]) and pd.isna(rows.loc["page.jpg", "width"])
    assert tuple(rows.loc["dot.png", ["width", "height"]]) == (1, 1)


def test_ids_are_hashes_of_the_bytes(tmp_path):
    images.write_files(tmp_path, {"a.bmp": images.encode(images.picture(1), "BMP"), "b.jpg": b"x"})
    ids = by_name(scanned(tmp_path))["image_id"]
    # $ printf x | sha256sum
    assert ids["b.jpg"] == "2d711642b726b0440162"
    assert ids["a.bmp"] != ids["b.jpg"]


def test_duplicates_by_hand(tmp_path):
    one, two = images.picture(1, (320, 240)), images.picture(2, (320, 240))
    near = one.resize((256, 192))
    images.write_files(
        tmp_path,
        {
            "a.png": images.encode(one),
            "b/copy.png": images.encode(one),
            "c.bmp": images.encode(one, "BMP"),
            "d.jpg": images.encode(near, "JPEG", quality=60),
            "e.jpg": images.encode(near, "JPEG", quality=60),
            "f.png": images.encode(two),
        },
    )
    table = scanned(tmp_path)
    kept = table["image_id"][0]
    fourth = table["image_id"][3]
    assert table["status"].tolist() == ["ok", "duplicate", "duplicate", "ok", "duplicate", "ok"]
    assert table["n_copies"].tolist() == [3, 0, 0, 2, 0, 1]
    reasons = table["reason"].tolist()
    assert reasons[1:3] == ["same bytes", "same pixels"] and reasons[4] == "same bytes"
    assert table["duplicate_of"].tolist()[1:3] == [kept, kept]
    assert table["duplicate_of"][4] == fourth

    near_too = scanned(tmp_path, near_duplicates=4)
    assert near_too["n_copies"].tolist() == [5, 0, 0, 0, 0, 1]
    assert near_too["reason"].tolist()[3:5] == ["near-duplicate"] * 2
    assert set(near_too["duplicate_of"].dropna()) == {kept}


def test_small_files_and_sides(tmp_path):
    images.write_files(
        tmp_path,
        {
            "big.png": images.encode(images.picture(1, (64, 64))),
            "thin.png": images.encode(images.picture(2, (64, 15))),
            "page.jpg": images.HTML,
        },
    )
    size = (tmp_path / "big.png").stat().st_size
    assert scanned(tmp_path)["reason"].fillna("").tolist() == ["", "HTML page", "below min_side"]
    rows = by_name(scanned(tmp_path, min_bytes=size, min_side=1))
    assert rows["reason"].fillna("").tolist() == ["", "HTML page", "below min_bytes"]
    assert rows.loc["thin.png", "height"] == 15
    assert scanned(tmp_path, min_side=15)["status"].tolist() == ["ok", "rejected", "ok"]


def test_what_is_considered_in_a_folder(tmp_path):
    picture = images.encode(images.picture(1))
    images.write_files(
        tmp_path,
        {
            "a.jpg": images.HTML,
            "deep/er/b": picture,
            "deep/notes.txt": b"about pictures",
            "table.csv": b"file,kind\n",
            "Thumbs.db": bytes(600),
            ".hidden.png": picture,
            ".folder/c.png": picture,
            "run/run.json": b'{\n  "imagestrata": "0.1.0",\n  "steps": {}\n}\n',
            "run/gallery/thumbnail.png": picture,
            "marathon/run.json": b'{"winner": 7}',
            "marathon/d.png": picture,
        },
    )
    table = scanned(tmp_path)
    assert names(table) == ["a.jpg", "b", "d.png"]
    assert table["path"].tolist() == [
        str(tmp_path / name) for name in ("a.jpg", "deep/er/b", "marathon/d.png")
    ]


def test_links(tmp_path):
    corpus = tmp_path / "corpus"
    images.write_pictures(corpus / "real", 2)
    images.write_pictures(tmp_path / "elsewhere", 3)
    (corpus / "a-link").symlink_to(corpus / "real")
    (corpus / "loop").symlink_to(corpus)
    (corpus / "real" / "up").symlink_to("..")
    (corpus / "z-link").symlink_to(tmp_path / "elsewhere")
    (corpus / "broken.jpg").symlink_to("nowhere.jpg")
    (corpus / "circle.jpg").symlink_to("circle.jpg")
    (corpus / "circle").symlink_to("circle")
    os.mkfifo(corpus / "pipe.jpg")
    table = scanned(corpus)
    found = [os.path.relpath(path, corpus) for path in table["path"]]
    assert found == ["broken.jpg", "circle.jpg", "real/000.png", "real/001.png"] + [
        f"z-link/00{i}.png" for i in range(3)
    ]
    assert table["reason"].tolist()[:2] == ["broken link"] * 2
    assert table["n_copies"].tolist()[2:] == [2, 2, 0, 0, 1]


def test_no_permission(public_folder, unprivileged):
    images.write_pictures(public_folder, 2)
    images.write_pictures(public_folder / "closed", 1)
    (public_folder / "001.png").chmod(0)
    (public_folder / "closed").chmod(0)
    try:
        with unprivileged():
            table = scanned(public_folder)
    finally:
        (public_folder / "closed").chmod(0o700)
    assert names(table) == ["000.png", "001.png", "closed"]
    assert table["reason"].tolist()[1:] == ["no permission"] * 2
    assert table["image_id"].isna().tolist() == [False, True, True]


def test_a_folder_that_cannot_be_listed_is_a_row(tmp_path, monkeypatch):
    images.write_pictures(tmp_path / "open", 1)
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def scandir(folder):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert scanned(tmp_path)["status"].tolist() == ["rejected", "ok"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_strange_names(tmp_path):
    strange = ["new\nline.png", "quo'te\".png", "<script>.png", "ünï cödé 猫.png", "~$draft.png"]
    images.write_files(
        tmp_path, {name: images.encode(images.picture(i)) for i, name in enumerate(strange)}
    )
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    Path(odd).write_bytes(images.encode(images.picture(99)))
    paths = pd.Series([str(path) for path in tmp_path.iterdir()], dtype=object)
    for number, what in enumerate([tmp_path, [*paths], pd.DataFrame({"path": paths})]):
        table = scanned(what, out=tmp_path / f".run-{number}")
        assert names(table) == sorted([*strange, "caf\\udce9.png"])
        rejected = table[table["status"] == "rejected"]
        assert names(rejected) == ["caf\\udce9.png"]
        assert rejected["reason"].tolist() == ["name is not UTF-8"]


def test_lists_of_folders_and_files(tmp_path):
    images.write_pictures(tmp_path / "a", 3)
    images.write_pictures(tmp_path / "b", 1)
    files = [tmp_path / "a", str(tmp_path / "a" / "001.png"), tmp_path / "gone.png"]
    table = scanned(files + files[:1])
    assert names(table) == ["000.png", "001.png", "002.png", "gone.png"]
    assert table["reason"].tolist()[-1] == "file not found"
    assert_frame_equal(table, scanned(reversed(files)))
    inner = [tmp_path, tmp_path / "a"]
    assert_frame_equal(scanned(inner), scanned(tmp_path))
    assert_frame_equal(scanned(inner[::-1]), scanned(tmp_path))


def test_tables_bring_their_columns(tmp_path, monkeypatch):
    images.write_pictures(tmp_path, 3)
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame(
        {
            "shares": pd.array([5, None, 7, 8], dtype="Int64"),
            "path": ["002.png", "./000.png", "gone.png", str(tmp_path / "001.png")],
            "day": pd.to_datetime(["2018-06-30"] * 4),
            "words": [["a"], ["b", "c"], [], None],
        },
        index=[7, 7, 8, 9],
    )
    result = scanned(table, out="run")
    assert result["path"].tolist() == [
        str(tmp_path / name) for name in ("000.png", "001.png", "002.png", "gone.png")
    ]
    assert list(result.columns) == [*scan.COLUMNS, "shares", "day", "words"]
    assert result["shares"].fillna(-1).tolist() == [-1, 8, 5, 7]
    assert result["reason"].tolist()[-1] == "file not found"
    assert_frame_equal(result, scanned(table, out="run"))
    assert_frame_equal(result, scanned(table[::-1], out="run"))
    assert scanned(table.assign(shares=1), out="run")["shares"].tolist() == [1, 1, 1, 1]
    with pytest.raises(ImagestrataError, match="made from other"):
        scanned(table[:1], out="run")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"file": ["x"], "kind": ["y"]}, "must have a column 'path'; its columns are 'file', 'ki"),
        ({"path": ["a", None, float("nan"), ""]}, r"3 of 4 rows .* no path \(the first is row 2"),
        ({"path": [1, 2]}, "'path' must hold text; it holds 1"),
        ({"path": []}, "no rows"),
    ],
)
def test_tables_that_cannot_be_used(table, message):
    with pytest.raises(ImagestrataError, match=message):
        scanned(pd.DataFrame(table))


def test_columns_that_cannot_be_stored(tmp_path):
    images.write_pictures(tmp_path, 2)
    table = pd.DataFrame({"path": [*map(str, tmp_path.iterdir())], "mixed": [1, "one"]})
    with pytest.raises(ImagestrataError, match="mixed"):
        scanned(table)
    twice = pd.DataFrame([["a", 1, 2]], columns=["path", "x", "x"])
    with pytest.raises(ImagestrataError, match="more than one column 'x'"):
        scanned(twice)


def test_other_things_that_cannot_be_scanned(tmp_path):
    def message(what, **options):
        with pytest.raises(ImagestrataError) as caught:
            scanned(what, **options)
        return caught.value.message

    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"no files in {str(empty)!r}" in message(empty)
    images.write_files(empty, {"a.csv": b"1", "b.CSV": b"2", "LICENSE": b"3", ".x.png": b"4"})
    assert "among 4 files" in message(empty)
    assert "2 .csv, 1 hidden, 1 no ending" in message(empty)
    assert "empty list" in message([])
    assert "Item 2 of `images` is not a path: 3" in message(["a", 3])
    assert "not an int" in message(5)
    assert "does not exist" in message(tmp_path / "gone")
    assert "is a file" in message(empty / "a.csv")
    bad = {name: data for name, (data, _) in images.bad_files().items()}
    images.write_files(tmp_path / "bad", bad)
    assert "None of 11 files is an image that can be used: " in message(tmp_path / "bad")
    assert "not an image (2)" in message(tmp_path / "bad", out=tmp_path / "run")
    assert "no permission" not in message(tmp_path / "bad")
    pictures = images.write_pictures(tmp_path / "pictures", 2)
    assert "folder of images itself" in message(pictures, out=pictures)
    assert "`min_side`" in message(pictures, min_side=0)
    assert "`min_bytes`" in message(pictures, min_bytes=-1)
    assert "`near_duplicates`" in message(pictures, near_duplicates=11)


def test_one_image_is_a_corpus(tmp_path):
    images.write_pictures(tmp_path, 1)
    table = scanned(tmp_path)
    assert table["status"].tolist() == ["ok"] and table["n_copies"].tolist() == [1]


def test_progress_is_reported_in_the_calling_thread(tmp_path):
    images.write_pictures(tmp_path, 5)
    calls = []
    scan_images(
        tmp_path,
        progress=lambda *call: calls.append((threading.current_thread().name, *call)),
    )
    here = threading.current_thread().name
    assert calls == [(here, "Scanning", done, 5) for done in range(6)]


def test_run_folder_inside_the_images(tmp_path, decodes):
    images.write_pictures(tmp_path, 3)
    out = tmp_path / "results" / "run"
    first = scanned(tmp_path, out=out)
    images.write_files(out, {"gallery/thumbnail.png": images.encode(images.picture(9))})
    assert_frame_equal(scanned(tmp_path, out=out), first)
    assert len(decodes) == 3


def test_finished_scans_are_loaded_and_recorded(tmp_path, decodes):
    bad = {name: data for name, (data, _) in images.bad_files().items()}
    corpus = images.write_files(images.write_pictures(tmp_path / "corpus", 3), bad)
    images.write_files(corpus, {"copy.png": images.encode(images.picture(1))})
    out = tmp_path / "run"
    table = scanned(corpus, out=out)
    n_decodes = len(decodes)
    assert_frame_equal(scanned(corpus, out=out), table)
    assert_frame_equal(scanned(corpus), table)
    assert len(decodes) == 2 * n_decodes, "only the scan without a run folder decoded again"
    assert_frame_equal(pd.read_parquet(out / "images.parquet"), table)
    assert not (out / "partial").exists()
    counts = read_run(out)["steps"]["scan"]["counts"]
    assert (counts["files"], counts["ok"], counts["duplicate"], counts["rejected"]) == (
        15,
        3,
        1,
        11,
    )
    assert counts["reasons"]["not an image"] == 2 and counts["reasons"]["same bytes"] == 1

    (out / "images.parquet").unlink()
    assert_frame_equal(scanned(corpus, out=out), table)
    with pytest.raises(ImagestrataError, match="min_side"):
        scanned(corpus, out=out, min_side=20)
    other = images.write_pictures(tmp_path / "other", 3, first=50)
    with pytest.raises(ImagestrataError, match="other images"):
        scanned(other, out=out)
    changed = scanned(other, out=out, overwrite=True)
    assert len(changed) == 3 and not changed["image_id"].isin(table["image_id"]).any()


class Killed(BaseException):
    """As if the process had died here."""


def killed_after(n: int):
    def progress(step, done, total):
        if done == n:
            raise Killed

    return progress


def test_an_interrupted_scan_goes_on(tmp_path, monkeypatch, decodes):
    monkeypatch.setattr(known, "PART_SIZE", 4)
    corpus = images.write_pictures(tmp_path / "corpus", 18)
    images.write_files(
        corpus, {"page.jpg": images.HTML, "copy.png": images.encode(images.picture(2))}
    )
    undisturbed = scanned(corpus)
    del decodes[:]
    for n in (2, 9, 11):
        with pytest.raises(Killed):
            scan_images(corpus, out=tmp_path / "run", progress=killed_after(n))
    # Parts one and two (8 files) were finished; what was begun of the others may be repeated.
    del decodes[:]
    seen = []
    table = scan_images(
        corpus, out=tmp_path / "run", progress=lambda step, done, total: seen.append(done)
    )
    assert seen == [0, *range(8, 21)]
    assert len(decodes) in (11, 12), "the copy may be known by its bytes"
    assert_frame_equal(table, undisturbed)


def test_a_damaged_part_is_made_again(tmp_path, monkeypatch, decodes):
    monkeypatch.setattr(known, "PART_SIZE", 4)
    corpus = images.write_pictures(tmp_path / "corpus", 12)
    with pytest.raises(Killed):
        scan_images(corpus, out=tmp_path / "run", progress=killed_after(10))
    first, _ = sorted((tmp_path / "run" / "partial").rglob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-1])
    del decodes[:]
    table = scanned(corpus, out=tmp_path / "run")
    assert len(decodes) == 8
    assert_frame_equal(table, scanned(corpus))


def test_a_file_changed_after_the_interruption_is_seen_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(known, "PART_SIZE", 4)
    corpus = images.write_pictures(tmp_path / "corpus", 12)
    with pytest.raises(Killed):
        scan_images(corpus, out=tmp_path / "run", progress=killed_after(10))
    before = (corpus / "001.png").stat()
    images.write_files(corpus, {"001.png": images.encode(images.picture(70))})
    os.utime(corpus / "001.png", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert_frame_equal(scanned(corpus, out=tmp_path / "run"), scanned(corpus))


PICTURES = [images.picture(seed, (24, 20)) for seed in range(4)]
COPIES = {
    "bytes.png": [images.encode(picture) for picture in PICTURES],
    "pixels.bmp": [images.encode(picture, "BMP") for picture in PICTURES],
    "pixels.webp": [images.encode(picture, "WEBP", lossless=True) for picture in PICTURES],
}


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(sorted(COPIES))), min_size=1, max_size=12
    ),
    st.integers(0, 5),
    st.integers(0, 2**32),
    st.sampled_from([None, 0, 4]),
)
def test_any_order_and_any_copies(files, n_bad, shuffle, near):
    """The table depends on nothing but names and contents."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dice = random.Random(shuffle)
        numbers = dice.sample(range(100), len(files) + n_bad)
        content = {}
        for number, (picture, form) in zip(numbers, files, strict=False):
            content[f"{number:02d}-{form}"] = COPIES[form][picture]
        for number in numbers[len(files) :]:
            content[f"{number:02d}-bad.png"] = images.HTML
        images.write_files(folder, content)
        paths = [folder / name for name in content]
        tables = [scanned(folder, near_duplicates=near)]
        for _ in range(2):
            dice.shuffle(paths)
            tables.append(scanned(list(paths), near_duplicates=near))
            frame = pd.DataFrame({"path": paths, "name": [path.name for path in paths]})
            tables.append(scanned(frame, near_duplicates=near))
            assert tables[-1].pop("name").tolist() == names(tables[-1]), "no row is shifted"
        for other in tables[1:]:
            assert_frame_equal(other, tables[0])

    table = tables[0]
    usable = table[table["status"] != "rejected"]
    kept = table[table["status"] == "ok"]
    assert table["n_copies"].sum() == len(usable) == len(files)
    assert len(kept) == len({picture for picture, _ in files}), "one of each picture is kept"
    assert (table["n_copies"] > 0).equals(table["status"] == "ok")
    assert table["duplicate_of"].notna().equals(table["status"] == "duplicate")
    assert set(table["duplicate_of"].dropna()) <= set(kept["image_id"])
    first_of = dict(zip(kept["image_id"], kept["path"], strict=True))
    for row in table[table["status"] == "duplicate"].itertuples():
        assert first_of[row.duplicate_of] < row.path, "the first by path is kept"
    counted = kept.set_index("image_id")["n_copies"] - 1
    copies = table["duplicate_of"].value_counts().reindex(counted.index, fill_value=0)
    assert np.array_equal(counted.to_numpy(dtype=int), copies.to_numpy(dtype=int))


def test_what_systems_leave_in_folders_is_no_corpus(tmp_path):
    """Thumbnails and deleted files of network storage, of Windows and of a Mac's archives."""
    images.write_pictures(tmp_path, 2)
    thumbnail = images.encode(images.picture(9), "JPEG")
    for folder in (
        "@eaDir/000.png", "#recycle", "$RECYCLE.BIN/S-1-5", "System Volume Information",
        "__MACOSX", "sub/@EADIR", ".Trash-1000/files", ".thumbnails", "@Recycle", "#snapshot",
    ):  # fmt: skip
        images.write_files(tmp_path / folder, {"thumb.jpg": thumbnail})
    images.write_files(tmp_path, {"._000.png": thumbnail, "Thumbs.db": b"\xd0\xcf\x11\xe0"})
    out = tmp_path.parent / "out-of-it"
    found = scan_images(tmp_path, out=out, progress=False)
    assert [Path(path).name for path in found["path"]] == ["000.png", "001.png"]
    counts = json.loads((out / "run.json").read_text())["steps"]["scan"]["counts"]
    assert counts["passed_over"] == {".db": 1, "hidden": 3, "system folder": 8}
    assert counts["ignored"] == 12
    # Whoever names such a folder, or a file in it, means it.
    asked = scan_images(tmp_path / "#recycle", progress=False)
    assert len(asked) == len(scan_images([tmp_path / "#recycle" / "thumb.jpg"], progress=False))


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        ("*_thumb.png", {"a.png", "b.png", "keep/a.png", "drafts/c.png"}),
        (["*_thumb.png", "drafts"], {"a.png", "b.png", "keep/a.png"}),
        ("keep/*", {"a.png", "b.png", "a_thumb.png", "drafts/c.png"}),
        ("keep/a.png", {"a.png", "b.png", "a_thumb.png", "drafts/c.png"}),
        ("[ab].png", {"a_thumb.png", "drafts/c.png"}),
        ("drafts/", {"a.png", "b.png", "a_thumb.png", "keep/a.png"}),
        ([], {"a.png", "b.png", "a_thumb.png", "keep/a.png", "drafts/c.png"}),
    ],
)
def test_patterns_leave_files_out(tmp_path, exclude, expected):
    names = ["a.png", "b.png", "a_thumb.png", "keep/a.png", "drafts/c.png"]
    images.write_files(tmp_path, {n: images.encode(images.picture(i)) for i, n in enumerate(names)})
    paths = [tmp_path / name for name in names]
    table = pd.DataFrame({"path": paths, "who": names})
    for what in (tmp_path, paths, table):
        if not isinstance(what, Path) and exclude in ("drafts/", ["*_thumb.png", "drafts"]):
            continue  # files are given, and no folder that could have this name
        found = scan_images(what, exclude=exclude, progress=False)
        seen = {Path(path).relative_to(tmp_path).as_posix() for path in found["path"]}
        assert seen == expected
        if what is table:
            assert set(found["who"]) == expected


def test_patterns_that_match_nothing_and_that_match_all(tmp_path):
    images.write_pictures(tmp_path, 2)
    with pytest.warns(UserWarning, match="nothing matches '\\*.jpg'"):
        scan_images(tmp_path, exclude=["*.jpg", "001.png"], progress=False)
    with pytest.raises(ImagestrataError, match=r"no images among 2 files.*2 excluded"):
        scan_images(tmp_path, exclude="*.png", progress=False)
    table = pd.DataFrame({"path": sorted(tmp_path.iterdir())})
    with pytest.raises(ImagestrataError, match="leaves none of 2 images"):
        scan_images(table, exclude="*.png", progress=False)
    for wrong in (3, "", ["*.png", None], " "):
        with pytest.raises(ImagestrataError, match="must hold patterns"):
            scan_images(tmp_path, exclude=wrong, progress=False)


def test_accents_in_one_piece_or_two(tmp_path):
    """Archives of a Mac hold decomposed names; lists, tables and patterns are typed composed."""
    name = "Mu\u0308ller-e\u0301"
    assert unicodedata.normalize("NFC", name) != name
    composed = unicodedata.normalize("NFC", name)
    images.write_files(tmp_path / name, {f"{name}.png": images.encode(images.picture(1))})
    images.write_files(tmp_path, {"other.png": images.encode(images.picture(2))})
    typed = tmp_path / composed / f"{composed}.png"
    for what in ([typed], pd.DataFrame({"path": [typed]})):
        (found,) = scan_images(what, progress=False)["path"]
        assert Path(found).exists()
    assert len(scan_images(tmp_path, exclude=f"{composed}.png", progress=False)) == 1
    assert len(scan_images(tmp_path / composed, progress=False)) == 1
