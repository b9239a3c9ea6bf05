"""Every promise names its tests, and these exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
PYTHON = sorted(set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)))
R = sorted(set(re.findall(r"`(tests/testthat/test-[\w-]+\.R): \"([^\"]+)\"`", PAGE)))
PROMISES = [line for line in PAGE.splitlines() if re.match(r"\| (?!promise|---)", line)]


def test_every_promise_has_a_test():
    assert len(PROMISES) > 20
    for line in PROMISES:
        assert re.search(r"`test_\w+\.py::test_\w+`", line), line


def test_every_mention_of_a_test_is_understood():
    assert len(re.findall(r"::", PAGE)) == len(re.findall(r"`test_\w+\.py::test_\w+`", PAGE))
    assert PAGE.count("tests/testthat/") == len(re.findall(r"tests/testthat/[\w.-]+: \"", PAGE))


@pytest.mark.parametrize(("file", "name"), PYTHON)
def test_tests_in_python_exist(file, name):
    tree = ast.parse((Path(__file__).parent / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "name"), R)
def test_tests_in_r_exist(file, name):
    assert f'test_that("{name}"' in (ROOT / file).read_text(encoding="utf-8")


def test_the_pages_know_each_other():
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "docs/promises.md" in security and "SECURITY.md" in PAGE
    assert "docs/promises.md" in (ROOT / "README.md").read_text(encoding="utf-8")
