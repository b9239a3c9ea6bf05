"""Proposed names: from keywords, and from a real server on this machine that can fail."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from commands import call
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    ModelServer,
    cluster_images,
    cluster_keywords,
    edit_clusters,
    image_gallery,
    methods_paragraph,
    propose_names,
)
from imagestrata.clustering.ledger import proposals, read_edits
from imagestrata.text import server as server_module
from model_server import TOKENS_IN, TOKENS_OUT, model_server, picture_in
from test_gallery import data_of

VECTORS = np.repeat(np.eye(3), 4, axis=0)
TEXTS = [*["a grey cat"] * 4, *["the dog barks"] * 4, *["red flag waves"] * 4]


@pytest.fixture
def topics() -> Clustering:
    ids = [f"i{i:02d}" for i in range(12)]
    given = Embeddings.from_arrays(VECTORS, ids)
    given.images["description"] = TEXTS
    return cluster_images(given, method="kmeans", n_clusters=3, progress=False)


def names_of(table: pd.DataFrame) -> dict[int, str]:
    return dict(zip(table["cluster"].tolist(), table["proposal"].tolist(), strict=True))


class TestKeywords:
    def test_the_first_words_of_each_cluster_are_proposed_and_not_yet_names(self, topics):
        proposed = propose_names(topics, n_words=2)
        words = cluster_keywords(topics)
        expected = {
            number: ", ".join(group["term"].head(2)) for number, group in words.groupby("cluster")
        }
        assert names_of(proposed.proposals) == expected
        assert {*proposed.proposals["editor"]} == {"keywords"}
        assert proposed.edits["action"].tolist() == ["propose"] * 3
        assert proposed.edits["clusters"].tolist() == ["1", "2", "3"]
        assert proposed.clusters["cluster_name"].isna().all()
        assert proposed.images["cluster_name"].isna().all()
        assert "; 3 proposed names" in repr(proposed) and "edit" not in repr(proposed)
        assert topics.edits.empty

    def test_equal_names_get_further_words(self, topics):
        keywords = pd.DataFrame(
            {
                "cluster": [1, 1, 1, 2, 2, 2, 3, 3],
                "rank": [1, 2, 3, 1, 2, 3, 1, 2],
                "term": ["a", "b", "c", "a", "b", "d", "e", "f"],
            }
        )
        found = propose_names(topics, keywords=keywords, n_words=2).proposals
        assert names_of(found) == {1: "a, b, c", 2: "a, b, d", 3: "e, f"}
        alike = keywords.replace({"term": {"d": "c"}})
        found = propose_names(topics, keywords=alike, n_words=2).proposals
        assert names_of(found) == {1: "a, b, c", 2: "a, b, c", 3: "e, f"}

    def test_clusters_without_words_or_with_names(self, topics):
        keywords = pd.DataFrame({"cluster": [1, 2], "rank": [1, 1], "term": ["a", "b"]})
        with pytest.warns(UserWarning, match="1 of 3 clusters have no proposal: 3"):
            assert names_of(propose_names(topics, keywords=keywords).proposals) == {1: "a", 2: "b"}
        named = edit_clusters(topics, names={1: "Cats"})
        with pytest.warns(UserWarning, match="1 of 2 clusters"):
            assert names_of(propose_names(named, keywords=keywords).proposals) == {2: "b"}
        assert names_of(propose_names(named, keywords=keywords, clusters=1).proposals) == {1: "a"}
        with pytest.raises(ImagestrataError, match="No name was found for 1 cluster"):
            propose_names(topics, keywords=keywords, clusters=3)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"by": "gpt"}, '`by` must be "keywords" or a model'),
            ({"by": 3}, "`provider` must be a ModelServer|needs `out`"),
            ({"budget": 1.0}, "has no effect with keywords"),
            ({"clusters": 9}, "no cluster 9"),
            ({"clusters": -1}, "no cluster -1|no cluster to name"),
            ({"n_words": 0}, "`n_words` must be at least 1"),
            ({"by": ModelServer("stub", "http://localhost:1/v1")}, "A model needs `out`"),
        ],
    )
    def test_mistakes(self, topics, arguments, said):
        with pytest.raises(ImagestrataError, match=said):
            propose_names(topics, **arguments)

    def test_a_table_without_texts_says_what_is_missing(self):
        bare = cluster_images(VECTORS, method="kmeans", n_clusters=3, progress=False)
        with pytest.raises(ImagestrataError, match="no column 'description'"):
            propose_names(bare)


class TestAccepting:
    def test_all_some_or_other_names(self, topics):
        proposed = propose_names(topics, n_words=1)
        first = names_of(proposed.proposals)
        every = edit_clusters(proposed, accept=True, editor="Ada")
        assert every.clusters["cluster_name"].tolist() == [first[1], first[2], first[3]]
        assert every.proposals.empty
        assert every.edits["action"].tolist() == ["propose"] * 3 + ["name"] * 3
        assert every.edits["editor"].tolist() == ["keywords"] * 3 + ["Ada"] * 3
        assert "; 3 edits" in repr(every)
        some = edit_clusters(proposed, accept=[3], names={1: "Mine"})
        assert some.clusters["cluster_name"].fillna("").tolist() == ["Mine", "", first[3]]
        assert names_of(some.proposals) == {2: first[2]}

    def test_by_the_mark_in_the_file(self, topics, tmp_path):
        proposed = propose_names(topics, n_words=1)
        file = tmp_path / "edits.csv"
        table = proposed.edits.copy()
        table.loc[0, "action"] = "name"
        table.to_csv(file, index=False)
        for start in (topics, proposed):
            found = edit_clusters(start, edits=file)
            assert found.clusters["cluster_name"].fillna("").tolist() == [
                table["name"].iloc[0], "", ""
            ]  # fmt: skip
            assert {*found.proposals["cluster"]} == {2, 3}

    def test_replays_and_lapses(self, topics):
        proposed = propose_names(topics)
        again = edit_clusters(topics, edits=proposed.edits)
        pd.testing.assert_frame_equal(again.edits, proposed.edits)
        assert [one.action for one in read_edits(proposed.edits)] == ["propose"] * 3
        merged = edit_clusters(proposed, merge=[1, 2])
        assert {*merged.proposals["cluster"]} == {3}
        dropped = edit_clusters(proposed, drop=[3])
        assert {*dropped.proposals["cluster"]} == {1, 2}
        split = edit_clusters(proposed, split={2: ["i04"]})
        assert {*split.proposals["cluster"]} == {1, 3}
        moved = edit_clusters(proposed, move={2: ["i00"]})
        assert {*moved.proposals["cluster"]} == {1, 2, 3}
        renewed = propose_names(proposed, n_words=1, clusters=2)
        assert len(renewed.proposals) == 3 and len(renewed.edits) == 4
        assert proposals(topics.edits).empty

    def test_mistakes(self, topics):
        with pytest.raises(ImagestrataError, match="No name is proposed for any cluster"):
            edit_clusters(topics, accept=True)
        with pytest.raises(ImagestrataError, match="No name is proposed for cluster 9"):
            edit_clusters(propose_names(topics), accept=[9])
        with pytest.raises(ImagestrataError, match="proposes no name"):
            edit_clusters(topics, edits=pd.DataFrame({"action": ["propose"], "clusters": ["1"]}))


# ---- a model that sees the images ----

PRICE = (1.0, 2.0)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(server_module, "_FIRST_WAIT", 0.01)
    with model_server() as running:
        running.answer = lambda number, request: f'"Topic {colour_of(request)}."\nIt shows more.'
        yield running


def colour_of(request) -> str:
    red, green, blue = picture_in(request).convert("RGB").resize((1, 1)).getpixel((0, 0))
    return max([(red, "red"), (green, "green"), (blue, "blue")])[1]


def provider(server, **settings):
    return ModelServer("stub", server.url, **{"concurrency": 1, "price": PRICE} | settings)


@pytest.fixture
def run(tmp_path):
    """A run folder with three clusters of 12, 11 and 10 pictures: red, green and blue ones."""
    rng = np.random.default_rng(0)
    for i, (n, place) in enumerate(zip((12, 11, 10), range(3), strict=True)):
        for j in range(n):
            pixels = rng.integers(0, 60, (40, 40, 3), dtype=np.uint8)
            pixels[..., place] += 180
            path = tmp_path / "images" / f"{i}-{j:02d}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path)
    folder = tmp_path / "run"
    cluster_images(
        tmp_path / "images", method="kmeans", n_clusters=3, encoder="hog", out=folder,
        progress=False,
    )  # fmt: skip
    return folder


class TestModel:
    def test_it_sees_nine_typical_images_and_the_keywords(self, server, run):
        topics = Clustering.load(run)
        keywords = pd.DataFrame({"cluster": [1, 1], "rank": [1, 2], "term": ["crowd", "street"]})
        proposed = propose_names(
            topics, provider(server), keywords=keywords, out=run, progress=False
        )
        assert len(server.requests) == 3
        by_text = {}
        for request in server.requests:
            text = request["messages"][0]["content"][0]["text"]
            assert text.startswith("These images are typical of one visual topic")
            by_text["crowd, street" in text] = by_text.get("crowd, street" in text, 0) + 1
            assert picture_in(request).size == (496, 496)
            assert request["max_tokens"] == 50
        assert by_text == {True: 1, False: 2}
        names = names_of(proposed.proposals)
        colours = topics.images.groupby("cluster")["file"].agg(lambda files: files.iloc[0][0])
        kinds = {"0": "Topic red", "1": "Topic green", "2": "Topic blue"}
        assert names == {number: kinds[kind] for number, kind in colours.items()}
        assert {*proposed.proposals["editor"]} == {"stub-1"}
        assert proposed.clusters["cluster_name"].isna().all()
        # Stored in the run folder, and accepted there.
        assert "3 names proposed by machine await a decision." in methods_paragraph(run)
        loaded = Clustering.load(run)
        assert names_of(loaded.proposals) == names
        accepted = edit_clusters(loaded, accept=True, out=run)
        assert accepted.clusters["cluster_name"].tolist() == [*names.values()]
        assert Clustering.load(run).proposals.empty
        assert "by hand (3 names, 3 of which were proposed by machine)" in methods_paragraph(run)

    def test_answers_are_stored_and_never_paid_for_twice(self, server, run):
        topics = Clustering.load(run)
        server.answer = lambda number, request: 500 if number > 2 else "A name"
        quick = provider(server, retries=0)
        with pytest.warns(UserWarning) as caught:
            proposed = propose_names(topics, quick, out=run, progress=False)
        assert any("1 of 3 clusters have no proposal" in str(one.message) for one in caught)
        assert len(proposed.proposals) == 2
        asked = len(server.requests)
        server.answer = lambda number, request: "Another"
        again = propose_names(Clustering.load(run), quick, out=run, progress=False)
        assert len(server.requests) == asked + 1
        assert sorted(again.proposals["proposal"]) == ["A name", "A name", "Another"]
        propose_names(Clustering.load(run), quick, out=run, progress=False)
        assert len(server.requests) == asked + 1

    def test_consent_and_budget(self, server, run, monkeypatch):
        topics = Clustering.load(run)
        far = ModelServer("stub", "https://example.org/v1", api_key="k", price=PRICE)
        with pytest.raises(ImagestrataError, match=r"3 images leave this machine.*Nothing"):
            propose_names(topics, far, out=run, progress=False)
        one = (TOKENS_IN * PRICE[0] + TOKENS_OUT * PRICE[1]) / 1e6
        cheap = provider(server, tokens_per_image=100)
        with pytest.warns(UserWarning, match="have no proposal"):
            found = propose_names(topics, cheap, out=run, budget=1.9 * one, progress=False)
        assert len(found.proposals) == len(server.requests) == 1

    def test_a_server_that_always_fails_or_answers_nothing(self, server, run):
        topics = Clustering.load(run)
        server.answer = lambda number, request: 404
        with pytest.raises(ImagestrataError):
            propose_names(topics, provider(server), out=run, progress=False)
        server.answer = lambda number, request: "I'm sorry, I cannot help with that."
        with pytest.raises(ImagestrataError, match="No name was found for 3 clusters"):
            propose_names(topics, provider(server), out=run, progress=False)
        assert Clustering.load(run).edits.empty

    def test_another_run_is_refused_before_anything_is_asked(self, server, run, topics):
        with pytest.raises(ImagestrataError):
            propose_names(topics, provider(server), out=run, progress=False)
        assert not server.requests

    @pytest.mark.parametrize(
        ("answer", "name"),
        [
            ("Street protest", "Street protest"),
            ("**Street protest.**", "Street protest"),
            ("“Street protest”.\n\nBecause ...", "Street protest"),
            ("x" * 300, "x" * 80),
            ("\x1b[31mStreet\u202e protest\x07", "[31mStreet protest"),
            ("=HYPERLINK(1)", "=HYPERLINK(1)"),
        ],
    )
    def test_answers_are_tidied(self, server, run, answer, name):
        server.answer = lambda number, request: answer
        found = propose_names(
            Clustering.load(run), provider(server), clusters=1, out=run, progress=False
        )
        assert found.proposals["proposal"].tolist() == [name]


def test_the_command_and_the_gallery(run, tmp_path, server):
    images = Clustering.load(run).images
    texts = pd.DataFrame({"image_id": images["image_id"], "text": "a red flag"})
    kinds = {"0": "a cat", "1": "a dog", "2": "a tree"}
    texts["text"] = images["file"].str[0].map(kinds).to_numpy()
    texts.to_csv(tmp_path / "texts.csv", index=False)
    call("keywords", run, "--texts", tmp_path / "texts.csv", "--column", "text", "-q")
    said = json.loads(call("propose", run, "-q", "--json"))
    assert sorted(one["proposal"] for one in said["proposals"]) == ["cat", "dog", "tree"]
    page = image_gallery(Clustering.load(run), run, progress=False)
    assert sorted(one["proposal"] for one in data_of(page)["clusters"]) == ["cat", "dog", "tree"]
    said = json.loads(
        call("propose", run, "--model", "stub", "--base-url", server.url, "-q", "--json")
    )
    assert {one["editor"] for one in said["proposals"]} == {"stub-1"}
