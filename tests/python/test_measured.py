"""The figures of the docs are those of ``benchmarks/results``."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("measured", ROOT / "tools" / "measured.py")
measured = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(measured)

KNOWN = measured.names()
COMMENT = re.compile("<!--.*?-->", re.DOTALL)
MARKDOWN = MarkdownIt("commonmark").enable("table")
ROWS = [
    {"tool": "ours", "per cluster": 1, "seconds": 0.4, "covers": "94.2%", "AMI": "0.447 (0.016)"},
    {"tool": "ours", "per cluster": 5, "seconds": 1234.5, "covers": "96.0%", "AMI": "0.5 (0.1)"},
    {"tool": "theirs", "per cluster": 5, "seconds": 2.0, "covers": None, "AMI": "0.1 (0.1)"},
]


@pytest.fixture
def known(tmp_path):
    file = tmp_path / "speed.json"
    file.write_text(json.dumps({"machine": "one", "rows": ROWS}), encoding="utf-8")
    return {"speed": measured.Result(file), "span": measured.span}


@pytest.mark.parametrize("page", measured.PAGES, ids=lambda page: page.name)
def test_figures_are_those_of_the_results(page):
    text = page.read_text(encoding="utf-8")
    assert measured.Renewal(KNOWN).text(text) == text, "Run python tools/measured.py."


@pytest.mark.parametrize("page", measured.PAGES, ids=lambda page: page.name)
def test_every_figure_has_a_mark(page):
    assert measured.unmarked(page.read_text(encoding="utf-8"), KNOWN) == []


@pytest.mark.parametrize("page", measured.PAGES, ids=lambda page: page.name)
def test_readers_see_no_mark(page):
    """A line that begins with a mark would be HTML as a whole, a "|" in one the end of a cell."""
    text = page.read_text(encoding="utf-8")
    shown = [
        re.sub(r"\s+", " ", COMMENT.sub("", MARKDOWN.render(one)))
        for one in (text, COMMENT.sub("", text))
    ]
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<!--= speed("seconds", "theirs") -->9.99 s', "2.00 s"),
        ('<!--= speed("seconds", "ours", 1) -->.9 s', ".4 s"),
        ('<!--= speed("seconds", per_cluster=1) -->0.9 s', "0.4 s"),
        ('<!--= speed("seconds", "ours", per_cluster=5) -->7 s', "1,235 s"),
        ('<!--= speed("seconds", "theirs") - 2.5 -->+.12', "-.50"),
        ('<!--= speed("seconds", "theirs") / 4 -->+.1', "+.5"),
        ('<!--= span(speed("covers")) -->1 to 2% of 3', "94 to 96% of 3"),
        ('<!--= max(speed("seconds", per_cluster=(1, 5))) / 1000 -->1.3 s', "1.2 s"),
        ('<!--= max(speed("AMI", "ours")[:, 0]) -->.12', ".50"),
        ('<!--= speed(("seconds", "per cluster"), "theirs").sum() -->1', "7"),
    ],
)
def test_a_mark_by_hand(known, old, new):
    mark, _ = old.split("-->")
    assert measured.Renewal(known).text(f"In\n{old}.") == f"In\n{mark}-->{new}."


def test_a_table_by_hand(known):
    table = """| how | <!--= speed("seconds", per_cluster=5, tool=row) -->s | pages of 10 |
| --- | --- | --- |
| `theirs` | 1.0 | 10 |
| <!--= "ours" -->we | 1 | <!--= speed("covers", 1) -->1.0% |
"""
    renewed = table.replace("| 1.0 |", "| 2.0 |").replace("| 1 |", "| 1,235 |")
    assert measured.Renewal(known).text(table) == renewed.replace(">1.0%", ">94.2%")


def test_a_mark_that_names_several_rows_or_none_fails(known):
    for expression in ('speed("seconds")', 'speed("seconds", "nobody")', 'speed("minutes", 1)'):
        with pytest.raises((ValueError, KeyError)):
            measured.Renewal(known).text(f"<!--= {expression} -->1.0")


def test_figures_without_a_mark_are_found(known):
    said = "95% intervals, `0.5`, version 1.2.3, <!-- not measured -->0.3, 7 of 9, 2 to 3 rounds"
    text = (
        f"[Here](../benchmarks/results/speed.md): 2.5 times, {said} and 40 MB:\n\n| a |\n| .5 |\n"
    )
    text += '\nNot 3.5.\n\nHere: <!--= speed("seconds", 1) -->1.0, 8 s and 9%.\n'
    found = [one.split(" in ")[0] for one in measured.unmarked(text, known)]
    assert found == ["2.5", "40", ".5", "8", "9"]


@pytest.mark.parametrize("file", sorted(measured.RESULTS.glob("*.md")), ids=lambda file: file.stem)
def test_every_table_of_results_is_used_or_named(file):
    used = re.compile(rf"<!--=[^>]*\b{file.stem}\(|results/{file.stem}\.md\)|\| `{file.stem}` \|")
    assert any(used.search(page.read_text(encoding="utf-8")) for page in measured.PAGES)


def test_a_block_that_fails_stays_and_is_named(monkeypatch, tmp_path, capsys):
    page = tmp_path / "page.md"
    marks = ("<!--= max((1, 3)) -->2", '<!--= clustering("seconds", "nobody") -->1')
    page.write_text("\n\n".join(marks))
    monkeypatch.setattr(measured, "PAGES", [page])
    assert measured.main(check=False) == 1
    assert page.read_text() == f"{marks[0][:-1]}3\n\n{marks[1]}"
    assert "page.md: stays as it is" in capsys.readouterr().out


def test_help_pages_have_no_figures_of_results():
    """Comments cannot stand in roxygen: help pages say it in words, and name the page or table."""
    files = [*(ROOT / "R").glob("*.R"), *(ROOT / "python" / "imagestrata").rglob("*.py")]
    said = re.compile(
        r"\b(?:cover(?:ed)?|h[eo]ld|contained) the\s+truth\s+in [^.]*\d[^.]*%|\d%? of simulated"
    )
    for file in files:
        text = re.sub(r"\n\s*#'", "", file.read_text(encoding="utf-8"))
        assert not said.search(text), file.name
