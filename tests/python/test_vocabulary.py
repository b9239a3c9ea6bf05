"""One concept, one word: in the arguments of all public functions and the columns of all tables."""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import imagestrata as ims
from imagestrata.validate import RESIDUALS

PACKAGE = Path(ims.__file__).parent
ROOT = Path(__file__).parents[2]
FUNCTIONS = [name for name in ims.__all__ if inspect.isfunction(getattr(ims, name))]
#: What our concepts are called elsewhere, or were called here.
OTHER_ARGUMENTS = {
    "account", "alpha", "ci", "clusterer", "confidence", "confidence_level", "directory", "force",
    "format", "include_residual", "level_of_confidence", "n_jobs", "output", "outdir",
    "random_state", "range", "user", "verbose",
}  # fmt: skip
OTHER_COLUMNS = {
    "account", "ci_high", "ci_low", "confidence_high", "confidence_low", "lower", "p_chance",
    "pvalue", "p_val", "residual_share", "se", "std_err", "stderr", "upper", "user",
}  # fmt: skip
OTHER_WORDS = {"apart", "cluster", "exclude", "leave_out", "True", "False", "own"}


def arguments_of(name: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(getattr(ims, name)).parameters)


def test_there_are_few_public_names():
    assert len(ims.__all__) <= 117


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_are_called_by_our_words(name):
    arguments = arguments_of(name)
    assert not {*arguments} & OTHER_ARGUMENTS
    defaults = {one: parameter.default for one, parameter in arguments.items()}
    if "residual" in defaults:
        assert defaults["residual"] in {*RESIDUALS, None}
        said = re.search(r"residual : \{([^}]*)\}", inspect.getdoc(getattr(ims, name)) or "")
        assert said is not None
        assert {word.strip(' "') for word in said[1].split(",")} <= {*RESIDUALS}
    assert defaults.get("conf_level", 0.95) == 0.95
    assert defaults.get("seed", 0) == 0
    assert defaults.get("overwrite", False) is False
    assert defaults.get("progress", True) is True


@pytest.mark.parametrize("word", sorted(OTHER_WORDS))
def test_no_verb_takes_another_word_for_the_residual(word):
    """The choice is checked before anything else is looked at."""
    given = {"True": True, "False": False}.get(word, word)
    clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [1, 1, 2, -1]})
    vectors = np.eye(4, dtype=np.float32)
    sample = clusters.assign(path="x.png")
    found = ims.Clustering.from_labels(vectors, [1, 1, 2, -1])
    texts = pd.DataFrame({"image_id": found.images["image_id"], "text": "a word"})
    posts = clusters.assign(post_id=range(4), hashtags="#a")
    calls: dict[str, Any] = {
        "export_network": lambda: ims.export_network(posts, "x.gexf", residual=given),
        "sample_images": lambda: ims.sample_images(clusters, residual=given),
        "assign_annotators": lambda: ims.assign_annotators(sample, residual=given),
        "reassign": lambda: ims.reassign(PACKETS, RATINGS, residual=given),
        "score_clustering": lambda: ims.score_clustering(clusters, list("xxyy"), residual=given),
        "compare_clusterings": lambda: ims.compare_clusterings(clusters, clusters, residual=given),
        "cluster_keywords": lambda: ims.cluster_keywords(found, texts, residual=given),
        "tune_clusters": lambda: ims.tune_clusters(
            vectors, JUDGED, {"k": [2]}, residual=given, progress=False
        ),
    }
    assert {*calls} == {name for name in FUNCTIONS if "residual" in arguments_of(name)}
    for name, call in calls.items():
        with pytest.raises(ims.ImagestrataError, match="`residual` must be") as error:
            call()
        named = re.findall(r"'(\w+)'", str(error.value).split(", not ", maxsplit=1)[0])
        assert named, name
        assert {*named} <= {*RESIDUALS}, name


def test_no_source_writes_another_word():
    """Neither as a column nor as a choice."""
    refused = {"leave_out", "std.error", "conf.low", "conf.high", "p.value", *OTHER_COLUMNS}
    refused.remove("user")  # a role in requests to servers
    for path in PACKAGE.rglob("*.py"):
        if path.parts[-2] in ("bridge", "cli"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)}
        found = {text for text in texts if isinstance(text, str)} & refused
        assert not found, path


# ---- all tables ----

PAIRS = [("a", "b", 1), ("c", "d", 0), ("a", "c", 0), ("e", "f", 1)]
JUDGED = pd.DataFrame(
    [
        (f"p{i}", a, b, annotator, said)
        for i, (a, b, said) in enumerate(PAIRS)
        for annotator in ("ann", "ben")
    ],
    columns=["pair_id", "image_a", "image_b", "annotator", "judgement"],
)
PACKETS = pd.DataFrame(
    {
        "packet_id": ["p1", "p1", "p2", "p2"],
        "group": ["A", "A", "B", "B"],
        "position": [1, 2, 1, 2],
        "image_id": ["a", "b", "a", "b"],
        "cluster": [1, 2, 1, 2],
    }
)
RATINGS = PACKETS.assign(
    respondent_id=["r1", "r1", "r2", "r2"],
    item="angry",
    rating=[1.0, 2.0, 3.0, 5.0],
)


def tables_of(result: Any) -> list[pd.DataFrame]:
    if isinstance(result, pd.DataFrame):
        return [result]
    held = {name: getattr(result, name) for name in dir(result) if not name.startswith("_")}
    return [table for table in held.values() if isinstance(table, pd.DataFrame)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What verbs return for a small study."""
    folder = ROOT / "inst" / "extdata" / "images"
    quiet: dict[str, Any] = {"progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = ims.scan_images(folder, **quiet)
        embeddings = ims.embed_images(images, "hog", **quiet)
        clustering = ims.cluster_images(embeddings, **quiet)
        dense = ims.cluster_images(
            embeddings, "hdbscan", min_cluster_size=5, n_components=10, **quiet
        )
        pairs = ims.sample_pairs(embeddings, 60, 10, **quiet)
        said = (pairs["stratum"] == pairs["stratum"].iloc[0]).astype(int)
        judged = pd.concat(
            [pairs.assign(annotator=name, judgement=said) for name in ("ann", "ben")]
        )
        decided = ims.consensus(judged)
        sample = ims.sample_images(clustering, 2)
        packets = ims.assign_annotators(sample, ["A", "B"], 3)
        ratings = ims.read_ratings(RATINGS)
        model = ims.FineTunedModel.load(ROOT / "inst" / "extdata" / "model")
        ids = clustering.images["image_id"]
        tags = pd.DataFrame(
            {"image_id": ids, "label": np.where(np.arange(len(ids)) % 2, "flag", "crowd")}
        )
        labels = pd.DataFrame({"image_id": ids, "flag": np.arange(len(ids)) % 2})
        kinds = pd.DataFrame({"image_id": ids, "kind": np.arange(len(ids)) % 3})
        return {
            "scan_images": images,
            "embed_images": embeddings,
            "cluster_images": clustering,
            "density": dense,
            "list_encoders": ims.list_encoders(),
            "find_images": ims.find_images(clustering),
            "map_images": ims.map_images(embeddings, "pca", **quiet),
            "cluster_keywords": ims.cluster_keywords(clustering, tags, column="label"),
            "cluster_metadata": ims.cluster_metadata(clustering, kinds, column="kind"),
            "sample_images": sample,
            "assign_annotators": packets,
            "costs": ims.costs(packets),
            "image costs": ims.costs(images, ims.Rekognition(), **quiet),
            "sample_pairs": pairs,
            "agreement": ims.agreement(judged, n_boot=50),
            "consensus": decided,
            "score by pairs": ims.score_clustering(clustering, decided, n_boot=50),
            "score by labels": ims.score_clustering(clustering, kinds["kind"]),
            "score by vectors": ims.score_clustering(clustering, embeddings=embeddings),
            "tune_clusters": ims.tune_clusters(
                embeddings, decided, {"k": [4, 8]}, folds=2, **quiet
            ),
            "cluster_stability": ims.cluster_stability(clustering, embeddings, n_refits=2, **quiet),
            "compare_clusterings": ims.compare_clusterings(
                clustering, dense, truth=kinds.rename(columns={"kind": "label"})
            ),
            "sweep_clusters": ims.sweep_clusters(embeddings, values=[5, 10], **quiet),
            "sweep of sizes": ims.sweep_clusters(embeddings, "hdbscan", [5, 10], **quiet),
            "suggest_threshold": ims.suggest_threshold(embeddings, n_draws=2, k=5, **quiet),
            "cluster_confidence": ims.cluster_confidence(dense),
            "confidence of each": ims.cluster_confidence(dense, by_cluster=True),
            "tag_frequencies": ims.tag_frequencies(tags),
            "compare_tags": ims.compare_tags(tags, labels, {"flag": "flag"}),
            "label_ratings": ims.label_ratings(ratings).attrs["counts"],
            "combined labels": ims.consensus(labels).attrs["counts"],
            "rating_means": ims.rating_means(ratings, weight="none"),
            "rating_gaps": ims.rating_gaps(ratings, weight="none"),
            "rating_weights": ims.rating_weights(ratings, weight="none"),
            "model": model,
            "calibrate_thresholds": ims.calibrate_thresholds(model),
            "predict_labels": ims.predict_labels(folder, model, **quiet),
        }


def test_columns_are_called_by_our_words(results):
    for name, result in results.items():
        tables = tables_of(result)
        assert tables, name
        for table in tables:
            columns = {str(column) for column in table.columns}
            assert not columns & OTHER_COLUMNS, name
            assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", one) for one in columns), name
            # An interval has two ends, and shares of something are share_, counts are n_.
            ends = {one.removesuffix("_low") for one in columns if one.endswith("_low")}
            assert ends - {"jaccard"} == {
                one.removesuffix("_high") for one in columns if one.endswith("_high")
            }, name
            wrong = {one for one in columns if one.endswith(("_share", "_count"))}
            assert wrong <= {"weight_share"}, name


def test_the_glossary_names_our_words():
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = [f'"{word}"' for word in RESIDUALS]
    words += ["`conf_level`", "`conf_low`", "`conf.low`", "`std_error`", "`p_value`", "| author |"]
    assert [word for word in words if word not in glossary] == []
