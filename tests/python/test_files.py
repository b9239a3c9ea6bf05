"""Files are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imagestrata.errors import ImagestrataError
from imagestrata.files import Parts, make_folder, write_table, write_text
from imagestrata.provenance import read_table

TABLE = pd.DataFrame({"image_id": ["a", "b"], "x": [1.5, None]})


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path / "parts")


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    write_text(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ImagestrataError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_an_error_while_clearing_up_is_no_error(tmp_path, monkeypatch):
    """A file that is written is written, even if the disk fails to remove a temporary one."""

    def failing(path, missing_ok=False):
        del missing_ok
        if path.name.endswith(".tmp") and (tmp_path / "a.txt").exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(Path, "unlink", failing)
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_real_limit_on_file_size_is_reported_and_leaves_nothing(tmp_path):
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from imagestrata.files import write_bytes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_bytes(Path(sys.argv[1]), bytes(5000))\n"
        "except ValueError as error: print(error)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "big")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "No space left to write" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_parts_come_back_as_written(parts):
    parts.write("part-0", TABLE)
    pd.testing.assert_frame_equal(parts.read("part-0").to_pandas(), TABLE)
    assert parts.read("part-1") is None


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_part_is_noticed_and_made_again(parts, damage):
    path = parts.write("part-0", TABLE)
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    path.write_bytes({"flip": data, "cut": data[:-7], "empty": b""}[damage])
    calls = []

    def make():
        calls.append(1)
        return TABLE

    pd.testing.assert_frame_equal(parts.load("part-0", make).to_pandas(), TABLE)
    parts.load("part-0", make)
    assert len(calls) == 1


@pytest.mark.parametrize("turn", [1, -1])
def test_of_two_parts_of_a_key_the_newer_counts(parts, turn):
    """Two remain if a process is killed before it removes the older one, whatever their names."""
    tables = [pd.DataFrame({"x": [0]}), pd.DataFrame({"x": [1]})]
    for place, table in enumerate(tables[::turn]):
        kept = Parts(parts.folder / str(place)).write("a", table)
        twin = parts.folder / kept.name
        twin.write_bytes(kept.read_bytes())
        os.utime(twin, ns=(place, place))
    listed = Parts(parts.folder)
    listed.list_once()
    assert listed.read("a")["x"].to_pylist() == tables[::turn][1]["x"].tolist()
    assert [path.name for path in parts.folder.glob("a.*")] == [kept.name]
    assert parts.read("a")["x"].to_pylist() == tables[::turn][1]["x"].tolist()


def test_a_new_part_replaces_the_old_one_of_its_key(parts):
    parts.write("part-0", TABLE)
    parts.write("part-0", TABLE.head(1))
    parts.write("part-01", TABLE)
    assert len(list(parts.folder.iterdir())) == 2
    assert parts.read("part-0").num_rows == 1


def test_damaged_table_says_what_to_do(tmp_path):
    path = tmp_path / "images.parquet"
    write_table(path, TABLE)
    pd.testing.assert_frame_equal(read_table(path), TABLE)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(ImagestrataError, match="Delete it and run the same call again"):
        read_table(path)


def test_a_changed_value_in_a_saved_table_is_noticed(tmp_path):
    """Where no ``run.json`` has its hash: pages of values have checksums."""
    path = tmp_path / "images.parquet"
    table = pd.DataFrame({"x": np.random.default_rng(0).random(2000)})
    write_table(path, table)
    whole = path.read_bytes()
    for place in range(1000, 12000, 1000):
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(data)
        with pytest.raises(ImagestrataError, match="is damaged"):
            read_table(path)


def test_output_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ImagestrataError, match="must be a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(ImagestrataError, match="must be a folder"):
        make_folder(tmp_path / "file" / "below")


def test_output_without_permission(tmp_path, unprivileged):
    with unprivileged(), pytest.raises(ImagestrataError, match="No permission to write"):
        make_folder("/imagestrata-may-not-write-here")


def test_what_a_killed_process_left_of_a_file_goes(tmp_path):
    """Also where nobody holds a lock: some are written when their step is finished."""
    from imagestrata.explore.figure import figure

    for name in ("scores.csv", "other.csv", "tuning.png", "predictions.parquet"):
        (tmp_path / f".{name}.4711.tmp").write_text("half")
    for name in ("scores.csv", "predictions.parquet"):
        write_table(tmp_path / name, pd.DataFrame({"a": [1]}))
    with figure(1, 1, tmp_path / "tuning.png"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".other.csv.4711.tmp",
        "predictions.parquet",
        "scores.csv",
        "tuning.png",
    ]


class TestNumberedParts:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        monkeypatch.setattr("imagestrata.files.PARTS_PER_FOLDER", 3)

    def test_beyond_a_number_they_are_in_subfolders(self, tmp_path):
        parts = Parts(tmp_path)
        names = [parts.append(TABLE) for _ in range(8)]
        assert names == [f"part-{number:05d}" for number in range(8)]
        places = [path.parent.name for path in sorted(tmp_path.rglob("*.parquet"))]
        assert sorted(places) == [*3 * ["001"], *2 * ["002"], *3 * [tmp_path.name]]
        again = Parts(tmp_path)
        assert again.numbered() == names
        for name in names:
            pd.testing.assert_frame_equal(again.read(name).to_pandas(), TABLE)
            pd.testing.assert_frame_equal(Parts(tmp_path).read(name).to_pandas(), TABLE)

    def test_a_free_number_is_used_again(self, tmp_path):
        parts = Parts(tmp_path)
        names = [parts.append(TABLE) for _ in range(5)]
        damaged = next(tmp_path.rglob("part-00004.*"))
        damaged.write_bytes(damaged.read_bytes()[:-1])
        again = Parts(tmp_path)
        assert [name for name in again.numbered() if again.read(name) is not None] == names[:4]
        again.remove("part-00001")
        assert [again.append(TABLE) for _ in range(3)] == [
            "part-00001",
            "part-00004",
            "part-00005",
        ]
