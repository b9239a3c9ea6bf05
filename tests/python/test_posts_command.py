"""`imagestrata posts`: posts are linked in a run folder, and used by other commands."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pandas as pd
import pytest

from commands import call
from images import encode, picture, write_files
from imagestrata import Clustering, ImagestrataError, edit_clusters
from imagestrata.cli import COMMANDS
from imagestrata.cli.words import ShellWords
from test_gallery import data_of

POSTS = """key,who,when,body,pics
1234567890123456789,007,2024-05-01 18:30:00,=1+1,0.png
2,ann,2024-05-02 00:10:00,x,"0.png,1.png"
3,ann,2024-06-01 00:00:00,x,nothing.png
4,bo,,x,2.png
"""
NAMES = ["post_id=key", "author=who", "time=when", "text=body", "media=pics"]


@pytest.fixture
def run(tmp_path) -> Path:
    write_files(tmp_path / "images", {f"{i}.png": encode(picture(i)) for i in range(12)})
    call("run", tmp_path / "images", "--out", tmp_path / "run", "--encoder", "hog", "--method",
         "kmeans", "--n-clusters", 2, "--n-per-cluster", 2, "-q")  # fmt: skip
    return tmp_path / "run"


def link(run: Path, *options: object) -> dict:
    file = run.parent / "their posts.csv"
    file.write_text(POSTS)
    columns = [part for name in NAMES for part in ("--column", name)]
    with pytest.warns(UserWarning, match="not in the scan, 1 row"):
        return json.loads(call("posts", run, file, *columns, *options, "--json", "-q"))


def ids(run: Path) -> dict[str, str]:
    images = Clustering.load(run).images
    return dict(zip(images["image_id"], images["file"], strict=True))


def test_posts_are_linked_and_stored(run):
    made = link(run, "--time-zone", "Europe/Berlin")
    assert (made["n_posts"], made["n_linked"], made["n_rows"]) == (4, 3, 5)
    assert made["unmatched"][0]["examples"] == "nothing.png"
    table = pd.read_csv(run / "posts.csv", dtype=str)
    assert table["post_id"].tolist() == ["1234567890123456789", "2", "2", "3", "4"]
    assert table["author"].tolist() == ["007", "ann", "ann", "ann", "bo"]
    assert table["time"][1].startswith("2024-05-01 22:10:00")
    assert table["text"][0] == "'=1+1"  # no formula for a spreadsheet program
    assert table["image_id"].map(ids(run))[:3].tolist() == ["0.png", "0.png", "1.png"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what was told is not told again
        assert "3 posts of 4 show images" in call("posts", run)


def test_the_gallery_counts_them_after_edits_too(run):
    link(run)
    clusters = Clustering.load(run)
    edit_clusters(clusters, merge=[1, 2], names={1: "Both"}, out=run)
    call("gallery", run, "--overwrite", "--by", "author", "--author", "author", "-q")
    posts = data_of(run / "gallery" / "index.html")["posts"]
    assert (posts["n"], posts["unlinked"]) == (3, 1)
    assert posts["authors"]["values"] == ["007", "ann", "bo"]
    # Without files, the table gets the edited clusters.
    before = pd.read_csv(run / "posts.csv", dtype=str)
    call("posts", run)
    after = pd.read_csv(run / "posts.csv", dtype=str)
    assert after["cluster"].dropna().tolist() == ["1"] * 4
    assert after["cluster_name"].dropna().tolist() == ["Both"] * 4
    same = [name for name in before if name not in ("cluster", "cluster_name")]
    pd.testing.assert_frame_equal(after[same], before[same])


def test_samples_are_weighted_by_them(run):
    link(run)
    call("sample", run, "--shares", "n_posts", "--n-per-cluster", 6, "--overwrite")
    drawn = pd.read_csv(run / "sample.csv")
    shown = drawn["image_id"].map(ids(run)).map({"0.png": 2, "1.png": 1, "2.png": 1}).fillna(0)
    assert drawn["n_posts"].tolist() == shown.tolist()
    weights = drawn["weight_corpus"] * shown
    assert drawn["weight_share"].tolist() == pytest.approx(weights.tolist())


def test_prevalence_by_month_after_edits(run):
    """Posts 1 (May), 2 (May) and 4 (no time) show images; the clusters are one after the edit."""
    link(run)
    edit_clusters(Clustering.load(run), merge=[1, 2], names={1: "Both"}, out=run)
    with pytest.warns(UserWarning, match="1 without 'month'"):
        said = call("prevalence", run, "--by", "month")
    table = pd.read_csv(run / "prevalence.csv")
    assert table["cluster_name"].tolist() == ["Both"] * 2
    assert table["month"].tolist() == ["2024-05-01", "2024-06-01"]
    assert table[["n_posts", "n_authors"]].values.tolist() == [[2, 2], [0, 0]]
    assert table["estimate"].fillna(-1).tolist() == [1, -1]  # no post of June has a known image
    assert "Both" in said and "prevalence.csv" in said
    with pytest.warns(UserWarning):
        call("prevalence", run, "--by", "author,text", "--unit", "image")
    assert {"author", "text"} <= {*pd.read_csv(run / "prevalence.csv")}
    edit_clusters(Clustering.load(run), names={1: "All"}, out=run)
    assert not (run / "prevalence.csv").exists()


def test_what_is_missing_is_named(run):
    for words in (["posts", run], ["sample", run, "--shares", "n_posts", "--overwrite"]):
        with pytest.raises(ImagestrataError, match=r"contains no posts\.csv"):
            call(*words)
    (run.parent / "their posts.csv").write_text(POSTS)
    with pytest.raises(ImagestrataError, match="'text' does not name a column") as said:
        call("posts", run, run.parent / "their posts.csv", "--column", "text")
    assert "Give --column our name" in said.value.render(ShellWords(COMMANDS, "posts"))


def test_networks_and_counts_of_posts(run, tmp_path):
    import networkx as nx

    link(run)
    table = pd.read_csv(run / "posts.csv", dtype=str)
    tags = ['["#a", "#b c"]', '["#a"]', '["#a"]', None, '["#b c"]']
    table.assign(hashtags=tags).to_csv(run / "posts.csv", index=False)
    with pytest.warns(UserWarning, match="1 of 4 posts show no image"):
        call("network", run, tmp_path / "n.gexf", "--node", "author", "--node", "hashtag", "-q")
    graph = nx.read_gexf(tmp_path / "n.gexf")
    assert {frozenset(edge) for edge in graph.edges} == {
        frozenset({"author:007", "hashtag:#a"}), frozenset({"author:007", "hashtag:#b c"}),
        frozenset({"author:ann", "hashtag:#a"}), frozenset({"author:bo", "hashtag:#b c"}),
    }  # fmt: skip
    with pytest.warns(UserWarning, match="1 of 4 posts"):
        said = call("metadata", run, "--column", "hashtags", "--unit", "post", "--json", "-q")
    counts = pd.DataFrame(json.loads(said)["metadata"])
    assert set(counts["value"]) == {"#a", "#b c"}
    with pytest.warns(UserWarning, match="1 of 4 posts"):
        days = json.loads(call("metadata", run, "--column", "time", "--json", "-q"))
    assert {row["value"] for row in days["metadata"]} == {"2024-05-01", "2024-05-02"}
    with pytest.warns(UserWarning, match="1 of 4 posts"):
        words = json.loads(
            call("keywords", run, "--unit", "author", "--column", "hashtags", "--json")
        )
    assert {"#a"} <= {row["term"] for row in words["keywords"]}


def test_the_methods_paragraph_tells_of_them(run):
    assert "posts" not in call("methods", run)
    link(run)
    _, posts, reference = call("methods", run).split("\n\n")
    assert posts.startswith(
        "We linked posts to the clusters of the images that they show, counting a copy as the "
        "image that was kept. Of 4 posts by 3 authors (2024-05-01 to 2024-06-01), 3 (75.0%) show "
        "3 distinct images of"
    )
    assert reference.startswith("Reference: ")
