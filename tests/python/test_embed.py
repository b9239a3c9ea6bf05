"""From files to vectors: every image once, nothing lost, nothing made up."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from imagestrata import (
    Embeddings,
    ImagestrataError,
    MissingWeightsError,
    embed_images,
    engine,
    scan_images,
)
from imagestrata.corpus.reasons import Reason
from imagestrata.embeddings import compute, parts
from imagestrata.encoders import registry
from imagestrata.encoders.base import Encoder
from imagestrata.encoders.hog import HogEncoder
from imagestrata.encoders.portable import Portable
from imagestrata.files import read_json

N_IMAGES = 20


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three parts where there would be one."""
    monkeypatch.setattr(parts, "PART_SIZE", 8)
    monkeypatch.setattr("imagestrata.corpus.known.PART_SIZE", 8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty pictures, all different."""
    made = tmp_path / "pictures"
    made.mkdir()
    for number in range(N_IMAGES):
        draw_picture(made / f"{number:02d}.jpg", number)
    return made


def draw_picture(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    soft = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    image = Image.fromarray(soft).resize((80, 60), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(5):
        x, y = (int(v) for v in rng.integers(0, 40, 2))
        draw.ellipse((x, y, x + 20, y + 20), fill=tuple(int(c) for c in rng.integers(0, 256, 3)))
    image.save(path, quality=90)


class Counting(HogEncoder):
    """Counts what it encodes, and can be told to stop half way."""

    def __init__(self, *, resize: str) -> None:
        super().__init__(resize=resize)
        self.batches: list[int] = []
        self.stop_after = 10**9
        self.prepared = 0
        self.lock = threading.Lock()

    def prepare(self, image: Image.Image) -> NDArray[np.float32]:
        with self.lock:
            self.prepared += 1
        return super().prepare(image)

    def encode(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        with self.lock:
            if sum(self.batches) + len(prepared) > self.stop_after:
                raise KeyboardInterrupt
            self.batches.append(len(prepared))
        return super().encode(prepared)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """The encoder that `embed_images(..., "hog")` uses in a test."""
    counting = Counting(resize="rescale_crop")
    monkeypatch.setattr("imagestrata.encoders.hog.HogEncoder", lambda name, resize: counting)
    return counting


def embed(images: Any, encoder: Any = "hog", **arguments: Any) -> Embeddings:
    return embed_images(images, encoder, progress=False, **arguments)


def part(run: Path, number: int) -> Path:
    (found,) = (run / "embeddings").glob(f"part-{number:05d}.*.parquet")
    return found


class TestVectors:
    def test_one_per_distinct_image_in_the_order_of_the_table(self, folder: Path) -> None:
        shutil.copy(folder / "03.jpg", folder / "copy.jpg")
        (folder / "broken.jpg").write_bytes((folder / "00.jpg").read_bytes()[:500])
        table = scan_images(folder, progress=False)
        made = embed(table)
        assert len(made) == N_IMAGES and made.matrix.shape == (N_IMAGES, 836)
        assert made.matrix.dtype == np.float32 and made.failures.empty
        usable = table[table["status"] == "ok"]
        assert list(made.images.columns) == ["image_id", "path", "file", "n_copies"]
        assert made.images["path"].tolist() == usable["path"].tolist()
        assert made.images["n_copies"].tolist() == [1, 1, 1, 2] + [1] * 16
        one = registry.make_encoder("hog")
        for path, vector in zip(made.images["path"], made.matrix, strict=True):
            assert np.array_equal(one.prepare(Image.open(path).convert("RGB")), vector)

    def test_a_folder_is_scanned_first(self, folder: Path, tmp_path: Path) -> None:
        made = embed(folder, out=tmp_path / "run")
        assert (tmp_path / "run" / "images.parquet").exists()
        same = embed(scan_images(folder, progress=False))
        assert np.array_equal(made.matrix, same.matrix)
        assert made.encoder == same.encoder

    def test_columns_of_the_user_travel_along(self, folder: Path) -> None:
        given = pd.DataFrame({"path": sorted(folder.iterdir()), "likes": range(N_IMAGES)})
        made = embed(given)
        assert list(made.images.columns) == ["image_id", "path", "file", "n_copies", "likes"]
        assert made.images["likes"].tolist() == list(range(N_IMAGES))

    @pytest.mark.parametrize("batch_size", [1, 3, 8, 1000])
    def test_batches_do_not_matter(self, folder: Path, batch_size: int, encoder: Counting) -> None:
        made = embed(folder, batch_size=batch_size)
        assert max(encoder.batches) == min(batch_size, 8)
        assert np.array_equal(made.matrix, embed(folder).matrix)

    def test_threads_of_torch_are_left_as_they_were(self, folder: Path) -> None:
        import torch

        seen: list[int] = []
        before = torch.get_num_threads()
        torch.set_num_threads(3)
        embed(folder)
        thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert [torch.get_num_threads(), *seen] == [3, 3]
        torch.set_num_threads(before)

    def test_words_are_learnt_on_the_corpus(self, folder: Path) -> None:
        made, same, other = (
            embed(folder, "bovw"),
            embed(folder, "bovw"),
            embed(folder, "bovw", seed=1),
        )
        assert np.array_equal(made.matrix, same.matrix)
        assert not np.array_equal(made.state["words"], other.state["words"])
        assert made.encoder["state_sha256"] != other.encoder["state_sha256"]

    def test_words_do_not_depend_on_the_order_of_files(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagestrata.encoders.bovw.VisualWordsEncoder.fit_size", 6)
        table = scan_images(folder, progress=False)
        made, turned = embed(table, "bovw"), embed(table[::-1], "bovw")
        assert made.encoder == turned.encoder
        assert np.array_equal(made.matrix, turned.matrix[::-1])

    def test_progress_counts_every_image(self, folder: Path) -> None:
        seen: list[tuple[str, int, int | None]] = []
        embed_images(folder, "hog", progress=lambda *report: seen.append(report))
        assert seen[-1] == ("Scanning", N_IMAGES, N_IMAGES), "they are scanned and embedded at once"
        scanned = scan_images(folder, progress=False)
        embed_images(scanned, "hog", progress=lambda *report: seen.append(report))
        assert seen[-1] == ("Embedding", N_IMAGES, N_IMAGES)


class TestNewImages:
    def test_by_the_encoder_of_earlier_ones(self, folder: Path, tmp_path: Path) -> None:
        old = embed(folder, "bovw", out=tmp_path / "run")
        draw_picture(tmp_path / "new.jpg", 99)
        new = embed([tmp_path / "new.jpg", folder / "05.jpg"], Embeddings.load(tmp_path / "run"))
        assert new.encoder == old.encoder
        row = new.images["path"].tolist().index(str(folder / "05.jpg"))
        assert np.array_equal(new.matrix[row], old.matrix[5])
        alone = embed([tmp_path / "new.jpg", folder / "05.jpg"], "bovw")
        assert alone.encoder["state_sha256"] != old.encoder["state_sha256"]

    def test_they_can_be_stored_too(self, folder: Path, tmp_path: Path) -> None:
        old = embed(folder, "bovw")
        new = embed([folder / "05.jpg"], old, out=tmp_path / "new")
        loaded = Embeddings.load(tmp_path / "new")
        assert np.array_equal(loaded.matrix, new.matrix)
        assert np.array_equal(loaded.state["words"], old.state["words"])

    def test_not_by_an_array(self, folder: Path) -> None:
        with pytest.raises(ImagestrataError, match="so their encoder is unknown"):
            embed(folder, Embeddings.from_arrays(np.eye(3)))


class TestFailures:
    @pytest.fixture
    def table(self, folder: Path) -> pd.DataFrame:
        """A scan, after which files went, broke and changed."""
        table = scan_images(
            pd.DataFrame({"path": sorted(folder.iterdir()), "mark": range(N_IMAGES)}),
            progress=False,
        )
        (folder / "02.jpg").unlink()
        (folder / "09.jpg").write_bytes(b"")
        draw_picture(folder / "10.jpg", 100)
        return table

    def test_are_rows_with_a_reason(self, table: pd.DataFrame, tmp_path: Path) -> None:
        with pytest.warns(UserWarning, match="3 of 20 images could not be embedded"):
            made = embed(table, out=tmp_path / "run")
        assert len(made) == len(made.matrix) == 17
        assert made.failures["reason"].tolist() == [
            "file not found",
            "changed since the scan",
            "changed since the scan",
        ]
        assert made.failures["mark"].tolist() == [2, 9, 10]
        assert made.images["mark"].tolist() == [i for i in range(20) if i not in (2, 9, 10)]
        assert made.matrix.any(axis=1).all()
        loaded = Embeddings.load(tmp_path / "run")
        pd.testing.assert_frame_equal(loaded.failures, made.failures)
        pd.testing.assert_frame_equal(loaded.images, made.images)
        assert np.array_equal(loaded.matrix, made.matrix)
        counts = read_json(tmp_path / "run" / "run.json")["steps"]["embed"]["counts"]
        assert counts == {
            "images": 17,
            "failed": {"changed since the scan": 2, "file not found": 1},
        }

    def test_the_others_keep_their_vectors(self, folder: Path, table: pd.DataFrame) -> None:
        with pytest.warns(UserWarning):
            made = embed(table)
        whole = [path for path in sorted(folder.iterdir()) if path.name != "10.jpg"]
        undisturbed = embed([path for path in whole if path.stat().st_size])
        assert np.array_equal(made.matrix, undisturbed.matrix)

    def test_a_picture_that_decodes_no_more(self, folder: Path) -> None:
        table = scan_images(folder, progress=False)
        path = folder / "00.jpg"
        path.write_bytes(path.read_bytes()[:400])
        # Whoever brings a table of their own ids vouches for them.
        table.loc[0, "image_id"] = hashlib.sha256(path.read_bytes()).hexdigest()[:20]
        with pytest.warns(UserWarning, match=r"truncated or damaged \(1\)"):
            made = embed(table)
        assert made.failures["reason"].tolist() == ["truncated or damaged"]

    def test_all_of_them(self, folder: Path, tmp_path: Path) -> None:
        table = scan_images(folder, progress=False)
        moved = folder.rename(tmp_path / "elsewhere")
        with pytest.raises(
            ImagestrataError,
            match=r"None of 8 images could be read: file not found \(8\)\. The first is",
        ):
            embed(table, out=tmp_path / "run")
        moved.rename(folder)
        assert not list((tmp_path / "run" / "embeddings").glob("part-*"))
        assert len(embed(table, out=tmp_path / "run")) == N_IMAGES

    def test_vectors_that_are_not_numbers(
        self, folder: Path, encoder: Counting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Counting, "encode", lambda self, p: np.full((len(p), 836), np.nan))
        with pytest.raises(ImagestrataError, match=r"NaN or infinite numbers .*00\.jpg"):
            embed(folder)

    def test_a_table_without_usable_images(self, folder: Path) -> None:
        table = scan_images(folder, progress=False)
        with pytest.raises(ImagestrataError, match=r"None of 20 images has the status"):
            embed(table.assign(status="rejected"))

    def test_an_id_that_comes_twice(self, folder: Path) -> None:
        table = scan_images(folder, progress=False)
        with pytest.raises(ImagestrataError, match="occurs 2 times"):
            embed(pd.concat([table, table[3:4]]))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"batch_size": 0}, "`batch_size` must be at least 1"),
            ({"overwrite": "yes"}, "`overwrite` must be True or False"),
            ({"seed": 0.5}, "`seed` must be a whole number"),
            ({"resize": "zoom"}, "`resize` must be one of"),
            ({"progress": "bar"}, "`progress` must be"),
        ],
    )
    def test_arguments(self, folder: Path, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(ImagestrataError, match=message):
            embed_images(folder, "hog", **arguments)

    def test_missing_weights_show_before_the_scan(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagestrata.corpus.scan.scan_images", None)
        with pytest.raises(MissingWeightsError):
            embed(folder, "resnet18", weights=tmp_path / "nowhere.pth")


class TestRunFolder:
    def test_a_finished_run_is_loaded(
        self, folder: Path, tmp_path: Path, encoder: Counting
    ) -> None:
        made = embed(folder, out=tmp_path / "run")
        encoder.batches.clear()
        again = embed(folder, out=tmp_path / "run")
        assert encoder.batches == []
        assert np.array_equal(again.matrix, made.matrix)
        pd.testing.assert_frame_equal(again.images, made.images)

    def test_an_interrupted_run_goes_on(
        self,
        folder: Path,
        tmp_path: Path,
        encoder: Counting,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # With several workers, a later batch may be done before an earlier one.
        monkeypatch.setattr(engine, "usable_cores", lambda: 1)
        encoder.stop_after = 12
        with pytest.raises(KeyboardInterrupt):
            embed(folder, out=tmp_path / "run", batch_size=4)
        assert encoder.batches == [4, 4, 4]
        with pytest.raises(ImagestrataError, match="unfinished"):
            Embeddings.load(tmp_path / "run")
        encoder.stop_after = 10**9
        encoder.batches.clear()
        resumed = embed(folder, out=tmp_path / "run", batch_size=4)
        assert encoder.batches == [4, 4, 4]  # all but the part of 8 that was stored
        undisturbed = embed(folder, batch_size=4)
        assert resumed.matrix.tobytes() == undisturbed.matrix.tobytes()
        pd.testing.assert_frame_equal(resumed.images, undisturbed.images)

    @pytest.mark.parametrize("damage", ["bit", "truncated", "deleted", "another's"])
    def test_a_damaged_part_is_made_again_and_no_other(
        self, damage: str, folder: Path, tmp_path: Path, encoder: Counting
    ) -> None:
        run = tmp_path / "run"
        made = embed(folder, out=run)
        path = part(run, 1)
        content = bytearray(path.read_bytes())
        if damage == "bit":
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
        elif damage == "truncated":
            path.write_bytes(content[: len(content) // 2])
        elif damage == "deleted":
            path.unlink()
        else:
            # A whole part with the right name, but of other images.
            other = part(run, 0)
            shutil.copy(other, path.with_name(other.name.replace("00000", "00001")))
            path.unlink()
        with pytest.raises(ImagestrataError, match="unfinished") as caught:
            Embeddings.load(run)
        assert "only missing ones are computed" in caught.value.hint
        encoder.batches.clear()
        again = embed(folder, out=run)
        assert encoder.batches == [8]
        assert again.matrix.tobytes() == made.matrix.tobytes()
        assert np.array_equal(Embeddings.load(run).matrix, made.matrix)

    @pytest.mark.parametrize("name", ["encoder.json", "images.parquet"])
    @pytest.mark.parametrize("content", [None, b"{"])
    def test_other_files_are_made_again(
        self, name: str, content: bytes | None, folder: Path, tmp_path: Path, encoder: Counting
    ) -> None:
        made = embed(folder, out=tmp_path / "run")
        path = tmp_path / "run" / "embeddings" / name
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(ImagestrataError):
            Embeddings.load(tmp_path / "run")
        encoder.batches.clear()
        again = embed(folder, out=tmp_path / "run")
        assert encoder.batches == [] and np.array_equal(again.matrix, made.matrix)
        Embeddings.load(tmp_path / "run")

    def test_a_damaged_vocabulary_is_learnt_again(self, folder: Path, tmp_path: Path) -> None:
        made = embed(folder, "bovw", out=tmp_path / "run")
        (state,) = (tmp_path / "run" / "embeddings").glob("state.*")
        state.write_bytes(state.read_bytes()[:-9])
        with pytest.raises(ImagestrataError, match="unfinished"):
            Embeddings.load(tmp_path / "run")
        again = embed(folder, "bovw", out=tmp_path / "run")
        assert np.array_equal(again.matrix, made.matrix)

    def test_a_vocabulary_is_learnt_once(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = embed(folder, "bovw", out=tmp_path / "run")
        part(tmp_path / "run", 2).unlink()
        monkeypatch.setattr("imagestrata.encoders.bovw.VisualWordsEncoder.fit", None)
        again = embed(folder, "bovw", out=tmp_path / "run")
        assert np.array_equal(again.matrix, made.matrix)

    def test_other_settings_are_refused(self, folder: Path, tmp_path: Path) -> None:
        embed(folder, out=tmp_path / "run")
        with pytest.raises(ImagestrataError, match='resize="rescale_crop", not with resize="pad"'):
            embed(folder, out=tmp_path / "run", resize="pad")
        with pytest.raises(ImagestrataError, match='encoder="hog"'):
            embed(folder, "bovw", out=tmp_path / "run")

    def test_other_settings_replace_when_asked_to(self, folder: Path, tmp_path: Path) -> None:
        embed(folder, out=tmp_path / "run")
        made = embed(folder, "bovw", out=tmp_path / "run", overwrite=True)
        loaded = Embeddings.load(tmp_path / "run")
        assert loaded.encoder["name"] == "bovw" and np.array_equal(loaded.matrix, made.matrix)
        assert len(list((tmp_path / "run" / "embeddings").glob("part-*"))) == 3

    def test_fewer_images_leave_no_parts_behind(
        self, folder: Path, tmp_path: Path, encoder: Counting
    ) -> None:
        embed(folder, out=tmp_path / "run")
        for path in sorted(folder.iterdir())[8:]:
            path.unlink()
        encoder.batches.clear()
        made = embed(folder, out=tmp_path / "run", overwrite=True)
        assert len(made) == 8 and encoder.batches == []
        assert [path.name[:10] for path in (tmp_path / "run" / "embeddings").glob("part-*")] == [
            "part-00000"
        ]

    def test_the_seed_counts_only_where_something_is_drawn(
        self, folder: Path, tmp_path: Path
    ) -> None:
        embed(folder, out=tmp_path / "hog", seed=1)
        embed(folder, out=tmp_path / "hog", seed=2)
        embed(folder, "bovw", out=tmp_path / "bovw", seed=1)
        with pytest.raises(ImagestrataError, match="seed=1, not with seed=2"):
            embed(folder, "bovw", out=tmp_path / "bovw", seed=2)

    def test_killed_and_run_again(self, folder: Path, tmp_path: Path) -> None:
        """SIGKILL in the middle, in another process; then the same call."""
        script = (
            "import sys, time\n"
            "from imagestrata import embed_images\n"
            "from imagestrata import engine\n"
            "from imagestrata.corpus import known\n"
            "from imagestrata.embeddings import parts\n"
            "from imagestrata.encoders.hog import HogEncoder\n"
            "parts.PART_SIZE = known.PART_SIZE = 4\n"
            "engine._cores = lambda: 1\n"
            "encode = HogEncoder.encode\n"
            "def slow(self, prepared):\n"
            "    time.sleep(0.2)\n"
            "    return encode(self, prepared)\n"
            "HogEncoder.encode = slow\n"
            "embed_images(sys.argv[1], 'hog', out=sys.argv[2], progress=False)\n"
        )
        run = tmp_path / "run"
        command = [sys.executable, "-c", script, str(folder), str(run)]
        process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
        stored = run / "embeddings"
        while process.poll() is None and len(list(stored.glob("part-*"))) < 2:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        before = {path: path.stat().st_mtime_ns for path in stored.glob("part-*")}
        assert 2 <= len(before) < 5
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert {path: path.stat().st_mtime_ns for path in before} == before
        assert np.array_equal(Embeddings.load(run).matrix, embed(folder).matrix)


def test_encoders_only_need_the_two_strides(folder: Path) -> None:
    """What CONTRIBUTING says of a new encoder: a class with two methods is enough."""

    class MeanColour(Encoder):
        name, width, decode_side = "mean", 3, 1
        settings = {"name": "mean", "width": 3}  # noqa: RUF012

        def prepare(self, image: Image.Image) -> NDArray[np.float32]:
            return np.asarray(image, dtype=np.float32).mean(axis=(0, 1))

        def encode(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
            return np.stack(prepared)

    encoder = MeanColour()
    files = [(path.stem, str(path)) for path in folder.iterdir()]
    assert encoder.state() == {} and encoder.fit_size == 0
    with engine.open_engine() as threads:
        [(vectors, reasons)] = threads.map(partial(compute._encode, Portable(encoder)), [files])
    assert vectors.shape == (len(files), 3)
    assert set(reasons) == {str(Reason.CHANGED)}


@pytest.mark.shared
def test_real_images_and_weights(shared_data: Path, tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(shared_data / "caltech101-unbalanced.tar") as archive:
        members = [m for m in archive.getmembers() if m.name.endswith(".jpg")][:20]
        archive.extractall(tmp_path, members, filter="data")
    made = embed(
        tmp_path / "images",
        "mobilenet_v2",
        weights=shared_data / "mobilenet_v2_imagenet.pth",
        out=tmp_path / "run",
    )
    assert made.matrix.shape == (20, 1280) and made.failures.empty
    assert repr(made) == "Embeddings of 20 images, 1,280 numbers each, by mobilenet_v2"
