"""A corpus that grows: only new contents are opened, and what was there keeps its place."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import images
from commands import call
from imagestrata import Embeddings, ImagestrataError, embed_images, scan_images
from imagestrata.corpus import known, look
from imagestrata.provenance import read_run


@pytest.fixture
def decodes(monkeypatch):
    """Contents that were decoded."""
    seen: list[bytes] = []
    real = look.decode

    def counting(data, **options):
        seen.append(data)
        return real(data, **options)

    monkeypatch.setattr(look, "decode", counting)
    return seen


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that were read."""
    seen: list[str] = []
    real = look.read_file

    def counting(path):
        seen.append(Path(path).name)
        return real(path)

    monkeypatch.setattr(look, "read_file", counting)
    return seen


@pytest.fixture
def corpus(tmp_path) -> Path:
    return images.write_pictures(tmp_path / "corpus", 6, first=10)


def scan(corpus, tmp_path, **options) -> pd.DataFrame:
    return scan_images(corpus, out=tmp_path / "run", progress=False, **options)


def add(corpus: Path, *numbers: int) -> None:
    images.write_files(corpus, {f"{n:03d}.png": images.encode(images.picture(n)) for n in numbers})


def names(table: pd.DataFrame) -> list[str]:
    return [Path(path).name for path in table["path"]]


def test_only_new_files_are_opened(corpus, tmp_path, reads):
    before = scan(corpus, tmp_path)
    del reads[:]
    add(corpus, 3, 12, 40)  # one before all others, one that is there, one behind
    os.utime(corpus / "012.png", ns=(0, 1))
    table = scan(corpus, tmp_path)
    assert sorted(reads) == ["003.png", "012.png", "040.png"]
    assert names(table) == ["003.png", *names(before), "040.png"]
    assert table["status"].eq("ok").all() and not table["gone"].any()
    assert_frame_equal(table, scan_images(corpus, progress=False))
    assert_frame_equal(scan(corpus, tmp_path), table)


def test_touched_renamed_and_copied_files_are_not_decoded(corpus, tmp_path, decodes, reads):
    before = scan(corpus, tmp_path)
    del decodes[:], reads[:]
    for path in corpus.glob("*.png"):
        os.utime(path, ns=(0, 1))
    assert_frame_equal(scan(corpus, tmp_path), before)
    (corpus / "010.png").rename(corpus / "zzz.png")
    (corpus / "sub").mkdir()
    (corpus / "011.png").rename(corpus / "sub" / "a.png")
    shutil.copy(corpus / "012.png", corpus / "copy.png")
    table = scan(corpus, tmp_path)
    assert decodes == []
    assert set(reads[6:]) == {"zzz.png", "a.png", "copy.png"}
    assert not table["gone"].any() and len(table) == 7
    assert_frame_equal(table, scan_images(corpus, progress=False))


def test_a_folder_renamed_and_all_its_files_too(corpus, tmp_path, decodes):
    scan(corpus, tmp_path)
    del decodes[:]
    for number, path in enumerate(sorted(corpus.glob("*.png"))):
        path.rename(corpus / f"new-{number}.png")
    moved = corpus.rename(tmp_path / "elsewhere")
    table = scan(moved, tmp_path)
    assert decodes == [] and not table["gone"].any()
    assert names(table) == [f"new-{number}.png" for number in range(6)]


def test_files_that_are_gone_are_marked_and_kept(corpus, tmp_path):
    before = scan(corpus, tmp_path)
    (corpus / "011.png").unlink()
    (corpus / "012.png").write_bytes(images.encode(images.picture(70)))
    add(corpus, 30)
    table = scan(corpus, tmp_path)
    assert len(table) == 8
    gone = table[table["gone"]]
    assert names(gone) == ["011.png", "012.png"]
    assert gone["image_id"].tolist() == before["image_id"][1:3].tolist()
    assert gone["status"].eq("ok").all() and gone["width"].eq(48).all()
    assert table["path"].duplicated().sum() == 1, "the file whose content changed"
    again = scan(corpus, tmp_path)
    assert_frame_equal(again, table)
    add(corpus, 11)
    back = scan(corpus, tmp_path)
    assert names(back[back["gone"]]) == ["012.png"]


def test_an_image_that_was_kept_stays_kept(corpus, tmp_path):
    """Its vectors, clusters and ratings have its id."""
    before = scan(corpus, tmp_path)
    same = images.encode(images.picture(12), "BMP")
    images.write_files(corpus, {"000.bmp": same})
    table = scan(corpus, tmp_path)
    assert table["status"].tolist()[0] == "duplicate"
    assert table["duplicate_of"][0] == before["image_id"][2]
    assert table.loc[table["image_id"] == before["image_id"][2], "n_copies"].tolist() == [2]
    (corpus / "012.png").unlink()
    table = scan(corpus, tmp_path)
    kept = table[table["image_id"] == before["image_id"][2]]
    assert kept["status"].tolist() == ["ok"] and kept["gone"].tolist() == [True]
    fresh = scan_images(corpus, progress=False)
    assert fresh["status"][0] == "ok", "without the earlier scan the first file is kept"


def test_the_copy_that_is_there_stands_for_the_one_that_is_gone(corpus, tmp_path):
    shutil.copy(corpus / "012.png", corpus / "zzz.png")
    before = scan(corpus, tmp_path)
    (corpus / "012.png").unlink()
    table = scan(corpus, tmp_path)
    image = table[table["image_id"] == before["image_id"][2]]
    assert image[["status", "gone", "n_copies"]].values.tolist() == [
        ["duplicate", True, 0],
        ["ok", False, 2],
    ]


def test_columns_of_a_table_stay_with_images_that_are_gone(corpus, tmp_path):
    paths = sorted(corpus.glob("*.png"))
    table = pd.DataFrame({"path": paths, "party": [*"aabbcc"]})
    scan(table, tmp_path)
    paths[1].unlink()
    add(corpus, 3)
    new = pd.DataFrame({"path": [*paths[:1], *paths[2:], corpus / "003.png"], "party": [*"xbbccz"]})
    grown = scan(new, tmp_path)
    assert names(grown)[2] == "011.png" and grown["gone"].tolist()[2]
    assert grown["party"].tolist() == ["z", "x", "a", "b", "b", "c", "c"]


def test_other_images_are_refused_and_nothing_is_lost(corpus, tmp_path):
    before = scan(corpus, tmp_path)
    other = images.write_pictures(tmp_path / "other", 6, first=50)
    with pytest.raises(ImagestrataError, match="made from other images"):
        scan(other, tmp_path)
    assert_frame_equal(scan(corpus, tmp_path), before)


class Killed(BaseException):
    pass


def test_an_interrupted_scan_goes_on_when_the_listing_changed(
    corpus, tmp_path, decodes, monkeypatch
):
    monkeypatch.setattr(known, "PART_SIZE", 2)

    def stop(step, done, total):
        if done == 5:
            raise Killed

    with pytest.raises(Killed):
        scan_images(corpus, out=tmp_path / "run", progress=stop)
    add(corpus, 3, 5, 7)
    del decodes[:]
    table = scan(corpus, tmp_path)
    assert len(decodes) == 5, "four of six files were stored"
    assert_frame_equal(table, scan_images(corpus, progress=False))


def test_vectors_of_new_images_only(corpus, tmp_path, monkeypatch):
    run = tmp_path / "run"
    first = embed_images(corpus, "hog", out=run, progress=False)
    add(corpus, 3, 40)
    done: list[int] = []
    grown = embed_images(
        corpus, "hog", out=run, progress=lambda step, n, total: done.append((step, n, total))
    )
    assert ("Embedding", 6, 8) in done or ("Scanning", 6, 8) in done
    fresh = embed_images(corpus, "hog", progress=False)
    assert grown.images["image_id"].tolist() == fresh.images["image_id"].tolist()
    assert np.array_equal(grown.matrix, fresh.matrix)
    kept = grown.images["image_id"].isin(first.images["image_id"])
    assert np.array_equal(grown.matrix[kept], first.matrix)
    assert np.array_equal(Embeddings.load(run).matrix, grown.matrix)
    steps = read_run(run)["steps"]
    assert steps["embed"]["earlier"] and steps["scan"]["earlier"]


def test_images_that_are_gone_keep_their_vectors(corpus, tmp_path):
    run = tmp_path / "run"
    first = embed_images(corpus, "hog", out=run, progress=False)
    (corpus / "011.png").unlink()
    add(corpus, 40)
    grown = embed_images(corpus, "hog", out=run, progress=False)
    assert len(grown) == 7 and grown.failures.empty
    assert set(first.images["image_id"]) < set(grown.images["image_id"])


def test_the_command_line_counts_what_is_gone(corpus, tmp_path):
    call("scan", corpus, "--out", tmp_path / "run", "-q")
    (corpus / "011.png").unlink()
    assert "6 files: 6 distinct images; 1 file is gone" in call(
        "scan", corpus, "--out", tmp_path / "run", "-q"
    )


@pytest.mark.parametrize("harm", ["cut", "remove"])
def test_without_the_table_of_files_they_are_looked_at_again(corpus, tmp_path, decodes, harm):
    before = scan(corpus, tmp_path)
    del decodes[:]
    path = tmp_path / "run" / known.FILES
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.unlink()
    add(corpus, 40)
    (corpus / "011.png").unlink()
    table = scan(corpus, tmp_path)
    assert len(decodes) == 6 and len(table) == 7
    gone = table[table["gone"]]
    assert gone["image_id"].tolist() == before["image_id"].tolist()[1:2]
    assert gone["status"].tolist() == ["ok"]


def test_near_duplicates_and_growth(corpus, tmp_path):
    """The one that was kept stays kept, although a near-duplicate comes before it."""
    before = scan(corpus, tmp_path, near_duplicates=4)
    images.write_files(corpus, {"000.jpg": images.encode(images.picture(12), "JPEG", quality=95)})
    table = scan(corpus, tmp_path, near_duplicates=4)
    assert table["reason"].tolist()[0] == "near-duplicate"
    assert table["duplicate_of"][0] == before["image_id"][2]
    (corpus / "012.png").unlink()
    table = scan(corpus, tmp_path, near_duplicates=4)
    assert table["duplicate_of"][0] == before["image_id"][2] and table["gone"].sum() == 1


def test_many_contents_are_not_sent_to_other_machines():
    few, many = look.Contents(["a", "b"]), look.Contents(map(str, range(2000)))
    assert pickle.loads(pickle.dumps(few)) == few
    assert pickle.loads(pickle.dumps(many)) == set()
