"""The conventions that CONTRIBUTING.md describes hold."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import imagestrata
from imagestrata.steps import step_kinds

PACKAGE = Path(imagestrata.__file__).parent
ROAD = [
    "corpus",
    "demo",
    "encoders",
    "embeddings",
    "text",
    "finetune",
    "clustering",
    "sampling",
    "annotation",
    "validation",
    "ratings",
    "posts",
    "labels",
    "explore",
    "share",
]
FOUNDATIONS = {"page", "provenance", "regression"}
TOP = {"cli", "doctor", "__main__"}
PUBLIC = [name for name in imagestrata.__all__ if not name.endswith("Error")]
FUNCTIONS = [name for name in PUBLIC if inspect.isfunction(getattr(imagestrata, name))]


def imports_of(path: Path) -> set[str]:
    """The first component, below the package, of everything that a file imports from it."""
    found = set()
    here = ["imagestrata", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            full = base + (node.module.split(".") if node.module else [])
            full += [alias.name for alias in node.names] if len(full) == 1 else []
            if full[:1] == ["imagestrata"] and len(full) > 1:
                found.add(full[1])
    return found


@pytest.mark.parametrize("step", ROAD)
def test_data_flows_one_way(step):
    later = set(ROAD[ROAD.index(step) + 1 :]) | TOP
    for path in (PACKAGE / step).rglob("*.py"):
        assert not imports_of(path) & later, f"{path} imports a later step"


def test_foundations_import_no_step():
    folders = [path for name in FOUNDATIONS for path in (PACKAGE / name).rglob("*.py")]
    for path in [*PACKAGE.glob("*.py"), *folders]:
        if path.stem not in TOP or path in folders:
            assert not imports_of(path) & {*ROAD, *TOP}, path


def test_a_step_declares_itself_where_it_lives():
    """The foundations name no step; whoever looks at a run folder loads nothing heavy."""
    names = {}
    for path in PACKAGE.glob("*/steps.py"):
        folder = path.parent.name
        assert imports_of(path) == {"steps"}, path
        for kind in importlib.import_module(f"imagestrata.{folder}.steps").STEPS:
            names[kind.name] = folder
            assert kind.verb in imagestrata.__all__
            assert kind.product in {*kind.tables, *kind.work, *kind.drawn} or any(
                kind.product.startswith(f"{place}/") for place in (*kind.tables, *kind.drawn)
            ), kind
    assert [*step_kinds()] and {*step_kinds()} == {*names}
    opened = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            opens = isinstance(node, ast.Call) and ast.unparse(node.func) in ("Step", "images_step")
            if opens and isinstance(node.args[1], ast.Constant):
                opened.setdefault(node.args[1].value, set()).add(path.relative_to(PACKAGE).parts[0])
    assert {*opened} == {*names}
    assert all(names[name] in folders for name, folders in opened.items())
    for path in [PACKAGE / "steps.py", *(PACKAGE / "provenance").glob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not texts & {*names}, path
    script = (
        "import sys; from imagestrata.steps import step_kinds; step_kinds()\n"
        "heavy = {'torch', 'sklearn', 'pandas', 'numpy', 'matplotlib', 'cv2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_is_done_for_all_has_one_home():
    """Threads are started, and a file is compared with its scan, in one place each."""
    homes = {
        "ThreadPoolExecutor": ["engine.py"],
        "hexdigest().startswith(": ["corpus/decode.py"],
        '"changed since the scan"': ["corpus/reasons.py"],
    }
    files = [path for path in PACKAGE.rglob("*.py") if "site-packages" not in path.parts]
    for text, home in homes.items():
        found = [path for path in files if text in path.read_text(encoding="utf-8")]
        assert [path.relative_to(PACKAGE).as_posix() for path in found] == home, text


def test_importing_the_package_loads_nothing_heavy():
    script = (
        "import sys, imagestrata, imagestrata.cli\n"
        "heavy = {'torch', 'sklearn', 'pandas', 'numpy', 'matplotlib', 'cv2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_public_names_exist_and_unknown_ones_do_not():
    assert set(imagestrata.__all__) < set(dir(imagestrata))
    assert imagestrata.__version__
    with pytest.raises(AttributeError, match="no_such_verb"):
        imagestrata.no_such_verb  # noqa: B018


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    """Every public docstring has a summary line, and every argument is described."""
    item = getattr(imagestrata, name)
    text = inspect.getdoc(item)
    assert text
    assert text.splitlines()[0].endswith(".")
    if name in FUNCTIONS or hasattr(item, "fit"):
        for argument in inspect.signature(item).parameters:
            assert f"{argument} :" in text or f"{argument}, " in text, argument
        assert "Returns\n" in text or "Attributes\n" in text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_are_named_once_everywhere(name):
    """One word for one thing: seed, progress, out, overwrite."""
    forbidden = {"random_state", "verbose", "n_jobs", "output", "outdir", "force", "model_name"}
    assert not forbidden & set(inspect.signature(getattr(imagestrata, name)).parameters)


def test_results_can_be_compared_and_hashed():
    """Tables and arrays compare cell by cell, so objects that hold them go by identity."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef):
                continue
            made = [ast.unparse(one) for one in node.decorator_list]
            fields = [one.annotation for one in node.body if isinstance(one, ast.AnnAssign)]
            tables = re.compile(r"DataFrame|Array\b|\bRows\b|\bFloats\b")
            if any(one.startswith("dataclass") for one in made) and any(
                tables.search(ast.unparse(field)) for field in fields
            ):
                assert any("eq=False" in one for one in made), f"{path.name}: {node.name}"


def test_a_clustering_equals_itself_alone():
    points = np.random.default_rng(0).normal(size=(30, 2)).astype("float32")
    first, second = (
        imagestrata.cluster_images(points, "kmeans", n_clusters=2, progress=False) for _ in "ab"
    )
    assert first == first
    assert first != second
    assert len({first, second, first}) == 2


def verbs_of(text: str, heading: str, verb: str) -> dict[str, list[str]]:
    """The verbs under each heading of a page."""
    groups: dict[str, list[str]] = {}
    for line in text.splitlines():
        if found := re.match(heading, line):
            groups[found[1]] = []
        elif groups and (found := re.match(verb, line)):
            groups[list(groups)[-1]].append(found[1])
    return groups


def test_readme_has_every_verb_once_in_the_groups_of_the_site():
    root = Path(__file__).resolve().parents[2]
    readme = (root / "README.md").read_text(encoding="utf-8")
    shown = verbs_of(readme, r"\*\*(.+)\*\*$", r"\| `(\w+)\(\)` \|")
    assert sorted(verb for group in shown.values() for verb in group) == FUNCTIONS
    site = (root / "_pkgdown.yml").read_text(encoding="utf-8")
    listed = verbs_of(site, "- title: (.+)", r"  - (\w+)$")
    assert [title for title in listed if title in shown] == list(shown)
    for title, group in listed.items():
        assert {verb for verb in group if verb in FUNCTIONS} <= set(shown.get(title, ())), title
