"""Finds links that lead nowhere, in Markdown files and in a built site: python tools/links.py site

Nothing is fetched: only links within the repository, or within the site, are followed.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2`*\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_DEFINED = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s+\".*\")?\s*$", re.MULTILINE)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
_TAG = re.compile(r"""<(?:a|img)\b[^>]*?\b(?:href|src)=["']([^"']+)["']""")


def markdown_files() -> list[Path]:
    """What people read in the repository: the Markdown beside README.md, docs and vignettes."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    return sorted([*found, *ROOT.glob("vignettes/*.Rmd"), *ROOT.glob("benchmarks/results/*.md")])


def _prose(text: str) -> str:
    return _COMMENT.sub("", _FENCE.sub("", text))


@cache
def anchors(path: Path) -> frozenset[str]:
    """The anchors of the headings of a Markdown file, as GitHub and pandoc name them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_prose(path.read_text(encoding="utf-8"))):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
        again = 0
        while (name := f"{slug}-{again}" if again else slug) in found:
            again += 1
        found.add(name)
    return frozenset(found)


def markdown_faults(path: Path) -> list[str]:
    """Links and pictures of a Markdown file that lead nowhere, and pictures without a text."""
    faults = []
    prose = _prose(path.read_text(encoding="utf-8"))
    bare = _CODE.sub(lambda code: " " * len(code[0]), prose)
    links = [(mark, text, target) for mark, text, target in _LINK.findall(bare)]
    links += [("", "-", target) for target in _DEFINED.findall(bare) + _TAG.findall(bare)]
    for mark, text, target in links:
        if mark and not text.strip():
            faults.append(f"{target}: a picture without a text")
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not to.exists() or not to.is_relative_to(ROOT):
            faults.append(f"{target}: no such file")
        elif parts.fragment and to.suffix == ".md" and parts.fragment not in anchors(to):
            faults.append(f"{target}: no such heading")
    return faults


class Page(HTMLParser):
    """What a page of the site refers to, and what can be referred to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.names: set[str] = set()
        self.faults: list[str] = []
        self.title = ""
        self._in_title = False
        self.feed(text)
        if not self.title.strip() or "@" in self.title:
            self.faults.append("no title")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.names |= {given[name] for name in ("id", "name") if name in given}
        self._in_title |= tag == "title"
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("img", "script", "iframe", "link", "source", "video"):
            address = given.get("src", given.get("href", ""))
            if address or tag != "script":
                self.loads.append(address)
        if tag == "img" and not given.get("alt", "").strip():
            self.faults.append(f"{given.get('src')}: a picture without a text")
        if tag == "iframe" and not given.get("title"):
            self.faults.append(f"{given.get('src')}: a frame without a title")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data


def site_faults(site: Path, apart: tuple[str, ...] = ()) -> list[str]:
    """Links, pictures, scripts and anchors of all pages of a site that lead nowhere.

    Nor may a page load anything from elsewhere. Pages in the folders ``apart`` may be linked but
    are not looked at.
    """
    site = site.resolve()
    files = [path for path in site.rglob("*.html") if path.relative_to(site).parts[0] not in apart]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(files)}
    faults = []
    for path, page in pages.items():
        found = list(page.faults)
        for address in [*page.links, *page.loads]:
            parts = urlsplit(address)
            if parts.scheme == "data" or (address in page.links and parts.scheme):
                continue
            if parts.scheme or parts.netloc:
                found.append(f"{address}: loaded from elsewhere")
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            empty = address in page.loads and not parts.path
            if empty or not to.is_file() or not to.is_relative_to(site):
                found.append(f"{address}: no such file")
            elif parts.fragment and to in pages and unquote(parts.fragment) not in pages[to].names:
                found.append(f"{address}: no such anchor")
        faults += [f"{path.relative_to(site)}: {fault}" for fault in dict.fromkeys(found)]
    return faults


def main() -> None:
    site = Path(sys.argv[1])
    faults = site_faults(site, apart=("demo",))
    print("\n".join(faults))
    n = len([*site.rglob("*.html")])
    sys.exit(f"{len(faults)} faults on {n} pages" if faults else 0)


if __name__ == "__main__":
    main()
