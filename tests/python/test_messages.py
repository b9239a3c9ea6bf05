"""Messages name arguments, verbs and values by tokens, and what they name exists."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import imagestrata
from imagestrata import cli
from imagestrata.bridge.words import FUNCTIONS
from imagestrata.cli.words import COMMANDS, OPTIONS
from imagestrata.clustering.cluster import METHODS

PACKAGE = Path(imagestrata.__file__).parent
ROOT = PACKAGE.parents[1]
#: Verbs that take further arguments, whose names are settings or the user's own.
ANY = {"cluster_images", "compare_clusterings", "tune_model", "suggest_threshold"}
#: Beginnings of texts that are no messages: files for annotators, commands of other programs.
OTHERS = (
    "Upload the files of the folder `images`",
    "Export the data as CSV and read it in R",
    "\n\nIn Python:\n  from imagestrata",
    ' size="5"/>',
    "  <Choices name=",
    "  <TextArea name=",
    '    <Image name="',
    "--psm ",
    "\nCREATE TABLE ",
    "SELECT ",
    "UPDATE ",
)
#: Where texts of other kinds stand: help of commands, templates, tables of names.
ELSEWHERE = {
    "cli/options.py",
    "cli/texts.py",
    "cli/words.py",
    "bridge/words.py",
    "posts/graph_files.py",
    "wording.py",
    "__init__.py",
}
MESSAGES = {"ImagestrataError", "MissingWeightsError", "MissingPartError", "warn"}


def public() -> dict[str, set[str]]:
    """Public functions, classes and class methods, with the names of their arguments.

    The settings of the methods are what `cluster_images(**settings)` takes.
    """
    found = {"method's settings": set()}
    for method in METHODS.values():
        found["method's settings"] |= set(inspect.signature(method).parameters)
    for name in (one for one in imagestrata.__all__ if not one.endswith("Error")):
        item = getattr(imagestrata, name)
        if not callable(item):
            continue
        found[name] = set(inspect.signature(item).parameters)
        if inspect.isclass(item):
            for method, function in inspect.getmembers(item, inspect.isroutine):
                if not method.startswith("_"):
                    found[f"{name}.{method}"] = set(inspect.signature(function).parameters)
    return found


PUBLIC = public()
ARGUMENTS = set().union(*PUBLIC.values()) - {"self", "args", "kwargs", "settings"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place not in ELSEWHERE:
            yield place, ast.parse(path.read_text(encoding="utf-8"))


def docstrings(tree: ast.AST) -> set[int]:
    """The ids of texts that no program shows: those that stand alone as statements."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def of_commands(tree: ast.AST) -> set[int]:
    """The ids of texts inside of `typer.Option()` and the like."""
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and getattr(node.func.value, "id", "") in {"typer", "re"}
        for inner in ast.walk(node)
    }


def called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.id if isinstance(node.func, ast.Name) else ""


def texts(tree: ast.AST) -> Iterator[ast.Constant]:
    """All texts but docstrings, help of commands and commands that are not ours."""
    skipped = docstrings(tree) | of_commands(tree)
    for node in ast.walk(tree):
        if called(node) == "foreign":
            skipped |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(getattr(node, "value", None), str) and id(node) not in skipped:
            yield node


BY_HAND = {
    "an argument": rf"`(?:{'|'.join(sorted(ARGUMENTS))})`",
    "an argument with a value": rf"(?<![\w?&.-])(?:{'|'.join(sorted(ARGUMENTS))})=(?!=)",
    "a verb": rf"(?<![\w.])(?:{'|'.join(map(re.escape, PUBLIC))})\(",
    "an option": r"(?<![\w-])--[a-z][a-z-]+",
    "a command": r"`imagestrata ",
    "R": r"\b(?:TRUE|FALSE|NULL)\b|\bR's\b|\b(?:in|from) R\b",
}


@pytest.mark.parametrize("what", BY_HAND)
def test_no_language_is_written_by_hand(what):
    found = [
        f"{place}:{node.lineno}: {node.value!r}"
        for place, tree in sources()
        if not (place.startswith("cli/") and what in {"an option", "a command"})
        for node in texts(tree)
        if not node.value.startswith(OTHERS) and re.search(BY_HAND[what], node.value)
    ]
    assert not found, "\n".join(found)


def test_values_in_messages_are_quoted_by_their_token():
    """Neither `{x!r}` nor Python's constants, nor names of Python's types."""
    found = []
    for place, tree in sources():
        for node in ast.walk(tree):
            if called(node) not in MESSAGES:
                continue
            for inner in ast.walk(node):
                by_hand = isinstance(inner, ast.FormattedValue) and inner.conversion == ord("r")
                constant = (
                    isinstance(inner, ast.Constant)
                    and isinstance(inner.value, str)
                    and re.search(r"\b(?:True|False|None)\b(?! of)", inner.value)
                )
                type_name = isinstance(inner, ast.Attribute) and (
                    inner.attr == "__name__" and "error" not in ast.unparse(inner)
                )
                if by_hand or constant or type_name:
                    found.append(f"{place}:{inner.lineno}: {ast.unparse(inner)}")
    assert not found, "\n".join(found)


def named(function: str) -> Iterator[tuple[str, str, ast.Call]]:
    """Where a token is made, and of what name; names that are computed are not seen."""
    for place, tree in sources():
        for node in ast.walk(tree):
            if called(node) == function and node.args and isinstance(node.args[0], ast.Constant):
                yield f"{place}:{node.lineno}", node.args[0].value, node


def test_arguments_in_messages_exist_in_python():
    checks = ("check_int", "check_float", "check_bool", "check_choice", "check_path")
    for function in ("arg", *checks, "check_folder"):
        for place, name, _ in named(function):
            if not place.startswith("cli/"):
                assert name in ARGUMENTS, f"{place} names {name!r}"


def test_verbs_in_messages_exist_in_python_with_these_arguments():
    for place, name, call in named("verb"):
        assert name in PUBLIC, f"{place} names {name!r}"
        given = {keyword.arg for keyword in call.keywords}
        assert given <= PUBLIC[name] or name in ANY, f"{place}: {name}{given}"


def test_verbs_in_messages_exist_in_r():
    exports = re.findall(r"^export\((\w+)\)", (ROOT / "NAMESPACE").read_text(), re.MULTILINE)
    for place, name, _ in named("verb"):
        assert FUNCTIONS.get(name, name) in exports, f"{place} names {name!r}"


def test_commands_and_options_exist():
    commands = cli.COMMANDS
    for name, command in COMMANDS.items():
        assert name in PUBLIC or name == "doctor"
        assert command in commands
    parameters = {one.name for command in commands.values() for one in command.params}
    for name, others in OPTIONS.items():
        assert name in ARGUMENTS
        assert set(others) <= parameters
