"""Names of clusters: in tables beside their numbers, and as texts in figures."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from images import write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    assign_annotators,
    cluster_images,
    cluster_keywords,
    cluster_metadata,
    cluster_stability,
    coding_sheet,
    compare_clusterings,
    edit_clusters,
    embed_images,
    export_labels,
    export_packets,
    export_test,
    find_images,
    plot_map,
    plot_montage,
    rating_gaps,
    rating_means,
    rating_weights,
    read_labels,
    read_ratings,
    read_test,
    reassign,
    sample_images,
    share_bundle,
)
from imagestrata.clustering.named import cluster_labels, label_of, names_in, with_names
from imagestrata.explore.map import inside, map_key, map_labels

#: Texts that would show up in a form.
WEST, EAST = "Wéstern marches", "=Eastern $15 <flags>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve pictures, embedded and clustered in a run folder, with names for two clusters."""
    place = tmp_path_factory.mktemp("named")
    write_pictures(place / "pictures", 12)
    made = embed_images(place / "pictures", "hog", out=place / "run", progress=False)
    start = cluster_images(made, "kmeans", n_clusters=3, out=place / "run", progress=False)
    edit_clusters(start, names={1: WEST, 2: EAST}, drop=[3], out=place / "run")
    return place


@pytest.fixture
def topics(folder):
    return Clustering.load(folder / "run")


def after(table: pd.DataFrame, number: str = "cluster") -> dict:
    """The names by number; the column follows the number."""
    columns = [*table]
    ending = number.removeprefix("cluster")
    assert columns[columns.index(number) + 1] == f"cluster_name{ending}"
    pairs = table[[number, f"cluster_name{ending}"]].drop_duplicates()
    return {int(n): None if pd.isna(name) else name for n, name in pairs.to_numpy()}


class TestTables:
    def test_tables_of_clusters(self, topics, folder):
        texts = topics.images.assign(description="sky sea", author="a")
        residual = {1: WEST, 2: EAST, -1: None}
        assert after(find_images(topics, [1, 2, -1])) == residual
        assert after(cluster_keywords(topics, texts, stop_words=None)) == {1: WEST, 2: EAST}
        assert after(cluster_metadata(topics, texts, column="author")) == residual
        made = Embeddings.load(folder / "run")
        assert {*after(topics.predict(made)).values()} <= {WEST, EAST}
        stable = cluster_stability(topics, made, n_refits=1, progress=False)
        assert after(stable.clusters) == {1: WEST, 2: EAST}
        drawn = sample_images(topics, n_per_cluster=2)
        assert after(drawn) == residual
        packets = assign_annotators(drawn, n_images=2)
        assert after(packets) == residual
        rated = packets.head(1).assign(respondent_id="r", item="angry", rating=1)
        assert set(after(reassign(packets, rated)).values()) <= {WEST, EAST, None}

    def test_a_clustering_without_names_has_no_column(self, folder):
        start = Clustering.load(folder / "run")
        for table in (start.images, start.clusters):
            del table["cluster_name"]
        assert "cluster_name" not in find_images(start, 1)
        assert "cluster_name" not in sample_images(start, n_per_cluster=2)

    def test_files(self, topics, folder, tmp_path):
        topics.save(tmp_path)
        for name in ("clustering.parquet", "clusters.parquet"):
            assert WEST in {*pd.read_parquet(tmp_path / name)["cluster_name"]}
        drawn = sample_images(topics, n_per_cluster=2, out=folder / "run")
        written = pd.read_csv(folder / "run" / "sample.csv")
        assert [*written][:6] == [*drawn][:6] and WEST in {*written["cluster_name"]}
        packets = assign_annotators(drawn, n_images=2, out=folder / "run")
        assert after(pd.read_csv(folder / "run" / "packets.csv")).keys() == {*packets["cluster"]}
        bundle = share_bundle(folder / "run", tmp_path / "bundle")
        assert WEST in {*pd.read_parquet(bundle / "clusters.parquet")["cluster_name"]}
        shared = Clustering.load(bundle)
        assert {*shared.images["cluster_name"].dropna()} == {WEST, EAST}

    def test_ratings(self, topics):
        drawn = sample_images(topics, n_per_cluster=2)
        rows = [
            (f"{group}{who}", group, image_id, "angry", who + 1)
            for group in "DR" for who in (0, 1) for image_id in drawn["image_id"]
        ]  # fmt: skip
        answers = pd.DataFrame(
            rows, columns=["respondent_id", "group", "image_id", "item", "rating"]
        )
        ratings = read_ratings(answers, drawn, items=["angry"])
        assert after(ratings) == {1: WEST, 2: EAST, -1: None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            means = rating_means(ratings, ["group", "cluster"])
            gaps = rating_gaps(ratings, ["group", "cluster"])
            bare = rating_means(ratings.drop(columns="cluster_name"), ["group", "cluster"])
        for table in (means, gaps, rating_weights(ratings)):
            assert after(table) == {1: WEST, 2: EAST, -1: None}
        pd.testing.assert_frame_equal(means.drop(columns="cluster_name"), bare)
        assert "cluster_name" not in rating_means(ratings)
        named = ratings[ratings["cluster"] > 0]
        assert {*rating_means(named, "cluster_name")["cluster_name"]} == {WEST, EAST}

    def test_comparison(self, topics):
        other = topics.images.assign(cluster=1)[["image_id", "cluster"]]
        flows = compare_clusterings(first=topics, second=other).flows
        names = flows.set_index("cluster_a")["cluster_name_a"]
        assert names[1] == WEST and names[2] == EAST and pd.isna(names[-1])
        assert flows["cluster_name_b"].isna().all()
        text = pd.DataFrame({"image_id": topics.images["image_id"], "cluster": "whole"})
        flows = compare_clusterings(first=topics, second=text).flows
        assert flows.set_index("cluster_a")["cluster_name_a"]["1"] == WEST
        plain = compare_clusterings(first=other, second=text).flows
        assert "cluster_name_a" not in plain


class TestForms:
    """People who rate or code do not see names, but key files and answers have them."""

    def hidden(self, place):
        files = [file for file in place.rglob("*") if file.is_file()]
        assert files
        for file in files:
            text = file.read_bytes().decode("utf-8", "replace")
            for name in (WEST, EAST, json.dumps(WEST)[1:-1], "cluster_name"):
                assert name not in text, (file, name)

    @pytest.mark.parametrize("to", ["page", "qualtrics", "labelstudio", "csv"])
    def test_packets(self, topics, tmp_path, to):
        packets = assign_annotators(sample_images(topics, n_per_cluster=2), n_images=2)
        address = {"base_url": "https://www.example.org/x"} if to == "qualtrics" else {}
        export_packets(packets, tmp_path / "forms", to=to, progress=False, **address)
        self.hidden(tmp_path / "forms")
        key = pd.read_csv(tmp_path / "forms-key.csv")
        assert after(key)[1] == WEST

    def test_coding_sheets(self, topics, tmp_path):
        page = tmp_path / "sheets" / "coding.html"
        sheet = coding_sheet(topics, page, ["protest"], n=2, progress=False)
        key = tmp_path / "sheets" / "coding-key.csv"
        assert after(sheet) == {1: WEST, 2: EAST}
        assert WEST in key.read_text(encoding="utf-8")
        key.rename(tmp_path / "coding-key.csv")
        self.hidden(tmp_path / "sheets")
        filled = pd.read_csv(page.with_suffix(".csv"), dtype=str)
        filled["protest"] = "yes"
        coded = read_labels(filled.assign(annotator="a"), sheet)
        from_key = read_labels(filled.assign(annotator="a"), tmp_path / "coding-key.csv")
        pd.testing.assert_frame_equal(from_key, coded, check_dtype=False)
        # On request.
        asked = coding_sheet(
            topics, tmp_path / "asked.html", ["protest"], columns=["cluster_name"], progress=False
        )
        assert after(asked)[1] == WEST
        assert WEST in (tmp_path / "asked.csv").read_text(encoding="utf-8")

    def test_a_sheet_of_clusters_without_names(self, topics, tmp_path):
        sheet = coding_sheet(topics, tmp_path / "c.html", ["theme"], clusters=-1, progress=False)
        assert sheet["cluster_name"].isna().all()
        coded = read_labels(sheet.assign(theme="yes", annotator="a"), sheet)
        assert {*coded["code"]} == {"theme"}

    @pytest.mark.parametrize("to", ["page", "labelstudio", "csv"])
    def test_labels(self, topics, tmp_path, to):
        drawn = sample_images(topics, n_per_cluster=2)
        export_labels(drawn, tmp_path / "forms", ["protest"], to=to, progress=False)
        self.hidden(tmp_path / "forms")
        assert after(pd.read_csv(tmp_path / "forms-key.csv"))[1] == WEST

    @pytest.mark.parametrize("kind", ["intruders", "matching"])
    def test_tests(self, topics, tmp_path, kind):
        about = {"descriptions": {1: "one", 2: "two"}} if kind == "matching" else {}
        page = tmp_path / "test" / "test.html"
        key = export_test(topics, page, kind=kind, n_sets=2, n_images=3, progress=False, **about)
        (tmp_path / "test" / "test-key.csv").rename(tmp_path / "test-key.csv")
        self.hidden(tmp_path / "test")
        assert after(key) == {1: WEST, 2: EAST}
        first = key[key["place"] == 1]
        answers = pd.DataFrame({"set_id": first["set_id"], "annotator": "a"})
        answers["judgement"] = first["cluster"] if kind == "matching" else first["image_id"]
        found = read_test(answers.astype(str), key)
        assert after(found.clusters) == {1: WEST, 2: EAST}
        assert after(found.sets) == {1: WEST, 2: EAST}


class TestFigures:
    def test_labels(self, topics):
        own = {1: WEST, 2: EAST}
        assert cluster_labels(topics) == own
        assert cluster_labels(topics, {2: "New  one"}) == {1: WEST, 2: "New one"}
        assert cluster_labels(topics, {"2": "x", -1: "Rest"}) == {1: WEST, 2: "x", -1: "Rest"}
        assert cluster_labels(topics, pd.Series({1: "x"})) == {1: "x", 2: EAST}
        table = pd.DataFrame({"cluster": [1, 9], "cluster_name": ["x", "other"]})
        assert cluster_labels(topics, table)[1] == "x"
        assert cluster_labels(topics, {1: " "}) == own
        assert [label_of(n, own) for n in (1, 7, -1)] == [WEST, "Cluster 7", "Residual"]
        assert [label_of(n, {}) for n in (7, -1)] == ["7", "Residual"]

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            ({9: "x"}, "does not have, 9 for one"),
            ({"x": "y"}, "by the numbers"),
            ({1.5: "y"}, "by the numbers"),
            ({True: "y"}, "by the numbers"),
            ({1: 2}, "a text, not 2"),
            (["x"], "by the numbers of clusters, not"),
            (pd.DataFrame({"cluster": [1]}), "cluster_name"),
        ],
    )
    def test_wrong_labels(self, topics, labels, message):
        with pytest.raises(ImagestrataError, match=message):
            plot_montage(topics, labels=labels)

    def test_montage(self, topics):
        def headings(**arguments):
            drawn = plot_montage(topics, clusters=[1, 2, -1], n_images=2, **arguments)
            *texts, note = [text.get_text() for text in drawn.axes[0].texts]
            assert note.startswith("Rows: clusters")
            return texts[::2]

        assert headings() == ["Wéstern\nmarches", "=Eastern $15\n<flags>", "Residual"]
        assert headings(labels={2: "B"})[1:] == ["B", "Residual"]
        long = headings(labels={2: "Politicians at lecterns " * 5})[1].split("\n")
        assert len(long) == 2 and max(map(len, long)) <= 26 and long[1].endswith("…")
        narrow = plot_montage(topics, clusters=[1], labels={1: "B"}).get_size_inches()[0]
        wide = plot_montage(topics, clusters=[1], labels={1: "Politicians at the White House"})
        assert wide.get_size_inches()[0] > narrow

    def test_words_fit_beside_the_tiles(self, topics):
        """No heading reaches into the first tile, and none overlaps its words."""
        for text in ("Wéstern marches", "M" * 60, "Politicians at lecterns in the White House"):
            drawn = plot_montage(topics, clusters=[1, 2], labels={1: text, 2: text})
            drawn.canvas.draw()
            image = drawn.axes[0].images[0].get_array()
            row = image[120]
            tile = np.flatnonzero((row != 255).any(axis=1))[0]
            # The last text is the note below.
            boxes = [one.get_window_extent() for one in drawn.axes[0].texts[:-1]]
            if text.isupper() is False:
                assert max(box.x1 for box in boxes) < tile
            assert boxes[0].y0 >= boxes[1].y1 - 2

    def points(self, topics):
        rng = np.random.default_rng(0)
        places = rng.normal(size=(len(topics.images), 2))
        return pd.DataFrame(
            {"image_id": topics.images["image_id"], "x": places[:, 0], "y": places[:, 1]}
        )

    def test_map(self, topics):
        drawn = plot_map(topics, self.points(topics), labels={1: "A", 2: "B"})
        assert {text.get_text() for text in drawn.axes[0].texts} == {"A", "B"}
        long = plot_map(topics, self.points(topics), labels={1: "A" * 60, 2: "B"})
        assert {text.get_text() for text in long.axes[0].texts} == {"1", "2"}
        entries = [text.get_text() for text in long.legends[0].get_texts()]
        assert entries[1:] == ["2  B", "in no cluster"]
        assert entries[0].startswith("1  AAAA") and entries[0].endswith("…")

    def test_a_map_of_many_clusters(self):
        centres = np.array([(x / 12, y / 10) for y in range(1, 11) for x in range(1, 13)])
        texts = {n: f"A rather long name {n}" for n in range(1, 120)}
        placed = map_labels(centres, [*range(1, 121)], texts, {})
        assert len(placed) == 120 and placed[0] == "1"
        sizes = pd.Series([n for n in range(1, 121) for _ in range(130 - n)] + [-1])
        key = map_key(sizes, [*range(1, 121)], texts, "cluster")
        assert next(iter(key.entries)) == "1  A rather long name 1"
        assert [*key.entries][-2:] == ["113 smaller clusters", "in no cluster"]
        # No two clusters have the same colour, unless they are among the smaller ones.
        assert len({*key.colours(range(1, 8))}) == 7 == len(key.colour_of)
        assert {*key.colours(range(8, 121))}.isdisjoint(key.colours(range(1, 8)))
        few = map_labels(centres[::12], [*range(1, 11)], texts, {})
        assert few[3] == "A rather long name 4"
        assert inside(np.array([0.0, 0.5]), "a" * 20, 1)[0] == pytest.approx(0.105)
        assert inside(np.array([1.0, 0.5]), "a" * 20, 1)[0] == pytest.approx(0.895)


def test_a_users_theme_is_no_name():
    assert names_in(["cluster", "theme", "cluster_name"]) == ["cluster_name"]
    assert names_in(["theme_name", "theme"]) == ["theme", "theme_name"]
    table = pd.DataFrame({"cluster": [2, 1], "theme": ["x", "y"]})
    source = pd.DataFrame({"cluster": [1, 2], "cluster_name": ["a", None]})
    named = with_names(table, source)
    assert named["theme"].tolist() == ["x", "y"] and [*named][1] == "cluster_name"
