"""Vectors that stay on disk are the same as those in memory, whatever happens to the files."""

from __future__ import annotations

import copy
import errno
import hashlib
import mmap
import os
import pickle
import shutil
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from images import write_pictures
from imagestrata import (
    Embeddings,
    ImagestrataError,
    cluster_images,
    embed_images,
    reduce_embeddings,
)
from imagestrata.bridge import calls
from imagestrata.bridge.codec import decode_matrix, encode_matrix, encode_table
from imagestrata.embeddings import mapped, parts
from imagestrata.embeddings.embeddings import write_embeddings
from imagestrata.embeddings.inputs import as_embeddings, embeddings_fingerprint
from imagestrata.embeddings.parts import VectorParts, encoder_key, finish
from imagestrata.files import remove_half_written, write_table
from imagestrata.provenance import read_table
from imagestrata.rows import rows_not_finite

ENCODER = {"name": "drawn", "width": 3}


def write(folder: Path, matrix: Any, reasons: list[str | None]) -> None:
    """Embeddings as a run leaves them, with failures among the others."""
    n = len(matrix)
    images = pd.DataFrame(
        {"image_id": [f"i{i}" for i in range(n)], "path": "p", "n_copies": 1}
    ).astype({"image_id": "str", "path": "str"})
    width = matrix.shape[1]
    encoder = ENCODER | {"width": width}
    stored = VectorParts(folder / "embeddings", encoder_key(encoder))
    stored.clear()
    ids = images["image_id"].tolist()
    for start in range(0, n, parts.PART_SIZE):
        some = slice(start, start + parts.PART_SIZE)
        stored.write(ids[some], matrix[some], reasons[some])
    finish(folder / "embeddings", images, encoder)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "embeddings").iterdir()}


def vector_file(folder: Path) -> Path:
    (path,) = (folder / "embeddings").glob("vectors.*.npy")
    return path


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Corpora of any size are large, and have parts of 4 rows."""
    monkeypatch.setattr(mapped, "LARGEST_IN_MEMORY", 0)
    monkeypatch.setattr(parts, "PART_SIZE", 4)
    monkeypatch.setattr("imagestrata.corpus.known.PART_SIZE", 4)


@pytest.fixture
def run(always: None, tmp_path: Path) -> Path:
    """10 images in 3 parts, of which the third and the last have no vector."""
    matrix = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    reasons: list[str | None] = [None] * 10
    reasons[2], reasons[9] = "empty file", "file not found"
    write(tmp_path / "run", matrix, reasons)
    Embeddings.load(tmp_path / "run")
    return tmp_path / "run"


# ---- the same numbers ----


def test_a_case_by_hand(always: None, tmp_path: Path) -> None:
    matrix = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
    write(tmp_path, matrix, [None, "empty file", None])
    loaded = Embeddings.load(tmp_path)
    assert isinstance(loaded.matrix, np.memmap) and not loaded.matrix.flags.writeable
    assert loaded.matrix.tolist() == [[1, 2], [5, 6]]
    assert loaded.images["image_id"].tolist() == ["i0", "i2"]
    assert loaded.failures[["image_id", "reason"]].values.tolist() == [["i1", "empty file"]]
    # Any program with NumPy can read it.
    path = vector_file(tmp_path)
    assert np.load(path).tolist() == [[1, 2], [5, 6]]
    assert path.name == f"vectors.{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.npy"
    with pytest.raises(ValueError, match="read-only"):
        loaded.matrix[0, 0] = 9


@settings(max_examples=25, deadline=None)
@given(data=st.data(), n=st.integers(1, 20), width=st.integers(1, 5), part=st.integers(1, 7))
def test_mapped_is_what_is_in_memory(
    data: st.DataObject, n: int, width: int, part: int, tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("run")
    matrix = np.random.default_rng(n).normal(size=(n, width)).astype(np.float32)
    reason = st.sampled_from([None, None, "empty file", "out of memory"])
    reasons = data.draw(st.lists(reason, min_size=n, max_size=n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART_SIZE", part)
        write(folder, matrix, reasons)
        before = files(folder)
        plain = Embeddings.load(folder)
        assert type(plain.matrix) is np.ndarray and files(folder) == before
        patch.setattr(mapped, "LARGEST_IN_MEMORY", 0)
        first = Embeddings.load(folder)
        patch.setattr(VectorParts, "tables", None)
        second = Embeddings.load(folder)
    for loaded in (first, second):
        assert isinstance(loaded.matrix, np.memmap)
        assert loaded.matrix.shape == plain.matrix.shape
        assert loaded.matrix.tobytes() == plain.matrix.tobytes()
        pd.testing.assert_frame_equal(loaded.images, plain.images)
        pd.testing.assert_frame_equal(loaded.failures, plain.failures)
        assert embeddings_fingerprint(loaded) == embeddings_fingerprint(plain)


def test_only_what_is_larger_than_the_bound(tmp_path: Path, monkeypatch: Any) -> None:
    write(tmp_path, np.ones((4, 3), dtype=np.float32), [None] * 4)
    monkeypatch.setattr(mapped, "LARGEST_IN_MEMORY", 4 * 3 * 4)
    assert type(Embeddings.load(tmp_path).matrix) is np.ndarray
    assert not list(tmp_path.rglob("vectors.*"))
    monkeypatch.setattr(mapped, "LARGEST_IN_MEMORY", 4 * 3 * 4 - 1)
    assert isinstance(Embeddings.load(tmp_path).matrix, np.memmap)


def test_what_embeds_maps_too(always: None, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "images", 10)
    in_memory = embed_images(folder, "hog", progress=False)
    made = embed_images(folder, "hog", out=tmp_path / "run", progress=False)
    assert type(in_memory.matrix) is np.ndarray and isinstance(made.matrix, np.memmap)
    assert np.array_equal(in_memory.matrix, made.matrix)


def test_other_steps_take_them(run: Path) -> None:
    loaded = Embeddings.load(run)
    plain = Embeddings(loaded.images, np.array(loaded.matrix), loaded.encoder)
    reduced = reduce_embeddings(loaded, n_components=2, progress=False)
    expected = reduce_embeddings(plain, n_components=2, progress=False)
    assert np.array_equal(reduced.matrix, expected.matrix)
    first, second = (
        cluster_images(one, method="kmeans", n_clusters=3, progress=False)
        for one in (loaded, plain)
    )
    pd.testing.assert_frame_equal(first.images, second.images)
    loaded.save(run.parent / "saved")
    assert np.array_equal(Embeddings.load(run.parent / "saved").matrix, loaded.matrix)


# ---- damage ----


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES: list[Callable[[Path], None]] = [cut, flip, empty, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", ["npy", "parquet"])
def test_damaged_files_are_made_again(run: Path, kind: str, damage: Callable[[Path], None]) -> None:
    before, whole = files(run), np.array(Embeddings.load(run).matrix)
    (path,) = (run / "embeddings").glob(f"vectors.*.{kind}")
    damage(path)
    assert files(run) != before
    assert np.array_equal(Embeddings.load(run).matrix, whole)
    assert files(run) == before


def test_what_a_killed_run_left_is_not_used(run: Path) -> None:
    before = files(run)
    (list_of,) = (run / "embeddings").glob("vectors.*.parquet")
    list_of.unlink()
    (run / "embeddings" / "vectors.0123456789abcdef.npy").write_bytes(b"half")
    Embeddings.load(run)
    assert files(run) == before


def test_interrupted_at_any_moment_it_ends_the_same(run: Path, monkeypatch: Any) -> None:
    before = files(run)
    reached = 0
    for moment in range(100):
        for path in (run / "embeddings").glob("vectors.*"):
            path.unlink()
        (run / "embeddings" / "vectors.0123456789abcdef.npy").write_bytes(b"of before")
        left = [moment]
        with monkeypatch.context() as patch:
            for place, name in [(Path, "replace"), (Path, "unlink"), (os, "fsync")]:
                patch.setattr(place, name, interrupted(getattr(place, name), left))
            try:
                Embeddings.load(run)
            except KeyboardInterrupt:
                reached += 1
        remove_half_written(run)
        Embeddings.load(run)
        assert files(run) == before
        if left[0] >= 0:
            break
    assert reached > 5


def interrupted(work: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    """The same, until its turn comes; then nothing is done any more."""

    def done_or_not(*given: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return work(*given, **named)

    return done_or_not


@pytest.mark.parametrize("damage", [cut, empty, Path.unlink])
def test_parts_that_are_cut_or_gone_count_as_missing(
    run: Path, damage: Callable[[Path], None]
) -> None:
    """Although the mapped file is whole: the parts are what counts."""
    damage(next((run / "embeddings").glob("part-00001.*")))
    with pytest.raises(ImagestrataError, match="unfinished"):
        Embeddings.load(run)


def test_a_flipped_part_does_no_harm_and_is_noticed_when_it_is_read(run: Path) -> None:
    whole = np.array(Embeddings.load(run).matrix)
    flip(next((run / "embeddings").glob("part-00001.*")))
    assert np.array_equal(Embeddings.load(run).matrix, whole)
    vector_file(run).unlink()
    with pytest.raises(ImagestrataError, match="unfinished"):
        Embeddings.load(run)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_embeds_makes_damaged_parts_again(
    always: None, tmp_path: Path, damage: Callable[[Path], None], monkeypatch: Any
) -> None:
    folder = write_pictures(tmp_path / "images", 10)
    embed_images(folder, "hog", out=tmp_path / "run", progress=False)
    before = files(tmp_path / "run")
    damage(next((tmp_path / "run" / "embeddings").glob("part-00001.*")))
    written: list[list[str]] = []
    make = VectorParts.write
    monkeypatch.setattr(
        VectorParts, "write", lambda *given: (written.append(given[1]), make(*given))[1]
    )
    embed_images(folder, "hog", out=tmp_path / "run", progress=False)
    assert [len(ids) for ids in written] == [4]
    assert files(tmp_path / "run") == before


def test_other_parts_other_vectors(run: Path) -> None:
    old = Embeddings.load(run)
    numbers = np.array(old.matrix)
    write(run, np.ones((10, 3), dtype=np.float32), [None] * 10)
    new = Embeddings.load(run)
    assert (new.matrix == 1).all() and len(new) == 10 and new.failures.empty
    assert len(list((run / "embeddings").glob("vectors.*"))) == 2
    # Whoever had mapped the old ones keeps them.
    assert np.array_equal(old.matrix, numbers)


def test_other_images_other_vectors(run: Path) -> None:
    """Same vectors, same parts but for the ids in them."""
    loaded = Embeddings.load(run)
    images = loaded.images.assign(image_id=[f"other {row}" for row in range(len(loaded))])
    write_embeddings(Embeddings(images, loaded.matrix, loaded.encoder), run / "embeddings")
    again = Embeddings.load(run)
    assert again.images["image_id"].tolist() == images["image_id"].tolist()
    assert np.array_equal(again.matrix, loaded.matrix)


def test_a_table_of_other_images_does_not_fit(run: Path) -> None:
    """No vector is ever taken for that of another image."""
    path = run / "embeddings" / "images.parquet"
    before, table = Embeddings.load(run), read_table(path)
    write_table(path, table.iloc[::-1])
    turned = Embeddings.load(run)
    assert turned.images["image_id"].tolist() == before.images["image_id"].tolist()[::-1]
    assert np.array_equal(turned.matrix, before.matrix[::-1])
    write_table(path, table.assign(image_id=[*table["image_id"][:-1], "another"]))
    with pytest.raises(ImagestrataError, match="unfinished"):
        Embeddings.load(run)


def test_small_ones_in_place_of_large_leave_nothing_behind(run: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(mapped, "LARGEST_IN_MEMORY", 2**20)
    reduce_embeddings(np.eye(8), n_components=2, out=run, progress=False)
    assert not list(run.rglob("vectors.*"))
    assert Embeddings.load(run).matrix.shape == (8, 2)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_without_room_for_the_file_they_are_in_memory(
    run: Path, monkeypatch: Any, number: int
) -> None:
    whole = np.array(Embeddings.load(run).matrix)
    vector_file(run).unlink()
    before = files(run)

    def full(*_: Any) -> None:
        raise OSError(number, "no")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.warns(UserWarning, match="are loaded into memory"):
            loaded = Embeddings.load(run)
    assert type(loaded.matrix) is np.ndarray and np.array_equal(loaded.matrix, whole)
    assert files(run) == before


def test_two_at_once(run: Path) -> None:
    before = files(run)
    found: list[Any] = []
    for path in (run / "embeddings").glob("vectors.*"):
        path.unlink()
    threads = [
        threading.Thread(target=lambda: found.append(Embeddings.load(run).matrix)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and files(run) == before
    assert all(isinstance(one, np.memmap) for one in found)
    assert all(np.array_equal(one, found[0]) for one in found)


def test_r_gets_an_ordinary_matrix(run: Path) -> None:
    loaded = Embeddings.load(run)
    answer = calls.call("read_matrix", str(run))["value"]
    sent = answer["matrix"]
    flat = np.frombuffer(sent["data"], dtype="<f4")
    assert np.array_equal(flat.reshape(sent["dim"][::-1]).T, loaded.matrix)
    # What R gives back names the folder. All images in their order: nothing is copied.
    for rows in (np.arange(8), np.array([5, 2])):
        images = encode_table(loaded.images.iloc[rows])
        received = calls._receive(
            {"kind": "embeddings", "folder": str(run), "images": images, "encoder": "{}"}
        )
        assert np.array_equal(received.matrix, loaded.matrix[rows])
        assert isinstance(received.matrix.base, mmap.mmap) == (len(rows) == 8)


# ---- copies ----


def test_copies_and_pickles_refer_to_the_file(run: Path) -> None:
    loaded = as_embeddings(Embeddings.load(run))
    for twin in (copy.copy(loaded), copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded))):
        assert isinstance(twin.matrix, np.memmap)
        assert Path(str(twin.matrix.filename)) == vector_file(run)
        assert np.array_equal(twin.matrix, loaded.matrix)
        pd.testing.assert_frame_equal(twin.images, loaded.images)
    packed = pickle.dumps(loaded)
    shutil.rmtree(run)
    with pytest.raises(ImagestrataError, match="cannot be read"):
        pickle.loads(packed)


@pytest.mark.parametrize("part", [slice(0, 2), slice(1, None), slice(None, None, 2)])
def test_some_rows_are_pickled_as_they_are(run: Path, part: slice) -> None:
    loaded = Embeddings.load(run)
    some = Embeddings(loaded.images[part], loaded.matrix[part], loaded.encoder)
    expected = np.array(some.matrix)
    packed = pickle.dumps(some)
    shutil.rmtree(run)
    assert np.array_equal(pickle.loads(packed).matrix, expected)


def test_changes_that_no_file_has_are_pickled(run: Path) -> None:
    loaded = Embeddings.load(run)
    loaded.matrix = np.load(vector_file(run), mmap_mode="c")
    loaded.matrix[0, 0] = 9
    assert pickle.loads(pickle.dumps(loaded)).matrix[0, 0] == 9


def test_the_fingerprint_is_what_it_was() -> None:
    """Clusterings and pairs that are stored refer to it."""
    assert embeddings_fingerprint(Embeddings.from_arrays(np.eye(3))) == "5b7eaacee6eaf0e5"


def test_numbers_that_cannot_change_are_looked_at_once(monkeypatch: Any) -> None:
    looked: list[int] = []
    look = rows_not_finite

    def counted(matrix: Any) -> Any:
        looked.append(len(matrix))
        return look(matrix)

    fixed, free = (Embeddings.from_arrays(np.eye(3, dtype=np.float32)) for _ in range(2))
    monkeypatch.setattr("imagestrata.embeddings.embeddings.rows_not_finite", counted)
    fixed.matrix.flags.writeable = False
    for _ in range(3):
        as_embeddings(fixed)
    assert len(looked) == 1
    as_embeddings(free)
    free.matrix[1, 1] = np.nan
    with pytest.raises(ImagestrataError, match="1 of 3 vectors hold NaN"):
        as_embeddings(free)
    fixed.matrix = free.matrix
    with pytest.raises(ImagestrataError, match="1 of 3 vectors hold NaN"):
        as_embeddings(fixed)


@pytest.fixture(scope="module")
def large(tmp_path_factory: Any) -> Iterator[Any]:
    """32 MB of vectors in a file."""
    path = tmp_path_factory.mktemp("large") / "vectors.npy"
    np.save(path, np.random.default_rng(0).normal(size=(16384, 512)).astype(np.float32))
    yield np.load(path, mmap_mode="r")


def most_memory(work: Callable[[], Any]) -> float:
    """The most memory that work takes at any moment, in MB, mapped files not counted."""
    tracemalloc.start()
    try:
        kept = work()
        del kept
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_no_copy_of_all_is_ever_made(large: Any, tmp_path: Path, monkeypatch: Any) -> None:
    megabytes = large.nbytes / 1e6
    made = Embeddings.from_arrays(large)
    assert most_memory(lambda: Embeddings.from_arrays(large)) < megabytes / 2
    assert most_memory(lambda: as_embeddings(made)) < megabytes / 2
    assert most_memory(lambda: embeddings_fingerprint(made)) < megabytes / 2
    assert most_memory(lambda: repr(made)) < 1
    assert most_memory(lambda: made.save(tmp_path / "run")) < megabytes / 2
    monkeypatch.setattr(mapped, "LARGEST_IN_MEMORY", 0)
    assert most_memory(lambda: Embeddings.load(tmp_path / "run")) < megabytes / 2
    assert most_memory(lambda: Embeddings.load(tmp_path / "run")) < megabytes / 2
    loaded = Embeddings.load(tmp_path / "run")
    assert most_memory(lambda: pickle.dumps(loaded)) < megabytes / 2
    assert most_memory(lambda: reduce_embeddings(loaded, n_components=4, progress=False)) < (
        megabytes / 2
    )
    # R gets an ordinary matrix: one copy, and not two.
    sent: dict[str, Any] = {}
    assert most_memory(lambda: sent.update(encode_matrix(loaded.matrix))) < 1.1 * megabytes
    numbers = np.frombuffer(sent["data"], dtype="<f4").astype("<f8")
    received = decode_matrix({"dim": sent["dim"], "data": numbers.tobytes()})
    assert np.array_equal(received, large) and np.array_equal(loaded.matrix, large)
