"""Whatever happens to a run, going on with it ends as if nothing had happened.

``IMAGESTRATA_MOMENTS`` is at how many moments each step is struck (few by default; 50
in ``benchmarks/faults.py``).
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import imagestrata
import imagestrata.corpus.look as look_module
import model_server as model_server_module
import rekognition_server as rekognition_server_module
from faulty import Command, Outcome, content, moments, run
from films import write_seconds
from images import encode, picture, write_pictures
from imagestrata import (
    Clustering,
    ImagestrataError,
    cluster_images,
    draw_demo_corpus,
    embed_images,
    image_gallery,
    sample_images,
    scan_images,
)
from imagestrata.cli import COMMANDS
from imagestrata.corpus.reasons import Reason
from imagestrata.provenance import read_run, read_table
from imagestrata.steps import step_kinds
from imagestrata.text.questions import REMINDER
from labelled import draw_labelled
from model_server import model_server
from rekognition_server import rekognition_server

MOMENTS = int(os.environ.get("IMAGESTRATA_MOMENTS", "2"))
SEED = 9

#: Each step, and the one whose run folder it starts from. Those without one start from nothing.
STEPS = {
    "scan": None,
    "embed": "scan",
    "cluster": "embed",
    "sample": "cluster",
    "gallery": "sample",
    "pairs": "gallery",
    "judge": "pairs",
    "tune": "pairs",
    "sweep": "tune",
    "labels": "sweep",
    "assign": "sweep",
    "share": "assign",
    "share with copies": "assign",
    "scan again": "assign",
    "embed again": "assign",
    "cluster again": "assign",
    "edit": "assign",
    "group": "assign",
    "propose": "assign",
    "sample again": "assign",
    "scan a few": None,
    "describe": "scan a few",
    "embed-text": "describe",
    "reduce": "embed-text",
    "read-text": "scan a few",
    "crop-faces": "scan a few",
    "relink": "scan a few",
    "tag": "scan a few",
    "tag by a service": "scan a few",
    "tag by a model": "scan a few",
    "fine-tune": None,
    "fine-tune the last layer": None,
    "fine-tune with folds": None,
    "predict": "fine-tune",
    "tune-model": None,
    "extract-frames": None,
}

#: Those that ask a service, and how many requests they may have under way.
ASKING = {
    "propose": 4, "describe": 4, "embed-text": 4, "tag by a service": 4, "tag by a model": 4,
    "judge": 4,
}  # fmt: skip

#: What others get: once there, it is not made again by the same command.
EXPORTS = ["pairs", "labels", "assign", "share", "share with copies"]

#: How a command ends that was stopped by a fault, and what it says.
STOPPED = {"interrupt": (130, "Interrupted."), "error": (2, "Error: Could not")}

#: Those without a lock of their own on the run folder: they read it, and write one file or folder.
UNLOCKED = [
    "labels", "assign", "extract-frames", "predict", "share", "share with copies", "tune-model"
]  # fmt: skip


@dataclass(frozen=True)
class World:
    """What steps work on."""

    #: Folders of images: many, a few with faces, and a few of two colours.
    corpus: Path
    few: Path
    colours: Path
    #: A folder of videos.
    films: Path
    #: Weights of small networks: for fine-tuning, and to classify.
    network: Path
    classifier: Path
    #: Stand-ins for services.
    model: model_server_module.Server
    rekognition: rekognition_server_module.Server

    def command(self, step: str, out: Path) -> list[object]:
        """The command of a step."""
        network = ["--encoder", "shufflenet_v2_x0_5", "--weights", self.network]
        teach = [*("fine-tune", self.colours, "--out", out, *network, "--precision", "float32")]
        teach += ["--epochs", 2, "-q"]
        tried = {
            "images": str(self.colours), "out": str(out), "grid": {"learning_rate": [0.001, 0.01]},
            "encoder": "hog", "freeze": "backbone", "epochs": 2, "progress": False,
        }  # fmt: skip
        sets = {
            "scan": ["scan", self.corpus, "--out", out, "-q"],
            "scan a few": ["scan", self.few, "--out", out, "-q"],
            "embed": ["embed", out, "--encoder", "hog", "-q"],
            "cluster": ["cluster", out, "-q"],
            "sample": ["sample", out],
            "gallery": ["gallery", out, "-q"],
            "pairs": ["pairs", out, "--n", 6, "--k", 3, "-q"],
            "judge": ["judge", out, "--model", "m", "--base-url", self.model.url, "-q"],
            "tune": [
                *("tune", out, out.parent / "answers.csv", "--grid", out.parent / "grid.json"),
                *("--folds", 2, "-q"),
            ],
            "sweep": ["sweep", out, "--value", 2, "--value", 3, "--value", 4, "-q"],
            "assign": ["assign", out, "--n-images", 2, "-q"],
            "labels": ["labels", out, "--code", "protest", "--coders", 2, "--double", 0.2, "-q"],
            "share": ["share", out, out.with_name(f"{out.name}-bundle")],
            "share with copies": [
                *("share", out, out.with_name(f"{out.name}-bundle"), "--thumbnails", "-q"),
            ],
            # Which replace what is there: the first finds the same images.
            "scan again": [
                *("scan", self.corpus, "--out", out),
                *("--min-bytes", 1, "--overwrite", "-q"),
            ],
            "embed again": ["embed", out, "--encoder", "bovw", "--overwrite", "-q"],
            "cluster again": [
                *("cluster", out, "--method", "kmeans", "--n-clusters", 4),
                *("--overwrite", "-q"),
            ],
            "edit": ["edit", out, out.parent / "edits.csv"],
            "group": ["group", out, "--n", 2],
            "propose": ["propose", out, "--model", "m", "--base-url", self.model.url, "-q"],
            "sample again": ["sample", out, "--n-per-cluster", 2, "--overwrite"],
            "describe": ["describe", out, "--model", "m", "--base-url", self.model.url, "-q"],
            "embed-text": ["embed-text", out, "--encoder", "m", "--base-url", self.model.url, "-q"],
            "reduce": [
                *("reduce", out, "--out", out.with_name(f"{out.name}-reduced")),
                *("--n-components", 2, "-q"),
            ],
            "read-text": [
                *("read-text", out, "--reader", "tesseract"),
                *("--side", 100, "--no-white-text", "-q"),
            ],
            "relink": ["relink", out, "--images", self.few, "-q"],
            "crop-faces": ["crop-faces", out, "--min-size", 60, "-q"],
            "tag": [
                *("tag", self.few, "--out", out, "--classifier", "squeezenet1_1"),
                *("--weights", self.classifier, "-q"),
            ],
            "tag by a service": [
                *("tag", self.few, "--out", out, "--classifier", "rekognition:labels"),
                *("--consent", "-q"),
            ],
            "tag by a model": [
                *("tag", self.few, "--out", out, "--classifier", "server:m", "-q"),
                *("--base-url", self.model.url, "--question", "Is it red?"),
            ],
            "fine-tune": teach,
            "fine-tune the last layer": [*teach, "--freeze", "backbone"],
            "fine-tune with folds": [*teach, "--freeze", 4, "--folds", 2],
            "predict": [
                *("predict", self.few, "--model", out, "-q"),
                *("--out", out.with_name(f"{out.name}-labels") / "labels.csv"),
            ],
            "tune-model": ["call", "tune_model", json.dumps(tried)],
            "extract-frames": ["extract-frames", self.films, "--out", out, "-q"],
        }  # fmt: skip
        return sets[step]

    def run(self, step: str, out: Path, fault: str | None = None, moment: int = 1) -> Outcome:
        """Run a step to its end, struck by a fault or undisturbed."""
        return run(self.command(step, out), out, fault, moment)

    def requests(self) -> int:
        """How many requests the services have had."""
        return len(self.model.requests) + len(self.rekognition.requests)


def answered(number: int, request: dict[str, Any]) -> Any:
    """What the stand-in for a model says: always the same of the same."""
    if "messages" not in request:
        digests = [hashlib.sha256(text.encode()).digest() for text in request["input"]]
        vectors = [[byte / 255 for byte in digest[:4]] for digest in digests]
        data = [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        return {"model": "m", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    picture = request["messages"][0]["content"][1]["image_url"]["url"]
    seen = hashlib.sha256(picture.encode()).hexdigest()
    if "response_format" not in request:
        return f"Seen as {seen}."
    words = request["messages"][0]["content"][0]["text"]
    unsure = REMINDER not in words and seen[0] in "01234567"  # about half of the pictures
    yes, no = ("same", "different") if "two images" in words else ("yes", "no")
    return json.dumps({"q1": "perhaps" if unsure else yes if seen[1] in "01234567" else no})


#: Reads one word, whose letters are those of a sum over the image.
TESSERACT = """#!/bin/sh
case "$1" in
--version) echo "tesseract 5.3.0"; exit;;
--list-langs) printf 'List of available languages (1):\\neng\\n'; exit;;
esac
word=$(cksum < "$1" | cut -d ' ' -f 1)
titles='level page_num block_num par_num line_num word_num left top width height conf text'
echo "$titles" | tr ' ' '\\t' > "$2.tsv"
echo "5 1 1 1 1 1 3 4 20 10 91.5 w$word" | tr ' ' '\\t' >> "$2.tsv"
"""


def write_films(folder: Path) -> Path:
    folder.mkdir()
    write_seconds(folder / "a.mp4", ["red", "green", "blue"])
    write_seconds(folder / "b.mp4", ["blue", "red"])
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    import torch
    import torchvision

    place = tmp_path_factory.mktemp("world")
    programs = place / "programs"
    programs.mkdir()
    (programs / "tesseract").write_text(TESSERACT)
    (programs / "tesseract").chmod(0o755)
    torch.manual_seed(0)
    networks = {
        "network": torchvision.models.shufflenet_v2_x0_5(weights=None),
        "classifier": torchvision.models.squeezenet1_1(weights=None),
    }
    for name, network in networks.items():
        torch.save(network.state_dict(), place / f"{name}.pth")
    with (
        pytest.MonkeyPatch.context() as patch,
        model_server() as model,
        rekognition_server() as rekognition,
    ):
        model.answer = answered
        patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("STAND_IN_FOR_REKOGNITION", rekognition.url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "EXAMPLE")
        yield World(
            draw_demo_corpus(place / "corpus", n_images=60, seed=3),
            draw_demo_corpus(place / "few", n_images=20, seed=3),
            draw_labelled(place / "colours", 10),
            write_films(place / "films"),
            place / "network.pth",
            place / "classifier.pth",
            model,
            rekognition,
        )


@dataclass(frozen=True)
class State:
    """A run folder before and after a step, undisturbed; its changes, and requests sent."""

    before: Path
    after: Path
    changes: int
    requests: int

    @cached_property
    def expected(self) -> dict[str, object]:
        """What the folder after the step holds."""
        return everything(self.after)

    def begin(self, place: Path) -> Path:
        """A copy of the folder before, with what the step needs beside it."""
        # All have the same name, which is the title of the gallery.
        out = place / "run"
        shutil.copytree(self.before, out)
        judge(out)
        return out


@pytest.fixture(scope="module")
def states(world, tmp_path_factory) -> dict[str, State]:
    """Of each step what comes of it undisturbed."""
    place = tmp_path_factory.mktemp("states")
    (place / "empty").mkdir()
    found: dict[str, State] = {}
    for step, start in STEPS.items():
        before = place / "empty" if start is None else found[start].after
        after = State(before, before, 0, 0).begin(place / step)
        requests = world.requests()
        done = world.run(step, after)
        assert done.code == 0, done.said
        assert done.changes > 2, step
        found[step] = State(before, after, done.changes, world.requests() - requests)
    return found


@pytest.fixture
def struck_at(record_property) -> Callable[[State, int, int], list[int]]:
    """Moments of a step at which it is struck, and a note of them for the report."""

    def draw(state: State, n: int, seed: int) -> list[int]:
        drawn = moments(state.changes, n, seed)
        record_property("moments", f"{len(drawn)} of {state.changes}")
        return drawn

    return draw


def judge(out: Path) -> None:
    """Somebody's answers to the pairs of a run, where it has some, a small grid, and edits."""
    (out.parent / "edits.csv").write_text("action,clusters,name\nmerge,1 2,\nname,1,Both\n")
    if (out / "pairs.csv").exists():
        pairs = pd.read_csv(out / "pairs.csv")
        answers = pairs[["pair_id"]].assign(annotator="a", judgement=[1, 0] * (len(pairs) // 2))
        answers.to_csv(out.parent / "answers.csv", index=False)
        (out.parent / "grid.json").write_text('{"method": ["kmeans"], "n_clusters": [3, 5]}')


def everything(out: Path) -> dict[str, object]:
    """The content of a run folder, and of what was made from it beside it."""
    found: dict[str, object] = {}
    for path in sorted(out.parent.glob(f"{out.name}*")):
        for name, value in content(path).items():
            # What was replaced lies in a folder named after the time.
            found[re.sub(r"replaced/[^/]+", "replaced/TIME", f"{path.name}/{name}")] = value
    assert not [path for path in out.parent.iterdir() if path.name.endswith(".tmp")]
    return found


def again(world: World, step: str, out: Path) -> None:
    """Go on, as users do: the same command, or after an export is there, nothing."""
    done = world.run(step, out)
    if step in EXPORTS and done.code == 2:
        # The file or folder for others was complete when the command was struck.
        assert "already" in done.said, done.said
        return
    assert done.code == 0, done.said


def test_all_steps_and_commands_are_struck(states):
    """Those left out write nothing, or one picture, page or table that nothing is built on."""
    recorded: set[str] = set()
    for state in states.values():
        for path in state.after.parent.rglob("run.json"):
            recorded |= set(read_run(path.parent)["steps"])
    assert recorded == {*step_kinds()}
    spared = [
        "run",
        "demo",
        "doctor",
        "compare",
        "keywords",
        "metadata",
        "posts",
        "prevalence",
        "network",
        "find",
        "coding-sheet",
        "next-pairs",  # test_rounds_command.py ends it between its files
        "read-labels",
        "screen",
        "label-shares",
        "score",
        "methods",
        "serve",  # test_serve.py kills it
        "answers",
    ]
    commands = {step.partition(" ")[0] for step in STEPS} - {"tune-model"}
    assert commands | {*spared} == {*COMMANDS}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_moment_a_step_ends_the_same(step, states, world, tmp_path, struck_at):
    """And no answer that was stored is asked for again, which would be paid twice."""
    state = states[step]
    for moment in struck_at(state, MOMENTS, SEED):
        out = state.begin(tmp_path / str(moment))
        requests = world.requests()
        struck = world.run(step, out, "kill", moment)
        assert struck.code == -signal.SIGKILL, (moment, struck.said)
        again(world, step, out)
        at = f"killed at change {moment} of {state.changes}"
        assert everything(out) == state.expected, at
        assert world.requests() - requests <= state.requests + ASKING.get(step, 0), at


def killed_at(world: World, step: str, out: Path, drawn: list[int]) -> Iterator[int]:
    """Bring a folder to what a kill at each moment leaves; the command itself runs once."""
    command = Command(world.command(step, out), out, "copy", drawn)
    assert command.end().code == 0
    for moment in drawn:
        shutil.rmtree(out.parent)
        (command.copies / str(moment)).rename(out.parent)
        yield moment


@pytest.mark.parametrize("step", [step for step in STEPS if step not in ASKING])
def test_what_a_kill_leaves_is_gone_on_with(step, states, world, tmp_path, struck_at):
    """At many moments, for half of the time: the folder is copied at each of them."""
    state = states[step]
    out = state.begin(tmp_path / "place")
    for moment in killed_at(world, step, out, struck_at(state, MOMENTS, SEED + 3)):
        again(world, step, out)
        assert everything(out) == state.expected, f"as killed at {moment} of {state.changes}"


def test_copies_are_what_a_kill_leaves(states, world, tmp_path):
    """Of a step that works in one thread; several get to a moment in different ways."""
    state = states["sample"]
    out = state.begin(tmp_path / "place")
    for moment in killed_at(world, "sample", out, moments(state.changes, 5, SEED)):
        copied = content(out.parent)
        shutil.rmtree(out.parent)
        assert world.run("sample", state.begin(out.parent), "kill", moment).code < 0
        assert content(out.parent) == copied


@pytest.mark.parametrize("fault", ["interrupt", "error"])
@pytest.mark.parametrize("step", STEPS)
def test_stopped_at_any_moment_a_step_ends_the_same(
    step, fault, states, world, tmp_path, struck_at
):
    """By Ctrl-C, or by an error of the disk that goes away: the command says so, and goes on."""
    state = states[step]
    for moment in struck_at(state, (MOMENTS + 4) // 5, SEED + 2):
        out = state.begin(tmp_path / str(moment))
        requests = world.requests()
        struck = world.run(step, out, fault, moment)
        at = f"{fault} at change {moment} of {state.changes}"
        if struck.code != 0:  # what clears up may fail or be late without harm
            ended, said = STOPPED[fault]
            if step != "tune-model" or fault == "error":
                assert struck.code == ended and said in struck.said, (at, struck.said)
                assert "Traceback" not in struck.said, (at, struck.said)
            again(world, step, out)
        assert everything(out) == state.expected, at
        assert world.requests() - requests <= state.requests + ASKING.get(step, 0), at


@pytest.mark.parametrize("step", STEPS)
def test_a_full_disk_is_said_and_costs_nothing(step, states, world, tmp_path, struck_at):
    state = states[step]
    for moment in struck_at(state, (MOMENTS + 1) // 2, SEED + 1):
        out = state.begin(tmp_path / str(moment))
        requests = world.requests()
        struck = world.run(step, out, "full", moment)
        if struck.code == 0:  # the last change was none that takes space
            continue
        assert struck.code == 2, struck.said
        assert "No space left to write" in struck.said and "Traceback" not in struck.said
        again(world, step, out)
        at = f"full at change {moment} of {state.changes}"
        assert everything(out) == state.expected, at
        assert world.requests() - requests <= state.requests + ASKING.get(step, 0), at


@pytest.mark.parametrize("step", STEPS)
def test_an_output_that_is_read_only_is_said(step, states, world, tmp_path):
    out = states[step].begin(tmp_path / "place")
    unchanged, requests = everything(out), world.requests()
    struck = world.run(step, out, "read-only", 1)
    assert struck.code == 2, struck.said
    assert "No permission to write" in struck.said and "Traceback" not in struck.said
    assert everything(out) == unchanged
    assert world.requests() == requests


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_not_taken_twice_at_once(step, states, world, tmp_path):
    """In the middle of it, the same command is told who is at work."""
    state = states[step]
    out = state.begin(tmp_path / "place")
    first = Command(world.command(step, out), out, "wait", state.changes // 2)
    assert first.is_waiting(), first.end().said
    second = world.run(step, out)
    first.go_on()
    ended = first.end()
    if step in UNLOCKED:
        assert sorted([ended.code, second.code]) in ([0, 0], [0, 2]), ended.said + second.said
    else:
        assert second.code == 2 and "Another process is working in" in second.said, second.said
        assert ended.code == 0, ended.said
    assert "Traceback" not in ended.said + second.said
    assert everything(out) == state.expected


# ---- damage afterwards ----

#: Tables with checksums, and what must be noticed when a byte of them changes.
CHECKED = ["images.parquet", "clustering.parquet", "clusters.parquet", "centroids.parquet"]


def damage(path: Path, how: str, rng: np.random.Generator) -> None:
    data = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
        return
    if how == "flipped":
        data[int(rng.integers(4, len(data) - 8))] ^= 1 << int(rng.integers(8))
    path.write_bytes({"flipped": data, "truncated": data[: len(data) // 2], "empty": b""}[how])


@pytest.mark.parametrize("how", ["truncated", "flipped", "missing", "empty"])
def test_damaged_parts_are_made_again_and_no_others(states, world, tmp_path, how):
    after = states["embed"].after
    out = tmp_path / "run"
    shutil.copytree(after, out)
    shard, *others = sorted((out / "embeddings").glob("part-*.parquet"))
    assert others
    before = {other: other.stat().st_mtime_ns for other in others}
    damage(shard, how, np.random.default_rng(SEED))
    done = world.run("embed", out)
    assert done.code == 0, done.said
    assert content(out) == content(after)
    assert {other: other.stat().st_mtime_ns for other in others} == before


@pytest.mark.parametrize("how", ["truncated", "flipped", "missing", "empty"])
@pytest.mark.parametrize("name", CHECKED)
def test_damaged_tables_are_never_taken_for_whole(states, tmp_path, name, how):
    """Loading says which file it is, or gives the very same; it never gives something else."""
    after = states["cluster"].after
    out = tmp_path / "run"
    shutil.copytree(after, out)
    whole = Clustering.load(after)
    rng = np.random.default_rng(SEED)
    noticed = 0
    for _ in range(12 if how == "flipped" else 1):
        shutil.copyfile(after / name, out / name)
        damage(out / name, how, rng)
        try:
            if name == "images.parquet":
                found = read_table(out / name)
                expected = pd.read_parquet(after / name)
            else:
                loaded = Clustering.load(out)
                found, expected = loaded.images, whole.images
                np.testing.assert_array_equal(loaded.centroids, whole.centroids)
                pd.testing.assert_frame_equal(loaded.clusters, whole.clusters)
        except (ImagestrataError, FileNotFoundError) as error:
            assert name in str(error)
            noticed += 1
        else:
            pd.testing.assert_frame_equal(found, expected)
    assert noticed > 0


# ---- several at once, clocks, links ----


def test_two_runs_on_one_folder(world, tmp_path, states):
    """One gets through; the other says who is at work, or finds everything finished."""
    out = tmp_path / "run"
    words: list[object] = ["run", world.corpus, "--out", out, "--encoder", "hog", "--quiet"]
    both = [Command(words, out) for _ in range(2)]
    ended = [one.end() for one in both]
    codes, said = sorted(one.code for one in ended), [one.said for one in ended]
    assert codes in ([0, 0], [0, 2]), said
    if codes == [0, 2]:
        assert sum("Another process is working in" in text for text in said) == 1
    assert not any("Traceback" in text for text in said)
    after = states["gallery"].after
    names, expected = ({*map(str, content(place))} for place in (out, after))
    # In one look, parts hold other images, and copies that are found later have thumbnails, too.
    left = {name for name in names ^ expected if "embeddings/part-" not in name}
    assert all("thumbnails" in name and name in names for name in left)
    assert (out / "sample.csv").read_bytes() == (after / "sample.csv").read_bytes()


def test_a_clock_that_goes_backwards(world, tmp_path, states, monkeypatch):
    """Each look at the clock shows an hour less; files are of 1970 or of 2100."""
    after = states["gallery"].after
    now = [4e9]

    def earlier() -> float:
        now[0] -= 3600
        return now[0]

    monkeypatch.setattr(time, "time", earlier)
    out = tmp_path / "run"

    def road() -> Clustering:
        images = scan_images(world.corpus, out=out, progress=False)
        embeddings = embed_images(images, "hog", out=out, progress=False)
        clustering = cluster_images(embeddings, out=out, progress=False)
        image_gallery(clustering, out, sample=sample_images(clustering, out=out), progress=False)
        return clustering

    first = road()
    steps = json.loads((out / "run.json").read_text())["steps"].values()
    assert all(step["finished"] < step["started"] for step in steps)
    for number, path in enumerate(sorted(out.rglob("*"))):
        os.utime(path, (0, 0) if number % 2 else (4e9, 4e9))
    before = {path: path.stat().st_mtime for path in out.rglob("*.parquet")}
    pd.testing.assert_frame_equal(road().images, first.images)
    assert {path: path.stat().st_mtime for path in out.rglob("*.parquet")} == before
    assert (out / "sample.csv").read_bytes() == (after / "sample.csv").read_bytes()


def test_no_result_depends_on_the_clock():
    """The time of day is written down, and read by nothing."""
    package = Path(imagestrata.__file__).parent
    readers = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                ("time.time", "time.time_ns", "datetime.now", "date.today", "datetime.utcnow")
            ):
                readers.add(path.relative_to(package).as_posix())
    assert readers == {"provenance/run.py", "lock.py"}


def test_loops_of_links(tmp_path):
    """Folders within folders without end, links to themselves and to each other."""
    write_pictures(tmp_path / "a" / "b", 3)
    (tmp_path / "a" / "b" / "up").symlink_to("../..")
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "a" / "one.png").symlink_to("two.png")
    (tmp_path / "a" / "two.png").symlink_to("one.png")
    (tmp_path / "c").symlink_to("a/b/up/a/b/up/a")
    table = scan_images(tmp_path, progress=False)
    assert (table["status"] == "ok").sum() == 3
    assert set(table["reason"].dropna()) <= {str(Reason.BROKEN_LINK), str(Reason.SAME_BYTES)}


# ---- files that change ----


def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    """What was read is half old and half new: a row of its own, and no vector later."""
    folder = write_pictures(tmp_path / "images", 6)
    old = {path.name: path.read_bytes() for path in folder.iterdir()}
    new = {name: encode(picture(100 + i)) for i, name in enumerate(sorted(old))}
    read = look_module.read_file

    def torn(given: str) -> bytes:
        path = Path(given)
        if path.name not in ("001.png", "002.png"):
            return read(path)
        path.write_bytes(new[path.name])
        half = len(old[path.name]) // 2
        # The first becomes a broken mixture, the second has been replaced in time.
        return old[path.name][:half] + new[path.name][half:] if "1" in path.name else read(path)

    monkeypatch.setattr(look_module, "read_file", torn)
    table = scan_images(folder, out=tmp_path / "run", progress=False)
    monkeypatch.setattr(look_module, "read_file", read)
    rows = table.set_index(table["path"].map(lambda path: Path(path).name))
    assert rows.loc["001.png", "reason"] == Reason.DAMAGED
    sha = hashlib.sha256(new["002.png"]).hexdigest()
    assert rows.loc["002.png", "status"] == "ok" and sha.startswith(rows.loc["002.png", "image_id"])
    (folder / "003.png").write_bytes(new["003.png"])
    (folder / "004.png").write_bytes(old["004.png"][:50])
    (folder / "005.png").unlink()
    with pytest.warns(UserWarning, match="3 of 5 images could not be embedded"):
        embeddings = embed_images(table, "hog", progress=False)
    assert set(embeddings.failures["reason"]) == {"changed since the scan", "file not found"}
    assert len(embeddings) == 2
