"""The program in places that lack what is usual: letters, a home, a name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import images
from imagestrata import ImagestrataError, scan_images
from imagestrata.encoders import weights
from imagestrata.provenance import version
from imagestrata.validate import expand_home


def run(
    *words: object, before: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess:
    """The program in a process of its own, with nothing in its environment but this."""
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        [*before, sys.executable, "-m", "imagestrata", *map(str, words)],
        capture_output=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": paths, **environment},
        check=False,
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    return images.write_pictures(tmp_path_factory.mktemp("photos"), 12)


def test_the_version():
    shown = run("--version")
    assert (shown.returncode, shown.stdout.decode().strip()) == (0, f"imagestrata {version()}")


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "latin-1"])
def test_letters_that_a_terminal_lacks(photos, tmp_path, encoding):
    out = tmp_path / "катка \U0001f431"
    shown = run("scan", photos, "--out", out, "-q", PYTHONIOENCODING=encoding)
    assert (shown.returncode, shown.stderr) == (0, b"")
    told = run("scan", photos, "--out", out, "-q", "--json", PYTHONIOENCODING=encoding)
    assert json.loads(told.stdout.decode(encoding))["n_images"] == 12
    assert run("-h", PYTHONIOENCODING=encoding).returncode == 0
    missing = run("scan", tmp_path / "\U0001f431", "--out", out, PYTHONIOENCODING=encoding)
    assert missing.returncode == 2
    assert b"Traceback" not in missing.stderr and b"\\U0001f431" in missing.stderr


def test_json_keeps_its_values_where_letters_lack(photos, tmp_path):
    out = tmp_path / "\U0001f431"
    run("scan", photos, "--out", out, "-q")
    drawn = run(
        "demo", tmp_path / "\U0001f431 demo", "--n-images", 20, "--json", PYTHONIOENCODING="cp1252"
    )
    assert Path(json.loads(drawn.stdout)["folder"]).name == "\U0001f431 demo"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disks_behind_the_output(photos, tmp_path):
    """What is said is lost; what is stored is not, and no traceback is shown."""
    command = [sys.executable, "-m", "imagestrata", "scan", str(photos), "--out"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with open("/dev/full", "w") as full:  # noqa: PTH123
        silent = subprocess.run(
            [*command, tmp_path / "a"], stderr=full, stdout=subprocess.PIPE, env=environment
        )
        lost = subprocess.run(
            [*command, tmp_path / "b"], stdout=full, stderr=subprocess.PIPE, env=environment
        )
    assert silent.returncode == 0 and b"12 distinct images" in silent.stdout
    assert lost.returncode != 0 and b"could not be written" in lost.stderr
    assert b"Traceback" not in lost.stderr
    assert (tmp_path / "a/images.parquet").is_file() and (tmp_path / "b/images.parquet").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps folders that are in use")
def test_a_working_folder_that_is_gone(photos, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ImagestrataError, match="working folder no longer exists"):
        scan_images("photos", progress=False)
    with pytest.raises(ImagestrataError, match="working folder no longer exists"):
        scan_images(photos, out="run", progress=False)
    assert len(scan_images(photos, out=tmp_path / "run", progress=False)) == 12


def test_without_a_home_and_a_name(photos, tmp_path):
    """As of a container's user id, or a batch job without an environment."""
    unshare = shutil.which("unshare")
    someone = (str(unshare), "-U", "--map-user=12345", "--map-group=12345")
    if (
        unshare is None
        or subprocess.run([*someone, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("needs `unshare` and the right to make a namespace of users")
    for words in (["doctor"], ["scan", photos, "--out", tmp_path / "run", "-q"]):
        shown = run(*words, before=someone)
        assert (shown.returncode, b"Traceback" in shown.stderr) == (0, False), shown.stderr
    asked = run("scan", "~/photos", "--out", tmp_path / "other", "-q", before=someone)
    assert asked.returncode == 2 and b"does not exist" in asked.stderr


def test_paths_where_there_is_no_home(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", os.fspath)
    for name in ("XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert expand_home("~/a") == Path("~/a")
    assert weights.checkpoint_folder().is_absolute()
