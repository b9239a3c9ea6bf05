"""A folder that came from somebody else neither writes nor removes anything outside of it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from images import write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    FineTunedModel,
    ImagestrataError,
    LocalModel,
    assign_annotators,
    cluster_images,
    describe_images,
    embed_images,
    embed_text,
    export_packets,
    sample_images,
    scan_images,
)
from imagestrata.encoders.saved import read_encoder
from imagestrata.files import atomic, read_json, write_text
from imagestrata.lock import lock_folder
from imagestrata.provenance import read_run
from imagestrata.text.answers import Answers

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("corpus") / "images", 10)


@pytest.fixture(scope="module")
def made(corpus, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "run"
    embeddings = embed_images(corpus, "hog", out=out, **QUIET)
    cluster_images(embeddings, "kmeans", n_clusters=2, out=out, **QUIET)
    return out


@pytest.fixture
def run(made, tmp_path) -> Path:
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def mine(tmp_path) -> Path:
    """A folder of the one who got the run, with a file of every name that we write."""
    place = tmp_path / "mine"
    (place / "scan").mkdir(parents=True)
    for name in ("encoder.json", "part-00000.0.parquet", "vectors.npy", "index.html", "letter"):
        (place / name).write_text("mine")
    (place / "scan" / "letter").write_text("mine")
    return place


def as_it_was(place: Path) -> dict[str, str]:
    return {str(p.relative_to(place)): p.read_text() for p in place.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    "name", ["embeddings", "partial", "gallery", "sample.csv", "images.parquet", "replaced"]
)
def test_links_in_a_run_are_refused(run, corpus, mine, name):
    before = as_it_was(mine)
    path = run / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(mine / "letter" if path.suffix else mine)
    images = scan_images(corpus, **QUIET)
    for step in (
        lambda: scan_images(corpus, min_bytes=1, out=run, overwrite=True, **QUIET),
        lambda: embed_images(images, "bovw", out=run, overwrite=True, **QUIET),
        lambda: sample_images(Clustering.load(run), 1, out=run, overwrite=True),
    ):
        with pytest.raises(ImagestrataError, match=r"is a link|not the file that the step 'scan'"):
            step()
    assert as_it_was(mine) == before


def test_a_finished_step_is_not_made_again_through_a_link(run, corpus, mine):
    """Its result cannot be read, and would be written where the link leads."""
    before = as_it_was(mine)
    shutil.rmtree(run / "embeddings")
    (run / "embeddings").symlink_to(mine)
    with pytest.raises(ImagestrataError, match="is a link"):
        embed_images(scan_images(corpus, **QUIET), "hog", out=run, **QUIET)
    assert as_it_was(mine) == before


def test_a_lock_that_is_a_link_is_refused(tmp_path, mine):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(mine / "letter")
    with pytest.raises(ImagestrataError, match="must be a plain file"):
        lock_folder(tmp_path / "run")
    (tmp_path / "run" / ".lock").unlink()
    (tmp_path / "run" / ".lock").symlink_to(mine / "new")
    with pytest.raises(ImagestrataError, match="must be a plain file"):
        lock_folder(tmp_path / "run")
    assert (mine / "letter").read_text() == "mine" and not (mine / "new").exists()


def test_a_link_in_place_of_a_file_half_written_is_not_followed(tmp_path, mine):
    temporary = tmp_path / f".table.csv.{os.getpid()}.tmp"
    temporary.symlink_to(mine / "letter")
    write_text(tmp_path / "table.csv", "new")
    assert (mine / "letter").read_text() == "mine"
    (tmp_path / "other.csv").symlink_to(mine / "letter")
    with atomic(tmp_path / "other.csv") as file:
        file.write_text("new")
    assert (mine / "letter").read_text() == "mine"


def test_answers_are_not_added_through_a_link(tmp_path, mine):
    folder = tmp_path / "descriptions"
    folder.mkdir()
    (folder / "answers.jsonl").symlink_to(mine / "letter")
    answers = Answers(folder / "answers.jsonl", "r", {"description": str})
    with pytest.raises(ImagestrataError, match="is a link"):
        answers.add("a", {"description": "x"})
    assert (mine / "letter").read_text() == "mine"


@pytest.mark.parametrize(
    "moving",
    [
        {"to": "../../mine", "moves": ["sample.csv"], "removes": [], "partial": [], "steps": {}},
        {"to": "x", "moves": ["clustering.parquet"], "removes": [], "partial": [], "steps": {}},
        {"to": "1", "moves": ["../mine/letter"], "removes": ["../mine/letter"],
         "partial": ["../../mine"], "steps": {}},
        {"to": 3, "moves": {}, "removes": [], "partial": [], "steps": {}},
        [],
    ],
)  # fmt: skip
def test_what_run_json_says_of_moving_leads_nowhere_else(run, corpus, mine, moving):
    content = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(content | {"moving": moving}))
    before = as_it_was(mine)
    try:
        scan_images(corpus, min_bytes=1, out=run, overwrite=True, **QUIET)
    except ImagestrataError as error:
        assert "run.json" in str(error)
    assert as_it_was(mine) == before


ODD = ["[]", "1", '"x"', "null", "{}", '{"steps": 1}', '{"steps": []}', '{"steps": {"scan": 1}}',
       '{"steps": {"scan": {}}}',
       '{"steps": {"scan": {"settings": [], "inputs": 1, "finished": 1}}}',
       '{"steps": {"cluster": {"settings": {}, "inputs": "i", "finished": "x", "made_from": 3}}}',
       "[" * 100_000, '{"a":' * 100_000, "\x00", '{"steps": {"scan": null}}']  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_odd_json_is_a_clear_error(run, corpus, text):
    for name, read in (
        ("run.json", lambda: scan_images(corpus, out=run, **QUIET)),
        ("run.json", lambda: Clustering.load(run)),
        ("clustering.json", lambda: Clustering.load(run)),
        ("embeddings/encoder.json", lambda: Embeddings.load(run)),
    ):
        kept = (run / name).read_bytes()
        (run / name).write_text(text)
        with pytest.raises(ImagestrataError):
            read()
        (run / name).write_bytes(kept)
    assert read_run(run)["steps"]


@pytest.mark.parametrize(
    "width", [10**12, -1, 0, "12", None, 1.5, [1], True, float("nan"), {"a": 1}]
)
def test_odd_widths_are_clear_errors(run, width):
    for name, read in (
        ("clustering.json", Clustering.load),
        ("embeddings/encoder.json", Embeddings.load),
    ):
        content = read_json(run / name)
        (run / name).write_text(json.dumps(content | {"width": width}))
        with pytest.raises(ImagestrataError):
            read(run)
        (run / name).write_text(json.dumps(content))


@pytest.mark.parametrize("text", [*ODD[:5], '{"task": 1, "labels": 2, "training": 3}'])
def test_odd_models_are_clear_errors(tmp_path, text):
    for name in ("model.json", "encoder.json"):
        (tmp_path / name).write_text(text)
    with pytest.raises(ImagestrataError):
        FineTunedModel.load(tmp_path)


@pytest.mark.parametrize("size", ["x", [], True, 1e308, -1, None])
@pytest.mark.parametrize("name", ["width", "input_size", "short_side"])
def test_odd_sizes_of_encoders_are_clear_errors(tmp_path, name, size):
    settings = {"name": "resnet18", "width": 8, "input_size": 224, "short_side": 256, name: size}
    (tmp_path / "encoder.json").write_text(json.dumps(settings))
    with pytest.raises(ImagestrataError, match="is damaged"):
        read_encoder(tmp_path)


def test_half_a_character_in_json_is_a_clear_error(tmp_path):
    (tmp_path / "export.json").write_text('{"export": "\\ud800"}')
    with pytest.raises(ImagestrataError, match="is damaged"):
        read_json(tmp_path / "export.json")


@pytest.mark.parametrize(
    "names",
    [
        *(["../mine/letter"], ["images/../../mine/letter"], ["/etc/hostname"], [".lock"]),
        *(["x" * 5000], ["images/.."], ["a\\..\\b"], ["C:letter"], [1], {"a": 1}, "p1.html", None),
    ],
)
def test_an_export_removes_nothing_outside(made, mine, tmp_path, names):
    packets = assign_annotators(
        sample_images(Clustering.load(made), 2, singles=True), ["a"], n_images=1
    )
    out = tmp_path / "export"
    out.mkdir()
    before = as_it_was(mine)
    (out / "export.json").write_text(json.dumps({"unfinished": True, "files": names}))
    with pytest.raises(ImagestrataError, match="lists files that are not part of our exports"):
        export_packets(packets, out, **QUIET)
    assert as_it_was(mine) == before


def test_no_model_brings_code(tmp_path):
    """A folder whose files name code of their own: the code is not run, and nobody is asked."""
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w').close()\nclass Model: pass\n"
    names = ("AutoConfig", "AutoModel", "AutoProcessor", "AutoModelForImageTextToText")
    auto = {"auto_map": dict.fromkeys(names, "own.Model")}
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "own.py").write_text(code)
    (folder / "model.safetensors").write_bytes(b"x")
    (folder / "config.json").write_text(json.dumps({"model_type": "own", **auto}))
    (folder / "processor_config.json").write_text(json.dumps(auto))
    modules = [{"idx": 0, "name": "0", "path": "", "type": "own.Model"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    texts = pd.DataFrame({"image_id": ["a", "b"], "description": ["One.", "Two."]})
    images = scan_images(write_pictures(tmp_path / "images", 2), **QUIET)
    with pytest.raises(ImagestrataError, match="could not be loaded"):
        embed_text(texts, "text:own", weights=folder, **QUIET)
    with pytest.raises(ImagestrataError, match="could not be loaded"):
        describe_images(images, LocalModel(str(folder)), tmp_path / "run", **QUIET)
    assert not ran.exists()


def test_an_export_is_not_written_through_links(made, mine, tmp_path):
    packets = assign_annotators(
        sample_images(Clustering.load(made), 2, singles=True), ["a"], n_images=1
    )
    out = tmp_path / "export"
    out.mkdir()
    (out / "export.json").write_text(json.dumps({"unfinished": True, "files": []}))
    (out / "images").symlink_to(mine)
    with pytest.raises(ImagestrataError, match="is a link"):
        export_packets(packets, out, **QUIET)
