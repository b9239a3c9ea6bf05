"""One message, worded for each reader."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from imagestrata import cli
from imagestrata.bridge.words import R
from imagestrata.cli.words import ShellWords
from imagestrata.errors import ImagestrataError, ImagestrataWarning, MissingWeightsError, warn
from imagestrata.wording import Name, arg, foreign, kind_of, quote, render, tokens, verb


def shell(running):
    return ShellWords(cli.COMMANDS, running)


@pytest.mark.parametrize(
    ("marked", "python", "r", "command"),
    [
        (arg("k"), "`k`", "`k`", "--k"),
        (arg("out"), "`out`", "`out`", "--out"),
        (arg("images"), "`images`", "`images`", "IMAGES"),
        (arg("overwrite", True), "overwrite=True", "overwrite = TRUE", "--overwrite"),
        (arg("overwrite", False), "overwrite=False", "overwrite = FALSE", "--no-overwrite"),
        (arg("k", 35), "k=35", "k = 35", "--k 35"),
        (arg("k", None), "k=None", "k = NULL", "no --k"),
        (arg("method", "hdbscan"), 'method="hdbscan"', 'method = "hdbscan"', "--method hdbscan"),
        (
            arg("min_images", 3),
            "min_images=3",
            "min_images = 3",
            "--min-images 3 of `imagestrata keywords`",
        ),
        (
            arg("stop_words"),
            "`stop_words`",
            "`stop_words`",
            "--stop-word of `imagestrata keywords`",
        ),
        (
            arg("groups", ["a", "b c"]),
            'groups=["a", "b c"]',
            'groups = c("a", "b c")',
            "--group a --group 'b c' of `imagestrata assign`",
        ),
        (arg("scale", (0, 10)), "scale=(0, 10)", "scale = c(0, 10)", None),
        (arg("out", Name("folder")), "out=folder", "out = folder", "--out FOLDER"),
        (verb("sample_images"), "sample_images()", "sample_images()", "`imagestrata sample`"),
        (
            verb("cluster_images", ..., out=Name("run")),
            "cluster_images(..., out=run)",
            "cluster_images(..., out = run)",
            "`imagestrata cluster RUN`",
        ),
        (
            verb("reduce_embeddings", method="umap"),
            'reduce_embeddings(method="umap")',
            'reduce_embeddings(method = "umap")',
            "`imagestrata reduce --method umap`",
        ),
        (
            verb("ModelServer", "llava"),
            'ModelServer("llava")',
            'model_server("llava")',
            "ModelServer('llava') (in Python or R)",
        ),
        (verb("Clustering.load"), "Clustering.load()", "read_clustering()", None),
        (quote(None), "None", "NULL", "nothing"),
        (quote(True), "True", "TRUE", "yes"),
        (quote(np.float64(5)), "5.0", "5", "5.0"),
        (quote("it's"), '"it\'s"', '"it\'s"', '"it\'s"'),
        (quote(["a", "b"]), '["a", "b"]', 'c("a", "b")', "a b"),
        (quote({"a b": [1, None]}), '{"a b": [1, None]}', "list(`a b` = list(1, NULL))", None),
        (quote(pd.DataFrame()), "a DataFrame", "a data frame", "a table"),
        (kind_of("text"), "a str", "text", "text"),
        (kind_of(None), "None", "NULL", "nothing"),
        (foreign("pip list"), "`pip list`", "`pip list`", "`pip list`"),
    ],
)
def test_each_language_writes_names_and_values_in_its_own_way(marked, python, r, command):
    assert render(f"({marked})") == f"({python})"
    assert render(f"({marked})", R) == f"({r})"
    if command is not None:
        assert render(f"({marked})", shell("run")) == f"({command})"


def test_an_error_keeps_what_it_names_and_says_it_to_each_reader():
    error = ImagestrataError(
        f"{quote('run')} already holds a sample.",
        f"Choose another {arg('out')}, or use {arg('overwrite', True)}.",
        code="already_there",
    )
    assert str(error) == (
        "'run' already holds a sample.\nChoose another `out`, or use overwrite=True."
    )
    assert error.render(R).endswith("use overwrite = TRUE.")
    assert error.words(shell("scan"))[1] == "Choose another --out, or use --overwrite."
    assert (error.code, error.names, error.values) == (
        "already_there",
        ["out", "overwrite"],
        ["run"],
    )
    assert error.args == ("'run' already holds a sample.",)
    again = pickle.loads(pickle.dumps(error))
    assert again.render(R) == error.render(R)
    assert again.code == "already_there"
    assert ImagestrataError("x").code == "invalid_input"
    assert MissingWeightsError("x").code == "missing_weights"


def test_warnings_are_worded_as_well():
    with pytest.warns(UserWarning, match="Use k=3") as caught:
        warn(f"Use {arg('k', 3)}.")
    assert isinstance(caught[0].message, ImagestrataWarning)
    assert caught[0].filename == __file__
    assert caught[0].message.render(R) == "Use k = 3."
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImagestrataWarning):
            warn("x")


def test_texts_that_look_like_marks_stay_as_they_are():
    for text in ("\ue000no json\ue001", '\ue000["verb"]\ue001', "\ue000", "\ue001 \ue000"):
        assert tokens(text) == []
        render(text)
    assert tokens(arg("x", "\ue001\ue000"))[0].value == "\ue001\ue000"


def test_large_values_are_cut():
    assert render(quote(list(range(100)))).endswith("11, ...]")
    assert len(render(quote("x" * 1000))) < 220
