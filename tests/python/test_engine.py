"""Work in threads or on a cluster: the same results, whatever dies on the way."""

from __future__ import annotations

import functools
import gc
import json
import logging
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageFont

import imagestrata
from commands import call
from errands import (
    die,
    die_once,
    double,
    fail_at_seven,
    find_the_package,
    lose_the_package,
    nap,
    threads,
    wait_for,
)
from images import bad_files, encode, picture, write_files, write_pictures
from imagestrata import (
    ImagestrataError,
    Rekognition,
    cluster_images,
    crop_faces,
    embed_images,
    engine,
    fine_tune,
    predict_labels,
    read_text,
    rows,
    scan_images,
    tag_images,
)
from imagestrata.clustering import base
from imagestrata.corpus import faces, known
from imagestrata.embeddings import parts
from imagestrata.encoders import portable
from imagestrata.encoders.portable import Portable
from imagestrata.encoders.registry import load_network, make_encoder
from imagestrata.encoders.weights import write_weights
from imagestrata.engine import open_engine
from imagestrata.text import read as reading
from labelled import draw_labelled

#: Files of the corpus, and of a part of work.
N_IMAGES, PART = 60, 8

#: A clustering of few iterations.
QUICK: dict[str, Any] = {"k": 6, "release_share": 1, "n_init": 2, "progress": False}

#: Seconds after which a test gives up.
PATIENCE = 180


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Two processes that work for us, as they would on other machines."""
    from distributed import LocalCluster

    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            patch.setenv(name, "2")  # what workers without a nanny might have
        with LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as started:
            yield started


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    from distributed import Client

    with Client(cluster, set_as_default=False) as connected:
        connected.wait_for_workers(2, timeout=PATIENCE)
        yield connected


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good files, bad ones, copies, and names that are hard to pass on."""
    folder = write_pictures(tmp_path_factory.mktemp("corpus"), N_IMAGES)
    write_files(folder, {name: content for name, (content, _) in bad_files().items()})
    (folder / "#first-is-a-broken-link.png").symlink_to("nowhere")
    write_files(folder, {"line\nbreak.png": encode(picture(0)), "-q.png": encode(picture(99))})
    (folder / os.fsdecode(b"\xff\xfe.png")).write_bytes(encode(picture(100)))
    return folder


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "PART_SIZE", PART)
    monkeypatch.setattr(parts, "PART_SIZE", PART)


@pytest.fixture(scope="session")
def images(corpus: Path) -> pd.DataFrame:
    return scan_images(corpus, progress=False)


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


class TestThreads:
    def test_results_come_in_order(self) -> None:
        with open_engine() as here:
            assert list(here.map(nap, [0.03, 0.0, 0.01, 0.0])) == [0.03, 0.0, 0.01, 0.0]

    def test_little_is_taken_ahead_of_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "usable_cores", lambda: 2)
        for at_once, ahead in [(1, 2), (5, 5)]:
            drawn = []

            def items(drawn: list[int] = drawn) -> Iterator[int]:
                for item in range(50):
                    drawn.append(item)
                    yield item

            with open_engine() as here:
                for taken, result in enumerate(here.map(double, items(), at_once=at_once)):
                    assert result == 2 * taken
                    assert len(drawn) <= taken + 1 + ahead

    def test_no_more_threads_than_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import threading

        monkeypatch.setattr(engine, "usable_cores", lambda: 64)
        names = set()

        def name(_: int) -> None:
            names.add(threading.current_thread().name)
            time.sleep(0.001)

        with open_engine(most_threads=3) as here:
            list(here.map(name, range(60)))
        assert len(names) == 3

    def test_an_error_ends_the_work(self) -> None:
        done = []

        def work(number: int) -> int:
            done.append(number)
            return fail_at_seven(number)

        with pytest.raises(ImagestrataError, match="Seven"), open_engine() as here:
            list(here.map(work, range(1000)))
        assert len(done) < 1000

    def test_each_uses_one_thread_of_blas_and_torch(self) -> None:
        import torch

        before = threads(0)
        torch.set_num_threads(3)
        with open_engine() as here:
            assert {n for seen in here.map(threads, range(4)) for n in seen} == {1}
        assert threads(0) == [*before[:-1], 3]
        torch.set_num_threads(before[-1])


class TestCluster:
    def test_results_come_in_order(self, client: Any) -> None:
        with open_engine(client) as there:
            assert list(there.map(double, range(23), at_once=5)) == [2 * n for n in range(23)]
            assert list(there.map(nap, [0.1, 0.0, 0.05])) == [0.1, 0.0, 0.05]
            assert list(there.map(double, [])) == []

    def test_little_is_taken_ahead_of_time(self, client: Any) -> None:
        drawn = []

        def items() -> Iterator[int]:
            for item in range(60):
                drawn.append(item)
                yield item

        with open_engine(client) as there:
            for taken, result in enumerate(there.map(double, items(), at_once=3)):
                assert result == 2 * taken
                # Two pieces that wait for each of two threads, and the one that is handed out.
                assert len(drawn) <= taken + 3 * (2 * 2 + 1)

    def test_two_maps_at_once(self, client: Any) -> None:
        with open_engine(client) as there:
            pairs = zip(there.map(double, range(9)), there.map(nap, [0.0] * 9), strict=True)
            assert list(pairs) == [(2 * n, 0.0) for n in range(9)]

    @pytest.mark.parametrize("given", ["client", "address", "file"])
    def test_what_may_be_given(self, client: Any, given: str, tmp_path: Path) -> None:
        address = client.scheduler.address
        file = tmp_path / "scheduler.json"
        file.write_text(json.dumps({"address": address}))
        with open_engine({"client": client, "address": address, "file": file}[given]) as there:
            assert list(there.map(double, [1, 2])) == [2, 4]
        assert client.status == "running"

    def test_errors_come_back_as_they_are(self, client: Any) -> None:
        with pytest.raises(ImagestrataError, match="Seven") as caught, open_engine(client) as there:
            list(there.map(fail_at_seven, range(40)))
        assert caught.value.hint == "Give other numbers."

    @pytest.mark.parametrize("how", ["client", "address"])
    def test_what_nobody_waits_for_is_cancelled(
        self, cluster: Any, client: Any, how: str, tmp_path: Path
    ) -> None:
        (tmp_path / "open").touch()
        gates = [tmp_path / "open", *[tmp_path / "closed"] * 40]
        given = client if how == "client" else cluster.scheduler_address
        try:
            with pytest.raises(KeyboardInterrupt), open_engine(given) as there:
                for _ in there.map(wait_for, gates):
                    assert cluster.scheduler.tasks
                    raise KeyboardInterrupt
            wait_until(lambda: not cluster.scheduler.tasks)
        finally:
            # What was begun goes on to its end.
            (tmp_path / "closed").touch()

    def test_each_uses_one_thread_of_blas_and_torch(self, client: Any) -> None:
        before = client.run(threads)
        assert all(counts[-1] == 2 for counts in before.values())
        with open_engine(client) as there:
            assert {n for counts in there.map(threads, range(4)) for n in counts} == {1}
        assert client.run(threads) == before


class TestVerbs:
    def test_a_scan_is_the_same(self, client: Any, corpus: Path, tmp_path: Path) -> None:
        for options in ({}, {"near_duplicates": 4, "min_side": 20, "min_bytes": 200}):
            here = scan_images(corpus, progress=False, **options)
            there = scan_images(corpus, progress=False, engine=client, **options)
            pd.testing.assert_frame_equal(here, there)
        scan_images(corpus, progress=False, out=tmp_path / "here")
        scan_images(corpus, progress=False, out=tmp_path / "there", engine=client)
        assert_same_files(tmp_path / "here", tmp_path / "there")

    @pytest.mark.parametrize("encoder", ["hog", "efficientnet_lite0", "bovw"])
    def test_embeddings_are_the_same(
        self, client: Any, images: pd.DataFrame, encoder: str, tmp_path: Path
    ) -> None:
        some = images[images["status"] == "ok"].head(20)
        for place, given in [("here", None), ("there", client)]:
            arguments: Any = {"batch_size": 3, "progress": False, "out": tmp_path / place}
            embed_images(some, encoder, engine=given, **arguments)
        assert_same_files(tmp_path / "here", tmp_path / "there")

    def test_faces_are_the_same(
        self, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from skimage import data

        monkeypatch.setattr(faces, "PART_SIZE", 2)
        portrait = Image.fromarray(data.astronaut()).crop((64, 0, 384, 256))
        pictures = {f"{n}.png": encode(portrait.rotate(n)) for n in range(3)}
        pictures["blank.png"] = encode(Image.new("RGB", (200, 200), "white"))
        found = scan_images(write_files(tmp_path / "pictures", pictures), progress=False)
        (tmp_path / "pictures" / "2.png").unlink()
        made = {}
        for place, given in [("here", None), ("there", client)]:
            run = tmp_path / place
            with pytest.warns(UserWarning, match="1 of 4 images could not be read"):
                table = crop_faces(found, run, min_size=60, progress=False, engine=given)
            crops = [Path(crop) for crop in table["crop"].dropna()]
            assert {crop.parent for crop in crops} == {run / "faces"}
            made[place] = table.drop(columns="crop"), [crop.read_bytes() for crop in crops]
        pd.testing.assert_frame_equal(made["here"][0], made["there"][0])
        assert made["here"][1] == made["there"][1] and len(made["here"][1]) == 2

    @pytest.mark.parametrize("reader", ["rapidocr", "tesseract"])
    def test_texts_are_the_same(
        self, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
    ) -> None:
        if reader == "tesseract" and shutil.which("tesseract") is None:
            pytest.skip("needs the program tesseract (Debian's package `tesseract-ocr`)")
        from matplotlib import get_data_path

        monkeypatch.setattr(reading, "PART_SIZE", 2)
        font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf", 40)
        posters = {}
        for word in ("peace", "bread", "roses"):
            poster = Image.new("RGB", (300, 120), "white")
            ImageDraw.Draw(poster).text((30, 30), word, font=font, fill="black")
            posters[f"{word}.png"] = encode(poster)
        found = scan_images(write_files(tmp_path / "pictures", posters), progress=False)
        for place, given in [("here", None), ("there", client)]:
            run = tmp_path / place
            texts = read_text(found, reader=reader, out=run, progress=False, engine=given)
            assert sorted(texts["text"]) == ["bread", "peace", "roses"]
        assert_same_files(tmp_path / "here", tmp_path / "there")

    def test_tags_are_the_same(self, client: Any, corpus: Path, tmp_path: Path) -> None:
        import torch
        import torchvision

        torch.manual_seed(0)
        network = torchvision.models.squeezenet1_1(num_classes=3)
        torch.save(network.state_dict(), tmp_path / "weights.pth")
        for place, given in [("here", None), ("there", client)]:
            tag_images(
                sorted(corpus.glob("00*.png")),
                "squeezenet1_1",
                weights=tmp_path / "weights.pth",
                labels=["a", "b", "c"],
                out=tmp_path / place,
                progress=False,
                engine=given,
            )
        assert_same_files(tmp_path / "here", tmp_path / "there")

    @pytest.mark.parametrize("freeze", ["none", "backbone"])
    def test_models_are_the_same(self, client: Any, tmp_path: Path, freeze: str) -> None:
        """Pictures are decoded there, training is done here."""
        import torch
        import torchvision

        torch.manual_seed(0)
        torch.save(torchvision.models.shufflenet_v2_x0_5().state_dict(), tmp_path / "net.pth")
        folder = draw_labelled(tmp_path / "colours", 8)
        models = [
            fine_tune(
                folder,
                encoder="shufflenet_v2_x0_5",
                weights=tmp_path / "net.pth",
                freeze=freeze,
                epochs=1,
                precision="float32",
                out=tmp_path / place,
                progress=False,
                engine=given,
            )
            for place, given in [("here", None), ("there", client)]
        ]
        here, there = (
            predict_labels(folder, models[0], progress=False, engine=given)
            for given in (None, client)
        )
        pd.testing.assert_frame_equal(here, there)
        columns = ["image_id", "label", "truth"]
        here, there = (one.predictions for one in models)
        pd.testing.assert_frame_equal(here[columns], there[columns])
        np.testing.assert_allclose(here["probability"], there["probability"], atol=1e-5)

    def test_a_service_is_asked_from_here(self, client: Any, corpus: Path) -> None:
        with pytest.raises(ImagestrataError, match=r"engine=.* has no effect with a service"):
            tag_images(corpus, Rekognition(), engine=client)

    def test_failures_are_counted_as_ever(self, client: Any, tmp_path: Path) -> None:
        found = scan_images(write_pictures(tmp_path, 12), progress=False)
        (tmp_path / "003.png").unlink()
        (tmp_path / "004.png").write_bytes(encode(picture(77)))
        with pytest.warns(UserWarning, match="2 of 12 images could not be embedded"):
            there = embed_images(found, "hog", progress=False, engine=client)
        assert there.failures["reason"].tolist() == ["file not found", "changed since the scan"]

    def test_progress_is_told_as_blocks_come(self, client: Any, corpus: Path) -> None:
        told = []
        scan_images(corpus, progress=lambda *said: told.append(said), engine=client)
        total = told[0][2]
        assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
        assert told[-1] == ("Scanning", total, total)

    def test_a_killed_worker_costs_nothing(self, client: Any, corpus: Path, tmp_path: Path) -> None:
        scan_and_embed(corpus, tmp_path / "here")
        killed = {}

        def kill(step: str, done: int, total: int | None) -> None:
            assert total is not None
            if step not in killed and 0 < done < total:
                killed[step] = min(client.run(os.getpid).values())
                os.kill(killed[step], signal.SIGKILL)

        scan_and_embed(corpus, tmp_path / "there", progress=kill, engine=client)
        assert set(killed) == {"Scanning", "Embedding"}
        assert_same_files(tmp_path / "here", tmp_path / "there")

    def test_one_look_at_each_file(self, client: Any, corpus: Path, tmp_path: Path) -> None:
        embed_images(corpus, "hog", progress=False, out=tmp_path / "here")
        killed = []

        def kill(step: str, done: int, total: int | None) -> None:
            if step == "Scanning" and done > 3 * PART and not killed:
                killed.append(min(client.run(os.getpid).values()))
                os.kill(killed[0], signal.SIGKILL)

        embed_images(corpus, "hog", progress=kill, out=tmp_path / "there", engine=client)
        assert_same_files(tmp_path / "here", tmp_path / "there")

        class Stopped(BaseException):
            pass

        def stop(step: str, done: int, total: int | None) -> None:
            if done > 3 * PART:
                raise Stopped

        again = tmp_path / "again"
        with pytest.raises(Stopped):
            embed_images(corpus, "hog", progress=stop, out=again, engine=client)
        assert len(list((again / "embeddings").glob("part-*"))) == 3
        embed_images(corpus, "hog", progress=False, out=again, engine=client)
        assert_same_files(tmp_path / "here", again)

    def test_a_worker_that_dies_at_work(self, client: Any, tmp_path: Path) -> None:
        marks = [tmp_path / "first"] + [tmp_path / str(n) for n in range(6)]
        for mark in marks[1:]:
            mark.touch()
        with open_engine(client) as there:
            assert list(there.map(die_once, marks)) == [mark.name for mark in marks]

    @pytest.mark.parametrize("step", ["Scanning", "Embedding"])
    def test_a_killed_driver_goes_on(
        self, client: Any, corpus: Path, tmp_path: Path, step: str
    ) -> None:
        """With the cluster or without it, and nothing is done twice."""
        scan_and_embed(corpus, tmp_path / "never killed")
        script = (
            "import os, signal, sys\n"
            "from imagestrata import embed_images, scan_images\n"
            "from imagestrata.corpus import known\n"
            "from imagestrata.embeddings import parts\n"
            f"known.PART_SIZE = parts.PART_SIZE = {PART}\n"
            "def kill(step, done, total):\n"
            f"    if step == sys.argv[4] and done > {3 * PART}:\n"
            "        os.kill(os.getpid(), signal.SIGKILL)\n"
            "how = {'out': sys.argv[2], 'engine': sys.argv[3], 'progress': kill}\n"
            "embed_images(scan_images(sys.argv[1], **how), 'hog', **how)\n"
        )
        run = tmp_path / "killed"
        arguments = [str(corpus), str(run), client.scheduler.address, step]
        killed = subprocess.run([sys.executable, "-c", script, *arguments], timeout=PATIENCE)
        assert killed.returncode == -signal.SIGKILL
        parts = sorted(run.rglob("part-*"))
        assert len(parts) == 3
        for name, given in [("here", None), ("there", client)]:
            shutil.copytree(run, tmp_path / name)
            before = done_already(tmp_path / name)
            told = []
            scan_and_embed(
                corpus,
                tmp_path / name,
                progress=lambda *said, told=told: told.append(said),
                engine=given,
            )
            first = 1 if step == "Scanning" else PART
            assert (step, first, told[0][2]) not in told
            still = {path: time for path, time in before.items() if path.exists()}
            assert still == {path: path.stat().st_mtime_ns for path in still}
            assert_same_files(tmp_path / "never killed", tmp_path / name)


class TestCommands:
    def test_scan_and_embed(self, cluster: Any, corpus: Path, tmp_path: Path) -> None:
        for place, options in {
            "here": [],
            "there": ["--engine", cluster.scheduler_address],
        }.items():
            call("scan", corpus, "--out", tmp_path / place, "-q", *options)
            call("embed", tmp_path / place, "--encoder", "hog", "-q", *options)
        assert_same_files(tmp_path / "here", tmp_path / "there")

    @pytest.mark.parametrize("command", ["cluster", "run"])
    def test_clustering_is_told(
        self, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        class Told(Exception):
            pass

        @functools.wraps(imagestrata.cluster_images)
        def tell(_: Any, **arguments: Any) -> None:
            raise Told(arguments["engine"])

        monkeypatch.setattr(imagestrata, "cluster_images", tell)
        folder = write_pictures(tmp_path / "images", 9)
        run = tmp_path / "run"
        if command == "cluster":
            call("scan", folder, "--out", run, "-q")
            call("embed", run, "--encoder", "hog", "-q")
        place = [run] if command == "cluster" else [folder, "--out", run, "--encoder", "hog"]
        with pytest.raises(Told, match=cluster.scheduler_address):
            call(command, *place, "-q", "--engine", cluster.scheduler_address)


class TestComplaints:
    @pytest.mark.parametrize("given", [3, True, ["tcp://here:1"]])
    def test_of_what_is_no_engine(self, corpus: Path, given: Any) -> None:
        with pytest.raises(ImagestrataError, match="`engine` must be a Dask client"):
            scan_images(corpus, progress=False, engine=given)

    @pytest.mark.parametrize("given", ["tcp://127.0.0.1:9", "nonsense", "absent.json", "bad.json"])
    def test_of_nobody_listening(
        self, corpus: Path, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(engine, "_PATIENCE", 0.5)
        Path("bad.json").write_text('{"workers": {}}')
        with pytest.raises(ImagestrataError, match="No Dask scheduler answers at") as caught:
            scan_images(corpus, progress=False, engine=given)
        assert given in str(caught.value)
        assert "dask scheduler" in caught.value.hint

    def test_of_nobody_listening_nothing_is_left_to_close(self, monkeypatch: Any) -> None:
        """A client that never connected is closed at once, not whenever it is collected."""
        from distributed import Client

        def clients() -> int:
            return sum(type(each) is Client for each in gc.get_objects())

        monkeypatch.setattr(engine, "_PATIENCE", 0.5)
        gc.collect()
        before = clients()
        gc.disable()
        try:
            with pytest.raises(ImagestrataError), open_engine("tcp://127.0.0.1:9"):
                pass
            assert clients() == before
        finally:
            gc.enable()

    def test_of_a_client_that_is_closed(self, cluster: Any) -> None:
        from distributed import Client

        closed = Client(cluster, set_as_default=False)
        closed.close()
        with pytest.raises(ImagestrataError, match="it is 'closed'"), open_engine(closed):
            pass

    def test_of_no_workers(self) -> None:
        from distributed import LocalCluster

        with (
            LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
            pytest.raises(ImagestrataError, match="no workers yet"),
            open_engine(empty.scheduler_address),
        ):
            pass

    def test_of_another_version(self, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "version", lambda: "9.9")
        with pytest.raises(ImagestrataError, match=r"has imagestrata .*; here it is 9\.9"):
            scan_images(".", progress=False, engine=client)

    def test_of_workers_without_the_package(self, client: Any) -> None:
        client.run(lose_the_package)
        try:
            with pytest.raises(ImagestrataError, match="has no imagestrata"), open_engine(client):
                pass
        finally:
            client.run(find_the_package)

    def test_of_files_that_workers_do_not_see(self, client: Any, tmp_path: Path) -> None:
        """A name of an open file, which has a meaning in this process only."""
        path = tmp_path / "picture.png"
        path.write_bytes(encode(picture(1)))
        with path.open("rb") as file:
            os.dup2(file.fileno(), 250)
        try:
            with pytest.raises(ImagestrataError, match=r"2 workers of 2 .* cannot see") as caught:
                scan_images(["/dev/fd/250"], progress=False, engine=client)
            assert "share" in caught.value.hint
        finally:
            os.close(250)

    def test_of_work_that_kills(
        self, cluster: Any, client: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
        with (
            pytest.raises(ImagestrataError, match="1 worker of the cluster died") as caught,
            open_engine(client) as there,
        ):
            list(there.map(die, [1]))
        assert "memory" in caught.value.hint

    def test_of_a_scheduler_that_ends(self, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from distributed import LocalCluster

        monkeypatch.setattr(engine, "_PATIENCE", 1)
        lost = LocalCluster(n_workers=1, processes=False, dashboard_address=":0")

        def end(step: str, done: int, total: int | None) -> None:
            if done == PART:
                lost.close(timeout=PATIENCE)

        with pytest.raises(ImagestrataError, match="scheduler of the Dask cluster ended"):
            scan_images(corpus, progress=end, engine=lost.scheduler_address)


class TestPortable:
    def test_a_process_makes_an_encoder_once(self) -> None:
        here = make_encoder("efficientnet_lite0")
        sent = pickle.dumps(Portable(here))
        assert len(sent) < 10_000  # the weights stay where they are
        first, again = (pickle.loads(sent)() for _ in range(2))
        assert first is again and first is not here
        assert first.settings == here.settings
        squares = np.random.default_rng(1).integers(0, 256, (4, 224, 224, 3), dtype=np.uint8)
        assert np.array_equal(first.encode([*squares]), here.encode([*squares]))

    def test_it_is_itself_where_it_was_made(self) -> None:
        here = make_encoder("hog", resize="pad")
        assert Portable(here)() is here
        assert pickle.loads(pickle.dumps(Portable(here)))().settings["resize"] == "pad"

    def test_what_was_learnt_goes_along(self) -> None:
        words = make_encoder("bovw", seed=3)
        before = pickle.loads(pickle.dumps(Portable(words)))()
        assert not before.state()
        rng = np.random.default_rng(2)
        words.fit([rng.integers(0, 255, (30, 128), dtype=np.uint8) for _ in range(9)])
        after = pickle.loads(pickle.dumps(Portable(words)))()
        for name, array in words.state().items():
            assert np.array_equal(after.state()[name], array)

    def test_few_are_kept(self) -> None:
        for mode in ("pad", "squish", "crop", "rescale_crop"):
            pickle.loads(pickle.dumps(Portable(make_encoder("hog", resize=mode))))()
        assert len(portable._encoders) == 2

    def test_other_weights_are_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        network, _ = load_network("efficientnet_lite0", weights=None, resize="rescale_crop")
        weights, file = network.state_dict(), Path("mine.safetensors")
        write_weights(file, weights, descended_from="efficientnet_lite0")
        sent = pickle.dumps(Portable(make_encoder("efficientnet_lite0", weights=file)))
        doubled = {name: tensor + tensor for name, tensor in weights.items()}
        write_weights(file, doubled, descended_from="efficientnet_lite0")
        monkeypatch.chdir("/")  # where a worker is, relative paths mean nothing
        with pytest.raises(ImagestrataError, match="SHA-256"):
            pickle.loads(sent)()


def scan_and_embed(corpus: Path, out: Path, **how: Any) -> None:
    """In two steps, each of which opens every file."""
    how = {"progress": False} | how
    embed_images(scan_images(corpus, out=out, **how), "hog", out=out, **how)


def assert_same_files(one: Path, other: Path) -> None:
    """Run folders with the same results, byte for byte where no time of day is told."""
    names = {path.relative_to(one) for path in one.rglob("*") if path.is_file()}
    assert names == {path.relative_to(other) for path in other.rglob("*") if path.is_file()}
    compared = [name for name in names if name.name != "run.json"]
    assert any(name.suffix == ".parquet" for name in compared)
    for name in compared:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def done_already(run: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in run.rglob("part-*")}


class TestClustering:
    @pytest.fixture
    def stored(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Groups of vectors in a file, cut into twelve shards."""
        for module in (base, rows):
            monkeypatch.setattr(module, "SHARD_ROWS", 100)
        rng = np.random.default_rng(0)
        matrix = rng.normal(size=(6, 16))[rng.integers(6, size=1200)] * 3
        matrix = (matrix + rng.normal(size=matrix.shape)).astype(np.float32)
        np.save(tmp_path / "vectors.npy", matrix)
        return np.load(tmp_path / "vectors.npy", mmap_mode="r")

    @pytest.mark.parametrize(
        "settings",
        [
            {"silhouette": "sampled", "neighbors": None},
            {"silhouette": "squared", "normalize": "l2", "neighbors": None},
            {"exact": True, "neighbors": None},
        ],
        ids=str,
    )
    def test_same_clusters(
        self, client: Any, stored: Any, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = cluster_images(stored, **QUICK, **settings)
        taken = count_takings(monkeypatch)
        there = cluster_images(stored, **QUICK, **settings, engine=client)
        assert len(taken) >= 12  # it was the workers who did it
        pd.testing.assert_frame_equal(here.images, there.images)
        np.testing.assert_array_equal(here.centroids, there.centroids)

    def test_same_clusters_after_the_neighbourhood_step(self, client: Any, stored: Any) -> None:
        here, there = (cluster_images(stored, **QUICK, engine=one) for one in (None, client))
        assert here.settings["neighbors"] == 15
        pd.testing.assert_frame_equal(here.images, there.images)

    def test_a_worker_killed_in_a_pass_costs_nothing(
        self, client: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = cluster_images(stored, **QUICK, silhouette="squared", neighbors=None)

        def kill(n: int) -> None:
            if n == 30:
                os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)

        count_takings(monkeypatch, kill)
        there = cluster_images(stored, **QUICK, silhouette="squared", neighbors=None, engine=client)
        pd.testing.assert_frame_equal(here.images, there.images)

    def test_vectors_in_memory_stay_here(
        self, client: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = count_takings(monkeypatch)
        cluster_images(np.array(stored), **QUICK, silhouette="squared", engine=client)
        assert not taken

    def test_a_file_that_workers_do_not_see(
        self, client: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client, "run", lambda *_, **__: {"tcp://worker:1": False})
        monkeypatch.setattr(engine, "_check_workers", lambda _: None)
        with pytest.raises(ImagestrataError, match=r"1 worker of 1 .* cannot see .*vectors\.npy"):
            cluster_images(stored, **QUICK, engine=client)


def count_takings(
    monkeypatch: pytest.MonkeyPatch, then: Callable[[int], None] = lambda _: None
) -> list[Any]:
    """Results that the driver has taken from workers; ``then`` is called with their number."""
    taken: list[Any] = []
    take = engine._Dask._take

    def counted(self: Any, waiting: Any) -> Any:
        taken.append(None)
        then(len(taken))
        return take(self, waiting)

    monkeypatch.setattr(engine._Dask, "_take", counted)
    return taken
