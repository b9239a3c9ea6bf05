"""`imagestrata run` from folder to gallery, undisturbed, killed, and on bad input."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import imagestrata
from imagestrata import Embeddings, FineTunedModel, ImagestrataError, draw_demo_corpus
from imagestrata.cli import COMMANDS
from imagestrata.provenance import require_step
from labelled import draw_labelled

TABLES = ["images.parquet", "clusters.parquet", "clustering.parquet", "trace.parquet"]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "imagestrata", *map(str, arguments)]


def run_arguments(folder: Path, out: Path) -> list[object]:
    return ["run", folder, "--out", out, "--encoder", "hog", "--quiet"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return draw_demo_corpus(tmp_path_factory.mktemp("corpus") / "images", n_images=220, seed=1)


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    subprocess.run(command(*run_arguments(corpus, out)), check=True)
    return out


def assert_same_tables(one: Path, other: Path) -> None:
    for name in TABLES:
        left, right = pd.read_parquet(one / name), pd.read_parquet(other / name)
        timings = ["seconds"] if "seconds" in left else []
        pd.testing.assert_frame_equal(left.drop(columns=timings), right.drop(columns=timings))
    assert (one / "sample.csv").read_bytes() == (other / "sample.csv").read_bytes()
    vectors = [Embeddings.load(run) for run in (one, other)]
    pd.testing.assert_frame_equal(vectors[0].images, vectors[1].images)
    assert np.array_equal(vectors[0].matrix, vectors[1].matrix)


def test_a_run_leaves_what_the_design_says(finished, corpus):
    names = {path.name for path in finished.iterdir()}
    assert {*TABLES, "run.json", "sample.csv", "embeddings", "gallery"} <= names
    assert {"montage.png", "trace.png", "searches.png"} <= names
    assert "partial" not in names
    assert (finished / "gallery" / "index.html").exists()
    steps = json.loads((finished / "run.json").read_text())["steps"]
    assert list(steps) == ["scan", "embed", "cluster", "sample", "gallery"]
    assert all(step["finished"] and step["versions"]["imagestrata"] for step in steps.values())
    assert steps["embed"]["settings"]["encoder"] == "hog"


def test_the_preset_of_the_paper_brings_its_encoder(corpus, tmp_path, invoke, offline):
    """resnet18, whose weights are missing here; another one if it is named."""
    paper = ["run", corpus, "--preset", "paper", "--quiet", "--out"]
    code, _, err = invoke(*paper, tmp_path / "paper")
    assert code == 2 and "resnet18-f37072fd.pth" in err
    file = tmp_path / "settings.toml"
    file.write_text('[embed]\nencoder = "hog"\n')
    for out, further in (("typed", ["--encoder", "hog"]), ("file", ["--config", file])):
        code, _, err = invoke(*paper, tmp_path / out, *further)
        assert code == 0, err
        steps = json.loads((tmp_path / out / "run.json").read_text())["steps"]
        assert steps["embed"]["settings"]["encoder"] == "hog"


def test_every_image_is_in_one_place(finished):
    images = pd.read_parquet(finished / "images.parquet")
    clustering = pd.read_parquet(finished / "clustering.parquet")
    clusters = pd.read_parquet(finished / "clusters.parquet")
    usable = images.query("status == 'ok'")
    assert sorted(clustering["image_id"]) == sorted(usable["image_id"])
    assert usable["n_copies"].sum() == (images["status"] != "rejected").sum()
    assert clusters["size"].sum() == (clustering["cluster"] != -1).sum()
    sample = pd.read_csv(finished / "sample.csv")
    assert set(sample["image_id"]) <= set(clustering["image_id"])


def test_killed_in_every_step_it_ends_the_same(finished, corpus, tmp_path):
    out = tmp_path / "run"
    for left_behind in (
        "partial/scan",
        "images.parquet",
        "embeddings/part-*.parquet",
        "partial/cluster/*/*iteration-00002-*",
        "partial/cluster/*/*iteration-00005-*",
        "clustering.parquet",
        "sample.csv",
        "gallery/thumbnails*/*/*.jpg",
    ):
        process = subprocess.Popen(command(*run_arguments(corpus, out)))
        while process.poll() is None and not any(out.glob(left_behind)):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, f"it ended before {left_behind} was there"
    subprocess.run(command(*run_arguments(corpus, out)), check=True)
    assert_same_tables(out, finished)


def test_the_same_command_again_computes_nothing(finished, corpus, invoke, monkeypatch):
    from imagestrata.encoders.hog import HogEncoder

    def fail(*_):
        raise AssertionError("embedded again")

    monkeypatch.setattr(HogEncoder, "encode", fail)
    before = (finished / "run.json").read_bytes()
    code, shown, _ = invoke(*run_arguments(corpus, finished), "--json")
    assert code == 0
    assert json.loads(shown)["n_clusters"] == len(pd.read_parquet(finished / "clusters.parquet"))
    assert (finished / "run.json").read_bytes() == before


def test_the_steps_one_by_one_make_the_same(finished, corpus, invoke, tmp_path):
    out = tmp_path / "run"
    for arguments in (
        ["scan", corpus, "--out", out],
        ["embed", out, "--encoder", "hog"],
        ["cluster", out],
        ["sample", out],
        ["gallery", out],
    ):
        code, shown, err = invoke(*arguments)
        assert code == 0, err
        assert shown
    assert_same_tables(out, finished)


def test_the_search_for_k_goes_as_far_as_the_command_says(finished, invoke, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    fitted = {}
    for k_max in ("7", "sample"):
        given = ("--k-max", k_max, "--sample-size", 60, "--overwrite")
        assert invoke("cluster", run, *given)[0] == 0
        settings = json.loads((run / "run.json").read_text())["steps"]["cluster"]["settings"]
        fitted[k_max] = settings["k_max"]
    assert fitted == {"7": 7, "sample": "sample"}
    code, _, err = invoke("cluster", run, "--k-max", "61", "--sample-size", 60, "--overwrite")
    assert code == 2
    assert "--k-max (61) is larger than --sample-size (60)" in err


def test_another_run_in_the_folder_is_not_touched(finished, corpus, invoke):
    code, _, err = invoke(*run_arguments(corpus, finished), "--seed", 7)
    assert code == 2
    assert "already holds the step" in err
    assert "--overwrite" in err
    code, _, err = invoke(*run_arguments(corpus / "part-1", finished))
    assert code == 2
    assert "already holds the step 'scan'" in err
    assert (finished / "gallery" / "index.html").exists()


def test_counts_of_files_are_shown(finished, corpus, invoke):
    code, shown, _ = invoke("scan", corpus, "--out", finished, "--json")
    images = pd.read_parquet(finished / "images.parquet")
    counts = json.loads(shown)
    assert code == 0
    assert counts["n_files"] == len(images)
    assert sum(counts["rejected"].values()) == counts["n_rejected"] > 0
    _, text, _ = invoke("scan", corpus, "--out", finished)
    assert f"{counts['n_duplicates']} copies" in text
    assert "same bytes" not in text


def test_steps_in_the_wrong_order(tmp_path, invoke):
    for step, needed in {"embed": "scan", "cluster": "embed", "sample": "cluster"}.items():
        code, _, err = invoke(step, tmp_path)
        assert code == 2
        assert f"'{needed}' has not been run" in err


def test_every_command_says_that_there_is_no_run_folder(tmp_path, monkeypatch, invoke):
    monkeypatch.chdir(tmp_path)
    names = [
        name for name, one in COMMANDS.items() if "run_folder" in {x.name for x in one.click.params}
    ]
    assert len(names) > 20
    for name in names:
        code, _, err = invoke(name, "nowhere")
        assert code == 2 and "There is no run folder 'nowhere' (working folder: " in err, name
        assert err.rstrip().endswith("make one with `imagestrata scan --out FOLDER`."), name
    assert not (tmp_path / "nowhere").exists()


def test_functions_say_that_there_is_no_run_folder(tmp_path):
    nowhere = tmp_path / "nowhere"
    for use in (
        imagestrata.Clustering.load,
        imagestrata.Embeddings.load,
        imagestrata.methods_paragraph,
        lambda run: imagestrata.share_bundle(run, tmp_path / "bundle"),
    ):
        with pytest.raises(ImagestrataError, match=r"There is no run folder '.*nowhere'"):
            use(nowhere)


def test_a_new_variant_is_no_missing_run_folder(tmp_path):
    (tmp_path / "run.json").write_text('{"steps": {}}')
    with pytest.raises(ImagestrataError, match="the step 'embed' has not been run"):
        require_step(tmp_path / "variants" / "new", "embed")
    with pytest.raises(ImagestrataError, match="There is no run folder"):
        require_step(tmp_path / "others" / "new", "embed")


def picture(colour: tuple[int, int, int] = (200, 30, 30)) -> Image.Image:
    return Image.new("RGB", (64, 48), colour)


def no_images(folder: Path) -> None:
    (folder / "notes.txt").write_text("nothing here")


def only_broken(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"")
    (folder / "b.png").write_text("<html>not found</html>")


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (lambda folder: None, ["no files"]),
        (no_images, ["no images among 1 file in", "1 .txt"]),
        (only_broken, ["none of 2 files", "empty file (1)", "(1)"]),
    ],
    ids=["empty folder", "no images", "all rejected"],
)
def test_folders_without_a_usable_image(fill, words, tmp_path, invoke):
    folder = tmp_path / "images"
    folder.mkdir()
    fill(folder)
    code, _, err = invoke(*run_arguments(folder, tmp_path / "run"))
    assert code == 2, err
    assert "Traceback" not in err
    for word in words:
        assert word in err.lower()


@pytest.mark.parametrize("n", [1, 2, 12])
def test_few_images_are_all_kept_as_residual(n, tmp_path, invoke):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(n):
        picture((20 * i, 255 - 20 * i, 7 * i)).save(folder / f"{i}.png")
    code, shown, err = invoke(*run_arguments(folder, tmp_path / "run"), "--json")
    assert code == 0, err
    summary = json.loads(shown)
    assert summary["n_images"] == n
    assert (
        summary["n_residual"] + pd.read_parquet(tmp_path / "run" / "clusters.parquet")["size"].sum()
        == n
    )


def test_progress_for_programs(tmp_path, corpus, invoke):
    """With --json, standard error has one object per line: when a step begins, and when it ends."""
    words = run_arguments(corpus, tmp_path / "run")[:-1]  # not quiet
    code, shown, err = invoke(*words, "--json")
    assert code == 0
    assert json.loads(shown)["n_images"]
    told = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert {tuple(one) for one in told} == {("step", "done", "total", "per_second", "seconds_left")}
    assert "Embedding" not in {one["step"] for one in told}, "vectors were taken along"
    for step in ("Scanning", "Clustering"):
        some = [one for one in told if one["step"] == step]
        assert (some[0]["done"], some[0]["seconds_left"]) == (0, None)
        assert (some[-1]["done"], some[-1]["seconds_left"]) == (some[-1]["total"], 0)
        assert some[-1]["per_second"] > 0
        assert step != "Scanning" or some[-1]["total"] == 220, "all files"
    code, _, err = invoke(*words, "--json", "--quiet")
    assert (code, err) == (0, "")


def test_equal_pictures_in_different_files(tmp_path, invoke):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(40):  # the same picture to the encoder, not to the hash
        image = picture()
        image.putpixel((i, 0), (200, 30, 31))
        image.save(folder / f"{i:02d}.png")
    code, shown, err = invoke(*run_arguments(folder, tmp_path / "run"), "--json")
    assert code == 0, err
    assert json.loads(shown)["n_images"] == 40


def test_missing_folder_and_wrong_arguments(tmp_path, corpus, invoke):
    code, _, err = invoke(*run_arguments(tmp_path / "nowhere", tmp_path / "run"))
    assert (code, "does not exist" in err) == (2, True)
    code, _, err = invoke("run", corpus, "--out", tmp_path / "run", "--encoder", "resnet81")
    assert code == 2
    assert "resnet81" in err
    code, _, err = invoke(*run_arguments(corpus, tmp_path / "other"), "--similarity-threshold", 3)
    assert code == 2
    assert "--similarity-threshold" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--n-per-cluster", 0], "--n-per-cluster must be at least 1"),
        (["--k", 0], "--k must be"),
        (["--method", "foo"], "--method must be one of"),
        (["--n-clusters", 5], "n_clusters"),
        (["--method", "kmeans", "--n-clusters", 0], "--n-clusters must be at least 1"),
        (["--method", "kmeans", "--preset", "paper"], "no setting"),
        (["--preset", "journal"], "--preset must be one of"),
        (["--similarity-threshold", 3], "--similarity-threshold"),
        (["--min-cluster-size", 10], "min_cluster_size"),
        (["--normalize", "l3"], "--normalize"),
        (["--n-components", 0], "--n-components"),
        (["--resize", "stretch"], "--resize must be one of"),
        (["--precision", "half"], "--precision must be one of"),
        (["--batch-size", 0], "--batch-size"),
        (["--min-side", 0], "--min-side"),
        (["--near-duplicates", 99], "--near-duplicates"),
        (["--seed", -1], "--seed"),
        (["--weights", "nowhere.pth"], "needs no weights"),
        (["--encoder", "resnet18", "--weights", "nowhere.pth"], "nowhere.pth"),
        (["--model", "nowhere"], "has no effect with --model"),
        (["--encoder", "resnet81"], "resnet81"),
        (["--engine", "nowhere.json"], "nowhere.json"),
    ],
)
def test_every_argument_is_checked_before_the_first_image_is_read(
    words, said, corpus, tmp_path, invoke, monkeypatch
):
    from imagestrata.corpus.look import Look

    def fail(*_, **__):
        raise AssertionError("an image was read")

    monkeypatch.setattr(Look, "_examine", fail)
    code, _, err = invoke(*run_arguments(corpus, tmp_path / "run"), *words)
    assert code == 2, err
    assert said in err
    code, _, err = invoke("run", corpus, "--out", tmp_path / "run", "--model", "nowhere")
    assert code == 2 and "no fine-tuned model" in err


def test_more_components_than_numbers_are_noticed_before_images_are_embedded(
    corpus, tmp_path, invoke, monkeypatch
):
    from imagestrata.encoders.hog import HogEncoder

    def fail(*_):
        raise AssertionError("an image was embedded")

    monkeypatch.setattr(HogEncoder, "encode", fail)
    out = tmp_path / "run"
    code, _, err = invoke(*run_arguments(corpus, out), "--n-components", 100_000)
    assert code == 2 and "--n-components must be" in err


def test_other_settings_of_a_later_step_are_refused_at_once(finished, corpus, invoke, monkeypatch):
    import imagestrata.provenance as provenance

    def fail(*_, **__):
        raise AssertionError("something was loaded")

    monkeypatch.setattr(provenance.Step, "result", fail)
    code, _, err = invoke(*run_arguments(corpus, finished), "--n-per-cluster", 3)
    assert code == 2 and "already holds the step 'sample'" in err


def test_a_variant_has_clusters_of_its_own(finished, corpus, tmp_path, invoke):
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    before = (out / "sample.csv").read_bytes()
    words = ["--name", "five", "--method", "kmeans", "--n-clusters", 5]
    code, _, err = invoke(*run_arguments(corpus, out), *words)
    assert code == 0, err
    variant = out / "variants" / "five"
    assert list(json.loads((variant / "run.json").read_text())["steps"]) == [
        *("cluster", "sample", "gallery"),
    ]
    assert len(pd.read_parquet(variant / "clusters.parquet")) == 5
    assert (out / "sample.csv").read_bytes() == before
    for step in (["assign", out, "--name", "five", "--n-images", 1, "-q"], ["gallery", variant]):
        code, _, err = invoke(*step)
        assert code == 0, err
    assert (variant / "packets.csv").exists() and not (out / "packets.csv").exists()
    code, _, err = invoke("cluster", tmp_path, "--name", "five")
    assert code == 2 and "contains no run" in err


def test_output_that_cannot_be_written(tmp_path, corpus, invoke):
    (tmp_path / "file").write_text("x")
    code, _, err = invoke(*run_arguments(corpus, tmp_path / "file"))
    assert code == 2
    assert "must be a folder" in err


def test_disk_full_loses_nothing(tmp_path, corpus, finished):
    """A limit on the size of files stops the run; without it the run goes on and ends the same."""
    out = tmp_path / "run"
    script = (
        "import resource, sys; from imagestrata import cli\n"
        "limit = int(sys.argv.pop(1)), resource.RLIM_INFINITY\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, limit)\n"
        "cli.main()"
    )
    arguments = list(map(str, run_arguments(corpus, out)))
    done = subprocess.run(
        [sys.executable, "-c", script, "60000", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert "No space left to write" in done.stderr
    assert "Traceback" not in done.stderr
    subprocess.run(command(*arguments), check=True)
    assert_same_tables(out, finished)


def test_interrupted_by_the_keyboard(tmp_path, corpus):
    process = subprocess.Popen(
        command(*run_arguments(corpus, tmp_path / "run")), stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "run" / "run.json").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "the same command continues" in err
    assert "Traceback" not in err


def test_doctor_and_demo(tmp_path, invoke):
    code, shown, _ = invoke("doctor")
    assert code == 0
    assert "bfloat16" in shown
    assert "hog" in shown
    code, shown, _ = invoke("demo", tmp_path / "drawn", "--n-images", 60, "--json")
    assert code == 0
    assert len(pd.read_csv(tmp_path / "drawn" / "labels.csv")) == 60


def test_labels_are_learnt_and_given_from_the_command_line(invoke, tmp_path):
    folder, out = draw_labelled(tmp_path / "images", 8), tmp_path / "model"
    given = ["--encoder", "hog", "--epochs", 5, "--quiet"]
    code, shown, _ = invoke("fine-tune", folder, "--out", out, "--freeze", "backbone", *given)
    assert code == 0 and "multiclass (green, red)" in shown
    assert (out / "training.png").exists() and FineTunedModel.load(out).task == "multiclass"
    # The same call again loads what is there, and counts are numbers, not text.
    code, shown, _ = invoke(
        "fine-tune", folder, "--out", out, "--freeze", "backbone", *given, "--json"
    )
    assert code == 0 and json.loads(shown)["epochs"] == 5
    code, _, said = invoke("fine-tune", folder, "--out", tmp_path / "b", "--freeze", "all", *given)
    assert code == 2 and "a number of blocks, not 'all'" in said
    code, _, said = invoke("fine-tune", folder, "--out", tmp_path / "b", "--freeze", 2, *given)
    assert code == 2 and "cannot be trained further" in " ".join(said.split())
    table = tmp_path / "labels.txt"
    code, shown, _ = invoke("predict", folder, "--model", out, "--out", table, "--quiet", "--json")
    assert code == 0 and json.loads(shown) == {"n_images": 16, "labels": {"green": 8, "red": 8}}
    assert len(pd.read_csv(tmp_path / "labels.csv")) == 32
    code, _, said = invoke("predict", folder, "--model", out, "--out", table, "--threshold", "high")
    assert code == 2 and "--threshold must be a number, 'calibrated'" in said
    code, shown, _ = invoke("run", folder, "--out", tmp_path / "run", "--model", out, "--quiet")
    assert code == 0 and "clusters" in shown


def test_the_gallery_gets_a_map(finished, invoke, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    code, _, _ = invoke("gallery", run, "--map", "pca", "--overwrite", "--quiet")
    assert code == 0
    assert (run / "map.png").exists()
    assert '"method":"pca"' in (run / "gallery" / "index.html").read_text()
    code, _, message = invoke("gallery", run, "--map", "globe")
    assert code == 2
    assert "'umap', 'pca'" in message
