"""What must not matter does not: the order and index of rows, the types of columns, other columns,
the unit of weights, and how missing values are written."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imagestrata import (
    ImagestrataError,
    agreement,
    consensus,
    label_model,
    label_shares,
    plan_labels,
    rating_gaps,
    rating_means,
    rating_model,
    score_clustering,
    score_labels,
    share_model,
    topic_gaps,
    topic_model,
    topic_odds,
    topic_prevalence,
)
from imagestrata.tables import with_text_ids
from test_golden import golden

Tables = dict[str, pd.DataFrame]
IDS = ("image_id", "post_id", "respondent_id", "author", "annotator", "pair_id", "image_a",
       "image_b")  # fmt: skip


def judged() -> Tables:
    """Pairs of 60 images judged by three people, with the clusters of the images."""
    rng = np.random.default_rng(0)
    cluster = np.where(np.arange(60) > 54, -1, np.arange(60) % 7 + 1)
    images = pd.DataFrame({"image_id": [f"i{i:02}" for i in range(60)], "cluster": cluster})
    pairs = pd.DataFrame([sorted(rng.choice(60, 2, replace=False)) for _ in range(150)])
    pairs = pairs.drop_duplicates(ignore_index=True)
    within = cluster[pairs[0]] == cluster[pairs[1]]
    table = pd.DataFrame(
        {
            "pair_id": [f"q{i:03}" for i in range(len(pairs))],
            "image_a": [f"i{i:02}" for i in pairs[0]],
            "image_b": [f"i{i:02}" for i in pairs[1]],
            "stratum": np.where(within, "within", "between"),
            "probability": np.where(within, 0.3, 0.02),
        }
    )
    answers = [
        table.assign(
            annotator=who,
            judgement=(rng.random(len(table)) < np.where(within, 0.8, 0.2)).astype(int),
        )
        for who in ("anna", "ben", "cem")
    ]
    return {"clustering": images, "pairs": pd.concat(answers, ignore_index=True)}


def labelled(*names: str) -> Tables:
    return {name: golden(f"labelled-{name}") for name in ("labels", "predictions", *names)}


def posts() -> pd.DataFrame:
    table = golden("posts")
    return table.assign(time=pd.to_datetime(table["time"]))


def share(linked: pd.DataFrame, ratings: pd.DataFrame, sample: pd.DataFrame) -> list[pd.DataFrame]:
    weighted = share_model(
        linked, "likes ~ hopeful + crowd + party", ratings, sample=sample, weight="corpus"
    )
    by_topic = share_model(
        linked, "likes ~ hopeful", ratings, unit="image", cluster="topic", exposure="followers"
    )
    return [weighted.coefficients, weighted.effects, weighted.left_out, by_topic.coefficients]


def model_of_topics(linked: pd.DataFrame) -> list[pd.DataFrame]:
    model = topic_model(linked, "~ party * followers", weights="size")
    return [model.coefficients, model.effects]


def shared() -> Tables:
    rated = golden("share-ratings")
    ratings = rated.drop(columns=["cluster", "weight_corpus"])
    return {
        "linked": golden("shares"), "ratings": ratings,
        "sample": rated[["image_id", "weight_corpus"]],
    }  # fmt: skip


#: Tables and what is computed from them.
CASES: dict[str, tuple[Callable[[], Tables], Callable[..., list[pd.DataFrame]]]] = {
    "share_model": (shared, share),
    "rating_means": (
        lambda: {"ratings": golden("survey")},
        lambda ratings: [
            rating_means(ratings, by=["group", "month"], respondent_weight="survey_weight"),
            rating_gaps(ratings, weight="corpus"),
        ],
    ),
    "rating_model": (
        lambda: {"ratings": golden("survey")},
        lambda ratings: [
            rating_model(ratings, "proud ~ group * ideology", weight="share").coefficients
        ],
    ),
    "label_shares": (
        lambda: labelled("sample", "images"),
        lambda labels, predictions, sample, images: [
            label_shares(labels, predictions, sample, clustering=images),
            label_shares(labels, None, sample, by="cluster"),
        ],
    ),
    "label_model": (
        lambda: labelled("sample", "posts"),
        lambda labels, predictions, sample, posts: [
            label_model("protest ~ party", labels, predictions, posts, sample).coefficients
        ],
    ),
    "score_labels": (
        lambda: labelled("sample", "posts"),
        lambda labels, predictions, sample, posts: [
            score_labels(
                labels[labels["code"] == "protest"], predictions, sample, by="party", images=posts
            ).scores
        ],
    ),
    "plan_labels": (
        lambda: labelled("sample", "images"),
        lambda labels, predictions, sample, images: [
            plan_labels(labels, predictions, sample, clustering=images, width=0.1, code="protest")
        ],
    ),
    "topic_prevalence": (
        lambda: {"linked": posts()},
        lambda linked: [
            topic_prevalence(linked, "party"), topic_gaps(linked, "party", unit="author"),
            topic_odds(linked, "party"),
        ],
    ),
    "topic_model": (lambda: {"linked": posts()}, model_of_topics),
    "score_clustering": (
        judged,
        lambda clustering, pairs: [
            score_clustering(clustering, pairs, error_rate="estimate", n_boot=20),
            score_clustering(clustering, consensus(pairs), n_boot=20),
        ],
    ),
    "agreement": (
        lambda: {"answers": judged()["pairs"]},
        lambda answers: [
            agreement(answers, n_boot=20), consensus(answers)[["pair_id", "judgement"]]
        ],
    ),
}  # fmt: skip


def is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def is_text(column: pd.Series[Any]) -> bool:
    return column.dtype == object or pd.api.types.is_string_dtype(column)


def is_whole(column: pd.Series[Any]) -> bool:
    return is_number(column) and bool((column.dropna() % 1 == 0).all())


def changed(column: pd.Series[Any], table: pd.DataFrame, to: Callable[..., Any]) -> pd.DataFrame:
    return table.assign(**{str(column.name): to(column)})


def each(wanted: Callable[[pd.Series[Any]], bool], to: Callable[..., Any]) -> Callable[..., Any]:
    """A change of all columns of a kind."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(**{str(c): to(table[c]) for c in table if wanted(table[c])})

    return change


def with_other_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Columns whose names code might use: of numbers, of texts, and some missing."""
    names = ("weight", "n", "x", "file", "y", "w", "value", "index", "level_0", "cell", "unit",
             "respondent", "image", "key", "total", "size_", "group_", "contrast")  # fmt: skip
    draw = np.random.default_rng(3)
    more: dict[str, Any] = {
        name: draw.choice(np.array([1.5, -2, np.nan, 1e6]), len(table)) for name in names
    }
    more |= {"file": draw.choice(["a", "b", "-1"], len(table)), "theme_note": None}
    if "group" not in table:
        more["group"] = draw.choice([0.5, 7, np.nan], len(table))
    return table.assign(**{name: more[name] for name in more if name not in table})


def of_categories(column: pd.Series[Any]) -> Any:
    values = sorted(column.dropna().unique())
    return pd.Categorical(column, ["0 never", *values, "zz never"])


def of_objects(column: pd.Series[Any]) -> Any:
    return column.astype(object).where(column.notna(), None)


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "other order": lambda table: table.sample(frac=1, random_state=1),
    "one index": lambda table: table.set_axis([7] * len(table)),
    "an id as index": lambda table: table.set_index(table.columns[0], drop=False),
    "other columns": with_other_columns,
    "categories": each(is_text, of_categories),
    "objects": each(lambda column: is_number(column) or is_text(column), of_objects),
    "Arrow's texts": each(is_text, lambda column: column.astype("string[pyarrow]")),
    "nullable integers": each(is_whole, lambda column: column.astype("Int64")),
    "empty texts": each(is_text, lambda column: column.fillna("")),
    "clusters as text": each(
        lambda column: column.name == "cluster",
        lambda column: column.map(lambda one: None if pd.isna(one) else str(int(one))),
    ),
    "other unit": each(
        lambda column: str(column.name).startswith(("weight_", "survey_weight", "size")),
        lambda column: column * 137.5,
    ),
}


def quietly(found: Callable[..., list[pd.DataFrame]], tables: Tables) -> list[pd.DataFrame]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return found(**tables)


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """In an order of its own, with columns of floats and texts."""
    made = {
        str(name): column.astype("Float64").astype(float)
        if is_number(column)
        else column.astype(object).map(
            lambda value: "" if value is None or value != value else str(value)
        )
        for name, column in table.reset_index(drop=True).items()
    }
    found = pd.DataFrame(made)
    texts = [name for name in found if found[name].dtype != float]
    return found.sort_values(texts, kind="stable", ignore_index=True) if texts else found


@pytest.fixture(scope="module")
def expected() -> dict[str, list[pd.DataFrame]]:
    return {}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("case", CASES)
def test_what_must_not_matter(
    case: str, change: str, expected: dict[str, list[pd.DataFrame]]
) -> None:
    tables, compute = CASES[case]
    given = tables()
    if case not in expected:
        expected[case] = quietly(compute, given)
    found = quietly(compute, {name: CHANGES[change](table) for name, table in given.items()})
    assert len(found) == len(expected[case]) > 0
    for ours, theirs in zip(found, expected[case], strict=True):
        pd.testing.assert_frame_equal(plain(ours)[[*plain(theirs)]], plain(theirs), rtol=1e-7)


def test_truth_values_are_averaged_like_ones() -> None:
    tables = shared()
    formula = "likes ~ hopeful + crowd"
    ones = quietly(
        lambda **t: [share_model(t["linked"], formula, t["ratings"]).coefficients], tables
    )
    for kind in (bool, object, "boolean"):
        crowd = tables["ratings"]["crowd"].astype(bool).astype(kind)
        ratings = tables["ratings"].assign(crowd=crowd)
        found = quietly(
            lambda **t: [share_model(t["linked"], formula, t["ratings"]).coefficients],
            tables | {"ratings": ratings},
        )
        pd.testing.assert_frame_equal(found[0], ones[0])


def test_sampled_images_without_weight_are_like_others_that_were_not_drawn() -> None:
    tables = shared()
    drawn = tables["sample"]
    lost = drawn.index % 4 == 1
    samples = [drawn[~lost], drawn.assign(weight_corpus=drawn["weight_corpus"].mask(lost, 0))]
    without, zero = (
        quietly(
            lambda linked, ratings, sample: [
                share_model(linked, "likes ~ hopeful", ratings, sample=sample, weight="corpus")
            ],
            tables | {"sample": sample},
        )[0]
        for sample in samples
    )
    for name in ("coefficients", "effects", "summary", "left_out"):
        pd.testing.assert_frame_equal(getattr(zero, name), getattr(without, name))


@pytest.mark.parametrize("blank", [None, "", np.nan])
def test_an_empty_text_is_a_missing_value(blank: Any) -> None:
    linked = posts()
    lost = linked["post_id"].isin(linked["post_id"].unique()[-20:])
    there = linked[~lost]
    for column in ("party", "author"):
        gaps = linked.assign(**{column: linked[column].mask(lost, blank)})
        if blank == "":
            gaps[column] = gaps[column].fillna("")
        with pytest.warns(UserWarning, match=r"left out|without|lack"):
            found = topic_prevalence(gaps, "party")
        pd.testing.assert_frame_equal(
            found, quietly(lambda t: [topic_prevalence(t, "party")], {"t": there})[0]
        )
        with pytest.warns(UserWarning, match="left out"):
            model = topic_model(gaps, "~ party").coefficients
        only = quietly(lambda t: [topic_model(t, "~ party").coefficients], {"t": there})[0]
        pd.testing.assert_frame_equal(model, only)
    ratings = golden("survey").astype({"group": object})
    ratings.loc[3, "group"] = blank
    with pytest.raises(ImagestrataError, match=r"1 of .* have no group"):
        rating_means(ratings)
    nobody = golden("survey").astype({"respondent_id": object})
    nobody.loc[3, "respondent_id"] = blank
    with pytest.raises(ImagestrataError, match="missing values in respondent_id"):
        rating_means(nobody)


def test_types_of_columns() -> None:
    table = pd.DataFrame(
        {
            "image_id": ["a", "", None],
            "cluster": ["1", "-1", None],
            "theme": pd.Categorical(["2", "-1", "1"]),
            "n": pd.Series([1, None, 3], dtype=object),
            "long": pd.Series([2**60 + 1, None, 3], dtype=object),
            "yes": pd.Series([True, None, False], dtype=object),
            "mixed": pd.Series(["x", 1, None], dtype=object),
            "huge": pd.Series([2**70, 1, 2], dtype=object),
            "group": [0.5, 2, None],
        }
    )
    found = with_text_ids(table)
    assert found["image_id"].isna().tolist() == [False, True, True]
    assert found["cluster"].iloc[:2].tolist() == [1, -1]
    assert found["theme"].tolist() == [2, -1, 1]
    assert found["n"].dtype == "Int64"
    assert found["long"].iloc[0] == 2**60 + 1
    assert found["yes"].dtype == "boolean"
    assert found["mixed"].tolist() == table["mixed"].tolist()
    assert found["huge"].tolist() == [2**70, 1, 2]
    assert found["group"].iloc[:2].tolist() == [0.5, 2]
    # Names of clusters remain names.
    named = pd.DataFrame({"cluster": ["1", "flags", "007"]})
    assert with_text_ids(named)["cluster"].tolist() == ["1", "flags", "007"]
