"""What other systems ask for, as far as it can be checked on this one.

Windows and macOS ignore capitals in names of files. Windows lacks some characters and names, and
reads text in an encoding of its own unless it is told another one.
"""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest

import images
import imagestrata
from imagestrata import (
    ImagestrataError,
    cluster_images,
    export_packets,
    image_gallery,
    sample_images,
)
from imagestrata.files import check_portable

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
