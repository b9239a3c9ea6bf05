"""Writes codemeta.json, by which archives and search engines know the software.

It says again what pyproject.toml, DESCRIPTION and CITATION.cff say. Run it when one of them
changes: python tools/codemeta.py
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
CODEMETA = ROOT / "codemeta.json"
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*\(?([^()]*)\)?")


def description() -> dict[str, str]:
    """The fields of the R package's DESCRIPTION, each in one line."""
    text = (ROOT / "DESCRIPTION").read_text(encoding="utf-8")
    fields = re.findall(r"^([\w@/]+):(.*(?:\n[ \t].*)*)", text, re.MULTILINE)
    return {name: " ".join(value.split()) for name, value in fields}


def codemeta() -> dict[str, Any]:
    """What codemeta.json contains."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    package = description()
    (author,) = citation["authors"]
    who = {"@type": "Organization", "name": author["name"], "email": author["email"]}
    depends = package["Depends"].split(", ")
    return {
        "@context": "https://w3id.org/codemeta/3.0",
        "@type": "SoftwareSourceCode",
        "name": project["name"],
        "description": citation["abstract"],
        "version": project["version"],
        "datePublished": citation["date-released"].isoformat(),
        "license": f"https://spdx.org/licenses/{citation['license']}",
        "author": [who],
        "maintainer": who,
        "copyrightHolder": who,
        "keywords": citation["keywords"],
        "programmingLanguage": [
            {"@type": "ComputerLanguage", "name": name} for name in ("Python", "R")
        ],
        "runtimePlatform": [f"Python {project['requires-python']}", *depends],
        "operatingSystem": ["Linux", "macOS", "Windows"],
        "softwareRequirements": [
            *(_application(one, "Python") for one in project["dependencies"]),
            *(_application(one, "R") for one in package["Imports"].split(", ")),
        ],
        "developmentStatus": "active",
    }


def _application(requirement: str, language: str) -> dict[str, str]:
    found = _REQUIREMENT.fullmatch(requirement)
    assert found, requirement
    name, version = found[1], found[2].replace(" ", "")
    entry = {"@type": "SoftwareApplication", "name": name, "runtimePlatform": language}
    return entry | ({"version": version} if version else {})


if __name__ == "__main__":
    CODEMETA.write_text(json.dumps(codemeta(), indent=2) + "\n", encoding="utf-8")
