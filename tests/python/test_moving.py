"""A project that moved works as before: every verb finds the images, and none works again."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path, PureWindowsPath

import pandas as pd
import pytest

import imagestrata as ims
from images import write_pictures
from imagestrata.corpus.located import moved_along
from imagestrata.corpus.scan import read_scanned
from imagestrata.errors import ImagestrataWarning
from imagestrata.provenance import read_table
from imagestrata.sampling.assign import read_packets
from imagestrata.sampling.sample import read_sample
from model_server import Server, model_server

QUIET = {"progress": False}
N = 24

#: Where images and run lie in a project, relative to it.
LAYOUTS = {
    "side by side": ("images", "run"),
    "in folders": ("data/2020/images", "results/first/run"),
    "the run in the images": ("images", "images/results"),
    "the images in the run": ("run/images", "run"),
}


def road(images: Path, run: Path, exports: Path, server: Server) -> dict[str, pd.DataFrame]:
    """All steps that store results in a run folder; returns the tables that name images."""
    scanned = ims.scan_images(images, out=run, **QUIET)
    embeddings = ims.embed_images(scanned, "hog", out=run, **QUIET)
    clustering = ims.cluster_images(embeddings, "kmeans", n_clusters=3, out=run, **QUIET)
    sample = ims.sample_images(clustering, 3, out=run)
    packets = ims.assign_annotators(sample, ["a"], n_images=2, out=run)
    pairs = ims.sample_pairs(embeddings, 6, 3, out=run, **QUIET)
    ims.sweep_clusters(embeddings, "kmeans", values=[2, 3], out=run, **QUIET)
    points = ims.map_images(embeddings, "pca")
    keywords = pd.DataFrame({"cluster": [1], "rank": [1], "term": ["red"]})
    ims.image_gallery(
        clustering, run, sample=sample, points=points, keywords=keywords, view=False, **QUIET
    )
    labels = scanned[["image_id"]].assign(label=["a", "b"] * (N // 2))
    model = ims.fine_tune(
        scanned, labels, encoder="hog", freeze="backbone", epochs=1, out=run, **QUIET
    )
    judged = pairs.assign(annotator="a", judgement=[1, 0] * 3)
    grid = {"method": ["kmeans"], "n_clusters": [2, 3]}
    ims.tune_clusters(embeddings, judged, grid, folds=2, out=run, **QUIET)
    described = ims.describe_images(scanned, ims.ModelServer("m", server.url), run, **QUIET)
    other = run / "variants"
    ims.embed_text(described, out=other / "texts", **QUIET)
    short = ims.reduce_embeddings(embeddings, n_components=2, out=other / "short", **QUIET)
    faces = ims.crop_faces(scanned, run, **QUIET)
    # What is written once, elsewhere:
    ims.export_packets(packets, exports / "packets", **QUIET)
    ims.export_pairs(pairs, exports / "pairs.html", **QUIET)
    ims.export_test(clustering, exports / "test.html", kind="intruders", **QUIET)
    sheet = ims.coding_sheet(clustering, exports / "sheet.html", codes={"x": None}, **QUIET)
    ims.plot_montage(clustering, exports / "montage.png")
    ends = [pairs[[f"image_{a}", f"path_{a}"]].set_axis(["image_id", "path"], axis=1) for a in "ab"]
    return {
        "scan": scanned,
        "embed": embeddings.images,
        "cluster": clustering.images,
        "sample": sample,
        "packets": packets,
        "pairs": pd.concat(ends),
        "model": model.predictions,
        "sheet": sheet,
        "described": described,
        "faces": faces,
        "reduced": short.images,
        "found": ims.find_images(clustering),
        "predicted": ims.predict_labels(embeddings, model, **QUIET),
    }


def is_in(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    for name, table in tables.items():
        assert len(table), name
        for path in table["path"]:
            assert Path(path).is_file(), (name, path)
            assert Path(path).is_relative_to(folder), (name, path)


def content(run: Path) -> dict[str, bytes]:
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_verb_goes_on_after_the_project_moved(layout, tmp_path, monkeypatch):
    """The same commands with the new paths read what is there; the scan notes the new paths."""
    images, run = LAYOUTS[layout]
    here, there = tmp_path / "here", tmp_path / "far" / "away"
    write_pictures(here / images, N)
    with model_server() as server:
        server.answer = lambda number, _: f"A picture, number {number % 7}."
        first = road(here / images, here / run, tmp_path / "first", server)
        is_in(first, here)
        there.parent.mkdir()
        here.rename(there)
        before, asked = content(there / run), len(server.requests)
        monkeypatch.setattr("imagestrata.corpus.look.read_file", refuse)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            second = road(there / images, there / run, tmp_path / "second", server)
        assert len(server.requests) == asked
    is_in(second, there)
    for name, table in first.items():
        plain = [
            one.drop(columns=["path", "crop"], errors="ignore") for one in (table, second[name])
        ]
        pd.testing.assert_frame_equal(*plain)
    after = content(there / run)
    assert after.keys() == before.keys()
    changed = {name for name, data in after.items() if data != before[name]}
    assert changed == {"images.parquet", "files.parquet", "run.json"}
    for file in ("images.parquet", "files.parquet"):
        is_in({file: read_table(there / run / file)}, there)


def refuse(path: str) -> bytes:
    raise AssertionError(f"{path} is read again")


@pytest.mark.parametrize("relinked", [True, False])
def test_images_in_other_folders_under_other_names(relinked, tmp_path, monkeypatch):
    """The images are in another order: clusters, sample and ids are those that they were."""
    images, run, archive = tmp_path / "images", tmp_path / "run", tmp_path / "archive"
    write_pictures(images, N)

    def steps(folder: Path) -> dict[str, pd.DataFrame]:
        scanned = ims.scan_images(folder, out=run, **QUIET)
        embeddings = ims.embed_images(scanned, "hog", out=run, **QUIET)
        clustering = ims.cluster_images(embeddings, "kmeans", n_clusters=3, out=run, **QUIET)
        sample = ims.sample_images(clustering, 3, out=run)
        ims.image_gallery(clustering, run, sample=sample, view=False, **QUIET)
        return {"embed": embeddings.images, "cluster": clustering.images, "sample": sample}

    first = steps(images)
    for number, path in enumerate(sorted(images.iterdir())):
        place = archive / f"{number % 5}" / f"{(7 * number) % N:02d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
    if relinked:
        ims.relink(run, archive, **QUIET)
        monkeypatch.setattr("imagestrata.corpus.look.read_file", refuse)
    monkeypatch.setattr("imagestrata.encoders.hog.HogEncoder.encode", refuse)
    second = steps(archive)
    is_in(second, archive)
    assert not read_scanned(run)["gone"].any()
    for name, table in first.items():
        plain = [
            one.drop(columns=["path", "file"]).set_index("image_id").sort_index()
            for one in (table, second[name])
        ]
        pd.testing.assert_frame_equal(*plain)


# ---- where files are, by hand ----


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_relative_to_the_run_by_hand(tmp_path):
    """Files beside, inside and around the run, and elsewhere, where nothing moved."""
    new = tmp_path / "b" / "deeper" / "study" / "run"
    touch(new.parent / "images/1.png", new / "own/2.png", tmp_path / "elsewhere/3.png")
    old = str(tmp_path / "a" / "study")
    paths = [f"{old}/images/1.png", f"{old}/run/own/2.png", str(tmp_path / "elsewhere/3.png"), None]
    assert moved_along(paths, [f"{old}/run"] * 2, new) == [
        str(new.parent / "images/1.png"),
        str(new / "own/2.png"),
        str(tmp_path / "elsewhere/3.png"),
        None,
    ]


def test_paths_of_windows_are_read_here(tmp_path):
    """Also of a server; the images of another drive cannot be found this way."""
    run = tmp_path / "study" / "run"
    touch(tmp_path / "study/Bilder/ä b/1.jpg")
    here = [str(tmp_path / "study/Bilder/ä b/1.jpg")]
    for study in (r"C:\Users\anna\study", r"\\server\share\study"):
        was = [str(PureWindowsPath(study) / "run")] * 2
        assert moved_along([rf"{study}\Bilder\ä b\1.jpg"], was, run) == here
    other = [r"D:\photos\1.jpg"]
    assert moved_along(other, [r"C:\study\run"] * 2, run) == other


def test_of_two_places_the_one_beside_the_run_is_taken(tmp_path):
    """A copied project uses its copies of the images; a run that moved alone, the images."""
    old, copy, alone = tmp_path / "old", tmp_path / "copy", tmp_path / "alone"
    touch(old / "images/1.png", copy / "images/1.png")
    was = [str(old / "run")] * 2
    paths = [str(old / "images/1.png")]
    assert moved_along(paths, was, copy / "run") == [str(copy / "images/1.png")]
    assert moved_along(paths, was, alone / "run") == paths
    assert moved_along(paths, was, old / "run") == paths


def test_some_images_deleted_on_the_way(tmp_path):
    """The place of most files decides for all of a folder."""
    touch(*(tmp_path / f"new/images/{i}.png" for i in range(0, 40, 2)))
    paths = [str(tmp_path / f"old/images/{i}.png") for i in range(40)]
    found = moved_along(paths, [str(tmp_path / "old/run")] * 2, tmp_path / "new/run")
    assert found == [path.replace("/old/", "/new/") for path in paths]


# ---- links, other systems, older versions ----


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A project with images beside a run that has a gallery."""
    project = tmp_path_factory.mktemp("made") / "project"
    write_pictures(project / "images", N)
    run = project / "run"
    images = ims.scan_images(project / "images", out=run, **QUIET)
    clustering = ims.cluster_images(
        ims.embed_images(images, "hog", out=run, **QUIET), "kmeans", n_clusters=3, out=run, **QUIET
    )
    ims.sample_images(clustering, 2, out=run)
    ims.image_gallery(clustering, run, view=False, **QUIET)
    return project


@pytest.fixture
def project(made, tmp_path) -> Path:
    """A copy of it that lies elsewhere; the first one is hidden."""
    return Path(shutil.copytree(made, tmp_path / "project"))


def tables_of(run: Path) -> dict[str, pd.DataFrame]:
    return {
        "scan": read_scanned(run),
        "embed": ims.Embeddings.load(run).images,
        "cluster": ims.Clustering.load(run).images,
        "sample": read_sample(run),
    }


def test_a_copy_of_a_project_uses_its_own_images(project):
    is_in(tables_of(project / "run"), project)


@pytest.mark.parametrize("through", ["the project", "the images", "the run"])
def test_links(through, tmp_path):
    """The project is entered through a link, or a folder in it is a link into it."""
    real = tmp_path / "here" / "project"
    write_pictures(real / "images", N)
    images, run = real / "images", real / "run"
    if through == "the project":
        (tmp_path / "link").symlink_to(real)
        run = tmp_path / "link" / "run"
    elif through == "the images":
        (real / "pictures").symlink_to("images")
        images = real / "pictures"
    else:
        (real / "real run").mkdir()
        (real / "run").symlink_to("real run")
    scanned = ims.scan_images(images, out=run, **QUIET)
    ims.cluster_images(
        ims.embed_images(scanned, "hog", out=run, **QUIET), "kmeans", n_clusters=2, out=run, **QUIET
    )
    (tmp_path / "here").rename(tmp_path / "there")
    there = tmp_path / "there" / "project"
    if through == "the project":
        (tmp_path / "link").unlink()
    for table in (read_scanned(there / "run"), ims.Clustering.load(there / "run").images):
        assert all(Path(path).is_file() for path in table["path"])


def as_of_windows(run: Path) -> None:
    """Change the tables and ``run.json`` as if the run had been made on Windows."""
    old = str(Path(read_table(run / "images.parquet")["path"][0]).parents[1])
    described = json.loads((run / "run.json").read_text())

    def theirs(path: str) -> str:
        return "C:\\Users\\anna\\Studie" + path.removeprefix(old).replace("/", "\\")

    for name in ("images.parquet", "embeddings/images.parquet", "clustering.parquet"):
        table = read_table(run / name)
        table.assign(path=table["path"].map(theirs)).to_parquet(run / name)
    sample = pd.read_csv(run / "sample.csv")
    sample.assign(path=sample["path"].map(theirs)).to_csv(run / "sample.csv", index=False)
    for step in described["steps"].values():
        step["written_in"] = ["C:\\Users\\anna\\Studie\\run"] * 2
        step["sha256"] = {}
    (run / "run.json").write_text(json.dumps(described))


def test_a_run_of_windows(project):
    as_of_windows(project / "run")
    assert read_table(project / "run" / "images.parquet")["path"][0][:3] == "C:\\"
    is_in(tables_of(project / "run"), project)
    clustering = ims.Clustering.load(project / "run")
    page = ims.image_gallery(clustering, project / "other", view=False, **QUIET)
    assert "file not found" not in page.read_text()


def test_a_run_of_an_older_version(project, made):
    """It stored where the images were relative to the run, for the scan only."""
    file = project / "run" / "run.json"
    described = json.loads(file.read_text())
    for step in described["steps"].values():
        del step["written_in"]
    root = os.path.commonpath([*read_table(project / "run" / "images.parquet")["path"]])
    described["steps"]["scan"]["place"] = {"root": root, "from_run": "../images"}
    file.write_text(json.dumps(described))
    hidden = made.rename(made.with_name("hidden"))
    try:
        is_in(tables_of(project / "run"), project)
    finally:
        hidden.rename(made)


def test_a_run_without_a_scan_moves_with_its_images(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    write_pictures(here / "images", N)
    embeddings = ims.embed_images(
        ims.scan_images(here / "images", **QUIET), "hog", out=here / "run", **QUIET
    )
    ims.cluster_images(embeddings, "kmeans", n_clusters=2, out=here / "run", **QUIET)
    here.rename(there)
    for found in (ims.Embeddings.load(there / "run"), ims.Clustering.load(there / "run")):
        is_in({"images": found.images}, there)


def test_weights_move_with_the_project(tmp_path):
    """New images are embedded as the earlier ones were."""
    import torch
    import torchvision

    here, there = tmp_path / "here", tmp_path / "there"
    write_pictures(here / "images", 4)
    network = torchvision.models.shufflenet_v2_x0_5(weights=None)
    torch.save(network.state_dict(), here / "weights.pth")
    first = ims.embed_images(
        here / "images", "shufflenet_v2_x0_5", weights=here / "weights.pth", precision="float32",
        out=here / "run", **QUIET,
    )  # fmt: skip
    here.rename(there)
    loaded = ims.Embeddings.load(there / "run")
    assert loaded.encoder["weights"] == str(there / "weights.pth")
    again = ims.embed_images(there / "images", loaded, **QUIET)
    assert (again.matrix == first.matrix).all()


def test_images_of_several_folders_some_of_which_stay(tmp_path):
    here, stays = tmp_path / "here", tmp_path / "stays" / "images"
    write_pictures(here / "a" / "images", 6)
    write_pictures(tmp_path / "more", N)
    stays.mkdir(parents=True)
    for path in sorted((tmp_path / "more").glob("*.png"))[6:]:
        path.rename(stays / path.name)
    ims.scan_images([here / "a" / "images", stays], out=here / "run", **QUIET)
    here.rename(tmp_path / "far")
    paths = [Path(path) for path in read_scanned(tmp_path / "far" / "run")["path"]]
    assert all(path.is_file() for path in paths)
    assert sum(path.is_relative_to(tmp_path / "far") for path in paths) == 6


def test_a_variant_moves_with_the_run(project):
    variant = project / "run" / "variants" / "two"
    ims.cluster_images(
        ims.Embeddings.load(project / "run"), "kmeans", n_clusters=2, out=variant, **QUIET
    )
    there = project.rename(project.with_name("there"))
    found = ims.Clustering.load(there / "run" / "variants" / "two").images
    is_in({"variant": found}, there)


def test_images_that_are_scanned_again_elsewhere_are_found_by_all_tables(project, tmp_path):
    """The run and the images part: the images are scanned at their new place."""
    images = (project / "images").rename(tmp_path / "archive")
    ims.scan_images(images, out=project / "run", overwrite=True, **QUIET)
    is_in(tables_of(project / "run"), images)


# ---- originals that are missing ----


@pytest.fixture
def whole(tmp_path) -> Path:
    """A run with a gallery and packets, beside its images."""
    project = tmp_path / "project"
    write_pictures(project / "images", N, size=(480, 320))
    run = project / "run"
    clustering = ims.cluster_images(
        ims.embed_images(
            ims.scan_images(project / "images", out=run, **QUIET), "hog", out=run, **QUIET
        ),
        "kmeans", n_clusters=3, out=run, **QUIET,
    )  # fmt: skip
    sample = ims.sample_images(clustering, 2, out=run)
    ims.assign_annotators(sample, ["a"], n_images=2, out=run)
    ims.image_gallery(clustering, run, view=False, **QUIET)
    return run


@pytest.fixture
def alone(whole) -> Path:
    """The run without its images."""
    shutil.rmtree(whole.parent / "images")
    return whole


def test_small_copies_stand_for_missing_originals(alone, tmp_path):
    """Figures and pages show them, and say so where pictures have fewer pixels than wanted."""
    clustering = ims.Clustering.load(alone)
    assert all(Path(path).parts[-4:-2] == ("gallery", "thumbnails-160")
               for path in clustering.images["path"])  # fmt: skip
    assert clustering.images["file"].tolist() == [f"{i:03d}.png" for i in range(N)]
    shown = [one for one in ims.find_images(clustering, n=2)["path"] if Path(one).is_file()]
    assert len(shown) == 6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = ims.image_gallery(clustering, tmp_path / "page", view=False, **QUIET)
        ims.plot_montage(clustering, tmp_path / "montage.png")
    data = page.read_text()
    assert f'"small":{N}' in data.replace(" ", "") and "file not found" not in data
    assert str(alone.parent) not in data
    with pytest.warns(ImagestrataWarning, match=r"originals of 6 of 6 .* 320 pixels"):
        export = ims.export_packets(read_packets(alone), tmp_path / "packets", **QUIET)
    assert "data:image/jpeg" in "".join(path.read_text() for path in export.glob("*.html"))


def test_originals_that_come_back_are_used_again(whole):
    """Also in tables that were written while they were away, on a drive that was not mounted."""
    away = (whole.parent / "images").rename(whole.parent / "away")
    variant = whole / "variants" / "two"
    ims.cluster_images(ims.Embeddings.load(whole), "kmeans", n_clusters=2, out=variant, **QUIET)
    sample = ims.sample_images(ims.Clustering.load(variant), 2, out=variant)
    assert all("thumbnails-160" in path for path in sample["path"])
    away.rename(whole.parent / "images")
    is_in({"cluster": ims.Clustering.load(variant).images, "sample": read_sample(variant)},
          whole.parent / "images")  # fmt: skip
    assert ims.Clustering.load(variant).images["file"].tolist() == [
        f"{i:03d}.png" for i in range(N)
    ]


def test_nothing_is_computed_from_a_small_copy(alone):
    """Vectors of a small picture would be others."""
    images = ims.Clustering.load(alone).images.assign(status="ok")
    with pytest.raises(ims.ImagestrataError, match="file not found"):
        ims.embed_images(images, "hog", **QUIET)


def test_a_few_missing_originals(whole):
    """The others are still the originals."""
    for path in sorted((whole.parent / "images").iterdir())[::2]:
        path.unlink()
    paths = ims.Clustering.load(whole).images["path"]
    assert sum("thumbnails-160" in path for path in paths) == N // 2
    assert all(Path(path).is_file() for path in paths)


def test_the_gallery_follows_images_that_moved_apart(project, tmp_path):
    """The same call draws the page again, with the new addresses of the originals."""
    run = project / "run"
    images = (project / "images").rename(tmp_path / "archive")
    ims.relink(run, images, **QUIET)
    page = ims.image_gallery(ims.Clustering.load(run), run, view=False, **QUIET)
    assert "../../../archive/" in page.read_text()
    before = page.stat().st_mtime_ns
    ims.image_gallery(ims.Clustering.load(run), run, view=False, **QUIET)
    assert page.stat().st_mtime_ns == before


# ---- without permission to write ----


def test_finished_steps_are_read_without_permission_to_write(public_folder, unprivileged):
    """The script of a colleague, who may read the run folder: all of it is finished."""
    write_pictures(public_folder / "images", N)
    run = public_folder / "run"

    def script() -> list[pd.DataFrame]:
        images = ims.scan_images(public_folder / "images", out=run, **QUIET)
        embeddings = ims.embed_images(images, "hog", out=run, **QUIET)
        clustering = ims.cluster_images(embeddings, "kmeans", n_clusters=3, out=run, **QUIET)
        sample = ims.sample_images(clustering, 2, out=run)
        packets = ims.assign_annotators(sample, ["a"], n_images=2, out=run)
        ims.image_gallery(clustering, run, sample=sample, view=False, **QUIET)
        return [images, embeddings.images, clustering.images, sample, packets]

    first, before = script(), content(run)
    with unprivileged():
        for one, other in zip(first, script(), strict=True):
            pd.testing.assert_frame_equal(one, other)
    assert content(run) == before


def test_reading_needs_no_permission_to_write(project, public_folder, unprivileged, tmp_path):
    """Whatever only reads writes and locks nothing in the run folder; writing says what to do."""
    shutil.copytree(project, public_folder / "project")
    run = public_folder / "project" / "run"
    (public_folder / "own").mkdir()
    (public_folder / "own").chmod(0o777)
    before = content(run)

    def read(out: Path) -> None:
        is_in(tables_of(run), public_folder)
        embeddings, clustering = ims.Embeddings.load(run), ims.Clustering.load(run)
        again = ims.cluster_images(embeddings, "kmeans", n_clusters=3, **QUIET)
        assert again.images["cluster"].tolist() == clustering.images["cluster"].tolist()
        ims.find_images(clustering)
        sample = ims.sample_images(clustering, 2)
        ims.methods_paragraph(run)
        ims.plot_montage(clustering, out / "montage.png")
        ims.image_gallery(clustering, out / "page", sample=sample, view=False, **QUIET)
        with pytest.warns(ImagestrataWarning, match="not anonymous"):
            ims.share_bundle(run, out / "bundle", **QUIET)

    read(tmp_path)  # also loads all libraries, which nobody may read here
    with unprivileged():
        read(public_folder / "own")
        with pytest.raises(ims.ImagestrataError, match="No permission to write") as told:
            ims.sample_images(ims.Clustering.load(run), 3, out=run / "variants" / "three")
    assert "copy this one" in str(told.value)
    assert content(run) == before
