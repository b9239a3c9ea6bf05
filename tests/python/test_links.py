"""Links, anchors and pictures of everything written in Markdown lead somewhere."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LINKS = runpy.run_path(str(REPOSITORY / "tools" / "links.py"))
FILES = LINKS["markdown_files"]()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(path):
    assert LINKS["markdown_faults"](path) == []


def test_all_places_are_looked_at():
    names = {path.relative_to(REPOSITORY).as_posix() for path in FILES}
    assert {"README.md", "CONTRIBUTING.md", "docs/README.md", "vignettes/topics.Rmd"} <= names
    assert any(name.startswith("docs/replication/") for name in names)


def test_guides_are_listed_in_the_table_of_contents():
    contents = (REPOSITORY / "docs" / "README.md").read_text(encoding="utf-8")
    for path in (REPOSITORY / "docs").glob("*.md"):
        assert path.name == "README.md" or f"]({path.name})" in contents, path.name


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setitem(LINKS["markdown_faults"].__globals__, "ROOT", tmp_path)
    (tmp_path / "other.md").write_text(
        "# Two `words`\n\n## Two words\n```\n# no heading\n```\n", encoding="utf-8"
    )
    return tmp_path / "page.md"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[a](other.md)", None),
        ("[a](other.md#two-words)", None),
        ("[a](other.md#two-words-1)", None),
        ("[a](other.md#no-heading)", "no such heading"),
        ("[a](missing.md)", "no such file"),
        ("[a `code`](missing.md)", "no such file"),
        ("[a](../outside.md)", "no such file"),
        ("[a](#here)\n\n# Here\n", None),
        ("[a](#there)\n\n# Here\n", "no such heading"),
        ("![](other.md)", "a picture without a text"),
        ("![words](picture.png)", "no such file"),
        ("[a][b]\n\n[b]: missing.md\n", "no such file"),
        ('<img src="missing.png" alt="a">', "no such file"),
        ("`[a](missing.md)`", None),
        ("```r\nx[[1]](missing)\n```\n", None),
        ("<!-- [a](missing.md) -->", None),
        ("[a](https://example.org/missing.md)", None),
    ],
)
def test_markdown(page, text, fault):
    page.write_text(text, encoding="utf-8")
    faults = LINKS["markdown_faults"](page)
    assert [one.split(": ")[1] for one in faults] == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="sub/two.html#b">b</a>', None),
        ('<a href="sub/two.html#c">c</a>', "sub/two.html#c: no such anchor"),
        ('<a href="#a" id="a">a</a>', None),
        ('<a href="three.html">c</a>', "three.html: no such file"),
        ('<a href="sub">c</a>', "sub: no such file"),
        ('<a href="apart/any.html#x">c</a>', None),
        ('<a href="https://example.org">c</a>', None),
        ('<script src="https://example.org/a.js"></script>', "https://example.org/a.js: loaded"),
        ('<img src="" alt="a">', ": no such file"),
        ('<img src="gone.png" alt="a">', "gone.png: no such file"),
        ('<img src="data:," alt="">', "data:,: a picture without a text"),
    ],
)
def test_site(tmp_path, body, fault):
    for name in ("sub/two.html", "apart/any.html"):
        (tmp_path / name).parent.mkdir()
        text = "<title>Two</title><p id='b'><a href='gone.html'></a>"
        (tmp_path / name).write_text(text.replace("gone", "../one"), encoding="utf-8")
    text = f"<title>One</title>{body}"
    (tmp_path / "one.html").write_text(text, encoding="utf-8")
    (tmp_path / "apart" / "any.html").write_text("<a href='gone.html'>", encoding="utf-8")
    faults = LINKS["site_faults"](tmp_path, apart=("apart",))
    assert len(faults) == (fault is not None)
    assert fault is None or faults[0].startswith(f"one.html: {fault}")
