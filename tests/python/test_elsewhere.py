"""What other systems ask for, as far as it can be checked on this one.

Windows and macOS ignore capitals in names of files. Windows lacks some characters and names, and
reads text in an encoding of its own unless it is told another one. It refuses to rename or remove
files that are open, and to send files to the disk that are open for reading only.
"""

from __future__ import annotations

import ast
import contextlib
import errno
import ntpath
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import images
import imagestrata
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    assign_annotators,
    cluster_images,
    edit_clusters,
    embed_images,
    export_packets,
    image_gallery,
    sample_images,
    share_bundle,
)
from imagestrata import files as our_files
from imagestrata.annotation.export import as_addresses
from imagestrata.embeddings import mapped
from imagestrata.encoders.weights import checkpoint_folder
from imagestrata.explore.gallery import _bases
from imagestrata.files import atomic, check_portable, rename, write_error, write_text

REPOSITORY = Path(__file__).parents[2]
PACKAGE = Path(imagestrata.__file__).parent

#: Characters that no name has on Windows, and endings that it drops.
FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ](/|$)')


def test_names_that_other_systems_lack_are_refused():
    check_portable(["a.html", "b/a.html", "b/A2.html", "console.html"])
    for names in (["P1.html", "p1.html"], ["\u00fc.csv", "u\u0308.csv"], ["a/X.jpg", "A/x.jpg"]):
        with pytest.raises(ImagestrataError, match="are one file on systems that ignore"):
            check_portable(names)
    for name in ("con.html", "images/NUL.jpg", "Com1", "lpt9.tar.gz"):
        with pytest.raises(ImagestrataError, match="the name of a device"):
            check_portable([name])


@pytest.mark.parametrize("to", ["page", "csv"])
def test_packets_whose_files_would_be_one_file_are_refused(tmp_path, to):
    pictures = images.write_pictures(tmp_path / "pictures", 2)
    paths = [str(path) for path in sorted(pictures.iterdir())]
    packets = pd.DataFrame(
        {
            "packet_id": ["P1", "p1"],
            "group": "A",
            "position": 1,
            "cluster": 1,
            "image_id": ["a", "b"],
            "path": paths,
        }
    )
    given = {"to": to, "items": ["hopeful"], "progress": False}
    with pytest.raises(ImagestrataError, match=r"P1.*p1.*one file"):
        export_packets(packets, tmp_path / "out", **given)
    assert not list((tmp_path / "out").glob("p1*"))
    export_packets(packets.assign(packet_id=["P1", "P2"]), tmp_path / "out", **given)
    assert (tmp_path / "out" / "packets.csv").is_file()


def test_no_packet_takes_the_place_of_the_table_of_packets(tmp_path):
    pictures = images.write_pictures(tmp_path / "pictures", 1)
    packets = pd.DataFrame(
        {
            "packet_id": ["Packets"],
            "group": "A",
            "position": 1,
            "cluster": 1,
            "image_id": ["a"],
            "path": [str(next(pictures.iterdir()))],
        }
    )
    with pytest.raises(ImagestrataError, match="not a valid file name"):
        export_packets(packets, tmp_path / "out", to="csv", items=["hopeful"], progress=False)


def test_all_files_of_a_run_have_names_that_every_system_has(tmp_path):
    pictures = images.write_pictures(tmp_path / "pictures", 16)
    run = tmp_path / "run"
    given = {"out": run, "encoder": "hog", "progress": False, "seed": 1}
    topics = cluster_images(pictures, n_clusters=2, method="kmeans", **given)
    drawn = sample_images(topics, n_per_cluster=2, seed=1, out=run)
    image_gallery(topics, run, sample=drawn, progress=False)
    names = [path.relative_to(run).as_posix() for path in run.rglob("*")]
    assert len(names) > 10
    check_portable(names)
    assert [name for name in names if FORBIDDEN.search(name)] == []


def test_the_repository_can_be_cloned_everywhere():
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True
    )
    names = done.stdout.decode("utf-8").rstrip("\0").split("\0")
    check_portable(names)
    assert [name for name in names if FORBIDDEN.search(name)] == []
    # Windows allows 260 characters for a whole path.
    assert max(map(len, names)) < 120


def opens_text(call: ast.Call) -> bool:
    """Whether a call opens a file as text in the encoding of the system."""
    function = call.func
    if not isinstance(function, ast.Attribute | ast.Name):
        return False
    name = function.attr if isinstance(function, ast.Attribute) else function.id
    if any(keyword.arg == "encoding" for keyword in call.keywords):
        return False
    if name in ("read_text", "write_text"):
        # Our own functions of these names have one encoding.
        return isinstance(function, ast.Attribute) and ast.unparse(function.value) != "imagestrata"
    mode = call.args[-1].value if call.args and isinstance(call.args[-1], ast.Constant) else "r"
    if name != "open" or (isinstance(mode, str) and "b" in mode):
        return False
    others = ("os", "webbrowser", "av", "Image", "zipfile", "tarfile")
    return not (isinstance(function, ast.Attribute) and ast.unparse(function.value) in others)


def test_the_rule_for_encodings_sees_what_it_looks_for():
    bad = "open(path)", "path.open('w')", "path.read_text()", "path.write_text(text)"
    good = "open(path, 'rb')", "path.read_text(encoding='utf-8')", "write_text(path, text)"
    for code, found in [*((one, True) for one in bad), *((one, False) for one in good)]:
        (call,) = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
        assert opens_text(call) == found, code


def test_no_text_is_read_or_written_in_the_encoding_of_the_system():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert not opens_text(node), f"{path}, line {node.lineno}"


def opens_with_other_newlines(call: ast.Call) -> bool:
    """Whether a call writes text in which Windows would have other newlines."""
    function = call.func
    if not isinstance(function, ast.Attribute):
        return False
    given = {keyword.arg for keyword in call.keywords}
    mode = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else ""
    writes = function.attr == "open" and str(mode)[:1] in ("w", "x", "a") and "b" not in str(mode)
    return (writes or function.attr == "write_text") and "newline" not in given


def test_tables_have_the_same_newlines_everywhere():
    for code, found in [
        ("path.open('w', encoding='utf-8')", True),
        ("path.write_text(text, encoding='utf-8')", True),
        ("path.open('w', encoding='utf-8', newline='')", False),
        ("path.open('wb')", False),
        ("path.open()", False),
    ]:
        (call,) = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
        assert opens_with_other_newlines(call) == found, code
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert not opens_with_other_newlines(node), f"{path}, line {node.lineno}"


def open_files() -> set[str]:
    """The files that this process has open or (on Linux) mapped into memory."""
    import fcntl

    found = set()
    for descriptor in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):
            if sys.platform == "darwin":
                path = fcntl.fcntl(int(descriptor.name), fcntl.F_GETPATH, bytes(1024))
                found.add(os.fsdecode(path.rstrip(b"\0")))
            else:
                found.add(str(descriptor.readlink()))
    if sys.platform == "linux":
        for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
            found.update(line.split(maxsplit=5)[5:])
    return {file for file in found if Path(file).is_file()}


def refused(number: int, path: os.PathLike[str] | str) -> PermissionError:
    """An error of Windows, which has a number of its own."""
    error = PermissionError(errno.EACCES, "Access is denied", os.fspath(path))
    error.winerror = number
    return error


@pytest.fixture
def windows(monkeypatch) -> None:
    """Open files cannot be renamed, replaced or removed, and fsync() needs the right to write."""
    monkeypatch.setattr(our_files, "_WAITS", ())
    if sys.platform == "win32":
        return

    def guarded(function):
        def call(*paths, dir_fd=None, **given):
            held = open_files()
            for path in paths:
                above = "" if dir_fd is None else Path(f"/proc/self/fd/{dir_fd}").readlink()
                whole = os.path.realpath(Path(above, path))
                if any(file == whole or file.startswith(whole + os.sep) for file in held):
                    raise refused(32, whole)
            return function(*paths, **given, **({} if dir_fd is None else {"dir_fd": dir_fd}))

        return call

    sync = os.fsync

    def fsync(file):
        os.write(file, b"")
        sync(file)

    for name in ("replace", "rename", "unlink", "remove"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))
    monkeypatch.setattr(os, "fsync", fsync)


def test_the_simulated_windows_refuses_what_windows_refuses(tmp_path, windows):
    file, other = tmp_path / "a" / "b.txt", tmp_path / "c.txt"
    file.parent.mkdir()
    file.write_bytes(b"1" * 5000)
    other.write_bytes(b"2")
    with file.open("rb") as opened:
        for attempt in (
            file.unlink,
            lambda: other.replace(file),
            lambda: file.parent.rename(tmp_path / "d"),
            lambda: shutil.rmtree(file.parent),
        ):
            with pytest.raises(PermissionError, match=r"denied|used by another process"):
                attempt()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fsync(opened.fileno())
    pixels = np.memmap(file, dtype=np.uint8, mode="r")
    with pytest.raises(PermissionError):
        file.unlink()
    del pixels
    file.unlink()


def test_a_study_goes_through_where_open_files_stay(tmp_path, windows):
    pictures = images.write_pictures(tmp_path / "pictures", 16)
    run = tmp_path / "run"
    quiet = {"progress": False}
    vectors = embed_images(pictures, "hog", out=run, **quiet)
    given = {"method": "kmeans", "seed": 1, "out": run, **quiet}
    first = cluster_images(vectors, n_clusters=2, **given)
    drawn = sample_images(first, n_per_cluster=2, seed=1, out=run)
    image_gallery(first, run, sample=drawn, **quiet)
    # All of these replace files whose results this session holds.
    second = cluster_images(vectors, n_clusters=3, overwrite=True, **given)
    drawn = sample_images(second, n_per_cluster=2, seed=1, out=run)
    page = image_gallery(second, run, sample=drawn, **quiet)
    packets = assign_annotators(drawn, n_images=3, raters_per_group=2, seed=1, out=run)
    rate = {"items": ["hopeful"], **quiet}
    export_packets(packets, run / "rate", **rate)
    export_packets(packets, run / "rate", overwrite=True, **rate)
    bundle = {"warning": None, "thumbnails": True, **quiet}
    with pytest.warns(UserWarning):
        share_bundle(run, tmp_path / "bundle", **bundle)
    with pytest.warns(UserWarning):
        share_bundle(run, tmp_path / "bundle", overwrite=True, **bundle)
    smaller = edit_clusters(second, merge=[[1, 2]], out=run)
    assert page.is_file()
    assert len(smaller.clusters) == 2
    assert len(Clustering.load(run).clusters) == 2
    assert len(Clustering.load(tmp_path / "bundle").images) == len(first.images)


def test_mapped_vectors_that_are_in_use_are_not_taken_for_a_lack_of_rights(
    tmp_path, windows, monkeypatch
):
    monkeypatch.setattr(mapped, "LARGEST_IN_MEMORY", 0)
    run = tmp_path / "run"
    pictures = images.write_pictures(tmp_path / "pictures", 8)
    embed_images(pictures, "hog", out=run, progress=False)
    held = Embeddings.load(run)
    assert mapped.file_of(held.matrix) is not None
    if open_files():  # as Linux and Windows have it
        with pytest.raises(ImagestrataError, match="while it is open in another program or ses"):
            embed_images(pictures, "hog", resize="squish", out=run, overwrite=True, progress=False)


def test_a_file_that_a_virus_scanner_has_open_for_a_moment_is_waited_for(tmp_path, monkeypatch):
    really, refusals = Path.replace, [refused(32, "x"), refused(5, "x")]

    def replace(path, target):
        if refusals:
            raise refusals.pop()
        return really(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(our_files, "_WAITS", (0, 0))
    write_text(tmp_path / "a.txt", "kept")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "kept"
    refusals[:] = [refused(32, "x") for _ in range(3)]
    with (
        pytest.raises(ImagestrataError, match="open in another program"),
        atomic(tmp_path / "a.txt") as temporary,
    ):
        temporary.write_bytes(b"lost")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    # Without the number of Windows, a refusal is one.
    refusals[:] = [PermissionError(errno.EACCES, "no")]
    with pytest.raises(PermissionError):
        rename(tmp_path / "a.txt", tmp_path / "b.txt")


def test_a_path_that_is_too_long_for_windows_is_said():
    error = FileNotFoundError(errno.ENOENT, "The system cannot find the path specified")
    error.winerror = 3
    long = Path("/" + "a" * 200, "b" * 100)
    assert "302 characters, more than this system allows" in str(write_error(long, error))
    assert "characters" not in str(write_error(Path("/a"), error))
    assert "No permission" in str(write_error(Path("/no/such/file"), refused(5, "x")))


def test_a_user_without_a_home_and_a_number_has_a_folder_of_weights(monkeypatch):
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", os.fspath)
    monkeypatch.delattr(os, "getuid", raising=False)
    assert checkpoint_folder().parts[-3:] == ("torch-", "hub", "checkpoints")


def test_images_on_several_drives(tmp_path, monkeypatch):
    here = Path.cwd().as_uri() + "/"
    assert _bases("", ["a.jpg", None], tmp_path)[-1] == here
    with monkeypatch.context() as patched:
        patched.setattr(os.path, "isabs", ntpath.isabs)
        assert _bases("", ["C:\\a.jpg", "D:\\b.jpg"], tmp_path) == ["file:///"]
    table = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"]})

    def none(paths):
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr(os.path, "commonpath", none)
    with pytest.raises(ImagestrataError, match="are on several drives"):
        as_addresses(table, "https://www.example.org")


def test_paths_in_a_run_leave_room_for_a_folder_of_windows(tmp_path):
    """A path has at most 259 characters there, and folders of users take some of them."""
    pictures = images.write_pictures(tmp_path / "pictures", 16)
    run = tmp_path / "run"
    given = {"out": run, "encoder": "hog", "progress": False, "seed": 1}
    topics = cluster_images(pictures, n_clusters=2, method="kmeans", **given)
    drawn = sample_images(topics, n_per_cluster=2, seed=1, out=run)
    image_gallery(topics, run, sample=drawn, progress=False)
    topics = cluster_images(pictures, n_clusters=3, method="kmeans", overwrite=True, **given)
    longest = max((path.relative_to(run).as_posix() for path in run.rglob("*")), key=len)
    assert len(longest) < 100, longest
