"""Keywords of clusters: worked by hand, then properties, then where they are shown."""

from __future__ import annotations

import json
import re
from math import log

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterings import draw_images, hand_made
from imagestrata import ImagestrataError, cluster_keywords, image_gallery, plot_montage

CLUSTERS = [1, 1, 1, 2, 2, -1]
TEXTS = ["cat cat fish", "cat tree", "tree", "dog tree", "dog dog", "dog zebra zebra"]


def clustering_of(clusters, texts=None):
    extra = {} if texts is None else {"description": texts}
    return hand_made([None] * len(clusters), clusters, **extra)


@pytest.fixture
def clustering():
    return clustering_of(CLUSTERS, TEXTS)


def keywords(clustering, *arguments, **options):
    options = {"min_images": 1, "stop_words": None} | options
    return cluster_keywords(clustering, *arguments, **options)


def line(table, cluster, term):
    found = table[(table["cluster"] == cluster) & (table["term"] == term)]
    assert len(found) == 1
    return found.iloc[0]


def test_worked_by_hand(clustering):
    """Cluster 1 has 6 terms (cat 3, fish 1, tree 2), cluster 2 has 4 (dog 3, tree 1)."""
    table = keywords(clustering)
    assert table[["cluster", "rank", "term"]].values.tolist() == [
        [1, 1, "cat"],
        [1, 2, "tree"],
        [1, 3, "fish"],
        [2, 1, "dog"],
        [2, 2, "tree"],
    ]
    cat = line(table, 1, "cat")
    assert (cat["n"], cat["n_images"]) == (3, 2)
    assert cat["share"] == pytest.approx(2 / 3)
    assert cat["ctfidf"] == pytest.approx(3 / 6 * log(1 + 5 / 3))
    assert cat["exclusivity"] == 1
    tree = line(table, 1, "tree")
    assert tree["ctfidf"] == pytest.approx(2 / 6 * log(1 + 5 / 3))
    assert tree["exclusivity"] == pytest.approx((2 / 6) / (2 / 6 + 1 / 4))
    # Rank shares in cluster 1: frequency cat 1, tree 2/3, fish 1/3; exclusivity cat and fish
    # (tied) 5/6, tree 1/3.
    assert cat["frex"] == pytest.approx(2 / (1 + 6 / 5))
    assert tree["frex"] == pytest.approx(2 / (3 / 2 + 3))
    assert line(table, 1, "fish")["frex"] == pytest.approx(2 / (3 + 6 / 5))


def test_order_by_exclusivity_or_frequency(clustering):
    assert keywords(clustering, order="frex")["term"].tolist()[:3] == ["cat", "fish", "tree"]
    assert keywords(clustering, order="frequency")["term"].tolist()[:3] == ["cat", "tree", "fish"]


def test_n_terms_and_rare_terms(clustering):
    assert keywords(clustering, n=1)["term"].tolist() == ["cat", "dog"]
    assert set(keywords(clustering, min_images=2)["term"]) == {"cat", "tree", "dog"}
    assert set(keywords(clustering, min_images=3)["term"]) == {"tree"}


def test_uninformative_words_go(clustering):
    texts = ["The image conveys a cat", "this photo suggests cats and hope", "hope", "x", "1 2", ""]
    table = keywords(clustering_of(CLUSTERS, texts), stop_words="english", drop=["HOPE"])
    assert table["term"].tolist() == ["cat", "cats"]
    kept = keywords(clustering_of(CLUSTERS, texts), stop_words=["the"])
    assert {"image", "conveys", "suggests", "hope"} <= set(kept["term"])
    assert "the" not in set(kept["term"])


def test_words_of_any_script_and_hashtags(clustering):
    texts = ["#MeToo мир", "straße don't", "well-being @who", "東京 été", "", ""]
    found = set(keywords(clustering_of(CLUSTERS, texts))["term"])
    assert found == {"#metoo", "мир", "straße", "don't", "well-being", "@who", "東京", "été"}


def test_lists_of_terms_keep_their_words_together(clustering):
    ids = clustering.images["image_id"]
    tags = pd.DataFrame(
        {
            "image_id": [ids[0], ids[0], ids[3], ids[5]],
            "label": ["golden retriever", "tennis  ball", "Grand piano; stage", "zebra"],
        }
    )
    table = keywords(clustering, tags, column="label", separator=";")
    assert table["term"].tolist() == ["golden retriever", "tennis ball", "grand piano", "stage"]
    assert table["share"].tolist() == [1, 1, 1, 1]


def test_missing_texts_count_for_nothing(clustering):
    table = pd.DataFrame({"image_id": clustering.images["image_id"], "description": TEXTS})
    table.loc[2, "description"] = None
    assert line(keywords(clustering, table), 1, "cat")["share"] == 1


POSTS = pd.DataFrame(
    {
        "post_id": ["1", "1", "2", "2", "3", "4"],
        "image": [0, 1, 0, 3, 0, 5],  # images 0 and 1 are in one cluster
        "author": ["ann", "ann", "ben", "ben", "ann", "ben"],
        "text": ["cat tree", "cat tree", "tree", "tree", "cat", "dog"],
    }
)


def test_the_text_of_a_post_counts_once_for_a_cluster():
    """Posts 1 to 3 show cluster 1, post 2 cluster 2 as well, and post 4 the residual."""
    clustering = clustering_of([1, 1, 1, 2, 2, -1], TEXTS)
    ids = clustering.images["image_id"]
    posts = POSTS.assign(image_id=ids[POSTS["image"]].to_numpy())
    posts = pd.concat([posts, posts[:1]])  # a post with two copies of an image has two rows
    columns = ["cluster", "term", "n", "n_images", "share"]
    by_image = keywords(clustering, posts, column="text")
    assert by_image[columns].values.tolist() == [
        [1, "cat", 3, 2, 1.0],  # posts 1 and 3 with image 0, post 1 with image 1
        [1, "tree", 3, 2, 1.0],
        [2, "tree", 1, 1, 1.0],
    ]
    by_post = keywords(clustering, posts, column="text", unit="post", residual="together")
    assert by_post[[*columns[:4], "n_posts", "share"]].values.tolist() == [
        [-1, "dog", 1, 1, 1, 1.0],
        [1, "cat", 2, 2, 2, 2 / 3],
        [1, "tree", 2, 2, 2, 2 / 3],
        [2, "tree", 1, 1, 1, 1.0],
    ]
    by_author = keywords(clustering, posts, column="text", unit="author")
    assert by_author[["cluster", "term", "n", "n_authors", "share"]].values.tolist() == [
        [1, "cat", 2, 1, 1 / 2],
        [1, "tree", 2, 2, 1.0],
        [2, "tree", 1, 1, 1.0],
    ]
    rare = keywords(clustering, posts, column="text", unit="author", min_images=2)
    assert set(rare["term"]) == {"tree"}


@settings(max_examples=30)
@given(
    texts=st.lists(
        st.lists(st.sampled_from(["ab", "cd", "ef", "gh", "ij"]), min_size=1), min_size=4
    ),
    seed=st.integers(0, 99),
)
def test_scores_are_sound(texts, seed):
    clusters = np.random.default_rng(seed).integers(1, 4, len(texts))
    table = keywords(clustering_of(clusters.tolist(), [" ".join(words) for words in texts]), n=99)
    assert (table["ctfidf"] > 0).all()
    assert table["frex"].between(0, 1, inclusive="right").all()
    # The shares of a term over all clusters add up; every word is counted once.
    assert table.groupby("term")["exclusivity"].sum().to_numpy() == pytest.approx(1)
    assert table["n"].sum() == sum(map(len, texts))
    assert (table["n_images"] <= table["n"]).all()
    for _, one in table.groupby("cluster"):
        assert one["rank"].tolist() == list(range(1, len(one) + 1))
        assert one["ctfidf"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "caption"}, "no column 'caption'"),
        ({"drop": ["cat", "tree", "fish", "dog"]}, "leaves no terms"),
        ({"drop": "cat"}, "`drop` must be a list of words"),
        ({"stop_words": "german"}, "`stop_words` must be a list of words"),
        ({"order": "tfidf"}, "`order` must be one of"),
        ({"separator": ""}, "`separator` must be a text"),
        ({"n": 0}, "`n` must be at least 1"),
        ({"unit": "post"}, "must have the column 'post_id'"),
        ({"residual": "alone"}, "`residual` must be one of"),
    ],
)
def test_bad_arguments(clustering, options, message):
    with pytest.raises(ImagestrataError, match=message):
        keywords(clustering, **options)


def test_texts_of_other_images(clustering):
    with pytest.raises(ImagestrataError, match="No row of `texts`"):
        keywords(clustering, pd.DataFrame({"image_id": ["other"], "description": ["text"]}))
    with pytest.raises(ImagestrataError, match="must be a table"):
        keywords(clustering, ["text"])


def test_shown_in_gallery_and_montage(tmp_path):
    clustering = hand_made(draw_images(tmp_path / "images", CLUSTERS), CLUSTERS, description=TEXTS)
    table = keywords(clustering)
    page = image_gallery(clustering, tmp_path / "run", keywords=table, progress=False)
    block = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    groups = json.loads(block[1])["clusters"]
    assert [group["keywords"] for group in groups] == [["cat", "tree", "fish"], ["dog", "tree"], []]
    figure = plot_montage(clustering, clusters=[2, -1], keywords=table)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[:-1] == ["2", "2 images\ndog\ntree", "Residual", "1 image\n16.7%"]
    assert "with their number of images and their first terms" in texts[-1].replace("\n", " ")
    long = table.assign(term="a term that is far too long")
    figure = plot_montage(clustering, clusters=[2], keywords=long)
    assert figure.axes[0].texts[1].get_text().splitlines()[1] == "a term that is…"
    with pytest.raises(ImagestrataError, match="`keywords` lacks the column 'cluster'"):
        plot_montage(clustering, keywords=table[["term"]])


@pytest.mark.browser
def test_words_on_the_page(browser, tmp_path):
    clustering = hand_made(draw_images(tmp_path / "images", CLUSTERS), CLUSTERS, description=TEXTS)
    table = keywords(clustering)
    page = image_gallery(clustering, tmp_path / "run", keywords=table, progress=False)
    tab = browser.new_page()
    tab.goto(page.as_uri())
    assert tab.locator(".card .words").all_text_contents() == ["cat, tree, fish", "dog, tree"]
    tab.goto(page.as_uri() + "#cluster-2")
    assert tab.locator("[data-view=cluster-2] .words").text_content() == "dog, tree"
    tab.close()
