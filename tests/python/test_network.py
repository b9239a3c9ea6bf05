"""Networks of posts: read back by networkx, and XML whatever the names hold."""

from __future__ import annotations

import time
import warnings
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata import ImagestrataError, export_network

#: Posts 1 and 2 show cluster 1, post 2 also cluster 2, post 3 the residual; 4 shows no known image.
POSTS = pd.DataFrame(
    {
        "post_id": ["1", "2", "2", "2", "3", "4"],
        "image_id": ["a", "b", "c", "b", "d", None],
        "cluster": pd.array([1, 1, 2, 1, -1, None], dtype="Int64"),
        "cluster_name": ["flags", "flags", None, "flags", None, None],
        "author": ["ann", "ben", "ben", "ben", "ann", "cem"],
        "party": ["D", "R", "R", "R", "D", "R"],
        "hashtags": ["#vote #now", "#vote,#no", "#vote,#no", "#vote,#no", "#now", "#lost"],
        "unmatched": [None] * 5 + ["no image"],
    }
)
READ = {"graphml": nx.read_graphml, "gexf": nx.read_gexf}


def network(folder: Any, *nodes: str, form: str = "graphml", posts: Any = POSTS, **options: Any):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = export_network(posts, folder / f"network.{form}", nodes, overwrite=True, **options)
    ElementTree.parse(path)
    return READ[form](path)


def weights(graph: Any) -> dict[tuple[str, ...], int]:
    return {tuple(sorted(pair)): graph.edges[pair]["weight"] for pair in graph.edges}


@pytest.mark.parametrize("form", ["graphml", "gexf"])
def test_worked_by_hand(tmp_path, form: str) -> None:
    graph = network(tmp_path, "topic", "hashtag", form=form, columns=["party"])
    assert not graph.is_directed()
    assert weights(graph) == {
        ("hashtag:#now", "topic:1"): 1,
        ("hashtag:#vote", "topic:1"): 2,  # post 2 counts once, though it shows b twice
        ("hashtag:#no", "topic:1"): 1,
        ("hashtag:#vote", "topic:2"): 1,
        ("hashtag:#no", "topic:2"): 1,
    }
    assert graph.edges["topic:1", "hashtag:#vote"]["n_authors"] == 2
    assert dict(graph.nodes["topic:1"]) == {
        "label": "flags", "kind": "topic", "n_posts": 2, "cluster": 1, "cluster_name": "flags",
    }  # fmt: skip
    assert dict(graph.nodes["topic:2"]) == {
        "label": "Cluster 2", "kind": "topic", "n_posts": 1, "cluster": 2, "party": "R",
    }  # fmt: skip
    assert graph.nodes["hashtag:#now"] == {
        "label": "#now", "kind": "hashtag", "n_posts": 2, "party": "D",
    }  # fmt: skip
    assert "party" not in graph.nodes["hashtag:#vote"]  # its posts differ


def test_other_nodes(tmp_path) -> None:
    images = network(tmp_path, "image", "author")
    assert weights(images) == {
        ("author:ann", "image:a"): 1, ("author:ben", "image:b"): 1, ("author:ben", "image:c"): 1,
        ("author:ann", "image:d"): 1,
    }  # fmt: skip
    assert images.nodes["image:b"]["cluster"] == 1
    # An image is joined to its own topic, not to those of the other images of a post.
    members = network(tmp_path, "topic", "image", residual="together")
    assert set(weights(members)) == {
        ("image:a", "topic:1"), ("image:b", "topic:1"), ("image:c", "topic:2"),
        ("image:d", "topic:-1"),
    }  # fmt: skip
    assert members.nodes["topic:-1"]["label"] == "Residual"
    assert weights(network(tmp_path, "hashtag", "hashtag")) == {
        ("hashtag:#now", "hashtag:#vote"): 1, ("hashtag:#no", "hashtag:#vote"): 1,
    }  # fmt: skip
    assert weights(network(tmp_path, "topic", "topic")) == {("topic:1", "topic:2"): 1}
    parties = network(tmp_path, "party", "topic", posts=POSTS.drop(columns="author"))
    assert weights(parties)["party:R", "topic:1"] == 1
    assert "n_authors" not in parties.edges["party:R", "topic:1"]


def test_rare_edges_and_lists(tmp_path) -> None:
    strong = network(tmp_path, "topic", "hashtag", min_weight=2)
    assert set(strong.nodes) == {"topic:1", "hashtag:#vote"}
    lists = POSTS.assign(hashtags=POSTS["hashtags"].str.split("[ ,]"))
    assert weights(network(tmp_path, "topic", "hashtag", posts=lists)) == weights(
        network(tmp_path, "topic", "hashtag")
    )
    whole = POSTS.assign(hashtags=POSTS["hashtags"].str.replace(r"[ ,]", " | ", regex=True))
    assert "hashtag:#no" in network(
        tmp_path, "author", "hashtag", posts=whole, separator="|"
    )  # spaces around entries do not count
    # Themes are topics, too; images of the residual have none.
    themes = POSTS.assign(
        theme=pd.array([7, 7, 7, 7, None, None], "Int64"), theme_name=["marches"] * 4 + [None] * 2
    )
    graph = network(tmp_path, "author", "topic", posts=themes, level="theme", residual="together")
    assert weights(graph) == {
        ("author:ann", "topic:-1"): 1, ("author:ann", "topic:7"): 1, ("author:ben", "topic:7"): 1,
    }  # fmt: skip
    assert graph.nodes["topic:7"]["label"] == "marches"


def test_posts_without_images_are_told(tmp_path) -> None:
    with pytest.warns(UserWarning, match="1 of 4 posts show no image of the clustering"):
        export_network(POSTS, tmp_path / "a.gexf")


HOSTILE = [
    "<b>&amp;\"'", "a\x00b", "\x01", "emoji \U0001f600", "line\nbreak\ttab\rreturn",
    "]]>", "<!--", "\ufffe", "é", "e\u0301", "{0}{name}%s", "שלום", "=1+1", "x" * 500,
]  # fmt: skip


@pytest.mark.parametrize("form", ["graphml", "gexf"])
def test_hostile_names(tmp_path, form: str) -> None:
    posts = pd.DataFrame(
        {
            "post_id": range(len(HOSTILE)), "image_id": HOSTILE, "cluster": 1,
            "cluster_name": HOSTILE[0], "author": HOSTILE[::-1],
            "hashtags": [[one] for one in HOSTILE],
            "a<b>&\"{i}\x02": HOSTILE,
        }
    ).astype({"image_id": object})  # fmt: skip
    graph = network(
        tmp_path, "hashtag", "author", form=form, posts=posts, columns=['a<b>&"{i}\x02']
    )
    assert graph.number_of_edges() == len(HOSTILE)
    labels = {values["label"] for _, values in graph.nodes(data=True)}
    for plain in ("<b>&amp;\"'", "emoji \U0001f600", "line\nbreak\ttab\rreturn", "{0}{name}%s"):
        assert plain in labels
    assert "a\ufffdb" in labels
    assert any('a<b>&"{i}\ufffd' in values for _, values in graph.nodes(data=True))


@settings(max_examples=40, deadline=None)
@given(
    names=st.lists(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), min_size=1, max_size=8
    ),
    form=st.sampled_from(["graphml", "gexf"]),
)
def test_any_names_are_kept_apart(tmp_path_factory, names: list[str], form: str) -> None:
    names = [name for name in dict.fromkeys(names) if name.strip()]
    if not names:
        return
    posts = pd.DataFrame({"post_id": range(len(names)), "image_id": names, "cluster": 1})
    posts["author"] = [[name] for name in names]
    graph = network(
        tmp_path_factory.mktemp("x"), "image", "topic", form=form,
        posts=posts.drop(columns="author"),
    )  # fmt: skip
    assert graph.number_of_edges() == len(names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"out": "network.csv"}, r"must end in \.graphml or \.gexf"),
        ({"nodes": ["topic"]}, "must be two kinds of nodes"),
        ({"nodes": "topic"}, "must be two kinds of nodes"),
        ({"nodes": ["topic", "region"]}, "no column 'region'"),
        ({"columns": ["region"]}, "no column 'region'"),
        ({"hashtags": "tags"}, "no column 'tags'"),
        ({"min_weight": 3}, "occur together in 3 posts or more"),
        ({"min_weight": 0}, "`min_weight` must be at least 1"),
        ({"residual": "alone"}, "`residual` must be one of"),
        ({"linked": POSTS.tail(1)}, "None of 1 post shows an image"),
        ({"linked": POSTS.drop(columns="image_id")}, "image_id"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_bad_arguments(tmp_path, arguments: dict[str, Any], message: str) -> None:
    arguments = {"linked": POSTS, "out": "network.gexf"} | arguments
    with pytest.raises(ImagestrataError, match=message):
        export_network(**arguments | {"out": tmp_path / arguments["out"]})
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore")
def test_a_file_is_replaced_only_on_request(tmp_path) -> None:
    path = export_network(POSTS, tmp_path / "deep" / "network.GEXF")
    before = path.read_bytes()
    with pytest.raises(ImagestrataError, match="exists"):
        export_network(POSTS, path, ["author", "topic"])
    assert path.read_bytes() == before
    export_network(POSTS, path, ["author", "topic"], overwrite=True)
    assert path.read_bytes() != before


def test_many_posts(tmp_path) -> None:
    rng = np.random.default_rng(1)
    n = 200_000
    posts = pd.DataFrame({"post_id": range(n), "image_id": rng.integers(0, 20_000, n)})
    posts["cluster"] = posts["image_id"] % 300
    posts["author"] = rng.integers(0, 5000, n)
    start = time.perf_counter()
    export_network(posts, tmp_path / "large.gexf", ["image", "author"])
    assert time.perf_counter() - start < 40
