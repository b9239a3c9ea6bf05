"""Whatever happens to a run, going on with it ends as if nothing had happened.

``IMAGESTRATA_MOMENTS`` is at how many moments each step is struck (few by default; 50
in ``benchmarks/faults.py``), ``IMAGESTRATA_NAMES`` how many files have hostile names.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import imagestrata
from faulty import content, moments, run
from images import encode, picture, write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    draw_demo_corpus,
    embed_images,
    image_gallery,
    sample_images,
    scan_images,
)
from imagestrata.corpus.reasons import Reason
from imagestrata.files import read_table
from imagestrata.sampling.sample import read_sample

MOMENTS = int(os.environ.get("IMAGESTRATA_MOMENTS", "2"))
NAMES = int(os.environ.get("IMAGESTRATA_NAMES", "120"))
SEED = 9

#: Each step with its command, in an order in which they can be run.
STEPS = [
    "scan", "embed", "cluster", "sample", "gallery", "pairs", "tune", "assign", "share", "fine-tune"
]  # fmt: skip


def command(step: str, corpus: Path, out: Path) -> list[object]:
    return {
        "scan": ["scan", corpus, "--out", out, "--quiet"],
        "embed": ["embed", out, "--encoder", "hog", "--quiet"],
        "cluster": ["cluster", out, "--quiet"],
        "fine-tune": [
            *("fine-tune", corpus, "--labels", corpus.parent / "labels.csv", "--out", out),
            *("--encoder", "hog", "--freeze", "backbone", "--epochs", 2, "--quiet"),
        ],
        "tune": [
            "tune",
            out,
            out / ".." / "answers.csv",
            "--grid",
            out / ".." / "grid.json",
            "--folds",
            2,
            "-q",
        ],
        "sample": ["sample", out],
        "gallery": ["gallery", out, "--quiet"],
        "pairs": ["pairs", out, "--n", 6, "--k", 3, "--quiet"],
        "assign": ["assign", out, "--n-images", 2, "--quiet"],
        "share": ["share", out, out / ".." / f"{out.name}-bundle"],
    }[step]  # type: ignore[return-value]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = draw_demo_corpus(tmp_path_factory.mktemp("corpus") / "images", n_images=60, seed=3)
    drawn = pd.read_csv(folder / "labels.csv")
    late = drawn["kind"] > drawn["kind"].sort_values().iloc[len(drawn) // 2]
    labels = pd.DataFrame({"path": drawn["file"], "late": late.astype(int)})
    labels.to_csv(folder.parent / "labels.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def states(corpus, tmp_path_factory) -> dict[str, tuple[Path, Path, int]]:
    """Of each step: the run folder before and after it, undisturbed, and its changes."""
    place = tmp_path_factory.mktemp("states")
    before = place / "empty"
    before.mkdir()
    found = {}
    for step in STEPS:
        # The same name, which is the title of the gallery.
        after = place / step / "run"
        shutil.copytree(before, after)
        judge(before, after.parent)
        done = run(command(step, corpus, after), after)
        assert done.code == 0, done.said
        assert done.changes > 2, step
        found[step] = before, after, done.changes
        before = after
    return found


def judge(run: Path, place: Path) -> None:
    """Somebody's answers to the pairs of a run, where it has some, and a small grid."""
    if (run / "pairs.csv").exists():
        pairs = pd.read_csv(run / "pairs.csv")
        answers = pairs[["pair_id"]].assign(annotator="a", judgement=[1, 0] * (len(pairs) // 2))
        answers.to_csv(place / "answers.csv", index=False)
        (place / "grid.json").write_text('{"method": ["kmeans"], "n_clusters": [3, 5]}')


def everything(out: Path) -> dict[str, object]:
    """The content of a run folder, and of what was shared from it."""
    bundle = out.with_name(f"{out.name}-bundle")
    shared = content(bundle) if bundle.exists() else {}
    assert not [path for path in out.parent.iterdir() if path.name.endswith(".tmp")]
    return {**content(out), **{f"bundle/{name}": value for name, value in shared.items()}}


def again(step: str, corpus: Path, out: Path) -> None:
    """Go on, as users do: the same command, or after an export is there, nothing."""
    done = run(command(step, corpus, out), out)
    if step in ("pairs", "assign", "share") and done.code == 2:
        # The file or folder for others was complete when the command was struck.
        assert "already" in done.said, done.said
        return
    assert done.code == 0, done.said


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_moment_a_step_ends_the_same(step, states, corpus, tmp_path):
    before, after, changes = states[step]
    for moment in moments(changes, MOMENTS, SEED):
        out = tmp_path / str(moment) / "run"
        shutil.copytree(before, out)
        judge(out, out.parent)
        struck = run(command(step, corpus, out), out, "kill", moment)
        assert struck.code == -signal.SIGKILL, (moment, struck.said)
        again(step, corpus, out)
        assert everything(out) == everything(after), f"killed at change {moment} of {changes}"


@pytest.mark.parametrize("step", STEPS)
def test_a_full_disk_is_said_and_costs_nothing(step, states, corpus, tmp_path):
    before, after, changes = states[step]
    for moment in moments(changes, (MOMENTS + 1) // 2, SEED + 1):
        out = tmp_path / str(moment) / "run"
        shutil.copytree(before, out)
        judge(out, out.parent)
        struck = run(command(step, corpus, out), out, "full", moment)
        if struck.code == 0:  # the last change was none that takes space
            continue
        assert struck.code == 2, struck.said
        assert "No space left to write" in struck.said and "Traceback" not in struck.said
        again(step, corpus, out)
        assert everything(out) == everything(after), f"full at change {moment} of {changes}"


@pytest.mark.parametrize("step", STEPS)
def test_an_output_that_is_read_only_is_said(step, states, corpus, tmp_path):
    before, _, _ = states[step]
    out = tmp_path / "run"
    shutil.copytree(before, out)
    judge(out, out.parent)
    unchanged = everything(out)
    struck = run(command(step, corpus, out), out, "read-only", 1)
    assert struck.code == 2, struck.said
    assert "No permission to write" in struck.said and "Traceback" not in struck.said
    assert everything(out) == unchanged


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
def test_damaged_shards_are_made_again_and_no_others(states, corpus, tmp_path, how):
    _, after, _ = states["embed"]
    out = tmp_path / "run"
    shutil.copytree(after, out)
    shard = next((out / "embeddings").glob("part-*.parquet"))
    damage(shard, how, np.random.default_rng(SEED))
    done = run(command("embed", corpus, out), out)
    assert done.code == 0, done.said
    assert content(out) == content(after)


@pytest.mark.parametrize("how", ["truncated", "flipped", "missing", "empty"])
@pytest.mark.parametrize("name", CHECKED)
def test_damaged_tables_are_never_taken_for_whole(states, tmp_path, name, how):
    """Loading says which file it is, or gives the very same; it never gives something else."""
    _, after, _ = states["cluster"]
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


def test_two_runs_on_one_folder(corpus, tmp_path, states):
    """One gets through; the other says who is at work, or finds everything finished."""
    out = tmp_path / "run"
    words = [sys.executable, "-m", "imagestrata", "run", str(corpus), "--out", str(out)]
    words += ["--encoder", "hog", "--quiet"]
    both = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [one.communicate()[1] for one in both]
    codes = sorted(one.returncode for one in both)
    assert codes in ([0, 0], [0, 2]), said
    if codes == [0, 2]:
        assert sum("Another process is working in" in text for text in said) == 1
    assert not any("Traceback" in text for text in said)
    _, after, _ = states["gallery"]
    assert content(out).keys() == content(after).keys()
    assert (out / "sample.csv").read_bytes() == (after / "sample.csv").read_bytes()


def test_a_clock_that_goes_backwards(corpus, tmp_path, states, monkeypatch):
    """Each look at the clock shows an hour less; files are of 1970 or of 2100."""
    _, after, _ = states["gallery"]
    now = [4e9]

    def earlier() -> float:
        now[0] -= 3600
        return now[0]

    monkeypatch.setattr(time, "time", earlier)
    out = tmp_path / "run"

    def road() -> Clustering:
        images = scan_images(corpus, out=out, progress=False)
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
    assert readers == {"provenance.py", "lock.py"}


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
    read = Path.read_bytes

    def torn(path: Path) -> bytes:
        if path.name not in ("001.png", "002.png"):
            return read(path)
        path.write_bytes(new[path.name])
        half = len(old[path.name]) // 2
        # The first becomes a broken mixture, the second has been replaced in time.
        return old[path.name][:half] + new[path.name][half:] if "1" in path.name else read(path)

    monkeypatch.setattr(Path, "read_bytes", torn)
    table = scan_images(folder, out=tmp_path / "run", progress=False)
    monkeypatch.setattr(Path, "read_bytes", read)
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


# ---- hostile names ----


def hostile_names(n: int) -> list[bytes]:
    """Names that file systems take and programs stumble over."""
    ways = [
        "new\nline{}.png", "quo'te\"{}.png", "=cmd|' !A0{}.png", "-rf {}.png", "--out={}.png",
        "@SUM({}).png", "+{}.png", "a..{}.png", "a...{}", "{}..", " {} ", "~{}.png", "$HOME{}.png",
        "`id`{}.png", "a;b|c&{}.png", "%00{}.png", "C:\\{}.png", "{}\r.png", "tab\t{}.png",
        "ünï猫\u202e{}.png", "e\u0301{}.png", "\u00e9{}.png", "<img src=x>{}.png", "{{{}}}.png",
        "*?[{}].png", "#{}?x=1.png", "NUL{}", "\x7f\x1b[31m{}.png", "{}" + "x" * 240 + ".png",
        "\u2028{}.png", "'={}.png", ",{},.png", "👩‍👩‍👧{}.png",
    ]  # fmt: skip
    named = [ways[i % len(ways)].format(i).encode()[-255:] for i in range(n)]
    # Bytes that are no text in any encoding we can store.
    broken = [b"caf\xe9%d.png" % i for i in range(3)] + [b"\xff\xfe%d.png" % i for i in range(3)]
    return named + broken


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_hostile_names_come_through_whole(tmp_path):
    """Through scan, vectors, clusters, sample, gallery, and every kind of table."""
    folder = tmp_path / "images\n=1"
    folder.mkdir()
    names = hostile_names(NAMES)
    for number, name in enumerate(names):
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.write_bytes(encode(picture(number, (24, 24))))
    assert len([*folder.iterdir()]) == len(set(names)) == NAMES + 6
    out = tmp_path / "run"
    images = scan_images(folder, out=out, progress=False)
    assert (images["status"] == "ok").sum() == NAMES
    assert images["reason"].value_counts().to_dict() == {Reason.BAD_NAME: 6}
    embeddings = embed_images(images, "hog", out=out, progress=False)
    clustering = cluster_images(embeddings, method="kmeans", n_clusters=5, out=out, progress=False)
    sample = sample_images(clustering, budget=min(60, NAMES), out=out)
    page = image_gallery(clustering, out, sample=sample, progress=False)
    expected = {str(folder / os.fsdecode(name)) for name in names[:NAMES]}
    for table in (
        images[images["status"] == "ok"],
        pd.read_parquet(out / "images.parquet").query("status == 'ok'"),
        Embeddings.load(out).images,
        Clustering.load(out).images,
    ):
        assert set(table["path"]) == expected
    assert set(read_sample(out)["path"]) == set(sample["path"])
    block = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    shown = json.loads(block[1])
    assert {shown["root"] + name for name in shown["images"]["file"]} == expected
    assert not shown["images"]["missing"]
