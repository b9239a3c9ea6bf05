"""Results show themselves: in a terminal, and in a notebook with pictures and links."""

from __future__ import annotations

import html
import inspect
import pickle
import re
import sys
import webbrowser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import imagestrata
from clusterings import draw_images, hand_made
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_stability,
    compare_clusterings,
    compare_tags,
    image_gallery,
)
from imagestrata.shown import Page, Shown

CLUSTERS = [i // 10 + 1 for i in range(120)]


@pytest.fixture(scope="module")
def topics(tmp_path_factory):
    return hand_made(draw_images(tmp_path_factory.mktemp("images"), [1] * 120), CLUSTERS)


def test_a_clustering_shows_its_largest_clusters_with_pictures(topics):
    shown = topics._repr_html_()
    assert "Clustering: 120 images in 12 clusters, 0 residual" in shown
    assert "(10 of 12 clusters)" in shown
    assert shown.count("<tr>") == 11
    assert shown.count('src="data:image/jpeg;base64,') == 50
    assert "silhouette" in shown and "typical images" in shown
    assert "<script" not in shown
    assert repr(topics).splitlines()[0] in html.unescape(shown)


def test_pictures_add_less_than_300_kilobytes(tmp_path):
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / f"{i}.png") for i in range(50)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)).save(path)
    shown = hand_made(paths, [i // 5 + 1 for i in range(50)])._repr_html_()
    assert 10 <= shown.count("<img") < 50
    assert len(shown) < 300_000


def test_without_readable_pictures_the_table_alone(topics):
    gone = hand_made(["gone.png"] * 3, [1, 1, 2])
    shown = gone._repr_html_()
    assert "<table" in shown and "<img" not in shown and "typical images" not in shown
    nowhere = Clustering.from_labels(np.eye(4), ["a", "a", "b", None])
    assert "<img" not in nowhere._repr_html_()
    nothing = hand_made([], [])
    assert "<table" in nothing._repr_html_()


def test_what_users_wrote_is_text():
    hostile = "<script>alert(1)</script>"
    shown = Clustering.from_labels(np.eye(4), [hostile, hostile, "b", None])._repr_html_()
    assert hostile not in shown
    assert html.escape(hostile) in shown


def test_every_result_shows_itself(topics):
    points = np.random.default_rng(0).normal(size=(60, 3))
    points[:30] += 9
    embeddings = Embeddings.from_arrays(points)
    found = imagestrata.cluster_images(points, "kmeans", n_clusters=2, progress=False)
    tags = pd.DataFrame({"image_id": ["a", "b"], "rank": 1, "label": ["x", "y"], "confidence": 0.9})
    several = [
        embeddings,
        found,
        cluster_stability(found, embeddings, n_refits=1, progress=False),
        compare_clusterings(a=found, b=found),
        compare_tags({"one": tags, "two": tags}),
    ]
    for one in several:
        assert isinstance(one, Shown)
        assert "object at" not in repr(one) and "array(" not in repr(one)
        head = repr(one).splitlines()[0]
        assert head in html.unescape(one._repr_html_())
        cells = re.findall(r"<td[^>]*>([^<]*)</td>", one._repr_html_())
        assert not [cell for cell in cells if "nan" in cell.lower() or "<NA>" in cell]


def test_results_of_verbs_are_shown_objects():
    """No public result prints as an address in memory."""
    for name in imagestrata.__all__:
        one = getattr(imagestrata, name)
        if isinstance(one, type) and "summary" in {*dir(one), *inspect.get_annotations(one)}:
            assert issubclass(one, Shown), name
            assert "_parts" in vars(one), name


@pytest.fixture
def opened(monkeypatch):
    addresses = []
    monkeypatch.setattr(webbrowser, "open", lambda address: addresses.append(address) or True)
    monkeypatch.delattr(sys, "ps1", raising=False)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(sys, "platform", "linux")
    return addresses


def test_a_gallery_is_a_path_that_can_be_clicked(topics, tmp_path, monkeypatch, opened):
    page = image_gallery(topics, tmp_path / "a run", progress=False)
    assert isinstance(page, Path) and page == tmp_path / "a run" / "gallery" / "index.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert f"{page}" == str(page) and open(page).close() is None  # noqa: PTH123
    assert pickle.loads(pickle.dumps(page)) == page
    assert f'href="{page.as_uri()}"' in page._repr_html_()
    monkeypatch.chdir(tmp_path)
    assert 'href="a%20run/gallery/index.html"' in page._repr_html_()
    assert html.escape("<b>.html") in Page("<b>.html")._repr_html_()
    again = image_gallery(topics, tmp_path / "a run", progress=False)
    assert type(again) is type(page)
    assert opened == []


def test_a_browser_opens_only_for_people(topics, tmp_path, monkeypatch, opened):
    def gallery(**arguments):
        return image_gallery(topics, tmp_path, progress=False, **arguments)

    page = gallery()
    assert opened == []
    gallery(view=True)
    assert opened == [page.as_uri()]
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    gallery()
    gallery(view=False)
    assert opened == [page.as_uri()] * 2
    monkeypatch.delenv("DISPLAY")
    gallery()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # a notebook shows the link
    gallery()
    assert opened == [page.as_uri()] * 2
    with pytest.raises(ImagestrataError, match="`view` must be"):
        gallery(view="yes")
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    with pytest.warns(UserWarning, match="No browser can be opened"):
        gallery(view=True)


def test_other_pages_can_be_clicked(topics, tmp_path):
    pairs = imagestrata.sample_pairs(np.random.default_rng(0).normal(size=(30, 2)), n=5, k=2)
    page = imagestrata.export_pairs(pairs, tmp_path / "pairs.csv", to="csv", progress=False)
    assert isinstance(page, Page) and page == tmp_path / "pairs.csv"
