"""Completes the site that tools/site.R began: python tools/site.py

It adds the guides, the reference of Python and the gallery of the demo, ties the two languages
together, writes the index of the search, and ends with an error if a link leads nowhere. Run by
`make site`.
"""

from __future__ import annotations

import html
import json
import os
import posixpath
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path

import imagestrata

ROOT = Path(__file__).parents[1]
SITE = ROOT / "site"
RESULTS = "benchmarks/results"
#: Images of the gallery: enough for a dozen clusters, and 9 MB.
N_IMAGES = 240
REFERENCE = runpy.run_path(str(ROOT / "tools" / "site_python.py"))
LINKS = runpy.run_path(str(ROOT / "tools" / "links.py"))
#: Generics of R that belong to many classes, so that a link by name would help nobody.
GENERICS = {"augment", "coef", "glance", "predict", "summary", "tidy", "vcov"}
#: Where the site has files of the repository that it does not have at their own place.
PLACES = {
    "README.md": "index.html",
    "NEWS.md": "news/index.html",
    "CITATION.cff": "authors.html",
    RESULTS: f"{RESULTS}/index.html",
}
#: Titles that pkgdown gives, and those of the bar.
TITLES = {
    "Articles": "Vignettes",
    "Changelog": "News",
    "Documentation": "Guides",
    "Function reference": "R reference",
}
#: The section of the bar, and the name in the search, of the pages of each folder.
SECTIONS = {
    "reference": ("reference/index.html", "R"),
    "python": ("python/index.html", "Python"),
    "docs": ("docs/index.html", "Guide"),
    "benchmarks": ("docs/index.html", "Results"),
    "articles": ("articles/index.html", "Vignette"),
    "news": ("news/index.html", "News"),
    "gallery.html": ("gallery.html", "Gallery"),
}


def main() -> None:
    frames = [(SITE / "frames" / f"{depth}.html").read_text(encoding="utf-8") for depth in range(3)]
    shutil.rmtree(SITE / "frames")

    def write(path: str, title: str, body: str) -> None:
        filled = frames[path.count("/")].replace("<div>@body@</div>", body)
        (SITE / path).parent.mkdir(parents=True, exist_ok=True)
        (SITE / path).write_text(filled.replace("@title@", html.escape(title)), encoding="utf-8")

    shutil.copytree(
        ROOT / "vignettes" / "figures", SITE / "articles" / "figures", dirs_exist_ok=True
    )
    groups = write_guides(write)
    topics = r_topics()
    twins = pairs_of_names(topics)
    REFERENCE["write_reference"](write, pandoc, python_groups(), twins, topics)
    write_gallery(write)
    pages = sorted(SITE.rglob("*.html"))
    pages = [page for page in pages if page.relative_to(SITE).parts[0] != "demo"]
    finish(pages, groups, topics, twins)
    write_index(pages)
    shutil.copyfile(ROOT / "pkgdown" / "404.html", SITE / "404.html")
    faults = LINKS["site_faults"](SITE, apart=("demo",))
    size = sum(file.stat().st_size for file in SITE.rglob("*") if file.is_file())
    print("\n".join(faults))
    print(f"{len(pages)} pages, {size / 1e6:.0f} MB, {len(faults)} links that lead nowhere")
    sys.exit(bool(faults))


def pandoc(text: str, *options: str) -> str:
    """A text as HTML."""
    command = ["pandoc", "--to=html", "--columns=10000", *options]
    return subprocess.run(command, input=text, capture_output=True, check=True, text=True).stdout


# ---- guides ----


def place_of(path: str) -> str:
    """Where the site has a file of the repository."""
    if path.startswith("vignettes/") and path.endswith(".Rmd"):
        return f"articles/{Path(path).stem}.html"
    if path in PLACES:
        return PLACES[path]
    if path.endswith("/README.md"):
        return f"{path.removesuffix('README.md')}index.html"
    return re.sub(r"\.md$", ".html", path)


def write_guides(write: Callable[[str, str, str], None]) -> dict[str, str]:
    """Writes docs and tables of results; returns the heading under which each is listed."""
    files = [file for folder in ("docs", "docs/replication", RESULTS) for file in _pages(folder)]
    titles, bodies, listed = {}, {}, []
    for file in files:
        body = pandoc(file.read_text(encoding="utf-8"), "--from=gfm")
        titles[file], bodies[file] = split_title(body, file.stem.replace("_", " ").capitalize())
    # The site calls a page by its title, not by its file.
    names = {file.name: html.escape(titles[file]) for file in files}
    for file in files:
        body = re.sub(
            r"(?<=>)[\w-]+\.md(?=</a>)", lambda name: names.get(name[0], name[0]), bodies[file]
        )
        path = place_of(file.relative_to(ROOT).as_posix())
        write(path, titles[file], body)
        if path.startswith(RESULTS):
            listed.append(f'<li><a href="{Path(path).name}">{names[file.name]}</a></li>')
    about = "<p>Tables of the benchmarks, from which the figures in the guides are taken.</p>"
    write(place_of(RESULTS), "Results of benchmarks", f"{about}<ul>{''.join(listed)}</ul>")
    contents = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    groups = {}
    for heading, table in re.findall(r"^## (.+)\n([^#]*)", contents, re.MULTILINE):
        for target in re.findall(r"\]\(([\w/-]+\.md)\)", table):
            groups[place_of(f"docs/{target}")] = heading
    return groups


def _pages(folder: str) -> list[Path]:
    return sorted((ROOT / folder).glob("*.md"))


def split_title(body: str, otherwise: str) -> tuple[str, str]:
    """The text of the first heading, if there is one, and the rest."""
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.DOTALL)
    if not heading:
        return otherwise, body
    return plain(heading[1]), body[: heading.start()] + body[heading.end() :]


def plain(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", markup)).split())


# ---- names of both languages ----


def r_topics() -> dict[str, str]:
    """The page of each name of R."""
    found = {}
    for file in sorted((ROOT / "man").glob("*.Rd")):
        if (SITE / "reference" / f"{file.stem}.html").exists():
            for name in re.findall(r"^\\alias\{(.+)\}$", file.read_text(encoding="utf-8"), re.M):
                found[name] = f"reference/{file.stem}.html"
    return found


def pairs_of_names(topics: dict[str, str]) -> list[tuple[str, str]]:
    """Names of Python and R that mean the same, by PARITY.md."""
    parity = (ROOT / "PARITY.md").read_text(encoding="utf-8")
    pairs: dict[tuple[str, str], None] = {}
    for python, r, rest in re.findall(r"^\| (.+?) \| (.+?) \|(.*)$", parity, re.MULTILINE):
        theirs = re.findall(r"`(\w+)", python)
        for ours in [name for name in theirs if name in imagestrata.__all__]:
            for name in re.findall(r"([\w.]+)\(", r):
                if name == "autoplot":
                    kind = re.search(r"`(\w+)", rest)
                    kinds = {"tuned": "tuning"}
                    name = f"autoplot.imagestrata_{kinds.get(kind[1], kind[1])}" if kind else name
                if name in topics and name not in GENERICS:
                    pairs[ours, name] = None
    return [*pairs]


def python_groups() -> list[tuple[str, list[str]]]:
    """The verbs in the groups of README.md, then the classes."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    groups, left = [], {*imagestrata.__all__}
    for heading, table in re.findall(r"^\*\*(.+)\*\*\n\n((?:\|.*\n)+)", readme, re.MULTILINE):
        verbs = [name for name in re.findall(r"^\| `(\w+)\(", table, re.MULTILINE) if name in left]
        left -= {*verbs}
        groups.append((heading, verbs))
    classes = [name for name in imagestrata.__all__ if name in left and name[0].isupper()]
    others = [name for name in imagestrata.__all__ if name in left and name not in classes]
    parts = [*groups, ("Other functions", others), ("Results, estimators and services", classes)]
    return [(heading, names) for heading, names in parts if names]


# ---- gallery ----


def write_gallery(write: Callable[[str, str, str], None]) -> None:
    """The page of `imagestrata run` on drawn images, as it comes."""
    work = ROOT / "build" / "site"
    run = [sys.executable, "-m", "imagestrata"]
    if not (work / "images").exists():
        demo = [*run, "demo", str(work / "images"), "--n-images", str(N_IMAGES)]
        subprocess.run(demo, check=True)
    images, out = str(work / "images"), str(work / "run")
    subprocess.run([*run, "run", images, "--out", out, "--near-duplicates", "4"], check=True)
    shutil.copytree(work / "images", SITE / "demo" / "images", dirs_exist_ok=True)
    shutil.copytree(work / "run" / "gallery", SITE / "demo" / "run" / "gallery", dirs_exist_ok=True)
    page = SITE / "demo" / "run" / "gallery" / "index.html"
    # The folder on the machine that made the site concerns nobody.
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace(f"{work.as_posix()}/", "demo/"), encoding="utf-8")
    address = page.relative_to(SITE).as_posix()
    write(
        "gallery.html",
        "Gallery",
        f"""<p class="whole">This is the page that <code>imagestrata run</code> made of
        {N_IMAGES} drawn images, without any edit. Click an image to
        enlarge it. Names and merges that you try out stay in your browser
        (<a href="docs/gallery.html">what the page can do</a>; <a href="{address}">open it
        alone</a>).</p>
        <iframe src="{address}" title="The gallery of the demo corpus"></iframe>""",
    )


# ---- all pages ----


def finish(
    pages: list[Path],
    groups: dict[str, str],
    topics: dict[str, str],
    twins: list[tuple[str, str]],
) -> None:
    """Links between the parts, formulas, tables and texts of pictures."""
    texts = {page: page.read_text(encoding="utf-8") for page in pages}
    formulas = mathml(texts.values())
    for page, text in texts.items():
        text = re.sub(r"\\\(.+?\\\)", lambda found: formulas.get(found[0], found[0]), text)
        path = page.relative_to(SITE).as_posix()
        page.write_text(finished(text, path, groups, topics, twins), encoding="utf-8")


def finished(
    text: str,
    path: str,
    groups: dict[str, str],
    topics: dict[str, str],
    twins: list[tuple[str, str]],
) -> str:
    """One page with everything that ties it to others."""
    up = "../" * path.count("/")
    text = text.replace('<img src="" class="logo" alt="">', "")
    # Examples print where they ran, in full or as far as there is room.
    text = text.replace(f"{ROOT.as_posix()}/", "").replace(ROOT.as_posix(), ROOT.name)
    for theirs, ours in TITLES.items():
        text = re.sub(rf"(<title>|<h1[^>]*>){theirs}\b", rf"\1{ours}", text)
    # pandoc divides tables of long lines evenly; browsers do it better.
    text = re.sub(r"<colgroup>.*?</colgroup>", "", text, flags=re.DOTALL)
    text = re.sub(r"<table.*?</table>", r'<div class="wide">\g<0></div>', text, flags=re.DOTALL)
    text = re.sub(
        r'(<img [^>]*?)alt=""([^>]*>\s*(?:<p class="caption">|<figcaption[^>]*>)(.*?)</)',
        lambda found: f'{found[1]}alt="{html.escape(plain(found[3]))}"{found[2]}',
        text,
        flags=re.DOTALL,
    )
    if path.startswith("reference/"):
        text = name_pictures(text)
    if path.startswith(("docs/", "news/")) or "/" not in path:
        text = link_verbs(text, up, topics)
    text = re.sub(
        r'(?<=href=")([^"]*)(?=")', lambda found: moved(html.unescape(found[1]), path), text
    )
    text = text.replace("<h1", f"{crumbs(path, up, groups)}<h1", 1)
    if path.startswith("reference/"):
        text = text.replace("</h1>", f"</h1>{twin(path, topics, twins)}", 1)
    section = SECTIONS.get(path.split("/")[0])
    if section:
        link = f'<a href="{up}{section[0]}"'
        bar = text.index('aria-label="Sections"')
        text = text[:bar] + text[bar:].replace(link, f'{link} aria-current="true"', 1)
    return text


def mathml(texts: Iterable[str]) -> dict[str, str]:
    """The formulas of all pages, in a form that browsers draw without a library."""
    found = {formula for text in texts for formula in re.findall(r"\\\(.+?\\\)", text)}
    ordered = sorted(found)
    written = "\n\n".join(f"${html.unescape(formula[2:-2])}$" for formula in ordered)
    made = re.findall(r"<p>(.*?)</p>", pandoc(written, "--from=markdown", "--mathml"), re.DOTALL)
    made = [formula.replace('stretchy="true"', 'stretchy="false"') for formula in made]
    return dict(zip(ordered, made, strict=True))


def name_pictures(text: str) -> str:
    """Pictures of examples are called after the title of their page."""
    title = re.search(r"<h1>(.*?)</h1>", text, re.DOTALL)
    name = html.escape(f"Figure of the example: {plain(title[1])}" if title else "Figure")
    return re.sub(r'(<img [^>]*?)alt=""', rf'\1alt="{name}"', text)


def link_verbs(text: str, up: str, topics: dict[str, str]) -> str:
    """Functions that a text names lead to their pages: of R, which leads on to that of Python."""

    def linked(found: re.Match[str]) -> str:
        name = found[1]
        if name in topics and name not in GENERICS:
            return f'<a href="{up}{topics[name]}">{found[0]}</a>'
        if name in imagestrata.__all__:
            return f'<a href="{up}python/{name}.html">{found[0]}</a>'
        return found[0]

    parts = re.split(r"(<a\b.*?</a>|<pre.*?</pre>|<h[1-6].*?</h[1-6]>)", text, flags=re.DOTALL)
    parts[::2] = [re.sub(r"<code>(\w+)\([^<]*\)</code>", linked, part) for part in parts[::2]]
    return "".join(parts)


def moved(address: str, path: str) -> str:
    """An address within the repository, as it is within the site; other files are copied."""
    target, mark, fragment = address.partition("#")
    if not target or re.match(r"[a-z]+:", target):
        return html.escape(address)
    if (SITE / posixpath.dirname(path) / target).is_file():
        return html.escape(address)
    folder = "" if path == "news/index.html" else posixpath.dirname(path)  # as in NEWS.md
    to = posixpath.normpath(posixpath.join(folder, target))
    source = next(
        (one for one in (to, re.sub(r"\.html$", ".md", to)) if (ROOT / one).exists()), None
    )
    if source is None or to.startswith(".."):
        return html.escape(address)
    to = place_of(source)
    if not (SITE / to).exists() and (ROOT / source).is_file():
        (SITE / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / source, SITE / to)
    relative = os.path.relpath(to, posixpath.dirname(path) or ".").replace(os.sep, "/")
    return html.escape(relative + mark + fragment)


def crumbs(path: str, up: str, groups: dict[str, str]) -> str:
    """Where the reader is."""
    folder, name = posixpath.split(path)
    if name == "index.html" and "/" not in folder:
        return ""
    stem = name.removesuffix(".html")
    where = {
        "reference": [f'<a href="{up}reference/index.html">R</a>', stem],
        "python": [f'<a href="{up}python/index.html">Python</a>'],
        "articles": [f'<a href="{up}articles/index.html">Vignettes</a>'],
        RESULTS: [f'<a href="{up}docs/index.html">Guides</a>', "results"],
        "docs/replication": [f'<a href="{up}docs/index.html">Guides</a>', "replication"],
        "docs": [f'<a href="{up}docs/index.html">Guides</a>', groups.get(path, "")],
    }.get(folder, [])
    shown = " › ".join(part for part in where if part)
    return f'<p class="crumbs">{shown}</p>' if shown else ""


def twin(path: str, topics: dict[str, str], twins: list[tuple[str, str]]) -> str:
    """Where the same is in Python."""
    names = {python: None for python, r in twins if topics[r] == path}
    if not names:
        return ""
    calls = {name: name if name[0].isupper() else f"{name}()" for name in names}
    links = [f'<a href="../python/{name}.html"><code>{calls[name]}</code></a>' for name in names]
    return f'<p class="twin">In Python: {", ".join(links)}</p>'


# ---- search ----


class Sections(HTMLParser):
    """The text of a page by its sections: heading, anchor, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[list[str]] = [["", "", ""]]
        self._heading = self._skipped = 0
        self._inside = False
        self._open: list[str] = []
        self.title = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._inside |= tag == "main"
        if tag in ("br", "img", "hr", "col", "input", "meta", "link"):
            return
        skip = {"dont-index", "r-out", "crumbs", "twin", "d-none"} & {
            *given.get("class", "").split()
        }
        if self._skipped or skip or tag in ("script", "style", "math"):
            self._skipped += 1
        if self._inside and tag in ("h1", "h2", "h3"):
            self._heading = 1
            if tag != "h1":
                self.found.append(["", given.get("id", ""), ""])

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
        if tag in ("h1", "h2", "h3"):
            self._heading = 0
        if tag == "main":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside and not self._skipped:
            if self._heading and len(self.found) == 1:
                self.title += data
            else:
                self.found[-1][0 if self._heading else 2] += data


def write_index(pages: list[Path]) -> None:
    """The rows that extra.js searches: kind, title, heading, address, text."""
    rows = []
    for page in pages:
        path = page.relative_to(SITE).as_posix()
        if path in ("reference/index.html", "python/index.html", "articles/index.html"):
            continue
        read = Sections(page.read_text(encoding="utf-8"))
        _, kind = SECTIONS.get(path.split("/")[0], ("", "Page"))
        title = " ".join(read.title.split())
        if kind == "R":
            read.found[0][2] = f"{title}. {read.found[0][2]}"
            title = page.stem
        for heading, anchor, text in read.found:
            words = " ".join(text.split())
            words = words[:400] if kind == "Results" else words
            heading = " ".join(heading.split())
            if words and not (kind == "Results" and heading):
                rows.append([kind, title, heading, f"{path}#{anchor}" if anchor else path, words])
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    (SITE / "search.js").write_text(f"searchRows({text});\n", encoding="utf-8")


if __name__ == "__main__":
    main()
