"""A verb that gets what another step made names the steps that are missing."""

from __future__ import annotations

import ast
import contextlib
import inspect
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import imagestrata
from imagestrata import (
    Clustering,
    ImagestrataError,
    agreement,
    assign_annotators,
    cluster_images,
    export_packets,
    label_ratings,
    rating_means,
    reassign,
    sample_images,
    sample_pairs,
    score_clustering,
    tune_model,
)
from imagestrata.bridge.words import R
from imagestrata.verbs import PRODUCTS, TAKES, makers_between, public, recognise

VERBS = [name for name in imagestrata.__all__ if inspect.isfunction(getattr(imagestrata, name))]


@pytest.fixture
def topics():
    points = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    return cluster_images(points, "kmeans", n_clusters=3, progress=False)


@pytest.fixture
def drawn(topics):
    return sample_images(topics, 2)


def test_products_and_arguments_exist():
    for product in PRODUCTS.values():
        assert product.maker in VERBS
        assert product.of is None or product.of in PRODUCTS
    arguments = {
        name for verb in VERBS for name in inspect.signature(getattr(imagestrata, verb)).parameters
    }
    assert set(TAKES) <= arguments
    assert {one for some in TAKES.values() for one in some} <= set(PRODUCTS)


@pytest.mark.parametrize("name", VERBS)
def test_every_public_function_is_a_verb(name):
    """`public()` is on each, so that no call gets past the table."""
    function = getattr(imagestrata, name)
    assert hasattr(function, "__wrapped__")
    if not any(
        one.kind is one.VAR_KEYWORD for one in inspect.signature(function).parameters.values()
    ):
        with pytest.raises(ImagestrataError, match=rf"{name}\(\) has no argument 'sede'") as caught:
            function(sede=1)
        assert caught.value.code == "unknown_argument"
        if "seed" in inspect.signature(function).parameters:
            assert caught.value.hint == "Did you mean `seed`?"


def test_results_are_recognised(topics, drawn):
    packets = assign_annotators(drawn, n_images=2)
    assert recognise(topics) == "clustering"
    assert recognise(topics.images) == "clusters of images"
    assert recognise(drawn) == "sample"
    assert recognise(packets) == "packets"
    assert recognise(drawn[["image_id", "cluster"]]) is None
    assert recognise(5) is None


def test_posts_are_told_from_linked_posts(topics, drawn):
    posts = pd.DataFrame(
        [["1", "ann", None, "x", ["0"]]], columns=["post_id", "author", "time", "text", "media"]
    )
    ids = topics.images["image_id"].iloc[0]
    linked = imagestrata.link_posts(topics, posts.assign(media=[[ids]]))
    assert (recognise(posts), recognise(linked)) == ("posts", "linked posts")
    assert makers_between("posts", "linked posts") == ["link_posts"]
    with pytest.raises(ImagestrataError, match="linked posts, which link_posts") as caught:
        assign_annotators(linked)
    assert caught.value.code == "wrong_step"
    for wrong, seen in ((posts, "not posts, which read_posts"), (drawn, "not a sample, which")):
        with pytest.raises(ImagestrataError, match=seen) as caught:
            sample_images(topics, shares=wrong)
        assert "link_posts()" in caught.value.render(R)
    # Columns of other products may be joined.
    sample_images(topics, shares=linked.assign(rank=1, label="a", confidence=1).iloc[:, [0, 1, -1]])
    for wrong, seen in ((posts, "posts, which read_posts"), (drawn, "a sample"), (topics, "a c")):
        with pytest.raises(ImagestrataError, match=f"`linked` must be .* not {seen}") as caught:
            imagestrata.topic_model(wrong, "1 ~ party")
        assert "link_posts()" in caught.value.render(R)
    with pytest.raises(ImagestrataError, match=r"`posts` must be .* not a sample"):
        imagestrata.link_posts(topics, drawn)


def test_the_way_between_products():
    assert makers_between("sample", "packets") == ["assign_annotators"]
    assert makers_between("clustering", "packets") == ["sample_images", "assign_annotators"]
    assert makers_between("clusters of images", "packets") == [
        "sample_images",
        "assign_annotators",
    ]
    assert makers_between("packets", "sample") == []
    assert makers_between("embeddings", "judgements") == ["sample_pairs", "read_pairs"]


@pytest.mark.parametrize(
    ("verb", "given", "message", "hint"),
    [
        (
            lambda x: export_packets(x, "out"),
            "drawn",
            "`packets` must be what assign_annotators() returns, not a sample, which "
            "sample_images() returns.",
            "Call assign_annotators(), and give what it returns.",
        ),
        (
            lambda x: export_packets(x, "out"),
            "topics",
            "not a clustering",
            "Call sample_images(), then assign_annotators(), and give what the last returns.",
        ),
        (assign_annotators, "topics", "`sample` must be", "Call sample_images(), and"),
        (
            lambda x: assign_annotators(x.images),
            "topics",
            "not the images of a clustering, which cluster_images() returns",
            "Call sample_images(), and",
        ),
        (sample_images, "drawn", "`clustering` must be", "Give what cluster_images() returned."),
        (sample_pairs, "topics", "`embeddings` must be", "Give what embed_images() returned."),
        (rating_means, "drawn", "`ratings` must be", "Give what read_ratings() returned."),
        (agreement, "drawn", "`answers` must be", "Give what read_pairs() returned."),
    ],
)
def test_the_missing_step_is_named(verb, given, message, hint, request):
    with pytest.raises(ImagestrataError) as caught:
        verb(request.getfixturevalue(given))
    assert message in caught.value.message
    assert caught.value.hint.startswith(hint)
    assert caught.value.code == "wrong_step"


def test_tables_of_ones_own_are_taken(drawn):
    own = drawn[["image_id", "cluster"]]
    assert len(assign_annotators(own, n_images=2))
    with pytest.raises(ImagestrataError, match=r"`clustering` must be"):
        score_clustering(drawn, own)


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"sed": 1}, "Did you mean `seed`?"),
        ({"random_state": 1}, "Did you mean `seed`?"),
        ({"verbose": True}, "Did you mean `progress`?"),
        ({"similarity_treshold": 0.1}, "Did you mean `similarity_threshold`?"),
    ],
)
def test_settings_that_there_are_not(settings, hint, topics):
    with pytest.raises(ImagestrataError, match="has no argument") as caught:
        cluster_images(np.ones((9, 2)), progress=False, **settings)
    assert caught.value.hint.startswith(hint)
    with pytest.raises(ImagestrataError, match="not a setting"):
        tune_model([], {}, out="x", grid={"learning_rat": [1]})


def test_a_verb_keeps_its_name_and_signature():
    @public
    def plus(a: int, b: int = 1) -> int:
        """Adds."""
        return a + b

    assert (plus(1), plus.__name__, plus.__doc__) == (2, "plus", "Adds.")
    assert list(inspect.signature(plus).parameters) == ["a", "b"]
    assert isinstance(Clustering, type)


def test_files_of_spreadsheet_programs_are_told_from_tables(tmp_path):
    file = tmp_path / "labels.xlsx"
    file.write_bytes(b"PK")
    with pytest.raises(ImagestrataError, match="is a file of a spreadsheet program") as caught:
        imagestrata.fine_tune(tmp_path, str(file))
    assert f'read it with pandas.read_excel("{file}") and give the table' in caught.value.hint
    assert f'readxl::read_excel("{file}")' in caught.value.render(R)
    for call in (
        lambda: imagestrata.read_ratings([file]),
        lambda: imagestrata.read_pairs(file, pd.DataFrame()),
        lambda: imagestrata.embed_text(str(file)),
        lambda: imagestrata.scan_images(str(file)),
    ):
        with pytest.raises(ImagestrataError, match="spreadsheet"):
            call()


#: Verbs that compute for long, or write into folders, whatever they are given.
SLOW = {"draw_demo_corpus", "scan_images", "crop_faces", "list_encoders"}


@pytest.mark.parametrize("name", sorted(set(VERBS) - SLOW))
def test_things_of_the_wrong_type_are_refused_in_our_words(name, tmp_path):
    """No bare TypeError, ValueError or KeyError, whatever a required argument is."""
    function = getattr(imagestrata, name)
    needed = [
        one.name for one in inspect.signature(function).parameters.values()
        if one.default is one.empty and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]  # fmt: skip
    strange = pd.DataFrame({"image_id": ["a"], "cluster": ["u"], "label": ["v"], "rating": ["w"]})
    for wrong in (None, 5, "x y", [], {}, np.array(["a", "b"]), object(), strange):
        given = {one: tmp_path / "o" if one in ("out", "path") else wrong for one in needed}
        with contextlib.suppress(ImagestrataError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(**given)


def test_tags_packets_and_unjudged_pairs_have_no_consensus():
    tags = pd.DataFrame(columns=["image_id", "rank", "label", "confidence"])
    packets = pd.DataFrame(columns=["packet_id", "position", "image_id"])
    pairs = pd.DataFrame(columns=["pair_id", "image_a", "image_b"])
    for table, maker in ((tags, "tag_images"), (packets, "assign_annot"), (pairs, "sample_pairs")):
        with pytest.raises(ImagestrataError, match=f"not .*, which .*{maker}") as refused:
            imagestrata.consensus(table)
        assert "read_pairs()" in refused.value.message


def test_errors_show_no_traceback_of_other_packages():
    """Whatever an error is raised for is said in its message: `from None`."""
    for path in Path(imagestrata.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.cause, ast.Name):
                assert "UnreadableImage" in ast.unparse(node.exc), f"{path}:{node.lineno}"


def test_answered_packets_are_ratings(drawn):
    packets = assign_annotators(drawn, n_images=2)
    answered = packets.assign(respondent_id=packets["packet_id"], anger=5, joy=0)
    assert len(label_ratings(answered, items=["anger", "joy"])) == packets["image_id"].nunique()
    first = answered[answered["packet_id"] == packets["packet_id"][0]]
    left = reassign(packets, first, n_images=2)
    assert len(left) == len(packets) - len(first)
