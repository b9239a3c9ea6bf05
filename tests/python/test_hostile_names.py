"""Hostile names of files, folders, clusters, people, items, labels and accounts come back as given.

A name may be refused, with an error that says so; it is never changed in silence, but for blanks
around it, and for line breaks in the name of a cluster. ``IMAGESTRATA_NAMES`` is how many names
there are: 200 by default, 10,000 in ``benchmarks/names.py``.
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterings import draw_images
from hostile import LONGEST, broken_names, hostile_names, hostile_texts
from images import encode, picture
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    assign_annotators,
    cluster_images,
    edit_clusters,
    embed_images,
    export_packets,
    find_images,
    image_gallery,
    link_posts,
    plot_montage,
    read_labels,
    read_posts,
    read_ratings,
    sample_images,
    scan_images,
)
from imagestrata.corpus.reasons import Reason
from imagestrata.files import unguarded, write_table
from imagestrata.sampling.assign import read_packets
from imagestrata.sampling.sample import read_sample

NAMES = int(os.environ.get("IMAGESTRATA_NAMES", "200"))
TEXTS = hostile_texts(NAMES)
#: Clusters, groups and codes are fewer: so many at once, in several rounds.
ROUND = 1000


def stripped(texts: Iterable[str]) -> list[str]:
    return [text.strip() for text in texts]


def data_of(page: Path) -> Any:
    block = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    return json.loads(block[1])


def test_texts_are_of_all_kinds():
    assert len(set(TEXTS)) == NAMES
    assert hostile_texts(NAMES) == TEXTS != hostile_texts(NAMES, seed=1)
    for kind in ("\n", "\u202e", "%", "<script", "-", "=", "`", "CON", "NA"):
        assert any(kind in text for text in TEXTS), kind
    names = hostile_names(NAMES)
    assert len(set(names)) == NAMES and max(map(len, names)) == LONGEST


# ---- files and folders ----


def takes(path: Path, data: bytes | None = None) -> bool:
    """Make a file, or without data a folder, if the system takes its name: Linux takes all."""
    try:
        if data is None:
            path.mkdir(parents=True)
        else:
            path.write_bytes(data)
        if path in path.parent.iterdir():
            return True
        path.unlink()  # Windows stores some names as others
    except (OSError, ValueError):
        pass
    assert sys.platform != "linux", path
    return False


def test_hostile_names_come_through_whole(tmp_path):
    """Through scan, vectors, clusters, sample, gallery, and every kind of table."""
    corpus = tmp_path / "images"
    folders = [corpus / "\n=1" / os.fsdecode(name) for name in hostile_names(20, seed=2)]
    folders = [folder for folder in folders if takes(folder)] or [corpus]
    corpus.mkdir(exist_ok=True)
    files, broken = [], 0
    for number, name in enumerate([*hostile_names(NAMES), *broken_names()]):
        # Longer paths than the system takes are no matter of names.
        folder = folders[number % len(folders)]
        path = os.fsdecode(os.fsencode(folder) + os.fsencode(os.sep) + name)
        if takes(Path(path), encode(picture(number, (24, 24)))):
            if number < NAMES:
                files.append(path)
            else:
                broken += 1
    out = tmp_path / os.fsdecode(hostile_names(1, seed=3)[0])
    out = out if takes(out) else tmp_path / "run"
    images = scan_images(corpus, out=out, progress=False)
    assert (images["reason"] == Reason.BAD_NAME).sum() == images["reason"].notna().sum() == broken
    assert (images["status"] == "ok").sum() == len(files)
    embeddings = embed_images(images, "hog", out=out, progress=False)
    clustering = cluster_images(embeddings, method="kmeans", n_clusters=5, out=out, progress=False)
    sample = sample_images(clustering, budget=min(60, len(files)), out=out)
    page = image_gallery(clustering, out, sample=sample, progress=False)
    expected = set(files)
    for table in (
        images[images["status"] == "ok"],
        pd.read_parquet(out / "images.parquet").query("status == 'ok'"),
        Embeddings.load(out).images,
        Clustering.load(out).images,
    ):
        assert set(table["path"]) == expected
    assert set(read_sample(out)["path"]) == set(sample["path"])
    shown = data_of(page)
    assert {shown["root"] + name for name in shown["images"]["file"]} == expected
    assert not shown["images"]["missing"]
    packets = assign_annotators(sample, ["a"], 4, residual="alone", out=out)
    pages = export_packets(packets, tmp_path / "pages", thumbnail=40, progress=False)
    key = pd.read_csv(tmp_path / "pages-key.csv", dtype=str, keep_default_na=False)
    assert {*unguarded(key)["path"]} == {*sample["path"]}
    assert len([*pages.glob("p*.html")]) == packets["packet_id"].nunique()
    plot_montage(clustering, tmp_path / "montage.png", n_images=2)


# ---- clusters ----


def rounds(texts: list[str]) -> list[list[str]]:
    return [texts[start : start + ROUND] for start in range(0, len(texts), ROUND)]


def clusters_of_two(folder: Path, k: int) -> Clustering:
    paths = draw_images(folder, [1] * 4)
    rng = np.random.default_rng(0)
    places = np.repeat(rng.normal(size=(k, 8)), 2, axis=0) + 0.01 * rng.normal(size=(2 * k, 8))
    images = pd.DataFrame(
        {
            "image_id": [f"i{row}" for row in range(2 * k)],
            "path": [paths[row % 4] for row in range(2 * k)],
            "n_copies": 1,
        }
    )
    embeddings = Embeddings(images, places.astype("float32"), {"name": "hog"})
    return Clustering.from_labels(embeddings, [f"{row // 2:05d}" for row in range(2 * k)])


def test_names_of_clusters(tmp_path):
    """Through edits, a run folder, a sample, the gallery, tables and packets."""
    for number, texts in enumerate(rounds(TEXTS)):
        place = tmp_path / str(number)
        found = clusters_of_two(place / "images", len(texts))
        names = dict(zip(found.clusters["cluster"], texts, strict=True))
        # A name is one line.
        expected = {cluster: " ".join(text.split()) for cluster, text in names.items()}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".* have the same name")
            edited = edit_clusters(found, names=names)
        edited.save(place / "run")
        table = pd.DataFrame({"action": "name", "clusters": [*names], "name": [*names.values()]})
        write_table(place / "edits.csv", table.astype(str))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".* have the same name")
            again = edit_clusters(found, edits=place / "edits.csv")
        loaded = Clustering.load(place / "run")
        sample = sample_images(loaded, n_per_cluster=1, out=place / "run")
        for clusters in (
            edited.clusters,
            again.clusters,
            loaded.clusters,
            read_sample(place / "run"),
        ):
            assert dict(zip(clusters["cluster"], clusters["cluster_name"], strict=True)) == expected
        assert set(find_images(loaded, [1, 2])["cluster_name"]) == {expected[1], expected[2]}
        page = image_gallery(loaded, place / "run", progress=False)
        assert {one["cluster"]: one["name"] for one in data_of(page)["clusters"]} == expected
        packets = assign_annotators(sample, ["a"], residual="alone", out=place / "run")
        key = read_packets(place / "run")
        assert dict(zip(key["cluster"], key["cluster_name"], strict=True)) == expected
        export_packets(packets.head(8), place / "pages", thumbnail=40, progress=False)
        written = pd.read_csv(place / "pages-key.csv", dtype=str, keep_default_na=False)
        kept = unguarded(written).drop_duplicates("cluster")
        assert {*kept["cluster_name"]} <= {*expected.values()}
        assert {*packets["image_id"]} <= {*key["image_id"]}
    for some in rounds([*names])[0][:200:20]:
        plot_montage(loaded, place / "montage.png", clusters=range(some, some + 2), n_images=2)


# ---- people, items, labels ----


def rows(n: int) -> pd.DataFrame:
    """Ratings as the page downloads them."""
    return pd.DataFrame(
        {
            "respondent_id": [f"r{i}" for i in range(n)],
            "group": "D",
            "packet_id": "p001",
            "position": 1,
            "image_id": "i1",
            "item": "proud",
            "item_position": 1,
            "rating": [str(i % 11) for i in range(n)],
            "skipped": 0,
            "seconds": 3.5,
        }
    )


@pytest.mark.parametrize("column", ["respondent_id", "group", "packet_id", "image_id"])
def test_annotators_groups_and_images(tmp_path, column):
    write_table(tmp_path / "answers.csv", rows(NAMES).assign(**{column: TEXTS}))
    ratings = read_ratings(tmp_path / "answers.csv", items=["proud"])
    assert stripped(ratings[column].astype(str)) == stripped(TEXTS)
    assert ratings["rating"].tolist() == [i % 11 for i in range(NAMES)]


def test_items(tmp_path):
    """An item is one line without the brackets of Qualtrics."""

    def fits(text: str) -> bool:
        return not re.search(r"[\n\r]|\[\[|\]\]", text)

    kept = [text for text in stripped(TEXTS) if fits(text)]
    refused = [text for text in stripped(TEXTS) if not fits(text)]
    assert len(kept) > 2 * len(refused) > 0
    for text in refused[:50]:
        with pytest.raises(ImagestrataError, match="must be single lines"):
            read_ratings(rows(1).assign(item=text), items=[text])
    write_table(tmp_path / "answers.csv", rows(len(kept)).assign(item=kept))
    ratings = read_ratings(tmp_path / "answers.csv", items=kept)
    assert ratings["item"].astype(str).tolist() == kept


def test_groups_of_packets(tmp_path):
    """Through the table of packets, its file, the pages and their key."""
    images = clusters_of_two(tmp_path / "images", 2)
    sample = sample_images(images, n_per_cluster=2)
    groups = stripped(TEXTS)[: min(NAMES, 500)]
    packets = assign_annotators(sample, groups, 4, residual="alone", out=tmp_path / "run")
    assert packets["group"].drop_duplicates().tolist() == groups
    assert read_packets(tmp_path / "run")["group"].drop_duplicates().tolist() == groups
    export_packets(packets, tmp_path / "pages", thumbnail=40, progress=False)
    key = pd.read_csv(tmp_path / "pages-key.csv", dtype=str, keep_default_na=False)
    assert unguarded(key)["group"].drop_duplicates().tolist() == groups


#: What stands for no label, and is reported.
MISSING = ("NA", "nan")


def asked(n: int) -> pd.DataFrame:
    return pd.DataFrame({"image_id": [f"i{i}" for i in range(n)], "cluster": 1})


def answered(tmp_path: Path, codes: Any, **columns: Any) -> pd.DataFrame:
    """Labels in a table as coders fill it in, read back."""
    table = asked(len(next(iter(columns.values())))).drop(columns="cluster")
    write_table(tmp_path / "labels.csv", table.assign(**{"annotator": "a"} | columns))
    return read_labels(tmp_path / "labels.csv", asked(len(table)), codes=codes)


def test_labels(tmp_path):
    """Texts, and values of a code, which are told apart but for their case."""
    expected = stripped(TEXTS)
    with pytest.warns(UserWarning, match=f"{len(MISSING)} of {NAMES:,} images have no label"):
        labels = answered(tmp_path, {"remark": "text"}, remark=TEXTS)
    assert stripped(labels["label"]) == [text for text in expected if text not in MISSING]
    coders = answered(tmp_path, {"remark": "text"}, remark=["x"] * NAMES, annotator=TEXTS)
    assert stripped(coders["annotator"]) == expected
    for text in MISSING:
        with pytest.raises(ImagestrataError, match="tables read as a missing answer"):
            answered(tmp_path, {"scene": [text, "another"]}, scene=["another"])
    known = {text.lower(): text for text in expected if text not in MISSING}
    for values in rounds([*known.values()]):
        labels = answered(tmp_path, {"scene": values}, scene=values)
        assert labels["label"].tolist() == values


def test_posts_and_accounts(tmp_path):
    """Through the file of posts, the link to images, and the gallery."""
    posts = pd.DataFrame(
        {
            "post_id": [f"p{i}" for i in range(NAMES)],
            "author": TEXTS,
            "text": TEXTS,
            "time": "2024-01-01",
            "image": [f"i{i % 20}" for i in range(NAMES)],
        }
    )
    write_table(tmp_path / "posts.csv", posts)
    read = read_posts(tmp_path / "posts.csv")
    expected = stripped(TEXTS)
    assert stripped(read["author"]) == stripped(read["text"]) == expected
    found = clusters_of_two(tmp_path / "images", 10)
    linked = link_posts(found, read.assign(image_id=posts["image"]), by="image_id")
    assert stripped(linked["author"]) == expected
    page = image_gallery(found, tmp_path / "run", posts=linked, author="author", progress=False)
    assert {*stripped(data_of(page)["posts"]["authors"]["values"])} == {*expected}
