"""Images that moved apart from their run are found by what is in them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from images import encode, picture, write_files, write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    embed_images,
    relink,
    sample_images,
    scan_images,
)
from imagestrata.corpus.decode import read_file
from imagestrata.corpus.scan import read_scanned
from imagestrata.errors import ImagestrataWarning
from imagestrata.sampling.sample import read_sample

QUIET = {"progress": False}
N = 12


@pytest.fixture
def project(tmp_path) -> Path:
    """A run beside its images, among them two copies of one."""
    folder = tmp_path / "project"
    write_pictures(folder / "images", N)
    (folder / "images" / "again").mkdir()
    first = sorted((folder / "images").glob("*.*"))[0]
    shutil.copy(first, folder / "images" / "again" / first.name)
    (folder / "images" / "broken.jpg").write_bytes(b"not an image")
    out = folder / "run"
    images = scan_images(folder / "images", out=out, **QUIET)
    clustering = cluster_images(
        embed_images(images, "hog", out=out, **QUIET), "kmeans", n_clusters=3, out=out, **QUIET
    )
    sample_images(clustering, 2, out=out)
    return folder


def statuses(places: pd.DataFrame) -> dict[str, int]:
    return places["status"].value_counts().to_dict()


def reorganise(source: Path, target: Path) -> dict[str, Path]:
    """Move all files to other folders under other names; return their new places by content."""
    found = {}
    for number, path in enumerate(sorted(source.rglob("*.*"))):
        place = target / f"year {number % 3}" / f"{number:03d}{path.suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
        found[place.read_bytes()] = place
    shutil.rmtree(source)
    return found


def files_read(monkeypatch) -> list[str]:
    """The files that relink() reads from now on."""
    read: list[str] = []

    def noted(path):
        read.append(path)
        return read_file(path)

    monkeypatch.setattr("imagestrata.corpus.relink.read_file", noted)
    return read


def every_path(run: Path) -> list[pd.Series]:
    tables = (read_scanned(run), Embeddings.load(run).images, Clustering.load(run).images,
              read_sample(run))  # fmt: skip
    return [table["path"] for table in tables]


def test_renamed_and_sorted_into_other_folders(project, tmp_path):
    """Each image is where its content is; the tables on disk and their hashes do not change."""
    run = project / "run"
    before = {path: path.read_bytes() for path in run.glob("*.parquet")}
    old = read_scanned(run)
    contents = [Path(path).read_bytes() for path in old["path"]]
    there = reorganise(project / "images", tmp_path / "archive")
    places = relink(run, tmp_path / "archive", **QUIET)
    assert statuses(places) == {"moved": N + 2}
    for paths in every_path(run):
        assert all(Path(path).is_file() for path in paths)
    scanned = read_scanned(run)
    assert [Path(path).read_bytes() for path in scanned["path"]] == contents
    assert scanned["path"].nunique() == N + 2  # both copies have a place of their own
    assert {Path(path) for path in scanned["path"]} == {
        *there.values(), *(tmp_path / "archive").rglob("*.*")
    }  # fmt: skip
    assert scanned.drop(columns=["path", "file"]).equals(old.drop(columns=["path", "file"]))
    assert all(path.read_bytes() == data for path, data in before.items())
    assert len(embed_images(scanned, "hog", out=run, **QUIET)) == N


def test_the_run_may_move_with_its_images_afterwards(project, tmp_path):
    reorganise(project / "images", project / "archive")
    relink(project / "run", project / "archive", **QUIET)
    project.rename(tmp_path / "elsewhere")
    for paths in every_path(tmp_path / "elsewhere" / "run"):
        assert all(Path(path).is_file() for path in paths)


def test_missing_images_keep_their_rows_and_others_are_told(project, tmp_path):
    run, archive = project / "run", tmp_path / "archive"
    there = [*reorganise(project / "images", archive).values()]
    there[3].unlink()
    there[4].unlink()
    picture(99).save(archive / "new.png")
    with pytest.warns(ImagestrataWarning, match=f"2 of {N + 2} images were not found: "):
        places = relink(run, archive, **QUIET)
    assert statuses(places) == {"moved": N, "missing": 2, "extra": 1}
    missing = places[places["status"] == "missing"]
    assert all(path.startswith(str(project / "images")) for path in missing["path"])
    extra = places[places["status"] == "extra"].iloc[0]
    assert extra["path"] == str(archive / "new.png") and pd.isna(extra["image_id"])
    scanned = read_scanned(run)
    assert {*scanned.loc[scanned["gone"], "image_id"]} == {*missing["image_id"]}
    clustering = Clustering.load(run)
    assert len(clustering.images) == N
    assert {*missing["image_id"]} <= {*clustering.images["image_id"]}


def test_the_same_call_again_reads_nothing_and_says_the_same(project, tmp_path, monkeypatch):
    archive = tmp_path / "archive"
    reorganise(project / "images", archive)
    places = relink(project / "run", archive, **QUIET)

    def fail(path):
        raise AssertionError(f"{path} is read again")

    monkeypatch.setattr("imagestrata.corpus.relink.read_file", fail)
    pd.testing.assert_frame_equal(relink(project / "run", archive, **QUIET), places)


def test_only_files_of_the_right_size_are_read(project, tmp_path, monkeypatch):
    archive = tmp_path / "archive"
    reorganise(project / "images", archive)
    (archive / "larger.jpg").write_bytes(b"\xff\xd8\xff" + bytes(100_000))
    read = files_read(monkeypatch)
    places = relink(project / "run", archive, **QUIET)
    assert str(archive / "larger.jpg") not in read and len(read) == N + 2
    assert statuses(places) == {"moved": N + 2, "extra": 1}


def test_unchecked_a_plain_move_reads_only_what_is_ambiguous(project, tmp_path, monkeypatch):
    """The two copies have one name and size, so both are read."""
    archive = tmp_path / "archive"
    (project / "images").rename(archive)
    read = files_read(monkeypatch)
    places = relink(project / "run", archive, check=False, **QUIET)
    assert len(read) == 2
    assert statuses(places) == {"moved": N + 2}
    was = [os.path.relpath(path, project / "images") for path in places["was"]]
    assert was == [os.path.relpath(path, archive) for path in places["path"]]


def test_a_file_of_other_content_is_no_image_of_the_run(project, tmp_path):
    """It has name and size, but other bytes."""
    archive = tmp_path / "archive"
    (project / "images").rename(archive)
    changed = sorted(archive.glob("*.*"))[5]
    data = changed.read_bytes()
    changed.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.warns(ImagestrataWarning, match=f"not found: '{changed.name}'"):
        places = relink(project / "run", archive, **QUIET)
    assert statuses(places) == {"moved": N + 1, "missing": 1, "extra": 1}


def test_a_copy_will_do(project, tmp_path):
    """Of three files with the same bytes, one is left."""
    archive = tmp_path / "archive"
    (project / "images").rename(archive)
    shutil.rmtree(archive / "again")
    places = relink(project / "run", archive, **QUIET)
    assert statuses(places) == {"moved": N + 2}
    assert places["path"].nunique() == N + 1


def test_images_outside_of_the_given_folder_stay(project, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    moved = sorted((project / "images").glob("*.*"))[7]
    moved.rename(few / "renamed.png")
    places = relink(project / "run", [few], **QUIET)
    assert statuses(places) == {"same": N + 1, "moved": 1}
    for paths in every_path(project / "run"):
        assert all(Path(path).is_file() for path in paths)


def test_of_a_variant_the_run_around_it_is_relinked(project, tmp_path):
    variant = project / "run" / "variants" / "two"
    embeddings = Embeddings.load(project / "run")
    cluster_images(embeddings, "kmeans", n_clusters=2, out=variant, **QUIET)
    reorganise(project / "images", tmp_path / "archive")
    relink(variant, tmp_path / "archive", **QUIET)
    for folder in (variant, project / "run"):
        assert all(Path(path).is_file() for path in Clustering.load(folder).images["path"])


@pytest.mark.parametrize("saved", ["in a step", "by save()"])
def test_a_run_without_a_scan(project, tmp_path, saved):
    """Sizes are then unknown, and every file is read."""
    run = tmp_path / "alone"
    images = scan_images(project / "images", **QUIET)
    embeddings = embed_images(images, "hog", out=run if saved == "in a step" else None, **QUIET)
    if saved == "by save()":
        embeddings.save(run)
        cluster_images(embeddings, "kmeans", n_clusters=2, **QUIET).save(run)
    else:
        cluster_images(embeddings, "kmeans", n_clusters=2, out=run, **QUIET)
    reorganise(project / "images", tmp_path / "archive")
    assert statuses(relink(run, tmp_path / "archive", **QUIET))["moved"] == N
    for found in (Embeddings.load(run), Clustering.load(run)):
        assert all(Path(path).is_file() for path in found.images["path"])


def test_other_images_scanned_into_the_run_forget_the_places(project, tmp_path):
    run = project / "run"
    reorganise(project / "images", tmp_path / "archive")
    relink(run, tmp_path / "archive", **QUIET)
    write_pictures(tmp_path / "other", 5)
    with pytest.warns(ImagestrataWarning):
        other = scan_images(tmp_path / "other", out=run, overwrite=True, **QUIET)
    assert not (run / "places.parquet").exists()
    assert {*read_scanned(run)["path"]} == {*other["path"]}


def test_nothing_is_found(project, tmp_path):
    for seed in (50, 51, 52):
        write_files(tmp_path / "other", {f"{seed}.png": encode(picture(seed))})
    with pytest.raises(ImagestrataError, match=f"None of {N + 2} images of .* is among 3 files"):
        relink(project / "run", tmp_path / "other", **QUIET)
    for paths in every_path(project / "run"):
        assert all(Path(path).is_file() for path in paths)


def test_bad_arguments(project, tmp_path):
    with pytest.raises(ImagestrataError, match="does not exist"):
        relink(tmp_path / "nowhere", project / "images")
    for images in (tmp_path / "gone", [project / "images", tmp_path / "gone"]):
        with pytest.raises(ImagestrataError, match=r"gone. does not exist|no file or"):
            relink(project / "run", images)
    with pytest.raises(ImagestrataError, match="lists no images"):
        relink(project / "images", project / "images")
    with pytest.raises(ImagestrataError, match=r"`check` must be True or False"):
        relink(project / "run", project / "images", check="yes")
    own = tmp_path / "own"
    Embeddings.from_arrays(np.eye(3), ["a", "b", "c"], ["a.jpg", "b.jpg", "c.jpg"]).save(own)
    with pytest.raises(ImagestrataError, match="do not come from the content"):
        relink(own, project / "images")


def test_a_read_only_run_says_to_copy_it(project, public_folder, unprivileged):
    run = public_folder / "run"
    shutil.copytree(project / "run", run)
    shutil.copytree(project / "images", public_folder / "images")
    with unprivileged(), pytest.raises(ImagestrataError, match="No permission to write") as told:
        relink(run, public_folder / "images", **QUIET)
    assert "copy" in str(told.value)


def test_the_command(project, tmp_path, invoke):
    reorganise(project / "images", tmp_path / "archive")
    code, out, err = invoke("relink", project / "run", "--images", tmp_path / "archive", "-q")
    assert code == 0, err
    assert out.startswith(f"{N + 2} of {N + 2} images found, {N + 2} of them moved; 0 missing")
