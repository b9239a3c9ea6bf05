"""Encoders of a user's own: checked, used like any other, and never mistaken for a changed one."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import imagestrata
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    embed_images,
    find_images,
    fine_tune,
    list_encoders,
    predict_labels,
    register_encoder,
    share_bundle,
)
from imagestrata.encoders import registered
from imagestrata.provenance import code_of

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "inst" / "extdata" / "images"


@pytest.fixture(autouse=True)
def own_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoders of one test do not reach the next."""
    monkeypatch.setattr(registered, "_registered", {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty plain pictures: the redder, the later."""
    made = tmp_path / "pictures"
    made.mkdir()
    for number in range(20):
        Image.new("RGB", (40, 30), (12 * number, 100, 50)).save(made / f"{number:02d}.png")
    return made


def mean_colour(pictures: NDArray[np.uint8]) -> NDArray[Any]:
    return pictures.mean(axis=(1, 2))


class Weighted:
    """An encoder with weights that its source does not show."""

    def __init__(self, *weights: float) -> None:
        self.weights = np.array(weights)

    def __call__(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        return pictures.mean(axis=(1, 2)) * self.weights


def embed(images: Any, encoder: Any, **arguments: Any) -> Embeddings:
    return embed_images(images, encoder, progress=False, **arguments)


class TestUse:
    def test_vectors_are_those_of_the_function(self, folder: Path) -> None:
        register_encoder("mean_colour", mean_colour, input_size=16)
        made = embed(folder, "mean_colour")
        order = np.argsort(made.images["path"])
        expected = [[12 * number, 100, 50] for number in range(20)]
        np.testing.assert_array_equal(made.matrix[order], expected)
        assert made.matrix.dtype == np.float32
        assert made.encoder["name"] == "mean_colour" and made.encoder["input_size"] == 16

    def test_it_receives_squares_in_batches_in_the_callers_thread(self, folder: Path) -> None:
        seen: list[tuple[int, ...]] = []
        threads = set()

        def watch(pictures: NDArray[np.uint8]) -> NDArray[Any]:
            assert pictures.dtype == np.uint8
            seen.append(pictures.shape)
            threads.add(threading.current_thread())
            return pictures.mean(axis=(1, 2))

        register_encoder("watch", watch, input_size=8, batch_size=6)
        seen.clear()
        embed(folder, "watch")
        sizes = [shape[0] for shape in seen if shape[0] != 3]  # others are the test pictures
        assert sizes == [6, 6, 6, 2]
        assert {shape[1:] for shape in seen} == {(8, 8, 3)}
        assert threads == {threading.current_thread()}
        seen.clear()
        embed(folder, "watch", batch_size=20)
        assert [shape[0] for shape in seen if shape[0] != 3] == [20]

    def test_pictures_are_made_square_as_asked(self, tmp_path: Path) -> None:
        Image.new("RGB", (60, 20), (255, 255, 255)).save(tmp_path / "wide.png")
        register_encoder("mean_colour", mean_colour, input_size=6)
        padded = embed(tmp_path, "mean_colour", resize="pad")
        assert padded.matrix[0, 0] == pytest.approx(255 / 3)
        assert embed(tmp_path, "mean_colour", resize="squish").matrix[0, 0] == 255

    def test_vectors_can_be_lists_frames_or_tensors(self, folder: Path) -> None:
        register_encoder("array", mean_colour, input_size=8)
        expected = embed(folder, "array").matrix
        for kind in (lambda x: x.tolist(), lambda x: [*x], torch.from_numpy, pd.DataFrame):
            register_encoder(
                "other", lambda p, kind=kind: kind(mean_colour(p)), input_size=8, version="1"
            )
            np.testing.assert_allclose(embed(folder, "other").matrix, expected)

    def test_every_verb_takes_its_name(self, folder: Path, tmp_path: Path) -> None:
        register_encoder("mean_colour", mean_colour, input_size=8)
        run = tmp_path / "run"
        found = cluster_images(
            folder, "kmeans", n_clusters=2, encoder="mean_colour", out=run, progress=False
        )
        assert found.summary["encoder"].tolist() == ["mean_colour"]
        # New images are placed with it.
        near = find_images(found, like=folder / "19.png", embeddings=Embeddings.load(run), n=3)
        assert {Path(path).stem for path in near["path"]} == {"19", "18", "17"}
        images = imagestrata.scan_images(IMAGES, progress=False)
        images = images[images["status"] == "ok"].copy()
        images["label"] = np.where(np.arange(len(images)) % 2, "odd", "even")
        model = fine_tune(
            images, images, encoder="mean_colour", freeze="backbone", epochs=2, progress=False
        )
        assert predict_labels(folder, model, progress=False)["image_id"].nunique() == 20

    def test_it_is_listed(self) -> None:
        before = list_encoders()
        register_encoder("mean_colour", mean_colour, input_size=8, version="2026")
        after = list_encoders()
        assert after["name"].tolist() == [*before["name"], "mean_colour"]
        line = after.set_index("name").loc["mean_colour"]
        assert (line["input"], line["width"], line["ready"]) == (8, 3, True)
        assert line["note"] == "registered by you, version 2026"
        assert line["needs"] is None or line["needs"] != line["needs"]


class TestChanges:
    """A changed encoder never silently takes the vectors of the earlier one."""

    def test_the_same_encoder_takes_its_vectors_from_the_run(
        self, folder: Path, tmp_path: Path
    ) -> None:
        calls = []

        def counting(pictures: NDArray[np.uint8]) -> NDArray[Any]:
            calls.append(len(pictures))
            return pictures.mean(axis=(1, 2))

        register_encoder("counting", counting, input_size=8)
        first = embed(folder, "counting", out=tmp_path / "run")
        registered._registered.clear()  # a new session
        register_encoder("counting", counting, input_size=8)
        calls.clear()
        again = embed(folder, "counting", out=tmp_path / "run")
        np.testing.assert_array_equal(first.matrix, again.matrix)
        assert {*calls} <= {1, 3}  # test pictures only

    @pytest.mark.parametrize("change", ["weights", "source", "version", "input_size"])
    def test_any_change_is_refused(self, change: str, folder: Path, tmp_path: Path) -> None:
        def other(pictures: NDArray[np.uint8]) -> NDArray[Any]:
            return pictures.mean(axis=(2, 1))

        first: dict[str, Any] = {"encode": mean_colour, "input_size": 8, "version": "1"}
        second = first | {
            "weights": {},
            "source": {"encode": other},
            "version": {"version": "2"},
            "input_size": {"input_size": 9},
        }[change]  # fmt: skip
        if change == "weights":
            first["encode"], second["encode"] = Weighted(1, 1, 1), Weighted(1, 1, 1.05)
        run = tmp_path / "run"
        register_encoder("mine", **first)
        old = embed(folder, "mine", out=run)
        register_encoder("mine", **second)
        with pytest.raises(
            ImagestrataError, match="already holds the step 'embed' with registered"
        ):
            embed(folder, "mine", out=run)
        with pytest.raises(ImagestrataError, match="'mine' has changed since the embeddings"):
            embed(folder, old)
        new = embed(folder, "mine")
        found = cluster_images(old, "kmeans", n_clusters=2, progress=False)
        with pytest.raises(ImagestrataError, match="the same encoder"):
            found.predict(new)
        assert len(embed(folder, "mine", out=run, overwrite=True)) == 20

    def test_an_interrupted_call_does_not_mix_two_encoders(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagestrata.embeddings.parts.PART_SIZE", 8)
        encoder = Weighted(1, 1, 1)
        whole = encoder.__call__

        def stop(pictures: NDArray[np.uint8]) -> NDArray[Any]:
            if len(stop.seen) > 1:
                raise KeyboardInterrupt
            stop.seen += [len(pictures)] * (len(pictures) == 8)
            return whole(pictures)

        stop.seen = []
        register_encoder("mine", stop, input_size=8)
        with pytest.raises(KeyboardInterrupt):
            embed(folder, "mine", out=tmp_path / "run")
        assert [*(tmp_path / "run" / "embeddings").glob("part-*")]
        stop.seen.clear()
        encoder.weights = np.array([1, 1, 2.0])
        register_encoder("mine", stop, input_size=8)
        stop.seen.clear()
        with pytest.raises(ImagestrataError, match="already holds the step 'embed'"):
            embed(folder, "mine", out=tmp_path / "run")

    def test_rounding_is_no_change(self) -> None:
        register_encoder("mine", Weighted(1, 1, 1), input_size=8)
        _, exact = registered._registered["mine"].trial()
        register_encoder("mine", Weighted(1 + 1e-9, 1, 1 - 1e-9), input_size=8)
        assert registered._registered["mine"].trial()[1] == exact

    def test_finished_results_are_read_without_it_and_new_images_are_not_placed(
        self, folder: Path, tmp_path: Path
    ) -> None:
        register_encoder("mine", mean_colour, input_size=8)
        cluster_images(folder, encoder="mine", k=2, out=tmp_path / "run", progress=False)
        registered._registered.clear()  # a new session
        stored = Embeddings.load(tmp_path / "run")
        assert len(stored) == len(Clustering.load(tmp_path / "run").images) == 20
        assert len(cluster_images(stored, k=2, out=tmp_path / "run", progress=False).images) == 20
        with pytest.raises(ImagestrataError, match="not registered in this session") as refused:
            embed(folder, stored)
        assert "register_encoder()" in refused.value.hint
        with pytest.raises(ImagestrataError, match="There is no encoder 'mine'") as refused:
            embed(folder, "mine", out=tmp_path / "run")
        assert "registered in every session: register_encoder()" in refused.value.hint

    def test_a_bundle_keeps_what_identifies_it(self, folder: Path, tmp_path: Path) -> None:
        register_encoder("mine", mean_colour, input_size=8)
        cluster_images(folder, encoder="mine", k=2, out=tmp_path / "run", progress=False)
        share_bundle(tmp_path / "run", tmp_path / "shared", progress=False)
        shared = json.loads((tmp_path / "shared" / "embeddings" / "encoder.json").read_text())
        assert shared["registered"] == Embeddings.load(tmp_path / "run").encoder["registered"]


class TestCode:
    def test_layout_and_comments_do_not_matter(self, tmp_path: Path) -> None:
        sources = {
            "a": "def f(x):\n    return x + 1\n",
            "b": "def f(x):\n    # adds one\n    return (x\n            + 1)\n",
            "c": "def f(x):\n    return x + 2\n",
        }
        codes = {}
        for name, source in sources.items():
            file = tmp_path / f"{name}.py"
            file.write_text(source)
            space: dict[str, Any] = {}
            exec(compile(source, file, "exec"), space)
            codes[name] = code_of(space["f"])
        assert codes["a"] == codes["b"] != codes["c"] and codes["a"] is not None

    def test_objects_partials_and_builtins(self) -> None:
        assert code_of(Weighted(1)) == code_of(Weighted(2)) == code_of(Weighted)
        one, two = (functools.partial(mean_colour, axis=axis) for axis in (1, 2))
        assert len({code_of(one), code_of(two), code_of(mean_colour)}) == 3
        assert code_of(len) is None and code_of(functools.partial(len, 1)) is None

    def test_without_source_a_version_is_needed(self) -> None:
        space: dict[str, Any] = {}
        exec("def unknown(pictures):\n    return pictures.mean(axis=(1, 2))", space)
        with pytest.raises(ImagestrataError, match="source of `encode` is not known") as refused:
            register_encoder("mine", space["unknown"], input_size=8)
        assert 'version="1"' in refused.value.hint
        register_encoder("mine", space["unknown"], input_size=8, version="1")
        assert registered._registered["mine"].trial()[1].startswith("version 1, 8 pixels")


WRONG: list[tuple[Any, str]] = [
    (lambda p: mean_colour(p).T, r"received 3 pictures and returned|received 1 picture and"),
    (lambda p: p.mean(axis=(0, 1, 2)), "returned 3 numbers without rows and columns"),
    (lambda p: p, "returned an array of 4 dimensions"),
    (lambda p: mean_colour(p)[:1], "received 3 pictures and returned a matrix of 1 row"),
    (lambda p: np.zeros((len(p), 0)), "a matrix of 3 rows and 0 columns"),
    (lambda p: "vectors", "must return a matrix of numbers, one row per picture, not a str"),
    (lambda p: None, "not None"),
    (lambda p: [[1.0], [1.0, 2.0], [1.0]][: len(p)], "not a list"),
    (lambda p: mean_colour(p) * np.nan, "NaN or infinite numbers for a test picture"),
    (lambda p: mean_colour(p) * 1e300, "NaN or infinite numbers for a test picture"),
    (lambda p: mean_colour(p) - mean_colour(p).mean(0), "other vectors for a picture that came al"),
    (lambda p: np.ones((len(p), len(p))), "vectors of 1 and of 3 numbers"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(("encode", "message"), WRONG)
def test_wrong_vectors_are_refused_at_once(encode: Any, message: str) -> None:
    with pytest.raises(ImagestrataError, match=message):
        register_encoder("mine", encode, input_size=8, version="1")
    assert "mine" not in registered._registered


def test_wrong_vectors_of_an_image_are_refused(folder: Path) -> None:
    def picky(pictures: NDArray[np.uint8]) -> NDArray[Any]:
        found = mean_colour(pictures)
        return np.where(found == 12 * 7, np.nan, found)

    register_encoder("picky", picky, input_size=8)
    with pytest.raises(
        ImagestrataError, match=r"NaN or infinite numbers from '.*07\.png'"
    ) as error:
        embed(folder, "picky")
    assert "precision" not in error.value.hint

    def varying(pictures: NDArray[np.uint8]) -> NDArray[Any]:
        wide = bool((mean_colour(pictures) == 12 * 7).any())
        return np.repeat(mean_colour(pictures), 1 + wide, axis=1)

    register_encoder("varying", varying, input_size=8)
    with pytest.raises(ImagestrataError, match="vectors of 6 numbers, and of 3 before"):
        embed(folder, "varying")


def test_an_error_of_the_function_says_whose_it_is() -> None:
    with pytest.raises(AttributeError, match="no_such_thing") as error:
        register_encoder("mine", lambda p: p.no_such_thing, input_size=8)
    assert error.value.__notes__ == ["This error was raised by the encoder 'mine' of your own."]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "hog"}, "'hog' is the name of an encoder of the package"),
        ({"name": "resnet34"}, "'resnet34' is the name of an encoder of the package"),
        ({"name": "together"}, "is the name of an encoder"),
        ({"name": "clip:mine"}, "must consist of letters, digits"),
        ({"name": ""}, "must consist of letters, digits"),
        ({"name": 5}, "must consist of letters, digits, '_', '-' and '.', not 5"),
        ({"encode": 5}, "`encode` must be a function of pictures"),
        ({"input_size": 0}, "`input_size` must be"),
        ({"batch_size": 0}, "`batch_size` must be"),
        ({"version": 1}, "`version` must be"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"name": "mine", "encode": mean_colour} | arguments
    with pytest.raises(ImagestrataError, match=message):
        register_encoder(**given)


def test_settings_without_effect_and_clusters_are_refused(folder: Path) -> None:
    register_encoder("mine", mean_colour, input_size=8)
    for arguments in ({"precision": "float32"}, {"device": "cuda"}, {"weights": "x.pth"}):
        with pytest.raises(ImagestrataError, match=r"no effect|needs no weights"):
            embed(folder, "mine", **arguments)
    with pytest.raises(ImagestrataError, match="workers of a cluster do not know it"):
        embed(folder, "mine", engine="tcp://127.0.0.1:1")
    with pytest.raises(ImagestrataError, match="cannot be trained further"):
        fine_tune(folder, encoder="mine", progress=False)


PLUGIN = """
from imagestrata import register_encoder

def mean_colour(pictures):
    return pictures.mean(axis=(1, 2))

def register():
    register_encoder("plugged", mean_colour, input_size=8)

def broken():
    raise RuntimeError("no model")
"""


def test_an_installed_package_registers_for_the_command_line(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "my_encoders-1.dist-info").mkdir(parents=True)
    (site / "my_encoders.py").write_text(PLUGIN)
    (site / "my_encoders-1.dist-info" / "METADATA").write_text("Name: my-encoders\nVersion: 1\n")
    (site / "my_encoders-1.dist-info" / "entry_points.txt").write_text(
        "[imagestrata.encoders]\nplugged = my_encoders:register\nother = my_encoders:broken\n"
    )
    paths = os.pathsep.join([str(site), str(ROOT / "python")])
    call = functools.partial(
        subprocess.run, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    embedded = call([
        *(sys.executable, "-m", "imagestrata", "run", folder, "--encoder", "plugged"),
        *("--method", "kmeans", "--n-clusters", "2", "--out", tmp_path / "run"),
    ])  # fmt: skip
    assert embedded.returncode == 0, embedded.stderr
    assert Embeddings.load(tmp_path / "run").encoder["name"] == "plugged"
    told = "encoder 'other' of an installed package (my_encoders:broken) could not be registered"
    assert told in " ".join(embedded.stderr.split())
    script = textwrap.dedent("""
        import warnings; warnings.simplefilter("ignore")
        import imagestrata
        print(imagestrata.list_encoders()["name"].tolist()[-1])
    """)
    assert call([sys.executable, "-c", script]).stdout.strip() == "plugged"
