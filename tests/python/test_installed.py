"""The wheel and the source archive contain the package, and work where nothing else is.

The wheel is built from the source archive and installed into a fresh environment that holds the
declared dependencies and nothing more, with no repository, compiler or other program at hand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email import message_from_string
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = f"imagestrata-{PROJECT['version']}"
BUILD = "from setuptools import build_meta; build_meta.build_sdist('dist')"


def command(*arguments: str | Path, **given: object) -> str:
    """The output of a program that must succeed, and that finds no package by a variable."""
    given = {"env": {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}} | given
    done = subprocess.run(arguments, capture_output=True, text=True, encoding="utf-8", **given)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def tracked(folder: str) -> set[str]:
    """The files of a folder that belong to the repository."""
    listed = command("git", "ls-files", "-z", folder, cwd=REPOSITORY)
    return {name for name in listed.split("\0") if name and (REPOSITORY / name).exists()}


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """The source archive, built from a copy of the whole repository."""
    copy = tmp_path_factory.mktemp("copy")
    for name in tracked("."):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, copy / name)
    command(sys.executable, "-c", BUILD, cwd=copy)
    return copy / "dist" / f"{NAME}.tar.gz"


@pytest.fixture(scope="module")
def wheel(archive, tmp_path_factory) -> Path:
    """The wheel, built from the source archive."""
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--no-cache-dir"]
    command(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, archive)
    return folder / f"{NAME}-py3-none-any.whl"


def requirements(extras: tuple[str, ...] = ()) -> set[str]:
    """The names of all packages that an installation brings along."""
    found: set[str] = set()
    waiting = [Requirement(one) for one in PROJECT["dependencies"]]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name in found and not one.extras:
            continue
        found.add(name)
        for text in metadata.requires(name) or []:
            next_one = Requirement(text)
            extra = [{"extra": extra} for extra in ("", *one.extras)]
            if next_one.marker is None or any(next_one.marker.evaluate(on) for on in extra):
                waiting.append(next_one)
    return found


@pytest.fixture(scope="module")
def clean(wheel, tmp_path_factory) -> Path:
    """The folder of programs of a fresh environment with the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(command(programs / "python", "-c", ask).strip())
    # The packages are those of this environment, one by one: no second torch is fetched.
    for name in requirements():
        one = metadata.distribution(name)
        for top in {file.parts[0] for file in one.files or [] if file.parts[0] != ".."}:
            if top != "__pycache__" and not (packages / top).exists():
                (packages / top).symlink_to(Path(one.locate_file(top)).resolve())
    offline = ["--no-deps", "--no-index", "--quiet"]
    command(sys.executable, "-m", "pip", f"--python={folder}", "install", *offline, wheel)
    return programs


@pytest.fixture(scope="module")
def bare(clean, tmp_path_factory) -> dict[str, object]:
    """Where a stranger types: her own folder, and no program but those of the environment."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if name in os.environ}
    home = str(tmp_path_factory.mktemp("home"))
    environment = kept | {"PATH": str(clean), "HOME": home, "USERPROFILE": home}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    for compiler in ("cc", "gcc", "cl"):
        assert shutil.which(compiler, path=environment["PATH"]) is None
    return {"cwd": tmp_path_factory.mktemp("work"), "env": environment}


def test_the_source_archive_has_what_a_wheel_is_made_of_and_nothing_else(archive):
    with tarfile.open(archive) as opened:
        members = {one.name for one in opened.getmembers() if one.isfile()}
    ours = {name.removeprefix(f"{NAME}/") for name in members if ".egg-info/" not in name}
    around = {"LICENSE.md", "PKG-INFO", "README.md", "pyproject.toml", "setup.cfg"}
    assert ours == tracked("python") | around


def test_the_wheel_has_all_files_of_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as opened:
        members = set(opened.namelist())
        about = message_from_string(opened.read(f"{NAME}.dist-info/METADATA").decode("utf-8"))
        entries = opened.read(f"{NAME}.dist-info/entry_points.txt").decode("utf-8")
        licence = opened.read(f"{NAME}.dist-info/licenses/LICENSE.md")
    package = {name for name in members if not name.startswith(f"{NAME}.dist-info/")}
    assert package == {name.removeprefix("python/") for name in tracked("python")}
    assert {"imagestrata/py.typed", "imagestrata/__init__.pyi"} <= package
    assert "imagestrata/page/gallery.html" in package
    assert licence == (REPOSITORY / "LICENSE.md").read_bytes()
    assert "imagestrata = imagestrata.cli:main" in entries
    assert about["Version"] == PROJECT["version"]
    assert about["License-Expression"] == PROJECT["license"]
    required = {Requirement(text).name for text in about.get_all("Requires-Dist")}
    assert {Requirement(text).name for text in PROJECT["dependencies"]} <= required
    assert about.get_payload() == (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_environment_lacks_what_is_only_for_developers(clean, bare):
    ask = "import importlib.util as u; print([n for n in {!r} if u.find_spec(n)])"
    absent = ["pytest", "umap", "hdbscan", "timm", "transformers", "dask", "starlette", "build"]
    assert command(clean / "python", "-c", ask.format(absent), **bare) == "[]\n"


def test_the_package_is_the_one_of_the_wheel(clean, bare):
    ask = "import imagestrata as i; print(i.__file__, i.__version__, len(i.__all__), sep='\\n')"
    file, version, n_names = command(clean / "python", "-c", ask, **bare).splitlines()
    assert Path(file).is_relative_to(clean.parent)
    assert version == PROJECT["version"]
    assert int(n_names) > 100
    told = command(clean / "imagestrata", "--version", **bare)
    assert told == f"imagestrata {PROJECT['version']}\n"


def test_every_public_name_can_be_imported_with_the_declared_dependencies(clean, bare):
    ask = "import imagestrata as i; [getattr(i, name) for name in i.__all__]; print('all')"
    assert command(clean / "python", "-c", ask, **bare) == "all\n"


def test_a_stranger_draws_and_clusters_the_example(clean, bare):
    program = clean / "imagestrata"
    command(program, "demo", "pictures", "--n-images", "80", "--quiet", **bare)
    run = ["run", "pictures", "--out", "run", "--near-duplicates", "4", "--json"]
    told = json.loads(command(program, *run, **bare).splitlines()[-1])
    assert told["n_images"] > 60, told
    page = Path(str(bare["cwd"])) / "run" / "gallery" / "index.html"
    assert "<script" in page.read_text(encoding="utf-8")


def test_the_doctor_finds_nothing_wrong(clean, bare):
    told = command(clean / "imagestrata", "doctor", **bare)
    assert re.search(rf"imagestrata\W+{re.escape(PROJECT['version'])}", told), told
