"""Text that wants to be more than text: in spreadsheets, in pages, and in files of users."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imagestrata
from clusterings import draw_images, hand_made
from films import write_seconds
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    assign_annotators,
    coding_sheet,
    edit_clusters,
    export_labels,
    export_packets,
    export_pairs,
    export_test,
    extract_frames,
    image_gallery,
    link_posts,
    propose_exclusions,
    read_pairs,
    read_ratings,
    sample_images,
    sample_pairs,
)
from imagestrata.annotation.key import read_key
from imagestrata.cli.posts import write_linked
from imagestrata.encoders.weights import read_weights
from imagestrata.files import unguarded, write_table
from imagestrata.sampling.assign import read_packets
from imagestrata.sampling.pairs import read_drawn_pairs
from imagestrata.sampling.sample import read_sample

PACKAGE = Path(imagestrata.__file__).parent

#: Each stands for a way of attack: spreadsheets', HTML's, JSON's and CSV's.
HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1:A2)",
    "\t=1",
    "\r=1",
    "'=1",
    "''@x",
    "＝1",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}",
    'a,b;"c"',
    "a;=cmd|' /C calc'!A0",
    'a;"=1+1"',
    "a\t@SUM(A1)",
    "two\n=1+1",
    "a|'-1+1",
    "line\nbreak",
    "x\u2028\u202e",
]

FORMULA = re.compile(r"[\"\t\r\n]*[=+\-@＝＋－＠]")

#: A cell that is a number, alone or before a comma that is taken for a part of it.
NUMBER = re.compile(r"[+-]?[\d.]+([eE][+-]?\d+)?(,.*)?", re.DOTALL)


def cells_of(text: str) -> list[str]:
    """The cells that spreadsheets may see, which guess what separates them."""
    return [
        cell
        for separator in ",;\t|"
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        for cell in row
    ]


@pytest.fixture(scope="module")
def clustering(tmp_path_factory) -> Clustering:
    """Every hostile text is an id, a word of the user's, and the name of a column."""
    paths = draw_images(tmp_path_factory.mktemp("images"), [1, 2, 3, 4] * 8)
    found = hand_made(paths, [1, 2, 3, 4] * 8)
    ids = [f"{HOSTILE[i % len(HOSTILE)]}{i}" for i in range(32)]
    found.images["image_id"] = ids
    found.images["=caption"] = [HOSTILE[-1 - i % len(HOSTILE)] for i in range(32)]
    return found


# ---- spreadsheets ----


@settings(max_examples=150)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
        | st.builds(
            lambda text, n, before: before + "'" * n + text,
            st.sampled_from(HOSTILE[:9]),
            st.integers(0, 3),
            st.sampled_from(["", "a;", 'b;"', "\n", "c\t\"'", "|", ";;"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_guarded_text_comes_back_as_it_was(tmp_path_factory, texts):
    path = tmp_path_factory.getbasetemp() / "table.csv"
    table = pd.DataFrame({"text": texts, "number": -1.5})
    write_table(path, table)
    for cell in cells_of(path.read_bytes().decode()):
        assert not FORMULA.match(cell) or NUMBER.fullmatch(cell)
    read = unguarded(pd.read_csv(path, dtype={"text": "str"}, keep_default_na=False))
    assert read["text"].tolist() == texts
    assert read["number"].tolist() == [-1.5] * len(texts)


def test_numbers_stay_numbers(tmp_path):
    write_table(tmp_path / "t.csv", pd.DataFrame({"a": [-1.5], "b": ["-7"], "=c": ["-7+1"]}))
    assert (tmp_path / "t.csv").read_text() == "a,b,'=c\n-1.5,-7,'-7+1\n"


def every_csv(clustering: Clustering, out: Path) -> dict[str, Path]:
    """Every CSV file that this package writes of these images."""
    rng = np.random.default_rng(0)
    clustering = edit_clusters(
        clustering, names=dict(enumerate(HOSTILE[:4], 1)), note=HOSTILE[0], editor="=editor"
    )
    clustering.save(out / "edited")
    images = clustering.images
    embeddings = Embeddings(images.drop(columns="cluster"), rng.normal(size=(32, 8)), {"width": 8})
    drawn = sample_images(clustering, 3, out=out)
    pairs = sample_pairs(embeddings, 8, 4, out=out)
    packets = assign_annotators(drawn, ["=a", "@b"], 2, out=out, residual="alone")
    export_pairs(pairs, out / "judge.csv", to="csv")
    descriptions = pd.DataFrame({"cluster": [1, 2, 3, 4], "description": HOSTILE[:4]})
    export_test(clustering, out / "matching.html", descriptions=descriptions, progress=False)
    export_test(clustering, out / "intruders.html", kind="intruders", progress=False)
    coding_sheet(clustering, out / "coding.html", ["=code", "@people"], progress=False)
    export_labels(drawn, out / "label", {"=code": HOSTILE[:4]}, progress=False)
    export_packets(packets, out / "rate", progress=False)
    posts = drawn[["image_id"]].assign(post_id="-1", text=HOSTILE[0], media=[HOSTILE] * len(drawn))
    write_linked(out, link_posts(clustering, posts, by="image_id"))
    film = write_seconds(out.with_name("film.avi"), ["red"])
    posts = pd.DataFrame({"path": [str(film)], "=caption": [HOSTILE[0]]})
    extract_frames(posts, out / "frames", progress=False)
    elsewhere = out.with_name("elsewhere")  # these packets are not the run's
    address = "https://example.org"
    export_packets(
        plain_ids(packets),
        elsewhere / "qualtrics",
        to="qualtrics",
        base_url=address,
        progress=False,
    )
    return {
        path.relative_to(folder).as_posix(): path
        for folder in (out, elsewhere)
        for path in sorted(folder.rglob("*.csv"))
    }


def plain_ids(packets: pd.DataFrame) -> pd.DataFrame:
    """Qualtrics takes no others, since they are names of files on a server."""
    return packets.assign(image_id=[f"i{n}" for n in pd.factorize(packets["image_id"])[0]])


#: Files that another program reads, never a spreadsheet.
EXACT = {"qualtrics/loop-and-merge.csv", "qualtrics/packets.csv"}


@pytest.fixture(scope="module")
def written(clustering, tmp_path_factory) -> tuple[Path, dict[str, Path]]:
    out = tmp_path_factory.mktemp("out")
    return out, every_csv(clustering, out)


def test_no_table_for_people_holds_a_formula(written):
    _, files = written
    assert len(files) >= 8 and set(files) > EXACT
    guarded = 0
    for name, path in files.items():
        if name in EXACT:
            continue
        text = path.read_bytes().decode("utf-8")
        for cell in cells_of(text):
            assert not FORMULA.match(cell) or NUMBER.fullmatch(cell), name
            guarded += cell.startswith("'")
    assert guarded > 50


def test_every_writer_of_csv_is_known():
    """All go through write_table(), but for a table of our own words."""
    writers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\.to_csv\(|csv\.writer|DictWriter", path.read_text(encoding="utf-8"))
    }
    assert writers == {"files.py", "demo/corpus.py", "corpus/scan.py"}
    assert "to_csv() if len" in (PACKAGE / "corpus" / "scan.py").read_text()  # hashed, not written


def test_what_is_read_back_is_what_was_written(clustering, written):
    out, files = written
    ids = set(clustering.images["image_id"])
    drawn, pairs, packets = read_sample(out), read_drawn_pairs(out), read_packets(out)
    assert set(drawn["image_id"]) <= ids and "=caption" in drawn
    assert set(drawn["=caption"]) <= set(clustering.images["=caption"])
    assert {*pairs["image_a"], *pairs["image_b"]} <= ids
    assert set(packets["image_id"]) <= ids and set(packets["group"]) == {"=a", "@b"}
    key = read_key(out / "intruders.html", ["image_id"], "key", "export_test")
    assert set(key["image_id"]) <= ids
    assert "'=caption" in files["sample.csv"].read_text()


def test_answers_with_guards_find_their_images(clustering, written, tmp_path):
    """The pages' own downloads are guarded too."""
    out, _ = written
    drawn = read_sample(out)
    rated = pd.DataFrame({"respondent_id": "p", "image_id": drawn["image_id"], "item": "anger"})
    write_table(tmp_path / "ratings.csv", rated.assign(rating=3, group="=a"))
    back = read_ratings(tmp_path / "ratings.csv", drawn, items=["anger"])
    assert set(back["image_id"]) == set(drawn["image_id"]) and set(back["group"]) == {"=a"}
    pairs = read_drawn_pairs(out)
    judged = pairs[["pair_id"]].assign(annotator="@me", judgement=1)
    write_table(tmp_path / "judged.csv", judged)
    assert set(read_pairs(tmp_path / "judged.csv", pairs)["annotator"]) == {"@me"}


@pytest.mark.browser
def test_the_page_kit_has_the_same_guard(visit, written, tmp_path):
    """The pages' own downloads are guarded as :func:`write_table` guards."""
    out, _ = written
    visit.goto(next((out / "rate").glob("*.html")).as_uri())
    lines = visit.evaluate("texts => texts.map((text) => kit.csv([[text, 'end']]))", HOSTILE)
    for text, line in zip(HOSTILE, lines, strict=True):
        write_table(tmp_path / "t.csv", pd.DataFrame({"text": [text]}))
        ours = [*csv.reader(io.StringIO((tmp_path / "t.csv").read_bytes().decode(), newline=""))]
        assert [*csv.reader(io.StringIO(line, newline=""))] == [[ours[1][0], "end"]]


# ---- pages ----


class Reader(HTMLParser):
    """What a browser would see: elements with their attributes, scripts apart."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"] or ""


def read_page(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader


def every_page(clustering: Clustering, text: str, out: Path) -> dict[str, Path]:
    """Every page that this package writes, with ``text`` wherever a user may put some."""
    out.mkdir()
    images = clustering.images.drop(columns="=caption")
    images["image_id"] = [f"{text}{i}" for i in range(32)]
    images[f"{text}!"] = text
    given = replace(clustering, images=images)
    rng = np.random.default_rng(0)
    embeddings = Embeddings(images[["image_id", "path", "n_copies"]], rng.normal(size=(32, 8)), {})
    drawn = sample_images(given, 3)
    packets = assign_annotators(drawn, [f"a{text}", f"b{text}"], 2)
    words = pd.DataFrame({"cluster": [1, 2], "term": text, "score": 1.0, "rank": 1})
    asked = {"question": text or "?", "warning": text or "!"}
    columns = {"by": f"{text}?", "author": f"{text}@"}
    posts = images[["image_id"]].assign(post_id="p", **dict.fromkeys(columns.values(), text or "x"))
    image_gallery(
        given, out, sample=drawn, keywords=words, posts=posts, time=None, **columns, progress=False
    )
    pairs = sample_pairs(embeddings, 8, 4)
    several = {text: f"{text}q", f"{text}2": text}
    export_pairs(pairs, out / "pairs.html", questions=text, warning=text, progress=False)
    export_pairs(pairs, out / "asked.html", questions=several, warning=text, progress=False)
    told = [f"{text}{i}" for i in "abcd"]
    descriptions = pd.DataFrame({"cluster": [1, 2, 3, 4], "description": told})
    export_test(
        given, out / "matching.html", descriptions=descriptions, warning=text, progress=False
    )
    export_test(given, out / "intruders.html", kind="intruders", warning=text, progress=False)
    codes = {f"{text}?": [f"{text}1", "no"]}
    coding_sheet(given, out / "coding.html", codes, **asked, progress=False)
    book = pd.DataFrame({"code": [*codes], "answer": ["no"], "definition": [f"{text}!"]})
    export_labels(drawn, out / "label", codes, codebook=book, **asked, progress=False)
    export_packets(packets, out / "rate", **asked, progress=False)
    tags = images[["image_id", "path"]].assign(label=f"{text}!", confidence=1.0)
    with pytest.warns(UserWarning, match="proposed"):
        propose_exclusions(tags, f"{text}!", out=out / "screen.html", progress=False)
    return {path.relative_to(out).as_posix(): path for path in sorted(out.rglob("*.html"))}


@pytest.fixture(scope="module")
def plain_pages(clustering, tmp_path_factory) -> dict[str, Path]:
    return every_page(clustering, "plain", tmp_path_factory.mktemp("plain") / "out")


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "\"'><img src=x onerror=a()>"]
)
def test_no_page_lets_text_be_more_than_text(clustering, plain_pages, tmp_path, text):
    pages = every_page(clustering, text, tmp_path / "out")
    kinds = {"gallery/index", "pairs", "matching", "intruders", "coding", "screen"}
    assert kinds < {name.removesuffix(".html") for name in pages}
    assert any(name.startswith("rate/") for name in pages)
    assert any(name.startswith("label/") for name in pages)
    for page, plain in zip(pages.values(), plain_pages.values(), strict=True):
        hostile, harmless = read_page(page), read_page(plain)
        assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in harmless.elements]
        for _, attributes in hostile.elements:
            assert not any(name.startswith("on") for name in attributes)


def test_every_page_has_a_policy_that_allows_nothing_foreign(plain_pages):
    for page in plain_pages.values():
        policy = dict(part.split(" ", 1) for part in read_page(page).policy.split("; "))
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert re.fullmatch(r"'sha256-[\w+/=]{44}'", policy["script-src"])
        assert re.fullmatch(r"'sha256-[\w+/=]{44}'", policy["style-src"])
        assert "http" not in policy["img-src"] and "*" not in str(policy)


def test_pages_are_written_by_the_kit_alone():
    """So that the tests above are of all pages; each kind of page is among theirs."""
    markup = re.compile(r"<(html|script|div|img|body|head)\b", re.IGNORECASE)
    writers, kinds, parts = set(), set(), set()
    for path in PACKAGE.rglob("*.py"):
        code = path.read_text(encoding="utf-8")
        texts = [
            node.value
            for node in ast.walk(ast.parse(code))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        if any(markup.search(text) for text in texts):
            writers.add(path.relative_to(PACKAGE).as_posix())
        kinds |= set(re.findall(r"write_page\(\s*[^,]+,\s*\"(\w+)\"", code))
        parts |= set(re.findall(r"fragment\(\"(\w+)\"", code))
        kinds |= set(re.findall(r"Form\(\s*kind=\"(\w+)\"", code))
    assert writers == {"annotation/exporters/qualtrics.py"}  # a survey's text, see the next test
    assert kinds == {"gallery", "pairs", "sets", "ratings", "labels", "screening"}
    assert parts == {"notebook", "link"}  # see test_shown.py
    templates = {path.stem for path in (PACKAGE / "page").glob("*.html")}
    served = {"entry", "notice", "progress"}  # by the server of forms, see test_site.py
    assert templates - {"base", "annotate", "start"} - served == kinds | parts


def test_the_survey_for_qualtrics_escapes_too(clustering, tmp_path):
    packets = assign_annotators(sample_images(clustering, 2), ["a", "b"], 2)
    text = HOSTILE[9]
    said = {"question": text, "warning": text, "items": [text, "joy"]}
    address = "https://example.org"
    export_packets(
        plain_ids(packets),
        tmp_path / "out",
        to="qualtrics",
        base_url=address,
        **said,
        progress=False,
    )
    survey = (tmp_path / "out" / "survey.txt").read_text()
    assert "<script" not in survey and survey.count("&lt;script") == 3


# ---- files of users that want to be run ----


def test_no_reader_can_run_what_it_reads():
    """No pickle, by whatever name; torch and numpy only with their locks on."""
    loaders = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not loaders & {alias.name.split(".")[0] for alias in node.names}, path
            elif isinstance(node, ast.ImportFrom):
                errors = all(alias.name.endswith("Error") for alias in node.names)
                assert errors or (node.module or "").split(".")[0] not in loaders, path
            elif isinstance(node, ast.Call):
                check_call(ast.unparse(node.func), node, path)


def check_call(name: str, call: ast.Call, path: Path) -> None:
    given = {word.arg: ast.unparse(word.value) for word in call.keywords}
    assert name not in ("eval", "exec") and not name.endswith("read_pickle"), path
    if name.endswith("torch.load"):
        assert given.get("weights_only") == "True", path
    if name.endswith(("np.load", "numpy.load")):
        assert given.get("allow_pickle") == "False", path
    if name.endswith("yaml.load"):
        raise AssertionError(path)
    assert given.get("trust_remote_code", "False") == "False", path


class Malice:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("ending", ["pt", "pth", "safetensors"])
def test_weights_that_want_to_be_run_are_refused(tmp_path, ending):
    import pickle

    import torch

    trace = tmp_path / "it-ran"
    for name, content in {
        "plain": pickle.dumps(Malice(trace)),
        "torch": None,
    }.items():
        file = tmp_path / f"{name}.{ending}"
        if content is None:
            torch.save({"weight": Malice(trace)}, file)
        else:
            file.write_bytes(content)
        with pytest.raises(ImagestrataError, match="is damaged, or is not a file of weights"):
            read_weights(file)
    assert not trace.exists()
    pickle.loads((tmp_path / f"plain.{ending}").read_bytes())
    assert trace.exists()  # it would have


def test_json_of_runs_is_data_only(tmp_path):
    """Settings that a stranger wrote are never taken for code or for paths to open."""
    steps = {"embed": {"settings": {"__class__": "os.system"}, "inputs": "x", "finished": None}}
    (tmp_path / "run.json").write_text(json.dumps({"imagestrata": "0", "steps": steps}))
    with pytest.raises(ImagestrataError, match="'embed' was interrupted"):
        imagestrata.share_bundle(tmp_path, tmp_path.parent / "bundle")
