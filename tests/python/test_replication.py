"""The scripts of the pages about the sources run from the first line to the last."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

PAGES = Path(__file__).parents[2] / "docs" / "replication"

# Drawn pictures are few and easy: each page runs into some of these warnings.
pytestmark = pytest.mark.filterwarnings("ignore::imagestrata.errors.ImagestrataWarning")


def scripts(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


def run(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Run the scripts of a page in one session, and return its variables."""
    monkeypatch.chdir(folder)
    known: dict[str, object] = {}
    for script in scripts(PAGES / f"{page}.md", "python"):
        exec(compile(script, page, "exec"), known)
    plt.close("all")
    return known


def test_iterative_clustering(tmp_path, monkeypatch):
    known = run("iterative-clustering", tmp_path, monkeypatch)
    figures = {path.name for path in tmp_path.glob("*.png")}
    assert figures == {"figure-5-and-7.png", "figure-6.png", "figure-8.png", "footnote-10.png"}
    # Every image of the sample is rated by one person of each party.
    packets = known["packets"]
    assert (packets.groupby(["image_id", "group"]).size() == 1).all()
    assert set(packets["image_id"]) == set(known["sample"]["image_id"])
    assert len(known["pairs"]) == known["n_pairs"]


def test_images_as_data(tmp_path, monkeypatch):
    known = run("images-as-data", tmp_path, monkeypatch)
    # The figures of Table 6.1 in the text.
    (scores,) = known["comparison"].summary.to_dict("records")
    assert scores["accuracy"] == pytest.approx(0.853, abs=5e-4)
    assert scores["precision"] == pytest.approx(0.839, abs=5e-4)
    assert scores["recall"] == pytest.approx(0.886, abs=5e-4)
    counts = known["clear"].attrs["counts"].set_index("item").loc["anger"]
    assert (counts == 1).all()
    assert set(known["best"]["classifier"]) == {"protest", "portrait"}


def test_movement(tmp_path, monkeypatch):
    known = run("movement", tmp_path, monkeypatch)
    assert list(known["sweep"]["min_cluster_size"]) == known["sizes"]
    assert list(known["indices"].columns) == known["names"]
    assert (tmp_path / "coding.html").exists()


def test_descriptions(tmp_path, monkeypatch):
    known = run("descriptions", tmp_path, monkeypatch)
    assert {path.name for path in tmp_path.glob("*.html")} == {"pairs.html", "test.html"}
    # What images show decides about the first question, and about half of the second.
    quality = known["quality"].query("measure == 'quality' and weighting == 'design'")
    by_question = quality.set_index("question", append=True)["estimate"].groupby("question").mean()
    assert by_question["denotative"] > by_question["connotative"] > 0
    shares = known["reliability"].query("measure == 'percent_agreement' and annotators == 'all'")
    assert (shares["estimate"] > 0.8).all() and len(shares) == 2


def test_all_pages_are_listed_and_run():
    index = (PAGES / "README.md").read_text("utf-8")
    listed = set(re.findall(r"^\| \[(\S+)\]", index, re.M))
    assert listed == {path.name for path in PAGES.glob("*.md")} - {"README.md"}
    assert all(scripts(PAGES / name, "python") for name in listed)
