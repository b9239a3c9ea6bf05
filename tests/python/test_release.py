"""What the files of a release say about the software agrees."""

from __future__ import annotations

import json
import re
import runpy
import tomllib
from pathlib import Path

import yaml

import imagestrata

REPOSITORY = Path(__file__).parents[2]


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
CITATION = yaml.safe_load(read("CITATION.cff"))
CODEMETA = runpy.run_path(str(REPOSITORY / "tools" / "codemeta.py"))
DESCRIPTION = CODEMETA["description"]()
NEWS = read("NEWS.md")


def test_all_files_have_one_version():
    (newest, *_) = re.findall(r"^# imagestrata (\S+)$", NEWS, re.MULTILINE)
    assert PROJECT["version"] == DESCRIPTION["Version"] == CITATION["version"] == newest
    for vignette in ("topics", "posts"):
        shown = re.sub(r"\n(#> )?", " ", read(f"vignettes/{vignette}.Rmd"))
        assert f"Version {PROJECT['version']} [computer software]" in shown, vignette


def test_all_files_have_one_title_author_date_and_licence():
    title = f"imagestrata: {PROJECT['description']}"
    assert CITATION["title"] == title
    assert f"imagestrata: {DESCRIPTION['Title']}".casefold() == title.casefold()
    (author,) = CITATION["authors"]
    assert PROJECT["authors"] == [author]
    assert f'person("{author["name"]}"' in DESCRIPTION["Authors@R"]
    assert f'email = "{author["email"]}"' in DESCRIPTION["Authors@R"]
    assert CITATION["date-released"].isoformat() == DESCRIPTION["Date"]
    assert f"YEAR: {CITATION['date-released'].year}" in read("LICENSE")
    assert f"COPYRIGHT HOLDER: {author['name']}" in read("LICENSE")
    assert f"(c) {CITATION['date-released'].year} {author['name']}" in read("LICENSE.md")
    assert PROJECT["license"] == CITATION["license"] == "MIT"
    assert DESCRIPTION["License"] == "MIT + file LICENSE"
    assert PROJECT["keywords"] == CITATION["keywords"]


def test_the_citation_has_what_its_format_asks_for():
    """Checked with cffconvert, too, whose dependencies are too old to be installed with ours."""
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] == "software"
    known = "cff-version message title abstract type version date-released license authors keywords"
    assert list(CITATION) == known.split()


def test_codemeta_says_what_the_other_files_say():
    assert json.loads(read("codemeta.json")) == CODEMETA["codemeta"](), "run tools/codemeta.py"


def test_codemeta_lists_every_requirement():
    listed = {
        (one["runtimePlatform"], one["name"])
        for one in CODEMETA["codemeta"]()["softwareRequirements"]
    }
    assert ("Python", "torch") in listed
    assert ("R", "MASS") in listed
    assert len(listed) == len(PROJECT["dependencies"]) + len(DESCRIPTION["Imports"].split(","))


def test_news_names_functions_that_exist():
    """Names that are gone stand in the tables of new names, or after "was" or "replaces"."""
    here = NEWS[: NEWS.index("# imagestrata 0.1.0")]
    here = re.sub(r"^\|.*$|(was|replaces) `\w+\(\)`", "", here, flags=re.MULTILINE)
    exported = set(re.findall(r"^export\((.*)\)$", read("NAMESPACE"), re.MULTILINE))
    for entry in re.split(r"\n(?=- |\n)", here):
        # Names without "_" are often those of other packages: filter(), attr(), ...
        names = {name for name in re.findall(r"`([a-z_]+)\(", entry) if "_" in name}
        assert names <= exported | set(imagestrata.__all__), entry
        if "Python" not in entry:
            assert names <= exported, f"In Python only: {entry}"


def test_sizes_in_the_documentation_are_those_measured():
    rows = json.loads(read("benchmarks/results/install_size.json"))["rows"]
    _, _, *packages = rows
    documented = re.findall(
        r"^\| ([\w-]+) \| (\d+\.\d) \|", read("docs/installing.md"), re.MULTILINE
    )
    assert documented == [(one["package"], f"{one['MB']:.1f}") for one in packages]
    needed = {re.split("[>=<]", one)[0] for one in PROJECT["dependencies"]} | {"imagestrata"}
    assert {one["package"] for one in packages} == needed


def test_the_oldest_versions_are_stated_and_documented():
    """`make test-lowest` would install any version of a package that has none."""
    groups = {"the package itself": PROJECT["dependencies"]}
    groups |= {f"`{name}`": of for name, of in PROJECT["optional-dependencies"].items()}
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", read("docs/installing.md"), re.MULTILINE))
    for group, requirements in groups.items():
        stated = [one for one in requirements if not one.startswith("imagestrata[")]
        oldest = [re.match(r"([\w-]+)>=([\d.]+)(,|$)", one) for one in stated]
        assert None not in oldest, stated
        assert rows[group] == ", ".join(f"{one[1]} {one[2]}" for one in oldest if one), group


def test_a_build_needs_no_packages_but_that_which_builds():
    assert tomllib.loads(read("pyproject.toml"))["build-system"]["requires"] == ["setuptools>=77"]


def test_the_workflow_tests_three_systems_both_languages_and_old_packages_every_week():
    workflow = yaml.safe_load(read(".github/workflows/test.yml"))
    jobs = workflow["jobs"]
    assert workflow[True]["schedule"]  # YAML reads the key "on" as true
    assert {"run": "make test-lowest"} in jobs["lowest"]["steps"]
    systems = {"windows-latest", "macos-latest", "ubuntu-latest"}
    for job in ("python", "stranger"):
        assert set(jobs[job]["strategy"]["matrix"]["os"]) == systems
    assert {one["os"] for one in jobs["r"]["strategy"]["matrix"]["include"]} == systems
