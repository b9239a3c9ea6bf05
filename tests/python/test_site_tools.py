"""The tools of the website: names of both languages, docstrings as pages, addresses, search."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import imagestrata

REPOSITORY = Path(__file__).parents[2]
SITE = runpy.run_path(str(REPOSITORY / "tools" / "site.py"))
PYTHON = SITE["REFERENCE"]
NAMES_OF_R = {
    name: "page"
    for file in (REPOSITORY / "man").glob("*.Rd")
    for name in re.findall(r"^\\alias\{(.+)\}$", file.read_text(encoding="utf-8"), re.MULTILINE)
}


def test_every_verb_leads_to_the_other_language():
    pairs = SITE["pairs_of_names"](NAMES_OF_R)
    assert ("sample_images", "sample_images") in pairs
    assert ("plot_tuning", "autoplot.imagestrata_tuning") in pairs
    assert ("plot_confusion", "autoplot.imagestrata_model") in pairs
    assert ("Clustering", "as_clustering") in pairs
    assert ("label_ratings", "tidy") not in pairs
    verbs = {name for name in imagestrata.__all__ if name[0].islower()}
    assert verbs == {python for python, _ in pairs if python[0].islower()}


def test_every_public_name_is_in_the_list_once():
    names = [name for _, group in SITE["python_groups"]() for name in group]
    assert sorted(names) == sorted(imagestrata.__all__)


def test_pages_of_r_have_short_titles():
    for file in (REPOSITORY / "man").glob("*.Rd"):
        title = re.search(r"^\\title\{(.*?)\}$", file.read_text(encoding="utf-8"), re.M | re.S)
        assert title and len(title[1]) <= 100, file.name


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("Parameters\n---------\na : int\n    One.", None),
        ("Notes\n-----\na\nb", None),
        (
            "Parameters\n---------\na : int\nb : int\n    One.",
            "Parameters\n---------\na : int\n    SAME\nb : int\n    One.",
        ),
        (
            "Parameters\n---------\n**a : int\n    *One*.\n\nReturns\n-------\na\n",
            "Parameters\n---------\n\\*\\*a : int\n    *One*.\n\nReturns\n-------\na",
        ),
    ],
)
def test_arguments_become_a_list_of_definitions(given, text):
    assert PYTHON["_terms"](given).replace(PYTHON["_SAME"], "SAME") == (text or given)


def test_signatures():
    def short(a, *, b=None): ...

    def long(self, first_argument_of_many, *others, second_argument=(1, 2), third="a"): ...

    assert PYTHON["signature"](short) == "(a, *, b=None)"
    assert PYTHON["signature"](long) == (
        "(\n    first_argument_of_many,\n    *others,\n    second_argument=(1, 2),\n"
        "    third='a',\n)"
    )


def test_classes_that_users_call_have_a_signature():
    (_, server), *_ = PYTHON["pieces"]("ModelServer")
    assert "imagestrata.ModelServer(\n       model,\n" in server
    (_, result), *_ = PYTHON["pieces"]("Clustering")
    assert "imagestrata.Clustering\n" in result


def test_methods_of_base_classes_have_a_place_but_not_those_of_other_packages():
    members = [member for member, _ in PYTHON["pieces"]("IterativeKMeans")]
    assert "fit" in members and "predict" in members
    assert not {"get_params", "check_arguments"} & {*members}
    assert "load" in [member for member, _ in PYTHON["pieces"]("Clustering")]


@pytest.mark.parametrize(
    ("role", "link"),
    [
        ("cluster_images", '<a href="cluster_images.html"><code>cluster_images()</code></a>'),
        ("~imagestrata.Clustering", '<a href="Clustering.html"><code>Clustering</code></a>'),
        (
            "imagestrata.Clustering.predict",
            '<a href="Clustering.html#predict"><code>Clustering.predict()</code></a>',
        ),
        ("numpy.load", "<code>numpy.load()</code>"),
    ],
)
def test_references_in_docstrings(role, link):
    assert PYTHON["_link"](role, True) == link


@pytest.mark.parametrize(
    ("page", "address", "link"),
    [
        ("index.html", "docs/README.md", "docs/index.html"),
        ("docs/posts.html", "labels.md#codebooks", "labels.html#codebooks"),
        ("docs/posts.html", "../README.md", "../index.html"),
        ("docs/posts.html", "../benchmarks/results", "../benchmarks/results/index.html"),
        ("docs/replication/index.html", "../../NEWS.md", "../../news/index.html"),
        ("index.html", "NEWS.html", "news/index.html"),
        ("news/index.html", "docs/labels.html#a", "../docs/labels.html#a"),
        ("news/index.html", "index.html", "index.html"),
        ("docs/posts.html", "../vignettes/posts.Rmd", "../articles/posts.html"),
        ("docs/posts.html", "missing.md", "missing.md"),
        ("docs/posts.html", "https://example.org/a.md", "https://example.org/a.md"),
        ("docs/posts.html", "#here", "#here"),
        ("index.html", "tools/site.R", "tools/site.R"),
    ],
)
def test_addresses_of_the_repository_within_the_site(tmp_path, monkeypatch, page, address, link):
    monkeypatch.setitem(SITE["moved"].__globals__, "SITE", tmp_path)
    for name in ("docs/index.html", "docs/labels.html", "index.html", "news/index.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("benchmarks/results/index.html", "articles/posts.html"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert SITE["moved"](address, page) == link
    assert (tmp_path / "tools" / "site.R").exists() == (address == "tools/site.R")


def test_the_search_reads_sections_without_what_is_on_every_page():
    page = SITE["Sections"](
        "<title>x</title><nav>bar</nav><main><p class='crumbs'>R</p><h1>Title</h1>"
        "<p>First <b>of</b> all.<br>Yes</p><h2 id='a'>Part</h2>"
        "<pre>code()\n<span class='r-out'>#> 1</span></pre>"
        "<div class='dont-index'><p>others</p></div>end</main><footer>foot</footer>"
    )
    assert page.title == "Title"
    first, part = page.found
    assert first == ["", "", "First of all.Yes"]
    assert part[:2] == ["Part", "a"]
    assert part[2].split() == ["code()", "end"]


def test_verbs_in_guides_lead_to_their_pages():
    topics = {"sample_images": "reference/sample_images.html", "tidy": "reference/tidiers.html"}
    text = (
        "<h2><code>sample_images()</code></h2><p><code>sample_images(n = 2)</code>, "
        "<code>tidy(x)</code>, <code>plot_trace()</code>, <code>print()</code>"
    )
    assert SITE["link_verbs"](text, "../", topics) == (
        "<h2><code>sample_images()</code></h2><p>"
        '<a href="../reference/sample_images.html"><code>sample_images(n = 2)</code></a>, '
        '<code>tidy(x)</code>, <a href="../python/plot_trace.html"><code>plot_trace()</code></a>, '
        "<code>print()</code>"
    )


def test_the_page_for_wrong_addresses_stands_alone_at_any_depth(tmp_path):
    page = (REPOSITORY / "pkgdown" / "404.html").read_text(encoding="utf-8")
    (tmp_path / "404.html").write_text(page, encoding="utf-8")
    assert SITE["LINKS"]["site_faults"](tmp_path) == []
    assert not re.search(r"<[^>]+ (src|href)=", page)
