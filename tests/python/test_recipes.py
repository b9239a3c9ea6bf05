"""The recipes of CONTRIBUTING.md work as they stand, and each takes fewer than 100 lines."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
RECIPES = ["An encoder", "A criterion for K", "An exporter", "A figure"]


class Block(NamedTuple):
    """Code to write to a file, or to insert in a table of it or above that."""

    path: str
    where: str
    table: str
    code: str


def blocks_of(recipe: str) -> list[Block]:
    """The blocks of code of a recipe, in their order."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition(f"### {recipe}\n")[2]
    section = re.split(r"\n##+ ", section)[0]
    heading = r"^`([\w/.-]+)`(?:, (in|above) `(\w+)`)?(?: \([^)]*(?:\(\)[^)]*)?\))?:\n\n"
    found = re.findall(heading + r"```\w+\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert len(found) == section.count("```") / 2, "a block of code has no heading"
    return [Block(*one) for one in found]


def add(block: Block, root: Path) -> None:
    """Write or insert a block of code as its heading says."""
    file = root / block.path
    if not block.where:
        assert not file.exists(), file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.code, encoding="utf-8")
        return
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    (place,) = (
        number
        for number, line in enumerate(lines)
        if re.match(rf"{block.table}\b.*= \{{$", line.rstrip("\n"))
    )
    code = block.code
    if block.where == "in":
        place += 1
    else:
        while lines[place - 1].startswith("#:"):
            place -= 1
        code = f"{code.rstrip()}\n\n\n"
    file.write_text("".join([*lines[:place], code, *lines[place:]]), encoding="utf-8")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package to which all recipes were added."""
    root = tmp_path_factory.mktemp("copy")
    unused = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "python", root / "python", ignore=unused)
    for name in ("pyproject.toml", ".ruff.toml", "ruff.toml"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, root / name)
    for recipe in RECIPES:
        for block in blocks_of(recipe):
            add(block, root)
    return root


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_short_and_adds_one_line_to_a_table(recipe: str) -> None:
    blocks = blocks_of(recipe)
    assert sum(block.code.count("\n") for block in blocks) < 100
    (entry,) = (block for block in blocks if block.where == "in")
    assert len(re.findall(r'^    "\w+": ', entry.code, re.MULTILINE)) == 1
    assert any(block.path.startswith("tests/") for block in blocks)


def test_the_tests_of_all_recipes_pass(changed: Path) -> None:
    tests = sorted((changed / "tests" / "python").glob("test_*.py"))
    assert len(tests) == len(RECIPES)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull,
         "--rootdir", changed, *tests],
        cwd=changed, env={**os.environ, "PYTHONPATH": str(changed / "python")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
    assert re.search(r"\b6 passed\b", run.stdout), run.stdout


def test_their_code_is_in_our_style(changed: Path) -> None:
    ours = {block.path for recipe in RECIPES for block in blocks_of(recipe)}
    files = [changed / path for path in sorted(ours) if path.endswith(".py")]
    for command in (["check"], ["format", "--check"]):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *files],
            cwd=changed, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stdout
